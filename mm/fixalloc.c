// SPDX-License-Identifier: GPL-2.0-only
/*
 * fixalloc: fixed-size records that live outside the heap.
 *
 *	chunk    +--------+-----+-----+-----+- - - - - -+
 *	         | header | rec | rec | rec | untouched |
 *	         +--------+-----+-----+-----+- - - - - -+
 *	                     |     in use   ^ pos
 *	         free <------+
 *
 * A record is cut from a chunk when the free list is empty. When it is freed it
 * goes to the free list, which is linked through the first word of the records.
 *
 * Lock: gh_fixalloc.lock. It is a leaf and is never held while pages are
 * allocated, so the caller may be in any context that its gfp flags allow, on
 * PREEMPT_RT too. In NMI context the lock is only tried. If it is taken, an
 * allocation fails, and a freed record waits on a lockless list until the lock
 * is taken the next time.
 */
#include <linux/align.h>
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/kmemleak.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/string.h>

#include "compat.h"
#include "fault.h"
#include "fixalloc.h"
#include "gfp.h"
#include "rawlock.h"

/**
 * struct gh_fixalloc_chunk - header at the start of a chunk
 * @next: the next older chunk
 * @carve_next: the next chunk that has untouched records
 * @bytes: size of the chunk
 * @pos: offset of the first untouched record, bytes
 */
struct gh_fixalloc_chunk {
	struct gh_fixalloc_chunk *next;
	struct gh_fixalloc_chunk *carve_next;
	u32 bytes;
	u32 pos;
};

static_assert(SMP_CACHE_BYTES <= 256);
static_assert(sizeof(struct gh_fixalloc_chunk) <= 256);
static_assert(sizeof(struct llist_node) <= 8);

/* ---- under the lock ----------------------------------------------------- */

static void fixalloc_push(struct gh_fixalloc *f, void *rec)
	__must_hold(&f->lock)
{
	lockdep_assert_held(&f->lock);

	/* Readers of type-stable records may be looking at this word. */
	WRITE_ONCE(*(void **)rec, f->free);
	f->free = rec;
	f->navail++;
	f->inuse--;
}

/* Takes in records that were freed in NMI context while the lock was taken. */
static void fixalloc_drain(struct gh_fixalloc *f)
	__must_hold(&f->lock)
{
	struct llist_node *rec, *next;

	lockdep_assert_held(&f->lock);

	if (llist_empty(&f->deferred))
		return;
	llist_for_each_safe(rec, next, llist_del_all(&f->deferred))
		fixalloc_push(f, rec);
}

static void *fixalloc_carve(struct gh_fixalloc *f)
	__must_hold(&f->lock)
{
	struct gh_fixalloc_chunk *chunk = f->carve;
	void *rec;

	lockdep_assert_held(&f->lock);

	if (!chunk)
		return NULL;
	rec = (void *)chunk + chunk->pos;
	chunk->pos += f->size;
	if (chunk->pos + f->size > chunk->bytes)
		f->carve = chunk->carve_next;
	return rec;
}

/* Sets @fresh if the record was never handed out before. */
static void *fixalloc_take(struct gh_fixalloc *f, bool *fresh)
	__must_hold(&f->lock)
{
	void *rec;

	lockdep_assert_held(&f->lock);

	if (!f->free)
		fixalloc_drain(f);
	rec = f->free;
	*fresh = !rec;
	if (rec)
		f->free = *(void **)rec;
	else
		rec = fixalloc_carve(f);

	if (rec) {
		f->navail--;
		f->inuse++;
		f->nalloc++;
	}
	return rec;
}

/* ---- without the lock --------------------------------------------------- */

/*
 * 16 KiB if they can be had without effort, else a page. The first chunk is
 * always a page, because a heap has some twenty of these allocators, and some
 * serve few records.
 */
static struct gh_fixalloc_chunk *fixalloc_new_chunk(struct gh_fixalloc *f,
						    gfp_t gfp)
{
	unsigned int order = READ_ONCE(f->sys) ?
			     get_order(GH_FIXALLOC_CHUNK) : 0;
	struct gh_fixalloc_chunk *chunk;

	if (gh_fault(GH_FAULT_FIXALLOC))
		return NULL;

	gfp = gh_gfp_meta(gfp) | f->account;
	chunk = (void *)__get_free_pages(gfp | __GFP_NOWARN | __GFP_NORETRY,
					 order);
	if (!chunk) {
		order = 0;
		chunk = (void *)__get_free_pages(gfp, order);
	}
	if (!chunk)
		return NULL;

	chunk->bytes = PAGE_SIZE << order;
	/* A record may have the only pointer to an object kmemleak knows. */
	kmemleak_alloc(chunk, chunk->bytes, 0, gfp);
	return chunk;
}

static bool fixalloc_add_chunk(struct gh_fixalloc *f, gfp_t gfp)
{
	struct gh_fixalloc_chunk *chunk = fixalloc_new_chunk(f, gfp);
	unsigned long flags;

	if (!chunk)
		return false;
	chunk->pos = ALIGN(sizeof(*chunk), f->align);

	raw_spin_lock_irqsave(&f->lock, flags);
	chunk->next = f->chunks;
	f->chunks = chunk;
	chunk->carve_next = f->carve;
	f->carve = chunk;
	f->navail += (chunk->bytes - chunk->pos) / f->size;
	f->sys += chunk->bytes;
	raw_spin_unlock_irqrestore(&f->lock, flags);
	return true;
}

/**
 * gh_fixalloc_alloc() - allocate a record
 * @f: the allocator
 * @gfp: how to get pages if there is no record; with 0, take none
 *
 * A record is zero when it is handed out for the first time. Later its first
 * word is undefined and the rest is as it was when freed, unless the allocator
 * zeroes. The allocator's first() is called here, without a lock, in the
 * caller's context.
 *
 * Context: any that @gfp allows; in NMI context no pages are allocated and the
 *	    lock is only tried.
 * Return: the record, or NULL.
 */
void *gh_fixalloc_alloc(struct gh_fixalloc *f, gfp_t gfp)
{
	unsigned long flags;
	bool fresh;
	void *rec;

	for (;;) {
		if (!gh_raw_lock(&f->lock, &flags))
			return NULL;
		rec = fixalloc_take(f, &fresh);
		raw_spin_unlock_irqrestore(&f->lock, flags);
		if (rec)
			break;
		if (!gfp || in_nmi() || !fixalloc_add_chunk(f, gfp))
			return NULL;
	}

	if (f->zero && !fresh)
		memset(rec, 0, f->size);
	if (f->first && fresh)
		f->first(f->arg, rec);
	return rec;
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_alloc);

/**
 * gh_fixalloc_free() - free a record
 * @f: the allocator it came from
 * @rec: the record
 *
 * Overwrites the first word (8 bytes at most) of the record, nothing else.
 *
 * Context: any. In NMI context a record may be counted as in use for a while.
 */
void gh_fixalloc_free(struct gh_fixalloc *f, void *rec)
{
	unsigned long flags;

	if (!gh_raw_lock(&f->lock, &flags)) {
		llist_add(rec, &f->deferred);
		return;
	}
	if (!WARN_ON_ONCE(!f->inuse || rec == f->free))
		fixalloc_push(f, rec);
	raw_spin_unlock_irqrestore(&f->lock, flags);
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_free);

/**
 * gh_fixalloc_prefill() - make sure that allocations will find records
 * @f: the allocator
 * @n: records that must be there
 * @gfp: how to get pages
 *
 * Other tasks may take the records first: they are not reserved for the caller.
 *
 * Context: any that @gfp allows, except NMI.
 * Return: 0; or -ENOMEM, although some records may have been added.
 */
int gh_fixalloc_prefill(struct gh_fixalloc *f, unsigned long n, gfp_t gfp)
{
	while (READ_ONCE(f->navail) < n) {
		if (!fixalloc_add_chunk(f, gfp))
			return -ENOMEM;
	}
	return 0;
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_prefill);

/**
 * gh_fixalloc_stats() - read the counters
 * @f: the allocator
 * @st: where to put them
 *
 * Context: any except NMI.
 */
void gh_fixalloc_stats(struct gh_fixalloc *f, struct gh_fixalloc_stats *st)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&f->lock, flags);
	fixalloc_drain(f);
	st->inuse = f->inuse;
	st->navail = f->navail;
	st->nalloc = f->nalloc;
	st->sys = f->sys;
	st->inuse_bytes = f->inuse * f->size;
	raw_spin_unlock_irqrestore(&f->lock, flags);
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_stats);

/**
 * gh_fixalloc_init_aligned() - make an allocator of aligned records
 * @f: the allocator
 * @name: for messages; kept
 * @size: record size in bytes, 1 to GH_FIXALLOC_MAX_SIZE; rounded up to @align
 * @align: a power of two of bytes, 8 to SMP_CACHE_BYTES
 * @zero: zero records at each allocation; not for type-stable readers
 * @first: called as first(@arg, record) before a record is handed out for the
 *	   first time, in any context that allocates, without a lock; or NULL
 * @arg: for @first
 *
 * Allocates nothing.
 *
 * Context: any.
 */
void gh_fixalloc_init_aligned(struct gh_fixalloc *f, const char *name,
			      size_t size, size_t align, bool zero,
			      void (*first)(void *arg, void *rec), void *arg)
{
	WARN_ON(!size || size > GH_FIXALLOC_MAX_SIZE ||
		align < 8 || align > SMP_CACHE_BYTES);
	*f = (struct gh_fixalloc) {
		.size = ALIGN(size, align),
		.align = align,
		.zero = zero,
		.name = name,
		.first = first,
		.arg = arg,
	};
	raw_spin_lock_init(&f->lock);
	init_llist_head(&f->deferred);
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_init_aligned);

/**
 * gh_fixalloc_init() - make an allocator of records
 * @f: the allocator
 * @name: for messages; kept
 * @size: record size in bytes, 1 to GH_FIXALLOC_MAX_SIZE; rounded up to 8
 * @zero: zero records at each allocation; not for type-stable readers
 * @first: called once for each new record; see gh_fixalloc_init_aligned()
 * @arg: for @first
 *
 * Context: any.
 */
void gh_fixalloc_init(struct gh_fixalloc *f, const char *name, size_t size,
		      bool zero, void (*first)(void *arg, void *rec),
		      void *arg)
{
	gh_fixalloc_init_aligned(f, name, size, 8, zero, first, arg);
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_init);

/**
 * gh_fixalloc_destroy() - free all chunks
 * @f: the allocator; empty and ready for use afterwards
 *
 * No record may be accessed from here on, whether it was freed or not.
 *
 * Context: any except NMI; nobody else uses @f.
 * Return: how many records were still in use.
 */
unsigned long gh_fixalloc_destroy(struct gh_fixalloc *f)
{
	struct gh_fixalloc_chunk *chunk = f->chunks, *next;
	unsigned long flags, inuse;

	raw_spin_lock_irqsave(&f->lock, flags);
	fixalloc_drain(f);
	inuse = f->inuse;
	raw_spin_unlock_irqrestore(&f->lock, flags);

	for (; chunk; chunk = next) {
		next = chunk->next;
		kmemleak_free(chunk);
		free_pages((unsigned long)chunk, get_order(chunk->bytes));
	}
	gh_fixalloc_init_aligned(f, f->name, f->size, f->align, f->zero,
				 f->first, f->arg);
	return inuse;
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_destroy);
