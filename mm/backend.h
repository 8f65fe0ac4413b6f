/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backend: what the back-ends of vmem work on.
 */
#ifndef _GOHEAP_BACKEND_H
#define _GOHEAP_BACKEND_H

#include <linux/list.h>

#include "sizeclass.h"

/* Arenas of an area, at most. */
#define GH_VMEM_MAX_ARENAS	4

/**
 * struct gh_vmem_area - a reserved stretch of aligned, adjacent arenas
 * @list: for the owner's use
 * @vm: what vmap() returned
 * @nr_pages: PAGE_SIZE pages of the whole stretch
 * @base: first arena's address, a multiple of GH_ARENA_SIZE
 * @narenas: number of arenas, 1 to GH_VMEM_MAX_ARENAS
 */
struct gh_vmem_area {
	struct list_head list;
	void *vm;
	unsigned long nr_pages;
	unsigned long base;
	unsigned int narenas;
};

/**
 * struct gh_vmem_batch - pages on their way back to the system
 * @pages: unmapped pages, not to be freed before the TLB was flushed
 * @npages: how many PAGE_SIZE pages
 */
struct gh_vmem_batch {
	struct list_head pages;
	unsigned long npages;
};

/**
 * gh_vmem_batch_init() - start a batch of decommits
 * @batch: the batch
 *
 * Context: any.
 */
static inline void gh_vmem_batch_init(struct gh_vmem_batch *batch)
{
	INIT_LIST_HEAD(&batch->pages);
	batch->npages = 0;
}

#endif /* _GOHEAP_BACKEND_H */
