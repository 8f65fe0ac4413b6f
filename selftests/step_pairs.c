// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_pairs: places where CPUs meet without a lock: while one CPU stands still
 * before each instruction in turn, another executes the counterpart.
 *
 *   span publish and state     a stale pointer into a span that is being made, or
 *                              given back
 *   lookup slots and index     any address, while an arena is being made
 *   large objects' state       both free the same object: one is refused
 *   tiny words                 both change the objects of one block
 *   deferred frees             both empty the list, or one adds to it
 *   leaked spans               a free of an object, while its cache ends
 *   counters                   the statistics are read
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/topology.h>

#include "../mm/area.h"
#include "../mm/arena.h"
#include "../mm/cache.h"
#include "../mm/compat.h"
#include "../mm/defer.h"
#include "../mm/heap.h"
#include "../mm/malloc.h"
#include "../mm/mcache.h"
#include "../mm/tiny.h"
#include "step.h"

static void *object, *grown;

/* ---- stale pointers ----------------------------------------------------- */

/* Somebody still has the address of an object of a page that was freed. */
static void prepare_stale_alloc(void)
{
	object = step_kind->alloc(GFP_KERNEL);
	step_kind->free(object);
	step_drain();
}

static void run_alloc(void)
{
	object = step_kind->alloc(GFP_KERNEL);
}

static void finish_alloc(void)
{
	step_hold(&step_mine, step_kind, object);
}

static void prepare_free(void)
{
	object = step_let_go(&step_mine, 0);
}

static void run_free(void)
{
	step_kind->free(object);
}

/* No object starts in its middle, whether there is one or not. */
static void other_asks(void)
{
	void *p = READ_ONCE(object);
	size_t size = goheap_usable_size(p);

	if (size && size != SZ_8K)
		step_wrong("an object of %zu bytes", size);
	if (goheap_usable_size(p + SZ_1K))
		step_wrong("an object in the middle of one");
	goheap_owns(p);
	goheap_free(p + SZ_1K);
	step_refused++;
}

/* ---- lookup slots and the index ----------------------------------------- */

static void prepare_heap(void)
{
	step_heap = gh_heap_create("step");
	if (!step_heap) {
		step_wrong("no heap");
		return;
	}
	/*
	 * No worker of it: one that flushes the TLB waits for the CPU that stands still, and
	 * does not let the other act meanwhile.
	 */
	WRITE_ONCE(step_heap->closing, true);
	gh_area_detach(step_heap);
	object = gh_malloc(step_heap, SZ_8K, GFP_KERNEL, false, NUMA_NO_NODE);
}

/* A new heap has an arena where this CPU is, and nowhere else. */
static bool is_grow_possible(void)
{
	return cpu_to_mem(step_home) != cpu_to_mem(step_away);
}

static void run_grow(void)
{
	grown = gh_malloc(step_heap, SZ_8K, GFP_KERNEL | __GFP_THISNODE, false,
			  cpu_to_mem(step_away));
}

static void finish_heap(void)
{
	if (!grown)
		step_wrong("the heap did not grow");
	goheap_free(grown);
	goheap_free(object);
	if (!gh_heap_destroy(step_heap))
		step_wrong("something is left in the heap");
	step_heap = NULL;
}

/* As many as are looked at; those of arenas side by side are among them. */
#define LOOKUP_SLOTS	256

/* Every lookup slot leads to a table, all entries of which are spans. */
static void other_looks(void)
{
	unsigned long page, slot, base;
	size_t size;

	for (slot = 0; slot < LOOKUP_SLOTS; slot++) {
		for (page = 0; page < GH_ARENA_PAGES; page += 511) {
			struct gh_span *s = gh_span_guess(slot << GH_ARENA_SHIFT |
							  page << GH_PAGE_SHIFT);

			if (!s || READ_ONCE(s->nelems) > GH_MAX_SPAN_OBJS)
				step_wrong("no span where there should be one");
		}
	}
	/* Arenas are mostly reserved side by side. */
	base = round_down((unsigned long)object, GH_ARENA_SIZE);
	for (page = 0; page < 4 * GH_ARENA_PAGES; page += 511) {
		size = goheap_usable_size((void *)(base + (page << GH_PAGE_SHIFT)));
		if (size && size != SZ_8K)
			step_wrong("an object of %zu bytes in a new arena", size);
	}
}

/* ---- large objects ------------------------------------------------------ */

static void prepare_large(void)
{
	step_get(&step_mine, step_kind, GFP_KERNEL);
	prepare_free();
}

static void other_frees(void)
{
	step_kind->free(object);
	step_refused++;
}

/* ---- tiny objects ------------------------------------------------------- */

/* In the block that this CPU holds, the other has an object, and so has this. */
static void prepare_tiny(void)
{
	step_get(&step_mine, step_kind, GFP_KERNEL);
	step_get(&step_theirs, step_kind, GFP_KERNEL);
}

static void prepare_tiny_free(void)
{
	prepare_tiny();
	prepare_free();
}

/* The other's is the only one. */
static void prepare_tiny_theirs(void)
{
	step_get(&step_theirs, step_kind, GFP_KERNEL);
}

/* It is full. */
static void prepare_tiny_full(void)
{
	prepare_tiny();
	step_get(&step_mine, step_kind, GFP_KERNEL);
}

static void run_drain_tiny(void)
{
	preempt_disable();
	gh_tiny_drain(gh_kheap, smp_processor_id());
	preempt_enable();
}

static void other_puts(void)
{
	step_put_kind(&step_theirs, step_kind);
	step_get(&step_theirs, step_kind, GFP_KERNEL);
	step_put_kind(&step_theirs, step_kind);
}

/* ---- frees that were deferred ------------------------------------------- */

static struct llist_node *deferrable(struct step_held *held)
{
	void *p = step_let_go(held, 0);
	struct gh_span *s = gh_span_of((unsigned long)p);
	unsigned int idx;

	gh_span_find(s, (unsigned long)p, &idx);
	*gh_central_ent(s, idx).state = GH_OBJ_FREE;
	return p;
}

static void prepare_deferred(void)
{
	llist_add(deferrable(&step_mine), &gh_kheap->deferred);
	llist_add(deferrable(&step_mine), &gh_kheap->deferred);
	step_get(&step_theirs, step_kind, GFP_KERNEL);
}

static void run_deferred(void)
{
	gh_kheap->deferred_work.func(&gh_kheap->deferred_work);
}

static void run_defer(void)
{
	gh_defer_free(gh_kheap, object);
}

static void prepare_defer(void)
{
	object = deferrable(&step_mine);
	step_get(&step_theirs, step_kind, GFP_KERNEL);
}

static void other_defers(void)
{
	gh_defer_free(gh_kheap, deferrable(&step_theirs));
}

static void finish_deferred(void)
{
	irq_work_sync(&gh_kheap->deferred_work);
}

/* ---- leaked spans ------------------------------------------------------- */

static struct goheap_cache *cache;

static void prepare_leak(void)
{
	cache = goheap_cache_create("step-leak", 200, 0, 0, NULL);
	object = IS_ERR(cache) ? NULL : goheap_cache_alloc(cache, GFP_KERNEL);
	if (!object)
		step_wrong("no object to leak");
}

static void run_leak(void)
{
	goheap_cache_destroy(cache);
}

/* Its cache is being destroyed. The free is refused before and after that. */
static void other_frees_leak(void)
{
	goheap_free(object);
	step_refused++;
}

/* Its only object is not used any more, so the span can be freed. */
static void finish_leak(void)
{
	struct gh_span *s = gh_span_of((unsigned long)object);

	if (s->state != GH_SPAN_LEAKED)
		step_wrong("the span did not leak");
	gh_mheap_free_span(gh_kheap, s);
}

/* ---- counters ----------------------------------------------------------- */

/* More objects than any path has. */
#define MANY	4096

static void other_counts(void)
{
	struct goheap_stats st;

	goheap_get_stats(&st);
	if (st.objects > MANY || st.cached > st.heap_sys ||
	    st.heap_alloc > st.heap_sys || st.stack_inuse > st.heap_sys)
		step_wrong("%llu objects, %llu bytes, %llu cached", st.objects,
			   st.heap_alloc, st.cached);
}

/* ---- the table ---------------------------------------------------------- */

#define STATE(...)	(&(const struct step_state){ __VA_ARGS__ })

#define PAIR(n, k, prep, run, fin, oth, ...)				\
	{ .name = n, .kind = k, .state = STATE(__VA_ARGS__),		\
	  .prepare = prep, .fn = run, .finish = fin, .other = oth }

const struct step_path step_pairs[] = {
	PAIR("pair_publish", STEP_PAGE, prepare_stale_alloc, run_alloc,
	     finish_alloc, other_asks, 0),
	PAIR("pair_withdraw", STEP_PAGE, prepare_free, run_free, NULL,
	     other_asks, .mine = 1),
	{
		.name = "pair_grow", .kind = STEP_OWN,
		.prepare = prepare_heap, .fn = run_grow, .finish = finish_heap,
		.possible = is_grow_possible,
		.other = other_looks, .visits = 1,
	},
	PAIR("pair_large_free", STEP_LARGE, prepare_large, run_free, NULL,
	     other_frees, 0),
	PAIR("pair_big_stack_free", STEP_BIG_STACK, prepare_large, run_free,
	     NULL, other_frees, 0),
	PAIR("pair_tiny_alloc", STEP_TINY, prepare_tiny, run_alloc, finish_alloc,
	     other_puts, .cap = 8, .n = 4),
	PAIR("pair_tiny_alloc_only", STEP_TINY, prepare_tiny_theirs, run_alloc,
	     finish_alloc, other_puts, .cap = 8, .n = 4),
	PAIR("pair_tiny_alloc_block", STEP_TINY, prepare_tiny_full, run_alloc,
	     finish_alloc, other_puts, .cap = 8, .n = 4),
	PAIR("pair_tiny_free", STEP_TINY, prepare_tiny_free, run_free, NULL,
	     other_puts, .cap = 8, .n = 4),
	PAIR("pair_tiny_drain", STEP_TINY, prepare_tiny_theirs, run_drain_tiny,
	     NULL, other_puts, .cap = 8, .n = 4),
	PAIR("pair_deferred", STEP_SMALL, prepare_deferred, run_deferred,
	     finish_deferred, other_defers, .cap = 4, .n = 1, .mine = 2),
	PAIR("pair_defer", STEP_SMALL, prepare_defer, run_defer,
	     finish_deferred, other_defers, .cap = 4, .n = 1, .mine = 1),
	PAIR("pair_leak", STEP_CACHE, prepare_leak, run_leak, finish_leak,
	     other_frees_leak, 0),
	PAIR("pair_count_alloc", STEP_SMALL, NULL, run_alloc, finish_alloc,
	     other_counts, .cap = 4, .has_span = true, .left = 10, .misses = 40),
	PAIR("pair_count_free", STEP_SMALL, prepare_free, run_free, NULL,
	     other_counts, .cap = 4, .n = 4, .has_spare = true, .nspare = 4,
	     .mine = 1),
};

const unsigned int step_nr_pairs = ARRAY_SIZE(step_pairs);
