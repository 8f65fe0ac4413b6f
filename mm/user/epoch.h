/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * epoch: objects that are retired, and freed when nobody reads them any more.
 */
#ifndef _GOHEAP_USER_EPOCH_H
#define _GOHEAP_USER_EPOCH_H

#include "user.h"

int gh_uepoch_setup(void);
void gh_uepoch_teardown(void);
void gh_uepoch_init(struct gh_uheap *h);
void gh_uepoch_destroy(struct gh_uheap *h);

int gh_uepoch_wait(struct gh_uheap *h, bool nowait);
void gh_uepoch_add(struct gh_uspan *s, unsigned int i);
int gh_uepoch_retire(struct gh_usession *ss, const u64 *offsets, unsigned int n,
		     bool nowait, unsigned int *bad);
u64 gh_uepoch_waited(const struct gh_usession *ss);
int gh_uepoch_session(struct gh_uheap *h, struct goheap_session *req);

#endif /* _GOHEAP_USER_EPOCH_H */
