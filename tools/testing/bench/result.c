// SPDX-License-Identifier: GPL-2.0-only
/*
 * result: what the last run measured, and whether anything failed, for debugfs.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "bench.h"

/**
 * struct record - one measurement
 * @node: in records
 * @group: name
 * @shape: name
 * @peer: name: who, or which figure
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
	const char *peer;
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

/* One run at a time; protects all below. */
DEFINE_MUTEX(bench_run_lock);
static LIST_HEAD(records);
static const char *running;
static int failure;

/**
 * bench_result_failed() - note that a peer could not be measured
 * @shape: on what
 * @peer: who
 * @err: why
 *
 * Context: process context, in a run.
 */
void bench_result_failed(const struct bench_shape *shape, enum bench_peer peer, int err)
{
	pr_err("%s/%s: %s, %zu bytes, count %u: not measured, error %d\n", running,
	       shape->name, bench_peer_names[peer], shape->size, shape->count, err);
	failure = failure ?: err;
}

static int add(const struct bench_shape *shape, const char *peer,
	       const struct bench_sample *best, unsigned int rounds, u64 min_ps,
	       u64 median_ps)
{
	struct record *r = kmalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
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
	return 0;
}

/**
 * bench_result_add() - add a measurement to the result
 * @shape: what was measured
 * @peer: on whom
 * @best: the fastest round
 * @rounds: measured rounds
 * @min_ps: picoseconds a pair in the fastest round
 * @median_ps: the same in the round in the middle
 *
 * Context: process context, in a run.
 */
void bench_result_add(const struct bench_shape *shape, enum bench_peer peer,
		      const struct bench_sample *best, unsigned int rounds,
		      u64 min_ps, u64 median_ps)
{
	if (add(shape, bench_peer_names[peer], best, rounds, min_ps, median_ps))
		bench_result_failed(shape, peer, -ENOMEM);
}

/**
 * bench_result_count() - add something that was counted to the result
 * @shape: of what
 * @figure: name of the figure; it and that of the shape stay until the next run
 * @n: the count, for all @shape->ops
 *
 * Context: process context, in a run.
 */
void bench_result_count(const struct bench_shape *shape, const char *figure, u64 n)
{
	struct bench_sample sample = { .ops = shape->ops, .held = BENCH_NOT_HELD };
	/* As if an instruction took a nanosecond, like where all of them are counted. */
	u64 ps = div64_u64(n * 1000, shape->ops);
	int err = add(shape, figure, &sample, 1, ps, ps);

	failure = failure ?: err;
}

/**
 * bench_result_drop() - forget all measurements
 *
 * Context: process context, in a run, or when there can be none any more.
 */
void bench_result_drop(void)
{
	struct record *r, *next;

	list_for_each_entry_safe(r, next, &records, node)
		kfree(r);
	INIT_LIST_HEAD(&records);
}

/**
 * bench_result_begin() - begin a run
 * @group: its name
 *
 * Context: process context; bench_run_lock is held until the run ends.
 */
void bench_result_begin(const char *group)
{
	bench_result_drop();
	running = group;
	failure = 0;
}

/**
 * bench_result_error() - whether a peer could not be measured in this run
 *
 * Context: process context, in a run.
 * Return: the first error, or 0.
 */
int bench_result_error(void)
{
	return failure;
}

static void *result_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&bench_run_lock);
	return seq_list_start(&records, *pos);
}

static void *result_next(struct seq_file *m, void *v, loff_t *pos)
{
	return seq_list_next(v, &records, pos);
}

static void result_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&bench_run_lock);
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
		   r->group, r->shape, r->peer, r->size, r->count,
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

/**
 * bench_result_init() - make the file that shows the result
 * @dir: the directory in debugfs
 *
 * Context: process context, may sleep.
 */
void __init bench_result_init(struct dentry *dir)
{
	debugfs_create_file("result", 0400, dir, NULL, &result_fops);
}
