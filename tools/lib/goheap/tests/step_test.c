// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * step_test: a process is killed before each instruction of calls of libgoheap.
 *
 * A worker makes one call. It is single-stepped once, to learn how many instructions
 * there are and where; then a new worker, with a new heap, is killed before the first
 * of them, another one before the second, and so on. Each time, this process can
 * still allocate and free, the counts are right, and no object is lost but what the
 * worker had in hand.
 *
 *   goheap-step-test [CALL...]
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/prctl.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "goheap_queue.h"
#include "goheap_table.h"
#include "types.h"
#include "tap.h"

int tap_results, tap_failures;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MOST_STEPS	200000
#define NR_TRIERS	4
#define INT3		0xccUL
#define WORDS		(LG_LATER + 1)
#define SMALL		64
#define LARGE		100000

/* Retired objects are looked for as often as that, every so many microseconds. */
#define LOOKS		60000
#define LOOK_US		1000

/* ---- what a worker does ------------------------------------------------- */

/* Behind the words. */
struct locks {
	struct goheap_mutex mutex;
	struct goheap_cond cond;
	struct goheap_rwlock rwlock;
};

/*
 * What this process and the worker share: a given object of words, which lead to given
 * objects, of which the first @used are there at first.
 */
struct world {
	struct goheap *h;
	uint64_t *word;
	struct locks *locks;
	struct goheap_queue *queue;
	struct goheap_table *table;
	unsigned int used;
	void *p;
};

struct call {
	const char *name;
	/* Words that lead to objects at first. */
	unsigned int used;
	/* What the worker does before, and what it is killed in. */
	void (*before)(struct world *w);
	void (*call)(struct world *w);
	/*
	 * Objects that it may have in hand, so that they are lost: until they are
	 * entered in the session's list, if they ever are.
	 */
	unsigned int lost;
	/* It is killed in a child that the call makes, instead. */
	bool in_child;
};

/* What this process learns of a worker. There is one for each process that tries. */
static struct {
	uint64_t *later;
	uint64_t in_hand;
} *shared;

static void nothing(struct world *w)
{
	(void)w;
}

static void allocate(struct world *w)
{
	w->p = goheap_malloc(w->h, SMALL);
}

static void allocate_two(struct world *w)
{
	goheap_free(w->h, goheap_malloc(w->h, SMALL));
	allocate(w);
}

static void allocate_large(struct world *w)
{
	w->p = goheap_malloc(w->h, LARGE);
}

static void release(struct world *w)
{
	goheap_free(w->h, w->p);
}

static void give(struct world *w)
{
	goheap_give(w->h, &w->p, 1);
}

static void grow(struct world *w)
{
	w->p = goheap_realloc(w->h, w->p, LARGE);
}

static void grow_in_place(struct world *w)
{
	w->p = goheap_realloc(w->h, w->p, 3 * LARGE);
}

static void trim(struct world *w)
{
	goheap_trim(w->h);
}

static void close_heap(struct world *w)
{
	goheap_close(w->h);
}

static void fork_and_wait(struct world *w)
{
	pid_t pid = fork();

	if (!pid)
		_exit(goheap_malloc(w->h, SMALL) ? 0 : 1);
	waitpid(pid, NULL, 0);
}

static void fork_and_use(struct world *w)
{
	pid_t pid = fork();

	if (!pid) {
		w->p = goheap_malloc(w->h, SMALL);
		raise(SIGSTOP);
	}
	waitpid(pid, NULL, 0);
}

/* Out of the words, by a store of its own. */
static void *take_one(struct world *w, unsigned int i)
{
	void *p = goheap_deref(w->h, w->word[i]);

	__atomic_store_n(&w->word[i], 0, __ATOMIC_RELEASE);
	return p;
}

static void take(struct world *w)
{
	w->p = take_one(w, 0);
}

static void take_and_free(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->used - 1; i++)
		goheap_free(w->h, take_one(w, i));
	w->p = take_one(w, i);
}

static void exchange(struct world *w, void *given, bool take, unsigned int flags)
{
	struct goheap_exchange x = {
		.at = w->word,
		.expect = *w->word,
		.value = goheap_ref(w->h, given),
		.give = given,
		.take = take ? goheap_deref(w->h, *w->word) : NULL,
		.flags = flags,
	};

	if (!goheap_publish(w->h, &x, 1) && x.take)
		w->p = x.take;
}

static void publish(struct world *w)
{
	exchange(w, w->p, false, 0);
}

static void replace(struct world *w)
{
	exchange(w, w->p, true, GOHEAP_FREE_TAKEN);
}

static void hold(struct world *w)
{
	exchange(w, NULL, true, 0);
}

static void hold_and_put_back(struct world *w)
{
	hold(w);
	exchange(w, w->p, false, 0);
}

static void replace_and_retire(struct world *w)
{
	exchange(w, w->p, true, GOHEAP_RETIRE_TAKEN);
}

static void retire(struct world *w)
{
	goheap_retire(w->h, &w->p, 1);
}

static void enter_and_exit(struct world *w)
{
	goheap_enter(w->h);
	goheap_exit(w->h);
}

static void bind(struct world *w)
{
	goheap_bind(w->h, "name", w->p);
}

static void lock(struct world *w)
{
	goheap_mutex_lock(w->h, &w->locks->mutex, -1);
	goheap_mutex_unlock(w->h, &w->locks->mutex);
}

static void lock_to_read(struct world *w)
{
	goheap_rwlock_read(w->h, &w->locks->rwlock, -1);
	goheap_rwlock_unlock(w->h, &w->locks->rwlock);
}

static void lock_to_write(struct world *w)
{
	goheap_rwlock_write(w->h, &w->locks->rwlock, -1);
	goheap_rwlock_unlock(w->h, &w->locks->rwlock);
}

/* As if somebody had waited, and somebody had found the lock taken. */
static void have_others_wait(struct world *w)
{
	lock(w);
	w->locks->cond.word = 1;
}

static void signal_one(struct world *w)
{
	goheap_cond_signal(w->h, &w->locks->cond);
}

/* It is not signalled. */
static void wait_in_vain(struct world *w)
{
	goheap_mutex_lock(w->h, &w->locks->mutex, -1);
	goheap_cond_wait(w->h, &w->locks->cond, &w->locks->mutex, 0);
	goheap_mutex_unlock(w->h, &w->locks->mutex);
}

static void have_queue(struct world *w)
{
	w->queue = goheap_queue_open(w->h, "name", 4, 8);
	goheap_queue_push(w->h, w->queue, "before", 6, -1);
}

static void push(struct world *w)
{
	goheap_queue_push(w->h, w->queue, "message", 7, -1);
}

static void pop(struct world *w)
{
	char data[8];

	goheap_queue_pop(w->h, w->queue, data, sizeof(data), -1);
}

static void have_table(struct world *w)
{
	w->table = goheap_table_open(w->h, "table");
	goheap_table_put(w->h, w->table, "key", 3, "before", 6);
}

static void put(struct world *w)
{
	goheap_table_put(w->h, w->table, "other", 5, "value", 5);
}

static void put_again(struct world *w)
{
	goheap_table_put(w->h, w->table, "key", 3, "after", 5);
}

static void remove_key(struct world *w)
{
	goheap_table_remove(w->h, w->table, "key", 3);
}

static const struct call calls[] = {
	{ "malloc-first", 0, nothing, allocate, 0, false },
	{ "malloc", 0, allocate_two, allocate, 0, false },
	{ "malloc-large", 0, allocate, allocate_large, 0, false },
	{ "free", 0, allocate_two, release, 0, false },
	{ "free-large", 0, allocate_large, release, 0, false },
	{ "free-given-first", 1, take, release, 1, false },
	{ "free-given", 2, take_and_free, release, 1, false },
	{ "free-given-many", LG_LATER, take_and_free, release, 1, false },
	{ "free-held", 1, hold, release, 0, false },
	{ "give", 0, allocate, give, 1, false },
	{ "publish", 0, allocate, publish, 0, false },
	{ "publish-replace", 1, allocate, replace, 0, false },
	{ "publish-hold", 1, allocate, hold, 0, false },
	{ "publish-move", 1, allocate, hold_and_put_back, 0, false },
	{ "realloc", 0, allocate, grow, 0, false },
	{ "realloc-in-place", 0, allocate_large, grow_in_place, 0, false },
	{ "publish-retire", 1, allocate, replace_and_retire, 0, false },
	{ "retire", 1, take, retire, 1, false },
	{ "enter-first", 1, nothing, enter_and_exit, 0, false },
	{ "enter", 1, enter_and_exit, enter_and_exit, 0, false },
	{ "bind", 0, allocate, bind, 0, false },
	{ "lock", 0, lock, lock, 0, false },
	{ "lock-read", 0, lock, lock_to_read, 0, false },
	{ "lock-write", 0, lock, lock_to_write, 0, false },
	{ "cond-signal", 0, have_others_wait, signal_one, 0, false },
	{ "cond-wait", 0, lock, wait_in_vain, 0, false },
	{ "queue-open", 0, nothing, have_queue, 0, false },
	{ "queue-push", 0, have_queue, push, 0, false },
	{ "queue-pop", 0, have_queue, pop, 0, false },
	{ "table-open", 0, nothing, have_table, 0, false },
	{ "table-put", 0, have_table, put, 0, false },
	{ "table-replace", 0, have_table, put_again, 0, false },
	{ "table-remove", 0, have_table, remove_key, 0, false },
	{ "trim", 2, take_and_free, trim, 1, false },
	{ "fork", 0, allocate, fork_and_wait, 0, false },
	{ "fork-child", 0, allocate, fork_and_use, 0, true },
	{ "close", 2, take_and_free, close_heap, 1, false },
};

/* Stopped before and after the call. */
static void worker(const struct call *c, int fd, uint64_t word)
{
	struct world w = { .h = goheap_open_fd(fd, 0), .used = c->used };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!w.h || ptrace(PTRACE_TRACEME, 0, 0, 0))
		_exit(1);
	w.word = goheap_pointer(w.h, word);
	w.locks = (struct locks *)(w.word + WORDS);
	c->before(&w);
	shared->later = w.h->later;
	shared->in_hand = w.p ? goheap_offset(w.h, w.p) : 0;
	raise(SIGSTOP);
	c->call(&w);
	raise(SIGSTOP);
	_exit(1);
}

/* ---- one step after the other ------------------------------------------- */

/*
 * Where each instruction is, which of its executions this is, and how often it has repeated
 * itself (rep) in this one: it may be stopped before each time.
 */
static struct step {
	unsigned long at;
	unsigned int nth;
	unsigned int repeats;
} steps[MOST_STEPS + 1];

static unsigned long pc_of(pid_t pid)
{
	return ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0);
}

/* What a call is made in. */
static pid_t worker_pid;

/* The signal that stopped it; 0 if it has ended. */
static int go_on(pid_t pid, int how)
{
	int status;

	if (ptrace(how, pid, 0, 0) || waitpid(pid, &status, 0) != pid ||
	    !WIFSTOPPED(status))
		return 0;
	return WSTOPSIG(status);
}

/* The child that a process makes, before its first instruction, or -1. */
static pid_t child_of(pid_t pid)
{
	unsigned long child = 0;
	int status;

	if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK) ||
	    go_on(pid, PTRACE_CONT) != SIGTRAP ||
	    ptrace(PTRACE_GETEVENTMSG, pid, 0, &child) ||
	    waitpid(child, &status, 0) != (pid_t)child || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_CONT, pid, 0, 0))
		return -1;
	return child;
}

/* What is to be killed is next to do the first step. */
static pid_t start(const struct call *c, struct goheap *h, uint64_t word)
{
	pid_t pid;
	int status;

	/* A child of the worker's becomes one of this process, so finish() sees its end. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (!pid)
		worker(c, goheap_fd(h), word);
	worker_pid = pid;
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGSTOP)
		return -1;
	return c->in_child ? child_of(pid) : pid;
}

static void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	kill(worker_pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* How often the instruction has been reached before the step @i. */
static unsigned int reached_before(unsigned int i)
{
	/* The last step of each instruction. There are not many: most steps are in loops. */
	static unsigned int last[MOST_STEPS], nlast;
	unsigned int k, nth = 0;

	if (!i)
		nlast = 0;
	for (k = 0; k < nlast && steps[last[k]].at != steps[i].at; k++)
		;
	if (k < nlast)
		nth = steps[last[k]].nth;
	else
		nlast++;
	last[k] = i;
	return nth;
}

static void count_executions(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		bool repeats = i && steps[i - 1].at == steps[i].at;

		steps[i].nth = reached_before(i) + !repeats;
		steps[i].repeats = repeats ? steps[i - 1].repeats + 1 : 0;
	}
}

/* How many steps there are; 0 if something went wrong. */
static unsigned int record(pid_t pid)
{
	unsigned int n = 0;
	int sig;

	while (n < MOST_STEPS) {
		steps[n].at = pc_of(pid);
		sig = go_on(pid, PTRACE_SINGLESTEP);
		if (sig == SIGSTOP)
			break;
		if (sig == SIGTRAP)
			n++;
		/* A child of the worker's has ended; that is no step. */
		else if (sig != SIGCHLD)
			return 0;
	}
	steps[n].at = 0;
	count_executions(n);
	return n < MOST_STEPS ? n : 0;
}

static bool set_reg(pid_t pid, size_t reg, unsigned long value)
{
	return !ptrace(PTRACE_POKEUSER, pid, reg, value);
}

/* Go on until an instruction is next. */
static bool run_until(pid_t pid, unsigned long at)
{
	unsigned long word = ptrace(PTRACE_PEEKTEXT, pid, at, 0);
	int sig;

	if (ptrace(PTRACE_POKETEXT, pid, at, (word & ~0xffUL) | INT3))
		return false;
	do
		sig = go_on(pid, PTRACE_CONT);
	while (sig == SIGCHLD);
	return sig == SIGTRAP && pc_of(pid) == at + 1 &&
	       !ptrace(PTRACE_POKETEXT, pid, at, word) &&
	       set_reg(pid, offsetof(struct user, regs.rip), at);
}

/* Which instruction follows this one, with all of its repeats. */
static unsigned long next_of(const struct step *s)
{
	while (s[1].at == s->at)
		s++;
	return s[1].at;
}

/* Have the instruction that is next repeat itself so many times, and stop it there. */
static bool repeat(pid_t pid, const struct step *s)
{
	unsigned long count = offsetof(struct user, regs.rcx);
	unsigned long all = ptrace(PTRACE_PEEKUSER, pid, count, 0);

	return all > s->repeats && set_reg(pid, count, s->repeats) &&
	       run_until(pid, next_of(s)) &&
	       set_reg(pid, count, all - s->repeats) &&
	       set_reg(pid, offsetof(struct user, regs.rip), s->at);
}

/* With breakpoints, as stepping there would take long. Returns whether it got there. */
static bool run_to(pid_t pid, const struct step *s)
{
	unsigned int nth = 0;
	int sig;

	if (pc_of(pid) == s->at)
		nth++;
	while (nth < s->nth) {
		/* Off the instruction first, if it stands there. */
		while (nth && pc_of(pid) == s->at) {
			sig = go_on(pid, PTRACE_SINGLESTEP);
			if (sig != SIGTRAP && sig != SIGCHLD)
				return false;
		}
		if (!run_until(pid, s->at))
			return false;
		nth++;
	}
	return !s->repeats || repeat(pid, s);
}

/* Whether the object that the worker has in hand is in its list. */
static bool is_entered(pid_t pid)
{
	unsigned int i;

	for (i = 0; shared->later && i < 2 * LG_LATER; i++) {
		errno = 0;
		if ((uint64_t)ptrace(PTRACE_PEEKDATA, pid, shared->later + i, 0) ==
		    (GOHEAP_DEFERRED | shared->in_hand) && !errno)
			return true;
	}
	return false;
}

/* ---- what must hold ----------------------------------------------------- */

static struct goheap_usage usage_of(struct goheap *h)
{
	struct goheap_usage u = { .objects = 1000 };

	goheap_usage(h, &u);
	return u;
}

/* A heap with its words, of which @used lead to objects. */
static struct goheap *new_world(unsigned int used, uint64_t *at)
{
	struct goheap *h = goheap_open(NULL, 0);
	size_t size = WORDS * sizeof(uint64_t) + sizeof(struct locks);
	uint64_t *word = goheap_calloc(h, 1, size);
	void *p = word;
	unsigned int i;

	if (!word || goheap_give(h, &p, 1))
		return NULL;
	for (i = 0; i < used; i++) {
		p = goheap_malloc(h, SMALL);
		word[i] = goheap_ref(h, p);
		if (!p || goheap_give(h, &p, 1))
			return NULL;
	}
	*at = goheap_offset(h, word);
	return h;
}

/* All can be locked, and what the worker had is free. */
static bool locks_are_usable(struct goheap *h, struct locks *l)
{
	bool good = goheap_mutex_lock(h, &l->mutex, -1) >= 0 &&
		    !goheap_mutex_consistent(h, &l->mutex) &&
		    !goheap_mutex_unlock(h, &l->mutex) && !l->mutex.word &&
		    goheap_rwlock_write(h, &l->rwlock, -1) >= 0 &&
		    !goheap_rwlock_consistent(h, &l->rwlock) &&
		    !goheap_rwlock_unlock(h, &l->rwlock) &&
		    !goheap_rwlock_read(h, &l->rwlock, 0) &&
		    !goheap_rwlock_unlock(h, &l->rwlock);

	goheap_cond_signal(h, &l->cond);
	return good && !(l->cond.word & 1);
}

/* It has no, one, or two messages, which are whole, if the worker has one. */
static bool queue_is_usable(struct goheap *h)
{
	struct goheap_queue *q = goheap_queue_open(h, "name", 0, 0);
	unsigned int n, others = 0;
	char data[8];

	if (!q)
		return true;
	n = goheap_queue_count(h, q);
	if (n > 2 || goheap_queue_push(h, q, "after", 5, -1))
		return false;
	for (; n; n--) {
		switch (goheap_queue_pop(h, q, data, sizeof(data), -1)) {
		case 6:
			others += memcmp(data, "before", 6) != 0;
			break;
		case 7:
			others += memcmp(data, "message", 7) != 0;
			break;
		default:
			others++;
		}
	}
	return !others && goheap_queue_pop(h, q, data, sizeof(data), -1) == 5 &&
	       !memcmp(data, "after", 5) && !goheap_queue_count(h, q);
}

static bool has_value(struct goheap *h, struct goheap_table *t, const char *key,
		      const char *value, const char *other)
{
	const char *p;
	size_t n;

	p = goheap_table_get(h, t, key, strlen(key), &n);
	if (!p)
		return errno == ENOENT;
	return (n == strlen(value) && !memcmp(p, value, n)) ||
	       (n == strlen(other) && !memcmp(p, other, n));
}

/* It has what was there before, or what should be there afterwards. */
static bool table_is_usable(struct goheap *h)
{
	struct goheap_table *t = goheap_lookup(h, "table");
	struct goheap_entry e;
	uint64_t cursor = 0, n = 0;
	bool good;

	if (!t)
		return true;
	goheap_enter(h);
	good = has_value(h, t, "key", "before", "after") &&
	       has_value(h, t, "other", "value", "value");
	while (goheap_table_next(h, t, &cursor, &e) == 1)
		n++;
	goheap_exit(h);
	good = good && goheap_table_put(h, t, "last", 4, "", 0) >= 0 &&
	       goheap_table_count(h, t) == n + 1;
	goheap_table_destroy(h, goheap_unbind(h, "table"));
	return good;
}

/* Whether the name is given or not, others can give it; nothing is left of it afterwards. */
static bool names_are_usable(struct goheap *h)
{
	uint64_t root;
	void *p;

	if (goheap_root_get(h, GOHEAP_ROOT_NAMES, &root))
		return false;
	if (!root)
		return true;
	goheap_free(h, goheap_unbind(h, "name"));
	p = goheap_malloc(h, SMALL);
	if (goheap_bind(h, "name", p) || goheap_lookup(h, "name") != p ||
	    goheap_unbind(h, "name") != p)
		return false;
	goheap_free(h, p);
	/* The entries begin with the ref of the next. */
	p = goheap_deref(h, root);
	if (*(uint64_t *)p)
		goheap_free(h, goheap_deref(h, *(uint64_t *)p));
	goheap_free(h, p);
	return goheap_root_cas(h, GOHEAP_ROOT_NAMES, &root, 0) == 1;
}

static void await_retired(struct goheap *h)
{
	unsigned int looks = LOOKS;

	while (usage_of(h).retired && --looks)
		usleep(LOOK_US);
}

static bool is_whole(struct goheap *h, uint64_t at, unsigned int lost)
{
	uint64_t *word = goheap_pointer(h, at);
	bool good = locks_are_usable(h, (struct locks *)(word + WORDS)) &&
		    queue_is_usable(h) && table_is_usable(h) &&
		    names_are_usable(h);
	struct goheap_usage u;
	void *p[100];
	unsigned int i;

	if (!good)
		puts("# locks, queue, table or names cannot be used");
	await_retired(h);

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_malloc(h, 16 << i % 12);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(h, p[i]);
	for (i = 0; i < WORDS; i++)
		if (word[i])
			goheap_free(h, goheap_deref(h, word[i]));
	goheap_free(h, word);
	goheap_trim(h);

	u = usage_of(h);
	good = good && u.objects <= lost && u.objects == u.given && u.sessions == 1 &&
	       u.objects == u.allocs - u.frees && !u.bad &&
	       u.spans <= u.objects;
	if (good)
		return true;
	printf("# objects %llu given %llu sessions %llu\n", u.objects, u.given,
	       u.sessions);
	printf("# allocs %llu frees %llu bad %llu spans %llu\n", u.allocs,
	       u.frees, u.bad, u.spans);
	return false;
}

/* Returns whether all is well after a kill before step @k, of @n. */
static bool try_one(const struct call *c, unsigned int k)
{
	uint64_t at;
	struct goheap *h = new_world(c->used, &at);
	pid_t pid = h ? start(c, h, at) : -1;
	bool good = pid > 0 && run_to(pid, &steps[k]);
	unsigned int lost = pid > 0 && is_entered(pid) ? 0 : c->lost;

	if (!good)
		printf("# %s: step %u at %lx, time %u, is not reached\n",
		       c->name, k, steps[k].at, steps[k].nth);
	if (pid > 0)
		finish(pid);
	if (!h || !is_whole(h, at, lost)) {
		printf("# %s: killed before step %u at %lx\n", c->name, k,
		       steps[k].at);
		good = false;
	}
	goheap_close(h);
	return good;
}

/* Every so many steps from @k on. */
static int try_some(const struct call *c, unsigned int k, unsigned int n)
{
	unsigned int wrong = 0;

	shared += k;
	for (; k < n && wrong < 5; k += NR_TRIERS)
		wrong += !try_one(c, k);
	fflush(stdout);
	return wrong ? 1 : 0;
}

/* Whether all of @n steps are tried, by several processes at a time, and all is well. */
static bool try_steps(const struct call *c, unsigned int n)
{
	pid_t pid[NR_TRIERS];
	unsigned int i;
	bool good = true;
	int status;

	fflush(stdout);
	for (i = 0; i < NR_TRIERS; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(try_some(c, i, n));
	}
	for (i = 0; i < NR_TRIERS; i++)
		good &= pid[i] > 0 && waitpid(pid[i], &status, 0) == pid[i] &&
			!status;
	return good;
}

static unsigned long points;

static void try_all(const struct call *c)
{
	uint64_t at;
	struct goheap *h = new_world(c->used, &at);
	pid_t pid = h ? start(c, h, at) : -1;
	unsigned int n = pid > 0 ? record(pid) : 0;
	char what[100];
	bool good;

	if (pid > 0)
		finish(pid);
	goheap_close(h);
	good = n && try_steps(c, n);
	points += n;
	snprintf(what, sizeof(what), "%s: killed before each of %u instructions",
		 c->name, n);
	check(good, what);
}

static bool is_asked_for(const char *name, char **names)
{
	if (!*names)
		return true;
	while (*names && strcmp(*names, name))
		names++;
	return *names;
}

int main(int argc, char **argv)
{
	unsigned int i;

	(void)argc;
	shared = mmap(NULL, NR_TRIERS * sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (access("/dev/goheap", F_OK)) {
		printf("1..0 # SKIP no /dev/goheap\n");
		return 4;
	}
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (is_asked_for(calls[i].name, argv + 1))
			try_all(&calls[i]);
	printf("# %lu points\n", points);
	return tap_end();
}
