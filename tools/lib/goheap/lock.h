/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_LOCK_H
#define LG_LOCK_H

#include "types.h"

extern struct goheap lg_heaps[LG_HEAPS];
/* The first of them that have been open; a look at the others would cost page faults. */
extern unsigned int lg_nheaps;
extern pthread_mutex_t lg_lock;
/* Of the thread that forks. */
extern pthread_mutex_t lg_fork_lock;

/* 0 in a child that does not come of fork(), or whose handlers have not run yet. */
extern unsigned int *lg_alive;

/* What such a child calls; fork.c has it. errno is kept. */
extern void (*lg_fork_found)(void);

/*
 * Locks of lg_enter() that this thread has, is about to take, or is about to let go: a signal
 * handler that interrupts it may fork.
 */
extern __thread unsigned int lg_inside;
/* Calls of fork() that this thread is in: a signal handler may make another. */
extern __thread unsigned int lg_forks;

void lg_lock_init(struct goheap *h);
void lg_lock_begin(unsigned int *word);
bool lg_enter(struct goheap *h, pthread_mutex_t *lock);

static inline void lg_leave(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	lg_inside--;
}

static inline bool lg_is_private(const struct goheap *h)
{
	return h->flags & GOHEAP_PRIVATE;
}

#endif /* LG_LOCK_H */
