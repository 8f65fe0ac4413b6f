/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * goheap_stress: what its scenarios share.
 */
#ifndef _GOHEAP_STRESS_H
#define _GOHEAP_STRESS_H

#include <linux/completion.h>
#include <linux/goheap.h>
#include <linux/sched.h>
#include <linux/types.h>

struct dentry;
struct seq_file;

/* ---- results (stress_report.c) ------------------------------------------ */

/*
 * st_check() gives one result line. st_bad() notes something wrong, in any
 * context; whatever the check lines say, the scenario fails.
 */
__printf(2, 3) void st_check(bool ok, const char *fmt, ...);
__printf(1, 2) void st_skip(const char *fmt, ...);
__printf(1, 2) void st_note(const char *fmt, ...);
__printf(1, 2) void st_bad(const char *fmt, ...);
unsigned int st_iters(unsigned int n);
unsigned long st_enough(void);
void st_expect_begin(void);
void st_expect_end(void);

void st_report_begin(const char *name);
void st_report_end(void);
void st_report_show(struct seq_file *m);
int st_report_init(void);
void st_report_exit(void);

/* ---- random numbers and objects (stress_obj.c) -------------------------- */

/**
 * struct st_rng - a random number generator that repeats
 * @state: not 0
 */
struct st_rng {
	u64 state;
};

void st_rng_init(struct st_rng *rng, u64 stream);
u64 st_rand(struct st_rng *rng);
u32 st_below(struct st_rng *rng, u32 n);
size_t st_size(struct st_rng *rng);

/* Where an object comes from, and so how it is freed. The first can realloc. */
enum st_kind {
	ST_PLAIN,
	ST_DATA,
	ST_NODE,
	ST_STACK,
	ST_CACHE,
};

/**
 * struct st_obj - an object with contents that can be verified
 * @p: its memory, or NULL
 * @size: bytes asked for
 * @key: what its contents are made from
 * @kind: where it is from
 * @cache: the cache if @kind is ST_CACHE
 */
struct st_obj {
	void *p;
	size_t size;
	u64 key;
	enum st_kind kind;
	struct goheap_cache *cache;
};

void st_obj_adopt(struct st_obj *o, struct st_rng *rng);
bool st_obj_new(struct st_obj *o, struct st_rng *rng, gfp_t gfp);
bool st_obj_intact(const struct st_obj *o);
void st_obj_free(struct st_obj *o);
void st_obj_realloc(struct st_obj *o, struct st_rng *rng, size_t size,
		    gfp_t gfp);

void st_mix_step(struct st_obj *objs, unsigned int n, struct st_rng *rng);
void st_mix_end(struct st_obj *objs, unsigned int n);

/* ---- threads and base lines (stress_run.c) ------------------------------ */

/**
 * struct st_worker - one thread of a scenario
 * @id: 0, 1, ...
 * @rng: its random numbers
 * @fn: what it does
 * @arg: for @fn
 * @task: the thread
 * @done: @fn returned
 */
struct st_worker {
	unsigned int id;
	struct st_rng rng;
	void (*fn)(struct st_worker *w);
	void *arg;
	struct task_struct *task;
	struct completion done;
};

/* Where st_run() puts its threads: thread i on the i-th online CPU and so on. */
#define ST_UNBOUND	(-1)
#define ST_BOUND	(-2)

int st_run(unsigned int n, int where, void (*fn)(struct st_worker *w),
	   void *arg, void (*meanwhile)(void *arg));
int st_run_on(int cpu, void (*fn)(struct st_worker *w), void *arg);

/**
 * struct st_base - a state of the heap to come back to
 * @stats: statistics after goheap_shrink()
 * @committed: bytes behind all arenas
 */
struct st_base {
	struct goheap_stats stats;
	unsigned long committed;
};

void st_base_take(struct st_base *base);
bool st_base_same(const struct st_base *base, bool tell);
void st_base_check(const struct st_base *base);

/* ---- scenarios ---------------------------------------------------------- */

void stress_private(void);
void stress_exchange(void);
void stress_irq(void);
void stress_nmi(void);
void stress_hotplug(void);
void stress_shrink(void);
void stress_pressure(void);
void stress_lifecycle(void);
void stress_faults(void);
void stress_atomic(void);
void stress_badfree(void);
void stress_dying(void);
void stress_leak(void);
void stress_large(void);
void stress_stale(void);
void stress_reuse(void);
void stress_hold(void);
void stress_hold_arenas(void);
void stress_hold_huge(void);
void stress_thin_huge(void);
void stress_release(void);
void stress_starve(void);
void stress_burst(void);
void stress_grow(void);
void stress_spike(void);
void stress_killed(void);
void stress_idle(void);
void stress_reserve(void);
void stress_damage(void);
void stress_race(void);

/* ---- for processes (stress_user.c) -------------------------------------- */

void stress_user_init(struct dentry *dir);

#endif /* _GOHEAP_STRESS_H */
