/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fault: make the nth step of a kind fail, for tests.
 *
 * The kernel's own fault injection needs a kernel built for it and reaches only
 * some of goheap's steps; these points work on any kernel. They are in test
 * builds only. A plain flag arms them and not a static branch, because
 * emulators do not always survive code that is patched some thousand times in a
 * test.
 */
#ifndef _GOHEAP_FAULT_H
#define _GOHEAP_FAULT_H

#include <linux/compiler.h>
#include <linux/types.h>

/**
 * enum gh_fault_point - the steps that can be made to fail
 * @GH_FAULT_PAGE: getting physical pages for a run (commit)
 * @GH_FAULT_VMAP: reserving address space
 * @GH_FAULT_FIXALLOC: getting a chunk for off-heap records
 * @GH_FAULT_META: getting the metadata of an arena
 * @GH_FAULT_USER: getting what a user heap, a session, a call or a pin needs
 * @GH_FAULT_KILLED: vmalloc() of tables, as in a task that is being killed
 * @GH_FAULT_RESERVE: getting physical pages of others than the system's reserves
 * @GH_FAULT_LOCK: waiting for the lock of a user heap; it cannot fail
 * @GH_FAULT_LOCKED: having that lock; it cannot fail
 * @GH_NR_FAULTS: number of points
 */
enum gh_fault_point {
	GH_FAULT_PAGE,
	GH_FAULT_VMAP,
	GH_FAULT_FIXALLOC,
	GH_FAULT_META,
	GH_FAULT_USER,
	GH_FAULT_KILLED,
	GH_FAULT_RESERVE,
	GH_FAULT_LOCK,
	GH_FAULT_LOCKED,
	GH_NR_FAULTS,
};

/**
 * enum gh_fault_action - what happens at a step
 * @GH_FAULT_FAIL: it fails
 * @GH_FAULT_KILL: the task is killed, and goes on until it looks for signals
 * @GH_FAULT_STAY: the task waits there until gh_fault_let_go()
 */
enum gh_fault_action {
	GH_FAULT_FAIL,
	GH_FAULT_KILL,
	GH_FAULT_STAY,
};

#ifdef GOHEAP_TESTS

extern bool gh_fault_armed;

bool gh_fault_hit(enum gh_fault_point point);

/**
 * gh_fault() - ask whether this step must fail
 * @point: the step
 *
 * Context: any.
 * Return: true when a test armed @point and this is the step it named.
 */
static inline bool gh_fault(enum gh_fault_point point)
{
	return unlikely(READ_ONCE(gh_fault_armed)) && gh_fault_hit(point);
}

void gh_fault_arm(enum gh_fault_point point, unsigned int nth);
void gh_fault_arm_from(enum gh_fault_point point, unsigned int nth);
void gh_fault_arm_first(enum gh_fault_point point, unsigned int n);
void gh_fault_arm_action(enum gh_fault_point point, unsigned int nth,
			 enum gh_fault_action action);
void gh_fault_let_go(void);
bool gh_fault_disarm(void);

#else

static inline bool gh_fault(enum gh_fault_point point)
{
	return false;
}

#endif /* GOHEAP_TESTS */

#endif /* _GOHEAP_FAULT_H */
