// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of the C library work in a heap between processes, also when one is
 * killed while it holds one: futexes find each other there.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/goheap.h>

#define WORKERS	4
#define ROUNDS	20000

struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	unsigned long count;
	int turn;
};

static int results, failures;

static void check(bool good, const char *what)
{
	printf("%sok %d %s\n", good ? "" : "not ", ++results, what);
	failures += !good;
}

/* Each process maps it for itself, wherever there is room. */
static struct shared *map(int heap, off_t offset)
{
	void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		       MAP_SHARED, heap, offset);

	return p == MAP_FAILED ? NULL : p;
}

static bool make_locks(struct shared *s)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	return !pthread_mutexattr_init(&mutex) &&
	       !pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) &&
	       !pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST) &&
	       !pthread_mutex_init(&s->mutex, &mutex) &&
	       !pthread_condattr_init(&cond) &&
	       !pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED) &&
	       !pthread_cond_init(&s->cond, &cond);
}

static bool all_end_well(int n)
{
	bool good = true;
	int status;

	while (n--)
		good &= wait(&status) > 0 && !status;
	return good;
}

static int count_up(struct shared *s)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (pthread_mutex_lock(&s->mutex))
			return 1;
		s->count++;
		if (pthread_mutex_unlock(&s->mutex))
			return 1;
	}
	return 0;
}

static void test_mutex(int heap, struct shared *s)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (!fork())
			_exit(count_up(map(heap, 0)));
	check(all_end_well(WORKERS), "processes take a mutex in turns");
	check(s->count == (unsigned long)WORKERS * ROUNDS,
	      "and lose no count");
}

static int ping_pong(struct shared *s, int me)
{
	int i, err = pthread_mutex_lock(&s->mutex);

	for (i = 0; !err && i < ROUNDS / 20; i++) {
		while (!err && s->turn != me)
			err = pthread_cond_wait(&s->cond, &s->mutex);
		s->turn = !me;
		pthread_cond_broadcast(&s->cond);
	}
	return err | pthread_mutex_unlock(&s->mutex);
}

static void test_cond(int heap)
{
	int i;

	for (i = 0; i < 2; i++)
		if (!fork())
			_exit(ping_pong(map(heap, 0), i));
	check(all_end_well(2), "they wait for each other");
}

static void test_death(int heap, struct shared *s)
{
	int status, err;
	pid_t pid = fork();

	if (!pid) {
		pthread_mutex_lock(&map(heap, 0)->mutex);
		raise(SIGKILL);
	}
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status),
	      "one is killed with the mutex in its hands");
	err = pthread_mutex_lock(&s->mutex);
	check(err == EOWNERDEAD, "the next one gets it, and is told");
	check(!pthread_mutex_consistent(&s->mutex) &&
	      !pthread_mutex_unlock(&s->mutex) && !count_up(s),
	      "and it works on");
}

int main(void)
{
	int heap = open("/dev/goheap", O_RDWR);
	struct shared *s;

	if (heap < 0) {
		puts("1..0 # SKIP no /dev/goheap");
		return 4;
	}
	/* The first allocation is at offset 0. */
	s = map(heap, GOHEAP_MMAP_ALLOC);
	check(s && make_locks(s), "locks are made in a heap");
	fflush(stdout);
	if (s) {
		test_mutex(heap, s);
		fflush(stdout);
		test_cond(heap);
		fflush(stdout);
		test_death(heap, s);
	}
	printf("1..%d\n", results);
	return failures != 0;
}
