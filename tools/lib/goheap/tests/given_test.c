// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * given_test: objects that were given: freed later, by any end of a process, and
 * exchanged by the kernel. A part of edge_test.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "types.h"
#include "edge.h"
#include "tap.h"

/* ---- what was given, and is freed with a delay -------------------------- */

/* Objects that @of allocates and gives. */
static void give_new(struct goheap *of, void **p, unsigned int n, size_t size)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		p[i] = goheap_malloc(of, size);
	if (goheap_give(of, p, n))
		check(false, "objects can be given");
}

/* Another handle of the same heap, with a session of its own. */
struct goheap *second(struct goheap *h)
{
	return goheap_open_fd(goheap_fd(h), 0);
}

static void free_as(struct goheap *as, struct goheap *of, void **p, unsigned int n)
{
	while (n--)
		goheap_free(as, goheap_pointer(as, goheap_offset(of, *p++)));
}

static void *free_and_stay(void *arg)
{
	struct helper *x = arg;

	free_as(x->as, x->of, x->p, NR_GIVEN);
	pthread_barrier_wait(&x->step);
	pthread_barrier_wait(&x->step);
	return NULL;
}

static void test_close_flushes(struct goheap *h)
{
	struct helper x = { .as = second(h), .of = h };
	pthread_t thread;

	give_new(h, x.p, NR_GIVEN, 64);
	pthread_barrier_init(&x.step, NULL, 2);
	pthread_create(&thread, NULL, free_and_stay, &x);
	pthread_barrier_wait(&x.step);
	check(usage_of(h).given == NR_GIVEN, "what was given is freed later");
	goheap_close(x.as);
	check(!usage_of(h).given, "for all threads when the heap is closed");
	pthread_barrier_wait(&x.step);
	pthread_join(thread, NULL);
}

#define NR_FREEING	4

/* They have freed, and stay until the process ends. */
static void *free_and_wait(void *arg)
{
	struct helper *x = arg;

	free_as(x->as, x->of, x->p, NR_GIVEN);
	pthread_barrier_wait(&x->step);
	pause();
	return NULL;
}

enum end { EXITS, ENDS, EXECS, KILLED, NR_ENDS };

static void end_how(enum end how)
{
	switch (how) {
	case EXITS:
		exit(0);
	case ENDS:
		_exit(0);
	case EXECS:
		execl("/proc/self/exe", "goheap-edge-test", "--nothing", NULL);
		_exit(1);
	default:
		raise(SIGKILL);
	}
}

static void free_and_end_how(struct helper *x, enum end how)
{
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < NR_FREEING; i++)
		pthread_create(&thread, NULL, free_and_wait, x + i);
	for (i = 0; i < NR_FREEING; i++)
		pthread_barrier_wait(&x[i].step);
	end_how(how);
}

static void test_no_end_loses(struct goheap *h)
{
	struct helper x[NR_FREEING] = { 0 };
	unsigned int i, lost = 0;
	enum end how;
	int status;
	pid_t pid;

	for (how = 0; how < NR_ENDS; how++) {
		for (i = 0; i < NR_FREEING; i++) {
			x[i].as = h;
			x[i].of = h;
			give_new(h, x[i].p, NR_GIVEN, 64);
			pthread_barrier_init(&x[i].step, NULL, 2);
		}
		fflush(stdout);
		pid = fork();
		if (!pid)
			free_and_end_how(x, how);
		lost += waitpid(pid, &status, 0) != pid ||
			(how != KILLED && status);
		lost += usage_of(h).given;
	}
	check(!lost, "nor is it lost at exit(), _exit(), exec() or a kill");
}

/* The second handle never allocates. */
static void test_only_frees(struct goheap *h)
{
	struct goheap *other = second(h);
	void *p[NR_GIVEN];

	give_new(h, p, NR_GIVEN, 64);
	probes = 0;
	free_as(other, h, p, NR_GIVEN);
	check(probes <= 1, "who only frees makes no call for each object");
	goheap_close(other);
}

static void *free_and_end(void *arg)
{
	struct helper *x = arg;

	free_as(x->as, x->of, x->p, 1);
	stays = true;
	return NULL;
}

/* A thread that ends still frees with the heap while that is closed. */
static void test_close_waits(struct goheap *h)
{
	struct helper x = { .as = second(h), .of = h };
	pthread_t thread;

	give_new(h, x.p, 1, 64);
	yields = 0;
	pthread_create(&thread, NULL, free_and_end, &x);
	while (!__atomic_load_n(&inside, __ATOMIC_ACQUIRE))
		__real_sched_yield();
	goheap_close(x.as);
	pthread_join(thread, NULL);
	check(yields && !usage_of(h).given && !bad_frees,
	      "closing waits for threads that end");
}

/* Only the kernel can tell that it is not the one that was given. */
static void *free_what_is_not_given(void *arg)
{
	struct helper *x = arg;

	free_as(x->as, x->of, x->p + 1, 1);
	x->done = !bad_frees;
	return NULL;
}

static void test_refused_at_the_end(struct goheap *h)
{
	struct helper x = { .as = second(h), .of = h };
	pthread_t thread;

	give_new(h, x.p, 1, 64);
	x.p[1] = goheap_malloc(h, 64);
	pthread_create(&thread, NULL, free_what_is_not_given, &x);
	pthread_join(thread, NULL);
	check(x.done && bad_frees == 1 && !while_locked,
	      "a thread that ends tells of bad frees without a lock");
	bad_frees = 0;
	free_what_is_not_given(&x);
	goheap_close(x.as);
	check(x.done && bad_frees == 1 && !while_locked, "so does closing");
	bad_frees = 0;
	goheap_free(h, x.p[1]);
	goheap_free(h, x.p[0]);
	goheap_trim(h);
}

static void *free_first(void *arg)
{
	struct helper *x = arg;

	free_as(x->as, x->of, x->p, 1);
	return NULL;
}

static void test_given_twice_freed(struct goheap *h)
{
	struct helper x = { .as = second(h), .of = h };
	pthread_t thread;

	give_new(h, x.p, 1, 64);
	free_first(&x);
	free_first(&x);
	check(bad_frees == 1, "a second free of what was given is noticed");
	pthread_create(&thread, NULL, free_first, &x);
	pthread_join(thread, NULL);
	check(bad_frees == 2, "in all threads");
	bad_frees = 0;
	goheap_close(x.as);
	check(!bad_frees && !usage_of(h).given, "and the first is done");
}

static void test_later_is_bounded(struct goheap *h)
{
	struct goheap *other = second(h);
	void *p[NR_GIVEN];

	give_new(h, p, NR_GIVEN, LG_MAX_SMALL);
	free_as(other, h, p, NR_GIVEN);
	check(usage_of(h).given * LG_MAX_SMALL <= LG_LATER_BYTES,
	      "not many bytes wait");
	goheap_trim(other);
	give_new(h, p, 2, LG_MAX_SMALL + 1);
	free_as(other, h, p, 1);
	check(usage_of(h).given == 1, "and no large object");
	free_as(other, h, p + 1, 1);
	goheap_close(other);
}

static void *trim(void *h)
{
	goheap_trim(h);
	return NULL;
}

static void test_later_is_trimmed(struct goheap *h)
{
	struct goheap *other = second(h);
	void *p[NR_GIVEN];
	pthread_t thread;

	give_new(h, p, NR_GIVEN, 64);
	free_as(other, h, p, NR_GIVEN - 1);
	pthread_create(&thread, NULL, trim, other);
	pthread_join(thread, NULL);
	free_as(other, h, p + NR_GIVEN - 1, 1);
	check(usage_of(h).given == 1, "nor is it kept when a thread trims");
	goheap_close(other);
}

void test_given(struct goheap *h)
{
	test_close_flushes(h);
	test_no_end_loses(h);
	test_only_frees(h);
	test_close_waits(h);
	test_refused_at_the_end(h);
	test_given_twice_freed(h);
	test_later_is_bounded(h);
	test_later_is_trimmed(h);
}

/* ---- what is exchanged -------------------------------------------------- */

#define NR_WORDS	1000

/* Given, and empty. */
static uint64_t *new_table(struct goheap *h)
{
	uint64_t *word = goheap_calloc(h, NR_WORDS, sizeof(*word));
	void *p = word;

	return goheap_give(h, &p, 1) ? NULL : word;
}

/* New objects into all words, or what is there out of them, in one call. */
static bool exchange_all(struct goheap *h, uint64_t *word, bool take,
			 unsigned int flags)
{
	static struct goheap_exchange x[NR_WORDS];
	unsigned int i;
	bool good;

	for (i = 0; i < NR_WORDS; i++) {
		void *p = take ? goheap_deref(h, word[i]) : goheap_malloc(h, 64);

		x[i] = (struct goheap_exchange){
			.at = word + i,
			.expect = word[i],
			.value = take ? 0 : goheap_ref(h, p),
			.give = take ? NULL : p,
			.take = take ? p : NULL,
			.flags = flags,
		};
	}
	publishes = 0;
	good = !goheap_publish(h, x, NR_WORDS) && publishes < NR_WORDS / 16;
	for (i = 0; i < NR_WORDS; i++)
		good &= x[i].done == 1 && x[i].value == x[i].expect;
	return good;
}

static void test_publish(struct goheap *h)
{
	uint64_t *word = new_table(h);
	void *p = goheap_malloc(h, 64), *q = goheap_malloc(h, 64);
	struct goheap_exchange x = {
		.at = word, .expect = 1, .value = goheap_ref(h, p), .give = p,
	};

	check(!goheap_publish(h, &x, 1) && !x.done && !x.value && !*word &&
	      usage_of(h).given == 1, "a word that is not as expected stays");
	x.expect = 0;
	x.value = goheap_ref(h, p);
	check(!goheap_publish(h, &x, 1) && x.done == 1 &&
	      goheap_deref(h, *word) == p && usage_of(h).given == 2,
	      "one that is leads to an object that is given");
	x = (struct goheap_exchange){
		.at = word, .expect = goheap_ref(h, p),
		.value = goheap_ref(h, q), .give = q, .take = p,
	};
	memset(p, 5, 64);
	check(!goheap_publish(h, &x, 1) && x.done == 1 &&
	      usage_of(h).given == 3 && *(char *)p == 5 &&
	      !memcmp(p, (char *)p + 1, 63), "what is taken is held");
	/* Back again, and the other is freed. */
	x = (struct goheap_exchange){
		.at = word, .expect = goheap_ref(h, q),
		.value = goheap_ref(h, p), .give = p, .take = q,
		.flags = GOHEAP_FREE_TAKEN,
	};
	check(!goheap_publish(h, &x, 1) && x.done == 1 &&
	      usage_of(h).given == 2, "and can be given again");
	x = (struct goheap_exchange){
		.at = word, .expect = goheap_ref(h, p), .take = p,
	};
	check(!goheap_publish(h, &x, 1) && x.done == 1 && !*word,
	      "or is only taken");
	goheap_free(h, p);
	goheap_free(h, p);
	check(bad_frees == 1, "and freed once");
	bad_frees = 0;
	goheap_trim(h);
	check(usage_of(h).given == 1, "then it is gone");
	goheap_free(h, word);
	goheap_trim(h);
}

static void test_malloc_given(struct goheap *h)
{
	static const size_t lengths[] = { 0, 1, 100, LG_MAX_SMALL, MIB };
	struct goheap *other = second(h);
	void *p, *q, *old[200];
	unsigned int i;
	bool good;

	goheap_session(h);
	calls = 0;
	p = goheap_malloc_given(h, 64);
	check(p && calls == 1 && usage_of(h).given == 1,
	      "what is given costs one call");
	free_as(other, h, &p, 1);
	/* Places of objects that were private, and in a magazine when they were freed. */
	for (i = 0; i < ARRAY_SIZE(old); i++)
		old[i] = goheap_malloc(h, 64);
	for (i = 0; i < ARRAY_SIZE(old) - 1; i++)
		goheap_free(h, old[i]);
	goheap_trim(h);
	for (i = 0; i < ARRAY_SIZE(old) - 1; i++) {
		q = goheap_malloc_given(h, 64);
		goheap_free(h, q);
	}
	goheap_free(h, old[i]);
	check(!bad_frees, "and is not taken for what is free");
	good = true;
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		p = goheap_malloc_given(h, lengths[i]);
		good &= p && goheap_usable_size(h, p) >= lengths[i];
		if (p)
			memset(p, 1, lengths[i]);
		free_as(other, h, &p, 1);
	}
	errno = 0;
	good &= !goheap_malloc_given(h, SIZE_MAX) && errno == ENOMEM;
	goheap_close(other);
	goheap_trim(h);
	check(good && !usage_of(h).given && !bad_frees,
	      "and of any length, for any process to free");
}

/* From one word to another, in one call. */
static void test_publish_moves(struct goheap *h)
{
	uint64_t *word = new_table(h);
	void *p = goheap_malloc(h, 64);
	struct goheap_exchange x[3] = {
		{ .at = word, .value = goheap_ref(h, p), .give = p },
		{ .at = word, .expect = goheap_ref(h, p), .take = p },
		{ .at = word + 1, .value = goheap_ref(h, p), .give = p },
	};

	check(!goheap_publish(h, x, 3) && x[2].done == 1 && !word[0] &&
	      goheap_deref(h, word[1]) == p, "an object goes from word to word");
	goheap_free(h, p);
	goheap_free(h, word);
	goheap_trim(h);
}

/* All entries are of objects that were freed, and another thread is about to say so. */
static void test_no_room_to_hold(struct goheap *h)
{
	uint64_t *word = new_table(h);
	void *p = goheap_malloc(h, 64);
	struct goheap_exchange x[] = {
		{ .at = word, .value = goheap_ref(h, p), .give = p },
		{ .at = word, .expect = goheap_ref(h, p), .take = p },
	};
	unsigned int i;

	check(!goheap_publish(h, x, 1), "an object is published");
	for (i = LG_HELD_FIRST; i < GOHEAP_NR_DEFERRED; i++)
		if (!h->later[i])
			h->later[i] = GOHEAP_DEFERRED | GOHEAP_RELEASED | 8;
	h->held_freed = 0;
	check(!goheap_publish(h, x + 1, 1) && x[1].done == 1,
	      "entries of what was freed are in nobody's way");
	goheap_free(h, p);
	goheap_free(h, word);
	goheap_trim(h);
}

#define NR_MOVERS	4

struct mover {
	struct goheap *h;
	uint64_t *word;
	bool wrong;
};

/* Takes what is in some word, and puts it into another that is empty, or frees it. */
static void *move(void *arg)
{
	struct mover *m = arg;
	unsigned int i, seed = (uintptr_t)m >> 4;

	for (i = 0; i < 3000; i++) {
		uint64_t *from = m->word + rand_r(&seed) % 64;
		uint64_t *to = m->word + rand_r(&seed) % 64;
		uint64_t ref = __atomic_load_n(from, __ATOMIC_ACQUIRE);
		struct goheap_exchange x = {
			.at = from, .expect = ref, .take = goheap_deref(m->h, ref),
		};

		if (!ref) {
			x.give = goheap_malloc(m->h, 64);
			x.value = goheap_ref(m->h, x.give);
			m->wrong |= goheap_publish(m->h, &x, 1);
			if (!x.done)
				goheap_free(m->h, x.give);
			continue;
		}
		m->wrong |= goheap_publish(m->h, &x, 1);
		if (!x.done)
			continue;
		x = (struct goheap_exchange){
			.at = to, .value = ref, .give = goheap_deref(m->h, ref),
		};
		m->wrong |= goheap_publish(m->h, &x, 1);
		if (!x.done)
			goheap_free(m->h, x.give);
	}
	return NULL;
}

static void test_publish_threads(struct goheap *h)
{
	uint64_t *word = new_table(h);
	struct mover m[NR_MOVERS];
	pthread_t thread[NR_MOVERS];
	unsigned int i, there = 0;
	unsigned long given;
	bool wrong = false;

	for (i = 0; i < NR_MOVERS; i++) {
		m[i] = (struct mover){ .h = h, .word = word };
		pthread_create(&thread[i], NULL, move, &m[i]);
	}
	for (i = 0; i < NR_MOVERS; i++) {
		pthread_join(thread[i], NULL);
		wrong |= m[i].wrong;
	}
	goheap_trim(h);
	for (i = 0; i < 64; i++)
		there += !!word[i];
	given = usage_of(h).given;
	if (wrong || bad_frees || given != there + 1)
		printf("# wrong %d, bad frees %u, given %lu, there %u\n", wrong,
		       bad_frees, given, there);
	check(!wrong && !bad_frees && given == there + 1,
	      "threads exchange, and lose nothing");
	for (i = 0; i < 64; i++)
		goheap_free(h, goheap_deref(h, word[i]));
	goheap_free(h, word);
	goheap_trim(h);
}

static void test_publish_many(struct goheap *h)
{
	uint64_t *word = new_table(h);
	void *p[NR_WORDS];
	unsigned int i, round;
	bool good = true;

	for (round = 0; round < 10; round++) {
		good &= exchange_all(h, word, false, 0);
		for (i = 0; i < NR_WORDS; i++)
			p[i] = goheap_deref(h, word[i]);
		good &= exchange_all(h, word, true,
				     round % 2 ? GOHEAP_FREE_TAKEN : 0);
		for (i = 0; i < NR_WORDS && !(round % 2); i++)
			goheap_free(h, p[i]);
	}
	goheap_trim(h);
	check(good && usage_of(h).given == 1 && !bad_frees,
	      "many are exchanged by few calls");
	goheap_free(h, word);
	goheap_trim(h);
}

static void test_held_is_not_lost(struct goheap *h)
{
	uint64_t *word = new_table(h);
	int status;
	pid_t pid;

	if (!exchange_all(h, word, false, 0))
		check(false, "words can be exchanged");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (exchange_all(h, word, true, 0))
			raise(SIGKILL);
		_exit(1);
	}
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      usage_of(h).given == 1, "what a killed process held is freed");
	goheap_free(h, word);
	goheap_trim(h);
}

static void test_publish_refuses(struct goheap *h)
{
	uint64_t *word = new_table(h);
	void *p[3] = { goheap_malloc(h, 64), goheap_malloc(h, 64), NULL };
	struct goheap_exchange x[3];
	unsigned int i;
	bool good = true;

	goheap_free(h, p[1]);
	for (i = 0; i < 3; i++) {
		x[i] = (struct goheap_exchange){
			.at = word + i, .value = 7, .give = p[i],
		};
	}
	errno = 0;
	good &= goheap_publish(h, x, 3) == -1 && errno == ENOENT;
	good &= x[0].done == 1 && x[1].done == -1 && x[2].done == -1;
	good &= word[0] == 7 && !word[1] && !word[2];
	x[2].flags = ~GOHEAP_FREE_TAKEN;
	errno = 0;
	good &= goheap_publish(h, x + 2, 1) == -1 && errno == EINVAL;
	x[2].flags = 0;
	x[2].at = (uint64_t *)((char *)word + 4);
	errno = 0;
	good &= goheap_publish(h, x + 2, 1) == -1 && errno == EINVAL;
	x[2].at = (uint64_t *)&x[2].value;
	errno = 0;
	good &= goheap_publish(h, x + 2, 1) == -1 && errno == EINVAL;
	check(good, "an exchange that is refused says why");
	goheap_free(h, p[0]);
	goheap_free(h, word);
	goheap_trim(h);
}

void test_exchanged(struct goheap *h)
{
	test_malloc_given(h);
	test_publish(h);
	test_publish_moves(h);
	test_publish_many(h);
	test_no_room_to_hold(h);
	test_publish_threads(h);
	test_held_is_not_lost(h);
	test_publish_refuses(h);
	check(!usage_of(h).given && !bad_frees, "and nothing is left of all that");
}
