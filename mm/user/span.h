/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * span: spans of user heaps: made, found, resized and freed.
 */
#ifndef _GOHEAP_USER_SPAN_H
#define _GOHEAP_USER_SPAN_H

#include <linux/bitops.h>
#include <linux/nospec.h>

#include "user.h"

void gh_uspan_init_records(struct gh_uheap *h);
unsigned long gh_uspan_destroy_records(struct gh_uheap *h);

struct gh_uspan *gh_uspan_make(struct gh_usession *owner,
			       const struct gh_ushape *shape);
int gh_uspan_resize(struct gh_uheap *h, struct gh_uspan *s,
		    unsigned long npages);
void gh_uspan_withdraw(struct gh_uheap *h, struct gh_uspan *s);
unsigned long gh_uspan_release(struct gh_uheap *h, struct list_head *spans);
void gh_uspan_free_all(struct gh_uheap *h, struct list_head *spans);
void gh_uspan_free(struct gh_uheap *h, struct gh_uspan *s);

void gh_uspan_show(struct gh_uspan *s);
void gh_uspan_show_rest(struct gh_uspan *s);

/**
 * gh_uspan_of() - the span that an offset is in
 * @h: the heap
 * @offset: any value
 *
 * Context: with the heap's lock, or see &struct gh_uspan.
 * Return: the span or NULL.
 */
static inline struct gh_uspan *gh_uspan_of(const struct gh_uheap *h, u64 offset)
{
	u64 nr = offset >> GH_ARENA_SHIFT;
	struct gh_uarena *arena;

	if (unlikely(offset >= GH_UWINDOW))
		return NULL;
	/* Pairs with the release in publish_arena(). */
	arena = smp_load_acquire(&h->arena[array_index_nospec(nr, GH_UARENAS)]);
	if (unlikely(!arena))
		return NULL;
	/* Pairs with the release in span_set_table(). */
	return smp_load_acquire(&arena->span[(offset >> GH_PAGE_SHIFT) %
					     GH_ARENA_PAGES]);
}

/**
 * gh_uspan_index() - which object starts at an offset
 * @s: the span
 * @offset: any value
 *
 * As gh_span_index().
 *
 * Return: index of the object if it is less than @nelems.
 */
static __always_inline u64 gh_uspan_index(const struct gh_uspan *s, u64 offset)
{
	return gh_divide(&s->div, offset - s->base);
}

#endif /* _GOHEAP_USER_SPAN_H */
