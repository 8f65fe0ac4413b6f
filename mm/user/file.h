/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file: /dev/goheap.
 */
#ifndef _GOHEAP_USER_FILE_H
#define _GOHEAP_USER_FILE_H

int gh_ufile_init(void);
void gh_ufile_exit(void);

#endif /* _GOHEAP_USER_FILE_H */
