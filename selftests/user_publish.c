// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exchanges of shared words by the kernel: with all that they ask for, or nothing.
 */
#include "user_test.h"

#include "user_harness.h"
#include "user_side.h"

#define SIZE		64
#define WORDS		512
#define TABLE		(WORDS * sizeof(__u64))

FIXTURE(publish)
{
	int heap;
	__u8 *win;
	struct side a;
	struct side b;
	__u64 table;
	__u64 *word;
};

FIXTURE_SETUP(publish)
{
	int ss;

	ASSERT_EQ(0, setup_heap(&self->heap, &ss, &self->win, ARENA));
	close(ss);
	ASSERT_EQ(0, side_open(&self->a, self->heap));
	ASSERT_EQ(0, side_open(&self->b, self->heap));
	self->table = alloc_one(self->a.ss, TABLE);
	ASSERT_EQ(0, give_one(self->a.ss, self->table));
	self->word = (void *)(self->win + self->table);
	memset(self->word, 0, TABLE);
}

FIXTURE_TEARDOWN(publish)
{
	EXPECT_TRUE(identities(self->heap));
	EXPECT_EQ(0, free_one(self->a.ss, self->table));
	side_close(&self->a);
	side_close(&self->b);
	EXPECT_EQ(0, usage(self->heap).objects);
	EXPECT_EQ(0, usage(self->heap).given);
	trim(self->heap);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
	munmap(self->win, ARENA);
	close(self->heap);
}

/* Objects that are given, but for the table. */
static __u64 given(FIXTURE_DATA(publish) *self)
{
	return usage(self->heap).given - 1;
}

static __u64 objects(FIXTURE_DATA(publish) *self)
{
	return usage(self->heap).objects - 1;
}

static struct goheap_swap swap(FIXTURE_DATA(publish) *self, unsigned int word,
			       __u64 expect, __u64 value, __u32 flags)
{
	struct goheap_swap s = {
		.at = self->table + word * sizeof(__u64),
		.expect = expect,
		.value = value,
		.flags = flags,
	};

	return s;
}

/* A new object of A's in a word; its offset is there. */
static __u64 put(FIXTURE_DATA(publish) *self, unsigned int word)
{
	__u64 at = alloc_one(self->a.ss, SIZE);
	struct goheap_swap s = swap(self, word, self->word[word], at,
				    GOHEAP_SWAP_GIVE);

	s.give = at;
	return publish(self->a.ss, &s, 1, NULL) || s.value != s.expect ? ~0ULL :
									 at;
}

TEST_F(publish, new_object_is_given_with_the_exchange)
{
	__u64 at = alloc_one(self->a.ss, SIZE);
	struct goheap_swap s = swap(self, 1, 0, at | 7ULL << 56,
				    GOHEAP_SWAP_GIVE);

	s.give = at;
	s.expect = 5;
	EXPECT_EQ(0, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(0, s.value);
	EXPECT_EQ(0, self->word[1]);
	EXPECT_EQ(0, given(self));

	s = swap(self, 1, 0, at | 7ULL << 56, GOHEAP_SWAP_GIVE);
	s.give = at;
	EXPECT_EQ(0, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(0, s.value);
	EXPECT_EQ(at | 7ULL << 56, self->word[1]);
	EXPECT_EQ(1, given(self));
	/* It is, for all. */
	EXPECT_EQ(0, free_one(self->b.ss, at));
}

TEST_F(publish, old_object_is_freed_with_the_exchange)
{
	__u64 at = put(self, 0);
	struct goheap_swap s = swap(self, 0, 1, 2, GOHEAP_SWAP_FREE);

	ASSERT_NE(~0ULL, at);
	s.take = at;
	EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
	EXPECT_EQ(at, s.value);
	EXPECT_EQ(1, given(self));
	s.expect = at;
	s.value = 2;
	EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
	EXPECT_EQ(at, s.value);
	EXPECT_EQ(2, self->word[0]);
	EXPECT_EQ(0, objects(self));
}

/* It goes from word to word, and is never without a place. */
TEST_F(publish, object_can_be_held_and_moved)
{
	__u64 at = put(self, 0), held = GOHEAP_DEFERRED | GOHEAP_HELD | at;
	struct goheap_swap s = swap(self, 0, 1, 0, GOHEAP_SWAP_HOLD);

	ASSERT_NE(~0ULL, at);
	s.take = at;
	s.to = 9;
	EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
	EXPECT_EQ(at, s.value);
	EXPECT_EQ(0, self->b.list[9]);
	s.expect = at;
	s.value = 0;
	EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
	EXPECT_EQ(held, self->b.list[9]);
	EXPECT_EQ(0, self->word[0]);
	EXPECT_EQ(0, flush(self->b.ss, 0, 16, NULL));
	EXPECT_EQ(held, self->b.list[9]);
	EXPECT_EQ(1, given(self));

	s = swap(self, 1, 3, at, GOHEAP_SWAP_GIVE_HELD);
	s.give = at;
	s.from = 9;
	EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
	EXPECT_EQ(0, s.value);
	EXPECT_EQ(held, self->b.list[9]);
	s.expect = 0;
	s.value = at;
	EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
	EXPECT_EQ(0, self->b.list[9]);
	EXPECT_EQ(at, self->word[1]);
	side_close(&self->b);
	EXPECT_EQ(1, given(self));
	ASSERT_EQ(0, side_open(&self->b, self->heap));
	EXPECT_EQ(0, free_one(self->b.ss, at));
}

TEST_F(publish, held_object_goes_with_its_session)
{
	__u64 at = put(self, 0), other = put(self, 1);
	struct goheap_swap s[2] = {
		swap(self, 0, at, 0, GOHEAP_SWAP_HOLD),
		swap(self, 1, other, 0, GOHEAP_SWAP_HOLD),
	};

	s[0].take = at;
	s[0].to = 0;
	s[1].take = other;
	s[1].to = 1000;
	EXPECT_EQ(0, publish(self->b.ss, s, 2, NULL));
	/* Or before, by a call. */
	release(&self->b, at, 0);
	EXPECT_EQ(0, flush(self->b.ss, 0, GOHEAP_MAX_BATCH, NULL));
	EXPECT_EQ(1, given(self));
	side_close(&self->b);
	EXPECT_EQ(0, objects(self));
	ASSERT_EQ(0, side_open(&self->b, self->heap));
}

/* One exchange: the new object is found, the old one is held, or freed. */
TEST_F(publish, one_object_takes_the_place_of_another)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		__u64 old = put(self, 0), at = alloc_one(self->b.ss, SIZE);
		struct goheap_swap s;

		s = swap(self, 0, old, at, GOHEAP_SWAP_GIVE |
			 (i ? GOHEAP_SWAP_HOLD : GOHEAP_SWAP_FREE));
		s.give = at;
		s.take = old;
		s.to = 3;
		EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
		EXPECT_EQ(at, self->word[0]);
		EXPECT_EQ(1 + i, given(self));
		EXPECT_EQ(1 + i, objects(self));
		/* And back, what is held. */
		s = swap(self, 0, at, old, GOHEAP_SWAP_FREE |
			 (i ? GOHEAP_SWAP_GIVE_HELD : 0));
		s.give = old;
		s.from = 3;
		s.take = at;
		EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
		EXPECT_EQ(i, given(self));
		self->word[0] = 0;
		if (i)
			EXPECT_EQ(0, free_one(self->b.ss, old));
	}
}

TEST_F(publish, roots_are_words)
{
	__u64 at = alloc_one(self->a.ss, SIZE);
	struct goheap_swap s = {
		.at = GOHEAP_NR_ROOTS - 1,
		.value = at + 1,
		.give = at,
		.flags = GOHEAP_SWAP_ROOT | GOHEAP_SWAP_GIVE,
	};

	EXPECT_EQ(0, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(at + 1, root_get(self->heap, GOHEAP_NR_ROOTS - 1));
	EXPECT_EQ(1, given(self));
	s.at = GOHEAP_NR_ROOTS;
	s.flags = GOHEAP_SWAP_ROOT;
	EXPECT_EQ(-EINVAL, publish(self->a.ss, &s, 1, NULL));
	s.at = ~0ULL;
	EXPECT_EQ(-EINVAL, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(0, free_one(self->a.ss, at));
}

TEST_F(publish, words_are_in_objects_that_one_may_change)
{
	size_t large = 1 << 20;
	__u64 small = alloc_one(self->a.ss, SIZE), last, other, freed;
	__u64 *p = map_at(self->heap, GOHEAP_MMAP_ALLOC, 8192,
			  PROT_READ | PROT_WRITE);
	const __u64 *map = page_map(self->heap, 1);
	struct goheap_swap s = { .value = 77 };
	unsigned int i;
	int err;

	ASSERT_NE(MAP_FAILED, p);
	other = alloc_one(self->b.ss, SIZE);
	last = alloc_one(self->a.ss, large) + large - 8;
	freed = alloc_one(self->a.ss, SIZE);
	free_one(self->a.ss, freed);
	for (i = 0; i < ARENA / HEAP_PAGE && !(map[i] & GOHEAP_PAGE_MMAP); i++)
		;
	const struct {
		__u64 at;
		int err;
	} cases[] = {
		{ small + SIZE - 8, 0 }, { last, 0 }, { i * HEAP_PAGE + 8, 0 },
		{ self->table + TABLE - 8, 0 }, { other, -EPERM },
		{ other + 8, -EPERM }, { freed + 8, -ENOENT },
		{ small + 4, -EINVAL }, { last + 8, -EINVAL },
		{ ARENA - 8, -EINVAL }, { WINDOW, -EINVAL }, { ~7ULL, -EINVAL },
	};

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		s.at = cases[i].at;
		s.value = 77;
		if (!cases[i].err)
			*(__u64 *)(self->win + s.at) = 0;
		err = publish(self->a.ss, &s, 1, NULL);
		EXPECT_EQ(cases[i].err, err);
		if (!err) {
			EXPECT_EQ(0, s.value);
			EXPECT_EQ(77, *(__u64 *)(self->win + s.at));
		}
	}
	EXPECT_EQ(77, p[1]);
	EXPECT_EQ(8, usage(self->heap).bad);
	munmap(p, 8192);
}

/* What an exchange gives or takes; MINE is of the session that asks. */
enum { NONE, MINE, THEIRS, OLD, FREED, HELD, INSIDE, NOWHERE, NR_OPERANDS };

#define GIVE		GOHEAP_SWAP_GIVE
#define GIVE_HELD	GOHEAP_SWAP_GIVE_HELD
#define FREE		GOHEAP_SWAP_FREE
#define HOLD		GOHEAP_SWAP_HOLD
#define RETIRE		GOHEAP_SWAP_RETIRE

static const struct {
	int give, take;
	__u32 flags, from, to;
	int err;
} wrong[] = {
	{ THEIRS, NONE, GIVE, 0, 0, -EPERM },
	{ OLD, NONE, GIVE, 0, 0, -EPERM },
	{ FREED, NONE, GIVE, 0, 0, -ENOENT },
	{ INSIDE, NONE, GIVE, 0, 0, -EINVAL },
	{ NOWHERE, NONE, GIVE, 0, 0, -EINVAL },
	{ NONE, MINE, FREE, 0, 0, -EPERM },
	{ NONE, THEIRS, FREE, 0, 0, -EPERM },
	{ NONE, FREED, FREE, 0, 0, -ENOENT },
	{ NONE, INSIDE, FREE, 0, 0, -EINVAL },
	{ NONE, MINE, HOLD, 0, 0, -EPERM },
	{ MINE, THEIRS, GIVE | FREE, 0, 0, -EPERM },
	{ THEIRS, OLD, GIVE | FREE, 0, 0, -EPERM },
	{ THEIRS, OLD, GIVE | HOLD, 0, 4, -EPERM },
	{ MINE, OLD, GIVE | HOLD, 0, 5, -EBUSY },
	{ MINE, OLD, GIVE | HOLD, 0, GOHEAP_NR_DEFERRED - 1, -EINVAL },
	{ MINE, OLD, GIVE | HOLD, 0, GOHEAP_NR_DEFERRED, -EINVAL },
	{ MINE, OLD, GIVE | HOLD, 0, ~0U, -EINVAL },
	{ OLD, NONE, GIVE_HELD, 7, 0, -EPERM },
	{ MINE, NONE, GIVE_HELD, 6, 0, -EPERM },
	{ HELD, NONE, GIVE_HELD, 0, 0, -EINVAL },
	{ HELD, NONE, GIVE_HELD, 7, 0, -EINVAL },
	{ HELD, NONE, GIVE_HELD, ~0U, 0, -EINVAL },
	{ HELD, NONE, GIVE, 0, 0, -EPERM },
	{ NONE, HELD, FREE, 0, 0, -EPERM },
	{ NONE, HELD, HOLD, 0, 0, -EPERM },
	{ HELD, OLD, GIVE_HELD | HOLD, 8, 8, -EBUSY },
	{ OLD, OLD, GIVE_HELD | FREE, 7, 0, -EINVAL },
	{ MINE, NONE, GIVE | GIVE_HELD, 0, 0, -EINVAL },
	{ NONE, OLD, FREE | HOLD, 0, 0, -EINVAL },
	{ NONE, MINE, RETIRE, 0, 0, -EPERM },
	{ NONE, THEIRS, RETIRE, 0, 0, -EPERM },
	{ NONE, FREED, RETIRE, 0, 0, -ENOENT },
	{ NONE, INSIDE, RETIRE, 0, 0, -EINVAL },
	{ NONE, HELD, RETIRE, 0, 0, -EPERM },
	{ OLD, OLD, GIVE_HELD | RETIRE, 7, 0, -EINVAL },
	{ NONE, OLD, RETIRE | FREE, 0, 0, -EINVAL },
	{ NONE, OLD, RETIRE | HOLD, 0, 5, -EINVAL },
	{ NONE, NONE, 1U << 6, 0, 0, -EINVAL },
	{ NONE, NONE, 1U << 31, 0, 0, -EINVAL },
};

/* An object is held in entry 8, of which the offset is returned. */
static __u64 hold_one(FIXTURE_DATA(publish) *self)
{
	__u64 held = put(self, 4);
	struct goheap_swap take = swap(self, 4, held, 0, HOLD);

	take.take = held;
	take.to = 8;
	return publish(self->b.ss, &take, 1, NULL) ? ~0ULL : held;
}

TEST_F(publish, what_cannot_be_done_changes_nothing)
{
	__u64 mine = alloc_one(self->b.ss, SIZE), old = put(self, 0);
	__u64 freed = alloc_one(self->b.ss, SIZE), held = hold_one(self);
	const __u64 operand[NR_OPERANDS] = {
		[MINE] = mine, [THEIRS] = alloc_one(self->a.ss, SIZE),
		[OLD] = old, [FREED] = freed, [HELD] = held,
		[INSIDE] = mine + 8, [NOWHERE] = ~0ULL,
	};
	unsigned int i, bad, refused = 0;

	ASSERT_EQ(0, free_one(self->b.ss, freed));
	self->b.list[5] = GOHEAP_DEFERRED | old;
	self->b.list[6] = GOHEAP_DEFERRED | GOHEAP_HELD | mine;
	self->b.list[7] = GOHEAP_DEFERRED | GOHEAP_HELD | old;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct goheap_swap s[3] = {
			swap(self, 2, i, i + 1, 0),
			swap(self, 0, old, 99, wrong[i].flags),
			swap(self, 3, 0, 1, 0),
		};

		s[1].give = operand[wrong[i].give];
		s[1].take = operand[wrong[i].take];
		s[1].from = wrong[i].from;
		s[1].to = wrong[i].to;
		EXPECT_EQ(wrong[i].err, publish(self->b.ss, s, 3, &bad));
		EXPECT_EQ(1, bad);
		EXPECT_EQ(i + 1, self->word[2]);
		EXPECT_EQ(old, self->word[0]);
		EXPECT_EQ(99, s[1].value);
		EXPECT_EQ(0, self->word[3]);
		EXPECT_EQ(4, objects(self));
		EXPECT_EQ(2, given(self));
		EXPECT_EQ(0, self->b.list[4]);
		EXPECT_EQ(GOHEAP_DEFERRED | old, self->b.list[5]);
		EXPECT_EQ(GOHEAP_DEFERRED | GOHEAP_HELD | held, self->b.list[8]);
		refused += wrong[i].err != -EBUSY;
	}
	EXPECT_EQ(refused, usage(self->heap).bad);
	memset(self->b.list, 0, 8 * sizeof(__u64));
	release(&self->b, held, 8);
	EXPECT_EQ(0, flush(self->b.ss, 8, 1, NULL));
	EXPECT_EQ(0, free_one(self->b.ss, old));
}

/* Not by a call, nor by a list, even that of who holds it, if it does not say so. */
TEST_F(publish, held_object_is_freed_by_its_entry_alone)
{
	__u64 held = hold_one(self);

	ASSERT_NE(~0ULL, held);
	EXPECT_EQ(-EPERM, free_one(self->a.ss, held));
	EXPECT_EQ(-EPERM, free_one(self->b.ss, held));
	enter(&self->a, self->win, held, SIZE, 0);
	EXPECT_EQ(-EPERM, flush(self->a.ss, 0, 1, NULL));
	enter(&self->b, self->win, held, SIZE, 9);
	EXPECT_EQ(-EPERM, flush(self->b.ss, 9, 1, NULL));
	EXPECT_EQ(1, given(self));
	release(&self->b, held, 8);
	EXPECT_EQ(0, flush(self->b.ss, 8, 1, NULL));
	EXPECT_EQ(0, given(self));
}

/* What a word led to may be gone by the time of the call. */
TEST_F(publish, word_is_compared_first)
{
	__u64 at = put(self, 0);
	struct goheap_swap s = swap(self, 0, at, 0, GOHEAP_SWAP_FREE);
	struct goheap_swap late = s;

	s.take = at;
	late.take = at;
	EXPECT_EQ(0, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(at, s.value);
	EXPECT_EQ(0, publish(self->b.ss, &late, 1, NULL));
	EXPECT_EQ(0, late.value);
	EXPECT_EQ(0, usage(self->heap).bad);
}

/*
 * One process has entered an object in its list, another takes it, or frees it by an
 * exchange, as after a crash: the entry must not free the next one there.
 */
TEST_F(publish, old_entry_frees_neither_what_is_taken_nor_the_next)
{
	unsigned int how;

	for (how = 0; how < 3; how++) {
		__u64 at = put(self, 0);
		struct goheap_swap s = swap(self, 0, at, 0, how ? GOHEAP_SWAP_HOLD :
							    GOHEAP_SWAP_FREE);

		enter(&self->a, self->win, at, SIZE, 0);
		s.take = at;
		s.to = 3;
		EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
		EXPECT_EQ(at, s.value);
		/* Held, or free; or freed by the end of who held it. */
		if (how == 1) {
			EXPECT_EQ(0, flush(self->a.ss, 0, 1, NULL));
			EXPECT_EQ(1, given(self));
			s = swap(self, 0, 0, at, GOHEAP_SWAP_GIVE_HELD);
			s.give = at;
			s.from = 3;
			EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
			EXPECT_EQ(0, free_one(self->b.ss, at));
		} else {
			side_close(&self->b);
			ASSERT_EQ(0, side_open(&self->b, self->heap));
			self->word[0] = 0;
			ASSERT_EQ(at, put(self, 0));
			EXPECT_EQ(0, flush(self->a.ss, 0, 1, NULL));
			EXPECT_EQ(1, given(self));
			EXPECT_EQ(0, free_one(self->b.ss, at));
		}
		self->word[0] = 0;
	}
}

/* What looks like a mark, but is of no session, is data. */
TEST_F(publish, data_of_what_is_taken_stay)
{
	__u64 at = put(self, 0), *data = mark_of(self->win, at, SIZE);
	struct goheap_swap s = swap(self, 0, at, 0, GOHEAP_SWAP_HOLD);
	const __u64 value = GOHEAP_DEFERRED_MARK(self->b.id + 1000, 5);

	s.take = at;
	*data = value;
	EXPECT_EQ(0, publish(self->b.ss, &s, 1, NULL));
	EXPECT_EQ(at, s.value);
	EXPECT_EQ(value, *data);
	release(&self->b, at, 0);
	EXPECT_EQ(0, flush(self->b.ss, 0, 1, NULL));
}

/* An entry that is false frees nothing but what is held. */
TEST_F(publish, end_frees_only_what_is_held)
{
	__u64 at = put(self, 0);

	release(&self->b, at, 0);
	EXPECT_EQ(0, flush(self->b.ss, 0, 1, NULL));
	EXPECT_EQ(1, given(self));
	self->b.list[0] = GOHEAP_DEFERRED | GOHEAP_HELD | at;
	side_close(&self->b);
	EXPECT_EQ(1, given(self));
	ASSERT_EQ(0, side_open(&self->b, self->heap));
	EXPECT_EQ(0, free_one(self->a.ss, at));
}

TEST_F(publish, calls_are_checked)
{
	struct goheap_swap s = swap(self, 0, 0, 1, 0);
	struct goheap_publish r = { .size = sizeof(r), .flags = 2, .count = 1,
				    .swaps = (uintptr_t)&s };

	EXPECT_EQ(-EINVAL, call(self->a.ss, GOHEAP_IOC_PUBLISH, &r));
	EXPECT_EQ(-EINVAL, publish(self->a.ss, &s, 0, NULL));
	EXPECT_EQ(-EINVAL, publish(self->a.ss, &s, GOHEAP_MAX_BATCH + 1, NULL));
	EXPECT_EQ(-EINVAL, publish(self->a.ss, &s, ~0U, NULL));
	EXPECT_EQ(-EFAULT, publish(self->a.ss, NULL, 1, NULL));
	EXPECT_EQ(-EFAULT, publish(self->a.ss, (void *)8, GOHEAP_MAX_BATCH, NULL));
	s.reserved = 1;
	EXPECT_EQ(-EINVAL, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(0, self->word[0]);
}

TEST_F(publish, batches_are_long)
{
	static struct goheap_swap s[GOHEAP_MAX_BATCH];
	__u64 at[WORDS];
	unsigned int i;

	ASSERT_EQ(WORDS, alloc_many(self->a.ss, SIZE, at, WORDS, 0));
	for (i = 0; i < WORDS; i++) {
		s[2 * i] = swap(self, i, 0, at[i] + 1, GOHEAP_SWAP_GIVE);
		s[2 * i].give = at[i];
		s[2 * i + 1] = swap(self, i, at[i] + 1, 0, GOHEAP_SWAP_HOLD);
		s[2 * i + 1].take = at[i];
		s[2 * i + 1].to = i;
	}
	ASSERT_EQ(GOHEAP_MAX_BATCH, 2 * WORDS);
	EXPECT_EQ(0, publish(self->a.ss, s, GOHEAP_MAX_BATCH, NULL));
	for (i = 0; i < GOHEAP_MAX_BATCH; i++)
		EXPECT_EQ(s[i].expect, s[i].value);
	EXPECT_EQ(WORDS, given(self));
	EXPECT_TRUE(all_are(self->word, 0, TABLE));
	side_close(&self->a);
	EXPECT_EQ(0, given(self));
	ASSERT_EQ(0, side_open(&self->a, self->heap));
}

TEST_HARNESS_MAIN
