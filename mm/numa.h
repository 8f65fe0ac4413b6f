/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * numa: which NUMA nodes have an index, and which of them is a CPU's home.
 */
#ifndef _GOHEAP_NUMA_H
#define _GOHEAP_NUMA_H

#include <linux/numa.h>
#include <linux/percpu.h>
#include <linux/types.h>

/* NUMA nodes with pages of their own; behind them, one for pages of any. */
#define GH_MAX_NUMA		8

/**
 * struct gh_numa - the NUMA nodes that had memory for kernels when goheap was loaded
 * @n: number of them, GH_MAX_NUMA at most
 * @nid: their ids, by index
 * @index: index by id; of others, that of the nearest
 */
struct gh_numa {
	unsigned int n;
	int nid[GH_MAX_NUMA];
	u8 index[MAX_NUMNODES];
};

extern struct gh_numa gh_numa;

/* A CPU's home, as an index. */
DECLARE_PER_CPU(unsigned int, gh_cpu_home);

void gh_numa_init(void);
void gh_numa_set_cpu(unsigned int cpu);

/* The index of a NUMA node. */
static inline unsigned int gh_numa_index(int nid)
{
	return nid >= 0 && nid < MAX_NUMNODES ? gh_numa.index[nid] : 0;
}

/* The NUMA node that is this CPU's home: the nearest with memory. */
static inline int gh_numa_here(void)
{
	return gh_numa.nid[this_cpu_read(gh_cpu_home)];
}

#endif /* _GOHEAP_NUMA_H */
