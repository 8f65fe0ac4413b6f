// SPDX-License-Identifier: GPL-2.0-only
/*
 * batch: what a batch of objects costs by the system calls of /dev/goheap, and what a
 * system call of it costs that does next to nothing.
 *
 * Prints both, the least of all rounds, in picoseconds: for an object that is allocated
 * and freed in batches of 64, and for a call.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#include <linux/goheap.h>

#define ROUNDS	7
#define CALLS	1000
#define BATCH	64

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void call(int fd, unsigned long cmd, void *arg)
{
	if (ioctl(fd, cmd, arg))
		err(1, "ioctl %lx", cmd);
}

static int attach(int heap)
{
	struct goheap_attach attach = { .size = sizeof(attach) };

	call(heap, GOHEAP_IOC_ATTACH, &attach);
	return attach.fd;
}

static void alloc_and_free(int session)
{
	uint64_t offsets[BATCH];
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.flags = GOHEAP_ALLOC_ALL,
		.length = 64,
		.offsets = (uintptr_t)offsets,
		.count = BATCH,
	};
	struct goheap_batch batch = {
		.size = sizeof(batch),
		.offsets = (uintptr_t)offsets,
		.count = BATCH,
	};

	call(session, GOHEAP_IOC_ALLOC, &req);
	call(session, GOHEAP_IOC_FREE, &batch);
}

static void read_root(int session)
{
	struct goheap_root root = { .size = sizeof(root) };

	call(session, GOHEAP_IOC_ROOT, &root);
}

/* Picoseconds of one call of @fn, the least of all rounds. */
static uint64_t best(void (*fn)(int session), int session)
{
	uint64_t least = UINT64_MAX;
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), took;

		for (i = 0; i < CALLS; i++)
			fn(session);
		took = now_ns() - start;
		if (took < least)
			least = took;
	}
	return least * 1000 / CALLS;
}

int main(void)
{
	int heap = open("/dev/goheap", O_RDWR | O_CLOEXEC);
	int session;

	if (heap < 0)
		err(1, "/dev/goheap");
	session = attach(heap);
	printf("batch_ps=%llu call_ps=%llu objects=%d\n",
	       (unsigned long long)best(alloc_and_free, session),
	       (unsigned long long)best(read_root, session), BATCH);
	return 0;
}
