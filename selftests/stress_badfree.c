// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frees that are wrong: each is refused, counted as what it is, and does the
 * heap no harm.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>

#include "../mm/arena.h"
#include "stress.h"

#define SOUND_OBJS	3000
#define BURY_OBJS	30

static struct goheap_stats counted;

/* Give a result: since the last call @n frees were refused as @kind. */
static void bad_check(enum goheap_bad_free kind, unsigned int n,
		      const char *what)
{
	struct goheap_stats now;
	bool ok = true;
	unsigned int i;

	goheap_get_stats(&now);
	for (i = 0; i < GOHEAP_NR_BAD; i++) {
		u64 more = now.bad_frees[i] - counted.bad_frees[i];

		if (more == (i == kind ? n : 0))
			continue;
		ok = false;
		st_note("kind %u: %llu refused", i, more);
	}
	counted = now;
	st_check(ok, "%s is refused", what);
}

static struct st_obj new_obj(size_t size, enum st_kind kind,
			     struct goheap_cache *cache, struct st_rng *rng)
{
	struct st_obj o = { .size = size, .kind = kind, .cache = cache };

	if (!st_obj_new(&o, rng, GFP_KERNEL))
		st_bad("no memory");
	return o;
}

/* ---- kinds -------------------------------------------------------------- */

static void bad_wild(void)
{
	void *km = kmalloc(64, GFP_KERNEL);
	void *vm = vmalloc(SZ_64K);
	unsigned long on_stack[4];

	goheap_free(on_stack);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing an address on the stack");
	goheap_free(km);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing kmalloc()'s memory");
	goheap_free(vm);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing vmalloc()'s memory");
	goheap_free((void *)0x400000UL);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing a user address");
	goheap_free((void *)0x1234567890abcdefUL);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing a non-canonical address");
	goheap_free((void *)-8UL);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing the end of the address space");
	goheap_free(&bad_wild);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing a module's text");
	goheap_free(&counted);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing a module's data");
	goheap_stack_free(km);
	bad_check(GOHEAP_BAD_WILD, 1, "goheap_stack_free() of kmalloc()'s memory");
	if (goheap_realloc(km, 10, GFP_KERNEL))
		st_bad("goheap_realloc() takes kmalloc()'s memory");
	bad_check(GOHEAP_BAD_WILD, 1, "goheap_realloc() of kmalloc()'s memory");
	vfree(vm);
	kfree(km);
}

static void bad_interior(struct goheap_cache *cache, struct st_rng *rng)
{
	struct st_obj small = new_obj(256, ST_PLAIN, NULL, rng);
	struct st_obj large = new_obj(SZ_256K, ST_PLAIN, NULL, rng);
	struct st_obj cached = new_obj(300, ST_CACHE, cache, rng);
	struct st_obj stack = new_obj(SZ_4K, ST_STACK, NULL, rng);

	goheap_free(small.p + 8);
	goheap_free(small.p + 255);
	bad_check(GOHEAP_BAD_INTERIOR, 2, "the inside of a small object");
	goheap_free(large.p + 8);
	goheap_free(large.p + SZ_128K);
	bad_check(GOHEAP_BAD_INTERIOR, 2, "the inside of a large object");
	goheap_cache_free(cache, cached.p + 16);
	bad_check(GOHEAP_BAD_INTERIOR, 1, "the inside of a cache's object");
	goheap_stack_free(stack.p + 64);
	bad_check(GOHEAP_BAD_INTERIOR, 1, "the inside of a stack block");
	st_obj_free(&small);
	st_obj_free(&large);
	st_obj_free(&cached);
	st_obj_free(&stack);
}

static void bad_foreign(struct goheap_cache *a, struct goheap_cache *b,
			struct st_rng *rng)
{
	struct st_obj plain = new_obj(300, ST_PLAIN, NULL, rng);
	struct st_obj large = new_obj(SZ_128K, ST_PLAIN, NULL, rng);
	struct st_obj of_a = new_obj(300, ST_CACHE, a, rng);
	struct st_obj stack = new_obj(SZ_2K, ST_STACK, NULL, rng);

	goheap_cache_free(b, of_a.p);
	bad_check(GOHEAP_BAD_FOREIGN, 1, "another cache's object");
	goheap_free(of_a.p);
	bad_check(GOHEAP_BAD_FOREIGN, 1, "goheap_free() of a cache's object");
	goheap_cache_free(a, plain.p);
	bad_check(GOHEAP_BAD_FOREIGN, 1, "a plain object freed to a cache");
	goheap_cache_free(a, large.p);
	bad_check(GOHEAP_BAD_FOREIGN, 1, "a large object freed to a cache");
	goheap_free(stack.p);
	bad_check(GOHEAP_BAD_FOREIGN, 1, "goheap_free() of a stack block");
	goheap_stack_free(plain.p);
	bad_check(GOHEAP_BAD_FOREIGN, 1, "goheap_stack_free() of an object");
	st_obj_free(&plain);
	st_obj_free(&large);
	st_obj_free(&of_a);
	st_obj_free(&stack);
}

/* ---- double ------------------------------------------------------------- */

/* What a second free of a large object is: the CPU may hold it, or not. */
static enum goheap_bad_free second_free_of(const void *p)
{
	enum goheap_bad_free kind = GOHEAP_BAD_WILD;
	struct gh_span *s;

	rcu_read_lock();
	s = gh_span_of((unsigned long)p);
	if (s && gh_span_state(s) != GH_SPAN_DEAD)
		kind = GOHEAP_BAD_DOUBLE;
	rcu_read_unlock();
	return kind;
}

static void bad_double_at_once(struct goheap_cache *cache, struct st_rng *rng)
{
	struct st_obj small = new_obj(256, ST_PLAIN, NULL, rng);
	/* Small enough for the CPU to hold it, if it is of the CPU's node. */
	struct st_obj large = new_obj(SZ_256K, ST_PLAIN, NULL, rng);
	struct st_obj cached = new_obj(300, ST_CACHE, cache, rng);
	struct st_obj stack = new_obj(SZ_4K, ST_STACK, NULL, rng);
	struct st_obj tiny = new_obj(5, ST_DATA, NULL, rng);
	struct st_obj other = new_obj(5, ST_DATA, NULL, rng);
	void *p[] = { small.p, tiny.p, cached.p, stack.p, large.p };
	enum goheap_bad_free kind;

	st_obj_free(&small);
	goheap_free(p[0]);
	bad_check(GOHEAP_BAD_DOUBLE, 1, "freeing a small object twice");
	st_obj_free(&tiny);
	goheap_free(p[1]);
	bad_check(GOHEAP_BAD_DOUBLE, 1, "freeing a tiny object twice");
	st_obj_free(&other);
	st_obj_free(&cached);
	goheap_cache_free(cache, p[2]);
	bad_check(GOHEAP_BAD_DOUBLE, 1, "freeing a cache's object twice");
	st_obj_free(&stack);
	goheap_stack_free(p[3]);
	bad_check(GOHEAP_BAD_DOUBLE, 1, "freeing a stack block twice");
	st_obj_free(&large);
	kind = second_free_of(p[4]);
	goheap_free(p[4]);
	bad_check(kind, 1, "freeing a large object twice");
}

/* Other frees come between the two, so that the first lies deep. */
static void bad_double_buried(struct goheap_cache *cache, struct st_rng *rng)
{
	struct st_obj objs[BURY_OBJS];
	void *first;
	unsigned int i;

	for (i = 0; i < BURY_OBJS; i++)
		objs[i] = new_obj(300, ST_CACHE, cache, rng);
	first = objs[0].p;
	for (i = 0; i < BURY_OBJS; i++)
		st_obj_free(&objs[i]);
	goheap_cache_free(cache, first);
	bad_check(GOHEAP_BAD_DOUBLE, 1, "a second free after many others");
}

/* The span went back to the heap between the two. */
static void bad_double_late(struct goheap_cache *cache, struct st_rng *rng)
{
	struct st_obj plain = new_obj(6000, ST_PLAIN, NULL, rng);
	struct st_obj cached = new_obj(300, ST_CACHE, cache, rng);
	struct st_obj large = new_obj(SZ_256K, ST_PLAIN, NULL, rng);
	struct st_obj huge = new_obj(SZ_4M, ST_PLAIN, NULL, rng);
	void *p[] = { plain.p, cached.p, large.p, huge.p };

	/* No CPU holds an object as large as this. */
	st_obj_free(&huge);
	goheap_free(p[3]);
	bad_check(GOHEAP_BAD_WILD, 1, "freeing a huge object twice");
	st_obj_free(&plain);
	st_obj_free(&cached);
	st_obj_free(&large);
	goheap_shrink();
	goheap_free(p[0]);
	goheap_cache_free(cache, p[1]);
	goheap_free(p[2]);
	bad_check(GOHEAP_BAD_WILD, 3, "a second free after the span is gone");
}

static void free_here(void *p)
{
	goheap_free(p);
}

static void bad_double_elsewhere(struct st_rng *rng)
{
	struct st_obj o;
	unsigned int n = 0;
	int cpu;

	for_each_online_cpu(cpu) {
		void *p;

		o = new_obj(512, ST_PLAIN, NULL, rng);
		p = o.p;
		st_obj_free(&o);
		smp_call_function_single(cpu, free_here, p, 1);
		n++;
	}
	bad_check(GOHEAP_BAD_DOUBLE, n, "a second free on another CPU");
}

/* ---- the heap is sound -------------------------------------------------- */

/* Objects that were handed out twice would overwrite each other. */
static void sound(struct goheap_cache *a, struct goheap_cache *b,
		  struct st_rng *rng)
{
	static const size_t sizes[] = { 5, 256, 300, 512, 6000 };
	struct st_obj *objs = kvcalloc(SOUND_OBJS, sizeof(*objs), GFP_KERNEL);
	unsigned int i;

	if (!objs)
		return;
	for (i = 0; i < SOUND_OBJS; i++) {
		if (i % 7 < ARRAY_SIZE(sizes))
			objs[i] = new_obj(sizes[i % 7],
					  i % 7 ? ST_PLAIN : ST_DATA, NULL,
					  rng);
		else
			objs[i] = new_obj(300, ST_CACHE, i % 7 == 5 ? a : b,
					  rng);
	}
	st_mix_end(objs, SOUND_OBJS);
	kvfree(objs);
}

/**
 * stress_badfree() - frees that are wrong
 */
void stress_badfree(void)
{
	struct goheap_cache *a, *b;
	struct st_base base;
	struct st_rng rng;

	st_rng_init(&rng, 0);
	st_base_take(&base);
	a = goheap_cache_create("stress-a", 300, 0, 0, NULL);
	b = goheap_cache_create("stress-b", 300, 0, 0, NULL);
	if (IS_ERR(a) || IS_ERR(b)) {
		st_bad("the scenario could not be set up");
		return;
	}
	goheap_get_stats(&counted);
	st_expect_begin();
	bad_wild();
	bad_interior(a, &rng);
	bad_foreign(a, b, &rng);
	bad_double_at_once(a, &rng);
	bad_double_buried(a, &rng);
	bad_double_late(a, &rng);
	bad_double_elsewhere(&rng);
	st_expect_end();
	sound(a, b, &rng);
	goheap_cache_destroy(a);
	goheap_cache_destroy(b);
	/* What was refused is counted, everything else is as it was. */
	goheap_get_stats(&counted);
	memcpy(base.stats.bad_frees, counted.bad_frees,
	       sizeof(base.stats.bad_frees));
	st_base_check(&base);
}
