// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork: what becomes of a heap in a child.
 *
 * The window is shared memory, and the session belongs to the parent. So a child
 * begins without a session and with empty magazines. For a heap that processes
 * share, that is all.
 *
 * A heap that stands in for malloc() must be private. With GOHEAP_FORK_COPY, the
 * child copies all of it to memory of its own at the same addresses, while the
 * thread of the parent that called fork() waits. The child cannot allocate from the
 * copy; it opens a heap of its own when it first allocates.
 *
 * Other threads of the parent run on. The locks keep them from freeing pages
 * meanwhile, but a store of theirs may or may not be in the copy.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "cache.h"
#include "deferred.h"
#include "fork.h"
#include "inherited.h"
#include "kept.h"
#include "kernel.h"
#include "lock.h"
#include "report.h"
#include "session.h"
#include "stock.h"
#include "sys.h"
#include "window.h"

/*
 * The parent waits until the child has closed the end that it writes to. -1 if no
 * heap is copied, or there is no descriptor left.
 */
static int done_pipe[2];

static bool is_copied(const struct goheap *h)
{
	return h->id && h->flags & GOHEAP_FORK_COPY && h->map;
}

static void prepare(void)
{
	unsigned int i;
	bool wait = false;

	pthread_mutex_lock(&lg_lock);
	for (i = 0; i < LG_HEAPS; i++) {
		wait |= is_copied(&lg_heaps[i]);
		if (lg_heaps[i].id)
			lg_lock_all(&lg_heaps[i]);
	}
	if (!wait || pipe2(done_pipe, O_CLOEXEC))
		done_pipe[0] = -1;
}

static void in_parent(void)
{
	unsigned int i;
	char c;

	if (done_pipe[0] >= 0) {
		lg_sys_close(done_pipe[1]);
		/* This also ends if there is no child, or if it has died. */
		while (read(done_pipe[0], &c, 1) < 0 && errno == EINTR)
			;
		lg_sys_close(done_pipe[0]);
	}

	for (i = 0; i < LG_HEAPS; i++)
		if (lg_heaps[i].id)
			lg_lock_release_all(&lg_heaps[i]);
	pthread_mutex_unlock(&lg_lock);
}

/* Keep a copy of the heap, and leave the heap itself to the parent. */
static void copy_and_leave(struct goheap *h)
{
	if (done_pipe[0] < 0)
		lg_report_fork("no descriptor is left");
	if (h->known)
		lg_inherited_copy(h);
	lg_window_unmap(h, h->known);
	if (h->fd >= 0)
		lg_sys_close(h->fd);
	h->fd = -1;
}

/* The session, and all that is free, belongs to the parent. */
static void forget_all(struct goheap *h)
{
	lg_cache_forget_all(h);
	lg_session_close(h);
	lg_deferred_forget(h);
	lg_kernel_forget(h);
	lg_stock_forget(h);
	lg_kept_forget(h);
	lg_lock_init(h);
}

static void in_child(void)
{
	pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
	unsigned int i;

	lg_lock = unlocked;
	for (i = 0; i < LG_HEAPS; i++) {
		struct goheap *h = &lg_heaps[i];

		if (!h->id)
			continue;
		if (is_copied(h))
			copy_and_leave(h);
		forget_all(h);
	}

	if (done_pipe[0] >= 0) {
		lg_sys_close(done_pipe[0]);
		lg_sys_close(done_pipe[1]);
	}
}

/**
 * lg_fork_init() - prepare for fork()
 *
 * Once in a process.
 *
 * Return: an error number, or 0.
 */
int lg_fork_init(void)
{
	return pthread_atfork(prepare, in_parent, in_child);
}
