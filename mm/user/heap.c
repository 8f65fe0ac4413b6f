// SPDX-License-Identifier: GPL-2.0-only
/*
 * heap: heaps of processes, from the first open file to the last reference.
 */
#include <linux/cred.h>
#include <linux/fs_context.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pid.h>
#include <linux/pseudo_fs.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "../fault.h"
#include "charge.h"
#include "epoch.h"
#include "heap.h"
#include "pages.h"
#include "span.h"
#include "type.h"

/* Heap pages that a heap counts as: its record, its inode and its file. */
#define HEAP_COST	DIV_ROUND_UP(SZ_32K, GH_PAGE_SIZE)
static_assert(sizeof(struct gh_uheap) + SZ_2K <= SZ_32K);

/* The suggested address of a heap's window is one of these TiB, at random. */
#define UBASE_FIRST	16
#define UBASE_NR	32

LIST_HEAD(gh_uheaps);
DEFINE_MUTEX(gh_uheaps_lock);	/* protects gh_uheaps and last_id */

static u32 last_id;

/* ---- inodes ------------------------------------------------------------- */

static int ufs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, GOHEAP_FS_MAGIC) ? 0 : -ENOMEM;
}

/* No one mounts this file system: it only gives heaps their inodes. See name.c. */
static struct file_system_type ufs_type = {
	.name = "goheap_window",
	.owner = THIS_MODULE,
	.init_fs_context = ufs_init_context,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *ufs_mnt;
static int ufs_count;

static struct inode *ufs_get_inode(void)
{
	struct inode *inode;
	int err = simple_pin_fs(&ufs_type, &ufs_mnt, &ufs_count);

	if (err)
		return ERR_PTR(err);
	inode = gh_fault(GH_FAULT_USER) ? ERR_PTR(-ENOMEM) :
					  alloc_anon_inode(ufs_mnt->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&ufs_mnt, &ufs_count);
	else
		i_size_write(inode, GH_UWINDOW);
	return inode;
}

static void ufs_put_inode(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&ufs_mnt, &ufs_count);
}

/* ---- the life of a heap ------------------------------------------------- */

/**
 * gh_uheap_init_session() - make a session ready for use
 * @h: its heap
 * @ss: the session, zeroed
 * @view: the descriptor that it is attached through
 * @limit: bound on its heap pages, ULONG_MAX for none
 *
 * It is here, not in session.c, because a heap has a session of its own.
 *
 * Context: any.
 */
void gh_uheap_init_session(struct gh_uheap *h, struct gh_usession *ss,
			   struct gh_uview *view, unsigned long limit)
{
	unsigned int i;

	ss->heap = h;
	ss->view = view;
	ss->limit = limit;
	spin_lock_init(&ss->lock);
	mutex_init(&ss->resize);
	INIT_LIST_HEAD(&ss->list);
	INIT_LIST_HEAD(&ss->spans);
	xa_init_flags(&ss->bins, XA_FLAGS_ACCOUNT);
	for (i = 0; i < GH_NUM_CLASSES; i++)
		INIT_LIST_HEAD(&ss->partial[i]);
}

static void heap_init(struct gh_uheap *h)
{
	kref_init(&h->ref);
	mutex_init(&h->lock);
	INIT_LIST_HEAD(&h->sessions);
	hash_init(h->pins);
	init_waitqueue_head(&h->wait);
	h->limit = ULONG_MAX;
	h->creator = current_fsuid();
	h->base = (UBASE_FIRST + (u64)get_random_u32() % UBASE_NR) << 40;
	xa_init_flags(&h->ids, XA_FLAGS_ALLOC1);
	h->all.heap = h;
	h->all.files = 1;
	h->all.limit = ULONG_MAX;
	h->all.max_sessions = GH_USESSIONS;
	gh_uheap_init_session(h, &h->own, &h->all, ULONG_MAX);
	gh_uspan_init_records(h);
	gh_utype_init(h);
	gh_uepoch_init(h);
}

static void heap_publish(struct gh_uheap *h)
{
	mutex_lock(&gh_uheaps_lock);
	h->id = ++last_id;
	list_add_tail(&h->list, &gh_uheaps);
	mutex_unlock(&gh_uheaps_lock);
}

static void heap_free_record(struct gh_uheap *h)
{
	gh_upages_destroy(h);
	gh_ucharge_sub(h->payer, HEAP_COST);
	put_cred(h->payer);
	vfree(h);
}

/**
 * gh_uheap_create() - make a heap
 *
 * Context: process context, may sleep.
 * Return: the heap, with one reference, or an error as a pointer.
 */
struct gh_uheap *gh_uheap_create(void)
{
	struct gh_uheap *h = NULL;
	int err;

	if (!gh_ucharge_add(current_cred(), HEAP_COST))
		return ERR_PTR(-ENOMEM);
	if (!gh_fault(GH_FAULT_USER))
		h = __vmalloc(sizeof(*h), GH_UMETA_GFP | __GFP_ZERO);
	if (!h) {
		gh_ucharge_sub(current_cred(), HEAP_COST);
		return ERR_PTR(-ENOMEM);
	}
	h->payer = get_current_cred();
	gh_upages_init(h);
	h->inode = ufs_get_inode();
	if (IS_ERR(h->inode)) {
		err = PTR_ERR(h->inode);
		heap_free_record(h);
		return ERR_PTR(err);
	}

	heap_init(h);
	heap_publish(h);
	return h;
}

/* Free the objects that were given to the heap and that no session freed. */
static void heap_release_all(struct gh_uheap *h)
{
	struct gh_uspan *s;

	gh_uheap_lock(h);
	list_for_each_entry(s, &h->own.spans, list)
		gh_uspan_withdraw(h, s);
	mutex_unlock(&h->lock);
	gh_uspan_release(h, &h->own.spans);
}

static void heap_free(struct kref *ref)
{
	struct gh_uheap *h = container_of(ref, struct gh_uheap, ref);
	unsigned long left;
	unsigned int i;

	mutex_lock(&gh_uheaps_lock);
	list_del(&h->list);
	mutex_unlock(&gh_uheaps_lock);

	/* No one else can reach the heap now: this was the last reference. */
	gh_uepoch_destroy(h);
	heap_release_all(h);
	gh_utype_destroy(h);
	left = gh_uspan_destroy_records(h);
	WARN_ONCE(left || h->npages,
		  "goheap: user heap freed while %lu pages are in spans\n",
		  h->npages);
	WARN_ONCE(!xa_empty(&h->ids),
		  "goheap: user heap freed while sessions have numbers\n");
	for (i = 0; i < GH_UDEATHS; i++)
		put_pid(h->death[i].tgid);
	ufs_put_inode(h->inode);
	heap_free_record(h);
}

/**
 * gh_uheap_put() - drop a reference
 * @h: the heap; NULL is ignored
 *
 * Context: process context, may sleep.
 */
void gh_uheap_put(struct gh_uheap *h)
{
	if (h)
		kref_put(&h->ref, heap_free);
}
