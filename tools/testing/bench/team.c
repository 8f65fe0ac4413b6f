// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads, each bound to a CPU, that start together and are timed from the first that
 * began to the last that ended.
 *
 * A thread that waits for another spins a little and then sleeps: with one CPU, or with
 * fewer real ones than the guest believes in, the other needs the one that it is on.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "../nth_cpu.h"
#include "bench.h"

#define SPINS	64

/**
 * bench_relax() - wait a little for another thread
 * @tries: counts calls; start it at 0
 *
 * Context: process context, may sleep.
 */
void bench_relax(unsigned int *tries)
{
	if (++*tries % SPINS)
		cpu_relax();
	else
		usleep_range(10, 20);
}

/**
 * bench_barrier() - wait until all threads of a team are here
 * @team: the team
 *
 * Context: process context, may sleep.
 * Return: 0, or the error of a thread, which then will not come.
 */
int bench_barrier(struct bench_team *team)
{
	/* Nobody arrives for the next time before all have for this one. */
	unsigned int arrived = atomic_inc_return(&team->arrived);
	unsigned int goal = roundup(arrived, team->n);
	unsigned int tries = 0;

	while ((unsigned int)atomic_read_acquire(&team->arrived) < goal) {
		if (READ_ONCE(team->err))
			return READ_ONCE(team->err);
		bench_relax(&tries);
	}
	return 0;
}

static int thread_main(void *data)
{
	struct bench_thread *t = data;
	struct bench_team *team = t->team;
	int err = bench_barrier(team);

	t->begun = ktime_get_ns();
	if (!err)
		err = team->fn(t);
	t->ended = ktime_get_ns();
	if (err)
		WRITE_ONCE(team->err, err);
	complete(&t->done);
	return 0;
}

static int thread_create(struct bench_thread *t, unsigned int cpu)
{
	init_completion(&t->done);
	t->task = kthread_create(thread_main, t, "goheap_bench/%u", t->id);
	if (IS_ERR(t->task))
		return PTR_ERR(t->task);
	kthread_bind(t->task, cpu);
	/* The thread may have ended long before it is waited for. */
	get_task_struct(t->task);
	return 0;
}

static void thread_reap(struct bench_thread *t)
{
	kthread_stop(t->task);
	put_task_struct(t->task);
}

/* All or none: the barrier waits for all. A thread not woken runs nothing. */
static int team_create(struct bench_team *team)
{
	unsigned int i;
	int err;

	for (i = 0; i < team->n; i++) {
		struct bench_thread *t = &team->threads[i];

		t->team = team;
		t->id = i;
		err = thread_create(t, nth_online_cpu(i % team->shape->cpus));
		if (err) {
			while (i--)
				thread_reap(&team->threads[i]);
			return err;
		}
	}
	return 0;
}

static void team_join(struct bench_team *team, struct bench_sample *sample)
{
	u64 begun = ~0ULL, ended = 0, ops = 0;
	unsigned int i;

	for (i = 0; i < team->n; i++)
		wake_up_process(team->threads[i].task);
	for (i = 0; i < team->n; i++) {
		struct bench_thread *t = &team->threads[i];

		wait_for_completion(&t->done);
		thread_reap(t);
		begun = min(begun, t->begun);
		ended = max(ended, t->ended);
		ops += t->ops;
	}
	sample->ns = ended - begun;
	sample->ops = ops;
}

/**
 * bench_team_run() - run threads to their end
 * @team: @n, @fn and what it needs are set, the rest is 0
 * @sample: time and number of objects of all threads
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error; then the sample says nothing.
 */
int bench_team_run(struct bench_team *team, struct bench_sample *sample)
{
	int err;

	team->threads = kcalloc(team->n, sizeof(*team->threads), GFP_KERNEL);
	if (!team->threads)
		return -ENOMEM;
	err = team_create(team);
	if (!err) {
		team_join(team, sample);
		err = team->err;
	}
	kfree(team->threads);
	return err;
}
