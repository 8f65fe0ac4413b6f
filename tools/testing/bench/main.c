// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheap_bench: what goheap and its peers cost, in debugfs/goheap_bench:
 *
 *	groups	the names of the groups
 *	run	is written "GROUP [rounds=N] [scale=N] [cpus=N]"
 *	result	one line a measurement, of the last run
 *
 * Rounds are 5 unless said otherwise, the scale is in percent of the usual number of
 * operations, and all online CPUs are used where a group uses several.
 *
 * A write ends with an error if anything was not measured; the log says what, and the
 * result has the rest.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../nth_cpu.h"
#include "bench.h"

#define DEFAULT_ROUNDS	5
#define MAX_ROUNDS	1000
#define MAX_SCALE	100000
#define MAX_LINE	128

static const struct {
	const char *name;
	int (*run)(const struct bench_settings *set);
} groups[] = {
	{ "pair", bench_pair_group },
	{ "batch", bench_batch_group },
	{ "bulk", bench_bulk_group },
	{ "sizes", bench_sizes_group },
	{ "cold", bench_cold_group },
	{ "parallel", bench_parallel_group },
	{ "exchange", bench_exchange_group },
	{ "hardirq", bench_hardirq_group },
	{ "sweep", bench_sweep_group },
	{ "memory", bench_memory_group },
	{ "sections", bench_sections_group },
	{ "sites", bench_sites_group },
	{ "shared", bench_shared_group },
};

static struct dentry *debugfs_dir;

/* ---- Runs --------------------------------------------------------------- */

/* "NAME=N" with N from 1 to @most. */
static bool parse_setting(const char *word, const char *name, unsigned int most,
			  unsigned int *value)
{
	size_t len = str_has_prefix(word, name);
	unsigned int n;

	if (!len || word[len] != '=' || kstrtouint(word + len + 1, 10, &n))
		return false;
	if (!n || n > most)
		return false;
	*value = n;
	return true;
}

static int parse_settings(char *line, struct bench_settings *set)
{
	char *word;

	while ((word = strsep(&line, " \t"))) {
		if (*word &&
		    !parse_setting(word, "rounds", MAX_ROUNDS, &set->rounds) &&
		    !parse_setting(word, "scale", MAX_SCALE, &set->scale) &&
		    !parse_setting(word, "cpus", num_online_cpus(), &set->cpus))
			return -EINVAL;
	}
	return 0;
}

static int find_group(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		if (!strcmp(groups[i].name, name))
			return i;
	return -EINVAL;
}

static int run_group(unsigned int group, const struct bench_settings *set)
{
	int err;

	bench_result_begin(groups[group].name);
	err = groups[group].run(set);
	if (err && err != -EINTR)
		pr_err("%s: cut short, error %d\n", groups[group].name, err);
	return err ?: bench_result_error();
}

/* On one CPU from begin to end: what it has cached is what the next round finds. */
static int run_pinned(unsigned int group, const struct bench_settings *set)
{
	cpumask_var_t allowed;
	int err;

	if (!alloc_cpumask_var(&allowed, GFP_KERNEL))
		return -ENOMEM;
	cpumask_copy(allowed, current->cpus_ptr);
	err = set_cpus_allowed_ptr(current, cpumask_of(nth_online_cpu(0)));
	if (!err) {
		err = run_group(group, set);
		set_cpus_allowed_ptr(current, allowed);
	}
	free_cpumask_var(allowed);
	return err;
}

static int run_line(char *line)
{
	struct bench_settings set = {
		.rounds = DEFAULT_ROUNDS,
		.scale = 100,
		.cpus = num_online_cpus(),
	};
	char *name = strsep(&line, " \t");
	int group = find_group(name);
	int err;

	if (group < 0)
		return group;
	err = parse_settings(line, &set);
	if (err)
		return err;
	err = mutex_lock_interruptible(&bench_run_lock);
	if (err)
		return err;
	err = run_pinned(group, &set);
	mutex_unlock(&bench_run_lock);
	return err;
}

static ssize_t run_write(struct file *file, const char __user *buf, size_t n, loff_t *at)
{
	char line[MAX_LINE];
	int err;

	if (n >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, n))
		return -EFAULT;
	line[n] = '\0';
	err = run_line(strim(line));
	return err ?: n;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
	.llseek = noop_llseek,
};

static int groups_show(struct seq_file *m, void *v)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		seq_printf(m, "%s\n", groups[i].name);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(groups);

/* ---- Module ------------------------------------------------------------- */

static int __init bench_init(void)
{
	bench_memory_init();
	debugfs_dir = debugfs_create_dir("goheap_bench", NULL);
	debugfs_create_file("groups", 0400, debugfs_dir, NULL, &groups_fops);
	debugfs_create_file("run", 0200, debugfs_dir, NULL, &run_fops);
	bench_result_init(debugfs_dir);
	return 0;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	debugfs_remove(debugfs_dir);
	bench_result_drop();
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Benchmarks of goheap and of what else the kernel allocates with");
MODULE_LICENSE("GPL");
