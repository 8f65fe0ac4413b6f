// SPDX-License-Identifier: GPL-2.0-only
/*
 * mcache: what a CPU holds of each span class: the slow paths behind
 * gh_slot_alloc() and gh_slot_free().
 *
 * A miss is served from, in this order: the spare magazine, a batch of the
 * transfer cache, the current span, another span of the mcentral, a new span.
 * Only the last may allocate pages or sleep, so it must be made without the
 * busy flag and with preemption on. It is then deposited in the slot of
 * whichever CPU the task is on by that time.
 *
 * Magazines begin small and grow with misses. Each miss earns a slot
 * MISS_BYTES; when the misses since it last grew have earned as many bytes as
 * it has room for, the room doubles, up to a batch. The room of all slots of a
 * CPU is bounded by gh_percpu_bytes. At the bound, a slot that grows takes the
 * room of another class; the classes take turns.
 *
 * Classes of larger objects must earn their first magazine as well, and have no
 * current span before, because one free object that a CPU holds pins a whole
 * span, which is a large part of a small heap.
 *
 * Lock: gh_slot.busy, see busy.h.
 */
#include <linux/hardirq.h>
#include <linux/sched/mm.h>
#include <linux/topology.h>

#include "compat.h"
#include "defer.h"
#include "mcache.h"

/* Bounds on the objects, and their bytes, that a first magazine has room for. */
#define CAP_INITIAL	8
#define CAP_BYTES	2048UL

/* Classes of objects of so many bytes must earn the first one as well. */
#define CAP_EARNED	1024

/* Bytes of room that a miss earns. */
#define MISS_BYTES	128UL

/* Bound on the bytes that a CPU's magazines may hold. */
/* All CPUs together hold at most this share of memory. */
#define RAM_SHARE_SHIFT	5

unsigned long gh_percpu_bytes = 1UL << 20;
GH_EXPORT_FOR_TESTS(gh_percpu_bytes);

/* ---- room --------------------------------------------------------------- */

/* A slot has two magazines. */
static long slot_room(const struct gh_central *c, unsigned int cap)
{
	return 2 * (long)cap * c->shape.elemsize;
}

/* Give a slot a magazine with room for @cap objects, in which @n are. */
static void slot_set_mag(struct gh_slot *slot, struct gh_ent *mag,
			 unsigned int cap, unsigned int n)
{
	slot->cap = cap;
	slot->mag = mag;
	slot->top = mag + n;
	slot->end = mag + cap;
}

/* From stock, because no pages can be taken while the slot is busy. */
static struct gh_ent *slot_new_mag(struct gh_central *c, unsigned int cap)
{
	return gh_fixalloc_alloc(gh_mheap_mags(c->heap, cap), 0);
}

static void slot_free_mags(struct gh_central *c, struct gh_slot *slot)
{
	struct gh_fixalloc *pool = gh_mheap_mags(c->heap, slot->cap);

	gh_busy_assert_held(&slot->busy);

	if (slot->mag)
		gh_fixalloc_free(pool, slot->mag);
	if (slot->spare)
		gh_fixalloc_free(pool, slot->spare);
	slot->spare = NULL;
	slot_set_mag(slot, NULL, 0, 0);
}

static void slot_put_span(struct gh_central *c, struct gh_slot *slot)
{
	struct gh_span *s = slot->span;

	gh_busy_assert_held(&slot->busy);

	slot->span = NULL;
	if (s)
		gh_central_put_span(c, s);
}

/* Free all that a slot has. Returns what its CPU was charged for the room. */
static long slot_shut(struct gh_central *c, struct gh_slot *slot)
{
	long room = slot_room(c, slot->cap);

	gh_busy_assert_held(&slot->busy);

	gh_central_release(c, slot->mag, gh_slot_n(slot));
	gh_central_release(c, slot->spare, slot->nspare);
	slot->nspare = 0;
	slot_free_mags(c, slot);
	slot_put_span(c, slot);
	return room;
}

/* Size classes and object caches are bounded apart. */
static long *mcache_bytes(const struct gh_central *c, struct gh_mcache *mcache)
{
	return c->cache ? &mcache->cache_bytes : &mcache->bytes;
}

/* One instruction, because an interrupt may charge for another class. */
static void mcache_charge(const struct gh_central *c, long bytes)
{
	if (c->cache)
		this_cpu_add(c->heap->mcache->cache_bytes, bytes);
	else
		this_cpu_add(c->heap->mcache->bytes, bytes);
}

/* Bytes by which @more would exceed the CPU's bound, or 0 or less. */
static long mcache_lack(const struct gh_central *c, long more)
{
	struct gh_mcache *mcache = this_cpu_ptr(c->heap->mcache);

	lockdep_assert_preemption_disabled();

	if (!c->cache)
		more += READ_ONCE(mcache->large.bytes);
	if (c->cache)
		more -= atomic_long_read(&mcache->returned);
	return READ_ONCE(*mcache_bytes(c, mcache)) + more -
	       (long)READ_ONCE(gh_percpu_bytes);
}

/* Take the room of another class: the next in turn that has @lack bytes. */
static void mcache_steal(struct gh_heap *h, long lack)
{
	struct gh_mcache *mcache = this_cpu_ptr(h->mcache);
	unsigned int i;

	lockdep_assert_preemption_disabled();

	if (lack > READ_ONCE(mcache->bytes))
		return;
	for (i = 0; i < GH_NUM_CENTRALS; i++) {
		unsigned int v = mcache->victim++ % GH_NUM_CENTRALS;
		struct gh_slot *slot = &mcache->slot[v];

		if (!slot->cap ||
		    slot_room(&h->central[v], slot->cap) < lack ||
		    !gh_busy_try(&slot->busy))
			continue;
		mcache_charge(&h->central[v], -slot_shut(&h->central[v], slot));
		gh_busy_end(&slot->busy);
		return;
	}
}

/* To free another class's objects takes long, so interrupts do not do it. */
static bool may_steal(void)
{
	return in_task() && !irqs_disabled();
}

/*
 * Charge the CPU for magazines of @cap objects instead of those that the slot
 * has. At the bound, one other class must have the room, or the slot cannot
 * grow.
 */
static bool slot_charge(struct gh_central *c, struct gh_slot *slot,
			unsigned int cap)
{
	long more = slot_room(c, cap) - slot_room(c, slot->cap);

	gh_busy_assert_held(&slot->busy);

	if (more > 0 && !c->cache && mcache_lack(c, more) > 0 && may_steal())
		mcache_steal(c->heap, mcache_lack(c, more));
	if (more > 0 && mcache_lack(c, more) > 0)
		return false;
	mcache_charge(c, more);
	return true;
}

static void slot_uncharge(struct gh_central *c, struct gh_slot *slot,
			  unsigned int cap)
{
	mcache_charge(c, slot_room(c, slot->cap) - slot_room(c, cap));
}

/* Room of a first magazine, or of the next larger one than @cap. */
static unsigned int slot_next_cap(const struct gh_central *c, unsigned int cap)
{
	if (cap)
		return min(2 * cap, c->batch);
	return clamp_t(unsigned long, CAP_BYTES / c->shape.elemsize, 1,
		       min_t(unsigned int, CAP_INITIAL, c->batch));
}

/* Give a slot a larger magazine. Its spare is made when it is needed. */
static bool slot_grow(struct gh_central *c, struct gh_slot *slot)
{
	unsigned int cap = slot_next_cap(c, slot->cap);
	unsigned int n = gh_slot_n(slot);
	struct gh_ent *mag;

	gh_busy_assert_held(&slot->busy);

	if (cap == slot->cap || !slot_charge(c, slot, cap))
		return false;
	mag = slot_new_mag(c, cap);
	if (!mag) {
		slot_uncharge(c, slot, cap);
		return false;
	}

	gh_central_release(c, slot->spare, slot->nspare);
	slot->nspare = 0;
	if (n)
		memcpy(mag, slot->mag, n * sizeof(*mag));
	slot_free_mags(c, slot);
	slot_set_mag(slot, mag, cap, n);
	return true;
}

/* Count a miss, and let the slot grow if its misses have earned it. */
static bool slot_missed(struct gh_central *c, struct gh_slot *slot)
{
	gh_busy_assert_held(&slot->busy);

	slot->misses++;
	if (slot->misses * MISS_BYTES < slot_room(c, slot->cap))
		return false;
	/* If there is no room to be had, it must be earned again. */
	slot->misses = 0;
	return slot_grow(c, slot);
}

/* Count a miss of a slot without magazines: has it earned its first one? */
static bool slot_earned(struct gh_central *c)
{
	return c->shape.state != GH_SPAN_OBJECTS ||
	       c->shape.elemsize < CAP_EARNED ||
	       this_cpu_inc_return(c->slots->misses) * MISS_BYTES >=
	       slot_room(c, slot_next_cap(c, 0));
}

/*
 * Have a record for the next magazine in stock, because no pages can be taken
 * for one while the slot is busy. Returns false if there is none.
 */
static bool slot_stock(struct gh_central *c, unsigned int cap, gfp_t gfp)
{
	struct gh_fixalloc *pool = gh_mheap_mags(c->heap, cap);

	if (unlikely(gfp && READ_ONCE(pool->navail) < 2))
		gh_fixalloc_prefill(pool, 2, gfp | __GFP_NOWARN);
	return READ_ONCE(pool->navail);
}

/* Give this CPU's slot its first magazine. */
static void slot_open(struct gh_central *c)
{
	struct gh_slot *slot;
	bool ok = false;

	preempt_disable();
	slot = this_cpu_ptr(c->slots);
	if (gh_busy_try(&slot->busy)) {
		/* An interrupt may have opened it since it was looked at. */
		ok = !slot->cap && slot_grow(c, slot);
		/* If there is no room to be had, it must be earned again. */
		slot->misses = 0;
		gh_busy_end(&slot->busy);
	}
	preempt_enable();
	/* Its objects age from now on. */
	if (ok)
		gh_mheap_kick(c->heap);
}

/*
 * Open this CPU's slot if it has earned its first magazine, and have a record
 * for the next one at hand. With @gfp 0, no pages are taken for records.
 */
static void slot_equip(struct gh_central *c, gfp_t gfp)
{
	unsigned int cap = this_cpu_read(c->slots->cap);

	if (c->flags & GH_CENTRAL_DIRECT || (cap ? !gfp : !slot_earned(c)))
		return;
	if (slot_stock(c, slot_next_cap(c, cap), gfp) && !cap)
		slot_open(c);
}

/* ---- allocation --------------------------------------------------------- */

/* Fill the magazine from the current span, or from one of the mcentral. */
static unsigned int slot_carve(struct gh_central *c, struct gh_slot *slot)
{
	unsigned int n = 0;

	gh_busy_assert_held(&slot->busy);

	if (slot->span)
		n = gh_span_carve(slot->span, slot->mag, slot->cap);
	if (!n) {
		/* If objects of it were freed, it may be taken out again. */
		slot_put_span(c, slot);
		slot->span = gh_central_get_span(c, numa_mem_id());
		if (!slot->span)
			return 0;
		n = gh_span_carve(slot->span, slot->mag, slot->cap);
	}
	this_cpu_add(c->slots->carved, n);
	return n;
}

/* Let a batch of the transfer cache be this slot's magazine. */
static bool slot_adopt_batch(struct gh_central *c, struct gh_slot *slot)
{
	long more = slot_room(c, c->batch) - slot_room(c, slot->cap);
	struct gh_ent *full;

	gh_busy_assert_held(&slot->busy);

	/*
	 * Use spare room only: do not take it from another class for capacity
	 * that this slot has not earned.
	 */
	if (!READ_ONCE(c->tc_n) || (more > 0 && mcache_lack(c, more) > 0) ||
	    !slot_charge(c, slot, c->batch))
		return false;
	full = gh_central_take_batch(c);
	if (!full) {
		slot_uncharge(c, slot, c->batch);
		return false;
	}
	slot_free_mags(c, slot);
	slot_set_mag(slot, full, c->batch, c->batch);
	return true;
}

/* Exchange the magazine and the spare one. */
static void slot_swap_mags(struct gh_slot *slot)
{
	struct gh_ent *mag = slot->spare;
	unsigned int n = slot->nspare;

	gh_busy_assert_held(&slot->busy);

	slot->spare = slot->mag;
	slot->nspare = gh_slot_n(slot);
	slot->idle = false;
	slot_set_mag(slot, mag, slot->cap, n);
}

/* Get objects into an empty magazine. */
static void slot_refill(struct gh_central *c, struct gh_slot *slot)
{
	gh_busy_assert_held(&slot->busy);

	slot->idle = false;
	if (slot->nspare) {
		slot_swap_mags(slot);
		return;
	}
	slot_missed(c, slot);
	if (!slot_adopt_batch(c, slot))
		slot->top = slot->mag + slot_carve(c, slot);
}

static bool slot_pop(struct gh_central *c, struct gh_slot *slot,
		     struct gh_ent *ent)
{
	gh_busy_assert_held(&slot->busy);

	if (!slot->mag)
		return gh_central_take(c, numa_mem_id(), ent);
	if (slot->top == slot->mag)
		slot_refill(c, slot);
	if (slot->top == slot->mag)
		return false;
	*ent = *--slot->top;
	return true;
}

/* Serve a miss with what goheap has, even if the slot is busy. */
static bool slot_take(struct gh_central *c, struct gh_ent *ent)
{
	struct gh_slot *slot;
	bool ok;

	preempt_disable();
	slot = this_cpu_ptr(c->slots);
	if (!in_nmi() && gh_busy_try(&slot->busy)) {
		ok = slot_pop(c, slot, ent);
		gh_busy_end(&slot->busy);
	} else {
		ok = gh_central_take(c, numa_mem_id(), ent);
	}
	preempt_enable();
	return ok;
}

/* Make a new span this CPU's current one, or put it into the sets. */
static void slot_deposit(struct gh_central *c, struct gh_span *s)
{
	struct gh_slot *slot;

	preempt_disable();
	slot = this_cpu_ptr(c->slots);
	if (gh_busy_try(&slot->busy)) {
		if (slot->mag && (!slot->span || gh_span_full(slot->span)))
			swap(slot->span, s);
		gh_busy_end(&slot->busy);
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
	struct gh_ent ent;
	bool here, ok;

	might_alloc(gfp);

	/* __GFP_THISNODE alone means the nearest node; magazines mix nodes. */
	if (gfp & __GFP_THISNODE && nid == NUMA_NO_NODE)
		nid = gh_mheap_nid(c->heap);
	here = nid == NUMA_NO_NODE;
	/* A NUMA node without a gh_node is served by others, if it may be. */
	if (gfp & __GFP_THISNODE && gh_mheap_node(c->heap, nid, false)->nid != nid)
		return NULL;

	/* Records for magazines must not take reserves or wait for reclaim. */
	if (here && !in_nmi())
		slot_equip(c, (gfp & __GFP_KSWAPD_RECLAIM) | __GFP_NORETRY |
			      __GFP_NOWARN);

	ok = here ? slot_take(c, &ent) : gh_central_take(c, nid, &ent);
	if (!ok && !in_nmi())
		ok = slot_take_new(c, gfp, nid, here, &ent);
	/* Memory of another node is better than none. */
	if (!ok && !(gfp & __GFP_THISNODE))
		ok = gh_central_take(c, NUMA_NO_NODE, &ent);
	if (!ok)
		return NULL;

	*ent.state = GH_OBJ_ALLOC;
	return ent.obj;
}
GH_EXPORT_FOR_TESTS(gh_slot_alloc_slow);

/* Returns how many there were. */
static unsigned int slot_pop_many(struct gh_slot *slot, unsigned int n,
				  void **p)
{
	struct gh_ent *top = slot->top;
	unsigned int i;

	gh_busy_assert_held(&slot->busy);

	n = min(n, gh_slot_n(slot));
	for (i = 0; i < n; i++) {
		top--;
		*top->state = GH_OBJ_ALLOC;
		p[i] = top->obj;
	}
	slot->top = top;
	return n;
}

static unsigned int slots_pop_many(struct gh_slot __percpu *slots,
				   unsigned int n, void **p)
{
	struct gh_slot *slot;
	unsigned int done = 0;

	preempt_disable();
	slot = this_cpu_ptr(slots);
	if (gh_busy_try(&slot->busy)) {
		done = slot_pop_many(slot, n, p);
		gh_busy_end(&slot->busy);
	}
	preempt_enable();
	return done;
}

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

	for (;;) {
		/* Magazines mix nodes. */
		if (likely(!(gfp & __GFP_THISNODE)))
			done += slots_pop_many(c->slots, n - done, p + done);
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

/* Make room for an object in a full slot that has magazines. */
static void slot_make_room(struct gh_central *c, struct gh_slot *slot)
{
	gh_busy_assert_held(&slot->busy);

	if (slot_missed(c, slot))
		return;
	if (!slot->spare)
		slot->spare = slot_new_mag(c, slot->cap);
	if (!slot->spare) {
		/* There is no record for a second magazine: empty the first. */
		gh_central_release(c, slot->mag, gh_slot_n(slot));
		slot->top = slot->mag;
		return;
	}

	if (slot->nspare == c->batch && gh_central_trade_full(c, &slot->spare))
		slot->nspare = 0;
	gh_central_release(c, slot->spare, slot->nspare);
	slot->nspare = 0;
	slot_swap_mags(slot);
}

/* Returns false if the slot is busy, or has no magazine. */
static bool slot_put(struct gh_central *c, struct gh_ent ent)
{
	struct gh_slot *slot;
	bool ok = false;

	preempt_disable();
	slot = this_cpu_ptr(c->slots);
	if (gh_busy_try(&slot->busy)) {
		if (slot->mag) {
			if (slot->top == slot->end)
				slot_make_room(c, slot);
			*slot->top++ = ent;
			ok = true;
		}
		gh_busy_end(&slot->busy);
	}
	preempt_enable();
	return ok;
}

/**
 * gh_slot_free_slow() - free an object that the magazine has no room for
 * @c: the mcentral
 * @obj: the object
 * @state: its state byte, which says GH_OBJ_FREE
 *
 * Context: any.
 */
void gh_slot_free_slow(struct gh_central *c, void *obj, u8 *state)
{
	struct gh_ent ent = { .obj = obj, .state = state };

	if (unlikely(in_nmi())) {
		gh_defer_free(c->heap, obj);
		return;
	}
	/* A free must not take pages, not even for records of magazines. */
	slot_equip(c, 0);
	if (!slot_put(c, ent))
		gh_central_release(c, &ent, 1);
}
GH_EXPORT_FOR_TESTS(gh_slot_free_slow);

/* Frees often hit the same span many times in a row: what is needed of it. */
struct free_run {
	unsigned long base;
	struct gh_divisor div;
	unsigned long nelems;
	u8 *objstate;
};

static bool run_find(const struct free_run *run, void *p, u8 **state)
{
	u64 idx = gh_divide(&run->div, (unsigned long)p - run->base);

	*state = run->objstate + idx;
	return idx < run->nelems;
}

/* Go on to the span of @p, if its objects are for the same slots. */
static bool run_enter(struct free_run *run, void *p,
		      const struct gh_slot __percpu *slots)
{
	const struct gh_span *s = gh_span_guess((unsigned long)p);

	if (s->slots != slots)
		return false;
	run->base = s->base;
	run->div = s->div;
	run->nelems = s->nmalloc | s->ncache;
	run->objstate = s->objstate;
	return true;
}

/*
 * A span that an object was freed to lives as long as that object is in the
 * magazine, so it need not be looked up for the next object.
 */
static unsigned int slot_push_many(struct gh_slot *slot, unsigned int n,
				   void **p,
				   const struct gh_slot __percpu *slots)
{
	struct gh_ent *top = slot->top;
	struct free_run run = { };
	unsigned int i;
	u8 *state;

	gh_busy_assert_held(&slot->busy);

	n = min_t(unsigned long, n, slot->end - top);
	for (i = 0; i < n; i++, top++) {
		void *obj = p[i];

		if (unlikely(!run_find(&run, obj, &state)) &&
		    (!run_enter(&run, obj, slots) ||
		     !run_find(&run, obj, &state)))
			break;
		if (unlikely(*state != GH_OBJ_ALLOC || !gh_obj_claim(state)))
			break;
		top->obj = obj;
		top->state = state;
	}
	slot->top = top;
	return i;
}

/**
 * gh_slot_free_bulk() - free objects to the magazine of this CPU
 * @slots: per-CPU caches that they all should be for, not NULL
 * @n: how many
 * @p: the objects, not verified
 *
 * Stops at the first that the magazine cannot take: because it is full, or
 * because that is no object of these slots, or not allocated.
 *
 * Context: any, preemption off, since before @slots were found by an address.
 * Return: number of objects freed.
 */
unsigned int gh_slot_free_bulk(struct gh_slot __percpu *slots, unsigned int n,
			       void **p)
{
	struct gh_slot *slot = this_cpu_ptr(slots);
	unsigned int done = 0;

	if (gh_busy_try(&slot->busy)) {
		done = slot_push_many(slot, n, p, slots);
		gh_busy_end(&slot->busy);
	}
	return done;
}

/* ---- draining ----------------------------------------------------------- */

/**
 * gh_slot_drain() - free all that a CPU's slot has, and uncharge its room
 * @c: the mcentral
 * @cpu: this CPU, with preemption off; or one that is dead, or whose heap
 *	nobody uses
 *
 * Context: process context.
 */
void gh_slot_drain(struct gh_central *c, unsigned int cpu)
{
	struct gh_slot *slot = per_cpu_ptr(c->slots, cpu);
	long room;

	preempt_disable();
	gh_busy_begin(&slot->busy);
	room = slot_shut(c, slot);
	gh_busy_end(&slot->busy);

	if (cpu == smp_processor_id())
		mcache_charge(c, -room);
	else if (c->cache)
		/* The CPU may be charging for another cache. */
		atomic_long_add(room, &per_cpu_ptr(c->heap->mcache, cpu)->returned);
	else
		per_cpu_ptr(c->heap->mcache, cpu)->bytes -= room;
	preempt_enable();
}
GH_EXPORT_FOR_TESTS(gh_slot_drain);

/* Free what is in the spare magazine; if both are empty, close the slot. */
static void slot_release_spare(struct gh_central *c, struct gh_slot *slot)
{
	gh_busy_assert_held(&slot->busy);

	if (!slot->nspare && slot->top == slot->mag) {
		mcache_charge(c, -slot_shut(c, slot));
		return;
	}
	gh_central_release(c, slot->spare, slot->nspare);
	slot->nspare = 0;
}

/* Make the objects in the magazine the spare ones, if there are none. */
static void slot_set_aside(struct gh_central *c, struct gh_slot *slot)
{
	gh_busy_assert_held(&slot->busy);

	if (slot->nspare || slot->top == slot->mag)
		return;
	if (!slot->spare)
		slot->spare = slot_new_mag(c, slot->cap);
	if (slot->spare) {
		slot_swap_mags(slot);
		return;
	}
	/* There is no record for a second magazine: free them at once. */
	gh_central_release(c, slot->mag, gh_slot_n(slot));
	slot->top = slot->mag;
}

/**
 * gh_slot_age() - free what this CPU did not need since the last call
 * @c: the mcentral
 *
 * The fast path must not be burdened with counting, so objects are set aside:
 * they become the spare magazine, which only the slow path uses. If they are
 * still there at the next call, nothing needed them, and they are freed to
 * their spans. A slot in which nothing is left at the call after that is
 * closed.
 *
 * Context: preemption off, not in an interrupt.
 */
void gh_slot_age(struct gh_central *c)
{
	struct gh_slot *slot = this_cpu_ptr(c->slots);

	lockdep_assert_preemption_disabled();

	if (!slot->cap) {
		/* Misses of long ago must not earn it a magazine. */
		slot->misses /= 2;
		return;
	}

	gh_busy_begin(&slot->busy);
	if (slot->idle)
		slot_release_spare(c, slot);
	if (slot->cap) {
		slot_set_aside(c, slot);
		slot->idle = true;
	}
	gh_busy_end(&slot->busy);
}
GH_EXPORT_FOR_TESTS(gh_slot_age);

/**
 * gh_mcache_empty() - ask whether a CPU holds nothing
 * @h: the heap
 * @cpu: the CPU
 *
 * Context: any.
 * Return: true if it has no magazines, no tiny block and no large objects.
 */
bool gh_mcache_empty(const struct gh_heap *h, unsigned int cpu)
{
	const struct gh_mcache *mcache = per_cpu_ptr(h->mcache, cpu);

	return !READ_ONCE(mcache->bytes) &&
	       READ_ONCE(mcache->cache_bytes) ==
	       atomic_long_read(&mcache->returned) &&
	       !READ_ONCE(mcache->tiny.block) && !READ_ONCE(mcache->large.n);
}
GH_EXPORT_FOR_TESTS(gh_mcache_empty);

/**
 * gh_mcache_set_bound() - choose what each CPU may hold
 * @bytes: of size classes and large objects, and again of object caches
 *
 * All CPUs together may hold 1/32 of memory, so this may be less than @bytes.
 *
 * Context: process context.
 */
void gh_mcache_set_bound(unsigned long bytes)
{
	unsigned long share = (totalram_pages() << PAGE_SHIFT >>
			       RAM_SHARE_SHIFT) / num_possible_cpus() / 2;

	WRITE_ONCE(gh_percpu_bytes, min(bytes, share));
}
GH_EXPORT_FOR_TESTS(gh_mcache_set_bound);

/**
 * gh_slot_holds() - ask whether a CPU has magazines or a span of an mcentral
 * @c: the mcentral
 * @cpu: the CPU
 *
 * Context: any.
 * Return: true if there is something to drain.
 */
bool gh_slot_holds(const struct gh_central *c, unsigned int cpu)
{
	const struct gh_slot *slot = per_cpu_ptr(c->slots, cpu);

	return READ_ONCE(slot->cap) || READ_ONCE(slot->span);
}

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
		unsigned long here = READ_ONCE(slot->top) - READ_ONCE(slot->mag);

		/* If the CPU is changing them, they may not belong together. */
		if (here <= c->batch)
			n += here;
		n += READ_ONCE(slot->nspare);
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
 * gh_slot_released() - objects that were ever freed to their span
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
