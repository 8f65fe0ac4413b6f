/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tinyword: the word of a tiny block, which knows where its objects lie.
 *
 *   bit 0..14    an object starts at that byte
 *   bit 15       a CPU holds the block and may add objects
 *   bit 16 + n   an object ends with byte n
 *
 * No object starts at byte 15. A block is free when no CPU holds it and nothing
 * starts in it.
 *
 *   byte    0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
 *           [ "abc" ]   [ u32 val ] [   u64 key           ]
 *   starts  x           x           x
 *   ends          x              x                       x
 *
 * Everything here is pure: no locks, any context.
 */
#ifndef _GOHEAP_TINYWORD_H
#define _GOHEAP_TINYWORD_H

#include <linux/atomic.h>
#include <linux/bitops.h>

#include "span.h"

#define GH_TINY_SIZE	16
#define GH_TINY_HELD	BIT(15)
#define GH_TINY_STARTS	0x7fffU

/**
 * struct gh_tinywords - words of a span of tiny blocks, which is one page
 * @link: overwritten when the record is freed. It is no word, because a reader
 *	with a stale pointer would take what is there for objects
 * @word: one for each block
 */
struct gh_tinywords {
	unsigned long link;
	atomic_t word[GH_PAGE_SIZE / GH_TINY_SIZE];
};

/*
 * The word of the block that @addr is in; @s is a span of tiny blocks. Such a span is one
 * page, so this does without @s->base, which changes when the record is freed.
 */
static inline atomic_t *gh_tinyword_of(const struct gh_span *s,
				       unsigned long addr)
{
	return &s->tiny->word[addr % GH_PAGE_SIZE / GH_TINY_SIZE];
}

static inline int gh_tinyword_read(const struct gh_span *s, unsigned long addr)
{
	return atomic_read(gh_tinyword_of(s, addr));
}

/* The bits of an object of @size bytes at @off. */
static inline int gh_tinyword_object(unsigned int off, unsigned int size)
{
	return BIT(off) | BIT(16 + off + size - 1);
}

/* Does an object start at @off? */
static inline bool gh_tinyword_starts(int word, unsigned int off)
{
	return word & GH_TINY_STARTS & BIT(off);
}

/* Bytes of the object that starts at @off. */
static inline unsigned int gh_tinyword_size(int word, unsigned int off)
{
	return __ffs((unsigned int)word >> (16 + off)) + 1;
}

/* Does an object start before @off and end at or after it? */
static inline bool gh_tinyword_covers(int word, unsigned int off)
{
	int before = word & GH_TINY_STARTS & (BIT(off) - 1);
	unsigned int start;

	if (!before)
		return false;
	start = __fls(before);
	return start + gh_tinyword_size(word, start) > off;
}

#endif /* _GOHEAP_TINYWORD_H */
