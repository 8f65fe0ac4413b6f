// SPDX-License-Identifier: GPL-2.0-only
/*
 * node: the arenas and pages of one NUMA node, for one kind of spans.
 *
 * Pages have an index that is dense over the node's arenas: slot * 8192 plus
 * the page in the arena. Each call of gh_vmem_reserve() makes an area of
 * adjacent arenas in adjacent slots. The slot after an area stays empty,
 * because the next area is elsewhere in memory and no run may cross into it:
 *
 *   slots   0   1   2   3   4   5   6
 *         [ area 0 ] -  [  area 1  ] -
 *
 * Locks: gh_node.lock and gh_pages_cpu.busy, see mheap.c for the order.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "compat.h"
#include "gfp.h"
#include "node.h"
#include "numa.h"
#include "peek.h"

/* Pages decommitted for one flush of the TLBs, 16 MiB, in GH_SCAV_RUNS runs. */
#define SCAV_PAGES	2048UL

/* ---- arenas ------------------------------------------------------------- */

/**
 * gh_node_arena() - an arena by its slot
 * @node: the node
 * @slot: the slot
 *
 * Context: any.
 * Return: the arena, or NULL if that slot is empty.
 */
struct gh_arena *gh_node_arena(const struct gh_node *node, unsigned int slot)
{
	struct gh_arena **tbl;

	if (slot >= GH_MAX_ARENAS)
		return NULL;
	tbl = READ_ONCE(node->arenas[slot / GH_ARENA_TBL_ENTRIES]);
	return tbl ? READ_ONCE(tbl[slot % GH_ARENA_TBL_ENTRIES]) : NULL;
}
GH_EXPORT_FOR_TESTS(gh_node_arena);

/**
 * gh_node_page_addr() - address of a page
 * @node: the node
 * @page: the page's index, in an arena of the node
 *
 * Return: the address.
 */
unsigned long gh_node_page_addr(const struct gh_node *node, unsigned long page)
{
	return gh_node_arena_of_page(node, page)->base +
	       ((page % GH_ARENA_PAGES) << GH_PAGE_SHIFT);
}
GH_EXPORT_FOR_TESTS(gh_node_page_addr);

/**
 * gh_node_set_arena() - enter an arena in its slot
 * @node: the node
 * @slot: the slot, empty and the caller's
 * @arena: the arena
 * @gfp: for a page of slots
 *
 * Context: any that @gfp allows.
 * Return: 0 or -ENOMEM.
 */
int gh_node_set_arena(struct gh_node *node, unsigned int slot,
		      struct gh_arena *arena, gfp_t gfp)
{
	struct gh_arena ***tbl = &node->arenas[slot / GH_ARENA_TBL_ENTRIES];

	if (!READ_ONCE(*tbl)) {
		unsigned long page = get_zeroed_page(gh_gfp_meta(gfp));

		if (!page)
			return -ENOMEM;
		/* Another may have been quicker. Pairs with gh_node_arena(). */
		if (cmpxchg(tbl, NULL, (struct gh_arena **)page))
			free_page(page);
	}
	/* Walkers read what it holds. They depend on its address. */
	smp_store_release(&(*tbl)[slot % GH_ARENA_TBL_ENTRIES], arena);
	return 0;
}

/**
 * gh_node_clear_arena() - take an arena out of its slot
 * @node: the node
 * @slot: the slot
 *
 * Context: any.
 */
void gh_node_clear_arena(struct gh_node *node, unsigned int slot)
{
	struct gh_arena **tbl = node->arenas[slot / GH_ARENA_TBL_ENTRIES];

	WRITE_ONCE(tbl[slot % GH_ARENA_TBL_ENTRIES], NULL);
}

/**
 * gh_node_area_intact() - ask whether an area is still ours
 * @area: the area
 *
 * Context: any.
 * Return: false if somebody unmapped it.
 */
bool gh_node_area_intact(const struct gh_area *area)
{
	return !area->damaged && !READ_ONCE(area->lost) &&
	       gh_vmem_intact(&area->vmem);
}

/**
 * gh_node_wants_spare() - ask whether address space should be reserved ahead
 * @node: the node
 *
 * Those that cannot reserve any themselves should find some. Where an arena takes
 * megabytes of memory, it should be there only when it is needed soon.
 *
 * Context: any.
 * Return: true if it should.
 */
bool gh_node_wants_spare(const struct gh_node *node)
{
	if (gh_vmem_space_is_cheap())
		return gh_peek(node->nspare) < READ_ONCE(node->goal);
	return READ_ONCE(node->narenas) && !gh_peek(node->nspare) &&
	       READ_ONCE(node->pa.nfree) < GH_ARENA_PAGES / 8;
}

/* Take the next arena of the first hint into use. */
static bool node_grow(struct gh_node *node)
{
	struct gh_area *area;
	unsigned long slot;

	lockdep_assert_held(&node->lock);
	area = list_first_entry_or_null(&node->hints, struct gh_area, hint);
	if (!area)
		return false;

	slot = area->slot + area->used;
	if (!gh_pagealloc_grow(&node->pa, slot << GH_ARENA_PAGES_SHIFT,
			       GH_ARENA_PAGES, gh_vmem_is_sparse()))
		return false;
	if (++area->used == area->vmem.narenas)
		list_del_init(&area->hint);
	WRITE_ONCE(node->narenas, node->narenas + 1);
	node->nspare--;
	node->taken++;
	return true;
}

/**
 * gh_node_grow() - take one more arena into use
 * @node: the node
 *
 * Context: any but NMI.
 * Return: false if none is reserved.
 */
bool gh_node_grow(struct gh_node *node)
{
	unsigned long flags;
	bool ok;

	raw_spin_lock_irqsave(&node->lock, flags);
	ok = node_grow(node);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return ok;
}
GH_EXPORT_FOR_TESTS(gh_node_grow);

/* ---- pages -------------------------------------------------------------- */

/* Serve a short run from the CPU's page cache, if it is of @node. */
static bool node_take_cached(struct gh_node *node, struct gh_run *run)
{
	struct gh_pages_cpu *pcpu;
	unsigned long flags;
	bool ok = false;

	if (run->npages >= GH_PAGECACHE_LIMIT)
		return false;

	preempt_disable();
	pcpu = this_cpu_ptr(node->pages_cpu);
	if (pcpu->node == node && gh_busy_try(&pcpu->busy)) {
		if (!pcpu->pc.cache) {
			raw_spin_lock_irqsave(&node->lock, flags);
			gh_pagealloc_fill_cache(&node->pa, &pcpu->pc);
			raw_spin_unlock_irqrestore(&node->lock, flags);
		}
		ok = gh_pagecache_alloc(&pcpu->pc, run->npages, &run->page,
					&run->nscav);
		gh_busy_end(&pcpu->busy);
	}
	preempt_enable();
	return ok;
}

/**
 * gh_node_take_pages() - take a run of pages
 * @node: the node
 * @run: its length; the rest is filled in
 *
 * Context: any but NMI.
 * Return: false if there is no such run.
 */
bool gh_node_take_pages(struct gh_node *node, struct gh_run *run)
{
	unsigned long flags;
	bool ok;

	if (node_take_cached(node, run))
		return true;
	raw_spin_lock_irqsave(&node->lock, flags);
	ok = gh_pagealloc_alloc(&node->pa, run->npages, &run->page,
				&run->nscav);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return ok;
}
GH_EXPORT_FOR_TESTS(gh_node_take_pages);

/**
 * gh_node_take_or_grow() - take a run of pages, and grow if there is none
 * @node: the node
 * @run: its length, at most that of an arena; the rest is filled in
 *
 * Context: any but NMI.
 * Return: false if there is no such run and no arena is reserved.
 */
bool gh_node_take_or_grow(struct gh_node *node, struct gh_run *run)
{
	bool ok, grown;

	do {
		unsigned long flags;

		raw_spin_lock_irqsave(&node->lock, flags);
		ok = gh_pagealloc_alloc(&node->pa, run->npages, &run->page,
					&run->nscav);
		grown = !ok && node_grow(node);
		/* Either is work enough for interrupts to wait for. */
		raw_spin_unlock_irqrestore(&node->lock, flags);
	} while (grown);
	return ok;
}

/**
 * gh_node_free_pages() - free a run of pages that have memory
 * @node: the node
 * @page: index of the first
 * @npages: how many
 *
 * Context: any but NMI.
 */
void gh_node_free_pages(struct gh_node *node, unsigned long page,
			unsigned long npages)
{
	unsigned long flags;
	bool ok;

	raw_spin_lock_irqsave(&node->lock, flags);
	ok = gh_pagealloc_free(&node->pa, page, npages);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	WARN_ON_ONCE(!ok);
}

static bool node_page_intact(const struct gh_node *node, unsigned long page)
{
	return gh_node_area_intact(gh_node_arena_of_page(node, page)->area);
}

/**
 * gh_node_guard() - let accesses to a page fault
 * @node: the node
 * @page: the page, the caller's
 *
 * If the page has memory, it keeps that, hidden, as TLBs may still know it.
 *
 * Context: any but NMI.
 * Return: the hidden memory, for gh_node_unguard(); or NULL.
 */
struct page *gh_node_guard(struct gh_node *node, unsigned long page)
{
	struct page *memory = NULL;

	if (node_page_intact(node, page))
		memory = gh_vmem_hide(gh_node_page_addr(node, page));
	if (!memory)
		atomic_long_inc(&node->nguards);
	return memory;
}

/**
 * gh_node_unguard() - free a page that is a guard
 * @node: the node
 * @page: the page
 * @memory: as gh_node_guard() returned it
 *
 * Context: any but NMI.
 */
void gh_node_unguard(struct gh_node *node, unsigned long page,
		     struct page *memory)
{
	unsigned long flags;
	bool ok;

	if (!memory)
		atomic_long_dec(&node->nguards);
	else if (node_page_intact(node, page))
		gh_vmem_show(gh_node_page_addr(node, page), memory);

	raw_spin_lock_irqsave(&node->lock, flags);
	ok = gh_pagealloc_free_scav(&node->pa, page, 1, !memory);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	WARN_ON_ONCE(!ok);
}

/* How many pages from @addr on have memory, or have none, as the first does. */
static unsigned long node_alike(unsigned long addr, unsigned long npages,
				bool committed)
{
	unsigned long n = 1;

	while (n < npages &&
	       gh_vmem_committed(addr + n * GH_PAGE_SIZE, GH_PAGE_SIZE) ==
	       committed)
		n++;
	return n;
}

/**
 * gh_node_free_mixed() - free a run of which only some pages have memory
 * @node: the node
 * @run: the run, which was not committed, or only in part
 *
 * Context: any but NMI.
 */
void gh_node_free_mixed(struct gh_node *node, const struct gh_run *run)
{
	unsigned long addr = gh_node_page_addr(node, run->page);
	unsigned long end = run->page + run->npages;
	unsigned long flags, page, n;

	for (page = run->page; page < end; page += n) {
		bool committed = gh_vmem_committed(addr, GH_PAGE_SIZE);

		n = node_alike(addr, end - page, committed);
		raw_spin_lock_irqsave(&node->lock, flags);
		gh_pagealloc_free_scav(&node->pa, page, n, !committed);
		raw_spin_unlock_irqrestore(&node->lock, flags);
		addr += n << GH_PAGE_SHIFT;
	}
}
GH_EXPORT_FOR_TESTS(gh_node_free_mixed);

/* ---- scavenging --------------------------------------------------------- */

/* Unmap up to @want pages, the highest addresses first. Returns how many runs. */
static unsigned int scav_take(struct gh_node *node, unsigned long want,
			      struct gh_vmem_batch *batch)
{
	struct gh_run *run = node->scav_runs;
	unsigned int n;

	for (n = 0; n < GH_SCAV_RUNS && want; n++, run++) {
		unsigned long flags;

		raw_spin_lock_irqsave(&node->lock, flags);
		run->npages = gh_pagealloc_scavenge_take(&node->pa, want,
							 &run->page);
		raw_spin_unlock_irqrestore(&node->lock, flags);
		if (!run->npages)
			break;

		/* What somebody unmapped may be another's by now. */
		if (node_page_intact(node, run->page))
			gh_vmem_decommit(batch,
					 gh_node_page_addr(node, run->page),
					 run->npages << GH_PAGE_SHIFT);
		want -= run->npages;
	}
	return n;
}

/* Decommit up to @want pages with one TLB flush. */
static unsigned long node_scavenge_batch(struct gh_node *node,
					 unsigned long want)
{
	struct gh_vmem_batch batch;
	unsigned long flags, done = 0;
	unsigned int i, n;

	gh_vmem_batch_init(&batch);
	n = scav_take(node, want, &batch);
	gh_vmem_batch_free(&batch);

	for (i = 0; i < n; i++) {
		struct gh_run *run = &node->scav_runs[i];

		raw_spin_lock_irqsave(&node->lock, flags);
		gh_pagealloc_scavenge_done(&node->pa, run->page, run->npages);
		raw_spin_unlock_irqrestore(&node->lock, flags);
		done += run->npages;
	}
	return done;
}

/**
 * gh_node_scavenge() - free the memory of free pages
 * @node: the node
 * @npages: heap pages, at most; highest addresses first
 *
 * Allocates nothing, so it may be part of reclaim.
 *
 * Context: process context, may sleep; one at a time for a node.
 * Return: heap pages whose memory was freed.
 */
unsigned long gh_node_scavenge(struct gh_node *node, unsigned long npages)
{
	unsigned long done = 0, got;

	/* Others may free as many meanwhile, and this would not end. */
	npages = min(npages, gh_node_idle_committed(node));
	while (done < npages) {
		got = node_scavenge_batch(node, min(npages - done, SCAV_PAGES));
		if (!got)
			break;
		done += got;
		cond_resched();
	}
	return done;
}
GH_EXPORT_FOR_TESTS(gh_node_scavenge);

/**
 * gh_node_idle_committed() - free pages that have memory
 * @node: the node
 *
 * Return: heap pages whose memory gh_node_scavenge() could free.
 */
unsigned long gh_node_idle_committed(const struct gh_node *node)
{
	unsigned long nfree = READ_ONCE(node->pa.nfree);
	unsigned long nscav = READ_ONCE(node->pa.nscav);

	/* Read without the lock, so they may be of different moments. */
	return nfree > nscav ? nfree - nscav : 0;
}
GH_EXPORT_FOR_TESTS(gh_node_idle_committed);

/**
 * gh_node_reclaimable() - pages that have memory and hold no objects
 * @node: the node
 *
 * Context: any.
 * Return: heap pages, those of cached spans included.
 */
unsigned long gh_node_reclaimable(const struct gh_node *node)
{
	return gh_node_idle_committed(node) + gh_peek(node->cache.npages);
}

/**
 * gh_node_show() - have the system count pages as reclaimable
 * @node: the node
 * @npages: heap pages, in place of those of the last call
 *
 * They are in KReclaimable of /proc/meminfo, and count for MemAvailable, from which
 * programs learn how much memory they can have.
 *
 * Context: any but NMI.
 */
void gh_node_show(struct gh_node *node, unsigned long npages)
{
	long now = npages << (GH_PAGE_SHIFT - PAGE_SHIFT);
	long before = atomic_long_xchg(&node->shown, now);
	/* Memory of any node is shown at the first. */
	int nid = node->nid == NUMA_NO_NODE ? gh_numa.nid[0] : node->nid;

	if (now != before)
		mod_node_page_state(NODE_DATA(nid), NR_KERNEL_MISC_RECLAIMABLE,
				    now - before);
}

/* ---- life --------------------------------------------------------------- */

/**
 * gh_node_create() - a node without arenas
 * @nid: the NUMA node that its memory is from, or NUMA_NO_NODE for any
 *
 * The caller sets what is documented as the heap's.
 *
 * Context: process context, may sleep.
 * Return: the node or NULL.
 */
struct gh_node *gh_node_create(int nid)
{
	struct gh_node *node = vzalloc_node(sizeof(*node), nid);

	if (!node)
		return NULL;

	gh_pagealloc_init(&node->pa);
	raw_spin_lock_init(&node->lock);
	INIT_LIST_HEAD(&node->areas);
	INIT_LIST_HEAD(&node->hints);
	gh_spancache_init(&node->cache);
	node->nid = nid;
	return node;
}

/**
 * gh_node_destroy() - end a node
 * @node: the node, without areas; nobody uses it
 *
 * Context: process context, may sleep.
 */
void gh_node_destroy(struct gh_node *node)
{
	unsigned int i;

	gh_node_show(node, 0);
	for (i = 0; i < GH_ARENA_TBLS; i++)
		free_page((unsigned long)node->arenas[i]);
	gh_pagealloc_destroy(&node->pa);
	vfree(node);
}
