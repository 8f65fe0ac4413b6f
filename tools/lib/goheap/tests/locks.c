// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * locks: notices each lock that is taken twice, or let go of by who has not got it.
 *
 * Mutexes check that themselves.
 */
#include <errno.h>

#include "locks.h"

unsigned int wrong_locks;

static int note_wrong(int err)
{
	if (err)
		__atomic_add_fetch(&wrong_locks, 1, __ATOMIC_RELAXED);
	return err;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attr)
{
	pthread_mutexattr_t checked;

	(void)attr;
	pthread_mutexattr_init(&checked);
	pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK);
	return __real_pthread_mutex_init(lock, &checked);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	return note_wrong(__real_pthread_mutex_lock(lock));
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
	return note_wrong(__real_pthread_mutex_unlock(lock));
}
