// SPDX-License-Identifier: GPL-2.0-only
/*
 * publish: exchanges of words that processes share, with what they lead to.
 *
 * A process that gives an object, and then stores where it is, loses it if it is
 * killed in between; and one that takes an object out of a shared structure, and
 * then frees it, does. Here the kernel exchanges the word and changes the objects
 * in one step that cannot be interrupted: the word is in memory that the kernel
 * reaches, and the heap's lock keeps what is given, or held, as it is.
 */
#include <linux/bitops.h>
#include <linux/lockdep.h>
#include <linux/nospec.h>

#include "defer.h"
#include "epoch.h"
#include "given.h"
#include "publish.h"
#include "span.h"

#define GIVES	(GOHEAP_SWAP_GIVE | GOHEAP_SWAP_GIVE_HELD)
#define TAKES	(GOHEAP_SWAP_FREE | GOHEAP_SWAP_HOLD | GOHEAP_SWAP_RETIRE)
#define FLAGS	(GOHEAP_SWAP_ROOT | GIVES | TAKES)

/**
 * struct swap - an exchange that has been checked
 * @word: where
 * @given: span of the held object that is given, if there is one
 * @given_idx: its index there
 * @taken: span of the object that is taken, if there is one
 * @taken_idx: its index there
 */
struct swap {
	u64 *word;
	struct gh_uspan *given;
	unsigned int given_idx;
	struct gh_uspan *taken;
	unsigned int taken_idx;
};

static int swap_word(struct gh_usession *ss, const struct goheap_swap *swap,
		     struct swap *to)
{
	u64 at = swap->at;

	if (!(swap->flags & GOHEAP_SWAP_ROOT))
		return at % sizeof(u64) ? -EINVAL :
					  gh_ugiven_word(ss, at, &to->word);
	if (at >= GOHEAP_NR_ROOTS)
		return -EINVAL;
	to->word = &ss->heap->roots[array_index_nospec(at, GOHEAP_NR_ROOTS)];
	return 0;
}

static bool is_valid(const struct goheap_swap *swap)
{
	if (swap->flags & ~FLAGS || swap->reserved ||
	    hweight32(swap->flags & GIVES) > 1 ||
	    hweight32(swap->flags & TAKES) > 1)
		return false;
	/* One cannot give what one takes by the same exchange. */
	return !(swap->flags & GIVES) || !(swap->flags & TAKES) ||
	       swap->give != swap->take;
}

/* Find the objects, but for a private one, which only the session's lock protects. */
static int swap_objects(struct gh_usession *ss, const struct goheap_swap *swap,
			struct swap *to)
	__must_hold(&ss->heap->lock)
{
	int err = 0;

	if (swap->flags & GOHEAP_SWAP_GIVE_HELD) {
		err = gh_ugiven_find(ss->heap, swap->give, GH_UOBJ_HELD,
				     &to->given, &to->given_idx);
		if (!err && !gh_udefer_holds(ss, swap->from, swap->give))
			err = -EINVAL;
	}
	if (!err && swap->flags & TAKES)
		err = gh_ugiven_find(ss->heap, swap->take, GH_UOBJ_GIVEN,
				     &to->taken, &to->taken_idx);
	if (!err && swap->flags & GOHEAP_SWAP_HOLD)
		err = gh_udefer_reserve(ss, swap->to);
	return err;
}

/* Exchange the word, and give a private object. */
static int swap_word_now(struct gh_usession *ss, struct goheap_swap *swap,
			 struct swap *to)
	__must_hold(&ss->heap->lock)
{
	u64 value = swap->value;
	int err = 0;

	if (swap->flags & GOHEAP_SWAP_GIVE)
		err = gh_ugiven_give_if(ss, swap->give, to->word, swap->expect,
					&value);
	else
		value = cmpxchg64(to->word, swap->expect, value);
	if (!err)
		swap->value = value;
	return err;
}

/* What becomes of the objects; nothing of it can fail. */
static void swap_finish(struct gh_usession *ss, const struct goheap_swap *swap,
			struct swap *to, bool done, struct list_head *empty)
	__must_hold(&ss->heap->lock)
{
	if (swap->flags & GOHEAP_SWAP_HOLD)
		gh_udefer_set(ss, swap->to, swap->take, done);
	if (!done)
		return;

	if (swap->flags & GOHEAP_SWAP_GIVE_HELD) {
		gh_ugiven_set_held(ss, to->given, to->given_idx, false);
		gh_udefer_set(ss, swap->from, 0, false);
	}
	if (swap->flags & GOHEAP_SWAP_HOLD)
		gh_ugiven_set_held(ss, to->taken, to->taken_idx, true);
	if (swap->flags & GOHEAP_SWAP_FREE)
		gh_ugiven_free(to->taken, to->taken_idx, empty);
	if (swap->flags & GOHEAP_SWAP_RETIRE)
		gh_uepoch_add(to->taken, to->taken_idx);
}

static int swap_one(struct gh_usession *ss, struct goheap_swap *swap,
		    struct list_head *empty)
	__must_hold(&ss->heap->lock)
{
	struct swap to = {};
	u64 now;
	int err;

	lockdep_assert_held(&ss->heap->lock);

	if (!is_valid(swap))
		return -EINVAL;
	err = swap_word(ss, swap, &to);
	if (err)
		return err;
	/*
	 * First of all: what the word led to may be gone, and that is no error of a
	 * process that found it there.
	 */
	now = READ_ONCE(*to.word);
	if (now != swap->expect) {
		swap->value = now;
		return 0;
	}

	err = swap_objects(ss, swap, &to);
	if (err)
		return err;
	err = swap_word_now(ss, swap, &to);
	swap_finish(ss, swap, &to, !err && swap->value == swap->expect, empty);
	return err;
}

/**
 * gh_upublish() - exchange words, and give, hold, free or retire what they lead to
 * @ss: the session
 * @swaps: what to do; each is updated
 * @n: how many
 * @nowait: see gh_uepoch_wait()
 * @bad: set to the index of the one that was refused
 *
 * Context: process context, may sleep.
 * Return: 0; or the error for the one that was refused, as gh_uobj_give() or
 * gh_uobj_free(). Those before it are done. Or -EINTR, or as gh_uepoch_wait(), with nothing
 * done.
 */
int gh_upublish(struct gh_usession *ss, struct goheap_swap *swaps,
		unsigned int n, bool nowait, unsigned int *bad)
{
	struct gh_uheap *h = ss->heap;
	struct gh_uspan *s;
	LIST_HEAD(empty);
	unsigned int i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		if (swaps[i].flags & GOHEAP_SWAP_RETIRE)
			err = gh_uepoch_wait(h, nowait);
	if (err)
		return err;
	if (gh_uheap_lock_killable(h))
		return -EINTR;
	for (i = 0; i < n && !err; i++) {
		/* The session ends under the same lock. */
		err = READ_ONCE(ss->dead) ? -EOWNERDEAD :
					    swap_one(ss, swaps + i, &empty);
	}
	if (err)
		*bad = i - 1;
	list_for_each_entry(s, &empty, list)
		gh_uspan_withdraw(h, s);
	mutex_unlock(&h->lock);

	gh_uspan_release(h, &empty);
	/* That an entry is not empty is not the object's fault. */
	if (err && err != -EOWNERDEAD && err != -EBUSY)
		atomic64_inc(&h->bad);
	return err;
}
