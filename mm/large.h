/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * large: objects with a span of their own.
 */
#ifndef _GOHEAP_LARGE_H
#define _GOHEAP_LARGE_H

#include "mheap.h"

/* The longest run that a summary of the page allocator can tell. */
#define GH_LARGE_MAX	BIT(GH_PA_ROOT_SHIFT + GH_PAGE_SHIFT)

void *gh_large_alloc(struct gh_heap *h, size_t size, gfp_t gfp, bool noscan,
		     int node);
bool gh_large_refused(size_t size, gfp_t gfp);
bool gh_large_release(struct gh_span *s);
void gh_large_zero(struct gh_span *s, gfp_t gfp);
void gh_large_put(struct gh_span *s);
void gh_large_free_span(struct gh_span *s);
void gh_large_drain(struct gh_heap *h, unsigned int cpu);
void gh_large_spill(struct gh_heap *h);
void gh_large_age(struct gh_heap *h);

#endif /* _GOHEAP_LARGE_H */
