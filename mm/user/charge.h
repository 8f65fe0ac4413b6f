/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * charge: who pays for the pages of user heaps, and how many there may be.
 */
#ifndef _GOHEAP_USER_CHARGE_H
#define _GOHEAP_USER_CHARGE_H

#include "user.h"

/**
 * enum gh_ubound - which limit refuses pages to a session
 * @GH_UBOUND_NONE: none of these; a user's, the module's, or there is no memory
 * @GH_UBOUND_SESSION: its own
 * @GH_UBOUND_VIEW: its view's
 * @GH_UBOUND_TYPE: the type's
 * @GH_UBOUND_HEAP: the heap's
 */
enum gh_ubound {
	GH_UBOUND_NONE,
	GH_UBOUND_SESSION,
	GH_UBOUND_VIEW,
	GH_UBOUND_TYPE,
	GH_UBOUND_HEAP,
};

/* Bound on the heap pages of all user heaps, ULONG_MAX for none. */
extern unsigned long gh_user_max_pages;

void gh_ucharge_init(void);
bool gh_ucharge_add(const struct cred *payer, unsigned long npages);
void gh_ucharge_sub(const struct cred *payer, unsigned long npages);
unsigned long gh_ucharge_total(unsigned long *max);
void *gh_ucharge_new_record(size_t size);
void gh_ucharge_free_record(void *rec, const struct cred *payer);
int gh_ucharge_add_span(struct gh_usession *owner, struct gh_utype *type,
			const struct cred *payer, unsigned long npages);
void gh_ucharge_sub_span(struct gh_uheap *h, struct gh_utype *type,
			 const struct cred *payer, unsigned long npages);
bool gh_ucharge_is_payer(const struct gh_uspan *s);
int gh_ucharge_set_payer(struct gh_uspan *s, const struct cred **payer);
void gh_ucharge_owner(struct gh_usession *ss, long npages);
void gh_ucharge_view(struct gh_uview *view, long npages);
enum gh_ubound gh_ucharge_bound(struct gh_usession *owner,
				const struct gh_utype *type,
				unsigned long npages);
int gh_ucharge_move_span(struct gh_uspan *s, struct gh_usession *to);

/**
 * gh_ucharge_pages_of() - a bound as programs say it
 * @bytes: bytes, 0 for none
 *
 * Return: whole heap pages, at least one; %ULONG_MAX for none.
 */
static inline unsigned long gh_ucharge_pages_of(u64 bytes)
{
	return bytes ? clamp_t(u64, bytes >> GH_PAGE_SHIFT, 1, ULONG_MAX) :
		       ULONG_MAX;
}

/**
 * gh_ucharge_bytes_of() - a count of heap pages, or a bound, as programs see it
 * @npages: heap pages, %ULONG_MAX for none
 *
 * Return: bytes, 0 for none.
 */
static inline u64 gh_ucharge_bytes_of(unsigned long npages)
{
	return npages == ULONG_MAX ? 0 : (u64)npages << GH_PAGE_SHIFT;
}

#endif /* _GOHEAP_USER_CHARGE_H */
