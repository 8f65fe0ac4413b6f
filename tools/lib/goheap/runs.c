// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * runs: the free pages of a private heap.
 *
 * As in the kernel, and in Go: a bitmap, summed up for each chunk by the free pages at
 * its start, at its end, and in a row; the first run that is long enough is taken. Pages
 * that are freed keep their memory until there is too much of it. All of it is under
 * lg_books.lock.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "memory.h"
#include "runs.h"

/* Pages that are free and keep their memory: an eighth of those in use, but at least this. */
#define DIRTY_MIN	(2UL << 20)
/* When so much is free at the end, its addresses are given back as well. */
#define SHRINK		(16UL << 20)
/* But those of the first pages. */
#define SHRINK_LEAST	(1024UL << 10)

/* ---- bitmaps ------------------------------------------------------------ */

/* Bits @from to @to of a word, without @to. */
static uint64_t mask(unsigned int from, unsigned int to)
{
	uint64_t below = to == 64 ? ~0ULL : (1ULL << to) - 1;

	return below & ~((1ULL << from) - 1);
}

static bool is_set(const uint64_t *bits, unsigned int i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* The next bit from @i on that is @value, or LG_CHUNK. */
static unsigned int next_bit(const uint64_t *bits, unsigned int i, bool value)
{
	while (i < LG_CHUNK) {
		uint64_t word = bits[i / 64];

		word = (value ? word : ~word) & mask(i % 64, 64);
		if (word)
			return (i & ~63U) + __builtin_ctzll(word);
		i = (i | 63) + 1;
	}
	return LG_CHUNK;
}

static void sum_up(struct lg_chunk *c)
{
	unsigned int from, to, max = 0;

	c->start = next_bit(c->free, 0, false);
	c->end = 0;
	for (from = next_bit(c->free, 0, true); from < LG_CHUNK;
	     from = next_bit(c->free, to, true)) {
		to = next_bit(c->free, from, false);
		if (to - from > max)
			max = to - from;
		if (to == LG_CHUNK)
			c->end = to - from;
	}
	c->max = max;
}

/* Returns how many of the bits were dirty. */
static unsigned int mark_word(struct lg_chunk *c, unsigned int w, uint64_t bits,
			      bool is_free, bool dirty)
{
	unsigned int was = __builtin_popcountll(c->dirty[w] & bits);

	if (is_free)
		c->free[w] |= bits;
	else
		c->free[w] &= ~bits;
	if (dirty)
		c->dirty[w] |= bits;
	else
		c->dirty[w] &= ~bits;
	return was;
}

/* Returns how many of the pages were dirty. */
static uint64_t mark(struct lg_books *b, uint64_t page, uint64_t npages,
		     bool is_free, bool dirty)
{
	uint64_t end = page + npages, were_dirty = 0;

	while (page < end) {
		struct lg_chunk *c = &b->chunk[page / LG_CHUNK];
		uint64_t stop = (page | (LG_CHUNK - 1)) + 1;

		if (stop > end)
			stop = end;
		while (page < stop) {
			unsigned int from = page % 64, n = 64 - from;

			if (n > stop - page)
				n = stop - page;
			were_dirty += mark_word(c, page % LG_CHUNK / 64,
						mask(from, from + n), is_free,
						dirty);
			page += n;
		}
		sum_up(c);
	}
	return were_dirty;
}

/* ---- finding ------------------------------------------------------------ */

static uint64_t nr_chunks(const struct lg_books *b)
{
	return (b->top + LG_CHUNK - 1) / LG_CHUNK;
}

/* The first run in a chunk that has one of this length. */
static unsigned int find_in(const struct lg_chunk *c, uint64_t npages)
{
	unsigned int from = 0, to;

	for (;;) {
		from = next_bit(c->free, from, true);
		to = next_bit(c->free, from, false);
		if (to - from >= npages)
			return from;
		from = to;
	}
}

/*
 * The first run of free pages. If there is none, @page is the first of those at the end
 * of the heap, which may be none.
 */
static bool find(struct lg_books *b, uint64_t npages, uint64_t *page)
{
	uint64_t i, run = 0, n = nr_chunks(b);

	while (b->first < n && !b->chunk[b->first].max)
		b->first++;
	for (i = b->first; i < n; i++) {
		const struct lg_chunk *c = &b->chunk[i];

		if (run + c->start >= npages) {
			*page = i * LG_CHUNK - run;
			return true;
		}
		if (c->max >= npages) {
			*page = i * LG_CHUNK + find_in(c, npages);
			return true;
		}
		run = c->start == LG_CHUNK ? run + LG_CHUNK : c->end;
	}
	/* The last chunk may go on beyond the end, where nothing is free. */
	for (*page = b->top; *page;) {
		uint64_t last = *page - 1;
		const struct lg_chunk *c = &b->chunk[last / LG_CHUNK];

		if (!is_set(c->free, last % LG_CHUNK))
			break;
		*page -= *page % LG_CHUNK == 0 && c->max == LG_CHUNK ? LG_CHUNK : 1;
	}
	return false;
}

/**
 * lg_runs_note_top() - pages have been added to the heap
 * @h: the heap
 * @old: how many there were before
 */
void lg_runs_note_top(struct goheap *h, uint64_t old)
{
	mark(&h->books, old, h->books.top - old, true, false);
	if (old / LG_CHUNK < h->books.first)
		h->books.first = old / LG_CHUNK;
}

static bool grow(struct goheap *h, uint64_t npages)
{
	uint64_t old = h->books.top;

	if (!lg_memory_grow(h, npages))
		return false;
	lg_runs_note_top(h, old);
	return true;
}

static bool within_limit(const struct lg_books *b, uint64_t npages)
{
	return !b->limit || b->used + npages <= b->limit;
}

/* Returns whether one of the pages was dirty. */
static bool use(struct lg_books *b, uint64_t page, uint64_t npages)
{
	uint64_t dirty = mark(b, page, npages, false, false);

	b->dirty -= dirty;
	b->used += npages;
	if (b->used > b->peak)
		b->peak = b->used;
	return dirty;
}

/**
 * lg_runs_take() - take a run of pages; the heap grows if it must
 * @h: the heap, whose books are locked
 * @npages: how many
 * @align: of the first, in pages, a power of two
 * @page: set to the first
 * @dirty: set to whether they may have content
 *
 * Return: false if there is no room for them.
 */
bool lg_runs_take(struct goheap *h, uint64_t npages, uint64_t align,
		  uint64_t *page, bool *dirty)
{
	struct lg_books *b = &h->books;
	uint64_t at;

	if (!within_limit(b, npages))
		return false;
	if (!find(b, npages + align - 1, &at) &&
	    !grow(h, npages + align - 1 - (b->top - at)))
		return false;
	*page = (at + align - 1) & -align;
	*dirty = use(b, *page, npages);
	return true;
}

/**
 * lg_runs_take_at() - take certain pages
 * @h: the heap, whose books are locked
 * @page: the first, at most the end of the heap
 * @npages: how many
 *
 * Return: false if they are not free.
 */
bool lg_runs_take_at(struct goheap *h, uint64_t page, uint64_t npages)
{
	struct lg_books *b = &h->books;
	uint64_t at, end = page + npages;

	if (!within_limit(b, npages))
		return false;
	for (at = page; at < end && at < b->top;) {
		unsigned int i = at % LG_CHUNK;
		unsigned int to = next_bit(b->chunk[at / LG_CHUNK].free, i, false);

		if (to == i)
			return false;
		at += to - i;
	}
	if (at < end && !grow(h, end - b->top))
		return false;
	use(b, page, npages);
	return true;
}

/* ---- giving memory back ------------------------------------------------- */

/* The memory of the dirty pages of a chunk. */
static void clean(struct goheap *h, uint64_t i)
{
	struct lg_books *b = &h->books;
	struct lg_chunk *c = &b->chunk[i];
	unsigned int from, to;

	for (from = next_bit(c->dirty, 0, true); from < LG_CHUNK;
	     from = next_bit(c->dirty, to, true)) {
		char *p = (char *)h->base + ((i * LG_CHUNK + from) << LG_PAGE_SHIFT);

		to = next_bit(c->dirty, from, false);
		/* Locked memory, for instance, stays. */
		if (madvise(p, (size_t)(to - from) << LG_PAGE_SHIFT,
			    MADV_DONTNEED))
			continue;
		b->dirty -= mark(b, i * LG_CHUNK + from, to - from, true, false);
	}
}

/*
 * Of all but @most pages that are free, those at the end of the heap first: they are least
 * likely to be taken.
 */
static void scavenge(struct goheap *h, uint64_t most)
{
	struct lg_books *b = &h->books;
	uint64_t i = nr_chunks(b);
	int saved = errno;

	while (i-- && b->dirty > most)
		clean(h, i);
	b->stuck = b->dirty > most ? b->dirty : 0;
	errno = saved;
}

/* Likewise, the addresses at the end. */
static void shrink(struct goheap *h)
{
	struct lg_books *b = &h->books;
	uint64_t page;
	int saved = errno;

	find(b, b->top + 1, &page);
	if (page < SHRINK_LEAST >> LG_PAGE_SHIFT)
		page = SHRINK_LEAST >> LG_PAGE_SHIFT;
	if (page < b->top) {
		b->dirty -= mark(b, page, b->top - page, false, false);
		lg_memory_shrink(h, b->top - page);
	}
	errno = saved;
}

/**
 * lg_runs_trim() - give the memory of all free pages back
 * @h: the heap, whose books are locked
 */
void lg_runs_trim(struct goheap *h)
{
	scavenge(h, 0);
	shrink(h);
}

/*
 * New memory, without what the program has made of the old: protections, for instance. Returns
 * an error number.
 */
static int replace(struct goheap *h, uint64_t page, uint64_t npages)
{
	void *at = (char *)h->base + (page << LG_PAGE_SHIFT);
	int err = 0, saved = errno;

	if (mmap(at, npages << LG_PAGE_SHIFT, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		err = errno;
	errno = saved;
	return err;
}

/**
 * lg_runs_put() - return pages
 * @h: the heap, whose books are locked
 * @page: the first
 * @npages: how many
 */
void lg_runs_put(struct goheap *h, uint64_t page, uint64_t npages)
{
	struct lg_books *b = &h->books;
	bool is_long = npages >= SHRINK >> LG_PAGE_SHIFT;
	bool is_last = page + npages == b->top;
	uint64_t most;
	int err = EAGAIN;

	if (is_long && !is_last)
		err = replace(h, page, npages);
	/* There may be nothing any more, unless it was too much locked: then nobody gets it. */
	if (err && err != EAGAIN)
		return;
	mark(b, page, npages, true, err);
	b->dirty += err ? npages : 0;
	b->used -= npages;
	if (page / LG_CHUNK < b->first)
		b->first = page / LG_CHUNK;

	if (is_long && is_last)
		shrink(h);
	most = b->used / 8;
	if (most < DIRTY_MIN >> LG_PAGE_SHIFT)
		most = DIRTY_MIN >> LG_PAGE_SHIFT;
	if (b->dirty > most && b->dirty > 2 * b->stuck)
		scavenge(h, most / 2);
}
