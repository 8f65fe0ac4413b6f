// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floor, and what the peers need before and after they are measured.
 */
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sizes.h>
#include <linux/vmstat.h>

#include "../nth_cpu.h"
#include "peers.h"

/* Enough for one that takes the lowest free place to have some to choose from. */
#define POOL_MIN_BYTES	SZ_64K
/* It keeps a bit for each place, and searches them: not made for large objects. */
#define POOL_MAX_SIZE	SZ_4K
#define POOL_MAX_COUNT	1024

/*
 * A slab cache of one's own. Before 6.5 it could not be asked for by name; a flag that
 * only kmemleak looks at has the same effect.
 */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE SLAB_NOLEAKTRACE
#endif

const char *const bench_peer_names[BENCH_NR_PEERS] = {
	[BENCH_FLOOR] = "floor",
	[BENCH_KMEM_CACHE] = "kmem_cache",
	[BENCH_KMALLOC] = "kmalloc",
	[BENCH_KVMALLOC] = "kvmalloc",
	[BENCH_VMALLOC] = "vmalloc",
	[BENCH_ALLOC_PAGES] = "alloc_pages",
	[BENCH_GENALLOC] = "genalloc",
	[BENCH_GOHEAP_CACHE] = "goheap_cache",
	[BENCH_GOHEAP_ALLOC] = "goheap_alloc",
	[BENCH_GOHEAP_DATA] = "goheap_data",
	[BENCH_PAGEALLOC] = "pagealloc",
};

/* ---- The floor ---------------------------------------------------------- */

/**
 * struct floor_stack - the free objects of a CPU
 * @busy: an operation is under way; an interrupt must not start another
 * @n: number of objects
 * @objs: the objects
 * @memory: where they lie
 */
struct floor_stack {
	bool busy;
	unsigned int n;
	void **objs;
	void *memory;
};

static DEFINE_PER_CPU_ALIGNED(struct floor_stack, floor_stacks);

/**
 * bench_floor_alloc() - the least that a per-CPU allocator can do
 *
 * Context: any.
 * Return: an object, or NULL if there is none or an operation was interrupted.
 */
noinline void *bench_floor_alloc(void)
{
	struct floor_stack *stack;
	void *p = NULL;

	preempt_disable();
	stack = this_cpu_ptr(&floor_stacks);
	if (likely(!READ_ONCE(stack->busy))) {
		WRITE_ONCE(stack->busy, true);
		barrier();
		if (likely(stack->n))
			p = stack->objs[--stack->n];
		barrier();
		WRITE_ONCE(stack->busy, false);
	}
	preempt_enable();
	return p;
}

/**
 * bench_floor_free() - put an object back on this CPU's stack
 * @p: an object that bench_floor_alloc() gave on this CPU
 *
 * An object that is freed while an operation is interrupted is lost until the stack is
 * made anew; nobody gets it a second time.
 *
 * Context: any.
 */
noinline void bench_floor_free(void *p)
{
	struct floor_stack *stack;

	preempt_disable();
	stack = this_cpu_ptr(&floor_stacks);
	if (likely(!READ_ONCE(stack->busy))) {
		WRITE_ONCE(stack->busy, true);
		barrier();
		stack->objs[stack->n++] = p;
		barrier();
		WRITE_ONCE(stack->busy, false);
	}
	preempt_enable();
}

static void floor_close(void)
{
	struct floor_stack *stack;
	int cpu;

	for_each_possible_cpu(cpu) {
		stack = per_cpu_ptr(&floor_stacks, cpu);
		vfree(stack->memory);
		kvfree(stack->objs);
		memset(stack, 0, sizeof(*stack));
	}
}

static int floor_fill(struct floor_stack *stack, unsigned int count, size_t size)
{
	/* No CPU's pointers share a cache line with another's. */
	size_t room = max_t(size_t, count, SMP_CACHE_BYTES / sizeof(*stack->objs));
	unsigned int i;

	stack->memory = vzalloc(array_size(count, size));
	stack->objs = kvcalloc(room, sizeof(*stack->objs), GFP_KERNEL);
	if (!stack->memory || !stack->objs)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		stack->objs[i] = stack->memory + i * size;
	stack->n = count;
	return 0;
}

static int floor_open(const struct bench_shape *shape)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < shape->cpus && !err; i++)
		err = floor_fill(per_cpu_ptr(&floor_stacks, nth_online_cpu(i)),
				 shape->count, shape->size);
	return err;
}

/* ---- Pools -------------------------------------------------------------- */

/**
 * bench_peer_can() - ask whether a peer has objects as the shape wants them
 * @shape: the shape
 * @peer: the peer
 *
 * Return: true if it is worth trying.
 */
bool bench_peer_can(const struct bench_shape *shape, enum bench_peer peer)
{
	switch (peer) {
	case BENCH_KMEM_CACHE:
	case BENCH_KMALLOC:
	case BENCH_ALLOC_PAGES:
		return shape->size <= KMALLOC_MAX_SIZE;
	case BENCH_GENALLOC:
		return IS_ENABLED(CONFIG_GENERIC_ALLOCATOR) &&
		       shape->size <= POOL_MAX_SIZE && shape->count <= POOL_MAX_COUNT;
	case BENCH_GOHEAP_CACHE:
		return shape->size <= GOHEAP_CACHE_MAX_SIZE;
	default:
		return true;
	}
}

static int slab_open(struct bench_shape *shape)
{
	shape->pools.slab = kmem_cache_create("goheap_bench", shape->size, 0,
					      SLAB_NO_MERGE, NULL);
	return shape->pools.slab ? 0 : -ENOMEM;
}

static int cache_open(struct bench_shape *shape)
{
	struct goheap_cache *cache = goheap_cache_create("goheap_bench", shape->size,
							 0, 0, NULL);

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	shape->pools.cache = cache;
	return 0;
}

static int pool_open(struct bench_shape *shape)
{
	size_t nbytes = max_t(size_t, POOL_MIN_BYTES, shape->size * shape->count);
	struct bench_pools *pools = &shape->pools;

	pools->pool_memory = vzalloc(nbytes);
	pools->pool = gen_pool_create(__ffs(shape->size), NUMA_NO_NODE);
	if (!pools->pool_memory || !pools->pool)
		return -ENOMEM;
	return gen_pool_add(pools->pool, (unsigned long)pools->pool_memory, nbytes,
			    NUMA_NO_NODE);
}

static int peer_open(struct bench_shape *shape, enum bench_peer peer)
{
	switch (peer) {
	case BENCH_FLOOR:
		return floor_open(shape);
	case BENCH_KMEM_CACHE:
		return slab_open(shape);
	case BENCH_GENALLOC:
		return IS_ENABLED(CONFIG_GENERIC_ALLOCATOR) ? pool_open(shape) : -ENODEV;
	case BENCH_GOHEAP_CACHE:
		return cache_open(shape);
	default:
		return 0;
	}
}

/**
 * bench_pools_open() - make what the peers of a shape allocate from
 * @shape: the shape; bench_pools_close() must follow, whatever the result
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_pools_open(struct bench_shape *shape)
{
	unsigned int peer;
	int err = 0;

	memset(&shape->pools, 0, sizeof(shape->pools));
	for_each_set_bit(peer, &shape->peers, BENCH_NR_PEERS) {
		err = peer_open(shape, peer);
		if (err)
			break;
	}
	return err;
}

/**
 * bench_pools_close() - undo bench_pools_open()
 * @shape: the shape, all of whose objects are freed
 *
 * Context: process context, may sleep.
 */
void bench_pools_close(struct bench_shape *shape)
{
	struct bench_pools *pools = &shape->pools;

	floor_close();
	kmem_cache_destroy(pools->slab);
	if (pools->cache)
		goheap_cache_destroy(pools->cache);
	if (IS_ENABLED(CONFIG_GENERIC_ALLOCATOR) && pools->pool)
		gen_pool_destroy(pools->pool);
	vfree(pools->pool_memory);
	memset(pools, 0, sizeof(*pools));
}

/* ---- What is held ------------------------------------------------------- */

static void settle_kmalloc(void)
{
	unsigned int type, i;

	for (type = 0; type < NR_KMALLOC_TYPES; type++)
		for (i = 0; i <= KMALLOC_SHIFT_HIGH; i++)
			if (kmalloc_caches[type][i])
				kmem_cache_shrink(kmalloc_caches[type][i]);
}

/**
 * bench_settle() - have a peer give back all memory that is free
 * @pools: of the shape
 * @peer: the peer
 *
 * Context: process context, may sleep.
 */
void bench_settle(const struct bench_pools *pools, enum bench_peer peer)
{
	switch (peer) {
	case BENCH_KMEM_CACHE:
		kmem_cache_shrink(pools->slab);
		break;
	case BENCH_KMALLOC:
		settle_kmalloc();
		break;
	default:
		goheap_shrink();
	}
}

/* Bytes in slabs, what CPUs have not yet added to the nodes' sums included. */
static u64 slab_bytes(enum node_stat_item item)
{
	s64 n = atomic_long_read(&vm_node_stat[item]);
	int nid, cpu;

	for_each_online_node(nid) {
		struct per_cpu_nodestat __percpu *diffs =
			NODE_DATA(nid)->per_cpu_nodestats;

		for_each_online_cpu(cpu)
			n += READ_ONCE(per_cpu_ptr(diffs, cpu)->vm_node_stat_diff[item]);
	}
	return n * PAGE_SIZE;
}

/**
 * bench_held() - what a peer has taken from the system and not given back
 * @peer: a peer of BENCH_FOUR
 *
 * SLUB's figure is of all slabs of the machine, so that only its change means
 * something. goheap's has its own records in it.
 *
 * Context: process context.
 * Return: bytes.
 */
u64 bench_held(enum bench_peer peer)
{
	struct goheap_stats stats;

	if (peer == BENCH_KMEM_CACHE || peer == BENCH_KMALLOC)
		return slab_bytes(NR_SLAB_RECLAIMABLE_B) +
		       slab_bytes(NR_SLAB_UNRECLAIMABLE_B);
	goheap_get_stats(&stats);
	return stats.sys - stats.heap_released;
}
