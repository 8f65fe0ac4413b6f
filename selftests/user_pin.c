// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that the kernel holds, by way of goheap_user_client.ko: it pins what a
 * process names, and reads and writes it for whoever asks.
 */
#include "user_side.h"

#include "user_harness.h"

#define CLIENT	"/sys/kernel/debug/goheap_user_client"
#define MODULE	"/lib/goheap/goheap_user_client.ko"
#define LARGE	(100UL << 10)

FIXTURE(pin)
{
	int heap;
	int ss;
	int text;
	__u8 *win;
};

FIXTURE_SETUP(pin)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	peek_init();
	ASSERT_EQ(0, syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	self->text = open(CLIENT "/text", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->text);
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
}

FIXTURE_TEARDOWN(pin)
{
	EXPECT_EQ(0, write_text(CLIENT "/pin", "none"));
	EXPECT_EQ(0, usage(self->heap).pinned);
	EXPECT_TRUE(identities(self->heap));
	close(self->text);
	close(self->ss);
	EXPECT_EQ(usage(self->heap).given, usage(self->heap).objects);
	munmap(self->win, ARENA);
	close(self->heap);
	ASSERT_EQ(0, syscall(SYS_delete_module, "goheap_user_client",
			     O_NONBLOCK));
}

static int hold(int fd, __u64 offset, __u64 len)
{
	char words[64];

	snprintf(words, sizeof(words), "%d %llu %llu", fd, offset, len);
	return write_text(CLIENT "/pin", words);
}

static int let_go(void)
{
	return write_text(CLIENT "/pin", "none");
}

/* The kernel and the process see the same bytes, from first to last. */
static bool same_bytes(int text, __u8 *p, size_t len)
{
	static __u8 buffer[2 * LARGE];

	memset(p, 0, len);
	p[0] = 1;
	p[len - 1] = 2;
	if (pread(text, buffer, sizeof(buffer), 0) != (ssize_t)len ||
	    memcmp(buffer, p, len))
		return false;
	memset(buffer, 0xc3, len);
	return pwrite(text, buffer, len, 0) == (ssize_t)len &&
	       all_are(p, 0xc3, len);
}

TEST_F(pin, objects_of_every_kind_can_be_pinned)
{
	static const size_t lengths[] = { 1, 8, 100, 5000, 9472, 32768, LARGE };
	unsigned int i, j;
	__u64 at[20];

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		ASSERT_EQ(20, alloc_many(self->ss, lengths[i], at, 20, 0));
		/* Some straddle a page. */
		for (j = 0; j < 20; j++) {
			ASSERT_EQ(0, hold(self->heap, at[j], lengths[i]));
			EXPECT_EQ(1, usage(self->heap).pinned);
			EXPECT_TRUE(same_bytes(self->text, self->win + at[j],
					       lengths[i]));
		}
		ASSERT_EQ(0, let_go());
		ASSERT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, 20, NULL));
	}
}

TEST_F(pin, part_of_an_object_can_be_pinned)
{
	__u64 at = alloc_one(self->ss, LARGE);

	ASSERT_EQ(0, hold(self->heap, at + 4090, 12));
	EXPECT_TRUE(same_bytes(self->text, self->win + at + 4090, 12));
	ASSERT_EQ(0, hold(self->heap, at + LARGE - 1, 1));
	EXPECT_TRUE(same_bytes(self->text, self->win + at + LARGE - 1, 1));
}

TEST_F(pin, what_is_not_in_one_object_is_refused)
{
	__u64 small = alloc_one(self->ss, 64);
	__u64 large = alloc_one(self->ss, LARGE);
	size_t room = (LARGE + HEAP_PAGE - 1) & ~(HEAP_PAGE - 1);

	EXPECT_EQ(-EINVAL, hold(self->heap, small, 0));
	EXPECT_EQ(-EINVAL, hold(self->heap, small, 65));
	EXPECT_EQ(-EINVAL, hold(self->heap, small + 1, 64));
	EXPECT_EQ(-EINVAL, hold(self->heap, small + 63, 2));
	EXPECT_EQ(-EINVAL, hold(self->heap, large, room + 1));
	EXPECT_EQ(-EINVAL, hold(self->heap, large + 1, room));
	EXPECT_EQ(-EINVAL, hold(self->heap, large + room, 1));
	EXPECT_EQ(-EINVAL, hold(self->heap, large, ~0ULL));
	EXPECT_EQ(-EINVAL, hold(self->heap, WINDOW, 1));
	EXPECT_EQ(-EINVAL, hold(self->heap, WINDOW - 1, 1));
	EXPECT_EQ(-EINVAL, hold(self->heap, ~0ULL, 1));
	EXPECT_EQ(-EINVAL, hold(self->heap, WINDOW - 1, WINDOW));
	EXPECT_EQ(-ENOENT, hold(self->heap, small + 64, 64));
	EXPECT_EQ(0, usage(self->heap).pinned);
}

TEST_F(pin, only_heaps_open_for_writing_will_do)
{
	int look = open(DEVICE, O_RDONLY);
	__u64 at = alloc_one(self->ss, 64);

	EXPECT_EQ(-EBADF, hold(-1, at, 8));
	EXPECT_EQ(-EBADF, hold(900, at, 8));
	EXPECT_EQ(-EINVAL, hold(self->ss, at, 8));
	EXPECT_EQ(-EINVAL, hold(self->text, at, 8));
	EXPECT_EQ(-EACCES, hold(look, at, 8));
	EXPECT_EQ(-EINVAL, hold(self->heap, ARENA / 2, 8));
	close(look);
}

TEST_F(pin, mappings_are_not_pinned)
{
	void *p = map_at(self->heap, GOHEAP_MMAP_ALLOC, 4096,
			 PROT_READ | PROT_WRITE);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-EINVAL, hold(self->heap, 0, 8));
	munmap(p, 4096);
}

TEST_F(pin, pinned_object_is_busy)
{
	int other = attach(self->heap);
	__u64 at[2] = { alloc_one(self->ss, 64), alloc_one(self->ss, 64) };
	__u64 large = alloc_one(self->ss, LARGE);
	unsigned int bad;

	ASSERT_EQ(0, hold(self->heap, at[1], 8));
	EXPECT_EQ(-EBUSY, batch(self->ss, GOHEAP_IOC_FREE, at, 2, &bad));
	EXPECT_EQ(1, bad);
	EXPECT_EQ(3, usage(self->heap).objects);
	ASSERT_EQ(0, give_one(self->ss, at[1]));
	EXPECT_EQ(-EBUSY, free_one(other, at[1]));
	EXPECT_EQ(0, free_one(self->ss, at[0]));
	ASSERT_EQ(0, let_go());
	EXPECT_EQ(0, free_one(other, at[1]));
	ASSERT_EQ(0, hold(self->heap, large, 8));
	EXPECT_EQ(-EBUSY, resize(self->ss, large, 2 * LARGE));
	ASSERT_EQ(0, let_go());
	EXPECT_EQ(0, resize(self->ss, large, 2 * LARGE));
	close(other);
}

/* Freed by a call, by the end of a session, or by an exchange: the last pin does it. */
TEST_F(pin, pinned_object_is_freed_later)
{
	struct goheap_swap swap = {
		.flags = GOHEAP_SWAP_ROOT | GOHEAP_SWAP_FREE,
	};
	unsigned int how;

	for (how = 0; how < 5; how++) {
		__u64 at = alloc_one(self->ss, 64);
		struct side s;

		ASSERT_EQ(0, side_open(&s, self->heap));
		ASSERT_EQ(0, give_one(self->ss, at));
		swap.take = at;
		/* What is held can be pinned, too. */
		if (how < 4)
			ASSERT_EQ(0, hold(self->heap, at, 8));
		switch (how) {
		case 0:
			enter(&s, self->win, at, 64, 0);
			EXPECT_EQ(0, flush(s.ss, 0, 1, NULL));
			break;
		case 1:
			enter(&s, self->win, at, 64, 0);
			break;
		case 2:
			EXPECT_EQ(0, publish(s.ss, &swap, 1, NULL));
			break;
		default:
			swap.flags = GOHEAP_SWAP_ROOT | GOHEAP_SWAP_HOLD;
			EXPECT_EQ(0, publish(s.ss, &swap, 1, NULL));
		}
		if (how == 4)
			ASSERT_EQ(0, hold(self->heap, at, 8));
		side_close(&s);
		EXPECT_EQ(0, usage(self->heap).given);
		EXPECT_EQ(1, usage(self->heap).objects);
		EXPECT_EQ(-EBUSY, free_one(self->ss, at));
		ASSERT_EQ(0, let_go());
		EXPECT_EQ(0, usage(self->heap).objects);
	}
}

/* Private: freed with the last pin. Given: stays. */
static void outlives(struct __test_metadata *_metadata, int heap, __u8 *win,
		     int text, size_t length, bool given)
{
	int other = attach(heap);
	int ss = attach(heap);
	__u64 at = alloc_one(ss, length);

	if (given)
		ASSERT_EQ(0, give_one(ss, at));
	ASSERT_EQ(0, hold(heap, at, length));
	/* Again: the first pin goes, the second stays. */
	ASSERT_EQ(0, hold(heap, at, length));
	EXPECT_EQ(1, usage(heap).pinned);
	close(ss);
	EXPECT_EQ(1, usage(heap).objects);
	EXPECT_EQ(1, usage(heap).pinned);
	EXPECT_TRUE(same_bytes(text, win + at, length));
	EXPECT_EQ(-EBUSY, free_one(other, at));
	ASSERT_EQ(0, let_go());
	EXPECT_EQ(0, usage(heap).pinned);
	EXPECT_EQ(given, usage(heap).objects);
	if (given)
		EXPECT_EQ(0, free_one(other, at));
	close(other);
	trim(heap);
	EXPECT_EQ(0, usage(heap).heap_bytes);
}

TEST_F(pin, pinned_objects_outlive_their_session)
{
	outlives(_metadata, self->heap, self->win, self->text,
		 64, false);
	outlives(_metadata, self->heap, self->win, self->text,
		 64, true);
	outlives(_metadata, self->heap, self->win, self->text,
		 LARGE, false);
	outlives(_metadata, self->heap, self->win, self->text,
		 LARGE, true);
}

TEST_F(pin, pins_keep_the_heap)
{
	int heap = heap_open(), ss = attach(heap);
	__u64 at = alloc_one(ss, LARGE);
	char c = 'x';

	ASSERT_EQ(0, hold(heap, at, LARGE));
	close(ss);
	close(heap);
	EXPECT_EQ(1, pwrite(self->text, &c, 1, LARGE - 1));
	c = 0;
	EXPECT_EQ(1, pread(self->text, &c, 1, LARGE - 1));
	EXPECT_EQ('x', c);
	EXPECT_EQ(-EWOULDBLOCK, syscall(SYS_delete_module, "goheap",
					O_NONBLOCK) ? -errno : 0);
}

TEST_HARNESS_MAIN
