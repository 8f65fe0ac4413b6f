// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * kernel: the system calls that allocate and free.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

static int session_fd(struct goheap *h)
{
	int fd = __atomic_load_n(&h->session_fd, __ATOMIC_ACQUIRE);

	return fd >= 0 ? fd : lg_kernel_attach(h);
}

/* close() may be the preload library's, which spares our descriptors. */
void lg_close(int fd)
{
	syscall(SYS_close, fd);
}

/* Move a descriptor away from those that shells and daemons close unasked. */
int lg_high_fd(int fd)
{
	int high = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, LG_HIGH_FD);

	if (high < 0)
		return fd;
	lg_close(fd);
	return high;
}

static int attach(struct goheap *h)
{
	struct goheap_attach req = { .size = sizeof(req) };

	if (!h->map && lg_reopen(h))
		return -1;
	if (ioctl(h->fd, GOHEAP_IOC_ATTACH, &req))
		return -1;
	h->session = req.session;
	h->own = GOHEAP_PAGE_USED | req.session;
	__atomic_store_n(&h->session_fd, lg_high_fd(req.fd), __ATOMIC_RELEASE);
	return 0;
}

/* Begin the session. Returns its descriptor, or -1 with errno. */
int lg_kernel_attach(struct goheap *h)
{
	int fd;

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

	for (i = 0; i < known >> LG_PAGE_SHIFT; i++)
		if ((__atomic_load_n(&h->map[i], __ATOMIC_RELAXED) &
		     LG_OWN_MASK) == h->own)
			return true;
	return false;
}

/* The program closed the session @fd: its number is the program's from now on. */
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

/*
 * What a call on the session @fd failed with. If the descriptor is closed, or
 * something else by now, the session ended: EOWNERDEAD. Or it did not, and only
 * this child after vfork(), or this thread, has closed a copy: EPERM, which the
 * kernel would have said.
 */
static int reason(struct goheap *h, int fd, int err)
{
	if (err == EBADF || err == ENOTTY) {
		err = has_pages(h) ? EPERM : EOWNERDEAD;
		if (err == EOWNERDEAD)
			lose(h, fd);
	}
	return err;
}

/**
 * lg_session_ioctl() - a call on the session
 * @h: the heap
 * @cmd: GOHEAP_IOC_*
 * @req: its structure
 *
 * Return: 0; -1 with errno, which is EOWNERDEAD if the session ended.
 */
int lg_session_ioctl(struct goheap *h, unsigned long cmd, void *req)
{
	int ret = -1, fd;

	pthread_rwlock_rdlock(&h->io);
	fd = session_fd(h);
	if (fd >= 0)
		ret = ioctl(fd, cmd, req);
	if (ret && fd >= 0)
		errno = reason(h, fd, errno);
	pthread_rwlock_unlock(&h->io);
	return ret;
}

/* The heap has page maps as far as it has objects. */
static void note_known(struct goheap *h, uint64_t end)
{
	uint64_t known = __atomic_load_n(&h->known, __ATOMIC_RELAXED);

	end = (end + LG_ARENA_SIZE - 1) & -LG_ARENA_SIZE;
	while (end > known && end <= h->window &&
	       !__atomic_compare_exchange_n(&h->known, &known, end, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static int free_offsets(struct goheap *h, uint64_t *offsets, unsigned int n,
			unsigned int *bad)
{
	struct goheap_batch req = {
		.size = sizeof(req),
		.offsets = (uintptr_t)offsets,
		.count = n,
		/* If the call itself is refused, as after vfork(). */
		.bad = n,
	};
	int err = 0;

	if (ioctl(h->session_fd, GOHEAP_IOC_FREE, &req))
		err = errno;
	*bad = req.bad;
	return err;
}

/* Offsets beyond what is mapped here are of no use: give them back. */
static unsigned int to_pointers(struct goheap *h, void **objects,
				unsigned int n, size_t size)
{
	unsigned int i, bad, got = 0;

	for (i = 0; i < n; i++) {
		uint64_t offset = (uintptr_t)objects[i];

		if (likely(offset + size <= h->window)) {
			note_known(h, offset + size);
			if (size > LG_MAX_SMALL)
				h->npages[offset >> LG_PAGE_SHIFT] =
					size >> LG_PAGE_SHIFT;
			objects[got++] = (void *)(h->base + offset);
		} else {
			free_offsets(h, &offset, 1, &bad);
		}
	}
	return got;
}

static int alloc_once(struct goheap *h, struct goheap_alloc_req *req)
{
	int ret, fd = session_fd(h);

	if (fd < 0) {
		if (errno != EOWNERDEAD)
			errno = ENOMEM;
		return -1;
	}
	do
		ret = ioctl(fd, GOHEAP_IOC_ALLOC, req);
	while (ret && errno == EINTR);
	if (!ret)
		return 0;
	errno = reason(h, fd, errno);
	if (errno != EPERM && errno != EOWNERDEAD)
		errno = ENOMEM;
	return -1;
}

/**
 * lg_kernel_alloc() - get objects from the kernel
 * @h: the heap
 * @size: bytes
 * @align: bytes, or 0
 * @objects: where they go
 * @n: how many, up to GOHEAP_MAX_BATCH
 *
 * If there is not enough, what is kept is given back and it is tried once more,
 * for a quota, or memory, may be found there.
 *
 * Return: how many there are; errno is set if there are none.
 */
unsigned int lg_kernel_alloc(struct goheap *h, size_t size, size_t align,
			     void **objects, unsigned int n)
{
	uint64_t window = __atomic_load_n(&h->window, __ATOMIC_RELAXED);
	unsigned int tries = 2, got = 0;
	int err = 0;

	/* Nothing helps; a window without length is one that comes later. */
	if (window && size > window)
		tries = 0;
	while (!got && tries--) {
		struct goheap_alloc_req req = {
			.size = sizeof(req),
			.length = size,
			.align = align,
			.offsets = (uintptr_t)objects,
			.count = n,
		};

		if (err)
			lg_give_all_back(h);
		pthread_rwlock_rdlock(&h->io);
		err = alloc_once(h, &req) ? errno : 0;
		if (!err)
			got = to_pointers(h, objects, req.count, size);
		pthread_rwlock_unlock(&h->io);
		/* What is kept would not help. */
		if (err == EOWNERDEAD || err == EPERM)
			break;
	}
	if (!got)
		errno = err ? err : ENOMEM;
	return got;
}

/* The kernel frees so many without memory of its own. */
#define FREE_ALWAYS	64

/* The one that was refused is told of and left out. */
static void refused(struct goheap *h, uint64_t *offsets, unsigned int n,
		    unsigned int bad, int err)
{
	uint64_t offset = offsets[bad];

	memmove(offsets + bad, offsets + bad + 1,
		(n - bad - 1) * sizeof(*offsets));
	lg_bad_free(h, (void *)(h->base + offset), err);
}

/*
 * The call itself was refused: this is a child after vfork(), or a thread that has
 * descriptors of its own. The objects wait for a thread that may.
 */
static void park(struct goheap *h, const uint64_t *offsets, unsigned int n)
{
	struct lg_parked *some = lg_map_memory(sizeof(*some));

	/* Without memory they stay until the session ends. */
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

/* Whether the kernel took them. */
static bool free_some(struct goheap *h, uint64_t *offsets, unsigned int n)
{
	unsigned int bad, some, most = n;
	int err, fd;

	while (n) {
		some = n < most ? n : most;
		bad = some;
		pthread_rwlock_rdlock(&h->io);
		fd = session_fd(h);
		err = fd < 0 ? errno :
		      reason(h, fd, free_offsets(h, offsets, some, &bad));
		pthread_rwlock_unlock(&h->io);
		if (!err) {
			offsets += some;
			n -= some;
		} else if (err == ENOMEM && some > FREE_ALWAYS) {
			most = FREE_ALWAYS;
		} else if (bad < some) {
			refused(h, offsets, n, bad, err);
			n--;
		} else if (err != EINTR) {
			/* If the session ended, all of it is free. */
			if (err != EOWNERDEAD)
				park(h, offsets, n);
			return false;
		}
	}
	return true;
}

/* Free what was parked, if this thread may. */
void lg_kernel_unpark(struct goheap *h)
{
	struct lg_parked *next, *some;

	some = __atomic_exchange_n(&h->parked, NULL, __ATOMIC_ACQUIRE);
	for (; some; some = next) {
		next = some->next;
		free_some(h, some->offsets, some->n);
		lg_unmap_memory(some, sizeof(*some));
	}
}

/* Forget what was parked: the session is another's, or ends. */
void lg_kernel_forget(struct goheap *h)
{
	struct lg_parked *next, *some;

	some = __atomic_exchange_n(&h->parked, NULL, __ATOMIC_ACQUIRE);
	for (; some; some = next) {
		next = some->next;
		lg_unmap_memory(some, sizeof(*some));
	}
}

/**
 * lg_kernel_free() - give objects to the kernel
 * @h: the heap
 * @objects: addresses in the window
 * @n: how many
 *
 * Those that are refused are reported. errno is kept.
 */
void lg_kernel_free(struct goheap *h, void **objects, unsigned int n)
{
	uint64_t offsets[LG_MAX_BATCH];
	int saved = errno;
	bool may = n;

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
 * lg_kernel_resize() - change the length of a large object where it is
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

	if (req.offset + size > h->window ||
	    lg_session_ioctl(h, GOHEAP_IOC_RESIZE, &req))
		return -1;
	note_known(h, req.offset + size);
	h->npages[req.offset >> LG_PAGE_SHIFT] =
		(size + LG_PAGE_SIZE - 1) >> LG_PAGE_SHIFT;
	return 0;
}

/* Let the kernel give back what it keeps for the session. */
void lg_kernel_trim(struct goheap *h)
{
	struct goheap_trim req = { .size = sizeof(req) };

	lg_kernel_unpark(h);
	pthread_rwlock_rdlock(&h->io);
	if (h->session_fd >= 0)
		ioctl(h->session_fd, GOHEAP_IOC_TRIM, &req);
	pthread_rwlock_unlock(&h->io);
}

static int give_some(struct goheap *h, void *const *objects, unsigned int n)
{
	uint64_t offsets[GOHEAP_MAX_BATCH];
	struct goheap_batch req = {
		.size = sizeof(req),
		.offsets = (uintptr_t)offsets,
		.count = n,
	};
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (lg_is_kept(h, objects[i])) {
			errno = ENOENT;
			return -1;
		}
		offsets[i] = (uintptr_t)objects[i] - h->base;
	}
	return lg_session_ioctl(h, GOHEAP_IOC_GIVE, &req);
}

LG_EXPORT int goheap_give(struct goheap *h, void *const *objects, size_t n)
{
	while (n) {
		unsigned int some = n < GOHEAP_MAX_BATCH ? n : GOHEAP_MAX_BATCH;

		if (give_some(h, objects, some))
			return -1;
		objects += some;
		n -= some;
	}
	return 0;
}
