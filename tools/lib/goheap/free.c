// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * free: freeing an object, whatever it is.
 */
#include "free.h"
#include "kernel.h"
#include "large.h"
#include "lock.h"
#include "report.h"
#include "small.h"

/**
 * lg_free_own() - free an object of this process that no magazine takes at once
 * @h: the heap
 * @p: an address in a span of this session
 * @entry: the page map's for it
 */
void lg_free_own(struct goheap *h, void *p, uint64_t entry)
{
	if (unlikely(!*lg_alive)) {
		lg_fork_found();
		return lg_free_other(h, p);
	}
	if (GOHEAP_PAGE_CLASS(entry))
		lg_small_free(h, p, entry);
	else
		lg_large_free(h, p, entry);
}

/**
 * lg_free_other() - free an address that may not be an object of this process
 * @h: the heap
 * @p: any address
 */
void lg_free_other(struct goheap *h, void *p)
{
	uint64_t entry;
	size_t bytes;

	if (!p)
		return;

	entry = lg_object_entry(h, p);
	if (entry && (entry & LG_OWN_MASK) == h->own)
		return lg_free_own(h, p, entry);
	if ((uintptr_t)p - h->base >= h->window)
		return lg_report_bad_free(h, p, EINVAL);

	/*
	 * The kernel accepts objects that were given, and a span without a session
	 * has no others, so these frees can wait. It refuses most of what remains,
	 * which the program must learn now.
	 */
	bytes = lg_object_size(h, p);
	if (bytes && !(entry & GOHEAP_PAGE_MMAP) &&
	    (entry & GOHEAP_PAGE_GIVEN || !GOHEAP_PAGE_SESSION(entry)))
		lg_cache_free_later(h, p, bytes);
	else
		lg_kernel_free(h, &p, 1);
}

LG_EXPORT void goheap_free(struct goheap *h, void *p)
{
	lg_free(h, p);
}
