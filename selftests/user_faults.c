// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every step of the device's own that can fail is made to fail, one after the
 * other, while a process does everything that it can do. What fails must say so
 * and change nothing, and in the end nothing may be left.
 *
 * Then the process is killed at each of these steps, and before and after it waits
 * for a lock of the heap: no object is lost. And while it stays where it has such a
 * lock, others that wait for the lock can be killed, and other heaps be used.
 */
#include "user_side.h"

#include <sys/mount.h>
#include "kselftest.h"

#define STRESS	"/lib/goheap/goheap_stress.ko"
#define CLIENT	"/lib/goheap/goheap_user_client.ko"
#define FAULT	"/sys/kernel/debug/goheap_stress/fault"
#define PIN	"/sys/kernel/debug/goheap_user_client/pin"
#define NAMES	"/tmp/goheap-faults"
#define HEAPS	"/sys/kernel/debug/goheap/heaps"
#define LARGE	(100UL << 10)
#define NR	100
/* A point that is hit more often than this does not come to an end. */
#define MOST	2000

/* As enum gh_fault_point; address space is not reserved here. */
static const struct {
	unsigned int point;
	const char *name;
	bool fails;
} points[] = {
	{ 0, "getting pages", true },
	{ 2, "getting records", true },
	{ 3, "getting metadata", true },
	{ 4, "getting what a heap, session, call or pin needs", true },
	{ 7, "waiting for the lock of a heap", false },
	{ 8, "having the lock of a heap", false },
};

#define USER		4
#define LOCKED		8

/* As enum gh_fault_action. */
enum { FAIL, KILL, STAY };

static int fault;
static unsigned int wrong;
/* What is given without being published is lost by a kill. */
static bool gives = true;
/* Of large objects. There are many kills, and each page of them is a place. */
static size_t large = LARGE;

static void must(bool good, const char *what)
{
	if (good)
		return;
	ksft_print_msg("does not hold: %s\n", what);
	wrong++;
}

/* Anything but success and ENOMEM is wrong. */
static bool worked(long result)
{
	if (result >= 0)
		return true;
	if (result != -ENOMEM)
		must(false, strerror(-result));
	return false;
}

/* ---- everything that a process can do ----------------------------------- */

static void use_objects(int ss, size_t length, unsigned int n)
{
	static __u64 at[NR];
	struct goheap_usage before = usage(ss), after;
	int got = alloc_many(ss, length, at, n, GOHEAP_ALLOC_ALL);

	after = usage(ss);
	if (!worked(got)) {
		must(after.objects == before.objects, "nothing allocated");
		return;
	}
	if (gives && !worked(batch(ss, GOHEAP_IOC_GIVE, at, n, NULL)))
		must(usage(ss).given == before.given, "nothing given");
	if (!worked(batch(ss, GOHEAP_IOC_FREE, at, n, NULL))) {
		must(usage(ss).objects == after.objects, "nothing freed");
		must(!batch(ss, GOHEAP_IOC_FREE, at, n, NULL), "freed then");
	}
}

static void use_resize(int ss, __u8 *win)
{
	__s64 at = alloc_one(ss, large);
	__u64 before;

	if (!worked(at))
		return;
	memset(win + at, 1, large);
	before = usage(ss).session_bytes;
	if (!worked(resize(ss, at, 2 * large)))
		must(usage(ss).session_bytes == before, "nothing resized");
	must(all_are(win + at, 1, large), "contents are kept");
	worked(resize(ss, at, MAX_SMALL + 1));
	worked(free_one(ss, at));
}

static void use_mapping(int heap)
{
	__u8 *p = map_at(heap, GOHEAP_MMAP_ALLOC, large,
			 PROT_READ | PROT_WRITE);

	if (p == MAP_FAILED) {
		worked(-errno);
		return;
	}
	must(all_are(p, 0, large), "a mapping is zero");
	munmap(p, large);
}

static void use_pin(int heap, int ss)
{
	__s64 at = alloc_one(ss, large);
	char words[64];

	if (!worked(at))
		return;
	snprintf(words, sizeof(words), "%d %lld %lu", heap, at, large);
	if (worked(write_text(PIN, words)))
		must(!write_text(PIN, "none"), "unpinned");
	must(!usage(ss).pinned, "nothing is pinned");
	must(!free_one(ss, at), "freed");
}

/* What the words of a table lead to, and the table. */
static void release_all(int ss, __u8 *win, __u64 table)
{
	__u64 *word = (void *)(win + table);
	unsigned int i;

	for (i = 0; i < 8; i++)
		if (word[i])
			must(!free_one(ss, word[i] - 1), "found and freed");
	must(!free_one(ss, table), "freed");
}

/*
 * Given objects go from word to word of a table, are held, and freed in all ways. No
 * object is ever in the program's hand alone.
 */
static void use_published(struct side *s, __u8 *win, __u64 table)
{
	__u64 *word = (void *)(win + table);
	struct goheap_swap x[2];
	unsigned int i;
	__s64 at;

	for (i = 0; i < 12; i++) {
		at = alloc_one(s->ss, i % 4 ? 64 : large);
		if (!worked(at))
			return;
		memset(x, 0, sizeof(x));
		x[0].at = table + 8 * (i % 3);
		x[0].expect = word[i % 3];
		x[0].value = at + 1;
		x[0].give = at;
		x[0].flags = GOHEAP_SWAP_GIVE;
		if (word[i % 3]) {
			x[0].take = word[i % 3] - 1;
			x[0].flags |= i % 2 ? GOHEAP_SWAP_FREE : GOHEAP_SWAP_HOLD;
			x[0].to = i;
		}
		if (!worked(publish(s->ss, x, 1, NULL)))
			return;
		if (!(x[0].flags & GOHEAP_SWAP_HOLD))
			continue;
		/* Back into another word, and out again for good. */
		x[1].at = table + 8 * 4;
		x[1].value = x[0].take + 1;
		x[1].give = x[0].take;
		x[1].from = i;
		x[1].flags = GOHEAP_SWAP_GIVE_HELD;
		must(!publish(s->ss, x + 1, 1, NULL) && !x[1].value, "moved");
		x[1].expect = x[1].give + 1;
		x[1].value = 0;
		x[1].take = x[1].give;
		x[1].to = i;
		x[1].flags = GOHEAP_SWAP_HOLD;
		must(!publish(s->ss, x + 1, 1, NULL), "held again");
		release(s, x[1].take, i);
	}
	must(!flush(s->ss, 0, 8, NULL), "flushed");
}

/* Types are found again; what they cannot have changes nothing. */
static void use_types(int heap)
{
	static __u64 refs[GOHEAP_TYPE_WORDS_MAX / 64];
	static struct goheap_listed found[NR];
	struct goheap_type t = {
		.size = sizeof(t), .name = "type", .refs = (uintptr_t)refs,
		.words = GOHEAP_TYPE_WORDS_MAX,
	};
	struct goheap_list l = {
		.size = sizeof(l), .objects = (uintptr_t)found, .count = NR,
	};
	__u64 at[2];
	struct goheap_alloc_req r = {
		.size = sizeof(r), .offsets = (uintptr_t)at, .count = 1,
	};
	int ss = attach(heap);
	__u64 before;

	if (!worked(ss))
		return;
	before = usage(ss).objects;
	if (worked(call(ss, GOHEAP_IOC_TYPE, &t))) {
		r.type = t.type;
		for (r.length = 8; r.length < 2 * large; r.length *= 6) {
			if (!worked(call(ss, GOHEAP_IOC_ALLOC, &r)))
				must(usage(ss).objects == before, "nothing allocated");
			else
				must(!free_one(ss, at[0]), "freed");
		}
		worked(call(ss, GOHEAP_IOC_LIST, &l));
	}
	close(ss);
}

/* The rest of what is entered is freed when the session ends. */
static void use_deferred(int heap, __u8 *win)
{
	int creator = attach(heap);
	__s64 table;
	struct side s;

	if (!worked(creator))
		return;
	table = alloc_one(creator, 4096);
	if (worked(table)) {
		memset(win + table, 0, 4096);
		must(!give_one(creator, table), "given");
		if (worked(side_open(&s, heap))) {
			use_published(&s, win, table);
			side_close(&s);
		}
		release_all(creator, win, table);
	}
	close(creator);
}

static void use_session(int heap, __u8 *win)
{
	int ss = attach(heap);
	size_t length;

	if (!worked(ss)) {
		must(!usage(heap).sessions, "no session");
		return;
	}
	/* First, while nothing lies behind the object. */
	use_resize(ss, win);
	for (length = 8; length <= large; length *= 7)
		use_objects(ss, length, length > 8192 ? 4 : NR);
	use_objects(ss, large, 2);
	use_mapping(heap);
	use_pin(heap, ss);
	/* Something for the end of the session to free. */
	worked(alloc_one(ss, 5000));
	close(ss);
}

/* A name is there with its heap, or not at all. */
static void use_name(void)
{
	int heap, ss;

	if (worked(mkdir(NAMES "/dir", 0700) ? -errno : 0))
		must(!rmdir(NAMES "/dir"), "removed");
	heap = open(NAMES "/heap", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (!worked(heap < 0 ? -errno : 0)) {
		must(unlink(NAMES "/heap") && errno == ENOENT, "nothing created");
		return;
	}
	must(!unlink(NAMES "/heap"), "unlinked");
	ss = attach(heap);
	if (worked(ss))
		close(ss);
	close(heap);
}

static void use_heap(void)
{
	int heap = heap_open();
	__u8 *win;

	use_name();
	if (!worked(heap < 0 ? -errno : 0))
		return;
	win = window(heap, ARENA);
	use_session(heap, win);
	use_types(heap);
	use_deferred(heap, win);
	must(identities(heap), "identities");
	must(!usage(heap).objects, "no object is left");
	trim(heap);
	must(!usage(heap).heap_bytes, "no memory is left");
	munmap(win, ARENA);
	close(heap);
}

/* ---- one failure after the other ---------------------------------------- */

/* Whether there was an @nth step. */
static bool try_one(unsigned int point, unsigned int nth)
{
	char words[32];
	char hit = '0';

	snprintf(words, sizeof(words), "%u %u", point, nth);
	must(write(fault, words, strlen(words)) > 0, "armed");
	use_heap();
	must(read(fault, &hit, 1) == 1, "disarmed");
	return hit == '1';
}

static void try_all(unsigned int i)
{
	unsigned int nth = 1;

	if (!points[i].fails)
		return;
	wrong = 0;
	while (nth < MOST && try_one(points[i].point, nth) && !wrong)
		nth++;
	ksft_test_result(!wrong && nth > 1 && nth < MOST,
			 "%s failed at %u places, and nothing was lost\n",
			 points[i].name, nth - 1);
}

/* ---- one kill after the other ------------------------------------------- */

static void arm(unsigned int point, unsigned int nth, unsigned int action)
{
	char words[32];

	snprintf(words, sizeof(words), "%u %u %u", point, nth, action);
	must(write(fault, words, strlen(words)) > 0, "armed");
}

/* So far apart that the heap needs a second arena. */
static void use_arena(int ss)
{
	struct goheap_alloc_req r = {
		.size = sizeof(r), .length = 8, .count = 17, .align = 4 << 20,
	};
	__u64 at[17];

	r.offsets = (uintptr_t)at;
	must(!call(ss, GOHEAP_IOC_ALLOC, &r) && r.count == 17, "far apart");
}

static void use_and_be_killed(int heap, __u8 *win, __u64 table,
			      unsigned int point, unsigned int nth)
{
	struct side s;

	/* Its end disarms. */
	fault = open(FAULT, O_RDWR | O_CLOEXEC);
	wrong = 0;
	gives = false;
	large = MAX_SMALL + 1;
	arm(point, nth, KILL);
	/* First, while little lies behind the table. */
	use_session(heap, win);
	use_types(heap);
	if (!side_open(&s, heap)) {
		use_published(&s, win, table);
		use_arena(s.ss);
		side_close(&s);
	}
	_exit(!!wrong);
}

/* What is left is the table, and what its words lead to. */
static void check_whole(int heap, __u8 *win, __u64 table)
{
	__u64 *word = (void *)(win + table), given = 1;
	struct goheap_usage u;
	unsigned int i;

	/* The client does not know that the process is gone. */
	write_text(PIN, "none");
	u = usage(heap);
	for (i = 0; i < 8; i++)
		given += !!word[i];
	must(identities(heap), "identities");
	must(!u.sessions && !u.pinned, "no session or pin is left");
	must(u.objects == given && u.given == given, "no object is lost");
}

/* Returns whether it was killed. */
static bool kill_one(unsigned int point, unsigned int nth)
{
	int heap = heap_open(), ss = attach(heap), status;
	__u8 *win = window(heap, 2 * ARENA);
	__u64 table = alloc_one(ss, 4096);
	pid_t pid;

	memset(win + table, 0, 4096);
	must(!give_one(ss, table) && !close(ss), "given");
	pid = fork_bound();
	if (!pid)
		use_and_be_killed(heap, win, table, point, nth);
	status = wait_for(pid);
	must(!status || status == 128 + SIGKILL, "killed, or nothing wrong");
	check_whole(heap, win, table);

	ss = attach(heap);
	release_all(ss, win, table);
	close(ss);
	trim(heap);
	must(!usage(heap).heap_bytes, "no memory is left");
	munmap(win, 2 * ARENA);
	close(heap);
	return status == 128 + SIGKILL;
}

static void kill_all(unsigned int i)
{
	unsigned int nth = 1;

	wrong = 0;
	while (nth < MOST && kill_one(points[i].point, nth) && !wrong)
		nth++;
	ksft_test_result(!wrong && nth > 1 && nth < MOST,
			 "%s: killed at %u places, and nothing was lost\n",
			 points[i].name, nth - 1);
}

/* ---- a lock that is not let go of --------------------------------------- */

static bool is_waiting(pid_t pid)
{
	char path[64], line[512] = "", state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f && fgets(line, sizeof(line), f) && strrchr(line, ')'))
		state = strrchr(line, ')')[2];
	if (f)
		fclose(f);
	return state == 'D';
}

/* A child that is to wait for good; it may also wait for a page, but not for long. */
static pid_t waiter(void (*fn)(int heap), int heap)
{
	pid_t pid = fork_bound();
	unsigned int i, times = 0;

	if (!pid) {
		fn(heap);
		_exit(0);
	}
	for (i = 0; i < 20000 && times < 30; i++) {
		usleep(1000);
		times = is_waiting(pid) ? times + 1 : 0;
	}
	must(times == 30, "it waits");
	return pid;
}

static void stay_locked(int heap)
{
	fault = open(FAULT, O_RDWR | O_CLOEXEC);
	arm(LOCKED, 1, STAY);
	usage(heap);
}

static void ask_usage(int heap)
{
	usage(heap);
}

static void begin_session(int heap)
{
	attach(heap);
}

static void trim_heap(int heap)
{
	trim(heap);
}

static void set_heap_limit(int heap)
{
	set_limit(heap, 1 << 30);
}

static void read_heaps(int heap)
{
	char line[100];
	FILE *f = fopen(HEAPS, "r");

	(void)heap;
	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
}

/* If the lock could not be left, this would not come back. */
static void kill_waiters(void)
{
	static void (*const waits[])(int heap) = {
		ask_usage, begin_session, trim_heap, set_heap_limit, read_heaps,
	};
	int heap = heap_open(), other;
	pid_t holder, pid;
	unsigned int i;

	wrong = 0;
	holder = waiter(stay_locked, heap);
	for (i = 0; i < ARRAY_SIZE(waits); i++) {
		pid = waiter(waits[i], heap);
		/* All the others can still be used, also while one looks at all. */
		other = heap_open();
		must(!close(attach(other)), "another heap can be used");
		close(other);
		kill(pid, SIGKILL);
		must(wait_for(pid) == 128 + SIGKILL, "it is killed");
	}
	must(write(fault, "go", 2) == 2, "let go");
	must(!wait_for(holder), "the holder goes on");
	close(heap);
	ksft_test_result(!wrong, "who waits for the lock of a heap can be killed\n");
}

static __u64 to_pin;

/* Its third step that can fail is that the kernel maps the object. */
static void stay_mapping(int heap)
{
	char words[64];

	fault = open(FAULT, O_RDWR | O_CLOEXEC);
	arm(USER, 3, STAY);
	snprintf(words, sizeof(words), "%d %llu %lu", heap, to_pin, LARGE);
	if (write_text(PIN, words))
		_exit(1);
}

/* If the lock were held, this would not come back. */
static void map_slowly(void)
{
	int heap = heap_open(), ss = attach(heap);
	pid_t pid;

	wrong = 0;
	to_pin = alloc_one(ss, LARGE);
	pid = waiter(stay_mapping, heap);
	must(usage(heap).pinned == 1, "it is pinned already");
	must(free_one(ss, to_pin) == -EBUSY, "and cannot be freed");
	close(ss);
	must(usage(heap).objects == 1, "not even by the end of the session");
	must(write(fault, "go", 2) == 2 && !wait_for(pid), "let go");
	must(!write_text(PIN, "none") && !usage(heap).objects, "unpinned");
	close(heap);
	ksft_test_result(!wrong, "an object is mapped for the kernel without the lock\n");
}

static int load(const char *module)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);
	int err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;

	close(fd);
	return err;
}

static bool no_heaps(void)
{
	FILE *f = fopen(HEAPS, "r");
	char line[500] = "";
	bool none = f && !fgets(line, sizeof(line), f);

	if (f)
		fclose(f);
	if (!none)
		ksft_print_msg("%s", line);
	return none;
}

int main(void)
{
	unsigned int i;

	ksft_print_header();
	if (load(STRESS) || load(CLIENT))
		ksft_exit_fail_msg("no test modules\n");
	fault = open(FAULT, O_RDWR | O_CLOEXEC);
	if (fault < 0)
		ksft_exit_fail_msg("no " FAULT "\n");
	mkdir(NAMES, 0755);
	if (mount("none", NAMES, "goheap", 0, NULL))
		ksft_exit_fail_msg("no names\n");
	ksft_set_plan(4 + ARRAY_SIZE(points) + 3);
	peek_init();
	for (i = 0; i < ARRAY_SIZE(points); i++)
		try_all(i);
	for (i = 0; i < ARRAY_SIZE(points); i++)
		kill_all(i);
	kill_waiters();
	map_slowly();
	ksft_test_result(!umount(NAMES) && no_heaps(), "no heap is left\n");
	close(fault);
	syscall(SYS_delete_module, "goheap_user_client", O_NONBLOCK);
	syscall(SYS_delete_module, "goheap_stress", O_NONBLOCK);
	ksft_finished();
}
