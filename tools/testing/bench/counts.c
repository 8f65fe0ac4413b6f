// SPDX-License-Identifier: GPL-2.0-only
/*
 * counts: instructions of calls, by what keeps others waiting meanwhile: a spinlock
 * that is held, interrupts that are off, preemption that is off.
 *
 * Calls are executed one instruction at a time (../trap.h), the kernel's functions
 * that they call included. What is not counted: this module, other tasks, and
 * interrupts. A string instruction counts once, however long it takes, and so do
 * memset() and memcpy(): the bytes that these write are counted instead.
 *
 * A lock is held from the return of a function that takes it to the call of one that
 * releases it. All of them are functions where the kernel can be preempted. Reader
 * locks and bit locks are not noticed; neither allocator takes any.
 *
 * A busy flag is not noticed. It is held with preemption off, so no longer than that.
 */
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/processor-flags.h>

#include "../trap.h"
#include "counts.h"

#define LOCKS_MAX	8

#define OP_LOCK		0xf0
#define OP_REPNE	0xf2
#define OP_REP		0xf3
#define OP_REX		0x40
#define OP_XCHG		0x86
#define MOD_REGISTER	3

/**
 * struct stretch - instructions in a row
 * @n: so far
 * @site: where the first was
 */
struct stretch {
	u32 n;
	unsigned long site;
};

/**
 * struct held - a lock that is held
 * @lock: the lock
 * @site: who took it
 * @since: bench_counts.all at that time
 */
struct held {
	unsigned long lock;
	unsigned long site;
	u64 since;
};

/**
 * struct taking - a function that takes a lock, not yet returned
 * @lock: the lock, or 0
 * @sp: the stack pointer at its first instruction
 * @site: who called it
 * @tries: it may fail
 */
struct taking {
	unsigned long lock;
	unsigned long sp;
	unsigned long site;
	bool tries;
};

/* All below belong to the task that is stepped. */
static struct bench_counts *counts;
static bool masked;
static struct stretch irqs_off, preempt_off;
static struct held held[LOCKS_MAX];
static unsigned int nheld;
static struct taking taking;
static u32 filled;
static unsigned long last_ip;

/* A call was not counted to its end. */
static bool lost;

static struct bench_site sites[BENCH_SITES];

const char *const bench_stretch_names[BENCH_NR_STRETCHES] = {
	[BENCH_IRQS_OFF] = "irqs_off",
	[BENCH_PREEMPT_OFF] = "preempt_off",
	[BENCH_HELD] = "held",
	[BENCH_KERNEL_IRQS_OFF] = "kernel_irqs_off",
	[BENCH_KERNEL_PREEMPT_OFF] = "kernel_preempt_off",
	[BENCH_KERNEL_HELD] = "kernel_held",
};

/* ---- Stretches ---------------------------------------------------------- */

static struct bench_site *find_site(unsigned long ip)
{
	unsigned int i, at = ip % BENCH_SITES;

	for (i = 0; i < BENCH_SITES; i++, at = (at + 1) % BENCH_SITES)
		if (!sites[at].ip || sites[at].ip == ip)
			return &sites[at];
	return NULL;
}

/* Modules are goheap and this one, which counts nothing of its own. */
static bool is_kernel(unsigned long ip)
{
	return ip < MODULES_VADDR || ip >= MODULES_END;
}

static void note(unsigned long ip, enum bench_stretch kind, u32 n)
{
	struct bench_site *site = find_site(ip);

	if (is_kernel(ip))
		kind += BENCH_KERNEL_IRQS_OFF;
	counts->longest[kind] = max(counts->longest[kind], n);
	if (!site)
		return;
	site->ip = ip;
	site->longest[kind] = max(site->longest[kind], n);
}

static void stretch_end(struct stretch *s, enum bench_stretch kind)
{
	if (s->n)
		note(s->site, kind, s->n);
	s->n = 0;
}

static void see_stretch(struct stretch *s, enum bench_stretch kind, bool on,
			unsigned long ip)
{
	if (!on)
		stretch_end(s, kind);
	else if (!s->n++)
		s->site = taking.lock ? taking.site : ip;
}

/* ---- Before each instruction -------------------------------------------- */

static bool is_any_of(unsigned long ip, const unsigned long *fns, unsigned int n)
{
	while (n--)
		if (fns[n] == ip)
			return true;
	return false;
}

static bool may_sleep(unsigned long ip)
{
	static const unsigned long fns[] = {
		(unsigned long)schedule,
#ifdef CONFIG_PREEMPTION
		(unsigned long)preempt_schedule,
		(unsigned long)preempt_schedule_notrace,
#endif
#if !defined(CONFIG_PREEMPTION) || defined(CONFIG_PREEMPT_DYNAMIC)
		(unsigned long)__cond_resched,
#endif
	};

	return is_any_of(ip, fns, ARRAY_SIZE(fns));
}

static bool is_fill(unsigned long ip)
{
	static const unsigned long fns[] = {
		(unsigned long)memset,
		(unsigned long)memcpy,
		(unsigned long)memmove,
	};

	return is_any_of(ip, fns, ARRAY_SIZE(fns));
}

static bool is_lock(unsigned long ip)
{
	static const unsigned long fns[] = {
		(unsigned long)_raw_spin_lock,
		(unsigned long)_raw_spin_lock_bh,
		(unsigned long)_raw_spin_lock_irq,
		(unsigned long)_raw_spin_lock_irqsave,
	};

	return is_any_of(ip, fns, ARRAY_SIZE(fns));
}

static bool is_trylock(unsigned long ip)
{
	return ip == (unsigned long)_raw_spin_trylock ||
	       ip == (unsigned long)_raw_spin_trylock_bh;
}

static bool is_unlock(unsigned long ip)
{
	static const unsigned long fns[] = {
		(unsigned long)_raw_spin_unlock,
		(unsigned long)_raw_spin_unlock_bh,
		(unsigned long)_raw_spin_unlock_irq,
		(unsigned long)_raw_spin_unlock_irqrestore,
	};

	return is_any_of(ip, fns, ARRAY_SIZE(fns));
}

/* With a lock prefix, or exchanging a register with memory, which implies one. */
static bool is_atomic(const u8 *code)
{
	if (*code == OP_LOCK)
		return true;
	code += (*code & 0xf0) == OP_REX;
	return (*code & ~1) == OP_XCHG && code[1] >> 6 != MOD_REGISTER;
}

static void lock_taken(void)
{
	counts->locks++;
	if (nheld < LOCKS_MAX)
		held[nheld++] = (struct held){ taking.lock, taking.site, counts->all };
}

static void lock_released(unsigned long lock)
{
	unsigned int i = nheld;

	while (i--) {
		if (held[i].lock != lock)
			continue;
		note(held[i].site, BENCH_HELD, counts->all - held[i].since);
		held[i] = held[--nheld];
		return;
	}
}

static void see_locks(const struct pt_regs *regs)
{
	if (taking.lock && regs->sp > taking.sp) {
		if (!taking.tries || (u32)regs->ax)
			lock_taken();
		taking.lock = 0;
	}
	if (is_lock(regs->ip) || is_trylock(regs->ip))
		taking = (struct taking){ regs->di, regs->sp, *(unsigned long *)regs->sp,
					  is_trylock(regs->ip) };
	else if (is_unlock(regs->ip))
		lock_released(regs->di);
}

static bool is_string_again(unsigned long ip)
{
	u8 code = *(u8 *)ip;

	return ip == last_ip && (code == OP_REP || code == OP_REPNE);
}

static void count(const struct pt_regs *regs)
{
	bool irqs = regs->flags & X86_EFLAGS_IF;
	bool preemptible = irqs && !(preempt_count() & (PREEMPT_MASK | SOFTIRQ_MASK));

	if (!masked) {
		see_stretch(&irqs_off, BENCH_IRQS_OFF, !irqs, regs->ip);
		see_stretch(&preempt_off, BENCH_PREEMPT_OFF, !preemptible, regs->ip);
	}
	if (preemptible)
		filled = 0;
	else if (is_fill(regs->ip))
		filled += regs->dx;
	counts->filled = max(counts->filled, filled);
	counts->all++;
	counts->locked += nheld > 0;
	counts->atomics += is_atomic((u8 *)regs->ip);
}

static bool count_step(struct pt_regs *regs)
{
	/* This module sets and clears the flag itself. */
	bool own = within_module_core(regs->ip, THIS_MODULE);
	bool again = is_string_again(regs->ip);

	see_locks(regs);
	last_ip = regs->ip;
	if (own)
		return regs->flags & X86_EFLAGS_TF;
	if (!again)
		count(regs);
	if (!is_fill(regs->ip) && !may_sleep(regs->ip))
		return true;
	trap_run_freely((unsigned long *)regs->sp);
	return false;
}

/* ---- In the task -------------------------------------------------------- */

/**
 * bench_counts_begin() - count what the current task executes from here on
 * @c: adds to it
 *
 * With interrupts off, their state and that of preemption is not looked at.
 *
 * Context: any but NMI.
 * Return: false if a task is being counted already.
 */
bool bench_counts_begin(struct bench_counts *c)
{
	if (!trap_claim())
		return false;
	counts = c;
	masked = irqs_disabled();
	nheld = 0;
	taking.lock = 0;
	filled = 0;
	trap_begin();
	return true;
}

/**
 * bench_counts_end() - count no more
 *
 * Context: any but NMI, in the task that began.
 */
void bench_counts_end(void)
{
	stretch_end(&irqs_off, BENCH_IRQS_OFF);
	stretch_end(&preempt_off, BENCH_PREEMPT_OFF);
	if (!trap_end())
		WRITE_ONCE(lost, true);
}

/**
 * bench_counts_site() - where something was held or off
 * @i: below BENCH_SITES
 *
 * Return: the site; its ip is 0 if there is none.
 */
const struct bench_site *bench_counts_site(unsigned int i)
{
	return &sites[i];
}

/**
 * bench_counts_init() - get ready to count
 *
 * Forgets all sites.
 *
 * Context: process context.
 * Return: 0 or a negative error.
 */
int bench_counts_init(void)
{
	memset(sites, 0, sizeof(sites));
	lost = false;
	return trap_init(count_step);
}

/**
 * bench_counts_exit() - end what bench_counts_init() began
 *
 * Context: process context.
 * Return: 0, or -EIO if part of a call was not counted.
 */
int bench_counts_exit(void)
{
	trap_exit();
	return lost ? -EIO : 0;
}
