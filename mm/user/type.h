/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * type: types of objects of a user heap, and where their spans are.
 */
#ifndef _GOHEAP_USER_TYPE_H
#define _GOHEAP_USER_TYPE_H

#include "user.h"

/**
 * struct gh_ubin - the partial spans of a session, of a size class of a type
 * @partial: these, by &gh_uspan.plist, under the session's lock
 */
struct gh_ubin {
	struct list_head partial;
};

/**
 * gh_utype_bin() - which bin is for a size class of a type
 * @type: the type
 * @class: the size class
 *
 * Return: its index in &gh_usession.bins; those of a type come one after the other.
 */
static inline unsigned long gh_utype_bin(const struct gh_utype *type,
					 unsigned int class)
{
	return (unsigned long)type->id * GH_NUM_CLASSES + class;
}

void gh_utype_init(struct gh_uheap *h);
void gh_utype_destroy(struct gh_uheap *h);
void gh_utype_end_session(struct gh_usession *ss);

struct gh_utype *gh_utype_of(struct gh_uheap *h, u32 id);
int gh_utype_register(struct gh_uview *view, struct goheap_type *req,
		      const u64 *refs);
int gh_utype_describe(struct gh_uheap *h, struct goheap_type *req, u64 *refs);
int gh_utype_usage(struct gh_uheap *h, struct goheap_type_usage *u);

int gh_utype_prepare(struct gh_usession *ss, struct gh_utype *type,
		     unsigned int class);
struct list_head *gh_utype_partial(struct gh_usession *ss,
				   const struct gh_utype *type,
				   unsigned int class);

#endif /* _GOHEAP_USER_TYPE_H */
