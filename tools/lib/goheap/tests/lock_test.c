// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * lock_test: locks in shared memory, whose owners are killed.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "goheap_lock.h"
#include "tap.h"

int tap_results, tap_failures;

static_assert(sizeof(struct goheap_rwlock) == 512, "eight cache lines");

/* Kills, and how long it is from some progress to the next one, microseconds. */
#define KILLS		100
#define KILL_US		1000

/* ---- what the library says to the kernel -------------------------------- */

static unsigned int calls;

long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
	return __real_syscall(nr, a, b, c, d, e, f);
}

int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
	return __real_ioctl(fd, cmd, arg);
}

/* ---- processes ---------------------------------------------------------- */

static struct goheap *h;

/* What the locks protect: both are equal when nobody has the lock. */
struct shared {
	struct goheap_mutex mutex;
	struct goheap_rwlock rwlock;
	struct goheap_cond cond;
	uint64_t a;
	uint64_t b;
	uint64_t wrong;
	uint64_t told;
	uint64_t ready;
	uint64_t done;
};

static struct shared *shared_new(void)
{
	struct shared *s = goheap_malloc_given(h, sizeof(*s));

	return memset(s, 0, sizeof(*s));
}

static pid_t fork_bound(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
		_exit(127);
	return pid;
}

static void await_ready(struct shared *s, uint64_t n)
{
	while (__atomic_load_n(&s->ready, __ATOMIC_ACQUIRE) < n)
		usleep(1000);
}

static void get_ready(struct shared *s)
{
	__atomic_add_fetch(&s->ready, 1, __ATOMIC_RELEASE);
}

static void kill_it(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A child that calls a function, and then stays until it is killed. */
static pid_t child_with(struct shared *s, bool (*fn)(struct shared *s))
{
	uint64_t n = s->ready;
	pid_t pid = fork_bound();

	if (pid) {
		await_ready(s, n + 1);
		return pid;
	}
	if (!fn(s))
		__atomic_add_fetch(&s->wrong, 1, __ATOMIC_RELAXED);
	get_ready(s);
	for (;;)
		pause();
}

static bool fails(int ret, int err)
{
	return ret == -1 && errno == err;
}

/* ---- mutex -------------------------------------------------------------- */

static bool locks(struct shared *s)
{
	return !goheap_mutex_lock(h, &s->mutex, -1);
}

static bool is_refused(struct shared *s)
{
	return fails(goheap_mutex_lock(h, &s->mutex, 0), EAGAIN) &&
	       fails(goheap_mutex_lock(h, &s->mutex, 20), ETIMEDOUT) &&
	       fails(goheap_mutex_unlock(h, &s->mutex), EPERM) &&
	       fails(goheap_mutex_consistent(h, &s->mutex), EPERM);
}

static void test_mutex(struct shared *s)
{
	struct goheap *private = goheap_open(NULL, GOHEAP_PRIVATE);
	struct goheap_mutex outside = { 0 };
	unsigned int i, before;

	goheap_mutex_lock(h, &s->mutex, -1);
	check(s->mutex.word == goheap_session(h), "the owner is a session");
	kill_it(child_with(s, is_refused));
	check(!s->wrong, "others can neither take it nor let it go");
	check(fails(goheap_mutex_lock(h, &s->mutex, 0), EAGAIN),
	      "nor can its owner take it twice");
	check(!goheap_mutex_unlock(h, &s->mutex) && !s->mutex.word, "it is let go");
	check(fails(goheap_mutex_unlock(h, &s->mutex), EPERM), "once");

	before = calls;
	for (i = 0; i < 1000; i++) {
		goheap_mutex_lock(h, &s->mutex, -1);
		goheap_mutex_unlock(h, &s->mutex);
		goheap_rwlock_read(h, &s->rwlock, -1);
		goheap_rwlock_unlock(h, &s->rwlock);
		goheap_cond_signal(h, &s->cond);
	}
	check(calls == before, "without anybody who waits, there is no call");

	check(fails(goheap_mutex_lock(h, &outside, 0), EINVAL),
	      "a lock must be in the heap");
	check(fails(goheap_mutex_lock(private, goheap_malloc(private, 64), 0),
		    EOPNOTSUPP), "and not in a private one");
	goheap_close(private);
}

static void test_death(struct shared *s)
{
	pid_t pid = child_with(s, locks);
	uint32_t dead = s->mutex.word;

	check(dead && fails(goheap_mutex_lock(h, &s->mutex, 150), ETIMEDOUT) && !s->mutex.died,
	      "nobody takes it from the living");
	kill_it(pid);
	check(goheap_mutex_lock(h, &s->mutex, -1) == 1 && s->mutex.died == dead,
	      "the next owner is told");
	goheap_mutex_unlock(h, &s->mutex);
	check(goheap_mutex_lock(h, &s->mutex, -1) == 1, "and so is the one after it");
	check(!goheap_mutex_consistent(h, &s->mutex), "until it is said to be whole");
	goheap_mutex_unlock(h, &s->mutex);
	check(!goheap_mutex_lock(h, &s->mutex, -1), "then nobody is told");
	goheap_mutex_unlock(h, &s->mutex);

	kill_it(child_with(s, locks));
	check(goheap_mutex_lock(h, &s->mutex, 0) == 1, "who does not wait is told, too");
	goheap_mutex_consistent(h, &s->mutex);
	goheap_mutex_unlock(h, &s->mutex);
	check(!s->wrong, "children could lock");
}

/* What a process does under a lock for writing; whether it was whole before. */
static void change(struct shared *s, int told)
{
	if (told)
		s->told++;
	else if (s->a != s->b)
		s->wrong++;
	if (told)
		__atomic_store_n(&s->b, s->a, __ATOMIC_RELAXED);
	__atomic_store_n(&s->a, s->a + 1, __ATOMIC_RELAXED);
	/* So that it is killed here now and then. */
	if (s->a % 16 == 0)
		usleep(2 * KILL_US);
	__atomic_store_n(&s->b, s->b + 1, __ATOMIC_RELAXED);
}

static bool change_by_mutex(struct shared *s)
{
	int told = goheap_mutex_lock(h, &s->mutex, -1);

	if (told < 0)
		return false;
	change(s, told);
	if (told)
		goheap_mutex_consistent(h, &s->mutex);
	return !goheap_mutex_unlock(h, &s->mutex);
}

static bool change_by_rwlock(struct shared *s)
{
	int told = goheap_rwlock_write(h, &s->rwlock, -1);

	if (told < 0)
		return false;
	change(s, told);
	if (told)
		goheap_rwlock_consistent(h, &s->rwlock);
	return !goheap_rwlock_unlock(h, &s->rwlock);
}

static bool read_by_rwlock(struct shared *s)
{
	if (goheap_rwlock_read(h, &s->rwlock, -1))
		/* Somebody has to mend it. */
		return errno == EOWNERDEAD && change_by_rwlock(s);
	if (__atomic_load_n(&s->a, __ATOMIC_RELAXED) !=
	    __atomic_load_n(&s->b, __ATOMIC_RELAXED))
		__atomic_add_fetch(&s->wrong, 1, __ATOMIC_RELAXED);
	return !goheap_rwlock_unlock(h, &s->rwlock);
}

#define ROUNDS		3000
#define PROCESSES	3

struct work {
	struct shared *s;
	bool (*fn)(struct shared *s);
};

static void *work_on(void *arg)
{
	struct work *w = arg;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		if (!w->fn(w->s))
			return w;
	return NULL;
}

/* Two threads, of which the other one may do something else. */
static bool work_twice(struct work *first, struct work *second)
{
	pthread_t thread;
	void *ret;

	pthread_create(&thread, NULL, work_on, second);
	if (work_on(first))
		return false;
	pthread_join(thread, &ret);
	return !ret;
}

static void test_exclusion(bool (*first)(struct shared *s),
			   bool (*second)(struct shared *s), const char *what)
{
	struct shared *s = shared_new();
	struct work a = { s, first }, b = { s, second };
	unsigned int i, good = 0;
	uint64_t changes = ROUNDS * PROCESSES * (first == second ? 2 : 1);
	int status;

	for (i = 0; i < PROCESSES; i++)
		if (!fork_bound())
			_exit(!work_twice(&a, &b));
	while (wait(&status) > 0)
		good += !status;
	check(good == PROCESSES && !s->wrong && s->a == changes && s->b == changes &&
	      !s->told, what);
	goheap_free(h, s);
}

/* After a kill, the others find the lock free, or learn of the death. */
static void await_progress(struct shared *s)
{
	uint64_t n = __atomic_load_n(&s->a, __ATOMIC_RELAXED);

	while (__atomic_load_n(&s->a, __ATOMIC_RELAXED) == n)
		usleep(1000);
}

/* Workers of which each may do something else, killed one after the other. */
static void test_kills(bool (*const fn[PROCESSES])(struct shared *s), const char *what)
{
	struct shared *s = shared_new();
	pid_t pid[PROCESSES] = { 0 };
	unsigned int i, n;
	bool usable;

	for (n = 0; n < KILLS + PROCESSES; n++) {
		i = n % PROCESSES;
		if (pid[i]) {
			await_progress(s);
			usleep(KILL_US + n % 7 * 100);
			kill_it(pid[i]);
		}
		pid[i] = fork_bound();
		if (!pid[i])
			for (;;)
				if (!fn[i](s))
					_exit(1);
	}
	for (i = 0; i < PROCESSES; i++)
		kill_it(pid[i]);
	n = s->a;
	usable = fn[0](s) && fn[0](s);
	printf("# %u changes, %llu times an owner was told of a death\n", n,
	       (unsigned long long)s->told);
	check(usable && !s->wrong && s->a == s->b && n > KILLS && s->told, what);
	goheap_free(h, s);
}

/* ---- rwlock ------------------------------------------------------------- */

static bool reads(struct shared *s)
{
	return !goheap_rwlock_read(h, &s->rwlock, -1);
}

static bool writes(struct shared *s)
{
	return !goheap_rwlock_write(h, &s->rwlock, -1);
}

static bool only_reads(struct shared *s)
{
	return fails(goheap_rwlock_write(h, &s->rwlock, 0), EAGAIN) &&
	       fails(goheap_rwlock_write(h, &s->rwlock, 20), ETIMEDOUT) && reads(s);
}

static bool neither(struct shared *s)
{
	return fails(goheap_rwlock_write(h, &s->rwlock, 0), EAGAIN) &&
	       fails(goheap_rwlock_read(h, &s->rwlock, 0), EAGAIN) &&
	       fails(goheap_rwlock_read(h, &s->rwlock, 20), ETIMEDOUT) &&
	       fails(goheap_rwlock_unlock(h, &s->rwlock), EPERM) &&
	       fails(goheap_rwlock_consistent(h, &s->rwlock), EPERM);
}

static void test_rwlock(struct shared *s)
{
	pid_t pid;

	check(reads(s) && reads(s), "a process may read twice");
	pid = child_with(s, only_reads);
	check(!s->wrong, "others may read, and not write");
	goheap_rwlock_unlock(h, &s->rwlock);
	check(!goheap_rwlock_unlock(h, &s->rwlock) &&
	      fails(goheap_rwlock_unlock(h, &s->rwlock), EPERM), "it lets go twice");
	check(fails(goheap_rwlock_write(h, &s->rwlock, 0), EAGAIN),
	      "a reader keeps writers out");
	kill_it(pid);
	check(!goheap_rwlock_write(h, &s->rwlock, -1), "unless it is dead");
	kill_it(child_with(s, neither));
	check(!s->wrong, "a writer keeps out all");
	goheap_rwlock_unlock(h, &s->rwlock);

	kill_it(child_with(s, writes));
	check(fails(goheap_rwlock_read(h, &s->rwlock, -1), EOWNERDEAD),
	      "readers are told of a writer's death, and refused");
	check(goheap_rwlock_write(h, &s->rwlock, -1) == 1, "writers are told");
	goheap_rwlock_consistent(h, &s->rwlock);
	goheap_rwlock_unlock(h, &s->rwlock);
	check(reads(s) && !goheap_rwlock_unlock(h, &s->rwlock), "until it is mended");
}

static void *write_once(void *arg)
{
	struct shared *s = arg;

	if (!writes(s))
		return s;
	s->done = 1;
	goheap_rwlock_unlock(h, &s->rwlock);
	return NULL;
}

/* The process has the mutex of the lock then, and still only reads. */
static void test_unlock(struct shared *s)
{
	pthread_t thread;
	void *ret;

	reads(s);
	pthread_create(&thread, NULL, write_once, s);
	while (!__atomic_load_n(&s->rwlock.writer.word, __ATOMIC_RELAXED))
		usleep(1000);
	check(!__atomic_load_n(&s->done, __ATOMIC_RELAXED) &&
	      !goheap_rwlock_unlock(h, &s->rwlock),
	      "a reader lets go while a thread waits to write");
	pthread_join(thread, &ret);
	check(!ret && s->done, "which it can then");
}

static void test_many_readers(struct shared *s)
{
	pid_t pid[GOHEAP_RWLOCK_READERS];
	unsigned int i;

	for (i = 0; i < GOHEAP_RWLOCK_READERS; i++)
		pid[i] = child_with(s, reads);
	check(fails(goheap_rwlock_read(h, &s->rwlock, 0), EAGAIN),
	      "61 processes can read at a time");
	kill_it(pid[7]);
	check(!goheap_rwlock_read(h, &s->rwlock, -1), "the dead make room");
	goheap_rwlock_unlock(h, &s->rwlock);
	for (i = 0; i < GOHEAP_RWLOCK_READERS; i++)
		if (i != 7)
			kill_it(pid[i]);
	check(!goheap_rwlock_write(h, &s->rwlock, -1), "also for a writer");
	goheap_rwlock_unlock(h, &s->rwlock);
}

/* ---- condition ---------------------------------------------------------- */

/* Takes one of @a, which says how many there are; counts it in @b. */
static bool consume(struct shared *s)
{
	int told = goheap_mutex_lock(h, &s->mutex, -1);

	while (told >= 0 && !s->a)
		told = goheap_cond_wait(h, &s->cond, &s->mutex, -1);
	if (told < 0)
		return false;
	if (told)
		goheap_mutex_consistent(h, &s->mutex);
	__atomic_store_n(&s->a, s->a - 1, __ATOMIC_RELAXED);
	s->b++;
	return !goheap_mutex_unlock(h, &s->mutex);
}

static bool produce(struct shared *s)
{
	int told = goheap_mutex_lock(h, &s->mutex, -1);

	if (told < 0)
		return false;
	if (told)
		goheap_mutex_consistent(h, &s->mutex);
	s->a++;
	goheap_cond_signal(h, &s->cond);
	return !goheap_mutex_unlock(h, &s->mutex);
}

#define PRODUCED	2000

static void test_cond(void)
{
	struct shared *s = shared_new();
	pid_t pid[2];
	unsigned int i;

	goheap_mutex_lock(h, &s->mutex, -1);
	check(fails(goheap_cond_wait(h, &s->cond, &s->mutex, 0), EAGAIN) &&
	      fails(goheap_cond_wait(h, &s->cond, &s->mutex, 20), ETIMEDOUT) &&
	      s->mutex.word, "a wait has an end, and the mutex afterwards");
	goheap_mutex_unlock(h, &s->mutex);
	check(fails(goheap_cond_wait(h, &s->cond, &s->mutex, 20), EPERM),
	      "who waits must have the mutex");

	for (i = 0; i < 2; i++) {
		pid[i] = fork_bound();
		if (!pid[i])
			for (;;)
				if (!consume(s))
					_exit(1);
	}
	for (i = 0; i < PRODUCED; i++) {
		if (!produce(s))
			break;
		/* One of them dies now and then, perhaps with a wake-up. */
		if (i % 50 == 49) {
			kill_it(pid[0]);
			pid[0] = fork_bound();
			if (!pid[0])
				for (;;)
					if (!consume(s))
						_exit(1);
		}
	}
	check(i == PRODUCED, "consumers that are killed hold up no producer");
	while (__atomic_load_n(&s->a, __ATOMIC_RELAXED))
		usleep(1000);
	check(true, "and all is consumed");
	for (i = 0; i < 2; i++)
		kill_it(pid[i]);
	goheap_free(h, s);
}

static void *wait_once(void *arg)
{
	struct shared *s = arg;
	int ret = goheap_mutex_lock(h, &s->mutex, -1);

	get_ready(s);
	while (!ret && !s->done)
		ret = goheap_cond_wait(h, &s->cond, &s->mutex, -1);
	goheap_mutex_unlock(h, &s->mutex);
	return ret ? s : NULL;
}

static void test_broadcast(void)
{
	struct shared *s = shared_new();
	unsigned int i, good = 0;
	pthread_t thread[8];
	void *ret;

	for (i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, wait_once, s);
	await_ready(s, 8);
	goheap_mutex_lock(h, &s->mutex, -1);
	s->done = 1;
	goheap_cond_broadcast(h, &s->cond);
	goheap_mutex_unlock(h, &s->mutex);
	for (i = 0; i < 8; i++) {
		pthread_join(thread[i], &ret);
		good += !ret;
	}
	check(good == 8, "a broadcast wakes all");
	goheap_free(h, s);
}

int main(void)
{
	bool (*const mutex[PROCESSES])(struct shared *s) = {
		change_by_mutex, change_by_mutex, change_by_mutex
	};
	bool (*const rwlock[PROCESSES])(struct shared *s) = {
		change_by_rwlock, read_by_rwlock, read_by_rwlock
	};
	struct shared *s;

	h = goheap_open(NULL, 0);
	check(h, "a heap opens");
	if (!h)
		return tap_end();
	s = shared_new();
	test_mutex(s);
	test_death(s);
	test_rwlock(s);
	test_unlock(s);
	test_many_readers(s);
	test_exclusion(change_by_mutex, change_by_mutex, "a mutex has one owner at a time");
	test_exclusion(change_by_rwlock, change_by_rwlock, "so has a lock for writing");
	test_exclusion(read_by_rwlock, change_by_rwlock, "readers see nothing half changed");
	test_kills(mutex, "a mutex survives its owners");
	test_kills(rwlock, "so does a lock for reading and writing");
	test_cond();
	test_broadcast();
	goheap_close(h);
	return tap_end();
}
