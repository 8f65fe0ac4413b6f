// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * futex: waiting for a word in shared memory to change, a while at a time.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "futex.h"

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

/**
 * lg_futex_deadline() - when a timeout is over
 * @timeout: milliseconds, or -1
 *
 * Return: nanoseconds of CLOCK_MONOTONIC; UINT64_MAX for never.
 */
uint64_t lg_futex_deadline(int timeout)
{
	return timeout < 0 ? UINT64_MAX : now() + timeout * NSEC_PER_MSEC;
}

/**
 * lg_futex_left() - how much time there is until a deadline
 * @deadline: of lg_futex_deadline()
 *
 * Return: milliseconds, rounded up; 0 if it has passed, -1 for ever.
 */
int lg_futex_left(uint64_t deadline)
{
	uint64_t t = now();

	if (deadline == UINT64_MAX)
		return -1;
	return t < deadline ? (deadline - t + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC : 0;
}

/**
 * lg_futex_is_over() - has a deadline passed?
 * @deadline: of lg_futex_deadline()
 *
 * Return: whether it has.
 */
bool lg_futex_is_over(uint64_t deadline)
{
	return now() >= deadline;
}

/**
 * lg_futex_wait() - wait while a word has a value, but not for long
 * @word: the word
 * @value: the value
 * @deadline: of lg_futex_deadline()
 * @slice: milliseconds at most
 *
 * It may return earlier.
 *
 * Return: false, with ETIMEDOUT, if the deadline is over; then it has not waited.
 */
bool lg_futex_wait(const uint32_t *word, uint32_t value, uint64_t deadline,
		   unsigned int slice)
{
	uint64_t t = now(), end = t + slice * NSEC_PER_MSEC;
	struct timespec ts;

	if (t >= deadline) {
		errno = ETIMEDOUT;
		return false;
	}
	if (end > deadline)
		end = deadline;
	ts.tv_sec = end / NSEC_PER_SEC;
	ts.tv_nsec = end % NSEC_PER_SEC;
	/* With a bitset, the time is absolute. */
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, &ts, NULL,
		FUTEX_BITSET_MATCH_ANY);
	return true;
}

/**
 * lg_futex_wake() - wake those who wait for a word
 * @word: the word
 * @n: how many at most
 *
 * Return: how many were woken.
 */
int lg_futex_wake(const uint32_t *word, int n)
{
	int saved = errno;
	int woken = syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);

	errno = saved;
	return woken > 0 ? woken : 0;
}
