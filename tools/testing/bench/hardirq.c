// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pairs in hardirq context, in a timer that comes as often as it takes.
 *
 * Only the pairs are timed, not the interrupt around them.
 */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/preempt.h>

#include "../../../mm/compat.h"
#include "peers.h"

#define HARDIRQ_OPS	10000
/* Pairs in one interrupt: it must not be a long one under emulation either. */
#define HARDIRQ_CHUNK	256
#define HARDIRQ_GAP_NS	100000

/**
 * struct hardirq_round - pairs done by a timer
 * @timer: does some each time
 * @shape: of which size
 * @peer: with whom
 * @left: pairs still to do
 * @ns: time of those done
 * @err: why it ended early, or 0
 * @done: it ended
 */
struct hardirq_round {
	struct hrtimer timer;
	const struct bench_shape *shape;
	enum bench_peer peer;
	u64 left;
	u64 ns;
	int err;
	struct completion done;
};

static enum hrtimer_restart hardirq_fn(struct hrtimer *timer)
{
	struct hardirq_round *r = container_of(timer, struct hardirq_round, timer);
	u64 ns = 0, n = min_t(u64, r->left, HARDIRQ_CHUNK);

	if (in_hardirq())
		r->err = peer_dispatch(r->peer, peer_pairs, &r->shape->pools, BENCH_SIZE,
				       GFP_ATOMIC, n, &ns);
	else
		r->err = -EOPNOTSUPP;
	r->ns += ns;
	r->left -= n;
	if (r->err || !r->left) {
		complete(&r->done);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(timer, ns_to_ktime(HARDIRQ_GAP_NS));
	return HRTIMER_RESTART;
}

static int hardirq_round(struct bench_shape *shape, enum bench_peer peer,
			 struct bench_sample *sample)
{
	struct hardirq_round *r = kzalloc(sizeof(*r), GFP_KERNEL);
	int err;

	if (!r)
		return -ENOMEM;
	r->shape = shape;
	r->peer = peer;
	r->left = shape->ops;
	init_completion(&r->done);
	gh_hrtimer_setup(&r->timer, hardirq_fn, HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(&r->timer, ns_to_ktime(HARDIRQ_GAP_NS),
		      HRTIMER_MODE_REL_PINNED_HARD);
	wait_for_completion(&r->done);
	/* The function may not have returned yet. */
	hrtimer_cancel(&r->timer);
	sample->ns = r->ns;
	err = r->err;
	kfree(r);
	return err;
}

/**
 * bench_hardirq_group() - pairs of 64 bytes in hardirq context
 * @set: how
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_hardirq_group(const struct bench_settings *set)
{
	struct bench_shape shape = {
		.name = "pair",
		.peers = BENCH_ANY_PEER & ~(BIT(BENCH_VMALLOC) | BIT(BENCH_KVMALLOC)),
		.size = BENCH_SIZE,
		.count = 1,
		.order = BENCH_NO_ORDER,
		.cpus = 1,
		.ops = bench_scaled(set, HARDIRQ_OPS, 1),
		.round = hardirq_round,
	};

	return bench_measure(set, &shape);
}
