// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * heap: opening and closing, and the calls of the library.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

#define DEVICE		"/dev/goheap"

/* Objects that move at once, and those of a magazine at most. */
#define BATCH_BYTES	(64UL << 10)
#define BATCH_MAX	128
#define MAG_BYTES	(256UL << 10)
#define MAG_MAX		1024

/* Batches of a class in the stock. */
#define STOCK_BATCHES	16

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

struct goheap lg_heaps[LG_HEAPS];
pthread_mutex_t lg_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t last_id;

/* Zeroed memory, or NULL. It must not come from malloc(), which may be us. */
void *lg_map_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void lg_unmap_memory(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

/* ---- size classes ------------------------------------------------------- */

static uint32_t inverse_of(uint32_t odd)
{
	uint32_t x = odd;
	int i;

	/* Newton: each step doubles the bits that are right, at first 3. */
	for (i = 0; i < 4; i++)
		x *= 2 - odd * x;
	return x;
}

static uint32_t clamp(uint32_t value, uint32_t lo, uint32_t hi)
{
	return value < lo ? lo : value > hi ? hi : value;
}

static void class_setup(struct lg_class *k, const struct goheap_class *from)
{
	k->size = from->size;
	k->nelems = from->nelems;
	k->shift = __builtin_ctz(from->size);
	k->inverse = inverse_of(from->size >> k->shift);
	k->batch = clamp(BATCH_BYTES / from->size, 2, BATCH_MAX);
	k->max = clamp(MAG_BYTES / from->size, 2, MAG_MAX);
}

/* The smallest class for each size that keeps LG_ALIGN. */
static void class_table(struct goheap *h)
{
	unsigned int i, class = 1;

	for (i = 0; i <= LG_MAX_SMALL / LG_QUANTUM; i++) {
		while (h->class[class].size < i * LG_QUANTUM ||
		       h->class[class].size % LG_ALIGN)
			class++;
		h->class_of[i] = class;
	}
}

static int read_classes(struct goheap *h, struct goheap_info *info)
{
	struct goheap_class from[GOHEAP_NR_CLASSES] = { 0 };
	unsigned int i;

	*info = (struct goheap_info){
		.size = sizeof(*info),
		.nr_classes = GOHEAP_NR_CLASSES,
		.classes = (uintptr_t)from,
	};
	if (ioctl(h->fd, GOHEAP_IOC_INFO, info) ||
	    info->nr_classes != GOHEAP_NR_CLASSES ||
	    info->page_size != LG_PAGE_SIZE ||
	    info->max_small != LG_MAX_SMALL ||
	    info->map_stride !=
		    (LG_ARENA_SIZE >> LG_PAGE_SHIFT) * sizeof(uint64_t)) {
		errno = EPROTO;
		return -1;
	}
	for (i = 1; i < GOHEAP_NR_CLASSES; i++)
		class_setup(&h->class[i], &from[i]);
	class_table(h);
	return 0;
}

/* ---- mappings ----------------------------------------------------------- */

static uint64_t map_bytes(uint64_t window)
{
	return (window >> LG_PAGE_SHIFT) * sizeof(uint64_t);
}

static uint64_t npages_bytes(uint64_t window)
{
	return (window >> LG_PAGE_SHIFT) * sizeof(*lg_heaps->npages);
}

/* Where all processes should. */
static void *map_suggested(const struct goheap *h, uintptr_t at,
			   uint64_t window)
{
	void *p = mmap((void *)at, window, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
		       h->fd, 0);

	/* A kernel that does not know the flag takes the address for a hint. */
	if (p != MAP_FAILED && (uintptr_t)p != at) {
		munmap(p, window);
		p = MAP_FAILED;
	}
	return p;
}

/*
 * Anywhere. mmap() aligns to the system's pages, which are smaller than the heap's
 * and than what goheap_memalign() promises: so map more, and cut it to size.
 */
static void *map_anywhere(const struct goheap *h, uint64_t window)
{
	size_t room = window + LG_MAX_ALIGN;
	char *from = mmap(NULL, room, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at;

	if (from == MAP_FAILED)
		return MAP_FAILED;
	at = (char *)(((uintptr_t)from + LG_MAX_ALIGN - 1) & -LG_MAX_ALIGN);
	if (at > from)
		munmap(from, at - from);
	munmap(at + window, from + room - (at + window));
	/*
	 * If this fails, what lay there may be unmapped already, and another
	 * thread's memory there now: so it is not unmapped here.
	 */
	return mmap(at, window, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE | MAP_FIXED, h->fd, 0);
}

/*
 * Where all processes should, else anywhere, else as much as there is room for:
 * what lies beyond is then not for this process.
 */
static void *map_window(const struct goheap *h, const struct goheap_info *info,
			uint64_t *window)
{
	void *p = MAP_FAILED;

	*window = info->window;
	if (info->base && !(info->base % LG_MAX_ALIGN))
		p = map_suggested(h, info->base, *window);
	while (p == MAP_FAILED && *window >= LG_ARENA_SIZE) {
		p = map_anywhere(h, *window);
		if (p == MAP_FAILED)
			*window /= 2;
	}
	return p == MAP_FAILED ? NULL : p;
}

/* No address is in it any more. */
static void unmap_all(struct goheap *h)
{
	uint64_t window = h->window;

	__atomic_store_n(&h->window, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&h->known, 0, __ATOMIC_RELEASE);
	lg_unmap_memory((void *)h->base, window);
	lg_unmap_memory((void *)h->map, map_bytes(window));
	lg_unmap_memory(h->npages, npages_bytes(window));
	__atomic_store_n(&h->base, 0, __ATOMIC_RELEASE);
	h->map = NULL;
	h->npages = NULL;
}

/*
 * Other threads of a preloaded program ask meanwhile whether addresses are in the
 * heap. None is until it has a length, which comes last.
 */
static int map_all(struct goheap *h, const struct goheap_info *info)
{
	uint64_t window;
	void *map, *base = map_window(h, info, &window);

	if (!base)
		return -1;
	map = mmap(NULL, map_bytes(window), PROT_READ,
		   MAP_SHARED | MAP_NORESERVE, h->fd, GOHEAP_MMAP_MAP);
	if (map == MAP_FAILED)
		goto no_map;
	h->npages = lg_map_memory(npages_bytes(window));
	if (!h->npages)
		goto no_npages;
	h->map = map;
	h->map_at = (uintptr_t)map -
		    ((uintptr_t)base >> LG_PAGE_SHIFT) * sizeof(*h->map);
	__atomic_store_n(&h->base, (uintptr_t)base, __ATOMIC_RELEASE);
	__atomic_store_n(&h->window, window, __ATOMIC_RELEASE);
	return 0;
no_npages:
	munmap(map, map_bytes(window));
no_map:
	munmap(base, window);
	return -1;
}

/* ---- stock -------------------------------------------------------------- */

static uint32_t stock_cap(const struct lg_class *k)
{
	return k->batch * STOCK_BATCHES;
}

size_t lg_stock_room(const struct goheap *h)
{
	size_t n = 0;
	unsigned int i;

	for (i = 1; i < GOHEAP_NR_CLASSES; i++)
		n += stock_cap(&h->class[i]);
	return n * sizeof(void *);
}

static int stock_setup(struct goheap *h)
{
	void **slot = lg_map_memory(lg_stock_room(h));
	unsigned int i;

	if (!slot)
		return -1;
	h->stock_slots = slot;
	for (i = 1; i < GOHEAP_NR_CLASSES; i++) {
		h->stock[i].slot = slot;
		h->stock[i].cap = stock_cap(&h->class[i]);
		slot += h->stock[i].cap;
	}
	return 0;
}

/* ---- the life of a heap ------------------------------------------------- */

static uint64_t random_word(void)
{
	struct timespec now;
	uint64_t word;

	/* Early at boot there is no randomness; it serves only to be unlikely. */
	if (getrandom(&word, sizeof(word), GRND_NONBLOCK) == sizeof(word))
		return word | 1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15ULL) | 1;
}

static void init_locks(struct goheap *h)
{
	pthread_rwlockattr_t attr;
	unsigned int i;

	/* Or threads that always allocate would let no fork() begin. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
				      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&h->io, &attr);
	pthread_mutex_init(&h->session_lock, NULL);
	pthread_mutex_init(&h->large.lock, NULL);
	for (i = 0; i < GOHEAP_NR_CLASSES; i++)
		pthread_mutex_init(&h->stock[i].lock, NULL);
}

static void heap_reset(struct goheap *h)
{
	memset(h, 0, sizeof(*h));
	h->slot = h - lg_heaps;
	h->fd = -1;
	h->session_fd = LG_NO_SESSION;
	/* No entry of the page map is like this. */
	h->own = ~0ULL;
	h->cookie = random_word();
	init_locks(h);
}

/* What @h->fd shows becomes the heap; on failure the descriptor stays. */
static int heap_begin(struct goheap *h)
{
	struct goheap_info info;

	if (read_classes(h, &info) || map_all(h, &info))
		return -1;
	if (!h->stock_slots && stock_setup(h)) {
		unmap_all(h);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int open_device(const char *path)
{
	return lg_high_fd(open(path, O_RDWR | O_CLOEXEC));
}

/* After fork(): a heap in the place of the parent's. */
int lg_reopen(struct goheap *h)
{
	h->fd = open_device(h->path);
	if (h->fd < 0)
		return -1;
	if (heap_begin(h)) {
		lg_close(h->fd);
		h->fd = -1;
		return -1;
	}
	return 0;
}

/* After fork(): the parent's descriptors. */
void lg_drop_files(struct goheap *h)
{
	if (h->session_fd >= 0)
		lg_close(h->session_fd);
	h->session_fd = LG_NO_SESSION;
	h->session = 0;
	lg_kernel_forget(h);
	h->own = ~0ULL;
	h->stock_bytes = 0;
	for (unsigned int i = 0; i < GOHEAP_NR_CLASSES; i++)
		h->stock[i].n = 0;
	h->large.n = 0;
	h->large.bytes = 0;
	init_locks(h);
}

static struct goheap *heap_slot(void)
{
	unsigned int i;

	for (i = 0; i < LG_HEAPS; i++)
		if (!lg_heaps[i].id)
			return &lg_heaps[i];
	errno = EMFILE;
	return NULL;
}

static int init_once(void)
{
	static bool done;

	if (done)
		return 0;
	errno = lg_caches_init();
	if (!errno)
		errno = lg_fork_init();
	done = !errno;
	return done ? 0 : -1;
}

/* Takes the descriptor over, also if it fails. */
static struct goheap *heap_open(int fd, const char *path, unsigned int flags)
{
	struct goheap *h;
	int err;

	if (fd < 0)
		return NULL;
	pthread_mutex_lock(&lg_lock);
	h = init_once() ? NULL : heap_slot();
	if (h) {
		heap_reset(h);
		h->fd = fd;
		h->flags = flags;
		memcpy(h->path, path, strlen(path) + 1);
		if (heap_begin(h)) {
			err = errno;
			heap_reset(h);
			h = NULL;
			errno = err;
		} else {
			h->id = ++last_id;
		}
	}
	err = errno;
	pthread_mutex_unlock(&lg_lock);
	if (!h)
		lg_close(fd);
	errno = err;
	return h;
}

LG_EXPORT struct goheap *goheap_open(const char *path, unsigned int flags)
{
	if (!path)
		path = DEVICE;
	if (flags & ~GOHEAP_FORK_COPY ||
	    strlen(path) >= sizeof(lg_heaps[0].path)) {
		errno = EINVAL;
		return NULL;
	}
	return heap_open(open_device(path), path, flags);
}

LG_EXPORT struct goheap *goheap_open_fd(int fd, unsigned int flags)
{
	int dup;

	if (flags) {
		errno = EINVAL;
		return NULL;
	}
	dup = fcntl(fd, F_DUPFD_CLOEXEC, LG_HIGH_FD);
	if (dup < 0)
		dup = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return heap_open(dup, "", flags);
}

LG_EXPORT void goheap_close(struct goheap *h)
{
	if (!h)
		return;
	/* What threads free for others must not be lost. */
	lg_caches_flush(h);
	lg_lock_heap(h);
	lg_caches_forget(h);
	lg_kernel_forget(h);
	if (h->session_fd >= 0)
		lg_close(h->session_fd);
	unmap_all(h);
	lg_unmap_memory(h->stock_slots, lg_stock_room(h));
	if (h->fd >= 0)
		lg_close(h->fd);
	heap_reset(h);
	pthread_mutex_unlock(&lg_lock);
}

LG_EXPORT int goheap_fd(const struct goheap *h)
{
	return h->fd;
}

LG_EXPORT uint32_t goheap_session(struct goheap *h)
{
	return lg_kernel_attach(h) < 0 ? 0 : h->session;
}

/* ---- allocation --------------------------------------------------------- */

LG_EXPORT void *goheap_malloc(struct goheap *h, size_t size)
{
	return lg_malloc(h, size);
}

LG_EXPORT void goheap_free(struct goheap *h, void *p)
{
	lg_free(h, p);
}

LG_EXPORT void *goheap_calloc(struct goheap *h, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	if (bytes > LG_MAX_SMALL)
		return lg_large_alloc(h, bytes, 0, true);
	p = lg_alloc_class(h, lg_class_of(h, bytes));
	return p ? memset(p, 0, bytes) : NULL;
}

/* Objects have the alignment of their size, up to that of a page. */
static unsigned int aligned_class(struct goheap *h, size_t align, size_t size)
{
	unsigned int class;

	if (size > LG_MAX_SMALL || align > LG_PAGE_SIZE)
		return 0;
	for (class = lg_class_of(h, size); class < GOHEAP_NR_CLASSES; class++)
		if (!(h->class[class].size % align))
			return class;
	return 0;
}

LG_EXPORT void *goheap_memalign(struct goheap *h, size_t align, size_t size)
{
	unsigned int class;

	if (!align || align & (align - 1) || align > LG_MAX_ALIGN) {
		errno = EINVAL;
		return NULL;
	}
	class = aligned_class(h, align, size);
	if (class)
		return lg_alloc_class(h, class);
	return lg_large_alloc(h, size > LG_MAX_SMALL ? size : LG_MAX_SMALL + 1,
			      align, false);
}

LG_EXPORT size_t goheap_usable_size(struct goheap *h, const void *p)
{
	if (lg_inherited(p))
		return lg_inherited_size(p);
	return p ? lg_object_size(h, p) : 0;
}

/* Whether an object of @old bytes will do for @size, where it is. */
static bool fits(struct goheap *h, void *p, size_t old, size_t size)
{
	if (lg_inherited(p))
		return size <= old;
	if (old > LG_MAX_SMALL && size > LG_MAX_SMALL)
		return (size <= old && size > old - old / 8) ||
		       !lg_kernel_resize(h, p, size);
	return size <= old && size >= old / 2;
}

LG_EXPORT void *goheap_realloc(struct goheap *h, void *p, size_t size)
{
	size_t old;
	void *new;

	if (!p)
		return lg_malloc(h, size);
	if (!size) {
		lg_free(h, p);
		return NULL;
	}
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	old = goheap_usable_size(h, p);
	if (!old || lg_is_kept(h, p)) {
		lg_bad_free(h, p, old ? ENOENT : EINVAL);
		errno = EINVAL;
		return NULL;
	}
	if (fits(h, p, old, size))
		return p;
	new = lg_malloc(h, size);
	if (!new)
		return NULL;
	memcpy(new, p, old < size ? old : size);
	lg_free(h, p);
	return new;
}

/* ---- sharing ------------------------------------------------------------ */

LG_EXPORT uint64_t goheap_offset(const struct goheap *h, const void *p)
{
	return (uintptr_t)p - h->base;
}

LG_EXPORT void *goheap_pointer(const struct goheap *h, uint64_t offset)
{
	return offset < h->window ? (void *)(h->base + offset) : NULL;
}

static int root(struct goheap *h, struct goheap_root *req)
{
	return ioctl(h->fd, GOHEAP_IOC_ROOT, req);
}

LG_EXPORT int goheap_root_get(struct goheap *h, unsigned int index,
			      uint64_t *value)
{
	struct goheap_root req = { .size = sizeof(req), .index = index };

	if (root(h, &req))
		return -1;
	*value = req.value;
	return 0;
}

LG_EXPORT int goheap_root_cas(struct goheap *h, unsigned int index,
			      uint64_t *expect, uint64_t value)
{
	struct goheap_root req = {
		.size = sizeof(req),
		.flags = GOHEAP_ROOT_CMPXCHG,
		.index = index,
		.expect = *expect,
		.value = value,
	};

	if (root(h, &req))
		return -1;
	*expect = req.value;
	return req.value == req.expect;
}

/* ---- limits, statistics, trimming --------------------------------------- */

LG_EXPORT int goheap_set_quota(struct goheap *h, uint64_t bytes)
{
	struct goheap_limit req = {
		.size = sizeof(req),
		.flags = GOHEAP_LIMIT_SET,
		.limit = bytes,
	};

	return lg_session_ioctl(h, GOHEAP_IOC_LIMIT, &req);
}

LG_EXPORT int goheap_usage(struct goheap *h, struct goheap_usage *usage)
{
	*usage = (struct goheap_usage){ .size = sizeof(*usage) };
	return lg_session_ioctl(h, GOHEAP_IOC_STATS, usage);
}

LG_EXPORT size_t goheap_cached(struct goheap *h)
{
	return lg_caches_bytes(h) + h->large.bytes +
	       __atomic_load_n(&h->stock_bytes, __ATOMIC_RELAXED);
}

/* All that is kept, but for other threads' magazines, which will follow. */
void lg_give_all_back(struct goheap *h)
{
	struct lg_cache *c = lg_tls[h->slot];

	__atomic_add_fetch(&h->trims, 1, __ATOMIC_RELAXED);
	if (c->id == h->id)
		lg_cache_empty(h, c);
	lg_stock_empty(h);
	lg_large_empty(h);
	lg_kernel_trim(h);
}

LG_EXPORT size_t goheap_trim(struct goheap *h)
{
	struct goheap_usage before, after;

	if (goheap_usage(h, &before))
		return 0;
	lg_give_all_back(h);
	if (goheap_usage(h, &after) ||
	    after.session_bytes > before.session_bytes)
		return 0;
	return before.session_bytes - after.session_bytes;
}
