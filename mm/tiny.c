// SPDX-License-Identifier: GPL-2.0-only
/*
 * tiny: small data objects that share a 16-byte block.
 *
 * Each CPU holds one block and hands out its bytes from the front. A block's
 * word (tinyword.h) says where each object in it starts and ends, so that a
 * free of anything else is refused. The block is freed when its last object
 * was, and the CPU has moved on to another block.
 *
 * Bytes of a block are reused only when no object is left in it; otherwise a
 * new object could be mistaken for one that occupied the same bytes before. (A
 * garbage-collected heap needs no word: there, a block dies when nothing points
 * into it.)
 *
 * Lock: gh_tiny.busy, see busy.h. Words are changed by atomic operations.
 */
#include <linux/hardirq.h>
#include <linux/mm.h>
#include <linux/preempt.h>

#include "compat.h"
#include "mcache.h"
#include "tiny.h"

static void tiny_free_block(struct gh_span *s, unsigned long addr)
{
	unsigned int idx = (addr - s->base) / GH_TINY_SIZE;

	gh_slot_free(s, (void *)round_down(addr, GH_TINY_SIZE),
		     &s->objstate[idx]);
}

/* A CPU lets go of a block, which is freed unless objects are left in it. */
static void tiny_unhold(void *block, atomic_t *word)
{
	if (!(atomic_fetch_andnot(GH_TINY_HELD, word) & GH_TINY_STARTS))
		tiny_free_block(gh_span_of((unsigned long)block),
				(unsigned long)block);
}

/* The largest power of two that divides @size, 8 at most. */
static unsigned int tiny_align(size_t size)
{
	return min_t(size_t, size & -size, 8);
}

/* Place an object in the CPU's block. */
static void *tiny_place(struct gh_tiny *t, size_t size)
{
	unsigned int off = ALIGN(t->off, tiny_align(size));

	gh_busy_assert_held(&t->busy);

	/* No object starts at the last byte: its bit is GH_TINY_HELD. */
	if (!t->block || off + size > GH_TINY_SIZE || off == GH_TINY_SIZE - 1)
		return NULL;
	t->off = off + size;
	atomic_or(gh_tinyword_object(off, size), t->word);
	return t->block + off;
}

static void *tiny_try(struct gh_heap *h, size_t size)
{
	struct gh_tiny *t;
	void *p = NULL;

	preempt_disable();
	t = this_cpu_ptr(&h->mcache->tiny);
	if (gh_busy_try(&t->busy)) {
		p = tiny_place(t, size);
		gh_busy_end(&t->busy);
	}
	preempt_enable();
	return p;
}

/* Let this CPU hold @block, of which @off bytes are used, or free it. */
static void tiny_install(struct gh_heap *h, void *block, atomic_t *word,
			 unsigned int off)
{
	struct gh_tiny *t;

	preempt_disable();
	t = this_cpu_ptr(&h->mcache->tiny);
	if (gh_busy_try(&t->busy)) {
		swap(t->block, block);
		swap(t->word, word);
		t->off = off;
		gh_busy_end(&t->busy);
	}
	preempt_enable();
	if (block)
		tiny_unhold(block, word);
}

/**
 * gh_tiny_alloc() - allocate a small data object
 * @h: the heap
 * @size: bytes, 1 to 15
 * @gfp: for a new block; zeroing is left to the caller
 *
 * Context: any in which @gfp may be used.
 * Return: the object or NULL.
 */
void *gh_tiny_alloc(struct gh_heap *h, size_t size, gfp_t gfp)
{
	void *p = tiny_try(h, size);

	if (!p) {
		struct gh_span *s;
		atomic_t *word;
		bool hold;

		p = gh_slot_alloc(&h->central[GH_CENTRAL_TINY], gfp);
		if (!p)
			return NULL;
		s = gh_span_of((unsigned long)p);
		/* The rest of it would be everybody's. */
		hold = !s->reserve;
		word = gh_tinyword_of(s, (unsigned long)p);
		atomic_set(word, (hold ? GH_TINY_HELD : 0) |
				 gh_tinyword_object(0, size));
		if (hold)
			tiny_install(h, p, word, size);
	}
	this_cpu_inc(h->mcache->tiny.allocs);
	return p;
}

/* No object is left in a block. If this CPU holds it, start again at byte 0. */
static void tiny_restart(struct gh_heap *h, void *block)
{
	struct gh_tiny *t;

	preempt_disable();
	t = this_cpu_ptr(&h->mcache->tiny);
	if (gh_busy_try(&t->busy)) {
		/* The CPU may hold another block, or have placed an object. */
		if (t->block == block && atomic_read(t->word) == GH_TINY_HELD)
			t->off = 0;
		gh_busy_end(&t->busy);
	}
	preempt_enable();
}

/**
 * gh_tiny_size() - bytes of a tiny object
 * @s: its span
 * @addr: the object
 *
 * Context: any.
 * Return: its size, or 0 if no object starts at @addr.
 */
size_t gh_tiny_size(const struct gh_span *s, unsigned long addr)
{
	unsigned int off = addr % GH_TINY_SIZE;
	int word = gh_tinyword_read(s, addr);

	if (!gh_tinyword_starts(word, off))
		return 0;
	return gh_tinyword_size(word, off);
}

/**
 * gh_tiny_free() - free a tiny object
 * @s: its span
 * @addr: the object
 *
 * Context: any.
 * Return: false, and nothing changed, if no object starts at @addr.
 */
bool gh_tiny_free(struct gh_span *s, unsigned long addr)
{
	unsigned int size, off = addr % GH_TINY_SIZE;
	atomic_t *word = gh_tinyword_of(s, addr);
	struct gh_heap *h = s->central->heap;
	int new, old = atomic_read(word);

	if (want_init_on_free())
		memset((void *)addr, 0, gh_tiny_size(s, addr));

	do {
		if (!gh_tinyword_starts(old, off))
			return false;
		size = gh_tinyword_size(old, off);
		new = old & ~gh_tinyword_object(off, size);
	} while (!atomic_try_cmpxchg(word, &old, new));

	this_cpu_inc(h->mcache->tiny.frees);
	if (new == GH_TINY_HELD)
		tiny_restart(h, (void *)round_down(addr, GH_TINY_SIZE));
	else if (!new)
		tiny_free_block(s, addr);
	return true;
}

/**
 * gh_tiny_drain() - let a CPU let go of its block
 * @h: the heap
 * @cpu: this CPU, with preemption off; or one that is dead, or whose heap
 *	nobody uses
 *
 * Context: process context.
 */
void gh_tiny_drain(struct gh_heap *h, unsigned int cpu)
{
	struct gh_tiny *t = &per_cpu_ptr(h->mcache, cpu)->tiny;
	atomic_t *word;
	void *block;

	preempt_disable();
	gh_busy_begin(&t->busy);
	block = t->block;
	word = t->word;
	t->block = NULL;
	gh_busy_end(&t->busy);
	preempt_enable();
	if (block)
		tiny_unhold(block, word);
}
GH_EXPORT_FOR_TESTS(gh_tiny_drain);

/**
 * gh_tiny_age() - let go of this CPU's block if it was not needed lately
 * @h: the heap
 *
 * Context: preemption off, not in an interrupt.
 */
void gh_tiny_age(struct gh_heap *h)
{
	struct gh_tiny *t = this_cpu_ptr(&h->mcache->tiny);
	/* An interrupt may count one more meanwhile: it is seen the next time. */
	unsigned long allocs = READ_ONCE(t->allocs);

	lockdep_assert_preemption_disabled();

	if (t->seen == allocs)
		gh_tiny_drain(h, smp_processor_id());
	t->seen = allocs;
}
GH_EXPORT_FOR_TESTS(gh_tiny_age);

/**
 * gh_tiny_count() - tiny objects ever allocated
 * @h: the heap
 * @frees: tiny objects ever freed
 *
 * Context: any; exact while nobody allocates.
 * Return: objects.
 */
unsigned long gh_tiny_count(const struct gh_heap *h, unsigned long *frees)
{
	unsigned long allocs = 0;
	int cpu;

	*frees = 0;
	for_each_possible_cpu(cpu) {
		const struct gh_tiny *t = &per_cpu_ptr(h->mcache, cpu)->tiny;

		allocs += READ_ONCE(t->allocs);
		*frees += READ_ONCE(t->frees);
	}
	return allocs;
}
