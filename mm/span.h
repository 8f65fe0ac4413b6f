/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * span: a run of pages cut into equal objects.
 *
 * The life of an object's place in a span of @nelems places:
 *
 *   idx < freeindex   taken, unless its freed bit is set
 *   idx >= freeindex  free if its alloc bit is clear
 *
 * gh_span_carve() takes places in order of address. Only one user at a time may
 * do that: the CPU whose current span it is, under its slot's busy flag, or
 * the mcentral, under its lock. An object that is freed only sets its freed
 * bit, under the mcentral's lock, so that a CPU can go on carving meanwhile.
 * gh_span_sweep() then folds the freed bits in, as a garbage-collected heap
 * does with its mark bits.
 *
 * "Taken" does not mean that a caller has the object, because it may lie in a
 * magazine. The object's state byte says whether a caller has it, and is all
 * that a free in the fast path looks at.
 */
#ifndef _GOHEAP_SPAN_H
#define _GOHEAP_SPAN_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/percpu-defs.h>
#include <linux/types.h>
#include <asm/barrier.h>

#include "compat.h"
#include "divide.h"
#include "sizeclass.h"

struct gh_central;
struct gh_huge;
struct gh_node;
struct gh_slot;
struct gh_tinywords;

/*
 * What a span is, in gh_span.state. It is stored last and loaded first, so that
 * a reader who sees a state sees the fields that belong to it.
 */
enum gh_span_state {
	GH_SPAN_DEAD,		/* the record is free */
	GH_SPAN_OBJECTS,	/* objects of a span class or cache */
	GH_SPAN_LARGE,		/* one object */
	GH_SPAN_STACK,		/* stack blocks, or one large one */
	GH_SPAN_LEAKED,		/* still in use when its cache was destroyed */
	GH_SPAN_LOST,		/* somebody unmapped its memory */
};

/* Whether a caller has an object: its state byte. */
enum gh_obj_state {
	GH_OBJ_FREE,
	GH_OBJ_ALLOC,
	GH_OBJ_RCU,		/* is free after a grace period */
};

/*
 * Whether state bytes of small objects are exchanged, so that of two CPUs that free
 * one object at the same moment one is refused. That takes three instructions more (five
 * for a cache), one of them locked, so it is for those who look for such frees: with
 * GOHEAP_DEBUG=1, and in kernels that look for errors at any price.
 */
#if defined(GOHEAP_DEBUG) || defined(CONFIG_KASAN) || defined(CONFIG_PROVE_LOCKING)
#define GH_OBJ_EXCHANGE	1
#else
#define GH_OBJ_EXCHANGE	0
#endif

/**
 * gh_obj_claim() - mark an object free that was found allocated
 * @state: its state byte
 *
 * Context: any, in the RCU read section in which it was found.
 * Return: false if another CPU was quicker, where that can be known.
 */
static __always_inline bool gh_obj_claim(u8 *state)
{
	if (GH_OBJ_EXCHANGE)
		return gh_try_cmpxchg_byte(state, GH_OBJ_ALLOC, GH_OBJ_FREE);
	*state = GH_OBJ_FREE;
	return true;
}

/**
 * struct gh_ent - an object in a magazine
 * @obj: the object
 * @state: its state byte, so that the fast path need not find the span
 */
struct gh_ent {
	void *obj;
	u8 *state;
};

/**
 * struct gh_span - a run of pages cut into equal objects
 * @base: first address
 * @div: to divide by @elemsize
 * @objstate: state bytes
 * @central: the mcentral that it belongs to
 * @slots: per-CPU caches that its freed objects go to
 * @nmalloc: @nelems if goheap_free() may take the fast path, else 0
 * @ncache: @nelems if goheap_cache_free() may take the fast path, else 0
 * @state: &enum gh_span_state
 * @cached: a CPU's current span, and in no set
 * @needzero: the memory may hold old contents
 * @sweepgen: equal to the mcentral's: swept; 2 less: has freed bits to fold in
 * @elemsize: bytes of an object; of the whole run in a large span
 * @npages: heap pages
 * @list: in a set of its mcentral, or in a bin of the span cache
 * @dead: in the list of spans that a worker is to free, in place of @list
 * @alloc_cache: free places of the bitmap word that @freeindex is in
 * @alloc_bits: taken at the last sweep
 * @freed_bits: objects freed since then
 * @tiny: words of tiny blocks, see tinyword.h; or NULL
 * @node: the node that its pages are from
 * @page: index of the first page in @node; not of a huge span
 * @huge: the memory of a huge span, or NULL
 * @name: of its class or cache, for reports
 * @nelems: number of objects
 * @freeindex: places below it have been taken since the last sweep
 * @alloc_count: places taken; those in @freed_bits are still counted
 * @nfreed: number of @freed_bits
 * @guard: the page behind its own is a guard, which is not mapped
 * @guard_memory: memory that the guard keeps
 * @reserve: memory of the system's reserves, so it is for those who may use these
 * @large: holds one object and belongs to no set of a class or cache
 * @noscan: the objects hold no pointers
 * @inline_state: @objstate of a span of one object
 * @died: RCU cookie of the moment at which it went to the span cache
 * @inline_bits: @alloc_bits and @freed_bits of a span of one object
 *
 * What a free in the fast path looks at fills the first cache line.
 *
 * A caller that owns an object of a span may use the record, because the object
 * keeps the span alive. Every other caller must look a span up and use it in
 * one RCU read section. It finds the span, or the dead record of that span, but
 * not a record that is in use for another one; span_withdraw() has the
 * argument. In a dead record @nmalloc and @ncache are 0, @state is
 * GH_SPAN_DEAD, and all state bytes say "free". @base may have any value,
 * because a fixalloc overwrites the first word of a record.
 */
struct gh_span {
	unsigned long base;
	struct gh_divisor div;
	u8 *objstate;
	struct gh_central *central;
	struct gh_slot __percpu *slots;
	unsigned long nmalloc;
	unsigned long ncache;

	u8 state;
	bool cached;
	bool needzero;
	u32 sweepgen;
	size_t elemsize;
	unsigned long npages;
	union {
		struct list_head list;
		struct llist_node dead;
	};
	u64 alloc_cache;
	u64 *alloc_bits;
	u64 *freed_bits;
	struct gh_tinywords *tiny;
	struct gh_node *node;
	unsigned long page;
	struct gh_huge *huge;
	struct page *guard_memory;
	const char *name;
	u16 nelems;
	u16 freeindex;
	u16 alloc_count;
	u16 nfreed;
	bool guard;
	bool reserve;
	bool large;
	bool noscan;
	u8 inline_state;
	unsigned long died;
	u64 inline_bits[2];
};

static_assert(offsetof(struct gh_span, state) == 64);

/* In place of NULL where a pointer is followed unchecked. It has no objects. */
extern struct gh_span gh_no_span;

/* Bytes of the bitmaps and state bytes of a span of @nelems objects. */
static inline size_t gh_span_meta_bytes(unsigned int nelems)
{
	return 2 * sizeof(u64) * DIV_ROUND_UP(nelems, 64) + nelems;
}

/* State of a span that was found by address; its other fields belong to it. */
static inline u8 gh_span_state(const struct gh_span *s)
{
	/* Pairs with the release in span_publish(). */
	return smp_load_acquire(&s->state);
}

static inline bool gh_span_full(const struct gh_span *s)
{
	return s->freeindex >= s->nelems;
}

/**
 * gh_span_index() - which object starts at an address
 * @s: the span
 * @addr: any value
 *
 * Return: index of the object if it is less than @nelems; else none starts at
 * @addr.
 */
static __always_inline u64 gh_span_index(const struct gh_span *s,
					 unsigned long addr)
{
	return gh_divide(&s->div, addr - s->base);
}

/**
 * gh_span_find() - the object at an address
 * @s: the span that the address is in
 * @addr: the address
 * @idx: its index, valid if the result is true
 *
 * Return: true if @addr is the start of one of the span's objects.
 */
static inline bool gh_span_find(const struct gh_span *s, unsigned long addr,
				unsigned int *idx)
{
	u64 i = gh_span_index(s, addr);

	*idx = i;
	return i < s->nelems;
}

void gh_span_start(struct gh_span *s, void *meta);
unsigned int gh_span_carve(struct gh_span *s, struct gh_ent *ents,
			   unsigned int max);
bool gh_span_mark_freed(struct gh_span *s, unsigned int idx);
void gh_span_sweep(struct gh_span *s);
bool gh_span_verify(const struct gh_span *s);

#endif /* _GOHEAP_SPAN_H */
