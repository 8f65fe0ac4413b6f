// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the page allocator.
 *
 * Single steps are a table: the heap before, a request, the answer, the heap
 * after. Long random runs of all operations are compared with a model that
 * keeps one byte a page and searches it from the start each time.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "../compat.h"
#include "../fault.h"
#include "../pagealloc.h"
#include "../pagesum.h"

static unsigned int steps = 1000000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of each random run (default 1000000)");

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "seed of the random runs (default 1)");

#define C		GH_CHUNK_PAGES
#define ROOT		BIT(GH_PA_ROOT_SHIFT)
#define NONE		(~0UL)

/* Shorthand for runs in the tables */
#define ABS(n)		{ GH_PAGE_ABSENT, n }
#define USED(n)		{ GH_PAGE_ALLOCATED, n }
#define FREE(n)		{ GH_PAGE_FREE, n }
#define SCAV(n)		{ GH_PAGE_SCAVENGED, n }

struct run {
	enum gh_page_state state;
	unsigned long npages;
};

#define MAX_RUNS	16

static int pagealloc_test_init(struct kunit *test)
{
	struct gh_pagealloc *pa = kunit_kzalloc(test, sizeof(*pa), GFP_KERNEL);

	test->priv = pa;
	if (!pa)
		return -ENOMEM;
	gh_pagealloc_init(pa);
	return 0;
}

static void pagealloc_test_exit(struct kunit *test)
{
	if (test->priv)
		gh_pagealloc_destroy(test->priv);
}

/* A heap of @n free chunks from page @start on. */
static void grow(struct kunit *test, unsigned long start, unsigned long n,
		 bool scavenged)
{
	struct gh_pagealloc *pa = test->priv;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_prepare(pa, start, n * C,
						   GFP_KERNEL), 0);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_grow(pa, start, n * C, scavenged));
}

/* ---- words and summaries ------------------------------------------------ */

/* Words in which long runs are as likely as short ones */
static u64 random_word(struct rnd_state *rnd)
{
	u64 x = 0;
	int bit = 0;

	while (bit < 64) {
		u32 r = prandom_u32_state(rnd);
		int n = min_t(int, 1 + (r >> 8) % (r & 2 ? 64 : 8), 64 - bit);

		if (r & 1)
			x |= ~0ULL >> (64 - n) << bit;
		bit += n;
	}
	return x;
}

/* What the summary of @n pages must be, page by page. */
static struct gh_pa_sum slow_sum(const u64 *words, unsigned int n)
{
	struct gh_pa_sum s = { n, 0, 0 };
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (words[i / 64] >> i % 64 & 1) {
			s.end++;
		} else {
			s.start = min(s.start, i);
			s.end = 0;
		}
		s.max = max(s.max, s.end);
	}
	return s;
}

static void runs_in_a_word_are_where_they_are(struct kunit *test)
{
	unsigned int i, n, at;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	KUNIT_EXPECT_EQ(test, gh_pa_runs(0, 1), 0);
	KUNIT_EXPECT_EQ(test, gh_pa_runs(~0ULL, 1), ~0ULL);
	KUNIT_EXPECT_EQ(test, gh_pa_runs(~0ULL, 64), 1);
	KUNIT_EXPECT_EQ(test, gh_pa_runs(~0ULL << 1, 64), 0);
	for (i = 0; i < 500; i++) {
		u64 x = random_word(&rnd);

		for (n = 1; n <= 64; n++) {
			u64 want = 0, run = ~0ULL >> (64 - n);

			for (at = 0; at + n <= 64; at++) {
				if ((x >> at & run) == run)
					want |= 1ULL << at;
			}
			if (gh_pa_runs(x, n) != want)
				KUNIT_FAIL(test, "%016llx, %u", x, n);
		}
		cond_resched();
	}
}

static void ends_and_longest_run_of_a_word_are_counted(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, seed);
	KUNIT_EXPECT_EQ(test, gh_pa_low_ones(~0ULL), 64);
	KUNIT_EXPECT_EQ(test, gh_pa_high_ones(~0ULL), 64);
	KUNIT_EXPECT_EQ(test, gh_pa_low_ones(0), 0);
	KUNIT_EXPECT_EQ(test, gh_pa_high_ones(0), 0);
	KUNIT_EXPECT_EQ(test, gh_pa_longest(~0ULL >> 1, 0), 63);
	KUNIT_EXPECT_EQ(test, gh_pa_longest(0, 5), 5);
	KUNIT_EXPECT_EQ(test, gh_pa_longest(1, 400), 400);
	for (i = 0; i < 20000; i++) {
		u64 x = random_word(&rnd);
		struct gh_pa_sum s = slow_sum(&x, 64);

		if (gh_pa_low_ones(x) != s.start ||
		    gh_pa_high_ones(x) != s.end ||
		    (~x && (gh_pa_longest(x, 0) != s.max ||
			    gh_pa_longest(x, 9) != max(s.max, 9U))))
			KUNIT_FAIL(test, "%016llx", x);
	}
}

static void summaries_survive_packing(struct kunit *test)
{
	static const struct gh_pa_sum t[] = {
		{ 0, 0, 0 }, { 1, 2, 3 }, { 0, ROOT - 1, ROOT - 1 },
		{ ROOT - 1, ROOT - 1, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct gh_pa_sum s = gh_pa_unpack(gh_pa_pack(t[i]));

		KUNIT_EXPECT_EQ(test, s.start, t[i].start);
		KUNIT_EXPECT_EQ(test, s.max, t[i].max);
		KUNIT_EXPECT_EQ(test, s.end, t[i].end);
	}
	KUNIT_EXPECT_EQ(test, gh_pa_pack(t[0]), 0);
	KUNIT_EXPECT_EQ(test, gh_pa_pack(t[1]), 1 | 2ULL << 21 | 3ULL << 42);
	KUNIT_EXPECT_EQ(test, gh_pa_uniform(GH_PA_ROOT_SHIFT, true),
			1ULL << 63);
	KUNIT_EXPECT_EQ(test, gh_pa_uniform(GH_PA_ROOT_SHIFT, false), 0);
	KUNIT_EXPECT_EQ(test, gh_pa_uniform(9, true),
			C | (u64)C << 21 | (u64)C << 42);
}

static void a_chunk_is_summarized_as_if_page_by_page(struct kunit *test)
{
	struct gh_pa_chunk c = { { 0 } };
	struct rnd_state rnd;
	unsigned int i, w;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < 5000; i++) {
		for (w = 0; w < GH_CHUNK_WORDS; w++)
			c.free[w] = random_word(&rnd);
		if (gh_pa_summarize(&c) != gh_pa_pack(slow_sum(c.free, C)))
			KUNIT_FAIL(test, "chunk %u", i);
	}
}

/* Eight words as eight children of 64 pages: the same as one range of 512. */
static void children_merge_as_if_page_by_page(struct kunit *test)
{
	u64 words[GH_PA_FANOUT], child[GH_PA_FANOUT];
	struct rnd_state rnd;
	unsigned int i, w;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < 5000; i++) {
		for (w = 0; w < GH_PA_FANOUT; w++) {
			words[w] = random_word(&rnd);
			child[w] = gh_pa_pack(slow_sum(&words[w], 64));
		}
		if (gh_pa_merge(child, 6) != gh_pa_pack(slow_sum(words, C)))
			KUNIT_FAIL(test, "children %u", i);
	}
}

/* ---- one step ----------------------------------------------------------- */

enum op {
	ALLOC,		/* arg: pages, align; got: page, scavenged pages */
	ALLOC_AT,	/* arg: page, pages; got: page, scavenged pages */
	FREE_RUN,	/* arg: page, pages; got: page if done */
	FREE_SCAV,	/* the same, without memory */
	FILL,		/* got: base, pages */
	SCAVENGE,	/* arg: most pages; got: page, pages */
	UNGROW,		/* arg: page, pages; got: page if done */
};

/**
 * struct step - a row of the table; pages count from the start of the heap
 * @name: what must hold
 * @before: the heap, run by run; absent ones are whole chunks
 * @op: what is asked
 * @arg: of @op
 * @page: what must come back, or NONE for a refusal
 * @count: and the number that comes with it
 * @after: the heap afterwards, each run as long as can be; empty: as before
 */
struct step {
	const char *name;
	struct run before[MAX_RUNS];
	enum op op;
	unsigned long arg[2];
	unsigned long page;
	unsigned long count;
	struct run after[MAX_RUNS];
};

static const struct step table[] = {
	/* Where a run is found */
	{ "one page of an empty heap is the first",
	  { FREE(C) }, ALLOC, { 1, 1 }, 0, 0, { USED(1), FREE(C - 1) } },
	{ "a page is taken from the lowest hole",
	  { USED(5), FREE(1), USED(C - 6), FREE(C) },
	  ALLOC, { 1, 1 }, 5, 0, { USED(C), FREE(C) } },
	{ "first fit passes holes that are too small",
	  { USED(5), FREE(3), USED(7), FREE(4), USED(C - 19) },
	  ALLOC, { 4, 1 }, 15, 0, { USED(5), FREE(3), USED(C - 8) } },
	{ "first fit takes a larger hole before one that fits exactly",
	  { USED(10), FREE(20), USED(10), FREE(4), USED(C - 44) },
	  ALLOC, { 4, 1 }, 10, 0,
	  { USED(14), FREE(16), USED(10), FREE(4), USED(C - 44) } },
	{ "a full heap has nothing",
	  { USED(4 * C) }, ALLOC, { 1, 1 }, NONE, 0, { } },
	{ "holes together as large as the request do not make a run",
	  { FREE(8), USED(1), FREE(8), USED(C - 17) },
	  ALLOC, { 9, 1 }, NONE, 0, { } },
	{ "a run crosses from word to word",
	  { USED(60), FREE(10), USED(C - 70) },
	  ALLOC, { 10, 1 }, 60, 0, { USED(C) } },
	{ "a run of 64 that is not aligned is found",
	  { USED(1), FREE(64), USED(C - 65) },
	  ALLOC, { 64, 1 }, 1, 0, { USED(C) } },
	{ "a run of 63 inside a word is found",
	  { USED(65), FREE(63), USED(C - 128) },
	  ALLOC, { 63, 1 }, 65, 0, { USED(C) } },
	{ "a run of 65 does not fit in 64",
	  { USED(64), FREE(64), USED(C - 128) },
	  ALLOC, { 65, 1 }, NONE, 0, { } },
	{ "a run over several words is found",
	  { USED(63), FREE(300), USED(C - 363) },
	  ALLOC, { 300, 1 }, 63, 0, { USED(C) } },
	{ "the last page of the heap can be had",
	  { USED(C), USED(C - 1), FREE(1) },
	  ALLOC, { 1, 1 }, 2 * C - 1, 0, { USED(2 * C) } },
	{ "a whole chunk is found behind a used page",
	  { USED(1), FREE(C - 1), FREE(C) },
	  ALLOC, { C, 1 }, 1, 0, { USED(C + 1), FREE(C - 1) } },
	{ "a run crosses a chunk's border",
	  { USED(C - 3), FREE(3), FREE(4), USED(C - 4) },
	  ALLOC, { 7, 1 }, C - 3, 0, { USED(2 * C) } },
	{ "a run in a chunk comes before one that crosses its end",
	  { USED(100), FREE(7), USED(C - 110), FREE(3), FREE(4), USED(C - 4) },
	  ALLOC, { 7, 1 }, 100, 0,
	  { USED(C - 3), FREE(7), USED(C - 4) } },
	{ "a run that crosses comes before one in the next chunk",
	  { USED(C - 3), FREE(3), FREE(4), USED(50), FREE(C - 54) },
	  ALLOC, { 7, 1 }, C - 3, 0, { USED(C + 54), FREE(C - 54) } },
	{ "a run covers whole chunks and parts of their neighbours",
	  { USED(C - 1), FREE(1), FREE(2 * C), FREE(1), USED(C - 1) },
	  ALLOC, { 2 * C + 2, 1 }, C - 1, 0, { USED(4 * C) } },
	{ "a run does not reach over an absent chunk",
	  { FREE(C), ABS(C), FREE(C) },
	  ALLOC, { C + 1, 1 }, NONE, 0, { } },
	{ "a run is found behind an absent chunk",
	  { USED(1), FREE(C - 1), ABS(C), FREE(C) },
	  ALLOC, { C, 1 }, 2 * C, 0,
	  { USED(1), FREE(C - 1), ABS(C), USED(C) } },
	{ "all eight chunks of a group make one run",
	  { FREE(8 * C) }, ALLOC, { 8 * C, 1 }, 0, 0, { USED(8 * C) } },
	{ "a page more than there is cannot be had",
	  { FREE(8 * C) }, ALLOC, { 8 * C + 1, 1 }, NONE, 0, { } },
	{ "no pages cannot be had",
	  { FREE(C) }, ALLOC, { 0, 1 }, NONE, 0, { } },

	/* Alignment */
	{ "an aligned run skips to the next multiple",
	  { USED(1), FREE(C - 1) }, ALLOC, { 2, 8 }, 8, 0,
	  { USED(1), FREE(7), USED(2), FREE(C - 10) } },
	{ "an aligned run passes holes where alignment leaves too little",
	  { USED(1), FREE(9), USED(10), FREE(12), USED(C - 32) },
	  ALLOC, { 4, 8 }, 24, 0,
	  { USED(1), FREE(9), USED(10), FREE(4), USED(4), FREE(4),
	    USED(C - 32) } },
	{ "a hole that fits exactly and is aligned is taken",
	  { USED(64), FREE(32), USED(C - 96) },
	  ALLOC, { 32, 32 }, 64, 0, { USED(C) } },
	{ "runs that are long enough but nowhere aligned are no help",
	  { USED(1), FREE(63), USED(1), FREE(63), USED(C - 128) },
	  ALLOC, { 33, 64 }, NONE, 0, { } },
	{ "an aligned run may cross chunks",
	  { USED(C - 64), FREE(C), USED(64) },
	  ALLOC, { 100, 64 }, C - 64, 0,
	  { USED(C + 36), FREE(C - 100), USED(64) } },
	{ "alignment to a chunk starts at a chunk",
	  { USED(1), FREE(C - 1), FREE(C) },
	  ALLOC, { 1, C }, C, 0,
	  { USED(1), FREE(C - 1), USED(1), FREE(C - 1) } },
	{ "what the first chunk ends with does not go on at the first page",
	  { FREE(1), USED(C - 201), FREE(200), USED(C), FREE(C) },
	  ALLOC, { 129, 128 }, 2 * C, 0,
	  { FREE(1), USED(C - 201), FREE(200), USED(C + 129), FREE(C - 129) } },
	{ "the search goes on behind a chunk that alignment spoils",
	  { USED(1), FREE(127), USED(C - 128), USED(1), FREE(127),
	    USED(C - 128), USED(5 * C), FREE(C) },
	  ALLOC, { 70, 128 }, 7 * C, 0,
	  { USED(1), FREE(127), USED(C - 127), FREE(127), USED(6 * C - 58),
	    FREE(C - 70) } },

	/* Scavenged pages */
	{ "scavenged pages are as good as any and are counted",
	  { USED(4), SCAV(3), FREE(2), SCAV(4), USED(C - 13) },
	  ALLOC, { 7, 1 }, 4, 5, { USED(11), SCAV(2), USED(C - 13) } },
	{ "a scavenged run over chunks is counted whole",
	  { USED(1), SCAV(2 * C - 1) },
	  ALLOC, { 2 * C - 2, 1 }, 1, 2 * C - 2, { USED(2 * C - 1), SCAV(1) } },

	/* Particular pages */
	{ "particular pages are taken from the middle",
	  { SCAV(C) }, ALLOC_AT, { 100, 300 }, 100, 300,
	  { SCAV(100), USED(300), SCAV(C - 400) } },
	{ "particular pages are refused if one is used",
	  { FREE(100), USED(1), FREE(C - 101) }, ALLOC_AT, { 90, 20 }, NONE, 0,
	  { } },
	{ "particular pages are refused if one is absent",
	  { FREE(C), ABS(C) }, ALLOC_AT, { C - 1, 2 }, NONE, 0, { } },

	/* Freeing */
	{ "a freed run joins its neighbours",
	  { FREE(10), USED(10), FREE(10), USED(C - 30) },
	  FREE_RUN, { 10, 10 }, 10, 0, { FREE(30), USED(C - 30) } },
	{ "a part of a run can be freed",
	  { USED(C) }, FREE_RUN, { 200, 100 }, 200, 0,
	  { USED(200), FREE(100), USED(C - 300) } },
	{ "a run over chunks can be freed",
	  { USED(4 * C) }, FREE_RUN, { C - 1, 2 * C + 2 }, C - 1, 0,
	  { USED(C - 1), FREE(2 * C + 2), USED(C - 1) } },
	{ "pages can be freed without memory",
	  { FREE(10), USED(10), FREE(C - 20) }, FREE_SCAV, { 10, 10 }, 10, 0,
	  { FREE(10), SCAV(10), FREE(C - 20) } },
	{ "pages that were scavenged once can be freed with memory",
	  { SCAV(10), USED(10), SCAV(C - 20) }, FREE_RUN, { 10, 10 }, 10, 0,
	  { SCAV(10), FREE(10), SCAV(C - 20) } },
	{ "freeing a free page is refused",
	  { USED(10), FREE(C - 10) }, FREE_RUN, { 20, 1 }, NONE, 0, { } },
	{ "freeing a scavenged page is refused",
	  { USED(10), SCAV(C - 10) }, FREE_RUN, { 10, 1 }, NONE, 0, { } },
	{ "freeing is refused if only the last page is free",
	  { USED(C), USED(10), FREE(C - 10) }, FREE_RUN, { C - 10, 21 }, NONE,
	  0, { } },
	{ "freeing an absent page is refused",
	  { USED(C), ABS(C) }, FREE_RUN, { C - 1, 2 }, NONE, 0, { } },
	{ "freeing nothing is refused",
	  { USED(C) }, FREE_RUN, { 10, 0 }, NONE, 0, { } },

	/* Page cache */
	{ "a cache takes the free pages of the first block that has any",
	  { USED(70), FREE(3), USED(5), SCAV(2), USED(C - 80), FREE(C) },
	  FILL, { }, 64, 5, { USED(C), FREE(C) } },
	{ "a cache takes a whole free block",
	  { FREE(C) }, FILL, { }, 0, 64, { USED(64), FREE(C - 64) } },
	{ "a cache takes the last block of the heap",
	  { USED(2 * C - 1), FREE(1) }, FILL, { }, 2 * C - 64, 1,
	  { USED(2 * C) } },
	{ "a full heap fills no cache",
	  { USED(C) }, FILL, { }, NONE, 0, { } },

	/* Scavenger */
	{ "the scavenger takes the highest run first",
	  { FREE(10), USED(10), FREE(10), USED(C - 30) },
	  SCAVENGE, { 100 }, 20, 10, { FREE(10), USED(C - 10) } },
	{ "the scavenger takes the upper part of a long run",
	  { FREE(C) }, SCAVENGE, { 100 }, C - 100, 100,
	  { FREE(C - 100), USED(100) } },
	{ "the scavenger stays within a chunk",
	  { FREE(2 * C) }, SCAVENGE, { 2 * C }, C, C, { FREE(C), USED(C) } },
	{ "the scavenger takes runs over words",
	  { USED(60), FREE(200), USED(C - 260) },
	  SCAVENGE, { C }, 60, 200, { USED(C) } },
	{ "the scavenger passes what is scavenged",
	  { USED(3), FREE(5), SCAV(C - 8), SCAV(C) },
	  SCAVENGE, { 100 }, 3, 5, { USED(8), SCAV(2 * C - 8) } },
	{ "the scavenger finds nothing where all is scavenged or used",
	  { SCAV(C), USED(C) }, SCAVENGE, { 100 }, NONE, 0, { } },
	{ "the scavenger takes no more than one page if asked for one",
	  { FREE(C), USED(C) }, SCAVENGE, { 1 }, C - 1, 1,
	  { FREE(C - 1), USED(C + 1) } },

	/* Shrinking */
	{ "a free chunk can be removed",
	  { USED(C), FREE(C), SCAV(C) }, UNGROW, { C, C }, C, 0,
	  { USED(C), ABS(C), SCAV(C) } },
	{ "free and scavenged chunks can be removed together",
	  { FREE(C), SCAV(C), USED(1), FREE(C - 1) }, UNGROW, { 0, 2 * C }, 0,
	  0, { ABS(2 * C), USED(1), FREE(C - 1) } },
	{ "a chunk with a used page cannot be removed",
	  { FREE(2 * C), USED(1), FREE(C - 1) }, UNGROW, { 0, 3 * C }, NONE, 0,
	  { } },
	{ "an absent chunk cannot be removed",
	  { FREE(C), ABS(C) }, UNGROW, { 0, 2 * C }, NONE, 0, { } },
	{ "half a chunk cannot be removed",
	  { FREE(C) }, UNGROW, { 0, C / 2 }, NONE, 0, { } },
};

static void step_desc(const struct step *s, char *desc)
{
	strscpy(desc, s->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(step, table, step_desc);

static bool add_run(struct gh_pagealloc *pa, unsigned long page,
		    const struct run *r)
{
	unsigned long nscav;

	if (r->state == GH_PAGE_FREE || r->state == GH_PAGE_ABSENT)
		return true;
	if (!gh_pagealloc_alloc_at(pa, page, r->npages, &nscav))
		return false;
	return r->state != GH_PAGE_SCAVENGED ||
	       gh_pagealloc_free_scav(pa, page, r->npages, true);
}

/* Makes the heap of @runs: grows chunk by chunk, then takes what is not free */
static void make_heap(struct kunit *test, unsigned long base,
		      const struct run *runs)
{
	unsigned long page = base, end = base, grown = base;
	unsigned int i;

	for (i = 0; i < MAX_RUNS && runs[i].npages; i++) {
		end += runs[i].npages;
		if (runs[i].state == GH_PAGE_ABSENT)
			grown = end;
		for (; grown < end; grown += C)
			grow(test, grown, 1, false);
	}
	for (i = 0; i < MAX_RUNS && runs[i].npages; i++) {
		KUNIT_ASSERT_TRUE(test, add_run(test->priv, page, &runs[i]));
		page += runs[i].npages;
	}
}

/* What a visit of the heap must see: neighbours in one state are one run. */
static void check_heap(struct kunit *test, unsigned long base,
		       const struct run *runs)
{
	unsigned long page = base, end = base;
	enum gh_page_state state;
	unsigned int i;

	for (i = 0; i < MAX_RUNS; i++)
		end += runs[i].npages;
	for (i = 0; i < MAX_RUNS && runs[i].npages; i++) {
		unsigned long want = runs[i].npages;

		while (i + 1 < MAX_RUNS && runs[i + 1].npages &&
		       runs[i + 1].state == runs[i].state)
			want += runs[++i].npages;
		KUNIT_EXPECT_EQ_MSG(test, want,
				    gh_pagealloc_run(test->priv, page, end,
						     &state),
				    "run %u, page %lu", i, page - base);
		KUNIT_EXPECT_EQ_MSG(test, runs[i].state, state,
				    "run %u, page %lu", i, page - base);
		page += want;
	}
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(test->priv));
}

/* Does the step; returns whether it was not refused. */
static bool do_op(struct gh_pagealloc *pa, unsigned long base,
		  const struct step *s, unsigned long *page,
		  unsigned long *count)
{
	struct gh_pagecache pc = { 0 };

	*page = base + s->arg[0];
	*count = 0;
	switch (s->op) {
	case ALLOC:
		return gh_pagealloc_alloc_aligned(pa, s->arg[0], s->arg[1],
						  page, count);
	case ALLOC_AT:
		return gh_pagealloc_alloc_at(pa, *page, s->arg[1], count);
	case FREE_RUN:
		return gh_pagealloc_free(pa, *page, s->arg[1]);
	case FREE_SCAV:
		return gh_pagealloc_free_scav(pa, *page, s->arg[1], true);
	case FILL:
		if (!gh_pagealloc_fill_cache(pa, &pc))
			return false;
		*page = pc.base;
		*count = hweight64(pc.cache);
		return true;
	case SCAVENGE:
		*count = gh_pagealloc_scavenge_take(pa, s->arg[0], page);
		return *count;
	case UNGROW:
		return gh_pagealloc_ungrow(pa, *page, s->arg[1]);
	}
	return false;
}

/* At the start of the index space, over a root border, and at the end */
static void each_step_does_what_the_table_says(struct kunit *test)
{
	static const unsigned long bases[] = {
		0, ROOT - C, ROOT - 4 * C, GH_MAX_PAGES - 8 * C,
	};
	const struct step *s = test->param_value;
	unsigned long page, count;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		make_heap(test, bases[i], s->before);
		if (do_op(test->priv, bases[i], s, &page, &count)) {
			KUNIT_EXPECT_EQ(test, s->page, page - bases[i]);
			KUNIT_EXPECT_EQ(test, s->count, count);
		} else {
			KUNIT_EXPECT_EQ(test, s->page, NONE);
		}
		check_heap(test, bases[i],
			   s->after[0].npages ? s->after : s->before);
		gh_pagealloc_destroy(test->priv);
	}
}

/* ---- growth ------------------------------------------------------------- */

static void an_empty_space_has_nothing(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagecache pc = { 0 };
	enum gh_page_state state;
	unsigned long page, n;

	KUNIT_EXPECT_FALSE(test, gh_pagealloc_alloc(pa, 1, &page, &n));
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_fill_cache(pa, &pc));
	KUNIT_EXPECT_EQ(test, gh_pagealloc_scavenge_take(pa, 1, &page), 0);
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_free(pa, 0, 1));
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_free(pa, GH_MAX_PAGES, 1));
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_free(pa, 1, NONE));
	KUNIT_EXPECT_EQ(test, gh_pagealloc_state(pa, 0), GH_PAGE_ABSENT);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_state(pa, NONE), GH_PAGE_ABSENT);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_run(pa, 0, NONE, &state),
			GH_MAX_PAGES);
	KUNIT_EXPECT_EQ(test, state, GH_PAGE_ABSENT);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pa->meta_bytes), 0);
}

static void prepared_pages_are_still_absent(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_prepare(pa, 0, 16 * C, GFP_KERNEL),
			0);
	KUNIT_EXPECT_GT(test, atomic_long_read(&pa->meta_bytes), 0);
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_alloc(pa, 1, &page, &n));
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_free(pa, 0, 1));
	KUNIT_EXPECT_EQ(test, gh_pagealloc_state(pa, 0), GH_PAGE_ABSENT);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
}

static void preparing_again_costs_nothing(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	long bytes;

	grow(test, 0, 16, true);
	bytes = atomic_long_read(&pa->meta_bytes);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_prepare(pa, 0, 16 * C, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pa->meta_bytes), bytes);
	KUNIT_EXPECT_EQ(test, pa->nfree, 16 * C);
}

static void a_range_that_cannot_be_is_refused(struct kunit *test)
{
	static const struct { unsigned long start, npages; } bad[] = {
		{ 0, 0 }, { 1, C }, { 0, C - 1 }, { GH_MAX_PAGES, C },
		{ GH_MAX_PAGES - C, 2 * C }, { C, NONE - C + 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ(test, gh_pagealloc_prepare(test->priv,
							   bad[i].start,
							   bad[i].npages,
							   GFP_KERNEL),
				-EINVAL);
}

static void growth_in_any_order_is_served_in_address_order(struct kunit *test)
{
	static const unsigned int order[] = { 9, 2, 30, 0, 17 };
	static const unsigned int sorted[] = { 0, 2, 9, 17, 30 };
	unsigned long page, n;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		grow(test, order[i] * 16 * C, 16, true);
	for (i = 0; i < ARRAY_SIZE(sorted); i++) {
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(test->priv, 16 * C,
							   &page, &n));
		KUNIT_EXPECT_EQ(test, page, sorted[i] * 16 * C);
		KUNIT_EXPECT_EQ(test, n, 16 * C);
	}
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(test->priv));
}

static void growth_below_lowers_the_search(struct kunit *test)
{
	unsigned long page, n;

	grow(test, 64 * C, 1, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(test->priv, C, &page, &n));
	grow(test, 0, 1, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(test->priv, 1, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 0);
}

static void growth_joins_what_was_there(struct kunit *test)
{
	unsigned long page, n;

	grow(test, C, 1, true);
	grow(test, 2 * C, 1, false);
	grow(test, 0, 1, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(test->priv, 3 * C, &page,
						   &n));
	KUNIT_EXPECT_EQ(test, page, 0);
	KUNIT_EXPECT_EQ(test, n, 2 * C);
}

static void growing_what_is_there_is_refused(struct kunit *test)
{
	grow(test, 0, 2, true);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_prepare(test->priv, 2 * C, C,
						   GFP_KERNEL), 0);
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_grow(test->priv, C, 2 * C,
						   false));
	check_heap(test, 0, (struct run[MAX_RUNS]) { SCAV(2 * C), ABS(C) });
}

static void a_removed_range_can_be_grown_again(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, n;

	grow(test, 0, 4, false);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_ungrow(pa, C, 2 * C));
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_alloc(pa, C + 1, &page, &n));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_grow(pa, C, 2 * C, true));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 4 * C, &page, &n));
	KUNIT_EXPECT_EQ(test, n, 2 * C);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
}

static void failing_to_prepare_leaves_the_heap_as_it_was(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned int nth;
	bool hit;
	int err;

	for (nth = 1; ; nth++) {
		gh_fault_arm(GH_FAULT_META, nth);
		err = gh_pagealloc_prepare(pa, ROOT - 64 * C, 128 * C,
					   GFP_KERNEL);
		hit = gh_fault_disarm();
		KUNIT_EXPECT_EQ(test, err, hit ? -ENOMEM : 0);
		KUNIT_EXPECT_EQ(test, pa->nfree, 0);
		if (!hit)
			break;
		gh_pagealloc_destroy(pa);
	}
	/* Four levels on both sides of the border, chunks, index. */
	KUNIT_EXPECT_GT(test, nth, 8);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_grow(pa, ROOT - 64 * C, 128 * C,
						  false));
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
}

static void a_failed_prepare_can_be_continued(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	long bytes;
	int err;

	gh_fault_arm(GH_FAULT_META, 4);
	err = gh_pagealloc_prepare(pa, 0, 16 * C, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	bytes = atomic_long_read(&pa->meta_bytes);
	KUNIT_EXPECT_GT(test, bytes, 0);
	grow(test, 0, 16, false);
	KUNIT_EXPECT_GT(test, atomic_long_read(&pa->meta_bytes), bytes);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
}

/* ---- large runs --------------------------------------------------------- */

static void runs_of_2_to_the_21_pages_can_be_had(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, n;

	grow(test, ROOT, ROOT / C, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, ROOT, &page, &n));
	KUNIT_EXPECT_EQ(test, page, ROOT);
	KUNIT_EXPECT_EQ(test, n, ROOT);
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_alloc(pa, 1, &page, &n));
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_free(pa, ROOT, ROOT));
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
}

static void runs_cross_from_root_to_root(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, n;

	grow(test, 0, 2 * ROOT / C, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 3, &page, &n));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, ROOT, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 3);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, ROOT - 3, &page, &n));
	KUNIT_EXPECT_EQ(test, page, ROOT + 3);
	KUNIT_EXPECT_EQ(test, pa->nfree, 0);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_free(pa, 1, 2 * ROOT - 2));
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 2 * ROOT - 2, &page,
						   &n));
	KUNIT_EXPECT_EQ(test, page, 1);
}

/* 64 GiB: entries of all levels are written that have nothing but the run. */
static void half_of_a_large_heap_can_be_had_twice(struct kunit *test)
{
	unsigned long half = 2 * ROOT, page, other, n;
	struct gh_pagealloc *pa = test->priv;

	grow(test, 0, 2 * half / C, false);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, half, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 0);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, half, &other, &n));
	KUNIT_EXPECT_EQ(test, other, half);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));

	KUNIT_EXPECT_TRUE(test, gh_pagealloc_free(pa, 1, half));
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_alloc(pa, half + 1, &page, &n));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, half, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 1);
	KUNIT_EXPECT_EQ(test, pa->nfree, 0);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
}

/* Root entries full of holes; behind them, a run over the border of two. */
static void a_run_behind_many_holes_is_found(struct kunit *test)
{
	static const unsigned long len = 4000, at = 3 * ROOT - 1234;
	struct gh_pagealloc *pa = test->priv;
	unsigned long hole, page, n;

	grow(test, 0, 4 * ROOT / C, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 4 * ROOT, &page, &n));
	for (hole = ROOT / 2; hole < 4 * ROOT; hole += ROOT / 2)
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_free(pa, hole - len / 2,
							  len - 1));
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_alloc(pa, len, &page, &n));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc_at(pa, 3 * ROOT - len / 2,
						      len - 1, &n));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_free(pa, at, len));
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, len, &page, &n));
	KUNIT_EXPECT_EQ(test, page, at);
}

static void one_page_among_millions_is_found(struct kunit *test)
{
	static const unsigned long at[] = { 0, 63, 64, C, 8 * C - 1, 64 * C,
					    512 * C + 77, ROOT - 1 };
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, n;
	unsigned int i;

	grow(test, 0, ROOT / C, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, ROOT, &page, &n));
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_free(pa, at[i], 1));
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 1, &page, &n));
		KUNIT_EXPECT_EQ(test, page, at[i]);
	}
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
}

static void every_length_fits_its_own_hole(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long len, page, n, at = C - 37;

	grow(test, 0, 4, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 4 * C, &page, &n));
	for (len = 1; len <= 2 * C; len++) {
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_free(pa, at, len));
		KUNIT_EXPECT_FALSE(test, gh_pagealloc_alloc(pa, len + 1, &page,
							    &n));
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, len, &page,
							   &n));
		KUNIT_ASSERT_EQ(test, page, at);
	}
}

/* ---- page cache --------------------------------------------------------- */

static void a_cache_serves_up_to_15_pages(struct kunit *test)
{
	struct gh_pagecache pc = { .base = 128, .cache = ~0ULL, .scav = 0xf0 };
	unsigned long page, n;

	KUNIT_EXPECT_FALSE(test, gh_pagecache_alloc(&pc, 0, &page, &n));
	KUNIT_EXPECT_FALSE(test, gh_pagecache_alloc(&pc, 16, &page, &n));
	KUNIT_ASSERT_TRUE(test, gh_pagecache_alloc(&pc, 15, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 128);
	KUNIT_EXPECT_EQ(test, n, 4);
	KUNIT_EXPECT_EQ(test, pc.cache, ~0ULL << 15);
	KUNIT_EXPECT_EQ(test, pc.scav, 0);
	KUNIT_ASSERT_TRUE(test, gh_pagecache_alloc(&pc, 1, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 143);
	KUNIT_EXPECT_EQ(test, n, 0);
}

static void a_cache_serves_its_lowest_run_that_fits(struct kunit *test)
{
	struct gh_pagecache pc = {
		.base = 64, .cache = 0x8000000000000f35ULL,
	};
	unsigned long page, n;

	KUNIT_ASSERT_TRUE(test, gh_pagecache_alloc(&pc, 3, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 64 + 8);
	KUNIT_ASSERT_TRUE(test, gh_pagecache_alloc(&pc, 2, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 64 + 4);
	KUNIT_EXPECT_FALSE(test, gh_pagecache_alloc(&pc, 2, &page, &n));
	KUNIT_EXPECT_EQ(test, pc.cache, 0x8000000000000805ULL);
}

static void a_cache_that_is_not_empty_is_left_alone(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagecache pc = { 0 }, old;
	unsigned long page, n;

	grow(test, 0, 1, true);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_fill_cache(pa, &pc));
	KUNIT_ASSERT_TRUE(test, gh_pagecache_alloc(&pc, 5, &page, &n));
	old = pc;
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_fill_cache(pa, &pc));
	KUNIT_EXPECT_EQ(test, memcmp(&old, &pc, sizeof(pc)), 0);
	KUNIT_EXPECT_EQ(test, pa->nfree, C - 64);
}

static void a_flushed_cache_gives_back_what_it_has_left(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagecache pc = { 0 };
	unsigned long page, n;

	make_heap(test, 0, (struct run[MAX_RUNS]) {
		USED(66), SCAV(10), FREE(20), USED(C - 96) });
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_fill_cache(pa, &pc));
	check_heap(test, 0, (struct run[MAX_RUNS]) { USED(C) });
	KUNIT_ASSERT_TRUE(test, gh_pagecache_alloc(&pc, 12, &page, &n));
	KUNIT_EXPECT_EQ(test, page, 66);
	KUNIT_EXPECT_EQ(test, n, 10);
	gh_pagecache_flush(pa, &pc);
	KUNIT_EXPECT_EQ(test, pc.cache, 0);
	check_heap(test, 0, (struct run[MAX_RUNS]) {
		USED(78), FREE(18), USED(C - 96) });
	gh_pagecache_flush(pa, &pc);
	KUNIT_EXPECT_EQ(test, pa->nfree, 18);
}

static void flushing_keeps_scavenged_pages_scavenged(struct kunit *test)
{
	static const struct run heap[MAX_RUNS] = {
		USED(64), SCAV(10), FREE(20), SCAV(34), USED(C - 128) };
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagecache pc = { 0 };

	make_heap(test, 0, heap);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_fill_cache(pa, &pc));
	KUNIT_EXPECT_EQ(test, pc.cache, ~0ULL);
	KUNIT_EXPECT_EQ(test, hweight64(pc.scav), 44);
	gh_pagecache_flush(pa, &pc);
	check_heap(test, 0, heap);
	KUNIT_EXPECT_EQ(test, pa->nscav, 44);
}

/* ---- scavenging --------------------------------------------------------- */

static void scavenging_goes_on_until_all_is_scavenged(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, n, total = 0, last = NONE;

	grow(test, 0, 40, false);
	while ((n = gh_pagealloc_scavenge_take(pa, 100, &page))) {
		KUNIT_ASSERT_LT(test, page, last);
		last = page;
		total += n;
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_scavenge_done(pa, page,
								   n));
	}
	KUNIT_EXPECT_EQ(test, total, 40 * C);
	KUNIT_EXPECT_EQ(test, pa->nscav, 40 * C);
	KUNIT_EXPECT_EQ(test, pa->ninuse, 0);
	check_heap(test, 0, (struct run[MAX_RUNS]) { SCAV(40 * C) });
}

static void nobody_gets_pages_that_are_being_scavenged(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, other, n;

	grow(test, 0, 1, false);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_scavenge_take(pa, C, &page), C);
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_alloc(pa, 1, &other, &n));
	KUNIT_EXPECT_EQ(test, gh_pagealloc_scavenge_take(pa, C, &other), 0);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_scavenge_done(pa, page, C));
	KUNIT_EXPECT_FALSE(test, gh_pagealloc_scavenge_done(pa, page, C));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 1, &other, &n));
	KUNIT_EXPECT_EQ(test, other, 0);
	KUNIT_EXPECT_EQ(test, n, 1);
}

static void pages_freed_high_are_scavenged_again(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, n;

	grow(test, 0, 40, true);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_scavenge_take(pa, 64, &page), 0);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 40 * C, &page, &n));
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_free(pa, 39 * C + 5, 3));
	KUNIT_EXPECT_EQ(test, gh_pagealloc_scavenge_take(pa, 64, &page), 3);
	KUNIT_EXPECT_EQ(test, page, 39 * C + 5);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_scavenge_take(pa, 64, &page), 0);
}

static void flushed_pages_are_scavenged(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagecache pc = { 0 };
	unsigned long page, n;

	grow(test, 0, 1, false);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_fill_cache(pa, &pc));
	while ((n = gh_pagealloc_scavenge_take(pa, C, &page)))
		gh_pagealloc_scavenge_done(pa, page, n);
	KUNIT_EXPECT_EQ(test, pa->nscav, C - 64);
	gh_pagecache_flush(pa, &pc);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_scavenge_take(pa, C, &page), 64);
	KUNIT_EXPECT_EQ(test, page, 0);
}

/* The chunks that the scavenger's index names: it looks at the highest one. */
static unsigned int chunks_to_scavenge(struct gh_pagealloc *pa)
{
	unsigned int w, n = 0;

	for (w = 0; w < GH_MAX_CHUNKS / 64; w++)
		n += hweight64(pa->pages.dirty[w >> GH_PA_BLK_SHIFT]
				       [w & (GH_PA_BLK_WORDS - 1)]);
	return n;
}

static void the_scavenger_looks_at_one_chunk(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	unsigned long page, n, ci;

	grow(test, 0, 2 * ROOT / C, false);
	KUNIT_EXPECT_EQ(test, chunks_to_scavenge(pa), 2 * ROOT / C);
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc(pa, 2 * ROOT, &page, &n));
	KUNIT_EXPECT_EQ(test, chunks_to_scavenge(pa), 0);

	/* Chunks that had such pages, in pieces, and have them no more */
	for (ci = 1; ci < 2 * ROOT / C; ci += 63) {
		page = ci * C + ci % C;
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_free(pa, page, 1));
		KUNIT_ASSERT_EQ(test, chunks_to_scavenge(pa), 1);
		KUNIT_ASSERT_TRUE(test, gh_pagealloc_alloc_at(pa, page, 1, &n));
	}
	KUNIT_ASSERT_TRUE(test, gh_pagealloc_free(pa, 5, 1));
	KUNIT_EXPECT_EQ(test, chunks_to_scavenge(pa), 1);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_scavenge_take(pa, C, &page), 1);
	KUNIT_EXPECT_EQ(test, page, 5);
	KUNIT_EXPECT_EQ(test, chunks_to_scavenge(pa), 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_scavenge_take(pa, C, &page), 0);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(pa));
}

/* ---- whole chunks against their parts ----------------------------------- */

/* Chunks on both sides of a border of all levels */
#define HALVES_CHUNKS	80
#define HALVES_BASE	(3 * ROOT - HALVES_CHUNKS / 2 * C)
#define HALVES_PAGES	(HALVES_CHUNKS * C)

/**
 * struct halves - two heaps that must always be alike
 * @whole: long runs are changed in one call
 * @parts: the same, in pieces of less than a chunk
 * @rnd: where randomness comes from
 */
struct halves {
	struct gh_pagealloc *whole;
	struct gh_pagealloc *parts;
	struct rnd_state rnd;
};

static bool change(struct gh_pagealloc *pa, unsigned long page, unsigned long n,
		   enum gh_page_state state)
{
	unsigned long nscav;

	if (state == GH_PAGE_ALLOCATED)
		return gh_pagealloc_alloc_at(pa, page, n, &nscav);
	return gh_pagealloc_free_scav(pa, page, n, state == GH_PAGE_SCAVENGED);
}

static bool change_both(struct halves *h, unsigned long page, unsigned long n,
			enum gh_page_state state)
{
	unsigned long done, piece;

	if (!change(h->whole, page, n, state))
		return false;
	for (done = 0; done < n; done += piece) {
		piece = min(1 + prandom_u32_state(&h->rnd) % (C - 1), n - done);
		if (!change(h->parts, page + done, piece, state))
			return false;
	}
	return true;
}

/* Changes a long run that starts at or near a border of chunks, if it can. */
static bool change_a_run(struct halves *h)
{
	u32 r = prandom_u32_state(&h->rnd);
	unsigned long page = HALVES_BASE + r % HALVES_CHUNKS * C, n;
	enum gh_page_state state;

	if (r & BIT(31))
		page += prandom_u32_state(&h->rnd) % C;
	n = gh_pagealloc_run(h->whole, page, HALVES_BASE + HALVES_PAGES,
			     &state);
	if (r & BIT(30))
		n = min(n, 1 + prandom_u32_state(&h->rnd) % (20 * C));
	if (state != GH_PAGE_ALLOCATED)
		return change_both(h, page, n, GH_PAGE_ALLOCATED);
	return change_both(h, page, n, r & BIT(29) ? GH_PAGE_SCAVENGED :
						     GH_PAGE_FREE);
}

static bool halves_are_alike(struct halves *h)
{
	unsigned long page = HALVES_BASE, end = page + HALVES_PAGES, n;
	enum gh_page_state a, b;

	for (; page < end; page += n) {
		n = gh_pagealloc_run(h->whole, page, end, &a);
		if (gh_pagealloc_run(h->parts, page, end, &b) != n || a != b)
			return false;
	}
	return h->whole->nfree == h->parts->nfree &&
	       h->whole->nscav == h->parts->nscav &&
	       h->whole->ninuse == h->parts->ninuse &&
	       !memcmp(h->whole->root, h->parts->root,
		       sizeof(h->whole->root)) &&
	       gh_pagealloc_verify(h->whole) && gh_pagealloc_verify(h->parts);
}

static void whole_chunks_change_as_their_parts_do(struct kunit *test)
{
	struct gh_pagealloc *parts = kunit_kzalloc(test, sizeof(*parts),
						   GFP_KERNEL);
	struct halves h = { test->priv, parts };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, parts);
	gh_pagealloc_init(parts);
	grow(test, HALVES_BASE, HALVES_CHUNKS, false);
	if (gh_pagealloc_prepare(parts, HALVES_BASE, HALVES_PAGES,
				 GFP_KERNEL) ||
	    !gh_pagealloc_grow(parts, HALVES_BASE, HALVES_PAGES, false))
		KUNIT_FAIL(test, "no second heap");

	prandom_seed_state(&h.rnd, seed);
	for (i = 0; i < steps / 200; i++) {
		if (!change_a_run(&h) || (i % 32 == 0 && !halves_are_alike(&h))) {
			KUNIT_FAIL(test, "step %u", i);
			break;
		}
		cond_resched();
	}
	KUNIT_EXPECT_TRUE(test, halves_are_alike(&h));
	gh_pagealloc_destroy(parts);
}

/* ---- random steps against a model --------------------------------------- */

/* A model's page that is in the page cache, or in the scavenger's hands */
#define HELD		4

/**
 * struct random_run - what a random run does
 * @name: what is special about it
 * @base: first page
 * @nchunks: chunks
 * @max_request: pages; most requests are much smaller
 * @part: this part of the steps is done
 */
struct random_run {
	const char *name;
	unsigned long base;
	unsigned long nchunks;
	unsigned long max_request;
	unsigned int part;
};

static const struct random_run random_runs[] = {
	{ "one chunk", 5 * C, 1, 64, 1 },
	{ "two chunks over a root border", ROOT - C, 2, C, 1 },
	{ "four chunks at the end of the space", GH_MAX_PAGES - 4 * C, 4, C,
	  2 },
	{ "long runs over a border of each level", 3 * ROOT - 8 * C, 24,
	  4 * C, 16 },
	{ "runs of many chunks", 3 * ROOT - 32 * C, 72, 40 * C, 100 },
};

static void random_run_desc(const struct random_run *r, char *desc)
{
	strscpy(desc, r->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(random_run, random_runs, random_run_desc);

/**
 * struct model - a heap that is obviously right
 * @pa: the heap that is compared with it
 * @run: what is done
 * @page: state of each page, or HELD
 * @npages: pages
 * @pc: the page cache
 * @taken: first page that the scavenger has in hand
 * @ntaken: how many it has
 * @rnd: where randomness comes from
 */
struct model {
	struct gh_pagealloc *pa;
	const struct random_run *run;
	u8 *page;
	unsigned long npages;
	struct gh_pagecache pc;
	unsigned long taken;
	unsigned long ntaken;
	struct rnd_state rnd;
};

static u32 rnd_below(struct model *m, u32 n)
{
	return prandom_u32_state(&m->rnd) % n;
}

static bool model_free(const struct model *m, unsigned long i)
{
	return m->page[i] == GH_PAGE_FREE || m->page[i] == GH_PAGE_SCAVENGED;
}

/* The lowest run of @n free pages that starts at a multiple of @align. */
static unsigned long model_find(const struct model *m, unsigned long n,
				unsigned long align)
{
	unsigned long i, run = 0;

	for (i = 0; i < m->npages; i++) {
		run = model_free(m, i) ? run + 1 : 0;
		if (run >= n && IS_ALIGNED(m->run->base + i + 1 - n, align))
			return i + 1 - n;
	}
	return NONE;
}

/* Takes pages; returns how many were scavenged. */
static unsigned long model_take(struct model *m, unsigned long i,
				unsigned long n)
{
	unsigned long nscav = 0;

	for (; n; n--, i++) {
		nscav += m->page[i] == GH_PAGE_SCAVENGED;
		m->page[i] = GH_PAGE_ALLOCATED;
	}
	return nscav;
}

/* How many pages from @i on are in the state of page @i, up to @max. */
static unsigned long model_run(const struct model *m, unsigned long i,
			       unsigned long max)
{
	unsigned long n = 1;

	while (n < max && i + n < m->npages && m->page[i + n] == m->page[i])
		n++;
	return n;
}

static bool model_all(const struct model *m, unsigned long i, unsigned long n,
		      bool (*is)(const struct model *m, unsigned long i))
{
	for (; n; n--, i++) {
		if (!is(m, i))
			return false;
	}
	return true;
}

/* Mostly short, some as long as the run has them. */
static unsigned long random_length(struct model *m)
{
	switch (rnd_below(m, 16)) {
	case 0:
		return 1 + rnd_below(m, m->run->max_request);
	case 1:
		return min(C + C * rnd_below(m, 8), m->run->max_request);
	case 2 ... 5:
		return 1 + rnd_below(m, min(m->run->max_request, 70UL));
	default:
		return 1 + rnd_below(m, 8);
	}
}

static bool random_alloc(struct model *m)
{
	unsigned long n = random_length(m), page, nscav;
	unsigned long align = rnd_below(m, 4) ? 1 : 1UL << rnd_below(m, 10);
	unsigned long want = model_find(m, n, align);

	if (!gh_pagealloc_alloc_aligned(m->pa, n, align, &page, &nscav))
		return want == NONE;
	return page == m->run->base + want && nscav == model_take(m, want, n);
}

static bool random_alloc_at(struct model *m)
{
	unsigned long i = rnd_below(m, m->npages), nscav;
	unsigned long n = min(random_length(m), m->npages - i);
	bool can = model_all(m, i, n, model_free);

	if (gh_pagealloc_alloc_at(m->pa, m->run->base + i, n, &nscav) != can)
		return false;
	return !can || nscav == model_take(m, i, n);
}

/* Any pages that are allocated may be freed, whoever got them and how. */
static bool random_free(struct model *m)
{
	unsigned long i = rnd_below(m, m->npages), n;
	bool scavenged = !rnd_below(m, 8);

	if (m->page[i] != GH_PAGE_ALLOCATED)
		return true;
	n = model_run(m, i, 2 * random_length(m));
	if (!gh_pagealloc_free_scav(m->pa, m->run->base + i, n, scavenged))
		return false;
	memset(&m->page[i], scavenged ? GH_PAGE_SCAVENGED : GH_PAGE_FREE, n);
	return true;
}

static bool model_allocated(const struct model *m, unsigned long i)
{
	return m->page[i] == GH_PAGE_ALLOCATED || m->page[i] == HELD;
}

static bool random_bad_free(struct model *m)
{
	unsigned long i = rnd_below(m, m->npages);
	unsigned long n = min(random_length(m), m->npages - i);

	return model_all(m, i, n, model_allocated) ||
	       !gh_pagealloc_free(m->pa, m->run->base + i, n);
}

/* Whether the cache holds what the model has free in its block; holds it. */
static bool model_fill(struct model *m, unsigned long first)
{
	unsigned long page = (m->run->base + first) & ~63UL;
	unsigned int bit;

	if (m->pc.base != page)
		return false;
	for (bit = 0; bit < 64; bit++) {
		u8 *state = &m->page[page - m->run->base + bit];

		if ((m->pc.cache >> bit & 1) !=
		    model_free(m, page - m->run->base + bit) ||
		    (m->pc.scav >> bit & 1) != (*state == GH_PAGE_SCAVENGED))
			return false;
		if (m->pc.cache >> bit & 1)
			*state = HELD;
	}
	return true;
}

static bool random_cached_alloc(struct model *m)
{
	unsigned long first, page, nscav;
	unsigned int n = 1 + rnd_below(m, rnd_below(m, 4) ? 3 : 15);

	if (!m->pc.cache) {
		first = model_find(m, 1, 1);
		if (!gh_pagealloc_fill_cache(m->pa, &m->pc))
			return first == NONE;
		if (first == NONE || !model_fill(m, first))
			return false;
	}
	if (!gh_pagecache_alloc(&m->pc, n, &page, &nscav))
		return true;
	page -= m->run->base;
	if (m->page[page] != HELD || model_run(m, page, n) != n)
		return false;
	memset(&m->page[page], GH_PAGE_ALLOCATED, n);
	return true;
}

static bool random_flush(struct model *m)
{
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		if (m->pc.cache >> bit & 1)
			m->page[m->pc.base - m->run->base + bit] =
				m->pc.scav >> bit & 1 ? GH_PAGE_SCAVENGED :
							GH_PAGE_FREE;
	}
	gh_pagecache_flush(m->pa, &m->pc);
	return !m->pc.cache;
}

/* The scavenger has one run in hand at a time, while others go on. */
static bool random_scavenge(struct model *m)
{
	unsigned long max = random_length(m), page, i, n;

	if (m->ntaken) {
		if (!gh_pagealloc_scavenge_done(m->pa, m->taken, m->ntaken))
			return false;
		memset(&m->page[m->taken - m->run->base], GH_PAGE_SCAVENGED,
		       m->ntaken);
		m->ntaken = 0;
		return true;
	}
	for (i = m->npages; i && m->page[i - 1] != GH_PAGE_FREE; i--)
		;
	for (n = 0; i && n < max && m->page[i - 1] == GH_PAGE_FREE; n++) {
		i--;
		if (IS_ALIGNED(m->run->base + i, C)) {
			n++;
			break;
		}
	}
	if (gh_pagealloc_scavenge_take(m->pa, max, &page) != n)
		return false;
	if (!n)
		return true;
	memset(&m->page[i], HELD, n);
	m->taken = page;
	m->ntaken = n;
	return page == m->run->base + i;
}

static bool model_absent(const struct model *m, unsigned long i)
{
	return m->page[i] == GH_PAGE_ABSENT;
}

static bool random_grow(struct model *m)
{
	unsigned long i = rnd_below(m, m->run->nchunks) * C, n = C;
	bool scavenged = rnd_below(m, 2), can;

	while (i + n < m->npages && rnd_below(m, 2))
		n += C;
	can = model_all(m, i, n, model_absent);
	if (gh_pagealloc_grow(m->pa, m->run->base + i, n, scavenged) != can)
		return false;
	if (can)
		memset(&m->page[i],
		       scavenged ? GH_PAGE_SCAVENGED : GH_PAGE_FREE, n);
	return true;
}

static bool random_ungrow(struct model *m)
{
	unsigned long i = rnd_below(m, m->run->nchunks) * C, n = C;
	bool can;

	while (i + n < m->npages && !rnd_below(m, 3))
		n += C;
	can = model_all(m, i, n, model_free);
	if (gh_pagealloc_ungrow(m->pa, m->run->base + i, n) != can)
		return false;
	if (can)
		memset(&m->page[i], GH_PAGE_ABSENT, n);
	return true;
}

static bool model_same_state(const struct model *m, unsigned long i,
			     enum gh_page_state state)
{
	return (m->page[i] == HELD ? GH_PAGE_ALLOCATED : m->page[i]) == state;
}

static bool random_look(struct model *m)
{
	unsigned long i = rnd_below(m, m->npages);
	unsigned long end = i + 1 + rnd_below(m, m->npages - i), n;
	enum gh_page_state state;

	n = gh_pagealloc_run(m->pa, m->run->base + i, m->run->base + end,
			     &state);
	if (!n || n > end - i ||
	    state != gh_pagealloc_state(m->pa, m->run->base + i) ||
	    (i + n < end && model_same_state(m, i + n, state)))
		return false;
	for (; n; n--, i++) {
		if (!model_same_state(m, i, state))
			return false;
	}
	return true;
}

/* A share of steps for each operation, of a hundred */
static const struct {
	const char *name;
	bool (*fn)(struct model *m);
	unsigned int share;
} random_ops[] = {
	{ "alloc", random_alloc, 24 },
	{ "alloc_at", random_alloc_at, 2 },
	{ "free", random_free, 40 },
	{ "bad free", random_bad_free, 2 },
	{ "cached alloc", random_cached_alloc, 14 },
	{ "flush", random_flush, 2 },
	{ "scavenge", random_scavenge, 12 },
	{ "grow", random_grow, 1 },
	{ "ungrow", random_ungrow, 1 },
	{ "look", random_look, 2 },
};

static bool model_counters_match(const struct model *m)
{
	unsigned long n[HELD + 1] = { 0 }, i;

	for (i = 0; i < m->npages; i++)
		n[m->page[i]]++;
	return m->pa->nfree == n[GH_PAGE_FREE] + n[GH_PAGE_SCAVENGED] &&
	       m->pa->nscav == n[GH_PAGE_SCAVENGED] &&
	       m->pa->ninuse == n[GH_PAGE_ALLOCATED] + n[HELD];
}

static void random_steps_match_the_model(struct kunit *test)
{
	const struct random_run *run = test->param_value;
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i, op, share;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->pa = test->priv;
	m->run = run;
	m->npages = run->nchunks * C;
	m->page = kunit_kzalloc(test, m->npages, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->page);
	prandom_seed_state(&m->rnd, seed);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_prepare(m->pa, run->base, m->npages,
						   GFP_KERNEL), 0);

	for (i = 0; i < steps / run->part; i++) {
		share = rnd_below(m, 100);
		for (op = 0; share >= random_ops[op].share; op++)
			share -= random_ops[op].share;
		if (!random_ops[op].fn(m)) {
			KUNIT_FAIL(test, "step %u: %s", i, random_ops[op].name);
			return;
		}
		if (i % 4096 == 0 && !(model_counters_match(m) &&
				       gh_pagealloc_verify(m->pa))) {
			KUNIT_FAIL(test, "step %u: counters", i);
			return;
		}
		if (i % 256 == 0)
			cond_resched();
	}
	random_flush(m);
	if (m->ntaken)
		random_scavenge(m);
	KUNIT_EXPECT_TRUE(test, model_counters_match(m));
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(m->pa));
}

/* ---- many CPUs ---------------------------------------------------------- */

/**
 * struct shared - a heap that threads use together
 * @lock: protects @pa, as the heap's lock does
 * @pa: the page allocator
 * @owner: for each page who has it; 0 is nobody
 * @errors: pages that somebody else had
 * @go: all threads are there, and may begin
 */
struct shared {
	raw_spinlock_t lock;
	struct gh_pagealloc *pa;
	u32 *owner;
	atomic_t errors;
	struct completion go;
};

struct worker {
	struct shared *shared;
	struct completion done;
	u32 id;
	unsigned int steps;
};

#define SHARED_CHUNKS	4
#define WORKERS		4

static void own(struct worker *w, unsigned long page, unsigned long n, u32 from,
		u32 to)
{
	for (; n; n--, page++) {
		if (cmpxchg(&w->shared->owner[page], from, to) != from)
			atomic_inc(&w->shared->errors);
	}
}

static void share_alloc(struct worker *w, struct gh_pagecache *pc,
			unsigned long n, unsigned long *page)
{
	struct shared *s = w->shared;
	unsigned long flags, nscav;
	bool ok = gh_pagecache_alloc(pc, n, page, &nscav);

	if (!ok) {
		raw_spin_lock_irqsave(&s->lock, flags);
		gh_pagealloc_fill_cache(s->pa, pc);
		ok = gh_pagecache_alloc(pc, n, page, &nscav) ||
		     gh_pagealloc_alloc(s->pa, n, page, &nscav);
		raw_spin_unlock_irqrestore(&s->lock, flags);
	}
	if (ok)
		own(w, *page, n, 0, w->id);
	else
		*page = NONE;
}

static void share_free(struct worker *w, unsigned long page, unsigned long n)
{
	struct shared *s = w->shared;
	unsigned long flags;

	own(w, page, n, w->id, 0);
	raw_spin_lock_irqsave(&s->lock, flags);
	if (!gh_pagealloc_free(s->pa, page, n))
		atomic_inc(&s->errors);
	raw_spin_unlock_irqrestore(&s->lock, flags);
}

static void share_scavenge(struct worker *w)
{
	struct shared *s = w->shared;
	unsigned long flags, page, n;

	raw_spin_lock_irqsave(&s->lock, flags);
	n = gh_pagealloc_scavenge_take(s->pa, 32, &page);
	raw_spin_unlock_irqrestore(&s->lock, flags);
	if (!n)
		return;
	/* Here the pages' memory would be given back. */
	own(w, page, n, 0, w->id);
	cpu_relax();
	own(w, page, n, w->id, 0);
	raw_spin_lock_irqsave(&s->lock, flags);
	if (!gh_pagealloc_scavenge_done(s->pa, page, n))
		atomic_inc(&s->errors);
	raw_spin_unlock_irqrestore(&s->lock, flags);
}

static int worker_fn(void *arg)
{
	struct { unsigned long page, n; } have[32] = { { 0 } };
	struct gh_pagecache pc = { 0 };
	struct worker *w = arg;
	struct rnd_state rnd;
	unsigned long flags;
	unsigned int i;

	prandom_seed_state(&rnd, seed + w->id);
	for (i = 0; i < w->steps; i++) {
		u32 r = prandom_u32_state(&rnd);
		typeof(have[0]) *h = &have[r % ARRAY_SIZE(have)];

		if (h->n) {
			share_free(w, h->page, h->n);
			h->n = 0;
		} else {
			h->n = 1 + (r >> 8) % (r >> 28 ? 6 : 60);
			share_alloc(w, &pc, h->n, &h->page);
			if (h->page == NONE)
				h->n = 0;
		}
		if (r >> 29 == 1)
			share_scavenge(w);
		if (i % 256 == 0)
			cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(have); i++) {
		if (have[i].n)
			share_free(w, have[i].page, have[i].n);
	}
	raw_spin_lock_irqsave(&w->shared->lock, flags);
	gh_pagecache_flush(w->shared->pa, &pc);
	raw_spin_unlock_irqrestore(&w->shared->lock, flags);
	/* The module may go as soon as that is known. */
	kthread_complete_and_exit(&w->done, 0);
}

static void start_workers(struct kunit *test, struct shared *s,
			  struct worker *w, int (*fn)(void *arg))
{
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		struct task_struct *task;

		w[i].shared = s;
		w[i].id = i + 1;
		w[i].steps = steps / 2 / WORKERS;
		init_completion(&w[i].done);
		task = kthread_run(fn, &w[i], "gh_pagealloc/%u", i);
		if (IS_ERR(task)) {
			KUNIT_FAIL(test, "no thread");
			complete(&w[i].done);
		}
	}
}

static void a_page_has_one_owner_at_a_time_on_many_cpus(struct kunit *test)
{
	struct shared *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct worker *w;
	unsigned int i;

	w = kunit_kcalloc(test, WORKERS, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_ASSERT_NOT_NULL(test, w);
	s->owner = kunit_kcalloc(test, SHARED_CHUNKS * C, sizeof(*s->owner),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->owner);
	s->pa = test->priv;
	raw_spin_lock_init(&s->lock);
	grow(test, 0, SHARED_CHUNKS, false);

	start_workers(test, s, w, worker_fn);
	for (i = 0; i < WORKERS; i++)
		wait_for_completion(&w[i].done);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->errors), 0);
	KUNIT_EXPECT_EQ(test, s->pa->nfree, SHARED_CHUNKS * C);
	KUNIT_EXPECT_EQ(test, s->pa->ninuse, 0);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(s->pa));
}

static int preparer_fn(void *arg)
{
	struct worker *w = arg;

	wait_for_completion(&w->shared->go);
	if (gh_pagealloc_prepare(w->shared->pa, 0, 512 * C, GFP_KERNEL))
		atomic_inc(&w->shared->errors);
	/* The module may go as soon as that is known. */
	kthread_complete_and_exit(&w->done, 0);
}

static void preparing_on_many_cpus_at_once_is_preparing_once(struct kunit *test)
{
	struct shared *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i, round;
	struct worker *w;
	long bytes;

	w = kunit_kcalloc(test, WORKERS, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_ASSERT_NOT_NULL(test, w);
	s->pa = test->priv;
	KUNIT_ASSERT_EQ(test, gh_pagealloc_prepare(s->pa, 0, 512 * C,
						   GFP_KERNEL), 0);
	bytes = atomic_long_read(&s->pa->meta_bytes);
	for (round = 0; round < 30; round++) {
		gh_pagealloc_destroy(s->pa);
		init_completion(&s->go);
		start_workers(test, s, w, preparer_fn);
		complete_all(&s->go);
		for (i = 0; i < WORKERS; i++)
			wait_for_completion(&w[i].done);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&s->pa->meta_bytes),
				bytes);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&s->errors), 0);
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_grow(s->pa, 0, 512 * C, true));
	KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(s->pa));
}

static struct kunit_case pagealloc_cases[] = {
	KUNIT_CASE(runs_in_a_word_are_where_they_are),
	KUNIT_CASE(ends_and_longest_run_of_a_word_are_counted),
	KUNIT_CASE(summaries_survive_packing),
	KUNIT_CASE(a_chunk_is_summarized_as_if_page_by_page),
	KUNIT_CASE(children_merge_as_if_page_by_page),
	KUNIT_CASE_PARAM(each_step_does_what_the_table_says, step_gen_params),
	KUNIT_CASE(an_empty_space_has_nothing),
	KUNIT_CASE(prepared_pages_are_still_absent),
	KUNIT_CASE(preparing_again_costs_nothing),
	KUNIT_CASE(a_range_that_cannot_be_is_refused),
	KUNIT_CASE(growth_in_any_order_is_served_in_address_order),
	KUNIT_CASE(growth_below_lowers_the_search),
	KUNIT_CASE(growth_joins_what_was_there),
	KUNIT_CASE(growing_what_is_there_is_refused),
	KUNIT_CASE(a_removed_range_can_be_grown_again),
	KUNIT_CASE(failing_to_prepare_leaves_the_heap_as_it_was),
	KUNIT_CASE(a_failed_prepare_can_be_continued),
	KUNIT_CASE(runs_of_2_to_the_21_pages_can_be_had),
	KUNIT_CASE(runs_cross_from_root_to_root),
	KUNIT_CASE(half_of_a_large_heap_can_be_had_twice),
	KUNIT_CASE(a_run_behind_many_holes_is_found),
	KUNIT_CASE(one_page_among_millions_is_found),
	KUNIT_CASE(every_length_fits_its_own_hole),
	KUNIT_CASE(a_cache_serves_up_to_15_pages),
	KUNIT_CASE(a_cache_serves_its_lowest_run_that_fits),
	KUNIT_CASE(a_cache_that_is_not_empty_is_left_alone),
	KUNIT_CASE(a_flushed_cache_gives_back_what_it_has_left),
	KUNIT_CASE(flushing_keeps_scavenged_pages_scavenged),
	KUNIT_CASE(scavenging_goes_on_until_all_is_scavenged),
	KUNIT_CASE(nobody_gets_pages_that_are_being_scavenged),
	KUNIT_CASE(pages_freed_high_are_scavenged_again),
	KUNIT_CASE(flushed_pages_are_scavenged),
	KUNIT_CASE(the_scavenger_looks_at_one_chunk),
	KUNIT_CASE(whole_chunks_change_as_their_parts_do),
	KUNIT_CASE_PARAM(random_steps_match_the_model, random_run_gen_params),
	KUNIT_CASE(a_page_has_one_owner_at_a_time_on_many_cpus),
	KUNIT_CASE(preparing_on_many_cpus_at_once_is_preparing_once),
	{}
};

static struct kunit_suite pagealloc_suite = {
	.name = "goheap_pagealloc",
	.init = pagealloc_test_init,
	.exit = pagealloc_test_exit,
	.test_cases = pagealloc_cases,
};

kunit_test_suite(pagealloc_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of the page allocator");
MODULE_LICENSE("GPL");
