// SPDX-License-Identifier: GPL-2.0-only
/*
 * pagealloc: which pages of a heap are free, and where a run of them is.
 *
 * pagestate.c knows what each page is, by chunks of 512 pages. Above the chunks
 * is a radix tree of summaries. A summary packs three numbers about a range of
 * pages into one word: how many pages are free at its start, the longest free
 * run in it, and how many are free at its end.
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
 * entry whose max says that the run is inside. Root entries that cannot have
 * the run are passed by one number each, the reach.
 *
 * When pages change, two entries of a level are recomputed at most: the first
 * and the last that the pages are in, up to the level where nothing changes.
 * The entries between these are all free, or have nothing free, and are written
 * as such.
 *
 * So a call takes about as long in a fragmented heap as in an empty one, and in
 * a large heap as in a small one: with runs of up to 4096 pages it executes
 * less than 5,000 instructions. A longer run adds two stores a chunk. The one
 * exception is a search for aligned runs, which has no such bound: see
 * gh_pagealloc_alloc_aligned().
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
#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "compat.h"
#include "gfp.h"
#include "pagealloc.h"
#include "pagestate.h"
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

static_assert(GH_PA_LEAF * GH_PA_LEVEL_BITS + GH_CHUNK_SHIFT ==
	      GH_PA_ROOT_SHIFT);
static_assert(GH_PA_BLK_WORDS >= GH_PA_ROOT_ENTRIES);

/* ---- summaries ---------------------------------------------------------- */

static u64 *pa_sum(struct gh_pagealloc *pa, unsigned int level,
		   unsigned long i)
{
	u64 *blk = READ_ONCE(pa->sums[pa_blk0[level] +
				      (i >> GH_PA_BLK_SHIFT)]);

	return &blk[i & (GH_PA_BLK_WORDS - 1)];
}

static int pa_prepare_chunk(struct gh_pagealloc *pa, unsigned long ci,
			    gfp_t gfp)
{
	unsigned int level;
	int err;

	for (level = 1; level < GH_PA_LEVELS; level++) {
		unsigned long i = ci >> (pa_shift[level] - GH_CHUNK_SHIFT);

		i = pa_blk0[level] + (i >> GH_PA_BLK_SHIFT);
		err = gh_pagestate_add_block((void **)&pa->sums[i],
					     gh_pagestate_zeros, gfp,
					     &pa->meta_bytes);
		if (err)
			return err;
	}
	return gh_pagestate_prepare(&pa->pages, ci, gfp, &pa->meta_bytes);
}

static u64 pa_compute(struct gh_pagealloc *pa, unsigned int level,
		      unsigned long i)
{
	unsigned int nfree;

	if (level < GH_PA_LEAF)
		return gh_pa_merge(pa_sum(pa, level + 1, i << GH_PA_LEVEL_BITS),
				   pa_shift[level + 1]);

	nfree = gh_pagestate_count(&pa->pages, i)->nfree;
	if (!nfree || nfree == GH_CHUNK_PAGES)
		return gh_pa_uniform(GH_CHUNK_SHIFT, nfree);
	return gh_pa_summarize(gh_pagestate_chunk(&pa->pages, i));
}

/* Brings one summary up to date. Returns whether it has changed. */
static bool pa_refresh(struct gh_pagealloc *pa, unsigned int level,
		       unsigned long i)
{
	u64 *sum = pa_sum(pa, level, i);
	u64 now = pa_compute(pa, level, i);

	if (*sum == now)
		return false;
	*sum = now;
	return true;
}

/* Writes entries [@i, @end) of a level. */
static void pa_fill(struct gh_pagealloc *pa, unsigned int level,
		    unsigned long i, unsigned long end, u64 sum)
{
	while (i < end) {
		unsigned long n = min(end - i,
				      GH_PA_BLK_WORDS - i % GH_PA_BLK_WORDS);

		memset64(pa_sum(pa, level, i), sum, n);
		i += n;
	}
}

/* The longest run that ends in root entry @i or lies inside of it, or more. */
static u32 pa_reach(const struct gh_pagealloc *pa, unsigned long i)
{
	u64 before = i ? pa->root[i - 1] : 0;
	struct gh_pa_sum s = gh_pa_unpack(pa->root[i]);

	if (pa->root[i] == GH_PA_ALL_FREE || before == GH_PA_ALL_FREE)
		return U32_MAX;
	return max(s.max, gh_pa_unpack(before).end + s.start);
}

/*
 * Brings the summaries over pages [@page, @page + @npages) up to date, all of
 * which were and are either free or not, as @free says they are now. The first
 * and the last entry of a level may have other pages as well, so they are
 * computed. If there are two, both have changed.
 */
static void pa_update(struct gh_pagealloc *pa, unsigned long page,
		      unsigned long npages, bool free)
{
	unsigned long lo, hi;
	int level;

	for (level = GH_PA_LEAF; level >= 0; level--) {
		unsigned int shift = pa_shift[level];
		bool changed;

		lo = page >> shift;
		hi = (page + npages - 1) >> shift;
		changed = pa_refresh(pa, level, lo);
		if (lo != hi) {
			pa_fill(pa, level, lo + 1, hi,
				gh_pa_uniform(shift, free));
			pa_refresh(pa, level, hi);
		}
		if (!changed)
			return;
	}
	hi = min(hi + 1, GH_PA_ROOT_ENTRIES - 1);
	for (; lo <= hi; lo++)
		pa->reach[lo] = pa_reach(pa, lo);
}

/* ---- taking and giving -------------------------------------------------- */

static void pa_count(struct gh_pagealloc *pa, long nfree, long nscav,
		     long ninuse)
{
	WRITE_ONCE(pa->nfree, pa->nfree + nfree);
	WRITE_ONCE(pa->nscav, pa->nscav + nscav);
	WRITE_ONCE(pa->ninuse, pa->ninuse + ninuse);
}

/* Free pages become allocated. Returns how many were scavenged. */
static unsigned long pa_take(struct gh_pagealloc *pa, unsigned long page,
			     unsigned long npages)
{
	unsigned long nscav = gh_pagestate_set(&pa->pages, page, npages,
					       GH_PAGE_ALLOCATED);

	pa_update(pa, page, npages, false);
	pa_count(pa, -npages, -nscav, npages);
	return nscav;
}

/* Pages become free, of which @ninuse were allocated and the rest absent. */
static void pa_give(struct gh_pagealloc *pa, unsigned long page,
		    unsigned long npages, bool scavenged, unsigned long ninuse)
{
	gh_pagestate_set(&pa->pages, page, npages,
			 scavenged ? GH_PAGE_SCAVENGED : GH_PAGE_FREE);
	pa_update(pa, page, npages, true);
	pa_count(pa, npages, scavenged ? npages : 0, -ninuse);
	pa->search = min(pa->search, page);
}

/* ---- search ------------------------------------------------------------- */

/**
 * struct pa_find - a search for the lowest run
 * @npages: pages wanted
 * @align: first page is to be a multiple of this power of two
 * @starts: positions in a word at which it can start and end in that word
 * @run: free pages that end where the search stands
 * @start: first page of the run that is found
 */
struct pa_find {
	unsigned long npages;
	unsigned long align;
	u64 starts;
	unsigned long run;
	unsigned long start;
};

/* The search stands at @base, and @n pages from there on are free. */
static bool pa_fits(struct pa_find *f, unsigned long base, unsigned long n)
{
	if (f->run + n < f->npages)
		return false;
	f->start = ALIGN(base - f->run, f->align);
	return f->start + f->npages <= base + n;
}

/* Looks inside a chunk; goes on with the run that ends where it starts. */
static bool pa_find_in_chunk(struct pa_find *f,
			     const struct gh_pa_chunk *chunk,
			     unsigned long base)
{
	unsigned int w;

	for (w = 0; w < GH_CHUNK_WORDS; w++, base += 64) {
		u64 x = chunk->free[w], runs = 0;

		if (pa_fits(f, base, gh_pa_low_ones(x)))
			return true;
		if (f->starts)
			runs = gh_pa_runs(x, f->npages) & f->starts;
		if (runs) {
			f->start = base + __ffs64(runs);
			return true;
		}
		f->run = ~x ? gh_pa_high_ones(x) : f->run + 64;
	}
	return false;
}

/*
 * Reads a group's entries from @i on, up to where the run is found, or to one
 * that it must be inside of, or may be when an alignment is asked for.
 *
 * Returns whether the run is found; *@next is the entry to go down into or @end.
 */
static bool pa_scan(struct gh_pagealloc *pa, struct pa_find *f,
		    unsigned int level, unsigned long i, unsigned long end,
		    unsigned long *next)
{
	unsigned int shift = pa_shift[level];
	u64 all_free = gh_pa_uniform(shift, true);
	const u64 *sum = pa_sum(pa, level, i);

	for (; i < end; i++, sum++) {
		struct gh_pa_sum s;

		if (*sum == all_free) {
			if (pa_fits(f, i << shift, 1UL << shift))
				return true;
			f->run += 1UL << shift;
			continue;
		}
		s = gh_pa_unpack(*sum);
		if (s.max >= f->npages)
			break;
		if (pa_fits(f, i << shift, s.start))
			return true;
		f->run = s.end;
	}
	*next = i;
	return false;
}

/*
 * Walks the tree below a root entry from left to right, down into entries and
 * up again at the end of a group.
 */
static bool pa_walk(struct gh_pagealloc *pa, struct pa_find *f,
		    unsigned long root)
{
	unsigned long i = root, end = root + 1;
	unsigned int level = 0;

	for (;;) {
		if (i < end && pa_scan(pa, f, level, i, end, &i))
			return true;

		if (i == end) {
			if (!level)
				return false;
			/* Now @i is the first entry after the parent's. */
			level--;
			i >>= GH_PA_LEVEL_BITS;
			end = level ? ALIGN(i, GH_PA_FANOUT) : root + 1;
		} else if (level < GH_PA_LEAF) {
			level++;
			i <<= GH_PA_LEVEL_BITS;
			end = i + GH_PA_FANOUT;
		} else {
			if (pa_find_in_chunk(f, gh_pagestate_chunk(&pa->pages, i),
					     i << GH_CHUNK_SHIFT))
				return true;
			i++;
		}
	}
}

/* The first root entry from @i on that a run of @npages can end in. */
static unsigned int pa_reaching(const struct gh_pagealloc *pa, unsigned int i,
				unsigned long npages)
{
	while (i < GH_PA_ROOT_ENTRIES && pa->reach[i] < npages)
		i++;
	return i;
}

/* Address-ordered first fit, in all of the tree. */
static bool pa_walk_all(struct gh_pagealloc *pa, struct pa_find *f)
{
	unsigned int i = pa->search >> GH_PA_ROOT_SHIFT;

	f->run = 0;
	for (;;) {
		i = pa_reaching(pa, i, f->npages);
		if (i == GH_PA_ROOT_ENTRIES)
			return false;
		if (i && pa->root[i - 1] != GH_PA_ALL_FREE)
			f->run = gh_pa_unpack(pa->root[i - 1]).end;
		if (pa_walk(pa, f, i))
			return true;
		i++;
	}
}

/* Raises the search hint to the first chunk that has a free page; one has. */
static unsigned long pa_first_chunk(struct gh_pagealloc *pa)
{
	unsigned long i = pa->search >> GH_CHUNK_SHIFT;
	unsigned int level;

	if (i < GH_MAX_CHUNKS && *pa_sum(pa, GH_PA_LEAF, i))
		return i;
	for (i = 0, level = 0; level < GH_PA_LEVELS; level++) {
		i = max(i << GH_PA_LEVEL_BITS, pa->search >> pa_shift[level]);
		while (!*pa_sum(pa, level, i))
			i++;
	}
	pa->search = i << GH_CHUNK_SHIFT;
	return i;
}

/* Finds the lowest run; taking it is left to the caller. */
static bool pa_find(struct gh_pagealloc *pa, unsigned long npages,
		    unsigned long align, unsigned long *page)
{
	struct pa_find f = { .npages = npages, .align = align };
	unsigned long ci, base;
	struct gh_pa_sum s;
	bool found;

	if (!npages || npages > pa->nfree)
		return false;
	/* Every @align'th bit; where it is 64 or more, runs start with words. */
	if (npages < 64 && align < 64)
		f.starts = ~0ULL / ((1ULL << align) - 1);

	/* Most often the run is in the first chunk that has free pages. */
	ci = pa_first_chunk(pa);
	base = ci << GH_CHUNK_SHIFT;
	s = gh_pa_unpack(*pa_sum(pa, GH_PA_LEAF, ci));
	found = pa_fits(&f, base, s.start) ||
		(s.max >= npages &&
		 pa_find_in_chunk(&f, gh_pagestate_chunk(&pa->pages, ci),
				  base)) ||
		pa_walk_all(pa, &f);
	*page = f.start;
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
		pa->sums[i] = (u64 *)gh_pagestate_zeros;
	gh_pagestate_init(&pa->pages);
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
	unsigned int i;

	for (i = 1; i < GH_PA_SUM_BLKS; i++)
		gh_pagestate_free_block(pa->sums[i], gh_pagestate_zeros,
					&pa->meta_bytes);
	gh_pagestate_destroy(&pa->pages, &pa->meta_bytes);
	WARN_ON_ONCE(atomic_long_read(&pa->meta_bytes));
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
	gfp = gh_gfp_meta(gfp) | pa->account;
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
	if (WARN_ON_ONCE(!pa_growable(start, npages)) ||
	    !gh_pagestate_all_absent(&pa->pages, start, npages))
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
	    !gh_pagestate_all(&pa->pages, start, npages, true))
		return false;
	nscav = gh_pagestate_set(&pa->pages, start, npages, GH_PAGE_ABSENT);
	pa_update(pa, start, npages, false);
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
 * Where alignment spoils runs that are long enough, all of them are looked at,
 * up to some 230 instructions a chunk. So heaps whose lock turns interrupts off
 * must not ask for an alignment; those of processes have a mutex, and 64 GiB at
 * most, which is 2^14 chunks.
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
	if (!gh_pagestate_all(&pa->pages, page, npages, true))
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
	if (!gh_pagestate_all(&pa->pages, page, npages, false))
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
	unsigned int ncached, nscav, w;
	struct gh_pa_chunk *chunk;
	unsigned long page;

	if (pc->cache)
		return true;
	if (!pa_find(pa, 1, 1, &page))
		return false;

	chunk = gh_pagestate_chunk(&pa->pages, page >> GH_CHUNK_SHIFT);
	w = page % GH_CHUNK_PAGES / 64;
	pc->base = page & ~63UL;
	pc->cache = chunk->free[w];
	pc->scav = chunk->free[w] & chunk->tag[w];

	ncached = hweight64(pc->cache);
	nscav = hweight64(pc->scav);
	gh_pagestate_set_word(&pa->pages, page, pc->cache, GH_PAGE_ALLOCATED);
	pa_update(pa, page, 1, false);
	pa_count(pa, -(long)ncached, -(long)nscav, ncached);
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
	unsigned int ncached = hweight64(pc->cache);

	if (!pc->cache)
		return;

	gh_pagestate_set_word(&pa->pages, pc->base, pc->cache & ~pc->scav,
			      GH_PAGE_FREE);
	gh_pagestate_set_word(&pa->pages, pc->base, pc->scav,
			      GH_PAGE_SCAVENGED);
	pa_update(pa, pc->base, 1, true);
	pa_count(pa, ncached, hweight64(pc->scav), -(long)ncached);
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
 * @max_pages, and within one chunk. Looks at no other chunk, however many had
 * such pages once. The pages count as allocated, so that
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
	unsigned long npages = 0;

	if (max_pages)
		npages = gh_pagestate_last_committed(&pa->pages, max_pages,
						     page);
	if (npages)
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
	enum gh_page_state state = GH_PAGE_ABSENT;

	gh_pagealloc_run(pa, page, page + 1, &state);
	return state;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_state);

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
	end = min(end, GH_MAX_PAGES);
	return page < end ? gh_pagestate_run(&pa->pages, page, end, state) : 0;
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_run);

/* ---- self check --------------------------------------------------------- */

/*
 * The first entry from @i on that has a block. Blocks are made from the root
 * down, so where there is none there is nothing below either.
 */
static unsigned long pa_next_made(struct gh_pagealloc *pa,
				  unsigned int level, unsigned long i)
{
	unsigned long end = GH_MAX_PAGES >> pa_shift[level];

	while (i < end && pa_sum(pa, level, i) == gh_pagestate_zeros)
		i += GH_PA_BLK_WORDS;
	return i;
}

/* Whether a chunk has no free page below the search hint. */
static bool pa_verify_search(struct gh_pagealloc *pa, unsigned long ci)
{
	unsigned long page = ci << GH_CHUNK_SHIFT, n;
	unsigned long end = min(page + GH_CHUNK_PAGES, pa->search);
	enum gh_page_state state;

	for (; page < end; page += n) {
		n = gh_pagestate_run(&pa->pages, page, end, &state);
		if (state == GH_PAGE_FREE || state == GH_PAGE_SCAVENGED)
			return false;
	}
	return true;
}

/* Whether an entry is right, and, of a leaf, the chunk below. */
static bool pa_verify_entry(struct gh_pagealloc *pa, unsigned int level,
			    unsigned long i)
{
	if (*pa_sum(pa, level, i) != pa_compute(pa, level, i) ||
	    (!level && pa->reach[i] != pa_reach(pa, i)))
		return false;
	return level < GH_PA_LEAF || (gh_pagestate_verify(&pa->pages, i) &&
				      pa_verify_search(pa, i));
}

/* Whether the counters are the sums of those of the chunks. */
static bool pa_verify_counters(struct gh_pagealloc *pa)
{
	unsigned long ci, nfree = 0, nscav = 0, ninuse = 0;

	for (ci = pa_next_made(pa, GH_PA_LEAF, 0); ci < GH_MAX_CHUNKS;
	     ci = pa_next_made(pa, GH_PA_LEAF, ci + 1)) {
		const struct gh_pa_count *count =
			gh_pagestate_count(&pa->pages, ci);

		nfree += count->nfree;
		nscav += count->nscav;
		ninuse += count->ninuse;
	}
	return nfree == pa->nfree && nscav == pa->nscav &&
	       ninuse == pa->ninuse;
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
	unsigned int level;
	unsigned long i;

	for (level = 0; level < GH_PA_LEVELS; level++) {
		for (i = pa_next_made(pa, level, 0);
		     i < GH_MAX_PAGES >> pa_shift[level];
		     i = pa_next_made(pa, level, i + 1)) {
			if (!pa_verify_entry(pa, level, i))
				return false;
		}
	}
	return pa_verify_counters(pa);
}
GH_EXPORT_FOR_TESTS(gh_pagealloc_verify);
