/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mcentral: all spans of one span class or object cache, and whole batches of
 * their objects that move from CPU to CPU.
 */
#ifndef _GOHEAP_MCENTRAL_H
#define _GOHEAP_MCENTRAL_H

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "mheap.h"
#include "slot.h"

/*
 * The heap's own mcentrals: of the 136 span classes, of which the two of class
 * 0 (large objects) have counters but no spans; of tiny blocks; of stack
 * blocks.
 */
#define GH_CENTRAL_TINY		GH_NUM_SPANCLASSES
#define GH_CENTRAL_STACK	(GH_CENTRAL_TINY + 1)
#define GH_NUM_CENTRALS		(GH_CENTRAL_STACK + GH_STACK_ORDERS)

#define GH_NAME_LEN		32

/* Batches: clamp(64 KiB / size, 2, 128) objects. */
#define GH_BATCH_BYTES		65536UL
#define GH_BATCH_MIN		2
#define GH_BATCH_MAX		128

/* Transfer caches: bounds on the batches of each, and on the bytes of all. */
#define GH_TC_INITIAL		16
#define GH_TC_MAX		64
#define GH_TC_BYTES		1048576UL

/*
 * Objects of more bytes than this are not held by CPUs, because the bound on
 * what a CPU holds is no more than a few of them. Their spans are held by the
 * node.
 */
#define GH_MAX_CACHED		131072

/* Flags of a gh_central. */
#define GH_CENTRAL_DIRECT	BIT(0)	/* CPUs hold none of its objects */

/**
 * struct gh_span_sets - the spans of one span class and NUMA node
 * @partial: those with free places
 * @full: those without
 * @reserve: those with free places that are not for everybody
 *
 * Of each pair, [(sweepgen / 2) % 2] holds the swept spans and the other one
 * the spans that have freed bits to fold in.
 */
struct gh_span_sets {
	struct list_head partial[2];
	struct list_head full[2];
	struct list_head reserve[2];
};

/**
 * struct gh_home - what an mcentral has of one NUMA node
 * @link: in place of what fixalloc overwrites while readers may be looking
 * @slots: per-CPU caches of its objects
 * @central: the mcentral
 * @index: its index there, which is that of the NUMA node
 * @lock: protects what follows; interrupts off. In a line of its own, because every
 *	free to another node's slots reads what is above
 * @sweepgen: generation, a multiple of 2; a sweep cycle adds 2
 * @tc_n: batches in @tc
 * @tc_max: room in @tc; grows when a batch finds no room
 * @tc_low: lowest @tc_n since gh_central_age(): so many batches are idle
 * @tc: transfer cache: full magazines of @batch objects
 * @sets: spans
 * @carved: objects taken from spans under the lock, past the CPUs' caches
 * @released: objects freed to their spans
 *
 * Spans are in the home of their node; the last one has those with memory of any.
 *
 * Go has one sweepgen for the whole heap and changes it while the world is
 * stopped. Here nothing stops, so each home has its own, which changes under the
 * same lock as its sets.
 */
struct gh_home {
	unsigned long link;
	struct gh_slot __percpu *slots;
	struct gh_central *central;
	unsigned int index;

	raw_spinlock_t lock ____cacheline_aligned;
	u32 sweepgen;
	unsigned int tc_n;
	unsigned int tc_max;
	unsigned int tc_low;
	struct gh_ent *tc[GH_TC_MAX];
	struct gh_span_sets sets;
	unsigned long carved;
	unsigned long released;
};

/**
 * struct gh_central - all spans of one span class or object cache
 * @link: in place of what fixalloc overwrites, in the record of a cache, while
 *	readers may be looking
 * @slots: per-CPU caches of the first home; they have the counters of all
 * @shape: the layout of spans
 * @heap: the heap
 * @list: in the heap's list of mcentrals
 * @batch: objects of a batch; entries of a magazine
 * @mags: records of its magazines
 * @flags: GH_CENTRAL_*
 * @ctor: constructor of a cache's objects, or NULL
 * @cache: the object cache that it belongs to, or NULL for the heap's own
 * @home: spans and batches, by NUMA node
 * @nspans: number of spans, current spans of CPUs included
 * @name: for messages and listings
 */
struct gh_central {
	unsigned long link ____cacheline_aligned;
	struct gh_slot __percpu *slots;
	struct gh_shape shape;
	struct gh_heap *heap;
	struct list_head list;
	unsigned int batch;
	struct gh_fixalloc *mags;
	unsigned int flags;
	void (*ctor)(void *obj);
	void *cache;
	struct gh_home *home[GH_MAX_NUMA + 1];
	char name[GH_NAME_LEN];

	atomic_long_t nspans ____cacheline_aligned;
};

/* An object, whose index is known to be valid, and its state byte. */
static inline struct gh_ent gh_central_ent(struct gh_span *s, unsigned int idx)
{
	return (struct gh_ent){
		.obj = (void *)(s->base + idx * s->elemsize),
		.state = &s->objstate[idx],
	};
}

/* The caller has caches_sem, or is a work item that its holder waits for. */
static inline struct list_head *gh_central_list(struct gh_heap *h)
{
	lockdep_assert(rwsem_is_locked(&h->caches_sem));
	return &h->centrals;
}

/* @_i counts the homes of @_c. */
#define gh_for_each_home(_i, _c)					\
	for (_i = 0; _i < (_c)->heap->nr_homes; _i++)

/* What an mcentral has of a span's NUMA node, and this CPU's. */
static inline struct gh_home *gh_central_home_of(const struct gh_central *c,
						 const struct gh_span *s)
{
	return c->home[s->node->home];
}

static inline struct gh_home *gh_central_here(const struct gh_central *c)
{
	return c->home[this_cpu_read(gh_cpu_home)];
}

/* A CPU's slot for objects of its home. */
static inline struct gh_slot *gh_central_slot(const struct gh_central *c,
					      unsigned int cpu)
{
	return per_cpu_ptr(c->home[per_cpu(gh_cpu_home, cpu)]->slots, cpu);
}

/* Every mcentral of a heap: the heap's own, then those of its object caches. */
#define gh_for_each_central(c, h)					\
	list_for_each_entry(c, gh_central_list(h), list)

int gh_central_init(struct gh_central *c, struct gh_heap *h, const char *name,
		    const struct gh_shape *shape, unsigned int flags);
void gh_central_free(struct gh_central *c);
void gh_central_set_slots(struct gh_central *c, unsigned int index,
			  struct gh_slot __percpu *slots);
void gh_central_set_batch(struct gh_central *c, unsigned int batch);
void gh_central_drain(struct gh_central *c);

bool gh_home_trade_full(struct gh_home *home, struct gh_ent **mag);
struct gh_ent *gh_home_take_batch(struct gh_home *home);
bool gh_central_age(struct gh_central *c);
unsigned int gh_central_batches(const struct gh_central *c);

struct gh_span *gh_central_new_span(struct gh_central *c, gfp_t gfp, int nid);
bool gh_home_is_empty(const struct gh_home *home);
struct gh_span *gh_home_get_span(struct gh_home *home);
void gh_central_put_span(struct gh_central *c, struct gh_span *s);
bool gh_central_abandon(struct gh_central *c, struct gh_span *s);

bool gh_home_take_reserve(struct gh_home *home, struct gh_ent *ent);
bool gh_home_take(struct gh_home *home, struct gh_ent *ent);
void gh_central_release(struct gh_central *c, const struct gh_ent *ents,
			unsigned int n);
unsigned long gh_central_sweep(struct gh_central *c, unsigned long *bad);

#endif /* _GOHEAP_MCENTRAL_H */
