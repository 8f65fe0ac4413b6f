/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_CLASS_H
#define LG_CLASS_H

#include "types.h"

void lg_class_setup(struct goheap *h, const struct goheap_class *from);
void lg_class_setup_own(struct goheap *h);

/* The class of the smallest objects that have @size bytes. */
static inline unsigned int lg_class_of(const struct goheap *h, size_t size)
{
	return h->class_of[(size + LG_QUANTUM - 1) / LG_QUANTUM];
}

/*
 * The index of the object at @offset, in a page with @entry, of a class. A distance times
 * the inverse, rotated, is below nelems for multiples of the size only.
 */
static inline uint32_t lg_class_index(uint32_t inverse, uint32_t shift,
				      uint64_t entry, uint64_t offset)
{
	uint32_t at = ((uint32_t)(entry >> (42 - LG_PAGE_SHIFT)) &
		       -(uint32_t)LG_PAGE_SIZE) |
		      ((uint32_t)offset & (LG_PAGE_SIZE - 1));
	uint32_t i = at * inverse;

	return i >> shift | i << (-shift & 31);
}

static inline bool lg_class_starts(uint32_t inverse, uint32_t shift,
				   uint32_t nelems, uint64_t entry,
				   uint64_t offset)
{
	return lg_class_index(inverse, shift, entry, offset) < nelems;
}

static inline bool lg_class_has(const struct lg_class *k, uint64_t entry,
				uint64_t offset)
{
	return lg_class_starts(k->inverse, k->shift, k->nelems, entry, offset);
}

static inline bool lg_class_mag_has(const struct lg_mag *m, uint64_t entry,
				    uint64_t offset)
{
	return lg_class_starts(m->inverse, m->shift, m->nelems, entry, offset);
}

#endif /* LG_CLASS_H */
