/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mark: the word of an object that says which deferred free is to free it.
 */
#ifndef _GOHEAP_USER_MARK_H
#define _GOHEAP_USER_MARK_H

#include <linux/lockdep.h>
#include <linux/mm.h>

#include "pages.h"

/**
 * gh_umark_of() - where an object that waits to be freed carries its mark
 * @s: its span
 * @i: its index
 *
 * Context: the heap's lock is held.
 * Return: address in the kernel.
 */
static inline u64 *gh_umark_of(const struct gh_uspan *s, unsigned int i)
{
	u64 at = s->base + (u64)i * s->elemsize;
	struct page *page;

	lockdep_assert_held(&s->owner->heap->lock);

	if (s->elemsize > sizeof(u64))
		at += sizeof(u64);
	page = gh_upages_frame(s->owner->heap, at >> PAGE_SHIFT);
	return page_address(page) + offset_in_page(at);
}

/**
 * gh_umark_clear() - remove the mark of an object that is freed or taken
 * @s: its span
 * @i: its index
 *
 * Whichever session has entered the object, its mark must go: the next owner need not
 * write there. Data that look like a mark stay, unless some session had the number.
 *
 * Context: the heap's lock is held.
 */
static inline void gh_umark_clear(const struct gh_uspan *s, unsigned int i)
{
	u64 *mark = gh_umark_of(s, i);
	u64 value = READ_ONCE(*mark);

	if (value >> 48 == GOHEAP_DEFERRED_MARK(0, 0) >> 48 && (u32)value &&
	    (u32)value <= s->owner->heap->max_id)
		cmpxchg64(mark, value, 0);
}

#endif /* _GOHEAP_USER_MARK_H */
