/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crash: what the script needs of a heap that processes share. Each heap has a
 * file of its own that implements it: boost.cc, goheap.c.
 */
#ifndef CRASH_H
#define CRASH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

const char *heap_name(void);

/* A new heap, which processes that are forked from now on share; the last one goes. */
void heap_make(void);
/* What a process does before it allocates. */
void heap_join(void);
/* NULL if there is no memory; or the heap may throw, which ends the process. */
void *heap_alloc(size_t len);
void heap_free(void *p);
/* Bytes that the heap has handed out, or holds for those who may ask. */
size_t heap_held(void);

#ifdef __cplusplus
}
#endif

#endif /* CRASH_H */
