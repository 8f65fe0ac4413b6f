/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_MEMORY_H
#define LG_MEMORY_H

#include "types.h"

/* Words of the bitmap of a page: no object is shorter than LG_ALIGN. */
#define LG_SPAN_BITS	(LG_PAGE_SIZE / LG_ALIGN / 64)

void lg_memory_set_pages(void);
int lg_memory_begin(struct goheap *h);
bool lg_memory_grow(struct goheap *h, uint64_t npages);
void lg_memory_shrink(struct goheap *h, uint64_t npages);
void lg_memory_end(struct goheap *h);

#endif /* LG_MEMORY_H */
