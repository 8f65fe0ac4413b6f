/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_READER_H
#define LG_READER_H

#include "types.h"

bool lg_reader_take(struct goheap *h, struct lg_cache *c);
void lg_reader_drop(struct goheap *h, struct lg_cache *c);

#endif /* LG_READER_H */
