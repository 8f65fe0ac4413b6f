// SPDX-License-Identifier: GPL-2.0-only
/*
 * reclaim: freeing memory that is not needed.
 *
 *   background   once a second while there is something to do: idle objects of
 *                CPUs and idle batches of transfer caches are freed to their
 *                spans, idle spans of the span caches are evicted, free pages
 *                above the goal lose their memory, highest address first, and
 *                empty chunks of records are freed
 *   shrinker     the system is short of memory: the background work does more,
 *                at once
 *   shrink       goheap_shrink(): every CPU's caches are emptied, all free
 *                pages lose their memory, and all empty chunks of records are
 *                freed
 *   hotplug      a dead CPU's caches are emptied
 *
 * The goal is 10 % (a parameter) over the recent peak of pages in use, as in
 * Go's scavenger; the peak decays by an eighth of its distance a second.
 *
 * A CPU's caches are used by that CPU only. So a work item on that CPU drains
 * or ages them, or any task once the CPU is dead.
 *
 * Lock order: cpus_read_lock(), heaps_lock, caches_lock. Work items that drain
 * must not take any of these, because the task that waits for them holds all
 * three. Work items that age run on the same queue and only try caches_lock; no
 * task waits for them.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/shrinker.h>

#include <linux/goheap.h>

#include "compat.h"
#include "large.h"
#include "mcache.h"
#include "reclaim.h"
#include "records.h"
#include "tiny.h"

/* Memory retained over the recent peak, in percent of it. */
unsigned int gh_retain_percent = 10;

/* Protects heaps, and drain_works while they are in use. */
static DEFINE_MUTEX(heaps_lock);
static LIST_HEAD(heaps);

static struct shrinker *shrinker;

/* What cpuhp_setup_state_nocalls() returned. */
static int hotplug_state;

/* ---- the caches of CPUs ------------------------------------------------- */

/**
 * struct drain_work - a request to empty the caches of the CPU it runs on
 * @work: the work item
 * @heap: the heap
 * @only: the one mcentral to drain, or NULL for all
 */
struct drain_work {
	struct work_struct work;
	struct gh_heap *heap;
	struct gh_central *only;
};

static DEFINE_PER_CPU(struct drain_work, drain_works);

/* The waiter may run in a rescuer, so this queue needs WQ_MEM_RECLAIM too. */
static struct workqueue_struct *drain_wq;

static void drain_central_here(struct gh_central *c)
{
	preempt_disable();
	gh_slot_drain(c, smp_processor_id());
	preempt_enable();
}

static void drain_heap_here(struct gh_heap *h)
{
	struct gh_central *c;

	preempt_disable();
	gh_tiny_drain(h, smp_processor_id());
	gh_large_drain(h, smp_processor_id());
	preempt_enable();
	gh_for_each_central(c, h)
		drain_central_here(c);
	preempt_disable();
	gh_mheap_flush_pages(h, smp_processor_id());
	preempt_enable();
}

static void age_central_here(struct gh_central *c)
{
	preempt_disable();
	gh_slot_age(c);
	preempt_enable();
}

static void age_heap_here(struct gh_heap *h)
{
	struct gh_central *c;

	preempt_disable();
	gh_tiny_age(h);
	gh_large_age(h);
	preempt_enable();
	gh_for_each_central(c, h)
		age_central_here(c);
	preempt_disable();
	if (gh_mcache_empty(h, smp_processor_id()))
		gh_mheap_flush_pages(h, smp_processor_id());
	preempt_enable();
}

/* No task waits for this, so a CPU that does not schedule keeps what it has. */
static void age_work_fn(struct work_struct *work)
{
	struct gh_mcache *mcache = container_of(work, struct gh_mcache,
						age_work);

	/*
	 * The lock holder is draining, or creating or destroying a cache: retry
	 * on the next tick.
	 */
	if (!mutex_trylock(&mcache->heap->caches_lock))
		return;
	age_heap_here(mcache->heap);
	mutex_unlock(&mcache->heap->caches_lock);
}

/* Ask whether a CPU holds nothing that could be idle. */
static bool cpu_at_rest(struct gh_heap *h, unsigned int cpu)
{
	return gh_mcache_empty(h, cpu) &&
	       !READ_ONCE(per_cpu_ptr(h->pages_cpu, cpu)->pc.cache);
}

/* Returns true if there are CPUs to look at again. */
static bool age_cpus(struct gh_heap *h)
{
	bool more = false;
	int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		if (cpu_at_rest(h, cpu))
			continue;
		queue_work_on(cpu, drain_wq, &per_cpu_ptr(h->mcache, cpu)->age_work);
		more = true;
	}
	cpus_read_unlock();
	return more;
}

static void drain_work_fn(struct work_struct *work)
{
	struct drain_work *dw = container_of(work, struct drain_work, work);

	if (dw->only)
		drain_central_here(dw->only);
	else
		drain_heap_here(dw->heap);
}

/* Free what lies in the transfer and span caches. */
static void drain_centrals(struct gh_heap *h, struct gh_central *only)
	__must_hold(&h->caches_lock)
{
	struct gh_central *c;

	lockdep_assert_held(&h->caches_lock);

	if (only) {
		gh_central_drain(only);
		return;
	}
	gh_for_each_central(c, h)
		gh_central_drain(c);
	gh_mheap_evict(h);
}

/* Have all CPUs drain their caches, and wait for them. */
static void drain_cpus(struct gh_heap *h, struct gh_central *only)
	__must_hold(&heaps_lock)
	__must_hold(&h->caches_lock)
{
	int cpu;

	lockdep_assert_held(&heaps_lock);
	lockdep_assert_held(&h->caches_lock);

	for_each_online_cpu(cpu) {
		struct drain_work *dw = per_cpu_ptr(&drain_works, cpu);

		dw->heap = h;
		dw->only = only;
		queue_work_on(cpu, drain_wq, &dw->work);
	}
	for_each_online_cpu(cpu)
		flush_work(&per_cpu_ptr(&drain_works, cpu)->work);
}

/**
 * gh_reclaim_drain() - empty the caches of all CPUs
 * @h: the heap
 * @only: the one mcentral to drain, or NULL for all, and the span caches
 *
 * Context: process context, may sleep.
 */
void gh_reclaim_drain(struct gh_heap *h, struct gh_central *only)
{
	cpus_read_lock();
	mutex_lock(&heaps_lock);
	mutex_lock(&h->caches_lock);
	drain_cpus(h, only);
	drain_centrals(h, only);
	mutex_unlock(&h->caches_lock);
	mutex_unlock(&heaps_lock);
	cpus_read_unlock();
}
GH_EXPORT_FOR_TESTS(gh_reclaim_drain);

static void drain_dead_cpu(struct gh_heap *h, unsigned int cpu)
{
	struct gh_central *c;

	mutex_lock(&h->caches_lock);
	gh_tiny_drain(h, cpu);
	gh_large_drain(h, cpu);
	gh_for_each_central(c, h)
		gh_slot_drain(c, cpu);
	gh_mheap_flush_pages(h, cpu);
	mutex_unlock(&h->caches_lock);
}

static int cpu_dead(unsigned int cpu)
{
	struct gh_heap *h;

	mutex_lock(&heaps_lock);
	list_for_each_entry(h, &heaps, list)
		drain_dead_cpu(h, cpu);
	mutex_unlock(&heaps_lock);
	return 0;
}

/* ---- memory ------------------------------------------------------------- */

static void sweep_all(struct gh_heap *h)
{
	unsigned long bad = 0;
	struct gh_central *c;

	mutex_lock(&h->caches_lock);
	gh_for_each_central(c, h)
		gh_central_sweep(c, &bad);
	mutex_unlock(&h->caches_lock);
	WARN_ONCE(bad, "goheap: %lu spans whose counts are wrong\n", bad);
}

/**
 * gh_reclaim_all() - empty all caches and free the memory of all free pages
 * @h: the heap
 *
 * Context: process context, may sleep.
 * Return: bytes freed.
 */
unsigned long gh_reclaim_all(struct gh_heap *h)
{
	unsigned long npages;

	gh_reclaim_drain(h, NULL);
	sweep_all(h);
	mutex_lock(&h->scav_lock);
	npages = gh_mheap_scavenge(h, ULONG_MAX);
	WRITE_ONCE(h->peak_pages, gh_mheap_inuse(h));
	mutex_unlock(&h->scav_lock);
	gh_records_trim(h);
	return npages << GH_PAGE_SHIFT;
}
GH_EXPORT_FOR_TESTS(gh_reclaim_all);

/**
 * goheap_shrink() - free all memory that holds no objects
 *
 * Context: process context, may sleep.
 * Return: bytes freed to the system.
 */
unsigned long goheap_shrink(void)
{
	return gh_reclaim_all(gh_kheap);
}
EXPORT_SYMBOL_GPL(goheap_shrink);

/* Let the peak decay. Returns free pages with memory that exceed the goal. */
static unsigned long scavenge_surplus(struct gh_heap *h)
	__must_hold(&h->scav_lock)
{
	unsigned long inuse = gh_mheap_inuse(h);
	unsigned long idle = gh_mheap_idle_committed(h);
	unsigned long goal;

	lockdep_assert_held(&h->scav_lock);

	if (inuse > h->peak_pages)
		h->peak_pages = inuse;
	else
		h->peak_pages -= DIV_ROUND_UP(h->peak_pages - inuse, 8);

	goal = h->peak_pages + h->peak_pages * READ_ONCE(gh_retain_percent) / 100;
	return inuse + idle > goal ? inuse + idle - goal : 0;
}

/* Returns true if batches are left that may be idle the next time. */
static bool age_centrals(struct gh_heap *h)
{
	struct gh_central *c;
	bool more = false;

	mutex_lock(&h->caches_lock);
	gh_for_each_central(c, h)
		more |= gh_central_age(c);
	mutex_unlock(&h->caches_lock);
	return more;
}

/* Nothing is left to do once the peak has come down or no memory is idle. */
static bool background_needed(struct gh_heap *h)
{
	unsigned long inuse = gh_mheap_inuse(h);

	return h->peak_pages > inuse && gh_mheap_idle_committed(h);
}

static void background_fn(struct work_struct *work)
{
	struct gh_heap *h = container_of(to_delayed_work(work), struct gh_heap,
					 background);
	/* The shrinker may call more often than once a second. */
	bool tick = time_after_eq(jiffies, h->aged + HZ);
	unsigned long surplus = 0;
	bool more = true;

	if (tick) {
		h->aged = jiffies;
		more = age_centrals(h);
		more |= age_cpus(h);
		more |= gh_mheap_age(h);
	}

	mutex_lock(&h->scav_lock);
	if (tick)
		surplus = scavenge_surplus(h);
	surplus = max_t(unsigned long, surplus,
			atomic_long_xchg(&h->shrink_want, 0));
	if (surplus)
		gh_mheap_scavenge(h, surplus);
	mutex_unlock(&h->scav_lock);

	/* Last, because evicting spans frees records. */
	if (tick)
		more |= gh_records_age(h);
	if (more || background_needed(h))
		gh_mheap_kick(h);
}

/* ---- shrinker ----------------------------------------------------------- */

static unsigned long shrinkable(const struct gh_heap *h)
{
	return gh_vmem_is_sparse() ?
	       gh_mheap_idle_committed(h) + gh_mheap_cached(h) : 0;
}

static unsigned long shrink_count(struct shrinker *s, struct shrink_control *sc)
{
	struct gh_heap *h;
	unsigned long n = 0;

	if (!mutex_trylock(&heaps_lock))
		return 0;
	list_for_each_entry(h, &heaps, list)
		n += shrinkable(h);
	mutex_unlock(&heaps_lock);
	return n << (GH_PAGE_SHIFT - PAGE_SHIFT) ?: SHRINK_EMPTY;
}

/*
 * Scavenging flushes TLBs, which may wait for workers, and reclaim must not
 * wait for those. So only ask the background work for it. Reclaim finds the
 * memory that it frees when it looks again.
 */
static unsigned long shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long want = DIV_ROUND_UP(sc->nr_to_scan,
					  GH_PAGE_SIZE / PAGE_SIZE);
	struct gh_heap *h;

	if (!mutex_trylock(&heaps_lock))
		return SHRINK_STOP;
	list_for_each_entry(h, &heaps, list) {
		atomic_long_add(want, &h->shrink_want);
		mod_delayed_work(gh_wq, &h->background, 0);
	}
	mutex_unlock(&heaps_lock);
	return SHRINK_STOP;
}

/* ---- life --------------------------------------------------------------- */

/**
 * gh_reclaim_add() - start to reclaim the memory of a heap
 * @h: the heap, complete
 */
void gh_reclaim_add(struct gh_heap *h)
{
	int cpu;

	/* Not deferrable, because it stops by itself. */
	INIT_DELAYED_WORK(&h->background, background_fn);
	for_each_possible_cpu(cpu) {
		struct gh_mcache *mcache = per_cpu_ptr(h->mcache, cpu);

		mcache->heap = h;
		INIT_WORK(&mcache->age_work, age_work_fn);
	}
	h->aged = jiffies - HZ;

	mutex_lock(&heaps_lock);
	list_add_tail(&h->list, &heaps);
	mutex_unlock(&heaps_lock);
}

/**
 * gh_reclaim_remove() - stop all that this file does to a heap
 * @h: the heap
 */
void gh_reclaim_remove(struct gh_heap *h)
{
	int cpu;

	mutex_lock(&heaps_lock);
	list_del(&h->list);
	mutex_unlock(&heaps_lock);

	WRITE_ONCE(h->closing, true);
	cancel_delayed_work_sync(&h->background);
	for_each_possible_cpu(cpu)
		cancel_work_sync(&per_cpu_ptr(h->mcache, cpu)->age_work);
	cancel_work_sync(&h->grow_work);
}

/**
 * gh_reclaim_init() - register the shrinker and the callback for dead CPUs
 *
 * Return: 0 or a negative error.
 */
int gh_reclaim_init(void)
{
	int cpu, err;

	for_each_possible_cpu(cpu)
		INIT_WORK(&per_cpu_ptr(&drain_works, cpu)->work, drain_work_fn);
	drain_wq = alloc_workqueue("goheap_drain",
				   WQ_MEM_RECLAIM | GH_WQ_PERCPU, 0);
	if (!drain_wq)
		return -ENOMEM;

	err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "mm/goheap:dead",
					NULL, cpu_dead);
	if (err < 0)
		goto no_hotplug;
	hotplug_state = err;

	err = -ENOMEM;
	shrinker = gh_shrinker_register("goheap", shrink_count, shrink_scan);
	if (!shrinker)
		goto no_shrinker;
	return 0;

no_shrinker:
	cpuhp_remove_state_nocalls(hotplug_state);
no_hotplug:
	destroy_workqueue(drain_wq);
	return err;
}

/**
 * gh_reclaim_exit() - unregister both; every heap was removed
 */
void gh_reclaim_exit(void)
{
	gh_shrinker_unregister(shrinker);
	cpuhp_remove_state_nocalls(hotplug_state);
	destroy_workqueue(drain_wq);
}
