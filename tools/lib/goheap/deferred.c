// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * deferred: the list of deferred frees that this process shares with the kernel.
 */
#include <sys/mman.h>

#include "deferred.h"
#include "sys.h"

#define LIST_BYTES	(GOHEAP_NR_DEFERRED * sizeof(uint64_t))

/**
 * lg_deferred_map() - map the list of a session that has just begun
 * @h: the heap
 * @fd: the session
 *
 * Without it, objects are freed one by one.
 */
void lg_deferred_map(struct goheap *h, int fd)
{
	void *p = mmap(NULL, LIST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);

	h->later = p == MAP_FAILED ? NULL : p;
}

/**
 * lg_deferred_forget() - forget the list, in a child: it is the parent's
 * @h: the heap
 *
 * It is not mapped there, and what lies in its place may be another's.
 */
void lg_deferred_forget(struct goheap *h)
{
	h->later = NULL;
	h->holds = false;
	h->held_freed = 0;
	memset(h->later_used, 0, sizeof(h->later_used));
}

/**
 * lg_deferred_unmap() - unmap the list
 * @h: the heap, which no thread uses
 */
void lg_deferred_unmap(struct goheap *h)
{
	lg_sys_unmap(h->later, LIST_BYTES);
	lg_deferred_forget(h);
}
