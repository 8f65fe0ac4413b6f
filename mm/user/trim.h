/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trim: spans that sessions keep without using them go back to the system.
 */
#ifndef _GOHEAP_USER_TRIM_H
#define _GOHEAP_USER_TRIM_H

#include "user.h"

long gh_utrim_session(struct gh_usession *ss);
long gh_utrim_view(struct gh_uview *view);
struct gh_uspan *gh_utrim_make_span(struct gh_usession *owner,
				    const struct gh_ushape *shape);

#endif /* _GOHEAP_USER_TRIM_H */
