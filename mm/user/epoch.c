// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoch: objects that are retired, and freed when nobody reads them any more.
 *
 * A process takes an object out of a shared structure, and retires it. Others may have found
 * it before, and may read it still. So it is freed after a grace period, at whose end all
 * threads that were reading at its beginning have stopped for once. It is the kernel's from
 * the moment that it is retired, so no death loses it.
 *
 * A thread says that it reads by a plain store into a page that its session shares with
 * the kernel. It has no barrier between that store and what it then loads, so the store may
 * become visible late. synchronize_rcu() makes up for it: it returns when each processor has
 * passed through a quiescent state, and a memory barrier with it, since the call. The thread
 * has done so either before its store: then it loads what the structure is without the
 * object; or after: then the kernel sees the store. (tools/testing/litmus has both as
 * models.) Linux's membarrier() rests on the same. Like it, this is not enough where
 * processors in user mode have no ticks: for RCU they are quiet all the time, so each is
 * interrupted.
 *
 * Objects are counted by the parity of the epoch in which they were retired. A grace period
 * begins with a new epoch, and frees those of the one before. So a span has objects of two
 * epochs at most, and the state of each says which. There is no list of objects, so to retire
 * takes no memory and cannot fail for want of it.
 *
 * A reader that has been seen inside is waited for until its count is another. It cannot
 * hold up anybody when its session has ended. If the process sets wrong counts, it deceives
 * only itself: it could read what is free without this, too.
 */
#include <linux/context_tracking.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/smp.h>
#include <linux/tick.h>

#include "epoch.h"
#include "given.h"
#include "object.h"
#include "side.h"
#include "span.h"

#define READERS_FIRST	(GOHEAP_MMAP_READERS >> PAGE_SHIFT)
#define PER_FRAME	(PAGE_SIZE / sizeof(struct goheap_reader))

/* Bytes that may be retired before who retires more waits: a part of the heap's bound. */
#define RETIRED_MOST	SZ_64M
#define RETIRED_SHIFT	3

/* Spans whose objects are freed under one hold of the heap's lock. */
#define FREE_SPANS	256U

/* Between two looks at the readers: from one jiffy on, twice as long each time. */
#define DELAY_MOST	(HZ / 10)

static struct workqueue_struct *epoch_wq;

static_assert(sizeof(struct goheap_reader) == 64);
static_assert(PAGE_SIZE % sizeof(struct goheap_reader) == 0);
static_assert(GH_UOBJ_RETIRED_ODD - GH_UOBJ_RETIRED == 1);

/* ---- readers ------------------------------------------------------------ */

static void barrier_here(void *unused)
{
	/* As the processor did when it last entered the kernel: see above. */
	smp_mb();
}

/* What threads have stored before is seen from now on, or they see what was stored. */
static void barrier_of_readers(void)
{
	synchronize_rcu();
	if (tick_nohz_full_enabled())
		on_each_cpu(barrier_here, NULL, 1);
}

/* Note who is inside: @seen is the odd count, or 0. */
static unsigned int frame_look(struct page *frame, u32 *thread)
{
	struct goheap_reader *reader = page_address(frame);
	unsigned int i, inside = 0;

	for (i = 0; i < PER_FRAME; i++, reader++) {
		/* Pairs with the release by which a thread stops. */
		u64 count = smp_load_acquire(&reader->count);

		WRITE_ONCE(reader->seen, count & 1 ? count : 0);
		if (!(count & 1))
			continue;
		inside++;
		*thread = READ_ONCE(reader->thread);
	}
	return inside;
}

/* Of those who were, count who still is. */
static unsigned int frame_look_again(struct page *frame, u32 *thread)
{
	struct goheap_reader *reader = page_address(frame);
	unsigned int i, inside = 0;

	for (i = 0; i < PER_FRAME; i++, reader++) {
		u64 seen = READ_ONCE(reader->seen);

		/* Pairs with the release by which a thread stops. */
		if (!(seen & 1) || smp_load_acquire(&reader->count) != seen)
			continue;
		inside++;
		*thread = READ_ONCE(reader->thread);
	}
	return inside;
}

static void session_look(struct gh_usession *ss, bool again)
	__must_hold(&ss->heap->lock)
{
	unsigned int inside = 0;
	unsigned long nr;
	u32 thread = 0;

	for (nr = READERS_FIRST; nr < GH_USIDE_FRAMES; nr++) {
		struct page *frame = gh_uside_frame(ss, nr);

		if (!frame || READ_ONCE(ss->dead))
			continue;
		inside += again ? frame_look_again(frame, &thread) :
				  frame_look(frame, &thread);
	}
	ss->inside = inside;
	ss->thread = thread;
}

/* Returns whether the grace period has to wait. */
static bool look(struct gh_uheap *h, bool again)
	__must_hold(&h->lock)
{
	struct gh_usession *ss;
	bool waits = false;

	lockdep_assert_held(&h->lock);

	list_for_each_entry(ss, &h->sessions, list) {
		if (!again || ss->inside)
			session_look(ss, again);
		waits |= ss->inside;
		cond_resched();
	}
	return waits;
}

/* ---- freeing ------------------------------------------------------------ */

/* Count retired objects of a span, or no longer if @n is negative. */
static void count(struct gh_uspan *s, unsigned int parity, int n)
	__must_hold(&s->owner->heap->lock)
{
	struct gh_uepoch *e = &s->owner->heap->epoch;

	lockdep_assert_held(&s->owner->heap->lock);

	s->nretired[parity] += n;
	e->objects[parity] += n;
	WRITE_ONCE(e->bytes[parity], e->bytes[parity] + n * (s64)s->elemsize);
}

static void span_free_retired(struct gh_uspan *s, unsigned int parity,
			      struct list_head *empty)
	__must_hold(&s->owner->heap->lock)
{
	count(s, parity, -(int)s->nretired[parity]);
	if (!s->nretired[!parity])
		list_del_init(&s->retired);
	gh_ugiven_free_retired(s, GH_UOBJ_RETIRED + parity, empty);
}

/* Returns whether there are more. */
static bool free_some(struct gh_uheap *h, unsigned int parity,
		      struct list_head *empty)
	__must_hold(&h->lock)
{
	struct gh_uepoch *e = &h->epoch;
	unsigned int n = FREE_SPANS;
	struct gh_uspan *s;

	lockdep_assert_held(&h->lock);

	while (e->objects[parity] && n--) {
		s = list_first_entry(&e->spans, struct gh_uspan, retired);
		list_move_tail(&s->retired, &e->spans);
		if (s->nretired[parity])
			span_free_retired(s, parity, empty);
	}
	list_for_each_entry(s, empty, list)
		gh_uspan_withdraw(h, s);
	return e->objects[parity];
}

/* The grace period is over: free what was retired in the epoch before. */
static void free_all(struct gh_uheap *h)
{
	unsigned int parity = (h->epoch.number - 1) & 1;
	LIST_HEAD(empty);
	bool more;

	do {
		gh_uheap_lock(h);
		more = free_some(h, parity, &empty);
		mutex_unlock(&h->lock);
		gh_uspan_release(h, &empty);
		cond_resched();
	} while (more);
	wake_up_all(&h->epoch.wait);
}

/* ---- grace periods ------------------------------------------------------ */

static void epoch_queue(struct gh_uepoch *e, unsigned long delay)
{
	queue_delayed_work(epoch_wq, &e->work, delay);
}

/* Returns false if nothing is retired. */
static bool grace_begin(struct gh_uheap *h)
{
	struct gh_uepoch *e = &h->epoch;

	gh_uheap_lock(h);
	e->queued = e->objects[0] || e->objects[1];
	e->number += e->queued;
	mutex_unlock(&h->lock);
	if (!e->queued)
		return false;

	barrier_of_readers();
	e->delay = 1;
	return true;
}

static void epoch_work(struct work_struct *work)
{
	struct gh_uepoch *e = container_of(to_delayed_work(work),
					   struct gh_uepoch, work);
	struct gh_uheap *h = container_of(e, struct gh_uheap, epoch);
	bool again = e->waits;

	if (!again && !grace_begin(h))
		return;
	gh_uheap_lock(h);
	if (!again)
		e->since = ktime_get_ns();
	e->waits = look(h, again);
	mutex_unlock(&h->lock);

	if (!e->waits) {
		free_all(h);
		epoch_queue(e, 0);
		return;
	}
	epoch_queue(e, e->delay);
	e->delay = min_t(unsigned long, 2 * e->delay, DELAY_MOST);
}

/* ---- retiring ----------------------------------------------------------- */

static bool has_room(struct gh_uheap *h)
{
	struct gh_uepoch *e = &h->epoch;
	u64 most = RETIRED_MOST, limit = READ_ONCE(h->limit);

	if (limit <= RETIRED_MOST >> GH_PAGE_SHIFT << RETIRED_SHIFT)
		most = limit << GH_PAGE_SHIFT >> RETIRED_SHIFT;
	return READ_ONCE(e->bytes[0]) + READ_ONCE(e->bytes[1]) <= most;
}

/**
 * gh_uepoch_wait() - wait until more may be retired
 * @h: the heap
 * @nowait: rather fail, because the thread reads, and would wait for itself
 *
 * More than one may retire then, each of which has a bounded number of objects.
 *
 * Context: process context, may sleep; no lock is held.
 * Return: 0, -EAGAIN, or -ERESTARTSYS if a signal came.
 */
int gh_uepoch_wait(struct gh_uheap *h, bool nowait)
{
	if (has_room(h))
		return 0;
	if (nowait)
		return -EAGAIN;
	return wait_event_interruptible(h->epoch.wait, has_room(h));
}

static void retire_one(struct gh_uspan *s, unsigned int i)
	__must_hold(&s->owner->lock)
{
	struct gh_uepoch *e = &s->owner->heap->epoch;
	unsigned int parity = e->number & 1;

	lockdep_assert_held(&s->owner->heap->lock);
	lockdep_assert_held(&s->owner->lock);

	if (s->state[i] == GH_UOBJ_GIVEN)
		gh_uobj_note_given(s, -1);
	s->state[i] = GH_UOBJ_RETIRED + parity;
	if (!s->nretired[0] && !s->nretired[1])
		list_add_tail(&s->retired, &e->spans);
	count(s, parity, 1);
	if (!e->queued) {
		e->queued = true;
		epoch_queue(e, 0);
	}
}

/**
 * gh_uepoch_add() - retire an object that others do not find any more
 * @s: its span
 * @i: its index
 *
 * Context: the heap's lock is held; gh_ugiven_find() has found the object.
 */
void gh_uepoch_add(struct gh_uspan *s, unsigned int i)
{
	struct gh_usession *owner = s->owner;

	lockdep_assert_held(&owner->heap->lock);

	spin_lock(&owner->lock);
	retire_one(s, i);
	spin_unlock(&owner->lock);
}

static int find_and_retire(struct gh_usession *ss, u64 offset)
	__must_hold(&ss->heap->lock)
{
	struct gh_usession *owner;
	struct gh_uspan *s;
	unsigned int i;
	int err;
	u8 state;

	lockdep_assert_held(&ss->heap->lock);

	if (READ_ONCE(ss->dead))
		return -EOWNERDEAD;
	err = gh_uobj_find(ss->heap, offset, &s, &i, NULL);
	if (err)
		return err;
	owner = s->owner;
	spin_lock(&owner->lock);
	state = s->state[i];
	if (state == GH_UOBJ_GIVEN || (state == GH_UOBJ_PRIVATE && owner == ss))
		retire_one(s, i);
	else
		err = gh_uobj_refusal(state);
	spin_unlock(&owner->lock);
	return err;
}

/**
 * gh_uepoch_retire() - retire objects
 * @ss: the session
 * @offsets: starts of objects that were given, or that the session owns
 * @n: how many
 * @nowait: see gh_uepoch_wait()
 * @bad: set to the index of the first that is refused; those before it are done
 *
 * Context: process context, may sleep.
 * Return: 0; as gh_uobj_free() for the one that is refused; as gh_uepoch_wait(), or -EINTR,
 * with nothing done.
 */
int gh_uepoch_retire(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		     bool nowait, unsigned int *bad)
{
	struct gh_uheap *h = ss->heap;
	int err = gh_uepoch_wait(h, nowait);
	unsigned int i;

	if (err)
		return err;
	if (gh_uheap_lock_killable(h))
		return -EINTR;
	for (i = 0; i < n && !err; i++)
		err = find_and_retire(ss, offsets[i]);
	if (err)
		*bad = i - 1;
	mutex_unlock(&h->lock);

	if (err && err != -EOWNERDEAD)
		atomic64_inc(&h->bad);
	return err;
}

/**
 * gh_uepoch_waited() - how long has a grace period waited for a session?
 * @ss: the session
 *
 * Context: the heap's lock is held.
 * Return: nanoseconds; 0 if it does not wait for it.
 */
u64 gh_uepoch_waited(const struct gh_usession *ss)
{
	lockdep_assert_held(&ss->heap->lock);

	return ss->inside ? ktime_get_ns() - ss->heap->epoch.since : 0;
}

/**
 * gh_uepoch_session() - find a session that is alive, and how it holds up others
 * @h: the heap
 * @req: the least number; the rest is set
 *
 * Context: process context, may sleep.
 * Return: 0; -ENOENT if there is none, or -EINTR.
 */
int gh_uepoch_session(struct gh_uheap *h, struct goheap_session *req)
{
	struct gh_usession *ss, *best = NULL;

	if (gh_uheap_lock_killable(h))
		return -EINTR;
	list_for_each_entry(ss, &h->sessions, list)
		if (ss->id >= req->session && !READ_ONCE(ss->dead) &&
		    (!best || ss->id < best->id))
			best = ss;
	if (best) {
		req->session = best->id;
		req->pid = pid_vnr(best->tgid);
		req->inside = best->inside;
		req->thread = best->thread;
		req->waited = gh_uepoch_waited(best);
	}
	mutex_unlock(&h->lock);
	return best ? 0 : -ENOENT;
}

/* ---- the life of a heap, and of all ------------------------------------- */

/**
 * gh_uepoch_init() - make a heap ready to have objects retired
 * @h: the heap, zeroed
 */
void gh_uepoch_init(struct gh_uheap *h)
{
	struct gh_uepoch *e = &h->epoch;

	INIT_DELAYED_WORK(&e->work, epoch_work);
	INIT_LIST_HEAD(&e->spans);
	init_waitqueue_head(&e->wait);
}

/**
 * gh_uepoch_destroy() - stop waiting for grace periods
 * @h: the heap, which nobody can reach any more
 *
 * What is retired is freed with the heap.
 *
 * Context: process context, may sleep.
 */
void gh_uepoch_destroy(struct gh_uheap *h)
{
	cancel_delayed_work_sync(&h->epoch.work);
}

/**
 * gh_uepoch_setup() - make what ends grace periods
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gh_uepoch_setup(void)
{
	epoch_wq = alloc_workqueue("goheap_epoch", WQ_UNBOUND, 0);
	return epoch_wq ? 0 : -ENOMEM;
}

/**
 * gh_uepoch_teardown() - the end of that; there are no heaps of processes
 *
 * Context: process context, may sleep.
 */
void gh_uepoch_teardown(void)
{
	destroy_workqueue(epoch_wq);
}
