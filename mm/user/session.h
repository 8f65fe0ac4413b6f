/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * session: a process's share of a user heap, from its beginning to its end.
 */
#ifndef _GOHEAP_USER_SESSION_H
#define _GOHEAP_USER_SESSION_H

#include "user.h"

struct gh_usession *gh_usession_begin(struct gh_uview *view,
				      unsigned long limit);
void gh_usession_end(struct gh_usession *ss);
void gh_usession_put(struct gh_usession *ss);

int gh_usession_death(struct gh_uheap *h, struct goheap_death *d);

#endif /* _GOHEAP_USER_SESSION_H */
