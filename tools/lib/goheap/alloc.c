// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * alloc: allocating and resizing objects.
 */
#include "alloc.h"
#include "free.h"
#include "kernel.h"
#include "object.h"
#include "report.h"

LG_EXPORT void *goheap_malloc(struct goheap *h, size_t size)
{
	return lg_alloc(h, size);
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

/* A span starts at a page, so an object is aligned to what divides its size. */
static unsigned int aligned_class(struct goheap *h, size_t align, size_t size)
{
	unsigned int class;

	if (size > LG_MAX_SMALL || align > LG_PAGE_SIZE)
		return 0;
	for (class = lg_class_of(h, size); class < h->nr_classes; class++)
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

/* ---- resizing ----------------------------------------------------------- */

LG_EXPORT size_t goheap_usable_size(struct goheap *h, const void *p)
{
	return p ? lg_object_size(h, p) : 0;
}

/* Whether an object of @old bytes can hold @size, or be made to, where it is. */
static bool fits(struct goheap *h, void *p, size_t old, size_t size)
{
	if (old > LG_MAX_SMALL && size > LG_MAX_SMALL)
		return (size <= old && size > old - old / 8) ||
		       !lg_kernel_resize(h, p, size);
	return size <= old && size >= old / 2;
}

static void *move(struct goheap *h, void *p, size_t old, size_t size)
{
	void *new = lg_alloc(h, size);

	if (!new)
		return NULL;
	memcpy(new, p, old < size ? old : size);
	lg_free(h, p);
	return new;
}

LG_EXPORT void *goheap_realloc(struct goheap *h, void *p, size_t size)
{
	size_t old;

	if (!p)
		return lg_alloc(h, size);
	if (!size) {
		lg_free(h, p);
		return NULL;
	}
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}

	old = goheap_usable_size(h, p);
	if (!old || lg_object_is_kept(h, p)) {
		lg_report_bad_free(h, p, old ? ENOENT : EINVAL);
		errno = EINVAL;
		return NULL;
	}

	if (fits(h, p, old, size))
		return p;
	/* It would have no type any more. */
	if (lg_object_entry(h, p) & GOHEAP_PAGE_TYPED) {
		if (size <= old)
			return p;
		errno = EINVAL;
		return NULL;
	}
	return move(h, p, old, size);
}
