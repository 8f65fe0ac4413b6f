// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * lib_test: what goheap.h promises.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <goheap.h>

#include "tap.h"

int tap_results, tap_failures;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIB		1048576UL

static const size_t sizes[] = {
	1, 8, 9, 16, 17, 24, 64, 100, 1000, 1024, 1025, 4096, 8191, 8192, 32767,
	32768, 32769, 65536, 100000, MIB, 5 * MIB,
};

/* ---- what was refused --------------------------------------------------- */

static int bad_frees, bad_error;
static const void *bad_pointer;

static void note_bad_free(struct goheap *h, const void *p, int err)
{
	(void)h;
	bad_frees++;
	bad_error = err;
	bad_pointer = p;
}

static bool refused(const void *p, int err)
{
	bool good = bad_frees == 1 && bad_error == err && bad_pointer == p;

	bad_frees = 0;
	return good;
}

/* ---- helpers ------------------------------------------------------------ */

static uint64_t heap_bytes(struct goheap *h)
{
	struct goheap_usage usage;

	return goheap_usage(h, &usage) ? ~0ULL : usage.heap_bytes;
}

static bool is_all(const unsigned char *p, int value, size_t n)
{
	while (n--)
		if (*p++ != value)
			return false;
	return true;
}

/* In a child; whether it said yes. */
static bool in_child(bool (*fn)(struct goheap *h, void *arg), struct goheap *h,
		     void *arg)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn(h, arg) ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/* ---- one thread --------------------------------------------------------- */

static void test_sizes(struct goheap *h)
{
	bool writes = true, aligned = true, usable = true, apart = true;
	unsigned char *p[ARRAY_SIZE(sizes)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p[i] = goheap_malloc(h, sizes[i]);
		writes &= !!p[i];
		if (!p[i])
			continue;
		memset(p[i], i, sizes[i]);
		aligned &= !((uintptr_t)p[i] % 16);
		usable &= goheap_usable_size(h, p[i]) >= sizes[i];
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		apart &= is_all(p[i], i, sizes[i]);
		goheap_free(h, p[i]);
	}
	check(writes, "all sizes can be allocated");
	check(aligned, "and are aligned to 16");
	check(usable, "and have a usable size");
	check(apart, "and do not overlap");
	check(!bad_frees, "and can be freed");
}

static void test_calloc(struct goheap *h)
{
	bool zero = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned char *p = goheap_malloc(h, sizes[i]);

		memset(p, 0xaa, sizes[i]);
		goheap_free(h, p);
		p = goheap_calloc(h, 1, sizes[i]);
		zero &= p && is_all(p, 0, sizes[i]);
		goheap_free(h, p);
	}
	check(zero, "calloc gives zeroes where others were");
	errno = 0;
	check(!goheap_calloc(h, SIZE_MAX / 2, 3) && errno == ENOMEM,
	      "calloc notices an overflow");
	errno = 0;
	check(!goheap_malloc(h, SIZE_MAX) && errno == ENOMEM,
	      "malloc refuses what is too long");
}

static void test_memalign(struct goheap *h)
{
	bool good = true;
	size_t align;
	unsigned int i;

	for (align = 1; align <= 4 * MIB; align *= 2) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			char *p = goheap_memalign(h, align, sizes[i]);

			good &= p && !((uintptr_t)p % align);
			if (p)
				memset(p, 1, sizes[i]);
			goheap_free(h, p);
		}
	}
	check(good && !bad_frees, "memalign keeps to all alignments");
	errno = 0;
	check(!goheap_memalign(h, 24, 10) && errno == EINVAL,
	      "memalign refuses what is no power of two");
}

static bool realloc_keeps(struct goheap *h, size_t from, size_t to)
{
	size_t both = from < to ? from : to;
	unsigned char *p = goheap_malloc(h, from);
	bool good;

	memset(p, 0x5a, from);
	p = goheap_realloc(h, p, to);
	good = p && is_all(p, 0x5a, both) && goheap_usable_size(h, p) >= to;
	goheap_free(h, p);
	return good;
}

static void test_realloc(struct goheap *h)
{
	bool good = true;
	unsigned int i, j;
	char *p, *q;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (j = 0; j < ARRAY_SIZE(sizes); j++)
			good &= realloc_keeps(h, sizes[i], sizes[j]);
	check(good && !bad_frees, "realloc keeps the content, from and to any size");
	p = goheap_malloc(h, 20 * MIB);
	q = goheap_realloc(h, p, 30 * MIB);
	check(p == q, "a large object grows where it is");
	q = goheap_realloc(h, q, 100000);
	check(p == q && goheap_usable_size(h, q) < 20 * MIB,
	      "and shrinks where it is");
	check(!goheap_realloc(h, q, 0) && goheap_realloc(h, NULL, 10),
	      "realloc frees, and allocates");
	check(!goheap_usable_size(h, q + 8), "what is within has no usable size");
}

/* From the first arena into the second. */
static void test_realloc_beyond_arena(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	char *p = goheap_malloc(h, 20 * MIB), *q = goheap_realloc(h, p, 100 * MIB);

	check(p && p == q && goheap_usable_size(h, q) == 100 * MIB,
	      "it may grow into another arena");
	goheap_close(h);
}

/* Its free pages go back; nothing of what was freed is left. */
static void test_trim(struct goheap *h)
{
	struct goheap_usage usage;
	void *p[1000];
	unsigned int i, j;

	for (j = 0; j < ARRAY_SIZE(sizes) - 2; j++) {
		for (i = 0; i < 100; i++)
			p[i] = goheap_malloc(h, sizes[j]);
		for (i = 0; i < 100; i++)
			goheap_free(h, p[i]);
	}
	check(heap_bytes(h), "free objects are kept");
	check(!goheap_usage(h, &usage) && usage.objects &&
	      goheap_cached(h) == usage.object_bytes, "and counted");
	check(goheap_trim(h) && !heap_bytes(h), "trim gives everything back");
	check(!goheap_cached(h), "and nothing is kept");
}

static void test_bad_frees(struct goheap *h)
{
	char *p = goheap_malloc(h, 64), *large = goheap_malloc(h, MIB);
	int on_stack;

	goheap_free(h, NULL);
	check(!bad_frees, "NULL can be freed");
	goheap_free(h, p + 8);
	check(refused(p + 8, EINVAL), "what is within an object is refused");
	goheap_free(h, large + 8192);
	check(refused(large + 8192, EINVAL), "also in a large one");
	goheap_free(h, large + 16);
	check(refused(large + 16, EINVAL), "and in its first page");
	goheap_free(h, &on_stack);
	check(refused(&on_stack, EINVAL), "what is no object of a heap is refused");
	goheap_free(h, goheap_pointer(h, 60UL << 30));
	check(refused(goheap_pointer(h, 60UL << 30), EINVAL),
	      "also where the heap has not been yet");
	goheap_free(h, p);
	goheap_free(h, p);
	check(refused(p, ENOENT), "a double free is refused");
	goheap_free(h, large);
	goheap_free(h, large);
	check(refused(large, ENOENT), "also of a large one");
	check(!goheap_realloc(h, large, 2 * MIB) && refused(large, ENOENT) &&
	      !goheap_realloc(h, p, 60) && refused(p, ENOENT),
	      "nor can what is free be made longer or shorter");
	check(goheap_malloc(h, 64) == p && goheap_malloc(h, 64) != p,
	      "and nothing is handed out twice");
}

static void test_quota(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	unsigned int n = 0;
	void *p, *last = NULL;

	check(!goheap_set_quota(h, MIB), "a quota can be set");
	errno = 0;
	while ((p = goheap_malloc(h, 1000)) && ++n < 2000)
		last = p;
	check(n > 900 && n < 1100 && errno == ENOMEM,
	      "beyond it there is NULL and ENOMEM");
	goheap_free(h, last);
	check(goheap_malloc(h, 1000) == last, "what is freed can be had again");
	goheap_close(h);
	h = goheap_open(NULL, 0);
	goheap_set_quota(h, MIB);
	for (n = 0; n < 30; n++)
		goheap_free(h, goheap_malloc(h, 32768));
	for (n = 0; n < 900; n++)
		goheap_free(h, goheap_malloc(h, 16 + 16 * n % 2000));
	check(goheap_malloc(h, MIB - 8192), "what is kept does not stand in the way");
	goheap_close(h);
}

static void test_roots(struct goheap *h)
{
	uint64_t value = 1, ref;
	int *p = goheap_malloc(h, sizeof(*p));

	check(!goheap_root_get(h, 3, &value) && !value, "roots are 0 at first");
	ref = goheap_ref(h, p);
	check(goheap_root_cas(h, 3, &value, ref) == 1, "a root is exchanged");
	check(!goheap_root_cas(h, 3, &value, 5) && value == ref,
	      "but not if it is something else");
	check(goheap_deref(h, value) == p && !goheap_deref(h, 0),
	      "references become pointers");
	check(goheap_root_get(h, GOHEAP_NR_ROOTS, &value) == -1 &&
	      errno == EINVAL, "there is no root beyond the last");
	check(!goheap_pointer(h, ~0ULL), "nor a pointer beyond the window");
	goheap_free(h, p);
}

static void test_of(struct goheap *h)
{
	struct goheap *again = goheap_open_fd(goheap_fd(h), 0);
	struct goheap *other = goheap_open(NULL, GOHEAP_PRIVATE);
	char *first = goheap_pointer(h, 0), *elsewhere = goheap_pointer(again, 0);
	void *p = goheap_malloc(h, 8), *mine = goheap_malloc(other, 8);
	uint64_t window = 1;

	while (goheap_pointer(h, window))
		window *= 2;
	check(goheap_of(p) == h && goheap_of(mine) == other, "an address is in its heap");
	check(goheap_of(first) == h && goheap_of(first + window - 1) == h &&
	      goheap_of(first + window) != h && goheap_of(first - 1) != h,
	      "from the first one of the window to the last");
	check(goheap_of(elsewhere) == again, "a second window is another heap's");
	goheap_close(again);
	goheap_close(other);
	check(!goheap_of(elsewhere) && !goheap_of(mine), "until that is closed");
	check(!goheap_of(NULL) && !goheap_of(&p) && !goheap_of(&tap_results),
	      "most addresses are in no heap");
	goheap_free(h, p);
}

/* ---- threads ------------------------------------------------------------ */

#define NR_THREADS	8
#define NR_PASSED	256

struct shared {
	struct goheap *h;
	void *passed[NR_PASSED];
	unsigned int seed;
	bool bad;
};

/* Objects go through slots that all threads share; each frees what it finds. */
static void *pass_on(void *arg)
{
	struct shared *s = arg;
	unsigned int seed = __atomic_add_fetch(&s->seed, 1, __ATOMIC_RELAXED);
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		size_t size = 1 + rand_r(&seed) % (i % 64 ? 2000 : 100000);
		unsigned int slot = rand_r(&seed) % NR_PASSED;
		size_t *p = goheap_malloc(s->h, size + sizeof(*p));

		if (!p) {
			s->bad = true;
			break;
		}
		*p = size;
		memset(p + 1, (unsigned char)size, size);
		p = __atomic_exchange_n(&s->passed[slot], p, __ATOMIC_ACQ_REL);
		if (p && !is_all((unsigned char *)(p + 1), (unsigned char)*p, *p))
			s->bad = true;
		goheap_free(s->h, p);
	}
	return NULL;
}

static void test_threads(struct goheap *h)
{
	struct shared s = { .h = h };
	pthread_t thread[NR_THREADS];
	unsigned int i;

	for (i = 0; i < NR_THREADS; i++)
		pthread_create(&thread[i], NULL, pass_on, &s);
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < NR_PASSED; i++)
		goheap_free(h, s.passed[i]);
	check(!s.bad && !bad_frees, "threads free each other's objects");
	goheap_trim(h);
	check(!heap_bytes(h), "and leave nothing behind");
}

static void *fill_magazines(void *arg)
{
	void *p[500];
	unsigned int i;

	for (i = 0; i < 500; i++)
		p[i] = goheap_malloc(arg, 64);
	for (i = 0; i < 500; i++)
		goheap_free(arg, p[i]);
	return NULL;
}

static void test_thread_exit(struct goheap *h)
{
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < 200; i++) {
		pthread_create(&thread, NULL, fill_magazines, h);
		pthread_join(thread, NULL);
	}
	check(heap_bytes(h) < MIB, "threads that end return their magazines");
	goheap_trim(h);
	check(!heap_bytes(h), "all of them");
}

/* ---- processes ---------------------------------------------------------- */

static bool child_uses(struct goheap *h, void *arg)
{
	char *p = goheap_malloc(h, 100), *inherited = arg;
	uint32_t parent = *(uint32_t *)inherited;

	if (!p || goheap_session(h) == parent)
		return false;
	goheap_free(h, inherited);
	if (!refused(inherited, EPERM))
		return false;
	goheap_free(h, p);
	goheap_give(h, (void *[]){ goheap_malloc(h, 200) }, 1);
	return !bad_frees;
}

static bool child_frees_given(struct goheap *h, void *arg)
{
	goheap_free(h, arg);
	goheap_trim(h);
	return !bad_frees;
}

static bool child_opens_fd(struct goheap *h, void *arg)
{
	uint64_t offset = goheap_offset(h, arg);
	struct goheap *mine = goheap_open_fd(goheap_fd(h), 0);
	char *p = mine ? goheap_pointer(mine, offset) : NULL;

	if (!p || strcmp(p, "shared"))
		return false;
	strcpy(p, "heard");
	goheap_close(mine);
	return true;
}

/* With a view of 1 MiB and one session. */
static bool child_is_bound(struct goheap *unused, void *arg)
{
	struct goheap *mine = goheap_open_fd(*(int *)arg, 0);
	size_t bytes = 0;

	(void)unused;
	if (!mine || goheap_set_quota(mine, 0))
		return false;
	while (bytes < 2 * MIB && goheap_malloc(mine, 64 << 10))
		bytes += 64 << 10;
	return bytes == MIB && errno == ENOMEM &&
	       goheap_view(mine, 0, 0, 0) == -1 && errno == EPERM;
}

/* An object that was given. */
static uint64_t shared_at;

static bool has_no_session(struct goheap *h)
{
	struct goheap_usage u = { 0 };
	void *p = goheap_pointer(h, shared_at);

	return !goheap_malloc(h, 8) && errno == EPERM && !goheap_session(h) &&
	       goheap_give(h, &p, 1) == -1 && !goheap_usage(h, &u) && u.objects;
}

static bool child_only_reads(struct goheap *unused, void *arg)
{
	struct goheap *h = goheap_open_fd(*(int *)arg, 0);
	char *p = h ? goheap_pointer(h, shared_at) : NULL;
	void *page = (void *)((uintptr_t)p & -4096UL);

	(void)unused;
	return p && !strcmp(p, "seen") && has_no_session(h) &&
	       mprotect(page, 4096, PROT_READ | PROT_WRITE) && errno == EACCES &&
	       !goheap_find_type(h, "none") && errno == ENOENT &&
	       !goheap_type(h, "none", 8, NULL, 0) && errno == EPERM;
}

static bool child_only_writes(struct goheap *unused, void *arg)
{
	struct goheap *h = goheap_open_fd(*(int *)arg, 0);

	(void)unused;
	if (!h || !has_no_session(h))
		return false;
	strcpy(goheap_pointer(h, shared_at), "heard");
	return true;
}

static bool child_is_apart(struct goheap *unused, void *arg)
{
	int fd = *(int *)arg;
	struct goheap *h;

	(void)unused;
	/* The one that it has inherited is in the way. */
	if (goheap_open_fd(fd, GOHEAP_FIXED) || errno != EADDRINUSE)
		return false;
	h = goheap_open_fd(fd, 0);
	return h && goheap_is_apart(h) == 1;
}

/* There are 32 addresses, of which another heap has one. */
static struct goheap *open_fixed(void)
{
	struct goheap *h;

	do {
		h = goheap_open(NULL, GOHEAP_FIXED);
	} while (!h && errno == EADDRINUSE);
	return h;
}

static void test_addresses(void)
{
	struct goheap *h = open_fixed();
	int fd = h ? goheap_fd(h) : -1;

	check(h && !goheap_is_apart(h), "a heap is where it is expected");
	check(in_child(child_is_apart, h, &fd), "or the call fails");
	check(h && !goheap_is_apart(h), "and who was elsewhere is gone");
	check(!goheap_open(NULL, GOHEAP_PRIVATE | GOHEAP_FIXED) && errno == EINVAL,
	      "private heaps are anywhere");
	goheap_close(h);
}

static bool child_receives(struct goheap *unused, void *arg)
{
	int sock = *(int *)arg, one = 1;
	struct goheap *h = goheap_receive(sock);
	bool good = h && !strcmp(goheap_pointer(h, shared_at), "heard");

	(void)unused;
	/* A file that is no heap, no file at all, and then nobody. */
	good &= !goheap_receive(sock) && errno == EPROTO;
	good &= !goheap_receive(sock) && errno == EPROTO;
	good &= write(sock, &one, 1) == 1;
	return good && !goheap_receive(sock) && errno == EPIPE;
}

static void test_passing(struct goheap *h)
{
	void *p = goheap_calloc(h, 1, 64);
	int sock[2], status;
	char byte = 0;
	bool good;
	pid_t pid;

	strcpy(p, "heard");
	shared_at = goheap_offset(h, p);
	if (goheap_give(h, &p, 1) || socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return check(false, "a socket can be had");
	pid = fork();
	if (!pid) {
		close(sock[0]);
		_exit(child_receives(h, sock + 1) ? 0 : 1);
	}
	close(sock[1]);
	good = !goheap_send(sock[0], goheap_fd(h)) && !goheap_send(sock[0], 0) &&
	       write(sock[0], &byte, 1) == 1 && read(sock[0], &byte, 1) == 1;
	shutdown(sock[0], SHUT_WR);
	waitpid(pid, &status, 0);
	check(good && !status, "a heap is passed over a socket");
	check(goheap_send(sock[0], goheap_fd(h)) == -1 && errno == EPIPE &&
	      goheap_send(-1, goheap_fd(h)) == -1 && errno == EBADF,
	      "if that is there");
	close(sock[0]);
	goheap_free(h, p);
}

static void test_views(struct goheap *h)
{
	char *p = goheap_calloc(h, 1, 64);
	void *given = p;
	int fd = goheap_view(h, 0, MIB, 1);

	check(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC,
	      "a view is a descriptor");
	check(in_child(child_is_bound, h, &fd), "which binds who has it");
	close(fd);
	check(goheap_view(h, 0, 0, 65537) == -1 && errno == EINVAL,
	      "and has no more sessions than a heap can have");
	check(goheap_view(h, 4, 0, 0) == -1 && errno == EINVAL &&
	      goheap_view(h, GOHEAP_VIEW_READ, 0, 1) == -1 && errno == EINVAL &&
	      goheap_view(h, GOHEAP_VIEW_NO_ATTACH, MIB, 0) == -1 && errno == EINVAL,
	      "nor flags that are unknown, or bounds of what is not allowed");

	goheap_give(h, &given, 1);
	shared_at = goheap_offset(h, p);
	strcpy(p, "seen");
	fd = goheap_view(h, GOHEAP_VIEW_READ, 0, 0);
	check(in_child(child_only_reads, h, &fd), "one may be for reading only");
	close(fd);
	fd = goheap_view(h, GOHEAP_VIEW_NO_ATTACH, 0, 0);
	check(in_child(child_only_writes, h, &fd) && !strcmp(p, "heard"),
	      "and one for writing to what is there");
	close(fd);
	goheap_free(h, p);
}

static void test_processes(struct goheap *h)
{
	uint32_t *mine = goheap_malloc(h, 100);
	struct goheap_usage usage;
	char *text;

	*mine = goheap_session(h);
	check(in_child(child_uses, h, mine), "a child has a session of its own");
	goheap_usage(h, &usage);
	check(usage.given == 1 && usage.sessions == 1,
	      "what it gave is left of it");
	text = goheap_malloc(h, 100);
	strcpy(text, "shared");
	check(in_child(child_opens_fd, h, text) && !strcmp(text, "heard"),
	      "who has the descriptor sees the heap");
	check(!goheap_give(h, (void *[]){ text }, 1) &&
	      goheap_give(h, (void *[]){ text }, 1) == -1,
	      "an object is given once");
	check(in_child(child_frees_given, h, text), "another process frees it");
	goheap_usage(h, &usage);
	check(usage.given == 1, "and then it is gone");
	goheap_free(h, mine);
}

/* ---- opening and closing ------------------------------------------------ */

static void *wait_and_use(void *arg)
{
	struct shared *s = arg;

	goheap_free(s->h, goheap_malloc(s->h, 64));
	__atomic_store_n(&s->seed, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&s->seed, __ATOMIC_ACQUIRE) != 2)
		sched_yield();
	/* The heap is another one now, perhaps at the same address. */
	s->bad = !goheap_malloc(s->h, 64);
	return NULL;
}

static void test_reopen(void)
{
	struct shared s = { .h = goheap_open(NULL, 0) };
	pthread_t thread;

	pthread_create(&thread, NULL, wait_and_use, &s);
	while (!__atomic_load_n(&s.seed, __ATOMIC_ACQUIRE))
		sched_yield();
	goheap_close(s.h);
	s.h = goheap_open(NULL, 0);
	__atomic_store_n(&s.seed, 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	check(!s.bad && !bad_frees, "a thread outlives a heap");
	goheap_close(s.h);
}

static void test_open(void)
{
	struct goheap *h[17];
	unsigned int n = 0;

	errno = 0;
	check(!goheap_open("/nowhere", 0) && errno == ENOENT,
	      "where there is no device, open says so");
	check(!goheap_open("/dev/null", 0) && errno == EPROTO,
	      "and where there is another");
	check(!goheap_open(NULL, 0x80) && errno == EINVAL,
	      "unknown flags are refused");
	check(!goheap_open_fd(-1, 0) && errno == EBADF,
	      "and what is no descriptor");
	while (n < 17 && (h[n] = goheap_open(NULL, 0)))
		n++;
	check(n == 15 && errno == EMFILE, "16 heaps can be open");
	while (n--)
		goheap_close(h[n]);
	goheap_close(NULL);
}

/* Less address space than a window. */
static bool child_with_little_room(struct goheap *unused, void *arg)
{
	struct rlimit room = { 1UL << 30, 1UL << 30 };
	struct goheap *h;
	char *p;

	(void)unused;
	(void)arg;
	setrlimit(RLIMIT_AS, &room);
	h = goheap_open(NULL, 0);
	p = h ? goheap_malloc(h, MIB) : NULL;
	if (!p)
		return false;
	memset(p, 1, MIB);
	return !goheap_malloc(h, 2UL << 30) && errno == ENOMEM;
}

/* As a program that closes every descriptor before it goes on. */
static bool child_loses_session(struct goheap *unused, void *arg)
{
	struct goheap *h = goheap_open(NULL, 0);
	void *p = goheap_malloc(h, 64), *q = goheap_malloc(h, 64 << 10);
	int fd;

	(void)unused;
	(void)arg;
	for (fd = 3; fd < 1024; fd++)
		close(fd);
	(void)p;
	errno = 0;
	if (goheap_malloc(h, MIB) || errno != EOWNERDEAD)
		return false;
	goheap_free(h, q);
	return !bad_frees;
}

int main(void)
{
	struct goheap *h = goheap_open(NULL, 0);

	if (!h && errno == ENOENT) {
		printf("1..0 # SKIP no /dev/goheap\n");
		return 4;
	}
	check(h, "a heap opens");
	if (!h)
		return tap_end();
	goheap_on_bad_free(note_bad_free);
	check(goheap_session(h), "and has a session");
	test_sizes(h);
	test_calloc(h);
	test_memalign(h);
	test_realloc(h);
	test_realloc_beyond_arena();
	goheap_trim(h);
	goheap_close(h);
	h = goheap_open(NULL, 0);
	test_trim(h);
	test_threads(h);
	test_thread_exit(h);
	test_bad_frees(h);
	test_roots(h);
	test_of(h);
	test_processes(h);
	test_views(h);
	test_passing(h);
	test_addresses();
	test_open();
	goheap_close(h);
	test_quota();
	test_reopen();
	check(in_child(child_with_little_room, NULL, NULL),
	      "a part of the window will do");
	check(in_child(child_loses_session, NULL, NULL),
	      "a session that ended gives EOWNERDEAD");
	return tap_end();
}
