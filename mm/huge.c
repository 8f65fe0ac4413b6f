// SPDX-License-Identifier: GPL-2.0-only
/*
 * huge: spans with a mapping of their own, outside of all nodes' pages.
 *
 * A span of more than half an arena is not taken from a page allocator: to mark
 * its pages there would keep interrupts off for long, and a buffer that grows
 * step by step would leave address space of every size behind. It is memory of
 * its own, mapped by vmap(), and all of it goes back when it is freed. It is
 * found by address as every span is: the 64 MiB of address space that it lies
 * in have a struct gh_arena, which neighbours of its kind share.
 *
 *   64 MiB            |                    |                    |
 *                 [ span A            ]g[  span B  ]g     g: unmapped page
 *   gh_arena          users: 1     users: 2
 *
 * A free may come in any context, so a worker unmaps the memory and frees it.
 *
 * Locking: gh_heap.huge_lock, a mutex, protects gh_heap.huge. It is not held while
 * memory is allocated.
 */
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "arena.h"
#include "area.h"
#include "compat.h"
#include "fault.h"
#include "gheap.h"
#include "gfp.h"
#include "huge.h"
#include "peek.h"

/* Mappings that are held, as they are where somebody unmapped arenas. */
#define MAX_WRONG	32

/* The arena of a page of a huge span, and how many pages it has from there on. */
static struct gh_arena *huge_arena(unsigned long addr, unsigned long left,
				   unsigned long *page, unsigned long *n)
{
	*page = (addr >> GH_PAGE_SHIFT) % GH_ARENA_PAGES;
	*n = min(left, GH_ARENA_PAGES - *page);
	return gh_arena_of(addr);
}

/* Share the arenas of a range of addresses, all or none. */
static int huge_get_arenas(unsigned long addr, unsigned long end)
{
	unsigned long at;

	for (at = addr; at < end; at = round_down(at, GH_ARENA_SIZE) + GH_ARENA_SIZE)
		if (!gh_arena_get(at))
			goto fail;
	return 0;

fail:
	while (at > addr) {
		struct gh_arena *arena;

		at = max(addr, round_down(at - 1, GH_ARENA_SIZE));
		arena = gh_arena_of(at);
		/* Frees may be looking at it: see gh_arena_free(). */
		if (gh_arena_put(arena)) {
			synchronize_rcu();
			gh_arena_free(arena);
		}
	}
	return -ENOMEM;
}

/* Enter a span's pages in the tables of its arenas, or take them out. */
static void huge_set_pages(struct gh_span *s, struct gh_span *entry)
{
	unsigned long addr = s->base, left = s->npages;

	while (left) {
		unsigned long page, n;
		struct gh_arena *arena = huge_arena(addr, left, &page, &n);

		left -= n;
		addr += n << GH_PAGE_SHIFT;
		while (n--)
			WRITE_ONCE(arena->spans[page++], entry);
		cond_resched();
	}
}

/*
 * Get memory with a mapping, and the arenas to find it by. Addresses where somebody
 * unmapped arenas stay mapped until the search ends, or the system would give them away
 * again.
 */
static int huge_reserve(struct gh_huge *huge, unsigned long npages, gfp_t gfp, int nid)
{
	unsigned long base, end;
	unsigned int n = 0;
	void *wrong[MAX_WRONG];
	int err;

	err = gh_vmem_map(&huge->map, npages << (GH_PAGE_SHIFT - PAGE_SHIFT),
			  gfp & GH_GFP_PAGES, nid);
	if (err)
		return err;
	for (;;) {
		base = huge->map.base;
		end = base + (npages << GH_PAGE_SHIFT);
		err = huge_get_arenas(base, end);
		if (!err || n == MAX_WRONG || !gh_area_was_there(base, end))
			break;
		wrong[n] = gh_vmem_map_elsewhere(&huge->map);
		if (!wrong[n])
			break;
		n++;
	}
	gh_vmem_unmap_others(wrong, n);
	if (err)
		gh_vmem_unmap(&huge->map);
	return err;
}

/**
 * gh_huge_map() - give a span memory and a mapping of its own
 * @h: the heap
 * @s: the record of the span; @base, @npages and @huge are set
 * @npages: heap pages
 * @gfp: allocation flags
 * @nid: preferred NUMA node; with __GFP_THISNODE the only one
 *
 * Context: process context, may sleep.
 * Return: 0, or -ENOMEM, also if @gfp does not allow to sleep.
 */
int gh_huge_map(struct gh_heap *h, struct gh_span *s, unsigned long npages,
		gfp_t gfp, int nid)
{
	struct gh_huge *huge;
	unsigned int scope;
	int err;

	if (!gh_area_may_build(gfp, npages))
		return -ENOMEM;
	/* What was freed before is to be had again. */
	gh_huge_reap(h);
	huge = gh_fixalloc_alloc(&h->huge_recs, gfp | __GFP_NOWARN);
	if (!huge)
		return -ENOMEM;

	scope = gh_gfp_scope_save(gfp);
	err = huge_reserve(huge, npages, gfp, nid);
	gh_gfp_scope_restore(scope);
	if (err) {
		gh_fixalloc_free(&h->huge_recs, huge);
		return err;
	}

	s->base = huge->map.base;
	s->npages = npages;
	s->huge = huge;
	huge->span = s;
	huge_set_pages(s, s);
	mutex_lock(&h->huge_lock);
	list_add_tail(&huge->list, &h->huge);
	h->huge_npages += npages;
	mutex_unlock(&h->huge_lock);
	return 0;
}

/**
 * gh_huge_free() - give back a huge span
 * @h: the heap
 * @s: the span, dead
 *
 * Context: any but NMI.
 */
void gh_huge_free(struct gh_heap *h, struct gh_span *s)
{
	llist_add(&s->huge->dead, &h->huge_dead);
	queue_work(gh_wq, &h->huge_work);
}

/* Take the arenas of a span away, and leave those that nobody shares in a list. */
static void huge_put_arenas(struct gh_span *s, struct gh_arena **gone)
{
	unsigned long addr = s->base, left = s->npages;

	while (left) {
		unsigned long page, n;
		struct gh_arena *arena = huge_arena(addr, left, &page, &n);

		left -= n;
		addr += n << GH_PAGE_SHIFT;
		if (gh_arena_put(arena)) {
			arena->next_gone = *gone;
			*gone = arena;
		}
	}
}

static void huge_end(struct gh_heap *h, struct gh_huge *huge,
		     struct gh_arena **gone)
{
	struct gh_span *s = huge->span;

	mutex_lock(&h->huge_lock);
	list_del(&huge->list);
	h->huge_npages -= s->npages;
	mutex_unlock(&h->huge_lock);

	huge_set_pages(s, &gh_no_span);
	huge_put_arenas(s, gone);
	if (!gh_vmem_unmap(&huge->map))
		pr_err("goheap: damage: somebody unmapped an object of %zu bytes, perhaps by kvfree()\n",
		       s->elemsize);
	gh_fixalloc_free_rcu(&h->spans, s);
	gh_fixalloc_free(&h->huge_recs, huge);
}

static void free_gone(struct gh_arena *gone)
{
	/* Frees of any address may be looking at their tables. */
	if (gone)
		synchronize_rcu();
	while (gone) {
		struct gh_arena *arena = gone;

		gone = arena->next_gone;
		gh_arena_free(arena);
	}
}

/**
 * gh_huge_reap() - end what gh_huge_free() was given
 * @h: the heap
 *
 * Context: process context, may sleep.
 */
void gh_huge_reap(struct gh_heap *h)
{
	struct llist_node *dead = llist_del_all(&h->huge_dead);
	struct gh_huge *huge, *next;
	struct gh_arena *gone = NULL;

	if (!dead)
		return;
	llist_for_each_entry_safe(huge, next, dead, dead)
		huge_end(h, huge, &gone);
	free_gone(gone);
}
GH_EXPORT_FOR_TESTS(gh_huge_reap);

/**
 * gh_huge_work() - the worker's part of gh_huge_free()
 * @work: gh_heap.huge_work
 *
 * Context: process context, may sleep.
 */
void gh_huge_work(struct work_struct *work)
{
	gh_huge_reap(container_of(work, struct gh_heap, huge_work));
}

/**
 * gh_huge_pages() - pages of huge spans
 * @h: the heap
 *
 * Return: heap pages, those included that are about to go back.
 */
unsigned long gh_huge_pages(const struct gh_heap *h)
{
	return gh_peek(h->huge_npages);
}
GH_EXPORT_FOR_TESTS(gh_huge_pages);

/**
 * gh_huge_walk() - visit every huge span in use, in order of age
 * @h: the heap
 * @fn: called for each, with huge_lock held; must bear that the span dies
 * @arg: passed to @fn
 *
 * Context: process context, may sleep.
 */
void gh_huge_walk(struct gh_heap *h, void (*fn)(struct gh_span *s, void *arg),
		  void *arg)
{
	struct gh_huge *huge;

	mutex_lock(&h->huge_lock);
	list_for_each_entry(huge, &h->huge, list)
		if (gh_span_state(huge->span) != GH_SPAN_DEAD)
			fn(huge->span, arg);
	mutex_unlock(&h->huge_lock);
}

static void huge_lose(struct gh_span *s)
{
	u8 state = gh_span_state(s);

	if (state == GH_SPAN_DEAD || state == GH_SPAN_LOST)
		return;
	/* It may be freed at this moment, and then the free has it. */
	if (!gh_try_cmpxchg_byte(&s->state, state, GH_SPAN_LOST))
		return;
	/* It must not scan what is not there. */
	if (!s->noscan)
		kmemleak_free((void *)s->base);
	pr_err("goheap: damage: somebody unmapped an object of %zu bytes, by vfree() or kvfree()\n",
	       s->elemsize);
}

/**
 * gh_huge_look() - look for huge spans that somebody unmapped, and lose them
 * @h: the heap
 *
 * Context: process context, may sleep.
 */
void gh_huge_look(struct gh_heap *h)
{
	struct gh_huge *huge;

	mutex_lock(&h->huge_lock);
	list_for_each_entry(huge, &h->huge, list)
		if (!gh_vmem_map_intact(&huge->map))
			huge_lose(huge->span);
	mutex_unlock(&h->huge_lock);
}

/**
 * gh_huge_abandon() - the end of a heap
 * @h: the heap; nobody uses it
 *
 * What is still allocated stays mapped, as somebody may use it.
 *
 * Context: process context, may sleep.
 * Return: false if there was something.
 */
bool gh_huge_abandon(struct gh_heap *h)
{
	struct gh_arena *gone = NULL;
	struct gh_huge *huge;
	bool clean = true;

	flush_work(&h->huge_work);
	gh_huge_reap(h);
	list_for_each_entry(huge, &h->huge, list) {
		huge_set_pages(huge->span, &gh_no_span);
		huge_put_arenas(huge->span, &gone);
		clean = false;
	}
	free_gone(gone);
	return clean;
}
