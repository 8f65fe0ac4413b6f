// SPDX-License-Identifier: GPL-2.0-only
/*
 * uarena: the pages of user heaps: the memory behind them, and what is free.
 *
 * The window grows by arenas of 64 MiB, each with tables of its own. Memory comes
 * zeroed from the system and goes back to it.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

#include "../compat.h"
#include "../fault.h"
#include "charge.h"
#include "heap.h"

/* Heap pages that an arena's tables take. */
#define UARENA_COST							\
	DIV_ROUND_UP(sizeof(struct gh_uarena) +				\
		     GH_UMAP_FRAMES * PAGE_SIZE, GH_PAGE_SIZE)

/* ---- pages -------------------------------------------------------------- */

/**
 * gh_uframes_free() - give kernel pages back to the system
 * @frames: the pages, which nobody maps
 *
 * Context: process context, may sleep.
 */
void gh_uframes_free(struct list_head *frames)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, frames, lru) {
		struct folio *folio = page_folio(page);

		list_del(&page->lru);
		/* A device may be done with it just now, and mark it dirty. */
		folio_lock(folio);
		folio->mapping = NULL;
		folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
}

/**
 * gh_uframes_alloc() - take zeroed kernel pages from the system
 * @frames: empty; gets the pages
 * @n: how many
 *
 * Context: process context, may sleep.
 * Return: 0; or -ENOMEM or -EINTR, and @frames is empty.
 */
int gh_uframes_alloc(struct list_head *frames, unsigned long n)
{
	while (n--) {
		struct page *page = NULL;

		if (!gh_fault(GH_FAULT_PAGE) && !fatal_signal_pending(current))
			page = alloc_page(GH_UMETA_GFP | __GFP_ZERO);
		if (!page) {
			gh_uframes_free(frames);
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		}
		list_add_tail(&page->lru, frames);
		cond_resched();
	}
	return 0;
}

static struct page **frame_slot(struct gh_uheap *h, unsigned long nr)
{
	return &h->arena[nr / GH_UARENA_FRAMES]->frame[nr % GH_UARENA_FRAMES];
}

/**
 * gh_uframes_install() - put memory behind pages that nobody could touch before
 * @h: the heap
 * @frames: the memory; empty afterwards
 * @nr: the first page, in kernel pages of the window
 *
 * Context: process context, may sleep; the pages are the caller's.
 */
void gh_uframes_install(struct gh_uheap *h, struct list_head *frames,
			unsigned long nr)
{
	struct address_space *mapping = h->inode->i_mapping;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, frames, lru) {
		struct folio *folio = page_folio(page);

		list_del_init(&page->lru);
		/* Futexes of several processes are known by these. */
		folio->index = nr;
		folio->mapping = mapping;
		/* Pairs with the acquire in gh_uheap_frame(). */
		smp_store_release(frame_slot(h, nr++), page);
		cond_resched();
	}
}

/**
 * gh_uframes_detach() - take memory away again; the next is gh_uframes_unmap()
 * @h: the heap
 * @frames: gets the memory, behind what it has
 * @nr: the first page, in kernel pages of the window
 * @n: how many
 *
 * Context: process context, may sleep; the pages are the caller's.
 */
void gh_uframes_detach(struct gh_uheap *h, struct list_head *frames,
		       unsigned long nr, unsigned long n)
{
	while (n--) {
		struct page **slot = frame_slot(h, nr++);

		list_add_tail(&(*slot)->lru, frames);
		WRITE_ONCE(*slot, NULL);
		cond_resched();
	}
}

static void frames_unmap(struct gh_uheap *h, unsigned long nr, unsigned long n)
{
	if (n)
		unmap_mapping_range(h->inode->i_mapping,
				    (loff_t)nr << PAGE_SHIFT,
				    (loff_t)n << PAGE_SHIFT, 1);
}

/**
 * gh_uframes_unmap() - take detached memory from everybody who maps it
 * @h: the heap
 * @frames: the memory, as gh_uframes_detach() left it
 *
 * To unmap a page flushes TLBs, and waits for other CPUs, once for each process that
 * has a window. So it is done by runs, and not to pages that only the heap has a
 * reference to, as are most whose process has died. Page tables hold one, and so
 * does whoever has emptied one and not yet flushed TLBs.
 *
 * Context: process context, may sleep.
 */
void gh_uframes_unmap(struct gh_uheap *h, struct list_head *frames)
{
	struct address_space *mapping = h->inode->i_mapping;
	unsigned long nr = 0, n = 0, next = 0;
	struct page *page;

	/* Faults from now on find nothing; let those end that found something. */
	filemap_invalidate_lock(mapping);
	filemap_invalidate_unlock(mapping);
	list_for_each_entry(page, frames, lru) {
		unsigned long at = page_folio(page)->index;

		cond_resched();
		if (at != next) {
			frames_unmap(h, nr, n);
			n = 0;
		}
		next = at + 1;
		if (page_ref_count(page) == 1)
			continue;
		if (!n)
			nr = at;
		n = next - nr;
	}
	frames_unmap(h, nr, n);
}

/**
 * gh_uheap_frame() - the memory of a kernel page
 * @h: the heap
 * @nr: offset of the page in the window, in kernel pages
 *
 * Context: the mapping's invalidate_lock is held, or an object of the page is. Without
 * either the page may be gone: only look whether there is one.
 * Return: the page, or NULL.
 */
struct page *gh_uheap_frame(struct gh_uheap *h, unsigned long nr)
{
	struct gh_uarena *arena;

	if (nr >= GH_UARENAS * GH_UARENA_FRAMES)
		return NULL;
	/* Pairs with the release in uheap_publish_arena(). */
	arena = smp_load_acquire(&h->arena[nr / GH_UARENA_FRAMES]);
	if (!arena)
		return NULL;
	/* Pairs with the release in gh_uframes_install(). */
	return smp_load_acquire(&arena->frame[nr % GH_UARENA_FRAMES]);
}

/**
 * gh_uheap_map_frame() - a page of the page map
 * @h: the heap
 * @nr: which, in kernel pages
 *
 * Context: any.
 * Return: the page, or NULL where the heap has no arena yet.
 */
struct page *gh_uheap_map_frame(struct gh_uheap *h, unsigned long nr)
{
	struct gh_uarena *arena;

	if (nr >= GH_UARENAS * GH_UMAP_FRAMES)
		return NULL;
	/* Pairs with the release in uheap_publish_arena(). */
	arena = smp_load_acquire(&h->arena[nr / GH_UMAP_FRAMES]);
	return arena ? arena->map[nr % GH_UMAP_FRAMES] : NULL;
}

/* ---- arenas ------------------------------------------------------------- */

/**
 * gh_uarena_free() - free an arena's tables
 * @arena: the arena, which nobody can find
 *
 * Context: process context, may sleep.
 */
void gh_uarena_free(struct gh_uarena *arena)
{
	unsigned int i;

	for (i = 0; i < GH_UMAP_FRAMES; i++)
		if (arena->map[i])
			__free_page(arena->map[i]);
	gh_ucharge_sub(arena->user, UARENA_COST);
	free_uid(arena->user);
	vfree(arena);
}

static struct gh_uarena *uarena_new(void)
{
	struct user_struct *user = current_user();
	struct gh_uarena *arena = NULL;
	unsigned int i;

	if (!gh_ucharge_add(user, UARENA_COST))
		return NULL;
	if (!gh_fault(GH_FAULT_META))
		arena = __vmalloc(sizeof(*arena), GH_UMETA_GFP | __GFP_ZERO);
	if (!arena) {
		gh_ucharge_sub(user, UARENA_COST);
		return NULL;
	}
	arena->user = get_uid(user);
	for (i = 0; i < GH_UMAP_FRAMES; i++) {
		arena->map[i] = alloc_page(GH_UMETA_GFP | __GFP_ZERO);
		if (!arena->map[i]) {
			gh_uarena_free(arena);
			return NULL;
		}
	}
	return arena;
}

/* Under the heap's lock. */
static void uheap_publish_arena(struct gh_uheap *h, struct gh_uarena *arena)
{
	unsigned long page = (unsigned long)h->narenas << GH_ARENA_PAGES_SHIFT;

	/* Pairs with the acquire of those who look without the lock. */
	smp_store_release(&h->arena[h->narenas], arena);
	h->narenas++;
	gh_pagealloc_grow(&h->pa, page, GH_ARENA_PAGES, true);
}

/*
 * Add an arena, or see somebody else add one. Under the heap's lock, but not all
 * the time: memory can be long in coming where a cgroup has little.
 */
static int uheap_add_arena(struct gh_uheap *h)
{
	unsigned int nr = h->narenas;
	struct gh_uarena *arena;
	int err;

	if (nr == GH_UARENAS)
		return -ENOMEM;
	if (fatal_signal_pending(current))
		return -EINTR;
	mutex_unlock(&h->lock);
	err = gh_pagealloc_prepare(&h->pa, (unsigned long)nr * GH_ARENA_PAGES,
				   GH_ARENA_PAGES, GH_UMETA_GFP);
	arena = err ? NULL : uarena_new();
	mutex_lock(&h->lock);
	if (nr == h->narenas && arena)
		uheap_publish_arena(h, arena);
	else if (arena)
		gh_uarena_free(arena);
	return nr == h->narenas ? -ENOMEM : 0;
}

/**
 * gh_uheap_take() - find a run of pages; the heap grows if it must
 * @h: the heap
 * @shape: how many, and on what boundary
 * @page: set to the first, in heap pages
 *
 * Context: the heap's lock is held; it is let go of meanwhile.
 * Return: 0, -ENOMEM or -EINTR.
 */
int gh_uheap_take(struct gh_uheap *h, const struct gh_ushape *shape,
		  unsigned long *page)
{
	unsigned long room = (GH_UARENAS - h->narenas) * GH_ARENA_PAGES;
	unsigned long nscav;

	if (shape->npages > room + h->pa.nfree)
		return -ENOMEM;
	while (!gh_pagealloc_alloc_aligned(&h->pa, shape->npages, shape->align,
					   page, &nscav)) {
		int err = uheap_add_arena(h);

		if (err)
			return err;
	}
	return 0;
}

/**
 * gh_uheap_take_at() - take certain pages
 * @h: the heap
 * @page: the first, in heap pages
 * @npages: how many, within the window
 *
 * The heap grows for them only while those that it has are free.
 *
 * Context: the heap's lock is held; it is let go of meanwhile.
 * Return: 0, -ENOSPC if one of them is not free, -ENOMEM or -EINTR.
 */
int gh_uheap_take_at(struct gh_uheap *h, unsigned long page,
		     unsigned long npages)
{
	unsigned long nscav, got = 0;
	int err = 0;

	while (!err && got < npages) {
		unsigned long end = (unsigned long)h->narenas * GH_ARENA_PAGES;
		unsigned long n = min(npages - got, end - page - got);

		if (!n)
			err = uheap_add_arena(h);
		else if (gh_pagealloc_alloc_at(&h->pa, page + got, n, &nscav))
			got += n;
		else
			err = -ENOSPC;
	}
	if (err && got)
		gh_pagealloc_free_scav(&h->pa, page, got, true);
	return err;
}
