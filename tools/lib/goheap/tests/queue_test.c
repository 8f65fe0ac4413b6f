// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * queue_test: queues in shared memory, whose producers and consumers are killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "goheap_queue.h"
#include "tap.h"

int tap_results, tap_failures;

static struct goheap *h;

static bool fails(ssize_t ret, int err)
{
	return ret == -1 && errno == err;
}

static bool refuses(const char *name, unsigned int slots, size_t bytes, int err)
{
	errno = 0;
	return !goheap_queue_open(h, name, slots, bytes) && errno == err;
}

/* ---- one process -------------------------------------------------------- */

static void test_open(void)
{
	struct goheap_queue *q = goheap_queue_open(h, "q", 4, 10);
	void *other = goheap_malloc(h, 256);

	check(q && goheap_queue_bytes(h, q) == 10 && !goheap_queue_count(h, q),
	      "a queue is made");
	check(goheap_queue_open(h, "q", 0, 0) == q && goheap_queue_open(h, "q", 9, 99) == q,
	      "and found");
	memset(other, 0xff, 256);
	goheap_bind(h, "other", other);
	check(refuses("none", 0, 0, ENOENT) && refuses("other", 1, 1, EINVAL) &&
	      refuses("none", 1, 0, EINVAL) && refuses("", 1, 1, EINVAL) &&
	      refuses("none", 1, GOHEAP_QUEUE_BYTES_MAX + 1, EINVAL) &&
	      refuses("none", ~0U, GOHEAP_QUEUE_BYTES_MAX, ENOMEM),
	      "what cannot be a queue is refused");
}

static void test_order(void)
{
	struct goheap_queue *q = goheap_queue_open(h, "order", 4, 10);
	char data[16] = "0123456789";
	unsigned int i, good = 0;

	check(fails(goheap_queue_pop(h, q, data, 16, 0), EAGAIN) &&
	      fails(goheap_queue_pop(h, q, data, 16, 20), ETIMEDOUT),
	      "nothing comes out of an empty queue");
	for (i = 0; i < 4; i++)
		good += !goheap_queue_push(h, q, data, i + 1, 0);
	check(good == 4 && goheap_queue_count(h, q) == 4, "four messages have room");
	check(fails(goheap_queue_push(h, q, data, 1, 0), EAGAIN) &&
	      fails(goheap_queue_push(h, q, data, 1, 20), ETIMEDOUT),
	      "the fifth has not");
	check(fails(goheap_queue_push(h, q, data, 11, 0), EMSGSIZE), "one may be too long");
	for (good = 0, i = 0; i < 40; i++) {
		memset(data, 0, sizeof(data));
		good += goheap_queue_pop(h, q, data, 16, 0) == i % 10 + 1 &&
			!strncmp(data, "0123456789", i % 10 + 1) && !data[i % 10 + 1];
		goheap_queue_push(h, q, "0123456789", (i + 4) % 10 + 1, 0);
	}
	check(good == 40, "messages come out in order, and whole");
	check(fails(goheap_queue_pop(h, q, data, 0, 0), EMSGSIZE) &&
	      goheap_queue_count(h, q) == 4, "one that does not fit stays");
	while (goheap_queue_pop(h, q, data, 16, 0) > 0)
		;
	check(!goheap_queue_push(h, q, NULL, 0, 0) && !goheap_queue_pop(h, q, NULL, 0, 0),
	      "a message may be empty");
}

/* Whatever is written there, nothing is read or written outside of the heap. */
static void test_damage(void)
{
	struct goheap_queue *q = goheap_queue_open(h, "damage", 4, 16);
	uint64_t copy[12], *word = (uint64_t *)q;
	unsigned int i, bit, good = 0;
	char data[16];

	memcpy(copy, q, sizeof(copy));
	for (i = 0; i < 8; i++) {
		for (bit = 0; bit < 64; bit++) {
			word[i] ^= 1ULL << bit;
			if (goheap_queue_push(h, q, "x", 1, 20))
				good += errno == EUCLEAN || errno == EMSGSIZE ||
					errno == ETIMEDOUT;
			else
				good += goheap_queue_pop(h, q, data, 16, 20) >= 0 ||
					errno == EUCLEAN || errno == ETIMEDOUT ||
					errno == EMSGSIZE;
			memcpy(q, copy, sizeof(copy));
		}
	}
	check(good == 8 * 64, "a damaged queue harms nobody");
	check(!goheap_queue_push(h, q, "x", 1, 0), "one that is whole works");
}

/* ---- many, and kills ---------------------------------------------------- */

#define PRODUCERS	3
#define CONSUMERS	3
#define WORKERS		(PRODUCERS + CONSUMERS)
#define MESSAGES	20000U
#define KILLS		150

struct message {
	uint32_t producer;
	uint32_t seq;
	uint32_t check;
};

/**
 * struct board - what the test knows of the workers
 * @next: the message that each producer is about to send
 * @wrong: messages that were not whole, or came twice
 * @seen: by producer, and number
 */
struct board {
	uint32_t next[PRODUCERS];
	uint32_t wrong;
	uint8_t seen[PRODUCERS][MESSAGES];
};

static void produce(struct goheap_queue *q, struct board *b, uint32_t i)
{
	uint32_t seq;

	while ((seq = __atomic_fetch_add(&b->next[i], 1, __ATOMIC_RELAXED)) < MESSAGES) {
		struct message m = { i, seq, ~(i ^ seq) };

		if (goheap_queue_push(h, q, &m, sizeof(m), -1))
			_exit(1);
	}
	_exit(0);
}

static void consume(struct goheap_queue *q, struct board *b)
{
	struct message m;

	for (;;) {
		if (goheap_queue_pop(h, q, &m, sizeof(m), -1) != sizeof(m))
			_exit(1);
		if (m.producer >= PRODUCERS || m.seq >= MESSAGES ||
		    m.check != ~(m.producer ^ m.seq) ||
		    __atomic_exchange_n(&b->seen[m.producer][m.seq], 1, __ATOMIC_RELAXED))
			__atomic_add_fetch(&b->wrong, 1, __ATOMIC_RELAXED);
	}
}

static pid_t work(struct goheap_queue *q, struct board *b, unsigned int i)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	if (i < PRODUCERS)
		produce(q, b, i);
	consume(q, b);
	_exit(1);
}

static bool is_done(struct goheap_queue *q, const struct board *b)
{
	unsigned int i;

	for (i = 0; i < PRODUCERS; i++)
		if (__atomic_load_n(&b->next[i], __ATOMIC_RELAXED) < MESSAGES)
			return false;
	return !goheap_queue_count(h, q);
}

/* Kill it, unless it is a producer that is done. */
static bool kill_it(pid_t *pid)
{
	int status = 0;

	kill(*pid, SIGKILL);
	waitpid(*pid, &status, 0);
	*pid = -1;
	return WIFSIGNALED(status);
}

static void report(const struct board *b, unsigned int kills)
{
	unsigned int i, j, lost = 0;

	for (i = 0; i < PRODUCERS; i++)
		for (j = 0; j < MESSAGES; j++)
			lost += !b->seen[i][j];
	printf("# %u messages, %u kills, %u lost\n", PRODUCERS * MESSAGES, kills, lost);
	check(!b->wrong, "no message is torn, or comes twice");
	check(lost <= kills, "no more is lost than what the dead had in hand");
}

static void test_kills(void)
{
	struct goheap_queue *q = goheap_queue_open(h, "kills", 16, sizeof(struct message));
	struct board *b = goheap_malloc_given(h, sizeof(*b));
	unsigned int i, n, kills = 0;
	pid_t pid[WORKERS];

	memset(b, 0, sizeof(*b));
	for (i = 0; i < WORKERS; i++)
		pid[i] = work(q, b, i);
	for (n = 0; !is_done(q, b); n++) {
		usleep(1000 + n % 7 * 100);
		i = n * 5 % WORKERS;
		if (kills >= KILLS)
			continue;
		kills += kill_it(&pid[i]);
		pid[i] = work(q, b, i);
	}
	/* The last consumers have taken what they will, and are counted as killed. */
	for (i = 0; i < WORKERS; i++)
		kills += kill_it(&pid[i]);
	report(b, kills);
	check(!goheap_queue_push(h, q, "x", 1, 1000) && goheap_queue_count(h, q) == 1,
	      "the queue is as good as before");
	goheap_free(h, b);
}

int main(void)
{
	h = goheap_open(NULL, 0);
	check(h, "a heap opens");
	if (!h)
		return tap_end();
	test_open();
	test_order();
	test_damage();
	test_kills();
	goheap_close(h);
	return tap_end();
}
