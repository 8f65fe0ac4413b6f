// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * object: which object an address belongs to.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "class.h"
#include "lock.h"
#include "object.h"

/**
 * lg_object_note_known() - note how far the page map goes
 * @h: the heap
 * @end: end of an object, or of a part of the window that has a page map
 */
void lg_object_note_known(struct goheap *h, uint64_t end)
{
	uint64_t known = __atomic_load_n(&h->known, __ATOMIC_RELAXED);

	end = (end + LG_ARENA_SIZE - 1) & -LG_ARENA_SIZE;
	while (end > known && end <= h->window &&
	       !__atomic_compare_exchange_n(&h->known, &known, end, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/*
 * The page map has memory as far as the heap ever grew; a load from beyond is a bus
 * error. So let a system call find out that reads its argument, and then refuses
 * the rest. A process that only frees what others allocate needs that once for each
 * arena.
 */
static bool is_readable(struct goheap *h, uint64_t offset)
{
	const uint64_t *at = lg_window_slot(h, (void *)(h->base + offset));
	uint64_t known = __atomic_load_n(&h->known, __ATOMIC_RELAXED);
	int saved = errno;
	bool ok;

	if (likely(offset < known))
		return true;
	if (offset >= h->window || lg_is_private(h))
		return false;

	syscall(SYS_rt_sigprocmask, ~0, at, NULL, 8);
	ok = errno != EFAULT;
	errno = saved;
	if (ok)
		lg_object_note_known(h, offset + 1);
	return ok;
}

/**
 * lg_object_entry() - the page map's entry for an address
 * @h: the heap
 * @p: any address
 *
 * Return: the entry, or 0.
 */
uint64_t lg_object_entry(struct goheap *h, const void *p)
{
	uint64_t offset = (uintptr_t)p - h->base;

	if (offset >= h->window || !is_readable(h, offset))
		return 0;
	return __atomic_load_n(lg_window_slot(h, p), __ATOMIC_RELAXED);
}

/* Whether page @i after @p belongs to the large object that starts at @p. */
static bool is_part(struct goheap *h, const char *p, uint64_t i)
{
	const char *at = p + (i << LG_PAGE_SHIFT);
	uint64_t entry;

	/* Objects of this process end before the map does. */
	if ((uintptr_t)at - h->base >=
		    __atomic_load_n(&h->known, __ATOMIC_RELAXED) &&
	    (*lg_window_slot(h, p) & LG_OWN_MASK) == h->own)
		return false;

	entry = lg_object_entry(h, at);
	if (i > GOHEAP_PAGE_INDEX_MAX)
		i = GOHEAP_PAGE_INDEX_MAX;
	return entry && GOHEAP_PAGE_INDEX(entry) == i;
}

/*
 * The number of pages of a large object, by bisection. An entry says which page of
 * its span a page is, so a page belongs to this object if its entry says the number
 * that it would have there. From GOHEAP_PAGE_INDEX_MAX on all entries say that
 * number; steps of this length cannot miss the start of another object.
 */
static uint64_t large_pages(struct goheap *h, const char *p)
{
	const uint64_t most = GOHEAP_PAGE_INDEX_MAX;
	uint64_t step, lo = 0;

	for (;;) {
		for (step = 1; step < most && is_part(h, p, lo + step);)
			step *= 2;
		if (step < most || !is_part(h, p, lo + most))
			break;
		lo += most;
	}

	/* All steps that follow are less than most in total. */
	while (step /= 2)
		if (is_part(h, p, lo + step))
			lo += step;
	return lo + 1;
}

/**
 * lg_object_size() - the length of an object
 * @h: the heap
 * @p: any address
 *
 * Return: bytes, or 0 if no object starts there.
 */
size_t lg_object_size(struct goheap *h, const void *p)
{
	uint64_t entry = lg_object_entry(h, p);
	uint64_t offset = (uintptr_t)p - h->base;
	const struct lg_class *k;

	if (!entry)
		return 0;
	k = &h->class[GOHEAP_PAGE_CLASS(entry)];
	if (k->size)
		return lg_class_has(k, entry, offset) ? k->size : 0;
	if (!lg_object_starts_large(p, entry))
		return 0;
	if (lg_is_private(h))
		return (size_t)(*lg_object_npages(h, p) & ~LG_KEPT)
		       << LG_PAGE_SHIFT;
	return large_pages(h, p) << LG_PAGE_SHIFT;
}

/**
 * lg_object_is_kept() - whether an object was freed and is kept by this process
 * @h: the heap
 * @p: any address
 *
 * The kernel knows a kept object as allocated, so the caller must refuse to give or
 * resize it.
 *
 * Return: true if it is.
 */
bool lg_object_is_kept(struct goheap *h, const void *p)
{
	uint64_t entry = lg_object_entry(h, p);

	/* Another object of the span may have been given since. */
	if ((entry & LG_OWN_MASK & ~GOHEAP_PAGE_GIVEN) != h->own)
		return false;
	if (!GOHEAP_PAGE_CLASS(entry))
		return lg_object_starts_large(p, entry) &&
		       *lg_object_npages(h, p) & LG_KEPT;
	return lg_object_size(h, p) && lg_object_is_marked(h, p);
}
