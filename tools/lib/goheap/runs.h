/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_RUNS_H
#define LG_RUNS_H

#include "types.h"

bool lg_runs_take(struct goheap *h, uint64_t npages, uint64_t align,
		  uint64_t *page, bool *dirty);
bool lg_runs_take_at(struct goheap *h, uint64_t page, uint64_t npages);
void lg_runs_put(struct goheap *h, uint64_t page, uint64_t npages);
void lg_runs_trim(struct goheap *h);
void lg_runs_note_top(struct goheap *h, uint64_t old);

#endif /* LG_RUNS_H */
