// SPDX-License-Identifier: GPL-2.0-only
/*
 * publish: exchanges of words that processes share, with what they lead to.
 *
 * A process that gives an object, and then stores where it is, loses it if it is
 * killed in between; and one that takes an object out of a shared structure, and
 * then frees it, does. Here the kernel exchanges the word and changes the objects
 * in one step that cannot be interrupted: the word is in memory that the kernel
 * reaches, and the heap's lock keeps all objects but the session's own as they are.
 */
#include <linux/lockdep.h>
#include <linux/nospec.h>

#include "defer.h"
#include "object.h"
#include "publish.h"
#include "span.h"

#define GIVES	(GOHEAP_SWAP_GIVE | GOHEAP_SWAP_GIVE_HELD)
#define TAKES	(GOHEAP_SWAP_FREE | GOHEAP_SWAP_HOLD)
#define FLAGS	(GOHEAP_SWAP_ROOT | GIVES | TAKES)

/**
 * struct swap - an exchange that has been checked
 * @word: where
 * @taken: span of the object that is taken, or NULL
 * @idx: its index there
 */
struct swap {
	u64 *word;
	struct gh_uspan *taken;
	unsigned int idx;
};

static int swap_word(struct gh_usession *ss, const struct goheap_swap *swap,
		     struct swap *to)
{
	u64 at = swap->at;

	if (!(swap->flags & GOHEAP_SWAP_ROOT))
		return at % sizeof(u64) ? -EINVAL :
					  gh_uobj_word(ss, at, &to->word);
	if (at >= GOHEAP_NR_ROOTS)
		return -EINVAL;
	to->word = &ss->heap->roots[array_index_nospec(at, GOHEAP_NR_ROOTS)];
	return 0;
}

/* Find out whether everything can be done, but for what the session's lock protects. */
static int swap_check(struct gh_usession *ss, const struct goheap_swap *swap,
		      struct swap *to)
	__must_hold(&ss->heap->lock)
{
	struct gh_uspan *given;
	unsigned int i;
	int err;

	if (swap->flags & ~FLAGS || swap->reserved ||
	    (swap->flags & GIVES) == GIVES || (swap->flags & TAKES) == TAKES)
		return -EINVAL;
	/* One cannot give what one takes by the same exchange. */
	if (swap->flags & GIVES && swap->flags & TAKES &&
	    swap->give == swap->take)
		return -EINVAL;
	err = swap_word(ss, swap, to);
	if (!err && swap->flags & GOHEAP_SWAP_GIVE_HELD)
		err = gh_uobj_find_given(ss->heap, swap->give, &given, &i);
	if (!err && swap->flags & TAKES)
		err = gh_uobj_find_given(ss->heap, swap->take, &to->taken,
					 &to->idx);
	if (!err && swap->flags & GOHEAP_SWAP_FREE && to->taken->npins &&
	    gh_uobj_pinned(to->taken, to->idx))
		err = -EBUSY;
	return err;
}

/* The entries are the process's memory, so both are changed before the word, or back. */
static int swap_held(struct gh_usession *ss, struct goheap_swap *swap, u64 *word)
	__must_hold(&ss->heap->lock)
{
	bool hold = swap->flags & GOHEAP_SWAP_HOLD;
	bool unhold = swap->flags & GOHEAP_SWAP_GIVE_HELD;
	u64 value = swap->value;
	int err = 0;

	if (unhold)
		err = gh_udefer_unhold(ss, swap->from, swap->give);
	if (!err && hold) {
		err = gh_udefer_hold(ss, swap->to, swap->take);
		if (err && unhold)
			gh_udefer_hold(ss, swap->from, swap->give);
	}
	if (err)
		return err;

	if (swap->flags & GOHEAP_SWAP_GIVE)
		err = gh_uobj_give_swap(ss, swap->give, word, swap->expect,
					&value);
	else
		value = cmpxchg64(word, swap->expect, value);

	if (err || value != swap->expect) {
		if (hold)
			gh_udefer_unhold(ss, swap->to, swap->take);
		if (unhold)
			gh_udefer_hold(ss, swap->from, swap->give);
	}
	if (!err)
		swap->value = value;
	return err;
}

static int swap_one(struct gh_usession *ss, struct goheap_swap *swap,
		    struct list_head *empty)
	__must_hold(&ss->heap->lock)
{
	struct swap to = {};
	int err;

	lockdep_assert_held(&ss->heap->lock);

	err = swap_check(ss, swap, &to);
	if (!err)
		err = swap_held(ss, swap, to.word);
	if (!err && swap->flags & GOHEAP_SWAP_FREE &&
	    swap->value == swap->expect)
		gh_uobj_free_given(to.taken, to.idx, empty);
	return err;
}

/**
 * gh_upublish() - exchange words, and give, hold or free what they lead to
 * @ss: the session
 * @swaps: what to do; each is updated
 * @n: how many
 * @bad: set to the index of the one that was refused
 *
 * Context: process context, may sleep.
 * Return: 0; or the error for the one that was refused, as gh_uobj_give() or
 * gh_uobj_free(). Those before it are done. Or -EINTR, with nothing done.
 */
int gh_upublish(struct gh_usession *ss, struct goheap_swap *swaps,
		unsigned int n, unsigned int *bad)
{
	struct gh_uheap *h = ss->heap;
	struct gh_uspan *s;
	LIST_HEAD(empty);
	unsigned int i;
	int err = 0;

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
	if (err && err != -EOWNERDEAD)
		atomic64_inc(&h->bad);
	return err;
}
