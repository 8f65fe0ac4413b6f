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
#include <linux/math.h>
#include <linux/types.h>
#include <asm/page.h>

#include "pagesum.h"

/* Heap pages in the whole index space: 1 TiB of 8 KiB pages. */
#define GH_MAX_PAGES_SHIFT	27
#define GH_MAX_PAGES		BIT(GH_MAX_PAGES_SHIFT)

#define GH_MAX_CHUNKS		(GH_MAX_PAGES >> GH_CHUNK_SHIFT)

/* Levels of summaries; each covers an eighth of what the one above does. */
#define GH_PA_LEVELS		5
#define GH_PA_ROOT_ENTRIES	BIT(GH_MAX_PAGES_SHIFT - GH_PA_ROOT_SHIFT)

/* Summaries and chunks lie in blocks of one kernel page, made as needed. */
#define GH_PA_BLK_SHIFT		(PAGE_SHIFT - 3)
#define GH_PA_BLK_WORDS		BIT(GH_PA_BLK_SHIFT)
#define GH_PA_BLKS(words_shift)						\
	DIV_ROUND_UP(BIT(words_shift), GH_PA_BLK_WORDS)
#define GH_PA_CHUNKS_PER_BLK	(PAGE_SIZE / (2 * GH_CHUNK_WORDS * 8))

/* Blocks of each level, root first, and where a level's blocks start. */
#define GH_PA_SUM_BLKS							\
	(1 + GH_PA_BLKS(9) + GH_PA_BLKS(12) + GH_PA_BLKS(15) + GH_PA_BLKS(18))
/* Chunk blocks are found through pages of pointers, these through an array. */
#define GH_PA_CHUNK_DIRS						\
	DIV_ROUND_UP(GH_MAX_CHUNKS, GH_PA_CHUNKS_PER_BLK * GH_PA_BLK_WORDS)
/* One bit a chunk, and one bit for each word of those. */
#define GH_PA_DIRTY_BLKS	GH_PA_BLKS(18 - 6)
#define GH_PA_DIRTY_TOP		(GH_MAX_CHUNKS / 64 / 64)

/**
 * enum gh_page_state - what a page of the index space is
 * @GH_PAGE_ABSENT: never grown, or removed; its memory is not the heap's
 * @GH_PAGE_ALLOCATED: taken, or in a page cache, or in the scavenger's hands
 * @GH_PAGE_FREE: free, and memory is committed to it
 * @GH_PAGE_SCAVENGED: free, with no memory behind it
 */
enum gh_page_state {
	GH_PAGE_ABSENT,
	GH_PAGE_ALLOCATED,
	GH_PAGE_FREE,
	GH_PAGE_SCAVENGED,
};

/**
 * struct gh_pagealloc - the free pages of one heap
 * @search: no page below this index is free
 * @nfree: free pages, scavenged ones included
 * @nscav: free pages that are scavenged
 * @ninuse: allocated pages (page caches and scavenger included)
 * @meta_bytes: bytes of metadata blocks
 * @account: __GFP_ACCOUNT to charge metadata to the task that needs it, or 0
 * @dirty_top: bit w set: word w of @dirty may have a bit set
 * @root: summaries of the top level
 * @sums: blocks of summaries, all levels, root first
 * @chunks: pages of pointers to blocks of chunks
 * @dirty: one bit a chunk: it may have free pages that are not scavenged
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
	u64 dirty_top[GH_PA_DIRTY_TOP];
	u64 root[GH_PA_ROOT_ENTRIES];
	u64 *sums[GH_PA_SUM_BLKS];
	struct gh_pa_chunk **chunks[GH_PA_CHUNK_DIRS];
	u64 *dirty[GH_PA_DIRTY_BLKS];
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
