// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of fixalloc: what a record holds when, where it lies, what
 * happens when pages cannot be had, when chunks go back to the system, what
 * readers in an RCU section see, and that no two users get one record.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "../compat.h"
#include "../fault.h"
#include "../fixalloc.h"

static unsigned int steps = 1000000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of each random run (default 1000000)");

#define REC_SIZE	48

/* What the first() of the tests saw. */
struct first_log {
	unsigned int calls;
	unsigned int dirty;
	struct gh_fixalloc *f;
	void *nested;
};

static void count_first(void *arg, void *rec)
{
	struct first_log *log = arg;

	log->calls++;
	if (memchr_inv(rec, 0, REC_SIZE))
		log->dirty++;
}

static struct gh_fixalloc *new_fixalloc(struct kunit *test, size_t size,
					bool zero)
{
	struct gh_fixalloc *f = test->priv;

	gh_fixalloc_init(f, "test", size, zero, NULL, NULL);
	return f;
}

static int fixalloc_test_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct gh_fixalloc),
				   GFP_KERNEL);
	if (!test->priv)
		return -ENOMEM;
	new_fixalloc(test, REC_SIZE, false);
	return 0;
}

static void fixalloc_test_exit(struct kunit *test)
{
	if (test->priv)
		gh_fixalloc_destroy(test->priv);
}

/* No test needs more records; a loop that gets more has found a bug. */
#define TOO_MANY	10000

/* How many records can be had. */
static unsigned long count_records(struct gh_fixalloc *f, gfp_t gfp)
{
	unsigned long n = 0;

	while (n < TOO_MANY && gh_fixalloc_alloc(f, gfp))
		n++;
	return n;
}

static void records_do_not_overlap(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	unsigned int i, j, n = 1000;
	u8 **rec = kunit_kcalloc(test, n, sizeof(*rec), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rec);
	for (i = 0; i < n; i++) {
		rec[i] = gh_fixalloc_alloc(f, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, rec[i]);
		memset(rec[i], i, REC_SIZE);
	}
	for (i = 0; i < n; i++) {
		for (j = 0; j < REC_SIZE; j++)
			KUNIT_ASSERT_EQ(test, rec[i][j], (u8)i);
	}
}

static void size_is_rounded_up_to_8_bytes(struct kunit *test)
{
	static const size_t t[][2] = {
		{ 1, 8 }, { 8, 8 }, { 9, 16 }, { 60, 64 }, { 65, 72 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct gh_fixalloc *f = new_fixalloc(test, t[i][0], false);
		void *a = gh_fixalloc_alloc(f, GFP_KERNEL);
		void *b = gh_fixalloc_alloc(f, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, a);
		KUNIT_EXPECT_EQ(test, b - a, t[i][1]);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((uintptr_t)a, 8));
		gh_fixalloc_destroy(f);
	}
}

static void aligned_records_start_on_cache_lines(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i;

	gh_fixalloc_init_aligned(f, "test", 72, SMP_CACHE_BYTES, false, NULL,
				 NULL);
	for (i = 0; i < 1000; i++) {
		void *rec = gh_fixalloc_alloc(f, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, rec);
		KUNIT_ASSERT_TRUE(test, IS_ALIGNED((uintptr_t)rec,
						   SMP_CACHE_BYTES));
	}
}

static void largest_record_fits_in_one_page(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	u8 *rec;

	gh_fixalloc_init_aligned(f, "test", GH_FIXALLOC_MAX_SIZE,
				 SMP_CACHE_BYTES, false, NULL, NULL);
	rec = gh_fixalloc_alloc(f, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	memset(rec, 0xa5, GH_FIXALLOC_MAX_SIZE);
	KUNIT_EXPECT_EQ(test, (uintptr_t)rec / PAGE_SIZE,
			((uintptr_t)rec + GH_FIXALLOC_MAX_SIZE - 1) /
			PAGE_SIZE);
}

static void new_records_are_zero(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		void *rec = gh_fixalloc_alloc(f, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, rec);
		KUNIT_ASSERT_NULL(test, memchr_inv(rec, 0, REC_SIZE));
		memset(rec, 0xff, REC_SIZE);
	}
}

static void zeroing_allocator_zeroes_every_time(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, true);
	unsigned int i;

	for (i = 0; i < 10; i++) {
		void *rec = gh_fixalloc_alloc(f, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, rec);
		KUNIT_EXPECT_NULL(test, memchr_inv(rec, 0, REC_SIZE));
		memset(rec, 0xff, REC_SIZE);
		gh_fixalloc_free(f, rec);
	}
}

static void freeing_overwrites_only_the_first_word(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	u8 *a = gh_fixalloc_alloc(f, GFP_KERNEL);
	u8 *b = gh_fixalloc_alloc(f, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, b);
	memset(a, 0xa5, REC_SIZE);
	memset(b, 0x5a, REC_SIZE);
	gh_fixalloc_free(f, a);
	gh_fixalloc_free(f, b);
	KUNIT_EXPECT_NULL(test, memchr_inv(a + 8, 0xa5, REC_SIZE - 8));
	KUNIT_EXPECT_NULL(test, memchr_inv(b + 8, 0x5a, REC_SIZE - 8));
	KUNIT_EXPECT_PTR_EQ(test, gh_fixalloc_alloc(f, 0), (void *)b);
	KUNIT_EXPECT_PTR_EQ(test, gh_fixalloc_alloc(f, 0), (void *)a);
	KUNIT_EXPECT_NULL(test, memchr_inv(a + 8, 0xa5, REC_SIZE - 8));
}

static void every_record_sees_first_once(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	struct first_log log = { 0 };
	unsigned int i, round, n = 500;
	struct gh_fixalloc_stats st;
	void **rec;

	rec = kunit_kcalloc(test, n, sizeof(*rec), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	gh_fixalloc_init(f, "test", REC_SIZE, false, count_first, &log);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < n; i++) {
			rec[i] = gh_fixalloc_alloc(f, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, rec[i]);
			memset(rec[i], 0xff, REC_SIZE);
		}
		for (i = 0; i < n; i++)
			gh_fixalloc_free(f, rec[i]);
	}
	/* Once means that it was not written to before. */
	KUNIT_EXPECT_EQ(test, log.dirty, 0);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_GE(test, log.calls, n);
	KUNIT_EXPECT_LE(test, log.calls, st.navail);
}

static void first_is_not_called_for_stock(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	struct first_log log = { 0 };

	gh_fixalloc_init(f, "test", REC_SIZE, false, count_first, &log);
	KUNIT_ASSERT_EQ(test, gh_fixalloc_prefill(f, 1000, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, log.calls, 0);
	KUNIT_EXPECT_NOT_NULL(test, gh_fixalloc_alloc(f, 0));
	KUNIT_EXPECT_EQ(test, log.calls, 1);
}

static void alloc_in_first(void *arg, void *rec)
{
	struct first_log *log = arg;

	if (log->calls++ == 0)
		log->nested = gh_fixalloc_alloc(log->f, GFP_KERNEL);
}

static void first_is_called_without_the_lock(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	struct first_log log = { .f = f };
	void *rec;

	gh_fixalloc_init(f, "test", REC_SIZE, false, alloc_in_first, &log);
	rec = gh_fixalloc_alloc(f, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, rec);
	KUNIT_EXPECT_NOT_NULL(test, log.nested);
	KUNIT_EXPECT_PTR_NE(test, rec, log.nested);
	KUNIT_EXPECT_EQ(test, log.calls, 2);
}

static void last_freed_is_first_reused(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	void *rec[10];
	int i;

	for (i = 0; i < 10; i++)
		rec[i] = gh_fixalloc_alloc(f, GFP_KERNEL);
	for (i = 0; i < 10; i++)
		gh_fixalloc_free(f, rec[i]);
	for (i = 9; i >= 0; i--)
		KUNIT_EXPECT_PTR_EQ(test, gh_fixalloc_alloc(f, 0), rec[i]);
}

static void gfp_zero_gets_no_pages(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct gh_fixalloc_stats st;
	void *rec;

	KUNIT_EXPECT_NULL(test, gh_fixalloc_alloc(f, 0));
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.sys, 0);

	rec = gh_fixalloc_alloc(f, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	gh_fixalloc_free(f, rec);
	KUNIT_EXPECT_PTR_EQ(test, gh_fixalloc_alloc(f, 0), rec);
}

static void prefill_makes_stock_for_gfp_zero(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct gh_fixalloc_stats before, after;

	KUNIT_ASSERT_EQ(test, gh_fixalloc_prefill(f, 3000, GFP_KERNEL), 0);
	gh_fixalloc_stats(f, &before);
	KUNIT_EXPECT_GE(test, before.navail, 3000);
	KUNIT_EXPECT_EQ(test, count_records(f, 0), before.navail);
	gh_fixalloc_stats(f, &after);
	KUNIT_EXPECT_EQ(test, after.navail, 0);
	KUNIT_EXPECT_EQ(test, after.inuse, before.navail);
	KUNIT_EXPECT_EQ(test, after.sys, before.sys);
}

static void freed_records_are_stock_again(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct gh_fixalloc_stats before, after;
	void *rec[20];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, gh_fixalloc_prefill(f, ARRAY_SIZE(rec),
						  GFP_KERNEL), 0);
	gh_fixalloc_stats(f, &before);
	for (i = 0; i < ARRAY_SIZE(rec); i++)
		rec[i] = gh_fixalloc_alloc(f, 0);
	for (i = 0; i < ARRAY_SIZE(rec); i++)
		gh_fixalloc_free(f, rec[i]);
	gh_fixalloc_stats(f, &after);
	KUNIT_EXPECT_EQ(test, after.navail, before.navail);
	KUNIT_EXPECT_EQ(test, count_records(f, 0), before.navail);
}

static void prefill_adds_only_what_is_missing(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct gh_fixalloc_stats before, after;

	KUNIT_ASSERT_EQ(test, gh_fixalloc_prefill(f, 100, GFP_KERNEL), 0);
	gh_fixalloc_stats(f, &before);
	KUNIT_EXPECT_EQ(test, gh_fixalloc_prefill(f, before.navail,
						  GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, gh_fixalloc_prefill(f, 0, GFP_KERNEL), 0);
	gh_fixalloc_stats(f, &after);
	KUNIT_EXPECT_EQ(test, after.sys, before.sys);
}

static void a_chunk_that_cannot_be_had_gives_null(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct gh_fixalloc_stats st;
	unsigned long n;
	void *rec;

	gh_fault_arm(GH_FAULT_FIXALLOC, 1);
	rec = gh_fixalloc_alloc(f, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_EXPECT_NULL(test, rec);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.sys, 0);
	KUNIT_EXPECT_EQ(test, st.inuse, 0);
	KUNIT_EXPECT_EQ(test, st.nalloc, 0);

	/* The second chunk: what the first holds is given out all the same. */
	gh_fault_arm(GH_FAULT_FIXALLOC, 2);
	n = count_records(f, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, n);
	KUNIT_EXPECT_GT(test, n, 0);
	KUNIT_EXPECT_EQ(test, st.navail, 0);

	KUNIT_EXPECT_NOT_NULL(test, gh_fixalloc_alloc(f, GFP_KERNEL));
}

static void prefill_reports_failure_and_keeps_its_part(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct gh_fixalloc_stats st;
	int err;

	gh_fault_arm(GH_FAULT_FIXALLOC, 3);
	err = gh_fixalloc_prefill(f, 100000, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_GT(test, st.navail, 0);
	KUNIT_EXPECT_EQ(test, count_records(f, 0), st.navail);
}

static void counters_follow_every_step(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct gh_fixalloc_stats st;
	void *a, *b;

	a = gh_fixalloc_alloc(f, GFP_KERNEL);
	b = gh_fixalloc_alloc(f, GFP_KERNEL);
	gh_fixalloc_free(f, a);
	a = gh_fixalloc_alloc(f, GFP_KERNEL);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, 2);
	KUNIT_EXPECT_EQ(test, st.nalloc, 3);
	KUNIT_EXPECT_EQ(test, st.inuse_bytes, 2 * REC_SIZE);
	KUNIT_EXPECT_GE(test, st.sys, PAGE_SIZE);
	KUNIT_EXPECT_LE(test, (st.inuse + st.navail) * REC_SIZE, st.sys);
	gh_fixalloc_free(f, a);
	gh_fixalloc_free(f, b);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, 0);
}

static void destroy_counts_what_is_in_use_and_starts_afresh(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	struct first_log log = { 0 };
	struct gh_fixalloc_stats st;
	unsigned int i;
	void *rec = NULL;

	gh_fixalloc_init(f, "test", REC_SIZE, true, count_first, &log);
	for (i = 0; i < 7; i++)
		rec = gh_fixalloc_alloc(f, GFP_KERNEL);
	gh_fixalloc_free(f, rec);
	KUNIT_EXPECT_EQ(test, gh_fixalloc_destroy(f), 6);
	KUNIT_EXPECT_EQ(test, gh_fixalloc_destroy(f), 0);

	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.sys, 0);
	KUNIT_EXPECT_EQ(test, st.nalloc, 0);
	KUNIT_EXPECT_NOT_NULL(test, gh_fixalloc_alloc(f, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, log.calls, 8);
}

static void works_with_interrupts_off(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	unsigned long flags;
	bool off;
	void *rec;

	/* On PREEMPT_RT no pages can be had here, only stock. */
	KUNIT_ASSERT_EQ(test, gh_fixalloc_prefill(f, 1, GFP_KERNEL), 0);
	local_irq_save(flags);
	rec = gh_fixalloc_alloc(f, GFP_ATOMIC);
	if (rec)
		gh_fixalloc_free(f, rec);
	off = irqs_disabled();
	local_irq_restore(flags);
	KUNIT_EXPECT_NOT_NULL(test, rec);
	KUNIT_EXPECT_TRUE(test, off);
}

static void in_nmi_the_lock_is_only_tried(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct gh_fixalloc_stats st;
	void *a, *b, *in_nmi_locked, *in_nmi_free;
	unsigned long flags;

	a = gh_fixalloc_alloc(f, GFP_KERNEL);
	b = gh_fixalloc_alloc(f, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, b);

	/* An NMI that comes while this CPU holds the lock, and one later. */
	raw_spin_lock_irqsave(&f->lock, flags);
	__preempt_count_add(NMI_OFFSET);
	in_nmi_locked = gh_fixalloc_alloc(f, GFP_ATOMIC);
	gh_fixalloc_free(f, a);
	__preempt_count_sub(NMI_OFFSET);
	raw_spin_unlock(&f->lock);
	__preempt_count_add(NMI_OFFSET);
	in_nmi_free = gh_fixalloc_alloc(f, GFP_ATOMIC);
	__preempt_count_sub(NMI_OFFSET);
	local_irq_restore(flags);

	KUNIT_EXPECT_NULL(test, in_nmi_locked);
	/* What was freed meanwhile was not lost. */
	if (IS_ENABLED(CONFIG_SMP))
		KUNIT_EXPECT_PTR_EQ(test, in_nmi_free, a);
	else
		KUNIT_EXPECT_PTR_EQ(test, gh_fixalloc_alloc(f, 0), a);
	gh_fixalloc_free(f, a);
	gh_fixalloc_free(f, b);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, 0);
}

static void in_nmi_no_pages_are_allocated(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	unsigned long flags;
	void *rec;

	local_irq_save(flags);
	__preempt_count_add(NMI_OFFSET);
	rec = gh_fixalloc_alloc(f, GFP_ATOMIC);
	__preempt_count_sub(NMI_OFFSET);
	local_irq_restore(flags);
	KUNIT_EXPECT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, f->sys, 0);
}

/* ---- chunks ------------------------------------------------------------- */

/* Fill an array with @n records, each filled with its own value. */
static u8 **get_records(struct kunit *test, unsigned int n)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i;
	u8 **rec;

	rec = kunit_kcalloc(test, n, sizeof(*rec), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	for (i = 0; i < n; i++) {
		rec[i] = gh_fixalloc_alloc(f, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, rec[i]);
		memset(rec[i], i, REC_SIZE);
	}
	return rec;
}

static unsigned long bytes_of(struct gh_fixalloc *f)
{
	struct gh_fixalloc_stats st;

	gh_fixalloc_stats(f, &st);
	return st.sys;
}

static void chunks_go_back_when_all_of_their_records_are_free(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	struct gh_fixalloc_stats st;
	unsigned int i, n = 5000;
	u8 **rec = get_records(test, n);
	unsigned long peak = bytes_of(f);

	for (i = 0; i < n; i++)
		gh_fixalloc_free(f, rec[i]);
	/* A free may be in any context, so it frees no pages. */
	KUNIT_EXPECT_EQ(test, bytes_of(f), peak);

	KUNIT_EXPECT_FALSE(test, gh_fixalloc_age(f));
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_LE(test, st.sys, GH_FIXALLOC_CHUNK);
	KUNIT_EXPECT_GT(test, st.navail, 0);
	KUNIT_EXPECT_EQ(test, count_records(f, 0), st.navail);
}

static void an_allocator_takes_little_more_than_it_needs(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int n, wrong = 0;

	for (n = 1; n <= 3000; n++) {
		KUNIT_ASSERT_NOT_NULL(test, gh_fixalloc_alloc(f, GFP_KERNEL));
		wrong += bytes_of(f) > 2 * PAGE_SIZE + n * REC_SIZE * 3 / 2;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void trimming_leaves_no_empty_chunk(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i, n = 1000;
	u8 **rec = get_records(test, n);

	for (i = 0; i < n; i++)
		gh_fixalloc_free(f, rec[i]);
	gh_fixalloc_trim(f);
	KUNIT_EXPECT_EQ(test, bytes_of(f), 0);
	KUNIT_EXPECT_EQ(test, f->navail, 0);

	/* It begins with a page again, which is zero. */
	rec[0] = gh_fixalloc_alloc(f, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rec[0]);
	KUNIT_EXPECT_NULL(test, memchr_inv(rec[0], 0, REC_SIZE));
	KUNIT_EXPECT_EQ(test, bytes_of(f), PAGE_SIZE);
}

/* A page that is held here has no other user any more. */
static void chunks_give_their_pages_back(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	void *rec = gh_fixalloc_alloc(f, GFP_KERNEL);
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, rec);
	page = virt_to_head_page(rec);
	get_page(page);
	gh_fixalloc_free(f, rec);
	gh_fixalloc_trim(f);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
}

static void a_chunk_stays_as_long_as_one_of_its_records_is_in_use(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i, n = 5000;
	u8 **rec = get_records(test, n);
	struct gh_fixalloc_stats st;

	/* Two in a page stay. */
	for (i = 0; i < n; i++)
		if (i % 40)
			gh_fixalloc_free(f, rec[i]);
	gh_fixalloc_age(f);
	gh_fixalloc_trim(f);

	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, n / 40);
	KUNIT_EXPECT_GE(test, st.sys, n * REC_SIZE);
	for (i = 0; i < n; i += 40)
		KUNIT_EXPECT_NULL(test, memchr_inv(rec[i], i, REC_SIZE));
}

/* Of each chunk but the first, its first record. */
static unsigned int first_of_chunks(u8 **rec, unsigned int n, u8 **first,
				    unsigned int max)
{
	unsigned int i, got = 0;

	for (i = 1; i < n && got < max; i++)
		if (virt_to_head_page(rec[i]) != virt_to_head_page(rec[i - 1]))
			first[got++] = rec[i];
	return got;
}

static void records_of_chunks_in_use_go_first(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i, n = 2000;
	u8 **rec = get_records(test, n);
	u8 *first[3], *again;

	KUNIT_ASSERT_EQ(test, first_of_chunks(rec, n, first, 3), 3);
	/* One chunk is emptied, then two others have a free record each. */
	for (i = 0; i < n; i++)
		if (virt_to_head_page(rec[i]) == virt_to_head_page(first[0]))
			gh_fixalloc_free(f, rec[i]);
	gh_fixalloc_free(f, first[2]);
	gh_fixalloc_free(f, first[1]);

	/* The last chunk was not full, and has been in the list longest. */
	while ((again = gh_fixalloc_alloc(f, 0)) &&
	       virt_to_head_page(again) == virt_to_head_page(rec[n - 1]))
		;
	KUNIT_EXPECT_PTR_EQ(test, again, first[2]);
	KUNIT_EXPECT_PTR_EQ(test, (u8 *)gh_fixalloc_alloc(f, 0), first[1]);
	again = gh_fixalloc_alloc(f, 0);
	KUNIT_EXPECT_PTR_EQ(test, virt_to_head_page(again),
			    virt_to_head_page(first[0]));
}

static void in_nmi_no_pages_are_freed(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i, n = 1000;
	u8 **rec = get_records(test, n);
	unsigned long flags, peak = bytes_of(f);

	local_irq_save(flags);
	__preempt_count_add(NMI_OFFSET);
	for (i = 0; i < n; i++)
		gh_fixalloc_free(f, rec[i]);
	__preempt_count_sub(NMI_OFFSET);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, f->sys, peak);

	gh_fixalloc_age(f);
	KUNIT_EXPECT_EQ(test, f->inuse, 0);
	gh_fixalloc_trim(f);
	KUNIT_EXPECT_EQ(test, f->sys, 0);
}

/* ---- grace periods ------------------------------------------------------ */

/*
 * While this thread is in an RCU read section, no grace period that begins
 * there ends, however long it takes.
 */
static void a_record_that_readers_may_see_stays_as_it_was(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	struct gh_fixalloc_stats st;
	unsigned int i, n = 10, wrong = 0;
	u8 **rec = get_records(test, n);
	void *other;
	bool more;

	rcu_read_lock();
	for (i = 0; i < n; i++)
		gh_fixalloc_free_rcu(f, rec[i]);
	more = gh_fixalloc_age(f);
	mdelay(20);
	more &= gh_fixalloc_age(f);
	while ((other = gh_fixalloc_alloc(f, 0)))
		memset(other, 0xff, REC_SIZE);
	for (i = 0; i < n; i++)
		wrong += !!memchr_inv(rec[i] + 8, i, REC_SIZE - 8);
	gh_fixalloc_stats(f, &st);
	rcu_read_unlock();

	KUNIT_EXPECT_TRUE(test, more);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, st.nwait, n);
	KUNIT_EXPECT_EQ(test, st.navail, 0);
}

static void waiting_records_are_usable_after_a_grace_period(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i, n = 10;
	u8 **rec = get_records(test, n);
	struct gh_fixalloc_stats st;

	/* Leave nothing else, so that nothing but these can be had. */
	count_records(f, 0);
	for (i = 0; i < n; i++)
		gh_fixalloc_free_rcu(f, rec[i]);
	synchronize_rcu();
	/* Nobody needs to call gh_fixalloc_age() for it. */
	KUNIT_EXPECT_EQ(test, count_records(f, 0), n);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.nwait, 0);
}

static void ageing_starts_the_grace_period_that_records_wait_for(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	struct gh_fixalloc_stats st;
	unsigned int i, n = 3000;
	u8 **rec = get_records(test, n);

	for (i = 0; i < n; i++)
		gh_fixalloc_free_rcu(f, rec[i]);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, 0);
	KUNIT_EXPECT_EQ(test, st.nwait, n);
	for (i = 0; i < 500 && gh_fixalloc_age(f); i++)
		msleep(20);
	KUNIT_EXPECT_LT(test, i, 500);
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.nwait, 0);
	KUNIT_EXPECT_LE(test, st.sys, GH_FIXALLOC_CHUNK);
}

static void who_needs_a_chunk_starts_the_grace_period_too(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i, n = 10;
	u8 **rec = get_records(test, n);

	count_records(f, 0);
	for (i = 0; i < n; i++)
		gh_fixalloc_free_rcu(f, rec[i]);
	/* That takes a new chunk, and the rest of it. */
	KUNIT_EXPECT_GT(test, count_records(f, GFP_KERNEL), 0);
	for (i = 0; i < 500 && !gh_fixalloc_alloc(f, 0); i++)
		msleep(20);
	KUNIT_EXPECT_LT(test, i, 500);
}

static void a_chunk_stays_as_long_as_one_of_its_records_waits(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i, n = 1000;
	u8 **rec = get_records(test, n);
	unsigned long peak = bytes_of(f), then;

	rcu_read_lock();
	for (i = 0; i < n; i++)
		gh_fixalloc_free_rcu(f, rec[i]);
	gh_fixalloc_age(f);
	gh_fixalloc_trim(f);
	then = f->sys;
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, then, peak);

	synchronize_rcu();
	while (gh_fixalloc_age(f))
		synchronize_rcu();
	gh_fixalloc_trim(f);
	KUNIT_EXPECT_EQ(test, f->sys, 0);
}

/* More grace periods than there are batches for. */
static void records_of_many_grace_periods_wait_together(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	unsigned int i, n = 4 * GH_FIXALLOC_BATCHES;
	u8 **rec = get_records(test, n);
	struct gh_fixalloc_stats st;
	unsigned int got = 0, wrong = 0;
	void *other;

	count_records(f, 0);
	for (i = 0; i < n - 1; i++) {
		gh_fixalloc_free_rcu(f, rec[i]);
		synchronize_rcu();
	}
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.nwait, n - 1);
	KUNIT_EXPECT_EQ(test, st.inuse + st.nwait, st.nalloc);

	/* The last batch is no longer over if one more joins it. */
	rcu_read_lock();
	gh_fixalloc_free_rcu(f, rec[n - 1]);
	while ((other = gh_fixalloc_alloc(f, 0))) {
		wrong += other == rec[n - 1];
		got++;
	}
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* Those before it wait for nothing that came later. */
	KUNIT_EXPECT_EQ(test, got, GH_FIXALLOC_BATCHES - 1);

	synchronize_rcu();
	while (gh_fixalloc_age(f))
		synchronize_rcu();
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.nwait, 0);
	KUNIT_EXPECT_GE(test, st.navail, 1);
}

static void a_zeroing_allocator_zeroes_what_has_waited(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, true);
	u8 *rec = gh_fixalloc_alloc(f, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rec);
	count_records(f, 0);
	memset(rec, 0xff, REC_SIZE);
	gh_fixalloc_free_rcu(f, rec);
	synchronize_rcu();
	KUNIT_EXPECT_PTR_EQ(test, (u8 *)gh_fixalloc_alloc(f, 0), rec);
	KUNIT_EXPECT_NULL(test, memchr_inv(rec, 0, REC_SIZE));
}

static void destroy_counts_nothing_that_waits(struct kunit *test)
{
	struct gh_fixalloc *f = test->priv;
	u8 **rec = get_records(test, 3);

	gh_fixalloc_free_rcu(f, rec[1]);
	KUNIT_EXPECT_EQ(test, gh_fixalloc_destroy(f), 2);
	KUNIT_EXPECT_EQ(test, f->nwait, 0);
	KUNIT_EXPECT_NOT_NULL(test, gh_fixalloc_alloc(f, GFP_KERNEL));
}

/* ---- random steps ------------------------------------------------------- */

#define MODEL_RECS	1024
#define MODEL_WINDOW	2000

/**
 * struct model - what is known of an allocator
 * @rec: records, each filled with its own index
 * @waits: freed by RCU in this window, in which no grace period ends
 * @live: number of records in use
 */
struct model {
	u8 *rec[MODEL_RECS];
	bool waits[MODEL_RECS];
	unsigned int live;
};

static bool model_intact(const struct model *m, u32 s)
{
	/* The first word of one that waits is not its own any more. */
	unsigned int skip = m->waits[s] ? 8 : 0;

	return !memchr_inv(m->rec[s] + skip, s, REC_SIZE - skip);
}

/* Returns false if something is wrong. */
static bool model_step(struct gh_fixalloc *f, struct model *m, u32 s, bool rcu)
{
	if (m->waits[s])
		return true;
	if (!m->rec[s]) {
		m->rec[s] = gh_fixalloc_alloc(f, GFP_NOWAIT | __GFP_NOWARN);
		if (!m->rec[s])
			return true;
		memset(m->rec[s], s, REC_SIZE);
		m->live++;
		return true;
	}
	if (!model_intact(m, s))
		return false;
	if (rcu)
		gh_fixalloc_free_rcu(f, m->rec[s]);
	else
		gh_fixalloc_free(f, m->rec[s]);
	m->waits[s] = rcu;
	if (!rcu)
		m->rec[s] = NULL;
	m->live--;
	return true;
}

/* The end of a window: what was freed in it must have stayed. */
static unsigned int model_check_waiting(struct model *m)
{
	unsigned int s, wrong = 0;

	for (s = 0; s < MODEL_RECS; s++) {
		if (!m->waits[s])
			continue;
		wrong += !model_intact(m, s);
		m->waits[s] = false;
		m->rec[s] = NULL;
	}
	return wrong;
}

/* Steps in one RCU read section. Returns how many things were wrong. */
static unsigned int model_window(struct gh_fixalloc *f, struct model *m,
				 struct rnd_state *rnd)
{
	/* Few records in some windows, so that chunks become empty. */
	u32 range = prandom_u32_state(rnd) % 2 ? MODEL_RECS : 64;
	bool free_only = !(prandom_u32_state(rnd) % 4);
	unsigned int i, wrong = 0;

	rcu_read_lock();
	for (i = 0; i < MODEL_WINDOW; i++) {
		u32 s = prandom_u32_state(rnd) % range;

		if (free_only && !m->rec[s])
			continue;
		wrong += !model_step(f, m, s, prandom_u32_state(rnd) % 2);
	}
	wrong += model_check_waiting(m);
	rcu_read_unlock();
	return wrong;
}

static void random_steps_keep_every_record_intact(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct gh_fixalloc_stats st;
	struct rnd_state rnd;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < steps / MODEL_WINDOW; i++) {
		unsigned int wrong = model_window(f, m, &rnd);

		if (wrong) {
			KUNIT_FAIL(test, "window %u: %u records changed", i,
				   wrong);
			return;
		}
		if (i % 3 == 0)
			gh_fixalloc_age(f);
		if (i % 16 == 0)
			gh_fixalloc_trim(f);
		if (i % 32 == 0)
			synchronize_rcu();
		gh_fixalloc_stats(f, &st);
		KUNIT_ASSERT_EQ(test, st.inuse, m->live);
		KUNIT_ASSERT_LE(test,
				(st.inuse + st.navail + st.nwait) * REC_SIZE,
				st.sys);
	}

	for (i = 0; i < MODEL_RECS; i++) {
		if (!m->rec[i])
			continue;
		KUNIT_EXPECT_TRUE(test, model_intact(m, i));
		gh_fixalloc_free(f, m->rec[i]);
	}
	while (gh_fixalloc_age(f))
		synchronize_rcu();
	gh_fixalloc_trim(f);
	KUNIT_EXPECT_EQ(test, bytes_of(f), 0);
	KUNIT_EXPECT_EQ(test, f->navail, 0);
}

struct worker {
	struct gh_fixalloc *f;
	struct completion done;
	unsigned int id;
	unsigned int steps;
	unsigned int errors;
};

static int worker_fn(void *arg)
{
	struct worker *w = arg;
	struct rnd_state rnd;
	unsigned int i;
	u8 *rec[16] = { NULL };

	prandom_seed_state(&rnd, w->id);
	for (i = 0; i < w->steps; i++) {
		u8 **r = &rec[prandom_u32_state(&rnd) % ARRAY_SIZE(rec)];

		if (*r) {
			/* Another owner would have written its own number. */
			w->errors += !!memchr_inv(*r, w->id, REC_SIZE);
			if (w->id % 2)
				gh_fixalloc_free(w->f, *r);
			else
				gh_fixalloc_free_rcu(w->f, *r);
			*r = NULL;
		} else {
			*r = gh_fixalloc_alloc(w->f, GFP_KERNEL);
			if (*r)
				memset(*r, w->id, REC_SIZE);
			else
				w->errors++;
		}
		if (i % 256 == 0)
			cond_resched();
		if (i % 1024 == w->id) {
			gh_fixalloc_age(w->f);
			gh_fixalloc_trim(w->f);
		}
	}
	for (i = 0; i < ARRAY_SIZE(rec); i++) {
		if (rec[i])
			gh_fixalloc_free(w->f, rec[i]);
	}
	/* The module may go as soon as that is known. */
	kthread_complete_and_exit(&w->done, 0);
}

static void a_record_has_one_owner_at_a_time_on_many_cpus(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	unsigned int i, n = 4;
	struct gh_fixalloc_stats st;
	struct worker *w;

	w = kunit_kcalloc(test, n, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	for (i = 0; i < n; i++) {
		struct task_struct *task;

		w[i].f = f;
		w[i].id = i + 1;
		w[i].steps = steps / n;
		init_completion(&w[i].done);
		task = kthread_run(worker_fn, &w[i], "gh_fixalloc/%u", i);
		if (IS_ERR(task)) {
			KUNIT_FAIL(test, "no thread");
			complete(&w[i].done);
		}
	}
	for (i = 0; i < n; i++) {
		wait_for_completion(&w[i].done);
		KUNIT_EXPECT_EQ(test, w[i].errors, 0);
	}
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, 0);
	while (gh_fixalloc_age(f))
		synchronize_rcu();
	gh_fixalloc_trim(f);
	KUNIT_EXPECT_EQ(test, bytes_of(f), 0);
}

/* ---- readers on other CPUs ---------------------------------------------- */

/**
 * struct shown - a record that readers look at
 * @link: not looked at: overwritten when the record is freed
 * @id: number of the record
 * @check: the complement of @id
 */
struct shown {
	void *link;
	unsigned long id;
	unsigned long check;
};

/**
 * struct showing - a record that is replaced while others look at it
 * @f: the allocator
 * @now: the record
 * @stop: the readers should end
 * @wrong: how often a record changed while a reader looked at it
 * @looks: how often readers looked
 */
struct showing {
	struct gh_fixalloc *f;
	struct shown *now;
	bool stop;
	atomic_t wrong;
	atomic_t looks;
};

struct reader {
	struct showing *sh;
	struct completion done;
};

static void look_at(struct showing *sh, unsigned int spins)
{
	struct shown *r;
	unsigned long id;

	rcu_read_lock();
	r = READ_ONCE(sh->now);
	id = READ_ONCE(r->id);
	while (spins--) {
		if (READ_ONCE(r->id) != id || READ_ONCE(r->check) != ~id)
			atomic_inc(&sh->wrong);
		cpu_relax();
	}
	rcu_read_unlock();
	atomic_inc(&sh->looks);
}

static int reader_fn(void *arg)
{
	struct reader *rd = arg;
	unsigned int i;

	for (i = 0; !READ_ONCE(rd->sh->stop); i++) {
		look_at(rd->sh, i % 500);
		if (i % 64 == 0)
			usleep_range(50, 100);
		cond_resched();
	}
	kthread_complete_and_exit(&rd->done, 0);
}

/* Returns false if there is no memory. */
static bool show_next(struct showing *sh, unsigned long id)
{
	struct shown *r = gh_fixalloc_alloc(sh->f, GFP_KERNEL), *old = sh->now;

	if (!r)
		return false;
	WRITE_ONCE(r->id, id);
	WRITE_ONCE(r->check, ~id);
	/* Pairs with the dependent reads in look_at(). */
	smp_store_release(&sh->now, r);
	if (old)
		gh_fixalloc_free_rcu(sh->f, old);
	return true;
}

static void readers_never_see_a_record_become_anothers(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, sizeof(struct shown), false);
	struct showing sh = { .f = f };
	unsigned int i, n = 3;
	struct reader *rd;

	rd = kunit_kcalloc(test, n, sizeof(*rd), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rd);
	KUNIT_ASSERT_TRUE(test, show_next(&sh, 0));
	for (i = 0; i < n; i++) {
		rd[i].sh = &sh;
		init_completion(&rd[i].done);
		if (IS_ERR(kthread_run(reader_fn, &rd[i], "gh_reader/%u", i))) {
			KUNIT_FAIL(test, "no thread");
			complete(&rd[i].done);
		}
	}
	for (i = 1; i < steps / 20; i++) {
		if (!show_next(&sh, i))
			KUNIT_FAIL(test, "no memory");
		if (i % 512 == 0) {
			gh_fixalloc_age(f);
			gh_fixalloc_trim(f);
		}
		if (i % 64 == 0)
			cond_resched();
		if (i % 4096 == 0)
			msleep(20);
	}
	WRITE_ONCE(sh.stop, true);
	for (i = 0; i < n; i++)
		wait_for_completion(&rd[i].done);
	KUNIT_EXPECT_EQ(test, atomic_read(&sh.wrong), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&sh.looks), 0);
}

static struct kunit_case fixalloc_cases[] = {
	KUNIT_CASE(records_do_not_overlap),
	KUNIT_CASE(size_is_rounded_up_to_8_bytes),
	KUNIT_CASE(aligned_records_start_on_cache_lines),
	KUNIT_CASE(largest_record_fits_in_one_page),
	KUNIT_CASE(new_records_are_zero),
	KUNIT_CASE(zeroing_allocator_zeroes_every_time),
	KUNIT_CASE(freeing_overwrites_only_the_first_word),
	KUNIT_CASE(every_record_sees_first_once),
	KUNIT_CASE(first_is_not_called_for_stock),
	KUNIT_CASE(first_is_called_without_the_lock),
	KUNIT_CASE(last_freed_is_first_reused),
	KUNIT_CASE(gfp_zero_gets_no_pages),
	KUNIT_CASE(prefill_makes_stock_for_gfp_zero),
	KUNIT_CASE(freed_records_are_stock_again),
	KUNIT_CASE(prefill_adds_only_what_is_missing),
	KUNIT_CASE(a_chunk_that_cannot_be_had_gives_null),
	KUNIT_CASE(prefill_reports_failure_and_keeps_its_part),
	KUNIT_CASE(counters_follow_every_step),
	KUNIT_CASE(destroy_counts_what_is_in_use_and_starts_afresh),
	KUNIT_CASE(works_with_interrupts_off),
	KUNIT_CASE(in_nmi_the_lock_is_only_tried),
	KUNIT_CASE(in_nmi_no_pages_are_allocated),
	KUNIT_CASE(chunks_go_back_when_all_of_their_records_are_free),
	KUNIT_CASE(an_allocator_takes_little_more_than_it_needs),
	KUNIT_CASE(trimming_leaves_no_empty_chunk),
	KUNIT_CASE(chunks_give_their_pages_back),
	KUNIT_CASE(a_chunk_stays_as_long_as_one_of_its_records_is_in_use),
	KUNIT_CASE(records_of_chunks_in_use_go_first),
	KUNIT_CASE(in_nmi_no_pages_are_freed),
	KUNIT_CASE(a_record_that_readers_may_see_stays_as_it_was),
	KUNIT_CASE(waiting_records_are_usable_after_a_grace_period),
	KUNIT_CASE(ageing_starts_the_grace_period_that_records_wait_for),
	KUNIT_CASE(who_needs_a_chunk_starts_the_grace_period_too),
	KUNIT_CASE(a_chunk_stays_as_long_as_one_of_its_records_waits),
	KUNIT_CASE(records_of_many_grace_periods_wait_together),
	KUNIT_CASE(a_zeroing_allocator_zeroes_what_has_waited),
	KUNIT_CASE(destroy_counts_nothing_that_waits),
	KUNIT_CASE(random_steps_keep_every_record_intact),
	KUNIT_CASE(a_record_has_one_owner_at_a_time_on_many_cpus),
	KUNIT_CASE(readers_never_see_a_record_become_anothers),
	{}
};

static struct kunit_suite fixalloc_suite = {
	.name = "goheap_fixalloc",
	.init = fixalloc_test_init,
	.exit = fixalloc_test_exit,
	.test_cases = fixalloc_cases,
};

kunit_test_suite(fixalloc_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of fixalloc");
MODULE_LICENSE("GPL");
