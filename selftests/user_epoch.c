// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that are retired: freed when all who might read them have stopped.
 */
#include "user_test.h"

#include <pthread.h>

#include "user_harness.h"
#include "user_side.h"

#define SIZE		64
#define CONTENT		0x5a
/* Looks at what should happen soon, and between two looks, microseconds. */
#define LOOKS		60000
#define LOOK_US		1000

/* A session with its readers. */
struct member {
	int ss;
	__u32 id;
	struct goheap_reader *reader;
};

static int member_open(struct member *m, int heap)
{
	m->ss = attach(heap);
	if (m->ss < 0)
		return m->ss;
	m->id = usage(m->ss).session;
	m->reader = mmap(NULL, READERS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			 m->ss, GOHEAP_MMAP_READERS);
	if (m->reader == MAP_FAILED)
		return -errno;
	return defer_flags(m->ss, GOHEAP_DEFER_READERS, 0, 128);
}

static void member_close(struct member *m)
{
	munmap(m->reader, READERS_BYTES);
	close(m->ss);
}

static void begin(struct member *m, unsigned int i)
{
	__atomic_store_n(&m->reader[i].count, m->reader[i].count + 1,
			 __ATOMIC_RELAXED);
}

static void end(struct member *m, unsigned int i)
{
	__atomic_store_n(&m->reader[i].count, m->reader[i].count + 1,
			 __ATOMIC_RELEASE);
}

static int retire_many(int ss, const __u64 *offsets, unsigned int n,
		       __u32 flags, unsigned int *bad)
{
	struct goheap_batch b = {
		.size = sizeof(b),
		.flags = flags,
		.offsets = (uintptr_t)offsets,
		.count = n,
		.bad = ~0U,
	};
	int err = call(ss, GOHEAP_IOC_RETIRE, &b);

	if (bad)
		*bad = b.bad;
	return err;
}

static int retire(int ss, __u64 offset)
{
	return retire_many(ss, &offset, 1, 0, NULL);
}

/* The session with the least number from @from on. */
static int session_of(int fd, __u32 from, struct goheap_session *s)
{
	*s = (struct goheap_session){ .size = sizeof(*s), .session = from };
	return call(fd, GOHEAP_IOC_SESSION, s);
}

#define SOON(cond)						\
({								\
	unsigned int looks_ = LOOKS;				\
								\
	while (!(cond) && --looks_)				\
		usleep(LOOK_US);				\
	looks_;							\
})

static __u32 inside(int heap, __u32 id)
{
	struct goheap_session s;

	return session_of(heap, id, &s) || s.session != id ? ~0U : s.inside;
}

FIXTURE(epoch)
{
	int heap;
	__u8 *win;
	struct member a;
	struct member b;
};

FIXTURE_SETUP(epoch)
{
	self->heap = heap_open();
	ASSERT_LE(0, self->heap);
	self->win = window(self->heap, ARENA);
	ASSERT_NE(MAP_FAILED, (void *)self->win);
	ASSERT_EQ(0, member_open(&self->a, self->heap));
	ASSERT_EQ(0, member_open(&self->b, self->heap));
}

FIXTURE_TEARDOWN(epoch)
{
	member_close(&self->a);
	member_close(&self->b);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
	EXPECT_TRUE(identities(self->heap));
	EXPECT_EQ(0, usage(self->heap).retired_bytes);
	EXPECT_EQ(0, usage(self->heap).objects);
	EXPECT_EQ(0, usage(self->heap).given);
	/* Pages go after the objects. */
	EXPECT_TRUE(SOON(trim(self->heap) != ~0ULL && !usage(self->heap).heap_bytes));
	munmap(self->win, ARENA);
	close(self->heap);
}

/* An object of A's that was given, with content. */
static __u64 given_object(FIXTURE_DATA(epoch) *self, size_t size)
{
	__s64 at = alloc_one(self->a.ss, size);

	if (at < 0 || give_one(self->a.ss, at))
		return ~0ULL;
	memset(self->win + at, CONTENT, size);
	return at;
}

/* Retired by A, while B's first reader is inside, and found to be waited for. */
static __u64 waiting_object(FIXTURE_DATA(epoch) *self)
{
	__u64 at = given_object(self, SIZE);

	begin(&self->b, 0);
	if (retire(self->a.ss, at) || !SOON(inside(self->heap, self->b.id) == 1))
		return ~0ULL;
	return at;
}

TEST_F(epoch, retired_objects_are_freed_soon)
{
	__u64 at = given_object(self, SIZE);
	struct goheap_usage u;

	/* Readers that are not inside hold up nobody. */
	begin(&self->b, 3);
	end(&self->b, 3);
	EXPECT_EQ(0, retire(self->b.ss, at));
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
	u = usage(self->heap);
	EXPECT_EQ(0, u.objects);
	EXPECT_EQ(0, u.given);
	EXPECT_EQ(0, u.reclaimed);
	EXPECT_LE(1, u.epochs);
	EXPECT_EQ(-ENOENT, free_one(self->a.ss, at));
}

TEST_F(epoch, readers_are_waited_for)
{
	__u64 at = waiting_object(self);
	struct goheap_session s;
	__u64 epochs;

	ASSERT_NE(~0ULL, at);
	EXPECT_EQ(1, usage(self->heap).retired);
	EXPECT_EQ(1, usage(self->heap).objects);
	EXPECT_EQ(0, usage(self->heap).given);
	epochs = usage(self->heap).epochs;

	/* Looks follow each other by a tenth of a second at most. */
	EXPECT_TRUE(SOON(!session_of(self->heap, self->b.id, &s) &&
			 s.waited > 500000000));
	EXPECT_EQ(epochs, usage(self->heap).epochs);
	EXPECT_EQ(1, usage(self->heap).retired);
	EXPECT_TRUE(all_are(self->win + at, CONTENT, SIZE));
	end(&self->b, 0);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
	EXPECT_EQ(0, inside(self->heap, self->b.id));
}

TEST_F(epoch, who_enters_later_is_not_waited_for)
{
	__u64 at = waiting_object(self);

	ASSERT_NE(~0ULL, at);
	begin(&self->b, 1);
	begin(&self->a, 0);
	/* Nor is who comes back. */
	end(&self->b, 0);
	begin(&self->b, 0);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
	end(&self->b, 1);
	end(&self->b, 0);
	end(&self->a, 0);
}

TEST_F(epoch, all_readers_are_waited_for)
{
	__u32 n = GOHEAP_NR_READERS, i;
	__u64 at = given_object(self, SIZE);

	for (i = 0; i < n; i += GOHEAP_MAX_BATCH)
		EXPECT_EQ(0, defer_flags(self->b.ss, GOHEAP_DEFER_READERS, i,
					 GOHEAP_MAX_BATCH));
	for (i = 0; i < n; i++)
		begin(&self->b, i);
	begin(&self->a, 127);
	EXPECT_EQ(0, retire(self->a.ss, at));
	EXPECT_TRUE(SOON(inside(self->heap, self->b.id) == n));
	EXPECT_EQ(1, inside(self->heap, self->a.id));
	end(&self->a, 127);
	for (i = 0; i < n - 1; i++)
		end(&self->b, i);
	EXPECT_TRUE(SOON(inside(self->heap, self->b.id) == 1));
	EXPECT_EQ(1, usage(self->heap).retired);
	end(&self->b, n - 1);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
}

/* A child that is inside until it is killed. */
static pid_t child_inside(int heap, struct goheap_session *s)
{
	struct member m;
	int ready[2];
	pid_t pid;

	if (pipe(ready))
		return -1;
	pid = fork_bound();
	if (pid) {
		close(ready[1]);
		if (read(ready[0], &s->session, sizeof(s->session)) !=
		    sizeof(s->session))
			return -1;
		close(ready[0]);
		return pid;
	}
	if (member_open(&m, heap))
		_exit(1);
	m.reader[5].thread = getpid();
	begin(&m, 5);
	if (write(ready[1], &m.id, sizeof(m.id)) != sizeof(m.id))
		_exit(2);
	for (;;)
		pause();
}

TEST_F(epoch, dead_readers_hold_up_nobody)
{
	__u64 at = given_object(self, SIZE);
	struct goheap_session s, found;
	pid_t pid = child_inside(self->heap, &s);

	ASSERT_LT(0, pid);
	EXPECT_EQ(0, retire(self->a.ss, at));
	EXPECT_TRUE(SOON(inside(self->heap, s.session) == 1));
	ASSERT_EQ(0, session_of(self->heap, s.session, &found));
	EXPECT_EQ(pid, found.pid);
	EXPECT_EQ(pid, found.thread);
	EXPECT_LT(0, found.waited);
	EXPECT_EQ(1, usage(self->heap).retired);
	kill(pid, SIGKILL);
	wait_for(pid);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
	EXPECT_EQ(~0U, inside(self->heap, s.session));
}

TEST_F(epoch, ended_sessions_hold_up_nobody)
{
	struct member m;
	__u64 at = given_object(self, SIZE);

	ASSERT_EQ(0, member_open(&m, self->heap));
	begin(&m, 0);
	EXPECT_EQ(0, retire(self->a.ss, at));
	EXPECT_TRUE(SOON(inside(self->heap, m.id) == 1));
	/* The mapping keeps the file; the session ends. */
	close(m.ss);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
	munmap(m.reader, READERS_BYTES);
}

TEST_F(epoch, death_of_who_retired_loses_nothing)
{
	__u64 at[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		at[i] = given_object(self, SIZE << i);
	begin(&self->b, 0);
	EXPECT_EQ(0, IN_CHILD(({
		int ss = attach(self->heap);
		int err = retire_many(ss, at, 8, 0, NULL);

		if (err || kill(getpid(), SIGKILL))
			_exit(1);
		1;
	})) - 128 - SIGKILL);
	EXPECT_EQ(8, usage(self->heap).retired);
	EXPECT_EQ(SIZE * 255, usage(self->heap).retired_bytes);
	end(&self->b, 0);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
}

TEST_F(epoch, what_cannot_be_freed_cannot_be_retired)
{
	__s64 theirs = alloc_one(self->b.ss, SIZE), mine = alloc_one(self->a.ss, SIZE);
	__u64 at[4] = { given_object(self, SIZE), mine, theirs, ~0ULL };
	unsigned int bad;

	EXPECT_EQ(-EPERM, retire_many(self->a.ss, at, 3, 0, &bad));
	EXPECT_EQ(2, bad);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
	/* Those before it were. */
	EXPECT_EQ(1, usage(self->heap).objects);
	EXPECT_EQ(-ENOENT, retire(self->a.ss, at[0]));
	EXPECT_EQ(-ENOENT, retire(self->a.ss, mine));
	EXPECT_EQ(-EINVAL, retire(self->a.ss, theirs + 8));
	EXPECT_EQ(-EINVAL, retire(self->a.ss, ~0ULL));
	EXPECT_EQ(-EINVAL, retire_many(self->a.ss, at, 0, 0, NULL));
	EXPECT_EQ(-EINVAL, retire_many(self->a.ss, at, 1025, 0, NULL));
	EXPECT_EQ(-EINVAL, retire_many(self->a.ss, at, 1, 2, NULL));
	EXPECT_EQ(-EFAULT, retire_many(self->a.ss, NULL, 1, 0, NULL));
	EXPECT_EQ(0, IN_CHILD(retire(self->a.ss, theirs) != -EPERM));
	EXPECT_EQ(1, usage(self->heap).objects);
}

TEST_F(epoch, retired_objects_are_nobodys)
{
	__u64 at = waiting_object(self), word = given_object(self, SIZE);
	struct goheap_listed listed[4];
	struct goheap_list l = {
		.size = sizeof(l), .objects = (uintptr_t)listed, .count = 4,
	};
	struct goheap_swap s = { .at = at, .expect = 0x5a5a5a5a5a5a5a5aULL };

	ASSERT_NE(~0ULL, at);
	EXPECT_EQ(-ENOENT, free_one(self->a.ss, at));
	EXPECT_EQ(-ENOENT, free_one(self->b.ss, at));
	EXPECT_EQ(-ENOENT, give_one(self->a.ss, at));
	EXPECT_EQ(-ENOENT, retire(self->b.ss, at));
	/* Who has taken it out of a list must not find it changed afterwards. */
	EXPECT_EQ(-ENOENT, publish(self->a.ss, &s, 1, NULL));
	s.at = word;
	s.take = at;
	s.flags = GOHEAP_SWAP_RETIRE;
	EXPECT_EQ(-ENOENT, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(0, call(self->heap, GOHEAP_IOC_LIST, &l));
	EXPECT_EQ(1, l.count);
	EXPECT_EQ(word, listed[0].offset);
	EXPECT_TRUE(all_are(self->win + at, CONTENT, SIZE));
	end(&self->b, 0);
	EXPECT_EQ(0, free_one(self->a.ss, word));
}

TEST_F(epoch, an_exchange_can_retire)
{
	__u64 word = given_object(self, SIZE), at = given_object(self, SIZE);
	__s64 mine = alloc_one(self->a.ss, SIZE);
	__u64 *w = (void *)(self->win + word);
	struct goheap_swap s = {
		.at = word, .expect = 7, .value = 9, .take = at, .give = mine,
		.flags = GOHEAP_SWAP_RETIRE | GOHEAP_SWAP_GIVE,
	};

	begin(&self->b, 0);
	*w = 8;
	EXPECT_EQ(0, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(8, s.value);
	EXPECT_EQ(0, usage(self->heap).retired);
	EXPECT_EQ(2, usage(self->heap).given);

	*w = 7;
	s.value = 9;
	EXPECT_EQ(0, publish(self->a.ss, &s, 1, NULL));
	EXPECT_EQ(7, s.value);
	EXPECT_EQ(9, *w);
	EXPECT_EQ(1, usage(self->heap).retired);
	EXPECT_EQ(2, usage(self->heap).given);
	end(&self->b, 0);
	EXPECT_EQ(0, free_one(self->b.ss, word));
	EXPECT_EQ(0, free_one(self->b.ss, mine));
}

/* Of 8 MiB, an eighth may be retired before somebody waits. */
#define LIMIT		(8UL << 20)
#define PART		(LIMIT / 8)

static void no_op(int sig)
{
	(void)sig;
}

static void *retire_thread(void *arg)
{
	__u64 *p = arg;

	return (void *)(long)retire(p[0], p[1]);
}

TEST_F(epoch, beyond_a_bound_it_waits_or_fails)
{
	struct sigaction sa = { .sa_handler = no_op };
	__u64 at[3], arg[2];
	struct goheap_swap s = { .flags = GOHEAP_SWAP_RETIRE | GOHEAP_SWAP_ROOT };
	unsigned int i;
	pthread_t thread;
	pid_t pid;
	void *ret;

	ASSERT_EQ(0, set_limit(self->heap, LIMIT));
	for (i = 0; i < 3; i++)
		at[i] = given_object(self, PART - HEAP_PAGE);
	begin(&self->b, 0);
	/* The bound is on what was there before. */
	EXPECT_EQ(0, retire(self->a.ss, at[0]));
	EXPECT_EQ(0, retire(self->a.ss, at[1]));
	EXPECT_EQ(-EAGAIN, retire_many(self->a.ss, at + 2, 1,
				       GOHEAP_RETIRE_NOWAIT, NULL));
	s.take = at[2];
	EXPECT_EQ(-EAGAIN, publish_flags(self->a.ss, GOHEAP_PUBLISH_NOWAIT, &s,
					 1, NULL));
	EXPECT_EQ(2, usage(self->heap).retired);

	/* A signal ends the wait, whatever it waits for. */
	pid = fork_bound();
	if (!pid) {
		int ss = attach(self->heap), err;

		sigaction(SIGALRM, &sa, NULL);
		alarm(1);
		err = retire(ss, at[2]);
		alarm(1);
		if (err == -EINTR)
			err = publish(ss, &s, 1, NULL);
		_exit(err != -EINTR);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(2, usage(self->heap).retired);

	arg[0] = self->a.ss;
	arg[1] = at[2];
	ASSERT_EQ(0, pthread_create(&thread, NULL, retire_thread, arg));
	EXPECT_TRUE(SOON(inside(self->heap, self->b.id) == 1));
	end(&self->b, 0);
	EXPECT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
}

TEST_F(epoch, whole_spans_go)
{
	static __u64 at[4096];
	unsigned int i;

	ASSERT_EQ(4096, alloc_many(self->a.ss, SIZE, at, 1024, GOHEAP_ALLOC_GIVEN) +
			alloc_many(self->a.ss, SIZE, at + 1024, 1024, GOHEAP_ALLOC_GIVEN) +
			alloc_many(self->b.ss, SIZE, at + 2048, 1024, GOHEAP_ALLOC_GIVEN) +
			alloc_many(self->b.ss, SIZE, at + 3072, 1024, GOHEAP_ALLOC_GIVEN));
	begin(&self->b, 0);
	/* In two epochs. */
	for (i = 0; i < 4096; i += 2)
		EXPECT_EQ(0, retire(self->a.ss, at[i]));
	EXPECT_TRUE(SOON(inside(self->heap, self->b.id) == 1));
	for (i = 1; i < 4096; i += 2)
		EXPECT_EQ(0, retire(self->a.ss, at[i]));
	EXPECT_EQ(4096, usage(self->heap).retired);
	/* Who owned them is gone by then. */
	member_close(&self->a);
	end(&self->b, 0);
	EXPECT_TRUE(SOON(!usage(self->heap).retired));
	EXPECT_EQ(0, usage(self->heap).objects);
	ASSERT_EQ(0, member_open(&self->a, self->heap));
}

TEST_F(epoch, a_heap_ends_with_what_is_retired)
{
	int heap = heap_open();
	struct member m;
	__s64 at;

	ASSERT_EQ(0, member_open(&m, heap));
	at = alloc_one(m.ss, SIZE);
	begin(&m, 0);
	EXPECT_EQ(0, retire(m.ss, at));
	EXPECT_TRUE(SOON(inside(heap, m.id) == 1));
	member_close(&m);
	close(heap);
}

TEST_F(epoch, readers_have_memory_when_it_was_asked_for)
{
	peek_init();
	EXPECT_EQ(0, peek(&self->a.reader[127]));
	EXPECT_EQ(SIGBUS, peek(&self->a.reader[HEAP_PAGE / 64]));
	EXPECT_EQ(-EINVAL, defer_flags(self->a.ss, GOHEAP_DEFER_READERS,
				       GOHEAP_NR_READERS, 1));
	EXPECT_EQ(-EINVAL, defer_flags(self->a.ss, GOHEAP_DEFER_READERS,
				       GOHEAP_NR_READERS - 1, 2));
	EXPECT_EQ(-EINVAL, defer_flags(self->a.ss, GOHEAP_DEFER_READERS, 0, 0));
	EXPECT_EQ(0, defer_flags(self->a.ss, GOHEAP_DEFER_READERS,
				 GOHEAP_NR_READERS - 1, 1));
	EXPECT_EQ(0, peek(&self->a.reader[GOHEAP_NR_READERS - 1]));
	/* They are no entries of the list. */
	EXPECT_EQ(-EINVAL, flush(self->a.ss, GOHEAP_NR_DEFERRED, 1, NULL));
}

TEST_F(epoch, sessions_are_found_by_number)
{
	struct goheap_session s = { .size = sizeof(s), .reserved = 1 };
	__u32 ended;
	struct member m;

	EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_SESSION, &s));
	EXPECT_EQ(0, session_of(self->heap, 0, &s));
	EXPECT_EQ(self->a.id, s.session);
	EXPECT_EQ(getpid(), s.pid);
	EXPECT_EQ(0, s.inside);
	EXPECT_EQ(0, s.waited);
	EXPECT_EQ(0, session_of(self->a.ss, s.session + 1, &s));
	EXPECT_EQ(self->b.id, s.session);
	EXPECT_EQ(-ENOENT, session_of(self->heap, self->b.id + 1, &s));
	EXPECT_EQ(-ENOENT, session_of(self->heap, ~0U, &s));
	ASSERT_EQ(0, member_open(&m, self->heap));
	ended = m.id;
	EXPECT_EQ(0, session_of(self->heap, ended, &s));
	EXPECT_EQ(ended, s.session);
	member_close(&m);
	EXPECT_EQ(-ENOENT, session_of(self->heap, ended, &s));
	/* Others may ask, too. */
	EXPECT_EQ(0, IN_CHILD(session_of(self->b.ss, 0, &s)));
}

TEST_HARNESS_MAIN
