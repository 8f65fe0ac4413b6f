// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deferred frees: what a process has entered in its session's list is freed by a
 * call, or when the session ends, and never if another process has it by then.
 */
#include "user_test.h"

#include <sys/resource.h>

#include "user_harness.h"
#include "user_side.h"

#define PAGE		4096UL
#define PER_PAGE	(HEAP_PAGE / sizeof(__u64))
#define LARGE		1048576UL

FIXTURE(defer)
{
	int heap;
	__u8 *win;
	struct side a;
	struct side b;
};

FIXTURE_SETUP(defer)
{
	int ss;

	ASSERT_EQ(0, setup_heap(&self->heap, &ss, &self->win, ARENA));
	close(ss);
	ASSERT_EQ(0, side_open(&self->a, self->heap));
	ASSERT_EQ(0, side_open(&self->b, self->heap));
	peek_init();
}

FIXTURE_TEARDOWN(defer)
{
	EXPECT_TRUE(identities(self->heap));
	side_close(&self->a);
	side_close(&self->b);
	EXPECT_EQ(0, usage(self->heap).objects);
	trim(self->heap);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
	munmap(self->win, ARENA);
	close(self->heap);
}

/* An object of A's that is given. */
static __u64 given(FIXTURE_DATA(defer) *self, size_t length)
{
	__u64 at = alloc_one(self->a.ss, length);

	return give_one(self->a.ss, at) ? ~0ULL : at;
}

/* ---- the list ----------------------------------------------------------- */

TEST_F(defer, entries_have_memory_where_it_was_asked_for)
{
	int ss = attach(self->heap);
	__u64 *list = list_map(ss);
	unsigned int last = GOHEAP_NR_DEFERRED - 1;

	ASSERT_NE(MAP_FAILED, list);
	EXPECT_EQ(SIGBUS, peek(list));
	EXPECT_EQ(0, defer(ss, PER_PAGE - 1, 2));
	EXPECT_TRUE(all_are(list, 0, 2 * HEAP_PAGE));
	EXPECT_EQ(SIGBUS, peek(list + 2 * PER_PAGE));
	EXPECT_EQ(SIGBUS, peek(list + last));
	EXPECT_EQ(0, defer(ss, last, 1));
	EXPECT_EQ(0, list[last]);
	list[last] = 5;
	/* Again: it stays as it is. */
	EXPECT_EQ(0, defer(ss, last, 1));
	EXPECT_EQ(5, list[last]);
	munmap(list, LIST_BYTES);
	close(ss);
}

TEST_F(defer, only_its_process_maps_it)
{
	int ss = self->a.ss, ended = ended_session(self->heap);
	int prot = PROT_READ | PROT_WRITE;
	void *p;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, prot, MAP_PRIVATE, ss, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIDE_BYTES + PAGE, prot, MAP_SHARED,
				   ss, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, prot, MAP_SHARED, ss,
				   SIDE_BYTES));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 2 * PAGE, prot, MAP_SHARED, ss,
				   SIDE_BYTES - PAGE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_EXEC, MAP_SHARED, ss, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, prot, MAP_SHARED, ended, 0));
	EXPECT_EQ(EOWNERDEAD, errno);
	close(ended);

	p = mmap(NULL, PAGE, prot, MAP_SHARED, ss, LIST_BYTES - PAGE);
	EXPECT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(MAP_FAILED, mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	munmap(p, PAGE);

	EXPECT_EQ(EPERM, IN_CHILD(mmap(NULL, PAGE, prot, MAP_SHARED, ss, 0) ==
				  MAP_FAILED ? errno : 0));
	EXPECT_EQ(SIGSEGV, IN_CHILD(peek(self->a.list)));
}

TEST_F(defer, ranges_are_checked)
{
	static const struct {
		__u32 first, count;
	} wrong[] = {
		{ 0, 0 }, { 0, GOHEAP_MAX_BATCH + 1 }, { 0, ~0U },
		{ GOHEAP_NR_DEFERRED, 1 }, { GOHEAP_NR_DEFERRED - 1, 2 },
		{ ~0U, 1 }, { ~0U, GOHEAP_MAX_BATCH }, { 1U << 31, 1 },
	};
	struct goheap_defer d = { .size = sizeof(d), .flags = 2, .count = 1 };
	struct goheap_flush f = { .size = sizeof(f), .flags = 1, .count = 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, defer(self->a.ss, wrong[i].first,
					 wrong[i].count));
		EXPECT_EQ(-EINVAL, flush(self->a.ss, wrong[i].first,
					 wrong[i].count, NULL));
	}
	EXPECT_EQ(-EINVAL, call(self->a.ss, GOHEAP_IOC_DEFER, &d));
	EXPECT_EQ(-EINVAL, call(self->a.ss, GOHEAP_IOC_FLUSH, &f));
	f.flags = 0;
	f.reserved = 1;
	EXPECT_EQ(-EINVAL, call(self->a.ss, GOHEAP_IOC_FLUSH, &f));
	EXPECT_EQ(0, flush(self->a.ss, GOHEAP_NR_DEFERRED - GOHEAP_MAX_BATCH,
			   GOHEAP_MAX_BATCH, NULL));
}

/* A user without rights, who may lock @bytes, can do this as often as he likes. */
static int defer_as_nobody(int heap, size_t bytes)
{
	struct rlimit most = { bytes, bytes };
	unsigned int i;
	int err = 0, ss;

	setrlimit(RLIMIT_MEMLOCK, &most);
	if (become_nobody())
		return 1;
	for (i = 0; !err && i < 100; i++) {
		ss = attach(heap);
		err = ss < 0 ? ss : defer(ss, PER_PAGE - 1, 2);
		close(ss);
	}
	return -err;
}

TEST_F(defer, its_memory_is_paid_for)
{
	/* A page for the session, and two for its list. */
	EXPECT_EQ(0, IN_CHILD(defer_as_nobody(self->heap, 3 * HEAP_PAGE)));
	EXPECT_EQ(ENOMEM, IN_CHILD(defer_as_nobody(self->heap, 2 * HEAP_PAGE)));
	EXPECT_EQ(ENOMEM, IN_CHILD(defer_as_nobody(self->heap, 0)));
}

/* ---- calls -------------------------------------------------------------- */

TEST_F(defer, entered_objects_are_freed_by_a_call)
{
	static const size_t lengths[] = { 8, 16, 64, 9472, 32768, LARGE };
	unsigned int i, n = ARRAY_SIZE(lengths);
	__u64 at[n], frees = usage(self->heap).frees;

	for (i = 0; i < n; i++) {
		at[i] = given(self, lengths[i]);
		enter(&self->b, self->win, at[i], lengths[i], 2 * i);
	}
	self->b.list[1] = at[0];
	ASSERT_EQ(n, usage(self->heap).given);
	/* But for the last. */
	EXPECT_EQ(0, flush(self->b.ss, 0, 2 * n - 2, NULL));
	EXPECT_EQ(1, usage(self->heap).given);
	EXPECT_EQ(frees + n - 1, usage(self->heap).frees);
	for (i = 0; i < n - 1; i++)
		EXPECT_EQ(0, self->b.list[2 * i]);
	/* Without the bit it is no entry. */
	EXPECT_EQ(at[0], self->b.list[1]);
	EXPECT_EQ(0, flush(self->b.ss, 2 * n - 2, 1, NULL));
	EXPECT_EQ(0, usage(self->heap).objects);
	EXPECT_EQ(0, flush(self->b.ss, 0, GOHEAP_MAX_BATCH, NULL));
}

/* A library cannot tell its own objects from given ones that are in the same span. */
TEST_F(defer, own_objects_can_be_entered)
{
	__u64 at = alloc_one(self->b.ss, 64);

	enter(&self->b, self->win, at, 64, 7);
	EXPECT_EQ(0, flush(self->b.ss, 0, 8, NULL));
	EXPECT_EQ(0, usage(self->heap).objects);
}

TEST_F(defer, without_its_mark_an_object_stays)
{
	__u64 at = given(self, 64), *mark = mark_of(self->win, at, 64);
	const __u64 wrong[] = {
		0, ~0ULL, GOHEAP_DEFERRED_MARK(self->a.id, 3),
		GOHEAP_DEFERRED_MARK(self->b.id, 2),
		GOHEAP_DEFERRED_MARK(self->b.id, 3) ^ 1ULL << 63,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		enter(&self->b, self->win, at, 64, 3);
		*mark = wrong[i];
		EXPECT_EQ(0, flush(self->b.ss, 3, 1, NULL));
		EXPECT_EQ(0, self->b.list[3]);
		EXPECT_EQ(wrong[i], *mark);
		EXPECT_EQ(1, usage(self->heap).given);
	}
	EXPECT_EQ(0, usage(self->heap).bad);
	EXPECT_EQ(0, free_one(self->b.ss, at));
}

TEST_F(defer, late_free_does_not_hit_the_next_owner)
{
	static const size_t lengths[] = { 8, 64, 32768, LARGE };
	unsigned int i, n = ARRAY_SIZE(lengths);
	__u64 at[n];

	for (i = 0; i < n; i++) {
		at[i] = given(self, lengths[i]);
		enter(&self->b, self->win, at[i], lengths[i], i);
		/* It is freed, and another process gets it. */
		EXPECT_EQ(0, free_one(self->a.ss, at[i]));
		ASSERT_EQ(at[i], given(self, lengths[i]));
	}
	EXPECT_EQ(0, flush(self->b.ss, 0, n / 2, NULL));
	EXPECT_EQ(n, usage(self->heap).given);
	side_close(&self->b);
	EXPECT_EQ(n, usage(self->heap).given);
	EXPECT_EQ(0, usage(self->heap).bad);
	EXPECT_EQ(0, batch(self->a.ss, GOHEAP_IOC_FREE, at, n, NULL));
	ASSERT_EQ(0, side_open(&self->b, self->heap));
}

TEST_F(defer, what_is_refused_is_told)
{
	__u64 mine = given(self, 64), others = alloc_one(self->a.ss, 64);
	__u64 freed = alloc_one(self->a.ss, 64), last = given(self, 64);
	const struct {
		__u64 at;
		int err;
	} wrong[] = {
		{ others, -EPERM }, { freed, -ENOENT }, { mine + 8, -EINVAL },
		{ WINDOW - 64, -EINVAL }, { WINDOW, -EINVAL },
		{ ~0ULL >> 3, -EINVAL }, { 1ULL << 60 | mine, -EINVAL },
	};
	unsigned int i;
	struct goheap_flush f;

	ASSERT_EQ(0, free_one(self->a.ss, freed));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		*mark_of(self->win, others, 64) =
			GOHEAP_DEFERRED_MARK(self->b.id, 4);
		*mark_of(self->win, freed, 64) =
			GOHEAP_DEFERRED_MARK(self->b.id, 4);
		self->b.list[4] = GOHEAP_DEFERRED | wrong[i].at;
		enter(&self->b, self->win, last, 64, 5);
		EXPECT_EQ(wrong[i].err, flush(self->b.ss, 0, 8, &f));
		EXPECT_EQ(4, f.bad);
		EXPECT_EQ(wrong[i].at, f.offset);
		EXPECT_EQ(0, self->b.list[4]);
		EXPECT_NE(0, self->b.list[5]);
		EXPECT_EQ(i + 1, usage(self->heap).bad);
		EXPECT_EQ(3, usage(self->heap).objects);
	}
	EXPECT_EQ(0, flush(self->b.ss, 0, 8, &f));
	EXPECT_EQ(2, usage(self->heap).objects);
	EXPECT_EQ(0, free_one(self->b.ss, mine));
}

/* ---- the end ------------------------------------------------------------ */

enum end { CLOSES, EXITS, EXECS, KILLED, NR_ENDS };

static void end_how(enum end how, int ss)
{
	switch (how) {
	case CLOSES:
		close(ss);
		pause();
		break;
	case EXECS:
		execl("/bin/sleep", "sleep", "1000", NULL);
		break;
	case EXITS:
		_exit(0);
	default:
		raise(SIGKILL);
	}
	_exit(1);
}

/* All that it enters are given objects; some lie at the ends of the list's pages. */
static void enter_and_end(int heap, __u8 *win, const __u64 *at, unsigned int n,
			  enum end how)
{
	struct side s;
	unsigned int i;

	if (side_open(&s, heap) || defer(s.ss, GOHEAP_NR_DEFERRED - 1, 1))
		_exit(1);
	for (i = 0; i < n - 1; i++)
		enter(&s, win, at[i], 64, i % 2 ? i * 2 - 1 : i * 2);
	enter(&s, win, at[i], 64, GOHEAP_NR_DEFERRED - 1);
	end_how(how, s.ss);
}

TEST_F(defer, nothing_is_lost_however_the_session_ends)
{
	unsigned int i, n = 500;
	__u64 deaths, at[n];
	enum end how;
	pid_t pid;

	for (how = 0; how < NR_ENDS; how++) {
		ASSERT_EQ(n, alloc_many(self->a.ss, 64, at, n, 0));
		ASSERT_EQ(0, batch(self->a.ss, GOHEAP_IOC_GIVE, at, n, NULL));
		deaths = usage(self->heap).deaths;
		pid = fork_bound();
		if (!pid)
			enter_and_end(self->heap, self->win, at, n, how);
		for (i = 0; i < 3000 && usage(self->heap).deaths == deaths; i++)
			usleep(10000);
		EXPECT_EQ(0, usage(self->heap).given);
		EXPECT_EQ(0, usage(self->heap).objects);
		kill(pid, SIGKILL);
		wait_for(pid);
	}
}

/* Also what a thread enters that does not know of the end yet. */
TEST_F(defer, what_is_entered_after_the_end_is_freed_with_the_mapping)
{
	__u64 at = given(self, 64);

	close(self->b.ss);
	enter(&self->b, self->win, at, 64, 0);
	EXPECT_EQ(1, usage(self->heap).given);
	munmap(self->b.list, LIST_BYTES);
	EXPECT_EQ(0, usage(self->heap).given);
	ASSERT_EQ(0, side_open(&self->b, self->heap));
}

TEST_F(defer, what_the_end_frees_is_counted)
{
	__u64 before = usage(self->heap).reclaimed;

	enter(&self->b, self->win, given(self, 64), 64, 0);
	EXPECT_EQ(0, flush(self->b.ss, 0, 1, NULL));
	EXPECT_EQ(before, usage(self->heap).reclaimed);
	enter(&self->b, self->win, given(self, 64), 64, 0);
	side_close(&self->b);
	EXPECT_EQ(before + 1, usage(self->heap).reclaimed);
	ASSERT_EQ(0, side_open(&self->b, self->heap));
}

TEST_F(defer, what_cannot_be_freed_does_not_keep_the_rest)
{
	__u64 at[3] = { given(self, 64), alloc_one(self->a.ss, 64),
			given(self, 64) };
	__u64 own = alloc_one(self->b.ss, 64);

	enter(&self->b, self->win, at[0], 64, 0);
	enter(&self->b, self->win, at[1], 64, 1);
	self->b.list[2] = ~0ULL;
	enter(&self->b, self->win, own, 64, 3);
	enter(&self->b, self->win, at[2], 64, 4);
	side_close(&self->b);
	EXPECT_EQ(0, usage(self->heap).given);
	EXPECT_EQ(1, usage(self->heap).objects);
	ASSERT_EQ(0, side_open(&self->b, self->heap));
}

TEST_HARNESS_MAIN
