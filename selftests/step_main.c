// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheap_step: goheap, interrupted at every instruction.
 *
 *   cat /sys/kernel/debug/goheap_step/PATH    runs a path once for each of its
 *                                             instructions, context and deed
 *
 * and prints a result for each context. See step.c for how, step_paths.c for the
 * paths, step_actions.c for contexts and deeds, step_verify.c for what must hold
 * afterwards.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "../mm/compat.h"
#include "../mm/malloc.h"
#include "step.h"

#define RESULT_BYTES	16384

/* Failed executions of a path after which it is given up. */
#define WRONG_MAX	3

unsigned int step_home, step_away, step_idle;

static DEFINE_MUTEX(run_lock);
static struct dentry *dir;

static unsigned int visits = 4;
module_param(visits, uint, 0644);
MODULE_PARM_DESC(visits, "how often an instruction of a loop is a point (default 4)");

static unsigned int contexts = BIT(STEP_NR_CONTEXTS) - 1;
module_param(contexts, uint, 0644);
MODULE_PARM_DESC(contexts, "mask of contexts: NMI, interrupt, softirq, task, migration, another CPU");

/* ---- errors ------------------------------------------------------------- */

static atomic_t nr_wrong;
static char first_wrong[160];

/**
 * step_wrong() - note that something is wrong
 * @fmt: what
 *
 * Only the first text since it was last asked for is kept.
 *
 * Context: any.
 */
void step_wrong(const char *fmt, ...)
{
	va_list args;

	if (atomic_inc_return(&nr_wrong) > 1)
		return;
	va_start(args, fmt);
	vsnprintf(first_wrong, sizeof(first_wrong), fmt, args);
	va_end(args);
}

/**
 * step_is_wrong() - ask whether anything is wrong
 *
 * Return: true if so.
 */
bool step_is_wrong(void)
{
	return atomic_read(&nr_wrong);
}

/* ---- running a path ----------------------------------------------------- */

/* Executions of a path that went another way, until a point is looked for on any way. */
#define LOST_MAX	2

/*
 * How often a path is learnt anew until it gets further, and by how many points it goes
 * back then.
 */
#define STUCK_MAX	20
#define LEARNT_BACK	8

/* Paths with more points than this have all deeds done at once. */
#define LONG_PATH	400

/**
 * struct outcome - the outcome of a path in one context
 * @points: executions
 * @at_once: those whose action came right at the point
 * @length: instructions of the path
 * @learnt: how often the path was learnt anew
 * @lost: where it last went another way
 * @wrong: executions after which something was wrong
 */
struct outcome {
	unsigned long points;
	unsigned long at_once;
	unsigned long length;
	unsigned long learnt;
	unsigned long lost;
	unsigned long wrong;
};

/**
 * struct trial - a path in one context, with one deed
 * @m: where results go
 * @path: the path
 * @context: in which context
 * @deed: what is done
 * @furthest: the last point that was there
 * @stuck: how often the path was learnt anew since
 * @out: the outcome
 */
struct trial {
	struct seq_file *m;
	const struct step_path *path;
	enum step_context context;
	enum step_deed deed;
	unsigned int furthest;
	unsigned int stuck;
	struct outcome out;
};

static void tell_wrong(struct trial *t, const struct step_run *run)
{
	seq_printf(t->m, "# %s, %s, %s, point %u, at %pS: %s\n", t->path->name,
		   step_context_name[t->context], step_deed_name[t->deed],
		   run->at, (void *)run->acted, first_wrong);
	atomic_set(&nr_wrong, 0);
	t->out.wrong++;
}

static void prepare(struct trial *t)
{
	step_action_prepare(t->path, t->context, t->deed);
	step_path_prepare(t->path);
}

static void finish(struct trial *t, const struct step_run *run)
{
	step_path_finish(t->path);
	step_verify();
	if (step_is_wrong())
		tell_wrong(t, run);
	cond_resched();
}

static unsigned int learn_once(struct trial *t)
{
	struct step_run run = { };
	unsigned int n;

	prepare(t);
	n = step_learn(t->path->fn, t->path->visits ?: visits);
	t->out.length = step_length();
	finish(t, &run);
	return n;
}

/* The first time, a path may set up things that are there from then on. */
static unsigned int learn(struct trial *t)
{
	learn_once(t);
	return learn_once(t);
}

/* Execute a path once. Returns false if it did not come to the point. */
static bool run_once(struct trial *t, unsigned int at, bool any_way)
{
	struct step_run run = {
		.fn = t->path->fn, .act = step_act, .at = at, .any_way = any_way,
	};

	prepare(t);
	step_execute(&run);
	if (run.acted)
		step_action_wait();
	finish(t, &run);
	t->out.points += !!run.acted;
	t->out.at_once += run.at_once;
	t->out.lost = run.lost ?: t->out.lost;
	return run.acted;
}

/* Returns false if the point is not there. */
static bool run_point(struct trial *t, unsigned int at)
{
	unsigned int tries = LOST_MAX;

	/* Elsewhere it would be migrated later, where it is tried as well. */
	if (t->context == STEP_MIGRATE && !step_preemptible(at))
		return true;
	while (tries--)
		if (run_once(t, at, false))
			return true;
	return run_once(t, at, true);
}

/*
 * How a path goes depends a little on which pages are free. If it goes another way
 * time and again, it is learnt anew, and continued from a few points before.
 */
static unsigned int learn_again(struct trial *t, unsigned int *at)
{
	*at = max_t(int, *at - LEARNT_BACK, 0);
	t->out.learnt++;
	if (++t->stuck > STUCK_MAX) {
		seq_printf(t->m, "# %s, %s: point %u is not there again: %pS\n",
			   t->path->name, step_deed_name[t->deed],
			   t->furthest + 1, (void *)t->out.lost);
		t->out.wrong++;
		return 0;
	}
	return learn_once(t);
}

static bool is_deed_wanted(const struct trial *t, unsigned int npoints)
{
	if (t->path->deeds || t->deed == STEP_SPECIAL)
		return true;
	if (npoints > LONG_PATH)
		return t->deed == STEP_ALL;
	return t->deed != STEP_ALL;
}

static void run_deed(struct trial *t)
{
	unsigned int at, n = learn(t);

	if (!is_deed_wanted(t, n))
		return;
	t->furthest = 0;
	t->stuck = 0;
	for (at = 1; at <= n && t->out.wrong < WRONG_MAX; at++) {
		if (!run_point(t, at)) {
			n = learn_again(t, &at);
		} else if (at > t->furthest) {
			t->furthest = at;
			t->stuck = 0;
		}
	}
}

/* Returns false if anything is wrong. */
static bool run_context(struct trial *t)
{
	u64 start = ktime_get_ns();
	bool any = false;

	t->out = (struct outcome){ };
	for (t->deed = 0; t->deed < STEP_NR_DEEDS; t->deed++) {
		if (!step_deed_fits(t->path, t->context, t->deed))
			continue;
		run_deed(t);
		any = true;
	}
	/* Some paths cannot be preempted anywhere. */
	if (!any || (t->context == STEP_MIGRATE && !t->out.points && !t->out.wrong))
		return true;
	seq_printf(t->m, "%s - %s: %s: %lu points (%lu at once) in %lu instructions, %llu ms\n",
		   t->out.wrong || !t->out.points ? "not ok" : "ok",
		   t->path->name, step_context_name[t->context], t->out.points,
		   t->out.at_once, t->out.length,
		   div_u64(ktime_get_ns() - start, NSEC_PER_MSEC));
	if (t->out.learnt)
		seq_printf(t->m, "# learnt anew %lu times\n", t->out.learnt);
	return !t->out.wrong;
}

static void run_path(struct seq_file *m, const struct step_path *path)
{
	/* A path that failed may leave things that the next would be blamed for. */
	static bool spoilt;
	struct trial t = { .m = m, .path = path };

	if (spoilt) {
		seq_printf(m, "not ok - %s: not run after one that failed\n",
			   path->name);
		return;
	}
	set_cpus_allowed_ptr(current, cpumask_of(step_home));
	/* Ageing in the background would disturb what is prepared. */
	gh_kheap->aged = jiffies + 3600 * HZ;
	mod_delayed_work(gh_wq, &gh_kheap->background, 3600 * HZ);
	step_base_take();
	for (t.context = 0; t.context < STEP_NR_CONTEXTS; t.context++)
		if (contexts & BIT(t.context) && !spoilt)
			spoilt = !run_context(&t);
	step_actions_rest();
	step_verify_all();
	if (step_is_wrong())
		seq_printf(m, "not ok - %s: %s\n", path->name, first_wrong);
	atomic_set(&nr_wrong, 0);
	gh_kheap->aged = jiffies;
	mod_delayed_work(gh_wq, &gh_kheap->background, 0);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* ---- debugfs ------------------------------------------------------------ */

static int path_show(struct seq_file *m, void *v)
{
	mutex_lock(&run_lock);
	run_path(m, m->private);
	mutex_unlock(&run_lock);
	return 0;
}

static int path_open(struct inode *inode, struct file *file)
{
	/* Should the text not fit, the path would run again. */
	return single_open_size(file, path_show, inode->i_private, RESULT_BYTES);
}

static const struct file_operations path_fops = {
	.owner = THIS_MODULE,
	.open = path_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

/* Some paths need CPUs, or another node. */
static bool is_possible(const struct step_path *path)
{
	if (path->other && step_away == step_home)
		return false;
	return !path->possible || path->possible();
}

static void make_files(const struct step_path *paths, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (is_possible(&paths[i]))
			debugfs_create_file(paths[i].name, 0400, dir,
					    (void *)&paths[i], &path_fops);
}

/* The last three: the first of these is often of another node than the others. */
static void choose_cpus(void)
{
	unsigned int skip = max_t(int, num_online_cpus() - 3, 0);
	unsigned int *which[] = { &step_home, &step_away, &step_idle };
	unsigned int n = 0;
	int cpu;

	for_each_online_cpu(cpu) {
		if (skip) {
			skip--;
			continue;
		}
		if (n < ARRAY_SIZE(which))
			*which[n++] = cpu;
	}
	while (n < ARRAY_SIZE(which))
		*which[n++] = step_home;
}

static int __init step_init(void)
{
	int err;

	choose_cpus();
	err = step_objects_init();
	if (err)
		return err;
	err = step_actions_init();
	if (err)
		goto no_actions;
	err = step_engine_init();
	if (err)
		goto no_engine;
	step_paths_init();
	step_state_init();
	step_pages_init();
	dir = debugfs_create_dir("goheap_step", NULL);
	make_files(step_paths, step_nr_paths);
	make_files(step_reclaim_paths, step_nr_reclaim_paths);
	make_files(step_pairs, step_nr_pairs);
	make_files(step_pins, step_nr_pins);
	step_pins_init(dir);
	return 0;

no_engine:
	step_actions_exit();
no_actions:
	step_objects_exit();
	return err;
}
module_init(step_init);

static void __exit step_exit(void)
{
	debugfs_remove_recursive(dir);
	step_pins_exit();
	step_engine_exit();
	step_actions_exit();
	step_objects_exit();
}
module_exit(step_exit);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap, interrupted at every instruction");
MODULE_LICENSE("GPL");
