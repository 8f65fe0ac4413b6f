// SPDX-License-Identifier: GPL-2.0-only
/*
 * table: a hash table that processes share and that survives their death.
 *
 * Why it does:
 *
 * There are no locks, so none can stay taken. A bucket is one word, the ref of an
 * entry: its offset in the heap plus 1, or 0. Whoever probes for a key stops at its
 * entry or at the first empty bucket, and buckets never become empty again, so two
 * who insert the same key meet in the same bucket.
 *
 * An entry never changes. It is written, then given to the heap, and only then
 * entered with a compare-and-exchange. A process that is killed
 *
 * - before it gave the entry, leaves nothing: the kernel frees it;
 * - between the two, leaves an entry that nobody finds: lost memory, but the table
 *   is as it was before;
 * - afterwards, leaves the new entry in the table, and perhaps the old one lost.
 *
 * An entry that was replaced is freed when nobody reads it. Who reads says so in
 * his record, and then looks whether the entry is still in the bucket (these are
 * known as hazard pointers). As each worker reads one entry at a time, a ring of
 * as many retired entries as there are workers always has one that can be freed,
 * so nobody ever waits for anybody.
 *
 * The record also has what is about to be given, taken out or freed. When a process
 * has died, its parent keeps these refs as suspects, and lets the next process have
 * the record. At a quiet moment, in which no worker is at work, what was given is
 * either in the table or lost. So the suspects that are not in the table are freed
 * then; the kernel refuses those that were freed before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/goheap.h>

#include "table.h"

/* How much of the heap is mapped. */
#define WINDOW	0x40000000UL

/**
 * struct entry - a key and its value
 * @key: the key
 * @len: bytes of @value; 0 means that the key has none
 * @value: the value
 */
struct entry {
	__u64 key;
	__u64 len;
	char value[];
};

/**
 * struct record - what a worker is doing; 0 where it is nothing
 * @reading: ref of an entry that must not be freed
 * @making: ref of an entry that is about to be given and entered
 * @taking: ref of an entry that is about to be replaced
 * @retired: refs of entries that were replaced, until nobody reads them
 */
struct record {
	atomic_ullong reading;
	atomic_ullong making;
	atomic_ullong taking;
	atomic_ullong retired[TABLE_WORKERS];
};

/**
 * struct shared_table - the table, an object of the heap
 * @nbuckets: buckets
 * @record: records of workers
 * @bucket: refs of entries
 */
struct shared_table {
	unsigned int nbuckets;
	struct record record[TABLE_WORKERS];
	atomic_ullong bucket[];
};

/* ---- objects of the heap ------------------------------------------------ */

static int object_alloc(struct table *t, size_t len, __u64 *ref)
{
	__u64 offset;
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.length = len,
		.offsets = (uintptr_t)&offset,
		.count = 1,
	};

	if (ioctl(t->session, GOHEAP_IOC_ALLOC, &req))
		return -1;
	if (offset + len > WINDOW) {
		errno = ENOMEM;
		return -1;	/* the session's end frees it */
	}
	*ref = offset + 1;
	return 0;
}

static int object_do(struct table *t, unsigned long cmd, __u64 ref)
{
	__u64 offset = ref - 1;
	struct goheap_batch batch = {
		.size = sizeof(batch),
		.offsets = (uintptr_t)&offset,
		.count = 1,
	};

	return ioctl(t->session, cmd, &batch);
}

static void *object_at(const struct table *t, __u64 ref)
{
	return t->window + ref - 1;
}

static int attach(struct table *t)
{
	struct goheap_attach req = { .size = sizeof(req) };

	if (ioctl(t->heap, GOHEAP_IOC_ATTACH, &req))
		return -1;
	t->session = req.fd;
	return 0;
}

/* ---- beginning ---------------------------------------------------------- */

/**
 * table_create() - make a heap with a table in it
 * @t: set; as worker 0
 * @nbuckets: buckets, more than there will ever be keys
 *
 * Return: 0, or -1 with errno.
 */
int table_create(struct table *t, unsigned int nbuckets)
{
	size_t len = sizeof(struct shared_table) + nbuckets * sizeof(__u64);
	__u64 ref;

	*t = (struct table){ .heap = open("/dev/goheap", O_RDWR | O_CLOEXEC) };
	if (t->heap < 0)
		return -1;
	t->window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED,
			 t->heap, 0);
	if (t->window == MAP_FAILED || attach(t) ||
	    object_alloc(t, len, &ref))
		return -1;
	t->shared = object_at(t, ref);
	memset(t->shared, 0, len);
	t->shared->nbuckets = nbuckets;
	return object_do(t, GOHEAP_IOC_GIVE, ref);
}

/**
 * table_join() - use the table in a child
 * @t: set
 * @parent: the parent's, which made the table
 * @worker: which record to use; no other process has it
 *
 * Return: 0, or -1 with errno.
 */
int table_join(struct table *t, const struct table *parent,
	       unsigned int worker)
{
	*t = *parent;
	t->worker = worker;
	return attach(t);
}

/* ---- entries ------------------------------------------------------------ */

static struct record *my_record(struct table *t)
{
	return &t->shared->record[t->worker];
}

static bool is_read(struct table *t, __u64 ref)
{
	unsigned int i;

	for (i = 0; i < TABLE_WORKERS; i++)
		if (atomic_load(&t->shared->record[i].reading) == ref)
			return true;
	return false;
}

static void free_retired(struct table *t)
{
	struct record *r = my_record(t);
	unsigned int i;

	for (i = 0; i < TABLE_WORKERS; i++) {
		__u64 ref = atomic_load(&r->retired[i]);

		if (ref && !is_read(t, ref)) {
			object_do(t, GOHEAP_IOC_FREE, ref);
			atomic_store(&r->retired[i], 0);
		}
	}
}

/* There is room: others read fewer entries than the ring has. */
static void retire(struct table *t, __u64 ref)
{
	struct record *r = my_record(t);
	unsigned int i;

	for (i = 0; i < TABLE_WORKERS - 1; i++)
		if (!atomic_load(&r->retired[i]))
			break;
	atomic_store(&r->retired[i], ref);
	atomic_store(&r->taking, 0);
	free_retired(t);
}

/* The entry of a bucket, which stays until the next call or until let_go(). */
static struct entry *hold(struct table *t, atomic_ullong *bucket, __u64 *ref)
{
	struct record *r = my_record(t);

	do {
		*ref = atomic_load(bucket);
		atomic_store(&r->reading, *ref);
	} while (atomic_load(bucket) != *ref);
	return *ref ? object_at(t, *ref) : NULL;
}

static void let_go(struct table *t)
{
	atomic_store(&my_record(t)->reading, 0);
}

/* Where a key is, or could be: NULL if the table is full. */
static atomic_ullong *probe(struct table *t, __u64 key, struct entry **e,
			    __u64 *ref)
{
	unsigned int i, n = t->shared->nbuckets;
	__u64 at = (key * 0x9e3779b97f4a7c15ULL >> 16) % n;

	for (i = 0; i < n; i++, at = (at + 1) % n) {
		atomic_ullong *bucket = &t->shared->bucket[at];

		*e = hold(t, bucket, ref);
		if (!*e || (*e)->key == key)
			return bucket;
	}
	return NULL;
}

static __u64 make_entry(struct table *t, __u64 key, const void *value,
			size_t len)
{
	struct entry *e;
	__u64 ref;

	if (object_alloc(t, sizeof(*e) + len, &ref))
		return 0;
	e = object_at(t, ref);
	e->key = key;
	e->len = len;
	memcpy(e->value, value, len);
	atomic_store(&my_record(t)->making, ref);
	return object_do(t, GOHEAP_IOC_GIVE, ref) ? 0 : ref;
}

/* Returns false if another entry came first. */
static bool enter(struct table *t, atomic_ullong *bucket, __u64 old, __u64 new)
{
	struct record *r = my_record(t);

	unsigned long long expect = old;
	bool done;

	atomic_store(&r->taking, old);
	done = atomic_compare_exchange_strong(bucket, &expect, new);
	let_go(t);
	if (!done) {
		atomic_store(&r->taking, 0);
		return false;
	}
	atomic_store(&r->making, 0);
	if (old)
		retire(t, old);
	return true;
}

/**
 * table_put() - set the value of a key
 * @t: the table
 * @key: the key
 * @value: the value
 * @len: its bytes; 0 takes the value away
 *
 * Return: 0, or -1 with errno, ENOSPC if there are no more buckets.
 */
int table_put(struct table *t, __u64 key, const void *value, size_t len)
{
	__u64 old, new = make_entry(t, key, value, len);
	atomic_ullong *bucket;
	struct entry *e;

	if (!new)
		return -1;
	do {
		bucket = probe(t, key, &e, &old);
		if (!bucket) {
			let_go(t);
			object_do(t, GOHEAP_IOC_FREE, new);
			atomic_store(&my_record(t)->making, 0);
			errno = ENOSPC;
			return -1;
		}
	} while (!enter(t, bucket, old, new));
	return 0;
}

/**
 * table_get() - read the value of a key
 * @t: the table
 * @key: the key
 * @value: where it goes
 * @room: bytes there
 *
 * Return: bytes of the value, of which up to @room were copied; -1 if the key has
 * none.
 */
long table_get(struct table *t, __u64 key, void *value, size_t room)
{
	long len = -1;
	struct entry *e;
	__u64 ref;

	if (probe(t, key, &e, &ref) && e && e->len) {
		len = e->len;
		memcpy(value, e->value, e->len < room ? e->len : room);
	}
	let_go(t);
	return len;
}

/**
 * table_entries() - count entries
 * @t: the table, which nobody changes
 *
 * Return: entries, also those without a value.
 */
size_t table_entries(const struct table *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->shared->nbuckets; i++)
		n += atomic_load(&t->shared->bucket[i]) != 0;
	return n;
}

/* ---- after a death ------------------------------------------------------ */

static int suspect(struct suspects *s, atomic_ullong *from)
{
	__u64 *ref, one = atomic_exchange(from, 0);

	if (!one)
		return 0;
	ref = reallocarray(s->ref, s->nr + 1, sizeof(*ref));
	if (!ref)
		return -1;
	ref[s->nr++] = one;
	s->ref = ref;
	return 0;
}

/**
 * table_bury() - take over what a dead worker was doing
 * @t: the table
 * @worker: its record; the process is gone, and waited for
 * @s: gets what it may have lost
 *
 * Return: 0, or -1 with errno.
 */
int table_bury(struct table *t, unsigned int worker, struct suspects *s)
{
	struct record *r = &t->shared->record[worker];
	unsigned int i;
	int err = 0;

	atomic_store(&r->reading, 0);
	err |= suspect(s, &r->making);
	err |= suspect(s, &r->taking);
	for (i = 0; i < TABLE_WORKERS; i++)
		err |= suspect(s, &r->retired[i]);
	return err;
}

static bool in_table(const struct table *t, __u64 ref)
{
	size_t i;

	for (i = 0; i < t->shared->nbuckets; i++)
		if (atomic_load(&t->shared->bucket[i]) == ref)
			return true;
	return false;
}

/**
 * table_sweep() - free what dead workers lost
 * @t: the table, which no worker uses now
 * @s: suspects; none afterwards
 *
 * Return: entries that were lost.
 */
size_t table_sweep(struct table *t, struct suspects *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->nr; i++)
		n += !in_table(t, s->ref[i]) &&
		     !object_do(t, GOHEAP_IOC_FREE, s->ref[i]);
	free(s->ref);
	*s = (struct suspects){ };
	return n;
}
