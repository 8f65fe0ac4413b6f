// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pairs: allocate an object, touch it, free it. Of 64 bytes, and of many sizes.
 *
 * The size is a constant in every loop, because that is how kmalloc() is mostly used and
 * what it is fastest with: it then knows its cache when it is compiled.
 */
#include <linux/sizes.h>

#include "peers.h"

#define PAIR_OPS	10000
#define SIZES_OPS	2000
/* Bytes allocated in a round, at most, if that are two objects or more. */
#define SIZES_BYTES	SZ_16M

static __always_inline int pairs_of_size(const struct bench_shape *shape,
					 enum bench_peer peer, size_t size, u64 ops,
					 u64 *ns)
{
	const struct bench_pools *pools = &shape->pools;

	if (shape->zero)
		return peer_dispatch(peer, peer_pairs, pools, size,
				     GFP_KERNEL | __GFP_ZERO, ops, ns);
	return peer_dispatch(peer, peer_pairs, pools, size, GFP_KERNEL, ops, ns);
}

/**
 * bench_pairs() - do a number of pairs
 * @shape: says of which size, and whether zeroed
 * @peer: with whom
 * @ops: how many
 * @ns: time it took
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_pairs(const struct bench_shape *shape, enum bench_peer peer, u64 ops, u64 *ns)
{
	switch (shape->size) {
	case 8:
		return pairs_of_size(shape, peer, 8, ops, ns);
	case 16:
		return pairs_of_size(shape, peer, 16, ops, ns);
	case 64:
		return pairs_of_size(shape, peer, 64, ops, ns);
	case 192:
		return pairs_of_size(shape, peer, 192, ops, ns);
	case 1024:
		return pairs_of_size(shape, peer, 1024, ops, ns);
	case 4096:
		return pairs_of_size(shape, peer, 4096, ops, ns);
	case SZ_32K:
		return pairs_of_size(shape, peer, SZ_32K, ops, ns);
	case SZ_64K:
		return pairs_of_size(shape, peer, SZ_64K, ops, ns);
	case SZ_1M:
		return pairs_of_size(shape, peer, SZ_1M, ops, ns);
	case SZ_16M:
		return pairs_of_size(shape, peer, SZ_16M, ops, ns);
	default:
		return -EINVAL;
	}
}

static int pair_round(struct bench_shape *shape, enum bench_peer peer,
		      struct bench_sample *sample)
{
	return bench_pairs(shape, peer, shape->ops, &sample->ns);
}

static int measure_pairs(const struct bench_settings *set, size_t size, bool zero, u64 ops)
{
	struct bench_shape shape = {
		.name = "pair",
		.peers = BENCH_ANY_PEER,
		.size = size,
		.count = 1,
		.order = BENCH_NO_ORDER,
		.zero = zero,
		.cpus = 1,
		.ops = ops,
		.round = pair_round,
	};

	return bench_measure(set, &shape);
}

/**
 * bench_pair_group() - pairs of 64 bytes
 * @set: how
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_pair_group(const struct bench_settings *set)
{
	u64 ops = bench_scaled(set, PAIR_OPS, 1);

	return measure_pairs(set, BENCH_SIZE, false, ops) ?:
	       measure_pairs(set, BENCH_SIZE, true, ops);
}

/**
 * bench_sizes_group() - pairs of 8 bytes to 16 MiB
 * @set: how
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_sizes_group(const struct bench_settings *set)
{
	static const size_t sizes[] = {
		8, 16, 64, 192, 1024, 4096, SZ_32K, SZ_64K, SZ_1M, SZ_16M,
	};
	unsigned int i;
	int err = 0;
	u64 ops;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		ops = bench_scaled(set, min_t(u64, SIZES_OPS, SIZES_BYTES / sizes[i]), 2);
		err = measure_pairs(set, sizes[i], false, ops) ?:
		      measure_pairs(set, sizes[i], true, ops);
	}
	return err;
}
