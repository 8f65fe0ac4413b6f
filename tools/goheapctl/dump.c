// SPDX-License-Identifier: GPL-2.0-only
/*
 * dump: the types of a heap, and the objects that were given.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/goheap.h>

#include "dump.h"
#include "output.h"
#include "scan.h"

#define BATCH	256
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

/* The next type, or the next one of that name. Returns false if there is none. */
static bool next_type(int ours, struct goheap_type_usage *u, const char *name)
{
	do {
		*u = (struct goheap_type_usage){
			.size = sizeof(*u), .type = u->type + 1,
		};
		if (ioctl(ours, GOHEAP_IOC_TYPE_STATS, u))
			return false;
	} while (name && strcmp(name, u->name));
	return true;
}

static void print_type(const struct goheap_type_usage *u, bool first)
{
	static const char *const names[] = {
		"length", "bytes", "limit", "objects", "given", "allocs",
	};
	const __u64 values[] = {
		u->length, u->bytes, u->limit, u->objects, u->given, u->allocs,
	};
	char b[6][24];

	if (json) {
		printf("%s\n  {\"type\": %u, \"name\": ", first ? "" : ",", u->type);
		json_string(u->name);
		fputs(", ", stdout);
		json_values(values, names, NR(values));
		putchar('}');
		return;
	}
	if (first)
		printf("%6s %9s %7s %7s %9s %9s %9s %s\n", "TYPE", "LENGTH", "BYTES",
		       "LIMIT", "OBJECTS", "GIVEN", "ALLOCS", "NAME");
	printf("%6u %9s %7s %7s %9s %9s %9s ", u->type,
	       u->length ? text_of(u->length, b[0], 24) : "any",
	       bytes_of(u->bytes, b[1], 24),
	       u->limit ? bytes_of(u->limit, b[2], 24) : "none",
	       text_of(u->objects, b[3], 24), text_of(u->given, b[4], 24),
	       text_of(u->allocs, b[5], 24));
	print_name(u->name);
}

static void print_object(const struct goheap_listed *o, bool first)
{
	bool held = o->flags & GOHEAP_LISTED_HELD;
	char b[2][24];

	if (json) {
		printf("%s\n  {\"offset\": %llu, \"length\": %llu, ",
		       first ? "" : ",", o->offset, o->length);
		printf("\"type\": %u, \"session\": %u, \"held\": %s}",
		       o->type, o->session, held ? "true" : "false");
		return;
	}
	if (first)
		printf("\n%14s %12s %6s %9s\n", "OFFSET", "LENGTH", "TYPE", "SESSION");
	printf("%#14llx %12llu %6s %9s%s\n", o->offset, o->length,
	       text_of(o->type ? o->type : UNKNOWN, b[0], sizeof(b[0])),
	       text_of(o->type ? o->session : UNKNOWN, b[1], sizeof(b[1])),
	       held ? " held" : "");
}

/* Returns 0, or -1 with errno. */
static int dump_objects(int ours, __u32 type, __u64 window)
{
	struct goheap_listed objects[BATCH];
	struct goheap_list list = {
		.size = sizeof(list), .objects = (unsigned long)objects, .type = type,
	};
	bool first = true;
	unsigned int i;

	while (list.from < window) {
		list.count = BATCH;
		if (ioctl(ours, GOHEAP_IOC_LIST, &list))
			return -1;
		for (i = 0; i < list.count; i++) {
			print_object(&objects[i], first);
			first = false;
		}
	}
	return 0;
}

/* Returns the number of the last type. */
static __u32 dump_types(int ours, const char *name)
{
	struct goheap_type_usage u = { .type = 0 };
	__u32 last = 0;

	while (next_type(ours, &u, name)) {
		print_type(&u, !last);
		last = u.type;
	}
	return last;
}

/**
 * dump_heap() - print the types of a heap, and the objects that were given
 * @ours: a descriptor of it
 * @name: what it is called in messages
 * @type: name of the only type of interest, or NULL for all
 *
 * Return: the exit status.
 */
int dump_heap(int ours, const char *name, const char *type)
{
	struct goheap_info info = { .size = sizeof(info) };
	__u32 last;
	int bad;

	if (ioctl(ours, GOHEAP_IOC_INFO, &info)) {
		fprintf(stderr, "goheapctl: %s is no heap\n", name);
		return 1;
	}
	if (json)
		fputs("{\"types\": [", stdout);
	last = dump_types(ours, type);
	if (json)
		fputs("], \"objects\": [", stdout);
	bad = type && !last ? 1 : dump_objects(ours, type ? last : 0, info.window);
	if (json)
		puts("]}");
	if (type && !last)
		fprintf(stderr, "goheapctl: %s has no type %s\n", name, type);
	else if (bad)
		fprintf(stderr, "goheapctl: %s: %m\n", name);
	return bad ? 1 : 0;
}
