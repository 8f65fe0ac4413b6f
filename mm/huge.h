/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * huge: spans with a mapping of their own, outside of all nodes' pages.
 */
#ifndef _GOHEAP_HUGE_H
#define _GOHEAP_HUGE_H

#include <linux/list.h>
#include <linux/llist.h>
#include <linux/workqueue.h>

#include "sizeclass.h"
#include "vmem.h"

struct gh_heap;
struct gh_span;

/* Spans of more heap pages than this are huge: half of an arena. */
#define GH_HUGE_MIN	(GH_ARENA_PAGES / 2)

/**
 * struct gh_huge - the memory of a huge span
 * @map: its mapping
 * @span: the span
 * @list: in gh_heap.huge
 * @dead: in gh_heap.huge_dead, once it was freed
 */
struct gh_huge {
	struct gh_vmem_map map;
	struct gh_span *span;
	struct list_head list;
	struct llist_node dead;
};

static inline bool gh_huge_is(unsigned long npages)
{
	return npages > GH_HUGE_MIN;
}

int gh_huge_map(struct gh_heap *h, struct gh_span *s, unsigned long npages,
		gfp_t gfp, int nid);
void gh_huge_free(struct gh_heap *h, struct gh_span *s);
void gh_huge_reap(struct gh_heap *h);
void gh_huge_look(struct gh_heap *h);
void gh_huge_work(struct work_struct *work);
unsigned long gh_huge_pages(const struct gh_heap *h);
void gh_huge_walk(struct gh_heap *h, void (*fn)(struct gh_span *s, void *arg),
		  void *arg);
bool gh_huge_abandon(struct gh_heap *h);

#endif /* _GOHEAP_HUGE_H */
