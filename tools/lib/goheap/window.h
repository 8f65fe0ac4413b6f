/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_WINDOW_H
#define LG_WINDOW_H

#include "types.h"

int lg_window_map(struct goheap *h, const struct goheap_info *info);
void lg_window_unmap(struct goheap *h, uint64_t keep);

#endif /* LG_WINDOW_H */
