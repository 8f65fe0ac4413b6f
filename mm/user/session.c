// SPDX-License-Identifier: GPL-2.0-only
/*
 * session: a process's share of a user heap, from its beginning to its end.
 *
 * When a session ends, for whatever reason, all objects are freed that it has not
 * given, and those that it was about to free or has taken. Spans in which a given
 * object is left go to the heap's own session; from there, other sessions adopt them.
 */
#include <linux/cred.h>
#include <linux/lockdep.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include <linux/goheap.h>

#include "../fault.h"
#include "charge.h"
#include "defer.h"
#include "heap.h"
#include "object.h"
#include "owner.h"
#include "session.h"
#include "side.h"
#include "span.h"
#include "type.h"
#include "view.h"

static_assert(sizeof(struct gh_usession) + SZ_2K <=
	      GH_URECORD_COST * GH_PAGE_SIZE);

/* Spans that an ending session frees under one hold of the heap's lock. */
#define REAP_SPANS	256

/* ---- the life of a session ---------------------------------------------- */

/* Numbers come around after 2^31 sessions; 0 is the heap's own session. */
static int session_number(struct gh_usession *ss)
{
	struct gh_uheap *h = ss->heap;
	int err = -ENOMEM;

	if (!gh_fault(GH_FAULT_USER))
		err = xa_alloc_cyclic(&h->ids, &ss->id, ss,
				      XA_LIMIT(1, GH_USESSION_ID_MAX), &h->next_id,
				      GH_UMETA_GFP);
	return min(err, 0);
}

static struct gh_usession *session_new(struct gh_uview *view,
				       unsigned long limit)
{
	struct gh_usession *ss = gh_ucharge_new_record(sizeof(*ss));

	if (!ss)
		return NULL;
	gh_uheap_init_session(view->heap, ss, view, limit);
	ss->files = current->files;
	ss->payer = get_current_cred();
	ss->tgid = get_pid(task_tgid(current));
	ss->pid = task_tgid_nr(current);
	get_task_comm(ss->comm, current);
	return ss;
}

static void session_free(struct gh_usession *ss)
{
	put_pid(ss->tgid);
	gh_ucharge_free_record(ss, ss->payer);
}

static bool view_is_full(const struct gh_uview *view)
	__must_hold(&view->heap->lock)
{
	const struct gh_uheap *h = view->heap;

	lockdep_assert_held(&h->lock);

	return h->nsessions >= h->all.max_sessions ||
	       view->nsessions >= view->max_sessions;
}

/* A call that will be refused should take no number. */
static int session_may_begin(const struct gh_uview *view)
{
	int err = gh_uheap_lock_killable(view->heap);

	if (err)
		return err;
	err = view_is_full(view) ? -EUSERS : 0;
	mutex_unlock(&view->heap->lock);
	return err;
}

static int session_join(struct gh_usession *ss)
	__must_hold(&ss->heap->lock)
{
	struct gh_uview *view = ss->view;
	struct gh_uheap *h = ss->heap;

	lockdep_assert_held(&h->lock);

	if (view_is_full(view))
		return -EUSERS;
	h->nsessions++;
	view->nsessions++;
	/* Until now, the caller's file has kept heap and view alive. */
	view->files++;
	kref_get(&h->ref);
	h->max_id = max(h->max_id, ss->id);
	ss->seen = atomic64_read(&h->deaths);
	list_add_tail(&ss->list, &h->sessions);
	return 0;
}

/**
 * gh_usession_begin() - attach this process to a heap
 * @view: what its descriptor of the heap allows
 * @limit: bound on its heap pages
 *
 * Context: process context, may sleep.
 * Return: the session, or -ENOMEM, -EINTR, or -EUSERS if there are too many.
 */
struct gh_usession *gh_usession_begin(struct gh_uview *view,
				      unsigned long limit)
{
	struct gh_uheap *h = view->heap;
	struct gh_usession *ss;
	int err = session_may_begin(view);

	if (err)
		return ERR_PTR(err);
	ss = session_new(view, limit);
	if (!ss)
		return ERR_PTR(-ENOMEM);
	err = session_number(ss);
	if (err)
		goto no_number;

	err = gh_uheap_lock_killable(h);
	if (err)
		goto not_in;
	err = session_join(ss);
	mutex_unlock(&h->lock);
	if (!err)
		return ss;

not_in:
	xa_erase(&h->ids, ss->id);
no_number:
	session_free(ss);
	return ERR_PTR(err);
}

/* Free the objects that were not given; those that are pinned, later. */
static void span_reap_objects(struct gh_usession *ss, struct gh_uspan *s)
	__must_hold(&ss->lock)
{
	unsigned int i;

	lockdep_assert_held(&ss->heap->lock);
	lockdep_assert_held(&ss->lock);

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

/* Move a span with given or pinned objects to the heap's own session. */
static void span_disown(struct gh_usession *ss, struct gh_uspan *s)
	__must_hold(&ss->heap->lock)
{
	lockdep_assert_held(&ss->heap->lock);

	gh_ucharge_owner(ss, -s->npages);
	gh_ucharge_owner(&ss->heap->own, s->npages);
	gh_uowner_move(s, &ss->heap->own);
}

/* Returns false if no span is left. */
static bool session_reap_some(struct gh_usession *ss, struct list_head *empty)
	__must_hold(&ss->heap->lock)
{
	unsigned int n = REAP_SPANS;

	lockdep_assert_held(&ss->heap->lock);

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
			span_disown(ss, s);
	}
	return true;
}

/* A process that ends closes its descriptors itself. */
static void death_note(struct gh_udeath *death, const struct gh_usession *ss)
{
	bool exits = current->flags & PF_EXITING;

	put_pid(death->tgid);
	death->tgid = get_pid(ss->tgid);
	death->session = ss->id;
	death->signal = exits ? current->exit_code & 0x7f : 0;
	if (!exits)
		death->how = GOHEAP_DEATH_CLOSED;
	else
		death->how = death->signal ? GOHEAP_DEATH_KILLED :
					     GOHEAP_DEATH_EXITED;
}

static void session_announce(struct gh_usession *ss)
{
	struct gh_uheap *h = ss->heap;
	u64 n;

	gh_uheap_lock(h);
	n = atomic64_read(&h->deaths);
	death_note(&h->death[n % GH_UDEATHS], ss);
	atomic64_set(&h->deaths, n + 1);
	/* Its successor may attach now. */
	h->nsessions--;
	ss->view->nsessions--;
	mutex_unlock(&h->lock);

	wake_up_interruptible_all(&h->wait);
}

/* Its number can be another's from now on. */
static void session_leave(struct gh_usession *ss)
{
	struct gh_uheap *h = ss->heap;

	gh_uheap_lock(h);
	list_del_init(&ss->list);
	h->gone.allocs += ss->count.allocs;
	h->gone.frees += ss->count.frees;
	h->gone.reclaimed += ss->count.reclaimed;
	mutex_unlock(&h->lock);

	xa_erase(&h->ids, ss->id);
}

/**
 * gh_usession_end() - free all that a session owns, and has not given
 * @ss: the session; a second call does nothing
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
	WRITE_ONCE(ss->dead, true);
	spin_unlock(&ss->lock);
	if (!more)
		return;

	/*
	 * No span may be freed while its object is being resized. A resize that
	 * has begun holds this mutex: wait for it. One that begins later sees
	 * that the session is dead.
	 */
	mutex_lock(&ss->resize);
	mutex_unlock(&ss->resize);

	gh_udefer_drain(ss);
	/* Those who wait for it need not wait for the memory as well. */
	session_announce(ss);

	/*
	 * The session gets no more spans: a thread that has made one finds it
	 * dead under its lock, and one that wants to adopt finds it dead under
	 * the heap's. Others get the heap's lock between the steps.
	 */
	while (more) {
		gh_uheap_lock(h);
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
	struct gh_uview *view = ss->view;

	gh_usession_end(ss);
	/* Who still had the list mapped may have entered more since the end. */
	gh_udefer_drain(ss);
	gh_uside_release(ss);
	gh_utype_end_session(ss);
	session_free(ss);
	gh_uview_close(view);
}

/**
 * gh_usession_death() - which session has ended, and how
 * @h: the heap
 * @d: @number says which; the rest is set
 *
 * Context: process context, may sleep.
 * Return: 0; -ENOENT if it has not happened, -ESTALE if it is forgotten, or -EINTR.
 */
int gh_usession_death(struct gh_uheap *h, struct goheap_death *d)
{
	const struct gh_udeath *death;
	u64 deaths;
	int err = gh_uheap_lock_killable(h);

	if (err)
		return err;
	deaths = atomic64_read(&h->deaths);
	if (!d->number || d->number > deaths) {
		err = -ENOENT;
	} else if (deaths - d->number >= GH_UDEATHS) {
		err = -ESTALE;
	} else {
		death = &h->death[(d->number - 1) % GH_UDEATHS];
		d->session = death->session;
		d->pid = pid_vnr(death->tgid);
		d->how = death->how;
		d->signal = death->signal;
	}
	mutex_unlock(&h->lock);
	return err;
}
