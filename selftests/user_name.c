// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps with names: files of the file system goheap.
 */
#include "user_test.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "user_harness.h"
#include "user_text.h"

#define DIR_		"/tmp/goheap-names"
#define A		DIR_ "/a"
#define B		DIR_ "/b"
#define HEAPS		"/sys/kernel/debug/goheap/heaps"

FIXTURE(name)
{
	int heap;
	int ss;
	__u8 *win;
	__u32 id;
};

static int create(const char *path, mode_t mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd;
}

static bool heap_is_there(__u32 id)
{
	char line[32];

	snprintf(line, sizeof(line), "heap %u uid", id);
	return strstr(contents(HEAPS), line);
}

static __u32 id_of(int fd)
{
	return fdinfo_value(fd, "goheap-heap:\t");
}

FIXTURE_SETUP(name)
{
	peek_init();
	mkdir(DIR_, 0755);
	ASSERT_EQ(0, mount("none", DIR_, "goheap", 0, "mode=755"));
	self->heap = create(A, 0640);
	ASSERT_LE(0, self->heap);
	self->ss = attach(self->heap);
	ASSERT_LE(0, self->ss);
	self->win = window(self->heap, ARENA);
	ASSERT_NE(MAP_FAILED, self->win);
	self->id = id_of(self->heap);
	ASSERT_TRUE(heap_is_there(self->id));
}

FIXTURE_TEARDOWN(name)
{
	EXPECT_TRUE(identities(self->heap));
	close(self->ss);
	munmap(self->win, ARENA);
	close(self->heap);
	EXPECT_EQ(0, umount(DIR_));
	EXPECT_FALSE(heap_is_there(self->id));
	rmdir(DIR_);
}

TEST_F(name, who_opens_the_file_has_the_heap)
{
	int fd = open(A, O_RDWR | O_CLOEXEC);
	__s64 at = alloc_one(self->ss, 64);
	__u8 *win = window(fd, HEAP_PAGE);

	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, win);
	EXPECT_EQ(self->id, id_of(fd));
	memcpy(self->win + at, "same", 5);
	EXPECT_EQ(0, memcmp(win + at, "same", 5));
	EXPECT_EQ(1, usage(fd).objects);
	munmap(win, HEAP_PAGE);
	close(fd);
	EXPECT_EQ(-EEXIST, create(A, 0600));
	EXPECT_EQ(-1, open(B, O_RDWR));
	EXPECT_EQ(ENOENT, errno);
}

TEST_F(name, what_is_freed_is_unmapped)
{
	__s64 at = alloc_one(self->ss, 100000);
	int fd = open(A, O_RDONLY | O_CLOEXEC);
	__u8 *win = map_at(fd, 0, ARENA, PROT_READ);

	ASSERT_NE(MAP_FAILED, win);
	self->win[at] = 1;
	EXPECT_EQ(0, peek(win + at));
	EXPECT_EQ(0, free_one(self->ss, at));
	EXPECT_EQ(SIGBUS, peek(win + at));
	EXPECT_EQ(SIGBUS, poke(self->win + at, 1));
	munmap(win, ARENA);
	close(fd);
}

TEST_F(name, it_lives_until_it_is_unlinked_and_unused)
{
	int ss, fd = create(B, 0600);
	__u32 id = id_of(fd);
	__s64 at;

	ASSERT_LE(0, fd);
	ss = attach(fd);
	at = alloc_one(ss, 1000);
	ASSERT_EQ(0, give_one(ss, at));
	close(ss);
	close(fd);
	EXPECT_TRUE(heap_is_there(id));

	/* Nobody had it open, and all is there. */
	fd = open(B, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(id, id_of(fd));
	EXPECT_EQ(1, usage(fd).given);
	EXPECT_EQ(0, unlink(B));
	EXPECT_TRUE(heap_is_there(id));
	ss = attach(fd);
	EXPECT_EQ(0, free_one(ss, at));
	close(fd);
	EXPECT_TRUE(heap_is_there(id));
	close(ss);
	EXPECT_FALSE(heap_is_there(id));
}

TEST_F(name, mappings_and_views_keep_it)
{
	struct goheap_view v = { .size = sizeof(v) };
	int fd = create(B, 0600);
	__u32 id = id_of(fd);
	__u8 *win = window(fd, HEAP_PAGE);

	ASSERT_EQ(0, call(fd, GOHEAP_IOC_VIEW, &v));
	unlink(B);
	close(fd);
	EXPECT_TRUE(heap_is_there(id));
	munmap(win, HEAP_PAGE);
	EXPECT_TRUE(heap_is_there(id));
	close(v.fd);
	EXPECT_FALSE(heap_is_there(id));
}

TEST_F(name, it_can_be_renamed)
{
	int other = create(B, 0600), fd;
	__u32 id = id_of(other);
	struct stat st;

	/* What was there goes. */
	close(other);
	EXPECT_EQ(0, rename(A, B));
	EXPECT_FALSE(heap_is_there(id));
	fd = open(B, O_RDWR);
	EXPECT_EQ(self->id, id_of(fd));
	EXPECT_EQ(-1, stat(A, &st));
	close(fd);

	EXPECT_EQ(0, mkdir(DIR_ "/dir", 0700));
	EXPECT_EQ(0, rename(B, DIR_ "/dir/a"));
	fd = open(DIR_ "/dir/a", O_RDWR);
	EXPECT_EQ(self->id, id_of(fd));
	close(fd);
	EXPECT_EQ(-1, rmdir(DIR_ "/dir"));
	EXPECT_EQ(ENOTEMPTY, errno);
	EXPECT_EQ(0, unlink(DIR_ "/dir/a"));
	EXPECT_EQ(0, rmdir(DIR_ "/dir"));
}

/* As another user, in the group of the file or not. */
static int opens_as(gid_t gid, int flags)
{
	int fd;

	if (setgid(gid) || setuid(NOBODY))
		return 126;
	fd = open(A, flags);
	return fd < 0 ? errno : 0;
}

TEST_F(name, owner_and_mode_say_who_may)
{
	struct stat st;

	ASSERT_EQ(0, chown(A, 0, 1234));
	ASSERT_EQ(0, stat(A, &st));
	EXPECT_EQ(S_IFREG | 0640, st.st_mode);
	EXPECT_EQ(1234, st.st_gid);
	EXPECT_EQ(0, IN_CHILD(opens_as(1234, O_RDONLY)));
	EXPECT_EQ(EACCES, IN_CHILD(opens_as(1234, O_RDWR)));
	EXPECT_EQ(EACCES, IN_CHILD(opens_as(NOBODY, O_RDONLY)));
	ASSERT_EQ(0, chmod(A, 0660));
	EXPECT_EQ(0, IN_CHILD(opens_as(1234, O_RDWR)));
}

TEST_F(name, who_may_only_read_can_change_nothing)
{
	int fd = open(A, O_RDONLY | O_CLOEXEC);
	__s64 at = alloc_one(self->ss, 8);
	__u8 *win = map_at(fd, 0, HEAP_PAGE, PROT_READ);

	ASSERT_NE(MAP_FAILED, win);
	EXPECT_EQ(self->id, id_of(fd));
	self->win[at] = 5;
	EXPECT_EQ(5, win[at]);
	EXPECT_EQ(-1, mprotect(win, HEAP_PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-EBADF, attach(fd));
	EXPECT_EQ(1, usage(fd).objects);
	munmap(win, HEAP_PAGE);
	close(fd);
}

TEST_F(name, it_is_found_through_proc)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->heap);
	fd = open(path, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->id, id_of(fd));
	close(fd);
	fd = open(path, O_RDONLY);
	EXPECT_EQ(self->id, id_of(fd));
	EXPECT_EQ(-EBADF, attach(fd));
	close(fd);
}

/* Tools that go through all files find nothing to wait for. */
TEST_F(name, there_is_nothing_to_read_or_write)
{
	char byte;
	struct stat st;

	EXPECT_EQ(-1, read(self->heap, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->heap, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ftruncate(self->heap, 4096));
	EXPECT_EQ(EINVAL, errno);
	close(open(A, O_RDWR | O_TRUNC));
	ASSERT_EQ(0, fstat(self->heap, &st));
	EXPECT_EQ(0, st.st_size);
	EXPECT_EQ(0, st.st_blocks);
	EXPECT_LE(0, alloc_one(self->ss, 100000));
	ASSERT_EQ(0, fstat(self->heap, &st));
	EXPECT_EQ(13 * HEAP_PAGE / 512, st.st_blocks);
	EXPECT_EQ(-1, mknod(B, S_IFCHR | 0600, makedev(1, 3)));
	EXPECT_EQ(-1, symlink(A, B));
	EXPECT_EQ(-1, link(A, B));
}

TEST_F(name, df_shows_what_heaps_hold)
{
	struct statfs before, after;

	/* There are tables, then. */
	EXPECT_LE(0, alloc_one(self->ss, 8));
	ASSERT_EQ(0, statfs(DIR_, &before));
	EXPECT_EQ(HEAP_PAGE, before.f_bsize);
	EXPECT_LT(0, before.f_blocks);
	EXPECT_LE(before.f_bfree, before.f_blocks);
	EXPECT_LE(0, alloc_one(self->ss, 64 * HEAP_PAGE));
	ASSERT_EQ(0, statfs(A, &after));
	EXPECT_EQ(before.f_blocks, after.f_blocks);
	EXPECT_EQ(before.f_bfree, after.f_bfree + 64);
}

TEST_F(name, mounts_are_apart)
{
	const char *other = "/tmp/goheap-others";
	int fd;

	mkdir(other, 0755);
	EXPECT_EQ(-1, mount("none", other, "goheap", 0, "mode=99"));
	EXPECT_EQ(-1, mount("none", other, "goheap", 0, "mode=201777"));
	EXPECT_EQ(-1, mount("none", other, "goheap", 0, "color=red"));
	ASSERT_EQ(0, mount("none", other, "goheap", 0, "mode=1777"));
	EXPECT_TRUE(strstr(contents("/proc/mounts"),
			   "/tmp/goheap-others goheap rw,relatime,mode=1777"));
	fd = create("/tmp/goheap-others/a", 0600);
	ASSERT_LE(0, fd);
	EXPECT_NE(self->id, id_of(fd));
	EXPECT_EQ(-1, umount(other));
	EXPECT_EQ(EBUSY, errno);
	close(fd);
	EXPECT_EQ(0, umount(other));
	rmdir(other);
}

/* What a creation or a kill leaves can be unlinked, and nothing else is left. */
static int make_and_use(void)
{
	unsigned int i;

	for (i = 0;; i++) {
		char path[64];
		int fd, ss;

		snprintf(path, sizeof(path), DIR_ "/%u", i % 4);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		ss = attach(fd);
		if (fd < 0 || ss < 0 || alloc_one(ss, 100) < 0)
			return 1;
		if (i % 3)
			unlink(path);
		close(ss);
		close(fd);
	}
}

TEST_F(name, kills_leave_files_that_are_whole)
{
	unsigned int i;
	char path[64];

	for (i = 0; i < 40; i++) {
		pid_t pid = fork_bound();

		if (!pid)
			_exit(make_and_use());
		usleep(1000 + 211 * i);
		kill(pid, SIGKILL);
		EXPECT_EQ(128 + SIGKILL, wait_for(pid));
	}
	for (i = 0; i < 4; i++) {
		int fd;

		snprintf(path, sizeof(path), DIR_ "/%u", i);
		fd = open(path, O_RDWR);
		if (fd >= 0) {
			EXPECT_EQ(0, usage(fd).objects);
			EXPECT_TRUE(identities(fd));
		}
		close(fd);
		unlink(path);
	}
}

/* One of eight names, in one of two directories. */
static const char *any_name(unsigned int *seed)
{
	static char path[2][64];
	static unsigned int which;
	unsigned int r = rand_r(seed);

	which = !which;
	snprintf(path[which], sizeof(path[0]), DIR_ "%s/%u", r & 8 ? "/dir" : "",
		 r & 7);
	return path[which];
}

static bool is_expected(int err)
{
	return err == ENOENT || err == EEXIST || err == ENOTEMPTY || err == EUSERS;
}

/* What goes wrong is that a name is there, or is not. */
static bool do_any(unsigned int *seed)
{
	const char *name = any_name(seed);
	int fd, ss;

	switch (rand_r(seed) % 6) {
	case 0:
		return !unlink(name) || is_expected(errno);
	case 1:
		return !rename(name, any_name(seed)) || is_expected(errno);
	case 2:
		return !mkdir(DIR_ "/dir", 0700) || is_expected(errno);
	case 3:
		return !rmdir(DIR_ "/dir") || is_expected(errno);
	default:
		fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return is_expected(errno);
		ss = attach(fd);
		if (ss < 0)
			return false;
		if (rand_r(seed) & 1)
			give_one(ss, alloc_one(ss, 100));
		close(fd);
		close(ss);
		return true;
	}
}

static int do_many(unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < 2000; i++)
		if (!do_any(&seed))
			return 1;
	return 0;
}

TEST_F(name, processes_do_as_they_like_at_once)
{
	unsigned int i, seed = 1;
	pid_t pid[4];

	for (i = 0; i < 4; i++) {
		pid[i] = fork_bound();
		if (!pid[i])
			_exit(do_many(i + 1));
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, wait_for(pid[i]));
	for (i = 0; i < 1000; i++)
		unlink(any_name(&seed));
	rmdir(DIR_ "/dir");
	/* Only the fixture's is left. */
	EXPECT_TRUE(heap_is_there(self->id));
	EXPECT_EQ(NULL, strstr(contents(HEAPS), "\nheap "));
}

TEST_HARNESS_MAIN
