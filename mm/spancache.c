// SPDX-License-Identifier: GPL-2.0-only
/*
 * spancache: freed spans of a node, kept whole for reuse with the same layout.
 *
 * Creating a span from fresh pages and freeing it takes some 2,000
 * instructions; a large span also needs one store per page in the arena's
 * table. A span that is freed keeps its record, its bitmaps, its pages and
 * their memory here for a while, and is found by its layout:
 *
 *   hash of the object size   bin: spans, newest first
 *          [ 0 ]              128 x 64 - 128 x 64 - 6784 x 6
 *          [ 1 ]              -
 *            .
 *          [ 63 ]             large: 64 KiB - 5 MiB - 64 KiB
 *
 * A cached span is reused only for the same layout, so that a reader with a
 * stale pointer to the record always sees sizes and bitmaps that are
 * consistent. Another mcentral gets it only after a grace period, because such
 * a reader may have compared the mcentral already, and would take an object of
 * the new one for an object of the old one; see span_withdraw() in mheap.c.
 *
 * For the page allocator the pages are allocated; for everything else the span
 * is dead. The mheap takes out and frees what has been here for too long
 * (gh_spancache_take_oldest()), or makes room (gh_spancache_take_victim()).
 *
 * Lock: gh_spancache.lock, see mheap.c for the order.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "compat.h"
#include "peek.h"
#include "spancache.h"

/* Spans of a bin that a search looks at. Few, because interrupts are off. */
#define TAKE_LOOKS	8

/**
 * gh_spancache_init() - an empty cache
 * @cache: the cache
 */
void gh_spancache_init(struct gh_spancache *cache)
{
	unsigned long max_bytes = totalram_pages() << PAGE_SHIFT >>
				  GH_SPANCACHE_RAM_SHIFT;
	unsigned int i;

	raw_spin_lock_init(&cache->lock);
	max_bytes = clamp(max_bytes, GH_SPANCACHE_MIN, GH_SPANCACHE_MAX);
	cache->max_pages = max_bytes >> GH_PAGE_SHIFT;
	for (i = 0; i < GH_SPANBINS; i++)
		INIT_LIST_HEAD(&cache->bin[i].spans);
}

/**
 * gh_spancache_put() - keep a freed span
 * @cache: the cache of its node
 * @s: the span, dead, in no list
 *
 * Context: any but NMI.
 * Return: false if it does not fit.
 */
bool gh_spancache_put(struct gh_spancache *cache, struct gh_span *s)
{
	struct gh_spanbin *bin = gh_spancache_bin(cache, s->elemsize, s->large);
	unsigned long flags;
	bool ok;

	s->died = get_state_synchronize_rcu();
	raw_spin_lock_irqsave(&cache->lock, flags);
	ok = cache->npages + s->npages <= cache->max_pages;
	if (likely(ok)) {
		list_add(&s->list, &bin->spans);
		bin->n++;
		cache->npages += s->npages;
		cache->nspans++;
	}
	raw_spin_unlock_irqrestore(&cache->lock, flags);
	return ok;
}

static void spancache_unlink(struct gh_spancache *cache, struct gh_spanbin *bin,
			     struct gh_span *s)
	__must_hold(&cache->lock)
{
	lockdep_assert_held(&cache->lock);

	list_del_init(&s->list);
	bin->n--;
	bin->low = min(bin->low, bin->n);
	cache->npages -= s->npages;
	cache->nspans--;
}

/* The layout of a large span follows from its size. */
static __always_inline bool span_fits(const struct gh_span *s,
				      const struct gh_shape *shape, bool large)
{
	return s->elemsize == shape->elemsize &&
	       (large || (s->npages == shape->npages &&
			  s->nelems == shape->nelems &&
			  !s->tiny == !shape->tiny));
}

/*
 * Can no reader have seen the span with a mcentral other than @c? The mcentral
 * of @s may have been destroyed, but another one can have the same address only
 * after a grace period.
 */
static __always_inline bool span_is_for(const struct gh_span *s,
					const struct gh_central *c)
{
	return likely(s->central == c) || poll_state_synchronize_rcu(s->died);
}

static __always_inline struct gh_span *
bin_find(struct gh_spancache *cache, struct gh_spanbin *bin,
	 const struct gh_shape *shape, const struct gh_central *c, bool large)
	__must_hold(&cache->lock)
{
	unsigned int looks = TAKE_LOOKS;
	struct gh_span *s;

	lockdep_assert_held(&cache->lock);

	list_for_each_entry(s, &bin->spans, list) {
		if (likely(span_fits(s, shape, large) && span_is_for(s, c)))
			return s;
		if (!--looks)
			break;
	}
	return NULL;
}

/**
 * gh_spancache_take() - take out a span of a given layout
 * @cache: the cache
 * @shape: the layout
 * @c: the mcentral that it is for
 *
 * Context: any but NMI.
 * Return: the span that was freed last, if there are several; or NULL.
 */
struct gh_span *gh_spancache_take(struct gh_spancache *cache,
				  const struct gh_shape *shape,
				  const struct gh_central *c)
{
	struct gh_spanbin *bin = gh_spancache_bin(cache, shape->elemsize,
						  shape->large);
	struct gh_span *s;
	unsigned long flags;

	if (!gh_peek(bin->n))
		return NULL;

	raw_spin_lock_irqsave(&cache->lock, flags);
	s = shape->large ? bin_find(cache, bin, shape, c, true) :
			   bin_find(cache, bin, shape, c, false);
	if (s)
		spancache_unlink(cache, bin, s);
	raw_spin_unlock_irqrestore(&cache->lock, flags);
	return s;
}

/**
 * gh_spancache_take_oldest() - take out the span of a bin that was freed first
 * @cache: the cache
 * @bin: the bin
 * @only_idle: only if no allocation needed it since gh_spancache_look()
 *
 * Context: any but NMI.
 * Return: the span or NULL.
 */
struct gh_span *gh_spancache_take_oldest(struct gh_spancache *cache,
					 struct gh_spanbin *bin, bool only_idle)
{
	struct gh_span *s = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&cache->lock, flags);
	if (bin->n && (!only_idle || bin->low)) {
		s = list_last_entry(&bin->spans, struct gh_span, list);
		bin->low -= !!bin->low;
		spancache_unlink(cache, bin, s);
	}
	raw_spin_unlock_irqrestore(&cache->lock, flags);
	return s;
}

/**
 * gh_spancache_take_victim() - take out a span because memory is short
 * @cache: the cache
 *
 * Takes the oldest span of a bin; the bins take turns.
 *
 * Context: any but NMI.
 * Return: the span, or NULL if there is none.
 */
struct gh_span *gh_spancache_take_victim(struct gh_spancache *cache)
{
	unsigned int i;

	if (!gh_peek(cache->nspans))
		return NULL;

	for (i = 0; i < GH_SPANBINS; i++) {
		/* Two CPUs may pick the same bin, which does no harm. */
		unsigned int v = READ_ONCE(cache->victim) % GH_SPANBINS;
		struct gh_span *s = NULL;

		WRITE_ONCE(cache->victim, v + 1);
		if (gh_peek(cache->bin[v].n))
			s = gh_spancache_take_oldest(cache, &cache->bin[v], false);
		if (s)
			return s;
	}
	return NULL;
}

/**
 * gh_spancache_look() - start again to count the idle spans of a bin
 * @cache: the cache
 * @bin: the bin
 *
 * Context: any but NMI.
 */
void gh_spancache_look(struct gh_spancache *cache, struct gh_spanbin *bin)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&cache->lock, flags);
	bin->low = bin->n;
	raw_spin_unlock_irqrestore(&cache->lock, flags);
}
