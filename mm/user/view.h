/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * view: descriptors of a heap that allow less than that of who opened it.
 */
#ifndef _GOHEAP_USER_VIEW_H
#define _GOHEAP_USER_VIEW_H

#include "user.h"

struct gh_uview *gh_uview_make(struct gh_uheap *h, unsigned long limit,
			       unsigned int max_sessions);
void gh_uview_get(struct gh_uview *view);
void gh_uview_put(struct gh_uview *view);

/**
 * gh_uview_is_full() - does a descriptor allow everything?
 * @view: what it allows
 *
 * Context: any.
 * Return: whether it is of who opened the heap.
 */
static inline bool gh_uview_is_full(const struct gh_uview *view)
{
	return view == &view->heap->all;
}

#endif /* _GOHEAP_USER_VIEW_H */
