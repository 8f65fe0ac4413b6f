/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_LARGE_H
#define LG_LARGE_H

#include "big.h"
#include "object.h"
#include "types.h"

void *lg_large_alloc(struct goheap *h, size_t size, size_t align, bool zero);
void lg_large_free(struct goheap *h, void *p, uint64_t entry);

/* The object that this thread freed last, if it is just as long as one of @size would be. */
static inline void *lg_large_pop(struct goheap *h, struct lg_cache *c,
				 size_t size)
{
	void *p = lg_big_pop(c, (size + LG_PAGE_SIZE - 1) & -LG_PAGE_SIZE);

	if (likely(p))
		*lg_object_npages(h, p) &= ~LG_KEPT;
	return p;
}

#endif /* LG_LARGE_H */
