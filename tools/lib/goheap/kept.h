/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_KEPT_H
#define LG_KEPT_H

#include "types.h"

void *lg_kept_take(struct goheap *h, size_t bytes);
void lg_kept_put(struct goheap *h, void *p, size_t bytes);
void lg_kept_empty(struct goheap *h);
void lg_kept_forget(struct goheap *h);

#endif /* LG_KEPT_H */
