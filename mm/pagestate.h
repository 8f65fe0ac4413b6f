/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pagestate: the state of each page of an index space.
 *
 * The lower half of the page allocator: it knows what each page is, and
 * nothing of where a run is to be found. See pagestate.c for how it is stored.
 *
 * Lock: the page allocator's, that is, the caller's, for all functions but
 * gh_pagestate_prepare() and gh_pagestate_add_block(), which allocate and may
 * run at any time, and init and destroy.
 */
#ifndef _GOHEAP_PAGESTATE_H
#define _GOHEAP_PAGESTATE_H

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

/* All metadata lies in blocks of one kernel page, made as needed. */
#define GH_PA_BLK_SHIFT		(PAGE_SHIFT - 3)
#define GH_PA_BLK_WORDS		BIT(GH_PA_BLK_SHIFT)
#define GH_PA_BLKS(words_shift)						\
	DIV_ROUND_UP(BIT(words_shift), GH_PA_BLK_WORDS)
#define GH_PA_CHUNKS_PER_BLK	(PAGE_SIZE / (2 * GH_CHUNK_WORDS * 8))

/* Chunk blocks are found through pages of pointers, others through an array. */
#define GH_PA_CHUNK_DIRS						\
	DIV_ROUND_UP(GH_MAX_CHUNKS, GH_PA_CHUNKS_PER_BLK * GH_PA_BLK_WORDS)
/* One word a chunk. */
#define GH_PA_COUNT_BLKS	GH_PA_BLKS(GH_MAX_PAGES_SHIFT - GH_CHUNK_SHIFT)
/* One bit a chunk, and one bit for each word of those. */
#define GH_PA_DIRTY_BLKS						\
	GH_PA_BLKS(GH_MAX_PAGES_SHIFT - GH_CHUNK_SHIFT - 6)
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
 * struct gh_pa_count - how many pages of a chunk are in which state
 * @nfree: free pages, scavenged ones included
 * @nscav: free pages that are scavenged
 * @ninuse: allocated pages; all three are 0 if the chunk is absent
 * @whole: all pages are in one state, and the chunk's bits are out of date
 */
struct gh_pa_count {
	u16 nfree;
	u16 nscav;
	u16 ninuse;
	bool whole;
};

/**
 * struct gh_pagestate - the state of each page
 * @chunks: pages of pointers to blocks of chunks
 * @counts: blocks of counts, one for each chunk
 * @dirty: one bit a chunk: it has free pages that are not scavenged
 * @dirty_top: bit w set: word w of @dirty is not zero
 */
struct gh_pagestate {
	struct gh_pa_chunk **chunks[GH_PA_CHUNK_DIRS];
	struct gh_pa_count *counts[GH_PA_COUNT_BLKS];
	u64 *dirty[GH_PA_DIRTY_BLKS];
	u64 dirty_top[GH_PA_DIRTY_TOP];
};

/* Stands in for blocks that do not exist: nothing is there. Never written. */
extern const u64 gh_pagestate_zeros[GH_PA_BLK_WORDS];

void gh_pagestate_init(struct gh_pagestate *ps);
void gh_pagestate_destroy(struct gh_pagestate *ps, atomic_long_t *bytes);
int gh_pagestate_add_block(void **slot, const void *none, gfp_t gfp,
			   atomic_long_t *bytes);
void gh_pagestate_free_block(const void *blk, const void *none, atomic_long_t *bytes);
int gh_pagestate_prepare(struct gh_pagestate *ps, unsigned long ci, gfp_t gfp,
			 atomic_long_t *bytes);

bool gh_pagestate_all(const struct gh_pagestate *ps, unsigned long page,
		      unsigned long npages, bool free);
bool gh_pagestate_all_absent(const struct gh_pagestate *ps, unsigned long page,
			     unsigned long npages);
unsigned long gh_pagestate_set(struct gh_pagestate *ps, unsigned long page,
			       unsigned long npages, enum gh_page_state state);
void gh_pagestate_set_word(struct gh_pagestate *ps, unsigned long page,
			   u64 mask, enum gh_page_state state);

struct gh_pa_chunk *gh_pagestate_chunk(struct gh_pagestate *ps,
				       unsigned long ci);
unsigned long gh_pagestate_last_committed(struct gh_pagestate *ps,
					  unsigned long max,
					  unsigned long *page);
unsigned long gh_pagestate_run(const struct gh_pagestate *ps,
			       unsigned long page, unsigned long end,
			       enum gh_page_state *state);
bool gh_pagestate_verify(const struct gh_pagestate *ps, unsigned long ci);

/* The counts of chunk @ci; all zero if it was never prepared. */
static inline struct gh_pa_count *gh_pagestate_count(const struct gh_pagestate *ps,
						     unsigned long ci)
{
	struct gh_pa_count *blk = READ_ONCE(ps->counts[ci >> GH_PA_BLK_SHIFT]);

	return &blk[ci & (GH_PA_BLK_WORDS - 1)];
}

#endif /* _GOHEAP_PAGESTATE_H */
