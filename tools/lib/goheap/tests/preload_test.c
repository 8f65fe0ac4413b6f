// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * preload_test: what malloc() and its like promise, with any allocator. With the
 * argument "goheap" their memory must be a heap's, with "glibc" it must not, and
 * with "limit" it must be both, because the heap is bounded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

int tap_results, tap_failures;

#define NR_THREADS	4

/* Whether memory must be a heap's. */
static bool heap;

/* Whose an object is, tells its length: glibc's have one word before them, or two. */
static bool in_heap(void *p)
{
	size_t n = malloc_usable_size(p);

	return n % (n > 32768 ? 8192 : 16) == 0;
}

static void test_errors(void)
{
	void *large, *p = &p;

	errno = 0;
	check(!malloc(SIZE_MAX - 100) && errno == ENOMEM, "malloc: ENOMEM");
	errno = 0;
	check(!calloc(SIZE_MAX, 2) && errno == ENOMEM, "calloc: ENOMEM");
	errno = 0;
	check(!reallocarray(NULL, SIZE_MAX, 2) && errno == ENOMEM,
	      "reallocarray: ENOMEM");
	check(posix_memalign(&p, 3, 8) == EINVAL && p == &p,
	      "posix_memalign: EINVAL");
	check(posix_memalign(&p, 64, SIZE_MAX - 100) == ENOMEM,
	      "posix_memalign: ENOMEM");
	p = malloc(100);
	large = malloc(1 << 20);
	errno = 77;
	free(p);
	free(large);
	check(errno == 77, "free keeps errno");
}

static void test_alignment(void)
{
	bool good = true;
	size_t n;
	void *p;

	for (n = 0; n < 5000; n++) {
		p = malloc(n);
		good &= p && !((uintptr_t)p % 16);
		free(p);
	}
	check(good, "malloc aligns to 16");
	for (n = 8; n <= 32 << 20; n *= 2) {
		good &= !posix_memalign(&p, n, n / 2) && !((uintptr_t)p % n);
		free(p);
		p = aligned_alloc(n, n);
		good &= p && !((uintptr_t)p % n);
		free(p);
		p = memalign(n, 3 * n);
		good &= p && !((uintptr_t)p % n) && malloc_usable_size(p) >= 3 * n;
		free(p);
	}
	check(good, "memalign and its like keep to the alignment");
	p = aligned_alloc(64, 640);
	check(in_heap(p) == heap, "from the allocator that it should be");
	free(p);
	p = valloc(100);
	check(p && !((uintptr_t)p % sysconf(_SC_PAGESIZE)), "valloc gives pages");
	free(p);
	p = pvalloc(100);
	check(malloc_usable_size(p) >= (size_t)sysconf(_SC_PAGESIZE),
	      "pvalloc gives whole pages");
	free(p);
}

static void test_content(void)
{
	char *p = malloc(10);
	size_t n;
	bool good = true;

	strcpy(p, "something");
	for (n = 10; n < 1 << 22; n = n * 3 / 2)
		p = realloc(p, n);
	check(!strcmp(p, "something"), "realloc keeps the content");
	memset(p, 1, 1 << 20);
	free(p);
	p = calloc(1 << 10, 1 << 10);
	for (n = 0; n < 1 << 20; n++)
		good &= !p[n];
	check(good, "calloc gives zeroes");
	free(p);
	check(!malloc_usable_size(NULL), "NULL has no usable size");
}

static void *allocate_and_fork(void *arg)
{
	int i, status, *good = arg;

	for (i = 0; i < 20; i++) {
		char *p = malloc(1000);
		pid_t pid;

		memset(p, i, 1000);
		pid = fork();
		if (!pid) {
			p = realloc(p, 2000);
			free(malloc(64));
			_exit(p[999] == i ? 0 : 1);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			return NULL;
		free(p);
	}
	*good = 1;
	return NULL;
}

static void test_threads(void)
{
	pthread_t thread[NR_THREADS];
	int i, good[NR_THREADS] = { 0 }, all = 1;

	for (i = 0; i < NR_THREADS; i++)
		pthread_create(&thread[i], NULL, allocate_and_fork, &good[i]);
	for (i = 0; i < NR_THREADS; i++) {
		pthread_join(thread[i], NULL);
		all &= good[i];
	}
	check(all, "threads fork, and the children have working memory");
}

static void test_fork(void)
{
	char *p = malloc(100), *q;
	int status;
	pid_t pid;

	strcpy(p, "parent");
	pid = fork();
	if (!pid) {
		strcpy(p, "child");
		free(p);
		q = malloc(100);
		_exit(q && malloc_usable_size(q) >= 100 ? 0 : 1);
	}
	check(waitpid(pid, &status, 0) == pid && !status, "a child has memory");
	check(!strcmp(p, "parent"), "and its parent does not see what it writes");
	free(p);
}

/* ---- what glibc has of its own ------------------------------------------ */

#define NR_KEYS		40

static pthread_key_t keys[NR_KEYS];

/* What a thread has while another forks, and what is left of it then. */
struct held {
	pthread_barrier_t step;
	FILE *file;
	bool kept;
};

static void *hold(void *arg)
{
	struct held *held = arg;
	int i;

	for (i = 0; i < NR_KEYS; i++)
		pthread_setspecific(keys[i], &keys[i]);
	held->file = fopen("/dev/null", "r");
	flockfile(held->file);
	pthread_barrier_wait(&held->step);
	pthread_barrier_wait(&held->step);
	held->kept = true;
	for (i = 0; i < NR_KEYS; i++)
		held->kept &= pthread_getspecific(keys[i]) == &keys[i];
	funlockfile(held->file);
	return NULL;
}

static void test_fork_and_glibc(void)
{
	struct held held = { 0 };
	pthread_t thread;
	int i, status;
	bool locked;
	pid_t pid;

	for (i = 0; i < NR_KEYS; i++)
		pthread_key_create(&keys[i], NULL);
	pthread_barrier_init(&held.step, NULL, 2);
	pthread_create(&thread, NULL, hold, &held);
	pthread_barrier_wait(&held.step);
	pid = fork();
	if (!pid)
		_exit(0);
	locked = waitpid(pid, &status, 0) == pid && ftrylockfile(held.file);
	pthread_barrier_wait(&held.step);
	pthread_join(thread, NULL);
	check(held.kept, "a thread keeps its values when another forks");
	check(locked, "and the streams that it locked");
	fclose(held.file);
}

/* ---- odd children ------------------------------------------------------- */

static bool all_served(void)
{
	char *p = NULL;
	int i;

	for (i = 0; i < 5000; i++) {
		p = malloc(1000);
		if (!p)
			return false;
		memset(p, i, 1000);
	}
	return in_heap(p) == heap;
}

/* As daemons do, in all ways. */
static bool closes_everything(void)
{
	struct pollfd out = { .fd = 2 };
	char *p = malloc(100);
	int fd;

	for (fd = 3; fd < 1100; fd++)
		close(fd);
	closefrom(3);
	close_range(3, ~0U, 0);
	close_range(3, 950, 0);
	for (fd = 890; fd < 1000; fd++)
		dup2(2, fd);
	for (fd = 890; fd < 1000; fd++)
		dup3(2, fd, 0);
	free(p);
	errno = 0;
	return all_served() && poll(&out, 1, 0) >= 0 && close(-1) == -1 &&
	       errno == EBADF && close_range(5, 4, 0) == -1 && errno == EINVAL;
}

/* By no call that a library could see. */
static bool closes_everything_again(void)
{
	int fd;

	for (fd = 3; fd < 1100; fd++)
		syscall(SYS_close, fd);
	return all_served();
}

static bool closes;

/* A thread that leaves the table of descriptors. */
static void *stranger(void *good)
{
	bool *served = good;
	int i;

	if (unshare(CLONE_FILES))
		return NULL;
	for (i = 3; closes && i < 1100; i++)
		syscall(SYS_close, i);
	*served = true;
	for (i = 0; i < 20000; i++) {
		char *p = i % 2 ? malloc(3000) : calloc(3000, 1);

		*served &= p && memset(p, i, 3000);
		if (i % 8)
			free(p);
	}
	return NULL;
}

static void test_stranger(void)
{
	bool served = false;
	pthread_t thread;

	pthread_create(&thread, NULL, stranger, &served);
	pthread_join(thread, NULL);
	check(served, "a thread with descriptors of its own has memory");
	check(in_heap(malloc(3 << 20)) == heap, "and others still the heap's");
}

/* A child that shares all memory. */
static void test_vfork(void)
{
	static int status;
	static void *p;
	static pid_t pid;
	static int fd;

	pid = vfork();
	if (!pid) {
		for (fd = 3; fd < 1100; fd++)
			syscall(SYS_close, fd);
		p = malloc(3 << 20);
		_exit(p ? 0 : 1);
	}
	check(waitpid(pid, &status, 0) == pid && !status &&
	      in_heap(malloc(3 << 20)) == heap,
	      "a child of vfork() loses nobody's heap");
	free(p);
}

static bool has_no_descriptors(void)
{
	struct rlimit none = { 0, 0 };
	char *p = malloc(1000), *q = malloc(100000);
	int status;
	pid_t pid;

	strcpy(p, "small");
	strcpy(q, "large");
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_NOFILE, &none);
		p = realloc(p, 5000);
		q = realloc(q, 500000);
		_exit(p && q && !strcmp(p, "small") && !strcmp(q, "large") &&
		      realloc(p, 10) && malloc(64) ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

static bool in_child(bool (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn() ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/* Map what is next to the heap, so that it can grow no further. */
static void block_heap(void *p)
{
	unsigned long from, to, end = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[300];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    (unsigned long)p >= from && (unsigned long)p < to)
			end = to;
	if (f)
		fclose(f);
	check(end && mmap((void *)end, 1 << 20, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			  0) == (void *)end, "something is next to the heap");
}

/* After a failure, it is not asked for a while. */
static bool serves_again(void)
{
	unsigned int i = 0;

	while (i++ < 200000 && !in_heap(malloc(1000)))
		;
	return i < 200000;
}

static void test_limit(void)
{
	static char *p[16000];
	bool good = true;
	int i;

	check(in_heap(malloc(100)), "the heap serves");
	block_heap(malloc(100));
	for (i = 0; i < 16000; i++) {
		p[i] = i % 3 ? malloc(1000) : calloc(10, 100);
		good &= p[i] && memset(p[i], i, 1000);
	}
	check(good && !in_heap(p[15999]), "beyond its end glibc's does");
	for (i = 0; i < 16000; i++) {
		good &= p[i][0] == (char)i && p[i][999] == (char)i;
		p[i] = realloc(p[i], 2000);
		good &= p[i] && p[i][999] == (char)i;
	}
	check(good, "also realloc");
	for (i = 0; i < 16000; i++)
		free(p[i]);
	check(serves_again(), "and the heap again when it has room");
	p[0] = malloc(64 << 20);
	check(p[0] && !in_heap(p[0]) && serves_again(),
	      "also after what it never has room for");
}

/* What the child says on stderr is to be seen in the log. */
static void test_bad_free(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		char *p = malloc(100);

		free(p);
		free(p);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGABRT, "a double free ends the program");
}

int main(int argc, char **argv)
{
	void *p = malloc(100), *large = malloc(1 << 20);

	if (argc > 1 && !strcmp(argv[1], "limit")) {
		test_limit();
		return tap_end();
	}
	heap = argc > 1 && !strcmp(argv[1], "goheap");
	check(in_heap(p) == heap && in_heap(large) == heap,
	      "memory is the allocator's that it should be");
	free(p);
	free(large);
	test_errors();
	test_alignment();
	test_content();
	test_fork();
	test_threads();
	test_fork_and_glibc();
	check(in_child(closes_everything), "who closes everything has memory");
	check(in_child(closes_everything_again), "so has who does it all the same");
	test_stranger();
	closes = true;
	test_stranger();
	test_vfork();
	check(has_no_descriptors(), "so has a child without descriptors");
	test_bad_free();
	return tap_end();
}
