// SPDX-License-Identifier: GPL-2.0-only
/*
 * The KTAP lines of a scenario, and how long scenarios are.
 */
#include <linux/atomic.h>
#include <linux/hardirq.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "stress.h"

#define RESULT_BYTES	16384
/* Notes of what is wrong, at most; the rest is counted. */
#define BAD_SHOWN	10
/* Debug kernels are slow. */
#define KASAN_DIVISOR	8

static unsigned int scale = 1;
module_param(scale, uint, 0644);
MODULE_PARM_DESC(scale, "Multiplies the length of all scenarios (default 1)");

/* Protects the text, which st_bad() adds to in any context. */
static DEFINE_RAW_SPINLOCK(result_lock);
static char *result;
static size_t result_len;

static unsigned int nr_results;
static atomic_t nr_bad;
static const char *scenario_name;

/* Under result_lock. */
static __printf(2, 0)
void result_add(const char *head, const char *fmt, va_list args)
{
	size_t room = RESULT_BYTES - result_len;
	char *to = result + result_len;

	result_len += scnprintf(to, room, "%s", head);
	result_len += vscnprintf(result + result_len,
				 RESULT_BYTES - result_len, fmt, args);
	result_len += scnprintf(result + result_len,
				RESULT_BYTES - result_len, "\n");
}

/**
 * st_check() - give one result
 * @ok: whether what must hold holds
 * @fmt: what must hold
 *
 * Context: process context.
 */
void st_check(bool ok, const char *fmt, ...)
{
	unsigned long flags;
	char head[64];
	va_list args;

	snprintf(head, sizeof(head), "%s %u %s: ", ok ? "ok" : "not ok",
		 ++nr_results, scenario_name);
	va_start(args, fmt);
	raw_spin_lock_irqsave(&result_lock, flags);
	result_add(head, fmt, args);
	raw_spin_unlock_irqrestore(&result_lock, flags);
	va_end(args);
}

/**
 * st_skip() - give one result: this cannot be tested here
 * @fmt: why
 *
 * Context: process context.
 */
void st_skip(const char *fmt, ...)
{
	unsigned long flags;
	char head[64];
	va_list args;

	snprintf(head, sizeof(head), "ok %u %s # SKIP ", ++nr_results,
		 scenario_name);
	va_start(args, fmt);
	raw_spin_lock_irqsave(&result_lock, flags);
	result_add(head, fmt, args);
	raw_spin_unlock_irqrestore(&result_lock, flags);
	va_end(args);
}

/**
 * st_note() - say something for people
 * @fmt: what
 *
 * Context: process context.
 */
void st_note(const char *fmt, ...)
{
	unsigned long flags;
	va_list args;

	va_start(args, fmt);
	raw_spin_lock_irqsave(&result_lock, flags);
	result_add("# ", fmt, args);
	raw_spin_unlock_irqrestore(&result_lock, flags);
	va_end(args);
}

/**
 * st_bad() - note that something is wrong
 * @fmt: what
 *
 * Context: any.
 */
void st_bad(const char *fmt, ...)
{
	unsigned long flags;
	va_list args;

	/* In NMI context the text is lost, the failure is not. */
	if (atomic_inc_return(&nr_bad) > BAD_SHOWN || in_nmi())
		return;
	va_start(args, fmt);
	raw_spin_lock_irqsave(&result_lock, flags);
	result_add("# WRONG: ", fmt, args);
	raw_spin_unlock_irqrestore(&result_lock, flags);
	va_end(args);
}

/**
 * st_iters() - how often to do something
 * @n: how often on an ordinary kernel
 *
 * Return: the number, at least 1.
 */
unsigned int st_iters(unsigned int n)
{
	if (IS_ENABLED(CONFIG_KASAN))
		n = DIV_ROUND_UP(n, KASAN_DIVISOR);
	return max(n * scale, 1U);
}

/**
 * st_enough() - when to end what interrupts all CPUs, if that takes long
 *
 * Return: a time in jiffies.
 */
unsigned long st_enough(void)
{
	return jiffies + 20UL * HZ * max(scale, 1U);
}

/**
 * st_expect_begin() - goheap's reports are wanted from here on
 */
void st_expect_begin(void)
{
	pr_info("goheap-expect: begin\n");
}

/**
 * st_expect_end() - goheap's reports are not wanted any more
 */
void st_expect_end(void)
{
	pr_info("goheap-expect: end\n");
}

/* ---- for stress_main.c -------------------------------------------------- */

/**
 * st_report_begin() - begin the result of a scenario
 * @name: its name
 *
 * Context: process context; one scenario at a time.
 */
void st_report_begin(const char *name)
{
	result_len = 0;
	result[0] = '\0';
	nr_results = 0;
	atomic_set(&nr_bad, 0);
	scenario_name = name;
}

/**
 * st_report_end() - end the result with the verdict and the plan
 *
 * Context: process context.
 */
void st_report_end(void)
{
	st_check(!atomic_read(&nr_bad), "%d things wrong",
		 atomic_read(&nr_bad));
	result_len += scnprintf(result + result_len, RESULT_BYTES - result_len,
				"1..%u\n", nr_results);
}

/**
 * st_report_show() - show the result of the last scenario
 * @m: where
 *
 * Context: process context, while no scenario runs.
 */
void st_report_show(struct seq_file *m)
{
	seq_puts(m, result);
}

/**
 * st_report_init() - get memory for results
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init st_report_init(void)
{
	result = kzalloc(RESULT_BYTES, GFP_KERNEL);
	return result ? 0 : -ENOMEM;
}

/**
 * st_report_exit() - release it
 *
 * Context: process context, may sleep.
 */
void st_report_exit(void)
{
	kfree(result);
}
