// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the size classes: the tables against known sums and against
 * brute force, and the arithmetic of spans for any object size.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "../compat.h"
#include "../sizeclass.h"

#define SPAN_BYTES(class)	((size_t)gh_class_npages[class] << GH_PAGE_SHIFT)

/* Sums over span lengths hold for pages of 8 KiB only. */
static void need_8k_pages(struct kunit *test)
{
	if (GH_PAGE_SHIFT != 13)
		kunit_skip(test, "heap pages are not 8 KiB");
}

static void table_sums_are_the_known_ones(struct kunit *test)
{
	unsigned int i, sizes = 0;

	for (i = 0; i < GH_NUM_CLASSES; i++)
		sizes += gh_class_size[i];
	KUNIT_EXPECT_EQ(test, GH_NUM_CLASSES, 68);
	KUNIT_EXPECT_EQ(test, GH_NUM_SPANCLASSES, 136);
	KUNIT_EXPECT_EQ(test, sizes, 372768u);
}

static void sum_of_span_lengths_is_168_pages(struct kunit *test)
{
	unsigned int i, npages = 0;

	need_8k_pages(test);
	for (i = 0; i < GH_NUM_CLASSES; i++)
		npages += gh_class_npages[i];
	KUNIT_EXPECT_EQ(test, npages, 168u);
}

static void lookup_table_sums_are_the_known_ones(struct kunit *test)
{
	unsigned int i, sum8 = 0, sum128 = 0;

	for (i = 0; i < GH_STEP8_ENTRIES; i++)
		sum8 += gh_class8[i];
	for (i = 0; i < GH_STEP128_ENTRIES; i++)
		sum128 += gh_class128[i];
	KUNIT_EXPECT_EQ(test, sum8, 2972u);
	KUNIT_EXPECT_EQ(test, sum128, 14342u);
}

static void class_zero_is_large_and_empty(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, gh_class_size[0], 0);
	KUNIT_EXPECT_EQ(test, gh_class_npages[0], 0);
	KUNIT_EXPECT_EQ(test, gh_class_nelems[0], 0);
}

static void sizes_ascend_from_8_to_32768(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, gh_class_size[1], 8);
	KUNIT_EXPECT_EQ(test, gh_class_size[GH_NUM_CLASSES - 1], GH_MAX_SMALL);
	for (i = 1; i < GH_NUM_CLASSES; i++) {
		KUNIT_EXPECT_GT(test, gh_class_size[i], gh_class_size[i - 1]);
		KUNIT_EXPECT_EQ(test, gh_class_size[i] % 8, 0);
	}
}

static void every_power_of_two_has_a_class_of_its_own(struct kunit *test)
{
	size_t size;

	for (size = 8; size <= GH_MAX_SMALL; size *= 2)
		KUNIT_EXPECT_EQ(test, gh_class_size[gh_size_to_class(size)],
				size);
}

static void every_size_gets_the_smallest_class_that_holds_it(struct kunit *test)
{
	unsigned int class = 1;
	size_t size;

	for (size = 1; size <= GH_MAX_SMALL; size++) {
		if (size > gh_class_size[class])
			class++;
		if (gh_size_to_class(size) != class)
			KUNIT_FAIL(test, "size %zu: class %u, not %u", size,
				   gh_size_to_class(size), class);
	}
}

static void a_class_holds_its_size_and_not_a_byte_more(struct kunit *test)
{
	unsigned int i;

	for (i = 1; i < GH_NUM_CLASSES; i++) {
		KUNIT_EXPECT_EQ(test, gh_size_to_class(gh_class_size[i]), i);
		if (gh_class_size[i] < GH_MAX_SMALL)
			KUNIT_EXPECT_EQ(test,
					gh_size_to_class(gh_class_size[i] + 1),
					i + 1);
	}
}

static void sizes_1017_to_1023_wrap_around_to_1024(struct kunit *test)
{
	size_t size;

	KUNIT_EXPECT_EQ(test, gh_class_size[gh_size_to_class(1016)], 1024);
	for (size = 1017; size <= 1024; size++)
		KUNIT_EXPECT_EQ(test, gh_class_size[gh_size_to_class(size)],
				1024);
	KUNIT_EXPECT_EQ(test, gh_class_size[gh_size_to_class(1025)], 1152);
}

static void a_large_span_has_one_object(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, gh_span_nelems(GH_MAX_SMALL + 1), 1u);
	KUNIT_EXPECT_EQ(test, gh_span_npages(GH_MAX_SMALL + 1),
			DIV_ROUND_UP(GH_MAX_SMALL + 1, GH_PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, gh_span_npages(1UL << 30),
			1UL << (30 - GH_PAGE_SHIFT));
}

static void spans_are_at_most_10_pages_and_1024_objects(struct kunit *test)
{
	unsigned int i;

	for (i = 1; i < GH_NUM_CLASSES; i++) {
		KUNIT_EXPECT_LE(test, gh_class_npages[i], 10);
		KUNIT_EXPECT_LE(test, gh_class_nelems[i], GH_MAX_SPAN_OBJS);
		KUNIT_EXPECT_EQ(test, gh_class_nelems[i],
				SPAN_BYTES(i) / gh_class_size[i]);
	}
	if (GH_PAGE_SHIFT == 13)
		KUNIT_EXPECT_EQ(test, GH_MAX_SPAN_OBJS, 1024);
}

/* As records of user heaps rely on: see GH_UGIVERS_MOST. */
static void spans_from_16_bytes_on_have_at_most_512_objects(struct kunit *t)
{
	unsigned int i;

	for (i = 2; i < GH_NUM_CLASSES; i++)
		KUNIT_EXPECT_LE(t, gh_class_nelems[i], GH_PAGE_SIZE / 16);
}

static void the_tail_of_a_span_wastes_at_most_a_sixteenth(struct kunit *test)
{
	unsigned int i;

	need_8k_pages(test);
	for (i = 1; i < GH_NUM_CLASSES; i++)
		KUNIT_EXPECT_LE(test, SPAN_BYTES(i) % gh_class_size[i],
				SPAN_BYTES(i) / 16);
}

/*
 * How much of a span is lost when every object holds the smallest request of
 * its class, in hundredths of a percent, rounded.
 */
static unsigned int worst_waste(unsigned int class)
{
	size_t used = (size_t)gh_class_nelems[class] *
		      (gh_class_size[class - 1] + 1);

	return DIV_ROUND_CLOSEST((SPAN_BYTES(class) - used) * 10000,
				 SPAN_BYTES(class));
}

static void worst_total_waste_is_the_known_one(struct kunit *test)
{
	unsigned int i, worst = 0, at = 0;

	need_8k_pages(test);
	KUNIT_EXPECT_EQ(test, worst_waste(gh_size_to_class(8)), 8750u);
	KUNIT_EXPECT_EQ(test, worst_waste(gh_size_to_class(16)), 4375u);
	KUNIT_EXPECT_EQ(test, worst_waste(gh_size_to_class(48)), 3152u);
	for (i = gh_size_to_class(128) + 1; i < GH_NUM_CLASSES; i++) {
		if (worst_waste(i) <= worst)
			continue;
		worst = worst_waste(i);
		at = gh_class_size[i];
	}
	KUNIT_EXPECT_EQ(test, at, 4864u);
	KUNIT_EXPECT_EQ(test, worst, 1665u);
}

static void span_rule_gives_the_spans_of_the_table(struct kunit *test)
{
	unsigned int i;

	/* Sizes were stretched after their spans were chosen; lengths stay. */
	for (i = 1; i < GH_NUM_CLASSES; i++) {
		KUNIT_EXPECT_LE(test, gh_span_npages(gh_class_size[i]),
				gh_class_npages[i]);
		KUNIT_EXPECT_EQ(test, SPAN_BYTES(i) / gh_class_size[i],
				gh_class_nelems[i]);
	}
}

static void span_rule_bounds_waste_and_objects_for_any_size(struct kunit *test)
{
	size_t size;

	for (size = GH_MIN_OBJ; size <= GH_MAX_SMALL; size++) {
		size_t span = gh_span_npages(size) << GH_PAGE_SHIFT;
		unsigned int n = gh_span_nelems(size);

		if (!n || n > GH_MAX_SPAN_OBJS || n * size > span ||
		    span - n * size > span / 8 || span >= 128 * 1024 * 2)
			KUNIT_FAIL(test, "size %zu: span %zu, %u objects",
				   size, span, n);
	}
}

static void span_classes_are_distinct_and_come_apart_again(struct kunit *test)
{
	DECLARE_BITMAP(seen, GH_NUM_SPANCLASSES);
	unsigned int class, noscan;

	bitmap_zero(seen, GH_NUM_SPANCLASSES);
	for (class = 0; class < GH_NUM_CLASSES; class++) {
		for (noscan = 0; noscan < 2; noscan++) {
			unsigned int sc = gh_make_spanclass(class, noscan);

			KUNIT_ASSERT_LT(test, sc, GH_NUM_SPANCLASSES);
			KUNIT_EXPECT_FALSE(test, test_and_set_bit(sc, seen));
			KUNIT_EXPECT_EQ(test, gh_spanclass_class(sc), class);
			KUNIT_EXPECT_EQ(test, gh_spanclass_noscan(sc), noscan);
		}
	}
	KUNIT_EXPECT_TRUE(test, bitmap_full(seen, GH_NUM_SPANCLASSES));
}

static void objects_are_aligned_to_the_lowest_bit_of_their_size(struct kunit *t)
{
	unsigned int i, k;

	KUNIT_EXPECT_EQ(t, gh_natural_align(8), 8);
	KUNIT_EXPECT_EQ(t, gh_natural_align(24), 8);
	KUNIT_EXPECT_EQ(t, gh_natural_align(48), 16);
	KUNIT_EXPECT_EQ(t, gh_natural_align(4096), 4096);
	KUNIT_EXPECT_EQ(t, gh_natural_align(8192), 8192);
	KUNIT_EXPECT_EQ(t, gh_natural_align(32768), 8192);
	for (i = 1; i < GH_NUM_CLASSES; i++) {
		for (k = 0; k < gh_class_nelems[i]; k++) {
			size_t off = (size_t)k * gh_class_size[i];

			if (off % gh_natural_align(gh_class_size[i]))
				KUNIT_FAIL(t, "class %u object %u", i, k);
		}
	}
}

static struct kunit_case sizeclass_cases[] = {
	KUNIT_CASE(table_sums_are_the_known_ones),
	KUNIT_CASE(sum_of_span_lengths_is_168_pages),
	KUNIT_CASE(lookup_table_sums_are_the_known_ones),
	KUNIT_CASE(class_zero_is_large_and_empty),
	KUNIT_CASE(sizes_ascend_from_8_to_32768),
	KUNIT_CASE(every_power_of_two_has_a_class_of_its_own),
	KUNIT_CASE(every_size_gets_the_smallest_class_that_holds_it),
	KUNIT_CASE(a_class_holds_its_size_and_not_a_byte_more),
	KUNIT_CASE(sizes_1017_to_1023_wrap_around_to_1024),
	KUNIT_CASE(a_large_span_has_one_object),
	KUNIT_CASE(spans_are_at_most_10_pages_and_1024_objects),
	KUNIT_CASE(spans_from_16_bytes_on_have_at_most_512_objects),
	KUNIT_CASE(the_tail_of_a_span_wastes_at_most_a_sixteenth),
	KUNIT_CASE(worst_total_waste_is_the_known_one),
	KUNIT_CASE(span_rule_gives_the_spans_of_the_table),
	KUNIT_CASE(span_rule_bounds_waste_and_objects_for_any_size),
	KUNIT_CASE(span_classes_are_distinct_and_come_apart_again),
	KUNIT_CASE(objects_are_aligned_to_the_lowest_bit_of_their_size),
	{}
};

static struct kunit_suite sizeclass_suite = {
	.name = "goheap_sizeclass",
	.test_cases = sizeclass_cases,
};

kunit_test_suite(sizeclass_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of the size classes");
MODULE_LICENSE("GPL");
