/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * goheap_bench: goheap and its peers measured side by side, in one module.
 *
 *	main.c		debugfs: which group is run
 *	measure.c	rounds, in which peers take turns; minimum and median
 *	result.c	what was measured, in debugfs
 *	peers.[ch]	the allocators, as inline functions of a constant peer
 *	team.c		threads that start together
 *	counts.[ch]	instructions under locks, with interrupts off, and so on
 *	the others	the groups
 *
 * A group runs shapes. A shape is what every peer does in the same way; its round
 * function does it once with one peer, and says how long it took.
 */
#ifndef GOHEAP_BENCH_H
#define GOHEAP_BENCH_H

#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/types.h>

struct dentry;
struct gen_pool;
struct goheap_cache;
struct kmem_cache;
struct mutex;
struct task_struct;

/* Object size where a group has only one; bytes. */
#define BENCH_SIZE	64

/**
 * enum bench_peer - an allocator
 * @BENCH_FLOOR: a bare per-CPU stack of objects
 * @BENCH_KMEM_CACHE: kmem_cache_alloc(), from a cache that is not merged
 * @BENCH_KMALLOC: kmalloc()
 * @BENCH_KVMALLOC: kvmalloc()
 * @BENCH_VMALLOC: vmalloc()
 * @BENCH_ALLOC_PAGES: alloc_pages()
 * @BENCH_GENALLOC: gen_pool_alloc()
 * @BENCH_GOHEAP_CACHE: goheap_cache_alloc()
 * @BENCH_GOHEAP_ALLOC: goheap_alloc()
 * @BENCH_GOHEAP_DATA: goheap_alloc_data()
 * @BENCH_PAGEALLOC: the page allocator inside of goheap
 * @BENCH_NR_PEERS: number of peers
 */
enum bench_peer {
	BENCH_FLOOR,
	BENCH_KMEM_CACHE,
	BENCH_KMALLOC,
	BENCH_KVMALLOC,
	BENCH_VMALLOC,
	BENCH_ALLOC_PAGES,
	BENCH_GENALLOC,
	BENCH_GOHEAP_CACHE,
	BENCH_GOHEAP_ALLOC,
	BENCH_GOHEAP_DATA,
	BENCH_PAGEALLOC,
	BENCH_NR_PEERS
};

/* All that serve objects of any kind, and those that are made for many objects. */
#define BENCH_ANY_PEER	(BIT(BENCH_PAGEALLOC) - 1)
#define BENCH_FOUR	(BIT(BENCH_KMEM_CACHE) | BIT(BENCH_KMALLOC) | \
			 BIT(BENCH_GOHEAP_CACHE) | BIT(BENCH_GOHEAP_ALLOC))
/* Those of them that take objects of different sizes. */
#define BENCH_TWO	(BIT(BENCH_KMALLOC) | BIT(BENCH_GOHEAP_ALLOC))

/**
 * enum bench_order - the order in which the objects of a batch are freed
 * @BENCH_LIFO: the newest is the first to go
 * @BENCH_FIFO: the oldest is
 * @BENCH_RANDOM: in a pseudo-random order, the same for all peers
 * @BENCH_NO_ORDER: does not apply
 */
enum bench_order {
	BENCH_LIFO,
	BENCH_FIFO,
	BENCH_RANDOM,
	BENCH_NO_ORDER
};

/**
 * struct bench_settings - how a group is run
 * @rounds: measured rounds
 * @scale: percent of the usual number of operations
 * @cpus: CPUs to use at most
 */
struct bench_settings {
	unsigned int rounds;
	unsigned int scale;
	unsigned int cpus;
};

/**
 * struct bench_pools - what peers need for the objects of one shape
 * @slab: for BENCH_KMEM_CACHE
 * @cache: for BENCH_GOHEAP_CACHE
 * @pool: for BENCH_GENALLOC
 * @pool_memory: what @pool hands out
 */
struct bench_pools {
	struct kmem_cache *slab;
	struct goheap_cache *cache;
	struct gen_pool *pool;
	void *pool_memory;
};

#define BENCH_NOT_HELD	(~0ULL)

/**
 * struct bench_sample - what one round found
 * @ns: how long it took
 * @ops: objects that were allocated and freed; the shape's number unless set
 * @held: bytes taken from the system at the peak, or BENCH_NOT_HELD
 */
struct bench_sample {
	u64 ns;
	u64 ops;
	u64 held;
};

/**
 * struct bench_shape - what is measured on several peers
 * @name: of the shape
 * @peers: one bit a peer; those that cannot do it are dropped
 * @size: bytes of an object; 0 if they differ
 * @count: objects that are live at a time, on one CPU
 * @order: in which they are freed
 * @zero: whether they are asked for zeroed
 * @cpus: CPUs that work at the same time
 * @ops: objects that are allocated and freed in a round
 * @round: do it once; 0 or a negative error
 * @pools: there while @round is called
 * @data: of the group
 */
struct bench_shape {
	const char *name;
	unsigned long peers;
	size_t size;
	unsigned int count;
	enum bench_order order;
	bool zero;
	unsigned int cpus;
	u64 ops;
	int (*round)(struct bench_shape *shape, enum bench_peer peer,
		     struct bench_sample *sample);
	struct bench_pools pools;
	void *data;
};

/* @ops of a full run, as the settings want it, and at least @least. */
static inline u64 bench_scaled(const struct bench_settings *set, u64 ops, u64 least)
{
	return max(div_u64(ops * set->scale, 100), least);
}

/* result.c */
extern struct mutex bench_run_lock;

void bench_result_init(struct dentry *dir);
void bench_result_begin(const char *group);
int bench_result_error(void);
void bench_result_add(const struct bench_shape *shape, enum bench_peer peer,
		      const struct bench_sample *best, unsigned int rounds,
		      u64 min_ps, u64 median_ps);
void bench_result_count(const struct bench_shape *shape, const char *figure, u64 n);
void bench_result_failed(const struct bench_shape *shape, enum bench_peer peer, int err);
void bench_result_drop(void);

/* measure.c */
int bench_measure(const struct bench_settings *set, struct bench_shape *shape);

/* peers.c */
extern const char *const bench_peer_names[BENCH_NR_PEERS];
bool bench_peer_can(const struct bench_shape *shape, enum bench_peer peer);
int bench_pools_open(struct bench_shape *shape);
void bench_pools_close(struct bench_shape *shape);
void bench_settle(const struct bench_pools *pools, enum bench_peer peer);
u64 bench_held(enum bench_peer peer);
void bench_memory_init(void);

/* team.c */

struct bench_team;

/**
 * struct bench_thread - a thread of a team
 * @team: the team
 * @id: its number, from 0
 * @ops: objects that it allocated and freed; set by the team's function
 * @begun: when it began, ns
 * @ended: when it ended, ns
 * @task: the kthread
 * @done: it will not look at the team again
 */
struct bench_thread {
	struct bench_team *team;
	unsigned int id;
	u64 ops;
	u64 begun;
	u64 ended;
	struct task_struct *task;
	struct completion done;
} ____cacheline_aligned_in_smp;

/**
 * struct bench_team - threads that start together
 * @n: how many
 * @fn: what each does
 * @shape: for @fn
 * @peer: for @fn
 * @arg: for @fn
 * @arrived: at the barrier, ever
 * @err: why the threads stop early, or 0
 * @threads: the threads
 */
struct bench_team {
	unsigned int n;
	int (*fn)(struct bench_thread *thread);
	struct bench_shape *shape;
	enum bench_peer peer;
	void *arg;
	atomic_t arrived;
	int err;
	struct bench_thread *threads;
};

int bench_team_run(struct bench_team *team, struct bench_sample *sample);
int bench_barrier(struct bench_team *team);
void bench_relax(unsigned int *tries);

/* The groups */
int bench_pairs(const struct bench_shape *shape, enum bench_peer peer,
		u64 ops, u64 *ns);
int bench_pair_group(const struct bench_settings *set);
int bench_sizes_group(const struct bench_settings *set);
int bench_cold_group(const struct bench_settings *set);
int bench_batch_group(const struct bench_settings *set);
int bench_bulk_group(const struct bench_settings *set);
int bench_memory_group(const struct bench_settings *set);
int bench_parallel_group(const struct bench_settings *set);
int bench_exchange_group(const struct bench_settings *set);
int bench_hardirq_group(const struct bench_settings *set);
int bench_sweep_group(const struct bench_settings *set);

/* These step instructions: on x86, but not where the kernel is a process. */
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
int bench_sections_group(const struct bench_settings *set);
int bench_sites_group(const struct bench_settings *set);
int bench_shared_group(const struct bench_settings *set);
#else
static inline int bench_sections_group(const struct bench_settings *set)
{
	return -EOPNOTSUPP;
}

static inline int bench_sites_group(const struct bench_settings *set)
{
	return -EOPNOTSUPP;
}

static inline int bench_shared_group(const struct bench_settings *set)
{
	return -EOPNOTSUPP;
}
#endif

#endif
