// SPDX-License-Identifier: GPL-2.0-only
/*
 * uapi: /dev/goheap: its files and their ioctls.
 *
 * All that a program says is checked here before anything is done: sizes, flags,
 * reserved fields, counts. What an offset means is for uobj.c to find out.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include <linux/goheap.h>

#include "../fault.h"
#include "session.h"
#include "file.h"
#include "heap.h"
#include "map.h"
#include "object.h"
#include "stats.h"

/* Offsets of small batches are kept on the stack. */
#define STACK_BATCH	64

/**
 * struct uctx - a call
 * @h: the heap
 * @ss: the session, NULL on the heap's own file
 * @refusal: what a call that changes something returns, 0 if it may
 * @file: to be installed as @fd once the result has reached the program
 * @fd: its descriptor
 */
struct uctx {
	struct gh_uheap *h;
	struct gh_usession *ss;
	int refusal;
	struct file *file;
	int fd;
};

static const struct file_operations session_fops;

/* ---- batches ------------------------------------------------------------ */

/* Only as much of @on_stack is read as was written: it need not be zeroed. */
struct ubatch {
	u64 on_stack[STACK_BATCH];
	u64 *offsets;
};

static int batch_get(struct ubatch *b, unsigned int n)
{
	if (!n || n > GOHEAP_MAX_BATCH)
		return -EINVAL;
	b->offsets = b->on_stack;
	if (n > STACK_BATCH)
		b->offsets = gh_fault(GH_FAULT_USER) ? NULL :
			goheap_alloc(array_size(n, sizeof(u64)), GH_UMETA_GFP);
	return b->offsets ? 0 : -ENOMEM;
}

static void batch_put(struct ubatch *b)
{
	if (b->offsets != b->on_stack)
		goheap_free(b->offsets);
}

/* ---- ioctls ------------------------------------------------------------- */

static int info_classes(struct goheap_info *info)
{
	struct goheap_class __user *to = u64_to_user_ptr(info->classes);
	unsigned int i, n = min_t(u32, info->nr_classes, GH_NUM_CLASSES);

	for (i = 0; info->classes && i < n; i++) {
		struct goheap_class c = {
			.size = gh_class_size[i],
			.npages = gh_class_npages[i],
			.nelems = gh_class_nelems[i],
		};

		if (copy_to_user(to + i, &c, sizeof(c)))
			return -EFAULT;
	}
	return 0;
}

static int ioc_info(struct uctx *c, void *arg)
{
	struct goheap_info *info = arg;
	int err = info_classes(info);

	if (err)
		return err;
	info->version = GOHEAP_ABI_VERSION;
	info->features = 0;
	info->window = GH_UWINDOW;
	info->base = c->h->base;
	info->page_size = GH_PAGE_SIZE;
	info->nr_classes = GH_NUM_CLASSES;
	info->max_batch = GOHEAP_MAX_BATCH;
	info->nr_roots = GOHEAP_NR_ROOTS;
	info->max_small = GH_MAX_SMALL;
	info->map_stride = GH_UMAP_FRAMES << PAGE_SHIFT;
	return 0;
}

static int ioc_root(struct uctx *c, void *arg)
{
	struct goheap_root *root = arg;
	u64 *slot;

	if (root->flags & ~GOHEAP_ROOT_CMPXCHG || root->reserved ||
	    root->index >= GOHEAP_NR_ROOTS)
		return -EINVAL;
	slot = &c->h->roots[array_index_nospec(root->index, GOHEAP_NR_ROOTS)];
	if (root->flags && c->refusal)
		return c->refusal;
	if (root->flags)
		root->value = cmpxchg64(slot, root->expect, root->value);
	else
		root->value = READ_ONCE(*slot);
	return 0;
}

/* Bounds are of whole heap pages, at least one: 0 stands for none. */
static unsigned long limit_pages(u64 bytes)
{
	return bytes ? clamp_t(u64, bytes >> GH_PAGE_SHIFT, 1, ULONG_MAX) :
		       ULONG_MAX;
}

static u64 limit_bytes(unsigned long pages)
{
	return pages == ULONG_MAX ? 0 : (u64)pages << GH_PAGE_SHIFT;
}

static bool limit_may_set(const struct uctx *c)
{
	return c->ss || uid_eq(current_fsuid(), c->h->creator) ||
	       capable(CAP_SYS_RESOURCE);
}

static int ioc_limit(struct uctx *c, void *arg)
{
	unsigned long *limit = c->ss ? &c->ss->limit : &c->h->limit;
	struct goheap_limit *l = arg;

	if (l->flags & ~GOHEAP_LIMIT_SET)
		return -EINVAL;
	if (l->flags && c->refusal)
		return c->refusal;
	if (l->flags && !limit_may_set(c))
		return -EPERM;
	mutex_lock(&c->h->lock);
	if (l->flags)
		*limit = limit_pages(l->limit);
	l->limit = limit_bytes(*limit);
	l->used = (u64)(c->ss ? c->ss->npages : c->h->npages) << GH_PAGE_SHIFT;
	mutex_unlock(&c->h->lock);
	return 0;
}

static int ioc_stats(struct uctx *c, void *arg)
{
	gh_ustats_usage(c->h, c->ss, arg);
	return 0;
}

static int ioc_trim(struct uctx *c, void *arg)
{
	struct goheap_trim *trim = arg;

	if (trim->flags)
		return -EINVAL;
	if (c->refusal)
		return c->refusal;
	trim->bytes = c->ss ? gh_usession_trim(c->ss) :
			      gh_usession_trim_all(c->h);
	return 0;
}

static int ioc_attach(struct uctx *c, void *arg)
{
	struct goheap_attach *attach = arg;
	struct gh_usession *ss;
	int fd;

	if (attach->flags)
		return -EINVAL;
	if (c->refusal)
		return c->refusal;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	ss = gh_usession_begin(c->h, limit_pages(attach->quota));
	if (IS_ERR(ss)) {
		put_unused_fd(fd);
		return PTR_ERR(ss);
	}
	c->file = anon_inode_getfile("[goheap-session]", &session_fops, ss,
				     O_RDWR);
	if (IS_ERR(c->file)) {
		int err = PTR_ERR(c->file);

		c->file = NULL;
		put_unused_fd(fd);
		gh_usession_put(ss);
		return err;
	}
	c->fd = fd;
	attach->fd = fd;
	attach->session = ss->id;
	return 0;
}

/* One by one: another thread may have guessed and freed one. */
static void alloc_undo(struct gh_usession *ss, const u64 *offsets,
		       unsigned int n)
{
	unsigned int bad;

	while (n--)
		gh_uobj_free(ss, offsets + n, 1, &bad);
}

static int ioc_alloc(struct uctx *c, void *arg)
{
	struct goheap_alloc_req *req = arg;
	void __user *to = u64_to_user_ptr(req->offsets);
	unsigned int n = req->count;
	struct ubatch b __uninitialized;
	int err;

	if (req->flags & ~(GOHEAP_ALLOC_ZERO | GOHEAP_ALLOC_ALL) ||
	    req->reserved || !req->length || req->align > GH_UALIGN_MAX ||
	    (req->align && !is_power_of_2(req->align)))
		return -EINVAL;
	err = batch_get(&b, n);
	if (err)
		return err;
	err = gh_uobj_alloc(c->ss, req->length, req->align,
			    req->flags & GOHEAP_ALLOC_ZERO, b.offsets, &n);
	/* Those of a session that ended are gone. */
	if (err == -EOWNERDEAD)
		n = 0;
	if (n && !(req->flags & GOHEAP_ALLOC_ALL))
		err = 0;
	if (!err && copy_to_user(to, b.offsets, n * sizeof(u64)))
		err = -EFAULT;
	if (!err)
		req->count = n;
	else
		alloc_undo(c->ss, b.offsets, n);
	batch_put(&b);
	return err;
}

static int batch_do(struct uctx *c, struct goheap_batch *req,
		    int (*fn)(struct gh_usession *ss, const u64 *offsets,
			      unsigned int n, unsigned int *bad))
{
	const void __user *from = u64_to_user_ptr(req->offsets);
	struct ubatch b __uninitialized;
	int err;

	if (req->flags)
		return -EINVAL;
	err = batch_get(&b, req->count);
	if (err)
		return err;
	if (copy_from_user(b.offsets, from, req->count * sizeof(u64)))
		err = -EFAULT;
	else
		err = fn(c->ss, b.offsets, req->count, &req->bad);
	batch_put(&b);
	return err;
}

static int ioc_free(struct uctx *c, void *arg)
{
	return batch_do(c, arg, gh_uobj_free);
}

static int ioc_give(struct uctx *c, void *arg)
{
	return batch_do(c, arg, gh_uobj_give);
}

static int ioc_resize(struct uctx *c, void *arg)
{
	struct goheap_resize *req = arg;

	if (req->flags || req->length <= GH_MAX_SMALL)
		return -EINVAL;
	return gh_uobj_resize(c->ss, req->offset, req->length);
}

/* ---- the table ---------------------------------------------------------- */

#define ON_HEAP		BIT(0)
#define ON_SESSION	BIT(1)
/* On a session: only its own process may; others may look. */
#define BY_OWNER	BIT(2)

struct uioc {
	int (*fn)(struct uctx *c, void *arg);
	unsigned int size;
	unsigned int flags;
};

static const struct uioc iocs[] = {
#define IOC(cmd, type, func, how)					\
	[_IOC_NR(cmd)] = { func, sizeof(struct type), how }
	IOC(GOHEAP_IOC_INFO, goheap_info, ioc_info, ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_ROOT, goheap_root, ioc_root, ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_LIMIT, goheap_limit, ioc_limit,
	    ON_HEAP | ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_STATS, goheap_usage, ioc_stats, ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_TRIM, goheap_trim, ioc_trim,
	    ON_HEAP | ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_ATTACH, goheap_attach, ioc_attach, ON_HEAP),
	IOC(GOHEAP_IOC_ALLOC, goheap_alloc_req, ioc_alloc,
	    ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_FREE, goheap_batch, ioc_free, ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_GIVE, goheap_batch, ioc_give, ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_RESIZE, goheap_resize, ioc_resize,
	    ON_SESSION | BY_OWNER),
#undef IOC
};

union uarg {
	u32 size;
	struct goheap_info info;
	struct goheap_root root;
	struct goheap_limit limit;
	struct goheap_usage usage;
	struct goheap_trim trim;
	struct goheap_attach attach;
	struct goheap_alloc_req alloc;
	struct goheap_batch batch;
	struct goheap_resize resize;
};

/* The layout is the same for programs of 32 bits. */
static_assert(sizeof(struct goheap_info) == 64);
static_assert(sizeof(struct goheap_class) == 16);
static_assert(sizeof(struct goheap_root) == 32);
static_assert(sizeof(struct goheap_limit) == 24);
static_assert(sizeof(struct goheap_usage) == 136);
static_assert(sizeof(struct goheap_trim) == 16);
static_assert(sizeof(struct goheap_attach) == 24);
static_assert(sizeof(struct goheap_alloc_req) == 40);
static_assert(sizeof(struct goheap_batch) == 24);
static_assert(sizeof(struct goheap_resize) == 24);

/* By number and direction; the size of the structure may grow. */
static const struct uioc *ioc_of(unsigned int cmd, bool session)
{
	unsigned int nr = _IOC_NR(cmd);

	if (_IOC_TYPE(cmd) != GOHEAP_IOC_MAGIC ||
	    _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE) || nr >= ARRAY_SIZE(iocs))
		return NULL;
	nr = array_index_nospec(nr, ARRAY_SIZE(iocs));
	if (!(iocs[nr].flags & (session ? ON_SESSION : ON_HEAP)))
		return NULL;
	return &iocs[nr];
}

/* A file that was made appears when its number has reached the program. */
static int uctx_finish(struct uctx *c, int err)
{
	if (!c->file)
		return err;
	if (err) {
		put_unused_fd(c->fd);
		fput(c->file);
	} else {
		fd_install(c->fd, c->file);
	}
	return err;
}

static long uapi_ioctl(struct uctx *c, unsigned int cmd, void __user *uarg)
{
	const struct uioc *ioc = ioc_of(cmd, c->ss);
	union uarg arg;
	u32 size;
	int err;

	if (!ioc)
		return -ENOTTY;
	if (ioc->flags & BY_OWNER && c->ss && c->refusal)
		return c->refusal;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < ioc->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&arg, ioc->size, uarg, size);
	if (err)
		return err;
	err = ioc->fn(c, &arg);
	arg.size = size;
	if (err != -EFAULT && copy_to_user(uarg, &arg, ioc->size))
		err = -EFAULT;
	return uctx_finish(c, err);
}

/* ---- deaths of sessions ------------------------------------------------- */

static __poll_t deaths_poll(struct gh_uheap *h, u64 *seen, struct file *file,
			    poll_table *wait)
{
	poll_wait(file, &h->wait, wait);
	if (atomic64_read(&h->deaths) != READ_ONCE(*seen))
		return EPOLLIN | EPOLLRDNORM;
	return 0;
}

static ssize_t deaths_read(struct gh_uheap *h, u64 *seen, struct file *file,
			   char __user *buf, size_t len)
{
	u64 n, old;
	int err;

	if (len < sizeof(n))
		return -EINVAL;
	/* Another reader may be quicker. */
	while ((n = atomic64_read(&h->deaths)) == READ_ONCE(*seen)) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(h->wait,
					       atomic64_read(&h->deaths) != n);
		if (err)
			return err;
	}
	if (copy_to_user(buf, &n, sizeof(n)))
		return -EFAULT;
	/* Another reader may have seen more. */
	old = READ_ONCE(*seen);
	while (old < n && !try_cmpxchg64(seen, &old, n))
		cpu_relax();
	return sizeof(n);
}

/* ---- the heap's file ---------------------------------------------------- */

static int heap_open(struct inode *inode, struct file *file)
{
	struct gh_uheap *h = gh_uheap_create();

	if (IS_ERR(h))
		return PTR_ERR(h);
	file->private_data = h;
	/* Not the device's: each heap has a window, and faults, of its own. */
	file->f_mapping = h->inode->i_mapping;
	return nonseekable_open(inode, file);
}

static int heap_release(struct inode *inode, struct file *file)
{
	gh_uheap_put(file->private_data);
	return 0;
}

static long heap_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct uctx c = {
		.h = file->private_data,
		.refusal = file->f_mode & FMODE_WRITE ? 0 : -EBADF,
	};

	return uapi_ioctl(&c, cmd, (void __user *)arg);
}

static __poll_t heap_poll(struct file *file, poll_table *wait)
{
	struct gh_uheap *h = file->private_data;

	return deaths_poll(h, &h->seen, file, wait);
}

static ssize_t heap_read(struct file *file, char __user *buf, size_t len,
			 loff_t *pos)
{
	struct gh_uheap *h = file->private_data;

	return deaths_read(h, &h->seen, file, buf, len);
}

static void heap_fdinfo(struct seq_file *m, struct file *file)
{
	gh_ustats_fdinfo(m, file->private_data, NULL);
}

static const struct file_operations heap_fops = {
	.owner = THIS_MODULE,
	.open = heap_open,
	.release = heap_release,
	.unlocked_ioctl = heap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = gh_umap_mmap,
	.poll = heap_poll,
	.read = heap_read,
	.show_fdinfo = heap_fdinfo,
};

/**
 * gh_uheap_of_file() - the heap that a file is
 * @file: any file
 *
 * Return: the heap, or NULL.
 */
struct gh_uheap *gh_uheap_of_file(const struct file *file)
{
	return file->f_op == &heap_fops ? file->private_data : NULL;
}

/* ---- a session's file --------------------------------------------------- */

static int is_file(const void *file, struct file *f, unsigned int fd)
{
	return f == file;
}

/*
 * A session belongs to the process that attached, and ends when that process
 * closes its last descriptor of it, calls exec() or ends, even if a child has
 * inherited one. When a process ends, it has no table of files any more.
 */
static int session_flush(struct file *file, fl_owner_t id)
{
	struct gh_usession *ss = file->private_data;

	if (ss->files != id)
		return 0;
	if (current->files == id && iterate_fd(current->files, 0, is_file, file))
		return 0;
	gh_usession_end(ss);
	return 0;
}

static int session_release(struct inode *inode, struct file *file)
{
	gh_usession_put(file->private_data);
	return 0;
}

static long session_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	struct gh_usession *ss = file->private_data;
	struct uctx c = {
		.h = ss->heap,
		.ss = ss,
	};

	/* When the session has ended, @files may be another process's by now. */
	if (READ_ONCE(ss->dead))
		c.refusal = -EOWNERDEAD;
	else if (ss->files != current->files)
		c.refusal = -EPERM;
	return uapi_ioctl(&c, cmd, (void __user *)arg);
}

static __poll_t session_poll(struct file *file, poll_table *wait)
{
	struct gh_usession *ss = file->private_data;

	return deaths_poll(ss->heap, &ss->seen, file, wait);
}

static ssize_t session_read(struct file *file, char __user *buf, size_t len,
			    loff_t *pos)
{
	struct gh_usession *ss = file->private_data;

	return deaths_read(ss->heap, &ss->seen, file, buf, len);
}

static void session_fdinfo(struct seq_file *m, struct file *file)
{
	struct gh_usession *ss = file->private_data;

	gh_ustats_fdinfo(m, ss->heap, ss);
}

static const struct file_operations session_fops = {
	.owner = THIS_MODULE,
	.flush = session_flush,
	.release = session_release,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = session_poll,
	.read = session_read,
	.show_fdinfo = session_fdinfo,
};

/* ---- the device --------------------------------------------------------- */

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "goheap",
	.fops = &heap_fops,
	.mode = 0660,
};

/**
 * gh_uapi_init() - make the device
 *
 * Return: 0 or an error.
 */
int gh_uapi_init(void)
{
	return misc_register(&device);
}

/**
 * gh_uapi_exit() - take it away; nobody has a file of it
 */
void gh_uapi_exit(void)
{
	misc_deregister(&device);
}
