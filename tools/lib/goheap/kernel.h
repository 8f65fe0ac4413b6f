/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_KERNEL_H
#define LG_KERNEL_H

#include "types.h"

unsigned int lg_kernel_alloc(struct goheap *h, size_t size, size_t align,
			     void **objects, unsigned int n);
void *lg_kernel_alloc_given(struct goheap *h, size_t size);
void lg_kernel_free(struct goheap *h, void **objects, unsigned int n);
void lg_kernel_unpark(struct goheap *h);
void lg_kernel_forget(struct goheap *h);
int lg_kernel_resize(struct goheap *h, void *p, size_t size);
void lg_kernel_trim(struct goheap *h);

/*
 * Whether objects of @size bytes can never be had. A window that has no length yet
 * will get one when the process attaches.
 */
static inline bool lg_kernel_too_long(const struct goheap *h, size_t size)
{
	uint64_t window = __atomic_load_n(&h->window, __ATOMIC_RELAXED);

	return window && size > window;
}

#endif /* LG_KERNEL_H */
