// SPDX-License-Identifier: GPL-2.0-only
/*
 * step: executes a path of goheap one instruction at a time, and has something
 * done before one of them.
 *
 * The trap flag makes the processor raise an exception after each instruction; see
 * trap.h. It is lost when the task sleeps, so only the path itself is stepped:
 *
 *   goheap's code      each instruction may be a point
 *   this module's      stepped, not counted
 *   other code         after a few instructions (a thunk may lead back to
 *                      goheap) executed without the flag
 *
 * The kernel's functions do not touch goheap's data, so what happens in the
 * middle of one finds the same state as before the call, or after the return.
 *
 * A path is executed once to learn it: which instructions there are, and where
 * the functions that it calls return. Then, on the way to a point, each function
 * that returns before the point is executed without the flag: else a path of n
 * instructions would cost n * n / 2 exceptions.
 *
 * An instruction of a loop is a point the first few times only. A path that went another
 * way may come to a point all the same, when its instruction is executed for the n-th time;
 * to see that, all is stepped but for long calls.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rculist.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/processor-flags.h>

#include "../tools/testing/trap.h"
#include "step.h"

/* Instructions of other code that are stepped: the longest thunk has six. */
#define OUTSIDE_STEPS	8

/* The longest call instruction, bytes. */
#define CALL_BYTES	8

/* Instructions, and points, of a path, at most. */
#define STEPS_MAX	SZ_2M
#define POINTS_MAX	SZ_64K

/*
 * Calls that execute more than this of their own are not interrupted: they set up
 * tables that nobody else can find yet.
 */
#define LONG_CALL	100000
#define LONG_CALLS_MAX	8

/* Calls within calls, at most. */
#define DEPTH_MAX	64

/* More than goheap has text, bytes. */
#define TEXT_MAX	SZ_512K

/**
 * struct known - an instruction of a path
 * @ip: its address, but for what all of the kernel has in common
 * @sp: the stack pointer before it, from that of the first on
 * @point: its number as a point, counted from 1, or 0
 * @visit: how often it has been executed with this time
 * @end: if it begins a function that was called: where the path goes on after that
 *	returned; or 0
 * @preemptible: the task can be preempted before it
 */
struct known {
	u32 ip;
	s32 sp;
	u32 point;
	u32 visit;
	u32 end;
	bool preemptible;
};

/* The path that was learnt last. */
static struct known *known;
static u32 nr_known;
static u32 nr_points;
/* Where its points are. */
static u32 *point_at;
/* How often an instruction was executed, and how often it may be a point. */
static u32 *visits;
static unsigned int max_visits;
/* Where functions begin that execute too much. */
static u32 long_call[LONG_CALLS_MAX];
static unsigned int nr_long_calls;

static const struct module *goheap;
static struct step_run *current_run;
/* The next instruction's place in @known, and the stack pointer at the first. */
static u32 pos;
static unsigned long first_sp;
/* Instructions of other code since it was entered, and where it returns to. */
static unsigned int outside;
static unsigned long *return_slot;

/* Of all modules, those loaded before this one follow it in the list. */
static const struct module *find_goheap(void)
{
	const struct module *mod = THIS_MODULE;

	do {
		mod = list_entry_rcu(mod->list.next, struct module, list);
	} while (strcmp(mod->name, "goheap"));
	return mod;
}

/* ---- in the notifier ---------------------------------------------------- */

/* Whether the instruction before is a call of this one. */
static bool was_called(const struct pt_regs *regs, s32 sp)
{
	const struct known *before = &known[pos - 1];

	return pos && sp == before->sp - (s32)sizeof(long) &&
	       *(u32 *)regs->sp - before->ip <= CALL_BYTES;
}

static void learn(const struct pt_regs *regs, s32 sp)
{
	struct known *k = &known[pos];

	if (pos == STEPS_MAX - 1) {
		step_wrong("the path is too long");
		return;
	}
	k->ip = regs->ip;
	k->sp = sp;
	k->end = was_called(regs, sp);
	k->preemptible = regs->flags & X86_EFLAGS_IF &&
			 !(preempt_count() & (PREEMPT_MASK | SOFTIRQ_MASK));
	k->visit = ++visits[k->ip % TEXT_MAX];
	k->point = k->visit <= max_visits;
	pos++;
}

/* Whether this is the point, whatever the way to it. */
static bool is_point(struct step_run *run, const struct pt_regs *regs)
{
	const struct known *k = &known[point_at[run->at]];

	return k->ip == (u32)regs->ip && ++run->visit == k->visit;
}

static bool is_long_call(u32 ip)
{
	unsigned int i;

	for (i = 0; i < nr_long_calls; i++)
		if (long_call[i] == ip)
			return true;
	return false;
}

/* Before an instruction of goheap, if the way to the point does not matter. */
static bool step_any_way(struct step_run *run, struct pt_regs *regs)
{
	if (is_long_call(regs->ip)) {
		trap_run_freely((unsigned long *)regs->sp);
		return false;
	}
	if (is_point(run, regs)) {
		run->acted = regs->ip;
		run->act();
	}
	return true;
}

/* Before an instruction of goheap. Returns whether to go on. */
static bool step_inside(struct step_run *run, struct pt_regs *regs)
{
	const struct known *k = &known[pos];
	s32 sp;

	if (!pos)
		first_sp = regs->sp;
	sp = regs->sp - first_sp;
	if (!run->at) {
		learn(regs, sp);
		return true;
	}
	if (run->any_way)
		return step_any_way(run, regs);
	if (k->ip != (u32)regs->ip || k->sp != sp) {
		run->lost = regs->ip;
		return false;
	}
	if (k->point == run->at) {
		run->acted = regs->ip;
		run->act();
		return true;
	}
	if (k->end && k->end <= point_at[run->at]) {
		pos = k->end;
		trap_run_freely((unsigned long *)regs->sp);
		return false;
	}
	pos++;
	return true;
}

/* Before an instruction of other code. Returns whether to step it. */
static bool step_outside(struct pt_regs *regs)
{
	if (!outside++) {
		return_slot = (unsigned long *)regs->sp;
		return true;
	}
	if (outside <= OUTSIDE_STEPS)
		return true;
	trap_run_freely(return_slot);
	return false;
}

/* Returns whether the flag is to be set. */
static bool step_on(struct pt_regs *regs)
{
	/* The point's instruction was executed; the rest need not be stepped. */
	if (current_run->acted) {
		current_run->at_once = step_acted();
		return false;
	}
	if (within_module_core(regs->ip, goheap)) {
		outside = 0;
		return step_inside(current_run, regs);
	}
	/* This module sets and clears the flag itself. */
	if (within_module_core(regs->ip, THIS_MODULE)) {
		outside = 0;
		return regs->flags & X86_EFLAGS_TF;
	}
	return step_outside(regs);
}

/* ---- in the task -------------------------------------------------------- */

/**
 * step_execute() - execute a path up to a point, have something done, and go on
 * @run: the path, the point, and what to do; the other fields are filled in
 *
 * Context: process context; one at a time.
 */
void step_execute(struct step_run *run)
{
	run->acted = 0;
	run->at_once = false;
	run->lost = 0;
	run->visit = 0;
	pos = 0;
	outside = 0;
	current_run = run;
	trap_claim();
	trap_begin();
	run->fn();
	trap_end();
}

/* A call from @i on has returned before @end. */
static void call_ended(u32 i, u32 end, u32 own)
{
	known[i].end = end;
	if (own <= LONG_CALL)
		return;
	if (nr_long_calls < LONG_CALLS_MAX)
		long_call[nr_long_calls++] = known[i].ip;
	for (; i < end; i++)
		known[i].point = 0;
}

/* Find out where functions that were called returned to. */
static void find_ends(void)
{
	u32 call[DEPTH_MAX], own[DEPTH_MAX];
	unsigned int depth = 0;
	u32 i;

	for (i = 0; i < nr_known; i++) {
		while (depth && known[i].sp > known[call[depth - 1]].sp) {
			depth--;
			call_ended(call[depth], i, own[depth]);
		}
		if (known[i].end && depth < DEPTH_MAX) {
			call[depth] = i;
			own[depth++] = 0;
		}
		known[i].end = 0;
		if (depth)
			own[depth - 1]++;
	}
}

static void number_points(void)
{
	u32 i;

	nr_points = 0;
	for (i = 0; i < nr_known && nr_points < POINTS_MAX - 1; i++) {
		if (!known[i].point)
			continue;
		known[i].point = ++nr_points;
		point_at[nr_points] = i;
	}
}

/**
 * step_learn() - execute a path to learn it
 * @fn: the path
 * @nvisits: how often an instruction is a point
 *
 * Context: process context; one at a time.
 * Return: number of points.
 */
unsigned int step_learn(void (*fn)(void), unsigned int nvisits)
{
	struct step_run run = { .fn = fn };

	memset(visits, 0, TEXT_MAX * sizeof(*visits));
	max_visits = nvisits;
	step_execute(&run);
	nr_known = pos;
	nr_long_calls = 0;
	find_ends();
	number_points();
	return nr_points;
}

/**
 * step_length() - instructions of the path that was learnt last
 *
 * Return: their number.
 */
unsigned int step_length(void)
{
	return nr_known;
}

/**
 * step_preemptible() - ask whether the task can be preempted at a point
 * @at: the point
 *
 * Return: true if it can.
 */
bool step_preemptible(unsigned int at)
{
	return known[point_at[at]].preemptible;
}

/* ---- life --------------------------------------------------------------- */

static void engine_free(void)
{
	vfree(visits);
	vfree(point_at);
	vfree(known);
}

/**
 * step_engine_init() - register for debug exceptions
 *
 * Return: 0 or a negative error.
 */
int step_engine_init(void)
{
	int err = -ENOMEM;

	goheap = find_goheap();
	known = vzalloc(array_size(STEPS_MAX, sizeof(*known)));
	point_at = vzalloc(array_size(POINTS_MAX, sizeof(*point_at)));
	visits = vzalloc(array_size(TEXT_MAX, sizeof(*visits)));
	if (known && point_at && visits)
		err = trap_init(step_on);
	if (err)
		engine_free();
	return err;
}

/**
 * step_engine_exit() - unregister, and free what was learnt
 */
void step_engine_exit(void)
{
	trap_exit();
	engine_free();
}
