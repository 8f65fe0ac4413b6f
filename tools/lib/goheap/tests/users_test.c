// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * users_test: what programs do with the memory of malloc() besides using it. All of it
 * holds for glibc's, and must for ours. Arguments: the directory of deepbind.so; and "goheap" or
 * "glibc", if it is to be checked whose memory it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "statm.h"
#include "tap.h"

int tap_results, tap_failures;

#define MIB	1048576UL

typedef pid_t fork_fn(void);

/* As of a call that a kernel was built without. */
#define NO_CALL	38

static size_t page;

static char *pages(size_t n)
{
	char *p = NULL;

	if (posix_memalign((void **)&p, page, n * page))
		return NULL;
	return memset(p, 1, n * page);
}

static bool ended_well(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static bool in_child(bool (*fn)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(fn() ? 0 : 1);
	return ended_well(pid);
}

/* Any child has memory, and none of it is its parent's. */
static bool has_memory(void)
{
	char *p[50];
	unsigned int i, n;

	for (n = 0; n < 2; n++) {
		for (i = 0; i < 50; i++) {
			p[i] = malloc(i * 300);
			if (!p[i])
				return false;
			memset(p[i], i, i * 300);
		}
		for (i = 0; i < 50; i++)
			free(p[i]);
	}
	/* A large one. */
	p[0] = malloc(100000);
	free(p[0]);
	if (!p[0])
		return false;
	return true;
}

/* ---- fork --------------------------------------------------------------- */

static void *fork_some(void *arg)
{
	unsigned int i;

	for (i = 0; i < 10; i++)
		if (!in_child(has_memory))
			return NULL;
	return arg;
}

static void test_threads(void)
{
	pthread_t thread[4];
	void *good = &good;
	unsigned int i;

	for (i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, fork_some, &thread);
	for (i = 0; i < 4; i++) {
		void *ret;

		pthread_join(thread[i], &ret);
		good = ret ? good : NULL;
	}
	check(good, "threads fork");
}

#define NR_HANDLED	30

static unsigned int handled, handled_well;

/* Once: a machine may be too slow for more, and do nothing else then. */
static void signal_soon(void)
{
	const struct itimerval once = { .it_value = { .tv_usec = 2000 } };

	setitimer(ITIMER_REAL, &once, NULL);
}

static void fork_here(int sig)
{
	pid_t pid = fork();

	(void)sig;
	if (!pid)
		_exit(0);
	handled_well += ended_well(pid);
	if (++handled < NR_HANDLED)
		signal_soon();
}

static void test_handler(void)
{
	signal(SIGALRM, fork_here);
	signal_soon();
	while (__atomic_load_n(&handled, __ATOMIC_RELAXED) < NR_HANDLED)
		free(malloc(handled * 5000));
	check(handled_well == handled && has_memory(), "a signal handler forks");
}

static long *counter;

static void count(int sig)
{
	(void)sig;
	++*counter;
}

/* What a handler does in the child before fork() returns, is the child's. */
static bool children_are_signalled(void)
{
	unsigned int i, n = 0;
	pid_t pid, killer;
	long before;

	setpgid(0, 0);
	counter = calloc(1, sizeof(*counter));
	signal(SIGUSR2, SIG_IGN);
	killer = fork();
	if (!killer) {
		while (!kill(0, SIGUSR2))
			usleep(500);
		_exit(0);
	}
	for (i = 0; i < 15; i++) {
		before = *counter;
		signal(SIGUSR2, SIG_IGN);
		pid = fork();
		if (!pid) {
			signal(SIGUSR2, count);
			while (!*counter || *counter == before)
				usleep(100);
			_exit(0);
		}
		n += ended_well(pid) && *counter == before;
	}
	kill(killer, SIGKILL);
	waitpid(killer, NULL, 0);
	free(counter);
	return n == 15;
}

static bool forks_with_little_room(void)
{
	struct rlimit room = { 2000 * MIB, 2000 * MIB };

	setrlimit(RLIMIT_AS, &room);
	return in_child(has_memory);
}

static bool forks_without_descriptors(void)
{
	struct rlimit few = { 20, 20 };

	setrlimit(RLIMIT_NOFILE, &few);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	return in_child(has_memory);
}

static char *special;

static bool special_is_one(void)
{
	return special[0] == 1 && special[2 * page] == 1 && has_memory();
}

static bool writes_there(void)
{
	special[page] = 2;
	return true;
}

static void test_protections(void)
{
	special = pages(3);
	mprotect(special + page, page, PROT_NONE);
	check(in_child(special_is_one), "a page without access, and fork");
	mprotect(special + page, page, PROT_READ);
	check(in_child(special_is_one) && special[page] == 1, "a page that is read-only, and fork");
	check(!in_child(writes_there), "which the child cannot write either");
	mprotect(special + page, page, PROT_READ | PROT_WRITE);
	madvise(special + page, page, MADV_DONTFORK);
	check(in_child(special_is_one), "a page that children do not get, and fork");
	madvise(special + page, page, MADV_DOFORK);
	check(!mprotect(special, page, PROT_READ | PROT_WRITE | PROT_EXEC), "a page to be run");
	mprotect(special, page, PROT_READ | PROT_WRITE);
	free(special);
}

static bool is_wiped(void)
{
	return !special[page] && special[0] == 1;
}

static void test_advice(void)
{
	special = pages(3);
	check(!madvise(special + page, page, MADV_DONTNEED) && !special[page] &&
	      special[0] == 1 && special[2 * page] == 1, "MADV_DONTNEED makes zeroes");
	special[page] = 1;
	check(!madvise(special + page, page, MADV_FREE) && special[2 * page] == 1,
	      "MADV_FREE is taken");
	special[page] = 1;
	check(!madvise(special + page, page, MADV_WIPEONFORK) && in_child(is_wiped) &&
	      special[page] == 1, "so is MADV_WIPEONFORK");
	madvise(special + page, page, MADV_KEEPONFORK);
	free(special);
}

/* ---- other children ----------------------------------------------------- */

static bool child_and_parent(fork_fn *make)
{
	char *p = malloc(64), *q, *r;
	bool good;
	pid_t pid;

	strcpy(p, "parent");
	free(malloc(200));
	free(malloc(70000));
	fflush(stdout);
	pid = make();
	if (!pid) {
		good = !strcmp(p, "parent");
		strcpy(p, "child");
		q = malloc(200);
		r = realloc(p, 3000);
		good &= q && r && !strcmp(r, "child") && has_memory();
		memset(q, 'C', 200);
		free(q);
		free(r);
		_exit(good ? 0 : 1);
	}
	good = ended_well(pid) && !strcmp(p, "parent");
	q = malloc(200);
	good &= q[100] != 'C';
	free(q);
	free(p);
	return good && has_memory();
}

static pid_t raw_clone(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* By a name that is like others. */
static pid_t bare_fork(void)
{
	fork_fn *fn = (fork_fn *)dlsym(RTLD_DEFAULT, "_Fork");

	return fn ? fn() : raw_clone();
}

static void test_other_children(void)
{
	char *const args[] = { "true", NULL };
	static char *p;
	pid_t pid;

	check(child_and_parent(fork), "children of fork()");
	check(child_and_parent(raw_clone), "of a direct clone()");
	check(child_and_parent(bare_fork), "of _Fork()");
	pid = vfork();
	if (!pid) {
		p = malloc(1000);
		_exit(p ? 0 : 1);
	}
	check(ended_well(pid) && memset(p, 1, 1000), "of vfork()");
	free(p);
	/* There may be no such program here. */
	if (!posix_spawnp(&pid, "/bin/true", NULL, NULL, args, environ))
		waitpid(pid, NULL, 0);
	check(has_memory(), "and of posix_spawn()");
}

static void on_stack(void)
{
	check(in_child(has_memory), "fork on a stack that was allocated");
}

static void *idle(void *arg)
{
	usleep(1000);
	return arg;
}

static void test_stacks(void)
{
	static ucontext_t here, there;
	pthread_attr_t attr;
	static unsigned int n;
	unsigned int i;
	void *stack;

	getcontext(&there);
	there.uc_stack.ss_sp = malloc(256 << 10);
	there.uc_stack.ss_size = 256 << 10;
	there.uc_link = &here;
	makecontext(&there, on_stack, 0);
	swapcontext(&here, &there);
	free(there.uc_stack.ss_sp);

	for (i = 0; i < 20; i++) {
		pthread_t thread;

		stack = pages(64);
		pthread_attr_init(&attr);
		pthread_attr_setstack(&attr, stack, 64 * page);
		pthread_create(&thread, &attr, idle, NULL);
		n += in_child(has_memory);
		pthread_join(thread, NULL);
		free(stack);
	}
	check(n == 20, "threads on stacks that were allocated");
}

/* ---- threads ------------------------------------------------------------ */

static bool came_back;

static void *cancelled(void *arg)
{
	free(malloc(100000));
	pthread_cancel(pthread_self());
	came_back = in_child(has_memory);
	return arg;
}

static void test_cancel(void)
{
	pthread_t thread;
	unsigned int i;

	/* It ends in waitpid(), after fork(). */
	pthread_create(&thread, NULL, cancelled, NULL);
	pthread_join(thread, NULL);
	for (i = 0; i < 2000; i++)
		free(malloc(i * 100));
	check(in_child(has_memory), "a cancelled thread that forks takes no memory with it");
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static long *both;
static bool stop;

static void *count_both(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		__atomic_add_fetch(&both[0], 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&both[512], 1, __ATOMIC_SEQ_CST);
	}
	return arg;
}

static bool at_one_moment(void)
{
	return both[0] == both[512] || both[0] == both[512] + 1;
}

static void test_moment(void)
{
	unsigned int i, n = 0;
	pthread_t thread;

	both = calloc(1024, sizeof(long));
	pthread_create(&thread, NULL, count_both, NULL);
	for (i = 0; i < 20; i++)
		n += in_child(at_one_moment);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	check(n == 20, "a child has what threads wrote up to one moment");
	free(both);
}

/* ---- the system --------------------------------------------------------- */

static bool under_filter(unsigned int action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 2),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return errno == EINVAL;
	return has_memory() && in_child(has_memory) && calloc(1, 50 * MIB);
}

static bool under_killing_filter(void)
{
	return under_filter(SECCOMP_RET_KILL_PROCESS);
}

static bool under_refusing_filter(void)
{
	return under_filter(SECCOMP_RET_ERRNO | EPERM);
}

static bool in_a_prison(void)
{
	/* Whoever may not is there already. */
	if (!chroot("/proc/self/fdinfo") && setuid(65534))
		return false;
	return in_child(has_memory);
}

/* Descriptor 2 is the program's data. */
static bool data_is_whole(void)
{
	char name[] = "/tmp/users_test.XXXXXX", data[100];
	struct rlimit none = { 0, 0 };
	int fd;

	close(2);
	fd = mkstemp(name);
	if (fd != 2 || write(2, "first", 5) != 5)
		return false;
	unlink(name);
	if (!fork()) {
		setrlimit(RLIMIT_NOFILE, &none);
		_exit(!has_memory());
	}
	wait(NULL);
	return write(2, "second", 6) == 6 && pread(2, data, 100, 0) == 11 &&
	       !memcmp(data, "firstsecond", 11);
}

static bool closes_all(void)
{
	char *p = malloc(1000);

	syscall(SYS_close_range, 3, ~0U, 0);
	memset(p, 1, 1000);
	free(p);
	return in_child(has_memory);
}

static bool locks_all(void)
{
	return (!mlockall(MCL_CURRENT | MCL_FUTURE) || errno == EPERM || errno == ENOMEM) &&
	       has_memory();
}

static void test_memory(void)
{
	size_t before = read_statm().resident;
	char *p = calloc(1, 1UL << 30);

	p[0] = 1;
	p[(1UL << 30) - 1] = 1;
	check(read_statm().resident < before + 8 * MIB, "calloc() takes what is touched");
	free(p);
	p = malloc(100 * MIB);
	memset(p, 1, 100 * MIB);
	free(p);
	check(read_statm().resident < before + 32 * MIB, "what is freed goes back");
}

static void test_other_process(void)
{
	char *p = malloc(100), got[8] = "";
	struct iovec from = { p, 8 }, to = { got, 8 };
	int hold[2];
	pid_t pid;
	char c;

	strcpy(p, "seen it");
	if (pipe(hold))
		return;
	pid = fork();
	if (!pid) {
		close(hold[1]);
		_exit(read(hold[0], &c, 1));
	}
	errno = 0;
	/* Some kernels have no such call. */
	check((process_vm_readv(pid, &to, 1, &from, 1, 0) == 8 && !strcmp(got, "seen it")) ||
	      errno == NO_CALL, "another process reads it");
	close(hold[1]);
	waitpid(pid, NULL, 0);
	free(p);
}

static bool file_has(const char *name, const char *what, size_t n)
{
	int fd = open(name, O_RDONLY);
	off_t bytes = lseek(fd, 0, SEEK_END);
	char *all = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	bool found = all != MAP_FAILED && memmem(all, bytes, what, n);

	close(fd);
	return found;
}

static void abort_in(const char *dir)
{
	if (chdir(dir))
		_exit(1);
	abort();
}

static bool core_has(const char *dir, const char *what)
{
	char cmd[100], name[60];
	bool found;

	/* It may have the process's number in its name. */
	snprintf(cmd, sizeof(cmd), "mv %s/core* %s/it", dir, dir);
	snprintf(name, sizeof(name), "%s/it", dir);
	found = !system(cmd) && file_has(name, what, 32);
	unlink(name);
	rmdir(dir);
	return found;
}

static void test_core(void)
{
	struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	char dir[] = "/tmp/users_test.XXXXXX", pattern[20] = "", what[40];
	int i, status, fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
	pid_t pid;

	if (fd < 0 || read(fd, pattern, 19) < 0 || strcmp(pattern, "core\n") || !mkdtemp(dir)) {
		printf("# core dumps go elsewhere\n");
		return;
	}
	close(fd);
	/* In the heap only. */
	for (i = 0; i < 32; i++)
		what[i] = "The core of the matter is within"[i] ^ 1;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		char *p = malloc(100);

		setrlimit(RLIMIT_CORE, &any);
		for (i = 0; i < 32; i++)
			p[i] = what[i] ^ 2;
		abort_in(dir);
	}
	waitpid(pid, &status, 0);
	for (i = 0; i < 32; i++)
		what[i] ^= 2;
	if (!WCOREDUMP(status))
		printf("# no core dumps here\n");
	else
		check(core_has(dir, what), "a core dump has the heap");
}

static void test_deepbind(const char *dir)
{
	void *(*exchange)(void *), *lib;
	char path[300], *p;

	snprintf(path, sizeof(path), "%s/deepbind.so", dir);
	lib = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
	exchange = lib ? (void *(*)(void *))dlsym(lib, "deepbind_exchange") : NULL;
	if (!exchange) {
		check(false, dlerror());
		return;
	}
	p = exchange(malloc(100));
	check(p && !strcmp(p, "mine"), "a library with names of its own");
	free(p);
}

int main(int argc, char **argv)
{
	page = sysconf(_SC_PAGESIZE);
	if (argc < 2)
		return 1;
	/* glibc's chunks have a word before them. */
	if (argc > 2)
		check((malloc_usable_size(malloc(100)) % 16 == 0) == !strcmp(argv[2], "goheap"),
		      "memory is whose it should be");
	/* Before there are threads, or glibc's would wait for itself. */
	test_handler();
	check(in_child(children_are_signalled),
	      "handlers of children leave the parent's memory alone");
	test_threads();
	check(in_child(forks_with_little_room), "fork with little address space");
	check(in_child(forks_without_descriptors), "fork without descriptors");
	test_protections();
	test_advice();
	test_other_children();
	test_stacks();
	test_cancel();
	test_moment();
	check(in_child(under_killing_filter), "in a sandbox that kills");
	check(in_child(under_refusing_filter), "in one that refuses");
	check(in_child(in_a_prison), "after chroot() and setuid()");
	check(in_child(data_is_whole), "descriptor 2 is the program's");
	check(in_child(closes_all), "all descriptors are closed");
	check(in_child(locks_all), "all memory is locked");
	test_memory();
	test_other_process();
	test_core();
	test_deepbind(argv[1]);
	return tap_end();
}
