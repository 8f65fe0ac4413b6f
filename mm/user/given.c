// SPDX-License-Identifier: GPL-2.0-only
/*
 * given: objects that were given: freed by lists, taken by a session, given again.
 *
 * All of this is done under the heap's lock, which keeps given and held objects as they
 * are; see defer.c and publish.c for what processes ask for.
 */
#include <linux/lockdep.h>
#include <linux/math64.h>
#include <linux/mm.h>

#include "given.h"
#include "mark.h"
#include "object.h"
#include "pages.h"
#include "span.h"

/* ---- freed by lists ----------------------------------------------------- */

/* Free an object, or have its last pin do so. */
static void entered_free(struct gh_uspan *s, unsigned int i, bool ends,
			 struct list_head *empty)
	__must_hold(&s->owner->lock)
{
	lockdep_assert_held(&s->owner->heap->lock);
	lockdep_assert_held(&s->owner->lock);

	if (s->state[i] == GH_UOBJ_GIVEN || s->state[i] == GH_UOBJ_HELD)
		gh_uobj_note_given(s, -1);
	gh_umark_clear(s, i);
	if (s->npins && gh_uobj_pinned(s, i)) {
		s->state[i] = GH_UOBJ_DOOMED;
	} else {
		gh_uobj_set_free(s, i);
		s->owner->count.reclaimed += ends;
	}
	gh_uobj_shed(s, empty);
}

/**
 * gh_ugiven_free_deferred() - free an object that a session had entered in its list
 * @ss: the session
 * @offset: what the entry says
 * @index: of the entry
 * @ends: the session is ending
 * @empty: gets the span if no other object is left in it; it must be withdrawn
 *
 * The object must carry the mark of the entry. If it does not, another process has
 * freed or taken it since: then there is nothing to do. It must be given, or the
 * session's own. A pinned object is freed with its last pin.
 *
 * Context: the heap's lock is held.
 * Return: 0; or, with nothing changed but the mark, -EINVAL if no object starts there,
 * -ENOENT if it is free, -EPERM if it is another session's, or -EBUSY if it is being
 * resized or freed.
 */
int gh_ugiven_free_deferred(struct gh_usession *ss, u64 offset,
			    unsigned int index, bool ends,
			    struct list_head *empty)
{
	const u64 mark = GOHEAP_DEFERRED_MARK(ss->id, index);
	struct gh_uspan *s;
	unsigned int i;
	u8 state;
	int err;

	lockdep_assert_held(&ss->heap->lock);

	err = gh_uobj_find(ss->heap, offset, &s, &i, NULL);
	if (err)
		return err;
	if (READ_ONCE(*gh_umark_of(s, i)) != mark) {
		atomic64_inc(&ss->heap->late);
		return 0;
	}

	spin_lock(&s->owner->lock);
	state = s->state[i];
	if (state == GH_UOBJ_GIVEN ||
	    (state == GH_UOBJ_PRIVATE && s->owner == ss)) {
		entered_free(s, i, ends, empty);
	} else {
		err = gh_uobj_refusal(state);
		gh_umark_clear(s, i);
	}
	spin_unlock(&s->owner->lock);
	return err;
}

/**
 * gh_ugiven_free_held() - free an object that a session has taken
 * @ss: the session
 * @offset: what its entry says
 * @ends: the session is ending
 * @empty: gets the span if no other object is left in it; it must be withdrawn
 *
 * Context: the heap's lock is held.
 */
void gh_ugiven_free_held(struct gh_usession *ss, u64 offset, bool ends,
			 struct list_head *empty)
{
	struct gh_uspan *s;
	unsigned int i;

	lockdep_assert_held(&ss->heap->lock);

	if (gh_uobj_find(ss->heap, offset, &s, &i, NULL))
		return;
	spin_lock(&s->owner->lock);
	if (s->state[i] == GH_UOBJ_HELD)
		entered_free(s, i, ends, empty);
	spin_unlock(&s->owner->lock);
}

/* ---- taken, and given again --------------------------------------------- */

/**
 * gh_ugiven_find() - find an object that is in a certain state
 * @h: the heap
 * @offset: its start
 * @state: %GH_UOBJ_GIVEN or %GH_UOBJ_HELD
 * @sp: set to its span
 * @idx: set to its index
 *
 * Context: the heap's lock is held, and keeps the object what it is.
 * Return: 0; or -EINVAL if no object starts there, -ENOENT if it is free, -EPERM
 * if it is in another state, -EBUSY if it is about to be freed.
 */
int gh_ugiven_find(struct gh_uheap *h, u64 offset, u8 state,
		   struct gh_uspan **sp, unsigned int *idx)
{
	int err = gh_uobj_find(h, offset, sp, idx, NULL);
	u8 is;

	if (err)
		return err;
	spin_lock(&(*sp)->owner->lock);
	is = (*sp)->state[*idx];
	spin_unlock(&(*sp)->owner->lock);
	return is == state ? 0 : gh_uobj_refusal(is);
}

/**
 * gh_ugiven_set_held() - let a session hold an object, or give it again
 * @ss: the session
 * @s: its span
 * @i: its index
 * @held: whether it is to be held
 *
 * A session that had entered the object in its list does not free it any more.
 *
 * Context: the heap's lock is held; gh_ugiven_find() has found the object.
 */
void gh_ugiven_set_held(struct gh_usession *ss, struct gh_uspan *s,
			unsigned int i, bool held)
{
	lockdep_assert_held(&s->owner->heap->lock);

	spin_lock(&s->owner->lock);
	gh_umark_clear(s, i);
	s->state[i] = held ? GH_UOBJ_HELD : GH_UOBJ_GIVEN;
	if (s->giver)
		s->giver[i] = ss->id;
	spin_unlock(&s->owner->lock);
}

/**
 * gh_ugiven_word() - find a word in an object that the session may change
 * @ss: the session
 * @at: offset of the word, aligned
 * @wordp: set to its address in the kernel
 *
 * Context: the heap's lock is held, and keeps the memory.
 * Return: 0; or -EINVAL if it is in no object, -ENOENT if that is free, -EPERM if it
 * is another session's, -EBUSY if it is about to be freed.
 */
int gh_ugiven_word(struct gh_usession *ss, u64 at, u64 **wordp)
{
	struct gh_uspan *s = gh_uspan_of(ss->heap, at);
	u64 i;
	u8 state;

	lockdep_assert_held(&ss->heap->lock);

	if (!s)
		return -EINVAL;
	/* The word may be inside the object: no exact division. */
	i = div64_u64(at - s->base, s->elemsize);
	if (i >= s->nelems)
		return -EINVAL;
	spin_lock(&s->owner->lock);
	state = s->state[i];
	spin_unlock(&s->owner->lock);
	if (state != GH_UOBJ_GIVEN && state != GH_UOBJ_HELD && !s->mmap &&
	    (state != GH_UOBJ_PRIVATE || s->owner != ss))
		return gh_uobj_refusal(state);

	*wordp = page_address(gh_upages_frame(ss->heap, at >> PAGE_SHIFT)) +
		 offset_in_page(at);
	return 0;
}

/**
 * gh_ugiven_give_if() - give an object if a word is what it should be
 * @ss: the session, which owns the object
 * @offset: its start
 * @word: the word
 * @expect: what it should be
 * @value: in: what it should become; out: what it was
 *
 * Context: the heap's lock is held.
 * Return: 0 if the object could be given, whether the word was exchanged or not; or,
 * with nothing changed, as gh_uobj_give().
 */
int gh_ugiven_give_if(struct gh_usession *ss, u64 offset, u64 *word, u64 expect,
		      u64 *value)
{
	int err;

	lockdep_assert_held(&ss->heap->lock);

	spin_lock(&ss->lock);
	err = ss->dead ? -EOWNERDEAD : gh_uobj_give_one(ss, offset);
	if (!err) {
		*value = cmpxchg64(word, expect, *value);
		if (*value != expect)
			gh_uobj_ungive_one(ss, offset);
	}
	spin_unlock(&ss->lock);
	return err;
}

/**
 * gh_ugiven_free() - free an object that was given
 * @s: its span
 * @i: its index
 * @empty: gets the span if no other object is left in it; it must be withdrawn
 *
 * A pinned object is freed with its last pin.
 *
 * Context: the heap's lock is held; gh_ugiven_find() has found the object.
 */
void gh_ugiven_free(struct gh_uspan *s, unsigned int i,
		    struct list_head *empty)
{
	struct gh_usession *owner = s->owner;

	lockdep_assert_held(&owner->heap->lock);

	spin_lock(&owner->lock);
	entered_free(s, i, false, empty);
	spin_unlock(&owner->lock);
}

/**
 * gh_ugiven_free_retired() - free a span's objects whose grace period is over
 * @s: the span
 * @state: %GH_UOBJ_RETIRED or %GH_UOBJ_RETIRED_ODD
 * @empty: gets the span if no other object is left in it; it must be withdrawn
 *
 * Context: the heap's lock is held.
 */
void gh_ugiven_free_retired(struct gh_uspan *s, u8 state, struct list_head *empty)
{
	struct gh_usession *owner = s->owner;
	unsigned int i;

	lockdep_assert_held(&owner->heap->lock);

	spin_lock(&owner->lock);
	for (i = 0; i < s->nelems; i++) {
		if (s->state[i] != state)
			continue;
		gh_uobj_poison(s, i);
		entered_free(s, i, false, empty);
	}
	spin_unlock(&owner->lock);
}
