// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * cond: waiting until another process has changed something.
 *
 * The word counts signals, and its lowest bit says whether somebody may wait. Who waits sets
 * the bit, lets the mutex go, and sleeps while the word is the same; so a signal after that
 * is not missed. A signal makes no call if nobody waits. If it has woken nobody, it clears the
 * bit, for those who set it may be dead or gone; and as somebody may have come to wait in
 * between, it wakes all then.
 *
 * A process that is killed takes the wake-up with it that was meant for another one as well.
 * So who waits looks around once a second.
 */
#include <limits.h>

#include "futex.h"
#include "mutex.h"

#define WAITS		1U
#define ONE		2U
#define SLICE		1000

/* Returns the word with the bit set. */
static uint32_t announce(struct goheap_cond *c)
{
	return __atomic_fetch_or(&c->word, WAITS, __ATOMIC_SEQ_CST) | WAITS;
}

LG_EXPORT int goheap_cond_wait(struct goheap *h, struct goheap_cond *c,
			       struct goheap_mutex *m, int timeout)
{
	uint64_t deadline = lg_futex_deadline(timeout);
	uint32_t me = lg_mutex_session(h, c, sizeof(*c)), word;
	bool in_time;
	int ret;

	if (!me)
		return -1;
	word = announce(c);
	if (goheap_mutex_unlock(h, m))
		return -1;
	in_time = lg_futex_wait(&c->word, word, deadline, SLICE) &&
		  (!lg_futex_is_over(deadline) ||
		   __atomic_load_n(&c->word, __ATOMIC_RELAXED) != word);
	ret = lg_mutex_lock(h, m, me, UINT64_MAX);
	if (in_time)
		return ret;
	/* That an owner has died is told by the next call that takes the mutex, too. */
	errno = timeout ? ETIMEDOUT : EAGAIN;
	return -1;
}

static void wake(struct goheap_cond *c, int n)
{
	uint32_t word = __atomic_load_n(&c->word, __ATOMIC_SEQ_CST);

	if (!(word & WAITS))
		return;
	word = __atomic_add_fetch(&c->word, ONE, __ATOMIC_SEQ_CST);
	if (lg_futex_wake(&c->word, n))
		return;
	if (__atomic_compare_exchange_n(&c->word, &word, word & ~WAITS, false,
					__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		lg_futex_wake(&c->word, INT_MAX);
}

LG_EXPORT void goheap_cond_signal(struct goheap *h, struct goheap_cond *c)
{
	if (lg_mutex_session(h, c, sizeof(*c)))
		wake(c, 1);
}

LG_EXPORT void goheap_cond_broadcast(struct goheap *h, struct goheap_cond *c)
{
	if (lg_mutex_session(h, c, sizeof(*c)))
		wake(c, INT_MAX);
}
