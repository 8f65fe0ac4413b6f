// SPDX-License-Identifier: GPL-2.0-only
/*
 * list: the given objects of a user heap, one after the other.
 *
 * Objects never move, and are listed by offset. So it takes no snapshot, and no lock
 * between two calls, to list each object that stays given once.
 */
#include <linux/lockdep.h>
#include <linux/math64.h>

#include "list.h"
#include "span.h"

/* Heap pages and objects that are looked at under one hold of the heap's lock. */
#define LIST_LOOKS	65536U

/**
 * struct listing - a call that is under way
 * @h: the heap
 * @type: whose objects, or NULL
 * @from: least offset that has not been looked at
 * @to: what was found
 * @room: how many may be found
 * @n: how many were
 * @looks: how many pages and objects may still be looked at
 */
struct listing {
	struct gh_uheap *h;
	const struct gh_utype *type;
	u64 from;
	struct goheap_listed *to;
	unsigned int room;
	unsigned int n;
	unsigned int looks;
};

static bool is_full(const struct listing *l)
{
	return l->n == l->room || !l->looks;
}

static void list_one(struct listing *l, const struct gh_uspan *s,
		     unsigned int i)
	__must_hold(&l->h->lock)
{
	u8 state = s->state[i];

	if (state != GH_UOBJ_GIVEN && state != GH_UOBJ_HELD)
		return;
	l->to[l->n++] = (struct goheap_listed){
		.offset = s->base + (u64)i * s->elemsize,
		.length = s->elemsize,
		.type = s->type ? s->type->id : 0,
		.session = s->giver ? s->giver[i] : 0,
		.flags = state == GH_UOBJ_HELD ? GOHEAP_LISTED_HELD : 0,
	};
}

/* The owner of the span may give more meanwhile, but what is given stays. */
static void list_span(struct listing *l, struct gh_uspan *s)
	__must_hold(&l->h->lock)
{
	unsigned int i = 0;

	lockdep_assert_held(&l->h->lock);

	if (l->type && s->type != l->type)
		i = s->nelems;
	else if (l->from > s->base)
		i = div64_u64(l->from - s->base + s->elemsize - 1, s->elemsize);

	spin_lock(&s->owner->lock);
	for (; i < s->nelems && !is_full(l); i++, l->looks--)
		list_one(l, s, i);
	spin_unlock(&s->owner->lock);

	if (i < s->nelems)
		l->from = s->base + (u64)i * s->elemsize;
	else
		l->from = s->base + ((u64)s->npages << GH_PAGE_SHIFT);
}

static void list_some(struct listing *l)
	__must_hold(&l->h->lock)
{
	lockdep_assert_held(&l->h->lock);

	while (l->from < GH_UWINDOW && !is_full(l)) {
		struct gh_uspan *s = gh_uspan_of(l->h, l->from);

		l->looks--;
		if (s)
			list_span(l, s);
		else if (l->h->arena[l->from >> GH_ARENA_SHIFT])
			l->from = ALIGN_DOWN(l->from, GH_PAGE_SIZE) + GH_PAGE_SIZE;
		else
			l->from = ALIGN_DOWN(l->from, GH_ARENA_SIZE) + GH_ARENA_SIZE;
	}
}

/**
 * gh_ulist() - find given objects
 * @h: the heap
 * @type: their type, or NULL for all
 * @from: least offset; set to the one to go on from, %GH_UWINDOW at the end
 * @to: set to objects, by offset
 * @n: room in @to; set to how many there are
 *
 * Context: process context, may sleep.
 * Return: 0, or -EINTR.
 */
int gh_ulist(struct gh_uheap *h, const struct gh_utype *type, u64 *from,
	     struct goheap_listed *to, unsigned int *n)
{
	struct listing l = {
		.h = h,
		.type = type,
		.from = *from,
		.to = to,
		.room = *n,
		.looks = LIST_LOOKS,
	};

	if (gh_uheap_lock_killable(h))
		return -EINTR;
	list_some(&l);
	mutex_unlock(&h->lock);
	*from = min_t(u64, l.from, GH_UWINDOW);
	*n = l.n;
	return 0;
}
