// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * heap: opening and closing.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "books.h"
#include "cache.h"
#include "deferred.h"
#include "device.h"
#include "fork.h"
#include "held.h"
#include "kernel.h"
#include "later.h"
#include "lock.h"
#include "session.h"
#include "stock.h"
#include "sys.h"
#include "window.h"

#define DEVICE		"/dev/goheap"

/* Protected by lg_lock. */
static uint64_t last_id;

static void heap_reset(struct goheap *h)
{
	memset(h, 0, sizeof(*h));
	h->slot = h - lg_heaps;
	h->fd = -1;
	h->session_fd = LG_NO_SESSION;
	/* No entry of the page map is like this. */
	h->own = ~0ULL;
	h->cookie = lg_sys_random() | 1;
	lg_lock_init(h);
}

static void unmap(struct goheap *h)
{
	if (lg_is_private(h))
		lg_books_end(h);
	else
		lg_window_unmap(h);
}

/* On failure, @h->fd stays open. */
static int heap_begin(struct goheap *h)
{
	if (lg_is_private(h) ? lg_books_begin(h) : lg_device_begin(h))
		return -1;
	if (lg_stock_setup(h) || lg_cache_prepare(h)) {
		lg_stock_release(h);
		unmap(h);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static struct goheap *heap_slot(void)
{
	unsigned int i;

	for (i = 0; i < LG_HEAPS; i++) {
		if (i == lg_nheaps)
			lg_nheaps++;
		if (!lg_heaps[i].id)
			return &lg_heaps[i];
	}
	errno = EMFILE;
	return NULL;
}

static int init_once(void)
{
	static bool done;

	if (done)
		return 0;
	errno = lg_cache_init();
	if (!errno)
		errno = lg_fork_init();
	done = !errno;
	return done ? 0 : -1;
}

/* lg_lock is held. On failure, @fd stays open. */
static struct goheap *heap_new(int fd, unsigned int flags)
{
	struct goheap *h = init_once() ? NULL : heap_slot();
	int err;

	if (!h)
		return NULL;
	heap_reset(h);
	h->fd = fd;
	h->flags = flags;

	if (heap_begin(h)) {
		err = errno;
		heap_reset(h);
		errno = err;
		return NULL;
	}
	h->id = ++last_id;
	return h;
}

static struct goheap *heap_open(int fd, unsigned int flags)
{
	struct goheap *h;
	int err;

	if (unlikely(!*lg_alive))
		lg_fork_found();
	pthread_mutex_lock(&lg_lock);
	h = heap_new(fd, flags);
	err = errno;
	pthread_mutex_unlock(&lg_lock);
	errno = err;
	return h;
}

/* Takes over the descriptor, and closes it on failure. */
static struct goheap *heap_open_fd(int fd, unsigned int flags)
{
	struct goheap *h = fd < 0 ? NULL : heap_open(fd, flags & GOHEAP_FIXED);
	int err = errno;

	if (!h && fd >= 0)
		lg_sys_close(fd);
	errno = err;
	return h;
}

static bool flags_go_with(const char *path, unsigned int flags)
{
	switch (flags & ~GOHEAP_FIXED) {
	case 0:
		return true;
	case GOHEAP_PRIVATE:
		return !path && !(flags & GOHEAP_FIXED);
	case GOHEAP_CREATE:
		return path;
	default:
		return false;
	}
}

LG_EXPORT struct goheap *goheap_open(const char *path, unsigned int flags)
{
	if (!flags_go_with(path, flags)) {
		errno = EINVAL;
		return NULL;
	}
	if (flags & GOHEAP_PRIVATE)
		return heap_open(-1, flags);
	return heap_open_fd(lg_device_open(path ? path : DEVICE,
					   flags & GOHEAP_CREATE), flags);
}

LG_EXPORT struct goheap *goheap_open_fd(int fd, unsigned int flags)
{
	int dup;

	if (flags & ~GOHEAP_FIXED) {
		errno = EINVAL;
		return NULL;
	}
	dup = fcntl(fd, F_DUPFD_CLOEXEC, LG_HIGH_FD);
	if (dup < 0)
		dup = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return heap_open_fd(dup, flags);
}

LG_EXPORT void goheap_close(struct goheap *h)
{
	if (!h)
		return;

	/* The session's end would do it, but not tell of bad frees. */
	lg_later_flush_all(h);
	lg_held_flush(h);
	lg_kernel_unpark(h);

	if (unlikely(!*lg_alive))
		lg_fork_found();
	lg_cache_lock_heap(h);
	lg_cache_forget_all(h);
	lg_kernel_forget(h);
	lg_session_close(h);
	lg_deferred_unmap(h);
	unmap(h);
	lg_stock_release(h);
	if (h->fd >= 0)
		lg_sys_close(h->fd);
	heap_reset(h);
	lg_cache_unlock_heap();
}

LG_EXPORT int goheap_fd(const struct goheap *h)
{
	return h->fd;
}

LG_EXPORT uint32_t goheap_session(struct goheap *h)
{
	return lg_session_attach(h) < 0 ? 0 : h->session;
}
