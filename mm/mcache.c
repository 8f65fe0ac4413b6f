// SPDX-License-Identifier: GPL-2.0-only
/*
 * mcache: what a CPU holds of each span class: the slow paths behind
 * gh_slot_alloc() and gh_slot_free().
 *
 * A miss is served from, in this order: the spare magazine, a batch of the
 * transfer cache, the current span, another span of the mcentral, a new span.
 * Only the last may allocate pages or sleep, so it is done with the slot let
 * go and preemption on; what it brings is then deposited in the slot of
 * whichever CPU the task is on.
 *
 * Magazines begin small and double with each miss, up to a batch and as long as
 * the CPU's bound on bytes (gh_percpu_bytes) allows; at the bound, room is
 * taken from the other classes in turn.
 */
#include <linux/hardirq.h>
#include <linux/sched/mm.h>
#include <linux/topology.h>

#include "compat.h"
#include "mcache.h"

/* A class starts with so many objects, or this part of the CPU's bound. */
#define CAP_INITIAL	8
#define CAP_SHARE	8

/* Bound on the bytes that a CPU's magazines may hold. */
unsigned long gh_percpu_bytes = 1UL << 20;

/* ---- room --------------------------------------------------------------- */

/* A slot has two magazines. */
static long slot_room(const struct gh_central *c, unsigned int cap)
{
	return 2 * (long)cap * c->shape.elemsize;
}

static void slot_empty(struct gh_central *c, struct gh_slot *slot)
{
	gh_central_release(c, slot->mag, slot->n);
	gh_central_release(c, slot->spare, slot->nspare);
	slot->n = 0;
	slot->nspare = 0;
}

/* Take a class's room away, on this CPU. */
static void slot_shut(struct gh_central *c, struct gh_slot *slot,
		      struct gh_mcache *mcache)
{
	slot_empty(c, slot);
	if (slot->mag)
		gh_fixalloc_free(c->mags, slot->mag);
	if (slot->spare)
		gh_fixalloc_free(c->mags, slot->spare);
	slot->mag = NULL;
	slot->spare = NULL;
	mcache->bytes -= slot_room(c, slot->cap);
	slot->cap = 0;
}

/* Returns false if there is nobody to take from. */
static bool mcache_steal(struct gh_heap *h, struct gh_mcache *mcache)
{
	unsigned int i;

	for (i = 0; i < GH_NUM_CENTRALS; i++) {
		unsigned int v = mcache->victim++ % GH_NUM_CENTRALS;
		struct gh_slot *slot = &mcache->slot[v];

		if (slot->busy || !slot->cap)
			continue;
		slot->busy = true;
		barrier();
		slot_shut(&h->central[v], slot, mcache);
		barrier();
		slot->busy = false;
		return true;
	}
	return false;
}

/* Try to give a slot room for @cap objects a magazine. The slot is held. */
static bool slot_grow(struct gh_central *c, struct gh_slot *slot,
		      unsigned int cap)
{
	struct gh_mcache *mcache = this_cpu_ptr(c->heap->mcache);
	long bound = READ_ONCE(gh_percpu_bytes);
	long more;

	cap = min(cap, c->batch);
	more = slot_room(c, cap) - slot_room(c, slot->cap);
	if (more <= 0)
		return false;
	while (mcache->bytes + more > bound)
		if (!mcache_steal(c->heap, mcache))
			return false;
	mcache->bytes += more;
	slot->cap = cap;
	return true;
}

/* Objects a slot starts with; 0 if these are too large to hold back. */
static unsigned int slot_initial_cap(const struct gh_central *c)
{
	unsigned long share = READ_ONCE(gh_percpu_bytes) / CAP_SHARE;

	return min(share / slot_room(c, 1), (unsigned long)CAP_INITIAL);
}

/* See to it that this CPU's slot has a magazine, if memory allows. */
static void slot_equip(struct gh_central *c, gfp_t gfp)
{
	unsigned int cap = slot_initial_cap(c);
	struct gh_slot *slot;
	struct gh_ent *mag;

	if (likely(this_cpu_read(c->slots->mag)) || !cap)
		return;
	mag = gh_fixalloc_alloc(c->mags, gfp | __GFP_NOWARN);
	if (!mag)
		return;
	preempt_disable();
	slot = this_cpu_ptr(c->slots);
	if (!slot->busy && !slot->mag) {
		slot->busy = true;
		barrier();
		if (slot_grow(c, slot, cap))
			swap(slot->mag, mag);
		barrier();
		slot->busy = false;
	}
	preempt_enable();
	if (mag)
		gh_fixalloc_free(c->mags, mag);
}

/* ---- allocation --------------------------------------------------------- */

static unsigned int slot_carve(struct gh_central *c, struct gh_slot *slot,
			       struct gh_ent *ents, unsigned int max)
{
	struct gh_span *old = slot->span;
	unsigned int n = 0;

	if (old)
		n = gh_span_carve(old, ents, max);
	if (!n) {
		struct gh_span *s = gh_central_get_span(c, numa_mem_id());

		if (!s)
			return 0;
		slot->span = s;
		if (old)
			gh_central_put_span(c, old);
		n = gh_span_carve(s, ents, max);
	}
	this_cpu_add(c->slots->carved, n);
	return n;
}

/* Get objects into an empty magazine. The slot is held. */
static void slot_refill(struct gh_central *c, struct gh_slot *slot)
{
	if (slot->nspare) {
		swap(slot->mag, slot->spare);
		slot->n = slot->nspare;
		slot->nspare = 0;
		return;
	}
	slot_grow(c, slot, slot->cap * 2);
	if (gh_central_trade_empty(c, &slot->mag))
		slot->n = c->batch;
	else
		slot->n = slot_carve(c, slot, slot->mag, slot->cap);
}

/* The slot is held. */
static bool slot_pop(struct gh_central *c, struct gh_slot *slot,
		     struct gh_ent *ent)
{
	if (!slot->mag)
		return slot_carve(c, slot, ent, 1);
	if (!slot->n)
		slot_refill(c, slot);
	if (!slot->n)
		return false;
	*ent = slot->mag[--slot->n];
	return true;
}

/* Serve a miss with what goheap has, no matter who holds the slot. */
static bool slot_take(struct gh_central *c, struct gh_ent *ent)
{
	struct gh_slot *slot;
	bool ok;

	preempt_disable();
	slot = this_cpu_ptr(c->slots);
	if (!slot->busy && !in_nmi()) {
		slot->busy = true;
		barrier();
		ok = slot_pop(c, slot, ent);
		barrier();
		slot->busy = false;
	} else {
		ok = gh_central_take(c, numa_mem_id(), ent);
	}
	preempt_enable();
	return ok;
}

/* Make a new span this CPU's current one, or put it where all can find it. */
static void slot_deposit(struct gh_central *c, struct gh_span *s)
{
	struct gh_slot *slot;

	preempt_disable();
	slot = this_cpu_ptr(c->slots);
	if (!slot->busy) {
		slot->busy = true;
		barrier();
		if (!slot->span || gh_span_full(slot->span))
			swap(slot->span, s);
		barrier();
		slot->busy = false;
	}
	preempt_enable();
	if (s)
		gh_central_put_span(c, s);
}

/* Take one object of a new span. */
static bool slot_take_new(struct gh_central *c, gfp_t gfp, int nid,
			  bool deposit, struct gh_ent *ent)
{
	struct gh_span *s = gh_central_new_span(c, gfp, nid);

	if (!s)
		return false;
	this_cpu_add(c->slots->carved, gh_span_carve(s, ent, 1));
	if (deposit)
		slot_deposit(c, s);
	else
		gh_central_put_span(c, s);
	return true;
}

/**
 * gh_slot_alloc_slow() - take an object when the magazine cannot serve it
 * @c: the mcentral
 * @gfp: for new pages
 * @nid: NUMA node that the object should be from, or NUMA_NO_NODE for the
 *	nearest
 *
 * Context: any in which @gfp may be used; in NMI context nothing new is made.
 * Return: the object or NULL.
 */
void *gh_slot_alloc_slow(struct gh_central *c, gfp_t gfp, int nid)
{
	bool here = nid == NUMA_NO_NODE;
	struct gh_ent ent;
	bool ok;

	might_alloc(gfp);
	if (c->flags & GH_CENTRAL_ACCOUNT)
		gfp |= __GFP_ACCOUNT;
	if (here && !in_nmi())
		slot_equip(c, gfp);
	ok = here ? slot_take(c, &ent) : gh_central_take(c, nid, &ent);
	if (!ok && !in_nmi())
		ok = slot_take_new(c, gfp, nid, here, &ent);
	/* Rather another node's memory than none. */
	if (!ok && !(gfp & __GFP_THISNODE))
		ok = gh_central_take(c, NUMA_NO_NODE, &ent);
	if (!ok)
		return NULL;
	*ent.state = GH_OBJ_ALLOC;
	return ent.obj;
}
GH_EXPORT_FOR_TESTS(gh_slot_alloc_slow);

/**
 * gh_slot_alloc_bulk() - take many objects
 * @c: the mcentral
 * @gfp: for misses
 * @n: how many
 * @p: where they go
 *
 * Context: as gh_slot_alloc().
 * Return: number taken; less than @n only when memory ran out.
 */
unsigned int gh_slot_alloc_bulk(struct gh_central *c, gfp_t gfp, unsigned int n,
				void **p)
{
	unsigned int done = 0;

	while (done < n) {
		struct gh_slot *slot;

		preempt_disable();
		slot = this_cpu_ptr(c->slots);
		if (!slot->busy) {
			slot->busy = true;
			barrier();
			while (done < n && slot->n) {
				struct gh_ent *ent = &slot->mag[--slot->n];

				*ent->state = GH_OBJ_ALLOC;
				p[done++] = ent->obj;
			}
			barrier();
			slot->busy = false;
		}
		preempt_enable();
		if (done == n)
			break;
		p[done] = gh_slot_alloc_slow(c, gfp, NUMA_NO_NODE);
		if (!p[done])
			break;
		done++;
	}
	return done;
}
GH_EXPORT_FOR_TESTS(gh_slot_alloc_bulk);

/* ---- free --------------------------------------------------------------- */

/* Make room for an object in a full slot. The slot is held and has @mag. */
static void slot_make_room(struct gh_central *c, struct gh_slot *slot)
{
	if (slot_grow(c, slot, slot->cap * 2) && slot->n < slot->cap)
		return;
	if (!slot->spare)
		slot->spare = gh_fixalloc_alloc(c->mags, 0);
	if (!slot->spare) {
		/* No second magazine to be had: empty the one there is. */
		gh_central_release(c, slot->mag, slot->n);
		slot->n = 0;
		return;
	}
	if (slot->nspare == c->batch && gh_central_trade_full(c, &slot->spare))
		slot->nspare = 0;
	gh_central_release(c, slot->spare, slot->nspare);
	swap(slot->mag, slot->spare);
	slot->nspare = slot->n;
	slot->n = 0;
}

/* Returns false if the slot is held by somebody else, or has no magazine. */
static bool slot_put(struct gh_central *c, struct gh_ent ent)
{
	struct gh_slot *slot;
	bool ok = false;

	preempt_disable();
	slot = this_cpu_ptr(c->slots);
	if (!slot->busy) {
		slot->busy = true;
		barrier();
		if (slot->mag) {
			if (slot->n >= slot->cap)
				slot_make_room(c, slot);
			slot->mag[slot->n++] = ent;
			ok = true;
		}
		barrier();
		slot->busy = false;
	}
	preempt_enable();
	return ok;
}

/**
 * gh_defer_free() - free an object later, in a context where locks can be taken
 * @h: the heap
 * @obj: the object, or the whole of a large one
 *
 * Context: NMI, or any.
 */
void gh_defer_free(struct gh_heap *h, void *obj)
{
	llist_add(obj, &h->deferred);
	irq_work_queue(&h->deferred_work);
}

/**
 * gh_slot_free_slow() - give back an object that the magazine has no room for
 * @c: the mcentral
 * @ent: the object, in state GH_OBJ_FREE
 *
 * Context: any.
 */
void gh_slot_free_slow(struct gh_central *c, struct gh_ent ent)
{
	const gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN;

	if (unlikely(in_nmi())) {
		gh_defer_free(c->heap, ent.obj);
		return;
	}
	slot_equip(c, gfp);
	if (!slot_put(c, ent))
		gh_central_release(c, &ent, 1);
	/* Have empty magazines at hand for the next full one. */
	if (unlikely(!READ_ONCE(c->mags->navail)))
		gh_fixalloc_prefill(c->mags, 2, gfp);
}
GH_EXPORT_FOR_TESTS(gh_slot_free_slow);

/**
 * gh_deferred_free() - free what was deferred in NMI context
 * @work: the heap's deferred_work
 *
 * Context: hardirq.
 */
void gh_deferred_free(struct irq_work *work)
{
	struct gh_heap *h = container_of(work, struct gh_heap, deferred_work);
	struct llist_node *node, *next;

	llist_for_each_safe(node, next, llist_del_all(&h->deferred)) {
		struct gh_span *s = gh_span_of((unsigned long)node);
		unsigned int idx;
		struct gh_ent ent;

		if (gh_span_is_large(s)) {
			gh_mheap_free_span(h, s);
			continue;
		}
		gh_span_find(s, (unsigned long)node, &idx);
		ent = gh_central_ent(s, idx);
		/* The list's link was written over the constructed object. */
		if (s->central->ctor)
			s->central->ctor(ent.obj);
		gh_central_release(s->central, &ent, 1);
	}
}

/* ---- draining ----------------------------------------------------------- */

/**
 * gh_slot_drain() - empty a CPU's slot and give its room back
 * @c: the mcentral
 * @cpu: this CPU, with preemption off, or one that nobody runs on
 *
 * Context: process context.
 */
void gh_slot_drain(struct gh_central *c, unsigned int cpu)
{
	struct gh_slot *slot = per_cpu_ptr(c->slots, cpu);
	struct gh_span *s;

	slot->busy = true;
	barrier();
	slot_shut(c, slot, per_cpu_ptr(c->heap->mcache, cpu));
	s = slot->span;
	slot->span = NULL;
	barrier();
	slot->busy = false;
	if (s)
		gh_central_put_span(c, s);
}
GH_EXPORT_FOR_TESTS(gh_slot_drain);

/**
 * gh_slot_cached() - free objects in magazines and in the transfer cache
 * @c: the mcentral
 *
 * Context: any; exact while nobody allocates.
 * Return: objects.
 */
unsigned long gh_slot_cached(const struct gh_central *c)
{
	unsigned long n = (unsigned long)READ_ONCE(c->tc_n) * c->batch;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct gh_slot *slot = per_cpu_ptr(c->slots, cpu);

		n += READ_ONCE(slot->n) + READ_ONCE(slot->nspare);
	}
	return n;
}
GH_EXPORT_FOR_TESTS(gh_slot_cached);

/**
 * gh_slot_carved() - objects that ever left their span
 * @c: the mcentral
 *
 * Context: any; exact while nobody allocates.
 * Return: objects.
 */
unsigned long gh_slot_carved(const struct gh_central *c)
{
	unsigned long n = READ_ONCE(c->carved);
	int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(c->slots, cpu)->carved);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_slot_carved);

/**
 * gh_slot_released() - objects that ever came back to their span
 * @c: the mcentral
 *
 * Context: any; exact while nobody allocates.
 * Return: objects.
 */
unsigned long gh_slot_released(const struct gh_central *c)
{
	unsigned long n = READ_ONCE(c->released);
	int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(c->slots, cpu)->released);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_slot_released);
