/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stats: what a heap holds, for callers and for people.
 */
#ifndef _GOHEAP_STATS_H
#define _GOHEAP_STATS_H

#include <linux/goheap.h>

struct dentry;
struct gh_heap;

void gh_stats_get(struct gh_heap *h, struct goheap_stats *st);
int gh_stats_init(void);
struct dentry *gh_stats_dir(void);
void gh_stats_exit(void);

#endif /* _GOHEAP_STATS_H */
