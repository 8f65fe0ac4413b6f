// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types of objects, and lists of what was given.
 */
#include "user_test.h"

#include <sys/resource.h>

#include "user_harness.h"

#define LENGTH		48
#define TYPES_MAX	256
#define TYPES_VIEW	32
#define TYPES_VIEWS	128

FIXTURE(type)
{
	int heap;
	int ss;
	__u8 *win;
	__u32 node;
};

static int type_call(int fd, const char *name, __u64 length, __u32 flags,
		     struct goheap_type *t)
{
	*t = (struct goheap_type){
		.size = sizeof(*t),
		.flags = flags,
		.length = length,
	};
	snprintf(t->name, sizeof(t->name), "%s", name);
	return call(fd, GOHEAP_IOC_TYPE, t);
}

/* Its number, or a negative errno. */
static int type_of(int fd, const char *name, __u64 length, __u32 flags)
{
	struct goheap_type t;
	int err = type_call(fd, name, length, flags, &t);

	return err ?: (int)t.type;
}

static struct goheap_type_usage type_usage(int fd, __u32 type)
{
	struct goheap_type_usage u = { .size = sizeof(u), .type = type };

	if (call(fd, GOHEAP_IOC_TYPE_STATS, &u))
		memset(&u, 0xff, sizeof(u));
	return u;
}

static int set_type_limit(int fd, __u32 type, __u64 limit)
{
	struct goheap_type_usage u = {
		.size = sizeof(u),
		.flags = GOHEAP_TYPE_LIMIT,
		.type = type,
		.limit = limit,
	};

	return call(fd, GOHEAP_IOC_TYPE_STATS, &u);
}

/* What there is room for; how many, or a negative errno. */
static int list(int fd, __u32 type, __u64 *from, struct goheap_listed *to,
		unsigned int n)
{
	struct goheap_list l = {
		.size = sizeof(l),
		.from = *from,
		.objects = (uintptr_t)to,
		.count = n,
		.type = type,
	};
	int err = call(fd, GOHEAP_IOC_LIST, &l);

	*from = l.from;
	return err ?: (int)l.count;
}

/* All of it, in batches of @batch. */
static int list_all(int fd, __u32 type, struct goheap_listed *to,
		    unsigned int room, unsigned int batch)
{
	unsigned int n = 0;
	__u64 from = 0;
	int got = 0;

	while (got >= 0 && from < WINDOW && n + batch <= room) {
		got = list(fd, type, &from, to + n, batch);
		n += got;
	}
	return got < 0 ? got : from < WINDOW ? -ENOSPC : (int)n;
}

FIXTURE_SETUP(type)
{
	int type;

	peek_init();
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
	type = type_of(self->ss, "node", LENGTH, 0);
	ASSERT_LT(0, type);
	self->node = type;
}

FIXTURE_TEARDOWN(type)
{
	EXPECT_TRUE(identities(self->heap));
	close(self->ss);
	munmap(self->win, ARENA);
	close(self->heap);
}

/* ---- registering -------------------------------------------------------- */

TEST_F(type, who_comes_later_finds_it_by_its_name)
{
	int other = attach(self->heap);
	struct goheap_type t;
	__u64 refs[2] = { 5, ~0ULL };

	EXPECT_EQ((int)self->node, type_of(other, "node", 0, GOHEAP_TYPE_FIND));
	EXPECT_EQ((int)self->node, type_of(other, "node", LENGTH, 0));
	EXPECT_EQ(-EEXIST, type_of(other, "node", LENGTH + 8, 0));
	EXPECT_EQ(-ENOENT, type_of(other, "nod", 0, GOHEAP_TYPE_FIND));

	t = (struct goheap_type){
		.size = sizeof(t), .name = "edge", .length = 80, .align = 32,
		.refs = (uintptr_t)refs, .words = 68,
	};
	refs[1] = 9;
	ASSERT_EQ(0, call(self->ss, GOHEAP_IOC_TYPE, &t));
	EXPECT_EQ(self->node + 1, t.type);
	memset(refs, 0, sizeof(refs));

	/* By its number, with less room than there is. */
	t.flags = GOHEAP_TYPE_FIND;
	memset(t.name, 0, sizeof(t.name));
	t.words = 66;
	ASSERT_EQ(0, call(other, GOHEAP_IOC_TYPE, &t));
	EXPECT_EQ(0, strcmp("edge", t.name));
	EXPECT_EQ(80, t.length);
	EXPECT_EQ(32, t.align);
	EXPECT_EQ(68, t.words);
	EXPECT_EQ(5, refs[0]);
	EXPECT_EQ(1, refs[1]);

	/* The same name with other refs is another type. */
	t.flags = 0;
	t.type = 0;
	EXPECT_EQ(-EEXIST, call(other, GOHEAP_IOC_TYPE, &t));
	t.words = 68;
	refs[1] = 9;
	EXPECT_EQ(0, call(other, GOHEAP_IOC_TYPE, &t));
	close(other);
	EXPECT_EQ((int)self->node, type_of(self->heap, "node", 0, GOHEAP_TYPE_FIND));
}

TEST_F(type, what_makes_no_sense_is_refused)
{
	__u64 refs = 1ULL << 8;
	const struct goheap_type good = {
		.size = sizeof(good), .name = "good", .length = 64,
		.refs = (uintptr_t)&refs, .words = 9,
	};
	struct goheap_type t;

#define REFUSED(err, change)						\
do {									\
	t = good;							\
	change;								\
	EXPECT_EQ(-(err), call(self->ss, GOHEAP_IOC_TYPE, &t));		\
} while (0)
	REFUSED(EINVAL, t.flags = 2);
	REFUSED(EINVAL, t.reserved = 1);
	REFUSED(EINVAL, t.type = 1);
	REFUSED(EINVAL, t.name[0] = '\0');
	REFUSED(EINVAL, memset(t.name, 'x', sizeof(t.name)));
	REFUSED(EINVAL, t.name[31] = 'x');
	REFUSED(EINVAL, t.align = 24);
	REFUSED(EINVAL, t.align = 8U << 20);
	REFUSED(EINVAL, t.length = WINDOW + 1);
	REFUSED(EINVAL, t.words = 8);
	REFUSED(EINVAL, t.words = GOHEAP_TYPE_WORDS_MAX + 1);
	REFUSED(EFAULT, t.refs = 8);
	REFUSED(EFAULT, t.words = GOHEAP_TYPE_WORDS_MAX; t.refs = -4096ULL);
#undef REFUSED
	EXPECT_EQ(-ENOENT, type_of(self->ss, "good", 0, GOHEAP_TYPE_FIND));
	t = good;
	EXPECT_EQ(0, call(self->ss, GOHEAP_IOC_TYPE, &t));
}

/* How many types can be registered through a new view. */
static int fill_view(int heap, int nr)
{
	struct goheap_view v = { .size = sizeof(v) };
	char name[16];
	int i;

	if (call(heap, GOHEAP_IOC_VIEW, &v))
		return -1;
	for (i = 0; i < TYPES_MAX; i++) {
		snprintf(name, sizeof(name), "%d of view %d", i, nr);
		if (type_of(v.fd, name, 8, 0) < 0)
			break;
	}
	close(v.fd);
	return i;
}

TEST_F(type, there_are_only_so_many)
{
	struct goheap_view v = { .size = sizeof(v) };
	char name[16];
	int i, k, ss;

	ASSERT_EQ(0, call(self->heap, GOHEAP_IOC_VIEW, &v));
	ss = attach(v.fd);
	for (i = 0; i < TYPES_VIEW; i++) {
		snprintf(name, sizeof(name), "view %d", i);
		ASSERT_LT(0, type_of(i % 2 ? ss : v.fd, name, 8, 0));
	}
	EXPECT_EQ(-ENOSPC, type_of(ss, "one more", 8, 0));
	EXPECT_LT(0, type_of(ss, "view 0", 8, 0));
	close(ss);
	for (k = 1; k < TYPES_VIEWS / TYPES_VIEW; k++)
		EXPECT_EQ(TYPES_VIEW, fill_view(self->heap, k));
	EXPECT_EQ(0, fill_view(self->heap, k));
	for (i = 1 + TYPES_VIEWS; i < TYPES_MAX; i++) {
		snprintf(name, sizeof(name), "type %d", i);
		ASSERT_EQ(i + 1, type_of(self->heap, name, 0, 0));
	}
	EXPECT_EQ(-ENOSPC, type_of(self->heap, "one more", 0, 0));
	close(v.fd);
}

TEST_F(type, who_may_only_read_finds_types)
{
	/* Another heap, which has none. */
	int fd = open(DEVICE, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOENT, type_of(fd, "node", LENGTH, GOHEAP_TYPE_FIND));
	EXPECT_EQ(-EBADF, type_of(fd, "node", LENGTH, 0));
	EXPECT_EQ(-EBADF, set_type_limit(fd, 1, 0));
	close(fd);

	/* A child has the session's file, but not the session. */
	EXPECT_EQ(0, IN_CHILD(type_of(self->ss, "node", 0, GOHEAP_TYPE_FIND) !=
				      (int)self->node ||
			      type_of(self->ss, "new", 8, 0) != -EPERM));
}

/* ---- objects ------------------------------------------------------------ */

TEST_F(type, objects_have_spans_of_their_own)
{
	const __u64 *map = page_map(self->heap, 1);
	__u32 other = type_of(self->ss, "other", 0, 0);
	__u64 at[4], e;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(1, alloc_typed(self->ss, 0, LENGTH, at, 1, 0));
	ASSERT_EQ(1, alloc_typed(self->ss, self->node, 0, at + 1, 1, 0));
	ASSERT_EQ(1, alloc_typed(self->ss, other, LENGTH, at + 2, 1, 0));
	ASSERT_EQ(1, alloc_typed(self->ss, self->node, LENGTH, at + 3, 1, 0));
	EXPECT_NE(at[0] / HEAP_PAGE, at[1] / HEAP_PAGE);
	EXPECT_NE(at[0] / HEAP_PAGE, at[2] / HEAP_PAGE);
	EXPECT_NE(at[1] / HEAP_PAGE, at[2] / HEAP_PAGE);
	EXPECT_EQ(at[1] / HEAP_PAGE, at[3] / HEAP_PAGE);

	EXPECT_EQ(0, map[at[0] / HEAP_PAGE] & GOHEAP_PAGE_TYPED);
	e = map[at[1] / HEAP_PAGE];
	EXPECT_NE(0, e & GOHEAP_PAGE_TYPED);
	EXPECT_EQ(5, GOHEAP_PAGE_CLASS(e));
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, 4, NULL));

	/* Its next object is where the last one was. */
	ASSERT_EQ(1, alloc_typed(self->ss, self->node, 0, at + 2, 1, 0));
	EXPECT_EQ(at[1] / HEAP_PAGE, at[2] / HEAP_PAGE);
	EXPECT_EQ(0, free_one(self->ss, at[2]));
}

TEST_F(type, the_type_says_how_long_objects_are)
{
	struct goheap_type t = {
		.size = sizeof(t), .name = "wide", .length = 100, .align = 4096,
	};
	__u32 any = type_of(self->ss, "any", 0, 0);
	__u64 at[3];

	EXPECT_EQ(-EINVAL, alloc_typed(self->ss, self->node, LENGTH - 1, at, 1, 0));
	EXPECT_EQ(-EINVAL, alloc_typed(self->ss, self->node, LENGTH + 1, at, 1, 0));
	EXPECT_EQ(-EINVAL, alloc_typed(self->ss, any, 0, at, 1, 0));
	EXPECT_EQ(-ENOENT, alloc_typed(self->ss, any + 1, 8, at, 1, 0));
	EXPECT_EQ(-ENOENT, alloc_typed(self->ss, ~0U, 8, at, 1, 0));

	ASSERT_EQ(0, call(self->ss, GOHEAP_IOC_TYPE, &t));
	ASSERT_EQ(3, alloc_typed(self->ss, t.type, 0, at, 3, GOHEAP_ALLOC_ZERO));
	EXPECT_EQ(0, (at[0] | at[1] | at[2]) % 4096);
	EXPECT_TRUE(all_are(self->win + at[0], 0, 100));
	ASSERT_EQ(1, alloc_typed(self->ss, any, 1, at + 1, 1, 0));
	ASSERT_EQ(1, alloc_typed(self->ss, any, 300000, at + 2, 1, 0));
	EXPECT_EQ(2, type_usage(self->heap, any).objects);
	EXPECT_EQ(0, resize(self->ss, at[2], 900000));
	EXPECT_LE(900000, type_usage(self->heap, any).bytes);
	EXPECT_EQ(0, resize(self->ss, at[2], 40000));
	EXPECT_GT(100000, type_usage(self->heap, any).bytes);
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, 3, NULL));
	any = type_of(self->ss, "large", 100000, 0);
	ASSERT_EQ(1, alloc_typed(self->ss, any, 0, at, 1, 0));
	EXPECT_EQ(-EINVAL, resize(self->ss, at[0], 50000));
	EXPECT_EQ(0, free_one(self->ss, at[0]));
	trim(self->ss);
	EXPECT_EQ(0, type_usage(self->heap, any).bytes);
}

TEST_F(type, counts_are_exact)
{
	struct goheap_type_usage u = type_usage(self->heap, 0);
	__u64 at[600];

	EXPECT_EQ(self->node, u.type);
	EXPECT_EQ(0, strcmp("node", u.name));
	EXPECT_EQ(LENGTH, u.length);
	EXPECT_EQ(0, u.bytes | u.limit | u.objects | u.given | u.allocs);

	ASSERT_EQ(600, alloc_typed(self->ss, self->node, 0, at, 600, 0));
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_GIVE, at, 500, NULL));
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, 100, NULL));
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at + 590, 10, NULL));
	/* A batch with a bad one changes nothing. */
	EXPECT_EQ(-ENOENT, batch(self->ss, GOHEAP_IOC_FREE, at + 580, 11, NULL));
	EXPECT_EQ(-EPERM, batch(self->ss, GOHEAP_IOC_GIVE, at + 499, 2, NULL));
	u = type_usage(self->ss, self->node);
	EXPECT_EQ(490, u.objects);
	EXPECT_EQ(400, u.given);
	EXPECT_EQ(600, u.allocs);
	EXPECT_EQ((600 + 169) / 170 * HEAP_PAGE, u.bytes);

	/* Its end frees what was not given. */
	close(self->ss);
	self->ss = attach(self->heap);
	u = type_usage(self->ss, self->node);
	EXPECT_EQ(400, u.objects);
	EXPECT_EQ(400, u.given);
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at + 100, 400, NULL));
	u = type_usage(self->ss, self->node);
	EXPECT_EQ(0, u.objects | u.given | u.bytes);
	EXPECT_EQ(~0ULL, type_usage(self->ss, self->node + 1).allocs);
}

TEST_F(type, bound_binds)
{
	__u32 big = type_of(self->ss, "big", HEAP_PAGE, 0);
	int other = attach(self->heap);
	__u64 at[40];

	EXPECT_EQ(-EPERM, set_type_limit(self->ss, big, 8 * HEAP_PAGE));
	EXPECT_EQ(-EINVAL, call(self->heap, GOHEAP_IOC_TYPE_STATS,
				&(struct goheap_type_usage){
					.size = sizeof(struct goheap_type_usage),
					.flags = 2, .type = big }));
	EXPECT_EQ(-ENOENT, set_type_limit(self->heap, 0, 1));
	EXPECT_EQ(0, type_usage(self->heap, 0).limit);
	ASSERT_EQ(0, set_type_limit(self->heap, big, 8 * HEAP_PAGE));
	EXPECT_EQ(8 * HEAP_PAGE, type_usage(self->ss, big).limit);

	EXPECT_EQ(5, alloc_typed(other, big, 0, at, 5, 0));
	EXPECT_EQ(3, alloc_typed(self->ss, big, 0, at + 5, 35, 0));
	EXPECT_EQ(-EDQUOT, alloc_typed(self->ss, big, 0, at + 8, 1, 0));
	/* Others are not bound by it. */
	EXPECT_EQ(40, alloc_typed(self->ss, 0, HEAP_PAGE, at, 40, 0));
	EXPECT_EQ(0, batch(self->ss, GOHEAP_IOC_FREE, at, 40, NULL));
	EXPECT_LT(0, trim(self->ss));
	/* What another session keeps without using it gives way. */
	close(other);
	EXPECT_EQ(5, alloc_typed(self->ss, big, 0, at, 40, 0));
	EXPECT_EQ(0, set_type_limit(self->heap, big, 0));
	EXPECT_EQ(8, alloc_typed(self->ss, big, 0, at, 8, 0));
}

/* What a session of its own, with a type, counts as; and what finds a type without memory. */
static int bins_are_paid_for(int heap, __u32 types)
{
	struct rlimit limit = { 12 * HEAP_PAGE, 12 * HEAP_PAGE };
	int ss, n = 0;
	__u64 at;

	if (become_nobody() || setrlimit(RLIMIT_MEMLOCK, &limit))
		return 101;
	ss = attach(heap);
	if (ss < 0)
		return 102;
	/* Each takes a page for its span, and one for its bins. */
	while (n < 50 && alloc_typed(ss, types + n, 16, &at, 1, 0) == 1)
		n++;
	return type_of(ss, "type 0", 0, 0) == (int)types ? n : 103;
}

TEST_F(type, bins_count_for_the_user)
{
	struct goheap_limit l = { .size = sizeof(l) };
	char name[16];
	int i, first = 0;

	for (i = 49; i >= 0; i--) {
		snprintf(name, sizeof(name), "type %d", 49 - i);
		if (i == 49)
			first = type_of(self->ss, name, 0, 0);
		else
			ASSERT_LT(0, type_of(self->ss, name, 0, 0));
	}
	/* The tables are there, and not theirs. */
	ASSERT_LE(0, alloc_one(self->ss, 8));
	EXPECT_EQ(5, IN_CHILD(bins_are_paid_for(self->heap, first)));
	/* All of it comes back. */
	EXPECT_EQ(5, IN_CHILD(bins_are_paid_for(self->heap, first)));
	EXPECT_EQ(0, call(self->heap, GOHEAP_IOC_LIMIT, &l));
	EXPECT_EQ(HEAP_PAGE, l.used);
}

/* Hundreds of bins are more than one hold of a lock looks at. */
TEST_F(type, idle_spans_of_many_types_are_trimmed)
{
	__u64 at[1000];
	char name[16];
	int i, n = 0;

	for (i = 0; i < 100; i++) {
		__u32 type, length;

		snprintf(name, sizeof(name), "type %d", i);
		type = type_of(self->ss, name, 0, 0);
		for (length = 16; length < 2048; length *= 3)
			ASSERT_EQ(1, alloc_typed(self->ss, type, length, at + n++, 1, 0));
	}
	/* The session keeps the first that are free, so have those be in the last bins. */
	while (n--)
		ASSERT_EQ(0, free_one(self->ss, at[n]));
	EXPECT_LT(0, usage(self->ss).session_bytes);
	trim(self->ss);
	EXPECT_EQ(0, usage(self->ss).session_bytes);
}

TEST_F(type, idle_spans_of_the_type_give_way)
{
	__u32 big = type_of(self->ss, "big", HEAP_PAGE, 0);
	int other = attach(self->heap);
	__u64 at[8], mine[8];

	ASSERT_EQ(0, set_type_limit(self->heap, big, 8 * HEAP_PAGE));
	ASSERT_EQ(8, alloc_typed(other, big, 0, at, 8, 0));
	ASSERT_EQ(8, alloc_typed(other, 0, HEAP_PAGE, mine, 8, 0));
	ASSERT_EQ(0, batch(other, GOHEAP_IOC_FREE, at, 8, NULL));
	ASSERT_EQ(0, batch(other, GOHEAP_IOC_FREE, mine, 8, NULL));
	EXPECT_EQ(16 * HEAP_PAGE, usage(other).session_bytes);
	EXPECT_EQ(8, alloc_typed(self->ss, big, 0, at, 8, 0));
	/* And no others. */
	EXPECT_EQ(8 * HEAP_PAGE, usage(other).session_bytes);
	close(other);
}

TEST_F(type, what_is_left_behind_is_adopted_by_its_type)
{
	int other = attach(self->heap);
	__u64 at[10], mine;

	ASSERT_EQ(10, alloc_typed(other, self->node, 0, at, 10, 0));
	ASSERT_EQ(0, give_one(other, at[9]));
	close(other);
	mine = alloc_one(self->ss, LENGTH);
	EXPECT_NE(at[0] / HEAP_PAGE, mine / HEAP_PAGE);
	ASSERT_EQ(1, alloc_typed(self->ss, self->node, 0, &mine, 1, 0));
	EXPECT_EQ(at[0] / HEAP_PAGE, mine / HEAP_PAGE);
	EXPECT_EQ(2, type_usage(self->heap, self->node).objects);
}

/* ---- lists -------------------------------------------------------------- */

TEST_F(type, list_has_what_was_given)
{
	struct goheap_listed to[32];
	__u64 at[6], plain, large;
	__u32 any = type_of(self->ss, "any", 0, 0);
	__u32 number = usage(self->ss).session;
	int i;

	EXPECT_EQ(0, list_all(self->heap, 0, to, 32, 8));
	ASSERT_EQ(6, alloc_typed(self->ss, self->node, 0, at, 6, 0));
	plain = alloc_one(self->ss, 64);
	ASSERT_EQ(1, alloc_typed(self->ss, any, 100000, &large, 1,
				 GOHEAP_ALLOC_GIVEN));
	ASSERT_EQ(0, batch(self->ss, GOHEAP_IOC_GIVE, at, 4, NULL));
	ASSERT_EQ(0, give_one(self->ss, plain));
	ASSERT_EQ(0, free_one(self->ss, at[1]));

	for (i = 1; i <= 8; i += 7) {
		ASSERT_EQ(3, list_all(self->ss, self->node, to, 32, i));
		EXPECT_EQ(at[0], to[0].offset);
		EXPECT_EQ(at[2], to[1].offset);
		EXPECT_EQ(at[3], to[2].offset);
		EXPECT_EQ(LENGTH, to[2].length);
		EXPECT_EQ(self->node, to[2].type);
		EXPECT_EQ(number, to[2].session);
		EXPECT_EQ(0, to[2].flags | to[2].reserved);
	}
	ASSERT_EQ(5, list_all(self->heap, 0, to, 32, 3));
	for (i = 0; i < 4; i++)
		EXPECT_LT(to[i].offset, to[i + 1].offset);
	ASSERT_EQ(1, list_all(self->heap, any, to, 32, 1));
	EXPECT_EQ(large, to[0].offset);
	EXPECT_LE(100000, to[0].length);

	/* Also when who gave it is gone. */
	close(self->ss);
	self->ss = attach(self->heap);
	ASSERT_EQ(3, list_all(self->ss, self->node, to, 32, 32));
	EXPECT_EQ(number, to[0].session);
	EXPECT_NE(number, usage(self->ss).session);
}

TEST_F(type, list_says_who_holds_an_object)
{
	int other = attach(self->heap);
	struct goheap_defer d = { .size = sizeof(d), .count = 1 };
	struct goheap_swap s = { .flags = GOHEAP_SWAP_HOLD };
	struct goheap_publish p = {
		.size = sizeof(p), .swaps = (uintptr_t)&s, .count = 1,
	};
	struct goheap_listed to[4];
	__u64 at[2];

	ASSERT_EQ(2, alloc_typed(self->ss, self->node, 0, at, 2,
				 GOHEAP_ALLOC_GIVEN | GOHEAP_ALLOC_ZERO));
	*(__u64 *)(self->win + at[0]) = at[1];
	s.at = at[0];
	s.expect = at[1];
	s.take = at[1];
	ASSERT_EQ(0, call(other, GOHEAP_IOC_DEFER, &d));
	ASSERT_EQ(0, call(other, GOHEAP_IOC_PUBLISH, &p));
	ASSERT_EQ(2, list_all(self->heap, self->node, to, 4, 2));
	EXPECT_EQ(0, to[0].flags);
	EXPECT_EQ(usage(self->ss).session, to[0].session);
	EXPECT_EQ(GOHEAP_LISTED_HELD, to[1].flags);
	EXPECT_EQ(usage(other).session, to[1].session);
	close(other);
	EXPECT_EQ(1, list_all(self->heap, self->node, to, 4, 2));
}

TEST_F(type, list_refuses_what_makes_no_sense)
{
	struct goheap_listed to[2];
	const struct goheap_list good = {
		.size = sizeof(good), .objects = (uintptr_t)to, .count = 2,
	};
	struct goheap_list l;
	__u64 at;

	ASSERT_EQ(1, alloc_many(self->ss, 64, &at, 1, GOHEAP_ALLOC_GIVEN));
#define RESULT(err, change)						\
do {									\
	l = good;							\
	change;								\
	EXPECT_EQ(err, call(self->ss, GOHEAP_IOC_LIST, &l));		\
} while (0)
	RESULT(-EINVAL, l.flags = 1);
	RESULT(-EINVAL, l.count = 0);
	RESULT(-EINVAL, l.count = GOHEAP_MAX_BATCH + 1);
	RESULT(-ENOENT, l.type = self->node + 1);
	RESULT(-EFAULT, l.objects = 8);
	RESULT(0, l.from = WINDOW);
	EXPECT_EQ(0, l.count);
	RESULT(0, l.from = ~0ULL);
	EXPECT_EQ(0, l.count);
	/* From within it, the next one. */
	RESULT(0, l.from = at + 1);
	EXPECT_EQ(0, l.count);
	RESULT(0, l.from = at);
	EXPECT_EQ(1, l.count);
#undef RESULT
}

/* What is given all the time is found once, whatever others do. */
static int churn(int heap, __u32 type)
{
	int ss = attach(heap);
	__u64 at[64];
	unsigned int i;

	for (i = 0;; i++) {
		int n = alloc_typed(ss, i % 2 ? type : 0, LENGTH, at, 64,
				    GOHEAP_ALLOC_GIVEN);

		if (n < 0 || batch(ss, GOHEAP_IOC_FREE, at, n, NULL))
			return 1;
	}
}

static int by_offset(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

TEST_F(type, list_is_right_while_others_work)
{
	static struct goheap_listed to[8192];
	unsigned int i, k, round;
	__u64 at[500];
	pid_t pid[2];
	int n;

	ASSERT_EQ(500, alloc_typed(self->ss, self->node, 0, at, 500,
				   GOHEAP_ALLOC_GIVEN));
	qsort(at, 500, sizeof(at[0]), by_offset);
	for (i = 0; i < 2; i++) {
		pid[i] = fork_bound();
		if (!pid[i])
			_exit(churn(self->heap, self->node));
	}
	for (round = 0; round < 50; round++) {
		n = list_all(self->heap, self->node, to, 8192, 7);
		ASSERT_LE(500, n);
		for (i = k = 0; (int)i < n; i++) {
			if (k < 500 && to[i].offset == at[k])
				k++;
			ASSERT_TRUE(!i || to[i].offset > to[i - 1].offset);
			ASSERT_EQ(self->node, to[i].type);
		}
		ASSERT_EQ(500, k);
	}
	for (i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		EXPECT_EQ(128 + SIGKILL, wait_for(pid[i]));
	}
}

/* However a session dies, its types are exact afterwards. */
TEST_F(type, kills_leave_nothing)
{
	struct goheap_type_usage u;
	unsigned int i;
	__u64 before;

	for (i = 0; i < 50; i++) {
		pid_t pid = fork_bound();

		if (!pid)
			_exit(churn(self->heap, self->node));
		usleep(1000 + i * 97);
		kill(pid, SIGKILL);
		wait_for(pid);
		u = type_usage(self->heap, self->node);
		EXPECT_EQ(u.given, u.objects);
	}
	/* What was given at the kill can be found, and freed. */
	before = u.objects;
	while (u.objects) {
		struct goheap_listed to[64];
		__u64 from = 0;
		int n = list(self->ss, self->node, &from, to, 64);

		ASSERT_LT(0, n);
		for (i = 0; (int)i < n; i++)
			ASSERT_EQ(0, free_one(self->ss, to[i].offset));
		u = type_usage(self->heap, self->node);
	}
	EXPECT_LE(u.objects, before);
	EXPECT_EQ(0, u.bytes);
}

TEST_HARNESS_MAIN
