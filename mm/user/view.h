/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * view: descriptors of a heap that allow less than that of who opened it.
 */
#ifndef _GOHEAP_USER_VIEW_H
#define _GOHEAP_USER_VIEW_H

#include "user.h"

struct gh_uview *gh_uview_make(struct gh_uheap *h, unsigned long limit,
			       unsigned int max_sessions, bool attaches);
void gh_uview_open(struct gh_uview *view);
void gh_uview_close(struct gh_uview *view);

#endif /* _GOHEAP_USER_VIEW_H */
