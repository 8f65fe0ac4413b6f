/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mheap: the nodes of a heap, and its spans.
 *
 * A heap has a node for each NUMA node (up to GH_MAX_NODES). A node has arenas
 * and pages of its own; a span's pages are all of one node.
 */
#ifndef _GOHEAP_MHEAP_H
#define _GOHEAP_MHEAP_H

#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "fixalloc.h"
#include "node.h"
#include "span.h"

struct gh_central;
struct gh_mcache;

#define GH_MAX_NODES		8

/* Magazines of 2 << i entries. */
#define GH_NUM_MAGS		7

/**
 * struct gh_heap - a heap
 * @name: for messages
 * @list: in the list of heaps (reclaim.c)
 * @nr_nodes: number of @nodes
 * @nodes: NUMA nodes
 * @pages_cpu: page caches
 * @central: the heap's own mcentrals (mcentral.c)
 * @mcache: per-CPU caches (mcache.c)
 * @spill: frees spans that this CPU holds back, or NULL; any context but NMI
 * @spans: span records
 * @meta: bitmaps and state bytes, by number of objects
 * @tiny_meta: words of tiny blocks
 * @mags: magazines, by number of entries
 * @areas: records of address space
 * @caches_rec: records of object caches
 * @caches_lock: protects @centrals; serialises drains of other CPUs
 * @centrals: all mcentrals: @central, then those of object caches
 * @gone_objects: objects that were allocated and freed in caches since
 *	destroyed
 * @gone_bytes: their bytes
 * @deferred: objects freed in NMI context
 * @deferred_work: frees them (defer.c)
 * @background: scavenges and ages caches (reclaim.c)
 * @grow_work: reserves a spare arena
 * @scav_lock: held while pages are scavenged; protects @peak_pages
 * @shrink_want: heap pages that the shrinker was asked for
 * @aged: when the background work last aged the caches and the peak, jiffies
 * @peak_pages: recent peak of pages in use, decaying
 * @closing: no new background work may be queued
 */
struct gh_heap {
	const char *name;
	struct list_head list;
	unsigned int nr_nodes;
	struct gh_node *nodes[GH_MAX_NODES];
	struct gh_pages_cpu __percpu *pages_cpu;
	struct gh_central *central;
	struct gh_mcache __percpu *mcache;
	void (*spill)(struct gh_heap *h);

	struct gh_fixalloc spans;
	struct gh_fixalloc meta[GH_NUM_META];
	struct gh_fixalloc tiny_meta;
	struct gh_fixalloc mags[GH_NUM_MAGS];
	struct gh_fixalloc areas;
	struct gh_fixalloc caches_rec;

	struct mutex caches_lock;	/* protects @centrals */
	struct list_head centrals;

	atomic64_t gone_objects;
	atomic64_t gone_bytes;

	struct llist_head deferred;
	struct irq_work deferred_work;

	struct delayed_work background;
	struct work_struct grow_work;
	struct mutex scav_lock;		/* held while pages are scavenged */
	atomic_long_t shrink_want;
	unsigned long aged;
	unsigned long peak_pages;
	bool closing;
};

/* The heap that kernel modules are served from. */
extern struct gh_heap *gh_kheap;

extern struct workqueue_struct *gh_wq;

int gh_mheap_init(void);
void gh_mheap_exit(void);
void gh_mheap_grow_work(struct work_struct *work);

struct gh_node *gh_mheap_node(struct gh_heap *h, int nid);
struct gh_span *gh_mheap_alloc_span(struct gh_heap *h,
				    const struct gh_shape *shape,
				    struct gh_central *central, gfp_t gfp,
				    int nid);
void gh_mheap_free_span(struct gh_heap *h, struct gh_span *s);
unsigned long gh_mheap_evict(struct gh_heap *h);
unsigned long gh_mheap_scavenge(struct gh_heap *h, unsigned long npages);
bool gh_mheap_age(struct gh_heap *h);
void gh_mheap_flush_pages(struct gh_heap *h, unsigned int cpu);
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
