// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * queue: a ring of messages under a mutex that is taken over from the dead.
 *
 * Two counts say which messages there are; they grow only. A message is written first, and then
 * it is there by one store of a count; so whoever dies leaves the ring whole, whenever that
 * is, and the next owner of the mutex has nothing to mend. It wakes all, as the dead may not
 * have woken who should be.
 *
 * How long the ring is stands in shared memory, too. It is read once in a call, and must lie
 * in the window: another process can damage messages, but has nobody write elsewhere.
 */
#include "futex.h"
#include "mutex.h"

#include "goheap_queue.h"

/* So that other objects are not taken for queues by mistake. */
#define MAGIC		0x6575657571686f67ULL

/**
 * struct goheap_queue - a queue
 * @magic: MAGIC
 * @lock: protects the rest
 * @filled: there may be a message
 * @emptied: there may be room
 * @slots: messages that it can have
 * @bytes: of the longest
 * @head: messages that were taken out, ever
 * @tail: messages that were put in, ever
 * @reserved: 0; fills a cache line
 * @slot: the messages
 */
struct goheap_queue {
	uint64_t magic;
	struct goheap_mutex lock;
	struct goheap_cond filled;
	struct goheap_cond emptied;
	uint32_t slots;
	uint32_t bytes;
	uint64_t head;
	uint64_t tail;
	uint64_t reserved;
	char slot[];
};

/**
 * struct message - a message
 * @bytes: its length
 * @data: the message
 */
struct message {
	uint64_t bytes;
	char data[];
};

/**
 * struct shape - what a queue is in this call
 * @slots: messages that it can have
 * @bytes: of the longest
 * @stride: from one to the next
 */
struct shape {
	uint64_t slots;
	uint64_t bytes;
	uint64_t stride;
};

/* Messages begin at a cache line. */
static_assert(sizeof(struct goheap_queue) % 64 == 0, "see queue_new()");

static void shape_set(struct shape *s, uint64_t slots, uint64_t bytes)
{
	s->slots = slots;
	s->bytes = bytes;
	s->stride = sizeof(struct message) + (bytes + 7) / 8 * 8;
}

/* Returns false, with errno, if that cannot be a queue. */
static bool shape_of(struct goheap *h, const struct goheap_queue *q,
		     struct shape *s)
{
	uint64_t at = goheap_offset(h, q);

	errno = EUCLEAN;
	if (at % 64 || at >= h->window || h->window - at < sizeof(*q) ||
	    q->magic != MAGIC)
		return false;
	shape_set(s, __atomic_load_n(&q->slots, __ATOMIC_RELAXED),
		  __atomic_load_n(&q->bytes, __ATOMIC_RELAXED));
	return s->slots && s->bytes && s->bytes <= GOHEAP_QUEUE_BYTES_MAX &&
	       s->slots <= (h->window - at - sizeof(*q)) / s->stride;
}

static struct message *message_at(struct goheap_queue *q, const struct shape *s,
				  uint64_t n)
{
	return (struct message *)(q->slot + n % s->slots * s->stride);
}

/* ---- making ------------------------------------------------------------- */

static struct goheap_queue *queue_new(struct goheap *h, unsigned int slots,
				      size_t bytes)
{
	struct goheap_queue *q;
	struct shape s;
	size_t size;

	if (!bytes || bytes > GOHEAP_QUEUE_BYTES_MAX) {
		errno = EINVAL;
		return NULL;
	}
	shape_set(&s, slots, bytes);
	size = sizeof(*q) + s.slots * s.stride;
	q = goheap_memalign(h, 64, size);
	if (!q)
		return NULL;
	memset(q, 0, size);
	q->magic = MAGIC;
	q->slots = slots;
	q->bytes = bytes;
	return q;
}

static struct goheap_queue *queue_find(struct goheap *h, const char *name)
{
	struct goheap_queue *q = goheap_lookup(h, name);
	struct shape s;

	if (!q || shape_of(h, q, &s))
		return q;
	errno = EINVAL;
	return NULL;
}

LG_EXPORT struct goheap_queue *goheap_queue_open(struct goheap *h,
						 const char *name,
						 unsigned int slots,
						 size_t bytes)
{
	struct goheap_queue *q = queue_find(h, name);
	int err;

	if (q || errno != ENOENT || !slots)
		return q;
	q = queue_new(h, slots, bytes);
	if (!q || !goheap_bind(h, name, q))
		return q;
	err = errno;
	goheap_free(h, q);
	errno = err;
	/* Another process was first. */
	return err == EEXIST ? queue_find(h, name) : NULL;
}

/* ---- using -------------------------------------------------------------- */

/* The lock is this process's, and somebody has died with it if @told. */
static bool look(struct goheap *h, struct goheap_queue *q, const struct shape *s,
		 int told)
{
	if (told > 0) {
		goheap_cond_broadcast(h, &q->filled);
		goheap_cond_broadcast(h, &q->emptied);
		goheap_mutex_consistent(h, &q->lock);
	}
	if (q->tail - q->head <= s->slots)
		return true;
	goheap_mutex_unlock(h, &q->lock);
	errno = EUCLEAN;
	return false;
}

/* Take the lock when there are not @n messages. Returns false, with errno, without it. */
static bool lock_unless(struct goheap *h, struct goheap_queue *q,
			const struct shape *s, uint64_t n,
			struct goheap_cond *c, int timeout)
{
	uint64_t deadline = lg_futex_deadline(timeout);
	int told = goheap_mutex_lock(h, &q->lock, timeout), err = 0;

	for (;;) {
		if (told < 0 || !look(h, q, s, told))
			return false;
		if (q->tail - q->head != n)
			return true;
		if (err) {
			goheap_mutex_unlock(h, &q->lock);
			errno = err;
			return false;
		}
		told = goheap_cond_wait(h, c, &q->lock, lg_futex_left(deadline));
		/* It has the lock then, and looks once more. */
		if (told < 0 && (errno == ETIMEDOUT || errno == EAGAIN)) {
			err = timeout ? ETIMEDOUT : EAGAIN;
			told = 0;
		}
	}
}

LG_EXPORT int goheap_queue_push(struct goheap *h, struct goheap_queue *q,
				const void *data, size_t bytes, int timeout)
{
	struct message *m;
	struct shape s;

	if (!shape_of(h, q, &s))
		return -1;
	if (bytes > s.bytes) {
		errno = EMSGSIZE;
		return -1;
	}
	if (!lock_unless(h, q, &s, s.slots, &q->emptied, timeout))
		return -1;
	m = message_at(q, &s, q->tail);
	m->bytes = bytes;
	if (bytes)
		memcpy(m->data, data, bytes);
	__atomic_store_n(&q->tail, q->tail + 1, __ATOMIC_RELEASE);
	goheap_cond_signal(h, &q->filled);
	return goheap_mutex_unlock(h, &q->lock);
}

LG_EXPORT ssize_t goheap_queue_pop(struct goheap *h, struct goheap_queue *q,
				   void *data, size_t room, int timeout)
{
	struct message *m;
	struct shape s;
	uint64_t bytes;

	if (!shape_of(h, q, &s) ||
	    !lock_unless(h, q, &s, 0, &q->filled, timeout))
		return -1;
	m = message_at(q, &s, q->head);
	bytes = __atomic_load_n(&m->bytes, __ATOMIC_RELAXED);
	if (bytes > s.bytes || bytes > room) {
		goheap_mutex_unlock(h, &q->lock);
		errno = bytes > s.bytes ? EUCLEAN : EMSGSIZE;
		return -1;
	}
	if (bytes)
		memcpy(data, m->data, bytes);
	__atomic_store_n(&q->head, q->head + 1, __ATOMIC_RELEASE);
	goheap_cond_signal(h, &q->emptied);
	goheap_mutex_unlock(h, &q->lock);
	return bytes;
}

LG_EXPORT size_t goheap_queue_count(struct goheap *h, struct goheap_queue *q)
{
	struct shape s;
	uint64_t n;

	if (!shape_of(h, q, &s))
		return 0;
	n = __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE) -
	    __atomic_load_n(&q->head, __ATOMIC_ACQUIRE);
	/* One may have been taken out between the two. */
	return n <= s.slots ? n : 0;
}

LG_EXPORT size_t goheap_queue_bytes(struct goheap *h, struct goheap_queue *q)
{
	struct shape s;

	return shape_of(h, q, &s) ? s.bytes : 0;
}
