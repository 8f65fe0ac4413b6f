// SPDX-License-Identifier: GPL-2.0-only
/*
 * blocks: physical memory, in blocks as large as the system has them.
 *
 * Blocks are taken without effort: no reclaim, no compaction. Where the system
 * has none of a size, the next smaller size is tried. Only single pages are
 * asked for with all the effort that the caller's flags allow.
 */
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "blocks.h"
#include "compat.h"
#include "fault.h"

/* The largest order that the page allocator serves. */
#define BLOCK_MAX_ORDER	ilog2(MAX_ORDER_NR_PAGES)

/* Single pages that are asked for in one call. */
#define BULK_PAGES	32UL

/**
 * gh_blocks_refused() - ask whether a task must not have so much
 * @npages: PAGE_SIZE pages
 * @gfp: the caller's flags
 *
 * A victim of the OOM killer must not use up the reserves that it was granted
 * in order to end. Nobody else who was killed is refused anything: a file system
 * cannot leave a transaction half done, and neither is a victim refused that may
 * be in one (GFP_NOFS, GFP_NOIO).
 *
 * Context: any.
 * Return: true if it must not.
 */
bool gh_blocks_refused(unsigned long npages, gfp_t gfp)
{
	gfp = current_gfp_context(gfp);
	return npages > 1UL << PAGE_ALLOC_COSTLY_ORDER &&
	       (gfp & GFP_KERNEL) == GFP_KERNEL && tsk_is_oom_victim(current);
}

static gfp_t block_gfp(gfp_t gfp)
{
	return (gfp & ~__GFP_RECLAIM) | __GFP_NOWARN | __GFP_NORETRY |
	       __GFP_NOMEMALLOC;
}

/* Add a block of 2^@order pages to the list. */
static bool block_add(struct list_head *blocks, unsigned int order, gfp_t gfp,
		      int nid)
{
	struct page *page;

	/* Smaller blocks of this node come before larger ones of another. */
	gfp = block_gfp(gfp);
	if (nid != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	page = alloc_pages_node(nid, gfp, order);
	if (!page)
		return false;
	split_page(page, order);
	set_page_private(page, order);
	list_add_tail(&page->lru, blocks);
	return true;
}

/* Add single pages to the list. Returns how many, 0 if there are none. */
static unsigned long singles_add(struct list_head *blocks, unsigned long npages,
				 gfp_t gfp, int nid, int *reserve)
{
	struct page *bulk[BULK_PAGES] = {};
	unsigned long i, n;

	n = gh_alloc_pages_bulk(gfp, nid, min(npages, BULK_PAGES), bulk);
	for (i = 0; i < n; i++) {
		*reserve |= page_is_pfmemalloc(bulk[i]);
		set_page_private(bulk[i], 0);
		list_add_tail(&bulk[i]->lru, blocks);
	}
	return n;
}

/**
 * gh_blocks_get() - get physical memory
 * @blocks: gets the blocks; empty
 * @npages: how many PAGE_SIZE pages
 * @gfp: as for alloc_pages()
 * @nid: preferred NUMA node, the only one with __GFP_THISNODE; or NUMA_NO_NODE
 *
 * All or nothing. A task that the OOM killer chose is refused more than
 * 2^PAGE_ALLOC_COSTLY_ORDER pages, unless it asks with GFP_NOFS or GFP_NOIO.
 *
 * Context: any in which @gfp may be used; not NMI.
 * Return: 0, 1 if some of it is of the system's reserves, or -ENOMEM.
 */
int gh_blocks_get(struct list_head *blocks, unsigned long npages, gfp_t gfp,
		  int nid)
{
	unsigned int order = BLOCK_MAX_ORDER;
	int reserve = gh_fault(GH_FAULT_RESERVE);

	if (gh_pages_cannot_be_had())
		return -ENOMEM;

	while (npages) {
		unsigned long n;

		if (gh_fault(GH_FAULT_PAGE) || gh_blocks_refused(npages, gfp))
			goto fail;
		order = min_t(unsigned int, order, ilog2(npages));
		n = 1UL << order;
		if (order && !block_add(blocks, order, gfp, nid)) {
			order--;
			continue;
		}
		if (!order)
			n = singles_add(blocks, npages, gfp, nid, &reserve);
		if (!n)
			goto fail;
		npages -= n;
		if (gfpflags_allow_blocking(gfp))
			cond_resched();
	}
	return reserve;

fail:
	gh_blocks_put(blocks);
	return -ENOMEM;
}
GH_EXPORT_FOR_TESTS(gh_blocks_get);

/**
 * gh_blocks_put() - free blocks of which no page was taken
 * @blocks: the blocks; empty afterwards
 *
 * Context: any.
 */
void gh_blocks_put(struct list_head *blocks)
{
	struct gh_block_iter it;

	gh_blocks_start(&it, blocks);
	while (it.left || !list_empty(blocks))
		__free_page(gh_blocks_next(&it));
}
GH_EXPORT_FOR_TESTS(gh_blocks_put);

/* ---- mapped memory ------------------------------------------------------ */

/**
 * gh_blocks_count() - count memory that is going to be mapped
 * @blocks: the blocks, of which no page was taken
 *
 * Its pages must be freed with gh_blocks_free_list() or gh_blocks_free_array().
 *
 * Context: any.
 */
void gh_blocks_count(const struct list_head *blocks)
{
	struct page *page;

	list_for_each_entry(page, blocks, lru)
		gh_count_vmalloc(page_to_nid(page), 1L << page_private(page));
}

/**
 * struct uncount - pages that were freed and are still counted
 * @nid: their NUMA node
 * @n: how many
 */
struct uncount {
	int nid;
	long n;
};

static void uncount_all(struct uncount *u)
{
	if (u->n)
		gh_count_vmalloc(u->nid, -u->n);
	u->n = 0;
}

static void uncount_and_free(struct uncount *u, struct page *page)
{
	if (page_to_nid(page) != u->nid)
		uncount_all(u);
	u->nid = page_to_nid(page);
	u->n++;
	__free_page(page);
}

/**
 * gh_blocks_free_list() - free pages that were mapped
 * @pages: the pages, by their lru; empty afterwards
 *
 * Context: any.
 */
void gh_blocks_free_list(struct list_head *pages)
{
	struct page *page, *next;
	struct uncount u = { };

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		uncount_and_free(&u, page);
	}
	uncount_all(&u);
}

/**
 * gh_blocks_free_array() - free pages that were mapped, or were to be
 * @pages: the pages
 * @npages: how many
 *
 * Context: process context, may sleep.
 */
void gh_blocks_free_array(struct page **pages, unsigned long npages)
{
	struct uncount u = { };
	unsigned long i;

	for (i = 0; i < npages; i++) {
		uncount_and_free(&u, pages[i]);
		if (i % PTRS_PER_PTE == 0)
			cond_resched();
	}
	uncount_all(&u);
}

/* ---- tables ------------------------------------------------------------- */

static void *vmalloc_killed(size_t size, gfp_t gfp)
{
	unsigned long i, npages = DIV_ROUND_UP(size, PAGE_SIZE);
	struct gh_block_iter it;
	struct page **pages;
	LIST_HEAD(blocks);
	void *p;

	pages = kvmalloc_array(npages, sizeof(*pages), gfp & ~__GFP_ZERO);
	if (!pages)
		return NULL;
	if (gh_blocks_get(&blocks, npages, gfp, NUMA_NO_NODE) < 0) {
		kvfree(pages);
		return NULL;
	}
	gh_blocks_start(&it, &blocks);
	for (i = 0; i < npages; i++)
		pages[i] = gh_blocks_next(&it);

	/* From here on, vfree() frees the pages and their array. */
	p = gh_fault(GH_FAULT_VMAP) ? NULL :
	    vmap(pages, npages, VM_MAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
	if (p)
		return p;
	while (npages)
		__free_page(pages[--npages]);
	kvfree(pages);
	return NULL;
}

/**
 * gh_blocks_vmalloc() - memory for tables, for vfree()
 * @size: bytes
 * @gfp: as for __vmalloc(); with __GFP_ZERO it is zero
 *
 * vmalloc() gives up in a task that is being killed, if it has to take pages one by
 * one, as it has when a node is low. Such a task is served here.
 *
 * Context: process context, may sleep.
 * Return: the memory or NULL.
 */
void *gh_blocks_vmalloc(size_t size, gfp_t gfp)
{
	bool killed = gh_fault(GH_FAULT_KILLED);
	void *p = killed ? NULL : __vmalloc(size, gfp);

	if (!p && (killed || fatal_signal_pending(current)))
		p = vmalloc_killed(size, gfp);
	return p;
}
