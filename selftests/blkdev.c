// SPDX-License-Identifier: GPL-2.0-only
/*
 * goheap_blkdev: /dev/ghblk, a block device whose driver allocates from goheap.
 *
 * The system writes dirty pages to it when memory is short, so its driver works
 * in the middle of reclaim. As drivers must, it allocates with GFP_NOIO from
 * memory pools, which are goheap's here, and finishes each request with what
 * the pools guarantee. A thread that cannot reclaim itself does the work.
 *
 * The device keeps no data: what is written is copied, as a transport would,
 * and must be zero; zeros are read.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/bvec.h>
#include <linux/err.h>
#include <linux/goheap.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "../mm/compat.h"

/* Elements that a pool guarantees. One is enough for progress. */
#define POOL_MIN	4

static unsigned int size_mb = 4096;
module_param(size_mb, uint, 0444);
MODULE_PARM_DESC(size_mb, "Size of the device in MiB (default 4096)");

/**
 * struct request_rec - a request under way
 * @work: does it
 * @bio: what is asked
 */
struct request_rec {
	struct work_struct work;
	struct bio *bio;
};

static int major;
static struct gendisk *disk;
static struct workqueue_struct *wq;
static struct goheap_cache *cache;
static mempool_t *requests;
static mempool_t *buffers;
static atomic_long_t errors;
static atomic_long_t sectors;

/* Copy a segment as a transport would, and look at the copy. */
static bool write_segment(struct bio_vec *bv)
{
	void *buf = mempool_alloc(buffers, GFP_NOIO);
	bool ok;

	memcpy_from_bvec(buf, bv);
	ok = !memchr_inv(buf, 0, bv->bv_len);
	mempool_free(buf, buffers);
	return ok;
}

static void request_work(struct work_struct *work)
{
	struct request_rec *rec = container_of(work, struct request_rec, work);
	struct bio *bio = rec->bio;
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter) {
		atomic_long_add(bv.bv_len >> SECTOR_SHIFT, &sectors);
		if (!op_is_write(bio_op(bio)))
			memzero_bvec(&bv);
		else if (!write_segment(&bv))
			atomic_long_inc(&errors);
	}
	mempool_free(rec, requests);
	bio_endio(bio);
}

static void ghblk_submit_bio(struct bio *bio)
{
	struct request_rec *rec = mempool_alloc(requests, GFP_NOIO);

	rec->bio = bio;
	INIT_WORK(&rec->work, request_work);
	queue_work(wq, &rec->work);
}

static const struct block_device_operations ghblk_ops = {
	.owner = THIS_MODULE,
	.submit_bio = ghblk_submit_bio,
};

static int pools_create(void)
{
	cache = goheap_cache_create("ghblk", sizeof(struct request_rec), 0, 0,
				    NULL);
	if (IS_ERR(cache))
		return PTR_ERR(cache);
	requests = goheap_mempool_create_cache(POOL_MIN, cache);
	buffers = goheap_mempool_create(POOL_MIN, PAGE_SIZE);
	wq = alloc_workqueue("ghblk", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return requests && buffers && wq ? 0 : -ENOMEM;
}

static void pools_destroy(void)
{
	if (wq)
		destroy_workqueue(wq);
	mempool_destroy(buffers);
	mempool_destroy(requests);
	goheap_cache_destroy(IS_ERR(cache) ? NULL : cache);
}

static int disk_create(void)
{
	int err;

	disk = gh_blk_alloc_disk(PAGE_SIZE);
	if (!disk)
		return -ENOMEM;
	disk->major = major;
	disk->first_minor = 0;
	disk->minors = 1;
	disk->flags |= GENHD_FL_NO_PART;
	disk->fops = &ghblk_ops;
	strscpy(disk->disk_name, "ghblk", sizeof(disk->disk_name));
	set_capacity(disk, (sector_t)size_mb << (20 - SECTOR_SHIFT));
	err = add_disk(disk);
	if (err)
		put_disk(disk);
	return err;
}

static int __init blkdev_init(void)
{
	int err;

	major = register_blkdev(0, "ghblk");
	if (major < 0)
		return major;
	err = pools_create();
	if (!err)
		err = disk_create();
	if (!err)
		return 0;
	pools_destroy();
	unregister_blkdev(major, "ghblk");
	return err;
}
module_init(blkdev_init);

static void __exit blkdev_exit(void)
{
	del_gendisk(disk);
	put_disk(disk);
	pools_destroy();
	unregister_blkdev(major, "ghblk");
	pr_info("ghblk: %ld sectors, %ld errors\n", atomic_long_read(&sectors),
		atomic_long_read(&errors));
}
module_exit(blkdev_exit);

MODULE_DESCRIPTION("A block device that allocates from goheap");
MODULE_LICENSE("GPL");
