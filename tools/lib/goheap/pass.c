// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pass: descriptors of heaps that go from process to process over a socket.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/uio.h>

#include "sys.h"
#include "types.h"

/* Room for a descriptor, aligned as cmsg(3) wants it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

LG_EXPORT int goheap_send(int sock, int fd)
{
	union control control = { .header.cmsg_len = CMSG_LEN(sizeof(fd)) };
	struct iovec io = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

/* The descriptor, or -1 with errno. */
static int receive(int sock)
{
	union control control;
	char byte;
	struct iovec io = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes),
	};
	const struct cmsghdr *c;
	ssize_t n;
	int fd;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(fd))) {
		errno = n ? EPROTO : EPIPE;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

LG_EXPORT struct goheap *goheap_receive(int sock)
{
	int err, fd = receive(sock);
	struct goheap *h;

	if (fd < 0)
		return NULL;
	h = goheap_open_fd(fd, 0);
	err = errno;
	lg_sys_close(fd);
	errno = err;
	return h;
}
