// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * mutex: a mutex that is taken over from the dead.
 *
 * The word has the owner's session, and whether somebody may wait. Who waits sets that bit, and
 * sleeps for a while at a time. If nobody has woken it by then, it asks the kernel whether the
 * owner's session is alive, and if not, exchanges the word for one of its own. After that it
 * notes in another word that there was a death. If it is killed in between, it is the dead
 * owner that the next one finds, so a death is never forgotten, but may be noted twice.
 *
 * Who was woken takes the mutex with the bit set, as others may wait, too. If it is killed
 * before it does so, the others find the mutex free after a while. So a wake-up that is lost
 * costs time, and nothing else.
 */
#include <limits.h>
#include <sys/ioctl.h>

#include "futex.h"
#include "lock.h"
#include "mutex.h"
#include "session.h"

/* Looks at a mutex that is taken before the thread sleeps. */
#define SPINS	100

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

static noinline uint32_t attach(struct goheap *h)
{
	if (unlikely(!*lg_alive))
		lg_fork_found();
	if (lg_session_fd(h) < 0)
		return 0;
	/* Without it, nobody would ever be found dead. */
	if (h->version < LG_VERSION_READERS) {
		errno = EOPNOTSUPP;
		return 0;
	}
	return h->session;
}

/**
 * lg_mutex_session() - the number of this process's session, for a lock
 * @h: the heap
 * @lock: the lock
 * @bytes: its length
 *
 * Return: the number; 0 with errno, EINVAL if the lock is not in the heap.
 */
uint32_t lg_mutex_session(struct goheap *h, const void *lock, size_t bytes)
{
	uintptr_t at = (uintptr_t)lock - h->base;

	if (unlikely(at >= h->window || bytes > h->window - at || at % 8)) {
		errno = lg_is_private(h) ? EOPNOTSUPP : EINVAL;
		return 0;
	}
	if (likely(*lg_alive && h->session && h->session_fd >= 0 &&
		   h->version >= LG_VERSION_READERS))
		return h->session;
	return attach(h);
}

/**
 * lg_mutex_is_alive() - ask the kernel whether a session is alive
 * @h: the heap
 * @session: its number
 *
 * Return: false if it has ended, or if there never was such a session. errno is kept.
 */
bool lg_mutex_is_alive(struct goheap *h, uint32_t session)
{
	struct goheap_session req = { .size = sizeof(req), .session = session };
	int saved = errno, err = 0;

	while (ioctl(h->fd, GOHEAP_IOC_SESSION, &req)) {
		err = errno;
		if (err != EINTR)
			break;
		req.session = session;
		err = 0;
	}
	errno = saved;
	/* What the kernel cannot say is no reason to take a lock away. */
	if (err)
		return err != ENOENT;
	return req.session == session;
}

/* Take the mutex over if its owner has died with it. */
static bool take_over(struct goheap *h, struct goheap_mutex *m, uint32_t me,
		      uint32_t word)
{
	uint32_t owner = word & ~LG_CONTENDED;

	if (lg_mutex_is_alive(h, owner) ||
	    !__atomic_compare_exchange_n(&m->word, &word, me | LG_CONTENDED, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&m->died, owner, __ATOMIC_RELAXED);
	return true;
}

static bool try_lock(struct goheap_mutex *m, uint32_t me)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(&m->word, &free, me, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool spin(struct goheap_mutex *m, uint32_t me)
{
	unsigned int i;

	for (i = 0; i < SPINS; i++) {
		if (!__atomic_load_n(&m->word, __ATOMIC_RELAXED) &&
		    try_lock(m, me))
			return true;
		relax();
	}
	return false;
}

/* One step: returns whether this has the mutex now. @waited: what it was, after a slice. */
static bool lock_step(struct goheap *h, struct goheap_mutex *m, uint32_t me,
		      uint32_t *waited)
{
	uint32_t word = __atomic_load_n(&m->word, __ATOMIC_RELAXED);
	uint32_t owner = word & ~LG_CONTENDED;

	if (!owner)
		return __atomic_compare_exchange_n(&m->word, &word,
						   me | LG_CONTENDED, false,
						   __ATOMIC_ACQUIRE,
						   __ATOMIC_RELAXED);
	/* It had it all the time, or again. */
	if (word == *waited && take_over(h, m, me, word))
		return true;
	*waited = word | LG_CONTENDED;
	if (!(word & LG_CONTENDED) &&
	    !__atomic_compare_exchange_n(&m->word, &word, *waited, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		*waited = 0;
	return false;
}

static int told(const struct goheap_mutex *m)
{
	return __atomic_load_n(&m->died, __ATOMIC_RELAXED) ? 1 : 0;
}

/**
 * lg_mutex_lock() - take a mutex
 * @h: the heap
 * @m: the mutex
 * @me: this process's session
 * @deadline: of lg_futex_deadline()
 *
 * Return: as goheap_mutex_lock(), with ETIMEDOUT for any deadline.
 */
int lg_mutex_lock(struct goheap *h, struct goheap_mutex *m, uint32_t me,
		  uint64_t deadline)
{
	uint32_t waited = 0;

	if (spin(m, me))
		return told(m);
	while (!lock_step(h, m, me, &waited)) {
		if (!waited || lg_futex_wait(&m->word, waited, deadline,
					     LG_FUTEX_SLICE))
			continue;
		/* The owner may have died long ago. */
		if (take_over(h, m, me, waited))
			break;
		errno = ETIMEDOUT;
		return -1;
	}
	return told(m);
}

/**
 * lg_mutex_await() - wait until nobody has a mutex, which others wake all for
 * @h: the heap
 * @m: the mutex
 * @me: this process's session
 * @deadline: of lg_futex_deadline()
 *
 * If its owner has died, that is noted, and it is free afterwards.
 *
 * Return: false, with ETIMEDOUT, at the deadline.
 */
bool lg_mutex_await(struct goheap *h, struct goheap_mutex *m, uint32_t me,
		    uint64_t deadline)
{
	uint32_t word, waited = 0;
	bool in_time = true;

	while ((word = __atomic_load_n(&m->word, __ATOMIC_ACQUIRE)) & ~LG_CONTENDED) {
		if ((word == waited || !in_time) && take_over(h, m, me, word)) {
			lg_mutex_unlock(m, INT_MAX);
			return true;
		}
		if (!in_time) {
			errno = ETIMEDOUT;
			return false;
		}
		waited = word | LG_CONTENDED;
		if (word == waited ||
		    __atomic_compare_exchange_n(&m->word, &word, waited, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			in_time = lg_futex_wait(&m->word, waited, deadline,
						LG_FUTEX_SLICE);
	}
	return true;
}

/**
 * lg_mutex_unlock() - let go of a mutex
 * @m: the mutex, which this process has
 * @n: how many of those who wait are woken
 */
void lg_mutex_unlock(struct goheap_mutex *m, int n)
{
	if (__atomic_exchange_n(&m->word, 0, __ATOMIC_RELEASE) & LG_CONTENDED)
		lg_futex_wake(&m->word, n);
}

LG_EXPORT int goheap_mutex_lock(struct goheap *h, struct goheap_mutex *m,
				int timeout)
{
	uint32_t me = lg_mutex_session(h, m, sizeof(*m));
	int ret;

	if (unlikely(!me))
		return -1;
	if (likely(try_lock(m, me)))
		return told(m);
	ret = lg_mutex_lock(h, m, me, lg_futex_deadline(timeout));
	if (ret < 0 && !timeout)
		errno = EAGAIN;
	return ret;
}

static bool is_mine(struct goheap *h, const struct goheap_mutex *m)
{
	uint32_t me = lg_mutex_session(h, m, sizeof(*m));
	uint32_t word = __atomic_load_n(&m->word, __ATOMIC_RELAXED);

	if (!me)
		return false;
	if ((word & ~LG_CONTENDED) == me)
		return true;
	errno = EPERM;
	return false;
}

LG_EXPORT int goheap_mutex_unlock(struct goheap *h, struct goheap_mutex *m)
{
	if (unlikely(!is_mine(h, m)))
		return -1;
	lg_mutex_unlock(m, 1);
	return 0;
}

LG_EXPORT int goheap_mutex_consistent(struct goheap *h, struct goheap_mutex *m)
{
	if (!is_mine(h, m))
		return -1;
	__atomic_store_n(&m->died, 0, __ATOMIC_RELAXED);
	return 0;
}
