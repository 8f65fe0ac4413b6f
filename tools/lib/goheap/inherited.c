// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * inherited: private copies of the heaps that the parent had, in a child.
 *
 * The copy lies at the addresses of the window that it was made of. The process can
 * read, write and free what is in it, but nothing is allocated there.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "inherited.h"
#include "object.h"
#include "report.h"
#include "sys.h"

/**
 * struct inherited - a window of which this process has a copy
 * @heap: as it was, for its page map and size classes
 * @end: the first byte behind it
 * @next: an older one
 */
struct inherited {
	struct goheap heap;
	uintptr_t end;
	struct inherited *next;
};

/* Changed only in a child that has one thread. */
static struct inherited *inherited;

/* ---- objects ------------------------------------------------------------ */

static struct inherited *inherited_of(const void *p)
{
	struct inherited *in = inherited;

	while (in && ((uintptr_t)p < in->heap.base || (uintptr_t)p >= in->end))
		in = in->next;
	return in;
}

/**
 * lg_inherited() - whether an address lies in an inherited heap
 * @p: any address
 *
 * Return: true if it does.
 */
bool lg_inherited(const void *p)
{
	return unlikely(inherited) && inherited_of(p);
}

/**
 * lg_inherited_size() - the length of an inherited object
 * @p: any address
 *
 * Return: bytes, or 0 if no inherited object starts there.
 */
size_t lg_inherited_size(const void *p)
{
	struct inherited *in = inherited_of(p);

	return in ? lg_object_size(&in->heap, p) : 0;
}

/**
 * lg_inherited_free() - free an inherited object
 * @p: any address
 *
 * The memory of large objects is returned. Small ones share pages with others, and
 * stay. errno is kept.
 */
void lg_inherited_free(void *p)
{
	size_t bytes = lg_inherited_size(p);
	int saved = errno;

	if (!bytes)
		lg_report_bad_free(NULL, p, EINVAL);
	else if (bytes > LG_MAX_SMALL)
		madvise(p, bytes, MADV_DONTNEED);
	errno = saved;
}

/* ---- the copy ----------------------------------------------------------- */

/* Whether a page may have content. Kept large objects have none that matters. */
static bool has_content(struct goheap *h, const void *p)
{
	uint64_t entry = *lg_window_slot(h, p);
	uint64_t index = GOHEAP_PAGE_INDEX(entry);

	if (!entry)
		return false;
	return (entry & LG_OWN_MASK) != h->own || GOHEAP_PAGE_CLASS(entry) ||
	       index == GOHEAP_PAGE_INDEX_MAX ||
	       !(lg_object_npages(h, p)[-(long)index] & LG_KEPT);
}

/* Copy an arena's used pages, and put the copy in its place. */
static void copy_arena(struct goheap *h, uintptr_t from)
{
	char *to = lg_sys_map(LG_ARENA_SIZE);
	size_t at;

	if (!to)
		lg_report_fork("no memory for a copy of the heap");

	for (at = 0; at < LG_ARENA_SIZE; at += LG_PAGE_SIZE)
		if (has_content(h, (void *)(from + at)))
			memcpy(to + at, (void *)(from + at), LG_PAGE_SIZE);

	if (mremap(to, LG_ARENA_SIZE, LG_ARENA_SIZE,
		   MREMAP_MAYMOVE | MREMAP_FIXED, (void *)from) == MAP_FAILED)
		lg_report_fork("cannot map the copy of the heap");
}

static const uint64_t *copy_map(struct goheap *h)
{
	size_t bytes = (h->known >> LG_ARENA_SHIFT << LG_MAP_SHIFT) *
		       sizeof(uint64_t);
	uint64_t *map = lg_sys_map(bytes);

	if (!map)
		lg_report_fork("no memory for a copy of the page map");
	memcpy(map, h->map, bytes);
	return map;
}

/**
 * lg_inherited_copy() - replace the used part of a window by a private copy
 * @h: the heap, which its other processes do not notice
 *
 * In a child, which has one thread. If it fails, the process ends: the program has
 * pointers to memory that it cannot have.
 */
void lg_inherited_copy(struct goheap *h)
{
	uintptr_t at, end = h->base + h->known;
	struct inherited *in = lg_sys_map(sizeof(*in));

	if (!in)
		lg_report_fork("no memory for a copy of the heap");
	for (at = h->base; at < end; at += LG_ARENA_SIZE)
		copy_arena(h, at);

	in->heap.base = h->base;
	in->heap.known = h->known;
	in->heap.window = h->known;
	lg_window_set_map(&in->heap, copy_map(h));
	memcpy(in->heap.class, h->class, sizeof(h->class));
	in->end = end;
	in->next = inherited;
	inherited = in;
}
