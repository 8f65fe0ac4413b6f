/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_LARGE_H
#define LG_LARGE_H

#include "types.h"

void *lg_large_alloc(struct goheap *h, size_t size, size_t align, bool zero);
void lg_large_free(struct goheap *h, void *p, uint64_t entry);

#endif /* LG_LARGE_H */
