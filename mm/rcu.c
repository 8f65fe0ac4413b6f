// SPDX-License-Identifier: GPL-2.0-only
/*
 * rcu: free after a grace period.
 *
 * The object may be of the goheap_alloc() family or of a cache. It is checked before it
 * is given to RCU, as in any free, and marked, so that nobody can free it again
 * meanwhile. After the grace period it is found from the address of its rcu_head, so no
 * offset has to be encoded.
 */
#include <linux/rcupdate.h>

#include <linux/goheap.h>

#include "arena.h"
#include "cache.h"
#include "compat.h"
#include "mcentral.h"
#include "report.h"

/* The object that waits at an address, or NULL. In an RCU read section. */
static void *object_waiting(const struct gh_span *s, unsigned long addr, u8 **state)
{
	unsigned long at, idx;

	if (gh_span_state(s) == GH_SPAN_DEAD)
		return NULL;
	/* If the span dies meanwhile, its base is overwritten, and the index is too large. */
	at = addr - READ_ONCE(s->base);
	idx = at / s->elemsize;
	if (idx >= s->nelems)
		return NULL;
	*state = s->objstate + idx;
	if (READ_ONCE(**state) != GH_OBJ_RCU)
		return NULL;
	return (void *)(addr - at % s->elemsize);
}

static void free_rcu_callback(struct rcu_head *head)
{
	struct goheap_cache *cache;
	struct gh_span *s;
	u8 *state;
	void *obj;

	/* Keeps the cache as well, if the object is free and others end it. */
	rcu_read_lock();
	s = gh_span_of((unsigned long)head);
	obj = s ? object_waiting(s, (unsigned long)head, &state) : NULL;
	if (!obj) {
		gh_report_bad_free(head, GOHEAP_BAD_WILD, NULL);
		goto out;
	}
	WRITE_ONCE(*state, GH_OBJ_ALLOC);
	cache = s->central->cache;
	if (!cache) {
		goheap_free(obj);
		goto out;
	}
	goheap_cache_free(cache, obj);
	/* Pairs with the acquire in gh_cache_destroy(). */
	atomic_long_dec_return_release(&cache->nrcu);
out:
	rcu_read_unlock();
}

/* May it be freed by these functions; and if @cache is given, to that? */
static bool is_ours(const struct gh_span *s, const struct goheap_cache *cache)
{
	u8 state = gh_span_state(s);

	if (state != GH_SPAN_OBJECTS && state != GH_SPAN_LARGE)
		return false;
	return !cache || s->central == &cache->central;
}

/* Mark the object at @p as one that waits. In an RCU read section. */
static bool object_wait(struct gh_span *s, const void *p, const struct rcu_head *head)
{
	unsigned long at = (const void *)head - p;
	unsigned int idx;

	/* What shares a block is too small to have a head. */
	if (s->tiny || !gh_span_find(s, (unsigned long)p, &idx) ||
	    at > s->elemsize || s->elemsize - at < sizeof(*head))
		return false;
	return gh_try_cmpxchg_byte(s->objstate + idx, GH_OBJ_ALLOC, GH_OBJ_RCU);
}

/**
 * __goheap_free_rcu() - free an object after a grace period
 * @cache: the cache that it is of, or NULL for any object
 * @p: the object
 * @head: anywhere in it
 *
 * Use goheap_free_rcu() or goheap_cache_free_rcu(). What is no allocated object is
 * refused and reported, and nothing is changed. Until the grace period is over, the
 * object counts as allocated, and nobody can free it again.
 *
 * Context: as call_rcu(): any but NMI.
 */
void __goheap_free_rcu(struct goheap_cache *cache, const void *p, struct rcu_head *head)
{
	enum goheap_bad_free kind = GOHEAP_BAD_WILD;
	struct goheap_cache *own = NULL;
	bool ok = false, mine;
	struct gh_span *s;

	rcu_read_lock();
	s = gh_span_of((unsigned long)p);
	mine = s && is_ours(s, cache);
	if (mine)
		ok = object_wait(s, p, head);
	if (ok)
		own = s->central->cache;
	else
		kind = gh_bad_kind(s, (unsigned long)p, mine);
	/* The end of the cache waits for what is counted. */
	if (own)
		atomic_long_inc(&own->nrcu);
	rcu_read_unlock();

	if (ok)
		call_rcu(head, free_rcu_callback);
	else
		gh_report_bad_free(p, kind, cache ? cache->central.name : NULL);
}
EXPORT_SYMBOL_GPL(__goheap_free_rcu);
