/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fixalloc: fixed-size records that live outside the heap.
 *
 * The allocator's own records (spans, caches) come from here, never from the
 * heap or from slab, so that the allocator cannot recurse into itself and a
 * stray write through a heap pointer does not reach them.
 *
 * Chunks come straight from the page allocator and are kept until
 * gh_fixalloc_destroy(), so the memory is type-stable: a reader without a lock
 * may look at a record that has just been freed. Only the first word of a
 * record is overwritten while it is free.
 */
#ifndef _GOHEAP_FIXALLOC_H
#define _GOHEAP_FIXALLOC_H

#include <linux/gfp.h>
#include <linux/llist.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/* Bytes asked of the page allocator at a time, after a first single page. */
#define GH_FIXALLOC_CHUNK	16384

/* Largest record, in bytes: it must fit in one page, after a chunk's header. */
#define GH_FIXALLOC_MAX_SIZE	(PAGE_SIZE - 256)

struct gh_fixalloc_chunk;

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
 * @free: freed records, last in first out
 * @deferred: records freed in NMI context while @lock was taken
 * @chunks: all chunks, newest first
 * @carve: chunks that still have records which were never handed out
 * @navail: records on @free, plus those not yet cut from the chunks
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
	void *free;
	struct llist_head deferred;
	struct gh_fixalloc_chunk *chunks;
	struct gh_fixalloc_chunk *carve;
	unsigned long navail;
	unsigned long inuse;
	unsigned long nalloc;
	unsigned long sys;
};

/**
 * struct gh_fixalloc_stats - one consistent look at a gh_fixalloc
 * @inuse: records handed out and not freed
 * @navail: records that can be had without a new chunk
 * @nalloc: allocations ever
 * @sys: bytes taken from the page allocator
 * @inuse_bytes: bytes of @sys that are records in use
 */
struct gh_fixalloc_stats {
	unsigned long inuse;
	unsigned long navail;
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
int gh_fixalloc_prefill(struct gh_fixalloc *f, unsigned long n, gfp_t gfp);
void gh_fixalloc_stats(struct gh_fixalloc *f, struct gh_fixalloc_stats *st);
unsigned long gh_fixalloc_destroy(struct gh_fixalloc *f);

#endif /* _GOHEAP_FIXALLOC_H */
