// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * session: attaching to a heap, and noticing that the session has ended.
 */
#include <sys/ioctl.h>

#include "deferred.h"
#include "lock.h"
#include "session.h"
#include "sys.h"

static int attach(struct goheap *h)
{
	struct goheap_attach req = { .size = sizeof(req) };

	if (ioctl(h->fd, GOHEAP_IOC_ATTACH, &req))
		return -1;
	h->session = req.session;
	h->own = GOHEAP_PAGE_USED | req.session;
	lg_deferred_map(h, req.fd);
	__atomic_store_n(&h->session_fd, lg_sys_high_fd(req.fd),
			 __ATOMIC_RELEASE);
	return 0;
}

/**
 * lg_session_attach() - begin the session, if that has not happened
 * @h: the heap
 *
 * Return: its descriptor; -1 with errno, which is EOWNERDEAD if it has ended, and
 * EOPNOTSUPP if the heap is private.
 */
int lg_session_attach(struct goheap *h)
{
	int fd;

	if (lg_is_private(h)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	pthread_mutex_lock(&h->session_lock);
	fd = h->session_fd;
	if (fd == LG_LOST)
		errno = EOWNERDEAD;
	else if (fd < 0 && !attach(h))
		fd = h->session_fd;
	pthread_mutex_unlock(&h->session_lock);
	return fd < 0 ? -1 : fd;
}

/* Whether the page map shows that the session still has objects. */
static bool has_pages(const struct goheap *h)
{
	uint64_t i, known = __atomic_load_n(&h->known, __ATOMIC_RELAXED);

	for (i = 0; i < known >> LG_ARENA_SHIFT << LG_MAP_SHIFT; i++)
		if ((__atomic_load_n(&h->map[i], __ATOMIC_RELAXED) &
		     LG_OWN_MASK & ~GOHEAP_PAGE_TYPED) == h->own)
			return true;
	return false;
}

/*
 * The program closed the session @fd. The number may be a descriptor of the
 * program's by now, so it must not be used again.
 */
static void lose(struct goheap *h, int fd)
{
	struct goheap_info info = { .size = sizeof(info) };

	pthread_mutex_lock(&h->session_lock);
	if (h->session_fd == fd) {
		__atomic_store_n(&h->session_fd, LG_LOST, __ATOMIC_RELEASE);
		if (ioctl(h->fd, GOHEAP_IOC_INFO, &info))
			h->fd = -1;
	}
	pthread_mutex_unlock(&h->session_lock);
}

/**
 * lg_session_error() - find out what the failure of a call on the session means
 * @h: the heap
 * @fd: the descriptor that was used
 * @err: the error number
 *
 * If the descriptor is closed, or belongs to another file now, there are two
 * cases. The session has no pages any more: it has ended, and the result is
 * EOWNERDEAD. Or it has: then only this process, a child after vfork(), or this
 * thread has closed its copy of the descriptor. The result is EPERM, which is what
 * the kernel says when another process makes the call.
 *
 * Return: an error number.
 */
int lg_session_error(struct goheap *h, int fd, int err)
{
	if (err == EBADF || err == ENOTTY) {
		err = has_pages(h) ? EPERM : EOWNERDEAD;
		if (err == EOWNERDEAD)
			lose(h, fd);
	}
	return err;
}

/**
 * lg_session_ioctl() - make a call on the session
 * @h: the heap
 * @cmd: GOHEAP_IOC_*
 * @req: its structure
 *
 * Return: 0; -1 with errno, which is EOWNERDEAD if the session has ended.
 */
int lg_session_ioctl(struct goheap *h, unsigned long cmd, void *req)
{
	int ret = -1, fd;

	fd = lg_session_fd(h);
	if (fd >= 0)
		ret = ioctl(fd, cmd, req);
	if (ret && fd >= 0)
		errno = lg_session_error(h, fd, errno);
	return ret;
}

/**
 * lg_session_close() - close this process's descriptor of the session
 * @h: the heap
 *
 * That ends the session, unless this is a child: it is the parent's then.
 */
void lg_session_close(struct goheap *h)
{
	if (h->session_fd >= 0)
		lg_sys_close(h->session_fd);
	h->session_fd = LG_NO_SESSION;
	h->session = 0;
	/* No entry of the page map is like this. */
	h->own = ~0ULL;
}
