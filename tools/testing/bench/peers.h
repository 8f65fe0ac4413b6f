/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The peers' operations. The peer is a constant wherever they are used, so that a timed
 * loop calls its allocator directly, as a user of it would.
 */
#ifndef GOHEAP_BENCH_PEERS_H
#define GOHEAP_BENCH_PEERS_H

#include <linux/errno.h>
#include <linux/genalloc.h>
#include <linux/gfp.h>
#include <linux/goheap.h>
#include <linux/kconfig.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "bench.h"

void *bench_floor_alloc(void);
void bench_floor_free(void *p);

/* For those that do not zero objects themselves. */
static __always_inline void *peer_zeroed(void *p, size_t size, gfp_t gfp)
{
	if ((gfp & __GFP_ZERO) && p)
		memset(p, 0, size);
	return p;
}

static __always_inline void *peer_pages_alloc(size_t size, gfp_t gfp)
{
	struct page *page = alloc_pages(gfp, get_order(size));

	return page ? page_address(page) : NULL;
}

static __always_inline void *peer_alloc(const struct bench_pools *pools,
					enum bench_peer peer, size_t size, gfp_t gfp)
{
	switch (peer) {
	case BENCH_FLOOR:
		return peer_zeroed(bench_floor_alloc(), size, gfp);
	case BENCH_KMEM_CACHE:
		return kmem_cache_alloc(pools->slab, gfp);
	case BENCH_KMALLOC:
		return kmalloc(size, gfp);
	case BENCH_KVMALLOC:
		return kvmalloc(size, gfp);
	case BENCH_VMALLOC:
		return __vmalloc(size, gfp);
	case BENCH_ALLOC_PAGES:
		return peer_pages_alloc(size, gfp);
	case BENCH_GENALLOC:
		if (!IS_ENABLED(CONFIG_GENERIC_ALLOCATOR))
			return NULL;
		return peer_zeroed((void *)gen_pool_alloc(pools->pool, size), size, gfp);
	case BENCH_GOHEAP_CACHE:
		return goheap_cache_alloc(pools->cache, gfp);
	case BENCH_GOHEAP_ALLOC:
		return goheap_alloc(size, gfp);
	case BENCH_GOHEAP_DATA:
		return goheap_alloc_data(size, gfp);
	default:
		return NULL;
	}
}

static __always_inline void peer_free(const struct bench_pools *pools,
				      enum bench_peer peer, size_t size, void *p)
{
	switch (peer) {
	case BENCH_FLOOR:
		bench_floor_free(p);
		break;
	case BENCH_KMEM_CACHE:
		kmem_cache_free(pools->slab, p);
		break;
	case BENCH_KMALLOC:
		kfree(p);
		break;
	case BENCH_KVMALLOC:
		kvfree(p);
		break;
	case BENCH_VMALLOC:
		vfree(p);
		break;
	case BENCH_ALLOC_PAGES:
		__free_pages(virt_to_page(p), get_order(size));
		break;
	case BENCH_GENALLOC:
		if (IS_ENABLED(CONFIG_GENERIC_ALLOCATOR))
			gen_pool_free(pools->pool, (unsigned long)p, size);
		break;
	case BENCH_GOHEAP_CACHE:
		goheap_cache_free(pools->cache, p);
		break;
	case BENCH_GOHEAP_ALLOC:
	case BENCH_GOHEAP_DATA:
		goheap_free(p);
		break;
	default:
		break;
	}
}

/* What the user of an object does with it, at least. */
static __always_inline void peer_touch(void *p)
{
	WRITE_ONCE(*(unsigned long *)p, (unsigned long)p);
}

/* Allocate and touch; NULL if there is no memory. */
static __always_inline void *peer_take(const struct bench_pools *pools,
				       enum bench_peer peer, size_t size, gfp_t gfp)
{
	void *p = peer_alloc(pools, peer, size, gfp);

	if (likely(p))
		peer_touch(p);
	return p;
}

/* The pair, which several groups measure: one object at a time. */
static __always_inline int peer_pairs(const struct bench_pools *pools, size_t size,
				      gfp_t gfp, u64 ops, u64 *ns,
				      enum bench_peer peer)
{
	u64 i, start = ktime_get_ns();
	void *p;

	for (i = 0; i < ops; i++) {
		p = peer_take(pools, peer, size, gfp);
		if (unlikely(!p))
			return -ENOMEM;
		peer_free(pools, peer, size, p);
	}
	*ns = ktime_get_ns() - start;
	return 0;
}

/*
 * peer_dispatch() - call an always-inline function with the peer as a constant
 *
 * The function's last argument is the peer, its result an int.
 */
#define PEER_CASE(which, fn, ...)						\
	case which:								\
		__result = fn(__VA_ARGS__, which);				\
		break

#define peer_dispatch(peer, fn, ...)						\
({										\
	int __result = -EINVAL;							\
										\
	switch (peer) {								\
	PEER_CASE(BENCH_FLOOR, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_KMEM_CACHE, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_KMALLOC, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_KVMALLOC, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_VMALLOC, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_ALLOC_PAGES, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_GENALLOC, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_GOHEAP_CACHE, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_GOHEAP_ALLOC, fn, __VA_ARGS__);				\
	PEER_CASE(BENCH_GOHEAP_DATA, fn, __VA_ARGS__);				\
	default:								\
		break;								\
	}									\
	__result;								\
})

#endif
