/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * tap: results of the tests of libgoheap.
 */
#ifndef LG_TAP_H
#define LG_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* What --wrap makes of calls of ioctl() and the like, and what the real ones are called. */
int __wrap_ioctl(int fd, unsigned long cmd, ...);
int __real_ioctl(int fd, unsigned long cmd, ...);
long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f);
int __wrap_sched_yield(void);
int __real_sched_yield(void);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned int flags);
ssize_t __real_getrandom(void *to, size_t n, unsigned int flags);

/* Defined where main() is. */
extern int tap_results, tap_failures;

static inline void check(bool good, const char *what)
{
	printf("%sok %d %s\n", good ? "" : "not ", ++tap_results, what);
	fflush(stdout);
	tap_failures += !good;
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_results);
	return tap_failures ? 1 : 0;
}

#endif /* LG_TAP_H */
