// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * stock: free small objects that belong to no thread.
 */
#include "kernel.h"
#include "lock.h"
#include "stock.h"
#include "sys.h"

/* Batches of a class, and bytes of all classes, at most. */
#define STOCK_BATCHES	16
#define STOCK_BYTES	(8UL << 20)
/* Likewise, of a private heap: it is no system call that they save. */
#define OWN_STOCK_BYTES	(256UL << 10)

static uint32_t stock_cap(const struct lg_class *k)
{
	return k->batch * STOCK_BATCHES;
}

static size_t slot_bytes(const struct goheap *h)
{
	size_t n = 0;
	unsigned int i;

	for (i = 1; i < h->nr_classes; i++)
		n += stock_cap(&h->class[i]);
	return n * sizeof(void *);
}

/**
 * lg_stock_setup() - get memory for the stock
 * @h: the heap, whose size classes are known
 *
 * Return: 0, or -1 with errno.
 */
int lg_stock_setup(struct goheap *h)
{
	void **slot = lg_sys_map(slot_bytes(h));
	unsigned int i;

	if (!slot)
		return -1;
	h->stock_slots = slot;
	for (i = 1; i < h->nr_classes; i++) {
		h->stock[i].slot = slot;
		h->stock[i].cap = stock_cap(&h->class[i]);
		slot += h->stock[i].cap;
	}
	return 0;
}

/**
 * lg_stock_release() - return the memory of the stock
 * @h: the heap
 */
void lg_stock_release(struct goheap *h)
{
	lg_sys_unmap(h->stock_slots, slot_bytes(h));
}

/**
 * lg_stock_forget() - forget all objects: in a child, they are the parent's
 * @h: the heap
 */
void lg_stock_forget(struct goheap *h)
{
	unsigned int i;

	h->stock_bytes = 0;
	for (i = 0; i < h->nr_classes; i++)
		h->stock[i].n = 0;
}

/**
 * lg_stock_take() - take objects out of the stock, or else allocate them
 * @h: the heap
 * @class: size class
 * @objects: where they go
 * @n: how many, up to LG_MAX_BATCH
 *
 * Return: how many there are; if none, errno is set as by lg_kernel_alloc().
 */
unsigned int lg_stock_take(struct goheap *h, unsigned int class, void **objects,
			   unsigned int n)
{
	const struct lg_class *k = &h->class[class];
	struct lg_stock *s = &h->stock[class];
	unsigned int got;

	if (!lg_enter(h, &s->lock))
		return 0;
	got = s->n < n ? s->n : n;
	s->n -= got;
	memcpy(objects, s->slot + s->n, got * sizeof(*objects));
	__atomic_sub_fetch(&h->stock_bytes, (size_t)got * k->size,
			   __ATOMIC_RELAXED);
	lg_leave(&s->lock);

	return got ? got : lg_kernel_alloc(h, class, objects, n);
}

static size_t stock_bytes(const struct goheap *h)
{
	return lg_is_private(h) ? OWN_STOCK_BYTES : STOCK_BYTES;
}

/**
 * lg_stock_put() - put free objects into the stock
 * @h: the heap
 * @class: size class
 * @objects: the objects, each with its cookie
 * @n: how many
 *
 * Objects that the stock has no room for are freed.
 */
void lg_stock_put(struct goheap *h, unsigned int class, void **objects,
		  unsigned int n)
{
	const struct lg_class *k = &h->class[class];
	struct lg_stock *s = &h->stock[class];
	unsigned int room = 0;
	int saved = errno;

	if (!n)
		return;

	if (!lg_enter(h, &s->lock)) {
		errno = saved;
		return lg_kernel_free(h, objects, n);
	}
	if (__atomic_load_n(&h->stock_bytes, __ATOMIC_RELAXED) <
	    stock_bytes(h))
		room = s->cap - s->n;
	if (room > n)
		room = n;
	memcpy(s->slot + s->n, objects, room * sizeof(*objects));
	s->n += room;
	__atomic_add_fetch(&h->stock_bytes, (size_t)room * k->size,
			   __ATOMIC_RELAXED);
	lg_leave(&s->lock);

	lg_kernel_free(h, objects + room, n - room);
}

static void empty_class(struct goheap *h, unsigned int class)
{
	struct lg_stock *s = &h->stock[class];
	void *some[LG_MAX_BATCH];
	unsigned int n;

	do {
		if (!lg_enter(h, &s->lock))
			return;
		n = s->n < LG_MAX_BATCH ? s->n : LG_MAX_BATCH;
		s->n -= n;
		memcpy(some, s->slot + s->n, n * sizeof(*some));
		__atomic_sub_fetch(&h->stock_bytes,
				   (size_t)n * h->class[class].size,
				   __ATOMIC_RELAXED);
		lg_leave(&s->lock);

		lg_kernel_free(h, some, n);
	} while (n);
}

/**
 * lg_stock_empty() - free all objects in the stock
 * @h: the heap
 */
void lg_stock_empty(struct goheap *h)
{
	unsigned int i;

	for (i = 1; i < h->nr_classes; i++)
		empty_class(h, i);
}
