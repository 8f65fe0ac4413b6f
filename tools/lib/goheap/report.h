/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_REPORT_H
#define LG_REPORT_H

#include "types.h"

void lg_report_bad_free(struct goheap *h, const void *p, int err);

#endif /* LG_REPORT_H */
