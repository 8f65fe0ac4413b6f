// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats: what a heap holds, for callers and for people.
 *
 * The fast path counts nothing. What callers hold is what was taken from spans,
 * less what was freed to them, less what is in magazines and transfer caches.
 *
 *   /sys/kernel/debug/goheap/stats       struct goheap_stats, a line a field
 *   /sys/kernel/debug/goheap/arena_map   every run of pages of every arena
 *   /proc/goheapinfo                     as /proc/slabinfo, version 2.1
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "compat.h"
#include "huge.h"
#include "mcache.h"
#include "peek.h"
#include "report.h"
#include "stats.h"
#include "tiny.h"

static struct dentry *debugfs_dir;

/* ---- counting ----------------------------------------------------------- */

/* They are read one after the other, so what is part of all may be more than that. */
static u64 without(u64 all, u64 part)
{
	return all > part ? all - part : 0;
}

/* Objects of an mcentral that callers hold. */
static unsigned long central_live(const struct gh_central *c)
{
	/* Read before the rest, so that it is rarely too much. */
	unsigned long gone = gh_slot_released(c) + gh_slot_cached(c);

	return without(gh_slot_carved(c), gone);
}

static void stats_add_central(struct goheap_stats *st,
			      const struct gh_central *c)
{
	unsigned long frees = gh_slot_released(c);
	unsigned long mallocs = frees + central_live(c);
	unsigned long cached = gh_slot_cached(c);

	st->cached += cached * c->shape.elemsize;
	st->total_alloc += mallocs * c->shape.elemsize;
	st->total_freed += frees * c->shape.elemsize;
	/* Tiny objects are counted one by one, not as blocks. */
	if (c->shape.tiny)
		mallocs = gh_tiny_count(c->heap, &frees);
	st->mallocs += mallocs;
	st->frees += frees;
}

static void stats_add_large(struct goheap_stats *st, struct gh_heap *h)
{
	unsigned int i;
	int cpu;

	for (i = 0; i < 2; i++) {
		st->frees += gh_slot_released(&h->central[i]);
		st->mallocs += gh_slot_carved(&h->central[i]);
	}
	for_each_possible_cpu(cpu) {
		const struct gh_large *l = &per_cpu_ptr(h->mcache, cpu)->large;

		st->frees += gh_peek(l->nfrees);
		st->mallocs += gh_peek(l->nallocs);
		st->total_freed += gh_peek(l->free_bytes) +
				   READ_ONCE(l->other_free_bytes);
		st->total_alloc += gh_peek(l->alloc_bytes) +
				   READ_ONCE(l->other_alloc_bytes);
		st->cached += gh_peek(l->bytes);
	}
}

static void stats_add_stack(struct goheap_stats *st, struct gh_heap *h,
			    unsigned long stack_pages)
{
	unsigned int i;

	for (i = 0; i < GH_STACK_ORDERS; i++) {
		struct gh_central *c = &h->central[GH_CENTRAL_STACK + i];

		stack_pages = without(stack_pages, atomic_long_read(&c->nspans) *
						   c->shape.npages);
		st->stack_inuse += central_live(c) * c->shape.elemsize;
		st->cached += gh_slot_cached(c) * c->shape.elemsize;
	}
	/* The rest are blocks with a span of their own. */
	st->stack_inuse += stack_pages << GH_PAGE_SHIFT;
}

/* Large objects and stack blocks are counted apart. */
static bool counted_by_central(const struct gh_central *c)
{
	const struct gh_central *own = c->heap->central;

	return c->cache || (c >= own + 2 && c <= own + GH_CENTRAL_TINY);
}

static void stats_add_objects(struct goheap_stats *st, struct gh_heap *h)
{
	struct gh_central *c;

	stats_add_large(st, h);

	down_read(&h->caches_sem);
	gh_for_each_central(c, h) {
		if (counted_by_central(c))
			stats_add_central(st, c);
		st->caches += !!c->cache;
		cond_resched();
	}
	/* Objects that were allocated and freed in caches since destroyed. */
	st->mallocs += atomic64_read(&h->gone_objects);
	st->frees += atomic64_read(&h->gone_objects);
	st->total_alloc += atomic64_read(&h->gone_bytes);
	st->total_freed += atomic64_read(&h->gone_bytes);
	up_read(&h->caches_sem);

	st->objects = without(st->mallocs, st->frees);
	st->heap_alloc = without(st->total_alloc, st->total_freed);
}

static u64 fixalloc_bytes(struct gh_fixalloc *f)
{
	return gh_peek(f->sys);
}

static void stats_add_records(struct goheap_stats *st, struct gh_heap *h)
{
	u64 cpus = num_possible_cpus();
	unsigned int i;

	st->mspan_sys = fixalloc_bytes(&h->spans) +
			fixalloc_bytes(&h->tiny_meta);
	for (i = 0; i < GH_NUM_META; i++)
		st->mspan_sys += fixalloc_bytes(&h->meta[i]);

	st->mcache_sys = cpus * (sizeof(struct gh_mcache) +
				 2 * sizeof(struct gh_pages_cpu) +
				 (GH_NUM_CENTRALS + st->caches) *
				 h->nr_homes * sizeof(struct gh_slot));
	for (i = 0; i < GH_NUM_MAGS; i++)
		st->mcache_sys += fixalloc_bytes(&h->mags[i]);

	st->other_sys = fixalloc_bytes(&h->areas) +
			fixalloc_bytes(&h->huge_recs) +
			fixalloc_bytes(&h->caches_rec) +
			fixalloc_bytes(&h->homes) +
			PAGE_ALIGN(sizeof(*h)) +
			PAGE_ALIGN(GH_NUM_CENTRALS * sizeof(*h->central)) +
			gh_index_bytes() + gh_vmem_table_bytes();
	for (i = 0; i < h->nr_nodes; i++) {
		struct gh_node *node = h->nodes[i];

		st->other_sys += PAGE_ALIGN(sizeof(*node)) +
				 atomic_long_read(&node->pa.meta_bytes) +
				 (READ_ONCE(node->narenas) +
				  gh_peek(node->nspare)) *
				 PAGE_ALIGN(sizeof(struct gh_arena));
	}
}

static void stats_add_pages(struct goheap_stats *st, struct gh_heap *h)
{
	unsigned long stack_pages = 0;
	u64 total;
	unsigned int i;

	st->cached_spans = (u64)gh_mheap_cached(h) << GH_PAGE_SHIFT;
	for (i = 0; i < h->nr_nodes; i++) {
		struct gh_node *node = h->nodes[i];

		st->arenas += READ_ONCE(node->narenas);
		st->arenas_spare += gh_peek(node->nspare);
		st->pages_inuse += gh_node_pages_inuse(node);
		st->spans_inuse += gh_node_spans_inuse(node);
		stack_pages += atomic_long_read(&node->stack_pages);
	}

	/* Those that are about to go back included. */
	st->huge = (u64)gh_huge_pages(h) << GH_PAGE_SHIFT;
	total = (st->arenas << GH_ARENA_SHIFT) + st->huge;
	st->stack_sys = (u64)stack_pages << GH_PAGE_SHIFT;
	st->heap_sys = without(total, st->stack_sys);
	st->heap_inuse = without(st->pages_inuse, stack_pages) << GH_PAGE_SHIFT;
	st->heap_idle = without(st->heap_sys, st->heap_inuse);
	st->heap_released = (u64)gh_mheap_released(h) << GH_PAGE_SHIFT;
	st->committed = without(total, st->heap_released);
	stats_add_stack(st, h, stack_pages);
}

/**
 * gh_stats_get() - fill in a heap's statistics
 * @h: the heap
 * @st: where they go
 *
 * Context: process context, may sleep.
 */
void gh_stats_get(struct gh_heap *h, struct goheap_stats *st)
{
	unsigned int i;

	memset(st, 0, sizeof(*st));
	stats_add_objects(st, h);
	stats_add_pages(st, h);
	stats_add_records(st, h);
	for (i = 0; i < GOHEAP_NR_BAD; i++)
		st->bad_frees[i] = gh_report_count(i);
	st->sys = st->heap_sys + st->stack_sys + st->mspan_sys +
		  st->mcache_sys + st->profile_sys + st->other_sys;
}
GH_EXPORT_FOR_TESTS(gh_stats_get);

/**
 * goheap_get_stats() - what the heap holds
 * @stats: filled in
 *
 * Context: process context, may sleep.
 */
void goheap_get_stats(struct goheap_stats *stats)
{
	gh_stats_get(gh_kheap, stats);
}
EXPORT_SYMBOL_GPL(goheap_get_stats);

/* ---- stats -------------------------------------------------------------- */

static int stats_show(struct seq_file *m, void *v)
{
	struct goheap_stats st;

	gh_stats_get(gh_kheap, &st);
#define SHOW(field) seq_printf(m, "%-16s %llu\n", #field, st.field)
	SHOW(sys);
	SHOW(heap_sys);
	SHOW(heap_inuse);
	SHOW(heap_idle);
	SHOW(heap_released);
	SHOW(heap_alloc);
	SHOW(total_alloc);
	SHOW(total_freed);
	SHOW(mallocs);
	SHOW(frees);
	SHOW(objects);
	SHOW(stack_sys);
	SHOW(stack_inuse);
	SHOW(mspan_sys);
	SHOW(mcache_sys);
	SHOW(profile_sys);
	SHOW(other_sys);
	SHOW(committed);
	SHOW(cached);
	SHOW(cached_spans);
	SHOW(spans_inuse);
	SHOW(pages_inuse);
	SHOW(arenas);
	SHOW(arenas_spare);
	SHOW(huge);
	SHOW(caches);
#undef SHOW

	seq_printf(m, "%-16s %llu\n", "bad_wild", st.bad_frees[GOHEAP_BAD_WILD]);
	seq_printf(m, "%-16s %llu\n", "bad_interior",
		   st.bad_frees[GOHEAP_BAD_INTERIOR]);
	seq_printf(m, "%-16s %llu\n", "bad_double",
		   st.bad_frees[GOHEAP_BAD_DOUBLE]);
	seq_printf(m, "%-16s %llu\n", "bad_foreign",
		   st.bad_frees[GOHEAP_BAD_FOREIGN]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* ---- arena_map ---------------------------------------------------------- */

/*
 * Where a reader is. A position stays what it is while arenas and huge spans come and
 * go: 0 is the heading, a page of an arena has
 *
 *   (1 + slot * nr_nodes + node) * GH_ARENA_PAGES + page
 *
 * and a huge span MAP_HUGE and its page's number.
 */
#define MAP_FIRST	BIT_ULL(GH_ARENA_PAGES_SHIFT)
#define MAP_HUGE	BIT_ULL(62)

/**
 * struct map_reader - what a reader of the map is shown
 * @arena: the arena of the run, or NULL
 * @huge: the huge span, which stands for an arena of its own, if there is no @arena
 * @npages: length of the run that was shown last
 * @place: position of the arena that was shown last
 * @nr: its number, from 0 on in the order in which they are shown
 */
struct map_reader {
	struct gh_arena *arena;
	struct gh_span *huge;
	unsigned long npages;
	loff_t place;
	unsigned int nr;
};

static struct gh_arena *map_arena(struct gh_node *node, unsigned int slot)
{
	struct gh_arena *arena;

	if (slot >= READ_ONCE(node->nslots))
		return NULL;
	arena = gh_node_arena(node, slot);
	if (arena && slot - arena->area->slot >= gh_peek(arena->area->used))
		return NULL;
	return arena;
}

/* Find the first arena in use from a position on. */
static bool map_find_arena(struct gh_heap *h, struct map_reader *r, loff_t *pos)
{
	unsigned long place = (*pos >> GH_ARENA_PAGES_SHIFT) - 1;
	unsigned int i, nslots = 0;

	lockdep_assert_held(&h->areas_lock);
	for (i = 0; i < h->nr_nodes; i++)
		nslots = max(nslots, READ_ONCE(h->nodes[i]->nslots));
	for (; place < (unsigned long)nslots * h->nr_nodes; place++) {
		r->arena = map_arena(h->nodes[place % h->nr_nodes],
				     place / h->nr_nodes);
		if (r->arena)
			return true;
		*pos = (loff_t)(place + 2) << GH_ARENA_PAGES_SHIFT;
	}
	return false;
}

static loff_t map_huge_pos(const struct gh_span *s)
{
	return MAP_HUGE | s->base >> GH_PAGE_SHIFT;
}

/* Find the first huge span from a position on. */
static bool map_find_huge(struct gh_heap *h, struct map_reader *r, loff_t *pos)
{
	struct gh_span *found = NULL;
	struct gh_huge *huge;

	lockdep_assert_held(&h->huge_lock);
	list_for_each_entry(huge, &h->huge, list)
		if (map_huge_pos(huge->span) >= *pos &&
		    (!found || huge->span->base < found->base))
			found = huge->span;
	r->arena = NULL;
	r->huge = found;
	if (found)
		*pos = map_huge_pos(found);
	return found;
}

/*
 * How many pages from @page on are in the same span, or in none and in the same
 * state. *@state is ABSENT if they are in a span. In an RCU read section.
 */
static unsigned long map_run(struct gh_arena *arena, unsigned long page,
			     enum gh_page_state *state)
{
	unsigned long first = (unsigned long)arena->slot << GH_ARENA_PAGES_SHIFT;
	struct gh_span *s = gh_arena_span(arena, page);
	unsigned long flags, n, i;

	*state = GH_PAGE_ABSENT;
	if (s)
		return clamp(s->page + s->npages - (first + page), 1UL,
			     GH_ARENA_PAGES - page);

	raw_spin_lock_irqsave(&arena->node->lock, flags);
	n = gh_pagealloc_run(&arena->node->pa, first + page,
			     first + GH_ARENA_PAGES, state);
	raw_spin_unlock_irqrestore(&arena->node->lock, flags);

	/* A span that was made meanwhile ends the run. */
	for (i = 1; i < n; i++)
		if (gh_arena_span(arena, page + i))
			break;
	return clamp(i, 1UL, GH_ARENA_PAGES - page);
}

static void *map_find(struct map_reader *r, loff_t *pos)
{
	if (*pos < MAP_FIRST)
		return SEQ_START_TOKEN;
	return (*pos < MAP_HUGE && map_find_arena(gh_kheap, r, pos)) ||
	       map_find_huge(gh_kheap, r, pos) ? pos : NULL;
}

static void *map_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&gh_kheap->areas_lock);
	mutex_lock(&gh_kheap->huge_lock);
	return map_find(m->private, pos);
}

static void *map_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct map_reader *r = m->private;

	if (v == SEQ_START_TOKEN)
		*pos = MAP_FIRST;
	else if (r->arena)
		/* Not looked up again, as it may have changed since it was shown. */
		*pos += r->npages;
	else
		*pos += 1;
	return map_find(r, pos);
}

static void map_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&gh_kheap->huge_lock);
	mutex_unlock(&gh_kheap->areas_lock);
}

/* In an RCU read section, which keeps the span's cache as well. */
static void map_show_span(struct seq_file *m, const struct gh_span *s)
{
	unsigned int sc = s->central - gh_kheap->central;
	const char *kind = "span";
	unsigned int live = 0, i;

	for (i = 0; i < s->nelems; i++)
		live += s->objstate[i] != GH_OBJ_FREE;

	if (s->state == GH_SPAN_LARGE)
		kind = "large";
	else if (s->state == GH_SPAN_STACK)
		kind = "stack";
	else if (s->central->cache)
		kind = "cache";

	seq_printf(m, "%s%s%s %u %zu %u %u\n", kind,
		   s->central->cache ? ":" : "",
		   s->central->cache ? s->central->name : "",
		   sc < GH_NUM_SPANCLASSES ? gh_spanclass_class(sc) : 0,
		   s->elemsize, s->nelems, live);
}

static int map_show(struct seq_file *m, void *v)
{
	static const char * const names[] = {
		[GH_PAGE_ABSENT] = "absent 0 0 0 0\n",
		[GH_PAGE_ALLOCATED] = "cached 0 0 0 0\n",
		[GH_PAGE_FREE] = "free 0 0 0 0\n",
		[GH_PAGE_SCAVENGED] = "released 0 0 0 0\n",
	};
	struct map_reader *r = m->private;
	enum gh_page_state state = GH_PAGE_ABSENT;
	unsigned long page = 0;
	struct gh_span *s;
	loff_t place;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "# arena page npages kind class elemsize nelems live\n");
		r->nr = -1;
		r->place = 0;
		return 0;
	}

	rcu_read_lock();
	place = *(loff_t *)v;
	if (r->arena) {
		page = place % GH_ARENA_PAGES;
		place -= page;
		r->npages = map_run(r->arena, page, &state);
		s = gh_arena_span(r->arena, page);
	} else {
		s = r->huge;
		r->npages = s->npages;
	}
	if (place != r->place) {
		r->place = place;
		r->nr++;
	}
	seq_printf(m, "%u %lu %lu ", r->nr, page, r->npages);

	/* Cached spans that are large stay in the table, but are dead. */
	if (s && gh_span_state(s) == GH_SPAN_DEAD)
		seq_puts(m, names[GH_PAGE_ALLOCATED]);
	else if (s && state == GH_PAGE_ABSENT)
		map_show_span(m, s);
	else
		seq_puts(m, names[state]);
	rcu_read_unlock();
	return 0;
}

static const struct seq_operations arena_map_sops = {
	.start = map_start,
	.next = map_next,
	.stop = map_stop,
	.show = map_show,
};

static int arena_map_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &arena_map_sops, sizeof(struct map_reader));
}

static const struct file_operations arena_map_fops = {
	.owner = THIS_MODULE,
	.open = arena_map_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

/* ---- goheapinfo --------------------------------------------------------- */

/* Batches that the transfer caches have room for. */
static unsigned int central_room(const struct gh_central *c)
{
	unsigned int i, n = 0;

	gh_for_each_home(i, c)
		n += gh_peek(c->home[i]->tc_max);
	return n;
}

static void info_show_central(struct seq_file *m, const struct gh_central *c)
{
	unsigned long nspans = atomic_long_read(&c->nspans);

	seq_printf(m, "%-17s %6lu %6lu %6zu %4u %4lu", c->name,
		   central_live(c), nspans * c->shape.nelems,
		   c->shape.elemsize, c->shape.nelems,
		   c->shape.npages << (GH_PAGE_SHIFT - PAGE_SHIFT));
	seq_printf(m, " : tunables %4u %4u %4u", 2 * c->batch, c->batch,
		   central_room(c));
	seq_printf(m, " : slabdata %6lu %6lu %6u\n", nspans, nspans,
		   gh_central_batches(c));
}

static int goheapinfo_show(struct seq_file *m, void *v)
{
	struct gh_heap *h = gh_kheap;
	struct gh_central *c;
	unsigned int i;

	seq_puts(m, "slabinfo - version: 2.1\n");
	seq_puts(m, "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>");
	seq_puts(m, " : tunables <limit> <batchcount> <sharedfactor>");
	seq_puts(m, " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	down_read(&h->caches_sem);
	gh_for_each_central(c, h)
		if (c->cache)
			info_show_central(m, c);
	up_read(&h->caches_sem);
	for (i = GH_NUM_CENTRALS; i-- > 2;)
		info_show_central(m, &h->central[i]);
	return 0;
}

/* ---- life --------------------------------------------------------------- */

/**
 * gh_stats_init() - make the files; gh_kheap must exist
 *
 * Return: 0 or -ENOMEM.
 */
int gh_stats_init(void)
{
	if (!proc_create_single("goheapinfo", 0400, NULL, goheapinfo_show))
		return -ENOMEM;
	debugfs_dir = debugfs_create_dir("goheap", NULL);
	debugfs_create_file("stats", 0400, debugfs_dir, NULL, &stats_fops);
	debugfs_create_file("arena_map", 0400, debugfs_dir, NULL,
			    &arena_map_fops);
	return 0;
}

/**
 * gh_stats_dir() - goheap's directory in debugfs, for files of other parts
 *
 * gh_stats_exit() removes it with everything in it.
 *
 * Return: the directory, or an error as a pointer, which debugfs accepts.
 */
struct dentry *gh_stats_dir(void)
{
	return debugfs_dir;
}

/**
 * gh_stats_exit() - remove the files
 */
void gh_stats_exit(void)
{
	debugfs_remove_recursive(debugfs_dir);
	remove_proc_entry("goheapinfo", NULL);
}
