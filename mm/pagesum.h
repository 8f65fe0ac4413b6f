/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pagesum: runs of free pages in a word, and summaries of ranges.
 *
 * The pure part of the page allocator: no state, no locks, any context. The
 * tricks that find runs of ones in a word are those of Warren, "Hacker's
 * Delight", 2nd edition, section 6-2.
 */
#ifndef _GOHEAP_PAGESUM_H
#define _GOHEAP_PAGESUM_H

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/minmax.h>
#include <linux/types.h>

/* A chunk is the unit of growth and of the leaf summaries. */
#define GH_CHUNK_SHIFT		9
#define GH_CHUNK_PAGES		BIT(GH_CHUNK_SHIFT)
#define GH_CHUNK_WORDS		(GH_CHUNK_PAGES / 64)

/* Entries of a level that one entry of the level above covers. */
#define GH_PA_LEVEL_BITS	3
#define GH_PA_FANOUT		BIT(GH_PA_LEVEL_BITS)

/* Pages of the largest range, which a root entry covers, as a power of two. */
#define GH_PA_ROOT_SHIFT	21

/* How a summary is packed; the largest range does not fit in when it is free. */
#define GH_PA_ROOT_PAGES	((u32)BIT(GH_PA_ROOT_SHIFT))
#define GH_PA_FIELD_MASK	(GH_PA_ROOT_PAGES - 1)
#define GH_PA_ALL_FREE		BIT_ULL(63)

/**
 * struct gh_pa_chunk - the pages of one chunk, two bits each
 * @free: the page can be allocated
 * @tag: of a free page: it is scavenged; of any other: it is allocated
 */
struct gh_pa_chunk {
	u64 free[GH_CHUNK_WORDS];
	u64 tag[GH_CHUNK_WORDS];
};

/**
 * struct gh_pa_sum - a summary, unpacked; in pages
 * @start: free pages at the start of the range
 * @max: longest run of free pages
 * @end: free pages at the end of the range
 */
struct gh_pa_sum {
	u32 start;
	u32 max;
	u32 end;
};

/* ---- words -------------------------------------------------------------- */

/*
 * The positions at which a run of @n ones starts in @x, as a mask; @n is 1 to
 * 64. Each step halves the run that is still asked for.
 */
static inline u64 gh_pa_runs(u64 x, unsigned int n)
{
	while (n > 1) {
		x &= x >> (n / 2);
		n -= n / 2;
	}
	return x;
}

/* The longest run of ones in @x, or @max if that is longer. @x is not ~0. */
static inline unsigned int gh_pa_longest(u64 x, unsigned int max)
{
	unsigned int n = max + 1, step;
	u64 runs;

	if (hweight64(x) <= max)
		return max;
	/* From here on, ones in @x are where runs of @n start. */
	x = gh_pa_runs(x, n);
	if (!x)
		return max;

	/* Lengthen the runs by steps that double, then by steps that halve. */
	for (step = 1; (runs = x & (x >> step)); step *= 2) {
		x = runs;
		n += step;
	}
	for (step /= 2; step; step /= 2) {
		runs = x & (x >> step);
		if (!runs)
			continue;
		x = runs;
		n += step;
	}
	return n;
}

/* Ones at the low end of @x. */
static inline unsigned int gh_pa_low_ones(u64 x)
{
	return ~x ? __ffs64(~x) : 64;
}

/* Ones at the high end of @x. */
static inline unsigned int gh_pa_high_ones(u64 x)
{
	return 64 - fls64(~x);
}

/* ---- summaries ---------------------------------------------------------- */

static inline u64 gh_pa_pack(struct gh_pa_sum s)
{
	if (s.max == GH_PA_ROOT_PAGES)
		return GH_PA_ALL_FREE;
	return s.start | (u64)s.max << GH_PA_ROOT_SHIFT |
	       (u64)s.end << (2 * GH_PA_ROOT_SHIFT);
}

/* Not for GH_PA_ALL_FREE. */
static inline struct gh_pa_sum gh_pa_unpack(u64 packed)
{
	return (struct gh_pa_sum) {
		.start = packed & GH_PA_FIELD_MASK,
		.max = packed >> GH_PA_ROOT_SHIFT & GH_PA_FIELD_MASK,
		.end = packed >> (2 * GH_PA_ROOT_SHIFT),
	};
}

/* The summary of 2^@shift pages that are all free, or none of which is. */
static inline u64 gh_pa_uniform(unsigned int shift, bool free)
{
	u32 n = free ? 1U << shift : 0;

	return gh_pa_pack((struct gh_pa_sum) { n, n, n });
}

static inline u64 gh_pa_summarize(const struct gh_pa_chunk *chunk)
{
	unsigned int w, start = GH_CHUNK_PAGES, max = 0, run = 0;

	for (w = 0; w < GH_CHUNK_WORDS; w++) {
		u64 x = chunk->free[w];

		if (x == ~0ULL) {
			run += 64;
			continue;
		}
		run += gh_pa_low_ones(x);
		if (start == GH_CHUNK_PAGES)
			start = run;
		max = gh_pa_longest(x, max(max, run));
		run = gh_pa_high_ones(x);
	}
	return gh_pa_pack((struct gh_pa_sum) { start, max(max, run), run });
}

/* The summary of a group of entries that cover 2^@shift pages each. */
static inline u64 gh_pa_merge(const u64 *child, unsigned int shift)
{
	u32 pages = 1U << shift, start = 0, max = 0, end = 0, n;
	unsigned int i;

	for (i = 0; i < GH_PA_FANOUT; i++) {
		struct gh_pa_sum s;

		/* Many children are full, or not there at all. */
		if (!child[i]) {
			end = 0;
			continue;
		}
		s = gh_pa_unpack(child[i]);
		max = max3(max, s.max, end + s.start);
		end = s.end == pages ? end + pages : s.end;
	}
	for (i = 0; i < GH_PA_FANOUT; i++) {
		n = gh_pa_unpack(child[i]).start;
		start += n;
		if (n < pages)
			break;
	}
	return gh_pa_pack((struct gh_pa_sum) { start, max, end });
}
#endif /* _GOHEAP_PAGESUM_H */
