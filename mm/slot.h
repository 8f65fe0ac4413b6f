/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slot: a CPU's cache of one span class or object cache and NUMA node, and the fast
 * path.
 *
 * Lock: gh_slot.busy, see busy.h.
 */
#ifndef _GOHEAP_SLOT_H
#define _GOHEAP_SLOT_H

#include <linux/cache.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/types.h>

#include "busy.h"
#include "numa.h"
#include "span.h"

/**
 * struct gh_slot - a CPU's cache of one span class and NUMA node
 * @busy: guards what follows but @carved and @released
 * @idle: no allocation or free has used @spare since gh_slot_age()
 * @cap: objects that @mag has room for; grows with misses up to the batch
 * @nspare: objects in @spare, @cap at most
 * @misses: misses since @cap grew
 * @top: end of the objects in @mag
 * @mag: magazine: free objects, last in first out; NULL if @cap is 0
 * @end: end of the room in @mag
 * @spare: a second magazine, or NULL. Without it, a load that alternates about
 *	the end of the first would go to the mcentral each time.
 * @span: current span, or NULL
 * @carved: objects taken from spans
 * @released: objects freed past the mcentral (large objects)
 */
struct gh_slot {
	struct gh_busy busy;
	bool idle;
	u16 cap;
	u16 nspare;
	u16 misses;
	struct gh_ent *top;
	struct gh_ent *mag;
	struct gh_ent *end;
	struct gh_ent *spare;
	struct gh_span *span;
	unsigned long carved;
	unsigned long released;
} ____cacheline_aligned;

/*
 * In place of the slots of a span that the fast path must not free to. It has
 * no magazine, so every free goes to the slow path.
 */
DECLARE_PER_CPU(struct gh_slot, gh_no_slot);

/* What leads to this CPU's element of an array by NUMA node. */
DECLARE_PER_CPU(unsigned long, gh_home_offset);

void gh_slot_set_cpu(unsigned int cpu);

/* Objects in a slot's magazine. */
static inline unsigned int gh_slot_n(const struct gh_slot *slot)
{
	return slot->top - slot->mag;
}

/**
 * gh_slot_find() - look for an allocated object
 * @s: the span that it should be in
 * @nelems: how many objects that span has; @s->nmalloc or @s->ncache
 * @p: any value
 * @state: its state byte, if the result is true
 *
 * Context: any, in the RCU read section in which @s was found.
 * Return: true if @p is an allocated object of @s.
 */
static __always_inline bool gh_slot_find(const struct gh_span *s,
					 unsigned long nelems, const void *p,
					 u8 **state)
{
	u64 idx = gh_span_index(s, (unsigned long)p);

	if (unlikely(idx >= nelems))
		return false;
	*state = s->objstate + idx;
	return likely(**state == GH_OBJ_ALLOC);
}

/**
 * gh_home_slot() - this CPU's slot for objects of its home
 * @slots: the slots of a cache on each CPU: an array, by NUMA node
 *
 * Takes as many instructions as this_cpu_ptr() does.
 *
 * Context: preemption off.
 * Return: the slot.
 */
static __always_inline struct gh_slot *
gh_home_slot(struct gh_slot __percpu *slots)
{
	return (struct gh_slot *)((__force unsigned long)slots +
				  __this_cpu_read(gh_home_offset));
}

/**
 * gh_slot_pop() - take an object of a magazine
 * @slot: a slot of this CPU
 * @obj: the object
 *
 * Context: any, preemption off.
 * Return: false if the magazine cannot serve it.
 */
static __always_inline bool gh_slot_pop(struct gh_slot *slot, void **obj)
{
	if (likely(gh_busy_try(&slot->busy))) {
		if (likely(slot->top != slot->mag)) {
			*obj = slot->top[-1].obj;
			*slot->top[-1].state = GH_OBJ_ALLOC;
			/* Decrementing in memory takes one instruction less. */
			barrier();
			slot->top--;
			gh_busy_end(&slot->busy);
			return true;
		}
		gh_busy_end(&slot->busy);
	}
	return false;
}

/**
 * gh_slot_push() - put an object into this CPU's magazine
 * @slots: the per-CPU caches
 * @obj: the object
 * @state: its state byte
 *
 * Context: any, preemption off. The caller has it off since it looked for the
 * object, because that is its RCU read section.
 * Return: false if the magazine cannot take it.
 */
static __always_inline bool gh_slot_push(struct gh_slot __percpu *slots,
					 void *obj, u8 *state)
{
	struct gh_slot *slot = this_cpu_ptr(slots);

	if (likely(gh_busy_try(&slot->busy))) {
		struct gh_ent *top = slot->top;

		if (likely(top < slot->end)) {
			top->obj = obj;
			top->state = state;
			barrier();
			slot->top++;
			gh_busy_end(&slot->busy);
			return true;
		}
		gh_busy_end(&slot->busy);
	}
	return false;
}

#endif /* _GOHEAP_SLOT_H */
