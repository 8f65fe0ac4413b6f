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

static void setup_one(struct lg_class *k, const struct goheap_class *from)
{
	k->size = from->size;
	k->nelems = from->nelems;
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
