// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * edge_test: what programs seldom meet: windows at other addresses, heaps that did
 * not open, errors of the kernel, processes that may not use the session.
 *
 * ioctl() is wrapped by the linker, so that errors can be had when they are needed.
 * So are the calls for locks, so that each that is let go of by who has not got it is
 * noticed, and each that is taken twice.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "lock.h"
#include "sys.h"
#include "types.h"
#include "edge.h"
#include "locks.h"
#include "statm.h"
#include "tap.h"

int tap_results, tap_failures;

int bad_frees, while_locked;

static void note_bad_free(struct goheap *h, const void *p, int err)
{
	(void)h;
	(void)p;
	(void)err;
	bad_frees++;
	if (pthread_mutex_trylock(&lg_lock))
		while_locked++;
	else
		pthread_mutex_unlock(&lg_lock);
}

/* ---- the kernel --------------------------------------------------------- */

/* No batch of frees longer than this. */
static unsigned int most_freed = ~0U;
unsigned int allocs, trims, publishes, calls;
/* The next call that frees waits until another thread yields. */
bool stays, inside;
unsigned int yields;

int __wrap_sched_yield(void)
{
	__atomic_add_fetch(&yields, 1, __ATOMIC_RELEASE);
	return __real_sched_yield();
}

static void stay(void)
{
	__atomic_store_n(&inside, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&yields, __ATOMIC_ACQUIRE))
		__real_sched_yield();
}

/* What another kernel would say of its heaps: this is added to what is true. */
static struct goheap_info other;

static void tell_other(struct goheap_info *info)
{
	struct goheap_class *class = (void *)(uintptr_t)info->classes;

	/* One class fewer: one in the middle. */
	if (other.nr_classes == -1U)
		memmove(class + 30, class + 31,
			(info->nr_classes - 31) * sizeof(*class));
	info->nr_classes += other.nr_classes;
	info->page_size += other.page_size;
	info->map_stride += other.map_stride;
	info->max_small += other.max_small;
}

int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *req;
	int ret;

	va_start(args, cmd);
	req = va_arg(args, void *);
	va_end(args);
	if (cmd == GOHEAP_IOC_FREE &&
	    ((struct goheap_batch *)req)->count > most_freed) {
		errno = ENOMEM;
		return -1;
	}
	if ((cmd == GOHEAP_IOC_FREE || cmd == GOHEAP_IOC_FLUSH) && stays) {
		stays = false;
		stay();
	}
	calls++;
	allocs += cmd == GOHEAP_IOC_ALLOC;
	trims += cmd == GOHEAP_IOC_TRIM;
	publishes += cmd == GOHEAP_IOC_PUBLISH;
	ret = __real_ioctl(fd, cmd, req);
	if (cmd == GOHEAP_IOC_INFO && !ret)
		tell_other(req);
	return ret;
}

/* Of the map, for how far it goes. */
unsigned int probes;

long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	probes += nr == SYS_rt_sigprocmask;
	return __real_syscall(nr, a, b, c, d, e, f);
}

/* ---- helpers ------------------------------------------------------------ */

static bool in_child(bool (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(fn() && !wrong_locks ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

struct goheap_usage usage_of(struct goheap *h)
{
	struct goheap_usage usage;
	const struct goheap_usage unknown = { .objects = 1, .given = 1000 };

	return goheap_usage(h, &usage) ? unknown : usage;
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

	for (align = 16; align <= LG_MAX_ALIGN; align *= 2) {
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

	for (i = 0; i < LG_HEAPS; i++)
		if (!lg_heaps[i].id &&
		    (lg_heaps[i].base || lg_heaps[i].window ||
		     lg_heaps[i].known || lg_heaps[i].map))
			return false;
	return true;
}

/* Less room each time, from @most bytes to @least. Some attempts must fail, and some not. */
static bool fails_cleanly_between(size_t most, size_t least, size_t step)
{
	size_t room, now = read_statm().size;
	unsigned int failed = 0, opened = 0;
	bool good = true;

	for (room = most; room > least; room -= step) {
		struct rlimit limit = { now + room, RLIM_INFINITY };
		struct goheap *h;

		setrlimit(RLIMIT_AS, &limit);
		h = goheap_open(NULL, 0);
		failed += !h;
		opened += !!h;
		good &= h || errno == ENOMEM;
		goheap_close(h);
		good &= slots_are_clean() && read_statm().size == now;
	}
	return good && failed && opened;
}

/*
 * A part of the window is mapped with room to spare, of which all other mappings are
 * made: so there is too little for the first, or enough. For the whole window there is
 * none to spare, so each of the others can fail.
 */
static bool fails_cleanly(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	uint64_t window = h->window;

	goheap_close(h);
	return fails_cleanly_between(73 * MIB, 60 * MIB, MIB) &&
	       fails_cleanly_between(window + 100 * MIB, window - MIB, 200 << 10);
}

/* ---- threads that end, and that trim ------------------------------------ */

/* Of a key that is younger than the library's, so it is called after that. */
static void use_after_the_end(void *arg)
{
	struct helper *x = arg;
	void *p[3] = {
		goheap_malloc(x->as, 64), goheap_malloc(x->as, 64), goheap_malloc(x->as, MIB),
	};
	unsigned int i;

	x->done = p[0] && p[1] && p[2];
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(x->as, p[i]);
}

static pthread_key_t last_key;

static void *use_and_end(void *arg)
{
	struct helper *x = arg;

	goheap_free(x->as, goheap_malloc(x->as, 64));
	pthread_setspecific(last_key, x);
	return NULL;
}

static void test_after_the_end(struct goheap *h)
{
	struct helper x = { .as = h };
	pthread_t thread;

	pthread_key_create(&last_key, use_after_the_end);
	pthread_create(&thread, NULL, use_and_end, &x);
	pthread_join(thread, NULL);
	goheap_trim(h);
	check(x.done && !usage_of(h).objects && !bad_frees,
	      "a thread that has ended may allocate and free");
}

static void test_give_kept(struct goheap *h)
{
	void *p[2] = { goheap_malloc(h, 64), goheap_malloc(h, 64) };

	goheap_free(h, p[1]);
	errno = 0;
	check(goheap_give(h, p, 2) == -1 && errno == ENOENT &&
	      !usage_of(h).given, "what is in a magazine cannot be given");
	p[1] = goheap_malloc(h, 100000);
	goheap_free(h, p[1]);
	errno = 0;
	check(goheap_give(h, p, 2) == -1 && errno == ENOENT &&
	      !usage_of(h).given, "nor what is large, and kept");
	goheap_free(h, p[0]);
}

static void *trim_always(void *arg)
{
	struct helper *x = arg;

	while (!__atomic_load_n(&x->done, __ATOMIC_RELAXED))
		goheap_trim(x->of);
	return NULL;
}

/* Each object that is freed drives out another. */
static void test_trim_meanwhile(struct goheap *h)
{
	struct helper x = { .of = h };
	pthread_t thread;
	unsigned int i, j;
	void *p[12];

	pthread_create(&thread, NULL, trim_always, &x);
	for (i = 0; i < 5000; i++) {
		for (j = 0; j < 12; j++)
			p[j] = goheap_malloc(h, 100000);
		for (j = 0; j < 12; j++)
			goheap_free(h, p[j]);
	}
	__atomic_store_n(&x.done, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	goheap_trim(h);
	check(!usage_of(h).objects, "nothing is lost while another thread trims");
}

/* ---- calls that the kernel refuses -------------------------------------- */

static void *fill[NR_OBJECTS];

static bool fill_up(struct goheap *h, size_t size)
{
	unsigned int i;

	for (i = 0; i < NR_OBJECTS; i++) {
		fill[i] = goheap_malloc(h, size);
		if (!fill[i])
			return false;
	}
	return true;
}

static void free_all(struct goheap *h)
{
	unsigned int i;

	for (i = 0; i < NR_OBJECTS; i++)
		goheap_free(h, fill[i]);
}

/* Magazines grow, so most calls are for whole batches. */
static void test_calls_are_few(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	unsigned int batch = h->class[h->class_of[16 / LG_QUANTUM]].batch;
	unsigned int before = allocs;

	fill_up(h, 16);
	check(allocs - before <= NR_OBJECTS / batch + 4, "calls are few");
	free_all(h);
	goheap_close(h);
}

#define THREAD_BYTES	(2UL << 20)
#define EACH		300

/* More of each class than all magazines may have together. */
static void test_threads_share(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	unsigned int class, i;
	size_t bytes = 0;
	void *p[EACH];

	for (class = 1; class < h->nr_classes; class++) {
		for (i = 0; i < EACH; i++)
			p[i] = goheap_malloc(h, h->class[class].size);
		while (i--)
			goheap_free(h, p[i]);
		bytes += h->class[class].max * (size_t)h->class[class].size;
	}
	check(bytes > THREAD_BYTES && lg_cache_bytes_all(h) <= THREAD_BYTES,
	      "the magazines of a thread are bounded together");
	goheap_close(h);
}

/* Without a lock, as many as there may be; the rest is for all threads. */
static void test_threads_keep_large(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	void *p[LG_BIG + 4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_malloc(h, 64 << 10);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(h, p[i]);
	check(lg_cache_tls[h->slot]->nbig == LG_BIG && h->kept.n == 4,
	      "a thread keeps large objects of its own");
	goheap_close(h);
}

/* As many of the longest as there may be. */
static void test_kept_to_the_last(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	void *p[LG_KEPT_BYTES / LG_KEPT_LONGEST];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_malloc(h, LG_KEPT_LONGEST);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(h, p[i]);
	check(goheap_cached(h) == LG_KEPT_BYTES, "large objects are kept up to the bound");
	goheap_free(h, goheap_malloc(h, 3 * MIB));
	check(goheap_cached(h) == LG_KEPT_BYTES - LG_KEPT_LONGEST + 3 * MIB,
	      "and beyond it the oldest goes");
	goheap_close(h);
}

static void test_free_without_memory(void)
{
	struct goheap *h = goheap_open(NULL, 0);

	fill_up(h, 1000);
	most_freed = 64;
	free_all(h);
	goheap_trim(h);
	most_freed = ~0U;
	check(!usage_of(h).objects && !bad_frees,
	      "a kernel without memory frees all the same");
	goheap_close(h);
}

/* What it leaves, the whole process would lose. */
static bool closes;

/* It leaves the process's table of descriptors, and with it the session. */
static void *stranger(void *arg)
{
	struct goheap *h = arg;
	uint64_t objects;
	bool good;

	if (unshare(CLONE_FILES) || (closes && close_range(3, ~0U, 0)))
		return NULL;
	objects = goheap_cached(h);
	errno = 0;
	good = !goheap_malloc(h, 5 * MIB) && errno == EPERM &&
	       goheap_cached(h) == objects;
	free_all(h);
	return good ? h : NULL;
}

static void test_stranger(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	void *some[4 * LG_BIG], *good;
	pthread_t thread;
	unsigned int i;

	/* More than this thread keeps: some is for all. */
	for (i = 0; i < ARRAY_SIZE(some); i++)
		some[i] = goheap_malloc(h, 64 << 10);
	for (i = 0; i < ARRAY_SIZE(some); i++)
		goheap_free(h, some[i]);
	fill_up(h, 20000);
	pthread_create(&thread, NULL, stranger, h);
	pthread_join(thread, &good);
	check(good, "who may not allocate gets EPERM, and what is kept stays");
	check(usage_of(h).objects, "nor can it free");
	goheap_trim(h);
	check(!usage_of(h).objects && !bad_frees,
	      "but what it frees is freed by the next who may");
	goheap_close(h);
}

static void test_stranger_leaves_nothing(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	size_t before = 0, bytes = 0;
	unsigned int i;
	pthread_t thread;

	/* The second time, the system has given all that a thread takes. */
	for (i = 0; i < 2; i++) {
		before = bytes;
		fill_up(h, 20000);
		pthread_create(&thread, NULL, stranger, h);
		pthread_join(thread, NULL);
		goheap_trim(h);
		bytes = read_statm().size;
	}
	check(bytes == before, "nor is the memory lost in which it waited");
	goheap_close(h);
}

/* What is kept is not given up for what there never is. */
static void test_no_window(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	unsigned int before = trims;

	goheap_free(h, goheap_malloc(h, 64));
	errno = 0;
	check(!goheap_malloc(h, 1UL << 40) && errno == ENOMEM &&
	      trims == before, "more than the window is asked of nobody");
	goheap_close(h);
}

/* As a program that closes every descriptor before it goes on. */
static bool says_that_it_ended(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	struct goheap_usage usage;
	void *p = goheap_malloc(h, 64);
	int fd;

	for (fd = 3; fd < 1024; fd++)
		close(fd);
	/* The number of each is the program's now. */
	for (fd = 3; fd < 1024; fd++)
		dup2(2, fd);
	return goheap_usage(h, &usage) && errno == EOWNERDEAD &&
	       goheap_set_quota(h, MIB) && errno == EOWNERDEAD &&
	       goheap_give(h, &p, 1) && errno == EOWNERDEAD &&
	       !goheap_malloc(h, MIB) && errno == EOWNERDEAD &&
	       goheap_fd(h) < 0;
}

static void test_high(struct goheap *h)
{
	struct goheap *other = second(h);

	check(goheap_fd(h) >= LG_HIGH_FD && goheap_fd(other) >= LG_HIGH_FD,
	      "descriptors are high ones");
	goheap_close(other);
}

static bool is_refused(const struct goheap_info *told)
{
	struct goheap *h;

	other = *told;
	errno = 0;
	h = goheap_open(NULL, 0);
	other = (struct goheap_info){ 0 };
	goheap_close(h);
	return !h && errno == EPROTO;
}

/* Another number of classes is no reason to refuse; nor are larger pages, if they vary. */
static void test_other_kernels(void)
{
	const struct goheap_info wrong[] = {
		{ .nr_classes = LG_CLASSES },
		{ .nr_classes = 1 - GOHEAP_NR_CLASSES },
		{ .nr_classes = -2 },
		{ .page_size = 1 },
		{ .page_size = (uint32_t)-LG_PAGE_SIZE },
		{ .map_stride = 8 },
		{ .map_stride = -4096 },
		{ .max_small = 1024 },
	};
	const struct goheap_info fewer = { .nr_classes = -1 };
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		n += is_refused(&wrong[i]);
	check(n == ARRAY_SIZE(wrong), "what the library cannot do with is refused");
	check(!is_refused(&fewer), "and no more than that");
}

int main(int argc, char **argv)
{
	struct goheap *h;

	(void)argv;
	/* What exec() runs in test_no_end_loses(). */
	if (argc > 1)
		return 0;
	if (access("/dev/goheap", F_OK)) {
		printf("1..0 # SKIP no /dev/goheap\n");
		return 4;
	}
	/* The others are made when a heap is opened. */
	__wrap_pthread_mutex_init(&lg_lock, NULL);
	goheap_on_bad_free(note_bad_free);
	test_elsewhere();
	h = goheap_open(NULL, 0);
	test_high(h);
	test_given(h);
	goheap_close(h);
	h = goheap_open(NULL, 0);
	test_exchanged(h);
	goheap_close(h);
	h = goheap_open(NULL, 0);
	test_after_the_end(h);
	test_give_kept(h);
	test_trim_meanwhile(h);
	goheap_close(h);
	test_calls_are_few();
	test_threads_share();
	test_threads_keep_large();
	test_kept_to_the_last();
	test_free_without_memory();
	test_stranger();
	closes = true;
	test_stranger();
	test_stranger_leaves_nothing();
	test_no_window();
	test_other_kernels();
	check(in_child(says_that_it_ended), "a session that ended says so");
	check(in_child(fails_cleanly), "a heap that did not open leaves nothing");
	check(!wrong_locks, "no lock is taken twice, nor let go of by who has not got it");
	return tap_end();
}
