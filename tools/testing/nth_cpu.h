/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nth_cpu: one online CPU after the other, for the threads of a test.
 */
#ifndef GOHEAP_NTH_CPU_H
#define GOHEAP_NTH_CPU_H

#include <linux/cpumask.h>

/**
 * nth_online_cpu() - choose a CPU
 * @n: any number
 *
 * Return: an online CPU; different ones for numbers below num_online_cpus(), unless
 * CPUs go offline meanwhile.
 */
static inline unsigned int nth_online_cpu(unsigned int n)
{
	unsigned int cpu;

	n %= num_online_cpus();
	for_each_online_cpu(cpu)
		if (!n--)
			return cpu;
	return cpumask_first(cpu_online_mask);
}

#endif /* GOHEAP_NTH_CPU_H */
