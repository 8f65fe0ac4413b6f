/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reclaim: freeing memory that is not needed.
 */
#ifndef _GOHEAP_RECLAIM_H
#define _GOHEAP_RECLAIM_H

#include <linux/notifier.h>
#include <linux/shrinker.h>

#include "mcentral.h"

extern unsigned int gh_retain_percent;

int gh_reclaim_init(void);
void gh_reclaim_exit(void);
void gh_reclaim_add(struct gh_heap *h);
void gh_reclaim_remove(struct gh_heap *h);
void gh_reclaim_drain(struct gh_heap *h, struct gh_central *only);
unsigned long gh_reclaim_all(struct gh_heap *h);
unsigned long gh_reclaim_oom(struct gh_heap *h);
unsigned long gh_reclaim_count(struct shrinker *s, struct shrink_control *sc);
unsigned long gh_reclaim_scan(struct shrinker *s, struct shrink_control *sc);
int gh_reclaim_oom_notify(struct notifier_block *nb, unsigned long unused, void *arg);

#endif /* _GOHEAP_RECLAIM_H */
