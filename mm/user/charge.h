/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * charge: who pays for the pages of user heaps, and how many there may be.
 */
#ifndef _GOHEAP_USER_CHARGE_H
#define _GOHEAP_USER_CHARGE_H

#include "user.h"

/* Bound on the heap pages of all user heaps, ULONG_MAX for none. */
extern unsigned long gh_user_max_pages;

bool gh_ucharge_add(struct user_struct *user, unsigned long npages);
void gh_ucharge_sub(struct user_struct *user, unsigned long npages);
int gh_ucharge_add_span(struct gh_usession *owner, struct user_struct *user,
			unsigned long npages);
void gh_ucharge_sub_span(struct gh_uheap *h, struct user_struct *user,
			 unsigned long npages);
int gh_ucharge_set_payer(struct gh_uspan *s);
int gh_ucharge_move_span(struct gh_uspan *s, struct gh_usession *to);

#endif /* _GOHEAP_USER_CHARGE_H */
