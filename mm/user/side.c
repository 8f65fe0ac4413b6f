// SPDX-License-Identifier: GPL-2.0-only
/*
 * side: memory that a session shares with the kernel.
 *
 * It has the list of deferred frees (see defer.c), and behind it the readers (see epoch.c).
 * Only the process that attached maps it, and pays for what it uses of it. It stays until
 * the session's file is gone, and so all mappings of it.
 */
#include <linux/mm.h>
#include <linux/nospec.h>

#include "charge.h"
#include "pages.h"
#include "side.h"

/* Put memory behind a heap page, unless that has happened. */
static int commit_page(struct gh_usession *ss, unsigned int page)
{
	struct page **slot = &ss->side[page * GH_UPAGE_FRAMES];
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
			/* Pairs with the acquire in gh_uside_frame(). */
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
 * gh_uside_commit() - put memory behind a part of what is shared
 * @ss: the session
 * @offset: where the part begins, bytes
 * @len: bytes, 1 or more, all within GH_USIDE_BYTES
 *
 * Context: process context, may sleep.
 * Return: 0; or -ENOMEM, -EINTR or -EOWNERDEAD, perhaps with some of it done.
 */
int gh_uside_commit(struct gh_usession *ss, size_t offset, size_t len)
{
	unsigned int page, last = (offset + len - 1) / GH_PAGE_SIZE;
	int err = 0;

	for (page = offset / GH_PAGE_SIZE; !err && page <= last; page++)
		err = commit_page(ss, page);
	return err;
}

/**
 * gh_uside_frame() - the memory of a page
 * @ss: the session
 * @nr: which, in kernel pages
 *
 * Context: any.
 * Return: the page, or NULL.
 */
struct page *gh_uside_frame(struct gh_usession *ss, unsigned long nr)
{
	if (nr >= GH_USIDE_FRAMES)
		return NULL;
	nr = array_index_nospec(nr, GH_USIDE_FRAMES);
	/* Pairs with the release in commit_page(). */
	return smp_load_acquire(&ss->side[nr]);
}

/**
 * gh_uside_release() - free the memory
 * @ss: the session, whose file is gone, and so all mappings of it
 *
 * Context: process context, may sleep.
 */
void gh_uside_release(struct gh_usession *ss)
{
	unsigned int i;

	for (i = 0; i < GH_USIDE_FRAMES; i++) {
		if (!ss->side[i])
			continue;
		__free_page(ss->side[i]);
		if (!(i % GH_UPAGE_FRAMES))
			gh_ucharge_sub(ss->payer, 1);
	}
}
