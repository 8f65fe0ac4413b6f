// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * share: what processes tell each other: offsets, root slots, given objects.
 */
#include <sys/ioctl.h>

#include "cache.h"
#include "class.h"
#include "kernel.h"
#include "lock.h"
#include "object.h"
#include "session.h"

LG_EXPORT uint64_t goheap_offset(const struct goheap *h, const void *p)
{
	return (uintptr_t)p - h->base;
}

LG_EXPORT void *goheap_pointer(const struct goheap *h, uint64_t offset)
{
	return offset < h->window ? (void *)(h->base + offset) : NULL;
}

/*
 * Another thread may open or close a heap meanwhile. The base counts only while there is a
 * window, see window.c: so that is read before the base, and again after it.
 */
static bool has_address(const struct goheap *h, const void *p)
{
	uint64_t window = __atomic_load_n(&h->window, __ATOMIC_ACQUIRE);
	uintptr_t base = __atomic_load_n(&h->base, __ATOMIC_ACQUIRE);

	return (uintptr_t)p - base < window &&
	       __atomic_load_n(&h->window, __ATOMIC_ACQUIRE) == window;
}

LG_EXPORT struct goheap *goheap_of(const void *p)
{
	unsigned int i, n = __atomic_load_n(&lg_nheaps, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++)
		if (has_address(&lg_heaps[i], p))
			return &lg_heaps[i];
	return NULL;
}

/* ---- root slots --------------------------------------------------------- */

/* On the heap, not the session: a process need not attach. */
static int root(struct goheap *h, struct goheap_root *req)
{
	if (lg_is_private(h)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return ioctl(h->fd, GOHEAP_IOC_ROOT, req);
}

LG_EXPORT int goheap_root_get(struct goheap *h, unsigned int index,
			      uint64_t *value)
{
	struct goheap_root req = { .size = sizeof(req), .index = index };

	if (root(h, &req))
		return -1;
	*value = req.value;
	return 0;
}

LG_EXPORT int goheap_root_cas(struct goheap *h, unsigned int index,
			      uint64_t *expect, uint64_t value)
{
	struct goheap_root req = {
		.size = sizeof(req),
		.flags = GOHEAP_ROOT_CMPXCHG,
		.index = index,
		.expect = *expect,
		.value = value,
	};

	if (root(h, &req))
		return -1;
	*expect = req.value;
	return req.value == req.expect;
}

/* For those who do not include the header, where these are inline. */
LG_EXPORT uint64_t lg_ref(const struct goheap *h, const void *p) __asm__("goheap_ref");
LG_EXPORT void *lg_deref(const struct goheap *h, uint64_t ref) __asm__("goheap_deref");

uint64_t lg_ref(const struct goheap *h, const void *p)
{
	return goheap_ref(h, p);
}

void *lg_deref(const struct goheap *h, uint64_t ref)
{
	return goheap_deref(h, ref);
}

/* ---- giving ------------------------------------------------------------- */

static int give_some(struct goheap *h, void *const *objects, unsigned int n)
{
	uint64_t offsets[GOHEAP_MAX_BATCH];
	struct goheap_batch req = {
		.size = sizeof(req),
		.offsets = (uintptr_t)offsets,
		.count = n,
	};
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (lg_object_is_kept(h, objects[i])) {
			errno = ENOENT;
			return -1;
		}
		offsets[i] = (uintptr_t)objects[i] - h->base;
	}
	return lg_session_ioctl(h, GOHEAP_IOC_GIVE, &req);
}

LG_EXPORT int goheap_give(struct goheap *h, void *const *objects, size_t n)
{
	while (n) {
		unsigned int some = n < GOHEAP_MAX_BATCH ? n : GOHEAP_MAX_BATCH;

		if (give_some(h, objects, some))
			return -1;
		objects += some;
		n -= some;
	}
	return 0;
}

/* ---- allocating what is given ------------------------------------------- */

/* An object of just so many bytes. */
static void *alloc_any(struct goheap *h, size_t bytes)
{
	void *p;

	if (bytes > LG_MAX_SMALL)
		return lg_kernel_alloc_large(h, bytes, 0, false);
	return lg_kernel_alloc(h, lg_class_of(h, bytes), &p, 1) ? p : NULL;
}

static void *alloc_given(struct goheap *h, size_t bytes)
{
	void *p;

	if (lg_session_fd(h) < 0 || h->version >= 2) {
		p = lg_kernel_alloc_given(h, bytes);
		if (p && bytes <= LG_MAX_SMALL)
			lg_object_unmark(p);
		return p;
	}

	/* This kernel does it in two calls. */
	p = alloc_any(h, bytes);
	if (!p)
		return NULL;
	if (bytes <= LG_MAX_SMALL)
		lg_object_unmark(p);
	if (!goheap_give(h, &p, 1))
		return p;
	lg_kernel_free(h, &p, 1);
	return NULL;
}

LG_EXPORT void *goheap_malloc_given(struct goheap *h, size_t size)
{
	size_t bytes;
	void *p;

	if (lg_is_private(h)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	if (size > LG_MAX_SMALL)
		bytes = (size + LG_PAGE_SIZE - 1) & -LG_PAGE_SIZE;
	else
		bytes = h->class[lg_class_of(h, size)].size;
	p = alloc_given(h, bytes);
	if (!p && lg_cache_reclaim(h, bytes))
		p = alloc_given(h, bytes);
	return p;
}
