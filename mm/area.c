// SPDX-License-Identifier: GPL-2.0-only
/*
 * area: the address space of a node, reserved before it is needed and given
 * back when it is not.
 *
 * An area is reserved by one call of gh_vmem_reserve(), which takes memory and
 * may sleep. So areas are made ready ahead, with all metadata of their arenas,
 * and are hints of where to grow until then, as the arenaHints of the Go runtime
 * are. To grow is to take an arena of the first hint, which any context can do:
 *
 *   build            hint                  in use               gone
 *   reserve, wipe,   arenas are published, pages of the first   grace period,
 *   flush, tables,   empty and on no page  @used arenas are the unmap
 *   metadata         allocator             node's
 *       ---------------->    ------------------->
 *                            <-------------------    --------------->
 *                             the last used arena     no arena is used, and
 *                             is all free             there are hints enough
 *
 * How many arenas should lie ready follows from how fast they are taken: twice
 * what was taken since the worker came by last. An allocation that may sleep
 * builds an area itself if it finds no hint, without any lock, so that nobody
 * in the midst of reclaim can wait for another's allocation.
 *
 * Locking: gh_node.lock protects hints and what is in use. gh_heap.areas_lock
 * is held while areas go, and keeps arenas alive for walks that sleep.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include "area.h"
#include "blocks.h"
#include "compat.h"
#include "gfp.h"
#include "gheap.h"

/*
 * Arenas that lie ready for each node even if none was taken lately: for a
 * sixteenth of memory in all, but for 512 MiB each at most. They cost 1/300 of the
 * address space: 0.02 % of memory, and as much for the other kind of spans.
 */
#define SPARE_RAM_SHIFT	4
#define SPARE_MAX	8UL
#define SPARE_SLACK	4U

/* Runs of more heap pages than this are what others use vmalloc() for. */
#define SMALL_RUN	(GH_MAX_SMALL >> GH_PAGE_SHIFT)

/*
 * There must be many times as much memory to spare as an area takes, but no more than
 * the system keeps free when the rest of it is full of caches.
 */
#define PLENTY_PAGES	(SZ_16M >> PAGE_SHIFT)

/* An arena takes more pages than this, for page tables and metadata. */
#define ARENA_PAGES	32

/* For what heaps do in the background. */
struct workqueue_struct *gh_wq;
GH_EXPORT_FOR_TESTS(gh_wq);

static struct workqueue_struct *grow_wq;

/* ---- who may build ------------------------------------------------------ */

/* There is so much memory that taking some does not mean to reclaim some. */
static bool memory_is_plenty(void)
{
	return global_zone_page_state(NR_FREE_PAGES) >
	       min(totalram_pages() / 32, 2 * PLENTY_PAGES) + PLENTY_PAGES;
}

/**
 * gh_area_may_build() - ask whether an allocation may reserve address space
 * @gfp: its flags
 * @npages: heap pages that it is for
 *
 * vmap() knows no flags. So those who may not reclaim, or who are reclaim
 * themselves, must not call it; those who should not try hard may while there is
 * memory, and for runs for which others would use vmalloc(), which tries as hard
 * as it can for page tables. Victims of the OOM killer may not.
 *
 * Context: any.
 * Return: whether gh_area_build() may be called.
 */
bool gh_area_may_build(gfp_t gfp, unsigned long npages)
{
	if (!gfpflags_allow_blocking(gfp) || current->flags & PF_MEMALLOC)
		return false;
	if (gh_blocks_refused(ARENA_PAGES, gfp))
		return false;
	return !(gfp & (__GFP_NORETRY | __GFP_RETRY_MAYFAIL)) ||
	       npages > SMALL_RUN || memory_is_plenty();
}
GH_EXPORT_FOR_TESTS(gh_area_may_build);

/* ---- build -------------------------------------------------------------- */

/* Find room for an area, and an empty slot behind it, in the page index. */
static int area_take_slots(struct gh_node *node, struct gh_area *area)
{
	unsigned int n = area->vmem.narenas + 1;
	unsigned long flags, slot;

	raw_spin_lock_irqsave(&node->lock, flags);
	slot = bitmap_find_next_zero_area(node->slots, GH_MAX_ARENAS, 0, n, 0);
	if (slot < GH_MAX_ARENAS) {
		bitmap_set(node->slots, slot, n);
		WRITE_ONCE(node->nslots,
			   max_t(unsigned int, node->nslots, slot + n));
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);

	area->slot = slot;
	return slot < GH_MAX_ARENAS ? 0 : -ENOMEM;
}

static void area_free_slots(struct gh_node *node, struct gh_area *area)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	bitmap_clear(node->slots, area->slot, area->vmem.narenas + 1);
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

/* All that can fail, for one arena. */
static struct gh_arena *area_make_arena(struct gh_node *node,
					struct gh_area *area, unsigned int i,
					gfp_t gfp)
{
	unsigned int slot = area->slot + i;
	struct gh_arena *arena;

	/* The page that the slot is in. */
	if (gh_node_set_arena(node, slot, NULL, gfp))
		return NULL;
	if (gh_pagealloc_prepare(&node->pa,
				 (unsigned long)slot << GH_ARENA_PAGES_SHIFT,
				 GH_ARENA_PAGES, gfp))
		return NULL;
	arena = gh_arena_create(node, area->vmem.base + i * GH_ARENA_SIZE, slot);
	if (arena)
		arena->area = area;
	return arena;
}

/* Nobody can find these arenas any more. */
static void area_drop_arenas(struct gh_node *node, struct gh_area *area,
			     unsigned int narenas)
{
	while (narenas--) {
		unsigned int slot = area->slot + narenas;
		struct gh_arena *arena = gh_node_arena(node, slot);

		gh_node_clear_arena(node, slot);
		gh_arena_free(arena);
	}
}

/* Walks go by slots, so none may have an arena that is freed again. */
static int area_add_arenas(struct gh_node *node, struct gh_area *area, gfp_t gfp)
{
	struct gh_arena *arena[GH_VMEM_MAX_ARENAS];
	unsigned int i;

	for (i = 0; i < area->vmem.narenas; i++) {
		arena[i] = area_make_arena(node, area, i, gfp);
		if (!arena[i])
			goto fail;
	}
	for (i = 0; i < area->vmem.narenas; i++)
		gh_node_set_arena(node, area->slot + i, arena[i], gfp);
	for (i = 0; i < area->vmem.narenas; i++)
		gh_arena_publish(arena[i]);
	return 0;

fail:
	while (i--)
		gh_arena_free(arena[i]);
	return -ENOMEM;
}

/**
 * gh_area_was_there() - look for areas where new address space is
 * @addr: the first address
 * @end: behind the last
 *
 * If there are any, somebody unmapped those, and the system gave their addresses away
 * again. They are lost; see damage.c.
 *
 * Context: any.
 * Return: true if there is one.
 */
bool gh_area_was_there(unsigned long addr, unsigned long end)
{
	struct gh_arena *arena;
	bool found = false;

	rcu_read_lock();
	for (; addr < end; addr = round_down(addr, GH_ARENA_SIZE) + GH_ARENA_SIZE) {
		arena = gh_arena_of(addr);
		if (!arena || !arena->area)
			continue;
		found = true;
		WRITE_ONCE(arena->area->lost, true);
	}
	rcu_read_unlock();
	return found;
}

/* Is something where a new area is: lost areas, or what is left of huge objects? */
static bool area_is_known(const struct gh_vmem_area *vmem)
{
	unsigned long addr = vmem->base;
	unsigned int i;

	for (i = 0; i < vmem->narenas; i++, addr += GH_ARENA_SIZE)
		if (gh_arena_of(addr))
			break;
	gh_area_was_there(vmem->base, vmem->base + vmem->narenas * GH_ARENA_SIZE);
	return i < vmem->narenas;
}

static int area_reserve(struct gh_node *node, unsigned int narenas, gfp_t gfp)
{
	struct gh_area *area;
	unsigned long flags;
	int err;

	area = gh_fixalloc_alloc(node->area_recs, gfp | __GFP_NOWARN);
	if (!area)
		return -ENOMEM;
	area->node = node;
	err = gh_vmem_reserve(&area->vmem, narenas, node->nid);
	if (err)
		goto no_space;
	if (area_is_known(&area->vmem)) {
		/* Keep it reserved, so that nobody else gets it either. */
		err = -ENOMEM;
		goto no_space;
	}
	err = area_take_slots(node, area);
	if (err)
		goto no_slots;
	err = area_add_arenas(node, area, gfp);
	if (err)
		goto no_arenas;

	raw_spin_lock_irqsave(&node->lock, flags);
	list_add_tail_rcu(&area->vmem.list, &node->areas);
	list_add_tail(&area->hint, &node->hints);
	node->nspare += narenas;
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return 0;

no_arenas:
	area_free_slots(node, area);
no_slots:
	gh_vmem_release(&area->vmem);
no_space:
	gh_fixalloc_free(node->area_recs, area);
	return err;
}

/* Eager arenas are memory, and KASAN backs address space with memory at once. */
static unsigned int area_group(const struct gh_node *node)
{
	if (!gh_vmem_space_is_cheap())
		return 1;
	return clamp_t(unsigned int, READ_ONCE(node->goal) / 2, 1, GH_VMEM_MAX_ARENAS);
}

/**
 * gh_area_build() - reserve address space for a node
 * @node: the node
 * @gfp: how to get the memory for it, with __GFP_DIRECT_RECLAIM
 *
 * Takes no lock in the meantime. What it makes may be another's already when it
 * returns.
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gh_area_build(struct gh_node *node, gfp_t gfp)
{
	unsigned int group = area_group(node);
	unsigned int scope = gh_gfp_scope_save(gfp);
	int err;

	err = area_reserve(node, group, gfp);
	if (err && group > 1)
		err = area_reserve(node, 1, gfp);
	/* An eager arena has its memory, so it may as well be used. */
	if (!err && !gh_vmem_is_sparse())
		gh_node_grow(node);

	gh_gfp_scope_restore(scope);
	return err;
}
GH_EXPORT_FOR_TESTS(gh_area_build);

/**
 * gh_area_least_spare() - how many arenas should always lie ready for a node
 * @node: the node
 *
 * Context: any.
 * Return: their number; none where address space is memory.
 */
unsigned int gh_area_least_spare(const struct gh_node *node)
{
	unsigned long share = (totalram_pages() / num_node_state(N_MEMORY)) >>
			      SPARE_RAM_SHIFT;

	if (!gh_vmem_space_is_cheap())
		return 0;
	if (node->nid == NUMA_NO_NODE)
		return 1;
	return clamp(share >> (GH_ARENA_SHIFT - PAGE_SHIFT), 1UL, SPARE_MAX);
}
GH_EXPORT_FOR_TESTS(gh_area_least_spare);

/* ---- hints -------------------------------------------------------------- */

/* More than free memory could fill is not needed. */
static unsigned int goal_max(void)
{
	unsigned long nfree = global_zone_page_state(NR_FREE_PAGES);

	return (nfree >> (GH_ARENA_SHIFT - PAGE_SHIFT)) + 1;
}

/* How many arenas should lie ready, if so many were taken lately. */
static void node_set_goal(struct gh_node *node)
{
	unsigned int max = goal_max();
	unsigned long flags;

	if (!gh_vmem_is_sparse())
		return;

	raw_spin_lock_irqsave(&node->lock, flags);
	WRITE_ONCE(node->goal, max(node->goal, min(2 * node->taken, max)));
	node->taken = 0;
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

/**
 * gh_area_refill() - reserve address space ahead for a node
 * @node: the node
 *
 * Only while memory is plenty: if the worker had to wait for memory, the system
 * would start another one, and take memory for that. If it is gone in the middle
 * of an area, the worker must neither reclaim nor call the OOM killer for what
 * nobody needs yet. vmap() has no flags, so that is said for the task.
 *
 * Context: process context, may sleep; does not reclaim.
 */
void gh_area_refill(struct gh_node *node)
{
	unsigned int flags = memalloc_noreclaim_save();

	node_set_goal(node);
	while (gh_node_wants_spare(node) && memory_is_plenty() &&
	       !gh_area_build(node, GFP_NOIO | __GFP_NOWARN))
		node_set_goal(node);
	memalloc_noreclaim_restore(flags);
}
GH_EXPORT_FOR_TESTS(gh_area_refill);

static void grow_work_fn(struct work_struct *work)
{
	struct gh_heap *h = container_of(work, struct gh_heap, grow_work);
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++)
		gh_area_refill(h->nodes[i]);
}

/*
 * A CPU for the worker: another one than this if there is one, since this one may
 * be in a section that goes on as long as it finds memory.
 */
static int grow_cpu(void)
{
	int this = raw_smp_processor_id();
	int cpu, found = this;

	/* Isolation may change at run time. */
	rcu_read_lock();
	for_each_cpu_wrap(cpu, housekeeping_cpumask(HK_TYPE_DOMAIN), this) {
		if (cpu != this && cpu_online(cpu)) {
			found = cpu;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

/**
 * gh_area_kick() - have address space reserved ahead, soon
 * @h: the heap
 *
 * Context: any but NMI.
 */
void gh_area_kick(struct gh_heap *h)
{
	if (!READ_ONCE(h->closing) && !work_pending(&h->grow_work))
		queue_work_on(grow_cpu(), grow_wq, &h->grow_work);
}

/**
 * gh_area_attach() - let the worker know a heap
 * @h: the heap
 */
void gh_area_attach(struct gh_heap *h)
{
	INIT_WORK(&h->grow_work, grow_work_fn);
}

/**
 * gh_area_detach() - end the worker's part in a heap
 * @h: the heap; it is closing
 *
 * Context: process context, may sleep.
 */
void gh_area_detach(struct gh_heap *h)
{
	cancel_work_sync(&h->grow_work);
}
GH_EXPORT_FOR_TESTS(gh_area_detach);

/**
 * gh_area_init() - make the workers of all heaps
 *
 * Return: 0 or -ENOMEM.
 */
int gh_area_init(void)
{
	/* Reclaim may wait for what it gives back. */
	gh_wq = alloc_workqueue("goheap", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!gh_wq)
		return -ENOMEM;

	grow_wq = alloc_workqueue("goheap-grow", WQ_HIGHPRI | WQ_MEM_RECLAIM |
						 GH_WQ_PERCPU, 0);
	if (grow_wq)
		return 0;
	destroy_workqueue(gh_wq);
	return -ENOMEM;
}

/**
 * gh_area_exit() - end the workers; every heap was destroyed
 */
void gh_area_exit(void)
{
	destroy_workqueue(grow_wq);
	destroy_workqueue(gh_wq);
}

/* ---- address space that lies idle --------------------------------------- */

/*
 * Arenas that may lie ready before any are released. More than the goal, or those
 * that come and go would be reserved and released each time, which costs a million
 * instructions an arena.
 */
static unsigned int node_keeps(const struct gh_node *node)
{
	return 2 * node->goal + SPARE_SLACK;
}

/* May an arena in use become a hint? Eager ones are not made ready ahead: keep one. */
static bool node_may_shrink(const struct gh_node *node)
{
	return gh_vmem_is_sparse() || node->narenas > 1;
}

/* The last arena that an area is used up to goes back, if nothing is in it. */
static bool area_shrink(struct gh_node *node, struct gh_area *area)
{
	enum gh_page_state state, idle = gh_vmem_is_sparse() ?
					 GH_PAGE_SCAVENGED : GH_PAGE_FREE;
	unsigned long flags, page;
	bool ok = false;

	raw_spin_lock_irqsave(&node->lock, flags);
	page = (unsigned long)(area->slot + area->used - 1) << GH_ARENA_PAGES_SHIFT;
	if (area->used && !area->damaged && node_may_shrink(node) &&
	    gh_pagealloc_run(&node->pa, page, page + GH_ARENA_PAGES,
			     &state) == GH_ARENA_PAGES && state == idle)
		ok = gh_pagealloc_ungrow(&node->pa, page, GH_ARENA_PAGES);
	if (ok) {
		if (area->used-- == area->vmem.narenas)
			list_add(&area->hint, &node->hints);
		WRITE_ONCE(node->narenas, node->narenas - 1);
		node->nspare++;
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return ok;
}

/**
 * gh_area_age() - turn arenas that are all free into hints
 * @node: the node
 *
 * Context: process context, may sleep; the heap's areas_lock is held.
 * Return: true if there are more hints than there should be.
 */
bool gh_area_age(struct gh_node *node)
{
	unsigned int least = gh_area_least_spare(node);
	struct gh_area *area;
	unsigned long flags;

	gh_node_for_each_area(area, node) {
		while (area_shrink(node, area))
			cond_resched();
		cond_resched();
	}

	raw_spin_lock_irqsave(&node->lock, flags);
	if (!node->taken)
		WRITE_ONCE(node->goal, max(least, node->goal - node->goal / 4));
	node->taken = 0;
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return node->nspare > node_keeps(node);
}

/* ---- damage ------------------------------------------------------------- */

/* Take the pages out of an arena that are free. */
static void arena_condemn(struct gh_node *node, unsigned long page)
{
	unsigned long end = page + GH_ARENA_PAGES, n, at, nscav;
	enum gh_page_state state;
	unsigned long flags;

	for (at = page; at < end; at += n) {
		raw_spin_lock_irqsave(&node->lock, flags);
		n = gh_pagealloc_run(&node->pa, at, end, &state);
		if (state == GH_PAGE_FREE || state == GH_PAGE_SCAVENGED)
			gh_pagealloc_alloc_at(&node->pa, at, n, &nscav);
		raw_spin_unlock_irqrestore(&node->lock, flags);
	}
}

/**
 * gh_area_condemn() - use nothing of an area any more
 * @node: its node
 * @area: the area, which somebody unmapped
 *
 * What is free there becomes nobody's, and what is freed later does at the next call.
 *
 * Context: process context, may sleep; the heap's areas_lock is held.
 */
void gh_area_condemn(struct gh_node *node, struct gh_area *area)
{
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&node->lock, flags);
	area->damaged = true;
	if (!list_empty(&area->hint)) {
		list_del_init(&area->hint);
		node->nspare -= area->vmem.narenas - area->used;
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);

	for (i = 0; i < area->used; i++)
		arena_condemn(node, (unsigned long)(area->slot + i) <<
				    GH_ARENA_PAGES_SHIFT);
}

/* ---- the end ------------------------------------------------------------ */

/* Take an area out of a node if that can do without it. */
static bool area_take_out(struct gh_node *node, struct gh_area *area)
{
	unsigned long flags;
	bool ok;

	raw_spin_lock_irqsave(&node->lock, flags);
	ok = !area->used && gh_node_area_intact(area) &&
	     node->nspare >= node_keeps(node) + area->vmem.narenas;
	if (ok) {
		list_del(&area->hint);
		list_del_rcu(&area->vmem.list);
		node->nspare -= area->vmem.narenas;
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return ok;
}

static void area_unpublish(struct gh_node *node, struct gh_area *area)
{
	unsigned int i;

	for (i = 0; i < area->vmem.narenas; i++)
		gh_arena_unpublish(gh_node_arena(node, area->slot + i));
}

/* A grace period after it was unpublished. */
static void area_release(struct gh_node *node, struct gh_area *area)
{
	area_drop_arenas(node, area, area->vmem.narenas);
	area_free_slots(node, area);
	gh_vmem_release(&area->vmem);
	gh_fixalloc_free(node->area_recs, area);
}

/*
 * The area that was added before @area, or the last one for NULL; or NULL. Readers
 * without the lock may only go forward.
 */
static struct gh_area *area_before(struct gh_node *node, struct gh_area *area)
{
	struct list_head *entry = area ? &area->vmem.list : &node->areas;
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	entry = entry->prev;
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return entry == &node->areas ? NULL :
				       list_entry(entry, struct gh_area, vmem.list);
}

/*
 * Move the areas that a node can do without to a list: the youngest first, because
 * the oldest are used again first. Nobody else takes areas out meanwhile.
 */
static void node_take_out(struct gh_node *node, struct list_head *gone)
{
	struct gh_area *area, *before;

	for (area = area_before(node, NULL); area; area = before) {
		before = area_before(node, area);
		if (!area_take_out(node, area))
			continue;
		area_unpublish(node, area);
		list_add(&area->hint, gone);
	}
}

/**
 * gh_area_trim() - give back address space that is not needed
 * @h: the heap
 *
 * Context: process context, may sleep; areas_lock is held. Waits for a grace
 * period if there is something to give back: whoever frees an object looks
 * at the arena of its address, and at nothing after that.
 */
void gh_area_trim(struct gh_heap *h)
{
	struct gh_area *area, *next;
	LIST_HEAD(gone);
	unsigned int i;

	lockdep_assert_held(&h->areas_lock);
	for (i = 0; i < h->nr_nodes; i++)
		node_take_out(h->nodes[i], &gone);
	if (list_empty(&gone))
		return;

	synchronize_rcu();
	list_for_each_entry_safe(area, next, &gone, hint)
		area_release(area->node, area);
}

static bool area_has_spans(struct gh_node *node, struct gh_area *area)
{
	unsigned int i;

	for (i = 0; i < area->vmem.narenas; i++) {
		struct gh_arena *arena = gh_node_arena(node, area->slot + i);

		if (!bitmap_empty(arena->page_inuse, GH_ARENA_PAGES))
			return true;
	}
	return false;
}

/**
 * gh_area_destroy_all() - release all address space of a node
 * @node: the node; nobody uses it
 *
 * Areas with spans in them are left mapped, as somebody may still use the
 * objects.
 *
 * Context: process context, may sleep.
 * Return: false if areas had to be left behind.
 */
bool gh_area_destroy_all(struct gh_node *node)
{
	struct gh_area *area, *next;
	bool clean = true;

	list_for_each_entry(area, &node->areas, vmem.list)
		area_unpublish(node, area);
	synchronize_rcu();

	list_for_each_entry_safe(area, next, &node->areas, vmem.list) {
		list_del(&area->vmem.list);
		if (gh_node_area_intact(area) && !area_has_spans(node, area)) {
			area_release(node, area);
			continue;
		}
		area_drop_arenas(node, area, area->vmem.narenas);
		gh_fixalloc_free(node->area_recs, area);
		clean = false;
	}
	return clean;
}
