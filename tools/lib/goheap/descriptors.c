// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * descriptors: programs do not close what they never opened.
 *
 * The session, and with it all memory of malloc(), ends when the process closes its
 * descriptor. Programs that become daemons close all descriptors that there may be;
 * for them ours are not there. The library itself closes by the system call.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

static bool is_ours(int fd)
{
	const struct goheap *h = &lg_heaps[0];

	return h->id && fd >= 0 && (fd == h->fd || fd == h->session_fd);
}

static int refuse(int err)
{
	errno = err;
	return -1;
}

LG_EXPORT int close(int fd)
{
	return unlikely(is_ours(fd)) ? refuse(EBADF) : __close(fd);
}

/* What is no descriptor is more than any. */
static unsigned int not_below(int fd, unsigned int from)
{
	return fd >= 0 && (unsigned int)fd >= from ? (unsigned int)fd : ~0U;
}

/* The one that is lower, or more than any. */
static unsigned int next_of_ours(unsigned int from)
{
	const struct goheap *h = &lg_heaps[0];
	unsigned int a = not_below(h->fd, from);
	unsigned int b = not_below(h->session_fd, from);

	if (!h->id)
		return ~0U;
	return a < b ? a : b;
}

static int range(unsigned int first, unsigned int last, int flags)
{
	return first > last ? 0 :
	       syscall(SYS_close_range, first, last, flags);
}

LG_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	unsigned int ours;

	if (first > last)
		return refuse(EINVAL);
	while ((ours = next_of_ours(first)) <= last && ours != ~0U) {
		if (ours > first && range(first, ours - 1, flags))
			return -1;
		first = ours + 1;
	}
	return range(first, last, flags);
}

LG_EXPORT void closefrom(int first)
{
	close_range(first < 0 ? 0 : first, ~0U, 0);
}

/* As if somebody else were about to open it. */
LG_EXPORT int dup2(int from, int to)
{
	return is_ours(to) && from != to ? refuse(EBUSY) : __dup2(from, to);
}

LG_EXPORT int dup3(int from, int to, int flags)
{
	return is_ours(to) ? refuse(EBUSY) :
	       syscall(SYS_dup3, from, to, flags);
}
