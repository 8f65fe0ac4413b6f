// SPDX-License-Identifier: GPL-2.0-only
/*
 * trim: spans that sessions keep without using them go back to the system.
 */
#include <linux/lockdep.h>
#include <linux/sched/signal.h>

#include "charge.h"
#include "owner.h"
#include "span.h"
#include "trim.h"

/* Spans that are taken out of lists under one hold of a spinlock. */
#define TRIM_SPANS	256

/* Take idle spans out of a session's lists. Returns false if none is left. */
static bool session_shed_some(struct gh_usession *ss, struct list_head *mine)
{
	unsigned int i, n = TRIM_SPANS;
	struct gh_uspan *s;

	/* Each list has them at its end. */
	spin_lock(&ss->lock);
	for (i = 1; n && i < GH_NUM_CLASSES; i++) {
		while (n && !list_empty(&ss->partial[i])) {
			s = list_last_entry(&ss->partial[i], struct gh_uspan,
					    plist);
			if (!s->idle)
				break;
			gh_uowner_del(s);
			list_add(&s->list, mine);
			n--;
		}
	}
	spin_unlock(&ss->lock);
	return !n;
}

/* Withdraw all spans without allocated objects. */
static void session_shed_all(struct gh_usession *ss, struct list_head *empty)
	__must_hold(&ss->heap->lock)
{
	struct gh_uspan *s;
	bool more = true;

	lockdep_assert_held(&ss->heap->lock);

	while (more) {
		LIST_HEAD(mine);

		more = session_shed_some(ss, &mine);
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
	session_shed_all(ss, &empty);
	mutex_unlock(&ss->heap->lock);
	return gh_uspan_release(ss->heap, &empty) << GH_PAGE_SHIFT;
}

/**
 * gh_utrim_heap() - free the spans that no session of a heap uses
 * @h: the heap
 *
 * Context: process context, may sleep.
 * Return: bytes, or -EINTR.
 */
long gh_utrim_heap(struct gh_uheap *h)
{
	struct gh_usession *ss;
	LIST_HEAD(empty);

	if (gh_uheap_lock_killable(h))
		return -EINTR;
	session_shed_all(&h->own, &empty);
	list_for_each_entry(ss, &h->sessions, list) {
		if (fatal_signal_pending(current))
			break;
		session_shed_all(ss, &empty);
		cond_resched();
	}
	mutex_unlock(&h->lock);

	return gh_uspan_release(h, &empty) << GH_PAGE_SHIFT;
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
	/* Who is at a bound of his own must not bother the others. */
	if (is_full(s) && gh_ucharge_heap_is_full(owner, shape->npages) &&
	    gh_utrim_heap(owner->heap) > 0)
		s = gh_uspan_make(owner, shape);
	return s;
}
