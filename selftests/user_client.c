// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sample goheap_user_client and a process share an object: each sees what the
 * other has written, it cannot be freed meanwhile, and it outlives its process.
 */
#include "user_test.h"

#include "kselftest.h"

#define CLIENT	"/sys/kernel/debug/goheap_user_client/"
#define HEAPS	"/sys/kernel/debug/goheap/heaps"

/* The large one spans pages, so the kernel must map it for itself. */
#define SMALL	64
#define LARGE	100000

#define WINDOW_LEN	(16UL << 20)
#define NR_RESULTS	27

static ssize_t file_read(const char *name, char *buf, size_t room)
{
	int fd = open(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, room - 1);
	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

/* 0 or a negative errno, as write_text(). */
static int pin(int heap, __u64 offset, unsigned long len)
{
	char words[80];

	snprintf(words, sizeof(words), "%d %llu %lu", heap, offset, len);
	return write_text(CLIENT "pin", words);
}

static int unpin(void)
{
	return write_text(CLIENT "pin", "none");
}

static void put(char *to, const char *s)
{
	memcpy(to, s, strlen(s) + 1);
}

static bool text_is(const char *want)
{
	static char buf[LARGE + 1];

	return file_read(CLIENT "text", buf, sizeof(buf)) >= 0 &&
	       !strcmp(buf, want);
}

static bool alloc(int ss, size_t length, __u64 *offset)
{
	return alloc_many(ss, length, offset, 1, GOHEAP_ALLOC_ZERO) == 1;
}

static void test_object(int heap, int ss, __u8 *win, size_t length)
{
	char *object;
	__u64 offset;
	int err;

	ksft_test_result(alloc(ss, length, &offset), "an object is allocated\n");
	object = (char *)win + offset;
	put(object, "from the process");
	ksft_test_result(!pin(heap, offset, length), "the module pins it\n");
	ksft_test_result(text_is("from the process"),
			 "and reads what the process wrote\n");
	ksft_test_result(!write_text(CLIENT "text", "from the module!"),
			 "the module writes\n");
	ksft_test_result(!strcmp(object, "from the module!"),
			 "and the process sees it\n");
	ksft_test_result(free_one(ss, offset) == -EBUSY,
			 "it cannot be freed\n");
	ksft_test_result(!unpin(), "it is unpinned\n");
	ksft_test_result(!free_one(ss, offset), "and can be freed\n");
	err = pin(heap, offset, 1);
	ksft_test_result(err == -ENOENT || err == -EINVAL,
			 "a free object cannot be pinned\n");
}

static void test_refusals(int heap, int ss)
{
	__u64 offset;

	ksft_test_result(pin(0, 0, 1) == -EINVAL, "other files are refused\n");
	ksft_test_result(pin(999, 0, 1) == -EBADF, "and closed ones\n");
	ksft_test_result(alloc(ss, SMALL, &offset) &&
			 pin(heap, offset + 8, SMALL) == -EINVAL,
			 "bytes of two objects are refused\n");
	ksft_test_result(!pin(heap, offset + 8, SMALL - 8),
			 "a part of one is not\n");
}

static int heaps(void)
{
	char buf[4096], *at = buf;
	int n = 0;

	if (file_read(HEAPS, buf, sizeof(buf)) < 0)
		return -1;
	while ((at = strstr(at, "heap "))) {
		n++;
		at++;
	}
	return n;
}

/* A child pins an object of a heap of its own, and exits. */
static int pin_and_exit(void)
{
	int heap, ss;
	__u64 offset;
	__u8 *win;

	if (setup_heap(&heap, &ss, &win, WINDOW_LEN) ||
	    !alloc(ss, LARGE, &offset))
		return 1;
	put((char *)win + offset, "last words");
	return !!pin(heap, offset, LARGE);
}

static void test_death(void)
{
	int before = heaps();

	ksft_test_result(!IN_CHILD(pin_and_exit()),
			 "a process pins an object, and exits\n");
	ksft_test_result(text_is("last words"), "the object is still there\n");
	ksft_test_result(!unpin(), "until it is unpinned\n");
	ksft_test_result(before > 0 && heaps() == before,
			 "then the heap is gone\n");
}

int main(void)
{
	int heap, ss;
	__u8 *win;

	ksft_print_header();
	if (access(DEVICE, R_OK | W_OK))
		ksft_exit_skip("no " DEVICE "\n");
	if (system("insmod /lib/goheap/goheap_user_client.ko"))
		ksft_exit_fail_msg("the sample does not load\n");
	if (setup_heap(&heap, &ss, &win, WINDOW_LEN))
		ksft_exit_fail_msg("no heap\n");
	ksft_set_plan(NR_RESULTS);
	test_object(heap, ss, win, SMALL);
	test_object(heap, ss, win, LARGE);
	test_refusals(heap, ss);
	test_death();
	ksft_test_result(!system("rmmod goheap_user_client"),
			 "the sample unloads\n");
	ksft_finished();
}
