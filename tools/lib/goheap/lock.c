// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * lock: all heaps, and taking all locks of one. The order is in types.h.
 */
#define _GNU_SOURCE
#include "lock.h"

struct goheap lg_heaps[LG_HEAPS];
pthread_mutex_t lg_lock = PTHREAD_MUTEX_INITIALIZER;

/**
 * lg_lock_init() - initialize the locks of a heap
 * @h: the heap, which no other thread uses
 *
 * Also after fork(), in the child: the locks may be held by threads that it does
 * not have.
 */
void lg_lock_init(struct goheap *h)
{
	pthread_rwlockattr_t attr;
	unsigned int i;

	/* Otherwise threads that allocate all the time would starve fork(). */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
				      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&h->io, &attr);

	pthread_mutex_init(&h->session_lock, NULL);
	pthread_mutex_init(&h->kept.lock, NULL);
	for (i = 0; i < LG_CLASSES; i++)
		pthread_mutex_init(&h->stock[i].lock, NULL);
}

/**
 * lg_lock_all() - take all locks of a heap, before fork()
 * @h: the heap
 *
 * lg_lock must be held.
 */
void lg_lock_all(struct goheap *h)
{
	unsigned int i;

	pthread_rwlock_wrlock(&h->io);
	pthread_mutex_lock(&h->session_lock);
	for (i = 1; i < LG_CLASSES; i++)
		pthread_mutex_lock(&h->stock[i].lock);
	pthread_mutex_lock(&h->kept.lock);
}

/**
 * lg_lock_release_all() - release them, in the parent
 * @h: the heap
 */
void lg_lock_release_all(struct goheap *h)
{
	unsigned int i;

	pthread_mutex_unlock(&h->kept.lock);
	for (i = 1; i < LG_CLASSES; i++)
		pthread_mutex_unlock(&h->stock[i].lock);
	pthread_mutex_unlock(&h->session_lock);
	pthread_rwlock_unlock(&h->io);
}
