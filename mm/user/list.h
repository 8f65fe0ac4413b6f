/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * list: the given objects of a user heap, one after the other.
 */
#ifndef _GOHEAP_USER_LIST_H
#define _GOHEAP_USER_LIST_H

#include "user.h"

int gh_ulist(struct gh_uheap *h, const struct gh_utype *type, u64 *from,
	     struct goheap_listed *to, unsigned int *n);

#endif /* _GOHEAP_USER_LIST_H */
