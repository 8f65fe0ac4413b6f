/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_DEFERRED_H
#define LG_DEFERRED_H

#include "types.h"

void lg_deferred_map(struct goheap *h, int fd);
void lg_deferred_unmap(struct goheap *h);
void lg_deferred_forget(struct goheap *h);

/* Where an object that waits to be freed carries its mark. */
static inline uint64_t *lg_deferred_mark(const void *p, size_t bytes)
{
	return (uint64_t *)p + (bytes > sizeof(uint64_t));
}

#endif /* LG_DEFERRED_H */
