// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that allocate and free while the threads that they interrupt do.
 *
 * On every CPU, two threads, an hrtimer in hardirq context, one in softirq
 * context, and an irq_work use the same few span classes and one cache. The
 * irq_work is also queued by calls from another CPU, as fast as they can be
 * sent: the timers come only with the tick where the clock is coarse.
 *
 * All take and give different numbers of objects, so that a slot is never as it
 * was before an interrupt: whoever goes on as if it were loses an object, or
 * hands one out twice. Some of the classes have batches of two objects, which
 * makes the slow paths, with their long windows, as frequent as the fast one.
 *
 * The timers are not "hard" ones of PREEMPT_RT, and the calls allocate nothing
 * themselves: there, pages cannot be had in such contexts.
 */
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "../mm/compat.h"
#include "stress.h"

#define IRQ_OBJS	24
#define IRQ_GAP_NS	200000

enum irq_ctx {
	CTX_HARD,
	CTX_SOFT,
	CTX_WORK,
	NR_CTX,
};

/**
 * struct irq_side - what one interrupt context of one CPU has
 * @rng: its random numbers
 * @runs: how often it ran
 * @got: objects it was given
 * @objs: its objects
 */
struct irq_side {
	struct st_rng rng;
	unsigned long runs;
	unsigned long got;
	struct st_obj objs[IRQ_OBJS];
};

struct irq_cpu {
	struct hrtimer hard;
	struct hrtimer soft;
	struct irq_work work;
	struct irq_side side[NR_CTX];
};

static struct irq_cpu __percpu *irq_cpus;
static struct goheap_cache *irq_cache;

/* ---- steps -------------------------------------------------------------- */

static void irq_choose(struct st_obj *o, struct st_rng *rng)
{
	static const u32 sizes[] = { 64, 64, 64, 512, SZ_8K, SZ_16K, SZ_32K };
	u32 r = st_below(rng, 16);

	if (r < 4) {
		o->kind = ST_CACHE;
		o->cache = irq_cache;
		o->size = goheap_cache_size(irq_cache);
	} else if (r < 6) {
		o->kind = ST_DATA;
		o->size = 1 + st_below(rng, 15);
	} else if (r < 7) {
		o->kind = ST_STACK;
		o->size = SZ_16K;
	} else {
		o->kind = ST_PLAIN;
		o->size = sizes[st_below(rng, ARRAY_SIZE(sizes))];
	}
}

/* Returns whether an object was allocated. */
static bool irq_step(struct st_obj *objs, struct st_rng *rng, gfp_t gfp)
{
	struct st_obj *o = &objs[st_below(rng, IRQ_OBJS)];

	if (o->p) {
		st_obj_free(o);
		return false;
	}
	irq_choose(o, rng);
	return st_obj_new(o, rng, gfp);
}

static void irq_side_run(enum irq_ctx ctx)
{
	struct irq_side *side = &this_cpu_ptr(irq_cpus)->side[ctx];
	unsigned int n = 1 + st_below(&side->rng, 6);

	side->runs++;
	while (n--)
		side->got += irq_step(side->objs, &side->rng,
				      GFP_ATOMIC | __GFP_NOWARN);
}

/*
 * Most of the time is the threads', however slow the machine is: with a fixed
 * period, one that takes longer for its interrupts would do nothing else.
 */
static enum hrtimer_restart irq_timer(struct hrtimer *t, enum irq_ctx ctx)
{
	ktime_t start = ktime_get(), end;

	irq_side_run(ctx);
	end = ktime_get();
	hrtimer_set_expires(t, ktime_add_ns(end, IRQ_GAP_NS +
					    8 * ktime_to_ns(end - start)));
	return HRTIMER_RESTART;
}

static enum hrtimer_restart irq_hard(struct hrtimer *t)
{
	irq_work_queue(&this_cpu_ptr(irq_cpus)->work);
	return irq_timer(t, CTX_HARD);
}

static enum hrtimer_restart irq_soft(struct hrtimer *t)
{
	return irq_timer(t, CTX_SOFT);
}

static void irq_call(void *arg)
{
	irq_work_queue(&this_cpu_ptr(irq_cpus)->work);
}

static void irq_work_fn(struct irq_work *work)
{
	irq_side_run(CTX_WORK);
}

/* A thread allocates with interrupts on and off, and under a spinlock. */
static void irq_worker(struct st_worker *w)
{
	static DEFINE_SPINLOCK(lock);
	unsigned int i, n = st_iters(10000);
	struct st_obj objs[IRQ_OBJS] = { };
	unsigned long flags;

	for (i = 0; i < n; i++) {
		if (st_below(&w->rng, 4)) {
			irq_step(objs, &w->rng, GFP_KERNEL);
		} else {
			spin_lock_irqsave(&lock, flags);
			irq_step(objs, &w->rng, GFP_NOWAIT | __GFP_NOWARN);
			spin_unlock_irqrestore(&lock, flags);
		}
		cond_resched();
	}
	st_mix_end(objs, IRQ_OBJS);
}

/* ---- life --------------------------------------------------------------- */

static void irq_cpu_start(void *arg)
{
	struct irq_cpu *ic = this_cpu_ptr(irq_cpus);

	hrtimer_start(&ic->hard, ns_to_ktime(IRQ_GAP_NS),
		      HRTIMER_MODE_REL_PINNED);
	hrtimer_start(&ic->soft, ns_to_ktime(IRQ_GAP_NS / 2),
		      HRTIMER_MODE_REL_PINNED_SOFT);
}

static void irq_call_all(void *arg)
{
	unsigned long end = st_enough();
	unsigned int i, n = st_iters(4000);

	for (i = 0; i < n && time_before(jiffies, end); i++) {
		on_each_cpu(irq_call, NULL, 1);
		cond_resched();
	}
}

static void irq_cpu_init(unsigned int cpu)
{
	struct irq_cpu *ic = per_cpu_ptr(irq_cpus, cpu);
	unsigned int i;

	for (i = 0; i < NR_CTX; i++)
		st_rng_init(&ic->side[i].rng, 1000 + NR_CTX * cpu + i);
	init_irq_work(&ic->work, irq_work_fn);
	gh_hrtimer_setup(&ic->hard, irq_hard, HRTIMER_MODE_REL_PINNED);
	gh_hrtimer_setup(&ic->soft, irq_soft, HRTIMER_MODE_REL_PINNED_SOFT);
}

static void irq_cpu_stop(unsigned int cpu)
{
	struct irq_cpu *ic = per_cpu_ptr(irq_cpus, cpu);
	unsigned int i;

	hrtimer_cancel(&ic->soft);
	hrtimer_cancel(&ic->hard);
	irq_work_sync(&ic->work);
	for (i = 0; i < NR_CTX; i++)
		st_mix_end(ic->side[i].objs, IRQ_OBJS);
}

static void irq_check_ran(enum irq_ctx ctx, const char *what)
{
	unsigned long runs = 0, got = 0;
	bool all = true;
	int cpu;

	for_each_online_cpu(cpu) {
		struct irq_side *side = &per_cpu_ptr(irq_cpus, cpu)->side[ctx];

		all &= side->got > 0;
		runs += side->runs;
		got += side->got;
	}
	st_check(all, "%s allocated on every CPU (%lu objects in %lu runs)",
		 what, got, runs);
}

static void irq_run(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		irq_cpu_init(cpu);
	on_each_cpu(irq_cpu_start, NULL, 1);
	st_run(2 * num_online_cpus(), ST_BOUND, irq_worker, NULL,
	       irq_call_all);
	for_each_possible_cpu(cpu)
		irq_cpu_stop(cpu);
	irq_check_ran(CTX_HARD, "a timer in hardirq context");
	irq_check_ran(CTX_SOFT, "a timer in softirq context");
	irq_check_ran(CTX_WORK, "an irq_work");
}

/**
 * stress_irq() - interrupts allocate and free while threads do
 */
void stress_irq(void)
{
	struct st_base base;

	st_base_take(&base);
	irq_cpus = alloc_percpu(struct irq_cpu);
	irq_cache = goheap_cache_create("stress-irq", 192, 0, 0, NULL);
	if (!irq_cpus || IS_ERR(irq_cache))
		st_bad("the scenario could not be set up");
	else
		irq_run();
	if (!IS_ERR(irq_cache))
		goheap_cache_destroy(irq_cache);
	free_percpu(irq_cpus);
	st_base_check(&base);
}
