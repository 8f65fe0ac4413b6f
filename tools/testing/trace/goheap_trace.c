// SPDX-License-Identifier: GPL-2.0-only
/*
 * libgoheap_trace.so: record what a program asks of malloc.
 *
 *	GOHEAP_TRACE=/tmp/t LD_PRELOAD=./libgoheap_trace.so program ...
 *
 * writes /tmp/t.<program>.<pid> in the format of trace_format.h. Each process of a
 * tree has a file of its own, so that of "gcc -c x.c" the compiler proper is
 * t.cc1.<pid>. A process that allocates nothing leaves no file. A forked child
 * starts an empty trace: what it frees of its parent's objects is ignored. What a
 * process did before exec, or before a signal killed it, is lost.
 *
 * A mutex orders all events, guards the table from address to object id, and guards
 * the buffer. It is never held across the real allocator: a free forgets the address
 * before the allocator may hand it to another thread, an allocation registers it
 * afterwards. The recorder itself lives on mmap and opens its file anew at each
 * flush, so it never calls malloc and owns no descriptor that the program might close.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "trace_format.h"

#define BUFFER_EVENTS	65536
#define TABLE_MIN	65536		/* entries, a power of two */
#define BOOT_BYTES	16384UL
#define PAGE_BYTES	4096
#define NO_ID		0xffffffffU

/* Where an address is found: linear probing, address 0 marks an empty entry. */
struct entry {
	uintptr_t addr;
	__u32 id;
};

static struct {
	pthread_mutex_t lock;
	bool on;			/* the rest is usable */
	struct entry *table;
	size_t nentries;		/* size of table, a power of two */
	size_t nused;
	struct gh_trace_event *buffer;
	size_t nbuffered;
	bool created;			/* the file exists and starts with a header */
	struct gh_trace_header header;
	bool thread_used[GH_TRACE_MAX_THREADS];
	pid_t pid;			/* whose trace this is; differs after vfork */
	char path[PATH_MAX];
} rec = { .lock = PTHREAD_MUTEX_INITIALIZER };

static pthread_key_t thread_key;	/* its destructor gives the number back */

/* Number of this thread plus one; 0 until its first event. */
static __thread unsigned int thread_slot;

static void *(*real_malloc)(size_t size);
static void *(*real_calloc)(size_t n, size_t size);
static void *(*real_realloc)(void *p, size_t size);
static void *(*real_memalign)(size_t align, size_t size);
static int (*real_posix_memalign)(void **p, size_t align, size_t size);
static void (*real_free)(void *p);
static void (*real__exit)(int status);

/*
 * dlsym() may allocate before the real functions are known. These few bytes serve
 * it and are never given back.
 */
static max_align_t boot[BOOT_BYTES / sizeof(max_align_t)];
static size_t boot_used;		/* elements of boot[] */

static void *boot_alloc(size_t size)
{
	size_t n = (size + sizeof(boot[0]) - 1) / sizeof(boot[0]);
	size_t at = __atomic_fetch_add(&boot_used, n, __ATOMIC_RELAXED);

	return at + n <= BOOT_BYTES / sizeof(boot[0]) ? &boot[at] : NULL;
}

static bool from_boot(const void *p)
{
	return (uintptr_t)p - (uintptr_t)boot < BOOT_BYTES;
}

static void *map_zeroed(size_t nbytes)
{
	void *p = mmap(NULL, nbytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The file */

static bool write_all(int fd, const void *data, size_t n, off_t at)
{
	while (n) {
		ssize_t done = pwrite(fd, data, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		data = (const char *)data + done;
		at += done;
		n -= done;
	}
	return true;
}

/* Append what is buffered; at the end also the header with its counts. */
static void flush(bool last)
{
	struct gh_trace_header none = { .magic = GH_TRACE_MAGIC };
	int flags = O_WRONLY | O_CLOEXEC | O_CREAT | (rec.created ? 0 : O_TRUNC);
	off_t end = sizeof(none) + (rec.header.nevents - rec.nbuffered) *
		    sizeof(*rec.buffer);
	int saved = errno;
	bool ok;
	int fd;

	fd = open(rec.path, flags, 0644);
	ok = fd >= 0 &&
	     write_all(fd, rec.buffer, rec.nbuffered * sizeof(*rec.buffer), end) &&
	     write_all(fd, last ? &rec.header : &none, sizeof(none), 0);
	if (fd >= 0)
		close(fd);
	rec.created = true;
	rec.nbuffered = 0;
	if (!ok) {
		dprintf(STDERR_FILENO, "goheap_trace: cannot write %s: %m\n", rec.path);
		rec.on = false;
	}
	errno = saved;
}

/* The table from address to id */

static size_t home_of(uintptr_t addr)
{
	return (addr >> 4) * 0x9e3779b97f4a7c15ULL >> 20 & (rec.nentries - 1);
}

static size_t find(uintptr_t addr)
{
	size_t i = home_of(addr);

	while (rec.table[i].addr && rec.table[i].addr != addr)
		i = (i + 1) & (rec.nentries - 1);
	return i;
}

static bool grow_table(void)
{
	size_t i, nold = rec.nentries;
	struct entry *old = rec.table;
	struct entry *table = map_zeroed(2 * nold * sizeof(*old));

	if (!table)
		return false;
	rec.table = table;
	rec.nentries = 2 * nold;
	for (i = 0; i < nold; i++)
		if (old[i].addr)
			table[find(old[i].addr)] = old[i];
	munmap(old, nold * sizeof(*old));
	return true;
}

static void remember(void *p, __u32 id)
{
	size_t i;

	if (rec.nused * 2 >= rec.nentries && !grow_table()) {
		rec.on = false;
		return;
	}
	i = find((uintptr_t)p);
	rec.nused += !rec.table[i].addr;
	rec.table[i] = (struct entry){ .addr = (uintptr_t)p, .id = id };
}

/* Remove an address and close the gap, so that probing needs no tombstones. */
static __u32 forget(void *p)
{
	size_t mask = rec.nentries - 1;
	size_t gap = find((uintptr_t)p), i = gap;
	__u32 id = rec.table[gap].id;

	if (!rec.table[gap].addr)
		return NO_ID;
	rec.nused--;
	for (;;) {
		rec.table[gap].addr = 0;
		do {
			i = (i + 1) & mask;
			if (!rec.table[i].addr)
				return id;
		} while (((i - home_of(rec.table[i].addr)) & mask) < ((i - gap) & mask));
		rec.table[gap] = rec.table[i];
		gap = i;
	}
}

/* Events; the lock is held */

/*
 * Threads share the highest number once all are taken. The total order of events
 * stays right whatever the numbers are.
 */
static unsigned int number_thread(void)
{
	unsigned int n = 0;

	while (n < GH_TRACE_MAX_THREADS - 1 && rec.thread_used[n])
		n++;
	rec.thread_used[n] = true;
	if (n >= rec.header.nthreads)
		rec.header.nthreads = n + 1;
	return n;
}

static void add_event(enum gh_trace_op op, __u32 id, size_t size, size_t align)
{
	if (!thread_slot)
		thread_slot = number_thread() + 1;
	rec.buffer[rec.nbuffered++] = (struct gh_trace_event) {
		.size = size,
		.object = id,
		.thread = thread_slot - 1,
		.op = op,
		.align_shift = align ? __builtin_ctzl(align) : 0,
	};
	rec.header.nevents++;
	if (rec.nbuffered == BUFFER_EVENTS)
		flush(false);
}

static void lock(void)
{
	pthread_mutex_lock(&rec.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&rec.lock);
}

/* Events as the functions below report them */

/*
 * Have the thread's number given back when it ends. Outside the lock, because
 * pthread_setspecific() may allocate, which by now is an event like any other.
 */
static void keep_number(bool had_number)
{
	if (!had_number && thread_slot)
		pthread_setspecific(thread_key, &rec);
}

static void note_alloc(enum gh_trace_op op, void *p, size_t size, size_t align)
{
	bool had_number = thread_slot;

	if (!p || !rec.on)
		return;
	lock();
	if (rec.on && rec.header.nobjects < NO_ID) {
		remember(p, rec.header.nobjects);
		add_event(op, rec.header.nobjects++, size, align);
	}
	unlock();
	keep_number(had_number);
}

/* Forget an object that may be about to go; its id, or NO_ID when unknown. */
static __u32 note_release(void *p)
{
	__u32 id = NO_ID;

	if (!p || !rec.on)
		return id;
	lock();
	if (rec.on) {
		id = forget(p);
		rec.header.ignored += id == NO_ID;
	}
	unlock();
	return id;
}

static void note_free(void *p)
{
	bool had_number = thread_slot;
	__u32 id;

	if (!p || !rec.on)
		return;
	lock();
	if (rec.on) {
		id = forget(p);
		if (id == NO_ID)
			rec.header.ignored++;
		else
			add_event(GH_TRACE_FREE, id, 0, 0);
	}
	unlock();
	keep_number(had_number);
}

/* Settle what realloc did: moved or resized to @p, freed, or failed. */
static void note_realloc(void *old, void *p, size_t size, __u32 id)
{
	bool had_number = thread_slot;

	if (id == NO_ID) {
		note_alloc(GH_TRACE_MALLOC, p, size, 0);
		return;
	}
	lock();
	if (rec.on) {
		if (p || size)
			remember(p ?: old, id);
		if (p)
			add_event(GH_TRACE_REALLOC, id, size, 0);
		else if (!size)
			add_event(GH_TRACE_FREE, id, 0, 0);
	}
	unlock();
	keep_number(had_number);
}

/* Start and end */

static void thread_ends(void *unused)
{
	lock();
	if (thread_slot)
		rec.thread_used[thread_slot - 1] = false;
	thread_slot = 0;
	unlock();
	(void)unused;
}

static void name_file(void)
{
	const char *prefix = getenv("GOHEAP_TRACE");
	char cwd[PATH_MAX] = "";
	int n;

	if (prefix[0] != '/' && !getcwd(cwd, sizeof(cwd) - 1))
		cwd[0] = '\0';
	n = snprintf(rec.path, sizeof(rec.path), "%s%s%s.%s.%d", cwd, cwd[0] ? "/" : "",
		     prefix, program_invocation_short_name, (int)rec.pid);
	if (n < 0 || (size_t)n >= sizeof(rec.path))
		rec.on = false;
}

/* Begin an empty trace in a new process. */
static void begin(void)
{
	rec.header = (struct gh_trace_header) {
		.magic = GH_TRACE_MAGIC,
		.version = GH_TRACE_VERSION,
		.header_size = sizeof(struct gh_trace_header),
		.event_size = sizeof(struct gh_trace_event),
	};
	snprintf(rec.header.comm, sizeof(rec.header.comm), "%s",
		 program_invocation_short_name);
	memset(rec.thread_used, 0, sizeof(rec.thread_used));
	thread_slot = 0;
	rec.nbuffered = 0;
	rec.created = false;
	rec.nused = 0;
	rec.nentries = TABLE_MIN;
	rec.table = map_zeroed(rec.nentries * sizeof(*rec.table));
	rec.on = rec.table && rec.buffer;
	rec.pid = getpid();
	name_file();
}

static void in_child(void)
{
	if (rec.on) {
		munmap(rec.table, rec.nentries * sizeof(*rec.table));
		begin();
	}
	unlock();
}

/*
 * A child of vfork() borrows our memory and must not end its parent's trace. The
 * lock is tried for a second only, as a signal handler may call _exit() while the
 * interrupted thread holds it.
 */
static void finish(void)
{
	struct timespec until;

	if (!rec.on || rec.pid != getpid())
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	if (pthread_mutex_timedlock(&rec.lock, &until))
		return;
	if (rec.on && rec.header.nevents)
		flush(true);
	rec.on = false;
	unlock();
}

static void find_real(void)
{
	real_malloc = dlsym(RTLD_NEXT, "malloc");
	real_calloc = dlsym(RTLD_NEXT, "calloc");
	real_realloc = dlsym(RTLD_NEXT, "realloc");
	real_memalign = dlsym(RTLD_NEXT, "memalign");
	real_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
	real__exit = dlsym(RTLD_NEXT, "_exit");
	real_free = dlsym(RTLD_NEXT, "free");
}

/*
 * The first call gets us here, mostly from another library's constructor, when there
 * is one thread only. False while the real functions are not known yet.
 */
__attribute__((constructor)) static bool start(void)
{
	static bool started;

	if (started)
		return real_free;
	started = true;
	find_real();
	if (!getenv("GOHEAP_TRACE") || pthread_key_create(&thread_key, thread_ends))
		return true;
	rec.buffer = map_zeroed(BUFFER_EVENTS * sizeof(*rec.buffer));
	begin();
	if (rec.on)
		pthread_atfork(lock, unlock, in_child);
	return true;
}

__attribute__((destructor)) static void end(void)
{
	finish();
}

void _exit(int status)
{
	finish();
	start();
	real__exit(status);
	__builtin_unreachable();
}

/* The functions that stand before the C library's */

void *malloc(size_t size)
{
	void *p;

	if (!real_free && !start())
		return boot_alloc(size);
	p = real_malloc(size);
	note_alloc(GH_TRACE_MALLOC, p, size, 0);
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p;

	if (!real_free && !start())
		return boot_alloc(n * size);
	p = real_calloc(n, size);
	note_alloc(GH_TRACE_CALLOC, p, n * size, 0);
	return p;
}

void free(void *p)
{
	if (from_boot(p) || !real_free)
		return;
	note_free(p);
	real_free(p);
}

static void *leave_boot(void *old, size_t size)
{
	size_t room = (uintptr_t)boot + BOOT_BYTES - (uintptr_t)old;
	void *p = malloc(size);

	if (p)
		memcpy(p, old, size < room ? size : room);
	return p;
}

void *realloc(void *old, size_t size)
{
	__u32 id;
	void *p;

	if (from_boot(old))
		return leave_boot(old, size);
	if (!real_free && !start())
		return boot_alloc(size);
	id = note_release(old);
	p = real_realloc(old, size);
	note_realloc(old, p, size, id);
	return p;
}

void *reallocarray(void *old, size_t n, size_t size)
{
	size_t nbytes;

	if (__builtin_mul_overflow(n, size, &nbytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, nbytes);
}

void *memalign(size_t align, size_t size)
{
	void *p;

	start();
	p = real_memalign(align, size);
	/* The C library rounds odd alignments up; note what it had to give. */
	while (align & (align - 1))
		align += align & -align;
	note_alloc(GH_TRACE_MEMALIGN, p, size, align);
	return p;
}

void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

int posix_memalign(void **p, size_t align, size_t size)
{
	int err;

	start();
	err = real_posix_memalign(p, align, size);
	if (!err)
		note_alloc(GH_TRACE_MEMALIGN, *p, size, align);
	return err;
}

void *valloc(size_t size)
{
	return memalign(PAGE_BYTES, size);
}

void *pvalloc(size_t size)
{
	return memalign(PAGE_BYTES, (size + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1));
}
