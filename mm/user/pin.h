/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * upin: objects of user heaps that kernel code holds.
 */
#ifndef _GOHEAP_USER_PIN_H
#define _GOHEAP_USER_PIN_H

#include "user.h"

bool gh_uobj_pinned(const struct gh_uspan *s, unsigned int idx);

#endif /* _GOHEAP_USER_PIN_H */
