// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * kernel: the system calls that allocate, free, resize and trim; for a private heap, what
 * does the same without them.
 */
#include <sys/ioctl.h>

#include "books.h"
#include "kernel.h"
#include "lock.h"
#include "object.h"
#include "report.h"
#include "session.h"
#include "sys.h"

/* The kernel frees so many without allocating memory for the call. */
#define FREE_ALWAYS	64

static int free_offsets(struct goheap *h, uint64_t *offsets, unsigned int n,
			unsigned int *bad)
{
	struct goheap_batch req = {
		.size = sizeof(req),
		.offsets = (uintptr_t)offsets,
		.count = n,
		/* It stays so if the call itself is refused, as after vfork(). */
		.bad = n,
	};
	int err = 0;

	if (ioctl(h->session_fd, GOHEAP_IOC_FREE, &req))
		err = errno;
	*bad = req.bad;
	return err;
}

/* ---- allocating --------------------------------------------------------- */

/* Make pointers of offsets. Those beyond what is mapped here are freed again. */
static unsigned int to_pointers(struct goheap *h, void **objects,
				unsigned int n, size_t size)
{
	unsigned int i, bad, got = 0;

	for (i = 0; i < n; i++) {
		uint64_t offset = (uintptr_t)objects[i];

		if (likely(offset + size <= h->window)) {
			lg_object_note_known(h, offset + size);
			if (size > LG_MAX_SMALL)
				h->npages[offset >> LG_PAGE_SHIFT] =
					(size + LG_PAGE_SIZE - 1) >> LG_PAGE_SHIFT;
			objects[got++] = (void *)(h->base + offset);
		} else {
			free_offsets(h, &offset, 1, &bad);
		}
	}
	return got;
}

static int alloc_offsets(struct goheap *h, struct goheap_alloc_req *req)
{
	int ret, fd = lg_session_fd(h);

	if (fd < 0) {
		if (errno == EBADF)
			errno = EPERM;
		if (errno != EOWNERDEAD && errno != EPERM)
			errno = ENOMEM;
		return -1;
	}
	do
		ret = ioctl(fd, GOHEAP_IOC_ALLOC, req);
	while (ret && errno == EINTR);
	if (!ret)
		return 0;

	errno = lg_session_error(h, fd, errno);
	if (req->type && (errno == EINVAL || errno == ENOENT))
		errno = EINVAL;
	else if (errno != EPERM && errno != EOWNERDEAD)
		errno = ENOMEM;
	return -1;
}

static unsigned int alloc(struct goheap *h, struct goheap_alloc_req *req)
{
	void **objects = (void **)(uintptr_t)req->offsets;
	unsigned int got = 0;
	int err;

	if (lg_kernel_too_long(h, req->length)) {
		errno = ENOMEM;
		return 0;
	}

	err = alloc_offsets(h, req) ? errno : 0;
	if (!err)
		got = to_pointers(h, objects, req->count, req->length);

	if (!got)
		errno = err ? err : ENOMEM;
	return got;
}

/**
 * lg_kernel_alloc() - allocate small objects
 * @h: the heap
 * @class: their size class
 * @objects: where they go
 * @n: how many, up to GOHEAP_MAX_BATCH
 *
 * Return: how many there are; if none, errno is ENOMEM, EPERM or EOWNERDEAD, or EAGAIN,
 * see lg_enter(). After ENOMEM, lg_cache_reclaim() may make another call succeed.
 */
unsigned int lg_kernel_alloc(struct goheap *h, unsigned int class,
			     void **objects, unsigned int n)
{
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.length = h->class[class].size,
		.offsets = (uintptr_t)objects,
		.count = n,
	};

	if (lg_is_private(h))
		return lg_books_alloc(h, class, objects, n);
	return alloc(h, &req);
}

/**
 * lg_kernel_alloc_large() - allocate a large object
 * @h: the heap
 * @size: bytes
 * @align: bytes, or 0
 * @zero: it must be zeroed; the kernel always does that
 *
 * Return: the object; NULL with errno as lg_kernel_alloc().
 */
void *lg_kernel_alloc_large(struct goheap *h, size_t size, size_t align,
			    bool zero)
{
	void *p = NULL;
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.length = size,
		.align = align,
		.offsets = (uintptr_t)&p,
		.count = 1,
	};

	if (!lg_is_private(h))
		return alloc(h, &req) ? p : NULL;
	if (!lg_kernel_too_long(h, size))
		return lg_books_alloc_large(h, size, align, zero);
	errno = ENOMEM;
	return NULL;
}

/**
 * lg_kernel_alloc_given() - allocate an object that is given
 * @h: the heap
 * @size: bytes
 *
 * Return: the object; NULL with errno as lg_kernel_alloc().
 */
void *lg_kernel_alloc_given(struct goheap *h, size_t size)
{
	void *p = NULL;
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.flags = GOHEAP_ALLOC_GIVEN,
		.length = size,
		.offsets = (uintptr_t)&p,
		.count = 1,
	};

	return alloc(h, &req) ? p : NULL;
}

/**
 * lg_kernel_alloc_typed() - allocate an object of a type
 * @h: the heap
 * @type: the type's number
 * @size: bytes
 *
 * Return: the object, zeroed; NULL with errno as lg_kernel_alloc(), or EINVAL if there
 * is no such type, or its objects have another length.
 */
void *lg_kernel_alloc_typed(struct goheap *h, uint32_t type, size_t size)
{
	void *p = NULL;
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.flags = GOHEAP_ALLOC_ZERO,
		.length = size,
		.offsets = (uintptr_t)&p,
		.count = 1,
		.type = type,
	};

	return alloc(h, &req) ? p : NULL;
}

/**
 * lg_kernel_resize() - change the length of a large object in place
 * @h: the heap
 * @p: its start
 * @size: bytes, more than LG_MAX_SMALL
 *
 * Return: 0, or -1 with errno.
 */
int lg_kernel_resize(struct goheap *h, void *p, size_t size)
{
	struct goheap_resize req = {
		.size = sizeof(req),
		.offset = (uintptr_t)p - h->base,
		.length = size,
	};

	if (lg_is_private(h))
		return lg_books_resize(h, p, size);
	if (req.offset + size > h->window ||
	    lg_session_ioctl(h, GOHEAP_IOC_RESIZE, &req))
		return -1;
	lg_object_note_known(h, req.offset + size);
	h->npages[req.offset >> LG_PAGE_SHIFT] =
		(size + LG_PAGE_SIZE - 1) >> LG_PAGE_SHIFT;
	return 0;
}

/* ---- freeing ------------------------------------------------------------ */

/* Report the object that was refused, and take it out of the batch. */
static void drop_refused(struct goheap *h, uint64_t *offsets, unsigned int n,
			 unsigned int bad, int err)
{
	uint64_t offset = offsets[bad];

	memmove(offsets + bad, offsets + bad + 1,
		(n - bad - 1) * sizeof(*offsets));
	lg_report_bad_free(h, (void *)(h->base + offset), err);
}

/*
 * The call itself was refused: this is a child after vfork(), or a thread that has
 * descriptors of its own. The objects wait for a thread that may free them.
 */
static void park(struct goheap *h, const uint64_t *offsets, unsigned int n)
{
	struct lg_parked *some = lg_sys_map(sizeof(*some));

	/* Without memory, they stay allocated until the session ends. */
	if (!some)
		return;
	some->n = n;
	memcpy(some->offsets, offsets, n * sizeof(*offsets));
	some->next = __atomic_load_n(&h->parked, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&h->parked, &some->next, some,
					    false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}

/* Returns whether this thread may free. */
static bool free_some(struct goheap *h, uint64_t *offsets, unsigned int n)
{
	unsigned int bad, some, most = n;
	int err, fd;

	while (n) {
		some = n < most ? n : most;
		bad = some;
		fd = lg_session_fd(h);
		err = fd < 0 ? errno :
		      lg_session_error(h, fd,
				       free_offsets(h, offsets, some, &bad));

		if (!err) {
			offsets += some;
			n -= some;
		} else if (err == ENOMEM && some > FREE_ALWAYS) {
			most = FREE_ALWAYS;
		} else if (bad < some) {
			drop_refused(h, offsets, n, bad, err);
			n--;
		} else if (err != EINTR) {
			/* If the session has ended, all of it is free. */
			if (err != EOWNERDEAD)
				park(h, offsets, n);
			return false;
		}
	}
	return true;
}

/**
 * lg_kernel_unpark() - free what was parked, if this thread may
 * @h: the heap
 */
void lg_kernel_unpark(struct goheap *h)
{
	struct lg_parked *next, *some;

	some = __atomic_exchange_n(&h->parked, NULL, __ATOMIC_ACQUIRE);
	for (; some; some = next) {
		next = some->next;
		free_some(h, some->offsets, some->n);
		lg_sys_unmap(some, sizeof(*some));
	}
}

/**
 * lg_kernel_forget() - forget what was parked
 * @h: the heap, whose session ends or, in a child, is the parent's
 */
void lg_kernel_forget(struct goheap *h)
{
	struct lg_parked *next, *some;

	some = __atomic_exchange_n(&h->parked, NULL, __ATOMIC_ACQUIRE);
	for (; some; some = next) {
		next = some->next;
		lg_sys_unmap(some, sizeof(*some));
	}
}

/**
 * lg_kernel_free() - free objects
 * @h: the heap
 * @objects: addresses in the window
 * @n: how many
 *
 * Objects that the kernel refuses are reported. errno is kept.
 */
void lg_kernel_free(struct goheap *h, void **objects, unsigned int n)
{
	uint64_t offsets[LG_MAX_BATCH];
	int saved = errno;
	bool may = n;

	if (lg_is_private(h))
		return lg_books_free(h, objects, n);
	while (n) {
		unsigned int i, some = n < LG_MAX_BATCH ? n : LG_MAX_BATCH;

		for (i = 0; i < some; i++)
			offsets[i] = (uintptr_t)objects[i] - h->base;
		may &= free_some(h, offsets, some);
		objects += some;
		n -= some;
	}

	if (may && unlikely(__atomic_load_n(&h->parked, __ATOMIC_RELAXED)))
		lg_kernel_unpark(h);
	errno = saved;
}

/**
 * lg_kernel_trim() - have the kernel release what it keeps for the session
 * @h: the heap
 */
void lg_kernel_trim(struct goheap *h)
{
	struct goheap_trim req = { .size = sizeof(req) };

	if (lg_is_private(h))
		return lg_books_trim(h);
	lg_kernel_unpark(h);
	if (h->session_fd >= 0)
		ioctl(h->session_fd, GOHEAP_IOC_TRIM, &req);
}
