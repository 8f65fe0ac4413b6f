/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * eager: arenas all of whose pages are there from the start.
 */
#ifndef _GOHEAP_EAGER_H
#define _GOHEAP_EAGER_H

#include "backend.h"

int gh_eager_reserve(struct gh_vmem_area *area, int nid);
void gh_eager_collect(const struct gh_vmem_area *area,
		      struct gh_vmem_batch *batch);

#endif /* _GOHEAP_EAGER_H */
