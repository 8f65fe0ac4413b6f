// SPDX-License-Identifier: GPL-2.0-only
/*
 * trap: executes code of a task one instruction at a time; see trap.h.
 */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/kdebug.h>
#include <linux/notifier.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/irqflags.h>
#include <asm/processor-flags.h>

#include "trap.h"

static trap_fn step_fn;
static struct task_struct *stepped;

unsigned long trap_return_to;

static int trap_notify(struct notifier_block *nb, unsigned long what, void *data)
{
	struct die_args *args = data;
	unsigned long *dr6 = (unsigned long *)args->err;

	if (what != DIE_DEBUG || current != READ_ONCE(stepped) ||
	    user_mode(args->regs) || !(*dr6 & DR_STEP))
		return NOTIFY_DONE;
	if (step_fn(args->regs))
		args->regs->flags |= X86_EFLAGS_TF;
	else
		args->regs->flags &= ~X86_EFLAGS_TF;
	return NOTIFY_STOP;
}

static struct notifier_block trap_nb = {
	.notifier_call = trap_notify,
	.priority = INT_MAX,
};

static __always_inline void flag_set(void)
{
	asm volatile("pushfq\n"
		     "orq %0, (%%rsp)\n"
		     "popfq" : : "i" (X86_EFLAGS_TF) : "memory", "cc");
}

static __always_inline void flag_clear(void)
{
	asm volatile("pushfq\n"
		     "andq %0, (%%rsp)\n"
		     "popfq" : : "i" (~X86_EFLAGS_TF) : "memory", "cc");
}

/**
 * trap_claim() - become the task that is stepped
 *
 * Context: any but NMI.
 * Return: false if another is.
 */
bool trap_claim(void)
{
	return !cmpxchg(&stepped, NULL, current);
}

/**
 * trap_begin() - step the current task from here on
 *
 * Context: any but NMI, after trap_claim().
 */
void trap_begin(void)
{
	flag_set();
}

/**
 * trap_end() - step the current task no more
 *
 * Context: any but NMI, in the task that began.
 * Return: false if the flag was lost on the way, or no more instructions were asked for.
 */
bool trap_end(void)
{
	bool was_set = native_save_fl() & X86_EFLAGS_TF;

	flag_clear();
	/* The next may use what belonged to this one. */
	smp_store_release(&stepped, NULL);
	return was_set;
}

/**
 * trap_run_freely() - execute a function that was just called without the flag
 * @slot: where its return address is
 *
 * The caller says that the next instruction is not to be stepped. The task is stepped
 * again when the function has returned.
 *
 * Context: NMI, in a trap_fn.
 */
void trap_run_freely(unsigned long *slot)
{
	trap_return_to = *slot;
	*slot = (unsigned long)trap_resume;
}

/**
 * trap_init() - register for debug exceptions
 * @fn: called before each instruction that is stepped
 *
 * Return: 0 or a negative error.
 */
int trap_init(trap_fn fn)
{
	/* trap_resume() jumps to where nothing may jump then. */
	if (cpu_feature_enabled(X86_FEATURE_IBT))
		return -EOPNOTSUPP;
	step_fn = fn;
	return register_die_notifier(&trap_nb);
}

/**
 * trap_exit() - unregister
 */
void trap_exit(void)
{
	unregister_die_notifier(&trap_nb);
}
