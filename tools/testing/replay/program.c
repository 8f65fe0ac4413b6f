// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read a trace file, refuse it unless all of it is good, and make the steps of each
 * thread from it; see program.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "program.h"

#define MAX_FILE_BYTES	SZ_1G
#define LARGEST_CLASS	SZ_32K
#define NO_SLOT		U32_MAX

/* What is known of an object of the trace. */
struct object {
	u64 size;		/* live bytes */
	u64 last_step;		/* steps that its last thread had then done */
	u32 slot;
	u16 last_thread;	/* which touched it last */
};

struct compiler {
	const struct gh_trace_header *header;
	const struct gh_trace_event *events;
	struct replay_program *program;
	struct object *objects;
	u32 *free_slots;	/* by thread: the slot that it freed last, or NO_SLOT */
	u32 *next_free;		/* by slot: the next in its thread's list, or NO_SLOT */
	u64 *seen;		/* by thread and peer: progress waited for */
	u64 live;		/* bytes */
};

/* The file */

static void *read_file(struct file *file, const char *path, size_t *nbytes)
{
	loff_t size = i_size_read(file_inode(file));
	loff_t at = 0;
	ssize_t got;
	void *data;

	if (!S_ISREG(file_inode(file)->i_mode) || size > MAX_FILE_BYTES ||
	    size < (loff_t)sizeof(struct gh_trace_header)) {
		pr_err("%s: not a file of a trace's size\n", path);
		return ERR_PTR(-EINVAL);
	}
	data = vmalloc(size);
	if (!data)
		return ERR_PTR(-ENOMEM);
	while (at < size) {
		got = kernel_read(file, data + at, min_t(loff_t, size - at, SZ_1M), &at);
		if (got <= 0) {
			pr_err("%s: cannot read: %zd\n", path, got);
			vfree(data);
			return ERR_PTR(got ?: -EIO);
		}
		cond_resched();
	}
	*nbytes = size;
	return data;
}

/* Validation */

/* Check every event, and count those of each thread. */
static int check_events(const struct gh_trace_header *header, const char *path,
			u64 *counts)
{
	const struct gh_trace_event *events = (const void *)(header + 1);
	const char *error = NULL;
	u8 *state;
	u64 i;

	state = vzalloc(header->nobjects + 1);
	if (!state)
		return -ENOMEM;
	for (i = 0; i < header->nevents; i++) {
		error = gh_trace_event_error(header, &events[i], state);
		if (error)
			break;
		counts[events[i].thread]++;
		if (!(i % 4096))
			cond_resched();
	}
	if (error)
		pr_err("%s: event %llu: %s\n", path, i, error);
	vfree(state);
	return error ? -EINVAL : 0;
}

/* Compilation */

/*
 * What to ask the allocators for. Both give a power of two its natural alignment,
 * so an aligned object becomes one; above the largest class, and for alignments
 * beyond a page, what they give by themselves has to do. An empty object becomes one
 * byte, as malloc(0) takes memory and gives an address of its own.
 */
static u64 replayed_size(const struct gh_trace_event *event, u8 *align_shift)
{
	u64 size = max_t(u64, event->size, 1);

	*align_shift = min_t(u8, event->align_shift, PAGE_SHIFT);
	if (*align_shift > ilog2(sizeof(u64)) && size <= LARGEST_CLASS)
		return roundup_pow_of_two(max_t(u64, size, 1ULL << *align_shift));
	return size;
}

static u32 take_slot(struct compiler *c, unsigned int thread)
{
	u32 slot = c->free_slots[thread];

	if (slot == NO_SLOT)
		return c->program->nslots++;
	c->free_slots[thread] = c->next_free[slot];
	return slot;
}

static void give_slot(struct compiler *c, unsigned int thread, u32 slot)
{
	c->next_free[slot] = c->free_slots[thread];
	c->free_slots[thread] = slot;
}

static void add_wait(struct compiler *c, unsigned int thread, const struct object *o)
{
	u64 *seen = &c->seen[thread * c->program->nthreads + o->last_thread];
	struct replay_code *code = &c->program->code[thread];

	if (*seen >= o->last_step)
		return;
	*seen = o->last_step;
	c->program->code[o->last_thread].ops[o->last_step - 1].signal = true;
	code->ops[code->nops++] = (struct replay_op) {
		.size = o->last_step,
		.slot = o->last_thread,
		.op = REPLAY_WAIT,
	};
}

static void compile_event(struct compiler *c, const struct gh_trace_event *event)
{
	struct replay_code *code = &c->program->code[event->thread];
	struct object *o = &c->objects[event->object];
	struct replay_op op = { .op = event->op };

	if (event->op == GH_TRACE_FREE) {
		give_slot(c, event->thread, o->slot);
	} else {
		op.size = replayed_size(event, &op.align_shift);
		if (event->op != GH_TRACE_REALLOC) {
			o->slot = take_slot(c, event->thread);
			o->last_thread = event->thread;
		}
	}
	if (o->last_thread != event->thread)
		add_wait(c, event->thread, o);
	op.slot = o->slot;
	code->ops[code->nops++] = op;
	c->live += op.size - o->size;
	o->size = op.size;
	o->last_thread = event->thread;
	o->last_step = code->nops;
}

/* Remember where each thread stands when most bytes are live. */
static void note_peak(struct compiler *c)
{
	struct replay_program *program = c->program;
	unsigned int i;

	program->peak_bytes = c->live;
	for (i = 0; i < program->nthreads; i++)
		program->code[i].peak = program->code[i].nops;
}

static void compile_events(struct compiler *c)
{
	u64 i, next, nevents = c->header->nevents;

	for (i = 0; i < nevents; i++) {
		compile_event(c, &c->events[i]);
		/* Of a rising flank only the top can be the peak. */
		next = i + 1;
		if (c->live > c->program->peak_bytes &&
		    (next == nevents || c->events[next].op >= GH_TRACE_REALLOC))
			note_peak(c);
		if (!(i % 4096))
			cond_resched();
	}
}

static int compile(struct replay_program *program, const struct gh_trace_header *header)
{
	size_t nobjects = header->nobjects + 1;
	struct compiler c = {
		.header = header,
		.events = (const void *)(header + 1),
		.program = program,
		.objects = vzalloc(array_size(nobjects, sizeof(*c.objects))),
		.next_free = vzalloc(array_size(nobjects, sizeof(*c.next_free))),
		.free_slots = vzalloc(array_size(program->nthreads, sizeof(*c.free_slots))),
		.seen = vzalloc(array3_size(program->nthreads, program->nthreads,
					    sizeof(*c.seen))),
	};
	int err = -ENOMEM;

	if (c.objects && c.next_free && c.free_slots && c.seen) {
		memset(c.free_slots, 0xff, program->nthreads * sizeof(*c.free_slots));
		compile_events(&c);
		err = 0;
	}
	vfree(c.seen);
	vfree(c.free_slots);
	vfree(c.next_free);
	vfree(c.objects);
	return err;
}

static struct replay_program *new_program(const struct gh_trace_header *header,
					  const u64 *counts)
{
	struct replay_program *program;
	unsigned int i;
	u64 room;

	program = vzalloc(struct_size(program, code, header->nthreads));
	if (!program)
		return ERR_PTR(-ENOMEM);
	program->nthreads = header->nthreads;
	program->nevents = header->nevents;
	program->nobjects = header->nobjects;
	memcpy(program->comm, header->comm, sizeof(program->comm));
	for (i = 0; i < header->nthreads; i++) {
		/* With other threads, each event may need a wait before it. */
		room = counts[i] * (header->nthreads > 1 ? 2 : 1) + 1;
		program->code[i].ops = vmalloc(array_size(room, sizeof(struct replay_op)));
		if (!program->code[i].ops) {
			replay_program_free(program);
			return ERR_PTR(-ENOMEM);
		}
	}
	return program;
}

static struct replay_program *load(const void *data, size_t nbytes, const char *path)
{
	const struct gh_trace_header *header = data;
	const char *error = gh_trace_header_error(header, nbytes);
	struct replay_program *program;
	u64 *counts;
	int err;

	if (error) {
		pr_err("%s: %s\n", path, error);
		return ERR_PTR(-EINVAL);
	}
	counts = kvcalloc(header->nthreads, sizeof(*counts), GFP_KERNEL);
	if (!counts)
		return ERR_PTR(-ENOMEM);
	err = check_events(header, path, counts);
	program = err ? ERR_PTR(err) : new_program(header, counts);
	kvfree(counts);
	if (IS_ERR(program))
		return program;
	err = compile(program, header);
	if (!err && program->peak_bytes > totalram_pages() * PAGE_SIZE / 4) {
		pr_err("%s: %llu bytes at the peak are too many for this machine\n",
		       path, program->peak_bytes);
		err = -ENOMEM;
	}
	if (err) {
		replay_program_free(program);
		return ERR_PTR(err);
	}
	return program;
}

/**
 * replay_program_load() - read, check and compile a trace
 * @path: name of the file
 *
 * What is wrong with a file that is refused goes to the log.
 *
 * Context: process context, may sleep.
 * Return: the program, for replay_program_free(), or an ERR_PTR.
 */
struct replay_program *replay_program_load(const char *path)
{
	struct replay_program *program;
	struct file *file;
	size_t nbytes;
	void *data;

	file = filp_open(path, O_RDONLY | O_LARGEFILE, 0);
	if (IS_ERR(file)) {
		pr_err("%s: cannot open: %ld\n", path, PTR_ERR(file));
		return ERR_CAST(file);
	}
	data = read_file(file, path, &nbytes);
	filp_close(file, NULL);
	if (IS_ERR(data))
		return data;
	program = load(data, nbytes, path);
	vfree(data);
	return program;
}

/**
 * replay_program_free() - let go of a program
 * @program: from replay_program_load()
 *
 * Context: process context, may sleep.
 */
void replay_program_free(struct replay_program *program)
{
	unsigned int i;

	for (i = 0; i < program->nthreads; i++)
		vfree(program->code[i].ops);
	vfree(program);
}
