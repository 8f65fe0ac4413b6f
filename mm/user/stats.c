// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats: what user heaps hold, for ioctl(), /proc and debugfs.
 */
#include <linux/debugfs.h>
#include <linux/lockdep.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>

#include "../peek.h"
#include "charge.h"
#include "epoch.h"
#include "heap.h"
#include "stats.h"

static struct gh_ucount count_of(struct gh_usession *ss)
{
	struct gh_ucount count;

	spin_lock(&ss->lock);
	count = ss->count;
	spin_unlock(&ss->lock);
	return count;
}

/* Under the heap's lock no span, with its counts, changes its owner. */
static void usage_add(struct goheap_usage *u, struct gh_usession *ss)
	__must_hold(&ss->heap->lock)
{
	struct gh_ucount count;

	lockdep_assert_held(&ss->heap->lock);

	count = count_of(ss);
	u->objects += count.objects;
	u->object_bytes += count.bytes;
	u->given += count.given;
	u->allocs += count.allocs;
	u->frees += count.frees;
	u->reclaimed += count.reclaimed;
	u->pinned += count.pinned;
}

/**
 * gh_ustats_usage() - what a heap, and a session, hold
 * @h: the heap
 * @ss: the session, or NULL
 * @u: set, but for its size
 *
 * Exact while no process allocates or frees.
 *
 * Context: process context, may sleep.
 * Return: 0, or -EINTR.
 */
int gh_ustats_usage(struct gh_uheap *h, struct gh_usession *ss,
		    struct goheap_usage *u)
{
	struct gh_usession *each;

	memset(u, 0, sizeof(*u));
	if (gh_uheap_lock_killable(h))
		return -EINTR;
	usage_add(u, &h->own);
	list_for_each_entry(each, &h->sessions, list)
		usage_add(u, each);

	/* Sessions that ended have no objects, but their calls still count. */
	u->allocs += h->gone.allocs;
	u->frees += h->gone.frees;
	u->reclaimed += h->gone.reclaimed;

	u->heap_bytes = gh_ucharge_bytes_of(h->npages);
	u->heap_limit = gh_ucharge_bytes_of(h->limit);
	u->peak_bytes = gh_ucharge_bytes_of(h->peak);
	u->spans = h->nspans;
	u->sessions = h->nsessions;
	u->retired = h->epoch.objects[0] + h->epoch.objects[1];
	u->retired_bytes = h->epoch.bytes[0] + h->epoch.bytes[1];
	u->epochs = h->epoch.number;
	if (ss) {
		u->session = ss->id;
		u->session_bytes = gh_ucharge_bytes_of(ss->npages);
		u->session_limit = gh_ucharge_bytes_of(ss->limit);
	}
	mutex_unlock(&h->lock);

	u->deaths = atomic64_read(&h->deaths);
	u->bad = atomic64_read(&h->bad);
	return 0;
}

static void fdinfo_session(struct seq_file *m, struct gh_usession *ss,
			   const struct goheap_usage *u)
{
	u32 inside, thread;
	u64 waited;

	seq_printf(m, "goheap-session:\t%u\n", ss->id);
	seq_printf(m, "goheap-session-bytes:\t%llu\n", u->session_bytes);
	seq_printf(m, "goheap-session-limit:\t%llu\n", u->session_limit);

	gh_uheap_lock(ss->heap);
	inside = ss->inside;
	thread = ss->thread;
	waited = gh_uepoch_waited(ss);
	mutex_unlock(&ss->heap->lock);
	seq_printf(m, "goheap-session-inside:\t%u\n", inside);
	seq_printf(m, "goheap-session-thread:\t%u\n", thread);
	seq_printf(m, "goheap-session-waited:\t%llu\n", waited);
	seq_printf(m, "goheap-session-state:\t%s\n",
		   READ_ONCE(ss->dead) ? "ended" : "alive");
}

/**
 * gh_ustats_fdinfo() - lines of /proc/<pid>/fdinfo/<fd>
 * @m: where they go
 * @view: what the file allows, or what the session was attached through
 * @ss: the session, or NULL for the heap's own file
 *
 * Context: process context, may sleep.
 */
void gh_ustats_fdinfo(struct seq_file *m, struct gh_uview *view,
		      struct gh_usession *ss)
{
	struct gh_uheap *h = view->heap;
	struct goheap_usage u;

	if (gh_ustats_usage(h, ss, &u))
		return;
	seq_printf(m, "goheap-heap:\t%u\n", h->id);
	seq_printf(m, "goheap-heap-bytes:\t%llu\n", u.heap_bytes);
	seq_printf(m, "goheap-heap-limit:\t%llu\n", u.heap_limit);
	seq_printf(m, "goheap-objects:\t%llu\n", u.objects);
	seq_printf(m, "goheap-object-bytes:\t%llu\n", u.object_bytes);
	seq_printf(m, "goheap-given:\t%llu\n", u.given);
	seq_printf(m, "goheap-retired:\t%llu\n", u.retired);
	seq_printf(m, "goheap-retired-bytes:\t%llu\n", u.retired_bytes);
	seq_printf(m, "goheap-sessions:\t%llu\n", u.sessions);
	seq_printf(m, "goheap-deaths:\t%llu\n", u.deaths);
	seq_printf(m, "goheap-max-sessions:\t%u\n",
		   gh_peek(h->all.max_sessions));
	if (!gh_uview_is_full(view)) {
		seq_printf(m, "goheap-view-bytes:\t%llu\n",
			   gh_ucharge_bytes_of(gh_peek(view->npages)));
		seq_printf(m, "goheap-view-limit:\t%llu\n",
			   gh_ucharge_bytes_of(view->limit));
		seq_printf(m, "goheap-view-sessions:\t%u\n",
			   gh_peek(view->nsessions));
		seq_printf(m, "goheap-view-max-sessions:\t%u\n",
			   view->max_sessions);
	}
	if (ss)
		fdinfo_session(m, ss, &u);
}

/* ---- debugfs ------------------------------------------------------------ */

static void heaps_show_session(struct seq_file *m, struct gh_usession *ss)
{
	struct gh_ucount count = count_of(ss);

	/* The name comes last, because it may have any characters. */
	seq_printf(m, "  session %u pid %d bytes %llu limit %llu objects %llu object_bytes %llu given %llu allocs %llu frees %llu inside %u thread %u waited %llu comm %*pE\n",
		   ss->id, ss->pid, gh_ucharge_bytes_of(ss->npages),
		   gh_ucharge_bytes_of(ss->limit), count.objects, count.bytes,
		   count.given, count.allocs, count.frees, ss->inside,
		   ss->thread, gh_uepoch_waited(ss), (int)strlen(ss->comm), ss->comm);
}

static int heaps_show_one(struct seq_file *m, struct gh_uheap *h)
{
	struct gh_usession *ss;

	if (gh_uheap_lock_killable(h))
		return -EINTR;
	seq_printf(m, "heap %u uid %u bytes %llu limit %llu peak %llu spans %lu sessions %u deaths %lld refused %lld late %lld arenas %u past_allocs %llu past_frees %llu reclaimed %llu retired %llu retired_bytes %llu epochs %llu\n",
		   h->id, from_kuid_munged(seq_user_ns(m), h->creator),
		   gh_ucharge_bytes_of(h->npages), gh_ucharge_bytes_of(h->limit),
		   gh_ucharge_bytes_of(h->peak), h->nspans, h->nsessions,
		   atomic64_read(&h->deaths), atomic64_read(&h->bad),
		   atomic64_read(&h->late),
		   h->narenas, h->gone.allocs, h->gone.frees,
		   h->gone.reclaimed, h->epoch.objects[0] + h->epoch.objects[1],
		   h->epoch.bytes[0] + h->epoch.bytes[1], h->epoch.number);
	heaps_show_session(m, &h->own);
	list_for_each_entry(ss, &h->sessions, list)
		heaps_show_session(m, ss);
	mutex_unlock(&h->lock);
	return 0;
}

/*
 * Each heap that is shown stays in the list by a reference. Other heaps can be opened
 * and closed while its lock is waited for.
 */
static int heaps_show(struct seq_file *m, void *v)
{
	struct gh_uheap *h, *shown = NULL;
	int err = 0;

	mutex_lock(&gh_uheaps_lock);
	list_for_each_entry(h, &gh_uheaps, list) {
		if (!kref_get_unless_zero(&h->ref))
			continue;
		mutex_unlock(&gh_uheaps_lock);
		gh_uheap_put(shown);
		shown = h;
		err = heaps_show_one(m, h);
		mutex_lock(&gh_uheaps_lock);
		if (err)
			break;
	}
	mutex_unlock(&gh_uheaps_lock);
	gh_uheap_put(shown);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(heaps);

/**
 * gh_ustats_init() - show user heaps in debugfs
 * @dir: goheap's directory there, which is removed with all files in it
 *
 * Context: process context, may sleep.
 */
void gh_ustats_init(struct dentry *dir)
{
	debugfs_create_file("heaps", 0400, dir, NULL, &heaps_fops);
}
