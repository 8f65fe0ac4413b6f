/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * report: what goheap says when it refuses something.
 */
#ifndef _GOHEAP_REPORT_H
#define _GOHEAP_REPORT_H

#include <linux/goheap.h>

struct gh_central;
struct gh_heap;

void gh_report_bad_free(const void *p, enum goheap_bad_free kind,
			const struct gh_central *expected);
void gh_report_gfp(gfp_t gfp);
u64 gh_report_count(enum goheap_bad_free kind);

#endif /* _GOHEAP_REPORT_H */
