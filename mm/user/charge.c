// SPDX-License-Identifier: GPL-2.0-only
/*
 * charge: who pays for the pages of user heaps, and how many there may be.
 *
 * Pages count for the user whose process caused them to be taken, as locked
 * memory within RLIMIT_MEMLOCK, and for the bound on all user heaps. Pages of
 * spans count for the limits of heap and session as well.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/lockdep.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "charge.h"

unsigned long gh_user_max_pages = ULONG_MAX;

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

static bool user_charge(struct user_struct *user, unsigned long npages)
{
	unsigned long max = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long frames = npages * GH_UPAGE_FRAMES;

	if (counter_add(&user->locked_vm, frames, max))
		return true;
	if (!ns_capable_noaudit(&init_user_ns, CAP_IPC_LOCK))
		return false;
	atomic_long_add(frames, &user->locked_vm);
	return true;
}

static void user_uncharge(struct user_struct *user, unsigned long npages)
{
	atomic_long_sub(npages * GH_UPAGE_FRAMES, &user->locked_vm);
}

/**
 * gh_ucharge_add() - charge a user for pages that the calling process needs
 * @user: who pays
 * @npages: heap pages, whatever they are for
 *
 * Context: any.
 * Return: false if that is more than RLIMIT_MEMLOCK of the process, or the
 * bound on all heaps, allows; nothing is counted then.
 */
bool gh_ucharge_add(struct user_struct *user, unsigned long npages)
{
	if (!counter_add(&total_pages, npages, READ_ONCE(gh_user_max_pages)))
		return false;
	if (user_charge(user, npages))
		return true;
	atomic_long_sub(npages, &total_pages);
	return false;
}

/**
 * gh_ucharge_sub() - undo gh_ucharge_add(), when pages are freed
 * @user: who paid
 * @npages: heap pages
 *
 * Context: any.
 */
void gh_ucharge_sub(struct user_struct *user, unsigned long npages)
{
	user_uncharge(user, npages);
	atomic_long_sub(npages, &total_pages);
}

/**
 * gh_ucharge_add_span() - charge heap, session and user for pages of a span
 * @owner: the session that will own the span
 * @user: who pays
 * @npages: heap pages
 *
 * Context: the heap's lock is held: it protects the counts of heap and session.
 * Return: 0; or -EDQUOT or -ENOMEM, with nothing counted.
 */
int gh_ucharge_add_span(struct gh_usession *owner, struct user_struct *user,
			unsigned long npages)
{
	struct gh_uheap *h = owner->heap;

	lockdep_assert_held(&h->lock);

	if (npages > h->limit || h->npages > h->limit - npages ||
	    npages > owner->limit || owner->npages > owner->limit - npages)
		return -EDQUOT;
	if (!gh_ucharge_add(user, npages))
		return -ENOMEM;

	h->npages += npages;
	h->peak = max(h->peak, h->npages);
	owner->npages += npages;
	return 0;
}

/**
 * gh_ucharge_sub_span() - pages of a span were freed
 * @h: the heap
 * @user: who paid
 * @npages: heap pages; the owner's count went down when the span was withdrawn
 *
 * Context: the heap's lock is held.
 */
void gh_ucharge_sub_span(struct gh_uheap *h, struct user_struct *user,
			 unsigned long npages)
{
	lockdep_assert_held(&h->lock);

	h->npages -= npages;
	gh_ucharge_sub(user, npages);
}

/**
 * gh_ucharge_set_payer() - make the caller's user pay for a span
 * @s: the span
 *
 * Context: the heap's lock is held.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int gh_ucharge_set_payer(struct gh_uspan *s)
{
	struct user_struct *user = current_user();

	lockdep_assert_held(&s->owner->heap->lock);

	if (s->user == user)
		return 0;
	if (!user_charge(user, s->npages))
		return -ENOMEM;
	user_uncharge(s->user, s->npages);
	free_uid(s->user);
	s->user = get_uid(user);
	return 0;
}

/**
 * gh_ucharge_move_span() - charge another session for a span
 * @s: the span, of the heap's own session
 * @to: the session, of the calling process
 *
 * Context: the heap's lock is held.
 * Return: 0, or -EDQUOT or -ENOMEM with nothing changed.
 */
int gh_ucharge_move_span(struct gh_uspan *s, struct gh_usession *to)
{
	int err;

	lockdep_assert_held(&to->heap->lock);

	if (to->npages + s->npages > to->limit)
		return -EDQUOT;
	err = gh_ucharge_set_payer(s);
	if (err)
		return err;
	s->owner->npages -= s->npages;
	to->npages += s->npages;
	return 0;
}
