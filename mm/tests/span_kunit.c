// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of a span: how its places are taken, come back, and are taken
 * again. No memory stands behind the spans here: a span never looks into it.
 */
#include "test_util.h"

#include <linux/module.h>

#include "../span.h"

#define BASE	0x100000000UL

static unsigned int steps = 200000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of the random run (default 200000)");

static struct gh_span *make_span(struct kunit *test, size_t elemsize,
				 unsigned int nelems)
{
	struct gh_span *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	void *meta = NULL;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->base = BASE;
	s->elemsize = elemsize;
	s->nelems = nelems;
	s->npages = DIV_ROUND_UP(elemsize * nelems, GH_PAGE_SIZE);
	if (nelems > 1) {
		meta = kunit_kmalloc(test, gh_span_meta_bytes(nelems),
				     GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, meta);
		memset(meta, 0xa5, gh_span_meta_bytes(nelems));
	}
	gh_span_start(s, meta);
	return s;
}

static struct gh_ent *make_ents(struct kunit *test)
{
	struct gh_ent *ents;

	ents = kunit_kcalloc(test, 2 * GH_MAX_SPAN_OBJS, sizeof(*ents),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ents);
	return ents;
}

static unsigned int place_of(const struct gh_span *s, const struct gh_ent *ent)
{
	return ((unsigned long)ent->obj - s->base) / s->elemsize;
}

/* Carve a span to its end: every place, once, in order. */
static void carve_all(struct kunit *test, struct gh_span *s,
		      struct gh_ent *ents)
{
	unsigned int i, n = gh_span_carve(s, ents, 2 * GH_MAX_SPAN_OBJS);

	KUNIT_ASSERT_EQ(test, n, s->nelems);
	for (i = 0; i < n; i++) {
		if (ents[i].obj != (void *)(s->base + i * s->elemsize) ||
		    ents[i].state != &s->objstate[i])
			break;
	}
	KUNIT_EXPECT_EQ(test, i, n);
	KUNIT_EXPECT_TRUE(test, gh_span_full(s));
	KUNIT_EXPECT_EQ(test, s->alloc_count, s->nelems);
	KUNIT_EXPECT_EQ(test, gh_span_carve(s, ents, 1), 0);
}

static void shuffle(struct rnd_state *rnd, unsigned int *v, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		v[i] = i;
	while (n > 1) {
		unsigned int j = prandom_u32_state(rnd) % n--;

		swap(v[j], v[n]);
	}
}

static void a_new_span_hands_out_every_place_once(struct kunit *test)
{
	struct gh_ent *ents = make_ents(test);
	unsigned int class;

	for (class = 1; class < GH_NUM_CLASSES; class++) {
		struct gh_span *s = make_span(test, gh_class_size[class],
					      gh_class_nelems[class]);

		carve_all(test, s, ents);
	}
}

static void a_new_span_has_all_state_bytes_free(struct kunit *test)
{
	struct gh_span *s = make_span(test, 64, 128);
	unsigned int i;

	for (i = 0; i < s->nelems; i++)
		KUNIT_EXPECT_EQ(test, s->objstate[i], GH_OBJ_FREE);
	KUNIT_EXPECT_EQ(test, s->alloc_count, 0);
	KUNIT_EXPECT_EQ(test, s->nfreed, 0);
}

static void places_are_taken_a_few_at_a_time_in_order(struct kunit *test)
{
	struct gh_span *s = make_span(test, 48, 170);
	struct gh_ent *ents = make_ents(test);
	unsigned int next = 0, i, n;

	while ((n = gh_span_carve(s, ents, 7)))
		for (i = 0; i < n; i++)
			KUNIT_EXPECT_EQ(test, place_of(s, &ents[i]), next++);
	KUNIT_EXPECT_EQ(test, next, 170);
}

static void nothing_beyond_the_last_place_is_handed_out(struct kunit *test)
{
	struct gh_ent *ents = make_ents(test);
	unsigned int nelems, i;

	for (nelems = 1; nelems <= 200; nelems++) {
		struct gh_span *s = make_span(test, 16, nelems);

		carve_all(test, s, ents);
		for (i = 0; i < nelems; i++)
			gh_span_mark_freed(s, i);
		gh_span_sweep(s);
		KUNIT_EXPECT_TRUE(test, gh_span_verify(s));
		carve_all(test, s, ents);
	}
}

static void every_class_can_be_emptied_and_filled_again(struct kunit *test)
{
	struct gh_ent *ents = make_ents(test);
	struct rnd_state rnd;
	unsigned int *order;
	unsigned int class, i;

	order = kunit_kcalloc(test, GH_MAX_SPAN_OBJS, sizeof(*order),
			      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, order);
	prandom_seed_state(&rnd, 1);
	for (class = 1; class < GH_NUM_CLASSES; class++) {
		struct gh_span *s = make_span(test, gh_class_size[class],
					      gh_class_nelems[class]);

		carve_all(test, s, ents);
		shuffle(&rnd, order, s->nelems);
		for (i = 0; i < s->nelems; i++)
			KUNIT_ASSERT_TRUE(test,
					  gh_span_mark_freed(s, order[i]));
		KUNIT_EXPECT_EQ(test, s->alloc_count, s->nfreed);
		gh_span_sweep(s);
		KUNIT_EXPECT_EQ(test, s->alloc_count, 0);
		KUNIT_EXPECT_EQ(test, s->freeindex, 0);
		carve_all(test, s, ents);
	}
}

static void a_freed_place_waits_for_the_sweep(struct kunit *test)
{
	struct gh_span *s = make_span(test, 64, 128);
	struct gh_ent *ents = make_ents(test);

	gh_span_carve(s, ents, 10);
	KUNIT_EXPECT_TRUE(test, gh_span_mark_freed(s, 3));
	gh_span_carve(s, ents, 1);
	KUNIT_EXPECT_EQ(test, place_of(s, ents), 10);

	gh_span_sweep(s);
	gh_span_carve(s, ents, 2);
	KUNIT_EXPECT_EQ(test, place_of(s, &ents[0]), 3);
	KUNIT_EXPECT_EQ(test, place_of(s, &ents[1]), 11);
}

static void a_full_span_hands_out_just_what_came_back(struct kunit *test)
{
	static const unsigned int freed[] = { 0, 5, 63, 64, 99, 127 };
	struct gh_span *s = make_span(test, 64, 128);
	struct gh_ent *ents = make_ents(test);
	unsigned int i;

	carve_all(test, s, ents);
	for (i = 0; i < ARRAY_SIZE(freed); i++)
		gh_span_mark_freed(s, freed[i]);
	gh_span_sweep(s);
	KUNIT_EXPECT_FALSE(test, gh_span_full(s));
	KUNIT_EXPECT_EQ(test, s->freeindex, 0);
	KUNIT_ASSERT_EQ(test, gh_span_carve(s, ents, 128),
			(unsigned int)ARRAY_SIZE(freed));
	for (i = 0; i < ARRAY_SIZE(freed); i++)
		KUNIT_EXPECT_EQ(test, place_of(s, &ents[i]), freed[i]);
	KUNIT_EXPECT_TRUE(test, gh_span_full(s));
}

static void a_sweep_of_a_full_span_leaves_it_full(struct kunit *test)
{
	struct gh_span *s = make_span(test, 64, 128);
	struct gh_ent *ents = make_ents(test);

	carve_all(test, s, ents);
	gh_span_sweep(s);
	KUNIT_EXPECT_TRUE(test, gh_span_full(s));
	KUNIT_EXPECT_TRUE(test, gh_span_verify(s));
	KUNIT_EXPECT_EQ(test, gh_span_carve(s, ents, 1), 0);
}

static void a_sweep_moves_the_index_to_the_lowest_free_place(struct kunit *test)
{
	struct gh_span *s = make_span(test, 64, 128);
	struct gh_ent *ents = make_ents(test);

	gh_span_carve(s, ents, 100);
	gh_span_mark_freed(s, 70);
	gh_span_sweep(s);
	KUNIT_EXPECT_EQ(test, s->freeindex, 70);
	KUNIT_EXPECT_EQ(test, s->alloc_count, 99);
	gh_span_carve(s, ents, 1);
	KUNIT_EXPECT_EQ(test, place_of(s, ents), 70);
	/* Places 71 to 99 are taken still. */
	KUNIT_EXPECT_EQ(test, s->freeindex, 100);
}

static void freeing_a_place_twice_is_refused(struct kunit *test)
{
	struct gh_span *s = make_span(test, 64, 128);
	struct gh_ent *ents = make_ents(test);

	gh_span_carve(s, ents, 2);
	KUNIT_EXPECT_TRUE(test, gh_span_mark_freed(s, 1));
	KUNIT_EXPECT_FALSE(test, gh_span_mark_freed(s, 1));
	KUNIT_EXPECT_EQ(test, s->nfreed, 1);
	gh_span_sweep(s);
	KUNIT_EXPECT_EQ(test, s->alloc_count, 1);

	/* Handed out again, it can come back again. */
	gh_span_carve(s, ents, 1);
	KUNIT_EXPECT_EQ(test, place_of(s, ents), 1);
	KUNIT_EXPECT_TRUE(test, gh_span_mark_freed(s, 1));
}

/* Was a place handed out, and did not come back? */
static bool is_taken(const struct gh_span *s, unsigned int idx)
{
	u64 bit = 1ULL << (idx % 64);

	if (s->freed_bits[idx / 64] & bit)
		return false;
	return idx < s->freeindex || s->alloc_bits[idx / 64] & bit;
}

static void taken_means_handed_out_and_not_back(struct kunit *test)
{
	struct gh_span *s = make_span(test, 64, 128);
	struct gh_ent *ents = make_ents(test);
	unsigned int i;

	gh_span_carve(s, ents, 80);
	gh_span_mark_freed(s, 20);
	for (i = 0; i < 128; i++)
		KUNIT_EXPECT_EQ(test, is_taken(s, i), i < 80 && i != 20);
	gh_span_sweep(s);
	for (i = 0; i < 128; i++)
		KUNIT_EXPECT_EQ(test, is_taken(s, i), i < 80 && i != 20);
}

static void only_the_start_of_an_object_is_found(struct kunit *test)
{
	unsigned int class;

	for (class = 1; class < GH_NUM_CLASSES; class++) {
		size_t size = gh_class_size[class];
		struct gh_span *s = make_span(test, size,
					      gh_class_nelems[class]);
		unsigned long span = gh_class_npages[class] << GH_PAGE_SHIFT;
		unsigned long off;
		unsigned int idx, wrong = 0;

		for (off = 0; off < span; off++) {
			bool start = off % size == 0 &&
				     off / size < s->nelems;

			if (gh_span_find(s, s->base + off, &idx) != start ||
			    (start && idx != off / size))
				wrong++;
		}
		KUNIT_EXPECT_EQ(test, wrong, 0);
	}
}

/* Whatever a caller may pass: far away, or off by any number of bits. */
static void no_other_address_is_taken_for_an_object(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int i, size;

	prandom_seed_state(&rnd, 64);
	for (size = GH_MIN_OBJ; size <= 4096; size += GH_MIN_OBJ) {
		struct gh_span *s = make_span(test, size, gh_span_nelems(size));
		unsigned long end = s->nelems * size;
		unsigned int idx, wrong = 0;

		for (i = 0; i < 400; i++) {
			u64 r = (u64)prandom_u32_state(&rnd) << 32 |
				prandom_u32_state(&rnd);
			unsigned long off = r >> (r % 61);
			bool start = off < end && off % size == 0;

			/* Its negative is never in the span. */
			wrong += off && gh_span_find(s, s->base - off, &idx);
			wrong += gh_span_find(s, s->base + off, &idx) != start;
			off = off / size * size;
			wrong += gh_span_find(s, s->base + off, &idx) !=
				 (off < end);
		}
		KUNIT_EXPECT_EQ(test, wrong, 0);
		kunit_kfree(test, s);
	}
}

static void a_large_object_is_found_at_its_start_only(struct kunit *test)
{
	struct gh_span *s = make_span(test, 3UL << 32, 1);
	unsigned int idx = 1;

	KUNIT_EXPECT_TRUE(test, gh_span_find(s, s->base, &idx));
	KUNIT_EXPECT_EQ(test, idx, 0);
	KUNIT_EXPECT_FALSE(test, gh_span_find(s, s->base + 1, &idx));
	KUNIT_EXPECT_FALSE(test, gh_span_find(s, s->base + GH_PAGE_SIZE, &idx));
	/* An offset whose lower half is zero is not the start. */
	KUNIT_EXPECT_FALSE(test, gh_span_find(s, s->base + (1UL << 32), &idx));
}

static void a_span_of_one_object_needs_no_records(struct kunit *test)
{
	struct gh_span *s = make_span(test, 32768, 1);
	struct gh_ent ent;
	int i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, gh_span_carve(s, &ent, 5), 1);
		KUNIT_EXPECT_PTR_EQ(test, ent.obj, (void *)s->base);
		KUNIT_EXPECT_PTR_EQ(test, ent.state, &s->inline_state);
		KUNIT_EXPECT_TRUE(test, gh_span_full(s));
		KUNIT_EXPECT_TRUE(test, gh_span_mark_freed(s, 0));
		gh_span_sweep(s);
		KUNIT_EXPECT_FALSE(test, gh_span_full(s));
	}
}

static void counts_that_are_wrong_are_noticed(struct kunit *test)
{
	struct gh_span *s = make_span(test, 64, 128);
	struct gh_ent *ents = make_ents(test);

	gh_span_carve(s, ents, 10);
	gh_span_sweep(s);
	KUNIT_EXPECT_TRUE(test, gh_span_verify(s));
	s->alloc_count++;
	KUNIT_EXPECT_FALSE(test, gh_span_verify(s));
	s->alloc_count--;
	s->alloc_bits[1] ^= 1;
	KUNIT_EXPECT_FALSE(test, gh_span_verify(s));
	s->alloc_bits[1] ^= 1;
	s->freed_bits[0] |= 1;
	KUNIT_EXPECT_FALSE(test, gh_span_verify(s));
}

/* ---- random runs -------------------------------------------------------- */

enum place {
	PLACE_FREE,
	PLACE_TAKEN,
	PLACE_BACK,	/* came back, not swept yet */
};

struct model {
	struct gh_span *s;
	unsigned int next;	/* places below were passed since the sweep */
	u8 place[GH_MAX_SPAN_OBJS];
};

static bool model_carve(struct model *m)
{
	struct gh_ent ent;
	unsigned int n = gh_span_carve(m->s, &ent, 1);

	while (m->next < m->s->nelems && m->place[m->next] != PLACE_FREE)
		m->next++;
	if (m->next == m->s->nelems)
		return !n;
	m->place[m->next] = PLACE_TAKEN;
	return n == 1 && place_of(m->s, &ent) == m->next++;
}

static bool model_free(struct model *m, unsigned int idx)
{
	if (m->place[idx] == PLACE_TAKEN) {
		m->place[idx] = PLACE_BACK;
		return gh_span_mark_freed(m->s, idx);
	}
	return m->place[idx] == PLACE_FREE || !gh_span_mark_freed(m->s, idx);
}

static bool model_sweep(struct model *m)
{
	unsigned int i;

	gh_span_sweep(m->s);
	for (i = 0; i < m->s->nelems; i++)
		if (m->place[i] == PLACE_BACK)
			m->place[i] = PLACE_FREE;
	m->next = 0;
	return gh_span_verify(m->s);
}

static bool model_agrees(struct model *m)
{
	unsigned int i, back = 0, held = 0;
	bool taken;

	for (i = 0; i < m->s->nelems; i++) {
		held += m->place[i] != PLACE_FREE;
		back += m->place[i] == PLACE_BACK;
		taken = m->place[i] == PLACE_TAKEN;
		if (is_taken(m->s, i) != taken)
			return false;
	}
	return m->s->alloc_count == held && m->s->nfreed == back;
}

static void random_steps_match_the_model(struct kunit *test)
{
	static const u16 sizes[] = { 2, 63, 64, 65, 128, 170, 512, 1024 };
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct rnd_state rnd;
	unsigned int i, step;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 2);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(m, 0, sizeof(*m));
		m->s = make_span(test, 8, sizes[i]);
		for (step = 0; step < steps / ARRAY_SIZE(sizes); step++) {
			u32 r = prandom_u32_state(&rnd);
			bool ok;

			if (r % 100 < 2)
				ok = model_sweep(m) && model_agrees(m);
			else if (r % 100 < 60)
				ok = model_carve(m);
			else
				ok = model_free(m, (r >> 8) % sizes[i]);
			if (!ok)
				break;
		}
		KUNIT_EXPECT_EQ_MSG(test, step, steps / ARRAY_SIZE(sizes),
				    "span of %u", sizes[i]);
		KUNIT_EXPECT_TRUE(test, model_agrees(m));
	}
}

static struct kunit_case span_cases[] = {
	KUNIT_CASE(a_new_span_hands_out_every_place_once),
	KUNIT_CASE(a_new_span_has_all_state_bytes_free),
	KUNIT_CASE(places_are_taken_a_few_at_a_time_in_order),
	KUNIT_CASE(nothing_beyond_the_last_place_is_handed_out),
	KUNIT_CASE(every_class_can_be_emptied_and_filled_again),
	KUNIT_CASE(a_freed_place_waits_for_the_sweep),
	KUNIT_CASE(a_full_span_hands_out_just_what_came_back),
	KUNIT_CASE(a_sweep_of_a_full_span_leaves_it_full),
	KUNIT_CASE(a_sweep_moves_the_index_to_the_lowest_free_place),
	KUNIT_CASE(freeing_a_place_twice_is_refused),
	KUNIT_CASE(taken_means_handed_out_and_not_back),
	KUNIT_CASE(only_the_start_of_an_object_is_found),
	KUNIT_CASE(no_other_address_is_taken_for_an_object),
	KUNIT_CASE(a_large_object_is_found_at_its_start_only),
	KUNIT_CASE(a_span_of_one_object_needs_no_records),
	KUNIT_CASE(counts_that_are_wrong_are_noticed),
	KUNIT_CASE(random_steps_match_the_model),
	{}
};

static struct kunit_suite span_suite = {
	.name = "goheap_span",
	.test_cases = span_cases,
};

kunit_test_suite(span_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of spans");
MODULE_LICENSE("GPL");
