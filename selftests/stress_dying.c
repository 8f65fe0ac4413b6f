// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frees of invalid pointers that race with the death of the spans that they
 * point into: none of them may take an object of the span's next owner.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "stress.h"

/* A few objects a span, so that many spans die. */
#define DYING_SIZE	2048
#define DYING_OBJS	256
#define DYING_ROUNDS	200
/* Frees of one thread before it lets others run. */
#define DYING_BURST	200

/**
 * struct dying - what the threads share
 * @old: cache whose objects are all free
 * @new: cache of the same layout
 * @stale: objects that were @old's
 * @now: objects of the next owner
 * @active: @stale may be freed
 * @stop: the threads should end
 * @busy: threads that are freeing
 * @tries: frees so far
 */
struct dying {
	struct goheap_cache *old;
	struct goheap_cache *new;
	void *stale[DYING_OBJS];
	void *now[DYING_OBJS];
	bool active;
	bool stop;
	atomic_t busy;
	atomic64_t tries;
};

/* Free what nobody has, and look at it in all other ways. */
static void dying_free_stale(struct dying *d, struct st_rng *rng)
{
	void *p = d->stale[st_below(rng, DYING_OBJS)];

	goheap_owns(p);
	goheap_usable_size(p);
	goheap_cache_free(d->old, p);
	atomic64_inc(&d->tries);
}

static void dying_worker(struct st_worker *w)
{
	struct dying *d = w->arg;
	unsigned int i;

	while (!READ_ONCE(d->stop)) {
		atomic_inc(&d->busy);
		/* Pairs with the barrier in dying_end(). */
		smp_mb__after_atomic();
		for (i = 0; i < DYING_BURST && READ_ONCE(d->active); i++)
			dying_free_stale(d, &w->rng);
		atomic_dec(&d->busy);
		usleep_range(20, 50);
	}
}

static void dying_begin(struct dying *d)
{
	WRITE_ONCE(d->active, true);
	usleep_range(50, 100);
}

static void dying_end(struct dying *d)
{
	WRITE_ONCE(d->active, false);
	/* A thread that is not busy now sees that it should not begin. */
	smp_mb();
	while (atomic_read(&d->busy))
		usleep_range(20, 50);
}

/* The next owner: @new, or goheap_alloc(), whose class has the same layout. */
static void *dying_alloc(struct dying *d, bool plain)
{
	void *p = plain ? goheap_alloc(DYING_SIZE, GFP_KERNEL) :
			  goheap_cache_alloc(d->new, GFP_KERNEL);

	if (!p)
		st_bad("no memory");
	return p;
}

static void dying_own(struct dying *d, unsigned int round)
{
	bool plain = round % 2;
	unsigned int i;

	for (i = 0; i < DYING_OBJS; i++) {
		d->now[i] = dying_alloc(d, plain);
		if (d->now[i])
			memset(d->now[i], i, DYING_SIZE);
	}
	usleep_range(500, 1000);
	dying_end(d);
	for (i = 0; i < DYING_OBJS; i++) {
		void *p = d->now[i];

		if (!p)
			continue;
		if (goheap_usable_size(p) != DYING_SIZE ||
		    memchr_inv(p, i, DYING_SIZE))
			st_bad("round %u: object %u was taken away", round, i);
		if (plain)
			goheap_free(p);
		else
			goheap_cache_free(d->new, p);
	}
}

static void dying_round(struct dying *d, unsigned int round)
{
	unsigned int i;

	for (i = 0; i < DYING_OBJS; i++) {
		d->stale[i] = goheap_cache_alloc(d->old, GFP_KERNEL);
		if (!d->stale[i])
			st_bad("no memory");
	}
	for (i = 0; i < DYING_OBJS; i++)
		goheap_cache_free(d->old, d->stale[i]);

	dying_begin(d);
	/* Its spans die: they stay in the span cache, or go. */
	if (round % 4 == 3)
		goheap_shrink();
	else
		goheap_cache_shrink(d->old);
	dying_own(d, round);
	goheap_cache_shrink(d->new);
}

static void dying_rounds(void *arg)
{
	unsigned int i, n = st_iters(DYING_ROUNDS);
	unsigned long enough = st_enough();
	struct dying *d = arg;

	for (i = 0; i < n && time_before(jiffies, enough); i++)
		dying_round(d, i);
	st_note("%u rounds", i);
	WRITE_ONCE(d->stop, true);
}

static u64 dying_refused(void)
{
	struct goheap_stats st;
	unsigned int i;
	u64 sum = 0;

	goheap_get_stats(&st);
	for (i = 0; i < GOHEAP_NR_BAD; i++)
		sum += st.bad_frees[i];
	return sum;
}

/**
 * stress_dying() - free stale pointers while their spans die and are reused
 */
void stress_dying(void)
{
	struct dying *d = kzalloc(sizeof(*d), GFP_KERNEL);
	struct goheap_stats counted;
	struct st_base base;
	u64 refused, tries;

	if (!d) {
		st_bad("no memory");
		return;
	}
	st_base_take(&base);
	refused = dying_refused();
	d->old = goheap_cache_create("stress-old", DYING_SIZE, 0, 0, NULL);
	d->new = goheap_cache_create("stress-new", DYING_SIZE, 0, 0, NULL);
	if (IS_ERR(d->old) || IS_ERR(d->new)) {
		st_bad("the scenario could not be set up");
		kfree(d);
		return;
	}

	st_expect_begin();
	st_run(3, ST_UNBOUND, dying_worker, d, dying_rounds);
	st_expect_end();

	refused = dying_refused() - refused;
	tries = atomic64_read(&d->tries);
	st_check(tries && refused == tries,
		 "all frees of stale pointers are refused (%llu of %llu)",
		 refused, tries);
	goheap_cache_destroy(d->old);
	goheap_cache_destroy(d->new);
	/* What was refused is counted, everything else is as it was. */
	goheap_get_stats(&counted);
	memcpy(base.stats.bad_frees, counted.bad_frees,
	       sizeof(base.stats.bad_frees));
	st_base_check(&base);
	kfree(d);
}
