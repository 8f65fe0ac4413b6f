// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheap_stress: hard use of goheap, and proof that it bore it.
 *
 *   echo NAME > /sys/kernel/debug/goheap_stress/run      runs a scenario
 *   cat /sys/kernel/debug/goheap_stress/result           its KTAP lines
 *
 * A scenario's length is a number of steps, never a time, and its random
 * numbers follow from the parameter "seed" alone, so that what a thread does
 * can be repeated; how threads interleave cannot.
 *
 * Locking: run_lock serialises scenarios; result_lock protects the text.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/hardirq.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../mm/compat.h"
#include "stress.h"

#define RESULT_BYTES	16384
/* Notes of what is wrong, at most; the rest is counted. */
#define BAD_SHOWN	10
/* Debug kernels are slow. */
#define KASAN_DIVISOR	8

static unsigned int scale = 1;
module_param(scale, uint, 0644);
MODULE_PARM_DESC(scale, "Multiplies the length of all scenarios (default 1)");

static DEFINE_MUTEX(run_lock);
static DEFINE_RAW_SPINLOCK(result_lock);
static char *result;
static size_t result_len;
static unsigned int nr_results;
static atomic_t nr_bad;
static const char *scenario_name;
static struct dentry *dir;

struct scenario {
	const char *name;
	void (*run)(void);
};

static const struct scenario scenarios[] = {
	{ "private", stress_private },
	{ "exchange", stress_exchange },
	{ "irq", stress_irq },
	{ "nmi", stress_nmi },
	{ "hotplug", stress_hotplug },
	{ "shrink", stress_shrink },
	{ "pressure", stress_pressure },
	{ "lifecycle", stress_lifecycle },
	{ "faults", stress_faults },
	{ "badfree", stress_badfree },
	{ "leak", stress_leak },
	{ "large", stress_large },
	{ "stale", stress_stale },
	{ "reuse", stress_reuse },
	{ "hold", stress_hold },
	{ "release", stress_release },
	{ "charge", stress_charge },
	{ "overcharge", stress_overcharge },
	{ "uncharge", stress_uncharge },
};

/* ---- results ------------------------------------------------------------ */

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

/* ---- debugfs ------------------------------------------------------------ */

static void run_scenario(const struct scenario *s)
{
	result_len = 0;
	result[0] = '\0';
	nr_results = 0;
	atomic_set(&nr_bad, 0);
	scenario_name = s->name;
	s->run();
	st_check(!atomic_read(&nr_bad), "%d things wrong",
		 atomic_read(&nr_bad));
	result_len += scnprintf(result + result_len, RESULT_BYTES - result_len,
				"1..%u\n", nr_results);
}

static const struct scenario *find_scenario(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(scenarios); i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	return NULL;
}

static ssize_t run_write(struct file *file, const char __user *buf,
			 size_t count, loff_t *pos)
{
	const struct scenario *s;
	char name[32];

	if (count >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, count))
		return -EFAULT;
	name[count] = '\0';
	s = find_scenario(strim(name));
	if (!s)
		return -EINVAL;
	mutex_lock(&run_lock);
	run_scenario(s);
	mutex_unlock(&run_lock);
	return count;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
	.llseek = noop_llseek,
};

static int result_show(struct seq_file *m, void *v)
{
	mutex_lock(&run_lock);
	seq_puts(m, result);
	mutex_unlock(&run_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(result);

static int __init stress_init(void)
{
	result = kzalloc(RESULT_BYTES, GFP_KERNEL);
	if (!result)
		return -ENOMEM;
	dir = debugfs_create_dir("goheap_stress", NULL);
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file("result", 0400, dir, NULL, &result_fops);
	stress_user_init(dir);
	return 0;
}
module_init(stress_init);

static void __exit stress_exit(void)
{
	debugfs_remove_recursive(dir);
	/* What "hold" still has. */
	stress_release();
	stress_uncharge();
	/* Objects freed by RCU may be of our caches' constructors. */
	rcu_barrier();
	kfree(result);
}
module_exit(stress_exit);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("Stress tests of goheap");
MODULE_LICENSE("GPL");
