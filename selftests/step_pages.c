// SPDX-License-Identifier: GPL-2.0-only
/*
 * step_pages: all that the stepper knows of the heap's pages, of the nodes that
 * they are from, and of the node's span caches.
 */
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sizes.h>

#include "../mm/compat.h"
#include "../mm/mheap.h"
#include "../mm/vmem.h"
#include "step.h"

/* The bound of the span caches, as it was. */
static unsigned long max_pages;

/**
 * step_pages_init() - let each node have an arena, because growth is a path of
 * its own
 *
 * Context: process context.
 */
void step_pages_init(void)
{
	unsigned int i;

	for (i = 0; i < gh_kheap->nr_nodes; i++)
		goheap_free(goheap_alloc_node(SZ_1K, GFP_KERNEL | __GFP_THISNODE,
					      gh_kheap->nodes[i]->nid));
	max_pages = gh_kheap->nodes[0]->cache.max_pages;
}

/**
 * step_pages_same() - let victims be chosen in the same order each time
 *
 * Context: process context; nobody else uses the heap.
 */
void step_pages_same(void)
{
	unsigned int i;

	for (i = 0; i < gh_kheap->nr_nodes; i++)
		gh_kheap->nodes[i]->cache.victim = 0;
}

/**
 * step_pages_keep() - let nodes cache spans, or not
 * @keep: whether they may
 *
 * Context: process context; nobody else uses the heap.
 */
void step_pages_keep(bool keep)
{
	unsigned int i;

	for (i = 0; i < gh_kheap->nr_nodes; i++)
		gh_kheap->nodes[i]->cache.max_pages = keep ? max_pages : 0;
}

/**
 * step_pages_idle() - let it seem that nobody needed the cached spans of a kind
 * @shape: their layout
 *
 * Context: process context; nobody else uses the heap.
 */
void step_pages_idle(const struct gh_shape *shape)
{
	unsigned int i;

	for (i = 0; i < gh_kheap->nr_nodes; i++) {
		struct gh_spanbin *bin;

		bin = gh_spancache_bin(&gh_kheap->nodes[i]->cache,
				       shape->elemsize, shape->large);
		bin->low = bin->n;
	}
}

/**
 * step_pages_scavenge() - take the memory from all free pages
 *
 * Context: process context, may sleep.
 */
void step_pages_scavenge(void)
{
	mutex_lock(&gh_kheap->scav_lock);
	gh_mheap_scavenge(gh_kheap, NUMA_NO_NODE, ULONG_MAX, true);
	mutex_unlock(&gh_kheap->scav_lock);
}

/**
 * step_pages_stack() - count the pages of spans of stack blocks
 *
 * Context: any; exact while nobody allocates.
 * Return: pages.
 */
long step_pages_stack(void)
{
	unsigned int i;
	long n = 0;

	for (i = 0; i < gh_kheap->nr_nodes; i++)
		n += atomic_long_read(&gh_kheap->nodes[i]->stack_pages);
	return n;
}

/**
 * step_pages_verify() - verify that each span has a record, that each page that
 * has memory is counted, and that no CPU is at its page cache
 *
 * Context: process context; nobody else uses the heap.
 */
void step_pages_verify(void)
{
	unsigned long spans = 0, narenas = 0, committed;
	unsigned int i;
	int cpu;

	for (i = 0; i < gh_kheap->nr_nodes; i++) {
		spans += atomic_long_read(&gh_kheap->nodes[i]->nspans);
		narenas += gh_kheap->nodes[i]->narenas;
	}
	if (spans != gh_kheap->spans.inuse)
		step_wrong("there are %lu spans, and %lu records", spans,
			   gh_kheap->spans.inuse);

	committed = narenas * GH_ARENA_SIZE -
		    (gh_mheap_released(gh_kheap) << GH_PAGE_SHIFT);
	if (gh_vmem_is_sparse() && committed != gh_vmem_committed_bytes())
		step_wrong("%lu bytes are committed, not %lu", committed,
			   gh_vmem_committed_bytes());

	for_each_possible_cpu(cpu)
		if (per_cpu_ptr(gh_kheap->pages_cpu[0], cpu)->busy.held ||
		    per_cpu_ptr(gh_kheap->pages_cpu[1], cpu)->busy.held)
			step_wrong("a CPU's pages are left busy");
}

/**
 * step_pages_verify_all() - verify the page allocators, which takes long
 *
 * Context: process context; nobody else uses the heap.
 */
void step_pages_verify_all(void)
{
	unsigned int i;

	for (i = 0; i < gh_kheap->nr_nodes; i++)
		if (!gh_pagealloc_verify(&gh_kheap->nodes[i]->pa))
			step_wrong("the pages of node %u are wrong", i);
}
