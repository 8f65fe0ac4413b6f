// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * reader: which of the session's readers a thread has.
 *
 * A thread takes one when it first enters, and has it until it ends: then no call is needed
 * to enter, and no thread writes to another's cache line.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "reader.h"
#include "session.h"

/* The first of them that no thread has, for the kernel looks at no more than it must. */
static unsigned int take_index(struct goheap *h)
{
	unsigned int i, bit;
	uint64_t word;

	for (i = 0; i < GOHEAP_NR_READERS / 64; i++) {
		word = __atomic_load_n(&h->readers_used[i], __ATOMIC_RELAXED);
		while (~word) {
			bit = __builtin_ctzll(~word);
			if (__atomic_compare_exchange_n(&h->readers_used[i], &word,
							word | 1ULL << bit, false,
							__ATOMIC_ACQUIRE,
							__ATOMIC_RELAXED))
				return i * 64 + bit;
		}
	}
	return GOHEAP_NR_READERS;
}

static void drop_index(struct goheap *h, unsigned int index)
{
	__atomic_fetch_and(&h->readers_used[index / 64], ~(1ULL << index % 64),
			   __ATOMIC_RELEASE);
}

/**
 * lg_reader_take() - let a thread have a reader
 * @h: the heap
 * @c: this thread's cache
 *
 * Return: false, with errno, if there is none.
 */
bool lg_reader_take(struct goheap *h, struct lg_cache *c)
{
	struct goheap_defer req = {
		.size = sizeof(req),
		.flags = GOHEAP_DEFER_READERS,
		.count = 1,
	};

	if (lg_session_fd(h) < 0)
		return false;
	if (!h->readers) {
		/* The kernel is too old, or there was no address space. */
		errno = h->version < LG_VERSION_READERS ? EOPNOTSUPP : ENOMEM;
		return false;
	}
	req.first = take_index(h);
	if (req.first == GOHEAP_NR_READERS) {
		errno = EAGAIN;
		return false;
	}
	if (lg_session_ioctl(h, GOHEAP_IOC_DEFER, &req)) {
		drop_index(h, req.first);
		return false;
	}
	c->reader = &h->readers[req.first];
	/* For people who look for a thread that holds up others. */
	c->reader->thread = syscall(SYS_gettid);
	return true;
}

/**
 * lg_reader_drop() - the thread ends
 * @h: the heap
 * @c: its cache
 *
 * If it is inside, it reads no more.
 */
void lg_reader_drop(struct goheap *h, struct lg_cache *c)
{
	struct goheap_reader *reader = c->reader;

	if (!reader)
		return;
	if (c->inside)
		__atomic_store_n(&reader->count, reader->count + 1,
				 __ATOMIC_RELEASE);
	c->inside = 0;
	c->reader = NULL;
	drop_index(h, reader - h->readers);
}
