/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_CACHE_H
#define LG_CACHE_H

#include "types.h"

/* This thread's caches. Until it has one for a heap, an empty one is there. */
extern __thread struct lg_cache *lg_cache_tls[LG_HEAPS];

int lg_cache_init(void);
int lg_cache_prepare(const struct goheap *h);
struct lg_cache *lg_cache_get(struct goheap *h);
void lg_cache_more_slots(struct goheap *h, struct lg_cache *c,
			 unsigned int class);
void lg_cache_check_trims(struct goheap *h, struct lg_cache *c);
void lg_cache_free_later(struct goheap *h, void *p, size_t bytes);
void lg_cache_trim(struct goheap *h);
bool lg_cache_reclaim(struct goheap *h, size_t size);

/* The caches of all threads. */
void lg_cache_lock_heap(struct goheap *h);
void lg_cache_unlock_heap(void);
void lg_cache_forget_all(struct goheap *h);
void lg_cache_forget_others(void);
void lg_cache_leave(void);
void lg_cache_return(bool child);
size_t lg_cache_bytes_all(struct goheap *h);

/* The magazine for objects in a page with @entry. */
static inline struct lg_mag *lg_cache_mag(struct lg_cache *c, uint64_t entry)
{
	return (void *)((char *)c->mag + (entry >> (32 - 5) & 0xff << 5));
}

#endif /* LG_CACHE_H */
