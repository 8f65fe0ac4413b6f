// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack: scratch blocks of a power of two of bytes, counted apart from objects.
 *
 *   2 to 16 KiB   an mcentral for each size, and the CPUs' slots in front of it
 *   more          a span of its own
 *
 * Named after what Go uses them for, the stacks of goroutines.
 */
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include <linux/goheap.h>

#include "compat.h"
#include "gfp.h"
#include "large.h"
#include "mcache.h"
#include "report.h"
#include "stack.h"

static struct gh_central *stack_central(struct gh_heap *h, unsigned int order)
{
	return &h->central[GH_CENTRAL_STACK + order];
}

/**
 * gh_stack_init() - set up the mcentrals of stack blocks
 * @h: the heap
 *
 * Return: 0 or -ENOMEM.
 */
int gh_stack_init(struct gh_heap *h)
{
	unsigned int order;

	for (order = 0; order < GH_STACK_ORDERS; order++) {
		unsigned int size = 1U << (GH_STACK_MIN_SHIFT + order);
		struct gh_shape shape = gh_shape_stack(size);
		char name[GH_NAME_LEN];
		int err;

		snprintf(name, sizeof(name), "goheap-stack-%u", size);
		err = gh_central_init(stack_central(h, order), h, name, &shape,
				      0);
		if (err)
			return err;
		/* A magazine of each size holds 16 KiB. */
		gh_central_set_batch(stack_central(h, order),
				     GH_STACK_MAX / size);
	}
	return 0;
}

static void *stack_alloc_large(struct gh_heap *h, size_t size, gfp_t gfp)
{
	struct gh_central *c = stack_central(h, GH_STACK_ORDERS - 1);
	struct gh_shape shape = gh_shape_large(size, GH_SPAN_STACK, false);
	struct gh_span *s;

	if (gh_large_refused(size, gfp))
		return NULL;
	if (want_init_on_alloc(gfp))
		gfp |= __GFP_ZERO;
	shape.name = h->central->name;
	/* A mcentral of stacks, by which the span cache tells them apart. */
	s = gh_mheap_alloc_span(h, &shape, c, gfp, NUMA_NO_NODE);
	if (!s)
		return NULL;
	if (gfp & __GFP_ZERO && s->needzero)
		gh_large_zero(s, gfp);
	WRITE_ONCE(s->inline_state, GH_OBJ_ALLOC);
	return (void *)s->base;
}

/**
 * goheap_stack_alloc() - allocate a scratch block
 * @size: bytes; rounded up to a power of two, 2 KiB at least
 * @gfp: allocation flags
 *
 * Blocks up to 16 KiB come from a per-CPU cache that holds at most 32 KiB of
 * each size; larger ones are spans of their own. They are counted as stacks,
 * not as objects, and are freed by goheap_stack_free() only.
 *
 * Context: as goheap_alloc().
 * Return: the block, aligned to 2 KiB at least; or NULL, also for size 0.
 */
void *goheap_stack_alloc(size_t size, gfp_t gfp)
{
	struct gh_central *c;

	gh_gfp_might_alloc(gfp);
	if (unlikely(gh_gfp_refused(gfp) || !size || size > GH_LARGE_MAX))
		return NULL;

	size = roundup_pow_of_two(max(size, 1UL << GH_STACK_MIN_SHIFT));
	if (size > GH_STACK_MAX)
		return stack_alloc_large(gh_kheap, size, gfp);
	c = stack_central(gh_kheap, ilog2(size) - GH_STACK_MIN_SHIFT);
	return gh_slot_alloc_node(c, gfp, NUMA_NO_NODE,
				  want_init_on_alloc(gfp) ? size : 0);
}
EXPORT_SYMBOL_GPL(goheap_stack_alloc);

/* Mark a block free, if there is one at @addr. In an RCU read section. */
static bool stack_claim(struct gh_span *s, unsigned long addr, u8 **state)
{
	unsigned int idx;

	if (!gh_span_find(s, addr, &idx))
		return false;
	if (s->large)
		return gh_large_release(s);
	*state = &s->objstate[idx];
	return **state == GH_OBJ_ALLOC && gh_obj_claim(*state);
}

/* Free a block that was marked free. In the RCU read section of that. */
static void stack_put(struct gh_span *s, void *p, u8 *state)
{
	if (want_init_on_free())
		memset(p, 0, s->elemsize);
	gh_slot_put(s, p, state);
}

/* Nobody else can have a span that was marked free. */
static void stack_put_large(struct gh_span *s, void *p)
{
	if (want_init_on_free())
		memset(p, 0, s->elemsize);
	gh_large_free_span(s);
}

/**
 * goheap_stack_free() - free a scratch block
 * @p: what goheap_stack_alloc() returned, or NULL
 *
 * Context: any; see DOC: Contexts.
 */
void goheap_stack_free(void *p)
{
	enum goheap_bad_free kind = GOHEAP_BAD_WILD;
	unsigned long addr = (unsigned long)p;
	struct gh_span *s;
	bool mine, ok, large;
	u8 *state;

	if (!p)
		return;

	rcu_read_lock();
	s = gh_span_of(addr);
	mine = s && gh_span_state(s) == GH_SPAN_STACK;
	ok = mine && stack_claim(s, addr, &state);
	large = ok && s->large;
	if (ok && !large)
		stack_put(s, p, state);
	if (!ok)
		kind = gh_bad_kind(s, addr, mine);
	rcu_read_unlock();

	if (large)
		stack_put_large(s, p);
	if (!ok)
		gh_report_bad_free(p, kind, NULL);
}
EXPORT_SYMBOL_GPL(goheap_stack_free);
