// SPDX-License-Identifier: GPL-2.0-only
/*
 * defer: frees that must wait for a context in which locks can be taken.
 *
 * In NMI context an object that this CPU has no room for can go nowhere, since
 * its span is under a lock that the NMI may have interrupted the holder of. So
 * it is put on a lockless list, linked through its first word, and an irq_work
 * frees it as soon as interrupts are on. Its state byte says "free" meanwhile,
 * so that a second free is refused.
 */
#include <linux/irq_work.h>
#include <linux/llist.h>

#include "compat.h"
#include "defer.h"
#include "mcentral.h"

/* Context: that of irq_work: hardirq, or a thread on PREEMPT_RT. */
static void defer_work_fn(struct irq_work *work)
{
	struct gh_heap *h = container_of(work, struct gh_heap, deferred_work);
	struct llist_node *node, *next;

	llist_for_each_safe(node, next, llist_del_all(&h->deferred)) {
		struct gh_span *s = gh_span_of((unsigned long)node);
		unsigned int idx;
		struct gh_ent ent;

		if (s->large) {
			gh_mheap_free_span(h, s);
			continue;
		}

		gh_span_find(s, (unsigned long)node, &idx);
		ent = gh_central_ent(s, idx);
		/* The list's link was written over the constructed object. */
		if (s->central->ctor)
			s->central->ctor(ent.obj);
		gh_central_release(s->central, &ent, 1);
	}
}

/**
 * gh_defer_init() - prepare a heap for deferred frees
 * @h: the heap
 */
void gh_defer_init(struct gh_heap *h)
{
	init_llist_head(&h->deferred);
	init_irq_work(&h->deferred_work, defer_work_fn);
}

/**
 * gh_defer_free() - free an object later, in a context where locks can be taken
 * @h: the heap
 * @obj: the object, or the whole of a large one; its state byte says
 *	GH_OBJ_FREE
 *
 * Context: NMI, or any.
 */
void gh_defer_free(struct gh_heap *h, void *obj)
{
	llist_add(obj, &h->deferred);
	irq_work_queue(&h->deferred_work);
}
GH_EXPORT_FOR_TESTS(gh_defer_free);

/**
 * gh_defer_sync() - wait until everything that was deferred is free
 * @h: the heap; nobody defers any more
 *
 * Context: process context, may sleep.
 */
void gh_defer_sync(struct gh_heap *h)
{
	irq_work_sync(&h->deferred_work);
}
GH_EXPORT_FOR_TESTS(gh_defer_sync);
