/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfp: which allocation flags are refused, which are special, and which reach
 * the page allocator.
 *
 * Callers pass the flags of the kernel's own allocators. Some ask for what
 * goheap cannot give: memory of a zone, because an object may lie in any page
 * of the heap; an allocation that cannot fail, because the heap may be unable to
 * grow; and to be charged to a memory cgroup, because the charge could not end
 * with the object (Documentation/design.rst). Such an allocation fails with one
 * warning, since ignoring the flag would let the caller find out later that it
 * was not honoured.
 *
 * The fast path tests once for all that it cannot do: flags that are refused, and
 * zeroing.
 *
 * The page allocator is asked for two kinds of pages. Pages behind objects are
 * taken with the caller's flags: whether to sleep, how hard to try, and from
 * which node. Pages for goheap's own records serve all callers, so only whether
 * to sleep and how hard to try is the caller's choice.
 */
#ifndef _GOHEAP_GFP_H
#define _GOHEAP_GFP_H

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "report.h"

/* ---- what callers ask for ----------------------------------------------- */

/* Zones that goheap's memory is not from, and promises that it cannot keep. */
#define GH_GFP_BAD	(__GFP_NOFAIL | __GFP_DMA | __GFP_DMA32 |	\
			 __GFP_HIGHMEM | __GFP_ACCOUNT)

/**
 * gh_gfp_refused() - refuse, and report once, flags that cannot be served
 * @gfp: the caller's flags
 *
 * Context: any.
 * Return: true if the allocation must fail.
 */
static __always_inline bool gh_gfp_refused(gfp_t gfp)
{
	if (likely(!(gfp & GH_GFP_BAD)))
		return false;
	gh_report_gfp(gfp);
	return true;
}

/**
 * gh_gfp_zero_refused() - refuse to zero what a constructor has set up
 * @ctor: the cache's constructor or NULL
 * @gfp: the caller's flags
 *
 * Context: any.
 * Return: true if the allocation must fail.
 */
static __always_inline bool gh_gfp_zero_refused(void (*ctor)(void *), gfp_t gfp)
{
	if (likely(!(gfp & __GFP_ZERO) || !ctor))
		return false;
	gh_report_gfp(gfp);
	return true;
}

/**
 * gh_gfp_node_refused() - refuse a NUMA node that cannot be asked for
 * @node: the caller's node or NUMA_NO_NODE
 *
 * Context: any.
 * Return: true if there is no such node.
 */
static inline bool gh_gfp_node_refused(int node)
{
	return node != NUMA_NO_NODE &&
	       (node < 0 || node >= MAX_NUMNODES || !node_online(node));
}

/**
 * gh_gfp_special() - ask whether the fast path must leave an allocation alone
 * @gfp: the caller's flags
 *
 * Context: any.
 * Return: true if it is for the out-of-line path.
 */
static __always_inline bool gh_gfp_special(gfp_t gfp)
{
	/* Without flags, the first asks for the kernel's policy only. */
	return unlikely(want_init_on_alloc(0)) ||
	       unlikely(gfp & (GH_GFP_BAD | __GFP_ZERO));
}

/**
 * gh_gfp_might_alloc() - check the caller's context, in kernels that do
 * @gfp: the caller's flags
 *
 * Fast paths need no such context themselves. But a caller whose context is
 * wrong should be told at each call, not at the rare one that needs pages.
 *
 * Context: any in which @gfp may be used.
 */
static __always_inline void gh_gfp_might_alloc(gfp_t gfp)
{
	/* Elsewhere it could be a point of preemption, and is not for free. */
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_LOCKDEP))
		might_alloc(gfp);
}

/**
 * gh_gfp_reserves() - ask whether an allocation may use the system's reserves
 * @gfp: the caller's flags
 *
 * As the page allocator decides it (gfp_pfmemalloc_allowed(), which is not exported),
 * except for victims of the OOM killer, which may use only a part of them.
 *
 * Context: any.
 * Return: true if it may.
 */
static inline bool gh_gfp_reserves(gfp_t gfp)
{
	if (gfp & (__GFP_MEMALLOC | __GFP_NOMEMALLOC))
		return !(gfp & __GFP_NOMEMALLOC);
	return current->flags & PF_MEMALLOC &&
	       (in_serving_softirq() || !in_interrupt());
}

#define GH_PF_SCOPES	(PF_MEMALLOC_NOIO | PF_MEMALLOC_NOFS)

/* ---- what the page allocator is asked for ------------------------------- */

/* For pages behind objects: the caller's flags, but no zone and no type. */
#define GH_GFP_PAGES	(__GFP_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS |	\
			 __GFP_NOWARN | __GFP_RETRY_MAYFAIL | __GFP_NORETRY |	\
			 __GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_HARDWALL |	\
			 __GFP_THISNODE | __GFP_ZERO | __GFP_NOLOCKDEP)

/**
 * gh_gfp_meta() - flags for the allocator's own pages
 * @gfp: flags of the caller's request
 *
 * Keeps what says how hard to try and whether to sleep; drops what says where
 * and for whom, because metadata serves all callers and must be mapped.
 *
 * Return: flags for a zeroed page of metadata.
 */
static inline gfp_t gh_gfp_meta(gfp_t gfp)
{
	return (gfp & ~(GFP_ZONEMASK | __GFP_COMP | __GFP_RECLAIMABLE |
			__GFP_WRITE | __GFP_HARDWALL | __GFP_THISNODE |
			__GFP_ACCOUNT | __GFP_NOFAIL)) | __GFP_ZERO;
}

/**
 * gh_gfp_scope_save() - let the task do no more I/O than its flags allow
 * @gfp: the flags
 *
 * For functions that have no flags of their own, such as vmap().
 *
 * Context: process context.
 * Return: for gh_gfp_scope_restore().
 */
static inline unsigned int gh_gfp_scope_save(gfp_t gfp)
{
	unsigned int old = current->flags & GH_PF_SCOPES;

	if (!(gfp & __GFP_IO))
		current->flags |= PF_MEMALLOC_NOIO;
	/* In such a scope, lockdep notes no dependency on reclaim by file systems. */
	if (!(gfp & __GFP_FS) || gfp & __GFP_NOLOCKDEP)
		current->flags |= PF_MEMALLOC_NOFS;
	return old;
}

/**
 * gh_gfp_scope_restore() - end a scope
 * @old: as gh_gfp_scope_save() returned it
 */
static inline void gh_gfp_scope_restore(unsigned int old)
{
	current->flags = (current->flags & ~GH_PF_SCOPES) | old;
}

#endif /* _GOHEAP_GFP_H */
