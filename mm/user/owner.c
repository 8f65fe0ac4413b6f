// SPDX-License-Identifier: GPL-2.0-only
/*
 * owner: which spans a session owns, and how spans change their owner.
 *
 * A session has a list of all its spans, and for each size class a list of
 * those in which an object is free, its partial spans. Those in which all are free
 * are idle. A span whose session has ended goes to the heap's own session while
 * something in it is given, and from there to a session that needs a span of the
 * class: it is adopted.
 */
#include <linux/lockdep.h>
#include <linux/mm.h>

#include "../peek.h"
#include "charge.h"
#include "owner.h"
#include "pages.h"
#include "span.h"
#include "type.h"

/* Heap pages in idle spans that a session keeps: a quarter of all, within bounds. */
#define KEEP_LEAST	64UL
#define KEEP_MOST	1024UL

/* Spans of ended sessions that are looked at before one is made, and that are tried. */
#define ADOPT_LOOKS	256
#define ADOPT_TRIES	8

/* ---- a session's lists -------------------------------------------------- */

static void owner_set_idle(struct gh_uspan *s, bool idle)
{
	if (s->idle == idle)
		return;
	s->idle = idle;
	s->owner->nidle += idle ? s->npages : -s->npages;
}

/**
 * gh_uowner_sort() - put a span where it belongs by its number of free objects
 * @s: the span
 *
 * Idle spans come last in their list, so that they stay idle and can be freed.
 *
 * Context: the owner's lock is held.
 */
void gh_uowner_sort(struct gh_uspan *s)
{
	bool idle = s->nfree == s->nelems;
	struct list_head *list;

	lockdep_assert_held(&s->owner->lock);

	if (!s->class)
		return;
	list = gh_utype_partial(s->owner, s->type, s->class);
	if (!s->nfree) {
		gh_uowner_del_partial(s);
		return;
	}

	if (idle)
		list_move_tail(&s->plist, list);
	else if (!s->partial || s->idle)
		list_move(&s->plist, list);
	s->partial = true;
	owner_set_idle(s, idle);
}

/**
 * gh_uowner_del_partial() - let no object be allocated in a span any more
 * @s: the span, which is full or about to be freed or moved
 *
 * Context: the owner's lock is held.
 */
void gh_uowner_del_partial(struct gh_uspan *s)
{
	lockdep_assert_held(&s->owner->lock);

	if (s->partial) {
		list_del_init(&s->plist);
		s->partial = false;
		owner_set_idle(s, false);
	}
}

/**
 * gh_uowner_add() - put a span into its owner's lists
 * @ss: the owner
 * @s: the span, which is in no list
 *
 * Context: the owner's lock is held.
 */
void gh_uowner_add(struct gh_usession *ss, struct gh_uspan *s)
{
	lockdep_assert_held(&ss->lock);

	WRITE_ONCE(s->owner, ss);
	list_add_tail(&s->list, &ss->spans);
	gh_uowner_sort(s);
}

/**
 * gh_uowner_del() - take a span out of its owner's lists
 * @s: the span
 *
 * Context: the owner's lock is held.
 */
void gh_uowner_del(struct gh_uspan *s)
{
	lockdep_assert_held(&s->owner->lock);

	gh_uowner_del_partial(s);
	list_del_init(&s->list);
}

/**
 * gh_uowner_can_spare() - should a span without allocated objects be freed?
 * @s: the span
 *
 * To unmap a span interrupts all processors that run a process with the window. So a
 * session keeps some idle spans, and most bursts of frees free none.
 *
 * Context: the owner's lock is held.
 * Return: whether it should be freed.
 */
bool gh_uowner_can_spare(const struct gh_uspan *s)
{
	struct gh_usession *owner = s->owner;

	lockdep_assert_held(&owner->lock);

	return !s->class || owner == &owner->heap->own ||
	       owner->nidle > clamp(gh_peek(owner->npages) / 4, KEEP_LEAST,
				    KEEP_MOST);
}

/* ---- changes of the owner ----------------------------------------------- */

/**
 * gh_uowner_move() - move a span, with its objects, to another session
 * @s: the span
 * @to: the session
 *
 * Context: the heap's lock is held, and no spinlock.
 */
void gh_uowner_move(struct gh_uspan *s, struct gh_usession *to)
{
	struct gh_usession *from = s->owner;
	u64 n = s->nelems - s->nfree;

	lockdep_assert_held(&to->heap->lock);

	spin_lock(&from->lock);
	gh_uowner_del(s);
	WRITE_ONCE(s->owner, NULL);
	from->count.objects -= n;
	from->count.bytes -= n * s->elemsize;
	from->count.given -= s->ngiven;
	from->count.pinned -= s->npins;
	spin_unlock(&from->lock);

	/* Now no one but the holder of the heap's lock can change the span. */
	spin_lock(&to->lock);
	to->count.objects += n;
	to->count.bytes += n * s->elemsize;
	to->count.given += s->ngiven;
	to->count.pinned += s->npins;
	gh_uowner_add(to, s);
	gh_uspan_show(s);
	spin_unlock(&to->lock);

	gh_uspan_show_rest(s);
}

/* Has a page references that neither the heap nor mappings explain? */
static bool frame_is_held(struct page *page)
{
	int maps = atomic_read(&page->_mapcount) + 1;

	/*
	 * A fault takes its reference before it counts its mapping. Read in the
	 * other order, so that such a page can only seem held, never free.
	 */
	smp_rmb();
	return page_ref_count(page) > 1 + maps;
}

/*
 * Does a device, or a pipe, still hold pages of a span? A device may still
 * write what the dead owner had begun to read, and no other session may find
 * that in an object of its own.
 */
static bool span_is_held(struct gh_uheap *h, const struct gh_uspan *s)
{
	unsigned long nr = s->base >> PAGE_SHIFT;
	unsigned long n = s->npages * GH_UPAGE_FRAMES;

	while (n--)
		if (frame_is_held(gh_upages_frame(h, nr + n)))
			return true;
	return false;
}

/*
 * A session that adopts a span is billed for all of it, so at least half of it must be
 * free. Nobody pays for what another user's process has left.
 */
static bool may_adopt(const struct gh_uspan *s)
{
	return s->nfree >= s->nelems - s->nfree && gh_ucharge_is_payer(s);
}

/**
 * gh_uowner_adopt() - take over a span that outlived its session
 * @ss: the new owner
 * @type: type of its objects, for which there are bins; or NULL
 * @class: size class
 *
 * Context: process context, may sleep.
 * Return: whether @ss has one more span with a free object.
 */
bool gh_uowner_adopt(struct gh_usession *ss, struct gh_utype *type,
		     unsigned int class)
{
	struct gh_uheap *h = ss->heap;
	struct list_head *list = gh_utype_partial(&h->own, type, class);
	unsigned int tries = ADOPT_TRIES, looks = ADOPT_LOOKS;
	struct gh_uspan *s;
	bool done = false;

	/* Without a lock: at worst, a new span is made for nothing. */
	if (list_empty_careful(list))
		return false;

	if (gh_uheap_lock_killable(h))
		return false;
	list_for_each_entry(s, list, plist) {
		if (READ_ONCE(ss->dead) || !tries || !looks--)
			break;
		if (!may_adopt(s))
			continue;
		tries--;
		if (span_is_held(h, s))
			continue;

		/* One that is in the quota of the session's view already may fit. */
		done = !gh_ucharge_move_span(s, ss);
		if (!done)
			continue;
		gh_uowner_move(s, ss);
		break;
	}
	mutex_unlock(&h->lock);
	return done;
}
