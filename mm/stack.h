/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stack: scratch blocks of a power of two of bytes.
 */
#ifndef _GOHEAP_STACK_H
#define _GOHEAP_STACK_H

struct gh_heap;

int gh_stack_init(struct gh_heap *h);

#endif /* _GOHEAP_STACK_H */
