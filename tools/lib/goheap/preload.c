// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * preload: malloc() and the like, on a private heap of the process.
 *
 * LD_PRELOAD=libgoheap-malloc.so. The first call opens the heap. glibc's own
 * allocator serves calls that come meanwhile, or while another thread forks, those that
 * the heap has no room for, and all in a child that has lost the heap, see fork.c. The
 * address of a pointer tells which of the two it belongs to.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"
#include "free.h"
#include "libc.h"
#include "lock.h"
#include "report.h"

enum state {
	NEW,
	OPENING,
	READY,
	NONE,
};

static enum state state;

/* The only heap. Until it is open, all its magazines are empty. */
#define HEAP	(&lg_heaps[0])

/* ---- opening ------------------------------------------------------------ */

/*
 * Only if somebody asks for it: descriptor 2 may be anything, such as the program's data.
 */
static void say_why(int err)
{
	const char *const says[] = {
		"goheap: no heap: ", strerrordesc_np(err),
		"; using glibc's malloc()\n",
	};
	unsigned int i;

	if (!secure_getenv("GOHEAP_VERBOSE"))
		return;
	for (i = 0; i < sizeof(says) / sizeof(*says); i++)
		if (write(STDERR_FILENO, says[i], strlen(says[i])) < 0)
			break;
}

/*
 * The only ones of glibc's functions that have no other name. They are looked up early, as
 * the loader's lock may be held when they are needed.
 */
static size_t (*libc_usable_size)(void *p);
static void *(*libc_dlopen)(const char *file, int mode);

static void look_up(void)
{
	libc_usable_size = (size_t (*)(void *))dlsym(RTLD_NEXT,
						     "malloc_usable_size");
	libc_dlopen = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
}

static enum state open_heap(void)
{
	struct goheap *h;

	look_up();
	h = goheap_open(NULL, GOHEAP_PRIVATE);
	if (h) {
		h->books.falls_back = true;
		return READY;
	}
	say_why(errno);
	return NONE;
}

/* Whether the heap is open. While one thread opens it, it is not for the others. */
static bool ready(void)
{
	enum state was = NEW;
	int saved = errno;

	if (likely(__atomic_load_n(&state, __ATOMIC_ACQUIRE) == READY))
		return true;
	if (!__atomic_compare_exchange_n(&state, &was, OPENING, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
		return false;
	was = open_heap();
	__atomic_store_n(&state, was, __ATOMIC_RELEASE);
	errno = saved;
	return was == READY;
}

static bool is_ours(const void *p)
{
	uint64_t known = __atomic_load_n(&HEAP->known, __ATOMIC_ACQUIRE);

	return (uintptr_t)p - HEAP->base < known;
}

/* ---- when the heap has no room ------------------------------------------ */

/*
 * After an allocation failed, this number of calls do not try again, because each
 * attempt empties all magazines first; and twice as many, if the next one fails too.
 * Small and large objects are counted apart: there may be room for small ones when there
 * is none for large ones.
 */
#define SPARED_FIRST	256
#define SPARED_MOST	65536

static struct {
	unsigned int left;
	unsigned int next;
} spared[2] = {
	{ 0, SPARED_FIRST },
	{ 0, SPARED_FIRST },
};

static bool is_spared(size_t size)
{
	unsigned int *left = &spared[size > LG_MAX_SMALL].left;
	unsigned int n = __atomic_load_n(left, __ATOMIC_RELAXED);

	if (likely(!n))
		return false;
	__atomic_store_n(left, n - 1, __ATOMIC_RELAXED);
	return true;
}

/* Threads may race in these two: the numbers need not be exact. */
static void note_failure(size_t size)
{
	unsigned int *left = &spared[size > LG_MAX_SMALL].left;
	unsigned int *next = &spared[size > LG_MAX_SMALL].next;
	unsigned int n = __atomic_load_n(next, __ATOMIC_RELAXED);

	__atomic_store_n(left, n, __ATOMIC_RELAXED);
	if (n < SPARED_MOST)
		__atomic_store_n(next, 2 * n, __ATOMIC_RELAXED);
}

/* Returns what the heap has allocated. */
static void *there_is_room(void *p, size_t size)
{
	unsigned int *next = &spared[size > LG_MAX_SMALL].next;

	if (unlikely(__atomic_load_n(next, __ATOMIC_RELAXED) != SPARED_FIRST))
		__atomic_store_n(next, SPARED_FIRST, __ATOMIC_RELAXED);
	return p;
}

static bool usable(size_t size)
{
	return likely(ready()) && likely(!is_spared(size));
}

/* The heap failed with @err, and glibc's allocator returned @p. */
static void *instead(void *p, size_t size, int err, int saved)
{
	if (!p) {
		/* malloc() may set no other error. */
		errno = ENOMEM;
		return NULL;
	}
	errno = saved;

	/* An object that is longer than the window says nothing about the next. */
	if (err == ENOMEM && size <= HEAP->window)
		note_failure(size);
	return p;
}

/* ---- the calls ---------------------------------------------------------- */

static noinline void *malloc_slow(size_t size)
{
	int err, saved = errno;
	void *p;

	if (!usable(size))
		return __libc_malloc(size);
	p = lg_alloc(HEAP, size);
	if (likely(p))
		return there_is_room(p, size);
	err = errno;
	return instead(size > PTRDIFF_MAX ? NULL : __libc_malloc(size), size,
		       err, saved);
}

LG_EXPORT void *malloc(size_t size)
{
	struct lg_mag *m;

	if (unlikely(size > LG_MAX_SMALL)) {
		void *p = lg_large_pop(HEAP, lg_cache_tls[0], size);

		return likely(p) ? p : malloc_slow(size);
	}
	m = &lg_cache_tls[0]->mag[lg_class_of(HEAP, size)];
	return likely(m->n) ? lg_small_pop(m) : malloc_slow(size);
}

static noinline void free_slow(void *p)
{
	if (is_ours(p))
		lg_free(HEAP, p);
	else
		__libc_free(p);
}

LG_EXPORT void free(void *p)
{
	if (likely((uintptr_t)p - HEAP->base < HEAP->known))
		lg_free_to(HEAP, lg_cache_tls[0], p);
	else if (p)
		free_slow(p);
}

LG_EXPORT void cfree(void *p)
{
	free(p);
}

LG_EXPORT void *calloc(size_t n, size_t size)
{
	int err, saved = errno;
	void *p;

	if (!usable(n * size))
		return __libc_calloc(n, size);
	p = goheap_calloc(HEAP, n, size);
	if (likely(p))
		return there_is_room(p, n * size);
	err = errno;
	return instead(__libc_calloc(n, size), n * size, err, saved);
}

/* For an object that cannot grow in the heap. */
static noinline void *realloc_elsewhere(void *p, size_t size)
{
	size_t old = goheap_usable_size(HEAP, p);
	void *new;

	if (!old) {
		lg_report_bad_free(HEAP, p, EINVAL);
		return NULL;
	}
	if (size <= old && size >= old / 2)
		return p;
	new = __libc_malloc(size);
	if (new) {
		memcpy(new, p, old < size ? old : size);
		free(p);
	}
	return new;
}

LG_EXPORT void *realloc(void *p, size_t size)
{
	int err, saved = errno;
	void *new;

	if (!p)
		return malloc(size);
	if (!is_ours(p))
		return __libc_realloc(p, size);
	if (!usable(size) && size)
		return realloc_elsewhere(p, size);
	new = goheap_realloc(HEAP, p, size);
	/* In place, or shorter, it says nothing of room. */
	if (new && new != p)
		return there_is_room(new, size);
	if (new || !size)
		return new;
	err = errno;
	return instead(realloc_elsewhere(p, size), size, err, saved);
}

LG_EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, bytes);
}

/* As in glibc, an alignment that is not a power of two is rounded up. */
LG_EXPORT void *memalign(size_t align, size_t size)
{
	size_t up = LG_ALIGN, as = size;
	int err, saved = errno;
	void *p;

	/* No class has such an alignment, so it is going to be a large object. */
	if (align > LG_PAGE_SIZE && size <= LG_MAX_SMALL)
		as = LG_MAX_SMALL + 1;
	if (align > LG_MAX_ALIGN || !usable(as))
		return __libc_memalign(align, size);
	while (up < align)
		up *= 2;
	p = goheap_memalign(HEAP, up, size);
	if (p)
		return there_is_room(p, as);
	err = errno;
	return instead(__libc_memalign(align, size), as, err, saved);
}

LG_EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

LG_EXPORT int posix_memalign(void **to, size_t align, size_t size)
{
	int err = EINVAL, saved = errno;
	void *p;

	if (!align || align & (align - 1) || align % sizeof(void *))
		return err;
	p = memalign(align, size);
	err = p ? 0 : ENOMEM;
	errno = saved;
	if (p)
		*to = p;
	return err;
}

LG_EXPORT void *valloc(size_t size)
{
	return memalign(sysconf(_SC_PAGESIZE), size);
}

LG_EXPORT void *pvalloc(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return memalign(page, (size + page - 1) & -page);
}

LG_EXPORT size_t malloc_usable_size(void *p)
{
	if (!p)
		return 0;
	if (is_ours(p))
		return goheap_usable_size(HEAP, p);
	return libc_usable_size ? libc_usable_size(p) : 0;
}

LG_EXPORT int malloc_trim(size_t pad)
{
	(void)pad;
	return ready() && goheap_trim(HEAP) > 0;
}

/*
 * With RTLD_DEEPBIND, a library would find glibc's free() before this one, for what it got
 * from others. The real function must see who calls, for the paths that it searches: this
 * is a jump and no call.
 */
LG_EXPORT void *dlopen(const char *file, int mode)
{
	if (!ready() && !libc_dlopen)
		look_up();
	return libc_dlopen(file, mode & ~RTLD_DEEPBIND);
}
