// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * later: objects that are free, and that may be given, until there are enough for a call.
 *
 * They lie in the session's list of deferred frees, which the kernel shares with
 * this process and empties when the session ends. So none is lost, however that
 * happens. Each thread has a part of the list for itself.
 */
#include <sys/ioctl.h>

#include "deferred.h"
#include "later.h"
#include "report.h"
#include "session.h"

/* ---- parts of the list -------------------------------------------------- */

/* Take a list that no thread has. Returns LG_LATER_LISTS if there is none. */
static unsigned int list_take(struct goheap *h)
{
	unsigned int i, bit;
	uint64_t word;

	for (i = 0; i < LG_LATER_LISTS / 64; i++) {
		word = __atomic_load_n(&h->later_used[i], __ATOMIC_RELAXED);
		while (~word) {
			bit = __builtin_ctzll(~word);
			if (__atomic_compare_exchange_n(&h->later_used[i],
							&word,
							word | 1ULL << bit,
							false, __ATOMIC_ACQUIRE,
							__ATOMIC_RELAXED))
				return i * 64 + bit;
		}
	}
	return LG_LATER_LISTS;
}

static void list_drop(struct goheap *h, unsigned int list)
{
	__atomic_fetch_and(&h->later_used[list / 64], ~(1ULL << list % 64),
			   __ATOMIC_RELEASE);
}

/* Returns false if the thread must do without: there is no memory, or no session. */
static bool later_begin(struct goheap *h, struct lg_cache *c)
{
	struct goheap_defer req = { .size = sizeof(req), .count = LG_LATER };
	unsigned int list;

	if (lg_session_fd(h) < 0 || !h->later)
		return false;
	list = list_take(h);
	if (list == LG_LATER_LISTS)
		return false;
	req.first = list * LG_LATER;
	if (lg_session_ioctl(h, GOHEAP_IOC_DEFER, &req)) {
		list_drop(h, list);
		return false;
	}
	c->first_later = req.first;
	c->later = h->later + req.first;
	return true;
}

/* ---- objects ------------------------------------------------------------ */

/**
 * lg_later_has() - whether this process has freed an object, and the kernel not yet
 * @h: the heap
 * @p: an object
 * @bytes: its length
 *
 * Return: true if so.
 */
bool lg_later_has(const struct goheap *h, const void *p, size_t bytes)
{
	uint64_t mark = __atomic_load_n(lg_deferred_mark(p, bytes), __ATOMIC_RELAXED);
	unsigned int index = mark >> 32 & 0xffff;

	return h->session && mark == GOHEAP_DEFERRED_MARK(h->session, index);
}

/**
 * lg_later_flush_range() - free entries of the list
 * @h: the heap
 * @first: index of the first
 * @n: how many, up to GOHEAP_MAX_BATCH
 *
 * Return: false if this thread may not, or the session has ended.
 */
bool lg_later_flush_range(struct goheap *h, unsigned int first, unsigned int n)
{
	struct goheap_flush req = { .size = sizeof(req) };
	unsigned int end = first + n;

	for (; first < end; first = req.bad + 1) {
		req.first = first;
		req.count = end - first;
		/* It stays so if the call itself is refused, as after vfork(). */
		req.bad = end;
		if (!lg_session_ioctl(h, GOHEAP_IOC_FLUSH, &req))
			break;
		if (req.bad >= end)
			return false;
		lg_report_bad_free(h, (void *)(h->base + req.offset), errno);
	}
	return true;
}

/**
 * lg_later_flush() - free what a thread has collected
 * @h: the heap
 * @c: the thread's cache
 *
 * errno is kept.
 */
void lg_later_flush(struct goheap *h, struct lg_cache *c)
{
	int saved = errno;

	if (c->nlater && lg_later_flush_range(h, c->first_later, c->nlater)) {
		c->nlater = 0;
		c->later_bytes = 0;
	}
	errno = saved;
}

/**
 * lg_later_add() - collect an object
 * @h: the heap
 * @c: this thread's cache
 * @p: an object of the heap
 * @bytes: its length
 *
 * Return: false if there is no place for it. errno is kept.
 */
bool lg_later_add(struct goheap *h, struct lg_cache *c, void *p, size_t bytes)
{
	unsigned int i;
	int saved = errno;

	if (unlikely(!c->later)) {
		/* One attempt is enough: each free would make it. */
		c->no_later = c->no_later || !later_begin(h, c);
		errno = saved;
		if (c->no_later)
			return false;
	}
	/* It is full if this thread could not flush it. */
	if (unlikely(c->nlater == LG_LATER))
		lg_later_flush(h, c);
	i = c->nlater;
	if (unlikely(i == LG_LATER))
		return false;

	__atomic_store_n(lg_deferred_mark(p, bytes),
			 GOHEAP_DEFERRED_MARK(h->session, c->first_later + i),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&c->later[i],
			 GOHEAP_DEFERRED | ((uintptr_t)p - h->base),
			 __ATOMIC_RELEASE);
	c->nlater = i + 1;
	c->later_bytes += bytes;
	if (c->nlater == LG_LATER || c->later_bytes > LG_LATER_BYTES)
		lg_later_flush(h, c);
	return true;
}

/* ---- the ends of threads and heaps -------------------------------------- */

/**
 * lg_later_end() - free what a thread has collected, and do without it
 * @h: the heap
 * @c: the thread's cache
 */
void lg_later_end(struct goheap *h, struct lg_cache *c)
{
	lg_later_flush(h, c);
	/* What could not be freed is freed with the session. */
	if (c->later && !c->nlater)
		list_drop(h, c->first_later / LG_LATER);
	c->later = NULL;
	c->nlater = 0;
	c->later_bytes = 0;
}

/**
 * lg_later_flush_all() - free what all threads have collected
 * @h: the heap
 *
 * They may go on collecting: what they enter meanwhile is freed or stays. errno is
 * kept.
 */
void lg_later_flush_all(struct goheap *h)
{
	unsigned int i;
	int saved = errno;

	for (i = 0; h->later && i < LG_LATER_LISTS; i++)
		if (__atomic_load_n(&h->later_used[i / 64], __ATOMIC_RELAXED) &
		    1ULL << i % 64)
			lg_later_flush_range(h, i * LG_LATER, LG_LATER);
	errno = saved;
}
