// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a heap as a fixed buffer of io_uring: a file is read into it without
 * copying, or the kernel says that it does not take such memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/goheap.h>
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

/* Both rings are in one mapping since 5.4. */
static bool ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 1, &r->params);
	if (r->fd < 0)
		return false;
	r->rings = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
			IORING_OFF_SQ_RING);
	if (r->rings == MAP_FAILED)
		r->rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
				r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	return r->rings != MAP_FAILED && r->sqes != MAP_FAILED;
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

static bool all_are(const char *p, char c)
{
	size_t i;

	for (i = 0; i < LENGTH; i++)
		if (p[i] != c)
			return false;
	return true;
}

static int make_file(char c)
{
	int fd = open("/tmp/user_uring", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char buf[LENGTH];

	memset(buf, c, sizeof(buf));
	return write(fd, buf, sizeof(buf)) == sizeof(buf) ? fd : -1;
}

int main(void)
{
	int err, heap = open("/dev/goheap", O_RDWR);
	struct iovec buffer = { .iov_len = LENGTH };
	struct ring ring;

	if (heap < 0) {
		puts("1..0 # SKIP no /dev/goheap");
		return 4;
	}
	if (!ring_open(&ring)) {
		puts("1..0 # SKIP no io_uring");
		return 4;
	}
	buffer.iov_base = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED,
			       heap, GOHEAP_MMAP_ALLOC);
	check(buffer.iov_base != MAP_FAILED, "memory is allocated");
	err = syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS,
		      &buffer, 1) ? errno : 0;
	if (err == EOPNOTSUPP) {
		printf("ok %d it becomes a fixed buffer # SKIP this kernel takes none of files\n",
		       ++results);
	} else {
		check(!err, "it becomes a fixed buffer");
		check(read_fixed(&ring, make_file('x'), buffer.iov_base) ==
		      LENGTH, "a file is read into it");
		check(all_are(buffer.iov_base, 'x'), "and is there");
		munmap(buffer.iov_base, LENGTH);
		check(read_fixed(&ring, make_file('y'), buffer.iov_base) ==
		      LENGTH, "pages that are held can be read into when the object is gone");
		close(ring.fd);
	}
	unlink("/tmp/user_uring");
	printf("1..%d\n", results);
	return failures != 0;
}
