// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * object: what an address is, and what cannot be freed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

static goheap_bad_free_fn bad_free_fn;

/* ---- the page map ------------------------------------------------------- */

/*
 * The page map has memory as far as the heap ever grew; beyond, a read is a bus
 * error. A system call that reads before it refuses tells.
 */
bool lg_map_readable(struct goheap *h, uint64_t offset)
{
	const uint64_t *at = &h->map[offset >> LG_PAGE_SHIFT];
	uint64_t known = __atomic_load_n(&h->known, __ATOMIC_RELAXED);
	int saved = errno;
	bool ok;

	if (likely(offset < known))
		return true;
	if (offset >= h->window)
		return false;
	syscall(SYS_rt_sigprocmask, ~0, at, NULL, 8);
	ok = errno != EFAULT;
	errno = saved;
	return ok;
}

/* The entry of an address's page, or 0. */
uint64_t lg_map_entry(struct goheap *h, const void *p)
{
	uint64_t offset = (uintptr_t)p - h->base;

	if (offset >= h->window || !lg_map_readable(h, offset))
		return 0;
	return __atomic_load_n(&h->map[offset >> LG_PAGE_SHIFT],
			       __ATOMIC_RELAXED);
}

/* Whether page @page + @i is that far into the large object at @page. */
static bool is_part(struct goheap *h, uint64_t page, uint64_t i)
{
	uint64_t entry, offset = (page + i) << LG_PAGE_SHIFT;

	/* Objects of our own end where the map is known, or before. */
	if (offset >= __atomic_load_n(&h->known, __ATOMIC_RELAXED) &&
	    (h->map[page] & LG_OWN_MASK) == h->own)
		return false;
	entry = lg_map_entry(h, (void *)(h->base + offset));
	if (i > GOHEAP_PAGE_INDEX_MAX)
		i = GOHEAP_PAGE_INDEX_MAX;
	return entry && GOHEAP_PAGE_INDEX(entry) == i;
}

/*
 * Pages of a large object. Which page of its span a page is, its entry says; so
 * a page is of this object if its entry says what it must be then, and the
 * last is found by halves. Beyond GOHEAP_PAGE_INDEX_MAX entries say no more than
 * that; steps of that length cannot pass over the beginning of another.
 */
static uint64_t large_pages(struct goheap *h, uint64_t page)
{
	const uint64_t most = GOHEAP_PAGE_INDEX_MAX;
	uint64_t step, lo = 0;

	for (;;) {
		for (step = 1; step < most && is_part(h, page, lo + step);)
			step *= 2;
		if (step < most || !is_part(h, page, lo + most))
			break;
		lo += most;
	}
	/* All steps together are not more than most. */
	while (step /= 2)
		if (is_part(h, page, lo + step))
			lo += step;
	return lo + 1;
}

/**
 * lg_object_size() - how long an object is
 * @h: the heap
 * @p: an address
 *
 * Return: bytes, or 0 if no object starts there.
 */
size_t lg_object_size(struct goheap *h, const void *p)
{
	uint64_t entry = lg_map_entry(h, p);
	uint64_t offset = (uintptr_t)p - h->base;
	const struct lg_class *k;
	struct lg_mag m;

	if (!entry)
		return 0;
	k = &h->class[GOHEAP_PAGE_CLASS(entry)];
	m.inverse = k->inverse;
	m.shift = k->shift;
	m.nelems = k->nelems;
	if (k->size)
		return lg_starts_object(&m, entry, offset) ? k->size : 0;
	if (!lg_starts_large(p, entry))
		return 0;
	return large_pages(h, offset >> LG_PAGE_SHIFT) << LG_PAGE_SHIFT;
}

/**
 * lg_is_kept() - whether an object of our own is free
 * @h: the heap
 * @p: any address
 *
 * For the kernel what is kept here is allocated: it must not be given or resized.
 *
 * Return: true if it is an object that was freed, and is kept here.
 */
bool lg_is_kept(struct goheap *h, const void *p)
{
	uint64_t entry = lg_map_entry(h, p);

	if ((entry & LG_OWN_MASK) != h->own)
		return false;
	if (!GOHEAP_PAGE_CLASS(entry))
		return lg_starts_large(p, entry) && *lg_npages(h, p) & LG_KEPT;
	return lg_object_size(h, p) && lg_word(p) == lg_cookie(h, p);
}

/**
 * lg_free_other() - free what is not simply an object of our own
 * @h: the heap
 * @p: any address
 */
void lg_free_other(struct goheap *h, void *p)
{
	uint64_t entry;
	size_t bytes;

	if (!p)
		return;
	if (lg_inherited(p))
		return lg_inherited_free(p);
	entry = lg_map_entry(h, p);
	if (entry && (entry & LG_OWN_MASK) == h->own)
		return lg_free_slow(h, p, entry);
	if ((uintptr_t)p - h->base >= h->window)
		return lg_bad_free(h, p, EINVAL);
	/* What is refused should be refused now; if the session ended, it is not. */
	bytes = lg_object_size(h, p);
	if (bytes && (entry & GOHEAP_PAGE_GIVEN || !GOHEAP_PAGE_SESSION(entry)))
		lg_free_later(h, p, bytes);
	else
		lg_kernel_free(h, &p, 1);
}

/* ---- bad frees ---------------------------------------------------------- */

static const char *bad_text(int err)
{
	switch (err) {
	case ENOENT:
		return "is free already";
	case EPERM:
		return "belongs to another process";
	case EBUSY:
		return "is held by the kernel and stays";
	default:
		return "is not the start of an object";
	}
}

/**
 * lg_bad_free() - report what could not be freed
 * @h: the heap
 * @p: the address
 * @err: why
 *
 * Without stdio: who frees badly may have damaged anything.
 */
void lg_bad_free(struct goheap *h, const void *p, int err)
{
	goheap_bad_free_fn fn = __atomic_load_n(&bad_free_fn, __ATOMIC_ACQUIRE);
	int len, saved = errno;
	char text[128];

	if (fn)
		return fn(h, p, err);
	len = snprintf(text, sizeof(text), "goheap: bad free: %p %s\n", p,
		       bad_text(err));
	if (write(STDERR_FILENO, text, len) != len || err != EBUSY)
		abort();
	errno = saved;
}

LG_EXPORT goheap_bad_free_fn goheap_on_bad_free(goheap_bad_free_fn fn)
{
	return __atomic_exchange_n(&bad_free_fn, fn, __ATOMIC_ACQ_REL);
}
