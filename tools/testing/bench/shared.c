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
 *
 * Work that is stepped is slow, so the allocators' background work comes in between far
 * more often than it would. Therefore a shape is run in several turns, each of which is
 * counted, and the median is taken.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "../nth_cpu.h"
#include "counts.h"
#include "peers.h"

#define PRIVATE_BATCH	64
#define RING_SLOTS	512
#define LARSON_SLOTS	1000
#define OBJS		(2 * LARSON_SLOTS)

/* Pairs of a shape, in all turns together. */
#define SHARED_OPS	8192
#define TURNS_MAX	16
/* Pairs before those that are counted. */
#define WARM_UP		8192

static void *objs[OBJS];
static u32 random;
/* How often the CPUs of larson have swapped their arrays. */
static unsigned int swapped;

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

static int run_larson(struct bench_shape *shape, enum bench_peer peer, u64 ops,
		      struct bench_counts *c)
{
	unsigned int cpu, n = div_u64(ops, 2);
	int err = 0;

	for (cpu = 0; cpu < 2 && !err; cpu++) {
		err = go_to(cpu);
		err = err ?: replace_counted(shape, peer,
					     objs + (swapped + cpu) % 2 * LARSON_SLOTS, n, c);
	}
	swapped++;
	return err;
}

static const struct {
	const char *names[4];
	int (*run)(struct bench_shape *shape, enum bench_peer peer, u64 ops,
		   struct bench_counts *c);
	unsigned int turns;
} shapes[] = {
	{ { "private-locked", "private-locks", "private-atomics", "private-all" },
	  run_private, 16 },
	{ { "prodcons-locked", "prodcons-locks", "prodcons-atomics", "prodcons-all" },
	  run_prodcons, 16 },
	{ { "larson-locked", "larson-locks", "larson-atomics", "larson-all" },
	  run_larson, 5 },
};

/* ---- The group ---------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Sorts @n. */
static u64 median(u64 *n, unsigned int turns)
{
	sort(n, turns, sizeof(*n), compare, NULL);
	return n[turns / 2];
}

static void publish(struct bench_shape *shape, enum bench_peer peer,
		    const char *const names[4], const struct bench_counts *c,
		    unsigned int turns)
{
	u64 n[4][TURNS_MAX];
	unsigned int i;

	for (i = 0; i < turns; i++) {
		n[0][i] = c[i].locked;
		n[1][i] = c[i].locks;
		n[2][i] = c[i].atomics;
		n[3][i] = c[i].all;
	}
	for (i = 0; i < ARRAY_SIZE(n); i++) {
		shape->name = names[i];
		bench_result_count(shape, bench_peer_names[peer],
				   median(n[i], turns));
	}
}

static int measure_peer(struct bench_shape *shape, enum bench_peer peer, unsigned int i)
{
	unsigned int turn, turns = shapes[i].turns;
	static struct bench_counts c[TURNS_MAX];
	int err;

	memset(c, 0, sizeof(c));
	random = 1;
	swapped = 0;
	err = shapes[i].run(shape, peer, WARM_UP, NULL);
	for (turn = 0; turn < turns && !err; turn++)
		err = shapes[i].run(shape, peer, shape->ops, &c[turn]);
	peer_dispatch(peer, free_all, shape, OBJS);
	go_to(0);
	if (err)
		return err;
	publish(shape, peer, shapes[i].names, c, turns);
	return 0;
}

static int measure_shape(unsigned int i)
{
	struct bench_shape shape = {
		.name = shapes[i].names[0],
		.peers = BENCH_FOUR,
		.size = BENCH_SIZE,
		.count = 1,
		.order = BENCH_NO_ORDER,
		.cpus = 2,
		.ops = SHARED_OPS / shapes[i].turns,
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
 * @set: not used; these shapes cannot be shorter
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
		err = measure_shape(i);
	lost = bench_counts_exit();
	return err ?: lost;
}
