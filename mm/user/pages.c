// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages: the pages of user heaps: the memory behind them, and which are free.
 *
 * The window grows by arenas of 64 MiB, each of which has tables of its own.
 * Memory comes zeroed from the system and goes back to it, so that no heap can
 * see what was in another.
 */
#include <linux/cred.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

#include "../compat.h"
#include "../fault.h"
#include "charge.h"
#include "pages.h"

/* Heap pages that an arena's tables take. */
#define UARENA_COST							\
	DIV_ROUND_UP(sizeof(struct gh_uarena) +				\
		     GH_UMAP_FRAMES * PAGE_SIZE, GH_PAGE_SIZE)

/* ---- memory ------------------------------------------------------------- */

/**
 * gh_upages_free_frames() - free kernel pages to the system
 * @frames: the pages, which no process maps; empty afterwards
 *
 * Context: process context, may sleep.
 */
void gh_upages_free_frames(struct list_head *frames)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, frames, lru) {
		struct folio *folio = page_folio(page);

		list_del(&page->lru);

		/*
		 * A device that still has a reference may mark the page dirty
		 * at this moment, and then looks at the mapping under the
		 * folio's lock.
		 */
		folio_lock(folio);
		folio->mapping = NULL;
		folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
}

/**
 * gh_upages_alloc_frames() - take zeroed kernel pages from the system
 * @frames: empty; gets the pages
 * @n: how many
 * @gfp: GH_UMETA_GFP, or the same without effort
 *
 * Context: process context, may sleep.
 * Return: 0; or -ENOMEM or -EINTR, and @frames is empty.
 */
int gh_upages_alloc_frames(struct list_head *frames, unsigned long n, gfp_t gfp)
{
	while (n--) {
		struct page *page = NULL;

		if (!gh_fault(GH_FAULT_PAGE) && !fatal_signal_pending(current))
			page = alloc_page(gfp | __GFP_ZERO);
		if (!page) {
			gh_upages_free_frames(frames);
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
 * gh_upages_install() - put memory behind pages, which have none
 * @h: the heap
 * @frames: the memory; empty afterwards
 * @nr: the first page, in kernel pages of the window
 *
 * Context: process context, may sleep; the pages are the caller's.
 */
void gh_upages_install(struct gh_uheap *h, struct list_head *frames,
		       unsigned long nr)
{
	struct address_space *mapping = h->inode->i_mapping;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, frames, lru) {
		struct folio *folio = page_folio(page);

		list_del_init(&page->lru);

		/* A futex that processes share is identified by these two. */
		folio->index = nr;
		folio->mapping = mapping;
		/* Pairs with the acquire in gh_upages_frame(). */
		smp_store_release(frame_slot(h, nr++), page);
		cond_resched();
	}
}

/**
 * gh_upages_detach() - take memory away; gh_upages_unmap() must follow
 * @h: the heap
 * @frames: the memory is added at its end
 * @nr: the first page, in kernel pages of the window
 * @n: how many
 *
 * Context: process context, may sleep; the pages are the caller's.
 */
void gh_upages_detach(struct gh_uheap *h, struct list_head *frames,
		      unsigned long nr, unsigned long n)
{
	while (n--) {
		struct page **slot = frame_slot(h, nr++);

		list_add_tail(&(*slot)->lru, frames);
		WRITE_ONCE(*slot, NULL);
		cond_resched();
	}
}

static void unmap_run(struct gh_uheap *h, unsigned long nr, unsigned long n)
{
	if (n)
		unmap_mapping_range(h->inode->i_mapping,
				    (loff_t)nr << PAGE_SHIFT,
				    (loff_t)n << PAGE_SHIFT, 1);
}

/**
 * gh_upages_unmap() - remove detached memory from all page tables
 * @h: the heap
 * @frames: the memory, as gh_upages_detach() left it
 *
 * Unmapping flushes TLBs and waits for other CPUs, once for each process that
 * maps the window. So pages are unmapped in runs, and those to which only the
 * heap has a reference are left out, as are most pages of a process that has
 * died. The number of mappings would not do for that test: it goes down when a
 * page table entry is cleared, the reference is dropped only after the TLBs
 * have been flushed.
 *
 * Context: process context, may sleep.
 */
void gh_upages_unmap(struct gh_uheap *h, struct list_head *frames)
{
	struct address_space *mapping = h->inode->i_mapping;
	unsigned long nr = 0, n = 0, next = 0;
	struct page *page;

	/*
	 * New faults do not find the pages. Wait for those that have found one
	 * already and are about to map it: they hold the lock shared.
	 */
	filemap_invalidate_lock(mapping);
	filemap_invalidate_unlock(mapping);

	list_for_each_entry(page, frames, lru) {
		unsigned long at = page_folio(page)->index;

		cond_resched();

		/* A gap ends the run: its pages belong to other spans. */
		if (at != next) {
			unmap_run(h, nr, n);
			n = 0;
		}
		next = at + 1;
		if (page_ref_count(page) == 1)
			continue;

		/* Pages in a run that no process maps cost nothing. */
		if (!n)
			nr = at;
		n = next - nr;
	}
	unmap_run(h, nr, n);
}

/**
 * gh_upages_frame() - the memory of a kernel page
 * @h: the heap
 * @nr: offset of the page in the window, in kernel pages
 *
 * Context: the mapping's invalidate_lock is held, or an object of the page is.
 * Without either, the page may be freed at any time: only compare the result
 * with NULL.
 * Return: the page, or NULL.
 */
struct page *gh_upages_frame(struct gh_uheap *h, unsigned long nr)
{
	struct gh_uarena *arena;

	if (nr >= GH_UARENAS * GH_UARENA_FRAMES)
		return NULL;
	/* Pairs with the release in publish_arena(). */
	arena = smp_load_acquire(&h->arena[nr / GH_UARENA_FRAMES]);
	if (!arena)
		return NULL;
	/* Pairs with the release in gh_upages_install(). */
	return smp_load_acquire(&arena->frame[nr % GH_UARENA_FRAMES]);
}

/**
 * gh_upages_map_frame() - a page of the page map
 * @h: the heap
 * @nr: which, in kernel pages
 *
 * Context: any.
 * Return: the page, or NULL where the heap has no arena yet.
 */
struct page *gh_upages_map_frame(struct gh_uheap *h, unsigned long nr)
{
	struct gh_uarena *arena;

	if (nr >= GH_UARENAS * GH_UMAP_FRAMES)
		return NULL;
	/* Pairs with the release in publish_arena(). */
	arena = smp_load_acquire(&h->arena[nr / GH_UMAP_FRAMES]);
	return arena ? arena->map[nr % GH_UMAP_FRAMES] : NULL;
}

/* ---- arenas ------------------------------------------------------------- */

static void arena_free(struct gh_uarena *arena)
{
	unsigned int i;

	for (i = 0; i < GH_UMAP_FRAMES; i++)
		if (arena->map[i])
			__free_page(arena->map[i]);
	gh_ucharge_sub(arena->payer, UARENA_COST);
	put_cred(arena->payer);
	vfree(arena);
}

static struct gh_uarena *arena_new(void)
{
	struct gh_uarena *arena = NULL;
	unsigned int i;

	if (!gh_ucharge_add(current_cred(), UARENA_COST))
		return NULL;
	if (!gh_fault(GH_FAULT_META))
		arena = __vmalloc(sizeof(*arena), GH_UMETA_GFP | __GFP_ZERO);
	if (!arena) {
		gh_ucharge_sub(current_cred(), UARENA_COST);
		return NULL;
	}

	/* From here on, arena_free() can undo everything. */
	arena->payer = get_current_cred();
	for (i = 0; i < GH_UMAP_FRAMES; i++) {
		arena->map[i] = alloc_page(GH_UMETA_GFP | __GFP_ZERO);
		if (!arena->map[i]) {
			arena_free(arena);
			return NULL;
		}
	}
	return arena;
}

static void publish_arena(struct gh_uheap *h, struct gh_uarena *arena)
	__must_hold(&h->lock)
{
	unsigned long page = (unsigned long)h->narenas << GH_ARENA_PAGES_SHIFT;

	lockdep_assert_held(&h->lock);

	/*
	 * Pairs with the acquire in gh_upages_frame(), gh_upages_map_frame()
	 * and gh_uspan_of(), which look without the lock.
	 */
	smp_store_release(&h->arena[h->narenas], arena);
	h->narenas++;
	gh_pagealloc_grow(&h->pa, page, GH_ARENA_PAGES, true);
}

/*
 * Add an arena. The heap's lock is dropped meanwhile, because memory can take
 * long to come where a cgroup has little left. Another caller may then be the
 * first to add the arena: that is a success too, and the caller must look for
 * pages again.
 */
static int add_arena(struct gh_uheap *h)
	__must_hold(&h->lock)
{
	unsigned int nr = h->narenas;
	struct gh_uarena *arena;
	int err;

	lockdep_assert_held(&h->lock);

	if (nr == GH_UARENAS)
		return -ENOMEM;
	if (fatal_signal_pending(current))
		return -EINTR;

	mutex_unlock(&h->lock);
	err = gh_pagealloc_prepare(&h->pa, (unsigned long)nr * GH_ARENA_PAGES,
				   GH_ARENA_PAGES, GH_UMETA_GFP);
	arena = err ? NULL : arena_new();
	gh_uheap_lock(h);

	if (nr == h->narenas && arena)
		publish_arena(h, arena);
	else if (arena)
		arena_free(arena);
	return nr == h->narenas ? -ENOMEM : 0;
}

/* ---- pages of the window ------------------------------------------------ */

/**
 * gh_upages_take() - take a run of free pages; the heap grows if it must
 * @h: the heap
 * @shape: how many, and on what boundary
 * @page: set to the first, in heap pages
 *
 * Context: the heap's lock is held; it is dropped and taken again if the heap
 * grows.
 * Return: 0, -ENOMEM or -EINTR.
 */
int gh_upages_take(struct gh_uheap *h, const struct gh_ushape *shape,
		   unsigned long *page)
{
	unsigned long room = (GH_UARENAS - h->narenas) * GH_ARENA_PAGES;
	unsigned long nscav;

	lockdep_assert_held(&h->lock);

	if (shape->npages > room + h->pa.nfree)
		return -ENOMEM;
	while (!gh_pagealloc_alloc_aligned(&h->pa, shape->npages, shape->align,
					   page, &nscav)) {
		int err = add_arena(h);

		if (err)
			return err;
	}
	return 0;
}

/**
 * gh_upages_take_at() - take certain pages
 * @h: the heap
 * @page: the first, in heap pages
 * @npages: how many, within the window
 *
 * The heap grows for them only as long as those that it has are free.
 *
 * Context: the heap's lock is held; it is dropped and taken again if the heap
 * grows.
 * Return: 0, -ENOSPC if one of them is not free, -ENOMEM or -EINTR.
 */
int gh_upages_take_at(struct gh_uheap *h, unsigned long page,
		      unsigned long npages)
{
	unsigned long nscav, got = 0;
	int err = 0;

	lockdep_assert_held(&h->lock);

	while (!err && got < npages) {
		unsigned long end = (unsigned long)h->narenas * GH_ARENA_PAGES;
		unsigned long n = min(npages - got, end - page - got);

		if (!n)
			err = add_arena(h);
		else if (gh_pagealloc_alloc_at(&h->pa, page + got, n, &nscav))
			got += n;
		else
			err = -ENOSPC;
	}
	if (err && got)
		gh_upages_put(h, page, got);
	return err;
}

/**
 * gh_upages_put() - return pages, which have no memory
 * @h: the heap
 * @page: the first, in heap pages
 * @npages: how many
 *
 * Context: the heap's lock is held.
 */
void gh_upages_put(struct gh_uheap *h, unsigned long page, unsigned long npages)
{
	lockdep_assert_held(&h->lock);

	gh_pagealloc_free_scav(&h->pa, page, npages, true);
}

/* ---- init and exit ------------------------------------------------------ */

/**
 * gh_upages_init() - begin with a window that has no arenas
 * @h: the heap, zeroed
 */
void gh_upages_init(struct gh_uheap *h)
{
	gh_pagealloc_init(&h->pa);
	h->pa.account = __GFP_ACCOUNT;
}

/**
 * gh_upages_destroy() - free all arenas
 * @h: the heap, which no other thread can find; it has no spans
 *
 * Context: process context, may sleep.
 */
void gh_upages_destroy(struct gh_uheap *h)
{
	unsigned int i;

	for (i = 0; i < h->narenas; i++)
		arena_free(h->arena[i]);
	gh_pagealloc_destroy(&h->pa);
}
