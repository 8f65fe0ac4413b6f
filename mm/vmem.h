/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmem: address space for arenas, and the physical pages behind it.
 */
#ifndef _GOHEAP_VMEM_H
#define _GOHEAP_VMEM_H

#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/types.h>

#include "backend.h"

/**
 * enum gh_vmem_kind - the two back-ends
 * @GH_VMEM_AUTO: sparse where it can work, else eager
 * @GH_VMEM_SPARSE: pages are committed and decommitted run by run (x86-64)
 * @GH_VMEM_EAGER: all pages of an arena are there from the start
 */
enum gh_vmem_kind {
	GH_VMEM_AUTO,
	GH_VMEM_SPARSE,
	GH_VMEM_EAGER,
};

/**
 * struct gh_vmem_map - memory with a mapping of its own, in either back-end
 * @vm: what vmap() returned
 * @base: first address, a multiple of GH_PAGE_SIZE
 * @npages: PAGE_SIZE pages from @base on
 * @pages: these, though not in the order of their addresses
 */
struct gh_vmem_map {
	void *vm;
	unsigned long base;
	unsigned long npages;
	struct page **pages;
};

int gh_vmem_init(enum gh_vmem_kind kind);
void gh_vmem_exit(bool left);
bool gh_vmem_is_sparse(void);
bool gh_vmem_space_is_cheap(void);

int gh_vmem_reserve(struct gh_vmem_area *area, unsigned int narenas, int nid);
void gh_vmem_release(struct gh_vmem_area *area);
bool gh_vmem_intact(const struct gh_vmem_area *area);

int gh_vmem_commit(unsigned long addr, unsigned long nbytes, gfp_t gfp,
		   int nid);
bool gh_vmem_committed(unsigned long addr, unsigned long nbytes);
struct page *gh_vmem_hide(unsigned long addr);
void gh_vmem_show(unsigned long addr, struct page *memory);
void gh_vmem_decommit(struct gh_vmem_batch *batch, unsigned long addr,
		      unsigned long nbytes);
unsigned long gh_vmem_batch_free(struct gh_vmem_batch *batch);

void *gh_vmem_zalloc(size_t size);
int gh_vmem_map(struct gh_vmem_map *m, unsigned long npages, gfp_t gfp,
		int nid);
void *gh_vmem_map_elsewhere(struct gh_vmem_map *m);
void gh_vmem_unmap_others(void **vm, unsigned int n);
bool gh_vmem_map_intact(const struct gh_vmem_map *m);
bool gh_vmem_unmap(struct gh_vmem_map *m);

unsigned long gh_vmem_committed_bytes(void);
unsigned long gh_vmem_table_bytes(void);

#endif /* _GOHEAP_VMEM_H */
