/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table: a hash table that processes share and that survives their death.
 */
#ifndef _TABLE_H
#define _TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

/* Processes that may use the table at a time. */
#define TABLE_WORKERS	16

struct shared_table;

/**
 * struct table - what one process needs to use the table
 * @heap: descriptor of the heap
 * @session: descriptor of this process's session
 * @worker: which of the TABLE_WORKERS records is this process's
 * @window: where this process maps the heap
 * @shared: the table, there
 */
struct table {
	int heap;
	int session;
	unsigned int worker;
	char *window;
	struct shared_table *shared;
};

/**
 * struct suspects - entries that a dead process may have left to nobody
 * @ref: them
 * @nr: how many
 */
struct suspects {
	__u64 *ref;
	size_t nr;
};

int table_create(struct table *t, unsigned int nbuckets);
int table_join(struct table *t, const struct table *parent,
	       unsigned int worker);
int table_put(struct table *t, __u64 key, const void *value, size_t len);
long table_get(struct table *t, __u64 key, void *value, size_t room);
size_t table_entries(const struct table *t);
int table_bury(struct table *t, unsigned int worker, struct suspects *s);
size_t table_sweep(struct table *t, struct suspects *s);

#endif /* _TABLE_H */
