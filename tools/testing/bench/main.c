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
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "bench.h"

#define DEFAULT_ROUNDS	5
#define MAX_ROUNDS	1000
#define MAX_SCALE	100000
#define MAX_LINE	128

/**
 * struct record - one measurement
 * @node: in records
 * @group: name
 * @shape: name
 * @peer: who
 * @size: bytes of an object, or of the heap
 * @count: objects live at a time, or pages
 * @order: in which they were freed
 * @zero: whether they were asked for zeroed
 * @cpus: CPUs that worked
 * @rounds: measured rounds
 * @best: the fastest
 * @min_ps: picoseconds a pair in it
 * @median_ps: the same of the round in the middle
 */
struct record {
	struct list_head node;
	const char *group;
	const char *shape;
	enum bench_peer peer;
	size_t size;
	unsigned int count;
	enum bench_order order;
	bool zero;
	unsigned int cpus;
	unsigned int rounds;
	struct bench_sample best;
	u64 min_ps;
	u64 median_ps;
};

static const struct {
	const char *name;
	int (*run)(const struct bench_settings *set);
} groups[] = {
	{ "pair", bench_pair_group },
	{ "batch", bench_batch_group },
	{ "bulk", bench_bulk_group },
	{ "sizes", bench_sizes_group },
	{ "parallel", bench_parallel_group },
	{ "exchange", bench_exchange_group },
	{ "hardirq", bench_hardirq_group },
	{ "sweep", bench_sweep_group },
	{ "memory", bench_memory_group },
};

/* One run at a time; guards all below. */
static DEFINE_MUTEX(run_lock);
static LIST_HEAD(records);
static const char *running;
static int failure;

static struct dentry *debugfs_dir;

/* ---- Results ------------------------------------------------------------ */

/**
 * bench_failed() - note that a peer could not be measured
 * @shape: on what
 * @peer: who
 * @err: why
 *
 * Context: process context, in a run.
 */
void bench_failed(const struct bench_shape *shape, enum bench_peer peer, int err)
{
	pr_err("%s/%s: %s, %zu bytes, count %u: not measured, error %d\n", running,
	       shape->name, bench_peer_names[peer], shape->size, shape->count, err);
	failure = failure ?: err;
}

/**
 * bench_publish() - add a measurement to the result
 * @shape: what was measured
 * @peer: on whom
 * @best: the fastest round
 * @rounds: measured rounds
 * @min_ps: picoseconds a pair in the fastest round
 * @median_ps: the same in the round in the middle
 *
 * Context: process context, in a run.
 */
void bench_publish(const struct bench_shape *shape, enum bench_peer peer,
		   const struct bench_sample *best, unsigned int rounds,
		   u64 min_ps, u64 median_ps)
{
	struct record *r = kmalloc(sizeof(*r), GFP_KERNEL);

	if (!r) {
		bench_failed(shape, peer, -ENOMEM);
		return;
	}
	*r = (struct record) {
		.group = running,
		.shape = shape->name,
		.peer = peer,
		.size = shape->size,
		.count = shape->count,
		.order = shape->order,
		.zero = shape->zero,
		.cpus = shape->cpus,
		.rounds = rounds,
		.best = *best,
		.min_ps = min_ps,
		.median_ps = median_ps,
	};
	list_add_tail(&r->node, &records);
}

static void drop_records(void)
{
	struct record *r, *next;

	list_for_each_entry_safe(r, next, &records, node)
		kfree(r);
	INIT_LIST_HEAD(&records);
}

static void *result_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&run_lock);
	return seq_list_start(&records, *pos);
}

static void *result_next(struct seq_file *m, void *v, loff_t *pos)
{
	return seq_list_next(v, &records, pos);
}

static void result_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&run_lock);
}

static int result_show(struct seq_file *m, void *v)
{
	static const char *const orders[] = {
		[BENCH_LIFO] = "lifo",
		[BENCH_FIFO] = "fifo",
		[BENCH_RANDOM] = "random",
		[BENCH_NO_ORDER] = "-",
	};
	const struct record *r = list_entry(v, struct record, node);

	seq_printf(m, "group=%s shape=%s peer=%s size=%zu count=%u order=%s zero=%d",
		   r->group, r->shape, bench_peer_names[r->peer], r->size, r->count,
		   orders[r->order], r->zero);
	seq_printf(m, " cpus=%u ops=%llu rounds=%u min_ps=%llu median_ps=%llu", r->cpus,
		   r->best.ops, r->rounds, r->min_ps, r->median_ps);
	if (r->best.held == BENCH_NOT_HELD)
		seq_puts(m, " held=-\n");
	else
		seq_printf(m, " held=%llu\n", r->best.held);
	return 0;
}

static const struct seq_operations result_sops = {
	.start = result_start,
	.next = result_next,
	.stop = result_stop,
	.show = result_show,
};
DEFINE_SEQ_ATTRIBUTE(result);

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

	drop_records();
	running = groups[group].name;
	failure = 0;
	err = groups[group].run(set);
	if (err && err != -EINTR)
		pr_err("%s: cut short, error %d\n", running, err);
	return err ?: failure;
}

/* On one CPU from begin to end: what it has cached is what the next round finds. */
static int run_pinned(unsigned int group, const struct bench_settings *set)
{
	cpumask_var_t allowed;
	int err;

	if (!alloc_cpumask_var(&allowed, GFP_KERNEL))
		return -ENOMEM;
	cpumask_copy(allowed, current->cpus_ptr);
	err = set_cpus_allowed_ptr(current, cpumask_of(bench_nth_cpu(0)));
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
	err = mutex_lock_interruptible(&run_lock);
	if (err)
		return err;
	err = run_pinned(group, &set);
	mutex_unlock(&run_lock);
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
	debugfs_create_file("result", 0400, debugfs_dir, NULL, &result_fops);
	return 0;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	debugfs_remove(debugfs_dir);
	drop_records();
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Benchmarks of goheap and of what else the kernel allocates with");
MODULE_LICENSE("GPL");
