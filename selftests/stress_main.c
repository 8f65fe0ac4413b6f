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
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../mm/compat.h"
#include "stress.h"

/* One scenario at a time. */
static DEFINE_MUTEX(run_lock);
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
	{ "atomic", stress_atomic },
	{ "dying", stress_dying },
	{ "leak", stress_leak },
	{ "large", stress_large },
	{ "stale", stress_stale },
	{ "reuse", stress_reuse },
	{ "hold", stress_hold },
	{ "hold_arenas", stress_hold_arenas },
	{ "hold_huge", stress_hold_huge },
	{ "thin_huge", stress_thin_huge },
	{ "release", stress_release },
	{ "starve", stress_starve },
	{ "burst", stress_burst },
	{ "grow", stress_grow },
	{ "spike", stress_spike },
	{ "killed", stress_killed },
	{ "idle", stress_idle },
	{ "reserve", stress_reserve },
	{ "damage", stress_damage },
	{ "race", stress_race },
};

/* ---- debugfs ------------------------------------------------------------ */

static void run_scenario(const struct scenario *s)
{
	st_report_begin(s->name);
	s->run();
	st_report_end();
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
	st_report_show(m);
	mutex_unlock(&run_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(result);

static int __init stress_init(void)
{
	int err = st_report_init();

	if (err)
		return err;
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
	/* Objects freed by RCU may be of our caches' constructors. */
	rcu_barrier();
	st_report_exit();
}
module_exit(stress_exit);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("Stress tests of goheap");
MODULE_LICENSE("GPL");
