// SPDX-License-Identifier: GPL-2.0-only
/*
 * defer: objects that a process has freed, but not in a call yet.
 *
 * A library collects them, because a call for each would be slow. If it kept them
 * to itself, they would stay allocated for ever when its process dies. So the list
 * lies in memory that the process shares with the kernel: a store enters an object,
 * and the end of the session frees what is entered.
 *
 * A list that is old must not harm. Another process may have freed the object
 * since, and a third may have allocated it; so each object that is entered carries
 * a mark, see gh_ugiven_free_deferred(). The kernel trusts neither list nor marks:
 * whatever they say, only objects are freed that are given, held, or the session's.
 */
#include <linux/lockdep.h>
#include <linux/mm.h>

#include "defer.h"
#include "given.h"
#include "side.h"
#include "span.h"

/* Entries of a kernel page. */
#define PER_FRAME	(PAGE_SIZE / sizeof(u64))

/* What an entry says besides the offset. */
#define FLAGS		(GOHEAP_DEFERRED | GOHEAP_HELD | GOHEAP_RELEASED)

/* Entries that an ending session frees under one hold of the heap's lock. */
#define DRAIN_ENTRIES	256U

/* NULL if it has no memory. */
static u64 *entry_of(struct gh_usession *ss, unsigned int index)
{
	struct page *frame = gh_uside_frame(ss, index / PER_FRAME);

	return frame ? (u64 *)page_address(frame) + index % PER_FRAME : NULL;
}

/**
 * gh_udefer_reserve() - keep an empty entry for an object that the process may take
 * @ss: the session
 * @index: of the entry
 *
 * A reserved entry is not empty, and names no object. gh_udefer_set() must follow.
 *
 * Context: any.
 * Return: 0; -EINVAL if the entry has no memory, -EBUSY if it is not empty.
 */
int gh_udefer_reserve(struct gh_usession *ss, unsigned int index)
{
	u64 *entry = index < GOHEAP_NR_DEFERRED ? entry_of(ss, index) : NULL;

	if (!entry)
		return -EINVAL;
	return cmpxchg64(entry, 0, GOHEAP_HELD) ? -EBUSY : 0;
}

/**
 * gh_udefer_set() - use a reserved entry, or do without
 * @ss: the session
 * @index: of the entry
 * @offset: of the object that the process holds now
 * @held: whether it does
 *
 * Context: any.
 */
void gh_udefer_set(struct gh_usession *ss, unsigned int index, u64 offset,
		   bool held)
{
	WRITE_ONCE(*entry_of(ss, index),
		   held ? GOHEAP_DEFERRED | GOHEAP_HELD | offset : 0);
}

/**
 * gh_udefer_holds() - is an object entered as held?
 * @ss: the session
 * @index: of the entry
 * @offset: of the object
 *
 * Context: any.
 * Return: whether it is.
 */
bool gh_udefer_holds(struct gh_usession *ss, unsigned int index, u64 offset)
{
	u64 *entry = index < GOHEAP_NR_DEFERRED ? entry_of(ss, index) : NULL;

	return entry && READ_ONCE(*entry) ==
			(GOHEAP_DEFERRED | GOHEAP_HELD | offset);
}

/*
 * Empty an entry, and free what it names. What is only held stays, unless the session
 * @ends.
 */
static int free_entry(struct gh_usession *ss, unsigned int index, bool ends,
		      u64 *offset, struct list_head *empty)
	__must_hold(&ss->heap->lock)
{
	u64 *entry = entry_of(ss, index);
	u64 value = entry ? READ_ONCE(*entry) : 0;
	int err = 0;

	if (!(value & GOHEAP_DEFERRED) || (value & GOHEAP_HELD && !ends))
		return 0;
	/* First, because the process may take it out at the same time, and use it. */
	if (cmpxchg64(entry, value, 0) != value)
		return 0;
	*offset = value & ~FLAGS;
	if (value & (GOHEAP_HELD | GOHEAP_RELEASED))
		gh_ugiven_free_held(ss, *offset, ends, empty);
	else
		err = gh_ugiven_free_deferred(ss, *offset, index, ends, empty);
	return err;
}

/* Free entries, up to one that is refused, or all if the session @ends. */
static int free_entries(struct gh_usession *ss, unsigned int *index,
			unsigned int end, bool ends, u64 *offset)
{
	struct gh_uheap *h = ss->heap;
	struct gh_uspan *s;
	LIST_HEAD(empty);
	int err = 0;

	if (ends)
		gh_uheap_lock(h);
	else if (gh_uheap_lock_killable(h))
		return -EINTR;
	for (; *index < end; ++*index) {
		err = free_entry(ss, *index, ends, offset, &empty);
		if (err && !ends)
			break;
	}
	list_for_each_entry(s, &empty, list)
		gh_uspan_withdraw(h, s);
	mutex_unlock(&h->lock);

	gh_uspan_release(h, &empty);
	return err;
}

/**
 * gh_udefer_flush() - free objects that are entered in the list
 * @ss: the session
 * @first: index of the first entry
 * @n: how many, within the list
 * @bad: set to the index of the entry that was refused
 * @offset: set to its object
 *
 * Context: process context, may sleep.
 * Return: 0; or the error for the entry that was refused, as gh_uobj_free(). Then
 * those before it are done, and those behind it are not. Or -EINTR, with nothing done.
 */
int gh_udefer_flush(struct gh_usession *ss, unsigned int first, unsigned int n,
		    unsigned int *bad, u64 *offset)
{
	unsigned int end = first + n;
	int err;

	*bad = first;
	err = free_entries(ss, bad, end, false, offset);
	if (err && err != -EINTR)
		atomic64_inc(&ss->heap->bad);
	return err;
}

/**
 * gh_udefer_drain() - free all objects that are entered in the list
 * @ss: the session, which is ending
 *
 * Context: process context, may sleep.
 */
void gh_udefer_drain(struct gh_usession *ss)
{
	unsigned int index = 0;
	u64 offset;

	while (index < GOHEAP_NR_DEFERRED) {
		if (!gh_uside_frame(ss, index / PER_FRAME)) {
			index += PER_FRAME;
			continue;
		}
		free_entries(ss, &index, index + DRAIN_ENTRIES, true, &offset);
		cond_resched();
	}
}
