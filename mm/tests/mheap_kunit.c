// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the heap of pages and spans.
 *
 * Spans of 16 pages and more come from the node at once, which makes them
 * predictable; shorter ones go through a CPU's page cache.
 */
#include "test_util.h"

#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "../area.h"
#include "../huge.h"
#include "../mcentral.h"
#include "../node.h"
#include "../tinyword.h"

static struct gh_shape large_shape(unsigned long npages)
{
	return (struct gh_shape){
		.elemsize = npages << GH_PAGE_SHIFT,
		.npages = npages,
		.nelems = 1,
		.large = true,
		.state = GH_SPAN_LARGE,
	};
}

static struct gh_shape class_shape(unsigned int class)
{
	return (struct gh_shape){
		.elemsize = gh_class_size[class],
		.npages = gh_class_npages[class],
		.nelems = gh_class_nelems[class],
		.state = GH_SPAN_OBJECTS,
	};
}

static struct gh_span *get_span(struct gh_heap *h, unsigned long npages,
				gfp_t gfp)
{
	struct gh_shape shape = large_shape(npages);

	return gh_mheap_alloc_span(h, &shape, &h->central[0], gfp,
				   NUMA_NO_NODE);
}

static struct gh_span *must_get_span(struct kunit *test, unsigned long npages)
{
	struct gh_span *s = get_span(gh_test_heap(test), npages, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

/* Free a span down to its pages, past the span cache. */
static void put_span(struct kunit *test, struct gh_span *s)
{
	gh_mheap_free_span(gh_test_heap(test), s);
	gh_mheap_evict(gh_test_heap(test));
}

/* Until all huge spans that are dead are gone, whoever has them just now. */
static void reap_huge(struct kunit *test)
{
	flush_work(&gh_test_heap(test)->huge_work);
	gh_huge_reap(gh_test_heap(test));
}

static unsigned long span_bytes(const struct gh_span *s)
{
	return s->npages << GH_PAGE_SHIFT;
}

static unsigned long scavenge(struct gh_heap *h, unsigned long npages)
{
	unsigned long n;

	mutex_lock(&h->scav_lock);
	n = gh_mheap_scavenge(h, NUMA_NO_NODE, npages, true);
	mutex_unlock(&h->scav_lock);
	return n;
}

static bool nodes_verify(struct gh_heap *h)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++) {
		raw_spin_lock_irq(&h->nodes[i]->lock);
		ok &= gh_pagealloc_verify(&h->nodes[i]->pa);
		raw_spin_unlock_irq(&h->nodes[i]->lock);
	}
	return ok;
}

static unsigned long spans_inuse(struct gh_heap *h)
{
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < h->nr_nodes; i++)
		n += gh_node_spans_inuse(h->nodes[i]);
	return n;
}

static unsigned int narenas(struct gh_heap *h)
{
	unsigned int n = 0, i;

	for (i = 0; i < h->nr_nodes; i++)
		n += h->nodes[i]->narenas;
	return n;
}

/* Slots of nodes that lead to an arena, less the arenas that there are. */
static long slots_too_many(struct gh_heap *h)
{
	unsigned int i, slot;
	long n = 0;

	for (i = 0; i < h->nr_nodes; i++) {
		for (slot = 0; slot < GH_MAX_ARENAS; slot++)
			n += !!gh_node_arena(h->nodes[i], slot);
		n -= h->nodes[i]->narenas + h->nodes[i]->nspare;
	}
	return n;
}

static void need_ram(struct kunit *test, unsigned long nbytes)
{
	if (!gh_test_has_ram(nbytes))
		kunit_skip(test, "not enough memory");
}

static void skip_unless_sparse(struct kunit *test)
{
	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
}

/* ---- spans -------------------------------------------------------------- */

static void a_span_is_found_from_each_of_its_pages_only(struct kunit *test)
{
	struct gh_span *s = must_get_span(test, 20);
	unsigned long base = s->base, addr;

	for (addr = base; addr < base + span_bytes(s); addr += GH_PAGE_SIZE)
		KUNIT_EXPECT_PTR_EQ(test, gh_span_of(addr), s);
	KUNIT_EXPECT_PTR_EQ(test, gh_span_of(addr - 1), s);
	KUNIT_EXPECT_PTR_NE(test, gh_span_of(addr), s);
	KUNIT_EXPECT_PTR_NE(test, gh_span_of(base - 1), s);
	put_span(test, s);
	for (addr = base; addr < base + 20 * GH_PAGE_SIZE; addr += GH_PAGE_SIZE)
		KUNIT_EXPECT_NULL(test, gh_span_of(addr));
}

static void a_dead_span_says_so(struct kunit *test)
{
	struct gh_span *s = must_get_span(test, 20);

	KUNIT_EXPECT_EQ(test, s->state, GH_SPAN_LARGE);
	put_span(test, s);
	KUNIT_EXPECT_EQ(test, s->state, GH_SPAN_DEAD);
}

static void every_class_gets_the_span_of_its_shape(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span **spans;
	unsigned int class;

	spans = kunit_kcalloc(test, GH_NUM_CLASSES, sizeof(*spans), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, spans);
	for (class = 1; class < GH_NUM_CLASSES; class++) {
		struct gh_shape shape = class_shape(class);
		struct gh_span *s;

		shape.name = h->central[class].name;
		s = gh_mheap_alloc_span(h, &shape, &h->central[2 * class],
					GFP_KERNEL, NUMA_NO_NODE);
		KUNIT_ASSERT_NOT_NULL(test, s);
		spans[class] = s;
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(s->base, GH_PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, s->npages, gh_class_npages[class]);
		KUNIT_EXPECT_EQ(test, s->nelems, gh_class_nelems[class]);
		KUNIT_EXPECT_EQ(test, s->freeindex, 0);
		KUNIT_EXPECT_PTR_EQ(test, s->central, &h->central[2 * class]);
		KUNIT_EXPECT_PTR_EQ(test, s->name, shape.name);
		gh_test_fill((void *)s->base, span_bytes(s), class);
	}
	for (class = 1; class < GH_NUM_CLASSES; class++) {
		KUNIT_EXPECT_TRUE(test,
				  gh_test_filled((void *)spans[class]->base,
						 span_bytes(spans[class]),
						 class));
		gh_mheap_free_span(h, spans[class]);
	}
}

static void count_span(struct gh_span *s, void *arg)
{
	unsigned long *sum = arg;

	sum[0]++;
	sum[1] += s->npages;
}

static void each_span_in_use_is_visited_once(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s[50];
	unsigned long sum[2] = { }, want = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = must_get_span(test, i + 1);
		want += i + 1;
	}
	gh_mheap_walk_spans(h, count_span, sum);
	KUNIT_EXPECT_EQ(test, sum[0], ARRAY_SIZE(s));
	KUNIT_EXPECT_EQ(test, sum[1], want);
	/* Pages in use are the pages of the spans in use. */
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), want);
	KUNIT_EXPECT_EQ(test, spans_inuse(h), ARRAY_SIZE(s));
	for (i = 0; i < ARRAY_SIZE(s); i++)
		put_span(test, s[i]);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0);
	KUNIT_EXPECT_EQ(test, spans_inuse(h), 0);
}

static void huge_spans_are_visited_until_they_are_dead(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned long npages = (40 * SZ_1M) >> GH_PAGE_SHIFT;
	unsigned long sum[2] = { };
	struct gh_span *s;
	u8 state;

	need_ram(test, 48 * SZ_1M);
	s = must_get_span(test, npages);
	KUNIT_ASSERT_NOT_NULL(test, s->huge);
	gh_mheap_walk_spans(h, count_span, sum);
	KUNIT_EXPECT_EQ(test, sum[0], 1);
	KUNIT_EXPECT_EQ(test, sum[1], npages);

	/* As when it is dead, and still there. */
	state = s->state;
	WRITE_ONCE(s->state, GH_SPAN_DEAD);
	gh_mheap_walk_spans(h, count_span, sum);
	WRITE_ONCE(s->state, state);
	KUNIT_EXPECT_EQ(test, sum[0], 1);
	put_span(test, s);
	gh_huge_reap(h);
}

static void stack_spans_are_counted_apart(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_shape shape = large_shape(18);
	struct gh_span *s, *other = must_get_span(test, 16);
	struct gh_node *node;

	shape.state = GH_SPAN_STACK;
	s = gh_mheap_alloc_span(h, &shape, &h->central[0], GFP_KERNEL,
				NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, s);
	node = s->node;
	KUNIT_EXPECT_EQ(test, atomic_long_read(&node->stack_pages), 18);
	put_span(test, s);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&node->stack_pages), 0);
	put_span(test, other);
}

static void spans_do_not_overlap(struct kunit *test)
{
	struct gh_span *s[200];
	struct rnd_state rnd;
	unsigned int i, step;

	prandom_seed_state(&rnd, 6);
	memset(s, 0, sizeof(s));
	for (step = 0; step < 3000; step++) {
		i = prandom_u32_state(&rnd) % ARRAY_SIZE(s);
		if (s[i]) {
			unsigned long *p = (unsigned long *)s[i]->base;
			unsigned long last = span_bytes(s[i]) / sizeof(*p) - 1;

			if (p[0] != i + 1 || p[last] != i + 1)
				break;
			put_span(test, s[i]);
			s[i] = NULL;
		} else {
			u32 r = prandom_u32_state(&rnd);

			s[i] = must_get_span(test, r % 8 ? r % 16 + 1 :
						   r % 100 + 1);
			((unsigned long *)s[i]->base)[0] = i + 1;
			*(unsigned long *)(s[i]->base + span_bytes(s[i]) -
					   sizeof(long)) = i + 1;
		}
	}
	KUNIT_EXPECT_EQ(test, step, 3000);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		if (s[i])
			put_span(test, s[i]);
	KUNIT_EXPECT_TRUE(test, nodes_verify(gh_test_heap(test)));
}

static void the_lowest_free_run_is_used_first(struct kunit *test)
{
	struct gh_span *a = must_get_span(test, 20);
	struct gh_span *b = must_get_span(test, 20);
	struct gh_span *c = must_get_span(test, 20);
	unsigned long at = a->base;

	KUNIT_EXPECT_LT(test, a->base, b->base);
	KUNIT_EXPECT_LT(test, b->base, c->base);
	put_span(test, a);
	put_span(test, c);
	a = must_get_span(test, 18);
	KUNIT_EXPECT_EQ(test, a->base, at);
	put_span(test, a);
	put_span(test, b);
}

/* ---- page caches -------------------------------------------------------- */

static struct gh_pages_cpu *pages_here(struct kunit *test, bool noscan)
{
	return per_cpu_ptr(gh_test_heap(test)->pages_cpu[noscan], gh_test_pin());
}

static void short_runs_come_from_the_page_cache_of_the_cpu(struct kunit *test)
{
	struct gh_pages_cpu *pcpu = pages_here(test, false);
	struct gh_span *a = must_get_span(test, 1);
	struct gh_span *b = must_get_span(test, 2);
	u64 cached = pcpu->pc.cache;

	if (pcpu->node != a->node)
		kunit_skip(test, "another node's page cache");
	KUNIT_EXPECT_NE(test, cached, 0ULL);
	KUNIT_EXPECT_EQ(test, a->page / 64, b->page / 64);
	/* Allocated as far as the node knows, in use as far as there are spans. */
	KUNIT_EXPECT_EQ(test, a->node->pa.ninuse,
			3 + 2 * gh_vmem_is_sparse() + hweight64(cached));
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(gh_test_heap(test)), 3);
	put_span(test, a);
	put_span(test, b);
}

static struct gh_span *must_get_data_span(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_shape shape = large_shape(1);
	struct gh_span *s;

	shape.noscan = true;
	s = gh_mheap_alloc_span(h, &shape, &h->central[0], GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

static void a_flushed_page_cache_gives_all_back(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_pages_cpu *pcpu[2] = { pages_here(test, false), pages_here(test, true) };
	struct gh_span *s[2] = { must_get_span(test, 1) };
	/* Eager arenas have spans of both kinds. */
	unsigned int i, n = gh_vmem_is_sparse() ? 2 : 1;

	if (n == 2) {
		/* The first time, the node grows. */
		put_span(test, must_get_data_span(test));
		s[1] = must_get_data_span(test);
	}
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_NE(test, pcpu[i]->pc.cache, 0ULL);
	preempt_disable();
	gh_mheap_flush_pages(h, smp_processor_id());
	preempt_enable();
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, pcpu[i]->pc.cache, 0ULL);
		KUNIT_EXPECT_FALSE(test, pcpu[i]->busy.held);
		KUNIT_EXPECT_EQ(test, s[i]->node->pa.ninuse,
				1 + gh_vmem_is_sparse());
		put_span(test, s[i]);
	}
}

static void a_busy_page_cache_is_left_alone(struct kunit *test)
{
	struct gh_pages_cpu *pcpu = pages_here(test, false);
	struct gh_span *a = must_get_span(test, 1), *b;
	struct gh_pagecache before = pcpu->pc;

	/* As an interrupt finds it that came while its owner was at work. */
	pcpu->busy.held = true;
	b = get_span(gh_test_heap(test), 1, GFP_ATOMIC);
	KUNIT_EXPECT_TRUE(test, pcpu->busy.held);
	pcpu->busy.held = false;
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_EQ(test, pcpu->pc.cache, before.cache);
	KUNIT_EXPECT_EQ(test, pcpu->pc.base, before.base);
	put_span(test, a);
	put_span(test, b);
}

/* ---- growth ------------------------------------------------------------- */

static void a_new_heap_has_one_arena(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, narenas(gh_test_heap(test)), 1);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(gh_test_heap(test)), 0);
}

/* Take spans of a quarter of an arena until there are none. */
static unsigned int take_quarters(struct gh_heap *h, struct gh_span **s,
				  unsigned int max, gfp_t gfp)
{
	unsigned int n;

	for (n = 0; n < max; n++) {
		s[n] = get_span(h, GH_ARENA_PAGES / 4 - 1, gfp);
		if (!s[n])
			break;
	}
	return n;
}

static void a_heap_grows_when_it_is_full(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s[9];
	unsigned int n;

	need_ram(test, 200 * SZ_1M);
	n = take_quarters(h, s, ARRAY_SIZE(s), GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, n, ARRAY_SIZE(s));
	KUNIT_EXPECT_GE(test, narenas(h), 3);
	while (n--)
		put_span(test, s[n]);
	KUNIT_EXPECT_TRUE(test, nodes_verify(h));
}

static void those_who_cannot_wait_grow_into_what_is_reserved(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s[16];
	unsigned int n;

	need_ram(test, 300 * SZ_1M);
	/* Nothing is reserved but what this reserves. */
	gh_area_detach(h);
	KUNIT_ASSERT_EQ(test, gh_area_build(h->nodes[0], GFP_KERNEL), 0);
	n = take_quarters(h, s, ARRAY_SIZE(s), GFP_ATOMIC);
	KUNIT_EXPECT_GE(test, n, 8);
	while (n--)
		put_span(test, s[n]);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0);
	KUNIT_EXPECT_TRUE(test, nodes_verify(h));
}

static void address_space_is_reserved_ahead(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_node *node = gh_mheap_node(h, numa_mem_id(), false);
	unsigned int i;

	if (!gh_vmem_space_is_cheap())
		kunit_skip(test, "address space is memory here");
	/* Two arenas were taken since the worker came by. */
	gh_area_build(node, GFP_KERNEL);
	gh_area_build(node, GFP_KERNEL);
	gh_node_grow(node);
	gh_node_grow(node);
	gh_area_refill(node);
	KUNIT_EXPECT_GE(test, node->nspare, 4);
	/* If none is taken, few are left in the end, by whole areas. */
	for (i = 0; i < 20; i++)
		gh_mheap_age_areas(h);
	KUNIT_EXPECT_LE(test, node->goal, max(gh_area_least_spare(node), 3U));
	KUNIT_EXPECT_LT(test, node->nspare,
			2 * node->goal + 2 * GH_VMEM_MAX_ARENAS);
	KUNIT_EXPECT_GE(test, node->nspare, 1);
}

static void free_areas_go_back(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s[16];
	unsigned int i, n;
	unsigned long addr;

	need_ram(test, 300 * SZ_1M);
	n = take_quarters(h, s, ARRAY_SIZE(s), GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, n, ARRAY_SIZE(s));
	KUNIT_EXPECT_GE(test, narenas(h), 4);
	addr = s[n - 1]->base;
	for (i = 0; i < n; i++)
		put_span(test, s[i]);
	scavenge(h, ULONG_MAX);
	for (i = 0; i < 20; i++)
		gh_mheap_age_areas(h);
	KUNIT_EXPECT_EQ(test, narenas(h), gh_vmem_is_sparse() ? 0 : 1);
	KUNIT_EXPECT_EQ(test, slots_too_many(h), 0);
	KUNIT_EXPECT_NULL(test, gh_span_of(addr));
	KUNIT_EXPECT_TRUE(test, nodes_verify(h));
	/* It can begin anew. */
	put_span(test, must_get_span(test, 100));
}

static void a_sixteenth_of_memory_could_be_had_at_once(struct kunit *test)
{
	struct gh_node *node = gh_mheap_node(gh_test_heap(test), numa_mem_id(), false);
	unsigned long bytes = (totalram_pages() << PAGE_SHIFT) / num_node_state(N_MEMORY) / 16;

	/* What is memory already is not kept. */
	if (!gh_vmem_space_is_cheap())
		KUNIT_EXPECT_EQ(test, gh_area_least_spare(node), 0);
	else
		KUNIT_EXPECT_EQ(test, gh_area_least_spare(node),
				clamp(bytes / GH_ARENA_SIZE, 1UL, SZ_512M / GH_ARENA_SIZE));
}

static void areas_beyond_what_is_kept_are_released(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int i, kept, nspare = 0;
	struct gh_area *area;
	struct gh_node *node;
	struct gh_span *s;

	if (!gh_vmem_space_is_cheap())
		kunit_skip(test, "address space is memory here");
	s = must_get_span(test, 20);
	node = s->node;
	gh_test_fill((void *)s->base, span_bytes(s), 1);
	gh_area_detach(h);

	for (i = 0; i < h->nr_nodes; i++) {
		struct gh_node *n = h->nodes[i];

		while (n->nspare <= 2 * n->goal + 4 * GH_VMEM_MAX_ARENAS)
			KUNIT_ASSERT_EQ(test, gh_area_build(n, GFP_KERNEL), 0);
	}
	gh_mheap_age_areas(h);
	kept = 2 * node->goal + 2 * GH_VMEM_MAX_ARENAS;
	KUNIT_EXPECT_LE(test, node->nspare, kept);

	/* Those that stay are whole, and so is what is in them. */
	list_for_each_entry(area, &node->areas, vmem.list) {
		KUNIT_EXPECT_TRUE(test, gh_vmem_intact(&area->vmem));
		KUNIT_EXPECT_NOT_NULL(test, gh_arena_of(area->vmem.base));
		nspare += area->vmem.narenas - area->used;
	}
	KUNIT_EXPECT_EQ(test, node->nspare, nspare);
	KUNIT_EXPECT_EQ(test, slots_too_many(h), 0);
	KUNIT_EXPECT_PTR_EQ(test, gh_span_of(s->base), s);
	KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)s->base, span_bytes(s), 1));
	put_span(test, s);
}

static void scavenging_frees_no_more_than_it_is_asked(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_shape shape = large_shape(50);
	struct gh_span *data, *s;
	unsigned int round;

	skip_unless_sparse(test);
	shape.noscan = true;
	for (round = 0; round < 2; round++) {
		/* Two nodes have some: that of data, which is asked first, has less. */
		data = gh_mheap_alloc_span(h, &shape, &h->central[1], GFP_KERNEL,
					   NUMA_NO_NODE);
		KUNIT_ASSERT_NOT_NULL(test, data);
		s = must_get_span(test, 500);
		gh_mheap_free_span(h, data);
		gh_mheap_free_span(h, s);
		/* The second time, cached spans have to be evicted for it. */
		if (!round)
			gh_mheap_evict(h);
		KUNIT_EXPECT_EQ(test, scavenge(h, 100), 100);
		scavenge(h, ULONG_MAX);
	}
}

static void a_run_may_be_longer_than_an_arena(struct kunit *test)
{
	unsigned long npages = (80 * SZ_1M) >> GH_PAGE_SHIFT;
	struct gh_span *s;
	unsigned long i, base;

	need_ram(test, gh_vmem_is_sparse() ? 96 * SZ_1M : 256 * SZ_1M);
	s = must_get_span(test, npages);
	for (i = 0; i < npages; i++) {
		unsigned long addr = s->base + i * GH_PAGE_SIZE;

		*(unsigned long *)addr = i;
		if (gh_span_of(addr) != s)
			break;
	}
	KUNIT_EXPECT_EQ(test, i, npages);
	for (i = 0; i < npages; i++)
		if (*(unsigned long *)(s->base + i * GH_PAGE_SIZE) != i)
			break;
	KUNIT_EXPECT_EQ(test, i, npages);
	KUNIT_EXPECT_PTR_NE(test, gh_arena_of(s->base),
			    gh_arena_of(s->base + span_bytes(s) - 1));
	base = s->base;
	put_span(test, s);
	reap_huge(test);
	KUNIT_EXPECT_NULL(test, gh_span_of(base));
	KUNIT_EXPECT_EQ(test, gh_huge_pages(gh_test_heap(test)), 0);
}

static void huge_spans_share_the_arenas_that_they_lie_in(struct kunit *test)
{
	struct gh_span *s[4];
	unsigned int i;

	need_ram(test, 4 * 48 * SZ_1M);
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = must_get_span(test, (40 * SZ_1M) >> GH_PAGE_SHIFT);
		KUNIT_EXPECT_NOT_NULL(test, s[i]->huge);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(s[i]->base, GH_PAGE_SIZE));
		gh_test_fill((void *)s[i]->base, span_bytes(s[i]), i);
	}
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		unsigned long last = s[i]->base + span_bytes(s[i]) - 1;

		KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)s[i]->base,
						       span_bytes(s[i]), i));
		KUNIT_EXPECT_PTR_EQ(test, gh_span_of(s[i]->base), s[i]);
		KUNIT_EXPECT_PTR_EQ(test, gh_span_of(last), s[i]);
		gh_mheap_free_span(gh_test_heap(test), s[i]);
		reap_huge(test);
		KUNIT_EXPECT_NULL(test, gh_span_of(last));
	}
}

#define HUGE_TRIES	20

/* As if an arena had been where @base is until somebody unmapped it. */
static struct gh_arena *an_arena_was_at(struct kunit *test, unsigned long base)
{
	struct gh_node *node = gh_mheap_node(gh_test_heap(test), numa_mem_id(), false);
	struct gh_arena *arena = gh_arena_create(node, round_down(base, GH_ARENA_SIZE), 0);

	KUNIT_ASSERT_NOT_NULL(test, arena);
	arena->area = kunit_kzalloc(test, sizeof(*arena->area), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arena->area);
	gh_arena_publish(arena);
	return arena;
}

/* The system gives away the lowest address, so mostly that which was freed last. */
static void a_huge_span_is_not_where_an_arena_was(struct kunit *test)
{
	unsigned long npages = (40 * SZ_1M) >> GH_PAGE_SHIFT;
	unsigned int tries = 0;
	bool met = false;

	need_ram(test, 48 * SZ_1M);
	while (!met && tries++ < HUGE_TRIES) {
		struct gh_span *s = must_get_span(test, npages);
		unsigned long base = s->base;
		struct gh_arena *arena;

		put_span(test, s);
		reap_huge(test);
		vm_unmap_aliases();
		if (gh_arena_of(base))
			continue;
		arena = an_arena_was_at(test, base);
		s = must_get_span(test, npages);
		met = arena->area->lost;
		for (base = s->base; base - s->base < span_bytes(s); base += SZ_1M)
			KUNIT_EXPECT_PTR_NE(test, gh_arena_of(base), arena);
		put_span(test, s);
		reap_huge(test);
		gh_arena_unpublish(arena);
		synchronize_rcu();
		gh_arena_free(arena);
	}
	KUNIT_EXPECT_TRUE(test, met);
}

static void victims_of_the_oom_killer_build_no_areas(struct kunit *test)
{
	bool kernel, nofs;

	KUNIT_ASSERT_TRUE(test, gh_area_may_build(GFP_KERNEL, 1));
	KUNIT_ASSERT_NULL(test, current->signal->oom_mm);
	/* It makes us one; nobody looks at what it is. */
	current->signal->oom_mm = (struct mm_struct *)test;
	kernel = gh_area_may_build(GFP_KERNEL, 1);
	nofs = gh_area_may_build(GFP_NOFS, 1);
	current->signal->oom_mm = NULL;
	KUNIT_EXPECT_FALSE(test, kernel);
	KUNIT_EXPECT_TRUE(test, nofs);
}

/* Slots that follow one another are arenas that do. */
static void areas_never_merge(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_node *node = gh_mheap_node(h, numa_mem_id(), false);
	unsigned int slot, arenas = 0, gaps = 0;

	need_ram(test, gh_vmem_is_sparse() ? 8 * SZ_1M : 4 * GH_ARENA_SIZE);
	gh_area_detach(h);
	KUNIT_ASSERT_EQ(test, gh_area_build(node, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, gh_area_build(node, GFP_KERNEL), 0);
	for (slot = 0; slot < node->nslots; slot++) {
		struct gh_arena *a = gh_node_arena(node, slot);
		struct gh_arena *b = gh_node_arena(node, slot + 1);

		arenas += !!a;
		gaps += !a;
		if (a)
			KUNIT_EXPECT_EQ(test, a->slot, slot);
		if (a && b)
			KUNIT_EXPECT_EQ(test, b->base,
					a->base + GH_ARENA_SIZE);
	}
	KUNIT_EXPECT_EQ(test, arenas, node->narenas + node->nspare);
	KUNIT_EXPECT_GE(test, gaps, 2);
}

/* ---- memory ------------------------------------------------------------- */

static void scavenging_takes_the_memory_of_free_pages(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s;
	unsigned long committed;

	skip_unless_sparse(test);
	s = must_get_span(test, 100);
	committed = gh_vmem_committed_bytes();
	KUNIT_EXPECT_EQ(test, scavenge(h, ULONG_MAX), 0);
	put_span(test, s);
	KUNIT_EXPECT_EQ(test, gh_mheap_idle_committed(h), 100);
	KUNIT_EXPECT_EQ(test, scavenge(h, ULONG_MAX), 100);
	KUNIT_EXPECT_EQ(test, gh_mheap_idle_committed(h), 0);
	KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(),
			committed - 100 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_mheap_released(h),
			narenas(h) * GH_ARENA_PAGES);
	KUNIT_EXPECT_TRUE(test, nodes_verify(h));
}

/* Counters of CPUs that the system has not added up yet. */
static bool reclaimable_is(long npages)
{
	long n = global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);

	return abs(n - npages) <= 250L * num_possible_cpus() * num_possible_nodes();
}

static void the_system_knows_what_is_idle(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	long before = global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
	struct gh_span *s[8];
	unsigned int i;

	skip_unless_sparse(test);
	need_ram(test, SZ_64M);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = must_get_span(test, SZ_8M >> GH_PAGE_SHIFT);
	gh_mheap_show_idle(h);
	KUNIT_EXPECT_TRUE(test, reclaimable_is(before));
	for (i = 0; i < ARRAY_SIZE(s); i++)
		put_span(test, s[i]);
	/* The worker says so, too, whether or not it is time for a tick. */
	h->aged = jiffies + 3600 * HZ;
	mod_delayed_work(gh_wq, &h->background, 0);
	flush_delayed_work(&h->background);
	KUNIT_EXPECT_TRUE(test, reclaimable_is(before + (SZ_64M >> PAGE_SHIFT)));
	scavenge(h, ULONG_MAX);
	KUNIT_EXPECT_TRUE(test, reclaimable_is(before));
	for (i = 0; i < h->nr_nodes; i++)
		KUNIT_EXPECT_EQ(test, atomic_long_read(&h->nodes[i]->shown), 0);
}

static void the_system_forgets_a_heap(struct kunit *test)
{
	long before = global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
	struct gh_heap *h = gh_test_heap(test);
	long shown = 0;
	unsigned int i;

	skip_unless_sparse(test);
	put_span(test, must_get_span(test, SZ_8M >> GH_PAGE_SHIFT));
	gh_mheap_show_idle(h);
	for (i = 0; i < h->nr_nodes; i++)
		shown += atomic_long_read(&h->nodes[i]->shown);
	KUNIT_EXPECT_GE(test, shown, (long)(SZ_8M >> PAGE_SHIFT));
	KUNIT_EXPECT_TRUE(test, reclaimable_is(before + shown));
	gh_test_heap_end(test);
	KUNIT_EXPECT_TRUE(test, reclaimable_is(before));
}

static enum gh_page_state state_of(struct gh_node *node, unsigned long page)
{
	enum gh_page_state state;

	raw_spin_lock_irq(&node->lock);
	state = gh_pagealloc_state(&node->pa, page);
	raw_spin_unlock_irq(&node->lock);
	return state;
}

/* Page @i of ten has memory if bit @i of @memory is set. */
static void free_ten_pages(struct kunit *test, struct gh_node *node, unsigned int memory)
{
	struct gh_run run = { .npages = 10 };
	unsigned long page;
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, gh_node_take_pages(node, &run));
	KUNIT_ASSERT_EQ(test, run.nscav, 10);
	for (i = 0; i < run.npages; i++)
		if (memory & BIT(i))
			KUNIT_EXPECT_EQ(test, 0,
					gh_vmem_commit(gh_node_page_addr(node, run.page + i),
						       GH_PAGE_SIZE, GFP_KERNEL, NUMA_NO_NODE));
	gh_node_free_mixed(node, &run);
	for (i = 0, page = run.page; i < run.npages; i++, page++)
		KUNIT_EXPECT_EQ(test, state_of(node, page),
				memory & BIT(i) ? GH_PAGE_FREE : GH_PAGE_SCAVENGED);
}

static void pages_are_known_to_have_memory_one_by_one(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int memory[] = { 0, 0x3ff, 0x001, 0x200, 0x0f0, 0x30f, 0x155, 0x133 };
	unsigned int i;

	skip_unless_sparse(test);
	for (i = 0; i < ARRAY_SIZE(memory); i++) {
		/* So that none has memory before. */
		gh_mheap_flush_pages(h, raw_smp_processor_id());
		scavenge(h, ULONG_MAX);
		free_ten_pages(test, gh_mheap_node(h, numa_mem_id(), false), memory[i]);
	}
	KUNIT_EXPECT_TRUE(test, nodes_verify(h));
}

static void scavenging_begins_at_the_highest_address(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *low;
	struct gh_span *mid;
	struct gh_span *high;
	unsigned long at[2];

	skip_unless_sparse(test);
	low = must_get_span(test, 20);
	mid = must_get_span(test, 20);
	high = must_get_span(test, 20);
	at[0] = low->base;
	at[1] = high->base;
	KUNIT_ASSERT_LT(test, at[0], at[1]);
	put_span(test, low);
	put_span(test, high);
	KUNIT_EXPECT_EQ(test, scavenge(h, 20), 20);
	KUNIT_EXPECT_FALSE(test, gh_vmem_committed(at[1], GH_PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, gh_vmem_committed(at[1] + 19 * GH_PAGE_SIZE,
						   GH_PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, gh_vmem_committed(at[0], 20 * GH_PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, gh_vmem_committed(mid->base,
						  20 * GH_PAGE_SIZE));
	put_span(test, mid);
}

static void scavenging_spares_what_is_in_use(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s[40];
	unsigned int i;

	skip_unless_sparse(test);
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = must_get_span(test, 17);
		gh_test_fill((void *)s[i]->base, span_bytes(s[i]), i);
	}
	for (i = 0; i < ARRAY_SIZE(s); i += 2)
		put_span(test, s[i]);
	KUNIT_EXPECT_EQ(test, scavenge(h, ULONG_MAX), 20 * 17);
	for (i = 1; i < ARRAY_SIZE(s); i += 2) {
		KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)s[i]->base,
						       span_bytes(s[i]), i));
		put_span(test, s[i]);
	}
}

/* Allocate spans that are longer than all holes; returns pages committed for it. */
static long grow_with_holes(struct kunit *test, gfp_t gfp)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s[40], *longer[10];
	long committed;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = must_get_span(test, 20);
	for (i = 0; i < ARRAY_SIZE(s); i += 2)
		put_span(test, s[i]);
	committed = gh_vmem_committed_bytes();
	for (i = 0; i < ARRAY_SIZE(longer); i++) {
		longer[i] = get_span(h, 30, gfp);
		KUNIT_ASSERT_NOT_NULL(test, longer[i]);
	}
	committed = gh_vmem_committed_bytes() - committed;

	for (i = 0; i < ARRAY_SIZE(longer); i++)
		put_span(test, longer[i]);
	for (i = 1; i < ARRAY_SIZE(s); i += 2)
		put_span(test, s[i]);
	KUNIT_EXPECT_TRUE(test, nodes_verify(h));
	scavenge(h, ULONG_MAX);
	return committed / (long)GH_PAGE_SIZE;
}

static void a_heap_with_holes_gives_back_what_it_takes(struct kunit *test)
{
	long n;

	skip_unless_sparse(test);
	n = grow_with_holes(test, GFP_KERNEL);
	KUNIT_EXPECT_GE(test, n, 0L);
	KUNIT_EXPECT_LT(test, n, 2 * 32L);
	/* These cannot wait for a flush. */
	n = grow_with_holes(test, GFP_ATOMIC);
	KUNIT_EXPECT_EQ(test, n, 10 * 30L);
}

static void used_memory_needs_zeroing_and_new_memory_does_not(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO;
	struct gh_span *s = get_span(h, 30, gfp);
	unsigned long base;

	KUNIT_ASSERT_NOT_NULL(test, s);
	base = s->base;
	KUNIT_EXPECT_FALSE(test, s->needzero);
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed((void *)base, span_bytes(s)));
	gh_test_fill((void *)base, span_bytes(s), 1);
	put_span(test, s);

	s = get_span(h, 30, gfp);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, s->base, base);
	KUNIT_EXPECT_TRUE(test, s->needzero);
	put_span(test, s);

	/* Partly new is not new. */
	s = get_span(h, 40, gfp);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, s->base, base);
	KUNIT_EXPECT_TRUE(test, s->needzero);
	put_span(test, s);
}

static void scavenged_memory_needs_no_zeroing(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_span *s;

	skip_unless_sparse(test);
	s = must_get_span(test, 30);
	gh_test_fill((void *)s->base, span_bytes(s), 1);
	put_span(test, s);
	scavenge(h, ULONG_MAX);
	s = get_span(h, 30, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_FALSE(test, s->needzero);
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed((void *)s->base,
					       span_bytes(s)));
	put_span(test, s);
}

static void pages_not_asked_to_be_zero_need_zeroing(struct kunit *test)
{
	struct gh_span *s;

	skip_unless_sparse(test);
	s = must_get_span(test, 30);
	KUNIT_EXPECT_TRUE(test, s->needzero);
	put_span(test, s);
}

static void spans_are_of_the_node_that_was_named(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_shape shape = large_shape(24);
	int nid;

	if (num_node_state(N_MEMORY) < 2)
		kunit_skip(test, "one NUMA node");
	KUNIT_EXPECT_EQ(test, h->nr_numa, num_node_state(N_MEMORY));
	for_each_node_state(nid, N_MEMORY) {
		struct gh_span *s;
		unsigned long i;

		s = gh_mheap_alloc_span(h, &shape, &h->central[0],
					GFP_KERNEL | __GFP_THISNODE, nid);
		KUNIT_ASSERT_NOT_NULL(test, s);
		KUNIT_EXPECT_EQ(test, s->node->nid, nid);
		for (i = 0; i < span_bytes(s); i += PAGE_SIZE) {
			struct page *page = vmalloc_to_page((void *)s->base + i);

			KUNIT_EXPECT_EQ(test, page_to_nid(page), nid);
		}
		put_span(test, s);
	}
}

/* ---- failure ------------------------------------------------------------ */

static void a_failed_commit_leaves_the_pages_free(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_shape shape = large_shape(200);
	struct gh_pagealloc *pa;
	unsigned long nfree, nscav;
	struct gh_span *s;
	unsigned int nth;
	int nid;

	skip_unless_sparse(test);
	s = must_get_span(test, 40);
	pa = &s->node->pa;
	nid = s->node->nid;
	/* With a spare arena at hand none will come on the way. */
	KUNIT_ASSERT_EQ(test, gh_area_build(s->node, GFP_KERNEL), 0);
	KUNIT_EXPECT_TRUE(test, gh_node_grow(s->node));
	gh_area_detach(h);
	/* Some of the pages have memory, the others have none; no scavenger. */
	mutex_lock(&h->scav_lock);
	put_span(test, s);
	nfree = pa->nfree;
	nscav = pa->nscav;
	for (nth = 1; nth < 100; nth++) {
		gh_fault_arm(GH_FAULT_PAGE, nth);
		s = gh_mheap_alloc_span(h, &shape, &h->central[0],
					GFP_KERNEL | __GFP_THISNODE, nid);
		if (!gh_fault_disarm())
			break;
		KUNIT_EXPECT_NULL(test, s);
		KUNIT_EXPECT_EQ(test, pa->nfree, nfree);
		KUNIT_EXPECT_EQ(test, pa->nscav, nscav);
		KUNIT_EXPECT_TRUE(test, nodes_verify(h));
	}
	mutex_unlock(&h->scav_lock);
	KUNIT_EXPECT_GT(test, nth, 2);
	KUNIT_ASSERT_NOT_NULL(test, s);
	put_span(test, s);
}

/* Make a heap, grow it if asked, and use it; any of that may fail. */
static void live_and_die(struct kunit *test, bool grow)
{
	struct gh_heap *h = gh_heap_create("test");
	struct gh_shape shape = class_shape(gh_size_to_class(64));
	struct gh_span *s[3] = { };
	unsigned int i;

	if (!h)
		return;
	shape.tiny = true;
	shape.elemsize = GH_TINY_SIZE;
	shape.nelems = GH_PAGE_SIZE / GH_TINY_SIZE;
	s[0] = gh_mheap_alloc_span(h, &shape, &h->central[0], GFP_KERNEL,
				   NUMA_NO_NODE);
	s[1] = get_span(h, 30, GFP_KERNEL);
	if (grow && !gh_area_build(h->nodes[0], GFP_KERNEL))
		gh_node_grow(h->nodes[0]);
	s[2] = get_span(h, 50, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		if (s[i])
			gh_mheap_free_span(h, s[i]);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0);
	KUNIT_EXPECT_TRUE(test, nodes_verify(h));
	KUNIT_EXPECT_TRUE(test, gh_heap_destroy(h));
}

static void a_huge_span_without_arenas_gives_its_memory_back(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	long committed = gh_vmem_committed_bytes();
	struct gh_span *s;
	unsigned int nth;
	bool hit = true;

	need_ram(test, SZ_64M);
	for (nth = 0; hit && nth < 100; nth++) {
		gh_fault_arm(GH_FAULT_META, nth + 1);
		s = get_span(h, GH_HUGE_MIN + 1, GFP_KERNEL);
		hit = gh_fault_disarm();
		/* Another node's memory may have been taken instead. */
		KUNIT_EXPECT_TRUE(test, hit || s);
		if (s)
			put_span(test, s);
		reap_huge(test);
		KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), committed);
	}
	KUNIT_EXPECT_GT(test, nth, 1);
	KUNIT_EXPECT_LT(test, nth, 100);
}

static void no_failure_loses_anything(struct kunit *test)
{
	static const enum gh_fault_point points[] = {
		GH_FAULT_PAGE, GH_FAULT_VMAP, GH_FAULT_FIXALLOC, GH_FAULT_META,
	};
	unsigned long committed = gh_vmem_committed_bytes();
	unsigned int i, nth, hits = 0;

	need_ram(test, 4 * GH_ARENA_SIZE);
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		bool grow = points[i] == GH_FAULT_VMAP ||
			    points[i] == GH_FAULT_META;

		for (nth = 1; nth < 100; nth++) {
			gh_fault_arm(points[i], nth);
			live_and_die(test, grow);
			if (!gh_fault_disarm())
				break;
			hits++;
			KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(),
					committed);
		}
		KUNIT_EXPECT_GT_MSG(test, nth, 1, "point %u is never reached",
				    points[i]);
		KUNIT_EXPECT_LT(test, nth, 100);
	}
	kunit_info(test, "%u failures injected\n", hits);
}

static void a_heap_that_ends_in_use_leaves_its_memory_alone(struct kunit *test)
{
	struct gh_test *t = test->priv;
	struct gh_shape shape = large_shape(20);
	struct gh_vmem_area area;
	unsigned long base;
	struct gh_span *s;

	/* kmemleak would look there for pointers until the end of time. */
	shape.noscan = true;
	s = gh_mheap_alloc_span(t->heap, &shape, &t->heap->central[1],
				GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, s);
	base = s->base;
	gh_test_fill((void *)base, span_bytes(s), 9);
	/* An area's record begins with this. */
	area = *list_first_entry(&s->node->areas, struct gh_vmem_area, list);
	KUNIT_EXPECT_FALSE(test, gh_heap_destroy(t->heap));
	t->heap = NULL;
	KUNIT_EXPECT_NULL(test, gh_span_of(base));
	KUNIT_EXPECT_GT(test, gh_vmem_committed_bytes(), t->committed);
	KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)base,
					       20 * GH_PAGE_SIZE, 9));
	/* It is lost to goheap; the test knows that nobody has it. */
	gh_vmem_release(&area);
	KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), t->committed);
}

static struct kunit_case mheap_cases[] = {
	KUNIT_CASE(a_span_is_found_from_each_of_its_pages_only),
	KUNIT_CASE(a_dead_span_says_so),
	KUNIT_CASE(every_class_gets_the_span_of_its_shape),
	KUNIT_CASE(each_span_in_use_is_visited_once),
	KUNIT_CASE(huge_spans_are_visited_until_they_are_dead),
	KUNIT_CASE(stack_spans_are_counted_apart),
	KUNIT_CASE(spans_do_not_overlap),
	KUNIT_CASE(the_lowest_free_run_is_used_first),
	KUNIT_CASE(short_runs_come_from_the_page_cache_of_the_cpu),
	KUNIT_CASE(a_flushed_page_cache_gives_all_back),
	KUNIT_CASE(a_busy_page_cache_is_left_alone),
	KUNIT_CASE(a_new_heap_has_one_arena),
	KUNIT_CASE(a_heap_grows_when_it_is_full),
	KUNIT_CASE(those_who_cannot_wait_grow_into_what_is_reserved),
	KUNIT_CASE(address_space_is_reserved_ahead),
	KUNIT_CASE(free_areas_go_back),
	KUNIT_CASE(a_sixteenth_of_memory_could_be_had_at_once),
	KUNIT_CASE(areas_beyond_what_is_kept_are_released),
	KUNIT_CASE(scavenging_frees_no_more_than_it_is_asked),
	KUNIT_CASE(huge_spans_share_the_arenas_that_they_lie_in),
	KUNIT_CASE(a_huge_span_is_not_where_an_arena_was),
	KUNIT_CASE(victims_of_the_oom_killer_build_no_areas),
	KUNIT_CASE(a_run_may_be_longer_than_an_arena),
	KUNIT_CASE(areas_never_merge),
	KUNIT_CASE(scavenging_takes_the_memory_of_free_pages),
	KUNIT_CASE(the_system_knows_what_is_idle),
	KUNIT_CASE(the_system_forgets_a_heap),
	KUNIT_CASE(pages_are_known_to_have_memory_one_by_one),
	KUNIT_CASE(scavenging_begins_at_the_highest_address),
	KUNIT_CASE(scavenging_spares_what_is_in_use),
	KUNIT_CASE(a_heap_with_holes_gives_back_what_it_takes),
	KUNIT_CASE(used_memory_needs_zeroing_and_new_memory_does_not),
	KUNIT_CASE(scavenged_memory_needs_no_zeroing),
	KUNIT_CASE(pages_not_asked_to_be_zero_need_zeroing),
	KUNIT_CASE(spans_are_of_the_node_that_was_named),
	KUNIT_CASE(a_failed_commit_leaves_the_pages_free),
	KUNIT_CASE(a_huge_span_without_arenas_gives_its_memory_back),
	KUNIT_CASE(no_failure_loses_anything),
	KUNIT_CASE(a_heap_that_ends_in_use_leaves_its_memory_alone),
	{}
};

static struct kunit_suite mheap_suite = {
	.name = "goheap_mheap",
	.init = gh_test_heap_init,
	.exit = gh_test_heap_exit,
	.test_cases = mheap_cases,
};

kunit_test_suite(mheap_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of the heap of pages and spans");
MODULE_LICENSE("GPL");
