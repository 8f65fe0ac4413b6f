/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * node: the arenas and pages of one NUMA node.
 */
#ifndef _GOHEAP_NODE_H
#define _GOHEAP_NODE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>

#include "arena.h"
#include "busy.h"
#include "fixalloc.h"
#include "pagealloc.h"
#include "spancache.h"

#define GH_MAX_ARENAS		(GH_MAX_PAGES >> GH_ARENA_PAGES_SHIFT)
#define GH_ARENA_TBL_ENTRIES	(PAGE_SIZE / sizeof(struct gh_arena *))
#define GH_ARENA_TBLS		(GH_MAX_ARENAS / GH_ARENA_TBL_ENTRIES)

/**
 * struct gh_area - address space of a node
 * @vmem: the reserved arenas
 * @slot: slot of the first
 */
struct gh_area {
	struct gh_vmem_area vmem;
	unsigned int slot;
};

/**
 * struct gh_node - the arenas and pages of one NUMA node
 * @lock: protects @pa; interrupts off
 * @pa: free pages, by page index
 * @nid: the NUMA node
 * @idx: index in gh_heap.nodes
 * @area_recs: records of areas
 * @pages_cpu: the heap's page caches
 * @grow_lock: serialises growth; protects @areas to @arenas
 * @areas: address space, struct gh_area
 * @next_slot: first arena slot that was never used
 * @narenas: number of arenas
 * @arenas: arenas by slot, in pages of pointers
 * @span_pages: pages in spans, those in @cache included
 * @nspans: number of spans, those in @cache included
 * @stack_pages: pages in spans in use that hold stack blocks
 * @cache: freed spans, kept whole
 *
 * Page indexes of different areas are never adjacent, because a slot between
 * them stays empty. So no run can cross from one area to the next.
 */
struct gh_node {
	raw_spinlock_t lock;
	struct gh_pagealloc pa;
	int nid;
	unsigned int idx;
	struct gh_fixalloc *area_recs;
	struct gh_pages_cpu __percpu *pages_cpu;
	struct mutex grow_lock;	/* protects @areas to @arenas */
	struct list_head areas;
	unsigned int next_slot;
	unsigned int narenas;
	struct gh_arena **arenas[GH_ARENA_TBLS];
	atomic_long_t span_pages;
	atomic_long_t nspans;
	atomic_long_t stack_pages;
	struct gh_spancache cache;
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

/**
 * struct gh_run - a run of pages of a node
 * @page: index of the first
 * @npages: how many; of what is to be taken, how many are wanted
 * @nscav: how many of them have no memory
 */
struct gh_run {
	unsigned long page;
	unsigned long npages;
	unsigned long nscav;
};

struct gh_node *gh_node_create(int nid, unsigned int idx,
			       struct gh_fixalloc *area_recs,
			       struct gh_pages_cpu __percpu *pages_cpu);
bool gh_node_destroy(struct gh_node *node);

struct gh_arena *gh_node_arena(const struct gh_node *node, unsigned int slot);
unsigned long gh_node_page_addr(const struct gh_node *node, unsigned long page);
int gh_node_grow(struct gh_node *node, unsigned int narenas);
bool gh_node_wants_spare(const struct gh_node *node);

bool gh_node_take_pages(struct gh_node *node, struct gh_run *run);
bool gh_node_take_or_grow(struct gh_node *node, struct gh_run *run);
void gh_node_free_pages(struct gh_node *node, unsigned long page,
			unsigned long npages);
void gh_node_free_mixed(struct gh_node *node, const struct gh_run *run);
unsigned long gh_node_scavenge(struct gh_node *node, unsigned long npages);
unsigned long gh_node_idle_committed(const struct gh_node *node);

static inline struct gh_arena *gh_node_arena_of_page(const struct gh_node *node,
						     unsigned long page)
{
	return gh_node_arena(node, page >> GH_ARENA_PAGES_SHIFT);
}

/* Pages in spans in use. Exact only while nobody allocates. */
static inline unsigned long gh_node_pages_inuse(const struct gh_node *node)
{
	long n = atomic_long_read(&node->span_pages);

	return max(n - (long)READ_ONCE(node->cache.npages), 0L);
}

static inline unsigned long gh_node_spans_inuse(const struct gh_node *node)
{
	long n = atomic_long_read(&node->nspans);

	return max(n - (long)READ_ONCE(node->cache.nspans), 0L);
}

#endif /* _GOHEAP_NODE_H */
