// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * lock: all heaps, their locks, and when they may be taken. The order is in types.h.
 */
#include "lock.h"

struct goheap lg_heaps[LG_HEAPS];
unsigned int lg_nheaps;
pthread_mutex_t lg_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t lg_fork_lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned int always = 1;
unsigned int *lg_alive = &always;
void (*lg_fork_found)(void);

__thread unsigned int lg_inside;
__thread unsigned int lg_forks;

/**
 * lg_lock_begin() - have children notice that they are children
 * @word: is zero in a child, and stays where it is; only the first one counts
 */
void lg_lock_begin(unsigned int *word)
{
	*word = 1;
	if (lg_alive == &always)
		lg_alive = word;
}

/**
 * lg_lock_init() - initialize the locks of a heap
 * @h: the heap, which no other thread uses
 *
 * Also after fork(), in the child: the locks may be held by threads that it does
 * not have.
 */
void lg_lock_init(struct goheap *h)
{
	unsigned int i;

	pthread_mutex_init(&h->session_lock, NULL);
	pthread_mutex_init(&h->kept.lock, NULL);
	pthread_mutex_init(&h->books.lock, NULL);
	for (i = 0; i < LG_CLASSES; i++)
		pthread_mutex_init(&h->stock[i].lock, NULL);
}

/*
 * The books are barred, and this thread has a lock of theirs. While another thread forks, it
 * must not keep it: that thread may wait for a lock of the program's, or of glibc's, that
 * this one has. But who has one of the heap's other locks goes on: fork() waits for that.
 */
static bool may_go_on(const struct goheap *h)
{
	return h->books.barred == LG_BOOKS_FORKING &&
	       (lg_forks || lg_inside > 1);
}

/**
 * lg_enter() - take a lock of a heap to touch its books
 * @h: the heap
 * @lock: the lock; lg_leave() lets go of it
 *
 * Return: false, with errno, if this thread may not: EAGAIN while another one forks, and
 * EPERM in a child that has nothing of a private heap but its contents.
 */
bool lg_enter(struct goheap *h, pthread_mutex_t *lock)
{
	if (unlikely(!*lg_alive))
		lg_fork_found();
	for (;;) {
		/* The lock may be one of a thread's that this process does not have. */
		if (unlikely(h->books.barred == LG_BOOKS_LOST)) {
			errno = EPERM;
			return false;
		}
		lg_inside++;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		pthread_mutex_lock(lock);
		if (likely(!h->books.barred) || may_go_on(h))
			return true;
		lg_leave(lock);
		if (h->books.falls_back) {
			errno = EAGAIN;
			return false;
		}
		/* Where there is no other allocator, it has to wait. */
		pthread_mutex_lock(&lg_fork_lock);
		pthread_mutex_unlock(&lg_fork_lock);
	}
}
