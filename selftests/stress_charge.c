// SPDX-License-Identifier: GPL-2.0-only
/*
 * charge: whose memory cgroup pays for pages. A script puts itself into a cgroup,
 * runs "charge", looks at memory.current, and runs "uncharge".
 */
#include <linux/err.h>
#include <linux/goheap.h>
#include <linux/sizes.h>

#include "stress.h"

#define LARGE_SIZE	SZ_16M
#define OBJ_SIZE	4000
#define OBJS		1000

static struct goheap_cache *cache;
static void *objs[OBJS];
static void *large;

static unsigned int charge_objs(void)
{
	unsigned int n = 0;

	cache = goheap_cache_create("stress-charge", OBJ_SIZE, 0,
				    GOHEAP_ACCOUNT, NULL);
	if (IS_ERR(cache)) {
		cache = NULL;
		return 0;
	}
	while (n < OBJS) {
		objs[n] = goheap_cache_alloc(cache, GFP_KERNEL);
		if (!objs[n])
			break;
		n++;
	}
	return n;
}

/**
 * stress_charge() - hold 16 MiB at once, and 4 MB in objects, on account
 */
void stress_charge(void)
{
	if (cache)
		return;
	/* Pages that goheap has already are nobody's. */
	goheap_shrink();
	large = goheap_alloc(LARGE_SIZE, GFP_KERNEL_ACCOUNT);
	st_check(large, "16 MiB on account");
	st_check(charge_objs() == OBJS, "%u objects on account", OBJS);
}

/**
 * stress_overcharge() - ask for more than the cgroup may have
 */
void stress_overcharge(void)
{
	void *p;

	goheap_shrink();
	p = goheap_alloc(LARGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_NORETRY |
			 __GFP_NOWARN);
	st_check(!p, "an allocation beyond the limit fails");
	goheap_free(p);
	p = goheap_alloc(LARGE_SIZE, GFP_KERNEL);
	st_check(p, "one that is not on account does not");
	goheap_free(p);
	goheap_shrink();
}

/**
 * stress_uncharge() - free what stress_charge() has, and give the pages back
 */
void stress_uncharge(void)
{
	if (cache)
		goheap_cache_free_bulk(cache, OBJS, objs);
	goheap_cache_destroy(cache);
	goheap_free(large);
	memset(objs, 0, sizeof(objs));
	cache = NULL;
	large = NULL;
	goheap_shrink();
}
