/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * publish: exchanges of words that processes share, with what they lead to.
 */
#ifndef _GOHEAP_USER_PUBLISH_H
#define _GOHEAP_USER_PUBLISH_H

#include "user.h"

int gh_upublish(struct gh_usession *ss, struct goheap_swap *swaps,
		unsigned int n, bool nowait, unsigned int *bad);

#endif /* _GOHEAP_USER_PUBLISH_H */
