// SPDX-License-Identifier: GPL-2.0-only
/*
 * reclaim: freeing memory that is not needed.
 *
 *   background   once a second while there is something to do: idle objects of
 *                CPUs and idle batches of transfer caches are freed to their
 *                spans, idle spans of the span caches are evicted, free pages
 *                above the goal lose their memory, highest address first, and
 *                empty chunks of records are freed
 *   shrinker     the system is short of memory: free pages of the node that it
 *                is short on lose their memory, then cached spans are evicted
 *   OOM          the system has none left: everything goes that can go without
 *                waiting for other CPUs, before a process is killed
 *   shrink       goheap_shrink(): every CPU's caches are emptied, all free
 *                pages lose their memory, and all empty chunks of records are
 *                freed
 *   hotplug      a dead CPU's caches are emptied
 *
 * The goal is 10 % (a parameter) over the recent peak of pages in use, as in
 * Go's scavenger. Each second the peak falls by half of what it is above the
 * pages in use, or by more, so that what is left of that is at most a quarter of
 * the system's free memory. So what a burst needed is soon the system's again,
 * and at once if memory is short.
 *
 * A CPU's caches are used by that CPU only. So a work item on that CPU drains
 * or ages them, or any task once the CPU is dead. Isolated CPUs are asked for
 * nothing unless goheap_shrink() is called.
 *
 * Nothing here allocates memory, and reclaim takes no lock that is held while
 * somebody else does: the shrinker and the OOM notifier only try heaps_sem and
 * caches_sem, and scav_lock is held only while memory is freed.
 *
 * Lock order: cpus_read_lock(), drain_lock, heaps_sem, caches_sem. Work items
 * that drain must not take any of these, because the task that waits for them
 * holds some. Work items that age run on the same queue and only try caches_sem;
 * no task waits for them.
 *
 * What could be freed is counted as KReclaimable in /proc/meminfo, as of the last
 * tick, the last scavenging, or the last look of the shrinker.
 */
#define pr_fmt(fmt) "goheap: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/printk.h>
#include <linux/rwsem.h>
#include <linux/sched/isolation.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/vmstat.h>

#include <linux/goheap.h>

#include "area.h"
#include "compat.h"
#include "damage.h"
#include "huge.h"
#include "large.h"
#include "malloc.h"
#include "mcache.h"
#include "peek.h"
#include "reclaim.h"
#include "records.h"
#include "tiny.h"

/* Memory retained over the recent peak, in percent of it. */
unsigned int gh_retain_percent = 10;

/*
 * In the background, memory is freed when there is so much more of it than the
 * goal that a flush of all TLBs pays, or when there was some for so many seconds.
 */
#define SURPLUS_SHIFT	6
#define SURPLUS_MIN	(SZ_2M >> GH_PAGE_SHIFT)
#define SURPLUS_TICKS	3

/* What the shrinker is asked for at a time, PAGE_SIZE pages: one flush pays. */
#define SHRINK_BATCH	(SZ_4M >> PAGE_SHIFT)

static DECLARE_RWSEM(heaps_sem);	/* protects heaps */
static LIST_HEAD(heaps);

static DEFINE_MUTEX(drain_lock);	/* protects drain_works in use */

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

static void drain_heap_here(struct gh_heap *h)
{
	struct gh_central *c;

	preempt_disable();
	gh_tiny_drain(h, smp_processor_id());
	gh_large_drain(h, smp_processor_id());
	preempt_enable();
	gh_for_each_central(c, h)
		gh_slot_drain_here(c);
	preempt_disable();
	gh_mheap_flush_pages(h, smp_processor_id());
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
		gh_slot_age(c);
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
	struct gh_heap *h = mcache->heap;

	/* A cache comes or goes just now: the next tick will do. */
	if (!down_read_trylock(&h->caches_sem))
		return;
	if (xchg(&mcache->give_all, 0))
		drain_heap_here(h);
	else
		age_heap_here(h);
	up_read(&h->caches_sem);
}

/* Ask whether a CPU holds nothing that could be idle. */
static bool cpu_at_rest(struct gh_heap *h, unsigned int cpu)
{
	return gh_mcache_empty(h, cpu) &&
	       !gh_mheap_holds_pages(h, cpu);
}

static void queue_age(struct gh_heap *h, unsigned int cpu)
{
	queue_work_on(cpu, drain_wq, &per_cpu_ptr(h->mcache, cpu)->age_work);
}

/* Returns true if there are CPUs to look at again. */
static bool age_cpus(struct gh_heap *h)
{
	bool more = false;
	int cpu;

	cpus_read_lock();
	/* Isolation may change at run time. */
	rcu_read_lock();
	for_each_cpu_and(cpu, housekeeping_cpumask(HK_TYPE_DOMAIN),
			 cpu_online_mask) {
		if (cpu_at_rest(h, cpu))
			continue;
		queue_age(h, cpu);
		more = true;
	}
	rcu_read_unlock();
	cpus_read_unlock();
	return more;
}

/* Ask all CPUs to free all that they hold, and do not wait for them. */
static void ask_cpus(struct gh_heap *h)
{
	int cpu;

	if (!cpus_read_trylock())
		return;
	for_each_online_cpu(cpu) {
		if (cpu_at_rest(h, cpu))
			continue;
		WRITE_ONCE(per_cpu_ptr(h->mcache, cpu)->give_all, 1);
		queue_age(h, cpu);
	}
	cpus_read_unlock();
}

static void drain_work_fn(struct work_struct *work)
{
	struct drain_work *dw = container_of(work, struct drain_work, work);

	if (dw->only)
		gh_slot_drain_here(dw->only);
	else
		drain_heap_here(dw->heap);
}

/* Free what lies in the transfer and span caches. */
static void drain_centrals(struct gh_heap *h, struct gh_central *only)
{
	struct gh_central *c;

	lockdep_assert_held(&h->caches_sem);

	if (only) {
		gh_central_drain(only);
		return;
	}
	gh_for_each_central(c, h)
		gh_central_drain(c);
	gh_mheap_evict(h);
}

static bool cpu_has_some(struct gh_heap *h, struct gh_central *only,
			 unsigned int cpu)
{
	return only ? gh_slot_holds(only, cpu) : !cpu_at_rest(h, cpu);
}

/* Have all CPUs that hold something drain their caches, and wait for them. */
static void drain_cpus(struct gh_heap *h, struct gh_central *only)
	__must_hold(&drain_lock)
{
	int cpu;

	lockdep_assert_held(&drain_lock);
	lockdep_assert_held(&h->caches_sem);

	for_each_online_cpu(cpu) {
		struct drain_work *dw = per_cpu_ptr(&drain_works, cpu);

		if (!cpu_has_some(h, only, cpu))
			continue;
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
	mutex_lock(&drain_lock);
	down_read(&h->caches_sem);
	drain_cpus(h, only);
	drain_centrals(h, only);
	up_read(&h->caches_sem);
	mutex_unlock(&drain_lock);
	cpus_read_unlock();
}
GH_EXPORT_FOR_TESTS(gh_reclaim_drain);

static void drain_dead_cpu(struct gh_heap *h, unsigned int cpu)
{
	struct gh_central *c;

	down_read(&h->caches_sem);
	gh_tiny_drain(h, cpu);
	gh_large_drain(h, cpu);
	gh_for_each_central(c, h)
		gh_slot_drain(c, cpu);
	gh_mheap_flush_pages(h, cpu);
	up_read(&h->caches_sem);
}

/* Its node may not have been known when goheap was loaded. */
static int cpu_prepare(unsigned int cpu)
{
	struct gh_heap *h;

	gh_numa_set_cpu(cpu);
	gh_slot_set_cpu(cpu);
	down_read(&heaps_sem);
	list_for_each_entry(h, &heaps, list) {
		gh_mheap_set_cpu(h, cpu);
		if (h == gh_kheap)
			gh_malloc_set_cpu(cpu);
	}
	up_read(&heaps_sem);
	return 0;
}

static int cpu_dead(unsigned int cpu)
{
	struct gh_heap *h;

	down_read(&heaps_sem);
	list_for_each_entry(h, &heaps, list)
		drain_dead_cpu(h, cpu);
	up_read(&heaps_sem);
	return 0;
}

/* ---- memory ------------------------------------------------------------- */

static void sweep_all(struct gh_heap *h)
{
	unsigned long bad = 0;
	struct gh_central *c;

	/* For writing, because sweeps must not overlap. */
	down_write(&h->caches_sem);
	gh_for_each_central(c, h)
		gh_central_sweep(c, &bad);
	up_write(&h->caches_sem);
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
	flush_work(&h->dead_work);
	flush_work(&h->huge_work);
	mutex_lock(&h->scav_lock);
	npages = gh_mheap_scavenge(h, NUMA_NO_NODE, ULONG_MAX, true);
	WRITE_ONCE(h->peak_pages, gh_mheap_inuse(h));
	mutex_unlock(&h->scav_lock);
	gh_records_trim(h);
	gh_mheap_age_areas(h);
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

/* Free memory of the system, heap pages. */
static unsigned long system_free(void)
{
	return global_zone_page_state(NR_FREE_PAGES) >>
	       (GH_PAGE_SHIFT - PAGE_SHIFT);
}

/* Let the peak decay. Returns free pages with memory that exceed the goal. */
static unsigned long surplus_of(struct gh_heap *h)
	__must_hold(&h->scav_lock)
{
	unsigned long inuse = gh_mheap_inuse(h);
	unsigned long idle = gh_mheap_idle_committed(h);
	unsigned long over, goal;

	lockdep_assert_held(&h->scav_lock);

	over = h->peak_pages > inuse ? (h->peak_pages - inuse) / 2 : 0;
	over = min(over, system_free() / 4);
	h->peak_pages = inuse + over;

	goal = h->peak_pages + h->peak_pages * READ_ONCE(gh_retain_percent) / 100;
	return inuse + idle > goal ? inuse + idle - goal : 0;
}

/* What should be freed now, heap pages. */
static unsigned long scavenge_surplus(struct gh_heap *h)
	__must_hold(&h->scav_lock)
{
	unsigned long surplus = surplus_of(h);
	unsigned long enough = max(gh_vmem_committed_bytes() >> GH_PAGE_SHIFT >>
				   SURPLUS_SHIFT, SURPLUS_MIN);

	if (!surplus) {
		h->surplus_ticks = 0;
		return 0;
	}
	if (surplus < enough && ++h->surplus_ticks < SURPLUS_TICKS)
		return 0;
	h->surplus_ticks = 0;
	return surplus;
}

/* Returns true if batches are left that may be idle the next time. */
static bool age_centrals(struct gh_heap *h)
{
	struct gh_central *c;
	bool more = false;

	down_read(&h->caches_sem);
	gh_for_each_central(c, h)
		more |= gh_central_age(c);
	up_read(&h->caches_sem);
	return more;
}

/*
 * Nothing is left to do once the peak has come down, and no surplus waits for
 * more, or if no memory is idle.
 */
static bool background_needed(struct gh_heap *h)
{
	return (gh_peek(h->peak_pages) > gh_mheap_inuse(h) ||
		gh_peek(h->surplus_ticks)) &&
	       gh_mheap_idle_committed(h);
}

/* Once a second. Returns true if there is something to look at again. */
static bool background_tick(struct gh_heap *h)
{
	unsigned long surplus;
	bool more;

	if (gh_damage_look(h)) {
		/* Twice, as batches may have changed hands meanwhile. */
		gh_reclaim_drain(h, NULL);
		gh_reclaim_drain(h, NULL);
	}
	more = age_centrals(h);
	more |= age_cpus(h);
	more |= gh_mheap_age(h);

	mutex_lock(&h->scav_lock);
	surplus = scavenge_surplus(h);
	if (surplus)
		gh_mheap_scavenge(h, NUMA_NO_NODE, surplus, false);
	mutex_unlock(&h->scav_lock);

	gh_mheap_age_areas(h);
	/* Last, because evicting spans frees records. */
	more |= gh_records_age(h);
	return more;
}

static void background_fn(struct work_struct *work)
{
	struct gh_heap *h = container_of(to_delayed_work(work), struct gh_heap,
					 background);
	bool more = true;

	if (READ_ONCE(h->closing))
		return;
	if (time_after_eq(jiffies, h->aged + HZ)) {
		h->aged = jiffies;
		more = background_tick(h);
	}
	gh_mheap_show_idle(h);
	if (more || background_needed(h))
		gh_mheap_kick(h);
}

/* ---- shrinker ----------------------------------------------------------- */

/**
 * gh_reclaim_count() - what the shrinker could free
 * @s: unused
 * @sc: @nid is the NUMA node
 *
 * Context: process context.
 * Return: system pages, at least; or SHRINK_EMPTY.
 */
unsigned long gh_reclaim_count(struct shrinker *s, struct shrink_control *sc)
{
	struct gh_heap *h;
	unsigned long n = 0;

	if (!down_read_trylock(&heaps_sem))
		return 0;
	list_for_each_entry(h, &heaps, list) {
		gh_mheap_show_idle(h);
		n += gh_mheap_reclaimable(h, sc->nid);
	}
	up_read(&heaps_sem);
	return n << (GH_PAGE_SHIFT - PAGE_SHIFT) ?: SHRINK_EMPTY;
}
GH_EXPORT_FOR_TESTS(gh_reclaim_count);

/*
 * Who holds the lock allocates nothing, so it can be waited for here. Not to wait would
 * be no progress, for which the OOM killer is called, although memory is being freed.
 */
static unsigned long heap_scan(struct gh_heap *h, int nid, unsigned long want)
{
	unsigned long done;

	mutex_lock(&h->scav_lock);
	done = gh_mheap_scavenge(h, nid, want, true);
	mutex_unlock(&h->scav_lock);
	return done;
}

/**
 * gh_reclaim_scan() - the shrinker: free idle memory
 * @s: unused
 * @sc: @nid is the NUMA node, @nr_to_scan how many system pages are to be freed
 *
 * Context: process context, may sleep; may be reclaim.
 * Return: system pages that were freed; or SHRINK_STOP.
 */
unsigned long gh_reclaim_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long want = DIV_ROUND_UP(sc->nr_to_scan,
					  GH_PAGE_SIZE / PAGE_SIZE);
	unsigned long done = 0;
	struct gh_heap *h;

	if (!down_read_trylock(&heaps_sem))
		return SHRINK_STOP;
	list_for_each_entry(h, &heaps, list)
		if (done < want)
			done += heap_scan(h, sc->nid, want - done);
	up_read(&heaps_sem);
	return done << (GH_PAGE_SHIFT - PAGE_SHIFT) ?: SHRINK_STOP;
}
GH_EXPORT_FOR_TESTS(gh_reclaim_scan);

/* ---- out of memory ------------------------------------------------------ */

/**
 * gh_reclaim_oom() - free what can be had at once, instead of a process
 * @h: the heap
 *
 * The other CPUs are asked for what they hold, and not waited for.
 *
 * Context: process context, may sleep; may be reclaim.
 * Return: heap pages whose memory was freed.
 */
unsigned long gh_reclaim_oom(struct gh_heap *h)
{
	unsigned long done;

	if (down_read_trylock(&h->caches_sem)) {
		drain_heap_here(h);
		drain_centrals(h, NULL);
		up_read(&h->caches_sem);
	}
	/* What they have comes too late for this time, but it comes. */
	ask_cpus(h);

	mutex_lock(&h->scav_lock);
	done = gh_mheap_scavenge(h, NUMA_NO_NODE, ULONG_MAX, true);
	mutex_unlock(&h->scav_lock);
	return done;
}
GH_EXPORT_FOR_TESTS(gh_reclaim_oom);

/*
 * A task that is told that memory was freed tries again, and nobody is killed. What it
 * needs may be of another node, or adjacent pages, which it does not say; and a heap in
 * use has always some to give. So after as many times as the page allocator tries
 * without progress (MAX_RECLAIM_RETRIES), it is not told once. Between two times there
 * may be seconds of reclaim and compaction.
 */
#define OOM_REPORTS 16
#define OOM_ROW_SECONDS 60

/* Under the system's oom_lock. */
static bool oom_may_report(unsigned long freed)
{
	static unsigned long last;
	static unsigned int n;

	if (!freed || n > OOM_REPORTS || time_after(jiffies, last + OOM_ROW_SECONDS * HZ))
		n = 0;
	last = jiffies;
	return freed && n++ < OOM_REPORTS;
}

/**
 * gh_reclaim_oom_notify() - give back what can be had at once, before a process is killed
 * @nb: unused
 * @unused: unused
 * @arg: unsigned long; system pages that were freed are added, with few exceptions
 *
 * Context: process context, may sleep; the system's oom_lock is held.
 * Return: NOTIFY_OK.
 */
int gh_reclaim_oom_notify(struct notifier_block *nb, unsigned long unused, void *arg)
{
	unsigned long *freed = arg, done = 0, inuse = 0;
	struct gh_heap *h;

	if (!gh_vmem_is_sparse() || !down_read_trylock(&heaps_sem))
		return NOTIFY_OK;
	list_for_each_entry(h, &heaps, list) {
		done += gh_reclaim_oom(h);
		inuse += gh_mheap_inuse(h);
	}
	up_read(&heaps_sem);
	pr_info_ratelimited("out of memory: %lu kB are in use, %lu kB were given back\n",
			    inuse << (GH_PAGE_SHIFT - 10),
			    done << (GH_PAGE_SHIFT - 10));
	if (oom_may_report(done))
		*freed += done << (GH_PAGE_SHIFT - PAGE_SHIFT);
	return NOTIFY_OK;
}
GH_EXPORT_FOR_TESTS(gh_reclaim_oom_notify);

static struct notifier_block oom_nb = { .notifier_call = gh_reclaim_oom_notify };

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

	down_write(&heaps_sem);
	list_add_tail(&h->list, &heaps);
	up_write(&heaps_sem);
}

/**
 * gh_reclaim_remove() - stop all that this file does to a heap
 * @h: the heap
 */
void gh_reclaim_remove(struct gh_heap *h)
{
	int cpu;

	down_write(&heaps_sem);
	list_del(&h->list);
	up_write(&heaps_sem);

	WRITE_ONCE(h->closing, true);
	cancel_delayed_work_sync(&h->background);
	for_each_possible_cpu(cpu)
		cancel_work_sync(&per_cpu_ptr(h->mcache, cpu)->age_work);
	flush_work(&h->dead_work);
	/* Any of these may have queued it without having seen the flag. */
	cancel_delayed_work_sync(&h->background);
	gh_area_detach(h);
}

/**
 * gh_reclaim_init() - register what the system calls when it needs memory
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

	cpus_read_lock();
	for_each_possible_cpu(cpu)
		cpu_prepare(cpu);
	err = cpuhp_setup_state_nocalls_cpuslocked(CPUHP_BP_PREPARE_DYN,
						   "mm/goheap:caches",
						   cpu_prepare, cpu_dead);
	cpus_read_unlock();
	if (err < 0)
		goto no_hotplug;
	hotplug_state = err;

	err = -ENOMEM;
	shrinker = gh_shrinker_register("goheap", gh_reclaim_count, gh_reclaim_scan,
					SHRINK_BATCH);
	if (!shrinker)
		goto no_shrinker;
	err = register_oom_notifier(&oom_nb);
	if (err)
		goto no_notifier;
	return 0;

no_notifier:
	gh_shrinker_unregister(shrinker);
no_shrinker:
	cpuhp_remove_state_nocalls(hotplug_state);
no_hotplug:
	destroy_workqueue(drain_wq);
	return err;
}

/**
 * gh_reclaim_exit() - unregister it; every heap was removed
 */
void gh_reclaim_exit(void)
{
	unregister_oom_notifier(&oom_nb);
	gh_shrinker_unregister(shrinker);
	cpuhp_remove_state_nocalls(hotplug_state);
	destroy_workqueue(drain_wq);
}
