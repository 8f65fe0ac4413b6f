// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * device: opening /dev/goheap, and reading what the kernel says of a heap.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "class.h"
#include "device.h"
#include "sys.h"
#include "window.h"

#ifdef LG_PAGE_VARIES
unsigned int lg_page_shift, lg_map_shift;
#endif

/**
 * lg_device_open() - make a heap
 * @path: of the device
 *
 * Return: a descriptor, or -1 with errno.
 */
int lg_device_open(const char *path)
{
	return lg_sys_high_fd(open(path, O_RDWR | O_CLOEXEC));
}

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

/* All heaps of a kernel have the same pages. */
static bool set_pages(const struct goheap_info *info)
{
	uint32_t entries = info->map_stride / sizeof(uint64_t);

	if (!is_power_of_two(info->page_size) || !is_power_of_two(entries) ||
	    (uint64_t)info->page_size * entries < LG_ARENA_SIZE)
		return false;
#ifdef LG_PAGE_VARIES
	lg_page_shift = __builtin_ctz(info->page_size);
	lg_map_shift = __builtin_ctz(entries);
#endif
	return info->page_size == LG_PAGE_SIZE && entries == 1U << LG_MAP_SHIFT;
}

/* Whether this library can do with what the kernel says of its heaps. */
static bool is_known(const struct goheap_info *info,
		     const struct goheap_class *from)
{
	return info->nr_classes > 1 && info->nr_classes <= LG_CLASSES &&
	       from[info->nr_classes - 1].size == LG_MAX_SMALL &&
	       info->max_small == LG_MAX_SMALL && set_pages(info);
}

/**
 * lg_device_begin() - read the size classes of a heap, and map it
 * @h: the heap; its descriptor is open, and stays open also on failure
 *
 * Return: 0, or -1 with errno: EPROTO if the descriptor is not of a heap.
 */
int lg_device_begin(struct goheap *h)
{
	struct goheap_class from[LG_CLASSES] = { 0 };
	struct goheap_info info = {
		.size = sizeof(info),
		.nr_classes = LG_CLASSES,
		.classes = (uintptr_t)from,
	};

	if (ioctl(h->fd, GOHEAP_IOC_INFO, &info) || !is_known(&info, from)) {
		errno = EPROTO;
		return -1;
	}
	h->version = info.version;
	h->nr_classes = info.nr_classes;
	lg_class_setup(h, from);
	return lg_window_map(h, &info);
}
