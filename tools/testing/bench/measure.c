// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rounds. In each, the peers of a shape take turns, so that what disturbs the machine
 * for a while disturbs all of them.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "bench.h"

#define PS_PER_NS	1000

/**
 * struct tally - what the rounds of one peer found
 * @best: of the fastest round, but with the most that any round held
 * @ps: picoseconds a pair, by round
 */
struct tally {
	struct bench_sample best;
	u64 *ps;
};

static int ps_cmp(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u64 sample_ps(const struct bench_sample *sample)
{
	return div64_u64(sample->ns * PS_PER_NS, sample->ops);
}

static void tally_add(struct tally *t, const struct bench_sample *sample,
		      unsigned int round)
{
	u64 held = sample->held;

	t->ps[round] = sample_ps(sample);
	if (!round) {
		t->best = *sample;
		return;
	}
	if (held != BENCH_NOT_HELD)
		held = max(held, t->best.held);
	if (t->ps[round] < sample_ps(&t->best))
		t->best = *sample;
	t->best.held = held;
}

static void tally_publish(struct tally *t, const struct bench_shape *shape,
			  enum bench_peer peer, unsigned int rounds)
{
	u64 *ps = t->ps, median;

	sort(ps, rounds, sizeof(*ps), ps_cmp, NULL);
	median = (ps[(rounds - 1) / 2] + ps[rounds / 2]) / 2;
	bench_result_add(shape, peer, &t->best, rounds, ps[0], median);
}

static int run_once(struct bench_shape *shape, enum bench_peer peer,
		    struct bench_sample *sample)
{
	sample->ns = 0;
	sample->ops = shape->ops;
	sample->held = BENCH_NOT_HELD;
	return shape->round(shape, peer, sample);
}

/*
 * Every peer once. One that fails is out: part of its figures would mislead. Threads
 * cannot be had in a task that was killed; that is nobody's failure.
 */
static int run_round(struct bench_shape *shape, struct tally *tallies, int round)
{
	struct bench_sample sample;
	unsigned int peer;
	int err;

	for_each_set_bit(peer, &shape->peers, BENCH_NR_PEERS) {
		err = run_once(shape, peer, &sample);
		if (err == -EINTR)
			return err;
		if (err) {
			bench_result_failed(shape, peer, err);
			__clear_bit(peer, &shape->peers);
		} else if (round >= 0) {
			tally_add(&tallies[peer], &sample, round);
		}
		cond_resched();
	}
	return 0;
}

/* Round -1 warms up. */
static int run_rounds(struct bench_shape *shape, struct tally *tallies, int rounds)
{
	unsigned int peer;
	int round, err;

	for (round = -1; round < rounds; round++) {
		err = signal_pending(current) ? -EINTR : run_round(shape, tallies, round);
		if (err)
			return err;
	}
	for_each_set_bit(peer, &shape->peers, BENCH_NR_PEERS)
		tally_publish(&tallies[peer], shape, peer, rounds);
	return 0;
}

static void drop_peers_that_cannot(struct bench_shape *shape)
{
	unsigned int peer;

	for_each_set_bit(peer, &shape->peers, BENCH_NR_PEERS)
		if (!bench_peer_can(shape, peer))
			__clear_bit(peer, &shape->peers);
}

/**
 * bench_measure() - measure a shape, and publish what each peer takes for it
 * @set: how
 * @shape: the shape; its peers become those that could be measured
 *
 * Context: process context, may sleep.
 * Return: 0, also if peers failed (which is noted), or a negative error.
 */
int bench_measure(const struct bench_settings *set, struct bench_shape *shape)
{
	struct tally tallies[BENCH_NR_PEERS];
	unsigned int peer;
	u64 *ps;
	int err;

	ps = kcalloc(BENCH_NR_PEERS * set->rounds, sizeof(*ps), GFP_KERNEL);
	if (!ps)
		return -ENOMEM;
	for (peer = 0; peer < BENCH_NR_PEERS; peer++)
		tallies[peer].ps = ps + peer * set->rounds;
	drop_peers_that_cannot(shape);
	err = bench_pools_open(shape);
	if (!err)
		err = run_rounds(shape, tallies, set->rounds);
	bench_pools_close(shape);
	kfree(ps);
	return err;
}
