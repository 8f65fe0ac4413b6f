// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmem: address space for arenas, and the physical pages behind it.
 *
 * The functions that reserve parts of the vmalloc space page by page are not
 * exported to modules, so both back-ends are built on vmap().
 *
 * Sparse (x86-64). vmap() maps one zeroed "hole" page all over a stretch that
 * is long enough to hold the wanted arenas at an aligned address:
 *
 *   vm                base                                   vm + size
 *   |  never used     |   arena 0   |  ...  |  arena n-1   |  never used |
 *
 * That builds every page table of the stretch (128 KiB an arena), so that
 * commit never has to allocate one. Then the entries are cleared, so that a
 * stray access faults. Commit sets entries that are empty, which needs no TLB
 * flush. Decommit clears entries; the pages must not be freed before every
 * CPU's TLB was flushed.
 *
 * Eager (elsewhere). All n * 64 MiB are allocated, and vmap() is given an array
 * of one arena more whose entry i is page i mod (n * 64 MiB). Wherever vmap()
 * puts it, the aligned window inside holds each page exactly once. Commit and
 * decommit have nothing to do.
 *
 * Lock: none. The caller must own the runs that it commits and decommits.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "fault.h"
#include "vmem.h"

#define PAGES_PER_ARENA	(GH_ARENA_SIZE >> PAGE_SHIFT)

/*
 * vunmap() of more pages than this makes x86 flush whole TLBs instead of single
 * entries (tlb_single_page_flush_ceiling is 33 by default). The margin is for
 * machines where it was raised a little.
 */
#define DECOY_PAGES	512

static bool vmem_sparse;
static struct page *hole_page;
static atomic_long_t committed_pages;
static atomic_long_t table_pages;

/* ---- sparse back-end ---------------------------------------------------- */

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#include <asm/pgtable.h>

#define VMEM_HAVE_SPARSE true

/* The first of the page table entries from @addr to the end of its PMD. */
static pte_t *vmem_ptes(unsigned long addr)
{
	unsigned int level;
	pte_t *ptep = lookup_address(addr, &level);

	return ptep && level == PG_LEVEL_4K ? ptep : NULL;
}

/* Call @fn for each entry of a range until it returns false. */
static bool vmem_walk_ptes(unsigned long addr, unsigned long end,
			   bool (*fn)(pte_t *ptep, void *arg), void *arg)
{
	while (addr < end) {
		unsigned long next = min(end, (addr + PMD_SIZE) & PMD_MASK);
		pte_t *ptep = vmem_ptes(addr);

		if (WARN_ON_ONCE(!ptep))
			return false;
		for (; addr < next; addr += PAGE_SIZE, ptep++)
			if (!fn(ptep, arg))
				return false;
	}
	return true;
}

static bool pte_wipe(pte_t *ptep, void *arg)
{
	set_pte(ptep, __pte(0));
	return true;
}

static bool pte_count_empty(pte_t *ptep, void *arg)
{
	unsigned long *n = arg;

	*n += pte_none(*ptep);
	return true;
}

static bool pte_is_set(pte_t *ptep, void *arg)
{
	return !pte_none(*ptep);
}

static bool pte_fill(pte_t *ptep, void *arg)
{
	struct list_head *pages = arg;
	struct page *page;

	if (!pte_none(*ptep))
		return true;
	page = list_first_entry(pages, struct page, lru);
	list_del(&page->lru);
	set_pte(ptep, pfn_pte(page_to_pfn(page), PAGE_KERNEL));
	return true;
}

static bool pte_take(pte_t *ptep, void *arg)
{
	struct gh_vmem_batch *batch = arg;
	pte_t pte = *ptep;

	if (pte_none(pte))
		return true;
	set_pte(ptep, __pte(0));
	list_add(&pte_page(pte)->lru, &batch->pages);
	batch->npages++;
	return true;
}

#else /* no sparse back-end */

#define VMEM_HAVE_SPARSE false

static bool pte_wipe(pte_t *ptep, void *arg)
{
	return true;
}

#define pte_count_empty	pte_wipe
#define pte_is_set	pte_wipe
#define pte_fill	pte_wipe
#define pte_take	pte_wipe

static bool vmem_walk_ptes(unsigned long addr, unsigned long end,
			   bool (*fn)(pte_t *ptep, void *arg), void *arg)
{
	return true;
}

#endif

/*
 * A function that flushes TLBs is not exported, so it is done by unmapping a
 * decoy of many pages. That queues a range flush which is wide enough to become
 * a full one on every CPU. vm_unmap_aliases() carries it out, or waits for the
 * CPU that does, before it returns. Only mapping the decoy can fail, so callers
 * do that before they change anything.
 */
static void *vmem_map_decoy(void)
{
	struct page **decoy;
	void *vm;
	int i;

	decoy = (struct page **)__get_free_page(GFP_KERNEL);
	if (!decoy)
		return NULL;
	for (i = 0; i < DECOY_PAGES; i++)
		decoy[i] = hole_page;
	vm = vmap(decoy, DECOY_PAGES, VM_MAP, PAGE_KERNEL);
	free_page((unsigned long)decoy);
	return vm;
}

static void vmem_flush_tlb(void *decoy)
{
	vunmap(decoy);
	vm_unmap_aliases();
}

static void vmem_free_pages(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/* An OOM victim must not use up the memory reserves it has been granted. */
static bool vmem_must_stop(gfp_t gfp)
{
	return gfpflags_allow_blocking(gfp) && fatal_signal_pending(current);
}

/* Get @n single pages, all or none. */
static int vmem_get_pages(struct list_head *pages, unsigned long n, gfp_t gfp,
			  int nid)
{
	struct page *bulk[32];

	while (n) {
		unsigned long want = min_t(unsigned long, n, ARRAY_SIZE(bulk));
		unsigned long i, got;

		memset(bulk, 0, sizeof(bulk));
		got = gh_fault(GH_FAULT_PAGE) || vmem_must_stop(gfp) ? 0 :
			gh_alloc_pages_bulk(gfp, nid, want, bulk);
		if (!got) {
			vmem_free_pages(pages);
			return -ENOMEM;
		}

		for (i = 0; i < got; i++)
			list_add_tail(&bulk[i]->lru, pages);
		n -= got;
		if (gfpflags_allow_blocking(gfp))
			cond_resched();
	}
	return 0;
}

static int sparse_reserve(struct gh_vmem_area *area, unsigned long npages,
			  struct page **pages)
{
	void *decoy = vmem_map_decoy();
	unsigned long i, start, end;

	if (!decoy)
		return -ENOMEM;

	/* Build the page tables. */
	for (i = 0; i < npages; i++)
		pages[i] = hole_page;
	area->vm = vmap(pages, npages, VM_MAP, PAGE_KERNEL);
	if (!area->vm) {
		vunmap(decoy);
		return -ENOMEM;
	}

	/* Empty them. */
	start = (unsigned long)area->vm;
	end = start + (npages << PAGE_SHIFT);
	for (; start < end; start = min(end, start + GH_ARENA_SIZE)) {
		vmem_walk_ptes(start, min(end, start + GH_ARENA_SIZE),
			       pte_wipe, NULL);
		cond_resched();
	}
	vmem_flush_tlb(decoy);
	return 0;
}

/* ---- eager back-end ----------------------------------------------------- */

/* Fill @pages with @npages zeroed pages, in blocks as large as possible. */
static int eager_get_pages(struct page **pages, unsigned long npages, int nid)
{
	unsigned int order = min_t(unsigned int, 10, get_order(GH_ARENA_SIZE));
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN;
	unsigned long n = 0;

	while (n < npages) {
		struct page *block;
		unsigned long i;

		block = gh_fault(GH_FAULT_PAGE) || vmem_must_stop(gfp) ? NULL :
			alloc_pages_node(nid, order ? gfp | __GFP_NORETRY : gfp,
					 order);
		if (!block && order) {
			order--;
			continue;
		}
		if (!block)
			break;

		split_page(block, order);
		for (i = 0; i < 1UL << order; i++)
			pages[n++] = block + i;
		while (order && npages - n < 1UL << order)
			order--;
		cond_resched();
	}
	if (n == npages)
		return 0;

	while (n--)
		__free_page(pages[n]);
	return -ENOMEM;
}

static int eager_reserve(struct gh_vmem_area *area, unsigned long npages,
			 struct page **pages, int nid)
{
	unsigned long own = area->narenas * PAGES_PER_ARENA;
	unsigned long i;

	if (own > totalram_pages() / 2 || eager_get_pages(pages, own, nid))
		return -ENOMEM;

	for (i = own; i < npages; i++)
		pages[i] = pages[i - own];
	area->vm = vmap(pages, npages, VM_MAP, PAGE_KERNEL);
	if (area->vm) {
		atomic_long_add(own, &committed_pages);
		return 0;
	}

	for (i = 0; i < own; i++)
		__free_page(pages[i]);
	return -ENOMEM;
}

static void eager_collect(struct gh_vmem_area *area,
			  struct gh_vmem_batch *batch)
{
	unsigned long addr = area->base;
	unsigned long i;

	for (i = 0; i < area->narenas * PAGES_PER_ARENA; i++) {
		list_add(&vmalloc_to_page((void *)addr)->lru, &batch->pages);
		batch->npages++;
		addr += PAGE_SIZE;
	}
}

/* ---- interface ---------------------------------------------------------- */

static unsigned long vmem_area_pages(unsigned int narenas)
{
	return (narenas + 1) * PAGES_PER_ARENA - 1;
}

/**
 * gh_vmem_reserve() - reserve adjacent arenas
 * @area: filled in
 * @narenas: number of 64 MiB arenas, at least 1
 * @nid: NUMA node for an eager arena's pages
 *
 * Context: process context, may sleep. Honours memalloc_nofs_save() and its
 * like, because vmap() has no gfp of its own.
 * Return: 0, or -ENOMEM when memory or address space is short.
 */
int gh_vmem_reserve(struct gh_vmem_area *area, unsigned int narenas, int nid)
{
	unsigned long npages = vmem_area_pages(narenas);
	struct page **pages;
	int err;

	if (gh_fault(GH_FAULT_VMAP))
		return -ENOMEM;
	pages = vmalloc(array_size(npages, sizeof(*pages)));
	if (!pages)
		return -ENOMEM;

	area->narenas = narenas;
	err = vmem_sparse ? sparse_reserve(area, npages, pages) :
			    eager_reserve(area, npages, pages, nid);
	vfree(pages);
	if (err)
		return err;

	area->base = ALIGN((unsigned long)area->vm, GH_ARENA_SIZE);
	atomic_long_add(DIV_ROUND_UP(npages, PTRS_PER_PTE), &table_pages);
	return 0;
}
GH_EXPORT_FOR_TESTS(gh_vmem_reserve);

/**
 * gh_vmem_release() - free the address space and every page behind it
 * @area: as filled in by gh_vmem_reserve(); nobody uses it any more
 *
 * Context: process context, may sleep.
 */
void gh_vmem_release(struct gh_vmem_area *area)
{
	unsigned long npages = vmem_area_pages(area->narenas);
	struct gh_vmem_batch batch;

	gh_vmem_batch_init(&batch);
	if (vmem_sparse)
		vmem_walk_ptes(area->base,
			       area->base + area->narenas * GH_ARENA_SIZE,
			       pte_take, &batch);
	else
		eager_collect(area, &batch);

	/*
	 * The stretch is wide, so unmapping it flushes whole TLBs, the entries
	 * cleared above included. Only then may the pages be freed.
	 */
	vunmap(area->vm);
	vm_unmap_aliases();
	vmem_free_pages(&batch.pages);

	atomic_long_sub(batch.npages, &committed_pages);
	atomic_long_sub(DIV_ROUND_UP(npages, PTRS_PER_PTE), &table_pages);
}
GH_EXPORT_FOR_TESTS(gh_vmem_release);

/**
 * gh_vmem_commit() - put physical pages behind a run
 * @addr: start of the run, PAGE_SIZE aligned
 * @nbytes: length, a multiple of PAGE_SIZE
 * @gfp: for the pages; __GFP_ZERO zeroes those that are new
 * @nid: preferred NUMA node
 *
 * Pages that are there already stay. On failure nothing is changed.
 *
 * Context: any in which @gfp may be used; not NMI.
 * Return: 0 or -ENOMEM.
 */
int gh_vmem_commit(unsigned long addr, unsigned long nbytes, gfp_t gfp, int nid)
{
	unsigned long missing = 0;
	LIST_HEAD(pages);

	if (!vmem_sparse)
		return 0;
	if (!vmem_walk_ptes(addr, addr + nbytes, pte_count_empty, &missing))
		return -ENOMEM;
	if (vmem_get_pages(&pages, missing, gfp, nid))
		return -ENOMEM;
	vmem_walk_ptes(addr, addr + nbytes, pte_fill, &pages);
	atomic_long_add(missing, &committed_pages);
	return 0;
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
	return vmem_walk_ptes(addr, addr + nbytes, pte_is_set, NULL);
}
GH_EXPORT_FOR_TESTS(gh_vmem_committed);

/**
 * gh_vmem_batch_init() - start a batch of decommits
 * @batch: the batch
 */
void gh_vmem_batch_init(struct gh_vmem_batch *batch)
{
	INIT_LIST_HEAD(&batch->pages);
	batch->npages = 0;
	batch->decoy = NULL;
}
GH_EXPORT_FOR_TESTS(gh_vmem_batch_init);

/**
 * gh_vmem_decommit() - take the physical pages of a run into a batch
 * @batch: collects the pages
 * @addr: start of the run, PAGE_SIZE aligned
 * @nbytes: length, a multiple of PAGE_SIZE
 *
 * Nobody may use the run, or commit it again, until gh_vmem_batch_free().
 *
 * Context: process context, may sleep.
 * Return: 0, or -ENOMEM and nothing was done; only for a batch that is empty.
 */
int gh_vmem_decommit(struct gh_vmem_batch *batch, unsigned long addr,
		     unsigned long nbytes)
{
	if (!vmem_sparse)
		return 0;
	if (!batch->decoy)
		batch->decoy = vmem_map_decoy();
	if (!batch->decoy)
		return -ENOMEM;
	vmem_walk_ptes(addr, addr + nbytes, pte_take, batch);
	return 0;
}
GH_EXPORT_FOR_TESTS(gh_vmem_decommit);

/**
 * gh_vmem_batch_free() - flush the TLBs once and free a batch's pages
 * @batch: the batch, empty afterwards
 *
 * Context: process context, may sleep.
 * Return: number of PAGE_SIZE pages freed.
 */
int gh_vmem_batch_free(struct gh_vmem_batch *batch)
{
	int freed = batch->npages;

	if (freed)
		vmem_flush_tlb(batch->decoy);
	else
		vunmap(batch->decoy);
	vmem_free_pages(&batch->pages);
	atomic_long_sub(freed, &committed_pages);
	gh_vmem_batch_init(batch);
	return freed;
}
GH_EXPORT_FOR_TESTS(gh_vmem_batch_free);

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

/**
 * gh_vmem_init() - choose the back-end
 * @kind: which
 *
 * Return: 0, -EOPNOTSUPP if this machine has no such back-end, or -ENOMEM.
 */
int gh_vmem_init(enum gh_vmem_kind kind)
{
	if (kind == GH_VMEM_SPARSE && !VMEM_HAVE_SPARSE)
		return -EOPNOTSUPP;
	vmem_sparse = VMEM_HAVE_SPARSE && kind != GH_VMEM_EAGER;
	hole_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	return hole_page ? 0 : -ENOMEM;
}

/**
 * gh_vmem_exit() - free what all areas share; every area was released
 */
void gh_vmem_exit(void)
{
	__free_page(hole_page);
}
