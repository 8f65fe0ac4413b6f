/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owner: which spans a session owns, and how spans change their owner.
 */
#ifndef _GOHEAP_USER_OWNER_H
#define _GOHEAP_USER_OWNER_H

#include "user.h"

void gh_uowner_add(struct gh_usession *ss, struct gh_uspan *s);
void gh_uowner_del(struct gh_uspan *s);
void gh_uowner_sort(struct gh_uspan *s);
void gh_uowner_del_partial(struct gh_uspan *s);
bool gh_uowner_can_spare(const struct gh_uspan *s);

void gh_uowner_move(struct gh_uspan *s, struct gh_usession *to);
bool gh_uowner_adopt(struct gh_usession *ss, struct gh_utype *type,
		     unsigned int class);

#endif /* _GOHEAP_USER_OWNER_H */
