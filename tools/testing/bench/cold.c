// SPDX-License-Identifier: GPL-2.0-only
/*
 * First allocations of large objects: nobody has memory of such a size at hand, and
 * all of it comes from the system.
 */
#include <linux/sizes.h>

#include "peers.h"

/* Objects of a round: so many bytes, and so many at most. */
#define COLD_BYTES	SZ_64M
#define COLD_OBJS	256

static __always_inline int cold_loop(const struct bench_shape *shape, u64 *ns,
				     enum bench_peer peer)
{
	void **objs = shape->data;
	unsigned int n = 0;
	u64 start;

	/* Of all peers only goheap keeps memory for later. */
	goheap_shrink();
	start = ktime_get_ns();
	while (n < shape->count) {
		objs[n] = peer_take(&shape->pools, peer, shape->size, GFP_KERNEL);
		if (unlikely(!objs[n]))
			break;
		n++;
	}
	*ns = ktime_get_ns() - start;

	start = n;
	while (n--)
		peer_free(&shape->pools, peer, shape->size, objs[n]);
	return start == shape->count ? 0 : -ENOMEM;
}

static int cold_round(struct bench_shape *shape, enum bench_peer peer,
		      struct bench_sample *sample)
{
	return peer_dispatch(peer, cold_loop, shape, &sample->ns);
}

/**
 * bench_cold_group() - first allocations of 32 KiB to 16 MiB
 * @set: how; the scale does not matter
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative error.
 */
int bench_cold_group(const struct bench_settings *set)
{
	static const size_t sizes[] = { SZ_32K, SZ_64K, SZ_256K, SZ_1M, SZ_4M, SZ_16M };
	void **objs = kvcalloc(COLD_OBJS, sizeof(*objs), GFP_KERNEL);
	unsigned int i;
	int err = 0;

	if (!objs)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		struct bench_shape shape = {
			.name = "cold",
			.peers = BIT(BENCH_KMALLOC) | BIT(BENCH_KVMALLOC) |
				 BIT(BENCH_VMALLOC) | BIT(BENCH_GOHEAP_ALLOC),
			.size = sizes[i],
			.count = min_t(size_t, COLD_BYTES / sizes[i], COLD_OBJS),
			.order = BENCH_NO_ORDER,
			.cpus = 1,
			.round = cold_round,
			.data = objs,
		};

		shape.ops = shape.count;
		err = bench_measure(set, &shape);
	}
	kvfree(objs);
	return err;
}
