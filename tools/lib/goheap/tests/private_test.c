// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * private_test: heaps of one process, from the outside and from the inside. They need no
 * device; what is compared with the kernel is left out where there is none.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"
#include "private.h"
#include "tap.h"

int tap_results, tap_failures;

#define NR_OBJECTS	2000
#define NR_STEPS	50000

int bad_frees, last_err;

static void note_bad_free(struct goheap *h, const void *p, int err)
{
	(void)h;
	(void)p;
	bad_frees++;
	last_err = err;
}

/* Early at boot. */
static bool no_randomness;

ssize_t __wrap_getrandom(void *to, size_t n, unsigned int flags)
{
	if (!no_randomness)
		return __real_getrandom(to, n, flags);
	errno = EAGAIN;
	return -1;
}

struct goheap *open_private(void)
{
	struct goheap *h = goheap_open(NULL, GOHEAP_PRIVATE);

	if (!h) {
		check(false, "a private heap opens");
		exit(tap_end());
	}
	return h;
}

struct goheap_usage usage_of(struct goheap *h)
{
	struct goheap_usage u;

	if (goheap_usage(h, &u))
		memset(&u, 0xff, sizeof(u));
	return u;
}

bool in_child(bool (*fn)(struct goheap *h, void *arg), struct goheap *h, void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(fn(h, arg) ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static void test_model(void)
{
	static struct object object[NR_OBJECTS];
	struct goheap *h = open_private();
	uint64_t seed = 88172645463325252ULL;
	bool good = true, right = true;
	unsigned int i;

	for (i = 0; i < NR_STEPS && good; i++) {
		good = step(h, &object[next_random(&seed) % NR_OBJECTS], &seed);
		if (i % 5000 == 0)
			right &= books_are_right(h);
	}
	check(good && !bad_frees, "objects keep what is written to them");
	check(right, "and the books are right all the time");
	check(usage_of(h).heap_bytes == h->books.used << LG_PAGE_SHIFT &&
	      usage_of(h).object_bytes <= usage_of(h).heap_bytes &&
	      usage_of(h).peak_bytes >= usage_of(h).heap_bytes, "usage says what there is");
	for (i = 0; i < NR_OBJECTS; i++)
		goheap_free(h, object[i].p);
	goheap_trim(h);
	check(books_are_right(h) && !usage_of(h).objects && !h->books.dirty &&
	      !usage_of(h).heap_bytes, "when all is freed and trimmed, nothing is left");
	check(usage_of(h).allocs == usage_of(h).frees, "and each object was freed once");
	check(h->books.top << LG_PAGE_SHIFT <= MIB, "nor have free pages addresses");
	goheap_close(h);
}

static void test_alone(void)
{
	struct goheap *h = open_private();
	struct goheap_exchange x = { 0 };
	void *p = goheap_malloc(h, 100);
	uint64_t value = 0;
	bool good;

	errno = 0;
	good = goheap_fd(h) == -1;
	good &= !goheap_session(h) && errno == EOPNOTSUPP;
	errno = 0;
	good &= goheap_give(h, &p, 1) && errno == EOPNOTSUPP;
	errno = 0;
	good &= !goheap_malloc_given(h, 100) && errno == EOPNOTSUPP;
	errno = 0;
	x.at = p;
	x.give = p;
	good &= goheap_publish(h, &x, 1) && errno == EOPNOTSUPP;
	errno = 0;
	good &= goheap_view(h, 0, 0, 0) == -1 && errno == EOPNOTSUPP;
	errno = 0;
	good &= goheap_root_get(h, 0, &value) && errno == EOPNOTSUPP;
	errno = 0;
	good &= goheap_root_cas(h, 0, &value, 1) == -1 && errno == EOPNOTSUPP;
	check(good, "what takes other processes is refused");
	check(goheap_pointer(h, goheap_offset(h, p)) == p, "offsets are of use, though");
	errno = 0;
	check(!goheap_open("/dev/goheap", GOHEAP_PRIVATE) && errno == EINVAL,
	      "a private heap has no device");
	goheap_close(h);
}

static bool refused(struct goheap *h, void *p, int err)
{
	bad_frees = 0;
	goheap_free(h, p);
	return bad_frees-- == 1 && last_err == err;
}

static void test_bad_frees(void)
{
	struct goheap *h = open_private();
	char *p[3000], *large = goheap_malloc(h, 3 * MIB), *longest;
	unsigned int i;

	check(refused(h, large + 16, EINVAL) && refused(h, large + LG_PAGE_SIZE, EINVAL) &&
	      refused(h, (char *)h->base + h->books.top * LG_PAGE_SIZE, EINVAL) &&
	      refused(h, &i, EINVAL), "what is no start of an object is not freed");
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_malloc(h, 48);
	check(refused(h, p[7] + 16, EINVAL), "nor what is inside of one");
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(h, p[i]);
	check(refused(h, p[7], ENOENT), "nor what is free");
	for (i = 0; i < 2; i++)
		p[i] = goheap_malloc(h, 48);
	goheap_free(h, p[0]);
	goheap_trim(h);
	/* Its mark is overwritten, but the books know. */
	memset(p[0], 0, 48);
	goheap_free(h, p[0]);
	bad_frees = 0;
	goheap_trim(h);
	check(bad_frees == 1 && last_err == ENOENT, "whatever is written there");
	longest = goheap_malloc(h, 17 * MIB);
	goheap_free(h, longest);
	check(refused(h, longest, EINVAL), "of the longest, too");
	goheap_free(h, large);
	check(refused(h, large, ENOENT), "and of those that are kept");
	goheap_free(h, p[1]);
	bad_frees = 0;
	goheap_trim(h);
	check(books_are_right(h) && !bad_frees && !usage_of(h).objects,
	      "nothing was lost by that");
	goheap_close(h);
}

static size_t resident(const void *p, size_t bytes)
{
	static unsigned char in[1 << 20];
	size_t page = sysconf(_SC_PAGESIZE), i, n = 0;

	if (mincore((void *)p, bytes, in))
		return ~0UL;
	for (i = 0; i < bytes / page; i++)
		n += in[i] & 1;
	return n * page;
}

static void test_memory(void)
{
	struct goheap *h = open_private();
	char *p = goheap_calloc(h, 1, 1UL << 30), *q, *some[200];
	size_t i;
	bool good = true;

	p[0] = 1;
	p[(1UL << 30) - 1] = 1;
	/* Two pages, which may be huge ones. */
	check(resident(p, 1UL << 30) <= 4 * MIB, "calloc() takes what is touched");
	goheap_free(h, p);
	check(h->books.top << LG_PAGE_SHIFT < 64 * MIB, "when it is freed, so are addresses");

	p = goheap_malloc(h, 40 * MIB);
	q = goheap_malloc(h, 40000);
	memset(p, 1, 40 * MIB);
	goheap_free(h, p);
	check(!resident(p, 40 * MIB) && h->known > 40 * MIB,
	      "memory between objects is given back");
	for (i = 0; i < ARRAY_SIZE(some); i++)
		memset(some[i] = goheap_malloc(h, 300000), 1, 300000);
	for (i = 0; i < ARRAY_SIZE(some); i++)
		goheap_free(h, some[i]);
	check(h->books.dirty << LG_PAGE_SHIFT <= 4 * MIB &&
	      h->books.used << LG_PAGE_SHIFT <= 16 * MIB, "and so is that of many");
	p = goheap_malloc(h, 15 * MIB);
	memset(p, 1, 15 * MIB);
	goheap_free(h, p);
	p = goheap_calloc(h, 15 * MIB, 1);
	for (i = 0; i < 15 * MIB; i++)
		good &= !p[i];
	check(good, "what is used again is zeroed if it must be");
	goheap_free(h, p);

	p = goheap_malloc(h, 50000);
	strcpy(p, "something");
	for (i = 50000; i < 10 * MIB; i += 50000)
		p = goheap_realloc(h, p, i);
	check(!strcmp(p, "something") && goheap_usable_size(h, p) >= i - 50000,
	      "objects grow");
	good = goheap_realloc(h, p, 40000) == p && goheap_usable_size(h, p) < 40000 + LG_PAGE_SIZE;
	check(good && books_are_right(h), "and shrink where they are");
	goheap_free(h, p);
	goheap_free(h, q);
	check(!goheap_malloc(h, 1UL << 40) && errno == ENOMEM, "there is an end to it");
	goheap_close(h);
}

/* A long object comes back without what the program has made of it. */
static bool child_protects(struct goheap *h, void *arg)
{
	char *p = goheap_malloc(h, 20 * MIB), *next = goheap_malloc(h, MIB);

	(void)arg;
	mprotect(p + MIB, MIB, PROT_READ);
	goheap_free(h, p);
	p = goheap_malloc(h, 20 * MIB);
	return p && next && memset(p, 1, 20 * MIB);
}

static void test_quota(void)
{
	struct goheap *h = open_private();
	void *p[100];
	unsigned int i, n = 0;

	goheap_set_quota(h, 4 * MIB);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_malloc(h, 100000);
		n += !!p[i];
	}
	check(n >= 30 && n <= 41 && usage_of(h).heap_limit == 4 * MIB, "a quota holds");
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(h, p[i]);
	/* What is kept counts, but not if there is need. */
	check(goheap_malloc(h, 3 * MIB), "and what is kept does not stand in the way");
	goheap_set_quota(h, 0);
	check(goheap_malloc(h, 30 * MIB), "without it, there is none");
	goheap_close(h);
}

/* Somebody maps what is next to the heap. */
static void test_in_the_way(void)
{
	struct goheap *h = open_private();
	void *end = (void *)(h->base + h->known), *p;
	unsigned int n = 0;

	p = mmap(end, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	while (goheap_malloc(h, 50000))
		n++;
	check(p == end && errno == ENOMEM && n > 10 && books_are_right(h),
	      "what is in the way of a heap stays");
	goheap_close(h);
	check(!mprotect(end, MIB, PROT_NONE), "also when that closes");
	munmap(end, MIB);
}

bool has_little_room(struct goheap *unused, void *arg)
{
	struct rlimit room = { 64 * MIB, 64 * MIB };
	struct goheap *h;
	unsigned int n = 0;

	(void)unused;
	(void)arg;
	setrlimit(RLIMIT_AS, &room);
	h = goheap_open(NULL, GOHEAP_PRIVATE);
	while (h && goheap_malloc(h, 100000))
		n++;
	return n > 100 && errno == ENOMEM && books_are_right(h);
}

/* Bases are not where others are, nor the same twice. */
static void test_bases(void)
{
	struct goheap *h[8];
	unsigned int i, j, same = 0;

	for (i = 0; i < 8; i++) {
		h[i] = open_private();
		for (j = 0; j < i; j++)
			same += h[i]->base == h[j]->base ||
				h[i]->books.tables == h[j]->books.tables;
	}
	check(!same, "each heap is elsewhere");
	while (i--)
		goheap_close(h[i]);
}

/* Returns whether the heap can grow by 20 MiB, far above where programs begin. */
static void *open_and_grow(void *stack)
{
	struct goheap *h = open_private();
	bool good = h->base >= (uintptr_t)stack / 16;
	unsigned int i;

	for (i = 0; i < 400 && good; i++)
		good = !!goheap_malloc(h, 50000);
	good &= books_are_right(h);
	goheap_close(h);
	return good ? stack : NULL;
}

/* Its stack is a mapping as any other, which tells nothing about the address space. */
static void test_thread_opens(void)
{
	pthread_t thread;
	void *result, *stack = &result;

	pthread_create(&thread, NULL, open_and_grow, stack);
	pthread_join(thread, &result);
	check(result == stack, "a heap that a thread opened can grow");
}

/* The size classes of this library are the kernel's. */
static void test_classes(void)
{
	struct goheap_class as[GOHEAP_NR_CLASSES] = { 0 };
	struct goheap_info info = {
		.size = sizeof(info),
		.nr_classes = GOHEAP_NR_CLASSES,
		.classes = (uintptr_t)as,
	};
	int fd = open("/dev/goheap", O_RDWR | O_CLOEXEC);
	struct goheap *h = open_private();
	unsigned int i, same = 1;
	bool fit = true;

	/* Of the classes that are used: see lg_class_setup(). */
	for (i = 1; i < h->nr_classes; i++)
		fit &= h->class[i].size % LG_ALIGN || h->class[i].nelems <= LG_SPAN_BITS * 64;
	check(fit, "a span's record has a bit for each object");
	if (fd >= 0 && !ioctl(fd, GOHEAP_IOC_INFO, &info)) {
		for (i = 1; i < GOHEAP_NR_CLASSES; i++)
			same += as[i].size == h->class[i].size &&
				as[i].npages == h->class[i].npages &&
				as[i].nelems == h->class[i].nelems;
		check(same == GOHEAP_NR_CLASSES && info.nr_classes == same,
		      "size classes are the kernel's");
		check(info.page_size == LG_PAGE_SIZE &&
		      info.map_stride == sizeof(uint64_t) << LG_MAP_SHIFT, "and pages, too");
	}
	if (fd >= 0)
		close(fd);
	goheap_close(h);
}

int main(void)
{
	goheap_on_bad_free(note_bad_free);
	/* Where a test has chosen the kernel's pages, the library learns it from there. */
	goheap_close(goheap_open(NULL, 0));
	/* Before anybody forks: that sets up again what it takes. */
	test_raw_clone();
	test_classes();
	test_alone();
	test_model();
	test_bad_frees();
	test_memory();
	check(in_child(child_protects, open_private(), NULL), "and what it protected, it can use");
	test_quota();
	test_in_the_way();
	check(in_child(has_little_room, NULL, NULL), "little address space will do");
	test_bases();
	test_thread_opens();
	no_randomness = true;
	test_bases();
	no_randomness = false;
	test_forks();
	return tap_end();
}
