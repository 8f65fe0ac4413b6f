// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of NUMA nodes in mcaches and mcentrals: what is freed goes home,
 * a CPU gets what is of its own node, and other nodes' memory is better than none.
 *
 * The cases run pinned to a CPU, on a heap that nobody else uses. A node without
 * memory is one that gets none: the first commit of pages fails.
 */
#include "test_util.h"

#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>

#include "../cache.h"
#include "../malloc.h"
#include "../mcache.h"
#include "../reclaim.h"
#include "../stats.h"

#define SIZE	64

static struct gh_central *central_of(struct kunit *test, size_t size)
{
	unsigned int sc = gh_make_spanclass(gh_size_to_class(size), false);

	return &gh_test_heap(test)->central[sc];
}

static struct gh_mcache *mcache_here(struct kunit *test)
{
	return per_cpu_ptr(gh_test_heap(test)->mcache, raw_smp_processor_id());
}

/* Another node that has CPUs and memory. */
static int must_have_other_node(struct kunit *test)
{
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (nid != gh_numa_here() &&
		    cpumask_intersects(cpumask_of_node(nid), cpu_online_mask))
			return nid;
	kunit_skip(test, "one NUMA node with CPUs");
	return -1;
}

static void go_to(struct kunit *test, int nid)
{
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of_node(nid)),
			0);
	KUNIT_ASSERT_EQ(test, gh_numa_here(), nid);
}

/* Records, so that magazines may grow. */
static void have_mags(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < GH_NUM_MAGS; i++)
		KUNIT_ASSERT_EQ(test,
				gh_fixalloc_prefill(&gh_test_heap(test)->mags[i],
						    20, GFP_KERNEL), 0);
}

static int nid_of(const void *p)
{
	return gh_test_span_of(p)->node->nid;
}

/* How many of @n objects are of a node. */
static unsigned int count_of_node(void **p, unsigned int n, int nid)
{
	unsigned int i, found = 0;

	for (i = 0; i < n; i++)
		found += nid_of(p[i]) == nid;
	return found;
}

static void *alloc(struct kunit *test, size_t size, gfp_t gfp, int nid)
{
	return gh_malloc(gh_test_heap(test), size, gfp, false, nid);
}

static void alloc_many(struct kunit *test, void **p, unsigned int n, int nid)
{
	unsigned int i;
	gfp_t gfp = GFP_KERNEL;

	if (nid != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	for (i = 0; i < n; i++)
		p[i] = gh_test_must(test, alloc(test, SIZE, gfp, nid));
}

static void free_many(void **p, unsigned int n)
{
	while (n)
		goheap_free(p[--n]);
}

/* Allocate while the first @nodes nodes have no memory. */
static void *alloc_exhausted(struct kunit *test, size_t size, unsigned int nodes)
{
	void *p;

	gh_fault_arm_first(GH_FAULT_PAGE, nodes);
	p = alloc(test, size, GFP_KERNEL, NUMA_NO_NODE);
	gh_fault_disarm();
	return gh_test_must(test, p);
}

/* ---- home --------------------------------------------------------------- */

static void what_is_freed_goes_home(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_home *here = gh_central_here(c), *there;
	unsigned int round, n = 6 * c->batch, batches;
	void **p = gh_test_ptrs(test, n);
	int nid = must_have_other_node(test);

	there = c->home[gh_numa_index(nid)];
	have_mags(test);
	/* So that this CPU has a magazine for objects of its own node. */
	alloc_many(test, p, 1, NUMA_NO_NODE);
	free_many(p, 1);
	/* Magazines grow to a batch, and then the first full one goes home. */
	for (round = 0; round < 50 && !there->tc_n; round++) {
		alloc_many(test, p, n, nid);
		KUNIT_EXPECT_EQ(test, count_of_node(p, n, nid), n);
		free_many(p, n);
	}

	/* Whole batches of them wait there, and none of them here. */
	KUNIT_EXPECT_GT(test, there->tc_n, 0);
	KUNIT_EXPECT_EQ(test, here->tc_n, 0);
	alloc_many(test, p, n, NUMA_NO_NODE);
	KUNIT_EXPECT_EQ(test, count_of_node(p, n, nid), 0);
	free_many(p, n);

	/* A CPU there is served with them, and nobody here is the poorer. */
	batches = here->tc_n;
	go_to(test, nid);
	KUNIT_EXPECT_EQ(test, gh_slot_alloc_bulk(c, GFP_KERNEL, n, p, 0), n);
	KUNIT_EXPECT_EQ(test, here->tc_n, batches);
	KUNIT_EXPECT_EQ(test, there->tc_n, 0);
	KUNIT_EXPECT_EQ(test, count_of_node(p, n, nid), n);
	free_many(p, n);
	gh_reclaim_drain(c->heap, NULL);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(c->heap), 0);
}

static void caches_and_bulk_frees_go_home_too(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	int nid = must_have_other_node(test);
	struct goheap_cache *cache;
	unsigned int i;
	void *p[30];

	cache = gh_cache_create(h, "homes", SIZE, 0, 0, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = i % 2 ? goheap_cache_alloc_node(cache, GFP_KERNEL, nid) :
			       goheap_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
	KUNIT_EXPECT_EQ(test, count_of_node(p, ARRAY_SIZE(p), nid),
			ARRAY_SIZE(p) / 2);
	for (i = 0; i < 10; i++)
		goheap_cache_free(cache, p[i]);
	goheap_cache_free_bulk(cache, ARRAY_SIZE(p) - i, p + i);

	/* What is in this CPU's magazine now is of here. */
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = gh_test_must(test, goheap_cache_alloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, count_of_node(p, ARRAY_SIZE(p), nid), 0);
	goheap_cache_free_bulk(cache, ARRAY_SIZE(p), p);
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache), 0);
}

/* Caches are found with one addition, which must lead to the same slots. */
static void each_cpu_finds_the_slots_of_its_home(struct kunit *test)
{
	struct goheap_cache *cache;
	struct gh_central *c;
	int cpu;

	cache = gh_cache_create(gh_test_heap(test), "homes", SIZE, 0, 0, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	c = &cache->central;
	for_each_online_cpu(cpu) {
		KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current,
							   cpumask_of(cpu)), 0);
		preempt_disable();
		KUNIT_EXPECT_PTR_EQ(test, gh_home_slot(c->slots),
				    this_cpu_ptr(gh_central_here(c)->slots));
		preempt_enable();
	}
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache), 0);
}

/* On a CPU whose node has no memory, "this node" is the nearest that has some. */
static void this_node_has_memory_on_every_cpu(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	int cpu;

	for_each_online_cpu(cpu) {
		void *p, *q;

		KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current,
							   cpumask_of(cpu)), 0);
		p = alloc(test, 100, GFP_KERNEL | __GFP_THISNODE, NUMA_NO_NODE);
		q = alloc(test, SZ_64K, GFP_KERNEL | __GFP_THISNODE,
			  NUMA_NO_NODE);
		KUNIT_EXPECT_NOT_NULL(test, p);
		KUNIT_EXPECT_NOT_NULL(test, q);
		KUNIT_EXPECT_TRUE(test, node_state(gh_numa_here(), N_MEMORY));
		goheap_free(p);
		goheap_free(q);
	}
	/* Nothing is left behind that only those CPUs would age. */
	gh_reclaim_drain(h, NULL);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0);
}

static void the_node_of_a_cpu_is_known_when_it_comes(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	int cpu = gh_test_other_cpu(raw_smp_processor_id());
	unsigned int home;
	unsigned long offset;

	if (cpu < 0 || !gh_test_cpu_down(cpu))
		kunit_skip(test, "no CPU can be taken away");
	home = per_cpu(gh_cpu_home, cpu);
	offset = per_cpu(gh_home_offset, cpu);
	/* As for a CPU that was not there when goheap was loaded. */
	per_cpu(gh_cpu_home, cpu) = GH_MAX_NUMA - 1;
	per_cpu(gh_home_offset, cpu) = 0;
	per_cpu_ptr(h->pages_cpu[0], cpu)->node = NULL;
	KUNIT_EXPECT_TRUE(test, gh_test_cpu_up(cpu));
	KUNIT_EXPECT_EQ(test, per_cpu(gh_cpu_home, cpu), home);
	KUNIT_EXPECT_EQ(test, per_cpu(gh_home_offset, cpu), offset);
	KUNIT_EXPECT_PTR_EQ(test, per_cpu_ptr(h->pages_cpu[0], cpu)->node,
			    gh_mheap_node(h, cpu_to_node(cpu), false));
}

/* A node without memory shares the home of its nearest, and the magazines. */
static void the_home_of_a_node_without_memory_is_served_by_magazines(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int n;
	int nid;
	void *p;

	for_each_node_state(nid, N_CPU)
		if (!node_state(nid, N_MEMORY))
			break;
	if (nid == MAX_NUMNODES)
		kunit_skip(test, "every node has memory");
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of_node(nid)),
			0);
	gh_test_pin();
	alloc_many(test, &p, 1, NUMA_NO_NODE);
	goheap_free(p);
	n = gh_slot_n(gh_central_slot(c, raw_smp_processor_id()));
	KUNIT_ASSERT_GT(test, n, 0);
	p = gh_test_must(test, alloc(test, SIZE, GFP_KERNEL, nid));
	KUNIT_EXPECT_EQ(test, gh_slot_n(gh_central_slot(c, raw_smp_processor_id())),
			n - 1);
	goheap_free(p);
}

/* ---- the memory of others ----------------------------------------------- */

static void the_last_resort_is_another_nodes_memory(struct kunit *test)
{
	int there = must_have_other_node(test), here = gh_numa_here();
	void *p, *q;

	p = gh_test_must(test, alloc(test, SIZE, GFP_KERNEL | __GFP_THISNODE, there));
	KUNIT_EXPECT_EQ(test, nid_of(p), there);
	gh_fault_arm(GH_FAULT_PAGE, 1);
	q = alloc(test, SIZE, GFP_KERNEL | __GFP_THISNODE, here);
	gh_fault_disarm();
	KUNIT_EXPECT_NULL(test, q);
	gh_fault_arm_from(GH_FAULT_PAGE, 1);
	q = alloc(test, SIZE, GFP_KERNEL, here);
	gh_fault_disarm();
	KUNIT_EXPECT_NOT_NULL(test, q);
	goheap_free(p);
	goheap_free(q);
}

static void this_node_is_served_though_it_had_no_memory(struct kunit *test)
{
	int here = gh_numa_here();
	void *p[4], *q;
	unsigned int i;

	must_have_other_node(test);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = alloc_exhausted(test, SIZE, 1);
	KUNIT_EXPECT_NE(test, nid_of(p[3]), here);
	q = alloc(test, SIZE, GFP_KERNEL | __GFP_THISNODE, NUMA_NO_NODE);
	KUNIT_EXPECT_EQ(test, nid_of(gh_test_must(test, q)), here);
	goheap_free(q);
	free_many(p, ARRAY_SIZE(p));
}

/* Allocate all that is left without a new span. Returns how many there were. */
static unsigned int use_up(struct kunit *test, void **p, unsigned int n)
{
	struct gh_heap *h = gh_test_heap(test);
	unsigned int i;

	/* No free pages with memory, of which there could be one. */
	gh_mheap_evict(h);
	mutex_lock(&h->scav_lock);
	gh_mheap_scavenge(h, NUMA_NO_NODE, ULONG_MAX, true);
	mutex_unlock(&h->scav_lock);

	gh_fault_arm_from(GH_FAULT_PAGE, 1);
	for (i = 0; i < n; i++) {
		p[i] = alloc(test, SIZE, GFP_ATOMIC, NUMA_NO_NODE);
		if (!p[i])
			break;
	}
	gh_fault_disarm();
	return i;
}

static void what_a_cpu_holds_of_others_is_used_before_it_fails(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int n = c->shape.nelems, max = 20 * c->batch;
	void **p = gh_test_ptrs(test, max), **q = gh_test_ptrs(test, max);
	int nid = must_have_other_node(test);
	unsigned int got;

	have_mags(test);
	/* So that both of this CPU's slots are open. */
	alloc_many(test, p, 1, NUMA_NO_NODE);
	alloc_many(test, p + 1, 1, nid);
	free_many(p, 2);

	/* One whole span of theirs, each object of which is free. */
	alloc_many(test, p, n, nid);
	free_many(p, n - 1);
	got = use_up(test, q, max);
	KUNIT_EXPECT_EQ(test, count_of_node(q, got, nid), n - 1);
	free_many(q, got);
	goheap_free(p[n - 1]);
}

/* Free objects of a node until a batch of them is there, at least @n in all. */
static struct gh_home *have_batches(struct kunit *test, void **p, unsigned int n,
				    int nid)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_home *there = c->home[gh_numa_index(nid)];
	unsigned int i;

	for (i = 0; i < 50 && !there->tc_n; i++) {
		alloc_many(test, p, n, nid);
		free_many(p, n);
	}
	KUNIT_ASSERT_GT(test, there->tc_n, 0);
	return there;
}

static void the_batches_of_others_are_used_before_it_fails(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int n = 6 * c->batch, max = 20 * c->batch, got, i;
	void **p = gh_test_ptrs(test, max);
	int nid = must_have_other_node(test);
	struct gh_home *there;

	have_mags(test);
	/* By way of a slot, and without one. */
	for (i = 0; i < 2; i++) {
		there = have_batches(test, p, n, nid);
		if (i)
			gh_slot_drain_here(c);
		got = use_up(test, p, max);
		KUNIT_EXPECT_EQ(test, there->tc_n, 0);
		KUNIT_EXPECT_GE(test, count_of_node(p, got, nid), c->batch);
		free_many(p, got);
	}
}

static void expect_of_home(struct kunit *test, const struct gh_home *home,
			   const struct gh_ent *ents, unsigned int n)
{
	while (n--)
		KUNIT_EXPECT_EQ(test, gh_test_span_of(ents[n].obj)->node->home,
				home->index);
}

/* Magazines and transfer caches hold what is of their node, and nothing else. */
static void expect_pure(struct kunit *test, struct gh_central *c)
{
	unsigned int i, k;

	gh_for_each_home(i, c) {
		struct gh_home *home = c->home[i];
		struct gh_slot *slot = per_cpu_ptr(home->slots,
						   raw_smp_processor_id());

		expect_of_home(test, home, slot->mag, gh_slot_n(slot));
		expect_of_home(test, home, slot->spare, slot->nspare);
		for (k = 0; k < home->tc_n; k++)
			expect_of_home(test, home, home->tc[k], c->batch);
		if (slot->span)
			KUNIT_EXPECT_EQ(test, slot->span->node->home, i);
	}
}

/* Allocate and free on an exhausted node: that needs no new span each time. */
static void churn_exhausted(struct kunit *test, size_t size, unsigned int nodes)
{
	struct gh_central *c = central_of(test, size);
	unsigned int n = 3 * c->batch, rounds = 20, round, i;
	void **p = gh_test_ptrs(test, n);
	unsigned long first = 0;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < n; i++) {
			p[i] = alloc_exhausted(test, size, nodes);
			KUNIT_EXPECT_NE(test, nid_of(p[i]), gh_numa_here());
		}
		free_many(p, n);
		if (!round)
			first = gh_mheap_inuse(c->heap);
		expect_pure(test, c);
	}
	/* Magazines and the transfer cache hold a few batches. */
	KUNIT_EXPECT_LE(test, gh_mheap_inuse(c->heap), 3 * first);
}

static void an_exhausted_node_gets_back_what_it_frees(struct kunit *test)
{
	must_have_other_node(test);
	have_mags(test);
	churn_exhausted(test, SIZE, 1);
}

/* Memory of no certain node is used, too, before more of it is taken. */
static void what_is_nobodys_comes_back(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);

	must_have_other_node(test);
	if (!h->any)
		kunit_skip(test, "memory of each node is its own");
	have_mags(test);
	churn_exhausted(test, SIZE, h->nr_numa);
}

/* Also by a CPU whose node has memory. */
static void what_is_nobodys_is_anybodys(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_central *c = central_of(test, SIZE);
	unsigned int i, n = 3 * c->shape.nelems;
	void **p = gh_test_ptrs(test, n);

	must_have_other_node(test);
	if (!h->any)
		kunit_skip(test, "memory of each node is its own");
	have_mags(test);
	for (i = 0; i < n; i++)
		p[i] = alloc_exhausted(test, SIZE, h->nr_numa);
	KUNIT_EXPECT_EQ(test, count_of_node(p, n, NUMA_NO_NODE), n);
	/* One of each span stays, so that no span is freed. */
	for (i = 0; i < n; i++)
		if (i % c->shape.nelems)
			goheap_free(p[i]);
	gh_slot_drain_here(c);
	mcache_here(test)->host[gh_numa_index(gh_numa_here())].home = 0;

	for (i = 0; i < n; i++)
		if (i % c->shape.nelems)
			p[i] = gh_test_must(test, alloc(test, SIZE, GFP_KERNEL,
							NUMA_NO_NODE));
	KUNIT_EXPECT_EQ(test, count_of_node(p, n, NUMA_NO_NODE), n);
	free_many(p, n);
}

/* A class that has not earned a magazine takes from the spans of others. */
static void without_a_magazine_no_span_is_wasted(struct kunit *test)
{
	struct gh_central *c = central_of(test, SZ_4K);
	unsigned int i, n = c->shape.nelems + 1;
	void **p = gh_test_ptrs(test, n);

	must_have_other_node(test);
	for (i = 0; i < n; i++)
		p[i] = alloc_exhausted(test, SZ_4K, 1);
	/* One more if a second passed, and there might have been memory again. */
	KUNIT_EXPECT_LE(test, atomic_long_read(&c->nspans), 3);
	free_many(p, n);
}

/* Neither when the node is named that has no memory. */
static void a_named_node_without_memory_wastes_no_span(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int i, n = c->shape.nelems;
	void **p = gh_test_ptrs(test, n);
	int nid = must_have_other_node(test);

	for (i = 0; i < n; i++) {
		gh_fault_arm(GH_FAULT_PAGE, 1);
		p[i] = gh_test_must(test, alloc(test, SIZE, GFP_KERNEL, nid));
		gh_fault_disarm();
		KUNIT_EXPECT_NE(test, nid_of(p[i]), nid);
	}
	KUNIT_EXPECT_LE(test, atomic_long_read(&c->nspans), 3);
	expect_pure(test, c);
	free_many(p, n);
}

/* What is of here is not mixed with what is taken of others meanwhile. */
static void nodes_are_not_mixed(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int i, n = 6 * c->batch;
	void **p = gh_test_ptrs(test, n), **q = gh_test_ptrs(test, n);

	must_have_other_node(test);
	have_mags(test);
	alloc_many(test, p, n, gh_numa_here());
	for (i = 0; i < n; i++)
		q[i] = alloc_exhausted(test, SIZE, 1);
	free_many(p, n);
	for (i = 0; i < n; i++)
		p[i] = alloc_exhausted(test, SIZE, 1);
	free_many(q, n);
	expect_pure(test, c);
	free_many(p, n);
	expect_pure(test, c);
}

static void large_objects_go_home(struct kunit *test)
{
	int nid = must_have_other_node(test);
	void *p = gh_test_must(test, alloc(test, SZ_64K, GFP_KERNEL, nid));

	KUNIT_EXPECT_EQ(test, nid_of(p), nid);
	goheap_free(p);
	KUNIT_EXPECT_EQ(test, mcache_here(test)->large.n, 0);
	p = gh_test_must(test, alloc(test, SZ_64K, GFP_KERNEL, NUMA_NO_NODE));
	KUNIT_EXPECT_EQ(test, nid_of(p), gh_numa_here());
	goheap_free(p);
}

/* Who frees memory takes one of the reserves before there are more of these. */
static void reserves_of_other_nodes_are_used_first(struct kunit *test)
{
	int nid = must_have_other_node(test);
	unsigned int flags;
	void *first, *p, *strict;

	if (!gh_vmem_is_sparse())
		kunit_skip(test, "eager arenas are not of the reserves");
	gh_test_pin();
	/* Who may use reserves makes no arenas, so let there be some. */
	goheap_free(gh_test_must(test, alloc(test, SZ_1M, GFP_KERNEL | __GFP_THISNODE,
					     nid)));
	goheap_free(gh_test_must(test, alloc(test, SZ_1M, GFP_KERNEL | __GFP_THISNODE,
					     gh_numa_here())));
	gh_reclaim_all(gh_test_heap(test));
	flags = memalloc_noreclaim_save();
	gh_fault_arm_from(GH_FAULT_RESERVE, 1);
	first = alloc(test, SIZE, GFP_KERNEL | __GFP_THISNODE, nid);
	p = alloc(test, SIZE, GFP_KERNEL, NUMA_NO_NODE);
	strict = alloc(test, SIZE, GFP_KERNEL | __GFP_THISNODE, gh_numa_here());
	gh_fault_disarm();
	memalloc_noreclaim_restore(flags);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, strict);
	KUNIT_EXPECT_EQ(test, nid_of(first), nid);
	KUNIT_EXPECT_TRUE(test, gh_test_span_of(first)->reserve);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p), gh_test_span_of(first));
	KUNIT_EXPECT_EQ(test, nid_of(strict), gh_numa_here());
	goheap_free(first);
	goheap_free(p);
	goheap_free(strict);
}

/* Once its node has memory again, a CPU leaves the others' objects to them. */
static void a_node_with_memory_again_is_home_again(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int i, n = 6 * c->batch;
	void **p = gh_test_ptrs(test, n);
	int here = gh_numa_here(), nid = must_have_other_node(test);

	have_mags(test);
	have_batches(test, p, n, nid);
	p[0] = alloc_exhausted(test, SIZE, 1);
	KUNIT_EXPECT_NE(test, nid_of(p[0]), here);
	goheap_free(p[0]);
	/* As if the second were over. */
	mcache_here(test)->host[gh_numa_index(here)].until = jiffies - 1;
	for (i = 0; i < n; i++)
		p[i] = gh_test_must(test, alloc(test, SIZE, GFP_KERNEL,
						NUMA_NO_NODE));
	KUNIT_EXPECT_EQ(test, count_of_node(p, n, here), n);
	free_many(p, n);
}

/* ---- bounds ------------------------------------------------------------- */

static void a_cache_takes_room_from_its_own_slots(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	int nid = must_have_other_node(test);
	unsigned long bound = gh_percpu_bytes;
	struct goheap_cache *cache;
	struct gh_central *c;
	struct gh_slot *slot;
	void *p, *q;

	cache = gh_cache_create(h, "room", SIZE, 0, 0, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(cache));
	c = &cache->central;
	have_mags(test);
	p = gh_test_must(test, goheap_cache_alloc_node(cache, GFP_KERNEL, nid));
	goheap_cache_free(cache, p);
	slot = per_cpu_ptr(c->home[gh_numa_index(nid)]->slots,
			   raw_smp_processor_id());
	KUNIT_EXPECT_GT(test, slot->cap, 0);

	/* Room for one slot. */
	gh_percpu_bytes = per_cpu_ptr(h->mcache, raw_smp_processor_id())->cache_bytes;
	q = goheap_cache_alloc(cache, GFP_KERNEL);
	goheap_cache_free(cache, q);
	gh_percpu_bytes = bound;
	KUNIT_EXPECT_EQ(test, slot->cap, 0);
	KUNIT_EXPECT_GT(test, gh_central_slot(c, raw_smp_processor_id())->cap, 0);
	KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache), 0);
}

/* A magazine for it must be in stock, though no CPU that allocates needs one more. */
static void a_slot_that_is_only_freed_to_opens(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int cpu = raw_smp_processor_id(), n = 0;
	int nid = must_have_other_node(test);
	struct gh_fixalloc *mags;
	struct gh_home *home;
	void *p[32], *mag[64];

	go_to(test, nid);
	gh_test_pin();
	home = gh_central_here(c);
	alloc_many(test, p, 1, NUMA_NO_NODE);
	mags = gh_mheap_mags(c->heap,
			     gh_central_slot(c, raw_smp_processor_id())->cap);
	while (n < ARRAY_SIZE(mag) && (mag[n] = gh_fixalloc_alloc(mags, 0)))
		n++;
	KUNIT_ASSERT_LT(test, n, ARRAY_SIZE(mag));
	alloc_many(test, p + 1, ARRAY_SIZE(p) - 1, NUMA_NO_NODE);

	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(cpu)), 0);
	free_many(p, ARRAY_SIZE(p));
	KUNIT_EXPECT_GT(test, gh_slot_n(per_cpu_ptr(home->slots, cpu)), 0);
	while (n)
		gh_fixalloc_free(mags, mag[--n]);
}

static void slots_and_homes_are_in_the_statistics(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	size_t slots = num_possible_cpus() * h->nr_homes * sizeof(struct gh_slot);
	struct goheap_stats before, after;
	struct goheap_cache *cache[60];
	unsigned long records;
	unsigned int i;

	gh_stats_get(h, &before);
	KUNIT_EXPECT_GE(test, before.mcache_sys, (u64)GH_NUM_CENTRALS * slots);
	records = h->homes.sys + h->caches_rec.sys;
	for (i = 0; i < ARRAY_SIZE(cache); i++) {
		cache[i] = gh_cache_create(h, "stats", SIZE, 0, 0, NULL);
		KUNIT_ASSERT_FALSE(test, IS_ERR(cache[i]));
	}
	gh_stats_get(h, &after);
	KUNIT_EXPECT_EQ(test, after.mcache_sys - before.mcache_sys,
			(u64)ARRAY_SIZE(cache) * slots);
	/* Areas may be reserved meanwhile. */
	KUNIT_EXPECT_GE(test, after.other_sys - before.other_sys,
			(u64)h->homes.sys + h->caches_rec.sys - records);
	while (i)
		KUNIT_EXPECT_EQ(test, gh_cache_destroy(cache[--i]), 0);
}

static struct kunit_case home_cases[] = {
	KUNIT_CASE(what_is_freed_goes_home),
	KUNIT_CASE(caches_and_bulk_frees_go_home_too),
	KUNIT_CASE(each_cpu_finds_the_slots_of_its_home),
	KUNIT_CASE(this_node_has_memory_on_every_cpu),
	KUNIT_CASE(the_node_of_a_cpu_is_known_when_it_comes),
	KUNIT_CASE(the_home_of_a_node_without_memory_is_served_by_magazines),
	KUNIT_CASE(the_last_resort_is_another_nodes_memory),
	KUNIT_CASE(this_node_is_served_though_it_had_no_memory),
	KUNIT_CASE(what_a_cpu_holds_of_others_is_used_before_it_fails),
	KUNIT_CASE(the_batches_of_others_are_used_before_it_fails),
	KUNIT_CASE(an_exhausted_node_gets_back_what_it_frees),
	KUNIT_CASE(what_is_nobodys_comes_back),
	KUNIT_CASE(what_is_nobodys_is_anybodys),
	KUNIT_CASE(without_a_magazine_no_span_is_wasted),
	KUNIT_CASE(a_named_node_without_memory_wastes_no_span),
	KUNIT_CASE(nodes_are_not_mixed),
	KUNIT_CASE(large_objects_go_home),
	KUNIT_CASE(reserves_of_other_nodes_are_used_first),
	KUNIT_CASE(a_node_with_memory_again_is_home_again),
	KUNIT_CASE(a_cache_takes_room_from_its_own_slots),
	KUNIT_CASE(a_slot_that_is_only_freed_to_opens),
	KUNIT_CASE(slots_and_homes_are_in_the_statistics),
	{}
};

static struct kunit_suite home_suite = {
	.name = "goheap_home",
	.init = gh_test_heap_init,
	.exit = gh_test_heap_exit,
	.test_cases = home_cases,
};

kunit_test_suite(home_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of homes");
MODULE_LICENSE("GPL");
