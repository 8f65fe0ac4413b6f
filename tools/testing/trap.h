/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trap: executes code of a task one instruction at a time.
 *
 * The trap flag makes the processor raise a debug exception after each
 * instruction. A die notifier sees it, in NMI context, before the kernel looks at
 * it. Interrupts clear the flag on entry and restore it on return, so they are not
 * stepped.
 *
 * Code is executed without the flag by replacing its return address with
 * trap_resume(), which sets the flag again. What sleeps must be executed so: else
 * the next task on the CPU would have the flag.
 *
 * One task is stepped at a time.
 */
#ifndef GOHEAP_TRAP_H
#define GOHEAP_TRAP_H

#include <linux/types.h>

struct pt_regs;

/* In trap_resume.S, and where it goes on. */
void trap_resume(void);
extern unsigned long trap_return_to;

/**
 * typedef trap_fn - called before each instruction
 * @regs: the registers
 *
 * Context: NMI.
 * Return: whether to step the instruction.
 */
typedef bool (*trap_fn)(struct pt_regs *regs);

int trap_init(trap_fn fn);
void trap_exit(void);
bool trap_claim(void);
void trap_begin(void);
bool trap_end(void);
void trap_run_freely(unsigned long *slot);

#endif /* GOHEAP_TRAP_H */
