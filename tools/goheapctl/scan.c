// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan: what the kernel says of heaps, sessions, and their files.
 *
 * debugfs has all heaps, for root. /proc has the files of the processes that the
 * caller may look into, and from these, what their heaps hold.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scan.h"

#define BLANKS		" \t\n"
#define HEAPS_FILE	"/sys/kernel/debug/goheap/heaps"

const char *const heap_names[NR_HEAP_VALUES] = {
	[HEAP_ID] = "heap",
	[HEAP_UID] = "uid",
	[HEAP_BYTES] = "bytes",
	[HEAP_LIMIT] = "limit",
	[HEAP_PEAK] = "peak",
	[HEAP_SPANS] = "spans",
	[HEAP_ARENAS] = "arenas",
	[HEAP_SESSIONS] = "sessions",
	[HEAP_DEATHS] = "deaths",
	[HEAP_REFUSED] = "refused",
	[HEAP_OBJECTS] = "objects",
	[HEAP_OBJECT_BYTES] = "object_bytes",
	[HEAP_GIVEN] = "given",
	[HEAP_PAST_ALLOCS] = "past_allocs",
	[HEAP_PAST_FREES] = "past_frees",
	[HEAP_RECLAIMED] = "reclaimed",
	[HEAP_RETIRED] = "retired",
	[HEAP_RETIRED_BYTES] = "retired_bytes",
	[HEAP_EPOCHS] = "epochs",
};

const char *const session_names[NR_SESSION_VALUES] = {
	[SESSION_ID] = "session",
	[SESSION_PID] = "pid",
	[SESSION_BYTES] = "bytes",
	[SESSION_LIMIT] = "limit",
	[SESSION_OBJECTS] = "objects",
	[SESSION_OBJECT_BYTES] = "object_bytes",
	[SESSION_GIVEN] = "given",
	[SESSION_ALLOCS] = "allocs",
	[SESSION_FREES] = "frees",
	[SESSION_INSIDE] = "inside",
	[SESSION_THREAD] = "thread",
	[SESSION_WAITED] = "waited",
};

/* ---- growing arrays ----------------------------------------------------- */

static void *grow(void *array, size_t nr, size_t size)
{
	array = reallocarray(array, nr + 1, size);
	if (!array)
		fail("out of memory");
	memset((char *)array + nr * size, 0, size);
	return array;
}

static void forget(__u64 *values, size_t n)
{
	while (n--)
		values[n] = UNKNOWN;
}

static struct heap *add_heap(struct scan *scan)
{
	struct heap *heap;

	scan->heaps = grow(scan->heaps, scan->nr, sizeof(*scan->heaps));
	heap = &scan->heaps[scan->nr++];
	forget(heap->value, NR_HEAP_VALUES);
	return heap;
}

static struct session *add_session(struct heap *heap)
{
	struct session *session;

	heap->sessions = grow(heap->sessions, heap->nr_sessions,
			      sizeof(*heap->sessions));
	session = &heap->sessions[heap->nr_sessions++];
	forget(session->value, NR_SESSION_VALUES);
	return session;
}

static void add_file(struct heap *heap, pid_t pid, int fd, __u32 session)
{
	heap->files = grow(heap->files, heap->nr_files, sizeof(*heap->files));
	heap->files[heap->nr_files++] = (struct file){ pid, fd, session };
}

static struct heap *find_heap(struct scan *scan, __u64 id)
{
	size_t i;

	for (i = 0; i < scan->nr; i++)
		if (scan->heaps[i].value[HEAP_ID] == id)
			return &scan->heaps[i];
	return NULL;
}

static struct session *find_session(struct heap *heap, __u64 id)
{
	size_t i;

	for (i = 0; i < heap->nr_sessions; i++)
		if (heap->sessions[i].value[SESSION_ID] == id)
			return &heap->sessions[i];
	return NULL;
}

/* ---- debugfs ------------------------------------------------------------ */

static void set_value(__u64 *values, const char *const *names, size_t n,
		      const char *name, const char *text)
{
	while (n--)
		if (!strcmp(names[n], name))
			values[n] = strtoull(text, NULL, 10);
}

/* A line is names and values in turns. */
static void read_values(__u64 *values, const char *const *names, size_t n,
			char *line)
{
	char *name, *value, *rest;

	for (name = strtok_r(line, BLANKS, &rest); name;
	     name = strtok_r(NULL, BLANKS, &rest)) {
		value = strtok_r(NULL, BLANKS, &rest);
		if (value)
			set_value(values, names, n, name, value);
	}
}

/* A backslash and a letter or digits stand for what cannot be printed. */
static void unescape(char *to, size_t room, const char *from)
{
	static const char letters[] = "n\nr\rt\tv\vf\fa\ae\033";
	const char *letter;
	unsigned int c;
	int n;

	for (; *from && room > 1; room--) {
		c = *from++;
		letter = *from ? strchr(letters, *from) : NULL;
		if (c == '\\' && sscanf(from, "%3o%n", &c, &n) == 1) {
			from += n;
		} else if (c == '\\' && letter) {
			c = letter[1];
			from++;
		}
		*to++ = c;
	}
	*to = '\0';
}

static void read_session(struct session *session, char *line)
{
	char *comm = strstr(line, " comm ");

	if (comm) {
		*comm = '\0';
		comm += strlen(" comm ");
		comm[strcspn(comm, "\n")] = '\0';
		unescape(session->comm, sizeof(session->comm), comm);
	}
	read_values(session->value, session_names, NR_SESSION_VALUES, line);
}

static void add_up(struct heap *heap, enum heap_value to,
		   enum session_value from)
{
	size_t i;

	heap->value[to] = 0;
	for (i = 0; i < heap->nr_sessions; i++)
		heap->value[to] += heap->sessions[i].value[from];
}

static void read_list(struct scan *scan, FILE *f)
{
	struct heap *heap = NULL;
	char *line = NULL;
	size_t i, room = 0;

	while (getline(&line, &room, f) > 0) {
		if (!strncmp(line, "heap ", 5)) {
			heap = add_heap(scan);
			read_values(heap->value, heap_names, NR_HEAP_VALUES,
				    line);
		} else if (heap) {
			read_session(add_session(heap), line);
		}
	}
	free(line);
	for (i = 0; i < scan->nr; i++) {
		heap = &scan->heaps[i];
		add_up(heap, HEAP_OBJECTS, SESSION_OBJECTS);
		add_up(heap, HEAP_OBJECT_BYTES, SESSION_OBJECT_BYTES);
		add_up(heap, HEAP_GIVEN, SESSION_GIVEN);
	}
}

/* ---- /proc -------------------------------------------------------------- */

/* Lines of fdinfo, and what they are to us. */
static const struct {
	const char *name;
	enum heap_value value;
} info_of_heap[] = {
	{ "goheap-heap", HEAP_ID },
	{ "goheap-heap-bytes", HEAP_BYTES },
	{ "goheap-heap-limit", HEAP_LIMIT },
	{ "goheap-objects", HEAP_OBJECTS },
	{ "goheap-object-bytes", HEAP_OBJECT_BYTES },
	{ "goheap-given", HEAP_GIVEN },
	{ "goheap-retired", HEAP_RETIRED },
	{ "goheap-retired-bytes", HEAP_RETIRED_BYTES },
	{ "goheap-sessions", HEAP_SESSIONS },
	{ "goheap-deaths", HEAP_DEATHS },
};

static const struct {
	const char *name;
	enum session_value value;
} info_of_session[] = {
	{ "goheap-session", SESSION_ID },
	{ "goheap-session-bytes", SESSION_BYTES },
	{ "goheap-session-limit", SESSION_LIMIT },
	{ "goheap-session-inside", SESSION_INSIDE },
	{ "goheap-session-thread", SESSION_THREAD },
	{ "goheap-session-waited", SESSION_WAITED },
};

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static void read_info(FILE *f, struct heap *heap, struct session *session,
		      bool *ended)
{
	char name[32], text[32];
	size_t i;

	while (fscanf(f, "%31[^:]: %31s ", name, text) == 2) {
		__u64 value = strtoull(text, NULL, 10);

		for (i = 0; i < NR(info_of_heap); i++)
			if (!strcmp(name, info_of_heap[i].name))
				heap->value[info_of_heap[i].value] = value;
		for (i = 0; i < NR(info_of_session); i++)
			if (!strcmp(name, info_of_session[i].name))
				session->value[info_of_session[i].value] = value;
		if (!strcmp(name, "goheap-session-state"))
			*ended = !strcmp(text, "ended");
	}
}

static void read_comm(struct session *session, pid_t pid)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "r");
	if (!f)
		return;
	if (fgets(session->comm, sizeof(session->comm), f))
		session->comm[strcspn(session->comm, "\n")] = '\0';
	fclose(f);
}

/* What the kernel's list has is better than what a file tells. */
static void merge_file(struct scan *scan, const struct heap *heap,
		       const struct session *session, bool ended, pid_t pid,
		       int fd)
{
	__u32 id = session->value[SESSION_ID] == UNKNOWN ? 0 :
		      session->value[SESSION_ID];
	struct heap *to = find_heap(scan, heap->value[HEAP_ID]);

	if (!to) {
		to = add_heap(scan);
		memcpy(to->value, heap->value, sizeof(to->value));
	}
	add_file(to, pid, fd, id);
	if (id && !ended && !find_session(to, id)) {
		struct session *new = add_session(to);

		*new = *session;
		new->value[SESSION_PID] = pid;
		read_comm(new, pid);
	}
}

static void read_fd(struct scan *scan, pid_t pid, int fd)
{
	struct session session = { };
	struct heap heap = { };
	bool ended = false;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	f = fopen(path, "r");
	if (!f)
		return;
	forget(heap.value, NR_HEAP_VALUES);
	forget(session.value, NR_SESSION_VALUES);
	read_info(f, &heap, &session, &ended);
	fclose(f);
	if (heap.value[HEAP_ID] != UNKNOWN)
		merge_file(scan, &heap, &session, ended, pid, fd);
}

/* Most descriptors are something else. Files that are heaps can have any name. */
static bool may_be_ours(int dir, const char *fd)
{
	char target[64];
	ssize_t len = readlinkat(dir, fd, target, sizeof(target) - 1);

	if (len <= 0)
		return false;
	target[len] = '\0';
	return strstr(target, "goheap") ||
	       (target[0] == '/' && strncmp(target, "/dev/", 5));
}

static void read_process(struct scan *scan, pid_t pid)
{
	struct dirent *entry;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (isdigit(entry->d_name[0]) &&
		    may_be_ours(dirfd(dir), entry->d_name))
			read_fd(scan, pid, atoi(entry->d_name));
	closedir(dir);
}

static void read_processes(struct scan *scan)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	if (!dir)
		fail("/proc cannot be read: %m");
	while ((entry = readdir(dir)))
		if (isdigit(entry->d_name[0]))
			read_process(scan, atoi(entry->d_name));
	closedir(dir);
}

/* ---- both --------------------------------------------------------------- */

/**
 * scan_heaps() - find all heaps
 * @scan: what could be seen; to be freed with scan_free()
 * @files: look for their files even if the kernel's list is readable
 */
void scan_heaps(struct scan *scan, bool files)
{
	FILE *f = fopen(HEAPS_FILE, "r");

	*scan = (struct scan){ .complete = f };
	if (f) {
		read_list(scan, f);
		fclose(f);
	}
	if (files || !f)
		read_processes(scan);
}

/**
 * scan_free() - forget what was found
 * @scan: set by scan_heaps()
 */
void scan_free(struct scan *scan)
{
	size_t i;

	for (i = 0; i < scan->nr; i++) {
		free(scan->heaps[i].sessions);
		free(scan->heaps[i].files);
	}
	free(scan->heaps);
	*scan = (struct scan){ };
}
