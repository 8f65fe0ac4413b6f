// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large objects, up to several arenas long, against a list of what is live: no
 * two of them may overlap, and none may differ from what was written.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../mm/compat.h"
#include "../mm/vmem.h"
#include "stress.h"

#define LARGE_LIVE	256
#define LARGE_OBJS	8
/* Larger ones are written and verified at some places only. */
#define WHOLE_MAX	SZ_4M

/**
 * struct shadow - what is live
 * @lock: protects the rest
 * @n: number of @range
 * @bytes: their sum
 * @range: address ranges
 */
struct shadow {
	struct mutex lock;		/* protects the rest */
	unsigned int n;
	unsigned long bytes;
	struct {
		unsigned long start;
		unsigned long end;
	} range[LARGE_LIVE];
};

static void shadow_add(struct shadow *sh, const void *p, size_t size)
{
	unsigned long start = (unsigned long)p, end = start + size;
	unsigned int i;

	mutex_lock(&sh->lock);
	for (i = 0; i < sh->n; i++)
		if (start < sh->range[i].end && sh->range[i].start < end)
			st_bad("%#lx-%#lx overlaps %#lx-%#lx", start, end,
			       sh->range[i].start, sh->range[i].end);
	if (sh->n < LARGE_LIVE) {
		sh->range[sh->n].start = start;
		sh->range[sh->n++].end = end;
	} else {
		st_bad("too many objects for the shadow");
	}
	mutex_unlock(&sh->lock);
}

static void shadow_remove(struct shadow *sh, const void *p, size_t size)
{
	unsigned int i;

	mutex_lock(&sh->lock);
	for (i = 0; i < sh->n; i++)
		if (sh->range[i].start == (unsigned long)p)
			break;
	if (i == sh->n)
		st_bad("%p is not in the shadow", p);
	else
		sh->range[i] = sh->range[--sh->n];
	sh->bytes -= size;
	mutex_unlock(&sh->lock);
}

/* Keep the sum of live objects within what the machine has. */
static bool shadow_reserve(struct shadow *sh, size_t size)
{
	unsigned long max = totalram_pages() / 5 << PAGE_SHIFT;
	bool ok;

	mutex_lock(&sh->lock);
	ok = sh->bytes + size <= max;
	if (ok)
		sh->bytes += size;
	mutex_unlock(&sh->lock);
	return ok;
}

/* ---- contents ----------------------------------------------------------- */

/* The first word of every page says where and when it was written. */
static void pages_write(const struct st_obj *o)
{
	size_t i;

	for (i = 0; i < o->size; i += PAGE_SIZE)
		*(u64 *)(o->p + i) = o->key + i;
}

static void pages_verify(const struct st_obj *o)
{
	size_t i;

	for (i = 0; i < o->size; i += PAGE_SIZE) {
		if (*(u64 *)(o->p + i) == o->key + i)
			continue;
		st_bad("large object %p is damaged at byte %zu", o->p, i);
		return;
	}
}

/* Log-uniform: 32 KiB to 80 MiB. */
static size_t large_size(struct st_rng *rng, unsigned int shift_max)
{
	unsigned int shift = 15 + st_below(rng, shift_max - 14);
	size_t size = (1UL << shift) + st_below(rng, 1U << shift);

	return min_t(size_t, ALIGN(size, 8), 80 * SZ_1M);
}

static void large_new(struct shadow *sh, struct st_obj *o, struct st_rng *rng,
		      unsigned int shift_max)
{
	o->size = large_size(rng, shift_max);
	if (!shadow_reserve(sh, o->size))
		return;
	o->p = goheap_alloc(o->size, GFP_KERNEL | __GFP_NOWARN);
	if (!o->p) {
		st_bad("no memory for %zu bytes", o->size);
		return;
	}
	shadow_add(sh, o->p, o->size);
	if (o->size <= WHOLE_MAX) {
		st_obj_adopt(o, rng);
	} else {
		o->key = st_rand(rng);
		pages_write(o);
	}
}

static void large_free(struct shadow *sh, struct st_obj *o)
{
	if (o->size <= WHOLE_MAX)
		st_obj_intact(o);
	else
		pages_verify(o);
	/* Out of the shadow first: the address may be had again at once. */
	shadow_remove(sh, o->p, o->size);
	goheap_free(o->p);
	o->p = NULL;
}

static void large_worker(struct st_worker *w)
{
	/* Eager heaps grow by whole arenas, and only as long as it lasts. */
	unsigned int shift_max = gh_vmem_is_sparse() ? 26 : 22;
	struct st_obj objs[LARGE_OBJS] = { };
	struct shadow *sh = w->arg;
	unsigned int i, n = st_iters(120);

	for (i = 0; i < n; i++) {
		struct st_obj *o = &objs[st_below(&w->rng, LARGE_OBJS)];

		if (o->p)
			large_free(sh, o);
		else
			large_new(sh, o, &w->rng, shift_max);
		cond_resched();
	}
	for (i = 0; i < LARGE_OBJS; i++)
		if (objs[i].p)
			large_free(sh, &objs[i]);
}

static void large_gigabyte(void)
{
	struct st_obj o = { .size = SZ_1G };

	if (!gh_vmem_is_sparse() || totalram_pages() >> (30 - PAGE_SHIFT) < 3) {
		st_skip("1 GiB at once: the machine is too small");
		return;
	}
	o.p = goheap_alloc(o.size, GFP_KERNEL);
	if (o.p) {
		o.key = 0x123456789abcdefULL;
		pages_write(&o);
		pages_verify(&o);
	}
	st_check(o.p, "1 GiB at once");
	goheap_free(o.p);
}

/**
 * stress_large() - large objects come and go
 */
void stress_large(void)
{
	struct shadow *sh = kvzalloc(sizeof(*sh), GFP_KERNEL);
	struct st_base base;

	if (!sh) {
		st_bad("no memory");
		return;
	}
	mutex_init(&sh->lock);
	st_base_take(&base);
	st_run(num_online_cpus(), ST_BOUND, large_worker, sh, NULL);
	st_check(!sh->n && !sh->bytes, "all large objects are freed");
	large_gigabyte();
	st_base_check(&base);
	kvfree(sh);
}
