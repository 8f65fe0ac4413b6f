// SPDX-License-Identifier: GPL-2.0-only
/*
 * slot: a CPU's cache of one span class or object cache; see slot.h.
 */
#include "compat.h"
#include "slot.h"

DEFINE_PER_CPU(struct gh_slot, gh_no_slot);
DEFINE_PER_CPU(unsigned long, gh_home_offset);
GH_EXPORT_PER_CPU_FOR_TESTS(gh_home_offset);

/**
 * gh_slot_set_cpu() - set up gh_home_slot() for a CPU whose home is known
 * @cpu: the CPU, on which nothing runs yet
 *
 * Context: any.
 */
void gh_slot_set_cpu(unsigned int cpu)
{
	unsigned long offset = (unsigned long)per_cpu_ptr(&gh_no_slot, cpu) -
			       (__force unsigned long)&gh_no_slot;

	per_cpu(gh_home_offset, cpu) =
		offset + per_cpu(gh_cpu_home, cpu) * sizeof(struct gh_slot);
}
