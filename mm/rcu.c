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
#include "compat.h"
#include "mcentral.h"
#include "report.h"

static void free_rcu_callback(struct rcu_head *head)
{
	unsigned long addr = (unsigned long)head;
	struct gh_span *s = gh_span_of(addr);
	void *obj;

	if (!s) {
		gh_report_bad_free(head, GOHEAP_BAD_WILD, NULL);
		return;
	}
	obj = (void *)(addr - (addr - s->base) % s->elemsize);
	if (s->central->cache)
		goheap_cache_free(s->central->cache, obj);
	else
		goheap_free(obj);
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
	call_rcu(head, free_rcu_callback);
}
EXPORT_SYMBOL_GPL(__goheap_free_rcu);
