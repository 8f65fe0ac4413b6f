/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_FUTEX_H
#define LG_FUTEX_H

#include "types.h"

/* How long is waited before those who could have died are looked at, milliseconds. */
#define LG_FUTEX_SLICE	100

uint64_t lg_futex_deadline(int timeout);
int lg_futex_left(uint64_t deadline);
bool lg_futex_is_over(uint64_t deadline);
bool lg_futex_wait(const uint32_t *word, uint32_t value, uint64_t deadline,
		   unsigned int slice);
int lg_futex_wake(const uint32_t *word, int n);

#endif /* LG_FUTEX_H */
