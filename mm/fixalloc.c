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
 * A record is cut from a chunk when the chunk's free list is empty. When it is
 * freed it goes to that list, which is linked through the first word of the
 * records. A chunk of several pages is a compound page, so the header of a
 * record's chunk is found from any of them.
 *
 * Names: @f is an allocator, @chunk one of its chunks, @rec a record.
 *
 * Only gh_fixalloc_age() and an allocation that would need a new chunk start a
 * grace period, and the latter only if it may sleep: see there.
 *
 * Lock: gh_fixalloc.lock. It is a leaf and is never held while pages are
 * allocated or freed, or while a grace period is started, so the caller may be
 * in any context that its gfp flags allow, on PREEMPT_RT too. In NMI context
 * the lock is only tried. If it is taken, an allocation fails, and a freed
 * record waits on a lockless list until the lock is taken the next time.
 *
 * A free may come from an interrupt, or with preemption off, where on
 * PREEMPT_RT no page can be freed. So chunks are freed in process context only,
 * by gh_fixalloc_age() and gh_fixalloc_trim().
 */
#include <linux/align.h>
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/kmemleak.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "compat.h"
#include "fault.h"
#include "fixalloc.h"
#include "gfp.h"
#include "peek.h"
#include "rawlock.h"

/* Records, or chunks, that are moved under one hold of the lock. */
#define HOLD_MAX	16

/**
 * struct gh_fixalloc_chunk - header at the start of a chunk
 * @list: in one of the lists of @owner
 * @owner: the allocator
 * @free: free records, last in first out
 * @inuse: records that are handed out, or wait for a grace period
 * @bytes: size of the chunk
 * @pos: offset of the first record that was never handed out, bytes
 */
struct gh_fixalloc_chunk {
	struct list_head list;
	struct gh_fixalloc *owner;
	void *free;
	u32 inuse;
	u32 bytes;
	u32 pos;
};

static_assert(SMP_CACHE_BYTES <= 256);
static_assert(sizeof(struct gh_fixalloc_chunk) <= 256);
static_assert(sizeof(struct llist_node) <= 8);

/* ---- chunks; under the lock --------------------------------------------- */

static struct gh_fixalloc_chunk *chunk_of(const void *rec)
{
	return page_address(virt_to_head_page(rec));
}

static struct gh_fixalloc_chunk *chunk_first_of(struct list_head *list)
{
	return list_first_entry_or_null(list, struct gh_fixalloc_chunk, list);
}

/* Offset of the first record, bytes. */
static u32 chunk_start(const struct gh_fixalloc *f)
{
	return ALIGN(sizeof(struct gh_fixalloc_chunk), f->align);
}

/* Number of records that a chunk has room for. */
static unsigned long chunk_room(const struct gh_fixalloc *f,
				const struct gh_fixalloc_chunk *chunk)
{
	return (chunk->bytes - chunk_start(f)) / f->size;
}

static bool chunk_is_full(const struct gh_fixalloc *f,
			  const struct gh_fixalloc_chunk *chunk)
{
	return !chunk->free && chunk->pos + f->size > chunk->bytes;
}

/* Sets @fresh if the record was never handed out before. */
static void *chunk_take(struct gh_fixalloc *f, struct gh_fixalloc_chunk *chunk,
			bool *fresh)
{
	void *rec = chunk->free;

	lockdep_assert_held(&f->lock);

	*fresh = !rec;
	if (rec) {
		chunk->free = *(void **)rec;
	} else {
		rec = (void *)chunk + chunk->pos;
		chunk->pos += f->size;
	}
	f->navail--;

	if (!chunk->inuse++) {
		list_move_tail(&chunk->list, &f->partial);
		f->nempty--;
	}
	if (chunk_is_full(f, chunk))
		list_move_tail(&chunk->list, &f->full);
	return rec;
}

static void chunk_put(struct gh_fixalloc *f, struct gh_fixalloc_chunk *chunk,
		      void *rec)
{
	lockdep_assert_held(&f->lock);

	if (chunk_is_full(f, chunk))
		list_move_tail(&chunk->list, &f->partial);
	*(void **)rec = chunk->free;
	chunk->free = rec;
	f->navail++;

	if (!--chunk->inuse) {
		list_move(&chunk->list, &f->empty);
		f->nempty++;
	}
}

/* Is it a record of this allocator, and not the one that was freed last? */
static bool chunk_owns(const struct gh_fixalloc *f,
		       const struct gh_fixalloc_chunk *chunk, const void *rec)
{
	return chunk->owner == f && chunk->inuse && chunk->free != rec;
}

/* ---- batches; under the lock -------------------------------------------- */

static struct gh_fixalloc_batch *batch_nth(struct gh_fixalloc *f,
					   unsigned int n)
{
	return &f->batch[(f->oldest + n) % GH_FIXALLOC_BATCHES];
}

/*
 * The batch for records that are freed now. If all are in use, the last one is
 * made to wait for them as well. That is safe for the records in it, because
 * each cookie names a grace period that ends no earlier than those before it.
 */
static struct gh_fixalloc_batch *batch_for(struct gh_fixalloc *f,
					   unsigned long cookie)
{
	struct gh_fixalloc_batch *b;

	lockdep_assert_held(&f->lock);

	if (f->nbatches) {
		b = batch_nth(f, f->nbatches - 1);
		if (b->cookie == cookie)
			return b;
		if (f->nbatches == GH_FIXALLOC_BATCHES) {
			b->cookie = cookie;
			return b;
		}
	}

	b = batch_nth(f, f->nbatches++);
	b->cookie = cookie;
	return b;
}

/* Take a record out whose grace period is over, or return NULL. */
static void *batch_take(struct gh_fixalloc *f)
{
	struct gh_fixalloc_batch *b = batch_nth(f, 0);
	void *rec;

	lockdep_assert_held(&f->lock);

	if (!f->nbatches || !poll_state_synchronize_rcu(b->cookie))
		return NULL;
	rec = b->head;
	b->head = *(void **)rec;
	f->nwait--;

	if (!--b->n) {
		f->oldest = (f->oldest + 1) % GH_FIXALLOC_BATCHES;
		f->nbatches--;
	}
	return rec;
}

/* ---- the allocator; under the lock -------------------------------------- */

static void fixalloc_put(struct gh_fixalloc *f, void *rec)
	__must_hold(&f->lock)
{
	struct gh_fixalloc_chunk *chunk = chunk_of(rec);

	if (WARN_ON_ONCE(!chunk_owns(f, chunk, rec)))
		return;
	chunk_put(f, chunk, rec);
	f->inuse--;
}

/* Takes in records that were freed in NMI context while the lock was taken. */
static void fixalloc_drain(struct gh_fixalloc *f)
	__must_hold(&f->lock)
{
	unsigned int n = HOLD_MAX;
	struct llist_node *rec;

	lockdep_assert_held(&f->lock);

	/* With the lock, this is the only one that takes records out. */
	while (n-- && (rec = llist_del_first(&f->deferred)))
		fixalloc_put(f, rec);
}

/*
 * First choice is a record of a chunk that is in use anyway, then one whose
 * grace period is over, because its chunk is in use as well. An empty chunk
 * comes last, as it could be freed.
 */
static void *fixalloc_take(struct gh_fixalloc *f, bool *fresh)
	__must_hold(&f->lock)
{
	struct gh_fixalloc_chunk *chunk;
	void *rec = NULL;

	lockdep_assert_held(&f->lock);

	if (unlikely(!llist_empty(&f->deferred)))
		fixalloc_drain(f);

	*fresh = false;
	chunk = chunk_first_of(&f->partial);
	if (!chunk) {
		rec = batch_take(f);
		if (!rec)
			chunk = chunk_first_of(&f->empty);
	}
	if (chunk)
		rec = chunk_take(f, chunk, fresh);

	if (rec) {
		f->inuse++;
		f->nalloc++;
	}
	return rec;
}

/* ---- chunks come and go; without the lock ------------------------------- */

static void chunk_free(struct gh_fixalloc_chunk *chunk)
{
	kmemleak_free(chunk);
	free_pages((unsigned long)chunk, get_order(chunk->bytes));
}

/* A page, unless no record would fit. */
static unsigned long chunk_least(const struct gh_fixalloc *f)
{
	return PAGE_SIZE << get_order(chunk_start(f) + f->size);
}

/*
 * Half of what there is already, from a page to 16 KiB. A heap has some twenty of
 * these allocators, and most serve few records, so none may take much more than it
 * needs.
 */
static unsigned int chunk_order(const struct gh_fixalloc *f)
{
	unsigned long half = gh_peek(f->sys) / 2, least = chunk_least(f);

	return ilog2(clamp(half, least, max(least, GH_FIXALLOC_CHUNK)) /
		     PAGE_SIZE);
}

/* If that cannot be had without effort, a page. */
static struct gh_fixalloc_chunk *chunk_new(struct gh_fixalloc *f, gfp_t gfp)
{
	unsigned int order = chunk_order(f);
	struct gh_fixalloc_chunk *chunk;

	if (gh_fault(GH_FAULT_FIXALLOC) || gh_pages_cannot_be_had())
		return NULL;

	gfp = gh_gfp_meta(gfp) | f->account;
	chunk = (void *)__get_free_pages(gfp | __GFP_COMP | __GFP_NOWARN |
					 __GFP_NORETRY, order);
	if (!chunk) {
		order = get_order(chunk_least(f));
		chunk = (void *)__get_free_pages(gfp | __GFP_COMP, order);
	}
	if (!chunk)
		return NULL;

	INIT_LIST_HEAD(&chunk->list);
	chunk->owner = f;
	chunk->bytes = PAGE_SIZE << order;
	chunk->pos = chunk_start(f);
	/* A record may have the only pointer to an object kmemleak knows. */
	kmemleak_alloc(chunk, chunk->bytes, 0, gfp);
	return chunk;
}

/*
 * If records wait, and nobody else starts the grace period that they wait for,
 * each allocation until the next gh_fixalloc_age() would be served from new
 * chunks. So start it, for the allocations to come. RCU wants interrupts on.
 */
static bool fixalloc_add_chunk(struct gh_fixalloc *f, gfp_t gfp)
{
	struct gh_fixalloc_chunk *chunk;
	unsigned long flags;

	if (gh_peek(f->nbatches) && gfpflags_allow_blocking(gfp))
		start_poll_synchronize_rcu();
	chunk = chunk_new(f, gfp);
	if (!chunk)
		return false;

	raw_spin_lock_irqsave(&f->lock, flags);
	list_add(&chunk->list, &f->empty);
	f->nempty++;
	f->navail += chunk_room(f, chunk);
	f->sys += chunk->bytes;
	raw_spin_unlock_irqrestore(&f->lock, flags);
	return true;
}

/*
 * Free some empty chunks, those that became empty first. Returns false once
 * there are no more than @spares.
 */
static bool fixalloc_release(struct gh_fixalloc *f, unsigned int spares)
{
	struct gh_fixalloc_chunk *chunk, *next;
	unsigned int n = HOLD_MAX;
	unsigned long flags;
	LIST_HEAD(gone);

	if (gh_peek(f->nempty) <= spares)
		return false;

	raw_spin_lock_irqsave(&f->lock, flags);
	while (n && f->nempty > spares) {
		chunk = list_last_entry(&f->empty, struct gh_fixalloc_chunk,
					list);
		list_move(&chunk->list, &gone);
		f->nempty--;
		f->navail -= chunk_room(f, chunk);
		f->sys -= chunk->bytes;
		n--;
	}
	raw_spin_unlock_irqrestore(&f->lock, flags);

	list_for_each_entry_safe(chunk, next, &gone, list)
		chunk_free(chunk);
	return !n;
}

/*
 * Return some of the records whose grace period is over to their chunks.
 * Returns false if there are no more of them.
 */
static bool fixalloc_collect(struct gh_fixalloc *f)
{
	unsigned int n = HOLD_MAX;
	unsigned long flags;
	void *rec;
	bool more;

	if (!gh_peek(f->nbatches) && llist_empty(&f->deferred))
		return false;

	raw_spin_lock_irqsave(&f->lock, flags);
	fixalloc_drain(f);
	while (n && (rec = batch_take(f))) {
		chunk_put(f, chunk_of(rec), rec);
		n--;
	}
	more = !n || !llist_empty(&f->deferred);
	raw_spin_unlock_irqrestore(&f->lock, flags);
	return more;
}

/* ---- what the other files call ------------------------------------------ */

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
 * gh_fixalloc_free() - free a record that no reader without a lock may see
 * @f: the allocator it came from
 * @rec: the record
 *
 * It may be handed out again at once.
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
	fixalloc_put(f, rec);
	raw_spin_unlock_irqrestore(&f->lock, flags);
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_free);

/**
 * gh_fixalloc_free_rcu() - free a record once nobody reads it any more
 * @f: the allocator it came from
 * @rec: the record, which can no longer be found by new readers
 *
 * Overwrites the first word (8 bytes at most) of the record, nothing else. The
 * record is usable again after a grace period, by allocations that find no
 * other, or after gh_fixalloc_age(), which is also what starts a grace period
 * if nobody else does.
 *
 * Context: any but NMI.
 */
void gh_fixalloc_free_rcu(struct gh_fixalloc *f, void *rec)
{
	struct gh_fixalloc_batch *b;
	unsigned long flags;

	raw_spin_lock_irqsave(&f->lock, flags);
	if (WARN_ON_ONCE(!chunk_owns(f, chunk_of(rec), rec)))
		goto out;

	/*
	 * The cookie is good for what was withdrawn before it was taken. The
	 * _full() variants could name a grace period that is too short, on 6.1
	 * while CPUs come online.
	 */
	b = batch_for(f, get_state_synchronize_rcu());
	/* Readers may be looking at this word. */
	WRITE_ONCE(*(void **)rec, b->head);
	b->head = rec;
	b->n++;
	f->nwait++;
	f->inuse--;
out:
	raw_spin_unlock_irqrestore(&f->lock, flags);
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_free_rcu);

/**
 * gh_fixalloc_age() - make records usable whose grace period is over
 * @f: the allocator
 *
 * Chunks that are empty then are freed, except for one. If records wait for
 * another grace period, it is started, and this must be called again later.
 *
 * Context: process context, may sleep, but does not wait for anything.
 * Return: true if records wait.
 */
bool gh_fixalloc_age(struct gh_fixalloc *f)
{
	while (fixalloc_collect(f))
		cond_resched();
	while (fixalloc_release(f, 1))
		cond_resched();

	if (!gh_peek(f->nbatches))
		return false;
	start_poll_synchronize_rcu();
	return true;
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_age);

/**
 * gh_fixalloc_trim() - give all empty chunks back to the system
 * @f: the allocator
 *
 * Context: process context, may sleep.
 */
void gh_fixalloc_trim(struct gh_fixalloc *f)
{
	while (fixalloc_release(f, 0))
		cond_resched();
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_trim);

/**
 * gh_fixalloc_prefill() - make sure that allocations will find records
 * @f: the allocator
 * @n: records that must be there
 * @gfp: how to get pages
 *
 * Other tasks may take the records first: they are not reserved for the caller.
 * gh_fixalloc_age() leaves one chunk of those that nobody took a record from.
 *
 * Context: any that @gfp allows, except NMI.
 * Return: 0; or -ENOMEM, although some records may have been added.
 */
int gh_fixalloc_prefill(struct gh_fixalloc *f, unsigned long n, gfp_t gfp)
{
	while (gh_peek(f->navail) < n) {
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
	st->nwait = f->nwait;
	st->nalloc = f->nalloc;
	st->sys = f->sys;
	st->inuse_bytes = f->inuse * f->size;
	raw_spin_unlock_irqrestore(&f->lock, flags);
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_stats);

/* ---- life --------------------------------------------------------------- */

/**
 * gh_fixalloc_init_aligned() - make an allocator of aligned records
 * @f: the allocator
 * @name: for messages; kept
 * @size: record size in bytes, 1 to GH_FIXALLOC_MAX_SIZE; rounded up to @align
 * @align: a power of two of bytes, 8 to SMP_CACHE_BYTES
 * @zero: zero records at each allocation
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
	INIT_LIST_HEAD(&f->partial);
	INIT_LIST_HEAD(&f->full);
	INIT_LIST_HEAD(&f->empty);
	init_llist_head(&f->deferred);
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_init_aligned);

/**
 * gh_fixalloc_init() - make an allocator of records
 * @f: the allocator
 * @name: for messages; kept
 * @size: record size in bytes, 1 to GH_FIXALLOC_MAX_SIZE; rounded up to 8
 * @zero: zero records at each allocation
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
 * No record may be accessed from here on, whether it was freed or not. Waits
 * for no grace period: there must be no readers any more.
 *
 * Context: process context, may sleep; nobody else uses @f.
 * Return: how many records were still in use.
 */
unsigned long gh_fixalloc_destroy(struct gh_fixalloc *f)
{
	struct gh_fixalloc_chunk *chunk, *next;
	unsigned long flags, inuse;
	LIST_HEAD(gone);

	while (fixalloc_collect(f))
		cond_resched();
	raw_spin_lock_irqsave(&f->lock, flags);
	inuse = f->inuse;
	list_splice_init(&f->partial, &gone);
	list_splice_init(&f->full, &gone);
	list_splice_init(&f->empty, &gone);
	raw_spin_unlock_irqrestore(&f->lock, flags);

	list_for_each_entry_safe(chunk, next, &gone, list) {
		chunk_free(chunk);
		cond_resched();
	}
	gh_fixalloc_init_aligned(f, f->name, f->size, f->align, f->zero,
				 f->first, f->arg);
	return inuse;
}
GH_EXPORT_FOR_TESTS(gh_fixalloc_destroy);
