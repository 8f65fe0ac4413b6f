/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * edge: what the two parts of edge_test share.
 */
#ifndef LG_EDGE_H
#define LG_EDGE_H

#include <pthread.h>
#include <stdbool.h>

#include "types.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIB		1048576UL
#define NR_GIVEN	40

/* What was reported, and how often while lg_lock was held. */
extern int bad_frees, while_locked;
/* Calls of the kernel, of all kinds and of some. */
extern unsigned int allocs, trims, publishes, calls;
/* The next call that frees waits until another thread yields. */
extern bool stays, inside;
extern unsigned int yields;
/* Of the map, for how far it goes. */
extern unsigned int probes;

/* A thread that frees some, and stays. */
struct helper {
	pthread_barrier_t step;
	struct goheap *as, *of;
	void *p[NR_GIVEN];
	bool done;
};

struct goheap_usage usage_of(struct goheap *h);
/* Another handle of the same heap, with a session of its own. */
struct goheap *second(struct goheap *h);

void test_given(struct goheap *h);
void test_exchanged(struct goheap *h);

#endif /* LG_EDGE_H */
