// SPDX-License-Identifier: GPL-2.0-only
/*
 * name: a file system whose files are heaps.
 *
 * A file of it is a heap from its creation until it is unlinked, and nobody uses it
 * any more. Owner and mode say who may open it, and whether for writing. There is nothing
 * in the file to read or write: it is for mmap() and ioctl().
 */
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/seq_file.h>
#include <linux/statfs.h>

#include "../compat.h"
#include "../fault.h"
#include "../peek.h"
#include "charge.h"
#include "file.h"
#include "heap.h"
#include "name.h"
#include "view.h"

#define DEFAULT_MODE	0755

/* ---- files -------------------------------------------------------------- */

/* The heap has no length of its own, and the window's cannot be changed. */
static int file_setattr(GH_IDMAP *idmap, struct dentry *dentry,
			struct iattr *attr)
{
	/* It is 0, so open() with O_TRUNC does not change it. */
	if (attr->ia_valid & ATTR_SIZE && attr->ia_size)
		return -EINVAL;
	return simple_setattr(idmap, dentry, attr);
}

/* What du(1) shows: pages in spans. */
static int file_getattr(GH_IDMAP *idmap, const struct path *path,
			struct kstat *stat, u32 mask, unsigned int flags)
{
	const struct gh_uheap *h = d_inode(path->dentry)->i_private;
	int err = simple_getattr(idmap, path, stat, mask, flags);

	stat->blocks = gh_ucharge_bytes_of(gh_peek(h->npages)) >> SECTOR_SHIFT;
	return err;
}

static const struct inode_operations file_iops = {
	.setattr = file_setattr,
	.getattr = file_getattr,
};

/* ---- directories -------------------------------------------------------- */

static const struct inode_operations dir_iops;

static struct inode *inode_make(struct super_block *sb,
				const struct inode *dir, umode_t mode)
{
	struct inode *inode = gh_fault(GH_FAULT_USER) ? NULL : new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode_init_owner(gh_nop_idmap, inode, dir, mode);
	gh_inode_init_times(inode);
	if (S_ISDIR(mode)) {
		inode->i_op = &dir_iops;
		inode->i_fop = &simple_dir_operations;
		/* Its own entry "." is a link, too. */
		inc_nlink(inode);
	} else {
		inode->i_op = &file_iops;
		inode->i_fop = &gh_ufile_named_fops;
	}
	return inode;
}

static int dir_add(struct inode *dir, struct dentry *dentry, umode_t mode,
		   struct gh_uheap *h)
{
	struct inode *inode = inode_make(dir->i_sb, dir, mode);

	if (!inode)
		return -ENOMEM;
	inode->i_private = h;
	gh_d_make_persistent(dentry, inode);
	gh_inode_touch(dir);
	return 0;
}

static int dir_create(GH_IDMAP *idmap, struct inode *dir,
		      struct dentry *dentry, umode_t mode, bool excl)
{
	struct gh_uheap *h = gh_uheap_create();
	int err;

	if (IS_ERR(h))
		return PTR_ERR(h);
	err = dir_add(dir, dentry, mode | S_IFREG, h);
	if (err)
		gh_uheap_put(h);
	return err;
}

static GH_MKDIR_RESULT dir_mkdir(GH_IDMAP *idmap, struct inode *dir,
				 struct dentry *dentry, umode_t mode)
{
	int err = dir_add(dir, dentry, mode | S_IFDIR, NULL);

	if (!err)
		inc_nlink(dir);
	return gh_mkdir_result(err);
}

static const struct inode_operations dir_iops = {
	.create = dir_create,
	.lookup = simple_lookup,
	.unlink = simple_unlink,
	.mkdir = dir_mkdir,
	.rmdir = simple_rmdir,
	.rename = simple_rename,
};

/* ---- the file system ---------------------------------------------------- */

static void sb_evict_inode(struct inode *inode)
{
	struct gh_uheap *h = inode->i_private;

	clear_inode(inode);
	if (h)
		gh_uview_close(&h->all);
}

/* What df(1) shows: all user heaps, named or not, and the bound on them. */
static int sb_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	unsigned long max, used = gh_ucharge_total(&max);

	buf->f_type = GOHEAP_FS_MAGIC;
	buf->f_bsize = GH_PAGE_SIZE;
	buf->f_frsize = GH_PAGE_SIZE;
	buf->f_namelen = NAME_MAX;
	buf->f_blocks = max;
	buf->f_bfree = max - min(used, max);
	buf->f_bavail = buf->f_bfree;
	return 0;
}

static int sb_show_options(struct seq_file *m, struct dentry *root)
{
	umode_t mode = d_inode(root)->i_mode & S_IALLUGO;

	if (mode != DEFAULT_MODE)
		seq_printf(m, ",mode=%o", mode);
	return 0;
}

static const struct super_operations sb_ops = {
	.statfs = sb_statfs,
	.evict_inode = sb_evict_inode,
	.show_options = sb_show_options,
};

static int sb_fill(struct super_block *sb, struct fs_context *fc)
{
	umode_t mode = (unsigned long)fc->fs_private;
	struct inode *inode;

	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_magic = GOHEAP_FS_MAGIC;
	sb->s_op = &sb_ops;
	sb->s_time_gran = 1;
	sb->s_iflags |= SB_I_NOEXEC | SB_I_NODEV;

	inode = inode_make(sb, NULL, mode | S_IFDIR);
	sb->s_root = inode ? d_make_root(inode) : NULL;
	return sb->s_root ? 0 : -ENOMEM;
}

enum { OPT_MODE };

static const struct fs_parameter_spec parameters[] = {
	fsparam_u32oct("mode", OPT_MODE),
	{}
};

static int context_parse(struct fs_context *fc, struct fs_parameter *param)
{
	struct fs_parse_result result;
	int opt = fs_parse(fc, parameters, param, &result);

	if (opt < 0)
		return opt;
	if (result.uint_32 & ~S_IALLUGO)
		return invalf(fc, "goheap: mode has bits that are none");
	fc->fs_private = (void *)(unsigned long)result.uint_32;
	return 0;
}

static int context_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, sb_fill);
}

static const struct fs_context_operations context_ops = {
	.parse_param = context_parse,
	.get_tree = context_get_tree,
};

static int context_init(struct fs_context *fc)
{
	fc->fs_private = (void *)DEFAULT_MODE;
	fc->ops = &context_ops;
	return 0;
}

static struct file_system_type type = {
	.name = "goheap",
	.owner = THIS_MODULE,
	.init_fs_context = context_init,
	.parameters = parameters,
	.kill_sb = gh_kill_persistent_super,
};
MODULE_ALIAS_FS("goheap");

/**
 * gh_uname_init() - make the file system known
 *
 * Context: process context, may sleep.
 * Return: 0 or an error.
 */
int gh_uname_init(void)
{
	return register_filesystem(&type);
}

/**
 * gh_uname_exit() - forget the file system, which is mounted nowhere
 *
 * Context: process context, may sleep.
 */
void gh_uname_exit(void)
{
	unregister_filesystem(&type);
}
