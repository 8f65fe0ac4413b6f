/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * malloc: the goheap_alloc() family: tiny, small and large.
 */
#ifndef _GOHEAP_MALLOC_H
#define _GOHEAP_MALLOC_H

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/nodemask.h>

#include "mheap.h"
#include "report.h"

/* The heap that kernel modules are served from. */
extern struct gh_heap *gh_kheap;

/* Zones that goheap's memory is not from, and a promise it cannot make. */
#define GH_GFP_BAD	(__GFP_NOFAIL | __GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM)

static __always_inline bool gh_gfp_refused(gfp_t gfp)
{
	if (likely(!(gfp & GH_GFP_BAD)))
		return false;
	gh_report_gfp(gfp);
	return true;
}

/* Zeroing would undo what the constructor did. */
static __always_inline bool gh_zero_refused(void (*ctor)(void *), gfp_t gfp)
{
	if (likely(!(gfp & __GFP_ZERO) || !ctor))
		return false;
	gh_report_gfp(gfp);
	return true;
}

/* What the fast path of an allocation leaves to others. */
static __always_inline bool gh_gfp_special(gfp_t gfp)
{
	/* Without flags, the first asks for the kernel's policy only. */
	return unlikely(want_init_on_alloc(0)) ||
	       unlikely(gfp & (GH_GFP_BAD | __GFP_ZERO | __GFP_THISNODE));
}

static inline bool gh_node_refused(int node)
{
	return node != NUMA_NO_NODE &&
	       (node < 0 || node >= MAX_NUMNODES || !node_online(node));
}

void gh_malloc_init(struct gh_heap *h);
void *gh_malloc(struct gh_heap *h, size_t size, gfp_t gfp, bool noscan,
		int node);

#endif /* _GOHEAP_MALLOC_H */
