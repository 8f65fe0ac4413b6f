// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "big.h"

/**
 * lg_big_remove() - take an object out of a thread's list
 * @c: the thread's cache
 * @i: its index
 *
 * Return: the object.
 */
void *lg_big_remove(struct lg_cache *c, unsigned int i)
{
	void *p = c->big[i].p;

	c->big_bytes -= c->big[i].bytes;
	c->nbig--;
	memmove(c->big + i, c->big + i + 1, (c->nbig - i) * sizeof(*c->big));
	return p;
}

/**
 * lg_big_find() - take an object that is long enough and not much too long
 * @c: the thread's cache
 * @bytes: the length
 *
 * Return: of those, the one that was freed last; or NULL.
 */
void *lg_big_find(struct lg_cache *c, size_t bytes)
{
	unsigned int i = c->nbig;

	while (i--)
		if (c->big[i].bytes >= bytes &&
		    c->big[i].bytes <= bytes + bytes / 8)
			return lg_big_remove(c, i);
	return NULL;
}
