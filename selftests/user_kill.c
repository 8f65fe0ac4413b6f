// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that share a heap are killed at any instant, and nobody notices.
 *
 * Workers allocate, fill, free and give objects, and exchange given ones through
 * a table in the heap. A supervisor kills one with SIGKILL every few milliseconds
 * and starts another. In the end every given object is in the table, its contents
 * are right, and nothing private is left.
 *
 * First the workers give objects, exchange them by stores of their own and free what
 * they get: then an object can be lost that is on its way. Then the kernel makes the
 * exchanges, and none may be.
 *
 *   user_kill [KILLS [SEED]]
 */
#include "user_side.h"

#include <time.h>
#include "kselftest.h"

#define NR_WORKERS	4
#define NR_SLOTS	256
#define NR_OWN		32
#define NR_LATER	64
#define DEFAULT_KILLS	100

/*
 * What is in a slot: offset and number of an object, which its contents tell
 * too. A slot changes hands by one exchange; 0 is empty.
 */
struct table {
	__u64 slot[NR_SLOTS];
	__u64 exchanges;
	__u64 wrong;
};

struct object {
	__u64 offset;
	__u64 length;
	__u64 number;
	__u64 fill[];
};

static __u64 rng;

static __u64 rand64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

/* ---- objects ------------------------------------------------------------ */

static size_t random_length(void)
{
	static const size_t most[] = { 64, 512, 4096, 30000, 100000 };

	return sizeof(struct object) + 8 +
	       rand64() % most[__builtin_ctz(rand64() | 16)];
}

static void object_fill(struct object *o, __u64 offset, size_t length)
{
	size_t i, n = (length - sizeof(*o)) / 8;

	o->offset = offset;
	o->length = length;
	o->number = rand64();
	for (i = 0; i < n; i++)
		o->fill[i] = o->number * (i + 1);
}

static bool object_good(const struct object *o, __u64 offset)
{
	size_t i, n = (o->length - sizeof(*o)) / 8;

	if (o->offset != offset || o->length > 200000)
		return false;
	for (i = 0; i < n; i++)
		if (o->fill[i] != o->number * (i + 1))
			return false;
	return true;
}

/* ---- a worker ----------------------------------------------------------- */

struct worker {
	int heap;
	int ss;
	__u8 *win;
	struct table *table;
	bool publishes;
	struct side side;
	unsigned int later;
	__u64 own[NR_OWN];
};

static void worker_wrong(struct worker *w)
{
	__atomic_fetch_add(&w->table->wrong, 1, __ATOMIC_RELAXED);
}

static void own_replace(struct worker *w, __u64 *slot)
{
	size_t length = random_length();
	__s64 at;

	if (*slot) {
		if (!object_good((void *)(w->win + *slot), *slot) ||
		    free_one(w->ss, *slot))
			worker_wrong(w);
		*slot = 0;
	}
	at = alloc_one(w->ss, length);
	if (at < 0) {
		worker_wrong(w);
		return;
	}
	object_fill((void *)(w->win + at), at, length);
	*slot = at;
}

/* Free a given object later; if the kernel made the exchange, it is held in the entry. */
static void free_later(struct worker *w, __u64 at)
{
	if (!object_good((void *)(w->win + at), at))
		worker_wrong(w);
	if (w->publishes)
		release(&w->side, at, w->later);
	else
		enter(&w->side, w->win, at, sizeof(struct object), w->later);
	if (++w->later < NR_LATER)
		return;
	w->later = 0;
	if (flush(w->ss, 0, NR_LATER, NULL))
		worker_wrong(w);
}

/* Give an object, and put it into the table; free what was there. */
static void exchange_self(struct worker *w, __u64 *slot, __u64 own)
{
	__u64 old;

	if (give_one(w->ss, own))
		worker_wrong(w);
	old = __atomic_exchange_n(slot, own, __ATOMIC_ACQ_REL);
	if (old)
		free_later(w, old);
}

/* Have the kernel do so. Another worker may always be faster. */
static void exchange_published(struct worker *w, __u64 *slot, __u64 own)
{
	struct goheap_swap s;
	unsigned int tries;

	for (tries = 0; tries < 1000; tries++) {
		s = (struct goheap_swap){
			.at = (__u8 *)slot - w->win,
			.expect = __atomic_load_n(slot, __ATOMIC_ACQUIRE),
			.value = own,
			.give = own,
			.flags = GOHEAP_SWAP_GIVE,
		};
		if (s.expect) {
			s.flags |= GOHEAP_SWAP_HOLD;
			s.take = s.expect;
			s.to = w->later;
		}
		if (publish(w->ss, &s, 1, NULL))
			break;
		if (s.value != s.expect)
			continue;
		if (s.take)
			free_later(w, s.take);
		return;
	}
	worker_wrong(w);
}

static void exchange(struct worker *w, __u64 *own)
{
	__u64 *slot = &w->table->slot[rand64() % NR_SLOTS];

	if (!*own)
		return;
	if (w->publishes)
		exchange_published(w, slot, *own);
	else
		exchange_self(w, slot, *own);
	*own = 0;
	__atomic_fetch_add(&w->table->exchanges, 1, __ATOMIC_RELAXED);
}

/* The object may be freed, and its memory be gone, while it is looked at. */
static void look(struct worker *w)
{
	__u64 at = w->table->slot[rand64() % NR_SLOTS];

	if (at)
		peek(w->win + at);
}

static void work(struct worker *w)
{
	unsigned int i = rand64() % NR_OWN;

	switch (rand64() % 8) {
	case 0:
	case 1:
		exchange(w, &w->own[i]);
		break;
	case 2:
		look(w);
		break;
	case 3:
		if (rand64() % 64 == 0)
			trim(w->ss);
		break;
	default:
		own_replace(w, &w->own[i]);
	}
}

static void worker_run(int heap, __u8 *win, bool publishes, __u64 seed)
{
	struct worker w = { .heap = heap, .win = win, .publishes = publishes };

	peek_init();
	rng = seed;
	w.table = (void *)(win + root_get(heap, 0));
	if (side_open(&w.side, heap))
		worker_wrong(&w);
	w.ss = w.side.ss;
	for (;;)
		work(&w);
}

static pid_t worker_start(int heap, __u8 *win, bool publishes)
{
	__u64 seed = rand64();
	pid_t pid = fork_bound();

	if (!pid)
		worker_run(heap, win, publishes, seed);
	if (pid < 0)
		ksft_exit_fail_msg("no process: %d\n", errno);
	return pid;
}

/* Nothing else ends a worker: not a page that it lost. */
static void worker_kill(pid_t pid, struct table *t)
{
	kill(pid, SIGKILL);
	if (wait_for(pid) != 128 + SIGKILL)
		__atomic_fetch_add(&t->wrong, 1, __ATOMIC_RELAXED);
}

/* ---- the supervisor ----------------------------------------------------- */

static void kill_many(int heap, __u8 *win, bool publishes, unsigned int kills)
{
	struct table *t = (void *)(win + root_get(heap, 0));
	pid_t pids[NR_WORKERS];
	unsigned int i;

	for (i = 0; i < NR_WORKERS; i++)
		pids[i] = worker_start(heap, win, publishes);
	for (i = 0; i < kills; i++) {
		unsigned int victim = rand64() % NR_WORKERS;

		usleep(rand64() % 6000);
		worker_kill(pids[victim], t);
		pids[victim] = worker_start(heap, win, publishes);
	}
	for (i = 0; i < NR_WORKERS; i++)
		worker_kill(pids[i], t);
}

/* Objects in the table that are right, freed as they are found. */
static unsigned int take_all(int ss, __u8 *win, struct table *t, bool *good)
{
	unsigned int i, n = 0;

	for (i = 0; i < NR_SLOTS; i++) {
		__u64 at = t->slot[i];

		if (!at)
			continue;
		n++;
		if (peek(win + at) || !object_good((void *)(win + at), at) ||
		    free_one(ss, at))
			*good = false;
	}
	return n;
}

static void check_end(int heap, __u8 *win, bool publishes, unsigned int kills)
{
	struct table *t = (void *)(win + root_get(heap, 0));
	struct goheap_usage u = usage(heap);
	unsigned int there;
	__u64 lost, bytes;
	bool good = true;
	int ss;

	ksft_test_result(!t->wrong, "no worker saw anything wrong (%llu)\n",
			 t->wrong);
	ksft_test_result(!u.sessions, "no session is left (%llu)\n",
			 u.sessions);
	ksft_test_result(identities(heap), "the identities hold\n");
	ksft_test_result(u.objects == u.given, "nothing private is left\n");
	ss = attach(heap);
	there = take_all(ss, win, t, &good);
	ksft_test_result(good, "no given object was lost or changed (%u)\n",
			 there);
	ksft_print_msg("%llu exchanges, %llu allocations, %llu reclaimed\n",
		       t->exchanges, u.allocs, u.reclaimed);
	if (free_one(ss, root_get(heap, 0)))
		ksft_print_msg("the table cannot be freed\n");
	u = usage(heap);
	lost = u.objects;
	bytes = u.object_bytes;
	kills += NR_WORKERS;
	/* Killed before or after a store: the object is in no table, but given. */
	ksft_test_result(lost <= (publishes ? 0 : kills),
			 "%s: %u kills lost %llu objects of %llu bytes\n",
			 publishes ? "publish" : "give and store", kills, lost,
			 bytes);
	ksft_print_msg("%llu.%02llu objects and %llu bytes a kill\n",
		       lost / kills, lost * 100 / kills % 100, bytes / kills);
	close(ss);
}

/* Only given objects, found by the page map, hold memory now. */
static void check_memory(int heap)
{
	struct goheap_usage u;

	trim(heap);
	u = usage(heap);
	ksft_print_msg("%llu objects of %llu bytes in %llu bytes, peak %llu\n",
		       u.objects, u.object_bytes, u.heap_bytes, u.peak_bytes);
	ksft_test_result(identities(heap) && u.spans <= u.given,
			 "memory is back to what is given\n");
}

static void kill_and_check(bool publishes, unsigned int kills)
{
	int heap = heap_open(), ss = attach(heap);
	__u8 *win = window(heap, 16 * ARENA);
	__s64 table = alloc_one(ss, sizeof(struct table));

	if (win == MAP_FAILED || table < 0 || give_one(ss, table))
		ksft_exit_fail_msg("no heap\n");
	memset(win + table, 0, sizeof(struct table));
	if (!root_swap(heap, 0, 0, table))
		ksft_exit_fail_msg("no root\n");
	close(ss);
	kill_many(heap, win, publishes, kills);
	check_end(heap, win, publishes, kills);
	check_memory(heap);
	munmap(win, 16 * ARENA);
	close(heap);
}

int main(int argc, char **argv)
{
	unsigned int kills = argc > 1 ? atoi(argv[1]) : DEFAULT_KILLS;
	__u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	ksft_print_header();
	ksft_set_plan(14);
	peek_init();
	rng = seed * 0x9e3779b97f4a7c15ULL | 1;
	ksft_print_msg("%u kills, seed %llu\n", kills, seed);
	kill_and_check(false, kills);
	kill_and_check(true, kills);
	ksft_finished();
}
