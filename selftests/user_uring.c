// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a heap as a fixed buffer of io_uring: a file is read into it without
 * copying, or the kernel says that it does not take such memory.
 */
#include "user_test.h"

#include <stdatomic.h>
#include <sys/uio.h>

#include <linux/io_uring.h>

#define LENGTH	65536

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqes;
};

static int results, failures;

static void check(bool good, const char *what)
{
	printf("%sok %d %s\n", good ? "" : "not ", ++results, what);
	failures += !good;
}

/* Both rings are in one mapping since 5.4, and these fit in a page. */
static bool ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 1, &r->params);
	if (r->fd < 0)
		return false;
	r->rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
			IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	return r->rings != MAP_FAILED && r->sqes != MAP_FAILED;
}

/* The kernel ends it some time after the last mapping. */
static void ring_close(struct ring *r)
{
	munmap(r->rings, 4096);
	munmap(r->sqes, 4096);
	close(r->fd);
}

/* Returns what the read returns. */
static int read_fixed(struct ring *r, int file, void *to)
{
	struct io_sqring_offsets *sq = &r->params.sq_off;
	struct io_cqring_offsets *cq = &r->params.cq_off;
	unsigned int *head = (void *)(r->rings + cq->head);
	struct io_uring_cqe *cqes = (void *)(r->rings + cq->cqes);
	atomic_uint *tail = (void *)(r->rings + sq->tail);

	r->sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED,
		.fd = file,
		.addr = (unsigned long)to,
		.len = LENGTH,
	};
	((unsigned int *)(r->rings + sq->array))[0] = 0;
	atomic_fetch_add(tail, 1);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -errno;
	return cqes[*head & *(unsigned int *)(r->rings + cq->ring_mask)].res;
}

static int make_file(char c)
{
	int fd = open("/tmp/user_uring", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char buf[LENGTH];

	memset(buf, c, sizeof(buf));
	return write(fd, buf, sizeof(buf)) == sizeof(buf) ? fd : -1;
}

/* Returns 0 or an errno. */
static int register_buffer(struct ring *r, void *p, size_t len)
{
	struct iovec buffer = { .iov_base = p, .iov_len = len };

	return syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS,
		       &buffer, 1) ? errno : 0;
}

/*
 * A process ends while a ring holds its object; its neighbour, which was given,
 * keeps the span alive.
 */
static void check_death(int heap)
{
	struct ring ring;
	int ss = attach(heap), tries = 500;
	__s64 at = alloc_one(ss, HEAP_PAGE / 2);
	__s64 given = alloc_one(ss, HEAP_PAGE / 2);
	char *win = (char *)window(heap, ARENA);

	if (at < 0 || given < 0 || give_one(ss, given) || !ring_open(&ring) ||
	    register_buffer(&ring, win + at, HEAP_PAGE / 2)) {
		check(false, "an object and its given neighbour");
		return;
	}
	close(ss);
	check(first_of_session(heap, HEAP_PAGE / 2) != at,
	      "what a device holds is not handed out when its owner ends");
	ring_close(&ring);
	while (first_of_session(heap, HEAP_PAGE / 2) != at && --tries)
		usleep(10000);
	check(tries, "and is when the device lets go");
}

int main(void)
{
	int err, heap = open("/dev/goheap", O_RDWR);
	struct ring ring;
	char *p;

	if (heap < 0) {
		puts("1..0 # SKIP no /dev/goheap");
		return 4;
	}
	if (!ring_open(&ring)) {
		puts("1..0 # SKIP no io_uring");
		return 4;
	}
	p = map_at(heap, GOHEAP_MMAP_ALLOC, LENGTH, PROT_READ | PROT_WRITE);
	check(p != MAP_FAILED, "memory is allocated");
	err = register_buffer(&ring, p, LENGTH);
	if (err == EOPNOTSUPP) {
		printf("ok %d it becomes a fixed buffer # SKIP this kernel takes none of files\n",
		       ++results);
	} else {
		check(!err, "it becomes a fixed buffer");
		check(read_fixed(&ring, make_file('x'), p) ==
		      LENGTH, "a file is read into it");
		check(all_are(p, 'x', LENGTH), "and is there");
		munmap(p, LENGTH);
		check(read_fixed(&ring, make_file('y'), p) ==
		      LENGTH, "pages that are held can be read into when the object is gone");
		ring_close(&ring);
		check_death(heap);
	}
	unlink("/tmp/user_uring");
	printf("1..%d\n", results);
	return failures != 0;
}
