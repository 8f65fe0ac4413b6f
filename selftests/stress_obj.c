// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects whose contents can be verified, and a random mix of everything that
 * can be done with them.
 *
 * Every byte of an object follows from its key, which follows from its address,
 * its size and a random number: memory that was handed out twice, or moved, or
 * written by somebody else, cannot look right.
 */
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "stress.h"

#define GOLDEN	0x9e3779b97f4a7c15ULL
/* Objects below this are filled byte by byte; they need not be aligned. */
#define WORDS_FROM	16

static unsigned int seed = 1;
module_param(seed, uint, 0644);
MODULE_PARM_DESC(seed, "Of all random numbers (default 1)");

/* ---- random numbers ----------------------------------------------------- */

/**
 * st_rng_init() - start a generator
 * @rng: the generator
 * @stream: each stream is different from the others
 */
void st_rng_init(struct st_rng *rng, u64 stream)
{
	rng->state = (stream + 1) * GOLDEN ^ (u64)seed << 32;
	if (!rng->state)
		rng->state = 1;
	st_rand(rng);
	st_rand(rng);
}

/**
 * st_rand() - a random number (xorshift64*)
 * @rng: the generator
 *
 * Context: any.
 * Return: 64 random bits.
 */
u64 st_rand(struct st_rng *rng)
{
	u64 x = rng->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	rng->state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/**
 * st_below() - a random number below a bound
 * @rng: the generator
 * @n: the bound
 *
 * Return: 0 to @n - 1.
 */
u32 st_below(struct st_rng *rng, u32 n)
{
	return (st_rand(rng) >> 32) * n >> 32;
}

/**
 * st_size() - a random object size, small ones more often
 * @rng: the generator
 *
 * Return: 1 to 1 MiB.
 */
size_t st_size(struct st_rng *rng)
{
	u32 r = st_below(rng, 1000);

	if (r < 900)
		return 1 + st_below(rng, 2048);
	if (r < 994)
		return 1 + st_below(rng, SZ_32K);
	return 1 + st_below(rng, SZ_1M);
}

/* ---- contents ----------------------------------------------------------- */

static u8 byte_at(u64 key, size_t i)
{
	return (key >> (i % 8 * 8)) ^ i;
}

static u64 word_at(u64 key, size_t i)
{
	return key + i * GOLDEN;
}

static void fill(void *p, size_t size, u64 key)
{
	size_t words = size < WORDS_FROM ? 0 : size / sizeof(u64);
	u64 *w = p;
	u8 *b = p;
	size_t i;

	for (i = 0; i < words; i++)
		w[i] = word_at(key, i);
	for (i = words * sizeof(u64); i < size; i++)
		b[i] = byte_at(key, i);
}

/*
 * First byte of @len that is not as fill() left it, or @len. @size is that of
 * the object that was filled.
 */
static size_t first_wrong(const void *p, size_t len, size_t size, u64 key)
{
	size_t words = size < WORDS_FROM ? 0 : size / sizeof(u64);
	const u64 *w = p;
	const u8 *b = p;
	size_t i;

	for (i = 0; i < words && (i + 1) * sizeof(u64) <= len; i++)
		if (w[i] != word_at(key, i))
			return i * sizeof(u64);
	/* A tail in the middle of a word was cut by a smaller size. */
	for (i = words * sizeof(u64); i < len; i++)
		if (b[i] != byte_at(key, i))
			return i;
	return len;
}

/**
 * st_obj_adopt() - fill an object that was just allocated
 * @o: the object, with @p, @size, @kind and @cache
 * @rng: for its key
 *
 * Context: any.
 */
void st_obj_adopt(struct st_obj *o, struct st_rng *rng)
{
	o->key = st_rand(rng) ^ (unsigned long)o->p * GOLDEN ^ o->size;
	fill(o->p, o->size, o->key);
}

/**
 * st_obj_intact() - verify an object's contents
 * @o: the object
 *
 * Context: any.
 * Return: true if every byte is right; if not it was reported.
 */
bool st_obj_intact(const struct st_obj *o)
{
	size_t at = first_wrong(o->p, o->size, o->size, o->key);

	if (at == o->size)
		return true;
	st_bad("object %p of %zu bytes is damaged from byte %zu on", o->p,
	       o->size, at);
	return false;
}

/* ---- allocation --------------------------------------------------------- */

static void *obj_get(const struct st_obj *o, struct st_rng *rng, gfp_t gfp)
{
	int node;

	switch (o->kind) {
	case ST_DATA:
		return goheap_alloc_data(o->size, gfp);
	case ST_NODE:
		node = st_below(rng, 2) ? first_online_node :
					  next_online_node(first_online_node);
		if (node >= MAX_NUMNODES)
			node = NUMA_NO_NODE;
		return goheap_alloc_node(o->size, gfp, node);
	case ST_STACK:
		return goheap_stack_alloc(o->size, gfp);
	case ST_CACHE:
		return goheap_cache_alloc(o->cache, gfp);
	default:
		return goheap_alloc(o->size, gfp);
	}
}

/* The alignment that the object must have. */
static size_t obj_align(const struct st_obj *o)
{
	if (o->kind == ST_STACK)
		return SZ_2K;
	if (o->kind == ST_DATA && o->size < 16)
		return min_t(size_t, o->size & -o->size, 8);
	if (o->kind != ST_CACHE && is_power_of_2(o->size))
		return clamp_t(size_t, o->size, 8, SZ_8K);
	return 8;
}

/**
 * st_obj_new() - allocate an object, check it, and fill it
 * @o: with @size, @kind and @cache
 * @rng: random numbers
 * @gfp: allocation flags
 *
 * Context: as @gfp says.
 * Return: false if there was no memory.
 */
bool st_obj_new(struct st_obj *o, struct st_rng *rng, gfp_t gfp)
{
	o->p = obj_get(o, rng, gfp);
	if (!o->p)
		return false;
	if ((unsigned long)o->p & (obj_align(o) - 1))
		st_bad("object %p of %zu bytes is not aligned", o->p, o->size);
	if (goheap_usable_size(o->p) < o->size)
		st_bad("object %p has %zu bytes, not %zu", o->p,
		       goheap_usable_size(o->p), o->size);
	if (gfp & __GFP_ZERO && memchr_inv(o->p, 0, o->size))
		st_bad("object %p of %zu bytes is not zero", o->p, o->size);
	st_obj_adopt(o, rng);
	return true;
}

/**
 * st_obj_free() - verify an object, and free it
 * @o: the object; @p is NULL afterwards
 *
 * Context: any.
 */
void st_obj_free(struct st_obj *o)
{
	st_obj_intact(o);
	switch (o->kind) {
	case ST_STACK:
		goheap_stack_free(o->p);
		break;
	case ST_CACHE:
		goheap_cache_free(o->cache, o->p);
		break;
	default:
		if (o->key % 8)
			goheap_free(o->p);
		else
			goheap_free_sensitive(o->p);
		break;
	}
	o->p = NULL;
}

/**
 * st_obj_realloc() - change an object's size, and check what is kept
 * @o: the object, not of a cache and no stack block
 * @rng: random numbers
 * @size: new size in bytes
 * @gfp: allocation flags
 *
 * Context: as @gfp says.
 */
void st_obj_realloc(struct st_obj *o, struct st_rng *rng, size_t size,
		    gfp_t gfp)
{
	size_t kept = min(o->size, size);
	void *p;

	if (!st_obj_intact(o))
		return;
	p = goheap_realloc(o->p, size, gfp);
	if (!p) {
		st_obj_intact(o);
		return;
	}
	if (first_wrong(p, kept, o->size, o->key) != kept)
		st_bad("object %p of %zu bytes lost its contents at %p", o->p,
		       o->size, p);
	o->p = p;
	o->size = size;
	st_obj_adopt(o, rng);
}

/* ---- a mix -------------------------------------------------------------- */

static void mix_choose(struct st_obj *o, struct st_rng *rng)
{
	static const enum st_kind kinds[] = {
		ST_PLAIN, ST_PLAIN, ST_PLAIN, ST_PLAIN, ST_PLAIN, ST_DATA,
		ST_DATA, ST_NODE, ST_STACK,
	};

	o->kind = kinds[st_below(rng, ARRAY_SIZE(kinds))];
	o->size = st_size(rng);
	if (o->kind == ST_DATA && st_below(rng, 2))
		o->size = 1 + st_below(rng, 15);
	if (o->kind == ST_STACK)
		o->size = 1 + st_below(rng, SZ_64K);
}

/**
 * st_mix_step() - allocate, reallocate, or verify and free
 * @objs: the caller's objects; those of caches are only freed
 * @n: how many
 * @rng: random numbers
 *
 * Context: process context.
 */
void st_mix_step(struct st_obj *objs, unsigned int n, struct st_rng *rng)
{
	struct st_obj *o = &objs[st_below(rng, n)];
	gfp_t gfp = GFP_KERNEL | (st_below(rng, 4) ? 0 : __GFP_ZERO);

	if (!o->p) {
		mix_choose(o, rng);
		if (!st_obj_new(o, rng, gfp))
			st_bad("no memory for %zu bytes", o->size);
	} else if (o->kind < ST_STACK && !st_below(rng, 4)) {
		st_obj_realloc(o, rng, st_size(rng), GFP_KERNEL);
	} else {
		st_obj_free(o);
	}
}

/**
 * st_mix_end() - verify and free all
 * @objs: the objects
 * @n: how many
 *
 * Context: any.
 */
void st_mix_end(struct st_obj *objs, unsigned int n)
{
	while (n--)
		if (objs[n].p)
			st_obj_free(&objs[n]);
}
