/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sparse: arenas whose pages come and go one by one (x86-64).
 */
#ifndef _GOHEAP_SPARSE_H
#define _GOHEAP_SPARSE_H

#include "backend.h"

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)

int gh_sparse_init(void);
void gh_sparse_exit(bool left);
bool gh_sparse_possible(void);
int gh_sparse_reserve(struct gh_vmem_area *area);
bool gh_sparse_intact(const struct gh_vmem_area *area);
int gh_sparse_commit(unsigned long addr, unsigned long nbytes, gfp_t gfp,
		     int nid, unsigned long *npages);
bool gh_sparse_committed(unsigned long addr, unsigned long nbytes);
void gh_sparse_decommit(struct gh_vmem_batch *batch, unsigned long addr,
			unsigned long nbytes);
struct page *gh_sparse_hide(unsigned long addr);
void gh_sparse_show(unsigned long addr, struct page *first);
void gh_sparse_unmap(unsigned long addr);
void gh_sparse_flush(void);

#else

static inline int gh_sparse_init(void)
{
	return 0;
}

static inline void gh_sparse_exit(bool left)
{
}

static inline bool gh_sparse_possible(void)
{
	return false;
}

static inline int gh_sparse_reserve(struct gh_vmem_area *area)
{
	return -ENOMEM;
}

static inline bool gh_sparse_intact(const struct gh_vmem_area *area)
{
	return true;
}

static inline int gh_sparse_commit(unsigned long addr, unsigned long nbytes,
				   gfp_t gfp, int nid, unsigned long *npages)
{
	return 0;
}

static inline bool gh_sparse_committed(unsigned long addr, unsigned long nbytes)
{
	return true;
}

static inline void gh_sparse_decommit(struct gh_vmem_batch *batch,
				      unsigned long addr, unsigned long nbytes)
{
}

static inline struct page *gh_sparse_hide(unsigned long addr)
{
	return NULL;
}

static inline void gh_sparse_show(unsigned long addr, struct page *first)
{
}

static inline void gh_sparse_unmap(unsigned long addr)
{
}

static inline void gh_sparse_flush(void)
{
}

#endif

#endif /* _GOHEAP_SPARSE_H */
