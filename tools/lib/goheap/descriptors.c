// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * descriptors: keep a program from closing the heap and its session.
 *
 * When the process closes the descriptor of the session, the session ends, and all
 * memory of malloc() is gone. Programs that become daemons close every descriptor
 * that there may be, so these functions behave as if ours did not exist. The library
 * itself closes them with lg_sys_close().
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "libc.h"
#include "lock.h"

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

/* A descriptor that is at least @from, or the highest number for none. */
static unsigned int not_below(int fd, unsigned int from)
{
	return fd >= 0 && (unsigned int)fd >= from ? (unsigned int)fd : ~0U;
}

/* The lower one of ours that is at least @from, or the highest number. */
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

/* EBUSY: as if another thread were just opening a file with this number. */
LG_EXPORT int dup2(int from, int to)
{
	return is_ours(to) && from != to ? refuse(EBUSY) : __dup2(from, to);
}

LG_EXPORT int dup3(int from, int to, int flags)
{
	return is_ours(to) ? refuse(EBUSY) :
	       syscall(SYS_dup3, from, to, flags);
}
