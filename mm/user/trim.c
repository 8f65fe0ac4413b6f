// SPDX-License-Identifier: GPL-2.0-only
/*
 * trim: spans that sessions keep without using them go back to the system.
 */
#include <linux/cred.h>
#include <linux/lockdep.h>
#include <linux/sched/signal.h>

#include "charge.h"
#include "owner.h"
#include "span.h"
#include "trim.h"
#include "type.h"

/* Spans that are taken out of lists under one hold of a spinlock. */
#define TRIM_SPANS	256
/* Bins that are looked at. */
#define TRIM_BINS	256

/**
 * struct whose - which idle spans are freed; NULL: all
 * @view: those of its sessions
 * @user: those of the sessions that this user pays for
 * @type: those with objects of this type
 */
struct whose {
	const struct gh_uview *view;
	const struct ucounts *user;
	const struct gh_utype *type;
};

/* Take up to @n idle spans out of a list, which has them at its end. */
static unsigned int list_shed(struct list_head *list, struct list_head *mine,
			      unsigned int n)
{
	unsigned int left = n;
	struct gh_uspan *s;

	while (left && !list_empty(list)) {
		s = list_last_entry(list, struct gh_uspan, plist);
		if (!s->idle)
			break;
		gh_uowner_del(s);
		list_add(&s->list, mine);
		left--;
	}
	return n - left;
}

/*
 * Take idle spans out of a session's lists, and go on from the bin @from. Returns true if
 * there may be more.
 */
static bool session_shed_some(struct gh_usession *ss,
			      const struct gh_utype *type, unsigned long *from,
			      struct list_head *mine)
	__must_hold(&ss->heap->lock)
{
	unsigned long last = ULONG_MAX, key;
	unsigned int i, n = TRIM_SPANS, looks = TRIM_BINS;
	struct gh_ubin *bin;

	if (type) {
		*from = max(*from, gh_utype_bin(type, 0));
		last = gh_utype_bin(type, GH_NUM_CLASSES - 1);
	}
	spin_lock(&ss->lock);
	for (i = 1; !type && i < GH_NUM_CLASSES; i++)
		n -= list_shed(&ss->partial[i], mine, n);
	xa_for_each_range(&ss->bins, key, bin, *from, last) {
		*from = key;
		if (!n || !looks--)
			break;
		if (!xa_is_value(bin))
			n -= list_shed(&bin->partial, mine, n);
	}
	spin_unlock(&ss->lock);
	return bin || !n;
}

/* Withdraw all spans without allocated objects. */
static void session_shed_all(struct gh_usession *ss,
			     const struct gh_utype *type,
			     struct list_head *empty)
	__must_hold(&ss->heap->lock)
{
	unsigned long from = 0;
	struct gh_uspan *s;
	bool more = true;

	lockdep_assert_held(&ss->heap->lock);

	while (more) {
		LIST_HEAD(mine);

		more = session_shed_some(ss, type, &from, &mine);
		list_for_each_entry(s, &mine, list)
			gh_uspan_withdraw(ss->heap, s);
		list_splice(&mine, empty);
		cond_resched();
	}
}

/**
 * gh_utrim_session() - free the spans that a session does not use
 * @ss: the session
 *
 * Context: process context, may sleep.
 * Return: bytes, or -EINTR.
 */
long gh_utrim_session(struct gh_usession *ss)
{
	LIST_HEAD(empty);

	if (gh_uheap_lock_killable(ss->heap))
		return -EINTR;
	session_shed_all(ss, NULL, &empty);
	mutex_unlock(&ss->heap->lock);
	return gh_uspan_release(ss->heap, &empty) << GH_PAGE_SHIFT;
}

/* Of all sessions of a heap that are meant. */
static void heap_shed(struct gh_uheap *h, const struct whose *whose,
		      struct list_head *empty)
	__must_hold(&h->lock)
{
	struct gh_usession *ss;

	lockdep_assert_held(&h->lock);

	list_for_each_entry(ss, &h->sessions, list) {
		if (fatal_signal_pending(current))
			break;
		if ((!whose->view || ss->view == whose->view) &&
		    (!whose->user || ss->payer->ucounts == whose->user))
			session_shed_all(ss, whose->type, empty);
		cond_resched();
	}
}

/**
 * gh_utrim_view() - free the spans that no session of a view uses
 * @view: the view; if it allows everything, all sessions of the heap
 *
 * Context: process context, may sleep.
 * Return: bytes, or -EINTR.
 */
long gh_utrim_view(struct gh_uview *view)
{
	struct whose whose = { .view = gh_uview_is_full(view) ? NULL : view };
	struct gh_uheap *h = view->heap;
	LIST_HEAD(empty);

	if (gh_uheap_lock_killable(h))
		return -EINTR;
	heap_shed(h, &whose, &empty);
	mutex_unlock(&h->lock);
	return gh_uspan_release(h, &empty) << GH_PAGE_SHIFT;
}

/*
 * Trim what counts for the bound which refuses pages to @owner, and no more: it would be
 * slower for nothing. If memory is short, or it is the user's bound, that is what the
 * user pays for.
 */
static bool make_room(struct gh_usession *owner, const struct gh_ushape *shape,
		      int err)
{
	struct gh_uheap *h = owner->heap;
	struct whose whose = {};
	enum gh_ubound bound;
	LIST_HEAD(empty);

	if (gh_uheap_lock_killable(h))
		return false;
	bound = gh_ucharge_bound(owner, shape->type, shape->npages);
	if (bound == GH_UBOUND_VIEW)
		whose.view = owner->view;
	if (bound == GH_UBOUND_TYPE)
		whose.type = shape->type;
	if (bound == GH_UBOUND_NONE)
		whose.user = owner->payer->ucounts;
	if (bound > GH_UBOUND_SESSION ||
	    (bound == GH_UBOUND_NONE && err == -ENOMEM))
		heap_shed(h, &whose, &empty);
	mutex_unlock(&h->lock);

	/* There is room by now if another thread has made some. */
	return gh_uspan_release(h, &empty) ||
	       (bound == GH_UBOUND_NONE && err == -EDQUOT);
}

static bool is_full(const struct gh_uspan *s)
{
	return s == ERR_PTR(-EDQUOT) || s == ERR_PTR(-ENOMEM);
}

/**
 * gh_utrim_make_span() - make a new span, and free idle ones if there is no room
 * @owner: the session that will own it
 * @shape: what it should be
 *
 * Context: process context, may sleep.
 * Return: as gh_uspan_make().
 */
struct gh_uspan *gh_utrim_make_span(struct gh_usession *owner,
				    const struct gh_ushape *shape)
{
	struct gh_uspan *s = gh_uspan_make(owner, shape);

	if (is_full(s) && gh_utrim_session(owner) > 0)
		s = gh_uspan_make(owner, shape);
	if (is_full(s) && make_room(owner, shape, PTR_ERR(s)))
		s = gh_uspan_make(owner, shape);
	return s;
}
