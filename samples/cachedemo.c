// SPDX-License-Identifier: GPL-2.0-only
/*
 * cachedemo: workers share a cache, and are killed at random.
 *
 * They put and get values of all lengths as fast as they can, and verify each.
 * Every few milliseconds one of them is killed, wherever it is, and another one
 * takes its place. The others must not notice; and in the end, nothing may be
 * lost.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/goheap.h>

#include "table.h"

#define KEYS		2000
#define VALUE_MAX	3000

/**
 * struct score - what workers did, in memory that they share
 * @stop: they should end
 * @gets: values read and verified
 * @puts: values written
 */
struct score {
	atomic_bool stop;
	atomic_ulong gets;
	atomic_ulong puts;
};

static struct score *score;
static struct table table;
static unsigned int workers = 4;
static unsigned int kills = 200;

static noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- a worker ----------------------------------------------------------- */

static __u64 next_random(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A value is its length, then bytes that follow from key and length. */
static char value_byte(__u64 key, size_t len)
{
	return key * 31 + len;
}

static int put(struct table *t, __u64 key, size_t len)
{
	char value[VALUE_MAX];

	memset(value, value_byte(key, len), len);
	return table_put(t, key, value, len);
}

static int get(struct table *t, __u64 key)
{
	char value[VALUE_MAX];
	long i, len = table_get(t, key, value, sizeof(value));

	for (i = 0; i < len; i++) {
		if (value[i] != value_byte(key, len)) {
			fprintf(stderr, "key %llu: byte %ld of %ld is wrong\n",
				(unsigned long long)key, i, len);
			return -1;
		}
	}
	return 0;
}

static int work(unsigned int worker)
{
	__u64 state = getpid() * 0x9e3779b97f4a7c15ULL + 1;
	struct table t;

	if (table_join(&t, &table, worker))
		die("join");
	while (!atomic_load(&score->stop)) {
		__u64 r = next_random(&state);
		__u64 key = r % KEYS + 1;

		if (r >> 40 & 3) {
			if (get(&t, key))
				return 1;
			atomic_fetch_add(&score->gets, 1);
		} else {
			if (put(&t, key, 1 + (r >> 20) % (VALUE_MAX - 1)))
				die("put");
			atomic_fetch_add(&score->puts, 1);
		}
	}
	return 0;
}

static pid_t start(unsigned int worker)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		/* A worker goes with its supervisor, also if that is gone already. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(getppid() == parent ? work(worker) : 1);
	}
	return pid;
}

/* ---- the supervisor ----------------------------------------------------- */

static void expect_end(pid_t pid, bool killed)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	if (!killed && WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	fprintf(stderr, "worker %d ended with status 0x%x\n", pid, status);
	exit(1);
}

static void kill_at_random(pid_t *pids, struct suspects *lost)
{
	__u64 state = 88172645463325252ULL;
	unsigned int i;

	for (i = 0; i < kills; i++) {
		unsigned int worker = next_random(&state) % workers;

		usleep(1000 + next_random(&state) % 4000);
		kill(pids[worker], SIGKILL);
		expect_end(pids[worker], true);
		if (table_bury(&table, worker + 1, lost))
			die("bury");
		pids[worker] = start(worker + 1);
	}
}

static struct goheap_usage usage(void)
{
	struct goheap_usage u = { .size = sizeof(u) };

	if (ioctl(table.heap, GOHEAP_IOC_STATS, &u))
		die("stats");
	return u;
}

static int report(size_t lost)
{
	struct goheap_usage u = usage();
	size_t entries = table_entries(&table);
	__u64 key;

	for (key = 1; key <= KEYS; key++)
		if (get(&table, key))
			return 1;
	printf("%u workers killed; the others read %lu values and wrote %lu\n",
	       kills, atomic_load(&score->gets), atomic_load(&score->puts));
	printf("entries in the table %zu, lost by kills and found again %zu\n",
	       entries, lost);
	printf("sessions ended %llu, private objects that the kernel freed %llu\n",
	       (unsigned long long)u.deaths, (unsigned long long)u.reclaimed);
	/* The table itself is an object too. */
	printf("objects in the heap %llu, expected %zu\n",
	       (unsigned long long)u.objects, entries + 1);
	return u.objects != entries + 1 || u.given != entries + 1;
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "w:k:")) >= 0) {
		if (c == 'w')
			workers = atoi(optarg);
		else if (c == 'k')
			kills = atoi(optarg);
		else
			workers = 0;
	}
	if (workers < 1 || workers >= TABLE_WORKERS || optind < argc) {
		fprintf(stderr, "Usage: goheap_cachedemo [-w WORKERS] [-k KILLS]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct suspects lost = { };
	pid_t pids[TABLE_WORKERS];
	unsigned int i;

	parse(argc, argv);
	score = mmap(NULL, sizeof(*score), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (score == MAP_FAILED)
		die("mmap");
	if (table_create(&table, 2 * KEYS))
		die("/dev/goheap");
	for (i = 0; i < workers; i++)
		pids[i] = start(i + 1);
	kill_at_random(pids, &lost);
	atomic_store(&score->stop, true);
	for (i = 0; i < workers; i++) {
		expect_end(pids[i], false);
		if (table_bury(&table, i + 1, &lost))
			die("bury");
	}
	return report(table_sweep(&table, &lost));
}
