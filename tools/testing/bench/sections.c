// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long calls of goheap keep others waiting: the most instructions in a row with a
 * lock held, with interrupts off, and with preemption off.
 *
 * A path is a kind of call that is made many times, from a heap that has nothing: so
 * it finds magazines, spans, and arenas that are there as well as none of them, and
 * what is freed in the end fills all caches over. Each call is counted on its own; the
 * most of any is the result. Paths are executed once more with interrupts off, where
 * that is allowed; then there is one stretch, and it is the call.
 */
#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <linux/goheap.h>

#include "bench.h"
#include "counts.h"

#define OBJS_MAX	4096

/**
 * struct path - objects that are allocated, all of them, and then freed
 * @alloc_name: of the allocations
 * @free_name: of the frees
 * @size: bytes of an object
 * @n: how many
 * @gfp: how to allocate
 * @masked: with interrupts off, but for allocations that may sleep
 * @alloc: allocates one
 * @free: frees it
 */
struct path {
	const char *alloc_name;
	const char *free_name;
	size_t size;
	unsigned int n;
	gfp_t gfp;
	bool masked;
	void *(*alloc)(size_t size, gfp_t gfp);
	void (*free)(void *p);
};

static void **objs;
static struct goheap_cache *cache;

/* ---- Counting one call -------------------------------------------------- */

/*
 * Executes @call, and makes @most the most of what it was before and what was counted.
 * Interrupts are off meanwhile if @is_masked says so.
 */
#define counted(most, is_masked, call)						\
do {										\
	struct bench_counts __c = { };						\
	unsigned long __flags = 0;						\
	bool __masked = is_masked;						\
										\
	if (__masked)								\
		local_irq_save(__flags);					\
	if (bench_counts_begin(&__c)) {					\
		call;								\
		bench_counts_end();						\
	}									\
	if (__masked)								\
		local_irq_restore(__flags);					\
	raise(most, &__c);							\
} while (0)

static void raise(struct bench_counts *most, const struct bench_counts *c)
{
	unsigned int i;

	most->all = max(most->all, c->all);
	most->filled = max(most->filled, c->filled);
	for (i = 0; i < BENCH_NR_STRETCHES; i++)
		most->longest[i] = max(most->longest[i], c->longest[i]);
}

static void publish(const char *name, size_t size, unsigned int n, bool masked,
		    const struct bench_counts *most)
{
	struct bench_shape shape = {
		.name = name, .size = size, .count = n, .order = BENCH_NO_ORDER,
		.cpus = 1, .ops = 1,
	};

	unsigned int i;

	bench_result_count(&shape, "all", most->all);
	bench_result_count(&shape, "filled_bytes", most->filled);
	for (i = 0; i < BENCH_NR_STRETCHES; i++)
		if (!masked || i == BENCH_HELD || i == BENCH_KERNEL_HELD)
			bench_result_count(&shape, bench_stretch_names[i],
					   most->longest[i]);
}

/* ---- Objects of one kind ------------------------------------------------ */

static void *alloc_cache(size_t size, gfp_t gfp)
{
	return goheap_cache_alloc(cache, gfp);
}

static void free_cache(void *p)
{
	goheap_cache_free(cache, p);
}

static void free_any(void *p)
{
	goheap_free(p);
}

/* All in one call; the result is not what was allocated. */
static void *alloc_bulk(size_t size, gfp_t gfp)
{
	return goheap_alloc_bulk(size, gfp, OBJS_MAX, objs + 1) ? objs : NULL;
}

static void free_bulk(void *p)
{
	goheap_free_bulk(OBJS_MAX, objs + 1);
}

#define PATH(a, f, s, count, how, mask, get, put)				\
	{ .alloc_name = a, .free_name = f, .size = s, .n = count, .gfp = how,	\
	  .masked = mask, .alloc = get, .free = put }
#define OBJS(a, f, s, count, get, put)						\
	PATH(a, f, s, count, GFP_KERNEL, false, get, put)
#define MASKED(a, f, s, count, get, put)					\
	PATH(a "-masked", f "-masked", s, count, GFP_ATOMIC, true, get, put)

static const struct path paths[] = {
	OBJS("alloc", "free", 64, 4096, goheap_alloc, free_any),
	OBJS("alloc", "free", SZ_1K, 1024, goheap_alloc, free_any),
	OBJS("alloc", "free", SZ_32K, 300, goheap_alloc, free_any),
	OBJS("alloc", "free", SZ_64K, 300, goheap_alloc, free_any),
	OBJS("alloc", "free", SZ_1M, 80, goheap_alloc, free_any),
	OBJS("alloc", "free", SZ_16M, 4, goheap_alloc, free_any),
	OBJS("alloc", "free", SZ_256M, 1, goheap_alloc, free_any),
	OBJS("alloc-data", "free-data", 5, 2000, goheap_alloc_data, free_any),
	OBJS("alloc-cache", "free-cache", 64, 4096, alloc_cache, free_cache),
	OBJS("alloc-cache", "free-cache", SZ_1M, 70, alloc_cache, free_cache),
	OBJS("alloc-stack", "free-stack", SZ_4K, 512,
	     goheap_stack_alloc, goheap_stack_free),
	OBJS("alloc-stack", "free-stack", SZ_64K, 100,
	     goheap_stack_alloc, goheap_stack_free),
	OBJS("alloc-bulk", "free-bulk", 64, 1, alloc_bulk, free_bulk),
	MASKED("alloc", "free", 64, 4096, goheap_alloc, free_any),
	MASKED("alloc", "free", SZ_1K, 1024, goheap_alloc, free_any),
	MASKED("alloc", "free", SZ_32K, 300, goheap_alloc, free_any),
	MASKED("alloc", "free", SZ_64K, 300, goheap_alloc, free_any),
	MASKED("alloc", "free", SZ_1M, 70, goheap_alloc, free_any),
	PATH("alloc-masked", "free-masked", SZ_256M, 1, GFP_KERNEL, true, goheap_alloc,
	     free_any),
	MASKED("alloc-data", "free-data", 5, 2000, goheap_alloc_data, free_any),
	MASKED("alloc-cache", "free-cache", 64, 4096, alloc_cache, free_cache),
	MASKED("alloc-cache", "free-cache", SZ_1M, 8, alloc_cache, free_cache),
	MASKED("alloc-stack", "free-stack", SZ_64K, 100,
	       goheap_stack_alloc, goheap_stack_free),
	MASKED("alloc-bulk", "free-bulk", 64, 1, alloc_bulk, free_bulk),
};

/* Returns how many there are: without sleeping, memory may be short. */
static unsigned int alloc_all(const struct path *path)
{
	bool masked = path->masked && !gfpflags_allow_blocking(path->gfp);
	struct bench_counts most = { };
	unsigned int i;

	for (i = 0; i < path->n; i++) {
		if (path->masked && !masked)
			objs[i] = path->alloc(path->size, path->gfp);
		else
			counted(&most, masked,
				objs[i] = path->alloc(path->size, path->gfp));
		if (!objs[i])
			break;
		cond_resched();
	}
	if (!path->masked || masked)
		publish(path->alloc_name, path->size, path->n, masked, &most);
	return i;
}

static void free_all(const struct path *path, unsigned int n)
{
	struct bench_counts most = { };
	unsigned int i;

	for (i = 0; i < n; i++) {
		counted(&most, path->masked, path->free(objs[i]));
		cond_resched();
	}
	publish(path->free_name, path->size, path->n, path->masked, &most);
}

static int measure_path(const struct path *path)
{
	unsigned int n;
	int err = 0;

	/* Also for paths that do not use it. */
	cache = goheap_cache_create("bench_sections",
				    min(path->size, GOHEAP_CACHE_MAX_SIZE), 0, 0, NULL);
	if (IS_ERR(cache))
		return PTR_ERR(cache);
	/* So that all memory is new. */
	goheap_shrink();
	n = alloc_all(path);
	if (n)
		free_all(path, n);
	else
		err = -ENOMEM;
	goheap_cache_destroy(cache);
	return err;
}

/* ---- Other calls -------------------------------------------------------- */

static void measure_realloc(const char *name, size_t from, size_t to)
{
	struct bench_counts most = { };
	void *p = goheap_alloc(from, GFP_KERNEL), *q = NULL;

	counted(&most, false, q = goheap_realloc(p, to, GFP_KERNEL));
	publish(name, to, 1, false, &most);
	goheap_free(q ?: p);
}

static void measure_reallocs(void)
{
	goheap_shrink();
	measure_realloc("realloc-more", 64, SZ_1K);
	measure_realloc("realloc-more", SZ_32K, SZ_64K);
	measure_realloc("realloc-more", SZ_64K, SZ_1M);
	measure_realloc("realloc-more", SZ_1M, SZ_32M + SZ_1M);
	measure_realloc("realloc-less", SZ_1K, 64);
	measure_realloc("realloc-less", SZ_1M, SZ_64K);
	measure_realloc("realloc-less", SZ_32M + SZ_1M, SZ_1M);
}

#define CACHE_OBJS	2000
#define CACHE_SIZE	SZ_1K

/* Lets a cache have spans of which few have objects. */
static void use_cache(void)
{
	unsigned int i, n;

	for (n = 0; n < CACHE_OBJS; n++) {
		objs[n] = goheap_cache_alloc(cache, GFP_KERNEL);
		if (!objs[n])
			break;
	}
	for (i = 0; i < n; i++)
		goheap_cache_free(cache, objs[i]);
}

static int measure_cache(void)
{
	struct bench_counts most = { };

	counted(&most, false,
		cache = goheap_cache_create("bench_sections", CACHE_SIZE, 0, 0, NULL));
	publish("cache-create", CACHE_SIZE, 1, false, &most);
	if (IS_ERR(cache))
		return PTR_ERR(cache);
	use_cache();
	most = (struct bench_counts){ };
	counted(&most, false, goheap_cache_shrink(cache));
	publish("cache-shrink", CACHE_SIZE, 1, false, &most);
	use_cache();
	most = (struct bench_counts){ };
	counted(&most, false, goheap_cache_destroy(cache));
	publish("cache-destroy", CACHE_SIZE, 1, false, &most);
	return 0;
}

#define SHRINK_OBJS	1000
#define SHRINK_SIZE	SZ_64K

static void measure_heap(void)
{
	struct bench_counts most = { };
	struct goheap_stats stats;
	unsigned int i;

	for (i = 0; i < SHRINK_OBJS; i++)
		objs[i] = goheap_alloc(SHRINK_SIZE, GFP_KERNEL);
	counted(&most, false, goheap_get_stats(&stats));
	publish("stats", 0, 1, false, &most);
	while (i--)
		goheap_free(objs[i]);
	most = (struct bench_counts){ };
	counted(&most, false, goheap_shrink());
	publish("shrink", SHRINK_SIZE, SHRINK_OBJS, false, &most);
}

/* ---- The groups --------------------------------------------------------- */

static int measure_all(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(paths) && !err; i++)
		err = measure_path(&paths[i]);
	if (err)
		return err;
	measure_reallocs();
	measure_heap();
	return measure_cache();
}

/**
 * bench_sections_group() - how long calls of goheap keep others waiting
 * @set: how; nothing of it matters
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_sections_group(const struct bench_settings *set)
{
	int lost = 0, err;

	objs = kvcalloc(OBJS_MAX + 1, sizeof(*objs), GFP_KERNEL);
	if (!objs)
		return -ENOMEM;
	err = bench_counts_init();
	if (!err) {
		err = measure_all();
		lost = bench_counts_exit();
	}
	kvfree(objs);
	return err ?: lost;
}

#define NAME_BYTES	64

/**
 * struct site - stretches that began in one function
 * @name: its name, and its module's, without a blank
 * @longest: the longest
 */
struct site {
	char name[NAME_BYTES];
	u32 longest[BENCH_NR_STRETCHES];
};

/* Until the next run, as its result has the names. */
static struct site sites[BENCH_SITES];

/* Many instructions are in one function. */
static struct site *find_site(unsigned long ip)
{
	struct site *site = sites;
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "%ps", (void *)ip);
	strreplace(name, ' ', '/');
	while (*site->name && strcmp(site->name, name))
		site++;
	strscpy(site->name, name, sizeof(site->name));
	return site;
}

/* Shorter ones than this say nothing. */
#define SITE_LEAST	100

static void publish_site(const struct site *site)
{
	struct bench_shape shape = {
		.name = site->name, .count = 1, .order = BENCH_NO_ORDER, .cpus = 1,
		.ops = 1,
	};
	unsigned int i;

	for (i = 0; i < BENCH_NR_STRETCHES; i++)
		if (site->longest[i] >= SITE_LEAST)
			bench_result_count(&shape, bench_stretch_names[i],
					   site->longest[i]);
}

/**
 * bench_sites_group() - where what bench_sections_group() counted began
 * @set: how; nothing of it matters
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_sites_group(const struct bench_settings *set)
{
	unsigned int i, kind;

	memset(sites, 0, sizeof(sites));
	for (i = 0; i < BENCH_SITES; i++) {
		const struct bench_site *found = bench_counts_site(i);
		struct site *site;

		if (!found->ip)
			continue;
		site = find_site(found->ip);
		for (kind = 0; kind < BENCH_NR_STRETCHES; kind++)
			site->longest[kind] = max(site->longest[kind],
						  found->longest[kind]);
	}
	for (i = 0; i < BENCH_SITES && *sites[i].name; i++)
		publish_site(&sites[i]);
	return 0;
}
