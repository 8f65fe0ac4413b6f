/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of /dev/goheap share: calls that return 0 or a negative errno,
 * windows, and ways to look at memory that may not be there.
 */
#ifndef _USER_TEST_H
#define _USER_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/goheap.h>

#define DEVICE		"/dev/goheap"
#define HEAP_PAGE	8192UL
#define ARENA		(64UL << 20)
#define WINDOW		(64UL << 30)
#define MAX_SMALL	32768UL
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- calls -------------------------------------------------------------- */

static inline int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static inline int heap_open(void)
{
	return open(DEVICE, O_RDWR | O_CLOEXEC);
}

/* The session's descriptor, or a negative errno. */
static inline int attach_quota(int heap, __u64 quota)
{
	struct goheap_attach a = { .size = sizeof(a), .quota = quota };
	int err = call(heap, GOHEAP_IOC_ATTACH, &a);

	return err ?: a.fd;
}

static inline int attach(int heap)
{
	return attach_quota(heap, 0);
}

/* How many there are, or a negative errno. */
static inline int alloc_typed(int ss, __u32 type, __u64 length, __u64 *offsets,
			      unsigned int n, unsigned int flags)
{
	struct goheap_alloc_req r = {
		.size = sizeof(r),
		.flags = flags,
		.length = length,
		.offsets = (uintptr_t)offsets,
		.count = n,
		.type = type,
	};
	int err = call(ss, GOHEAP_IOC_ALLOC, &r);

	return err ?: (int)r.count;
}

static inline int alloc_many(int ss, __u64 length, __u64 *offsets,
			     unsigned int n, unsigned int flags)
{
	return alloc_typed(ss, 0, length, offsets, n, flags);
}

/* An object's offset, or a negative errno. */
static inline __s64 alloc_one(int ss, __u64 length)
{
	__u64 offset;
	int err = alloc_many(ss, length, &offset, 1, 0);

	return err < 0 ? err : (__s64)offset;
}

/* What a new session allocates first. */
static inline __s64 first_of_session(int heap, __u64 length)
{
	int ss = attach(heap);
	__s64 at = alloc_one(ss, length);

	close(ss);
	return at;
}

static inline int batch(int ss, unsigned long cmd, const __u64 *offsets,
			unsigned int n, unsigned int *bad)
{
	struct goheap_batch b = {
		.size = sizeof(b),
		.offsets = (uintptr_t)offsets,
		.count = n,
		.bad = ~0U,
	};
	int err = call(ss, cmd, &b);

	if (bad)
		*bad = b.bad;
	return err;
}

static inline int free_one(int ss, __u64 offset)
{
	return batch(ss, GOHEAP_IOC_FREE, &offset, 1, NULL);
}

static inline int give_one(int ss, __u64 offset)
{
	return batch(ss, GOHEAP_IOC_GIVE, &offset, 1, NULL);
}

static inline int resize(int ss, __u64 offset, __u64 length)
{
	struct goheap_resize r = {
		.size = sizeof(r),
		.offset = offset,
		.length = length,
	};

	return call(ss, GOHEAP_IOC_RESIZE, &r);
}

static inline int set_limit(int fd, __u64 limit)
{
	struct goheap_limit l = {
		.size = sizeof(l),
		.flags = GOHEAP_LIMIT_SET,
		.limit = limit,
	};

	return call(fd, GOHEAP_IOC_LIMIT, &l);
}

static inline __u64 root_get(int fd, unsigned int index)
{
	struct goheap_root r = { .size = sizeof(r), .index = index };

	return call(fd, GOHEAP_IOC_ROOT, &r) ? ~0ULL : r.value;
}

/* Whether the root was @expect, and is @value now. */
static inline bool root_swap(int fd, unsigned int index, __u64 expect,
			     __u64 value)
{
	struct goheap_root r = {
		.size = sizeof(r),
		.flags = GOHEAP_ROOT_CMPXCHG,
		.index = index,
		.expect = expect,
		.value = value,
	};

	return !call(fd, GOHEAP_IOC_ROOT, &r) && r.value == expect;
}

static inline __u64 trim(int fd)
{
	struct goheap_trim t = { .size = sizeof(t) };

	return call(fd, GOHEAP_IOC_TRIM, &t) ? ~0ULL : t.bytes;
}

/* All ones if it fails. */
static inline struct goheap_usage usage(int fd)
{
	struct goheap_usage u = { .size = sizeof(u) };

	if (call(fd, GOHEAP_IOC_STATS, &u))
		memset(&u, 0xff, sizeof(u));
	return u;
}

/* What must hold of a heap while nobody allocates or frees. */
static inline bool identities(int fd)
{
	struct goheap_usage u = usage(fd);
	bool good = u.objects == u.allocs - u.frees && u.given <= u.objects &&
		    u.object_bytes <= u.heap_bytes &&
		    u.reclaimed <= u.frees && u.heap_bytes <= u.peak_bytes &&
		    u.session_bytes <= u.heap_bytes &&
		    u.spans * HEAP_PAGE <= u.heap_bytes;

	if (good)
		return true;
	printf("# objects %llu allocs %llu frees %llu given %llu\n",
	       u.objects, u.allocs, u.frees, u.given);
	printf("# object_bytes %llu heap_bytes %llu peak_bytes %llu\n",
	       u.object_bytes, u.heap_bytes, u.peak_bytes);
	printf("# reclaimed %llu spans %llu session_bytes %llu\n",
	       u.reclaimed, u.spans, u.session_bytes);
	return false;
}

/* ---- windows ------------------------------------------------------------ */

static inline void *map_at(int heap, __u64 offset, size_t len, int prot)
{
	return mmap(NULL, len, prot, MAP_SHARED, heap, offset);
}

static inline __u8 *window(int heap, size_t len)
{
	return map_at(heap, 0, len, PROT_READ | PROT_WRITE);
}

static inline const __u64 *page_map(int heap, size_t arenas)
{
	return map_at(heap, GOHEAP_MMAP_MAP, arenas << 16, PROT_READ);
}

/*
 * Opens a heap, attaches to it and maps @len bytes of its window, as the fixture of
 * most tests needs. Returns 0, or a negative errno.
 */
static inline int setup_heap(int *heap, int *ss, __u8 **win, size_t len)
{
	*heap = heap_open();
	if (*heap < 0)
		return -errno;
	*ss = attach(*heap);
	if (*ss < 0)
		return *ss;
	*win = window(*heap, len);
	return *win == MAP_FAILED ? -errno : 0;
}

/* ---- memory that may not be there --------------------------------------- */

/* Each thread has its own. */
static __thread sigjmp_buf peek_env;
static __thread bool peeking;

/* Outside of peek() and poke() it is what it is without a handler. */
static inline void peek_handler(int sig)
{
	if (!peeking) {
		signal(sig, SIG_DFL);
		return;
	}
	siglongjmp(peek_env, sig);
}

static inline void peek_init(void)
{
	struct sigaction sa = { .sa_handler = peek_handler };

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}

static inline void peek_set(bool on)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	peeking = on;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* 0 if it can be read, or the signal; after peek_init(). */
static inline int peek(const void *p)
{
	int sig = sigsetjmp(peek_env, 1);

	peek_set(!sig);
	if (!sig)
		__atomic_load_n((const __u8 *)p, __ATOMIC_RELAXED);
	peek_set(false);
	return sig;
}

static inline int poke(void *p, __u8 value)
{
	int sig = sigsetjmp(peek_env, 1);

	peek_set(!sig);
	if (!sig)
		__atomic_store_n((__u8 *)p, value, __ATOMIC_RELAXED);
	peek_set(false);
	return sig;
}

static inline bool all_are(const void *p, __u8 value, size_t len)
{
	const __u8 *b = p;

	return !len || (b[0] == value && !memcmp(b, b + 1, len - 1));
}

/* ---- processes ---------------------------------------------------------- */

/* The child's exit status, or 128 and its signal. */
static inline int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

/* A child that the caller's end ends too, also if that comes first. */
static inline pid_t fork_bound(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
		_exit(127);
	return pid;
}

/* Runs @expr in a child; its value. */
#define IN_CHILD(expr)						\
({								\
	pid_t child_ = fork_bound();				\
								\
	if (!child_)						\
		_exit((expr) & 0x7f);				\
	wait_for(child_);					\
})

/* A user without rights. */
#define NOBODY		65534

/* Give up what lets root break rules; the file of the device is open already. */
static inline int become_nobody(void)
{
	return setgid(NOBODY) || setuid(NOBODY) ? -errno : 0;
}

static inline int send_fd(int sock, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &m, 0) == 1 ? 0 : -errno;
}

static inline int receive_fd(int sock)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room),
	};
	int fd;

	if (recvmsg(sock, &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
		return -errno;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

/* A session whose process has no descriptor of it any more; or an errno. */
static inline int ended_session(int heap)
{
	int pair[2], ss = attach(heap), err;

	if (ss < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return ss < 0 ? ss : -errno;
	err = send_fd(pair[0], ss);
	close(ss);
	ss = err ?: receive_fd(pair[1]);
	close(pair[0]);
	close(pair[1]);
	return ss;
}

static inline long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

#endif /* _USER_TEST_H */
