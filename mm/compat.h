/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat: differences between the kernels that goheap supports (6.1 to 7.2).
 *
 * This is the only file that may look at the kernel's version. Where an
 * interface was backported, the feature itself is probed instead.
 */
#ifndef _GOHEAP_COMPAT_H
#define _GOHEAP_COMPAT_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/blkdev.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/kconfig.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/shrinker.h>
#include <linux/version.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

/* Symbol name spaces are tokens up to 6.12 and strings from 6.13 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define GH_TEST_NS "GOHEAP_TEST"
#else
#define GH_TEST_NS GOHEAP_TEST
#endif

/*
 * GH_EXPORT_FOR_TESTS() - make an internal function visible to the KUnit
 * suites and to the stress module, which are modules of their own. In a
 * plain build nothing internal is exported.
 */
#ifdef GOHEAP_TESTS
#define GH_EXPORT_FOR_TESTS(sym) EXPORT_SYMBOL_NS_GPL(sym, GH_TEST_NS)
#else
#define GH_EXPORT_FOR_TESTS(sym)
#endif
/* sparse forgets that a variable is per-CPU once it is exported. */
#ifdef __CHECKER__
#define GH_EXPORT_PER_CPU_FOR_TESTS(sym)
#else
#define GH_EXPORT_PER_CPU_FOR_TESTS(sym) GH_EXPORT_FOR_TESTS(sym)
#endif
#define GH_IMPORT_TEST_SYMBOLS() MODULE_IMPORT_NS(GH_TEST_NS)

/* Work queues say whether they are bound to CPUs from 6.17 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define GH_WQ_PERCPU WQ_PERCPU
#else
#define GH_WQ_PERCPU 0
#endif

/* KUnit's parameter generators were given the test from 6.18 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define GH_KUNIT_GEN_ARGS struct kunit *test, const void *prev, char *desc
#else
#define GH_KUNIT_GEN_ARGS const void *prev, char *desc
#endif

/*
 * The locks of the page allocator sleep on PREEMPT_RT, so there are no pages where one
 * must not. On other kernels GFP_ATOMIC is enough.
 */
static inline bool gh_pages_cannot_be_had(void)
{
	return IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible();
}

/*
 * Not every architecture exchanges single bytes, or does on every kernel; riscv64 of
 * 6.1 does not. Where it is not certain, the word around the byte is exchanged.
 * User-mode Linux could do it, and is where the tests see the other way. Returns whether
 * it was @old.
 */
static __always_inline bool gh_try_cmpxchg_byte(u8 *p, u8 old, u8 new)
{
#if (defined(CONFIG_X86_64) && !defined(CONFIG_UML)) || defined(CONFIG_ARM64)
	return try_cmpxchg(p, &old, new);
#else
	unsigned int at = (unsigned long)p % sizeof(u32), shift;
	u32 *word = (u32 *)(p - at), was = READ_ONCE(*word), next;

	shift = BITS_PER_BYTE * (IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) ? 3 - at : at);
	do {
		if ((u8)(was >> shift) != old)
			return false;
		next = (was & ~(0xffU << shift)) | (u32)new << shift;
	} while (!try_cmpxchg(word, &was, next));
	return true;
#endif
}

/*
 * 7.2 counts pages of the vmalloc range by node, and /proc/meminfo shows their sum as
 * VmallocUsed. On 6.1 that counter is one that modules cannot reach.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#define GH_NR_VMALLOC NR_VMALLOC
#endif

static inline void gh_count_vmalloc(int nid, long npages)
{
#ifdef GH_NR_VMALLOC
	mod_node_page_state(NODE_DATA(nid), GH_NR_VMALLOC, npages);
#endif
}

/* alloc_pages_bulk_array*() lost its suffix in 6.14. */
static inline unsigned long gh_alloc_pages_bulk(gfp_t gfp, int nid,
						unsigned long n,
						struct page **pages)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
	return alloc_pages_bulk_node(gfp, nid, n, pages);
#else
	return alloc_pages_bulk_array_node(gfp, nid, n, pages);
#endif
}

/* hrtimer_setup() replaced hrtimer_init() and an assignment in 6.13. */
static inline void
gh_hrtimer_setup(struct hrtimer *timer,
		 enum hrtimer_restart (*function)(struct hrtimer *timer),
		 enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, mode);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, mode);
	timer->function = function;
#endif
}

/* Shrinkers are allocated, not embedded, from 6.7 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *
gh_shrinker_register(const char *name,
		     unsigned long (*count)(struct shrinker *s,
					    struct shrink_control *sc),
		     unsigned long (*scan)(struct shrinker *s,
					   struct shrink_control *sc),
		     long batch)
{
	struct shrinker *s = shrinker_alloc(SHRINKER_NUMA_AWARE, "%s", name);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->batch = batch;
	/* Idle memory costs nothing to get again: take half of it at once. */
	s->seeks = 0;
	shrinker_register(s);
	return s;
}

static inline void gh_shrinker_unregister(struct shrinker *s)
{
	shrinker_free(s);
}
#else
static inline struct shrinker *
gh_shrinker_register(const char *name,
		     unsigned long (*count)(struct shrinker *s,
					    struct shrink_control *sc),
		     unsigned long (*scan)(struct shrinker *s,
					   struct shrink_control *sc),
		     long batch)
{
	static struct shrinker shrinker;

	shrinker.count_objects = count;
	shrinker.scan_objects = scan;
	shrinker.batch = batch;
	shrinker.seeks = 0;
	shrinker.flags = SHRINKER_NUMA_AWARE;
	return register_shrinker(&shrinker, "%s", name) ? NULL : &shrinker;
}

static inline void gh_shrinker_unregister(struct shrinker *s)
{
	unregister_shrinker(s);
}
#endif

/* A VMA's flags are changed through functions from 6.3 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
/* They are in linux/mm.h. */
#else
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* Owners of files are mapped by a type of its own from 6.3 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define GH_IDMAP	struct mnt_idmap
#define gh_nop_idmap	(&nop_mnt_idmap)
#else
#define GH_IDMAP	struct user_namespace
#define gh_nop_idmap	(&init_user_ns)
#endif

/* mkdir() of a directory returns a dentry from 6.15 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define GH_MKDIR_RESULT	struct dentry *
#define gh_mkdir_result(err)	ERR_PTR(err)
#else
#define GH_MKDIR_RESULT	int
#define gh_mkdir_result(err)	(err)
#endif

/* An inode's times are read and written through functions from 6.7 on. */
static inline void gh_inode_init_times(struct inode *inode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	simple_inode_init_ts(inode);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	inode->i_mtime = inode_set_ctime_current(inode);
	inode->i_atime = inode->i_mtime;
#else
	inode->i_ctime = current_time(inode);
	inode->i_atime = inode->i_ctime;
	inode->i_mtime = inode->i_ctime;
#endif
}

/* What is in a directory has changed. */
static inline void gh_inode_touch(struct inode *dir)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	dir->i_mtime = inode_set_ctime_current(dir);
#else
	dir->i_ctime = current_time(dir);
	dir->i_mtime = dir->i_ctime;
#endif
}

/* Entries that stay without being in use are marked as such from 6.19 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define gh_d_make_persistent	d_make_persistent
#define gh_kill_persistent_super	kill_anon_super
#else
static inline void gh_d_make_persistent(struct dentry *dentry,
					struct inode *inode)
{
	d_instantiate(dentry, inode);
	dget(dentry);
}

#define gh_kill_persistent_super	kill_litter_super
#endif

/* A disk's limits are given when it is allocated from 6.9 on. */
#ifdef CONFIG_BLOCK
static inline struct gendisk *gh_blk_alloc_disk(unsigned int block_size)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	struct queue_limits lim = { .logical_block_size = block_size };
	struct gendisk *disk = blk_alloc_disk(&lim, NUMA_NO_NODE);

	return IS_ERR(disk) ? NULL : disk;
#else
	struct gendisk *disk = blk_alloc_disk(NUMA_NO_NODE);

	if (disk)
		blk_queue_logical_block_size(disk->queue, block_size);
	return disk;
#endif
}
#endif

#endif /* _GOHEAP_COMPAT_H */
