// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of /dev/goheap: what each does, and the fields that it must refuse.
 */
#include "user_test.h"

#include <sys/resource.h>
#include "user_harness.h"

#define LARGE	(100UL << 10)

/* ---- a heap and a session ----------------------------------------------- */

FIXTURE(heap)
{
	int heap;
	int ss;
	int other;
	__u8 *win;
};

FIXTURE_SETUP(heap)
{
	peek_init();
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, 4 * ARENA));
	self->other = attach(self->heap);
	ASSERT_LE(0, self->other);
}

FIXTURE_TEARDOWN(heap)
{
	struct goheap_usage u;

	EXPECT_TRUE(identities(self->heap));
	close(self->ss);
	close(self->other);
	u = usage(self->heap);
	EXPECT_EQ(0, u.sessions);
	EXPECT_EQ(u.objects, u.given);
	munmap(self->win, 4 * ARENA);
	close(self->heap);
}

TEST_F(heap, unknown_commands_give_enotty)
{
	static const unsigned int known[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17,
					      32, 33, 34, 35, 36, 37, 38, 39 };
	unsigned int nr, dir, i;
	__u64 arg[32] = { 64 };

	for (nr = 0; nr < 256; nr++) {
		for (i = 0; i < ARRAY_SIZE(known) && known[i] != nr; i++)
			;
		for (dir = 0; dir < 4; dir++) {
			if (dir == 3 && i < ARRAY_SIZE(known))
				continue;
			EXPECT_EQ(-ENOTTY,
				  call(self->heap, _IOC(dir, 0xB9, nr, 64),
				       arg));
			EXPECT_EQ(-ENOTTY,
				  call(self->ss, _IOC(dir, 0xB9, nr, 64),
				       arg));
		}
		EXPECT_EQ(-ENOTTY, call(self->heap, _IOWR(0xBA, nr, __u64),
					arg));
	}
	EXPECT_EQ(-ENOTTY, call(self->heap, TIOCGWINSZ, arg));
}

/* ---- INFO --------------------------------------------------------------- */

TEST_F(heap, info_describes_the_heap)
{
	struct goheap_info i = { .size = sizeof(i) };

	ASSERT_EQ(0, call(self->heap, GOHEAP_IOC_INFO, &i));
	EXPECT_EQ(sizeof(i), i.size);
	EXPECT_EQ(GOHEAP_ABI_VERSION, i.version);
	EXPECT_EQ(0, i.features);
	EXPECT_EQ(WINDOW, i.window);
	EXPECT_NE(0, i.base);
	EXPECT_EQ(0, i.base % ARENA);
	EXPECT_EQ(HEAP_PAGE, i.page_size);
	EXPECT_EQ(GOHEAP_NR_CLASSES, i.nr_classes);
	EXPECT_EQ(GOHEAP_MAX_BATCH, i.max_batch);
	EXPECT_EQ(GOHEAP_NR_ROOTS, i.nr_roots);
	EXPECT_EQ(MAX_SMALL, i.max_small);
	EXPECT_EQ(ARENA / HEAP_PAGE * 8, i.map_stride);
}

TEST_F(heap, info_lists_as_many_classes_as_there_is_room_for)
{
	struct goheap_class c[GOHEAP_NR_CLASSES + 2];
	struct goheap_info i = { .size = sizeof(i), .nr_classes = 5 };

	memset(c, 0xff, sizeof(c));
	i.classes = (uintptr_t)c;
	ASSERT_EQ(0, call(self->heap, GOHEAP_IOC_INFO, &i));
	EXPECT_EQ(GOHEAP_NR_CLASSES, i.nr_classes);
	EXPECT_EQ(8, c[1].size);
	EXPECT_EQ(32, c[4].size);
	EXPECT_EQ(~0U, c[5].size);
	i.nr_classes = ~0U;
	ASSERT_EQ(0, call(self->ss, GOHEAP_IOC_INFO, &i));
	EXPECT_EQ(MAX_SMALL, c[GOHEAP_NR_CLASSES - 1].size);
	EXPECT_EQ(~0U, c[GOHEAP_NR_CLASSES].size);
}

TEST_F(heap, info_refuses_a_bad_array)
{
	struct goheap_info i = {
		.size = sizeof(i),
		.nr_classes = 2,
		.classes = 8,
	};

	EXPECT_EQ(-EFAULT, call(self->heap, GOHEAP_IOC_INFO, &i));
	i.nr_classes = 0;
	EXPECT_EQ(0, call(self->heap, GOHEAP_IOC_INFO, &i));
}

TEST_F(heap, info_classes_are_what_alloc_does)
{
	struct goheap_class c[GOHEAP_NR_CLASSES];
	struct goheap_info i = {
		.size = sizeof(i),
		.nr_classes = GOHEAP_NR_CLASSES,
		.classes = (uintptr_t)c,
	};
	unsigned int class;

	ASSERT_EQ(0, call(self->heap, GOHEAP_IOC_INFO, &i));
	for (class = 1; class < GOHEAP_NR_CLASSES; class++) {
		__u64 before = usage(self->heap).heap_bytes;
		__u64 at[GOHEAP_MAX_BATCH];
		unsigned int n = c[class].nelems;

		EXPECT_EQ(0, c[class].reserved);
		EXPECT_LE(c[class].size * n, c[class].npages * HEAP_PAGE);
		ASSERT_EQ(n, alloc_many(self->ss, c[class].size, at, n, 0));
		EXPECT_EQ(before + c[class].npages * HEAP_PAGE,
			  usage(self->heap).heap_bytes);
		EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, n, NULL));
	}
}

/* ---- ATTACH ------------------------------------------------------------- */

static int next_fd(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	close(copy);
	return copy;
}

TEST_F(heap, attach_refuses_unknown_flags)
{
	struct goheap_attach a = { .size = sizeof(a) };
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		a.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_ATTACH, &a));
	}
}

TEST_F(heap, attach_makes_a_file_that_exec_closes)
{
	struct goheap_attach a = { .size = sizeof(a) }, b = a;

	ASSERT_EQ(0, call(self->heap, GOHEAP_IOC_ATTACH, &a));
	ASSERT_EQ(0, call(self->heap, GOHEAP_IOC_ATTACH, &b));
	EXPECT_EQ(FD_CLOEXEC, fcntl(a.fd, F_GETFD));
	EXPECT_NE(0, a.session);
	EXPECT_NE(a.session, b.session);
	EXPECT_EQ(a.session, usage(a.fd).session);
	EXPECT_EQ(0, usage(self->heap).session);
	EXPECT_EQ(4, usage(self->heap).sessions);
	close(a.fd);
	close(b.fd);
	EXPECT_EQ(2, usage(self->heap).sessions);
}

TEST_F(heap, attach_leaves_no_descriptor_when_it_fails)
{
	struct goheap_attach *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int next = next_fd(self->heap);
	unsigned int i;

	ASSERT_NE(MAP_FAILED, a);
	a->size = sizeof(*a);
	ASSERT_EQ(0, mprotect(a, 4096, PROT_READ));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-EFAULT, call(self->heap, GOHEAP_IOC_ATTACH, a));
	EXPECT_EQ(next, next_fd(self->heap));
	EXPECT_EQ(2, usage(self->heap).sessions);
}

TEST_F(heap, attach_needs_a_free_descriptor)
{
	struct rlimit old, none = { 0 };

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, attach(self->heap));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(2, usage(self->heap).sessions);
}

TEST_F(heap, attach_takes_a_quota)
{
	int ss = attach_quota(self->heap, 4 * HEAP_PAGE);

	ASSERT_LE(0, ss);
	EXPECT_EQ(4 * HEAP_PAGE, usage(ss).session_limit);
	EXPECT_EQ(-EDQUOT, alloc_one(ss, 5 * HEAP_PAGE));
	EXPECT_LE(0, alloc_one(ss, 4 * HEAP_PAGE));
	EXPECT_EQ(-EDQUOT, alloc_one(ss, 8));
	close(ss);
}

/* ---- ALLOC -------------------------------------------------------------- */

static int alloc_with(int ss, struct goheap_alloc_req r)
{
	__u64 offsets[4];

	r.size = sizeof(r);
	r.length = r.length ?: 64;
	r.count = r.count ?: 1;
	r.offsets = r.offsets ?: (uintptr_t)offsets;
	return call(ss, GOHEAP_IOC_ALLOC, &r);
}

#define ALLOC_WITH(ss, ...) \
	alloc_with(ss, (struct goheap_alloc_req){ __VA_ARGS__ })

TEST_F(heap, alloc_can_give_at_once)
{
	int other = attach(self->heap);
	__u64 at[200], large;

	ASSERT_EQ(200, alloc_many(self->ss, 64, at, 200, GOHEAP_ALLOC_GIVEN));
	ASSERT_EQ(1, alloc_many(self->ss, 1 << 20, &large, 1,
				GOHEAP_ALLOC_GIVEN | GOHEAP_ALLOC_ZERO |
				GOHEAP_ALLOC_ALL));
	EXPECT_EQ(201, usage(self->heap).given);
	EXPECT_EQ(0, batch(other, GOHEAP_IOC_FREE, at, 200, NULL));
	/* If the offsets cannot be told, there is nothing. */
	EXPECT_EQ(-EFAULT, alloc_many(self->ss, 64, (void *)8, 200,
				      GOHEAP_ALLOC_GIVEN));
	EXPECT_EQ(1, usage(self->heap).given);
	EXPECT_EQ(1, usage(self->heap).objects);
	EXPECT_EQ(0, free_one(other, large));
	close(other);
}

TEST_F(heap, alloc_refuses_what_it_does_not_know)
{
	__u64 offset;
	unsigned int bit;

	for (bit = 3; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, ALLOC_WITH(self->ss, .flags = 1U << bit));
	EXPECT_EQ(-ENOENT, ALLOC_WITH(self->ss, .type = 1));
	EXPECT_EQ(-EINVAL, ALLOC_WITH(self->ss, .count = 1025));
	EXPECT_EQ(-EINVAL, ALLOC_WITH(self->ss, .count = ~0U));
	EXPECT_EQ(-EINVAL, alloc_many(self->ss, 8, &offset, 0, 0));
	EXPECT_EQ(-EINVAL, alloc_many(self->ss, 0, &offset, 1, 0));
	EXPECT_EQ(-EINVAL, ALLOC_WITH(self->ss, .align = 3));
	EXPECT_EQ(-EINVAL, ALLOC_WITH(self->ss, .align = 8 << 20));
	EXPECT_EQ(-EINVAL, ALLOC_WITH(self->ss, .align = 1ULL << 63));
	EXPECT_EQ(-EINVAL, ALLOC_WITH(self->ss, .align = ~0ULL));
	EXPECT_EQ(0, usage(self->heap).allocs);
}

TEST_F(heap, alloc_of_more_than_the_window_gives_enomem)
{
	EXPECT_EQ(-ENOMEM, alloc_one(self->ss, WINDOW + 1));
	EXPECT_EQ(-ENOMEM, alloc_one(self->ss, 1ULL << 63));
	EXPECT_EQ(-ENOMEM, alloc_one(self->ss, ~0ULL));
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

TEST_F(heap, alloc_to_a_bad_array_allocates_nothing)
{
	EXPECT_EQ(-EFAULT, ALLOC_WITH(self->ss, .offsets = 8));
	EXPECT_EQ(-EFAULT, ALLOC_WITH(self->ss, .offsets = ~7ULL, .count = 2));
	EXPECT_EQ(-EFAULT, ALLOC_WITH(self->ss, .offsets = 8, .count = 1024));
	EXPECT_EQ(-EFAULT, ALLOC_WITH(self->ss, .offsets = 8, .length = LARGE));
	EXPECT_EQ(0, usage(self->heap).objects);
}

TEST_F(heap, alloc_gives_distinct_objects_of_every_length)
{
	static __u64 at[GOHEAP_MAX_BATCH];
	size_t length;
	unsigned int i;

	for (length = 1; length <= 8 * MAX_SMALL; length += 1 + length / 2) {
		unsigned int n = length > 4096 ? 20 : 300;

		ASSERT_EQ(n, alloc_many(self->ss, length, at, n, 0));
		for (i = 0; i < n; i++) {
			EXPECT_EQ(0, at[i] % 8);
			memset(self->win + at[i], i, length);
		}
		for (i = 0; i < n; i++)
			EXPECT_TRUE(all_are(self->win + at[i], i, length));
		EXPECT_EQ(n, usage(self->heap).objects);
		EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, n, NULL));
	}
}

TEST_F(heap, alloc_aligns)
{
	static const size_t lengths[] = { 1, 24, 1000, 9000, 40000, 200000 };
	__u64 align, at[3];
	unsigned int i, j;

	for (align = 1; align <= 4 << 20; align *= 2) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			struct goheap_alloc_req r = {
				.size = sizeof(r),
				.length = lengths[i],
				.offsets = (uintptr_t)at,
				.count = 3,
				.align = align,
			};

			ASSERT_EQ(0, call(self->ss, GOHEAP_IOC_ALLOC, &r));
			for (j = 0; j < 3; j++)
				EXPECT_EQ(0, at[j] % align);
			EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, 3,
					   NULL));
		}
	}
}

TEST_F(heap, alloc_zeroes_when_told)
{
	__u64 at[8];
	unsigned int i;

	ASSERT_EQ(8, alloc_many(self->ss, 5000, at, 8, 0));
	for (i = 0; i < 8; i++)
		memset(self->win + at[i], 0xaa, 5000);
	/* One stays, so that the span is not given back. */
	ASSERT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, 7, NULL));
	ASSERT_EQ(8, alloc_many(self->ss, 5000, at, 8, GOHEAP_ALLOC_ZERO));
	for (i = 0; i < 8; i++)
		EXPECT_TRUE(all_are(self->win + at[i], 0, 5000));
}

TEST_F(heap, alloc_gives_fewer_when_a_quota_ends_unless_told)
{
	__u64 at[8];

	ASSERT_EQ(0, set_limit(self->ss, 5 * HEAP_PAGE));
	EXPECT_EQ(-EDQUOT, alloc_many(self->ss, MAX_SMALL + 1, at, 8,
				      GOHEAP_ALLOC_ALL));
	EXPECT_EQ(0, usage(self->heap).objects);
	EXPECT_EQ(1, alloc_many(self->ss, MAX_SMALL + 1, at, 8, 0));
	EXPECT_EQ(-EDQUOT, alloc_many(self->ss, MAX_SMALL + 1, at, 8, 0));
	EXPECT_EQ(1, usage(self->heap).objects);
}

/* ---- FREE and GIVE ------------------------------------------------------ */

static int batch_with(int ss, unsigned long cmd, struct goheap_batch b)
{
	b.size = sizeof(b);
	return call(ss, cmd, &b);
}

static void refuses_bad_batches(struct __test_metadata *_metadata, int ss,
				unsigned long cmd)
{
	__u64 at[2] = { alloc_one(ss, 8), alloc_one(ss, 8) };
	struct goheap_batch b = { .offsets = (uintptr_t)at, .count = 2 };
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		b.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, batch_with(ss, cmd, b));
	}
	b.flags = 0;
	b.count = 0;
	EXPECT_EQ(-EINVAL, batch_with(ss, cmd, b));
	b.count = 1025;
	EXPECT_EQ(-EINVAL, batch_with(ss, cmd, b));
	b.count = ~0U;
	EXPECT_EQ(-EINVAL, batch_with(ss, cmd, b));
	b.count = 2;
	b.offsets = 0;
	EXPECT_EQ(-EFAULT, batch_with(ss, cmd, b));
	b.offsets = ~7ULL;
	EXPECT_EQ(-EFAULT, batch_with(ss, cmd, b));
	b.offsets = 1ULL << 63;
	EXPECT_EQ(-EFAULT, batch_with(ss, cmd, b));
	EXPECT_EQ(2, usage(ss).objects);
	EXPECT_EQ(0, usage(ss).given);
}

TEST_F(heap, free_refuses_bad_batches)
{
	refuses_bad_batches(_metadata, self->ss, GOHEAP_IOC_FREE);
}

TEST_F(heap, give_refuses_bad_batches)
{
	refuses_bad_batches(_metadata, self->ss, GOHEAP_IOC_GIVE);
}

/* What no object starts at; of them, some in a span with objects. */
static void refuses_no_starts(struct __test_metadata *_metadata, int ss,
			      unsigned long cmd)
{
	__u64 small = alloc_one(ss, 64), large = alloc_one(ss, LARGE);
	__u64 wrong[] = {
		small + 1, small + 8, small + 63, large + 1, large + 8192,
		large + LARGE, WINDOW - 8192, WINDOW, WINDOW + small, 1ULL << 41,
		1ULL << 42, 1ULL << 63, ~0ULL,
	};
	unsigned int i, bad;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		__u64 at[2] = { small, wrong[i] };

		EXPECT_EQ(-EINVAL, batch(ss, cmd, at, 2, &bad)) {
			TH_LOG("offset %#lx", (unsigned long)wrong[i]);
		}
		EXPECT_EQ(1, bad);
	}
	EXPECT_EQ(ARRAY_SIZE(wrong), usage(ss).bad);
	EXPECT_EQ(2, usage(ss).objects);
	EXPECT_EQ(0, usage(ss).given);
}

TEST_F(heap, free_refuses_what_is_not_the_start_of_an_object)
{
	refuses_no_starts(_metadata, self->ss, GOHEAP_IOC_FREE);
}

TEST_F(heap, give_refuses_what_is_not_the_start_of_an_object)
{
	refuses_no_starts(_metadata, self->ss, GOHEAP_IOC_GIVE);
}

TEST_F(heap, free_takes_an_object_once)
{
	__u64 at[3], twice[3];
	unsigned int bad;

	ASSERT_EQ(3, alloc_many(self->ss, 64, at, 3, 0));
	twice[0] = at[1];
	twice[1] = at[0];
	twice[2] = at[1];
	EXPECT_EQ(-ENOENT, batch(self->ss, GOHEAP_IOC_FREE, twice, 3, &bad));
	EXPECT_EQ(2, bad);
	EXPECT_EQ(3, usage(self->heap).objects);
	EXPECT_EQ(0, free_one(self->ss, at[0]));
	EXPECT_EQ(-ENOENT, free_one(self->ss, at[0]));
	EXPECT_EQ(-ENOENT, batch(self->ss, GOHEAP_IOC_FREE, at, 3, &bad));
	EXPECT_EQ(0, bad);
	EXPECT_EQ(2, usage(self->heap).objects);
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at + 1, 2, NULL));
}

TEST_F(heap, free_takes_a_given_object_once)
{
	__u64 at[3], twice[3];
	unsigned int bad;

	ASSERT_EQ(3, alloc_many(self->ss, 64, at, 3, 0));
	ASSERT_EQ(0, batch(self->ss, GOHEAP_IOC_GIVE, at, 3, NULL));
	twice[0] = at[1];
	twice[1] = at[0];
	twice[2] = at[1];
	EXPECT_EQ(-ENOENT, batch(self->other, GOHEAP_IOC_FREE, twice, 3,
				 &bad));
	EXPECT_EQ(2, bad);
	EXPECT_EQ(3, usage(self->heap).given);
	EXPECT_EQ(0, batch(self->other, GOHEAP_IOC_FREE, at, 3, NULL));
	EXPECT_EQ(0, usage(self->heap).given);
	EXPECT_EQ(0, usage(self->heap).objects);
}

TEST_F(heap, private_objects_are_their_sessions)
{
	__u64 at[2] = { alloc_one(self->other, 64),
			   alloc_one(self->ss, 64) };
	unsigned int bad;

	EXPECT_EQ(-EPERM, batch(self->other, GOHEAP_IOC_FREE, at, 2, &bad));
	EXPECT_EQ(1, bad);
	EXPECT_EQ(-EPERM, batch(self->other, GOHEAP_IOC_GIVE, at, 2, &bad));
	EXPECT_EQ(1, bad);
	EXPECT_EQ(0, usage(self->heap).given);
	EXPECT_EQ(2, usage(self->heap).objects);
}

TEST_F(heap, batch_of_own_and_given_objects_is_freed)
{
	static __u64 at[GOHEAP_MAX_BATCH];
	unsigned int half = GOHEAP_MAX_BATCH / 2, bad;

	ASSERT_EQ(half, alloc_many(self->ss, 100, at, half, 0));
	ASSERT_EQ(half, alloc_many(self->other, 100, at + half, half, 0));
	EXPECT_EQ(-EPERM, batch(self->ss, GOHEAP_IOC_FREE, at, 2 * half,
				&bad));
	EXPECT_EQ(half, bad);
	ASSERT_EQ(0, batch(self->other, GOHEAP_IOC_GIVE, at + half, half,
			   NULL));
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, 2 * half, NULL));
	EXPECT_EQ(0, usage(self->heap).objects);
}

TEST_F(heap, give_takes_an_object_once)
{
	__u64 at[3];
	unsigned int bad;

	ASSERT_EQ(3, alloc_many(self->ss, 64, at, 3, 0));
	at[2] = at[0];
	EXPECT_EQ(-EPERM, batch(self->ss, GOHEAP_IOC_GIVE, at, 3, &bad));
	EXPECT_EQ(2, bad);
	EXPECT_EQ(0, usage(self->heap).given);
	EXPECT_EQ(0, give_one(self->ss, at[1]));
	EXPECT_EQ(-EPERM, give_one(self->ss, at[1]));
	EXPECT_EQ(-EPERM, give_one(self->other, at[1]));
	EXPECT_EQ(1, usage(self->heap).given);
	EXPECT_EQ(0, free_one(self->ss, at[0]));
	EXPECT_EQ(-ENOENT, give_one(self->ss, at[0]));
}

/* ---- RESIZE ------------------------------------------------------------- */

TEST_F(heap, resize_refuses_what_it_does_not_know)
{
	__u64 large = alloc_one(self->ss, LARGE);
	struct goheap_resize r = {
		.size = sizeof(r),
		.offset = large,
		.length = LARGE,
	};
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		r.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, call(self->ss, GOHEAP_IOC_RESIZE, &r));
	}
	EXPECT_EQ(-EINVAL, resize(self->ss, large, 0));
	EXPECT_EQ(-EINVAL, resize(self->ss, large, MAX_SMALL));
	EXPECT_EQ(-EINVAL, resize(self->ss, large + HEAP_PAGE, LARGE));
	EXPECT_EQ(-EINVAL, resize(self->ss, large + 1, LARGE));
	EXPECT_EQ(-EINVAL, resize(self->ss, WINDOW, LARGE));
	EXPECT_EQ(-EINVAL, resize(self->ss, ~0ULL, LARGE));
	EXPECT_EQ(-EINVAL, resize(self->ss, alloc_one(self->ss, 64), LARGE));
	EXPECT_EQ(-ENOMEM, resize(self->ss, large, WINDOW + 1));
	EXPECT_EQ(-ENOMEM, resize(self->ss, large, ~0ULL));
	EXPECT_EQ(-EPERM, resize(self->other, large, LARGE));
	ASSERT_EQ(0, give_one(self->ss, large));
	EXPECT_EQ(-EPERM, resize(self->ss, large, LARGE));
}

TEST_F(heap, resize_keeps_what_is_there_and_zeroes_the_rest)
{
	__u64 at = alloc_one(self->ss, LARGE);
	__u8 *p = self->win + at;

	memset(p, 0x5a, LARGE);
	ASSERT_EQ(0, resize(self->ss, at, 40000));
	EXPECT_EQ(5 * HEAP_PAGE, usage(self->ss).session_bytes);
	EXPECT_EQ(SIGBUS, peek(p + 5 * HEAP_PAGE));
	ASSERT_EQ(0, resize(self->ss, at, 10 * LARGE));
	EXPECT_TRUE(all_are(p, 0x5a, 40000));
	EXPECT_TRUE(all_are(p + 5 * HEAP_PAGE, 0, 10 * LARGE - 5 * HEAP_PAGE));
	EXPECT_EQ(10 * LARGE, usage(self->heap).object_bytes);
	EXPECT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

TEST_F(heap, resize_fails_if_something_is_behind)
{
	__u64 at[2];
	__u64 before;

	ASSERT_EQ(2, alloc_many(self->ss, LARGE, at, 2, 0));
	before = usage(self->heap).heap_bytes;
	EXPECT_EQ(-ENOSPC, resize(self->ss, at[0], 2 * LARGE));
	EXPECT_EQ(before, usage(self->heap).heap_bytes);
	EXPECT_EQ(before, usage(self->ss).session_bytes);
	EXPECT_EQ(0, free_one(self->ss, at[1]));
	EXPECT_EQ(0, resize(self->ss, at[0], 2 * LARGE));
}

TEST_F(heap, resize_keeps_to_quotas)
{
	__u64 at = alloc_one(self->ss, LARGE);

	ASSERT_EQ(0, set_limit(self->ss, 2 * LARGE));
	EXPECT_EQ(-EDQUOT, resize(self->ss, at, 4 * LARGE));
	/* Nothing is spent on what cannot be had. */
	EXPECT_EQ(-EDQUOT, resize(self->ss, at, WINDOW));
	EXPECT_EQ(0, set_limit(self->ss, 0));
	EXPECT_EQ(0, set_limit(self->heap, 2 * LARGE));
	EXPECT_EQ(-EDQUOT, resize(self->ss, at, 4 * LARGE));
	EXPECT_EQ(0, resize(self->ss, at, 2 * LARGE - HEAP_PAGE));
}

/* ---- ROOT --------------------------------------------------------------- */

TEST_F(heap, root_refuses_what_it_does_not_know)
{
	struct goheap_root r = { .size = sizeof(r) };
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		r.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_ROOT, &r));
	}
	r.flags = 0;
	r.reserved = 1;
	EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_ROOT, &r));
	r.reserved = 0;
	r.index = GOHEAP_NR_ROOTS;
	EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_ROOT, &r));
	r.index = ~0U;
	EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_ROOT, &r));
}

TEST_F(heap, roots_are_exchanged_if_they_are_what_is_expected)
{
	unsigned int i;

	for (i = 0; i < GOHEAP_NR_ROOTS; i++) {
		EXPECT_EQ(0, root_get(self->ss, i));
		EXPECT_FALSE(root_swap(self->ss, i, 1, 2));
		EXPECT_TRUE(root_swap(self->ss, i, 0, 100 + i));
	}
	for (i = 0; i < GOHEAP_NR_ROOTS; i++)
		EXPECT_EQ(100 + i, root_get(self->heap, i));
	EXPECT_EQ(1, IN_CHILD(root_swap(self->heap, 3, 103, ~0ULL)));
	EXPECT_EQ(~0ULL, root_get(self->other, 3));
}

/* ---- LIMIT -------------------------------------------------------------- */

TEST_F(heap, limit_refuses_unknown_flags)
{
	struct goheap_limit l = { .size = sizeof(l) };
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		l.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_LIMIT, &l));
		EXPECT_EQ(-EINVAL, call(self->ss, GOHEAP_IOC_LIMIT, &l));
	}
}

TEST_F(heap, limit_says_what_is_held)
{
	struct goheap_limit l = { .size = sizeof(l), .limit = 1 };

	ASSERT_LE(0, alloc_one(self->ss, 16 * HEAP_PAGE));
	ASSERT_LE(0, alloc_one(self->other, 8 * HEAP_PAGE));
	ASSERT_EQ(0, call(self->heap, GOHEAP_IOC_LIMIT, &l));
	EXPECT_EQ(0, l.limit);
	EXPECT_EQ(24 * HEAP_PAGE, l.used);
	ASSERT_EQ(0, call(self->ss, GOHEAP_IOC_LIMIT, &l));
	EXPECT_EQ(16 * HEAP_PAGE, l.used);
	ASSERT_EQ(0, set_limit(self->ss, 5 * HEAP_PAGE + 1));
	EXPECT_EQ(5 * HEAP_PAGE, usage(self->ss).session_limit);
	EXPECT_EQ(0, usage(self->other).session_limit);
	EXPECT_EQ(-EDQUOT, alloc_one(self->ss, 64));
	EXPECT_LE(0, alloc_one(self->other, 64));
}

TEST_F(heap, limit_is_one_page_at_least)
{
	struct goheap_limit l = {
		.size = sizeof(l),
		.flags = GOHEAP_LIMIT_SET,
		.limit = 1,
	};

	ASSERT_EQ(0, call(self->ss, GOHEAP_IOC_LIMIT, &l));
	EXPECT_EQ(HEAP_PAGE, l.limit);
	EXPECT_EQ(-EDQUOT, alloc_one(self->ss, 2 * MAX_SMALL));
	EXPECT_LE(0, alloc_one(self->ss, 8));
}

static int set_limit_as_nobody(int heap)
{
	return become_nobody() ?: set_limit(heap, 1 << 20);
}

TEST_F(heap, limit_of_a_heap_is_its_creators)
{
	EXPECT_EQ(EPERM, IN_CHILD(-set_limit_as_nobody(self->heap)));
	EXPECT_EQ(0, IN_CHILD(-set_limit(self->heap, 1 << 20)));
	EXPECT_EQ(1 << 20, usage(self->heap).heap_limit);
}

/* ---- STATS -------------------------------------------------------------- */

TEST_F(heap, stats_count)
{
	__u64 at[10];
	struct goheap_usage u;

	ASSERT_EQ(10, alloc_many(self->ss, 1000, at, 10, 0));
	ASSERT_EQ(0, batch(self->ss, GOHEAP_IOC_GIVE, at, 3, NULL));
	ASSERT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at + 2, 2, NULL));
	u = usage(self->ss);
	EXPECT_EQ(8, u.objects);
	EXPECT_EQ(8 * 1024, u.object_bytes);
	EXPECT_EQ(2, u.given);
	EXPECT_EQ(10, u.allocs);
	EXPECT_EQ(2, u.frees);
	EXPECT_EQ(0, u.reclaimed);
	EXPECT_EQ(2, u.sessions);
	EXPECT_EQ(0, u.deaths);
	EXPECT_EQ(0, u.pinned);
	EXPECT_EQ(u.heap_bytes, u.session_bytes);
	EXPECT_EQ(u.heap_bytes, u.peak_bytes);
	EXPECT_EQ(0, usage(self->heap).session_bytes);
	close(self->ss);
	u = usage(self->heap);
	EXPECT_EQ(2, u.objects);
	EXPECT_EQ(2, u.given);
	EXPECT_EQ(10, u.allocs);
	EXPECT_EQ(8, u.frees);
	EXPECT_EQ(6, u.reclaimed);
	EXPECT_EQ(1, u.sessions);
	EXPECT_EQ(1, u.deaths);
}

/* ---- TRIM --------------------------------------------------------------- */

TEST_F(heap, trim_refuses_unknown_flags)
{
	struct goheap_trim t = { .size = sizeof(t) };
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		t.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_TRIM, &t));
		EXPECT_EQ(-EINVAL, call(self->ss, GOHEAP_IOC_TRIM, &t));
	}
}

TEST_F(heap, trim_gives_back_what_is_not_used)
{
	__u64 at = alloc_one(self->ss, 64), other = alloc_one(self->other,
								  64);

	EXPECT_EQ(0, trim(self->ss));
	ASSERT_EQ(0, free_one(self->ss, at));
	ASSERT_EQ(0, free_one(self->other, other));
	EXPECT_EQ(2 * HEAP_PAGE, usage(self->heap).heap_bytes);
	EXPECT_EQ(HEAP_PAGE, trim(self->ss));
	EXPECT_EQ(HEAP_PAGE, trim(self->heap));
	EXPECT_EQ(0, trim(self->heap));
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
	EXPECT_EQ(SIGBUS, peek(self->win + at));
}

TEST_HARNESS_MAIN
