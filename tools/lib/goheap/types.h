/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * types: the structures of libgoheap, and the order of its locks.
 *
 * A free object lies in one of three places: in a magazine of its size class, which
 * belongs to a thread; in the stock of its class, which all threads share; or where the
 * books are kept: in the kernel, or for a private heap in books.c. A thread takes no lock
 * for its own magazines. Objects move in batches between the magazines and the stock,
 * and between the stock and the books.
 *
 * Other processes can write to the window, so nothing that is read from it is
 * trusted: only the kernel's page map says which object an address belongs to. The
 * second word of a free small object holds a cookie, so that most double frees are
 * noticed at once; the kernel refuses the others when it gets their batch. It is not
 * the first word because a program has often just written a byte there, and a load
 * of the whole word would have to wait until that store is in the cache.
 *
 * Locks are taken in this order:
 *
 *   lg_fork_lock	one thread forks
 *   lg_lock		which heaps are open; the list of all caches
 *   goheap.session_lock
 *   lg_stock.lock, lg_kept.lock
 *   lg_books.lock	pages of a private heap
 */
#ifndef LG_TYPES_H
#define LG_TYPES_H

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "goheap.h"

#define LG_EXPORT	__attribute__((__visibility__("default")))
#define noinline	__attribute__((__noinline__))
#define __noreturn	__attribute__((__noreturn__))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* An offset takes the place of a pointer in a batch. */
static_assert(sizeof(void *) == sizeof(uint64_t), "64-bit systems only");

#define LG_HEAPS		16
#define LG_ARENA_SHIFT		26
#define LG_ARENA_SIZE		(64UL << 20)

/*
 * A heap's pages are the kernel's, if those are larger than 8 KiB. Where they never are,
 * machine.mk defines LG_PAGE_SHIFT.
 *
 * LG_MAP_SHIFT: the page map has 1 << LG_MAP_SHIFT entries for each 64 MiB, or room for
 * them.
 */
#ifdef LG_PAGE_SHIFT
#define LG_MAP_SHIFT		(LG_ARENA_SHIFT - LG_PAGE_SHIFT)
#else
#define LG_PAGE_VARIES
#define LG_PAGE_SHIFT		lg_page_shift
#define LG_MAP_SHIFT		lg_map_shift
extern unsigned int lg_page_shift, lg_map_shift;
#endif

#define LG_PAGE_SIZE		((size_t)1 << LG_PAGE_SHIFT)
/* Size classes that there is room for. */
#define LG_CLASSES		96
#define LG_MAX_SMALL		32768
#define LG_ALIGN		16
/* The largest alignment that the kernel knows; windows are aligned to it. */
#define LG_MAX_ALIGN		(4UL << 20)
/* Size classes are looked up by multiples of this. */
#define LG_QUANTUM		8
#define LG_MAX_BATCH		256

/*
 * The bits of a page map entry that are compared with &struct goheap.own: they are
 * equal for objects of this process that have no type, and for no others.
 */
#define LG_OWN_MASK	(GOHEAP_PAGE_USED | GOHEAP_PAGE_GIVEN |		\
			 GOHEAP_PAGE_MMAP | GOHEAP_PAGE_TYPED | 0xffffffffULL)

/* GOHEAP_ABI_VERSION of the first kernel that has readers, and retires objects. */
#define LG_VERSION_READERS	5

/* Values of &struct goheap.session_fd: not attached; the program closed it. */
#define LG_NO_SESSION	(-1)
#define LG_LOST		(-2)

/**
 * struct lg_class - a size class
 * @size: bytes of an object
 * @inverse: of the odd factor of @size, modulo 2^32
 * @shift: the power of two in @size
 * @nelems: objects in a span
 * @batch: objects that move at once
 * @max: the largest capacity of a magazine
 * @npages: heap pages of a span
 */
struct lg_class {
	uint32_t size;
	uint32_t inverse;
	uint32_t shift;
	uint32_t nelems;
	uint32_t batch;
	uint32_t max;
	uint32_t npages;
};

/**
 * struct lg_mag - a magazine: a thread's free objects of a class
 * @top: the object that was freed last
 * @slot: the others, from slot[1] on
 * @n: number of objects
 * @cap: how many there may be; adapts
 * @inverse: copied from &struct lg_class, as are @shift and @nelems
 * @shift: see &struct lg_class
 * @nelems: 0 in a cache that is not in use, so that every call takes the slow path
 *
 * @top is separate so that a malloc() right after a free() need not wait for @n
 * before it knows the object: that wait was half of the time that both take.
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

static_assert(sizeof(struct lg_mag) == 32, "see lg_cache_mag()");

/* The last entries of the list are for objects that the process holds. */
#define LG_HELD		4096U
#define LG_HELD_FIRST	(GOHEAP_NR_DEFERRED - LG_HELD)

/*
 * Objects that a thread collects for the kernel to free, and their bytes. The list of
 * the session has room for LG_LATER_LISTS threads; others do not collect.
 */
#define LG_LATER	128
#define LG_LATER_BYTES	(256UL << 10)
#define LG_LATER_LISTS	((GOHEAP_NR_DEFERRED - LG_HELD) / LG_LATER / 64 * 64)

/* Large objects that a thread keeps, and their bytes. */
#define LG_BIG		8
#define LG_BIG_BYTES	(2UL << 20)

/**
 * struct lg_big - a large object that is free and kept
 * @p: the object
 * @bytes: its length
 */
struct lg_big {
	void *p;
	size_t bytes;
};

/**
 * struct lg_cache - a thread's share of a heap
 * @mag: magazines by class
 * @id: &struct goheap.id; 0 if the cache belongs to no heap
 * @bytes: the sum of what all magazines may hold
 * @hand: the class that was last asked to give up room
 * @trims: &struct goheap.trims when the magazines were last emptied
 * @nbig: number of objects in @big
 * @big_bytes: their bytes
 * @big: large objects, oldest first
 * @nlater: number of entries in @later; the kernel may have emptied some of them
 * @later_bytes: bytes of their objects
 * @later: this thread's part of the session's list of deferred frees; NULL if it
 *	has none yet
 * @first_later: index of its first entry in the whole list
 * @no_later: there was none to be had
 * @inside: calls of goheap_enter() that this thread has not left
 * @reader: where it says so to the kernel; NULL before the first one
 * @alive: of the first cache, what lg_alive points to
 *
 * A child sees zeroes here, so it has no objects that its parent has, too. See fork.c.
 */
struct lg_cache {
	struct lg_mag mag[LG_CLASSES];
	uint64_t id;
	size_t bytes;
	unsigned int hand;
	unsigned int trims;
	unsigned int nbig;
	size_t big_bytes;
	struct lg_big big[LG_BIG];
	unsigned int nlater;
	size_t later_bytes;
	uint64_t *later;
	unsigned int first_later;
	bool no_later;
	unsigned int inside;
	struct goheap_reader *reader;
	unsigned int alive;
};

/**
 * struct lg_shelf - what belongs to a cache and children inherit
 * @cache: the cache
 * @saved: a copy of it, while its thread is in fork()
 * @next: in the list of all shelves, or of those that no thread uses
 * @slots: memory of the magazines' slots
 */
struct lg_shelf {
	struct lg_cache *cache;
	struct lg_shelf *next;
	struct lg_cache saved;
	void *slots[];
};

/**
 * struct lg_stock - free objects of a class that belong to no thread
 * @lock: protects the rest
 * @n: number of objects
 * @cap: how many there may be
 * @slot: the objects
 */
struct lg_stock {
	pthread_mutex_t lock;
	uint32_t n;
	uint32_t cap;
	void **slot;
};

#define LG_KEPT_MAX		64
#define LG_KEPT_BYTES		(64UL << 20)
/* Longer objects are not kept. */
#define LG_KEPT_LONGEST		(16UL << 20)
/* Kept objects go back to the kernel after this number of other calls. */
#define LG_KEPT_AGE		4096

/**
 * struct lg_kept - large objects that are free and kept for any thread
 * @lock: protects the rest
 * @n: number of objects
 * @bytes: their bytes
 * @now: counts calls
 * @object: the objects, in the order in which they were freed
 * @when: @now when each was freed
 */
struct lg_kept {
	pthread_mutex_t lock;
	unsigned int n;
	size_t bytes;
	unsigned long now;
	struct lg_big object[LG_KEPT_MAX];
	unsigned long when[LG_KEPT_MAX];
};

/**
 * struct lg_parked - objects that the kernel did not let this thread free
 * @next: more of them
 * @n: number of objects
 * @offsets: the objects
 */
struct lg_parked {
	struct lg_parked *next;
	unsigned int n;
	uint64_t offsets[LG_MAX_BATCH];
};

/* Tables of a private heap. */
#define LG_TABLES	4

/* Pages of a chunk, a part of a private heap whose free pages are summed up. */
#define LG_CHUNK	512

/**
 * struct lg_chunk - which pages are free
 * @free: bit set: the page is free
 * @dirty: of free pages: it has content, and so memory
 * @start: free pages at the start
 * @end: and at the end
 * @max: most free pages in a row
 */
struct lg_chunk {
	uint64_t free[LG_CHUNK / 64];
	uint64_t dirty[LG_CHUNK / 64];
	uint16_t start;
	uint16_t end;
	uint16_t max;
};

/**
 * struct lg_span - a span of a private heap, at the index of its first page
 * @next: in the list of its class: index of the page, plus 1; or 0
 * @prev: likewise
 * @nfree: objects that are free
 * @hint: no word of @bits before this has a bit set
 * @bits: bit set: the object is free
 */
struct lg_span {
	uint32_t next;
	uint32_t prev;
	uint32_t nfree;
	uint32_t hint;
	uint64_t bits[];
};

/**
 * enum lg_barred - whether the books of a private heap may be touched
 * @LG_BOOKS_OPEN: by all threads
 * @LG_BOOKS_FORKING: only by the one that is in fork()
 * @LG_BOOKS_LOST: by none; this is a child, and what it has of them may be half done
 */
enum lg_barred {
	LG_BOOKS_OPEN,
	LG_BOOKS_FORKING,
	LG_BOOKS_LOST,
};

/**
 * struct lg_books - the books of a private heap
 * @barred: &enum lg_barred
 * @falls_back: who may not touch the books now has another allocator
 * @postponed: objects that were freed meanwhile, linked by their first words
 * @lock: protects what follows, up to @partial
 * @tables: where the tables begin
 * @mapped: bytes of each table
 * @top: heap pages that have addresses
 * @used: those of them that are in spans
 * @dirty: those that are free and have content
 * @stuck: those of them that could not be given back, as of locked memory
 * @peak: largest @used
 * @limit: bound on @used, 0 for none
 * @spans: spans
 * @large: large objects
 * @large_allocs: large objects allocated, ever
 * @large_pages: heap pages of large objects
 * @first: no chunk before this has a free page
 * @chunk: free pages
 * @span: a &struct lg_span for each page: lg_memory_span()
 * @partial: spans with free objects by class, as &struct lg_span.next; under the lock of
 *	the stock of the class, as are @allocs and @frees
 * @allocs: small objects allocated, ever, by class
 * @frees: small objects freed, ever, by class
 */
struct lg_books {
	unsigned int barred;
	bool falls_back;
	void *postponed;
	pthread_mutex_t lock;
	uintptr_t tables;
	uint64_t mapped[LG_TABLES];
	uint64_t top;
	uint64_t used;
	uint64_t dirty;
	uint64_t stuck;
	uint64_t peak;
	uint64_t limit;
	uint64_t spans;
	uint64_t large;
	uint64_t large_allocs;
	uint64_t large_pages;
	uint64_t first;
	struct lg_chunk *chunk;
	char *span;
	uint32_t partial[LG_CLASSES];
	uint64_t allocs[LG_CLASSES];
	uint64_t frees[LG_CLASSES];
};

/*
 * A flag in &struct goheap.npages: the object is free and kept. It is not in the
 * object itself, which need not be in the CPU's cache when it is freed.
 */
#define LG_KEPT		0x80000000U

/**
 * struct goheap - an open heap
 * @base: address of offset 0
 * @known: bytes of the window that certainly have a page map
 * @own: what LG_OWN_MASK of a page map entry is for objects of this process
 * @map_at: where the page map would be if the window were at address 0; only for
 *   lg_window_slot()
 * @cookie: second word of a free object, before the address is added
 * @slot: index of the heap, and of its cache in each thread
 * @id: a number that no other heap of this process ever had; 0: not open
 * @map: the page map
 * @npages: number of heap pages of each large object of this process, at the
 *   index of its first page, with LG_KEPT while it is free and kept
 * @window: bytes mapped
 * @fd: the heap
 * @session_fd: the session, or LG_NO_SESSION or LG_LOST
 * @session: its number
 * @flags: of goheap_open()
 * @trims: number of trims, see lg_cache_trim()
 * @leaving: threads that end and are emptying their caches
 * @stock_bytes: bytes in @stock
 * @parked: objects that wait for a thread that may free them
 * @later: the session's list of deferred frees, or NULL
 * @later_used: bit set: a thread has this part of it
 * @readers: the session's readers, behind @later; or NULL
 * @readers_used: bit set: a thread has this one
 * @holds: the process has held objects, so the list has memory for them
 * @held_freed: bytes of those that it has freed since the last call, about
 * @end: of all offsets; the window of this process may be shorter
 * @version: GOHEAP_ABI_VERSION of the kernel
 * @nr_classes: size classes, with 0 for large objects
 * @books: of a private heap
 * @session_lock: held while @session_fd is made
 * @kept: large objects
 * @class: size classes
 * @stock: by class
 * @stock_slots: memory of all slots of @stock
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
	unsigned int trims;
	unsigned int leaving;
	size_t stock_bytes;
	struct lg_parked *parked;
	uint64_t *later;
	uint64_t later_used[LG_LATER_LISTS / 64];
	struct goheap_reader *readers;
	uint64_t readers_used[GOHEAP_NR_READERS / 64];
	bool holds;
	size_t held_freed;
	uint64_t end;
	uint32_t version;
	unsigned int nr_classes;
	struct lg_books books;
	pthread_mutex_t session_lock;
	struct lg_kept kept;
	struct lg_class class[LG_CLASSES];
	struct lg_stock stock[LG_CLASSES];
	void *stock_slots;
	uint8_t class_of[LG_MAX_SMALL / LG_QUANTUM + 1];
};

#endif /* LG_TYPES_H */
