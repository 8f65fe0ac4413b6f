// SPDX-License-Identifier: GPL-2.0-only
/*
 * large: objects with a span of their own: those of more than 32 KiB.
 *
 * The state byte says all about the one object; the span's bitmaps are not
 * used. A CPU holds the last few that were freed on it, within its bound. The
 * span cache of the node holds more of them, as it does of all spans.
 *
 * Lock: gh_large.busy, see busy.h.
 */
#include <linux/hardirq.h>
#include <linux/mm.h>
#include <linux/string.h>

#include <linux/goheap.h>

#include "compat.h"
#include "defer.h"
#include "large.h"
#include "mcache.h"
#include "peek.h"

/**
 * gh_large_refused() - ask whether a span of its own is out of the question
 * @size: bytes
 * @gfp: allocation flags
 *
 * What exceeds the machine's memory is refused before reclaim starts, and what
 * takes long in a context that may not sleep.
 *
 * Context: any.
 * Return: true if there is no use in trying.
 */
bool gh_large_refused(size_t size, gfp_t gfp)
{
	if (size > GOHEAP_ATOMIC_MAX && !gfpflags_allow_blocking(gfp))
		return true;
	return size > GH_LARGE_MAX || size >> PAGE_SHIFT > totalram_pages() ||
	       in_nmi();
}

/* ---- what a CPU holds --------------------------------------------------- */

/* Take an object out; the oldest come first. */
static struct gh_span *large_remove(struct gh_large *l, unsigned int i)
{
	struct gh_span *s = l->span[i];

	gh_busy_assert_held(&l->busy);

	for (l->n--; i < l->n; i++)
		l->span[i] = l->span[i + 1];
	l->bytes -= s->elemsize;
	return s;
}

/* Returns NULL if there is none of this length and kind. */
static struct gh_span *large_find(struct gh_central *c, struct gh_large *l,
				  unsigned long npages)
{
	unsigned int i = l->n;

	gh_busy_assert_held(&l->busy);

	while (i--) {
		struct gh_span *s = l->span[i];

		if (s->npages != npages || s->central != c ||
		    s->state != GH_SPAN_LARGE)
			continue;
		l->nallocs++;
		l->alloc_bytes += s->elemsize;
		return large_remove(l, i);
	}
	return NULL;
}

/* A free object that this CPU holds, or NULL. */
static struct gh_span *large_take(struct gh_central *c, unsigned long npages)
{
	struct gh_span *s = NULL;
	struct gh_large *l;

	preempt_disable();
	l = this_cpu_ptr(&c->heap->mcache->large);
	if (gh_busy_try(&l->busy)) {
		s = large_find(c, l, npages);
		gh_busy_end(&l->busy);
	}
	preempt_enable();
	return s;
}

/* Are @nbytes more within the CPU's bound? */
static bool large_has_room(const struct gh_mcache *mcache, long nbytes)
{
	return READ_ONCE(mcache->bytes) + (long)mcache->large.bytes + nbytes <=
	       READ_ONCE(gh_percpu_bytes);
}

/*
 * Hold an object. Returns one that must be freed to make room: the one that was
 * held longest, or if that does not suffice @s itself; or NULL.
 */
static struct gh_span *large_hold(struct gh_mcache *mcache, struct gh_span *s)
{
	struct gh_large *l = &mcache->large;
	struct gh_span *oldest = NULL;

	gh_busy_assert_held(&l->busy);

	/* It goes home, to the span cache of its node, or is no span of pages. */
	if (s->huge || s->reserve || s->node->home != this_cpu_read(gh_cpu_home))
		return s;
	/* No object may take most of the bound. */
	if (s->elemsize > READ_ONCE(gh_percpu_bytes) / 4)
		return s;
	if (l->n == GH_LARGE_HELD || !large_has_room(mcache, s->elemsize)) {
		if (!l->n || !large_has_room(mcache, s->elemsize -
						     l->span[0]->elemsize))
			return s;
		oldest = large_remove(l, 0);
	}

	l->span[l->n++] = s;
	l->bytes += s->elemsize;
	l->nfrees++;
	l->free_bytes += s->elemsize;
	return oldest;
}

/* Let this CPU hold a free object. Returns one that it cannot hold, or NULL. */
static struct gh_span *large_keep(struct gh_heap *h, struct gh_span *s)
{
	struct gh_span *left = s;
	struct gh_mcache *mcache;

	preempt_disable();
	mcache = this_cpu_ptr(h->mcache);
	if (gh_busy_try(&mcache->large.busy)) {
		left = large_hold(mcache, s);
		gh_busy_end(&mcache->large.busy);
	}
	preempt_enable();
	return left;
}

/**
 * gh_large_drain() - free the large objects that a CPU holds
 * @h: the heap
 * @cpu: this CPU, with preemption off and its flag clear; or one that is dead,
 *	or whose heap nobody uses
 *
 * Context: any but NMI.
 */
void gh_large_drain(struct gh_heap *h, unsigned int cpu)
{
	struct gh_large *l = &per_cpu_ptr(h->mcache, cpu)->large;

	while (gh_peek(l->n)) {
		struct gh_span *s = NULL;

		preempt_disable();
		gh_busy_begin(&l->busy);
		if (l->n)
			s = large_remove(l, 0);
		gh_busy_end(&l->busy);
		preempt_enable();
		if (s)
			gh_mheap_free_span(h, s);
	}
}
GH_EXPORT_FOR_TESTS(gh_large_drain);

/**
 * gh_large_spill() - free the large objects that this CPU holds, if it can
 * @h: the heap
 *
 * Context: any but NMI. In an interrupt that finds them busy, does nothing.
 */
void gh_large_spill(struct gh_heap *h)
{
	unsigned int cpu = get_cpu();

	if (!gh_busy_is_held(&this_cpu_ptr(h->mcache)->large.busy))
		gh_large_drain(h, cpu);
	put_cpu();
}

/**
 * gh_large_age() - drain this CPU if no object was needed since the last call
 * @h: the heap
 *
 * Context: preemption off, not in an interrupt.
 */
void gh_large_age(struct gh_heap *h)
{
	struct gh_large *l = this_cpu_ptr(&h->mcache->large);
	unsigned long nallocs = gh_peek(l->nallocs);

	lockdep_assert_preemption_disabled();

	if (l->seen == nallocs)
		gh_large_drain(h, smp_processor_id());
	l->seen = nallocs;
}
GH_EXPORT_FOR_TESTS(gh_large_age);

/* ---- allocation and free ------------------------------------------------ */

static struct gh_span *large_new(struct gh_central *c, size_t size, gfp_t gfp,
				 int node)
{
	struct gh_shape shape = gh_shape_large(size, GH_SPAN_LARGE,
					       c->shape.noscan);
	struct gh_span *s;

	shape.name = c->name;
	s = gh_mheap_alloc_span(c->heap, &shape, c, gfp, node);
	if (!s)
		return NULL;
	this_cpu_inc(c->slots->carved);
	this_cpu_add(c->heap->mcache->large.other_alloc_bytes, s->elemsize);
	return s;
}

/**
 * gh_large_zero() - zero the object of a large span
 * @s: the span
 * @gfp: if it may sleep, others run meanwhile
 *
 * Context: any in which @gfp may be used.
 */
void gh_large_zero(struct gh_span *s, gfp_t gfp)
{
	size_t at, n;

	for (at = 0; at < s->elemsize; at += n) {
		n = min_t(size_t, s->elemsize - at, SZ_1M);
		memset((void *)s->base + at, 0, n);
		if (gfpflags_allow_blocking(gfp))
			cond_resched();
	}
}

/**
 * gh_large_alloc() - allocate an object with a span of its own
 * @h: the heap
 * @size: bytes, 1 or more
 * @gfp: allocation flags
 * @noscan: the object will hold no pointers
 * @node: NUMA node or NUMA_NO_NODE
 *
 * Context: any in which @gfp may be used; NULL in NMI context.
 * Return: the object, zeroed if @gfp or the kernel asks for it; or NULL.
 */
void *gh_large_alloc(struct gh_heap *h, size_t size, gfp_t gfp, bool noscan,
		     int node)
{
	struct gh_central *c = &h->central[noscan];
	struct gh_span *s = NULL;

	if (gh_large_refused(size, gfp))
		return NULL;

	if (want_init_on_alloc(gfp))
		gfp |= __GFP_ZERO;
	/* A CPU holds objects of its home only. */
	if (likely(node == NUMA_NO_NODE))
		s = large_take(c, DIV_ROUND_UP(size, GH_PAGE_SIZE));
	if (s)
		s->needzero = true;
	else
		s = large_new(c, size, gfp, node);
	if (!s)
		return NULL;

	if (gfp & __GFP_ZERO && s->needzero)
		gh_large_zero(s, gfp);
	WRITE_ONCE(s->inline_state, GH_OBJ_ALLOC);
	return (void *)s->base;
}

/**
 * gh_large_free_span() - free a large span, or in NMI context defer it
 * @s: the span; its object is free, and no CPU holds it
 *
 * Context: any.
 */
void gh_large_free_span(struct gh_span *s)
{
	struct gh_heap *h = s->central->heap;

	if (unlikely(in_nmi()))
		gh_defer_free(h, (void *)s->base);
	else
		gh_mheap_free_span(h, s);
}

/**
 * gh_large_release() - mark the object of a large span free
 * @s: the span
 *
 * The state byte is exchanged, so of two tasks that free the object at the same
 * moment one is refused.
 *
 * Context: any; in an RCU read section, unless the caller owns the object.
 * Return: false if it was free. If it was not, it keeps the span alive until it
 * is given to gh_large_put() or gh_large_free_span().
 */
bool gh_large_release(struct gh_span *s)
{
	return gh_try_cmpxchg_byte(&s->inline_state, GH_OBJ_ALLOC, GH_OBJ_FREE);
}
GH_EXPORT_FOR_TESTS(gh_large_release);

/**
 * gh_large_put() - free the object of a large span that was marked free
 * @s: the span; gh_large_release() said yes
 *
 * Context: any.
 */
void gh_large_put(struct gh_span *s)
{
	struct gh_central *c = s->central;
	struct gh_heap *h = c->heap;
	struct gh_span *left = large_keep(h, s);

	if (left == s) {
		this_cpu_inc(c->slots->released);
		this_cpu_add(h->mcache->large.other_free_bytes, s->elemsize);
	} else if (!in_nmi()) {
		/* What the CPU holds ages from now on. */
		gh_mheap_kick(h);
	}
	if (left)
		gh_large_free_span(left);
}
GH_EXPORT_FOR_TESTS(gh_large_put);
