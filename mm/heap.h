/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * heap: the birth and the end of a whole heap.
 */
#ifndef _GOHEAP_HEAP_H
#define _GOHEAP_HEAP_H

#include "mheap.h"

struct gh_heap *gh_heap_create(const char *name);
bool gh_heap_destroy(struct gh_heap *h);

#endif /* _GOHEAP_HEAP_H */
