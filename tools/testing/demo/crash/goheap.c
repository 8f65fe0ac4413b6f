// SPDX-License-Identifier: GPL-2.0-only
/* A heap of /dev/goheap, by the system calls alone. */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/goheap.h>

#include "crash.h"

/* The part of the window that is mapped: far more than the script needs. */
#define MAPPED	0x40000000UL

static int heap = -1, session = -1;
static char *window;

const char *heap_name(void)
{
	return "goheap";
}

void heap_make(void)
{
	if (session >= 0)
		close(session);
	if (heap >= 0) {
		munmap(window, MAPPED);
		close(heap);
	}
	session = -1;
	heap = open("/dev/goheap", O_RDWR | O_CLOEXEC);
	if (heap < 0)
		err(1, "/dev/goheap");
	window = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, heap, 0);
	if (window == MAP_FAILED)
		err(1, "mmap");
}

void heap_join(void)
{
	struct goheap_attach attach = { .size = sizeof(attach) };

	if (ioctl(heap, GOHEAP_IOC_ATTACH, &attach))
		err(1, "GOHEAP_IOC_ATTACH");
	session = attach.fd;
}

void *heap_alloc(size_t len)
{
	uint64_t offset;
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.length = len,
		.offsets = (uintptr_t)&offset,
		.count = 1,
	};

	return ioctl(session, GOHEAP_IOC_ALLOC, &req) ? NULL : window + offset;
}

void heap_free(void *p)
{
	uint64_t offset = (char *)p - window;
	struct goheap_batch batch = {
		.size = sizeof(batch),
		.offsets = (uintptr_t)&offset,
		.count = 1,
	};

	if (ioctl(session, GOHEAP_IOC_FREE, &batch))
		err(1, "GOHEAP_IOC_FREE");
}

size_t heap_held(void)
{
	struct goheap_usage usage = { .size = sizeof(usage) };

	if (ioctl(heap, GOHEAP_IOC_STATS, &usage))
		err(1, "GOHEAP_IOC_STATS");
	return usage.heap_bytes;
}
