// SPDX-License-Identifier: GPL-2.0-only
/*
 * numa: which NUMA nodes have an index, and which of them is a CPU's home.
 *
 * What belongs to a NUMA node is kept in arrays, so nodes have indexes. They are
 * given once, when goheap is loaded, and are the same in every heap. Nodes that have
 * no memory by then, and those past GH_MAX_NUMA, share the index of the nearest that
 * has one. The home of a CPU is found each time that the CPU comes, because the node
 * of one that is not there yet is not known.
 * (numa_mem_id() would be no help: on x86 it names nodes without memory, too.)
 */
#include <linux/nodemask.h>
#include <linux/topology.h>

#include "compat.h"
#include "numa.h"

struct gh_numa gh_numa;
GH_EXPORT_FOR_TESTS(gh_numa);

DEFINE_PER_CPU(unsigned int, gh_cpu_home);
GH_EXPORT_PER_CPU_FOR_TESTS(gh_cpu_home);

static unsigned int nearest(int nid)
{
	unsigned int i, best = 0;

	for (i = 1; i < gh_numa.n; i++)
		if (node_distance(nid, gh_numa.nid[i]) <
		    node_distance(nid, gh_numa.nid[best]))
			best = i;
	return best;
}

/**
 * gh_numa_init() - give NUMA nodes their indexes
 *
 * Context: process context, before there is a heap.
 */
void gh_numa_init(void)
{
	unsigned int i;
	int nid;

	for_each_node_state(nid, N_NORMAL_MEMORY)
		if (gh_numa.n < GH_MAX_NUMA)
			gh_numa.nid[gh_numa.n++] = nid;
	for_each_node(nid)
		gh_numa.index[nid] = nearest(nid);
	/* Emulated nodes are all at the same distance. */
	for (i = 0; i < gh_numa.n; i++)
		gh_numa.index[gh_numa.nid[i]] = i;
}

/**
 * gh_numa_set_cpu() - give a CPU its home
 * @cpu: the CPU, on which nothing runs yet
 *
 * Context: any.
 */
void gh_numa_set_cpu(unsigned int cpu)
{
	per_cpu(gh_cpu_home, cpu) = gh_numa_index(cpu_to_node(cpu));
}
