// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * sys: memory and descriptors for the library's own use.
 *
 * In a preloaded program malloc() is this library's, so it must not call it for itself.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"

/**
 * lg_sys_map() - get memory from the system
 * @bytes: how much
 *
 * Return: zeroed memory, or NULL with errno.
 */
void *lg_sys_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/**
 * lg_sys_unmap() - return memory to the system
 * @p: its start, or NULL
 * @bytes: its length
 */
void lg_sys_unmap(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

/**
 * lg_sys_close() - close one of our own descriptors
 * @fd: the descriptor
 *
 * A program may have a close() of its own.
 */
void lg_sys_close(int fd)
{
	syscall(SYS_close, fd);
}

/**
 * lg_sys_high_fd() - move a descriptor out of the way of the program
 * @fd: the descriptor, or -1
 *
 * Shells and daemons close low descriptors that they did not open.
 *
 * Return: the new descriptor; @fd if that was not possible.
 */
int lg_sys_high_fd(int fd)
{
	int high = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, LG_HIGH_FD);

	if (high < 0)
		return fd;
	lg_sys_close(fd);
	return high;
}

/**
 * lg_sys_random() - a random word
 *
 * Early at boot there is no randomness. Then it is one that is not the same twice, which
 * programs do not write by chance; somebody might guess it.
 *
 * Return: the word.
 */
uint64_t lg_sys_random(void)
{
	static uint64_t calls;
	struct timespec now;
	uint64_t word;

	if (getrandom(&word, sizeof(word), GRND_NONBLOCK) == sizeof(word))
		return word;
	clock_gettime(CLOCK_MONOTONIC, &now);
	word = now.tv_nsec + __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) *
				     0x9e3779b97f4a7c15ULL;
	/* The last steps of splitmix64, by Sebastiano Vigna. */
	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ word >> 27) * 0x94d049bb133111ebULL;
	return word ^ word >> 31;
}
