/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * given: objects that were given: freed by lists, taken by a session, given again.
 */
#ifndef _GOHEAP_USER_GIVEN_H
#define _GOHEAP_USER_GIVEN_H

#include "user.h"

int gh_ugiven_free_deferred(struct gh_usession *ss, u64 offset,
			    unsigned int index, bool ends,
			    struct list_head *empty);
void gh_ugiven_free_held(struct gh_usession *ss, u64 offset, bool ends,
			 struct list_head *empty);

int gh_ugiven_find(struct gh_uheap *h, u64 offset, u8 state,
		   struct gh_uspan **sp, unsigned int *idx);
void gh_ugiven_set_held(struct gh_usession *ss, struct gh_uspan *s,
			unsigned int i, bool held);
int gh_ugiven_give_if(struct gh_usession *ss, u64 offset, u64 *word, u64 expect,
		      u64 *value);
void gh_ugiven_free(struct gh_uspan *s, unsigned int i,
		    struct list_head *empty);
void gh_ugiven_free_retired(struct gh_uspan *s, u8 state, struct list_head *empty);

int gh_ugiven_word(struct gh_usession *ss, u64 at, u64 **wordp);

#endif /* _GOHEAP_USER_GIVEN_H */
