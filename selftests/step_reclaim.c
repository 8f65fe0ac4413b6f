// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_reclaim: what is executed instruction by instruction: ageing, draining, the
 * lives of caches, growth.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "../mm/area.h"
#include "../mm/cache.h"
#include "../mm/compat.h"
#include "../mm/heap.h"
#include "../mm/large.h"
#include "../mm/malloc.h"
#include "../mm/mcache.h"
#include "../mm/tiny.h"
#include "step.h"

static struct gh_mcache *home_mcache(void)
{
	return per_cpu_ptr(gh_kheap->mcache, step_home);
}

/* ---- caches of this CPU ------------------------------------------------- */

/* A tiny block, and two large objects, that nobody needed. */
static void prepare_cpu(void)
{
	const struct step_kind *large = &step_kinds[STEP_LARGE];
	void *p = large->alloc(GFP_KERNEL), *q = large->alloc(GFP_KERNEL);

	large->free(p);
	large->free(q);
	step_get(&step_mine, &step_kinds[STEP_TINY], GFP_KERNEL);
	home_mcache()->tiny.seen = home_mcache()->tiny.allocs;
	home_mcache()->large.seen = home_mcache()->large.nallocs;
}

static void run_age_slot(void)
{
	preempt_disable();
	gh_slot_age(step_kind->c);
	preempt_enable();
}

static void run_age_tiny(void)
{
	preempt_disable();
	gh_tiny_age(gh_kheap);
	preempt_enable();
}

static void run_age_large(void)
{
	preempt_disable();
	gh_large_age(gh_kheap);
	preempt_enable();
}

static void run_age_work(void)
{
	struct work_struct *work = &home_mcache()->age_work;

	work->func(work);
}

static void run_drain_slot(void)
{
	preempt_disable();
	gh_slot_drain_here(step_kind->c);
	preempt_enable();
}

/* As a CPU does that was told to drain. */
static void run_drain_here(void)
{
	preempt_disable();
	step_drain_cpu(smp_processor_id());
	gh_mheap_flush_pages(gh_kheap, smp_processor_id());
	preempt_enable();
}

static void run_flush_pages(void)
{
	preempt_disable();
	gh_mheap_flush_pages(gh_kheap, smp_processor_id());
	preempt_enable();
}

/* ---- dead CPUs ---------------------------------------------------------- */

static bool is_dead_possible(void)
{
	return step_idle != step_home;
}

/* Exchange what this CPU holds with an idle one, which holds nothing. */
static void prepare_dead_cpu(void)
{
	struct gh_mcache *dead = per_cpu_ptr(gh_kheap->mcache, step_idle);
	struct gh_mcache *mine = home_mcache();
	unsigned int i, k;

	prepare_cpu();
	preempt_disable();
	for (i = 0; i < gh_kheap->nr_homes; i++)
		for (k = 0; k < GH_NUM_CENTRALS; k++)
			swap(per_cpu_ptr(gh_kheap->slots[i], step_idle)[k],
			     per_cpu_ptr(gh_kheap->slots[i], step_home)[k]);
	swap(dead->tiny, mine->tiny);
	swap(dead->large, mine->large);
	swap(dead->bytes, mine->bytes);
	preempt_enable();
}

static void run_drain_dead(void)
{
	step_drain_cpu(step_idle);
	gh_mheap_flush_pages(gh_kheap, step_idle);
}

static void finish_drain_dead(void)
{
	if (!gh_mcache_empty(gh_kheap, step_idle))
		step_wrong("the dead CPU has something left");
}

/* ---- caches that CPUs share --------------------------------------------- */

static void run_age_central(void)
{
	gh_central_age(step_kind->c);
}

static void prepare_idle_batches(void)
{
	struct gh_home *home = gh_central_here(step_kind->c);

	home->tc_low = home->tc_n;
}

static void prepare_idle_spans(void)
{
	step_pages_idle(&step_kind->c->shape);
}

static void run_age_spans(void)
{
	gh_mheap_age(gh_kheap);
}

static void run_evict(void)
{
	gh_mheap_evict(gh_kheap);
}

/* Objects came back to spans that are in sets. */
static void prepare_unswept(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		void *p = step_let_go(&step_mine, 0);
		struct gh_span *s = gh_span_of((unsigned long)p);
		struct gh_ent ent;
		unsigned int idx;

		gh_span_find(s, (unsigned long)p, &idx);
		ent = gh_central_ent(s, idx);
		*ent.state = GH_OBJ_FREE;
		gh_central_release(step_kind->c, &ent, 1);
	}
}

static void run_sweep(void)
{
	unsigned long bad = 0;

	down_write(&gh_kheap->caches_sem);
	gh_central_sweep(step_kind->c, &bad);
	up_write(&gh_kheap->caches_sem);
	if (bad)
		step_wrong("%lu spans are wrong", bad);
}

/* Of free pages, those of two spans have memory. */
static void prepare_scavenge(void)
{
	const struct step_kind *page = &step_kinds[STEP_PAGE];
	void *p, *q;

	gh_mheap_evict(gh_kheap);
	step_pages_scavenge();
	p = page->alloc(GFP_KERNEL);
	q = page->alloc(GFP_KERNEL);
	page->free(p);
	page->free(q);
	step_drain();
	gh_mheap_evict(gh_kheap);
}

/* It has other CPUs age as well. */
static void prepare_background(void)
{
	prepare_cpu();
	prepare_idle_batches();
	prepare_idle_spans();
	/* So much was in use that nothing is free beyond the goal. */
	gh_kheap->peak_pages = BIT(20);
	gh_kheap->aged = jiffies - HZ;
	/* How many records it collects must not depend on when a grace period ends. */
	synchronize_rcu_expedited();
}

static void run_background(void)
{
	gh_kheap->background.work.func(&gh_kheap->background.work);
}

static void finish_background(void)
{
	int cpu;

	for_each_online_cpu(cpu)
		flush_work(&per_cpu_ptr(gh_kheap->mcache, cpu)->age_work);
	gh_kheap->aged = jiffies + 3600 * HZ;
	mod_delayed_work(gh_wq, &gh_kheap->background, 3600 * HZ);
}

/* ---- the lives of caches ------------------------------------------------ */

static struct goheap_cache *cache;

static void run_shrink(void)
{
	goheap_cache_shrink(step_cache);
}

static void run_create(void)
{
	cache = goheap_cache_create("step2", 200, 0, 0, NULL);
}

static void finish_create(void)
{
	if (IS_ERR(cache))
		step_wrong("no cache");
	else
		goheap_cache_destroy(cache);
}

/* One that was used, with an object that waits for a grace period. */
static void prepare_destroy(void)
{
	struct rcu_head *head;
	void *p;

	run_create();
	head = goheap_cache_alloc(cache, GFP_KERNEL);
	p = goheap_cache_alloc(cache, GFP_KERNEL);
	goheap_cache_free(cache, p);
	__goheap_free_rcu(cache, head, head);
}

static void run_destroy(void)
{
	goheap_cache_destroy(cache);
}

/* ---- growth ------------------------------------------------------------- */

static void *grown;

/* A new heap has an arena where this CPU is, and nowhere else. */
static bool is_grow_possible(void)
{
	return cpu_to_mem(step_home) != cpu_to_mem(step_away);
}

static void prepare_grow(void)
{
	step_heap = gh_heap_create("step");
	if (!step_heap) {
		step_wrong("no heap");
		return;
	}
	/* Its worker, which was told of the new heap, must not grow it meanwhile. */
	gh_area_detach(step_heap);
}

static void run_grow(void)
{
	grown = gh_malloc(step_heap, SZ_8K, GFP_KERNEL | __GFP_THISNODE, false,
			  cpu_to_mem(step_away));
}

static void finish_grow(void)
{
	struct gh_heap *h = step_heap;

	if (!grown)
		step_wrong("the heap did not grow");
	goheap_free(grown);
	step_put_kind(&step_theirs, &step_kinds[STEP_OWN]);
	step_put_kind(&step_theirs, &step_kinds[STEP_OWN]);
	step_heap = NULL;
	if (!gh_heap_destroy(h))
		step_wrong("something is left in the heap");
}

/* ---- the table ---------------------------------------------------------- */

#define STATE(...)	(&(const struct step_state){ __VA_ARGS__ })

#define PATH(n, k, prep, run, fin, ...)					\
	{ .name = n, .kind = k, .state = STATE(__VA_ARGS__),		\
	  .prepare = prep, .fn = run, .finish = fin }

/* Long ones made of many others, which are interrupted more often. */
#define LONG(n, k, prep, run, fin, ...)					\
	{ .name = n, .kind = k, .state = STATE(__VA_ARGS__),		\
	  .prepare = prep, .fn = run, .finish = fin, .visits = 2 }

/* Those that wait for other CPUs, or for RCU. */
#define SLOW(n, prep, run, fin, ...)					\
	{ .name = n, .kind = STEP_CACHE, .state = STATE(__VA_ARGS__),	\
	  .prepare = prep, .fn = run, .finish = fin,			\
	  .deeds = BIT(STEP_ALL),					\
	  .contexts = BIT(STEP_NMI) | BIT(STEP_IRQ) | BIT(STEP_TASK),	\
	  .visits = 1 }

const struct step_path step_reclaim_paths[] = {
	PATH("age_set_aside", STEP_SMALL, NULL, run_age_slot, NULL,
	     .cap = 4, .n = 3),
	PATH("age_give_spare", STEP_SMALL, NULL, run_age_slot, NULL,
	     .cap = 4, .n = 3, .has_spare = true, .nspare = 3, .idle = true),
	PATH("age_close", STEP_SMALL, NULL, run_age_slot, NULL,
	     .cap = 4, .has_spare = true, .has_span = true, .left = 3,
	     .idle = true),
	PATH("age_cache", STEP_CACHE, NULL, run_age_slot, NULL,
	     .cap = 4, .n = 3, .has_spare = true, .nspare = 3, .idle = true),
	PATH("age_tiny", STEP_SMALL, prepare_cpu, run_age_tiny, NULL, .cap = 4),
	PATH("age_large", STEP_SMALL, prepare_cpu, run_age_large, NULL, .cap = 4),
	PATH("age_batches", STEP_PAGE, prepare_idle_batches, run_age_central,
	     NULL, .batches = 2),
	LONG("age_spans", STEP_SMALL, prepare_idle_spans, run_age_spans, NULL,
	     .cap = 4, .cached = 2),
	LONG("age_work", STEP_SMALL, prepare_cpu, run_age_work, NULL,
	     .cap = 4, .n = 3, .has_spare = true, .nspare = 3, .idle = true),
	LONG("background", STEP_SMALL, prepare_background, run_background,
	     finish_background, .cap = 4, .n = 3, .cached = 1),
	PATH("drain_slot", STEP_SMALL, NULL, run_drain_slot, NULL,
	     .cap = 4, .n = 3, .has_spare = true, .nspare = 3,
	     .has_span = true, .left = 3),
	LONG("drain_cpu", STEP_SMALL, prepare_cpu, run_drain_here, NULL,
	     .cap = 4, .n = 3, .has_spare = true, .nspare = 3,
	     .has_span = true, .left = 3),
	{
		.name = "drain_dead_cpu", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 3, .has_spare = true, .nspare = 3,
			       .has_span = true, .left = 3),
		.prepare = prepare_dead_cpu, .fn = run_drain_dead,
		.finish = finish_drain_dead, .possible = is_dead_possible,
		.contexts = STEP_EVERYWHERE, .visits = 2,
	},
	PATH("flush_pages", STEP_SMALL, NULL, run_flush_pages, NULL, .cap = 4),
	LONG("evict", STEP_SMALL, NULL, run_evict, NULL, .cap = 4, .cached = 2),
	PATH("sweep", STEP_SMALL, prepare_unswept, run_sweep, NULL,
	     .cap = 4, .n = 2, .partial = 2, .mine = 6),
	{
		.name = "scavenge", .kind = STEP_SMALL,
		.prepare = prepare_scavenge, .fn = step_pages_scavenge, .visits = 2,
	},
	SLOW("cache_shrink", NULL, run_shrink, NULL,
	     .cap = 4, .n = 3, .has_spare = true, .nspare = 3),
	SLOW("cache_create", NULL, run_create, finish_create, .cap = 4),
	SLOW("cache_destroy", prepare_destroy, run_destroy, NULL, .cap = 4),
	{
		.name = "grow", .kind = STEP_OWN,
		.prepare = prepare_grow, .fn = run_grow, .finish = finish_grow,
		.possible = is_grow_possible,
		.deeds = BIT(STEP_ALL), .visits = 1,
		.contexts = BIT(STEP_NMI) | BIT(STEP_IRQ) | BIT(STEP_TASK),
	},
};

const unsigned int step_nr_reclaim_paths = ARRAY_SIZE(step_reclaim_paths);
