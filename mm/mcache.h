/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mcache: what a CPU holds besides its slots, a tiny block and large objects; and
 * allocation and free by way of a slot.
 *
 * Lock: each structure's busy flag, see busy.h. Its counters are changed by
 * single instructions and read by anyone.
 */
#ifndef _GOHEAP_MCACHE_H
#define _GOHEAP_MCACHE_H

#include <linux/percpu.h>
#include <linux/topology.h>

#include "busy.h"
#include "mcentral.h"
#include "slot.h"

/**
 * struct gh_tiny - a CPU's tiny block
 * @busy: guards what follows but the counters
 * @off: bytes of the block that are handed out
 * @block: the block, or NULL
 * @word: its word, see tinyword.h
 * @allocs: tiny objects ever allocated
 * @seen: @allocs at the last gh_tiny_age()
 * @frees: tiny objects ever freed
 */
struct gh_tiny {
	struct gh_busy busy;
	u8 off;
	void *block;
	atomic_t *word;
	unsigned long allocs;
	unsigned long seen;
	unsigned long frees;
};

/* Bound on the free large objects that a CPU holds. */
#define GH_LARGE_HELD	8

/**
 * struct gh_large - a CPU's cache of large objects
 * @busy: guards what follows but @seen and the last two
 * @n: objects in @span
 * @span: spans of free objects, oldest first
 * @bytes: of all of them
 * @seen: @nallocs at the last gh_large_age()
 * @nallocs: objects ever allocated from here
 * @nfrees: objects ever freed to here
 * @alloc_bytes: bytes of those in @nallocs
 * @free_bytes: bytes of those in @nfrees
 * @other_alloc_bytes: bytes of large objects that were allocated past this
 *	cache
 * @other_free_bytes: bytes of large objects that were freed past it
 */
struct gh_large {
	struct gh_busy busy;
	u8 n;
	struct gh_span *span[GH_LARGE_HELD];
	unsigned long bytes;
	unsigned long seen;
	unsigned long nallocs;
	unsigned long nfrees;
	unsigned long alloc_bytes;
	unsigned long free_bytes;
	unsigned long other_alloc_bytes;
	unsigned long other_free_bytes;
};

/**
 * struct gh_host - which home serves for one that has no memory
 * @home: the index of that home, plus 1; or 0
 * @until: when to see whether there is memory again, in jiffies
 */
struct gh_host {
	u8 home;
	unsigned long until;
};

/**
 * struct gh_mcache - what a CPU holds
 * @bytes: room of the size classes' magazines; together with the bytes of large
 *	objects at most gh_percpu_bytes
 * @cache_bytes: room of object caches' magazines; at most gh_percpu_bytes
 * @returned: room of magazines that other CPUs freed, of @cache_bytes
 * @victim: the slot that room is taken from next
 * @ageing: the slot that gh_mcache_spill() looks at next
 * @heap: the heap
 * @age_work: frees what is idle here (reclaim.c)
 * @give_all: it should free all that is here
 * @host: by home, which other one the last new span was of, if any
 * @tiny: tiny block
 * @large: large objects
 */
struct gh_mcache {
	long bytes;
	long cache_bytes;
	atomic_long_t returned;
	unsigned int victim;
	unsigned int ageing;
	struct gh_heap *heap;
	struct work_struct age_work;
	unsigned int give_all;
	struct gh_host host[GH_MAX_NUMA];
	struct gh_tiny tiny;
	struct gh_large large;
};

extern unsigned long gh_percpu_bytes;

void gh_mcache_set_bound(unsigned long bytes);

void *gh_slot_alloc_slow(struct gh_central *c, gfp_t gfp, int nid, size_t zero);
void gh_slot_free_slow(struct gh_central *c, void *obj, u8 *state);
unsigned int gh_slot_alloc_bulk(struct gh_central *c, gfp_t gfp, unsigned int n,
				void **p, size_t zero);
unsigned int gh_slot_free_bulk(struct gh_slot __percpu *slots, unsigned int n,
			       void **p);
bool gh_slot_holds(const struct gh_central *c, unsigned int cpu);
void gh_slot_drain(struct gh_central *c, unsigned int cpu);
void gh_slot_drain_here(struct gh_central *c);
void gh_slot_age(struct gh_central *c);
void gh_mcache_spill(struct gh_heap *h);
bool gh_mcache_empty(const struct gh_heap *h, unsigned int cpu);
unsigned long gh_slot_cached(const struct gh_central *c);
unsigned long gh_slot_carved(const struct gh_central *c);
unsigned long gh_slot_released(const struct gh_central *c);

/**
 * gh_slot_alloc_node() - take an object of a span class or cache, from a node
 * @c: its mcentral
 * @gfp: for a miss
 * @nid: preferred NUMA node; with __GFP_THISNODE the only one
 * @zero: bytes to zero
 *
 * Context: any in which @gfp may be used; in NMI context nothing new is made.
 * Return: the object or NULL.
 */
static __always_inline void *gh_slot_alloc_node(struct gh_central *c, gfp_t gfp,
						int nid, size_t zero)
{
	void *obj;
	bool ok;

	if (nid != NUMA_NO_NODE &&
	    (gfp & __GFP_THISNODE ||
	     gh_numa_index(nid) != this_cpu_read(gh_cpu_home)))
		return gh_slot_alloc_slow(c, gfp, nid, zero);

	preempt_disable();
	ok = gh_slot_pop(this_cpu_ptr(gh_central_here(c)->slots), &obj);
	preempt_enable();
	if (unlikely(!ok))
		return gh_slot_alloc_slow(c, gfp, NUMA_NO_NODE, zero);
	if (zero)
		memset(obj, 0, zero);
	return obj;
}

/**
 * gh_slot_alloc() - take an object of a span class or cache
 * @c: its mcentral
 * @gfp: for a miss; nothing is zeroed
 *
 * Context: as gh_slot_alloc_node().
 * Return: the object or NULL.
 */
static __always_inline void *gh_slot_alloc(struct gh_central *c, gfp_t gfp)
{
	return gh_slot_alloc_node(c, gfp, NUMA_NO_NODE, 0);
}

/**
 * gh_slot_put() - free an object that was marked free
 * @s: its span
 * @obj: the object, which no other task can have
 * @state: its state byte, which says GH_OBJ_FREE
 *
 * Two racing frees of one object may both have marked it, and then nothing but the
 * RCU read section keeps the span.
 *
 * Context: any, in the RCU read section in which it was marked.
 */
static __always_inline void gh_slot_put(struct gh_span *s, void *obj,
					u8 *state)
{
	bool ok;

	preempt_disable();
	ok = gh_slot_push(s->slots, obj, state);
	preempt_enable();
	if (unlikely(!ok))
		gh_slot_free_slow(s->central, obj, state);
}

/**
 * gh_slot_free() - free an object to its span class or cache
 * @s: its span
 * @obj: the object, which the caller owns
 * @state: its state byte
 *
 * Context: any.
 */
static __always_inline void gh_slot_free(struct gh_span *s, void *obj,
					 u8 *state)
{
	*state = GH_OBJ_FREE;
	gh_slot_put(s, obj, state);
}

#endif /* _GOHEAP_MCACHE_H */
