// SPDX-License-Identifier: GPL-2.0-only
/*
 * view: descriptors of a heap that allow less than that of who opened it.
 *
 * Limits of sessions bind nobody who can attach again. What a descriptor allows binds
 * all sessions that are attached through it, together, and whoever has only that
 * descriptor.
 */
#include <linux/cred.h>

#include <linux/goheap.h>

#include "../fault.h"
#include "charge.h"
#include "heap.h"
#include "view.h"

/**
 * gh_uview_make() - allow some of a heap
 * @h: the heap
 * @limit: bound on the heap pages of all sessions
 * @max_sessions: bound on these sessions
 *
 * Context: process context, may sleep.
 * Return: the view, with a reference; or NULL.
 */
struct gh_uview *gh_uview_make(struct gh_uheap *h, unsigned long limit,
			       unsigned int max_sessions)
{
	struct gh_uview *view = NULL;

	if (!gh_ucharge_add(current_cred(), GH_URECORD_COST))
		return NULL;
	if (!gh_fault(GH_FAULT_USER))
		view = goheap_zalloc(sizeof(*view), GH_UOBJ_GFP);
	if (!view) {
		gh_ucharge_sub(current_cred(), GH_URECORD_COST);
		return NULL;
	}

	kref_init(&view->ref);
	kref_get(&h->ref);
	view->heap = h;
	view->payer = get_current_cred();
	view->limit = limit;
	view->max_sessions = max_sessions;
	view->seen = atomic64_read(&h->deaths);
	return view;
}

static void view_free(struct kref *ref)
{
	struct gh_uview *view = container_of(ref, struct gh_uview, ref);
	struct gh_uheap *h = view->heap;

	WARN_ONCE(view->npages || view->nsessions,
		  "goheap: view freed with %lu pages and %u sessions\n",
		  view->npages, view->nsessions);
	gh_ucharge_sub(view->payer, GH_URECORD_COST);
	put_cred(view->payer);
	goheap_free(view);
	gh_uheap_put(h);
}

/**
 * gh_uview_get() - take a reference
 * @view: the view
 *
 * Context: any.
 */
void gh_uview_get(struct gh_uview *view)
{
	if (gh_uview_is_full(view))
		kref_get(&view->heap->ref);
	else
		kref_get(&view->ref);
}

/**
 * gh_uview_put() - drop a reference
 * @view: the view
 *
 * Context: process context, may sleep.
 */
void gh_uview_put(struct gh_uview *view)
{
	if (gh_uview_is_full(view))
		gh_uheap_put(view->heap);
	else
		kref_put(&view->ref, view_free);
}
