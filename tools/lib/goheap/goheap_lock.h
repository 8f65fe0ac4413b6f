/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * libgoheap: locks in shared memory that survive the death of who has them.
 *
 * A lock is a part of an object of a heap that processes share, and is free when it is all
 * zeroes. Its owner is a process, by the number of its session. The kernel knows which sessions
 * are alive, so who waits for a lock takes it over from a process that has died. The next owners
 * are told, as what the lock protects may be half changed.
 *
 * A lock that is free is taken, and let go, without a system call. Who waits looks for deaths ten
 * times a second. A thread that ends, but for its process, keeps its locks, and so does a thread
 * in a heap that the process has closed: that is an error of the program's.
 *
 * Nothing that is read from shared memory is used as an address. A process that writes wrong
 * words into a lock can keep it from others for ever, as by not letting go of it.
 *
 * Timeouts are in milliseconds: 0 does not wait, -1 waits for ever. Calls that return an int
 * return -1, with errno set, when they fail: EAGAIN if the lock is taken and the timeout 0,
 * ETIMEDOUT, EINVAL if the lock is not in the heap, EOWNERDEAD if the session of this process has
 * ended, and what attaching to the heap sets; EOPNOTSUPP if the heap is private, or the kernel's
 * module too old.
 */
#ifndef GOHEAP_LOCK_H
#define GOHEAP_LOCK_H

#include "goheap.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct goheap_mutex - a mutex
 * @word: session that has it, or 0; bit 31: others may wait
 * @died: session that died with it, until goheap_mutex_consistent(); or 0
 */
struct goheap_mutex {
	uint32_t word;
	uint32_t died;
};

/* Processes that can have a lock for reading at a time. */
#define GOHEAP_RWLOCK_READERS	61

/**
 * struct goheap_rwlock - a lock for one writer, or many readers
 * @writer: who writes, or is about to
 * @left: counts readers that left while a writer waited
 * @writing: session that writes, or 0
 * @reserved: 0
 * @readers: for each process that reads: its session, and in the upper half how many of its
 *	threads do
 */
struct goheap_rwlock {
	struct goheap_mutex writer;
	uint32_t left;
	uint32_t writing;
	uint32_t reserved[2];
	uint64_t readers[GOHEAP_RWLOCK_READERS];
};

/**
 * struct goheap_cond - a condition
 * @word: bit 0: somebody may wait; the rest counts signals
 * @reserved: 0
 */
struct goheap_cond {
	uint32_t word;
	uint32_t reserved;
};

/**
 * goheap_mutex_lock() - take a mutex
 * @h: the heap that it is in
 * @m: the mutex
 * @timeout: milliseconds
 *
 * A thread that has it already waits for itself.
 *
 * Return: 0 if this process has it; 1 if it has it, and an owner has died with it since anybody
 * called goheap_mutex_consistent(); -1 with errno.
 */
int goheap_mutex_lock(struct goheap *h, struct goheap_mutex *m, int timeout);

/**
 * goheap_mutex_unlock() - let go of a mutex
 * @h: the heap that it is in
 * @m: the mutex
 *
 * Return: 0; -1 with EPERM if this process does not have it.
 */
int goheap_mutex_unlock(struct goheap *h, struct goheap_mutex *m);

/**
 * goheap_mutex_consistent() - say that what the mutex protects is whole again
 * @h: the heap that it is in
 * @m: the mutex
 *
 * Return: 0; -1 with EPERM if this process does not have it.
 */
int goheap_mutex_consistent(struct goheap *h, struct goheap_mutex *m);

/**
 * goheap_rwlock_read() - lock for reading
 * @h: the heap that it is in
 * @l: the lock
 * @timeout: milliseconds
 *
 * A writer that waits comes before new readers, so a thread must not lock twice.
 *
 * Return: 0; -1 with errno: EOWNERDEAD also if a writer has died since anybody called
 * goheap_rwlock_consistent(). Then this process does not have it, and should lock for writing,
 * to mend what is protected.
 */
int goheap_rwlock_read(struct goheap *h, struct goheap_rwlock *l, int timeout);

/**
 * goheap_rwlock_write() - lock for writing
 * @h: the heap that it is in
 * @l: the lock
 * @timeout: milliseconds
 *
 * Return: as goheap_mutex_lock(). The deaths of readers do not matter.
 */
int goheap_rwlock_write(struct goheap *h, struct goheap_rwlock *l, int timeout);

/**
 * goheap_rwlock_unlock() - let go of what this process has: for writing, or once for reading
 * @h: the heap that it is in
 * @l: the lock
 *
 * Return: 0; -1 with EPERM if this process has neither.
 */
int goheap_rwlock_unlock(struct goheap *h, struct goheap_rwlock *l);

/**
 * goheap_rwlock_consistent() - say that what the lock protects is whole again
 * @h: the heap that it is in
 * @l: the lock
 *
 * Return: 0; -1 with EPERM if this process does not have it for writing.
 */
int goheap_rwlock_consistent(struct goheap *h, struct goheap_rwlock *l);

/**
 * goheap_cond_wait() - wait until a condition is signalled
 * @h: the heap that it is in
 * @c: the condition
 * @m: a mutex, which this process has; it is free while this waits
 * @timeout: milliseconds
 *
 * It may return without a signal: look at what you wait for, and call again. A wake-up that a
 * process took with it when it was killed is made good within a second.
 *
 * Return: as goheap_mutex_lock(), and in any case but these this process has the mutex: -1 with
 * EPERM if it did not, EINVAL or EOWNERDEAD. With ETIMEDOUT it has it, however long that took.
 */
int goheap_cond_wait(struct goheap *h, struct goheap_cond *c,
		     struct goheap_mutex *m, int timeout);

/**
 * goheap_cond_signal() - wake one who waits
 * @h: the heap that it is in
 * @c: the condition
 */
void goheap_cond_signal(struct goheap *h, struct goheap_cond *c);

/**
 * goheap_cond_broadcast() - wake all who wait
 * @h: the heap that it is in
 * @c: the condition
 */
void goheap_cond_broadcast(struct goheap *h, struct goheap_cond *c);

#ifdef __cplusplus
}
#endif

#endif /* GOHEAP_LOCK_H */
