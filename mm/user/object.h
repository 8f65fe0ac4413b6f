/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * object: objects of user heaps: allocated, freed, given, resized and pinned.
 */
#ifndef _GOHEAP_USER_OBJECT_H
#define _GOHEAP_USER_OBJECT_H

#include "user.h"

/**
 * struct gh_upin - a pin: kernel code holds an object
 * @list: in the span's list, under the heap's lock
 * @node: in the heap's table, under its lock, once @addr is known
 * @span: the object's span
 * @idx: which object of it
 * @addr: what the holder was given
 * @mapped: what vmap() returned, or NULL
 */
struct gh_upin {
	struct list_head list;
	struct hlist_node node;
	struct gh_uspan *span;
	unsigned int idx;
	void *addr;
	void *mapped;
};

int gh_uobj_alloc(struct gh_usession *ss, struct gh_utype *type, u64 length,
		  u64 align, bool zero, u64 *offsets, unsigned int *n);
int gh_uobj_free(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		 unsigned int *bad);
void gh_uobj_unalloc(struct gh_usession *ss, const u64 *offsets,
		     unsigned int n);
int gh_uobj_give(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		 unsigned int *bad);
int gh_uobj_resize(struct gh_usession *ss, u64 offset, u64 length);

int gh_uobj_find(struct gh_uheap *h, u64 offset, struct gh_uspan **sp,
		 unsigned int *idx, struct gh_usession *owner);
void gh_uobj_poison(struct gh_uspan *s, unsigned int i);
int gh_uobj_refusal(u8 state);
void gh_uobj_note_given(struct gh_uspan *s, int n);
int gh_uobj_give_one(struct gh_usession *ss, u64 offset);
void gh_uobj_ungive_one(struct gh_usession *ss, u64 offset);
void gh_uobj_shed(struct gh_uspan *s, struct list_head *empty);
void gh_uobj_take_large(struct gh_usession *ss, struct gh_uspan *s,
			u64 *offset);
void gh_uobj_set_free(struct gh_uspan *s, unsigned int i);

bool gh_uobj_pinned(const struct gh_uspan *s, unsigned int i);
void gh_uobj_free_doomed(struct gh_uheap *h, struct gh_uspan *s, unsigned int i,
			 struct list_head *empty);

#endif /* _GOHEAP_USER_OBJECT_H */
