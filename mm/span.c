// SPDX-License-Identifier: GPL-2.0-only
/*
 * span: what happens to the objects of one span; see span.h.
 *
 * Lock: the caller's, as each function says. It is not asserted here, because
 * struct gh_central is of a higher layer.
 */
#include <linux/bitops.h>
#include <linux/string.h>

#include "compat.h"
#include "span.h"

struct gh_span gh_no_span;
GH_EXPORT_FOR_TESTS(gh_no_span);

/* Places of bitmap word @w that exist. */
static u64 span_word_mask(const struct gh_span *s, unsigned int w)
{
	unsigned int left = s->nelems - w * 64;

	return left >= 64 ? ~0ULL : (1ULL << left) - 1;
}

/* Make word @w the one that places are taken from. */
static void span_load_word(struct gh_span *s, unsigned int w)
{
	s->alloc_cache = ~s->alloc_bits[w] & span_word_mask(s, w);
}

/* Go to the next word with a free place, or past the end if there is none. */
static void span_next_word(struct gh_span *s)
{
	unsigned int w;

	for (w = s->freeindex / 64 + 1; w * 64 < s->nelems; w++) {
		s->freeindex = w * 64;
		span_load_word(s, w);
		if (s->alloc_cache)
			return;
	}
	s->freeindex = s->nelems;
}

/* Leave @freeindex at the first free place at or after it. */
static void span_settle(struct gh_span *s)
{
	if (!s->alloc_cache)
		span_next_word(s);
	if (s->alloc_cache)
		s->freeindex = round_down(s->freeindex, 64) +
			       __ffs64(s->alloc_cache);
}

/**
 * gh_span_start() - make all of a new span's places free
 * @s: the span, with its size and number of objects set
 * @meta: gh_span_meta_bytes() for more than one object, else NULL
 *
 * Context: any; no other CPU can find the span yet.
 */
void gh_span_start(struct gh_span *s, void *meta)
{
	unsigned int words = DIV_ROUND_UP(s->nelems, 64);

	if (meta) {
		memset(meta, 0, gh_span_meta_bytes(s->nelems));
		s->alloc_bits = meta;
		s->freed_bits = s->alloc_bits + words;
		s->objstate = (u8 *)(s->freed_bits + words);
	} else {
		memset(s->inline_bits, 0, sizeof(s->inline_bits));
		s->inline_state = GH_OBJ_FREE;
		s->alloc_bits = &s->inline_bits[0];
		s->freed_bits = &s->inline_bits[1];
		s->objstate = &s->inline_state;
	}

	s->alloc_count = 0;
	s->nfreed = 0;
	s->freeindex = 0;
	gh_divisor_init(&s->div, s->elemsize);
	span_load_word(s, 0);
}
GH_EXPORT_FOR_TESTS(gh_span_start);

/**
 * gh_span_carve() - take free places, lowest address first
 * @s: the span
 * @ents: where the objects go
 * @max: how many at most
 *
 * Context: any; under the busy flag of the slot whose current span it is, or
 * under the mcentral's lock.
 * Return: number taken; less than @max only if the span is now full.
 */
unsigned int gh_span_carve(struct gh_span *s, struct gh_ent *ents,
			   unsigned int max)
{
	unsigned int n = 0;

	while (n < max && !gh_span_full(s)) {
		unsigned int idx = s->freeindex;

		ents[n].obj = (void *)(s->base + idx * s->elemsize);
		ents[n].state = &s->objstate[idx];
		n++;
		/* Clear the lowest bit: the place that @freeindex is at. */
		s->alloc_cache &= s->alloc_cache - 1;
		span_settle(s);
	}
	s->alloc_count += n;
	return n;
}
GH_EXPORT_FOR_TESTS(gh_span_carve);

/**
 * gh_span_mark_freed() - note that an object was freed
 * @s: the span
 * @idx: the object
 *
 * Context: any; under the mcentral's lock.
 * Return: false if it had been freed before.
 */
bool gh_span_mark_freed(struct gh_span *s, unsigned int idx)
{
	u64 bit = 1ULL << (idx % 64);

	if (s->freed_bits[idx / 64] & bit)
		return false;
	s->freed_bits[idx / 64] |= bit;
	s->nfreed++;
	return true;
}
GH_EXPORT_FOR_TESTS(gh_span_mark_freed);

/**
 * gh_span_sweep() - fold the freed bits in
 * @s: the span
 *
 * Afterwards, places that were taken and not freed have their alloc bit set,
 * all others are free, and carving starts at the lowest again.
 *
 * Context: any; under the mcentral's lock. No CPU may have it as its current
 * span.
 */
void gh_span_sweep(struct gh_span *s)
{
	unsigned int w, words = DIV_ROUND_UP(s->nelems, 64);

	for (w = 0; w < words; w++) {
		/* All places below freeindex were taken. */
		if ((w + 1) * 64 <= s->freeindex)
			s->alloc_bits[w] = ~0ULL;
		else if (w * 64 < s->freeindex)
			s->alloc_bits[w] |= (1ULL << (s->freeindex % 64)) - 1;
		s->alloc_bits[w] &= ~s->freed_bits[w] & span_word_mask(s, w);
		s->freed_bits[w] = 0;
	}

	s->alloc_count -= s->nfreed;
	s->nfreed = 0;
	s->freeindex = 0;
	span_load_word(s, 0);
	span_settle(s);
}
GH_EXPORT_FOR_TESTS(gh_span_sweep);

/**
 * gh_span_verify() - check that a span's counts agree with its bits
 * @s: the span, just swept
 *
 * Context: any; under the mcentral's lock. No CPU may have it as its current
 * span.
 * Return: true if they do.
 */
bool gh_span_verify(const struct gh_span *s)
{
	unsigned int w, taken = 0, freed = 0;

	for (w = 0; w < DIV_ROUND_UP(s->nelems, 64); w++) {
		taken += hweight64(s->alloc_bits[w] & span_word_mask(s, w));
		freed += hweight64(s->freed_bits[w]);
	}
	return taken == s->alloc_count && freed == s->nfreed;
}
GH_EXPORT_FOR_TESTS(gh_span_verify);
