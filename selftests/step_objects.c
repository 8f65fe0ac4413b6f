// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_objects: the kinds of objects that paths and deeds use, and lists of those
 * that are held. Each is filled with a stamp of its own, so that an object that was
 * handed out twice is noticed.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "../mm/cache.h"
#include "../mm/compat.h"
#include "../mm/malloc.h"
#include "../mm/mcache.h"
#include "step.h"

/* The cache's objects fill a page but for a little, as those of a class do. */
#define CACHE_SIZE	480

struct goheap_cache *step_cache;
struct gh_heap *step_heap;
struct step_held step_mine;
struct step_held step_theirs;

/* ---- kinds -------------------------------------------------------------- */

static void malloc_free(void *p)
{
	goheap_free(p);
}

static void *small_alloc(gfp_t gfp)
{
	return goheap_alloc(512, gfp);
}

static void *cache_alloc(gfp_t gfp)
{
	return goheap_cache_alloc(step_cache, gfp);
}

static void cache_free(void *p)
{
	goheap_cache_free(step_cache, p);
}

static void *tiny_alloc(gfp_t gfp)
{
	return goheap_alloc_data(5, gfp);
}

static void *stack_alloc(gfp_t gfp)
{
	return goheap_stack_alloc(SZ_2K, gfp);
}

static void *page_alloc(gfp_t gfp)
{
	return goheap_alloc(SZ_8K, gfp);
}

static void *kilo_alloc(gfp_t gfp)
{
	return goheap_alloc(SZ_1K, gfp);
}

static void *thief_alloc(gfp_t gfp)
{
	return goheap_alloc(8, gfp);
}

static void *large_alloc(gfp_t gfp)
{
	return goheap_alloc(40960, gfp);
}

static void *big_stack_alloc(gfp_t gfp)
{
	return goheap_stack_alloc(SZ_32K, gfp);
}

/* The heap that these are from exists during some paths only. */
static void *own_alloc(gfp_t gfp)
{
	return step_heap ? gh_malloc(step_heap, 512, gfp, false, NUMA_NO_NODE) :
			   NULL;
}

struct step_kind step_kinds[STEP_NR_KINDS] = {
	[STEP_SMALL] = { "small", 512, small_alloc, malloc_free },
	[STEP_CACHE] = { "cache", CACHE_SIZE, cache_alloc, cache_free },
	[STEP_TINY] = { "tiny", 5, tiny_alloc, malloc_free },
	[STEP_STACK] = { "stack", SZ_2K, stack_alloc, goheap_stack_free },
	[STEP_PAGE] = { "page", SZ_8K, page_alloc, malloc_free },
	[STEP_KILO] = { "kilo", SZ_1K, kilo_alloc, malloc_free },
	[STEP_THIEF] = { "thief", 8, thief_alloc, malloc_free },
	[STEP_LARGE] = { "large", 40960, large_alloc, malloc_free },
	[STEP_BIG_STACK] = { "big stack", SZ_32K, big_stack_alloc,
			     goheap_stack_free },
	[STEP_OWN] = { "own", 512, own_alloc, malloc_free },
};

static struct gh_central *class_central(size_t size)
{
	unsigned int sc = gh_make_spanclass(gh_size_to_class(size), false);

	return &gh_kheap->central[sc];
}

/**
 * step_objects_init() - make the cache, and find the mcentrals
 *
 * Return: 0 or a negative error.
 */
int step_objects_init(void)
{
	static const enum step_kinds classes[] = {
		STEP_SMALL, STEP_PAGE, STEP_KILO, STEP_THIEF,
	};
	unsigned int i;

	step_cache = goheap_cache_create("step", CACHE_SIZE, 0, 0, NULL);
	if (IS_ERR(step_cache))
		return PTR_ERR(step_cache);
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		struct step_kind *kind = &step_kinds[classes[i]];

		kind->c = class_central(kind->size);
	}
	step_kinds[STEP_CACHE].c = &step_cache->central;
	step_kinds[STEP_TINY].c = &gh_kheap->central[GH_CENTRAL_TINY];
	step_kinds[STEP_STACK].c = &gh_kheap->central[GH_CENTRAL_STACK];
	return 0;
}

/**
 * step_objects_exit() - destroy the cache
 */
void step_objects_exit(void)
{
	goheap_cache_destroy(step_cache);
}

/* ---- objects that are held ---------------------------------------------- */

/**
 * step_hold() - note that an object is held, and fill it
 * @held: its holder's objects
 * @kind: its kind
 * @p: the object, or NULL
 *
 * Context: any.
 */
void step_hold(struct step_held *held, const struct step_kind *kind, void *p)
{
	struct step_obj *o = &held->obj[held->n];
	static u8 stamp;

	if (!p)
		return;
	if (held->n == STEP_HELD) {
		step_wrong("too many objects");
		return;
	}
	held->n++;
	o->p = p;
	o->kind = kind;
	o->stamp = ++stamp;
	memset(p, o->stamp, kind->size);
}

static void check_obj(const struct step_obj *o)
{
	if (memchr_inv(o->p, o->stamp, o->kind->size))
		step_wrong("a %s object was handed out twice", o->kind->name);
	if (goheap_usable_size(o->p) < o->kind->size)
		step_wrong("a %s object is not allocated", o->kind->name);
}

/**
 * step_let_go() - verify an object that is about to be freed
 * @held: its holder's objects
 * @i: which of these
 *
 * Context: any.
 * Return: the object.
 */
void *step_let_go(struct step_held *held, unsigned int i)
{
	void *p = held->obj[i].p;

	check_obj(&held->obj[i]);
	held->obj[i] = held->obj[--held->n];
	return p;
}

/**
 * step_get() - allocate an object
 * @held: its holder's objects
 * @kind: what
 * @gfp: allocation flags
 *
 * Context: any in which @gfp may be used.
 */
void step_get(struct step_held *held, const struct step_kind *kind, gfp_t gfp)
{
	step_hold(held, kind, kind->alloc(gfp));
}

/**
 * step_put() - verify an object and free it
 * @held: its holder's objects
 * @i: which of these
 *
 * Context: any.
 */
void step_put(struct step_held *held, unsigned int i)
{
	const struct step_kind *kind = held->obj[i].kind;

	kind->free(step_let_go(held, i));
}

/**
 * step_put_kind() - free an object of a kind, if there is one
 * @held: its holder's objects
 * @kind: the kind
 *
 * Context: any.
 */
void step_put_kind(struct step_held *held, const struct step_kind *kind)
{
	unsigned int i;

	for (i = 0; i < held->n; i++) {
		if (held->obj[i].kind == kind) {
			step_put(held, i);
			return;
		}
	}
}

/**
 * step_put_all() - free all objects of a holder
 * @held: these
 *
 * Context: any.
 */
void step_put_all(struct step_held *held)
{
	while (held->n)
		step_put(held, held->n - 1);
}

/**
 * step_check_held() - verify all objects of a holder
 * @held: these
 *
 * Context: any.
 */
void step_check_held(const struct step_held *held)
{
	unsigned int i;

	for (i = 0; i < held->n; i++)
		check_obj(&held->obj[i]);
}
