// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * window: mapping a heap, its page map, and the lengths of its large objects.
 *
 * Other threads of a preloaded program ask at any time whether an address is in the
 * window. It is not while goheap.window is 0: so this length is set last and
 * cleared first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>

#include "sys.h"
#include "window.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

static uint64_t map_bytes(uint64_t window)
{
	return (window >> LG_ARENA_SHIFT << LG_MAP_SHIFT) * sizeof(uint64_t);
}

static uint64_t npages_bytes(uint64_t window)
{
	return (window >> LG_PAGE_SHIFT) * sizeof(uint32_t);
}

/* A view may be for reading only. */
static int protection(const struct goheap *h)
{
	bool writes = (fcntl(h->fd, F_GETFL) & O_ACCMODE) == O_RDWR;

	return writes ? PROT_READ | PROT_WRITE : PROT_READ;
}

/* At the address that the kernel suggests to all processes. */
static void *map_suggested(const struct goheap *h, uintptr_t at,
			   uint64_t window)
{
	void *p = mmap((void *)at, window, protection(h),
		       MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
		       h->fd, 0);

	/* A kernel that does not know the flag takes the address for a hint. */
	if (p != MAP_FAILED && (uintptr_t)p != at) {
		munmap(p, window);
		p = MAP_FAILED;
		errno = EEXIST;
	}
	return p;
}

/*
 * At any address. mmap() aligns to the system's pages, but the heap's pages, and
 * what goheap_memalign() promises, are larger. So reserve more than is needed, and
 * unmap both ends.
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
	 * A failure may have unmapped the reservation, and another thread may have
	 * mapped something there since. So it must not be unmapped here.
	 */
	return mmap(at, window, protection(h),
		    MAP_SHARED | MAP_NORESERVE | MAP_FIXED, h->fd, 0);
}

/*
 * At the suggested address if that is free, else at any, else as much as there is
 * room for: this process then cannot use what lies beyond.
 */
static void *map_heap(const struct goheap *h, const struct goheap_info *info,
		      uint64_t *window)
{
	void *p = MAP_FAILED;

	errno = EEXIST;
	*window = info->window;
	if (info->base && !(info->base % LG_MAX_ALIGN))
		p = map_suggested(h, info->base, *window);
	if (h->flags & GOHEAP_FIXED) {
		if (p == MAP_FAILED && errno == EEXIST)
			errno = EADDRINUSE;
		return p == MAP_FAILED ? NULL : p;
	}
	while (p == MAP_FAILED && *window >= LG_ARENA_SIZE) {
		p = map_anywhere(h, *window);
		if (p == MAP_FAILED)
			*window /= 2;
	}
	return p == MAP_FAILED ? NULL : p;
}

/**
 * lg_window_map() - map a heap
 * @h: the heap; its descriptor is open
 * @info: what the kernel says of it
 *
 * Return: 0, or -1 with errno.
 */
int lg_window_map(struct goheap *h, const struct goheap_info *info)
{
	uint64_t window;
	void *map, *base = map_heap(h, info, &window);

	if (!base)
		return -1;
	map = mmap(NULL, map_bytes(window), PROT_READ,
		   MAP_SHARED | MAP_NORESERVE, h->fd, GOHEAP_MMAP_MAP);
	if (map == MAP_FAILED)
		goto no_map;
	h->npages = lg_sys_map(npages_bytes(window));
	if (!h->npages)
		goto no_npages;

	__atomic_store_n(&h->base, (uintptr_t)base, __ATOMIC_RELEASE);
	lg_window_set_map(h, map);
	__atomic_store_n(&h->window, window, __ATOMIC_RELEASE);
	return 0;

no_npages:
	munmap(map, map_bytes(window));
no_map:
	munmap(base, window);
	return -1;
}

/**
 * lg_window_unmap() - unmap a heap
 * @h: the heap
 */
void lg_window_unmap(struct goheap *h)
{
	uint64_t window = h->window;

	__atomic_store_n(&h->window, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&h->known, 0, __ATOMIC_RELEASE);

	lg_sys_unmap((void *)h->base, window);
	lg_sys_unmap((void *)h->map, map_bytes(window));
	lg_sys_unmap(h->npages, npages_bytes(window));

	__atomic_store_n(&h->base, 0, __ATOMIC_RELEASE);
	h->map = NULL;
	h->npages = NULL;
}
