// SPDX-License-Identifier: GPL-2.0-only
/*
 * damage: a client gives an object to vfree(), which unmaps the arenas around it.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/goheap.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "../mm/arena.h"
#include "../mm/vmem.h"
#include "stress.h"

#define DAMAGE_OBJS	2000
#define DAMAGE_WAITS	50
#define DAMAGE_HUGE	8

/* Where addresses near @p were, before they were unmapped. */
static bool is_near(const void *p, const void *q)
{
	return (unsigned long)p >> GH_ARENA_SHIFT ==
	       (unsigned long)q >> GH_ARENA_SHIFT;
}

/* Everything that is had from now on must be elsewhere, and must work. */
static void damage_check_new(const void *lost)
{
	static const size_t sizes[] = { 16, 64, 500, 4096, SZ_64K };
	unsigned int i, k;

	for (i = 0; i < DAMAGE_OBJS; i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];
		unsigned long *p = goheap_alloc(size, GFP_KERNEL);

		if (!p || is_near(p, lost)) {
			st_bad("object %u of %zu bytes is %s", i, size,
			       p ? "in the lost arena" : "refused");
			return;
		}
		for (k = 0; k < size / sizeof(*p); k++)
			p[k] = i;
		goheap_free(p);
	}
}

/* Addresses can be had again as soon as they are unmapped, until this is stopped. */
static int purge(void *unused)
{
	while (!kthread_should_stop()) {
		vm_unmap_aliases();
		cond_resched();
	}
	return 0;
}

/*
 * Huge objects have mappings of their own, for which the system may choose the
 * addresses that were unmapped. Leaves one of the objects, or returns NULL.
 */
static void *damage_check_huge(void)
{
	struct task_struct *purger = kthread_run(purge, NULL, "goheap_purge");
	void *huge[DAMAGE_HUGE];
	unsigned int i, n;

	vm_unmap_aliases();
	for (n = 0; n < DAMAGE_HUGE; n++) {
		huge[n] = goheap_alloc(SZ_64M, GFP_KERNEL);
		if (!huge[n])
			break;
	}
	if (!IS_ERR(purger))
		kthread_stop(purger);
	st_check(n == DAMAGE_HUGE, "%u objects of 64 MiB of %u can be had", n,
		 DAMAGE_HUGE);
	for (i = 1; i < n; i++)
		goheap_free(huge[i]);
	return n ? huge[0] : NULL;
}

/* Wait until goheap has noticed, while there is something for its worker to do. */
static bool damage_noticed(const void *p)
{
	unsigned int waits = 0;

	while (goheap_usable_size(p) && waits++ < DAMAGE_WAITS) {
		goheap_free(goheap_alloc(SZ_64K, GFP_KERNEL));
		msleep(100);
	}
	return !goheap_usable_size(p);
}

/**
 * stress_damage() - unmap a part of the heap
 */
void stress_damage(void)
{
	struct goheap_stats before, after;
	void *huge, *large, *small;

	if (!gh_vmem_is_sparse()) {
		st_skip("only sparse arenas can be looked at");
		return;
	}
	large = goheap_alloc(SZ_1M, GFP_KERNEL);
	small = goheap_alloc(200, GFP_KERNEL);
	if (!large || !small) {
		st_bad("no memory");
		return;
	}
	vfree(large);
	huge = damage_check_huge();
	if (!huge)
		return;
	st_check(damage_noticed(large), "that a part was unmapped is noticed");
	/* The worker goes on to drain what CPUs hold of it. */
	msleep(1000);

	goheap_get_stats(&before);
	goheap_free(large);
	goheap_get_stats(&after);
	st_check(after.bad_frees[GOHEAP_BAD_FOREIGN] >
		 before.bad_frees[GOHEAP_BAD_FOREIGN],
		 "an object that was lost cannot be freed");
	damage_check_new(large);
	goheap_shrink();
	damage_check_new(large);

	vfree(huge);
	st_check(damage_noticed(huge), "that a huge object was unmapped is noticed");
}
