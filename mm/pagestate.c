// SPDX-License-Identifier: GPL-2.0-only
/*
 * pagestate: the state of each page of an index space.
 *
 * Two bits a page, in chunks of 512 pages:
 *
 *	free tag
 *	  0   0   absent: never grown, or removed
 *	  0   1   allocated
 *	  1   0   free, memory committed
 *	  1   1   free, scavenged: no memory behind it
 *
 * Beside its bits, each chunk has a count of its pages by state. When a change
 * covers a whole chunk, only the count is written: all pages are in one state
 * then, so the count says everything, and @whole says that the bits are out of
 * date. They are filled in when a part of the chunk changes. Whether a whole
 * chunk is free, or allocated, is told by the count as well. So a change of many
 * pages reads and writes 8 bytes a chunk, and bits only at its two ends.
 *
 *	pages     [ .....## | ........ | ........ | ...#### ]     allocating the
 *	                 |<----------------------------->|        run between
 *	written     bits      count      count      bits          the bars
 *
 * The counts also keep an index for the scavenger exact, which finds the highest
 * chunk that has free pages with memory by looking at two words.
 *
 * Metadata that is all zero says "absent", and blocks of counts that do not
 * exist are stood in for by one shared block of zeros.
 *
 * Names used here: ps is what this file is about; chunk is a chunk's bits, ci
 * its index, and count its count; first and end are indexes of pages in a chunk;
 * w is the index of a word; page is the index of a page in the heap.
 */
#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "compat.h"
#include "fault.h"
#include "pagestate.h"
#include "pagesum.h"

const u64 gh_pagestate_zeros[GH_PA_BLK_WORDS] ____cacheline_aligned;

/* The count of a chunk all of whose pages are in one state. */
static const struct gh_pa_count whole_count[] = {
	[GH_PAGE_ABSENT] = { .whole = true },
	[GH_PAGE_ALLOCATED] = { .ninuse = GH_CHUNK_PAGES, .whole = true },
	[GH_PAGE_FREE] = { .nfree = GH_CHUNK_PAGES, .whole = true },
	[GH_PAGE_SCAVENGED] = { .nfree = GH_CHUNK_PAGES,
				.nscav = GH_CHUNK_PAGES, .whole = true },
};

static_assert(sizeof(struct gh_pa_chunk) * GH_PA_CHUNKS_PER_BLK == PAGE_SIZE);
static_assert(GH_PA_BLK_WORDS * sizeof(void *) <= PAGE_SIZE);
static_assert(sizeof(struct gh_pa_count) == sizeof(u64));

/* ---- metadata blocks ---------------------------------------------------- */

/**
 * gh_pagestate_add_block() - make a block of metadata where there is none
 * @slot: the pointer to it
 * @none: what the pointer is as long as there is no block
 * @gfp: how to get memory, which must be zeroed
 * @bytes: counts the bytes of all blocks
 *
 * A block of zeros means the same as @none, so it does not matter when readers
 * begin to see it.
 *
 * Context: any that @gfp allows; without the lock; others may do the same.
 * Return: 0 or -ENOMEM.
 */
int gh_pagestate_add_block(void **slot, const void *none, gfp_t gfp,
			   atomic_long_t *bytes)
{
	unsigned long blk;

	if (READ_ONCE(*slot) != none)
		return 0;
	if (gh_fault(GH_FAULT_META))
		return -ENOMEM;
	blk = get_zeroed_page(gfp);
	if (!blk)
		return -ENOMEM;
	if (cmpxchg(slot, (void *)none, (void *)blk) != none)
		free_page(blk);
	else
		atomic_long_add(PAGE_SIZE, bytes);
	return 0;
}

/**
 * gh_pagestate_free_block() - free a block, if there is one
 * @blk: the block, or what stands in for it
 * @none: what stands in for it
 * @bytes: counts the bytes of all blocks
 *
 * Context: any that may free pages.
 */
void gh_pagestate_free_block(const void *blk, const void *none, atomic_long_t *bytes)
{
	if (blk == none)
		return;
	free_page((unsigned long)blk);
	atomic_long_sub(PAGE_SIZE, bytes);
}

/* Where the pointer to the block of chunk @ci is; NULL if nowhere yet. */
static struct gh_pa_chunk **chunk_slot(const struct gh_pagestate *ps,
				       unsigned long ci)
{
	unsigned long blk = ci / GH_PA_CHUNKS_PER_BLK;
	struct gh_pa_chunk **dir =
		READ_ONCE(ps->chunks[blk >> GH_PA_BLK_SHIFT]);

	return dir ? &dir[blk & (GH_PA_BLK_WORDS - 1)] : NULL;
}

/* A chunk's bits, which may be out of date; NULL if there are none. */
static struct gh_pa_chunk *chunk_bits(const struct gh_pagestate *ps,
				      unsigned long ci)
{
	struct gh_pa_chunk **slot = chunk_slot(ps, ci);
	struct gh_pa_chunk *blk = slot ? READ_ONCE(*slot) : NULL;

	return blk ? &blk[ci % GH_PA_CHUNKS_PER_BLK] : NULL;
}

static u64 *dirty_word(const struct gh_pagestate *ps, unsigned long w)
{
	u64 *blk = READ_ONCE(ps->dirty[w >> GH_PA_BLK_SHIFT]);

	return &blk[w & (GH_PA_BLK_WORDS - 1)];
}

/**
 * gh_pagestate_init() - make an empty index space
 * @ps: the states
 *
 * Context: any.
 */
void gh_pagestate_init(struct gh_pagestate *ps)
{
	unsigned int i;

	memset(ps, 0, sizeof(*ps));
	for (i = 0; i < GH_PA_COUNT_BLKS; i++)
		ps->counts[i] = (struct gh_pa_count *)gh_pagestate_zeros;
	for (i = 0; i < GH_PA_DIRTY_BLKS; i++)
		ps->dirty[i] = (u64 *)gh_pagestate_zeros;
}

/**
 * gh_pagestate_destroy() - free the metadata
 * @ps: the states; must be initialised again before it is used
 * @bytes: counts the bytes of all blocks
 *
 * Context: any that may free pages; nobody else uses @ps.
 */
void gh_pagestate_destroy(struct gh_pagestate *ps, atomic_long_t *bytes)
{
	unsigned long i, j;

	for (i = 0; i < GH_PA_COUNT_BLKS; i++)
		gh_pagestate_free_block(ps->counts[i], gh_pagestate_zeros, bytes);
	for (i = 0; i < GH_PA_DIRTY_BLKS; i++)
		gh_pagestate_free_block(ps->dirty[i], gh_pagestate_zeros, bytes);
	for (i = 0; i < GH_PA_CHUNK_DIRS; i++) {
		for (j = 0; ps->chunks[i] && j < GH_PA_BLK_WORDS; j++)
			gh_pagestate_free_block(ps->chunks[i][j], NULL, bytes);
		gh_pagestate_free_block(ps->chunks[i], NULL, bytes);
	}
}

/**
 * gh_pagestate_prepare() - allocate the metadata of a chunk
 * @ps: the states
 * @ci: the chunk's index
 * @gfp: how to get memory, which must be zeroed
 * @bytes: counts the bytes of metadata
 *
 * Context: any that @gfp allows; without the lock.
 * Return: 0, or -ENOMEM with a part done.
 */
int gh_pagestate_prepare(struct gh_pagestate *ps, unsigned long ci, gfp_t gfp,
			 atomic_long_t *bytes)
{
	unsigned long dir = ci / GH_PA_CHUNKS_PER_BLK >> GH_PA_BLK_SHIFT;
	unsigned long dirty = ci / 64 >> GH_PA_BLK_SHIFT;

	return gh_pagestate_add_block((void **)&ps->counts[ci >> GH_PA_BLK_SHIFT],
				      gh_pagestate_zeros, gfp, bytes) ?:
	       gh_pagestate_add_block((void **)&ps->dirty[dirty],
				      gh_pagestate_zeros, gfp, bytes) ?:
	       gh_pagestate_add_block((void **)&ps->chunks[dir], NULL, gfp,
				      bytes) ?:
	       gh_pagestate_add_block((void **)chunk_slot(ps, ci), NULL, gfp,
				      bytes);
}

/* ---- chunks with committed pages ---------------------------------------- */

/* Notes of chunks [@ci, @end) whether they have free pages with memory. */
static void note_dirty(struct gh_pagestate *ps, unsigned long ci,
		       unsigned long end, bool dirty)
{
	while (ci < end) {
		unsigned long w = ci / 64, n = min(64 - ci % 64, end - ci);
		u64 mask = ~0ULL >> (64 - n) << ci % 64;
		u64 *word = dirty_word(ps, w);

		*word = dirty ? *word | mask : *word & ~mask;
		if (*word)
			ps->dirty_top[w / 64] |= 1ULL << w % 64;
		else
			ps->dirty_top[w / 64] &= ~(1ULL << w % 64);
		ci += n;
	}
}

/* The highest chunk that has free pages with memory. */
static bool last_dirty(const struct gh_pagestate *ps, unsigned long *ci)
{
	unsigned long i, w;

	for (i = GH_PA_DIRTY_TOP; i-- > 0; ) {
		if (!ps->dirty_top[i])
			continue;
		w = i * 64 + fls64(ps->dirty_top[i]) - 1;
		*ci = w * 64 + fls64(*dirty_word(ps, w)) - 1;
		return true;
	}
	return false;
}

/*
 * Counts that @n pages of a chunk, @nscav of them scavenged, went to @state,
 * and keeps the scavenger's index exact.
 */
static void count_moved(struct gh_pagestate *ps, unsigned long ci, int n,
			int nscav, enum gh_page_state state)
{
	struct gh_pa_count *count = gh_pagestate_count(ps, ci);
	bool was_dirty = count->nfree != count->nscav, dirty;

	if (state == GH_PAGE_ALLOCATED) {
		n = -n;
		count->nscav -= nscav;
	} else if (state == GH_PAGE_SCAVENGED) {
		count->nscav += n;
	}
	count->nfree += n;
	count->ninuse -= n;
	dirty = count->nfree != count->nscav;
	if (dirty != was_dirty)
		note_dirty(ps, ci, ci + 1, dirty);
}

/* ---- ranges of pages ---------------------------------------------------- */

/* The state of the pages of a chunk that is whole. */
static enum gh_page_state whole_state(const struct gh_pa_count *count)
{
	if (count->nfree)
		return count->nscav ? GH_PAGE_SCAVENGED : GH_PAGE_FREE;
	return count->ninuse ? GH_PAGE_ALLOCATED : GH_PAGE_ABSENT;
}

/**
 * gh_pagestate_chunk() - the bits of a chunk
 * @ps: the states
 * @ci: the chunk's index; it is prepared
 *
 * Fills them in if they are out of date.
 *
 * Context: the lock is held.
 * Return: the bits.
 */
struct gh_pa_chunk *gh_pagestate_chunk(struct gh_pagestate *ps,
				       unsigned long ci)
{
	struct gh_pa_count *count = gh_pagestate_count(ps, ci);
	struct gh_pa_chunk *chunk = chunk_bits(ps, ci);

	if (unlikely(count->whole)) {
		enum gh_page_state state = whole_state(count);
		unsigned int w;

		for (w = 0; w < GH_CHUNK_WORDS; w++) {
			chunk->free[w] = state & 2 ? ~0ULL : 0;
			chunk->tag[w] = state & 1 ? ~0ULL : 0;
		}
		count->whole = false;
	}
	return chunk;
}

/* Whether pages [@first, @end) of a chunk are free, or are allocated. */
static bool bits_all(const struct gh_pa_chunk *chunk, unsigned int first,
		     unsigned int end, bool free)
{
	unsigned int w, last = (end - 1) / 64;
	u64 mask = ~0ULL << first % 64;

	for (w = first / 64; w <= last; w++, mask = ~0ULL) {
		u64 is = free ? chunk->free[w] : ~chunk->free[w] & chunk->tag[w];

		if (w == last)
			mask &= ~0ULL >> (63 - (end - 1) % 64);
		if (mask & ~is)
			return false;
	}
	return true;
}

/**
 * gh_pagestate_all() - ask whether pages are all free, or all allocated
 * @ps: the states
 * @page: first page
 * @npages: pages
 * @free: which of both
 *
 * Context: the lock is held.
 * Return: whether they are; false for no pages, and beyond the index space.
 */
bool gh_pagestate_all(const struct gh_pagestate *ps, unsigned long page,
		      unsigned long npages, bool free)
{
	unsigned long end = page + npages;

	if (!npages || page >= GH_MAX_PAGES || npages > GH_MAX_PAGES - page)
		return false;

	while (page < end) {
		unsigned long ci = page >> GH_CHUNK_SHIFT;
		unsigned long first = page % GH_CHUNK_PAGES;
		unsigned long n = min(GH_CHUNK_PAGES - first, end - page);
		const struct gh_pa_count *count = gh_pagestate_count(ps, ci);
		unsigned long nsame = free ? count->nfree : count->ninuse;

		if (nsame < n)
			return false;
		/* Some are and some are not: so the bits are up to date. */
		if (nsame < GH_CHUNK_PAGES &&
		    !bits_all(chunk_bits(ps, ci), first, first + n, free))
			return false;
		page += n;
	}
	return true;
}

/**
 * gh_pagestate_all_absent() - ask whether chunks can be grown
 * @ps: the states
 * @page: first page, a multiple of GH_CHUNK_PAGES
 * @npages: pages, a multiple of GH_CHUNK_PAGES, all prepared
 *
 * Context: the lock is held.
 * Return: whether they have no pages.
 */
bool gh_pagestate_all_absent(const struct gh_pagestate *ps, unsigned long page,
			     unsigned long npages)
{
	unsigned long ci = page >> GH_CHUNK_SHIFT;
	unsigned long end = (page + npages) >> GH_CHUNK_SHIFT;

	for (; ci < end; ci++) {
		const struct gh_pa_count *count = gh_pagestate_count(ps, ci);

		if (WARN_ON_ONCE(!chunk_bits(ps, ci)) ||
		    count->nfree || count->ninuse)
			return false;
	}
	return true;
}

static void set_bits(u64 *word, u64 mask, bool to)
{
	*word ^= (*word ^ (to ? ~0ULL : 0)) & mask;
}

/* Sets the state of the pages of word @w. Returns how many were scavenged. */
static unsigned int set_word(struct gh_pa_chunk *chunk, unsigned int w,
			     u64 mask, enum gh_page_state state)
{
	unsigned int nscav = hweight64(chunk->free[w] & chunk->tag[w] & mask);

	set_bits(&chunk->free[w], mask, state & 2);
	set_bits(&chunk->tag[w], mask, state & 1);
	return nscav;
}

/* Sets the state of pages [@first, @end) of a chunk by its bits. */
static unsigned long set_part(struct gh_pagestate *ps, unsigned long ci,
			      unsigned int first, unsigned int end,
			      enum gh_page_state state)
{
	struct gh_pa_chunk *chunk = gh_pagestate_chunk(ps, ci);
	unsigned int w, last = (end - 1) / 64, nscav = 0;
	u64 mask = ~0ULL << first % 64;

	for (w = first / 64; w <= last; w++, mask = ~0ULL) {
		if (w == last)
			mask &= ~0ULL >> (63 - (end - 1) % 64);
		nscav += set_word(chunk, w, mask, state);
	}
	count_moved(ps, ci, end - first, nscav, state);
	return nscav;
}

/* Sets the state of chunks [@ci, @end) by their counts. */
static unsigned long set_whole(struct gh_pagestate *ps, unsigned long ci,
			       unsigned long end, enum gh_page_state state)
{
	unsigned long i, nscav = 0;

	for (i = ci; i < end; i++) {
		struct gh_pa_count *count = gh_pagestate_count(ps, i);

		nscav += count->nscav;
		*count = whole_count[state];
	}
	note_dirty(ps, ci, end, state == GH_PAGE_FREE);
	return nscav;
}

/**
 * gh_pagestate_set() - set the state of pages
 * @ps: the states
 * @page: first page
 * @npages: pages, all prepared
 * @state: their state from now on
 *
 * Free pages become allocated or absent; allocated and absent ones become free.
 * Absence comes and goes by whole chunks.
 *
 * Context: the lock is held.
 * Return: how many were scavenged.
 */
unsigned long gh_pagestate_set(struct gh_pagestate *ps, unsigned long page,
			       unsigned long npages, enum gh_page_state state)
{
	unsigned long end = page + npages, nscav = 0, n;

	for (; page < end; page += n) {
		unsigned long ci = page >> GH_CHUNK_SHIFT;
		unsigned long first = page % GH_CHUNK_PAGES;

		n = min(GH_CHUNK_PAGES - first, end - page);
		if (n < GH_CHUNK_PAGES) {
			nscav += set_part(ps, ci, first, first + n, state);
			continue;
		}
		n = ALIGN_DOWN(end - page, GH_CHUNK_PAGES);
		nscav += set_whole(ps, ci, ci + (n >> GH_CHUNK_SHIFT), state);
	}
	return nscav;
}

/**
 * gh_pagestate_set_word() - set the state of pages in an aligned block of 64
 * @ps: the states
 * @page: a page of the block; its chunk is not absent
 * @mask: which pages, a bit each
 * @state: their state from now on, as for gh_pagestate_set()
 *
 * Context: the lock is held.
 */
void gh_pagestate_set_word(struct gh_pagestate *ps, unsigned long page,
			   u64 mask, enum gh_page_state state)
{
	unsigned long ci = page >> GH_CHUNK_SHIFT;
	unsigned int nscav = set_word(gh_pagestate_chunk(ps, ci),
				      page % GH_CHUNK_PAGES / 64, mask, state);

	count_moved(ps, ci, hweight64(mask), nscav, state);
}

/* ---- looking ------------------------------------------------------------ */

/*
 * The highest run of free committed pages of a chunk, cut from below to at
 * most @max pages. Returns its length; *@start is a page's index in the chunk.
 */
static unsigned int last_committed(const struct gh_pa_chunk *chunk,
				   unsigned long max, unsigned int *start)
{
	unsigned int w, run = 0;

	for (w = GH_CHUNK_WORDS; w-- > 0; ) {
		u64 x = chunk->free[w] & ~chunk->tag[w];
		unsigned int top = 64, n;

		if (!run) {
			if (!x)
				continue;
			/* Let the run's last page be the word's highest bit. */
			top = fls64(x);
			x <<= 64 - top;
		}
		n = min_t(unsigned long, gh_pa_high_ones(x), max - run);
		run += n;
		*start = w * 64 + top - n;
		if (n < top)
			break;
	}
	return run;
}

/**
 * gh_pagestate_last_committed() - find free pages that have memory
 * @ps: the states
 * @max: at most so many, 1 or more
 * @page: set to the first page
 *
 * Finds the highest run, cut from below to @max pages and to its chunk. Looks
 * at one chunk, since the index of such chunks is exact.
 *
 * Context: the lock is held.
 * Return: its length; 0 if there are none.
 */
unsigned long gh_pagestate_last_committed(struct gh_pagestate *ps,
					  unsigned long max,
					  unsigned long *page)
{
	unsigned int start = 0, npages;
	unsigned long ci;

	if (!last_dirty(ps, &ci))
		return 0;
	npages = last_committed(gh_pagestate_chunk(ps, ci), max, &start);
	*page = (ci << GH_CHUNK_SHIFT) + start;
	return npages;
}

/* Pages from @page on, in its chunk, that are in the state of @page. */
static unsigned int run_in_chunk(const struct gh_pagestate *ps,
				 unsigned long page, enum gh_page_state *state)
{
	const struct gh_pa_count *count =
		gh_pagestate_count(ps, page >> GH_CHUNK_SHIFT);
	const struct gh_pa_chunk *chunk = chunk_bits(ps, page >> GH_CHUNK_SHIFT);
	unsigned int first = page % GH_CHUNK_PAGES, p = first, n;

	if (!chunk || count->whole) {
		*state = whole_state(count);
		return GH_CHUNK_PAGES - first;
	}

	/* The values of the enum are the two bits. */
	*state = (chunk->free[p / 64] >> p % 64 & 1) << 1 |
		 (chunk->tag[p / 64] >> p % 64 & 1);
	do {
		u64 free = chunk->free[p / 64], tag = chunk->tag[p / 64];

		free = *state & 2 ? free : ~free;
		tag = *state & 1 ? tag : ~tag;
		n = gh_pa_low_ones((free & tag) >> p % 64);
		p += n;
	} while (n && p % 64 == 0 && p < GH_CHUNK_PAGES);
	return p - first;
}

/**
 * gh_pagestate_run() - how far a state extends
 * @ps: the states
 * @page: first page to look at, in the index space
 * @end: first page not to look at
 * @state: set to the state of @page
 *
 * Context: the lock is held.
 * Return: pages from @page on, up to @end, that are in the same state.
 */
unsigned long gh_pagestate_run(const struct gh_pagestate *ps,
			       unsigned long page, unsigned long end,
			       enum gh_page_state *state)
{
	unsigned long p = page + run_in_chunk(ps, page, state);
	enum gh_page_state next;

	while (p < end && p % GH_CHUNK_PAGES == 0) {
		unsigned int n = run_in_chunk(ps, p, &next);

		if (next != *state)
			break;
		p += n;
	}
	return min(p, end) - page;
}

/* Counts a chunk's pages by its bits. */
static struct gh_pa_count count_bits(const struct gh_pa_chunk *chunk)
{
	struct gh_pa_count count = { 0 };
	unsigned int w;

	for (w = 0; w < GH_CHUNK_WORDS; w++) {
		count.nfree += hweight64(chunk->free[w]);
		count.nscav += hweight64(chunk->free[w] & chunk->tag[w]);
		count.ninuse += hweight64(~chunk->free[w] & chunk->tag[w]);
	}
	return count;
}

/**
 * gh_pagestate_verify() - check what is known of a chunk
 * @ps: the states
 * @ci: the chunk's index
 *
 * Context: the lock is held.
 * Return: whether the count is that of the bits, or of one state; whether the
 * chunk is all there or not at all; whether the scavenger's index is right.
 */
bool gh_pagestate_verify(const struct gh_pagestate *ps, unsigned long ci)
{
	const struct gh_pa_count *count = gh_pagestate_count(ps, ci);
	const struct gh_pa_chunk *chunk = chunk_bits(ps, ci);
	bool dirty = *dirty_word(ps, ci / 64) >> ci % 64 & 1;
	bool dirty_top = ps->dirty_top[ci / 64 / 64] >> ci / 64 % 64 & 1;
	struct gh_pa_count right = { 0 };

	if (count->whole)
		right = whole_count[whole_state(count)];
	else if (chunk)
		right = count_bits(chunk);

	return count->nfree == right.nfree && count->nscav == right.nscav &&
	       count->ninuse == right.ninuse &&
	       (count->nfree + count->ninuse) % GH_CHUNK_PAGES == 0 &&
	       dirty == (count->nfree != count->nscav) &&
	       dirty_top == (*dirty_word(ps, ci / 64) != 0);
}
