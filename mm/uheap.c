// SPDX-License-Identifier: GPL-2.0-only
/*
 * uheap: heaps of processes: their pages and spans.
 *
 * Memory is there from the moment that a span is made to the moment that it is
 * released, never before or after: running out is an error of the call that
 * allocates, and what is not allocated cannot be touched. Pages come zeroed from
 * the system and go back to it, so nothing of one user's reaches another.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "fault.h"
#include "session.h"
#include "span.h"
#include "uheap.h"

#define UPAGE_GFP	(GH_UMETA_GFP | __GFP_ZERO)

/* Heap pages that an arena's tables take. */
#define UARENA_COST							\
	DIV_ROUND_UP(sizeof(struct gh_uarena) +				\
		     GH_UMAP_FRAMES * PAGE_SIZE, GH_PAGE_SIZE)

/* Windows are suggested in these TiB of the address space, one a heap. */
#define UBASE_FIRST	16
#define UBASE_NR	32

LIST_HEAD(gh_uheaps);
DEFINE_MUTEX(gh_uheaps_lock);	/* protects gh_uheaps */

/* Bound on heap pages of all user heaps, and how many there are. */
unsigned long gh_user_max_pages = ULONG_MAX;
atomic_long_t gh_user_pages;

static u32 uheap_next_id;

/* ---- who pays ----------------------------------------------------------- */

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

/* Pages that processes cause to be taken, whatever they are for. */
static bool pages_charge(struct user_struct *user, unsigned long npages)
{
	if (!counter_add(&gh_user_pages, npages, READ_ONCE(gh_user_max_pages)))
		return false;
	if (user_charge(user, npages))
		return true;
	atomic_long_sub(npages, &gh_user_pages);
	return false;
}

static void pages_uncharge(struct user_struct *user, unsigned long npages)
{
	user_uncharge(user, npages);
	atomic_long_sub(npages, &gh_user_pages);
}

/* Under the heap's lock, which the counts of heap and session are under. */
static int uheap_charge(struct gh_usession *owner, struct user_struct *user,
			unsigned long npages)
{
	struct gh_uheap *h = owner->heap;

	if (npages > h->limit || h->npages > h->limit - npages ||
	    npages > owner->limit || owner->npages > owner->limit - npages)
		return -EDQUOT;
	if (!pages_charge(user, npages))
		return -ENOMEM;
	h->npages += npages;
	h->peak = max(h->peak, h->npages);
	owner->npages += npages;
	return 0;
}

/* The rest of it; the owner's share went when the span was withdrawn. */
static void uheap_uncharge(struct gh_uheap *h, struct user_struct *user,
			   unsigned long npages)
{
	h->npages -= npages;
	pages_uncharge(user, npages);
}

/* From now on the caller's user pays for the span. Under the heap's lock. */
static int uspan_set_payer(struct gh_uspan *s)
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
	err = uspan_set_payer(s);
	if (err)
		return err;
	s->owner->npages -= s->npages;
	to->npages += s->npages;
	return 0;
}

/* ---- pages -------------------------------------------------------------- */

static void frames_free(struct list_head *frames)
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

static int frames_alloc(struct list_head *frames, unsigned long n)
{
	while (n--) {
		struct page *page = NULL;

		if (!gh_fault(GH_FAULT_PAGE) && !fatal_signal_pending(current))
			page = alloc_page(UPAGE_GFP);
		if (!page) {
			frames_free(frames);
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

/* Put memory behind pages that nobody could touch before. */
static void frames_install(struct gh_uheap *h, struct list_head *frames,
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

/* Take it away again, from everybody who maps it. */
static void frames_remove(struct gh_uheap *h, struct list_head *frames,
			  unsigned long nr, unsigned long n)
{
	struct address_space *mapping = h->inode->i_mapping;
	unsigned long i;

	for (i = 0; i < n; i++) {
		struct page **slot = frame_slot(h, nr + i);

		list_add_tail(&(*slot)->lru, frames);
		WRITE_ONCE(*slot, NULL);
		cond_resched();
	}
	/* Faults from now on find nothing; let those end that found something. */
	filemap_invalidate_lock(mapping);
	filemap_invalidate_unlock(mapping);
	unmap_mapping_range(mapping, (loff_t)nr << PAGE_SHIFT,
			    (loff_t)n << PAGE_SHIFT, 1);
}

/**
 * gh_uheap_frame() - the memory of a kernel page
 * @h: the heap
 * @nr: offset of the page in the window, in kernel pages
 *
 * Context: the mapping's invalidate_lock is held, or an object of the page is.
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
	/* Pairs with the release in frames_install(). */
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

static void uarena_free(struct gh_uarena *arena)
{
	unsigned int i;

	for (i = 0; i < GH_UMAP_FRAMES; i++)
		if (arena->map[i])
			__free_page(arena->map[i]);
	pages_uncharge(arena->user, UARENA_COST);
	free_uid(arena->user);
	vfree(arena);
}

static struct gh_uarena *uarena_new(void)
{
	struct user_struct *user = current_user();
	struct gh_uarena *arena = NULL;
	unsigned int i;

	if (!pages_charge(user, UARENA_COST))
		return NULL;
	if (!gh_fault(GH_FAULT_META))
		arena = __vmalloc(sizeof(*arena), UPAGE_GFP);
	if (!arena) {
		pages_uncharge(user, UARENA_COST);
		return NULL;
	}
	arena->user = get_uid(user);
	for (i = 0; i < GH_UMAP_FRAMES; i++) {
		arena->map[i] = alloc_page(UPAGE_GFP);
		if (!arena->map[i]) {
			uarena_free(arena);
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
		uarena_free(arena);
	return nr == h->narenas ? -ENOMEM : 0;
}

/*
 * Find a run of pages; the heap grows if it must. Under the heap's lock, which is
 * let go of meanwhile.
 */
static int uheap_take(struct gh_uheap *h, const struct gh_ushape *shape,
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

/* ---- records of spans --------------------------------------------------- */

static unsigned int umeta_index(unsigned int nelems)
{
	return nelems <= 16 ? 0 : ilog2(nelems - 1) - 3;
}

static size_t umeta_bytes(unsigned int nelems)
{
	return sizeof(u64) * DIV_ROUND_UP(nelems, 64) + nelems;
}

static void uspan_put_record(struct gh_uheap *h, struct gh_uspan *s)
{
	if (s->nelems > 1)
		gh_fixalloc_free(&h->meta[umeta_index(s->nelems)], s->free);
	free_uid(s->user);
	gh_fixalloc_free(&h->span_recs, s);
}

/* Make all objects free; of a large span, the one. */
static void uspan_cut(struct gh_uspan *s, const struct gh_ushape *shape,
		      u64 *meta)
{
	unsigned int words = DIV_ROUND_UP(s->nelems, 64);
	unsigned int i;

	s->free = meta ?: &s->one_free;
	s->state = meta ? (u8 *)(meta + words) : &s->one_state;
	for (i = 0; i < words; i++)
		s->free[i] = ~0ULL;
	if (s->nelems % 64)
		s->free[words - 1] = BIT_ULL(s->nelems % 64) - 1;
	memset(s->state, GH_UOBJ_FREE, s->nelems);
	s->class = shape->class;
	s->mmap = shape->mmap;
	s->npages = shape->npages;
	s->elemsize = s->class ? gh_class_size[s->class] :
				 shape->npages << GH_PAGE_SHIFT;
	gh_divisor_init(s->elemsize, &s->inverse, &s->shift);
	s->nfree = s->nelems;
	s->ngiven = 0;
	s->npins = 0;
	s->partial = false;
	atomic_set(&s->nmaps, 0);
}

static struct gh_uspan *uspan_record(struct gh_uheap *h,
				     const struct gh_ushape *shape)
{
	unsigned int nelems = shape->class ? gh_class_nelems[shape->class] : 1;
	struct gh_uspan *s = gh_fixalloc_alloc(&h->span_recs, GH_UMETA_GFP);
	u64 *meta = NULL;

	if (!s)
		return NULL;
	if (nelems > 1) {
		meta = gh_fixalloc_alloc(&h->meta[umeta_index(nelems)],
					 GH_UMETA_GFP);
		if (!meta) {
			gh_fixalloc_free(&h->span_recs, s);
			return NULL;
		}
	}
	s->nelems = nelems;
	uspan_cut(s, shape, meta);
	s->user = get_uid(current_user());
	return s;
}

/* ---- tables ------------------------------------------------------------- */

static u64 umap_entry(const struct gh_uspan *s, unsigned long i)
{
	u64 e = GOHEAP_PAGE_USED | (u64)s->class << 32 | s->owner->id;

	if (s->mmap)
		e |= GOHEAP_PAGE_MMAP;
	if (READ_ONCE(s->ngiven))
		e |= GOHEAP_PAGE_GIVEN;
	return e | min_t(u64, i, GOHEAP_PAGE_INDEX_MAX) << 42;
}

static void umap_set(struct gh_uheap *h, unsigned long page, u64 entry)
{
	struct gh_uarena *arena = h->arena[page / GH_ARENA_PAGES];
	unsigned long i = page % GH_ARENA_PAGES;
	u64 *map = page_address(arena->map[i / GH_UMAP_PER_FRAME]);

	WRITE_ONCE(map[i % GH_UMAP_PER_FRAME], entry);
}

/**
 * gh_uspan_show() - enter a span in the page map
 * @s: the span
 *
 * Of a large object only the first page, which is where those look who free it.
 *
 * Context: the owner's lock is held.
 */
void gh_uspan_show(struct gh_uspan *s)
{
	unsigned long page = s->base >> GH_PAGE_SHIFT;
	unsigned long i, n = s->class ? s->npages : 1;

	for (i = 0; i < n; i++)
		umap_set(s->owner->heap, page + i, umap_entry(s, i));
}

/**
 * gh_uspan_show_rest() - enter the other pages of a large object in the page map
 * @s: its span
 *
 * Context: the heap's lock is held, and no spinlock.
 */
void gh_uspan_show_rest(struct gh_uspan *s)
{
	unsigned long page = s->base >> GH_PAGE_SHIFT;
	unsigned long i;

	for (i = 1; !s->class && i < s->npages; i++) {
		umap_set(s->owner->heap, page + i,
			 umap_entry(s, i) & ~GOHEAP_PAGE_GIVEN);
		cond_resched();
	}
}

static void uspan_set_table(struct gh_uheap *h, unsigned long page,
			    unsigned long npages, struct gh_uspan *entry)
{
	for (; npages--; page++) {
		struct gh_uarena *arena = h->arena[page / GH_ARENA_PAGES];

		/* Pairs with the acquire in gh_uspan_of(). */
		smp_store_release(&arena->span[page % GH_ARENA_PAGES], entry);
		if (!entry)
			umap_set(h, page, 0);
		cond_resched();
	}
}

/* ---- spans -------------------------------------------------------------- */

static int uspan_reserve(struct gh_uspan *s, struct gh_usession *owner,
			 const struct gh_ushape *shape)
{
	struct gh_uheap *h = owner->heap;
	unsigned long page;
	int err;

	mutex_lock(&h->lock);
	err = uheap_charge(owner, s->user, shape->npages);
	if (err)
		goto out;
	err = uheap_take(h, shape, &page);
	if (err) {
		owner->npages -= shape->npages;
		uheap_uncharge(h, s->user, shape->npages);
		goto out;
	}
	s->base = (u64)page << GH_PAGE_SHIFT;
out:
	mutex_unlock(&h->lock);
	return err;
}

/* Give back what uspan_reserve() took. */
static void uspan_unreserve(struct gh_uheap *h, struct gh_uspan *s)
{
	gh_pagealloc_free_scav(&h->pa, s->base >> GH_PAGE_SHIFT, s->npages,
			       true);
	uheap_uncharge(h, s->user, s->npages);
}

/**
 * gh_uspan_make() - make a new span
 * @owner: whose it will be
 * @shape: what it should be
 *
 * All its objects are free; it is in no list of its owner.
 *
 * Context: process context, may sleep.
 * Return: the span, or -ENOMEM, -EDQUOT or -EINTR as a pointer.
 */
struct gh_uspan *gh_uspan_make(struct gh_usession *owner,
			       const struct gh_ushape *shape)
{
	struct gh_uheap *h = owner->heap;
	struct gh_uspan *s = uspan_record(h, shape);
	LIST_HEAD(frames);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&s->list);
	INIT_LIST_HEAD(&s->plist);
	err = uspan_reserve(s, owner, shape);
	if (err)
		goto fail;
	err = frames_alloc(&frames, s->npages * GH_UPAGE_FRAMES);
	if (err)
		goto no_frames;
	frames_install(h, &frames, s->base >> PAGE_SHIFT);
	mutex_lock(&h->lock);
	h->nspans++;
	uspan_set_table(h, s->base >> GH_PAGE_SHIFT, s->npages, s);
	spin_lock(&owner->lock);
	WRITE_ONCE(s->owner, owner);
	gh_uspan_show(s);
	spin_unlock(&owner->lock);
	gh_uspan_show_rest(s);
	mutex_unlock(&h->lock);
	return s;

no_frames:
	mutex_lock(&h->lock);
	owner->npages -= s->npages;
	uspan_unreserve(h, s);
	mutex_unlock(&h->lock);
fail:
	uspan_put_record(h, s);
	return ERR_PTR(err);
}

/**
 * gh_uspan_withdraw() - take a span out of the heap's tables
 * @h: the heap
 * @s: the span, which is in no list of its owner; none of its objects is used
 *
 * The next is gh_uspan_release().
 *
 * Context: the heap's lock is held.
 */
void gh_uspan_withdraw(struct gh_uheap *h, struct gh_uspan *s)
{
	struct gh_usession *owner = s->owner;

	uspan_set_table(h, s->base >> GH_PAGE_SHIFT, s->npages, NULL);
	h->nspans--;
	owner->npages -= s->npages;
	/* Who found it in the table before, and holds the lock, is still at it. */
	spin_lock(&owner->lock);
	WRITE_ONCE(s->owner, NULL);
	spin_unlock(&owner->lock);
}

/**
 * gh_uspan_release() - give the memory of spans back to the system
 * @h: the heap
 * @spans: withdrawn spans, by their @list; empty afterwards
 *
 * Context: process context, may sleep.
 * Return: heap pages.
 */
unsigned long gh_uspan_release(struct gh_uheap *h, struct list_head *spans)
{
	struct gh_uspan *s, *next;
	unsigned long done = 0;
	LIST_HEAD(frames);

	list_for_each_entry(s, spans, list)
		frames_remove(h, &frames, s->base >> PAGE_SHIFT,
			      s->npages * GH_UPAGE_FRAMES);
	frames_free(&frames);
	mutex_lock(&h->lock);
	list_for_each_entry_safe(s, next, spans, list) {
		list_del(&s->list);
		done += s->npages;
		uspan_unreserve(h, s);
		uspan_put_record(h, s);
		if (need_resched()) {
			mutex_unlock(&h->lock);
			cond_resched();
			mutex_lock(&h->lock);
		}
	}
	mutex_unlock(&h->lock);
	return done;
}

/* ---- resizing ----------------------------------------------------------- */

/*
 * Take these very pages. The heap grows for them only if those that it has are
 * free. Under the heap's lock, which is let go of meanwhile.
 */
static int uheap_take_at(struct gh_uheap *h, unsigned long page,
			 unsigned long npages)
{
	unsigned long end = (unsigned long)h->narenas * GH_ARENA_PAGES;
	unsigned long nscav, here = min(npages, end - page);
	int err = 0;

	if (here && !gh_pagealloc_alloc_at(&h->pa, page, here, &nscav))
		return -ENOSPC;
	if (here == npages)
		return 0;
	while (!err && page + npages > h->narenas * (u64)GH_ARENA_PAGES)
		err = uheap_add_arena(h);
	if (!err && gh_pagealloc_alloc_at(&h->pa, end, npages - here, &nscav))
		return 0;
	if (here)
		gh_pagealloc_free_scav(&h->pa, page, here, true);
	return err ?: -ENOSPC;
}

/* Under the heap's lock. */
static int uspan_reserve_more(struct gh_uspan *s, unsigned long npages)
{
	struct gh_usession *owner = s->owner;
	struct gh_uheap *h = owner->heap;
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages;
	int err;

	if (npages > (GH_UWINDOW >> GH_PAGE_SHIFT) - page)
		return -ENOSPC;
	err = uspan_set_payer(s);
	if (!err)
		err = uheap_charge(owner, s->user, npages);
	if (err)
		return err;
	err = uheap_take_at(h, page, npages);
	if (err) {
		owner->npages -= npages;
		uheap_uncharge(h, s->user, npages);
	}
	return err;
}

/* Under the heap's lock. */
static void uspan_unreserve_some(struct gh_uheap *h, struct gh_uspan *s,
				 unsigned long page, unsigned long npages)
{
	gh_pagealloc_free_scav(&h->pa, page, npages, true);
	s->owner->npages -= npages;
	uheap_uncharge(h, s->user, npages);
}

/* Under the heap's lock. */
static void uspan_set_length(struct gh_uspan *s, unsigned long npages)
{
	struct gh_usession *owner = s->owner;

	spin_lock(&owner->lock);
	owner->count.bytes -= s->elemsize;
	s->npages = npages;
	s->elemsize = npages << GH_PAGE_SHIFT;
	owner->count.bytes += s->elemsize;
	gh_divisor_init(s->elemsize, &s->inverse, &s->shift);
	spin_unlock(&owner->lock);
}

static int uspan_extend(struct gh_uheap *h, struct gh_uspan *s,
			unsigned long npages)
{
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages;
	LIST_HEAD(frames);
	int err;

	mutex_lock(&h->lock);
	err = uspan_reserve_more(s, npages);
	mutex_unlock(&h->lock);
	if (err)
		return err;
	err = frames_alloc(&frames, npages * GH_UPAGE_FRAMES);
	if (!err)
		frames_install(h, &frames, page * GH_UPAGE_FRAMES);
	mutex_lock(&h->lock);
	if (err) {
		uspan_unreserve_some(h, s, page, npages);
	} else {
		uspan_set_table(h, page, npages, s);
		uspan_set_length(s, s->npages + npages);
		gh_uspan_show_rest(s);
	}
	mutex_unlock(&h->lock);
	return err;
}

static void uspan_cut_short(struct gh_uheap *h, struct gh_uspan *s,
			    unsigned long npages)
{
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages - npages;
	LIST_HEAD(frames);

	mutex_lock(&h->lock);
	uspan_set_table(h, page, npages, NULL);
	uspan_set_length(s, s->npages - npages);
	mutex_unlock(&h->lock);
	frames_remove(h, &frames, page * GH_UPAGE_FRAMES,
		      npages * GH_UPAGE_FRAMES);
	frames_free(&frames);
	mutex_lock(&h->lock);
	uspan_unreserve_some(h, s, page, npages);
	mutex_unlock(&h->lock);
}

/**
 * gh_uspan_resize() - change the length of a large object where it is
 * @h: the heap
 * @s: its span; the object is GH_UOBJ_RESIZING, and its session cannot end
 * @npages: heap pages it should have
 *
 * Context: process context, may sleep; no lock of the heap's is held.
 * Return: 0; or -ENOSPC if the pages behind it are not free, -ENOMEM, -EDQUOT or
 * -EINTR, with nothing changed.
 */
int gh_uspan_resize(struct gh_uheap *h, struct gh_uspan *s,
		    unsigned long npages)
{
	if (npages > s->npages)
		return uspan_extend(h, s, npages - s->npages);
	if (npages < s->npages)
		uspan_cut_short(h, s, s->npages - npages);
	return 0;
}

/* ---- the life of a heap ------------------------------------------------- */

static int ufs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, 0x676f6865) ? 0 : -ENOMEM;
}

/* Nobody mounts it: it is where the inodes of heaps come from. */
static struct file_system_type ufs_type = {
	.name = "goheap",
	.owner = THIS_MODULE,
	.init_fs_context = ufs_init_context,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *ufs_mnt;
static int ufs_count;

static struct inode *ufs_get_inode(void)
{
	struct inode *inode;
	int err = simple_pin_fs(&ufs_type, &ufs_mnt, &ufs_count);

	if (err)
		return ERR_PTR(err);
	inode = gh_fault(GH_FAULT_USER) ? ERR_PTR(-ENOMEM) :
					  alloc_anon_inode(ufs_mnt->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&ufs_mnt, &ufs_count);
	return inode;
}

static void ufs_put_inode(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&ufs_mnt, &ufs_count);
}

static void uheap_init(struct gh_uheap *h)
{
	unsigned int i;

	kref_init(&h->ref);
	mutex_init(&h->lock);
	INIT_LIST_HEAD(&h->sessions);
	INIT_LIST_HEAD(&h->pins);
	init_waitqueue_head(&h->wait);
	h->limit = ULONG_MAX;
	h->creator = current_fsuid();
	h->base = (UBASE_FIRST + (u64)get_random_u32() % UBASE_NR) << 40;
	gh_usession_init(&h->own, h, 0, ULONG_MAX);
	gh_fixalloc_init_aligned(&h->span_recs, "user spans",
				 sizeof(struct gh_uspan), SMP_CACHE_BYTES, false,
				 NULL, NULL);
	h->span_recs.account = __GFP_ACCOUNT;
	for (i = 0; i < GH_NUM_META; i++) {
		gh_fixalloc_init(&h->meta[i], "user span bitmaps",
				 umeta_bytes(16U << i), false, NULL, NULL);
		h->meta[i].account = __GFP_ACCOUNT;
	}
	h->pa.account = __GFP_ACCOUNT;
}

/**
 * gh_uheap_create() - make a heap
 *
 * Context: process context, may sleep.
 * Return: the heap, with one reference, or an error as a pointer.
 */
struct gh_uheap *gh_uheap_create(void)
{
	struct gh_uheap *h = NULL;

	if (!gh_fault(GH_FAULT_USER))
		h = __vmalloc(sizeof(*h), UPAGE_GFP);
	if (!h)
		return ERR_PTR(-ENOMEM);
	if (gh_pagealloc_init(&h->pa)) {
		vfree(h);
		return ERR_PTR(-ENOMEM);
	}
	h->inode = ufs_get_inode();
	if (IS_ERR(h->inode)) {
		int err = PTR_ERR(h->inode);

		gh_pagealloc_destroy(&h->pa);
		vfree(h);
		return ERR_PTR(err);
	}
	uheap_init(h);
	mutex_lock(&gh_uheaps_lock);
	h->id = ++uheap_next_id;
	list_add_tail(&h->list, &gh_uheaps);
	mutex_unlock(&gh_uheaps_lock);
	return h;
}

/* Whatever was given to the heap, and never freed. */
static void uheap_release_all(struct gh_uheap *h)
{
	struct gh_uspan *s;

	mutex_lock(&h->lock);
	list_for_each_entry(s, &h->own.spans, list)
		gh_uspan_withdraw(h, s);
	mutex_unlock(&h->lock);
	gh_uspan_release(h, &h->own.spans);
}

static void uheap_free(struct kref *ref)
{
	struct gh_uheap *h = container_of(ref, struct gh_uheap, ref);
	unsigned long left = 0;
	unsigned int i;

	mutex_lock(&gh_uheaps_lock);
	list_del(&h->list);
	mutex_unlock(&gh_uheaps_lock);
	uheap_release_all(h);
	for (i = 0; i < h->narenas; i++)
		uarena_free(h->arena[i]);
	for (i = 0; i < GH_NUM_META; i++)
		left += gh_fixalloc_destroy(&h->meta[i]);
	left += gh_fixalloc_destroy(&h->span_recs);
	WARN_ONCE(left || h->npages, "goheap: a user heap ends with %lu pages\n",
		  h->npages);
	gh_pagealloc_destroy(&h->pa);
	ufs_put_inode(h->inode);
	vfree(h);
}

/**
 * gh_uheap_put() - drop a reference
 * @h: the heap; NULL is ignored
 *
 * Context: process context, may sleep.
 */
void gh_uheap_put(struct gh_uheap *h)
{
	if (h)
		kref_put(&h->ref, uheap_free);
}
