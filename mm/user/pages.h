/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pages: the pages of user heaps: the memory behind them, and which are free.
 *
 * Pages are taken first and get memory later, so that the heap's lock is not
 * held while the system is asked for memory:
 *
 *   gh_upages_take()		pages of the window become the caller's
 *   gh_upages_alloc_frames()	gets memory for them
 *   gh_upages_install()	from here on faults find it
 *
 * They are freed in the reverse order:
 *
 *   gh_upages_detach()		from here on faults do not find the memory
 *   gh_upages_unmap()		from here on no process maps it
 *   gh_upages_free_frames()	returns it to the system
 *   gh_upages_put()		from here on others can take the pages
 */
#ifndef _GOHEAP_USER_PAGES_H
#define _GOHEAP_USER_PAGES_H

#include "user.h"

void gh_upages_init(struct gh_uheap *h);
void gh_upages_destroy(struct gh_uheap *h);

int gh_upages_take(struct gh_uheap *h, const struct gh_ushape *shape,
		   unsigned long *page);
int gh_upages_take_at(struct gh_uheap *h, unsigned long page,
		      unsigned long npages);
void gh_upages_put(struct gh_uheap *h, unsigned long page,
		   unsigned long npages);

int gh_upages_alloc_frames(struct list_head *frames, unsigned long n,
			   gfp_t gfp);
void gh_upages_free_frames(struct list_head *frames);
int gh_upages_install(struct gh_uheap *h, struct list_head *frames,
		      unsigned long nr);
void gh_upages_detach(struct gh_uheap *h, struct list_head *frames,
		      unsigned long nr, unsigned long n);
void gh_upages_unmap(struct gh_uheap *h, struct list_head *frames);

struct page *gh_upages_frame(struct gh_uheap *h, unsigned long nr);
struct page *gh_upages_get_frame(struct gh_uheap *h, unsigned long nr);
struct page *gh_upages_map_frame(struct gh_uheap *h, unsigned long nr);

#endif /* _GOHEAP_USER_PAGES_H */
