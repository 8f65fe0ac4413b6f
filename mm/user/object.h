/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uobj: objects of user heaps: allocated, freed, given and resized.
 */
#ifndef _GOHEAP_USER_OBJECT_H
#define _GOHEAP_USER_OBJECT_H

#include "user.h"

int gh_usession_alloc(struct gh_usession *ss, u64 length, u64 align, bool zero,
		      u64 *offsets, unsigned int *n);
int gh_usession_free(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		     unsigned int *bad);
int gh_usession_give(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		     unsigned int *bad);
int gh_usession_resize(struct gh_usession *ss, u64 offset, u64 length);

struct gh_uspan *gh_umapping_alloc(struct gh_uheap *h, u64 len);
void gh_umapping_free(struct gh_uheap *h, struct gh_uspan *s);

void gh_uobj_set_free(struct gh_uspan *s, unsigned int i);
void gh_uobj_bury(struct gh_uheap *h, struct gh_uspan *s, unsigned int i,
		  struct list_head *empty);

#endif /* _GOHEAP_USER_OBJECT_H */
