// SPDX-License-Identifier: GPL-2.0-only
/*
 * Object caches come and go, with and without constructors, with objects that
 * are freed by RCU, and with objects that somebody forgot.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "stress.h"

/* ---- lifecycle ---------------------------------------------------------- */

#define LIFE_OBJS	128
#define CTOR_BYTE	0xc7

struct rcu_obj {
	struct rcu_head rcu;
	unsigned long data;
};

static struct goheap_cache *life_common;

/*
 * A constructor is not told the size of the object; it may touch the smallest
 * size that a cache of this scenario has.
 */
static void life_ctor(void *obj)
{
	memset(obj, CTOR_BYTE, sizeof(struct rcu_obj));
}

static void life_use_ctor(struct goheap_cache *cache, struct st_rng *rng)
{
	void *p[LIFE_OBJS];
	unsigned int i, n = 1 + st_below(rng, LIFE_OBJS);

	for (i = 0; i < n; i++) {
		p[i] = goheap_cache_alloc(cache, GFP_KERNEL);
		if (!p[i]) {
			st_bad("no memory");
			break;
		}
		if (memchr_inv(p[i], CTOR_BYTE, sizeof(struct rcu_obj)))
			st_bad("object %p is not constructed", p[i]);
		memset(p[i], 0, sizeof(struct rcu_obj));
	}
	while (i--) {
		if (memchr_inv(p[i], 0, sizeof(struct rcu_obj)))
			st_bad("object %p is damaged", p[i]);
		life_ctor(p[i]);
		goheap_cache_free(cache, p[i]);
	}
}

/* Free an object of a cache in one of the ways there are. */
static void life_free(struct st_obj *o, struct st_rng *rng)
{
	struct rcu_obj *r = o->p;

	if (st_below(rng, 4)) {
		st_obj_free(o);
		return;
	}
	st_obj_intact(o);
	o->p = NULL;
	if (st_below(rng, 2))
		goheap_cache_free_rcu(o->cache, r, rcu);
	else
		goheap_free_rcu(r, rcu);
}

static void life_use(struct goheap_cache *cache, struct st_rng *rng)
{
	struct st_obj *objs = kcalloc(LIFE_OBJS, sizeof(*objs), GFP_KERNEL);
	unsigned int i, n = 1 + st_below(rng, LIFE_OBJS);

	if (!objs)
		return;
	for (i = 0; i < n; i++) {
		objs[i].kind = ST_CACHE;
		objs[i].cache = st_below(rng, 8) ? cache : life_common;
		objs[i].size = goheap_cache_size(objs[i].cache);
		if (!st_obj_new(&objs[i], rng, st_below(rng, 2) ? GFP_KERNEL :
				GFP_KERNEL | __GFP_ZERO))
			st_bad("no memory");
	}
	for (i = 0; i < n; i++)
		if (objs[i].p)
			life_free(&objs[i], rng);
	kfree(objs);
}

static void life_worker(struct st_worker *w)
{
	static const unsigned int flags[] = {
		0, GOHEAP_DATA, GOHEAP_HWCACHE_ALIGN,
	};
	unsigned int i, n = st_iters(16);

	for (i = 0; i < n; i++) {
		bool ctor = !st_below(&w->rng, 3);
		size_t size = sizeof(struct rcu_obj) + st_below(&w->rng, SZ_4K);
		size_t align = 8UL << st_below(&w->rng, 5);
		struct goheap_cache *cache;
		char name[24];

		snprintf(name, sizeof(name), "stress-%u-%u", w->id, i);
		cache = goheap_cache_create(name, size, align,
					    flags[st_below(&w->rng, 3)],
					    ctor ? life_ctor : NULL);
		if (IS_ERR(cache)) {
			st_bad("no cache: %ld", PTR_ERR(cache));
			continue;
		}
		if (ctor)
			life_use_ctor(cache, &w->rng);
		else
			life_use(cache, &w->rng);
		if (st_below(&w->rng, 2))
			goheap_cache_shrink(cache);
		/* Objects are still on their way through RCU. */
		goheap_cache_destroy(cache);
	}
}

/**
 * stress_lifecycle() - caches are made, used and destroyed, all at once
 */
void stress_lifecycle(void)
{
	struct st_base base;

	st_base_take(&base);
	life_common = goheap_cache_create("stress-common", 256, 0, 0, NULL);
	if (IS_ERR(life_common)) {
		st_bad("the scenario could not be set up");
		return;
	}
	st_run(2 * num_online_cpus(), ST_BOUND, life_worker, NULL, NULL);
	goheap_cache_destroy(life_common);
	st_base_check(&base);
}

/* ---- leak --------------------------------------------------------------- */

#define LEAK_OBJS	20
#define LEAK_FORGOTTEN	11

/**
 * stress_leak() - a cache is destroyed while some of its objects are in use
 *
 * Their memory is lost until goheap is unloaded, and that reports it again.
 */
void stress_leak(void)
{
	struct goheap_cache *cache;
	struct goheap_stats before, after;
	struct st_obj objs[LEAK_OBJS] = { };
	unsigned int i;
	struct st_rng rng;

	st_rng_init(&rng, 0);
	cache = goheap_cache_create("stress-leaky", 600, 0, 0, NULL);
	if (IS_ERR(cache)) {
		st_bad("the scenario could not be set up");
		return;
	}
	for (i = 0; i < LEAK_OBJS; i++) {
		objs[i].kind = ST_CACHE;
		objs[i].cache = cache;
		objs[i].size = goheap_cache_size(cache);
		if (!st_obj_new(&objs[i], &rng, GFP_KERNEL))
			st_bad("no memory");
	}
	for (i = LEAK_FORGOTTEN; i < LEAK_OBJS; i++)
		st_obj_free(&objs[i]);
	goheap_cache_destroy(cache);
	for (i = 0; i < LEAK_FORGOTTEN; i++)
		st_obj_intact(&objs[i]);
	st_check(goheap_owns(objs[0].p), "leaked objects keep their memory");
	goheap_get_stats(&before);
	goheap_free(objs[0].p);
	goheap_get_stats(&after);
	st_check(after.bad_frees[GOHEAP_BAD_FOREIGN] ==
		 before.bad_frees[GOHEAP_BAD_FOREIGN] + 1,
		 "a leaked object cannot be freed any more");
	goheap_shrink();
	for (i = 0; i < LEAK_FORGOTTEN; i++)
		st_obj_intact(&objs[i]);
}

/* ---- hold and release --------------------------------------------------- */

#define HOLD_OBJS	2000
#define HOLD_HUGE	6
/* Of 20 MiB: three fit in an arena, and are not all of it. */
#define HOLD_LARGE	4

static struct goheap_cache *hold_cache;
static struct st_obj *hold_objs;
static void *hold_huge[HOLD_HUGE];
static void *hold_large[HOLD_LARGE];

static bool hold_begin(void)
{
	struct st_rng rng;
	unsigned int i;

	hold_objs = kvcalloc(HOLD_OBJS, sizeof(*hold_objs), GFP_KERNEL);
	if (!hold_objs)
		return false;
	st_rng_init(&rng, 0);
	for (i = 0; i < HOLD_OBJS; i++) {
		hold_objs[i].size = st_size(&rng);
		if (i % 2) {
			hold_objs[i].kind = ST_CACHE;
			hold_objs[i].cache = hold_cache;
			hold_objs[i].size = goheap_cache_size(hold_cache);
		} else if (i % 4) {
			hold_objs[i].kind = ST_DATA;
			hold_objs[i].size = 1 + i % 15;
		}
		if (!st_obj_new(&hold_objs[i], &rng, GFP_KERNEL))
			return false;
	}
	return true;
}

/**
 * stress_hold() - allocate, and keep it, for others to look at the statistics
 */
void stress_hold(void)
{
	if (hold_cache)
		return;
	hold_cache = goheap_cache_create("stress-hold", 120, 0, 0, NULL);
	if (IS_ERR(hold_cache)) {
		hold_cache = NULL;
		st_bad("no cache");
		return;
	}
	st_check(hold_begin(), "%u objects are held", HOLD_OBJS);
}

/**
 * stress_hold_arenas() - the same with large objects that need more than one arena
 */
void stress_hold_arenas(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < HOLD_LARGE; i++) {
		if (!hold_large[i])
			hold_large[i] = goheap_alloc(20 * SZ_1M, GFP_KERNEL);
		n += !!hold_large[i];
	}
	st_check(n == HOLD_LARGE, "%u large objects are held", n);
}

/**
 * stress_hold_huge() - the same with a few huge objects, each of a size of its own
 */
void stress_hold_huge(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < HOLD_HUGE; i++) {
		if (!hold_huge[i])
			hold_huge[i] = goheap_alloc(SZ_32M + (i + 1) * SZ_1M, GFP_KERNEL);
		n += !!hold_huge[i];
	}
	st_check(n == HOLD_HUGE, "%u huge objects are held", n);
}

/**
 * stress_thin_huge() - free every second one of these
 */
void stress_thin_huge(void)
{
	unsigned int i;

	for (i = 0; i < HOLD_HUGE; i += 2) {
		goheap_free(hold_huge[i]);
		hold_huge[i] = NULL;
	}
}

/**
 * stress_release() - free all that is held
 */
void stress_release(void)
{
	unsigned int i;

	for (i = 0; i < HOLD_HUGE; i++) {
		goheap_free(hold_huge[i]);
		hold_huge[i] = NULL;
	}
	for (i = 0; i < HOLD_LARGE; i++) {
		goheap_free(hold_large[i]);
		hold_large[i] = NULL;
	}
	if (hold_objs)
		st_mix_end(hold_objs, HOLD_OBJS);
	kvfree(hold_objs);
	hold_objs = NULL;
	goheap_cache_destroy(hold_cache);
	hold_cache = NULL;
}
