// SPDX-License-Identifier: GPL-2.0-only
/*
 * mheap: the nodes of a heap, and its spans.
 *
 * A new span comes from the node's span cache, if that has one of the layout.
 * Otherwise it is made in these steps:
 *
 *   records    fixalloc
 *   pages      the CPU's page cache, else first fit in the node, else growth
 *   memory     commit of those pages that are scavenged, with the caller's gfp
 *   publish    arena->spans[], then the in-use bit and the state
 *
 * The order of locks in the kernel's heap, from the outermost to the innermost.
 * Raw locks are taken with interrupts off.
 *
 *   0  cpus_read_lock(), drain_lock, heaps_sem (reclaim.c)
 *   1  gh_heap.caches_sem     rwsem
 *   2  gh_heap.areas_lock, gh_heap.huge_lock
 *                             mutexes
 *   3  gh_heap.scav_lock      mutex
 *   4  gh_slot.busy, gh_tiny.busy, gh_large.busy, gh_pages_cpu.busy
 *                             per-CPU flags, preemption off (busy.h)
 *   5  gh_home.lock           raw
 *   6  gh_node.lock           raw
 *   7  gh_fixalloc.lock, gh_spancache.lock, index_lock (arena.c)
 *                             raw, leaves
 *
 * Pages must be allocated without a raw lock and with preemption on, so that
 * goheap works on PREEMPT_RT. Locks 5 and 6 are never held together: an
 * mcentral frees its empty spans after it has dropped its lock.
 *
 * Names used here: h is the heap, first the node that pages should be from, s a
 * span, c an mcentral, cache a span cache.
 */
#include <linux/cpumask.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/topology.h>

#include "area.h"
#include "compat.h"
#include "gfp.h"
#include "huge.h"
#include "mheap.h"
#include "peek.h"
#include "slot.h"
#include "tinyword.h"

/* Pages of cached spans that are evicted in one step. */
#define EVICT_PAGES	256UL

/* Spans that are evicted in one step with interrupts off. */
#define EVICT_ATOMIC	16

/* Attempts to reserve address space, which others may take first. */
#define GROW_TRIES	3U

/* Attempts to get memory, between which cached spans are evicted. */
#define COMMIT_TRIES	3

/*
 * A node may have so much idle memory, and grow by so much, before it trades: this
 * share of its pages in use, but no less than a flush of all TLBs is worth.
 */
#define TRADE_SHIFT	5
#define TRADE_MIN	32UL

/* Runs that are passed over because somebody unmapped them. */
#define LOST_TRIES	64

struct gh_heap *gh_kheap __ro_after_init;
GH_EXPORT_FOR_TESTS(gh_kheap);

/* ---- spans -------------------------------------------------------------- */

/**
 * struct span_recs - the records of a span
 * @span: the span
 * @meta: bitmaps and state bytes, NULL for one object
 * @tiny: words of tiny blocks, or NULL
 */
struct span_recs {
	struct gh_span *span;
	void *meta;
	void *tiny;
};

/* Free the records of a span that was in no table. */
static void span_put_records(struct gh_heap *h, const struct span_recs *recs,
			     unsigned int nelems)
{
	if (recs->tiny)
		gh_fixalloc_free(&h->tiny_meta, recs->tiny);
	if (recs->meta)
		gh_fixalloc_free(&h->meta[gh_meta_index(nelems)], recs->meta);
	if (recs->span)
		gh_fixalloc_free(&h->spans, recs->span);
}

static bool span_get_records(struct gh_heap *h, struct span_recs *recs,
			     const struct gh_shape *shape, gfp_t gfp)
{
	unsigned int nelems = shape->nelems;

	/* 0 means not to sleep, but fixalloc would take no pages at all. */
	gfp |= __GFP_NOWARN;

	*recs = (struct span_recs) { };
	recs->span = gh_fixalloc_alloc(&h->spans, gfp);
	if (!recs->span)
		goto fail;
	if (nelems > 1) {
		recs->meta = gh_fixalloc_alloc(&h->meta[gh_meta_index(nelems)],
					       gfp);
		if (!recs->meta)
			goto fail;
	}
	if (shape->tiny) {
		recs->tiny = gh_fixalloc_alloc(&h->tiny_meta, gfp);
		if (!recs->tiny)
			goto fail;
	}
	return true;

fail:
	span_put_records(h, recs, nelems);
	return false;
}

/* Free the records of a dead span, which readers may still look at. */
static void span_retire_records(struct gh_heap *h, struct gh_span *s)
{
	if (s->tiny)
		gh_fixalloc_free_rcu(&h->tiny_meta, s->tiny);
	if (s->nelems > 1)
		gh_fixalloc_free_rcu(&h->meta[gh_meta_index(s->nelems)],
				     s->alloc_bits);
	gh_fixalloc_free_rcu(&h->spans, s);
}

/* Enter a span's pages in the arenas' tables, or take them out. */
static void span_set_pages(struct gh_span *s, struct gh_span *entry)
{
	unsigned long page = s->page;
	unsigned long left = s->npages;

	while (left) {
		struct gh_arena *arena = gh_node_arena_of_page(s->node, page);
		unsigned long i = page % GH_ARENA_PAGES;
		unsigned long n = min(left, GH_ARENA_PAGES - i);

		page += n;
		left -= n;
		while (n--)
			WRITE_ONCE(arena->spans[i++], entry);
	}
}

/* Note that the pages are used. Returns whether any of them was used before. */
static bool span_use_pages(struct gh_span *s)
{
	unsigned long page = s->page;
	unsigned long left = s->npages;
	bool used = false;

	while (left) {
		unsigned long i = page % GH_ARENA_PAGES;
		unsigned long n = min(left, GH_ARENA_PAGES - i);

		used |= gh_arena_use(gh_node_arena_of_page(s->node, page), i, n);
		page += n;
		left -= n;
	}
	return used;
}

/*
 * A large span that is freed stays in the tables as long as it is cached,
 * because it may have thousands of pages, all of which would have to be entered
 * again. A lookup then finds a dead span. Other spans are taken out.
 */
static void span_enter(struct gh_span *s)
{
	struct gh_arena *arena = gh_node_arena_of_page(s->node, s->page);

	/* Pairs with the dependent reads of those who found it in the table. */
	smp_wmb();
	span_set_pages(s, s);
	set_bit(s->page % GH_ARENA_PAGES, arena->page_inuse);
}

static void span_leave(struct gh_span *s)
{
	struct gh_arena *arena = gh_node_arena_of_page(s->node, s->page);

	clear_bit(s->page % GH_ARENA_PAGES, arena->page_inuse);
	span_set_pages(s, &gh_no_span);
}

static void span_publish(struct gh_span *s, u8 state)
{
	if (state == GH_SPAN_STACK)
		atomic_long_add(s->npages, &s->node->stack_pages);
	/* Pairs with the acquire in gh_span_state(). */
	smp_store_release(&s->state, state);
}

/*
 * A free may be given any pointer, so the span that it looks at may die at any
 * time. It must not then take an object of another span, or of another
 * mcentral, for one of this span. It cannot do that, for these reasons:
 *
 *  1. The lookup and all use of what it found are in one RCU read section. In
 *     the fast path preemption is off from before gh_span_guess() until the
 *     object is in the magazine, which is such a section on every kernel, also
 *     on PREEMPT_RT and on kernels that do not count preemption.
 *  2. A span dies only when all of its objects are free and in no magazine. So
 *     from here on all of its state bytes say "free", and the words of tiny
 *     blocks are zero. A reader may see some fields as they were before the
 *     span died and some as they are now, but it finds no object that is
 *     allocated, and refuses the free. (If it has seen the object allocated
 *     before, two tasks have freed one object at the same moment. That is
 *     another matter: see gh_central_release().)
 *  3. The records (span, bitmaps with state bytes, words of tiny blocks) go to
 *     gh_fixalloc_free_rcu() after the last table entry that leads to them is
 *     gone. They are not used again, and their memory stays, until all sections
 *     that began before are over. Sections that begin later find the next span
 *     and, because it is stored before the table's entry, the mcentral of that.
 *     Until span_open() that span refuses frees, because @nmalloc and @ncache
 *     are 0.
 *  4. Meanwhile only the first word of a record changes: @base of the span, a
 *     word of alloc bits, the link of the tiny words. With a wrong base any
 *     index may result, but one that is too large is refused, and the state
 *     byte of any other says "free". Tiny words are found without the base, and
 *     say "free" too.
 *  5. A span in the span cache is reused without a grace period only for the
 *     mcentral that it had before, and always with the layout that it had (and
 *     one with memory of the reserves is never in the cache). Then
 *     every field that a reader may have seen has the same value again, so the
 *     free is the same as one that comes later: of a stale pointer to an object
 *     that was allocated again. For another mcentral the reader's section must
 *     be over, see span_is_for() in spancache.c. Large spans stay in the table
 *     while they are cached, but only the slow path frees their objects, and it
 *     loads @state with acquire before all else.
 *
 * None of this concerns a valid free: its object keeps the span alive until it
 * has come back to the span.
 */
static void span_withdraw(struct gh_span *s)
{
	if (s->state == GH_SPAN_STACK)
		atomic_long_sub(s->npages, &s->node->stack_pages);
	WRITE_ONCE(s->nmalloc, 0);
	WRITE_ONCE(s->ncache, 0);
	WRITE_ONCE(s->state, GH_SPAN_DEAD);
}

/* Free the pages and the records of a dead span, which is in no table. */
static void span_discard(struct gh_heap *h, struct gh_span *s)
{
	struct gh_node *node = s->node;
	unsigned long page = s->page;
	unsigned long npages = s->npages;
	bool guard = s->guard;
	bool mixed = s->reserve;
	struct page *memory = s->guard_memory;
	struct gh_run run = { .page = page, .npages = npages };

	span_retire_records(h, s);
	if (unlikely(mixed))
		gh_node_free_mixed(node, &run);
	else
		gh_node_free_pages(node, page, npages);
	if (guard)
		gh_node_unguard(node, page + npages, memory);
	atomic_long_sub(npages, &node->span_pages);
	atomic_long_dec(&node->nspans);
}

/* As span_discard(), for a span that was in the span cache. */
static void span_evict(struct gh_heap *h, struct gh_span *s)
{
	if (gh_span_of(s->base) == s)
		span_leave(s);
	span_discard(h, s);
}

/* Evict spans of the node's cache, of @npages or more. Returns their pages. */
static unsigned long heap_evict(struct gh_heap *h, struct gh_node *node,
				unsigned long npages)
{
	/* Small spans take some 2,000 instructions each. */
	unsigned int left = irqs_disabled() ? EVICT_ATOMIC : UINT_MAX;
	unsigned long done = 0;

	while (done < npages && left--) {
		struct gh_span *s = gh_spancache_take_victim(&node->cache);

		if (!s)
			break;
		done += s->npages;
		span_evict(h, s);
	}
	return done;
}

/*
 * Evict some of the @left pages that were cached when the caller's loop began. Others
 * may cache spans as fast as these go, and it would not end. Returns the pages.
 */
static unsigned long heap_evict_some(struct gh_heap *h, struct gh_node *node,
				     unsigned long *left)
{
	unsigned long n = heap_evict(h, node, min(*left, EVICT_PAGES));

	*left -= min(*left, n);
	return n;
}

/*
 * kmemleak must look for pointers in spans that may hold some, or it would
 * report what they point to as leaked. Where it cannot have memory for its own record,
 * it is not told, and may report such objects.
 */
static void span_tell_kmemleak(struct gh_span *s, gfp_t gfp)
{
	if (!s->noscan && !gh_pages_cannot_be_had())
		kmemleak_alloc((void *)s->base, s->npages << GH_PAGE_SHIFT, 0,
			       gfp);
}

static void span_forget_kmemleak(struct gh_span *s)
{
	if (!s->noscan)
		kmemleak_free((void *)s->base);
}

/* ---- pages -------------------------------------------------------------- */

/*
 * Memory that this CPU and the node hold back must be used up before more is
 * taken from the system. The pages of cached spans may not be adjacent, so
 * evict more of them than are wanted.
 */
static bool heap_give_up_some(struct gh_heap *h, struct gh_node *node,
			      unsigned long npages, gfp_t gfp)
{
	if (h->spill)
		h->spill(h, gfpflags_allow_blocking(gfp));
	return heap_evict(h, node, min(4 * npages, EVICT_PAGES));
}

/* Take pages of an arena that is not in use yet; reserve one if that is allowed. */
static bool heap_grow_for(struct gh_heap *h, struct gh_node *node,
			  struct gh_run *run, gfp_t gfp)
{
	unsigned int tries = GROW_TRIES;
	bool ok;

	ok = gh_node_take_or_grow(node, run);
	while (!ok && tries-- && gh_area_may_build(gfp, run->npages) &&
	       !gh_area_build(node, gfp))
		/* Others may have taken what was built. */
		ok = gh_node_take_or_grow(node, run);
	gh_area_kick(h);
	return ok;
}

/* Find pages in a node, if need be by evicting cached spans. */
static bool heap_take_from(struct gh_heap *h, struct gh_node *node,
			   struct gh_run *run, gfp_t gfp)
{
	unsigned long left;

	if (gh_node_take_pages(node, run)) {
		if (likely(!run->nscav) ||
		    !heap_give_up_some(h, node, run->npages, gfp))
			return true;
		gh_node_free_mixed(node, run);
		return gh_node_take_pages(node, run);
	}

	left = gh_peek(node->cache.npages);
	while (READ_ONCE(node->pa.nfree) + gh_peek(node->cache.npages) >=
	       run->npages && heap_evict_some(h, node, &left)) {
		if (gh_node_take_pages(node, run))
			return true;
		/* Interrupts may be off, so do no more than one step. */
		if (!gfpflags_allow_blocking(gfp))
			break;
		cond_resched();
	}
	return false;
}

/* Find pages in a node, else grow it. */
static bool heap_take_pages(struct gh_heap *h, struct gh_node *node,
			    struct gh_run *run, gfp_t gfp)
{
	if (unlikely(gh_node_wants_spare(node)))
		gh_area_kick(h);
	return heap_take_from(h, node, run, gfp) ||
	       heap_grow_for(h, node, run, gfp);
}

/**
 * gh_mheap_evict() - free the pages of all cached spans
 * @h: the heap
 *
 * Context: any but NMI.
 * Return: number of heap pages.
 */
unsigned long gh_mheap_evict(struct gh_heap *h)
{
	unsigned long done = 0;
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++)
		done += heap_evict(h, h->nodes[i],
				   gh_peek(h->nodes[i]->cache.npages));
	return done;
}
GH_EXPORT_FOR_TESTS(gh_mheap_evict);

/* Is the area of a run still ours? Else nothing may be mapped there. */
static bool run_is_intact(const struct gh_node *node, const struct gh_run *run)
{
	return gh_node_area_intact(gh_node_arena_of_page(node, run->page)->area);
}

/*
 * A run of @npages is to get memory from the system, because no run of free pages
 * that have some is long enough. These cannot lend it before all TLBs have been
 * flushed, so give as much back instead. Otherwise a heap would grow by its holes.
 */
static void heap_trade(struct gh_heap *h, struct gh_node *node,
		       unsigned long npages, gfp_t gfp)
{
	long share = max(gh_node_pages_inuse(node) >> TRADE_SHIFT, TRADE_MIN);

	if ((long)gh_node_idle_committed(node) < share ||
	    atomic_long_add_return(npages, &node->untraded) < share)
		return;
	/* Whoever has the lock does as much. */
	if (!gfpflags_allow_blocking(gfp) || !mutex_trylock(&h->scav_lock))
		return;
	gh_node_scavenge(node, atomic_long_xchg(&node->untraded, 0));
	mutex_unlock(&h->scav_lock);
}

/*
 * Take pages of a node, with memory behind all but the last @guard of them. @gfp
 * is the caller's, and @memory says how to get that.
 */
static bool heap_try_node(struct gh_heap *h, struct gh_node *node,
			  struct gh_run *run, unsigned int guard, gfp_t gfp,
			  gfp_t memory)
{
	unsigned int tries = COMMIT_TRIES;
	int got, lost = LOST_TRIES;

	while (tries-- && heap_take_pages(h, node, run, gfp)) {
		if (unlikely(!run_is_intact(node, run))) {
			/* The pages are lost; the next tick finds out more. */
			gh_mheap_kick(h);
			tries += lost-- > 0;
			continue;
		}
		if (!run->nscav)
			return true;
		heap_trade(h, node, min(run->nscav, run->npages - guard), gfp);
		got = gh_vmem_commit(gh_node_page_addr(node, run->page),
				     (run->npages - guard) << GH_PAGE_SHIFT,
				     memory & GH_GFP_PAGES, node->nid);
		run->reserve = got > 0;
		if (got >= 0)
			return true;

		/* The pages of cached spans have memory: evict some. */
		gh_node_free_mixed(node, run);
		if (!heap_evict(h, node, gfpflags_allow_blocking(gfp) ?
					 gh_peek(node->cache.npages) : EVICT_PAGES))
			break;
	}
	return false;
}

/* The next NUMA node by distance from @nid that is not in @tried; or -1. */
static int heap_next_numa(struct gh_heap *h, int nid, unsigned long *tried)
{
	int i, best = gh_numa_index(nid);

	if (test_bit(best, tried))
		best = -1;
	for (i = 0; i < h->nr_numa; i++) {
		if (test_bit(i, tried))
			continue;
		if (best < 0 || node_distance(nid, h->numa[i][0]->nid) <
				node_distance(nid, h->numa[best][0]->nid))
			best = i;
	}
	if (best >= 0)
		__set_bit(best, tried);
	return best;
}

/*
 * Take pages with memory of the nearest NUMA node that has some.
 *
 * As in the page allocator, all nodes are asked for what they have before any of
 * it is reclaimed, or taken from the reserves. A node takes memory of its NUMA node
 * only, so that a span is where its node says. If none has any, whatever the system
 * can reclaim will do, from wherever it is: that goes to the node that is nobody's
 * nearest.
 */
static struct gh_node *heap_take_memory(struct gh_heap *h,
					struct gh_node *first,
					struct gh_run *run, unsigned int guard,
					gfp_t gfp)
{
	gfp_t light = (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_THISNODE |
		      __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC;
	/* An arena of the eager back-end is memory, so no node makes one yet. */
	gfp_t take = gh_vmem_is_sparse() ? gfp : light;
	struct gh_node *node, *last = h->numa[h->nr_numa][first->noscan];
	unsigned long tried = 0;
	int numa;

	if (gfp & __GFP_THISNODE || !h->any)
		return heap_try_node(h, first, run, guard, gfp, gfp) ? first : NULL;

	while ((numa = heap_next_numa(h, first->nid, &tried)) >= 0) {
		node = h->numa[numa][first->noscan];
		if (heap_try_node(h, node, run, guard, take, light))
			return node;
	}

	if (!gh_vmem_is_sparse() &&
	    heap_try_node(h, last, run, guard, take, light))
		return last;
	/* With one node, what it can reclaim comes before what may come later. */
	if ((!gh_vmem_is_sparse() || h->nr_numa == 1) &&
	    heap_try_node(h, first, run, guard, gfp, gfp | __GFP_THISNODE))
		return first;
	return heap_try_node(h, last, run, guard, gfp, gfp) ? last : NULL;
}

/* ---- allocation and free ------------------------------------------------ */

/*
 * Must be done before the span can be found. Otherwise a reader could compare
 * the mcentral that the span had before, and then see it opened for this one.
 * Frees must not take the fast path before the mcentral has prepared the
 * objects: it sets @slots, @nmalloc and @ncache.
 */
static void span_assign(struct gh_span *s, const struct gh_shape *shape,
			struct gh_central *central)
{
	s->central = central;
	s->name = shape->name;
	s->noscan = shape->noscan;
	s->cached = false;
	s->sweepgen = 0;
	s->slots = &gh_no_slot;
	s->nmalloc = 0;
	s->ncache = 0;
}

static void span_set_shape(struct gh_span *s, const struct gh_shape *shape,
			   const struct span_recs *recs)
{
	s->elemsize = shape->elemsize;
	s->npages = shape->npages;
	s->nelems = shape->nelems;
	s->large = shape->large;
	s->tiny = recs->tiny;
	gh_span_start(s, recs->meta);
}

/* Give a span pages of a node. */
static int span_take_pages(struct gh_heap *h, struct gh_span *s,
			   struct gh_node *first, const struct gh_shape *shape,
			   gfp_t gfp)
{
	/* Address space is free where arenas are sparse. */
	unsigned int guard = shape->large && gh_vmem_is_sparse();
	struct gh_run run = { .npages = shape->npages + guard };
	struct gh_node *node;
	bool used;

	node = heap_take_memory(h, first, &run, guard, gfp);
	if (!node)
		return -ENOMEM;
	s->base = gh_node_page_addr(node, run.page);
	s->npages = shape->npages;
	s->node = node;
	s->page = run.page;
	s->guard = guard;
	s->reserve = run.reserve;
	if (guard)
		s->guard_memory = gh_node_guard(node, run.page + s->npages);

	/* It is zero if commit has zeroed all of it, or it was never used. */
	used = span_use_pages(s);
	if (gh_vmem_is_sparse())
		s->needzero = run.nscav < run.npages || !(gfp & __GFP_ZERO);
	else
		s->needzero = used;
	return 0;
}

/* Give a huge span memory of its own, of one NUMA node if that has so much. */
static int span_map(struct gh_heap *h, struct gh_span *s, struct gh_node *first,
		    const struct gh_shape *shape, gfp_t gfp)
{
	int err;

	s->node = first;
	s->guard = 0;
	s->reserve = false;
	s->needzero = !(gfp & __GFP_ZERO);
	if (gfp & __GFP_THISNODE || !h->any)
		return gh_huge_map(h, s, shape->npages, gfp, first->nid);

	err = gh_huge_map(h, s, shape->npages, gfp | __GFP_THISNODE |
			  __GFP_NORETRY | __GFP_NOWARN, first->nid);
	if (!err)
		return 0;
	s->node = h->numa[h->nr_numa][first->noscan];
	return gh_huge_map(h, s, shape->npages, gfp, NUMA_NO_NODE);
}

/* Make a span of free pages. It is in the tables, but still dead. */
static noinline struct gh_span *span_make(struct gh_heap *h,
					  struct gh_node *first,
					  const struct gh_shape *shape,
					  struct gh_central *central, gfp_t gfp)
{
	struct span_recs recs;
	struct gh_span *s;
	int err;

	if (!span_get_records(h, &recs, shape, gfp))
		return NULL;
	s = recs.span;
	INIT_LIST_HEAD(&s->list);
	s->huge = NULL;
	if (gh_huge_is(shape->npages))
		err = span_map(h, s, first, shape, gfp);
	else
		err = span_take_pages(h, s, first, shape, gfp);
	if (err) {
		span_put_records(h, &recs, shape->nelems);
		return NULL;
	}

	span_set_shape(s, shape, &recs);
	span_assign(s, shape, central);
	atomic_long_add(s->npages, &s->node->span_pages);
	atomic_long_inc(&s->node->nspans);
	if (!s->huge)
		span_enter(s);
	return s;
}

/* Make all objects of a span from the cache free. */
static noinline void span_renew(struct gh_span *s)
{
	if (s->tiny)
		memset(s->tiny, 0, sizeof(*s->tiny));
	gh_span_start(s, s->nelems > 1 ? s->alloc_bits : NULL);
	span_enter(s);
}

/**
 * gh_mheap_alloc_span() - make a new span
 * @h: the heap
 * @shape: its layout
 * @central: the mcentral that it will belong to
 * @gfp: for the pages; with __GFP_ZERO new pages are zeroed, see needzero
 * @nid: preferred NUMA node, or NUMA_NO_NODE for the nearest
 *
 * Context: any in which @gfp may be used; not NMI, preemption on if @gfp may
 * sleep.
 * Return: the span, which is in no set, and whose objects are all free; or
 * NULL.
 */
struct gh_span *gh_mheap_alloc_span(struct gh_heap *h,
				    const struct gh_shape *shape,
				    struct gh_central *central, gfp_t gfp,
				    int nid)
{
	struct gh_node *node;
	struct gh_span *s;

	might_alloc(gfp);
	if (nid == NUMA_NO_NODE)
		nid = gh_numa_here();
	node = gh_mheap_node(h, nid, shape->noscan);
	if (gfp & __GFP_THISNODE && node->nid != nid)
		return NULL;

	s = gh_spancache_take(&node->cache, shape, central);
	if (likely(s)) {
		s->needzero = true;
		s->reserve = false;
		span_assign(s, shape, central);
		if (!s->large)
			span_renew(s);
	} else {
		s = span_make(h, node, shape, central, gfp);
		if (!s)
			return NULL;
	}

	span_publish(s, shape->state);
	span_tell_kmemleak(s, gfp);
	return s;
}
GH_EXPORT_FOR_TESTS(gh_mheap_alloc_span);

/*
 * The cache is full. Evict one other span, so that the cache comes to hold the
 * layouts that are freed now, and try again.
 */
static noinline void heap_cache_anyway(struct gh_heap *h, struct gh_span *s)
{
	struct gh_spancache *cache = &s->node->cache;
	struct gh_span *victim = NULL;

	if (s->npages <= cache->max_pages)
		victim = gh_spancache_take_victim(cache);
	if (victim)
		span_evict(h, victim);
	if (gh_spancache_put(cache, s))
		return;

	if (s->large)
		span_leave(s);
	span_discard(h, s);
}

/* Free a span that is dead, or keep it for reuse. */
static void heap_free_dead(struct gh_heap *h, struct gh_span *s)
{
	if (s->huge) {
		atomic_long_sub(s->npages, &s->node->span_pages);
		atomic_long_dec(&s->node->nspans);
		gh_huge_free(h, s);
		return;
	}
	if (!s->large)
		span_leave(s);
	if (unlikely(!gh_spancache_put(&s->node->cache, s)))
		heap_cache_anyway(h, s);
	gh_mheap_kick(h);
}

static void heap_free_later(struct gh_heap *h, struct gh_span *s)
{
	llist_add(&s->dead, &h->dead_spans);
	queue_work(gh_wq, &h->dead_work);
}

/* The reserves get their memory back: nobody else may have it before. */
static void span_decommit(struct gh_span *s, struct gh_vmem_batch *batch)
{
	span_leave(s);
	if (gh_node_area_intact(gh_node_arena_of_page(s->node, s->page)->area))
		gh_vmem_decommit(batch, s->base, s->npages << GH_PAGE_SHIFT);
	else
		/* Nor is the memory to be looked at. */
		s->reserve = false;
}

/**
 * gh_mheap_free_span() - free a span
 * @h: the heap
 * @s: the span, which is in no set, and of whose objects none is in use
 *
 * Context: any but NMI.
 */
void gh_mheap_free_span(struct gh_heap *h, struct gh_span *s)
{
	/* Its memory is gone; see damage.c. */
	if (unlikely(s->state == GH_SPAN_LOST))
		return;
	span_forget_kmemleak(s);
	span_withdraw(s);
	if (unlikely(s->reserve))
		heap_free_later(h, s);
	else
		heap_free_dead(h, s);
}
GH_EXPORT_FOR_TESTS(gh_mheap_free_span);

/**
 * gh_mheap_free_span_later() - have a worker free a span
 * @h: the heap
 * @s: the span, as for gh_mheap_free_span()
 *
 * Context: any but NMI.
 */
void gh_mheap_free_span_later(struct gh_heap *h, struct gh_span *s)
{
	if (unlikely(s->state == GH_SPAN_LOST))
		return;
	span_forget_kmemleak(s);
	span_withdraw(s);
	heap_free_later(h, s);
}

/**
 * gh_mheap_dead_work() - free spans that could not be freed at once
 * @work: gh_heap.dead_work
 *
 * Context: process context, may sleep.
 */
void gh_mheap_dead_work(struct work_struct *work)
{
	struct gh_heap *h = container_of(work, struct gh_heap, dead_work);
	struct gh_vmem_batch batch;
	struct gh_span *s, *next;
	LIST_HEAD(reserve);

	gh_vmem_batch_init(&batch);
	llist_for_each_entry_safe(s, next, llist_del_all(&h->dead_spans), dead) {
		/* The link was in the same place. */
		INIT_LIST_HEAD(&s->list);
		if (unlikely(s->reserve)) {
			span_decommit(s, &batch);
			list_add(&s->list, &reserve);
		} else {
			heap_free_dead(h, s);
		}
		cond_resched();
	}

	gh_vmem_batch_free(&batch);
	list_for_each_entry_safe(s, next, &reserve, list)
		span_discard(h, s);
}

static void walk_page(struct gh_arena *arena, unsigned long page,
		      void (*fn)(struct gh_span *s, void *arg), void *arg)
{
	struct gh_span *s;

	rcu_read_lock();
	s = gh_arena_span(arena, page);
	if (s && gh_span_state(s) != GH_SPAN_DEAD)
		fn(s, arg);
	rcu_read_unlock();
}

/**
 * gh_mheap_walk_spans() - visit every span in use, in order of address
 * @h: the heap
 * @fn: called for each in an RCU read section, so it must not sleep; the span
 *	may change or die while it runs
 * @arg: passed to @fn
 *
 * Context: process context, may sleep.
 */
void gh_mheap_walk_spans(struct gh_heap *h,
			 void (*fn)(struct gh_span *s, void *arg), void *arg)
{
	unsigned int i, slot;
	unsigned long bit;

	mutex_lock(&h->areas_lock);
	for (i = 0; i < h->nr_nodes; i++) {
		struct gh_node *node = h->nodes[i];

		for (slot = 0; slot < READ_ONCE(node->nslots); slot++) {
			struct gh_arena *arena = gh_node_arena(node, slot);

			if (!arena)
				continue;
			for_each_set_bit(bit, arena->page_inuse, GH_ARENA_PAGES) {
				walk_page(arena, bit, fn, arg);
				cond_resched();
			}
		}
	}
	mutex_unlock(&h->areas_lock);
	gh_huge_walk(h, fn, arg);
}
GH_EXPORT_FOR_TESTS(gh_mheap_walk_spans);

/* ---- freeing memory ----------------------------------------------------- */

/* Can a node have memory of this NUMA node? */
static bool node_is_of(const struct gh_node *node, int nid)
{
	return nid == NUMA_NO_NODE || node->nid == nid ||
	       node->nid == NUMA_NO_NODE;
}

/* Evict cached spans until @npages free pages have memory, or none is left. */
static void heap_evict_for(struct gh_heap *h, struct gh_node *node,
			   unsigned long npages)
{
	unsigned long left = gh_peek(node->cache.npages);

	while (gh_node_idle_committed(node) < npages &&
	       heap_evict_some(h, node, &left))
		cond_resched();
}

/**
 * gh_mheap_scavenge() - free the memory of free pages
 * @h: the heap
 * @nid: the NUMA node that the memory is to be of, or NUMA_NO_NODE for any
 * @npages: heap pages, at most; highest addresses first
 * @evict: whether cached spans are evicted if there are not so many free pages
 *
 * Allocates nothing, so it may be part of reclaim.
 *
 * Context: process context, may sleep; under scav_lock.
 * Return: heap pages whose memory was freed.
 */
unsigned long gh_mheap_scavenge(struct gh_heap *h, int nid,
				unsigned long npages, bool evict)
{
	unsigned long done = 0;
	unsigned int i;

	lockdep_assert_held(&h->scav_lock);

	if (!gh_vmem_is_sparse())
		return 0;
	/* The last nodes are nobody's nearest. */
	for (i = h->nr_nodes; i-- > 0 && done < npages; )
		if (node_is_of(h->nodes[i], nid))
			done += gh_node_scavenge(h->nodes[i], npages - done);
	for (i = h->nr_nodes; evict && i-- > 0 && done < npages; ) {
		if (!node_is_of(h->nodes[i], nid))
			continue;
		heap_evict_for(h, h->nodes[i], npages - done);
		done += gh_node_scavenge(h->nodes[i], npages - done);
	}
	gh_mheap_show_idle(h);
	return done;
}
GH_EXPORT_FOR_TESTS(gh_mheap_scavenge);

/**
 * gh_mheap_reclaimable() - memory that gh_mheap_scavenge() could free
 * @h: the heap
 * @nid: of that NUMA node
 *
 * Context: any.
 * Return: heap pages.
 */
unsigned long gh_mheap_reclaimable(const struct gh_heap *h, int nid)
{
	unsigned long n = 0;
	unsigned int i;

	if (!gh_vmem_is_sparse())
		return 0;
	for (i = 0; i < h->nr_nodes; i++)
		if (node_is_of(h->nodes[i], nid))
			n += gh_node_reclaimable(h->nodes[i]);
	return n;
}

/**
 * gh_mheap_show_idle() - tell the system how much of its memory is idle here
 * @h: the heap
 *
 * Not at each change, as that would cost each span something.
 *
 * Context: any but NMI.
 */
void gh_mheap_show_idle(struct gh_heap *h)
{
	unsigned int i;

	if (!gh_vmem_is_sparse())
		return;
	for (i = 0; i < h->nr_nodes; i++)
		gh_node_show(h->nodes[i], gh_node_reclaimable(h->nodes[i]));
}
GH_EXPORT_FOR_TESTS(gh_mheap_show_idle);

/* Returns true if spans are left that may be idle the next time. */
static bool heap_age_node(struct gh_heap *h, struct gh_node *node)
{
	struct gh_spancache *cache = &node->cache;
	struct gh_span *s;
	unsigned int i;

	for (i = 0; i < GH_SPANBINS; i++) {
		while ((s = gh_spancache_take_oldest(cache, &cache->bin[i], true))) {
			span_evict(h, s);
			cond_resched();
		}
		gh_spancache_look(cache, &cache->bin[i]);
	}
	return gh_peek(cache->nspans);
}

/**
 * gh_mheap_age() - evict the spans that were not needed since the last call
 * @h: the heap
 *
 * Context: process context, may sleep.
 * Return: true if there are spans left to look at again.
 */
bool gh_mheap_age(struct gh_heap *h)
{
	bool more = false;
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++)
		more |= heap_age_node(h, h->nodes[i]);
	return more;
}
GH_EXPORT_FOR_TESTS(gh_mheap_age);

/**
 * gh_mheap_age_areas() - give back address space that is idle
 * @h: the heap
 *
 * Context: process context, may sleep.
 */
void gh_mheap_age_areas(struct gh_heap *h)
{
	bool more = false;
	unsigned int i;

	mutex_lock(&h->areas_lock);
	for (i = 0; i < h->nr_nodes; i++)
		more |= gh_area_age(h->nodes[i]);
	if (more)
		gh_area_trim(h);
	mutex_unlock(&h->areas_lock);
}
GH_EXPORT_FOR_TESTS(gh_mheap_age_areas);

static void flush_pages(struct gh_pages_cpu *pcpu)
{
	struct gh_node *node = pcpu->node;
	unsigned long flags;

	/* Data has none of its own where arenas are eager. */
	if (!node)
		return;
	preempt_disable();
	gh_busy_begin(&pcpu->busy);
	raw_spin_lock_irqsave(&node->lock, flags);
	gh_pagecache_flush(&node->pa, &pcpu->pc);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	gh_busy_end(&pcpu->busy);
	preempt_enable();
}

/**
 * gh_mheap_flush_pages() - empty a CPU's page caches into their nodes
 * @h: the heap
 * @cpu: this CPU with preemption off, or one that is dead
 *
 * Context: process context.
 */
void gh_mheap_flush_pages(struct gh_heap *h, unsigned int cpu)
{
	flush_pages(per_cpu_ptr(h->pages_cpu[0], cpu));
	flush_pages(per_cpu_ptr(h->pages_cpu[1], cpu));
}
GH_EXPORT_FOR_TESTS(gh_mheap_flush_pages);

/**
 * gh_mheap_holds_pages() - ask whether a CPU has pages in its page caches
 * @h: the heap
 * @cpu: the CPU
 *
 * Return: true if it has.
 */
bool gh_mheap_holds_pages(const struct gh_heap *h, unsigned int cpu)
{
	return gh_peek(per_cpu_ptr(h->pages_cpu[0], cpu)->pc.cache) ||
	       gh_peek(per_cpu_ptr(h->pages_cpu[1], cpu)->pc.cache);
}

/* Pages of a node that have no memory. */
static unsigned long node_released(const struct gh_node *node)
{
	return READ_ONCE(node->pa.nscav) + atomic_long_read(&node->nguards);
}

static unsigned long pagecache_released(const struct gh_pages_cpu *pcpu)
{
	return hweight64(gh_peek(pcpu->pc.scav));
}

/**
 * gh_mheap_released() - pages of all arenas that have no memory
 * @h: the heap
 *
 * Context: any; exact while nobody allocates.
 * Return: heap pages.
 */
unsigned long gh_mheap_released(const struct gh_heap *h)
{
	unsigned long n = 0;
	unsigned int i;
	int cpu;

	for (i = 0; i < h->nr_nodes; i++)
		n += node_released(h->nodes[i]);
	for_each_possible_cpu(cpu) {
		n += pagecache_released(per_cpu_ptr(h->pages_cpu[0], cpu));
		n += pagecache_released(per_cpu_ptr(h->pages_cpu[1], cpu));
	}
	return n;
}
GH_EXPORT_FOR_TESTS(gh_mheap_released);

/**
 * gh_mheap_inuse() - pages of spans in use
 * @h: the heap
 *
 * Return: heap pages.
 */
unsigned long gh_mheap_inuse(const struct gh_heap *h)
{
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++)
		n += gh_node_pages_inuse(h->nodes[i]);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_mheap_inuse);

/**
 * gh_mheap_idle_committed() - free pages that have memory
 * @h: the heap
 *
 * Return: heap pages whose memory gh_mheap_scavenge() could free.
 */
unsigned long gh_mheap_idle_committed(const struct gh_heap *h)
{
	unsigned long n = 0;
	unsigned int i;

	if (!gh_vmem_is_sparse())
		return 0;
	for (i = 0; i < h->nr_nodes; i++)
		n += gh_node_idle_committed(h->nodes[i]);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_mheap_idle_committed);

/**
 * gh_mheap_cached() - pages of cached spans
 * @h: the heap
 *
 * Return: heap pages, neither in use nor free.
 */
unsigned long gh_mheap_cached(const struct gh_heap *h)
{
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++)
		n += gh_peek(h->nodes[i]->cache.npages);
	return n;
}
GH_EXPORT_FOR_TESTS(gh_mheap_cached);

/**
 * gh_mheap_kick() - queue the background worker, unless it is queued
 * @h: the heap
 *
 * Context: any but NMI.
 */
void gh_mheap_kick(struct gh_heap *h)
{
	if (!delayed_work_pending(&h->background) && !READ_ONCE(h->closing))
		queue_delayed_work(gh_wq, &h->background, HZ);
}

/* ---- life --------------------------------------------------------------- */

/**
 * gh_mheap_init() - set up what all heaps share
 *
 * Return: 0 or -ENOMEM.
 */
int gh_mheap_init(void)
{
	gh_numa_init();
	return gh_area_init();
}

/**
 * gh_mheap_exit() - free what all heaps share; every heap was destroyed
 */
void gh_mheap_exit(void)
{
	gh_area_exit();
}

/**
 * gh_mheap_set_cpu() - let a CPU take pages from the nearest nodes
 * @h: the heap
 * @cpu: the CPU, on which nothing runs yet, or that does not know the heap yet
 *
 * Context: any.
 */
void gh_mheap_set_cpu(struct gh_heap *h, unsigned int cpu)
{
	unsigned int kind;

	for (kind = 0; kind < 2; kind++) {
		struct gh_node *node = gh_mheap_node(h, cpu_to_node(cpu), kind);

		if (node->noscan == kind)
			per_cpu_ptr(h->pages_cpu[kind], cpu)->node = node;
	}
}

/**
 * gh_mheap_node() - the heap's node for a NUMA node and a kind of spans
 * @h: the heap
 * @nid: a NUMA node
 * @noscan: the spans hold no pointers
 *
 * Return: the node.
 */
struct gh_node *gh_mheap_node(struct gh_heap *h, int nid, bool noscan)
{
	return h->numa[gh_numa_index(nid)][noscan];
}
GH_EXPORT_FOR_TESTS(gh_mheap_node);
