/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * libgoheap: hash tables in shared memory, from bytes to bytes, that survive the death of
 * whoever reads or writes.
 *
 * Reads take no lock and make no system call: between goheap_enter() and goheap_exit() what was
 * found stays as it is, whatever others do. Writers take turns. Each change is one exchange that
 * the kernel makes, so a process that is killed has made it or not, and nothing is lost.
 *
 * Errors are those of goheap_lock.h and goheap_publish(), and the ones that are named here.
 */
#ifndef GOHEAP_TABLE_H
#define GOHEAP_TABLE_H

#include "goheap_lock.h"

#ifdef __cplusplus
extern "C" {
#endif

struct goheap_table;

/* Bytes of a key and its value, together, at most. */
#define GOHEAP_ENTRY_BYTES_MAX	0x40000000U

/**
 * struct goheap_entry - a key and its value
 * @key: the key
 * @key_bytes: its length
 * @value: the value, aligned to 8 bytes
 * @bytes: its length
 */
struct goheap_entry {
	const void *key;
	size_t key_bytes;
	const void *value;
	size_t bytes;
};

/**
 * goheap_table_open() - find a table by its name, or make it
 * @h: the heap
 * @name: see goheap_bind()
 *
 * Return: the table; NULL with errno: EINVAL if the name is another object's, or as goheap_bind().
 */
struct goheap_table *goheap_table_open(struct goheap *h, const char *name);

/**
 * goheap_table_get() - find the value of a key
 * @h: the heap
 * @t: the table
 * @key: the key
 * @key_bytes: its length
 * @bytes: set to the length of the value; may be NULL
 *
 * Context: between goheap_enter() and goheap_exit(), which is how long the value stays.
 * Return: the value; NULL with errno: ENOENT if there is none, EUCLEAN if another process has
 * damaged the table.
 */
const void *goheap_table_get(struct goheap *h, struct goheap_table *t,
			     const void *key, size_t key_bytes, size_t *bytes);

/**
 * goheap_table_put() - set the value of a key
 * @h: the heap
 * @t: the table
 * @key: the key; may have no bytes
 * @key_bytes: its length
 * @value: the value; may have no bytes
 * @bytes: its length
 *
 * Others find the old value until they find the new one. If this thread is between goheap_enter()
 * and goheap_exit(), it fails with EAGAIN if too much is retired, see goheap_retire().
 *
 * Return: 0 if the key is new, 1 if it had a value; -1 with errno: EINVAL if they are too long,
 * ENOMEM, or EUCLEAN.
 */
int goheap_table_put(struct goheap *h, struct goheap_table *t, const void *key,
		     size_t key_bytes, const void *value, size_t bytes);

/**
 * goheap_table_remove() - remove a key, with its value
 * @h: the heap
 * @t: the table
 * @key: the key
 * @key_bytes: its length
 *
 * Return: 0; -1 with errno: ENOENT if it is not there, EAGAIN as goheap_table_put(), or EUCLEAN.
 */
int goheap_table_remove(struct goheap *h, struct goheap_table *t,
			const void *key, size_t key_bytes);

/**
 * goheap_table_count() - how many keys there are
 * @h: the heap
 * @t: the table
 *
 * Return: keys, a moment ago. After a death it may be wrong until the next change.
 */
uint64_t goheap_table_count(struct goheap *h, struct goheap_table *t);

/**
 * goheap_table_next() - go through all keys
 * @h: the heap
 * @t: the table
 * @cursor: 0 at first; set to where to go on
 * @e: set to an entry
 *
 * Calls until one returns 0 find each key once that is there from before the first call until
 * after the last. One that comes or goes meanwhile may be found or not. Between two calls, the
 * thread may exit and enter.
 *
 * Context: between goheap_enter() and goheap_exit(), which is how long the entry stays.
 * Return: 1 if there is one; 0 at the end; -1 with EUCLEAN.
 */
int goheap_table_next(struct goheap *h, struct goheap_table *t,
		      uint64_t *cursor, struct goheap_entry *e);

/**
 * goheap_table_destroy() - free a table, with all that is in it
 * @h: the heap
 * @t: the table, of goheap_unbind(); nobody uses it any more
 *
 * If the process is killed meanwhile, what is left stays until the heap is gone.
 */
void goheap_table_destroy(struct goheap *h, struct goheap_table *t);

#ifdef __cplusplus
}
#endif

#endif /* GOHEAP_TABLE_H */
