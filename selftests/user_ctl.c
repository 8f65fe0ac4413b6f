// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheapctl says of a process's heap what is true of it, as text and as JSON,
 * gives its free memory back, and has clear errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/goheap.h>

/* What the holder has: objects of 1024 bytes, and how many of them are given. */
#define NR_OBJECTS	20
#define NR_GIVEN	5
#define LIMIT		1048576

static int results, failures;

static void check(bool good, const char *what)
{
	printf("%sok %d %s\n", good ? "" : "not ", ++results, what);
	failures += !good;
}

/* ---- the process that is looked at -------------------------------------- */

static int batch(int session, unsigned long cmd, __u64 *offsets,
		 unsigned int n)
{
	struct goheap_batch b = {
		.size = sizeof(b),
		.offsets = (uintptr_t)offsets,
		.count = n,
	};

	return ioctl(session, cmd, &b);
}

static int alloc(int session, unsigned int length, __u64 *offsets,
		 unsigned int n)
{
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.flags = GOHEAP_ALLOC_ALL,
		.length = length,
		.offsets = (uintptr_t)offsets,
		.count = n,
	};

	return ioctl(session, GOHEAP_IOC_ALLOC, &req);
}

/* Objects, and a free span of another class that a trim gives back. */
static int hold(int session)
{
	__u64 offsets[NR_OBJECTS], other;

	if (alloc(session, 1024, offsets, NR_OBJECTS) ||
	    batch(session, GOHEAP_IOC_GIVE, offsets, NR_GIVEN) ||
	    alloc(session, 16, &other, 1) ||
	    batch(session, GOHEAP_IOC_FREE, &other, 1))
		return -1;
	return 0;
}

static void holder(int ready)
{
	struct goheap_attach attach = { .size = sizeof(attach), .quota = LIMIT };
	int heap = open("/dev/goheap", O_RDWR | O_CLOEXEC);
	int fds[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "a \"b\"\\c\nd\xc3\xa9\xff");
	if (heap < 0 || ioctl(heap, GOHEAP_IOC_ATTACH, &attach) ||
	    hold(attach.fd))
		_exit(1);
	fds[0] = heap;
	fds[1] = attach.fd;
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
	fflush(stdout);
	pid = fork();
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

	fflush(stdout);
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
	printf("# no \"%s\" in: %s\n", text, output);
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
	check(!ctl("list"), "list succeeds");
	check(says("1024K"), "it shows the quota");
	check(says_value("%ld:", pid), "it names the process's files");
	check(says("a \"b\"\\c?d"), "a strange name is printed harmlessly");
	check(!ctl("list --json"), "list --json succeeds");
	check(says(root ? "\"complete\": true" : "\"complete\": false"),
	      "it says whether all heaps were seen");
	check(says_value("\"limit\": %ld", LIMIT), "limit is right in JSON");
	check(says_value("\"pid\": %ld", pid), "so is the process");
	check(says("\"comm\": \"a \\\"b\\\"\\\\c\\u000ad\xc3\xa9\\ufffd\""),
	      "and its name, escaped, in UTF-8");
	check(says_value("\"fd\": %ld, \"session\": 0", fds[0]),
	      "the heap's file is there");
}

static void test_stats(pid_t pid, const int fds[2])
{
	check(!ctl("stats %d:%d", pid, fds[0]), "stats of a heap succeed");
	check(says_value("\nobjects %ld\n", NR_OBJECTS), "objects are right");
	check(says_value("\ngiven %ld\n", NR_GIVEN), "given ones are right");
	check(says_value("\nallocs %ld\n", NR_OBJECTS + 1), "so are allocations");
	check(!ctl("--json stats %d:%d", pid, fds[1]),
	      "JSON stats of a session succeed");
	check(says_value("\"session_limit\": %ld", LIMIT), "with its quota");
	check(!ctl("stats"), "stats of all heaps succeed");
	check(says_value("\nobjects %ld\n", NR_OBJECTS), "and have this one");
}

static void test_trim(pid_t pid, const int fds[2])
{
	check(!ctl("trim %d:%d", pid, fds[0]), "trim of a heap succeeds");
	check(says("8192 bytes given back"), "it gives the free span back");
	check(!ctl("trim"), "trim of all succeeds");
	check(says(": 0 bytes given back"), "and finds nothing more");
	check(ctl("trim %d:%d", pid, fds[1]) == 1,
	      "trim of a session fails");
	check(says("only its process"), "and says why");
}

static void test_watch(void)
{
	check(!ctl("watch 0.1 2"), "watch ends after its count");
	check(says("ALLOCS/S"), "with a heading");
	check(says_value(" %ld ", NR_OBJECTS), "and the objects");
	check(!ctl("watch --json 0.05 1"), "watch has JSON");
	check(says_value("\"objects\": %ld", NR_OBJECTS), "with the objects");
}

static void test_errors(pid_t pid, int fd)
{
	check(ctl("prune") == 2, "an unknown command is refused");
	check(says("no command prune"), "by name");
	check(ctl("--frob list") == 2, "so is an unknown option");
	check(ctl("trim 1") == 1, "and a file without a process");
	check(says("is not PID:FD"), "with what is wanted");
	check(ctl("stats %d:0", pid) == 1, "a file that is no heap fails");
	check(says("is no heap"), "and says so");
	check(ctl("stats %d:999", pid) == 1, "so does one that is not open");
	check(ctl("--json stats %d:999 %d:%d", pid, pid, fd) == 1,
	      "but does not hide the others");
	check(says_value("\"objects\": %ld", NR_OBJECTS) && says("\n]\n"),
	      "nor leave JSON half done");
	check(ctl("watch zero") == 1, "and a strange interval");
	check(ctl("list >/dev/full") == 1, "a full disk is noticed");
	check(!ctl("--help"), "help can be had");
	check(!ctl("--version"), "and the version");
}

/* Without debugfs, and without rights to look into the holder. */
static void test_stranger(void)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(1);
		_exit(ctl("list") || !strstr(output, "no heaps") ||
		      !strstr(output, "root sees all"));
	}
	check(waitpid(pid, &status, 0) == pid && !status,
	      "who has no rights sees nothing, and why");
}

int main(void)
{
	bool root = !access("/sys/kernel/debug/goheap/heaps", R_OK);
	int fds[2];
	pid_t pid;

	if (access("/dev/goheap", R_OK | W_OK)) {
		puts("1..0 # SKIP no /dev/goheap");
		return 4;
	}
	pid = start_holder(fds);
	check(pid > 0, "a process holds a heap");
	if (pid > 0) {
		test_list(pid, fds, root);
		test_stats(pid, fds);
		test_watch();
		test_trim(pid, fds);
		test_errors(pid, fds[0]);
		test_stranger();
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		check(!ctl("list") && says("no heaps"),
		      "the heap is gone with its process");
	}
	printf("1..%d\n", results);
	return failures != 0;
}
