// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of a heap's records: what readers find in those of dead spans,
 * and that the memory of records goes back to the system.
 */
#include "test_util.h"

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "../cache.h"
#include "../malloc.h"
#include "../mcentral.h"
#include "../reclaim.h"
#include "../records.h"
#include "../stats.h"
#include "../tinyword.h"

static unsigned int objects = IS_ENABLED(CONFIG_KASAN) ? 100000 : 1000000;
module_param(objects, uint, 0444);
MODULE_PARM_DESC(objects, "objects of a spike (default 1000000, less with KASAN)");

#define OBJ_SIZE	64

static struct gh_central *central_of(struct kunit *test, size_t size)
{
	unsigned int sc = gh_make_spanclass(gh_size_to_class(size), true);

	return &gh_test_heap(test)->central[sc];
}

/* Let spans that are freed go at once, so that their records do. */
static void keep_no_spans(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++)
		h->nodes[i]->cache.max_pages = 0;
}

static struct gh_span *must_get_span(struct kunit *test, struct gh_central *c)
{
	struct gh_span *s = gh_central_new_span(c, GFP_KERNEL, NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

/* Get spans, without sleeping. Returns how many. */
static unsigned int get_spans(struct gh_central *c, struct gh_span **s,
			      unsigned int max)
{
	unsigned int n;

	for (n = 0; n < max; n++) {
		s[n] = gh_central_new_span(c, GFP_NOWAIT | __GFP_NOWARN,
					   NUMA_NO_NODE);
		if (!s[n])
			break;
	}
	return n;
}

static void put_spans(struct gh_central *c, struct gh_span **s, unsigned int n)
{
	while (n--)
		gh_central_put_span(c, s[n]);
}

static void settle(struct kunit *test)
{
	while (gh_records_age(gh_test_heap(test)))
		synchronize_rcu();
}

/* ---- dead spans --------------------------------------------------------- */

#define OTHERS	100

/* This thread is the reader that no grace period ends before. */
static void a_reader_finds_a_dead_span_as_it_died(struct kunit *test)
{
	struct gh_central *c = central_of(test, OBJ_SIZE);
	struct gh_span *s = must_get_span(test, c), *other[OTHERS], *found;
	unsigned int i, n, reused = 0, alive = 0, nelems = s->nelems;
	unsigned long base = s->base;
	u8 *state = s->objstate;
	bool listed;

	keep_no_spans(test);
	rcu_read_lock();
	found = gh_span_of(base);
	gh_central_put_span(c, s);
	n = get_spans(c, other, OTHERS);
	for (i = 0; i < n; i++)
		reused += other[i] == found || other[i]->objstate == state;
	alive += found->nmalloc || found->ncache;
	alive += found->state != GH_SPAN_DEAD;
	alive += found->objstate != state || found->nelems != nelems;
	alive += !!memchr_inv(state, GH_OBJ_FREE, nelems);
	listed = gh_span_of(base) == found;
	rcu_read_unlock();

	KUNIT_EXPECT_PTR_EQ(test, found, s);
	KUNIT_EXPECT_GT(test, n, OTHERS / 2);
	KUNIT_EXPECT_EQ(test, reused, 0);
	KUNIT_EXPECT_EQ(test, alive, 0);
	KUNIT_EXPECT_FALSE(test, listed);
	put_spans(c, other, n);
}

static void a_record_serves_again_when_its_readers_are_over(struct kunit *test)
{
	struct gh_central *c = central_of(test, OBJ_SIZE);
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s = must_get_span(test, c), *other[OTHERS];
	struct gh_span *keep = must_get_span(test, c);
	unsigned int n = 0, reused = 0;

	keep_no_spans(test);
	gh_central_put_span(c, s);
	settle(test);
	while (READ_ONCE(h->spans.navail) && n < OTHERS) {
		other[n] = must_get_span(test, c);
		reused += other[n++] == s;
	}
	KUNIT_EXPECT_EQ(test, reused, 1);
	put_spans(c, other, n);
	gh_central_put_span(c, keep);
}

static void a_reader_finds_no_object_in_dead_tiny_blocks(struct kunit *test)
{
	struct gh_central *c = &gh_test_heap(test)->central[GH_CENTRAL_TINY];
	struct gh_span *s[2], *found;
	unsigned int i, objs = 0;

	keep_no_spans(test);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = must_get_span(test, c);
	rcu_read_lock();
	found = gh_span_of(s[0]->base);
	/* The records are linked to each other. */
	put_spans(c, s, ARRAY_SIZE(s));
	for (i = 0; i < ARRAY_SIZE(found->tiny->word); i++)
		objs += !!atomic_read(&found->tiny->word[i]);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, objs, 0);
}

static void the_record_of_a_cache_waits_for_readers(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_fixalloc_stats st;
	struct goheap_cache *cache;

	cache = gh_cache_create(h, "test", 100, 0, 0, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	gh_fixalloc_stats(&h->caches_rec, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, 1);
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache), 0UL);
	gh_fixalloc_stats(&h->caches_rec, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, 0);
	KUNIT_EXPECT_EQ(test, st.nwait, 1);
	settle(test);
	gh_fixalloc_stats(&h->caches_rec, &st);
	KUNIT_EXPECT_EQ(test, st.nwait, 0);
}

/* ---- memory ------------------------------------------------------------- */

/* Objects are chained through their first word. */
struct chain {
	struct chain *next;
};

static u64 mspan_sys(struct kunit *test)
{
	struct goheap_stats st;

	gh_stats_get(gh_test_heap(test), &st);
	return st.mspan_sys;
}

static struct chain *alloc_chain(struct kunit *test, unsigned int n)
{
	struct gh_heap *h = gh_test_heap(test);
	struct chain *chain = NULL, *p;

	while (n--) {
		p = gh_malloc(h, OBJ_SIZE, GFP_KERNEL, true, NUMA_NO_NODE);
		if (!p) {
			KUNIT_FAIL(test, "no memory");
			break;
		}
		p->next = chain;
		chain = p;
		if (n % 1024 == 0)
			cond_resched();
	}
	return chain;
}

/* Free all objects but one in each @keep, which are returned. */
static struct chain *free_chain(struct chain *chain, unsigned int keep)
{
	struct chain *left = NULL, *p;
	unsigned int i = 0;

	while ((p = chain)) {
		chain = p->next;
		if (keep && i % keep == 0) {
			p->next = left;
			left = p;
		} else {
			goheap_free(p);
		}
		if (i++ % 1024 == 0)
			cond_resched();
	}
	return left;
}

/* Allocate and free @n objects. Returns the memory of records at the peak. */
static u64 spike(struct kunit *test, unsigned int n)
{
	struct chain *chain = alloc_chain(test, n);
	u64 peak = mspan_sys(test);

	free_chain(chain, 0);
	return peak;
}

static void the_records_of_a_spike_go_back(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	u64 before, peak, left;

	if (!gh_test_has_ram(2UL * objects * OBJ_SIZE))
		kunit_skip(test, "not enough memory");
	gh_reclaim_all(h);
	before = mspan_sys(test);
	peak = spike(test, objects) - before;
	/* A record and bitmaps for each span of a page. */
	KUNIT_EXPECT_GT(test, peak, objects / (GH_PAGE_SIZE / OBJ_SIZE) * 256);

	/* What the worker does: a spare chunk of two allocators may stay. */
	gh_reclaim_drain(h, NULL);
	settle(test);
	left = mspan_sys(test) - before;
	KUNIT_EXPECT_LE(test, left, 2 * GH_FIXALLOC_CHUNK);

	gh_reclaim_all(h);
	KUNIT_EXPECT_EQ(test, mspan_sys(test), before);
}

static void the_background_worker_gives_records_back(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	u64 peak = spike(test, 50000);
	unsigned int i;

	KUNIT_EXPECT_GT(test, peak, 8 * GH_FIXALLOC_CHUNK);
	h->aged = jiffies - HZ;
	mod_delayed_work(gh_wq, &h->background, 0);
	for (i = 0; i < 200 && mspan_sys(test) > 2 * GH_FIXALLOC_CHUNK; i++)
		msleep(100);
	KUNIT_EXPECT_LT(test, i, 200);
}

/* What stays idle, because the heap may need it again, is no reason to go on. */
static void the_background_worker_stops_when_it_is_done(struct kunit *test)
{
	struct chain *left = alloc_chain(test, 50000);
	struct gh_heap *h = gh_test_heap(test);
	unsigned int i;

	spike(test, 50000);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&h->background));
	for (i = 0; i < 200 && delayed_work_pending(&h->background); i++) {
		h->aged = jiffies - HZ;
		mod_delayed_work(gh_wq, &h->background, 0);
		flush_delayed_work(&h->background);
		/* For the CPUs that it asked, and for grace periods. */
		msleep(20);
	}
	KUNIT_EXPECT_LT(test, i, 200);
	if (gh_vmem_is_sparse())
		KUNIT_EXPECT_GT(test, gh_mheap_idle_committed(h), 0);
	free_chain(left, 0);
}

static void survivors_of_a_spike_keep_their_records(struct kunit *test)
{
	struct chain *left = free_chain(alloc_chain(test, 50000), 1000), *p;
	struct gh_heap *h = gh_test_heap(test);
	unsigned int n = 0, wrong = 0;

	gh_reclaim_all(h);
	spike(test, 50000);
	gh_reclaim_all(h);
	KUNIT_EXPECT_GT(test, mspan_sys(test), 0);
	for (p = left; p; p = p->next, n++)
		wrong += goheap_usable_size(p) != OBJ_SIZE;
	free_chain(left, 0);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, n, 50);
}

static struct kunit_case records_cases[] = {
	KUNIT_CASE(a_reader_finds_a_dead_span_as_it_died),
	KUNIT_CASE(a_record_serves_again_when_its_readers_are_over),
	KUNIT_CASE(a_reader_finds_no_object_in_dead_tiny_blocks),
	KUNIT_CASE(the_record_of_a_cache_waits_for_readers),
	KUNIT_CASE(the_records_of_a_spike_go_back),
	KUNIT_CASE(the_background_worker_gives_records_back),
	KUNIT_CASE(the_background_worker_stops_when_it_is_done),
	KUNIT_CASE(survivors_of_a_spike_keep_their_records),
	{}
};

static struct kunit_suite records_suite = {
	.name = "goheap_records",
	.init = gh_test_heap_init,
	.exit = gh_test_heap_exit,
	.test_cases = records_cases,
};

kunit_test_suite(records_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of a heap's records");
MODULE_LICENSE("GPL");
