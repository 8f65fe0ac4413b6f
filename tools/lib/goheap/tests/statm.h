/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * statm: how much memory this process has.
 */
#ifndef LG_STATM_H
#define LG_STATM_H

#include <stdio.h>
#include <unistd.h>

/* Bytes of addresses, and of those in memory. */
struct statm {
	size_t size;
	size_t resident;
};

static inline struct statm read_statm(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%lu %lu", &size, &resident) != 2)
		size = 0;
	if (f)
		fclose(f);
	return (struct statm){ .size = size * page, .resident = resident * page };
}

#endif /* LG_STATM_H */
