// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the per-CPU caches: magazines, their guard and their bound,
 * and the ways in which what they hold leaves them.
 *
 * The cases run pinned to a CPU, on a heap that nobody else uses, so what is in
 * a slot is known.
 */
#include "test_util.h"

#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/timer.h>

#include "../cache.h"
#include "../defer.h"
#include "../large.h"
#include "../malloc.h"
#include "../mcache.h"
#include "../reclaim.h"
#include "../tiny.h"

#define SIZE	64
#define MANY	2000

static unsigned int steps = 60000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of a thread that interrupts disturb (default 60000)");

static struct gh_central *central_of(struct kunit *test, size_t size)
{
	unsigned int sc = gh_make_spanclass(gh_size_to_class(size), false);

	return &gh_test_heap(test)->central[sc];
}

static struct gh_slot *slot_of(struct gh_central *c)
{
	return gh_central_slot(c, raw_smp_processor_id());
}

static void *must_alloc(struct kunit *test, struct gh_central *c)
{
	return gh_test_must(test, gh_slot_alloc(c, GFP_KERNEL));
}

/* What a free looks up. */
static struct gh_ent ent_of(void *p)
{
	struct gh_span *s = gh_span_of((unsigned long)p);
	unsigned int idx;

	gh_span_find(s, (unsigned long)p, &idx);
	return gh_central_ent(s, idx);
}

static void give(struct gh_central *c, void *p)
{
	struct gh_ent ent = ent_of(p);

	gh_slot_free(gh_span_of((unsigned long)p), ent.obj, ent.state);
}

static long nspans(struct gh_central *c)
{
	return atomic_long_read(&c->nspans);
}

static unsigned long live(struct gh_central *c)
{
	return gh_slot_carved(c) - gh_slot_released(c) - gh_slot_cached(c);
}

/* Room of all of a CPU's magazines, as it should be accounted. */
static long room(struct gh_heap *h, unsigned int cpu)
{
	unsigned int i, k;
	long sum = 0;

	for (i = 0; i < h->nr_homes; i++)
		for (k = 0; k < GH_NUM_CENTRALS; k++)
			sum += 2 * (long)per_cpu_ptr(h->slots[i], cpu)[k].cap *
			       h->central[k].shape.elemsize;
	return sum;
}

/* ---- the fast path ------------------------------------------------------ */

static void what_was_freed_last_is_allocated_first(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void *p[4];
	int i;

	for (i = 0; i < 4; i++)
		p[i] = must_alloc(test, c);
	for (i = 0; i < 4; i++)
		give(c, p[i]);
	for (i = 3; i >= 0; i--)
		KUNIT_EXPECT_PTR_EQ(test, must_alloc(test, c), p[i]);
	for (i = 0; i < 4; i++)
		give(c, p[i]);
}

static void an_objects_state_byte_says_who_has_it(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void *p = must_alloc(test, c);

	KUNIT_EXPECT_EQ(test, *ent_of(p).state, GH_OBJ_ALLOC);
	give(c, p);
	KUNIT_EXPECT_EQ(test, *ent_of(p).state, GH_OBJ_FREE);
}

static void no_object_is_given_to_two(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, MANY);
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < MANY; i++) {
			p[i] = must_alloc(test, c);
			gh_test_fill(p[i], SIZE, i + round);
		}
		for (i = 0; i < MANY; i++) {
			if (!gh_test_filled(p[i], SIZE, i + round))
				break;
			give(c, p[i]);
		}
		KUNIT_ASSERT_EQ(test, i, MANY);
	}
	KUNIT_EXPECT_EQ(test, live(c), 0);
}

static void live_objects_are_what_left_less_what_came_back(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, MANY);
	struct rnd_state rnd;
	unsigned int step, have = 0;

	prandom_seed_state(&rnd, 8);
	for (step = 0; step < 20000; step++) {
		u32 r = prandom_u32_state(&rnd);

		if (have < MANY && (!have || r % 100 < 55))
			p[have++] = must_alloc(test, c);
		else
			give(c, p[--have]);
		if (step % 97 == 0 && live(c) != have)
			break;
	}
	KUNIT_EXPECT_EQ(test, step, 20000);
	while (have)
		give(c, p[--have]);
	KUNIT_EXPECT_EQ(test, live(c), 0);
}

/* ---- the guard ---------------------------------------------------------- */

static void an_allocation_leaves_a_busy_slot_alone(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_slot *slot = slot_of(c), before;
	void *a = must_alloc(test, c), *b, *p;

	/* There is something in the magazine, and more in the span. */
	b = must_alloc(test, c);
	give(c, b);
	KUNIT_ASSERT_GT(test, gh_slot_n(slot), 0);
	/* As an interrupt finds it that came while the owner was at work. */
	slot->busy.held = true;
	before = *slot;
	p = gh_slot_alloc(c, GFP_ATOMIC);
	KUNIT_EXPECT_EQ(test, gh_slot_n(slot), gh_slot_n(&before));
	KUNIT_EXPECT_EQ(test, slot->nspare, before.nspare);
	KUNIT_EXPECT_PTR_EQ(test, slot->mag, before.mag);
	KUNIT_EXPECT_PTR_EQ(test, slot->span, before.span);
	KUNIT_EXPECT_TRUE(test, slot->busy.held);
	slot->busy.held = false;
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_NE(test, p, a);
	KUNIT_EXPECT_PTR_NE(test, p, b);
	KUNIT_EXPECT_EQ(test, *ent_of(p).state, GH_OBJ_ALLOC);
	give(c, p);
	give(c, a);
	KUNIT_EXPECT_EQ(test, live(c), 0);
}

static void a_free_leaves_a_busy_slot_alone(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_slot *slot = slot_of(c), before;
	void *a = must_alloc(test, c), *b = must_alloc(test, c);
	unsigned long released = gh_central_here(c)->released;

	slot->busy.held = true;
	before = *slot;
	give(c, a);
	KUNIT_EXPECT_EQ(test, gh_slot_n(slot), gh_slot_n(&before));
	KUNIT_EXPECT_EQ(test, slot->nspare, before.nspare);
	KUNIT_EXPECT_PTR_EQ(test, slot->span, before.span);
	KUNIT_EXPECT_TRUE(test, slot->busy.held);
	slot->busy.held = false;
	/* It went to its span. */
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->released, released + 1);
	KUNIT_EXPECT_EQ(test, *ent_of(a).state, GH_OBJ_FREE);
	give(c, b);
	KUNIT_EXPECT_EQ(test, live(c), 0);
}

static void a_bulk_allocation_leaves_a_busy_slot_alone(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_slot *slot = slot_of(c);
	void *p[40], *a = must_alloc(test, c);
	unsigned int i, n, got;

	give(c, a);
	n = gh_slot_n(slot);
	slot->busy.held = true;
	got = gh_slot_alloc_bulk(c, GFP_KERNEL, ARRAY_SIZE(p), p, 0);
	KUNIT_EXPECT_EQ(test, gh_slot_n(slot), n);
	slot->busy.held = false;
	KUNIT_EXPECT_EQ(test, got, (unsigned int)ARRAY_SIZE(p));
	for (i = 0; i < got; i++)
		give(c, p[i]);
	KUNIT_EXPECT_EQ(test, live(c), 0);
}

static void a_slot_that_was_busy_serves_again(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_slot *slot = slot_of(c);
	void *a = must_alloc(test, c);

	slot->busy.held = true;
	give(c, gh_slot_alloc(c, GFP_ATOMIC));
	slot->busy.held = false;
	give(c, a);
	KUNIT_EXPECT_PTR_EQ(test, must_alloc(test, c), a);
	KUNIT_EXPECT_FALSE(test, slot->busy.held);
	give(c, a);
}

static void a_busy_tiny_block_is_left_alone(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_tiny *t = &per_cpu_ptr(h->mcache, raw_smp_processor_id())->tiny;
	void *a = gh_malloc(h, 3, GFP_KERNEL, true, NUMA_NO_NODE), *b;
	struct gh_tiny before;

	KUNIT_ASSERT_NOT_NULL(test, a);
	t->busy.held = true;
	before = *t;
	b = gh_malloc(h, 3, GFP_ATOMIC, true, NUMA_NO_NODE);
	KUNIT_EXPECT_PTR_EQ(test, t->block, before.block);
	KUNIT_EXPECT_EQ(test, t->off, before.off);
	t->busy.held = false;
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_NE(test, (unsigned long)a / GH_TINY_SIZE,
			(unsigned long)b / GH_TINY_SIZE);
	goheap_free(a);
	goheap_free(b);
}

/* ---- room --------------------------------------------------------------- */

static void magazines_grow_up_to_a_batch(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_slot *slot = slot_of(c);
	void **p = gh_test_ptrs(test, 10 * MANY);
	unsigned int i, round, first = 0;

	for (round = 0; round < 5; round++) {
		for (i = 0; i < 10 * MANY; i++) {
			p[i] = must_alloc(test, c);
			if (!first)
				first = slot->cap;
			if (slot->cap > c->batch || gh_slot_n(slot) > slot->cap)
				break;
		}
		KUNIT_EXPECT_EQ(test, i, 10 * MANY);
		while (i)
			give(c, p[--i]);
		KUNIT_EXPECT_LE(test, gh_slot_n(slot), slot->cap);
		KUNIT_EXPECT_LE(test, slot->nspare, c->batch);
	}
	KUNIT_EXPECT_LT(test, first, c->batch);
	KUNIT_EXPECT_EQ(test, slot->cap, c->batch);
}

static void a_cpus_magazines_keep_to_their_bound(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int cpu = raw_smp_processor_id();
	struct gh_mcache *mcache = per_cpu_ptr(h->mcache, cpu);
	void **p = gh_test_ptrs(test, 300);
	long most = 0;
	unsigned int sc, i, n;

	/* Or it would never come near the bound: a class is idle after its turn. */
	h->spill = NULL;
	for (sc = 2; sc < GH_NUM_SPANCLASSES; sc++) {
		struct gh_central *c = &h->central[sc];

		n = min_t(unsigned int, 300,
			  (2UL << 20) / c->shape.elemsize);
		for (i = 0; i < n; i++)
			p[i] = must_alloc(test, c);
		while (i)
			give(c, p[--i]);
		KUNIT_EXPECT_EQ(test, mcache->bytes, room(h, cpu));
		most = max(most, mcache->bytes);
	}
	KUNIT_EXPECT_LE(test, most, (long)gh_percpu_bytes);
	KUNIT_EXPECT_GT(test, most, (long)gh_percpu_bytes / 2);
}

/* Allocate and free an object of a class as often as earns a first magazine. */
static void earn_magazine(struct kunit *test, struct gh_central *c)
{
	unsigned int i;

	for (i = 0; i < 2 * c->shape.elemsize / 128; i++)
		give(c, must_alloc(test, c));
}

static void a_class_gives_way_only_to_one_that_can_use_its_room(struct kunit *test)
{
	struct gh_central *large = central_of(test, SZ_32K);
	struct gh_central *a = central_of(test, 64), *b = central_of(test, 128);
	unsigned long bound = gh_percpu_bytes;
	long *bytes;

	migrate_disable();
	bytes = &this_cpu_ptr(gh_test_heap(test)->mcache)->bytes;
	give(a, must_alloc(test, a));
	give(b, must_alloc(test, b));
	KUNIT_EXPECT_GT(test, slot_of(a)->cap, 0);
	KUNIT_EXPECT_GT(test, slot_of(b)->cap, 0);
	/* Room for one magazine of the large class, if both of them were gone. */
	gh_percpu_bytes = 2 * SZ_32K;
	earn_magazine(test, large);
	KUNIT_EXPECT_EQ(test, slot_of(large)->cap, 0);
	KUNIT_EXPECT_GT(test, slot_of(a)->cap, 0);
	KUNIT_EXPECT_GT(test, slot_of(b)->cap, 0);
	/* If one of them is, the other pays for it. */
	preempt_disable();
	gh_slot_drain_here(a);
	preempt_enable();
	earn_magazine(test, large);
	KUNIT_EXPECT_GT(test, slot_of(large)->cap, 0);
	KUNIT_EXPECT_EQ(test, slot_of(b)->cap, 0);
	KUNIT_EXPECT_EQ(test, *bytes, (long)gh_percpu_bytes);
	gh_percpu_bytes = bound;
	migrate_enable();
}

static void a_class_that_is_refused_room_takes_nothing(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned long bound = gh_percpu_bytes;
	struct gh_fixalloc_stats st;
	unsigned int i;
	void *p;

	migrate_disable();
	gh_percpu_bytes = 0;
	/* As long as it is there, no span is freed; that would wake it. */
	p = must_alloc(test, c);
	cancel_delayed_work_sync(&c->heap->background);
	for (i = 0; i < MANY; i++)
		give(c, must_alloc(test, c));
	KUNIT_EXPECT_EQ(test, slot_of(c)->cap, 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&c->heap->background));
	for (i = 0; i < GH_NUM_MAGS; i++) {
		gh_fixalloc_stats(&c->heap->mags[i], &st);
		KUNIT_EXPECT_EQ(test, st.nalloc, 0UL);
	}
	give(c, p);
	gh_percpu_bytes = bound;
	migrate_enable();
}

static void a_drained_cpu_has_no_room_taken(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int cpu, i;
	void *p[20];

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = must_alloc(test, central_of(test, 1 << (i % 12 + 3)));
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
	gh_reclaim_drain(h, NULL);
	for_each_possible_cpu(cpu) {
		KUNIT_EXPECT_EQ(test, per_cpu_ptr(h->mcache, cpu)->bytes, 0);
		KUNIT_EXPECT_EQ(test, room(h, cpu), 0);
	}
}

/* ---- ways out ----------------------------------------------------------- */

static void many_frees_reach_the_transfer_cache_as_batches(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, 10 * MANY);
	unsigned int i, round;

	/* The first rounds make the magazines large. */
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 10 * MANY; i++)
			p[i] = must_alloc(test, c);
		while (i)
			give(c, p[--i]);
	}
	KUNIT_EXPECT_GT(test, gh_central_here(c)->tc_n, 0);
	KUNIT_EXPECT_EQ(test, live(c), 0);
}

static void a_batch_in_the_transfer_cache_ages(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, 10 * MANY);
	unsigned int i, batches;

	migrate_disable();
	many_frees_reach_the_transfer_cache_as_batches(test);
	for (i = 0; i < 10 * MANY; i++)
		p[i] = must_alloc(test, c);
	batches = gh_central_here(c)->tc_n;
	cancel_delayed_work_sync(&c->heap->background);
	while (i && gh_central_here(c)->tc_n == batches)
		give(c, p[--i]);
	KUNIT_EXPECT_GT(test, gh_central_here(c)->tc_n, batches);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&c->heap->background));
	while (i)
		give(c, p[--i]);
	migrate_enable();
}

static void a_batch_is_the_last_resort_of_a_slot_without_room(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned long bound = gh_percpu_bytes;
	unsigned int seized = 0;
	void **p, **taken = NULL;

	migrate_disable();
	many_frees_reach_the_transfer_cache_as_batches(test);
	gh_percpu_bytes = 0;
	gh_slot_drain_here(c);
	KUNIT_EXPECT_GT(test, gh_central_here(c)->tc_n, 0);

	/* Then all that is left is in the transfer cache. */
	gh_fault_arm_from(GH_FAULT_FIXALLOC, 1);
	for (;;) {
		unsigned int batches = gh_central_here(c)->tc_n;

		cancel_delayed_work_sync(&c->heap->background);
		p = gh_slot_alloc(c, GFP_NOWAIT | __GFP_NOWARN | __GFP_THISNODE);
		if (!p)
			break;
		*p = taken;
		taken = p;
		/* When the slot has its first batch, its objects age from then on. */
		if (gh_central_here(c)->tc_n < batches && !seized++)
			KUNIT_EXPECT_TRUE(test, delayed_work_pending(&c->heap->background));
	}
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 0);

	while ((p = taken)) {
		taken = *p;
		give(c, p);
	}
	gh_percpu_bytes = bound;
	migrate_enable();
}

static void draining_empties_everything(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, 10 * MANY);
	unsigned int i;
	void *tiny;

	for (i = 0; i < 10 * MANY; i++)
		p[i] = must_alloc(test, c);
	while (i)
		give(c, p[--i]);
	tiny = gh_malloc(h, 5, GFP_KERNEL, true, NUMA_NO_NODE);
	goheap_free(tiny);
	KUNIT_EXPECT_GT(test, gh_slot_cached(c), 0);
	KUNIT_EXPECT_GT(test, gh_mheap_inuse(h), 0);
	gh_reclaim_drain(h, NULL);
	KUNIT_EXPECT_EQ(test, gh_slot_cached(c), 0);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 0);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0);
	for (i = 0; i < h->nr_nodes; i++)
		KUNIT_EXPECT_EQ(test, h->nodes[i]->pa.ninuse, 0);
}

/* What other CPUs hold comes later. */
static void at_the_end_of_memory_everything_here_goes(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_central *c = central_of(test, SIZE);

	migrate_disable();
	many_frees_reach_the_transfer_cache_as_batches(test);
	goheap_free(gh_malloc(h, 5, GFP_KERNEL, true, NUMA_NO_NODE));
	goheap_free(gh_malloc(h, SZ_64K, GFP_KERNEL, false, NUMA_NO_NODE));
	gh_reclaim_oom(h);
	KUNIT_EXPECT_EQ(test, gh_slot_cached(c), 0);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0);
	KUNIT_EXPECT_EQ(test, gh_mheap_idle_committed(h), 0);
	migrate_enable();
}

static void the_shrinker_counts_what_is_idle(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct shrink_control sc = { .nid = gh_numa_here() };
	unsigned long idle;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
	goheap_free(gh_malloc(h, SZ_2M, GFP_KERNEL, false, sc.nid));
	gh_mheap_evict(h);
	idle = gh_mheap_idle_committed(h) << (GH_PAGE_SHIFT - PAGE_SHIFT);
	KUNIT_EXPECT_GE(test, idle, SZ_2M / PAGE_SIZE);
	/* Other heaps may have some. */
	KUNIT_EXPECT_GE(test, gh_reclaim_count(NULL, &sc), idle);
	KUNIT_EXPECT_LE(test, gh_reclaim_count(NULL, &sc), totalram_pages());
}

#define SCAN_MS	300

/**
 * struct scan - a task in reclaim
 * @nid: the NUMA node that is short of memory
 * @freed: what the shrinker freed for it
 * @done: it has come back
 */
struct scan {
	int nid;
	unsigned long freed;
	struct completion done;
};

static int scan_fn(void *arg)
{
	/* More than all heaps have, so that it comes to each. */
	struct shrink_control sc = { .nr_to_scan = totalram_pages() };
	struct scan *scan = arg;

	sc.nid = scan->nid;
	scan->freed = gh_reclaim_scan(NULL, &sc);
	complete(&scan->done);
	return 0;
}

/* What frees memory just now may free enough, but nobody knows before it is done. */
static void the_shrinker_waits_for_whom_it_meets(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct task_struct *task;
	struct scan scan = { .nid = gh_numa_here() };
	bool waited;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
	goheap_free(gh_malloc(h, SZ_2M, GFP_KERNEL, false, scan.nid));
	init_completion(&scan.done);
	mutex_lock(&h->scav_lock);
	task = kthread_run(scan_fn, &scan, "goheap_scan");
	waited = IS_ERR(task) ||
		 !wait_for_completion_timeout(&scan.done, msecs_to_jiffies(SCAN_MS));
	mutex_unlock(&h->scav_lock);
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	KUNIT_EXPECT_TRUE(test, waited);
	if (waited)
		wait_for_completion(&scan.done);
	KUNIT_EXPECT_GE(test, scan.freed, SZ_2M / PAGE_SIZE);
	KUNIT_EXPECT_NE(test, scan.freed, SHRINK_STOP);
}

/* Or a process whose memory is to be of another kind would spin. */
static void out_of_memory_is_not_put_off_for_ever(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned long freed = 1;
	unsigned int i;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
	for (i = 0; freed && i < 100; i++) {
		freed = 0;
		goheap_free(gh_malloc(h, SZ_64K, GFP_KERNEL, false, NUMA_NO_NODE));
		gh_reclaim_oom_notify(NULL, 0, &freed);
		KUNIT_EXPECT_EQ(test, gh_mheap_idle_committed(h), 0);
	}
	KUNIT_EXPECT_EQ(test, freed, 0);
	KUNIT_EXPECT_GT(test, i, 1);

	goheap_free(gh_malloc(h, SZ_64K, GFP_KERNEL, false, NUMA_NO_NODE));
	gh_reclaim_oom_notify(NULL, 0, &freed);
	KUNIT_EXPECT_GE(test, freed, SZ_64K / PAGE_SIZE);
}

static void draining_one_class_leaves_the_others(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_central *other = central_of(test, 128);

	unsigned long cached;

	many_frees_reach_the_transfer_cache_as_batches(test);
	give(other, must_alloc(test, other));
	cached = gh_slot_cached(other);
	gh_reclaim_drain(gh_test_heap(test), c);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	KUNIT_EXPECT_EQ(test, gh_slot_cached(other), cached);
	KUNIT_EXPECT_EQ(test, nspans(other), 1);
}

static void draining_leaves_live_objects(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, MANY);
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		p[i] = must_alloc(test, c);
		gh_test_fill(p[i], SIZE, i);
	}
	for (i = 0; i < MANY; i += 2)
		give(c, p[i]);
	gh_reclaim_drain(gh_test_heap(test), NULL);
	KUNIT_EXPECT_EQ(test, live(c), MANY / 2);
	for (i = 1; i < MANY; i += 2)
		if (!gh_test_filled(p[i], SIZE, i))
			break;
	KUNIT_EXPECT_EQ(test, i, MANY + 1);
	for (i = 1; i < MANY; i += 2)
		give(c, p[i]);
}

/**
 * struct remote - objects for another CPU to allocate or free
 * @c: their mcentral
 * @n: how many
 * @p: the objects
 */
struct remote {
	struct gh_central *c;
	unsigned int n;
	void **p;
};

static int remote_alloc(void *arg)
{
	struct remote *r = arg;
	unsigned int i;

	for (i = 0; i < r->n; i++) {
		r->p[i] = gh_slot_alloc(r->c, GFP_KERNEL);
		if (!r->p[i])
			return -ENOMEM;
		gh_test_fill(r->p[i], r->c->shape.elemsize, i);
	}
	return 0;
}

static int remote_free(void *arg)
{
	struct remote *r = arg;
	unsigned int i;

	for (i = 0; i < r->n; i++) {
		if (!gh_test_filled(r->p[i], r->c->shape.elemsize, i))
			return -EINVAL;
		give(r->c, r->p[i]);
	}
	return 0;
}

static unsigned int must_have_other_cpu(struct kunit *test)
{
	int other = gh_test_other_cpu(raw_smp_processor_id());

	if (other < 0)
		kunit_skip(test, "one CPU");
	return other;
}

static void objects_freed_elsewhere_do_not_make_the_heap_grow(struct kunit *test)
{
	unsigned int other = must_have_other_cpu(test);
	struct remote r = {
		.c = central_of(test, SIZE),
		.n = MANY,
		.p = gh_test_ptrs(test, MANY),
	};
	unsigned int round;
	long spans = 0;

	for (round = 0; round < 30; round++) {
		KUNIT_ASSERT_EQ(test, remote_alloc(&r), 0);
		KUNIT_ASSERT_EQ(test, smp_call_on_cpu(other, remote_free, &r,
						      false), 0);
		if (round == 5)
			spans = nspans(r.c);
	}
	/* Objects that one CPU frees come back to the other. */
	KUNIT_EXPECT_LE(test, nspans(r.c), spans + spans / 4);
	KUNIT_EXPECT_EQ(test, live(r.c), 0);
}

static void another_cpus_slot_is_drained_from_there(struct kunit *test)
{
	unsigned int other = must_have_other_cpu(test);
	struct remote r = {
		.c = central_of(test, SIZE),
		.n = 200,
		.p = gh_test_ptrs(test, 200),
	};

	KUNIT_ASSERT_EQ(test, smp_call_on_cpu(other, remote_alloc, &r, false),
			0);
	KUNIT_ASSERT_EQ(test, smp_call_on_cpu(other, remote_free, &r, false),
			0);
	KUNIT_EXPECT_GT(test, gh_slot_n(gh_central_slot(r.c, other)), 0);
	gh_reclaim_drain(gh_test_heap(test), NULL);
	KUNIT_EXPECT_EQ(test, gh_slot_n(gh_central_slot(r.c, other)), 0);
	KUNIT_EXPECT_NULL(test, gh_central_slot(r.c, other)->span);
	KUNIT_EXPECT_EQ(test, nspans(r.c), 0);
}

static int remote_tiny(void *arg)
{
	struct remote *r = arg;

	r->p[0] = gh_malloc(r->c->heap, 7, GFP_KERNEL, true, NUMA_NO_NODE);
	return r->p[0] ? 0 : -ENOMEM;
}

static void a_cpu_that_dies_gives_everything_back(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int other = must_have_other_cpu(test);
	struct remote r = {
		.c = central_of(test, SIZE),
		.n = 500,
		.p = gh_test_ptrs(test, 500),
	};
	const struct gh_slot *slot = gh_central_slot(r.c, other);
	void *tiny = NULL;
	struct remote t = { .c = r.c, .p = &tiny };

	KUNIT_ASSERT_EQ(test, smp_call_on_cpu(other, remote_alloc, &r, false),
			0);
	KUNIT_ASSERT_EQ(test, smp_call_on_cpu(other, remote_free, &r, false),
			0);
	KUNIT_ASSERT_EQ(test, smp_call_on_cpu(other, remote_tiny, &t, false),
			0);
	goheap_free(tiny);
	KUNIT_EXPECT_GT(test, gh_slot_n(slot), 0);
	if (!gh_test_cpu_down(other))
		kunit_skip(test, "CPU %u cannot be taken away", other);
	KUNIT_EXPECT_EQ(test, gh_slot_n(slot), 0);
	KUNIT_EXPECT_EQ(test, slot->nspare, 0);
	KUNIT_EXPECT_NULL(test, slot->span);
	KUNIT_EXPECT_NULL(test, slot->mag);
	KUNIT_EXPECT_NULL(test, per_cpu_ptr(h->mcache, other)->tiny.block);
	KUNIT_EXPECT_EQ(test, per_cpu_ptr(h->mcache, other)->bytes, 0);
	KUNIT_EXPECT_EQ(test, per_cpu_ptr(h->pages_cpu[0], other)->pc.cache, 0ULL);
	KUNIT_EXPECT_TRUE(test, gh_test_cpu_up(other));

	/* And it is as good as new. */
	KUNIT_EXPECT_EQ(test, smp_call_on_cpu(other, remote_alloc, &r, false),
			0);
	KUNIT_EXPECT_EQ(test, smp_call_on_cpu(other, remote_free, &r, false),
			0);
}

/* Tiny blocks are freed into the slots of the CPU that drains. */
static void a_heap_ends_clean_wherever_its_tiny_blocks_are(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		void *tiny = NULL;
		struct remote r = { .c = c, .p = &tiny };

		KUNIT_ASSERT_EQ(test, smp_call_on_cpu(cpu, remote_tiny, &r,
						      false), 0);
		goheap_free(tiny);
	}
	set_cpus_allowed_ptr(current, cpumask_of(cpumask_first(cpu_online_mask)));
	gh_test_heap_end(test);
}

/* ---- other paths -------------------------------------------------------- */

static void bulk_allocation_gives_distinct_objects(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, MANY);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, gh_slot_alloc_bulk(c, GFP_KERNEL, MANY, p, 0), MANY);
	KUNIT_EXPECT_EQ(test, live(c), MANY);
	for (i = 0; i < MANY; i++)
		gh_test_fill(p[i], SIZE, i);
	for (i = 0; i < MANY; i++)
		if (!gh_test_filled(p[i], SIZE, i) ||
		    *ent_of(p[i]).state != GH_OBJ_ALLOC)
			break;
	KUNIT_EXPECT_EQ(test, i, MANY);
	for (i = 0; i < MANY; i++)
		give(c, p[i]);
	KUNIT_EXPECT_EQ(test, live(c), 0);
}

static void bulk_allocation_says_how_far_it_got(struct kunit *test)
{
	struct gh_central *c = central_of(test, 8192);
	void **p = gh_test_ptrs(test, 100);
	unsigned int got, i;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
	gh_fault_arm_from(GH_FAULT_PAGE, 11);
	got = gh_slot_alloc_bulk(c, GFP_KERNEL, 100, p, 0);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_EXPECT_LT(test, got, 100);
	KUNIT_EXPECT_EQ(test, live(c), got);
	for (i = 0; i < got; i++)
		give(c, p[i]);
}

/* Frees from NMI context are put off; every kind of object comes home. */
static void deferred_frees_come_home(struct kunit *test)
{
	static const size_t sizes[] = { 16, 64, 1000, 8192, 16384, 32768,
					40000, 1UL << 20 };
	struct gh_heap *h = gh_test_heap(test);
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			void *p = gh_malloc(h, sizes[i], GFP_KERNEL, false,
					    NUMA_NO_NODE);

			KUNIT_ASSERT_NOT_NULL(test, p);
			/* As a free does up to where the NMI is noticed. */
			*ent_of(p).state = GH_OBJ_FREE;
			gh_defer_free(h, p);
		}
		gh_defer_sync(h);
	}
	gh_reclaim_drain(h, NULL);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0);
	for (i = 2; i < GH_NUM_SPANCLASSES; i++)
		KUNIT_EXPECT_EQ(test, live(&h->central[i]), 0);
}

/* ---- interrupts --------------------------------------------------------- */

#define POCKET	24

/**
 * struct hammer - somebody who allocates and frees all the time
 * @heap: the heap
 * @rnd: what to do next
 * @p: objects at hand
 * @size: their sizes
 * @steps: done
 * @bad: objects whose contents had changed
 */
struct hammer {
	struct gh_heap *heap;
	struct rnd_state rnd;
	void *p[POCKET];
	unsigned int size[POCKET];
	unsigned long steps;
	unsigned long bad;
};

static void hammer_drop(struct hammer *h, unsigned int i)
{
	if (h->p[i] && !gh_test_filled(h->p[i], h->size[i], i + h->size[i]))
		h->bad++;
	goheap_free(h->p[i]);
	h->p[i] = NULL;
}

static void hammer_step(struct hammer *h, gfp_t gfp)
{
	/* Few sizes, so that everybody meets in the same slots. */
	static const unsigned int sizes[] = { 3, 8, 64, 64, 64, 256, 2048 };
	u32 r = prandom_u32_state(&h->rnd);
	unsigned int i = r % POCKET;

	h->steps++;
	if (h->p[i]) {
		hammer_drop(h, i);
		return;
	}
	h->size[i] = sizes[(r >> 8) % ARRAY_SIZE(sizes)];
	h->p[i] = gh_malloc(h->heap, h->size[i], gfp, r >> 31, NUMA_NO_NODE);
	if (h->p[i])
		gh_test_fill(h->p[i], h->size[i], i + h->size[i]);
}

static void hammer_end(struct hammer *h)
{
	unsigned int i;

	for (i = 0; i < POCKET; i++)
		hammer_drop(h, i);
}

/**
 * struct disturb - hammers in a thread and in the interrupts it suffers
 * @thread: in the thread
 * @hard: in an interrupt that another CPU raises
 * @self: in an interrupt that the thread raises itself
 * @soft: in a timer
 * @work: raises @self
 * @far: raises @hard
 * @timer: raises @soft
 * @cpu: where all this happens
 * @task: who has @far raised
 */
struct disturb {
	struct hammer thread;
	struct hammer hard;
	struct hammer self;
	struct hammer soft;
	struct irq_work work;
	struct irq_work far;
	struct timer_list timer;
	unsigned int cpu;
	struct task_struct *task;
};

static void disturb_hard(struct irq_work *work)
{
	struct disturb *d = container_of(work, struct disturb, far);
	unsigned int i;

	for (i = 0; i < 8; i++)
		hammer_step(&d->hard, GFP_ATOMIC);
}

static void disturb_self(struct irq_work *work)
{
	struct disturb *d = container_of(work, struct disturb, work);
	unsigned int i;

	for (i = 0; i < 8; i++)
		hammer_step(&d->self, GFP_NOWAIT);
}

static void disturb_soft(struct timer_list *timer)
{
	struct disturb *d = container_of(timer, struct disturb, timer);
	unsigned int i;

	for (i = 0; i < 8; i++)
		hammer_step(&d->soft, GFP_ATOMIC);
	mod_timer(timer, jiffies + 1);
}

/* Where lockdep lets no spinlock be taken, as an allocation may have to. */
static void disturb_far(void *arg)
{
	struct disturb *d = arg;

	irq_work_queue(&d->far);
}

static int disturb_thread(void *arg)
{
	struct disturb *d = arg;

	while (!kthread_should_stop()) {
		smp_call_function_single(d->cpu, disturb_far, d, 1);
		irq_work_sync(&d->far);
		cond_resched();
	}
	return 0;
}

static void disturb_begin(struct kunit *test, struct disturb *d)
{
	struct hammer *h[] = { &d->thread, &d->hard, &d->self, &d->soft };
	int other = gh_test_other_cpu(d->cpu);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h); i++) {
		h[i]->heap = gh_test_heap(test);
		prandom_seed_state(&h[i]->rnd, 9 + i);
	}
	init_irq_work(&d->work, disturb_self);
	init_irq_work(&d->far, disturb_hard);
	timer_setup(&d->timer, disturb_soft, TIMER_PINNED);
	mod_timer(&d->timer, jiffies + 1);
	if (other < 0)
		return;
	d->task = kthread_create(disturb_thread, d, "gh_disturb");
	if (IS_ERR(d->task)) {
		d->task = NULL;
		return;
	}
	kthread_bind(d->task, other);
	wake_up_process(d->task);
}

static void disturb_end(struct disturb *d)
{
	if (d->task)
		kthread_stop(d->task);
	timer_delete_sync(&d->timer);
	irq_work_sync(&d->work);
	irq_work_sync(&d->far);
	hammer_end(&d->thread);
	hammer_end(&d->hard);
	hammer_end(&d->self);
	hammer_end(&d->soft);
}

static void interrupts_and_threads_do_not_disturb_each_other(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct disturb *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	unsigned long end = jiffies + HZ / 5;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, d);
	d->cpu = gh_test_pin();
	disturb_begin(test, d);
	/* Long enough for the timer, however fast the machine. */
	for (i = 0; i < steps || time_before(jiffies, end); i++) {
		hammer_step(&d->thread, GFP_KERNEL);
		if (i % 16 == 0)
			irq_work_queue(&d->work);
		if (i % 1024 == 0)
			cond_resched();
	}
	disturb_end(d);
	KUNIT_EXPECT_EQ(test, d->thread.bad, 0UL);
	KUNIT_EXPECT_EQ(test, d->hard.bad, 0UL);
	KUNIT_EXPECT_EQ(test, d->self.bad, 0UL);
	KUNIT_EXPECT_EQ(test, d->soft.bad, 0UL);
	KUNIT_EXPECT_GT(test, d->self.steps, 0UL);
	KUNIT_EXPECT_GT(test, d->soft.steps, 0UL);
	if (d->task)
		KUNIT_EXPECT_GT(test, d->hard.steps, 0UL);
	for (i = 2; i < GH_NUM_SPANCLASSES; i++)
		KUNIT_EXPECT_EQ(test, live(&h->central[i]), 0UL);
	gh_reclaim_drain(h, NULL);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0UL);
}

/* ---- many CPUs ---------------------------------------------------------- */

/* With nothing else to do, interrupts often fall where the block is taken away. */
static void interrupts_do_not_confuse_the_ageing_of_tiny_blocks(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct disturb *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, d);
	d->cpu = gh_test_pin();
	disturb_begin(test, d);
	for (i = 0; i < 4 * steps; i++) {
		goheap_free(gh_malloc(h, 3, GFP_KERNEL, true, NUMA_NO_NODE));
		preempt_disable();
		gh_tiny_age(h);
		gh_tiny_age(h);
		preempt_enable();
		if (i % 1024 == 0)
			cond_resched();
	}
	disturb_end(d);
	gh_reclaim_drain(h, NULL);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0UL);
}

#define HAMMERS	4

struct crew {
	struct hammer hammer;
	struct completion done;
	unsigned int steps;
};

static int crew_fn(void *arg)
{
	struct crew *c = arg;
	unsigned int i;

	for (i = 0; i < c->steps; i++) {
		hammer_step(&c->hammer, i % 2 ? GFP_KERNEL : GFP_NOWAIT);
		if (i % 512 == 0)
			cond_resched();
	}
	hammer_end(&c->hammer);
	/* The module may go as soon as that is known. */
	kthread_complete_and_exit(&c->done, 0);
}

static void threads_drains_and_ends_of_caches_go_together(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct crew *crew;
	unsigned int i, cpu;

	crew = kunit_kcalloc(test, HAMMERS, sizeof(*crew), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, crew);
	for (i = 0; i < HAMMERS; i++) {
		struct task_struct *task;

		crew[i].hammer.heap = h;
		crew[i].steps = steps / HAMMERS;
		prandom_seed_state(&crew[i].hammer.rnd, 20 + i);
		init_completion(&crew[i].done);
		task = kthread_run(crew_fn, &crew[i], "gh_hammer/%u", i);
		if (IS_ERR(task)) {
			KUNIT_FAIL(test, "no thread");
			complete(&crew[i].done);
		}
	}
	/* All the while, caches come and go, and CPUs are drained. */
	for (i = 0; i < HAMMERS; i++) {
		while (!wait_for_completion_timeout(&crew[i].done, 1)) {
			struct goheap_cache *cache;

			cache = gh_cache_create(h, "short-lived", 100, 0, 0,
						NULL);
			if (!IS_ERR(cache)) {
				void *p = goheap_cache_alloc(cache, GFP_KERNEL);

				goheap_cache_free(cache, p);
				gh_cache_destroy(cache);
			}
			gh_reclaim_drain(h, NULL);
		}
		KUNIT_EXPECT_EQ(test, crew[i].hammer.bad, 0UL);
	}
	for_each_possible_cpu(cpu) {
		struct gh_mcache *mcache = per_cpu_ptr(h->mcache, cpu);

		KUNIT_EXPECT_EQ(test, mcache->bytes, room(h, cpu));
		KUNIT_EXPECT_EQ(test, mcache->cache_bytes, 0);
	}
	gh_reclaim_drain(h, NULL);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0UL);
}

/* ---- age ---------------------------------------------------------------- */

/* What the background does once a second, to one slot of this CPU. */
static void grow_older(struct gh_central *c)
{
	preempt_disable();
	gh_slot_age(c);
	preempt_enable();
}

static void what_nobody_needs_goes_back_the_second_time(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, 100);
	unsigned long cached;
	unsigned int i;

	migrate_disable();
	for (i = 0; i < 100; i++)
		p[i] = must_alloc(test, c);
	for (i = 0; i < 100; i++)
		give(c, p[i]);
	cached = gh_slot_cached(c);
	KUNIT_EXPECT_GT(test, cached, 0UL);
	grow_older(c);
	KUNIT_EXPECT_GT(test, gh_slot_cached(c), 0UL);
	grow_older(c);
	grow_older(c);
	KUNIT_EXPECT_EQ(test, gh_slot_cached(c), 0UL);
	grow_older(c);
	KUNIT_EXPECT_EQ(test, slot_of(c)->cap, 0);
	KUNIT_EXPECT_NULL(test, slot_of(c)->mag);
	KUNIT_EXPECT_NULL(test, slot_of(c)->spare);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	KUNIT_EXPECT_TRUE(test, gh_mcache_empty(c->heap,
						raw_smp_processor_id()));
	/* And it is as good as new. */
	give(c, must_alloc(test, c));
	KUNIT_EXPECT_GT(test, slot_of(c)->cap, 0);
	migrate_enable();
}

static void what_is_needed_each_time_stays(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, 8);
	unsigned int i, round;
	unsigned long released;

	migrate_disable();
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 8; i++)
			p[i] = must_alloc(test, c);
		for (i = 0; i < 8; i++)
			give(c, p[i]);
		/* By now there are no more than the eight. */
		if (round == 4)
			released = gh_slot_released(c);
		grow_older(c);
	}
	KUNIT_EXPECT_GT(test, slot_of(c)->cap, 0);
	KUNIT_EXPECT_GT(test, gh_slot_cached(c), 0UL);
	KUNIT_EXPECT_EQ(test, gh_slot_released(c), released);
	migrate_enable();
}

static void objects_only_freed_age_too(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void **p = gh_test_ptrs(test, 60);
	unsigned int i, round;

	migrate_disable();
	for (i = 0; i < 60; i++)
		p[i] = must_alloc(test, c);
	for (round = 0; round < 60; round++) {
		give(c, p[round]);
		grow_older(c);
		/* The one just freed, the one before, and no more. */
		if (gh_slot_cached(c) > 4 && round > 2)
			break;
	}
	KUNIT_EXPECT_EQ(test, round, 60);
	KUNIT_EXPECT_EQ(test, live(c), 0);
	migrate_enable();
}

static void objects_age_at_once_if_they_cannot_be_set_aside(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *head = NULL, *mag;
	struct gh_fixalloc *pool;

	migrate_disable();
	give(c, must_alloc(test, c));
	KUNIT_EXPECT_NULL(test, slot_of(c)->spare);
	/* Take all magazines there are; the first word of each links them. */
	pool = gh_mheap_mags(c->heap, slot_of(c)->cap);
	while ((mag = gh_fixalloc_alloc(pool, 0))) {
		mag->obj = head;
		head = mag;
	}
	grow_older(c);
	KUNIT_EXPECT_EQ(test, gh_slot_cached(c), 0UL);
	grow_older(c);
	KUNIT_EXPECT_EQ(test, slot_of(c)->cap, 0);
	while (head) {
		mag = head;
		head = mag->obj;
		gh_fixalloc_free(pool, mag);
	}
	migrate_enable();
}

static void idle_slots_age_while_a_heap_grows(struct kunit *test)
{
	struct gh_central *idle = central_of(test, SIZE);
	struct gh_central *used = central_of(test, 2 * SIZE);
	void **p = gh_test_ptrs(test, 100);
	unsigned int i;

	migrate_disable();
	for (i = 0; i < 100; i++)
		p[i] = must_alloc(test, idle);
	for (i = 0; i < 100; i++)
		give(idle, p[i]);
	KUNIT_EXPECT_GT(test, gh_slot_cached(idle), 0UL);
	for (i = 0; i < GH_NUM_CENTRALS; i++) {
		give(used, must_alloc(test, used));
		gh_mcache_spill(gh_test_heap(test));
	}
	KUNIT_EXPECT_EQ(test, slot_of(idle)->cap, 0);
	KUNIT_EXPECT_EQ(test, nspans(idle), 0);
	KUNIT_EXPECT_GT(test, slot_of(used)->cap, 0);
	KUNIT_EXPECT_GT(test, gh_slot_cached(used), 0UL);
	migrate_enable();
}

/* Memory of the system's reserves, for those who may use them. */
static void *alloc_reserve(struct gh_central *c)
{
	unsigned int flags = memalloc_noreclaim_save();
	void *p;

	gh_fault_arm_from(GH_FAULT_RESERVE, 1);
	p = gh_slot_alloc(c, GFP_KERNEL);
	gh_fault_disarm();
	memalloc_noreclaim_restore(flags);
	return p;
}

static void memory_of_the_reserves_is_not_for_everybody(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	void *mine[3], *other[3];
	unsigned long bad = 0, committed, idle, bytes;
	struct gh_span *s;
	unsigned int i;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "eager arenas are not of the reserves");
	migrate_disable();
	mine[0] = gh_test_must(test, alloc_reserve(c));
	s = gh_test_span_of(mine[0]);
	KUNIT_EXPECT_TRUE(test, s->reserve);
	KUNIT_EXPECT_NULL(test, slot_of(c)->span);
	for (i = 0; i < ARRAY_SIZE(other); i++) {
		other[i] = must_alloc(test, c);
		KUNIT_EXPECT_PTR_NE(test, gh_test_span_of(other[i]), s);
		goheap_free(other[i]);
	}

	/* Everybody's come first, so let there be none. */
	gh_slot_drain_here(c);
	gh_central_drain(c);
	KUNIT_EXPECT_EQ(test, nspans(c), 1);
	for (i = 1; i < ARRAY_SIZE(mine); i++) {
		mine[i] = gh_test_must(test, alloc_reserve(c));
		KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(mine[i]), s);
	}

	/* What comes back does not lie in a magazine, nor is it taken from the set. */
	goheap_free(mine[2]);
	goheap_free_bulk(1, &mine[1]);
	KUNIT_EXPECT_EQ(test, gh_slot_cached(c), 0UL);
	for (i = 0; i < ARRAY_SIZE(other); i++) {
		other[i] = must_alloc(test, c);
		KUNIT_EXPECT_PTR_NE(test, gh_test_span_of(other[i]), s);
	}
	mine[1] = gh_test_must(test, alloc_reserve(c));
	KUNIT_EXPECT_PTR_NE(test, gh_test_span_of(mine[1]), s);
	goheap_free(mine[1]);

	down_write(&c->heap->caches_sem);
	gh_central_sweep(c, &bad);
	up_write(&c->heap->caches_sem);
	KUNIT_EXPECT_EQ(test, bad, 0UL);
	goheap_free_bulk(ARRAY_SIZE(other), other);
	gh_slot_drain_here(c);
	gh_central_drain(c);
	KUNIT_EXPECT_EQ(test, nspans(c), 1);
	committed = gh_vmem_committed_bytes();
	idle = gh_mheap_idle_committed(gh_test_heap(test));
	bytes = s->npages << GH_PAGE_SHIFT;
	goheap_free(mine[0]);
	migrate_enable();
	flush_work(&gh_test_heap(test)->dead_work);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), committed - bytes);
	KUNIT_EXPECT_EQ(test, gh_mheap_idle_committed(gh_test_heap(test)), idle);
}

/* Nor is what a CPU holds of tiny blocks and large objects. */
static void no_cpu_holds_memory_of_the_reserves(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int flags, cpu = raw_smp_processor_id();
	struct gh_mcache *mcache = per_cpu_ptr(h->mcache, cpu);
	void *tiny, *large;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "eager arenas are not of the reserves");
	migrate_disable();
	/* Who may use reserves makes no arenas, so let there be one for data. */
	goheap_free(gh_test_must(test, gh_malloc(h, SZ_1M, GFP_KERNEL, true,
						 NUMA_NO_NODE)));
	flags = memalloc_noreclaim_save();
	gh_fault_arm_from(GH_FAULT_RESERVE, 1);
	tiny = gh_malloc(h, 3, GFP_KERNEL, true, NUMA_NO_NODE);
	large = gh_malloc(h, SZ_64K, GFP_KERNEL, false, NUMA_NO_NODE);
	gh_fault_disarm();
	memalloc_noreclaim_restore(flags);
	KUNIT_ASSERT_NOT_NULL(test, tiny);
	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_EXPECT_TRUE(test, gh_test_span_of(tiny)->reserve);
	KUNIT_EXPECT_TRUE(test, gh_test_span_of(large)->reserve);
	KUNIT_EXPECT_NULL(test, mcache->tiny.block);
	goheap_free(large);
	KUNIT_EXPECT_EQ(test, mcache->large.n, 0);
	goheap_free(tiny);
	KUNIT_EXPECT_EQ(test, nspans(&h->central[GH_CENTRAL_TINY]), 0);
	migrate_enable();
}

/* In the unswept set of full spans, all are looked at. */
static void full_spans_of_the_reserves_are_not_for_everybody(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int i, n = c->shape.nelems;
	void **p = gh_test_ptrs(test, n), *other;
	struct gh_span *s;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "eager arenas are not of the reserves");
	migrate_disable();
	for (i = 0; i < n; i++)
		p[i] = gh_test_must(test, alloc_reserve(c));
	s = gh_test_span_of(p[0]);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p[n - 1]), s);
	KUNIT_EXPECT_TRUE(test, gh_span_full(s));
	goheap_free(p[n - 1]);
	other = must_alloc(test, c);
	KUNIT_EXPECT_PTR_NE(test, gh_test_span_of(other), s);
	goheap_free(other);
	gh_slot_drain_here(c);
	gh_central_drain(c);
	p[n - 1] = gh_test_must(test, alloc_reserve(c));
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p[n - 1]), s);
	goheap_free_bulk(n, p);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	migrate_enable();
}

static void a_tiny_block_that_nobody_needs_goes(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_tiny *t;
	void *p;

	migrate_disable();
	t = &per_cpu_ptr(h->mcache, raw_smp_processor_id())->tiny;
	p = gh_malloc(h, 3, GFP_KERNEL, true, NUMA_NO_NODE);
	preempt_disable();
	gh_tiny_age(h);
	KUNIT_EXPECT_NOT_NULL(test, t->block);
	gh_tiny_age(h);
	KUNIT_EXPECT_NULL(test, t->block);
	preempt_enable();
	goheap_free(p);
	migrate_enable();
}

/* ---- large objects ------------------------------------------------------ */

static struct gh_large *large_of(struct gh_heap *h)
{
	return &per_cpu_ptr(h->mcache, raw_smp_processor_id())->large;
}

static void *must_alloc_large(struct kunit *test, size_t size, gfp_t gfp)
{
	void *p = gh_malloc(gh_test_heap(test), size, gfp, false, NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static void a_large_object_freed_here_is_the_next_of_its_length(struct kunit *test)
{
	void *p, *q, *r, *data;

	migrate_disable();
	p = must_alloc_large(test, SZ_64K, GFP_KERNEL);
	q = must_alloc_large(test, SZ_128K, GFP_KERNEL);
	data = gh_malloc(gh_test_heap(test), SZ_64K, GFP_KERNEL, true,
			 NUMA_NO_NODE);
	gh_test_fill(p, SZ_64K, 1);
	goheap_free(p);
	goheap_free(q);
	goheap_free(data);
	KUNIT_EXPECT_EQ(test, large_of(gh_test_heap(test))->n, 3);
	/* Not data where pointers were, and zeroed if that is asked for. */
	r = gh_malloc(gh_test_heap(test), SZ_64K, GFP_KERNEL, true, NUMA_NO_NODE);
	KUNIT_EXPECT_PTR_EQ(test, r, data);
	goheap_free(r);
	r = must_alloc_large(test, SZ_64K, GFP_KERNEL | __GFP_ZERO);
	KUNIT_EXPECT_PTR_EQ(test, r, p);
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed(r, SZ_64K));
	goheap_free(r);
	migrate_enable();
}

static void a_cpu_holds_large_objects_up_to_its_bound(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_large *l;
	void *p[40], *huge;
	unsigned int i, most = 0;

	migrate_disable();
	l = large_of(h);
	huge = must_alloc_large(test, gh_percpu_bytes / 2, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = must_alloc_large(test, SZ_32K + i % 13 * SZ_16K + 1,
					GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		goheap_free(p[i]);
		most = max_t(unsigned int, most, l->n);
		if (l->n > GH_LARGE_HELD || l->bytes > gh_percpu_bytes)
			break;
	}
	KUNIT_EXPECT_EQ(test, i, (unsigned int)ARRAY_SIZE(p));
	KUNIT_EXPECT_GT(test, most, 2U);
	/* One that is large to the bound is not held at all. */
	i = l->n;
	goheap_free(huge);
	KUNIT_EXPECT_EQ(test, l->n, i);
	preempt_disable();
	gh_large_age(h);
	gh_large_age(h);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, l->n, 0);
	KUNIT_EXPECT_EQ(test, l->bytes, 0UL);
	migrate_enable();
}

/* Nor does it take the place of one that is hardly smaller. */
static void a_cpu_holds_no_object_of_more_than_a_quarter_of_its_bound(struct kunit *test)
{
	unsigned long bound = gh_percpu_bytes;
	struct gh_large *l;
	void *fits, *larger;

	migrate_disable();
	gh_percpu_bytes = SZ_1M;
	l = large_of(gh_test_heap(test));
	fits = must_alloc_large(test, gh_percpu_bytes / 4, GFP_KERNEL);
	larger = must_alloc_large(test, gh_percpu_bytes / 4 + 1, GFP_KERNEL);
	goheap_free(fits);
	KUNIT_EXPECT_EQ(test, l->bytes, gh_percpu_bytes / 4);
	goheap_free(larger);
	KUNIT_EXPECT_EQ(test, l->bytes, gh_percpu_bytes / 4);
	gh_percpu_bytes = bound;
	migrate_enable();
}

static void large_objects_that_are_needed_do_not_age(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_large *l;
	unsigned int i;

	migrate_disable();
	l = large_of(h);
	for (i = 0; i < 3; i++) {
		/* The second time, the CPU has it. */
		goheap_free(must_alloc_large(test, SZ_64K, GFP_KERNEL));
		goheap_free(must_alloc_large(test, SZ_64K, GFP_KERNEL));
		preempt_disable();
		gh_large_age(h);
		preempt_enable();
		KUNIT_EXPECT_EQ(test, l->n, 1);
	}
	preempt_disable();
	gh_large_age(h);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, l->n, 0);
	migrate_enable();
}

static void a_busy_cache_of_large_objects_is_left_alone(struct kunit *test)
{
	struct gh_large *l, before;
	void *p, *q;

	migrate_disable();
	l = large_of(gh_test_heap(test));
	p = must_alloc_large(test, SZ_64K, GFP_KERNEL);
	q = must_alloc_large(test, SZ_64K, GFP_KERNEL);
	goheap_free(p);
	l->busy.held = true;
	before = *l;
	p = must_alloc_large(test, SZ_64K, GFP_KERNEL);
	goheap_free(q);
	KUNIT_EXPECT_EQ(test, l->n, before.n);
	KUNIT_EXPECT_EQ(test, l->bytes, before.bytes);
	KUNIT_EXPECT_TRUE(test, l->busy.held);
	l->busy.held = false;
	goheap_free(p);
	migrate_enable();
}

static void what_a_cpu_holds_is_not_held_for_ever(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	void *p = must_alloc_large(test, SZ_64K, GFP_KERNEL);

	KUNIT_ASSERT_FALSE(test, delayed_work_pending(&h->background));
	migrate_disable();
	goheap_free(p);
	KUNIT_EXPECT_EQ(test, large_of(h)->n, 1);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&h->background));
	migrate_enable();
}

static void what_a_cpu_holds_is_used_before_new_memory(struct kunit *test)
{
	unsigned long committed, bound = gh_percpu_bytes;
	struct gh_large *l;
	void *p, *q;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "whole arenas are committed");
	migrate_disable();
	l = large_of(gh_test_heap(test));
	WRITE_ONCE(gh_percpu_bytes, 2 * SZ_1M);
	/* Two halves, and the guard between them. */
	goheap_free(must_alloc_large(test, SZ_256K + GH_PAGE_SIZE, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, l->n, 1);
	committed = gh_vmem_committed_bytes();
	p = must_alloc_large(test, SZ_128K, GFP_KERNEL);
	q = must_alloc_large(test, SZ_128K, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), committed);
	KUNIT_EXPECT_EQ(test, l->n, 0);
	goheap_free(p);
	goheap_free(q);
	WRITE_ONCE(gh_percpu_bytes, bound);
	migrate_enable();
}

static struct kunit_case mcache_cases[] = {
	KUNIT_CASE(what_was_freed_last_is_allocated_first),
	KUNIT_CASE(an_objects_state_byte_says_who_has_it),
	KUNIT_CASE(no_object_is_given_to_two),
	KUNIT_CASE(live_objects_are_what_left_less_what_came_back),
	KUNIT_CASE(an_allocation_leaves_a_busy_slot_alone),
	KUNIT_CASE(a_free_leaves_a_busy_slot_alone),
	KUNIT_CASE(a_bulk_allocation_leaves_a_busy_slot_alone),
	KUNIT_CASE(a_slot_that_was_busy_serves_again),
	KUNIT_CASE(a_busy_tiny_block_is_left_alone),
	KUNIT_CASE(magazines_grow_up_to_a_batch),
	KUNIT_CASE(a_cpus_magazines_keep_to_their_bound),
	KUNIT_CASE(a_class_gives_way_only_to_one_that_can_use_its_room),
	KUNIT_CASE(a_class_that_is_refused_room_takes_nothing),
	KUNIT_CASE(a_drained_cpu_has_no_room_taken),
	KUNIT_CASE(many_frees_reach_the_transfer_cache_as_batches),
	KUNIT_CASE(a_batch_in_the_transfer_cache_ages),
	KUNIT_CASE(a_batch_is_the_last_resort_of_a_slot_without_room),
	KUNIT_CASE(draining_empties_everything),
	KUNIT_CASE(at_the_end_of_memory_everything_here_goes),
	KUNIT_CASE(the_shrinker_counts_what_is_idle),
	KUNIT_CASE(the_shrinker_waits_for_whom_it_meets),
	KUNIT_CASE(out_of_memory_is_not_put_off_for_ever),
	KUNIT_CASE(draining_one_class_leaves_the_others),
	KUNIT_CASE(draining_leaves_live_objects),
	KUNIT_CASE(objects_freed_elsewhere_do_not_make_the_heap_grow),
	KUNIT_CASE(another_cpus_slot_is_drained_from_there),
	KUNIT_CASE(a_cpu_that_dies_gives_everything_back),
	KUNIT_CASE(a_heap_ends_clean_wherever_its_tiny_blocks_are),
	KUNIT_CASE(bulk_allocation_gives_distinct_objects),
	KUNIT_CASE(bulk_allocation_says_how_far_it_got),
	KUNIT_CASE(deferred_frees_come_home),
	KUNIT_CASE(interrupts_and_threads_do_not_disturb_each_other),
	KUNIT_CASE(interrupts_do_not_confuse_the_ageing_of_tiny_blocks),
	KUNIT_CASE(threads_drains_and_ends_of_caches_go_together),
	KUNIT_CASE(what_nobody_needs_goes_back_the_second_time),
	KUNIT_CASE(what_is_needed_each_time_stays),
	KUNIT_CASE(objects_only_freed_age_too),
	KUNIT_CASE(objects_age_at_once_if_they_cannot_be_set_aside),
	KUNIT_CASE(idle_slots_age_while_a_heap_grows),
	KUNIT_CASE(memory_of_the_reserves_is_not_for_everybody),
	KUNIT_CASE(full_spans_of_the_reserves_are_not_for_everybody),
	KUNIT_CASE(no_cpu_holds_memory_of_the_reserves),
	KUNIT_CASE(a_tiny_block_that_nobody_needs_goes),
	KUNIT_CASE(a_large_object_freed_here_is_the_next_of_its_length),
	KUNIT_CASE(a_cpu_holds_large_objects_up_to_its_bound),
	KUNIT_CASE(a_cpu_holds_no_object_of_more_than_a_quarter_of_its_bound),
	KUNIT_CASE(large_objects_that_are_needed_do_not_age),
	KUNIT_CASE(a_busy_cache_of_large_objects_is_left_alone),
	KUNIT_CASE(what_a_cpu_holds_is_not_held_for_ever),
	KUNIT_CASE(what_a_cpu_holds_is_used_before_new_memory),
	{}
};

static struct kunit_suite mcache_suite = {
	.name = "goheap_mcache",
	.init = gh_test_heap_init,
	.exit = gh_test_heap_exit,
	.test_cases = mcache_cases,
};

kunit_test_suite(mcache_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of per-CPU caches");
MODULE_LICENSE("GPL");
