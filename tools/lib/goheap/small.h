/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_SMALL_H
#define LG_SMALL_H

#include "object.h"
#include "types.h"

void *lg_small_alloc(struct goheap *h, unsigned int class);
void lg_small_free(struct goheap *h, void *p, uint64_t entry);

/* Take the object that was freed last out of a magazine that is not empty. */
static inline void *lg_small_pop(struct lg_mag *m)
{
	unsigned int n = m->n - 1;
	void *p = m->top;

	m->n = n;
	m->top = m->slot[n];
	lg_object_unmark(p);
	return p;
}

#endif /* LG_SMALL_H */
