/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LG_SESSION_H
#define LG_SESSION_H

#include "types.h"

int lg_session_attach(struct goheap *h);
int lg_session_error(struct goheap *h, int fd, int err);
int lg_session_ioctl(struct goheap *h, unsigned long cmd, void *req);
void lg_session_close(struct goheap *h);

/* The session's descriptor, or -1 with errno. It begins the session if need be. */
static inline int lg_session_fd(struct goheap *h)
{
	int fd = __atomic_load_n(&h->session_fd, __ATOMIC_ACQUIRE);

	return fd >= 0 ? fd : lg_session_attach(h);
}

#endif /* LG_SESSION_H */
