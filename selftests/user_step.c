// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins of an object of a user heap, interrupted at every instruction: makes the
 * object, and reads the results of goheap_step.ko.
 */
#include "user_test.h"

#define MODULE	"/lib/goheap/goheap_step.ko"
#define STEP	"/sys/kernel/debug/goheap_step/"
#define SMALL	64UL
/* More than a page, so that it has to be mapped. */
#define LARGE	(100UL << 10)

static unsigned int results, failures;

static void result(bool good, const char *text)
{
	results++;
	failures += !good;
	printf("%sok %u - %s", good ? "" : "not ", results, text);
}

/* Each line of a path's file is a result, or a comment. */
static void run(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];

	if (!f)
		result(false, "a path is not there\n");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "ok - ", 5))
			result(true, line + 5);
		else if (!strncmp(line, "not ok - ", 9))
			result(false, line + 9);
		else
			fputs(line, stdout);
	}
	if (f)
		fclose(f);
}

static void step(int heap, int ss, __u64 length)
{
	__s64 at = alloc_one(ss, length);
	FILE *f = fopen(STEP "user", "w");

	if (at < 0 || !f || fprintf(f, "%d %lld %llu", heap, at, length) < 0 ||
	    fclose(f)) {
		result(false, "no object\n");
		return;
	}
	run(STEP "pin");
	run(STEP "unpin");
	if (free_one(ss, at))
		result(false, "the object is still pinned\n");
}

/* Otherwise a task that is woken waits until the path ends, or sleeps. */
static void preempt_fully(void)
{
	FILE *f = fopen("/sys/kernel/debug/sched/preempt", "w");

	if (!f)
		return;
	fputs("full", f);
	fclose(f);
}

int main(void)
{
	int heap, ss, module = open(MODULE, O_RDONLY | O_CLOEXEC);

	if (module < 0) {
		puts("1..0 # SKIP no single steps on this machine");
		return 4;
	}
	if (syscall(SYS_finit_module, module, "", 0)) {
		puts("1..0 # SKIP no single steps on this processor");
		return 4;
	}
	close(module);
	preempt_fully();
	heap = heap_open();
	ss = attach(heap);
	step(heap, ss, SMALL);
	step(heap, ss, LARGE);
	syscall(SYS_delete_module, "goheap_step", O_NONBLOCK);
	printf("1..%u\n", results);
	return failures != 0;
}
