// SPDX-License-Identifier: GPL-2.0-only
/*
 * rcu: free after a grace period.
 *
 * The object is found from the address of its rcu_head, so that no offset has
 * to be encoded. It may be of the goheap_alloc() family or of a cache.
 */
#include <linux/rcupdate.h>

#include <linux/goheap.h>

#include "arena.h"
#include "cache.h"
#include "compat.h"
#include "mcentral.h"
#include "report.h"

/*
 * The object that an address is in, or NULL if there is none. The span may die
 * at any time. If its base was overwritten, no object has the index that
 * results.
 */
static void *span_object(const struct gh_span *s, unsigned long addr)
{
	unsigned long at;

	if (gh_span_state(s) == GH_SPAN_DEAD)
		return NULL;
	at = addr - READ_ONCE(s->base);
	if (at / s->elemsize >= s->nelems)
		return NULL;
	return (void *)(addr - at % s->elemsize);
}

static void free_rcu_callback(struct rcu_head *head)
{
	struct goheap_cache *cache;
	struct gh_span *s;
	void *obj;

	/* Keeps the cache as well, if the object is free and others end it. */
	rcu_read_lock();
	s = gh_span_of((unsigned long)head);
	obj = s ? span_object(s, (unsigned long)head) : NULL;
	if (!obj) {
		gh_report_bad_free(head, GOHEAP_BAD_WILD, NULL);
		goto out;
	}
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

/**
 * __goheap_free_rcu() - free the object that has this head after a grace period
 * @head: the head, anywhere in the object
 *
 * Use goheap_free_rcu(). The object is found from the head's address.
 *
 * Context: as call_rcu(): any but NMI.
 */
void __goheap_free_rcu(struct rcu_head *head)
{
	struct goheap_cache *cache = NULL;
	struct gh_span *s;

	/* The end of the cache waits for what is counted. */
	rcu_read_lock();
	s = gh_span_of((unsigned long)head);
	if (s && gh_span_state(s) != GH_SPAN_DEAD)
		cache = s->central->cache;
	if (cache)
		atomic_long_inc(&cache->nrcu);
	rcu_read_unlock();

	call_rcu(head, free_rcu_callback);
}
EXPORT_SYMBOL_GPL(__goheap_free_rcu);
