// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of mcentrals: where spans are, where they go, and the transfer
 * cache.
 *
 * The mcentrals are those of a heap that nobody else uses. Spans of 64-byte
 * objects (128 a span, one page) stand for all, where a size does not matter.
 */
#include "test_util.h"

#include <linux/list.h>
#include <linux/module.h>

#include "../mcentral.h"

#define SIZE	64
#define NELEMS	(GH_PAGE_SIZE / SIZE)

static unsigned int steps = 100000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of the random run (default 100000)");

static struct gh_central *central_of(struct kunit *test, size_t size)
{
	unsigned int sc = gh_make_spanclass(gh_size_to_class(size), false);

	return &gh_test_heap(test)->central[sc];
}

static struct gh_ent *make_ents(struct kunit *test, unsigned int n)
{
	struct gh_ent *ents = kunit_kcalloc(test, n, sizeof(*ents), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ents);
	return ents;
}

static struct gh_span *must_get_new(struct kunit *test, struct gh_central *c)
{
	struct gh_span *s = gh_central_new_span(c, GFP_KERNEL, NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

/* Where a span is. */
struct place {
	unsigned int partial;
	unsigned int full;
};

static unsigned int length(const struct list_head *list)
{
	const struct list_head *pos;
	unsigned int n = 0;

	list_for_each(pos, list)
		n++;
	return n;
}

/* Lengths of the sets, the swept or the unswept ones. */
static struct place sets(struct gh_central *c, bool swept)
{
	struct place p = { };
	unsigned int i;

	gh_for_each_home(i, c) {
		const struct gh_home *home = c->home[i];
		unsigned int which = ((home->sweepgen >> 1) & 1) ^ !swept;

		p.partial += length(&home->sets.partial[which]);
		p.full += length(&home->sets.full[which]);
	}
	return p;
}

/* How many spans lie in the swept and the unswept sets. */
static void expect_sets(struct kunit *test, struct gh_central *c,
			unsigned int swept_partial, unsigned int swept_full,
			unsigned int partial, unsigned int full)
{
	KUNIT_EXPECT_EQ(test, sets(c, true).partial, swept_partial);
	KUNIT_EXPECT_EQ(test, sets(c, true).full, swept_full);
	KUNIT_EXPECT_EQ(test, sets(c, false).partial, partial);
	KUNIT_EXPECT_EQ(test, sets(c, false).full, full);
}

static long nspans(struct gh_central *c)
{
	return atomic_long_read(&c->nspans);
}

/* One sweep cycle. */
static unsigned long sweep(struct kunit *test, struct gh_central *c)
{
	unsigned long n, bad = 0;

	down_write(&c->heap->caches_sem);
	n = gh_central_sweep(c, &bad);
	up_write(&c->heap->caches_sem);
	KUNIT_EXPECT_EQ(test, bad, 0UL);
	return n;
}

/* A new span of which @n objects are taken, in the sets. */
static struct gh_span *span_with(struct kunit *test, struct gh_central *c,
				 struct gh_ent *ents, unsigned int n)
{
	struct gh_span *s = must_get_new(test, c);

	KUNIT_ASSERT_EQ(test, gh_span_carve(s, ents, n), n);
	gh_central_put_span(c, s);
	return s;
}

/* ---- with interrupts off ------------------------------------------------ */

static void many_spans_that_die_with_interrupts_off_are_freed_later(struct kunit *test)
{
	struct gh_central *c = central_of(test, 8192);
	struct gh_heap *h = c->heap;
	struct gh_ent *ents;
	unsigned int i, n = 60;

	ents = kunit_kcalloc(test, n, sizeof(*ents), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ents);
	for (i = 0; i < n; i++)
		span_with(test, c, ents + i, 1);
	KUNIT_ASSERT_EQ(test, nspans(c), n);

	local_irq_disable();
	gh_central_release(c, ents, n);
	local_irq_enable();
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	flush_work(&h->dead_work);
	KUNIT_EXPECT_TRUE(test, llist_empty(&h->dead_spans));
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(h), 0UL);
}

/* ---- sets --------------------------------------------------------------- */

static void a_new_span_is_cached_and_in_no_set(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_span *s = must_get_new(test, c);

	KUNIT_EXPECT_TRUE(test, s->cached);
	KUNIT_EXPECT_EQ(test, s->nelems, NELEMS);
	KUNIT_EXPECT_PTR_EQ(test, s->central, c);
	KUNIT_EXPECT_EQ(test, nspans(c), 1);
	expect_sets(test, c, 0, 0, 0, 0);
	KUNIT_EXPECT_NULL(test, gh_home_get_span(gh_central_here(c)));
	/* Nothing was taken from it, so the heap has it back. */
	gh_central_put_span(c, s);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(c->heap), 0);
}

static void a_span_with_free_places_is_partial(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	struct gh_span *s = span_with(test, c, ents, 10);

	expect_sets(test, c, 1, 0, 0, 0);
	KUNIT_EXPECT_FALSE(test, s->cached);
	KUNIT_EXPECT_PTR_EQ(test, gh_home_get_span(gh_central_here(c)), s);
	KUNIT_EXPECT_TRUE(test, s->cached);
	expect_sets(test, c, 0, 0, 0, 0);
	gh_central_put_span(c, s);
	gh_central_release(c, ents, 10);
}

static void a_span_without_free_places_is_full(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);

	span_with(test, c, ents, NELEMS);
	expect_sets(test, c, 0, 1, 0, 0);
	KUNIT_EXPECT_NULL(test, gh_home_get_span(gh_central_here(c)));
	gh_central_release(c, ents, NELEMS);
}

static void a_full_span_that_gets_objects_back_is_unswept(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	struct gh_ent again[8];
	struct gh_span *s = span_with(test, c, ents, NELEMS);
	unsigned int i;

	gh_central_release(c, &ents[20], 5);
	expect_sets(test, c, 0, 0, 0, 1);
	/* Whoever takes it out has it swept: the five can be had again. */
	KUNIT_ASSERT_PTR_EQ(test, gh_home_get_span(gh_central_here(c)), s);
	KUNIT_EXPECT_EQ(test, s->nfreed, 0);
	KUNIT_ASSERT_EQ(test, gh_span_carve(s, again, 8), 5);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_PTR_EQ(test, again[i].obj, ents[20 + i].obj);
	gh_central_put_span(c, s);
	expect_sets(test, c, 0, 1, 0, 0);
	gh_central_release(c, ents, NELEMS);
}

static void a_partial_span_that_gets_objects_back_is_unswept(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	struct gh_span *s = span_with(test, c, ents, 10);

	gh_central_release(c, ents, 2);
	expect_sets(test, c, 0, 0, 1, 0);
	gh_central_release(c, ents + 2, 2);
	expect_sets(test, c, 0, 0, 1, 0);
	KUNIT_EXPECT_EQ(test, s->nfreed, 4);
	gh_central_release(c, ents + 4, 6);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
}

static void swept_spans_come_before_unswept_ones(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, 3 * NELEMS);
	struct gh_span *full, *unswept, *swept;

	/* As current spans, so that none is taken for another. */
	full = must_get_new(test, c);
	unswept = must_get_new(test, c);
	swept = must_get_new(test, c);
	gh_span_carve(full, ents, NELEMS);
	gh_span_carve(unswept, ents + NELEMS, 20);
	gh_span_carve(swept, ents + 2 * NELEMS, 20);
	gh_central_put_span(c, full);
	gh_central_put_span(c, unswept);
	gh_central_put_span(c, swept);
	gh_central_release(c, ents, 1);
	gh_central_release(c, ents + NELEMS, 1);
	expect_sets(test, c, 1, 0, 1, 1);

	KUNIT_EXPECT_PTR_EQ(test, gh_home_get_span(gh_central_here(c)), swept);
	KUNIT_EXPECT_PTR_EQ(test, gh_home_get_span(gh_central_here(c)),
			    unswept);
	KUNIT_EXPECT_PTR_EQ(test, gh_home_get_span(gh_central_here(c)), full);
	gh_central_put_span(c, full);
	gh_central_put_span(c, unswept);
	gh_central_put_span(c, swept);
	gh_central_release(c, ents + 1, NELEMS - 1);
	gh_central_release(c, ents + NELEMS + 1, 19);
	gh_central_release(c, ents + 2 * NELEMS, 20);
}

static void a_cached_span_that_gets_objects_back_stays(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	struct gh_span *s = must_get_new(test, c);

	gh_span_carve(s, ents, 10);
	gh_central_release(c, ents, 9);
	expect_sets(test, c, 0, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, s->nfreed, 9);
	/* Its CPU goes on where it was. */
	KUNIT_EXPECT_EQ(test, gh_span_carve(s, ents, 1), 1);
	KUNIT_EXPECT_PTR_EQ(test, ents[0].obj, (void *)s->base + 10 * SIZE);
	gh_central_put_span(c, s);
	expect_sets(test, c, 0, 0, 1, 0);
	gh_central_release(c, &ents[9], 1);
	gh_central_release(c, &ents[0], 1);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
}

static void an_empty_span_goes_back_to_the_heap(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	struct gh_span *s = span_with(test, c, ents, NELEMS);
	unsigned long base = s->base;

	gh_central_release(c, ents, NELEMS - 1);
	KUNIT_EXPECT_EQ(test, nspans(c), 1);
	KUNIT_EXPECT_PTR_EQ(test, gh_span_of(base), s);
	KUNIT_EXPECT_EQ(test, s->nmalloc, NELEMS);
	gh_central_release(c, &ents[NELEMS - 1], 1);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
	/* Whoever comes to the record too late finds no objects in it. */
	KUNIT_EXPECT_EQ(test, s->nmalloc, 0);
	KUNIT_EXPECT_EQ(test, gh_mheap_inuse(c->heap), 0);
	KUNIT_EXPECT_NULL(test, gh_span_of(base));
}

static void a_cached_span_that_is_empty_goes_when_it_is_put(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	struct gh_span *s = must_get_new(test, c);

	gh_span_carve(s, ents, NELEMS);
	gh_central_release(c, ents, NELEMS);
	KUNIT_EXPECT_EQ(test, nspans(c), 1);
	gh_central_put_span(c, s);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
}

static void every_class_is_cut_as_its_table_says(struct kunit *test)
{
	struct gh_heap *h = gh_test_heap(test);
	struct gh_ent *ents = make_ents(test, GH_MAX_SPAN_OBJS);
	unsigned int sc;

	for (sc = 2; sc < GH_NUM_SPANCLASSES; sc++) {
		struct gh_central *c = &h->central[sc];
		unsigned int class = gh_spanclass_class(sc), n;
		struct gh_span *s = must_get_new(test, c);

		KUNIT_EXPECT_EQ(test, c->shape.elemsize, gh_class_size[class]);
		KUNIT_EXPECT_EQ(test, c->shape.npages, gh_class_npages[class]);
		KUNIT_EXPECT_EQ(test, c->batch,
				clamp_t(unsigned int,
					65536 / gh_class_size[class], 2, 128));
		KUNIT_EXPECT_EQ(test, c->shape.noscan, gh_spanclass_noscan(sc));
		n = gh_span_carve(s, ents, GH_MAX_SPAN_OBJS);
		KUNIT_EXPECT_EQ(test, n, gh_class_nelems[class]);
		gh_central_put_span(c, s);
		gh_central_release(c, ents, n);
		KUNIT_EXPECT_EQ(test, nspans(c), 0);
	}
}

/* ---- sweep cycles ------------------------------------------------------- */

static void a_sweep_cycle_visits_every_span_once(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, 9 * NELEMS);
	struct gh_span *s[9];
	unsigned int i;

	KUNIT_EXPECT_EQ(test, sweep(test, c), 0);
	for (i = 0; i < 9; i++) {
		s[i] = must_get_new(test, c);
		gh_span_carve(s[i], ents + i * NELEMS, i % 2 ? NELEMS : 50);
	}
	for (i = 0; i < 8; i++)
		gh_central_put_span(c, s[i]);
	KUNIT_EXPECT_EQ(test, sweep(test, c), 8);
	expect_sets(test, c, 4, 4, 0, 0);
	for (i = 0; i < 6; i++)
		gh_central_release(c, ents + i * NELEMS + 3, 7);
	expect_sets(test, c, 1, 1, 3, 3);
	KUNIT_EXPECT_EQ(test, sweep(test, c), 8);
	/* Full spans that had objects back are partial now. */
	expect_sets(test, c, 7, 1, 0, 0);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, s[i]->nfreed, 0);
	/* The cached one was left alone. */
	KUNIT_EXPECT_TRUE(test, s[8]->cached);
	gh_central_put_span(c, s[8]);

	for (i = 0; i < 9; i++) {
		unsigned int n = i % 2 ? NELEMS : 50;
		struct gh_ent *e = ents + i * NELEMS;

		if (i < 6) {
			gh_central_release(c, e, 3);
			gh_central_release(c, e + 10, n - 10);
		} else {
			gh_central_release(c, e, n);
		}
	}
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
}

static void nobody_gets_a_full_span_during_a_sweep_cycle(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, 2 * NELEMS);
	struct gh_ent ent = { };
	unsigned int i;

	for (i = 0; i < 2; i++)
		span_with(test, c, ents + i * NELEMS, NELEMS);
	expect_sets(test, c, 0, 2, 0, 0);
	/* As sweepers leave it when they drop the lock: all is unswept. */
	gh_central_here(c)->sweepgen += 2;
	expect_sets(test, c, 0, 0, 0, 2);
	KUNIT_EXPECT_FALSE(test, gh_home_take(gh_central_here(c), &ent));
	KUNIT_EXPECT_NULL(test, ent.obj);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->carved, 0);
	KUNIT_EXPECT_NULL(test, gh_home_get_span(gh_central_here(c)));
	expect_sets(test, c, 0, 2, 0, 0);

	gh_central_here(c)->sweepgen += 2;
	gh_central_release(c, &ents[NELEMS + 5], 1);
	KUNIT_EXPECT_TRUE(test, gh_home_take(gh_central_here(c), &ent));
	KUNIT_EXPECT_PTR_EQ(test, ent.obj, ents[NELEMS + 5].obj);
	sweep(test, c);
	gh_central_release(c, ents, 2 * NELEMS);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
}

static void a_span_whose_counts_are_wrong_is_reported(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	struct gh_span *s = span_with(test, c, ents, 20);
	unsigned long bad = 0;

	s->alloc_count++;
	down_write(&c->heap->caches_sem);
	KUNIT_EXPECT_EQ(test, gh_central_sweep(c, &bad), 1);
	up_write(&c->heap->caches_sem);
	KUNIT_EXPECT_EQ(test, bad, 1);
	s->alloc_count--;
	gh_central_release(c, ents, 20);
}

/* ---- objects ------------------------------------------------------------ */

static void single_objects_are_taken_until_there_are_none(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	unsigned int i;

	KUNIT_EXPECT_FALSE(test, gh_home_take(gh_central_here(c), ents));
	span_with(test, c, ents, 28);
	for (i = 28; i < NELEMS; i++) {
		KUNIT_ASSERT_TRUE(test, gh_home_take(gh_central_here(c),
						     &ents[i]));
		KUNIT_EXPECT_PTR_EQ(test, ents[i].obj,
				    ents[0].obj + i * SIZE);
	}
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->carved, NELEMS - 28);
	expect_sets(test, c, 0, 1, 0, 0);
	KUNIT_EXPECT_FALSE(test, gh_home_take(gh_central_here(c), ents));
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->carved, NELEMS - 28);
	gh_central_release(c, ents, NELEMS);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->released, NELEMS);
}

static void releasing_an_object_twice_is_refused(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, NELEMS);
	struct gh_span *s = span_with(test, c, ents, 20);

	gh_central_release(c, &ents[7], 1);
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
			       gh_central_release(c, &ents[7], 1));
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->released, 1);
	KUNIT_EXPECT_EQ(test, s->nfreed, 1);
	KUNIT_EXPECT_EQ(test, s->alloc_count, 20);
	gh_central_release(c, ents, 7);
	gh_central_release(c, ents + 8, 12);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
}

static void a_batch_with_a_bad_object_loses_no_other(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_central *other = central_of(test, 4096);
	struct gh_ent *ents = make_ents(test, NELEMS);
	/* The last is not of the batch, and must not be what is reported. */
	struct gh_ent foreign[2], batch[4] = { };

	span_with(test, c, ents, 20);
	span_with(test, other, foreign, 1);
	batch[0] = ents[0];
	batch[1] = foreign[0];
	batch[2] = ents[1];
	GH_TEST_EXPECT_REFUSED(test, GOHEAP_BAD_DOUBLE,
			       gh_central_release(c, batch, 3));
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->released, 2);
	KUNIT_EXPECT_EQ(test, gh_central_here(other)->released, 0);
	KUNIT_EXPECT_EQ(test, nspans(other), 1);
	gh_central_release(other, foreign, 1);
	gh_central_release(c, ents + 2, 18);
}

static void objects_come_from_the_node_that_was_named(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_heap *h = c->heap;
	struct gh_ent *ents = make_ents(test, 2 * NELEMS);
	struct gh_ent ent;
	unsigned int i;

	if (h->nr_numa < 2)
		kunit_skip(test, "one NUMA node");
	for (i = 0; i < 2; i++) {
		struct gh_span *s;

		s = gh_central_new_span(c, GFP_KERNEL | __GFP_THISNODE,
					h->numa[i][0]->nid);
		KUNIT_ASSERT_NOT_NULL(test, s);
		gh_span_carve(s, ents + i * NELEMS, 100);
		gh_central_put_span(c, s);
	}
	for (i = 0; i < 2; i++) {
		int nid = h->numa[i][0]->nid;
		struct gh_span *s = gh_home_get_span(c->home[gh_numa_index(nid)]);

		KUNIT_ASSERT_NOT_NULL(test, s);
		KUNIT_EXPECT_EQ(test, s->node->nid, nid);
		KUNIT_EXPECT_NULL(test, gh_home_get_span(c->home[gh_numa_index(nid)]));
		gh_central_put_span(c, s);
		KUNIT_EXPECT_TRUE(test, gh_home_take(c->home[gh_numa_index(nid)], &ent));
		KUNIT_EXPECT_EQ(test, gh_span_of((unsigned long)ent.obj)->node->nid,
				nid);
		gh_central_release(c, &ent, 1);
	}
	gh_central_release(c, ents, 100);
	gh_central_release(c, ents + NELEMS, 100);
}

/* ---- transfer cache ----------------------------------------------------- */

static struct gh_ent *must_get_mag(struct kunit *test, struct gh_central *c)
{
	struct gh_ent *mag = gh_fixalloc_alloc(c->mags, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mag);
	return mag;
}

/* A magazine full of objects. */
static struct gh_ent *full_mag(struct kunit *test, struct gh_central *c)
{
	struct gh_ent *mag = must_get_mag(test, c);
	unsigned int n = 0;

	while (n < c->batch) {
		struct gh_span *s = gh_home_get_span(gh_central_here(c));

		if (!s)
			s = must_get_new(test, c);
		n += gh_span_carve(s, mag + n, c->batch - n);
		gh_central_put_span(c, s);
	}
	return mag;
}

/* Hand a full magazine over, and keep the empty one that comes for it. */
static bool trade_in(struct kunit *test, struct gh_central *c,
		     struct gh_ent *mag)
{
	bool ok;

	gh_fixalloc_prefill(c->mags, 1, GFP_KERNEL);
	ok = gh_home_trade_full(gh_central_here(c), &mag);
	if (!ok)
		gh_central_release(c, mag, c->batch);
	gh_fixalloc_free(c->mags, mag);
	return ok;
}

static void batches_come_back_last_in_first_out(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *mag[3], *got;
	int i;

	KUNIT_EXPECT_NULL(test, gh_home_take_batch(gh_central_here(c)));
	for (i = 0; i < 3; i++) {
		mag[i] = full_mag(test, c);
		KUNIT_EXPECT_TRUE(test, trade_in(test, c, mag[i]));
		KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, i + 1);
	}
	for (i = 2; i >= 0; i--) {
		got = gh_home_take_batch(gh_central_here(c));
		KUNIT_ASSERT_PTR_EQ(test, got, mag[i]);
		gh_central_release(c, got, c->batch);
		gh_fixalloc_free(c->mags, got);
	}
	KUNIT_EXPECT_NULL(test, gh_home_take_batch(gh_central_here(c)));
}

static void batches_move_without_touching_spans(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *mag = full_mag(test, c), *got;
	unsigned long carved = gh_central_here(c)->carved, released = gh_central_here(c)->released;

	KUNIT_EXPECT_TRUE(test, trade_in(test, c, mag));
	got = gh_home_take_batch(gh_central_here(c));
	KUNIT_ASSERT_PTR_EQ(test, got, mag);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->carved, carved);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->released, released);
	gh_central_release(c, got, c->batch);
	gh_fixalloc_free(c->mags, got);
}

static void a_transfer_cache_has_a_limit(struct kunit *test)
{
	static const size_t sizes[] = { SIZE, 4096, 32768 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct gh_central *c = central_of(test, sizes[i]);
		unsigned long bytes = c->batch * sizes[i];
		unsigned int limit = clamp_t(unsigned long,
					     GH_TC_BYTES / c->heap->nr_numa / bytes, 1,
					     GH_TC_MAX);
		unsigned int n = 0;

		KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_max,
				min_t(unsigned int, limit, GH_TC_INITIAL));
		while (trade_in(test, c, full_mag(test, c)) && n < 1000)
			n++;
		KUNIT_EXPECT_EQ(test, n, limit);
		KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, limit);
		KUNIT_EXPECT_LE(test, gh_central_here(c)->tc_n * bytes, GH_TC_BYTES);
		gh_central_drain(c);
		KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 0);
		KUNIT_EXPECT_EQ(test, nspans(c), 0);
	}
}

static void without_an_empty_magazine_nothing_is_traded(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *mag = full_mag(test, c), *before = mag;
	struct gh_ent *head = NULL, *one;

	/* Take all there are; the first word of each links them. */
	while ((one = gh_fixalloc_alloc(c->mags, 0))) {
		one->obj = head;
		head = one;
	}
	KUNIT_EXPECT_FALSE(test, gh_home_trade_full(gh_central_here(c), &mag));
	KUNIT_EXPECT_PTR_EQ(test, mag, before);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 0);
	while (head) {
		one = head;
		head = one->obj;
		gh_fixalloc_free(c->mags, one);
	}
	gh_central_release(c, mag, c->batch);
	gh_fixalloc_free(c->mags, mag);
}

static void batches_that_lie_idle_go_back(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *got;
	unsigned int i;

	for (i = 0; i < 10; i++)
		KUNIT_ASSERT_TRUE(test, trade_in(test, c, full_mag(test, c)));
	/* The first look only notes what is there. */
	gh_central_age(c);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 10);
	/* Four of them are in use: taken and handed back. */
	for (i = 0; i < 4; i++) {
		got = gh_home_take_batch(gh_central_here(c));
		KUNIT_ASSERT_NOT_NULL(test, got);
		gh_central_release(c, got, c->batch);
		gh_fixalloc_free(c->mags, got);
	}
	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_TRUE(test, trade_in(test, c, full_mag(test, c)));
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 10);
	/* The six that nobody needed go. */
	gh_central_age(c);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 4);
	gh_central_age(c);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 0);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
}

static void room_that_grew_shrinks_with_age(struct kunit *test)
{
	struct gh_central *c = central_of(test, SIZE);
	unsigned int i;

	for (i = 0; i < GH_TC_INITIAL + 5; i++)
		KUNIT_ASSERT_TRUE(test, trade_in(test, c, full_mag(test, c)));
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_max, GH_TC_INITIAL + 5);
	gh_central_age(c);
	gh_central_age(c);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_n, 0);
	KUNIT_EXPECT_EQ(test, gh_central_here(c)->tc_max, GH_TC_INITIAL);
}

/* ---- random runs -------------------------------------------------------- */

/* Objects are given and taken one by one; each knows who has it. */
static void random_steps_give_each_object_to_one(struct kunit *test)
{
	const unsigned int n = 20 * NELEMS;
	struct gh_central *c = central_of(test, SIZE);
	struct gh_ent *ents = make_ents(test, n);
	struct rnd_state rnd;
	unsigned int i, step, have = 0;

	prandom_seed_state(&rnd, 7);
	for (step = 0; step < steps; step++) {
		u32 r = prandom_u32_state(&rnd);
		/* Swings between few and many. */
		bool take = r % 100 < (step / 5000 % 2 ? 35 : 65);

		if (r >> 20 == 0)
			sweep(test, c);
		if (take && have < n) {
			struct gh_ent *e = &ents[have];

			if (!gh_home_take(gh_central_here(c), e)) {
				struct gh_span *s = must_get_new(test, c);

				gh_span_carve(s, e, 1);
				gh_central_put_span(c, s);
			}
			if (*e->state != GH_OBJ_FREE)
				break;
			*e->state = GH_OBJ_ALLOC;
			gh_test_fill(e->obj, SIZE, (uintptr_t)e->obj / SIZE);
			have++;
		} else if (!take && have) {
			i = (r >> 8) % have;
			if (!gh_test_filled(ents[i].obj, SIZE,
					    (uintptr_t)ents[i].obj / SIZE))
				break;
			*ents[i].state = GH_OBJ_FREE;
			gh_central_release(c, &ents[i], 1);
			ents[i] = ents[--have];
		}
	}
	KUNIT_EXPECT_EQ(test, step, steps);
	for (i = 0; i < have; i++)
		*ents[i].state = GH_OBJ_FREE;
	gh_central_release(c, ents, have);
	KUNIT_EXPECT_EQ(test, nspans(c), 0);
}

static struct kunit_case mcentral_cases[] = {
	KUNIT_CASE(many_spans_that_die_with_interrupts_off_are_freed_later),
	KUNIT_CASE(a_new_span_is_cached_and_in_no_set),
	KUNIT_CASE(a_span_with_free_places_is_partial),
	KUNIT_CASE(a_span_without_free_places_is_full),
	KUNIT_CASE(a_full_span_that_gets_objects_back_is_unswept),
	KUNIT_CASE(a_partial_span_that_gets_objects_back_is_unswept),
	KUNIT_CASE(swept_spans_come_before_unswept_ones),
	KUNIT_CASE(a_cached_span_that_gets_objects_back_stays),
	KUNIT_CASE(an_empty_span_goes_back_to_the_heap),
	KUNIT_CASE(a_cached_span_that_is_empty_goes_when_it_is_put),
	KUNIT_CASE(every_class_is_cut_as_its_table_says),
	KUNIT_CASE(a_sweep_cycle_visits_every_span_once),
	KUNIT_CASE(nobody_gets_a_full_span_during_a_sweep_cycle),
	KUNIT_CASE(a_span_whose_counts_are_wrong_is_reported),
	KUNIT_CASE(single_objects_are_taken_until_there_are_none),
	KUNIT_CASE(releasing_an_object_twice_is_refused),
	KUNIT_CASE(a_batch_with_a_bad_object_loses_no_other),
	KUNIT_CASE(objects_come_from_the_node_that_was_named),
	KUNIT_CASE(batches_come_back_last_in_first_out),
	KUNIT_CASE(batches_move_without_touching_spans),
	KUNIT_CASE(a_transfer_cache_has_a_limit),
	KUNIT_CASE(without_an_empty_magazine_nothing_is_traded),
	KUNIT_CASE(batches_that_lie_idle_go_back),
	KUNIT_CASE(room_that_grew_shrinks_with_age),
	KUNIT_CASE(random_steps_give_each_object_to_one),
	{}
};

static struct kunit_suite mcentral_suite = {
	.name = "goheap_mcentral",
	.init = gh_test_heap_init,
	.exit = gh_test_heap_exit,
	.test_cases = mcentral_cases,
};

kunit_test_suite(mcentral_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of mcentrals");
MODULE_LICENSE("GPL");
