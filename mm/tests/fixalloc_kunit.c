// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of fixalloc: what a record holds when, where it lies, what
 * happens when pages cannot be had, and that no two users get one record.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
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

/* Readers of type-stable records rely on it. */
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
	KUNIT_EXPECT_EQ(test, log.calls, n);
	KUNIT_EXPECT_EQ(test, log.dirty, 0);
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
	rec = gh_fixalloc_alloc(f, IS_ENABLED(CONFIG_PREEMPT_RT) ?
				0 : GFP_ATOMIC);
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

/* Slots of records, each filled with its own value. */
static void random_steps_keep_every_record_intact(struct kunit *test)
{
	struct gh_fixalloc *f = new_fixalloc(test, REC_SIZE, false);
	unsigned int i, live = 0, n = 1024;
	struct gh_fixalloc_stats st;
	struct rnd_state rnd;
	u8 **rec;

	rec = kunit_kcalloc(test, n, sizeof(*rec), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < steps; i++) {
		u32 s = prandom_u32_state(&rnd) % n;

		if (!rec[s]) {
			rec[s] = gh_fixalloc_alloc(f, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, rec[s]);
			memset(rec[s], s, REC_SIZE);
			live++;
		} else {
			if (memchr_inv(rec[s], s, REC_SIZE)) {
				KUNIT_FAIL(test, "step %u: record changed", i);
				return;
			}
			gh_fixalloc_free(f, rec[s]);
			rec[s] = NULL;
			live--;
		}
		if (i % 1024 == 0)
			cond_resched();
	}
	gh_fixalloc_stats(f, &st);
	KUNIT_EXPECT_EQ(test, st.inuse, live);
	/* Never more records than were live at once. */
	KUNIT_EXPECT_LE(test, st.sys, n * REC_SIZE + 2 * GH_FIXALLOC_CHUNK);
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
			gh_fixalloc_free(w->f, *r);
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
	KUNIT_CASE(random_steps_keep_every_record_intact),
	KUNIT_CASE(a_record_has_one_owner_at_a_time_on_many_cpus),
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
