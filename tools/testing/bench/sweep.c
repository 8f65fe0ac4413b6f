// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does a span cost more in a larger heap? The page allocator of goheap, compiled in once
 * more, is given heaps of 64 MiB to 64 GiB. It does not touch what it hands out, so that
 * nothing is needed but its metadata.
 *
 * Heaps of all sizes look alike: full but for holes that are too small, one in every 64
 * pages, and for a few places spread over the whole of it that are as large as what is
 * asked for. Half of these are free. A step frees one of those that are not, wherever it
 * is, and allocates one, for which the whole heap below must be known to be in vain.
 *
 * And how long does a long run take? Half of all pages of an empty heap are allocated and
 * freed, in 64 GiB and in 1 TiB.
 */

/* The tests' exports are goheap's. */
#undef GOHEAP_TESTS

#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../../../mm/pagestate.c"
#include "../../../mm/pagealloc.c"
#include "bench.h"

#define SWEEP_OPS	20000
#define HALF_OPS	50
#define HEAP_PAGE_SHIFT	13
/* Every so many pages a hole that is too small. */
#define HOLE_STRIDE	64
/* Places in the smallest heap, 64 MiB or 8192 pages, must not overlap. */
#define PLACES		32
#define PLACES_LIVE	(PLACES / 2)
#define STEPS		1024

/**
 * struct sweep - a heap
 * @pa: its page allocator
 * @npages: its size, pages
 * @run: pages of what is asked for
 * @live: where the runs are that can be freed
 * @victims: which of them the steps free, in turn
 */
struct sweep {
	struct gh_pagealloc pa;
	unsigned long npages;
	unsigned long run;
	unsigned long live[PLACES_LIVE];
	u8 victims[STEPS];
};

static int sweep_fill(struct sweep *s)
{
	unsigned long nscav;
	int err;

	err = gh_pagealloc_prepare(&s->pa, 0, s->npages, GFP_KERNEL);
	if (err)
		return err;
	if (!gh_pagealloc_grow(&s->pa, 0, s->npages, false) ||
	    !gh_pagealloc_alloc_at(&s->pa, 0, s->npages, &nscav))
		return -EINVAL;
	return 0;
}

static int sweep_punch(struct sweep *s)
{
	unsigned long page, hole = min(s->run - 1, HOLE_STRIDE / 2UL);

	for (page = 0; hole && page < s->npages; page += HOLE_STRIDE)
		if (!gh_pagealloc_free(&s->pa, page, hole))
			return -EINVAL;
	return 0;
}

/* The place has whole strides, so that its holes lie at their starts. */
static int sweep_clear_place(struct sweep *s, unsigned long start)
{
	unsigned long hole = min(s->run - 1, HOLE_STRIDE / 2UL);
	unsigned long page, nscav;

	for (page = start; hole && page < start + s->run; page += HOLE_STRIDE)
		if (!gh_pagealloc_alloc_at(&s->pa, page, hole, &nscav))
			return -EINVAL;
	return 0;
}

/* Places begin half a stretch after another: the first is not at the heap's start. */
static int sweep_place(struct sweep *s)
{
	unsigned long stretch = s->npages / PLACES;
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		unsigned long start = i * stretch + stretch / 2;
		int err = sweep_clear_place(s, start);

		if (err)
			return err;
		if (i % 2)
			s->live[i / 2] = start;
		else if (!gh_pagealloc_free(&s->pa, start, s->run))
			return -EINVAL;
	}
	return 0;
}

static int sweep_round(struct bench_shape *shape, enum bench_peer peer,
		       struct bench_sample *sample)
{
	struct sweep *s = shape->data;
	u64 i, start = ktime_get_ns();
	unsigned long *live, nscav;

	for (i = 0; i < shape->ops; i++) {
		live = &s->live[s->victims[i % STEPS]];
		if (unlikely(!gh_pagealloc_free(&s->pa, *live, s->run)))
			return -EINVAL;
		if (unlikely(!gh_pagealloc_alloc(&s->pa, s->run, live, &nscav)))
			return -ENOMEM;
	}
	sample->ns = ktime_get_ns() - start;
	return 0;
}

static int sweep_heap(const struct bench_settings *set, struct sweep *s, u64 size)
{
	struct bench_shape shape = {
		.name = "span",
		.peers = BIT(BENCH_PAGEALLOC),
		.size = size,
		.count = s->run,
		.order = BENCH_NO_ORDER,
		.cpus = 1,
		.ops = bench_scaled(set, SWEEP_OPS, 1),
		.round = sweep_round,
		.data = s,
	};
	struct rnd_state rnd;
	unsigned int i;
	int err;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < STEPS; i++)
		s->victims[i] = prandom_u32_state(&rnd) % PLACES_LIVE;
	err = sweep_fill(s) ?: sweep_punch(s) ?: sweep_place(s);
	return err ?: bench_measure(set, &shape);
}

static int half_round(struct bench_shape *shape, enum bench_peer peer,
		      struct bench_sample *sample)
{
	struct sweep *s = shape->data;
	u64 i, start = ktime_get_ns();
	unsigned long page, nscav;

	for (i = 0; i < shape->ops; i++) {
		if (unlikely(!gh_pagealloc_alloc(&s->pa, s->run, &page, &nscav)))
			return -ENOMEM;
		if (unlikely(!gh_pagealloc_free(&s->pa, page, s->run)))
			return -EINVAL;
	}
	sample->ns = ktime_get_ns() - start;
	return 0;
}

static int half_heap(const struct bench_settings *set, struct sweep *s, u64 size)
{
	struct bench_shape shape = {
		.name = "half",
		.peers = BIT(BENCH_PAGEALLOC),
		.size = size,
		.count = s->run,
		.order = BENCH_NO_ORDER,
		.cpus = 1,
		.ops = bench_scaled(set, HALF_OPS, 1),
		.round = half_round,
		.data = s,
	};
	int err = gh_pagealloc_prepare(&s->pa, 0, s->npages, GFP_KERNEL);

	if (err)
		return err;
	if (!gh_pagealloc_grow(&s->pa, 0, s->npages, false))
		return -EINVAL;
	return bench_measure(set, &shape);
}

static int measure_heap(const struct bench_settings *set, u64 size, unsigned long run,
			int (*heap)(const struct bench_settings *set, struct sweep *s,
				    u64 size))
{
	struct sweep *s = kvzalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	s->npages = size >> HEAP_PAGE_SHIFT;
	s->run = run;
	gh_pagealloc_init(&s->pa);
	err = heap(set, s, size);
	gh_pagealloc_destroy(&s->pa);
	kvfree(s);
	return err;
}

/**
 * bench_sweep_group() - spans of 1, 8 and 128 pages in heaps of 64 MiB to 64 GiB, and halves
 * @set: how
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_sweep_group(const struct bench_settings *set)
{
	static const u64 sizes[] = {
		SZ_64M, SZ_256M, SZ_1G, 4ULL * SZ_1G, 16ULL * SZ_1G, 64ULL * SZ_1G,
	};
	static const u64 large[] = { 64ULL * SZ_1G, 1024ULL * SZ_1G };
	static const unsigned long runs[] = { 1, 8, 128 };
	unsigned int i, j;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(runs) && !err; i++)
		for (j = 0; j < ARRAY_SIZE(sizes) && !err; j++)
			err = measure_heap(set, sizes[j], runs[i], sweep_heap);
	for (i = 0; i < ARRAY_SIZE(large) && !err; i++)
		err = measure_heap(set, large[i], large[i] >> (HEAP_PAGE_SHIFT + 1),
				   half_heap);
	return err;
}
