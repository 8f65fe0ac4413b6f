/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_HELD_H
#define LG_HELD_H

#include "types.h"

int lg_held_begin(struct goheap *h);
unsigned int lg_held_find(struct goheap *h, uint64_t offset);
unsigned int lg_held_room(struct goheap *h, uint64_t offset);
bool lg_held_free(struct goheap *h, void *p, size_t bytes);
void lg_held_flush(struct goheap *h);

#endif /* LG_HELD_H */
