// SPDX-License-Identifier: GPL-2.0-only
/*
 * uheap: heaps of processes, and their spans.
 *
 * Memory is there from the moment that a span is made to the moment that it is
 * released, never before or after: running out is an error of the call that
 * allocates, and what is not allocated cannot be touched. Pages come zeroed from
 * the system and go back to it, so nothing of one user's reaches another.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/random.h>
#include <linux/vmalloc.h>

#include "../compat.h"
#include "../fault.h"
#include "session.h"
#include "../span.h"
#include "heap.h"

/* Windows are suggested in these TiB of the address space, one a heap. */
#define UBASE_FIRST	16
#define UBASE_NR	32

LIST_HEAD(gh_uheaps);
DEFINE_MUTEX(gh_uheaps_lock);	/* protects gh_uheaps */

static u32 uheap_next_id;

/* ---- records of spans --------------------------------------------------- */

static size_t umeta_bytes(unsigned int nelems)
{
	return sizeof(u64) * DIV_ROUND_UP(nelems, 64) + nelems;
}

static void uspan_put_record(struct gh_uheap *h, struct gh_uspan *s)
{
	if (s->nelems > 1)
		gh_fixalloc_free(&h->meta[gh_meta_index(s->nelems)], s->free);
	free_uid(s->user);
	gh_fixalloc_free(&h->span_recs, s);
}

/* Make all objects free; of a large span, the one. */
static void uspan_cut(struct gh_uspan *s, const struct gh_ushape *shape,
		      u64 *meta)
{
	unsigned int words = DIV_ROUND_UP(s->nelems, 64);
	unsigned int i;

	s->free = meta ?: &s->one_free;
	s->state = meta ? (u8 *)(meta + words) : &s->one_state;
	for (i = 0; i < words; i++)
		s->free[i] = ~0ULL;
	if (s->nelems % 64)
		s->free[words - 1] = BIT_ULL(s->nelems % 64) - 1;
	memset(s->state, GH_UOBJ_FREE, s->nelems);
	s->class = shape->class;
	s->mmap = shape->mmap;
	s->npages = shape->npages;
	s->elemsize = s->class ? gh_class_size[s->class] :
				 shape->npages << GH_PAGE_SHIFT;
	gh_divisor_init(&s->div, s->elemsize);
	s->nfree = s->nelems;
	s->ngiven = 0;
	s->npins = 0;
	s->partial = false;
	atomic_set(&s->nmaps, 0);
}

static struct gh_uspan *uspan_record(struct gh_uheap *h,
				     const struct gh_ushape *shape)
{
	unsigned int nelems = shape->class ? gh_class_nelems[shape->class] : 1;
	struct gh_uspan *s = gh_fixalloc_alloc(&h->span_recs, GH_UMETA_GFP);
	u64 *meta = NULL;

	if (!s)
		return NULL;
	if (nelems > 1) {
		meta = gh_fixalloc_alloc(&h->meta[gh_meta_index(nelems)],
					 GH_UMETA_GFP);
		if (!meta) {
			gh_fixalloc_free(&h->span_recs, s);
			return NULL;
		}
	}
	s->nelems = nelems;
	uspan_cut(s, shape, meta);
	s->user = get_uid(current_user());
	return s;
}

/* ---- tables ------------------------------------------------------------- */

static u64 umap_entry(const struct gh_uspan *s, unsigned long i)
{
	u64 e = GOHEAP_PAGE_USED | (u64)s->class << 32 | s->owner->id;

	if (s->mmap)
		e |= GOHEAP_PAGE_MMAP;
	if (READ_ONCE(s->ngiven))
		e |= GOHEAP_PAGE_GIVEN;
	return e | min_t(u64, i, GOHEAP_PAGE_INDEX_MAX) << 42;
}

static void umap_set(struct gh_uheap *h, unsigned long page, u64 entry)
{
	struct gh_uarena *arena = h->arena[page / GH_ARENA_PAGES];
	unsigned long i = page % GH_ARENA_PAGES;
	u64 *map = page_address(arena->map[i / GH_UMAP_PER_FRAME]);

	WRITE_ONCE(map[i % GH_UMAP_PER_FRAME], entry);
}

/**
 * gh_uspan_show() - enter a span in the page map
 * @s: the span
 *
 * Of a large object only the first page, which is where those look who free it.
 *
 * Context: the owner's lock is held.
 */
void gh_uspan_show(struct gh_uspan *s)
{
	unsigned long page = s->base >> GH_PAGE_SHIFT;
	unsigned long i, n = s->class ? s->npages : 1;

	for (i = 0; i < n; i++)
		umap_set(s->owner->heap, page + i, umap_entry(s, i));
}

/**
 * gh_uspan_show_rest() - enter the other pages of a large object in the page map
 * @s: its span
 *
 * Context: the heap's lock is held, and no spinlock.
 */
void gh_uspan_show_rest(struct gh_uspan *s)
{
	unsigned long page = s->base >> GH_PAGE_SHIFT;
	unsigned long i;

	for (i = 1; !s->class && i < s->npages; i++) {
		umap_set(s->owner->heap, page + i,
			 umap_entry(s, i) & ~GOHEAP_PAGE_GIVEN);
		cond_resched();
	}
}

static void uspan_set_table(struct gh_uheap *h, unsigned long page,
			    unsigned long npages, struct gh_uspan *entry)
{
	for (; npages--; page++) {
		struct gh_uarena *arena = h->arena[page / GH_ARENA_PAGES];

		/* Pairs with the acquire in gh_uspan_of(). */
		smp_store_release(&arena->span[page % GH_ARENA_PAGES], entry);
		if (!entry)
			umap_set(h, page, 0);
		cond_resched();
	}
}

/* ---- spans -------------------------------------------------------------- */

static int uspan_reserve(struct gh_uspan *s, struct gh_usession *owner,
			 const struct gh_ushape *shape)
{
	struct gh_uheap *h = owner->heap;
	unsigned long page;
	int err;

	mutex_lock(&h->lock);
	err = gh_uheap_charge(owner, s->user, shape->npages);
	if (err)
		goto out;
	err = gh_uheap_take(h, shape, &page);
	if (err) {
		owner->npages -= shape->npages;
		gh_uheap_uncharge(h, s->user, shape->npages);
		goto out;
	}
	s->base = (u64)page << GH_PAGE_SHIFT;
out:
	mutex_unlock(&h->lock);
	return err;
}

/* Give back what uspan_reserve() took. */
static void uspan_unreserve(struct gh_uheap *h, struct gh_uspan *s)
{
	gh_pagealloc_free_scav(&h->pa, s->base >> GH_PAGE_SHIFT, s->npages,
			       true);
	gh_uheap_uncharge(h, s->user, s->npages);
}

/**
 * gh_uspan_make() - make a new span
 * @owner: whose it will be
 * @shape: what it should be
 *
 * All its objects are free; it is in no list of its owner.
 *
 * Context: process context, may sleep.
 * Return: the span, or -ENOMEM, -EDQUOT or -EINTR as a pointer.
 */
struct gh_uspan *gh_uspan_make(struct gh_usession *owner,
			       const struct gh_ushape *shape)
{
	struct gh_uheap *h = owner->heap;
	struct gh_uspan *s = uspan_record(h, shape);
	LIST_HEAD(frames);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&s->list);
	INIT_LIST_HEAD(&s->plist);
	err = uspan_reserve(s, owner, shape);
	if (err)
		goto fail;
	err = gh_uframes_alloc(&frames, s->npages * GH_UPAGE_FRAMES);
	if (err)
		goto no_frames;
	gh_uframes_install(h, &frames, s->base >> PAGE_SHIFT);
	mutex_lock(&h->lock);
	h->nspans++;
	uspan_set_table(h, s->base >> GH_PAGE_SHIFT, s->npages, s);
	spin_lock(&owner->lock);
	WRITE_ONCE(s->owner, owner);
	gh_uspan_show(s);
	spin_unlock(&owner->lock);
	gh_uspan_show_rest(s);
	mutex_unlock(&h->lock);
	return s;

no_frames:
	mutex_lock(&h->lock);
	owner->npages -= s->npages;
	uspan_unreserve(h, s);
	mutex_unlock(&h->lock);
fail:
	uspan_put_record(h, s);
	return ERR_PTR(err);
}

/**
 * gh_uspan_withdraw() - take a span out of the heap's tables
 * @h: the heap
 * @s: the span, which is in no list of its owner; none of its objects is used
 *
 * The next is gh_uspan_release().
 *
 * Context: the heap's lock is held.
 */
void gh_uspan_withdraw(struct gh_uheap *h, struct gh_uspan *s)
{
	struct gh_usession *owner = s->owner;

	uspan_set_table(h, s->base >> GH_PAGE_SHIFT, s->npages, NULL);
	h->nspans--;
	owner->npages -= s->npages;
	/* Who found it in the table before, and holds the lock, is still at it. */
	spin_lock(&owner->lock);
	WRITE_ONCE(s->owner, NULL);
	spin_unlock(&owner->lock);
}

/**
 * gh_uspan_release() - give the memory of spans back to the system
 * @h: the heap
 * @spans: withdrawn spans, by their @list; empty afterwards
 *
 * Context: process context, may sleep.
 * Return: heap pages.
 */
unsigned long gh_uspan_release(struct gh_uheap *h, struct list_head *spans)
{
	struct gh_uspan *s, *next;
	unsigned long done = 0;
	LIST_HEAD(frames);

	if (list_empty(spans))
		return 0;
	list_for_each_entry(s, spans, list)
		gh_uframes_detach(h, &frames, s->base >> PAGE_SHIFT,
				  s->npages * GH_UPAGE_FRAMES);
	gh_uframes_unmap(h, &frames);
	gh_uframes_free(&frames);
	mutex_lock(&h->lock);
	list_for_each_entry_safe(s, next, spans, list) {
		list_del(&s->list);
		done += s->npages;
		uspan_unreserve(h, s);
		uspan_put_record(h, s);
		if (need_resched()) {
			mutex_unlock(&h->lock);
			cond_resched();
			mutex_lock(&h->lock);
		}
	}
	mutex_unlock(&h->lock);
	return done;
}

/* ---- resizing ----------------------------------------------------------- */

/* Under the heap's lock. */
static int uspan_reserve_more(struct gh_uspan *s, unsigned long npages)
{
	struct gh_usession *owner = s->owner;
	struct gh_uheap *h = owner->heap;
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages;
	int err;

	if (npages > (GH_UWINDOW >> GH_PAGE_SHIFT) - page)
		return -ENOSPC;
	err = gh_uspan_set_payer(s);
	if (!err)
		err = gh_uheap_charge(owner, s->user, npages);
	if (err)
		return err;
	err = gh_uheap_take_at(h, page, npages);
	if (err) {
		owner->npages -= npages;
		gh_uheap_uncharge(h, s->user, npages);
	}
	return err;
}

/* Under the heap's lock. */
static void uspan_unreserve_some(struct gh_uheap *h, struct gh_uspan *s,
				 unsigned long page, unsigned long npages)
{
	gh_pagealloc_free_scav(&h->pa, page, npages, true);
	s->owner->npages -= npages;
	gh_uheap_uncharge(h, s->user, npages);
}

/* Under the heap's lock. */
static void uspan_set_length(struct gh_uspan *s, unsigned long npages)
{
	struct gh_usession *owner = s->owner;

	spin_lock(&owner->lock);
	owner->count.bytes -= s->elemsize;
	s->npages = npages;
	s->elemsize = npages << GH_PAGE_SHIFT;
	owner->count.bytes += s->elemsize;
	gh_divisor_init(&s->div, s->elemsize);
	spin_unlock(&owner->lock);
}

static int uspan_extend(struct gh_uheap *h, struct gh_uspan *s,
			unsigned long npages)
{
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages;
	LIST_HEAD(frames);
	int err;

	mutex_lock(&h->lock);
	err = uspan_reserve_more(s, npages);
	mutex_unlock(&h->lock);
	if (err)
		return err;
	err = gh_uframes_alloc(&frames, npages * GH_UPAGE_FRAMES);
	if (!err)
		gh_uframes_install(h, &frames, page * GH_UPAGE_FRAMES);
	mutex_lock(&h->lock);
	if (err) {
		uspan_unreserve_some(h, s, page, npages);
	} else {
		uspan_set_table(h, page, npages, s);
		uspan_set_length(s, s->npages + npages);
		gh_uspan_show_rest(s);
	}
	mutex_unlock(&h->lock);
	return err;
}

static void uspan_cut_short(struct gh_uheap *h, struct gh_uspan *s,
			    unsigned long npages)
{
	unsigned long page = (s->base >> GH_PAGE_SHIFT) + s->npages - npages;
	LIST_HEAD(frames);

	mutex_lock(&h->lock);
	uspan_set_table(h, page, npages, NULL);
	uspan_set_length(s, s->npages - npages);
	mutex_unlock(&h->lock);
	gh_uframes_detach(h, &frames, page * GH_UPAGE_FRAMES,
			  npages * GH_UPAGE_FRAMES);
	gh_uframes_unmap(h, &frames);
	gh_uframes_free(&frames);
	mutex_lock(&h->lock);
	uspan_unreserve_some(h, s, page, npages);
	mutex_unlock(&h->lock);
}

/**
 * gh_uspan_resize() - change the length of a large object where it is
 * @h: the heap
 * @s: its span; the object is GH_UOBJ_RESIZING, and its session cannot end
 * @npages: heap pages it should have
 *
 * Context: process context, may sleep; no lock of the heap's is held.
 * Return: 0; or -ENOSPC if the pages behind it are not free, -ENOMEM, -EDQUOT or
 * -EINTR, with nothing changed but who pays for it.
 */
int gh_uspan_resize(struct gh_uheap *h, struct gh_uspan *s,
		    unsigned long npages)
{
	if (npages > s->npages)
		return uspan_extend(h, s, npages - s->npages);
	if (npages < s->npages)
		uspan_cut_short(h, s, s->npages - npages);
	return 0;
}

/* ---- the life of a heap ------------------------------------------------- */

static int ufs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, 0x676f6865) ? 0 : -ENOMEM;
}

/* Nobody mounts it: it is where the inodes of heaps come from. */
static struct file_system_type ufs_type = {
	.name = "goheap",
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
	return inode;
}

static void ufs_put_inode(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&ufs_mnt, &ufs_count);
}

static void uheap_init(struct gh_uheap *h)
{
	unsigned int i;

	kref_init(&h->ref);
	mutex_init(&h->lock);
	INIT_LIST_HEAD(&h->sessions);
	INIT_LIST_HEAD(&h->pins);
	init_waitqueue_head(&h->wait);
	h->limit = ULONG_MAX;
	h->creator = current_fsuid();
	h->base = (UBASE_FIRST + (u64)get_random_u32() % UBASE_NR) << 40;
	gh_usession_init(&h->own, h, 0, ULONG_MAX);
	gh_fixalloc_init_aligned(&h->span_recs, "user spans",
				 sizeof(struct gh_uspan), SMP_CACHE_BYTES, false,
				 NULL, NULL);
	h->span_recs.account = __GFP_ACCOUNT;
	for (i = 0; i < GH_NUM_META; i++) {
		gh_fixalloc_init(&h->meta[i], "user span bitmaps",
				 umeta_bytes(16U << i), false, NULL, NULL);
		h->meta[i].account = __GFP_ACCOUNT;
	}
	h->pa.account = __GFP_ACCOUNT;
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

	if (!gh_fault(GH_FAULT_USER))
		h = __vmalloc(sizeof(*h), GH_UMETA_GFP | __GFP_ZERO);
	if (!h)
		return ERR_PTR(-ENOMEM);
	gh_pagealloc_init(&h->pa);
	h->inode = ufs_get_inode();
	if (IS_ERR(h->inode)) {
		int err = PTR_ERR(h->inode);

		gh_pagealloc_destroy(&h->pa);
		vfree(h);
		return ERR_PTR(err);
	}
	uheap_init(h);
	mutex_lock(&gh_uheaps_lock);
	h->id = ++uheap_next_id;
	list_add_tail(&h->list, &gh_uheaps);
	mutex_unlock(&gh_uheaps_lock);
	return h;
}

/* Whatever was given to the heap, and never freed. */
static void uheap_release_all(struct gh_uheap *h)
{
	struct gh_uspan *s;

	mutex_lock(&h->lock);
	list_for_each_entry(s, &h->own.spans, list)
		gh_uspan_withdraw(h, s);
	mutex_unlock(&h->lock);
	gh_uspan_release(h, &h->own.spans);
}

static void uheap_free(struct kref *ref)
{
	struct gh_uheap *h = container_of(ref, struct gh_uheap, ref);
	unsigned long left = 0;
	unsigned int i;

	mutex_lock(&gh_uheaps_lock);
	list_del(&h->list);
	mutex_unlock(&gh_uheaps_lock);
	uheap_release_all(h);
	for (i = 0; i < h->narenas; i++)
		gh_uarena_free(h->arena[i]);
	for (i = 0; i < GH_NUM_META; i++)
		left += gh_fixalloc_destroy(&h->meta[i]);
	left += gh_fixalloc_destroy(&h->span_recs);
	WARN_ONCE(left || h->npages, "goheap: a user heap ends with %lu pages\n",
		  h->npages);
	gh_pagealloc_destroy(&h->pa);
	ufs_put_inode(h->inode);
	vfree(h);
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
		kref_put(&h->ref, uheap_free);
}
