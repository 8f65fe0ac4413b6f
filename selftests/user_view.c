// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views: descriptors whose holders cannot have more of a heap than who made them said.
 * And how many sessions a heap has.
 */
#include "user_test.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "user_harness.h"
#include "user_text.h"

#define HEAPS		"/sys/kernel/debug/goheap/heaps"
#define QUOTA		(64 * HEAP_PAGE)
#define LENGTH		(8 * HEAP_PAGE)
/* Without a bound of its own, a heap has so many sessions. */
#define SESSIONS	1024
#define SESSIONS_MAX	65536

FIXTURE(view)
{
	int heap;
	int ss;
	__u8 *win;
	int view;
};

static int view_make(int heap, __u64 quota, __u32 max_sessions)
{
	struct goheap_view v = {
		.size = sizeof(v),
		.quota = quota,
		.max_sessions = max_sessions,
	};
	int err = call(heap, GOHEAP_IOC_VIEW, &v);

	return err ?: v.fd;
}

FIXTURE_SETUP(view)
{
	peek_init();
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
	self->view = view_make(self->heap, QUOTA, 2);
	ASSERT_LE(0, self->view);
}

FIXTURE_TEARDOWN(view)
{
	EXPECT_TRUE(identities(self->view));
	close(self->view);
	close(self->ss);
	munmap(self->win, ARENA);
	close(self->heap);
}

static struct goheap_limit limit_of(int fd)
{
	struct goheap_limit l = { .size = sizeof(l) };

	if (call(fd, GOHEAP_IOC_LIMIT, &l))
		memset(&l, 0xff, sizeof(l));
	return l;
}

static int set_max_sessions(int fd, __u32 max)
{
	struct goheap_limit l = {
		.size = sizeof(l),
		.flags = GOHEAP_LIMIT_SESSIONS,
		.max_sessions = max,
	};

	return call(fd, GOHEAP_IOC_LIMIT, &l);
}

/* Allocate until it fails; bytes. */
static __u64 take(int ss, int *err)
{
	__u64 n = 0;

	while ((*err = alloc_one(ss, LENGTH)) >= 0 && n < 1000)
		n++;
	return n * LENGTH;
}

/* What a debugger uses, and what need not look at how a page is mapped. */
static int write_through_proc(void *at)
{
	struct iovec from = { .iov_base = "x", .iov_len = 1 };
	struct iovec to = { .iov_base = at, .iov_len = 1 };
	int mem = open("/proc/self/mem", O_RDWR);

	if (mem < 0 || pwrite(mem, "x", 1, (uintptr_t)at) > 0)
		return 1;
	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) > 0 ? 2 : 0;
}

static int view_of(int heap, __u32 flags)
{
	struct goheap_view v = { .size = sizeof(v), .flags = flags };
	int err = call(heap, GOHEAP_IOC_VIEW, &v);

	return err ?: v.fd;
}

/* ---- what it allows ----------------------------------------------------- */

TEST_F(view, one_may_be_for_reading_only)
{
	const size_t len = HEAP_PAGE;
	int view = view_of(self->heap, GOHEAP_VIEW_READ);
	__s64 at = alloc_one(self->ss, len);
	char name[32];
	__u8 *win;

	ASSERT_LE(0, view);
	memset(self->win + at, 7, len);
	EXPECT_EQ(MAP_FAILED, map_at(view, at, len, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	win = map_at(view, at, len, PROT_READ);
	ASSERT_NE(MAP_FAILED, win);
	EXPECT_TRUE(all_are(win, 7, len));
	EXPECT_EQ(SIGSEGV, poke(win, 1));
	EXPECT_EQ(-1, mprotect(win, len, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);

	/* Nor by a detour. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", view);
	EXPECT_EQ(-1, open(name, O_RDWR));
	EXPECT_EQ(0, IN_CHILD(write_through_proc(win)));
	EXPECT_TRUE(all_are(win, 7, len));

	EXPECT_EQ(-EBADF, attach(view));
	EXPECT_FALSE(root_swap(view, 0, 0, 1));
	EXPECT_EQ(0, root_get(view, 0));
	EXPECT_EQ(~0ULL, trim(view));
	EXPECT_EQ(-EBADF, set_limit(view, 0));
	EXPECT_EQ(-EBADF, view_of(view, 0));
	EXPECT_EQ(1, usage(view).objects);
	EXPECT_EQ(MAP_FAILED, map_at(view, GOHEAP_MMAP_ALLOC, len, PROT_READ));
	munmap(win, len);
	close(view);
}

TEST_F(view, one_may_have_no_sessions)
{
	int view = view_of(self->heap, GOHEAP_VIEW_NO_ATTACH), both;
	__s64 at = alloc_one(self->ss, 8);
	__u8 *win = window(view, HEAP_PAGE);

	ASSERT_NE(MAP_FAILED, win);
	EXPECT_EQ(0, poke(win + at, 9));
	EXPECT_EQ(9, self->win[at]);
	EXPECT_EQ(-EPERM, attach(view));
	EXPECT_EQ(-EPERM, view_of(view, 0));
	EXPECT_TRUE(root_swap(view, 0, 0, 1));
	EXPECT_EQ(0, limit_of(view).max_sessions);
	EXPECT_EQ(-EPERM, set_max_sessions(view, 1));
	munmap(win, HEAP_PAGE);
	close(view);

	both = view_of(self->heap, GOHEAP_VIEW_NO_ATTACH | GOHEAP_VIEW_READ);
	EXPECT_EQ(-EBADF, attach(both));
	close(both);
	EXPECT_EQ(-EINVAL, view_of(self->heap, 4));
	EXPECT_EQ(-EINVAL, view_of(self->heap, 1U << 31));
	for (both = 1; both < 4; both++) {
		struct goheap_view v = { .size = sizeof(v), .flags = both,
					 .quota = 1 };

		EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_VIEW, &v));
		v.quota = 0;
		v.max_sessions = 1;
		EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_VIEW, &v));
	}
}

/* ---- what it bounds ----------------------------------------------------- */

TEST_F(view, its_sessions_share_its_quota)
{
	int a = attach(self->view), b = attach(self->view), err;
	__s64 at;

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	at = alloc_one(a, LENGTH);
	EXPECT_EQ(QUOTA - LENGTH, take(b, &err));
	EXPECT_EQ(-EDQUOT, err);
	EXPECT_EQ(-EDQUOT, alloc_one(a, 8));
	EXPECT_EQ(QUOTA, limit_of(self->view).used);
	/* A session may say what it likes of itself. */
	EXPECT_EQ(0, set_limit(a, 0));
	EXPECT_EQ(-EDQUOT, alloc_one(a, 8));
	EXPECT_EQ(-EDQUOT, resize(a, at, LENGTH + HEAP_PAGE));
	EXPECT_EQ(0, free_one(a, at));
	EXPECT_LE(0, alloc_one(b, LENGTH));
	/* Others are not bound by it. */
	EXPECT_LE(0, alloc_one(self->ss, 2 * QUOTA));
	close(a);
	close(b);
	EXPECT_EQ(0, limit_of(self->view).used);
}

/* What one session keeps without using it is not in the way of another. */
TEST_F(view, idle_spans_of_its_sessions_give_way)
{
	int a = attach(self->view), b = attach(self->view), i;
	__u64 at[64][HEAP_PAGE / 64];

	for (i = 0; i < 64; i++)
		ASSERT_EQ(HEAP_PAGE / 64, alloc_many(a, 64, at[i], HEAP_PAGE / 64, 0));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, batch(a, GOHEAP_IOC_FREE, at[i], HEAP_PAGE / 64, NULL));
	EXPECT_EQ(QUOTA, limit_of(self->view).used);
	EXPECT_LE(0, alloc_one(b, LENGTH));
	close(a);
	close(b);
}

/* Who has only a view trims only what is its. */
TEST_F(view, it_trims_its_own_sessions)
{
	int a = attach(self->view);

	EXPECT_EQ(0, free_one(a, alloc_one(a, 64)));
	EXPECT_EQ(0, free_one(self->ss, alloc_one(self->ss, 64)));
	EXPECT_EQ(HEAP_PAGE, trim(self->view));
	EXPECT_EQ(HEAP_PAGE, usage(self->ss).session_bytes);
	EXPECT_EQ(HEAP_PAGE, trim(self->heap));
	close(a);
}

/* A span that its quota has no room for does not hide one that is in it. */
TEST_F(view, it_adopts_what_is_in_its_quota)
{
	int a = attach(self->view), b = attach(self->heap), err;
	__s64 at = alloc_one(a, 64), other = alloc_one(b, 64);

	ASSERT_EQ(0, give_one(a, at));
	ASSERT_EQ(0, give_one(b, other));
	/* The last one that is left is the first that is looked at. */
	close(a);
	close(b);
	EXPECT_EQ(HEAP_PAGE, limit_of(self->view).used);
	EXPECT_EQ(2 * HEAP_PAGE, limit_of(self->heap).used);

	a = attach(self->view);
	EXPECT_EQ(QUOTA - LENGTH, take(a, &err));
	while (alloc_one(a, HEAP_PAGE) >= 0)
		;
	EXPECT_EQ(QUOTA, limit_of(self->view).used);
	EXPECT_LE(0, alloc_one(a, 64));
	close(a);
	EXPECT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(0, free_one(self->ss, other));
}

TEST_F(view, a_session_is_bound_by_its_own_quota_too)
{
	int a = attach_quota(self->view, 2 * LENGTH), err;

	ASSERT_LE(0, a);
	EXPECT_EQ(2 * LENGTH, take(a, &err));
	EXPECT_EQ(-EDQUOT, err);
	close(a);
}

/* Give all, leave, and come again: the quota is no bound if that works. */
TEST_F(view, what_is_left_stays_in_its_quota)
{
	int a, err, round;
	__u64 at, bytes = 0;

	for (round = 0; round < 3; round++) {
		a = attach(self->view);
		while ((err = alloc_many(a, LENGTH, &at, 1, 0)) == 1) {
			ASSERT_EQ(0, give_one(a, at));
			bytes += LENGTH;
		}
		EXPECT_EQ(-EDQUOT, err);
		close(a);
		EXPECT_EQ(QUOTA, bytes);
		EXPECT_EQ(QUOTA, limit_of(self->view).used);
	}
	/* Until somebody frees it. */
	EXPECT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(QUOTA - LENGTH, limit_of(self->view).used);
}

/* Who adopts it has it in his. */
TEST_F(view, what_others_adopt_leaves_its_quota)
{
	int a = attach(self->view), b;
	__s64 at = alloc_one(a, 64);

	ASSERT_EQ(0, give_one(a, at));
	close(a);
	EXPECT_EQ(HEAP_PAGE, limit_of(self->view).used);
	b = attach(self->view);
	EXPECT_LE(0, alloc_one(b, 64));
	EXPECT_EQ(HEAP_PAGE, limit_of(self->view).used);
	close(b);
	EXPECT_LE(0, alloc_one(self->ss, 64));
	EXPECT_EQ(0, limit_of(self->view).used);
	EXPECT_EQ(HEAP_PAGE, limit_of(self->heap).used);
	EXPECT_EQ(0, free_one(self->ss, at));
}

/* Neither the objects nor their count need the descriptor. */
TEST_F(view, what_is_left_outlives_it)
{
	int view = view_make(self->heap, 0, 0), a = attach(view);
	__s64 at = alloc_one(a, LENGTH), other = alloc_one(a, 64);

	ASSERT_EQ(0, give_one(a, at));
	ASSERT_EQ(0, give_one(a, other));
	close(view);
	close(a);
	EXPECT_EQ(2, usage(self->heap).given);
	EXPECT_EQ(0, free_one(self->ss, at));
	EXPECT_LE(0, alloc_one(self->ss, 64));
	EXPECT_EQ(0, free_one(self->ss, other));
}

TEST_F(view, adoption_keeps_to_its_quota)
{
	int a = attach(self->heap), b, full, err;
	__s64 at = alloc_one(a, 64);

	ASSERT_EQ(0, give_one(a, at));
	close(a);
	b = attach(self->view);
	full = attach(self->view);
	EXPECT_EQ(QUOTA, take(full, &err));
	EXPECT_EQ(-EDQUOT, alloc_one(b, 64));
	close(full);
	EXPECT_LE(0, alloc_one(b, 64));
	close(b);
}

TEST_F(view, nobody_lifts_its_bounds)
{
	struct goheap_limit l;

	EXPECT_EQ(-EPERM, set_limit(self->view, 0));
	EXPECT_EQ(-EPERM, set_limit(self->view, HEAP_PAGE));
	EXPECT_EQ(-EPERM, set_max_sessions(self->view, 3));
	EXPECT_EQ(-EPERM, view_make(self->view, 0, 0));
	EXPECT_EQ(-EPERM, view_make(self->view, HEAP_PAGE, 1));
	EXPECT_EQ(MAP_FAILED, map_at(self->view, GOHEAP_MMAP_ALLOC, 4096,
				     PROT_READ | PROT_WRITE));
	EXPECT_EQ(EPERM, errno);
	l = limit_of(self->view);
	EXPECT_EQ(QUOTA, l.limit);
	EXPECT_EQ(2, l.max_sessions);
	/* The heap's own are as they were. */
	l = limit_of(self->heap);
	EXPECT_EQ(0, l.limit);
	EXPECT_EQ(SESSIONS, l.max_sessions);
}

TEST_F(view, wrong_arguments_are_refused)
{
	EXPECT_EQ(-EINVAL, view_make(self->heap, 0, SESSIONS_MAX + 1));
	EXPECT_EQ(-EINVAL, view_make(self->heap, 0, ~0U));
}

TEST_F(view, none_is_left_when_the_result_cannot_be_told)
{
	int before = dup(0), after, heap;
	char line[40];
	__u64 id;
	struct goheap_view *v = map_at(self->heap, GOHEAP_MMAP_MAP, 4096,
				       PROT_READ);

	/* A page that can be read, and is not a request. */
	ASSERT_NE(MAP_FAILED, v);
	EXPECT_GT(0, call(self->heap, GOHEAP_IOC_VIEW, v));
	v = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, v);
	v->size = sizeof(*v);
	ASSERT_EQ(0, mprotect(v, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, call(self->heap, GOHEAP_IOC_VIEW, v));
	after = dup(0);
	EXPECT_EQ(before + 1, after);
	close(before);
	close(after);
	/* Nor does what was made for it keep a heap. */
	heap = heap_open();
	id = fdinfo_value(heap, "goheap-heap:");
	EXPECT_EQ(-EFAULT, call(heap, GOHEAP_IOC_VIEW, v));
	close(heap);
	if (!access(HEAPS, R_OK)) {
		snprintf(line, sizeof(line), "heap %llu uid", id);
		EXPECT_FALSE(strstr(contents(HEAPS), line));
	}
	munmap(v, 4096);
}

/* ---- sessions ----------------------------------------------------------- */

TEST_F(view, it_has_so_many_sessions_at_a_time)
{
	int a = attach(self->view), b = attach(self->view);

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_EQ(-EUSERS, attach(self->view));
	EXPECT_EQ(2, limit_of(self->view).sessions);
	EXPECT_EQ(3, limit_of(self->heap).sessions);
	close(a);
	EXPECT_EQ(1, limit_of(self->view).sessions);
	a = attach(self->view);
	EXPECT_LE(0, a);
	close(a);
	close(b);
}

/* Who hears of a death can take the place at once. */
TEST_F(view, a_death_makes_room)
{
	int view = view_make(self->heap, QUOTA, 1), round, ss;
	__u64 n;

	for (round = 1; round <= 20; round++) {
		if (!fork_bound()) {
			ss = attach(view);
			while (alloc_one(ss, 64) >= 0)
				;
			_exit(0);
		}
		ASSERT_EQ(sizeof(n), read(view, &n, sizeof(n)));
		EXPECT_EQ(2 * round - 1, n);
		ss = attach(view);
		ASSERT_LE(0, ss);
		close(ss);
		ASSERT_EQ(sizeof(n), read(view, &n, sizeof(n)));
		wait(NULL);
	}
	close(view);
}

TEST_F(view, the_heap_has_so_many_sessions_at_a_time)
{
	int a, b;

	ASSERT_EQ(0, set_max_sessions(self->heap, 2));
	a = attach(self->view);
	EXPECT_LE(0, a);
	EXPECT_EQ(-EUSERS, attach(self->view));
	EXPECT_EQ(-EUSERS, attach(self->heap));
	ASSERT_EQ(0, set_max_sessions(self->heap, 3));
	b = attach(self->heap);
	EXPECT_LE(0, b);
	EXPECT_EQ(-EUSERS, attach(self->heap));
	/* Fewer than there are: they stay. */
	ASSERT_EQ(0, set_max_sessions(self->heap, 1));
	EXPECT_LE(0, alloc_one(a, 8));
	close(a);
	EXPECT_EQ(-EUSERS, attach(self->heap));
	close(b);
}

TEST_F(view, the_bound_on_sessions_has_bounds)
{
	EXPECT_EQ(-EINVAL, set_max_sessions(self->heap, 0));
	EXPECT_EQ(-EINVAL, set_max_sessions(self->heap, SESSIONS_MAX + 1));
	EXPECT_EQ(-EINVAL, set_max_sessions(self->ss, 1));
	EXPECT_EQ(0, set_max_sessions(self->heap, SESSIONS_MAX));
	EXPECT_EQ(SESSIONS_MAX, limit_of(self->heap).max_sessions);
	EXPECT_EQ(0, limit_of(self->ss).max_sessions);
	EXPECT_EQ(0, limit_of(self->ss).sessions);
	EXPECT_EQ(0, limit_of(self->heap).limit);
}

static int set_as_nobody(int heap)
{
	return become_nobody() ? 1 : -set_max_sessions(heap, 5);
}

TEST_F(view, the_bound_on_sessions_is_its_makers)
{
	EXPECT_EQ(EPERM, IN_CHILD(set_as_nobody(self->heap)));
	EXPECT_EQ(SESSIONS, limit_of(self->heap).max_sessions);
}

/* A member that attaches as often as it can leaves room for others. */
static int attach_all(int fd, unsigned int max)
{
	struct rlimit files = { 2 * SESSIONS, 2 * SESSIONS };
	unsigned int n = 0;
	int err = 0;

	if (setrlimit(RLIMIT_NOFILE, &files))
		return 1;
	while (n < max + 1 && (err = attach(fd)) >= 0)
		n++;
	return err == -EUSERS && n == max ? 0 : 2;
}

static int attach_all_and_look(int view, int heap)
{
	int err = attach_all(view, 2);

	return err ?: attach(heap) < 0 ? 3 : 0;
}

TEST_F(view, its_holder_leaves_sessions_to_others)
{
	EXPECT_EQ(0, IN_CHILD(attach_all_and_look(self->view, self->heap)));
	EXPECT_EQ(0, IN_CHILD(attach_all(self->heap, SESSIONS - 1)));
	EXPECT_EQ(1, usage(self->heap).sessions);
}

TEST_F(view, sessions_have_different_numbers)
{
	unsigned int i, j, round;
	__u32 last;
	int ss[8];

	for (round = 0; round < 20; round++) {
		for (i = 0; i < ARRAY_SIZE(ss); i++) {
			ss[i] = attach(self->heap);
			ASSERT_LE(0, ss[i]);
			ASSERT_NE(0, usage(ss[i]).session);
			for (j = 0; j < i; j++)
				ASSERT_NE(usage(ss[j]).session,
					  usage(ss[i]).session);
		}
		for (i = 0; i < ARRAY_SIZE(ss); i++)
			close(ss[i]);
	}
	/* Old numbers do not come again soon. */
	last = usage(ss[0] = attach(self->heap)).session;
	EXPECT_LT(20 * ARRAY_SIZE(ss), last);
	close(ss[0]);

	/* Nor does who is refused use them up. */
	ASSERT_EQ(0, set_max_sessions(self->heap, 1));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-EUSERS, attach(self->heap));
	ASSERT_EQ(0, set_max_sessions(self->heap, 2));
	EXPECT_EQ(last + 1, usage(ss[0] = attach(self->heap)).session);
	close(ss[0]);
}

/* ---- what it allows ----------------------------------------------------- */

/* All that a member does, with nothing but a view. */
static int work(int view, __u64 given)
{
	__u8 *win = window(view, ARENA);
	int ss = attach(view);
	__s64 at = alloc_one(ss, 64);

	if (win == MAP_FAILED || at < 0)
		return 1;
	if (win[given] != 0x5a || free_one(ss, given))
		return 2;
	memset(win + at, 0x77, 64);
	if (give_one(ss, at) || !root_swap(view, 0, 0, at + 1))
		return 3;
	return page_map(view, 1)[at / HEAP_PAGE] & GOHEAP_PAGE_GIVEN ? 0 : 4;
}

TEST_F(view, members_work_with_it)
{
	__s64 at = alloc_one(self->ss, 64);
	__u64 root;

	memset(self->win + at, 0x5a, 64);
	ASSERT_EQ(0, give_one(self->ss, at));
	EXPECT_EQ(0, IN_CHILD(work(self->view, at)));
	root = root_get(self->heap, 0);
	ASSERT_NE(0, root);
	EXPECT_TRUE(all_are(self->win + root - 1, 0x77, 64));
	EXPECT_EQ(0, free_one(self->ss, root - 1));
}

TEST_F(view, what_is_freed_is_no_longer_mapped_by_it)
{
	__u8 *win = window(self->view, ARENA);
	__s64 at = alloc_one(self->ss, LENGTH);

	ASSERT_NE(MAP_FAILED, win);
	ASSERT_EQ(0, poke(win + at, 1));
	EXPECT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(SIGBUS, peek(win + at));
	munmap(win, ARENA);
}

/* Each makes it slower for all to unmap what is freed. */
TEST_F(view, it_has_so_many_mappings)
{
	int most = 4 * 2 + 64, n, more;
	void *p[80];

	for (n = 0; n < 80; n++) {
		p[n] = map_at(self->view, n * HEAP_PAGE, HEAP_PAGE, PROT_READ);
		if (p[n] == MAP_FAILED)
			break;
	}
	EXPECT_EQ(most, n);
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(-1, munmap(p[0], HEAP_PAGE / 2));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_NE(MAP_FAILED, window(self->heap, HEAP_PAGE));
	/* Nor by another way; but one may move. */
	for (more = 0; more < 3; more++)
		if (mremap(p[1], HEAP_PAGE, HEAP_PAGE,
			   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) == MAP_FAILED)
			break;
	EXPECT_GE(1, more);
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(MAP_FAILED, mremap(p[1], 0, HEAP_PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(ENOMEM, errno);
	while (n--)
		EXPECT_EQ(0, munmap(p[n], HEAP_PAGE));
	p[0] = window(self->view, ARENA);
	EXPECT_NE(MAP_FAILED, p[0]);
	EXPECT_EQ(0, munmap(p[0], ARENA / 2));
	EXPECT_EQ(0, munmap(p[0] + ARENA / 2, ARENA / 2));
}

TEST_F(view, it_keeps_the_heap)
{
	int heap = heap_open(), view = view_make(heap, 0, 0), ss = attach(heap);
	__s64 at = alloc_one(ss, 64);

	ASSERT_LE(0, view);
	ASSERT_EQ(0, give_one(ss, at));
	close(ss);
	close(heap);
	EXPECT_EQ(1, usage(view).given);
	ss = attach(view);
	close(view);
	EXPECT_EQ(0, free_one(ss, at));
	EXPECT_EQ(0, usage(ss).objects);
	close(ss);
}

TEST_F(view, it_tells_of_deaths_by_itself)
{
	struct pollfd p[2] = {
		{ .fd = self->view, .events = POLLIN },
		{ .fd = self->heap, .events = POLLIN },
	};
	__u64 n;

	EXPECT_EQ(0, poll(p, 2, 0));
	close(attach(self->view));
	EXPECT_EQ(2, poll(p, 2, 0));
	EXPECT_EQ(sizeof(n), read(self->view, &n, sizeof(n)));
	EXPECT_EQ(1, n);
	/* What was read from one, the other still has to tell. */
	EXPECT_EQ(1, poll(p, 2, 0));
	EXPECT_EQ(POLLIN, p[1].revents);

	/* What was before is no news for a new one. */
	p[0].fd = view_make(self->heap, 0, 0);
	EXPECT_EQ(0, poll(p, 1, 0));
	close(p[0].fd);
}

TEST_F(view, fdinfo_tells_its_bounds)
{
	int ss = attach(self->view);
	int fds[] = { self->view, ss };
	unsigned int i;

	ASSERT_LE(0, alloc_one(ss, LENGTH));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_EQ(LENGTH, fdinfo_value(fds[i], "goheap-view-bytes:"));
		EXPECT_EQ(QUOTA, fdinfo_value(fds[i], "goheap-view-limit:"));
		EXPECT_EQ(1, fdinfo_value(fds[i], "goheap-view-sessions:"));
		EXPECT_EQ(2, fdinfo_value(fds[i], "goheap-view-max-sessions:"));
	}
	EXPECT_FALSE(fdinfo_has(self->ss, "goheap-view"));
	close(ss);
}

TEST_HARNESS_MAIN
