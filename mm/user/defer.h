/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * defer: objects that a process has freed, but not in a call yet.
 */
#ifndef _GOHEAP_USER_DEFER_H
#define _GOHEAP_USER_DEFER_H

#include "user.h"

int gh_udefer_reserve(struct gh_usession *ss, unsigned int index);
void gh_udefer_set(struct gh_usession *ss, unsigned int index, u64 offset,
		   bool held);
bool gh_udefer_holds(struct gh_usession *ss, unsigned int index, u64 offset);
int gh_udefer_flush(struct gh_usession *ss, unsigned int first, unsigned int n,
		    unsigned int *bad, u64 *offset);
void gh_udefer_drain(struct gh_usession *ss);

#endif /* _GOHEAP_USER_DEFER_H */
