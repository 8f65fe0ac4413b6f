/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_MUTEX_H
#define LG_MUTEX_H

#include "goheap_lock.h"
#include "types.h"

/* Others may wait. */
#define LG_CONTENDED	0x80000000U

uint32_t lg_mutex_session(struct goheap *h, const void *lock, size_t bytes);
bool lg_mutex_is_alive(struct goheap *h, uint32_t session);
int lg_mutex_lock(struct goheap *h, struct goheap_mutex *m, uint32_t me,
		  uint64_t deadline);
bool lg_mutex_await(struct goheap *h, struct goheap_mutex *m, uint32_t me,
		    uint64_t deadline);
void lg_mutex_unlock(struct goheap_mutex *m, int n);

#endif /* LG_MUTEX_H */
