// SPDX-License-Identifier: GPL-2.0-only
/*
 * patterns: how some well-known test programs of allocators use memory, written anew.
 *
 * Every object is filled when it is allocated and compared when it is freed. What is
 * printed depends on nothing but the pattern and its length, so it must be the same
 * with every allocator. Arguments: a pattern, and a length in steps.
 */
#include <err.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS	4

struct object {
	uint32_t len;
	uint32_t seed;
	unsigned char data[];
};

static unsigned long steps;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static struct object *make(uint32_t len, uint32_t seed)
{
	struct object *o = malloc(sizeof(*o) + len);

	if (!o)
		errx(1, "out of memory");
	o->len = len;
	o->seed = seed;
	memset(o->data, seed, len);
	return o;
}

/* Returns something of the object, which must be as it was made. */
static uint64_t unmake(struct object *o)
{
	uint64_t sum;
	uint32_t i;

	if (!o)
		return 0;
	for (i = 0; i < o->len; i++)
		if (o->data[i] != (unsigned char)o->seed)
			errx(1, "byte %u of an object of %u is wrong", i, o->len);
	sum = (uint64_t)o->len * 31 + o->seed;
	free(o);
	return sum;
}

/* Small blocks in waves, each freed in part before the next: the compilers of sh6bench. */
static uint64_t waves(uint32_t seed)
{
	enum { WAVE = 300 };
	struct object *wave[WAVE] = { NULL };
	uint64_t sum = 0;
	unsigned long n;
	int i;

	for (n = 0; n < steps; n++) {
		int step = 1 + n % 3;

		for (i = 0; i < WAVE; i += step) {
			sum += unmake(wave[i]);
			wave[i] = make(next_random(&seed) % 1000, n);
		}
	}
	for (i = WAVE - 1; i >= 0; i--)
		sum += unmake(wave[i]);
	return sum;
}

/* A stack that threads share: who frees is seldom who allocated, as in xmalloc. */
static uint64_t shared(uint32_t seed)
{
	enum { DEPTH = 256 };
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct object *stack[DEPTH];
	uint64_t made = 0;
	unsigned long n;

	for (n = 0; n < steps * 100; n++) {
		uint32_t r = next_random(&seed);
		struct object *o = make(r % 500, r), *old;

		made += (uint64_t)o->len * 31 + o->seed;
		pthread_mutex_lock(&lock);
		old = stack[r % DEPTH];
		stack[r % DEPTH] = o;
		pthread_mutex_unlock(&lock);
		unmake(old);
	}
	/* Which thread frees what depends on their luck; what they made does not. */
	return made;
}

/* Objects as small as a word that their threads write to, as in cache-scratch. */
static uint64_t scratch(uint32_t seed)
{
	uint64_t sum = 0;
	unsigned long n;
	int i;

	for (n = 0; n < steps; n++) {
		struct object *o = make(8, seed + n);

		for (i = 0; i < 1000; i++)
			o->data[i % 8]++;
		for (i = 0; i < 8; i++)
			o->data[i] -= 125;
		sum += unmake(o);
	}
	return sum;
}

/* Much that lives shortly and little that lives long, grown by realloc(), as in espresso. */
static uint64_t cubes(uint32_t seed)
{
	enum { COVERS = 64 };
	struct object *cover[COVERS] = { NULL };
	uint64_t sum = 0;
	unsigned long n;

	for (n = 0; n < steps * 50; n++) {
		uint32_t r = next_random(&seed), more = 8 + r % 56;
		struct object *cube = make(more, r), **slot = &cover[r % COVERS], *o = *slot;

		if (!o || o->len > 4000) {
			sum += unmake(o);
			*slot = make(more, r);
		} else {
			o = realloc(o, sizeof(*o) + o->len + more);
			if (!o)
				errx(1, "out of memory");
			memset(o->data + o->len, o->seed, more);
			o->len += more;
			*slot = o;
		}
		sum += unmake(cube);
	}
	for (n = 0; n < COVERS; n++)
		sum += unmake(cover[n]);
	return sum;
}

static const struct pattern {
	const char *name;
	int threads;
	uint64_t (*run)(uint32_t seed);
} patterns[] = {
	{ "sh6bench", THREADS, waves },
	{ "xmalloc", THREADS, shared },
	{ "cache-scratch", THREADS, scratch },
	{ "espresso", 1, cubes },
	{ }
};

struct work {
	const struct pattern *pattern;
	uint32_t seed;
	uint64_t sum;
};

static void *work(void *arg)
{
	struct work *w = arg;

	w->sum = w->pattern->run(w->seed);
	return NULL;
}

static void run(const struct pattern *p)
{
	struct work works[THREADS];
	pthread_t threads[THREADS];
	uint64_t sum = 0;
	int i;

	for (i = 0; i < p->threads; i++) {
		works[i] = (struct work){ .pattern = p, .seed = 7 + i };
		if (pthread_create(&threads[i], NULL, work, &works[i]))
			errx(1, "no thread");
	}
	for (i = 0; i < p->threads; i++) {
		pthread_join(threads[i], NULL);
		sum += works[i].sum;
	}
	printf("%s: %d threads, %lu steps: %016llx\n", p->name, p->threads, steps,
	       (unsigned long long)sum);
}

int main(int argc, char **argv)
{
	const struct pattern *p;

	if (argc != 3)
		errx(1, "usage: patterns NAME STEPS");
	steps = strtoul(argv[2], NULL, 0);
	for (p = patterns; p->name; p++) {
		if (!strcmp(p->name, argv[1])) {
			run(p);
			return 0;
		}
	}
	errx(1, "%s: no such pattern", argv[1]);
}
