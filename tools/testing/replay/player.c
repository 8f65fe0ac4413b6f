// SPDX-License-Identifier: GPL-2.0-only
/*
 * The player: kthreads that carry out the steps of a program, and what they measure.
 *
 * The threads share the slots without locks. A slot is touched by one thread at a
 * time: the compiler put a wait before every step on an object that another thread
 * touched last, and a thread publishes its progress after each step (release), which
 * the waiting thread reads (acquire).
 *
 * The loop is compiled once for each allocator, with direct calls.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/numa.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "player.h"

#define CHECK_OPS	256	/* steps between two looks at what is asked of us */

static const struct replay_backend backends[REPLAY_NR_ALLOCATORS] = {
	[REPLAY_GOHEAP] = {
		.alloc = goheap_backend_alloc,
		.zalloc = goheap_backend_zalloc,
		.realloc = goheap_backend_realloc,
		.free = goheap_free,
		.usable = goheap_backend_usable,
		.settle = goheap_backend_settle,
		.held = goheap_backend_held,
	},
	[REPLAY_KMALLOC] = {
		.alloc = kmalloc_backend_alloc,
		.zalloc = kmalloc_backend_zalloc,
		.realloc = kmalloc_backend_realloc,
		.free = kvfree,
		.usable = kmalloc_backend_usable,
		.settle = kmalloc_backend_settle,
		.held = kmalloc_backend_held,
	},
};

/* A live object of the replay. */
struct slot {
	void *p;
	size_t size;		/* as requested */
	size_t usable;		/* if measured */
	u64 seed;		/* of its pattern */
};

struct player {
	struct replay_run *run;
	const struct replay_code *code;
	struct task_struct *task;
	u64 stop_at;		/* steps to do */
	u64 next_seed;
	u64 ops;
	u64 failures;
	u64 mismatches;
	u64 misaligned;
	u64 finished_ns;
	u64 cpu_ns;		/* CPU time it took */
	/* Steps done, and the peers that wait for more of them. */
	u64 done ____cacheline_aligned_in_smp;
	wait_queue_head_t progress;
};

/* One run of a program. Objects live on in it until they are drained. */
struct replay_run {
	const struct replay_program *program;
	const struct replay_backend *backend;
	enum replay_allocator allocator;
	enum replay_mode mode;
	unsigned int sample_ops;
	bool cancelled;
	struct slot *slots;
	struct replay_figures *figures;
	struct mutex sample_lock;	/* guards the samples in *figures */
	atomic64_t requested;		/* bytes of the live objects, if measured */
	atomic64_t usable;
	atomic64_t vmalloced;		/* bytes of pages in vmalloc space */
	atomic_t nrunning;
	struct completion finished;
	struct player players[];
};

/* Patterns */

static u64 pattern_word(u64 seed, size_t i)
{
	return (seed + i) * 0x9e3779b97f4a7c15ULL;
}

static void write_pattern(void *p, size_t size, u64 seed)
{
	size_t i, n = size / sizeof(u64);
	u64 tail = pattern_word(seed, n);
	u64 *words = p;

	for (i = 0; i < n; i++)
		words[i] = pattern_word(seed, i);
	memcpy(words + n, &tail, size % sizeof(u64));
}

static bool has_pattern(const void *p, size_t size, u64 seed)
{
	size_t i, n = size / sizeof(u64);
	u64 tail = pattern_word(seed, n);
	const u64 *words = p;

	for (i = 0; i < n; i++)
		if (words[i] != pattern_word(seed, i))
			return false;
	return !memcmp(words + n, &tail, size % sizeof(u64));
}

/* Samples */

static void sample_now(struct replay_run *run, struct replay_held *held)
{
	run->backend->held(held, atomic64_read(&run->vmalloced));
}

static void keep_larger(u64 *most, u64 now)
{
	if (now > *most)
		*most = now;
}

static void sample(struct replay_run *run)
{
	struct replay_figures *figures = run->figures;
	u64 requested = atomic64_read(&run->requested);
	u64 usable = atomic64_read(&run->usable);
	struct replay_held held;

	mutex_lock(&run->sample_lock);
	sample_now(run, &held);
	keep_larger(&figures->peak.held, held.held);
	keep_larger(&figures->peak.pages, held.pages);
	keep_larger(&figures->peak.spans, held.spans);
	if (requested > figures->top_requested) {
		figures->top_requested = requested;
		figures->top_usable = usable;
		figures->top = held;
	}
	mutex_unlock(&run->sample_lock);
}

/* Add an object to the accounts of its run, or with sign -1 remove it. */
static void account(struct replay_run *run, const struct slot *slot, int sign)
{
	atomic64_add(sign * (s64)slot->size, &run->requested);
	atomic64_add(sign * (s64)slot->usable, &run->usable);
	if (is_vmalloc_addr(slot->p))
		atomic64_add(sign * (s64)PAGE_ALIGN(slot->size), &run->vmalloced);
}

/* Steps; @backend and @mode are constants to the compiler */

static __always_inline void take(struct player *player, struct slot *slot,
				 const struct replay_op *op,
				 const struct replay_backend *backend,
				 enum replay_mode mode)
{
	unsigned long align_mask = (1UL << op->align_shift) - 1;

	slot->size = op->size;
	if (mode == REPLAY_TIMED) {
		*(u8 *)slot->p = op->op;
		return;
	}
	player->misaligned += !!((unsigned long)slot->p & align_mask);
	slot->usable = backend->usable(slot->p, slot->size);
	account(player->run, slot, 1);
	if (mode == REPLAY_VERIFIED) {
		slot->seed = player->next_seed++;
		write_pattern(slot->p, slot->size, slot->seed);
	}
}

static __always_inline void do_alloc(struct player *player, struct slot *slot,
				     const struct replay_op *op,
				     const struct replay_backend *backend,
				     enum replay_mode mode)
{
	bool zeroed = op->op == GH_TRACE_CALLOC;

	slot->p = zeroed ? backend->zalloc(op->size) : backend->alloc(op->size);
	if (unlikely(!slot->p)) {
		player->failures++;
		return;
	}
	if (mode == REPLAY_VERIFIED && zeroed)
		player->mismatches += !!memchr_inv(slot->p, 0, op->size);
	take(player, slot, op, backend, mode);
}

static __always_inline void do_realloc(struct player *player, struct slot *slot,
				       const struct replay_op *op,
				       const struct replay_backend *backend,
				       enum replay_mode mode)
{
	size_t kept = min_t(size_t, slot->size, op->size);
	void *p;

	if (unlikely(!slot->p))
		return;
	if (mode == REPLAY_VERIFIED)
		player->mismatches += !has_pattern(slot->p, slot->size, slot->seed);
	if (mode != REPLAY_TIMED)
		account(player->run, slot, -1);
	p = backend->realloc(slot->p, slot->size, op->size);
	if (unlikely(!p)) {
		player->failures++;
		if (mode != REPLAY_TIMED)
			account(player->run, slot, 1);
		return;
	}
	slot->p = p;
	/* A partial last word has the same first bytes as the whole. */
	if (mode == REPLAY_VERIFIED)
		player->mismatches += !has_pattern(p, kept, slot->seed);
	take(player, slot, op, backend, mode);
}

static __always_inline void do_free(struct player *player, struct slot *slot,
				    const struct replay_backend *backend,
				    enum replay_mode mode)
{
	if (unlikely(!slot->p))
		return;
	if (mode == REPLAY_VERIFIED)
		player->mismatches += !has_pattern(slot->p, slot->size, slot->seed);
	if (mode != REPLAY_TIMED)
		account(player->run, slot, -1);
	backend->free(slot->p);
	slot->p = NULL;
}

static bool may_go_on(const struct player *peer, u64 nsteps)
{
	/* Pairs with the release in publish(): the slot is as the peer left it. */
	return smp_load_acquire(&peer->done) >= nsteps || READ_ONCE(peer->run->cancelled);
}

/* Wait until a peer has done so many steps; false if the run was cancelled. */
static bool wait_for(struct player *peer, u64 nsteps)
{
	wait_event(peer->progress, may_go_on(peer, nsteps));
	return !READ_ONCE(peer->run->cancelled);
}

static __always_inline void publish(struct player *player, u64 nsteps, bool signal)
{
	/* Pairs with the acquire in may_go_on(). */
	smp_store_release(&player->done, nsteps);
	if (unlikely(signal) && wq_has_sleeper(&player->progress))
		wake_up_all(&player->progress);
}

static __always_inline void play(struct player *player,
				 const struct replay_backend *backend,
				 enum replay_mode mode)
{
	struct replay_run *run = player->run;
	const struct replay_op *op = player->code->ops;
	unsigned int sample_ops = run->sample_ops;
	u64 i, nwaits = 0;

	for (i = 0; i < player->stop_at; i++, op++) {
		struct slot *slot = &run->slots[op->slot];

		switch (op->op) {
		case REPLAY_WAIT:
			nwaits++;
			if (!wait_for(&run->players[op->slot], op->size))
				return;
			break;
		case GH_TRACE_FREE:
			do_free(player, slot, backend, mode);
			break;
		case GH_TRACE_REALLOC:
			do_realloc(player, slot, op, backend, mode);
			break;
		default:
			do_alloc(player, slot, op, backend, mode);
		}
		publish(player, i + 1, op->signal);
		if (mode != REPLAY_TIMED &&
		    (!(i % sample_ops) || i + 1 == player->code->peak))
			sample(run);
		if (!(i % CHECK_OPS)) {
			if (READ_ONCE(run->cancelled))
				break;
			cond_resched();
		}
	}
	player->ops = i - nwaits;
}

/* A loop each, and a function each, so that a profile tells them apart. */
#define DEFINE_PLAY(name, allocator, mode)				\
static noinline void play_##name(struct player *player)			\
{									\
	play(player, &backends[allocator], mode);		\
}

DEFINE_PLAY(goheap_timed, REPLAY_GOHEAP, REPLAY_TIMED)
DEFINE_PLAY(goheap_measured, REPLAY_GOHEAP, REPLAY_MEASURED)
DEFINE_PLAY(goheap_verified, REPLAY_GOHEAP, REPLAY_VERIFIED)
DEFINE_PLAY(kmalloc_timed, REPLAY_KMALLOC, REPLAY_TIMED)
DEFINE_PLAY(kmalloc_measured, REPLAY_KMALLOC, REPLAY_MEASURED)
DEFINE_PLAY(kmalloc_verified, REPLAY_KMALLOC, REPLAY_VERIFIED)

static void (* const plays[REPLAY_NR_ALLOCATORS][REPLAY_NR_MODES])(struct player *player) = {
	{ play_goheap_timed, play_goheap_measured, play_goheap_verified },
	{ play_kmalloc_timed, play_kmalloc_measured, play_kmalloc_verified },
};

static int player_thread(void *data)
{
	struct player *player = data;
	struct replay_run *run = player->run;

	plays[run->allocator][run->mode](player);
	player->finished_ns = ktime_get_ns();
	/* A thread's CPU time is brought up to date when it leaves the CPU. */
	schedule_timeout_uninterruptible(1);
	player->cpu_ns = current->se.sum_exec_runtime;
	if (atomic_dec_and_test(&run->nrunning))
		complete(&run->finished);
	return 0;
}

/* Runs */

static void free_run(struct replay_run *run)
{
	vfree(run->slots);
	vfree(run);
}

static struct replay_run *new_run(const struct replay_program *program,
				  enum replay_allocator allocator,
				  enum replay_mode mode, struct replay_figures *figures)
{
	unsigned int i, nthreads = program->nthreads;
	struct replay_run *run;

	run = vzalloc(struct_size(run, players, nthreads));
	if (!run)
		return NULL;
	run->slots = vzalloc(array_size(program->nslots, sizeof(*run->slots)));
	if (!run->slots) {
		free_run(run);
		return NULL;
	}
	memset(figures, 0, sizeof(*figures));
	run->program = program;
	run->allocator = allocator;
	run->backend = &backends[allocator];
	run->mode = mode;
	run->sample_ops = UINT_MAX;
	run->figures = figures;
	mutex_init(&run->sample_lock);
	init_completion(&run->finished);
	for (i = 0; i < nthreads; i++) {
		run->players[i].run = run;
		run->players[i].code = &program->code[i];
		run->players[i].stop_at = program->code[i].nops;
		init_waitqueue_head(&run->players[i].progress);
		/* Seeds of different threads stay apart for 2^40 objects. */
		run->players[i].next_seed = (u64)(i + 1) << 40;
	}
	return run;
}

/*
 * All threads, or none. Each is bound to a CPU, so that the threads of both allocators
 * lie alike and neither is measured by the scheduler's moods.
 */
static int create_threads(struct replay_run *run)
{
	unsigned int i, n = run->program->nthreads;
	struct task_struct *task;

	for (i = 0; i < n; i++) {
		task = kthread_create(player_thread, &run->players[i], "goheap_replay/%u", i);
		if (IS_ERR(task))
			break;
		kthread_bind(task, cpumask_local_spread(i, NUMA_NO_NODE));
		run->players[i].task = get_task_struct(task);
	}
	if (i == n)
		return 0;
	while (i--) {
		kthread_stop(run->players[i].task);
		put_task_struct(run->players[i].task);
	}
	return PTR_ERR(task);
}

static void add_up(struct replay_figures *figures, const struct player *player,
		   u64 started_ns)
{
	keep_larger(&figures->elapsed_ns, player->finished_ns - started_ns);
	figures->time_ns += player->cpu_ns;
	figures->ops += player->ops;
	figures->failures += player->failures;
	figures->mismatches += player->mismatches;
	figures->misaligned += player->misaligned;
}

/*
 * Let the threads run and wait until they are gone, with the module's code behind
 * them. A fatal signal to the caller makes them stop early.
 */
static int run_threads(struct replay_run *run)
{
	unsigned int i, n = run->program->nthreads;
	u64 started_ns;
	int err;

	err = create_threads(run);
	if (err)
		return err;
	atomic_set(&run->nrunning, n);
	started_ns = ktime_get_ns();
	for (i = 0; i < n; i++)
		wake_up_process(run->players[i].task);
	err = wait_for_completion_killable(&run->finished);
	if (err) {
		WRITE_ONCE(run->cancelled, true);
		for (i = 0; i < n; i++)
			wake_up_all(&run->players[i].progress);
		wait_for_completion(&run->finished);
	}
	for (i = 0; i < n; i++) {
		kthread_stop(run->players[i].task);
		put_task_struct(run->players[i].task);
		add_up(run->figures, &run->players[i], started_ns);
	}
	if (n == 1)
		run->figures->time_ns = run->figures->elapsed_ns;
	return err;
}

/* Free what the program left, and after a cancelled run whatever there is. */
static void drain(struct replay_run *run)
{
	struct replay_figures *figures = run->figures;
	u32 i;

	for (i = 0; i < run->program->nslots; i++) {
		struct slot *slot = &run->slots[i];

		if (!(i % CHECK_OPS))
			cond_resched();
		if (!slot->p)
			continue;
		if (run->mode == REPLAY_VERIFIED)
			figures->mismatches += !has_pattern(slot->p, slot->size, slot->seed);
		if (run->mode != REPLAY_TIMED)
			account(run, slot, -1);
		run->backend->free(slot->p);
		slot->p = NULL;
	}
}

/**
 * replay_play() - run a whole program
 * @program: what to run
 * @allocator: on what
 * @mode: what the run is for
 * @sample_ops: steps of a thread between two samples, unless the run is timed
 * @figures: what it found out
 *
 * Context: process context, may sleep.
 * Return: 0, -ENOMEM, or -ERESTARTSYS after a fatal signal. In each case all objects
 * are freed.
 */
int replay_play(const struct replay_program *program,
		enum replay_allocator allocator, enum replay_mode mode,
		unsigned int sample_ops, struct replay_figures *figures)
{
	struct replay_run *run = new_run(program, allocator, mode, figures);
	int err;

	if (!run)
		return -ENOMEM;
	run->sample_ops = sample_ops;
	if (mode != REPLAY_TIMED) {
		run->backend->settle();
		sample_now(run, &figures->base);
	}
	err = run_threads(run);
	if (mode != REPLAY_TIMED)
		sample_now(run, &figures->final);
	drain(run);
	if (mode != REPLAY_TIMED)
		sample_now(run, &figures->after);
	free_run(run);
	return err;
}

/**
 * replay_hold() - run a program on goheap up to the moment when most bytes are live
 * @program: what to run; must live on until replay_release()
 * @figures: as of that moment; must live on likewise
 *
 * Context: process context, may sleep.
 * Return: the stopped run with its objects live, for replay_release(), or an ERR_PTR.
 */
struct replay_run *replay_hold(const struct replay_program *program,
			       struct replay_figures *figures)
{
	struct replay_run *run;
	unsigned int i;
	int err;

	run = new_run(program, REPLAY_GOHEAP, REPLAY_MEASURED, figures);
	if (!run)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < program->nthreads; i++)
		run->players[i].stop_at = program->code[i].peak;
	run->backend->settle();
	sample_now(run, &figures->base);
	err = run_threads(run);
	if (err) {
		replay_release(run);
		return ERR_PTR(err);
	}
	sample(run);
	return run;
}

/**
 * replay_release() - free the objects of a stopped run, and the run
 * @run: from replay_hold()
 *
 * Context: process context, may sleep.
 */
void replay_release(struct replay_run *run)
{
	drain(run);
	free_run(run);
}
