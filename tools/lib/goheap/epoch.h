/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_EPOCH_H
#define LG_EPOCH_H

#include "types.h"

bool lg_epoch_is_inside(const struct goheap *h);

#endif /* LG_EPOCH_H */
