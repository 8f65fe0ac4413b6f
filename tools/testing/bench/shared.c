// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an object costs under locks that other CPUs may want: instructions with a
 * spinlock held, locks taken, atomic instructions, and all instructions, for a pair.
 *
 *	private   each object is freed by the CPU that allocated it, 64 at a time
 *	prodcons  one CPU allocates, another frees
 *	larson	  a server: two CPUs replace random objects, each in an array, and swap
 *		  arrays now and then
 *
 * One task does the work of both CPUs, in turns. So nobody waits for anybody, and what
 * is counted is how long others would have to.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "../nth_cpu.h"
#include "counts.h"
#include "peers.h"

#define PRIVATE_BATCH	64
#define RING_SLOTS	512
#define LARSON_SLOTS	1000
#define OBJS		(2 * LARSON_SLOTS)

/* Pairs of a shape, at a scale of 100. */
#define SHARED_OPS	8192
#define SHARED_MIN	1024
/* Pairs before those that are counted. */
#define WARM_UP		8192

static void *objs[OBJS];
static u32 random;

static int go_to(unsigned int cpu)
{
	return set_cpus_allowed_ptr(current, cpumask_of(nth_online_cpu(cpu)));
}

static u32 next_random(void)
{
	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	return random;
}

/* ---- The shapes --------------------------------------------------------- */

static __always_inline int take_all(const struct bench_shape *shape, unsigned int n,
				    enum bench_peer peer)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		objs[i] = peer_take(&shape->pools, peer, BENCH_SIZE, GFP_KERNEL);
		if (!objs[i])
			return -ENOMEM;
	}
	return 0;
}

static __always_inline int free_all(const struct bench_shape *shape, unsigned int n,
				    enum bench_peer peer)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (objs[i])
			peer_free(&shape->pools, peer, BENCH_SIZE, objs[i]);
		objs[i] = NULL;
	}
	return 0;
}

static __always_inline int replace(const struct bench_shape *shape, void **array,
				   unsigned int n, enum bench_peer peer)
{
	while (n--) {
		void **obj = &array[next_random() % LARSON_SLOTS];

		if (*obj)
			peer_free(&shape->pools, peer, BENCH_SIZE, *obj);
		*obj = peer_take(&shape->pools, peer, BENCH_SIZE, GFP_KERNEL);
		if (!*obj)
			return -ENOMEM;
	}
	return 0;
}

/*
 * What is executed between these is counted if @c is not NULL. The module's own
 * instructions are not, so it can be a whole loop.
 */
static void count_from_here(struct bench_counts *c)
{
	if (c)
		bench_counts_begin(c);
}

static void count_to_here(struct bench_counts *c)
{
	if (c)
		bench_counts_end();
}

static int take_counted(struct bench_shape *shape, enum bench_peer peer,
			unsigned int n, struct bench_counts *c)
{
	int err;

	count_from_here(c);
	err = peer_dispatch(peer, take_all, shape, n);
	count_to_here(c);
	return err;
}

static void free_counted(struct bench_shape *shape, enum bench_peer peer,
			 unsigned int n, struct bench_counts *c)
{
	count_from_here(c);
	peer_dispatch(peer, free_all, shape, n);
	count_to_here(c);
}

static int replace_counted(struct bench_shape *shape, enum bench_peer peer,
			   void **array, unsigned int n, struct bench_counts *c)
{
	int err;

	count_from_here(c);
	err = peer_dispatch(peer, replace, shape, array, n);
	count_to_here(c);
	return err;
}

static int run_private(struct bench_shape *shape, enum bench_peer peer, u64 ops,
		       struct bench_counts *c)
{
	int err = 0;
	u64 i;

	for (i = 0; i < ops && !err; i += PRIVATE_BATCH) {
		err = take_counted(shape, peer, PRIVATE_BATCH, c);
		free_counted(shape, peer, PRIVATE_BATCH, c);
	}
	return err;
}

static int run_prodcons(struct bench_shape *shape, enum bench_peer peer, u64 ops,
			struct bench_counts *c)
{
	int err = 0;
	u64 i;

	for (i = 0; i < ops && !err; i += RING_SLOTS) {
		err = go_to(0);
		err = err ?: take_counted(shape, peer, RING_SLOTS, c);
		err = err ?: go_to(1);
		free_counted(shape, peer, RING_SLOTS, c);
	}
	return err;
}

/* Times that the arrays are swapped in a run. */
#define LARSON_PHASES	4

static int run_larson(struct bench_shape *shape, enum bench_peer peer, u64 ops,
		      struct bench_counts *c)
{
	unsigned int i, n = div_u64(ops, 2 * LARSON_PHASES);
	int err = 0;

	for (i = 0; i < 2 * LARSON_PHASES && !err; i++) {
		unsigned int cpu = i % 2, phase = i / 2;

		err = go_to(cpu);
		err = err ?: replace_counted(shape, peer,
					     objs + (phase + cpu) % 2 * LARSON_SLOTS, n, c);
	}
	return err;
}

static const struct {
	const char *names[4];
	int (*run)(struct bench_shape *shape, enum bench_peer peer, u64 ops,
		   struct bench_counts *c);
} shapes[] = {
	{ { "private-locked", "private-locks", "private-atomics", "private-all" },
	  run_private },
	{ { "prodcons-locked", "prodcons-locks", "prodcons-atomics", "prodcons-all" },
	  run_prodcons },
	{ { "larson-locked", "larson-locks", "larson-atomics", "larson-all" },
	  run_larson },
};

/* ---- The group ---------------------------------------------------------- */

static void publish(struct bench_shape *shape, enum bench_peer peer,
		    const char *const names[4], const struct bench_counts *c)
{
	const u64 n[] = { c->locked, c->locks, c->atomics, c->all };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(n); i++) {
		shape->name = names[i];
		bench_result_count(shape, bench_peer_names[peer], n[i]);
	}
}

static int measure_peer(struct bench_shape *shape, enum bench_peer peer, unsigned int i)
{
	struct bench_counts c = { };
	int err;

	random = 1;
	err = shapes[i].run(shape, peer, WARM_UP, NULL);
	err = err ?: shapes[i].run(shape, peer, shape->ops, &c);
	peer_dispatch(peer, free_all, shape, OBJS);
	go_to(0);
	if (err)
		return err;
	publish(shape, peer, shapes[i].names, &c);
	return 0;
}

static int measure_shape(const struct bench_settings *set, unsigned int i)
{
	struct bench_shape shape = {
		.name = shapes[i].names[0],
		.peers = BENCH_FOUR,
		.size = BENCH_SIZE,
		.count = 1,
		.order = BENCH_NO_ORDER,
		.cpus = 2,
		.ops = bench_scaled(set, SHARED_OPS, SHARED_MIN),
	};
	unsigned int peer;
	int err = bench_pools_open(&shape);

	for_each_set_bit(peer, &shape.peers, BENCH_NR_PEERS)
		err = err ?: measure_peer(&shape, peer, i);
	bench_pools_close(&shape);
	return err;
}

/**
 * bench_shared_group() - instructions under locks that other CPUs may want
 * @set: how
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_shared_group(const struct bench_settings *set)
{
	unsigned int i;
	int lost, err = bench_counts_init();

	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(shapes) && !err; i++)
		err = measure_shape(set, i);
	lost = bench_counts_exit();
	return err ?: lost;
}
