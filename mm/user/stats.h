/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stats: what user heaps hold, for ioctl(), /proc and debugfs.
 */
#ifndef _GOHEAP_USER_STATS_H
#define _GOHEAP_USER_STATS_H

#include "user.h"

struct dentry;
struct seq_file;

int gh_ustats_usage(struct gh_uheap *h, struct gh_usession *ss,
		    struct goheap_usage *u);
void gh_ustats_fdinfo(struct seq_file *m, struct gh_uview *view,
		      struct gh_usession *ss);
void gh_ustats_init(struct dentry *dir);

#endif /* _GOHEAP_USER_STATS_H */
