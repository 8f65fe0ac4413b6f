/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_FREE_H
#define LG_FREE_H

#include "cache.h"
#include "class.h"
#include "object.h"
#include "types.h"

void lg_free_own(struct goheap *h, void *p, uint64_t entry);
void lg_free_other(struct goheap *h, void *p);

/* @c is this thread's cache. Most frees end in one of its magazines. */
static inline void lg_free_to(struct goheap *h, struct lg_cache *c, void *p)
{
	uint64_t entry, offset = (uintptr_t)p - h->base;
	struct lg_mag *m;
	unsigned int n;

	if (unlikely(offset >= h->known))
		return lg_free_other(h, p);
	entry = __atomic_load_n(lg_window_slot(h, p), __ATOMIC_RELAXED);
	if (unlikely((entry & LG_OWN_MASK) != h->own))
		return lg_free_other(h, p);

	m = lg_cache_mag(c, entry);
	n = m->n;
	if (unlikely(!lg_class_mag_has(m, entry, offset) ||
		     lg_object_is_marked(h, p) || n >= m->cap))
		return lg_free_own(h, p, entry);
	m->slot[n] = m->top;
	m->n = n + 1;
	m->top = p;
	lg_object_mark(h, p);
}

static inline void lg_free(struct goheap *h, void *p)
{
	lg_free_to(h, lg_cache_tls[h->slot], p);
}

#endif /* LG_FREE_H */
