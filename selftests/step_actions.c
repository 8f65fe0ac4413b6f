// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_actions: what is done between two instructions of a path, and in which
 * context.
 *
 *   NMI        in the debug exception's notifier itself
 *   interrupt  in an irq_work that the notifier queues: before the next
 *              instruction, if interrupts are on
 *   softirq    in a tasklet that the irq_work schedules
 *   task       in a thread of higher priority that the irq_work wakes: before the
 *              next instruction, if the kernel is preemptible and preemption on
 *   migration  that thread, which first moves the path's task to another CPU
 *   another CPU
 *              in a thread there, while the notifier waits; but not for ever: if
 *              that thread needs a lock that the path holds, the path goes on
 *
 * If the context cannot be entered at the point, it is as soon as it can.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "../mm/compat.h"
#include "../mm/large.h"
#include "../mm/malloc.h"
#include "../mm/mcache.h"
#include "step.h"

/* Objects of the path's kind that the interrupting context holds beforehand. */
#define BEFOREHAND	4

/* Seconds until an action is given up for lost: a busy host may take its time. */
#define PATIENCE	60ULL

/* How long the path waits for another CPU, nanoseconds. */
#define OTHER_NS	(2 * NSEC_PER_MSEC)

const char * const step_context_name[STEP_NR_CONTEXTS] = {
	[STEP_NMI] = "NMI",
	[STEP_IRQ] = "interrupt",
	[STEP_SOFTIRQ] = "softirq",
	[STEP_TASK] = "task",
	[STEP_MIGRATE] = "migration",
	[STEP_CPU] = "another CPU",
};

static struct {
	enum step_context context;
	enum step_deed deed;
	const struct step_path *path;
	const struct step_kind *kind;
	struct task_struct *task;
	bool acted;
	struct completion done;
} action;

static struct task_struct *helper, *other;
static bool helper_wanted, other_wanted, other_begun, other_awake;

/* ---- deeds -------------------------------------------------------------- */

static gfp_t deed_gfp(void)
{
	return in_task() ? GFP_KERNEL | __GFP_NOWARN : GFP_ATOMIC | __GFP_NOWARN;
}

/* Exchange objects of the path's own kind. */
static void do_same(gfp_t gfp)
{
	const struct step_kind *kind = action.kind;

	step_put_kind(&step_theirs, kind);
	step_get(&step_theirs, kind, gfp);
	step_get(&step_theirs, kind, gfp);
	step_put_kind(&step_theirs, kind);
}

/* Allocate from a class that needs room when the CPU has none left. */
static void do_steal(gfp_t gfp)
{
	unsigned long bound = gh_percpu_bytes;
	struct gh_mcache *mcache = per_cpu_ptr(gh_kheap->mcache,
					       raw_smp_processor_id());

	WRITE_ONCE(gh_percpu_bytes, mcache->bytes + mcache->large.bytes);
	step_get(&step_theirs, &step_kinds[STEP_THIEF], gfp);
	step_get(&step_theirs, &step_kinds[STEP_THIEF], gfp);
	step_put_kind(&step_theirs, &step_kinds[STEP_THIEF]);
	WRITE_ONCE(gh_percpu_bytes, bound);
}

/* Exchange one object of every kind, some of which take pages. */
static void do_others(gfp_t gfp)
{
	unsigned int i;

	for (i = 0; i < STEP_NR_KINDS; i++) {
		step_put_kind(&step_theirs, &step_kinds[i]);
		step_get(&step_theirs, &step_kinds[i], gfp);
	}
}

/* Empty this CPU's caches, as the background worker does. */
static void do_drain(gfp_t gfp)
{
	preempt_disable();
	step_drain_cpu(smp_processor_id());
	gh_mheap_flush_pages(gh_kheap, smp_processor_id());
	preempt_enable();
}

static void do_all(gfp_t gfp)
{
	do_same(gfp);
	do_steal(gfp);
	do_others(gfp);
	if (in_task())
		do_drain(gfp);
}

static void do_special(gfp_t gfp)
{
	action.path->other();
}

static void (* const deeds[STEP_NR_DEEDS])(gfp_t gfp) = {
	[STEP_SAME] = do_same,
	[STEP_STEAL] = do_steal,
	[STEP_OTHERS] = do_others,
	[STEP_DRAIN] = do_drain,
	[STEP_ALL] = do_all,
	[STEP_SPECIAL] = do_special,
};

const char * const step_deed_name[STEP_NR_DEEDS] = {
	[STEP_SAME] = "the same",
	[STEP_STEAL] = "a thief",
	[STEP_OTHERS] = "others",
	[STEP_DRAIN] = "a drain",
	[STEP_ALL] = "all",
	[STEP_SPECIAL] = "the counterpart",
};

/**
 * step_deed_fits() - ask whether a deed may be done to a path in a context
 * @path: the path
 * @context: the context
 * @deed: the deed
 *
 * Return: true if it may.
 */
bool step_deed_fits(const struct step_path *path, enum step_context context,
		    enum step_deed deed)
{
	if (path->other || deed == STEP_SPECIAL)
		return path->other && deed == STEP_SPECIAL && context == STEP_CPU;
	if ((context == STEP_MIGRATE || context == STEP_CPU) &&
	    step_away == step_home)
		return false;
	if (path->deeds && !(path->deeds & BIT(deed)))
		return false;
	if (!((path->contexts ?: ~BIT(STEP_CPU)) & BIT(context)))
		return false;
	return deed != STEP_DRAIN || context >= STEP_TASK;
}

/* ---- contexts ----------------------------------------------------------- */

static void act_here(void)
{
	deeds[action.deed](deed_gfp());
	WRITE_ONCE(action.acted, true);
	complete(&action.done);
}

static void act_softirq(struct tasklet_struct *t)
{
	act_here();
}

static DECLARE_TASKLET(act_tasklet, act_softirq);

static void act_irq(struct irq_work *work)
{
	switch (action.context) {
	case STEP_IRQ:
		act_here();
		break;
	case STEP_SOFTIRQ:
		tasklet_schedule(&act_tasklet);
		break;
	default:
		WRITE_ONCE(helper_wanted, true);
		wake_up_process(helper);
	}
}

static DEFINE_IRQ_WORK(act_work, act_irq);

static int helper_main(void *arg)
{
	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		if (!READ_ONCE(helper_wanted)) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		WRITE_ONCE(helper_wanted, false);
		if (action.context == STEP_MIGRATE) {
			set_cpus_allowed_ptr(action.task, cpumask_of(step_away));
			WRITE_ONCE(action.acted, true);
		}
		act_here();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/* The thread on the other CPU polls, because to wake it would take longer. */
static int other_main(void *arg)
{
	while (!kthread_should_stop()) {
		if (!READ_ONCE(other_awake)) {
			schedule_timeout_idle(1);
			continue;
		}
		/* Pairs with the release in act_elsewhere(). */
		if (smp_load_acquire(&other_wanted)) {
			WRITE_ONCE(other_wanted, false);
			WRITE_ONCE(other_begun, true);
			act_here();
		}
		cpu_relax();
		cond_resched();
	}
	return 0;
}

static bool wait_until(const bool *flag, u64 ns)
{
	u64 end = ktime_get_mono_fast_ns() + ns;

	while (!READ_ONCE(*flag)) {
		if (ktime_get_mono_fast_ns() > end)
			return false;
		cpu_relax();
	}
	return true;
}

static void act_elsewhere(void)
{
	WRITE_ONCE(other_begun, false);
	/* Pairs with the acquire in other_main(). */
	smp_store_release(&other_wanted, true);
	/* Nothing that the path holds keeps the other from beginning. */
	if (!wait_until(&other_begun, PATIENCE * NSEC_PER_SEC))
		step_wrong("the other CPU does not act");
	wait_until(&action.acted, OTHER_NS);
}

/**
 * step_act() - act on the path that is being stepped
 *
 * Context: NMI.
 */
void step_act(void)
{
	if (action.context == STEP_CPU) {
		act_elsewhere();
		return;
	}
	if (action.context == STEP_NMI) {
		deeds[action.deed](deed_gfp());
		action.acted = true;
		return;
	}
	irq_work_queue(&act_work);
}

/**
 * step_action_prepare() - say what step_act() is to do
 * @path: to which path
 * @context: in which context
 * @deed: what
 *
 * The interrupting context is given objects to free.
 *
 * Context: process context on the home CPU.
 */
void step_action_prepare(const struct step_path *path, enum step_context context,
			 enum step_deed deed)
{
	unsigned int i;

	action.path = path;
	action.context = context;
	action.deed = deed;
	action.kind = &step_kinds[path->kind];
	action.task = current;
	action.acted = false;
	reinit_completion(&action.done);
	WRITE_ONCE(other_awake, context == STEP_CPU);
	if (deed == STEP_SAME || deed == STEP_ALL)
		for (i = 0; i < BEFOREHAND; i++)
			step_get(&step_theirs, action.kind, GFP_KERNEL);
	if (deed == STEP_OTHERS || deed == STEP_ALL)
		for (i = 0; i < STEP_NR_KINDS; i++)
			step_get(&step_theirs, &step_kinds[i], GFP_KERNEL);
}

/**
 * step_action_wait() - wait until an action is over, and come home
 *
 * Context: process context.
 */
void step_action_wait(void)
{
	if (action.context != STEP_NMI &&
	    !wait_for_completion_timeout(&action.done, PATIENCE * HZ))
		step_wrong("nobody acted");
	if (action.context == STEP_MIGRATE)
		set_cpus_allowed_ptr(current, cpumask_of(step_home));
}

/**
 * step_acted() - ask whether the action is over
 *
 * Context: any.
 * Return: true if so.
 */
bool step_acted(void)
{
	return READ_ONCE(action.acted);
}

static struct task_struct *start(int (*fn)(void *arg), unsigned int cpu)
{
	struct task_struct *task = kthread_create(fn, NULL, "goheap_step/%u", cpu);

	if (!IS_ERR(task))
		kthread_bind(task, cpu);
	return task;
}

/**
 * step_actions_init() - start the threads that act
 *
 * Return: 0 or a negative error.
 */
int step_actions_init(void)
{
	init_completion(&action.done);
	helper = start(helper_main, step_home);
	if (IS_ERR(helper))
		return PTR_ERR(helper);
	other = start(other_main, step_away);
	if (IS_ERR(other)) {
		kthread_stop(helper);
		return PTR_ERR(other);
	}
	sched_set_fifo(helper);
	wake_up_process(helper);
	wake_up_process(other);
	return 0;
}

/**
 * step_actions_rest() - let the other CPU rest until it is needed again
 */
void step_actions_rest(void)
{
	WRITE_ONCE(other_awake, false);
}

/**
 * step_actions_exit() - end the threads, and whatever is still queued
 */
void step_actions_exit(void)
{
	kthread_stop(helper);
	kthread_stop(other);
	irq_work_sync(&act_work);
	tasklet_kill(&act_tasklet);
}
