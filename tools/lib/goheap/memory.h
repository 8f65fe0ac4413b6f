/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_MEMORY_H
#define LG_MEMORY_H

#include "types.h"

/* Words of the bitmap of a span: none has more objects than a page of the shortest. */
#define LG_SPAN_BITS	(LG_PAGE_SIZE / LG_ALIGN / 64)

#define LG_SPAN_BYTES	(sizeof(struct lg_span) + LG_SPAN_BITS * sizeof(uint64_t))

void lg_memory_set_pages(void);
int lg_memory_begin(struct goheap *h);
bool lg_memory_grow(struct goheap *h, uint64_t npages);
void lg_memory_shrink(struct goheap *h, uint64_t npages);
void lg_memory_end(struct goheap *h);

/* A span, by its first page. */
static inline struct lg_span *lg_memory_span(const struct lg_books *b, uint64_t page)
{
	return (void *)(b->span + page * LG_SPAN_BYTES);
}

#endif /* LG_MEMORY_H */
