// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spans that a session keeps without using them, and spans that it takes over from
 * sessions that have ended.
 */
#include "user_test.h"

#include <sys/uio.h>
#include "user_harness.h"

FIXTURE(spans)
{
	int heap;
	int ss;
	__u8 *win;
};

FIXTURE_SETUP(spans)
{
	peek_init();
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
}

FIXTURE_TEARDOWN(spans)
{
	struct goheap_usage u;

	EXPECT_TRUE(identities(self->heap));
	close(self->ss);
	u = usage(self->heap);
	EXPECT_EQ(0, u.sessions);
	EXPECT_EQ(u.given, u.objects);
	EXPECT_TRUE(identities(self->heap));
	munmap(self->win, ARENA);
	close(self->heap);
}

/* ---- idle spans --------------------------------------------------------- */

/* Objects of 64 bytes that fill a span, and spans that a session keeps. */
#define SPAN_OBJECTS	(HEAP_PAGE / 64)
#define KEPT		64

/* Fill @n spans, free all of it, and touch the first page in between. */
static int fill_and_free(int ss, __u8 *win, unsigned int n)
{
	static __u64 at[4 * KEPT][SPAN_OBJECTS];
	unsigned int i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = alloc_many(ss, 64, at[i], SPAN_OBJECTS, 0) != SPAN_OBJECTS;
	for (i = 0; i < n && !err; i++)
		err = poke(win + at[i][0], 1) ?:
		      batch(ss, GOHEAP_IOC_FREE, at[i], SPAN_OBJECTS, NULL);
	return err;
}

TEST_F(spans, some_idle_spans_stay)
{
	__u64 first = usage(self->heap).spans;

	ASSERT_EQ(0, fill_and_free(self->ss, self->win, KEPT));
	EXPECT_EQ(KEPT * HEAP_PAGE, usage(self->ss).session_bytes);
	/* They are mapped, and serve the next burst. */
	EXPECT_EQ(0, peek(self->win));
	ASSERT_EQ(0, fill_and_free(self->ss, self->win, KEPT));
	EXPECT_EQ(first + KEPT, usage(self->heap).spans);
	EXPECT_EQ(KEPT * HEAP_PAGE, trim(self->ss));
	EXPECT_EQ(0, usage(self->ss).session_bytes);
}

TEST_F(spans, not_all_idle_spans_stay)
{
	ASSERT_EQ(0, fill_and_free(self->ss, self->win, 4 * KEPT));
	EXPECT_EQ(KEPT * HEAP_PAGE, usage(self->ss).session_bytes);
}

TEST_F(spans, of_much_memory_a_quarter_may_be_idle)
{
	__s64 large = alloc_one(self->ss, 8 * KEPT * HEAP_PAGE);
	__u64 bytes;

	ASSERT_LE(0, large);
	ASSERT_EQ(0, fill_and_free(self->ss, self->win, 4 * KEPT));
	bytes = usage(self->ss).session_bytes - 8 * KEPT * HEAP_PAGE;
	EXPECT_LT(2 * KEPT * HEAP_PAGE, bytes);
	EXPECT_GE(3 * KEPT * HEAP_PAGE, bytes);
}

/* Who is at his own bound does not take them from others. */
TEST_F(spans, idle_spans_of_others_stay)
{
	int other = attach_quota(self->heap, HEAP_PAGE), i;

	ASSERT_EQ(0, fill_and_free(self->ss, self->win, KEPT));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(-EDQUOT, alloc_one(other, 2 * HEAP_PAGE));
	EXPECT_EQ(KEPT * HEAP_PAGE, usage(self->ss).session_bytes);
	close(other);
}

/* A batch that is undone leaves its span where it was: at the end, but not idle. */
TEST_F(spans, a_refused_batch_hides_no_idle_spans)
{
	unsigned int half = SPAN_OBJECTS / 2;
	__u64 at[SPAN_OBJECTS];

	ASSERT_EQ(0, fill_and_free(self->ss, self->win, KEPT / 2));
	ASSERT_EQ(half, alloc_many(self->ss, 64, at, half, 0));
	at[half] = 8;
	EXPECT_EQ(-EINVAL, batch(self->ss, GOHEAP_IOC_FREE, at, half + 1, NULL));
	EXPECT_EQ((KEPT / 2 - 1) * HEAP_PAGE, trim(self->ss));
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, half, NULL));
}

/* They never are why there is not enough. */
TEST_F(spans, idle_spans_give_way)
{
	int other = attach(self->heap);
	void *map;

	ASSERT_EQ(0, fill_and_free(self->ss, self->win, KEPT));
	/* In the session's quota, and in the heap's limit, of who has them or not. */
	ASSERT_EQ(0, set_limit(self->ss, KEPT * HEAP_PAGE));
	EXPECT_LE(0, alloc_one(self->ss, 1500));
	ASSERT_EQ(0, fill_and_free(self->ss, self->win, KEPT - 2));
	ASSERT_EQ(0, set_limit(self->heap, KEPT * HEAP_PAGE));
	EXPECT_LE(0, alloc_one(other, KEPT / 2 * HEAP_PAGE));
	ASSERT_EQ(0, fill_and_free(self->ss, self->win, KEPT / 4));
	/* But mmap() has no time for that. */
	map = map_at(self->heap, GOHEAP_MMAP_ALLOC, KEPT / 2 * HEAP_PAGE,
		     PROT_READ | PROT_WRITE);
	EXPECT_EQ(MAP_FAILED, map);
	trim(self->heap);
	map = map_at(self->heap, GOHEAP_MMAP_ALLOC, KEPT / 4 * HEAP_PAGE,
		     PROT_READ | PROT_WRITE);
	EXPECT_NE(MAP_FAILED, map);
	munmap(map, KEPT / 4 * HEAP_PAGE);
	close(other);
}

/* Spans that outlived their session serve the next one. */
TEST_F(spans, spans_of_the_dead_are_adopted)
{
	struct goheap_usage u;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		int ss = attach(self->heap);
		__u64 at = alloc_one(ss, 64);

		EXPECT_EQ(0, give_one(ss, at));
		close(ss);
	}
	u = usage(self->heap);
	EXPECT_EQ(50, u.given);
	EXPECT_EQ(HEAP_PAGE, u.heap_bytes);
	EXPECT_LE(0, alloc_one(self->ss, 64));
	EXPECT_EQ(HEAP_PAGE, usage(self->ss).session_bytes);
}

static int adopt_two(int ss, __u64 *at)
{
	/* A quota that does not have room for the span. */
	return set_limit(ss, HEAP_PAGE) ?: alloc_many(ss, 1500, at, 2, 0);
}

TEST_F(spans, adoption_keeps_to_the_quota)
{
	int ss = attach(self->heap);
	__u64 at[2], given = alloc_one(ss, 12288);

	ASSERT_EQ(0, give_one(ss, given));
	close(ss);
	/* 12 KiB objects: spans of more than one page. */
	ASSERT_EQ(0, set_limit(self->ss, HEAP_PAGE));
	EXPECT_EQ(-EDQUOT, alloc_one(self->ss, 12288));
	EXPECT_EQ(0, usage(self->ss).session_bytes);
	EXPECT_LE(1, adopt_two(self->ss, at));
	EXPECT_EQ(0, set_limit(self->ss, 0));
	EXPECT_LE(0, alloc_one(self->ss, 12288));
	EXPECT_EQ(0, free_one(self->ss, given));
}

/*
 * A span of a session that has ended. A pipe holds one of its pages, as a device would
 * that reads into it. Returns where the session had an object.
 */
static __s64 leave_held(int heap, __u8 *win, int ends[2])
{
	int ss = attach(heap);
	__s64 at = alloc_one(ss, HEAP_PAGE / 2);
	struct iovec held = { win + at, HEAP_PAGE / 2 };

	ends[0] = -1;
	ends[1] = -1;
	if (at < 0 || give_one(ss, alloc_one(ss, HEAP_PAGE / 2)) || pipe(ends) ||
	    poke(win + at, 1) || vmsplice(ends[1], &held, 1, 0) != HEAP_PAGE / 2)
		at = -1;
	close(ss);
	return at;
}

static void let_go(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

TEST_F(spans, what_is_held_of_the_dead_is_not_adopted)
{
	int ends[2];
	__s64 at = leave_held(self->heap, self->win, ends);

	ASSERT_LE(0, at);
	EXPECT_NE(at, first_of_session(self->heap, HEAP_PAGE / 2));
	let_go(ends);
	EXPECT_EQ(at, first_of_session(self->heap, HEAP_PAGE / 2));
}

/* As many are looked at as mm/user/owner.c says. */
#define HELD_MAX	8

/* Whether a span is adopted that is behind @n others, which are held; or -1. */
static int adopts_behind(unsigned int n)
{
	int heap, ss, ends[HELD_MAX + 1][2];
	__s64 first, at;
	unsigned int i;
	__u8 *win;

	if (setup_heap(&heap, &ss, &win, ARENA))
		return -1;
	first = leave_held(heap, win, ends[0]);
	for (i = 1; i <= n; i++)
		if (leave_held(heap, win, ends[i]) < 0)
			first = -1;
	let_go(ends[0]);
	at = alloc_one(ss, HEAP_PAGE / 2);
	for (i = 1; i <= n; i++)
		let_go(ends[i]);
	close(ss);
	munmap(win, ARENA);
	close(heap);
	return first < 0 || at < 0 ? -1 : at == first;
}

TEST_F(spans, few_spans_that_are_held_are_looked_at)
{
	EXPECT_EQ(1, adopts_behind(HELD_MAX - 1));
	EXPECT_EQ(0, adopts_behind(HELD_MAX));
}

TEST_HARNESS_MAIN
