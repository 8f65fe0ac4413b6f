/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * lib: what the parts of libgoheap share.
 *
 * An object that is free lies in a thread's magazine of its class, in the central
 * stock of its class, or in the kernel. A thread works on its own magazines
 * without locks; what they lack or have too much of moves in batches to and from
 * the stock, and from there to and from the kernel.
 *
 * Nothing in the window is trusted: other processes can write there. What an
 * object is, the kernel's page map says. The second word of a free small object holds
 * a cookie, which only serves to notice double frees early: the kernel refuses them
 * anyway when a batch reaches it. The first would be slower: a byte that was just
 * written cannot be read as part of a word at once.
 *
 * Locks, outermost first:
 *
 *   lg_lock         which heaps are open, all caches
 *   goheap.io       shared around calls that change the heap, held by fork()
 *   goheap.session_lock
 *   lg_stock.lock, lg_large.lock
 */
#ifndef LG_LIB_H
#define LG_LIB_H

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "goheap.h"

#define LG_EXPORT	__attribute__((__visibility__("default")))
#define noinline	__attribute__((__noinline__))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* An offset takes the place of a pointer in a batch. */
static_assert(sizeof(void *) == sizeof(uint64_t), "64-bit systems only");

#define LG_HEAPS		16
#define LG_PAGE_SHIFT		13
#define LG_PAGE_SIZE		8192UL
#define LG_ARENA_SIZE		(64UL << 20)
#define LG_MAX_SMALL		32768
#define LG_ALIGN		16
/* What the kernel can align objects to, and therefore where windows lie. */
#define LG_MAX_ALIGN		(4UL << 20)
/* Size classes are looked up by multiples of this. */
#define LG_QUANTUM		8
#define LG_MAX_BATCH		256

/* Of an entry of the page map: what must match for an object of our own. */
#define LG_OWN_MASK	(GOHEAP_PAGE_USED | GOHEAP_PAGE_GIVEN |		\
			 GOHEAP_PAGE_MMAP | 0xffffffffULL)

/**
 * struct lg_class - a size class
 * @size: bytes of an object
 * @inverse: of the odd factor of @size, modulo 2^32
 * @shift: twos in @size
 * @nelems: objects of a span
 * @batch: objects that move at once
 * @max: capacity of a magazine, at most
 */
struct lg_class {
	uint32_t size;
	uint32_t inverse;
	uint32_t shift;
	uint32_t nelems;
	uint32_t batch;
	uint32_t max;
};

/**
 * struct lg_mag - a magazine: a thread's free objects of a class
 * @top: the object that was freed last
 * @slot: the others, from slot[1] on
 * @n: how many there are
 * @cap: how many there may be; adapts
 * @inverse: as in &struct lg_class, as are the others
 * @shift: see there
 * @nelems: 0 in a cache that is not in use, which makes all calls slow ones
 *
 * @top has a place of its own so that malloc() after free() need not wait for @n
 * to know the object: that is half of the time that both take.
 */
struct lg_mag {
	void *top;
	void **slot;
	uint32_t n;
	uint32_t cap;
	uint32_t inverse;
	uint16_t shift;
	uint16_t nelems;
};

static_assert(sizeof(struct lg_mag) == 32, "see lg_mag_of()");

/* Objects that a thread collects for the kernel to free, and their bytes. */
#define LG_LATER	64
#define LG_LATER_BYTES	(256UL << 10)
/* In &struct goheap.npages. To look into the object itself would take longer. */
#define LG_KEPT		0x80000000U
/* Large objects that a thread keeps, and their bytes. */
#define LG_BIG		8
#define LG_BIG_BYTES	(2UL << 20)

/**
 * struct lg_cache - a thread's share of a heap
 * @mag: magazines by class
 * @id: &struct goheap.id; 0 if the cache is of no heap
 * @bytes: room of all magazines
 * @hand: class that is to give up room next
 * @trims: &struct goheap.trims when the magazines were last emptied
 * @next: in the list of all caches, or of those that no thread has
 * @nbig: large objects in @big
 * @big_bytes: their bytes
 * @big: large objects, the eldest first
 * @nlater: objects in @later
 * @later_bytes: their bytes
 * @later: objects that are not simply ours, to be freed by the kernel
 * @slots: room for objects
 */
struct lg_cache {
	struct lg_mag mag[GOHEAP_NR_CLASSES];
	uint64_t id;
	size_t bytes;
	unsigned int hand;
	unsigned int trims;
	struct lg_cache *next;
	unsigned int nbig;
	size_t big_bytes;
	struct {
		void *p;
		size_t bytes;
	} big[LG_BIG];
	unsigned int nlater;
	size_t later_bytes;
	void *later[LG_LATER];
	void *slots[];
};

/**
 * struct lg_stock - free objects of a class that no thread has
 * @lock: protects the rest
 * @n: how many
 * @cap: how many there may be
 * @slot: the objects
 */
struct lg_stock {
	pthread_mutex_t lock;
	uint32_t n;
	uint32_t cap;
	void **slot;
};

#define LG_LARGE_KEPT		64
#define LG_LARGE_BYTES		(64UL << 20)
/* A longer one is not kept. */
#define LG_LARGE_MAX		(16UL << 20)
/* A kept object goes back after so many other calls. */
#define LG_LARGE_AGE		4096

/**
 * struct lg_large - large objects that are free and kept
 * @lock: protects the rest
 * @n: how many
 * @bytes: their bytes
 * @now: counts calls
 * @kept: the objects, in the order they were freed
 */
struct lg_large {
	pthread_mutex_t lock;
	unsigned int n;
	size_t bytes;
	unsigned long now;
	struct {
		void *p;
		size_t bytes;
		unsigned long when;
	} kept[LG_LARGE_KEPT];
};

/**
 * struct lg_parked - objects that the kernel did not let this thread free
 * @next: more of them
 * @n: how many
 * @offsets: the objects
 */
struct lg_parked {
	struct lg_parked *next;
	unsigned int n;
	uint64_t offsets[LG_MAX_BATCH];
};

/**
 * struct goheap - an open heap
 * @base: address of offset 0
 * @known: bytes of the window that surely have a page map
 * @own: what LG_OWN_MASK of a page map entry is for objects of our own
 * @map_at: where the page map would be if the window were at address 0
 * @map: the page map
 * @cookie: second word of a free object, before the address is added
 * @slot: index of the heap, and of its cache in each thread
 * @id: number that no other heap of this process ever had; 0: not open
 * @window: bytes mapped
 * @fd: the heap
 * @session_fd: the session, or LG_NO_SESSION or LG_LOST
 * @session: its number
 * @flags: of goheap_open()
 * @path: of the device
 * @npages: heap pages of our own large objects, at the index of their first, and
 *   LG_KEPT while they are free and kept
 * @trims: calls of goheap_trim()
 * @leaving: threads that end and are emptying their caches
 * @stock_bytes: bytes in @stock
 * @parked: what a thread that may free is to free
 * @io: see above
 * @session_lock: protects the making of @session_fd
 * @large: large objects
 * @class: size classes
 * @stock: by class
 * @stock_slots: room of all
 * @class_of: size class by multiples of LG_QUANTUM
 */
struct goheap {
	uintptr_t base;
	uint64_t known;
	uint64_t own;
	uintptr_t map_at;
	uint64_t cookie;
	unsigned int slot;
	uint64_t id;

	const uint64_t *map;
	uint32_t *npages;
	uint64_t window;
	int fd;
	int session_fd;
	uint32_t session;
	unsigned int flags;
	char path[128];
	unsigned int trims;
	unsigned int leaving;
	size_t stock_bytes;
	struct lg_parked *parked;
	pthread_rwlock_t io;
	pthread_mutex_t session_lock;
	struct lg_large large;
	struct lg_class class[GOHEAP_NR_CLASSES];
	struct lg_stock stock[GOHEAP_NR_CLASSES];
	void *stock_slots;
	uint8_t class_of[LG_MAX_SMALL / LG_QUANTUM + 1];
};

extern struct goheap lg_heaps[LG_HEAPS];
extern pthread_mutex_t lg_lock;
extern __thread struct lg_cache *lg_tls[LG_HEAPS];

/* heap.c */
void *lg_map_memory(size_t bytes);
void lg_unmap_memory(void *p, size_t bytes);
size_t lg_stock_room(const struct goheap *h);
void lg_give_all_back(struct goheap *h);
int lg_reopen(struct goheap *h);
void lg_drop_files(struct goheap *h);

/* Shells and daemons close lower ones. */
#define LG_HIGH_FD	900

/* There is no session yet; and what it was is somebody else's descriptor now. */
#define LG_NO_SESSION	(-1)
#define LG_LOST		(-2)

/* kernel.c: the calls that change the heap */
void lg_close(int fd);
int lg_high_fd(int fd);
int lg_kernel_attach(struct goheap *h);
unsigned int lg_kernel_alloc(struct goheap *h, size_t size, size_t align,
			     void **objects, unsigned int n);
void lg_kernel_free(struct goheap *h, void **objects, unsigned int n);
void lg_kernel_unpark(struct goheap *h);
void lg_kernel_forget(struct goheap *h);
int lg_session_ioctl(struct goheap *h, unsigned long cmd, void *req);
int lg_kernel_resize(struct goheap *h, void *p, size_t size);
void lg_kernel_trim(struct goheap *h);

/* cache.c: magazines */
void *lg_alloc_slow(struct goheap *h, unsigned int class);
void lg_free_slow(struct goheap *h, void *p, uint64_t entry);
void lg_free_later(struct goheap *h, void *p, size_t bytes);
void *lg_big_take(struct goheap *h, size_t bytes);
void lg_big_put(struct goheap *h, void *p, size_t bytes);
struct lg_cache *lg_cache_get(struct goheap *h);
void lg_cache_empty(struct goheap *h, struct lg_cache *c);
void lg_lock_heap(struct goheap *h);
void lg_caches_flush(struct goheap *h);
void lg_caches_forget(struct goheap *h);
int lg_caches_init(void);
size_t lg_caches_bytes(struct goheap *h);

/* stock.c */
unsigned int lg_stock_take(struct goheap *h, unsigned int class, void **objects,
			   unsigned int n);
void lg_stock_put(struct goheap *h, unsigned int class, void **objects,
		  unsigned int n);
void lg_stock_empty(struct goheap *h);
void lg_large_keep(struct goheap *h, void *p, size_t bytes);
void *lg_large_alloc(struct goheap *h, size_t size, size_t align, bool zero);
void lg_large_free(struct goheap *h, void *p, uint64_t entry);
void lg_large_empty(struct goheap *h);

/* object.c: what an address is */
bool lg_map_readable(struct goheap *h, uint64_t offset);
uint64_t lg_map_entry(struct goheap *h, const void *p);
bool lg_is_kept(struct goheap *h, const void *p);
size_t lg_object_size(struct goheap *h, const void *p);
void lg_free_other(struct goheap *h, void *p);
void lg_bad_free(struct goheap *h, const void *p, int err);

/* fork.c */
int lg_fork_init(void);
bool lg_inherited(const void *p);
size_t lg_inherited_size(const void *p);
void lg_inherited_free(void *p);

/* own_calls.c, for preload.c */
int lg_own_calls(void);

/* glibc's own, by names that nobody takes the place of. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);
int __close(int fd);
int __dup2(int from, int to);

/* ---- the quick ways ----------------------------------------------------- */

static inline uint64_t lg_cookie(const struct goheap *h, const void *p)
{
	return h->cookie + (uintptr_t)p;
}

/* It may be anybody's: it is only compared. */
static inline uint64_t lg_word(const void *p)
{
	return __atomic_load_n((const uint64_t *)p + 1, __ATOMIC_RELAXED);
}

static inline void lg_set_word(void *p, uint64_t value)
{
	__atomic_store_n((uint64_t *)p + 1, value, __ATOMIC_RELAXED);
}

static inline unsigned int lg_class_of(const struct goheap *h, size_t size)
{
	return h->class_of[(size + LG_QUANTUM - 1) / LG_QUANTUM];
}

/* Of a magazine that is not empty. */
static inline void *lg_pop(struct lg_mag *m)
{
	unsigned int n = m->n - 1;
	void *p = m->top;

	m->n = n;
	m->top = m->slot[n];
	lg_set_word(p, 0);
	return p;
}

/* Of a large object that starts at @p. */
static inline uint32_t *lg_npages(struct goheap *h, const void *p)
{
	return &h->npages[((uintptr_t)p - h->base) >> LG_PAGE_SHIFT];
}

/* Whether @p, in a page of a large object with @entry, is where it starts. */
static inline bool lg_starts_large(const void *p, uint64_t entry)
{
	return !((uintptr_t)p % LG_PAGE_SIZE) && !GOHEAP_PAGE_INDEX(entry);
}

/* The large object that this thread freed last, if it is that long. */
static inline void *lg_big_pop(struct lg_cache *c, size_t bytes)
{
	unsigned int n = c->nbig;

	if (!n || c->big[n - 1].bytes != bytes)
		return NULL;
	c->nbig = n - 1;
	c->big_bytes -= bytes;
	return c->big[n - 1].p;
}

/* Keep another, if there is room and nobody called goheap_trim(). */
static inline bool lg_big_push(struct goheap *h, struct lg_cache *c, void *p,
			       size_t bytes)
{
	unsigned int n = c->nbig;

	if (c->id != h->id || n == LG_BIG ||
	    c->big_bytes + bytes > LG_BIG_BYTES ||
	    c->trims != __atomic_load_n(&h->trims, __ATOMIC_RELAXED))
		return false;
	c->big[n].p = p;
	c->big[n].bytes = bytes;
	c->nbig = n + 1;
	c->big_bytes += bytes;
	return true;
}

static inline void *lg_alloc_class(struct goheap *h, unsigned int class)
{
	struct lg_mag *m = &lg_tls[h->slot]->mag[class];

	return likely(m->n) ? lg_pop(m) : lg_alloc_slow(h, class);
}

static inline void *lg_malloc(struct goheap *h, size_t size)
{
	if (likely(size <= LG_MAX_SMALL))
		return lg_alloc_class(h, lg_class_of(h, size));
	return lg_large_alloc(h, size, 0, false);
}

/*
 * Whether @offset, in a page with @entry, starts an object: multiplied by the
 * inverse, multiples of the size, and they alone, become small.
 */
static inline bool lg_starts_object(const struct lg_mag *m, uint64_t entry,
				    uint64_t offset)
{
	uint32_t at = ((uint32_t)(entry >> (42 - LG_PAGE_SHIFT)) &
		       -(uint32_t)LG_PAGE_SIZE) |
		      ((uint32_t)offset & (LG_PAGE_SIZE - 1));
	uint32_t i = at * m->inverse;

	i = i >> m->shift | i << (-m->shift & 31);
	return i < m->nelems;
}

/* The magazine for objects in a page with @entry: that of its class. */
static inline struct lg_mag *lg_mag_of(struct lg_cache *c, uint64_t entry)
{
	return (void *)((char *)c->mag + (entry >> (32 - 5) & 0xff << 5));
}

/* @c is this thread's cache. */
static inline void lg_free_to(struct goheap *h, struct lg_cache *c, void *p)
{
	uint64_t entry, offset = (uintptr_t)p - h->base;
	struct lg_mag *m;
	unsigned int n;

	if (unlikely(offset >= h->known))
		return lg_free_other(h, p);
	entry = __atomic_load_n((uint64_t *)(h->map_at +
				((uintptr_t)p >> LG_PAGE_SHIFT) * sizeof(entry)),
				__ATOMIC_RELAXED);
	if (unlikely((entry & LG_OWN_MASK) != h->own))
		return lg_free_other(h, p);
	m = lg_mag_of(c, entry);
	n = m->n;
	if (unlikely(!lg_starts_object(m, entry, offset) ||
		     lg_word(p) == lg_cookie(h, p) || n >= m->cap))
		return lg_free_slow(h, p, entry);
	m->slot[n] = m->top;
	m->n = n + 1;
	m->top = p;
	lg_set_word(p, lg_cookie(h, p));
}

static inline void lg_free(struct goheap *h, void *p)
{
	lg_free_to(h, lg_tls[h->slot], p);
}

#endif /* LG_LIB_H */
