// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private pairs on 1 to N CPUs at once: does an allocator scale?
 *
 * The threads work for a while, not for a number of pairs, so that none of them ever
 * works alone. The first to begin says when it ends, for all.
 */
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "bench.h"

#define PARALLEL_NS	(50 * NSEC_PER_MSEC)
#define PARALLEL_MIN_NS	(5 * NSEC_PER_MSEC)
/* Pairs between two looks at the clock. */
#define PARALLEL_CHUNK	128

/**
 * struct interval - when the pairs count
 * @ns: how long
 * @end: when it ends, or 0 while nobody has begun
 */
struct interval {
	u64 ns;
	atomic64_t end;
};

static int pairs_for_a_while(struct bench_thread *t)
{
	const struct bench_team *team = t->team;
	struct interval *interval = team->arg;
	u64 ns, end;
	int err;

	atomic64_cmpxchg(&interval->end, 0, t->begun + interval->ns);
	end = atomic64_read(&interval->end);
	for (;;) {
		err = bench_pairs(team->shape, team->peer, PARALLEL_CHUNK, &ns);
		/* The chunk in which it ends does not count, unless it is the only one. */
		if (err || (t->ops && ktime_get_ns() > end))
			return err;
		t->ops += PARALLEL_CHUNK;
		cond_resched();
	}
}

static int parallel_round(struct bench_shape *shape, enum bench_peer peer,
			  struct bench_sample *sample)
{
	struct interval interval = { .ns = *(u64 *)shape->data };
	struct bench_team team = {
		.n = shape->cpus,
		.fn = pairs_for_a_while,
		.shape = shape,
		.peer = peer,
		.arg = &interval,
	};
	int err = bench_team_run(&team, sample);

	sample->ns = interval.ns;
	return err;
}

/**
 * bench_parallel_group() - private pairs on 1 to N CPUs
 * @set: how
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_parallel_group(const struct bench_settings *set)
{
	u64 ns = bench_scaled(set, PARALLEL_NS, PARALLEL_MIN_NS);
	unsigned int cpus;
	int err = 0;

	for (cpus = 1; cpus <= set->cpus && !err; cpus++) {
		struct bench_shape shape = {
			.name = "pair",
			.peers = BIT(BENCH_FLOOR) | BENCH_FOUR,
			.size = BENCH_SIZE,
			.count = 1,
			.order = BENCH_NO_ORDER,
			.cpus = cpus,
			.round = parallel_round,
			.data = &ns,
		};

		err = bench_measure(set, &shape);
	}
	return err;
}
