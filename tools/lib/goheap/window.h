/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_WINDOW_H
#define LG_WINDOW_H

#include "types.h"

int lg_window_map(struct goheap *h, const struct goheap_info *info);
void lg_window_unmap(struct goheap *h);

/* The page map is at @map; the heap's base is known. */
static inline void lg_window_set_map(struct goheap *h, const uint64_t *map)
{
	h->map = map;
	h->map_at = (uintptr_t)map -
		    (h->base >> LG_PAGE_SHIFT) * sizeof(*map);
}

/* The page map's entry for an address in the part that @h->known covers. */
static inline const uint64_t *lg_window_slot(const struct goheap *h,
					     const void *p)
{
#ifdef LG_PAGE_VARIES
	uint64_t offset = (uintptr_t)p - h->base;

	return &h->map[(offset >> LG_ARENA_SHIFT << LG_MAP_SHIFT) +
		       (offset % LG_ARENA_SIZE >> LG_PAGE_SHIFT)];
#else
	return (uint64_t *)(h->map_at + ((uintptr_t)p >> LG_PAGE_SHIFT) *
			    sizeof(uint64_t));
#endif
}

#endif /* LG_WINDOW_H */
