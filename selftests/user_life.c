// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lives of heaps and sessions: who ends them, who cannot, and what is left.
 */
#include "user_test.h"

#include <pthread.h>
#include "user_text.h"
#include "user_harness.h"

#define LARGE		(100UL << 10)
#define NR_DEATHS	1000
#define NR_THREADS	8

FIXTURE(life)
{
	int heap;
	int ss;
	__u8 *win;
};

FIXTURE_SETUP(life)
{
	peek_init();
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
}

FIXTURE_TEARDOWN(life)
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

/* ---- heaps -------------------------------------------------------------- */

TEST_F(life, every_open_is_a_heap_of_its_own)
{
	int other = heap_open();

	ASSERT_LE(0, other);
	ASSERT_LE(0, alloc_one(self->ss, 64));
	ASSERT_TRUE(root_swap(self->heap, 0, 0, 5));
	EXPECT_EQ(0, usage(other).heap_bytes);
	EXPECT_EQ(0, root_get(other, 0));
	close(other);
}

TEST_F(life, heap_lives_as_long_as_a_session)
{
	int heap = heap_open(), ss = attach(heap), more;
	__u64 at;

	ASSERT_LE(0, ss);
	close(heap);
	at = alloc_one(ss, LARGE);
	EXPECT_EQ(0, give_one(ss, at));
	EXPECT_EQ(1, usage(ss).objects);
	EXPECT_EQ(0, free_one(ss, at));
	/* Nobody can attach any more: that takes the heap's file. */
	more = attach(ss);
	EXPECT_EQ(-ENOTTY, more);
	close(ss);
}

TEST_F(life, heap_lives_as_long_as_a_mapping)
{
	int heap = heap_open(), ss = attach(heap);
	__u64 at = alloc_one(ss, LARGE);
	__u8 *win = window(heap, ARENA);

	ASSERT_NE(MAP_FAILED, win);
	win[at] = 1;
	ASSERT_EQ(0, give_one(ss, at));
	close(heap);
	close(ss);
	EXPECT_EQ(1, win[at]);
	EXPECT_EQ(0, poke(win + at + LARGE - 1, 2));
	munmap(win, ARENA);
}

static int use_heap(int sock)
{
	int heap = receive_fd(sock), ss = attach(heap);
	__u64 at = root_get(heap, 0);
	__u8 *win = window(heap, ARENA);

	if (ss < 0 || win == MAP_FAILED || strcmp((char *)win + at, "hello"))
		return 1;
	memcpy(win + at, "world", 6);
	return free_one(ss, root_get(heap, 1)) ? 2 : 0;
}

TEST_F(life, heap_can_be_passed_over_a_socket)
{
	__u64 at[2];
	int pair[2];
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = fork();
	if (!child) {
		close(self->heap);
		_exit(use_heap(pair[1]));
	}
	ASSERT_EQ(2, alloc_many(self->ss, 100, at, 2, 0));
	memcpy(self->win + at[0], "hello", 6);
	ASSERT_EQ(0, batch(self->ss, GOHEAP_IOC_GIVE, at, 2, NULL));
	ASSERT_TRUE(root_swap(self->heap, 0, 0, at[0]));
	ASSERT_TRUE(root_swap(self->heap, 1, 0, at[1]));
	ASSERT_EQ(0, send_fd(pair[0], self->heap));
	EXPECT_EQ(0, wait_for(child));
	EXPECT_STREQ("world", (char *)self->win + at[0]);
	EXPECT_EQ(1, usage(self->heap).objects);
}

/* ---- whose a session is ------------------------------------------------- */

TEST_F(life, fork_keeps_the_session_with_the_parent)
{
	__u64 at = alloc_one(self->ss, 64);

	EXPECT_EQ(EPERM, IN_CHILD(-alloc_one(self->ss, 64)));
	EXPECT_EQ(EPERM, IN_CHILD(-free_one(self->ss, at)));
	EXPECT_EQ(EPERM, IN_CHILD(-give_one(self->ss, at)));
	EXPECT_EQ(0, IN_CHILD(close(self->ss)));
	EXPECT_EQ(0, free_one(self->ss, at));
	EXPECT_LE(0, alloc_one(self->ss, 64));
	EXPECT_EQ(0, usage(self->heap).deaths);
}

TEST_F(life, vforked_child_cannot_use_the_session)
{
	pid_t child = vfork();

	if (!child)
		_exit(-alloc_one(self->ss, 64));
	EXPECT_EQ(EPERM, wait_for(child));
	EXPECT_LE(0, alloc_one(self->ss, 64));
}

TEST_F(life, session_passed_over_a_socket_stays_the_senders)
{
	int pair[2];
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = fork();
	if (!child) {
		close(self->ss);
		_exit(-alloc_one(receive_fd(pair[1]), 64));
	}
	ASSERT_EQ(0, send_fd(pair[0], self->ss));
	EXPECT_EQ(EPERM, wait_for(child));
	EXPECT_LE(0, alloc_one(self->ss, 64));
}

TEST_F(life, session_ends_with_its_last_descriptor)
{
	int ss = attach(self->heap), copy = dup(ss), third = 100;
	__u64 at = alloc_one(ss, LARGE);

	ASSERT_LE(0, copy);
	ASSERT_EQ(third, dup2(copy, third));
	close(ss);
	EXPECT_EQ(0, peek(self->win + at));
	EXPECT_LE(0, alloc_one(copy, 64));
	close(copy);
	EXPECT_LE(0, alloc_one(third, 64));
	EXPECT_EQ(0, usage(self->heap).deaths);
	/* Replacing it closes it. */
	ASSERT_EQ(third, dup2(self->heap, third));
	EXPECT_EQ(1, usage(self->heap).deaths);
	EXPECT_EQ(SIGBUS, peek(self->win + at));
	close(third);
}

TEST_F(life, session_ends_though_a_child_has_its_file)
{
	int ss = attach(self->heap), pipes[2];
	__u64 at = alloc_one(ss, LARGE);
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(pipes));
	child = fork();
	if (!child) {
		close(pipes[1]);
		_exit(read(pipes[0], &c, 1));
	}
	close(ss);
	EXPECT_EQ(1, usage(self->heap).deaths);
	EXPECT_EQ(SIGBUS, peek(self->win + at));
	close(pipes[1]);
	EXPECT_EQ(0, wait_for(child));
}

/* The child attaches and ends; the grandchild has the file for longer. */
static int child_with_grandchild(int heap, const int *pipes)
{
	int ss = attach(heap);
	char c;

	if (ss < 0 || alloc_one(ss, LARGE) < 0)
		return 1;
	if (!fork()) {
		close(pipes[1]);
		_exit(read(pipes[0], &c, 1));
	}
	return 0;
}

TEST_F(life, session_ends_with_its_process_not_with_its_heirs)
{
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(0, IN_CHILD(child_with_grandchild(self->heap, pipes)));
	EXPECT_EQ(1, usage(self->heap).deaths);
	EXPECT_EQ(1, usage(self->heap).sessions);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
	close(pipes[1]);
}

static int exec_true(int ss, bool keep)
{
	if (keep)
		fcntl(ss, F_SETFD, 0);
	execl("/bin/busybox", "true", NULL);
	return 99;
}

static int exec_with_session(int heap, bool keep)
{
	int ss = attach(heap);

	return alloc_one(ss, LARGE) < 0 ? 98 : exec_true(ss, keep);
}

TEST_F(life, exec_ends_the_session)
{
	EXPECT_EQ(0, IN_CHILD(exec_with_session(self->heap, false)));
	EXPECT_EQ(1, usage(self->heap).deaths);
	EXPECT_EQ(0, IN_CHILD(exec_with_session(self->heap, true)));
	EXPECT_EQ(2, usage(self->heap).deaths);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

TEST_F(life, kill_ends_the_session)
{
	__u64 shared = alloc_one(self->ss, 64);
	pid_t child = fork();
	int tries = 1000;

	if (!child) {
		int ss = attach(self->heap);
		__u64 at[100];

		alloc_many(ss, 1000, at, 100, 0);
		alloc_one(ss, LARGE);
		batch(ss, GOHEAP_IOC_GIVE, at, 10, NULL);
		root_swap(self->heap, 0, 0, at[3]);
		pause();
	}
	while (!root_get(self->heap, 0) && --tries)
		usleep(5000);
	EXPECT_EQ(102, usage(self->heap).objects);
	kill(child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, wait_for(child));
	EXPECT_EQ(1, usage(self->heap).deaths);
	EXPECT_EQ(11, usage(self->heap).objects);
	EXPECT_EQ(91, usage(self->heap).reclaimed);
	/* What was given is the heap's, and anybody may free it. */
	EXPECT_EQ(0, free_one(self->ss, root_get(self->heap, 0)));
	EXPECT_EQ(0, free_one(self->ss, shared));
}

TEST_F(life, ids_are_not_used_again_soon)
{
	__u32 last = usage(self->ss).session;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		int ss = attach(self->heap);
		__u32 id = usage(ss).session;

		EXPECT_LT(last, id);
		last = id;
		close(ss);
	}
}

/* ---- threads ------------------------------------------------------------ */

struct worker {
	int ss;
	__u8 *win;
	unsigned int id;
	unsigned int wrong;
};

static void *thread_mix(void *arg)
{
	struct worker *w = arg;
	unsigned int round, i;
	__u64 at[50];

	for (round = 0; round < 100; round++) {
		size_t length = 16 << (round % 8);

		if (alloc_many(w->ss, length, at, 50, 0) != 50) {
			w->wrong++;
			break;
		}
		for (i = 0; i < 50; i++)
			memset(w->win + at[i], w->id, length);
		if (round % 3 == 0)
			batch(w->ss, GOHEAP_IOC_GIVE, at, 50, NULL);
		for (i = 0; i < 50; i++)
			w->wrong += !all_are(w->win + at[i], w->id, length);
		w->wrong += !!batch(w->ss, GOHEAP_IOC_FREE, at, 50, NULL);
	}
	return NULL;
}

static unsigned int run_threads(int ss, __u8 *win, void *(*fn)(void *))
{
	struct worker w[NR_THREADS];
	pthread_t threads[NR_THREADS];
	unsigned int i, wrong = 0;

	for (i = 0; i < NR_THREADS; i++) {
		w[i] = (struct worker){ .ss = ss, .win = win, .id = i + 1 };
		if (pthread_create(&threads[i], NULL, fn, &w[i]))
			return 1;
	}
	for (i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		wrong += w[i].wrong;
	}
	return wrong;
}

TEST_F_TIMEOUT(life, threads_share_a_session, 240)
{
	EXPECT_EQ(0, run_threads(self->ss, self->win, thread_mix));
	EXPECT_EQ(0, usage(self->heap).objects);
	trim(self->heap);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

/*
 * Some threads allocate, others free what they guess was allocated. Each object
 * is freed once, by one or the other.
 */
static void *thread_guess(void *arg)
{
	struct worker *w = arg;
	unsigned int i;
	__u64 at[16];

	for (i = 0; i < 400; i++) {
		size_t length = i % 4 ? 8192 : 40000;

		if (w->id % 2) {
			int n = alloc_many(w->ss, length, at, 4,
					   GOHEAP_ALLOC_ZERO);

			while (n-- > 0)
				free_one(w->ss, at[n]);
		} else {
			for (at[0] = 0; at[0] < 24 * 8192; at[0] += 8192)
				free_one(w->ss, at[0]);
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(life, threads_may_free_what_they_guess, 240)
{
	EXPECT_EQ(0, run_threads(self->ss, self->win, thread_guess));
	EXPECT_EQ(0, usage(self->heap).objects);
	trim(self->heap);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
	EXPECT_EQ(0, usage(self->heap).spans);
}

/* The session ends while threads are in the middle of calls. */
static void *thread_until_dead(void *arg)
{
	struct worker *w = arg;
	unsigned int i;
	__u64 at[16];

	for (i = 0; i < 5000; i++) {
		int n = alloc_many(w->ss, i % 5 ? 8192 : 40000, at, 16,
				   GOHEAP_ALLOC_ZERO);

		if (n == -EBADF)
			break;
		if (n < 0 && n != -EOWNERDEAD)
			w->wrong++;
		batch(w->ss, GOHEAP_IOC_GIVE, at, n > 2 ? 2 : 0, NULL);
		batch(w->ss, GOHEAP_IOC_FREE, at, n > 0 ? n : 0, NULL);
	}
	return NULL;
}

static void *close_soon(void *arg)
{
	struct worker *w = arg;

	usleep(2000 + w->id * 500);
	close(w->ss);
	return NULL;
}

TEST_F_TIMEOUT(life, session_may_end_under_its_threads, 240)
{
	unsigned int round;

	for (round = 0; round < 20; round++) {
		struct worker end = { .ss = attach(self->heap), .id = round };
		struct worker w[3] = { end, end, end };
		pthread_t threads[4];
		unsigned int i;

		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL,
						    thread_until_dead, &w[i]));
		ASSERT_EQ(0, pthread_create(&threads[3], NULL, close_soon,
					    &end));
		for (i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		for (i = 0; i < 3; i++)
			EXPECT_EQ(0, w[i].wrong);
	}
	EXPECT_EQ(20, usage(self->heap).deaths);
	EXPECT_EQ(usage(self->heap).given, usage(self->heap).objects);
}

/* ---- deaths are told ---------------------------------------------------- */

static int poll_in(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout);
}

TEST_F(life, poll_and_read_tell_deaths)
{
	__u64 n = 0;

	EXPECT_EQ(0, poll_in(self->heap, 0));
	EXPECT_EQ(-1, read(self->heap, &n, 7));
	EXPECT_EQ(EINVAL, errno);
	fcntl(self->heap, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(-1, read(self->heap, &n, sizeof(n)));
	EXPECT_EQ(EAGAIN, errno);
	close(attach(self->heap));
	close(attach(self->heap));
	EXPECT_EQ(1, poll_in(self->heap, 0));
	EXPECT_EQ(1, poll_in(self->ss, 0));
	EXPECT_EQ(-1, syscall(SYS_read, self->heap, 8, sizeof(n)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(8, read(self->heap, &n, sizeof(n)));
	EXPECT_EQ(2, n);
	EXPECT_EQ(0, poll_in(self->heap, 0));
	/* Each file has seen what was read from it. */
	EXPECT_EQ(1, poll_in(self->ss, 0));
	EXPECT_EQ(8, read(self->ss, &n, sizeof(n)));
	EXPECT_EQ(2, n);
	EXPECT_EQ(0, poll_in(self->ss, 0));
}

TEST_F(life, reader_waits_for_a_death)
{
	pid_t child = fork();
	__u64 n = 0;

	if (!child) {
		attach(self->heap);
		usleep(100000);
		_exit(0);
	}
	EXPECT_EQ(8, read(self->heap, &n, sizeof(n)));
	EXPECT_EQ(1, n);
	EXPECT_EQ(0, wait_for(child));
	child = fork();
	if (!child) {
		attach(self->heap);
		usleep(100000);
		_exit(0);
	}
	EXPECT_EQ(1, poll_in(self->ss, 20000));
	EXPECT_EQ(0, wait_for(child));
}

TEST_F(life, reader_can_be_killed)
{
	pid_t child = fork();
	__u64 n;

	if (!child) {
		/* It must not wait for its own death. */
		close(self->ss);
		_exit(read(self->heap, &n, sizeof(n)) < 0);
	}
	usleep(100000);
	kill(child, SIGTERM);
	EXPECT_EQ(128 + SIGTERM, wait_for(child));
}

/* ---- what deaths leave -------------------------------------------------- */

/* Allocates, gives one, and dies. */
static int give_and_die(int heap, unsigned int i)
{
	int ss = attach(heap);
	__u64 at[20];

	if (alloc_many(ss, 200, at, 20, 0) != 20 || alloc_one(ss, LARGE) < 0)
		return 1;
	return give_one(ss, at[i % 20]) || !root_swap(heap, 0, 0, at[i % 20]);
}

TEST_F_TIMEOUT(life, many_deaths_leave_nothing, 600)
{
	__u64 first = 0, given;
	struct goheap_usage u;
	unsigned int i;

	for (i = 0; i < NR_DEATHS; i++) {
		ASSERT_EQ(0, IN_CHILD(give_and_die(self->heap, i)));
		given = root_get(self->heap, 0);
		ASSERT_TRUE(root_swap(self->heap, 0, given, 0));
		u = usage(self->heap);
		if (!i)
			first = u.heap_bytes;
		ASSERT_EQ(1, u.objects);
		ASSERT_EQ(1, u.given);
		/* Every second one stays for the next session to adopt. */
		EXPECT_GE(2 * first, u.heap_bytes);
		ASSERT_EQ(0, free_one(self->ss, given));
	}
	trim(self->heap);
	u = usage(self->heap);
	EXPECT_EQ(NR_DEATHS, u.deaths);
	EXPECT_EQ(0, u.objects);
	EXPECT_EQ(0, u.heap_bytes);
	EXPECT_EQ(0, u.spans);
	EXPECT_EQ(21 * NR_DEATHS, u.allocs);
	EXPECT_EQ(20 * NR_DEATHS, u.reclaimed);
}

/* With the lowest descriptor that there is. */
static int attach_as_stdin(int heap)
{
	close(0);
	return attach(heap) || alloc_one(0, 64) < 0;
}

TEST_F(life, a_session_may_be_any_descriptor)
{
	EXPECT_EQ(0, IN_CHILD(attach_as_stdin(self->heap)));
}

/* ---- what is told elsewhere --------------------------------------------- */

#define HEAPS		"/sys/kernel/debug/goheap/heaps"

/* Allocates objects, gives the first ones, and frees the last ones. */
static bool use(int ss, __u64 length, unsigned int n, unsigned int given,
		unsigned int freed)
{
	__u64 at[16];

	return alloc_many(ss, length, at, n, 0) == n &&
	       (!given || !batch(ss, GOHEAP_IOC_GIVE, at, given, NULL)) &&
	       !batch(ss, GOHEAP_IOC_FREE, at + n - freed, freed, NULL);
}

/* ---- who has ended, and how --------------------------------------------- */

static struct goheap_death death_of(int fd, __u64 number, int *err)
{
	struct goheap_death d = { .size = sizeof(d), .number = number };

	*err = call(fd, GOHEAP_IOC_DEATH, &d);
	return d;
}

/* A process that has a session, and ends. */
static pid_t with_session(int heap, int signal)
{
	pid_t pid = fork_bound();

	if (pid)
		return pid;
	attach(heap);
	if (signal)
		raise(signal);
	_exit(0);
}

TEST_F(life, deaths_say_who_and_how)
{
	static const struct {
		int signal;
		__u32 how;
	} ends[] = {
		{ 0, GOHEAP_DEATH_EXITED }, { SIGKILL, GOHEAP_DEATH_KILLED },
		{ SIGTERM, GOHEAP_DEATH_KILLED },
	};
	__u64 first = usage(self->heap).deaths, n = first;
	struct goheap_death d;
	unsigned int i;
	int err, ss;
	__u32 id;

	death_of(self->heap, 0, &err);
	EXPECT_EQ(-ENOENT, err);
	death_of(self->heap, first + 1, &err);
	EXPECT_EQ(-ENOENT, err);
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		pid_t pid = with_session(self->heap, ends[i].signal);

		wait_for(pid);
		d = death_of(self->ss, ++n, &err);
		EXPECT_EQ(0, err);
		EXPECT_EQ(ends[i].how, d.how);
		EXPECT_EQ(ends[i].signal, d.signal);
		/* Its number is free again. */
		EXPECT_TRUE(d.pid == pid || !d.pid);
		EXPECT_LT(0, d.session);
	}
	ss = attach(self->heap);
	id = usage(ss).session;
	close(ss);
	d = death_of(self->heap, ++n, &err);
	EXPECT_EQ(0, err);
	EXPECT_EQ(id, d.session);
	EXPECT_EQ(getpid(), d.pid);
	EXPECT_EQ(GOHEAP_DEATH_CLOSED, d.how);
	EXPECT_EQ(0, d.signal);

	/* 64 are remembered. */
	for (i = 0; i < 63; i++)
		close(attach(self->heap));
	d = death_of(self->heap, n, &err);
	EXPECT_EQ(0, err);
	EXPECT_EQ(id, d.session);
	close(attach(self->heap));
	death_of(self->heap, n, &err);
	EXPECT_EQ(-ESTALE, err);
	death_of(self->heap, ~0ULL, &err);
	EXPECT_EQ(-ENOENT, err);
}

/* Deferred frees of an object that does not carry their mark. */
static bool free_late(int ss, __u64 at, unsigned int n)
{
	struct goheap_defer d = { .size = sizeof(d), .count = n };
	struct goheap_flush f = { .size = sizeof(f), .count = n };
	__u64 *list = map_at(ss, 0, 4096, PROT_READ | PROT_WRITE);
	unsigned int i;

	if (list == MAP_FAILED || call(ss, GOHEAP_IOC_DEFER, &d))
		return false;
	for (i = 0; i < n; i++)
		list[i] = GOHEAP_DEFERRED | at;
	return !munmap(list, 4096) && !call(ss, GOHEAP_IOC_FLUSH, &f);
}

/*
 * Two sessions, of which one has a quota, and what is left of a third; and bad frees. The
 * numbers that stand for one thing in a line are different.
 */
static bool fill(int heap, int ss, int other)
{
	int gone = attach(heap), i;
	bool good = use(gone, 64, 7, 1, 1) && !close(gone);
	__s64 large;

	good &= !set_limit(heap, 8 << 20) && !set_limit(ss, 4 << 20);
	large = alloc_one(ss, 16 * HEAP_PAGE);
	good &= free_late(other, large, 9) && use(ss, 1024, 5, 2, 1);
	good &= use(other, 64, 6, 0, 4) && use(other, 16 * HEAP_PAGE, 1, 0, 1);
	for (i = 0; i < 4; i++)
		good &= free_one(ss, 8) == -EINVAL;
	return good;
}

TEST_F(life, fdinfo_tells_what_is_held)
{
	int other = attach(self->heap);
	struct goheap_usage u;

	ASSERT_TRUE(fill(self->heap, self->ss, other));
	u = usage(self->ss);
	EXPECT_EQ(u.heap_bytes, fdinfo_value(self->heap, "goheap-heap-bytes:"));
	EXPECT_EQ(8 << 20, fdinfo_value(self->heap, "goheap-heap-limit:"));
	EXPECT_EQ(8, fdinfo_value(self->heap, "goheap-objects:"));
	EXPECT_EQ(16 * HEAP_PAGE + 4 * 1024 + 3 * 64,
		  fdinfo_value(self->heap, "goheap-object-bytes:"));
	EXPECT_EQ(3, fdinfo_value(self->heap, "goheap-given:"));
	EXPECT_EQ(2, fdinfo_value(self->heap, "goheap-sessions:"));
	EXPECT_EQ(1, fdinfo_value(self->heap, "goheap-deaths:"));
	EXPECT_EQ(1024, fdinfo_value(self->heap, "goheap-max-sessions:"));
	EXPECT_FALSE(fdinfo_has(self->heap, "goheap-view-bytes:"));
	EXPECT_FALSE(fdinfo_has(self->heap, "goheap-session:"));

	EXPECT_EQ(u.session, fdinfo_value(self->ss, "goheap-session:"));
	EXPECT_EQ(u.session_bytes, fdinfo_value(self->ss, "goheap-session-bytes:"));
	EXPECT_EQ(4 << 20, fdinfo_value(self->ss, "goheap-session-limit:"));
	EXPECT_TRUE(fdinfo_has(self->ss, "goheap-session-state:\talive\n"));
	EXPECT_EQ(fdinfo_value(self->heap, "goheap-heap:"),
		  fdinfo_value(self->ss, "goheap-heap:"));
	close(other);
}

/* What another session gave, and left, is in a span that @other has adopted. */
TEST_F(life, debugfs_tells_what_is_held)
{
	int other = attach(self->heap), pid = getpid();
	struct goheap_usage u;
	char expect[1000];

	if (access(HEAPS, R_OK))
		SKIP(return, "no " HEAPS);
	ASSERT_TRUE(fill(self->heap, self->ss, other));
	u = usage(self->ss);
	EXPECT_LT(u.heap_bytes, u.peak_bytes);
	snprintf(expect, sizeof(expect),
		 "heap %llu uid 0 bytes %llu limit 8388608 peak %llu spans 3 sessions 2 deaths 1 refused 4 late 9 arenas 1 past_allocs 7 past_frees 6 reclaimed 5 retired 0 retired_bytes 0 epochs 0\n"
		 "  session 0 pid 0 bytes 0 limit 0 objects 0 object_bytes 0 given 0 allocs 0 frees 0 inside 0 thread 0 waited 0 comm %s\n"
		 "  session %u pid %d bytes %llu limit 4194304 objects 5 object_bytes 135168 given 2 allocs 6 frees 1 inside 0 thread 0 waited 0 comm user_life\n"
		 "  session %u pid %d bytes 8192 limit 0 objects 3 object_bytes 192 given 1 allocs 7 frees 5 inside 0 thread 0 waited 0 comm user_life\n",
		 fdinfo_value(self->heap, "goheap-heap:"), u.heap_bytes, u.peak_bytes, "",
		 u.session, pid, u.session_bytes, usage(other).session, pid);
	EXPECT_TRUE(strstr(contents(HEAPS), expect))
		printf("# expected:\n%sis:\n%s", expect, contents(HEAPS));
	close(other);
}

TEST_HARNESS_MAIN
