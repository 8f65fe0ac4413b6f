/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gheap: the structure of a heap.
 */
#ifndef _GOHEAP_GHEAP_H
#define _GOHEAP_GHEAP_H

#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "fixalloc.h"
#include "node.h"
#include "numa.h"
#include "span.h"

struct gh_central;
struct gh_mcache;

/* Pointers and data of each have pages of their own. */
#define GH_MAX_NODES		(2 * (GH_MAX_NUMA + 1))

/* Magazines of 2 << i entries. */
#define GH_NUM_MAGS		7

/**
 * struct gh_heap - a heap
 * @name: for messages
 * @list: in the list of heaps (reclaim.c)
 * @nr_numa: number of NUMA nodes in @numa
 * @numa: nodes by NUMA node and kind: for pointers, for data
 * @any: there is one more, of nodes with memory of any NUMA node
 * @nr_homes: number of @numa with that one
 * @nr_nodes: number of @nodes
 * @nodes: all nodes, each once
 * @pages_cpu: page caches, by kind
 * @central: the heap's own mcentrals (mcentral.c)
 * @mcache: per-CPU caches (mcache.c)
 * @slots: slots of @central, by NUMA node; an array of each on each CPU
 * @spill: frees what this CPU holds back, or NULL; any context but NMI
 * @spans: span records
 * @meta: bitmaps and state bytes, by number of objects
 * @tiny_meta: words of tiny blocks
 * @mags: magazines, by number of entries
 * @areas: records of address space
 * @huge_recs: records of huge spans
 * @caches_rec: records of object caches
 * @homes: records of mcentrals' parts by NUMA node
 * @caches_sem: protects @centrals, @gone_objects and @gone_bytes
 * @centrals: all mcentrals: @central, then those of object caches
 * @areas_lock: serialises what gives address space back; keeps arenas alive
 * @huge_lock: protects @huge and @huge_npages
 * @huge: huge spans (huge.c)
 * @huge_npages: their heap pages
 * @huge_dead: those that were freed
 * @huge_work: ends these
 * @dead_spans: spans that were freed where that would have taken too long
 * @dead_work: frees them
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
	unsigned int nr_homes;
	unsigned int nr_nodes;
	struct gh_node *nodes[GH_MAX_NODES];
	struct gh_pages_cpu __percpu *pages_cpu[2];
	struct gh_central *central;
	struct gh_mcache __percpu *mcache;
	struct gh_slot __percpu *slots[GH_MAX_NUMA + 1];
	void (*spill)(struct gh_heap *h, bool may_sleep);

	struct gh_fixalloc spans;
	struct gh_fixalloc meta[GH_NUM_META];
	struct gh_fixalloc tiny_meta;
	struct gh_fixalloc mags[GH_NUM_MAGS];
	struct gh_fixalloc areas;
	struct gh_fixalloc huge_recs;
	struct gh_fixalloc caches_rec;
	struct gh_fixalloc homes;

	struct rw_semaphore caches_sem;	/* protects @centrals, @gone_* */
	struct list_head centrals;

	struct mutex areas_lock;	/* serialises what gives areas back */
	struct mutex huge_lock;		/* protects what follows up to @huge_dead */
	struct list_head huge;
	unsigned long huge_npages;
	struct llist_head huge_dead;
	struct work_struct huge_work;

	struct llist_head dead_spans;
	struct work_struct dead_work;

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

#endif /* _GOHEAP_GHEAP_H */
