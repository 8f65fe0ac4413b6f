/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of deferred frees share: a session with its list.
 */
#ifndef _USER_SIDE_H
#define _USER_SIDE_H

#include "user_test.h"

#define LIST_BYTES	(GOHEAP_NR_DEFERRED * sizeof(__u64))
#define READERS_BYTES	(GOHEAP_NR_READERS * sizeof(struct goheap_reader))
#define SIDE_BYTES	(GOHEAP_MMAP_READERS + READERS_BYTES)

static inline int defer_flags(int ss, __u32 flags, __u32 first, __u32 count)
{
	struct goheap_defer r = {
		.size = sizeof(r),
		.flags = flags,
		.first = first,
		.count = count,
	};

	return call(ss, GOHEAP_IOC_DEFER, &r);
}

static inline int defer(int ss, __u32 first, __u32 count)
{
	return defer_flags(ss, 0, first, count);
}

static inline int flush(int ss, __u32 first, __u32 count, struct goheap_flush *out)
{
	struct goheap_flush r = {
		.size = sizeof(r),
		.first = first,
		.count = count,
		.bad = ~0U,
	};
	int err = call(ss, GOHEAP_IOC_FLUSH, &r);

	if (out)
		*out = r;
	return err;
}

static inline __u64 *list_map(int ss)
{
	return mmap(NULL, LIST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ss, 0);
}

/* A process's session, and its list with memory. */
struct side {
	int ss;
	__u32 id;
	__u64 *list;
};

static inline void side_close(struct side *s)
{
	munmap(s->list, LIST_BYTES);
	close(s->ss);
}

static inline int side_open(struct side *s, int heap)
{
	int err;

	s->ss = attach(heap);
	if (s->ss < 0)
		return s->ss;
	s->id = usage(s->ss).session;
	s->list = list_map(s->ss);
	if (s->list == MAP_FAILED) {
		err = -errno;
		close(s->ss);
		return err;
	}
	err = defer(s->ss, 0, GOHEAP_MAX_BATCH);
	if (err)
		side_close(s);
	return err;
}

static inline __u64 *mark_of(__u8 *win, __u64 at, size_t length)
{
	return (__u64 *)(win + at) + (length > 8);
}

/* Free it later, as a library would. */
static inline void enter(struct side *s, __u8 *win, __u64 at, size_t length,
			 unsigned int index)
{
	*mark_of(win, at, length) = GOHEAP_DEFERRED_MARK(s->id, index);
	__atomic_store_n(&s->list[index], GOHEAP_DEFERRED | at,
			 __ATOMIC_RELEASE);
}

/* Free later what is held in an entry. */
static inline void release(struct side *s, __u64 at, unsigned int index)
{
	__atomic_store_n(&s->list[index],
			 GOHEAP_DEFERRED | GOHEAP_RELEASED | at,
			 __ATOMIC_RELEASE);
}

static inline int publish_flags(int ss, __u32 flags, struct goheap_swap *swaps,
				unsigned int n, unsigned int *bad)
{
	struct goheap_publish r = {
		.size = sizeof(r),
		.flags = flags,
		.swaps = (uintptr_t)swaps,
		.count = n,
		.bad = ~0U,
	};
	int err = call(ss, GOHEAP_IOC_PUBLISH, &r);

	if (bad)
		*bad = r.bad;
	return err;
}

static inline int publish(int ss, struct goheap_swap *swaps, unsigned int n,
			  unsigned int *bad)
{
	return publish_flags(ss, 0, swaps, n, bad);
}

#endif /* _USER_SIDE_H */
