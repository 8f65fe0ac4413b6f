/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tiny: small data objects that share a 16-byte block.
 */
#ifndef _GOHEAP_TINY_H
#define _GOHEAP_TINY_H

#include "mheap.h"
#include "tinyword.h"

/* Not 8 bytes, because a block is no better than two objects of that class. */
static __always_inline bool gh_size_is_tiny(size_t size)
{
	return size < GH_TINY_SIZE && size != GH_MIN_OBJ;
}

void *gh_tiny_alloc(struct gh_heap *h, size_t size, gfp_t gfp);
bool gh_tiny_free(struct gh_span *s, unsigned long addr);
size_t gh_tiny_size(const struct gh_span *s, unsigned long addr);
void gh_tiny_age(struct gh_heap *h);
void gh_tiny_drain(struct gh_heap *h, unsigned int cpu);
unsigned long gh_tiny_count(const struct gh_heap *h, unsigned long *frees);

#endif /* _GOHEAP_TINY_H */
