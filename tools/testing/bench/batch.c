// SPDX-License-Identifier: GPL-2.0-only
/*
 * Batches: allocate n objects, then free them; one by one, or in one call.
 */
#include <linux/prandom.h>

#include "peers.h"

#define BATCH_OPS	16384
#define BATCH_LARGE	65536

/**
 * struct batch - the objects of a batch
 * @reps: batches in a round
 * @objs: the objects
 * @order: in which they are freed: indexes into @objs
 */
struct batch {
	u64 reps;
	void **objs;
	u32 *order;
};

/* ---- One by one --------------------------------------------------------- */

/* What is there if one fails is a part of the batch, in no order that matters. */
static __always_inline void batch_drop(const struct bench_pools *pools, void **objs,
				       unsigned int n, enum bench_peer peer)
{
	while (n--)
		peer_free(pools, peer, BENCH_SIZE, objs[n]);
}

static __always_inline int batch_loop(const struct bench_shape *shape,
				      const struct batch *b, u64 *ns,
				      enum bench_peer peer)
{
	const struct bench_pools *pools = &shape->pools;
	u64 rep, start = ktime_get_ns();
	unsigned int i, n = shape->count;
	const u32 *order = b->order;
	void *p, **objs = b->objs;

	for (rep = 0; rep < b->reps; rep++) {
		for (i = 0; i < n; i++) {
			p = peer_take(pools, peer, BENCH_SIZE, GFP_KERNEL);
			if (unlikely(!p)) {
				batch_drop(pools, objs, i, peer);
				return -ENOMEM;
			}
			objs[i] = p;
		}
		for (i = 0; i < n; i++)
			peer_free(pools, peer, BENCH_SIZE, objs[order[i]]);
	}
	*ns = ktime_get_ns() - start;
	return 0;
}

static int batch_round(struct bench_shape *shape, enum bench_peer peer,
		       struct bench_sample *sample)
{
	return peer_dispatch(peer, batch_loop, shape, shape->data, &sample->ns);
}

/* ---- In one call -------------------------------------------------------- */

/* All or nothing. kmalloc() has no call for many objects; kfree() has. */
static __always_inline bool bulk_alloc(const struct bench_shape *shape, unsigned int n,
				       void **objs, enum bench_peer peer)
{
	unsigned int i;

	switch (peer) {
	case BENCH_KMEM_CACHE:
		return kmem_cache_alloc_bulk(shape->pools.slab, GFP_KERNEL, n, objs);
	case BENCH_GOHEAP_CACHE:
		return goheap_cache_alloc_bulk(shape->pools.cache, GFP_KERNEL, n, objs);
	case BENCH_GOHEAP_ALLOC:
		return goheap_alloc_bulk(BENCH_SIZE, GFP_KERNEL, n, objs);
	case BENCH_KMALLOC:
		for (i = 0; i < n; i++) {
			objs[i] = kmalloc(BENCH_SIZE, GFP_KERNEL);
			if (unlikely(!objs[i])) {
				kfree_bulk(i, objs);
				return false;
			}
		}
		return true;
	default:
		return false;
	}
}

static __always_inline void bulk_free(const struct bench_shape *shape, unsigned int n,
				      void **objs, enum bench_peer peer)
{
	switch (peer) {
	case BENCH_KMEM_CACHE:
		kmem_cache_free_bulk(shape->pools.slab, n, objs);
		break;
	case BENCH_GOHEAP_CACHE:
		goheap_cache_free_bulk(shape->pools.cache, n, objs);
		break;
	case BENCH_GOHEAP_ALLOC:
		goheap_free_bulk(n, objs);
		break;
	case BENCH_KMALLOC:
		kfree_bulk(n, objs);
		break;
	default:
		break;
	}
}

static __always_inline int bulk_loop(const struct bench_shape *shape,
				     const struct batch *b, u64 *ns,
				     enum bench_peer peer)
{
	u64 rep, start = ktime_get_ns();
	unsigned int i, n = shape->count;
	void **objs = b->objs;

	for (rep = 0; rep < b->reps; rep++) {
		if (unlikely(!bulk_alloc(shape, n, objs, peer)))
			return -ENOMEM;
		for (i = 0; i < n; i++)
			peer_touch(objs[i]);
		bulk_free(shape, n, objs, peer);
	}
	*ns = ktime_get_ns() - start;
	return 0;
}

static int bulk_round(struct bench_shape *shape, enum bench_peer peer,
		      struct bench_sample *sample)
{
	return peer_dispatch(peer, bulk_loop, shape, shape->data, &sample->ns);
}

/* ---- Groups ------------------------------------------------------------- */

static void set_order(u32 *order, unsigned int n, enum bench_order kind)
{
	struct rnd_state rnd;
	unsigned int i, j;

	for (i = 0; i < n; i++)
		order[i] = kind == BENCH_LIFO ? n - 1 - i : i;
	if (kind != BENCH_RANDOM)
		return;
	prandom_seed_state(&rnd, n);
	for (i = n - 1; i > 0; i--) {
		j = prandom_u32_state(&rnd) % (i + 1);
		swap(order[i], order[j]);
	}
}

static int measure_batch(const struct bench_settings *set, struct bench_shape *shape)
{
	struct batch b;
	int err;

	b.reps = bench_scaled(set, max_t(u64, BATCH_OPS / shape->count, 1), 1);
	b.objs = kvcalloc(shape->count, sizeof(*b.objs), GFP_KERNEL);
	b.order = kvcalloc(shape->count, sizeof(*b.order), GFP_KERNEL);
	if (b.objs && b.order) {
		set_order(b.order, shape->count, shape->order);
		shape->ops = b.reps * shape->count;
		shape->data = &b;
		err = bench_measure(set, shape);
	} else {
		err = -ENOMEM;
	}
	kvfree(b.order);
	kvfree(b.objs);
	return err;
}

static int measure_order(const struct bench_settings *set, unsigned int count,
			 enum bench_order order)
{
	struct bench_shape shape = {
		.name = "batch",
		.peers = BENCH_ANY_PEER & ~(BIT(BENCH_VMALLOC) | BIT(BENCH_KVMALLOC)),
		.size = BENCH_SIZE,
		.count = count,
		.order = order,
		.cpus = 1,
		.round = batch_round,
	};

	return measure_batch(set, &shape);
}

/**
 * bench_batch_group() - batches of 64, 1024 and 65536 objects of 64 bytes
 * @set: how; the largest batch is left out below the full scale, as it cannot be less
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_batch_group(const struct bench_settings *set)
{
	static const unsigned int counts[] = { 64, 1024, BATCH_LARGE };
	enum bench_order order;
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		if (counts[i] == BATCH_LARGE && set->scale < 100)
			continue;
		for (order = BENCH_LIFO; order <= BENCH_RANDOM && !err; order++)
			err = measure_order(set, counts[i], order);
	}
	return err;
}

/**
 * bench_bulk_group() - 16, 64 and 256 objects of 64 bytes in one call
 * @set: how
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_bulk_group(const struct bench_settings *set)
{
	static const unsigned int counts[] = { 16, 64, 256 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(counts) && !err; i++) {
		struct bench_shape shape = {
			.name = "bulk",
			.peers = BENCH_FOUR,
			.size = BENCH_SIZE,
			.count = counts[i],
			.order = BENCH_NO_ORDER,
			.cpus = 1,
			.round = bulk_round,
		};

		err = measure_batch(set, &shape);
	}
	return err;
}
