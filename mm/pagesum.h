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

/* How a summary is packed. */
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
	u64 runs;

	if (max >= 63)
		return max;
	for (runs = gh_pa_runs(x, max + 1); runs; runs &= x >> max)
		max++;
	return max;
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

/* For ranges smaller than the largest one. */
static inline struct gh_pa_sum gh_pa_unpack_child(u64 packed)
{
	return (struct gh_pa_sum) {
		.start = packed & GH_PA_FIELD_MASK,
		.max = packed >> GH_PA_ROOT_SHIFT & GH_PA_FIELD_MASK,
		.end = packed >> (2 * GH_PA_ROOT_SHIFT),
	};
}

static inline struct gh_pa_sum gh_pa_unpack(u64 packed)
{
	if (packed & GH_PA_ALL_FREE)
		return (struct gh_pa_sum) { GH_PA_ROOT_PAGES, GH_PA_ROOT_PAGES,
					    GH_PA_ROOT_PAGES };
	return gh_pa_unpack_child(packed);
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
	struct gh_pa_sum sum = gh_pa_unpack_child(child[0]);
	u32 pages = 1U << shift;
	unsigned int i;

	for (i = 1; i < GH_PA_FANOUT; i++) {
		struct gh_pa_sum s;

		/* Most children are full, or not there at all. */
		if (!child[i]) {
			sum.end = 0;
			continue;
		}
		s = gh_pa_unpack_child(child[i]);
		if (sum.start == i << shift)
			sum.start += s.start;
		sum.max = max3(sum.max, s.max, sum.end + s.start);
		sum.end = s.end == pages ? sum.end + pages : s.end;
	}
	return gh_pa_pack(sum);
}

#endif /* _GOHEAP_PAGESUM_H */
