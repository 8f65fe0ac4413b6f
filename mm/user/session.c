// SPDX-License-Identifier: GPL-2.0-only
/*
 * session: a process's share of a user heap, from its beginning to its end.
 *
 * When a session ends, however that came about, what it had not given is freed.
 * Spans in which something given is left go to the heap's own session, and from
 * there to whoever needs one of the class.
 */
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include <linux/goheap.h>

#include "../fault.h"
#include "heap.h"
#include "session.h"
#include "object.h"
#include "owner.h"
#include "span.h"

/* Spans of a session that ends, looked at under one hold of the heap's lock. */
#define REAP_SPANS	256

/* ---- giving memory back ------------------------------------------------- */

/* Under the heap's lock. */
static void session_shed_all(struct gh_usession *ss, struct list_head *empty)
{
	struct gh_uspan *s;
	LIST_HEAD(mine);
	unsigned int i;

	spin_lock(&ss->lock);
	for (i = 1; i < GH_NUM_CLASSES; i++) {
		while (!list_empty(&ss->partial[i])) {
			s = list_last_entry(&ss->partial[i], struct gh_uspan,
					    plist);
			if (s->nfree < s->nelems)
				break;
			gh_uowner_del(s);
			list_add(&s->list, &mine);
		}
	}
	spin_unlock(&ss->lock);
	list_for_each_entry(s, &mine, list)
		gh_uspan_withdraw(ss->heap, s);
	list_splice(&mine, empty);
}

/**
 * gh_usession_trim() - give memory that a session does not use back
 * @ss: the session
 *
 * Context: process context, may sleep.
 * Return: bytes.
 */
unsigned long gh_usession_trim(struct gh_usession *ss)
{
	LIST_HEAD(empty);

	mutex_lock(&ss->heap->lock);
	session_shed_all(ss, &empty);
	mutex_unlock(&ss->heap->lock);
	return gh_uspan_release(ss->heap, &empty) << GH_PAGE_SHIFT;
}

/**
 * gh_uheap_trim() - give memory that no session uses back
 * @h: the heap
 *
 * Context: process context, may sleep.
 * Return: bytes.
 */
unsigned long gh_uheap_trim(struct gh_uheap *h)
{
	struct gh_usession *ss;
	LIST_HEAD(empty);

	mutex_lock(&h->lock);
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

/* ---- the life of a session ---------------------------------------------- */

/* Numbers come around after 2^32 sessions; 0 is the heap's own. */
static u32 session_new_id(struct gh_uheap *h)
{
	struct gh_usession *ss;
	bool taken;

	do {
		taken = !++h->next_id;
		list_for_each_entry(ss, &h->sessions, list)
			taken |= ss->id == h->next_id;
	} while (taken);
	return h->next_id;
}

/**
 * gh_usession_begin() - attach this process to a heap
 * @h: the heap
 * @limit: bound on its heap pages
 *
 * Context: process context, may sleep.
 * Return: the session, or -ENOMEM, or -EUSERS if there are too many.
 */
struct gh_usession *gh_usession_begin(struct gh_uheap *h, unsigned long limit)
{
	struct gh_usession *ss = NULL;
	int err = 0;

	if (!gh_fault(GH_FAULT_USER))
		ss = goheap_zalloc(sizeof(*ss), GH_UMETA_GFP);
	if (!ss)
		return ERR_PTR(-ENOMEM);
	gh_uheap_init_session(h, ss, 0, limit);
	ss->files = current->files;
	ss->pid = task_tgid_nr(current);
	get_task_comm(ss->comm, current);
	mutex_lock(&h->lock);
	if (h->nsessions == GH_USESSIONS_MAX) {
		err = -EUSERS;
	} else {
		h->nsessions++;
		ss->id = session_new_id(h);
		ss->seen = atomic64_read(&h->deaths);
		list_add_tail(&ss->list, &h->sessions);
	}
	mutex_unlock(&h->lock);
	if (err) {
		goheap_free(ss);
		return ERR_PTR(err);
	}
	kref_get(&h->ref);
	return ss;
}

/* Free what was not given. */
static void span_reap_objects(struct gh_usession *ss, struct gh_uspan *s)
{
	unsigned int i;

	for (i = 0; i < s->nelems; i++) {
		if (s->state[i] != GH_UOBJ_PRIVATE)
			continue;
		if (s->npins && gh_uobj_pinned(s, i)) {
			s->state[i] = GH_UOBJ_DOOMED;
			continue;
		}
		gh_uobj_set_free(s, i);
		ss->count.reclaimed++;
	}
}

/* What is left of a span goes to the heap's own session. */
static void span_bequeath(struct gh_usession *ss, struct gh_uspan *s)
{
	s->owner->npages -= s->npages;
	ss->heap->own.npages += s->npages;
	gh_uowner_move(s, &ss->heap->own);
}

/* Under the heap's lock. Returns false if there is nothing left. */
static bool session_reap_some(struct gh_usession *ss, struct list_head *empty)
{
	unsigned int n = REAP_SPANS;

	while (n--) {
		struct gh_uspan *s;

		spin_lock(&ss->lock);
		s = list_first_entry_or_null(&ss->spans, struct gh_uspan, list);
		if (s) {
			span_reap_objects(ss, s);
			if (s->nfree == s->nelems) {
				gh_uowner_del(s);
				list_add_tail(&s->list, empty);
			}
		}
		spin_unlock(&ss->lock);
		if (!s)
			return false;
		if (s->nfree == s->nelems)
			gh_uspan_withdraw(ss->heap, s);
		else
			span_bequeath(ss, s);
	}
	return true;
}

/* Nobody can reach the session any more but through the heap's list. */
static void session_leave(struct gh_usession *ss)
{
	struct gh_uheap *h = ss->heap;

	mutex_lock(&h->lock);
	list_del_init(&ss->list);
	h->nsessions--;
	h->gone.allocs += ss->count.allocs;
	h->gone.frees += ss->count.frees;
	h->gone.reclaimed += ss->count.reclaimed;
	mutex_unlock(&h->lock);
	atomic64_inc(&h->deaths);
	wake_up_interruptible_all(&h->wait);
}

/**
 * gh_usession_end() - free all that a session owns
 * @ss: the session; nothing happens the second time
 *
 * Context: process context, may sleep.
 */
void gh_usession_end(struct gh_usession *ss)
{
	struct gh_uheap *h = ss->heap;
	LIST_HEAD(empty);
	bool more;

	spin_lock(&ss->lock);
	more = !ss->dead;
	ss->dead = true;
	spin_unlock(&ss->lock);
	if (!more)
		return;
	/* Nothing is resized any more after this. */
	mutex_lock(&ss->resize);
	mutex_unlock(&ss->resize);
	while (more) {
		mutex_lock(&h->lock);
		more = session_reap_some(ss, &empty);
		mutex_unlock(&h->lock);
		gh_uspan_release(h, &empty);
		cond_resched();
	}
	session_leave(ss);
}

/**
 * gh_usession_put() - end a session whose file is gone
 * @ss: the session
 *
 * Context: process context, may sleep.
 */
void gh_usession_put(struct gh_usession *ss)
{
	struct gh_uheap *h = ss->heap;

	gh_usession_end(ss);
	goheap_free(ss);
	gh_uheap_put(h);
}
