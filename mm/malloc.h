/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * malloc: the goheap_alloc() family: tiny, small and large.
 */
#ifndef _GOHEAP_MALLOC_H
#define _GOHEAP_MALLOC_H

#include "mheap.h"

void gh_malloc_init(struct gh_heap *h);
void gh_malloc_set_cpu(unsigned int cpu);
void *gh_malloc(struct gh_heap *h, size_t size, gfp_t gfp, bool noscan,
		int node);

#endif /* _GOHEAP_MALLOC_H */
