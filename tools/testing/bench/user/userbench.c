// SPDX-License-Identifier: GPL-2.0-only
/*
 * userbench: what malloc() and free() of a process cost, and what memory they hold.
 *
 * The allocator is whatever malloc() is: the C library's, or one that was loaded
 * before it. Arguments: threads, a percentage of the operations, and a shape, or none for
 * all. Prints a line for each: the best and the median round, in picoseconds of wall time for an
 * object allocated and freed, all threads together, and the memory held when most was
 * in use.
 */
#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS		5
#define MAX_THREADS	16

/* Objects that a thread holds in shapes that hold any. */
#define SLOTS		4096
#define LARGE_SLOTS	16
/* Threads of the shape larson live for so many operations. */
#define EPOCHS		10
/* Objects that a producer hands over at a time, and how many such may wait. */
#define BATCH		64
#define WAITING		16

struct bench {
	unsigned int nthreads;
	unsigned long ops;
	size_t size;
	void **slots[MAX_THREADS];
	size_t rss;
};

struct worker {
	pthread_t thread;
	struct bench *bench;
	unsigned int index;
	unsigned long ops;
};

/* The compiler must neither know what becomes of an object nor leave it out. */
static inline void *touched(void *p)
{
	if (!p)
		errx(1, "out of memory");
	*(char *)p = 1;
	__asm__ volatile("" : : "r"(p) : "memory");
	return p;
}

static inline uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* 16 to 4095 bytes, each power of two as often as the next. */
static inline size_t random_size(uint32_t r)
{
	size_t base = 16UL << (r & 7);

	return base + ((r >> 8) & (base - 1));
}

/* ---- memory held -------------------------------------------------------- */

static size_t resident(void)
{
	unsigned long size, rss;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &size, &rss) != 2)
		err(1, "/proc/self/statm");
	fclose(f);
	return rss * sysconf(_SC_PAGESIZE);
}

static void note_memory(struct bench *b)
{
	size_t rss = resident();

	if (rss > b->rss)
		b->rss = rss;
}

/* ---- teams -------------------------------------------------------------- */

static void team(struct bench *b, unsigned long ops, void *(*work)(void *))
{
	struct worker workers[MAX_THREADS];
	unsigned int i;

	for (i = 0; i < b->nthreads; i++) {
		workers[i] = (struct worker){ .bench = b, .index = i, .ops = ops };
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			errx(1, "no thread");
	}
	for (i = 0; i < b->nthreads; i++)
		pthread_join(workers[i].thread, NULL);
}

static void slots_free(struct bench *b)
{
	unsigned int i, j;

	for (i = 0; i < b->nthreads; i++)
		for (j = 0; j < SLOTS; j++)
			free(b->slots[i][j]);
}

static void slots_clear(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->nthreads; i++)
		memset(b->slots[i], 0, SLOTS * sizeof(void *));
}

/* ---- shapes ------------------------------------------------------------- */

static void *pair_work(void *arg)
{
	struct worker *w = arg;
	size_t size = w->bench->size;
	unsigned long n;

	for (n = 0; n < w->ops; n++)
		free(touched(malloc(size)));
	return NULL;
}

/* An object allocated and freed, again and again. */
static void run_pair(struct bench *b)
{
	team(b, b->ops, pair_work);
	note_memory(b);
}

static void *random_work(void *arg)
{
	struct worker *w = arg;
	void **slots = w->bench->slots[w->index];
	uint32_t random = 12345 + w->index;
	unsigned long n;

	for (n = 0; n < w->ops; n++) {
		uint32_t r = next_random(&random);
		void **slot = &slots[r >> 20];

		free(*slot);
		*slot = touched(malloc(random_size(r)));
	}
	return NULL;
}

/* Random objects of many replaced by others of random size. */
static void run_random(struct bench *b)
{
	team(b, b->ops, random_work);
	note_memory(b);
	slots_free(b);
	slots_clear(b);
}

/*
 * The same, but threads end and others take over what they held, each from its
 * neighbour: a server whose threads come and go.
 */
static void run_larson(struct bench *b)
{
	unsigned int epoch, i;

	for (epoch = 0; epoch < EPOCHS; epoch++) {
		void **first = b->slots[0];

		team(b, b->ops / EPOCHS, random_work);
		for (i = 0; i + 1 < b->nthreads; i++)
			b->slots[i] = b->slots[i + 1];
		b->slots[b->nthreads - 1] = first;
	}
	note_memory(b);
	slots_free(b);
	slots_clear(b);
}

static void *large_work(void *arg)
{
	struct worker *w = arg;
	void **slots = w->bench->slots[w->index];
	unsigned long n;

	for (n = 0; n < w->ops; n++) {
		void **slot = &slots[n % LARGE_SLOTS];

		free(*slot);
		*slot = touched(malloc(w->bench->size));
	}
	return NULL;
}

/* Large objects, the oldest of a few replaced each time. */
static void run_large(struct bench *b)
{
	team(b, b->ops, large_work);
	note_memory(b);
	slots_free(b);
	slots_clear(b);
}

/* A queue from one thread to its neighbour. */
struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int head, tail;
	void *batches[WAITING][BATCH];
};

static struct queue queues[MAX_THREADS];

/* Wait for a batch that may be filled, or for one that may be taken. */
static void **queue_wait(struct queue *q, bool fill)
{
	unsigned int at;

	pthread_mutex_lock(&q->lock);
	while (q->tail - q->head == (fill ? WAITING : 0))
		pthread_cond_wait(&q->changed, &q->lock);
	at = fill ? q->tail : q->head;
	pthread_mutex_unlock(&q->lock);
	return q->batches[at % WAITING];
}

static void queue_move(struct queue *q, unsigned int *end)
{
	pthread_mutex_lock(&q->lock);
	++*end;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static void produce(struct queue *q, unsigned long n, size_t size)
{
	while (n--) {
		void **batch = queue_wait(q, true);
		unsigned int i;

		for (i = 0; i < BATCH; i++)
			batch[i] = touched(malloc(size));
		queue_move(q, &q->tail);
	}
}

static void consume(struct queue *q, unsigned long n)
{
	while (n--) {
		void **batch = queue_wait(q, false);
		unsigned int i;

		for (i = 0; i < BATCH; i++)
			free(batch[i]);
		queue_move(q, &q->head);
	}
}

static void *prodcons_work(void *arg)
{
	struct worker *w = arg;
	struct queue *q = &queues[w->index / 2];

	if (w->index % 2)
		consume(q, w->ops / BATCH);
	else
		produce(q, w->ops / BATCH, w->bench->size);
	return NULL;
}

/* One thread allocates, another frees. */
static void run_prodcons(struct bench *b)
{
	team(b, b->ops, prodcons_work);
	note_memory(b);
}

/* ---- measuring ---------------------------------------------------------- */

struct shape {
	const char *name;
	size_t size;
	unsigned long ops;
	unsigned int min_threads;
	unsigned int per_object;	/* threads that an object passes through */
	void (*run)(struct bench *b);
};

static const struct shape shapes[] = {
	{ "pair", 64, 4000000, 1, 1, run_pair },
	{ "random", 0, 1000000, 1, 1, run_random },
	{ "larson", 0, 1000000, 2, 1, run_larson },
	{ "prodcons", 64, 1000000, 2, 2, run_prodcons },
	{ "large", 65536, 200000, 1, 1, run_large },
	{ "huge", 1048576, 20000, 1, 1, run_large },
	{ }
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void measure(const struct shape *shape, unsigned int threads, unsigned int percent)
{
	struct bench b = {
		.nthreads = threads > shape->min_threads ? threads : shape->min_threads,
		.ops = shape->ops * percent / 100,
		.size = shape->size,
	};
	uint64_t total, took[ROUNDS];
	unsigned int i;

	/* Producers have consumers. */
	if (shape->run == run_prodcons)
		b.nthreads &= ~1U;
	b.ops = b.ops < BATCH * EPOCHS ? BATCH * EPOCHS : b.ops / BATCH * BATCH;
	total = b.ops * b.nthreads / shape->per_object;
	for (i = 0; i < b.nthreads; i++)
		b.slots[i] = calloc(SLOTS, sizeof(void *));
	slots_clear(&b);
	for (i = 0; i < ROUNDS; i++) {
		uint64_t start = now_ns();

		shape->run(&b);
		took[i] = now_ns() - start;
	}
	qsort(took, ROUNDS, sizeof(took[0]), by_value);
	printf("shape=%s size=%zu threads=%u ops=%llu ", shape->name, shape->size, b.nthreads,
	       (unsigned long long)total);
	printf("min_ps=%llu median_ps=%llu rss=%zu\n",
	       (unsigned long long)(took[0] * 1000 / total),
	       (unsigned long long)(took[ROUNDS / 2] * 1000 / total), b.rss);
	for (i = 0; i < b.nthreads; i++)
		free(b.slots[i]);
}

int main(int argc, char **argv)
{
	unsigned int threads = argc > 1 ? atoi(argv[1]) : 1;
	unsigned int percent = argc > 2 ? atoi(argv[2]) : 100;
	const struct shape *shape;
	unsigned int i;

	if (!threads || threads > MAX_THREADS)
		errx(1, "threads: 1 to %d", MAX_THREADS);
	for (i = 0; i < MAX_THREADS; i++) {
		pthread_mutex_init(&queues[i].lock, NULL);
		pthread_cond_init(&queues[i].changed, NULL);
	}
	for (shape = shapes; shape->name; shape++)
		if (argc <= 3 || !strcmp(argv[3], shape->name))
			measure(shape, threads, percent);
	return 0;
}
