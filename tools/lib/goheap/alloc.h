/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_ALLOC_H
#define LG_ALLOC_H

#include "cache.h"
#include "class.h"
#include "large.h"
#include "small.h"
#include "types.h"

static inline void *lg_alloc_class(struct goheap *h, unsigned int class)
{
	struct lg_mag *m = &lg_cache_tls[h->slot]->mag[class];

	return likely(m->n) ? lg_small_pop(m) : lg_small_alloc(h, class);
}

static inline void *lg_alloc(struct goheap *h, size_t size)
{
	if (likely(size <= LG_MAX_SMALL))
		return lg_alloc_class(h, lg_class_of(h, size));
	return lg_large_alloc(h, size, 0, false);
}

#endif /* LG_ALLOC_H */
