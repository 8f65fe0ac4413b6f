// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * epoch: reading what others may take out and retire. See include/uapi/linux/goheap.h and
 * the kernel's mm/user/epoch.c.
 */
#include "cache.h"
#include "epoch.h"
#include "later.h"
#include "lock.h"
#include "object.h"
#include "reader.h"
#include "report.h"
#include "session.h"

static noinline int enter_first(struct goheap *h)
{
	struct lg_cache *c;

	if (lg_is_private(h)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	c = lg_cache_get(h);
	if (!c) {
		errno = ENOMEM;
		return -1;
	}
	if (!c->reader && !lg_reader_take(h, c))
		return -1;
	return goheap_enter(h);
}

LG_EXPORT int goheap_enter(struct goheap *h)
{
	struct lg_cache *c = lg_cache_tls[h->slot];

	if (unlikely(c->id != h->id || !c->reader))
		return enter_first(h);
	if (c->inside++)
		return 0;
	/* Only this thread writes there. */
	__atomic_store_n(&c->reader->count, c->reader->count + 1,
			 __ATOMIC_RELAXED);
	/* What is read from now on is read after it, as far as the compiler goes. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return 0;
}

LG_EXPORT void goheap_exit(struct goheap *h)
{
	struct lg_cache *c = lg_cache_tls[h->slot];

	/* A child is not inside, though its parent was. */
	if (unlikely(c->id != h->id || !c->inside))
		return;
	if (!--c->inside)
		__atomic_store_n(&c->reader->count, c->reader->count + 1,
				 __ATOMIC_RELEASE);
}

/**
 * lg_epoch_is_inside() - does this thread read?
 * @h: the heap
 *
 * Return: whether it does. It must not wait for a grace period then.
 */
bool lg_epoch_is_inside(const struct goheap *h)
{
	const struct lg_cache *c = lg_cache_tls[h->slot];

	return c->id == h->id && c->inside;
}

/* Has this process freed it, though the kernel does not know yet? */
static bool is_freed(struct goheap *h, const void *p)
{
	size_t bytes;

	if (lg_object_is_kept(h, p))
		return true;
	bytes = lg_object_size(h, p);
	return bytes && bytes <= LG_MAX_SMALL && lg_later_has(h, p, bytes);
}

/* Returns how many are done with; if that is not @n, *@err says why. */
static unsigned int retire_some(struct goheap *h, void *const *objects,
				unsigned int n, int *err)
{
	uint64_t offsets[GOHEAP_MAX_BATCH];
	struct goheap_batch req = {
		.size = sizeof(req),
		.flags = lg_epoch_is_inside(h) ? GOHEAP_RETIRE_NOWAIT : 0,
		.offsets = (uintptr_t)offsets,
		.bad = n,
	};
	int ret;

	*err = 0;
	for (; req.count < n; req.count++) {
		if (is_freed(h, objects[req.count]))
			break;
		offsets[req.count] = (uintptr_t)objects[req.count] - h->base;
	}
	if (!req.count) {
		lg_report_bad_free(h, objects[0], ENOENT);
		return 1;
	}
	do {
		ret = lg_session_ioctl(h, GOHEAP_IOC_RETIRE, &req);
	} while (ret && errno == EINTR);
	if (!ret)
		return req.count;
	/* It stays so if the call itself is refused. */
	if (req.bad < req.count) {
		lg_report_bad_free(h, objects[req.bad], errno);
		return req.bad + 1;
	}
	*err = errno;
	return 0;
}

LG_EXPORT int goheap_retire(struct goheap *h, void *const *objects, size_t n)
{
	unsigned int some, done;
	int err;

	if (lg_session_fd(h) >= 0 && h->version < LG_VERSION_READERS) {
		errno = EOPNOTSUPP;
		return -1;
	}
	for (; n; objects += done, n -= done) {
		some = n < GOHEAP_MAX_BATCH ? n : GOHEAP_MAX_BATCH;
		done = retire_some(h, objects, some, &err);
		if (err) {
			errno = err;
			return -1;
		}
	}
	return 0;
}
