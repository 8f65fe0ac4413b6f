// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * stock: free objects of all threads, and large ones.
 */
#include "lib.h"

/* Small objects in the stock, bytes, at most. */
#define STOCK_BYTES	(8UL << 20)

/* ---- small objects ------------------------------------------------------ */

/**
 * lg_stock_take() - get objects
 * @h: the heap
 * @class: size class
 * @objects: where they go
 * @n: how many, up to LG_MAX_BATCH
 *
 * Return: how many there are; with none, errno is set.
 */
unsigned int lg_stock_take(struct goheap *h, unsigned int class, void **objects,
			   unsigned int n)
{
	const struct lg_class *k = &h->class[class];
	struct lg_stock *s = &h->stock[class];
	unsigned int got;

	pthread_mutex_lock(&s->lock);
	got = s->n < n ? s->n : n;
	s->n -= got;
	memcpy(objects, s->slot + s->n, got * sizeof(*objects));
	pthread_mutex_unlock(&s->lock);
	if (!got)
		return lg_kernel_alloc(h, k->size, 0, objects, n);
	__atomic_sub_fetch(&h->stock_bytes, (size_t)got * k->size,
			   __ATOMIC_RELAXED);
	return got;
}

/**
 * lg_stock_put() - give objects back
 * @h: the heap
 * @class: size class
 * @objects: the objects, each with its cookie
 * @n: how many
 */
void lg_stock_put(struct goheap *h, unsigned int class, void **objects,
		  unsigned int n)
{
	const struct lg_class *k = &h->class[class];
	struct lg_stock *s = &h->stock[class];
	unsigned int room = 0;

	if (!n)
		return;
	pthread_mutex_lock(&s->lock);
	if (__atomic_load_n(&h->stock_bytes, __ATOMIC_RELAXED) < STOCK_BYTES)
		room = s->cap - s->n;
	if (room > n)
		room = n;
	memcpy(s->slot + s->n, objects, room * sizeof(*objects));
	s->n += room;
	__atomic_add_fetch(&h->stock_bytes, (size_t)room * k->size,
			   __ATOMIC_RELAXED);
	pthread_mutex_unlock(&s->lock);
	lg_kernel_free(h, objects + room, n - room);
}

static void stock_empty_class(struct goheap *h, unsigned int class)
{
	struct lg_stock *s = &h->stock[class];
	void *some[LG_MAX_BATCH];
	unsigned int n;

	do {
		pthread_mutex_lock(&s->lock);
		n = s->n < LG_MAX_BATCH ? s->n : LG_MAX_BATCH;
		s->n -= n;
		memcpy(some, s->slot + s->n, n * sizeof(*some));
		pthread_mutex_unlock(&s->lock);
		__atomic_sub_fetch(&h->stock_bytes,
				   (size_t)n * h->class[class].size,
				   __ATOMIC_RELAXED);
		lg_kernel_free(h, some, n);
	} while (n);
}

/* Give all of it to the kernel. */
void lg_stock_empty(struct goheap *h)
{
	unsigned int i;

	for (i = 1; i < GOHEAP_NR_CLASSES; i++)
		stock_empty_class(h, i);
}

/* ---- large objects ------------------------------------------------------ */

/* Under the lock. */
static void *large_remove(struct lg_large *l, unsigned int i)
{
	void *p = l->kept[i].p;

	l->bytes -= l->kept[i].bytes;
	l->n--;
	memmove(l->kept + i, l->kept + i + 1, (l->n - i) * sizeof(*l->kept));
	return p;
}

/* The youngest that is long enough and not much too long. */
static void *large_take(struct lg_large *l, size_t size)
{
	unsigned int i;
	void *p = NULL;

	pthread_mutex_lock(&l->lock);
	l->now++;
	for (i = l->n; i-- && !p;)
		if (l->kept[i].bytes >= size &&
		    l->kept[i].bytes <= size + size / 8)
			p = large_remove(l, i);
	pthread_mutex_unlock(&l->lock);
	return p;
}

/* Whether the eldest should go; the next one comes with @bytes. */
static bool large_too_much(const struct lg_large *l, size_t bytes)
{
	return l->n && (l->n == LG_LARGE_KEPT ||
			l->bytes + bytes > LG_LARGE_BYTES ||
			l->now - l->kept[0].when > LG_LARGE_AGE);
}

/* Keep one; returns how many others have to go. */
static unsigned int large_add(struct lg_large *l, void *p, size_t bytes,
			      void **out)
{
	unsigned int n = 0;

	pthread_mutex_lock(&l->lock);
	l->now++;
	while (large_too_much(l, bytes))
		out[n++] = large_remove(l, 0);
	l->kept[l->n].p = p;
	l->kept[l->n].bytes = bytes;
	l->kept[l->n++].when = l->now;
	l->bytes += bytes;
	pthread_mutex_unlock(&l->lock);
	return n;
}

static noinline void *large_kept(struct goheap *h, size_t bytes)
{
	void *p = lg_big_take(h, bytes);

	return p ? p : large_take(&h->large, bytes);
}

static noinline void *large_new(struct goheap *h, size_t size, size_t bytes,
				size_t align)
{
	void *p;

	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return lg_kernel_alloc(h, bytes, align, &p, 1) ? p : NULL;
}

/**
 * lg_large_alloc() - allocate a large object
 * @h: the heap
 * @size: bytes
 * @align: bytes, a power of two, or 0
 * @zero: it shall be zero
 *
 * Return: the object, or NULL with errno.
 */
void *lg_large_alloc(struct goheap *h, size_t size, size_t align, bool zero)
{
	size_t bytes = (size + LG_PAGE_SIZE - 1) & -LG_PAGE_SIZE;
	void *p = NULL;

	if (align <= LG_PAGE_SIZE && bytes <= LG_LARGE_MAX) {
		p = lg_big_pop(lg_tls[h->slot], bytes);
		if (unlikely(!p))
			p = large_kept(h, bytes);
	}
	/* What comes from the kernel is zero. */
	if (!p)
		return large_new(h, size, bytes, align);
	*lg_npages(h, p) &= ~LG_KEPT;
	return zero ? memset(p, 0, size) : p;
}

/**
 * lg_large_free() - free a large object of our own
 * @h: the heap
 * @p: an address in it
 * @entry: of its page
 */
void lg_large_free(struct goheap *h, void *p, uint64_t entry)
{
	uint32_t *npages = lg_npages(h, p);
	size_t bytes = LG_PAGE_SIZE * *npages;

	if (!lg_starts_large(p, entry) || !bytes)
		return lg_bad_free(h, p, EINVAL);
	if (*npages & LG_KEPT)
		return lg_bad_free(h, p, ENOENT);
	if (bytes > LG_LARGE_MAX)
		return lg_kernel_free(h, &p, 1);
	*npages |= LG_KEPT;
	if (unlikely(!lg_big_push(h, lg_tls[h->slot], p, bytes)))
		lg_big_put(h, p, bytes);
}

/**
 * lg_large_keep() - keep a large object for any thread
 * @h: the heap
 * @p: the object, marked LG_KEPT
 * @bytes: its length
 */
void lg_large_keep(struct goheap *h, void *p, size_t bytes)
{
	void *out[LG_LARGE_KEPT];

	lg_kernel_free(h, out, large_add(&h->large, p, bytes, out));
}

/* Give all that is kept to the kernel. */
void lg_large_empty(struct goheap *h)
{
	struct lg_large *l = &h->large;
	void *out[LG_LARGE_KEPT];
	unsigned int n = 0;

	pthread_mutex_lock(&l->lock);
	while (l->n)
		out[n++] = large_remove(l, 0);
	pthread_mutex_unlock(&l->lock);
	lg_kernel_free(h, out, n);
}
