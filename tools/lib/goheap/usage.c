// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * usage: quota, statistics and trimming.
 */
#include <sys/ioctl.h>

#include "books.h"
#include "cache.h"
#include "lock.h"
#include "session.h"

LG_EXPORT int goheap_set_quota(struct goheap *h, uint64_t bytes)
{
	struct goheap_limit req = {
		.size = sizeof(req),
		.flags = GOHEAP_LIMIT_SET,
		.limit = bytes,
	};

	if (lg_is_private(h))
		return lg_books_set_quota(h, bytes);
	return lg_session_ioctl(h, GOHEAP_IOC_LIMIT, &req);
}

LG_EXPORT int goheap_view(struct goheap *h, unsigned int flags, uint64_t quota,
			  unsigned int max_sessions)
{
	struct goheap_view req = {
		.size = sizeof(req),
		.flags = flags,
		.quota = quota,
		.max_sessions = max_sessions,
	};

	if (lg_is_private(h)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return ioctl(h->fd, GOHEAP_IOC_VIEW, &req) ? -1 : req.fd;
}

LG_EXPORT int goheap_usage(struct goheap *h, struct goheap_usage *usage)
{
	*usage = (struct goheap_usage){ .size = sizeof(*usage) };
	if (lg_is_private(h))
		return lg_books_usage(h, usage);
	/* A view may allow no session. */
	if (lg_session_attach(h) < 0 && (errno == EBADF || errno == EPERM))
		return ioctl(h->fd, GOHEAP_IOC_STATS, usage);
	return lg_session_ioctl(h, GOHEAP_IOC_STATS, usage);
}

LG_EXPORT size_t goheap_cached(struct goheap *h)
{
	return lg_cache_bytes_all(h) + h->kept.bytes +
	       __atomic_load_n(&h->stock_bytes, __ATOMIC_RELAXED);
}

static size_t trim_private(struct goheap *h)
{
	size_t after, before = lg_books_bytes(h);

	lg_cache_trim(h);
	after = lg_books_bytes(h);
	return after < before ? before - after : 0;
}

LG_EXPORT size_t goheap_trim(struct goheap *h)
{
	struct goheap_usage before, after;

	if (lg_is_private(h))
		return trim_private(h);
	if (goheap_usage(h, &before))
		return 0;
	lg_cache_trim(h);
	if (goheap_usage(h, &after) ||
	    after.session_bytes > before.session_bytes)
		return 0;
	return before.session_bytes - after.session_bytes;
}
