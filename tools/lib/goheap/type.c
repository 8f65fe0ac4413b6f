// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * type: types of objects, which the kernel knows, and lists of given objects.
 */
#include <sys/ioctl.h>

#include "cache.h"
#include "kernel.h"
#include "lock.h"

/* Private heaps have no types: what they are for is what outlives a process. */
static bool is_possible(const struct goheap *h)
{
	if (!lg_is_private(h) && h->version >= 4)
		return true;
	errno = EOPNOTSUPP;
	return false;
}

static uint32_t call(struct goheap *h, const char *name,
		     struct goheap_type *req)
{
	size_t len = strlen(name);

	if (!is_possible(h))
		return 0;
	if (!len || len >= sizeof(req->name)) {
		errno = EINVAL;
		return 0;
	}
	memcpy(req->name, name, len);
	while (ioctl(h->fd, GOHEAP_IOC_TYPE, req)) {
		if (errno == EINTR)
			continue;
		/* A view for reading only. */
		if (errno == EBADF)
			errno = EPERM;
		return 0;
	}
	return req->type;
}

LG_EXPORT uint32_t goheap_type(struct goheap *h, const char *name, size_t size,
			       const uint64_t *refs, unsigned int words)
{
	struct goheap_type req = {
		.size = sizeof(req),
		.length = size,
		.refs = (uintptr_t)refs,
		.words = refs ? words : 0,
	};

	return call(h, name, &req);
}

LG_EXPORT uint32_t goheap_find_type(struct goheap *h, const char *name)
{
	struct goheap_type req = {
		.size = sizeof(req),
		.flags = GOHEAP_TYPE_FIND,
	};

	return call(h, name, &req);
}

LG_EXPORT void *goheap_new(struct goheap *h, uint32_t type, size_t size)
{
	void *p;

	if (!is_possible(h))
		return NULL;
	if (!size || !type) {
		errno = EINVAL;
		return NULL;
	}
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	p = lg_kernel_alloc_typed(h, type, size);
	if (!p && errno == ENOMEM && lg_cache_reclaim(h, size))
		p = lg_kernel_alloc_typed(h, type, size);
	return p;
}

LG_EXPORT int goheap_list(struct goheap *h, uint32_t type, uint64_t *from,
			  struct goheap_listed *objects, unsigned int n)
{
	struct goheap_list req = {
		.size = sizeof(req),
		.from = *from,
		.objects = (uintptr_t)objects,
		.type = type,
	};
	int ret;

	if (!is_possible(h))
		return -1;
	do {
		req.count = n < GOHEAP_MAX_BATCH ? n : GOHEAP_MAX_BATCH;
		ret = ioctl(h->fd, GOHEAP_IOC_LIST, &req);
	} while (ret ? errno == EINTR : !req.count && req.from < h->end);
	if (ret)
		return -1;
	*from = req.from;
	return req.count;
}
