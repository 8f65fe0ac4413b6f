// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * private_model: whether the books of a private heap are right, and objects that know what
 * is in them.
 */
#include "memory.h"
#include "private.h"
#include "window.h"

/* ---- the books ---------------------------------------------------------- */

static bool is_free_page(const struct lg_books *b, uint64_t page)
{
	return b->chunk[page / LG_CHUNK].free[page % LG_CHUNK / 64] >> page % 64 & 1;
}

/* Returns the pages of what begins there; 0 if the books are wrong. */
static uint64_t pages_at(struct goheap *h, uint64_t page, uint64_t partial[])
{
	const char *at = (char *)h->base + (page << LG_PAGE_SHIFT);
	uint64_t entry = *lg_window_slot(h, at);
	unsigned int class = GOHEAP_PAGE_CLASS(entry);
	const struct lg_class *k = &h->class[class];
	const struct lg_span *s = lg_memory_span(&h->books, page);
	uint64_t i, nfree = 0;

	if ((entry & LG_OWN_MASK) != h->own || GOHEAP_PAGE_INDEX(entry))
		return 0;
	if (!class)
		return h->npages[page] & ~LG_KEPT;
	for (i = 0; i < k->npages; i++) {
		entry = *lg_window_slot(h, at + (i << LG_PAGE_SHIFT));
		if (GOHEAP_PAGE_INDEX(entry) != i || GOHEAP_PAGE_CLASS(entry) != class)
			return 0;
	}
	for (i = 0; i < k->nelems; i++)
		nfree += s->bits[i / 64] >> i % 64 & 1;
	partial[class] += !!nfree;
	return nfree == s->nfree && nfree <= k->nelems ? k->npages : 0;
}

static bool chunk_is_right(const struct lg_books *b, uint64_t nr)
{
	const struct lg_chunk *c = &b->chunk[nr];
	unsigned int i, run = 0, max = 0, start = LG_CHUNK;

	for (i = 0; i < LG_CHUNK; i++) {
		if (is_free_page(b, nr * LG_CHUNK + i)) {
			run++;
		} else {
			if (start == LG_CHUNK)
				start = i;
			run = 0;
		}
		if (run > max)
			max = run;
	}
	return c->start == start && c->end == run && c->max == max;
}

bool books_are_right(struct goheap *h)
{
	uint64_t partial[LG_CLASSES] = { 0 };
	struct lg_books *b = &h->books;
	uint64_t page, n, used = 0, spans = 0, dirty = 0;
	unsigned int i;

	for (page = 0; page < b->top; page += n) {
		n = 1;
		if (is_free_page(b, page)) {
			if (*lg_window_slot(h, (char *)h->base + (page << LG_PAGE_SHIFT)))
				return false;
			dirty += b->chunk[page / LG_CHUNK].dirty[page % LG_CHUNK / 64] >>
				 page % 64 & 1;
			continue;
		}
		n = pages_at(h, page, partial);
		if (!n)
			return false;
		used += n;
		spans++;
	}
	for (page = 0; page < b->top; page += LG_CHUNK)
		if (!chunk_is_right(b, page / LG_CHUNK))
			return false;
	for (i = 1; i < h->nr_classes; i++) {
		for (n = b->partial[i]; n; n = lg_memory_span(b, n - 1)->next)
			partial[i]--;
		if (partial[i])
			return false;
	}
	return used == b->used && spans == b->spans && dirty == b->dirty;
}

/* ---- objects ------------------------------------------------------------ */

uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Small ones, some large ones, and few that are very large. */
static size_t some_size(uint64_t *seed)
{
	uint64_t r = next_random(seed);

	if (r % 1000 == 0)
		return r / 1000 % (20 * MIB);
	if (r % 20 == 0)
		return r / 20 % 300000;
	return r / 20 % (r % 3 ? 500 : 40000);
}

static void fill(struct object *o, size_t from, uint64_t *seed)
{
	if (from >= o->size)
		return;
	if (!from)
		o->byte = next_random(seed);
	/* All of it would take long. */
	o->p[from] = o->byte;
	memset(o->p + from, o->byte, o->size - from < 5000 ? o->size - from : 5000);
	o->p[o->size - 1] = o->byte;
}

static bool is_whole(const struct object *o)
{
	size_t i;

	for (i = 0; i < o->size && i < 5000; i++)
		if (o->p[i] != o->byte)
			return false;
	return !o->size || o->p[o->size - 1] == o->byte;
}

bool step(struct goheap *h, struct object *o, uint64_t *seed)
{
	size_t old = o->size, size = some_size(seed);
	unsigned int what = next_random(seed) % 8;
	unsigned char *p;

	if (o->p && !is_whole(o))
		return false;
	if (o->p && what < 2 && size) {
		p = goheap_realloc(h, o->p, size);
		if (!p)
			return false;
		o->p = p;
		o->size = size;
		if (size <= old) {
			p[size - 1] = size > 5000 ? o->byte : p[size - 1];
			return is_whole(o);
		}
		o->size = old;
		if (old > 5000 ? p[old - 1] != o->byte : !is_whole(o))
			return false;
		o->size = size;
		fill(o, 0, seed);
		return true;
	}
	if (o->p) {
		goheap_free(h, o->p);
		o->p = NULL;
		return true;
	}
	o->size = size;
	if (what == 3) {
		size_t align = 16UL << next_random(seed) % 19;

		o->p = goheap_memalign(h, align, size);
		if ((uintptr_t)o->p % align)
			return false;
	} else if (what == 4) {
		o->p = goheap_calloc(h, 1, size);
		for (old = 0; o->p && old < size; old++)
			if (o->p[old])
				return false;
	} else {
		o->p = goheap_malloc(h, size);
	}
	if (!o->p)
		return false;
	fill(o, 0, seed);
	return true;
}
