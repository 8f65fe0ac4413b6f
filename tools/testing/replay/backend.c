// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the two allocators hold, measured so that the figures can be compared.
 *
 * Both figures are pages taken from the system, not the sum of the objects' sizes:
 * that would hide half-empty pages, which is where allocators differ.
 *
 *	goheap	goheap's own accounts: all it took, less what it gave back. Arena
 *		metadata, page tables, span records and per-CPU caches count.
 *	kmalloc	pages of all slabs of the machine, large kmalloc() objects included,
 *		plus the pages of objects that kvmalloc() put into vmalloc space. SLUB's
 *		own records hide in struct page and cost nothing here.
 *
 * Before a measured run each allocator gives back what is free, and the figure of that
 * moment is subtracted and reported apart. For goheap it is what the module costs while
 * idle. For kmalloc it contains the rest of the kernel's slabs; their free objects are a
 * gift to kmalloc that this measure cannot see, of less than a slab a cache and CPU.
 * Nothing else runs in the guest, so the rest hardly moves.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "backend.h"

/* Have the first arenas reserved, as SLUB has its caches made, before measuring. */
void goheap_backend_settle(void)
{
	goheap_free(goheap_alloc(1, GFP_KERNEL));
	goheap_shrink();
}

void goheap_backend_held(struct replay_held *held, u64 vmalloced)
{
	struct goheap_stats stats;

	goheap_get_stats(&stats);
	held->held = stats.sys - stats.heap_released;
	held->pages = stats.heap_inuse;
	held->spans = stats.spans_inuse;
}

void kmalloc_backend_settle(void)
{
	unsigned int type, i;

	for (type = 0; type < NR_KMALLOC_TYPES; type++)
		for (i = 0; i <= KMALLOC_SHIFT_HIGH; i++)
			if (kmalloc_caches[type][i])
				kmem_cache_shrink(kmalloc_caches[type][i]);
}

/* Exact: what CPUs have not yet added to the global counters is included. */
static u64 slab_pages(void)
{
	static const enum node_stat_item items[] = {
		NR_SLAB_RECLAIMABLE_B, NR_SLAB_UNRECLAIMABLE_B,
	};
	const struct per_cpu_nodestat __percpu *stats;
	unsigned int i, cpu;
	s64 n = 0;
	int nid;

	for (i = 0; i < ARRAY_SIZE(items); i++) {
		n += atomic_long_read(&vm_node_stat[items[i]]);
		for_each_online_node(nid) {
			stats = NODE_DATA(nid)->per_cpu_nodestats;
			for_each_online_cpu(cpu)
				n += READ_ONCE(per_cpu_ptr(stats, cpu)->
					       vm_node_stat_diff[items[i]]);
		}
	}
	return n;
}

void kmalloc_backend_held(struct replay_held *held, u64 vmalloced)
{
	held->held = slab_pages() * PAGE_SIZE + vmalloced;
	held->pages = held->held;
	held->spans = 0;
}
