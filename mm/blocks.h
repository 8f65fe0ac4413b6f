/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blocks: physical memory, in blocks as large as the system has them.
 *
 * A few blocks cost far less than as many pages one by one. A block is split at
 * once, so that its pages are ordinary single pages, which can be freed one by
 * one:
 *
 *	LIST_HEAD(blocks);
 *	struct gh_block_iter it;
 *
 *	err = gh_blocks_get(&blocks, npages, gfp, nid);
 *	gh_blocks_start(&it, &blocks);
 *	while (...)
 *		page = gh_blocks_next(&it);
 */
#ifndef _GOHEAP_BLOCKS_H
#define _GOHEAP_BLOCKS_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>

/**
 * struct gh_block_iter - hands out the pages of blocks one after the other
 * @blocks: the blocks that are still whole
 * @page: next page of the block that is being handed out
 * @left: how many pages of it are left
 */
struct gh_block_iter {
	struct list_head *blocks;
	struct page *page;
	unsigned long left;
};

bool gh_blocks_refused(unsigned long npages, gfp_t gfp);
int gh_blocks_get(struct list_head *blocks, unsigned long npages, gfp_t gfp,
		  int nid);
void gh_blocks_put(struct list_head *blocks);
void gh_blocks_count(const struct list_head *blocks);
void *gh_blocks_vmalloc(size_t size, gfp_t gfp);
void gh_blocks_free_list(struct list_head *pages);
void gh_blocks_free_array(struct page **pages, unsigned long npages);

static inline void gh_blocks_start(struct gh_block_iter *it,
				   struct list_head *blocks)
{
	it->blocks = blocks;
	it->left = 0;
}

/**
 * gh_blocks_next() - take the next page
 * @it: the iterator; there are pages left
 *
 * Return: a page of its own, to be freed with __free_page().
 */
static __always_inline struct page *gh_blocks_next(struct gh_block_iter *it)
{
	if (!it->left) {
		it->page = list_first_entry(it->blocks, struct page, lru);
		list_del(&it->page->lru);
		it->left = 1UL << page_private(it->page);
		set_page_private(it->page, 0);
	}
	it->left--;
	return it->page++;
}

#endif /* _GOHEAP_BLOCKS_H */
