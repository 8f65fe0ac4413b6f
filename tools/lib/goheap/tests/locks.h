/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * locks: notices each lock that is taken twice, or let go of by who has not got it.
 *
 * The linker has the library call these functions (--wrap).
 */
#ifndef LG_LOCKS_H
#define LG_LOCKS_H

#include <pthread.h>

/* How often that happened. */
extern unsigned int wrong_locks;

int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

int __real_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attr);
int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);

#endif /* LG_LOCKS_H */
