// SPDX-License-Identifier: GPL-2.0-only
/*
 * arena: the metadata of 64 MiB of address space, found by address.
 *
 *   address   63            26 25          13 12         0
 *             [ arena number  ][ page in arena ][  offset  ]
 *               |                 |
 *               gh_index.leaf      arena->spans[page] -> struct gh_span
 *               gh_lookup
 *
 * An arena is published with release semantics when all of it is set up, and
 * stays until its area is given back. Leaves of the index stay until the module
 * ends.
 *
 * Lock: index_lock serialises writers of the index and of gh_lookup; readers
 * take no lock.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "arena.h"
#include "compat.h"

#if BITS_PER_LONG != 64
#error "goheap needs a 64-bit kernel"
#endif

/* User-mode Linux keeps its VMALLOC_START to itself: cover 47 bits there. */
#ifdef CONFIG_UML
#define INDEX_START	0UL
#define INDEX_END	BIT(47)
#else
#define INDEX_START	VMALLOC_START
#define INDEX_END	VMALLOC_END
#endif

struct gh_index gh_index;
GH_EXPORT_FOR_TESTS(gh_index);

struct gh_span **gh_lookup[GH_LOOKUP_SLOTS] __read_mostly;
GH_EXPORT_FOR_TESTS(gh_lookup);

/* In place of an arena's table: all its entries are gh_no_span. Read-only. */
static struct gh_span **no_spans;

static DEFINE_RAW_SPINLOCK(index_lock);
static atomic_long_t index_leaves;

static unsigned long index_nleaves(void)
{
	return DIV_ROUND_UP(gh_index.narenas, GH_INDEX_L2_ENTRIES);
}

/* One page full of gh_no_span, mapped so often that it is a whole table. */
static int lookup_init(void)
{
	struct page *pages[DIV_ROUND_UP(GH_ARENA_PAGES * sizeof(*no_spans),
					PAGE_SIZE)];
	struct gh_span **entries;
	unsigned int i;

	entries = (struct gh_span **)__get_free_page(GFP_KERNEL);
	if (!entries)
		return -ENOMEM;

	for (i = 0; i < PAGE_SIZE / sizeof(*entries); i++)
		entries[i] = &gh_no_span;
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = virt_to_page(entries);
	no_spans = vmap(pages, ARRAY_SIZE(pages), VM_MAP, PAGE_KERNEL_RO);
	if (!no_spans) {
		free_page((unsigned long)entries);
		return -ENOMEM;
	}

	for (i = 0; i < GH_LOOKUP_SLOTS; i++)
		gh_lookup[i] = no_spans;
	return 0;
}

static void lookup_exit(void)
{
	struct page *page = vmalloc_to_page(no_spans);

	vunmap(no_spans);
	__free_page(page);
}

/* Install the arena in its lookup slot if that is empty. */
static void lookup_install(struct gh_arena *arena)
	__must_hold(&index_lock)
{
	struct gh_span ***slot = gh_lookup_slot(arena->base);

	lockdep_assert_held(&index_lock);

	if (*slot != no_spans)
		return;
	/* Pairs with the dependent read in gh_span_guess(). */
	smp_store_release(slot, arena->spans);
}

static void lookup_remove(struct gh_arena *arena)
	__must_hold(&index_lock)
{
	struct gh_span ***slot = gh_lookup_slot(arena->base);

	lockdep_assert_held(&index_lock);

	if (*slot == arena->spans)
		WRITE_ONCE(*slot, no_spans);
}

/**
 * gh_index_init() - make an empty index
 *
 * Return: 0 or -ENOMEM.
 */
int gh_index_init(void)
{
	gh_index.base = round_down(INDEX_START, GH_ARENA_SIZE);
	gh_index.narenas = ((INDEX_END - gh_index.base) >> GH_ARENA_SHIFT) + 1;
	gh_index.leaf = vzalloc(array_size(index_nleaves(),
					   sizeof(*gh_index.leaf)));
	if (!gh_index.leaf)
		return -ENOMEM;
	if (!lookup_init())
		return 0;
	vfree(gh_index.leaf);
	return -ENOMEM;
}

/**
 * gh_index_exit() - free the index; every arena was destroyed
 */
void gh_index_exit(void)
{
	unsigned long i;

	for (i = 0; i < index_nleaves(); i++)
		vfree(gh_index.leaf[i]);
	vfree(gh_index.leaf);
	lookup_exit();
}

/**
 * gh_index_bytes() - memory of the index
 *
 * Return: bytes.
 */
unsigned long gh_index_bytes(void)
{
	return index_nleaves() * sizeof(*gh_index.leaf) +
	       atomic_long_read(&index_leaves) * sizeof(struct gh_index_leaf);
}
GH_EXPORT_FOR_TESTS(gh_index_bytes);

static struct gh_arena **index_slot(unsigned long base)
{
	unsigned long nr = (base - gh_index.base) >> GH_ARENA_SHIFT;
	struct gh_index_leaf *leaf = gh_index.leaf[nr >> GH_INDEX_L2_SHIFT];

	return leaf ? &leaf->arena[nr % GH_INDEX_L2_ENTRIES] : NULL;
}

/* Make the leaf that the arena at @base belongs to, if there is none. */
static int index_prepare(unsigned long base)
{
	unsigned long nr = (base - gh_index.base) >> GH_ARENA_SHIFT;
	struct gh_index_leaf **at = &gh_index.leaf[nr >> GH_INDEX_L2_SHIFT];
	struct gh_index_leaf *leaf;

	if (READ_ONCE(*at))
		return 0;
	leaf = gh_vmem_zalloc(sizeof(*leaf));
	if (!leaf)
		return -ENOMEM;
	/* Another task may have been quicker. Pairs with gh_arena_of(). */
	if (cmpxchg(at, NULL, leaf))
		vfree(leaf);
	else
		atomic_long_inc(&index_leaves);
	return 0;
}

/**
 * gh_arena_create() - metadata for an arena that was reserved
 * @node: whose pages it will hold
 * @base: its address
 * @slot: its place in the page index of @node
 *
 * Context: process context, may sleep.
 * Return: the arena, which cannot be found by address yet; or NULL.
 */
struct gh_arena *gh_arena_create(struct gh_node *node, unsigned long base,
				 unsigned int slot)
{
	struct gh_arena *arena;
	unsigned int i;

	arena = gh_vmem_zalloc(sizeof(*arena));
	if (!arena)
		return NULL;
	if (index_prepare(base)) {
		vfree(arena);
		return NULL;
	}

	arena->node = node;
	arena->base = base;
	arena->slot = slot;
	for (i = 0; i < GH_ARENA_PAGES; i++)
		arena->spans[i] = &gh_no_span;
	return arena;
}
GH_EXPORT_FOR_TESTS(gh_arena_create);

/**
 * gh_arena_publish() - let an arena be found by address
 * @arena: the arena
 *
 * Context: any but NMI.
 */
void gh_arena_publish(struct gh_arena *arena)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&index_lock, flags);
	/* Pairs with the acquire in gh_arena_of(). */
	smp_store_release(index_slot(arena->base), arena);
	lookup_install(arena);
	raw_spin_unlock_irqrestore(&index_lock, flags);
}
GH_EXPORT_FOR_TESTS(gh_arena_publish);

/**
 * gh_arena_unpublish() - let an arena not be found any more
 * @arena: the arena; no span is in it
 *
 * Lookups that found it before may go on until a grace period has passed. Any
 * address may lead to its table by the same lookup slot.
 *
 * Context: any but NMI.
 */
void gh_arena_unpublish(struct gh_arena *arena)
{
	struct gh_arena **slot = index_slot(arena->base);
	unsigned long flags;

	raw_spin_lock_irqsave(&index_lock, flags);
	if (slot && *slot == arena)
		WRITE_ONCE(*slot, NULL);
	lookup_remove(arena);
	raw_spin_unlock_irqrestore(&index_lock, flags);
}
GH_EXPORT_FOR_TESTS(gh_arena_unpublish);

/**
 * gh_arena_free() - free the metadata of an arena
 * @arena: the arena, never published, or unpublished a grace period ago
 *
 * Context: process context, may sleep.
 */
void gh_arena_free(struct gh_arena *arena)
{
	vfree(arena);
}
GH_EXPORT_FOR_TESTS(gh_arena_free);

/* ---- arenas that are shared --------------------------------------------- */

/* Have the arena at @base, or put @fresh there. */
static struct gh_arena *arena_share(unsigned long base, struct gh_arena *fresh)
{
	struct gh_arena **slot = index_slot(base);
	struct gh_arena *arena;
	unsigned long flags;

	if (!slot)
		return NULL;
	raw_spin_lock_irqsave(&index_lock, flags);
	arena = *slot;
	/* Somebody unmapped a node's arena. It must not serve both. */
	if (arena && arena->node) {
		arena = NULL;
		fresh = NULL;
	}
	if (!arena && fresh) {
		arena = fresh;
		/* Pairs with the acquire in gh_arena_of(). */
		smp_store_release(slot, arena);
		lookup_install(arena);
	}
	if (arena)
		arena->users++;
	raw_spin_unlock_irqrestore(&index_lock, flags);
	return arena;
}

/**
 * gh_arena_get() - share the metadata of address space that is not reserved
 * @addr: an address in it
 *
 * For objects with mappings of their own, which may lie in any 64 MiB of the
 * vmalloc range, one beside the other.
 *
 * Context: process context, may sleep.
 * Return: the arena, which belongs to no node; or NULL.
 */
struct gh_arena *gh_arena_get(unsigned long addr)
{
	unsigned long base = round_down(addr, GH_ARENA_SIZE);
	struct gh_arena *arena = arena_share(base, NULL);
	struct gh_arena *fresh;

	if (arena)
		return arena;
	fresh = gh_arena_create(NULL, base, 0);
	if (!fresh)
		return NULL;
	arena = arena_share(base, fresh);
	if (arena != fresh)
		gh_arena_free(fresh);
	return arena;
}
GH_EXPORT_FOR_TESTS(gh_arena_get);

/**
 * gh_arena_put() - give back what gh_arena_get() returned
 * @arena: the arena
 *
 * Context: any but NMI.
 * Return: true if nobody shares it any more: then the caller has to free it, a
 * grace period later.
 */
bool gh_arena_put(struct gh_arena *arena)
{
	struct gh_arena **slot = index_slot(arena->base);
	unsigned long flags;
	bool last;

	raw_spin_lock_irqsave(&index_lock, flags);
	last = !--arena->users;
	if (last) {
		WRITE_ONCE(*slot, NULL);
		lookup_remove(arena);
	}
	raw_spin_unlock_irqrestore(&index_lock, flags);
	return last;
}
GH_EXPORT_FOR_TESTS(gh_arena_put);

/* ---- pages -------------------------------------------------------------- */

/**
 * gh_arena_use() - note that pages are about to be used
 * @arena: the arena
 * @page: first page, counted from the start of the arena
 * @npages: how many, all in this arena
 *
 * Context: any.
 * Return: true if some of them may have been used before.
 */
bool gh_arena_use(struct gh_arena *arena, unsigned long page,
		  unsigned long npages)
{
	int end = page + npages;
	int old = atomic_read(&arena->zeroed_base);
	bool used = page < old;

	while (old < end && !atomic_try_cmpxchg(&arena->zeroed_base, &old, end))
		used |= page < old;
	return used;
}
GH_EXPORT_FOR_TESTS(gh_arena_use);
