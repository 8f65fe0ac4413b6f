/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scan: what the kernel says of heaps, sessions, and their files.
 */
#ifndef _GOHEAPCTL_SCAN_H
#define _GOHEAPCTL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include <linux/types.h>

/* Of a value that the kernel did not tell. */
#define UNKNOWN	(~0ULL)

/* Say what is wrong, and end. */
#define fail(format, ...)						\
	do {								\
		fflush(stdout);						\
		fprintf(stderr, "goheapctl: " format "\n",		\
			##__VA_ARGS__);					\
		exit(1);						\
	} while (0)

enum heap_value {
	HEAP_ID,
	HEAP_UID,
	HEAP_BYTES,
	HEAP_LIMIT,
	HEAP_PEAK,
	HEAP_SPANS,
	HEAP_ARENAS,
	HEAP_SESSIONS,
	HEAP_DEATHS,
	HEAP_REFUSED,
	HEAP_OBJECTS,
	HEAP_OBJECT_BYTES,
	HEAP_GIVEN,
	HEAP_PAST_ALLOCS,
	HEAP_PAST_FREES,
	HEAP_RECLAIMED,
	HEAP_RETIRED,
	HEAP_RETIRED_BYTES,
	HEAP_EPOCHS,
	NR_HEAP_VALUES
};

enum session_value {
	SESSION_ID,
	SESSION_PID,
	SESSION_BYTES,
	SESSION_LIMIT,
	SESSION_OBJECTS,
	SESSION_OBJECT_BYTES,
	SESSION_GIVEN,
	SESSION_ALLOCS,
	SESSION_FREES,
	SESSION_INSIDE,
	SESSION_THREAD,
	SESSION_WAITED,
	NR_SESSION_VALUES
};

extern const char *const heap_names[NR_HEAP_VALUES];
extern const char *const session_names[NR_SESSION_VALUES];

/**
 * struct session - a session of a heap
 * @value: by &enum session_value; bytes, or a number of things
 * @comm: name of its process, which may be anything
 */
struct session {
	__u64 value[NR_SESSION_VALUES];
	char comm[32];
};

/**
 * struct file - a descriptor of a process
 * @pid: the process
 * @fd: the descriptor
 * @session: number of the session that it is, 0 for the heap itself
 */
struct file {
	pid_t pid;
	int fd;
	__u32 session;
};

/**
 * struct heap - a heap
 * @value: by &enum heap_value
 * @sessions: its sessions; number 0 is the heap itself
 * @nr_sessions: how many
 * @files: descriptors that could be seen
 * @nr_files: how many
 */
struct heap {
	__u64 value[NR_HEAP_VALUES];
	struct session *sessions;
	size_t nr_sessions;
	struct file *files;
	size_t nr_files;
};

/**
 * struct scan - all that could be seen
 * @heaps: the heaps
 * @nr: how many
 * @complete: the kernel's own list was readable
 */
struct scan {
	struct heap *heaps;
	size_t nr;
	bool complete;
};

void scan_heaps(struct scan *scan, bool files);
void scan_free(struct scan *scan);

#endif /* _GOHEAPCTL_SCAN_H */
