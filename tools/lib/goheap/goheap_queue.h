/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * libgoheap: queues of messages in shared memory, for many producers and consumers, that
 * survive the death of any.
 *
 * A message is copied into the queue, and out of it. A process that is killed in the middle
 * of either has done it or not; the queue is as it was before, or as it would be after. No system
 * call is made unless somebody waits.
 *
 * Timeouts are in milliseconds: 0 does not wait, -1 waits for ever. Errors are those of
 * goheap_lock.h, and the ones that are named here. Messages go by the order in which they were
 * complete.
 */
#ifndef GOHEAP_QUEUE_H
#define GOHEAP_QUEUE_H

#include <sys/types.h>

#include "goheap_lock.h"

#ifdef __cplusplus
extern "C" {
#endif

struct goheap_queue;

/* Bytes of a message, at most. */
#define GOHEAP_QUEUE_BYTES_MAX	(512U << 10)

/**
 * goheap_queue_open() - find a queue by its name, or make it
 * @h: the heap
 * @name: see goheap_bind()
 * @slots: messages that it can have; 0 to fail with ENOENT if it is not there
 * @bytes: of the longest message, 1 to GOHEAP_QUEUE_BYTES_MAX; 0 if @slots is
 *
 * A queue that is there keeps its own size. It is given, and is there as long as the heap, or until
 * goheap_unbind() and goheap_free() of what that returns, when nobody uses it any more.
 *
 * Return: the queue; NULL with errno: EINVAL, also if the name is another object's, or as
 * goheap_bind().
 */
struct goheap_queue *goheap_queue_open(struct goheap *h, const char *name,
				       unsigned int slots, size_t bytes);

/**
 * goheap_queue_push() - put a message into a queue
 * @h: the heap
 * @q: the queue
 * @data: the message
 * @bytes: its length; may be 0
 * @timeout: milliseconds to wait for room
 *
 * Return: 0; -1 with errno: EMSGSIZE if it is too long, EAGAIN or ETIMEDOUT if there is no room,
 * or EUCLEAN if another process has damaged the queue.
 */
int goheap_queue_push(struct goheap *h, struct goheap_queue *q, const void *data,
		      size_t bytes, int timeout);

/**
 * goheap_queue_pop() - take a message out of a queue
 * @h: the heap
 * @q: the queue
 * @data: set to the message
 * @room: bytes that there is room for
 * @timeout: milliseconds to wait for a message
 *
 * Return: bytes of the message; -1 with errno: EMSGSIZE if there is not enough room, and the
 * message stays, EAGAIN or ETIMEDOUT if there is none, or EUCLEAN.
 */
ssize_t goheap_queue_pop(struct goheap *h, struct goheap_queue *q, void *data,
			 size_t room, int timeout);

/**
 * goheap_queue_count() - how many messages there are
 * @h: the heap
 * @q: the queue
 *
 * Return: messages, a moment ago.
 */
size_t goheap_queue_count(struct goheap *h, struct goheap_queue *q);

/**
 * goheap_queue_bytes() - how long a message may be
 * @h: the heap
 * @q: the queue
 *
 * Return: bytes.
 */
size_t goheap_queue_bytes(struct goheap *h, struct goheap_queue *q);

#ifdef __cplusplus
}
#endif

#endif /* GOHEAP_QUEUE_H */
