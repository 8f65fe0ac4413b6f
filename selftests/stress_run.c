// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads of a scenario, and base lines: states of the heap that it must come
 * back to when the scenario has freed everything.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "../mm/compat.h"
#include "../mm/vmem.h"
#include "../tools/testing/nth_cpu.h"
#include "stress.h"

/* ---- threads ------------------------------------------------------------ */

static int worker_main(void *arg)
{
	struct st_worker *w = arg;

	w->fn(w);
	complete(&w->done);
	return 0;
}

static int worker_start(struct st_worker *w, int where)
{
	w->task = kthread_create(worker_main, w, "gh_stress/%u", w->id);
	if (IS_ERR(w->task))
		return PTR_ERR(w->task);
	if (where == ST_BOUND)
		where = nth_online_cpu(w->id);
	if (where >= 0)
		kthread_bind(w->task, where);
	/* The thread may have ended long before it is waited for. */
	get_task_struct(w->task);
	wake_up_process(w->task);
	return 0;
}

static void worker_join(struct st_worker *w)
{
	/* In short waits: a long one would pass for a hung task. */
	while (!wait_for_completion_timeout(&w->done, HZ))
		;
	kthread_stop(w->task);
	put_task_struct(w->task);
}

/**
 * st_run() - run threads to their end
 * @n: how many
 * @where: a CPU, ST_BOUND or ST_UNBOUND
 * @fn: what each does
 * @arg: for @fn, in &st_worker.arg
 * @meanwhile: called while they run, or NULL
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error; then less than @n threads ran.
 */
int st_run(unsigned int n, int where, void (*fn)(struct st_worker *w),
	   void *arg, void (*meanwhile)(void *arg))
{
	struct st_worker *workers = kcalloc(n, sizeof(*workers), GFP_KERNEL);
	unsigned int i, started;
	int err = 0;

	if (!workers)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		workers[i].id = i;
		workers[i].fn = fn;
		workers[i].arg = arg;
		st_rng_init(&workers[i].rng, i);
		init_completion(&workers[i].done);
	}
	for (started = 0; started < n; started++) {
		err = worker_start(&workers[started], where);
		if (err)
			break;
	}
	if (meanwhile)
		meanwhile(arg);
	for (i = 0; i < started; i++)
		worker_join(&workers[i]);
	kfree(workers);
	if (err)
		st_bad("a thread did not start: %d", err);
	return err;
}

/**
 * st_run_on() - run a function on a CPU, in a thread
 * @cpu: the CPU
 * @fn: the function
 * @arg: in &st_worker.arg
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int st_run_on(int cpu, void (*fn)(struct st_worker *w), void *arg)
{
	return st_run(1, cpu, fn, arg, NULL);
}

/* ---- base lines --------------------------------------------------------- */

#define FIELD(field) { #field, offsetof(struct goheap_stats, field) }

/* What must be as it was. */
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(heap_alloc),
	FIELD(objects),
	FIELD(stack_inuse),
	FIELD(cached),
	FIELD(spans_inuse),
	FIELD(pages_inuse),
	FIELD(mspan_sys),
	FIELD(caches),
	FIELD(bad_frees[GOHEAP_BAD_WILD]),
	FIELD(bad_frees[GOHEAP_BAD_INTERIOR]),
	FIELD(bad_frees[GOHEAP_BAD_DOUBLE]),
	FIELD(bad_frees[GOHEAP_BAD_FOREIGN]),
};

static u64 base_field(const struct st_base *base, unsigned int i)
{
	return *(const u64 *)((const char *)&base->stats + fields[i].offset);
}

/**
 * st_base_take() - give back what is free, and note the heap's state
 * @base: the state
 *
 * Context: process context, may sleep.
 */
void st_base_take(struct st_base *base)
{
	rcu_barrier();
	goheap_shrink();
	goheap_get_stats(&base->stats);
	base->committed = gh_vmem_committed_bytes();
}

static bool base_differs(const struct st_base *base, const struct st_base *now,
			 bool tell)
{
	bool differs = false;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		if (base_field(base, i) == base_field(now, i))
			continue;
		differs = true;
		if (tell)
			st_note("%s was %llu and is %llu", fields[i].name,
				base_field(base, i), base_field(now, i));
	}
	/* An eager heap may have grown. */
	if (gh_vmem_is_sparse() && base->committed != now->committed) {
		differs = true;
		if (tell)
			st_note("committed was %lu and is %lu",
				base->committed, now->committed);
	}
	return differs;
}

/**
 * st_base_same() - ask whether the heap is as it was
 * @base: as it was
 * @tell: note the differences
 *
 * Work that is still on its way gets time to finish.
 *
 * Context: process context, may sleep.
 * Return: true if it is.
 */
bool st_base_same(const struct st_base *base, bool tell)
{
	struct st_base now;
	unsigned int try;

	for (try = 0; try < 20; try++) {
		st_base_take(&now);
		if (!base_differs(base, &now, false))
			return true;
		msleep(20);
	}
	base_differs(base, &now, tell);
	return false;
}

/**
 * st_base_check() - give a result: the heap is as it was
 * @base: as it was
 *
 * Context: process context, may sleep.
 */
void st_base_check(const struct st_base *base)
{
	st_check(st_base_same(base, true), "nothing is lost");
}
