// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheapctl: looks at the heaps of /dev/goheap, and trims them.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/goheap.h>

#include "dump.h"
#include "output.h"
#include "scan.h"

#ifndef VERSION
#define VERSION	"unknown"
#endif

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

/**
 * struct place - where a heap is found
 * @pid: a process, or 0
 * @fd: its descriptor
 * @name: both, as people write them; or a path
 */
struct place {
	pid_t pid;
	int fd;
	const char *name;
};

/* ---- list --------------------------------------------------------------- */

static void list_json(const struct scan *scan)
{
	size_t i, j;

	printf("{\"complete\": %s, \"heaps\": [",
	       scan->complete ? "true" : "false");
	for (i = 0; i < scan->nr; i++) {
		const struct heap *h = &scan->heaps[i];

		printf("%s\n  {", i ? "," : "");
		json_values(h->value, heap_names, NR_HEAP_VALUES);
		fputs(", \"list\": [", stdout);
		for (j = 0; j < h->nr_sessions; j++) {
			printf("%s\n    {", j ? "," : "");
			json_values(h->sessions[j].value, session_names,
				    NR_SESSION_VALUES);
			fputs(", \"comm\": ", stdout);
			json_string(h->sessions[j].comm);
			putchar('}');
		}
		fputs("], \"files\": [", stdout);
		for (j = 0; j < h->nr_files; j++)
			printf("%s{\"pid\": %d, \"fd\": %d, \"session\": %u}",
			       j ? ", " : "", h->files[j].pid, h->files[j].fd,
			       h->files[j].session);
		fputs("]}", stdout);
	}
	puts("\n]}");
}

static void list_heap(const struct heap *h)
{
	const __u64 *v = h->value;
	char b[9][24];
	size_t i;

	printf("%6s %6s %7s %7s %7s %9s %9s %8s %6s\n",
	       text_of(v[HEAP_ID], b[0], 24), text_of(v[HEAP_UID], b[1], 24),
	       bytes_of(v[HEAP_BYTES], b[2], 24),
	       v[HEAP_LIMIT] ? bytes_of(v[HEAP_LIMIT], b[3], 24) : "none",
	       bytes_of(v[HEAP_PEAK], b[4], 24),
	       text_of(v[HEAP_OBJECTS], b[5], 24),
	       text_of(v[HEAP_GIVEN], b[6], 24),
	       text_of(v[HEAP_SESSIONS], b[7], 24),
	       text_of(v[HEAP_DEATHS], b[8], 24));
	if (!h->nr_files)
		return;
	fputs("       files:", stdout);
	for (i = 0; i < h->nr_files; i++)
		printf(" %d:%d%s", h->files[i].pid, h->files[i].fd,
		       h->files[i].session ? "s" : "");
	putchar('\n');
}

static void list_sessions(const struct heap *h)
{
	char b[7][24];
	size_t i;

	for (i = 0; i < h->nr_sessions; i++) {
		const __u64 *v = h->sessions[i].value;

		printf("%6s %7s %7s %7s %7s %9s %9s ",
		       text_of(h->value[HEAP_ID], b[0], 24),
		       v[SESSION_ID] ? text_of(v[SESSION_ID], b[1], 24) : "heap",
		       v[SESSION_ID] ? text_of(v[SESSION_PID], b[2], 24) : "-",
		       bytes_of(v[SESSION_BYTES], b[3], 24),
		       v[SESSION_LIMIT] ?
				bytes_of(v[SESSION_LIMIT], b[4], 24) : "none",
		       text_of(v[SESSION_OBJECTS], b[5], 24),
		       text_of(v[SESSION_GIVEN], b[6], 24));
		print_name(h->sessions[i].comm);
	}
}

/* Who reads for longer than this, nanoseconds, is stuck, or nearly so. */
#define LONG_WAIT	1000000000ULL

/* Readers that keep retired objects from being freed. */
static void list_stuck(const struct heap *h)
{
	size_t i;

	for (i = 0; i < h->nr_sessions; i++) {
		const __u64 *v = h->sessions[i].value;

		if (v[SESSION_WAITED] == UNKNOWN || v[SESSION_WAITED] < LONG_WAIT)
			continue;
		printf("heap %llu: %llu retired objects wait for session %llu of process %llu:",
		       h->value[HEAP_ID], h->value[HEAP_RETIRED], v[SESSION_ID],
		       v[SESSION_PID]);
		printf(" %llu threads have been reading for %llu s, as thread %llu\n",
		       v[SESSION_INSIDE], v[SESSION_WAITED] / 1000000000,
		       v[SESSION_THREAD]);
	}
}

static void list_text(const struct scan *scan)
{
	size_t i;

	if (!scan->nr) {
		puts("no heaps");
		return;
	}
	printf("%6s %6s %7s %7s %7s %9s %9s %8s %6s\n", "HEAP", "UID", "BYTES",
	       "LIMIT", "PEAK", "OBJECTS", "GIVEN", "SESSIONS", "DEATHS");
	for (i = 0; i < scan->nr; i++)
		list_heap(&scan->heaps[i]);
	printf("\n%6s %7s %7s %7s %7s %9s %9s %s\n", "HEAP", "SESSION", "PID",
	       "BYTES", "LIMIT", "OBJECTS", "GIVEN", "COMMAND");
	for (i = 0; i < scan->nr; i++)
		list_sessions(&scan->heaps[i]);
	for (i = 0; i < scan->nr; i++)
		list_stuck(&scan->heaps[i]);
}

static int do_list(int argc, char **argv)
{
	struct scan scan;

	if (argc)
		fail("list takes no arguments, not %s", argv[0]);
	scan_heaps(&scan, true);
	if (!scan.complete)
		fputs("goheapctl: only heaps of processes that you may look into; root sees all\n",
		      stderr);
	if (json)
		list_json(&scan);
	else
		list_text(&scan);
	scan_free(&scan);
	return 0;
}

/* ---- files that are named, or other processes' --------------------------- */

/* A descriptor of our own for another process's file, or -1. */
static int take_fd(pid_t pid, int fd)
{
	int ours, pidfd = syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return -1;
	ours = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	close(pidfd);
	return ours;
}

/* Another process's descriptor, or a path. */
static void parse_file(const char *s, struct place *place)
{
	char end;

	*place = (struct place){ .name = s };
	if (strchr(s, '/'))
		return;
	if (sscanf(s, "%d:%d%c", &place->pid, &place->fd, &end) != 2 ||
	    place->pid < 1 || place->fd < 0)
		fail("%s is neither PID:FD, see goheapctl list, nor a path", s);
}

/* A path that is no heap's name could be a device, where open() makes a heap. */
static int open_path(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == EACCES)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

static int take_file(const struct place *place)
{
	return place->pid ? take_fd(place->pid, place->fd) : open_path(place->name);
}

typedef int (*on_file)(int ours, const struct place *place);

/* What is wrong with one is no reason to leave out the others. */
static int named_files(int argc, char **argv, on_file fn)
{
	int i, bad = 0;

	for (i = 0; i < argc; i++) {
		struct place place;
		int ours;

		parse_file(argv[i], &place);
		ours = take_file(&place);
		if (ours < 0) {
			fprintf(stderr, "goheapctl: %s: %m\n", argv[i]);
			bad = 1;
			continue;
		}
		bad |= fn(ours, &place);
		close(ours);
	}
	return bad;
}

/* Of each heap, the first file that can be taken. */
static int heap_files(const struct heap *h, on_file fn)
{
	size_t i;

	for (i = 0; i < h->nr_files; i++) {
		const struct file *file = &h->files[i];
		struct place place = { .pid = file->pid, .fd = file->fd };
		char name[32];
		int bad, ours;

		if (file->session)
			continue;
		ours = take_fd(file->pid, file->fd);
		if (ours < 0)
			continue;
		snprintf(name, sizeof(name), "%d:%d", file->pid, file->fd);
		place.name = name;
		bad = fn(ours, &place);
		close(ours);
		return bad;
	}
	fprintf(stderr, "goheapctl: heap %llu: no file can be reached\n",
		h->value[HEAP_ID]);
	return 1;
}

static int all_files(on_file fn)
{
	struct scan scan;
	int bad = 0;
	size_t i;

	scan_heaps(&scan, true);
	for (i = 0; i < scan.nr; i++)
		bad |= heap_files(&scan.heaps[i], fn);
	scan_free(&scan);
	return bad;
}

static int do_files(int argc, char **argv, on_file fn)
{
	return argc ? named_files(argc, argv, fn) : all_files(fn);
}

/* ---- stats -------------------------------------------------------------- */

#define USAGE(field)	{ #field, offsetof(struct goheap_usage, field) }
static const struct {
	const char *name;
	size_t offset;
} usage_fields[] = {
	USAGE(heap_bytes), USAGE(heap_limit), USAGE(session_bytes),
	USAGE(session_limit), USAGE(objects), USAGE(object_bytes),
	USAGE(given), USAGE(spans), USAGE(sessions), USAGE(deaths),
	USAGE(allocs), USAGE(frees), USAGE(reclaimed), USAGE(pinned),
	USAGE(peak_bytes), USAGE(bad), USAGE(retired), USAGE(retired_bytes), USAGE(epochs),
};

/* Nothing was printed yet. */
static bool first_object = true;

static void print_place(const struct place *place)
{
	if (json && place->pid) {
		printf("\"pid\": %d, \"fd\": %d", place->pid, place->fd);
	} else if (json) {
		fputs("\"path\": ", stdout);
		json_string(place->name);
	} else {
		fputs("file ", stdout);
		print_name(place->name);
	}
}

static int stats_file(int ours, const struct place *place)
{
	struct goheap_usage usage = { .size = sizeof(usage) };
	size_t i;

	if (ioctl(ours, GOHEAP_IOC_STATS, &usage)) {
		if (errno == ENOTTY || errno == EINVAL)
			fprintf(stderr, "goheapctl: %s is no heap\n", place->name);
		else
			fprintf(stderr, "goheapctl: %s: %m\n", place->name);
		return 1;
	}
	if (!first_object)
		fputs(json ? "," : "\n", stdout);
	first_object = false;
	if (json)
		fputs("\n  {", stdout);
	print_place(place);
	printf(json ? ", \"session\": %u" : "session %u\n", usage.session);
	for (i = 0; i < NR(usage_fields); i++) {
		__u64 value;

		memcpy(&value, (char *)&usage + usage_fields[i].offset,
		       sizeof(value));
		printf(json ? ", \"%s\": %llu" : "%s %llu\n",
		       usage_fields[i].name, value);
	}
	if (json)
		putchar('}');
	return 0;
}

static int do_stats(int argc, char **argv)
{
	struct place place;
	int bad, i;

	for (i = 0; i < argc; i++)
		parse_file(argv[i], &place);
	if (json)
		putchar('[');
	bad = do_files(argc, argv, stats_file);
	if (json)
		puts("\n]");
	return bad;
}

/* ---- trim --------------------------------------------------------------- */

static int trim_file(int ours, const struct place *place)
{
	struct goheap_trim trim = { .size = sizeof(trim) };

	if (ioctl(ours, GOHEAP_IOC_TRIM, &trim)) {
		if (errno == EPERM)
			fprintf(stderr, "goheapctl: %s: only its process may trim a session\n",
				place->name);
		else if (errno == ENOTTY || errno == EINVAL)
			fprintf(stderr, "goheapctl: %s is no heap\n", place->name);
		else
			fprintf(stderr, "goheapctl: %s: %m\n", place->name);
		return 1;
	}
	printf("%s: %llu bytes given back\n", place->name,
	       (unsigned long long)trim.bytes);
	return 0;
}

static int do_trim(int argc, char **argv)
{
	if (json)
		fail("trim has no JSON form");
	return do_files(argc, argv, trim_file);
}

/* ---- dump --------------------------------------------------------------- */

static const char *dump_type;

static int dump_file(int ours, const struct place *place)
{
	return dump_heap(ours, place->name, dump_type);
}

static int do_dump(int argc, char **argv)
{
	struct place place;

	if (argc < 1 || argc > 2)
		fail("dump takes a heap, and perhaps the name of a type");
	parse_file(argv[0], &place);
	dump_type = argv[1];
	return named_files(1, argv, dump_file);
}

/* ---- watch -------------------------------------------------------------- */

/**
 * struct totals - all heaps at one time
 * @heaps: how many
 * @sessions: how many
 * @bytes: pages of all spans, bytes
 * @objects: objects
 * @given: those of them that were given
 * @allocs: objects allocated, ever, or UNKNOWN
 * @frees: objects freed, ever, or UNKNOWN
 * @deaths: sessions that ended, ever, of heaps that are
 */
struct totals {
	__u64 heaps, sessions, bytes, objects, given, allocs, frees, deaths;
};

static void add_known(__u64 *to, __u64 value)
{
	*to = *to == UNKNOWN || value == UNKNOWN ? UNKNOWN : *to + value;
}

static void take_totals(struct totals *t)
{
	struct scan scan;
	size_t i, j;

	scan_heaps(&scan, false);
	*t = (struct totals){ .heaps = scan.nr };
	for (i = 0; i < scan.nr; i++) {
		const struct heap *h = &scan.heaps[i];

		add_known(&t->sessions, h->value[HEAP_SESSIONS]);
		add_known(&t->bytes, h->value[HEAP_BYTES]);
		add_known(&t->objects, h->value[HEAP_OBJECTS]);
		add_known(&t->given, h->value[HEAP_GIVEN]);
		add_known(&t->deaths, h->value[HEAP_DEATHS]);
		add_known(&t->allocs, h->value[HEAP_PAST_ALLOCS]);
		add_known(&t->frees, h->value[HEAP_PAST_FREES]);
		for (j = 0; j < h->nr_sessions; j++) {
			const __u64 *v = h->sessions[j].value;

			add_known(&t->allocs, v[SESSION_ALLOCS]);
			add_known(&t->frees, v[SESSION_FREES]);
		}
	}
	scan_free(&scan);
}

/* What a heap counted is gone with it. */
static const char *rate(__u64 now, __u64 before, double seconds,
			char *buf, size_t room)
{
	if (now == UNKNOWN || before == UNKNOWN)
		return "-";
	snprintf(buf, room, "%.0f", now < before ? 0 : (now - before) / seconds);
	return buf;
}

static void watch_line(const struct totals *t, const struct totals *old,
		       double seconds)
{
	static const char *const names[] = {
		"heaps", "sessions", "bytes", "objects", "given", "allocs",
		"frees", "deaths",
	};
	const __u64 values[NR(names)] = {
		t->heaps, t->sessions, t->bytes, t->objects, t->given,
		t->allocs, t->frees, t->deaths,
	};
	char b[8][24];

	if (json) {
		putchar('{');
		json_values(values, names, NR(values));
		puts("}");
		fflush(stdout);
		return;
	}
	printf("%6s %8s %7s %9s %9s %9s %9s %7s\n", text_of(t->heaps, b[0], 24),
	       text_of(t->sessions, b[1], 24), bytes_of(t->bytes, b[2], 24),
	       text_of(t->objects, b[3], 24), text_of(t->given, b[4], 24),
	       rate(t->allocs, old->allocs, seconds, b[5], 24),
	       rate(t->frees, old->frees, seconds, b[6], 24),
	       rate(t->deaths, old->deaths, 1, b[7], 24));
	fflush(stdout);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void nap(double seconds)
{
	struct timespec t = { .tv_sec = seconds };

	t.tv_nsec = (seconds - t.tv_sec) * 1e9;
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static int do_watch(int argc, char **argv)
{
	double before, seconds = 1;
	struct totals t, old;
	char end;
	long i, count = -1;

	if (argc > 2)
		fail("watch takes an interval and a count");
	if (argc && (sscanf(argv[0], "%lf%c", &seconds, &end) != 1 ||
		     seconds < 0.01 || seconds > 1e6))
		fail("%s is no interval in seconds", argv[0]);
	if (argc > 1 && (sscanf(argv[1], "%ld%c", &count, &end) != 1 ||
			 count < 1))
		fail("%s is no count", argv[1]);
	take_totals(&old);
	before = now();
	for (i = 0; count < 0 || i < count; i++) {
		double at;

		if (!json && i % 20 == 0)
			printf("%6s %8s %7s %9s %9s %9s %9s %7s\n", "HEAPS",
			       "SESSIONS", "BYTES", "OBJECTS", "GIVEN",
			       "ALLOCS/S", "FREES/S", "DEATHS");
		nap(seconds);
		take_totals(&t);
		at = now();
		watch_line(&t, &old, at - before);
		old = t;
		before = at;
	}
	return 0;
}

/* ---- the command line --------------------------------------------------- */

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv);
} commands[] = {
	{ "dump", do_dump },
	{ "list", do_list },
	{ "stats", do_stats },
	{ "trim", do_trim },
	{ "watch", do_watch },
};

static const char help[] =
	"Usage: goheapctl [--json] COMMAND\n"
	"\n"
	"  dump HEAP [TYPE]            the types of a heap, and the objects that were given\n"
	"  list                        heaps, their sessions, and who has their files\n"
	"  stats [HEAP]...             what heaps hold; without HEAP, of all in reach\n"
	"  trim [HEAP]...              give memory that is not in use back to the system\n"
	"  watch [SECONDS [COUNT]]     a line every so many seconds (default 1)\n"
	"\n"
	"HEAP is PID:FD, a descriptor of a process, as list shows it, or the path of a heap\n"
	"that has a name. Root sees all heaps; others see those of processes that they may\n"
	"trace.\n"
	"\n"
	"  -j, --json                  JSON instead of text\n"
	"  -h, --help                  this\n"
	"  -V, --version               the version\n";

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "jhV", options, NULL)) >= 0) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		case 'V':
			puts("goheapctl " VERSION);
			exit(0);
		default:
			fputs("Try goheapctl --help.\n", stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	int status;
	size_t i;

	parse_options(argc, argv);
	if (optind == argc) {
		fputs(help, stderr);
		return 2;
	}
	for (i = 0; i < NR(commands); i++)
		if (!strcmp(argv[optind], commands[i].name))
			break;
	if (i == NR(commands)) {
		fprintf(stderr, "goheapctl: there is no command %s\n",
			argv[optind]);
		return 2;
	}
	if (access("/sys/module/goheap", F_OK))
		fail("the module goheap is not loaded; try modprobe goheap");
	status = commands[i].fn(argc - optind - 1, argv + optind + 1);
	if (fflush(stdout) || ferror(stdout))
		fail("cannot write: %m");
	return status;
}
