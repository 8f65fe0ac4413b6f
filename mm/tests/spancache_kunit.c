// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the span cache: what it serves, what it hides, and that it gives
 * everything back.
 */
#include "test_util.h"

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>

#include "../cache.h"
#include "../large.h"
#include "../malloc.h"
#include "../area.h"
#include "../mcache.h"
#include "../reclaim.h"
#include "../stats.h"
#include "../tinyword.h"

/* Pages of a span: not of any length that the heap itself would ask for. */
#define LEN	20

static struct gh_span *get_span(struct kunit *test, unsigned long npages,
				gfp_t gfp)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_shape shape = {
		.elemsize = npages << GH_PAGE_SHIFT,
		.npages = npages,
		.nelems = 1,
		.large = true,
		.state = GH_SPAN_LARGE,
	};

	return gh_mheap_alloc_span(h, &shape, &h->central[0], gfp,
				   NUMA_NO_NODE);
}

static struct gh_span *must_get_span(struct kunit *test, unsigned long npages)
{
	struct gh_span *s = get_span(test, npages, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

static struct gh_span *must_get_of(struct kunit *test, unsigned int central)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_central *c = &h->central[central];
	struct gh_span *s = gh_mheap_alloc_span(h, &c->shape, c, GFP_KERNEL,
						NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

static struct gh_span *must_get_small(struct kunit *test, unsigned int size)
{
	return must_get_of(test, gh_make_spanclass(gh_size_to_class(size), false));
}

static void put_span(struct kunit *test, struct gh_span *s)
{
	gh_mheap_free_span(gh_test_heap(test), s);
}

/* Put @n spans of @npages each into the cache, side by side in memory. */
static void fill_cache(struct kunit *test, unsigned int n, unsigned long npages)
{
	struct gh_span *s[16];
	unsigned int i;

	KUNIT_ASSERT_LE(test, n, ARRAY_SIZE(s));
	for (i = 0; i < n; i++)
		s[i] = must_get_span(test, npages);
	for (i = 0; i < n; i++)
		put_span(test, s[i]);
}

static void *must_malloc(struct kunit *test, size_t size, gfp_t gfp)
{
	void *p = gh_malloc(gh_test_heap(test), size, gfp, false, NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static unsigned long cached(struct kunit *test)
{
	return gh_mheap_cached(gh_test_heap(test));
}

static void set_max_pages(struct kunit *test, unsigned long npages)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++)
		h->nodes[i]->cache.max_pages = npages;
}

static unsigned int narenas(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int n = 0, i;

	for (i = 0; i < h->nr_nodes; i++)
		n += h->nodes[i]->narenas;
	return n;
}

/* Pages that the page allocators take for allocated. */
static unsigned long taken(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++) {
		raw_spin_lock_irq(&h->nodes[i]->lock);
		KUNIT_EXPECT_TRUE(test, gh_pagealloc_verify(&h->nodes[i]->pa));
		n += h->nodes[i]->pa.ninuse;
		raw_spin_unlock_irq(&h->nodes[i]->lock);
	}
	return n;
}

/* How many those of @nspans large spans are, with their guards. */
static unsigned long with_guards(unsigned int nspans, unsigned long npages)
{
	return nspans * (npages + gh_vmem_is_sparse());
}

static void skip_unless_sparse(struct kunit *test)
{
	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
}

/* ---- what it serves ----------------------------------------------------- */

static void a_freed_span_serves_the_same_length(struct kunit *test)
{
	struct gh_span *s = must_get_span(test, LEN);
	unsigned long base = s->base, addr;

	put_span(test, s);
	KUNIT_EXPECT_EQ(test, cached(test), LEN);
	KUNIT_EXPECT_PTR_EQ(test, must_get_span(test, LEN), s);
	KUNIT_EXPECT_EQ(test, cached(test), 0);
	KUNIT_EXPECT_EQ(test, s->base, base);
	KUNIT_EXPECT_EQ(test, s->state, GH_SPAN_LARGE);
	for (addr = base; addr < base + LEN * GH_PAGE_SIZE; addr += GH_PAGE_SIZE)
		KUNIT_EXPECT_PTR_EQ(test, gh_span_of(addr), s);
	put_span(test, s);
}

static void the_span_freed_last_is_served_first(struct kunit *test)
{
	struct gh_span *a = must_get_span(test, LEN);
	struct gh_span *b = must_get_span(test, LEN);

	put_span(test, a);
	put_span(test, b);
	KUNIT_EXPECT_PTR_EQ(test, must_get_span(test, LEN), b);
	KUNIT_EXPECT_PTR_EQ(test, must_get_span(test, LEN), a);
	put_span(test, a);
	put_span(test, b);
}

/* So many lengths that some have the same hash. */
static void each_length_is_served_its_own(struct kunit *test)
{
	struct gh_span *s[60];
	unsigned int i;

	set_max_pages(test, ULONG_MAX);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = must_get_span(test, i + 1);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		put_span(test, s[i]);
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		KUNIT_EXPECT_PTR_EQ(test, must_get_span(test, i + 1), s[i]);
		KUNIT_EXPECT_EQ(test, s[i]->npages, i + 1);
		KUNIT_EXPECT_EQ(test, s[i]->elemsize, (i + 1) << GH_PAGE_SHIFT);
	}
	KUNIT_EXPECT_EQ(test, cached(test), 0);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		put_span(test, s[i]);
}

static void another_cut_of_one_length_is_not_served(struct kunit *test)
{
	struct gh_span *s, *other;

	/* Free memory, so that nothing cached is given up for it. */
	fill_cache(test, 1, LEN);
	gh_mheap_evict(gh_test_heap(test));
	s = must_get_small(test, 64);
	KUNIT_ASSERT_EQ(test, s->npages, 1);
	put_span(test, s);
	other = must_get_small(test, 128);
	KUNIT_EXPECT_EQ(test, cached(test), 1);
	KUNIT_EXPECT_EQ(test, other->nelems, GH_PAGE_SIZE / 128);
	put_span(test, other);
	other = must_get_span(test, 1);
	KUNIT_EXPECT_EQ(test, cached(test), 2);
	KUNIT_EXPECT_EQ(test, other->nelems, 1);
	put_span(test, other);
}

static void another_cut_for_one_object_size_is_not_served(struct kunit *test)
{
	unsigned int stack_size = 1 << GH_STACK_MIN_SHIFT;
	struct gh_span *a, *b;

	/* Stack blocks are cut from longer spans, tiny blocks have words. */
	a = must_get_of(test, GH_CENTRAL_STACK);
	put_span(test, a);
	b = must_get_small(test, stack_size);
	KUNIT_EXPECT_EQ(test, b->elemsize, a->elemsize);
	KUNIT_EXPECT_PTR_NE(test, b, a);
	put_span(test, b);
	a = must_get_of(test, GH_CENTRAL_TINY);
	put_span(test, a);
	b = must_get_small(test, GH_TINY_SIZE);
	KUNIT_EXPECT_EQ(test, b->elemsize, a->elemsize);
	KUNIT_EXPECT_PTR_NE(test, b, a);
	put_span(test, b);
}

static void a_small_span_comes_back_clean(struct kunit *test)
{
	struct gh_span *s = must_get_small(test, 64);
	unsigned int n = s->nelems, i;
	struct gh_ent ent;

	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, gh_span_carve(s, &ent, 1), 1);
		*ent.state = GH_OBJ_ALLOC;
		gh_span_mark_freed(s, i);
	}
	put_span(test, s);
	KUNIT_ASSERT_PTR_EQ(test, must_get_small(test, 64), s);
	KUNIT_EXPECT_TRUE(test, gh_span_verify(s));
	KUNIT_EXPECT_EQ(test, s->alloc_count, 0);
	KUNIT_EXPECT_EQ(test, s->nfreed, 0);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, s->objstate[i], GH_OBJ_FREE);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, gh_span_carve(s, &ent, 1), 1);
	KUNIT_EXPECT_EQ(test, gh_span_carve(s, &ent, 1), 0);
	put_span(test, s);
}

static void memory_that_is_reused_is_zeroed_if_asked(struct kunit *test)
{
	void *p = must_malloc(test, SZ_512K, GFP_KERNEL);

	gh_test_fill(p, SZ_512K, 7);
	goheap_free(p);
	KUNIT_ASSERT_PTR_EQ(test, must_malloc(test, SZ_512K,
					      GFP_KERNEL | __GFP_ZERO), p);
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed(p, SZ_512K));
	goheap_free(p);
}

static void those_who_cannot_wait_are_served(struct kunit *test)
{
	struct gh_span *s;

	fill_cache(test, 1, LEN);
	local_irq_disable();
	s = get_span(test, LEN, GFP_ATOMIC);
	KUNIT_EXPECT_EQ(test, cached(test), 0);
	if (s)
		put_span(test, s);
	local_irq_enable();
	KUNIT_EXPECT_NOT_NULL(test, s);
}

/* This thread is the reader that no grace period ends before. */
static void another_mcentral_waits_for_the_readers_of_a_span(struct kunit *test)
{
	unsigned int class = gh_size_to_class(64);
	struct gh_heap *h = gh_test_heap(test);
	struct gh_central *c = &h->central[gh_make_spanclass(class, false)];
	struct gh_span *s = must_get_of(test, c - h->central), *of_c, *of_d;
	struct goheap_cache *other = gh_cache_create(h, "other", 64, 0, 0, NULL);
	struct gh_central *d;

	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	d = &other->central;
	rcu_read_lock();
	put_span(test, s);
	of_c = gh_mheap_alloc_span(h, &c->shape, c, GFP_NOWAIT, NUMA_NO_NODE);
	put_span(test, s);
	of_d = gh_mheap_alloc_span(h, &d->shape, d, GFP_NOWAIT, NUMA_NO_NODE);
	rcu_read_unlock();

	KUNIT_ASSERT_NOT_NULL(test, of_d);
	KUNIT_EXPECT_PTR_NE(test, of_d, s);
	/* To those who know it as this one's, nothing changes. */
	KUNIT_EXPECT_PTR_EQ(test, of_c, s);
	put_span(test, of_d);

	gh_mheap_evict(h);
	s = must_get_of(test, c - h->central);
	put_span(test, s);
	synchronize_rcu();
	of_d = gh_mheap_alloc_span(h, &d->shape, d, GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_EXPECT_PTR_EQ(test, of_d, s);
	put_span(test, of_d);
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(other), 0);
}

/* Large objects and stack blocks are told apart by their mcentrals. */
static void a_large_object_waits_for_the_readers_of_a_stack_block(struct kunit *test)
{
	void *p = goheap_stack_alloc(SZ_512K, GFP_KERNEL), *q;
	struct gh_span *s;

	KUNIT_ASSERT_NOT_NULL(test, p);
	s = gh_span_of((unsigned long)p);
	rcu_read_lock();
	goheap_stack_free(p);
	q = goheap_alloc(SZ_512K, GFP_NOWAIT | __GFP_NOWARN);
	rcu_read_unlock();
	/* The pages may be the same, but the record is another one. */
	KUNIT_EXPECT_PTR_NE(test, gh_span_of((unsigned long)q), s);
	goheap_free(q);
}

static void a_span_is_served_to_its_node_only(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_shape shape = {
		.elemsize = LEN << GH_PAGE_SHIFT,
		.npages = LEN,
		.nelems = 1,
		.large = true,
		.state = GH_SPAN_LARGE,
	};
	struct gh_span *s[2];
	int nid, i = 0;

	if (num_node_state(N_MEMORY) < 2)
		kunit_skip(test, "one NUMA node");
	fill_cache(test, 1, LEN);
	for_each_node_state(nid, N_MEMORY) {
		s[i] = gh_mheap_alloc_span(h, &shape, &h->central[0],
					   GFP_KERNEL | __GFP_THISNODE, nid);
		KUNIT_ASSERT_NOT_NULL(test, s[i]);
		KUNIT_EXPECT_EQ(test, s[i]->node->nid, nid);
		if (++i == ARRAY_SIZE(s))
			break;
	}
	while (i--)
		put_span(test, s[i]);
}

/* ---- what it hides ------------------------------------------------------ */

static void count_span(struct gh_span *s, void *arg)
{
	++*(unsigned int *)arg;
}

static void cached_spans_are_not_in_use(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *large = must_get_span(test, LEN);
	struct gh_span *small = must_get_small(test, 64);
	unsigned long base = small->base;
	struct goheap_stats st;
	unsigned int n = 0;

	put_span(test, large);
	put_span(test, small);
	KUNIT_EXPECT_EQ(test, large->state, GH_SPAN_DEAD);
	KUNIT_EXPECT_NULL(test, gh_span_of(base));
	gh_mheap_walk_spans(h, count_span, &n);
	KUNIT_EXPECT_EQ(test, n, 0);
	gh_stats_get(h, &st);
	KUNIT_EXPECT_EQ(test, st.pages_inuse, 0);
	KUNIT_EXPECT_EQ(test, st.spans_inuse, 0);
	KUNIT_EXPECT_EQ(test, st.heap_inuse, 0);
	KUNIT_EXPECT_EQ(test, st.cached_spans, (LEN + 1) * GH_PAGE_SIZE);
	KUNIT_EXPECT_LE(test, st.cached_spans + st.heap_released, st.heap_idle);
}

static void stack_spans_are_counted_only_while_in_use(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s;
	struct gh_shape shape = {
		.elemsize = LEN << GH_PAGE_SHIFT,
		.npages = LEN,
		.nelems = 1,
		.large = true,
		.state = GH_SPAN_STACK,
	};

	fill_cache(test, 1, LEN);
	s = gh_mheap_alloc_span(h, &shape, &h->central[0], GFP_KERNEL,
				NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, cached(test), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&s->node->stack_pages), LEN);
	put_span(test, s);
	KUNIT_EXPECT_EQ(test, cached(test), LEN);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&s->node->stack_pages), 0);
}

static void frees_of_what_is_cached_are_refused(struct kunit *test)
{
	char *p = must_malloc(test, SZ_512K, GFP_KERNEL);

	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_INTERIOR, goheap_free(p + 8));
	goheap_free(p);
	KUNIT_ASSERT_EQ(test, cached(test), SZ_512K >> GH_PAGE_SHIFT);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD, goheap_free(p));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD, goheap_free(p + 8));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD, goheap_stack_free(p));
	KUNIT_EXPECT_EQ(test, cached(test), SZ_512K >> GH_PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(p), 0);
	KUNIT_EXPECT_FALSE(test, goheap_owns(p));
	KUNIT_EXPECT_PTR_EQ(test, must_malloc(test, SZ_512K, GFP_KERNEL),
			    (void *)p);
	KUNIT_EXPECT_TRUE(test, goheap_owns(p));
	goheap_free(p);
}

/* Both found the object allocated before either went on. */
static void of_two_frees_at_the_same_moment_one_is_refused(struct kunit *test)
{
	void *p = must_malloc(test, SZ_512K, GFP_KERNEL);
	struct gh_span *s = gh_span_of((unsigned long)p);

	KUNIT_EXPECT_TRUE(test, gh_large_release(s));
	gh_large_put(s);
	KUNIT_EXPECT_FALSE(test, gh_large_release(s));
	KUNIT_EXPECT_EQ(test, cached(test), SZ_512K >> GH_PAGE_SHIFT);
}

/* ---- its bounds --------------------------------------------------------- */

static void the_cache_is_bounded(struct kunit *test)
{
	struct gh_span *s[10], *longer = must_get_span(test, 6 * LEN);
	unsigned int i;

	set_max_pages(test, 5 * LEN + 1);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = must_get_span(test, LEN);
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		put_span(test, s[i]);
		KUNIT_EXPECT_EQ(test, cached(test), min(i + 1, 5U) * LEN);
	}
	KUNIT_EXPECT_EQ(test, taken(test),
			with_guards(1, 6 * LEN) + with_guards(5, LEN));
	/* Longer than all of it: nobody makes room in vain. */
	put_span(test, longer);
	KUNIT_EXPECT_EQ(test, cached(test), 5 * LEN);
	KUNIT_EXPECT_EQ(test, taken(test), with_guards(5, LEN));
}

static void a_full_cache_makes_room_for_what_is_freed_now(struct kunit *test)
{
	struct gh_span *s;
	unsigned int i;

	set_max_pages(test, 5 * LEN);
	fill_cache(test, 5, LEN);
	for (i = 0; i < 4; i++)
		put_span(test, must_get_span(test, LEN - 2));
	s = must_get_span(test, LEN - 2);
	KUNIT_EXPECT_EQ(test, taken(test),
			with_guards(1, LEN - 2) +
			with_guards(cached(test) / LEN, LEN));
	put_span(test, s);
	KUNIT_EXPECT_PTR_EQ(test, must_get_span(test, LEN - 2), s);
	put_span(test, s);
}

/* ---- giving back -------------------------------------------------------- */

static void idle_spans_go_at_the_second_look(struct kunit *test)
{
	struct gh_span *small = must_get_small(test, 64);
	struct gh_heap *h = gh_test_heap(test);

	fill_cache(test, 3, LEN);
	put_span(test, small);
	KUNIT_EXPECT_TRUE(test, gh_mheap_age(h));
	KUNIT_EXPECT_EQ(test, cached(test), 3 * LEN + 1);
	/* One is in use from time to time: it alone is not idle. */
	put_span(test, must_get_span(test, LEN));
	KUNIT_EXPECT_TRUE(test, gh_mheap_age(h));
	KUNIT_EXPECT_EQ(test, cached(test), LEN);
	put_span(test, must_get_span(test, LEN));
	KUNIT_EXPECT_TRUE(test, gh_mheap_age(h));
	KUNIT_EXPECT_EQ(test, cached(test), LEN);
	KUNIT_EXPECT_FALSE(test, gh_mheap_age(h));
	KUNIT_EXPECT_EQ(test, cached(test), 0);
}

static void the_background_worker_empties_an_idle_cache(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned long end = jiffies + 20 * HZ;

	h->aged = jiffies;
	fill_cache(test, 2, LEN);
	while (cached(test) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(HZ / 10);
	KUNIT_EXPECT_EQ(test, cached(test), 0);
}

/* Returns whether it comes again, after memory of a peak was idle for a tick. */
static bool tick_comes_again(struct gh_heap *h, unsigned long peak_pages)
{
	mutex_lock(&h->scav_lock);
	WRITE_ONCE(h->peak_pages, peak_pages);
	mutex_unlock(&h->scav_lock);
	h->aged = jiffies - HZ;
	mod_delayed_work(gh_wq, &h->background, 0);
	flush_delayed_work(&h->background);
	return delayed_work_pending(&h->background);
}

static void the_background_worker_waits_for_the_peak_to_come_down(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int i;

	skip_unless_sparse(test);
	fill_cache(test, 2, LEN);
	gh_mheap_evict(h);
	KUNIT_ASSERT_GT(test, gh_mheap_idle_committed(h), 0);
	/* Soon records and CPUs have nothing to look at any more, but the peak is there. */
	for (i = 0; i < 30; i++) {
		KUNIT_EXPECT_TRUE(test, tick_comes_again(h, gh_mheap_inuse(h) + SZ_1M));
		msleep(20);
	}
	for (i = 0; i < 200 && tick_comes_again(h, gh_mheap_inuse(h)); i++)
		msleep(20);
	KUNIT_EXPECT_LT(test, i, 200);
}

static void shrinking_empties_the_cache(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);

	fill_cache(test, 3, LEN);
	gh_reclaim_all(h);
	KUNIT_EXPECT_EQ(test, cached(test), 0);
	KUNIT_EXPECT_EQ(test, gh_mheap_idle_committed(h), 0);
}

/* What the shrinker asks for: the pages that are free first. */
static void scavenging_takes_cached_spans_last(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s;

	skip_unless_sparse(test);
	s = must_get_span(test, 2 * LEN);
	fill_cache(test, 1, LEN);
	set_max_pages(test, LEN);
	put_span(test, s);
	gh_mheap_evict(h);
	fill_cache(test, 1, LEN);
	KUNIT_ASSERT_EQ(test, cached(test), LEN);
	mutex_lock(&h->scav_lock);
	KUNIT_EXPECT_EQ(test, gh_mheap_scavenge(h, NUMA_NO_NODE, LEN, true),
			LEN);
	KUNIT_EXPECT_EQ(test, cached(test), LEN);
	KUNIT_EXPECT_EQ(test, gh_mheap_scavenge(h, NUMA_NO_NODE, ULONG_MAX, true), 2 * LEN);
	KUNIT_EXPECT_EQ(test, cached(test), 0);
	mutex_unlock(&h->scav_lock);
}

static void cached_memory_is_used_before_new_memory(struct kunit *test)
{
	unsigned long committed;
	struct gh_span *s;

	skip_unless_sparse(test);
	fill_cache(test, 10, LEN);
	committed = gh_vmem_committed_bytes();
	s = must_get_span(test, 2 * LEN + 1);
	/* Guards between what was cached may have had none. */
	KUNIT_EXPECT_LE(test, gh_vmem_committed_bytes(),
			committed + 2 * GH_PAGE_SIZE);
	KUNIT_EXPECT_GT(test, cached(test), 0);
	put_span(test, s);
}

static void cached_pages_are_used_before_the_heap_grows(struct kunit *test)
{
	unsigned int before = narenas(test);
	struct gh_span *s;

	if (!gh_test_has_ram(64 * SZ_1M))
		kunit_skip(test, "not enough memory");
	set_max_pages(test, ULONG_MAX);
	put_span(test, must_get_span(test, (30 * SZ_1M) >> GH_PAGE_SHIFT));
	s = must_get_span(test, (40 * SZ_1M) >> GH_PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, narenas(test), before);
	put_span(test, s);
}

static void those_who_cannot_wait_evict_one_step(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_node *node = gh_mheap_node(h, numa_mem_id(), false);
	struct gh_span **piece, **between, *rest;
	unsigned int i, n = 90;
	unsigned long nfree;
	LIST_HEAD(hints);

	if (!gh_test_has_ram(64 * SZ_1M))
		kunit_skip(test, "not enough memory");
	piece = kunit_kcalloc(test, 2 * n, sizeof(*piece), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, piece);
	between = piece + n;
	set_max_pages(test, ULONG_MAX);
	rest = must_get_span(test, (30 * SZ_1M) >> GH_PAGE_SHIFT);
	/* The node is not to grow meanwhile. */
	h->closing = true;
	gh_area_detach(h);
	list_splice_init(&node->hints, &hints);
	for (i = 0; i < n; i++) {
		piece[i] = must_get_span(test, LEN);
		between[i] = must_get_span(test, LEN);
	}
	for (i = 0; i < n; i++)
		put_span(test, piece[i]);
	nfree = node->pa.nfree;
	/* Longer than all that is free and cached: nothing is evicted in vain. */
	KUNIT_EXPECT_NULL(test, get_span(test, nfree + n * LEN + 1,
					 GFP_NOWAIT | __GFP_THISNODE));
	KUNIT_EXPECT_EQ(test, cached(test), n * LEN);
	/* There would be pages enough, but none of the pieces are neighbours. */
	KUNIT_EXPECT_NULL(test, get_span(test, nfree + n * LEN / 2,
					 GFP_NOWAIT | __GFP_THISNODE));
	KUNIT_EXPECT_LT(test, cached(test), n * LEN);
	KUNIT_EXPECT_GT(test, cached(test), n * LEN / 2);
	for (i = 0; i < n; i++)
		put_span(test, between[i]);
	put_span(test, rest);
	list_splice(&hints, &node->hints);
	h->closing = false;
}

static void a_cpu_that_holds_only_pages_gives_them_back(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_pages_cpu *pcpu;

	migrate_disable();
	pcpu = this_cpu_ptr(h->pages_cpu[0]);
	put_span(test, must_get_span(test, 1));
	gh_mheap_evict(h);
	KUNIT_EXPECT_TRUE(test, gh_mcache_empty(h, smp_processor_id()));
	KUNIT_EXPECT_NE(test, pcpu->pc.cache, 0ULL);
	h->aged = jiffies - HZ;
	mod_delayed_work(gh_wq, &h->background, 0);
	flush_delayed_work(&h->background);
	flush_work(&this_cpu_ptr(h->mcache)->age_work);
	KUNIT_EXPECT_EQ(test, pcpu->pc.cache, 0ULL);
	h->aged = jiffies + 3600 * HZ;
	migrate_enable();
}

/* Spans too far apart are given up first; a long one only if all else fails. */
static void cached_memory_is_used_when_the_system_has_none(struct kunit *test)
{
	struct gh_span *piece[10], *between[10], *s;
	unsigned long at;
	unsigned int i;

	skip_unless_sparse(test);
	for (i = 0; i < ARRAY_SIZE(piece); i++) {
		piece[i] = must_get_span(test, LEN + i);
		between[i] = must_get_span(test, LEN + 10);
	}
	s = must_get_span(test, 3 * LEN);
	at = s->base;
	put_span(test, s);
	for (i = 0; i < ARRAY_SIZE(piece); i++)
		put_span(test, piece[i]);
	s->node->cache.victim = gh_spancache_bin(&s->node->cache, s->elemsize,
						 true) -
				s->node->cache.bin + 1;
	gh_fault_arm(GH_FAULT_PAGE, 1);
	s = get_span(test, 2 * LEN, GFP_KERNEL | __GFP_THISNODE);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, s->base, at);
	put_span(test, s);
	for (i = 0; i < ARRAY_SIZE(between); i++)
		put_span(test, between[i]);
}

/* ---- all at once -------------------------------------------------------- */

static void spans_of_many_cuts_come_and_go(struct kunit *test)
{
	static const unsigned int sizes[] = { 8, 64, 640, 6784, 32768 };
	struct gh_span *s[64] = { };
	struct rnd_state rnd;
	unsigned long pages = 0;
	unsigned int i, step;

	prandom_seed_state(&rnd, 9);
	set_max_pages(test, 300);
	for (step = 0; step < 20000; step++) {
		i = prandom_u32_state(&rnd) % ARRAY_SIZE(s);
		if (s[i]) {
			if (*(unsigned long *)s[i]->base != i)
				break;
			pages -= s[i]->npages;
			put_span(test, s[i]);
			s[i] = NULL;
			continue;
		}
		if (i % 2)
			s[i] = must_get_span(test, 5 + i % 40);
		else
			s[i] = must_get_small(test, sizes[i % ARRAY_SIZE(sizes)]);
		*(unsigned long *)s[i]->base = i;
		pages += s[i]->npages;
		if (gh_mheap_inuse(gh_test_heap(test)) != pages ||
		    cached(test) > 300)
			break;
	}
	KUNIT_EXPECT_EQ(test, step, 20000);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		if (s[i])
			put_span(test, s[i]);
	gh_mheap_evict(gh_test_heap(test));
	KUNIT_EXPECT_EQ(test, cached(test), 0);
	gh_mheap_flush_pages(gh_test_heap(test), raw_smp_processor_id());
	KUNIT_EXPECT_EQ(test, taken(test), 0);
}

static struct kunit_case spancache_cases[] = {
	KUNIT_CASE(a_freed_span_serves_the_same_length),
	KUNIT_CASE(the_span_freed_last_is_served_first),
	KUNIT_CASE(each_length_is_served_its_own),
	KUNIT_CASE(another_cut_of_one_length_is_not_served),
	KUNIT_CASE(another_cut_for_one_object_size_is_not_served),
	KUNIT_CASE(a_small_span_comes_back_clean),
	KUNIT_CASE(memory_that_is_reused_is_zeroed_if_asked),
	KUNIT_CASE(those_who_cannot_wait_are_served),
	KUNIT_CASE(another_mcentral_waits_for_the_readers_of_a_span),
	KUNIT_CASE(a_large_object_waits_for_the_readers_of_a_stack_block),
	KUNIT_CASE(a_span_is_served_to_its_node_only),
	KUNIT_CASE(cached_spans_are_not_in_use),
	KUNIT_CASE(stack_spans_are_counted_only_while_in_use),
	KUNIT_CASE(frees_of_what_is_cached_are_refused),
	KUNIT_CASE(of_two_frees_at_the_same_moment_one_is_refused),
	KUNIT_CASE(the_cache_is_bounded),
	KUNIT_CASE(a_full_cache_makes_room_for_what_is_freed_now),
	KUNIT_CASE(idle_spans_go_at_the_second_look),
	KUNIT_CASE(the_background_worker_empties_an_idle_cache),
	KUNIT_CASE(the_background_worker_waits_for_the_peak_to_come_down),
	KUNIT_CASE(shrinking_empties_the_cache),
	KUNIT_CASE(scavenging_takes_cached_spans_last),
	KUNIT_CASE(cached_memory_is_used_before_new_memory),
	KUNIT_CASE(cached_pages_are_used_before_the_heap_grows),
	KUNIT_CASE(those_who_cannot_wait_evict_one_step),
	KUNIT_CASE(a_cpu_that_holds_only_pages_gives_them_back),
	KUNIT_CASE(cached_memory_is_used_when_the_system_has_none),
	KUNIT_CASE(spans_of_many_cuts_come_and_go),
	{}
};

static struct kunit_suite spancache_suite = {
	.name = "goheap_spancache",
	.init = gh_test_heap_init,
	.exit = gh_test_heap_exit,
	.test_cases = spancache_cases,
};

kunit_test_suite(spancache_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of the span cache");
MODULE_LICENSE("GPL");
