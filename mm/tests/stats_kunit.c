// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the statistics: the sums that must hold at rest, and that each
 * counter follows what is done.
 */
#include "test_util.h"

#include <linux/err.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "../area.h"
#include "../cache.h"
#include "../malloc.h"
#include "../reclaim.h"
#include "../stats.h"

static unsigned int steps = 40000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of the random run (default 40000)");

static struct goheap_stats stats_of(struct kunit *test)
{
	struct goheap_stats st;

	gh_stats_get(gh_test_heap(test), &st);
	return st;
}

static void *must_alloc(struct kunit *test, size_t size, bool data)
{
	void *p = gh_malloc(gh_test_heap(test), size, GFP_KERNEL, data,
			    NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static void count_pages(struct gh_span *s, void *arg)
{
	u64 *sum = arg;

	sum[0] += s->npages;
	sum[1]++;
}

/* Every sum that the documentation promises. */
static void expect_sums(struct kunit *test)
{
	struct goheap_stats st = stats_of(test);
	u64 sum[2] = { };

	KUNIT_EXPECT_EQ(test, st.sys, st.heap_sys + st.stack_sys +
			st.mspan_sys + st.mcache_sys + st.profile_sys +
			st.other_sys);
	KUNIT_EXPECT_EQ(test, st.heap_sys, st.heap_inuse + st.heap_idle);
	KUNIT_EXPECT_LE(test, st.heap_released + st.cached_spans,
			st.heap_idle);
	KUNIT_EXPECT_EQ(test, st.heap_alloc, st.total_alloc - st.total_freed);
	KUNIT_EXPECT_EQ(test, st.objects, st.mallocs - st.frees);
	KUNIT_EXPECT_EQ(test, st.heap_sys + st.stack_sys,
			st.arenas << GH_ARENA_SHIFT);
	KUNIT_EXPECT_EQ(test, st.committed,
			st.heap_sys + st.stack_sys - st.heap_released);
	KUNIT_EXPECT_EQ(test, st.heap_inuse + st.stack_sys,
			st.pages_inuse << GH_PAGE_SHIFT);
	KUNIT_EXPECT_LE(test, st.stack_inuse, st.stack_sys);
	KUNIT_EXPECT_LE(test, st.heap_alloc, st.heap_inuse);
	KUNIT_EXPECT_LE(test, st.heap_alloc + st.stack_inuse + st.cached,
			st.pages_inuse << GH_PAGE_SHIFT);
	/* Nothing counts below zero. */
	KUNIT_EXPECT_LT(test, st.objects, 1ULL << 40);
	KUNIT_EXPECT_LT(test, st.heap_idle, 1ULL << 45);
	gh_mheap_walk_spans(gh_test_heap(test), count_pages, sum);
	KUNIT_EXPECT_EQ(test, st.pages_inuse, sum[0]);
	KUNIT_EXPECT_EQ(test, st.spans_inuse, sum[1]);
}

static void a_new_heap_holds_nothing(struct kunit *test)
{
	struct goheap_stats st = stats_of(test);

	expect_sums(test);
	KUNIT_EXPECT_EQ(test, st.objects, 0);
	KUNIT_EXPECT_EQ(test, st.heap_alloc, 0);
	KUNIT_EXPECT_EQ(test, st.mallocs, 0);
	KUNIT_EXPECT_EQ(test, st.heap_inuse, 0);
	KUNIT_EXPECT_EQ(test, st.cached, 0);
	KUNIT_EXPECT_EQ(test, st.caches, 0);
	KUNIT_EXPECT_EQ(test, st.arenas, 1);
	KUNIT_EXPECT_EQ(test, st.committed,
			gh_vmem_is_sparse() ? 0UL : GH_ARENA_SIZE);
}

static void live_objects_count_at_their_classs_size(struct kunit *test)
{
	static const size_t sizes[] = { 16, 17, 100, 5000, 32768, 32769, SZ_1M };
	struct goheap_stats st;
	void *p[ARRAY_SIZE(sizes)];
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = must_alloc(test, sizes[i], i % 2);
		bytes += goheap_usable_size(p[i]);
		st = stats_of(test);
		KUNIT_EXPECT_EQ(test, st.objects, i + 1);
		KUNIT_EXPECT_EQ(test, st.heap_alloc, bytes);
	}
	expect_sums(test);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		bytes -= goheap_usable_size(p[i]);
		goheap_free(p[i]);
		st = stats_of(test);
		KUNIT_EXPECT_EQ(test, st.objects, ARRAY_SIZE(sizes) - 1 - i);
		KUNIT_EXPECT_EQ(test, st.heap_alloc, bytes);
	}
	expect_sums(test);
}

static void tiny_objects_count_one_by_one(struct kunit *test)
{
	struct goheap_stats st;
	void *p[10];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = must_alloc(test, 2, true);
		st = stats_of(test);
		KUNIT_EXPECT_EQ(test, st.objects, i + 1);
		/* Bytes are those of their blocks. */
		KUNIT_EXPECT_EQ(test, st.heap_alloc % 16, 0);
		KUNIT_EXPECT_GT(test, st.heap_alloc, 0);
	}
	expect_sums(test);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
	gh_reclaim_drain(gh_test_heap(test), NULL);
	st = stats_of(test);
	KUNIT_EXPECT_EQ(test, st.objects, 0);
	KUNIT_EXPECT_EQ(test, st.heap_alloc, 0);
	KUNIT_EXPECT_EQ(test, st.mallocs, ARRAY_SIZE(p));
	KUNIT_EXPECT_EQ(test, st.frees, ARRAY_SIZE(p));
	expect_sums(test);
}

static void freed_objects_are_cached_until_they_are_drained(struct kunit *test)
{
	struct goheap_stats st;
	void *p[100];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = must_alloc(test, 64, false);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
	st = stats_of(test);
	KUNIT_EXPECT_GT(test, st.cached, 0);
	KUNIT_EXPECT_EQ(test, st.cached % 64, 0);
	KUNIT_EXPECT_EQ(test, st.heap_alloc, 0);
	expect_sums(test);
	gh_reclaim_drain(gh_test_heap(test), NULL);
	st = stats_of(test);
	KUNIT_EXPECT_EQ(test, st.cached, 0);
	KUNIT_EXPECT_EQ(test, st.heap_inuse, 0);
	expect_sums(test);
}

static void objects_of_caches_count_while_they_live_and_after(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct goheap_cache *cache = gh_cache_create(h, "x", 100, 0, 0, NULL);
	struct goheap_stats st;
	void *p[50];
	unsigned int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_cache_alloc(cache, GFP_KERNEL);
	st = stats_of(test);
	KUNIT_EXPECT_EQ(test, st.caches, 1);
	KUNIT_EXPECT_EQ(test, st.objects, ARRAY_SIZE(p));
	KUNIT_EXPECT_EQ(test, st.heap_alloc, ARRAY_SIZE(p) * 104);
	expect_sums(test);
	goheap_cache_free_bulk(cache, ARRAY_SIZE(p), p);
	gh_cache_destroy(cache);
	st = stats_of(test);
	KUNIT_EXPECT_EQ(test, st.caches, 0);
	KUNIT_EXPECT_EQ(test, st.objects, 0);
	/* What came and went is not forgotten. */
	KUNIT_EXPECT_GE(test, st.mallocs, ARRAY_SIZE(p));
	KUNIT_EXPECT_EQ(test, st.total_alloc, st.mallocs * 104);
	expect_sums(test);
}

static void totals_never_fall(struct kunit *test)
{
	struct goheap_stats last = stats_of(test), st;
	unsigned int i, j, wrong = 0;
	void *p[60];

	for (i = 0; i < 30; i++) {
		for (j = 0; j < ARRAY_SIZE(p); j++)
			p[j] = must_alloc(test, (i * j) % 3000 + 1, j % 2);
		for (j = 0; j < ARRAY_SIZE(p); j++)
			goheap_free(p[j]);
		if (i % 7 == 0)
			gh_reclaim_drain(gh_test_heap(test), NULL);
		st = stats_of(test);
		wrong += st.mallocs < last.mallocs || st.frees < last.frees ||
			 st.total_alloc < last.total_alloc ||
			 st.total_freed < last.total_freed;
		last = st;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	expect_sums(test);
}

static void memory_given_back_is_released(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	void *p = must_alloc(test, SZ_1M, false);
	struct goheap_stats st = stats_of(test);

	if (!gh_vmem_is_sparse()) {
		goheap_free(p);
		kunit_skip(test, "arenas are eager here");
	}
	KUNIT_EXPECT_EQ(test, st.committed, SZ_1M);
	KUNIT_EXPECT_EQ(test, st.heap_inuse, SZ_1M);
	goheap_free(p);
	st = stats_of(test);
	KUNIT_EXPECT_EQ(test, st.heap_inuse, 0);
	KUNIT_EXPECT_EQ(test, gh_reclaim_all(h), SZ_1M);
	st = stats_of(test);
	KUNIT_EXPECT_EQ(test, st.committed, 0);
	KUNIT_EXPECT_EQ(test, st.heap_released, st.heap_idle);
	expect_sums(test);
}

static void committed_is_what_vmem_committed(struct kunit *test)
{
	struct gh_test *t = test->priv;
	struct goheap_stats st;
	void *p[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = must_alloc(test, 1UL << (i * 2 + 4), false);
		st = stats_of(test);
		KUNIT_EXPECT_EQ(test, st.committed,
				gh_vmem_committed_bytes() - t->committed);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
	goheap_get_stats(&st);
	KUNIT_EXPECT_EQ(test, st.committed, t->committed);
}

static void stack_blocks_are_no_part_of_the_heap(struct kunit *test)
{
	struct goheap_stats before, st;
	void *p[6];
	unsigned int i;

	goheap_get_stats(&before);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_stack_alloc(2048UL << i, GFP_KERNEL);
	goheap_get_stats(&st);
	KUNIT_EXPECT_EQ(test, st.stack_inuse - before.stack_inuse,
			2048 * 63);
	KUNIT_EXPECT_GE(test, st.stack_sys, st.stack_inuse);
	KUNIT_EXPECT_EQ(test, st.heap_inuse, before.heap_inuse);
	KUNIT_EXPECT_EQ(test, st.objects, before.objects);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_stack_free(p[i]);
	goheap_shrink();
	goheap_get_stats(&st);
	KUNIT_EXPECT_EQ(test, st.stack_inuse, before.stack_inuse);
	KUNIT_EXPECT_EQ(test, st.stack_sys, before.stack_sys);
}

static void areas_cost_what_their_arenas_need(struct kunit *test)
{
	struct gh_node *node = gh_mheap_node(gh_test_heap(test), numa_mem_id(), false);
	struct goheap_stats before, st;
	unsigned long tables;

	if (!gh_vmem_is_sparse() && !gh_test_has_ram(3 * GH_ARENA_SIZE))
		kunit_skip(test, "not enough memory");
	/* The first may need a leaf of the index, too. */
	KUNIT_ASSERT_EQ(test, gh_area_build(node, GFP_KERNEL), 0);
	before = stats_of(test);
	tables = gh_vmem_table_bytes();
	KUNIT_ASSERT_EQ(test, gh_area_build(node, GFP_KERNEL), 0);
	st = stats_of(test);
	tables = gh_vmem_table_bytes() - tables;
	KUNIT_EXPECT_GE(test, st.other_sys - before.other_sys,
			tables + sizeof(struct gh_arena));
}

static void each_kind_of_bad_free_is_counted(struct kunit *test)
{
	struct goheap_stats before, st;
	struct gh_test_reports r;
	void *p = must_alloc(test, 64, false);
	void *q = must_alloc(test, 64, false);
	void *block = goheap_stack_alloc(2048, GFP_KERNEL);
	unsigned int i;

	before = stats_of(test);
	gh_test_reports_begin(&r);
	goheap_free(test);
	goheap_free(p + 1);
	goheap_free(p);
	goheap_free(p);
	goheap_free(block);
	gh_test_reports_end(&r);
	st = stats_of(test);
	for (i = 0; i < GOHEAP_NR_BAD; i++) {
		KUNIT_EXPECT_EQ(test, st.bad_frees[i], before.bad_frees[i] + 1);
		KUNIT_EXPECT_EQ(test, r.n[i], 1);
	}
	expect_sums(test);
	goheap_free(q);
	goheap_stack_free(block);
}

static void the_sums_hold_after_random_use(struct kunit *test)
{
	const unsigned int n = 400;
	struct gh_heap *h = gh_test_heap(test);
	struct goheap_stats st;
	struct rnd_state rnd;
	unsigned int step, i, live = 0;
	void **p;

	p = kunit_kcalloc(test, n, sizeof(*p), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	prandom_seed_state(&rnd, 14);
	for (step = 1; step <= steps; step++) {
		u32 r = prandom_u32_state(&rnd);

		i = r % n;
		if (p[i]) {
			goheap_free(p[i]);
			p[i] = NULL;
			live--;
		} else {
			p[i] = must_alloc(test, r >> 10 & ((2 << (r >> 28)) - 1) ?:
					  1, r & 512);
			live++;
		}
		if (step % (steps / 16) == 0) {
			expect_sums(test);
			st = stats_of(test);
			KUNIT_EXPECT_EQ(test, st.objects, live);
		}
		if (step % (steps / 4) == 0)
			gh_reclaim_all(h);
	}
	for (i = 0; i < n; i++)
		goheap_free(p[i]);
	expect_sums(test);
	gh_reclaim_all(h);
	expect_sums(test);
	st = stats_of(test);
	KUNIT_EXPECT_EQ(test, st.objects, 0);
	KUNIT_EXPECT_EQ(test, st.heap_alloc, 0);
	KUNIT_EXPECT_EQ(test, st.heap_inuse, 0);
	KUNIT_EXPECT_EQ(test, st.spans_inuse, 0);
	KUNIT_EXPECT_EQ(test, st.cached, 0);
}

static struct kunit_case stats_cases[] = {
	KUNIT_CASE(a_new_heap_holds_nothing),
	KUNIT_CASE(live_objects_count_at_their_classs_size),
	KUNIT_CASE(tiny_objects_count_one_by_one),
	KUNIT_CASE(freed_objects_are_cached_until_they_are_drained),
	KUNIT_CASE(objects_of_caches_count_while_they_live_and_after),
	KUNIT_CASE(totals_never_fall),
	KUNIT_CASE(memory_given_back_is_released),
	KUNIT_CASE(committed_is_what_vmem_committed),
	KUNIT_CASE(stack_blocks_are_no_part_of_the_heap),
	KUNIT_CASE(areas_cost_what_their_arenas_need),
	KUNIT_CASE(each_kind_of_bad_free_is_counted),
	KUNIT_CASE(the_sums_hold_after_random_use),
	{}
};

static struct kunit_suite stats_suite = {
	.name = "goheap_stats",
	.init = gh_test_heap_init,
	.exit = gh_test_heap_exit,
	.test_cases = stats_cases,
};

kunit_test_suite(stats_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of statistics");
MODULE_LICENSE("GPL");
