// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * large: objects of whole pages.
 *
 * When one is freed, its thread keeps it; those that the thread has no room for go
 * to goheap.kept, from where any thread can take them. The content of a kept object
 * is never touched.
 */
#include "big.h"
#include "cache.h"
#include "kept.h"
#include "kernel.h"
#include "large.h"
#include "object.h"
#include "report.h"

static noinline void *take_kept(struct goheap *h, size_t bytes)
{
	void *p = lg_big_find(lg_cache_tls[h->slot], bytes);

	return p ? p : lg_kept_take(h, bytes);
}

static noinline void *alloc_new(struct goheap *h, size_t size, size_t bytes,
				size_t align, bool zero)
{
	void *p;

	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	p = lg_kernel_alloc_large(h, bytes, align, zero);
	if (!p && lg_cache_reclaim(h, bytes))
		p = lg_kernel_alloc_large(h, bytes, align, zero);
	return p;
}

/**
 * lg_large_alloc() - allocate a large object
 * @h: the heap
 * @size: bytes
 * @align: bytes, a power of two, or 0
 * @zero: it must be zeroed
 *
 * Return: the object, or NULL with errno.
 */
void *lg_large_alloc(struct goheap *h, size_t size, size_t align, bool zero)
{
	size_t bytes = (size + LG_PAGE_SIZE - 1) & -LG_PAGE_SIZE;
	void *p = NULL;

	if (align <= LG_PAGE_SIZE && bytes <= LG_KEPT_LONGEST) {
		p = lg_big_pop(lg_cache_tls[h->slot], bytes);
		if (unlikely(!p))
			p = take_kept(h, bytes);
	}
	if (!p)
		return alloc_new(h, size, bytes, align, zero);

	*lg_object_npages(h, p) &= ~LG_KEPT;
	return zero ? memset(p, 0, size) : p;
}

/* Keep an object when it does not simply fit into the thread's list. */
static noinline void keep(struct goheap *h, void *p, size_t bytes)
{
	struct lg_cache *c = lg_cache_get(h);

	if (bytes > LG_KEPT_LONGEST)
		return lg_kernel_free(h, &p, 1);
	if (!c || bytes > LG_BIG_BYTES)
		return lg_kept_put(h, p, bytes);

	lg_cache_check_trims(h, c);
	while (c->nbig == LG_BIG || c->big_bytes + bytes > LG_BIG_BYTES) {
		size_t old = c->big[0].bytes;

		lg_kept_put(h, lg_big_remove(c, 0), old);
	}
	/* Another thread may have trimmed the heap since the check. */
	if (!lg_big_push(h, c, p, bytes))
		lg_kept_put(h, p, bytes);
}

/**
 * lg_large_free() - free a large object of this process
 * @h: the heap
 * @p: an address in it
 * @entry: the page map's for it
 *
 * Invalid frees are reported.
 */
void lg_large_free(struct goheap *h, void *p, uint64_t entry)
{
	uint32_t *npages = lg_object_npages(h, p);
	size_t bytes = LG_PAGE_SIZE * *npages;

	if (!lg_object_starts_large(p, entry) || !bytes)
		return lg_report_bad_free(h, p, EINVAL);
	if (*npages & LG_KEPT)
		return lg_report_bad_free(h, p, ENOENT);
	*npages |= LG_KEPT;
	if (unlikely(!lg_big_push(h, lg_cache_tls[h->slot], p, bytes)))
		keep(h, p, bytes);
}
