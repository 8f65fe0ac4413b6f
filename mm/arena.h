/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * arena: the metadata of 64 MiB of address space, found by address.
 */
#ifndef _GOHEAP_ARENA_H
#define _GOHEAP_ARENA_H

#include <linux/bitops.h>
#include <linux/lockdep.h>
#include <linux/types.h>

#include "span.h"
#include "vmem.h"

struct gh_area;
struct gh_heap;
struct gh_node;

/**
 * struct gh_arena - metadata of one arena, off the heap
 * @base: first address
 * @node: the heap's node that its pages belong to
 * @area: the address space that it is part of
 * @slot: the arena's place in the node's page index: page slot * 8192 is @base
 * @users: objects with mappings of their own that share it; 0 if it has a @node
 * @next_gone: for whoever collects arenas to be freed
 * @zeroed_base: pages from here on were never used
 * @page_inuse: set for the first page of a span in use, or of a large one that
 *	is dead and cached
 * @spans: the span that each page is in, or &gh_no_span
 *
 * Only the owner of the pages writes @spans and @page_inuse; any CPU may read
 * them at any time.
 */
struct gh_arena {
	unsigned long base;
	struct gh_node *node;
	struct gh_area *area;
	unsigned int slot;
	unsigned int users;
	struct gh_arena *next_gone;
	atomic_t zeroed_base;
	DECLARE_BITMAP(page_inuse, GH_ARENA_PAGES);
	struct gh_span *spans[GH_ARENA_PAGES];
};

/*
 * The index is a two-level table over the arenas of the vmalloc range. With
 * 4-level page tables that is 2^19 arenas in 64 leaves, of which few are made.
 */
#define GH_INDEX_L2_SHIFT	13
#define GH_INDEX_L2_ENTRIES	BIT(GH_INDEX_L2_SHIFT)

struct gh_index_leaf {
	struct gh_arena *arena[GH_INDEX_L2_ENTRIES];
};

/**
 * struct gh_index - where arenas are found by address
 * @base: lowest address an arena can have
 * @narenas: number of arenas that the range has room for
 * @leaf: leaves, NULL where no arena was ever published
 */
struct gh_index {
	unsigned long base;
	unsigned long narenas;
	struct gh_index_leaf **leaf;
};

extern struct gh_index gh_index;

/*
 * A direct-mapped cache in front of the index, for callers that check what they
 * find: the tables of spans of arenas, by the low bits of the arena's number.
 * Arenas are mostly reserved side by side, so 1 TiB of them have a slot each.
 * An arena whose slot is taken is found through the index. No slot is ever
 * NULL, and neither is an entry of a table, so a lookup need not test for it.
 */
#define GH_LOOKUP_SLOTS		16384

extern struct gh_span **gh_lookup[GH_LOOKUP_SLOTS];

static __always_inline struct gh_span ***gh_lookup_slot(unsigned long addr)
{
	return &gh_lookup[(addr >> GH_ARENA_SHIFT) % GH_LOOKUP_SLOTS];
}

/**
 * gh_arena_of() - the arena that an address is in
 * @addr: any value
 *
 * Context: any.
 * Return: the arena, or NULL if goheap has none there.
 */
static inline struct gh_arena *gh_arena_of(unsigned long addr)
{
	unsigned long nr = (addr - gh_index.base) >> GH_ARENA_SHIFT;
	struct gh_index_leaf *leaf;

	if (unlikely(nr >= gh_index.narenas))
		return NULL;
	leaf = READ_ONCE(gh_index.leaf[nr >> GH_INDEX_L2_SHIFT]);
	if (unlikely(!leaf))
		return NULL;
	/* Pairs with the release in gh_arena_publish(). */
	return smp_load_acquire(&leaf->arena[nr % GH_INDEX_L2_ENTRIES]);
}

/**
 * gh_span_guess() - the span that an address should be in
 * @addr: any value
 *
 * Quicker than gh_span_of(), but only a guess: it may be another span, or
 * gh_no_span. The caller must check whether @addr is one of the span's objects,
 * as gh_span_find() does, and use gh_span_of() if it is not.
 *
 * Context: any, preemption off, until the caller is done with the span.
 * Return: a span.
 */
static __always_inline struct gh_span *gh_span_guess(unsigned long addr)
{
	struct gh_span **spans, *s;

	lockdep_assert_preemption_disabled();

	/* Pairs with the release in gh_arena_publish(), by dependency. */
	spans = READ_ONCE(*gh_lookup_slot(addr));
	/* With READ_ONCE(), gcc would use more instructions for the address. */
	s = data_race(spans[(addr >> GH_PAGE_SHIFT) % GH_ARENA_PAGES]);
	OPTIMIZER_HIDE_VAR(s);
	return s;
}

/**
 * gh_arena_span() - the span that a page of an arena is in
 * @arena: the arena
 * @page: the page, counted from the start of the arena
 *
 * Context: any.
 * Return: the span, or NULL.
 */
static inline struct gh_span *gh_arena_span(const struct gh_arena *arena,
					    unsigned long page)
{
	struct gh_span *s = READ_ONCE(arena->spans[page]);

	return s == &gh_no_span ? NULL : s;
}

/**
 * gh_span_of() - the span that an address is in
 * @addr: any value
 *
 * Context: any; in an RCU read section, unless the caller owns an object of the
 * span. It may die at any time then, but its record stays as it is until the
 * end of the section; see struct gh_span.
 * Return: the span, or NULL.
 */
static inline struct gh_span *gh_span_of(unsigned long addr)
{
	struct gh_arena *arena = gh_arena_of(addr);

	if (unlikely(!arena))
		return NULL;
	return gh_arena_span(arena, (addr >> GH_PAGE_SHIFT) % GH_ARENA_PAGES);
}

int gh_index_init(void);
void gh_index_exit(void);
unsigned long gh_index_bytes(void);

struct gh_arena *gh_arena_create(struct gh_node *node, unsigned long base,
				 unsigned int slot);
void gh_arena_publish(struct gh_arena *arena);
void gh_arena_unpublish(struct gh_arena *arena);
void gh_arena_free(struct gh_arena *arena);
struct gh_arena *gh_arena_get(unsigned long addr);
bool gh_arena_put(struct gh_arena *arena);
bool gh_arena_use(struct gh_arena *arena, unsigned long page,
		  unsigned long npages);

#endif /* _GOHEAP_ARENA_H */
