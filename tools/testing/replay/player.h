/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run a program on an allocator: a kthread a recorded thread.
 */
#ifndef GOHEAP_REPLAY_PLAYER_H
#define GOHEAP_REPLAY_PLAYER_H

#include <linux/types.h>

#include "backend.h"
#include "program.h"

/**
 * enum replay_mode - what a run is for
 * @REPLAY_TIMED: time; the program's calls, and one byte touched in each object
 * @REPLAY_MEASURED: memory; what is held is sampled while the program runs
 * @REPLAY_VERIFIED: as REPLAY_MEASURED, and a pattern is written to all of each
 *		     object and checked when it is resized and freed
 * @REPLAY_NR_MODES: number of modes
 */
enum replay_mode {
	REPLAY_TIMED,
	REPLAY_MEASURED,
	REPLAY_VERIFIED,
	REPLAY_NR_MODES
};

/**
 * struct replay_figures - what a run found out
 * @time_ns: CPU time of all threads; of a single thread the elapsed time, which is the
 *	     same and more exact
 * @elapsed_ns: from the first step to the last
 * @ops: steps done, waits not counted
 * @failures: allocations that failed
 * @mismatches: objects that did not hold what was written to them, or were not
 *		zeroed where they should be
 * @misaligned: objects not aligned as asked for
 * @top_requested: largest sample of the bytes requested; the following two are of
 *		   the same moment
 * @top_usable: bytes that the live objects take
 * @top: what is held
 * @base: what is held before the run
 * @peak: largest sample of each of what is held
 * @final: what is held at the end of the program
 * @after: what is held when the objects that the program left are freed as well
 */
struct replay_figures {
	u64 time_ns;
	u64 elapsed_ns;
	u64 ops;
	u64 failures;
	u64 mismatches;
	u64 misaligned;
	u64 top_requested;
	u64 top_usable;
	struct replay_held top;
	struct replay_held base;
	struct replay_held peak;
	struct replay_held final;
	struct replay_held after;
};

struct replay_run;

int replay_play(const struct replay_program *program,
		enum replay_allocator allocator, enum replay_mode mode,
		unsigned int sample_ops, struct replay_figures *figures);

struct replay_run *replay_hold(const struct replay_program *program,
			       struct replay_figures *figures);
void replay_release(struct replay_run *run);

#endif
