/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mheap: a heap: its arenas, its pages, its spans.
 *
 * A heap has two nodes for each NUMA node (up to GH_MAX_NUMA): one for spans
 * that may hold pointers, one for data, so that a buffer that is overrun never
 * has pointers behind it. A node has arenas and pages of its own, and a span's
 * pages are all of one node. Memory of a NUMA node without nodes of its own, and
 * memory that is got when the nearest has none, is in two nodes more, which are
 * nobody's nearest. Eager arenas are too large to be told apart: there, data has
 * no nodes of its own.
 */
#ifndef _GOHEAP_MHEAP_H
#define _GOHEAP_MHEAP_H

#include <linux/log2.h>

#include "area.h"
#include "gheap.h"

/* The heap that kernel modules are served from. */
extern struct gh_heap *gh_kheap;

int gh_mheap_init(void);
void gh_mheap_exit(void);

void gh_mheap_set_cpu(struct gh_heap *h, unsigned int cpu);
struct gh_node *gh_mheap_node(struct gh_heap *h, int nid, bool noscan);
struct gh_span *gh_mheap_alloc_span(struct gh_heap *h,
				    const struct gh_shape *shape,
				    struct gh_central *central, gfp_t gfp,
				    int nid);
void gh_mheap_free_span(struct gh_heap *h, struct gh_span *s);
void gh_mheap_free_span_later(struct gh_heap *h, struct gh_span *s);
void gh_mheap_dead_work(struct work_struct *work);
unsigned long gh_mheap_evict(struct gh_heap *h);
unsigned long gh_mheap_scavenge(struct gh_heap *h, int nid,
				unsigned long npages, bool evict);
unsigned long gh_mheap_reclaimable(const struct gh_heap *h, int nid);
void gh_mheap_show_idle(struct gh_heap *h);
bool gh_mheap_age(struct gh_heap *h);
void gh_mheap_age_areas(struct gh_heap *h);
void gh_mheap_flush_pages(struct gh_heap *h, unsigned int cpu);
bool gh_mheap_holds_pages(const struct gh_heap *h, unsigned int cpu);
void gh_mheap_walk_spans(struct gh_heap *h,
			 void (*fn)(struct gh_span *s, void *arg), void *arg);

/* Records of magazines with room for @n objects, 1 to GH_BATCH_MAX. */
static inline struct gh_fixalloc *gh_mheap_mags(struct gh_heap *h, unsigned int n)
{
	return &h->mags[n <= 2 ? 0 : ilog2(n - 1)];
}

unsigned long gh_mheap_released(const struct gh_heap *h);
unsigned long gh_mheap_inuse(const struct gh_heap *h);
unsigned long gh_mheap_idle_committed(const struct gh_heap *h);
unsigned long gh_mheap_cached(const struct gh_heap *h);
void gh_mheap_kick(struct gh_heap *h);

#endif /* _GOHEAP_MHEAP_H */
