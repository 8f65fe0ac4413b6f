// SPDX-License-Identifier: GPL-2.0-only
/*
 * upin: objects of user heaps that kernel code holds.
 *
 * A pinned object cannot be freed: GOHEAP_IOC_FREE fails with EBUSY. When its session
 * ends, or it is freed by a list or an exchange, it is freed with its last pin.
 */
#include <linux/export.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include <linux/goheap.h>

#include "../fault.h"
#include "../peek.h"
#include "heap.h"
#include "object.h"
#include "pages.h"
#include "span.h"

static unsigned long pin_npages(u64 offset, size_t len)
{
	return ((offset + len - 1) >> PAGE_SHIFT) - (offset >> PAGE_SHIFT) + 1;
}

/* Allocates the array of pin_pages() before the heap's lock is taken. */
static struct page **pin_room(unsigned long n)
{
	if (gh_fault(GH_FAULT_USER))
		return NULL;
	return goheap_alloc(array_size(n, sizeof(struct page *)), GH_UOBJ_GFP);
}

/* The pages of an object that has been pinned, which stay as long as that. */
static void pin_pages(struct gh_uheap *h, struct gh_upin *pin, u64 offset,
		      unsigned long n, struct page **pages)
	__must_hold(&h->lock)
{
	unsigned long first = offset >> PAGE_SHIFT;
	unsigned long i;

	lockdep_assert_held(&h->lock);

	/* The kernel has every single page mapped already. */
	if (n == 1)
		pin->addr = page_address(gh_upages_frame(h, first)) +
			    offset_in_page(offset);
	for (i = 0; n > 1 && i < n; i++)
		pages[i] = gh_upages_frame(h, first + i);
}

/* Find the object that some bytes are in, and count a pin of it. */
static int pin_object(struct gh_uheap *h, struct gh_upin *pin, u64 offset,
		      size_t len)
	__must_hold(&h->lock)
{
	struct gh_uspan *s = gh_uspan_of(h, offset);
	u64 at, i;
	bool can;
	u8 state;

	lockdep_assert_held(&h->lock);

	if (!s || s->mmap)
		return -EINVAL;

	/* The bytes may begin inside the object: no exact division. */
	at = offset - s->base;
	i = div64_u64(at, s->elemsize);
	if (i >= s->nelems || len > s->elemsize ||
	    at - i * s->elemsize > s->elemsize - len)
		return -EINVAL;
	pin->span = s;
	pin->idx = i;

	spin_lock(&s->owner->lock);
	state = s->state[i];
	can = state == GH_UOBJ_PRIVATE || state == GH_UOBJ_GIVEN ||
	      state == GH_UOBJ_HELD;
	if (can) {
		s->npins++;
		s->owner->count.pinned++;
		list_add(&pin->list, &s->pins);
	}
	spin_unlock(&s->owner->lock);

	if (can)
		return 0;
	return gh_uobj_refusal(state);
}

/* If the span must be freed, @empty gets it. */
static void unpin_object(struct gh_uheap *h, struct gh_upin *pin,
			 struct list_head *empty)
	__must_hold(&h->lock)
{
	struct gh_uspan *s = pin->span;

	lockdep_assert_held(&h->lock);

	list_del(&pin->list);
	spin_lock(&s->owner->lock);
	s->npins--;
	s->owner->count.pinned--;
	spin_unlock(&s->owner->lock);

	if (s->state[pin->idx] == GH_UOBJ_DOOMED &&
	    !gh_uobj_pinned(s, pin->idx))
		gh_uobj_free_doomed(h, s, pin->idx, empty);
}

/*
 * Have the kernel map an object that has been pinned. Without the heap's lock, because
 * vmap() may wait for memory.
 */
static int pin_map(struct gh_uheap *h, struct gh_upin *pin, u64 offset,
		   unsigned long n, struct page **pages)
{
	LIST_HEAD(empty);

	if (!gh_fault(GH_FAULT_USER))
		pin->mapped = vmap(pages, n, VM_MAP, PAGE_KERNEL);
	if (pin->mapped) {
		pin->addr = pin->mapped + offset_in_page(offset);
		return 0;
	}

	/* The session may have ended meanwhile. */
	gh_uheap_lock(h);
	unpin_object(h, pin, &empty);
	mutex_unlock(&h->lock);
	gh_uspan_release(h, &empty);
	return -ENOMEM;
}

/*
 * Returns the address. Another thread may have pinned the same bytes, and have the same
 * address; when it unpins, it may find, and free, this record.
 */
static void *pin_publish(struct gh_uheap *h, struct gh_upin *pin)
	__must_hold(&h->lock)
{
	lockdep_assert_held(&h->lock);

	hash_add(h->pins, &pin->node, (unsigned long)pin->addr);
	return pin->addr;
}

/**
 * goheap_user_pin() - hold an object of a user heap
 * @heap: the heap
 * @offset: of the first byte, in the window
 * @len: bytes, 1 or more, all in one object
 *
 * The object stays allocated until it is unpinned, even if its process ends.
 * Processes can change its contents at any time: copy what must be checked, and
 * check the copy.
 *
 * Context: process context, may sleep.
 * Return: address of the byte at @offset in the kernel; or -EINVAL if the bytes
 * are not in one object, -ENOENT if that is free, -EBUSY if it is being freed
 * or resized, or -ENOMEM.
 */
void *goheap_user_pin(struct goheap_user *heap, u64 offset, size_t len)
{
	struct gh_uheap *h = (struct gh_uheap *)heap;
	struct page **pages = NULL;
	struct gh_upin *pin = NULL;
	void *addr = NULL;
	unsigned long n;
	int err;

	if (!len || offset >= GH_UWINDOW || len > GH_UWINDOW - offset)
		return ERR_PTR(-EINVAL);
	/* No object is longer than all spans; @pages must be bounded. */
	if (len > (u64)gh_peek(h->npages) << GH_PAGE_SHIFT)
		return ERR_PTR(-EINVAL);

	n = pin_npages(offset, len);
	if (n > 1)
		pages = pin_room(n);
	if (n > 1 && !pages)
		return ERR_PTR(-ENOMEM);
	if (!gh_fault(GH_FAULT_USER))
		pin = goheap_zalloc(sizeof(*pin), GH_UOBJ_GFP);
	if (!pin) {
		goheap_free(pages);
		return ERR_PTR(-ENOMEM);
	}

	gh_uheap_lock(h);
	err = pin_object(h, pin, offset, len);
	if (!err)
		pin_pages(h, pin, offset, n, pages);
	if (!err && n == 1)
		addr = pin_publish(h, pin);
	mutex_unlock(&h->lock);

	if (!err && n > 1)
		err = pin_map(h, pin, offset, n, pages);
	if (err)
		goto no_object;
	if (n > 1) {
		gh_uheap_lock(h);
		addr = pin_publish(h, pin);
		mutex_unlock(&h->lock);
	}

	goheap_free(pages);
	kref_get(&h->ref);
	return addr;

no_object:
	goheap_free(pages);
	goheap_free(pin);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(goheap_user_pin);

/**
 * goheap_user_unpin() - no longer hold an object of a user heap
 * @heap: the heap
 * @addr: what goheap_user_pin() returned
 *
 * Context: process context, may sleep.
 */
void goheap_user_unpin(struct goheap_user *heap, void *addr)
{
	struct gh_uheap *h = (struct gh_uheap *)heap;
	struct gh_upin *pin, *found = NULL;
	LIST_HEAD(empty);

	gh_uheap_lock(h);
	hash_for_each_possible(h->pins, pin, node, (unsigned long)addr) {
		if (pin->addr == addr) {
			found = pin;
			break;
		}
	}
	if (found)
		hash_del(&found->node);
	mutex_unlock(&h->lock);

	if (WARN_ONCE(!found, "goheap: unpin of an address without a pin\n"))
		return;
	/* Before the object can be freed, and without the lock. */
	vunmap(found->mapped);

	gh_uheap_lock(h);
	unpin_object(h, found, &empty);
	mutex_unlock(&h->lock);
	gh_uspan_release(h, &empty);
	goheap_free(found);
	gh_uheap_put(h);
}
EXPORT_SYMBOL_GPL(goheap_user_unpin);
