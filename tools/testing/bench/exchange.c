// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that are freed by another thread than allocated them, and programs' mixtures
 * of sizes. The shapes are after programs that have long been used to compare
 * allocators; what is told of them here is all that was taken from them.
 *
 *	prodcons  threads in pairs: one allocates, the other frees
 *	larson	  a server: each thread replaces random objects in an array, then goes on
 *		  with the array of another thread
 *	xmalloc	  all threads allocate batches, and free the batches of others
 *	sh6	  each thread allocates blocks of many sizes until it has enough of them,
 *		  then frees half, now the newest first, now the oldest first
 *
 * With one CPU, two threads share it.
 */
#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/sched.h>

#include "peers.h"

/* Objects that a thread allocates in a round. */
#define EXCHANGE_OPS	100000
#define EXCHANGE_MIN	4000
/* A thread that works for long without waiting makes room for others now and then. */
#define YIELD_OPS	1024

/* Random numbers as cheap as they come (xorshift); their cost is measured, too. */
static __always_inline u32 next_random(u32 *state)
{
	u32 x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return x;
}

static u32 seed_of(const struct bench_thread *t)
{
	return 0x9e3779b9U * (t->id + 1);
}

/* 8 to 1023 bytes, small ones more often. A word of every object is touched. */
static __always_inline size_t random_size(u32 *state)
{
	u32 r = next_random(state);
	u32 least = 8U << r % 7;

	return least + (r >> 8) % least;
}

static __always_inline void maybe_yield(u64 i)
{
	if (!(i % YIELD_OPS))
		cond_resched();
}

/* ---- prodcons ----------------------------------------------------------- */

#define RING_SLOTS	512

/**
 * struct ring - objects on their way from one thread to one other
 * @head: objects put in, ever; written by the producer
 * @tail: objects taken out, ever; written by the consumer
 * @slots: the objects
 */
struct ring {
	unsigned int head ____cacheline_aligned_in_smp;
	unsigned int tail ____cacheline_aligned_in_smp;
	void *slots[RING_SLOTS] ____cacheline_aligned_in_smp;
};

/*
 * Returns 0, or why the other thread has ended. A count that one thread stores with
 * release, and the other loads with acquire, says that it is done with the slots below:
 * they are filled, or empty.
 */
static __always_inline int ring_wait_for_room(struct bench_team *team, struct ring *r,
					      unsigned int head)
{
	unsigned int tries = 0;

	/* Pairs with the release in consume(). */
	while (head - smp_load_acquire(&r->tail) == RING_SLOTS) {
		if (READ_ONCE(team->err))
			return READ_ONCE(team->err);
		bench_relax(&tries);
	}
	return 0;
}

static __always_inline int ring_wait_for_object(struct bench_team *team, struct ring *r,
						unsigned int tail)
{
	unsigned int tries = 0;

	/* Pairs with the release in produce(). */
	while (smp_load_acquire(&r->head) == tail) {
		if (READ_ONCE(team->err))
			return READ_ONCE(team->err);
		bench_relax(&tries);
	}
	return 0;
}

static __always_inline int produce(struct bench_thread *t, struct ring *r,
				   enum bench_peer peer)
{
	struct bench_shape *shape = t->team->shape;
	u64 i, ops = shape->ops;
	int err;
	void *p;

	for (i = 0; i < ops; i++) {
		err = ring_wait_for_room(t->team, r, i);
		if (err)
			return err;
		p = peer_take(&shape->pools, peer, BENCH_SIZE, GFP_KERNEL);
		if (!p)
			return -ENOMEM;
		r->slots[i % RING_SLOTS] = p;
		/* Pairs with the acquire in ring_wait_for_object(). */
		smp_store_release(&r->head, i + 1);
		maybe_yield(i);
	}
	return 0;
}

static __always_inline int consume(struct bench_thread *t, struct ring *r,
				   enum bench_peer peer)
{
	struct bench_shape *shape = t->team->shape;
	u64 i, ops = shape->ops;
	int err;

	for (i = 0; i < ops; i++) {
		err = ring_wait_for_object(t->team, r, i);
		if (err)
			return err;
		peer_free(&shape->pools, peer, BENCH_SIZE, r->slots[i % RING_SLOTS]);
		/* Pairs with the acquire in ring_wait_for_room(). */
		smp_store_release(&r->tail, i + 1);
		maybe_yield(i);
	}
	t->ops = ops;
	return 0;
}

static int prodcons_thread(struct bench_thread *t)
{
	struct ring *r = (struct ring *)t->team->arg + t->id / 2;

	if (t->id % 2)
		return peer_dispatch(t->team->peer, consume, t, r);
	return peer_dispatch(t->team->peer, produce, t, r);
}

static __always_inline int ring_empty(const struct bench_shape *shape, struct ring *r,
				      enum bench_peer peer)
{
	for (; r->tail != r->head; r->tail++)
		peer_free(&shape->pools, peer, BENCH_SIZE,
			  r->slots[r->tail % RING_SLOTS]);
	return 0;
}

static int prodcons_round(struct bench_shape *shape, enum bench_peer peer,
			  struct bench_sample *sample)
{
	unsigned int i, pairs = max(shape->cpus / 2, 1U);
	struct bench_team team = {
		.n = 2 * pairs,
		.fn = prodcons_thread,
		.shape = shape,
		.peer = peer,
	};
	struct ring *rings = kvcalloc(pairs, sizeof(*rings), GFP_KERNEL);
	int err;

	if (!rings)
		return -ENOMEM;
	team.arg = rings;
	err = bench_team_run(&team, sample);
	for (i = 0; i < pairs; i++)
		peer_dispatch(peer, ring_empty, shape, &rings[i]);
	kvfree(rings);
	return err;
}

/* ---- larson ------------------------------------------------------------- */

#define LARSON_SLOTS	1000
#define LARSON_PHASES	4

/* The objects that one thread works on until it hands them over. */
struct larson_array {
	void *objs[LARSON_SLOTS];
};

static __always_inline int larson_replace(struct bench_thread *t, u32 *state,
					  struct larson_array *a, u64 ops, bool mixed,
					  enum bench_peer peer)
{
	const struct bench_pools *pools = &t->team->shape->pools;
	u64 i;

	for (i = 0; i < ops; i++) {
		void **obj = &a->objs[next_random(state) % LARSON_SLOTS];
		size_t size = mixed ? random_size(state) : BENCH_SIZE;

		if (*obj)
			peer_free(pools, peer, BENCH_SIZE, *obj);
		*obj = peer_take(pools, peer, size, GFP_KERNEL);
		if (!*obj)
			return -ENOMEM;
		maybe_yield(i);
	}
	return 0;
}

static int larson_thread(struct bench_thread *t)
{
	struct bench_team *team = t->team;
	struct larson_array *arrays = team->arg, *a;
	u64 ops = div_u64(team->shape->ops, LARSON_PHASES);
	u32 state = seed_of(t);
	unsigned int phase;
	int err;

	for (phase = 0; phase < LARSON_PHASES; phase++) {
		a = &arrays[(t->id + phase) % team->n];
		if (team->shape->size)
			err = peer_dispatch(team->peer, larson_replace, t, &state, a,
					    ops, false);
		else
			err = peer_dispatch(team->peer, larson_replace, t, &state, a,
					    ops, true);
		err = err ?: bench_barrier(team);
		if (err)
			return err;
	}
	t->ops = ops * LARSON_PHASES;
	return 0;
}

static __always_inline int larson_empty(const struct bench_shape *shape,
					struct larson_array *a, enum bench_peer peer)
{
	unsigned int i;

	for (i = 0; i < LARSON_SLOTS; i++)
		if (a->objs[i])
			peer_free(&shape->pools, peer, BENCH_SIZE, a->objs[i]);
	return 0;
}

static int larson_round(struct bench_shape *shape, enum bench_peer peer,
			struct bench_sample *sample)
{
	struct bench_team team = {
		.n = max(shape->cpus, 2U),
		.fn = larson_thread,
		.shape = shape,
		.peer = peer,
	};
	struct larson_array *arrays = kvcalloc(team.n, sizeof(*arrays), GFP_KERNEL);
	unsigned int i;
	int err;

	if (!arrays)
		return -ENOMEM;
	team.arg = arrays;
	err = bench_team_run(&team, sample);
	for (i = 0; i < team.n; i++)
		peer_dispatch(peer, larson_empty, shape, &arrays[i]);
	kvfree(arrays);
	return err;
}

/* ---- xmalloc ------------------------------------------------------------ */

#define XMALLOC_BATCH	64
/* Batches on their way, for each thread. */
#define XMALLOC_DEPTH	2

/**
 * struct xmalloc_batch - objects that change hands together
 * @n: how many
 * @objs: the objects
 */
struct xmalloc_batch {
	unsigned int n;
	void *objs[XMALLOC_BATCH];
};

/**
 * struct xmalloc - what the threads share
 * @nslots: number of @slots
 * @turn: slots used, ever
 * @batches: all batches: one a slot and one a thread
 * @slots: batches on their way
 *
 * A thread swaps the batch that it filled for what is in the next slot, so that each
 * always has one, and nobody waits.
 */
struct xmalloc {
	unsigned int nslots;
	atomic_t turn;
	struct xmalloc_batch *batches;
	struct xmalloc_batch *slots[];
};

static __always_inline int xmalloc_empty(const struct bench_shape *shape,
					 struct xmalloc_batch *b, enum bench_peer peer)
{
	while (b->n)
		peer_free(&shape->pools, peer, BENCH_SIZE, b->objs[--b->n]);
	return 0;
}

static __always_inline int xmalloc_fill(const struct bench_shape *shape,
					struct xmalloc_batch *b, enum bench_peer peer)
{
	void *p;

	while (b->n < XMALLOC_BATCH) {
		p = peer_take(&shape->pools, peer, BENCH_SIZE, GFP_KERNEL);
		if (!p)
			return -ENOMEM;
		b->objs[b->n++] = p;
	}
	return 0;
}

static __always_inline int xmalloc_loop(struct bench_thread *t, struct xmalloc *x,
					enum bench_peer peer)
{
	struct bench_shape *shape = t->team->shape;
	struct xmalloc_batch *b = &x->batches[x->nslots + t->id];
	unsigned int turn;
	int err;

	while (t->ops < shape->ops) {
		err = xmalloc_fill(shape, b, peer);
		if (err)
			return err;
		t->ops += XMALLOC_BATCH;
		turn = atomic_inc_return(&x->turn);
		b = xchg(&x->slots[turn % x->nslots], b);
		xmalloc_empty(shape, b, peer);
		cond_resched();
	}
	return 0;
}

static int xmalloc_thread(struct bench_thread *t)
{
	return peer_dispatch(t->team->peer, xmalloc_loop, t, t->team->arg);
}

static int xmalloc_round(struct bench_shape *shape, enum bench_peer peer,
			 struct bench_sample *sample)
{
	struct bench_team team = {
		.n = max(shape->cpus, 2U),
		.fn = xmalloc_thread,
		.shape = shape,
		.peer = peer,
	};
	unsigned int i, nslots = XMALLOC_DEPTH * team.n;
	unsigned int nbatches = nslots + team.n;
	struct xmalloc *x = kzalloc(struct_size(x, slots, nslots), GFP_KERNEL);
	int err = -ENOMEM;

	if (!x)
		return -ENOMEM;
	x->nslots = nslots;
	x->batches = kvcalloc(nbatches, sizeof(*x->batches), GFP_KERNEL);
	if (x->batches) {
		for (i = 0; i < nslots; i++)
			x->slots[i] = &x->batches[i];
		team.arg = x;
		err = bench_team_run(&team, sample);
		for (i = 0; i < nbatches; i++)
			peer_dispatch(peer, xmalloc_empty, shape, &x->batches[i]);
	}
	kvfree(x->batches);
	kfree(x);
	return err;
}

/* ---- sh6 ---------------------------------------------------------------- */

#define SH6_SLOTS	2048
/* Blocks of one size that are allocated one after the other. */
#define SH6_RUN		8

/* A deque in a ring: blocks @tail to @head - 1 are live, the oldest at @tail. */
struct sh6_blocks {
	unsigned int head;
	unsigned int tail;
	void *objs[SH6_SLOTS];
};

static __always_inline int sh6_fill(const struct bench_shape *shape,
				    struct sh6_blocks *b, u32 *state,
				    enum bench_peer peer)
{
	size_t size = BENCH_SIZE;
	void *p;

	while (b->head - b->tail < SH6_SLOTS) {
		if (!(b->head % SH6_RUN))
			size = random_size(state);
		p = peer_take(&shape->pools, peer, size, GFP_KERNEL);
		if (!p)
			return -ENOMEM;
		b->objs[b->head++ % SH6_SLOTS] = p;
	}
	return 0;
}

static __always_inline int sh6_drop(const struct bench_shape *shape,
				    struct sh6_blocks *b, unsigned int n, bool newest,
				    enum bench_peer peer)
{
	unsigned int i;

	while (n--) {
		i = newest ? --b->head : b->tail++;
		peer_free(&shape->pools, peer, BENCH_SIZE, b->objs[i % SH6_SLOTS]);
	}
	return 0;
}

static __always_inline int sh6_loop(struct bench_thread *t, struct sh6_blocks *b,
				    enum bench_peer peer)
{
	struct bench_shape *shape = t->team->shape;
	u32 state = seed_of(t);
	bool newest = true;
	int err;

	while (t->ops < shape->ops) {
		err = sh6_fill(shape, b, &state, peer);
		if (err)
			return err;
		sh6_drop(shape, b, SH6_SLOTS / 2, newest, peer);
		t->ops += SH6_SLOTS / 2;
		newest = !newest;
		cond_resched();
	}
	return 0;
}

static int sh6_thread(struct bench_thread *t)
{
	struct sh6_blocks *b = (struct sh6_blocks *)t->team->arg + t->id;

	return peer_dispatch(t->team->peer, sh6_loop, t, b);
}

static int sh6_round(struct bench_shape *shape, enum bench_peer peer,
		     struct bench_sample *sample)
{
	struct bench_team team = {
		.n = max(shape->cpus, 2U),
		.fn = sh6_thread,
		.shape = shape,
		.peer = peer,
	};
	struct sh6_blocks *b = kvcalloc(team.n, sizeof(*b), GFP_KERNEL);
	unsigned int i;
	int err;

	if (!b)
		return -ENOMEM;
	team.arg = b;
	err = bench_team_run(&team, sample);
	for (i = 0; i < team.n; i++)
		peer_dispatch(peer, sh6_drop, shape, &b[i], b[i].head - b[i].tail, true);
	kvfree(b);
	return err;
}

/* ---- The group ---------------------------------------------------------- */

static int measure_exchange(const struct bench_settings *set, const char *name,
			    unsigned long peers, size_t size, unsigned int count,
			    unsigned int cpus,
			    int (*round)(struct bench_shape *shape, enum bench_peer peer,
					 struct bench_sample *sample))
{
	struct bench_shape shape = {
		.name = name,
		.peers = peers,
		.size = size,
		.count = count,
		.order = BENCH_NO_ORDER,
		.cpus = cpus,
		.ops = bench_scaled(set, EXCHANGE_OPS, EXCHANGE_MIN),
		.round = round,
	};

	return bench_measure(set, &shape);
}

/* One pair of CPUs, two pairs, and so on: odd numbers say nothing new. */
static int measure_prodcons(const struct bench_settings *set)
{
	unsigned int cpus = min(set->cpus, 2U);
	int err;

	do {
		err = measure_exchange(set, "prodcons", BENCH_FOUR, BENCH_SIZE,
				       RING_SLOTS, cpus, prodcons_round);
		cpus += 2;
	} while (cpus <= set->cpus && !err);
	return err;
}

/**
 * bench_exchange_group() - objects that change hands
 * @set: how
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_exchange_group(const struct bench_settings *set)
{
	return measure_prodcons(set) ?:
	       measure_exchange(set, "larson", BENCH_FOUR, BENCH_SIZE, LARSON_SLOTS,
				set->cpus, larson_round) ?:
	       measure_exchange(set, "larson", BENCH_TWO, 0, LARSON_SLOTS,
				set->cpus, larson_round) ?:
	       measure_exchange(set, "xmalloc", BENCH_FOUR, BENCH_SIZE, XMALLOC_BATCH,
				set->cpus, xmalloc_round) ?:
	       measure_exchange(set, "sh6", BENCH_TWO, 0, SH6_SLOTS, set->cpus,
				sh6_round);
}
