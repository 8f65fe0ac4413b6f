// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call and every kind of mapping of /dev/goheap, with arguments that are
 * right, nearly right and random, from several processes that share heaps.
 * Nothing but an errno may come of it, and afterwards all memory is back.
 *
 *   user_fuzz [CALLS [SEED]]
 *
 * CALLS is for each of the processes. A seed makes each process do the same again;
 * how they interleave cannot be had again.
 */
#include "user_test.h"

#include <sys/sysinfo.h>
#include "kselftest.h"

#define NR_PROCESSES	4
#define NR_HEAPS	2
#define NR_KNOWN	64
#define NR_MAPS		8
#define NR_SWAPS	4
#define NR_TYPES	8
#define NR_LISTED	100
#define NR_ENTRIES	64
#define DEFAULT_CALLS	60000
#define HEAP_BYTES	(32UL << 20)
/* What may differ in free memory, KiB. */
#define MARGIN_KB	(8L << 10)

static const struct {
	unsigned long cmd;
	size_t size;
} cmds[] = {
	{ GOHEAP_IOC_INFO, sizeof(struct goheap_info) },
	{ GOHEAP_IOC_ROOT, sizeof(struct goheap_root) },
	{ GOHEAP_IOC_STATS, sizeof(struct goheap_usage) },
	{ GOHEAP_IOC_TRIM, sizeof(struct goheap_trim) },
	{ GOHEAP_IOC_DEATH, sizeof(struct goheap_death) },
	{ GOHEAP_IOC_TYPE, sizeof(struct goheap_type) },
	{ GOHEAP_IOC_TYPE_STATS, sizeof(struct goheap_type_usage) },
	{ GOHEAP_IOC_LIST, sizeof(struct goheap_list) },
	{ GOHEAP_IOC_SESSION, sizeof(struct goheap_session) },
	{ GOHEAP_IOC_ATTACH, sizeof(struct goheap_attach) },
	{ GOHEAP_IOC_VIEW, sizeof(struct goheap_view) },
	{ GOHEAP_IOC_ALLOC, sizeof(struct goheap_alloc_req) },
	{ GOHEAP_IOC_ALLOC, sizeof(struct goheap_alloc_req) },
	{ GOHEAP_IOC_FREE, sizeof(struct goheap_batch) },
	{ GOHEAP_IOC_FREE, sizeof(struct goheap_batch) },
	{ GOHEAP_IOC_GIVE, sizeof(struct goheap_batch) },
	{ GOHEAP_IOC_RETIRE, sizeof(struct goheap_batch) },
	{ GOHEAP_IOC_RESIZE, sizeof(struct goheap_resize) },
	{ GOHEAP_IOC_DEFER, sizeof(struct goheap_defer) },
	{ GOHEAP_IOC_FLUSH, sizeof(struct goheap_flush) },
	{ GOHEAP_IOC_PUBLISH, sizeof(struct goheap_publish) },
	{ GOHEAP_IOC_PUBLISH, sizeof(struct goheap_publish) },
};

static __u64 rng;
static int heaps[NR_HEAPS];
static int sessions[NR_HEAPS];
static int views[NR_HEAPS];
static __u64 known[NR_KNOWN];
static __u64 offsets[GOHEAP_MAX_BATCH];
static struct goheap_swap swaps[NR_SWAPS];
static struct goheap_listed listed[GOHEAP_MAX_BATCH];
static __u64 *lists[NR_HEAPS];
static __u8 *windows[NR_HEAPS];
static void *maps[NR_MAPS];
static size_t map_lens[NR_MAPS];

static __u64 rand64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static __u64 below(__u64 n)
{
	return rand64() % n;
}

/* ---- values ------------------------------------------------------------- */

/* A number that may be near something that matters. */
static __u64 value(void)
{
	static const __u64 special[] = {
		0, 1, 8, 4096, HEAP_PAGE, MAX_SMALL, MAX_SMALL + 1, ARENA,
		WINDOW, GOHEAP_MMAP_MAP, GOHEAP_MMAP_ALLOC, 1ULL << 31,
		1ULL << 32, 1ULL << 63, ~0ULL,
	};

	switch (below(5)) {
	case 0:
		return special[below(ARRAY_SIZE(special))] + below(3) - 1;
	case 1:
		return 1ULL << below(64);
	case 2:
		return rand64();
	case 3:
		return known[below(NR_KNOWN)];
	default:
		return below(1 << 16);
	}
}

static __u64 pointer(void *good)
{
	switch (below(8)) {
	case 0:
		return value();
	case 1:
		return (uintptr_t)good + below(16);
	default:
		return (uintptr_t)good;
	}
}

static void *argument(void)
{
	static union {
		__u32 size;
		struct goheap_alloc_req alloc;
		struct goheap_batch batch;
		struct goheap_resize resize;
		struct goheap_root root;
		__u64 words[512];
	} arg;

	memset(&arg, 0, sizeof(arg));
	return &arg;
}

/* ---- calls -------------------------------------------------------------- */

static void fill_alloc(struct goheap_alloc_req *r)
{
	r->length = below(4) ? below(1 << (4 + below(14))) + 1 : value();
	r->offsets = pointer(offsets);
	r->count = below(8) ? 1 + below(32) : value();
	r->flags = below(8) ? below(8) : rand64();
	r->align = below(4) ? 0 : value();
	r->type = below(3) ? 0 : below(NR_TYPES + 2);
}

/* Such that many of them are there already. */
static void fill_type(struct goheap_type *t)
{
	t->flags = below(10) ? below(2) : rand64();
	t->type = below(4) ? 0 : below(NR_TYPES);
	t->align = below(4) ? 0 : value();
	t->length = below(4) ? 1 + below(1 << 16) : value();
	t->words = below(4) ? below(128) : value();
	t->refs = pointer(offsets);
	if (below(10))
		snprintf(t->name, sizeof(t->name), "%llu", below(NR_TYPES));
	if (!below(10))
		t->name[below(sizeof(t->name))] = value();
}

static void fill_list(struct goheap_list *l)
{
	l->from = below(2) ? below(HEAP_BYTES) : value();
	l->objects = pointer(listed);
	l->count = below(8) ? 1 + below(NR_LISTED) : value();
	l->type = below(3) ? 0 : below(NR_TYPES);
}

static void fill_batch(struct goheap_batch *b)
{
	unsigned int i;

	b->offsets = pointer(offsets);
	b->count = below(8) ? 1 + below(6) : value();
	for (i = 0; i < 8; i++)
		offsets[i] = below(10) ? known[below(NR_KNOWN)] : value();
}

static void fill_range(__u32 *first, __u32 *count)
{
	*first = below(8) ? below(NR_ENTRIES) : value();
	*count = below(8) ? 1 + below(NR_ENTRIES) : value();
}

static void fill_publish(struct goheap_publish *r)
{
	unsigned int i;

	r->swaps = pointer(swaps);
	r->count = below(8) ? 1 + below(NR_SWAPS) : value();
	for (i = 0; i < NR_SWAPS; i++) {
		swaps[i] = (struct goheap_swap){
			.at = below(4) ? below(3) : known[below(NR_KNOWN)] + 8 * below(4),
			.expect = below(3),
			.value = below(3),
			.give = known[below(NR_KNOWN)],
			.take = known[below(NR_KNOWN)],
			.flags = below(10) ? below(64) : rand64(),
			.from = below(10) ? below(NR_ENTRIES) : value(),
			.to = below(10) ? below(NR_ENTRIES) : value(),
		};
		if (swaps[i].at < GOHEAP_NR_ROOTS && below(4))
			swaps[i].flags |= GOHEAP_SWAP_ROOT;
	}
}

static void poke64(__u64 *p, __u64 value)
{
	int sig = sigsetjmp(peek_env, 1);

	peek_set(!sig);
	if (!sig)
		__atomic_store_n(p, value, __ATOMIC_RELAXED);
	peek_set(false);
}

/* Entries as a library stores them, and such as it never would. */
static void fuzz_list(void)
{
	unsigned int i = below(NR_HEAPS), index = below(NR_ENTRIES);
	__u64 at = known[below(NR_KNOWN)];
	__u32 id;

	if (!lists[i])
		return;
	id = below(10) ? usage(sessions[i]).session : value();
	if (below(4) && at < HEAP_BYTES && !(at % 8))
		poke64((void *)(windows[i] + at + 8),
		       GOHEAP_DEFERRED_MARK(id, index));
	poke64(lists[i] + index,
	       below(10) ? (4 | below(4)) << 61 | at : value());
}

/* Objects that are there, by the count that came back. */
static void note(const struct goheap_alloc_req *r)
{
	unsigned int i;

	if (r->offsets != (uintptr_t)offsets)
		return;
	for (i = 0; i < r->count && i < GOHEAP_MAX_BATCH; i++)
		known[below(NR_KNOWN)] = offsets[i];
}

static int random_file(void)
{
	if (!below(20))
		return views[below(NR_HEAPS)];
	return below(5) ? sessions[below(NR_HEAPS)] : heaps[below(NR_HEAPS)];
}

/* In the place of another. */
static void keep_view(int fd)
{
	int *view = &views[below(NR_HEAPS)];

	if (*view >= 0)
		close(*view);
	*view = fd;
}

static void fuzz_ioctl(void)
{
	unsigned int which = below(ARRAY_SIZE(cmds));
	unsigned long cmd = cmds[which].cmd;
	__u64 *words = argument();
	int fd = random_file(), err;

	*(__u32 *)words = cmds[which].size;
	if (cmd == GOHEAP_IOC_ALLOC) {
		fill_alloc((void *)words);
	} else if (cmd == GOHEAP_IOC_FREE || cmd == GOHEAP_IOC_GIVE ||
		   cmd == GOHEAP_IOC_RETIRE) {
		fill_batch((void *)words);
	} else if (cmd == GOHEAP_IOC_RESIZE) {
		words[1] = known[below(NR_KNOWN)];
		words[2] = below(4) ? below(1 << 20) : value();
	} else if (cmd == GOHEAP_IOC_TYPE) {
		fill_type((void *)words);
	} else if (cmd == GOHEAP_IOC_TYPE_STATS) {
		struct goheap_type_usage *u = (void *)words;

		u->type = below(NR_TYPES);
		u->flags = !below(8);
		u->limit = below(2) ? 0 : below(1 << 20);
	} else if (cmd == GOHEAP_IOC_LIST) {
		fill_list((void *)words);
	} else if (cmd == GOHEAP_IOC_DEFER) {
		struct goheap_defer *d = (void *)words;

		fill_range(&d->first, &d->count);
	} else if (cmd == GOHEAP_IOC_FLUSH) {
		struct goheap_flush *f = (void *)words;

		fill_range(&f->first, &f->count);
	} else if (cmd == GOHEAP_IOC_PUBLISH) {
		fill_publish((void *)words);
	} else if (cmd == GOHEAP_IOC_ATTACH || cmd == GOHEAP_IOC_VIEW) {
		fd = (below(2) ? heaps : views)[below(NR_HEAPS)];
	}
	/* Now and then a word, the size or the command is not what it was. */
	if (!below(6))
		words[below(cmds[which].size / 8)] = value();
	if (!below(12))
		*(__u32 *)words = value();
	/* Some word may be a reader that never stops. */
	if (cmd == GOHEAP_IOC_RETIRE)
		((struct goheap_batch *)words)->flags |= GOHEAP_RETIRE_NOWAIT;
	if (cmd == GOHEAP_IOC_PUBLISH)
		((struct goheap_publish *)words)->flags |= GOHEAP_PUBLISH_NOWAIT;
	if (!below(30))
		cmd = _IOC(below(4), below(30) ? 0xB9 : below(256), below(256),
			   below(1 << 14));
	err = call(fd, cmd, (void *)(uintptr_t)(below(40) ? (uintptr_t)words :
						pointer(words)));
	if (!err && cmd == GOHEAP_IOC_ALLOC)
		note((void *)words);
	if (!err && cmd == GOHEAP_IOC_ATTACH)
		close(((struct goheap_attach *)words)->fd);
	if (!err && cmd == GOHEAP_IOC_VIEW)
		keep_view(((struct goheap_view *)words)->fd);
}

/* ---- mappings ----------------------------------------------------------- */

static void fuzz_mmap(void)
{
	static const __u64 at[] = { 0, GOHEAP_MMAP_MAP, GOHEAP_MMAP_ALLOC,
				     GOHEAP_MMAP_READERS };
	unsigned int i = below(NR_MAPS);
	__u64 offset = below(6) ? at[below(4)] : value() & ~4095ULL;
	int flags = below(10) ? MAP_SHARED : (int)below(1 << 20);
	int prot = below(10) ? PROT_READ | PROT_WRITE : (int)below(8);
	size_t len = below(10) ? below(1 << 18) + 1 : value();

	if (offset == GOHEAP_MMAP_MAP && below(4))
		prot = PROT_READ;
	/* Not over what the process lives on, and not in huge pieces. */
	flags &= ~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_POPULATE | MAP_LOCKED);
	flags &= ~MAP_ANONYMOUS;
	if (maps[i]) {
		munmap(maps[i], map_lens[i]);
		maps[i] = NULL;
	}
	maps[i] = mmap(NULL, len, prot, flags,
		       (below(8) ? heaps : views)[below(NR_HEAPS)], offset);
	map_lens[i] = len;
	if (maps[i] == MAP_FAILED)
		maps[i] = NULL;
}

static void fuzz_map(void)
{
	unsigned int i = below(NR_MAPS);
	__u8 *p = maps[i];
	size_t from = map_lens[i] ? below(map_lens[i]) : 0;

	if (!p)
		return;
	switch (below(5)) {
	case 0:
		poke(p + from, rand64());
		break;
	case 1:
		peek(p + from);
		break;
	case 2:
		mprotect(p + (from & ~4095UL), 4096, below(8));
		break;
	case 3:
		madvise(p + (from & ~4095UL), 4096, below(26));
		break;
	default:
		munmap(p + (from & ~4095UL), 4096);
	}
}

/* ---- processes ---------------------------------------------------------- */

static void session_begin(unsigned int i)
{
	struct goheap_defer d = { .size = sizeof(d), .count = NR_ENTRIES };

	sessions[i] = attach(heaps[i]);
	lists[i] = map_at(sessions[i], 0, 4096, PROT_READ | PROT_WRITE);
	if (lists[i] == MAP_FAILED)
		lists[i] = NULL;
	call(sessions[i], GOHEAP_IOC_DEFER, &d);
}

static void fuzz_session(void)
{
	unsigned int i = below(NR_HEAPS);

	if (sessions[i] >= 0)
		close(sessions[i]);
	/* The list of the one before may stay mapped for a while. */
	if (lists[i] && below(2))
		munmap(lists[i], 4096);
	session_begin(i);
}

static int fuzz(unsigned long calls, __u64 seed)
{
	unsigned int i;

	peek_init();
	rng = seed * 0x9e3779b97f4a7c15ULL | 1;
	for (i = 0; i < NR_HEAPS; i++) {
		windows[i] = window(heaps[i], HEAP_BYTES);
		session_begin(i);
	}
	while (calls--) {
		unsigned int what = below(100);

		if (what < 75)
			fuzz_ioctl();
		else if (what < 80)
			fuzz_list();
		else if (what < 88)
			fuzz_mmap();
		else if (what < 99)
			fuzz_map();
		else if (!below(10))
			fuzz_session();
	}
	return 0;
}

static int fuzz_all(unsigned long calls, __u64 seed)
{
	pid_t pids[NR_PROCESSES];
	unsigned int i;
	int bad = 0;

	for (i = 0; i < NR_PROCESSES; i++) {
		pids[i] = fork_bound();
		if (!pids[i])
			_exit(fuzz(calls, seed * NR_PROCESSES + i));
	}
	for (i = 0; i < NR_PROCESSES; i++) {
		int status = wait_for(pids[i]);

		if (status)
			ksft_print_msg("process %u ends with %d\n", i, status);
		bad |= status;
	}
	return bad;
}

/* Adds up what follows @name in the lines of a file. */
static long sum_of(const char *path, const char *name)
{
	char line[256];
	long sum = 0, n;
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f)) {
		char *at = line + strspn(line, " ");

		if (!strncmp(at, name, strlen(name)) &&
		    sscanf(at + strlen(name), "%ld", &n) == 1)
			sum += n;
	}
	if (f)
		fclose(f);
	return sum;
}

/* Free pages that a CPU has at hand are not in MemAvailable: tens of MiB. */
static long available_kb(void)
{
	return sum_of("/proc/meminfo", "MemAvailable:") +
	       sum_of("/proc/zoneinfo", "count:") * (getpagesize() / 1024);
}

/* What is left are given objects; nobody else's memory is gone. */
static void check_heap(unsigned int i)
{
	struct goheap_usage u;

	trim(heaps[i]);
	/* All readers have ended with their sessions. */
	while (usage(heaps[i]).retired)
		usleep(1000);
	u = usage(heaps[i]);
	ksft_test_result(identities(heaps[i]) && u.objects == u.given &&
			 !u.sessions && u.spans <= u.given,
			 "heap %u has nothing but given objects (%llu)\n", i,
			 u.objects);
	ksft_print_msg("heap %u: %llu allocations, %llu refused, peak %llu\n",
		       i, u.allocs, u.bad, u.peak_bytes);
	close(heaps[i]);
	if (views[i] >= 0)
		close(views[i]);
}

static void open_heaps(void)
{
	unsigned int i;

	for (i = 0; i < NR_HEAPS; i++) {
		heaps[i] = heap_open();
		views[i] = -1;
		if (set_limit(heaps[i], HEAP_BYTES))
			ksft_exit_fail_msg("no heap\n");
	}
}

/* Returns how many KiB are missing afterwards. */
static long fuzz_round(unsigned long calls, __u64 seed)
{
	long before = available_kb();
	unsigned int i;

	open_heaps();
	ksft_test_result(!fuzz_all(calls, seed), "every process got through\n");
	for (i = 0; i < NR_HEAPS; i++)
		check_heap(i);
	/* Files and mounts go a little after the last close. */
	usleep(500000);
	return before - available_kb();
}

/* The first round fills what the kernel keeps: caches, and KASAN's quarantine. */
int main(int argc, char **argv)
{
	unsigned long calls = argc > 1 ? atol(argv[1]) : DEFAULT_CALLS;
	__u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	long lost;

	ksft_print_header();
	ksft_set_plan(2 * (1 + NR_HEAPS) + 1);
	ksft_print_msg("%lu calls in each of %u processes, seed %llu\n", calls,
		       NR_PROCESSES, seed);
	lost = fuzz_round(calls / 2, seed);
	ksft_print_msg("%ld KiB less after the first half\n", lost);
	lost = fuzz_round(calls - calls / 2, ~seed);
	ksft_test_result(lost < MARGIN_KB, "memory is back (%ld KiB less)\n",
			 lost);
	ksft_finished();
}
