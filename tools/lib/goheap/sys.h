/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_SYS_H
#define LG_SYS_H

#include "types.h"

/* Our descriptors are not below this one: shells and daemons close lower ones. */
#define LG_HIGH_FD	900

void *lg_sys_map(size_t bytes);
void lg_sys_unmap(void *p, size_t bytes);
void lg_sys_close(int fd);
int lg_sys_high_fd(int fd);
uint64_t lg_sys_random(void);

#endif /* LG_SYS_H */
