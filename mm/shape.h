/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shape: how a span is cut.
 */
#ifndef _GOHEAP_SHAPE_H
#define _GOHEAP_SHAPE_H

#include "span.h"

/**
 * struct gh_shape - how a span is cut
 * @elemsize: bytes of an object
 * @npages: heap pages of the span
 * @divmul: gh_divmul() of @elemsize, 0 for a single object
 * @nelems: number of objects
 * @state: &enum gh_span_state
 * @tiny: the objects are tiny blocks
 * @noscan: the objects hold no pointers
 */
struct gh_shape {
	size_t elemsize;
	unsigned long npages;
	u32 divmul;
	u16 nelems;
	u8 state;
	bool tiny;
	bool noscan;
};

/* As gh_span_is_large(), of the span that it will be. */
static inline bool gh_shape_is_large(const struct gh_shape *shape)
{
	return shape->state == GH_SPAN_LARGE ||
	       (shape->state == GH_SPAN_STACK && shape->nelems == 1);
}

#endif /* _GOHEAP_SHAPE_H */
