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
 *   bits [ partial: swept | unswept ]      sets
 *        [ full:    swept | unswept ]
 *
 * All this is there once for each NUMA node (struct gh_home), and nothing that is
 * freed moves from one to another. Each CPU has a slot for each, too. It allocates from
 * that of its own node. What it frees goes to that of the object's node, from where
 * full batches go home.
 *
 * A span is in one of the sets of its home (those with free places in memory of the
 * system's reserves have sets of their own), or it is the current span of
 * some CPU (@cached) and in no set. Objects may be freed at any time, into a
 * current span too, and set their freed bits. A span in a set is "unswept" if
 * it has any. It is swept, that is, its freed bits are folded in, when it is
 * taken out the next time or when a sweep cycle visits it. A span in a set is
 * freed as soon as all of its objects are.
 *
 * Lock: gh_home.lock, see mheap.c for the order. In NMI context it is only
 * tried. Spans are freed after it was dropped, because that takes locks of
 * nodes.
 */
#include <linux/string.h>

#include "compat.h"
#include "mcentral.h"
#include "peek.h"
#include "rawlock.h"
#include "report.h"

/* Unswept spans that an allocation looks at before it makes a new one. */
#define TAKE_LOOKS	4

/* Objects that are freed to their spans before interrupts may come in. */
#define RELEASE_HOLD	16U

/* Spans that are freed with interrupts off, at 2,000 instructions each. */
#define DEAD_ATOMIC	16U

/* ---- sets --------------------------------------------------------------- */

static unsigned int swept_set(const struct gh_home *home)
{
	return (home->sweepgen >> 1) & 1;
}

/* Put a span in the set where it belongs. */
static void span_file(struct gh_home *home, struct gh_span *s)
	__must_hold(&home->lock)
{
	struct gh_span_sets *sets = &home->sets;
	unsigned int which = swept_set(home) ^ (s->sweepgen != home->sweepgen);

	lockdep_assert_held(&home->lock);

	if (unlikely(s->state == GH_SPAN_LOST))
		return;
	if (gh_span_full(s))
		list_move(&s->list, &sets->full[which]);
	else
		list_move(&s->list, s->reserve ? &sets->reserve[which] :
						 &sets->partial[which]);
}

static void span_sweep(struct gh_home *home, struct gh_span *s)
	__must_hold(&home->lock)
{
	lockdep_assert_held(&home->lock);

	if (s->nfreed)
		gh_span_sweep(s);
	s->sweepgen = home->sweepgen;
}

static bool span_empty(const struct gh_span *s)
{
	return s->alloc_count == s->nfreed;
}

/*
 * A span in a set got a freed bit, so it is unswept now, or empty. Empty ones
 * go to @dead, for the caller to free after it has dropped the lock.
 */
static void span_got_freed(struct gh_home *home, struct gh_span *s,
			   struct list_head *dead)
	__must_hold(&home->lock)
{
	lockdep_assert_held(&home->lock);

	if (span_empty(s)) {
		list_move(&s->list, dead);
		return;
	}
	if (s->sweepgen == home->sweepgen) {
		s->sweepgen = home->sweepgen - 2;
		span_file(home, s);
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
 * Take out a span with free places, preferably one that need not be swept. @reserve
 * says whether it may be one that is not for everybody.
 *
 * While a sweep cycle runs, every full span counts as unswept until the cycle
 * has visited it. Only a few of them are looked at, because interrupts are off.
 */
static struct gh_span *home_pick(struct gh_home *home, bool reserve)
	__must_hold(&home->lock)
{
	struct gh_span_sets *sets = &home->sets;
	struct list_head *some = reserve ? sets->reserve : sets->partial;
	struct list_head *order[] = {
		&some[swept_set(home)],
		&some[!swept_set(home)],
		&sets->full[!swept_set(home)],
	};
	unsigned int i;

	lockdep_assert_held(&home->lock);

	for (i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned int left = TAKE_LOOKS;

		while (!list_empty(order[i]) && left--) {
			struct gh_span *s;

			s = list_first_entry(order[i], struct gh_span, list);
			list_del_init(&s->list);
			span_sweep(home, s);
			if (!gh_span_full(s) && (reserve || !s->reserve))
				return s;
			/*
			 * It counted as unswept because of a cycle, but none of
			 * its objects had been freed; or it is not for everybody.
			 */
			span_file(home, s);
		}
	}
	return NULL;
}

/* ---- spans -------------------------------------------------------------- */

/* Let the fast path free objects of a span; everything else must be set up. */
static void span_open(struct gh_central *c, struct gh_span *s)
{
	/* No CPU holds objects that are not for everybody. */
	s->slots = s->reserve ? &gh_no_slot : gh_central_home_of(c, s)->slots;
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

	/* Of several objects each is zeroed when it is allocated. */
	if (c->shape.nelems > 1 || c->ctor || !want_init_on_alloc(gfp))
		gfp &= ~__GFP_ZERO;
	else
		gfp |= __GFP_ZERO;
	s = gh_mheap_alloc_span(c->heap, &c->shape, c, gfp, nid);
	if (!s)
		return NULL;

	s->sweepgen = gh_peek(gh_central_home_of(c, s)->sweepgen);
	s->cached = true;
	atomic_long_inc(&c->nspans);
	if (c->ctor)
		for (i = 0; i < s->nelems; i++)
			c->ctor((void *)(s->base + i * s->elemsize));
	span_open(c, s);
	return s;
}
GH_EXPORT_FOR_TESTS(gh_central_new_span);

/* Without the lock, so all that is read here may be changing. */
static bool no_free_places(const struct gh_home *home, bool reserve)
{
	const struct gh_span_sets *sets = &home->sets;
	const struct list_head *some = reserve ? sets->reserve : sets->partial;
	unsigned int unswept = !(gh_peek(home->sweepgen) >> 1 & 1);

	return list_empty(&some[0]) && list_empty(&some[1]) &&
	       list_empty(&sets->full[unswept]);
}

/**
 * gh_home_is_empty() - look whether there is something to take
 * @home: the NUMA node's part of an mcentral
 *
 * Context: any, without the lock, so it may be wrong as soon as it is known.
 * Return: false if there are batches, or spans with free places for everybody.
 */
bool gh_home_is_empty(const struct gh_home *home)
{
	return !gh_peek(home->tc_n) && no_free_places(home, false);
}

/**
 * gh_home_get_span() - take out a span with free places
 * @home: the NUMA node's part of an mcentral
 *
 * Context: any.
 * Return: the span, as a current span, or NULL if there is none.
 */
struct gh_span *gh_home_get_span(struct gh_home *home)
{
	unsigned long flags;
	struct gh_span *s;

	if (!gh_raw_lock(&home->lock, &flags))
		return NULL;
	s = home_pick(home, false);
	if (s)
		s->cached = true;
	raw_spin_unlock_irqrestore(&home->lock, flags);
	return s;
}
GH_EXPORT_FOR_TESTS(gh_home_get_span);

/**
 * gh_central_put_span() - return a current span to the sets, or free it
 * @c: the mcentral
 * @s: the span
 *
 * Context: any but NMI.
 */
void gh_central_put_span(struct gh_central *c, struct gh_span *s)
{
	struct gh_home *home = gh_central_home_of(c, s);
	unsigned long flags;
	unsigned int n = 0;
	LIST_HEAD(dead);

	raw_spin_lock_irqsave(&home->lock, flags);
	s->cached = false;
	if (s->state != GH_SPAN_LOST && span_empty(s)) {
		list_move(&s->list, &dead);
	} else {
		s->sweepgen = home->sweepgen - (s->nfreed ? 2 : 0);
		span_file(home, s);
	}
	raw_spin_unlock_irqrestore(&home->lock, flags);
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
	/* Large spans are in no set. */
	struct gh_home *home = s->large ? c->home[0] : gh_central_home_of(c, s);
	unsigned long flags;

	raw_spin_lock_irqsave(&home->lock, flags);
	/* It may be free by now, or on its way to be. */
	if (s->central != c || s->state == GH_SPAN_DEAD ||
	    s->state == GH_SPAN_LOST ||
	    (!s->large && !s->cached && span_empty(s))) {
		raw_spin_unlock_irqrestore(&home->lock, flags);
		return false;
	}
	if (!s->cached && !s->large)
		list_del_init(&s->list);
	WRITE_ONCE(s->nmalloc, 0);
	WRITE_ONCE(s->ncache, 0);
	WRITE_ONCE(s->state, GH_SPAN_LOST);
	raw_spin_unlock_irqrestore(&home->lock, flags);
	return true;
}
GH_EXPORT_FOR_TESTS(gh_central_abandon);

static bool home_swept(const struct gh_home *home)
	__must_hold(&home->lock)
{
	const struct gh_span_sets *sets = &home->sets;

	lockdep_assert_held(&home->lock);
	return list_empty(&sets->partial[!swept_set(home)]) &&
	       list_empty(&sets->reserve[!swept_set(home)]) &&
	       list_empty(&sets->full[!swept_set(home)]);
}

/* Sweep what is unswept. Drops the lock after each span. */
static unsigned long home_sweep_sets(struct gh_home *home, unsigned long *flags,
				     unsigned long *bad)
	__must_hold(&home->lock)
{
	struct gh_span_sets *sets = &home->sets;
	struct list_head *unswept[] = {
		&sets->partial[!swept_set(home)],
		&sets->reserve[!swept_set(home)],
		&sets->full[!swept_set(home)],
	};
	/* Frees make swept spans unswept again meanwhile. */
	long left = atomic_long_read(&home->central->nspans);
	unsigned long n = 0;
	unsigned int i;

	lockdep_assert_held(&home->lock);

	for (i = 0; i < ARRAY_SIZE(unswept); i++) {
		while (!list_empty(unswept[i]) && left-- > 0) {
			struct gh_span *s;

			s = list_first_entry(unswept[i], struct gh_span, list);
			gh_span_sweep(s);
			*bad += !gh_span_verify(s);
			s->sweepgen = home->sweepgen;
			span_file(home, s);
			n++;
			raw_spin_unlock_irqrestore(&home->lock, *flags);
			cond_resched();
			raw_spin_lock_irqsave(&home->lock, *flags);
		}
	}
	return n;
}

static unsigned long home_sweep(struct gh_home *home, unsigned long *bad)
{
	unsigned long flags, n = 0;

	raw_spin_lock_irqsave(&home->lock, flags);
	/*
	 * A span that is still unswept after the next generation has begun
	 * would be in the set of swept ones, so none may be left.
	 */
	home_sweep_sets(home, &flags, bad);
	/* Objects may have been freed while the lock was dropped: next time. */
	if (home_swept(home)) {
		home->sweepgen += 2;
		n = home_sweep_sets(home, &flags, bad);
	}
	raw_spin_unlock_irqrestore(&home->lock, flags);
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
	unsigned long n = 0;
	unsigned int i;

	lockdep_assert_held_write(&c->heap->caches_sem);

	gh_for_each_home(i, c)
		n += home_sweep(c->home[i], bad);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_central_sweep);

/* ---- objects ------------------------------------------------------------ */

static bool home_take(struct gh_home *home, struct gh_ent *ent, bool reserve)
{
	unsigned long flags;
	struct gh_span *s;

	if (!gh_raw_lock(&home->lock, &flags))
		return false;
	s = home_pick(home, reserve);
	if (s) {
		gh_span_carve(s, ent, 1);
		home->carved++;
		span_file(home, s);
	}
	raw_spin_unlock_irqrestore(&home->lock, flags);
	return s;
}

/**
 * gh_home_take() - take one object past the CPU's cache
 * @home: the NUMA node's part of an mcentral
 * @ent: the object
 *
 * For interrupts that find the slot busy.
 *
 * Context: any.
 * Return: true if there was one.
 */
bool gh_home_take(struct gh_home *home, struct gh_ent *ent)
{
	return home_take(home, ent, false);
}
GH_EXPORT_FOR_TESTS(gh_home_take);

/**
 * gh_home_take_reserve() - take one object that is not for everybody
 * @home: the NUMA node's part of an mcentral
 * @ent: the object
 *
 * Context: any; gh_gfp_reserves() said yes.
 * Return: true if there was one.
 */
bool gh_home_take_reserve(struct gh_home *home, struct gh_ent *ent)
{
	return !no_free_places(home, true) && home_take(home, ent, true);
}

/* The span of an object that is being freed, or NULL if it is not of @c. */
static struct gh_span *ent_span(struct gh_central *c, const struct gh_ent *ent)
{
	struct gh_span *s = gh_span_of((unsigned long)ent->obj);

	return s && s->central == c ? s : NULL;
}

/*
 * Free the last of @n objects to its span @s, and those before it that are of that span,
 * too, until @stop are left. Returns how many are. @bad is the last that was refused.
 */
static unsigned int home_release_run(struct gh_home *home, struct gh_span *s,
				     const struct gh_ent *ents, unsigned int n,
				     unsigned int stop, struct list_head *dead,
				     const void **bad)
	__must_hold(&home->lock)
{
	unsigned long bytes = home->central->shape.npages << GH_PAGE_SHIFT;
	/* The memory of a lost one is gone; see damage.c. */
	bool lost = s->state == GH_SPAN_LOST;
	unsigned int idx, freed = 0;

	lockdep_assert_held(&home->lock);

	do {
		void *obj = ents[--n].obj;

		if (unlikely(lost))
			continue;
		if (gh_span_find(s, (unsigned long)obj, &idx) &&
		    gh_span_mark_freed(s, idx))
			freed++;
		else
			*bad = obj;
	} while (n > stop && (unsigned long)ents[n - 1].obj - s->base < bytes);

	home->released += freed;
	if (freed && !s->cached)
		span_got_freed(home, s, dead);
	return n;
}

/*
 * Free the last of @n objects, and those before it that have the same home.
 * Returns how many are left. @bad is the last that was refused.
 */
static unsigned int release_some(struct gh_central *c, const struct gh_ent *ents,
				 unsigned int n, unsigned int *spans,
				 const void **bad)
{
	unsigned int stop = n - min(n, RELEASE_HOLD);
	struct gh_home *home;
	unsigned long flags;
	struct gh_span *s;
	LIST_HEAD(dead);

	/* The RCU read section of the lookups. */
	local_irq_save(flags);
	s = ent_span(c, &ents[n - 1]);
	if (unlikely(!s)) {
		local_irq_restore(flags);
		*bad = ents[n - 1].obj;
		return n - 1;
	}

	home = gh_central_home_of(c, s);
	raw_spin_lock(&home->lock);
	/* Who frees it twice may have freed the span before there was the lock. */
	s = ent_span(c, &ents[n - 1]);
	while (s && gh_central_home_of(c, s) == home) {
		n = home_release_run(home, s, ents, n, stop, &dead, bad);
		if (n == stop)
			break;
		/* The next is of another span. */
		s = ent_span(c, &ents[n - 1]);
	}
	raw_spin_unlock(&home->lock);
	local_irq_restore(flags);

	free_dead(c, &dead, spans);
	return n;
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
		const void *bad = NULL;

		n = release_some(c, ents, n, &spans, &bad);
		if (unlikely(bad))
			gh_report_bad_free(bad, GOHEAP_BAD_DOUBLE, c->name);
	}
}
GH_EXPORT_FOR_TESTS(gh_central_release);

/* ---- transfer cache ----------------------------------------------------- */

static unsigned int tc_limit(const struct gh_central *c)
{
	unsigned long bytes = GH_TC_BYTES / c->heap->nr_numa;

	return clamp_t(unsigned long, bytes / (c->batch * c->shape.elemsize), 1,
		       GH_TC_MAX);
}

/**
 * gh_home_trade_full() - exchange a full magazine for an empty one
 * @home: the home of all of its objects
 * @mag: a magazine of a batch of objects; becomes an empty one
 *
 * Context: any but NMI.
 * Return: false, and nothing changed, if there is no room or no empty magazine.
 */
bool gh_home_trade_full(struct gh_home *home, struct gh_ent **mag)
{
	struct gh_central *c = home->central;
	struct gh_ent *empty;
	unsigned long flags;
	bool ok;

	empty = gh_fixalloc_alloc(c->mags, 0);
	if (!empty)
		return false;

	raw_spin_lock_irqsave(&home->lock, flags);
	if (home->tc_n == home->tc_max && home->tc_max < tc_limit(c))
		home->tc_max++;
	ok = home->tc_n < home->tc_max;
	if (ok) {
		home->tc[home->tc_n++] = *mag;
		*mag = empty;
	}
	raw_spin_unlock_irqrestore(&home->lock, flags);

	/* The batch ages from now on. */
	if (ok)
		gh_mheap_kick(c->heap);
	else
		gh_fixalloc_free(c->mags, empty);
	return ok;
}
GH_EXPORT_FOR_TESTS(gh_home_trade_full);

/**
 * gh_home_take_batch() - get a full magazine
 * @home: the home of its objects
 *
 * Context: any.
 * Return: a magazine of a batch of objects, or NULL if there is none.
 */
struct gh_ent *gh_home_take_batch(struct gh_home *home)
{
	struct gh_ent *mag = NULL;
	unsigned long flags;

	if (!gh_peek(home->tc_n) || !gh_raw_lock(&home->lock, &flags))
		return NULL;
	if (home->tc_n) {
		mag = home->tc[--home->tc_n];
		home->tc_low = min(home->tc_low, home->tc_n);
	}
	raw_spin_unlock_irqrestore(&home->lock, flags);
	return mag;
}
GH_EXPORT_FOR_TESTS(gh_home_take_batch);

/* Take out the batch that has been here longest. */
static struct gh_ent *tc_take_oldest(struct gh_home *home, bool only_idle)
{
	struct gh_ent *mag = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&home->lock, flags);
	if (home->tc_n && (!only_idle || home->tc_low)) {
		mag = home->tc[0];
		home->tc_n--;
		home->tc_low -= !!home->tc_low;
		memmove(&home->tc[0], &home->tc[1], home->tc_n * sizeof(home->tc[0]));
	}
	raw_spin_unlock_irqrestore(&home->lock, flags);
	return mag;
}

static void tc_release(struct gh_home *home, bool only_idle)
{
	struct gh_central *c = home->central;
	/* Others may go on adding some. */
	unsigned int left = gh_peek(home->tc_n);
	struct gh_ent *mag;

	while (left-- && (mag = tc_take_oldest(home, only_idle))) {
		gh_central_release(c, mag, c->batch);
		gh_fixalloc_free(c->mags, mag);
		cond_resched();
	}
}

static bool home_age(struct gh_home *home)
{
	unsigned long flags;

	tc_release(home, true);

	raw_spin_lock_irqsave(&home->lock, flags);
	home->tc_low = home->tc_n;
	home->tc_max = max_t(unsigned int, home->tc_n,
			     min_t(unsigned int, GH_TC_INITIAL,
				   tc_limit(home->central)));
	raw_spin_unlock_irqrestore(&home->lock, flags);
	return gh_peek(home->tc_n);
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
	bool more = false;
	unsigned int i;

	gh_for_each_home(i, c)
		more |= home_age(c->home[i]);
	return more;
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
	unsigned int i;

	gh_for_each_home(i, c)
		tc_release(c->home[i], false);
}
GH_EXPORT_FOR_TESTS(gh_central_drain);

/**
 * gh_central_batches() - count the batches in the transfer caches
 * @c: the mcentral
 *
 * Context: any; exact while nobody frees.
 * Return: batches.
 */
unsigned int gh_central_batches(const struct gh_central *c)
{
	unsigned int i, n = 0;

	gh_for_each_home(i, c)
		n += gh_peek(c->home[i]->tc_n);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_central_batches);

/* ---- life --------------------------------------------------------------- */

/**
 * gh_central_set_batch() - choose the number of objects of a batch
 * @c: the mcentral, not yet in use
 * @batch: objects, 1 to GH_BATCH_MAX
 */
void gh_central_set_batch(struct gh_central *c, unsigned int batch)
{
	unsigned int i;

	c->batch = batch;
	c->mags = gh_mheap_mags(c->heap, batch);
	gh_for_each_home(i, c)
		c->home[i]->tc_max = min_t(unsigned int, GH_TC_INITIAL,
					   tc_limit(c));
}
GH_EXPORT_FOR_TESTS(gh_central_set_batch);

static struct gh_home *home_create(struct gh_central *c, unsigned int index)
{
	struct gh_home *home = gh_fixalloc_alloc(&c->heap->homes, GFP_KERNEL);

	if (!home)
		return NULL;
	raw_spin_lock_init(&home->lock);
	INIT_LIST_HEAD(&home->sets.partial[0]);
	INIT_LIST_HEAD(&home->sets.partial[1]);
	INIT_LIST_HEAD(&home->sets.full[0]);
	INIT_LIST_HEAD(&home->sets.full[1]);
	INIT_LIST_HEAD(&home->sets.reserve[0]);
	INIT_LIST_HEAD(&home->sets.reserve[1]);
	home->central = c;
	home->index = index;
	return home;
}

/**
 * gh_central_set_slots() - give an mcentral its slots of a NUMA node
 * @c: the mcentral, not yet in use
 * @index: the index of the NUMA node
 * @slots: per-CPU caches
 */
void gh_central_set_slots(struct gh_central *c, unsigned int index,
			  struct gh_slot __percpu *slots)
{
	c->home[index]->slots = slots;
	if (!index)
		c->slots = slots;
}

/**
 * gh_central_init() - an mcentral without spans and slots
 * @c: zeroed memory
 * @h: the heap
 * @name: copied, truncated if need be
 * @shape: layout of its spans; objects of 8 bytes or more
 * @flags: GH_CENTRAL_*
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM; gh_central_free() must be called in both cases.
 */
int gh_central_init(struct gh_central *c, struct gh_heap *h, const char *name,
		    const struct gh_shape *shape, unsigned int flags)
{
	size_t elemsize = shape->elemsize;
	unsigned int i;

	strscpy(c->name, name, sizeof(c->name));
	c->heap = h;
	c->flags = flags;
	if (elemsize > GH_MAX_CACHED)
		c->flags |= GH_CENTRAL_DIRECT;
	c->shape = *shape;
	c->shape.name = c->name;
	gh_for_each_home(i, c) {
		c->home[i] = home_create(c, i);
		if (!c->home[i])
			return -ENOMEM;
	}
	gh_central_set_batch(c, clamp_t(unsigned long, GH_BATCH_BYTES / elemsize,
					GH_BATCH_MIN, GH_BATCH_MAX));
	return 0;
}
GH_EXPORT_FOR_TESTS(gh_central_init);

/**
 * gh_central_free() - free what an mcentral consists of
 * @c: the mcentral, in which nothing is left; or zeroed memory
 *
 * Context: process context.
 */
void gh_central_free(struct gh_central *c)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(c->home); i++)
		/* An invalid free may have found it by one of its spans. */
		if (c->home[i])
			gh_fixalloc_free_rcu(&c->heap->homes, c->home[i]);
}
