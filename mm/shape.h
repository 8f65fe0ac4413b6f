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
 * @nelems: number of objects
 * @state: &enum gh_span_state
 * @large: one object, not one of a class's or cache's set
 * @tiny: the objects are tiny blocks
 * @noscan: the objects hold no pointers
 */
struct gh_shape {
	size_t elemsize;
	unsigned long npages;
	u16 nelems;
	u8 state;
	bool large;
	bool tiny;
	bool noscan;
};

#endif /* _GOHEAP_SHAPE_H */
