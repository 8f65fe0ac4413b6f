// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheapctl shows a process's heap as it is, as text and as JSON, frees what the
 * heap does not use, and has clear errors.
 */
#include "user_test.h"

#include <sys/mount.h>
#include "kselftest.h"

/* What the holder has: objects of 1024 bytes, and how many of them are given. */
#define NR_OBJECTS	20
#define NR_GIVEN	5
#define LIMIT		1048576

#define NAMES		"/tmp/goheap-ctl"

#define NR_RESULTS	63

/* ---- the process that is looked at -------------------------------------- */

/* Objects, and a free span of another class that a trim gives back. */
static int hold(int ss)
{
	struct goheap_type t = {
		.size = sizeof(t), .length = 3000, .name = "no\"de",
	};
	__u64 offsets[NR_OBJECTS];

	if (call(ss, GOHEAP_IOC_TYPE, &t) ||
	    alloc_many(ss, 1024, offsets, NR_OBJECTS, 0) != NR_OBJECTS ||
	    batch(ss, GOHEAP_IOC_GIVE, offsets, NR_GIVEN, NULL))
		return -1;
	return free_one(ss, alloc_one(ss, 16));
}

static void holder(int ready)
{
	int fds[2];

	prctl(PR_SET_NAME, "a \"b\"\\c\nd\xc3\xa9\xff");
	fds[0] = heap_open();
	fds[1] = attach_quota(fds[0], LIMIT);
	if (fds[1] < 0 || hold(fds[1]))
		_exit(1);
	if (write(ready, fds, sizeof(fds)) != sizeof(fds))
		_exit(1);
	for (;;)
		pause();
}

static pid_t start_holder(int fds[2])
{
	int ready[2];
	pid_t pid;

	if (pipe(ready))
		return -1;
	pid = fork_bound();
	if (!pid)
		holder(ready[1]);
	close(ready[1]);
	if (pid > 0 && read(ready[0], fds, 2 * sizeof(int)) != 2 * sizeof(int))
		pid = -1;
	close(ready[0]);
	return pid;
}

/* ---- the tool ----------------------------------------------------------- */

static char output[65536];

static char command[300];

/* Returns the exit status; output and errors are in @output. */
static int run(void)
{
	size_t len;
	FILE *f;

	f = popen(command, "r");
	if (!f)
		return -1;
	len = fread(output, 1, sizeof(output) - 1, f);
	output[len] = '\0';
	return WEXITSTATUS(pclose(f));
}

#define ctl(format, ...)						\
	(snprintf(command, sizeof(command), "goheapctl " format " 2>&1",	\
		  ##__VA_ARGS__), run())

static bool says(const char *text)
{
	if (strstr(output, text))
		return true;
	ksft_print_msg("no \"%s\" in: %s\n", text, output);
	return false;
}

static bool says_value(const char *format, long value)
{
	char text[100];

	snprintf(text, sizeof(text), format, value);
	return says(text);
}

static void test_list(pid_t pid, const int fds[2], bool root)
{
	ksft_test_result(!ctl("list"), "list succeeds\n");
	ksft_test_result(says("1024K"), "it shows the quota\n");
	ksft_test_result(says_value("%ld:", pid),
			 "it names the process's files\n");
	ksft_test_result(says("a \"b\"\\c?d"),
			 "a strange name is printed harmlessly\n");
	ksft_test_result(!ctl("list --json"), "list --json succeeds\n");
	ksft_test_result(says(root ? "\"complete\": true" : "\"complete\": false"),
			 "it says whether all heaps were seen\n");
	ksft_test_result(says_value("\"limit\": %ld", LIMIT),
			 "limit is right in JSON\n");
	ksft_test_result(says_value("\"pid\": %ld", pid),
			 "so is the process\n");
	ksft_test_result(says("\"comm\": \"a \\\"b\\\"\\\\c\\u000ad\xc3\xa9\\ufffd\""),
			 "and its name, escaped, in UTF-8\n");
	ksft_test_result(says_value("\"fd\": %ld, \"session\": 0", fds[0]),
			 "the heap's file is there\n");
}

static void test_stats(pid_t pid, const int fds[2])
{
	ksft_test_result(!ctl("stats %d:%d", pid, fds[0]),
			 "stats of a heap succeed\n");
	ksft_test_result(says_value("\nobjects %ld\n", NR_OBJECTS),
			 "objects are right\n");
	ksft_test_result(says_value("\ngiven %ld\n", NR_GIVEN),
			 "given ones are right\n");
	ksft_test_result(says_value("\nallocs %ld\n", NR_OBJECTS + 1),
			 "so are allocations\n");
	ksft_test_result(!ctl("--json stats %d:%d", pid, fds[1]),
			 "JSON stats of a session succeed\n");
	ksft_test_result(says_value("\"session_limit\": %ld", LIMIT),
			 "with its quota\n");
	ksft_test_result(!ctl("stats"), "stats of all heaps succeed\n");
	ksft_test_result(says_value("\nobjects %ld\n", NR_OBJECTS),
			 "and have this one\n");
}

/* The test reads, and does not stop. */
static void test_stuck(void)
{
	struct goheap_defer d = { .size = sizeof(d), .flags = GOHEAP_DEFER_READERS,
				  .count = 1 };
	int heap = heap_open(), ss = attach(heap);
	struct goheap_session s;
	__s64 at = alloc_one(ss, 64);
	struct goheap_batch b = { .size = sizeof(b), .offsets = (uintptr_t)&at,
				  .count = 1 };
	struct goheap_reader *reader;

	reader = mmap(NULL, sizeof(*reader), PROT_READ | PROT_WRITE, MAP_SHARED, ss,
		      GOHEAP_MMAP_READERS);
	if (call(ss, GOHEAP_IOC_DEFER, &d))
		ksft_exit_fail_msg("no readers\n");
	reader->thread = gettid();
	reader->count = 1;
	call(ss, GOHEAP_IOC_RETIRE, &b);
	do {
		usleep(10000);
		s = (struct goheap_session){ .size = sizeof(s),
					     .session = usage(ss).session };
	} while (!call(ss, GOHEAP_IOC_SESSION, &s) && s.waited <= 1000000000);
	ksft_test_result(!ctl("list") && says_value("of process %ld", getpid()) &&
			 says_value("as thread %ld", gettid()),
			 "a reader that is stuck is named\n");
	reader->count = 2;
	while (usage(heap).retired)
		usleep(10000);
	ksft_test_result(!ctl("list") && !strstr(output, "as thread"),
			 "and not when it has stopped\n");
	munmap(reader, sizeof(*reader));
	close(ss);
	close(heap);
}

static void test_trim(pid_t pid, const int fds[2])
{
	ksft_test_result(!ctl("trim %d:%d", pid, fds[0]),
			 "trim of a heap succeeds\n");
	ksft_test_result(says("8192 bytes given back"),
			 "it gives the free span back\n");
	ksft_test_result(!ctl("trim"), "trim of all succeeds\n");
	ksft_test_result(says(": 0 bytes given back"),
			 "and finds nothing more\n");
	ksft_test_result(ctl("trim %d:%d", pid, fds[1]) == 1,
			 "trim of a session fails\n");
	ksft_test_result(says("only its process"), "and says why\n");
}

static void test_dump(pid_t pid, const int fds[2])
{
	ksft_test_result(!ctl("dump %d:%d", pid, fds[0]), "dump succeeds\n");
	ksft_test_result(says("\n     1      3000 ") && says(" no\"de\n"),
			 "it shows the types\n");
	ksft_test_result(says("OFFSET") && says("         1024      -         -\n"),
			 "and what was given\n");
	ksft_test_result(!ctl("dump --json %d:%d", pid, fds[1]), "dump has JSON\n");
	ksft_test_result(says("\"name\": \"no\\\"de\", \"length\": 3000") &&
			 says("\"length\": 1024, \"type\": 0, \"session\": 0, \"held\": false}") &&
			 says("]}\n"),
			 "with the same\n");
	ksft_test_result(!ctl("dump %d:%d 'no\"de'", pid, fds[0]) && !strstr(output, "1024"),
			 "it can be of one type\n");
	ksft_test_result(ctl("dump %d:%d node", pid, fds[0]) == 1 &&
			 says("has no type node"), "if that is there\n");
	ksft_test_result(ctl("dump") == 1 && says("dump takes a heap"),
			 "a dump of nothing is refused\n");
	ksft_test_result(ctl("dump %d:0", pid) == 1 && says("is no heap"),
			 "and of what is no heap\n");
}

/* Heaps that have a name need no process. */
static void test_names(void)
{
	int fd, ss;

	mkdir(NAMES, 0755);
	if (mount("none", NAMES, "goheap", 0, NULL))
		ksft_exit_fail_msg("no names\n");
	fd = open(NAMES "/a heap", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ss = attach(fd);
	ksft_test_result(ss >= 0 && !hold(ss), "a heap has a name\n");
	close(ss);
	close(fd);
	ksft_test_result(!ctl("dump '" NAMES "/a heap'") && says(" no\"de\n"),
			 "it can be dumped\n");
	ksft_test_result(!ctl("stats " NAMES "/*") && says("file " NAMES "/a heap\n") &&
			 says_value("\ngiven %ld\n", NR_GIVEN), "it has stats\n");
	ksft_test_result(!ctl("--json stats " NAMES "/*") &&
			 says("{\"path\": \"" NAMES "/a heap\", \"session\": 0"),
			 "also in JSON\n");
	ksft_test_result(!ctl("trim " NAMES "/*") && says("/a heap: 0 bytes given back"),
			 "and is trimmed\n");
	ksft_test_result(ctl("stats /dev/goheap") == 1 && says("Invalid argument"),
			 "a device is no heap\n");
	unlink(NAMES "/a heap");
	ksft_test_result(ctl("stats " NAMES "/none") == 1 && says("No such file") &&
			 !umount(NAMES), "and nothing is left in use\n");
}

static void test_watch(void)
{
	ksft_test_result(!ctl("watch 0.1 2"), "watch ends after its count\n");
	ksft_test_result(says("ALLOCS/S"), "with a heading\n");
	ksft_test_result(says_value(" %ld ", NR_OBJECTS), "and the objects\n");
	ksft_test_result(!ctl("watch --json 0.05 1"), "watch has JSON\n");
	ksft_test_result(says_value("\"objects\": %ld", NR_OBJECTS),
			 "with the objects\n");
}

static void test_errors(pid_t pid, int fd)
{
	ksft_test_result(ctl("prune") == 2, "an unknown command is refused\n");
	ksft_test_result(says("no command prune"), "by name\n");
	ksft_test_result(ctl("--frob list") == 2, "so is an unknown option\n");
	ksft_test_result(ctl("trim 1") == 1, "and a file without a process\n");
	ksft_test_result(says("is neither PID:FD"), "with what is wanted\n");
	ksft_test_result(ctl("stats %d:0", pid) == 1,
			 "a file that is no heap fails\n");
	ksft_test_result(says("is no heap"), "and says so\n");
	ksft_test_result(ctl("stats %d:999", pid) == 1,
			 "so does one that is not open\n");
	ksft_test_result(ctl("--json stats %d:999 %d:%d", pid, pid, fd) == 1,
			 "but does not hide the others\n");
	ksft_test_result(says_value("\"objects\": %ld", NR_OBJECTS) &&
			 says("\n]\n"),
			 "nor leave JSON half done\n");
	ksft_test_result(ctl("watch zero") == 1, "and a strange interval\n");
	ksft_test_result(ctl("list >/dev/full") == 1,
			 "a full disk is noticed\n");
	ksft_test_result(!ctl("--help"), "help can be had\n");
	ksft_test_result(!ctl("--version"), "and the version\n");
}

/* Without debugfs, and without rights to look into the holder. */
static int list_as_nobody(void)
{
	return become_nobody() || ctl("list") || !strstr(output, "no heaps") ||
	       !strstr(output, "root sees all");
}

static void test_stranger(void)
{
	ksft_test_result(!IN_CHILD(list_as_nobody()),
			 "a user without rights sees nothing, and is told why\n");
}

int main(void)
{
	bool root = !access("/sys/kernel/debug/goheap/heaps", R_OK);
	int fds[2];
	pid_t pid;

	ksft_print_header();
	if (access(DEVICE, R_OK | W_OK))
		ksft_exit_skip("no " DEVICE "\n");
	pid = start_holder(fds);
	if (pid < 0)
		ksft_exit_fail_msg("no process that holds a heap\n");
	ksft_set_plan(NR_RESULTS);
	test_list(pid, fds, root);
	test_stats(pid, fds);
	test_dump(pid, fds);
	test_names();
	test_watch();
	test_trim(pid, fds);
	test_stuck();
	test_errors(pid, fds[0]);
	test_stranger();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ksft_test_result(!ctl("list") && says("no heaps"),
			 "the heap is gone with its process\n");
	ksft_finished();
}
