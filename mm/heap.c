// SPDX-License-Identifier: GPL-2.0-only
/*
 * heap: a whole heap, put together from its layers: the mheap, its mcentrals,
 * and the per-CPU caches in front of them.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/vmalloc.h>

#include "cache.h"
#include "compat.h"
#include "defer.h"
#include "heap.h"
#include "large.h"
#include "mcache.h"
#include "reclaim.h"
#include "stack.h"
#include "tiny.h"

static void heap_init_spanclass(struct gh_heap *h, unsigned int sc)
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
	gh_central_init(&h->central[sc], h, name, &shape, 0);
}

static void heap_init_centrals(struct gh_heap *h)
{
	struct gh_shape tiny = gh_shape_objects(GH_TINY_SIZE, true);
	unsigned int i;

	for (i = 0; i < GH_NUM_SPANCLASSES; i++)
		heap_init_spanclass(h, i);
	tiny.tiny = true;
	gh_central_init(&h->central[GH_CENTRAL_TINY], h, "goheap-tiny", &tiny, 0);
	gh_stack_init(h);
	for (i = 0; i < GH_NUM_CENTRALS; i++) {
		h->central[i].slots = &h->mcache->slot[i];
		list_add_tail(&h->central[i].list, &h->centrals);
	}
}

/**
 * gh_heap_create() - make a heap
 * @name: for messages; not copied
 *
 * Context: process context, may sleep.
 * Return: the heap, or NULL.
 */
struct gh_heap *gh_heap_create(const char *name)
{
	struct gh_heap *h = gh_mheap_create(name, sizeof(struct goheap_cache));

	if (!h)
		return NULL;
	h->central = vzalloc(array_size(GH_NUM_CENTRALS, sizeof(*h->central)));
	h->mcache = __alloc_percpu(sizeof(struct gh_mcache),
				   __alignof__(struct gh_mcache));
	if (!h->central || !h->mcache)
		goto fail;
	heap_init_centrals(h);
	h->spill = gh_large_spill;
	gh_defer_init(h);
	gh_reclaim_add(h);
	return h;
fail:
	free_percpu(h->mcache);
	vfree(h->central);
	gh_mheap_destroy(h);
	return NULL;
}
GH_EXPORT_FOR_TESTS(gh_heap_create);

static void heap_drain(struct gh_heap *h)
{
	unsigned int i;
	int cpu;

	/* First: the blocks go to the slots of the CPU that this runs on. */
	for_each_possible_cpu(cpu)
		gh_tiny_drain(h, cpu);
	for_each_possible_cpu(cpu)
		gh_large_drain(h, cpu);
	for_each_possible_cpu(cpu)
		for (i = 0; i < GH_NUM_CENTRALS; i++)
			gh_slot_drain(&h->central[i], cpu);
	for (i = 0; i < GH_NUM_CENTRALS; i++)
		gh_central_drain(&h->central[i]);
	/* Last: draining the rest freed spans, not pages, into these. */
	for_each_possible_cpu(cpu)
		gh_mheap_flush_pages(h, cpu);
}

/**
 * gh_heap_destroy() - end a heap that nobody uses any more
 * @h: the heap, without object caches
 *
 * Context: process context, may sleep.
 * Return: true if all objects had been freed; if not, their memory is lost.
 */
bool gh_heap_destroy(struct gh_heap *h)
{
	struct gh_mcache __percpu *mcache = h->mcache;
	struct gh_central *central = h->central;
	bool clean;

	/* What it frees may still wake the background worker. */
	gh_defer_sync(h);
	gh_reclaim_remove(h);
	heap_drain(h);
	clean = gh_mheap_destroy(h);
	free_percpu(mcache);
	vfree(central);
	return clean;
}
GH_EXPORT_FOR_TESTS(gh_heap_destroy);
