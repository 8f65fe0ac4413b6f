/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * report: what goheap says when it refuses something.
 */
#ifndef _GOHEAP_REPORT_H
#define _GOHEAP_REPORT_H

#include <linux/goheap.h>

struct gh_span;

enum goheap_bad_free gh_bad_kind(const struct gh_span *s, unsigned long addr,
				 bool mine);
void gh_report_bad_free(const void *p, enum goheap_bad_free kind,
			const char *freed_to);
void gh_report_gfp(gfp_t gfp);
u64 gh_report_count(enum goheap_bad_free kind);

#endif /* _GOHEAP_REPORT_H */
