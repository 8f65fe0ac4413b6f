/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * area: the address space of a node, reserved before it is needed and given
 * back when it is not.
 */
#ifndef _GOHEAP_AREA_H
#define _GOHEAP_AREA_H

#include <linux/gfp.h>

struct gh_area;
struct gh_heap;
struct gh_node;

extern struct workqueue_struct *gh_wq;

int gh_area_init(void);
void gh_area_exit(void);
void gh_area_attach(struct gh_heap *h);
void gh_area_detach(struct gh_heap *h);
void gh_area_kick(struct gh_heap *h);

bool gh_area_was_there(unsigned long addr, unsigned long end);
bool gh_area_may_build(gfp_t gfp, unsigned long npages);
int gh_area_build(struct gh_node *node, gfp_t gfp);
unsigned int gh_area_least_spare(const struct gh_node *node);
void gh_area_refill(struct gh_node *node);
bool gh_area_age(struct gh_node *node);
void gh_area_condemn(struct gh_node *node, struct gh_area *area);
void gh_area_trim(struct gh_heap *h);
bool gh_area_destroy_all(struct gh_node *node);

#endif /* _GOHEAP_AREA_H */
