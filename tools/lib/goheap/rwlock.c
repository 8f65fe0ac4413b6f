// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * rwlock: a lock for one writer, or many readers, that no death blocks.
 *
 * Each process that reads has a slot with its session and how many of its threads read. A
 * reader counts itself there first, and then looks whether a writer is there or waits; if so,
 * it goes back and waits for it. A writer takes the mutex first, and then waits until all
 * slots are empty. One of the two sees the other, as the exchanges are full barriers. Slots of
 * sessions that have ended are cleared by the writer that waits for them.
 *
 * A writer that has died is found by readers, too: they take the mutex over from it, note
 * its death, and let it go. From then on, readers are refused until a writer has mended what
 * there is to mend.
 */
#include <limits.h>

#include "futex.h"
#include "mutex.h"

#define ONE		0x100000000ULL
#define SESSION(slot)	((uint32_t)(slot))
#define THREADS(slot)	((uint32_t)((slot) >> 32))

/* ---- slots -------------------------------------------------------------- */

/* Clear a slot whose session has ended; or leave it. */
static void clear_dead(struct goheap *h, uint64_t *slot)
{
	uint64_t value = __atomic_load_n(slot, __ATOMIC_RELAXED);

	if (value && !lg_mutex_is_alive(h, SESSION(value)))
		__atomic_compare_exchange_n(slot, &value, 0, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Add one to a slot that is this process's, or free. */
static bool slot_enter(uint64_t *slot, uint32_t me)
{
	uint64_t value = __atomic_load_n(slot, __ATOMIC_RELAXED);

	while (!value || (SESSION(value) == me && THREADS(value) < UINT32_MAX))
		if (__atomic_compare_exchange_n(slot, &value,
						(value ? value : me) + ONE, false,
						__ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* Returns false if this process does not read by that slot. */
static bool slot_leave(uint64_t *slot, uint32_t me)
{
	uint64_t value = __atomic_load_n(slot, __ATOMIC_RELAXED);

	while (SESSION(value) == me && THREADS(value))
		if (__atomic_compare_exchange_n(slot, &value,
						THREADS(value) == 1 ? 0 :
								      value - ONE,
						false, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/*
 * Processes begin at different slots, and then look at all: threads of one that come at the same
 * time may get two.
 */
static uint64_t *readers_enter(struct goheap_rwlock *l, uint32_t me)
{
	unsigned int i;

	for (i = 0; i < GOHEAP_RWLOCK_READERS; i++) {
		uint64_t *slot = &l->readers[(me + i) % GOHEAP_RWLOCK_READERS];

		if (slot_enter(slot, me))
			return slot;
	}
	return NULL;
}

static bool readers_leave(struct goheap_rwlock *l, uint32_t me)
{
	unsigned int i;

	for (i = 0; i < GOHEAP_RWLOCK_READERS; i++)
		if (slot_leave(&l->readers[(me + i) % GOHEAP_RWLOCK_READERS], me))
			return true;
	return false;
}

/* A writer that waits wants to know. */
static void note_left(struct goheap_rwlock *l)
{
	if (!__atomic_load_n(&l->writer.word, __ATOMIC_SEQ_CST))
		return;
	__atomic_add_fetch(&l->left, 1, __ATOMIC_SEQ_CST);
	lg_futex_wake(&l->left, INT_MAX);
}

/* ---- reading ------------------------------------------------------------ */

static bool writer_died(const struct goheap_rwlock *l)
{
	if (!__atomic_load_n(&l->writer.died, __ATOMIC_RELAXED))
		return false;
	errno = EOWNERDEAD;
	return true;
}

/* Returns 1 if this process reads now, 0 if there is a writer, or no slot; -1 with errno. */
static int try_read(struct goheap_rwlock *l, uint32_t me)
{
	uint64_t *slot;

	if (unlikely(writer_died(l)))
		return -1;
	if (__atomic_load_n(&l->writer.word, __ATOMIC_RELAXED))
		return 0;
	slot = readers_enter(l, me);
	if (!slot)
		return 0;
	if (likely(!__atomic_load_n(&l->writer.word, __ATOMIC_SEQ_CST) &&
		   !writer_died(l)))
		return 1;
	slot_leave(slot, me);
	note_left(l);
	return 0;
}

/* All slots are taken, and some perhaps by the dead. */
static bool await_slot(struct goheap *h, struct goheap_rwlock *l,
		       uint64_t deadline)
{
	uint32_t left = __atomic_load_n(&l->left, __ATOMIC_RELAXED);
	unsigned int i;

	for (i = 0; i < GOHEAP_RWLOCK_READERS; i++)
		clear_dead(h, &l->readers[i]);
	return lg_futex_wait(&l->left, left, deadline, 1);
}

LG_EXPORT int goheap_rwlock_read(struct goheap *h, struct goheap_rwlock *l,
				 int timeout)
{
	uint32_t me = lg_mutex_session(h, l, sizeof(*l));
	uint64_t deadline;
	bool goes_on;
	int ret;

	if (unlikely(!me))
		return -1;
	ret = try_read(l, me);
	if (likely(ret > 0))
		return 0;
	deadline = lg_futex_deadline(timeout);
	while (!ret) {
		if (__atomic_load_n(&l->writer.word, __ATOMIC_RELAXED))
			goes_on = lg_mutex_await(h, &l->writer, me, deadline);
		else
			goes_on = await_slot(h, l, deadline);
		if (!goes_on) {
			if (!timeout)
				errno = EAGAIN;
			return -1;
		}
		ret = try_read(l, me);
	}
	return ret < 0 ? -1 : 0;
}

/* ---- writing ------------------------------------------------------------ */

/* Wait until nobody reads. Returns false, with errno, at the deadline. */
static bool await_readers(struct goheap *h, struct goheap_rwlock *l,
			  uint64_t deadline)
{
	unsigned int i;
	uint32_t left;

	/* A reader that does not see that the mutex is taken is seen from here on. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (i = 0; i < GOHEAP_RWLOCK_READERS; i++) {
		uint64_t *slot = &l->readers[i];

		for (;;) {
			left = __atomic_load_n(&l->left, __ATOMIC_SEQ_CST);
			if (!__atomic_load_n(slot, __ATOMIC_SEQ_CST))
				break;
			clear_dead(h, slot);
			if (!__atomic_load_n(slot, __ATOMIC_SEQ_CST))
				break;
			if (!lg_futex_wait(&l->left, left, deadline,
					   LG_FUTEX_SLICE))
				return false;
		}
	}
	return true;
}

LG_EXPORT int goheap_rwlock_write(struct goheap *h, struct goheap_rwlock *l,
				  int timeout)
{
	uint64_t deadline = lg_futex_deadline(timeout);
	uint32_t me = lg_mutex_session(h, l, sizeof(*l));
	int ret;

	if (unlikely(!me))
		return -1;
	ret = lg_mutex_lock(h, &l->writer, me, deadline);
	if (ret >= 0 && !await_readers(h, l, deadline)) {
		lg_mutex_unlock(&l->writer, INT_MAX);
		errno = ETIMEDOUT;
		ret = -1;
	}
	if (ret >= 0)
		__atomic_store_n(&l->writing, me, __ATOMIC_RELAXED);
	else if (!timeout)
		errno = EAGAIN;
	return ret;
}

LG_EXPORT int goheap_rwlock_unlock(struct goheap *h, struct goheap_rwlock *l)
{
	uint32_t me = lg_mutex_session(h, l, sizeof(*l));

	if (unlikely(!me))
		return -1;
	/* Or another thread of this process waits to write, while this one reads. */
	if (__atomic_load_n(&l->writing, __ATOMIC_RELAXED) == me &&
	    (__atomic_load_n(&l->writer.word, __ATOMIC_RELAXED) &
	     ~LG_CONTENDED) == me) {
		__atomic_store_n(&l->writing, 0, __ATOMIC_RELAXED);
		lg_mutex_unlock(&l->writer, INT_MAX);
		return 0;
	}
	if (readers_leave(l, me)) {
		note_left(l);
		return 0;
	}
	errno = EPERM;
	return -1;
}

LG_EXPORT int goheap_rwlock_consistent(struct goheap *h, struct goheap_rwlock *l)
{
	return goheap_mutex_consistent(h, &l->writer);
}
