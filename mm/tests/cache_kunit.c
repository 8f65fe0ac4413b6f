// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of object caches.
 *
 * Most caches are in a heap of the test's own, where a leak can be looked at;
 * the functions that clients call take caches of any heap.
 */
#include "test_util.h"

#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../arena.h"
#include "../cache.h"
#include "../defer.h"
#include "../mcache.h"

static unsigned int steps = 60000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of the random run (default 60000)");

static struct goheap_cache *must_create(struct kunit *test, size_t size,
					size_t align, unsigned int flags,
					void (*ctor)(void *obj))
{
	struct goheap_cache *cache;

	cache = gh_cache_create(gh_test_heap(test), "test", size, align, flags,
				ctor);
	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	return cache;
}

static void must_destroy(struct kunit *test, struct goheap_cache *cache)
{
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache), 0UL);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(gh_test_heap(test)), 0UL);
}

static void *must_alloc(struct kunit *test, struct goheap_cache *cache)
{
	return gh_test_must(test, goheap_cache_alloc(cache, GFP_KERNEL));
}

/* ---- creation ----------------------------------------------------------- */

/**
 * struct create_case - arguments that are refused, or not
 * @why: for messages
 * @name: of the cache
 * @size: bytes
 * @align: bytes
 * @flags: GOHEAP_*
 * @ok: they are taken
 */
struct create_case {
	const char *why;
	const char *name;
	size_t size;
	size_t align;
	unsigned int flags;
	bool ok;
};

static const struct create_case create_cases[] = {
	{ "no name", NULL, 64, 0, 0, false },
	{ "an empty name", "", 64, 0, 0, false },
	{ "size 0", "x", 0, 0, 0, false },
	{ "a size too large", "x", GOHEAP_CACHE_MAX_SIZE + 1, 0, 0, false },
	{ "a size that wraps around", "x", SIZE_MAX, 0, 0, false },
	{ "an align of 3", "x", 64, 3, 0, false },
	{ "an align of 24", "x", 64, 24, 0, false },
	{ "an align too large", "x", 64, 2 * GOHEAP_CACHE_MAX_ALIGN, 0, false },
	{ "an align that wraps around", "x", 64, 1UL << 63, 0, false },
	{ "an unknown flag", "x", 64, 0, BIT(2), false },
	{ "all flags", "x", 64, 0, UINT_MAX, false },
	{ "size 1", "x", 1, 0, 0, true },
	{ "the largest size", "x", GOHEAP_CACHE_MAX_SIZE, 0, 0, true },
	{ "the largest align", "x", 1, GOHEAP_CACHE_MAX_ALIGN, 0, true },
	{ "an align of 1", "x", 64, 1, 0, true },
	{ "every known flag", "x", 64, 0,
	  GOHEAP_DATA | GOHEAP_HWCACHE_ALIGN, true },
	{ "a long name", "a-name-that-is-much-longer-than-there-is-room-for-it",
	  64, 0, 0, true },
};

static void create_case_desc(const struct create_case *c, char *desc)
{
	strscpy(desc, c->why, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(create, create_cases, create_case_desc);

static void arguments_are_checked(struct kunit *test)
{
	const struct create_case *c = test->param_value;
	struct goheap_cache *cache;
	void *p;

	cache = goheap_cache_create(c->name, c->size, c->align, c->flags, NULL);
	if (!c->ok) {
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(cache), -EINVAL);
		return;
	}
	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	p = goheap_cache_alloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, p);
	gh_test_fill(p, c->size, 1);
	KUNIT_EXPECT_TRUE(test, gh_test_filled(p, c->size, 1));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p,
					   max(c->align, 8UL)));
	goheap_cache_free(cache, p);
	goheap_cache_destroy(cache);
}

static void destroying_nothing_does_nothing(struct kunit *test)
{
	goheap_cache_destroy(NULL);
}

static void a_cache_of_no_objects_comes_and_goes(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		must_destroy(test, must_create(test, 64, 0, 0, NULL));
}

static void failing_to_create_loses_nothing(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct goheap_cache *cache;
	struct gh_central *c;
	unsigned int n = 0;

	gh_fault_arm(GH_FAULT_FIXALLOC, 1);
	cache = gh_cache_create(h, "test", 64, 0, 0, NULL);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(cache), -ENOMEM);

	down_write(&h->caches_sem);
	gh_for_each_central(c, h)
		n += !!c->cache;
	up_write(&h->caches_sem);
	KUNIT_EXPECT_EQ(test, n, 0);
}

/* ---- objects ------------------------------------------------------------ */

static void objects_have_exactly_their_size(struct kunit *test)
{
	static const size_t sizes[] = {
		1, 8, 9, 24, 100, 1000, 3000, 8192, 9000, 20000, 32760, 32768,
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct goheap_cache *cache = must_create(test, sizes[i], 0, 0,
							 NULL);
		size_t step = ALIGN(sizes[i], 8);
		void *p[5];

		KUNIT_EXPECT_EQ(test, goheap_cache_size(cache), sizes[i]);
		for (j = 0; j < 5; j++) {
			p[j] = must_alloc(test, cache);
			gh_test_fill(p[j], step, j);
			KUNIT_EXPECT_EQ(test, goheap_usable_size(p[j]), step);
			KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p[j])->central,
					    &cache->central);
		}
		for (j = 0; j < 5; j++) {
			KUNIT_EXPECT_TRUE(test, gh_test_filled(p[j], step, j));
			goheap_cache_free(cache, p[j]);
		}
		must_destroy(test, cache);
	}
}

/* Every object of a span is found at its start, whatever the size. */
static void spans_of_odd_sizes_are_cut_right(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	size_t size;

	for (size = 8; size <= 32768; size += 8 * (size / 256 + 1)) {
		struct goheap_cache *cache = must_create(test, size, 0, 0,
							 NULL);
		struct gh_shape *shape = &cache->central.shape;
		struct gh_span *s;
		unsigned int idx, i, wrong = 0;

		KUNIT_EXPECT_LE(test, shape->nelems * size,
				shape->npages << GH_PAGE_SHIFT);
		s = gh_mheap_alloc_span(h, shape, &cache->central, GFP_KERNEL,
					NUMA_NO_NODE);
		KUNIT_ASSERT_NOT_NULL(test, s);
		for (i = 0; i < s->nelems; i++) {
			unsigned long addr = s->base + i * size;

			wrong += !gh_span_find(s, addr, &idx) || idx != i;
			wrong += gh_span_find(s, addr + size - 1, &idx);
		}
		KUNIT_EXPECT_EQ_MSG(test, wrong, 0, "size %zu", size);
		gh_mheap_free_span(h, s);
		gh_cache_destroy(cache);
	}
}

static void objects_above_32_kib_have_spans_of_their_own(struct kunit *test)
{
	static const size_t sizes[] = { 32769, 40000, SZ_64K, SZ_1M, SZ_4M };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct goheap_cache *cache = must_create(test, sizes[i], 0, 0,
							 NULL);
		void *p[3];

		for (j = 0; j < 3; j++) {
			p[j] = must_alloc(test, cache);
			gh_test_fill(p[j], sizes[i], j);
		}
		for (j = 0; j < 3; j++) {
			KUNIT_EXPECT_TRUE(test, gh_test_filled(p[j], sizes[i],
							       j));
			goheap_cache_free(cache, p[j]);
		}
		/* A second round, of what was freed. */
		p[0] = must_alloc(test, cache);
		goheap_cache_free(cache, p[0]);
		GH_TEST_EXPECT_REFUSED(test,
				       goheap_owns(p[0]) ? GOHEAP_BAD_DOUBLE :
							   GOHEAP_BAD_WILD,
				       goheap_cache_free(cache, p[0]));
		must_destroy(test, cache);
	}
}

static void objects_are_aligned_as_asked(struct kunit *test)
{
	size_t align;

	for (align = 1; align <= GOHEAP_CACHE_MAX_ALIGN; align *= 2) {
		struct goheap_cache *cache = must_create(test, 100, align, 0,
							 NULL);
		unsigned int i;
		void *p[20];

		for (i = 0; i < 20; i++) {
			p[i] = must_alloc(test, cache);
			KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p[i],
							   max(align, 8UL)));
		}
		goheap_cache_free_bulk(cache, 20, p);
		must_destroy(test, cache);
	}
}

static void hwcache_align_is_a_cache_line(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 20, 0,
						 GOHEAP_HWCACHE_ALIGN, NULL);
	void *a = must_alloc(test, cache), *b = must_alloc(test, cache);

	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)a,
					   cache_line_size()));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)b,
					   cache_line_size()));
	goheap_cache_free(cache, a);
	goheap_cache_free(cache, b);
	must_destroy(test, cache);
}

static void caches_do_not_share_spans(struct kunit *test)
{
	struct goheap_cache *a = must_create(test, 64, 0, 0, NULL);
	struct goheap_cache *b = must_create(test, 64, 0, 0, NULL);
	struct goheap_cache *data = must_create(test, 64, 0, GOHEAP_DATA, NULL);
	void *p = must_alloc(test, a), *q = must_alloc(test, b);
	void *r = must_alloc(test, data);

	KUNIT_EXPECT_PTR_NE(test, gh_test_span_of(p), gh_test_span_of(q));
	KUNIT_EXPECT_PTR_NE(test, gh_test_span_of(p), gh_test_span_of(r));
	KUNIT_EXPECT_TRUE(test, gh_test_span_of(r)->noscan);
	KUNIT_EXPECT_FALSE(test, gh_test_span_of(p)->noscan);
	goheap_cache_free(a, p);
	goheap_cache_free(b, q);
	goheap_cache_free(data, r);
	gh_cache_destroy(a);
	gh_cache_destroy(b);
	must_destroy(test, data);
}

static void zeroed_objects_are_zero(struct kunit *test)
{
	static const size_t sizes[] = { 8, 100, 5000, SZ_64K };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct goheap_cache *cache = must_create(test, sizes[i], 0, 0,
							 NULL);

		for (j = 0; j < 3; j++) {
			void *p = goheap_cache_zalloc(cache, GFP_KERNEL);

			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_TRUE(test, gh_test_zeroed(p, sizes[i]));
			gh_test_fill(p, sizes[i], 1);
			goheap_cache_free(cache, p);
		}
		must_destroy(test, cache);
	}
}

static void bulk_gives_all(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 96, 0, 0, NULL);
	const unsigned int n = 500;
	void **p = gh_test_ptrs(test, n);
	unsigned int i, wrong = 0;

	KUNIT_ASSERT_EQ(test, goheap_cache_alloc_bulk(cache, GFP_KERNEL, n, p),
			n);
	for (i = 0; i < n; i++)
		gh_test_fill(p[i], 96, i);
	for (i = 0; i < n; i++)
		wrong += !gh_test_filled(p[i], 96, i);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	goheap_cache_free_bulk(cache, n, p);
	KUNIT_ASSERT_EQ(test, goheap_cache_alloc_bulk(cache, GFP_KERNEL |
						      __GFP_ZERO, n, p), n);
	for (i = 0; i < n; i++)
		wrong += !gh_test_zeroed(p[i], 96);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	p[3] = (goheap_cache_free(cache, p[3]), NULL);
	goheap_cache_free_bulk(cache, n, p);
	must_destroy(test, cache);
}

static void bulk_free_refuses_what_is_bad_and_frees_the_rest(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 64, 0, 0, NULL);
	struct goheap_cache *other = must_create(test, 64, 0, 0, NULL);
	struct gh_test_reports r;
	void *p[12], *q;

	KUNIT_ASSERT_EQ(test, goheap_cache_alloc_bulk(cache, GFP_KERNEL, 8, p),
			8);
	p[8] = p[3];
	p[9] = p[4] + 8;
	q = goheap_cache_alloc(other, GFP_KERNEL);
	p[10] = q;
	p[11] = NULL;
	swap(p[1], p[9]);
	swap(p[2], p[10]);
	gh_test_reports_begin(&r);
	goheap_cache_free_bulk(cache, 12, p);
	gh_test_reports_end(&r);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_DOUBLE], 1);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_INTERIOR], 1);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_FOREIGN], 1);
	KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), 3);
	goheap_cache_free(other, q);
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(other), 0UL);
	must_destroy(test, cache);
}

static void bulk_gives_all_or_nothing(struct kunit *test)
{
	struct goheap_cache *cache;
	void *p[40];
	unsigned int nth, got = 0;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
	for (nth = 1; nth < 100; nth++) {
		cache = must_create(test, 8192, 0, 0, NULL);
		goheap_shrink();
		gh_fault_arm(GH_FAULT_PAGE, nth);
		got = goheap_cache_alloc_bulk(cache, GFP_KERNEL, 40, p);
		if (!gh_fault_disarm())
			break;
		if (got)
			goheap_cache_free_bulk(cache, got, p);
		/* Only another node's memory makes up for a failure. */
		KUNIT_EXPECT_TRUE(test, !got || got == 40);
		must_destroy(test, cache);
	}
	KUNIT_EXPECT_EQ(test, got, 40);
	goheap_cache_free_bulk(cache, got, p);
	must_destroy(test, cache);
}

static void names_have_no_blanks(struct kunit *test)
{
	struct goheap_cache *cache = goheap_cache_create("a b\nc\xff", 64, 0, 0, NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	KUNIT_EXPECT_STREQ(test, cache->central.name, "a_b_c_");
	goheap_cache_destroy(cache);
}

static void what_waits_for_a_grace_period_is_counted(struct kunit *test)
{
	struct goheap_cache *cache = gh_cache_create(gh_kheap, "rcu", 64, 0, 0,
						     NULL);
	struct rcu_head *head;

	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	head = goheap_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, head);
	rcu_read_lock();
	__goheap_free_rcu(cache, head, head);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cache->nrcu), 1);
	rcu_read_unlock();
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cache->nrcu), 0);

	/* The end waits for it, or the object would be lost. */
	head = goheap_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, head);
	__goheap_free_rcu(cache, head, head);
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache), 0);
}

static void objects_are_of_the_node_that_was_named(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 200, 0, 0, NULL);
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		unsigned int i;

		for (i = 0; i < 30; i++) {
			void *p = goheap_cache_alloc_node(cache, GFP_KERNEL |
							  __GFP_THISNODE, nid);

			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_EQ(test, gh_test_span_of(p)->node->nid, nid);
			goheap_cache_free(cache, p);
		}
	}
	KUNIT_EXPECT_NULL(test, goheap_cache_alloc_node(cache, GFP_KERNEL,
							MAX_NUMNODES));
	must_destroy(test, cache);
}

static void flags_that_cannot_be_served_are_refused(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 200, 0, 0, NULL);
	static const gfp_t bad[] = {
		GFP_KERNEL | __GFP_NOFAIL, GFP_KERNEL | GFP_DMA,
		GFP_KERNEL | GFP_DMA32, GFP_KERNEL | __GFP_HIGHMEM,
	};
	struct gh_test_reports r;
	unsigned int i;
	void *p[4];

	gh_test_reports_begin(&r);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_NULL(test, goheap_cache_alloc(cache, bad[i]));
		KUNIT_EXPECT_NULL(test, goheap_cache_alloc_node(cache, bad[i],
								0));
		KUNIT_EXPECT_EQ(test, goheap_cache_alloc_bulk(cache, bad[i], 4,
							      p), 0);
	}
	gh_test_reports_end(&r);
	must_destroy(test, cache);
}

static void atomic_allocation_works_with_interrupts_off(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 500, 0, 0, NULL);
	unsigned long flags;
	unsigned int i, got = 0;
	void *p[100];

	goheap_cache_free(cache, must_alloc(test, cache));
	local_irq_save(flags);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_cache_alloc(cache, GFP_ATOMIC);
		got += !!p[i];
	}
	goheap_cache_free_bulk(cache, ARRAY_SIZE(p), p);
	local_irq_restore(flags);
	/* On PREEMPT_RT there is only what the cache has: the span of the first. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		KUNIT_EXPECT_GE(test, got, cache->central.shape.nelems);
	else
		KUNIT_EXPECT_EQ(test, got, (unsigned int)ARRAY_SIZE(p));
	must_destroy(test, cache);
}

/* ---- constructors ------------------------------------------------------- */

#define MADE	0x600d600d

/**
 * struct made - an object that is constructed
 * @magic: MADE
 * @count: how often it was constructed
 * @used: how often it was used
 */
struct made {
	u32 magic;
	u32 count;
	u32 used;
};

static unsigned int constructed;

static void make(void *obj)
{
	struct made *m = obj;

	m->count = m->magic == MADE ? m->count + 1 : 1;
	m->magic = MADE;
	m->used = 0;
	constructed++;
}

static void objects_are_constructed_once_and_keep_their_state(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, sizeof(struct made), 0,
						 0, make);
	const unsigned int n = 1500;
	struct made **p = (struct made **)gh_test_ptrs(test, n);
	unsigned int i, round, first = 0, wrong = 0;

	constructed = 0;
	for (round = 0; round < 4; round++) {
		for (i = 0; i < n; i++) {
			p[i] = must_alloc(test, cache);
			wrong += p[i]->magic != MADE;
			p[i]->used++;
		}
		if (!round)
			first = constructed;
		for (i = 0; i < n; i++)
			goheap_cache_free(cache, p[i]);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* Each when its span was made: a little more than were asked for. */
	KUNIT_EXPECT_GE(test, first, n);
	KUNIT_EXPECT_LE(test, constructed, first + 4 * 682);
	for (i = 0, wrong = 0; i < n; i++) {
		p[i] = must_alloc(test, cache);
		wrong += p[i]->used > 4;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	for (i = 0; i < n; i++)
		goheap_cache_free(cache, p[i]);
	must_destroy(test, cache);
}

static void every_object_of_a_span_is_constructed(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 64, 0, 0, make);
	struct gh_span *s;
	unsigned int i;
	void *p;

	constructed = 0;
	p = must_alloc(test, cache);
	s = gh_test_span_of(p);
	KUNIT_EXPECT_EQ(test, constructed, s->nelems);
	for (i = 0; i < s->nelems; i++)
		KUNIT_EXPECT_EQ(test, ((struct made *)(s->base + i * 64))->magic,
				MADE);
	goheap_cache_free(cache, p);
	must_destroy(test, cache);
}

static void zeroing_constructed_objects_is_refused(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 64, 0, 0, make);
	struct gh_test_reports r;
	void *p[2];

	gh_test_reports_begin(&r);
	KUNIT_EXPECT_NULL(test, goheap_cache_zalloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, goheap_cache_alloc_node(cache, GFP_KERNEL |
							__GFP_ZERO, 0));
	KUNIT_EXPECT_EQ(test, goheap_cache_alloc_bulk(cache, GFP_KERNEL |
						      __GFP_ZERO, 2, p), 0);
	gh_test_reports_end(&r);
	must_destroy(test, cache);
}

/* A free in NMI context writes a link over the object. */
static void a_deferred_free_leaves_the_object_constructed(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct goheap_cache *cache = must_create(test, 64, 0, 0, make);
	struct made *p[2], *q;
	unsigned int i, idx;

	for (i = 0; i < 2; i++)
		p[i] = must_alloc(test, cache);
	for (i = 0; i < 2; i++) {
		struct gh_span *s = gh_test_span_of(p[i]);

		gh_span_find(s, (unsigned long)p[i], &idx);
		s->objstate[idx] = GH_OBJ_FREE;
		gh_defer_free(h, p[i]);
	}
	gh_defer_sync(h);
	for (i = 0; i < 128; i++) {
		q = must_alloc(test, cache);
		if (q->magic != MADE)
			break;
		goheap_cache_free(cache, q);
	}
	KUNIT_EXPECT_EQ(test, i, 128);
	must_destroy(test, cache);
}

/* ---- bad frees ---------------------------------------------------------- */

static void bad_frees_are_refused(struct kunit *test)
{
	struct goheap_cache *a = must_create(test, 64, 0, 0, NULL);
	struct goheap_cache *b = must_create(test, 64, 0, 0, NULL);
	void *p = must_alloc(test, a), *q = must_alloc(test, a);
	void *k = kmalloc(64, GFP_KERNEL);
	void *own = goheap_alloc(64, GFP_KERNEL);

	gh_test_fill(p, 64, 1);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN,
			       goheap_cache_free(b, p));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN, goheap_free(p));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN,
			       goheap_cache_free(a, own));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD, goheap_cache_free(a, k));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD,
			       goheap_cache_free(a, (void *)8UL));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_INTERIOR,
			       goheap_cache_free(a, p + 1));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_INTERIOR,
			       goheap_cache_free(a, p + 63));
	goheap_cache_free(a, q);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
			       goheap_cache_free(a, q));
	KUNIT_EXPECT_TRUE(test, gh_test_filled(p, 64, 1));
	goheap_cache_free(a, NULL);
	goheap_cache_free(a, p);
	goheap_free(own);
	kfree(k);
	gh_cache_destroy(a);
	must_destroy(test, b);
}

static void an_object_freed_twice_is_not_given_out_twice(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 64, 0, 0, NULL);
	void *a = must_alloc(test, cache), *b, *c;

	goheap_cache_free(cache, a);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
			       goheap_cache_free(cache, a));
	b = must_alloc(test, cache);
	c = must_alloc(test, cache);
	KUNIT_EXPECT_PTR_NE(test, b, c);
	goheap_cache_free(cache, b);
	goheap_cache_free(cache, c);
	must_destroy(test, cache);
}

/* ---- the end ------------------------------------------------------------ */

static void shrinking_gives_free_spans_back(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 256, 0, 0, NULL);
	const unsigned int n = 2000;
	void **p = gh_test_ptrs(test, n);
	void *keep = must_alloc(test, cache);

	KUNIT_ASSERT_EQ(test, goheap_cache_alloc_bulk(cache, GFP_KERNEL, n, p),
			n);
	gh_test_fill(keep, 256, 1);
	goheap_cache_free_bulk(cache, n, p);
	KUNIT_EXPECT_GT(test, goheap_cache_shrink(cache), 0UL);
	KUNIT_EXPECT_EQ(test, goheap_cache_shrink(cache), 0UL);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cache->central.nspans), 1);
	KUNIT_EXPECT_TRUE(test, gh_test_filled(keep, 256, 1));
	goheap_cache_free(cache, keep);
	must_destroy(test, cache);
}

static void destroy_leaks_what_is_live(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct goheap_cache *cache = must_create(test, 3000, 0, 0, NULL);
	struct goheap_cache *next;
	struct gh_test_reports r;
	struct gh_span *s;
	void *p[12];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = must_alloc(test, cache);
		gh_test_fill(p[i], 3000, i);
	}
	goheap_cache_free(cache, p[0]);
	gh_test_reports_begin(&r);
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache), 11UL);
	/* Nobody gets the memory, and who has it may go on using it. */
	for (i = 1; i < ARRAY_SIZE(p); i++)
		KUNIT_EXPECT_TRUE(test, gh_test_filled(p[i], 3000, i));
	/* There is no cache any more that they could be freed to. */
	goheap_free(p[1]);
	/* Nor to the next one, whose slots are mostly where those were. */
	next = must_create(test, 64, 0, 0, NULL);
	goheap_cache_free(next, must_alloc(test, next));
	goheap_cache_free_bulk(next, 1, &p[2]);
	gh_test_reports_end(&r);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_FOREIGN], 2);
	KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), 2);
	gh_cache_destroy(next);
	KUNIT_EXPECT_TRUE(test, goheap_owns(p[1]));

	/* They are lost to goheap; the test knows that nobody has them. */
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		s = gh_test_span_of(p[i]);
		if (s) {
			KUNIT_EXPECT_EQ(test, s->state, GH_SPAN_LEAKED);
			gh_mheap_free_span(h, s);
		}
	}
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0UL);
}

/* A span whose memory is gone was reported then; nobody can free its objects. */
static void what_is_lost_is_no_leak(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 3000, 0, 0, NULL);
	void *p = must_alloc(test, cache);
	struct gh_span *s = gh_test_span_of(p);

	goheap_cache_shrink(cache);
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, gh_central_abandon(&cache->central, s));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache), 0UL);
	/* The test knows that its memory is there. */
	WRITE_ONCE(s->state, GH_SPAN_LEAKED);
	gh_mheap_free_span(gh_test_heap(test), s);
}

static void destroy_leaves_other_caches_alone(struct kunit *test)
{
	struct goheap_cache *a = must_create(test, 64, 0, 0, NULL);
	struct goheap_cache *b = must_create(test, 64, 0, 0, NULL);
	void *p = must_alloc(test, b);

	gh_test_fill(p, 64, 1);
	goheap_cache_free(a, must_alloc(test, a));
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(a), 0UL);
	KUNIT_EXPECT_TRUE(test, gh_test_filled(p, 64, 1));
	goheap_cache_free(b, p);
	must_destroy(test, b);
}

/**
 * struct with_head - an object that is freed after a grace period
 * @pad: so that the head is not at the start
 * @rcu: the head
 */
struct with_head {
	char pad[72];
	struct rcu_head rcu;
};

static void destroy_waits_for_objects_freed_by_rcu(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, sizeof(struct with_head),
						 0, 0, NULL);
	struct with_head *p;
	unsigned int i;

	for (i = 0; i < 200; i++) {
		p = must_alloc(test, cache);
		gh_test_fill(p, sizeof(*p), i);
		goheap_cache_free_rcu(cache, p, rcu);
	}
	p = NULL;
	goheap_cache_free_rcu(cache, p, rcu);
	must_destroy(test, cache);
}

static void rcu_frees_constructed_objects_too(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, sizeof(struct with_head),
						 0, GOHEAP_DATA, NULL);
	struct with_head *p = must_alloc(test, cache);

	rcu_read_lock();
	goheap_cache_free_rcu(cache, p, rcu);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(p), ALIGN(sizeof(*p), 8));
	rcu_read_unlock();
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, goheap_usable_size(p), 0);
	must_destroy(test, cache);
}

static void mempools_work_over_caches(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 300, 0, 0, NULL);
	mempool_t *pool = goheap_mempool_create_cache(4, cache);
	void *p[10];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pool);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = mempool_alloc(pool, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p[i])->central,
				    &cache->central);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		mempool_free(p[i], pool);
	mempool_destroy(pool);
	must_destroy(test, cache);
}

/* The system gives away the place that became free last, or the first one. */
static void a_cache_gives_its_per_cpu_memory_back(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, 64, 0, 0, NULL);
	struct gh_slot __percpu *slots = cache->central.slots;
	unsigned int i = 0;
	bool again;

	must_destroy(test, cache);
	do {
		cache = must_create(test, 64, 0, 0, NULL);
		again = cache->central.slots == slots;
		must_destroy(test, cache);
	} while (!again && i++ < 100);
	KUNIT_EXPECT_TRUE(test, again);
}

/* One that waits in the mcentral would be served at once, and take long to zero. */
static void large_objects_are_for_those_who_may_sleep(struct kunit *test)
{
	struct goheap_cache *cache = must_create(test, GOHEAP_ATOMIC_MAX + 1, 0, 0, NULL);
	void *p = must_alloc(test, cache);

	goheap_cache_free(cache, p);
	KUNIT_EXPECT_NULL(test, goheap_cache_alloc(cache, GFP_ATOMIC));
	KUNIT_EXPECT_NULL(test, goheap_cache_zalloc(cache, GFP_NOWAIT));
	KUNIT_EXPECT_NULL(test, goheap_cache_alloc_node(cache, GFP_ATOMIC, numa_mem_id()));
	KUNIT_EXPECT_EQ(test, goheap_cache_alloc_bulk(cache, GFP_ATOMIC, 1, &p), 0);
	goheap_cache_free(cache, must_alloc(test, cache));
	must_destroy(test, cache);

	cache = must_create(test, GOHEAP_ATOMIC_MAX, 0, 0, NULL);
	goheap_cache_free(cache, must_alloc(test, cache));
	p = goheap_cache_alloc(cache, GFP_ATOMIC);
	KUNIT_EXPECT_NOT_NULL(test, p);
	goheap_cache_free(cache, p);
	must_destroy(test, cache);
}

/* ---- random runs -------------------------------------------------------- */

#define CACHES	6
#define OBJS	80

static void random_use_keeps_all_contents(struct kunit *test)
{
	static const size_t sizes[CACHES] = { 8, 56, 64, 520, 4096, 12000 };
	struct goheap_cache *cache[CACHES];
	void **p = gh_test_ptrs(test, CACHES * OBJS);
	struct rnd_state rnd;
	unsigned int i, c, step;

	for (c = 0; c < CACHES; c++)
		cache[c] = must_create(test, sizes[c], 0, 0, NULL);
	prandom_seed_state(&rnd, 13);
	for (step = 0; step < steps; step++) {
		u32 r = prandom_u32_state(&rnd);

		i = r % (CACHES * OBJS);
		c = i % CACHES;
		if (p[i]) {
			if (!gh_test_filled(p[i], sizes[c], i))
				break;
			goheap_cache_free(cache[c], p[i]);
			p[i] = NULL;
		} else {
			p[i] = goheap_cache_alloc(cache[c], r >> 31 ?
						  GFP_KERNEL : GFP_NOWAIT);
			if (p[i])
				gh_test_fill(p[i], sizes[c], i);
		}
		if (r << 1 >> 20 == 0)
			goheap_cache_shrink(cache[c]);
	}
	KUNIT_EXPECT_EQ(test, step, steps);
	for (i = 0; i < CACHES * OBJS; i++)
		goheap_cache_free(cache[i % CACHES], p[i]);
	for (c = 0; c < CACHES; c++)
		KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache[c]), 0UL);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(gh_test_heap(test)), 0UL);
}

static struct kunit_case cache_cases[] = {
	KUNIT_CASE_PARAM(arguments_are_checked, create_gen_params),
	KUNIT_CASE(destroying_nothing_does_nothing),
	KUNIT_CASE(a_cache_of_no_objects_comes_and_goes),
	KUNIT_CASE(failing_to_create_loses_nothing),
	KUNIT_CASE(objects_have_exactly_their_size),
	KUNIT_CASE(spans_of_odd_sizes_are_cut_right),
	KUNIT_CASE(objects_above_32_kib_have_spans_of_their_own),
	KUNIT_CASE(objects_are_aligned_as_asked),
	KUNIT_CASE(hwcache_align_is_a_cache_line),
	KUNIT_CASE(caches_do_not_share_spans),
	KUNIT_CASE(zeroed_objects_are_zero),
	KUNIT_CASE(bulk_gives_all),
	KUNIT_CASE(bulk_free_refuses_what_is_bad_and_frees_the_rest),
	KUNIT_CASE(bulk_gives_all_or_nothing),
	KUNIT_CASE(names_have_no_blanks),
	KUNIT_CASE(what_waits_for_a_grace_period_is_counted),
	KUNIT_CASE(objects_are_of_the_node_that_was_named),
	KUNIT_CASE(flags_that_cannot_be_served_are_refused),
	KUNIT_CASE(atomic_allocation_works_with_interrupts_off),
	KUNIT_CASE(objects_are_constructed_once_and_keep_their_state),
	KUNIT_CASE(every_object_of_a_span_is_constructed),
	KUNIT_CASE(zeroing_constructed_objects_is_refused),
	KUNIT_CASE(a_deferred_free_leaves_the_object_constructed),
	KUNIT_CASE(bad_frees_are_refused),
	KUNIT_CASE(an_object_freed_twice_is_not_given_out_twice),
	KUNIT_CASE(shrinking_gives_free_spans_back),
	KUNIT_CASE(destroy_leaks_what_is_live),
	KUNIT_CASE(what_is_lost_is_no_leak),
	KUNIT_CASE(destroy_leaves_other_caches_alone),
	KUNIT_CASE(destroy_waits_for_objects_freed_by_rcu),
	KUNIT_CASE(rcu_frees_constructed_objects_too),
	KUNIT_CASE(a_cache_gives_its_per_cpu_memory_back),
	KUNIT_CASE(mempools_work_over_caches),
	KUNIT_CASE(large_objects_are_for_those_who_may_sleep),
	KUNIT_CASE(random_use_keeps_all_contents),
	{}
};

static struct kunit_suite cache_suite = {
	.name = "goheap_cache",
	.init = gh_test_heap_init,
	.exit = gh_test_heap_exit,
	.test_cases = cache_cases,
};

kunit_test_suite(cache_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of object caches");
MODULE_LICENSE("GPL");
