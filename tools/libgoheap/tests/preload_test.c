// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * preload_test: what malloc() and its like promise, with any allocator. With the
 * argument "goheap" their memory must be a heap's, with "glibc" it must not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define NR_THREADS	4

/* Whether an address is in a mapping of the device. */
static bool in_heap(const void *p)
{
	unsigned long from, to;
	bool found = false;
	char line[300];
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		found |= sscanf(line, "%lx-%lx", &from, &to) == 2 &&
			 (unsigned long)p >= from && (unsigned long)p < to &&
			 strstr(line, "goheap");
	if (f)
		fclose(f);
	return found;
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
	for (n = 8; n <= 1 << 20; n *= 2) {
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
	bool heap = argc > 1 && !strcmp(argv[1], "goheap");
	void *p = malloc(100), *large = malloc(1 << 20);

	check(in_heap(p) == heap && in_heap(large) == heap,
	      "memory is the allocator's that it should be");
	free(p);
	free(large);
	test_errors();
	test_alignment();
	test_content();
	test_fork();
	test_threads();
	test_bad_free();
	return tap_end();
}
