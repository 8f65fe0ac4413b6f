// SPDX-License-Identifier: GPL-2.0-only
/*
 * cache: object caches, each with a span class of its own: exact object size,
 * no mixing with other types, and a list of what leaked when a cache is
 * destroyed.
 *
 * Names used here: cache is an object cache, c its mcentral, p an object, s its
 * span.
 */
#define pr_fmt(fmt) "goheap: " fmt

#include <linux/ctype.h>
#include <linux/cache.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>

#include "cache.h"
#include "compat.h"
#include "defer.h"
#include "gfp.h"
#include "mcache.h"
#include "reclaim.h"
#include "report.h"

#define CACHE_FLAGS	(GOHEAP_DATA | GOHEAP_HWCACHE_ALIGN)

/* Leaked objects named in the log. */
#define LEAKS_SHOWN	8

static int cache_check(const char *name, size_t size, size_t align,
		       unsigned int flags)
{
	if (!name || !*name || !size || size > GOHEAP_CACHE_MAX_SIZE)
		return -EINVAL;
	if (align && (!is_power_of_2(align) || align > GOHEAP_CACHE_MAX_ALIGN))
		return -EINVAL;
	return flags & ~CACHE_FLAGS ? -EINVAL : 0;
}

/* Lines of statistics are split at blanks, and logs are read by people. */
static void clean_name(char *s)
{
	for (; *s; s++)
		if (!isascii(*s) || !isgraph(*s))
			*s = '_';
}

/* One array of slots on each CPU, by NUMA node; see gh_home_slot(). */
static int cache_init_central(struct goheap_cache *cache, struct gh_heap *h,
			      const char *name, const struct gh_shape *shape)
{
	struct gh_slot __percpu *slots;
	unsigned int i;
	int err;

	err = gh_central_init(&cache->central, h, name, shape, 0);
	if (err)
		return err;
	slots = __alloc_percpu(h->nr_homes * sizeof(*slots),
			       __alignof__(*slots));
	if (!slots)
		return -ENOMEM;
	gh_for_each_home(i, &cache->central)
		gh_central_set_slots(&cache->central, i, slots + i);
	return 0;
}

/**
 * gh_cache_create() - make an object cache in a heap
 * @h: the heap
 * @name: see goheap_cache_create()
 * @size: see goheap_cache_create()
 * @align: see goheap_cache_create()
 * @flags: see goheap_cache_create()
 * @ctor: see goheap_cache_create()
 *
 * Context: process context, may sleep.
 * Return: the cache or ERR_PTR().
 */
struct goheap_cache *gh_cache_create(struct gh_heap *h, const char *name,
				     size_t size, size_t align,
				     unsigned int flags, void (*ctor)(void *))
{
	int err = cache_check(name, size, align, flags);
	struct goheap_cache *cache;
	struct gh_shape shape;

	if (err)
		return ERR_PTR(err);

	align = max_t(size_t, align, GH_MIN_OBJ);
	if (flags & GOHEAP_HWCACHE_ALIGN)
		align = max_t(size_t, align, cache_line_size());
	cache = gh_fixalloc_alloc(&h->caches_rec, GFP_KERNEL);
	if (!cache)
		return ERR_PTR(-ENOMEM);

	cache->size = size;
	cache->align = align;
	atomic_long_set(&cache->nrcu, 0);
	shape = gh_shape_objects(ALIGN(size, align), flags & GOHEAP_DATA);
	err = cache_init_central(cache, h, name, &shape);
	if (err) {
		gh_central_free(&cache->central);
		gh_fixalloc_free(&h->caches_rec, cache);
		return ERR_PTR(err);
	}
	clean_name(cache->central.name);
	cache->central.ctor = ctor;
	cache->central.cache = cache;

	down_write(&h->caches_sem);
	list_add_tail(&cache->central.list, &h->centrals);
	up_write(&h->caches_sem);
	return cache;
}
GH_EXPORT_FOR_TESTS(gh_cache_create);

/**
 * goheap_cache_create() - make an object cache
 * @name: for messages and /proc/goheapinfo; copied, at most 31 bytes of it, each
 *	that is not printable ASCII, or is a space, as an underscore
 * @size: object size in bytes, 1 to GOHEAP_CACHE_MAX_SIZE
 * @align: alignment in bytes, a power of two up to GOHEAP_CACHE_MAX_ALIGN, or
 *	0 for 8
 * @flags: GOHEAP_DATA, GOHEAP_HWCACHE_ALIGN
 * @ctor: constructor or NULL. It is called for each object when its memory is
 *	taken from the heap, in the context of that allocation, and again if the
 *	object is freed in NMI context. Objects must be freed in the state that
 *	it leaves them in.
 *
 * goheap cannot be unloaded while a cache exists.
 *
 * Context: process context, may sleep.
 * Return: the cache, or ERR_PTR() of -EINVAL for a bad argument, of -ENOMEM, or
 * of -ENODEV when goheap is being unloaded.
 */
struct goheap_cache *goheap_cache_create(const char *name, size_t size,
					 size_t align, unsigned int flags,
					 void (*ctor)(void *))
{
	struct goheap_cache *cache;

	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	cache = gh_cache_create(gh_kheap, name, size, align, flags, ctor);
	if (IS_ERR(cache))
		module_put(THIS_MODULE);
	return cache;
}
EXPORT_SYMBOL_GPL(goheap_cache_create);

/* ---- the end of a cache ------------------------------------------------- */

/**
 * struct leak_list - objects that are in use when their cache is destroyed
 * @central: the cache's mcentral
 * @count: how many there are
 */
struct leak_list {
	struct gh_central *central;
	unsigned long count;
};

static void leak_add(struct leak_list *leaks, struct gh_span *s,
		     unsigned int idx)
{
	if (s->objstate[idx] == GH_OBJ_FREE)
		return;
	if (!leaks->count)
		pr_warn("cache leak: %s is destroyed with live objects\n",
			leaks->central->name);
	if (leaks->count++ < LEAKS_SHOWN)
		pr_warn("  object %p\n",
			(void *)(s->base + idx * s->elemsize));
}

/* Detach a span from its cache, whose record is about to be freed. */
static void leak_span(struct gh_span *s, void *arg)
{
	struct leak_list *leaks = arg;
	unsigned int idx;

	if (s->central != leaks->central)
		return;

	/* Objects whose memory is gone were said to be lost when it went. */
	for (idx = 0; s->state != GH_SPAN_LOST && idx < s->nelems; idx++)
		leak_add(leaks, s, idx);

	list_del_init(&s->list);
	WRITE_ONCE(s->ncache, 0);
	WRITE_ONCE(s->slots, &gh_no_slot);
	WRITE_ONCE(s->name, s->central->heap->central[0].name);
	if (s->state != GH_SPAN_LOST)
		WRITE_ONCE(s->state, GH_SPAN_LEAKED);
	/* A free that sees the new owner must see the state; small_free(). */
	smp_wmb();
	WRITE_ONCE(s->central, &s->central->heap->central[0]);
}

static unsigned long cache_leaks(struct goheap_cache *cache)
{
	struct leak_list leaks = { .central = &cache->central };

	if (!atomic_long_read(&cache->central.nspans))
		return 0;

	gh_mheap_walk_spans(cache->central.heap, leak_span, &leaks);
	if (leaks.count)
		pr_warn("  %lu objects of %zu bytes are lost\n", leaks.count,
			cache->size);
	return leaks.count;
}

/**
 * gh_cache_destroy() - destroy an object cache
 * @cache: see goheap_cache_destroy()
 *
 * Context: process context, may sleep.
 * Return: number of live objects that were leaked.
 */
unsigned long gh_cache_destroy(struct goheap_cache *cache)
{
	struct gh_central *c = &cache->central;
	struct gh_heap *h = c->heap;
	unsigned long leaked;
	int cpu;

	/* Objects may wait for a grace period, or be deferred by an NMI. */
	if (atomic_long_read_acquire(&cache->nrcu))
		rcu_barrier();
	gh_defer_sync(h);

	/*
	 * Nobody drains or ages what CPUs have of it meanwhile, and nobody adds up
	 * statistics: what it has counted is either its own or among what is gone.
	 */
	down_write(&h->caches_sem);
	list_del(&c->list);
	for_each_possible_cpu(cpu)
		if (gh_slot_holds(c, cpu))
			gh_slot_drain(c, cpu);
	gh_central_drain(c);

	leaked = cache_leaks(cache);
	atomic64_add(gh_slot_released(c), &h->gone_objects);
	atomic64_add(gh_slot_released(c) * c->shape.elemsize, &h->gone_bytes);
	up_write(&h->caches_sem);

	free_percpu(c->slots);
	gh_central_free(c);
	/* An invalid free may have found the cache by one of its spans. */
	gh_fixalloc_free_rcu(&h->caches_rec, cache);
	return leaked;
}
GH_EXPORT_FOR_TESTS(gh_cache_destroy);

/**
 * goheap_cache_destroy() - destroy an object cache
 * @cache: the cache, or NULL; nobody allocates from it any more
 *
 * Objects that are still allocated are listed in the log and leaked: their
 * memory is not used for anything else as long as goheap is loaded.
 *
 * Context: process context, may sleep; waits for objects that were given to
 * goheap_cache_free_rcu().
 */
void goheap_cache_destroy(struct goheap_cache *cache)
{
	if (!cache)
		return;
	gh_cache_destroy(cache);
	module_put(THIS_MODULE);
}
EXPORT_SYMBOL_GPL(goheap_cache_destroy);

/**
 * goheap_cache_shrink() - free the spans of a cache that hold no objects
 * @cache: the cache
 *
 * They are the heap's then, for others to use, and go back to the system when memory is
 * short or idle for long, or by goheap_shrink().
 *
 * Context: process context, may sleep.
 * Return: bytes of these spans.
 */
unsigned long goheap_cache_shrink(struct goheap_cache *cache)
{
	struct gh_central *c = &cache->central;
	long before = atomic_long_read(&c->nspans);

	gh_reclaim_drain(c->heap, c);
	return max(before - atomic_long_read(&c->nspans), 0L) *
	       (c->shape.npages << GH_PAGE_SHIFT);
}
EXPORT_SYMBOL_GPL(goheap_cache_shrink);

/**
 * goheap_cache_size() - object size of a cache
 * @cache: the cache
 *
 * Context: any.
 * Return: bytes, as asked for at its creation.
 */
size_t goheap_cache_size(const struct goheap_cache *cache)
{
	return cache->size;
}
EXPORT_SYMBOL_GPL(goheap_cache_size);

/* ---- objects ------------------------------------------------------------ */

/* Flags that cannot be served, or not by this cache. */
static bool cache_refuses(const struct goheap_cache *cache, gfp_t gfp)
{
	return gh_gfp_refused(gfp) ||
	       gh_gfp_zero_refused(cache->central.ctor, gfp);
}

/* How much of an object is to be zeroed. */
static size_t cache_zero(const struct goheap_cache *cache, gfp_t gfp)
{
	return want_init_on_alloc(gfp) && !cache->central.ctor ? cache->size : 0;
}

static __always_inline void *cache_pop(struct goheap_cache *cache, gfp_t gfp,
				       size_t zero)
{
	void *p;
	bool ok;

	preempt_disable();
	ok = gh_slot_pop(gh_home_slot(cache->central.slots), &p);
	preempt_enable();
	if (unlikely(!ok))
		return gh_slot_alloc_slow(&cache->central, gfp, NUMA_NO_NODE, zero);
	if (zero)
		memset(p, 0, zero);
	return p;
}

/* An allocation with flags that the fast path leaves to this function. */
static noinline void *cache_alloc_special(struct goheap_cache *cache, gfp_t gfp)
{
	if (unlikely(cache_refuses(cache, gfp)))
		return NULL;
	return cache_pop(cache, gfp, cache_zero(cache, gfp));
}

/**
 * goheap_cache_alloc() - allocate an object from a cache
 * @cache: the cache
 * @gfp: allocation flags; __GFP_ZERO is refused if the cache has a constructor
 *
 * Context: any in which @gfp may be used; see DOC: Contexts.
 * Return: the object or NULL.
 */
void notrace *goheap_cache_alloc(struct goheap_cache *cache, gfp_t gfp)
{
	gh_gfp_might_alloc(gfp);
	if (gh_gfp_special(gfp))
		return cache_alloc_special(cache, gfp);
	return cache_pop(cache, gfp, 0);
}
EXPORT_SYMBOL_GPL(goheap_cache_alloc);

/**
 * goheap_cache_alloc_node() - allocate an object from a NUMA node
 * @cache: the cache
 * @gfp: allocation flags; with __GFP_THISNODE from no other node
 * @node: the node, or NUMA_NO_NODE for the nearest
 *
 * Context: as goheap_cache_alloc().
 * Return: the object or NULL.
 */
void *goheap_cache_alloc_node(struct goheap_cache *cache, gfp_t gfp, int node)
{
	gh_gfp_might_alloc(gfp);
	if (unlikely(cache_refuses(cache, gfp) || gh_gfp_node_refused(node)))
		return NULL;
	return gh_slot_alloc_node(&cache->central, gfp, node, cache_zero(cache, gfp));
}
EXPORT_SYMBOL_GPL(goheap_cache_alloc_node);

/* What is wrong with a free to a cache. In an RCU read section. */
static enum goheap_bad_free cache_bad_kind(struct goheap_cache *cache,
					   const struct gh_span *s,
					   const void *p)
{
	bool mine = s && s->central == &cache->central &&
		    s->state == GH_SPAN_OBJECTS;

	return gh_bad_kind(s, (unsigned long)p, mine);
}

/* Find an object of @cache; @s is the span that it should be in. */
static __always_inline bool cache_find(struct goheap_cache *cache,
				       struct gh_span *s, void *p, u8 **state)
{
	return likely(s->central == &cache->central) &&
	       gh_slot_find(s, s->ncache, p, state);
}

/* Free an object that was marked free. In the RCU read section of that. */
static void cache_put(struct goheap_cache *cache, struct gh_span *s, void *p,
		      u8 *state)
{
	if (want_init_on_free() && !cache->central.ctor)
		memset(p, 0, cache->size);
	gh_slot_put(s, p, state);
}

/* Slow path of a free: look the span up in the index, or report a bad free. */
static noinline void cache_free_slow(struct goheap_cache *cache, void *p)
{
	enum goheap_bad_free kind = GOHEAP_BAD_WILD;
	struct gh_span *s;
	u8 *state;
	bool ok;

	if (!p)
		return;

	rcu_read_lock();
	s = gh_span_of((unsigned long)p);
	ok = s && cache_find(cache, s, p, &state) && gh_obj_claim(state);
	if (likely(ok))
		cache_put(cache, s, p, state);
	else
		kind = cache_bad_kind(cache, s, p);
	rcu_read_unlock();

	if (unlikely(!ok))
		gh_report_bad_free(p, kind, cache->central.name);
}

/**
 * goheap_cache_free() - free an object to its cache
 * @cache: the cache that it is from
 * @p: the object, or NULL
 *
 * A pointer that is no allocated object of @cache is refused and reported, and
 * nothing is changed.
 *
 * Context: any; see DOC: Contexts.
 */
void notrace goheap_cache_free(struct goheap_cache *cache, void *p)
{
	struct gh_span *s;
	u8 *state;

	if (unlikely(want_init_on_free()))
		goto slow;

	/* The RCU read section of the lookup, see span_withdraw(). */
	preempt_disable();
	s = gh_span_guess((unsigned long)p);
	if (unlikely(!cache_find(cache, s, p, &state) || !gh_obj_claim(state))) {
		preempt_enable();
		goto slow;
	}
	if (likely(gh_slot_push(s->slots, p, state))) {
		preempt_enable();
		return;
	}
	preempt_enable();
	gh_slot_free_slow(&cache->central, p, state);
	return;

slow:
	cache_free_slow(cache, p);
}
EXPORT_SYMBOL_GPL(goheap_cache_free);

/**
 * goheap_cache_alloc_bulk() - allocate many objects from a cache
 * @cache: the cache
 * @gfp: allocation flags
 * @n: how many
 * @p: where they go
 *
 * Context: as goheap_cache_alloc().
 * Return: @n; or 0 if there was no memory for all, and then @p is undefined.
 */
unsigned int goheap_cache_alloc_bulk(struct goheap_cache *cache, gfp_t gfp,
				     unsigned int n, void **p)
{
	size_t zero = cache_zero(cache, gfp);
	unsigned int got;

	gh_gfp_might_alloc(gfp);
	if (unlikely(cache_refuses(cache, gfp)))
		return 0;
	got = gh_slot_alloc_bulk(&cache->central, gfp, n, p, zero);
	if (likely(got == n))
		return n;

	goheap_cache_free_bulk(cache, got, p);
	return 0;
}
EXPORT_SYMBOL_GPL(goheap_cache_alloc_bulk);

/**
 * goheap_cache_free_bulk() - free many objects to their cache
 * @cache: the cache that they are all from
 * @n: how many
 * @p: the objects; NULL is skipped
 *
 * Context: as goheap_cache_free().
 */
void goheap_cache_free_bulk(struct goheap_cache *cache, unsigned int n,
			    void **p)
{
	while (n) {
		unsigned int done = 0;
		struct gh_span *s;

		preempt_disable();
		s = gh_span_guess((unsigned long)*p);
		if (likely(s->central == &cache->central) && !want_init_on_free())
			done = gh_slot_free_bulk(s->slots, n, p);
		preempt_enable();
		n -= done;
		p += done;
		if (!n)
			break;

		/* This one is for the slow path. */
		goheap_cache_free(cache, *p++);
		n--;
	}
}
EXPORT_SYMBOL_GPL(goheap_cache_free_bulk);

/**
 * goheap_mempool_alloc_cache() - a mempool's allocation function over a cache
 * @gfp: allocation flags
 * @cache: the cache, as the pool's data
 *
 * Objects of more than GOHEAP_ATOMIC_MAX bytes: see goheap_mempool_alloc().
 *
 * Context: as goheap_cache_alloc().
 * Return: an object or NULL.
 */
void *goheap_mempool_alloc_cache(gfp_t gfp, void *cache)
{
	return goheap_cache_alloc(cache, gfp);
}
EXPORT_SYMBOL_GPL(goheap_mempool_alloc_cache);

/**
 * goheap_mempool_free_cache() - a mempool's free function over a cache
 * @element: the object
 * @cache: the cache, as the pool's data
 *
 * Context: as goheap_cache_free().
 */
void goheap_mempool_free_cache(void *element, void *cache)
{
	goheap_cache_free(cache, element);
}
EXPORT_SYMBOL_GPL(goheap_mempool_free_cache);
