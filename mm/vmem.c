// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmem: address space for arenas, and the physical pages behind it.
 *
 * There are two back-ends, chosen once: sparse.c maps and unmaps single pages,
 * eager.c has all pages of an arena mapped for good.
 *
 * Locking: none here. The caller owns the runs that it commits and decommits.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "blocks.h"
#include "compat.h"
#include "eager.h"
#include "fault.h"
#include "sparse.h"
#include "vmem.h"

/* Kernels in which arenas cannot work. */
#ifdef CONFIG_KMSAN
#error "KMSAN takes the metadata of a whole arena from one page"
#endif
#if defined(CONFIG_KASAN_SW_TAGS) || defined(CONFIG_KASAN_HW_TAGS)
#error "arenas are found by address, which tags would change"
#endif

#define PAGES_PER_ARENA	(GH_ARENA_SIZE >> PAGE_SHIFT)

static bool vmem_sparse;
static atomic_long_t committed_pages;
static atomic_long_t table_pages;

/*
 * Eager mappings end with vunmap() only. Their memory goes back before the system has
 * flushed, as with vfree(), and their addresses do not. vm_unmap_aliases() would flush
 * at once, but 7.2 waits in it for work items without a rescuer, and this is reclaim.
 */
static void vmem_flush(void)
{
	if (vmem_sparse)
		gh_sparse_flush();
}

static void vmem_free_pages(struct gh_vmem_batch *batch)
{
	gh_blocks_free_list(&batch->pages);
	atomic_long_sub(batch->npages, &committed_pages);
	gh_vmem_batch_init(batch);
}

/* ---- areas -------------------------------------------------------------- */

/**
 * gh_vmem_reserve() - reserve adjacent arenas
 * @area: filled in
 * @narenas: number of 64 MiB arenas, 1 to GH_VMEM_MAX_ARENAS
 * @nid: NUMA node for an eager arena's pages
 *
 * Context: process context, may sleep. Honours memalloc_nofs_save() and its
 * like, as vmap() has no gfp of its own.
 * Return: 0, or -ENOMEM when memory or address space is short.
 */
int gh_vmem_reserve(struct gh_vmem_area *area, unsigned int narenas, int nid)
{
	int err;

	if (gh_fault(GH_FAULT_VMAP) ||
	    WARN_ON_ONCE(!narenas || narenas > GH_VMEM_MAX_ARENAS))
		return -ENOMEM;
	area->narenas = narenas;
	/* Some aligned place in it has room, and a page is left over. */
	area->nr_pages = (narenas + 1) * PAGES_PER_ARENA;
	err = vmem_sparse ? gh_sparse_reserve(area) :
			    gh_eager_reserve(area, nid);
	if (err)
		return err;
	if (!vmem_sparse)
		atomic_long_add(narenas * PAGES_PER_ARENA, &committed_pages);
	atomic_long_add(area->nr_pages / PTRS_PER_PTE, &table_pages);
	return 0;
}
GH_EXPORT_FOR_TESTS(gh_vmem_reserve);

/**
 * gh_vmem_release() - give back the address space and every page behind it
 * @area: as filled in by gh_vmem_reserve(), and intact; nobody may use it any
 *	more
 *
 * Context: process context, may sleep.
 */
void gh_vmem_release(struct gh_vmem_area *area)
{
	struct gh_vmem_batch batch;

	gh_vmem_batch_init(&batch);
	if (vmem_sparse)
		gh_sparse_decommit(&batch, area->base,
				   area->narenas * GH_ARENA_SIZE);
	else
		gh_eager_collect(area, &batch);
	vunmap(area->vm);
	vmem_flush();
	vmem_free_pages(&batch);
	atomic_long_sub(area->nr_pages / PTRS_PER_PTE, &table_pages);
}
GH_EXPORT_FOR_TESTS(gh_vmem_release);

/**
 * gh_vmem_intact() - ask whether an area is still ours
 * @area: the area
 *
 * vfree() and kvfree() accept any address of an area, and unmap all of it.
 *
 * Context: any.
 * Return: false if somebody did that, as far as the back-end can know.
 */
bool gh_vmem_intact(const struct gh_vmem_area *area)
{
	return !vmem_sparse || gh_sparse_intact(area);
}
GH_EXPORT_FOR_TESTS(gh_vmem_intact);

/* ---- memory ------------------------------------------------------------- */

/**
 * gh_vmem_commit() - put physical pages behind a run
 * @addr: start of the run, PAGE_SIZE aligned
 * @nbytes: length, a multiple of PAGE_SIZE
 * @gfp: for the pages; __GFP_ZERO zeroes those that are new
 * @nid: preferred NUMA node; with __GFP_THISNODE the only one
 *
 * Places that have a page keep it. All or nothing.
 *
 * Context: any in which @gfp may be used; not NMI.
 * Return: 0, 1 if some of the new pages are of the system's reserves, or -ENOMEM.
 */
int gh_vmem_commit(unsigned long addr, unsigned long nbytes, gfp_t gfp, int nid)
{
	unsigned long npages;
	int got;

	if (!vmem_sparse)
		return 0;
	got = gh_sparse_commit(addr, nbytes, gfp, nid, &npages);
	if (got >= 0)
		atomic_long_add(npages, &committed_pages);
	return got;
}
GH_EXPORT_FOR_TESTS(gh_vmem_commit);

/**
 * gh_vmem_committed() - ask whether all of a run has physical pages
 * @addr: start of the run, PAGE_SIZE aligned
 * @nbytes: length, a multiple of PAGE_SIZE
 *
 * Context: any; the caller owns the run.
 * Return: true if every page is there.
 */
bool gh_vmem_committed(unsigned long addr, unsigned long nbytes)
{
	return !vmem_sparse || gh_sparse_committed(addr, nbytes);
}
GH_EXPORT_FOR_TESTS(gh_vmem_committed);

/**
 * gh_vmem_decommit() - take the physical pages of a run into a batch
 * @batch: collects the pages
 * @addr: start of the run, PAGE_SIZE aligned
 * @nbytes: length, a multiple of PAGE_SIZE
 *
 * Nobody may use the run until it is committed again. A processor may still
 * reach the pages until gh_vmem_batch_free(), through its TLB.
 *
 * Context: any.
 */
void gh_vmem_decommit(struct gh_vmem_batch *batch, unsigned long addr,
		      unsigned long nbytes)
{
	if (vmem_sparse)
		gh_sparse_decommit(batch, addr, nbytes);
}
GH_EXPORT_FOR_TESTS(gh_vmem_decommit);

/**
 * gh_vmem_batch_free() - flush the TLBs once and free a batch's pages
 * @batch: the batch, empty afterwards
 *
 * Allocates nothing and takes no lock, so it may be part of reclaim.
 *
 * Context: process context, interrupts on; waits for all CPUs.
 * Return: number of PAGE_SIZE pages freed.
 */
unsigned long gh_vmem_batch_free(struct gh_vmem_batch *batch)
{
	unsigned long freed = batch->npages;

	if (freed) {
		vmem_flush();
		vmem_free_pages(batch);
	}
	return freed;
}
GH_EXPORT_FOR_TESTS(gh_vmem_batch_free);

/**
 * gh_vmem_hide() - unmap a heap page that keeps its memory
 * @addr: the page, committed or not
 *
 * A processor may go on reaching the memory through its TLB, until that is
 * flushed for another reason. As the memory stays the page's, it harms nobody.
 *
 * Context: any; the caller owns the page.
 * Return: the memory, for gh_vmem_show(); or NULL if there is none.
 */
struct page *gh_vmem_hide(unsigned long addr)
{
	return vmem_sparse ? gh_sparse_hide(addr) : NULL;
}
GH_EXPORT_FOR_TESTS(gh_vmem_hide);

/**
 * gh_vmem_show() - map a hidden heap page again
 * @addr: the page
 * @memory: its memory, as gh_vmem_hide() returned it
 *
 * Context: any; the caller owns the page.
 */
void gh_vmem_show(unsigned long addr, struct page *memory)
{
	gh_sparse_show(addr, memory);
}
GH_EXPORT_FOR_TESTS(gh_vmem_show);

/* ---- mappings ----------------------------------------------------------- */

/* Page tables for as many pages, at most. */
static unsigned long tables_of(unsigned long npages)
{
	return DIV_ROUND_UP(npages, PTRS_PER_PTE);
}

static void map_free_pages(struct gh_vmem_map *m)
{
	gh_blocks_free_array(m->pages, m->npages);
	vfree(m->pages);
}

static bool map_pages(struct gh_vmem_map *m)
{
	void *vm;

	if (gh_fault(GH_FAULT_VMAP))
		return false;
	vm = vmap(m->pages, m->npages + 1, VM_MAP, PAGE_KERNEL);
	if (!vm)
		return false;
	m->vm = vm;
	m->base = ALIGN((unsigned long)vm, GH_PAGE_SIZE);
	if (vmem_sparse)
		gh_sparse_unmap(m->base > (unsigned long)vm ? (unsigned long)vm :
				m->base + (m->npages << PAGE_SHIFT));
	return true;
}

/**
 * gh_vmem_map() - get memory and a mapping of its own
 * @m: filled in
 * @npages: PAGE_SIZE pages, a multiple of GH_PAGE_SIZE in all
 * @gfp: for the pages, with __GFP_DIRECT_RECLAIM; __GFP_ZERO zeroes them
 * @nid: preferred NUMA node; with __GFP_THISNODE the only one
 *
 * As vmap() does not align, it is given one page more, which is the first one
 * again: from an aligned address on, each page is there once. What remains at one
 * end is unmapped, as the page behind a mapping is; without the sparse back-end, it
 * shows a page of the same memory.
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gh_vmem_map(struct gh_vmem_map *m, unsigned long npages, gfp_t gfp, int nid)
{
	struct gh_block_iter it;
	LIST_HEAD(blocks);
	unsigned long i;

	m->npages = npages;
	m->pages = gh_blocks_vmalloc(array_size(npages + 1, sizeof(*m->pages)),
				     gfp & (GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY |
					    __GFP_RETRY_MAYFAIL));
	if (!m->pages)
		return -ENOMEM;
	if (gh_blocks_get(&blocks, npages, gfp, nid) < 0)
		goto no_pages;

	gh_blocks_count(&blocks);
	gh_blocks_start(&it, &blocks);
	for (i = 0; i < npages; i++)
		m->pages[i] = gh_blocks_next(&it);
	m->pages[npages] = m->pages[0];

	if (!map_pages(m))
		goto no_map;
	atomic_long_add(npages, &committed_pages);
	atomic_long_add(tables_of(npages), &table_pages);
	return 0;

no_map:
	map_free_pages(m);
	return -ENOMEM;
no_pages:
	vfree(m->pages);
	return -ENOMEM;
}
GH_EXPORT_FOR_TESTS(gh_vmem_map);

/**
 * gh_vmem_map_elsewhere() - map the memory of a mapping at other addresses
 * @m: as filled in by gh_vmem_map(); changed
 *
 * The order of the pages may be another one there, so what they hold is lost.
 *
 * Context: process context, may sleep.
 * Return: what stays mapped, for gh_vmem_unmap_others(), or NULL if nothing was changed.
 */
void *gh_vmem_map_elsewhere(struct gh_vmem_map *m)
{
	void *before = m->vm;

	return map_pages(m) ? before : NULL;
}
GH_EXPORT_FOR_TESTS(gh_vmem_map_elsewhere);

/**
 * gh_vmem_unmap_others() - end mappings of memory that is mapped elsewhere, too
 * @vm: what gh_vmem_map_elsewhere() returned
 * @n: how many of them
 *
 * Context: process context, may sleep.
 */
void gh_vmem_unmap_others(void **vm, unsigned int n)
{
	if (!n)
		return;
	while (n)
		vunmap(vm[--n]);
	vmem_flush();
}
GH_EXPORT_FOR_TESTS(gh_vmem_unmap_others);

/**
 * gh_vmem_zalloc() - zeroed memory for tables of areas, for vfree()
 * @size: bytes
 *
 * Context: process context, may sleep. A task that is being killed is served, too.
 * Return: the memory or NULL.
 */
void *gh_vmem_zalloc(size_t size)
{
	if (gh_fault(GH_FAULT_META))
		return NULL;
	return gh_blocks_vmalloc(size, GFP_KERNEL | __GFP_ZERO);
}
GH_EXPORT_FOR_TESTS(gh_vmem_zalloc);

/**
 * gh_vmem_map_intact() - ask whether a mapping is still ours
 * @m: as filled in by gh_vmem_map()
 *
 * Context: any.
 * Return: false if somebody unmapped it.
 */
bool gh_vmem_map_intact(const struct gh_vmem_map *m)
{
	struct page *page = vmalloc_to_page((void *)m->base);

	return page == m->pages[0] || page == m->pages[1 % m->npages];
}

/**
 * gh_vmem_unmap() - end a mapping, and free its memory
 * @m: as filled in by gh_vmem_map()
 *
 * Context: process context, may sleep.
 * Return: false if somebody else had unmapped it, by vfree() or kvfree().
 */
bool gh_vmem_unmap(struct gh_vmem_map *m)
{
	bool intact = gh_vmem_map_intact(m);

	if (intact)
		vunmap(m->vm);
	vmem_flush();
	map_free_pages(m);
	atomic_long_sub(m->npages, &committed_pages);
	atomic_long_sub(tables_of(m->npages), &table_pages);
	return intact;
}
GH_EXPORT_FOR_TESTS(gh_vmem_unmap);

/* ---- state -------------------------------------------------------------- */

/**
 * gh_vmem_is_sparse() - ask which back-end is in use
 *
 * Return: true if memory is committed run by run.
 */
bool gh_vmem_is_sparse(void)
{
	return vmem_sparse;
}
GH_EXPORT_FOR_TESTS(gh_vmem_is_sparse);

/**
 * gh_vmem_space_is_cheap() - ask whether empty address space costs little
 *
 * Return: false if it is memory, or KASAN backs it with memory.
 */
bool gh_vmem_space_is_cheap(void)
{
	return vmem_sparse && !IS_ENABLED(CONFIG_KASAN_VMALLOC);
}
GH_EXPORT_FOR_TESTS(gh_vmem_space_is_cheap);

/**
 * gh_vmem_committed_bytes() - physical memory behind all arenas
 *
 * Return: bytes.
 */
unsigned long gh_vmem_committed_bytes(void)
{
	return atomic_long_read(&committed_pages) << PAGE_SHIFT;
}
GH_EXPORT_FOR_TESTS(gh_vmem_committed_bytes);

/**
 * gh_vmem_table_bytes() - page tables of all arenas
 *
 * Return: bytes.
 */
unsigned long gh_vmem_table_bytes(void)
{
	return atomic_long_read(&table_pages) << PAGE_SHIFT;
}
GH_EXPORT_FOR_TESTS(gh_vmem_table_bytes);

/* ---- life --------------------------------------------------------------- */

/**
 * gh_vmem_init() - choose the back-end
 * @kind: which
 *
 * Return: 0, -EOPNOTSUPP if this machine has no such back-end, or -ENOMEM.
 */
int gh_vmem_init(enum gh_vmem_kind kind)
{
	if (kind == GH_VMEM_SPARSE && !gh_sparse_possible())
		return -EOPNOTSUPP;
	vmem_sparse = kind != GH_VMEM_EAGER && gh_sparse_possible();
	return vmem_sparse ? gh_sparse_init() : 0;
}

/**
 * gh_vmem_exit() - end
 * @left: areas were left mapped
 */
void gh_vmem_exit(bool left)
{
	if (vmem_sparse)
		gh_sparse_exit(left);
}
