// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bounds: of heaps, sessions, users, the module and memory cgroups. Who meets one
 * is told by the call that allocates; nobody is killed, and nothing stays charged.
 * And the module stays as long as somebody uses it.
 */
#include "user_test.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include "user_harness.h"

#define LARGE		(100UL << 10)
#define MIB		(1024UL * 1024)
/* What the tables of each 64 MiB of the window take, once they are used. */
#define TABLES		(17 * HEAP_PAGE)
/* What a heap and a session of it take. */
#define RECORDS		(5 * HEAP_PAGE)
#define USER_MB		"/sys/module/goheap/parameters/user_mb"
#define CGROUPS		"/tmp/user_limit.cgroup"
#define GROUP		CGROUPS "/test"
#define MODULE		"/lib/goheap/goheap.ko"

FIXTURE(limit)
{
	int heap;
	int ss;
	__u8 *win;
};

FIXTURE_SETUP(limit)
{
	peek_init();
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
}

FIXTURE_TEARDOWN(limit)
{
	EXPECT_TRUE(identities(self->heap));
	close(self->ss);
	munmap(self->win, ARENA);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
	close(self->heap);
}

/* Allocate @length again and again until it fails; how often it did not. */
static unsigned int alloc_until(int ss, size_t length, int *err)
{
	unsigned int n = 0;

	while ((*err = alloc_one(ss, length)) >= 0 && n < 100000)
		n++;
	return n;
}

/* ---- heaps and sessions ------------------------------------------------- */

TEST_F(limit, heap_has_a_bound_for_all_its_sessions)
{
	int other = attach(self->heap), err;

	ASSERT_EQ(0, set_limit(self->heap, MIB));
	EXPECT_LE(0, alloc_one(other, 8 * HEAP_PAGE));
	EXPECT_EQ(MIB / (8 * HEAP_PAGE) - 1,
		  alloc_until(self->ss, 8 * HEAP_PAGE, &err));
	EXPECT_EQ(-EDQUOT, err);
	EXPECT_EQ(-EDQUOT, alloc_one(other, 64));
	EXPECT_EQ(MIB, usage(self->heap).heap_bytes);
	EXPECT_EQ(MAP_FAILED, map_at(self->heap, GOHEAP_MMAP_ALLOC, 4096,
				     PROT_READ | PROT_WRITE));
	EXPECT_EQ(EDQUOT, errno);
	close(self->ss);
	/* What the dead session had can be had again. */
	EXPECT_EQ(MIB / (8 * HEAP_PAGE) - 1,
		  alloc_until(other, 8 * HEAP_PAGE, &err));
	close(other);
	self->ss = attach(self->heap);
}

TEST_F(limit, session_has_a_bound_of_its_own)
{
	int other = attach(self->heap), err;

	ASSERT_EQ(0, set_limit(self->ss, MIB));
	EXPECT_EQ(MIB / HEAP_PAGE * 128, alloc_until(self->ss, 64, &err));
	EXPECT_EQ(-EDQUOT, err);
	EXPECT_LE(0, alloc_one(other, 2 * MIB));
	EXPECT_EQ(MIB, usage(self->ss).session_bytes);
	/* Raised, it goes on. */
	ASSERT_EQ(0, set_limit(self->ss, 2 * MIB));
	EXPECT_LE(0, alloc_one(self->ss, 64));
	close(other);
}

/* ---- users -------------------------------------------------------------- */

/* 0, or what was not as it should be; with two sessions, which take a page each. */
static int within_memlock(int heap, size_t bytes)
{
	struct rlimit r = { bytes + 2 * HEAP_PAGE, bytes + 2 * HEAP_PAGE };
	size_t length = 8 * HEAP_PAGE;
	int err, ss;
	__s64 first;

	if (setrlimit(RLIMIT_MEMLOCK, &r) || become_nobody())
		return 1;
	ss = attach(heap);
	if (alloc_one(ss, bytes + 2 * HEAP_PAGE) != -ENOMEM)
		return 2;
	first = alloc_one(ss, length);
	if (alloc_until(ss, length, &err) != bytes / length - 1)
		return 3;
	if (err != -ENOMEM)
		return 4;
	/* Of the user, whatever session. The page that is left is for that. */
	if (alloc_one(attach(heap), 8) != -ENOMEM)
		return 5;
	if (map_at(heap, GOHEAP_MMAP_ALLOC, 4096, PROT_READ | PROT_WRITE) !=
	    MAP_FAILED || errno != ENOMEM)
		return 6;
	return free_one(ss, first) || alloc_one(ss, 8) < 0 ? 7 : 0;
}

/* A page in each 4 MiB: few bytes of objects, in many arenas. */
static int tables_within_memlock(int heap)
{
	struct rlimit r = { MIB, MIB };
	unsigned long left, most, n = 0;
	__u64 at;
	struct goheap_alloc_req req = {
		.size = sizeof(req),
		.length = 1,
		.align = 4 * MIB,
		.offsets = (uintptr_t)&at,
		.count = 1,
	};
	int ss;

	if (setrlimit(RLIMIT_MEMLOCK, &r) || become_nobody())
		return 1;
	ss = attach(heap);
	while (n < 1000 && !call(ss, GOHEAP_IOC_ALLOC, &req))
		n++;
	/* The session takes a page, too; the last arena has fewer than 16 of them. */
	left = MIB - HEAP_PAGE;
	most = left / (TABLES + 16 * HEAP_PAGE) * 16;
	left %= TABLES + 16 * HEAP_PAGE;
	if (left > TABLES)
		most += (left - TABLES) / HEAP_PAGE;
	return n == most ? 0 : 2;
}

TEST_F(limit, memlock_bounds_tables_too)
{
	EXPECT_EQ(0, IN_CHILD(tables_within_memlock(self->heap)));
}

/* Allocated by root, who holds more than the limit; grown by somebody else. */
static int grow_as_nobody(int heap)
{
	struct rlimit r = { MIB, MIB };
	int ss = attach(heap);
	__s64 at = alloc_one(ss, MIB / 2);

	if (at < 0 || setrlimit(RLIMIT_MEMLOCK, &r) || become_nobody())
		return 1;
	if (resize(ss, at, MIB + HEAP_PAGE) != -ENOMEM)
		return 2;
	return resize(ss, at, MIB) ? 3 : 0;
}

TEST_F(limit, memlock_is_of_who_grows_an_object)
{
	ASSERT_LE(0, alloc_one(self->ss, 2 * MIB));
	EXPECT_EQ(0, IN_CHILD(grow_as_nobody(self->heap)));
	EXPECT_EQ(0, IN_CHILD(grow_as_nobody(self->heap)));
}

/* Allocated by nobody, who pays no more when root has grown it. */
static int grow_as_root(int heap)
{
	struct rlimit r = { MIB, MIB };
	int ss = attach(heap);
	__s64 at;

	/* With all rights of root, so that it can be root again. */
	if (setresuid(NOBODY, 0, 0))
		return 1;
	at = alloc_one(ss, MIB / 2);
	if (at < 0 || setresuid(0, 0, 0) || resize(ss, at, MIB))
		return 2;
	if (setrlimit(RLIMIT_MEMLOCK, &r) || become_nobody())
		return 3;
	return alloc_one(ss, MIB) < 0 ? 4 : 0;
}

TEST_F(limit, memlock_is_no_longer_of_who_allocated)
{
	ASSERT_LE(0, alloc_one(self->ss, 8));
	EXPECT_EQ(0, IN_CHILD(grow_as_root(self->heap)));
}

TEST_F(limit, memlock_bounds_users)
{
	ASSERT_LE(0, alloc_one(self->ss, 8));
	/* The second finds that the first one's charge went with it. */
	EXPECT_EQ(0, IN_CHILD(within_memlock(self->heap, MIB)));
	EXPECT_EQ(0, IN_CHILD(within_memlock(self->heap, MIB)));
	EXPECT_LE(0, alloc_one(self->ss, 2 * MIB));
}

/* ---- the module --------------------------------------------------------- */

TEST_F(limit, user_mb_bounds_all_heaps)
{
	int heap = heap_open(), ss = attach(heap), err;

	ASSERT_LE(0, alloc_one(self->ss, 3 * MIB - 2 * (TABLES + RECORDS)));
	ASSERT_EQ(0, write_text(USER_MB, "4"));
	EXPECT_EQ(MIB / (4 * HEAP_PAGE), alloc_until(ss, 4 * HEAP_PAGE, &err));
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_EQ(-ENOMEM, alloc_one(self->ss, 8));
	close(ss);
	EXPECT_LE(0, alloc_one(self->ss, 8));
	EXPECT_EQ(0, write_text(USER_MB, "0"));
	EXPECT_LE(0, alloc_one(self->ss, 4 * MIB));
	close(heap);
}

/* ---- memory cgroups ----------------------------------------------------- */

static bool cgroup_make(void)
{
	mkdir(CGROUPS, 0700);
	if (mount("none", CGROUPS, "cgroup2", 0, NULL))
		return false;
	if (!write_text(CGROUPS "/cgroup.subtree_control", "+memory") &&
	    !mkdir(GROUP, 0700))
		return true;
	umount(CGROUPS);
	return false;
}

static int cgroup_remove(void)
{
	int tries = 100;

	while (rmdir(GROUP) && --tries)
		usleep(20000);
	return umount(CGROUPS) || !tries;
}

static int fill_cgroup(int heap)
{
	int err, ss;

	if (write_text(GROUP "/cgroup.procs", "0"))
		return 1;
	ss = attach(heap);
	if (ss < 0)
		return 2;
	if (alloc_until(ss, MIB, &err) < 4 || err != -ENOMEM)
		return 3;
	return read_number(GROUP "/memory.current") < 4 * (long)MIB ? 4 : 0;
}

/* Events of the group that must not have been. */
static long killed(void)
{
	char line[64];
	long n = -1;
	FILE *f = fopen(GROUP "/memory.events", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "oom_kill %ld", &n);
	if (f)
		fclose(f);
	return n;
}

TEST_F_TIMEOUT(limit, cgroup_that_is_full_gives_enomem, 120)
{
	long left = -1;
	int tries;

	if (!cgroup_make())
		SKIP(return, "no memory controller");
	EXPECT_EQ(0, write_text(GROUP "/memory.max", "16777216"));
	EXPECT_EQ(0, IN_CHILD(fill_cgroup(self->heap)));
	EXPECT_EQ(0, killed());
	EXPECT_EQ(1, usage(self->heap).sessions);
	EXPECT_EQ(0, usage(self->heap).objects);
	/* The metadata of arenas stays with the heap, some counts with CPUs. */
	for (tries = 0; tries < 50; tries++) {
		left = read_number(GROUP "/memory.current");
		if (left < 3 * (long)MIB)
			break;
		usleep(20000);
	}
	EXPECT_GT(3 * (long)MIB, left);
	close(self->ss);
	close(self->heap);
	munmap(self->win, ARENA);
	EXPECT_EQ(0, cgroup_remove());
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
}

/* ---- pressure ----------------------------------------------------------- */

/* Take memory, without a fault for each page. */
static int press(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED || madvise(p, bytes, MADV_POPULATE_WRITE);
}

static size_t free_bytes(void)
{
	return sysconf(_SC_AVPHYS_PAGES) * 4096UL;
}

TEST_F_TIMEOUT(limit, heap_bears_memory_pressure, 240)
{
	__u64 at = alloc_one(self->ss, MIB);
	unsigned int i;

	memset(self->win + at, 0x77, MIB);
	EXPECT_EQ(0, IN_CHILD(press(free_bytes() / 10 * 7)));
	for (i = 0; i < 100; i++) {
		__s64 more = alloc_one(self->ss, 4 * LARGE);

		ASSERT_LE(0, more);
		EXPECT_EQ(0, free_one(self->ss, more));
	}
	EXPECT_TRUE(all_are(self->win + at, 0x77, MIB));
}

/* Memory ends: that is an error, and not the end of anybody. */
static int take_all_memory(int heap)
{
	struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };
	int ss = attach(heap);

	setrlimit(RLIMIT_MEMLOCK, &r);
	return alloc_one(ss, 60UL << 30) == -ENOMEM ? 0 : 1;
}

TEST_F_TIMEOUT(limit, more_than_there_is_gives_enomem, 300)
{
	/* Bounded, so that the rest of the guest has something to live on. */
	char mb[32];

	snprintf(mb, sizeof(mb), "%lu", free_bytes() / 2 / MIB);
	ASSERT_EQ(0, write_text(USER_MB, mb));
	EXPECT_EQ(0, IN_CHILD(take_all_memory(self->heap)));
	ASSERT_EQ(0, write_text(USER_MB, "0"));
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

/* ---- the module's life -------------------------------------------------- */

static int unload(void)
{
	return syscall(SYS_delete_module, "goheap", O_NONBLOCK) ? -errno : 0;
}

static int load(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;

	close(fd);
	return err;
}

/* Mounts go a little after what used them. */
static int unload_soon(void)
{
	int tries = 100, err;

	while ((err = unload()) == -EWOULDBLOCK && --tries)
		usleep(20000);
	return err;
}

TEST(module_stays_while_it_is_used)
{
	int heap = heap_open(), ss;
	void *p;

	ASSERT_LE(0, heap);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	ss = attach(heap);
	close(heap);
	EXPECT_LE(0, alloc_one(ss, 64));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(ss);
	heap = heap_open();
	p = window(heap, ARENA);
	close(heap);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	munmap(p, ARENA);
	heap = heap_open();
	p = map_at(heap, GOHEAP_MMAP_ALLOC, LARGE, PROT_READ | PROT_WRITE);
	close(heap);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	munmap(p, LARGE);
	ASSERT_EQ(0, unload_soon());
	EXPECT_EQ(-1, open(DEVICE, O_RDWR));
	ASSERT_EQ(0, load());
	heap = heap_open();
	EXPECT_LE(0, heap);
	close(heap);
}

TEST_HARNESS_MAIN
