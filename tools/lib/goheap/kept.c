// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * kept: free large objects that belong to no thread.
 */
#include "kept.h"
#include "kernel.h"

/* The caller holds the lock. */
static void *remove_one(struct lg_kept *k, unsigned int i)
{
	void *p = k->object[i].p;

	k->bytes -= k->object[i].bytes;
	k->n--;
	memmove(k->object + i, k->object + i + 1,
		(k->n - i) * sizeof(*k->object));
	memmove(k->when + i, k->when + i + 1, (k->n - i) * sizeof(*k->when));
	return p;
}

/**
 * lg_kept_take() - find an object that is long enough and not much too long
 * @h: the heap
 * @bytes: the length
 *
 * Return: of those, the one that was freed last; or NULL.
 */
void *lg_kept_take(struct goheap *h, size_t bytes)
{
	struct lg_kept *k = &h->kept;
	unsigned int i;
	void *p = NULL;

	pthread_mutex_lock(&k->lock);
	k->now++;
	for (i = k->n; i-- && !p;)
		if (k->object[i].bytes >= bytes &&
		    k->object[i].bytes <= bytes + bytes / 8)
			p = remove_one(k, i);
	pthread_mutex_unlock(&k->lock);
	return p;
}

/* Whether the oldest object must go, if one of @bytes is to be added. */
static bool too_much(const struct lg_kept *k, size_t bytes)
{
	return k->n && (k->n == LG_KEPT_MAX ||
			k->bytes + bytes > LG_KEPT_BYTES ||
			k->now - k->when[0] > LG_KEPT_AGE);
}

/* Returns how many others must be freed. */
static unsigned int add(struct lg_kept *k, void *p, size_t bytes, void **out)
{
	unsigned int n = 0;

	pthread_mutex_lock(&k->lock);
	k->now++;
	while (too_much(k, bytes))
		out[n++] = remove_one(k, 0);
	k->object[k->n] = (struct lg_big){ .p = p, .bytes = bytes };
	k->when[k->n++] = k->now;
	k->bytes += bytes;
	pthread_mutex_unlock(&k->lock);
	return n;
}

/**
 * lg_kept_put() - keep a large object for any thread
 * @h: the heap
 * @p: the object, marked LG_KEPT
 * @bytes: its length
 */
void lg_kept_put(struct goheap *h, void *p, size_t bytes)
{
	void *out[LG_KEPT_MAX];
	unsigned int n = add(&h->kept, p, bytes, out);

	lg_kernel_free(h, out, n);
}

/**
 * lg_kept_empty() - free all kept objects
 * @h: the heap
 */
void lg_kept_empty(struct goheap *h)
{
	struct lg_kept *k = &h->kept;
	void *out[LG_KEPT_MAX];
	unsigned int n = 0;

	pthread_mutex_lock(&k->lock);
	while (k->n)
		out[n++] = remove_one(k, 0);
	pthread_mutex_unlock(&k->lock);
	lg_kernel_free(h, out, n);
}

/**
 * lg_kept_forget() - forget all kept objects: in a child, they are the parent's
 * @h: the heap
 */
void lg_kept_forget(struct goheap *h)
{
	h->kept.n = 0;
	h->kept.bytes = 0;
}
