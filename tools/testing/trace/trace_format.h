/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The allocation trace of one process, as a file.
 *
 * Written by the recorder (goheap_trace.c), read by trace_check.c in user space and
 * by goheap_replay.ko in the kernel, so only fixed-width types appear here. All
 * fields have the byte order of the machine that recorded.
 *
 *	struct gh_trace_header		header_size bytes
 *	struct gh_trace_event		nevents of them, in the order they happened
 *
 * The order is total: the recorder numbers events under one lock, an allocation
 * after the allocator returned and a free before the allocator is called. Hence a
 * free always follows the allocation that it ends, whichever threads they ran on.
 *
 * An object is named by its id, not by its address. Ids are given out from 0 and
 * never twice; realloc changes an object's size and keeps its id. What malloc
 * means at the edges is settled at recording: realloc(NULL, n) is a MALLOC,
 * realloc(p, 0) that returns NULL is a FREE, free(NULL) and failed calls are not
 * recorded, nor are frees of addresses that the recorder did not see allocated; a
 * realloc of such an address is a MALLOC.
 *
 * A process that ended without running its exit handlers leaves nevents 0 in the
 * header and is refused by the readers.
 */
#ifndef GOHEAP_TRACE_FORMAT_H
#define GOHEAP_TRACE_FORMAT_H

#include <linux/types.h>

#define GH_TRACE_MAGIC		"GHTRACE\n"	/* 8 bytes, no terminator */
#define GH_TRACE_MAGIC_LEN	8
#define GH_TRACE_VERSION	1
#define GH_TRACE_MAX_THREADS	256		/* thread numbers are below this */
#define GH_TRACE_MAX_SIZE	0x40000000ULL	/* readers refuse larger objects */
#define GH_TRACE_MAX_ALIGN_SHIFT 30

/**
 * struct gh_trace_header - the start of a trace file
 * @magic: GH_TRACE_MAGIC
 * @version: GH_TRACE_VERSION
 * @header_size: offset of the first event in bytes
 * @event_size: size of one event in bytes
 * @nthreads: threads are numbered 0 to @nthreads - 1
 * @nevents: number of events that follow
 * @nobjects: object ids are 0 to @nobjects - 1
 * @ignored: frees of unknown addresses, which were left out
 * @comm: name of the recorded program, NUL terminated
 */
struct gh_trace_header {
	__u8  magic[GH_TRACE_MAGIC_LEN];
	__u32 version;
	__u32 header_size;
	__u32 event_size;
	__u32 nthreads;
	__u64 nevents;
	__u64 nobjects;
	__u64 ignored;
	char  comm[16];
};

/**
 * enum gh_trace_op - what the program did
 * @GH_TRACE_MALLOC: allocated @size bytes
 * @GH_TRACE_CALLOC: allocated @size zeroed bytes
 * @GH_TRACE_MEMALIGN: allocated @size bytes aligned to 1 << @align_shift
 * @GH_TRACE_REALLOC: resized a live object to @size bytes, contents kept
 * @GH_TRACE_FREE: freed a live object; size is 0
 * @GH_TRACE_NR_OPS: number of operations
 */
enum gh_trace_op {
	GH_TRACE_MALLOC,
	GH_TRACE_CALLOC,
	GH_TRACE_MEMALIGN,
	GH_TRACE_REALLOC,
	GH_TRACE_FREE,
	GH_TRACE_NR_OPS
};

/**
 * struct gh_trace_event - one call of the allocator
 * @size: bytes asked for
 * @object: id of the object
 * @thread: number of the calling thread
 * @op: enum gh_trace_op
 * @align_shift: log2 of the alignment asked for, 0 for the default
 */
struct gh_trace_event {
	__u64 size;
	__u32 object;
	__u16 thread;
	__u8  op;
	__u8  align_shift;
};

/* What a trace has done with an object so far; see gh_trace_event_error(). */
enum gh_trace_state {
	GH_TRACE_UNBORN,
	GH_TRACE_LIVE,
	GH_TRACE_FREED,
};

/**
 * gh_trace_header_error() - whether a file can be a trace, judged by its header
 * @header: first bytes of the file
 * @nbytes: size of the file, at least that of a header
 *
 * Return: NULL if the file is well formed up to its events, else what is wrong.
 */
static inline const char *gh_trace_header_error(const struct gh_trace_header *header,
						__u64 nbytes)
{
	const __u8 magic[] = GH_TRACE_MAGIC;
	unsigned int i;

	for (i = 0; i < GH_TRACE_MAGIC_LEN; i++)
		if (header->magic[i] != magic[i])
			return "not a goheap trace";
	if (!header->nevents)
		return "the recorded program did not end normally";
	if (header->version != GH_TRACE_VERSION)
		return "unknown version";
	if (header->header_size != sizeof(struct gh_trace_header) ||
	    header->event_size != sizeof(struct gh_trace_event))
		return "unknown layout";
	if (header->nevents > nbytes / sizeof(struct gh_trace_event) ||
	    sizeof(*header) + header->nevents * sizeof(struct gh_trace_event) > nbytes)
		return "truncated";
	if (!header->nthreads || header->nthreads > GH_TRACE_MAX_THREADS)
		return "number of threads out of range";
	if (header->nobjects > header->nevents)
		return "more objects than events";
	if (header->comm[sizeof(header->comm) - 1])
		return "program name not terminated";
	return (const char *)0;
}

/**
 * gh_trace_event_error() - whether an event may follow those before it
 * @header: header of the trace, found good
 * @event: next event in the order of the file
 * @state: one enum gh_trace_state per object, zeroed before the first event;
 *	   brought up to date for good events
 *
 * Return: NULL if the event is good, else what is wrong.
 */
static inline const char *gh_trace_event_error(const struct gh_trace_header *header,
					       const struct gh_trace_event *event,
					       __u8 *state)
{
	int frees = event->op == GH_TRACE_FREE;
	int born = frees || event->op == GH_TRACE_REALLOC;

	if (event->op >= GH_TRACE_NR_OPS)
		return "unknown operation";
	if (event->thread >= header->nthreads)
		return "thread out of range";
	if (event->object >= header->nobjects)
		return "object id out of range";
	if (event->size > GH_TRACE_MAX_SIZE)
		return "object too large";
	if (event->align_shift > GH_TRACE_MAX_ALIGN_SHIFT)
		return "alignment too large";
	if (born && state[event->object] == GH_TRACE_UNBORN)
		return frees ? "free before alloc" : "realloc before alloc";
	if (born && state[event->object] == GH_TRACE_FREED)
		return frees ? "double free" : "realloc after free";
	if (!born && state[event->object] != GH_TRACE_UNBORN)
		return "object id allocated twice";
	state[event->object] = frees ? GH_TRACE_FREED : GH_TRACE_LIVE;
	return (const char *)0;
}

#endif
