// SPDX-License-Identifier: GPL-2.0-only
/*
 * messages: what it costs to pass messages from one process to another: to allocate, fill,
 * publish, read and free them.
 *
 * The ways, side by side in one run:
 *
 *   give      goheap: 128 objects are given by one call, and their refs stored in a ring;
 *             the reader frees them, which libgoheap defers until there are 128
 *   publish   goheap: the kernel stores the refs, and takes and frees the objects, 128 at
 *             a time: no kill loses one
 *   boost     boost.interprocess: its default allocator with its lock in shared memory,
 *             and the same ring
 *   slots     slots of fixed size, whose numbers go there in one ring and back in
 *             another, as in iceoryx2: nothing is allocated
 *   pipe, mq  a pipe and a POSIX message queue, which copy each message twice
 *
 * Prints the time of a message, the least of all rounds, in picoseconds, and the system
 * calls that goheap makes for 64 messages, in each of the two processes.
 */
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <algorithm>
#include <atomic>
#include <string>

#include <err.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <boost/interprocess/indexes/null_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>

#include <goheap.h>

namespace bi = boost::interprocess;

constexpr unsigned int ROUNDS = 5;
constexpr uint64_t RING = 512;
constexpr unsigned int BATCH = 128;
constexpr size_t LONGEST = 16384;

static_assert(RING % BATCH == 0, "a batch must not go around the ring's end");

/* ---- what the processes share -------------------------------------------- */

/* One process writes @head, the other @tail; both only count up. */
struct ring {
	alignas(64) std::atomic<uint64_t> head;
	alignas(64) std::atomic<uint64_t> tail;
	alignas(64) uint64_t slot[RING];
};

struct shared {
	struct ring there;
	struct ring back;
	std::atomic<uint64_t> calls[2];
	std::atomic<bool> ready;
};

static struct shared *shared;

/* System calls of this process. */
static uint64_t calls;

extern "C" int __real_ioctl(int fd, unsigned long cmd, void *arg);

extern "C" int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	calls++;
	return __real_ioctl(fd, cmd, arg);
}

static void *map_shared(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

/* How many entries there are, once there are any. */
static uint64_t wait_filled(struct ring *r)
{
	uint64_t n;

	while (!(n = r->head.load(std::memory_order_acquire) -
		     r->tail.load(std::memory_order_relaxed)))
		sched_yield();
	return n;
}

static void wait_room(struct ring *r, uint64_t n)
{
	while (r->head.load(std::memory_order_relaxed) -
	       r->tail.load(std::memory_order_acquire) > RING - n)
		sched_yield();
}

static uint64_t *slot_at(struct ring *r, uint64_t i)
{
	return &r->slot[i % RING];
}

static void push(struct ring *r, uint64_t value)
{
	uint64_t head = r->head.load(std::memory_order_relaxed);

	*slot_at(r, head) = value;
	r->head.store(head + 1, std::memory_order_release);
}

/* ---- messages ------------------------------------------------------------ */

static void fill(void *p, size_t size, uint64_t number)
{
	uint64_t *word = static_cast<uint64_t *>(p);

	std::fill(word, word + size / sizeof(*word), number);
}

static void check(const void *p, size_t size, uint64_t number)
{
	const uint64_t *word = static_cast<const uint64_t *>(p);
	uint64_t other = 0;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		other |= word[i] ^ number;
	if (other)
		errx(1, "message %llu is wrong", (unsigned long long)number);
}

/* A way to pass @n messages of @size bytes. */
struct way {
	virtual ~way() = default;
	virtual void write(size_t size, uint64_t n) = 0;
	virtual void read(size_t size, uint64_t n) = 0;
};

/* ---- goheap -------------------------------------------------------------- */

static struct goheap *heap_open()
{
	struct goheap *h = goheap_open(NULL, 0);

	if (!h)
		err(1, "goheap_open");
	return h;
}

struct give_way : way {
	struct goheap *h = heap_open();
	struct ring *r = &shared->there;

	~give_way() override { goheap_close(h); }

	void write(size_t size, uint64_t n) override
	{
		void *p[BATCH];

		for (uint64_t i = 0; i < n; i += BATCH) {
			for (unsigned int j = 0; j < BATCH; j++) {
				p[j] = goheap_malloc(h, size);
				if (!p[j])
					err(1, "goheap_malloc");
				fill(p[j], size, i + j);
			}
			wait_room(r, BATCH);
			if (goheap_give(h, p, BATCH))
				err(1, "goheap_give");
			for (unsigned int j = 0; j < BATCH; j++)
				push(r, goheap_ref(h, p[j]));
		}
	}

	void read(size_t size, uint64_t n) override
	{
		uint64_t i = 0;

		while (i < n) {
			for (uint64_t got = wait_filled(r); got--; i++) {
				uint64_t tail = r->tail.load(std::memory_order_relaxed);
				void *p = goheap_deref(h, *slot_at(r, tail));

				check(p, size, i);
				r->tail.store(tail + 1, std::memory_order_release);
				goheap_free(h, p);
			}
		}
	}
};

/* The ring is in the heap: only there can the kernel exchange words. */
struct publish_way : way {
	struct goheap *h = heap_open();
	struct ring *r;

	publish_way()
	{
		void *p = goheap_malloc_given(h, sizeof(*r));

		if (!p)
			err(1, "goheap_malloc_given");
		r = static_cast<struct ring *>(memset(p, 0, sizeof(*r)));
	}

	~publish_way() override { goheap_close(h); }

	void exchange(struct goheap_exchange *x)
	{
		if (goheap_publish(h, x, BATCH))
			err(1, "goheap_publish");
		for (unsigned int j = 0; j < BATCH; j++)
			if (x[j].done != 1)
				errx(1, "an exchange was not made");
	}

	void write(size_t size, uint64_t n) override
	{
		struct goheap_exchange x[BATCH];

		for (uint64_t i = 0; i < n; i += BATCH) {
			for (unsigned int j = 0; j < BATCH; j++) {
				void *p = goheap_malloc(h, size);

				if (!p)
					err(1, "goheap_malloc");
				fill(p, size, i + j);
				x[j] = { slot_at(r, i + j), 0, goheap_ref(h, p), p, NULL, 0, 0 };
			}
			wait_room(r, BATCH);
			exchange(x);
			r->head.store(r->head.load(std::memory_order_relaxed) + BATCH,
				      std::memory_order_release);
		}
	}

	void read(size_t size, uint64_t n) override
	{
		struct goheap_exchange x[BATCH];

		for (uint64_t i = 0; i < n; i += BATCH) {
			while (wait_filled(r) < BATCH)
				sched_yield();
			for (unsigned int j = 0; j < BATCH; j++) {
				uint64_t *slot = slot_at(r, i + j);
				void *p = goheap_deref(h, *slot);

				check(p, size, i + j);
				x[j] = { slot, *slot, 0, NULL, p, GOHEAP_FREE_TAKEN, 0 };
			}
			exchange(x);
			r->tail.store(r->tail.load(std::memory_order_relaxed) + BATCH,
				      std::memory_order_release);
		}
	}
};

/* ---- the others ---------------------------------------------------------- */

struct boost_way : way {
	using memory = bi::basic_managed_external_buffer<
		char, bi::rbtree_best_fit<bi::mutex_family, bi::offset_ptr<void>>,
		bi::null_index>;
	static constexpr size_t room = 4 * RING * LONGEST;

	struct ring *r = &shared->there;
	memory m{ bi::create_only, map_shared(room), room };

	void write(size_t size, uint64_t n) override
	{
		for (uint64_t i = 0; i < n; i++) {
			wait_room(r, 1);
			void *p = m.allocate(size);

			fill(p, size, i);
			push(r, m.get_handle_from_address(p));
		}
	}

	void read(size_t size, uint64_t n) override
	{
		uint64_t i = 0;

		while (i < n) {
			for (uint64_t got = wait_filled(r); got--; i++) {
				uint64_t tail = r->tail.load(std::memory_order_relaxed);
				void *p = m.get_address_from_handle(*slot_at(r, tail));

				check(p, size, i);
				r->tail.store(tail + 1, std::memory_order_release);
				m.deallocate(p);
			}
		}
	}
};

struct slots_way : way {
	struct ring *there = &shared->there, *back = &shared->back;
	char *slots = static_cast<char *>(map_shared(RING * LONGEST));

	slots_way()
	{
		for (uint64_t i = 0; i < RING; i++)
			push(back, i);
	}

	~slots_way() override { munmap(slots, RING * LONGEST); }

	void write(size_t size, uint64_t n) override
	{
		for (uint64_t i = 0; i < n; i++) {
			wait_filled(back);
			uint64_t tail = back->tail.load(std::memory_order_relaxed);
			uint64_t which = *slot_at(back, tail);

			back->tail.store(tail + 1, std::memory_order_release);
			fill(slots + which * size, size, i);
			push(there, which);
		}
	}

	void read(size_t size, uint64_t n) override
	{
		uint64_t i = 0;

		while (i < n) {
			for (uint64_t got = wait_filled(there); got--; i++) {
				uint64_t tail = there->tail.load(std::memory_order_relaxed);
				uint64_t which = *slot_at(there, tail);

				check(slots + which * size, size, i);
				there->tail.store(tail + 1, std::memory_order_release);
				push(back, which);
			}
		}
	}
};

struct pipe_way : way {
	int fd[2];
	char message[LONGEST];

	pipe_way()
	{
		if (pipe(fd))
			err(1, "pipe");
	}

	~pipe_way() override
	{
		close(fd[0]);
		close(fd[1]);
	}

	void write(size_t size, uint64_t n) override
	{
		for (uint64_t i = 0; i < n; i++) {
			fill(message, size, i);
			/* A pipe takes part of a long one. */
			for (size_t done = 0; done < size;) {
				ssize_t more = ::write(fd[1], message + done, size - done);

				if (more < 0)
					err(1, "write");
				done += more;
			}
		}
	}

	void read(size_t size, uint64_t n) override
	{
		for (uint64_t i = 0; i < n; i++) {
			for (size_t done = 0; done < size;) {
				ssize_t more = ::read(fd[0], message + done, size - done);

				if (more <= 0)
					err(1, "read");
				done += more;
			}
			check(message, size, i);
		}
	}
};

struct mq_way : way {
	mqd_t queue;
	char message[LONGEST];

	explicit mq_way(size_t size)
	{
		struct mq_attr attr = {};

		attr.mq_maxmsg = 10;
		attr.mq_msgsize = size;
		mq_unlink("/messages");
		queue = mq_open("/messages", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
		if (queue == (mqd_t)-1)
			throw errno;
		mq_unlink("/messages");
	}

	~mq_way() override { mq_close(queue); }

	void write(size_t size, uint64_t n) override
	{
		for (uint64_t i = 0; i < n; i++) {
			fill(message, size, i);
			if (mq_send(queue, message, size, 0))
				err(1, "mq_send");
		}
	}

	void read(size_t size, uint64_t n) override
	{
		for (uint64_t i = 0; i < n; i++) {
			if (mq_receive(queue, message, size, NULL) != (ssize_t)size)
				err(1, "mq_receive");
			check(message, size, i);
		}
	}
};

/* ---- measuring ----------------------------------------------------------- */

static uint64_t now_ns()
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static way *make(const std::string &name, size_t size)
{
	if (name == "give")
		return new give_way;
	if (name == "publish")
		return new publish_way;
	if (name == "boost")
		return new boost_way;
	if (name == "slots")
		return new slots_way;
	if (name == "pipe")
		return new pipe_way;
	return new mq_way(size);
}

/* Picoseconds of a message. The reader is a child; its end is that of the round. */
static uint64_t run_round(const std::string &name, size_t size, uint64_t n)
{
	int status;

	memset(static_cast<void *>(shared), 0, sizeof(*shared));
	way *w = make(name, size);
	pid_t reader = fork();

	if (reader < 0)
		err(1, "fork");
	if (!reader) {
		calls = 0;
		shared->ready = true;
		w->read(size, n);
		shared->calls[1] = calls;
		_exit(0);
	}
	while (!shared->ready)
		sched_yield();

	calls = 0;
	uint64_t start = now_ns();
	w->write(size, n);
	shared->calls[0] = calls;
	if (waitpid(reader, &status, 0) != reader || status)
		errx(1, "%s: the reader ended with %#x", name.c_str(), status);
	uint64_t took = now_ns() - start;

	delete w;
	return took * 1000 / n;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "give", "publish", "boost", "slots", "pipe", "mq" };
	static const size_t sizes[] = { 64, 1024, LONGEST };
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;

	if (n < BATCH)
		errx(2, "%u messages at least", BATCH);
	n -= n % BATCH;
	shared = static_cast<struct shared *>(map_shared(sizeof(*shared)));
	for (size_t size : sizes) {
		/* Of long messages fewer, as most of the time goes into their bytes. */
		uint64_t some = size == LONGEST ? std::max<uint64_t>(n / 16 / BATCH, 1) * BATCH : n;

		for (const char *name : names) {
			uint64_t least = UINT64_MAX;

			try {
				for (unsigned int i = 0; i < ROUNDS; i++)
					least = std::min(least, run_round(name, size, some));
			} catch (int error) {
				fprintf(stderr, "messages: no %s: %s\n", name, strerror(error));
				continue;
			}
			printf("way=%s size=%zu ps=%llu writer=%.2f reader=%.2f\n", name, size,
			       (unsigned long long)least,
			       (double)shared->calls[0] * 64 / some,
			       (double)shared->calls[1] * 64 / some);
			fflush(stdout);
		}
	}
	return 0;
}
