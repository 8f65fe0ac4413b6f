// SPDX-License-Identifier: GPL-2.0-only
/*
 * race: two CPUs free the same object at the same moment. Where state bytes are
 * exchanged, exactly one of them does.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../mm/span.h"
#include "stress.h"

#define RACE_OBJS	2000
#define RACE_CPUS	2

/**
 * struct race - what two threads free
 * @obj: the objects
 * @arrived: how often a thread came to an object
 */
struct race {
	void *obj[RACE_OBJS];
	atomic_t arrived;
};

static void race_worker(struct st_worker *w)
{
	struct race *r = w->arg;
	int i;

	for (i = 0; i < RACE_OBJS; i++) {
		atomic_inc(&r->arrived);
		while (atomic_read(&r->arrived) < (i + 1) * RACE_CPUS)
			cpu_relax();
		goheap_free(r->obj[i]);
	}
}

static bool race_fill(struct race *r)
{
	static const size_t sizes[] = { 16, 64, 500, 4096, SZ_64K };
	unsigned int i;

	for (i = 0; i < RACE_OBJS; i++) {
		r->obj[i] = goheap_alloc(sizes[i % ARRAY_SIZE(sizes)], GFP_KERNEL);
		if (!r->obj[i])
			return false;
	}
	return true;
}

/* Refused frees of any kind: an object's span may die of the first free. */
static u64 refused(void)
{
	struct goheap_stats st;
	unsigned int i;
	u64 n = 0;

	goheap_get_stats(&st);
	for (i = 0; i < GOHEAP_NR_BAD; i++)
		n += st.bad_frees[i];
	return n;
}

/**
 * stress_race() - free each object twice at the same moment
 */
void stress_race(void)
{
	struct goheap_stats st;
	struct st_base base;
	struct race *r;
	u64 before;

	if (!GH_OBJ_EXCHANGE || num_online_cpus() < RACE_CPUS) {
		st_skip("needs a debug kernel, or GOHEAP_DEBUG=1, and two CPUs");
		return;
	}
	st_base_take(&base);
	r = vzalloc(sizeof(*r));
	if (!r || !race_fill(r)) {
		st_bad("no memory");
		return;
	}
	before = refused();
	st_expect_begin();
	st_run(RACE_CPUS, ST_BOUND, race_worker, r, NULL);
	st_expect_end();
	st_check(refused() - before == RACE_OBJS,
		 "one of two frees is refused, %llu of %u times",
		 refused() - before, RACE_OBJS);
	vfree(r);

	/* The refused frees are all that may differ. */
	goheap_get_stats(&st);
	memcpy(base.stats.bad_frees, st.bad_frees, sizeof(st.bad_frees));
	st_base_check(&base);
}
