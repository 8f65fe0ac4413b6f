/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trace made ready for replay: one list of operations a thread.
 *
 * Operations name slots instead of objects. A slot holds one live object at a time,
 * so that the replay's own table is as large as the trace's peak, not as its length.
 * The slot of a freed object goes to the thread that freed it.
 *
 * An operation on an object that another thread touched last is preceded by a
 * REPLAY_WAIT for that thread's progress. These waits are all the synchronisation
 * there is. They follow the total order of the trace, so they cannot deadlock, and a
 * trace of one thread has none.
 */
#ifndef GOHEAP_REPLAY_PROGRAM_H
#define GOHEAP_REPLAY_PROGRAM_H

#include <linux/types.h>

#include "../trace/trace_format.h"

#define REPLAY_WAIT	GH_TRACE_NR_OPS

/**
 * struct replay_op - one step of a thread
 * @size: bytes to allocate; of REPLAY_WAIT: the steps that the peer must have done
 * @slot: where the object is kept; of REPLAY_WAIT: the number of the peer
 * @op: enum gh_trace_op, or REPLAY_WAIT
 * @align_shift: log2 of the alignment that the object must have
 * @signal: whether another thread may wait for this step
 */
struct replay_op {
	u64 size;
	u32 slot;
	u8 op;
	u8 align_shift;
	bool signal;
};

/**
 * struct replay_code - the steps of one thread
 * @ops: the steps
 * @nops: how many
 * @peak: how many of them come before the moment when most bytes are live
 */
struct replay_code {
	struct replay_op *ops;
	u64 nops;
	u64 peak;
};

/**
 * struct replay_program - a whole trace
 * @comm: the recorded program
 * @nevents: events of the trace; steps other than waits
 * @nobjects: objects of the trace
 * @nslots: slots that the steps use
 * @peak_bytes: bytes live, as requested, when most are
 * @nthreads: number of elements of @code
 * @code: the steps, by thread
 */
struct replay_program {
	char comm[16];
	u64 nevents;
	u64 nobjects;
	u32 nslots;
	u64 peak_bytes;
	unsigned int nthreads;
	struct replay_code code[];
};

struct replay_program *replay_program_load(const char *path);
void replay_program_free(struct replay_program *program);

#endif
