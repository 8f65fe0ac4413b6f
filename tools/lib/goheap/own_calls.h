/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_OWN_CALLS_H
#define LG_OWN_CALLS_H

int lg_own_calls(void);

#endif /* LG_OWN_CALLS_H */
