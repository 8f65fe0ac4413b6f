// SPDX-License-Identifier: GPL-2.0-only
/*
 * report: what goheap says when it refuses something.
 *
 * People and test harnesses read reports: the first line starts with "goheap:
 * bad free:" or "goheap: refused:", and the lines that follow are indented.
 * They are rate limited; the counters are not.
 */
#define pr_fmt(fmt) "goheap: " fmt

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/stacktrace.h>

#include "arena.h"
#include "compat.h"
#include "report.h"
#include "tinyword.h"

#define REPORT_FRAMES	16

static const char * const kind_name[GOHEAP_NR_BAD] = {
	[GOHEAP_BAD_WILD] = "wild",
	[GOHEAP_BAD_INTERIOR] = "interior",
	[GOHEAP_BAD_DOUBLE] = "double",
	[GOHEAP_BAD_FOREIGN] = "foreign",
};

static const char * const kind_text[GOHEAP_NR_BAD] = {
	[GOHEAP_BAD_WILD] = "not an object of the heap, or its span was freed",
	[GOHEAP_BAD_INTERIOR] = "not the start of an object",
	[GOHEAP_BAD_DOUBLE] = "object is not allocated",
	[GOHEAP_BAD_FOREIGN] = "object belongs to another cache or family",
};

static atomic64_t bad_frees[GOHEAP_NR_BAD];

/**
 * gh_bad_kind() - what is wrong with a free that was refused
 * @s: the span that the address is in, or NULL
 * @addr: the address
 * @mine: the span is one that the function which was to free it serves
 *
 * The span may change, or die, at any time: then the kind is that of what it
 * was or of what it has become.
 *
 * Context: any; in the RCU read section in which @s was found.
 * Return: the kind.
 */
enum goheap_bad_free gh_bad_kind(const struct gh_span *s, unsigned long addr,
				 bool mine)
{
	bool inside;

	if (!s || gh_span_state(s) == GH_SPAN_DEAD)
		return GOHEAP_BAD_WILD;
	if (!mine)
		return GOHEAP_BAD_FOREIGN;

	/* A tiny block remembers only objects that are allocated. */
	if (s->tiny)
		inside = gh_tinyword_covers(gh_tinyword_read(s, addr),
					    addr % GH_TINY_SIZE);
	else
		inside = gh_span_index(s, addr) >= s->nelems;
	return inside ? GOHEAP_BAD_INTERIOR : GOHEAP_BAD_DOUBLE;
}

static void report_stack(void)
{
	unsigned long entries[REPORT_FRAMES];
	unsigned int i, n;

	n = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	for (i = 0; i < n; i++)
		pr_err("  %pS\n", (void *)entries[i]);
}

/* The span may die while it is looked at. What is printed may then be stale. */
static void report_span(const void *p)
{
	unsigned int idx;
	struct gh_span *s;

	/* The name may be a cache's, which is freed as the span's record is. */
	rcu_read_lock();
	s = gh_span_of((unsigned long)p);
	if (s) {
		gh_span_find(s, (unsigned long)p, &idx);
		pr_err("  object %u of %u, %zu bytes each, in a span of %lu pages of %s\n",
		       idx, s->nelems, s->elemsize, s->npages,
		       READ_ONCE(s->name));
	}
	rcu_read_unlock();
}

/**
 * gh_report_bad_free() - count a free that was refused, and report it
 * @p: what should have been freed
 * @kind: what was wrong
 * @freed_to: name of the cache or class that it was freed to, or NULL
 *
 * Context: any.
 */
void gh_report_bad_free(const void *p, enum goheap_bad_free kind,
			const char *freed_to)
{
	static DEFINE_RATELIMIT_STATE(rs, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);

	atomic64_inc(&bad_frees[kind]);
	if (!__ratelimit(&rs))
		return;
	pr_err("bad free: %s: %p: %s\n", kind_name[kind], p,
	       kind_text[kind]);
	if (freed_to)
		pr_err("  freed to %s\n", freed_to);
	report_span(p);
	pr_err("  by %s/%d on CPU %d:\n", current->comm,
	       task_pid_nr(current), raw_smp_processor_id());
	report_stack();
}
GH_EXPORT_FOR_TESTS(gh_report_bad_free);

/**
 * gh_report_gfp() - report, once, flags that cannot be served
 * @gfp: the flags
 *
 * Context: any.
 */
void gh_report_gfp(gfp_t gfp)
{
	pr_warn_once("refused: allocation flags %#x (%pGg)\n",
		     (__force unsigned int)gfp, &gfp);
}

/**
 * gh_report_count() - number of refused frees
 * @kind: of which kind
 *
 * Return: number since the module was loaded.
 */
u64 gh_report_count(enum goheap_bad_free kind)
{
	return atomic64_read(&bad_frees[kind]);
}
GH_EXPORT_FOR_TESTS(gh_report_count);
