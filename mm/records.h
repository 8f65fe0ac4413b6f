/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * records: gives the memory of a heap's records back.
 */
#ifndef _GOHEAP_RECORDS_H
#define _GOHEAP_RECORDS_H

#include "mheap.h"

bool gh_records_age(struct gh_heap *h);
void gh_records_trim(struct gh_heap *h);
unsigned long gh_records_destroy(struct gh_heap *h);

#endif /* _GOHEAP_RECORDS_H */
