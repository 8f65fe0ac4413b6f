// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * deferred: what this process shares with the kernel: its session's list of deferred frees,
 * and behind that its readers.
 */
#include <sys/mman.h>

#include "deferred.h"
#include "sys.h"

/* Older kernels have no readers. */
static size_t shared_bytes(const struct goheap *h)
{
	size_t n = GOHEAP_MMAP_READERS;

	if (h->version >= LG_VERSION_READERS)
		n += GOHEAP_NR_READERS * sizeof(struct goheap_reader);
	return n;
}

/**
 * lg_deferred_map() - map what a session that has just begun shares with the kernel
 * @h: the heap
 * @fd: the session
 *
 * Without it, objects are freed one by one, and nobody can read what others retire.
 */
void lg_deferred_map(struct goheap *h, int fd)
{
	void *p = mmap(NULL, shared_bytes(h), PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);

	if (p == MAP_FAILED)
		return;
	h->later = p;
	if (h->version >= LG_VERSION_READERS)
		h->readers = (void *)((char *)p + GOHEAP_MMAP_READERS);
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
	h->readers = NULL;
	memset(h->readers_used, 0, sizeof(h->readers_used));
}

/**
 * lg_deferred_unmap() - unmap the list
 * @h: the heap, which no thread uses
 */
void lg_deferred_unmap(struct goheap *h)
{
	lg_sys_unmap(h->later, shared_bytes(h));
	lg_deferred_forget(h);
}
