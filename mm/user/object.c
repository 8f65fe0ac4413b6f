// SPDX-License-Identifier: GPL-2.0-only
/*
 * uobj: objects of user heaps: allocated, freed, given and resized.
 *
 * A session owns whole spans, so sessions do not meet over objects: what a
 * process allocates and frees is under a lock of its own. Only who frees
 * what another session gave away takes the heap's lock, and then the owner's.
 */
#include <linux/mm.h>
#include <linux/sched.h>

#include "object.h"
#include "pin.h"

/* Bytes that are zeroed under one hold of a session's lock, or one object. */
#define ZERO_BYTES	16384U

/* Spans that somebody's session left, looked at before a new one is made. */
#define ADOPT_TRIES	8

/* ---- spans of a session; its lock is held ------------------------------- */

/* Spans in which nothing is left come last: they may yet be given back. */
static void partial_add(struct gh_uspan *s)
{
	struct list_head *list = &s->owner->partial[s->class];

	if (!s->class)
		return;
	if (s->nfree == s->nelems)
		list_move_tail(&s->plist, list);
	else if (!s->partial)
		list_add(&s->plist, list);
	s->partial = true;
}

static void partial_del(struct gh_uspan *s)
{
	if (s->partial) {
		list_del_init(&s->plist);
		s->partial = false;
	}
}

static void span_join(struct gh_usession *ss, struct gh_uspan *s)
{
	WRITE_ONCE(s->owner, ss);
	list_add_tail(&s->list, &ss->spans);
	if (s->nfree)
		partial_add(s);
}

/**
 * gh_uspan_part() - take a span out of its owner's lists
 * @s: the span
 *
 * Context: the owner's lock is held.
 */
void gh_uspan_part(struct gh_uspan *s)
{
	partial_del(s);
	list_del_init(&s->list);
}

/* A free span is kept if it is the only one of its class with a free object. */
static bool span_is_spare(const struct gh_uspan *s)
{
	struct gh_usession *owner = s->owner;

	return !s->class || owner == &owner->heap->own ||
	       !list_is_singular(&owner->partial[s->class]);
}

/* ---- objects; the owner's lock is held ---------------------------------- */

static void obj_count(struct gh_uspan *s, int n)
{
	struct gh_ucount *count = &s->owner->count;

	count->objects += n;
	count->bytes += n * (s64)s->elemsize;
}

/*
 * Take up to @n objects of a word of free bits. In loops over objects, what is
 * needed of the span is read once: as far as the compiler knows, any store of a
 * state changes it.
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
{
	unsigned int words = DIV_ROUND_UP(s->nelems, 64);
	unsigned int w, got = 0;

	for (w = 0; w < words && got < n; w++)
		if (s->free[w])
			got += word_pick(s, w, offsets + got, n - got);
	s->nfree -= got;
	if (!s->nfree)
		partial_del(s);
	obj_count(s, got);
	s->owner->count.allocs += got;
	return got;
}

/* Objects of a span have become free, or are not free after all. */
static void span_note_free(struct gh_uspan *s, int n)
{
	s->nfree += n;
	if (s->nfree)
		partial_add(s);
	else
		partial_del(s);
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
	s->state[i] = GH_UOBJ_FREE;
	s->free[i / 64] |= BIT_ULL(i % 64);
	span_note_free(s, 1);
}

/* Undo it; nobody had the object since. */
static void obj_unset_free(struct gh_uspan *s, unsigned int i, u8 state)
{
	s->state[i] = state;
	s->free[i / 64] &= ~BIT_ULL(i % 64);
	span_note_free(s, -1);
}

/* What was given is the first of its span, or the last: the page map says so. */
static void obj_note_given(struct gh_uspan *s, int n)
{
	s->ngiven += n;
	s->owner->count.given += n;
	if (n > 0 ? s->ngiven == 1 : !s->ngiven)
		gh_uspan_show(s);
}

/* ---- allocation --------------------------------------------------------- */

/* Under the owner's lock, which keeps the object and its pages. */
static void obj_zero(struct gh_uheap *h, u64 offset, size_t len)
{
	while (len) {
		struct page *page = gh_uheap_frame(h, offset >> PAGE_SHIFT);
		size_t at = offset_in_page(offset);
		size_t n = min_t(size_t, len, PAGE_SIZE - at);

		memset(page_address(page) + at, 0, n);
		offset += n;
		len -= n;
	}
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

/**
 * gh_uspan_move() - let a span, with its objects, change hands
 * @s: the span
 * @to: whose it will be
 *
 * Context: the heap's lock is held, and no spinlock.
 */
void gh_uspan_move(struct gh_uspan *s, struct gh_usession *to)
{
	struct gh_usession *from = s->owner;
	u64 n = s->nelems - s->nfree;

	spin_lock(&from->lock);
	gh_uspan_part(s);
	WRITE_ONCE(s->owner, NULL);
	from->count.objects -= n;
	from->count.bytes -= n * s->elemsize;
	from->count.given -= s->ngiven;
	from->count.pinned -= s->npins;
	spin_unlock(&from->lock);
	spin_lock(&to->lock);
	to->count.objects += n;
	to->count.bytes += n * s->elemsize;
	to->count.given += s->ngiven;
	to->count.pinned += s->npins;
	span_join(to, s);
	gh_uspan_show(s);
	spin_unlock(&to->lock);
	gh_uspan_show_rest(s);
}

/* Has anybody a page besides the heap and those who map it? */
static bool frame_is_held(struct page *page)
{
	int maps = atomic_read(&page->_mapcount) + 1;

	/* Who maps it just now makes it seem held, not free: count those first. */
	smp_rmb();
	return page_ref_count(page) > 1 + maps;
}

/* Does a device perhaps still write to what its dead owner had there? */
static bool span_is_held(struct gh_uheap *h, const struct gh_uspan *s)
{
	unsigned long nr = s->base >> PAGE_SHIFT;
	unsigned long n = s->npages * GH_UPAGE_FRAMES;

	while (n--)
		if (frame_is_held(gh_uheap_frame(h, nr + n)))
			return true;
	return false;
}

/* Take a span of the class that outlived its session. */
static bool session_adopt(struct gh_usession *ss, unsigned int class)
{
	struct gh_uheap *h = ss->heap;
	struct gh_usession *own = &h->own;
	unsigned int tries = ADOPT_TRIES;
	struct gh_uspan *s;
	bool done = false;

	if (list_empty_careful(&own->partial[class]))
		return false;
	mutex_lock(&h->lock);
	list_for_each_entry(s, &own->partial[class], plist) {
		if (READ_ONCE(ss->dead) || !tries--)
			break;
		if (span_is_held(h, s))
			continue;
		done = !gh_uspan_recharge(s, ss);
		if (done)
			gh_uspan_move(s, ss);
		break;
	}
	mutex_unlock(&h->lock);
	return done;
}

/* Release spans that are in no list of their owner. */
static unsigned long spans_give_back(struct gh_uheap *h,
				     struct list_head *spans)
{
	struct gh_uspan *s;

	if (list_empty(spans))
		return 0;
	mutex_lock(&h->lock);
	list_for_each_entry(s, spans, list)
		gh_uspan_withdraw(h, s);
	mutex_unlock(&h->lock);
	return gh_uspan_release(h, spans);
}

static void span_give_back(struct gh_uheap *h, struct gh_uspan *s)
{
	LIST_HEAD(spans);

	list_add(&s->list, &spans);
	spans_give_back(h, &spans);
}

/* Returns 0 if the session has a span with a free object, perhaps. */
static int session_refill(struct gh_usession *ss, const struct gh_ushape *shape)
{
	struct gh_uspan *s;
	bool dead;

	if (shape->class && session_adopt(ss, shape->class))
		return 0;
	s = gh_uspan_make(ss, shape);
	if (IS_ERR(s))
		return PTR_ERR(s);
	spin_lock(&ss->lock);
	dead = ss->dead;
	if (!dead)
		span_join(ss, s);
	spin_unlock(&ss->lock);
	if (dead)
		span_give_back(ss->heap, s);
	return dead ? -EOWNERDEAD : 0;
}

/* Pick objects of the session's spans, as many as one hold of its lock allows. */
static unsigned int session_pick(struct gh_usession *ss, unsigned int class,
				 bool zero, u64 *offsets, unsigned int n)
{
	unsigned int i, got = 0;

	if (zero)
		n = min(n, DIV_ROUND_UP(ZERO_BYTES, gh_class_size[class]));
	spin_lock(&ss->lock);
	while (got < n && !ss->dead) {
		struct gh_uspan *s;

		s = list_first_entry_or_null(&ss->partial[class],
					     struct gh_uspan, plist);
		if (!s)
			break;
		got += span_pick(s, offsets + got, n - got);
	}
	for (i = 0; zero && i < got; i++)
		obj_zero(ss->heap, offsets[i], gh_class_size[class]);
	spin_unlock(&ss->lock);
	return got;
}

static int session_alloc_small(struct gh_usession *ss, unsigned int class,
			       bool zero, u64 *offsets, unsigned int *n)
{
	struct gh_ushape shape = {
		.class = class,
		.npages = gh_class_npages[class],
		.align = 1,
	};
	unsigned int got = 0;
	int err = 0;

	while (!err && got < *n) {
		unsigned int more;

		more = session_pick(ss, class, zero, offsets + got, *n - got);
		got += more;
		if (!more)
			err = session_refill(ss, &shape);
	}
	*n = got;
	return err;
}

static void span_join_full(struct gh_usession *ss, struct gh_uspan *s,
			   u64 *offset)
{
	span_join(ss, s);
	span_pick(s, offset, 1);
}

static int session_alloc_large(struct gh_usession *ss, u64 length, u64 align,
			       u64 *offsets, unsigned int *n)
{
	struct gh_ushape shape = {
		.npages = DIV_ROUND_UP(length, GH_PAGE_SIZE),
		.align = max_t(u64, align >> GH_PAGE_SHIFT, 1),
	};
	unsigned int got;
	int err = 0;

	for (got = 0; got < *n; got++) {
		struct gh_uspan *s = gh_uspan_make(ss, &shape);

		if (IS_ERR(s)) {
			err = PTR_ERR(s);
			break;
		}
		spin_lock(&ss->lock);
		if (ss->dead)
			err = -EOWNERDEAD;
		else
			span_join_full(ss, s, offsets + got);
		spin_unlock(&ss->lock);
		if (err) {
			span_give_back(ss->heap, s);
			break;
		}
	}
	*n = got;
	return err;
}

/**
 * gh_usession_alloc() - allocate objects of one length
 * @ss: the session
 * @length: bytes, 1 or more
 * @align: bytes, 0 or a power of two up to GH_UALIGN_MAX
 * @zero: fill them with zeroes
 * @offsets: where they go
 * @n: how many, 1 or more; set to how many there are
 *
 * Context: process context, may sleep.
 * Return: 0 if there are all; else why not: -ENOMEM, -EDQUOT, -EINTR, or
 * -EOWNERDEAD if the session ended.
 */
int gh_usession_alloc(struct gh_usession *ss, u64 length, u64 align, bool zero,
		      u64 *offsets, unsigned int *n)
{
	unsigned int class = class_for(length, align);

	if (length > GH_UWINDOW) {
		*n = 0;
		return -ENOMEM;
	}
	if (!class)
		return session_alloc_large(ss, length, align, offsets, n);
	return session_alloc_small(ss, class, zero, offsets, n);
}

/* ---- freeing ------------------------------------------------------------ */

/* How what is in such a state is refused to whom it does not belong. */
static int obj_refusal(u8 state)
{
	switch (state) {
	case GH_UOBJ_FREE:
		return -ENOENT;
	case GH_UOBJ_PRIVATE:
	case GH_UOBJ_GIVEN:
		return -EPERM;
	default:
		return -EBUSY;
	}
}

/* Find an object. With the heap's lock, or the owner's if that is expected. */
static int obj_find(struct gh_uheap *h, u64 offset, struct gh_uspan **sp,
		    unsigned int *idx, struct gh_usession *owner)
{
	struct gh_uspan *s = gh_uspan_of(h, offset);
	u64 i;

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

/* Objects of one span often come one after the other: how many of these do? */
static unsigned int own_free_run(struct gh_usession *ss, const u64 *offsets,
				 unsigned int n, struct list_head *empty)
{
	struct gh_uspan *s = gh_uspan_of(ss->heap, offsets[0]);
	unsigned int i;

	if (unlikely(!s || READ_ONCE(s->owner) != ss || s->npins))
		return 0;
	i = own_free_some(s, offsets, n);
	/* Without objects it may be in the hands of another thread. */
	if (!i)
		return 0;
	span_note_free(s, i);
	if (s->nfree == s->nelems)
		list_move(&s->list, empty);
	return i;
}

/* Nobody had them since: the lock was held. */
static void own_undo_frees(struct gh_usession *ss, const u64 *offsets,
			   unsigned int n, struct list_head *empty)
{
	struct gh_uspan *s;
	unsigned int i;

	list_splice_init(empty, &ss->spans);
	while (n--)
		if (!obj_find(ss->heap, offsets[n], &s, &i, ss))
			obj_unset_free(s, i, GH_UOBJ_PRIVATE);
}

/* Of spans without objects, leave in the list those that are not worth keeping. */
static void own_keep_some(struct gh_usession *ss, struct list_head *empty)
{
	struct gh_uspan *s, *next;

	list_for_each_entry_safe(s, next, empty, list) {
		if (span_is_spare(s))
			partial_del(s);
		else
			list_move(&s->list, &ss->spans);
	}
}

/*
 * The quick way, which nearly always is all there is to it: everything is the
 * session's own. If not, nothing changes.
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
	spans_give_back(ss->heap, &empty);
	return err;
}

/* Under the heap's lock, which keeps owners and spans as they are. */
static int any_claim_one(struct gh_usession *ss, u64 offset)
{
	struct gh_uspan *s;
	unsigned int i;
	int err;

	err = obj_find(ss->heap, offset, &s, &i, NULL);
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
	else	/* claimed means: earlier in this batch */
		err = s->state[i] == GH_UOBJ_PRIVATE ? -EPERM : -ENOENT;
	spin_unlock(&s->owner->lock);
	return err;
}

static void any_unclaim_one(struct gh_uheap *h, u64 offset)
{
	struct gh_uspan *s;
	unsigned int i;

	if (obj_find(h, offset, &s, &i, NULL))
		return;
	spin_lock(&s->owner->lock);
	s->state[i] = s->state[i] == GH_UOBJ_CLAIMED ? GH_UOBJ_PRIVATE :
						       GH_UOBJ_GIVEN;
	spin_unlock(&s->owner->lock);
}

/* An object of a span is free now; should the span be too? Its owner's lock. */
static void span_shed(struct gh_uspan *s, struct list_head *empty)
{
	if (s->nfree == s->nelems && span_is_spare(s)) {
		gh_uspan_part(s);
		list_add(&s->list, empty);
	}
}

static void any_free_one(struct gh_uheap *h, u64 offset, struct list_head *empty)
{
	struct gh_usession *owner;
	struct gh_uspan *s;
	unsigned int i;

	if (obj_find(h, offset, &s, &i, NULL))
		return;
	owner = s->owner;
	spin_lock(&owner->lock);
	if (s->state[i] == GH_UOBJ_CLAIMED_GIVEN)
		obj_note_given(s, -1);
	gh_uobj_set_free(s, i);
	span_shed(s, empty);
	spin_unlock(&owner->lock);
}

/**
 * gh_uobj_bury() - free an object that outlived its session because it was pinned
 * @h: the heap
 * @s: its span
 * @i: its index
 * @empty: gets the span, withdrawn, if nothing is left in it
 *
 * Context: the heap's lock is held.
 */
void gh_uobj_bury(struct gh_uheap *h, struct gh_uspan *s, unsigned int i,
		  struct list_head *empty)
{
	struct gh_usession *owner = s->owner;
	unsigned int before;

	spin_lock(&owner->lock);
	gh_uobj_set_free(s, i);
	owner->count.reclaimed++;
	before = list_empty(empty);
	span_shed(s, empty);
	spin_unlock(&owner->lock);
	if (before && !list_empty(empty))
		gh_uspan_withdraw(h, s);
}

/* Whatever may be freed: also what others gave. All or nothing. */
static int any_free(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		    unsigned int *bad)
{
	struct gh_uheap *h = ss->heap;
	struct gh_uspan *s;
	LIST_HEAD(empty);
	unsigned int i;
	int err = 0;

	mutex_lock(&h->lock);
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
 * gh_usession_free() - free objects
 * @ss: the session
 * @offsets: starts of objects that the session owns, or anybody gave
 * @n: how many
 * @bad: set to the index of the first that is refused
 *
 * Context: process context, may sleep.
 * Return: 0; or, with nothing changed, -EINVAL if no object starts there, -ENOENT
 * if it is free, also for the second of two equal offsets, -EPERM if it is another
 * session's, -EBUSY if the kernel holds it, or -EOWNERDEAD if the session ended.
 */
int gh_usession_free(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		     unsigned int *bad)
{
	int err = own_free(ss, offsets, n);

	if (unlikely(err == -EAGAIN))
		err = any_free(ss, offsets, n, bad);
	if (unlikely(err && err != -EOWNERDEAD))
		atomic64_inc(&ss->heap->bad);
	return err;
}

/* ---- giving ------------------------------------------------------------- */

static int give_one(struct gh_usession *ss, u64 offset)
{
	struct gh_uspan *s;
	unsigned int i;
	int err;

	err = obj_find(ss->heap, offset, &s, &i, ss);
	if (err)
		return err;
	if (s->state[i] != GH_UOBJ_PRIVATE)
		return obj_refusal(s->state[i]);
	s->state[i] = GH_UOBJ_GIVEN;
	obj_note_given(s, 1);
	return 0;
}

static void ungive_one(struct gh_usession *ss, u64 offset)
{
	struct gh_uspan *s;
	unsigned int i;

	if (obj_find(ss->heap, offset, &s, &i, ss))
		return;
	s->state[i] = GH_UOBJ_PRIVATE;
	obj_note_given(s, -1);
}

/**
 * gh_usession_give() - give objects to the heap
 * @ss: the session
 * @offsets: starts of objects that the session owns
 * @n: how many
 * @bad: set to the index of the first that is refused
 *
 * From then on anybody may free them, and they outlive the session.
 *
 * Context: process context, may sleep.
 * Return: 0; or, with nothing changed, as gh_usession_free(); -EPERM also for what
 * was given before.
 */
int gh_usession_give(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		     unsigned int *bad)
{
	unsigned int i;
	int err = 0;

	spin_lock(&ss->lock);
	if (ss->dead)
		err = -EOWNERDEAD;
	for (i = 0; i < n && !err; i++)
		err = give_one(ss, offsets[i]);
	if (err && i) {
		*bad = --i;
		while (i--)
			ungive_one(ss, offsets[i]);
	}
	spin_unlock(&ss->lock);
	if (err && err != -EOWNERDEAD)
		atomic64_inc(&ss->heap->bad);
	return err;
}

/* ---- resizing ----------------------------------------------------------- */

/* Claim a large object of the session's, so that it stays what it is. */
static int large_claim(struct gh_usession *ss, u64 offset, struct gh_uspan **sp)
{
	unsigned int i;
	int err;

	err = obj_find(ss->heap, offset, sp, &i, ss);
	if (err)
		return err;
	if ((*sp)->class)
		return -EINVAL;
	if ((*sp)->npins)
		return -EBUSY;
	if ((*sp)->state[0] != GH_UOBJ_PRIVATE)
		return obj_refusal((*sp)->state[0]);
	(*sp)->state[0] = GH_UOBJ_RESIZING;
	return 0;
}

/**
 * gh_usession_resize() - change the length of a large object where it is
 * @ss: the session
 * @offset: start of an object that the session owns
 * @length: bytes, more than GH_MAX_SMALL
 *
 * Context: process context, may sleep.
 * Return: 0; or, with nothing changed, -EINVAL if no large object starts there,
 * -EPERM if it is not the session's alone, -EBUSY if the kernel holds it, -ENOSPC
 * if what lies behind it is not free, or what gh_usession_alloc() returns.
 */
int gh_usession_resize(struct gh_usession *ss, u64 offset, u64 length)
{
	struct gh_uspan *s = NULL;
	int err;

	if (length > GH_UWINDOW)
		return -ENOMEM;
	mutex_lock(&ss->resize);
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

/* ---- allocation by mmap() ----------------------------------------------- */

/**
 * gh_umapping_alloc() - allocate a span for a mapping of its own
 * @h: the heap, which owns it
 * @len: bytes, 1 or more
 *
 * Context: process context, may sleep.
 * Return: the span, or an error as a pointer, see gh_uspan_make().
 */
struct gh_uspan *gh_umapping_alloc(struct gh_uheap *h, u64 len)
{
	struct gh_ushape shape = {
		.npages = DIV_ROUND_UP_ULL(len, GH_PAGE_SIZE),
		.align = 1,
		.mmap = true,
	};
	struct gh_uspan *s;
	u64 offset;

	if (len > GH_UWINDOW)
		return ERR_PTR(-ENOMEM);
	s = gh_uspan_make(&h->own, &shape);
	if (IS_ERR(s))
		return s;
	spin_lock(&h->own.lock);
	span_join_full(&h->own, s, &offset);
	spin_unlock(&h->own.lock);
	return s;
}

/**
 * gh_umapping_free() - free the span of a mapping
 * @h: the heap
 * @s: the span, which nobody maps any more
 *
 * Context: process context, may sleep.
 */
void gh_umapping_free(struct gh_uheap *h, struct gh_uspan *s)
{
	spin_lock(&h->own.lock);
	gh_uobj_set_free(s, 0);
	gh_uspan_part(s);
	spin_unlock(&h->own.lock);
	span_give_back(h, s);
}
