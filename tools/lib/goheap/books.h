/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_BOOKS_H
#define LG_BOOKS_H

#include "types.h"

int lg_books_begin(struct goheap *h);
void lg_books_end(struct goheap *h);
unsigned int lg_books_alloc(struct goheap *h, unsigned int class,
			    void **objects, unsigned int n);
void *lg_books_alloc_large(struct goheap *h, size_t size, size_t align,
			   bool zero);
int lg_books_resize(struct goheap *h, void *p, size_t size);
void lg_books_free(struct goheap *h, void **objects, unsigned int n);
void lg_books_trim(struct goheap *h);
size_t lg_books_bytes(struct goheap *h);
int lg_books_set_quota(struct goheap *h, uint64_t bytes);
int lg_books_usage(struct goheap *h, struct goheap_usage *usage);
void lg_books_unpostpone(struct goheap *h);

#endif /* LG_BOOKS_H */
