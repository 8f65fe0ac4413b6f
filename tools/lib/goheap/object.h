/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_OBJECT_H
#define LG_OBJECT_H

#include "types.h"
#include "window.h"

void lg_object_note_known(struct goheap *h, uint64_t end);
uint64_t lg_object_entry(struct goheap *h, const void *p);
size_t lg_object_size(struct goheap *h, const void *p);
bool lg_object_is_kept(struct goheap *h, const void *p);

/*
 * The cookie of a free small object. Another process may write there at any time:
 * the word is only compared.
 */
static inline bool lg_object_is_marked(const struct goheap *h, const void *p)
{
	return __atomic_load_n((const uint64_t *)p + 1, __ATOMIC_RELAXED) ==
	       h->cookie + (uintptr_t)p;
}

static inline void lg_object_mark(const struct goheap *h, void *p)
{
	__atomic_store_n((uint64_t *)p + 1, h->cookie + (uintptr_t)p,
			 __ATOMIC_RELAXED);
}

static inline void lg_object_unmark(void *p)
{
	__atomic_store_n((uint64_t *)p + 1, 0, __ATOMIC_RELAXED);
}

/* The length in pages, and LG_KEPT, of the large object that starts at @p. */
static inline uint32_t *lg_object_npages(struct goheap *h, const void *p)
{
	return &h->npages[((uintptr_t)p - h->base) >> LG_PAGE_SHIFT];
}

/* Whether a large object starts at @p, in a page of a large object with @entry. */
static inline bool lg_object_starts_large(const void *p, uint64_t entry)
{
	return !((uintptr_t)p % LG_PAGE_SIZE) && !GOHEAP_PAGE_INDEX(entry);
}

#endif /* LG_OBJECT_H */
