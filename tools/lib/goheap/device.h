/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_DEVICE_H
#define LG_DEVICE_H

#include "types.h"

int lg_device_open(const char *path, bool creates);
int lg_device_begin(struct goheap *h);

#endif /* LG_DEVICE_H */
