/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * goheap_step: what its parts share.
 *
 * Names: @path is a function that is executed instruction by instruction, @point one
 * of its instructions, @deed what another context does there, @kind a kind of objects.
 */
#ifndef _GOHEAP_STEP_H
#define _GOHEAP_STEP_H

#include <linux/gfp.h>
#include <linux/goheap.h>
#include <linux/types.h>

#include "../mm/mheap.h"

struct dentry;

/* ---- the engine (step.c) ------------------------------------------------ */

int step_engine_init(void);
void step_engine_exit(void);

/**
 * struct step_run - one execution of a path
 * @fn: the path
 * @act: called in NMI context before the point's instruction is executed
 * @at: which point, counted from 1
 * @any_way: whatever the way to it
 * @visit: how often the point's instruction was executed so far, if so
 * @acted: the point's address, or 0 if it was not reached
 * @at_once: step_acted() said yes when the point's instruction had been executed
 * @lost: the first instruction that was not the one learnt, or 0
 */
struct step_run {
	void (*fn)(void);
	void (*act)(void);
	unsigned int at;
	bool any_way;
	unsigned int visit;
	unsigned long acted;
	bool at_once;
	unsigned long lost;
};

unsigned int step_learn(void (*fn)(void), unsigned int nvisits);
unsigned int step_length(void);
bool step_preemptible(unsigned int at);
void step_execute(struct step_run *run);

/* ---- results (step_main.c) ---------------------------------------------- */

/*
 * CPUs: paths run on the first; tasks migrate to the second; nobody uses the third.
 * Where there are fewer, it is the first again.
 */
extern unsigned int step_home, step_away, step_idle;

__printf(1, 2) void step_wrong(const char *fmt, ...);
bool step_is_wrong(void);

/* ---- objects (step_objects.c) ------------------------------------------- */

/**
 * struct step_kind - a kind of objects
 * @name: its name in results
 * @size: bytes
 * @alloc: allocates one
 * @free: frees it
 * @c: their mcentral, or NULL
 */
struct step_kind {
	const char *name;
	size_t size;
	void *(*alloc)(gfp_t gfp);
	void (*free)(void *p);
	struct gh_central *c;
};

enum step_kinds {
	STEP_SMALL,
	STEP_CACHE,
	STEP_TINY,
	STEP_STACK,
	STEP_PAGE,
	STEP_KILO,
	STEP_THIEF,
	STEP_LARGE,
	STEP_BIG_STACK,
	STEP_OWN,
	STEP_NR_KINDS,
};

extern struct step_kind step_kinds[STEP_NR_KINDS];
extern struct goheap_cache *step_cache;
extern struct gh_heap *step_heap;

int step_objects_init(void);
void step_objects_exit(void);

/**
 * struct step_obj - an object that is held
 * @p: the object
 * @kind: what it is
 * @stamp: the byte that it is filled with
 */
struct step_obj {
	void *p;
	const struct step_kind *kind;
	u8 stamp;
};

#define STEP_HELD	1024

/**
 * struct step_held - the objects of one holder
 * @n: how many
 * @obj: the objects
 */
struct step_held {
	unsigned int n;
	struct step_obj obj[STEP_HELD];
};

/* The objects of the path, and of the contexts that interrupt it. */
extern struct step_held step_mine, step_theirs;

void step_hold(struct step_held *held, const struct step_kind *kind, void *p);
void *step_let_go(struct step_held *held, unsigned int i);
void step_get(struct step_held *held, const struct step_kind *kind, gfp_t gfp);
void step_put(struct step_held *held, unsigned int i);
void step_put_kind(struct step_held *held, const struct step_kind *kind);
void step_put_all(struct step_held *held);
void step_check_held(const struct step_held *held);

/* ---- states and their verification (step_verify.c) ---------------------- */

/* How many frees goheap must have refused since the heap was last verified. */
extern unsigned long step_refused;

void step_base_take(void);
void step_verify(void);
void step_verify_all(void);
void step_drain(void);
void step_drain_cpu(unsigned int cpu);

/* ---- the heap's pages (step_pages.c) ------------------------------------- */

void step_pages_init(void);
void step_pages_same(void);
void step_pages_keep(bool keep);
void step_pages_idle(const struct gh_shape *shape);
void step_pages_scavenge(void);
long step_pages_stack(void);
void step_pages_verify(void);
void step_pages_verify_all(void);

/* ---- paths (step_state.c, step_paths.c, step_reclaim.c, ...) -------------- */

enum step_context {
	STEP_NMI,
	STEP_IRQ,
	STEP_SOFTIRQ,
	STEP_TASK,
	STEP_MIGRATE,
	STEP_CPU,
	STEP_NR_CONTEXTS,
};

enum step_deed {
	STEP_SAME,
	STEP_STEAL,
	STEP_OTHERS,
	STEP_DRAIN,
	STEP_ALL,
	STEP_SPECIAL,
	STEP_NR_DEEDS,
};

/**
 * struct step_state - state of a CPU and an mcentral when a path begins
 * @cap: room of the CPU's magazines; 0: they are not there
 * @n: objects in the magazine
 * @has_spare: there is a second one
 * @nspare: objects in it
 * @idle: gh_slot.idle: the spare magazine was not used since the last ageing
 * @misses: since the magazine last grew
 * @batches: full magazines in the transfer cache
 * @has_span: the CPU has a current span
 * @left: free places in it
 * @partial: spans in the mcentral that have free places
 * @cached: freed spans of this kind in the node's cache
 * @mine: objects that the path has, besides those that fill up the spans
 */
struct step_state {
	u16 cap;
	u16 n;
	bool has_spare;
	u16 nspare;
	bool idle;
	u16 misses;
	u16 batches;
	bool has_span;
	u16 left;
	u16 partial;
	u16 cached;
	u16 mine;
};

/**
 * struct step_path - a function that is executed instruction by instruction
 * @name: its name in results and in debugfs
 * @kind: the objects that it is about
 * @state: the state that it begins in, or NULL
 * @prepare: makes the rest of that state, or NULL
 * @fn: the path
 * @finish: checks what the path returned, and cleans up, or NULL
 * @other: the counterpart, which another CPU executes: the only deed; or NULL
 * @possible: asks whether this machine has what the path needs, or NULL
 * @deeds: mask of deeds that make sense, 0: all
 * @contexts: mask of contexts, 0: all but another CPU
 * @visits: how often an instruction of it is a point, 0: as usual
 */
struct step_path {
	const char *name;
	enum step_kinds kind;
	const struct step_state *state;
	void (*prepare)(void);
	void (*fn)(void);
	void (*finish)(void);
	void (*other)(void);
	bool (*possible)(void);
	unsigned int deeds;
	unsigned int contexts;
	unsigned int visits;
};

#define STEP_EVERYWHERE	(BIT(STEP_NR_CONTEXTS) - 1)

extern const struct step_path step_paths[], step_reclaim_paths[], step_pairs[],
			      step_pins[];
extern const unsigned int step_nr_paths, step_nr_reclaim_paths, step_nr_pairs,
			  step_nr_pins;

void step_pins_init(struct dentry *dir);
void step_pins_exit(void);

/* The kind of the path that is prepared. */
extern const struct step_kind *step_kind;

void step_paths_init(void);
void step_state_init(void);
void step_path_prepare(const struct step_path *path);
void step_path_finish(const struct step_path *path);

/* ---- actions (step_actions.c) ------------------------------------------- */

extern const char * const step_context_name[STEP_NR_CONTEXTS];
extern const char * const step_deed_name[STEP_NR_DEEDS];

int step_actions_init(void);
void step_actions_rest(void);
void step_actions_exit(void);
bool step_deed_fits(const struct step_path *path, enum step_context context,
		    enum step_deed deed);
void step_action_prepare(const struct step_path *path, enum step_context context,
			 enum step_deed deed);
void step_act(void);
void step_action_wait(void);
bool step_acted(void);

#endif /* _GOHEAP_STEP_H */
