// SPDX-License-Identifier: GPL-2.0-only
/*
 * pagealloc: which pages of a heap are free, and where a run of them is.
 *
 * Two bits a page, in chunks of 512 pages:
 *
 *	free tag
 *	  0   0   absent: never grown, or removed
 *	  0   1   allocated
 *	  1   0   free, memory committed
 *	  1   1   free, scavenged: no memory behind it
 *
 * Metadata that is all zero thus says that nothing is there, so one shared
 * block of zeros stands for all parts of it that do not exist.
 *
 * Above the chunks is a radix tree of summaries. A summary packs three numbers
 * about a range of pages into one word: how many pages are free at its start,
 * the longest free run in it, and how many are free at its end.
 *
 *	level 0   64 entries, each covers 2^21 pages (16 GiB)
 *	level 1   each entry covers one eighth of that
 *	  ...
 *	level 4   2^18 entries, each covers one chunk (4 MiB)
 *
 *	range     ##..######.....###...        # allocated   . free
 *	summary   start 0, max 5, end 3
 *
 * A summary of two neighbours follows from theirs: the longest run is in one
 * of them, or is the end of the first plus the start of the second. A search
 * for the lowest run of n pages reads the entries of a level from left to
 * right, keeps the run that ends where it stands, and descends only into an
 * entry whose max says that the run is inside. A change of pages recomputes
 * the summaries above it up to the level where nothing changes.
 *
 * The idea, and the names of the parts, are those of the Go runtime's page
 * allocator. The arithmetic of words and summaries is in pagesum.h.
 *
 * Names used here: pa is the page allocator; chunk is a chunk and ci its index;
 * w is the index of a word in a chunk; i is the index of an entry in a level of
 * summaries; page is the index of a page in the heap.
 */
#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "compat.h"
#include "fault.h"
#include "gfp.h"
#include "pagealloc.h"
#include "pagesum.h"

#define GH_PA_LEAF		(GH_PA_LEVELS - 1)

/* log2 of the pages that an entry of each level covers. */
static const u8 pa_shift[GH_PA_LEVELS] = {
	GH_PA_ROOT_SHIFT,
	GH_PA_ROOT_SHIFT - GH_PA_LEVEL_BITS,
	GH_PA_ROOT_SHIFT - 2 * GH_PA_LEVEL_BITS,
	GH_PA_ROOT_SHIFT - 3 * GH_PA_LEVEL_BITS,
	GH_CHUNK_SHIFT,
};

/* Index in sums[] of the first block of each level. */
static const u16 pa_blk0[GH_PA_LEVELS] = {
	0,
	1,
	1 + GH_PA_BLKS(9),
	1 + GH_PA_BLKS(9) + GH_PA_BLKS(12),
	1 + GH_PA_BLKS(9) + GH_PA_BLKS(12) + GH_PA_BLKS(15),
};

/* Stands in for blocks of summaries that do not exist: nothing is free. */
static const u64 pa_full_blk[GH_PA_BLK_WORDS] ____cacheline_aligned;

static_assert(GH_PA_LEAF * GH_PA_LEVEL_BITS + GH_CHUNK_SHIFT ==
	      GH_PA_ROOT_SHIFT);
static_assert(sizeof(struct gh_pa_chunk) * GH_PA_CHUNKS_PER_BLK == PAGE_SIZE);
static_assert(GH_PA_BLK_WORDS >= GH_PA_ROOT_ENTRIES);
static_assert(GH_PA_BLK_WORDS * sizeof(void *) <= PAGE_SIZE);

/* ---- metadata blocks ---------------------------------------------------- */

static u64 *pa_sum(struct gh_pagealloc *pa, unsigned int level,
		   unsigned long i)
{
	u64 *blk = READ_ONCE(pa->sums[pa_blk0[level] +
				      (i >> GH_PA_BLK_SHIFT)]);

	return &blk[i & (GH_PA_BLK_WORDS - 1)];
}

/* Where the pointer to the block of chunk @ci is; NULL if nowhere yet. */
static struct gh_pa_chunk **pa_chunk_slot(struct gh_pagealloc *pa,
					  unsigned long ci)
{
	unsigned long blk = ci / GH_PA_CHUNKS_PER_BLK;
	struct gh_pa_chunk **dir =
		READ_ONCE(pa->chunks[blk >> GH_PA_BLK_SHIFT]);

	return dir ? &dir[blk & (GH_PA_BLK_WORDS - 1)] : NULL;
}

static struct gh_pa_chunk *pa_chunk(struct gh_pagealloc *pa,
				    unsigned long ci)
{
	struct gh_pa_chunk **slot = pa_chunk_slot(pa, ci);
	struct gh_pa_chunk *blk = slot ? READ_ONCE(*slot) : NULL;

	return blk ? &blk[ci % GH_PA_CHUNKS_PER_BLK] : NULL;
}

static u64 *pa_dirty_word(struct gh_pagealloc *pa, unsigned long i)
{
	u64 *blk = READ_ONCE(pa->dirty[i >> GH_PA_BLK_SHIFT]);

	return blk ? &blk[i & (GH_PA_BLK_WORDS - 1)] : NULL;
}

/*
 * Puts a block of zeros where @slot points, unless something is there that is
 * not @none. A block of zeros means the same as @none, so it does not matter
 * when readers begin to see it.
 */
static int pa_install(struct gh_pagealloc *pa, void **slot, const void *none,
		      gfp_t gfp)
{
	unsigned long blk;

	if (READ_ONCE(*slot) != none)
		return 0;
	if (gh_fault(GH_FAULT_META))
		return -ENOMEM;
	blk = get_zeroed_page(gh_gfp_meta(gfp) | pa->account);
	if (!blk)
		return -ENOMEM;
	if (cmpxchg(slot, (void *)none, (void *)blk) != none)
		free_page(blk);
	else
		atomic_long_add(PAGE_SIZE, &pa->meta_bytes);
	return 0;
}

static int pa_prepare_chunk(struct gh_pagealloc *pa, unsigned long ci,
			    gfp_t gfp)
{
	unsigned long blk = ci / GH_PA_CHUNKS_PER_BLK;
	unsigned long dirty = ci / 64 >> GH_PA_BLK_SHIFT;
	unsigned int level;
	int err;

	for (level = 1; level < GH_PA_LEVELS; level++) {
		unsigned long i = ci >> (pa_shift[level] - GH_CHUNK_SHIFT);

		i = pa_blk0[level] + (i >> GH_PA_BLK_SHIFT);
		err = pa_install(pa, (void **)&pa->sums[i], pa_full_blk,
				 gfp);
		if (err)
			return err;
	}
	err = pa_install(pa, (void **)&pa->dirty[dirty], NULL, gfp);
	if (err)
		return err;
	err = pa_install(pa, (void **)&pa->chunks[blk >> GH_PA_BLK_SHIFT],
			 NULL, gfp);
	if (err)
		return err;
	return pa_install(pa, (void **)pa_chunk_slot(pa, ci), NULL, gfp);
}

/* ---- summaries ---------------------------------------------------------- */

static u64 pa_compute(struct gh_pagealloc *pa, unsigned int level,
		      unsigned long i)
{
	if (level == GH_PA_LEAF)
		return gh_pa_summarize(pa_chunk(pa, i));
	return gh_pa_merge(pa_sum(pa, level + 1, i << GH_PA_LEVEL_BITS),
			   pa_shift[level + 1]);
}

/*
 * Brings the summaries over pages [@page, @page + @npages) up to date, level
 * by level, as far as they change.
 */
static void pa_update(struct gh_pagealloc *pa, unsigned long page,
		      unsigned long npages)
{
	unsigned long lo = page >> GH_CHUNK_SHIFT;
	unsigned long hi = (page + npages - 1) >> GH_CHUNK_SHIFT;
	int level;

	for (level = GH_PA_LEAF; level >= 0; level--) {
		unsigned long i, first = GH_MAX_CHUNKS, last = 0;

		for (i = lo; i <= hi; i++) {
			u64 *sum = pa_sum(pa, level, i);
			u64 now = pa_compute(pa, level, i);

			if (*sum == now)
				continue;
			*sum = now;
			first = min(first, i);
			last = i;
		}
		if (first > last)
			return;
		lo = first >> GH_PA_LEVEL_BITS;
		hi = last >> GH_PA_LEVEL_BITS;
	}
}

/* ---- ranges of pages ---------------------------------------------------- */

static unsigned long pa_word_not_free(u64 *free, u64 *tag, u64 mask)
{
	return hweight64(~*free & mask);
}

static unsigned long pa_word_not_allocated(u64 *free, u64 *tag, u64 mask)
{
	return hweight64((*free | ~*tag) & mask);
}

static unsigned long pa_word_not_absent(u64 *free, u64 *tag, u64 mask)
{
	return hweight64((*free | *tag) & mask);
}

/* Returns how many pages were scavenged. */
static unsigned long pa_word_take(u64 *free, u64 *tag, u64 mask)
{
	unsigned long nscav = hweight64(*free & *tag & mask);

	*free &= ~mask;
	*tag |= mask;
	return nscav;
}

static unsigned long pa_word_give(u64 *free, u64 *tag, u64 mask)
{
	*free |= mask;
	*tag &= ~mask;
	return 0;
}

static unsigned long pa_word_give_scavenged(u64 *free, u64 *tag, u64 mask)
{
	*free |= mask;
	*tag |= mask;
	return 0;
}

/* Returns how many pages were scavenged. */
static unsigned long pa_word_remove(u64 *free, u64 *tag, u64 mask)
{
	unsigned long nscav = hweight64(*free & *tag & mask);

	*free &= ~mask;
	*tag &= ~mask;
	return nscav;
}

typedef unsigned long (*pa_word_fn)(u64 *free, u64 *tag, u64 mask);

/*
 * Calls @fn for each word of pages [@page, @page + @npages), all of which have
 * chunks, with the mask of the pages in question. Inlined with @fn.
 *
 * Returns the sum of what @fn returned.
 */
static __always_inline unsigned long
pa_apply(struct gh_pagealloc *pa, unsigned long page, unsigned long npages,
	 pa_word_fn fn)
{
	unsigned long end = page + npages, sum = 0;

	while (page < end) {
		unsigned long ci = page >> GH_CHUNK_SHIFT;
		struct gh_pa_chunk *chunk = pa_chunk(pa, ci);
		unsigned int w = page % GH_CHUNK_PAGES / 64;

		do {
			unsigned int bit = page % 64;
			unsigned int n = min(64UL - bit, end - page);

			sum += fn(&chunk->free[w], &chunk->tag[w],
				  ~0ULL >> (64 - n) << bit);
			page += n;
		} while (++w < GH_CHUNK_WORDS && page < end);
	}
	return sum;
}

/* Whether the pages are in the index space and all their chunks exist. */
static bool pa_covered(struct gh_pagealloc *pa, unsigned long page,
		       unsigned long npages)
{
	unsigned long ci = page >> GH_CHUNK_SHIFT;

	if (!npages || page >= GH_MAX_PAGES || npages > GH_MAX_PAGES - page)
		return false;
	for (; ci <= (page + npages - 1) >> GH_CHUNK_SHIFT; ci++) {
		if (!pa_chunk(pa, ci))
			return false;
	}
	return true;
}

static void pa_count(struct gh_pagealloc *pa, long nfree, long nscav,
		     long ninuse)
{
	WRITE_ONCE(pa->nfree, pa->nfree + nfree);
	WRITE_ONCE(pa->nscav, pa->nscav + nscav);
	WRITE_ONCE(pa->ninuse, pa->ninuse + ninuse);
}

/* ---- chunks for the scavenger ------------------------------------------- */

/*
 * A chunk with free committed pages has its bit in dirty set, and a word of
 * dirty that is not zero has its bit in dirty_top set. Both may be set without
 * need, because only the scavenger clears them, when it finds nothing.
 */
static void pa_mark_dirty(struct gh_pagealloc *pa, unsigned long page,
			  unsigned long npages)
{
	unsigned long ci = page >> GH_CHUNK_SHIFT;
	unsigned long last = (page + npages - 1) >> GH_CHUNK_SHIFT;

	for (; ci <= last; ci++) {
		u64 *word = pa_dirty_word(pa, ci / 64);
		u64 bit = 1ULL << (ci % 64);

		if (*word & bit)
			continue;
		*word |= bit;
		pa->dirty_top[ci / 64 / 64] |= 1ULL << (ci / 64 % 64);
	}
}

static void pa_clear_dirty(struct gh_pagealloc *pa, unsigned long ci)
{
	u64 *word = pa_dirty_word(pa, ci / 64);

	*word &= ~(1ULL << (ci % 64));
	if (!*word)
		pa->dirty_top[ci / 64 / 64] &= ~(1ULL << (ci / 64 % 64));
}

/* The highest chunk that may have free committed pages. */
static bool pa_last_dirty(struct gh_pagealloc *pa, unsigned long *ci)
{
	unsigned int i;

	for (i = GH_PA_DIRTY_TOP; i-- > 0; ) {
		unsigned long word;

		if (!pa->dirty_top[i])
			continue;
		word = i * 64 + fls64(pa->dirty_top[i]) - 1;
		*ci = word * 64 + fls64(*pa_dirty_word(pa, word)) - 1;
		return true;
	}
	return false;
}

/*
 * The highest run of free committed pages of a chunk, cut from below to at
 * most @max pages. Returns its length; *@start is a page's index in the chunk.
 */
static unsigned int pa_last_committed(const struct gh_pa_chunk *chunk,
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

/* ---- taking and freeing ------------------------------------------------- */

/* Free pages become allocated. Returns how many were scavenged. */
static unsigned long pa_take(struct gh_pagealloc *pa, unsigned long page,
			     unsigned long npages)
{
	unsigned long nscav = pa_apply(pa, page, npages, pa_word_take);

	pa_update(pa, page, npages);
	pa_count(pa, -npages, -nscav, npages);
	return nscav;
}

/* Pages become free, of which @ninuse were allocated and the rest absent. */
static void pa_give(struct gh_pagealloc *pa, unsigned long page,
		    unsigned long npages, bool scavenged, unsigned long ninuse)
{
	if (scavenged) {
		pa_apply(pa, page, npages, pa_word_give_scavenged);
	} else {
		pa_apply(pa, page, npages, pa_word_give);
		pa_mark_dirty(pa, page, npages);
	}

	pa_update(pa, page, npages);
	pa_count(pa, npages, scavenged ? npages : 0, -ninuse);
	pa->search = min(pa->search, page);
}

/* ---- search ------------------------------------------------------------- */

/**
 * struct pa_find - a search for the lowest run
 * @npages: pages wanted
 * @align: first page is to be a multiple of this power of two
 * @starts: the positions in a word that are multiples of @align
 * @start: first page of the free run that was seen last
 * @end: page after that run
 * @hint: no page below this is free
 * @hint_done: @hint cannot be raised any further
 */
struct pa_find {
	unsigned long npages;
	unsigned long align;
	u64 starts;
	unsigned long start;
	unsigned long end;
	unsigned long hint;
	bool hint_done;
};

/*
 * Notes that pages [@page, @page + @npages) are free, and extends the run seen
 * last if they follow it. Returns whether what was asked for fits in the run.
 */
static bool pa_extend(struct pa_find *f, unsigned long page,
		      unsigned long npages)
{
	if (f->end != page)
		f->start = page;
	f->end = page + npages;
	return ALIGN(f->start, f->align) + f->npages <= f->end;
}

/* Looks inside a chunk; goes on with the run that ends where it starts. */
static bool pa_find_in_chunk(struct pa_find *f,
			     const struct gh_pa_chunk *chunk,
			     unsigned long base)
{
	unsigned int w;

	for (w = 0; w < GH_CHUNK_WORDS; w++, base += 64) {
		u64 x = chunk->free[w], runs;
		unsigned int n = gh_pa_low_ones(x);

		if (!x)
			continue;
		if (!f->hint_done) {
			f->hint = base + __ffs64(x);
			f->hint_done = true;
		}
		if (n && pa_extend(f, base, n))
			return true;
		if (n == 64)
			continue;
		if (f->npages < 64) {
			runs = gh_pa_runs(x, f->npages) & f->starts;
			if (runs) {
				f->start = base + __ffs64(runs);
				return true;
			}
		}
		n = gh_pa_high_ones(x);
		if (n)
			pa_extend(f, base + 64 - n, n);
	}
	return false;
}

/*
 * Address-ordered first fit: walks the tree from left to right, going down
 * where the run must be, or may be when an alignment is asked for, and up
 * again at the end of a group.
 */
static bool pa_walk(struct gh_pagealloc *pa, struct pa_find *f)
{
	unsigned long i = pa->search >> GH_PA_ROOT_SHIFT;
	unsigned long group_end = GH_PA_ROOT_ENTRIES;
	unsigned int level = 0;

	for (;;) {
		unsigned int shift = pa_shift[level];
		unsigned long pages = 1UL << shift, base = i << shift;
		struct gh_pa_sum s;
		u64 packed;
		bool down;

		if (i == group_end) {
			if (!level)
				return false;
			/* Now @i is the first entry after the parent's. */
			level--;
			i >>= GH_PA_LEVEL_BITS;
			group_end = level ? ALIGN(i, GH_PA_FANOUT) :
					    GH_PA_ROOT_ENTRIES;
			continue;
		}

		packed = *pa_sum(pa, level, i++);
		if (!packed)
			continue;
		s = gh_pa_unpack(packed);
		/* Must the run, if it is here, be inside of the entry? */
		down = s.max >= f->npages && s.start != pages;
		if (!f->hint_done) {
			f->hint = base;
			/* Only going down can raise it further. */
			f->hint_done = s.start || !down;
		}

		if (!down) {
			if (s.start && pa_extend(f, base, s.start))
				return true;
			if (s.end && s.start != pages)
				pa_extend(f, base + pages - s.end, s.end);
		} else if (level < GH_PA_LEAF) {
			level++;
			i = (i - 1) << GH_PA_LEVEL_BITS;
			group_end = i + GH_PA_FANOUT;
		} else if (pa_find_in_chunk(f, pa_chunk(pa, i - 1),
					    base)) {
			return true;
		}
	}
}

/*
 * Finds the lowest run and raises the search hint to what was learnt on the
 * way; taking the run is left to the caller.
 */
static bool pa_find(struct gh_pagealloc *pa, unsigned long npages,
		    unsigned long align, unsigned long *page)
{
	unsigned long ci = pa->search >> GH_CHUNK_SHIFT;
	struct pa_find f = {
		.npages = npages,
		.align = align,
		.starts = align < 64,
	};
	bool found = false;

	if (!npages || npages > pa->nfree)
		return false;
	for (; align < 64; align *= 2)
		f.starts |= f.starts << align;

	/* Most often the run is in the chunk where the search starts. */
	if (ci < GH_MAX_CHUNKS &&
	    gh_pa_unpack(*pa_sum(pa, GH_PA_LEAF, ci)).max >= npages)
		found = pa_find_in_chunk(&f, pa_chunk(pa, ci),
					 ci << GH_CHUNK_SHIFT);
	if (!found) {
		f.start = 0;
		f.end = 0;
		found = pa_walk(pa, &f);
	}
	pa->search = max(pa->search, f.hint);
	*page = ALIGN(f.start, f.align);
	return found;
}

/* ---- for the heap ------------------------------------------------------- */

/**
 * gh_pagealloc_init() - make an empty index space
 * @pa: the page allocator; must not be moved afterwards
 *
 * Allocates nothing; gh_pagealloc_prepare() does.
 *
 * Context: any.
 */
void gh_pagealloc_init(struct gh_pagealloc *pa)
{
	unsigned int i;

	memset(pa, 0, sizeof(*pa));
	pa->search = GH_MAX_PAGES;
	pa->sums[0] = pa->root;
	for (i = 1; i < GH_PA_SUM_BLKS; i++)
		pa->sums[i] = (u64 *)pa_full_blk;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_init);

/**
 * gh_pagealloc_destroy() - free the metadata
 * @pa: the page allocator; empty and ready for use afterwards
 *
 * Context: any that may free pages; nobody else uses @pa.
 */
void gh_pagealloc_destroy(struct gh_pagealloc *pa)
{
	unsigned long i, j;

	for (i = 1; i < GH_PA_SUM_BLKS; i++) {
		if (pa->sums[i] != pa_full_blk)
			free_page((unsigned long)pa->sums[i]);
	}
	for (i = 0; i < GH_PA_DIRTY_BLKS; i++)
		free_page((unsigned long)pa->dirty[i]);
	for (i = 0; i < GH_PA_CHUNK_DIRS; i++) {
		if (!pa->chunks[i])
			continue;
		for (j = 0; j < GH_PA_BLK_WORDS; j++)
			free_page((unsigned long)pa->chunks[i][j]);
		free_page((unsigned long)pa->chunks[i]);
	}
	gh_pagealloc_init(pa);
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_destroy);

/* Growth is by whole chunks, within the index space. */
static bool pa_growable(unsigned long start, unsigned long npages)
{
	return npages && start < GH_MAX_PAGES &&
	       npages <= GH_MAX_PAGES - start &&
	       IS_ALIGNED(start | npages, GH_CHUNK_PAGES);
}

/**
 * gh_pagealloc_prepare() - allocate the metadata for a range of pages
 * @pa: the page allocator
 * @start: first page, a multiple of GH_CHUNK_PAGES
 * @npages: pages, a multiple of GH_CHUNK_PAGES
 * @gfp: how to get memory
 *
 * Changes nothing that others see, may be repeated, and may run while others
 * hold the lock. What it allocates is kept until gh_pagealloc_destroy().
 *
 * Context: any that @gfp allows; without the lock.
 * Return: 0, -ENOMEM with a part done, or -EINVAL for a range that cannot be.
 */
int gh_pagealloc_prepare(struct gh_pagealloc *pa, unsigned long start,
			 unsigned long npages, gfp_t gfp)
{
	unsigned long ci, end = (start + npages) >> GH_CHUNK_SHIFT;
	int err;

	if (!pa_growable(start, npages))
		return -EINVAL;
	for (ci = start >> GH_CHUNK_SHIFT; ci < end; ci++) {
		err = pa_prepare_chunk(pa, ci, gfp);
		if (err)
			return err;
	}
	return 0;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_prepare);

/**
 * gh_pagealloc_grow() - add pages to the heap, all free
 * @pa: the page allocator
 * @start: first page, a multiple of GH_CHUNK_PAGES
 * @npages: pages, a multiple of GH_CHUNK_PAGES; all absent, all prepared
 * @scavenged: whether they have no memory behind them yet
 *
 * A run may cross from one growth into the next: leave a chunk absent between
 * ranges whose memory is not contiguous.
 *
 * Context: the lock is held.
 * Return: false, with nothing changed, if the range is not as described.
 */
bool gh_pagealloc_grow(struct gh_pagealloc *pa, unsigned long start,
		       unsigned long npages, bool scavenged)
{
	if (WARN_ON_ONCE(!pa_growable(start, npages) ||
			 !pa_covered(pa, start, npages)))
		return false;
	if (pa_apply(pa, start, npages, pa_word_not_absent))
		return false;
	pa_give(pa, start, npages, scavenged, 0);
	return true;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_grow);

/**
 * gh_pagealloc_ungrow() - take pages out of the heap
 * @pa: the page allocator
 * @start: first page, a multiple of GH_CHUNK_PAGES
 * @npages: pages, a multiple of GH_CHUNK_PAGES; all free
 *
 * The metadata stays, so the range may be grown again without preparing it.
 *
 * Context: the lock is held.
 * Return: false, with nothing changed, if a page is not free.
 */
bool gh_pagealloc_ungrow(struct gh_pagealloc *pa, unsigned long start,
			 unsigned long npages)
{
	unsigned long nscav;

	if (!pa_growable(start, npages) ||
	    !pa_covered(pa, start, npages) ||
	    pa_apply(pa, start, npages, pa_word_not_free))
		return false;
	nscav = pa_apply(pa, start, npages, pa_word_remove);
	pa_update(pa, start, npages);
	pa_count(pa, -npages, -nscav, 0);
	return true;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_ungrow);

/**
 * gh_pagealloc_alloc_aligned() - allocate the lowest aligned run of pages
 * @pa: the page allocator
 * @npages: pages
 * @align: pages; a power of two, at most GH_CHUNK_PAGES
 * @page: set to the first page, a multiple of @align
 * @nscav: set to how many of the pages are scavenged, and need memory
 *
 * Where alignment spoils many runs that are long enough, all of them are
 * looked at.
 *
 * Context: the lock is held.
 * Return: false if there is no such run; @page and @nscav are then undefined.
 */
bool gh_pagealloc_alloc_aligned(struct gh_pagealloc *pa, unsigned long npages,
				unsigned long align, unsigned long *page,
				unsigned long *nscav)
{
	if (WARN_ON_ONCE(!is_power_of_2(align) || align > GH_CHUNK_PAGES))
		return false;
	if (!pa_find(pa, npages, align, page))
		return false;
	*nscav = pa_take(pa, *page, npages);
	if (pa->search == *page)
		pa->search += npages;
	return true;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_alloc_aligned);

/**
 * gh_pagealloc_alloc() - allocate the lowest run of pages
 * @pa: the page allocator
 * @npages: pages
 * @page: set to the first page
 * @nscav: set to how many of the pages are scavenged, and need memory
 *
 * Context: the lock is held.
 * Return: false if there is no such run; @page and @nscav are then undefined.
 */
bool gh_pagealloc_alloc(struct gh_pagealloc *pa, unsigned long npages,
			unsigned long *page, unsigned long *nscav)
{
	return gh_pagealloc_alloc_aligned(pa, npages, 1, page, nscav);
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_alloc);

/**
 * gh_pagealloc_alloc_at() - allocate particular pages
 * @pa: the page allocator
 * @page: first page
 * @npages: pages
 * @nscav: set to how many of the pages are scavenged, and need memory
 *
 * Context: the lock is held.
 * Return: false, with nothing changed, if a page is not free.
 */
bool gh_pagealloc_alloc_at(struct gh_pagealloc *pa, unsigned long page,
			   unsigned long npages, unsigned long *nscav)
{
	if (!pa_covered(pa, page, npages) ||
	    pa_apply(pa, page, npages, pa_word_not_free))
		return false;
	*nscav = pa_take(pa, page, npages);
	return true;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_alloc_at);

/**
 * gh_pagealloc_free_scav() - free pages, with or without memory
 * @pa: the page allocator
 * @page: first page
 * @npages: pages; any allocated ones, not necessarily one allocation
 * @scavenged: whether the pages have no memory behind them
 *
 * Context: the lock is held.
 * Return: false, with nothing changed, if a page is not allocated.
 */
bool gh_pagealloc_free_scav(struct gh_pagealloc *pa, unsigned long page,
			    unsigned long npages, bool scavenged)
{
	if (!pa_covered(pa, page, npages) ||
	    pa_apply(pa, page, npages, pa_word_not_allocated))
		return false;
	pa_give(pa, page, npages, scavenged, npages);
	return true;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_free_scav);

/**
 * gh_pagealloc_free() - free pages that have memory
 * @pa: the page allocator
 * @page: first page
 * @npages: pages; any allocated ones, not necessarily one allocation
 *
 * Context: the lock is held.
 * Return: false, with nothing changed, if a page is not allocated.
 */
bool gh_pagealloc_free(struct gh_pagealloc *pa, unsigned long page,
		       unsigned long npages)
{
	return gh_pagealloc_free_scav(pa, page, npages, false);
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_free);

/* ---- page cache --------------------------------------------------------- */

/**
 * gh_pagecache_alloc() - allocate a few pages from a page cache
 * @pc: the cache
 * @npages: pages, less than GH_PAGECACHE_LIMIT
 * @page: set to the first page
 * @nscav: set to how many of the pages are scavenged, and need memory
 *
 * Pages from a cache are freed with gh_pagealloc_free(), as all pages are.
 *
 * Context: whatever protects @pc.
 * Return: false if the cache has no such run.
 */
bool gh_pagecache_alloc(struct gh_pagecache *pc, unsigned int npages,
			unsigned long *page, unsigned long *nscav)
{
	unsigned int i;
	u64 runs, mask;

	if (!npages || npages >= GH_PAGECACHE_LIMIT)
		return false;
	runs = gh_pa_runs(pc->cache, npages);
	if (!runs)
		return false;
	i = __ffs64(runs);
	mask = ((1ULL << npages) - 1) << i;
	*page = pc->base + i;
	*nscav = hweight64(pc->scav & mask);
	pc->cache &= ~mask;
	pc->scav &= ~mask;
	return true;
}
GH_EXPORT_FOR_TESTS(gh_pagecache_alloc);

/**
 * gh_pagealloc_fill_cache() - fill a page cache
 * @pa: the page allocator
 * @pc: the cache; left alone if it is not empty
 *
 * The cache gets all free pages of the first aligned block of 64 that has any.
 * They count as allocated while they are in it.
 *
 * Context: the lock is held, and whatever protects @pc.
 * Return: false if no page is free, true if the cache is not empty now.
 */
bool gh_pagealloc_fill_cache(struct gh_pagealloc *pa, struct gh_pagecache *pc)
{
	struct gh_pa_chunk *chunk;
	unsigned long page;
	unsigned int w;

	if (pc->cache)
		return true;
	if (!pa_find(pa, 1, 1, &page))
		return false;
	chunk = pa_chunk(pa, page >> GH_CHUNK_SHIFT);
	w = page % GH_CHUNK_PAGES / 64;

	pc->base = page & ~63UL;
	pc->cache = chunk->free[w];
	pc->scav = chunk->free[w] & chunk->tag[w];
	chunk->tag[w] |= chunk->free[w];
	chunk->free[w] = 0;

	pa_update(pa, page, 1);
	pa_count(pa, -(long)hweight64(pc->cache),
		 -(long)hweight64(pc->scav), hweight64(pc->cache));
	/* @page was the lowest of all, and the rest of its block is gone. */
	pa->search = pc->base + 64;
	return true;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_fill_cache);

/**
 * gh_pagecache_flush() - free the pages of a page cache
 * @pa: the page allocator
 * @pc: the cache; empty afterwards
 *
 * Context: the lock is held, and whatever protects @pc.
 */
void gh_pagecache_flush(struct gh_pagealloc *pa, struct gh_pagecache *pc)
{
	unsigned int w = pc->base % GH_CHUNK_PAGES / 64;
	struct gh_pa_chunk *chunk;

	if (!pc->cache)
		return;
	chunk = pa_chunk(pa, pc->base >> GH_CHUNK_SHIFT);
	chunk->free[w] |= pc->cache;
	chunk->tag[w] &= ~pc->cache | pc->scav;

	if (pc->cache & ~pc->scav)
		pa_mark_dirty(pa, pc->base, 1);
	pa_update(pa, pc->base, 1);
	pa_count(pa, hweight64(pc->cache), hweight64(pc->scav),
		 -(long)hweight64(pc->cache));
	pa->search = min(pa->search, pc->base + __ffs64(pc->cache));
	pc->cache = 0;
	pc->scav = 0;
}
GH_EXPORT_FOR_TESTS(gh_pagecache_flush);

/* ---- scavenging --------------------------------------------------------- */

/**
 * gh_pagealloc_scavenge_take() - take free pages that have memory
 * @pa: the page allocator
 * @max_pages: at most this many
 * @page: set to the first page
 *
 * Takes the highest run of free pages that have memory, cut from below to
 * @max_pages, and within one chunk. The pages count as allocated, so that
 * nobody else gets them while the caller decommits them without the lock;
 * gh_pagealloc_scavenge_done() frees them.
 *
 * Context: the lock is held.
 * Return: pages taken; 0 if there are none.
 */
unsigned long gh_pagealloc_scavenge_take(struct gh_pagealloc *pa,
					 unsigned long max_pages,
					 unsigned long *page)
{
	unsigned int start, npages = 0;
	unsigned long ci;

	while (max_pages && pa_last_dirty(pa, &ci)) {
		npages = pa_last_committed(pa_chunk(pa, ci), max_pages,
					   &start);
		if (npages)
			break;
		pa_clear_dirty(pa, ci);
	}
	if (!npages)
		return 0;
	*page = (ci << GH_CHUNK_SHIFT) + start;
	pa_take(pa, *page, npages);
	return npages;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_scavenge_take);

/**
 * gh_pagealloc_scavenge_done() - free pages whose memory was decommitted
 * @pa: the page allocator
 * @page: first page
 * @npages: pages; all allocated
 *
 * Context: the lock is held.
 * Return: false, with nothing changed, if a page is not allocated.
 */
bool gh_pagealloc_scavenge_done(struct gh_pagealloc *pa, unsigned long page,
				unsigned long npages)
{
	return gh_pagealloc_free_scav(pa, page, npages, true);
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_scavenge_done);

/* ---- looking ------------------------------------------------------------ */

/**
 * gh_pagealloc_state() - what a page is
 * @pa: the page allocator
 * @page: any index
 *
 * Context: the lock is held.
 * Return: its state.
 */
enum gh_page_state gh_pagealloc_state(struct gh_pagealloc *pa,
				      unsigned long page)
{
	unsigned int w = page % GH_CHUNK_PAGES / 64;
	struct gh_pa_chunk *chunk;

	if (page >= GH_MAX_PAGES)
		return GH_PAGE_ABSENT;
	chunk = pa_chunk(pa, page >> GH_CHUNK_SHIFT);
	if (!chunk)
		return GH_PAGE_ABSENT;
	/* The values of the enum are the two bits. */
	return (chunk->free[w] >> page % 64 & 1) << 1 |
	       (chunk->tag[w] >> page % 64 & 1);
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_state);

/* Pages from @page on, in its word, that are in @state. */
static unsigned int pa_run_in_word(const struct gh_pa_chunk *chunk,
				   unsigned long page,
				   enum gh_page_state state)
{
	unsigned int w = page % GH_CHUNK_PAGES / 64;
	u64 free = state & 2 ? chunk->free[w] : ~chunk->free[w];
	u64 tag = state & 1 ? chunk->tag[w] : ~chunk->tag[w];

	return gh_pa_low_ones((free & tag) >> page % 64);
}

/**
 * gh_pagealloc_run() - how far a state extends
 * @pa: the page allocator
 * @page: first page to look at
 * @end: first page not to look at
 * @state: set to the state of @page
 *
 * To visit all pages, step by what this returns until it returns 0.
 *
 * Context: the lock is held.
 * Return: pages from @page on, up to @end, that are in the same state.
 */
unsigned long gh_pagealloc_run(struct gh_pagealloc *pa, unsigned long page,
			       unsigned long end, enum gh_page_state *state)
{
	unsigned long p = page;

	end = min(end, GH_MAX_PAGES);
	if (page >= end)
		return 0;
	*state = gh_pagealloc_state(pa, page);
	while (p < end) {
		const struct gh_pa_chunk *chunk =
			pa_chunk(pa, p >> GH_CHUNK_SHIFT);
		unsigned int n;

		if (!chunk) {
			if (*state != GH_PAGE_ABSENT)
				break;
			p = ALIGN(p + 1, GH_CHUNK_PAGES);
			continue;
		}
		n = pa_run_in_word(chunk, p, *state);
		p += n;
		if (!n || p % 64)
			break;
	}
	return min(p, end) - page;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_run);

/* ---- self check --------------------------------------------------------- */

struct pa_totals {
	unsigned long nfree;
	unsigned long nscav;
	unsigned long ninuse;
};

/*
 * The first entry from @i on that has a block. Blocks are made from the root
 * down, so where there is none there is nothing below either.
 */
static unsigned long pa_next_made(struct gh_pagealloc *pa,
				  unsigned int level, unsigned long i)
{
	unsigned long end = GH_MAX_PAGES >> pa_shift[level];

	while (i < end && pa_sum(pa, level, i) == pa_full_blk)
		i += GH_PA_BLK_WORDS;
	return i;
}

/* Checks a chunk and adds up what it holds. */
static bool pa_verify_chunk(struct gh_pagealloc *pa, unsigned long ci,
			    struct pa_totals *sum)
{
	const struct gh_pa_chunk *chunk = pa_chunk(pa, ci);
	u64 *dirty = pa_dirty_word(pa, ci / 64);
	unsigned int w;

	if (!chunk)
		return !*pa_sum(pa, GH_PA_LEAF, ci);
	if (*pa_sum(pa, GH_PA_LEAF, ci) != gh_pa_summarize(chunk))
		return false;
	for (w = 0; w < GH_CHUNK_WORDS; w++) {
		u64 free = chunk->free[w], tag = chunk->tag[w];

		if (free && (ci << GH_CHUNK_SHIFT) + w * 64 + __ffs64(free) <
			    pa->search)
			return false;
		if ((free & ~tag) &&
		    (!(*dirty >> ci % 64 & 1) ||
		     !(pa->dirty_top[ci / 64 / 64] >> ci / 64 % 64 & 1)))
			return false;
		sum->nfree += hweight64(free);
		sum->nscav += hweight64(free & tag);
		sum->ninuse += hweight64(~free & tag);
	}
	return true;
}

/**
 * gh_pagealloc_verify() - check everything against everything
 * @pa: the page allocator
 *
 * Recomputes each summary, the counters, and what the hints promise. Slow: for
 * tests.
 *
 * Context: the lock is held.
 * Return: whether all is consistent.
 */
bool gh_pagealloc_verify(struct gh_pagealloc *pa)
{
	struct pa_totals sum = { 0 };
	unsigned int level;

	for (level = 0; level < GH_PA_LEVELS; level++) {
		unsigned long i = pa_next_made(pa, level, 0);

		while (i < GH_MAX_PAGES >> pa_shift[level]) {
			if (level == GH_PA_LEAF ?
			    !pa_verify_chunk(pa, i, &sum) :
			    *pa_sum(pa, level, i) !=
			    pa_compute(pa, level, i))
				return false;
			i = pa_next_made(pa, level, i + 1);
		}
	}
	return sum.nfree == pa->nfree && sum.nscav == pa->nscav &&
	       sum.ninuse == pa->ninuse;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_verify);
