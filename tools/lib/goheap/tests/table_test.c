// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * table_test: hash tables in shared memory, whose readers and writers are killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "goheap_table.h"
#include "tap.h"

int tap_results, tap_failures;

static struct goheap *h;

static uint64_t random_state = 88172645463325252ULL;

static uint64_t rand64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static struct goheap_usage usage(void)
{
	struct goheap_usage u = { .size = sizeof(u) };

	goheap_usage(h, &u);
	return u;
}

static void await_retired(void)
{
	while (usage().retired)
		usleep(1000);
}

/* ---- against a model ---------------------------------------------------- */

#define KEYS		4096
#define STEPS		40000

static uint32_t model[KEYS];	/* value, or 0 */

/* Keys have all lengths from none on. */
static size_t key_of(uint32_t i, char *key)
{
	size_t n = i ? 1 + i % 37 : 0;

	memset(key, 'a' + i % 26, n);
	if (n >= 4)
		memcpy(key, &i, 4);
	else if (n)
		memcpy(key, &i, n);
	return n;
}

/* Short keys may be equal: then they are the same one. */
static uint32_t canonical(uint32_t i)
{
	char a[64], b[64];
	size_t n = key_of(i, a);
	uint32_t j;

	for (j = 0; n < 4 && j < i; j++)
		if (key_of(j, b) == n && !memcmp(a, b, n))
			return j;
	return i;
}

static bool agrees(struct goheap_table *t, uint32_t i)
{
	const uint32_t *value;
	char key[64];
	size_t n = key_of(i, key), bytes;
	bool good;

	goheap_enter(h);
	errno = 0;
	value = goheap_table_get(h, t, key, n, &bytes);
	if (model[i])
		good = value && bytes == 4 + i % 50 && *value == model[i];
	else
		good = !value && errno == ENOENT;
	goheap_exit(h);
	return good;
}

static bool change(struct goheap_table *t, uint32_t i, uint32_t value)
{
	char key[64], data[64] = "";
	size_t n = key_of(i, key);
	int ret, expect;

	if (value) {
		memcpy(data, &value, 4);
		expect = !!model[i];
		ret = goheap_table_put(h, t, key, n, data, 4 + i % 50);
	} else {
		expect = model[i] ? 0 : -1;
		errno = ENOENT;
		ret = goheap_table_remove(h, t, key, n);
		if (ret < 0 && errno != ENOENT)
			return false;
	}
	model[i] = value;
	return ret == expect;
}

static bool iterates(struct goheap_table *t, uint64_t *count)
{
	static bool seen[KEYS];
	struct goheap_entry e;
	uint64_t cursor = 0;
	uint32_t i;
	char key[64];
	int ret;

	memset(seen, 0, sizeof(seen));
	*count = 0;
	goheap_enter(h);
	while ((ret = goheap_table_next(h, t, &cursor, &e)) == 1) {
		for (i = 0; i < KEYS; i++)
			if (model[i] && key_of(i, key) == e.key_bytes &&
			    !memcmp(key, e.key, e.key_bytes))
				break;
		if (i == KEYS || seen[i] || *(uint32_t *)e.value != model[i])
			break;
		seen[i] = true;
		++*count;
	}
	goheap_exit(h);
	return !ret;
}

static void test_model(void)
{
	struct goheap_table *t = goheap_table_open(h, "model");
	uint64_t objects, n = 0, found;
	unsigned int i, good = 0;

	check(t && goheap_table_open(h, "model") == t, "a table is made, and found");
	for (i = 0; i < STEPS; i++) {
		uint32_t key = canonical(rand64() % KEYS);

		good += change(t, key, rand64() % 4 ? rand64() | 1 : 0) && agrees(t, key);
	}
	check(good == STEPS, "it does what its model does");
	for (good = 0, i = 0; i < KEYS; i++) {
		if (canonical(i) == i) {
			good += agrees(t, i);
			n += !!model[i];
		} else {
			good++;
		}
	}
	check(good == KEYS && goheap_table_count(h, t) == n, "for all keys");
	check(iterates(t, &found) && found == n, "one can go through them");
	for (i = 0; i < KEYS; i++)
		if (canonical(i) == i)
			change(t, i, 0);
	check(!goheap_table_count(h, t), "all can be removed");
	await_retired();
	objects = usage().given;
	for (i = 0; i < KEYS; i++)
		if (canonical(i) == i)
			change(t, i, 1);
	for (i = 0; i < KEYS; i++)
		if (canonical(i) == i)
			change(t, i, 0);
	await_retired();
	check(usage().given <= objects + KEYS, "and leave no more than markers of buckets");
}

static void test_errors(void)
{
	void *other = goheap_malloc(h, 64);
	struct goheap_table *t = goheap_table_open(h, "errors");
	struct goheap_entry e;
	uint64_t cursor = 0;

	memset(other, 0xff, 64);
	goheap_bind(h, "other", other);
	errno = 0;
	check(!goheap_table_open(h, "other") && errno == EINVAL, "another object is no table");
	errno = 0;
	check(goheap_table_put(h, t, "k", 1, "v", GOHEAP_ENTRY_BYTES_MAX) == -1 &&
	      errno == EINVAL, "an entry may be too long");
	goheap_enter(h);
	check(!goheap_table_next(h, t, &cursor, &e), "an empty table has no first key");
	check(!goheap_table_put(h, t, "k", 1, "", 0) &&
	      goheap_table_get(h, t, "k", 1, NULL), "a value may be empty");
	goheap_exit(h);
}

/* Each word of the table and of its first entry, whatever somebody writes there. */
static void test_damage(void)
{
	struct goheap_table *t = goheap_table_open(h, "damage");
	static const uint64_t bad[] = { 1, 7, 9, ~0ULL, 1ULL << 35, 1ULL << 63 };
	uint64_t copy[12], *word = (uint64_t *)t, self = goheap_ref(h, t);
	unsigned int i, j, good = 0;
	int ret;

	goheap_table_put(h, t, "key", 3, "value", 5);
	memcpy(copy, t, sizeof(copy));
	for (i = 0; i < 12; i++) {
		/* Not the lock: it would be waited for. */
		if (i == 1)
			continue;
		for (j = 0; j < 7; j++) {
			word[i] = j < 6 ? bad[j] : self;
			goheap_enter(h);
			errno = 0;
			if (goheap_table_get(h, t, "key", 3, NULL))
				good++;
			else
				good += errno == EUCLEAN || errno == ENOENT;
			goheap_exit(h);
			ret = goheap_table_remove(h, t, "none", 4);
			good += ret == -1 && (errno == EUCLEAN || errno == ENOENT);
			memcpy(t, copy, sizeof(copy));
		}
	}
	check(good == 11 * 7 * 2, "a damaged table harms nobody");
}

/* ---- many, and kills ---------------------------------------------------- */

#define WORKERS		5
#define READERS		3
#define SHARED_KEYS	500
#define KILLS		150
#define READS		200000

/* A value says whose key it is of, and is of any length. */
struct value {
	uint32_t key;
	uint32_t n;
	uint32_t fill[16];
};

struct board {
	uint64_t reads;
	uint64_t writes;
	uint64_t wrong;
};

static bool is_whole(const struct value *v, size_t bytes, uint32_t key)
{
	uint32_t i;

	if (v->key != key || v->n > 16 || bytes != 8 + 4 * v->n)
		return false;
	for (i = 0; i < v->n; i++)
		if (v->fill[i] != key + i)
			return false;
	return true;
}

static void read_on(struct goheap_table *t, struct board *b)
{
	for (;;) {
		uint32_t i, key = rand64() % SHARED_KEYS;
		const struct value *v;
		size_t bytes;

		goheap_enter(h);
		v = goheap_table_get(h, t, &key, 4, &bytes);
		for (i = rand64() % 64 ? 1 : 300; v && i; i--)
			if (!is_whole(v, bytes, key))
				__atomic_add_fetch(&b->wrong, 1, __ATOMIC_RELAXED);
		if (!v && errno != ENOENT)
			__atomic_add_fetch(&b->wrong, 1, __ATOMIC_RELAXED);
		goheap_exit(h);
		__atomic_add_fetch(&b->reads, 1, __ATOMIC_RELAXED);
	}
}

static void write_on(struct goheap_table *t, struct board *b)
{
	for (;;) {
		uint32_t i, key = rand64() % SHARED_KEYS;
		struct value v = { key, rand64() % 17, { 0 } };
		int ret;

		for (i = 0; i < v.n; i++)
			v.fill[i] = key + i;
		if (rand64() % 3)
			ret = goheap_table_put(h, t, &key, 4, &v, 8 + 4 * v.n);
		else
			ret = goheap_table_remove(h, t, &key, 4);
		if (ret < 0 && errno != ENOENT)
			__atomic_add_fetch(&b->wrong, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&b->writes, 1, __ATOMIC_RELAXED);
	}
}

static pid_t work(struct goheap_table *t, struct board *b, unsigned int i, unsigned int n)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	random_state ^= (n + 1) * 0x9e3779b97f4a7c15ULL;
	if (i < READERS)
		read_on(t, b);
	write_on(t, b);
	_exit(1);
}

/* A writer that has died may have others wait for a while. */
static void await_progress(const struct board *b)
{
	uint64_t n = __atomic_load_n(&b->writes, __ATOMIC_RELAXED);

	while (__atomic_load_n(&b->writes, __ATOMIC_RELAXED) == n)
		usleep(1000);
}

static uint64_t entries(struct goheap_table *t)
{
	struct goheap_entry e;
	uint64_t cursor = 0, n = 0;

	goheap_enter(h);
	while (goheap_table_next(h, t, &cursor, &e) == 1)
		n++;
	goheap_exit(h);
	return n;
}

static void test_kills(void)
{
	struct goheap_table *t = goheap_table_open(h, "kills");
	struct board *b = goheap_malloc_given(h, sizeof(*b));
	uint64_t before = usage().given, left;
	pid_t pid[WORKERS] = { 0 };
	unsigned int i, n;

	memset(b, 0, sizeof(*b));
	for (n = 0; n < KILLS || b->reads < READS; n++) {
		i = n * 3 % WORKERS;
		if (pid[i]) {
			if (n > WORKERS)
				await_progress(b);
			usleep(500 + n % 7 * 100);
			kill(pid[i], SIGKILL);
			waitpid(pid[i], NULL, 0);
		}
		pid[i] = work(t, b, i, n);
	}
	for (i = 0; i < WORKERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	printf("# %llu reads, %llu writes, %u kills, %llu keys\n",
	       (unsigned long long)b->reads, (unsigned long long)b->writes, n,
	       (unsigned long long)entries(t));
	check(!b->wrong, "readers and writers find a table that is whole");
	goheap_table_remove(h, t, "none", 4);
	check(entries(t) == goheap_table_count(h, t), "the number of keys is right");
	for (i = 0; i < SHARED_KEYS; i++)
		goheap_table_remove(h, t, &i, 4);
	await_retired();
	/* Markers, of which there are no more than twice as many as there were keys, and arrays. */
	left = usage().given - before;
	check(!entries(t) && left <= 2 * SHARED_KEYS + 10, "and no entry is lost");
	goheap_table_destroy(h, goheap_unbind(h, "kills"));
	goheap_trim(h);
	/* Of what was counted before, the table. */
	check(usage().given == before - 1, "nor anything when the table is destroyed");
	goheap_free(h, b);
}

int main(void)
{
	h = goheap_open(NULL, 0);
	check(h, "a heap opens");
	if (!h)
		return tap_end();
	test_model();
	test_errors();
	test_damage();
	test_kills();
	goheap_close(h);
	return tap_end();
}
