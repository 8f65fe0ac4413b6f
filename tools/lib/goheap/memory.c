// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * memory: addresses of a private heap, and of the tables that say what is there.
 *
 * Only what is needed is mapped, since address space may be limited, too. So that the
 * heap can grow nevertheless, it begins where nothing else is likely to be. Should
 * something be in its way one day, it can grow no further. The tables are elsewhere, out
 * of reach of what is written beyond an object's end.
 */
#define _GNU_SOURCE
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "sys.h"
#include "window.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

/* How far a private heap can grow. */
#define WINDOW		(64UL << 30)
#define PAGES		(WINDOW >> LG_PAGE_SHIFT)

/* The heap grows by an eighth, but at least and at most by this; tables by GRAIN. */
#define GROW_MIN	(1024UL << 10)
#define GROW_MAX	(16UL << 20)
#define GRAIN		(64UL << 10)

#define TRIES		16

/**
 * struct table - where a table is, and what a chunk of pages takes of it
 * @at: from the start of all tables
 * @bytes: of a chunk
 */
struct table {
	uint64_t at;
	uint64_t bytes;
};

enum {
	CHUNKS,
	MAP,
	NPAGES,
	SPANS,
};

static void lay_out(struct table *table)
{
	const uint64_t bytes[LG_TABLES] = {
		[CHUNKS] = sizeof(struct lg_chunk),
		/* As many entries for an arena as a kernel's page map has. */
		[MAP] = (sizeof(uint64_t) << LG_MAP_SHIFT) /
			(LG_ARENA_SIZE / LG_PAGE_SIZE) * LG_CHUNK,
		[NPAGES] = LG_CHUNK * sizeof(uint32_t),
		[SPANS] = LG_CHUNK * LG_SPAN_BYTES,
	};
	uint64_t at = 0;
	unsigned int i;

	for (i = 0; i < LG_TABLES; i++) {
		table[i] = (struct table){ .at = at, .bytes = bytes[i] };
		at += (PAGES / LG_CHUNK * bytes[i] + LG_MAX_ALIGN) & -LG_MAX_ALIGN;
	}
}

/**
 * lg_memory_set_pages() - choose the pages of private heaps
 *
 * They are like those of a kernel with such pages.
 */
void lg_memory_set_pages(void)
{
#ifdef LG_PAGE_VARIES
	unsigned int page = __builtin_ctzl(sysconf(_SC_PAGESIZE));

	if (lg_page_shift)
		return;
	lg_page_shift = page > 13 ? page : 13;
	lg_map_shift = LG_ARENA_SHIFT - lg_page_shift;
	if (lg_map_shift + 3 < page)
		lg_map_shift = page - 3;
#endif
}

/*
 * An address at random. Programs and their heaps begin at two thirds of all addresses, or
 * at the lowest, and mappings below the stack of the first thread. Those of other threads
 * are such mappings, so an address that the kernel put on the first one's is looked at.
 */
static uintptr_t pick(void)
{
	uintptr_t stack = getauxval(AT_RANDOM);
	uintptr_t eighth;

	if (!stack)
		stack = (uintptr_t)__builtin_frame_address(0);
	eighth = 1UL << (60 - __builtin_clzl(stack));

	return (eighth + lg_sys_random() % (4 * eighth)) & -LG_MAX_ALIGN;
}

/* Map what is behind @old bytes at @at. */
static bool extend(uintptr_t at, uint64_t old, uint64_t new)
{
	void *to = (void *)(at + old);
	void *p;

	if (new <= old)
		return true;
	p = mmap(to, new - old, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	/* A kernel that does not know the flag takes the address for a hint. */
	if (p != MAP_FAILED && p != to)
		munmap(p, new - old);
	return p == to;
}

/* What a failure leaves of the tables is there for the next attempt. */
static bool grow_tables(struct goheap *h, uint64_t npages)
{
	uint64_t nchunks = (npages + LG_CHUNK - 1) / LG_CHUNK;
	struct lg_books *b = &h->books;
	struct table table[LG_TABLES];
	unsigned int i;

	lay_out(table);
	for (i = 0; i < LG_TABLES; i++) {
		uint64_t bytes = (nchunks * table[i].bytes + GRAIN - 1) & -GRAIN;

		if (bytes <= b->mapped[i])
			continue;
		if (!extend(b->tables + table[i].at, b->mapped[i], bytes))
			return false;
		b->mapped[i] = bytes;
	}
	return true;
}

static bool grow_to(struct goheap *h, uint64_t npages)
{
	struct lg_books *b = &h->books;

	if (!grow_tables(h, npages) ||
	    !extend(h->base, b->top << LG_PAGE_SHIFT, npages << LG_PAGE_SHIFT))
		return false;
	b->top = npages;
	__atomic_store_n(&h->known, npages << LG_PAGE_SHIFT, __ATOMIC_RELEASE);
	return true;
}

/**
 * lg_memory_grow() - add pages to the end of a private heap
 * @h: the heap
 * @npages: how many, 1 or more; there may be more
 *
 * Return: false if there are no addresses, or no memory, for them.
 */
bool lg_memory_grow(struct goheap *h, uint64_t npages)
{
	uint64_t top = h->books.top;
	uint64_t more = top / 8;

	if (more < GROW_MIN >> LG_PAGE_SHIFT)
		more = GROW_MIN >> LG_PAGE_SHIFT;
	if (more > GROW_MAX >> LG_PAGE_SHIFT)
		more = GROW_MAX >> LG_PAGE_SHIFT;
	if (npages > PAGES - top)
		return false;
	if (npages < more && more <= PAGES - top && grow_to(h, top + more))
		return true;
	return grow_to(h, top + npages);
}

/**
 * lg_memory_shrink() - take pages from the end of a private heap
 * @h: the heap
 * @npages: how many; they are free
 */
void lg_memory_shrink(struct goheap *h, uint64_t npages)
{
	struct lg_books *b = &h->books;
	uint64_t top = b->top - npages;

	__atomic_store_n(&h->known, top << LG_PAGE_SHIFT, __ATOMIC_RELEASE);
	munmap((void *)(h->base + (top << LG_PAGE_SHIFT)), npages << LG_PAGE_SHIFT);
	b->top = top;
}

static bool begin_at(struct goheap *h, uintptr_t base, uintptr_t tables)
{
	struct lg_books *b = &h->books;
	struct table table[LG_TABLES];

	lay_out(table);
	b->tables = tables;
	b->chunk = (void *)(tables + table[CHUNKS].at);
	b->span = (char *)tables + table[SPANS].at;
	h->npages = (void *)(tables + table[NPAGES].at);
	__atomic_store_n(&h->base, base, __ATOMIC_RELEASE);
	lg_window_set_map(h, (void *)(tables + table[MAP].at));
	return grow_to(h, GROW_MIN >> LG_PAGE_SHIFT);
}

/**
 * lg_memory_begin() - find addresses for a private heap
 * @h: the heap, zeroed; it has pages then
 *
 * Return: 0, or -1 with ENOMEM.
 */
int lg_memory_begin(struct goheap *h)
{
	unsigned int tries = TRIES;

	do {
		if (begin_at(h, pick(), pick())) {
			__atomic_store_n(&h->window, WINDOW, __ATOMIC_RELEASE);
			return 0;
		}
		lg_memory_end(h);
	} while (--tries);
	errno = ENOMEM;
	return -1;
}

/**
 * lg_memory_end() - unmap a private heap
 * @h: the heap
 */
void lg_memory_end(struct goheap *h)
{
	struct lg_books *b = &h->books;
	struct table table[LG_TABLES];
	unsigned int i;

	__atomic_store_n(&h->window, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&h->known, 0, __ATOMIC_RELEASE);
	if (b->top)
		munmap((void *)h->base, b->top << LG_PAGE_SHIFT);
	lay_out(table);
	for (i = 0; i < LG_TABLES; i++)
		if (b->mapped[i])
			munmap((void *)(b->tables + table[i].at), b->mapped[i]);
	__atomic_store_n(&h->base, 0, __ATOMIC_RELEASE);
	memset(b->mapped, 0, sizeof(b->mapped));
	b->top = 0;
}
