/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * big: the large objects that a thread keeps. Only the thread uses its list.
 */
#ifndef LG_BIG_H
#define LG_BIG_H

#include "types.h"

void *lg_big_remove(struct lg_cache *c, unsigned int i);
void *lg_big_find(struct lg_cache *c, size_t bytes);

/* The object that this thread freed last, if it has this length. */
static inline void *lg_big_pop(struct lg_cache *c, size_t bytes)
{
	unsigned int n = c->nbig;

	if (!n || c->big[n - 1].bytes != bytes)
		return NULL;
	c->nbig = n - 1;
	c->big_bytes -= bytes;
	return c->big[n - 1].p;
}

/* Add an object, if there is room and nobody has trimmed the heap since. */
static inline bool lg_big_push(struct goheap *h, struct lg_cache *c, void *p,
			       size_t bytes)
{
	unsigned int n = c->nbig;

	if (c->id != h->id || n == LG_BIG ||
	    c->big_bytes + bytes > LG_BIG_BYTES ||
	    c->trims != __atomic_load_n(&h->trims, __ATOMIC_RELAXED))
		return false;
	c->big[n].p = p;
	c->big[n].bytes = bytes;
	c->nbig = n + 1;
	c->big_bytes += bytes;
	return true;
}

#endif /* LG_BIG_H */
