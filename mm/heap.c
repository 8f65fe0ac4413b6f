// SPDX-License-Identifier: GPL-2.0-only
/*
 * heap: the birth and the end of a whole heap: its records, its nodes, its
 * mcentrals, and the per-CPU caches in front of them.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/nodemask.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "area.h"
#include "cache.h"
#include "compat.h"
#include "defer.h"
#include "heap.h"
#include "huge.h"
#include "large.h"
#include "mcache.h"
#include "reclaim.h"
#include "records.h"
#include "stack.h"
#include "tiny.h"

/* ---- records ------------------------------------------------------------ */

static void heap_init_records(struct gh_heap *h)
{
	unsigned int i;

	gh_fixalloc_init_aligned(&h->spans, "spans", sizeof(struct gh_span),
				 SMP_CACHE_BYTES, false, NULL, NULL);
	for (i = 0; i < GH_NUM_META; i++)
		gh_fixalloc_init(&h->meta[i], "span bitmaps",
				 gh_span_meta_bytes(16U << i), false, NULL,
				 NULL);
	gh_fixalloc_init(&h->tiny_meta, "tiny words",
			 sizeof(struct gh_tinywords), true, NULL, NULL);
	for (i = 0; i < GH_NUM_MAGS; i++)
		gh_fixalloc_init(&h->mags[i], "magazines",
				 sizeof(struct gh_ent) * (2U << i), false,
				 NULL, NULL);
	gh_fixalloc_init(&h->areas, "areas", sizeof(struct gh_area), true,
			 NULL, NULL);
	gh_fixalloc_init(&h->huge_recs, "huge spans", sizeof(struct gh_huge),
			 true, NULL, NULL);
	gh_fixalloc_init_aligned(&h->caches_rec, "caches",
				 sizeof(struct goheap_cache), SMP_CACHE_BYTES,
				 true, NULL, NULL);
	gh_fixalloc_init_aligned(&h->homes, "mcentrals by node",
				 sizeof(struct gh_home), SMP_CACHE_BYTES, true,
				 NULL, NULL);
}

/* ---- mcentrals ---------------------------------------------------------- */

static int heap_init_spanclass(struct gh_heap *h, unsigned int sc)
{
	unsigned int class = gh_spanclass_class(sc);
	bool noscan = gh_spanclass_noscan(sc);
	struct gh_shape shape;
	char name[GH_NAME_LEN];

	if (class) {
		shape = gh_shape_class(class, noscan);
		snprintf(name, sizeof(name),
			 noscan ? "goheap-data-%zu" : "goheap-%zu",
			 shape.elemsize);
	} else {
		/* Large objects are only counted here: any size will do. */
		shape = gh_shape_objects(GH_PAGE_SIZE, noscan);
		strscpy(name, "goheap-large", sizeof(name));
	}
	return gh_central_init(&h->central[sc], h, name, &shape, 0);
}

/* An array on each CPU for each NUMA node, so that one address leads to all. */
static int heap_init_slots(struct gh_heap *h)
{
	unsigned int i, k;

	for (i = 0; i < h->nr_homes; i++) {
		h->slots[i] = __alloc_percpu(GH_NUM_CENTRALS * sizeof(struct gh_slot),
					     __alignof__(struct gh_slot));
		if (!h->slots[i])
			return -ENOMEM;
		for (k = 0; k < GH_NUM_CENTRALS; k++)
			gh_central_set_slots(&h->central[k], i, h->slots[i] + k);
	}
	return 0;
}

static int heap_init_centrals(struct gh_heap *h)
{
	struct gh_shape tiny = gh_shape_objects(GH_TINY_SIZE, true);
	unsigned int i;
	int err;

	for (i = 0; i < GH_NUM_SPANCLASSES; i++) {
		err = heap_init_spanclass(h, i);
		if (err)
			return err;
	}

	tiny.tiny = true;
	err = gh_central_init(&h->central[GH_CENTRAL_TINY], h, "goheap-tiny",
			      &tiny, 0);
	if (err)
		return err;

	err = gh_stack_init(h);
	if (err)
		return err;

	for (i = 0; i < GH_NUM_CENTRALS; i++)
		list_add_tail(&h->central[i].list, &h->centrals);
	return heap_init_slots(h);
}

/* ---- nodes -------------------------------------------------------------- */

static struct gh_node *heap_add_node(struct gh_heap *h, unsigned int home,
				     int nid, bool noscan)
{
	struct gh_node *node = gh_node_create(nid);

	if (!node)
		return NULL;
	node->home = home;
	node->noscan = noscan;
	node->area_recs = &h->areas;
	node->pages_cpu = h->pages_cpu[noscan];
	node->goal = gh_area_least_spare(node);
	h->nodes[h->nr_nodes++] = node;
	return node;
}

/* The nodes of a NUMA node, or those for memory of any. */
static int heap_add_numa(struct gh_heap *h, unsigned int home, int nid)
{
	struct gh_node **pair = h->numa[home];

	pair[0] = heap_add_node(h, home, nid, false);
	if (!pair[0])
		return -ENOMEM;
	pair[1] = gh_vmem_is_sparse() ? heap_add_node(h, home, nid, true) :
					  pair[0];
	return pair[1] ? 0 : -ENOMEM;
}

/* Nodes for each NUMA node with memory, and one arena where this CPU is. */
static int heap_add_nodes(struct gh_heap *h)
{
	struct gh_node *here;
	unsigned int i;
	int cpu, err;

	for (i = 0; i < h->nr_homes; i++) {
		err = heap_add_numa(h, i, i < h->nr_numa ? gh_numa.nid[i] :
							   NUMA_NO_NODE);
		if (err)
			return err;
	}

	for_each_possible_cpu(cpu)
		gh_mheap_set_cpu(h, cpu);
	here = gh_mheap_node(h, gh_numa_here(), false);
	err = gh_area_build(here, GFP_KERNEL);
	if (err && h->any) {
		here = h->numa[h->nr_numa][false];
		err = gh_area_build(here, GFP_KERNEL);
	}
	if (!err)
		gh_node_grow(here);
	return err;
}

/* ---- the whole ---------------------------------------------------------- */

static void heap_free(struct gh_heap *h)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->slots); i++)
		free_percpu(h->slots[i]);
	free_percpu(h->mcache);
	free_percpu(h->pages_cpu[0]);
	free_percpu(h->pages_cpu[1]);
	vfree(h->central);
	vfree(h);
}

static struct gh_heap *heap_new(const char *name)
{
	struct gh_heap *h = vzalloc(sizeof(*h));

	if (!h)
		return NULL;

	h->name = name;
	h->nr_numa = gh_numa.n;
	h->any = num_possible_nodes() > 1;
	h->nr_homes = h->nr_numa + h->any;
	INIT_LIST_HEAD(&h->list);
	INIT_LIST_HEAD(&h->centrals);
	init_rwsem(&h->caches_sem);
	mutex_init(&h->scav_lock);
	mutex_init(&h->areas_lock);
	mutex_init(&h->huge_lock);
	INIT_LIST_HEAD(&h->huge);
	init_llist_head(&h->huge_dead);
	INIT_WORK(&h->huge_work, gh_huge_work);
	init_llist_head(&h->dead_spans);
	INIT_WORK(&h->dead_work, gh_mheap_dead_work);
	gh_area_attach(h);

	h->pages_cpu[0] = alloc_percpu(struct gh_pages_cpu);
	h->pages_cpu[1] = alloc_percpu(struct gh_pages_cpu);
	h->central = vzalloc(array_size(GH_NUM_CENTRALS, sizeof(*h->central)));
	h->mcache = __alloc_percpu(sizeof(struct gh_mcache),
				   __alignof__(struct gh_mcache));
	if (h->pages_cpu[0] && h->pages_cpu[1] && h->central && h->mcache)
		return h;
	heap_free(h);
	return NULL;
}

/* Free all that a heap has. Returns false if something was still in use. */
static bool heap_release(struct gh_heap *h)
{
	bool clean = true;
	unsigned int i;

	flush_work(&h->dead_work);
	gh_mheap_evict(h);
	clean &= gh_huge_abandon(h);
	for (i = 0; i < h->nr_nodes; i++) {
		clean &= gh_area_destroy_all(h->nodes[i]);
		gh_node_destroy(h->nodes[i]);
	}
	for (i = 0; i < GH_NUM_CENTRALS; i++)
		gh_central_free(&h->central[i]);
	if (gh_records_destroy(h))
		clean = false;
	heap_free(h);
	return clean;
}

/* What this CPU need not hold comes before memory of the system. */
static void heap_spill(struct gh_heap *h, bool may_sleep)
{
	gh_large_spill(h);
	/* Up to a few hundred objects are freed: too many for one in a hurry. */
	if (may_sleep)
		gh_mcache_spill(h);
}

/**
 * gh_heap_create() - make a heap with one arena
 * @name: for messages; not copied
 *
 * Context: process context, may sleep.
 * Return: the heap, or NULL.
 */
struct gh_heap *gh_heap_create(const char *name)
{
	struct gh_heap *h = heap_new(name);

	if (!h)
		return NULL;

	heap_init_records(h);
	if (heap_init_centrals(h) || heap_add_nodes(h)) {
		heap_release(h);
		return NULL;
	}

	h->spill = heap_spill;
	gh_defer_init(h);
	gh_reclaim_add(h);
	gh_area_kick(h);
	return h;
}
GH_EXPORT_FOR_TESTS(gh_heap_create);

static void heap_drain(struct gh_heap *h)
{
	unsigned int i;
	int cpu;

	/* First, because the blocks go to the slots of this CPU. */
	for_each_possible_cpu(cpu)
		gh_tiny_drain(h, cpu);

	for_each_possible_cpu(cpu)
		gh_large_drain(h, cpu);
	for_each_possible_cpu(cpu)
		for (i = 0; i < GH_NUM_CENTRALS; i++)
			gh_slot_drain(&h->central[i], cpu);
	for (i = 0; i < GH_NUM_CENTRALS; i++)
		gh_central_drain(&h->central[i]);

	for_each_possible_cpu(cpu)
		gh_mheap_flush_pages(h, cpu);
}

/**
 * gh_heap_destroy() - end a heap that nobody uses, and free its memory
 * @h: the heap, without object caches
 *
 * Context: process context, may sleep.
 * Return: true if all objects, spans and records had been freed. If not, the
 * areas of spans in use are left mapped: their memory is lost, not reused.
 */
bool gh_heap_destroy(struct gh_heap *h)
{
	/* Before reclaim ends, because what it frees may queue the worker. */
	gh_defer_sync(h);
	gh_reclaim_remove(h);
	heap_drain(h);
	return heap_release(h);
}
GH_EXPORT_FOR_TESTS(gh_heap_destroy);
