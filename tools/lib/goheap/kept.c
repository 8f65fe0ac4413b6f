// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * kept: free large objects that belong to no thread.
 */
#include "kept.h"
#include "kernel.h"
#include "lock.h"

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

	if (!lg_enter(h, &k->lock))
		return NULL;
	k->now++;
	for (i = k->n; i-- && !p;)
		if (k->object[i].bytes >= bytes &&
		    k->object[i].bytes <= bytes + bytes / 8)
			p = remove_one(k, i);
	lg_leave(&k->lock);
	return p;
}

/*
 * Bytes that may be kept. Those of a private heap save no system call, so they should not
 * be many: a 16th of what it has.
 */
static size_t most_kept(const struct goheap *h)
{
	size_t some = h->known / 16;

	if (!lg_is_private(h) || some > LG_KEPT_BYTES)
		return LG_KEPT_BYTES;
	return some;
}

/* Whether the oldest object must go, if one of @bytes is to be added. */
static bool too_much(const struct goheap *h, size_t bytes)
{
	const struct lg_kept *k = &h->kept;

	return k->n && (k->n == LG_KEPT_MAX ||
			k->bytes + bytes > most_kept(h) ||
			k->now - k->when[0] > LG_KEPT_AGE);
}

/* Returns how many must be freed: others, or this. */
static unsigned int add(struct goheap *h, void *p, size_t bytes, void **out)
{
	struct lg_kept *k = &h->kept;
	unsigned int n = 0;
	int saved = errno;

	if (!lg_enter(h, &k->lock)) {
		errno = saved;
		out[0] = p;
		return 1;
	}
	k->now++;
	while (too_much(h, bytes))
		out[n++] = remove_one(k, 0);
	k->object[k->n] = (struct lg_big){ .p = p, .bytes = bytes };
	k->when[k->n++] = k->now;
	k->bytes += bytes;
	lg_leave(&k->lock);
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
	unsigned int n = add(h, p, bytes, out);

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

	if (!lg_enter(h, &k->lock))
		return;
	while (k->n)
		out[n++] = remove_one(k, 0);
	lg_leave(&k->lock);
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
