// SPDX-License-Identifier: GPL-2.0-only
/*
 * span: spans of user heaps: made, found, resized and freed.
 *
 * A span has memory from the moment that it is made until it is released. So it
 * is the call that allocates which fails if memory runs out, a fault on an
 * object finds its page, and where nothing is allocated nothing can be touched.
 */
#include <linux/cred.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/sched/user.h>

#include "../peek.h"
#include "charge.h"
#include "pages.h"
#include "span.h"

/* ---- records ------------------------------------------------------------ */

static size_t meta_bytes(unsigned int nelems)
{
	return sizeof(u64) * DIV_ROUND_UP(nelems, 64) + nelems;
}

/**
 * gh_uspan_init_records() - make a heap ready to have records of spans
 * @h: the heap, zeroed
 */
void gh_uspan_init_records(struct gh_uheap *h)
{
	unsigned int i;

	gh_fixalloc_init_aligned(&h->span_recs, "user spans",
				 sizeof(struct gh_uspan), SMP_CACHE_BYTES,
				 false, NULL, NULL);
	h->span_recs.account = __GFP_ACCOUNT;
	for (i = 0; i < GH_NUM_META; i++) {
		gh_fixalloc_init(&h->meta[i], "user span bitmaps",
				 meta_bytes(16U << i), false, NULL, NULL);
		h->meta[i].account = __GFP_ACCOUNT;
	}
	for (i = 0; i < GH_NUM_GIVERS; i++) {
		gh_fixalloc_init(&h->givers[i], "user span givers",
				 sizeof(u32) * (i ? GH_UGIVERS_MOST :
						    GH_UGIVERS_FEW),
				 false, NULL, NULL);
		h->givers[i].account = __GFP_ACCOUNT;
	}
}

/**
 * gh_uspan_destroy_records() - free the memory of all records
 * @h: the heap, which has no spans
 *
 * Return: how many records were still in use: 0, unless spans were lost.
 */
unsigned long gh_uspan_destroy_records(struct gh_uheap *h)
{
	unsigned long left = 0;
	unsigned int i;

	for (i = 0; i < GH_NUM_META; i++)
		left += gh_fixalloc_destroy(&h->meta[i]);
	for (i = 0; i < GH_NUM_GIVERS; i++)
		left += gh_fixalloc_destroy(&h->givers[i]);
	return left + gh_fixalloc_destroy(&h->span_recs);
}

static unsigned int giver_index(unsigned int nelems)
{
	return nelems > GH_UGIVERS_FEW;
}

static void meta_free(struct gh_uheap *h, unsigned int nelems, u64 *meta,
		      u32 *giver)
{
	if (meta)
		gh_fixalloc_free(&h->meta[gh_meta_index(nelems)], meta);
	if (giver)
		gh_fixalloc_free(&h->givers[giver_index(nelems)], giver);
}

static void record_free(struct gh_uheap *h, struct gh_uspan *s)
{
	if (s->nelems > 1)
		meta_free(h, s->nelems, s->free, s->giver);
	put_cred(s->payer);
	gh_fixalloc_free_rcu(&h->span_recs, s);
}

/* All objects are free. @meta and @giver are NULL for a span of one object. */
static void record_init(struct gh_uspan *s, const struct gh_ushape *shape,
			u64 *meta, u32 *giver)
{
	unsigned int words = DIV_ROUND_UP(s->nelems, 64);
	unsigned int i;

	s->free = meta ?: &s->one_free;
	s->state = meta ? (u8 *)(meta + words) : &s->one_state;
	for (i = 0; i < words; i++)
		s->free[i] = ~0ULL;
	if (s->nelems % 64)
		s->free[words - 1] = BIT_ULL(s->nelems % 64) - 1;
	memset(s->state, GH_UOBJ_FREE, s->nelems);

	s->class = shape->class;
	s->type = shape->type;
	s->giver = giver;
	if (s->type && !giver)
		s->giver = &s->one_giver;
	s->mmap = shape->mmap;
	s->npages = shape->npages;
	s->elemsize = s->class ? gh_class_size[s->class] :
				 shape->npages << GH_PAGE_SHIFT;
	gh_divisor_init(&s->div, s->elemsize);

	s->nfree = s->nelems;
	s->ngiven = 0;
	s->npins = 0;
	INIT_LIST_HEAD(&s->pins);
	s->partial = false;
	s->idle = false;
	atomic_set(&s->nmaps, 0);
	INIT_LIST_HEAD(&s->list);
	INIT_LIST_HEAD(&s->plist);
	INIT_LIST_HEAD(&s->retired);
	s->nretired[0] = 0;
	s->nretired[1] = 0;
}

static struct gh_uspan *record_alloc(struct gh_uheap *h,
				     const struct gh_ushape *shape)
{
	unsigned int nelems = shape->class ? gh_class_nelems[shape->class] : 1;
	struct gh_uspan *s = gh_fixalloc_alloc(&h->span_recs, GH_UMETA_GFP);
	u32 *giver = NULL;
	u64 *meta = NULL;

	if (!s)
		return NULL;
	if (nelems > 1) {
		meta = gh_fixalloc_alloc(&h->meta[gh_meta_index(nelems)],
					 GH_UMETA_GFP);
		if (shape->type)
			giver = gh_fixalloc_alloc(&h->givers[giver_index(nelems)],
						  GH_UMETA_GFP);
		if (!meta || (shape->type && !giver))
			goto no_memory;
	}
	s->nelems = nelems;
	record_init(s, shape, meta, giver);
	s->payer = get_current_cred();
	return s;

no_memory:
	meta_free(h, nelems, meta, giver);
	gh_fixalloc_free(&h->span_recs, s);
	return NULL;
}

/* ---- tables ------------------------------------------------------------- */

static u64 map_entry(const struct gh_uspan *s, unsigned long i)
{
	u64 e = GOHEAP_PAGE_USED | (u64)s->class << 32 | s->owner->id;

	if (s->type)
		e |= GOHEAP_PAGE_TYPED;
	if (s->mmap)
		e |= GOHEAP_PAGE_MMAP;
	if (gh_peek(s->ngiven))
		e |= GOHEAP_PAGE_GIVEN;
	return e | min_t(u64, i, GOHEAP_PAGE_INDEX_MAX) << 42;
}

static void map_set(struct gh_uheap *h, unsigned long page, u64 entry)
{
	struct gh_uarena *arena = h->arena[page / GH_ARENA_PAGES];
	unsigned long i = page % GH_ARENA_PAGES;
	u64 *map = page_address(arena->map[i / GH_UMAP_PER_FRAME]);

	WRITE_ONCE(map[i % GH_UMAP_PER_FRAME], entry);
}

/**
 * gh_uspan_show() - enter a span in the page map
 * @s: the span
 *
 * Of a large object, only the first page is entered: a program that frees the
 * object looks there.
 *
 * Context: the owner's lock is held.
 */
void gh_uspan_show(struct gh_uspan *s)
{
	unsigned long page = s->base >> GH_PAGE_SHIFT;
	unsigned long i, n = s->class ? s->npages : 1;

	lockdep_assert_held(&s->owner->lock);

	for (i = 0; i < n; i++)
		map_set(s->owner->heap, page + i, map_entry(s, i));
}

/**
 * gh_uspan_show_rest() - enter a large object's other pages in the page map
 * @s: its span
 *
 * There may be millions of them, too many for a spinlock.
 *
 * Context: the heap's lock is held, and no spinlock.
 */
void gh_uspan_show_rest(struct gh_uspan *s)
{
	unsigned long page = s->base >> GH_PAGE_SHIFT;
	unsigned long i;

	lockdep_assert_held(&s->owner->heap->lock);

	for (i = 1; !s->class && i < s->npages; i++) {
		map_set(s->owner->heap, page + i,
			map_entry(s, i) & ~GOHEAP_PAGE_GIVEN);
		cond_resched();
	}
}

/* Let pages lead to a span, or to none if @entry is NULL. */
static void span_set_table(struct gh_uheap *h, unsigned long page,
			   unsigned long npages, struct gh_uspan *entry)
	__must_hold(&h->lock)
{
	lockdep_assert_held(&h->lock);

	for (; npages--; page++) {
		struct gh_uarena *arena = h->arena[page / GH_ARENA_PAGES];

		/* Pairs with the acquire in gh_uspan_of(). */
		smp_store_release(&arena->span[page % GH_ARENA_PAGES], entry);
		if (!entry)
			map_set(h, page, 0);
		cond_resched();
	}
}

/* ---- spans -------------------------------------------------------------- */

/* Charge for the pages of a new span, and take them. */
static int span_reserve(struct gh_uspan *s, struct gh_usession *owner,
			const struct gh_ushape *shape)
{
	struct gh_uheap *h = owner->heap;
	unsigned long page;
	int err = gh_uheap_lock_killable(h);

	if (err)
		return err;
	err = gh_ucharge_add_span(owner, s->type, s->payer, shape->npages);
	if (err)
		goto out;

	err = gh_upages_take(h, shape, &page);
	if (err) {
		gh_ucharge_owner(owner, -shape->npages);
		gh_ucharge_view(owner->view, -shape->npages);
		gh_ucharge_sub_span(h, s->type, s->payer, shape->npages);
		goto out;
	}
	s->base = (u64)page << GH_PAGE_SHIFT;
	s->view = owner->view;
out:
	mutex_unlock(&h->lock);
	return err;
}

/* Undo span_reserve(), but for what owner and view count. */
static void span_unreserve(struct gh_uheap *h, struct gh_uspan *s)
	__must_hold(&h->lock)
{
	lockdep_assert_held(&h->lock);

	gh_upages_put(h, s->base >> GH_PAGE_SHIFT, s->npages);
	gh_ucharge_sub_span(h, s->type, s->payer, s->npages);
}

/* Enter a span, which has its memory, in the tables where others find it. */
static void span_publish(struct gh_uspan *s, struct gh_usession *owner)
{
	struct gh_uheap *h = owner->heap;

	gh_uheap_lock(h);
	h->nspans++;
	span_set_table(h, s->base >> GH_PAGE_SHIFT, s->npages, s);

	spin_lock(&owner->lock);
	WRITE_ONCE(s->owner, owner);
	gh_uspan_show(s);
	spin_unlock(&owner->lock);

	gh_uspan_show_rest(s);
	mutex_unlock(&h->lock);
}

/**
 * gh_uspan_make() - make a new span
 * @owner: the session that will own it
 * @shape: what it should be
 *
 * All its objects are free; it is in no list of its owner.
 *
 * Context: process context, may sleep.
 * Return: the span, or -ENOMEM, -EDQUOT or -EINTR as a pointer.
 */
struct gh_uspan *gh_uspan_make(struct gh_usession *owner,
			       const struct gh_ushape *shape)
{
	struct gh_uheap *h = owner->heap;
	struct gh_uspan *s = record_alloc(h, shape);
	LIST_HEAD(frames);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	err = span_reserve(s, owner, shape);
	if (err)
		goto no_pages;

	/* Without the heap's lock: memory can take long to come. */
	err = gh_upages_alloc_frames(&frames, s->npages * GH_UPAGE_FRAMES,
				     s->mmap ? GH_UEASY_GFP : GH_UMETA_GFP);
	if (err)
		goto no_frames;
	err = gh_upages_install(h, &frames, s->base >> PAGE_SHIFT);
	if (err)
		goto no_frames;

	span_publish(s, owner);
	return s;

no_frames:
	gh_upages_free_frames(&frames);
	gh_uheap_lock(h);
	gh_ucharge_owner(owner, -s->npages);
	gh_ucharge_view(s->view, -s->npages);
	span_unreserve(h, s);
	mutex_unlock(&h->lock);
no_pages:
	record_free(h, s);
	return ERR_PTR(err);
}

/**
 * gh_uspan_withdraw() - take a span out of the heap's tables
 * @h: the heap
 * @s: the span, which is in no list of its owner; all its objects are free
 *
 * gh_uspan_release() must follow.
 *
 * Context: the heap's lock is held.
 */
void gh_uspan_withdraw(struct gh_uheap *h, struct gh_uspan *s)
{
	struct gh_usession *owner = s->owner;

	lockdep_assert_held(&h->lock);

	span_set_table(h, s->base >> GH_PAGE_SHIFT, s->npages, NULL);
	h->nspans--;
	gh_ucharge_owner(owner, -s->npages);
	gh_ucharge_view(s->view, -s->npages);

	/*
	 * own_free_run() looks spans up with only the owner's lock, and may
	 * have found this one before it left the table. Wait until it has
	 * dropped the lock. A thread that takes the lock later sees that the
	 * span has no owner.
	 */
	spin_lock(&owner->lock);
	WRITE_ONCE(s->owner, NULL);
	spin_unlock(&owner->lock);
}

/* The grace period of records that were freed before may be over by now. */
static void age_records(struct gh_uheap *h)
{
	unsigned int i;

	gh_fixalloc_age(&h->span_recs);
	for (i = 0; i < GH_NUM_META; i++)
		gh_fixalloc_age(&h->meta[i]);
	for (i = 0; i < GH_NUM_GIVERS; i++)
		gh_fixalloc_age(&h->givers[i]);
}

/**
 * gh_uspan_release() - free the memory, pages and records of spans
 * @h: the heap
 * @spans: withdrawn spans, by their @list; empty afterwards
 *
 * Context: process context, may sleep.
 * Return: heap pages.
 */
unsigned long gh_uspan_release(struct gh_uheap *h, struct list_head *spans)
{
	struct gh_uspan *s, *next;
	unsigned long done = 0;
	LIST_HEAD(frames);

	if (list_empty(spans))
		return 0;

	/* Of all spans at once, because unmapping is what costs most. */
	list_for_each_entry(s, spans, list)
		gh_upages_detach(h, &frames, s->base >> PAGE_SHIFT,
				 s->npages * GH_UPAGE_FRAMES);
	gh_upages_unmap(h, &frames);
	gh_upages_free_frames(&frames);

	/* Only now may others take the pages of the window. */
	gh_uheap_lock(h);
	list_for_each_entry_safe(s, next, spans, list) {
		list_del(&s->list);
		done += s->npages;
		span_unreserve(h, s);
		record_free(h, s);
		if (need_resched()) {
			mutex_unlock(&h->lock);
			cond_resched();
			gh_uheap_lock(h);
		}
	}
	mutex_unlock(&h->lock);

	age_records(h);
	return done;
}

/**
 * gh_uspan_free_all() - withdraw and release spans
 * @h: the heap
 * @spans: spans without allocated objects, by their @list; empty afterwards
 *
 * Context: process context, may sleep.
 */
void gh_uspan_free_all(struct gh_uheap *h, struct list_head *spans)
{
	struct gh_uspan *s;

	if (list_empty(spans))
		return;
	gh_uheap_lock(h);
	list_for_each_entry(s, spans, list)
		gh_uspan_withdraw(h, s);
	mutex_unlock(&h->lock);
	gh_uspan_release(h, spans);
}

/**
 * gh_uspan_free() - withdraw and release a span
 * @h: the heap
 * @s: the span, which is in no list; all its objects are free
 *
 * Context: process context, may sleep.
 */
void gh_uspan_free(struct gh_uheap *h, struct gh_uspan *s)
{
	LIST_HEAD(spans);

	list_add(&s->list, &spans);
	gh_uspan_free_all(h, &spans);
}

/* ---- resizing ----------------------------------------------------------- */

/* Charge for the pages behind a span, and take them. */
static int span_reserve_more(struct gh_uspan *s, const struct cred *payer,
			     unsigned long npages)
	__must_hold(&s->owner->heap->lock)
{
	struct gh_usession *owner = s->owner;
	struct gh_uheap *h = owner->heap;
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages;
	int err;

	lockdep_assert_held(&h->lock);

	if (npages > (GH_UWINDOW >> GH_PAGE_SHIFT) - page)
		return -ENOSPC;

	err = gh_ucharge_add_span(owner, s->type, payer, npages);
	if (err)
		return err;

	err = gh_upages_take_at(h, page, npages);
	if (err) {
		gh_ucharge_owner(owner, -npages);
		gh_ucharge_view(owner->view, -npages);
		gh_ucharge_sub_span(h, s->type, payer, npages);
	}
	return err;
}

static void span_unreserve_some(struct gh_uheap *h, struct gh_uspan *s,
				const struct cred *payer, unsigned long page,
				unsigned long npages)
	__must_hold(&h->lock)
{
	lockdep_assert_held(&h->lock);

	gh_upages_put(h, page, npages);
	gh_ucharge_owner(s->owner, -npages);
	gh_ucharge_view(s->view, -npages);
	gh_ucharge_sub_span(h, s->type, payer, npages);
}

static void span_set_length(struct gh_uspan *s, unsigned long npages)
	__must_hold(&s->owner->heap->lock)
{
	struct gh_usession *owner = s->owner;

	lockdep_assert_held(&owner->heap->lock);

	spin_lock(&owner->lock);
	owner->count.bytes -= s->elemsize;
	s->npages = npages;
	s->elemsize = npages << GH_PAGE_SHIFT;
	owner->count.bytes += s->elemsize;
	gh_divisor_init(&s->div, s->elemsize);
	spin_unlock(&owner->lock);
}

/* Pages were reserved for the span: get memory for them, and pay for them. */
static int span_equip(struct gh_uheap *h, struct gh_uspan *s,
		      const struct cred **payer, unsigned long page,
		      unsigned long npages)
{
	LIST_HEAD(frames);
	int err;

	/* Without the heap's lock: memory can take long to come. */
	err = gh_upages_alloc_frames(&frames, npages * GH_UPAGE_FRAMES,
				     GH_UMETA_GFP);
	if (err)
		return err;

	err = gh_upages_install(h, &frames, page * GH_UPAGE_FRAMES);
	if (err)
		goto out;

	/* The calling process pays for the pages that the span has, too. */
	gh_uheap_lock(h);
	if (!gh_ucharge_is_payer(s))
		err = gh_ucharge_set_payer(s, payer);
	mutex_unlock(&h->lock);

	if (err) {
		gh_upages_detach(h, &frames, page * GH_UPAGE_FRAMES,
				 npages * GH_UPAGE_FRAMES);
		gh_upages_unmap(h, &frames);
	}
out:
	gh_upages_free_frames(&frames);
	return err;
}

static int span_extend(struct gh_uheap *h, struct gh_uspan *s,
		       unsigned long npages)
{
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages;
	const struct cred *payer;
	int err = gh_uheap_lock_killable(h);

	if (err)
		return err;
	payer = get_current_cred();
	err = span_reserve_more(s, payer, npages);
	mutex_unlock(&h->lock);
	if (err)
		goto out;

	err = span_equip(h, s, &payer, page, npages);
	gh_uheap_lock(h);
	if (err) {
		span_unreserve_some(h, s, payer, page, npages);
	} else {
		span_set_table(h, page, npages, s);
		span_set_length(s, s->npages + npages);
		gh_uspan_show_rest(s);
	}
	mutex_unlock(&h->lock);
out:
	put_cred(payer);
	return err;
}

static void span_shorten(struct gh_uheap *h, struct gh_uspan *s,
			 unsigned long npages)
{
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages - npages;
	LIST_HEAD(frames);

	gh_uheap_lock(h);
	span_set_table(h, page, npages, NULL);
	span_set_length(s, s->npages - npages);
	mutex_unlock(&h->lock);

	gh_upages_detach(h, &frames, page * GH_UPAGE_FRAMES,
			 npages * GH_UPAGE_FRAMES);
	gh_upages_unmap(h, &frames);
	gh_upages_free_frames(&frames);

	/* Only now may others take the pages of the window. */
	gh_uheap_lock(h);
	span_unreserve_some(h, s, s->payer, page, npages);
	mutex_unlock(&h->lock);
}

/**
 * gh_uspan_resize() - change the length of a large object where it is
 * @h: the heap
 * @s: its span; the object is GH_UOBJ_RESIZING, and its session cannot end
 * @npages: heap pages it should have
 *
 * Context: process context, may sleep; no lock of the heap's is held.
 * Return: 0; or -ENOSPC if the pages behind it are not free, -ENOMEM, -EDQUOT
 * or -EINTR, with nothing changed.
 */
int gh_uspan_resize(struct gh_uheap *h, struct gh_uspan *s,
		    unsigned long npages)
{
	if (npages > s->npages)
		return span_extend(h, s, npages - s->npages);
	if (npages < s->npages)
		span_shorten(h, s, s->npages - npages);
	return 0;
}
