// SPDX-License-Identifier: GPL-2.0-only
/*
 * sparse: arenas whose pages come and go one by one (x86-64).
 *
 * The functions that reserve parts of the vmalloc space page by page are not
 * exported to modules, so this stands on vmap(): it maps one zeroed "hole" page
 * all over a stretch that is long enough to hold the wanted arenas at an aligned
 * address:
 *
 *   vm                base                                   vm + size
 *   |  never used     |   arena 0   |  ...  |  arena n-1   |  never used |
 *
 * That builds every page table of the stretch (128 KiB an arena), so commit
 * never allocates one. Then the entries are cleared, so that a stray access
 * faults. Commit sets entries of empty places, which needs no TLB flush.
 * Decommit clears entries; their pages may be freed only after every CPU's TLB
 * was flushed.
 *
 * One page that is in no arena keeps its mapping of the hole page: the canary.
 * A vfree() of any address of the stretch unmaps all of it, the canary too, so
 * that its entry tells whether the stretch is still ours.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>
#include <asm/invpcid.h>
#include <asm/pgtable.h>
#include <asm/processor-flags.h>

#include "blocks.h"
#include "sparse.h"

static struct page *hole_page;

/*
 * What vmap() is given: so many pointers to the hole page. The array is one page
 * of them, mapped over and over.
 */
static struct page **hole_array;
static struct page *hole_pointers;

#define PAGES_PER_ARENA		(GH_ARENA_SIZE >> PAGE_SHIFT)
#define POINTERS_PER_PAGE	(PAGE_SIZE / sizeof(struct page *))
#define HOLE_ARRAY_PAGES						\
	((GH_VMEM_MAX_ARENAS + 1) * PAGES_PER_ARENA / POINTERS_PER_PAGE)

/* ---- page table entries ------------------------------------------------- */

/* The first of the page table entries from @addr to the end of its PMD. */
static pte_t *sparse_ptes(unsigned long addr)
{
	unsigned int level;
	pte_t *ptep = lookup_address(addr, &level);

	return ptep && level == PG_LEVEL_4K ? ptep : NULL;
}

/* Call @fn for each entry of a range, until it returns false. */
static __always_inline bool
sparse_walk(unsigned long addr, unsigned long end,
	    bool (*fn)(pte_t *ptep, void *arg), void *arg)
{
	while (addr < end) {
		unsigned long next = min(end, (addr + PMD_SIZE) & PMD_MASK);
		pte_t *ptep = sparse_ptes(addr);

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
	if (pte_none(*ptep))
		set_pte(ptep, mk_pte(gh_blocks_next(arg), PAGE_KERNEL));
	return true;
}

static bool pte_show(pte_t *ptep, void *arg)
{
	struct page **next = arg, *page = *next;

	*next = (struct page *)page_private(page);
	set_page_private(page, 0);
	set_pte(ptep, mk_pte(page, PAGE_KERNEL));
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

/* ---- the flush ---------------------------------------------------------- */

/*
 * A change of CR4.PGE flushes all entries of all address spaces, global ones
 * included, as INVPCID does (Intel SDM volume 3, 4.10.4.1). Both writes keep
 * every other bit.
 */
static void flush_by_cr4(void)
{
	unsigned long flags, cr4;

	local_irq_save(flags);
	asm volatile("mov %%cr4, %0" : "=r" (cr4) : : "memory");
	asm volatile("mov %0, %%cr4" : : "r" (cr4 ^ X86_CR4_PGE) : "memory");
	asm volatile("mov %0, %%cr4" : : "r" (cr4) : "memory");
	local_irq_restore(flags);
}

static void flush_here(void *unused)
{
	if (boot_cpu_has(X86_FEATURE_INVPCID))
		invpcid_flush_all();
	else
		flush_by_cr4();
}

/**
 * gh_sparse_flush() - flush the TLBs of all CPUs
 *
 * The functions by which the kernel flushes ranges are not exported. Neither
 * this nor anything that it calls allocates, so it may be part of reclaim.
 *
 * Context: interrupts on; waits for all CPUs to handle an interrupt.
 */
void gh_sparse_flush(void)
{
	on_each_cpu(flush_here, NULL, 1);
}

/* ---- areas -------------------------------------------------------------- */

/* The canary is at that end of the stretch which is in no arena. */
static unsigned long canary_of(const struct gh_vmem_area *area)
{
	unsigned long vm = (unsigned long)area->vm;

	return area->base > vm ? vm :
				 vm + ((area->nr_pages - 1) << PAGE_SHIFT);
}

/* Clear all entries of a stretch but the canary's. */
static void sparse_wipe(const struct gh_vmem_area *area)
{
	unsigned long start = (unsigned long)area->vm;
	unsigned long end = start + (area->nr_pages << PAGE_SHIFT);

	if (canary_of(area) == start)
		start += PAGE_SIZE;
	else
		end -= PAGE_SIZE;
	while (start < end) {
		unsigned long next = min(end, start + GH_ARENA_SIZE);

		sparse_walk(start, next, pte_wipe, NULL);
		start = next;
		cond_resched();
	}
}

/**
 * gh_sparse_unmap() - clear the entry of a system page, and leave its memory alone
 * @addr: the page, of a mapping that vmap() made
 *
 * The TLBs are not flushed.
 *
 * Context: any; the caller owns the mapping.
 */
void gh_sparse_unmap(unsigned long addr)
{
	sparse_walk(addr, addr + PAGE_SIZE, pte_wipe, NULL);
}

/**
 * gh_sparse_reserve() - reserve the stretch of an area, with nothing mapped
 * @area: @narenas and @nr_pages are set; the rest is filled in
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gh_sparse_reserve(struct gh_vmem_area *area)
{
	area->vm = vmap(hole_array, area->nr_pages, VM_MAP, PAGE_KERNEL);
	if (!area->vm)
		return -ENOMEM;
	area->base = ALIGN((unsigned long)area->vm, GH_ARENA_SIZE);
	sparse_wipe(area);
	gh_sparse_flush();
	return 0;
}

/**
 * gh_sparse_intact() - ask whether an area is still mapped as it was reserved
 * @area: the area
 *
 * Context: any.
 * Return: false if somebody unmapped the stretch.
 */
bool gh_sparse_intact(const struct gh_vmem_area *area)
{
	pte_t *ptep = sparse_ptes(canary_of(area));

	return ptep && pte_present(*ptep) &&
	       pte_pfn(*ptep) == page_to_pfn(hole_page);
}

/* ---- memory ------------------------------------------------------------- */

/**
 * gh_sparse_commit() - put physical pages where there are none
 * @addr: see gh_vmem_commit()
 * @nbytes: see gh_vmem_commit()
 * @gfp: see gh_vmem_commit()
 * @nid: see gh_vmem_commit()
 * @npages: set to how many were put there
 *
 * Context: any in which @gfp may be used; not NMI.
 * Return: see gh_vmem_commit().
 */
int gh_sparse_commit(unsigned long addr, unsigned long nbytes, gfp_t gfp,
		     int nid, unsigned long *npages)
{
	struct gh_block_iter it;
	LIST_HEAD(blocks);
	int got;

	*npages = 0;
	if (!sparse_walk(addr, addr + nbytes, pte_count_empty, npages))
		return -ENOMEM;
	got = gh_blocks_get(&blocks, *npages, gfp, nid);
	if (got < 0)
		return got;
	gh_blocks_count(&blocks);
	gh_blocks_start(&it, &blocks);
	sparse_walk(addr, addr + nbytes, pte_fill, &it);
	return got;
}

/**
 * gh_sparse_committed() - ask whether all of a run has physical pages
 * @addr: see gh_vmem_committed()
 * @nbytes: see gh_vmem_committed()
 *
 * Context: any; the caller owns the run.
 * Return: true if every page is there.
 */
bool gh_sparse_committed(unsigned long addr, unsigned long nbytes)
{
	return sparse_walk(addr, addr + nbytes, pte_is_set, NULL);
}

/**
 * gh_sparse_decommit() - take the physical pages of a run into a batch
 * @batch: see gh_vmem_decommit()
 * @addr: see gh_vmem_decommit()
 * @nbytes: see gh_vmem_decommit()
 *
 * Context: any.
 */
void gh_sparse_decommit(struct gh_vmem_batch *batch, unsigned long addr,
			unsigned long nbytes)
{
	sparse_walk(addr, addr + nbytes, pte_take, batch);
}

/**
 * gh_sparse_hide() - unmap a heap page that keeps its memory
 * @addr: see gh_vmem_hide()
 *
 * Context: any.
 * Return: its first page, whose private is the next one, and so on; or NULL.
 */
struct page *gh_sparse_hide(unsigned long addr)
{
	struct page *first = NULL;
	struct gh_vmem_batch batch;
	struct page *page, *next;

	gh_vmem_batch_init(&batch);
	gh_sparse_decommit(&batch, addr, GH_PAGE_SIZE);
	/* The batch has the last page first. */
	list_for_each_entry_safe(page, next, &batch.pages, lru) {
		set_page_private(page, (unsigned long)first);
		first = page;
	}
	return first;
}

/**
 * gh_sparse_show() - map a hidden heap page again
 * @addr: see gh_vmem_show()
 * @first: as gh_sparse_hide() returned it
 *
 * Context: any.
 */
void gh_sparse_show(unsigned long addr, struct page *first)
{
	sparse_walk(addr, addr + GH_PAGE_SIZE, pte_show, &first);
}

/* ---- life --------------------------------------------------------------- */

/**
 * gh_sparse_possible() - ask whether this machine can have sparse arenas
 *
 * A Xen guest without hardware virtualisation may write neither page tables
 * nor control registers itself.
 *
 * Return: true if it can.
 */
bool gh_sparse_possible(void)
{
	return !boot_cpu_has(X86_FEATURE_XENPV);
}

/* Map one page of pointers to the hole page HOLE_ARRAY_PAGES times. */
static int hole_array_init(void)
{
	struct page **pages, **pointers = page_address(hole_pointers);
	unsigned int i;

	for (i = 0; i < POINTERS_PER_PAGE; i++)
		pointers[i] = hole_page;
	pages = vmalloc(array_size(HOLE_ARRAY_PAGES, sizeof(*pages)));
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < HOLE_ARRAY_PAGES; i++)
		pages[i] = hole_pointers;
	hole_array = vmap(pages, HOLE_ARRAY_PAGES, VM_MAP, PAGE_KERNEL_RO);
	vfree(pages);
	return hole_array ? 0 : -ENOMEM;
}

/**
 * gh_sparse_init() - get ready
 *
 * Return: 0 or -ENOMEM.
 */
int gh_sparse_init(void)
{
	hole_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	hole_pointers = alloc_page(GFP_KERNEL);
	if (hole_page && hole_pointers && !hole_array_init())
		return 0;
	gh_sparse_exit(false);
	return -ENOMEM;
}

/**
 * gh_sparse_exit() - end
 * @left: areas were left mapped, in which the hole page is
 */
void gh_sparse_exit(bool left)
{
	vunmap(hole_array);
	if (hole_pointers)
		__free_page(hole_pointers);
	if (hole_page && !left)
		__free_page(hole_page);
}
