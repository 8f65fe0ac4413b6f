/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file: /dev/goheap.
 */
#ifndef _GOHEAP_USER_FILE_H
#define _GOHEAP_USER_FILE_H

#include <linux/fs.h>

/* Of files whose inode has a heap as i_private. */
extern const struct file_operations gh_ufile_named_fops;

int gh_ufile_init(void);
void gh_ufile_exit(void);

#endif /* _GOHEAP_USER_FILE_H */
