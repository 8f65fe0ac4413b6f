// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * type_test: objects of types, from the outside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "goheap.h"
#include "tap.h"

int tap_results, tap_failures;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct node {
	uint64_t next;
	char name[40];
};

static int bad_frees, last_err;

static void note_bad_free(struct goheap *h, const void *p, int err)
{
	(void)h;
	(void)p;
	bad_frees++;
	last_err = err;
}

static uint32_t node_type(struct goheap *h)
{
	const uint64_t refs = 1;

	return goheap_type(h, "node", sizeof(struct node), &refs,
			   sizeof(struct node) / 8);
}

static bool is_zero(const void *p, size_t size)
{
	const char *c = p;

	return !*c && !memcmp(c, c + 1, size - 1);
}

static void test_types(struct goheap *h)
{
	uint32_t node = node_type(h);

	check(node && node_type(h) == node && goheap_find_type(h, "node") == node,
	      "a type is found by its name");
	errno = 0;
	check(!goheap_type(h, "node", 8, NULL, 0) && errno == EEXIST,
	      "another one cannot have it");
	check(!goheap_find_type(h, "edge") && errno == ENOENT, "one that is not there is not");
	check(!goheap_type(h, "", 8, NULL, 0) && errno == EINVAL &&
	      !goheap_find_type(h, "0123456789abcdef0123456789abcdef") && errno == EINVAL,
	      "names have 1 to 31 bytes");
}

static void test_objects(struct goheap *h)
{
	uint32_t node = node_type(h), any = goheap_type(h, "any", 0, NULL, 0);
	struct node *n = goheap_new(h, node, sizeof(*n)), *again;
	char *p;
	unsigned int i;

	check(n && is_zero(n, sizeof(*n)) &&
	      goheap_usable_size(h, n) >= sizeof(*n), "an object is zero");
	check(!goheap_new(h, node, sizeof(*n) + 1) && errno == EINVAL &&
	      !goheap_new(h, node, 0) && errno == EINVAL &&
	      !goheap_new(h, 0, 8) && errno == EINVAL &&
	      !goheap_new(h, any + 1, 8) && errno == EINVAL,
	      "what is not of the type is refused");
	check(!goheap_new(h, any, SIZE_MAX) && errno == ENOMEM, "so is what cannot be");

	/* What was freed is not handed out as something else. */
	memset(n, 1, sizeof(*n));
	goheap_free(h, n);
	for (i = 0; i < 1000; i++)
		if ((uintptr_t)goheap_malloc(h, sizeof(*n)) / 8192 == (uintptr_t)n / 8192)
			break;
	again = goheap_new(h, node, sizeof(*n));
	check(i == 1000 && (uintptr_t)again / 8192 == (uintptr_t)n / 8192 &&
	      is_zero(again, sizeof(*again)), "types have pages of their own");
	goheap_free(h, again);
	goheap_free(h, again);
	check(bad_frees == 1 && last_err == ENOENT, "a second free is noticed");
	goheap_free(h, (char *)again + 16);
	check(bad_frees == 2, "so is one inside an object");

	p = goheap_new(h, any, 100000);
	check(p && is_zero(p, 100000) && goheap_usable_size(h, p) >= 100000,
	      "an object may be large");
	check(goheap_realloc(h, p, 50000) == p && goheap_usable_size(h, p) < 100000,
	      "it may become shorter");
	errno = 0;
	again = goheap_new(h, node, sizeof(*n));
	check(!goheap_realloc(h, again, 1000) && errno == EINVAL &&
	      goheap_usable_size(h, again), "but not move");
	check(goheap_realloc(h, again, 1) == again && goheap_realloc(h, p, 100) == p,
	      "what fits stays");
	goheap_free(h, p);
	goheap_free(h, again);
	check(bad_frees == 2, "and is freed");
}

/* Gives nodes until it is killed. */
static void give_nodes(struct goheap *parents)
{
	struct goheap *h = goheap_open_fd(goheap_fd(parents), 0);
	uint32_t node = goheap_find_type(h, "node");

	for (;;) {
		struct node *n = goheap_new(h, node, sizeof(*n));
		void *p = n;

		if (!n)
			_exit(1);
		strcpy(n->name, "left behind");
		goheap_give(h, &p, 1);
	}
}

static void test_list(struct goheap *h)
{
	uint32_t node = node_type(h);
	struct goheap_listed listed[100];
	struct goheap_usage u = { 0 };
	unsigned int left = 0, whole = 0;
	uint64_t from = 0;
	pid_t pid = fork();
	int n, i;

	if (!pid)
		give_nodes(h);
	while (!goheap_usage(h, &u) && u.given < 250)
		usleep(1000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	while ((n = goheap_list(h, node, &from, listed, ARRAY_SIZE(listed))) > 0) {
		for (i = 0; i < n; i++) {
			struct node *p = goheap_pointer(h, listed[i].offset);

			left++;
			whole += !strcmp(p->name, "left behind") &&
				 listed[i].type == node &&
				 listed[i].session != goheap_session(h);
			goheap_free(h, p);
		}
	}
	check(!n && left >= 250 && whole == left, "what a dead process gave is found");
	goheap_trim(h);
	from = 0;
	goheap_usage(h, &u);
	check(!goheap_list(h, 0, &from, listed, 1) && !u.given, "and can be freed");
	from = 0;
	check(goheap_list(h, 1000, &from, listed, 1) == -1 && errno == ENOENT &&
	      goheap_list(h, 0, &from, listed, 0) == -1 && errno == EINVAL,
	      "a list of nothing is refused");
}

#define NAMES	"/tmp/goheap-type-test"

/* What a process makes, a later one finds. */
static void test_names(void)
{
	struct goheap *h, *again;
	struct goheap_usage u;
	void *p;

	mkdir(NAMES, 0755);
	check(!goheap_open(NAMES "/a", GOHEAP_CREATE) && errno == EPROTO &&
	      access(NAMES "/a", F_OK), "nothing is left where files are no heaps");
	if (mount("none", NAMES, "goheap", 0, NULL))
		return check(false, "names can be had");
	check(!goheap_open(NAMES "/a", 0) && errno == ENOENT, "a heap has to be made");
	h = goheap_open(NAMES "/a", GOHEAP_CREATE);
	p = h ? goheap_new(h, node_type(h), sizeof(struct node)) : NULL;
	if (!p)
		return check(false, "and then it is there");
	goheap_give(h, &p, 1);
	goheap_close(h);
	h = goheap_open(NAMES "/a", 0);
	again = goheap_open(NAMES "/a", GOHEAP_CREATE);
	check(!goheap_usage(h, &u) && u.given == 1 && !goheap_usage(again, &u) &&
	      u.given == 1 && goheap_find_type(again, "node"),
	      "and stays when nobody uses it");
	goheap_close(again);
	goheap_close(h);

	check(!goheap_open(NULL, GOHEAP_CREATE) && errno == EINVAL &&
	      !goheap_open(NAMES "/a", GOHEAP_PRIVATE) && errno == EINVAL &&
	      !goheap_open(NAMES "/a", 8) && errno == EINVAL,
	      "flags have to go with the name");
	check(!goheap_open(NAMES, 0) && errno == EISDIR &&
	      !goheap_open("/dev/null", 0) && errno == EPROTO,
	      "what is no heap is refused");
	unlink(NAMES "/a");
	check(!umount(NAMES), "and nothing is in use any more");
	rmdir(NAMES);
}

static void test_private(void)
{
	struct goheap *h = goheap_open(NULL, GOHEAP_PRIVATE);
	struct goheap_listed listed;
	uint64_t from = 0;

	check(!node_type(h) && errno == EOPNOTSUPP &&
	      !goheap_find_type(h, "node") && errno == EOPNOTSUPP &&
	      !goheap_new(h, 1, 8) && errno == EOPNOTSUPP &&
	      goheap_list(h, 0, &from, &listed, 1) == -1 && errno == EOPNOTSUPP,
	      "private heaps have no types");
	goheap_close(h);
}

int main(void)
{
	struct goheap *h = goheap_open(NULL, 0);

	goheap_on_bad_free(note_bad_free);
	test_private();
	if (!h) {
		check(false, "a heap opens");
		return tap_end();
	}
	test_types(h);
	test_objects(h);
	test_list(h);
	goheap_close(h);
	test_names();
	return tap_end();
}
