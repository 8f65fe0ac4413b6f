/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * counts: instructions of calls, by what keeps others waiting meanwhile.
 */
#ifndef GOHEAP_BENCH_COUNTS_H
#define GOHEAP_BENCH_COUNTS_H

#include <linux/types.h>

/* Where stretches begin: different instructions, at most. */
#define BENCH_SITES	1024

/**
 * enum bench_stretch - instructions in a row with something in common
 * @BENCH_IRQS_OFF: interrupts are off
 * @BENCH_PREEMPT_OFF: the task cannot be preempted, for whatever reason
 * @BENCH_HELD: a spinlock is held
 * @BENCH_KERNEL_IRQS_OFF: as the first, where a function of the kernel began it
 * @BENCH_KERNEL_PREEMPT_OFF: as the second, likewise
 * @BENCH_KERNEL_HELD: as the third, likewise
 * @BENCH_NR_STRETCHES: number of kinds
 */
enum bench_stretch {
	BENCH_IRQS_OFF,
	BENCH_PREEMPT_OFF,
	BENCH_HELD,
	BENCH_KERNEL_IRQS_OFF,
	BENCH_KERNEL_PREEMPT_OFF,
	BENCH_KERNEL_HELD,
	BENCH_NR_STRETCHES
};

extern const char *const bench_stretch_names[BENCH_NR_STRETCHES];

/**
 * struct bench_counts - instructions of calls
 * @all: all of them
 * @locked: those with a lock held
 * @locks: locks taken
 * @atomics: atomic instructions
 * @longest: the longest stretches
 * @filled: bytes written by memset() and memcpy() without preemption, at most
 */
struct bench_counts {
	u64 all;
	u64 locked;
	u64 locks;
	u64 atomics;
	u32 longest[BENCH_NR_STRETCHES];
	u32 filled;
};

/**
 * struct bench_site - where stretches began
 * @ip: address of the first instruction, or of the call that took the lock; or 0
 * @longest: the longest stretches
 */
struct bench_site {
	unsigned long ip;
	u32 longest[BENCH_NR_STRETCHES];
};

int bench_counts_init(void);
int bench_counts_exit(void);
bool bench_counts_begin(struct bench_counts *c);
void bench_counts_end(void);
const struct bench_site *bench_counts_site(unsigned int i);

#endif
