// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: how much of it the peers take to hold 32 MiB of objects.
 *
 * What is counted is what a peer took from the system for these objects, its own records
 * included. What is subtracted is, for SLUB, what it held before, having given back all
 * that was free; for goheap, what it held when this module was loaded: records are not
 * given back, so those of an earlier round would pass for free.
 */
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "peers.h"

#define MEMORY_BYTES	SZ_32M
#define MEMORY_MIX_MIN	8
#define MEMORY_MIX_MAX	4096

/**
 * struct holding - the objects that are held
 * @objs: the objects
 * @sizes: their sizes, bytes
 */
struct holding {
	void **objs;
	u16 *sizes;
};

/* What goheap held when it was new to this module. */
static u64 goheap_first;

/**
 * bench_memory_init() - look at what there is before anything is measured
 *
 * Context: process context.
 */
void __init bench_memory_init(void)
{
	goheap_first = bench_held(BENCH_GOHEAP_ALLOC);
}

static u64 held_before(enum bench_peer peer)
{
	if (peer == BENCH_KMEM_CACHE || peer == BENCH_KMALLOC)
		return bench_held(peer);
	return goheap_first;
}

static __always_inline int hold_alloc(const struct bench_shape *shape,
				      const struct holding *h, unsigned int *n,
				      enum bench_peer peer)
{
	unsigned int i;

	for (i = 0; i < shape->count; i++) {
		h->objs[i] = peer_take(&shape->pools, peer, h->sizes[i], GFP_KERNEL);
		if (unlikely(!h->objs[i]))
			break;
		if (!(i % 1024))
			cond_resched();
	}
	*n = i;
	return i == shape->count ? 0 : -ENOMEM;
}

static __always_inline int hold_free(const struct bench_shape *shape,
				     const struct holding *h, unsigned int n,
				     enum bench_peer peer)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		peer_free(&shape->pools, peer, h->sizes[i], h->objs[i]);
		if (!(i % 1024))
			cond_resched();
	}
	return 0;
}

static int hold_round(struct bench_shape *shape, enum bench_peer peer,
		      struct bench_sample *sample)
{
	struct holding *h = shape->data;
	u64 before, start, allocated;
	unsigned int n = 0;
	int err;

	bench_settle(&shape->pools, peer);
	before = held_before(peer);
	start = ktime_get_ns();
	err = peer_dispatch(peer, hold_alloc, shape, h, &n);
	allocated = ktime_get_ns() - start;
	sample->held = max(bench_held(peer), before) - before;
	start = ktime_get_ns();
	peer_dispatch(peer, hold_free, shape, h, n);
	sample->ns = allocated + ktime_get_ns() - start;
	return err;
}

/* Sizes whose logarithms are evenly spread: small objects are the most. */
static u16 mixed_size(struct rnd_state *rnd)
{
	u32 doublings = prandom_u32_state(rnd) % ilog2(MEMORY_MIX_MAX / MEMORY_MIX_MIN);
	u32 least = MEMORY_MIX_MIN << doublings;

	return least + prandom_u32_state(rnd) % least;
}

/* Returns how many objects of @size, or if that is 0 of mixed sizes, make @nbytes. */
static unsigned int set_sizes(u16 *sizes, unsigned int room, size_t size, size_t nbytes)
{
	struct rnd_state rnd;
	unsigned int n = 0;
	size_t sum;

	prandom_seed_state(&rnd, 1);
	for (sum = 0; sum < nbytes && n < room; sum += sizes[n++])
		sizes[n] = size ?: mixed_size(&rnd);
	return n;
}

static int measure_memory(const struct bench_settings *set, size_t size, size_t nbytes)
{
	unsigned int room = nbytes / (size ?: MEMORY_MIX_MIN);
	struct holding h;
	struct bench_shape shape = {
		.name = size ? "hold" : "mix",
		.peers = size ? BENCH_FOUR : BENCH_TWO,
		.size = size,
		.order = BENCH_FIFO,
		.cpus = 1,
		.round = hold_round,
		.data = &h,
	};
	int err = -ENOMEM;

	h.sizes = kvcalloc(room, sizeof(*h.sizes), GFP_KERNEL);
	h.objs = kvcalloc(room, sizeof(*h.objs), GFP_KERNEL);
	if (h.sizes && h.objs) {
		shape.count = set_sizes(h.sizes, room, size, nbytes);
		shape.ops = shape.count;
		err = bench_measure(set, &shape);
	}
	kvfree(h.objs);
	kvfree(h.sizes);
	return err;
}

/**
 * bench_memory_group() - what 32 MiB of objects take
 * @set: how; less than half of it would tell about per-CPU caches instead
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_memory_group(const struct bench_settings *set)
{
	static const size_t sizes[] = { 64, 192, 1024, 4096, 0 };
	size_t nbytes = mult_frac(MEMORY_BYTES, clamp(set->scale, 51U, 100U), 100U);
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++)
		err = measure_memory(set, sizes[i], nbytes);
	return err;
}
