// SPDX-License-Identifier: GPL-2.0-only
/*
 * umap: windows of user heaps in processes: mmap() and page faults.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "../compat.h"
#include "file.h"
#include "heap.h"
#include "object.h"
#include "pages.h"
#include "span.h"

/* Kernel pages that one fault maps, at most. */
#define FAULT_AROUND	16

/* ---- faults ------------------------------------------------------------- */

/*
 * Map the neighbours too, as far as the VMA and this page table go. Not those of other
 * spans: they may be another process's alone, and would have to be taken from this
 * one when they are freed.
 */
static void fault_around(struct gh_uheap *h, struct vm_area_struct *vma,
			 unsigned long addr, unsigned long nr)
{
	const struct gh_uspan *s = gh_uspan_of(h, (u64)nr << PAGE_SHIFT);
	unsigned int i;

	if (!s)
		return;
	for (i = 1; i < FAULT_AROUND && (nr + i) % FAULT_AROUND; i++) {
		struct page *page = gh_upages_frame(h, nr + i);

		addr += PAGE_SIZE;
		if (gh_uspan_of(h, (u64)(nr + i) << PAGE_SHIFT) != s)
			break;
		if (!page || addr >= vma->vm_end || IS_ALIGNED(addr, PMD_SIZE) ||
		    vm_insert_page(vma, addr, page))
			break;
	}
}

/*
 * Memory for a page table can be long in coming. Nobody should wait for it who
 * takes pages out of the heap: see that it is there before the lock is taken.
 */
static int fault_prepare(struct gh_uheap *h, struct vm_fault *vmf)
{
	if (!pmd_none(*vmf->pmd) || !gh_upages_frame(h, vmf->pgoff))
		return 0;
	return apply_to_page_range(vmf->vma->vm_mm, vmf->address & PAGE_MASK,
				   PAGE_SIZE, NULL, NULL);
}

static vm_fault_t window_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct gh_uheap *h = gh_uheap_of_file(vma->vm_file);
	struct address_space *mapping = h->inode->i_mapping;
	unsigned long addr = vmf->address & PAGE_MASK;
	struct page *page;
	int err = -EFAULT;

	if (fault_prepare(h, vmf))
		return VM_FAULT_OOM;
	filemap_invalidate_lock_shared(mapping);
	page = gh_upages_frame(h, vmf->pgoff);
	if (page) {
		err = vm_insert_page(vma, addr, page);
		if (!err)
			fault_around(h, vma, addr, vmf->pgoff);
	}
	filemap_invalidate_unlock_shared(mapping);
	if (!err || err == -EBUSY)
		return VM_FAULT_NOPAGE;
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

static vm_fault_t map_fault(struct vm_fault *vmf)
{
	struct gh_uheap *h = gh_uheap_of_file(vmf->vma->vm_file);
	unsigned long nr = vmf->pgoff - (GOHEAP_MMAP_MAP >> PAGE_SHIFT);
	struct page *page = gh_upages_map_frame(h, nr);
	int err;

	if (!page)
		return VM_FAULT_SIGBUS;
	err = vm_insert_page(vmf->vma, vmf->address & PAGE_MASK, page);
	if (!err || err == -EBUSY)
		return VM_FAULT_NOPAGE;
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/* ---- allocation by mmap() ----------------------------------------------- */

static void span_open(struct vm_area_struct *vma)
{
	struct gh_uspan *s = vma->vm_private_data;

	atomic_inc(&s->nmaps);
}

static void span_close(struct vm_area_struct *vma)
{
	struct gh_uspan *s = vma->vm_private_data;

	if (atomic_dec_and_test(&s->nmaps))
		gh_umapping_free(gh_uheap_of_file(vma->vm_file), s);
}

static const struct vm_operations_struct window_ops = {
	.fault = window_fault,
};

static const struct vm_operations_struct map_ops = {
	.fault = map_fault,
};

static const struct vm_operations_struct span_ops = {
	.open = span_open,
	.close = span_close,
	.fault = window_fault,
};

static int map_new_span(struct gh_uheap *h, struct vm_area_struct *vma)
{
	unsigned long len = vma->vm_end - vma->vm_start;
	struct gh_uspan *s;

	if (!(vma->vm_flags & VM_MAYWRITE))
		return -EACCES;
	s = gh_umapping_alloc(h, len);
	if (IS_ERR(s))
		return PTR_ERR(s);
	/* The window's own offset: then what others map there is the same. */
	vma->vm_pgoff = s->base >> PAGE_SHIFT;
	vma->vm_private_data = s;
	vma->vm_ops = &span_ops;
	span_open(vma);
	return 0;
}

static int map_page_map(struct vm_area_struct *vma, u64 offset, u64 len)
{
	u64 end = (u64)GH_UARENAS * GH_UMAP_FRAMES << PAGE_SHIFT;

	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	if (offset > end || len > end - offset)
		return -EINVAL;
	vm_flags_clear(vma, VM_MAYWRITE);
	vma->vm_ops = &map_ops;
	return 0;
}

/**
 * gh_uheap_mmap() - mmap() of a heap's file
 * @file: the file
 * @vma: the new mapping
 *
 * Return: 0; -EINVAL if it is private or not within the window, -EPERM if it is
 * executable, or a writable one of the page map; or what the allocation returns.
 */
int gh_uheap_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct gh_uheap *h = gh_uheap_of_file(file);
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 len = vma->vm_end - vma->vm_start;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP);
	if (offset == GOHEAP_MMAP_ALLOC)
		return map_new_span(h, vma);
	if (offset >= GOHEAP_MMAP_MAP)
		return map_page_map(vma, offset - GOHEAP_MMAP_MAP, len);
	if (offset >= GH_UWINDOW || len > GH_UWINDOW - offset)
		return -EINVAL;
	vma->vm_ops = &window_ops;
	return 0;
}
