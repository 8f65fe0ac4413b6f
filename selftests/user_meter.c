// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for heaps and sessions, for users of a user namespace, for spans that
 * sessions leave behind, and for objects that grow.
 */
#include "user_test.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "user_harness.h"

#define MIB		(1024UL * 1024)
/* What they count as. */
#define HEAP_COST	(4 * HEAP_PAGE)
#define SESSION_COST	HEAP_PAGE
/* Objects of 64 bytes of a span. */
#define NELEMS		(HEAP_PAGE / 64)

FIXTURE(meter)
{
	int heap;
	int ss;
	__u8 *win;
};

FIXTURE_SETUP(meter)
{
	peek_init();
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
	/* So that the heap has an arena, which nobody of the tests pays for. */
	ASSERT_LE(0, alloc_one(self->ss, 8));
}

FIXTURE_TEARDOWN(meter)
{
	EXPECT_TRUE(identities(self->heap));
	close(self->ss);
	munmap(self->win, ARENA);
	close(self->heap);
}

static int become(uid_t uid)
{
	return setgid(uid) || setuid(uid) ? -errno : 0;
}

static int lock_at_most(size_t bytes)
{
	struct rlimit r = { bytes, bytes };

	return setrlimit(RLIMIT_MEMLOCK, &r);
}

/* ---- heaps and sessions ------------------------------------------------- */

/* How many heaps a user has who may lock @bytes, or sessions of a heap. */
static int count_heaps(size_t bytes)
{
	int n = 0;

	if (lock_at_most(bytes) || become(NOBODY))
		return -1;
	while (n < 100 && heap_open() >= 0)
		n++;
	return errno == ENOMEM ? n : -1;
}

static int count_sessions(int heap, size_t bytes)
{
	int n = 0, err = 0;

	if (lock_at_most(bytes) || become(NOBODY))
		return -1;
	while (n < 100 && (err = attach(heap)) >= 0)
		n++;
	return err == -ENOMEM ? n : -1;
}

TEST_F(meter, heaps_are_paid_for)
{
	int i, most = MIB / HEAP_COST;

	ASSERT_EQ(0, chmod(DEVICE, 0666));
	/* The second finds that the first one's charges went with it. */
	for (i = 0; i < 2; i++)
		EXPECT_EQ(most, IN_CHILD(count_heaps(MIB)));
	EXPECT_EQ(0, IN_CHILD(count_heaps(HEAP_COST - 1)));
	EXPECT_EQ(0, chmod(DEVICE, 0660));
}

TEST_F(meter, sessions_are_paid_for)
{
	int i, most = MIB / 2 / SESSION_COST;

	for (i = 0; i < 2; i++)
		EXPECT_EQ(most,
			  IN_CHILD(count_sessions(self->heap, MIB / 2)));
	EXPECT_EQ(0, IN_CHILD(count_sessions(self->heap, SESSION_COST - 1)));
	EXPECT_EQ(1, usage(self->heap).sessions);
}

/* ---- user namespaces ---------------------------------------------------- */

#define FIRST_UID	100000

/* Attach, and allocate until it fails; how often it did not. */
static int fill(int heap)
{
	int ss = attach(heap), n = 0, err;

	if (ss < 0)
		return 100 - ss;
	while ((err = alloc_one(ss, 8 * HEAP_PAGE)) >= 0 && n < 100)
		n++;
	return err == -ENOMEM ? n : 100;
}

static int fill_as(int heap, uid_t uid)
{
	return setresuid(uid, uid, uid) ? 99 : fill(heap);
}

/* In a namespace of nobody's: a first user takes all, a second finds nothing left. */
static int fill_namespace(int heap, int ready, int go)
{
	char byte = 0;

	if (lock_at_most(MIB) || become(NOBODY) || unshare(CLONE_NEWUSER))
		return 1;
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		return 2;
	if (setresuid(0, 0, 0))
		return 3;
	if (fill(heap) != (MIB - SESSION_COST) / (8 * HEAP_PAGE))
		return 4;
	return IN_CHILD(fill_as(heap, 1)) ? 5 : 0;
}

TEST_F(meter, users_of_a_namespace_share_its_makers_limit)
{
	int ready[2], go[2], status;
	char map[64], path[64], byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork_bound();
	if (!pid)
		_exit(fill_namespace(self->heap, ready[1], go[0]));
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		wait_for(pid);
		SKIP(return, "no user namespaces");
	}
	snprintf(map, sizeof(map), "0 %d 100", FIRST_UID);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	EXPECT_EQ(0, write_text(path, map));
	EXPECT_EQ(1, write(go[1], &byte, 1));
	status = wait_for(pid);
	EXPECT_EQ(0, status);
	/* Nothing stays charged. */
	EXPECT_EQ(MIB / 2 / SESSION_COST,
		  IN_CHILD(count_sessions(self->heap, MIB / 2)));
	close(ready[0]);
	close(go[0]);
	close(go[1]);
}

/* ---- what sessions leave behind ----------------------------------------- */

/* Leave a span of 64-byte objects behind, @n of them given. */
static int leave_span(int heap, unsigned int n)
{
	__u64 at[NELEMS];
	int ss = attach(heap), err;

	err = alloc_many(ss, 64, at, NELEMS, 0) == NELEMS ?
	      batch(ss, GOHEAP_IOC_GIVE, at, n, NULL) : -ENOMEM;
	close(ss);
	return err;
}

static int leave_span_as(int heap, uid_t uid)
{
	return become(uid) ?: leave_span(heap, 1);
}

/* Does it take a new span to allocate an object? */
static int takes_new_span(int heap)
{
	__u64 before = usage(heap).heap_bytes;
	int ss = attach(heap), err = alloc_one(ss, 64) < 0;
	__u64 after = usage(heap).heap_bytes;

	err |= usage(ss).session_bytes != HEAP_PAGE;
	close(ss);
	return err ? 2 : after != before;
}

static int takes_new_span_as(int heap, uid_t uid)
{
	return become(uid) ? 3 : takes_new_span(heap);
}

TEST_F(meter, nobody_pays_for_what_strangers_left)
{
	ASSERT_EQ(0, IN_CHILD(leave_span_as(self->heap, 1000)));
	EXPECT_EQ(1, IN_CHILD(takes_new_span_as(self->heap, 1001)));
	EXPECT_EQ(1, takes_new_span(self->heap));
	EXPECT_EQ(0, IN_CHILD(takes_new_span_as(self->heap, 1000)));
}

TEST_F(meter, who_adopts_a_span_gets_half_of_it)
{
	ASSERT_EQ(0, leave_span(self->heap, NELEMS / 2 + 1));
	EXPECT_EQ(1, takes_new_span(self->heap));
	ASSERT_EQ(0, leave_span(self->heap, NELEMS / 2));
	EXPECT_EQ(0, takes_new_span(self->heap));
}

/* ---- growing ------------------------------------------------------------ */

/* Allocated by root; nobody tries to make it longer, which its session may not be. */
static int fail_to_grow(int heap)
{
	int ss = attach(heap);
	__s64 at = alloc_one(ss, MIB / 2);

	if (at < 0 || set_limit(ss, MIB / 2) || lock_at_most(MIB) ||
	    become(NOBODY))
		return 1;
	if (resize(ss, at, MIB) != -EDQUOT)
		return 2;
	return alloc_one(attach(heap), MIB - SESSION_COST) < 0 ? 3 : 0;
}

TEST_F(meter, who_fails_to_grow_an_object_does_not_pay_for_it)
{
	ASSERT_LE(0, alloc_one(self->ss, 2 * MIB));
	EXPECT_EQ(0, IN_CHILD(fail_to_grow(self->heap)));
}

TEST_HARNESS_MAIN
