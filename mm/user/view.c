// SPDX-License-Identifier: GPL-2.0-only
/*
 * view: descriptors of a heap that allow less than that of who opened it.
 *
 * Limits of sessions bind nobody who can attach again. What a descriptor allows binds
 * all sessions that are attached through it, together, and whoever has only that
 * descriptor. So what these sessions leave behind stays in the quota.
 */
#include <linux/cred.h>

#include "charge.h"
#include "heap.h"
#include "view.h"

/**
 * gh_uview_make() - allow some of a heap
 * @h: the heap
 * @limit: bound on the heap pages of all sessions
 * @max_sessions: bound on these sessions
 * @attaches: there may be sessions
 *
 * Context: process context, may sleep.
 * Return: the view, of one file; or NULL.
 */
struct gh_uview *gh_uview_make(struct gh_uheap *h, unsigned long limit,
			       unsigned int max_sessions, bool attaches)
{
	struct gh_uview *view = gh_ucharge_new_record(sizeof(*view));

	if (!view)
		return NULL;
	kref_get(&h->ref);
	view->heap = h;
	view->files = 1;
	view->payer = get_current_cred();
	view->limit = limit;
	view->max_sessions = attaches ? max_sessions : 0;
	view->seen = atomic64_read(&h->deaths);
	return view;
}

/**
 * gh_uview_open() - there is one more file of a view
 * @view: the view, which the caller keeps
 *
 * Context: process context, may sleep.
 */
void gh_uview_open(struct gh_uview *view)
{
	struct gh_uheap *h = view->heap;

	kref_get(&h->ref);
	gh_uheap_lock(h);
	view->files++;
	mutex_unlock(&h->lock);
}

/**
 * gh_uview_close() - a file of a view, or of a session of it, is gone
 * @view: the view
 *
 * Objects that its sessions have given may be left. They keep the view, but not the heap.
 *
 * Context: process context, may sleep.
 */
void gh_uview_close(struct gh_uview *view)
{
	struct gh_uheap *h = view->heap;

	gh_uheap_lock(h);
	view->files--;
	gh_ucharge_view(view, 0);
	mutex_unlock(&h->lock);
	gh_uheap_put(h);
}
