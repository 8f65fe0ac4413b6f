// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is given back: while threads allocate, when the system is short of
 * it, and so that no CPU can still reach it.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "../mm/compat.h"
#include "../mm/vmem.h"
#include "stress.h"

/* ---- shrink while threads allocate -------------------------------------- */

#define SHRINK_OBJS	64

static struct goheap_cache *shrink_cache;

static void shrink_worker(struct st_worker *w)
{
	struct st_obj *objs = kcalloc(SHRINK_OBJS, sizeof(*objs), GFP_KERNEL);
	unsigned int i, n = st_iters(6000);

	if (!objs)
		return;
	for (i = 0; i < n; i++) {
		struct st_obj *o = &objs[st_below(&w->rng, SHRINK_OBJS / 4)];

		if (!o->p) {
			o->kind = ST_CACHE;
			o->cache = shrink_cache;
			o->size = goheap_cache_size(shrink_cache);
			st_obj_new(o, &w->rng, GFP_KERNEL);
		} else {
			st_obj_free(o);
		}
		st_mix_step(objs + SHRINK_OBJS / 4, SHRINK_OBJS * 3 / 4,
			    &w->rng);
		cond_resched();
	}
	st_mix_end(objs, SHRINK_OBJS);
	kfree(objs);
}

static void shrink_loop(void *arg)
{
	unsigned long *got = arg;
	unsigned int i, n = st_iters(160);

	for (i = 0; i < n; i++) {
		goheap_cache_shrink(shrink_cache);
		*got += goheap_shrink();
		usleep_range(1000, 5000);
	}
}

/**
 * stress_shrink() - free memory is taken away all the time
 */
void stress_shrink(void)
{
	unsigned long got = 0;
	struct st_base base;

	st_base_take(&base);
	shrink_cache = goheap_cache_create("stress-shrink", 720, 0, 0, NULL);
	if (IS_ERR(shrink_cache)) {
		st_bad("the scenario could not be set up");
		return;
	}
	st_run(num_online_cpus(), ST_BOUND, shrink_worker, &got, shrink_loop);
	goheap_cache_destroy(shrink_cache);
	st_check(got || !gh_vmem_is_sparse(),
		 "memory is given back while threads allocate (%lu bytes)",
		 got);
	st_base_check(&base);
}

/* ---- the system is short of memory -------------------------------------- */

#define PRESSURE_OBJS	256
/* In use while the others are free. */
#define PRESSURE_KEPT	32
#define PRESSURE_SIZE	SZ_256K

/* Returns false if there is no memory. */
static bool pressure_hog(struct list_head *pages, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_NORETRY |
					__GFP_NOWARN, order);

	if (!page)
		return false;
	set_page_private(page, order);
	list_add(&page->lru, pages);
	return true;
}

static void pressure_free(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		unsigned int order = page_private(page);

		list_del(&page->lru);
		set_page_private(page, 0);
		__free_pages(page, order);
	}
}

/*
 * Take pages until goheap has given a quarter of @committed back, or none is
 * left. It does not sleep with the system short of memory: others would suffer.
 */
static void pressure_press(unsigned long committed)
{
	unsigned int order = 9, failed = 0;
	LIST_HEAD(pages);

	while (gh_vmem_committed_bytes() > committed / 4 * 3 && failed < 50) {
		if (pressure_hog(&pages, order))
			cond_resched();
		else if (order)
			order--;
		else
			failed++;
	}
	pressure_free(&pages);
}

/* Long enough for the background worker to have come by. */
static void pressure_wait(void)
{
	unsigned int i;

	/* In short naps: its timer does not wake an idle CPU. */
	for (i = 0; i < 25; i++)
		msleep(100);
}

static void pressure_worker(struct st_worker *w)
{
	struct st_obj *objs = w->arg;
	unsigned int i, freed = PRESSURE_OBJS - PRESSURE_KEPT;
	unsigned long before;

	for (i = 0; i < PRESSURE_OBJS; i++) {
		objs[i].size = PRESSURE_SIZE;
		if (!st_obj_new(&objs[i], &w->rng, GFP_KERNEL))
			st_bad("no memory");
	}
	/*
	 * The peak that the background worker remembers halves each second, and
	 * nobody knows how many pass here. It is never less than what is in use,
	 * and eleven times that is more than there is.
	 */
	BUILD_BUG_ON(11 * PRESSURE_KEPT < PRESSURE_OBJS);
	st_mix_end(objs, freed);
	before = gh_vmem_committed_bytes();
	pressure_wait();
	st_check(gh_vmem_committed_bytes() == before,
		 "free memory is kept while there is no need (%lu bytes)",
		 before);
	pressure_press(before);
	st_check(gh_vmem_committed_bytes() <= before / 4 * 3,
		 "it goes back when the system is short (%lu bytes left)",
		 gh_vmem_committed_bytes());
	st_mix_end(objs + freed, PRESSURE_KEPT);
}

/**
 * stress_pressure() - free memory goes back when the system is short
 *
 * The background worker must be kept from giving it back by itself: set
 * goheap's parameter retain_percent to 1000 before.
 */
void stress_pressure(void)
{
	struct st_obj *objs;
	struct st_base base;

	if (!gh_vmem_is_sparse()) {
		st_skip("eager arenas keep their memory");
		return;
	}
	/* It stops for good when it gets no memory. */
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		st_skip("kmemleak cannot bear it");
		return;
	}
	objs = kvcalloc(PRESSURE_OBJS, sizeof(*objs), GFP_KERNEL);
	if (!objs) {
		st_bad("no memory");
		return;
	}
	st_base_take(&base);
	st_run_on(cpumask_first(cpu_online_mask), pressure_worker, objs);
	st_base_check(&base);
	kvfree(objs);
}

/* ---- no CPU reaches what was given back --------------------------------- */

#define STALE_SIZE	SZ_128K
#define STALE_PAGES	256

/* Read an object, so that this CPU's TLB knows where it is. */
static void stale_touch(void *arg)
{
	const struct st_obj *o = arg;
	size_t i;

	for (i = 0; i < o->size; i += PAGE_SIZE)
		READ_ONCE(*((u8 *)o->p + i));
}

static void stale_verify(void *arg)
{
	st_obj_intact(arg);
}

/* Take pages, so that those which were given back are not had again. */
static void stale_take_pages(struct list_head *pages)
{
	unsigned int i;

	for (i = 0; i < STALE_PAGES; i++)
		pressure_hog(pages, 0);
}

/* Returns whether the object got the address that it had before. */
static bool stale_round(struct st_rng *rng)
{
	struct st_obj o = { .size = STALE_SIZE };
	LIST_HEAD(pages);
	bool same = false;
	void *before;

	if (!st_obj_new(&o, rng, GFP_KERNEL))
		return false;
	before = o.p;
	on_each_cpu(stale_touch, &o, 1);
	st_obj_free(&o);
	goheap_shrink();
	stale_take_pages(&pages);
	if (st_obj_new(&o, rng, GFP_KERNEL)) {
		same = o.p == before;
		/* Whoever has an old translation sees the old page. */
		on_each_cpu(stale_verify, &o, 1);
		st_obj_free(&o);
	}
	pressure_free(&pages);
	return same;
}

/**
 * stress_stale() - translations of memory that was given back are flushed
 */
void stress_stale(void)
{
	unsigned int i, n = st_iters(100), same = 0;
	struct st_base base;
	struct st_rng rng;

	st_rng_init(&rng, 0);
	st_base_take(&base);
	for (i = 0; i < n; i++)
		same += stale_round(&rng);
	st_check(same, "an address has new memory behind it (%u of %u times)",
		 same, n);
	st_base_check(&base);
}
