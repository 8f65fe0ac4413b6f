// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * private_fork: what children have of a private heap, however they were made.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "private.h"
#include "tap.h"

#define NR_THREADS	4
#define NR_FORKS	30

typedef pid_t fork_fn(void);

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
void test_raw_clone(void)
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

void test_forks(void)
{
	test_fork();
	test_fork_and_threads(false);
	test_fork_and_threads(true);
	test_meanwhile(ENDS, "children can close it, whichever threads were ending");
	test_meanwhile(OPENS, "what was being opened is right, or lost");
	test_meanwhile(FORKS_TOO, "so is what a child of _Fork() has");
	test_handlers();
	test_fork_in_handler();
	test_threads_of_children();
}
