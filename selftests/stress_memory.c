// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the heap does to a machine that is short of memory: that it gives back
 * all that is free, needs no memory to do so, takes no more than kmalloc()
 * would, and never causes the OOM killer to run.
 *
 * These scenarios take most of the machine's memory. They run in small guests
 * that do nothing else; see selftests/tests.list.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/oom.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "../mm/compat.h"
#include "../mm/mheap.h"
#include "../mm/vmem.h"
#include "stress.h"

/* Objects are chained through their first word. */
struct chain {
	struct chain *next;
};

/**
 * struct source - where the objects of a chain come from
 * @name: for messages
 * @alloc: allocates one
 * @free: frees one
 */
struct source {
	const char *name;
	void *(*alloc)(size_t size, gfp_t gfp);
	void (*free)(const void *p);
};

static void *take_kmalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp);
}

static const struct source from_goheap = { "goheap", goheap_alloc, goheap_free };
static const struct source from_slab = { "slab", take_kmalloc, kfree };

/* Add objects to a chain until there are @max or no memory. Returns how many. */
static unsigned long chain_fill(struct chain **chain, const struct source *src,
				size_t size, gfp_t gfp, unsigned long max)
{
	unsigned long n;

	for (n = 0; n < max; n++) {
		struct chain *c = src->alloc(size, gfp | __GFP_NOWARN);

		if (!c)
			break;
		c->next = *chain;
		*chain = c;
		if (gfpflags_allow_blocking(gfp))
			cond_resched();
	}
	return n;
}

static void chain_free(struct chain **chain, const struct source *src)
{
	while (*chain) {
		struct chain *c = *chain;

		*chain = c->next;
		src->free(c);
		cond_resched();
	}
}

static unsigned long zone_listed_pages(struct zone *zone)
{
	unsigned long n = 0;
	int cpu;

	if (!populated_zone(zone))
		return 0;
	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(zone->per_cpu_pageset, cpu)->count);
	return n;
}

/*
 * Free pages, with those in the page allocator's lists of single CPUs. They can be
 * an eighth of memory, and do not count as free otherwise.
 */
static unsigned long free_pages_now(void)
{
	unsigned long n = global_zone_page_state(NR_FREE_PAGES);
	unsigned int i;
	int nid;

	for_each_online_node(nid)
		for (i = 0; i < MAX_NR_ZONES; i++)
			n += zone_listed_pages(&NODE_DATA(nid)->node_zones[i]);
	return n;
}

/*
 * KASAN keeps an eighth of memory for itself, and freed objects back; address space
 * takes memory. What these scenarios measure is not the same then.
 */
static bool has_kasan(void)
{
	if (IS_ENABLED(CONFIG_KASAN))
		st_skip("memory cannot be measured with KASAN");
	return IS_ENABLED(CONFIG_KASAN);
}

static bool cannot_measure(void)
{
	if (has_kasan())
		return true;
	if (!gh_vmem_is_sparse())
		st_skip("eager arenas keep their memory");
	return !gh_vmem_is_sparse();
}

/* ---- the OOM killer ----------------------------------------------------- */

static atomic_t oom_calls;
static atomic_t oom_other_calls;
static struct task_struct *oom_tester;
static char oom_caller[TASK_COMM_LEN];

/* Processes may need memory while there is none. The heap and its workers do not. */
static int oom_called(struct notifier_block *nb, unsigned long unused, void *freed)
{
	if (current->flags & PF_KTHREAD || current == oom_tester) {
		atomic_inc(&oom_calls);
		get_task_comm(oom_caller, current);
	} else {
		atomic_inc(&oom_other_calls);
	}
	return NOTIFY_OK;
}

static struct notifier_block oom_nb = { .notifier_call = oom_called };

static void oom_watch(void)
{
	atomic_set(&oom_calls, 0);
	atomic_set(&oom_other_calls, 0);
	oom_tester = current;
	if (register_oom_notifier(&oom_nb))
		st_bad("no OOM notifier");
}

static void oom_check(void)
{
	unregister_oom_notifier(&oom_nb);
	st_note("%d calls by processes", atomic_read(&oom_other_calls));
	if (atomic_read(&oom_calls))
		st_note("the last was by %s", oom_caller);
	st_check(!atomic_read(&oom_calls), "the OOM killer is not called (%d calls)",
		 atomic_read(&oom_calls));
}

/* ---- starve: giving back needs no memory -------------------------------- */

#define STARVE_SIZE	1000
#define STARVE_WAITS	30
#define STARVE_NAP_MS	100

/* Returns how many naps it took until @goal pages were free. */
static unsigned int starve_wait(unsigned long goal)
{
	unsigned int naps = 0;

	while (free_pages_now() < goal && naps < STARVE_WAITS) {
		msleep(STARVE_NAP_MS);
		naps++;
	}
	return naps;
}

static void starve_round(unsigned long before, bool ask)
{
	struct chain *chain = NULL;
	unsigned long n, goal;
	unsigned int naps;

	oom_watch();
	n = chain_fill(&chain, &from_goheap, STARVE_SIZE,
		       GFP_KERNEL | __GFP_NORETRY, ULONG_MAX);
	n += chain_fill(&chain, &from_goheap, STARVE_SIZE, GFP_ATOMIC, ULONG_MAX);
	st_note("%lu objects, %lu of %lu pages are left", n, free_pages_now(),
		before);
	st_check(free_pages_now() < before / 8, "the heap takes all memory");
	chain_free(&chain, &from_goheap);
	if (ask)
		goheap_shrink();
	goal = before / 100 * 85;
	naps = starve_wait(goal);
	st_check(free_pages_now() >= goal,
		 "%s, %lu of %lu pages are free again after %u ms",
		 ask ? "asked for it" : "unasked", free_pages_now(), before,
		 naps * STARVE_NAP_MS);
	oom_check();
}

/**
 * stress_starve() - free objects with no page left in the machine
 */
void stress_starve(void)
{
	unsigned long before;

	if (cannot_measure())
		return;
	goheap_shrink();
	before = free_pages_now();
	starve_round(before, true);
	starve_round(before, false);
}

/* ---- burst: atomic allocations alone ------------------------------------ */

#define BURST_SIZE	1000
#define BURST_ROUNDS	5

/**
 * stress_burst() - take what there is without ever sleeping
 *
 * Nobody gives the heap's worker time but the scheduler.
 */
void stress_burst(void)
{
	struct chain *chain = NULL;
	unsigned long slab, n;
	unsigned int i;

	if (cannot_measure())
		return;
	goheap_shrink();
	slab = chain_fill(&chain, &from_slab, BURST_SIZE, GFP_ATOMIC, ULONG_MAX);
	chain_free(&chain, &from_slab);
	for (i = 0; i < BURST_ROUNDS; i++) {
		n = chain_fill(&chain, &from_goheap, BURST_SIZE, GFP_ATOMIC,
			       ULONG_MAX);
		chain_free(&chain, &from_goheap);
		goheap_shrink();
		st_check(n >= slab / 2, "GFP_ATOMIC alone has %lu objects, slab %lu",
			 n, slab);
	}
}

/* ---- grow: one object that grows ---------------------------------------- */

#define GROW_STEP	SZ_64M
#define GROW_STEPS	24
/* Bounds on what may be left behind, bytes. */
#define GROW_LEFT	(12UL << 20)
#define GROW_SPACE	(6UL << 30)

/**
 * stress_grow() - a buffer that is replaced by a larger one, again and again
 */
void stress_grow(void)
{
	unsigned long before, left;
	struct goheap_stats st;
	unsigned int k;
	u64 space;

	if (has_kasan())
		return;
	goheap_shrink();
	before = free_pages_now();
	for (k = 1; k <= GROW_STEPS; k++) {
		void *p = goheap_alloc((unsigned long)k * GROW_STEP,
				       GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

		if (!p)
			break;
		goheap_free(p);
		goheap_shrink();
	}
	st_note("%u steps of %u MiB", k - 1, GROW_STEP >> 20);
	st_check(k > 8, "objects of half a gigabyte can be had");
	left = free_pages_now();
	left = before - min(before, left);
	goheap_get_stats(&st);
	st_check(left << PAGE_SHIFT <= GROW_LEFT, "%lu KiB of memory are left behind",
		 left << (PAGE_SHIFT - 10));
	space = (st.arenas + st.arenas_spare) << GH_ARENA_SHIFT;
	st_check(space + st.huge <= GROW_SPACE,
		 "%llu MiB of address space are left behind",
		 (space + st.huge) >> 20);
}

/* ---- spike: records come back too --------------------------------------- */

#define SPIKE_SIZE	64
#define SPIKE_BYTES	SZ_1G
#define SPIKE_WAITS	10

static u64 heap_costs(void)
{
	struct goheap_stats st;

	goheap_get_stats(&st);
	return st.sys - st.heap_released;
}

/**
 * stress_spike() - many small objects, once
 */
void stress_spike(void)
{
	unsigned long n, want = SPIKE_BYTES / SPIKE_SIZE;
	u64 before, peak, left;
	struct chain *chain = NULL;
	unsigned int s;

	if (cannot_measure())
		return;
	if (totalram_pages() < 2 * (SPIKE_BYTES >> PAGE_SHIFT)) {
		st_skip("needs 2 GiB of memory");
		return;
	}
	goheap_shrink();
	before = heap_costs();
	n = chain_fill(&chain, &from_goheap, SPIKE_SIZE, GFP_KERNEL, want);
	st_check(n == want, "%lu objects of %u bytes", n, SPIKE_SIZE);
	peak = heap_costs() - before;
	chain_free(&chain, &from_goheap);
	for (s = 0; s < SPIKE_WAITS && heap_costs() > before + peak / 100; s++)
		msleep(1000);
	left = heap_costs() - min(heap_costs(), before);
	st_check(left <= peak / 100, "%llu KiB of %llu are left after %u s",
		 left >> 10, peak >> 10, s);
}

/* ---- killed: a task that was killed is served --------------------------- */

#define KILLED_OBJS	2000
#define KILLED_SIZE	500

static const struct {
	const char *name;
	gfp_t gfp;
} killed_flags[] = {
	{ "GFP_KERNEL", GFP_KERNEL },
	{ "GFP_NOFS", GFP_NOFS },
	{ "GFP_NOIO", GFP_NOIO },
	{ "GFP_KERNEL | __GFP_NORETRY", GFP_KERNEL | __GFP_NORETRY },
	{ "GFP_KERNEL | __GFP_RETRY_MAYFAIL", GFP_KERNEL | __GFP_RETRY_MAYFAIL },
	{ "GFP_NOWAIT", GFP_NOWAIT },
	{ "GFP_ATOMIC", GFP_ATOMIC },
};

static void killed_worker(struct st_worker *w)
{
	struct chain *chain = NULL;
	unsigned int i;

	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	st_check(fatal_signal_pending(current), "the task is being killed");
	for (i = 0; i < ARRAY_SIZE(killed_flags); i++) {
		unsigned long n = chain_fill(&chain, &from_goheap, KILLED_SIZE,
					     killed_flags[i].gfp, KILLED_OBJS);

		st_check(n == KILLED_OBJS, "%s serves it (%lu of %u objects)",
			 killed_flags[i].name, n, KILLED_OBJS);
	}
	chain_free(&chain, &from_goheap);
	flush_signals(current);
	goheap_shrink();
}

/**
 * stress_killed() - allocate in a task that was killed
 *
 * As kmalloc() does it: a file system cannot leave a transaction half done.
 */
void stress_killed(void)
{
	goheap_shrink();
	st_run(1, ST_UNBOUND, killed_worker, NULL, NULL);
}

/* ---- idle: what lies idle in the heap is the system's ------------------- */

#define IDLE_SIZE	SZ_64K
/* Percent of memory that the heap has, and that others then need. */
#define IDLE_HEAP	80
#define IDLE_NEED	75

static void pages_free(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/**
 * stress_idle() - others need memory that lies idle in the heap
 *
 * Only they can get it, as the heap's worker does nothing meanwhile.
 */
void stress_idle(void)
{
	unsigned long before, heap, need, n, aged;
	struct chain *chain = NULL;
	LIST_HEAD(pages);

	if (cannot_measure())
		return;
	goheap_shrink();
	aged = gh_kheap->aged;
	gh_kheap->aged = jiffies + 3600 * HZ;
	before = free_pages_now();
	heap = before / 100 * IDLE_HEAP / (IDLE_SIZE >> PAGE_SHIFT);
	need = before / 100 * IDLE_NEED;
	n = chain_fill(&chain, &from_goheap, IDLE_SIZE, GFP_KERNEL, heap);
	chain_free(&chain, &from_goheap);
	st_check(n == heap && free_pages_now() < need,
		 "%lu of %lu pages lie idle in the heap",
		 before - free_pages_now(), before);
	oom_watch();
	for (n = 0; n < need; n++) {
		struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE);

		if (!page)
			break;
		list_add(&page->lru, &pages);
		cond_resched();
	}
	st_check(n == need, "others have %lu of %lu pages", n, need);
	oom_check();
	pages_free(&pages);
	gh_kheap->aged = aged;
}

/* ---- reserve: the system's reserves are not for everybody --------------- */

#define RESERVE_FILL	1000
#define RESERVE_SIZE	64
#define RESERVE_FIRST	10
#define RESERVE_MORE	100
#define RESERVE_NAPS	100
#define RESERVE_NAP_MS	50

/* As a task that frees memory may do. */
static unsigned long chain_fill_reserve(struct chain **chain, unsigned long max)
{
	unsigned int flags = memalloc_noreclaim_save();
	unsigned long n;

	n = chain_fill(chain, &from_goheap, RESERVE_SIZE, GFP_ATOMIC, max);
	memalloc_noreclaim_restore(flags);
	return n;
}

/* How many of a chain are in memory of the reserves. */
static unsigned long chain_reserve(const struct chain *c)
{
	unsigned long n = 0;

	for (; c; c = c->next) {
		rcu_read_lock();
		n += gh_span_of((unsigned long)c)->reserve;
		rcu_read_unlock();
	}
	return n;
}

/**
 * stress_reserve() - use the system's reserves, and let nobody else have them
 */
void stress_reserve(void)
{
	struct chain *fill = NULL, *mine = NULL, *others = NULL, *last;
	unsigned long committed, n;
	unsigned int naps = 0;

	if (cannot_measure())
		return;
	goheap_shrink();
	n = chain_fill(&fill, &from_goheap, RESERVE_FILL,
		       GFP_KERNEL | __GFP_NORETRY, ULONG_MAX);
	n += chain_fill(&fill, &from_goheap, RESERVE_FILL, GFP_ATOMIC, ULONG_MAX);
	n += chain_fill(&others, &from_goheap, RESERVE_SIZE, GFP_ATOMIC, ULONG_MAX);
	st_note("%lu objects, %lu pages are left", n, free_pages_now());

	n = chain_fill_reserve(&mine, RESERVE_FIRST);
	st_check(n == RESERVE_FIRST && chain_reserve(mine) == n,
		 "who may use the reserves has %lu objects, %lu of the reserves", n,
		 chain_reserve(mine));

	n = chain_fill(&others, &from_goheap, RESERVE_SIZE, GFP_ATOMIC, ULONG_MAX);
	st_check(!chain_reserve(others), "who may not has %lu of the reserves",
		 chain_reserve(others));

	committed = gh_vmem_committed_bytes();
	n = chain_fill_reserve(&mine, RESERVE_MORE);
	st_check(n == RESERVE_MORE && gh_vmem_committed_bytes() == committed,
		 "who may has %lu objects more, and takes %lu bytes for them", n,
		 gh_vmem_committed_bytes() - committed);

	/* The last one keeps the span. */
	last = mine;
	mine = mine->next;
	last->next = NULL;
	chain_free(&mine, &from_goheap);
	n = chain_fill(&others, &from_goheap, RESERVE_SIZE, GFP_ATOMIC, ULONG_MAX);
	st_check(chain_reserve(last) == 1 && !chain_reserve(others),
		 "what is freed is not for everybody either");
	committed = gh_vmem_committed_bytes();
	chain_free(&last, &from_goheap);
	while (gh_vmem_committed_bytes() >= committed && naps++ < RESERVE_NAPS)
		msleep(RESERVE_NAP_MS);
	st_check(gh_vmem_committed_bytes() < committed,
		 "and is given back with the last of them");
	chain_free(&others, &from_goheap);
	chain_free(&fill, &from_goheap);
	goheap_shrink();
}
