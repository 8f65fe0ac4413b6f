// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault: make the nth step of a kind fail, for tests; see fault.h.
 *
 * Points are armed only for the task that armed them, so that the background worker
 * and other tasks are not disturbed.
 */
#include <linux/atomic.h>
#include <linux/limits.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "compat.h"
#include "fault.h"

bool gh_fault_armed;

static struct task_struct *fault_task;
static enum gh_fault_action fault_action;

/* Tasks that stay; with @fault_let_go they need not. */
static DECLARE_WAIT_QUEUE_HEAD(fault_wait);
static bool fault_let_go;

/**
 * struct fault_steps - which steps of a point fail
 * @countdown: steps until the first does
 * @count: how many do, 0 if the point is not armed
 */
static struct fault_steps {
	atomic_t countdown;
	int count;
} fault_steps[GH_NR_FAULTS];

/**
 * gh_fault_hit() - count one step of an armed point
 * @point: the step
 *
 * Context: any; only steps of the arming task in task context are counted.
 * Return: true for a step that must fail.
 */
bool gh_fault_hit(enum gh_fault_point point)
{
	struct fault_steps *steps = &fault_steps[point];
	int left;

	if (!steps->count || current != fault_task || !in_task())
		return false;
	left = atomic_dec_return(&steps->countdown);
	if (left > 0 || left <= -steps->count)
		return false;

	if (fault_action == GH_FAULT_KILL)
		send_sig(SIGKILL, current, 1);
	if (fault_action == GH_FAULT_STAY)
		wait_event(fault_wait, READ_ONCE(fault_let_go));
	return fault_action == GH_FAULT_FAIL;
}

static void fault_set(enum gh_fault_point point, unsigned int nth, int count)
{
	fault_task = current;
	fault_action = GH_FAULT_FAIL;
	fault_steps[point].count = count;
	atomic_set(&fault_steps[point].countdown, nth);
	WRITE_ONCE(gh_fault_armed, true);
}

/**
 * gh_fault_arm() - make a step fail
 * @point: kind of step
 * @nth: which of this task's steps of that kind, counted from 1
 *
 * Context: process context; one test at a time.
 */
void gh_fault_arm(enum gh_fault_point point, unsigned int nth)
{
	fault_set(point, nth, 1);
}
GH_EXPORT_FOR_TESTS(gh_fault_arm);

/**
 * gh_fault_arm_from() - make a step and all later ones of its kind fail
 * @point: kind of step
 * @nth: the first, counted from 1
 *
 * A heap with several nodes gets over a single failure.
 *
 * Context: process context; one test at a time.
 */
void gh_fault_arm_from(enum gh_fault_point point, unsigned int nth)
{
	fault_set(point, nth, INT_MAX);
}
GH_EXPORT_FOR_TESTS(gh_fault_arm_from);

/**
 * gh_fault_arm_first() - make the first steps of a kind fail
 * @point: kind of step
 * @n: how many
 *
 * Context: process context; one test at a time.
 */
void gh_fault_arm_first(enum gh_fault_point point, unsigned int n)
{
	fault_set(point, 1, n);
}
GH_EXPORT_FOR_TESTS(gh_fault_arm_first);

/**
 * gh_fault_arm_action() - have something happen at a step
 * @point: kind of step; with %GH_FAULT_STAY one that may sleep
 * @nth: which of this task's steps of that kind, counted from 1
 * @action: what
 *
 * Context: process context; one test at a time.
 */
void gh_fault_arm_action(enum gh_fault_point point, unsigned int nth,
			 enum gh_fault_action action)
{
	WRITE_ONCE(fault_let_go, false);
	fault_set(point, nth, 1);
	/* Only this task counts steps, so it may be told afterwards. */
	fault_action = action;
}
GH_EXPORT_FOR_TESTS(gh_fault_arm_action);

/**
 * gh_fault_let_go() - let the task go on that stays at a step
 *
 * Context: process context.
 */
void gh_fault_let_go(void)
{
	WRITE_ONCE(fault_let_go, true);
	wake_up_all(&fault_wait);
}
GH_EXPORT_FOR_TESTS(gh_fault_let_go);

/**
 * gh_fault_disarm() - stop injecting
 *
 * Context: process context.
 * Return: true if each armed step was reached, so that there may be more.
 */
bool gh_fault_disarm(void)
{
	bool reached = gh_fault_armed;
	unsigned int i;

	WRITE_ONCE(gh_fault_armed, false);
	fault_task = NULL;
	for (i = 0; i < GH_NR_FAULTS; i++) {
		if (!fault_steps[i].count)
			continue;
		reached &= atomic_read(&fault_steps[i].countdown) <= 0;
		fault_steps[i].count = 0;
	}
	return reached;
}
GH_EXPORT_FOR_TESTS(gh_fault_disarm);
