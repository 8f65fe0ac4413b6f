/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trap_resume: where code returns to that was executed without the trap flag: sets
 * the flag again and goes on where the code would have returned to. The first
 * exception comes there.
 */
#include <linux/linkage.h>
#include <asm/ibt.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>

SYM_FUNC_START(trap_resume)
	/* Code returns here, but objtool sees that the address is taken. */
	ENDBR
	pushfq
	orq	$X86_EFLAGS_TF, (%rsp)
	popfq
	ANNOTATE_RETPOLINE_SAFE
	jmp	*trap_return_to(%rip)
SYM_FUNC_END(trap_resume)
