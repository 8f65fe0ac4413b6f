// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that may sleep, where nobody may: kernels that check this report each of them,
 * also when there is an object and nothing would sleep. atomic.sh reads the log.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sizes.h>
#include <linux/topology.h>

#include "stress.h"

#define ATOMIC_SIZE	200UL

static struct goheap_cache *atomic_cache;

static void *atomic_alloc(gfp_t gfp)
{
	return goheap_alloc(ATOMIC_SIZE, gfp);
}

static void *atomic_zeroed(gfp_t gfp)
{
	return goheap_zalloc(ATOMIC_SIZE, gfp);
}

static void *atomic_large(gfp_t gfp)
{
	return goheap_alloc(SZ_64K, gfp);
}

static void *atomic_tiny(gfp_t gfp)
{
	return goheap_alloc_data(5, gfp);
}

static void *atomic_node(gfp_t gfp)
{
	return goheap_alloc_node(ATOMIC_SIZE, gfp, numa_node_id());
}

static void *atomic_bulk(gfp_t gfp)
{
	void *p = NULL;

	goheap_alloc_bulk(ATOMIC_SIZE, gfp, 1, &p);
	return p;
}

static void *atomic_large_bulk(gfp_t gfp)
{
	void *p = NULL;

	goheap_alloc_bulk(SZ_64K, gfp, 1, &p);
	return p;
}

static void *atomic_realloc(gfp_t gfp)
{
	void *p = goheap_alloc(ATOMIC_SIZE, GFP_ATOMIC);

	return p ? goheap_realloc(p, ATOMIC_SIZE, gfp) : NULL;
}

static void *atomic_stack(gfp_t gfp)
{
	return goheap_stack_alloc(SZ_4K, gfp);
}

static void *atomic_pool(gfp_t gfp)
{
	return goheap_mempool_alloc(gfp, (void *)ATOMIC_SIZE);
}

static void *atomic_pool_cached(gfp_t gfp)
{
	return goheap_mempool_alloc_cache(gfp, atomic_cache);
}

static void *atomic_cached(gfp_t gfp)
{
	return goheap_cache_alloc(atomic_cache, gfp);
}

static void *atomic_cached_node(gfp_t gfp)
{
	return goheap_cache_alloc_node(atomic_cache, gfp, numa_node_id());
}

static void *atomic_cached_bulk(gfp_t gfp)
{
	void *p = NULL;

	goheap_cache_alloc_bulk(atomic_cache, gfp, 1, &p);
	return p;
}

static void atomic_free(void *p)
{
	goheap_free(p);
}

static void atomic_cache_free(void *p)
{
	goheap_cache_free(atomic_cache, p);
}

/**
 * struct atomic_call - a call of the API
 * @name: its name
 * @alloc: makes it
 * @free: frees what it gave
 */
struct atomic_call {
	const char *name;
	void *(*alloc)(gfp_t gfp);
	void (*free)(void *p);
};

static const struct atomic_call atomic_calls[] = {
	{ "goheap_alloc", atomic_alloc, atomic_free },
	{ "goheap_zalloc", atomic_zeroed, atomic_free },
	{ "large goheap_alloc", atomic_large, atomic_free },
	{ "tiny goheap_alloc_data", atomic_tiny, atomic_free },
	{ "goheap_alloc_node", atomic_node, atomic_free },
	{ "goheap_alloc_bulk", atomic_bulk, atomic_free },
	{ "large goheap_alloc_bulk", atomic_large_bulk, atomic_free },
	{ "goheap_realloc", atomic_realloc, atomic_free },
	{ "goheap_stack_alloc", atomic_stack, goheap_stack_free },
	{ "goheap_mempool_alloc", atomic_pool, atomic_free },
	{ "goheap_mempool_alloc_cache", atomic_pool_cached, atomic_cache_free },
	{ "goheap_cache_alloc", atomic_cached, atomic_cache_free },
	{ "goheap_cache_alloc_node", atomic_cached_node, atomic_cache_free },
	{ "goheap_cache_alloc_bulk", atomic_cached_bulk, atomic_cache_free },
};

/* Call it with preemption off; an object is there, so it does not really sleep. */
static void call_atomic(const struct atomic_call *call)
{
	void *p;

	/* The kernel makes no more than one report a second. */
	msleep(1100);
	pr_info("goheap-atomic: %s\n", call->name);

	p = call->alloc(GFP_KERNEL);
	if (p)
		call->free(p);

	preempt_disable();
	p = call->alloc(GFP_KERNEL);
	preempt_enable();

	if (p)
		call->free(p);
	else
		st_bad("%s has no memory", call->name);
}

/* In a thread, which holds no locks that a report would list. */
static void atomic_thread(struct st_worker *w)
{
	unsigned int i;

	pr_info("goheap-expect: begin sleep\n");
	for (i = 0; i < ARRAY_SIZE(atomic_calls); i++)
		call_atomic(&atomic_calls[i]);
	st_expect_end();
}

/**
 * stress_atomic() - make each call that may sleep where it may not
 */
void stress_atomic(void)
{
	if (!IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP)) {
		st_skip("this kernel does not check who may sleep");
		return;
	}

	atomic_cache = goheap_cache_create("atomic", ATOMIC_SIZE, 0, 0, NULL);
	if (IS_ERR_OR_NULL(atomic_cache)) {
		st_bad("no memory");
		return;
	}
	st_check(!st_run_on(cpumask_first(cpu_online_mask), atomic_thread, NULL),
		 "each call is made");
	goheap_cache_destroy(atomic_cache);
}
