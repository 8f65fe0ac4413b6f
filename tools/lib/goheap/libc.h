/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * libc: glibc's own functions, by names that the preloaded library does not replace.
 */
#ifndef LG_LIBC_H
#define LG_LIBC_H

#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

#endif /* LG_LIBC_H */
