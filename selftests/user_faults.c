// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every step of the device's own that can fail is made to fail, one after the
 * other, while a process does everything that it can do. What fails must say so
 * and change nothing, and in the end nothing may be left.
 */
#include "user_test.h"

#include "kselftest.h"

#define STRESS	"/lib/goheap/goheap_stress.ko"
#define CLIENT	"/lib/goheap/goheap_user_client.ko"
#define FAULT	"/sys/kernel/debug/goheap_stress/fault"
#define PIN	"/sys/kernel/debug/goheap_user_client/pin"
#define HEAPS	"/sys/kernel/debug/goheap/heaps"
#define LARGE	(100UL << 10)
#define NR	100
/* A point that is hit more often than this does not come to an end. */
#define MOST	2000

/* As enum gh_fault_point; address space is not reserved here. */
static const struct {
	unsigned int point;
	const char *name;
} points[] = {
	{ 0, "getting pages" },
	{ 2, "getting records" },
	{ 3, "getting metadata" },
	{ 4, "getting what a heap, session, call or pin needs" },
};

static int fault;
static unsigned int wrong;

static void must(bool good, const char *what)
{
	if (good)
		return;
	ksft_print_msg("does not hold: %s\n", what);
	wrong++;
}

/* Anything but success and ENOMEM is wrong. */
static bool worked(long result)
{
	if (result >= 0)
		return true;
	if (result != -ENOMEM)
		must(false, strerror(-result));
	return false;
}

/* ---- everything that a process can do ----------------------------------- */

static void use_objects(int ss, size_t length, unsigned int n)
{
	static __u64 at[NR];
	struct goheap_usage before = usage(ss), after;
	int got = alloc_many(ss, length, at, n, GOHEAP_ALLOC_ALL);

	after = usage(ss);
	if (!worked(got)) {
		must(after.objects == before.objects, "nothing allocated");
		return;
	}
	if (!worked(batch(ss, GOHEAP_IOC_GIVE, at, n, NULL)))
		must(usage(ss).given == before.given, "nothing given");
	if (!worked(batch(ss, GOHEAP_IOC_FREE, at, n, NULL))) {
		must(usage(ss).objects == after.objects, "nothing freed");
		must(!batch(ss, GOHEAP_IOC_FREE, at, n, NULL), "freed then");
	}
}

static void use_resize(int ss, __u8 *win)
{
	__s64 at = alloc_one(ss, LARGE);
	__u64 before;

	if (!worked(at))
		return;
	memset(win + at, 1, LARGE);
	before = usage(ss).session_bytes;
	if (!worked(resize(ss, at, 2 * LARGE)))
		must(usage(ss).session_bytes == before, "nothing resized");
	must(all_are(win + at, 1, LARGE), "contents are kept");
	worked(resize(ss, at, MAX_SMALL + 1));
	worked(free_one(ss, at));
}

static void use_mapping(int heap)
{
	__u8 *p = map_at(heap, GOHEAP_MMAP_ALLOC, LARGE,
			 PROT_READ | PROT_WRITE);

	if (p == MAP_FAILED) {
		worked(-errno);
		return;
	}
	must(all_are(p, 0, LARGE), "a mapping is zero");
	munmap(p, LARGE);
}

static void use_pin(int heap, int ss)
{
	__s64 at = alloc_one(ss, LARGE);
	char words[64];

	if (!worked(at))
		return;
	snprintf(words, sizeof(words), "%d %lld %lu", heap, at, LARGE);
	if (worked(write_text(PIN, words)))
		must(!write_text(PIN, "none"), "unpinned");
	must(!usage(ss).pinned, "nothing is pinned");
	must(!free_one(ss, at), "freed");
}

static void use_session(int heap, __u8 *win)
{
	int ss = attach(heap);
	size_t length;

	if (!worked(ss)) {
		must(!usage(heap).sessions, "no session");
		return;
	}
	/* First, while nothing lies behind the object. */
	use_resize(ss, win);
	for (length = 8; length <= LARGE; length *= 7)
		use_objects(ss, length, length > 8192 ? 4 : NR);
	use_objects(ss, LARGE, 2);
	use_mapping(heap);
	use_pin(heap, ss);
	/* Something for the end of the session to free. */
	worked(alloc_one(ss, 5000));
	close(ss);
}

static void use_heap(void)
{
	int heap = heap_open();
	__u8 *win;

	if (!worked(heap < 0 ? -errno : 0))
		return;
	win = window(heap, ARENA);
	use_session(heap, win);
	must(identities(heap), "identities");
	must(!usage(heap).objects, "no object is left");
	trim(heap);
	must(!usage(heap).heap_bytes, "no memory is left");
	munmap(win, ARENA);
	close(heap);
}

/* ---- one failure after the other ---------------------------------------- */

/* Whether there was an @nth step. */
static bool try_one(unsigned int point, unsigned int nth)
{
	char words[32];
	char hit = '0';

	snprintf(words, sizeof(words), "%u %u", point, nth);
	must(write(fault, words, strlen(words)) > 0, "armed");
	use_heap();
	must(read(fault, &hit, 1) == 1, "disarmed");
	return hit == '1';
}

static void try_all(unsigned int i)
{
	unsigned int nth = 1;

	wrong = 0;
	while (nth < MOST && try_one(points[i].point, nth) && !wrong)
		nth++;
	ksft_test_result(!wrong && nth > 1 && nth < MOST,
			 "%s failed at %u places, and nothing was lost\n",
			 points[i].name, nth - 1);
}

static int load(const char *module)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);
	int err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;

	close(fd);
	return err;
}

static bool no_heaps(void)
{
	FILE *f = fopen(HEAPS, "r");
	bool none = f && fgetc(f) == EOF;

	if (f)
		fclose(f);
	return none;
}

int main(void)
{
	unsigned int i;

	ksft_print_header();
	if (load(STRESS) || load(CLIENT))
		ksft_exit_fail_msg("no test modules\n");
	fault = open(FAULT, O_RDWR | O_CLOEXEC);
	if (fault < 0)
		ksft_exit_fail_msg("no " FAULT "\n");
	ksft_set_plan(ARRAY_SIZE(points) + 1);
	peek_init();
	for (i = 0; i < ARRAY_SIZE(points); i++)
		try_all(i);
	ksft_test_result(no_heaps(), "no heap is left\n");
	close(fault);
	syscall(SYS_delete_module, "goheap_user_client", O_NONBLOCK);
	syscall(SYS_delete_module, "goheap_stress", O_NONBLOCK);
	ksft_finished();
}
