// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_state: brings a CPU and an mcentral into the state that a path begins in,
 * the same each time.
 */
#include <linux/kernel.h>
#include <linux/sizes.h>

#include "../mm/compat.h"
#include "../mm/malloc.h"
#include "../mm/mcache.h"
#include "step.h"

const struct step_kind *step_kind;

/* The bound that some paths change. */
static unsigned long percpu_bytes;

static struct gh_span *new_span(struct gh_central *c)
{
	struct gh_span *s = gh_central_new_span(c, GFP_KERNEL, NUMA_NO_NODE);

	if (!s)
		step_wrong("no span of %s", c->name);
	return s;
}

/* Take an object out of a span, past the CPU's magazines. */
static bool take(struct gh_central *c, struct gh_span *s, struct gh_ent *ent)
{
	if (!s || !gh_span_carve(s, ent, 1))
		return false;
	gh_central_home_of(c, s)->carved++;
	return true;
}

/* One more object, of a span with free places if there is one. */
static bool take_any(struct gh_central *c, struct gh_ent *ent)
{
	struct gh_span *s;

	if (gh_home_take(gh_central_here(c), ent))
		return true;
	s = new_span(c);
	if (!take(c, s, ent))
		return false;
	gh_central_put_span(c, s);
	return true;
}

static void hold(const struct step_kind *kind, struct gh_ent *ent)
{
	*ent->state = GH_OBJ_ALLOC;
	step_hold(&step_mine, kind, ent->obj);
}

/* A magazine of @n objects. */
static struct gh_ent *make_mag(struct gh_central *c, unsigned int cap,
			       unsigned int n)
{
	struct gh_fixalloc *pool = gh_mheap_mags(c->heap, cap);
	struct gh_ent *mag = gh_fixalloc_alloc(pool, GFP_KERNEL);
	unsigned int i;

	for (i = 0; mag && i < n; i++)
		if (!take_any(c, &mag[i]))
			break;
	if (!mag || i < n)
		step_wrong("no magazine of %s", c->name);
	return mag;
}

/* Hold what is free in spans. Tiny blocks are no objects that one can hold. */
static void use_up(const struct step_kind *kind)
{
	struct gh_ent ent;
	unsigned int i;

	if (kind->c->shape.tiny)
		return;
	gh_for_each_home(i, kind->c)
		while (gh_home_take(kind->c->home[i], &ent))
			hold(kind, &ent);
}

/* A span with @left free places, the others held. */
static struct gh_span *make_span(const struct step_kind *kind, unsigned int left)
{
	struct gh_span *s = new_span(kind->c);
	struct gh_ent ent;

	while (s && s->nelems - s->alloc_count > left && take(kind->c, s, &ent))
		hold(kind, &ent);
	return s;
}

static void make_batches(struct gh_central *c, unsigned int n)
{
	/* For a full one, an empty one is handed out. */
	gh_fixalloc_prefill(c->mags, n + 1, GFP_KERNEL);
	while (n--) {
		struct gh_ent *mag = make_mag(c, c->batch, c->batch);

		if (!mag || !gh_home_trade_full(gh_central_here(c), &mag))
			step_wrong("no batch of %s", c->name);
		if (mag)
			gh_fixalloc_free(c->mags, mag);
	}
}

static void make_slot(const struct step_kind *kind, const struct step_state *st)
{
	struct gh_central *c = kind->c;
	struct gh_slot *slot = gh_central_slot(c, step_home);
	struct gh_mcache *mcache = per_cpu_ptr(c->heap->mcache, step_home);
	long *bytes = c->cache ? &mcache->cache_bytes : &mcache->bytes;

	slot->mag = make_mag(c, st->cap, st->n);
	slot->cap = st->cap;
	slot->top = slot->mag + st->n;
	slot->end = slot->mag + st->cap;
	if (st->has_spare)
		slot->spare = make_mag(c, st->cap, st->nspare);
	slot->nspare = st->nspare;
	*bytes += 2 * (long)st->cap * c->shape.elemsize;
	use_up(kind);
	if (st->has_span)
		slot->span = make_span(kind, st->left);
}

/* Before a state is made, this CPU gets some pages, and nothing else. */
static void start(void)
{
	const struct step_kind *page = &step_kinds[STEP_PAGE];

	step_drain();
	gh_mheap_evict(gh_kheap);
	gh_mheap_flush_pages(gh_kheap, step_home);
	gh_central_put_span(page->c, new_span(page->c));
	gh_mheap_evict(gh_kheap);
	per_cpu_ptr(gh_kheap->mcache, step_home)->victim = 0;
	step_pages_same();
}

/* Spans that are free, in their node's cache: @n at most 2. */
static void make_cached(struct gh_central *c, unsigned int n)
{
	struct gh_span *s[2];
	unsigned int i;

	for (i = 0; i < n; i++)
		s[i] = new_span(c);
	for (i = 0; i < n; i++)
		gh_central_put_span(c, s[i]);
}

static void make_state(const struct step_kind *kind, const struct step_state *st)
{
	struct gh_central *c = kind->c;
	unsigned int i;

	make_batches(c, st->batches);
	if (st->cap)
		make_slot(kind, st);
	else
		use_up(kind);
	gh_central_slot(c, step_home)->misses = st->misses;
	gh_central_slot(c, step_home)->idle = st->idle;
	for (i = 0; i < st->partial; i++)
		gh_central_put_span(c, make_span(kind, c->shape.nelems - 1));
	make_cached(c, st->cached);
}

/**
 * step_path_prepare() - make the state that a path begins in
 * @path: the path
 *
 * Context: process context on the home CPU; nobody else uses the heap.
 */
void step_path_prepare(const struct step_path *path)
{
	const struct step_state *st = path->state;
	unsigned int i;

	step_kind = &step_kinds[path->kind];
	for (i = 0; st && i < st->mine; i++)
		step_get(&step_mine, step_kind, GFP_KERNEL);
	start();
	if (st && step_kind->c)
		make_state(step_kind, st);
	if (path->prepare)
		path->prepare();
}

/**
 * step_path_finish() - after a path
 * @path: the path
 *
 * Context: process context on the home CPU.
 */
void step_path_finish(const struct step_path *path)
{
	gh_percpu_bytes = percpu_bytes;
	step_pages_keep(true);
	if (path->finish)
		path->finish();
}

/**
 * step_state_init() - note the bound that step_path_finish() restores
 */
void step_state_init(void)
{
	percpu_bytes = gh_percpu_bytes;
}
