// SPDX-License-Identifier: GPL-2.0-only
/*
 * eager: arenas all of whose pages are there from the start.
 *
 * All n * 64 MiB are allocated, and vmap() is given an array of one arena more
 * whose entry i is page i mod (n * 64 MiB): wherever vmap() puts it, the
 * aligned window inside holds each page exactly once. Commit and decommit have
 * nothing to do. It works wherever there is vmap().
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "blocks.h"
#include "eager.h"

#define PAGES_PER_ARENA	(GH_ARENA_SIZE >> PAGE_SHIFT)

/* Get the area's pages, and show them to vmap() as said above. */
static int eager_get_pages(struct gh_vmem_area *area, struct page **pages,
			   int nid)
{
	unsigned long i, own = area->narenas * PAGES_PER_ARENA;
	struct gh_block_iter it;
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NOMEMALLOC;
	LIST_HEAD(blocks);

	/* Memory of other nodes comes before what must be reclaimed here. */
	if (nid != NUMA_NO_NODE && num_possible_nodes() > 1)
		gfp = (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_THISNODE;
	else
		gfp |= __GFP_RETRY_MAYFAIL;
	if (gh_blocks_get(&blocks, own, gfp, nid) < 0)
		return -ENOMEM;
	gh_blocks_count(&blocks);
	gh_blocks_start(&it, &blocks);
	for (i = 0; i < own; i++)
		pages[i] = gh_blocks_next(&it);
	for (; i < area->nr_pages; i++)
		pages[i] = pages[i - own];
	return 0;
}

/**
 * gh_eager_reserve() - reserve an area, with its memory
 * @area: @narenas and @nr_pages are set; the rest is filled in
 * @nid: NUMA node, or NUMA_NO_NODE for any
 *
 * More than half of all memory is refused.
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gh_eager_reserve(struct gh_vmem_area *area, int nid)
{
	unsigned long own = area->narenas * PAGES_PER_ARENA;
	struct page **pages;

	if (own > totalram_pages() / 2)
		return -ENOMEM;
	pages = gh_blocks_vmalloc(array_size(area->nr_pages, sizeof(*pages)), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	if (eager_get_pages(area, pages, nid)) {
		vfree(pages);
		return -ENOMEM;
	}

	area->vm = vmap(pages, area->nr_pages, VM_MAP, PAGE_KERNEL);
	if (!area->vm)
		gh_blocks_free_array(pages, own);
	vfree(pages);
	if (!area->vm)
		return -ENOMEM;
	area->base = ALIGN((unsigned long)area->vm, GH_ARENA_SIZE);
	return 0;
}

/**
 * gh_eager_collect() - take the pages of an area that is about to be unmapped
 * @area: the area
 * @batch: gets its pages
 *
 * Context: process context.
 */
void gh_eager_collect(const struct gh_vmem_area *area,
		      struct gh_vmem_batch *batch)
{
	unsigned long addr = area->base;
	unsigned long i;

	for (i = 0; i < area->narenas * PAGES_PER_ARENA; i++) {
		list_add(&vmalloc_to_page((void *)addr)->lru, &batch->pages);
		batch->npages++;
		addr += PAGE_SIZE;
	}
}
