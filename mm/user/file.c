// SPDX-License-Identifier: GPL-2.0-only
/*
 * file: /dev/goheap: its files and their ioctls.
 *
 * Everything that a program passes is checked here before anything is done:
 * sizes, flags, reserved fields, counts. Offsets are checked by object.c.
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
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include <linux/goheap.h>

#include "../fault.h"
#include "charge.h"
#include "defer.h"
#include "epoch.h"
#include "file.h"
#include "heap.h"
#include "list.h"
#include "map.h"
#include "object.h"
#include "publish.h"
#include "session.h"
#include "side.h"
#include "stats.h"
#include "trim.h"
#include "type.h"
#include "view.h"

/* Offsets of small batches are kept on the stack. */
#define STACK_BATCH	64
/* So are these exchanges, and objects that are listed. */
#define STACK_SWAPS	8
#define STACK_LISTED	16

/**
 * struct uctx - a call
 * @h: the heap
 * @view: what the descriptor of the heap allows, or that a session was attached through
 * @ss: the session, NULL on the heap's own file
 * @refusal: what a call that changes something returns, 0 if it may
 * @file: to be installed as @fd once the result has reached the program
 * @fd: its descriptor
 */
struct uctx {
	struct gh_uheap *h;
	struct gh_uview *view;
	struct gh_usession *ss;
	int refusal;
	struct file *file;
	int fd;
};

static const struct file_operations heap_fops;
static const struct file_operations session_fops;

/* ---- batches ------------------------------------------------------------ */

/* Not zeroed: a call reads only those offsets that it has written. */
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
			goheap_alloc(array_size(n, sizeof(u64)), GH_UOBJ_GFP);
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
		struct goheap_class class = {
			.size = gh_class_size[i],
			.npages = gh_class_npages[i],
			.nelems = gh_class_nelems[i],
		};

		if (copy_to_user(to + i, &class, sizeof(class)))
			return -EFAULT;
	}
	return 0;
}

static int ioc_info(struct uctx *ctx, void *arg)
{
	struct goheap_info *info = arg;
	int err = info->reserved ? -EINVAL : info_classes(info);

	if (err)
		return err;
	info->version = GOHEAP_ABI_VERSION;
	info->features = 0;
	info->window = GH_UWINDOW;
	info->base = ctx->h->base;
	info->page_size = GH_PAGE_SIZE;
	info->nr_classes = GH_NUM_CLASSES;
	info->max_batch = GOHEAP_MAX_BATCH;
	info->nr_roots = GOHEAP_NR_ROOTS;
	info->max_small = GH_MAX_SMALL;
	info->map_stride = GH_UMAP_FRAMES << PAGE_SHIFT;
	info->apart = atomic_read(&ctx->h->apart);
	return 0;
}

static int ioc_root(struct uctx *ctx, void *arg)
{
	struct goheap_root *root = arg;
	u64 *slot;

	if (root->flags & ~GOHEAP_ROOT_CMPXCHG || root->reserved ||
	    root->index >= GOHEAP_NR_ROOTS)
		return -EINVAL;
	slot = &ctx->h->roots[array_index_nospec(root->index, GOHEAP_NR_ROOTS)];
	if (root->flags && ctx->refusal)
		return ctx->refusal;
	if (root->flags)
		root->value = cmpxchg64(slot, root->expect, root->value);
	else
		root->value = READ_ONCE(*slot);
	return 0;
}

static bool limit_may_set(const struct uctx *ctx)
{
	if (ctx->ss)
		return true;
	/* A bound that its holder may lift does not bind. */
	if (!gh_uview_is_full(ctx->view))
		return false;
	return uid_eq(current_fsuid(), ctx->h->creator) ||
	       capable(CAP_SYS_RESOURCE);
}

static bool limit_is_valid(const struct uctx *ctx, const struct goheap_limit *l)
{
	if (l->flags & ~(GOHEAP_LIMIT_SET | GOHEAP_LIMIT_SESSIONS))
		return false;
	if (!(l->flags & GOHEAP_LIMIT_SESSIONS))
		return true;
	return !ctx->ss && l->max_sessions &&
	       l->max_sessions <= GH_USESSIONS_MAX;
}

static void limit_report(struct goheap_limit *l, unsigned long limit,
			 unsigned long used)
{
	l->limit = gh_ucharge_bytes_of(limit);
	l->used = gh_ucharge_bytes_of(used);
}

static int ioc_limit(struct uctx *ctx, void *arg)
{
	unsigned long *limit = ctx->ss ? &ctx->ss->limit : &ctx->h->limit;
	struct goheap_limit *l = arg;
	struct gh_uview *view = ctx->view;

	if (!limit_is_valid(ctx, l))
		return -EINVAL;
	if (l->flags && ctx->refusal)
		return ctx->refusal;
	if (l->flags && !limit_may_set(ctx))
		return -EPERM;

	if (gh_uheap_lock_killable(ctx->h))
		return -EINTR;
	if (l->flags & GOHEAP_LIMIT_SET)
		*limit = gh_ucharge_pages_of(l->limit);
	if (l->flags & GOHEAP_LIMIT_SESSIONS)
		view->max_sessions = l->max_sessions;

	if (ctx->ss)
		limit_report(l, ctx->ss->limit, ctx->ss->npages);
	else if (gh_uview_is_full(view))
		limit_report(l, ctx->h->limit, ctx->h->npages);
	else
		limit_report(l, view->limit, view->npages);
	l->max_sessions = ctx->ss ? 0 : view->max_sessions;
	l->sessions = ctx->ss ? 0 : view->nsessions;
	if (!ctx->ss && gh_uview_is_full(view))
		l->sessions = ctx->h->nsessions;
	mutex_unlock(&ctx->h->lock);
	return 0;
}

static int ioc_stats(struct uctx *ctx, void *arg)
{
	return gh_ustats_usage(ctx->h, ctx->ss, arg);
}

static int ioc_trim(struct uctx *ctx, void *arg)
{
	struct goheap_trim *trim = arg;
	long bytes;

	if (trim->flags)
		return -EINVAL;
	if (ctx->refusal)
		return ctx->refusal;
	bytes = ctx->ss ? gh_utrim_session(ctx->ss) : gh_utrim_view(ctx->view);
	if (bytes < 0)
		return bytes;
	trim->bytes = bytes;
	return 0;
}

static int ioc_death(struct uctx *ctx, void *arg)
{
	struct goheap_death *death = arg;

	return death->flags ? -EINVAL : gh_usession_death(ctx->h, death);
}

static int ioc_session(struct uctx *ctx, void *arg)
{
	struct goheap_session *req = arg;

	return req->reserved ? -EINVAL : gh_uepoch_session(ctx->h, req);
}

/* ---- types and listing -------------------------------------------------- */

static bool is_type_name(const char *name)
{
	size_t len = strnlen(name, GOHEAP_TYPE_NAME_MAX);

	/* What is behind it is for names that are longer. */
	return len && len < GOHEAP_TYPE_NAME_MAX &&
	       !memchr_inv(name + len, 0, GOHEAP_TYPE_NAME_MAX - len);
}

static int type_find(struct uctx *ctx, struct goheap_type *req, u64 *refs)
{
	void __user *to = u64_to_user_ptr(req->refs);
	u32 room = req->words;
	int err;

	if (req->name[0] && !is_type_name(req->name))
		return -EINVAL;
	err = gh_utype_describe(ctx->h, req, refs);
	if (!err && copy_to_user(to, refs, BITS_TO_U64(min(room, req->words)) *
					   sizeof(u64)))
		err = -EFAULT;
	return err;
}

static int type_register(struct uctx *ctx, struct goheap_type *req, u64 *refs)
{
	const void __user *from = u64_to_user_ptr(req->refs);
	u32 words = req->words;

	if (ctx->refusal)
		return ctx->refusal;
	if (req->type || !is_type_name(req->name) ||
	    req->length > GH_UWINDOW || req->align > GH_UALIGN_MAX ||
	    (req->align && !is_power_of_2(req->align)))
		return -EINVAL;
	if (copy_from_user(refs, from, BITS_TO_U64(words) * sizeof(u64)))
		return -EFAULT;
	/* What is behind the last bit is for longer bitmaps. */
	if (words % 64 && refs[words / 64] >> words % 64)
		return -EINVAL;
	return gh_utype_register(ctx->view, req, refs);
}

static int ioc_type(struct uctx *ctx, void *arg)
{
	struct goheap_type *req = arg;
	size_t bytes = BITS_TO_U64(req->words) * sizeof(u64);
	u64 *refs;
	int err;

	if (req->flags & ~GOHEAP_TYPE_FIND || req->reserved ||
	    req->words > GOHEAP_TYPE_WORDS_MAX)
		return -EINVAL;
	refs = gh_fault(GH_FAULT_USER) ? NULL :
		goheap_alloc(bytes ?: sizeof(u64), GH_UOBJ_GFP);
	if (!refs)
		return -ENOMEM;
	err = req->flags & GOHEAP_TYPE_FIND ? type_find(ctx, req, refs) :
					      type_register(ctx, req, refs);
	goheap_free(refs);
	return err;
}

static int ioc_type_stats(struct uctx *ctx, void *arg)
{
	struct goheap_type_usage *u = arg;

	if (u->flags & ~GOHEAP_TYPE_LIMIT || u->reserved)
		return -EINVAL;
	if (u->flags && ctx->refusal)
		return ctx->refusal;
	if (u->flags && (ctx->ss || !limit_may_set(ctx)))
		return -EPERM;
	return gh_utype_usage(ctx->h, u);
}

static int ioc_list(struct uctx *ctx, void *arg)
{
	struct goheap_listed on_stack[STACK_LISTED] __uninitialized;
	struct goheap_list *req = arg;
	void __user *to = u64_to_user_ptr(req->objects);
	struct gh_utype *type = gh_utype_of(ctx->h, req->type);
	struct goheap_listed *objects = on_stack;
	unsigned int n = req->count;
	int err;

	if (req->flags || !n || n > GOHEAP_MAX_BATCH)
		return -EINVAL;
	if (req->type && !type)
		return -ENOENT;
	if (n > STACK_LISTED)
		objects = gh_fault(GH_FAULT_USER) ? NULL :
			goheap_alloc(array_size(n, sizeof(*objects)),
				     GH_UOBJ_GFP);
	if (!objects)
		return -ENOMEM;

	err = gh_ulist(ctx->h, type, &req->from, objects, &n);
	req->count = n;
	if (!err && copy_to_user(to, objects, n * sizeof(*objects)))
		err = -EFAULT;
	if (objects != on_stack)
		goheap_free(objects);
	return err;
}

/* ---- files -------------------------------------------------------------- */

/* A file that uctx_finish() installs. On failure, the descriptor is free again. */
static int uctx_make_file(struct uctx *ctx, int fd, const char *name,
			  const struct file_operations *fops, void *data,
			  int mode)
{
	struct file *file = anon_inode_getfile(name, fops, data, mode);

	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	ctx->file = file;
	ctx->fd = fd;
	return 0;
}

static int ioc_attach(struct uctx *ctx, void *arg)
{
	struct goheap_attach *attach = arg;
	struct gh_usession *ss;
	int fd, err;

	if (attach->flags)
		return -EINVAL;
	if (ctx->refusal)
		return ctx->refusal;
	if (!gh_uview_may_attach(ctx->view))
		return -EPERM;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	ss = gh_usession_begin(ctx->view, gh_ucharge_pages_of(attach->quota));
	if (IS_ERR(ss)) {
		put_unused_fd(fd);
		return PTR_ERR(ss);
	}

	err = uctx_make_file(ctx, fd, "[goheap-session]", &session_fops, ss,
			     O_RDWR);
	if (err) {
		gh_usession_put(ss);
		return err;
	}
	attach->fd = fd;
	attach->session = ss->id;
	return 0;
}

static int ioc_view(struct uctx *ctx, void *arg)
{
	struct goheap_view *req = arg;
	bool attaches = !req->flags;
	struct gh_uview *view;
	int fd, err;

	if (req->flags & ~(GOHEAP_VIEW_READ | GOHEAP_VIEW_NO_ATTACH) ||
	    req->max_sessions > GH_USESSIONS_MAX ||
	    (!attaches && (req->quota || req->max_sessions)))
		return -EINVAL;
	if (ctx->refusal)
		return ctx->refusal;
	/* They do not nest. */
	if (!gh_uview_is_full(ctx->view))
		return -EPERM;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	view = gh_uview_make(ctx->h, gh_ucharge_pages_of(req->quota),
			     req->max_sessions ?: GH_USESSIONS_MAX, attaches);
	if (!view) {
		put_unused_fd(fd);
		return -ENOMEM;
	}

	err = uctx_make_file(ctx, fd, "[goheap]", &heap_fops, view,
			     req->flags & GOHEAP_VIEW_READ ? O_RDONLY : O_RDWR);
	if (err) {
		gh_uview_close(view);
		return err;
	}
	ctx->file->f_mapping = ctx->h->inode->i_mapping;
	req->fd = fd;
	return 0;
}

/* Of what type the objects are, and what that says of them. */
static int alloc_type(struct uctx *ctx, const struct goheap_alloc_req *req,
		      struct gh_utype **typep, u64 *length, u64 *align)
{
	struct gh_utype *type = gh_utype_of(ctx->h, req->type);

	*typep = type;
	*length = req->length;
	*align = req->align;
	if (req->type && !type)
		return -ENOENT;
	if (type && type->length) {
		if (req->length && req->length != type->length)
			return -EINVAL;
		*length = type->length;
	}
	if (type)
		*align = max_t(u64, req->align, type->align);
	return *length ? 0 : -EINVAL;
}

static int ioc_alloc(struct uctx *ctx, void *arg)
{
	struct goheap_alloc_req *req = arg;
	void __user *to = u64_to_user_ptr(req->offsets);
	unsigned int n = req->count;
	struct ubatch b __uninitialized;
	struct gh_utype *type;
	u64 length, align;
	unsigned int bad;
	int err;

	if (req->flags & ~(GOHEAP_ALLOC_ZERO | GOHEAP_ALLOC_ALL |
			   GOHEAP_ALLOC_GIVEN) ||
	    req->align > GH_UALIGN_MAX ||
	    (req->align && !is_power_of_2(req->align)))
		return -EINVAL;
	err = alloc_type(ctx, req, &type, &length, &align);
	if (err)
		return err;
	err = batch_get(&b, n);
	if (err)
		return err;

	err = gh_uobj_alloc(ctx->ss, type, length, align,
			    req->flags & GOHEAP_ALLOC_ZERO, b.offsets, &n);
	/* The end of a session has freed what was allocated before it. */
	if (err == -EOWNERDEAD)
		n = 0;
	if (n && !(req->flags & GOHEAP_ALLOC_ALL))
		err = 0;
	if (!err && copy_to_user(to, b.offsets, n * sizeof(u64)))
		err = -EFAULT;
	/* Now: until then, the end of the session frees them. */
	if (!err && req->flags & GOHEAP_ALLOC_GIVEN)
		err = gh_uobj_give(ctx->ss, b.offsets, n, &bad);
	if (!err)
		req->count = n;
	else
		gh_uobj_unalloc(ctx->ss, b.offsets, n);

	batch_put(&b);
	return err;
}

static int batch_do(struct uctx *ctx, struct goheap_batch *req,
		    int (*fn)(struct gh_usession *ss, const u64 *offsets,
			      unsigned int n, unsigned int *bad))
{
	const void __user *from = u64_to_user_ptr(req->offsets);
	struct ubatch b __uninitialized;
	int err = batch_get(&b, req->count);

	if (err)
		return err;
	if (copy_from_user(b.offsets, from, req->count * sizeof(u64)))
		err = -EFAULT;
	else
		err = fn(ctx->ss, b.offsets, req->count, &req->bad);
	batch_put(&b);
	return err;
}

static int ioc_free(struct uctx *ctx, void *arg)
{
	struct goheap_batch *req = arg;

	return req->flags ? -EINVAL : batch_do(ctx, req, gh_uobj_free);
}

static int ioc_give(struct uctx *ctx, void *arg)
{
	struct goheap_batch *req = arg;

	return req->flags ? -EINVAL : batch_do(ctx, req, gh_uobj_give);
}

static int retire_nowait(struct gh_usession *ss, const u64 *offsets,
			 unsigned int n, unsigned int *bad)
{
	return gh_uepoch_retire(ss, offsets, n, true, bad);
}

static int retire_wait(struct gh_usession *ss, const u64 *offsets,
		       unsigned int n, unsigned int *bad)
{
	return gh_uepoch_retire(ss, offsets, n, false, bad);
}

static int ioc_retire(struct uctx *ctx, void *arg)
{
	struct goheap_batch *req = arg;

	if (req->flags & ~GOHEAP_RETIRE_NOWAIT)
		return -EINVAL;
	return batch_do(ctx, req, req->flags ? retire_nowait : retire_wait);
}

static int ioc_resize(struct uctx *ctx, void *arg)
{
	struct goheap_resize *req = arg;

	if (req->flags || req->length <= GH_MAX_SMALL)
		return -EINVAL;
	return gh_uobj_resize(ctx->ss, req->offset, req->length);
}

static bool is_range(u32 first, u32 count, u32 nr)
{
	return count && count <= GOHEAP_MAX_BATCH && first <= nr - count;
}

static int ioc_defer(struct uctx *ctx, void *arg)
{
	struct goheap_defer *req = arg;
	size_t size = sizeof(u64), at = 0;
	u32 nr = GOHEAP_NR_DEFERRED;

	if (req->flags & GOHEAP_DEFER_READERS) {
		size = sizeof(struct goheap_reader);
		at = GOHEAP_MMAP_READERS;
		nr = GOHEAP_NR_READERS;
	}
	if (req->flags & ~GOHEAP_DEFER_READERS ||
	    !is_range(req->first, req->count, nr))
		return -EINVAL;
	return gh_uside_commit(ctx->ss, at + req->first * size,
			       req->count * size);
}

static int ioc_flush(struct uctx *ctx, void *arg)
{
	struct goheap_flush *req = arg;

	if (req->flags || req->reserved ||
	    !is_range(req->first, req->count, GOHEAP_NR_DEFERRED))
		return -EINVAL;
	return gh_udefer_flush(ctx->ss, req->first, req->count, &req->bad,
			       &req->offset);
}

static int ioc_publish(struct uctx *ctx, void *arg)
{
	struct goheap_publish *req = arg;
	void __user *to = u64_to_user_ptr(req->swaps);
	struct goheap_swap on_stack[STACK_SWAPS] __uninitialized;
	struct goheap_swap *swaps = on_stack;
	unsigned int n = req->count;
	int err;

	if (req->flags & ~GOHEAP_PUBLISH_NOWAIT || !n || n > GOHEAP_MAX_BATCH)
		return -EINVAL;
	if (n > STACK_SWAPS)
		swaps = gh_fault(GH_FAULT_USER) ? NULL :
			goheap_alloc(array_size(n, sizeof(*swaps)),
				     GH_UOBJ_GFP);
	if (!swaps)
		return -ENOMEM;

	if (copy_from_user(swaps, to, n * sizeof(*swaps))) {
		err = -EFAULT;
	} else {
		err = gh_upublish(ctx->ss, swaps, n, req->flags, &req->bad);
		if (copy_to_user(to, swaps, n * sizeof(*swaps)))
			err = -EFAULT;
	}
	if (swaps != on_stack)
		goheap_free(swaps);
	return err;
}

/* ---- the table ---------------------------------------------------------- */

#define ON_HEAP		BIT(0)
#define ON_SESSION	BIT(1)
/* On a session: only its own process may; others may look. */
#define BY_OWNER	BIT(2)

/**
 * struct uioc - an ioctl
 * @fn: what it does
 * @size: bytes of its argument
 * @least: bytes that programs must pass: what there was when it was new
 * @flags: where it may be called
 */
struct uioc {
	int (*fn)(struct uctx *ctx, void *arg);
	unsigned int size;
	unsigned int least;
	unsigned int flags;
};

static const struct uioc iocs[] = {
#define IOC(cmd, type, func, how)					\
	[_IOC_NR(cmd)] = { func, sizeof(struct type), sizeof(struct type), how }
/* Fields were added after @last. */
#define IOC_GREW(cmd, type, last, func, how)				\
	[_IOC_NR(cmd)] = {						\
		func, sizeof(struct type), offsetofend(struct type, last), how	\
	}
	IOC_GREW(GOHEAP_IOC_INFO, goheap_info, map_stride, ioc_info,
		 ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_ROOT, goheap_root, ioc_root, ON_HEAP | ON_SESSION),
	IOC_GREW(GOHEAP_IOC_LIMIT, goheap_limit, used, ioc_limit,
		 ON_HEAP | ON_SESSION | BY_OWNER),
	IOC_GREW(GOHEAP_IOC_STATS, goheap_usage, bad, ioc_stats,
		 ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_TRIM, goheap_trim, ioc_trim,
	    ON_HEAP | ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_DEATH, goheap_death, ioc_death, ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_TYPE, goheap_type, ioc_type, ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_TYPE_STATS, goheap_type_usage, ioc_type_stats,
	    ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_LIST, goheap_list, ioc_list, ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_SESSION, goheap_session, ioc_session,
	    ON_HEAP | ON_SESSION),
	IOC(GOHEAP_IOC_ATTACH, goheap_attach, ioc_attach, ON_HEAP),
	IOC(GOHEAP_IOC_VIEW, goheap_view, ioc_view, ON_HEAP),
	IOC(GOHEAP_IOC_ALLOC, goheap_alloc_req, ioc_alloc,
	    ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_FREE, goheap_batch, ioc_free, ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_GIVE, goheap_batch, ioc_give, ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_RESIZE, goheap_resize, ioc_resize,
	    ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_DEFER, goheap_defer, ioc_defer, ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_FLUSH, goheap_flush, ioc_flush, ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_PUBLISH, goheap_publish, ioc_publish,
	    ON_SESSION | BY_OWNER),
	IOC(GOHEAP_IOC_RETIRE, goheap_batch, ioc_retire, ON_SESSION | BY_OWNER),
#undef IOC
#undef IOC_GREW
};

union uarg {
	u32 size;
	struct goheap_info info;
	struct goheap_root root;
	struct goheap_limit limit;
	struct goheap_usage usage;
	struct goheap_trim trim;
	struct goheap_death death;
	struct goheap_type type;
	struct goheap_type_usage type_usage;
	struct goheap_list list;
	struct goheap_session session;
	struct goheap_attach attach;
	struct goheap_view view;
	struct goheap_alloc_req alloc;
	struct goheap_batch batch;
	struct goheap_resize resize;
	struct goheap_defer defer;
	struct goheap_flush flush;
	struct goheap_publish publish;
};

/* The layout is the same for programs of 32 bits. */
static_assert(sizeof(struct goheap_info) == 72);
static_assert(sizeof(struct goheap_class) == 16);
static_assert(sizeof(struct goheap_root) == 32);
static_assert(sizeof(struct goheap_limit) == 32);
static_assert(sizeof(struct goheap_usage) == 160);
static_assert(sizeof(struct goheap_trim) == 16);
static_assert(sizeof(struct goheap_death) == 32);
static_assert(sizeof(struct goheap_type) == 72);
static_assert(sizeof(struct goheap_type_usage) == 96);
static_assert(sizeof(struct goheap_listed) == 32);
static_assert(sizeof(struct goheap_list) == 32);
static_assert(sizeof(struct goheap_session) == 32);
static_assert(sizeof(struct goheap_attach) == 24);
static_assert(sizeof(struct goheap_view) == 24);
static_assert(sizeof(struct goheap_alloc_req) == 40);
static_assert(sizeof(struct goheap_batch) == 24);
static_assert(sizeof(struct goheap_resize) == 24);
static_assert(sizeof(struct goheap_defer) == 16);
static_assert(sizeof(struct goheap_flush) == 32);
static_assert(sizeof(struct goheap_swap) == 56);
static_assert(sizeof(struct goheap_publish) == 24);

/* By number and direction, not by size: structures may grow. */
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

/* A new file cannot be taken back, so it is installed last. */
static int uctx_finish(struct uctx *ctx, int err)
{
	if (!ctx->file)
		return err;
	if (err) {
		put_unused_fd(ctx->fd);
		fput(ctx->file);
	} else {
		fd_install(ctx->fd, ctx->file);
	}
	return err;
}

static long do_ioctl(struct uctx *ctx, unsigned int cmd, void __user *uarg)
{
	const struct uioc *ioc = ioc_of(cmd, ctx->ss);
	union uarg arg;
	u32 size;
	int err;

	if (!ioc)
		return -ENOTTY;
	if (ioc->flags & BY_OWNER && ctx->ss && ctx->refusal)
		return ctx->refusal;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < ioc->least)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;

	err = copy_struct_from_user(&arg, ioc->size, uarg, size);
	if (err)
		return err;

	err = ioc->fn(ctx, &arg);
	arg.size = size;
	if (err != -EFAULT && copy_to_user(uarg, &arg, min(size, ioc->size)))
		err = -EFAULT;
	return uctx_finish(ctx, err);
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
	/* In a loop: another reader of the file may report a death first. */
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

	/* Another reader may have reported more deaths: never go back. */
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
	file->private_data = &h->all;
	/* Not the device's mapping: each heap has a window of its own. */
	file->f_mapping = h->inode->i_mapping;
	return nonseekable_open(inode, file);
}

/* A file of the file system, which has a reference to the heap. */
static int named_open(struct inode *inode, struct file *file)
{
	struct gh_uheap *h = inode->i_private;

	gh_uview_open(&h->all);
	file->private_data = &h->all;
	file->f_mapping = h->inode->i_mapping;
	return nonseekable_open(inode, file);
}

static int heap_release(struct inode *inode, struct file *file)
{
	gh_uview_close(file->private_data);
	return 0;
}

static long heap_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct gh_uview *view = file->private_data;
	struct uctx ctx = {
		.h = view->heap,
		.view = view,
		.refusal = file->f_mode & FMODE_WRITE ? 0 : -EBADF,
	};

	return do_ioctl(&ctx, cmd, (void __user *)arg);
}

static __poll_t heap_poll(struct file *file, poll_table *wait)
{
	struct gh_uview *view = file->private_data;

	return deaths_poll(view->heap, &view->seen, file, wait);
}

static ssize_t heap_read(struct file *file, char __user *buf, size_t len,
			 loff_t *pos)
{
	struct gh_uview *view = file->private_data;

	return deaths_read(view->heap, &view->seen, file, buf, len);
}

static void heap_fdinfo(struct seq_file *m, struct file *file)
{
	struct gh_uview *view = file->private_data;

	gh_ustats_fdinfo(m, view, NULL);
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

/*
 * Deaths cannot be read there: files of processes that know nothing of each other would
 * take them from each other, and who searches in all files would wait.
 */
const struct file_operations gh_ufile_named_fops = {
	.owner = THIS_MODULE,
	.open = named_open,
	.release = heap_release,
	.unlocked_ioctl = heap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = gh_umap_mmap,
	.show_fdinfo = heap_fdinfo,
};

static bool is_heap(const struct file *file)
{
	return file->f_op == &heap_fops || file->f_op == &gh_ufile_named_fops;
}

/* ---- a session's file --------------------------------------------------- */

static int is_file(const void *file, struct file *f, unsigned int fd)
{
	return f == file;
}

/*
 * A session belongs to the process that attached, and ends when that process
 * closes its last descriptor of it, calls exec() or exits, even if a child has
 * inherited one. A process that exits has no table of files any more, and
 * closes all descriptors.
 */
static int session_flush(struct file *file, fl_owner_t id)
{
	struct gh_usession *ss = file->private_data;

	if (ss->files != id)
		return 0;
	/* Another descriptor is left, by dup(). */
	if (current->files == id &&
	    iterate_fd(current->files, 0, is_file, file))
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
	struct uctx ctx = {
		.h = ss->heap,
		.view = ss->view,
		.ss = ss,
	};

	/* After its end, @files may be the table of another process. */
	if (READ_ONCE(ss->dead))
		ctx.refusal = -EOWNERDEAD;
	else if (ss->files != current->files)
		ctx.refusal = -EPERM;
	return do_ioctl(&ctx, cmd, (void __user *)arg);
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

	gh_ustats_fdinfo(m, ss->view, ss);
}

static const struct file_operations session_fops = {
	.owner = THIS_MODULE,
	.flush = session_flush,
	.release = session_release,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = gh_umap_mmap_side,
	.poll = session_poll,
	.read = session_read,
	.show_fdinfo = session_fdinfo,
};

/* ---- heaps for kernel code ---------------------------------------------- */

/**
 * goheap_user_get() - a user heap, by file descriptor
 * @fd: descriptor of the calling process, of /dev/goheap
 *
 * Context: process context.
 * Return: the heap, to be released with goheap_user_put(); or -EBADF if @fd is
 * no open file, -EINVAL if it is not a heap, -EACCES if it is not open for
 * writing.
 */
struct goheap_user *goheap_user_get(int fd)
{
	struct file *file = fget(fd);
	struct gh_uview *view;
	struct gh_uheap *h;

	if (!file)
		return ERR_PTR(-EBADF);

	if (!is_heap(file)) {
		h = ERR_PTR(-EINVAL);
	} else if (!(file->f_mode & FMODE_WRITE)) {
		h = ERR_PTR(-EACCES);
	} else {
		view = file->private_data;
		h = view->heap;
		kref_get(&h->ref);
	}
	fput(file);
	return (struct goheap_user *)h;
}
EXPORT_SYMBOL_GPL(goheap_user_get);

/**
 * goheap_user_put() - release a user heap
 * @heap: what goheap_user_get() returned; the caller has no pins of it left
 *
 * Context: process context, may sleep.
 */
void goheap_user_put(struct goheap_user *heap)
{
	gh_uheap_put((struct gh_uheap *)heap);
}
EXPORT_SYMBOL_GPL(goheap_user_put);

/* ---- the device --------------------------------------------------------- */

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "goheap",
	.fops = &heap_fops,
	.mode = 0660,
};

/**
 * gh_ufile_init() - make the device
 *
 * Context: process context, may sleep.
 * Return: 0 or an error.
 */
int gh_ufile_init(void)
{
	return misc_register(&device);
}

/**
 * gh_ufile_exit() - remove the device
 *
 * No process has a file of it: each has a reference to the module.
 *
 * Context: process context, may sleep.
 */
void gh_ufile_exit(void)
{
	misc_deregister(&device);
}
