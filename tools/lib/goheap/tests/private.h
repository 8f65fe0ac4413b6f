/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * private: what the parts of private_test share.
 */
#ifndef LG_PRIVATE_H
#define LG_PRIVATE_H

#include "types.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIB		1048576UL

/* An object, and what is written all over its first bytes, and to its last one. */
struct object {
	unsigned char *p;
	size_t size;
	unsigned char byte;
};

/* What was reported. */
extern int bad_frees, last_err;

struct goheap *open_private(void);
struct goheap_usage usage_of(struct goheap *h);
bool in_child(bool (*fn)(struct goheap *h, void *arg), struct goheap *h, void *arg);
bool has_little_room(struct goheap *unused, void *arg);

/* Whether each table says what the others say. */
bool books_are_right(struct goheap *h);
uint64_t next_random(uint64_t *seed);
/* Allocate, resize or free one. Returns whether it was as it should be. */
bool step(struct goheap *h, struct object *o, uint64_t *seed);

void test_raw_clone(void);
void test_forks(void);

#endif /* LG_PRIVATE_H */
