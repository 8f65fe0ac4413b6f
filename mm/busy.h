/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * busy: the flag that guards what belongs to one CPU.
 *
 * A slot, a tiny block, a cache of large objects and a page cache are used by
 * their own CPU only, with preemption off. Then an interrupt on that CPU is all
 * that can get in between, and the flag tells it that the owner is at work. The
 * flag is a plain byte: no atomic operation, and interrupts stay on.
 *
 * The rules:
 *
 *  1. Preemption is off from before the flag is tested until it is cleared, and
 *     the structure belongs to the CPU that this runs on. The structures of a
 *     dead CPU, or of a heap that nobody uses, may be used from another CPU, by
 *     one task at a time, with preemption off as well: what runs instead of a
 *     task with the flag would seem to lockdep to break rule 4.
 *  2. Code that finds the flag set has interrupted the owner. It must not wait,
 *     because the owner cannot go on before it returns, and it must not use
 *     what the flag guards. It goes to the layer below instead.
 *  3. Code that takes the flag clears it before it returns. So an interrupt
 *     that comes between a test of the flag and the store leaves it as it was.
 *  4. The owner must not sleep, must not allocate pages, must not call a cache's
 *     constructor, and must not take locks that are not raw. It may take one
 *     more flag, by gh_busy_try() only.
 *  5. All of this holds in NMI context too, where raw locks are only tried.
 *
 * Work items that age or drain a CPU's caches run on that CPU, with preemption
 * off, and are users like any other. Process context does not interrupt an
 * owner, so they cannot find the flag set, and take it by gh_busy_begin().
 *
 * For lockdep, all flags are one lock that is only ever tried, since an
 * interrupt may rightly find it held. So it has no place in the lock order and
 * cannot be part of a deadlock; but lockdep reports any lock that is not raw
 * and is taken inside, and functions can assert that their caller has the flag.
 * In NMI context lockdep is off and takes no notice.
 *
 * For KCSAN, the owner and an interrupt race for the flag, harmlessly by rules 2
 * and 3, so what accesses it is marked. What it guards is not: that an interrupt
 * does not touch that is for KCSAN to see.
 */
#ifndef _GOHEAP_BUSY_H
#define _GOHEAP_BUSY_H

#include <linux/compiler.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/types.h>

/**
 * struct gh_busy - tells an interrupt that its CPU's owner is at work
 * @held: the owner is at work
 *
 * All zero is free.
 */
struct gh_busy {
	bool held;
};

#ifdef CONFIG_DEBUG_LOCK_ALLOC

extern struct lockdep_map gh_busy_map;

static __always_inline void gh_busy_note_taken(void)
{
	lock_acquire_exclusive(&gh_busy_map, 0, 1, NULL, _THIS_IP_);
}

static __always_inline void gh_busy_note_end(void)
{
	lock_release(&gh_busy_map, _THIS_IP_);
}

/* The caller has this flag: it is set, and by this task or interrupt. */
#define gh_busy_assert_held(busy)					\
	lockdep_assert((busy)->held &&					\
		       lock_is_held(&gh_busy_map) != LOCK_STATE_NOT_HELD)

#else

static __always_inline void gh_busy_note_taken(void)
{
}

static __always_inline void gh_busy_note_end(void)
{
}

#define gh_busy_assert_held(busy)	((void)(busy))

#endif /* CONFIG_DEBUG_LOCK_ALLOC */

/**
 * gh_busy_is_held() - ask whether the caller interrupted the owner
 * @busy: this CPU's flag
 *
 * Context: any, preemption off.
 * Return: true if it did. If not, an interrupt may come and go, but the flag
 * will be clear afterwards.
 */
static __always_inline bool gh_busy_is_held(const struct gh_busy *busy)
{
	/* With READ_ONCE(), gcc would use an instruction more to compare it. */
	return data_race(busy->held);
}

/**
 * gh_busy_begin() - take a flag that is known to be clear
 * @busy: the flag
 *
 * Context: preemption off, and in process context, or after gh_busy_is_held()
 * said no, or with a flag of a CPU or heap that nobody uses.
 */
static __always_inline void gh_busy_begin(struct gh_busy *busy)
{
	lockdep_assert_preemption_disabled();
	lockdep_assert(!gh_busy_is_held(busy));
	WRITE_ONCE(busy->held, true);
	/* Nothing that the flag guards may be accessed before it is set. */
	barrier();
	gh_busy_note_taken();
}

/**
 * gh_busy_try() - take this CPU's flag, unless the caller interrupted its owner
 * @busy: the flag
 *
 * Context: any, preemption off.
 * Return: false if the owner is at work.
 */
static __always_inline bool gh_busy_try(struct gh_busy *busy)
{
	lockdep_assert_preemption_disabled();
	if (unlikely(gh_busy_is_held(busy)))
		return false;
	gh_busy_begin(busy);
	return true;
}

/**
 * gh_busy_end() - let go of a flag
 * @busy: the flag, held by the caller
 */
static __always_inline void gh_busy_end(struct gh_busy *busy)
{
	gh_busy_assert_held(busy);
	gh_busy_note_end();
	/* All accesses to what the flag guards come before. */
	barrier();
	WRITE_ONCE(busy->held, false);
}

#endif /* _GOHEAP_BUSY_H */
