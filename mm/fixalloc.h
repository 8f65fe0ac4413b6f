/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fixalloc: fixed-size records that live outside the heap.
 *
 * The allocator's own records (spans, caches) come from here, never from the
 * heap or from slab, so that the allocator cannot recurse into itself and a
 * stray write through a heap pointer does not reach them.
 *
 * Records are cut from chunks from the page allocator. A new chunk is half as
 * large as all others together, but no less than a page and no more than 16 KiB;
 * and a page if that cannot be had. Each chunk has a free list of its own. It is
 * freed when all of its records are free, but gh_fixalloc_age() keeps one such
 * chunk as a spare.
 *
 * A record that readers find without a lock is freed by gh_fixalloc_free_rcu().
 * Until a grace period is over, it is not handed out again and its chunk is not
 * freed. So a reader that found it before, in an RCU read section, sees what it
 * held when it was freed, except for its first word: records that wait are
 * linked through it. Freeing a record never needs memory.
 */
#ifndef _GOHEAP_FIXALLOC_H
#define _GOHEAP_FIXALLOC_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "sizeclass.h"

/* Bytes asked of the page allocator at a time, at most. */
#define GH_FIXALLOC_CHUNK	16384UL

/*
 * Largest record, in bytes: it must fit in one page, after a chunk's header. But bitmaps
 * of spans are as long as the heap's page asks for, which a test may have chosen.
 */
#define GH_FIXALLOC_MAX_SIZE	(max(PAGE_SIZE, GH_PAGE_SIZE / 2) - 256)

/*
 * Batches of records that wait for grace periods. Records can be waiting for
 * two different grace periods. The other batches are for those that are over,
 * but that gh_fixalloc_age() has not looked at yet.
 */
#define GH_FIXALLOC_BATCHES	4

/**
 * struct gh_fixalloc_batch - records that wait for the same grace period
 * @head: the records, linked through their first word
 * @n: how many
 * @cookie: names the grace period, see get_state_synchronize_rcu()
 */
struct gh_fixalloc_batch {
	void *head;
	unsigned long n;
	unsigned long cookie;
};

/**
 * struct gh_fixalloc - an allocator of records of one size
 * @lock: protects what follows; a leaf lock, taken with interrupts off
 * @size: bytes from one record to the next; a multiple of @align
 * @align: alignment of every record, bytes; at most SMP_CACHE_BYTES
 * @zero: records are zeroed at each allocation
 * @account: __GFP_ACCOUNT to charge chunks to the task that needs them, or 0
 * @name: for messages
 * @first: called once for each record, when it is handed out the first time
 * @arg: first argument of @first
 * @partial: chunks with records in use and others that are free; allocations
 *	take from the one that has been here longest, so that the others may
 *	become empty
 * @full: chunks without free records
 * @empty: chunks without records in use, the last that became so first
 * @deferred: records freed in NMI context while @lock was taken
 * @batch: records that wait for a grace period, a ring
 * @oldest: index in @batch of the records that were freed first
 * @nbatches: batches in use
 * @nempty: chunks in @empty
 * @navail: free records in all chunks
 * @nwait: records in all batches
 * @inuse: records handed out and not freed
 * @nalloc: allocations ever
 * @sys: bytes of all chunks
 */
struct gh_fixalloc {
	raw_spinlock_t lock;
	u32 size;
	u32 align;
	bool zero;
	gfp_t account;
	const char *name;
	void (*first)(void *arg, void *rec);
	void *arg;
	struct list_head partial;
	struct list_head full;
	struct list_head empty;
	struct llist_head deferred;
	struct gh_fixalloc_batch batch[GH_FIXALLOC_BATCHES];
	unsigned int oldest;
	unsigned int nbatches;
	unsigned long nempty;
	unsigned long navail;
	unsigned long nwait;
	unsigned long inuse;
	unsigned long nalloc;
	unsigned long sys;
};

/**
 * struct gh_fixalloc_stats - one consistent look at a gh_fixalloc
 * @inuse: records handed out and not freed
 * @navail: records that can be had without a new chunk
 * @nwait: freed records that wait for a grace period
 * @nalloc: allocations ever
 * @sys: bytes taken from the page allocator
 * @inuse_bytes: bytes of @sys that are records in use
 */
struct gh_fixalloc_stats {
	unsigned long inuse;
	unsigned long navail;
	unsigned long nwait;
	unsigned long nalloc;
	unsigned long sys;
	unsigned long inuse_bytes;
};

void gh_fixalloc_init(struct gh_fixalloc *f, const char *name, size_t size,
		      bool zero, void (*first)(void *arg, void *rec),
		      void *arg);
void gh_fixalloc_init_aligned(struct gh_fixalloc *f, const char *name,
			      size_t size, size_t align, bool zero,
			      void (*first)(void *arg, void *rec), void *arg);
void *gh_fixalloc_alloc(struct gh_fixalloc *f, gfp_t gfp);
void gh_fixalloc_free(struct gh_fixalloc *f, void *rec);
void gh_fixalloc_free_rcu(struct gh_fixalloc *f, void *rec);
bool gh_fixalloc_age(struct gh_fixalloc *f);
void gh_fixalloc_trim(struct gh_fixalloc *f);
int gh_fixalloc_prefill(struct gh_fixalloc *f, unsigned long n, gfp_t gfp);
void gh_fixalloc_stats(struct gh_fixalloc *f, struct gh_fixalloc_stats *st);
unsigned long gh_fixalloc_destroy(struct gh_fixalloc *f);

#endif /* _GOHEAP_FIXALLOC_H */
