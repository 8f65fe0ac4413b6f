/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sizeclass: size classes, span classes and the arithmetic of spans.
 *
 * Small requests are rounded up to one of 67 sizes. A span of one class is
 * npages pages cut into objects of exactly that size, so the class determines
 * the layout of its spans. Class 0 stands for "large": a span of a single
 * object. A span class is a size class plus one bit that says whether its
 * objects may hold pointers (scan) or not (noscan).
 *
 * The tables are computed at build time by gen_sizeclasses.c, which refuses to
 * emit them unless they match known check sums. They are defined in
 * sizeclass.c, the only file that includes the generated header.
 *
 * Everything here is pure: no locks, any context.
 */
#ifndef _GOHEAP_SIZECLASS_H
#define _GOHEAP_SIZECLASS_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/types.h>
#include <asm/page.h>

/* The heap's page: 8 KiB, or the kernel's page where that is larger. */
#ifdef GH_PAGE_SHIFT
/* A test has chosen. */
#elif PAGE_SHIFT > 13
#define GH_PAGE_SHIFT		PAGE_SHIFT
#else
#define GH_PAGE_SHIFT		13
#endif
#define GH_PAGE_SIZE		BIT(GH_PAGE_SHIFT)

/* An arena, the unit in which heaps grow: 64 MiB. */
#define GH_ARENA_SHIFT		26
#define GH_ARENA_SIZE		BIT(GH_ARENA_SHIFT)
#define GH_ARENA_PAGES_SHIFT	(GH_ARENA_SHIFT - GH_PAGE_SHIFT)
#define GH_ARENA_PAGES		BIT(GH_ARENA_PAGES_SHIFT)

/* Largest request, in bytes, that a size class serves. */
#define GH_MAX_SMALL		32768

/* Number of size classes (with class 0, large), and of span classes. */
#define GH_NUM_CLASSES		68
#define GH_NUM_SPANCLASSES	(2 * GH_NUM_CLASSES)

/* Smallest object, in bytes, and the most objects a span can hold. */
#define GH_MIN_OBJ		8
#define GH_MAX_SPAN_OBJS	(GH_PAGE_SIZE / GH_MIN_OBJ)

/* Bitmaps and state bytes of spans are records for up to 16 << i objects. */
#define GH_NUM_META		(const_ilog2(GH_MAX_SPAN_OBJS) - 3)

/* Which of these records is large enough for @nelems objects. */
static inline unsigned int gh_meta_index(unsigned int nelems)
{
	return nelems <= 16 ? 0 : ilog2(nelems - 1) - 3;
}

/* No object is aligned to more than this, in bytes. */
#define GH_MAX_NATURAL_ALIGN	8192

/* Up to this size, in bytes, lookup has 8-byte steps; above, 128-byte steps. */
#define GH_STEP8_MAX		1016
#define GH_STEP8_ENTRIES	129
#define GH_STEP128_BASE		1024
#define GH_STEP128_ENTRIES	249

extern const u16 gh_class_size[GH_NUM_CLASSES];		/* object, bytes */
extern const u8 gh_class_npages[GH_NUM_CLASSES];	/* span, heap pages */
extern const u16 gh_class_nelems[GH_NUM_CLASSES];	/* objects a span */
extern const u8 gh_class8[GH_STEP8_ENTRIES];
extern const u8 gh_class128[GH_STEP128_ENTRIES];

static_assert(PAGE_SHIFT <= GH_PAGE_SHIFT);
static_assert(GH_STEP8_MAX / 8 + 2 == GH_STEP8_ENTRIES);
static_assert((GH_MAX_SMALL - GH_STEP128_BASE) / 128 + 1 ==
	      GH_STEP128_ENTRIES);

/* No subscripts, or UBSAN would check the size that the caller has checked. */
static __always_inline u8 gh_step8_class(size_t size)
{
	return *(gh_class8 + ((size + 7) >> 3));
}

static __always_inline u8 gh_step128_class(size_t size)
{
	return *(gh_class128 + ((size - GH_STEP128_BASE + 127) >> 7));
}

/**
 * gh_size_to_class() - the smallest size class that holds a request
 * @size: bytes, 1 to GH_MAX_SMALL
 *
 * Sizes 1017 to 1023 belong to the second table although they are below its
 * base: the subtraction wraps around and the addition wraps it back, to entry
 * 0, which is the class of 1024.
 *
 * Return: size class, 1 to GH_NUM_CLASSES - 1.
 */
static inline unsigned int gh_size_to_class(size_t size)
{
	return size <= GH_STEP8_MAX ? gh_step8_class(size) :
				      gh_step128_class(size);
}

static inline unsigned int gh_make_spanclass(unsigned int class, bool noscan)
{
	return class << 1 | noscan;
}

static inline unsigned int gh_spanclass_class(unsigned int spanclass)
{
	return spanclass >> 1;
}

static inline bool gh_spanclass_noscan(unsigned int spanclass)
{
	return spanclass & 1;
}

/**
 * gh_natural_align() - the alignment that every object of a size has
 * @size: object size in bytes, 1 or more
 *
 * Spans start on a page, so objects are aligned to the lowest set bit of their
 * size.
 *
 * Return: alignment in bytes, at most GH_MAX_NATURAL_ALIGN.
 */
static inline size_t gh_natural_align(size_t size)
{
	return min_t(size_t, size & -size, GH_MAX_NATURAL_ALIGN);
}

/**
 * gh_span_npages() - the span length that suits an object size
 * @size: object size in bytes, GH_MIN_OBJ or more
 *
 * The same rule that shapes the class table: the shortest span whose tail
 * wastes at most an eighth of it. Above GH_MAX_SMALL a span is one object.
 * Sizes of the table were rounded up after the rule was applied to them, so for
 * those gh_class_npages holds, which may be more.
 *
 * Return: heap pages.
 */
static inline unsigned long gh_span_npages(size_t size)
{
	size_t span = GH_PAGE_SIZE;

	if (size > GH_MAX_SMALL)
		return DIV_ROUND_UP(size, GH_PAGE_SIZE);
	while (span % size > span / 8)
		span += GH_PAGE_SIZE;
	return span >> GH_PAGE_SHIFT;
}

/**
 * gh_span_nelems() - how many objects a span of gh_span_npages() pages holds
 * @size: object size in bytes, GH_MIN_OBJ or more
 *
 * Return: objects, 1 to GH_MAX_SPAN_OBJS.
 */
static inline unsigned int gh_span_nelems(size_t size)
{
	if (size > GH_MAX_SMALL)
		return 1;
	return (gh_span_npages(size) << GH_PAGE_SHIFT) / (u32)size;
}

#endif /* _GOHEAP_SIZECLASS_H */
