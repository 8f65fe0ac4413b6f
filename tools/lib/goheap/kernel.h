/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_KERNEL_H
#define LG_KERNEL_H

#include "types.h"

unsigned int lg_kernel_alloc(struct goheap *h, unsigned int class,
			     void **objects, unsigned int n);
void *lg_kernel_alloc_large(struct goheap *h, size_t size, size_t align,
			    bool zero);
void *lg_kernel_alloc_given(struct goheap *h, size_t size);
void *lg_kernel_alloc_typed(struct goheap *h, uint32_t type, size_t size);
void lg_kernel_free(struct goheap *h, void **objects, unsigned int n);
void lg_kernel_unpark(struct goheap *h);
void lg_kernel_forget(struct goheap *h);
int lg_kernel_resize(struct goheap *h, void *p, size_t size);
void lg_kernel_trim(struct goheap *h);

/* Whether objects of @size bytes can never be had. */
static inline bool lg_kernel_too_long(const struct goheap *h, size_t size)
{
	return size > h->window;
}

#endif /* LG_KERNEL_H */
