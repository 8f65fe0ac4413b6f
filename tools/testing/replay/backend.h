/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two allocators, and what each of them holds.
 *
 * goheap: goheap_alloc(), goheap_zalloc(), goheap_realloc(), goheap_free().
 *
 * kmalloc: what the kernel has for objects of any size: kvmalloc(), which is kmalloc()
 * and only above a page, when contiguous pages are short, vmalloc(); kvzalloc();
 * krealloc(), or a copy where kmalloc() is not the right place; kvfree().
 *
 * The operations are inline here, so that the player's loop calls either allocator
 * directly.
 */
#ifndef GOHEAP_REPLAY_BACKEND_H
#define GOHEAP_REPLAY_BACKEND_H

#include <linux/goheap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>

enum replay_allocator {
	REPLAY_GOHEAP,
	REPLAY_KMALLOC,
	REPLAY_NR_ALLOCATORS
};

/**
 * struct replay_held - what an allocator holds
 * @held: bytes taken from the system, its own records included
 * @pages: bytes of that in pages that hold, or may hold, objects
 * @spans: spans in use; 0 where there are none
 */
struct replay_held {
	u64 held;
	u64 pages;
	u64 spans;
};

/**
 * struct replay_backend - an allocator to replay on
 * @alloc: allocate bytes, or NULL
 * @zalloc: allocate zeroed bytes, or NULL
 * @realloc: resize an object from @old to @size bytes; NULL leaves it as it is
 * @free: free an object
 * @usable: bytes that an object of @size bytes really takes
 * @settle: give back all memory that is free
 * @held: what is held now; @vmalloced is what live objects take in vmalloc
 *	  space, in bytes
 */
struct replay_backend {
	void *(*alloc)(size_t size);
	void *(*zalloc)(size_t size);
	void *(*realloc)(void *p, size_t old, size_t size);
	void (*free)(const void *p);
	size_t (*usable)(const void *p, size_t size);
	void (*settle)(void);
	void (*held)(struct replay_held *held, u64 vmalloced);
};

static inline void *goheap_backend_alloc(size_t size)
{
	return goheap_alloc(size, GFP_KERNEL | __GFP_NOWARN);
}

static inline void *goheap_backend_zalloc(size_t size)
{
	return goheap_zalloc(size, GFP_KERNEL | __GFP_NOWARN);
}

static inline void *goheap_backend_realloc(void *p, size_t old, size_t size)
{
	return goheap_realloc(p, size, GFP_KERNEL | __GFP_NOWARN);
}

static inline size_t goheap_backend_usable(const void *p, size_t size)
{
	return goheap_usable_size(p);
}

static inline void *kmalloc_backend_alloc(size_t size)
{
	return kvmalloc(size, GFP_KERNEL | __GFP_NOWARN);
}

static inline void *kmalloc_backend_zalloc(size_t size)
{
	return kvzalloc(size, GFP_KERNEL | __GFP_NOWARN);
}

/* Try as kvmalloc() does: contiguous first, without effort, then mapped. */
static inline void *kmalloc_backend_realloc(void *p, size_t old, size_t size)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	void *q;

	if (!is_vmalloc_addr(p) && size <= KMALLOC_MAX_SIZE) {
		q = krealloc(p, size, size > PAGE_SIZE ? gfp | __GFP_NORETRY : gfp);
		if (q)
			return q;
	}
	q = kvmalloc(size, gfp);
	if (q) {
		memcpy(q, p, min(old, size));
		kvfree(p);
	}
	return q;
}

static inline size_t kmalloc_backend_usable(const void *p, size_t size)
{
	return is_vmalloc_addr(p) ? PAGE_ALIGN(size) : ksize(p);
}

void goheap_backend_settle(void);
void goheap_backend_held(struct replay_held *held, u64 vmalloced);
void kmalloc_backend_settle(void);
void kmalloc_backend_held(struct replay_held *held, u64 vmalloced);

#endif
