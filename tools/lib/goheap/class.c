// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * class: size classes, as the kernel has them, and what this library adds.
 */
#include "class.h"

/* What moves at once, and what a magazine may hold. */
#define BATCH_BYTES	(128UL << 10)
#define BATCH_MAX	256
#define MAG_BYTES	(256UL << 10)
#define MAG_MAX		1024

static uint32_t inverse_of(uint32_t odd)
{
	uint32_t x = odd;
	int i;

	/* Newton: 3 bits are right at first, and each step doubles them. */
	for (i = 0; i < 4; i++)
		x *= 2 - odd * x;
	return x;
}

static uint32_t clamp(uint32_t value, uint32_t lo, uint32_t hi)
{
	return value < lo ? lo : value > hi ? hi : value;
}

/*
 * Of the kernel, and of Go, by class: bytes of an object, and pages of a span where these
 * have 8 KiB. See mm/gen_sizeclasses.c.
 */
static const uint16_t class_size[] = {
	0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208,
	224, 240, 256, 288, 320, 352, 384, 416, 448, 480, 512, 576, 640, 704,
	768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072,
	3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728,
	10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760,
	24576, 27264, 28672, 32768,
};

static const uint8_t class_npages[] = {
	0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1, 2, 1, 3, 2, 3, 1, 3, 2, 3,
	4, 5, 6, 1, 7, 6, 5, 4, 3, 5, 7, 2, 9, 7, 5, 8, 3, 10, 7, 4,
};

static_assert(sizeof(class_npages) == GOHEAP_NR_CLASSES);
static_assert(sizeof(class_size) == 2 * GOHEAP_NR_CLASSES);

static void setup_one(struct lg_class *k, const struct goheap_class *from)
{
	k->size = from->size;
	k->nelems = from->nelems;
	k->npages = from->npages;
	k->shift = __builtin_ctz(from->size);
	k->inverse = inverse_of(from->size >> k->shift);
	k->batch = clamp(BATCH_BYTES / from->size, 2, BATCH_MAX);
	k->max = clamp(MAG_BYTES / from->size, 2, MAG_MAX);
}

/* The smallest class for each size whose objects are all aligned to LG_ALIGN. */
static void setup_lookup(struct goheap *h)
{
	unsigned int i, class = 1;

	for (i = 0; i <= LG_MAX_SMALL / LG_QUANTUM; i++) {
		while (h->class[class].size < i * LG_QUANTUM ||
		       h->class[class].size % LG_ALIGN)
			class++;
		h->class_of[i] = class;
	}
}

/**
 * lg_class_setup() - set up the size classes of a heap
 * @h: the heap
 * @from: as many as the heap has, as the kernel told them
 */
void lg_class_setup(struct goheap *h, const struct goheap_class *from)
{
	unsigned int i;

	for (i = 1; i < h->nr_classes; i++)
		setup_one(&h->class[i], &from[i]);
	setup_lookup(h);
}

/* The shortest span of which an eighth at most is not used. */
static unsigned int span_npages(unsigned int size)
{
	size_t span = LG_PAGE_SIZE;

	while (span % size > span / 8)
		span += LG_PAGE_SIZE;
	return span >> LG_PAGE_SHIFT;
}

/**
 * lg_class_setup_own() - set up the size classes of a heap without a kernel
 * @h: the heap
 */
void lg_class_setup_own(struct goheap *h)
{
	struct goheap_class as[GOHEAP_NR_CLASSES] = { 0 };
	unsigned int i;

	for (i = 1; i < GOHEAP_NR_CLASSES; i++) {
		unsigned int size = class_size[i];
		unsigned int npages = LG_PAGE_SHIFT == 13 ? class_npages[i] :
							    span_npages(size);

		as[i] = (struct goheap_class){
			.size = size,
			.npages = npages,
			.nelems = ((size_t)npages << LG_PAGE_SHIFT) / size,
		};
	}
	h->nr_classes = GOHEAP_NR_CLASSES;
	lg_class_setup(h, as);
}
