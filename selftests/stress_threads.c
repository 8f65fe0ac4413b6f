// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads with objects of their own, threads that hand objects to other CPUs,
 * and that what was freed is used again.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "stress.h"

/* ---- private ------------------------------------------------------------ */

#define PRIVATE_OBJS	128

static void private_worker(struct st_worker *w)
{
	struct st_obj *objs = kcalloc(PRIVATE_OBJS, sizeof(*objs), GFP_KERNEL);
	unsigned int i, n = st_iters(12000);

	if (!objs)
		return;
	for (i = 0; i < n; i++) {
		st_mix_step(objs, PRIVATE_OBJS, &w->rng);
		cond_resched();
	}
	st_mix_end(objs, PRIVATE_OBJS);
	kfree(objs);
}

/**
 * stress_private() - two threads on every CPU, each with objects of its own
 */
void stress_private(void)
{
	struct st_base base;

	st_base_take(&base);
	st_run(2 * num_online_cpus(), ST_BOUND, private_worker, NULL, NULL);
	st_base_check(&base);
}

/* ---- exchange ----------------------------------------------------------- */

#define RING_SLOTS	256
#define BULK		16
#define NR_CACHES	2

/**
 * struct ring - objects on their way to a thread
 * @lock: protects the rest
 * @n: number of @objs
 * @objs: objects
 */
struct ring {
	spinlock_t lock;		/* protects the rest */
	unsigned int n;
	struct st_obj objs[RING_SLOTS];
};

struct exchange {
	unsigned int nr_rings;
	struct ring *rings;
	struct goheap_cache *caches[NR_CACHES];
};

/* Returns how many of the objects found room. */
static unsigned int ring_put(struct ring *r, const struct st_obj *objs,
			     unsigned int n)
{
	unsigned int i;

	spin_lock(&r->lock);
	n = min(n, RING_SLOTS - r->n);
	for (i = 0; i < n; i++)
		r->objs[r->n++] = objs[i];
	spin_unlock(&r->lock);
	return n;
}

static unsigned int ring_take(struct ring *r, struct st_obj *objs,
			      unsigned int n)
{
	unsigned int i;

	spin_lock(&r->lock);
	n = min(n, r->n);
	for (i = 0; i < n; i++)
		objs[i] = r->objs[--r->n];
	spin_unlock(&r->lock);
	return n;
}

/* Allocate objects of one kind and size, one by one or all at once. */
static unsigned int exchange_make(struct exchange *x, struct st_rng *rng,
				  struct st_obj *objs)
{
	unsigned int i, n = 1 + st_below(rng, BULK);
	unsigned int from = st_below(rng, NR_CACHES + 1);
	struct goheap_cache *cache = NULL;
	size_t size = st_size(rng);
	void *p[BULK];

	if (from < NR_CACHES) {
		cache = x->caches[from];
		size = goheap_cache_size(cache);
		n = goheap_cache_alloc_bulk(cache, GFP_KERNEL, n, p);
	} else {
		n = size > 32768 ? 1 : n;
		n = goheap_alloc_bulk(size, GFP_KERNEL, n, p);
	}
	if (!n)
		st_bad("no memory for objects of %zu bytes", size);
	for (i = 0; i < n; i++) {
		objs[i].p = p[i];
		objs[i].size = size;
		objs[i].cache = cache;
		objs[i].kind = cache ? ST_CACHE : ST_PLAIN;
		st_obj_adopt(&objs[i], rng);
	}
	return n;
}

/* Verify objects and free them, in one call for each place they are from. */
static void exchange_free(struct exchange *x, struct st_obj *objs,
			  unsigned int n)
{
	void *p[BULK];
	unsigned int i, c, m;

	for (c = 0; c <= NR_CACHES; c++) {
		struct goheap_cache *cache = c < NR_CACHES ? x->caches[c] : NULL;

		for (i = 0, m = 0; i < n; i++) {
			if (objs[i].cache != cache)
				continue;
			st_obj_intact(&objs[i]);
			p[m++] = objs[i].p;
		}
		if (cache)
			goheap_cache_free_bulk(cache, m, p);
		else
			goheap_free_bulk(m, p);
	}
}

static void exchange_worker(struct st_worker *w)
{
	struct exchange *x = w->arg;
	unsigned int i, n, put, rounds = st_iters(2500);
	struct st_obj objs[BULK];

	for (i = 0; i < rounds; i++) {
		unsigned int to = st_below(&w->rng, x->nr_rings);

		n = exchange_make(x, &w->rng, objs);
		put = ring_put(&x->rings[to], objs, n);
		exchange_free(x, objs + put, n - put);
		n = ring_take(&x->rings[w->id], objs, BULK);
		exchange_free(x, objs, n);
		cond_resched();
	}
}

static int exchange_init(struct exchange *x)
{
	unsigned int i;

	x->nr_rings = 2 * num_online_cpus();
	x->rings = kvcalloc(x->nr_rings, sizeof(*x->rings), GFP_KERNEL);
	if (!x->rings)
		return -ENOMEM;
	for (i = 0; i < x->nr_rings; i++)
		spin_lock_init(&x->rings[i].lock);
	x->caches[0] = goheap_cache_create("stress-a", 200, 0, 0, NULL);
	x->caches[1] = goheap_cache_create("stress-b", 1500, 64, GOHEAP_DATA,
					   NULL);
	return PTR_ERR_OR_ZERO(x->caches[0]) ?: PTR_ERR_OR_ZERO(x->caches[1]);
}

static void exchange_end(struct exchange *x)
{
	struct st_obj objs[BULK];
	unsigned int i, n;

	for (i = 0; i < x->nr_rings; i++)
		while ((n = ring_take(&x->rings[i], objs, BULK)))
			exchange_free(x, objs, n);
	for (i = 0; i < NR_CACHES; i++)
		if (!IS_ERR_OR_NULL(x->caches[i]))
			goheap_cache_destroy(x->caches[i]);
	kvfree(x->rings);
}

/**
 * stress_exchange() - objects are freed on other CPUs than they came from
 */
void stress_exchange(void)
{
	struct exchange x = { };
	struct st_base base;

	st_base_take(&base);
	if (exchange_init(&x))
		st_bad("the scenario could not be set up");
	else
		st_run(x.nr_rings, ST_BOUND, exchange_worker, &x, NULL);
	exchange_end(&x);
	st_base_check(&base);
}

/* ---- reuse -------------------------------------------------------------- */

#define REUSE_OBJS	4096
#define REUSE_SIZE	192

static u64 spans_inuse(void)
{
	struct goheap_stats st;

	goheap_get_stats(&st);
	return st.spans_inuse;
}

/* Free every other object, and allocate as many. */
static void reuse_round(struct st_obj *objs, unsigned int odd,
			struct st_rng *rng)
{
	unsigned int i;

	for (i = odd; i < REUSE_OBJS; i += 2)
		st_obj_free(&objs[i]);
	/* Out of the magazines, back into the spans. */
	goheap_shrink();
	for (i = odd; i < REUSE_OBJS; i += 2)
		if (!st_obj_new(&objs[i], rng, GFP_KERNEL))
			st_bad("no memory");
}

static void reuse_worker(struct st_worker *w)
{
	struct st_obj *objs = w->arg;
	u64 first, most = 0;
	unsigned int i;

	for (i = 0; i < REUSE_OBJS; i++) {
		objs[i].size = REUSE_SIZE;
		objs[i].kind = ST_PLAIN;
		if (!st_obj_new(&objs[i], &w->rng, GFP_KERNEL))
			st_bad("no memory");
	}
	first = spans_inuse();
	for (i = 0; i < 8; i++) {
		reuse_round(objs, i % 2, &w->rng);
		most = max(most, spans_inuse());
	}
	/* The CPU's current span may be another one than the first time. */
	st_check(most <= first + 2,
		 "freed places are used again (%llu spans, at most %llu)",
		 first, most);
	st_mix_end(objs, REUSE_OBJS);
}

/**
 * stress_reuse() - places that were freed in spans are handed out again
 */
void stress_reuse(void)
{
	struct st_obj *objs = kvcalloc(REUSE_OBJS, sizeof(*objs), GFP_KERNEL);
	struct st_base base;

	if (!objs) {
		st_bad("no memory");
		return;
	}
	st_base_take(&base);
	st_run_on(cpumask_first(cpu_online_mask), reuse_worker, objs);
	st_base_check(&base);
	kvfree(objs);
}
