/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * divide: exact division by the size of an object.
 *
 * A free must find out which object of a span starts at an address, and whether
 * one does: divide the distance from the span's start by the object size, and
 * refuse what leaves a remainder. One multiplication and one rotation do both.
 *
 * The size is an odd number times 2^shift. An odd number has an inverse modulo
 * 2^64, so multiplying a multiple of it by the inverse divides it. What remains
 * of the size is the power of two, and rotating right by shift bits divides by
 * it: bits that should be zero, but are not, come back in at the top.
 *
 * So every multiple of the size gives its quotient. Both steps are bijections
 * on 64-bit numbers, so nothing else gives the same: of what is not a multiple,
 * the result is larger than that of any multiple. Comparing it with the number
 * of objects therefore refuses addresses inside of objects as well as those
 * behind the last.
 *
 * (Granlund and Montgomery, Division by Invariant Integers using
 * Multiplication, 1994, section 9.)
 *
 * Everything here is pure: no locks, any context.
 */
#ifndef _GOHEAP_DIVIDE_H
#define _GOHEAP_DIVIDE_H

#include <linux/bitops.h>
#include <linux/types.h>

/**
 * struct gh_divisor - an object size, ready to be divided by
 * @inverse: of its odd factor, modulo 2^64
 * @shift: twos in it
 */
struct gh_divisor {
	u64 inverse;
	u8 shift;
};

/**
 * gh_divisor_init() - prepare to divide by a size
 * @d: the divisor
 * @size: bytes of an object, 1 or more
 */
static inline void gh_divisor_init(struct gh_divisor *d, size_t size)
{
	u64 odd, x;
	int bits;

	d->shift = __ffs(size);
	odd = size >> d->shift;

	/* Newton: 3 bits are right to begin with, twice as many each time. */
	for (x = odd, bits = 3; bits < 64; bits *= 2)
		x *= 2 - odd * x;
	d->inverse = x;
}

/**
 * gh_divide() - divide, if nothing remains
 * @d: the divisor
 * @n: any number
 *
 * Return: the quotient if @n is a multiple of the size; else a number that is
 * larger than the quotient of any multiple.
 */
static __always_inline u64 gh_divide(const struct gh_divisor *d, u64 n)
{
	return ror64(n * d->inverse, d->shift);
}

#endif /* _GOHEAP_DIVIDE_H */
