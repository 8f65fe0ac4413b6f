// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_paths: what is executed instruction by instruction: allocations and frees.
 */
#include <linux/kernel.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>

#include "../mm/compat.h"
#include "../mm/malloc.h"
#include "../mm/mcache.h"
#include "step.h"

#define BULK	6

/* What the current path allocates or frees. */
static void *object;
static void *objects[BULK];
static unsigned int nr_objects;
static u8 stamp;

/* ---- one object --------------------------------------------------------- */

static void run_alloc(void)
{
	object = step_kind->alloc(GFP_KERNEL);
}

static void run_alloc_atomic(void)
{
	object = step_kind->alloc(GFP_ATOMIC);
}

static void run_zalloc(void)
{
	object = step_kind->alloc(GFP_KERNEL | __GFP_ZERO);
}

static void run_alloc_there(void)
{
	object = goheap_alloc_node(step_kind->size, GFP_KERNEL,
				   cpu_to_mem(step_away));
}

static void run_alloc_only_there(void)
{
	object = goheap_alloc_node(step_kind->size, GFP_KERNEL | __GFP_THISNODE,
				   cpu_to_mem(step_away));
}

static void finish_alloc(void)
{
	if (!object)
		step_wrong("no object");
	step_hold(&step_mine, step_kind, object);
}

static void finish_zalloc(void)
{
	if (object && memchr_inv(object, 0, step_kind->size))
		step_wrong("the object is not zero");
	finish_alloc();
}

static void prepare_free(void)
{
	object = step_let_go(&step_mine, 0);
}

static void run_free(void)
{
	step_kind->free(object);
}

static void run_free_sensitive(void)
{
	goheap_free_sensitive(object);
}

/* ---- realloc ------------------------------------------------------------ */

static void prepare_realloc(void)
{
	stamp = step_mine.obj[0].stamp;
	prepare_free();
}

static void run_realloc_more(void)
{
	object = goheap_realloc(object, SZ_1K, GFP_KERNEL);
}

static void run_realloc_less(void)
{
	object = goheap_realloc(object, 8, GFP_KERNEL);
}

static void run_realloc_page(void)
{
	object = goheap_realloc(object, SZ_8K, GFP_KERNEL);
}

static void finish_realloc(void)
{
	if (!object || memchr_inv(object, stamp, 8))
		step_wrong("the contents are lost");
	/* It is of another kind now, so step_mine has no entry for it. */
	goheap_free(object);
}

/* ---- many objects ------------------------------------------------------- */

static void run_alloc_bulk(void)
{
	nr_objects = goheap_alloc_bulk(step_kind->size, GFP_KERNEL, BULK, objects);
}

static void run_cache_alloc_bulk(void)
{
	nr_objects = goheap_cache_alloc_bulk(step_cache, GFP_KERNEL, BULK,
					     objects);
}

static void finish_alloc_bulk(void)
{
	if (nr_objects != BULK)
		step_wrong("%u objects of %u", nr_objects, BULK);
	while (nr_objects)
		step_hold(&step_mine, step_kind, objects[--nr_objects]);
}

static void prepare_free_bulk(void)
{
	unsigned int i;

	for (i = 0; i < BULK; i++)
		objects[i] = step_let_go(&step_mine, 0);
}

/* Every other one is of another class. */
static void prepare_free_mixed(void)
{
	unsigned int i;

	for (i = 0; i < BULK; i += 2) {
		objects[i] = step_let_go(&step_mine, 0);
		objects[i + 1] = goheap_alloc(SZ_1K, GFP_KERNEL);
	}
}

static void run_free_bulk(void)
{
	goheap_free_bulk(BULK, objects);
}

static void run_cache_free_bulk(void)
{
	goheap_cache_free_bulk(step_cache, BULK, objects);
}

/* ---- tiny objects ------------------------------------------------------- */

static void prepare_tiny(void)
{
	step_get(&step_mine, step_kind, GFP_KERNEL);
}

static void prepare_tiny_pair(void)
{
	prepare_tiny();
	prepare_tiny();
	prepare_free();
}

static void prepare_tiny_only(void)
{
	prepare_tiny();
	prepare_free();
}

/* If a block starts again at byte 0, objects in it are handed out once more. */
static void finish_tiny_free(void)
{
	prepare_tiny();
	prepare_tiny();
	prepare_tiny();
}

/* Three of 5 bytes leave no room for another. */
static void prepare_tiny_full(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		prepare_tiny();
}

/* The only one in its block; the CPU holds another. */
static void prepare_tiny_left(void)
{
	prepare_tiny_full();
	prepare_tiny();
	step_put(&step_mine, 1);
	step_put(&step_mine, 2);
	prepare_free();
}

/* ---- large objects ------------------------------------------------------ */

/* Let the CPU hold @n free ones. */
static void hold_large(unsigned int n)
{
	void *p[GH_LARGE_HELD];
	unsigned int i;

	for (i = 0; i < n; i++)
		p[i] = step_kind->alloc(GFP_KERNEL);
	for (i = 0; i < n; i++)
		step_kind->free(p[i]);
}

static void prepare_large_held(void)
{
	hold_large(2);
}

static void prepare_large_free(void)
{
	step_get(&step_mine, step_kind, GFP_KERNEL);
	prepare_free();
}

static void prepare_large_realloc(void)
{
	step_get(&step_mine, step_kind, GFP_KERNEL);
	prepare_realloc();
}

static void prepare_large_free_full(void)
{
	step_get(&step_mine, step_kind, GFP_KERNEL);
	hold_large(GH_LARGE_HELD);
	prepare_free();
}

/* The CPU may hold nothing. */
static void prepare_large_free_bound(void)
{
	prepare_large_free();
	gh_percpu_bytes = 0;
}

/* In the node's cache there is one. */
static void prepare_large_cached(void)
{
	step_kind->free(step_kind->alloc(GFP_KERNEL));
	step_drain();
}

/* ---- RCU, and NMIs ------------------------------------------------------ */

static rcu_callback_t rcu_callback;

/* One that waits for the grace period that is over now. */
static void prepare_rcu_callback(void)
{
	struct gh_span *s;
	unsigned int idx;

	prepare_free();
	s = gh_span_of((unsigned long)object);
	gh_span_find(s, (unsigned long)object, &idx);
	*gh_central_ent(s, idx).state = GH_OBJ_RCU;
}

static void run_free_rcu(void)
{
	__goheap_free_rcu(NULL, object, object);
}

static void run_rcu_callback(void)
{
	rcu_callback(object);
}

/* Objects that were freed in an NMI. */
static void prepare_deferred(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		void *p = step_let_go(&step_mine, 0);
		struct gh_span *s = gh_span_of((unsigned long)p);
		unsigned int idx;

		gh_span_find(s, (unsigned long)p, &idx);
		*gh_central_ent(s, idx).state = GH_OBJ_FREE;
		llist_add(p, &gh_kheap->deferred);
	}
}

static void run_deferred(void)
{
	gh_kheap->deferred_work.func(&gh_kheap->deferred_work);
}

/* ---- bounds ------------------------------------------------------------- */

/* No room for more, but for that of a stack block. */
static void prepare_bound(void)
{
	step_kinds[STEP_STACK].free(step_kinds[STEP_STACK].alloc(GFP_KERNEL));
	gh_percpu_bytes = per_cpu_ptr(gh_kheap->mcache, step_home)->bytes;
}

static void prepare_free_bound(void)
{
	prepare_free();
	prepare_bound();
}

/* The page cache is empty. */
static void prepare_no_pages(void)
{
	gh_mheap_flush_pages(gh_kheap, step_home);
}

/* Free pages have no memory. */
static void prepare_no_memory(void)
{
	prepare_no_pages();
	step_pages_scavenge();
}

/* The node keeps no free spans. */
static void prepare_free_no_cache(void)
{
	prepare_free();
	step_pages_keep(false);
}

/* ---- the table ---------------------------------------------------------- */

#define STATE(...)	(&(const struct step_state){ __VA_ARGS__ })

#define ALLOC(n, k, prep, ...)						\
	{ .name = n, .kind = k, .state = STATE(__VA_ARGS__),		\
	  .prepare = prep, .fn = run_alloc, .finish = finish_alloc }
#define FREE(n, k, prep, ...)						\
	{ .name = n, .kind = k, .state = STATE(__VA_ARGS__),		\
	  .prepare = prep, .fn = run_free }
#define TINY_FREE(title, prep)						\
	{ .name = title, .kind = STEP_TINY,					\
	  .state = STATE(.cap = 8, .n = 4),				\
	  .prepare = prep, .fn = run_free, .finish = finish_tiny_free }

const struct step_path step_paths[] = {
	ALLOC("alloc_hit", STEP_SMALL, NULL, .cap = 4, .n = 2),
	ALLOC("alloc_spare", STEP_SMALL, NULL,
	      .cap = 4, .has_spare = true, .nspare = 3),
	ALLOC("alloc_batch", STEP_SMALL, NULL, .cap = 4, .batches = 1),
	ALLOC("alloc_carve", STEP_SMALL, NULL,
	      .cap = 4, .has_span = true, .left = 10),
	ALLOC("alloc_carve_last", STEP_SMALL, NULL,
	      .cap = 4, .has_span = true, .left = 1),
	ALLOC("alloc_next_span", STEP_SMALL, NULL,
	      .cap = 4, .has_span = true, .left = 0, .partial = 1),
	ALLOC("alloc_cached_span", STEP_SMALL, NULL,
	      .cap = 4, .has_span = true, .left = 0, .cached = 1),
	ALLOC("alloc_new_span", STEP_SMALL, NULL, .cap = 4),
	ALLOC("alloc_no_pages", STEP_SMALL, prepare_no_pages, .cap = 4),
	ALLOC("alloc_no_memory", STEP_SMALL, prepare_no_memory, .cap = 4),
	ALLOC("alloc_grow_mag", STEP_SMALL, NULL,
	      .cap = 4, .has_span = true, .left = 10, .misses = 40),
	ALLOC("alloc_bound", STEP_SMALL, prepare_bound,
	      .cap = 4, .has_span = true, .left = 10, .misses = 40),
	ALLOC("alloc_first_mag", STEP_SMALL, NULL, .partial = 1),
	ALLOC("alloc_first", STEP_SMALL, NULL),
	ALLOC("alloc_unearned", STEP_KILO, NULL, .partial = 1),
	ALLOC("alloc_earned", STEP_KILO, NULL, .partial = 1, .misses = 100),
	ALLOC("alloc_page", STEP_PAGE, NULL),
	{
		.name = "alloc_atomic", .kind = STEP_SMALL,
		.state = STATE(.cap = 4),
		.fn = run_alloc_atomic, .finish = finish_alloc,
	}, {
		.name = "alloc_zeroed", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 2),
		.fn = run_zalloc, .finish = finish_zalloc,
	}, {
		.name = "alloc_node", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 2),
		.fn = run_alloc_there, .finish = finish_alloc,
	}, {
		.name = "alloc_this_node", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 2, .partial = 1),
		.fn = run_alloc_only_there, .finish = finish_alloc,
	},
	ALLOC("cache_alloc_hit", STEP_CACHE, NULL, .cap = 4, .n = 2),
	ALLOC("cache_alloc_carve", STEP_CACHE, NULL,
	      .cap = 4, .has_span = true, .left = 10),
	ALLOC("cache_alloc_new_span", STEP_CACHE, NULL, .cap = 4),
	ALLOC("cache_alloc_first", STEP_CACHE, NULL, .partial = 1),
	{
		.name = "alloc_bulk", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 3, .has_span = true, .left = 10),
		.fn = run_alloc_bulk, .finish = finish_alloc_bulk,
	}, {
		.name = "cache_alloc_bulk", .kind = STEP_CACHE,
		.state = STATE(.cap = 4, .n = 3, .has_spare = true, .nspare = 4),
		.fn = run_cache_alloc_bulk, .finish = finish_alloc_bulk,
	},

	FREE("free_hit", STEP_SMALL, prepare_free, .cap = 4, .n = 2, .mine = 1),
	FREE("free_first_spare", STEP_SMALL, prepare_free,
	     .cap = 4, .n = 4, .mine = 1),
	FREE("free_spare", STEP_SMALL, prepare_free,
	     .cap = 4, .n = 4, .has_spare = true, .mine = 1),
	FREE("free_full", STEP_SMALL, prepare_free,
	     .cap = 4, .n = 4, .has_spare = true, .nspare = 4, .mine = 1),
	FREE("free_batch", STEP_SMALL, prepare_free,
	     .cap = 128, .n = 128, .has_spare = true, .nspare = 128, .mine = 1),
	FREE("free_grow_mag", STEP_SMALL, prepare_free,
	     .cap = 4, .n = 4, .misses = 40, .mine = 1),
	FREE("free_bound", STEP_SMALL, prepare_free_bound,
	     .cap = 4, .n = 4, .misses = 40, .mine = 1),
	FREE("free_first_mag", STEP_SMALL, prepare_free, .mine = 2),
	FREE("free_unearned", STEP_KILO, prepare_free, .mine = 2),
	FREE("free_last", STEP_PAGE, prepare_free, .mine = 1),
	FREE("free_no_cache", STEP_PAGE, prepare_free_no_cache, .mine = 1),
	FREE("cache_free_hit", STEP_CACHE, prepare_free,
	     .cap = 4, .n = 2, .mine = 1),
	FREE("cache_free_full", STEP_CACHE, prepare_free,
	     .cap = 4, .n = 4, .has_spare = true, .nspare = 4, .mine = 1),
	FREE("cache_free_first_mag", STEP_CACHE, prepare_free, .mine = 2),
	{
		.name = "free_sensitive", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 2, .mine = 1),
		.prepare = prepare_free, .fn = run_free_sensitive,
	}, {
		.name = "free_bulk", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 1, .mine = BULK),
		.prepare = prepare_free_bulk, .fn = run_free_bulk,
	}, {
		.name = "free_mixed_bulk", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 1, .mine = BULK),
		.prepare = prepare_free_mixed, .fn = run_free_bulk,
	}, {
		.name = "cache_free_bulk", .kind = STEP_CACHE,
		.state = STATE(.cap = 4, .n = 1, .mine = BULK),
		.prepare = prepare_free_bulk, .fn = run_cache_free_bulk,
	}, {
		.name = "realloc_more", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 1, .mine = 1),
		.prepare = prepare_realloc, .fn = run_realloc_more,
		.finish = finish_realloc,
	}, {
		.name = "realloc_less", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 1, .mine = 1),
		.prepare = prepare_realloc, .fn = run_realloc_less,
		.finish = finish_realloc,
	}, {
		.name = "realloc_large", .kind = STEP_LARGE,
		.prepare = prepare_large_realloc, .fn = run_realloc_page,
		.finish = finish_realloc,
	}, {
		.name = "free_rcu", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 1, .mine = 1),
		.prepare = prepare_free, .fn = run_free_rcu,
		.finish = rcu_barrier, .deeds = BIT(STEP_ALL),
	}, {
		.name = "rcu_callback", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 1, .mine = 1),
		.prepare = prepare_rcu_callback, .fn = run_rcu_callback,
	}, {
		.name = "cache_rcu_callback", .kind = STEP_CACHE,
		.state = STATE(.cap = 4, .n = 1, .mine = 1),
		.prepare = prepare_rcu_callback, .fn = run_rcu_callback,
	}, {
		.name = "deferred_free", .kind = STEP_SMALL,
		.state = STATE(.cap = 4, .n = 1, .mine = 3),
		.prepare = prepare_deferred, .fn = run_deferred,
	},

	ALLOC("tiny_alloc", STEP_TINY, prepare_tiny, .cap = 8, .n = 4),
	ALLOC("tiny_alloc_block", STEP_TINY, prepare_tiny_full, .cap = 8, .n = 4),
	ALLOC("tiny_alloc_first", STEP_TINY, NULL),
	TINY_FREE("tiny_free", prepare_tiny_pair),
	TINY_FREE("tiny_free_only", prepare_tiny_only),
	TINY_FREE("tiny_free_block", prepare_tiny_left),

	ALLOC("stack_alloc", STEP_STACK, NULL, .cap = 4, .n = 2),
	ALLOC("stack_alloc_new_span", STEP_STACK, NULL, .cap = 4),
	FREE("stack_free", STEP_STACK, prepare_free, .cap = 4, .n = 2, .mine = 1),
	FREE("stack_free_full", STEP_STACK, prepare_free,
	     .cap = 4, .n = 4, .has_spare = true, .nspare = 4, .mine = 1),

	ALLOC("large_alloc_held", STEP_LARGE, prepare_large_held),
	ALLOC("large_alloc_cached", STEP_LARGE, prepare_large_cached),
	ALLOC("large_alloc_new", STEP_LARGE, NULL),
	FREE("large_free", STEP_LARGE, prepare_large_free),
	FREE("large_free_full", STEP_LARGE, prepare_large_free_full),
	FREE("large_free_bound", STEP_LARGE, prepare_large_free_bound),
	ALLOC("big_stack_alloc", STEP_BIG_STACK, prepare_large_cached),
	FREE("big_stack_free", STEP_BIG_STACK, prepare_large_free),
};

const unsigned int step_nr_paths = ARRAY_SIZE(step_paths);

/**
 * step_paths_init() - find out what RCU calls to free an object
 */
void step_paths_init(void)
{
	struct rcu_head *head = goheap_alloc(sizeof(*head), GFP_KERNEL);

	if (!head)
		return;
	rcu_read_lock();
	__goheap_free_rcu(NULL, head, head);
	rcu_callback = head->func;
	rcu_read_unlock();
	rcu_barrier();
}
