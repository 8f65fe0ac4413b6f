// SPDX-License-Identifier: GPL-2.0-only
/*
 * large: objects with a span of their own: those of more than 32 KiB, and stack
 * blocks of more than 16 KiB.
 *
 * The state byte says all about the one object; the span's bitmaps are not used.
 * A pair of allocation and free that finds the span in the node's span cache
 * comes to a list operation each.
 */
#include <linux/hardirq.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "compat.h"
#include "large.h"
#include "mcache.h"

static void large_shape(struct gh_shape *shape, size_t size, u8 state,
			bool noscan)
{
	shape->npages = DIV_ROUND_UP(size, GH_PAGE_SIZE);
	shape->elemsize = shape->npages << GH_PAGE_SHIFT;
	shape->divmul = 0;
	shape->nelems = 1;
	shape->state = state;
	shape->tiny = false;
	shape->noscan = noscan;
}

/* More than the machine has is refused before anyone suffers for it. */
static bool large_refused(size_t size)
{
	return size > GH_LARGE_MAX || size >> PAGE_SHIFT > totalram_pages() ||
	       in_nmi();
}

/**
 * gh_large_alloc() - allocate an object with a span of its own
 * @h: the heap
 * @size: bytes, 1 or more
 * @gfp: allocation flags
 * @noscan: the object will hold no pointers
 * @node: NUMA node or NUMA_NO_NODE
 *
 * Context: any in which @gfp may be used; NULL in NMI context.
 * Return: the object, zeroed if @gfp or the kernel asks for it; or NULL.
 */
void *gh_large_alloc(struct gh_heap *h, size_t size, gfp_t gfp, bool noscan,
		     int node)
{
	struct gh_central *c = &h->central[noscan];
	struct gh_shape shape;
	struct gh_span *s;

	if (large_refused(size))
		return NULL;
	if (want_init_on_alloc(gfp))
		gfp |= __GFP_ZERO;
	large_shape(&shape, size, GH_SPAN_LARGE, noscan);
	s = gh_mheap_alloc_span(h, &shape, c, gfp, node);
	if (!s)
		return NULL;
	this_cpu_inc(c->slots->carved);
	atomic64_add(s->elemsize, &h->large_allocs);
	if (gfp & __GFP_ZERO && s->needzero)
		memset((void *)s->base, 0, s->elemsize);
	WRITE_ONCE(s->inline_state, GH_OBJ_ALLOC);
	return (void *)s->base;
}

/**
 * gh_large_alloc_stack() - allocate a stack block with a span of its own
 * @h: the heap
 * @size: bytes, 1 or more
 * @gfp: allocation flags
 *
 * Context: as gh_large_alloc().
 * Return: the block, not zeroed, or NULL.
 */
void *gh_large_alloc_stack(struct gh_heap *h, size_t size, gfp_t gfp)
{
	struct gh_shape shape;
	struct gh_span *s;

	if (large_refused(size))
		return NULL;
	large_shape(&shape, size, GH_SPAN_STACK, false);
	s = gh_mheap_alloc_span(h, &shape, h->central, gfp, NUMA_NO_NODE);
	if (!s)
		return NULL;
	WRITE_ONCE(s->inline_state, GH_OBJ_ALLOC);
	return (void *)s->base;
}

/* Mark the object of a large span free. Returns false if it was. */
static bool large_release(struct gh_span *s)
{
	return xchg(&s->inline_state, GH_OBJ_FREE) == GH_OBJ_ALLOC;
}

static __always_inline void large_free_span(struct gh_heap *h, struct gh_span *s)
{
	if (want_init_on_free())
		memset((void *)s->base, 0, s->elemsize);
	if (unlikely(in_nmi()))
		gh_defer_free(h, (void *)s->base);
	else
		gh_mheap_free_span(h, s);
}

/**
 * gh_large_free() - free the object of a span of its own
 * @s: the span
 *
 * Of two who free it at the same moment one is refused.
 *
 * Context: any.
 * Return: false, and nothing changed, if it was free.
 */
bool gh_large_free(struct gh_span *s)
{
	struct gh_central *c = s->central;
	struct gh_heap *h = c->heap;

	if (!large_release(s))
		return false;
	this_cpu_inc(c->slots->released);
	atomic64_add(s->elemsize, &h->large_frees);
	large_free_span(h, s);
	return true;
}
GH_EXPORT_FOR_TESTS(gh_large_free);

/**
 * gh_large_free_stack() - free a stack block with a span of its own
 * @s: the span
 *
 * Context: any.
 * Return: false, and nothing changed, if it was free.
 */
bool gh_large_free_stack(struct gh_span *s)
{
	if (!large_release(s))
		return false;
	large_free_span(s->central->heap, s);
	return true;
}
