/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_LATER_H
#define LG_LATER_H

#include "types.h"

bool lg_later_add(struct goheap *h, struct lg_cache *c, void *p, size_t bytes);
void lg_later_flush(struct goheap *h, struct lg_cache *c);
void lg_later_flush_all(struct goheap *h);
void lg_later_end(struct goheap *h, struct lg_cache *c);
bool lg_later_flush_range(struct goheap *h, unsigned int first, unsigned int n);
bool lg_later_has(const struct goheap *h, const void *p, size_t bytes);

#endif /* LG_LATER_H */
