// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sample goheap_user_client and a process share an object: both see what the
 * other wrote, it cannot be freed meanwhile, and it outlives its process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/goheap.h>

#define CLIENT	"/sys/kernel/debug/goheap_user_client/"
#define HEAPS	"/sys/kernel/debug/goheap/heaps"

/* The large one spans pages, so the kernel must map it for itself. */
#define SMALL	64
#define LARGE	100000

static int results, failures;

static bool check(bool good, const char *what)
{
	printf("%sok %d %s\n", good ? "" : "not ", ++results, what);
	failures += !good;
	return good;
}

static ssize_t file_write(const char *name, const char *s)
{
	int fd = open(name, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, s, strlen(s));
	close(fd);
	return n;
}

static ssize_t file_read(const char *name, char *buf, size_t room)
{
	int fd = open(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, room - 1);
	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

static bool pin(int heap, __u64 offset, unsigned long len)
{
	char words[80];

	snprintf(words, sizeof(words), "%d %llu %lu", heap, offset, len);
	return file_write(CLIENT "pin", words) > 0;
}

static void put(char *to, const char *s)
{
	memcpy(to, s, strlen(s) + 1);
}

static bool text_is(const char *want)
{
	static char buf[LARGE + 1];

	return file_read(CLIENT "text", buf, sizeof(buf)) >= 0 &&
	       !strcmp(buf, want);
}

static int alloc(int session, size_t length, __u64 *offset)
{
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.flags = GOHEAP_ALLOC_ZERO,
		.length = length,
		.offsets = (uintptr_t)offset,
		.count = 1,
	};

	return ioctl(session, GOHEAP_IOC_ALLOC, &req);
}

static int free_one(int session, __u64 offset)
{
	struct goheap_batch b = {
		.size = sizeof(b),
		.offsets = (uintptr_t)&offset,
		.count = 1,
	};

	return ioctl(session, GOHEAP_IOC_FREE, &b) ? errno : 0;
}

static char *map(int heap)
{
	void *p = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_SHARED, heap,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

static void test_object(int heap, int session, char *window, size_t length)
{
	__u64 offset;

	check(!alloc(session, length, &offset), "an object is allocated");
	put(window + offset, "from the process");
	check(pin(heap, offset, length), "the module pins it");
	check(text_is("from the process"), "and reads what the process wrote");
	check(file_write(CLIENT "text", "from the module!") > 0,
	      "the module writes");
	check(!strcmp(window + offset, "from the module!"),
	      "and the process sees it");
	check(free_one(session, offset) == EBUSY, "it cannot be freed");
	check(file_write(CLIENT "pin", "none") > 0, "it is unpinned");
	check(!free_one(session, offset), "and can be freed");
	check(!pin(heap, offset, 1) && (errno == ENOENT || errno == EINVAL),
	      "what is free cannot be pinned");
}

static void test_refusals(int heap, int session)
{
	__u64 offset;

	check(!pin(0, 0, 1) && errno == EINVAL, "other files are refused");
	check(!pin(999, 0, 1) && errno == EBADF, "and none");
	check(!alloc(session, SMALL, &offset) &&
	      !pin(heap, offset + 8, SMALL) && errno == EINVAL,
	      "bytes of two objects are refused");
	check(pin(heap, offset + 8, SMALL - 8), "a part of one is not");
}

static int heaps(void)
{
	char buf[4096], *at = buf;
	int n = 0;

	if (file_read(HEAPS, buf, sizeof(buf)) < 0)
		return -1;
	while ((at = strstr(at, "heap "))) {
		n++;
		at++;
	}
	return n;
}

/* A child pins an object of a heap of its own, and is gone. */
static void test_death(void)
{
	int status, before = heaps();
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct goheap_attach attach = { .size = sizeof(attach) };
		int heap = open("/dev/goheap", O_RDWR);
		char *window = map(heap);
		__u64 offset;

		if (ioctl(heap, GOHEAP_IOC_ATTACH, &attach) || !window ||
		    alloc(attach.fd, LARGE, &offset))
			_exit(1);
		put(window + offset, "last words");
		_exit(!pin(heap, offset, LARGE));
	}
	check(waitpid(pid, &status, 0) == pid && !status,
	      "a process pins an object, and ends");
	check(text_is("last words"), "the object is still there");
	check(file_write(CLIENT "pin", "none") > 0, "until it is unpinned");
	check(before > 0 && heaps() == before, "then the heap is gone");
}

int main(void)
{
	struct goheap_attach attach = { .size = sizeof(attach) };
	int heap = open("/dev/goheap", O_RDWR);
	char *window;

	if (heap < 0) {
		puts("1..0 # SKIP no /dev/goheap");
		return 4;
	}
	window = map(heap);
	if (!check(!system("insmod /lib/goheap/goheap_user_client.ko"),
		   "the sample loads") ||
	    !check(window && !ioctl(heap, GOHEAP_IOC_ATTACH, &attach),
		   "a session begins"))
		return 1;
	test_object(heap, attach.fd, window, SMALL);
	test_object(heap, attach.fd, window, LARGE);
	test_refusals(heap, attach.fd);
	test_death();
	check(!system("rmmod goheap_user_client"), "the sample unloads");
	printf("1..%d\n", results);
	return failures != 0;
}
