/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * goheap: the Go runtime's memory allocator for the Linux kernel.
 *
 * Client modules include this. The functions take the gfp flags and keep the
 * promises of their slab counterparts, unless the comment of a function says
 * otherwise. Never pass a goheap object to kfree() or kfree_rcu().
 */
#ifndef _LINUX_GOHEAP_H
#define _LINUX_GOHEAP_H

#include <linux/bits.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mempool.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/types.h>

struct goheap_cache;

/**
 * DOC: Contexts
 *
 * Allocation: with ``GFP_KERNEL`` and the like in process context; with
 * ``GFP_ATOMIC`` or ``GFP_NOWAIT`` also in softirq and hardirq context and
 * with spinlocks held. In NMI context an allocation is served from what the CPU
 * holds or, if its lock is free, the mcentral; otherwise it is NULL. On
 * ``PREEMPT_RT``, where the page allocator sleeps, the same is true of every context
 * that must not: memory that the heap has is served, and none is taken.
 *
 * A task that is being killed is served like any other. Only a victim of the OOM
 * killer is refused more than 32 KiB of memory that is new to the heap, and address
 * space that was not made ready before; and not with ``GFP_NOFS`` or ``GFP_NOIO``.
 *
 * Free: from any of these contexts, NMI included, on any CPU.
 *
 * Flags: ``__GFP_ZERO``, ``__GFP_NOWARN``, ``__GFP_NORETRY``,
 * ``__GFP_RETRY_MAYFAIL``, ``__GFP_NOMEMALLOC`` and ``__GFP_THISNODE`` are
 * honoured. ``__GFP_NOFAIL``, ``__GFP_ACCOUNT``, ``GFP_DMA``, ``GFP_DMA32`` and
 * ``__GFP_HIGHMEM`` are refused: the result is NULL, and the log has one warning.
 *
 * More than ``GOHEAP_ATOMIC_MAX`` bytes are refused to those that may not sleep, as
 * it would take long: the result is NULL.
 *
 * Size 0: the result is ``ZERO_SIZE_PTR``, which goheap_free() accepts and
 * which faults when it is used.
 */

/**
 * DOC: Alignment
 *
 * Every object is aligned to 8 bytes at least; sizes that are a power of two
 * up to 8 KiB are aligned to their size, and everything above 32 KiB to 8 KiB.
 * The one exception are data objects (goheap_alloc_data()) of less than 16
 * bytes, except 8, because they share a block: they are aligned to the largest
 * power of two that divides their size, 8 at most.
 *
 * kmalloc() aligns more: 16 and 32 KiB to their size, and on some kernels any size to
 * the largest power of two that divides it. For that, use a cache with @align.
 */

/* Objects of processes, see Documentation/userspace.rst */
struct goheap_user;

struct goheap_user *goheap_user_get(int fd);
void goheap_user_put(struct goheap_user *heap);
void *goheap_user_pin(struct goheap_user *heap, u64 offset, size_t len);
void goheap_user_unpin(struct goheap_user *heap, void *addr);

/* The general allocator */
void *goheap_alloc(size_t size, gfp_t gfp) __alloc_size(1);
void *goheap_alloc_data(size_t size, gfp_t gfp) __alloc_size(1);
void *goheap_alloc_node(size_t size, gfp_t gfp, int node) __alloc_size(1);
void *goheap_realloc(void *p, size_t size, gfp_t gfp) __realloc_size(2);
void goheap_free(const void *p);
void goheap_free_sensitive(void *p);
unsigned int goheap_alloc_bulk(size_t size, gfp_t gfp, unsigned int n,
			       void **p);
void goheap_free_bulk(unsigned int n, void **p);
size_t goheap_usable_size(const void *p);
bool goheap_owns(const void *p);

/**
 * goheap_zalloc() - allocate zeroed memory
 * @size: bytes
 * @gfp: allocation flags
 *
 * Context: as goheap_alloc().
 * Return: the object, ZERO_SIZE_PTR for size 0, or NULL.
 */
static inline __alloc_size(1) void *goheap_zalloc(size_t size, gfp_t gfp)
{
	return goheap_alloc(size, gfp | __GFP_ZERO);
}

/**
 * goheap_calloc() - allocate a zeroed array
 * @n: elements
 * @size: bytes of an element
 * @gfp: allocation flags
 *
 * Context: as goheap_alloc().
 * Return: the array, ZERO_SIZE_PTR if it has no bytes, or NULL, also when
 * ``n * size`` overflows.
 */
static inline __alloc_size(1, 2) void *goheap_calloc(size_t n, size_t size,
						     gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return goheap_zalloc(bytes, gfp);
}

/* Free after an RCU grace period */
void __goheap_free_rcu(struct goheap_cache *cache, const void *p, struct rcu_head *head);

/**
 * goheap_free_rcu() - free an object after a grace period
 * @p: object of the goheap_alloc() family or of a cache, or NULL
 * @member: name of the struct rcu_head in the object
 *
 * The caller's module may go away before the grace period ends.
 *
 * Context: as call_rcu(): any but NMI.
 */
#define goheap_free_rcu(p, member)	goheap_cache_free_rcu(NULL, p, member)

/* Object caches */

/**
 * DOC: Cache flags
 *
 * ``GOHEAP_DATA``: the objects hold no pointers; their pages are counted, and
 * kept, apart from those of pointer objects.
 *
 * ``GOHEAP_HWCACHE_ALIGN``: align objects to the CPU's cache lines.
 */
#define GOHEAP_DATA		BIT(0)
#define GOHEAP_HWCACHE_ALIGN	BIT(1)

/* Largest allocation, in bytes, that may not sleep. */
#define GOHEAP_ATOMIC_MAX	1048576UL

/* Largest object of a cache, in bytes, and largest alignment. */
#define GOHEAP_CACHE_MAX_SIZE	(4UL << 20)
#define GOHEAP_CACHE_MAX_ALIGN	8192UL

struct goheap_cache *goheap_cache_create(const char *name, size_t size,
					 size_t align, unsigned int flags,
					 void (*ctor)(void *));
void goheap_cache_destroy(struct goheap_cache *cache);
void *goheap_cache_alloc(struct goheap_cache *cache, gfp_t gfp);
void *goheap_cache_alloc_node(struct goheap_cache *cache, gfp_t gfp, int node);
void goheap_cache_free(struct goheap_cache *cache, void *p);
unsigned int goheap_cache_alloc_bulk(struct goheap_cache *cache, gfp_t gfp,
				     unsigned int n, void **p);
void goheap_cache_free_bulk(struct goheap_cache *cache, unsigned int n,
			    void **p);
unsigned long goheap_cache_shrink(struct goheap_cache *cache);
size_t goheap_cache_size(const struct goheap_cache *cache);

/**
 * goheap_cache_zalloc() - allocate a zeroed object from a cache
 * @cache: a cache without constructor
 * @gfp: allocation flags
 *
 * Context: as goheap_alloc().
 * Return: the object or NULL.
 */
static inline void *goheap_cache_zalloc(struct goheap_cache *cache, gfp_t gfp)
{
	return goheap_cache_alloc(cache, gfp | __GFP_ZERO);
}

/**
 * goheap_cache_free_rcu() - free an object of a cache after a grace period
 * @cache: the cache; goheap_cache_destroy() waits for the grace period
 * @p: the object, or NULL
 * @member: name of the struct rcu_head in the object
 *
 * Context: as call_rcu(): any but NMI.
 */
#define goheap_cache_free_rcu(cache, p, member)				\
do {									\
	struct goheap_cache *___goheap_cache = (cache);			\
	typeof(p) ___goheap_p = (p);					\
									\
	if (___goheap_p)						\
		__goheap_free_rcu(___goheap_cache, ___goheap_p,		\
				  &___goheap_p->member);		\
} while (0)

/* Scratch blocks of a power of two of bytes: the Go stack allocator */
void *goheap_stack_alloc(size_t size, gfp_t gfp) __alloc_size(1);
void goheap_stack_free(void *p);

/* Memory pools */
void *goheap_mempool_alloc(gfp_t gfp, void *size);
void goheap_mempool_free(void *element, void *size);
void *goheap_mempool_alloc_cache(gfp_t gfp, void *cache);
void goheap_mempool_free_cache(void *element, void *cache);

/**
 * goheap_mempool_create() - a mempool over the general allocator
 * @min_nr: elements held in reserve
 * @size: bytes of an element
 *
 * Context: process context, may sleep.
 * Return: the pool, for mempool_alloc() and mempool_destroy(), or NULL.
 */
static inline mempool_t *goheap_mempool_create(int min_nr, size_t size)
{
	return mempool_create(min_nr, goheap_mempool_alloc,
			      goheap_mempool_free, (void *)size);
}

/**
 * goheap_mempool_create_cache() - a mempool over a cache
 * @min_nr: elements held in reserve
 * @cache: the cache, which must outlive the pool
 *
 * Context: process context, may sleep.
 * Return: the pool, for mempool_alloc() and mempool_destroy(), or NULL.
 */
static inline mempool_t *
goheap_mempool_create_cache(int min_nr, struct goheap_cache *cache)
{
	return mempool_create(min_nr, goheap_mempool_alloc_cache,
			      goheap_mempool_free_cache, cache);
}

/* Scoped cleanup: ``void *p __free(goheap) = goheap_alloc(...);`` */
#ifdef DEFINE_FREE
DEFINE_FREE(goheap, void *, if (!IS_ERR_OR_NULL(_T)) goheap_free(_T))
#endif

/**
 * enum goheap_bad_free - kinds of frees that are refused
 * @GOHEAP_BAD_WILD: not in any span of the heap, or in a span already freed
 * @GOHEAP_BAD_INTERIOR: inside an object, but not its start
 * @GOHEAP_BAD_DOUBLE: an object that is not allocated
 * @GOHEAP_BAD_FOREIGN: an object of another cache or of another allocator
 * @GOHEAP_NR_BAD: number of kinds
 */
enum goheap_bad_free {
	GOHEAP_BAD_WILD,
	GOHEAP_BAD_INTERIOR,
	GOHEAP_BAD_DOUBLE,
	GOHEAP_BAD_FOREIGN,
	GOHEAP_NR_BAD,
};

/**
 * struct goheap_stats - what the heap holds; bytes unless said otherwise
 * @sys: all of the below that end in _sys
 * @heap_sys: address space of the arenas in use, and @huge, less @stack_sys
 * @heap_inuse: spans that hold, or may hold, objects
 * @heap_idle: the rest of @heap_sys
 * @heap_released: the part of @heap_idle that has no physical pages
 * @heap_alloc: live objects, each at the size of its class
 * @total_alloc: objects ever taken from their span for a caller
 * @total_freed: objects ever freed to their span
 * @mallocs: objects counted by @total_alloc
 * @frees: objects counted by @total_freed
 * @objects: live objects, @mallocs - @frees
 * @stack_sys: spans of stack blocks
 * @stack_inuse: live stack blocks
 * @mspan_sys: span records and their bitmaps
 * @mcache_sys: per-CPU caches and magazines
 * @profile_sys: the heap profile; 0, because there is none yet
 * @other_sys: arena metadata, page tables, mcentrals
 * @committed: physical pages behind the arenas in use, and @huge
 * @cached: free objects held by CPUs and in transfer caches
 * @cached_spans: the part of @heap_idle that is cached as whole spans
 * @spans_inuse: number of spans in use
 * @pages_inuse: number of 8 KiB pages in spans in use
 * @arenas: number of 64 MiB arenas in use
 * @arenas_spare: number of arenas that are reserved, without memory, for later
 * @huge: memory of objects of more than 32 MiB, which have mappings of their own
 * @caches: number of object caches
 * @bad_frees: refused frees, by kind
 *
 * Objects that are freed and allocated again within a CPU's cache do not reach
 * the counters: @mallocs and @frees count objects that enter and leave the
 * caches. The sums above hold exactly while nobody allocates or frees, and
 * approximately at other times.
 */
struct goheap_stats {
	u64 sys;
	u64 heap_sys;
	u64 heap_inuse;
	u64 heap_idle;
	u64 heap_released;
	u64 heap_alloc;
	u64 total_alloc;
	u64 total_freed;
	u64 mallocs;
	u64 frees;
	u64 objects;
	u64 stack_sys;
	u64 stack_inuse;
	u64 mspan_sys;
	u64 mcache_sys;
	u64 profile_sys;
	u64 other_sys;
	u64 committed;
	u64 cached;
	u64 cached_spans;
	u64 spans_inuse;
	u64 pages_inuse;
	u64 arenas;
	u64 arenas_spare;
	u64 huge;
	u64 caches;
	u64 bad_frees[GOHEAP_NR_BAD];
};

void goheap_get_stats(struct goheap_stats *stats);
unsigned long goheap_shrink(void);

#endif /* _LINUX_GOHEAP_H */
