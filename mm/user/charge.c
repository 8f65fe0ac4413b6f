// SPDX-License-Identifier: GPL-2.0-only
/*
 * charge: who pays for the pages of user heaps, and how many there may be.
 *
 * Pages count for the user whose process caused them to be taken, as locked
 * memory within RLIMIT_MEMLOCK, and for the bound on all user heaps. Pages of
 * spans count for the limits of heap and session as well.
 *
 * A user of a user namespace counts for who made the namespace as well, and so on
 * outwards, as with the kernel's other limits of this kind (inc_rlimit_ucounts(),
 * which modules cannot call). Otherwise 65536 users of a namespace, which anybody
 * may have, were 65536 limits.
 */
#include <linux/bug.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/user_namespace.h>

#include <linux/goheap.h>

#include "charge.h"

unsigned long gh_user_max_pages;

/* Heap pages of all user heaps. */
static atomic_long_t total_pages;

/*
 * Never exceed the bound, not even for a moment: a charge that is refused must
 * not make one fail that another CPU makes at the same time.
 */
static bool counter_add(atomic_long_t *counter, unsigned long n,
			unsigned long max)
{
	long old = atomic_long_read(counter);

	do {
		if (n > max || old > max - n)
			return false;
	} while (!atomic_long_try_cmpxchg(counter, &old, old + n));
	return true;
}

static atomic_long_t *locked(struct ucounts *u)
{
	return &u->rlimit[UCOUNT_RLIMIT_MEMLOCK];
}

/* From the user itself outwards, up to @end, or all if that is NULL. */
static void payer_uncharge(const struct cred *payer, struct ucounts *end,
			   unsigned long npages)
{
	struct ucounts *u;

	for (u = payer->ucounts; u != end; u = u->ns->ucounts)
		atomic_long_sub(npages * GH_UPAGE_FRAMES, locked(u));
}

static bool payer_charge(const struct cred *payer, unsigned long npages)
{
	unsigned long max = rlimit(RLIMIT_MEMLOCK);
	long frames = npages * GH_UPAGE_FRAMES;
	struct ucounts *u;

	for (u = payer->ucounts; u; u = u->ns->ucounts) {
		if (!counter_add(locked(u), frames, max >> PAGE_SHIFT))
			break;
		/* What who made it had as a limit then, in bytes. */
		max = get_userns_rlimit_max(u->ns, UCOUNT_RLIMIT_MEMLOCK);
	}
	if (u && !ns_capable_noaudit(&init_user_ns, CAP_IPC_LOCK)) {
		payer_uncharge(payer, u, npages);
		return false;
	}
	for (; u; u = u->ns->ucounts)
		atomic_long_add(frames, locked(u));
	return true;
}

/**
 * gh_ucharge_init() - bound all user heaps to half of the memory, by default
 *
 * Context: before there are any.
 */
void gh_ucharge_init(void)
{
	if (!gh_user_max_pages)
		gh_user_max_pages = totalram_pages() / 2 / GH_UPAGE_FRAMES;
}

/**
 * gh_ucharge_add() - charge a user for pages that the calling process needs
 * @payer: who pays
 * @npages: heap pages, whatever they are for
 *
 * Context: any.
 * Return: false if that is more than RLIMIT_MEMLOCK of the process, or the
 * bound on all heaps, allows; nothing is counted then.
 */
bool gh_ucharge_add(const struct cred *payer, unsigned long npages)
{
	if (!counter_add(&total_pages, npages, READ_ONCE(gh_user_max_pages)))
		return false;
	if (payer_charge(payer, npages))
		return true;
	atomic_long_sub(npages, &total_pages);
	return false;
}

/**
 * gh_ucharge_sub() - undo gh_ucharge_add(), when pages are freed
 * @payer: who paid
 * @npages: heap pages
 *
 * Context: any.
 */
void gh_ucharge_sub(const struct cred *payer, unsigned long npages)
{
	payer_uncharge(payer, NULL, npages);
	atomic_long_sub(npages, &total_pages);
}

/**
 * gh_ucharge_total() - what all user heaps hold
 * @max: set to the bound on that, at most what memory there is
 *
 * Context: any.
 * Return: heap pages.
 */
unsigned long gh_ucharge_total(unsigned long *max)
{
	*max = min(READ_ONCE(gh_user_max_pages),
		   totalram_pages() / GH_UPAGE_FRAMES);
	return atomic_long_read(&total_pages);
}

/**
 * gh_ucharge_new_record() - allocate the record of a session or a view
 * @size: bytes
 *
 * The caller keeps the credentials of the calling process, which pays for it.
 *
 * Context: process context, may sleep.
 * Return: the record, zeroed, or NULL.
 */
void *gh_ucharge_new_record(size_t size)
{
	void *rec = NULL;

	if (!gh_ucharge_add(current_cred(), GH_URECORD_COST))
		return NULL;
	if (!gh_fault(GH_FAULT_USER))
		rec = goheap_zalloc(size, GH_UOBJ_GFP);
	if (!rec)
		gh_ucharge_sub(current_cred(), GH_URECORD_COST);
	return rec;
}

/**
 * gh_ucharge_free_record() - free such a record
 * @rec: the record
 * @payer: who paid; the reference is dropped
 *
 * Context: process context.
 */
void gh_ucharge_free_record(void *rec, const struct cred *payer)
{
	gh_ucharge_sub(payer, GH_URECORD_COST);
	put_cred(payer);
	goheap_free(rec);
}

/**
 * gh_ucharge_owner() - count pages of spans for a session
 * @ss: the session
 * @npages: heap pages; less than 0 if it does not own them any more
 *
 * Context: the heap's lock is held.
 */
void gh_ucharge_owner(struct gh_usession *ss, long npages)
{
	lockdep_assert_held(&ss->heap->lock);

	ss->npages += npages;
}

/**
 * gh_ucharge_view() - count pages for a view, or no longer
 * @view: the view; if nobody needs it any more, it is freed
 * @npages: heap pages; less than 0 if they are freed, or adopted by others
 *
 * Context: the heap's lock is held.
 */
void gh_ucharge_view(struct gh_uview *view, long npages)
{
	lockdep_assert_held(&view->heap->lock);

	WARN_ON_ONCE(npages < 0 && view->npages < -npages);
	view->npages += npages;
	if (!view->files && !view->npages && !gh_uview_is_full(view))
		gh_ucharge_free_record(view, view->payer);
}

static bool has_room(unsigned long used, unsigned long limit,
		     unsigned long npages)
{
	return npages <= limit && used <= limit - npages;
}

/**
 * gh_ucharge_bound() - which limit refuses pages to a session
 * @owner: the session
 * @type: type of the objects in them, or NULL
 * @npages: heap pages
 *
 * Context: the heap's lock is held.
 * Return: the narrowest that does.
 */
enum gh_ubound gh_ucharge_bound(struct gh_usession *owner,
				const struct gh_utype *type,
				unsigned long npages)
{
	struct gh_uheap *h = owner->heap;

	lockdep_assert_held(&h->lock);

	if (!has_room(owner->npages, owner->limit, npages))
		return GH_UBOUND_SESSION;
	if (!has_room(owner->view->npages, owner->view->limit, npages))
		return GH_UBOUND_VIEW;
	if (type && !has_room(type->npages, type->limit, npages))
		return GH_UBOUND_TYPE;
	if (!has_room(h->npages, h->limit, npages))
		return GH_UBOUND_HEAP;
	return GH_UBOUND_NONE;
}

/**
 * gh_ucharge_add_span() - charge heap, view, session and user for pages of a span
 * @owner: the session that will own the span
 * @type: type of its objects, or NULL
 * @payer: who pays
 * @npages: heap pages
 *
 * Context: the heap's lock is held: it protects the counts of heap and session.
 * Return: 0; or -EDQUOT or -ENOMEM, with nothing counted.
 */
int gh_ucharge_add_span(struct gh_usession *owner, struct gh_utype *type,
			const struct cred *payer, unsigned long npages)
{
	struct gh_uheap *h = owner->heap;

	lockdep_assert_held(&h->lock);

	if (gh_ucharge_bound(owner, type, npages) != GH_UBOUND_NONE)
		return -EDQUOT;
	if (!gh_ucharge_add(payer, npages))
		return -ENOMEM;

	h->npages += npages;
	h->peak = max(h->peak, h->npages);
	if (type)
		type->npages += npages;
	gh_ucharge_owner(owner, npages);
	gh_ucharge_view(owner->view, npages);
	return 0;
}

/**
 * gh_ucharge_sub_span() - pages of a span were freed
 * @h: the heap
 * @type: type of its objects, or NULL
 * @payer: who paid
 * @npages: heap pages; the counts of owner and view went down when the span was
 *   withdrawn
 *
 * Context: the heap's lock is held.
 */
void gh_ucharge_sub_span(struct gh_uheap *h, struct gh_utype *type,
			 const struct cred *payer, unsigned long npages)
{
	lockdep_assert_held(&h->lock);

	h->npages -= npages;
	if (type)
		type->npages -= npages;
	gh_ucharge_sub(payer, npages);
}

/**
 * gh_ucharge_is_payer() - does the calling process's user pay for a span?
 * @s: the span
 *
 * Context: the heap's lock is held.
 * Return: whether it does.
 */
bool gh_ucharge_is_payer(const struct gh_uspan *s)
{
	return s->payer->ucounts == current_ucounts();
}

/**
 * gh_ucharge_set_payer() - have another user pay for a span
 * @s: the span
 * @payer: who is to pay; this takes over a reference, and leaves one of who paid
 *
 * Context: the heap's lock is held.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int gh_ucharge_set_payer(struct gh_uspan *s, const struct cred **payer)
{
	lockdep_assert_held(&s->owner->heap->lock);

	if (!payer_charge(*payer, s->npages))
		return -ENOMEM;
	payer_uncharge(s->payer, NULL, s->npages);
	swap(s->payer, *payer);
	return 0;
}

/**
 * gh_ucharge_move_span() - charge another session, and its view, for a span
 * @s: the span, of the heap's own session
 * @to: the session
 *
 * Context: the heap's lock is held.
 * Return: 0, or -EDQUOT with nothing changed.
 */
int gh_ucharge_move_span(struct gh_uspan *s, struct gh_usession *to)
{
	lockdep_assert_held(&to->heap->lock);

	if (!has_room(to->npages, to->limit, s->npages))
		return -EDQUOT;
	if (s->view != to->view &&
	    !has_room(to->view->npages, to->view->limit, s->npages))
		return -EDQUOT;

	gh_ucharge_owner(s->owner, -s->npages);
	gh_ucharge_owner(to, s->npages);
	gh_ucharge_view(to->view, s->npages);
	gh_ucharge_view(s->view, -s->npages);
	s->view = to->view;
	return 0;
}
