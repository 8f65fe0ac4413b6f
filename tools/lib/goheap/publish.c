// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * publish: words in shared memory that the kernel exchanges, with what they lead to.
 */
#include "epoch.h"
#include "held.h"
#include "object.h"
#include "session.h"

/* Exchanges of a call. */
#define BATCH		128
/* Attempts to find an entry that no other object gets first. */
#define TRIES		64

static uint64_t offset_of(const struct goheap *h, const void *p)
{
	return (uintptr_t)p - h->base;
}

/* These three return 0, or -1 with errno. */
static int add_give(struct goheap *h, struct goheap_swap *swap, const void *p)
{
	if (lg_object_is_kept(h, p)) {
		errno = ENOENT;
		return -1;
	}
	swap->give = offset_of(h, p);
	swap->from = lg_held_find(h, swap->give);
	swap->flags |= swap->from < GOHEAP_NR_DEFERRED ? GOHEAP_SWAP_GIVE_HELD :
							 GOHEAP_SWAP_GIVE;
	return 0;
}

static int add_take(struct goheap *h, struct goheap_swap *swap, const void *p,
		    unsigned int flags)
{
	swap->take = offset_of(h, p);
	if (flags) {
		swap->flags |= flags == GOHEAP_FREE_TAKEN ? GOHEAP_SWAP_FREE :
							    GOHEAP_SWAP_RETIRE;
		return 0;
	}
	if (lg_held_begin(h))
		return -1;
	swap->flags |= GOHEAP_SWAP_HOLD;
	swap->to = lg_held_room(h, swap->take);
	if (swap->to < GOHEAP_NR_DEFERRED)
		return 0;
	errno = ENOSPC;
	return -1;
}

static int swap_of(struct goheap *h, const struct goheap_exchange *x,
		   struct goheap_swap *swap)
{
	int err = 0;

	*swap = (struct goheap_swap){
		.at = offset_of(h, x->at),
		.expect = x->expect,
		.value = x->value,
	};
	if (x->flags > GOHEAP_RETIRE_TAKEN) {
		errno = EINVAL;
		return -1;
	}
	if (x->flags == GOHEAP_RETIRE_TAKEN && h->version < LG_VERSION_READERS) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (x->give)
		err = add_give(h, swap, x->give);
	if (!err && x->take)
		err = add_take(h, swap, x->take, x->flags);
	return err;
}

/* A signal may end the wait for what was retired, which is no reason to give up. */
static int call(struct goheap *h, struct goheap_publish *req)
{
	int ret;

	if (h->version >= LG_VERSION_READERS && lg_epoch_is_inside(h))
		req->flags = GOHEAP_PUBLISH_NOWAIT;
	do {
		ret = lg_session_ioctl(h, GOHEAP_IOC_PUBLISH, req);
	} while (ret && errno == EINTR);
	return ret;
}

/* Returns how many were tried; if that is not @n, *@err says why. */
static unsigned int publish_some(struct goheap *h, struct goheap_exchange *x,
				 unsigned int n, int *err)
{
	struct goheap_swap swaps[BATCH];
	struct goheap_publish req = {
		.size = sizeof(req),
		.swaps = (uintptr_t)swaps,
	};
	unsigned int i, tried = 0;

	*err = 0;
	while (req.count < n && !*err) {
		if (swap_of(h, x + req.count, swaps + req.count))
			*err = errno;
		else
			req.count++;
	}
	if (req.count) {
		/* It stays 0 if the call itself is refused. */
		if (call(h, &req)) {
			*err = errno;
			tried = req.bad;
		} else {
			tried = req.count;
		}
	}
	for (i = 0; i < tried; i++) {
		x[i].value = swaps[i].value;
		x[i].done = swaps[i].value == x[i].expect;
	}
	return tried;
}

LG_EXPORT int goheap_publish(struct goheap *h, struct goheap_exchange *x,
			     size_t n)
{
	unsigned int tries = 0;
	size_t i;
	int err;

	for (i = 0; i < n; i++)
		x[i].done = -1;
	if (lg_session_fd(h) >= 0 && h->version < 2) {
		errno = EOPNOTSUPP;
		return -1;
	}
	while (n) {
		unsigned int done = publish_some(h, x, n < BATCH ? n : BATCH,
						 &err);

		x += done;
		n -= done;
		/* What could not be prepared before those that are done, may be now. */
		if (!err || done) {
			tries = 0;
			continue;
		}
		/* Another object may have the entry by now. */
		if (err != EBUSY || !x->take || ++tries == TRIES) {
			errno = err;
			return -1;
		}
	}
	return 0;
}
