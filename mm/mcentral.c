// SPDX-License-Identifier: GPL-2.0-only
/*
 * mcentral: all spans of one span class or object cache, and whole batches of
 * their objects that move from CPU to CPU.
 *
 *        CPU 0          CPU 1              slot: magazine, spare, current span
 *          | ^            | ^
 *   batch  v |            v |  batch       transfer cache: up to 64 batches
 *        [    transfer cache    ]
 *          | ^
 *  freed   v |  current span
 *   bits [ partial: swept | unswept ]      sets, by NUMA node
 *        [ full:    swept | unswept ]
 *
 * A span is in one of the four sets of its node, or it is the current span of
 * some CPU (@cached) and in no set. Objects may be freed at any time, into a
 * current span too, and set their freed bits. A span in a set is "unswept" if
 * it has any. It is swept, that is, its freed bits are folded in, when it is
 * taken out the next time or when a sweep cycle visits it. A span in a set is
 * freed as soon as all of its objects are.
 *
 * Lock: gh_central.lock, see mheap.c for the order. In NMI context it is only
 * tried. Spans are freed after it was dropped, because that takes locks of
 * nodes.
 */
#include <linux/string.h>

#include "compat.h"
#include "mcentral.h"
#include "rawlock.h"
#include "report.h"

/* Unswept spans that an allocation looks at before it makes a new one. */
#define TAKE_LOOKS	4

/* Objects that are freed to their spans before interrupts may come in. */
#define RELEASE_HOLD	16U

/* Spans that are freed with interrupts off, at 2,000 instructions each. */
#define DEAD_ATOMIC	16U

/* ---- sets --------------------------------------------------------------- */

static unsigned int swept_set(const struct gh_central *c)
{
	return (c->sweepgen >> 1) & 1;
}

/* Put a span in the set where it belongs. */
static void span_file(struct gh_central *c, struct gh_span *s)
	__must_hold(&c->lock)
{
	struct gh_span_sets *sets = &c->sets[s->node->numa];
	unsigned int which = swept_set(c) ^ (s->sweepgen != c->sweepgen);

	lockdep_assert_held(&c->lock);

	if (unlikely(s->state == GH_SPAN_LOST))
		return;
	list_move(&s->list, gh_span_full(s) ? &sets->full[which] :
					      &sets->partial[which]);
}

static void span_sweep(struct gh_central *c, struct gh_span *s)
	__must_hold(&c->lock)
{
	lockdep_assert_held(&c->lock);

	if (s->nfreed)
		gh_span_sweep(s);
	s->sweepgen = c->sweepgen;
}

static bool span_empty(const struct gh_span *s)
{
	return s->alloc_count == s->nfreed;
}

/*
 * A span in a set got a freed bit, so it is unswept now, or empty. Empty ones
 * go to @dead, for the caller to free after it has dropped the lock.
 */
static void span_got_freed(struct gh_central *c, struct gh_span *s,
			   struct list_head *dead)
	__must_hold(&c->lock)
{
	lockdep_assert_held(&c->lock);

	if (span_empty(s)) {
		list_move(&s->list, dead);
		return;
	}
	if (s->sweepgen == c->sweepgen) {
		s->sweepgen = c->sweepgen - 2;
		span_file(c, s);
	}
}

/*
 * Free spans that are in no set any more. @n counts those of one call of the API:
 * when there are many, and interrupts are off, a worker frees the rest.
 */
static void free_dead(struct gh_central *c, struct list_head *dead,
		      unsigned int *n)
{
	struct gh_span *s, *next;

	list_for_each_entry_safe(s, next, dead, list) {
		list_del_init(&s->list);
		atomic_long_dec(&c->nspans);
		if (++*n > DEAD_ATOMIC && irqs_disabled())
			gh_mheap_free_span_later(c->heap, s);
		else
			gh_mheap_free_span(c->heap, s);
	}
}

/*
 * Take out a span with free places, preferably one that need not be swept.
 *
 * While a sweep cycle runs, every full span counts as unswept until the cycle
 * has visited it. Only a few of them are looked at, because interrupts are off.
 */
static struct gh_span *sets_take(struct gh_central *c, struct gh_span_sets *sets)
	__must_hold(&c->lock)
{
	struct list_head *order[] = {
		&sets->partial[swept_set(c)],
		&sets->partial[!swept_set(c)],
		&sets->full[!swept_set(c)],
	};
	unsigned int i;

	lockdep_assert_held(&c->lock);

	for (i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned int left = TAKE_LOOKS;

		while (!list_empty(order[i]) && left--) {
			struct gh_span *s;

			s = list_first_entry(order[i], struct gh_span, list);
			list_del_init(&s->list);
			span_sweep(c, s);
			if (!gh_span_full(s))
				return s;
			/*
			 * It counted as unswept because of a cycle, but none of
			 * its objects had been freed.
			 */
			span_file(c, s);
		}
	}
	return NULL;
}

/* ---- spans -------------------------------------------------------------- */

/* Let the fast path free objects of a span; everything else must be set up. */
static void span_open(struct gh_central *c, struct gh_span *s)
{
	s->slots = c->slots;
	if (s->state != GH_SPAN_OBJECTS || s->tiny)
		return;
	/*
	 * Order all other fields before nmalloc and ncache, for a bad free that
	 * guesses this span. A caller with a valid pointer observes them
	 * anyway, since it was given the object after all this.
	 */
	smp_wmb();
	if (c->cache)
		WRITE_ONCE(s->ncache, s->nelems);
	else
		WRITE_ONCE(s->nmalloc, s->nelems);
}

/**
 * gh_central_new_span() - get a span from the heap
 * @c: the mcentral
 * @gfp: for its memory
 * @nid: preferred NUMA node or NUMA_NO_NODE
 *
 * Context: as gh_mheap_alloc_span().
 * Return: the span, as a current span (@cached), with its objects constructed;
 * or NULL.
 */
struct gh_span *gh_central_new_span(struct gh_central *c, gfp_t gfp, int nid)
{
	struct gh_span *s;
	unsigned int i;

	s = gh_mheap_alloc_span(c->heap, &c->shape, c, gfp & ~__GFP_ZERO, nid);
	if (!s)
		return NULL;

	s->sweepgen = READ_ONCE(c->sweepgen);
	s->cached = true;
	atomic_long_inc(&c->nspans);
	if (c->ctor)
		for (i = 0; i < s->nelems; i++)
			c->ctor((void *)(s->base + i * s->elemsize));
	span_open(c, s);
	return s;
}
GH_EXPORT_FOR_TESTS(gh_central_new_span);

/* Take out a span with free places, of a node or of any. */
static struct gh_span *central_pick(struct gh_central *c, int nid)
	__must_hold(&c->lock)
{
	struct gh_span *s = NULL;
	unsigned int i;

	lockdep_assert_held(&c->lock);

	if (nid != NUMA_NO_NODE)
		return sets_take(c, &c->sets[gh_mheap_numa(c->heap, nid)]);
	for (i = 0; i <= c->heap->nr_numa && !s; i++)
		s = sets_take(c, &c->sets[i]);
	return s;
}

/**
 * gh_central_get_span() - take out a span with free places
 * @c: the mcentral
 * @nid: the NUMA node that it must be from, or NUMA_NO_NODE for any
 *
 * Context: any.
 * Return: the span, as a current span, or NULL if there is none.
 */
struct gh_span *gh_central_get_span(struct gh_central *c, int nid)
{
	unsigned long flags;
	struct gh_span *s;

	if (!gh_raw_lock(&c->lock, &flags))
		return NULL;
	s = central_pick(c, nid);
	if (s)
		s->cached = true;
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return s;
}
GH_EXPORT_FOR_TESTS(gh_central_get_span);

/**
 * gh_central_put_span() - return a current span to the sets, or free it
 * @c: the mcentral
 * @s: the span
 *
 * Context: any but NMI.
 */
void gh_central_put_span(struct gh_central *c, struct gh_span *s)
{
	unsigned long flags;
	unsigned int n = 0;
	LIST_HEAD(dead);

	raw_spin_lock_irqsave(&c->lock, flags);
	s->cached = false;
	if (s->state != GH_SPAN_LOST && span_empty(s)) {
		list_move(&s->list, &dead);
	} else {
		s->sweepgen = c->sweepgen - (s->nfreed ? 2 : 0);
		span_file(c, s);
	}
	raw_spin_unlock_irqrestore(&c->lock, flags);
	free_dead(c, &dead, &n);
}
GH_EXPORT_FOR_TESTS(gh_central_put_span);

/**
 * gh_central_abandon() - hand out nothing of a span any more
 * @c: its mcentral
 * @s: the span, which may be a CPU's current one; its memory is gone
 *
 * Context: any but NMI; in the RCU read section in which @s was found.
 * Return: false if it is free, or lost already.
 */
bool gh_central_abandon(struct gh_central *c, struct gh_span *s)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&c->lock, flags);
	/* It may be free by now, or on its way to be. */
	if (s->central != c || s->state == GH_SPAN_DEAD ||
	    s->state == GH_SPAN_LOST ||
	    (!s->large && !s->cached && span_empty(s))) {
		raw_spin_unlock_irqrestore(&c->lock, flags);
		return false;
	}
	if (!s->cached && !s->large)
		list_del_init(&s->list);
	WRITE_ONCE(s->nmalloc, 0);
	WRITE_ONCE(s->ncache, 0);
	WRITE_ONCE(s->state, GH_SPAN_LOST);
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return true;
}

static bool sets_swept(const struct gh_central *c,
		       const struct gh_span_sets *sets)
	__must_hold(&c->lock)
{
	lockdep_assert_held(&c->lock);
	return list_empty(&sets->partial[!swept_set(c)]) &&
	       list_empty(&sets->full[!swept_set(c)]);
}

/* Sweep what is unswept in one node's sets. Drops the lock after each span. */
static unsigned long sets_sweep(struct gh_central *c, struct gh_span_sets *sets,
				unsigned long *flags, unsigned long *bad)
	__must_hold(&c->lock)
{
	struct list_head *unswept[] = {
		&sets->partial[!swept_set(c)],
		&sets->full[!swept_set(c)],
	};
	/* Frees make swept spans unswept again meanwhile. */
	long left = atomic_long_read(&c->nspans);
	unsigned long n = 0;
	unsigned int i;

	lockdep_assert_held(&c->lock);

	for (i = 0; i < ARRAY_SIZE(unswept); i++) {
		while (!list_empty(unswept[i]) && left-- > 0) {
			struct gh_span *s;

			s = list_first_entry(unswept[i], struct gh_span, list);
			gh_span_sweep(s);
			*bad += !gh_span_verify(s);
			s->sweepgen = c->sweepgen;
			span_file(c, s);
			n++;
			raw_spin_unlock_irqrestore(&c->lock, *flags);
			cond_resched();
			raw_spin_lock_irqsave(&c->lock, *flags);
		}
	}
	return n;
}

/**
 * gh_central_sweep() - one sweep cycle: visit every span in the sets once
 * @c: the mcentral
 * @bad: number of spans whose counts and bits do not agree is added to this
 *
 * A new generation turns all swept spans into unswept ones at once. So each
 * span is visited once, although the lock is dropped after each. Current spans
 * are left alone, because their CPU may be carving them. Cycles on one mcentral
 * must not overlap, which caches_sem ensures.
 *
 * Context: process context, may sleep; caches_sem is held for writing.
 * Return: number of spans visited.
 */
unsigned long gh_central_sweep(struct gh_central *c, unsigned long *bad)
{
	unsigned long flags, n = 0;
	unsigned int i;

	lockdep_assert_held_write(&c->heap->caches_sem);

	raw_spin_lock_irqsave(&c->lock, flags);

	/*
	 * A span that is still unswept after the next generation has begun
	 * would be in the set of swept ones, so none may be left.
	 */
	for (i = 0; i <= c->heap->nr_numa; i++)
		sets_sweep(c, &c->sets[i], &flags, bad);

	/* Objects may have been freed while the lock was dropped: next time. */
	for (i = 0; i <= c->heap->nr_numa; i++)
		if (!sets_swept(c, &c->sets[i]))
			goto out;

	c->sweepgen += 2;
	for (i = 0; i <= c->heap->nr_numa; i++)
		n += sets_sweep(c, &c->sets[i], &flags, bad);
out:
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_central_sweep);

/* ---- objects ------------------------------------------------------------ */

/**
 * gh_central_take() - take one object past the CPU's cache
 * @c: the mcentral
 * @nid: NUMA node the object must be from, or NUMA_NO_NODE
 * @ent: the object
 *
 * For interrupts that find the slot busy, and for memory of a certain node.
 *
 * Context: any.
 * Return: true if there was one.
 */
bool gh_central_take(struct gh_central *c, int nid, struct gh_ent *ent)
{
	unsigned long flags;
	struct gh_span *s;

	if (!gh_raw_lock(&c->lock, &flags))
		return false;
	s = central_pick(c, nid);
	if (s) {
		gh_span_carve(s, ent, 1);
		c->carved++;
		span_file(c, s);
	}
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return s;
}
GH_EXPORT_FOR_TESTS(gh_central_take);

/* Free an object to its span. Returns false if it was freed before. */
static bool central_release_one(struct gh_central *c, const struct gh_ent *ent,
				struct list_head *dead)
	__must_hold(&c->lock)
{
	unsigned long addr = (unsigned long)ent->obj;
	struct gh_span *s = gh_span_of(addr);
	unsigned int idx;

	lockdep_assert_held(&c->lock);

	/* Its memory is gone; see damage.c. */
	if (s && unlikely(s->state == GH_SPAN_LOST))
		return true;
	if (!s || s->central != c || !gh_span_find(s, addr, &idx) ||
	    !gh_span_mark_freed(s, idx))
		return false;
	c->released++;
	if (!s->cached)
		span_got_freed(c, s, dead);
	return true;
}

/* Returns the last that was refused, or NULL. */
static const void *release_some(struct gh_central *c, const struct gh_ent *ents,
				unsigned int n, unsigned int *spans)
{
	const void *bad = NULL;
	unsigned long flags;
	LIST_HEAD(dead);

	raw_spin_lock_irqsave(&c->lock, flags);
	while (n--)
		if (!central_release_one(c, ents + n, &dead))
			bad = ents[n].obj;
	raw_spin_unlock_irqrestore(&c->lock, flags);

	free_dead(c, &dead, spans);
	return bad;
}

/**
 * gh_central_release() - free objects to their spans
 * @c: the mcentral
 * @ents: the objects, in state GH_OBJ_FREE
 * @n: how many
 *
 * State bytes are not atomic, so two CPUs that free one object at the same
 * moment may both find it allocated, and then it is in two magazines. If it was
 * not handed out from there again, the second copy is refused here.
 *
 * Context: any but NMI.
 */
void gh_central_release(struct gh_central *c, const struct gh_ent *ents,
			unsigned int n)
{
	unsigned int spans = 0;

	while (n) {
		unsigned int some = min(n, RELEASE_HOLD);
		const void *bad;

		n -= some;
		bad = release_some(c, ents + n, some, &spans);
		if (unlikely(bad))
			gh_report_bad_free(bad, GOHEAP_BAD_DOUBLE, c->name);
	}
}
GH_EXPORT_FOR_TESTS(gh_central_release);

/* ---- transfer cache ----------------------------------------------------- */

static unsigned int tc_limit(const struct gh_central *c)
{
	unsigned long batch_bytes = c->batch * c->shape.elemsize;

	return clamp_t(unsigned long, GH_TC_BYTES / batch_bytes, 1, GH_TC_MAX);
}

/**
 * gh_central_trade_full() - exchange a full magazine for an empty one
 * @c: the mcentral
 * @mag: a magazine of c->batch objects; becomes an empty one
 *
 * Context: any but NMI.
 * Return: false, and nothing changed, if there is no room or no empty magazine.
 */
bool gh_central_trade_full(struct gh_central *c, struct gh_ent **mag)
{
	struct gh_ent *empty;
	unsigned long flags;
	bool ok;

	empty = gh_fixalloc_alloc(c->mags, 0);
	if (!empty)
		return false;

	raw_spin_lock_irqsave(&c->lock, flags);
	if (c->tc_n == c->tc_max && c->tc_max < tc_limit(c))
		c->tc_max++;
	ok = c->tc_n < c->tc_max;
	if (ok) {
		c->tc[c->tc_n++] = *mag;
		*mag = empty;
	}
	raw_spin_unlock_irqrestore(&c->lock, flags);

	/* The batch ages from now on. */
	if (ok)
		gh_mheap_kick(c->heap);
	else
		gh_fixalloc_free(c->mags, empty);
	return ok;
}
GH_EXPORT_FOR_TESTS(gh_central_trade_full);

/**
 * gh_central_take_batch() - get a full magazine
 * @c: the mcentral
 *
 * Context: any.
 * Return: a magazine of c->batch objects, or NULL if there is none.
 */
struct gh_ent *gh_central_take_batch(struct gh_central *c)
{
	struct gh_ent *mag = NULL;
	unsigned long flags;

	if (!READ_ONCE(c->tc_n) || !gh_raw_lock(&c->lock, &flags))
		return NULL;
	if (c->tc_n) {
		mag = c->tc[--c->tc_n];
		c->tc_low = min(c->tc_low, c->tc_n);
	}
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return mag;
}
GH_EXPORT_FOR_TESTS(gh_central_take_batch);

/* Take out the batch that has been here longest. */
static struct gh_ent *tc_take_oldest(struct gh_central *c, bool only_idle)
{
	struct gh_ent *mag = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&c->lock, flags);
	if (c->tc_n && (!only_idle || c->tc_low)) {
		mag = c->tc[0];
		c->tc_n--;
		c->tc_low -= !!c->tc_low;
		memmove(&c->tc[0], &c->tc[1], c->tc_n * sizeof(c->tc[0]));
	}
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return mag;
}

static void tc_release(struct gh_central *c, bool only_idle)
{
	/* Others may go on adding some. */
	unsigned int left = READ_ONCE(c->tc_n);
	struct gh_ent *mag;

	while (left-- && (mag = tc_take_oldest(c, only_idle))) {
		gh_central_release(c, mag, c->batch);
		gh_fixalloc_free(c->mags, mag);
		cond_resched();
	}
}

/**
 * gh_central_age() - free the batches that were not needed since the last call
 * @c: the mcentral
 *
 * Context: process context, may sleep.
 * Return: true if there are batches left to look at again.
 */
bool gh_central_age(struct gh_central *c)
{
	unsigned long flags;

	tc_release(c, true);

	raw_spin_lock_irqsave(&c->lock, flags);
	c->tc_low = c->tc_n;
	c->tc_max = max_t(unsigned int, c->tc_n,
			  min_t(unsigned int, GH_TC_INITIAL, tc_limit(c)));
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return READ_ONCE(c->tc_n);
}
GH_EXPORT_FOR_TESTS(gh_central_age);

/**
 * gh_central_drain() - free all batches
 * @c: the mcentral
 *
 * Context: process context, may sleep.
 */
void gh_central_drain(struct gh_central *c)
{
	tc_release(c, false);
}
GH_EXPORT_FOR_TESTS(gh_central_drain);

/* ---- life --------------------------------------------------------------- */

/**
 * gh_central_set_batch() - choose the number of objects of a batch
 * @c: the mcentral, not yet in use
 * @batch: objects, 1 to GH_BATCH_MAX
 */
void gh_central_set_batch(struct gh_central *c, unsigned int batch)
{
	c->batch = batch;
	c->mags = gh_mheap_mags(c->heap, batch);
	c->tc_max = min_t(unsigned int, GH_TC_INITIAL, tc_limit(c));
}
GH_EXPORT_FOR_TESTS(gh_central_set_batch);

/**
 * gh_central_init() - an mcentral without spans
 * @c: zeroed memory
 * @h: the heap
 * @name: copied, truncated if need be
 * @shape: layout of its spans; objects of 8 bytes or more
 * @flags: GH_CENTRAL_*
 */
void gh_central_init(struct gh_central *c, struct gh_heap *h, const char *name,
		     const struct gh_shape *shape, unsigned int flags)
{
	size_t elemsize = shape->elemsize;
	unsigned int i;

	raw_spin_lock_init(&c->lock);
	for (i = 0; i < ARRAY_SIZE(c->sets); i++) {
		INIT_LIST_HEAD(&c->sets[i].partial[0]);
		INIT_LIST_HEAD(&c->sets[i].partial[1]);
		INIT_LIST_HEAD(&c->sets[i].full[0]);
		INIT_LIST_HEAD(&c->sets[i].full[1]);
	}
	strscpy(c->name, name, sizeof(c->name));
	c->heap = h;
	c->flags = flags;
	if (elemsize > GH_MAX_CACHED)
		c->flags |= GH_CENTRAL_DIRECT;
	c->shape = *shape;
	c->shape.name = c->name;
	gh_central_set_batch(c, clamp_t(unsigned long, GH_BATCH_BYTES / elemsize,
					GH_BATCH_MIN, GH_BATCH_MAX));
}
GH_EXPORT_FOR_TESTS(gh_central_init);
