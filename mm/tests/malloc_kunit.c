// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the goheap_alloc() family, as a client module sees it.
 *
 * The heap is the kernel's own, which nobody else uses while the tests run:
 * after each case it must hold what it held before.
 */
#include "test_util.h"

#include <linux/irq_work.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "../arena.h"
#include "../malloc.h"
#include "../mcache.h"
#include "../span.h"
#include "../tinyword.h"

static unsigned int steps = 60000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of the random run (default 60000)");

/* What the heap held when a case began. */
static int malloc_test_init(struct kunit *test)
{
	struct goheap_stats *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);

	if (!st)
		return -ENOMEM;
	gh_test_pin();
	goheap_shrink();
	goheap_get_stats(st);
	test->priv = st;
	return 0;
}

static void malloc_test_exit(struct kunit *test)
{
	struct goheap_stats *before = test->priv, now;

	if (!before)
		return;
	rcu_barrier();
	goheap_shrink();
	goheap_get_stats(&now);
	KUNIT_EXPECT_EQ(test, now.objects, before->objects);
	KUNIT_EXPECT_EQ(test, now.heap_alloc, before->heap_alloc);
	KUNIT_EXPECT_EQ(test, now.stack_inuse, before->stack_inuse);
	KUNIT_EXPECT_EQ(test, now.spans_inuse, before->spans_inuse);
	KUNIT_EXPECT_EQ(test, now.pages_inuse, before->pages_inuse);
	KUNIT_EXPECT_EQ(test, now.cached, 0);
	if (gh_vmem_is_sparse())
		KUNIT_EXPECT_EQ(test, now.committed, before->committed);
}

static void *must_alloc(struct kunit *test, size_t size)
{
	return gh_test_must(test, goheap_alloc(size, GFP_KERNEL));
}

static u64 objects(void)
{
	struct goheap_stats st;

	goheap_get_stats(&st);
	return st.objects;
}

/* ---- sizes -------------------------------------------------------------- */

static void every_small_size_is_served(struct kunit *test)
{
	unsigned int wrong = 0;
	size_t size;

	for (size = 1; size <= GH_MAX_SMALL + 1; size++) {
		void *p = must_alloc(test, size);
		/* All of it would take too long. */
		size_t n = min(size, 64UL);

		gh_test_fill(p, n, size);
		gh_test_fill(p + size - n, n, size);
		if (goheap_usable_size(p) < size || !goheap_owns(p) ||
		    !IS_ALIGNED((unsigned long)p, 8) ||
		    !gh_test_filled(p, n, size))
			wrong++;
		goheap_free(p);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void objects_of_all_sizes_do_not_overlap(struct kunit *test)
{
	const unsigned int n = 1024;
	void **p = gh_test_ptrs(test, n);
	unsigned int i, wrong = 0;

	for (i = 0; i < n; i++) {
		p[i] = must_alloc(test, i * 37 + 1);
		gh_test_fill(p[i], goheap_usable_size(p[i]), i);
	}
	for (i = 0; i < n; i++) {
		wrong += !gh_test_filled(p[i], goheap_usable_size(p[i]), i);
		goheap_free(p[i]);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void usable_size_is_that_of_the_class(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= GH_MAX_SMALL; size += size / 7 + 1) {
		void *p = must_alloc(test, size);

		KUNIT_EXPECT_EQ(test, goheap_usable_size(p),
				gh_class_size[gh_size_to_class(size)]);
		goheap_free(p);
		/* It is not an object any more. */
		KUNIT_EXPECT_EQ(test, goheap_usable_size(p), 0);
	}
	KUNIT_EXPECT_EQ(test, goheap_usable_size(NULL), 0);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(ZERO_SIZE_PTR), 0);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(test), 0);
}

static void objects_are_aligned_as_promised(struct kunit *test)
{
	const unsigned int n = 20;
	void **p = gh_test_ptrs(test, n);
	size_t size;
	unsigned int i;

	for (size = 8; size <= 8192; size *= 2) {
		for (i = 0; i < n; i++) {
			p[i] = must_alloc(test, size);
			KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p[i],
							   size));
		}
		goheap_free_bulk(n, p);
	}
	for (size = 32769; size < SZ_1M; size += 77777) {
		void *big = must_alloc(test, size);

		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)big, 8192));
		goheap_free(big);
	}
	/* Everything else: 8 bytes. */
	for (size = 1; size < 2000; size += 13) {
		p[0] = must_alloc(test, size);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p[0], 8));
		goheap_free(p[0]);
	}
}

static void size_zero_is_a_pointer_that_can_be_freed(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_zalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_data(0, GFP_KERNEL),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_calloc(0, 8, GFP_KERNEL),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_calloc(8, 0, GFP_KERNEL),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_FALSE(test, goheap_owns(ZERO_SIZE_PTR));
	goheap_free(ZERO_SIZE_PTR);
	goheap_free_sensitive(ZERO_SIZE_PTR);
	goheap_free(NULL);
	goheap_free_sensitive(NULL);
	KUNIT_EXPECT_NULL(test, goheap_stack_alloc(0, GFP_KERNEL));
	goheap_stack_free(NULL);
}

/* Hidden from the compiler, which would rightly complain. */
static noinline size_t impossible(unsigned int i)
{
	static const size_t sizes[] = {
		SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - PAGE_SIZE, SIZE_MAX / 2,
		1UL << 62, 1UL << 48, 1UL << 40, (1UL << 34) + 1,
	};

	return i < ARRAY_SIZE(sizes) ? sizes[i] : 0;
}

static void sizes_that_cannot_be_are_null(struct kunit *test)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	unsigned int i;
	size_t size;
	void *p;

	for (i = 0; (size = impossible(i)); i++) {
		KUNIT_EXPECT_NULL(test, goheap_alloc(size, gfp));
		KUNIT_EXPECT_NULL(test, goheap_zalloc(size, gfp));
		KUNIT_EXPECT_NULL(test, goheap_alloc_data(size, gfp));
		KUNIT_EXPECT_NULL(test, goheap_stack_alloc(size, gfp));
		p = must_alloc(test, 100);
		gh_test_fill(p, 100, i);
		KUNIT_EXPECT_NULL(test, goheap_realloc(p, size, gfp));
		KUNIT_EXPECT_TRUE(test, gh_test_filled(p, 100, i));
		goheap_free(p);
	}
}

static void more_than_the_machine_has_is_null(struct kunit *test)
{
	size_t size = (totalram_pages() + 1) << PAGE_SHIFT;

	/* And nobody is killed for it. */
	KUNIT_EXPECT_NULL(test, goheap_alloc(size, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_NULL(test, goheap_stack_alloc(size, GFP_KERNEL |
						   __GFP_NOWARN));
}

static void products_that_overflow_are_null(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, goheap_calloc(impossible(0), 2, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, goheap_calloc(2, impossible(0), GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, goheap_calloc(impossible(3), 3, GFP_KERNEL));
	/* 2^32 * 2^32 is 0 in 64 bits. */
	KUNIT_EXPECT_NULL(test, goheap_calloc(impossible(5) >> 16,
					      impossible(5) >> 16, GFP_KERNEL));
}

static void large_objects_are_whole(struct kunit *test)
{
	static const size_t sizes[] = {
		32769, 40000, SZ_64K, SZ_1M - 1, SZ_4M + 5, SZ_64M + 1,
		SZ_256M,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i], off;
		char *p;

		/* Eager arenas are all memory, and fit to the run. */
		if (!gh_test_has_ram(gh_vmem_is_sparse() ? size :
							   2 * size + SZ_64M))
			continue;
		p = must_alloc(test, size);
		KUNIT_EXPECT_GE(test, goheap_usable_size(p), size);
		for (off = 0; off < size; off += GH_PAGE_SIZE)
			*(size_t *)(p + off) = off;
		p[size - 1] = 0x5a;
		for (off = 0; off + GH_PAGE_SIZE <= size; off += GH_PAGE_SIZE)
			if (*(size_t *)(p + off) != off)
				break;
		KUNIT_EXPECT_GT(test, off + GH_PAGE_SIZE, size);
		KUNIT_EXPECT_EQ(test, p[size - 1], 0x5a);
		goheap_free(p);
	}
}

/* ---- contents ----------------------------------------------------------- */

static void zeroed_memory_is_zero(struct kunit *test)
{
	static const size_t sizes[] = {
		1, 5, 15, 16, 100, 1024, 5000, 32768, 32769, SZ_64K, SZ_1M,
		SZ_1M + 12345,
	};
	unsigned int i, round;

	/* The second time round it is memory that was used. */
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t n = sizes[i];
			void *p = goheap_zalloc(n, GFP_KERNEL);
			void *d = goheap_alloc_data(n, GFP_KERNEL | __GFP_ZERO);
			void *c = goheap_calloc(n, 3, GFP_KERNEL);

			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_ASSERT_NOT_NULL(test, d);
			KUNIT_ASSERT_NOT_NULL(test, c);
			KUNIT_EXPECT_TRUE(test, gh_test_zeroed(p, n));
			KUNIT_EXPECT_TRUE(test, gh_test_zeroed(d, n));
			KUNIT_EXPECT_TRUE(test, gh_test_zeroed(c, 3 * n));
			gh_test_fill(p, goheap_usable_size(p), 1);
			gh_test_fill(d, goheap_usable_size(d), 2);
			gh_test_fill(c, goheap_usable_size(c), 3);
			goheap_free(p);
			goheap_free(d);
			goheap_free(c);
		}
	}
}

static void zeroed_stack_blocks_are_zero(struct kunit *test)
{
	unsigned int round;
	size_t n;

	/* The second time round it is memory that was used. */
	for (round = 0; round < 3; round++) {
		for (n = SZ_2K; n <= SZ_1M; n *= 2) {
			void *p = goheap_stack_alloc(n, GFP_KERNEL | __GFP_ZERO);

			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_TRUE(test, gh_test_zeroed(p, n));
			gh_test_fill(p, n, 1);
			goheap_stack_free(p);
		}
	}
}

static void zeroed_memory_is_zero_to_its_usable_end(struct kunit *test)
{
	size_t size;

	for (size = 16; size <= SZ_64K; size += size / 3) {
		void *p = must_alloc(test, size);

		gh_test_fill(p, goheap_usable_size(p), 7);
		goheap_free(p);
		p = goheap_zalloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(p,
						       goheap_usable_size(p)));
		goheap_free(p);
	}
}

static void realloc_keeps_contents(struct kunit *test)
{
	static const size_t sizes[] = {
		1, 3, 8, 9, 16, 100, 90, 40, 1000, 5000, 32768, 32769, SZ_128K,
		SZ_1M, SZ_256K, 40000, 32768, 20000, 64, 7, 1,
	};
	void *p = NULL;
	size_t had = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *new = goheap_realloc(p, sizes[i], GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, new);
		KUNIT_EXPECT_TRUE(test, gh_test_filled(new, min(had, sizes[i]),
						       i));
		KUNIT_EXPECT_GE(test, goheap_usable_size(new), sizes[i]);
		gh_test_fill(new, sizes[i], i + 1);
		p = new;
		had = sizes[i];
	}
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, 0, GFP_KERNEL),
			    ZERO_SIZE_PTR);
}

static void realloc_within_an_object_stays(struct kunit *test)
{
	void *p = must_alloc(test, 1000);

	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, 1024, GFP_KERNEL), p);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, 600, GFP_KERNEL), p);
	goheap_free(p);
}

static void realloc_of_nothing_allocates(struct kunit *test)
{
	void *p = goheap_realloc(NULL, 100, GFP_KERNEL);
	void *q = goheap_realloc(ZERO_SIZE_PTR, 100, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, goheap_usable_size(p), 112);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(q), 112);
	goheap_free(p);
	goheap_free(q);
}

static void data_objects_stay_data_objects(struct kunit *test)
{
	static const size_t sizes[] = { 10, 20, 2000, SZ_64K, 3000, 5 };
	void *p = NULL;
	unsigned int i;

	p = goheap_alloc_data(3, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_realloc(p, sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, gh_test_span_of(p)->central->shape.noscan);
	}
	goheap_free(p);
}

static void failed_realloc_leaves_the_object(struct kunit *test)
{
	void *p = must_alloc(test, 1000);

	gh_test_fill(p, 1000, 5);
	if (gh_vmem_is_sparse()) {
		gh_fault_arm_from(GH_FAULT_PAGE, 1);
		KUNIT_EXPECT_NULL(test, goheap_realloc(p, SZ_1M, GFP_KERNEL));
		KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	}
	KUNIT_EXPECT_TRUE(test, gh_test_filled(p, 1000, 5));
	goheap_free(p);
}

static void shrinking_never_fails(struct kunit *test)
{
	void *p = must_alloc(test, SZ_1M);
	struct gh_test_reports r;

	gh_test_fill(p, 1000, 6);
	if (gh_vmem_is_sparse()) {
		gh_fault_arm_from(GH_FAULT_PAGE, 1);
		KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, SZ_64K, GFP_KERNEL), p);
		KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	}

	/* No flag of the caller can be served. The first such call is reported. */
	gh_test_reports_begin(&r);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, 1000, GFP_KERNEL | GFP_DMA), p);
	gh_test_reports_end(&r);
	KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), 0);

	KUNIT_EXPECT_TRUE(test, gh_test_filled(p, 1000, 6));
	p = goheap_realloc(p, 1000, GFP_KERNEL);
	KUNIT_EXPECT_LE(test, goheap_usable_size(p), SZ_1K);
	KUNIT_EXPECT_TRUE(test, gh_test_filled(p, 1000, 6));
	goheap_free(p);
}

static void sensitive_objects_are_overwritten(struct kunit *test)
{
	void *p = must_alloc(test, 200);

	gh_test_fill(p, 200, 1);
	goheap_free_sensitive(p);
	/* The memory is still the heap's, and nobody else uses it. */
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed(p, 200));
}

/* ---- contexts ----------------------------------------------------------- */

static const size_t context_sizes[] = { 4, 16, 200, 3000, 32768, 40000, SZ_1M };

static void atomic_allocation_works_with_interrupts_off(struct kunit *test)
{
	void *p[ARRAY_SIZE(context_sizes)];
	unsigned long flags;
	spinlock_t lock;	/* protects nothing; only held */
	unsigned int i, got = 0;

	spin_lock_init(&lock);
	spin_lock_irqsave(&lock, flags);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc(context_sizes[i], GFP_ATOMIC);
		got += !!p[i];
	}
	spin_unlock_irqrestore(&lock, flags);
	KUNIT_EXPECT_EQ(test, got, (unsigned int)ARRAY_SIZE(p));
	for (i = 0; i < ARRAY_SIZE(p); i++)
		gh_test_fill(p[i], context_sizes[i], i);
	spin_lock_irqsave(&lock, flags);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
	spin_unlock_irqrestore(&lock, flags);
}

/* On PREEMPT_RT this may fail, but must not ask for pages: they would sleep. */
static void nowait_allocation_works_with_preemption_off(struct kunit *test)
{
	unsigned int i;

	preempt_disable();
	for (i = 0; i < ARRAY_SIZE(context_sizes); i++)
		goheap_free(goheap_alloc(context_sizes[i],
					 GFP_NOWAIT | __GFP_NOWARN));
	preempt_enable();
}

/**
 * struct in_irq - what an interrupt allocates
 * @work: the interrupt
 * @p: the objects
 * @free: free them instead
 */
struct in_irq {
	struct irq_work work;
	void *p[ARRAY_SIZE(context_sizes)];
	bool free;
};

static void in_irq_fn(struct irq_work *work)
{
	struct in_irq *x = container_of(work, struct in_irq, work);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(x->p); i++) {
		if (x->free)
			goheap_free(x->p[i]);
		else
			x->p[i] = goheap_alloc(context_sizes[i], GFP_ATOMIC);
	}
}

static void interrupts_allocate_and_free(struct kunit *test)
{
	struct in_irq *x = kunit_kzalloc(test, sizeof(*x), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, x);
	init_irq_work(&x->work, in_irq_fn);
	irq_work_queue(&x->work);
	irq_work_sync(&x->work);
	for (i = 0; i < ARRAY_SIZE(x->p); i++) {
		KUNIT_EXPECT_NOT_NULL(test, x->p[i]);
		if (x->p[i])
			gh_test_fill(x->p[i], context_sizes[i], i);
	}
	x->free = true;
	irq_work_queue(&x->work);
	irq_work_sync(&x->work);
}

static void flags_that_cannot_be_served_are_refused(struct kunit *test)
{
	static const gfp_t bad[] = {
		GFP_KERNEL | __GFP_NOFAIL, GFP_KERNEL | GFP_DMA,
		GFP_KERNEL | GFP_DMA32, GFP_KERNEL | __GFP_HIGHMEM,
		GFP_ATOMIC | GFP_DMA, GFP_KERNEL_ACCOUNT,
	};
	struct gh_test_reports r;
	unsigned int i;
	void *p[4];

	gh_test_reports_begin(&r);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_NULL(test, goheap_alloc(100, bad[i]));
		KUNIT_EXPECT_NULL(test, goheap_alloc(SZ_64K, bad[i]));
		KUNIT_EXPECT_NULL(test, goheap_alloc(0, bad[i]));
		KUNIT_EXPECT_NULL(test, goheap_alloc_data(5, bad[i]));
		KUNIT_EXPECT_NULL(test, goheap_stack_alloc(2048, bad[i]));
		KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(64, bad[i], 4, p), 0);
	}
	gh_test_reports_end(&r);
	/* These are no bad frees. */
	KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), 0);
}

static void flags_that_slab_takes_are_taken(struct kunit *test)
{
	static const gfp_t good[] = {
		GFP_KERNEL, GFP_NOFS, GFP_NOIO, GFP_ATOMIC, GFP_NOWAIT,
		GFP_KERNEL | __GFP_NOWARN, GFP_KERNEL | __GFP_NORETRY,
		GFP_KERNEL | __GFP_RETRY_MAYFAIL,
		GFP_KERNEL | __GFP_ZERO, GFP_USER, GFP_KERNEL | __GFP_COMP,
		GFP_KERNEL | __GFP_RECLAIMABLE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		void *p = goheap_alloc(100, good[i]);
		void *q = goheap_alloc(SZ_64K, good[i]);

		KUNIT_EXPECT_NOT_NULL(test, p);
		KUNIT_EXPECT_NOT_NULL(test, q);
		goheap_free(p);
		goheap_free(q);
	}
}

/* ---- bulk --------------------------------------------------------------- */

static void bulk_gives_all(struct kunit *test)
{
	const unsigned int n = 700;
	void **p = gh_test_ptrs(test, n);
	unsigned int i, wrong = 0;

	KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(96, GFP_KERNEL, n, p), n);
	for (i = 0; i < n; i++)
		gh_test_fill(p[i], 96, i);
	for (i = 0; i < n; i++)
		wrong += !gh_test_filled(p[i], 96, i);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	goheap_free_bulk(n, p);
	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(96, GFP_KERNEL, 0, p), 0);
	memset(p, 0, 3 * sizeof(*p));
	goheap_free_bulk(3, p);
}

static void bulk_free_takes_objects_of_all_kinds(struct kunit *test)
{
	static const size_t sizes[] = { 8, 64, 64, 5, 70000, 64, 1024, 33000 };
	const unsigned int n = 400;
	u64 before = objects();
	void **p = gh_test_ptrs(test, n);
	unsigned int i;

	for (i = 0; i < n; i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];

		p[i] = i % 3 ? goheap_alloc(size, GFP_KERNEL) :
			       goheap_alloc_data(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
	for (i = 7; i < n; i += 50) {
		goheap_free(p[i]);
		p[i] = i % 4 ? NULL : ZERO_SIZE_PTR;
	}
	goheap_free_bulk(n, p);
	KUNIT_EXPECT_EQ(test, objects(), before);
}

static void bulk_free_refuses_what_is_bad_and_frees_the_rest(struct kunit *test)
{
	struct goheap_cache *cache = goheap_cache_create("other", 64, 0, 0, NULL);
	u64 before = objects();
	struct gh_test_reports r;
	void *p[12];

	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(64, GFP_KERNEL, 8, p), 8);
	p[8] = p[3];			/* twice in one call */
	p[9] = p[4] + 8;		/* inside */
	p[10] = goheap_cache_alloc(cache, GFP_KERNEL);
	p[11] = &r;			/* not ours */
	swap(p[1], p[9]);
	swap(p[2], p[11]);
	gh_test_reports_begin(&r);
	goheap_free_bulk(12, p);
	gh_test_reports_end(&r);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_DOUBLE], 1);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_INTERIOR], 1);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_FOREIGN], 1);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_WILD], 1);
	KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), 4);
	KUNIT_EXPECT_EQ(test, objects(), before + 1);
	goheap_cache_free(cache, p[10]);
	goheap_cache_destroy(cache);
}

static void bulk_gives_all_or_nothing(struct kunit *test)
{
	const unsigned int n = 20;
	void **p = gh_test_ptrs(test, n);
	unsigned int nth, got;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
	for (nth = 1; nth < 200; nth++) {
		goheap_shrink();
		gh_fault_arm(GH_FAULT_PAGE, nth);
		got = goheap_alloc_bulk(8192, GFP_KERNEL | __GFP_THISNODE, n,
					p);
		if (!gh_fault_disarm())
			break;
		KUNIT_EXPECT_EQ(test, got, 0);
	}
	KUNIT_EXPECT_GT(test, nth, 5);
	KUNIT_EXPECT_EQ(test, got, n);
	goheap_free_bulk(got, p);
}

static void failure_at_any_step_is_null_and_loses_nothing(struct kunit *test)
{
	static const enum gh_fault_point points[] = {
		GH_FAULT_PAGE, GH_FAULT_VMAP, GH_FAULT_FIXALLOC, GH_FAULT_META,
	};
	static const size_t sizes[] = { 5, 64, 8192, 100000 };
	unsigned int i, j, nth;
	void *p;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			for (nth = 1; nth < 50; nth++) {
				goheap_shrink();
				gh_fault_arm(points[i], nth);
				p = goheap_alloc_data(sizes[j], GFP_KERNEL);
				goheap_free(p);
				if (!gh_fault_disarm())
					break;
			}
			KUNIT_EXPECT_LT(test, nth, 50);
			KUNIT_EXPECT_NOT_NULL(test, p);
		}
	}
}

/* ---- tiny objects ------------------------------------------------------- */

static void tiny_objects_share_blocks(struct kunit *test)
{
	unsigned int i, shared = 0;
	void *p[40];

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc_data(4, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		gh_test_fill(p[i], 4, i);
		KUNIT_EXPECT_EQ(test, goheap_usable_size(p[i]), 4);
		if (i && (unsigned long)p[i] / 16 ==
			 (unsigned long)p[i - 1] / 16)
			shared++;
	}
	/* Four to a block. */
	KUNIT_EXPECT_GE(test, shared, 29);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		KUNIT_EXPECT_TRUE(test, gh_test_filled(p[i], 4, i));
		goheap_free(p[i]);
	}
}

static void tiny_objects_have_exactly_their_size(struct kunit *test)
{
	unsigned int size;

	for (size = 1; size < 16; size++) {
		void *p = goheap_alloc_data(size, GFP_KERNEL);
		unsigned int align = min(1U << __ffs(size), 8U);

		KUNIT_EXPECT_EQ(test, goheap_usable_size(p), size);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, align));
		KUNIT_EXPECT_TRUE(test, goheap_owns(p));
		goheap_free(p);
		KUNIT_EXPECT_EQ(test, goheap_usable_size(p), 0);
	}
}

static void a_tiny_block_lives_as_long_as_a_resident(struct kunit *test)
{
	void *p[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc_data(2, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		gh_test_fill(p[i], 2, i);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		if (i != 3)
			goheap_free(p[i]);
	goheap_shrink();
	KUNIT_EXPECT_TRUE(test, gh_test_filled(p[3], 2, 3));
	KUNIT_EXPECT_EQ(test, goheap_usable_size(p[3]), 2);
	goheap_free(p[3]);
	goheap_shrink();
	KUNIT_EXPECT_FALSE(test, goheap_owns(p[3]));
}

static void a_tiny_block_without_residents_begins_anew(struct kunit *test)
{
	void *p, *q, *r;

	migrate_disable();
	p = goheap_alloc_data(4, GFP_KERNEL);
	q = goheap_alloc_data(4, GFP_KERNEL);
	if ((unsigned long)p / 16 != (unsigned long)q / 16) {
		/* The block was full after the first: now it is not. */
		goheap_free(p);
		p = goheap_alloc_data(4, GFP_KERNEL);
	}
	goheap_free(p);
	/* Its neighbour is still there, so its place is not given out yet. */
	r = goheap_alloc_data(4, GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, r, p);
	goheap_free(r);
	goheap_free(q);
	r = goheap_alloc_data(4, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, (unsigned long)r % 16, 0UL);
	goheap_free(r);
	migrate_enable();
}

/* A record that is freed loses its first word, which is the base. */
static void a_stale_record_of_tiny_blocks_leads_to_no_other_memory(struct kunit *test)
{
	static const unsigned long bases[] = { 0, 1UL << 46, -PAGE_SIZE };
	void *p = goheap_alloc_data(4, GFP_KERNEL);
	struct gh_span *s, stale;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	s = gh_test_span_of(p);
	KUNIT_ASSERT_NOT_NULL(test, s->tiny);
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		stale = *s;
		stale.base = bases[i];
		KUNIT_EXPECT_PTR_EQ(test, gh_tinyword_of(&stale, (unsigned long)p),
				    gh_tinyword_of(s, (unsigned long)p));
	}
	goheap_free(p);
}

static void data_objects_of_8_bytes_have_a_place_of_their_own(struct kunit *test)
{
	void *p = goheap_alloc_data(8, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, gh_test_span_of(p)->tiny);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(p), 8);
	goheap_free(p);
}

static void freeing_a_tiny_object_twice_is_refused(struct kunit *test)
{
	void *a = goheap_alloc_data(4, GFP_KERNEL);
	void *b = goheap_alloc_data(4, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	goheap_free(a);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE, goheap_free(a));
	gh_test_fill(b, 4, 1);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(b), 4);
	goheap_free(b);
}

static void freeing_inside_a_tiny_object_is_refused(struct kunit *test)
{
	struct gh_test_reports r;
	char *p = goheap_alloc_data(8, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	gh_test_reports_begin(&r);
	for (i = 1; i < 8; i++)
		goheap_free(p + i);
	gh_test_reports_end(&r);
	KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), 7);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(p), 8);
	goheap_free(p);
}

static void tiny_objects_of_mixed_sizes_do_not_overlap(struct kunit *test)
{
	const unsigned int n = 300;
	void **p = gh_test_ptrs(test, n);
	unsigned int *size = kunit_kcalloc(test, n, sizeof(*size), GFP_KERNEL);
	struct rnd_state rnd;
	unsigned int step, i;

	KUNIT_ASSERT_NOT_NULL(test, size);
	prandom_seed_state(&rnd, 10);
	for (step = 0; step < 30000; step++) {
		i = prandom_u32_state(&rnd) % n;
		if (p[i]) {
			if (!gh_test_filled(p[i], size[i], i) ||
			    goheap_usable_size(p[i]) != size[i])
				break;
			goheap_free(p[i]);
			p[i] = NULL;
		} else {
			size[i] = prandom_u32_state(&rnd) % 15 + 1;
			p[i] = goheap_alloc_data(size[i], GFP_KERNEL);
			gh_test_fill(p[i], size[i], i);
		}
	}
	KUNIT_EXPECT_EQ(test, step, 30000);
	goheap_free_bulk(n, p);
}

/* ---- stack blocks ------------------------------------------------------- */

static void stack_blocks_are_powers_of_two(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= SZ_256K; size += size / 2 + 1) {
		size_t want = max(roundup_pow_of_two(size), 2048UL);
		void *p = goheap_stack_alloc(size, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, goheap_usable_size(p), want);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, 2048));
		gh_test_fill(p, want, 1);
		goheap_stack_free(p);
	}
}

static void stack_blocks_are_no_objects(struct kunit *test)
{
	struct goheap_stats before, with;
	void *small, *big;

	goheap_get_stats(&before);
	small = goheap_stack_alloc(4096, GFP_KERNEL);
	big = goheap_stack_alloc(SZ_64K, GFP_KERNEL);
	goheap_get_stats(&with);
	KUNIT_EXPECT_EQ(test, with.objects, before.objects);
	KUNIT_EXPECT_EQ(test, with.stack_inuse,
			before.stack_inuse + 4096 + SZ_64K);
	/* Neither allocator frees the other's. */
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN, goheap_free(small));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN, goheap_free(big));
	goheap_stack_free(small);
	goheap_stack_free(big);
	small = must_alloc(test, 4096);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN,
			       goheap_stack_free(small));
	goheap_free(small);
}

static void bad_frees_of_stack_blocks_are_refused(struct kunit *test)
{
	void *p = goheap_stack_alloc(4096, GFP_KERNEL);

	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_INTERIOR,
			       goheap_stack_free(p + 2048));
	goheap_stack_free(p);
	/* Its span may have gone with it. */
	GH_TEST_EXPECT_REFUSED(test, goheap_owns(p) ? GOHEAP_BAD_DOUBLE :
						      GOHEAP_BAD_WILD,
			       goheap_stack_free(p));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD, goheap_stack_free(test));
}

/* ---- bad frees ---------------------------------------------------------- */

static void freeing_twice_is_refused(struct kunit *test)
{
	static const size_t sizes[] = { 16, 64, 1000, 8192, 32768 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *a = must_alloc(test, sizes[i]);
		void *b = must_alloc(test, sizes[i]), *c, *d;

		goheap_free(a);
		if (goheap_owns(a))
			GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
					       goheap_free(a));
		else
			GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD,
					       goheap_free(a));
		/* The object is not given out twice. */
		c = must_alloc(test, sizes[i]);
		d = must_alloc(test, sizes[i]);
		KUNIT_EXPECT_PTR_NE(test, c, d);
		KUNIT_EXPECT_PTR_NE(test, c, b);
		KUNIT_EXPECT_PTR_NE(test, d, b);
		goheap_free(b);
		goheap_free(c);
		goheap_free(d);
	}
}

static void freeing_twice_is_refused_wherever_the_object_lies(struct kunit *test)
{
	const unsigned int n = 3000;
	void **p = gh_test_ptrs(test, n);
	struct gh_test_reports r;
	unsigned int i;

	/* In magazines, in the transfer cache, and in spans. */
	for (i = 0; i < n; i++)
		p[i] = must_alloc(test, 64);
	for (i = 1; i < n; i++)
		goheap_free(p[i]);
	gh_test_reports_begin(&r);
	for (i = 1; i < n; i++)
		goheap_free(p[i]);
	gh_test_reports_end(&r);
	KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), n - 1);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_DOUBLE] + r.n[GOHEAP_BAD_WILD],
			n - 1);
	KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_FOREIGN], 0);
	goheap_free(p[0]);
}

static void freeing_a_large_object_twice_is_refused(struct kunit *test)
{
	static const size_t sizes[] = { SZ_64K, SZ_128K, SZ_1M, 24 * SZ_1M };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *p = must_alloc(test, sizes[i]);

		goheap_free(p);
		/* The CPU may hold it, or the node, or it is gone. */
		if (goheap_owns(p))
			GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
					       goheap_free(p));
		else
			GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD,
					       goheap_free(p));
	}
}

static void freeing_inside_an_object_is_refused(struct kunit *test)
{
	static const size_t sizes[] = { 16, 48, 1000, 8192, 32768, SZ_128K };
	struct gh_test_reports r;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *p = must_alloc(test, sizes[i]);

		gh_test_fill(p, sizes[i], i);
		gh_test_reports_begin(&r);
		goheap_free(p + 1);
		goheap_free(p + 8);
		goheap_free(p + sizes[i] / 2);
		goheap_free(p + sizes[i] - 1);
		gh_test_reports_end(&r);
		KUNIT_EXPECT_EQ(test, r.n[GOHEAP_BAD_INTERIOR], 4);
		KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), 4);
		KUNIT_EXPECT_TRUE(test, gh_test_filled(p, sizes[i], i));
		KUNIT_EXPECT_GE(test, goheap_usable_size(p), sizes[i]);
		goheap_free(p);
	}
}

static void freeing_what_is_not_ours_is_refused(struct kunit *test)
{
	void *kmem = kmalloc(64, GFP_KERNEL);
	void *vmem = vmalloc(PAGE_SIZE);
	char on_stack[16];
	void *p = must_alloc(test, 64);
	unsigned long free_page;

	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD, goheap_free(kmem));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD, goheap_free(vmem));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD, goheap_free(on_stack));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD,
			       goheap_free(freeing_twice_is_refused));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD,
			       goheap_free((void *)0x1234567812345678UL));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD,
			       goheap_free((void *)-8UL));
	/* A page of an arena that is in no span. */
	free_page = gh_arena_of((unsigned long)p)->base + GH_ARENA_SIZE -
		    GH_PAGE_SIZE;
	KUNIT_EXPECT_FALSE(test, goheap_owns((void *)free_page));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_WILD,
			       goheap_free((void *)free_page));
	goheap_free(p);
	vfree(vmem);
	kfree(kmem);
}

static void freeing_what_was_never_given_out_is_refused(struct kunit *test)
{
	void *p = must_alloc(test, 1024);
	struct gh_span *s = gh_test_span_of(p);
	void *last = (void *)s->base + (s->nelems - 1) * s->elemsize;

	/* Past the index that the span has come to. */
	if (last == p || s->objstate[s->nelems - 1] == GH_OBJ_ALLOC)
		kunit_skip(test, "the span is full");
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE, goheap_free(last));
	goheap_free(p);
}

static void freeing_the_tail_of_a_span_is_refused(struct kunit *test)
{
	/* 6 objects of 1280 bytes leave 512 of 8192. */
	void *p = must_alloc(test, 1280);
	struct gh_span *s = gh_test_span_of(p);
	unsigned long tail = s->base + s->nelems * s->elemsize;

	KUNIT_ASSERT_LT(test, tail, s->base + (s->npages << GH_PAGE_SHIFT));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_INTERIOR,
			       goheap_free((void *)tail));
	goheap_free(p);
}

static void bad_pointers_are_not_overwritten_or_moved(struct kunit *test)
{
	struct goheap_cache *cache;
	void *p, *block;

	cache = goheap_cache_create("malloc_kunit", 100, 0, 0, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	p = goheap_cache_alloc(cache, GFP_KERNEL);
	block = goheap_stack_alloc(2048, GFP_KERNEL);
	gh_test_fill(p, 100, 1);
	gh_test_fill(block, 2048, 2);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN, goheap_free(p));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN,
			       goheap_free_sensitive(p));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN,
			       goheap_free_sensitive(block));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN,
			       KUNIT_EXPECT_NULL(test,
						 goheap_realloc(p, 500,
								GFP_KERNEL)));
	KUNIT_EXPECT_TRUE(test, gh_test_filled(p, 100, 1));
	KUNIT_EXPECT_TRUE(test, gh_test_filled(block, 2048, 2));
	goheap_stack_free(block);
	goheap_cache_free(cache, p);
	goheap_cache_destroy(cache);
}

static void the_heap_is_sound_after_bad_frees(struct kunit *test)
{
	const unsigned int n = 500;
	void **p = gh_test_ptrs(test, n);
	struct gh_test_reports r;
	struct rnd_state rnd;
	unsigned int i, wrong = 0;

	prandom_seed_state(&rnd, 11);
	for (i = 0; i < n; i++) {
		p[i] = must_alloc(test, i % 300 + 1);
		gh_test_fill(p[i], i % 300 + 1, i);
	}
	gh_test_reports_begin(&r);
	for (i = 0; i < 2000; i++)
		goheap_free(p[prandom_u32_state(&rnd) % n] + 1 +
			    prandom_u32_state(&rnd) % 7);
	gh_test_reports_end(&r);
	KUNIT_EXPECT_EQ(test, gh_test_reports_sum(&r), 2000);
	for (i = 0; i < n; i++) {
		wrong += !gh_test_filled(p[i], i % 300 + 1, i);
		goheap_free(p[i]);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* ---- kinds of objects --------------------------------------------------- */

static void data_and_pointer_objects_never_share_a_span(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= SZ_64K; size = size * 3 / 2 + 1) {
		void *p[6], *d[6];
		unsigned int i, j;

		for (i = 0; i < 6; i++) {
			p[i] = must_alloc(test, size);
			d[i] = goheap_alloc_data(size, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, d[i]);
		}
		for (i = 0; i < 6; i++)
			for (j = 0; j < 6; j++)
				KUNIT_EXPECT_PTR_NE(test, gh_test_span_of(p[i]),
						    gh_test_span_of(d[j]));
		goheap_free_bulk(6, p);
		goheap_free_bulk(6, d);
	}
}

static void objects_are_of_the_node_that_was_named(struct kunit *test)
{
	static const size_t sizes[] = { 8, 64, 4096, 32768, SZ_128K };
	gfp_t gfp = GFP_KERNEL | __GFP_THISNODE;
	unsigned int i, round;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			void *p[10];

			for (round = 0; round < 10; round++) {
				p[round] = goheap_alloc_node(sizes[i], gfp,
							     nid);
				KUNIT_ASSERT_NOT_NULL(test, p[round]);
				KUNIT_EXPECT_EQ(test,
						gh_test_span_of(p[round])->node->nid,
						nid);
			}
			/* They lie in this CPU's magazine from now on. */
			goheap_free_bulk(10, p);
			p[0] = goheap_alloc(sizes[i], gfp);
			KUNIT_ASSERT_NOT_NULL(test, p[0]);
			KUNIT_EXPECT_EQ(test, gh_test_span_of(p[0])->node->nid,
					numa_mem_id());
			goheap_free(p[0]);
		}
	}
}

static void nodes_that_do_not_exist_are_null(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, goheap_alloc_node(64, GFP_KERNEL, -2));
	KUNIT_EXPECT_NULL(test, goheap_alloc_node(64, GFP_KERNEL,
						  MAX_NUMNODES));
	KUNIT_EXPECT_NULL(test, goheap_alloc_node(64, GFP_KERNEL, INT_MAX));
	goheap_free(goheap_alloc_node(64, GFP_KERNEL, NUMA_NO_NODE));
}

/* ---- RCU, pools, scopes ------------------------------------------------- */

/**
 * struct with_head - an object that is freed after a grace period
 * @pad: so that the head is not at the start
 * @rcu: the head
 * @more: and after
 */
struct with_head {
	char pad[100];
	struct rcu_head rcu;
	char more[200];
};

static void rcu_frees_after_a_grace_period(struct kunit *test)
{
	struct with_head *p[20], *big;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = must_alloc(test, sizeof(*p[i]));
	big = must_alloc(test, SZ_128K);
	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i]->pad[0] = i;
		goheap_free_rcu(p[i], rcu);
	}
	goheap_free_rcu(big, rcu);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		KUNIT_EXPECT_EQ(test, p[i]->pad[0], i);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(big), SZ_128K);
	rcu_read_unlock();
	rcu_barrier();
	for (i = 0; i < ARRAY_SIZE(p); i++)
		KUNIT_EXPECT_EQ(test, goheap_usable_size(p[i]), 0);
	KUNIT_EXPECT_EQ(test, goheap_usable_size(big), 0);
	big = NULL;
	goheap_free_rcu(big, rcu);
}

static void what_waits_for_a_grace_period_cannot_be_freed_again(struct kunit *test)
{
	static const size_t sizes[] = { sizeof(struct with_head), SZ_128K, SZ_64M };
	struct with_head *p;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (!gh_test_has_ram(2 * sizes[i]))
			continue;
		p = must_alloc(test, sizes[i]);
		rcu_read_lock();
		goheap_free_rcu(p, rcu);
		GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE, goheap_free_rcu(p, rcu));
		GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE, goheap_free(p));
		GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE, goheap_free_sensitive(p));
		GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
				       KUNIT_EXPECT_NULL(test, goheap_realloc(p, sizes[i],
									      GFP_ATOMIC)));
		KUNIT_EXPECT_GE(test, goheap_usable_size(p), sizes[i]);
		rcu_read_unlock();
		rcu_barrier();
		KUNIT_EXPECT_EQ(test, goheap_usable_size(p), 0);
	}
}

/* The head is what would be overwritten. */
static void only_an_allocated_object_is_given_to_rcu(struct kunit *test)
{
	struct goheap_cache *cache = goheap_cache_create("rcu", 400, 0, 0, NULL);
	struct goheap_cache *other = goheap_cache_create("other", 400, 0, 0, NULL);
	struct with_head *p = must_alloc(test, sizeof(*p)), *inner;
	struct rcu_head *small = must_alloc(test, GH_MIN_OBJ);
	struct with_head *c;

	KUNIT_ASSERT_FALSE(test, IS_ERR(cache) || IS_ERR(other));
	c = goheap_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, c);
	gh_test_fill(p, sizeof(*p), 1);
	gh_test_fill(c, sizeof(*c), 2);

	inner = (void *)p + 8;
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_INTERIOR, goheap_free_rcu(inner, rcu));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
			       __goheap_free_rcu(NULL, p, (void *)p + sizeof(*p) + 8));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE, __goheap_free_rcu(NULL, small, small));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
			       __goheap_free_rcu(NULL, small, small + 1));
	goheap_free(small);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN, goheap_cache_free_rcu(cache, p, rcu));
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_FOREIGN, goheap_cache_free_rcu(other, c, rcu));
	KUNIT_EXPECT_TRUE(test, gh_test_filled(p, sizeof(*p), 1));
	KUNIT_EXPECT_TRUE(test, gh_test_filled(c, sizeof(*c), 2));

	goheap_free(p);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE, goheap_free_rcu(p, rcu));
	goheap_free_rcu(c, rcu);
	goheap_cache_destroy(cache);
	goheap_cache_destroy(other);
}

static void mempools_keep_their_reserve(struct kunit *test)
{
	mempool_t *pool = goheap_mempool_create(8, 500);
	void *p[20];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pool);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = mempool_alloc(pool, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		KUNIT_EXPECT_GE(test, goheap_usable_size(p[i]), 500);
		gh_test_fill(p[i], 500, i);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		KUNIT_EXPECT_TRUE(test, gh_test_filled(p[i], 500, i));
		mempool_free(p[i], pool);
	}
	mempool_destroy(pool);
}

#ifdef DEFINE_FREE
static size_t scoped(void)
{
	void *p __free(goheap) = goheap_alloc(64, GFP_KERNEL);
	void *error __free(goheap) = ERR_PTR(-EIO);
	void *none __free(goheap) = NULL;

	return none || !error ? 0 : goheap_usable_size(p);
}

static void scoped_objects_are_freed_at_the_end(struct kunit *test)
{
	struct goheap_stats before, after;
	unsigned int i;

	goheap_get_stats(&before);
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_EQ(test, scoped(), 64);
	goheap_get_stats(&after);
	KUNIT_EXPECT_EQ(test, after.objects, before.objects);
	KUNIT_EXPECT_EQ(test, after.bad_frees[GOHEAP_BAD_WILD],
			before.bad_frees[GOHEAP_BAD_WILD]);
}
#else
static void scoped_objects_are_freed_at_the_end(struct kunit *test)
{
	kunit_skip(test, "this kernel has no scoped cleanup");
}
#endif

/* ---- random runs -------------------------------------------------------- */

static size_t random_size(struct rnd_state *rnd)
{
	u32 r = prandom_u32_state(rnd);

	/* Mostly small, each power of two as likely as the next. */
	return (r >> 8) % (1U << (r % 14 + 1)) + !(r % 500) * 50000 + 1;
}

static void random_use_keeps_all_contents(struct kunit *test)
{
	const unsigned int n = 600;
	void **p = gh_test_ptrs(test, n);
	size_t *size = kunit_kcalloc(test, n, sizeof(*size), GFP_KERNEL);
	struct rnd_state rnd;
	unsigned int step, i;

	KUNIT_ASSERT_NOT_NULL(test, size);
	prandom_seed_state(&rnd, 12);
	for (step = 0; step < steps; step++) {
		u32 r = prandom_u32_state(&rnd);
		size_t new_size;
		void *new;

		i = r % n;
		if (p[i] && !gh_test_filled(p[i], size[i], i))
			break;
		if (p[i] && (r >> 16) % 4) {
			goheap_free(p[i]);
			p[i] = NULL;
			continue;
		}
		new_size = random_size(&rnd);
		if (p[i])
			new = goheap_realloc(p[i], new_size, GFP_KERNEL);
		else if (r >> 31)
			new = goheap_alloc_data(new_size, GFP_KERNEL);
		else
			new = goheap_zalloc(new_size, GFP_KERNEL);
		if (!new)
			break;
		if (p[i] && !gh_test_filled(new, min(size[i], new_size), i))
			break;
		p[i] = new;
		size[i] = new_size;
		gh_test_fill(new, new_size, i);
	}
	KUNIT_EXPECT_EQ(test, step, steps);
	goheap_free_bulk(n, p);
}

static struct kunit_case malloc_cases[] = {
	KUNIT_CASE(every_small_size_is_served),
	KUNIT_CASE(objects_of_all_sizes_do_not_overlap),
	KUNIT_CASE(usable_size_is_that_of_the_class),
	KUNIT_CASE(objects_are_aligned_as_promised),
	KUNIT_CASE(size_zero_is_a_pointer_that_can_be_freed),
	KUNIT_CASE(sizes_that_cannot_be_are_null),
	KUNIT_CASE(more_than_the_machine_has_is_null),
	KUNIT_CASE(products_that_overflow_are_null),
	KUNIT_CASE(large_objects_are_whole),
	KUNIT_CASE(zeroed_memory_is_zero),
	KUNIT_CASE(zeroed_stack_blocks_are_zero),
	KUNIT_CASE(zeroed_memory_is_zero_to_its_usable_end),
	KUNIT_CASE(realloc_keeps_contents),
	KUNIT_CASE(realloc_within_an_object_stays),
	KUNIT_CASE(realloc_of_nothing_allocates),
	KUNIT_CASE(data_objects_stay_data_objects),
	KUNIT_CASE(failed_realloc_leaves_the_object),
	KUNIT_CASE(shrinking_never_fails),
	KUNIT_CASE(sensitive_objects_are_overwritten),
	KUNIT_CASE(atomic_allocation_works_with_interrupts_off),
	KUNIT_CASE(nowait_allocation_works_with_preemption_off),
	KUNIT_CASE(interrupts_allocate_and_free),
	KUNIT_CASE(flags_that_cannot_be_served_are_refused),
	KUNIT_CASE(flags_that_slab_takes_are_taken),
	KUNIT_CASE(bulk_gives_all),
	KUNIT_CASE(bulk_free_takes_objects_of_all_kinds),
	KUNIT_CASE(bulk_free_refuses_what_is_bad_and_frees_the_rest),
	KUNIT_CASE(bulk_gives_all_or_nothing),
	KUNIT_CASE(failure_at_any_step_is_null_and_loses_nothing),
	KUNIT_CASE(tiny_objects_share_blocks),
	KUNIT_CASE(tiny_objects_have_exactly_their_size),
	KUNIT_CASE(a_tiny_block_lives_as_long_as_a_resident),
	KUNIT_CASE(a_tiny_block_without_residents_begins_anew),
	KUNIT_CASE(a_stale_record_of_tiny_blocks_leads_to_no_other_memory),
	KUNIT_CASE(data_objects_of_8_bytes_have_a_place_of_their_own),
	KUNIT_CASE(freeing_a_tiny_object_twice_is_refused),
	KUNIT_CASE(freeing_inside_a_tiny_object_is_refused),
	KUNIT_CASE(tiny_objects_of_mixed_sizes_do_not_overlap),
	KUNIT_CASE(stack_blocks_are_powers_of_two),
	KUNIT_CASE(stack_blocks_are_no_objects),
	KUNIT_CASE(bad_frees_of_stack_blocks_are_refused),
	KUNIT_CASE(freeing_twice_is_refused),
	KUNIT_CASE(freeing_twice_is_refused_wherever_the_object_lies),
	KUNIT_CASE(freeing_a_large_object_twice_is_refused),
	KUNIT_CASE(freeing_inside_an_object_is_refused),
	KUNIT_CASE(freeing_what_is_not_ours_is_refused),
	KUNIT_CASE(freeing_what_was_never_given_out_is_refused),
	KUNIT_CASE(freeing_the_tail_of_a_span_is_refused),
	KUNIT_CASE(bad_pointers_are_not_overwritten_or_moved),
	KUNIT_CASE(the_heap_is_sound_after_bad_frees),
	KUNIT_CASE(data_and_pointer_objects_never_share_a_span),
	KUNIT_CASE(objects_are_of_the_node_that_was_named),
	KUNIT_CASE(nodes_that_do_not_exist_are_null),
	KUNIT_CASE(rcu_frees_after_a_grace_period),
	KUNIT_CASE(what_waits_for_a_grace_period_cannot_be_freed_again),
	KUNIT_CASE(only_an_allocated_object_is_given_to_rcu),
	KUNIT_CASE(mempools_keep_their_reserve),
	KUNIT_CASE(scoped_objects_are_freed_at_the_end),
	KUNIT_CASE(random_use_keeps_all_contents),
	{}
};

static struct kunit_suite malloc_suite = {
	.name = "goheap_malloc",
	.init = malloc_test_init,
	.exit = malloc_test_exit,
	.test_cases = malloc_cases,
};

kunit_test_suite(malloc_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of the goheap_alloc() family");
MODULE_LICENSE("GPL");
