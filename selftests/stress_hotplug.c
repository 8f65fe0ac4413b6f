// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs go away and come back while threads allocate, and leave nothing behind.
 */
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../mm/compat.h"
#include "../mm/mheap.h"
#include "../mm/node.h"
#include "../mm/vmem.h"
#include "stress.h"

#ifdef CONFIG_HOTPLUG_CPU

#define HOTPLUG_OBJS	64

static struct goheap_cache *hotplug_cache;
static bool hotplug_stop;

/* ---- what a dead CPU leaves behind -------------------------------------- */

/* Leave a few free objects of many kinds in this CPU's magazines. */
static void hotplug_fill(struct st_worker *w)
{
	static const u32 sizes[] = {
		8, 64, 192, 1024, 2304, SZ_8K, SZ_16K, SZ_32K, SZ_64K,
	};
	struct st_obj objs[2 * (ARRAY_SIZE(sizes) + 3)] = { };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		struct st_obj *o = &objs[i];

		if (i / 2 < ARRAY_SIZE(sizes)) {
			o->size = sizes[i / 2];
		} else if (i / 2 == ARRAY_SIZE(sizes)) {
			o->kind = ST_CACHE;
			o->cache = hotplug_cache;
			o->size = goheap_cache_size(hotplug_cache);
		} else if (i / 2 == ARRAY_SIZE(sizes) + 1) {
			o->kind = ST_DATA;
			o->size = 5;
		} else {
			o->kind = ST_STACK;
			o->size = SZ_2K;
		}
		if (!st_obj_new(o, &w->rng, GFP_KERNEL))
			st_bad("no memory");
	}
	st_mix_end(objs, ARRAY_SIZE(objs));
}

/* Does a CPU hold pages that are in no span? */
static bool hotplug_has_pages(unsigned int cpu)
{
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(gh_kheap->pages_cpu); i++)
		n += !!per_cpu_ptr(gh_kheap->pages_cpu[i], cpu)->pc.cache;
	return n;
}

/* Nothing of a CPU that went away may be missing from the heap. */
static void hotplug_check_drain(unsigned int cpu)
{
	struct st_base base, now;
	struct goheap_stats st;
	int err;

	st_base_take(&base);
	st_run_on(cpu, hotplug_fill, NULL);
	goheap_get_stats(&st);
	st_check(st.cached > base.stats.cached &&
		 st.spans_inuse > base.stats.spans_inuse,
		 "CPU %u holds free objects (%llu bytes, %llu spans)", cpu,
		 st.cached - base.stats.cached,
		 st.spans_inuse - base.stats.spans_inuse);
	st_check(!gh_vmem_is_sparse() || hotplug_has_pages(cpu),
		 "CPU %u holds free pages", cpu);
	err = remove_cpu(cpu);
	if (err) {
		st_bad("CPU %u does not go away: %d", cpu, err);
		return;
	}
	/* This empties the caches of all other CPUs, and cannot reach it. */
	st_base_take(&now);
	st_check(now.stats.cached == base.stats.cached &&
		 now.stats.spans_inuse == base.stats.spans_inuse,
		 "CPU %u is dead and holds nothing (%llu bytes, %llu spans)",
		 cpu, now.stats.cached - base.stats.cached,
		 now.stats.spans_inuse - base.stats.spans_inuse);
	/* Nor in its page caches, with memory or without. */
	st_check(!hotplug_has_pages(cpu) &&
		 (!gh_vmem_is_sparse() || now.committed == base.committed),
		 "CPU %u is dead and keeps no pages (%lu bytes)", cpu,
		 now.committed - base.committed);
	err = add_cpu(cpu);
	if (err)
		st_bad("CPU %u does not come back: %d", cpu, err);
}

/* ---- coming and going --------------------------------------------------- */

static void hotplug_worker(struct st_worker *w)
{
	struct st_obj *objs = kcalloc(HOTPLUG_OBJS, sizeof(*objs), GFP_KERNEL);

	if (!objs)
		return;
	while (!READ_ONCE(hotplug_stop)) {
		struct st_obj *o = &objs[st_below(&w->rng, HOTPLUG_OBJS)];

		if (!o->p && !st_below(&w->rng, 4)) {
			o->kind = ST_CACHE;
			o->cache = hotplug_cache;
			o->size = goheap_cache_size(hotplug_cache);
			st_obj_new(o, &w->rng, GFP_KERNEL);
		} else if (o->kind == ST_CACHE && o->p) {
			st_obj_free(o);
		} else {
			st_mix_step(objs, HOTPLUG_OBJS, &w->rng);
		}
		cond_resched();
	}
	st_mix_end(objs, HOTPLUG_OBJS);
	kfree(objs);
}

static void hotplug_toggle(void *arg)
{
	unsigned int i, n = st_iters(8);
	unsigned int cpu;

	for (i = 0; i < n; i++) {
		for_each_present_cpu(cpu) {
			/* The first CPU cannot go. */
			if (!cpu || remove_cpu(cpu))
				continue;
			if (add_cpu(cpu))
				st_bad("CPU %u does not come back", cpu);
		}
	}
	WRITE_ONCE(hotplug_stop, true);
}

static void hotplug_run(void)
{
	struct st_base base;
	unsigned int cpu;

	hotplug_cache = goheap_cache_create("stress-hotplug", 328, 0, 0, NULL);
	if (IS_ERR(hotplug_cache)) {
		st_bad("the scenario could not be set up");
		return;
	}
	for_each_present_cpu(cpu)
		if (cpu)
			hotplug_check_drain(cpu);
	st_base_take(&base);
	hotplug_stop = false;
	st_run(num_online_cpus(), ST_UNBOUND, hotplug_worker, NULL,
	       hotplug_toggle);
	st_base_check(&base);
	goheap_cache_destroy(hotplug_cache);
}

/**
 * stress_hotplug() - CPUs go away and come back
 */
void stress_hotplug(void)
{
	if (num_present_cpus() > 1)
		hotplug_run();
	else
		st_skip("this machine has one CPU");
}

#else

/**
 * stress_hotplug() - CPUs go away and come back
 */
void stress_hotplug(void)
{
	st_skip("this kernel's CPUs cannot go away");
}

#endif
