/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * name: a file system whose files are heaps.
 */
#ifndef _GOHEAP_USER_NAME_H
#define _GOHEAP_USER_NAME_H

int gh_uname_init(void);
void gh_uname_exit(void);

#endif /* _GOHEAP_USER_NAME_H */
