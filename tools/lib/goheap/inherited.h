/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_INHERITED_H
#define LG_INHERITED_H

#include "types.h"

bool lg_inherited(const void *p);
size_t lg_inherited_size(const void *p);
void lg_inherited_free(void *p);
void lg_inherited_copy(struct goheap *h);

#endif /* LG_INHERITED_H */
