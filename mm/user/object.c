// SPDX-License-Identifier: GPL-2.0-only
/*
 * object: objects of user heaps: allocated, freed, given, resized and pinned.
 *
 * A session owns whole spans, so sessions do not contend for objects: a process
 * allocates and frees under a lock of its own. Only a session that frees what
 * another session has given takes the heap's lock, and then the owner's.
 *
 * Objects are freed and given in batches, each of which succeeds as a whole or
 * changes nothing.
 */
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/poison.h>
#include <linux/sched.h>

#include "mark.h"
#include "object.h"
#include "owner.h"
#include "pages.h"
#include "span.h"
#include "trim.h"
#include "type.h"

/* Bytes that are zeroed under one hold of a session's lock, or one object. */
#define ZERO_BYTES	16384U

/* ---- counts and states -------------------------------------------------- */

static void obj_count(struct gh_uspan *s, int n)
	__must_hold(&s->owner->lock)
{
	struct gh_ucount *count = &s->owner->count;

	lockdep_assert_held(&s->owner->lock);

	count->objects += n;
	count->bytes += n * (s64)s->elemsize;
	if (s->type)
		atomic64_add(n, &s->type->objects);
}

/*
 * Take up to @n objects of a word of free bits. Loops over objects keep what
 * they need of the span in local variables: the compiler must assume that each
 * store of a state changes it.
 */
static unsigned int word_pick(struct gh_uspan *s, unsigned int w, u64 *offsets,
			      unsigned int n)
{
	const u64 size = s->elemsize, base = s->base + w * 64 * size;
	u64 *to = offsets, *end = offsets + n;
	u8 *state = s->state + w * 64;
	u64 i, free;

	for (free = s->free[w]; free && to < end; free &= free - 1) {
		i = __ffs64(free);
		state[i] = GH_UOBJ_PRIVATE;
		*to++ = base + i * size;
	}
	s->free[w] = free;
	return to - offsets;
}

/* Take up to @n free objects. */
static unsigned int span_pick(struct gh_uspan *s, u64 *offsets, unsigned int n)
	__must_hold(&s->owner->lock)
{
	unsigned int words = DIV_ROUND_UP(s->nelems, 64);
	unsigned int w, got = 0;

	lockdep_assert_held(&s->owner->lock);

	for (w = 0; w < words && got < n; w++)
		if (s->free[w])
			got += word_pick(s, w, offsets + got, n - got);

	s->nfree -= got;
	gh_uowner_sort(s);
	obj_count(s, got);
	s->owner->count.allocs += got;
	if (s->type)
		atomic64_add(got, &s->type->allocs);
	return got;
}

/* @n objects have become free. If @n is negative, that is undone. */
static void span_note_free(struct gh_uspan *s, int n)
	__must_hold(&s->owner->lock)
{
	lockdep_assert_held(&s->owner->lock);

	s->nfree += n;
	gh_uowner_sort(s);
	obj_count(s, -n);
	s->owner->count.frees += n;
}

/**
 * gh_uobj_set_free() - make an object free
 * @s: its span
 * @i: its index
 *
 * Context: the owner's lock is held.
 */
void gh_uobj_set_free(struct gh_uspan *s, unsigned int i)
{
	lockdep_assert_held(&s->owner->lock);

	s->state[i] = GH_UOBJ_FREE;
	s->free[i / 64] |= BIT_ULL(i % 64);
	span_note_free(s, 1);
}

/*
 * Undo a free under the same hold of the lock: no one can have allocated the
 * object since.
 */
static void obj_unset_free(struct gh_uspan *s, unsigned int i, u8 state)
	__must_hold(&s->owner->lock)
{
	lockdep_assert_held(&s->owner->lock);

	s->state[i] = state;
	s->free[i / 64] &= ~BIT_ULL(i % 64);
	span_note_free(s, -1);
}

/**
 * gh_uobj_note_given() - count given objects
 * @s: their span
 * @n: how many more there are; negative if there are fewer
 *
 * The page map says whether a span has given objects.
 *
 * Context: the owner's lock is held.
 */
void gh_uobj_note_given(struct gh_uspan *s, int n)
{
	lockdep_assert_held(&s->owner->lock);

	s->ngiven += n;
	s->owner->count.given += n;
	if (s->type)
		atomic64_add(n, &s->type->given);
	if (n > 0 ? s->ngiven == 1 : !s->ngiven)
		gh_uspan_show(s);
}

/* ---- allocation --------------------------------------------------------- */

/* The owner's lock keeps the object allocated, and so its pages. */
static void obj_fill(struct gh_usession *ss, u64 offset, size_t len, int byte)
	__must_hold(&ss->lock)
{
	lockdep_assert_held(&ss->lock);

	while (len) {
		struct page *page = gh_upages_frame(ss->heap,
						    offset >> PAGE_SHIFT);
		size_t at = offset_in_page(offset);
		size_t n = min_t(size_t, len, PAGE_SIZE - at);

		memset(page_address(page) + at, byte, n);
		offset += n;
		len -= n;
	}
}

/**
 * gh_uobj_poison() - have readers notice that an object is about to be freed
 * @s: its span
 * @i: its index
 *
 * In test builds. A large object has no memory any more afterwards, which readers notice
 * anyway.
 *
 * Context: the owner's lock is held.
 */
void gh_uobj_poison(struct gh_uspan *s, unsigned int i)
{
#ifdef GOHEAP_TESTS
	if (s->class)
		obj_fill(s->owner, s->base + (u64)i * s->elemsize, s->elemsize,
			 POISON_FREE);
#endif
}

/*
 * The smallest class that is long and aligned enough; 0 for a large object.
 * Spans begin on a heap page, so objects have the alignment of their size.
 */
static unsigned int class_for(u64 length, u64 align)
{
	unsigned int class;

	if (length > GH_MAX_SMALL || align > GH_MAX_NATURAL_ALIGN)
		return 0;
	for (class = gh_size_to_class(length); class < GH_NUM_CLASSES; class++)
		if (gh_natural_align(gh_class_size[class]) >= align)
			return class;
	return 0;
}

/*
 * Get a session a span with free objects. Returns 0 also if other threads have
 * taken all of them by then.
 */
static int session_refill(struct gh_usession *ss, const struct gh_ushape *shape)
{
	struct gh_uspan *s;
	bool dead;

	if (shape->class && gh_uowner_adopt(ss, shape->type, shape->class))
		return 0;
	s = gh_utrim_make_span(ss, shape);
	if (IS_ERR(s))
		return PTR_ERR(s);

	/* A session that has ended frees no more spans, so it must get none. */
	spin_lock(&ss->lock);
	dead = ss->dead;
	if (!dead)
		gh_uowner_add(ss, s);
	spin_unlock(&ss->lock);
	if (dead)
		gh_uspan_free(ss->heap, s);
	return dead ? -EOWNERDEAD : 0;
}

/* Pick objects of a session's spans, as many as one hold of its lock allows. */
static unsigned int session_pick(struct gh_usession *ss,
				 const struct gh_ushape *shape, bool zero,
				 u64 *offsets, unsigned int n)
{
	const unsigned int class = shape->class;
	struct list_head *list = gh_utype_partial(ss, shape->type, class);
	unsigned int i, got = 0;

	if (zero)
		n = min(n, DIV_ROUND_UP(ZERO_BYTES, gh_class_size[class]));

	spin_lock(&ss->lock);
	while (got < n && !ss->dead) {
		struct gh_uspan *s;

		s = list_first_entry_or_null(list, struct gh_uspan, plist);
		if (!s)
			break;
		got += span_pick(s, offsets + got, n - got);
	}
	for (i = 0; zero && i < got; i++)
		obj_fill(ss, offsets[i], gh_class_size[class], 0);
	spin_unlock(&ss->lock);
	return got;
}

static int alloc_small(struct gh_usession *ss, struct gh_utype *type,
		       unsigned int class, bool zero, u64 *offsets,
		       unsigned int *n)
{
	struct gh_ushape shape = {
		.class = class,
		.type = type,
		.npages = gh_class_npages[class],
		.align = 1,
	};
	unsigned int got = 0;
	int err = type ? gh_utype_prepare(ss, type, class) : 0;

	while (!err && got < *n) {
		unsigned int more;

		more = session_pick(ss, &shape, zero, offsets + got,
				    *n - got);
		got += more;
		if (!more)
			err = session_refill(ss, &shape);
	}
	*n = got;
	return err;
}

/**
 * gh_uobj_take_large() - let a session own a new span, and allocate its object
 * @ss: the session
 * @s: the span, of one object
 * @offset: set to the object's offset
 *
 * Context: the session's lock is held.
 */
void gh_uobj_take_large(struct gh_usession *ss, struct gh_uspan *s, u64 *offset)
{
	lockdep_assert_held(&ss->lock);

	gh_uowner_add(ss, s);
	span_pick(s, offset, 1);
}

static int alloc_large(struct gh_usession *ss, struct gh_utype *type,
		       u64 length, u64 align, u64 *offsets, unsigned int *n)
{
	struct gh_ushape shape = {
		.type = type,
		.npages = DIV_ROUND_UP(length, GH_PAGE_SIZE),
		.align = max_t(u64, align >> GH_PAGE_SHIFT, 1),
	};
	unsigned int got;
	int err = 0;

	for (got = 0; got < *n; got++) {
		struct gh_uspan *s = gh_utrim_make_span(ss, &shape);

		if (IS_ERR(s)) {
			err = PTR_ERR(s);
			break;
		}

		spin_lock(&ss->lock);
		if (ss->dead)
			err = -EOWNERDEAD;
		else
			gh_uobj_take_large(ss, s, offsets + got);
		spin_unlock(&ss->lock);
		if (err) {
			gh_uspan_free(ss->heap, s);
			break;
		}
	}
	*n = got;
	return err;
}

/**
 * gh_uobj_alloc() - allocate objects of one length
 * @ss: the session
 * @type: their type, or NULL
 * @length: bytes, 1 or more
 * @align: bytes, 0 or a power of two up to GH_UALIGN_MAX
 * @zero: fill them with zeroes
 * @offsets: set to their offsets
 * @n: how many, 1 or more; set to how many there are
 *
 * Context: process context, may sleep.
 * Return: 0 if there are all; else why not: -ENOMEM, -EDQUOT, -EINTR, or
 * -EOWNERDEAD if the session ended.
 */
int gh_uobj_alloc(struct gh_usession *ss, struct gh_utype *type, u64 length,
		  u64 align, bool zero, u64 *offsets, unsigned int *n)
{
	unsigned int class;

	if (type)
		length = max_t(u64, length, GH_UTYPE_LEAST);
	class = class_for(length, align);
	if (length > GH_UWINDOW) {
		*n = 0;
		return -ENOMEM;
	}
	if (!class)
		return alloc_large(ss, type, length, align, offsets, n);
	return alloc_small(ss, type, class, zero, offsets, n);
}

/* ---- looking up --------------------------------------------------------- */

/**
 * gh_uobj_refusal() - the error for an object that is not in the right state
 * @state: the state that it is in
 *
 * Return: -ENOENT, -EPERM or -EBUSY.
 */
int gh_uobj_refusal(u8 state)
{
	switch (state) {
	case GH_UOBJ_FREE:
	case GH_UOBJ_RETIRED:
	case GH_UOBJ_RETIRED_ODD:
		return -ENOENT;
	case GH_UOBJ_PRIVATE:
	case GH_UOBJ_GIVEN:
	case GH_UOBJ_HELD:
		return -EPERM;
	default:
		return -EBUSY;
	}
}

/**
 * gh_uobj_find() - find an object by its offset
 * @h: the heap
 * @offset: its start
 * @sp: set to its span
 * @idx: set to its index
 * @owner: the session that must own it, or NULL for any
 *
 * Context: with @owner, the lock of that session is held, else the heap's.
 * Return: 0, -EINVAL if no object starts there, or -EPERM.
 */
int gh_uobj_find(struct gh_uheap *h, u64 offset, struct gh_uspan **sp,
		 unsigned int *idx, struct gh_usession *owner)
{
	struct gh_uspan *s = gh_uspan_of(h, offset);
	u64 i;

	lockdep_assert(owner ? lockdep_is_held(&owner->lock) :
			       lockdep_is_held(&h->lock));

	if (unlikely(!s))
		return -EINVAL;
	if (unlikely(owner && READ_ONCE(s->owner) != owner))
		return -EPERM;
	i = gh_uspan_index(s, offset);
	if (unlikely(i >= s->nelems || s->mmap))
		return -EINVAL;
	*sp = s;
	*idx = i;
	return 0;
}

/* ---- freeing what is the session's own ---------------------------------- */

/* Free objects from the first on while they are of the span, and private. */
static unsigned int own_free_some(struct gh_uspan *s, const u64 *offsets,
				  unsigned int n)
{
	const struct gh_divisor div = s->div;
	const u64 base = s->base;
	const u32 nelems = s->nelems;
	u64 *free = s->free;
	u8 *state = s->state;
	unsigned int done;

	for (done = 0; done < n; done++) {
		/* As gh_uspan_index(). */
		u64 i = gh_divide(&div, offsets[done] - base);

		if (unlikely(i >= nelems || state[i] != GH_UOBJ_PRIVATE))
			break;
		state[i] = GH_UOBJ_FREE;
		free[i / 64] |= BIT_ULL(i % 64);
	}
	return done;
}

/*
 * Free the objects at the start of a batch that are of one span: often they
 * come one after the other. Returns how many there are; 0 if the first one
 * cannot be freed.
 */
static unsigned int own_free_run(struct gh_usession *ss, const u64 *offsets,
				 unsigned int n, struct list_head *empty)
	__must_hold(&ss->lock)
{
	struct gh_uspan *s = gh_uspan_of(ss->heap, offsets[0]);
	unsigned int i;

	lockdep_assert_held(&ss->lock);

	/* Which objects are pinned only the slow path can see. */
	if (unlikely(!s || READ_ONCE(s->owner) != ss || s->npins))
		return 0;
	i = own_free_some(s, offsets, n);

	/*
	 * If no object was freed, the span may have none: then it is in no
	 * list, and another thread is about to add it to the session's or to
	 * free it.
	 */
	if (!i)
		return 0;
	span_note_free(s, i);
	if (s->nfree == s->nelems)
		list_move(&s->list, empty);
	return i;
}

/* The lock was held all the time, so no one has allocated the objects again. */
static void own_undo_frees(struct gh_usession *ss, const u64 *offsets,
			   unsigned int n, struct list_head *empty)
	__must_hold(&ss->lock)
{
	struct gh_uspan *s;
	unsigned int i;

	lockdep_assert_held(&ss->lock);

	list_splice_init(empty, &ss->spans);
	while (n--)
		if (!gh_uobj_find(ss->heap, offsets[n], &s, &i, ss))
			obj_unset_free(s, i, GH_UOBJ_PRIVATE);
}

/* Of spans without objects, leave those in the list that can be spared. */
static void own_keep_some(struct gh_usession *ss, struct list_head *empty)
	__must_hold(&ss->lock)
{
	struct gh_uspan *s, *next;

	lockdep_assert_held(&ss->lock);

	list_for_each_entry_safe(s, next, empty, list) {
		if (gh_uowner_can_spare(s))
			gh_uowner_del_partial(s);
		else
			list_move(&s->list, &ss->spans);
	}
}

/*
 * Free a batch if all its objects are the session's own, as nearly always they
 * are. Else return -EAGAIN, with nothing changed.
 */
static int own_free(struct gh_usession *ss, const u64 *offsets, unsigned int n)
{
	unsigned int run, done = 0;
	LIST_HEAD(empty);
	int err = 0;

	spin_lock(&ss->lock);
	if (ss->dead) {
		spin_unlock(&ss->lock);
		return -EOWNERDEAD;
	}

	do {
		run = own_free_run(ss, offsets + done, n - done, &empty);
		done += run;
	} while (run && done < n);

	if (unlikely(done < n)) {
		own_undo_frees(ss, offsets, done, &empty);
		err = -EAGAIN;
	} else if (unlikely(!list_empty(&empty))) {
		own_keep_some(ss, &empty);
	}
	spin_unlock(&ss->lock);

	gh_uspan_free_all(ss->heap, &empty);
	return err;
}

/* ---- freeing what any session may free ---------------------------------- */

/*
 * The heap's lock is held through a whole batch, so that no span comes, goes or
 * changes its owner. All objects are claimed first, and freed if every claim
 * worked. A claim also finds an object that is in the batch twice.
 */
static int any_claim_one(struct gh_usession *ss, u64 offset)
	__must_hold(&ss->heap->lock)
{
	struct gh_uspan *s;
	unsigned int i;
	int err;

	lockdep_assert_held(&ss->heap->lock);

	err = gh_uobj_find(ss->heap, offset, &s, &i, NULL);
	if (err)
		return err;
	if (s->npins && gh_uobj_pinned(s, i))
		return -EBUSY;

	spin_lock(&s->owner->lock);
	if (s->state[i] == GH_UOBJ_GIVEN)
		s->state[i] = GH_UOBJ_CLAIMED_GIVEN;
	else if (s->state[i] == GH_UOBJ_PRIVATE && s->owner == ss)
		s->state[i] = GH_UOBJ_CLAIMED;
	else if (s->state[i] == GH_UOBJ_DOOMED ||
		 s->state[i] == GH_UOBJ_RESIZING)
		err = -EBUSY;
	else if (s->state[i] == GH_UOBJ_PRIVATE ||
		 s->state[i] == GH_UOBJ_HELD)
		err = -EPERM;
	else	/* retired; or a claim, which is of an earlier offset of this batch */
		err = -ENOENT;
	spin_unlock(&s->owner->lock);
	return err;
}

static void any_unclaim_one(struct gh_uheap *h, u64 offset)
	__must_hold(&h->lock)
{
	struct gh_uspan *s;
	unsigned int i;

	lockdep_assert_held(&h->lock);

	if (gh_uobj_find(h, offset, &s, &i, NULL))
		return;
	spin_lock(&s->owner->lock);
	s->state[i] = s->state[i] == GH_UOBJ_CLAIMED ? GH_UOBJ_PRIVATE :
						       GH_UOBJ_GIVEN;
	spin_unlock(&s->owner->lock);
}

/**
 * gh_uobj_shed() - take a span out of use if all its objects are free
 * @s: the span
 * @empty: gets it, if it can be spared; it must be withdrawn then
 *
 * Context: the owner's lock is held.
 */
void gh_uobj_shed(struct gh_uspan *s, struct list_head *empty)
{
	lockdep_assert_held(&s->owner->lock);

	if (s->nfree == s->nelems && gh_uowner_can_spare(s)) {
		gh_uowner_del(s);
		list_add(&s->list, empty);
	}
}

static void any_free_one(struct gh_uheap *h, u64 offset,
			 struct list_head *empty)
	__must_hold(&h->lock)
{
	struct gh_usession *owner;
	struct gh_uspan *s;
	unsigned int i;

	lockdep_assert_held(&h->lock);

	if (gh_uobj_find(h, offset, &s, &i, NULL))
		return;
	owner = s->owner;
	spin_lock(&owner->lock);
	if (s->state[i] == GH_UOBJ_CLAIMED_GIVEN) {
		gh_uobj_note_given(s, -1);
		gh_umark_clear(s, i);
	}
	gh_uobj_set_free(s, i);
	gh_uobj_shed(s, empty);
	spin_unlock(&owner->lock);
}

/* If it @must be done, also by a task that is being killed. */
static int any_free(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		    unsigned int *bad, bool must)
{
	struct gh_uheap *h = ss->heap;
	struct gh_uspan *s;
	LIST_HEAD(empty);
	unsigned int i;
	int err = 0;

	if (must)
		gh_uheap_lock(h);
	else if (gh_uheap_lock_killable(h))
		return -EINTR;
	for (i = 0; i < n && !err; i++)
		err = any_claim_one(ss, offsets[i]);

	if (err) {
		*bad = --i;
		while (i--)
			any_unclaim_one(h, offsets[i]);
	} else {
		for (i = 0; i < n; i++)
			any_free_one(h, offsets[i], &empty);
		list_for_each_entry(s, &empty, list)
			gh_uspan_withdraw(h, s);
	}
	mutex_unlock(&h->lock);

	gh_uspan_release(h, &empty);
	return err;
}

/**
 * gh_uobj_free() - free objects
 * @ss: the session
 * @offsets: starts of objects that the session owns, or that any session has
 *   given
 * @n: how many
 * @bad: set to the index of the first that is refused
 *
 * Context: process context, may sleep.
 * Return: 0; or, with nothing changed, -EINVAL if no object starts there,
 * -ENOENT if it is free, also for the second of two equal offsets, -EPERM if it
 * is another session's, -EBUSY if the kernel holds it, -EOWNERDEAD if the session
 * ended, or -EINTR if the task is being killed.
 */
int gh_uobj_free(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		 unsigned int *bad)
{
	int err = own_free(ss, offsets, n);

	if (unlikely(err == -EAGAIN))
		err = any_free(ss, offsets, n, bad, false);
	if (unlikely(err && err != -EOWNERDEAD && err != -EINTR))
		atomic64_inc(&ss->heap->bad);
	return err;
}

/**
 * gh_uobj_unalloc() - free objects that were allocated for a call that failed
 * @ss: the session
 * @offsets: the objects
 * @n: how many
 *
 * One by one: another thread may have guessed an offset and freed the object, and a
 * batch with this one in it would be refused as a whole.
 *
 * Context: process context, may sleep.
 */
void gh_uobj_unalloc(struct gh_usession *ss, const u64 *offsets, unsigned int n)
{
	unsigned int bad;

	while (n--)
		if (own_free(ss, offsets + n, 1) == -EAGAIN)
			any_free(ss, offsets + n, 1, &bad, true);
}

/* ---- giving ------------------------------------------------------------- */

/**
 * gh_uobj_give_one() - give an object
 * @ss: the session, which owns it
 * @offset: its start
 *
 * Context: the session's lock is held.
 * Return: 0 or, with nothing changed, as gh_uobj_give().
 */
int gh_uobj_give_one(struct gh_usession *ss, u64 offset)
{
	struct gh_uspan *s;
	unsigned int i;
	int err;

	lockdep_assert_held(&ss->lock);

	err = gh_uobj_find(ss->heap, offset, &s, &i, ss);
	if (err)
		return err;
	if (s->state[i] != GH_UOBJ_PRIVATE)
		return gh_uobj_refusal(s->state[i]);
	s->state[i] = GH_UOBJ_GIVEN;
	if (s->giver)
		s->giver[i] = ss->id;
	gh_uobj_note_given(s, 1);
	return 0;
}

/**
 * gh_uobj_ungive_one() - undo gh_uobj_give_one() under the same hold of the lock
 * @ss: the session
 * @offset: start of the object
 *
 * Context: the session's lock is held.
 */
void gh_uobj_ungive_one(struct gh_usession *ss, u64 offset)
{
	struct gh_uspan *s;
	unsigned int i;

	lockdep_assert_held(&ss->lock);

	if (gh_uobj_find(ss->heap, offset, &s, &i, ss))
		return;
	s->state[i] = GH_UOBJ_PRIVATE;
	gh_uobj_note_given(s, -1);
}

/**
 * gh_uobj_give() - give objects to the heap
 * @ss: the session
 * @offsets: starts of objects that the session owns
 * @n: how many
 * @bad: set to the index of the first that is refused
 *
 * From then on any session may free them, and they outlive this one.
 *
 * Context: process context, may sleep.
 * Return: 0; or, with nothing changed, as gh_uobj_free(); -EPERM also for an
 * object that was given before.
 */
int gh_uobj_give(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		 unsigned int *bad)
{
	unsigned int i;
	int err = 0;

	spin_lock(&ss->lock);
	if (ss->dead)
		err = -EOWNERDEAD;
	for (i = 0; i < n && !err; i++)
		err = gh_uobj_give_one(ss, offsets[i]);

	if (err && i) {
		*bad = --i;
		while (i--)
			gh_uobj_ungive_one(ss, offsets[i]);
	}
	spin_unlock(&ss->lock);

	if (err && err != -EOWNERDEAD)
		atomic64_inc(&ss->heap->bad);
	return err;
}

/* ---- resizing ----------------------------------------------------------- */

/* Claim a large object, so that no one frees, gives or pins it. */
static int large_claim(struct gh_usession *ss, u64 offset, struct gh_uspan **sp)
	__must_hold(&ss->lock)
{
	unsigned int i;
	int err;

	lockdep_assert_held(&ss->lock);

	err = gh_uobj_find(ss->heap, offset, sp, &i, ss);
	if (err)
		return err;
	if ((*sp)->class || ((*sp)->type && (*sp)->type->length))
		return -EINVAL;
	if ((*sp)->npins)
		return -EBUSY;
	if ((*sp)->state[0] != GH_UOBJ_PRIVATE)
		return gh_uobj_refusal((*sp)->state[0]);
	(*sp)->state[0] = GH_UOBJ_RESIZING;
	return 0;
}

/**
 * gh_uobj_resize() - change the length of a large object where it is
 * @ss: the session
 * @offset: start of an object that the session owns
 * @length: bytes, more than GH_MAX_SMALL
 *
 * Context: process context, may sleep.
 * Return: 0; or, with nothing changed, -EINVAL if no large object starts there, or
 * if its type says how long it is,
 * -EPERM if it is not the session's alone, -EBUSY if the kernel holds it,
 * -ENOSPC if what lies behind it is not free, or what gh_uobj_alloc() returns.
 */
int gh_uobj_resize(struct gh_usession *ss, u64 offset, u64 length)
{
	struct gh_uspan *s = NULL;
	int err;

	if (length > GH_UWINDOW)
		return -ENOMEM;

	/* gh_usession_end() waits until this is unlocked. */
	if (mutex_lock_killable(&ss->resize))
		return -EINTR;
	spin_lock(&ss->lock);
	err = ss->dead ? -EOWNERDEAD : large_claim(ss, offset, &s);
	spin_unlock(&ss->lock);

	if (!err) {
		err = gh_uspan_resize(ss->heap, s,
				      DIV_ROUND_UP(length, GH_PAGE_SIZE));
		spin_lock(&ss->lock);
		s->state[0] = GH_UOBJ_PRIVATE;
		spin_unlock(&ss->lock);
	}
	mutex_unlock(&ss->resize);
	return err;
}

/* ---- pins --------------------------------------------------------------- */

/**
 * gh_uobj_pinned() - does kernel code hold an object?
 * @s: the span, which has pins
 * @i: the object's index
 *
 * Context: the heap's lock is held.
 * Return: whether it does.
 */
bool gh_uobj_pinned(const struct gh_uspan *s, unsigned int i)
{
	struct gh_upin *pin;

	lockdep_assert_held(&s->owner->heap->lock);

	list_for_each_entry(pin, &s->pins, list)
		if (pin->idx == i)
			return true;
	return false;
}

/**
 * gh_uobj_free_doomed() - free an object that was to be freed while it was pinned
 * @h: the heap
 * @s: its span
 * @i: its index
 * @empty: gets the span, withdrawn, if no other object is left in it
 *
 * Context: the heap's lock is held.
 */
void gh_uobj_free_doomed(struct gh_uheap *h, struct gh_uspan *s, unsigned int i,
			 struct list_head *empty)
{
	struct gh_usession *owner = s->owner;
	unsigned int before;

	lockdep_assert_held(&h->lock);

	spin_lock(&owner->lock);
	gh_uobj_set_free(s, i);
	owner->count.reclaimed++;
	before = list_empty(empty);
	gh_uobj_shed(s, empty);
	spin_unlock(&owner->lock);

	if (before && !list_empty(empty))
		gh_uspan_withdraw(h, s);
}
