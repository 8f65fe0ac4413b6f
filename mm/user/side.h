/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * side: memory that a session shares with the kernel: its list and its readers.
 */
#ifndef _GOHEAP_USER_SIDE_H
#define _GOHEAP_USER_SIDE_H

#include "user.h"

int gh_uside_commit(struct gh_usession *ss, size_t offset, size_t len);
struct page *gh_uside_frame(struct gh_usession *ss, unsigned long nr);
void gh_uside_release(struct gh_usession *ss);

#endif /* _GOHEAP_USER_SIDE_H */
