// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork: what becomes of a heap in a child.
 *
 * A heap that processes share stays shared, but the session and all that is free in this
 * process belong to the parent. So a child begins without them.
 *
 * A private heap is copied by fork() with all other memory of the process, and so are its
 * books. They must not be half changed then by a thread that the child does not have. No
 * lock is held for that: what fork() does next may wait for a lock of glibc's whose owner
 * waits for memory. Instead, other threads are kept from the books. They use another
 * allocator meanwhile, or wait.
 *
 * The caches of threads are not in a child's memory (MADV_WIPEONFORK). That of the thread that
 * forks is saved elsewhere, and does not change until it is restored. So a child that comes by
 * clone() or _Fork() finds nothing that its parent has as well, and goes the slow way, where it
 * learns that it is a child. It cannot know whether the books are whole, and does not use
 * them.
 */
#include <sys/single_threaded.h>

#include "books.h"
#include "cache.h"
#include "deferred.h"
#include "fork.h"
#include "kept.h"
#include "kernel.h"
#include "lock.h"
#include "session.h"
#include "stock.h"

/*
 * This thread has barred the others. From here on, until it lets them, a child of it finds
 * the books as they should be; and before and after that, it may not.
 */
static __thread bool bars;

/*
 * There were no others: then nobody need be barred, and no lock is in wrong hands, or taken.
 * What is written, or called, costs such a child page faults.
 */
static __thread bool alone;

/* ---- before ------------------------------------------------------------- */

/* When this has the lock, who had it has left the books whole. */
static void pass(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	pthread_mutex_unlock(lock);
}

static void bar_others(struct goheap *h)
{
	unsigned int i;

	__atomic_store_n(&h->books.barred, LG_BOOKS_FORKING, __ATOMIC_SEQ_CST);
	for (i = 0; i < LG_CLASSES; i++)
		pass(&h->stock[i].lock);
	pass(&h->kept.lock);
	pass(&h->books.lock);
}

static bool is_usable(const struct goheap *h)
{
	return h->id && lg_is_private(h) && h->books.barred != LG_BOOKS_LOST;
}

static void prepare(void)
{
	unsigned int i;

	/* A signal handler may fork while this thread forks. */
	if (lg_forks++)
		return;
	lg_cache_leave();
	/* Or while it changes the books: then the child does without them. */
	if (lg_inside)
		return;
	alone = __libc_single_threaded;
	if (!alone)
		pthread_mutex_lock(&lg_fork_lock);
	for (i = 0; !alone && i < lg_nheaps; i++)
		if (is_usable(&lg_heaps[i]))
			bar_others(&lg_heaps[i]);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	bars = true;
}

/* ---- after -------------------------------------------------------------- */

static void open_books(struct goheap *h)
{
	__atomic_store_n(&h->books.barred, LG_BOOKS_OPEN, __ATOMIC_SEQ_CST);
	lg_books_unpostpone(h);
}

static void let_others(void)
{
	unsigned int i;

	bars = false;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	for (i = 0; i < lg_nheaps; i++)
		if (is_usable(&lg_heaps[i]) &&
		    lg_heaps[i].books.barred == LG_BOOKS_FORKING)
			open_books(&lg_heaps[i]);
}

static void in_parent(void)
{
	if (lg_forks == 1) {
		lg_cache_return(false);
		if (bars) {
			let_others();
			if (!alone)
				pthread_mutex_unlock(&lg_fork_lock);
		}
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
	/* Last, as a signal handler may still fork. */
	lg_forks -= !!lg_forks;
}

/* The session, and all that is free, belongs to the parent. */
static void forget_all(struct goheap *h)
{
	lg_cache_forget_all(h);
	lg_session_close(h);
	lg_deferred_forget(h);
	/* A signal handler has forked, and what it interrupted will go on. */
	if (lg_inside) {
		h->books.barred = LG_BOOKS_LOST;
		return;
	}
	lg_kernel_forget(h);
	lg_stock_forget(h);
	lg_kept_forget(h);
	lg_lock_init(h);
}

/* Whether the books of a private heap are as they should be. */
static bool is_whole(const struct goheap *h)
{
	if (!bars || lg_inside || !is_usable(h))
		return false;
	/* Another thread may have opened it meanwhile. */
	return alone ? __libc_single_threaded :
		       h->books.barred == LG_BOOKS_FORKING;
}

static void inherit(struct goheap *h)
{
	if (h->leaving)
		h->leaving = 0;
	if (!lg_is_private(h))
		forget_all(h);
	else if (!is_whole(h))
		h->books.barred = LG_BOOKS_LOST;
	else if (!alone)
		lg_lock_init(h);
}

static void reset(pthread_mutex_t *lock)
{
	const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

	if (memcmp(lock, &unlocked, sizeof(unlocked)))
		*lock = unlocked;
}

static void become_child(void)
{
	unsigned int i;

	reset(&lg_lock);
	lg_cache_return(true);
	lg_cache_forget_others();
	for (i = 0; i < lg_nheaps; i++)
		if (lg_heaps[i].id)
			inherit(&lg_heaps[i]);
	*lg_alive = 1;

	/* If a signal handler has forked in the middle of fork(), that goes on. */
	if (lg_forks > 1) {
		lg_forks--;
		return;
	}
	reset(&lg_fork_lock);
	if (bars)
		let_others();
	lg_forks = 0;
}

static void in_child(void)
{
	/* A handler that ran before may have allocated, and found out. */
	if (lg_forks)
		become_child();
}

/*
 * This is a child, and nobody has said so. Either the handlers of fork() have not all run,
 * or it does not come of fork().
 */
static void find_out(void)
{
	int saved = errno;

	become_child();
	errno = saved;
}

/**
 * lg_fork_init() - prepare for fork()
 *
 * Once in a process; more calls do nothing.
 *
 * Return: an error number, or 0.
 */
int lg_fork_init(void)
{
	static bool done;

	/* pthread_atfork() may allocate. */
	if (__atomic_exchange_n(&done, true, __ATOMIC_RELAXED))
		return 0;
	lg_fork_found = find_out;
	return pthread_atfork(prepare, in_parent, in_child);
}

/*
 * Those who come first are called last before fork(), and first in the child: they may
 * allocate in their handlers.
 */
static __attribute__((__constructor__)) void begin(void)
{
	lg_fork_init();
}
