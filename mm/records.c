// SPDX-License-Identifier: GPL-2.0-only
/*
 * records: gives the memory of a heap's records back.
 *
 * A heap has a fixalloc for each kind and size of its records. After a spike of
 * objects they have many free records, some of which must wait for a grace
 * period. Freeing a record neither starts a grace period nor frees pages,
 * because it may happen in any context. So the background work does both, once
 * a second, and so does goheap_shrink(), which also waits for the grace period.
 */
#include <linux/kernel.h>
#include <linux/rcupdate.h>

#include "compat.h"
#include "records.h"

/* Grace periods that gh_records_trim() waits for at most. */
#define TRIM_TRIES	3

/* The fixallocs of a heap, one after the other; NULL past the last. */
static struct gh_fixalloc *records_nth(struct gh_heap *h, unsigned int n)
{
	struct gh_fixalloc *others[] = {
		&h->spans, &h->tiny_meta, &h->areas, &h->huge_recs,
		&h->caches_rec, &h->homes,
	};

	if (n < GH_NUM_META)
		return &h->meta[n];
	n -= GH_NUM_META;
	if (n < GH_NUM_MAGS)
		return &h->mags[n];
	n -= GH_NUM_MAGS;
	return n < ARRAY_SIZE(others) ? others[n] : NULL;
}

/**
 * gh_records_age() - free chunks of records that no reader can see any more
 * @h: the heap
 *
 * Context: process context, may sleep, but does not wait for grace periods.
 * Return: true if there are records that wait for one.
 */
bool gh_records_age(struct gh_heap *h)
{
	struct gh_fixalloc *f;
	bool more = false;
	unsigned int n;

	for (n = 0; (f = records_nth(h, n)); n++)
		more |= gh_fixalloc_age(f);
	return more;
}
GH_EXPORT_FOR_TESTS(gh_records_age);

/**
 * gh_records_trim() - free all chunks in which no record is in use
 * @h: the heap
 *
 * Waits for the grace periods of records that were freed before. If other tasks
 * go on freeing, some of theirs may be left.
 *
 * Context: process context, may sleep.
 */
void gh_records_trim(struct gh_heap *h)
{
	unsigned int tries = TRIM_TRIES;
	struct gh_fixalloc *f;
	unsigned int n;

	while (gh_records_age(h) && tries--)
		synchronize_rcu();
	for (n = 0; (f = records_nth(h, n)); n++)
		gh_fixalloc_trim(f);
}

/**
 * gh_records_destroy() - free all chunks
 * @h: the heap, which nobody uses
 *
 * Context: process context, may sleep.
 * Return: how many records were still in use.
 */
unsigned long gh_records_destroy(struct gh_heap *h)
{
	unsigned long left = 0;
	struct gh_fixalloc *f;
	unsigned int n;

	for (n = 0; (f = records_nth(h, n)); n++)
		left += gh_fixalloc_destroy(f);
	return left;
}
