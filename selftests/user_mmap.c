// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows of a heap: who may map what, what is there to be touched and what is
 * not, and what the rest of the kernel may do with it.
 */
#include "user_test.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include "user_harness.h"

#define RW	(PROT_READ | PROT_WRITE)
#define LARGE	(100UL << 10)
#define FRAME	4096UL

FIXTURE(mmap)
{
	int heap;
	int ss;
	__u8 *win;
};

FIXTURE_SETUP(mmap)
{
	peek_init();
	ASSERT_EQ(0, setup_heap(&self->heap, &self->ss, &self->win, ARENA));
}

FIXTURE_TEARDOWN(mmap)
{
	EXPECT_TRUE(identities(self->heap));
	close(self->ss);
	munmap(self->win, ARENA);
	EXPECT_EQ(0, usage(self->heap).sessions);
	close(self->heap);
}

/* ---- windows ------------------------------------------------------------ */

TEST_F(mmap, whole_window_can_be_mapped)
{
	__u64 at = alloc_one(self->ss, 64);
	__u8 *all = window(self->heap, WINDOW);

	ASSERT_NE(MAP_FAILED, all);
	all[at] = 7;
	EXPECT_EQ(7, self->win[at]);
	EXPECT_EQ(SIGBUS, peek(all + WINDOW - 1));
	EXPECT_EQ(SIGBUS, peek(all + ARENA));
	EXPECT_EQ(0, munmap(all, WINDOW));
}

TEST_F(mmap, windows_show_the_same)
{
	__u64 at = alloc_one(self->ss, LARGE);
	__u64 page = at & ~(FRAME - 1);
	__u8 *whole = window(self->heap, ARENA);
	__u8 *part = map_at(self->heap, page + 2 * FRAME, FRAME, RW);
	const __u8 *look = map_at(self->heap, page, 4 * FRAME, PROT_READ);

	ASSERT_NE(MAP_FAILED, whole);
	ASSERT_NE(MAP_FAILED, part);
	ASSERT_NE(MAP_FAILED, look);
	EXPECT_TRUE(all_are(look, 0, 4 * FRAME));
	part[5] = 0x11;
	EXPECT_EQ(0x11, whole[page + 2 * FRAME + 5]);
	EXPECT_EQ(0x11, look[2 * FRAME + 5]);
	EXPECT_EQ(0x11, self->win[page + 2 * FRAME + 5]);
	EXPECT_EQ(0x22, IN_CHILD((whole[page] = 0x22)));
	EXPECT_EQ(0x22, look[0]);
	EXPECT_EQ(SIGSEGV, poke((void *)look, 1));
}

static __u32 apart(int heap)
{
	struct goheap_info info = { .size = sizeof(info) };

	return call(heap, GOHEAP_IOC_INFO, &info) ? ~0U : info.apart;
}

static void *map_fixed(int heap, __u64 at, __u64 offset, size_t len)
{
	return mmap((void *)at, len, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE,
		    heap, offset);
}

TEST(mappings_elsewhere_are_counted)
{
	struct goheap_info info = { .size = sizeof(info) };
	int heap = heap_open();
	__u8 *win, *moved;

	ASSERT_EQ(0, call(heap, GOHEAP_IOC_INFO, &info));
	EXPECT_EQ(0, info.apart);
	/* As a whole, or in part. */
	ASSERT_EQ((void *)info.base, map_fixed(heap, info.base, 0, ARENA));
	ASSERT_EQ((void *)(info.base + 4 * ARENA),
		  map_fixed(heap, info.base + 4 * ARENA, 4 * ARENA, ARENA));
	EXPECT_EQ(0, apart(heap));
	EXPECT_EQ(0, IN_CHILD(apart(heap)));

	win = map_fixed(heap, info.base + 8 * ARENA, ARENA, ARENA);
	ASSERT_NE(MAP_FAILED, win);
	EXPECT_EQ(1, apart(heap));
	EXPECT_EQ(2, IN_CHILD(apart(heap)));
	/* In two pieces. */
	EXPECT_EQ(0, munmap(win + 8192, 8192));
	EXPECT_EQ(2, apart(heap));
	moved = mremap(win, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED,
		       (void *)(info.base + ARENA));
	ASSERT_EQ((void *)(info.base + ARENA), moved);
	EXPECT_EQ(1, apart(heap));
	EXPECT_EQ(0, munmap(win + 16384, ARENA - 16384));
	EXPECT_EQ(0, apart(heap));
	/* The page map, and memory that mmap() has allocated, can be anywhere. */
	ASSERT_NE(MAP_FAILED, page_map(heap, 1));
	ASSERT_NE(MAP_FAILED, map_at(heap, GOHEAP_MMAP_ALLOC, 8192,
				     PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, apart(heap));
	close(heap);
}

TEST_F(mmap, private_mappings_are_refused)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, ARENA, RW, MAP_PRIVATE, self->heap,
				   0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, FRAME, PROT_READ, MAP_PRIVATE,
				   self->heap, GOHEAP_MMAP_MAP));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, FRAME, RW, MAP_PRIVATE, self->heap,
				   GOHEAP_MMAP_ALLOC));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

TEST_F(mmap, executable_mappings_are_refused)
{
	static const __u64 at[] = { 0, GOHEAP_MMAP_MAP, GOHEAP_MMAP_ALLOC };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		int prot = at[i] == GOHEAP_MMAP_MAP ? PROT_READ : RW;
		void *p;

		EXPECT_EQ(MAP_FAILED, map_at(self->heap, at[i], FRAME,
					     prot | PROT_EXEC));
		EXPECT_EQ(EPERM, errno);
		p = map_at(self->heap, at[i], FRAME, prot);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(-1, mprotect(p, FRAME, PROT_READ | PROT_EXEC));
		EXPECT_EQ(EACCES, errno);
		munmap(p, FRAME);
	}
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

TEST_F(mmap, what_is_not_in_the_window_is_refused)
{
	static const struct {
		__u64 offset;
		size_t len;
	} bad[] = {
		{ WINDOW, FRAME },
		{ WINDOW - FRAME, 2 * FRAME },
		{ 0, WINDOW + FRAME },
		{ FRAME, WINDOW },
		{ GOHEAP_MMAP_MAP - FRAME, FRAME },
		{ GOHEAP_MMAP_MAP + (64UL << 20), FRAME },
		{ GOHEAP_MMAP_MAP, (64UL << 20) + FRAME },
		{ GOHEAP_MMAP_ALLOC - FRAME, FRAME },
		{ GOHEAP_MMAP_ALLOC + FRAME, FRAME },
		{ GOHEAP_MMAP_ALLOC * 2, FRAME },
		{ 1ULL << 62, FRAME },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(MAP_FAILED, map_at(self->heap, bad[i].offset,
					     bad[i].len, PROT_READ)) {
			TH_LOG("offset %#llx", bad[i].offset);
		}
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(mmap, files_mode_is_kept)
{
	int look = open(DEVICE, O_RDONLY), write = open(DEVICE, O_WRONLY);
	void *p = map_at(look, 0, FRAME, PROT_READ);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, FRAME, RW));
	EXPECT_EQ(MAP_FAILED, map_at(look, 0, FRAME, RW));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, map_at(look, GOHEAP_MMAP_ALLOC, FRAME,
				     PROT_READ));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, map_at(write, 0, FRAME, RW));
	EXPECT_EQ(EACCES, errno);
	close(look);
	close(write);
}

/* ---- what is there ------------------------------------------------------ */

TEST_F(mmap, what_is_not_allocated_gives_sigbus)
{
	__u64 at = alloc_one(self->ss, LARGE);
	size_t len = (LARGE + HEAP_PAGE - 1) & ~(HEAP_PAGE - 1);

	EXPECT_EQ(0, poke(self->win + at, 1));
	EXPECT_EQ(0, poke(self->win + at + len - 1, 1));
	EXPECT_EQ(SIGBUS, poke(self->win + at + len, 1));
	ASSERT_EQ(0, resize(self->ss, at, 40000));
	EXPECT_EQ(0, peek(self->win + at + 39999));
	EXPECT_EQ(SIGBUS, peek(self->win + at + 5 * HEAP_PAGE));
	ASSERT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(SIGBUS, peek(self->win + at));
	EXPECT_EQ(SIGBUS, poke(self->win + at + LARGE / 2, 1));
}

TEST_F(mmap, new_pages_are_zero)
{
	unsigned int i;

	for (i = 0; i < 30; i++) {
		__u64 at = alloc_one(self->ss, LARGE << (i % 5));

		EXPECT_TRUE(all_are(self->win + at, 0, LARGE << (i % 5)));
		memset(self->win + at, 0xee, LARGE << (i % 5));
		EXPECT_EQ(0, free_one(self->ss, at));
	}
}

/* As many as mm/user/map.c says. */
#define AROUND	16

/* Is there a page table entry? It is all that mincore() does not say. */
static bool is_mapped(const __u8 *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry = 0;

	if (pread(fd, &entry, sizeof(entry), (uintptr_t)p / FRAME * sizeof(entry)) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry >> 63;
}

static unsigned int count_mapped(const __u8 *p, unsigned int n)
{
	unsigned int mapped = 0;

	while (n--)
		mapped += is_mapped(p + n * FRAME);
	return mapped;
}

/* Blocks are of addresses, as page tables are. */
TEST_F(mmap, a_fault_maps_the_pages_around_it)
{
	__u64 block = AROUND * FRAME;
	__u8 *p = self->win + alloc_one(self->ss, 8 * block);

	p += block - (uintptr_t)p % block;
	ASSERT_EQ(0, peek(p + 5 * FRAME));
	EXPECT_EQ(AROUND, count_mapped(p, AROUND));
	EXPECT_EQ(0, count_mapped(p + block, AROUND));
	p += 2 * block;
	ASSERT_EQ(0, poke(p + 5 * FRAME, 1));
	EXPECT_EQ(AROUND, count_mapped(p, AROUND));
	EXPECT_EQ(0, count_mapped(p + block, AROUND));
}

/* They would have to be unmapped when their own process frees them. */
TEST_F(mmap, a_fault_maps_no_other_span)
{
	__s64 a = alloc_one(self->ss, FRAME), b = alloc_one(self->ss, LARGE);
	unsigned int n;

	ASSERT_EQ(0, poke(self->win + a, 1));
	n = count_mapped(self->win, AROUND);
	EXPECT_LE(1, n);
	EXPECT_GE(HEAP_PAGE / FRAME, n);
	ASSERT_EQ(0, poke(self->win + b, 1));
	EXPECT_EQ(n, count_mapped(self->win + a, HEAP_PAGE / FRAME));
}

/* A child has what it touches: fork() copies no page tables of the window. */
static int starts_without(__u8 *p, unsigned int n)
{
	if (count_mapped(p, n))
		return 1;
	return all_are(p, 0x77, n * FRAME) ? 0 : 2;
}

TEST_F(mmap, fork_copies_no_page_tables)
{
	__u8 *p = self->win + alloc_one(self->ss, LARGE);
	unsigned int n = LARGE / FRAME;

	memset(p, 0x77, LARGE);
	ASSERT_EQ(n, count_mapped(p, n));
	EXPECT_EQ(0, IN_CHILD(starts_without(p, n)));
}

TEST_F(mmap, end_of_a_session_unmaps_what_it_had)
{
	int ss = attach(self->heap);
	__u64 at = alloc_one(ss, LARGE);

	EXPECT_EQ(0, poke(self->win + at, 1));
	close(ss);
	EXPECT_EQ(SIGBUS, peek(self->win + at));
}

/* Frees what others touch all the time. */
struct toucher {
	__u8 *win;
	__u64 at;
	bool stop;
	unsigned long there;
	unsigned long gone;
};

static void *touch(void *arg)
{
	struct toucher *t = arg;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		__u64 at = __atomic_load_n(&t->at, __ATOMIC_RELAXED);

		if (peek(t->win + at))
			t->gone++;
		else
			t->there++;
	}
	return NULL;
}

TEST_F_TIMEOUT(mmap, what_is_freed_is_gone_whoever_touches_it, 240)
{
	struct toucher t = { .win = self->win };
	unsigned int i, seen = 0;
	pthread_t threads[3];

	t.at = alloc_one(self->ss, MAX_SMALL + 1);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, touch, &t));
	for (i = 0; i < 600; i++) {
		__u64 at = alloc_one(self->ss, MAX_SMALL + 1);

		__atomic_store_n(&t.at, at, __ATOMIC_RELAXED);
		poke(self->win + at, 1);
		if (i % 16 == 0)
			usleep(100);
		ASSERT_EQ(0, free_one(self->ss, at));
		seen += !peek(self->win + at);
	}
	__atomic_store_n(&t.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, seen);
	EXPECT_NE(0, t.gone);
}

/* ---- the page map ------------------------------------------------------- */

TEST_F(mmap, page_map_is_read_only)
{
	void *map = (void *)page_map(self->heap, 1);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-1, mprotect(map, FRAME, RW));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, map_at(self->heap, GOHEAP_MMAP_MAP, FRAME, RW));
	EXPECT_EQ(EPERM, errno);
	/* The heap has no arena yet. */
	EXPECT_EQ(SIGBUS, peek(map));
	ASSERT_LE(0, alloc_one(self->ss, 8));
	EXPECT_EQ(0, peek(map));
	EXPECT_EQ(SIGSEGV, poke(map, 1));
}

TEST_F(mmap, page_map_says_what_is_where)
{
	const __u64 *map = page_map(self->heap, 1);
	__u64 small = alloc_one(self->ss, 64);
	__u64 large = alloc_one(self->ss, LARGE);
	__u32 id = usage(self->ss).session;
	unsigned int i, n = (LARGE + HEAP_PAGE - 1) / HEAP_PAGE;
	__u64 e = map[small / HEAP_PAGE];

	EXPECT_NE(0, e & GOHEAP_PAGE_USED);
	EXPECT_EQ(0, e & (GOHEAP_PAGE_GIVEN | GOHEAP_PAGE_MMAP));
	EXPECT_EQ(id, GOHEAP_PAGE_SESSION(e));
	EXPECT_EQ(6, GOHEAP_PAGE_CLASS(e));
	EXPECT_EQ(0, GOHEAP_PAGE_INDEX(e));
	for (i = 0; i < n; i++) {
		e = map[large / HEAP_PAGE + i];
		EXPECT_EQ(0, GOHEAP_PAGE_CLASS(e));
		EXPECT_EQ(id, GOHEAP_PAGE_SESSION(e));
		EXPECT_EQ(i, GOHEAP_PAGE_INDEX(e));
	}
	EXPECT_EQ(0, map[large / HEAP_PAGE + n]);
	ASSERT_EQ(0, give_one(self->ss, large));
	EXPECT_NE(0, map[large / HEAP_PAGE] & GOHEAP_PAGE_GIVEN);
	EXPECT_EQ(0, map[large / HEAP_PAGE + n - 1] & GOHEAP_PAGE_GIVEN);
	close(self->ss);
	EXPECT_EQ(0, map[small / HEAP_PAGE]);
	EXPECT_EQ(0, GOHEAP_PAGE_SESSION(map[large / HEAP_PAGE]));
	self->ss = attach(self->heap);
	ASSERT_EQ(0, free_one(self->ss, large));
	EXPECT_EQ(0, map[large / HEAP_PAGE]);
}

/* ---- allocation by mmap() ----------------------------------------------- */

static void *map_new(int heap, size_t len)
{
	return map_at(heap, GOHEAP_MMAP_ALLOC, len, RW);
}

/* The process's other threads wait meanwhile. */
TEST_F(mmap, what_is_allocated_by_mapping_is_not_long)
{
	__u8 *p = map_new(self->heap, GOHEAP_MMAP_ALLOC_MAX);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, poke(p + GOHEAP_MMAP_ALLOC_MAX - 1, 1));
	EXPECT_EQ(0, munmap(p, GOHEAP_MMAP_ALLOC_MAX));
	EXPECT_EQ(MAP_FAILED, map_new(self->heap, GOHEAP_MMAP_ALLOC_MAX + 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_new(self->heap, WINDOW + HEAP_PAGE));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(mmap, mapping_is_allocated_and_freed_with_the_last_munmap)
{
	__u8 *p = map_new(self->heap, LARGE);
	struct goheap_usage u = usage(self->heap);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(1, u.objects);
	EXPECT_EQ(13 * HEAP_PAGE, u.heap_bytes);
	EXPECT_TRUE(all_are(p, 0, LARGE));
	memset(p, 0x77, LARGE);
	ASSERT_EQ(0, munmap(p + 3 * FRAME, 2 * FRAME));
	EXPECT_TRUE(all_are(p + 5 * FRAME, 0x77, LARGE - 5 * FRAME));
	EXPECT_EQ(1, usage(self->heap).objects);
	ASSERT_EQ(0, munmap(p, 3 * FRAME));
	EXPECT_EQ(1, usage(self->heap).objects);
	ASSERT_EQ(0, munmap(p + 5 * FRAME, LARGE - 5 * FRAME));
	EXPECT_EQ(0, usage(self->heap).objects);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
	p = map_new(self->heap, LARGE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(all_are(p, 0, LARGE));
	munmap(p, LARGE);
}

/* Where the heap has a mapping: of what the page map says. */
static __u64 offset_of_mapping(int heap)
{
	const __u64 *map = page_map(heap, 1);
	__u64 page;

	for (page = 0; page < ARENA / HEAP_PAGE; page++)
		if (map[page] & GOHEAP_PAGE_MMAP)
			return page * HEAP_PAGE;
	return ~0ULL;
}

TEST_F(mmap, mapping_is_in_the_window)
{
	__u8 *p = map_new(self->heap, LARGE);
	__u64 at = offset_of_mapping(self->heap);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_GT(ARENA, at);
	p[9] = 1;
	EXPECT_EQ(1, self->win[at + 9]);
	/* It has no object that a call could free. */
	EXPECT_EQ(-EINVAL, free_one(self->ss, at));
	EXPECT_EQ(-EPERM, give_one(self->ss, at));
	munmap(p, LARGE);
	EXPECT_EQ(SIGBUS, peek(self->win + at));
}

TEST_F(mmap, mapping_is_shared_by_a_fork)
{
	__u8 *p = map_new(self->heap, LARGE);
	int pipes[2];
	pid_t child;
	char c;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, pipe(pipes));
	child = fork();
	if (!child) {
		if (read(pipes[0], &c, 1) == 1)
			p[1] = 3;
		_exit(p[0]);
	}
	p[0] = 2;
	ASSERT_EQ(0, munmap(p + FRAME, LARGE - FRAME));
	EXPECT_EQ(1, usage(self->heap).objects);
	EXPECT_EQ(1, write(pipes[1], "x", 1));
	EXPECT_EQ(2, wait_for(child));
	EXPECT_EQ(3, p[1]);
	EXPECT_EQ(1, usage(self->heap).objects);
	munmap(p, FRAME);
	EXPECT_EQ(0, usage(self->heap).objects);
}

TEST_F(mmap, mapping_of_a_killed_process_is_freed)
{
	pid_t child = fork();
	int tries = 1000;

	if (!child) {
		memset(map_new(self->heap, LARGE), 1, LARGE);
		pause();
	}
	while (!usage(self->heap).objects && --tries)
		usleep(5000);
	EXPECT_EQ(1, usage(self->heap).objects);
	kill(child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, wait_for(child));
	EXPECT_EQ(0, usage(self->heap).objects);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

TEST_F(mmap, mapping_can_be_moved_but_not_grown)
{
	__u8 *p = map_new(self->heap, 4 * FRAME), *q;

	ASSERT_NE(MAP_FAILED, p);
	p[0] = 5;
	EXPECT_EQ(MAP_FAILED, mremap(p, 4 * FRAME, 8 * FRAME,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(p, 0, 4 * FRAME, MREMAP_MAYMOVE));
	q = mmap(NULL, 4 * FRAME, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	q = mremap(p, 4 * FRAME, 4 * FRAME, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(5, q[0]);
	EXPECT_EQ(1, usage(self->heap).objects);
	/* Smaller: what is cut off is unmapped. */
	ASSERT_EQ(q, mremap(q, 4 * FRAME, FRAME, 0));
	EXPECT_EQ(5, q[0]);
	munmap(q, FRAME);
	EXPECT_EQ(0, usage(self->heap).objects);
}

TEST_F(mmap, mapping_over_quota_fails)
{
	ASSERT_EQ(0, set_limit(self->heap, 4 * HEAP_PAGE));
	EXPECT_EQ(MAP_FAILED, map_new(self->heap, 5 * HEAP_PAGE));
	EXPECT_EQ(EDQUOT, errno);
	EXPECT_EQ(0, usage(self->heap).heap_bytes);
}

/* ---- what others may do with the pages ---------------------------------- */

TEST_F(mmap, pages_serve_direct_io)
{
	__u64 at = alloc_one(self->ss, LARGE);
	__u8 *p = self->win + at;
	char name[] = "/tmp/user_mmap.XXXXXX";
	int fd = mkstemp(name);

	ASSERT_LE(0, fd);
	unlink(name);
	if (fcntl(fd, F_SETFL, O_DIRECT))
		TH_LOG("no O_DIRECT on this file system; buffered instead");
	memset(p, 0x3c, 16 * FRAME);
	ASSERT_EQ(16 * FRAME, write(fd, p, 16 * FRAME));
	memset(p, 0, 16 * FRAME);
	ASSERT_EQ(16 * FRAME, pread(fd, p, 16 * FRAME, 0));
	EXPECT_TRUE(all_are(p, 0x3c, 16 * FRAME));
	close(fd);
}

TEST_F(mmap, pages_can_be_read_from_and_written_to_by_others)
{
	__u64 at = alloc_one(self->ss, LARGE);
	static __u8 buffer[LARGE];
	struct iovec mine = { buffer, LARGE };
	struct iovec theirs = { self->win + at, LARGE };

	if (process_vm_writev(getpid(), NULL, 0, NULL, 0, 0))
		SKIP(return, "no process_vm_writev");
	memset(buffer, 0x42, LARGE);
	EXPECT_EQ(LARGE, process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0));
	EXPECT_TRUE(all_are(self->win + at, 0x42, LARGE));
	memset(buffer, 0, LARGE);
	EXPECT_EQ(LARGE, process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0));
	EXPECT_TRUE(all_are(buffer, 0x42, LARGE));
}

/* A pipe holds the pages themselves. */
TEST_F(mmap, pages_that_others_hold_outlive_the_object)
{
	__u64 at = alloc_one(self->ss, LARGE);
	struct iovec v = { self->win + at, 4 * FRAME };
	static __u8 buffer[4 * FRAME];
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	memset(v.iov_base, 0x99, v.iov_len);
	ASSERT_EQ(v.iov_len, vmsplice(pipes[1], &v, 1, 0));
	ASSERT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(SIGBUS, peek(v.iov_base));
	/* New pages come, not those in the pipe. */
	ASSERT_EQ(at, alloc_one(self->ss, LARGE));
	EXPECT_TRUE(all_are(v.iov_base, 0, LARGE));
	memset(v.iov_base, 0x11, LARGE);
	ASSERT_EQ(v.iov_len, read(pipes[0], buffer, sizeof(buffer)));
	EXPECT_TRUE(all_are(buffer, 0x99, sizeof(buffer)));
}

TEST_F(mmap, pages_can_be_fixed_buffers_of_io_uring)
{
	struct io_uring_params params = { 0 };
	__u64 at = alloc_one(self->ss, LARGE);
	struct iovec v = { self->win + at, LARGE };
	int ring = syscall(SYS_io_uring_setup, 4, &params);

	if (ring < 0)
		SKIP(return, "no io_uring");
	/* Older kernels do not take mappings of files. */
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &v,
		    1)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		SKIP(return, "no fixed buffers in mappings of files");
	}
	ASSERT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(SIGBUS, peek(v.iov_base));
	close(ring);
}

TEST_F(mmap, mlock_is_harmless)
{
	__u64 at = alloc_one(self->ss, LARGE);

	EXPECT_EQ(0, mlock(self->win + at, LARGE));
	EXPECT_EQ(0, munlock(self->win + at, LARGE));
	/* What is not allocated cannot be there. */
	EXPECT_EQ(-1, mlock(self->win, ARENA));
	EXPECT_EQ(0, munlock(self->win, ARENA));
	EXPECT_EQ(0, poke(self->win + at, 1));
	ASSERT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(SIGBUS, peek(self->win + at));
}

TEST_F(mmap, advice_is_harmless)
{
	__u64 at = alloc_one(self->ss, LARGE);
	size_t len = LARGE & ~(FRAME - 1);
	__u8 *p = self->win + at;
	int advice;

	memset(p, 0x66, len);
	/* Up to the highest there is; poisoning pages is another matter. */
	for (advice = 0; advice < 40; advice++) {
		madvise(p, len, advice);
		ASSERT_EQ(0, peek(p));
		EXPECT_TRUE(all_are(p, 0x66, len));
	}
	for (advice = 0; advice < 40; advice++)
		madvise(self->win, ARENA, advice);
	msync(p, len, MS_SYNC | MS_INVALIDATE);
	EXPECT_TRUE(all_are(p, 0x66, len));
}

/* ---- core dumps --------------------------------------------------------- */

static void dump_core(const __u8 *win)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct sigaction sa = { .sa_handler = SIG_DFL };

	/* Of shared mappings too. */
	write_text("/proc/self/coredump_filter", "0xff");
	setrlimit(RLIMIT_CORE, &all);
	sigaction(SIGSEGV, &sa, NULL);
	prctl(PR_SET_DUMPABLE, 1);
	kill(getpid(), SIGSEGV);
	_exit(win[0]);
}

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define CORE_FILE	"/tmp/user_mmap.core"

/* How many pages of the core of a child begin with @word; or less than 0. */
static int count_in_core(struct __test_metadata *_metadata, const __u8 *p,
			 size_t len, bool dodump, __u64 word)
{
	pid_t child = fork();
	int fd, n = 0;
	__u64 at;

	if (!child) {
		if (dodump && madvise((void *)p, len, MADV_DODUMP))
			_exit(1);
		dump_core(p);
	}
	EXPECT_EQ(128 + SIGSEGV, wait_for(child));
	fd = open(CORE_FILE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	for (off_t pos = 0; pread(fd, &at, sizeof(at), pos) == sizeof(at); pos += FRAME)
		n += at == word;
	close(fd);
	unlink(CORE_FILE);
	return n;
}

TEST_F_TIMEOUT(mmap, core_dumps_have_what_is_asked_for, 60)
{
	unsigned int i, frames = LARGE / FRAME;
	__u64 word = 0x676f686561700000ULL | getpid();
	__u8 *p = self->win + alloc_one(self->ss, LARGE);
	int n;

	if (write_text(CORE_PATTERN, CORE_FILE))
		SKIP(return, "no core dumps");
	for (i = 0; i < frames; i++)
		memcpy(p + i * FRAME, &word, sizeof(word));
	n = count_in_core(_metadata, p, LARGE, false, word);
	if (n < 0)
		SKIP(return, "no core file");
	EXPECT_EQ(0, n);
	EXPECT_EQ(frames, count_in_core(_metadata, p, frames * FRAME, true, word));
	write_text(CORE_PATTERN, "core");
}

TEST_HARNESS_MAIN
