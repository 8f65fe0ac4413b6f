// SPDX-License-Identifier: GPL-2.0-only
/*
 * mcache: what a CPU holds of each span class: the slow paths behind
 * gh_slot_alloc() and gh_slot_free().
 *
 * A miss is served by the CPU's slot for its own NUMA node, from, in this order: the
 * spare magazine, a batch of the transfer cache, the current span, another span of
 * that node, a new span; and, if none can be made, from what there is of other nodes.
 * A slot has objects of its own NUMA node only.
 * Only a new span may allocate pages or sleep, so it must be made without the
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
#include "gfp.h"
#include "mcache.h"
#include "peek.h"

/* Bounds on the objects, and their bytes, that a first magazine has room for. */
#define CAP_INITIAL	8
#define CAP_BYTES	2048UL

/* Classes of objects of so many bytes must earn the first one as well. */
#define CAP_EARNED	1024

/* Bytes of room that a miss earns. */
#define MISS_BYTES	128UL

/* All CPUs together hold at most this share of memory. */
#define RAM_SHARE_SHIFT	5

/* Slots that are looked at for room, with preemption off. */
#define STEAL_LOOKS	(3U * GH_NUM_CENTRALS)

/* Bound on the bytes that a CPU's magazines may hold. */
unsigned long gh_percpu_bytes = 1UL << 20;
GH_EXPORT_FOR_TESTS(gh_percpu_bytes);

/* Slots that are looked at, and of these that age, when a heap takes memory. */
#define SPILL_LOOKS	32
#define SPILL_SLOTS	8

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
	slot->nspare = 0;
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
		more += gh_peek(mcache->large.bytes);
	if (c->cache)
		more -= atomic_long_read(&mcache->returned);
	return READ_ONCE(*mcache_bytes(c, mcache)) + more -
	       (long)READ_ONCE(gh_percpu_bytes);
}

/* Take the room of a slot, if it has @lack bytes. */
static bool slot_steal(const struct gh_home *home, long lack)
{
	struct gh_central *c = home->central;
	struct gh_slot *slot = this_cpu_ptr(home->slots);
	unsigned int cap = gh_peek(slot->cap);

	lockdep_assert_preemption_disabled();

	if (!cap || slot_room(c, cap) < lack || !gh_busy_try(&slot->busy))
		return false;
	mcache_charge(c, -slot_shut(c, slot));
	gh_busy_end(&slot->busy);
	return true;
}

/*
 * Take the room of another slot: the next in turn that has @lack bytes. Not all may
 * get their turn, as there are very many if there are many nodes.
 */
static void mcache_steal(struct gh_heap *h, long lack)
{
	struct gh_mcache *mcache = this_cpu_ptr(h->mcache);
	unsigned int i, nr = GH_NUM_CENTRALS * h->nr_homes;

	lockdep_assert_preemption_disabled();

	if (lack > READ_ONCE(mcache->bytes))
		return;
	for (i = 0; i < min(nr, STEAL_LOOKS); i++) {
		unsigned int v = mcache->victim++ % nr;
		struct gh_central *c = &h->central[v / h->nr_homes];

		if (slot_steal(c->home[v % h->nr_homes], lack))
			return;
	}
}

/* Take the room of a cache's slot for another node. Other caches may end. */
static void cache_steal(struct gh_central *c, long lack)
{
	unsigned int i;

	gh_for_each_home(i, c)
		if (c->home[i] != gh_central_here(c) &&
		    slot_steal(c->home[i], lack))
			return;
}

/* To free another class's objects takes long, so interrupts do not do it. */
static bool may_steal(void)
{
	return in_task() && !irqs_disabled();
}

/*
 * Charge the CPU for magazines of @cap objects instead of those that the slot
 * has. At the bound, one other slot must have the room, or this one cannot grow.
 */
static bool slot_charge(struct gh_central *c, struct gh_slot *slot,
			unsigned int cap)
{
	long more = slot_room(c, cap) - slot_room(c, slot->cap);

	gh_busy_assert_held(&slot->busy);

	if (more > 0 && mcache_lack(c, more) > 0 && may_steal()) {
		if (c->cache)
			cache_steal(c, mcache_lack(c, more));
		else
			mcache_steal(c->heap, mcache_lack(c, more));
	}
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
static bool slot_earned(struct gh_central *c, struct gh_slot __percpu *slots)
{
	return c->shape.state != GH_SPAN_OBJECTS ||
	       c->shape.elemsize < CAP_EARNED ||
	       this_cpu_inc_return(slots->misses) * MISS_BYTES >=
	       slot_room(c, slot_next_cap(c, 0));
}

/*
 * Have a record for the next magazine in stock, because no pages can be taken
 * for one while the slot is busy. Returns false if there is none.
 */
static bool slot_stock(struct gh_central *c, unsigned int cap, gfp_t gfp)
{
	struct gh_fixalloc *pool = gh_mheap_mags(c->heap, cap);

	if (unlikely(gfp && gh_peek(pool->navail) < 2))
		gh_fixalloc_prefill(pool, 2, gfp | __GFP_NOWARN);
	return gh_peek(pool->navail);
}

/* Give this CPU's slot its first magazine. */
static void slot_open(struct gh_central *c, struct gh_slot __percpu *slots)
{
	struct gh_slot *slot;
	bool ok = false;

	preempt_disable();
	slot = this_cpu_ptr(slots);
	if (gh_busy_try(&slot->busy)) {
		/* An interrupt may have opened it since it was looked at. */
		ok = !slot->cap && slot_grow(c, slot);
		/* If there is no room to be had, it must be earned again. */
		WRITE_ONCE(slot->misses, 0);
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
static void slot_equip(struct gh_central *c, struct gh_slot __percpu *slots,
		       gfp_t gfp)
{
	unsigned int cap = this_cpu_read(slots->cap);

	if (c->flags & GH_CENTRAL_DIRECT || (cap ? !gfp : !slot_earned(c, slots)))
		return;
	if (slot_stock(c, slot_next_cap(c, cap), gfp) && !cap)
		slot_open(c, slots);
	/* Slots that are only freed to are opened with what there is. */
	if (gfp && c->heap->nr_homes > 1)
		slot_stock(c, slot_next_cap(c, 0), gfp);
}

/* ---- allocation --------------------------------------------------------- */

/* This CPU's slot of a NUMA node. */
static struct gh_slot *home_slot(const struct gh_home *home)
{
	lockdep_assert_preemption_disabled();

	return this_cpu_ptr(home->slots);
}

/* Fill the magazine from the current span, or from one of the mcentral. */
static unsigned int slot_carve(struct gh_home *home, struct gh_slot *slot)
{
	struct gh_central *c = home->central;
	unsigned int n = 0;

	gh_busy_assert_held(&slot->busy);

	if (slot->span)
		n = gh_span_carve(slot->span, slot->mag, slot->cap);
	if (!n) {
		/* If objects of it were freed, it may be taken out again. */
		slot_put_span(c, slot);
		slot->span = gh_home_get_span(home);
		if (!slot->span)
			return 0;
		n = gh_span_carve(slot->span, slot->mag, slot->cap);
	}
	this_cpu_add(c->slots->carved, n);
	return n;
}

/*
 * Let a batch of the transfer cache be the magazine of an empty slot. That uses spare room
 * only, and takes none from another class for capacity that the slot has not earned;
 * except @anyway.
 */
static bool slot_adopt_batch(struct gh_home *home, struct gh_slot *slot,
			     bool anyway)
{
	struct gh_central *c = home->central;
	long more = slot_room(c, c->batch) - slot_room(c, slot->cap);
	struct gh_ent *full;

	gh_busy_assert_held(&slot->busy);

	if (!gh_peek(home->tc_n) ||
	    (!anyway && more > 0 && mcache_lack(c, more) > 0))
		return false;
	full = gh_home_take_batch(home);
	if (!full)
		return false;
	mcache_charge(c, more);
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
static void slot_refill(struct gh_home *home, struct gh_slot *slot)
{
	gh_busy_assert_held(&slot->busy);

	slot->idle = false;
	if (slot->nspare) {
		slot_swap_mags(slot);
		return;
	}
	slot_missed(home->central, slot);
	if (!slot_adopt_batch(home, slot, false))
		slot->top = slot->mag + slot_carve(home, slot);
}

static bool slot_pop(struct gh_home *home, struct gh_slot *slot,
		     struct gh_ent *ent)
{
	gh_busy_assert_held(&slot->busy);

	if (!slot->mag)
		return gh_home_take(home, ent);
	if (slot->top == slot->mag)
		slot_refill(home, slot);
	if (slot->top == slot->mag)
		return false;
	*ent = *--slot->top;
	return true;
}

/* Take an object that this CPU has. Needs no lock, so NMIs may do it, too. */
static bool slot_pop_held(struct gh_home *home, struct gh_slot *slot,
			  struct gh_ent *ent)
{
	gh_busy_assert_held(&slot->busy);

	if (slot->top != slot->mag) {
		*ent = *--slot->top;
		return true;
	}
	if (slot->nspare) {
		*ent = slot->spare[--slot->nspare];
		return true;
	}
	if (!slot->span || !gh_span_carve(slot->span, ent, 1))
		return false;
	this_cpu_inc(home->central->slots->carved);
	return true;
}

static bool slot_take_held(struct gh_home *home, struct gh_ent *ent)
{
	struct gh_slot *slot;
	bool ok = false;

	preempt_disable();
	slot = home_slot(home);
	if (gh_busy_try(&slot->busy)) {
		ok = slot_pop_held(home, slot, ent);
		gh_busy_end(&slot->busy);
	}
	preempt_enable();
	return ok;
}

/* Serve a miss with what goheap has of a NUMA node, even if the slot is busy. */
static bool slot_take(struct gh_home *home, struct gh_ent *ent)
{
	struct gh_slot *slot;
	bool ok;

	if (in_nmi())
		return slot_take_held(home, ent) || gh_home_take(home, ent);

	preempt_disable();
	slot = home_slot(home);
	if (gh_busy_try(&slot->busy)) {
		ok = slot_pop(home, slot, ent);
		gh_busy_end(&slot->busy);
	} else {
		ok = gh_home_take(home, ent);
	}
	preempt_enable();
	return ok;
}

/* ---- nodes without memory ----------------------------------------------- */

/* The home that serves for one that has no memory; or NULL if it has some. */
static struct gh_home *host_of(struct gh_home *home)
{
	struct gh_central *c = home->central;
	struct gh_host __percpu *host = &c->heap->mcache->host[home->index];
	unsigned int nr = this_cpu_read(host->home);

	if (likely(!nr) || time_after(jiffies, this_cpu_read(host->until)))
		return NULL;
	return c->home[nr - 1];
}

/* Remember for a while where the memory of a new span is from. */
static void host_note(struct gh_home *home, const struct gh_span *s)
{
	struct gh_central *c = home->central;
	struct gh_host __percpu *host = &c->heap->mcache->host[home->index];

	/* Other classes may find pages at home, so this does not end early. */
	if (likely(s->node->home == home->index))
		return;
	this_cpu_write(host->until, jiffies + HZ);
	this_cpu_write(host->home, s->node->home + 1);
}

/*
 * Take an object of @home or, if that had no memory, of @host: otherwise every miss
 * would make a new span there, and what is freed would lie in that home unused. What is
 * of no certain node is anybody's.
 */
static bool slot_take_near(struct gh_home *home, struct gh_home *host,
			   struct gh_ent *ent)
{
	struct gh_central *c = home->central;
	struct gh_home *last = c->home[c->heap->nr_homes - 1];

	/* Not to look for memory in vain each time. */
	if (unlikely(host) && slot_take_held(host, ent))
		return true;
	if (slot_take(home, ent))
		return true;
	if (unlikely(host) && slot_take(host, ent))
		return true;
	if (!c->heap->any)
		return false;
	return slot_take_held(last, ent) ||
	       (!gh_home_is_empty(last) && slot_take(last, ent));
}

/* Take an object of a batch for which this CPU's slot has no room. */
static bool slot_seize_batch(struct gh_home *home, struct gh_ent *ent)
{
	struct gh_slot *slot;
	bool ok = false;

	preempt_disable();
	slot = home_slot(home);
	if (gh_busy_try(&slot->busy)) {
		/* It may have got some since it was looked at. */
		ok = slot_pop_held(home, slot, ent) ||
		     (slot_adopt_batch(home, slot, true) &&
		      slot_pop_held(home, slot, ent));
		gh_busy_end(&slot->busy);
	}
	preempt_enable();
	/* Its objects age from now on. */
	if (ok)
		gh_mheap_kick(home->central->heap);
	return ok;
}

/* The last resort: what any node has, and this CPU of it. */
static bool slot_take_any(struct gh_central *c, struct gh_ent *ent)
{
	unsigned int i;

	gh_for_each_home(i, c)
		if (slot_take(c->home[i], ent))
			return true;
	if (in_nmi())
		return false;

	gh_for_each_home(i, c)
		if (slot_seize_batch(c->home[i], ent))
			return true;
	return false;
}

/* ---- new spans ---------------------------------------------------------- */

/* Make a new span this CPU's current one of its home, or put it into the sets. */
static void slot_deposit(struct gh_central *c, struct gh_span *s)
{
	struct gh_slot *slot;

	preempt_disable();
	slot = home_slot(gh_central_home_of(c, s));
	if (gh_busy_try(&slot->busy)) {
		if (slot->mag && (!slot->span || gh_span_full(slot->span)))
			swap(slot->span, s);
		gh_busy_end(&slot->busy);
	}
	preempt_enable();
	if (s)
		gh_central_put_span(c, s);
}

/* Take one that is not for everybody, if @gfp may, before there are more of these. */
static bool slot_take_reserve(struct gh_home *home, gfp_t gfp, struct gh_ent *ent)
{
	struct gh_central *c = home->central;
	unsigned int i;

	if (!gh_gfp_reserves(gfp))
		return false;
	if (gh_home_take_reserve(home, ent))
		return true;
	if (gfp & __GFP_THISNODE)
		return false;
	gh_for_each_home(i, c)
		if (gh_home_take_reserve(c->home[i], ent))
			return true;
	return false;
}

/*
 * Take one object of a new span. If that has memory of the system's reserves, its other
 * objects are for those who may use these, too (as slab's pfmemalloc_match() has it).
 * *@zeroed becomes true if the object is zero.
 */
static bool slot_take_new(struct gh_home *home, gfp_t gfp, struct gh_ent *ent,
			  bool *zeroed)
{
	struct gh_central *c = home->central;
	struct gh_span *s;

	if (slot_take_reserve(home, gfp, ent))
		return true;
	s = gh_central_new_span(c, gfp, gh_numa.nid[home->index]);
	if (!s)
		return false;
	this_cpu_add(c->slots->carved, gh_span_carve(s, ent, 1));
	*zeroed = !s->needzero;
	host_note(home, s);
	if (unlikely(s->reserve))
		gh_central_put_span(c, s);
	else
		slot_deposit(c, s);
	return true;
}

/**
 * gh_slot_alloc_slow() - take an object when the magazine cannot serve it
 * @c: the mcentral
 * @gfp: for new pages
 * @nid: NUMA node that the object should be from, or NUMA_NO_NODE for the
 *	nearest
 * @zero: bytes to zero; the memory of a new object may be zero already
 *
 * Context: any in which @gfp may be used; in NMI context nothing new is made.
 * Return: the object or NULL.
 */
void *gh_slot_alloc_slow(struct gh_central *c, gfp_t gfp, int nid, size_t zero)
{
	bool strict = gfp & __GFP_THISNODE, zeroed = false, ok;
	struct gh_home *home, *host;
	struct gh_ent ent;

	might_alloc(gfp);

	/* Such a mcentral has no magazines, so all its objects come this way. */
	if (unlikely(c->shape.elemsize > GOHEAP_ATOMIC_MAX) && !gfpflags_allow_blocking(gfp))
		return NULL;

	home = nid == NUMA_NO_NODE ? gh_central_here(c) :
				     c->home[gh_numa_index(nid)];
	/* A NUMA node that has no index is served by others, if it may be. */
	if (strict && nid != NUMA_NO_NODE && gh_numa.nid[home->index] != nid)
		return NULL;
	host = strict ? NULL : host_of(home);

	/* Records for magazines must not take reserves or wait for reclaim. */
	if (!in_nmi())
		slot_equip(c, (host ?: home)->slots,
			   (gfp & __GFP_KSWAPD_RECLAIM) | __GFP_NORETRY |
			   __GFP_NOMEMALLOC | __GFP_NOWARN);

	ok = strict ? slot_take(home, &ent) : slot_take_near(home, host, &ent);
	if (!ok && !in_nmi())
		ok = slot_take_new(home, gfp, &ent, &zeroed);
	/* Memory of another node is better than none. */
	if (!ok && !strict)
		ok = slot_take_any(c, &ent);
	else if (!ok && !in_nmi())
		ok = slot_seize_batch(home, &ent);
	if (!ok)
		return NULL;

	*ent.state = GH_OBJ_ALLOC;
	if (zero && !zeroed)
		memset(ent.obj, 0, zero);
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

static unsigned int slots_pop_many(struct gh_central *c, unsigned int n,
				   void **p)
{
	struct gh_slot *slot;
	unsigned int done = 0;

	preempt_disable();
	slot = home_slot(gh_central_here(c));
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
 * @zero: bytes to zero of each
 *
 * Context: as gh_slot_alloc().
 * Return: number taken; less than @n only when memory ran out.
 */
unsigned int gh_slot_alloc_bulk(struct gh_central *c, gfp_t gfp, unsigned int n,
				void **p, size_t zero)
{
	unsigned int i, done = 0;

	for (;;) {
		i = done;
		done += slots_pop_many(c, n - done, p + done);
		for (; zero && i < done; i++)
			memset(p[i], 0, zero);
		if (done == n)
			break;
		p[done] = gh_slot_alloc_slow(c, gfp, NUMA_NO_NODE, zero);
		if (!p[done])
			break;
		done++;
	}
	return done;
}
GH_EXPORT_FOR_TESTS(gh_slot_alloc_bulk);

/* ---- free --------------------------------------------------------------- */

/* Make room for an object in a full slot that has magazines. */
static void slot_make_room(struct gh_home *home, struct gh_slot *slot)
{
	struct gh_central *c = home->central;

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

	if (slot->nspare == c->batch && gh_home_trade_full(home, &slot->spare))
		slot->nspare = 0;
	gh_central_release(c, slot->spare, slot->nspare);
	slot->nspare = 0;
	slot_swap_mags(slot);
}

/* Returns false if the slot is busy, or has no magazine. */
static bool slot_put(struct gh_home *home, struct gh_ent ent)
{
	struct gh_slot *slot;
	bool ok = false;

	/* A free must not take pages, not even for records of magazines. */
	slot_equip(home->central, home->slots, 0);
	slot = home_slot(home);
	if (gh_busy_try(&slot->busy)) {
		if (slot->mag) {
			if (slot->top == slot->end)
				slot_make_room(home, slot);
			*slot->top++ = ent;
			ok = true;
		}
		gh_busy_end(&slot->busy);
	}
	return ok;
}

/**
 * gh_slot_free_slow() - free an object that the magazine has no room for
 * @c: its mcentral
 * @obj: the object
 * @state: its state byte, which says GH_OBJ_FREE
 *
 * Context: any.
 */
void gh_slot_free_slow(struct gh_central *c, void *obj, u8 *state)
{
	struct gh_ent ent = { .obj = obj, .state = state };
	struct gh_span *s;
	bool ok = false;

	if (unlikely(in_nmi())) {
		gh_defer_free(c->heap, obj);
		return;
	}

	/* The RCU read section of the lookup: two may be freeing the object. */
	preempt_disable();
	s = gh_span_of((unsigned long)obj);
	if (likely(s && s->central == c && state - s->objstate < s->nelems))
		ok = !s->reserve && slot_put(gh_central_home_of(c, s), ent);
	preempt_enable();
	if (!ok)
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

static void slot_drain(struct gh_home *home, unsigned int cpu)
{
	struct gh_slot *slot = per_cpu_ptr(home->slots, cpu);
	struct gh_central *c = home->central;
	long room;

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
}

/**
 * gh_slot_drain() - free all that a CPU's slots have, and uncharge their room
 * @c: the mcentral
 * @cpu: a CPU that is dead, or whose heap nobody uses
 *
 * Context: process context.
 */
void gh_slot_drain(struct gh_central *c, unsigned int cpu)
{
	unsigned int i;

	/* Preemption is not off for longer than one of them takes. */
	gh_for_each_home(i, c) {
		preempt_disable();
		slot_drain(c->home[i], cpu);
		preempt_enable();
	}
}
GH_EXPORT_FOR_TESTS(gh_slot_drain);

/**
 * gh_slot_drain_here() - free all that this CPU's slots have
 * @c: the mcentral
 *
 * Context: process context.
 */
void gh_slot_drain_here(struct gh_central *c)
{
	unsigned int i;

	gh_for_each_home(i, c) {
		preempt_disable();
		slot_drain(c->home[i], smp_processor_id());
		preempt_enable();
	}
}
GH_EXPORT_FOR_TESTS(gh_slot_drain_here);

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

static void slot_age(struct gh_home *home)
{
	struct gh_slot *slot = home_slot(home);
	struct gh_central *c = home->central;

	if (!gh_peek(slot->cap)) {
		/*
		 * Misses of long ago must not earn it a magazine. One that an
		 * interrupt counts meanwhile may be lost.
		 */
		data_race(slot->misses /= 2);
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
 * Context: process context.
 */
void gh_slot_age(struct gh_central *c)
{
	unsigned int i;

	/* Preemption is not off for longer than one of them takes. */
	gh_for_each_home(i, c) {
		preempt_disable();
		slot_age(c->home[i]);
		preempt_enable();
	}
}
GH_EXPORT_FOR_TESTS(gh_slot_age);

/**
 * gh_mcache_spill() - free some of what this CPU does not need
 * @h: the heap, which has to take memory from the system
 *
 * A slot of each of many classes holds some objects, and with them spans, that were
 * needed once. In a small heap that is much of it. A tick comes too late for a heap
 * that grows now, so let a few slots age for each run of pages that it takes: the
 * slots take turns, and those that are in use lose nothing.
 *
 * Context: process context, preemption and interrupts on.
 */
void gh_mcache_spill(struct gh_heap *h)
{
	unsigned int looks = SPILL_LOOKS, slots = SPILL_SLOTS;

	while (looks-- && slots) {
		struct gh_central *c;

		c = &h->central[this_cpu_inc_return(h->mcache->ageing) %
				GH_NUM_CENTRALS];
		if (!this_cpu_read(gh_central_here(c)->slots->cap))
			continue;
		gh_slot_age(c);
		slots--;
	}
}
GH_EXPORT_FOR_TESTS(gh_mcache_spill);

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
	       !gh_peek(mcache->tiny.block) && !gh_peek(mcache->large.n);
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
	unsigned int i;

	gh_for_each_home(i, c) {
		const struct gh_slot *slot = per_cpu_ptr(c->home[i]->slots, cpu);

		if (gh_peek(slot->cap) || gh_peek(slot->span))
			return true;
	}
	return false;
}
GH_EXPORT_FOR_TESTS(gh_slot_holds);

static unsigned long slot_cached(const struct gh_central *c,
				 const struct gh_slot *slot)
{
	unsigned long n = gh_peek(slot->top) - gh_peek(slot->mag);

	/* If the CPU is changing them, they may not belong together. */
	if (n > c->batch)
		n = 0;
	return n + gh_peek(slot->nspare);
}

/**
 * gh_slot_cached() - free objects in magazines and in transfer caches
 * @c: the mcentral
 *
 * Context: any; exact while nobody allocates.
 * Return: objects.
 */
unsigned long gh_slot_cached(const struct gh_central *c)
{
	unsigned long n = (unsigned long)gh_central_batches(c) * c->batch;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu)
		gh_for_each_home(i, c)
			n += slot_cached(c, per_cpu_ptr(c->home[i]->slots, cpu));
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
	unsigned long n = 0;
	unsigned int i;
	int cpu;

	gh_for_each_home(i, c)
		n += gh_peek(c->home[i]->carved);
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
	unsigned long n = 0;
	unsigned int i;
	int cpu;

	gh_for_each_home(i, c)
		n += gh_peek(c->home[i]->released);
	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(c->slots, cpu)->released);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_slot_released);
