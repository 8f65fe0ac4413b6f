/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * heap: heaps of processes, from the first open file to the last reference.
 */
#ifndef _GOHEAP_USER_HEAP_H
#define _GOHEAP_USER_HEAP_H

#include "user.h"

/* All user heaps, and the lock of this list. */
extern struct list_head gh_uheaps;
extern struct mutex gh_uheaps_lock;

struct gh_uheap *gh_uheap_create(void);
void gh_uheap_put(struct gh_uheap *h);
void gh_uheap_init_session(struct gh_uheap *h, struct gh_usession *ss,
			   struct gh_uview *view, unsigned long limit);

#endif /* _GOHEAP_USER_HEAP_H */
