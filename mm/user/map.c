// SPDX-License-Identifier: GPL-2.0-only
/*
 * map: windows of user heaps in processes: mmap() and page faults.
 *
 * In VMAs of a heap's file, vma->vm_file->private_data is the view; in those of a
 * session's file, it is the session.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "../compat.h"
#include "../peek.h"
#include "map.h"
#include "object.h"
#include "owner.h"
#include "pages.h"
#include "side.h"
#include "span.h"

/* VMAs of the window by a view, for each session that it may have, and besides. */
#define SESSION_MAPS	4
#define OTHER_MAPS	64

/* Kernel pages that one fault maps, at most. */
#define FAULT_AROUND	16UL

static struct gh_uheap *heap_of(const struct vm_area_struct *vma)
{
	const struct gh_uview *view = vma->vm_file->private_data;

	return view->heap;
}

/* ---- faults ------------------------------------------------------------- */

/*
 * Map those of a range of pages that are in the span of the page that faulted. Not pages
 * of other spans: they may be of another process alone, and would then have to be unmapped from
 * this one when they are freed.
 */
static vm_fault_t map_in_span(struct vm_fault *vmf, unsigned long first,
			      unsigned long last)
{
	const struct gh_uheap *h = heap_of(vmf->vma);
	const struct gh_uspan *s;
	unsigned long start, end;

	rcu_read_lock();
	s = gh_uspan_of(h, (u64)vmf->pgoff << PAGE_SHIFT);
	start = s ? gh_peek(s->base) >> PAGE_SHIFT : 0;
	end = s ? start + gh_peek(s->npages) * GH_UPAGE_FRAMES : 0;
	/* A record that is freed says nothing: look again, afterwards. */
	smp_rmb();
	if (s != gh_uspan_of(h, (u64)vmf->pgoff << PAGE_SHIFT))
		end = 0;
	rcu_read_unlock();

	/* The span may have gone, and others may have come. */
	if (vmf->pgoff < start || vmf->pgoff >= end)
		return 0;
	return filemap_map_pages(vmf, max(first, start), min(last, end - 1));
}

/* The block that a page is in, as far as the VMA and the page table go. */
static vm_fault_t fault_around(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long at = pte_index(vmf->address) % FAULT_AROUND;
	unsigned long before = vmf->pgoff - vma->vm_pgoff;
	unsigned long after = vma_pages(vma) - 1 - before;

	BUILD_BUG_ON(PTRS_PER_PTE % FAULT_AROUND);
	return map_in_span(vmf, vmf->pgoff - min(at, before),
			   vmf->pgoff + min(FAULT_AROUND - 1 - at, after));
}

static vm_fault_t window_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = fault_around(vmf);

	if (ret)
		return ret;
	/* It is not there, or locked. */
	vmf->page = gh_upages_get_frame(heap_of(vmf->vma), vmf->pgoff);
	return vmf->page ? VM_FAULT_LOCKED : VM_FAULT_SIGBUS;
}

/* For a page that stays as long as the mapping. */
static vm_fault_t fault_on(struct vm_fault *vmf, struct page *page)
{
	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static vm_fault_t page_map_fault(struct vm_fault *vmf)
{
	unsigned long nr = vmf->pgoff - (GOHEAP_MMAP_MAP >> PAGE_SHIFT);

	return fault_on(vmf, gh_upages_map_frame(heap_of(vmf->vma), nr));
}

static vm_fault_t side_fault(struct vm_fault *vmf)
{
	struct gh_usession *ss = vmf->vma->vm_file->private_data;

	return fault_on(vmf, gh_uside_frame(ss, vmf->pgoff));
}

/*
 * Unmapping pages looks at every VMA that they may be in. So the VMAs of a view are
 * bounded: some for each of its sessions, and some for processes without one.
 */
static bool view_has_room(const struct gh_uview *view, int nmaps)
{
	return gh_uview_is_full(view) ||
	       nmaps <= SESSION_MAPS * (int)view->max_sessions + OTHER_MAPS;
}

/* Is it where no other process expects it? A VMA never changes that. */
static bool is_apart(const struct gh_uheap *h, const struct vm_area_struct *vma)
{
	return vma->vm_start - ((u64)vma->vm_pgoff << PAGE_SHIFT) != h->base;
}

static int window_map(struct gh_uview *view, const struct vm_area_struct *vma)
{
	if (view_has_room(view, atomic_inc_return(&view->nmaps))) {
		atomic_add(is_apart(view->heap, vma), &view->heap->apart);
		return 0;
	}
	atomic_dec(&view->nmaps);
	return -ENOMEM;
}

static void window_open(struct vm_area_struct *vma)
{
	struct gh_uview *view = vma->vm_file->private_data;

	atomic_inc(&view->nmaps);
	atomic_add(is_apart(view->heap, vma), &view->heap->apart);
}

static void window_close(struct vm_area_struct *vma)
{
	struct gh_uview *view = vma->vm_file->private_data;

	atomic_dec(&view->nmaps);
	atomic_sub(is_apart(view->heap, vma), &view->heap->apart);
}

static int window_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	struct gh_uview *view = vma->vm_file->private_data;
	int nmaps = atomic_read(&view->nmaps);

	return view_has_room(view, nmaps + 1) ? 0 : -ENOMEM;
}

/* The VMA has been copied; if it moves, the old one is unmapped afterwards. */
static int window_mremap(struct vm_area_struct *vma)
{
	struct gh_uview *view = vma->vm_file->private_data;
	int nmaps = atomic_read(&view->nmaps);

	return view_has_room(view, nmaps - 1) ? 0 : -ENOMEM;
}

static const struct vm_operations_struct window_ops = {
	.open = window_open,
	.close = window_close,
	.may_split = window_may_split,
	.mremap = window_mremap,
	.fault = window_fault,
	.map_pages = map_in_span,
};

static const struct vm_operations_struct page_map_ops = {
	.fault = page_map_fault,
};

static const struct vm_operations_struct side_ops = {
	.fault = side_fault,
};

/* ---- allocation by mmap() ----------------------------------------------- */

/* The heap's own session owns such spans, and the last munmap() frees them. */
static struct gh_uspan *mmap_span_make(struct gh_uheap *h, u64 len)
{
	struct gh_ushape shape = {
		.npages = DIV_ROUND_UP_ULL(len, GH_PAGE_SIZE),
		.align = 1,
		.mmap = true,
	};
	struct gh_uspan *s;
	u64 offset;

	/* The process's mmap_lock is held. */
	if (len > GOHEAP_MMAP_ALLOC_MAX)
		return ERR_PTR(-EINVAL);
	s = gh_uspan_make(&h->own, &shape);
	if (IS_ERR(s))
		return s;

	spin_lock(&h->own.lock);
	gh_uobj_take_large(&h->own, s, &offset);
	spin_unlock(&h->own.lock);
	return s;
}

static void mmap_span_free(struct gh_uheap *h, struct gh_uspan *s)
{
	spin_lock(&h->own.lock);
	gh_uobj_set_free(s, 0);
	gh_uowner_del(s);
	spin_unlock(&h->own.lock);
	gh_uspan_free(h, s);
}

static void mmap_span_open(struct vm_area_struct *vma)
{
	struct gh_uspan *s = vma->vm_private_data;

	atomic_inc(&s->nmaps);
}

static void mmap_span_close(struct vm_area_struct *vma)
{
	struct gh_uspan *s = vma->vm_private_data;

	if (atomic_dec_and_test(&s->nmaps))
		mmap_span_free(heap_of(vma), s);
}

static const struct vm_operations_struct mmap_span_ops = {
	.open = mmap_span_open,
	.close = mmap_span_close,
	.fault = window_fault,
	.map_pages = map_in_span,
};

static int map_new_span(struct gh_uview *view, struct vm_area_struct *vma)
{
	unsigned long len = vma->vm_end - vma->vm_start;
	struct gh_uspan *s;

	/* No session would have a bound for it. */
	if (!gh_uview_is_full(view))
		return -EPERM;
	if (!(vma->vm_flags & VM_MAYWRITE))
		return -EACCES;
	s = mmap_span_make(view->heap, len);
	if (IS_ERR(s))
		return PTR_ERR(s);

	/* The offset in the window, where other processes find it, too. */
	vma->vm_pgoff = s->base >> PAGE_SHIFT;
	vma->vm_private_data = s;
	vm_flags_set(vma, VM_DONTEXPAND);
	vma->vm_ops = &mmap_span_ops;
	mmap_span_open(vma);
	return 0;
}

/* ---- mmap() ------------------------------------------------------------- */

static int map_page_map(struct vm_area_struct *vma, u64 offset, u64 len)
{
	u64 end = (u64)GH_UARENAS * GH_UMAP_FRAMES << PAGE_SHIFT;

	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	if (offset > end || len > end - offset)
		return -EINVAL;
	vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_DONTEXPAND);
	vma->vm_ops = &page_map_ops;
	return 0;
}

/**
 * gh_umap_mmap() - mmap() of a heap's file
 * @file: the file
 * @vma: the new mapping
 *
 * Context: process context, may sleep; the process's mmap_lock is held.
 * Return: 0; -EINVAL if it is private, not within the window, or too long, -EPERM if it is
 * executable, a writable one of the page map, or if the view may not allocate by
 * mmap(); -ENOMEM if it has too many mappings; or an error of the allocation.
 */
int gh_umap_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct gh_uview *view = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 len = vma->vm_end - vma->vm_start;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYEXEC);
	/* Unless the program asks for it: the window is long. */
	vm_flags_set(vma, VM_DONTDUMP);

	if (offset == GOHEAP_MMAP_ALLOC)
		return map_new_span(view, vma);
	if (offset >= GOHEAP_MMAP_MAP)
		return map_page_map(vma, offset - GOHEAP_MMAP_MAP, len);
	if (offset >= GH_UWINDOW || len > GH_UWINDOW - offset)
		return -EINVAL;
	vma->vm_ops = &window_ops;
	return window_map(view, vma);
}

/**
 * gh_umap_mmap_side() - mmap() of a session's file
 * @file: the file
 * @vma: the new mapping
 *
 * Children do not inherit it: what they would enter there, the parent would free.
 *
 * Context: process context, may sleep; the process's mmap_lock is held.
 * Return: 0; -EINVAL if it is private or not within what is shared, -EPERM if it is
 * executable, or the session another process's; -EOWNERDEAD if that has ended.
 */
int gh_umap_mmap_side(struct file *file, struct vm_area_struct *vma)
{
	struct gh_usession *ss = file->private_data;
	unsigned long n = vma_pages(vma);

	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff >= GH_USIDE_FRAMES ||
	    n > GH_USIDE_FRAMES - vma->vm_pgoff)
		return -EINVAL;
	/* After its end, @files may be the table of another process. */
	if (READ_ONCE(ss->dead))
		return -EOWNERDEAD;
	if (vma->vm_flags & VM_EXEC || ss->files != current->files)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY);
	vma->vm_ops = &side_ops;
	return 0;
}
