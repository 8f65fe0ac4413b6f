// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages: the pages of user heaps: the memory behind them, and which are free.
 *
 * The window grows by arenas of 64 MiB, each of which has tables of its own.
 * Memory comes zeroed from the system and goes back to it, so that no heap can
 * see what was in another. It lies in the page cache of the heap's inode, where faults
 * find it by filemap_map_pages(); but not in an LRU list, as nothing may reclaim it, and
 * a list's references would seem to be a device's.
 */
#include <linux/cred.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

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
		list_del(&page->lru);
		put_page(page);
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

/*
 * What filemap_map_pages() wants of a page: that it is up to date, and says where it is.
 * That is also how the kernel identifies a futex that processes share. A page that is
 * dirty is never taken for one that could be read from a disk again.
 */
static void frame_prepare(struct address_space *mapping, struct page *page,
			  unsigned long nr)
{
	struct folio *folio = page_folio(page);

	folio->index = nr;
	folio->mapping = mapping;
	__folio_mark_uptodate(folio);
	folio_set_dirty(folio);
}

/*
 * A fault that has locked the page before has mapped it by now. One that locks it later
 * sees that it no longer belongs to the mapping, and so does a device that marks it dirty.
 */
static struct page *frame_remove(struct address_space *mapping, unsigned long nr)
{
	struct page *page = xa_erase_irq(&mapping->i_pages, nr);
	struct folio *folio = page_folio(page);

	folio_lock(folio);
	folio->mapping = NULL;
	folio_unlock(folio);
	return page;
}

/**
 * gh_upages_install() - put memory behind pages, which have none
 * @h: the heap
 * @frames: the memory; empty afterwards, but if it fails
 * @nr: the first page, in kernel pages of the window
 *
 * Context: process context, may sleep; the pages are the caller's.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int gh_upages_install(struct gh_uheap *h, struct list_head *frames,
		      unsigned long nr)
{
	struct address_space *mapping = h->inode->i_mapping;
	unsigned long next = nr;
	struct page *page;
	void *err;

	list_for_each_entry(page, frames, lru) {
		frame_prepare(mapping, page, next);
		err = gh_fault(GH_FAULT_META) ? XA_ERROR(-ENOMEM) :
		      xa_store_irq(&mapping->i_pages, next, page, GH_UMETA_GFP);
		if (xa_is_err(err))
			goto undo;
		next++;
		cond_resched();
	}
	INIT_LIST_HEAD(frames);
	return 0;

undo:
	page_folio(page)->mapping = NULL;
	while (next > nr)
		frame_remove(mapping, --next);
	gh_upages_unmap(h, frames);
	return -ENOMEM;
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
	struct address_space *mapping = h->inode->i_mapping;

	while (n--) {
		struct page *page = frame_remove(mapping, nr++);

		list_add_tail(&page->lru, frames);
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
	unsigned long nr = 0, n = 0, next = 0;
	struct page *page;

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
 * Context: any; an object of the page is held. Without that, the page may be freed at
 * any time: see gh_upages_get_frame().
 * Return: the page, or NULL.
 */
struct page *gh_upages_frame(struct gh_uheap *h, unsigned long nr)
{
	return xa_load(&h->inode->i_mapping->i_pages, nr);
}

/**
 * gh_upages_get_frame() - lock the memory of a kernel page, and take a reference
 * @h: the heap
 * @nr: offset of the page in the window, in kernel pages
 *
 * Context: process context, may sleep.
 * Return: the page, which stays the heap's until it is unlocked; or NULL.
 */
struct page *gh_upages_get_frame(struct gh_uheap *h, unsigned long nr)
{
	struct address_space *mapping = h->inode->i_mapping;
	struct folio *folio;
	struct page *page;

	rcu_read_lock();
	page = gh_upages_frame(h, nr);
	folio = page ? page_folio(page) : NULL;
	if (folio && !folio_try_get(folio))
		folio = NULL;
	/* If it has been freed meanwhile, it may be somebody else's, who has locked it. */
	if (folio && gh_upages_frame(h, nr) != page) {
		folio_put(folio);
		folio = NULL;
	}
	rcu_read_unlock();
	if (!folio)
		return NULL;

	folio_lock(folio);
	if (folio->mapping == mapping && folio->index == nr)
		return page;
	folio_unlock(folio);
	folio_put(folio);
	return NULL;
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
	 * Pairs with the acquire in gh_upages_map_frame() and gh_uspan_of(), which
	 * look without the lock.
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
