/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cache: object caches, each with a span class of its own.
 */
#ifndef _GOHEAP_CACHE_H
#define _GOHEAP_CACHE_H

#include <linux/goheap.h>

#include "mcentral.h"

/**
 * struct goheap_cache - an object cache
 * @central: its span class; first, which saves an instruction
 * @size: object size in bytes, as asked for
 * @align: alignment in bytes
 * @nrcu: objects that wait for a grace period before they are freed
 */
struct goheap_cache {
	struct gh_central central;
	size_t size;
	size_t align;
	atomic_long_t nrcu;
};

struct goheap_cache *gh_cache_create(struct gh_heap *h, const char *name,
				     size_t size, size_t align,
				     unsigned int flags, void (*ctor)(void *));
unsigned long gh_cache_destroy(struct goheap_cache *cache);

#endif /* _GOHEAP_CACHE_H */
