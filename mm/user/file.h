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

#endif /* _GOHEAP_USER_FILE_H */
