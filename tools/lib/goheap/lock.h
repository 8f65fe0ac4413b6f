/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_LOCK_H
#define LG_LOCK_H

#include "types.h"

extern struct goheap lg_heaps[LG_HEAPS];
extern pthread_mutex_t lg_lock;

void lg_lock_init(struct goheap *h);
void lg_lock_all(struct goheap *h);
void lg_lock_release_all(struct goheap *h);

#endif /* LG_LOCK_H */
