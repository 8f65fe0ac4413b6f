// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork: what becomes of a heap in a child.
 *
 * The window is shared memory, and the session is the parent's. So a child begins
 * with no session and empty magazines. If the heap is one that processes share,
 * that is all.
 *
 * A heap that stands in for malloc() must be private: with GOHEAP_FORK_COPY the
 * child copies all of it to memory of its own at the same addresses, while the
 * parent waits. What it inherited so it can read, write and forget, but not
 * allocate from; for what is new it opens a heap of its own.
 *
 * The parent's other threads run on meanwhile. They cannot give pages back, but
 * what they write may be copied or not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib.h"

/**
 * struct inherited - a window of which this process has a copy
 * @heap: as it was, for its page map and classes
 * @end: first byte behind
 * @next: an older one
 */
struct inherited {
	struct goheap heap;
	uintptr_t end;
	struct inherited *next;
};

static struct inherited *inherited;

/* The parent waits until the child has closed the other end. */
static int done_pipe[2];

/* ---- objects that were inherited ---------------------------------------- */

static struct inherited *inherited_of(const void *p)
{
	struct inherited *in = inherited;

	while (in && ((uintptr_t)p < in->heap.base || (uintptr_t)p >= in->end))
		in = in->next;
	return in;
}

bool lg_inherited(const void *p)
{
	return unlikely(inherited) && inherited_of(p);
}

size_t lg_inherited_size(const void *p)
{
	struct inherited *in = inherited_of(p);

	return in ? lg_object_size(&in->heap, p) : 0;
}

/* Small objects share pages with others; the memory of large ones can go. */
void lg_inherited_free(void *p)
{
	struct inherited *in = inherited_of(p);
	size_t bytes = in ? lg_object_size(&in->heap, p) : 0;
	int saved = errno;

	if (!bytes)
		lg_bad_free(NULL, p, EINVAL);
	else if (bytes > LG_MAX_SMALL)
		madvise(p, bytes, MADV_DONTNEED);
	errno = saved;
}

/* ---- the copy ----------------------------------------------------------- */

static void give_up(const char *why)
{
	const char *const says[] = { "goheap: fork: ", why, "\n" };
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (write(STDERR_FILENO, says[i], strlen(says[i])) < 0)
			break;
	_exit(127);
}

/* Whether a page may have content: large objects that are free and kept have none. */
static bool has_content(const struct goheap *h, uint64_t page)
{
	uint64_t entry = h->map[page], index = GOHEAP_PAGE_INDEX(entry);

	if (!entry)
		return false;
	return (entry & LG_OWN_MASK) != h->own || GOHEAP_PAGE_CLASS(entry) ||
	       index == GOHEAP_PAGE_INDEX_MAX ||
	       !(h->npages[page - index] & LG_KEPT);
}

/* Copy an arena's used pages, and put the copy in its place. */
static void copy_arena(struct goheap *h, uintptr_t from)
{
	uint64_t page, first = (from - h->base) >> LG_PAGE_SHIFT;
	char *to = lg_map_memory(LG_ARENA_SIZE);

	if (!to)
		give_up("no memory for a copy of the heap");
	for (page = 0; page < LG_ARENA_SIZE >> LG_PAGE_SHIFT; page++)
		if (has_content(h, first + page))
			memcpy(to + (page << LG_PAGE_SHIFT),
			       (void *)(from + (page << LG_PAGE_SHIFT)),
			       LG_PAGE_SIZE);
	if (mremap(to, LG_ARENA_SIZE, LG_ARENA_SIZE,
		   MREMAP_MAYMOVE | MREMAP_FIXED, (void *)from) == MAP_FAILED)
		give_up("cannot map the copy of the heap");
}

static const uint64_t *copy_map(struct goheap *h)
{
	size_t bytes = (h->known >> LG_PAGE_SHIFT) * sizeof(uint64_t);
	uint64_t *map = lg_map_memory(bytes);

	if (!map)
		give_up("no memory for a copy of the page map");
	memcpy(map, h->map, bytes);
	return map;
}

/* Turn the heap into one that is inherited. */
static void copy_heap(struct goheap *h)
{
	uintptr_t at, end = h->base + h->known;
	struct inherited *in = lg_map_memory(sizeof(*in));

	if (!in)
		give_up("no memory for a copy of the heap");
	for (at = h->base; at < end; at += LG_ARENA_SIZE)
		copy_arena(h, at);
	in->heap.base = h->base;
	in->heap.known = h->known;
	in->heap.window = h->known;
	in->heap.map = copy_map(h);
	memcpy(in->heap.class, h->class, sizeof(h->class));
	in->end = end;
	in->next = inherited;
	inherited = in;
}

static void leave_heap(struct goheap *h)
{
	uint64_t known = h->known, window = h->window;

	h->window = 0;
	h->known = 0;
	if (known < window)
		munmap((void *)(h->base + known), window - known);
	munmap((void *)h->map, (window >> LG_PAGE_SHIFT) * sizeof(*h->map));
	munmap(h->npages, (window >> LG_PAGE_SHIFT) * sizeof(*h->npages));
	if (h->fd >= 0)
		lg_close(h->fd);
	h->fd = -1;
	h->base = 0;
	h->map = NULL;
	h->npages = NULL;
}

/* ---- the handlers ------------------------------------------------------- */

static bool copies(const struct goheap *h)
{
	return h->id && h->flags & GOHEAP_FORK_COPY && h->map;
}

static void lock_heap(struct goheap *h)
{
	unsigned int i;

	pthread_rwlock_wrlock(&h->io);
	pthread_mutex_lock(&h->session_lock);
	for (i = 1; i < GOHEAP_NR_CLASSES; i++)
		pthread_mutex_lock(&h->stock[i].lock);
	pthread_mutex_lock(&h->large.lock);
}

static void unlock_heap(struct goheap *h)
{
	unsigned int i;

	pthread_mutex_unlock(&h->large.lock);
	for (i = 1; i < GOHEAP_NR_CLASSES; i++)
		pthread_mutex_unlock(&h->stock[i].lock);
	pthread_mutex_unlock(&h->session_lock);
	pthread_rwlock_unlock(&h->io);
}

static void prepare(void)
{
	unsigned int i;
	bool wait = false;

	pthread_mutex_lock(&lg_lock);
	for (i = 0; i < LG_HEAPS; i++) {
		wait |= copies(&lg_heaps[i]);
		if (lg_heaps[i].id)
			lock_heap(&lg_heaps[i]);
	}
	if (!wait || pipe2(done_pipe, O_CLOEXEC))
		done_pipe[0] = -1;
}

static void in_parent(void)
{
	unsigned int i;
	char c;

	if (done_pipe[0] >= 0) {
		lg_close(done_pipe[1]);
		/* Ends also if there is no child, or it has died. */
		while (read(done_pipe[0], &c, 1) < 0 && errno == EINTR)
			;
		lg_close(done_pipe[0]);
	}
	for (i = 0; i < LG_HEAPS; i++)
		if (lg_heaps[i].id)
			unlock_heap(&lg_heaps[i]);
	pthread_mutex_unlock(&lg_lock);
}

static void in_child(void)
{
	pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
	unsigned int i;

	lg_lock = unlocked;
	for (i = 0; i < LG_HEAPS; i++) {
		struct goheap *h = &lg_heaps[i];

		if (!h->id)
			continue;
		if (copies(h)) {
			if (done_pipe[0] < 0)
				give_up("no descriptor is left");
			if (h->known)
				copy_heap(h);
			leave_heap(h);
		}
		lg_caches_forget(h);
		lg_drop_files(h);
	}
	if (done_pipe[0] >= 0) {
		lg_close(done_pipe[0]);
		lg_close(done_pipe[1]);
	}
}

/* Once a process. Returns an error number. */
int lg_fork_init(void)
{
	return pthread_atfork(prepare, in_parent, in_child);
}
