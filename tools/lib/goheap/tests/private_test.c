// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * private_test: heaps of one process, from the outside and from the inside. They need no
 * device; what is compared with the kernel is left out where there is none.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "lock.h"
#include "memory.h"
#include "tap.h"
#include "types.h"
#include "window.h"

int tap_results, tap_failures;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIB		1048576UL
#define NR_OBJECTS	2000
#define NR_STEPS	50000
#define NR_THREADS	4
#define NR_FORKS	30

typedef pid_t fork_fn(void);

static int bad_frees, last_err;

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

static struct goheap *open_private(void)
{
	struct goheap *h = goheap_open(NULL, GOHEAP_PRIVATE);

	if (!h) {
		check(false, "a private heap opens");
		exit(tap_end());
	}
	return h;
}

static struct goheap_usage usage_of(struct goheap *h)
{
	struct goheap_usage u;

	if (goheap_usage(h, &u))
		memset(&u, 0xff, sizeof(u));
	return u;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Small ones, some large ones, and few that are very large. */
static size_t some_size(uint64_t *seed)
{
	uint64_t r = next_random(seed);

	if (r % 1000 == 0)
		return r / 1000 % (20 * MIB);
	if (r % 20 == 0)
		return r / 20 % 300000;
	return r / 20 % (r % 3 ? 500 : 40000);
}

static bool in_child(bool (*fn)(struct goheap *h, void *arg), struct goheap *h, void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(fn(h, arg) ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && !status;
}

/* ---- the books ---------------------------------------------------------- */

static bool is_free_page(const struct lg_books *b, uint64_t page)
{
	return b->chunk[page / LG_CHUNK].free[page % LG_CHUNK / 64] >> page % 64 & 1;
}

/* Returns the pages of what begins there; 0 if the books are wrong. */
static uint64_t pages_at(struct goheap *h, uint64_t page, uint64_t partial[])
{
	const char *at = (char *)h->base + (page << LG_PAGE_SHIFT);
	uint64_t entry = *lg_window_slot(h, at);
	unsigned int class = GOHEAP_PAGE_CLASS(entry);
	const struct lg_class *k = &h->class[class];
	const struct lg_span *s = &h->books.span[page];
	uint64_t i, nfree = 0;

	if ((entry & LG_OWN_MASK) != h->own || GOHEAP_PAGE_INDEX(entry))
		return 0;
	if (!class)
		return h->npages[page] & ~LG_KEPT;
	for (i = 0; i < k->npages; i++) {
		entry = *lg_window_slot(h, at + (i << LG_PAGE_SHIFT));
		if (GOHEAP_PAGE_INDEX(entry) != i || GOHEAP_PAGE_CLASS(entry) != class)
			return 0;
	}
	for (i = 0; i < k->nelems; i++)
		nfree += h->books.bits[page * LG_SPAN_BITS + i / 64] >> i % 64 & 1;
	partial[class] += !!nfree;
	return nfree == s->nfree && nfree <= k->nelems ? k->npages : 0;
}

static bool chunk_is_right(const struct lg_books *b, uint64_t nr)
{
	const struct lg_chunk *c = &b->chunk[nr];
	unsigned int i, run = 0, max = 0, start = LG_CHUNK;

	for (i = 0; i < LG_CHUNK; i++) {
		if (is_free_page(b, nr * LG_CHUNK + i)) {
			run++;
		} else {
			if (start == LG_CHUNK)
				start = i;
			run = 0;
		}
		if (run > max)
			max = run;
	}
	return c->start == start && c->end == run && c->max == max;
}

static bool books_are_right(struct goheap *h)
{
	uint64_t partial[LG_CLASSES] = { 0 };
	struct lg_books *b = &h->books;
	uint64_t page, n, used = 0, spans = 0, dirty = 0;
	unsigned int i;

	for (page = 0; page < b->top; page += n) {
		n = 1;
		if (is_free_page(b, page)) {
			if (*lg_window_slot(h, (char *)h->base + (page << LG_PAGE_SHIFT)))
				return false;
			dirty += b->chunk[page / LG_CHUNK].dirty[page % LG_CHUNK / 64] >>
				 page % 64 & 1;
			continue;
		}
		n = pages_at(h, page, partial);
		if (!n)
			return false;
		used += n;
		spans++;
	}
	for (page = 0; page < b->top; page += LG_CHUNK)
		if (!chunk_is_right(b, page / LG_CHUNK))
			return false;
	for (i = 1; i < h->nr_classes; i++) {
		for (n = b->partial[i]; n; n = b->span[n - 1].next)
			partial[i]--;
		if (partial[i])
			return false;
	}
	return used == b->used && spans == b->spans && dirty == b->dirty;
}

/* ---- objects ------------------------------------------------------------ */

struct object {
	unsigned char *p;
	size_t size;
	unsigned char byte;
};

static void fill(struct object *o, size_t from, uint64_t *seed)
{
	if (from >= o->size)
		return;
	if (!from)
		o->byte = next_random(seed);
	/* All of it would take long. */
	o->p[from] = o->byte;
	memset(o->p + from, o->byte, o->size - from < 5000 ? o->size - from : 5000);
	o->p[o->size - 1] = o->byte;
}

static bool is_whole(const struct object *o)
{
	size_t i;

	for (i = 0; i < o->size && i < 5000; i++)
		if (o->p[i] != o->byte)
			return false;
	return !o->size || o->p[o->size - 1] == o->byte;
}

static bool step(struct goheap *h, struct object *o, uint64_t *seed)
{
	size_t old = o->size, size = some_size(seed);
	unsigned int what = next_random(seed) % 8;
	unsigned char *p;

	if (o->p && !is_whole(o))
		return false;
	if (o->p && what < 2 && size) {
		p = goheap_realloc(h, o->p, size);
		if (!p)
			return false;
		o->p = p;
		o->size = size;
		if (size <= old) {
			p[size - 1] = size > 5000 ? o->byte : p[size - 1];
			return is_whole(o);
		}
		o->size = old;
		if (old > 5000 ? p[old - 1] != o->byte : !is_whole(o))
			return false;
		o->size = size;
		fill(o, 0, seed);
		return true;
	}
	if (o->p) {
		goheap_free(h, o->p);
		o->p = NULL;
		return true;
	}
	o->size = size;
	if (what == 3) {
		size_t align = 16UL << next_random(seed) % 19;

		o->p = goheap_memalign(h, align, size);
		if ((uintptr_t)o->p % align)
			return false;
	} else if (what == 4) {
		o->p = goheap_calloc(h, 1, size);
		for (old = 0; o->p && old < size; old++)
			if (o->p[old])
				return false;
	} else {
		o->p = goheap_malloc(h, size);
	}
	if (!o->p)
		return false;
	fill(o, 0, seed);
	return true;
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
	good &= goheap_view(h, 0, 0) == -1 && errno == EOPNOTSUPP;
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

static bool has_little_room(struct goheap *unused, void *arg)
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

/* ---- fork --------------------------------------------------------------- */

static bool child_has_it_all(struct goheap *h, void *arg)
{
	char **p = arg;
	unsigned int i;
	bool good = books_are_right(h);

	for (i = 0; i < 100; i++)
		good &= p[i][0] == (char)i && p[i][1000 * i] == (char)i;
	for (i = 0; i < 100; i++)
		memset(p[i], 0xff, 1000 * i + 1);
	for (i = 0; i < 100; i += 2)
		goheap_free(h, p[i]);
	for (i = 1; i < 100; i += 2)
		p[i] = goheap_realloc(h, p[i], 2000 * i);
	for (i = 1; i < 100; i += 2)
		good &= p[i] && p[i][1000 * i] == (char)0xff;
	goheap_trim(h);
	return good && !bad_frees && books_are_right(h);
}

static bool child_forks(struct goheap *h, void *arg)
{
	void *copy[100];

	memcpy(copy, arg, sizeof(copy));
	return in_child(child_has_it_all, h, copy) && child_has_it_all(h, arg);
}

/* What is free in the parent is to be had in the child: nothing is lost by fork(). */
static bool chain(struct goheap *h, void *arg)
{
	unsigned int *left = arg;
	void *p[500];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_malloc(h, 100);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(h, p[i]);
	if (!(*left)--)
		return usage_of(h).heap_bytes < MIB;
	return in_child(chain, h, left);
}

static void test_fork(void)
{
	struct goheap *h = open_private();
	unsigned int i, left = 30;
	bool good = true;
	char *p[100];

	for (i = 0; i < 100; i++) {
		p[i] = goheap_malloc(h, 1000 * i + 1);
		memset(p[i], i, 1000 * i + 1);
	}
	check(in_child(child_has_it_all, h, p), "a child has a heap of its own");
	for (i = 0; i < 100; i++)
		good &= p[i][0] == (char)i && p[i][1000 * i] == (char)i;
	check(good, "of which the parent sees nothing");
	check(in_child(child_forks, h, p), "and grandchildren have one, too");
	goheap_close(h);
	h = open_private();
	check(in_child(chain, h, &left), "what is free is not lost by fork()");
	goheap_close(h);
}

struct worker {
	struct goheap *h;
	pthread_t thread;
	unsigned int nr;
	bool good;
};

static bool stop;

/* Mostly what takes locks: many objects, and large ones. */
static void *work(void *arg)
{
	static struct object object[NR_THREADS][300];
	struct worker *w = arg;
	uint64_t seed = 77 + w->nr;
	unsigned int i;

	memset(object[w->nr], 0, sizeof(object[w->nr]));
	w->good = true;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		w->good &= step(w->h, &object[w->nr][next_random(&seed) % 300], &seed);
	for (i = 0; i < 300; i++)
		goheap_free(w->h, object[w->nr][i].p);
	return NULL;
}

static bool child_works(struct goheap *h, void *arg)
{
	static struct object object[100];
	uint64_t seed = *(uint64_t *)arg;
	unsigned int i;
	bool good = books_are_right(h);

	for (i = 0; i < 1000; i++)
		good &= step(h, &object[next_random(&seed) % 100], &seed);
	goheap_trim(h);
	return good && books_are_right(h) && !bad_frees;
}

/* @falls_back as in a preloaded program: whoever may not touch the books does without. */
static void test_fork_and_threads(bool falls_back)
{
	struct worker w[NR_THREADS];
	struct goheap *h = open_private();
	unsigned int i, n = 0;
	uint64_t seed;
	bool good = true;

	h->books.falls_back = falls_back;
	stop = false;
	for (i = 0; i < NR_THREADS; i++) {
		w[i] = (struct worker){ .h = h, .nr = i };
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (seed = 1; seed <= NR_FORKS; seed++)
		n += in_child(child_works, h, &seed);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < NR_THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		/* While another thread forks, there may be nothing for it. */
		good &= w[i].good || falls_back;
	}
	check(n == NR_FORKS, falls_back ? "also if they do without it meanwhile" :
	      "children find the books right, whatever threads do");
	check(good && books_are_right(h) && !bad_frees, "and so do the threads");
	goheap_trim(h);
	check(!usage_of(h).objects, "of whose objects none is lost");
	goheap_close(h);
}

static pid_t raw_clone(void)
{
	fflush(stdout);
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* A child that no handler has told: what its parent has, it may read, and that is all. */
static void test_raw_clone(void)
{
	struct goheap *h = open_private();
	char *p = goheap_malloc(h, 100), *large = goheap_malloc(h, MIB);
	void *free_one = goheap_malloc(h, 200);
	int status;
	pid_t pid;

	strcpy(p, "parent");
	goheap_free(h, free_one);
	pid = raw_clone();
	if (!pid) {
		bool good = !strcmp(p, "parent") && goheap_usable_size(h, p) >= 100;

		errno = 0;
		good &= !goheap_malloc(h, 200) && errno == EPERM;
		errno = 0;
		good &= !goheap_malloc(h, 2 * MIB) && errno == EPERM;
		errno = 0;
		goheap_free(h, p);
		goheap_free(h, large);
		good &= !errno && !goheap_realloc(h, goheap_malloc(h, 1), 300);
		/* Others it can have. */
		_exit(good && !bad_frees && in_child(has_little_room, NULL, NULL) ? 0 : 1);
	}
	check(waitpid(pid, &status, 0) == pid && !status,
	      "a child of clone() learns that it has no heap");
	check(!strcmp(p, "parent") && goheap_malloc(h, 200) == free_one && books_are_right(h),
	      "and the parent's is as it was");
	goheap_close(h);
}

/* ---- threads that do something else while another forks ----------------- */

enum other {
	ENDS,
	OPENS,
	FORKS_TOO,
};

struct meanwhile {
	struct goheap *h;
	enum other what;
	int status;
	bool good;
};

static void *allocate(void *h)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		goheap_free(h, goheap_malloc(h, 100 + 4000 * i));
	return NULL;
}

/* By a name that is like others. It is no fork() for the library. */
static pid_t bare_fork(void)
{
	fork_fn *fn = (fork_fn *)dlsym(RTLD_DEFAULT, "_Fork");

	return fn ? fn() : raw_clone();
}

/* What such a child has of the books is right, or it may not use them. */
static bool child_is_right(struct goheap *h)
{
	errno = 0;
	return goheap_malloc(h, 20 * MIB) ? books_are_right(h) :
					    errno == EPERM;
}

static void do_once(struct meanwhile *m)
{
	struct goheap *h;
	pthread_t thread;
	pid_t pid;

	switch (m->what) {
	case ENDS:
		pthread_create(&thread, NULL, allocate, m->h);
		pthread_join(thread, NULL);
		return;
	case OPENS:
		h = open_private();
		__atomic_store_n(&m->h, h, __ATOMIC_RELEASE);
		allocate(h);
		__atomic_store_n(&m->h, NULL, __ATOMIC_RELEASE);
		goheap_close(h);
		return;
	case FORKS_TOO:
		goheap_free(m->h, goheap_malloc(m->h, 20 * MIB));
		pid = bare_fork();
		if (!pid)
			_exit(child_is_right(m->h) ? 0 : 1);
		waitpid(pid, &m->status, 0);
		m->good &= !m->status;
	}
}

static void *do_meanwhile(void *arg)
{
	struct meanwhile *m = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		do_once(m);
	return NULL;
}

static bool child_of_many(struct goheap *unused, void *arg)
{
	struct meanwhile *m = arg;
	struct goheap *h = __atomic_load_n(&m->h, __ATOMIC_ACQUIRE);
	bool good = true;

	(void)unused;
	if (m->what != OPENS) {
		good = child_is_right(h);
		goheap_close(h);
	} else if (h) {
		good = child_is_right(h);
	}
	return good;
}

static void test_meanwhile(enum other what, const char *text)
{
	struct meanwhile m = { .what = what, .good = true };
	unsigned int i, n = 0, threads = what == OPENS ? 1 : 2;
	pthread_t thread[2];

	if (what != OPENS)
		m.h = open_private();
	stop = false;
	for (i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, do_meanwhile, &m);
	for (i = 0; i < NR_FORKS; i++)
		n += in_child(child_of_many, NULL, &m);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	check(n == NR_FORKS && m.good, text);
	if (what != OPENS)
		goheap_close(m.h);
}

/* It makes calls of the library before the library's handlers have run. */
static struct goheap *early_heap;
static bool early_good = true;

static void early_prepare(void)
{
	void *p[200];
	unsigned int i;

	if (!early_heap)
		return;
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_malloc(early_heap, 100 * i);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		early_good &= !!p[i];
		goheap_free(early_heap, p[i]);
	}
}

static bool nothing(struct goheap *h, void *arg)
{
	(void)arg;
	return books_are_right(h) && early_good;
}

static void test_handlers(void)
{
	unsigned int i, n = 0;

	early_heap = open_private();
	for (i = 0; i < 50; i++)
		n += in_child(nothing, early_heap, NULL);
	check(n == 50 && early_good && books_are_right(early_heap),
	      "handlers of fork() may allocate");
	goheap_close(early_heap);
	early_heap = NULL;
}

/* Before main(): the library's own constructor may come later. */
static __attribute__((__constructor__(101))) void early(void)
{
	pthread_atfork(early_prepare, early_prepare, early_prepare);
}

/* A signal handler forks, wherever the program is. */
static struct goheap *signal_heap;
static unsigned int signal_forks, signal_good;

static void fork_soon(void)
{
	const struct itimerval once = { .it_value = { .tv_usec = 1000 } };

	setitimer(ITIMER_REAL, &once, NULL);
}

static void fork_now(int sig)
{
	int status, saved = errno;
	pid_t pid;

	(void)sig;
	pid = fork();
	if (!pid)
		_exit(0);
	signal_forks++;
	signal_good += waitpid(pid, &status, 0) == pid && !status;
	if (signal_forks < 100)
		fork_soon();
	errno = saved;
}

static void test_fork_in_handler(void)
{
	static struct object object[300];
	uint64_t seed = 99;
	bool good = true;

	signal_heap = open_private();
	signal(SIGALRM, fork_now);
	fork_soon();
	while (__atomic_load_n(&signal_forks, __ATOMIC_RELAXED) < 100)
		good &= step(signal_heap, &object[next_random(&seed) % 300], &seed);
	check(good && signal_good == signal_forks && books_are_right(signal_heap),
	      "a signal handler may fork, wherever the program is");
	goheap_close(signal_heap);
}

static void *wait_here(void *arg)
{
	pthread_barrier_t *step = arg;

	pthread_barrier_wait(step);
	pthread_barrier_wait(step);
	return NULL;
}

/* Threads that end after the heap, and caches of those that a child has not. */
static bool child_has_threads(struct goheap *h, void *arg)
{
	struct worker w[NR_THREADS];
	unsigned int i;
	bool good = true;

	(void)arg;
	stop = false;
	for (i = 0; i < NR_THREADS; i++) {
		w[i] = (struct worker){ .h = h, .nr = i };
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	usleep(10000);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < NR_THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		good &= w[i].good;
	}
	return good && books_are_right(h);
}

static void test_threads_of_children(void)
{
	struct goheap *h = open_private();
	pthread_barrier_t step;
	pthread_t thread;

	pthread_barrier_init(&step, NULL, 2);
	pthread_create(&thread, NULL, wait_here, &step);
	pthread_barrier_wait(&step);
	check(in_child(child_has_threads, h, NULL), "children have threads, too");
	pthread_barrier_wait(&step);
	pthread_join(thread, NULL);
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
	test_quota();
	test_in_the_way();
	check(in_child(has_little_room, NULL, NULL), "little address space will do");
	test_bases();
	no_randomness = true;
	test_bases();
	no_randomness = false;
	test_fork();
	test_fork_and_threads(false);
	test_fork_and_threads(true);
	test_meanwhile(ENDS, "children can close it, whichever threads were ending");
	test_meanwhile(OPENS, "what was being opened is right, or lost");
	test_meanwhile(FORKS_TOO, "so is what a child of _Fork() has");
	test_handlers();
	test_fork_in_handler();
	test_threads_of_children();
	return tap_end();
}
