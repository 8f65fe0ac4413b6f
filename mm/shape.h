/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shape: the layout of a span, and what it is for.
 *
 * Everything here is pure: no locks, any context.
 */
#ifndef _GOHEAP_SHAPE_H
#define _GOHEAP_SHAPE_H

#include "span.h"

/*
 * Stack blocks are powers of two from 2 to 16 KiB, cut from spans of twice the
 * largest.
 */
#define GH_STACK_ORDERS		4
#define GH_STACK_MIN_SHIFT	11
#define GH_STACK_MAX		BIT(GH_STACK_MIN_SHIFT + GH_STACK_ORDERS - 1)

/**
 * struct gh_shape - the layout of a span, and what it is for
 * @elemsize: bytes of an object
 * @npages: heap pages of the span
 * @nelems: number of objects
 * @state: &enum gh_span_state
 * @large: one object, not one of a class's or cache's set
 * @tiny: the objects are tiny blocks
 * @noscan: the objects hold no pointers
 * @name: of the class or cache, for reports
 */
struct gh_shape {
	size_t elemsize;
	unsigned long npages;
	u16 nelems;
	u8 state;
	bool large;
	bool tiny;
	bool noscan;
	const char *name;
};

/* Spans of objects of a size that is not in the table of classes. */
static inline struct gh_shape gh_shape_objects(size_t elemsize, bool noscan)
{
	return (struct gh_shape) {
		.elemsize = elemsize,
		.npages = gh_span_npages(elemsize),
		.nelems = gh_span_nelems(elemsize),
		.state = GH_SPAN_OBJECTS,
		.noscan = noscan,
	};
}

/*
 * Spans of a size class, 1 or more. Not what the rule says of its size, which
 * was rounded up after the rule had chosen the length of its spans.
 */
static inline struct gh_shape gh_shape_class(unsigned int class, bool noscan)
{
	return (struct gh_shape) {
		.elemsize = gh_class_size[class],
		.npages = gh_class_npages[class],
		.nelems = gh_class_nelems[class],
		.state = GH_SPAN_OBJECTS,
		.noscan = noscan,
	};
}

/* Spans of stack blocks of a size up to GH_STACK_MAX. */
static inline struct gh_shape gh_shape_stack(size_t size)
{
	unsigned long npages = DIV_ROUND_UP(2 * GH_STACK_MAX, GH_PAGE_SIZE);

	return (struct gh_shape) {
		.elemsize = size,
		.npages = npages,
		.nelems = (npages << GH_PAGE_SHIFT) / size,
		.state = GH_SPAN_STACK,
	};
}

/* A span of its own for an object, or a stack block, of @size bytes. */
static inline struct gh_shape gh_shape_large(size_t size, u8 state, bool noscan)
{
	unsigned long npages = DIV_ROUND_UP(size, GH_PAGE_SIZE);

	return (struct gh_shape) {
		.elemsize = npages << GH_PAGE_SHIFT,
		.npages = npages,
		.nelems = 1,
		.state = state,
		.large = true,
		.noscan = noscan,
	};
}

#endif /* _GOHEAP_SHAPE_H */
