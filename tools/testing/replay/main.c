// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheap_replay: replay the allocations of a real program in the kernel, on goheap and
 * on kmalloc, and compare.
 *
 *	insmod goheap_replay.ko [trace=/path]
 *	echo /path > /sys/kernel/debug/goheap_replay/run
 *	cat /sys/kernel/debug/goheap_replay/result
 *
 * A replay runs within the write, or within insmod, and a fatal signal ends it. First
 * both allocators run the trace once with verified contents, during which memory is
 * measured; then both run it @rounds times for time, in turns that alternate, with
 * only a byte touched in each object. Both are asked with GFP_KERNEL, and memory is
 * zeroed or not as init_on_alloc says for both.
 *
 *	echo /path > /sys/kernel/debug/goheap_replay/hold
 *	echo > /sys/kernel/debug/goheap_replay/hold
 *
 * runs a trace on goheap up to its peak and stops there, so that the heap can be looked
 * at; and frees the objects again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "player.h"
#include "program.h"

#define MAX_ROUNDS	101

static char *trace;
module_param(trace, charp, 0444);
MODULE_PARM_DESC(trace, "trace to replay at once");

static bool verify = true;
module_param(verify, bool, 0644);
MODULE_PARM_DESC(verify, "write and check a pattern in every object (default 1)");

static unsigned int rounds = 5;
module_param(rounds, uint, 0644);
MODULE_PARM_DESC(rounds, "timed runs on each allocator, at most 101 (default 5)");

static unsigned int sample_ops = 256;
module_param(sample_ops, uint, 0644);
MODULE_PARM_DESC(sample_ops, "steps between two samples of what is held (default 256)");

static const char * const names[REPLAY_NR_ALLOCATORS] = {
	[REPLAY_GOHEAP] = "goheap",
	[REPLAY_KMALLOC] = "kmalloc",
};

/* What is known of one allocator. */
struct outcome {
	struct replay_figures figures;		/* of the run that measured memory */
	u64 times_ns[MAX_ROUNDS];		/* of the timed runs, sorted */
};

static DEFINE_MUTEX(replay_lock);	/* guards all that follows; one replay at a time */
static struct outcome outcomes[REPLAY_NR_ALLOCATORS];
static char *result;			/* of the last replay, or NULL */
static struct replay_program *held_program;
static struct replay_run *held_run;
static struct replay_figures held_figures;
static struct dentry *debugfs_dir;

/* Results */

static bool is_good(const struct replay_figures *f)
{
	return !f->failures && !f->mismatches && !f->misaligned;
}

static u64 above(u64 value, u64 base)
{
	return value > base ? value - base : 0;
}

/* In thousandths; integer arithmetic is all there is here. */
static u64 permille(u64 value, u64 of)
{
	return of ? div64_u64(value * 1000, of) : 0;
}

static char *print_outcome(enum replay_allocator which, unsigned int nrounds)
{
	const struct outcome *outcome = &outcomes[which];
	const struct replay_figures *f = &outcome->figures;

	return kasprintf(GFP_KERNEL,
			 "allocator=%s verified=%s mismatches=%llu misaligned=%llu failures=%llu ops=%llu time_min_ns=%llu time_median_ns=%llu elapsed_%s_ns=%llu top_requested=%llu top_usable=%llu waste=%llu held_base=%llu held_top=%llu held_peak=%llu held_final=%llu held_after=%llu pages_peak=%llu spans_peak=%llu",
			 names[which],
			 !is_good(f) ? "NO" : verify ? "yes" : "unchecked",
			 f->mismatches, f->misaligned, f->failures, f->ops,
			 nrounds ? outcome->times_ns[0] : 0,
			 nrounds ? outcome->times_ns[nrounds / 2] : 0,
			 verify ? "verified" : "measured", f->elapsed_ns,
			 f->top_requested, f->top_usable,
			 above(f->top_usable, f->top_requested), f->base.held,
			 above(f->top.held, f->base.held), above(f->peak.held, f->base.held),
			 above(f->final.held, f->base.held),
			 above(f->after.held, f->base.held),
			 above(f->peak.pages, f->base.pages),
			 above(f->peak.spans, f->base.spans));
}

static char *print_ratios(unsigned int nrounds)
{
	const struct outcome *g = &outcomes[REPLAY_GOHEAP];
	const struct outcome *k = &outcomes[REPLAY_KMALLOC];

	return kasprintf(GFP_KERNEL,
			 "goheap_per_kmalloc_permille time_min=%llu time_median=%llu held_peak=%llu",
			 nrounds ? permille(g->times_ns[0], k->times_ns[0]) : 0,
			 nrounds ? permille(g->times_ns[nrounds / 2],
					    k->times_ns[nrounds / 2]) : 0,
			 permille(above(g->figures.peak.held, g->figures.base.held),
				  above(k->figures.peak.held, k->figures.base.held)));
}

static char *print_program(const struct replay_program *program, const char *path)
{
	return kasprintf(GFP_KERNEL,
			 "trace=%s program=%s events=%llu objects=%llu threads=%u peak_requested=%llu slots=%u",
			 path, program->comm, program->nevents, program->nobjects,
			 program->nthreads, program->peak_bytes, program->nslots);
}

/* Four lines of key=value for the result file, and the same for the log. */
static int publish(const struct replay_program *program, const char *path,
		   unsigned int nrounds)
{
	char *head = print_program(program, path);
	char *goheap = print_outcome(REPLAY_GOHEAP, nrounds);
	char *kmalloc = print_outcome(REPLAY_KMALLOC, nrounds);
	char *ratios = print_ratios(nrounds);

	if (head && goheap && kmalloc && ratios) {
		result = kasprintf(GFP_KERNEL, "%s\n%s\n%s\n%s\n", head, goheap, kmalloc,
				   ratios);
		pr_info("%s\n", head);
		pr_info("%s\n", goheap);
		pr_info("%s\n", kmalloc);
		pr_info("%s\n", ratios);
	}
	kfree(ratios);
	kfree(kmalloc);
	kfree(goheap);
	kfree(head);
	return result ? 0 : -ENOMEM;
}

/* The replay */

static int compare_times(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static int run_timed(const struct replay_program *program, unsigned int nrounds)
{
	struct replay_figures figures;
	unsigned int i, turn;
	int err;

	for (i = 0; i < nrounds; i++) {
		for (turn = 0; turn < REPLAY_NR_ALLOCATORS; turn++) {
			enum replay_allocator which = (i + turn) % REPLAY_NR_ALLOCATORS;

			err = replay_play(program, which, REPLAY_TIMED, 0, &figures);
			if (err)
				return err;
			outcomes[which].times_ns[i] = figures.time_ns;
			outcomes[which].figures.failures += figures.failures;
		}
	}
	for (i = 0; i < REPLAY_NR_ALLOCATORS; i++)
		sort(outcomes[i].times_ns, nrounds, sizeof(u64), compare_times, NULL);
	return 0;
}

static int run_all(const struct replay_program *program, unsigned int nrounds)
{
	enum replay_mode mode = verify ? REPLAY_VERIFIED : REPLAY_MEASURED;
	unsigned int i;
	int err;

	for (i = 0; i < REPLAY_NR_ALLOCATORS; i++) {
		err = replay_play(program, i, mode, max(READ_ONCE(sample_ops), 1U),
				  &outcomes[i].figures);
		if (err)
			return err;
	}
	return run_timed(program, nrounds);
}

static int replay(const char *path)
{
	unsigned int nrounds = min_t(unsigned int, READ_ONCE(rounds), MAX_ROUNDS);
	struct replay_program *program;
	int err;

	kfree(result);
	result = NULL;
	program = replay_program_load(path);
	if (IS_ERR(program))
		return PTR_ERR(program);
	err = run_all(program, nrounds);
	if (err)
		pr_err("%s: cut short: %d\n", path, err);
	else
		err = publish(program, path, nrounds);
	replay_program_free(program);
	return err;
}

static void release(void)
{
	if (!held_run)
		return;
	replay_release(held_run);
	replay_program_free(held_program);
	held_run = NULL;
}

/* An empty path only releases what is held. */
static int hold(const char *path)
{
	struct replay_program *program;
	struct replay_run *run;

	release();
	if (!*path)
		return 0;
	program = replay_program_load(path);
	if (IS_ERR(program))
		return PTR_ERR(program);
	run = replay_hold(program, &held_figures);
	if (IS_ERR(run)) {
		replay_program_free(program);
		return PTR_ERR(run);
	}
	held_program = program;
	held_run = run;
	return 0;
}

/* debugfs; an open file holds the module, so no replay outlives it */

static ssize_t write_path(const char __user *buf, size_t n, int (*act)(const char *path))
{
	char *path;
	int err;

	if (n > PATH_MAX)
		return -ENAMETOOLONG;
	path = memdup_user_nul(buf, n);
	if (IS_ERR(path))
		return PTR_ERR(path);
	err = mutex_lock_interruptible(&replay_lock);
	if (!err) {
		err = act(strim(path));
		mutex_unlock(&replay_lock);
	}
	kfree(path);
	return err ?: n;
}

static ssize_t run_write(struct file *file, const char __user *buf, size_t n, loff_t *at)
{
	return write_path(buf, n, replay);
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
	.llseek = noop_llseek,
};

static ssize_t hold_write(struct file *file, const char __user *buf, size_t n, loff_t *at)
{
	return write_path(buf, n, hold);
}

static const struct file_operations hold_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = hold_write,
	.llseek = noop_llseek,
};

static int result_show(struct seq_file *m, void *unused)
{
	int err = mutex_lock_interruptible(&replay_lock);

	if (err)
		return err;
	if (result)
		seq_puts(m, result);
	mutex_unlock(&replay_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(result);

static int __init goheap_replay_init(void)
{
	int err;

	if (trace) {
		err = replay(trace);
		if (err)
			return err;
	}
	debugfs_dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("run", 0200, debugfs_dir, NULL, &run_fops);
	debugfs_create_file("hold", 0200, debugfs_dir, NULL, &hold_fops);
	debugfs_create_file("result", 0400, debugfs_dir, NULL, &result_fops);
	return 0;
}
module_init(goheap_replay_init);

static void __exit goheap_replay_exit(void)
{
	debugfs_remove(debugfs_dir);
	release();
	kfree(result);
}
module_exit(goheap_replay_exit);

MODULE_DESCRIPTION("Replay of recorded allocations on goheap and on kmalloc");
MODULE_LICENSE("GPL");
