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

#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "fixalloc.h"
#include "node.h"
#include "span.h"

struct gh_central;
struct gh_mcache;

/* NUMA nodes with pages of their own; behind them, one for pages of any. */
#define GH_MAX_NUMA		8

/* Pointers and data of each have pages of their own. */
#define GH_MAX_NODES		(2 * (GH_MAX_NUMA + 1))

/* Magazines of 2 << i entries. */
#define GH_NUM_MAGS		7

/**
 * struct gh_heap - a heap
 * @name: for messages
 * @list: in the list of heaps (reclaim.c)
 * @nr_numa: number of NUMA nodes in @numa; one more is there if @any
 * @numa: nodes by NUMA node and kind: for pointers, for data
 * @any: the last of @numa is there: nodes with memory of any NUMA node
 * @nr_nodes: number of @nodes
 * @nodes: all nodes, each once
 * @pages_cpu: page caches, by kind
 * @central: the heap's own mcentrals (mcentral.c)
 * @mcache: per-CPU caches (mcache.c)
 * @spill: frees spans that this CPU holds back, or NULL; any context but NMI
 * @spans: span records
 * @meta: bitmaps and state bytes, by number of objects
 * @tiny_meta: words of tiny blocks
 * @mags: magazines, by number of entries
 * @areas: records of address space
 * @huge_recs: records of huge spans
 * @caches_rec: records of object caches
 * @caches_sem: protects @centrals
 * @centrals: all mcentrals: @central, then those of object caches
 * @areas_lock: serialises what gives address space back; keeps arenas alive
 * @huge_lock: protects @huge and @huge_npages
 * @huge: huge spans (huge.c)
 * @huge_npages: their heap pages
 * @huge_dead: those that were freed
 * @huge_work: ends these
 * @gone_objects: objects that were allocated and freed in caches since
 *	destroyed
 * @gone_bytes: their bytes
 * @deferred: objects freed in NMI context
 * @deferred_work: frees them (defer.c)
 * @background: scavenges and ages caches (reclaim.c)
 * @grow_work: reserves address space ahead (area.c)
 * @scav_lock: held while pages are scavenged; protects @peak_pages and
 *	@surplus_ticks
 * @aged: when the background work last aged the caches and the peak, jiffies
 * @peak_pages: recent peak of pages in use, decaying
 * @surplus_ticks: seconds for which a small surplus has been there
 * @closing: no new background work may be queued
 */
struct gh_heap {
	const char *name;
	struct list_head list;
	unsigned int nr_numa;
	struct gh_node *numa[GH_MAX_NUMA + 1][2];
	bool any;
	unsigned int nr_nodes;
	struct gh_node *nodes[GH_MAX_NODES];
	struct gh_pages_cpu __percpu *pages_cpu[2];
	struct gh_central *central;
	struct gh_mcache __percpu *mcache;
	void (*spill)(struct gh_heap *h);

	struct gh_fixalloc spans;
	struct gh_fixalloc meta[GH_NUM_META];
	struct gh_fixalloc tiny_meta;
	struct gh_fixalloc mags[GH_NUM_MAGS];
	struct gh_fixalloc areas;
	struct gh_fixalloc huge_recs;
	struct gh_fixalloc caches_rec;

	struct rw_semaphore caches_sem;	/* protects @centrals */
	struct list_head centrals;

	struct mutex areas_lock;	/* serialises what gives areas back */
	struct mutex huge_lock;		/* protects what follows up to @huge_dead */
	struct list_head huge;
	unsigned long huge_npages;
	struct llist_head huge_dead;
	struct work_struct huge_work;

	atomic64_t gone_objects;
	atomic64_t gone_bytes;

	struct llist_head deferred;
	struct irq_work deferred_work;

	struct delayed_work background;
	struct work_struct grow_work;
	struct mutex scav_lock;		/* held while pages are scavenged */
	unsigned long aged;
	unsigned long peak_pages;
	unsigned int surplus_ticks;
	bool closing;
};

/* The heap that kernel modules are served from. */
extern struct gh_heap *gh_kheap;

extern struct workqueue_struct *gh_wq;

int gh_mheap_init(void);
void gh_mheap_exit(void);

unsigned int gh_mheap_numa(const struct gh_heap *h, int nid);
struct gh_node *gh_mheap_node(struct gh_heap *h, int nid, bool noscan);
struct gh_span *gh_mheap_alloc_span(struct gh_heap *h,
				    const struct gh_shape *shape,
				    struct gh_central *central, gfp_t gfp,
				    int nid);
void gh_mheap_free_span(struct gh_heap *h, struct gh_span *s);
unsigned long gh_mheap_evict(struct gh_heap *h);
unsigned long gh_mheap_scavenge(struct gh_heap *h, int nid,
				unsigned long npages, bool evict);
unsigned long gh_mheap_reclaimable(const struct gh_heap *h, int nid);
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
