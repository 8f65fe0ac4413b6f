/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pagealloc: which pages of a heap are free, and where a run of them is.
 *
 * Works on a dense, linear space of page indexes and touches no memory of the
 * heap itself, so kernel heaps and user heaps share it. See pagealloc.c for
 * the data structure.
 *
 * Lock: the caller's. One lock of the caller must serialise all functions on a
 * gh_pagealloc; it may be a raw spinlock with interrupts off, because nothing
 * here sleeps or allocates. The exceptions are gh_pagealloc_prepare(), which
 * allocates, and so is called without the lock and may run at any time, and
 * init and destroy, during which nobody else may use the structure. A
 * gh_pagecache belongs to its owner, who uses gh_pagecache_alloc() without the
 * lock.
 */
#ifndef _GOHEAP_PAGEALLOC_H
#define _GOHEAP_PAGEALLOC_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/types.h>

#include "pagestate.h"
#include "pagesum.h"

/* Levels of summaries; each covers an eighth of what the one above does. */
#define GH_PA_LEVELS		5
#define GH_PA_ROOT_ENTRIES	BIT(GH_MAX_PAGES_SHIFT - GH_PA_ROOT_SHIFT)

/* Blocks of each level, root first. */
#define GH_PA_SUM_BLKS							\
	(1 + GH_PA_BLKS(9) + GH_PA_BLKS(12) + GH_PA_BLKS(15) + GH_PA_BLKS(18))

/**
 * struct gh_pagealloc - the free pages of one heap
 * @search: no page below this index is free
 * @nfree: free pages, scavenged ones included
 * @nscav: free pages that are scavenged
 * @ninuse: allocated pages (page caches and scavenger included)
 * @meta_bytes: bytes of metadata blocks
 * @account: __GFP_ACCOUNT to charge metadata to the task that needs it, or 0
 * @root: summaries of the top level
 * @reach: for each of these, no longer run ends in its range or lies inside
 * @sums: blocks of summaries, all levels, root first
 * @pages: the state of each page
 *
 * @nfree, @nscav and @ninuse are exact under the caller's lock and may be read
 * with READ_ONCE() without it.
 */
struct gh_pagealloc {
	unsigned long search;
	unsigned long nfree;
	unsigned long nscav;
	unsigned long ninuse;
	atomic_long_t meta_bytes;
	gfp_t account;
	u64 root[GH_PA_ROOT_ENTRIES];
	u32 reach[GH_PA_ROOT_ENTRIES];
	u64 *sums[GH_PA_SUM_BLKS];
	struct gh_pagestate pages;
};

/**
 * struct gh_pagecache - up to 64 aligned pages held for quick allocation
 * @base: index of the first page of the block, a multiple of 64
 * @cache: bit i set: page @base + i is free for the owner to take
 * @scav: bit i set: that page is scavenged; a subset of @cache
 *
 * All zero is an empty cache.
 */
struct gh_pagecache {
	unsigned long base;
	u64 cache;
	u64 scav;
};

/* Runs of this many pages and more do not come from a page cache. */
#define GH_PAGECACHE_LIMIT	16

void gh_pagealloc_init(struct gh_pagealloc *pa);
void gh_pagealloc_destroy(struct gh_pagealloc *pa);

int gh_pagealloc_prepare(struct gh_pagealloc *pa, unsigned long start,
			 unsigned long npages, gfp_t gfp);
bool gh_pagealloc_grow(struct gh_pagealloc *pa, unsigned long start,
		       unsigned long npages, bool scavenged);
bool gh_pagealloc_ungrow(struct gh_pagealloc *pa, unsigned long start,
			 unsigned long npages);

bool gh_pagealloc_alloc(struct gh_pagealloc *pa, unsigned long npages,
			unsigned long *page, unsigned long *nscav);
bool gh_pagealloc_alloc_aligned(struct gh_pagealloc *pa, unsigned long npages,
				unsigned long align, unsigned long *page,
				unsigned long *nscav);
bool gh_pagealloc_alloc_at(struct gh_pagealloc *pa, unsigned long page,
			   unsigned long npages, unsigned long *nscav);
bool gh_pagealloc_free(struct gh_pagealloc *pa, unsigned long page,
		       unsigned long npages);
bool gh_pagealloc_free_scav(struct gh_pagealloc *pa, unsigned long page,
			    unsigned long npages, bool scavenged);

bool gh_pagecache_alloc(struct gh_pagecache *pc, unsigned int npages,
			unsigned long *page, unsigned long *nscav);
bool gh_pagealloc_fill_cache(struct gh_pagealloc *pa, struct gh_pagecache *pc);
void gh_pagecache_flush(struct gh_pagealloc *pa, struct gh_pagecache *pc);

unsigned long gh_pagealloc_scavenge_take(struct gh_pagealloc *pa,
					 unsigned long max_pages,
					 unsigned long *page);
bool gh_pagealloc_scavenge_done(struct gh_pagealloc *pa, unsigned long page,
				unsigned long npages);

enum gh_page_state gh_pagealloc_state(struct gh_pagealloc *pa,
				      unsigned long page);
unsigned long gh_pagealloc_run(struct gh_pagealloc *pa, unsigned long page,
			       unsigned long end, enum gh_page_state *state);
bool gh_pagealloc_verify(struct gh_pagealloc *pa);

#endif /* _GOHEAP_PAGEALLOC_H */
