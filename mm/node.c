// SPDX-License-Identifier: GPL-2.0-only
/*
 * node: the arenas and pages of one NUMA node.
 *
 * Pages have an index that is dense over the node's arenas: slot * 8192 plus
 * the page in the arena. Each call of gh_vmem_reserve() makes an area of
 * adjacent arenas in adjacent slots. The slot after an area stays empty,
 * because the next area is elsewhere in memory and no run may cross into it:
 *
 *   slots   0   1   2   3   4   5   6
 *         [ area 0 ] -  [  area 1  ] -
 *
 * Locks: gh_node.grow_lock, gh_node.lock and gh_pages_cpu.busy, see mheap.c for
 * the order.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "node.h"

/* Arenas are reserved in groups that double up to this many. */
#define GROUP_MAX	16

/* Pages decommitted for one flush of the TLBs: up to 16 MiB in 64 runs. */
#define SCAV_RUNS	64
#define SCAV_PAGES	2048UL

static_assert(SCAV_RUNS * sizeof(struct gh_run) <= PAGE_SIZE);

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

static int node_set_arena(struct gh_node *node, unsigned int slot,
			  struct gh_arena *arena)
{
	struct gh_arena ***tbl = &node->arenas[slot / GH_ARENA_TBL_ENTRIES];

	if (!*tbl) {
		unsigned long page = get_zeroed_page(GFP_KERNEL);

		if (!page)
			return -ENOMEM;
		/* Pairs with the dependent read in gh_node_arena(). */
		smp_store_release(tbl, (struct gh_arena **)page);
	}
	WRITE_ONCE((*tbl)[slot % GH_ARENA_TBL_ENTRIES], arena);
	return 0;
}

static void node_drop_arena(struct gh_node *node, unsigned int slot)
{
	struct gh_arena *arena = gh_node_arena(node, slot);

	if (!arena)
		return;
	node_set_arena(node, slot, NULL);
	gh_arena_destroy(arena);
}

/*
 * Make the metadata for one arena of an area. This is all that can fail, so it
 * is done for all arenas before the first is published.
 */
static int node_add_arena(struct gh_node *node, unsigned long base,
			  unsigned int slot)
	__must_hold(&node->grow_lock)
{
	struct gh_arena *arena = gh_arena_create(node, base, slot);
	int err;

	lockdep_assert_held(&node->grow_lock);

	if (!arena)
		return -ENOMEM;
	err = node_set_arena(node, slot, arena);
	if (err) {
		gh_arena_destroy(arena);
		return err;
	}

	err = gh_pagealloc_prepare(&node->pa,
				   (unsigned long)slot << GH_ARENA_PAGES_SHIFT,
				   GH_ARENA_PAGES, GFP_KERNEL);
	if (err)
		node_drop_arena(node, slot);
	return err;
}

static void node_drop_area(struct gh_node *node, struct gh_area *area,
			   unsigned int narenas)
{
	while (narenas--)
		node_drop_arena(node, area->slot + narenas);
	gh_vmem_release(&area->vmem);
	gh_fixalloc_free(node->area_recs, area);
}

static struct gh_area *node_add_area(struct gh_node *node, unsigned int narenas)
	__must_hold(&node->grow_lock)
{
	struct gh_area *area = gh_fixalloc_alloc(node->area_recs, GFP_KERNEL);
	unsigned int i;

	lockdep_assert_held(&node->grow_lock);

	if (!area)
		return NULL;
	if (gh_vmem_reserve(&area->vmem, narenas, node->nid)) {
		gh_fixalloc_free(node->area_recs, area);
		return NULL;
	}

	area->slot = node->next_slot;
	for (i = 0; i < narenas; i++) {
		unsigned long base = area->vmem.base + i * GH_ARENA_SIZE;

		if (node_add_arena(node, base, area->slot + i)) {
			node_drop_area(node, area, i);
			return NULL;
		}
	}

	for (i = 0; i < narenas; i++)
		gh_arena_publish(gh_node_arena(node, area->slot + i));
	return area;
}

/* Grow by @narenas adjacent arenas. */
static int node_grow_by(struct gh_node *node, unsigned int narenas)
	__must_hold(&node->grow_lock)
{
	struct gh_area *area;
	unsigned long flags;

	lockdep_assert_held(&node->grow_lock);

	if (node->next_slot + narenas > GH_MAX_ARENAS)
		return -ENOMEM;
	area = node_add_area(node, narenas);
	if (!area)
		return -ENOMEM;

	list_add_tail(&area->vmem.list, &node->areas);
	/* Leave one slot empty after the area. */
	node->next_slot += narenas + 1;
	node->narenas += narenas;

	raw_spin_lock_irqsave(&node->lock, flags);
	gh_pagealloc_grow(&node->pa,
			  (unsigned long)area->slot << GH_ARENA_PAGES_SHIFT,
			  narenas * GH_ARENA_PAGES, gh_vmem_is_sparse());
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return 0;
}

/*
 * Address space costs little when it is sparse, so take more than is asked for,
 * and the more the larger the node is. Not under KASAN, which allocates shadow
 * memory for all of the reserved space at once.
 */
static unsigned int node_group(const struct gh_node *node, unsigned int narenas)
{
	if (!gh_vmem_is_sparse() || IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return narenas;
	return max(narenas, min_t(unsigned int, node->narenas, GROUP_MAX));
}

static int node_grow_locked(struct gh_node *node, unsigned int narenas)
	__must_hold(&node->grow_lock)
{
	unsigned int group = node_group(node, narenas);
	unsigned int noio = memalloc_noio_save();
	int err = node_grow_by(node, group);

	lockdep_assert_held(&node->grow_lock);

	if (err && group > narenas)
		err = node_grow_by(node, narenas);
	memalloc_noio_restore(noio);
	return err;
}

/**
 * gh_node_grow() - reserve more arenas
 * @node: the node
 * @narenas: adjacent arenas, 1 or more; more may be reserved
 *
 * Context: process context, may sleep; does no I/O.
 * Return: 0 or -ENOMEM.
 */
int gh_node_grow(struct gh_node *node, unsigned int narenas)
{
	int err;

	mutex_lock(&node->grow_lock);
	err = node_grow_locked(node, narenas);
	mutex_unlock(&node->grow_lock);
	return err;
}
GH_EXPORT_FOR_TESTS(gh_node_grow);

/**
 * gh_node_wants_spare() - ask whether the node should grow in advance
 * @node: the node
 *
 * Allocations that must not sleep cannot make the node grow, so a worker keeps
 * 8 MiB of pages free for them.
 *
 * Context: any.
 * Return: true if there are fewer.
 */
bool gh_node_wants_spare(const struct gh_node *node)
{
	return READ_ONCE(node->narenas) &&
	       READ_ONCE(node->pa.nfree) < GH_ARENA_PAGES / 8;
}

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

/**
 * gh_node_take_or_grow() - take a run of pages, and grow if there is none
 * @node: the node
 * @run: its length; the rest is filled in
 *
 * Context: process context, may sleep; does no I/O.
 * Return: false if there is no such run and the node could not grow.
 */
bool gh_node_take_or_grow(struct gh_node *node, struct gh_run *run)
{
	unsigned int narenas = DIV_ROUND_UP(run->npages, GH_ARENA_PAGES);
	bool ok;

	mutex_lock(&node->grow_lock);
	/* Another task may have grown the node while this one waited. */
	ok = gh_node_take_pages(node, run) ||
	     (!node_grow_locked(node, narenas) &&
	      gh_node_take_pages(node, run));
	mutex_unlock(&node->grow_lock);
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

/* ---- scavenging --------------------------------------------------------- */

/*
 * Take up to @want pages, all or part of them, and decommit them. They count as
 * allocated until their TLB entries are flushed, so that nobody gets them.
 */
static unsigned int scav_take(struct gh_node *node, struct gh_run *runs,
			      unsigned long want, struct gh_vmem_batch *batch)
{
	unsigned int n = 0;

	while (n < SCAV_RUNS && want) {
		unsigned long flags;

		raw_spin_lock_irqsave(&node->lock, flags);
		runs[n].npages = gh_pagealloc_scavenge_take(&node->pa, want,
							    &runs[n].page);
		raw_spin_unlock_irqrestore(&node->lock, flags);
		if (!runs[n].npages)
			break;

		if (gh_vmem_decommit(batch,
				     gh_node_page_addr(node, runs[n].page),
				     runs[n].npages << GH_PAGE_SHIFT)) {
			gh_node_free_pages(node, runs[n].page, runs[n].npages);
			break;
		}

		want -= runs[n].npages;
		n++;
	}
	return n;
}

/* Decommit up to @want pages with one TLB flush. */
static unsigned long node_scavenge_batch(struct gh_node *node,
					 struct gh_run *runs,
					 unsigned long want)
{
	struct gh_vmem_batch batch;
	unsigned long flags, done = 0;
	unsigned int i, n;

	gh_vmem_batch_init(&batch);
	n = scav_take(node, runs, want, &batch);
	gh_vmem_batch_free(&batch);

	for (i = 0; i < n; i++) {
		raw_spin_lock_irqsave(&node->lock, flags);
		gh_pagealloc_scavenge_done(&node->pa, runs[i].page,
					   runs[i].npages);
		raw_spin_unlock_irqrestore(&node->lock, flags);
		done += runs[i].npages;
	}
	return done;
}

/**
 * gh_node_scavenge() - free the memory of free pages
 * @node: the node
 * @npages: heap pages, at most; highest addresses first
 *
 * Context: process context, may sleep; under the heap's scav_lock.
 * Return: heap pages whose memory was freed.
 */
unsigned long gh_node_scavenge(struct gh_node *node, unsigned long npages)
{
	unsigned long done = 0, got;
	struct gh_run *runs;

	runs = (struct gh_run *)__get_free_page(GFP_KERNEL);
	if (!runs)
		return 0;

	do {
		got = node_scavenge_batch(node, runs,
					  min(npages - done, SCAV_PAGES));
		done += got;
		cond_resched();
	} while (got && done < npages);

	free_page((unsigned long)runs);
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

/* ---- life --------------------------------------------------------------- */

/**
 * gh_node_create() - a node without arenas
 * @nid: the NUMA node
 * @idx: its place among the heap's nodes
 * @area_recs: where records of areas come from
 * @pages_cpu: the heap's page caches
 *
 * Context: process context, may sleep.
 * Return: the node or NULL.
 */
struct gh_node *gh_node_create(int nid, unsigned int idx,
			       struct gh_fixalloc *area_recs,
			       struct gh_pages_cpu __percpu *pages_cpu)
{
	struct gh_node *node = vzalloc_node(sizeof(*node), nid);

	if (!node)
		return NULL;

	gh_pagealloc_init(&node->pa);
	raw_spin_lock_init(&node->lock);
	mutex_init(&node->grow_lock);
	INIT_LIST_HEAD(&node->areas);
	gh_spancache_init(&node->cache);
	node->nid = nid;
	node->idx = idx;
	node->area_recs = area_recs;
	node->pages_cpu = pages_cpu;
	return node;
}

static bool area_in_use(struct gh_node *node, struct gh_area *area)
{
	unsigned int i;

	for (i = 0; i < area->vmem.narenas; i++) {
		struct gh_arena *arena = gh_node_arena(node, area->slot + i);

		if (!bitmap_empty(arena->page_inuse, GH_ARENA_PAGES))
			return true;
	}
	return false;
}

/**
 * gh_node_destroy() - free a node and its arenas
 * @node: the node; nobody uses it
 *
 * Context: process context, may sleep.
 * Return: false if areas had to be left behind because spans are in use.
 */
bool gh_node_destroy(struct gh_node *node)
{
	struct gh_area *area, *next;
	bool clean = true;
	unsigned int i;

	list_for_each_entry_safe(area, next, &node->areas, vmem.list) {
		list_del(&area->vmem.list);
		if (area_in_use(node, area)) {
			/* Its objects may still be used, so leak the memory. */
			for (i = 0; i < area->vmem.narenas; i++)
				node_drop_arena(node, area->slot + i);
			gh_fixalloc_free(node->area_recs, area);
			clean = false;
		} else {
			node_drop_area(node, area, area->vmem.narenas);
		}
	}

	for (i = 0; i < GH_ARENA_TBLS; i++)
		free_page((unsigned long)node->arenas[i]);
	gh_pagealloc_destroy(&node->pa);
	vfree(node);
	return clean;
}
