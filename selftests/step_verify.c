// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_verify: what must hold of the heap after each execution, while nobody uses
 * it.
 *
 *   objects    full of their holders' stamps; as many state bytes say "allocated"
 *              as there are holders
 *   spans      counts agree with bits; a place that was taken is a caller's or in
 *              one magazine, and in one only
 *   CPUs       charged for the room they have; no magazine is lost
 *   statistics what is held, and not more
 *
 * And when all is freed and drained, nothing is left.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "../mm/cache.h"
#include "../mm/compat.h"
#include "../mm/large.h"
#include "../mm/malloc.h"
#include "../mm/mcache.h"
#include "../mm/report.h"
#include "../mm/tiny.h"
#include "step.h"

/* Not one of enum gh_obj_state: an entry of a magazine that was seen. */
#define OBJ_SEEN	3

static struct goheap_stats base_stats;

unsigned long step_refused;

/* The heap's mcentrals, and the test's cache. */
#define NR_CENTRALS	(GH_NUM_CENTRALS + 1)

/* Their spans, and objects that others have, when nobody uses the heap. */
static long base_spans[NR_CENTRALS];
static unsigned long base_alloc[NR_CENTRALS];

static struct gh_central *central_nr(unsigned int i)
{
	return i < GH_NUM_CENTRALS ? &gh_kheap->central[i] :
				     &step_cache->central;
}

/**
 * struct tally - what the spans of an mcentral come to
 * @spans: how many
 * @out: places taken that did not come back
 * @alloc: objects whose state byte says that a caller has them
 */
struct tally {
	unsigned long spans;
	unsigned long out;
	unsigned long alloc;
};

/* ---- spans -------------------------------------------------------------- */

static bool bit_of(const u64 *bits, unsigned int i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void verify_span(const struct gh_central *c, const struct gh_span *s,
			struct tally *t)
{
	unsigned int i, taken = 0, freed = 0;

	for (i = 0; i < s->nelems; i++) {
		bool is_taken = i < s->freeindex || bit_of(s->alloc_bits, i);
		bool is_freed = bit_of(s->freed_bits, i);

		taken += is_taken;
		freed += is_freed;
		t->alloc += s->objstate[i] == GH_OBJ_ALLOC;
		if (is_freed && !is_taken)
			step_wrong("a place came back that was not taken");
		if (s->objstate[i] != GH_OBJ_FREE && (!is_taken || is_freed))
			step_wrong("an object is allocated in a free place");
	}
	if (taken != s->alloc_count || freed != s->nfreed)
		step_wrong("a span of %s has %u of %u places taken, %u of %u freed",
			   c->name, taken, s->alloc_count, freed, s->nfreed);
	if (s->central != c || s->state != c->shape.state)
		step_wrong("a span of %s is another's", c->name);
	t->out += taken - freed;
	t->spans++;
}

static void verify_list(const struct gh_central *c, const struct list_head *list,
			bool full, struct tally *t)
{
	const struct gh_span *s;

	list_for_each_entry(s, list, list) {
		if (s->cached)
			step_wrong("a CPU's span of %s is in a set", c->name);
		if (full != gh_span_full(s))
			step_wrong("a span of %s is in the wrong set", c->name);
		verify_span(c, s, t);
	}
}

/* ---- magazines ---------------------------------------------------------- */

static void see_ents(const struct gh_central *c, const struct gh_ent *ents,
		     unsigned int n)
{
	unsigned int i, idx;

	for (i = 0; i < n; i++) {
		const struct gh_span *s = gh_span_of((unsigned long)ents[i].obj);

		if (!s || s->central != c ||
		    !gh_span_find(s, (unsigned long)ents[i].obj, &idx) ||
		    ents[i].state != &s->objstate[idx])
			step_wrong("a magazine of %s has what is no object", c->name);
		else if (*ents[i].state != GH_OBJ_FREE)
			step_wrong("a magazine of %s has what is not free (%u)",
				   c->name, *ents[i].state);
		else
			*ents[i].state = OBJ_SEEN;
	}
}

static void unsee_ents(const struct gh_ent *ents, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (*ents[i].state == OBJ_SEEN)
			*ents[i].state = GH_OBJ_FREE;
}

static void verify_slot(const struct gh_central *c, struct gh_slot *slot,
			struct tally *t)
{
	if (slot->busy.held)
		step_wrong("a slot of %s is left busy", c->name);
	if (slot->top < slot->mag || slot->top > slot->end ||
	    slot->nspare > slot->cap || slot->end != slot->mag + slot->cap)
		step_wrong("a slot of %s has %ld of %u objects, %u spare", c->name,
			   (long)(slot->top - slot->mag), slot->cap, slot->nspare);
	see_ents(c, slot->mag, gh_slot_n(slot));
	see_ents(c, slot->spare, slot->nspare);
	if (!slot->span)
		return;
	if (!slot->span->cached || !list_empty(&slot->span->list))
		step_wrong("a CPU's span of %s is not its own", c->name);
	verify_span(c, slot->span, t);
}

static void unsee_slot(const struct gh_slot *slot)
{
	unsee_ents(slot->mag, gh_slot_n(slot));
	unsee_ents(slot->spare, slot->nspare);
}

static void verify_home(const struct gh_home *home, struct tally *t)
{
	const struct gh_central *c = home->central;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu)
		verify_slot(c, per_cpu_ptr(home->slots, cpu), t);
	for (i = 0; i < home->tc_n; i++)
		see_ents(c, home->tc[i], c->batch);
	for (i = 0; i < 2; i++) {
		verify_list(c, &home->sets.partial[i], false, t);
		verify_list(c, &home->sets.reserve[i], false, t);
		verify_list(c, &home->sets.full[i], true, t);
	}
}

static void unsee_home(const struct gh_home *home)
{
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu)
		unsee_slot(per_cpu_ptr(home->slots, cpu));
	for (i = 0; i < home->tc_n; i++)
		unsee_ents(home->tc[i], home->central->batch);
}

/* Verify an mcentral. Returns how many of its objects callers have. */
static unsigned long verify_central(const struct gh_central *c)
{
	struct tally t = { };
	unsigned int i;

	gh_for_each_home(i, c)
		verify_home(c->home[i], &t);
	gh_for_each_home(i, c)
		unsee_home(c->home[i]);

	if (t.spans != atomic_long_read(&c->nspans))
		step_wrong("%s has %lu spans and counts %ld", c->name, t.spans,
			   atomic_long_read(&c->nspans));
	if (t.out != t.alloc + gh_slot_cached(c))
		step_wrong("%lu objects of %s are out; callers have %lu, CPUs %lu",
			   t.out, c->name, t.alloc, gh_slot_cached(c));
	if (t.out != gh_slot_carved(c) - gh_slot_released(c))
		step_wrong("%lu objects of %s are out; %lu were carved, %lu released",
			   t.out, c->name, gh_slot_carved(c), gh_slot_released(c));
	return t.alloc;
}

/* ---- what CPUs have ----------------------------------------------------- */

static long slot_room(const struct gh_central *c, unsigned int cpu,
		      unsigned long *mags)
{
	unsigned int i;
	long cap = 0;

	gh_for_each_home(i, c) {
		const struct gh_slot *slot = per_cpu_ptr(c->home[i]->slots, cpu);

		*mags += !!slot->mag + !!slot->spare;
		cap += slot->cap;
	}
	return 2 * cap * c->shape.elemsize;
}

static void verify_large(const struct gh_large *l)
{
	unsigned long bytes = 0;
	unsigned int i;

	if (l->busy.held || l->n > GH_LARGE_HELD)
		step_wrong("a CPU's large objects are left busy");
	for (i = 0; i < l->n; i++) {
		if (l->span[i]->state != GH_SPAN_LARGE || l->span[i]->inline_state)
			step_wrong("a CPU holds a large object that is not free");
		bytes += l->span[i]->elemsize;
	}
	if (bytes != l->bytes)
		step_wrong("a CPU holds %lu bytes of large objects, and counts %lu",
			   bytes, l->bytes);
}

static void verify_cpu(struct gh_heap *h, unsigned int cpu, unsigned long *mags)
{
	const struct gh_mcache *mcache = per_cpu_ptr(h->mcache, cpu);
	long bytes = 0, cache_bytes = 0;
	struct gh_central *c;

	down_read(&h->caches_sem);
	gh_for_each_central(c, h)
		if (c->cache)
			cache_bytes += slot_room(c, cpu, mags);
		else
			bytes += slot_room(c, cpu, mags);
	up_read(&h->caches_sem);
	cache_bytes += atomic_long_read(&mcache->returned);
	if (bytes != mcache->bytes || cache_bytes != mcache->cache_bytes)
		step_wrong("a CPU has room of %ld + %ld bytes, and pays for %ld + %ld",
			   bytes, cache_bytes, mcache->bytes, mcache->cache_bytes);
	if (mcache->tiny.busy.held)
		step_wrong("a CPU's tiny block is left busy");
	verify_large(&mcache->large);
}

static void verify_mags(struct gh_heap *h, unsigned long mags)
{
	unsigned long inuse = 0;
	unsigned int i;

	for (i = 0; i < GH_NUM_MAGS; i++)
		inuse += h->mags[i].inuse;
	for (i = 0; i < GH_NUM_CENTRALS; i++)
		mags += gh_central_batches(&h->central[i]);
	mags += gh_central_batches(&step_cache->central);
	if (inuse != mags)
		step_wrong("%lu magazines are in use, and %lu are handed out", mags,
			   inuse);
}

/* ---- statistics --------------------------------------------------------- */

/**
 * struct sums - what the statistics are made of, but for what mcentrals count
 * @tiny: tiny objects, allocated less freed
 * @large: large objects, likewise
 * @large_bytes: their bytes
 * @stack_pages: pages of spans of stack blocks
 * @pages: pages of all spans in use
 * @bad: frees that were refused
 */
struct sums {
	long tiny;
	long large;
	long large_bytes;
	long stack_pages;
	long pages;
	long bad;
};

static struct sums base;

static void sum_cpu(struct gh_heap *h, unsigned int cpu, struct sums *sum)
{
	const struct gh_mcache *mcache = per_cpu_ptr(h->mcache, cpu);
	const struct gh_large *l = &mcache->large;
	unsigned int i;

	sum->tiny += mcache->tiny.allocs - mcache->tiny.frees;
	sum->large += l->nallocs - l->nfrees;
	for (i = 0; i < 2; i++) {
		const struct gh_slot *slot = per_cpu_ptr(h->central[i].slots, cpu);

		sum->large += slot->carved - slot->released;
	}
	sum->large_bytes += l->alloc_bytes + l->other_alloc_bytes -
			    l->free_bytes - l->other_free_bytes;
}

static void sum_up(struct gh_heap *h, struct sums *sum)
{
	unsigned int i;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu)
		sum_cpu(h, cpu, sum);
	sum->stack_pages = step_pages_stack();
	sum->pages = gh_mheap_inuse(h);
	for (i = 0; i < GOHEAP_NR_BAD; i++)
		sum->bad += gh_report_count(i);
}

static void must_be(const char *what, long now, long right)
{
	if (now != right)
		step_wrong("%s: %ld, not %ld", what, now, right);
}

/* Objects of an mcentral that somebody holds; those of others have none. */
static unsigned long nr_held(const struct gh_central *c)
{
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < step_mine.n; i++)
		n += step_mine.obj[i].kind->c == c;
	for (i = 0; i < step_theirs.n; i++)
		n += step_theirs.obj[i].kind->c == c;
	return n;
}

static unsigned long nr_large(void)
{
	const struct step_kind *large = &step_kinds[STEP_LARGE];
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < step_mine.n; i++)
		n += step_mine.obj[i].kind == large;
	for (i = 0; i < step_theirs.n; i++)
		n += step_theirs.obj[i].kind == large;
	return n;
}

static void verify_sums(struct gh_heap *h)
{
	unsigned long large = nr_large();
	struct sums now;

	sum_up(h, &now);
	must_be("tiny objects", now.tiny,
		base.tiny + nr_held(&h->central[GH_CENTRAL_TINY]));
	must_be("large objects", now.large, base.large + large);
	must_be("bytes of large objects", now.large_bytes,
		base.large_bytes + large * step_kinds[STEP_LARGE].size);
	must_be("frees refused", now.bad, base.bad + step_refused);
	base.bad = now.bad;
	step_refused = 0;
}

/* Nothing is held any more, neither by callers nor by CPUs. */
static void verify_empty(struct gh_heap *h)
{
	struct sums now;
	unsigned int i;

	sum_up(h, &now);
	must_be("tiny objects left", now.tiny, base.tiny);
	must_be("large objects left", now.large, base.large);
	must_be("bytes of large objects left", now.large_bytes,
		base.large_bytes);
	must_be("pages of stack blocks left", now.stack_pages,
		base.stack_pages);
	must_be("pages left", now.pages, base.pages);
	for (i = 0; i < NR_CENTRALS; i++)
		must_be(central_nr(i)->name,
			atomic_long_read(&central_nr(i)->nspans), base_spans[i]);
}

/* ---- all of it ---------------------------------------------------------- */

/**
 * step_drain_cpu() - empty a CPU's caches
 * @cpu: this CPU, with preemption off, or one that nobody uses
 *
 * Context: process context.
 */
void step_drain_cpu(unsigned int cpu)
{
	unsigned int i;

	gh_tiny_drain(gh_kheap, cpu);
	gh_large_drain(gh_kheap, cpu);
	for (i = 0; i < NR_CENTRALS; i++)
		if (gh_slot_holds(central_nr(i), cpu))
			gh_slot_drain(central_nr(i), cpu);
}

/**
 * step_drain() - empty the caches that paths and actions use
 *
 * Context: process context on the home CPU.
 */
void step_drain(void)
{
	unsigned int i;

	preempt_disable();
	if (step_away != step_home)
		step_drain_cpu(step_away);
	if (step_idle != step_home)
		step_drain_cpu(step_idle);
	/* Last: the blocks of the others' tiny objects came here. */
	step_drain_cpu(step_home);
	preempt_enable();
	for (i = 0; i < NR_CENTRALS; i++)
		if (gh_central_batches(central_nr(i)))
			gh_central_drain(central_nr(i));
}

/**
 * step_base_take() - note what the heap holds when nobody uses it
 *
 * Context: process context, may sleep.
 */
void step_base_take(void)
{
	unsigned int i;

	rcu_barrier();
	goheap_shrink();
	sum_up(gh_kheap, &base);
	goheap_get_stats(&base_stats);
	for (i = 0; i < NR_CENTRALS; i++) {
		base_spans[i] = atomic_long_read(&central_nr(i)->nspans);
		base_alloc[i] = base_spans[i] ? verify_central(central_nr(i)) : 0;
	}
}

/**
 * step_verify() - verify the heap, free all objects, and verify that it is empty
 *
 * Context: process context on the home CPU; nobody else uses the heap.
 */
void step_verify(void)
{
	unsigned long mags = 0;
	unsigned int i;
	int cpu;

	step_check_held(&step_mine);
	step_check_held(&step_theirs);
	for (i = 0; i < NR_CENTRALS; i++) {
		struct gh_central *c = central_nr(i);
		unsigned long n;

		if (!atomic_long_read(&c->nspans))
			continue;
		n = verify_central(c);
		/* Of tiny ones, the blocks are counted. */
		if (!c->shape.tiny && n != base_alloc[i] + nr_held(c))
			step_wrong("%lu objects of %s are allocated, %lu held", n,
				   c->name, base_alloc[i] + nr_held(c));
	}
	for_each_possible_cpu(cpu)
		verify_cpu(gh_kheap, cpu, &mags);
	verify_mags(gh_kheap, mags);
	verify_sums(gh_kheap);
	step_pages_verify();

	step_put_all(&step_mine);
	step_put_all(&step_theirs);
	step_drain();
	verify_empty(gh_kheap);
}

/**
 * step_verify_all() - verify, after many executions, what takes longer
 *
 * Context: process context; nobody else uses the heap.
 */
void step_verify_all(void)
{
	struct goheap_stats now;

	step_pages_verify_all();
	goheap_get_stats(&now);
	must_be("objects", now.objects, base_stats.objects);
	must_be("heap_alloc", now.heap_alloc, base_stats.heap_alloc);
	must_be("stack_inuse", now.stack_inuse, base_stats.stack_inuse);
	must_be("cached", now.cached, base_stats.cached);
	must_be("spans_inuse", now.spans_inuse, base_stats.spans_inuse);
	must_be("pages_inuse", now.pages_inuse, base_stats.pages_inuse);
	if (now.heap_alloc > now.heap_inuse || now.stack_inuse > now.stack_sys ||
	    now.heap_released > now.heap_idle ||
	    now.heap_alloc != now.total_alloc - now.total_freed ||
	    now.objects != now.mallocs - now.frees)
		step_wrong("the statistics contradict themselves");
}
