// SPDX-License-Identifier: GPL-2.0-only
/*
 * malloc: the goheap_alloc() family.
 *
 *   size        path
 *   0           ZERO_SIZE_PTR
 *   1..15       tiny, for data objects only, not those of 8 bytes
 *   ..32768     small: the CPU's slot of the span class
 *   more        large: a span of its own
 *
 * A free finds the span by address, and the object's state byte in it. What
 * does not fit is refused before anything is changed.
 *
 * Names used here: p is an object, s its span, c its mcentral.
 */
#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include <linux/goheap.h>

#include "compat.h"
#include "gfp.h"
#include "large.h"
#include "malloc.h"
#include "mcache.h"
#include "tiny.h"

/* This CPU's slots of gh_kheap for objects of its home, one for each mcentral. */
static DEFINE_PER_CPU(struct gh_slot *, kslots);

/**
 * gh_malloc_init() - choose the heap that kernel modules are served from
 * @h: the heap
 */
void __init gh_malloc_init(struct gh_heap *h)
{
	int cpu;

	cpus_read_lock();
	gh_kheap = h;
	for_each_possible_cpu(cpu)
		gh_malloc_set_cpu(cpu);
	cpus_read_unlock();
}

/**
 * gh_malloc_set_cpu() - lead a CPU to its slots of gh_kheap
 * @cpu: the CPU, on which nothing runs yet
 *
 * Context: any.
 */
void gh_malloc_set_cpu(unsigned int cpu)
{
	per_cpu(kslots, cpu) =
		per_cpu_ptr(gh_kheap->slots[per_cpu(gh_cpu_home, cpu)], cpu);
}

/* ---- allocation --------------------------------------------------------- */

static __always_inline void *small_alloc(struct gh_heap *h, size_t size,
					 gfp_t gfp, bool noscan, int node)
{
	unsigned int class = gh_size_to_class(size);
	struct gh_central *c = &h->central[gh_make_spanclass(class, noscan)];

	if (want_init_on_alloc(gfp))
		return gh_slot_alloc_node(c, gfp, node, c->shape.elemsize);
	return gh_slot_alloc_node(c, gfp, node, 0);
}

static void *tiny_alloc(struct gh_heap *h, size_t size, gfp_t gfp)
{
	void *p = gh_tiny_alloc(h, size, gfp);

	if (p && want_init_on_alloc(gfp))
		memset(p, 0, size);
	return p;
}

/* Inline, because for kernel modules the heap and the node are constants. */
static __always_inline void *heap_malloc(struct gh_heap *h, size_t size,
					 gfp_t gfp, bool noscan, int node)
{
	gh_gfp_might_alloc(gfp);
	if (unlikely(gh_gfp_refused(gfp)))
		return NULL;
	if (unlikely(!size))
		return ZERO_SIZE_PTR;
	if (noscan && gh_size_is_tiny(size) && node == NUMA_NO_NODE &&
	    !(gfp & __GFP_THISNODE))
		return tiny_alloc(h, size, gfp);
	if (likely(size <= GH_MAX_SMALL))
		return small_alloc(h, size, gfp, noscan, node);
	return gh_large_alloc(h, size, gfp, noscan, node);
}

/**
 * gh_malloc() - allocate from a heap
 * @h: the heap
 * @size: bytes
 * @gfp: allocation flags
 * @noscan: the object will hold no pointers
 * @node: NUMA node or NUMA_NO_NODE
 *
 * Context: as goheap_alloc().
 * Return: as goheap_alloc().
 */
void *gh_malloc(struct gh_heap *h, size_t size, gfp_t gfp, bool noscan,
		int node)
{
	return heap_malloc(h, size, gfp, noscan, node);
}
GH_EXPORT_FOR_TESTS(gh_malloc);

/* Serve what the fast path cannot: a miss, or what gh_gfp_special() names. */
static noinline void *malloc_slow(size_t size, gfp_t gfp, bool noscan)
{
	return heap_malloc(gh_kheap, size, gfp, noscan, NUMA_NO_NODE);
}

/* Size 0 has class 0, which has no magazine, so it takes the slow path. */
static __always_inline void *malloc_fast(size_t size, gfp_t gfp, bool noscan)
{
	unsigned long class;
	void *p;
	bool ok;

	gh_gfp_might_alloc(gfp);
	if (gh_gfp_special(gfp))
		goto slow;
	if (likely(size <= GH_STEP8_MAX))
		class = gh_step8_class(size);
	else if (likely(size <= GH_MAX_SMALL))
		class = gh_step128_class(size);
	else
		goto slow;
	preempt_disable();
	ok = gh_slot_pop(__this_cpu_read(kslots) + 2 * class + noscan, &p);
	preempt_enable();
	if (likely(ok))
		return p;
slow:
	return malloc_slow(size, gfp, noscan);
}

/*
 * notrace, here and wherever there is a fast path, because a function that can
 * be traced begins with a no-op, which a pair of calls would execute twice. So
 * the function tracer, fentry programs and kprobe events do not see these
 * functions; they do see malloc_slow(), free_slow() and the slow paths of
 * mcache.c.
 */

/**
 * goheap_alloc() - allocate memory
 * @size: bytes
 * @gfp: allocation flags
 *
 * Up to 1 GiB and more, if the machine has it; always virtually contiguous.
 * As with vmalloc(), no object of any size is in the kernel's linear mapping,
 * and physically it is contiguous within a PAGE_SIZE page only: not for
 * virt_to_page(), virt_to_phys(), sg_init_one() or dma_map_single(), but for
 * vmalloc_to_page(), page by page.
 *
 * Context: any in which @gfp may be used; see DOC: Contexts.
 * Return: the object, see DOC: Alignment; ZERO_SIZE_PTR for size 0; NULL if
 * memory is short or @gfp cannot be served.
 */
void notrace *goheap_alloc(size_t size, gfp_t gfp)
{
	return malloc_fast(size, gfp, false);
}
EXPORT_SYMBOL_GPL(goheap_alloc);

/**
 * goheap_alloc_data() - allocate memory that will hold no pointers
 * @size: bytes
 * @gfp: allocation flags
 *
 * Data objects never share a span with others, so that an overrun of a buffer
 * does not reach pointers.
 *
 * Context: as goheap_alloc().
 * Return: as goheap_alloc().
 */
void notrace *goheap_alloc_data(size_t size, gfp_t gfp)
{
	if (unlikely(gh_size_is_tiny(size)))
		return malloc_slow(size, gfp, true);
	return malloc_fast(size, gfp, true);
}
EXPORT_SYMBOL_GPL(goheap_alloc_data);

/**
 * goheap_alloc_node() - allocate memory of a NUMA node
 * @size: bytes
 * @gfp: allocation flags; with __GFP_THISNODE from no other node
 * @node: the node, or NUMA_NO_NODE for the nearest
 *
 * Context: as goheap_alloc().
 * Return: as goheap_alloc(); NULL for a node that does not exist.
 */
void *goheap_alloc_node(size_t size, gfp_t gfp, int node)
{
	if (unlikely(gh_gfp_node_refused(node)))
		return NULL;
	return gh_malloc(gh_kheap, size, gfp, false, node);
}
EXPORT_SYMBOL_GPL(goheap_alloc_node);

/* ---- free --------------------------------------------------------------- */

/* Whether a span's objects are of the goheap_alloc() family. */
static bool span_is_malloc(const struct gh_span *s)
{
	u8 state = gh_span_state(s);

	return state == GH_SPAN_LARGE ||
	       (state == GH_SPAN_OBJECTS && !s->central->cache);
}

/* What a free in the slow path found. */
enum found {
	FOUND_NONE,	/* nothing that may be freed here */
	FOUND_TINY,	/* a tiny object, which is free now */
	FOUND_SMALL,	/* an object of a span class, which is marked free */
	FOUND_LARGE,	/* a large object, which is marked free */
};

static enum found small_claim(struct gh_span *s, void *p, u8 **state)
{
	struct gh_central *c = READ_ONCE(s->central);

	/* Pairs with leak_span(): with the new owner, the new state is seen. */
	smp_rmb();
	if (unlikely(c->cache || READ_ONCE(s->state) != GH_SPAN_OBJECTS))
		return FOUND_NONE;
	if (s->tiny)
		return gh_tiny_free(s, (unsigned long)p) ? FOUND_TINY :
							   FOUND_NONE;
	if (unlikely(!gh_slot_find(s, s->nmalloc, p, state) ||
		     !gh_obj_claim(*state)))
		return FOUND_NONE;
	return FOUND_SMALL;
}

/* Mark an object free, if there is one at @p. In an RCU read section. */
static enum found free_claim(struct gh_span *s, void *p, u8 **state)
{
	switch (gh_span_state(s)) {
	case GH_SPAN_OBJECTS:
		return small_claim(s, p, state);
	case GH_SPAN_LARGE:
		if ((unsigned long)p == s->base && gh_large_release(s))
			return FOUND_LARGE;
	}
	return FOUND_NONE;
}

/* Free an object that was marked free. In the RCU read section of that. */
static void small_put(struct gh_span *s, void *p, u8 *state)
{
	if (want_init_on_free())
		memset(p, 0, s->elemsize);
	gh_slot_put(s, p, state);
}

/* Nobody else can have a span that was marked free. */
static void large_put(struct gh_span *s, void *p)
{
	if (want_init_on_free())
		memset(p, 0, s->elemsize);
	gh_large_put(s);
}

/* Slow path of a free: look the span up in the index, or report a bad free. */
static noinline void free_slow(void *p)
{
	enum goheap_bad_free kind = GOHEAP_BAD_WILD;
	enum found found = FOUND_NONE;
	struct gh_span *s;
	u8 *state = NULL;

	if (unlikely(ZERO_OR_NULL_PTR(p)))
		return;

	rcu_read_lock();
	s = gh_span_of((unsigned long)p);
	if (likely(s))
		found = free_claim(s, p, &state);
	if (likely(found == FOUND_SMALL))
		small_put(s, p, state);
	if (unlikely(!found))
		kind = gh_bad_kind(s, (unsigned long)p, s && span_is_malloc(s));
	rcu_read_unlock();

	if (found == FOUND_LARGE)
		large_put(s, p);
	if (unlikely(!found))
		gh_report_bad_free(p, kind, NULL);
}

/**
 * goheap_free() - free memory
 * @p: what a function of the goheap_alloc() family returned, or NULL
 *
 * A pointer that is no such object (not goheap's, inside an object, freed
 * already, of a cache) is refused, counted and reported, and nothing is
 * changed.
 *
 * Context: any; see DOC: Contexts.
 */
void notrace goheap_free(const void *p)
{
	struct gh_central *c;
	struct gh_span *s;
	u8 *state;

	if (unlikely(want_init_on_free()))
		goto slow;

	/* The RCU read section of the lookup, see span_withdraw(). */
	preempt_disable();
	s = gh_span_guess((unsigned long)p);
	if (unlikely(!gh_slot_find(s, s->nmalloc, p, &state) ||
		     !gh_obj_claim(state))) {
		preempt_enable();
		goto slow;
	}
	if (likely(gh_slot_push(s->slots, (void *)p, state))) {
		preempt_enable();
		return;
	}
	c = s->central;
	preempt_enable();
	gh_slot_free_slow(c, (void *)p, state);
	return;

slow:
	free_slow((void *)p);
}
EXPORT_SYMBOL_GPL(goheap_free);

/*
 * Bytes of the allocated object at an address, or 0; of one that waits for a grace period
 * only if @waiting. In an RCU read section.
 */
static size_t span_usable_size(const struct gh_span *s, unsigned long addr, bool waiting)
{
	u8 state = gh_span_state(s), obj;
	unsigned int idx;

	if (state == GH_SPAN_DEAD || state == GH_SPAN_LOST)
		return 0;
	if (s->tiny)
		return gh_tiny_size(s, addr);
	if (!gh_span_find(s, addr, &idx))
		return 0;
	/* Readers may ask for the size while it is given to RCU. */
	obj = READ_ONCE(s->objstate[idx]);
	return obj == GH_OBJ_ALLOC || (waiting && obj == GH_OBJ_RCU) ? s->elemsize : 0;
}

/* Bytes of an object of the goheap_alloc() family, or 0; and if it is data. */
static size_t malloc_size(const void *p, bool *noscan)
{
	size_t size = 0;
	struct gh_span *s;

	rcu_read_lock();
	s = gh_span_of((unsigned long)p);
	if (s && span_is_malloc(s)) {
		size = span_usable_size(s, (unsigned long)p, false);
		*noscan = s->noscan;
	}
	rcu_read_unlock();
	return size;
}

/**
 * goheap_usable_size() - size of an object as allocated
 * @p: an object of goheap_alloc() or of a cache, or NULL
 *
 * For information. The compiler knows the size that was asked for, and with
 * CONFIG_FORTIFY_SOURCE a write to what is behind it panics. To use it all, ask for it:
 * goheap_realloc() to this size stays in place. Nor is what is behind it zeroed in
 * objects of caches.
 *
 * Context: any.
 * Return: bytes, at least as many as were asked for; 0 for what is not an
 * allocated object.
 */
size_t goheap_usable_size(const void *p)
{
	struct gh_span *s;
	size_t size = 0;

	if (ZERO_OR_NULL_PTR(p))
		return 0;

	rcu_read_lock();
	s = gh_span_of((unsigned long)p);
	if (s)
		size = span_usable_size(s, (unsigned long)p, true);
	rcu_read_unlock();
	return size;
}
EXPORT_SYMBOL_GPL(goheap_usable_size);

/**
 * goheap_owns() - ask whether an address is in a goheap object's memory
 * @p: any value
 *
 * Context: any.
 * Return: true if it is in a span in use, even if the object there is free.
 */
bool goheap_owns(const void *p)
{
	struct gh_span *s;
	bool owns;

	rcu_read_lock();
	s = gh_span_of((unsigned long)p);
	owns = s && gh_span_state(s) != GH_SPAN_DEAD;
	rcu_read_unlock();
	return owns;
}
EXPORT_SYMBOL_GPL(goheap_owns);

/**
 * goheap_free_sensitive() - overwrite an object with zeros, then free it
 * @p: the object, or NULL
 *
 * Context: as goheap_free().
 */
void goheap_free_sensitive(void *p)
{
	bool noscan;
	size_t size = malloc_size(p, &noscan);

	if (size)
		memzero_explicit(p, size);
	goheap_free(p);
}
EXPORT_SYMBOL_GPL(goheap_free_sensitive);

/* An object that shrinks stays in place unless half of it would be wasted. */
static bool realloc_fits(size_t have, size_t size)
{
	return size <= have && (size > have / 2 || have <= 2 * GH_MIN_OBJ);
}

/**
 * goheap_realloc() - change the size of an object
 * @p: the object, or NULL to allocate
 * @size: new size in bytes; 0 frees the object
 * @gfp: allocation flags, which are looked at only if the object moves; __GFP_ZERO does
 *	not zero what is added
 *
 * Contents are kept up to the smaller of the two sizes. A data object remains
 * one. On failure the old object is unchanged. To shrink cannot fail: the object
 * moves if at least half of it can be saved, and stays where it is if there is no
 * memory to move it to.
 *
 * Context: as goheap_alloc().
 * Return: the object, which may have moved; ZERO_SIZE_PTR for size 0; or NULL.
 */
void *goheap_realloc(void *p, size_t size, gfp_t gfp)
{
	bool noscan;
	size_t have;
	void *new;

	if (ZERO_OR_NULL_PTR(p))
		return goheap_alloc(size, gfp);
	if (!size) {
		goheap_free(p);
		return ZERO_SIZE_PTR;
	}

	gh_gfp_might_alloc(gfp);
	have = malloc_size(p, &noscan);
	if (unlikely(!have)) {
		/* The free is refused, and its report says why. */
		goheap_free(p);
		return NULL;
	}
	if (realloc_fits(have, size))
		return p;

	if (size < have)
		gfp |= __GFP_NOWARN;
	new = gh_malloc(gh_kheap, size, gfp, noscan, NUMA_NO_NODE);
	if (!new)
		return size < have ? p : NULL;

	memcpy(new, p, min(have, size));
	goheap_free(p);
	return new;
}
EXPORT_SYMBOL_GPL(goheap_realloc);

/* ---- bulk --------------------------------------------------------------- */

/* Returns how many objects of a span class there was memory for. */
static unsigned int small_alloc_bulk(size_t size, gfp_t gfp, unsigned int n,
				     void **p)
{
	unsigned int sc = gh_make_spanclass(gh_size_to_class(size), false);
	struct gh_central *c = &gh_kheap->central[sc];

	gh_gfp_might_alloc(gfp);
	if (unlikely(gh_gfp_refused(gfp)))
		return 0;
	return gh_slot_alloc_bulk(c, gfp, n, p,
				  want_init_on_alloc(gfp) ? c->shape.elemsize : 0);
}

static unsigned int other_alloc_bulk(size_t size, gfp_t gfp, unsigned int n,
				     void **p)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		p[i] = malloc_slow(size, gfp, false);
		if (!p[i])
			break;
	}
	return i;
}

/**
 * goheap_alloc_bulk() - allocate many objects of one size
 * @size: bytes of each
 * @gfp: allocation flags
 * @n: how many
 * @p: where they go
 *
 * Context: as goheap_alloc().
 * Return: @n; or 0 if there was no memory for all, and then @p is undefined.
 */
unsigned int goheap_alloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **p)
{
	unsigned int got;

	if (likely(size && size <= GH_MAX_SMALL))
		got = small_alloc_bulk(size, gfp, n, p);
	else
		got = other_alloc_bulk(size, gfp, n, p);
	if (likely(got == n))
		return n;

	goheap_free_bulk(got, p);
	return 0;
}
EXPORT_SYMBOL_GPL(goheap_alloc_bulk);

/**
 * goheap_free_bulk() - free many objects
 * @n: how many
 * @p: the objects, of any sizes; NULL is skipped
 *
 * Context: as goheap_free().
 */
void goheap_free_bulk(unsigned int n, void **p)
{
	while (n) {
		unsigned int done = 0;
		struct gh_span *s;

		preempt_disable();
		s = gh_span_guess((unsigned long)*p);
		if (likely(s->nmalloc) && !want_init_on_free())
			done = gh_slot_free_bulk(s->slots, n, p);
		preempt_enable();
		n -= done;
		p += done;
		if (!n)
			break;

		/* This one is of another size, or is for the slow path. */
		goheap_free(*p++);
		n--;
	}
}
EXPORT_SYMBOL_GPL(goheap_free_bulk);

/* ---- memory pools ------------------------------------------------------- */

/**
 * goheap_mempool_alloc() - a mempool's allocation function
 * @gfp: allocation flags
 * @size: bytes of an element, as the pool's data
 *
 * A pool asks without waiting first, so one of elements of more than GOHEAP_ATOMIC_MAX
 * bytes uses up what it keeps before it waits for memory.
 *
 * Context: as goheap_alloc().
 * Return: an object or NULL.
 */
void *goheap_mempool_alloc(gfp_t gfp, void *size)
{
	return goheap_alloc((size_t)size, gfp);
}
EXPORT_SYMBOL_GPL(goheap_mempool_alloc);

/**
 * goheap_mempool_free() - a mempool's free function
 * @element: the object
 * @size: not used
 *
 * Context: as goheap_free().
 */
void goheap_mempool_free(void *element, void *size)
{
	goheap_free(element);
}
EXPORT_SYMBOL_GPL(goheap_mempool_free);
