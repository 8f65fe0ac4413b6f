// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * report: errors that no return value can tell the program about.
 *
 * stdio is not used for output: it may allocate, and a program that frees the wrong
 * thing may have damaged its streams.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "report.h"

static goheap_bad_free_fn bad_free_fn;

static const char *bad_text(int err)
{
	switch (err) {
	case ENOENT:
		return "is free already";
	case EPERM:
		return "belongs to another process";
	case EBUSY:
		return "is held by the kernel and stays";
	default:
		return "is not the start of an object";
	}
}

/**
 * lg_report_bad_free() - report an address that cannot be freed
 * @h: the heap, or NULL
 * @p: the address
 * @err: why, see &goheap_bad_free_fn
 *
 * errno is kept. Without a function of the program's, it aborts, unless @err is
 * EBUSY.
 */
void lg_report_bad_free(struct goheap *h, const void *p, int err)
{
	goheap_bad_free_fn fn = __atomic_load_n(&bad_free_fn, __ATOMIC_ACQUIRE);
	int len, saved = errno;
	char text[128];

	if (fn)
		return fn(h, p, err);
	len = snprintf(text, sizeof(text), "goheap: bad free: %p %s\n", p,
		       bad_text(err));
	if (write(STDERR_FILENO, text, len) != len || err != EBUSY)
		abort();
	errno = saved;
}

LG_EXPORT goheap_bad_free_fn goheap_on_bad_free(goheap_bad_free_fn fn)
{
	return __atomic_exchange_n(&bad_free_fn, fn, __ATOMIC_ACQ_REL);
}
