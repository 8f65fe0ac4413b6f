// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipeline: a producer and a consumer, with libgoheap.
 *
 * The producer writes messages into a heap, gives them, and sends 8 bytes for each
 * through a pipe. The consumer reads the messages where they are, and frees them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <goheap.h>

#define MESSAGES	5000

struct message {
	size_t len;
	unsigned char bytes[];
};

static noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void produce(struct goheap *heap, int to)
{
	size_t i;

	for (i = 0; i < MESSAGES; i++) {
		size_t len = 1 + i * i % 100000;
		struct message *m = goheap_malloc(heap, sizeof(*m) + len);
		__u64 ref = goheap_ref(heap, m);

		if (!m)
			die("malloc");
		m->len = len;
		memset(m->bytes, i, len);
		/* Given before it is sent: so it stays, whatever becomes of us. */
		if (goheap_give(heap, (void **)&m, 1))
			die("give");
		if (write(to, &ref, sizeof(ref)) != sizeof(ref))
			die("write");
	}
}

/* Reads nothing but the message, and returns its bytes, or 0 if one is wrong. */
static size_t verify(const struct message *m, size_t i)
{
	size_t at;

	for (at = 0; at < m->len; at++)
		if (m->bytes[at] != (unsigned char)i)
			return 0;
	return m->len;
}

static int consume(struct goheap *heap, int from)
{
	size_t n = 0, total = 0;
	__u64 ref;

	while (read(from, &ref, sizeof(ref)) == sizeof(ref)) {
		struct message *m = goheap_deref(heap, ref);
		size_t len = m ? verify(m, n) : 0;

		if (!len) {
			fprintf(stderr, "message %zu is wrong\n", n);
			return 1;
		}
		total += len;
		n++;
		goheap_free(heap, m);
	}
	printf("%zu messages, %zu bytes, none copied\n", n, total);
	fflush(stdout);
	goheap_close(heap);
	return n != MESSAGES;
}

int main(void)
{
	struct goheap *heap = goheap_open(NULL, 0);
	struct goheap_usage usage;
	int fds[2], status;
	pid_t pid;

	if (!heap)
		die("/dev/goheap");
	if (pipe(fds))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(fds[1]);
		_exit(consume(heap, fds[0]));
	}
	close(fds[0]);
	produce(heap, fds[1]);
	close(fds[1]);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (goheap_usage(heap, &usage))
		die("usage");
	printf("given and not freed: %llu\n", (unsigned long long)usage.given);
	goheap_close(heap);
	return status || usage.given;
}
