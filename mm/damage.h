/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * damage: address space that somebody else unmapped.
 */
#ifndef _GOHEAP_DAMAGE_H
#define _GOHEAP_DAMAGE_H

#include "mheap.h"

bool gh_damage_look(struct gh_heap *h);

#endif /* _GOHEAP_DAMAGE_H */
