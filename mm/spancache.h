/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * spancache: freed spans of a node, kept whole for reuse with the same layout.
 */
#ifndef _GOHEAP_SPANCACHE_H
#define _GOHEAP_SPANCACHE_H

#include <linux/hash.h>
#include <linux/list.h>
#include <linux/spinlock.h>

#include "shape.h"

/* Half of the bins are for large spans. */
#define GH_SPANBINS_SHIFT	6
#define GH_SPANBINS		BIT(GH_SPANBINS_SHIFT)

/* Bytes that a node's cache may hold: a 64th of memory, but within these. */
#define GH_SPANCACHE_RAM_SHIFT	6
#define GH_SPANCACHE_MIN	(4UL << 20)
#define GH_SPANCACHE_MAX	(64UL << 20)

/**
 * struct gh_spanbin - spans whose object sizes have the same hash
 * @spans: newest first
 * @n: how many
 * @low: lowest @n since gh_spancache_look(): so many spans are idle
 */
struct gh_spanbin {
	struct list_head spans;
	unsigned int n;
	unsigned int low;
};

/**
 * struct gh_spancache - freed spans of a node
 * @lock: protects what follows; a leaf, interrupts off
 * @npages: heap pages of all spans
 * @nspans: number of spans
 * @max_pages: bound on @npages
 * @victim: bin that is next to lose a span when memory is short
 * @bin: spans, by gh_spancache_bin()
 */
struct gh_spancache {
	raw_spinlock_t lock ____cacheline_aligned;
	unsigned long npages;
	unsigned long nspans;
	unsigned long max_pages;
	unsigned int victim;
	struct gh_spanbin bin[GH_SPANBINS];
};

static inline struct gh_spanbin *gh_spancache_bin(struct gh_spancache *cache,
						  size_t elemsize, bool large)
{
	return &cache->bin[hash_64(elemsize, GH_SPANBINS_SHIFT - 1) +
			   large * GH_SPANBINS / 2];
}

void gh_spancache_init(struct gh_spancache *cache);
bool gh_spancache_put(struct gh_spancache *cache, struct gh_span *s);
struct gh_span *gh_spancache_take(struct gh_spancache *cache,
				  const struct gh_shape *shape,
				  const struct gh_central *c);
struct gh_span *gh_spancache_take_oldest(struct gh_spancache *cache,
					 struct gh_spanbin *bin,
					 bool only_idle);
struct gh_span *gh_spancache_take_victim(struct gh_spancache *cache);
void gh_spancache_look(struct gh_spancache *cache, struct gh_spanbin *bin);

#endif /* _GOHEAP_SPANCACHE_H */
