/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * map: windows of user heaps in processes: mmap() and page faults.
 */
#ifndef _GOHEAP_USER_MAP_H
#define _GOHEAP_USER_MAP_H

struct file;
struct vm_area_struct;

int gh_umap_mmap(struct file *file, struct vm_area_struct *vma);
int gh_umap_mmap_side(struct file *file, struct vm_area_struct *vma);

#endif /* _GOHEAP_USER_MAP_H */
