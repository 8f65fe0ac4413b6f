// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every step that can fail is made to fail, one after the other.
 *
 * First on a heap that is made for each try, so that making and growing a heap
 * is covered; then on the heap that everybody uses, through the public calls.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/sizes.h>

#include "../mm/cache.h"
#include "../mm/compat.h"
#include "../mm/fault.h"
#include "../mm/heap.h"
#include "../mm/malloc.h"
#include "../mm/reclaim.h"
#include "../mm/vmem.h"
#include "stress.h"

#define FAULT_GFP	(GFP_KERNEL | __GFP_NOWARN)
#define FAULT_OBJS	40
/* A point that is hit more often than this does not come to an end. */
#define FAULT_MAX	2000
/* The last point is of the heaps of processes: see user_faults.c. */
#define NR_POINTS	GH_FAULT_USER

static const char * const point_names[NR_POINTS] = {
	[GH_FAULT_PAGE] = "getting pages",
	[GH_FAULT_VMAP] = "reserving address space",
	[GH_FAULT_FIXALLOC] = "getting records",
	[GH_FAULT_META] = "getting metadata",
};

/* ---- a heap of its own -------------------------------------------------- */

static void heap_use_sizes(struct gh_heap *h, struct st_rng *rng, size_t max)
{
	static const size_t sizes[] = {
		8, 24, 64, 1000, SZ_8K, SZ_32K, 100000, SZ_1M, 65 * SZ_1M,
	};
	struct st_obj objs[2 * ARRAY_SIZE(sizes)] = { };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		struct st_obj *o = &objs[i];

		o->size = sizes[i / 2];
		if (o->size > max)
			continue;
		o->p = gh_malloc(h, o->size, FAULT_GFP, i % 2, NUMA_NO_NODE);
		if (o->p)
			st_obj_adopt(o, rng);
	}
	st_mix_end(objs, ARRAY_SIZE(objs));
}

static void heap_use_cache(struct gh_heap *h, struct st_rng *rng)
{
	struct st_obj objs[FAULT_OBJS] = { };
	struct goheap_cache *cache;
	unsigned int i;

	cache = gh_cache_create(h, "stress-fault", 2000, 0, 0, NULL);
	if (IS_ERR(cache))
		return;
	for (i = 0; i < FAULT_OBJS; i++) {
		objs[i].kind = ST_CACHE;
		objs[i].cache = cache;
		objs[i].size = goheap_cache_size(cache);
		st_obj_new(&objs[i], rng, FAULT_GFP);
	}
	st_mix_end(objs, FAULT_OBJS);
	if (gh_cache_destroy(cache))
		st_bad("objects of a cache were lost");
}

static void heap_use(struct gh_heap *h, struct st_rng *rng, size_t max)
{
	heap_use_sizes(h, rng, max);
	heap_use_cache(h, rng);
	gh_reclaim_all(h);
	/* Again, on memory that was given back. */
	heap_use_sizes(h, rng, min_t(size_t, max, SZ_32K));
}

/* Make the @nth step of a kind fail. Returns false if there are not so many. */
static bool heap_try(enum gh_fault_point point, unsigned int nth)
{
	unsigned long committed = gh_vmem_committed_bytes();
	/* Growing takes an object that does not fit into an arena. */
	size_t max = point == GH_FAULT_PAGE ? SZ_1M : 65 * SZ_1M;
	struct gh_heap *h;
	struct st_rng rng;
	bool hit;

	if (!gh_vmem_is_sparse())
		max = SZ_1M;
	st_rng_init(&rng, nth);
	gh_fault_arm(point, nth);
	h = gh_heap_create("stress");
	if (h)
		heap_use(h, &rng, max);
	hit = gh_fault_disarm();
	if (h && !gh_heap_destroy(h))
		st_bad("%s, step %u: objects were lost", point_names[point],
		       nth);
	if (gh_vmem_committed_bytes() != committed)
		st_bad("%s, step %u: %ld bytes were lost", point_names[point],
		       nth, (long)(gh_vmem_committed_bytes() - committed));
	if (!h && !hit)
		st_bad("no heap");
	return hit;
}

/* ---- the heap that everybody uses --------------------------------------- */

static void public_realloc(struct st_rng *rng)
{
	struct st_obj o = { .size = 100 };

	if (!st_obj_new(&o, rng, FAULT_GFP))
		return;
	st_obj_realloc(&o, rng, 10000, FAULT_GFP);
	st_obj_realloc(&o, rng, SZ_128K, FAULT_GFP);
	st_obj_realloc(&o, rng, 3, FAULT_GFP);
	st_obj_free(&o);
}

static void public_bulk(struct goheap_cache *cache, struct st_rng *rng)
{
	void *p[FAULT_OBJS];
	unsigned int n;

	n = goheap_alloc_bulk(5000, FAULT_GFP, FAULT_OBJS, p);
	if (n && n != FAULT_OBJS)
		st_bad("%u of %u objects", n, FAULT_OBJS);
	goheap_free_bulk(n, p);
	n = goheap_cache_alloc_bulk(cache, FAULT_GFP, FAULT_OBJS, p);
	if (n && n != FAULT_OBJS)
		st_bad("%u of %u objects", n, FAULT_OBJS);
	goheap_cache_free_bulk(cache, n, p);
}

static void public_use(struct goheap_cache *cache, struct st_rng *rng)
{
	public_realloc(rng);
	public_bulk(cache, rng);
	goheap_free(goheap_calloc(30, 70, FAULT_GFP));
	goheap_free(goheap_alloc_data(9, FAULT_GFP));
	goheap_stack_free(goheap_stack_alloc(SZ_4K, FAULT_GFP));
	goheap_stack_free(goheap_stack_alloc(SZ_64K, FAULT_GFP));
}

/* Returns false if there are not so many steps. */
static bool public_try(struct goheap_cache *cache, const struct st_base *base,
		       enum gh_fault_point point, unsigned int nth)
{
	struct st_rng rng;
	bool hit;

	st_rng_init(&rng, nth);
	gh_fault_arm(point, nth);
	public_use(cache, &rng);
	hit = gh_fault_disarm();
	if (!st_base_same(base, true))
		st_bad("%s, step %u: not all came back", point_names[point],
		       nth);
	return hit;
}

static void public_run(void)
{
	struct goheap_cache *cache;
	struct st_base base;
	unsigned int nth;

	cache = goheap_cache_create("stress-fault", 3000, 0, 0, NULL);
	if (IS_ERR(cache)) {
		st_bad("no cache");
		return;
	}
	st_base_take(&base);
	for (nth = 1; nth < FAULT_MAX; nth++)
		if (!public_try(cache, &base, GH_FAULT_PAGE, nth))
			break;
	/* Eager arenas have their pages, nothing is left to fail. */
	st_check(nth < FAULT_MAX && (nth > 1 || !gh_vmem_is_sparse()),
		 "%s failed at %u places, and nothing was lost",
		 point_names[GH_FAULT_PAGE], nth - 1);
	goheap_cache_destroy(cache);
}

/* ---- all ---------------------------------------------------------------- */

/* In a bound thread: what its CPU holds must not differ from try to try. */
static void faults_worker(struct st_worker *w)
{
	unsigned int point, nth;

	for (point = 0; point < NR_POINTS; point++) {
		for (nth = 1; nth < FAULT_MAX; nth++) {
			if (!heap_try(point, nth))
				break;
			cond_resched();
		}
		st_check(nth > 1 && nth < FAULT_MAX,
			 "a new heap: %s failed at %u places, and nothing was lost",
			 point_names[point], nth - 1);
	}
	public_run();
}

/**
 * stress_faults() - steps fail, one after the other
 */
void stress_faults(void)
{
	struct st_base base;

	st_base_take(&base);
	st_run_on(cpumask_first(cpu_online_mask), faults_worker, NULL);
	st_base_check(&base);
}
