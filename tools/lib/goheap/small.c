// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * small: allocating and freeing when a magazine is empty, full or not there.
 *
 * A magazine has a small capacity at first. Each time that an allocation finds it
 * empty, or a free finds it full, the capacity is doubled, up to the bound of the
 * class. All magazines of a thread together may hold CACHE_BYTES; when they do,
 * others must give up half of their capacity in turn. What counts is their
 * capacity, not the objects in them.
 */
#include "cache.h"
#include "class.h"
#include "lock.h"
#include "report.h"
#include "small.h"
#include "stock.h"

/* What the magazines of a thread may hold of a heap. */
#define CACHE_BYTES	(2UL << 20)

/* ---- capacity ----------------------------------------------------------- */

/* Move the @n oldest objects of a magazine to the stock, but not all. */
static void spill(struct goheap *h, struct lg_mag *m, unsigned int class,
		  unsigned int n)
{
	lg_stock_put(h, class, m->slot + 1, n);
	m->n -= n;
	memmove(m->slot + 1, m->slot + 1 + n,
		(m->n - 1) * sizeof(*m->slot));
}

/* Halve the capacity of other magazines until there is enough for @need. */
static bool make_room(struct goheap *h, struct lg_cache *c, unsigned int class,
		      size_t need)
{
	unsigned int tries = h->nr_classes;

	while (c->bytes + need > CACHE_BYTES && tries--) {
		struct lg_mag *m;

		c->hand = c->hand % (h->nr_classes - 1) + 1;
		m = &c->mag[c->hand];
		if (c->hand == class || m->cap < 2)
			continue;

		c->bytes -= (size_t)(m->cap - m->cap / 2) *
			    h->class[c->hand].size;
		m->cap /= 2;
		if (m->n > m->cap)
			spill(h, m, c->hand, m->n - m->cap);
	}
	return c->bytes + need <= CACHE_BYTES;
}

static void grow(struct goheap *h, struct lg_cache *c, unsigned int class)
{
	const struct lg_class *k = &h->class[class];
	struct lg_mag *m = &c->mag[class];
	uint32_t more = k->max - m->cap;

	if (more > m->cap)
		more = m->cap;
	if (more && make_room(h, c, class, (size_t)more * k->size)) {
		lg_cache_more_slots(h, c, class);
		m->cap += more;
		c->bytes += (size_t)more * k->size;
	}
}

/* ---- allocating --------------------------------------------------------- */

/* Get objects, if need be after freeing what this process keeps. */
static unsigned int take(struct goheap *h, unsigned int class, void **objects,
			 unsigned int n)
{
	unsigned int got = lg_stock_take(h, class, objects, n);

	if (!got && lg_cache_reclaim(h, h->class[class].size))
		got = lg_stock_take(h, class, objects, n);
	return got;
}

/* Without a cache. */
static void *alloc_one(struct goheap *h, unsigned int class)
{
	void *p;

	if (!take(h, class, &p, 1))
		return NULL;
	lg_object_unmark(p);
	return p;
}

/**
 * lg_small_alloc() - allocate an object when the magazine is empty
 * @h: the heap
 * @class: its size class
 *
 * Return: the object, or NULL with errno.
 */
void *lg_small_alloc(struct goheap *h, unsigned int class)
{
	struct lg_cache *c = lg_cache_get(h);
	struct lg_mag *m;
	unsigned int n;

	if (!c)
		return alloc_one(h, class);
	lg_cache_check_trims(h, c);
	m = &c->mag[class];
	/* Not the first time, if it saves no system call: many classes are not used again. */
	if (m->top || !lg_is_private(h))
		grow(h, c, class);

	n = h->class[class].batch;
	if (n > m->cap)
		n = m->cap;
	m->n = take(h, class, m->slot, n);
	if (!m->n)
		return NULL;
	m->top = m->slot[0];
	return lg_small_pop(m);
}

/* ---- freeing ------------------------------------------------------------ */

static void push(struct goheap *h, struct lg_cache *c, void *p,
		 unsigned int class)
{
	struct lg_mag *m = &c->mag[class];
	unsigned int n;

	lg_cache_check_trims(h, c);
	if (m->n >= m->cap)
		grow(h, c, class);

	n = h->class[class].batch;
	if (m->n >= m->cap && m->n > 1)
		spill(h, m, class, n < m->n ? n : m->n - 1);
	if (m->n >= m->cap)
		return lg_stock_put(h, class, &p, 1);
	m->slot[m->n++] = m->top;
	m->top = p;
}

/**
 * lg_small_free() - free an object when the magazine is full or has no place for it
 * @h: the heap
 * @p: an address in a span of small objects of this session
 * @entry: the page map's for it
 *
 * Invalid frees are reported.
 */
void lg_small_free(struct goheap *h, void *p, uint64_t entry)
{
	unsigned int class = GOHEAP_PAGE_CLASS(entry);
	struct lg_cache *c;

	if (!lg_class_has(&h->class[class], entry, (uintptr_t)p - h->base))
		return lg_report_bad_free(h, p, EINVAL);
	if (lg_object_is_marked(h, p))
		return lg_report_bad_free(h, p, ENOENT);

	lg_object_mark(h, p);
	c = lg_cache_get(h);
	if (c)
		push(h, c, p, class);
	else
		lg_stock_put(h, class, &p, 1);
}
