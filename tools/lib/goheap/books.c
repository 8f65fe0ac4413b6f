// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * books: spans and objects of a private heap.
 *
 * Processes that share a heap need not trust each other, so the kernel keeps its books.
 * A private heap is in one process. Its books are ordinary memory of that process, beside
 * the objects and not among them: so fork() copies them together with what they say.
 *
 * What a class has of spans is under the lock of its stock, all pages are under
 * lg_books.lock, which is taken after that.
 */
#include <sys/mman.h>

#include "books.h"
#include "class.h"
#include "lock.h"
#include "memory.h"
#include "object.h"
#include "report.h"
#include "runs.h"

/* Longer objects are zeroed by the system. */
#define MEMSET_MAX	(256UL << 10)

static void *page_address(const struct goheap *h, uint64_t page)
{
	return (void *)(h->base + (page << LG_PAGE_SHIFT));
}

static void show(struct goheap *h, uint64_t page, uint64_t entry)
{
	__atomic_store_n((uint64_t *)lg_window_slot(h, page_address(h, page)),
			 entry, __ATOMIC_RELEASE);
}

/* ---- spans of small objects --------------------------------------------- */

static void partial_add(struct lg_books *b, unsigned int class, uint64_t page)
{
	struct lg_span *s = lg_memory_span(b, page);

	s->prev = 0;
	s->next = b->partial[class];
	if (s->next)
		lg_memory_span(b, s->next - 1)->prev = page + 1;
	b->partial[class] = page + 1;
}

static void partial_del(struct lg_books *b, unsigned int class, uint64_t page)
{
	struct lg_span *s = lg_memory_span(b, page);

	if (s->prev)
		lg_memory_span(b, s->prev - 1)->next = s->next;
	else
		b->partial[class] = s->next;
	if (s->next)
		lg_memory_span(b, s->next - 1)->prev = s->prev;
}

/* The books are locked. */
static bool take_run(struct goheap *h, uint64_t npages, uint64_t align,
		     uint64_t *page, bool *dirty)
{
	bool got = lg_runs_take(h, npages, align, page, dirty);

	h->books.spans += got;
	if (!got)
		errno = ENOMEM;
	return got;
}

static bool span_new(struct goheap *h, unsigned int class)
{
	const struct lg_class *k = &h->class[class];
	struct lg_span *s;
	bool got, dirty;
	uint64_t i, page;

	if (!lg_enter(h, &h->books.lock))
		return false;
	got = take_run(h, k->npages, 1, &page, &dirty);
	lg_leave(&h->books.lock);
	if (!got)
		return false;
	s = lg_memory_span(&h->books, page);
	*s = (struct lg_span){ .nfree = k->nelems };
	for (i = 0; i < k->nelems / 64; i++)
		s->bits[i] = ~0ULL;
	if (k->nelems % 64)
		s->bits[i] = (1ULL << k->nelems % 64) - 1;
	partial_add(&h->books, class, page);
	for (i = 0; i < k->npages; i++)
		show(h, page + i, h->own | (uint64_t)class << 32 | i << 42);
	return true;
}

static void span_free(struct goheap *h, unsigned int class, uint64_t page)
{
	uint64_t i, npages = h->class[class].npages;

	if (!lg_enter(h, &h->books.lock))
		return;
	partial_del(&h->books, class, page);
	for (i = 0; i < npages; i++)
		show(h, page + i, 0);
	lg_runs_put(h, page, npages);
	h->books.spans--;
	lg_leave(&h->books.lock);
}

/* Take up to @n objects of the first span. */
static unsigned int span_pick(struct goheap *h, unsigned int class,
			      void **objects, unsigned int n)
{
	uint64_t page = h->books.partial[class] - 1;
	struct lg_span *s = lg_memory_span(&h->books, page);
	char *base = page_address(h, page);
	uint32_t size = h->class[class].size;
	unsigned int i, got = 0;

	if (n > s->nfree)
		n = s->nfree;
	while (got < n) {
		uint64_t word = s->bits[s->hint];

		for (; word && got < n; word &= word - 1) {
			i = s->hint * 64 + __builtin_ctzll(word);
			objects[got++] = base + (size_t)i * size;
		}
		s->bits[s->hint] = word;
		s->hint += !word;
	}
	s->nfree -= got;
	if (!s->nfree)
		partial_del(&h->books, class, page);
	return got;
}

/**
 * lg_books_alloc() - allocate small objects
 * @h: the heap
 * @class: their size class
 * @objects: where they go
 * @n: how many
 *
 * Return: how many there are; if none, errno is ENOMEM, EAGAIN or EPERM, see lg_enter().
 */
unsigned int lg_books_alloc(struct goheap *h, unsigned int class,
			    void **objects, unsigned int n)
{
	pthread_mutex_t *lock = &h->stock[class].lock;
	unsigned int got = 0;

	if (!lg_enter(h, lock))
		return 0;
	while (got < n && (h->books.partial[class] || span_new(h, class)))
		got += span_pick(h, class, objects + got, n - got);
	h->books.allocs[class] += got;
	lg_leave(lock);
	return got;
}

/* ---- large objects ------------------------------------------------------ */

static uint64_t pages_of(size_t size)
{
	return (size + LG_PAGE_SIZE - 1) >> LG_PAGE_SHIFT;
}

static uint64_t page_of(const struct goheap *h, const void *p)
{
	return ((uintptr_t)p - h->base) >> LG_PAGE_SHIFT;
}

static void make_zero(void *p, size_t bytes)
{
	if (bytes <= MEMSET_MAX || madvise(p, bytes, MADV_DONTNEED))
		memset(p, 0, bytes);
}

/**
 * lg_books_alloc_large() - allocate a large object
 * @h: the heap
 * @size: bytes
 * @align: bytes, a power of two, or 0
 * @zero: it must be zeroed
 *
 * Return: the object; NULL with errno as lg_books_alloc().
 */
void *lg_books_alloc_large(struct goheap *h, size_t size, size_t align,
			   bool zero)
{
	uint64_t page, npages = pages_of(size);
	uint64_t boundary = align > LG_PAGE_SIZE ? align >> LG_PAGE_SHIFT : 1;
	bool got, dirty;

	if (!lg_enter(h, &h->books.lock))
		return NULL;
	got = take_run(h, npages, boundary, &page, &dirty);
	if (got) {
		h->books.large++;
		h->books.large_allocs++;
		h->books.large_pages += npages;
		h->npages[page] = npages;
		/* Those that follow need no entry: no object starts there. */
		show(h, page, h->own);
	}
	lg_leave(&h->books.lock);
	if (!got)
		return NULL;
	if (zero && dirty)
		make_zero(page_address(h, page), npages << LG_PAGE_SHIFT);
	return page_address(h, page);
}

/**
 * lg_books_resize() - change the length of a large object in place
 * @h: the heap
 * @p: its start
 * @size: bytes, more than LG_MAX_SMALL
 *
 * Return: 0, or -1 with errno.
 */
int lg_books_resize(struct goheap *h, void *p, size_t size)
{
	uint64_t page = page_of(h, p), npages = pages_of(size), old;
	bool can = true;

	if (!lg_enter(h, &h->books.lock))
		return -1;
	old = h->npages[page];
	if (npages > old)
		can = lg_runs_take_at(h, page + old, npages - old);
	else if (npages < old)
		lg_runs_put(h, page + npages, old - npages);
	if (can) {
		h->npages[page] = npages;
		h->books.large_pages += npages - old;
	}
	lg_leave(&h->books.lock);
	if (can)
		return 0;
	errno = ENOMEM;
	return -1;
}

/* ---- freeing ------------------------------------------------------------ */

/* Returns 0, or a negative error number. */
static int free_small(struct goheap *h, unsigned int class, uint64_t entry,
		      const void *p)
{
	const struct lg_class *k = &h->class[class];
	uint64_t page = page_of(h, p) - GOHEAP_PAGE_INDEX(entry);
	uint32_t i = lg_class_index(k->inverse, k->shift, entry,
				    (uintptr_t)p - h->base);
	struct lg_span *s = lg_memory_span(&h->books, page);
	uint64_t *word = s->bits + i / 64;

	if (i >= k->nelems)
		return -EINVAL;
	if (*word >> i % 64 & 1)
		return -ENOENT;
	*word |= 1ULL << i % 64;
	if (i / 64 < s->hint)
		s->hint = i / 64;
	if (!s->nfree++)
		partial_add(&h->books, class, page);
	h->books.frees[class]++;
	/* The last span of the class stays: soon it may be needed. */
	if (s->nfree == k->nelems && (s->next || s->prev))
		span_free(h, class, page);
	return 0;
}

static int free_large(struct goheap *h, void *p)
{
	uint64_t page = page_of(h, p), npages = h->npages[page] & ~LG_KEPT;

	if ((uintptr_t)p % LG_PAGE_SIZE || !npages)
		return -EINVAL;
	h->npages[page] = 0;
	h->books.large--;
	h->books.large_pages -= npages;
	show(h, page, 0);
	lg_runs_put(h, page, npages);
	h->books.spans--;
	return 0;
}

/* For later, as the books may not be touched now. They are free: their memory is ours. */
static void postpone(struct goheap *h, void *const *objects, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		void **p = objects[i];

		*p = __atomic_load_n(&h->books.postponed, __ATOMIC_RELAXED);
		while (!__atomic_compare_exchange_n(&h->books.postponed, p, p,
						    false, __ATOMIC_SEQ_CST,
						    __ATOMIC_RELAXED))
			;
	}
}

static uint64_t entry_of(struct goheap *h, const void *p)
{
	uint64_t offset = (uintptr_t)p - h->base;

	if (offset >= __atomic_load_n(&h->known, __ATOMIC_RELAXED))
		return 0;
	return __atomic_load_n(lg_window_slot(h, p), __ATOMIC_RELAXED);
}

static pthread_mutex_t *lock_of(struct goheap *h, unsigned int class)
{
	return class ? &h->stock[class].lock : &h->books.lock;
}

/* Free the first objects that are of one class. Returns how many; *@err is the last one's. */
static unsigned int free_some(struct goheap *h, void **objects, unsigned int n,
			      int *err)
{
	uint64_t entry = entry_of(h, objects[0]);
	unsigned int class = GOHEAP_PAGE_CLASS(entry), done = 0;
	pthread_mutex_t *lock = lock_of(h, class);

	*err = -EINVAL;
	if (!entry)
		return 1;
	if (!lg_enter(h, lock)) {
		*err = -errno;
		return 0;
	}
	do {
		void *p = objects[done++];

		*err = class ? free_small(h, class, entry, p) : free_large(h, p);
		entry = done < n ? entry_of(h, objects[done]) : 0;
	} while (!*err && entry && GOHEAP_PAGE_CLASS(entry) == class);
	lg_leave(lock);
	return done;
}

static void free_all(struct goheap *h, void **objects, unsigned int n)
{
	while (n) {
		int err;
		unsigned int done = free_some(h, objects, n, &err);

		if (!done) {
			/* What a child has lost, it never gets back. */
			if (err == -EAGAIN)
				postpone(h, objects, n);
			return;
		}
		if (err)
			lg_report_bad_free(h, objects[done - 1], -err);
		objects += done;
		n -= done;
	}
}

/**
 * lg_books_unpostpone() - free what could not be freed while a thread forked
 * @h: the heap
 */
void lg_books_unpostpone(struct goheap *h)
{
	void **p = __atomic_exchange_n(&h->books.postponed, NULL,
				       __ATOMIC_SEQ_CST);

	while (p) {
		void *object = p;

		p = *p;
		free_all(h, &object, 1);
	}
}

/**
 * lg_books_free() - free objects
 * @h: the heap
 * @objects: any addresses
 * @n: how many
 *
 * What is no object is reported. errno is kept.
 */
void lg_books_free(struct goheap *h, void **objects, unsigned int n)
{
	int saved = errno;

	free_all(h, objects, n);
	if (unlikely(__atomic_load_n(&h->books.postponed, __ATOMIC_SEQ_CST)) &&
	    __atomic_load_n(&h->books.barred, __ATOMIC_SEQ_CST) == LG_BOOKS_OPEN)
		lg_books_unpostpone(h);
	errno = saved;
}

/* ---- the heap ----------------------------------------------------------- */

/* Of each class, the span that was left for later. */
static void free_last(struct goheap *h, unsigned int class)
{
	uint64_t page;

	if (!lg_enter(h, &h->stock[class].lock))
		return;
	page = h->books.partial[class] - 1ULL;
	if (h->books.partial[class] &&
	    lg_memory_span(&h->books, page)->nfree == h->class[class].nelems)
		span_free(h, class, page);
	lg_leave(&h->stock[class].lock);
}

/**
 * lg_books_trim() - give the memory of free pages back to the system
 * @h: the heap
 */
void lg_books_trim(struct goheap *h)
{
	unsigned int class;

	for (class = 1; class < h->nr_classes; class++)
		free_last(h, class);
	if (!lg_enter(h, &h->books.lock))
		return;
	lg_runs_trim(h);
	lg_leave(&h->books.lock);
}

/**
 * lg_books_bytes() - memory of a private heap
 * @h: the heap
 *
 * Return: bytes in use, or free and not given back.
 */
size_t lg_books_bytes(struct goheap *h)
{
	size_t npages;

	if (!lg_enter(h, &h->books.lock))
		return 0;
	npages = h->books.used + h->books.dirty;
	lg_leave(&h->books.lock);
	return npages << LG_PAGE_SHIFT;
}

/**
 * lg_books_set_quota() - bound what a private heap may hold
 * @h: the heap
 * @bytes: the bound, 0 for none
 *
 * Return: 0, or -1 with errno.
 */
int lg_books_set_quota(struct goheap *h, uint64_t bytes)
{
	uint64_t limit = bytes >> LG_PAGE_SHIFT;

	if (!lg_enter(h, &h->books.lock))
		return -1;
	h->books.limit = bytes && !limit ? 1 : limit;
	lg_leave(&h->books.lock);
	return 0;
}

/**
 * lg_books_usage() - what a private heap holds
 * @h: the heap
 * @u: set, but for its size
 *
 * Return: 0, or -1 with errno.
 */
int lg_books_usage(struct goheap *h, struct goheap_usage *u)
{
	struct lg_books *b = &h->books;
	unsigned int i;

	for (i = 1; i < h->nr_classes; i++) {
		if (!lg_enter(h, &h->stock[i].lock))
			return -1;
		u->objects += b->allocs[i] - b->frees[i];
		u->object_bytes += (b->allocs[i] - b->frees[i]) *
				   h->class[i].size;
		u->allocs += b->allocs[i];
		u->frees += b->frees[i];
		lg_leave(&h->stock[i].lock);
	}
	if (!lg_enter(h, &b->lock))
		return -1;
	u->objects += b->large;
	u->object_bytes += b->large_pages << LG_PAGE_SHIFT;
	u->allocs += b->large_allocs;
	u->frees += b->large_allocs - b->large;
	u->heap_bytes = b->used << LG_PAGE_SHIFT;
	u->heap_limit = b->limit << LG_PAGE_SHIFT;
	u->session_bytes = u->heap_bytes;
	u->session_limit = u->heap_limit;
	u->peak_bytes = b->peak << LG_PAGE_SHIFT;
	u->spans = b->spans;
	lg_leave(&b->lock);
	return 0;
}

/**
 * lg_books_begin() - begin the books of a private heap
 * @h: the heap, zeroed; its flags and its locks are set
 *
 * Return: 0, or -1 with ENOMEM.
 */
int lg_books_begin(struct goheap *h)
{
	lg_memory_set_pages();
	lg_class_setup_own(h);
	h->own = GOHEAP_PAGE_USED | 1;
	if (lg_memory_begin(h))
		return -1;
	lg_runs_note_top(h, 0);
	return 0;
}

/**
 * lg_books_end() - unmap a private heap
 * @h: the heap
 */
void lg_books_end(struct goheap *h)
{
	lg_memory_end(h);
}
