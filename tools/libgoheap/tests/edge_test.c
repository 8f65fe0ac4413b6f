// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * edge_test: what programs seldom meet: windows at other addresses, heaps that did
 * not open, errors of the kernel, processes that may not use the session.
 *
 * ioctl() is wrapped by the linker, so that errors can be had when they are needed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"
#include "tap.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIB		1048576UL

static int bad_frees;

static void note_bad_free(struct goheap *h, const void *p, int err)
{
	(void)h;
	(void)p;
	(void)err;
	bad_frees++;
}

/* ---- the kernel --------------------------------------------------------- */

int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *req;

	va_start(args, cmd);
	req = va_arg(args, void *);
	va_end(args);
	return __real_ioctl(fd, cmd, req);
}

/* ---- helpers ------------------------------------------------------------ */

static bool in_child(bool (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(fn() ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/* ---- where the window is ------------------------------------------------ */

#define NR_OBJECTS	2000

static const size_t sizes[] = { 16, 48, 112, 1024, 1408, 3072, 8192, 20480 };

/* Each object is written whole; a place that two have shows. */
static bool objects_are_apart(struct goheap *h)
{
	static unsigned char *p[NR_OBJECTS];
	unsigned int i, round;
	bool good = true;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < NR_OBJECTS; i++) {
			size_t size = sizes[(i + round) % ARRAY_SIZE(sizes)];

			p[i] = goheap_malloc(h, size);
			good &= p[i] && goheap_usable_size(h, p[i]) >= size;
			memset(p[i], i, size);
		}
		for (i = 0; i < NR_OBJECTS; i++) {
			size_t size = sizes[(i + round) % ARRAY_SIZE(sizes)];

			good &= p[i][0] == (unsigned char)i &&
				p[i][size / 2] == (unsigned char)i &&
				p[i][size - 1] == (unsigned char)i;
			goheap_free(h, p[i]);
		}
	}
	return good && !bad_frees;
}

static bool aligns(struct goheap *h)
{
	size_t align;
	bool good = true;

	for (align = 16; align <= GH_MAX_ALIGN; align *= 2) {
		char *p = goheap_memalign(h, align, 100);

		good &= p && !((uintptr_t)p % align);
		goheap_free(h, p);
	}
	return good;
}

/* With something where the window should be, and the next place an odd page. */
static void test_elsewhere(void)
{
	bool elsewhere = true, apart = true, aligned = true;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct goheap_info info = { .size = sizeof(info) };
		int fd = open("/dev/goheap", O_RDWR | O_CLOEXEC);
		struct goheap *h;
		void *way;

		if (ioctl(fd, GOHEAP_IOC_INFO, &info))
			elsewhere = false;
		way = mmap((void *)info.base, 4096, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			   -1, 0);
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		h = goheap_open_fd(fd, 0);
		close(fd);
		elsewhere &= way == (void *)info.base && h &&
			     goheap_pointer(h, 0) != (void *)info.base;
		apart &= h && objects_are_apart(h);
		aligned &= h && aligns(h);
		goheap_close(h);
		munmap(way, 4096);
	}
	check(elsewhere, "a window may lie elsewhere");
	check(apart, "and its objects are apart");
	check(aligned, "and aligned");
}

/* ---- heaps that did not open -------------------------------------------- */

static bool slots_are_clean(void)
{
	unsigned int i;

	for (i = 0; i < GH_HEAPS; i++)
		if (!gh_heaps[i].id &&
		    (gh_heaps[i].base || gh_heaps[i].window ||
		     gh_heaps[i].known || gh_heaps[i].map))
			return false;
	return true;
}

static size_t address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* Less room each time, from enough for all mappings to not enough for the first. */
static bool fails_cleanly(void)
{
	size_t now = address_space();
	unsigned int failed = 0, opened = 0, kib;
	bool good = true;

	for (kib = 73 << 10; kib > 60 << 10; kib -= 12) {
		struct rlimit room = { now + kib * 1024UL, RLIM_INFINITY };
		struct goheap *h;

		setrlimit(RLIMIT_AS, &room);
		h = goheap_open(NULL, 0);
		failed += !h;
		opened += !!h;
		good &= h || errno == ENOMEM;
		goheap_close(h);
		good &= slots_are_clean();
	}
	return good && failed && opened;
}

int main(void)
{
	if (access("/dev/goheap", F_OK)) {
		printf("1..0 # SKIP no /dev/goheap\n");
		return 4;
	}
	goheap_on_bad_free(note_bad_free);
	test_elsewhere();
	check(in_child(fails_cleanly), "a heap that did not open leaves nothing");
	return tap_end();
}
