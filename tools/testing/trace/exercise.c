// SPDX-License-Identifier: GPL-2.0-only
/*
 * exercise: a program for the recorder's self-test. It calls each allocation
 * function, hands objects from thread to thread, starts many short threads, forks
 * and vforks.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NTHREADS	4
#define NSHORT		400
#define NROUNDS		50
#define NOBJECTS	100

static void *mailbox[NTHREADS][NOBJECTS];
static pthread_barrier_t barrier;

/* Each round, allocate objects and free those of the neighbour. */
static void *pass_on(void *arg)
{
	uintptr_t me = (uintptr_t)arg;
	int round, i;

	for (round = 0; round < NROUNDS; round++) {
		for (i = 0; i < NOBJECTS; i++) {
			size_t size = (i * 37 + round) % 700 + 1;
			char *p = malloc(size);

			mailbox[me][i] = realloc(p, size + i % 3 * 100);
		}
		pthread_barrier_wait(&barrier);
		for (i = 0; i < NOBJECTS; i++)
			free(mailbox[(me + 1) % NTHREADS][i]);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void *be_short(void *arg)
{
	free(strdup("short"));
	return arg;
}

static void run_threads(void)
{
	pthread_t threads[NTHREADS];
	uintptr_t i;

	pthread_barrier_init(&barrier, NULL, NTHREADS);
	for (i = 0; i < NTHREADS; i++)
		pthread_create(&threads[i], NULL, pass_on, (void *)i);
	for (i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < NSHORT; i++) {
		pthread_create(&threads[0], NULL, be_short, NULL);
		pthread_join(threads[0], NULL);
	}
}

static int call_each(void)
{
	void *p[8] = { 0 };
	int i, bad;

	bad = posix_memalign(&p[0], 64, 100);
	p[1] = aligned_alloc(4096, 8192);
	p[2] = memalign(32, 10);
	p[3] = valloc(1);
	p[4] = pvalloc(1);
	p[5] = reallocarray(NULL, 3, 5);
	p[6] = calloc(3, 7);
	p[7] = memalign(8192, 1);
	for (i = 0; i < 5; i++)
		bad |= !p[i] || (uintptr_t)p[i] % (i == 0 ? 64 : i == 2 ? 32 : 4096);
	bad |= (uintptr_t)p[7] % 8192 || !p[5] || memcmp(p[6], "\0\0\0\0", 4);
	p[5] = realloc(p[5], 100000);
	for (i = 0; i < 8; i++)
		free(p[i]);
	free(NULL);
	return bad;
}

static int fork_and_vfork(void)
{
	void *inherited = malloc(10);
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		free(inherited);
		inherited = malloc(5);
		free(inherited);
		_exit(0);
	}
	printf("parent %d\nchild %d\n", getpid(), pid);
	waitpid(pid, &status, 0);
	free(inherited);
	pid = vfork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return status;
}

int main(void)
{
	int bad = call_each();

	bad |= fork_and_vfork();
	run_threads();
	return bad;
}
