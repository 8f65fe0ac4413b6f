// SPDX-License-Identifier: GPL-2.0-only
/*
 * damage: address space that somebody else unmapped.
 *
 * vfree() and kvfree() accept any address in a mapping that vmap() made. A client
 * that gives one of them an object unmaps the whole area that it is in, and the
 * kernel may give those addresses to somebody else. That cannot be undone. What is
 * left is to notice it, to say so, and to keep away from that area: its free pages
 * are nobody's any more, its spans are lost, and nothing is mapped or unmapped there.
 */
#define pr_fmt(fmt) "goheap: " fmt

#include <linux/kmemleak.h>
#include <linux/mm.h>

#include "area.h"
#include "arena.h"
#include "compat.h"
#include "damage.h"
#include "huge.h"
#include "mcentral.h"

/* Spans named in the log. */
#define SPANS_SHOWN	8

/* Nothing of a span is handed out again, and frees of its objects are refused. */
static void span_lose(struct gh_span *s, unsigned long *n)
{
	struct gh_central *c = READ_ONCE(s->central);

	if (!gh_central_abandon(c, s))
		return;
	/* It must not scan what is not there. */
	if (!s->noscan)
		kmemleak_free((void *)s->base);
	if ((*n)++ < SPANS_SHOWN)
		pr_err("  objects of %zu bytes of %s are lost\n", s->elemsize, c->name);
}

static void arena_lose_spans(struct gh_arena *arena, unsigned long *n)
{
	unsigned long page;

	for_each_set_bit(page, arena->page_inuse, GH_ARENA_PAGES) {
		struct gh_span *s;

		rcu_read_lock();
		s = gh_arena_span(arena, page);
		if (s && gh_span_state(s) != GH_SPAN_DEAD)
			span_lose(s, n);
		rcu_read_unlock();
		cond_resched();
	}
}

/* Also for what was free, cached or on its way when that was done before. */
static void area_lose_again(struct gh_heap *h, struct gh_node *node,
			    struct gh_area *area, unsigned long *spans)
{
	unsigned int i;

	gh_area_condemn(node, area);
	gh_mheap_evict(h);
	for (i = 0; i < area->used; i++)
		arena_lose_spans(gh_node_arena(node, area->slot + i), spans);
	gh_area_condemn(node, area);
}

static void area_lose(struct gh_heap *h, struct gh_node *node,
		      struct gh_area *area)
{
	unsigned long spans = 0;

	pr_err("damage: somebody unmapped %u MiB of the heap from %p on, by vfree() or kvfree()\n",
	       area->vmem.narenas << (GH_ARENA_SHIFT - 20), (void *)area->vmem.base);
	area_lose_again(h, node, area, &spans);
	pr_err("  %lu spans are lost; their objects must not be accessed, nor freed\n",
	       spans);
}

/**
 * gh_damage_look() - look for address space that somebody unmapped, and lose it
 * @h: the heap
 *
 * Context: process context, may sleep.
 * Return: true if there was some; what CPUs hold of it should be drained then.
 */
bool gh_damage_look(struct gh_heap *h)
{
	struct gh_area *area;
	unsigned long spans = 0;
	bool found = false;
	unsigned int i;

	mutex_lock(&h->areas_lock);
	for (i = 0; i < h->nr_nodes; i++) {
		struct gh_node *node = h->nodes[i];

		gh_node_for_each_area(area, node) {
			if (area->damaged) {
				area_lose_again(h, node, area, &spans);
			} else if (!gh_node_area_intact(area)) {
				area_lose(h, node, area);
				found = true;
			}
		}
	}
	mutex_unlock(&h->areas_lock);
	gh_huge_look(h);
	return found;
}
