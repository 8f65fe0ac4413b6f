// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace_check: validate allocation traces and say what is in them.
 *
 *	trace_check [-d] file ...
 *
 * Prints one line of key=value figures a file, with -d also every event. Exits with
 * 1 if a file is not a good trace.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace_format.h"

/* What check_events() finds out while it validates. */
struct figures {
	__u64 ops[GH_TRACE_NR_OPS];
	__u64 requested;		/* bytes, all allocations */
	__u64 live;			/* bytes, at the end */
	__u64 peak;			/* bytes, largest live */
	__u64 largest;		/* bytes, largest request */
	__u64 live_objects;		/* at the end */
	__u64 foreign_frees;		/* by another thread than the allocating one */
};

static const char * const op_names[GH_TRACE_NR_OPS] = {
	[GH_TRACE_MALLOC] = "malloc",
	[GH_TRACE_CALLOC] = "calloc",
	[GH_TRACE_MEMALIGN] = "memalign",
	[GH_TRACE_REALLOC] = "realloc",
	[GH_TRACE_FREE] = "free",
};

struct object {
	__u64 size;
	__u16 thread;
};

static void count(struct figures *f, struct object *object,
		  const struct gh_trace_event *e)
{
	f->ops[e->op]++;
	f->live -= object->size;
	switch (e->op) {
	case GH_TRACE_FREE:
		f->live_objects--;
		f->foreign_frees += object->thread != e->thread;
		break;
	case GH_TRACE_REALLOC:
		break;
	default:
		f->live_objects++;
		object->thread = e->thread;
	}
	object->size = e->size;
	f->live += e->size;
	f->requested += e->size;
	if (e->size > f->largest)
		f->largest = e->size;
	if (f->live > f->peak)
		f->peak = f->live;
}

static bool check_events(const char *path, const struct gh_trace_header *h,
			 struct figures *f, bool dump)
{
	const struct gh_trace_event *e = (const void *)(h + 1);
	struct object *objects = calloc(h->nobjects + 1, sizeof(*objects));
	__u8 *state = calloc(h->nobjects + 1, 1);
	const char *error = objects && state ? NULL : "out of memory";
	__u64 i;

	for (i = 0; i < h->nevents && !error; i++, e++) {
		error = gh_trace_event_error(h, e, state);
		if (error)
			break;
		count(f, &objects[e->object], e);
		if (dump)
			printf("%llu thread %u %s object %u size %llu align %u\n", i,
			       e->thread, op_names[e->op], e->object,
			       e->size, 1U << e->align_shift);
	}
	if (error)
		fprintf(stderr, "%s: event %llu: %s\n", path, i, error);
	free(objects);
	free(state);
	return !error;
}

static void print_figures(const char *path, const struct gh_trace_header *h,
			  const struct figures *f)
{
	unsigned int op;

	printf("file=%s program=%s events=%llu threads=%u objects=%llu ignored=%llu", path,
	       h->comm, h->nevents, h->nthreads,
	       h->nobjects, h->ignored);
	for (op = 0; op < GH_TRACE_NR_OPS; op++)
		printf(" %s=%llu", op_names[op], f->ops[op]);
	printf(" requested=%llu peak=%llu largest=%llu", f->requested,
	       f->peak, f->largest);
	printf(" live_objects=%llu live=%llu foreign_frees=%llu\n",
	       f->live_objects, f->live, f->foreign_frees);
}

static bool check_file(const char *path, bool dump)
{
	const struct gh_trace_header *header;
	struct figures figures = { 0 };
	const char *error = NULL;
	bool good = false;
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		goto out;
	}
	if ((size_t)st.st_size < sizeof(*header)) {
		fprintf(stderr, "%s: too short for a trace\n", path);
		goto out;
	}
	header = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (header == MAP_FAILED) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		goto out;
	}
	error = gh_trace_header_error(header, st.st_size);
	if (error)
		fprintf(stderr, "%s: %s\n", path, error);
	else
		good = check_events(path, header, &figures, dump);
	if (good)
		print_figures(path, header, &figures);
	munmap((void *)header, st.st_size);
out:
	if (fd >= 0)
		close(fd);
	return good;
}

int main(int argc, char **argv)
{
	bool dump = argc > 1 && !strcmp(argv[1], "-d");
	int i = dump ? 2 : 1, status = 0;

	if (i >= argc) {
		fprintf(stderr, "usage: trace_check [-d] file ...\n");
		return 2;
	}
	for (; i < argc; i++)
		if (!check_file(argv[i], dump))
			status = 1;
	return status;
}
