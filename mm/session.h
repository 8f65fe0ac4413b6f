/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * session: a process's share of a user heap.
 */
#ifndef _GOHEAP_SESSION_H
#define _GOHEAP_SESSION_H

#include "uheap.h"

void gh_usession_init(struct gh_usession *ss, struct gh_uheap *h, u32 id,
		      unsigned long limit);
struct gh_usession *gh_usession_begin(struct gh_uheap *h, unsigned long limit);
void gh_usession_end(struct gh_usession *ss);
void gh_usession_put(struct gh_usession *ss);

int gh_usession_alloc(struct gh_usession *ss, u64 length, u64 align, bool zero,
		      u64 *offsets, unsigned int *n);
int gh_usession_free(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		     unsigned int *bad);
int gh_usession_give(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		     unsigned int *bad);
int gh_usession_resize(struct gh_usession *ss, u64 offset, u64 length);
void gh_uobj_bury(struct gh_uheap *h, struct gh_uspan *s, unsigned int i,
		  struct list_head *empty);
struct gh_uspan *gh_umapping_alloc(struct gh_uheap *h, u64 len);
void gh_umapping_free(struct gh_uheap *h, struct gh_uspan *s);
unsigned long gh_usession_trim(struct gh_usession *ss);
unsigned long gh_uheap_trim(struct gh_uheap *h);

#endif /* _GOHEAP_SESSION_H */
