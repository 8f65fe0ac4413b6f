// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheap: the Go runtime's memory allocator for the Linux kernel.
 *
 * Module init and exit, and parameters.
 */
#define pr_fmt(fmt) "goheap: " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "mm/heap.h"
#include "mm/malloc.h"
#include "mm/mcache.h"
#include "mm/reclaim.h"
#include "mm/stats.h"
#include "mm/user/charge.h"
#include "mm/user/epoch.h"
#include "mm/user/file.h"
#include "mm/user/name.h"
#include "mm/user/stats.h"

#define PERCPU_KB_MIN	16
#define PERCPU_KB_MAX	1048576UL
#define RETAIN_MAX	1000

/* ---- parameters --------------------------------------------------------- */

static int param_in_range(const char *val, const struct kernel_param *kp,
			  unsigned long min, unsigned long max,
			  unsigned long *out)
{
	int err = kstrtoul(val, 0, out);

	if (!err && *out >= min && *out <= max)
		return 0;
	pr_err("parameter %s must be from %lu to %lu\n", kp->name, min,
	       max);
	return err ?: -ERANGE;
}

/* What was asked for; the machine's memory may allow less. */
static unsigned long percpu_kb = 1024;

static int percpu_kb_set(const char *val, const struct kernel_param *kp)
{
	unsigned long kb;
	int err = param_in_range(val, kp, PERCPU_KB_MIN, PERCPU_KB_MAX, &kb);

	if (err)
		return err;
	percpu_kb = kb;
	gh_mcache_set_bound(kb << 10);
	return 0;
}

static int percpu_kb_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%lu\n", percpu_kb);
}

static const struct kernel_param_ops percpu_kb_ops = {
	.set = percpu_kb_set,
	.get = percpu_kb_get,
};
module_param_cb(percpu_kb, &percpu_kb_ops, NULL, 0644);
MODULE_PARM_DESC(percpu_kb, "KiB that a CPU may hold of size classes and large objects, and again of object caches, 16 to 1048576 (default 1024); all CPUs together hold at most 1/32 of memory");

static int retain_percent_set(const char *val, const struct kernel_param *kp)
{
	unsigned long percent;
	int err = param_in_range(val, kp, 0, RETAIN_MAX, &percent);

	if (!err)
		WRITE_ONCE(gh_retain_percent, percent);
	return err;
}

static int retain_percent_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%u\n", gh_retain_percent);
}

static const struct kernel_param_ops retain_percent_ops = {
	.set = retain_percent_set,
	.get = retain_percent_get,
};
module_param_cb(retain_percent, &retain_percent_ops, NULL, 0644);
MODULE_PARM_DESC(retain_percent, "Free memory kept over the recent peak in percent of it, 0 to 1000 (default 10)");

static char *vmem = "auto";
module_param(vmem, charp, 0444);
MODULE_PARM_DESC(vmem, "How arenas get memory: auto, sparse (page by page) or eager (whole arenas) (default auto)");

static int vmem_kind(enum gh_vmem_kind *kind)
{
	static const char * const names[] = {
		[GH_VMEM_AUTO] = "auto",
		[GH_VMEM_SPARSE] = "sparse",
		[GH_VMEM_EAGER] = "eager",
	};
	int i = match_string(names, ARRAY_SIZE(names), vmem);

	if (i < 0) {
		pr_err("parameter vmem must be auto, sparse or eager\n");
		return -EINVAL;
	}
	*kind = i;
	return 0;
}

static int user_mb_set(const char *val, const struct kernel_param *kp)
{
	unsigned long mb;
	int err = param_in_range(val, kp, 0, ULONG_MAX >> 20, &mb);

	if (!err)
		WRITE_ONCE(gh_user_max_pages,
			   mb ? mb << (20 - GH_PAGE_SHIFT) : ULONG_MAX);
	return err;
}

static int user_mb_get(char *buf, const struct kernel_param *kp)
{
	unsigned long max = READ_ONCE(gh_user_max_pages);

	return sysfs_emit(buf, "%lu\n",
			  max == ULONG_MAX ? 0 : max >> (20 - GH_PAGE_SHIFT));
}

static const struct kernel_param_ops user_mb_ops = {
	.set = user_mb_set,
	.get = user_mb_get,
};
module_param_cb(user_mb, &user_mb_ops, NULL, 0644);
MODULE_PARM_DESC(user_mb, "MiB that all heaps of /dev/goheap may hold, 0 for no bound (default half of the memory)");

/* ---- init and exit ------------------------------------------------------ */

static int __init heap_start(void)
{
	struct gh_heap *h = gh_heap_create("kernel");
	int err;

	if (!h)
		return -ENOMEM;
	gh_malloc_init(h);
	err = gh_stats_init();
	if (err)
		goto no_stats;
	gh_ustats_init(gh_stats_dir());
	gh_ucharge_init();
	err = gh_uepoch_setup();
	if (err)
		goto no_epochs;
	err = gh_ufile_init();
	if (err)
		goto no_device;
	err = gh_uname_init();
	if (err)
		goto no_names;
	return 0;

no_names:
	gh_ufile_exit();
no_device:
	gh_uepoch_teardown();
no_epochs:
	gh_stats_exit();
no_stats:
	gh_heap_destroy(h);
	return err;
}

static int __init goheap_init(void)
{
	enum gh_vmem_kind kind;
	int err;

	err = vmem_kind(&kind);
	if (err)
		return err;
	err = gh_vmem_init(kind);
	if (err)
		return err;

	err = gh_index_init();
	if (err)
		goto no_index;
	err = gh_mheap_init();
	if (err)
		goto no_mheap;
	err = gh_reclaim_init();
	if (err)
		goto no_reclaim;
	gh_mcache_set_bound(percpu_kb << 10);
	err = heap_start();
	if (err)
		goto no_heap;

	pr_info("%s arenas of 64 MiB, %u nodes\n",
		gh_vmem_is_sparse() ? "sparse" : "eager", gh_kheap->nr_nodes);
	return 0;

no_heap:
	gh_reclaim_exit();
no_reclaim:
	gh_mheap_exit();
no_mheap:
	gh_index_exit();
no_index:
	gh_vmem_exit(false);
	return err;
}
module_init(goheap_init);

static void __exit goheap_exit(void)
{
	unsigned long left;
	bool clean;

	gh_uname_exit();
	gh_ufile_exit();
	gh_uepoch_teardown();
	/* Callbacks of goheap_free_rcu() run code of this module. */
	rcu_barrier();
	gh_stats_exit();
	clean = gh_heap_destroy(gh_kheap);
	gh_reclaim_exit();
	gh_mheap_exit();
	gh_index_exit();
	left = gh_vmem_committed_bytes();
	if (!clean || left)
		pr_err("unload leak: objects were still allocated, %lu bytes are lost\n",
		       left);
	gh_vmem_exit(!clean);
}
module_exit(goheap_exit);

MODULE_DESCRIPTION("The Go runtime's memory allocator for the Linux kernel");
MODULE_AUTHOR("The goheap authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
