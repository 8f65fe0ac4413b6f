/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit suites share: heaps of their own, patterns in objects, windows
 * for expected reports, and work on other CPUs.
 */
#ifndef _GOHEAP_TEST_UTIL_H
#define _GOHEAP_TEST_UTIL_H

#include <kunit/test.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/goheap.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "../arena.h"
#include "../compat.h"
#include "../fault.h"
#include "../heap.h"
#include "../mcache.h"
#include "../mheap.h"
#include "../report.h"
#include "../vmem.h"

/* Stay on this CPU: a test thread ends with its case, and so does this. */
static inline unsigned int gh_test_pin(void)
{
	unsigned int cpu = raw_smp_processor_id();

	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	return cpu;
}

/* ---- a heap of the test's own ------------------------------------------- */

/**
 * struct gh_test - what a case begins with
 * @heap: the heap, or NULL once the case destroyed it
 * @committed: bytes committed before there was one
 */
struct gh_test {
	struct gh_heap *heap;
	unsigned long committed;
};

/* An init function: test->priv becomes a struct gh_test. The case is pinned. */
static inline int gh_test_heap_init(struct kunit *test)
{
	struct gh_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	gh_test_pin();
	/* The kernel's heap is to keep still from here on. */
	goheap_shrink();
	t->committed = gh_vmem_committed_bytes();
	t->heap = gh_heap_create("test");
	if (!t->heap)
		return -ENOMEM;
	/* What ages, and when, is the tests' business. */
	t->heap->aged = jiffies + 3600 * HZ;
	return 0;
}

static inline struct gh_heap *gh_test_heap(struct kunit *test)
{
	return ((struct gh_test *)test->priv)->heap;
}

#define GH_TEST_BUSY_MS	1000

/* Somebody may be at work. */
static inline void gh_test_wait_until_free(const struct gh_busy *busy, unsigned int *ms)
{
	while (gh_busy_is_held(busy) && *ms < GH_TEST_BUSY_MS) {
		msleep(20);
		*ms += 20;
	}
}

/* No CPU's flag stays held, or it would not use what the flag guards any more. */
static inline void gh_test_nobody_is_busy(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int i, ms = 0;
	struct gh_central *c;
	int cpu;

	down_read(&h->caches_sem);
	for_each_possible_cpu(cpu) {
		struct gh_mcache *mcache = per_cpu_ptr(h->mcache, cpu);

		gh_test_wait_until_free(&mcache->tiny.busy, &ms);
		gh_test_wait_until_free(&mcache->large.busy, &ms);
		for (i = 0; i < ARRAY_SIZE(h->pages_cpu); i++)
			gh_test_wait_until_free(&per_cpu_ptr(h->pages_cpu[i], cpu)->busy,
						&ms);
		gh_for_each_central(c, h)
			gh_for_each_home(i, c)
				gh_test_wait_until_free(&per_cpu_ptr(c->home[i]->slots,
								     cpu)->busy, &ms);
	}
	up_read(&h->caches_sem);
	KUNIT_EXPECT_LT(test, ms, GH_TEST_BUSY_MS);
}

/* Ends the heap: nothing may be left in it, and no memory lost. */
static inline void gh_test_heap_end(struct kunit *test)
{
	struct gh_test *t = test->priv;

	gh_test_nobody_is_busy(test);
	KUNIT_EXPECT_TRUE(test, gh_heap_destroy(t->heap));
	t->heap = NULL;
	/* Some cases use the kernel's heap as well. */
	goheap_shrink();
	KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), t->committed);
}

/* The exit function that goes with it. */
static inline void gh_test_heap_exit(struct kunit *test)
{
	struct gh_test *t = test->priv;

	if (t && t->heap)
		gh_test_heap_end(test);
}

/* Is the machine large enough for an object of so many bytes? */
static inline bool gh_test_has_ram(unsigned long nbytes)
{
	return totalram_pages() > 4 * (nbytes >> PAGE_SHIFT);
}

/* ---- objects ------------------------------------------------------------ */

/* @p, which must not be NULL, or the case ends here. */
static inline void *gh_test_must(struct kunit *test, void *p)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* Room for @n pointers, until the case ends. */
static inline void **gh_test_ptrs(struct kunit *test, unsigned int n)
{
	return gh_test_must(test, kunit_kcalloc(test, n, sizeof(void *),
						GFP_KERNEL));
}

static inline struct gh_span *gh_test_span_of(const void *p)
{
	return gh_span_of((unsigned long)p);
}

/* ---- patterns ----------------------------------------------------------- */

/* Not inlined, so that the compiler does not know how large the object is. */
static noinline __maybe_unused void gh_test_fill(void *p, size_t n, u32 id)
{
	memset(p, id % 255 + 1, n);
}

static noinline __maybe_unused bool gh_test_filled(const void *p, size_t n,
						   u32 id)
{
	return !memchr_inv(p, id % 255 + 1, n);
}

static noinline __maybe_unused bool gh_test_zeroed(const void *p, size_t n)
{
	return !memchr_inv(p, 0, n);
}

/* ---- expected reports --------------------------------------------------- */

/**
 * struct gh_test_reports - reports so far, by kind
 * @n: number of each kind
 */
struct gh_test_reports {
	u64 n[GOHEAP_NR_BAD];
};

/* Between these two, goheap may complain; elsewhere that fails the run. */
static inline void gh_test_reports_begin(struct gh_test_reports *r)
{
	unsigned int i;

	pr_info("goheap-expect: begin\n");
	for (i = 0; i < GOHEAP_NR_BAD; i++)
		r->n[i] = gh_report_count(i);
}

static inline void gh_test_reports_end(struct gh_test_reports *r)
{
	unsigned int i;

	for (i = 0; i < GOHEAP_NR_BAD; i++)
		r->n[i] = gh_report_count(i) - r->n[i];
	pr_info("goheap-expect: end\n");
}

static inline u64 gh_test_reports_sum(const struct gh_test_reports *r)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < GOHEAP_NR_BAD; i++)
		sum += r->n[i];
	return sum;
}

/* Do @stmt, which must be refused with one report, and that of @kind. */
#define GH_TEST_EXPECT_REFUSED(test, kind, stmt)			\
do {									\
	struct gh_test_reports ___r;					\
	struct kunit *___test = (test);					\
									\
	gh_test_reports_begin(&___r);					\
	stmt;								\
	gh_test_reports_end(&___r);					\
	KUNIT_EXPECT_EQ(___test, ___r.n[kind], 1);			\
	KUNIT_EXPECT_EQ(___test, gh_test_reports_sum(&___r), 1);	\
} while (0)

/* ---- other CPUs --------------------------------------------------------- */

/* The last online CPU that is not @cpu, or -1; the first cannot be taken away. */
static inline int gh_test_other_cpu(unsigned int cpu)
{
	int i, other = -1;

	for_each_online_cpu(i)
		if (i != cpu)
			other = i;
	return other;
}

/* Taking CPUs away works where the kernel can do it. */
#ifdef CONFIG_HOTPLUG_CPU
static inline bool gh_test_cpu_down(unsigned int cpu)
{
	return !remove_cpu(cpu);
}

static inline bool gh_test_cpu_up(unsigned int cpu)
{
	return !add_cpu(cpu);
}
#else
static inline bool gh_test_cpu_down(unsigned int cpu)
{
	return false;
}

static inline bool gh_test_cpu_up(unsigned int cpu)
{
	return false;
}
#endif

#endif /* _GOHEAP_TEST_UTIL_H */
