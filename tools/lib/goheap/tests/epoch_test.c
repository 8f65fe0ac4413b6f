// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * epoch_test: names, and objects that are retired while others read them.
 *
 *   goheap-epoch-test [READS]
 *
 * Readers and writers are killed, one after the other, until there have been so many READS,
 * and some hundred kills.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "goheap.h"
#include "tap.h"

int tap_results, tap_failures;

/* Looks at what should happen soon, and between two looks, microseconds. */
#define LOOKS		60000
#define LOOK_US		1000

static struct goheap_usage usage(struct goheap *h)
{
	struct goheap_usage u = { .size = sizeof(u) };

	if (goheap_usage(h, &u))
		memset(&u, 0xff, sizeof(u));
	return u;
}

static bool nothing_is_retired(struct goheap *h)
{
	unsigned int looks = LOOKS;

	while (usage(h).retired && --looks)
		usleep(LOOK_US);
	return looks;
}

/* Runs in a child; whether it has ended well. */
static bool child_says(struct goheap *h, bool (*fn)(struct goheap *h))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(!fn(h));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

/* ---- names -------------------------------------------------------------- */

static bool finds_name(struct goheap *h)
{
	const char *p = goheap_lookup(h, "greeting");

	return p && !strcmp(p, "hello");
}

static bool is_refused(struct goheap *h, const char *name, void *p, int err)
{
	errno = 0;
	return goheap_bind(h, name, p) == -1 && errno == err;
}

static void test_names(struct goheap *h)
{
	char *p = goheap_malloc(h, 64), *q = goheap_malloc(h, 64), *r;
	static char longest[GOHEAP_NAME_MAX + 1];

	memset(longest, 'x', GOHEAP_NAME_MAX);
	strcpy(p, "hello");
	errno = 0;
	check(!goheap_lookup(h, "greeting") && errno == ENOENT,
	      "a name that nobody has given leads nowhere");
	check(!goheap_bind(h, "greeting", p) && goheap_lookup(h, "greeting") == p,
	      "an object is found by its name");
	check(usage(h).given == 2, "it is given, as is the entry");
	check(child_says(h, finds_name), "a child finds it");
	check(is_refused(h, "greeting", q, EEXIST) && usage(h).given == 2,
	      "another object cannot have the name");
	check(is_refused(h, "", q, EINVAL) && is_refused(h, longest, q, EINVAL) &&
	      is_refused(h, NULL, q, EINVAL) && is_refused(h, "n", NULL, EINVAL) &&
	      is_refused(h, "n", longest, EINVAL),
	      "what cannot be a name, or an object, is refused");
	longest[GOHEAP_NAME_MAX - 1] = 0;
	check(!goheap_bind(h, longest, q) && goheap_lookup(h, longest) == q,
	      "a name may have 47 bytes");
	check(is_refused(h, "again", q + 8, EINVAL) && !goheap_bind(h, "again", q) &&
	      goheap_lookup(h, "again") == q,
	      "an object may have two names, and is given once");

	r = goheap_unbind(h, "greeting");
	errno = 0;
	check(r == p && !goheap_lookup(h, "greeting") && errno == ENOENT &&
	      !goheap_unbind(h, "greeting") && errno == ENOENT,
	      "a name can be taken away");
	goheap_free(h, r);
	check(!goheap_bind(h, "greeting", goheap_malloc_given(h, 8)),
	      "and given to another object");
}

#define RACE_NAMES	50
#define RACERS		4

static bool races(struct goheap *h)
{
	unsigned int i, won = 0;
	char name[16];

	for (i = 0; i < RACE_NAMES; i++) {
		uint64_t *p = goheap_malloc(h, 64);

		snprintf(name, sizeof(name), "race%u", i);
		*p = i;
		if (!goheap_bind(h, name, p))
			won++;
		else if (errno == EEXIST)
			goheap_free(h, p);
		else
			return false;
		p = goheap_lookup(h, name);
		if (!p || *p != i)
			return false;
	}
	return true;
}

static void test_race_of_names(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	unsigned int i, good = 0;
	int status;

	for (i = 0; i < RACERS; i++)
		if (!fork())
			_exit(!races(h));
	while (wait(&status) > 0)
		good += !status;
	check(good == RACERS, "processes that bind the same names find the same objects");
	check(usage(h).objects == 2 * RACE_NAMES,
	      "and leave an entry and an object for each");
	goheap_close(h);
}

static void test_damaged_names(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	uint64_t *e = goheap_malloc_given(h, 64), expect = 0;

	memset(e, 0, 64);
	*e = goheap_ref(h, e);
	goheap_root_cas(h, GOHEAP_ROOT_NAMES, &expect, *e);
	errno = 0;
	check(!goheap_lookup(h, "n") && errno == EUCLEAN, "a list without an end is given up");
	*e = ~0ULL;
	errno = 0;
	check(!goheap_lookup(h, "n") && errno == EUCLEAN, "nothing is read outside the heap");
	goheap_close(h);
}

/* ---- readers ------------------------------------------------------------ */

static void *enter_and_end(void *h)
{
	return (void *)(long)goheap_enter(h);
}

static bool child_is_not_inside(struct goheap *h)
{
	/* It has a session, and so readers, of its own. */
	goheap_exit(h);
	return !goheap_enter(h) && (goheap_exit(h), true);
}

static void test_enter(struct goheap *h)
{
	struct goheap *private = goheap_open(NULL, GOHEAP_PRIVATE);
	void *p = goheap_malloc(h, 64);
	pthread_t thread;
	void *ret;

	errno = 0;
	check(goheap_enter(private) == -1 && errno == EOPNOTSUPP,
	      "nothing is retired in a private heap");
	errno = 0;
	check(goheap_retire(private, &p, 1) == -1 && errno == EOPNOTSUPP,
	      "not by a call, either");
	goheap_close(private);

	check(!goheap_enter(h) && !goheap_enter(h), "a thread may enter twice");
	goheap_exit(h);
	check(!goheap_retire(h, &p, 1) && usage(h).retired == 1,
	      "what is retired stays while it is inside");
	check(child_says(h, child_is_not_inside), "a child is not inside");
	usleep(300000);
	check(usage(h).retired == 1, "nor does its exit count");
	goheap_exit(h);
	check(nothing_is_retired(h), "it is freed when it has left");
	goheap_exit(h);

	p = goheap_malloc(h, 64);
	pthread_create(&thread, NULL, enter_and_end, h);
	pthread_join(thread, &ret);
	check(!ret && !goheap_retire(h, &p, 1) && nothing_is_retired(h),
	      "a thread that ended is not inside");
}

static int bad_frees, last_err;

static void note_bad_free(struct goheap *h, const void *p, int err)
{
	(void)h;
	(void)p;
	bad_frees++;
	last_err = err;
}

static void test_retire(struct goheap *h)
{
	void *p[4] = { goheap_malloc(h, 64), goheap_malloc(h, 64),
		       goheap_malloc_given(h, 64), goheap_malloc(h, 100000) };
	struct goheap_exchange x = { .flags = GOHEAP_RETIRE_TAKEN };
	uint64_t *word = goheap_malloc_given(h, 64);
	uint64_t objects = usage(h).objects;

	goheap_on_bad_free(note_bad_free);
	goheap_free(h, p[1]);
	check(!goheap_retire(h, p, 4) && bad_frees == 1 && last_err == ENOENT,
	      "what is free cannot be retired, but what comes with it can");
	check(nothing_is_retired(h) && objects - usage(h).objects == 3,
	      "three of four are gone");
	bad_frees = 0;
	goheap_retire(h, p, 1);
	check(bad_frees == 1, "nor can it be retired twice");
	goheap_on_bad_free(NULL);

	p[0] = goheap_malloc_given(h, 64);
	*word = 1;
	x.at = word;
	x.expect = 1;
	x.value = 2;
	x.take = p[0];
	goheap_enter(h);
	check(!goheap_publish(h, &x, 1) && x.done == 1 && usage(h).retired == 1,
	      "an exchange retires what it takes");
	goheap_exit(h);
	check(nothing_is_retired(h), "which is freed then");
	x.flags = 3;
	errno = 0;
	check(goheap_publish(h, &x, 1) == -1 && errno == EINVAL,
	      "to free and to retire is one too many");
	goheap_free(h, word);
}

static void *retire_one(void *arg)
{
	void **p = arg;

	return (void *)(long)goheap_retire(p[0], p + 1, 1);
}

/* An eighth of 8 MiB may wait. */
static void test_bound(void)
{
	struct goheap *h = goheap_open(NULL, 0);
	struct goheap_limit l = { .size = sizeof(l), .flags = GOHEAP_LIMIT_SET,
				  .limit = 8 << 20 };
	struct goheap_exchange x = { .flags = GOHEAP_RETIRE_TAKEN };
	void *p[2], *arg[2];
	pthread_t thread;
	void *ret;

	ioctl(goheap_fd(h), GOHEAP_IOC_LIMIT, &l);
	p[0] = goheap_malloc_given(h, 2 << 20);
	p[1] = goheap_malloc_given(h, 4096);
	x.at = goheap_malloc_given(h, 64);
	*x.at = 0;
	x.take = p[1];
	goheap_enter(h);
	goheap_retire(h, p, 1);
	errno = 0;
	check(goheap_retire(h, p + 1, 1) == -1 && errno == EAGAIN,
	      "who is inside does not wait for itself");
	errno = 0;
	check(goheap_publish(h, &x, 1) == -1 && errno == EAGAIN && x.done == -1,
	      "not in an exchange, either");
	arg[0] = h;
	arg[1] = p[1];
	pthread_create(&thread, NULL, retire_one, arg);
	usleep(100000);
	check(usage(h).retired == 1, "others wait");
	goheap_exit(h);
	pthread_join(thread, &ret);
	check(!ret && nothing_is_retired(h), "until there is room");
	goheap_close(h);
}

/* ---- readers, writers and kills ----------------------------------------- */

#define WORDS		64
#define WORKERS		6
#define READERS		4
/* At least, and how long a worker may work until one is killed, microseconds. */
#define KILLS		300
#define KILL_US		5000
#define LINES		7

/* An object says what it has to hold, so that one that was freed, or is another's, shows. */
struct item {
	uint64_t seed;
	uint64_t line[LINES];
};

/**
 * struct board - what the workers share
 * @reads: by each reader
 * @wrong: reads of items that were not whole
 * @word: refs of items
 */
struct board {
	uint64_t reads[WORKERS];
	uint64_t wrong;
	uint64_t word[WORDS];
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

static bool is_whole(const struct item *item)
{
	uint64_t seed = __atomic_load_n(&item->seed, __ATOMIC_RELAXED);
	unsigned int i;

	for (i = 0; i < LINES; i++)
		if (__atomic_load_n(&item->line[i], __ATOMIC_RELAXED) != mix(seed + i))
			return false;
	return true;
}

static struct item *item_new(struct goheap *h, uint64_t seed)
{
	struct item *item = goheap_malloc(h, sizeof(*item));
	unsigned int i;

	if (!item)
		return NULL;
	item->seed = seed;
	for (i = 0; i < LINES; i++)
		item->line[i] = mix(seed + i);
	return item;
}

static void read_on(struct goheap *h, struct board *b, uint64_t *reads)
{
	uint64_t at = getpid(), n = 0, ref;
	const struct item *item;
	unsigned int i;

	for (;;) {
		at = mix(at + n);
		if (goheap_enter(h))
			_exit(1);
		ref = __atomic_load_n(&b->word[at % WORDS], __ATOMIC_ACQUIRE);
		item = goheap_deref(h, ref);
		/* Now and then for long enough that it would be freed meanwhile. */
		for (i = at >> 50 ? 1 : 1000; i; i--)
			if (!is_whole(item))
				__atomic_add_fetch(&b->wrong, 1, __ATOMIC_RELAXED);
		goheap_exit(h);
		if (!(++n % 64))
			__atomic_store_n(reads, *reads + 64, __ATOMIC_RELAXED);
	}
}

static void write_on(struct goheap *h, struct board *b)
{
	uint64_t seed = mix(getpid());

	for (;;) {
		struct goheap_exchange x = { .flags = GOHEAP_RETIRE_TAKEN };
		struct item *item = item_new(h, seed);

		seed = mix(seed + 1);
		if (!item) {
			usleep(1000);
			continue;
		}
		x.at = &b->word[seed % WORDS];
		x.expect = __atomic_load_n(x.at, __ATOMIC_ACQUIRE);
		x.value = goheap_ref(h, item);
		x.give = item;
		x.take = goheap_deref(h, x.expect);
		/* Another writer may have taken it since, and who has it now says no. */
		if (goheap_publish(h, &x, 1) || x.done != 1)
			goheap_free(h, item);
	}
}

static pid_t work(struct goheap *h, struct board *b, unsigned int i)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	if (i < READERS)
		read_on(h, b, &b->reads[i]);
	else
		write_on(h, b);
	_exit(1);
}

static uint64_t reads_of(const struct board *b)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < READERS; i++)
		sum += __atomic_load_n(&b->reads[i], __ATOMIC_RELAXED);
	return sum;
}

static void test_kills(uint64_t target)
{
	struct goheap *h = goheap_open(NULL, 0);
	struct board *b = goheap_malloc_given(h, sizeof(*b));
	uint64_t kills = 0, own = 0, at = getpid();
	pid_t pid[WORKERS];
	unsigned int i;
	int status;

	memset(b, 0, sizeof(*b));
	for (i = 0; i < WORDS; i++) {
		void *item = item_new(h, i);

		goheap_give(h, &item, 1);
		b->word[i] = goheap_ref(h, item);
	}
	for (i = 0; i < WORKERS; i++)
		pid[i] = work(h, b, i);
	while (reads_of(b) < target || kills < KILLS) {
		usleep(KILL_US);
		at = mix(at + kills);
		i = at % WORKERS;
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
		kills++;
		own += WIFEXITED(status);
		pid[i] = work(h, b, i);
	}
	for (i = 0; i < WORKERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
	}
	printf("# %llu reads, %llu wrong, %llu kills, %llu grace periods\n",
	       (unsigned long long)reads_of(b), (unsigned long long)b->wrong,
	       (unsigned long long)kills, (unsigned long long)usage(h).epochs);
	check(!b->wrong, "no reader has found an item that was freed");
	check(!own, "no worker has ended by itself");
	check(nothing_is_retired(h) && usage(h).given == 1 + WORDS,
	      "no item is lost");
	goheap_close(h);
}

int main(int argc, char **argv)
{
	uint64_t reads = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	struct goheap *h = goheap_open(NULL, 0);

	check(h, "a heap opens");
	if (!h)
		return tap_end();
	test_names(h);
	test_enter(h);
	test_retire(h);
	goheap_close(h);
	test_race_of_names();
	test_damaged_names();
	test_bound();
	test_kills(reads);
	return tap_end();
}
