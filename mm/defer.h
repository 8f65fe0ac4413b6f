/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * defer: frees that must wait for a context in which locks can be taken.
 */
#ifndef _GOHEAP_DEFER_H
#define _GOHEAP_DEFER_H

struct gh_heap;

void gh_defer_init(struct gh_heap *h);
void gh_defer_free(struct gh_heap *h, void *obj);
void gh_defer_sync(struct gh_heap *h);

#endif /* _GOHEAP_DEFER_H */
