// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash: kill processes that allocate, and see what becomes of the others.
 *
 * A worker allocates and frees for ever, and is killed by SIGKILL at a random
 * moment. Then another process tries to allocate, with a time limit: if it fails,
 * the heap is lost. All of that again, on the same heap, until it is lost or enough
 * were killed; and on several heaps.
 *
 * Arguments: heaps, and kills for each. Nobody aims: a kill that finds the worker
 * outside of the allocator does no harm to any heap but what it leaves behind.
 */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash.h"

/* Seconds after which a process that only wants to allocate counts as hung. */
#define PATIENCE	5
/* Microseconds that a worker lives, at most, once it is at work. */
#define LIFE		2000
/* Objects that a worker holds at a time, and their sizes. */
#define HELD		64
#define MIN_LEN		64
#define MAX_LEN		4096

static void worker(int ready)
{
	char *held[HELD] = { NULL };
	unsigned int n, seed = getpid();

	heap_join();
	for (n = 0; ; n++) {
		unsigned int len = MIN_LEN + rand_r(&seed) % (MAX_LEN - MIN_LEN);
		char **slot = &held[rand_r(&seed) % HELD];

		if (*slot)
			heap_free(*slot);
		*slot = heap_alloc(len);
		if (!*slot)
			errx(1, "out of memory");
		memset(*slot, 0xa5, len);
		if (n == HELD && write(ready, "", 1) != 1)
			err(1, "write");
	}
}

/* Start a worker and kill it. */
static void kill_one(void)
{
	int ready[2], status;
	pid_t pid;
	char c;

	if (pipe(ready))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		worker(ready[1]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		errx(1, "the worker did not come to work");
	close(ready[0]);
	usleep(rand() % LIFE);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		errx(1, "the worker ended before it was killed");
}

/* What a process does that only wants to allocate; returns what came of it. */
static const char *probe(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		void *p;

		alarm(PATIENCE);
		heap_join();
		p = heap_alloc(MAX_LEN);
		if (!p)
			_exit(2);
		heap_free(p);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGALRM ? "hangs" : "dies";
	return WEXITSTATUS(status) ? "gets no memory" : NULL;
}

/* Whether the heap survived. */
static bool one_heap(int heap, int kills)
{
	const char *trouble = NULL;
	size_t before, after;
	int n;

	heap_make();
	before = heap_held();
	for (n = 0; n < kills && !trouble; n++) {
		kill_one();
		trouble = probe();
	}
	after = heap_held();
	printf("%s: heap %d: %d killed; ", heap_name(), heap, n);
	if (trouble)
		printf("LOST: the next process to allocate %s; ", trouble);
	else
		printf("all others went on; ");
	printf("held %zu KiB before, %zu KiB after\n", before >> 10, after >> 10);
	return !trouble && after <= before;
}

int main(int argc, char **argv)
{
	int heaps = argc > 1 ? atoi(argv[1]) : 5;
	int kills = argc > 2 ? atoi(argv[2]) : 200;
	int i, whole = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	srand(argc > 3 ? atoi(argv[3]) : getpid());
	for (i = 1; i <= heaps; i++)
		whole += one_heap(i, kills);
	printf("%s: %d of %d heaps whole\n", heap_name(), whole, heaps);
	return whole == heaps ? 0 : 2;
}
