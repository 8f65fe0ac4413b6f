// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * held: given objects that this process has taken, and others do not find any more.
 *
 * Each is in an entry of the session's list of deferred frees, so that it does not
 * stay for ever if the process is killed. The entries are a hash table: an object is
 * in one of the few entries from its own on. Only the kernel enters objects, so each
 * is there once: it must be given to be taken, and is not given while it is held.
 */
#include "held.h"
#include "later.h"
#include "report.h"
#include "session.h"

/* Entries that an object may be in. */
#define PROBES		32

/* Of objects that were freed, at most a quarter of the entries should be in the way. */
#define LEAST_BYTES	(LG_LATER_BYTES / (LG_HELD / 4))

#define HELD(offset)	(GOHEAP_DEFERRED | GOHEAP_HELD | (offset))
#define RELEASED(offset) (GOHEAP_DEFERRED | GOHEAP_RELEASED | (offset))

/* The entries of an object, one after the other. */
static unsigned int entry_of(uint64_t offset, unsigned int probe)
{
	uint64_t hash = (offset >> 3) * 0x9e3779b97f4a7c15ULL;

	return LG_HELD_FIRST + ((hash >> 32) + probe) % LG_HELD;
}

/**
 * lg_held_begin() - prepare for holding objects
 * @h: the heap
 *
 * Return: 0, or -1 with errno.
 */
int lg_held_begin(struct goheap *h)
{
	struct goheap_defer req = { .size = sizeof(req) };

	if (__atomic_load_n(&h->holds, __ATOMIC_ACQUIRE))
		return 0;
	if (lg_session_fd(h) < 0)
		return -1;
	if (!h->later) {
		/* The kernel is too old, or there was no address space. */
		errno = h->version < 2 ? EOPNOTSUPP : ENOMEM;
		return -1;
	}
	req.count = GOHEAP_MAX_BATCH;
	for (req.first = LG_HELD_FIRST; req.first < GOHEAP_NR_DEFERRED;
	     req.first += req.count)
		if (lg_session_ioctl(h, GOHEAP_IOC_DEFER, &req))
			return -1;
	__atomic_store_n(&h->holds, true, __ATOMIC_RELEASE);
	return 0;
}

/* The first entry of an object that is @value, or GOHEAP_NR_DEFERRED. */
static unsigned int entry_with(struct goheap *h, uint64_t offset,
			       uint64_t value)
{
	unsigned int probe;

	for (probe = 0; probe < PROBES; probe++) {
		unsigned int index = entry_of(offset, probe);

		if (__atomic_load_n(&h->later[index], __ATOMIC_ACQUIRE) == value)
			return index;
	}
	return GOHEAP_NR_DEFERRED;
}

/**
 * lg_held_find() - the entry that holds an object
 * @h: the heap
 * @offset: of the object
 *
 * Return: its index; GOHEAP_NR_DEFERRED if this process does not hold it.
 */
unsigned int lg_held_find(struct goheap *h, uint64_t offset)
{
	if (!__atomic_load_n(&h->holds, __ATOMIC_ACQUIRE))
		return GOHEAP_NR_DEFERRED;
	return entry_with(h, offset, HELD(offset));
}

/**
 * lg_held_flush() - free held objects that this process has freed
 * @h: the heap
 */
void lg_held_flush(struct goheap *h)
{
	unsigned int first;

	if (!__atomic_exchange_n(&h->held_freed, 0, __ATOMIC_ACQ_REL))
		return;
	for (first = LG_HELD_FIRST; first < GOHEAP_NR_DEFERRED;
	     first += GOHEAP_MAX_BATCH)
		/* The count need only say that there is something left. */
		if (!lg_later_flush_range(h, first, GOHEAP_MAX_BATCH))
			__atomic_add_fetch(&h->held_freed, 1, __ATOMIC_RELAXED);
}

/* Likewise, those that may be in the way of an object, whoever is about to do so, too. */
static void flush_entries(struct goheap *h, uint64_t offset)
{
	unsigned int first = entry_of(offset, 0);
	unsigned int n = GOHEAP_NR_DEFERRED - first;

	if (n > PROBES)
		n = PROBES;
	lg_later_flush_range(h, first, n);
	if (n < PROBES)
		lg_later_flush_range(h, LG_HELD_FIRST, PROBES - n);
}

/**
 * lg_held_room() - an empty entry that may hold an object
 * @h: the heap, after lg_held_begin()
 * @offset: of the object
 *
 * Return: its index; GOHEAP_NR_DEFERRED if there is none.
 */
unsigned int lg_held_room(struct goheap *h, uint64_t offset)
{
	unsigned int index = entry_with(h, offset, 0);

	if (index == GOHEAP_NR_DEFERRED) {
		/* Objects that were freed may be in the way. */
		flush_entries(h, offset);
		index = entry_with(h, offset, 0);
	}
	return index;
}

/**
 * lg_held_free() - free an object if this process holds it
 * @h: the heap
 * @p: the object
 * @bytes: its length
 *
 * A small one stays in its entry until there are many bytes. errno is kept.
 *
 * Return: whether the process holds it, or has freed it already.
 */
bool lg_held_free(struct goheap *h, void *p, size_t bytes)
{
	uint64_t offset = (uintptr_t)p - h->base;
	uint64_t held = HELD(offset);
	int saved = errno;
	unsigned int index;

	if (likely(!__atomic_load_n(&h->holds, __ATOMIC_ACQUIRE)))
		return false;
	index = entry_with(h, offset, held);
	if (index == GOHEAP_NR_DEFERRED) {
		if (entry_with(h, offset, RELEASED(offset)) ==
		    GOHEAP_NR_DEFERRED)
			return false;
		lg_report_bad_free(h, p, ENOENT);
		return true;
	}
	/* Another thread may free it, too, or have put it back: a bad free. */
	if (!__atomic_compare_exchange_n(&h->later[index], &held,
					 RELEASED(offset), false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		lg_report_bad_free(h, p, ENOENT);
		return true;
	}

	if (bytes < LEAST_BYTES)
		bytes = LEAST_BYTES;
	if (__atomic_add_fetch(&h->held_freed, bytes, __ATOMIC_RELAXED) >
	    LG_LATER_BYTES)
		lg_held_flush(h);
	errno = saved;
	return true;
}
