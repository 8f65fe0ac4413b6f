/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * user: the structures of heaps of processes, their locks, and their limits.
 *
 * A user heap is a window: a range of 64 GiB of offsets, which processes map
 * where they like. It is made of arenas of 64 MiB. A page allocator of the
 * heap's own knows which pages of the window are free. Pages in spans have
 * memory, free pages have none, and nothing else of the kernel ever lies in
 * that memory.
 *
 * All that the kernel knows of a span lies beside the window, so nothing that a
 * process writes can mislead it. With pages of 8 KiB, the object at offset
 * 0x40020a0 is found like this:
 *
 *   0x40020a0 >> 26			= 1	its arena
 *   (0x40020a0 >> 13) % 8192		= 1	its page: arena[1]->span[1]
 *   0x40020a0 - span->base (0x4002000)	= 0xa0
 *   0xa0 / span->elemsize (0x50)	= 2	its index: span->state[2]
 *
 * Locks, from the outermost to the innermost:
 *
 *   mmap_lock            of a process, around mmap() and faults
 *   gh_uheaps_lock       the list of user heaps
 *   gh_usession.resize   one object of a session that changes its length
 *   gh_uheap.lock        page allocator, span tables, owners, sessions, pins
 *   folio lock           of a page: that it is the heap's, while a fault maps it
 *   gh_usession.lock     objects of the spans that a session owns; never two
 *
 * No user's memory may be touched under any but the first, because a page fault
 * takes that one. What a program passes is copied before, and results are
 * copied after.
 *
 * Names in this directory: @h is a heap, @ss a session, @s a span, @i the index
 * of an object in its span; @page is a heap page of the window, @nr a kernel
 * page of it.
 */
#ifndef _GOHEAP_USER_USER_H
#define _GOHEAP_USER_USER_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <uapi/linux/goheap.h>

#include "../divide.h"
#include "../fault.h"
#include "../fixalloc.h"
#include "../pagealloc.h"
#include "../sizeclass.h"

struct cred;
struct pid;

/* The window: 64 GiB. */
#define GH_UWINDOW_SHIFT	36
#define GH_UWINDOW		BIT(GH_UWINDOW_SHIFT)
#define GH_UARENAS		(GH_UWINDOW >> GH_ARENA_SHIFT)

/* Kernel pages of a heap page, and of an arena's page map. */
#define GH_UPAGE_FRAMES		(GH_PAGE_SIZE >> PAGE_SHIFT)
#define GH_UMAP_FRAMES							\
	(DIV_ROUND_UP(GH_ARENA_PAGES * sizeof(u64), GH_PAGE_SIZE) *	\
	 GH_UPAGE_FRAMES)
#define GH_UMAP_PER_FRAME	(PAGE_SIZE / sizeof(u64))

/*
 * Fails rather than let the OOM killer end a process, whether the system is
 * short of memory or the memory cgroup: the program that allocates can handle
 * the error.
 */
#define GH_UMETA_GFP							\
	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* For mmap(), which other threads wait for: what can be had without much reclaim. */
#define GH_UEASY_GFP							\
	((GH_UMETA_GFP & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY)

/*
 * For objects of the kernel's heap, which charges nothing to cgroups. There are few
 * and small ones: a session has a file, and a pin has pages of a user heap, which
 * are charged.
 */
#define GH_UOBJ_GFP	(GH_UMETA_GFP & ~__GFP_ACCOUNT)

/* Sessions that a heap may have, unless who made it says otherwise, and at most. */
#define GH_USESSIONS		1024
#define GH_USESSIONS_MAX	65536

/* Heap pages that a session, or a view, counts as: its record and its file. */
#define GH_URECORD_COST		DIV_ROUND_UP(SZ_8K, GH_PAGE_SIZE)

/* What a session shares with the kernel: its list of deferred frees, and its readers. */
#define GH_USIDE_BYTES							\
	(GOHEAP_MMAP_READERS + GOHEAP_NR_READERS * sizeof(struct goheap_reader))
#define GH_USIDE_FRAMES							\
	(DIV_ROUND_UP(GH_USIDE_BYTES, GH_PAGE_SIZE) * GH_UPAGE_FRAMES)
static_assert(GOHEAP_NR_DEFERRED * sizeof(u64) == GOHEAP_MMAP_READERS);
static_assert(GOHEAP_MMAP_READERS % GH_PAGE_SIZE == 0);

/* Numbers of sessions. Programs use the other bit of the word, for locks. */
#define GH_USESSION_ID_MAX	S32_MAX

/* Ends of sessions that a heap remembers. */
#define GH_UDEATHS		64

/* Of the table of pins. */
#define GH_UPIN_BITS		6

/* Types of a heap. */
#define GH_UTYPES		256
/* Heap pages that the bins of a type in a session count as. */
#define GH_UBINS_COST		1

/* Objects of a type are at least as long, so no span has very many. */
#define GH_UTYPE_LEAST		16
/* Records of who has given them: for most spans, and for those of the shortest objects. */
#define GH_NUM_GIVERS		2
#define GH_UGIVERS_FEW		(GH_PAGE_SIZE / 64)
#define GH_UGIVERS_MOST		(GH_PAGE_SIZE / GH_UTYPE_LEAST)

/* Largest alignment, bytes. */
#define GH_UALIGN_MAX		(GH_CHUNK_PAGES << GH_PAGE_SHIFT)

static_assert(GH_NUM_CLASSES == GOHEAP_NR_CLASSES);
static_assert(GH_UWINDOW <= GOHEAP_MMAP_MAP);
static_assert(GH_UWINDOW >> GH_PAGE_SHIFT <= GH_MAX_PAGES);

/**
 * enum gh_uobj_state - what an object of a user heap is
 * @GH_UOBJ_FREE: free
 * @GH_UOBJ_PRIVATE: its session's: only that may free it
 * @GH_UOBJ_GIVEN: the heap's: any session may free it
 * @GH_UOBJ_HELD: was given, and a session has taken it: that has an entry for it in
 *   its list of deferred frees. It still counts as given
 * @GH_UOBJ_CLAIMED: private, and a call that is under way will free it
 * @GH_UOBJ_CLAIMED_GIVEN: given, and a call that is under way will free it
 * @GH_UOBJ_RESIZING: private, and a call that is under way changes its length
 * @GH_UOBJ_DOOMED: its session has ended, or another has freed it by a list or an
 *   exchange; it will be freed with its last pin
 * @GH_UOBJ_RETIRED: the kernel's: it was retired in an epoch of an even number, and will
 *   be freed after a grace period
 * @GH_UOBJ_RETIRED_ODD: likewise, of an odd number
 */
enum gh_uobj_state {
	GH_UOBJ_FREE,
	GH_UOBJ_PRIVATE,
	GH_UOBJ_GIVEN,
	GH_UOBJ_HELD,
	GH_UOBJ_CLAIMED,
	GH_UOBJ_CLAIMED_GIVEN,
	GH_UOBJ_RESIZING,
	GH_UOBJ_DOOMED,
	GH_UOBJ_RETIRED,
	GH_UOBJ_RETIRED_ODD,
};

/**
 * struct gh_uepoch - objects of a heap that wait for a grace period
 * @work: ends one grace period, and begins the next
 * @number: of the epoch. Objects are counted by the parity of that in which they were
 *   retired
 * @spans: that have some
 * @objects: how many there are
 * @bytes: their bytes, also read without the lock
 * @queued: @work is, or is at work
 * @waits: a grace period has begun, and some thread has been reading since
 * @delay: until the next look, jiffies
 * @since: when it began, ktime_get_ns()
 * @wait: who retires too much waits here
 *
 * All but @wait is under the heap's lock, or of @work only.
 */
struct gh_uepoch {
	struct delayed_work work;
	u64 number;
	struct list_head spans;
	u64 objects[2];
	u64 bytes[2];
	bool queued;
	bool waits;
	unsigned long delay;
	u64 since;
	wait_queue_head_t wait;
};

/**
 * struct gh_utype - a type of objects of a heap
 * @id: number, from 1
 * @name: by which processes find it
 * @length: bytes of an object, 0 for any
 * @align: of objects, bytes; 0 or a power of two
 * @payer: who registered it, and pays for this record
 * @npages: heap pages of its spans, under the heap's lock
 * @limit: bound on @npages, ULONG_MAX for none, under the heap's lock
 * @objects: allocated now
 * @given: how many of them are given
 * @allocs: allocated, ever
 * @words: bits of @refs
 * @refs: bit set: the word holds a ref; repeats in longer objects
 *
 * But for the counts and the bound, nothing changes once it is there.
 */
struct gh_utype {
	u32 id;
	char name[GOHEAP_TYPE_NAME_MAX];
	u64 length;
	u32 align;
	const struct cred *payer;
	unsigned long npages;
	unsigned long limit;
	atomic64_t objects;
	atomic64_t given;
	atomic64_t allocs;
	u32 words;
	u64 refs[];
};

/**
 * struct gh_uspan - a run of pages of a user heap, divided into equal objects
 * @base: offset of the first object
 * @div: to divide by @elemsize
 * @state: &enum gh_uobj_state of each object
 * @owner: the session that owns it. A change takes the heap's lock, and in turn
 *   the locks of the old owner and of the new one; in between it is NULL
 * @nelems: objects
 * @nfree: objects that are free
 * @ngiven: objects that are given
 * @class: size class, 0 for a large object
 * @type: of its objects, or NULL
 * @giver: with a type: number of the session that each object was given by, or that
 *   holds it; or NULL
 * @mmap: a mapping of GOHEAP_MMAP_ALLOC; it has no objects that can be freed
 * @partial: @plist is on its owner's list
 * @idle: all its objects are free, and its pages count for @nidle of its owner
 * @free: bit set: the object is free
 * @elemsize: bytes of an object
 * @npages: heap pages
 * @list: in its owner's list
 * @plist: in its owner's list of spans with free objects
 * @retired: in the heap's list of spans with retired objects, under its lock
 * @nretired: how many it has, by the parity of the epoch; under the heap's lock, too
 * @payer: whose user pays
 * @view: whose quota it is in; it stays when its session ends
 * @nmaps: VMAs of a span for mmap()
 * @npins: pins of objects
 * @pins: these pins, under the heap's lock
 * @one_state: @state of a span of one object
 * @one_free: @free of such a span
 * @one_giver: @giver of such a span
 *
 * Records come from a fixalloc and are freed after a grace period. A record that
 * was found without the heap's lock may be looked at in an RCU read section, as
 * code that holds a spinlock is. It may be about to be freed or to change its
 * owner, so the result may only be used by a caller that holds the lock of a
 * session, and then finds this session in @owner. @owner is NULL in a record
 * that was freed.
 */
struct gh_uspan {
	u64 base;
	struct gh_divisor div;
	u8 *state;
	struct gh_usession *owner;
	u32 nelems;
	u32 nfree;
	u32 ngiven;
	u8 class;
	bool mmap;
	bool partial;
	bool idle;
	u64 *free;
	struct gh_utype *type;
	u32 *giver;

	size_t elemsize;
	unsigned long npages;
	struct list_head list;
	struct list_head plist;
	struct list_head retired;
	u32 nretired[2];
	const struct cred *payer;
	struct gh_uview *view;
	atomic_t nmaps;
	u32 npins;
	struct list_head pins;
	u8 one_state;
	u32 one_giver;
	u64 one_free;
};

/**
 * struct gh_ushape - what a new span should be
 * @npages: heap pages
 * @align: alignment of the first, in heap pages, a power of two
 * @class: size class, 0 for one large object
 * @type: of its objects, or NULL
 * @mmap: for mmap()
 */
struct gh_ushape {
	unsigned long npages;
	unsigned long align;
	struct gh_utype *type;
	u8 class;
	bool mmap;
};

/**
 * struct gh_uarena - 64 MiB of a user heap
 * @span: the span of each heap page, or NULL
 * @map: the page map, for mmap()
 * @payer: whose user pays for these tables
 *
 * They change under the heap's lock.
 */
struct gh_uarena {
	struct gh_uspan *span[GH_ARENA_PAGES];
	struct page *map[GH_UMAP_FRAMES];
	const struct cred *payer;
};

/**
 * struct gh_udeath - the end of a session
 * @session: its number
 * @how: GOHEAP_DEATH_*
 * @signal: which, or 0
 * @tgid: the process, or NULL
 */
struct gh_udeath {
	u32 session;
	u32 how;
	u32 signal;
	struct pid *tgid;
};

/**
 * struct gh_ucount - counts of a session's objects; under its lock
 * @objects: allocated now
 * @bytes: their bytes
 * @given: how many of them are given
 * @allocs: allocated, ever
 * @frees: freed, ever
 * @reclaimed: those of @frees that the end of the session freed
 * @pinned: pins held now
 */
struct gh_ucount {
	u64 objects;
	u64 bytes;
	u64 given;
	u64 allocs;
	u64 frees;
	u64 reclaimed;
	u64 pinned;
};

/**
 * struct gh_uview - what a descriptor of a heap allows
 * @heap: the heap
 * @files: files of it, and of its sessions, under the heap's lock
 * @payer: whose user pays for it; NULL in &gh_uheap.all, which lives with the heap
 * @npages: heap pages of the spans that its sessions made or adopted, and that are not
 *   adopted by others, under the heap's lock
 * @limit: bound on @npages, ULONG_MAX for none
 * @nsessions: sessions alive that were attached through it, under the heap's lock
 * @max_sessions: bound on @nsessions; 0 if it allows none
 * @ntypes: types that were registered through it, under the heap's lock
 * @nmaps: VMAs of the window
 * @seen: deaths that read() has reported
 */
struct gh_uview {
	struct gh_uheap *heap;
	unsigned int files;
	const struct cred *payer;
	unsigned long npages;
	unsigned long limit;
	unsigned int nsessions;
	unsigned int max_sessions;
	unsigned int ntypes;
	atomic_t nmaps;
	u64 seen;
};

/**
 * struct gh_usession - an owner of spans: a process's share of a heap
 * @heap: the heap
 * @view: the descriptor that it was attached through
 * @id: number; 0 is the heap's own session, which owns what outlived its
 *   session
 * @files: the process, as fl_owner_t
 * @payer: who attached, and pays for it and for @side
 * @tgid: the process when it attached
 * @pid: its number, for people only
 * @comm: its name then
 * @lock: protects what follows up to @list, and the objects of @spans
 * @dead: owns nothing any more, and never will
 * @spans: all spans that it owns
 * @npages: heap pages of @spans, under the heap's lock
 * @limit: bound on @npages, under the heap's lock; ULONG_MAX for none
 * @partial: spans with free objects, by class; those without a type
 * @bins: the others, see type.c
 * @nidle: heap pages of those of them that are idle
 * @count: statistics
 * @list: in the heap's list, under its lock
 * @seen: deaths that read() has reported
 * @resize: held while an object changes its length; the session cannot end then
 * @inside: threads that the grace period waits for, under the heap's lock
 * @thread: one of them, as the process says
 * @side: memory that it shares with the kernel, as far as DEFER has put it there; under
 *   @lock, but never taken away before the session's file is gone
 */
struct gh_usession {
	struct gh_uheap *heap;
	struct gh_uview *view;
	u32 id;
	fl_owner_t files;
	const struct cred *payer;
	struct pid *tgid;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	spinlock_t lock;	/* protects what follows, and @spans' objects */
	bool dead;
	struct list_head spans;
	unsigned long npages;
	unsigned long limit;
	struct list_head partial[GH_NUM_CLASSES];
	struct xarray bins;
	unsigned long nidle;
	struct gh_ucount count;
	struct list_head list;
	u64 seen;
	struct mutex resize;	/* one object's length changes at a time */
	u32 inside;
	u32 thread;
	struct page *side[GH_USIDE_FRAMES];
};

/**
 * struct gh_uheap - a user heap
 * @ref: files, sessions and pins
 * @id: for people
 * @list: in the list of all user heaps
 * @inode: has the mapping that all VMAs of the window are in
 * @base: where processes should map the window
 * @apart: VMAs of the window that are elsewhere
 * @creator: user that opened it
 * @payer: who opened it, and pays for it
 * @lock: protects what follows up to @roots
 * @pa: free pages
 * @narenas: arenas that @pa knows
 * @arena: arenas
 * @npages: heap pages in spans
 * @peak: largest @npages
 * @limit: bound on @npages; ULONG_MAX for none
 * @nspans: spans
 * @sessions: sessions that have memory
 * @nsessions: those of them that are alive
 * @ids: their numbers; it has a lock of its own
 * @next_id: number of the next session, under the lock of @ids
 * @max_id: largest number that a session has had
 * @type: types, by number less 1; added under @lock, and found without
 * @ntypes: how many there are
 * @nview_types: those of them that were registered through views
 * @all: of who opened the heap; its bound on sessions is the heap's
 * @own: owns what outlived its session, and mappings of GOHEAP_MMAP_ALLOC
 * @gone: counts of sessions that ended
 * @death: the last ends of sessions, by number; under @lock
 * @roots: root slots
 * @bad: offsets refused
 * @late: deferred frees of objects that had lost their mark
 * @deaths: sessions that ended
 * @wait: read() and poll() wait here for the next death
 * @epoch: objects that are retired
 * @pins: pins by address, under @lock
 * @span_recs: records of spans
 * @meta: @free and @state of spans, by number of objects
 * @givers: @giver of spans with few objects, and of others
 * @bins: records of bins
 */
struct gh_uheap {
	struct kref ref;
	u32 id;
	struct list_head list;
	struct inode *inode;
	u64 base;
	atomic_t apart;
	kuid_t creator;
	const struct cred *payer;

	struct mutex lock;	/* protects what follows up to @roots */
	struct gh_pagealloc pa;
	unsigned int narenas;
	struct gh_uarena *arena[GH_UARENAS];
	unsigned long npages;
	unsigned long peak;
	unsigned long limit;
	unsigned long nspans;
	struct list_head sessions;
	unsigned int nsessions;
	struct xarray ids;
	u32 next_id;
	u32 max_id;
	struct gh_utype *type[GH_UTYPES];
	unsigned int ntypes;
	unsigned int nview_types;
	struct gh_uview all;
	struct gh_usession own;
	struct gh_ucount gone;

	struct gh_udeath death[GH_UDEATHS];

	u64 roots[GOHEAP_NR_ROOTS];
	atomic64_t bad;
	atomic64_t late;
	atomic64_t deaths;
	wait_queue_head_t wait;
	struct gh_uepoch epoch;
	DECLARE_HASHTABLE(pins, GH_UPIN_BITS);
	struct gh_fixalloc span_recs;
	struct gh_fixalloc meta[GH_NUM_META];
	struct gh_fixalloc givers[GH_NUM_GIVERS];
	struct gh_fixalloc bins;
};

/**
 * gh_uview_is_full() - does a descriptor allow everything?
 * @view: what it allows
 *
 * Context: any.
 * Return: whether it is of who opened the heap.
 */
static inline bool gh_uview_is_full(const struct gh_uview *view)
{
	return view == &view->heap->all;
}

/**
 * gh_uview_may_attach() - may there be sessions at all?
 * @view: what a descriptor allows
 *
 * Context: any.
 * Return: whether there may.
 */
static inline bool gh_uview_may_attach(const struct gh_uview *view)
{
	return gh_uview_is_full(view) || view->max_sessions;
}

/**
 * gh_uheap_lock() - take the lock of a heap
 * @h: the heap
 *
 * For what must be done, also by a task that is being killed.
 *
 * Context: process context, may sleep.
 */
static inline void gh_uheap_lock(struct gh_uheap *h)
{
	gh_fault(GH_FAULT_LOCK);
	mutex_lock(&h->lock);
	gh_fault(GH_FAULT_LOCKED);
}

/**
 * gh_uheap_lock_killable() - take the lock of a heap, unless the task is killed
 * @h: the heap
 *
 * For calls that have done nothing yet. The holder of the lock may be a process of
 * another user's that gets little time to run.
 *
 * Context: process context, may sleep.
 * Return: 0, or -EINTR without the lock.
 */
static inline int gh_uheap_lock_killable(struct gh_uheap *h)
{
	int err;

	gh_fault(GH_FAULT_LOCK);
	err = mutex_lock_killable(&h->lock);
	if (!err)
		gh_fault(GH_FAULT_LOCKED);
	return err;
}

#endif /* _GOHEAP_USER_USER_H */
