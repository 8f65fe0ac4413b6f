/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_FORK_H
#define LG_FORK_H

int lg_fork_init(void);

#endif /* LG_FORK_H */
