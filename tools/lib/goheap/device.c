// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * device: opening /dev/goheap, and reading what the kernel says of a heap.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "class.h"
#include "device.h"
#include "lock.h"
#include "sys.h"
#include "window.h"

#ifdef LG_PAGE_VARIES
unsigned int lg_page_shift, lg_map_shift;
#endif

/* A file that may only be read. A device makes a heap for each open(). */
static int open_to_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode)))
		return fd;
	lg_sys_close(fd);
	errno = EACCES;
	return -1;
}

/* Nothing is left where files are no heaps. */
static int create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
	struct statfs fs;

	if (fd < 0 || (!fstatfs(fd, &fs) && fs.f_type == GOHEAP_FS_MAGIC))
		return fd;
	unlink(path);
	lg_sys_close(fd);
	errno = EPROTO;
	return -1;
}

/**
 * lg_device_open() - make a heap, or open one that has a name
 * @path: of the device, or the name
 * @creates: make a heap of that name if there is none
 *
 * Return: a descriptor, or -1 with errno.
 */
int lg_device_open(const char *path, bool creates)
{
	int fd;

	do {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0 && errno == EACCES)
			fd = open_to_read(path);
		else if (fd < 0 && errno == ENOENT && creates)
			fd = create(path);
		/* Another process has made it since. */
	} while (fd < 0 && errno == EEXIST);
	return lg_sys_high_fd(fd);
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

LG_EXPORT int goheap_is_apart(struct goheap *h)
{
	struct goheap_info info = { .size = sizeof(info) };

	if (lg_is_private(h) || h->version < 4) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return ioctl(h->fd, GOHEAP_IOC_INFO, &info) ? -1 : !!info.apart;
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
		/* As older kernels know it. */
		.size = offsetof(struct goheap_info, apart),
		.nr_classes = LG_CLASSES,
		.classes = (uintptr_t)from,
	};

	if (ioctl(h->fd, GOHEAP_IOC_INFO, &info) || !is_known(&info, from)) {
		errno = EPROTO;
		return -1;
	}
	h->version = info.version;
	h->end = info.window;
	h->nr_classes = info.nr_classes;
	lg_class_setup(h, from);
	return lg_window_map(h, &info);
}
