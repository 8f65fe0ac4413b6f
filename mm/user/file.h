/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uapi: /dev/goheap.
 */
#ifndef _GOHEAP_USER_FILE_H
#define _GOHEAP_USER_FILE_H

#include <linux/fs.h>
#include <linux/seq_file.h>

#include "user.h"

int gh_uapi_init(void);
void gh_uapi_exit(void);
struct gh_uheap *gh_uheap_of_file(const struct file *file);

/* ustats.c */
void gh_uheap_usage(struct gh_uheap *h, struct gh_usession *ss,
		    struct goheap_usage *u);
void gh_uheap_fdinfo(struct seq_file *m, struct gh_uheap *h,
		     struct gh_usession *ss);
void gh_ustats_init(struct dentry *dir);

#endif /* _GOHEAP_USER_FILE_H */
