/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * node: the arenas and pages of one NUMA node, for one kind of spans.
 */
#ifndef _GOHEAP_NODE_H
#define _GOHEAP_NODE_H

#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>

#include "arena.h"
#include "busy.h"
#include "fixalloc.h"
#include "pagealloc.h"
#include "peek.h"
#include "spancache.h"

#define GH_MAX_ARENAS		(GH_MAX_PAGES >> GH_ARENA_PAGES_SHIFT)
#define GH_ARENA_TBL_ENTRIES	(PAGE_SIZE / sizeof(struct gh_arena *))
#define GH_ARENA_TBLS		(GH_MAX_ARENAS / GH_ARENA_TBL_ENTRIES)

/**
 * struct gh_area - address space of a node
 * @vmem: the reserved arenas; its list is in &gh_node.areas
 * @hint: in &gh_node.hints while there are arenas that are not in use
 * @node: the node
 * @slot: slot of the first arena
 * @used: how many arenas, from the first on, are in use
 * @lost: its addresses were given away again, so somebody unmapped it
 * @damaged: that was noticed, and it is not touched any more
 */
struct gh_area {
	struct gh_vmem_area vmem;
	struct list_head hint;
	struct gh_node *node;
	unsigned int slot;
	unsigned int used;
	bool lost;
	bool damaged;
};

/**
 * struct gh_run - a run of pages of a node
 * @page: index of the first
 * @npages: how many; of what is to be taken, how many are wanted
 * @nscav: how many of them have no memory
 * @reserve: the memory that it got is of the system's reserves
 */
struct gh_run {
	unsigned long page;
	unsigned long npages;
	unsigned long nscav;
	bool reserve;
};

/* Runs of pages that are decommitted with one flush of the TLBs, at most. */
#define GH_SCAV_RUNS		64

/**
 * struct gh_node - arenas and pages of one NUMA node, for one kind of spans
 * @lock: protects @pa and what follows up to @arenas; interrupts off
 * @pa: free pages, by page index
 * @areas: all address space, struct gh_area; shrinks under areas_lock only
 * @hints: areas with arenas that are not in use yet
 * @narenas: arenas in use
 * @nspare: arenas reserved, and not in use
 * @goal: how many of these there should be; the heap's at first
 * @taken: arenas taken into use since @goal was last computed
 * @nslots: slots above were never used
 * @slots: slots of all areas, and the empty ones behind them
 * @arenas: arenas by slot, in pages of pointers
 * @nid: the NUMA node that all of its memory is from; or NUMA_NO_NODE for memory
 *	of any, if no other node has some
 * @home: index of the NUMA node; set by the heap, as what follows
 * @noscan: its spans hold no pointers
 * @area_recs: records of areas
 * @pages_cpu: page caches
 * @nguards: pages behind large spans, without memory
 * @span_pages: pages in spans, those in @cache included
 * @nspans: number of spans, those in @cache included
 * @stack_pages: pages in spans in use that hold stack blocks
 * @shown: PAGE_SIZE pages that the system counts as reclaimable for this node
 * @untraded: pages that got memory although others were idle
 * @cache: freed spans, kept whole
 * @scav_runs: what is being decommitted; the heap's scav_lock protects it
 *
 * Page indexes of different areas are never adjacent, because a slot between
 * them stays empty. So no run can cross from one area to the next.
 */
struct gh_node {
	raw_spinlock_t lock;	/* protects what follows up to @arenas */
	struct gh_pagealloc pa;
	struct list_head areas;
	struct list_head hints;
	unsigned int narenas;
	unsigned int nspare;
	unsigned int goal;
	unsigned int taken;
	unsigned int nslots;
	DECLARE_BITMAP(slots, GH_MAX_ARENAS);
	struct gh_arena **arenas[GH_ARENA_TBLS];

	int nid;
	unsigned int home;
	bool noscan;
	struct gh_fixalloc *area_recs;
	struct gh_pages_cpu __percpu *pages_cpu;
	atomic_long_t nguards;
	atomic_long_t span_pages;
	atomic_long_t nspans;
	atomic_long_t stack_pages;
	atomic_long_t shown;
	atomic_long_t untraded;
	struct gh_spancache cache;
	struct gh_run scav_runs[GH_SCAV_RUNS];
};

/**
 * struct gh_pages_cpu - a CPU's page cache
 * @busy: guards @pc, see busy.h
 * @node: where the pages are from
 * @pc: the pages
 */
struct gh_pages_cpu {
	struct gh_busy busy;
	struct gh_node *node;
	struct gh_pagecache pc;
};

/* Areas may be added meanwhile, but none goes: the heap's areas_lock is held. */
#define gh_node_for_each_area(area, node)				\
	list_for_each_entry_rcu(area, &(node)->areas, vmem.list, true)

struct gh_node *gh_node_create(int nid);
void gh_node_destroy(struct gh_node *node);

struct gh_arena *gh_node_arena(const struct gh_node *node, unsigned int slot);
unsigned long gh_node_page_addr(const struct gh_node *node, unsigned long page);
int gh_node_set_arena(struct gh_node *node, unsigned int slot,
		      struct gh_arena *arena, gfp_t gfp);
void gh_node_clear_arena(struct gh_node *node, unsigned int slot);
bool gh_node_grow(struct gh_node *node);
bool gh_node_area_intact(const struct gh_area *area);
bool gh_node_wants_spare(const struct gh_node *node);

bool gh_node_take_pages(struct gh_node *node, struct gh_run *run);
bool gh_node_take_or_grow(struct gh_node *node, struct gh_run *run);
void gh_node_free_pages(struct gh_node *node, unsigned long page,
			unsigned long npages);
struct page *gh_node_guard(struct gh_node *node, unsigned long page);
void gh_node_unguard(struct gh_node *node, unsigned long page,
		     struct page *memory);
void gh_node_free_mixed(struct gh_node *node, const struct gh_run *run);
unsigned long gh_node_scavenge(struct gh_node *node, unsigned long npages);
unsigned long gh_node_idle_committed(const struct gh_node *node);
unsigned long gh_node_reclaimable(const struct gh_node *node);
void gh_node_show(struct gh_node *node, unsigned long npages);

static inline struct gh_arena *gh_node_arena_of_page(const struct gh_node *node,
						     unsigned long page)
{
	return gh_node_arena(node, page >> GH_ARENA_PAGES_SHIFT);
}

/* Pages in spans in use. Exact only while nobody allocates. */
static inline unsigned long gh_node_pages_inuse(const struct gh_node *node)
{
	long n = atomic_long_read(&node->span_pages);

	return max(n - (long)gh_peek(node->cache.npages), 0L);
}

static inline unsigned long gh_node_spans_inuse(const struct gh_node *node)
{
	long n = atomic_long_read(&node->nspans);

	return max(n - (long)gh_peek(node->cache.nspans), 0L);
}

#endif /* _GOHEAP_NODE_H */
