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
#include <linux/nospec.h>
#include <linux/sched/user.h>

#include "charge.h"
#include "defer.h"
#include "given.h"
#include "pages.h"
#include "span.h"

/* Entries of a kernel page, and of a heap page. */
#define PER_FRAME	(PAGE_SIZE / sizeof(u64))
#define PER_PAGE	(GH_PAGE_SIZE / sizeof(u64))

/* What an entry says besides the offset. */
#define FLAGS		(GOHEAP_DEFERRED | GOHEAP_HELD | GOHEAP_RELEASED)

/* Entries that an ending session frees under one hold of the heap's lock. */
#define DRAIN_ENTRIES	256U

/* ---- memory ------------------------------------------------------------- */

/* Put memory behind a heap page of the list, unless that has happened. */
static int commit_page(struct gh_usession *ss, unsigned int page)
{
	struct page **slot = &ss->deferred[page * GH_UPAGE_FRAMES];
	struct page *frame, *next;
	LIST_HEAD(frames);
	int err = 0;

	/* The last one: another thread may be about to put them there. */
	if (READ_ONCE(slot[GH_UPAGE_FRAMES - 1]))
		return 0;
	if (!gh_ucharge_add(ss->payer, 1))
		return -ENOMEM;
	err = gh_upages_alloc_frames(&frames, GH_UPAGE_FRAMES, GH_UMETA_GFP);
	if (err)
		goto uncharge;

	spin_lock(&ss->lock);
	if (ss->dead)
		err = -EOWNERDEAD;
	else if (!*slot)
		list_for_each_entry_safe(frame, next, &frames, lru) {
			list_del_init(&frame->lru);
			/* Pairs with the acquire in gh_udefer_frame(). */
			smp_store_release(slot++, frame);
		}
	spin_unlock(&ss->lock);

	/* The session has ended, or another thread was first. */
	if (list_empty(&frames))
		return 0;
	gh_upages_free_frames(&frames);
uncharge:
	gh_ucharge_sub(ss->payer, 1);
	return err;
}

/**
 * gh_udefer_commit() - put memory behind entries of the list
 * @ss: the session
 * @first: index of the first entry
 * @n: how many, 1 or more, within the list
 *
 * Context: process context, may sleep.
 * Return: 0; or -ENOMEM, -EINTR or -EOWNERDEAD, perhaps with some of it done.
 */
int gh_udefer_commit(struct gh_usession *ss, unsigned int first, unsigned int n)
{
	unsigned int page, last = (first + n - 1) / PER_PAGE;
	int err = 0;

	for (page = first / PER_PAGE; !err && page <= last; page++)
		err = commit_page(ss, page);
	return err;
}

/**
 * gh_udefer_frame() - the memory of a page of the list
 * @ss: the session
 * @nr: which, in kernel pages of the list
 *
 * Context: any.
 * Return: the page, or NULL.
 */
struct page *gh_udefer_frame(struct gh_usession *ss, unsigned long nr)
{
	if (nr >= GH_UDEFER_FRAMES)
		return NULL;
	nr = array_index_nospec(nr, GH_UDEFER_FRAMES);
	/* Pairs with the release in commit_page(). */
	return smp_load_acquire(&ss->deferred[nr]);
}

/**
 * gh_udefer_release() - free the memory of the list
 * @ss: the session, whose file is gone, and so all mappings of it
 *
 * Context: process context, may sleep.
 */
void gh_udefer_release(struct gh_usession *ss)
{
	unsigned int i;

	for (i = 0; i < GH_UDEFER_FRAMES; i++) {
		if (!ss->deferred[i])
			continue;
		__free_page(ss->deferred[i]);
		if (!(i % GH_UPAGE_FRAMES))
			gh_ucharge_sub(ss->payer, 1);
	}
}

/* ---- freeing ------------------------------------------------------------ */

/* NULL if it has no memory. */
static u64 *entry_of(struct gh_usession *ss, unsigned int index)
{
	struct page *frame = gh_udefer_frame(ss, index / PER_FRAME);

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
		if (!gh_udefer_frame(ss, index / PER_FRAME)) {
			index += PER_FRAME;
			continue;
		}
		free_entries(ss, &index, index + DRAIN_ENTRIES, true, &offset);
		cond_resched();
	}
}
