// SPDX-License-Identifier: GPL-2.0-only
/*
 * ucharge: who pays for the pages of user heaps, and how many there may be.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "heap.h"

/* Bound on heap pages of all user heaps, and how many there are. */
unsigned long gh_user_max_pages = ULONG_MAX;
atomic_long_t gh_user_pages;

/* Add only if the sum keeps to the bound: who is refused is in nobody's way. */
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
 * gh_upages_charge() - count pages that a process causes to be taken
 * @user: who pays
 * @npages: heap pages, whatever they are for
 *
 * Context: any.
 * Return: false if that is more than RLIMIT_MEMLOCK of the process, or the bound on
 * all heaps, allows; nothing is counted then.
 */
bool gh_upages_charge(struct user_struct *user, unsigned long npages)
{
	if (!counter_add(&gh_user_pages, npages, READ_ONCE(gh_user_max_pages)))
		return false;
	if (user_charge(user, npages))
		return true;
	atomic_long_sub(npages, &gh_user_pages);
	return false;
}

/**
 * gh_upages_uncharge() - pages went back
 * @user: who paid
 * @npages: heap pages
 *
 * Context: any.
 */
void gh_upages_uncharge(struct user_struct *user, unsigned long npages)
{
	user_uncharge(user, npages);
	atomic_long_sub(npages, &gh_user_pages);
}

/**
 * gh_uheap_charge() - count pages of a span that is to be
 * @owner: whose it will be
 * @user: who pays
 * @npages: heap pages
 *
 * Context: the heap's lock is held, which the counts of heap and session are under.
 * Return: 0; or -EDQUOT or -ENOMEM, with nothing counted.
 */
int gh_uheap_charge(struct gh_usession *owner, struct user_struct *user,
		    unsigned long npages)
{
	struct gh_uheap *h = owner->heap;

	if (npages > h->limit || h->npages > h->limit - npages ||
	    npages > owner->limit || owner->npages > owner->limit - npages)
		return -EDQUOT;
	if (!gh_upages_charge(user, npages))
		return -ENOMEM;
	h->npages += npages;
	h->peak = max(h->peak, h->npages);
	owner->npages += npages;
	return 0;
}

/**
 * gh_uheap_uncharge() - pages of a span went back
 * @h: the heap
 * @user: who paid
 * @npages: heap pages; the owner's count went down when the span was withdrawn
 *
 * Context: the heap's lock is held.
 */
void gh_uheap_uncharge(struct gh_uheap *h, struct user_struct *user,
		       unsigned long npages)
{
	h->npages -= npages;
	gh_upages_uncharge(user, npages);
}

/**
 * gh_uspan_set_payer() - let the caller's user pay for a span
 * @s: the span
 *
 * Context: the heap's lock is held.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int gh_uspan_set_payer(struct gh_uspan *s)
{
	struct user_struct *user = current_user();

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
 * gh_uspan_recharge() - let another session pay for a span
 * @s: the span, of the heap's own session
 * @to: the session
 *
 * Context: the heap's lock is held.
 * Return: 0, or -EDQUOT or -ENOMEM with nothing changed.
 */
int gh_uspan_recharge(struct gh_uspan *s, struct gh_usession *to)
{
	int err;

	if (to->npages + s->npages > to->limit)
		return -EDQUOT;
	err = gh_uspan_set_payer(s);
	if (err)
		return err;
	s->owner->npages -= s->npages;
	to->npages += s->npages;
	return 0;
}
