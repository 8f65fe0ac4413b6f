/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uheap: heaps of processes: pages (uarena.c), who pays (ucharge.c), spans (uheap.c).
 *
 * A user heap is a window of offsets. Which of its pages are free, a page
 * allocator of its own says; pages with something in them have memory, free
 * ones have none. No kernel object ever shares them.
 *
 * Locks, outermost first:
 *
 *   mmap_lock            of a process, around faults and mmap()
 *   gh_usession.resize
 *   gh_uheap.lock        page allocator, span tables, owners, list of sessions
 *   invalidate_lock      of the heap's mapping: pages against faults
 *   gh_usession.lock     objects of the spans that a session owns
 *
 * Nothing touches a user's memory under any of the last three.
 */
#ifndef _GOHEAP_USER_HEAP_H
#define _GOHEAP_USER_HEAP_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/sched/user.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include <uapi/linux/goheap.h>

#include "../divide.h"
#include "../fixalloc.h"
#include "../pagealloc.h"
#include "../sizeclass.h"

/* The window: 64 GiB. */
#define GH_UWINDOW_SHIFT	36
#define GH_UWINDOW		BIT(GH_UWINDOW_SHIFT)
#define GH_UARENAS		(GH_UWINDOW >> GH_ARENA_SHIFT)

/* Kernel pages of an arena, of a heap page, and of an arena's page map. */
#define GH_UARENA_FRAMES	(GH_ARENA_SIZE >> PAGE_SHIFT)
#define GH_UPAGE_FRAMES		(GH_PAGE_SIZE >> PAGE_SHIFT)
#define GH_UMAP_FRAMES							\
	DIV_ROUND_UP(GH_ARENA_PAGES * sizeof(u64), PAGE_SIZE)
#define GH_UMAP_PER_FRAME	(PAGE_SIZE / sizeof(u64))

/*
 * Fails rather than have the OOM killer end somebody, of the system's or of the
 * memory cgroup's.
 */
#define GH_UMETA_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* Sessions of a heap. */
#define GH_USESSIONS_MAX	65536

/* Largest alignment, bytes. */
#define GH_UALIGN_MAX		(GH_CHUNK_PAGES << GH_PAGE_SHIFT)

static_assert(GH_NUM_CLASSES == GOHEAP_NR_CLASSES);
static_assert(GH_UWINDOW <= GOHEAP_MMAP_MAP);
static_assert(GH_UWINDOW >> GH_PAGE_SHIFT <= GH_MAX_PAGES);

struct gh_uheap;
struct gh_usession;

/* State of an object, and what may be added to it. */
enum gh_uobj {
	GH_UOBJ_FREE,
	GH_UOBJ_PRIVATE,	/* its session's */
	GH_UOBJ_GIVEN,		/* the heap's: anybody may free it */
	GH_UOBJ_CLAIMED,	/* private, about to be freed */
	GH_UOBJ_CLAIMED_GIVEN,	/* given, about to be freed */
	GH_UOBJ_RESIZING,	/* private, of a length that changes */
	GH_UOBJ_DOOMED,		/* to be freed once nothing pins it */
};

/**
 * struct gh_uspan - a run of pages of a user heap, cut into equal objects
 * @base: offset of the first object
 * @div: to divide by @elemsize
 * @state: &enum gh_uobj of each object
 * @owner: whose it is; changes under gh_uheap.lock and the lock of whoever's it was
 *   and will be: NULL in between
 * @nelems: objects
 * @nfree: objects that are free
 * @ngiven: objects that are given
 * @class: size class, 0 for a large object
 * @mmap: a mapping of GOHEAP_MMAP_ALLOC; it has no objects that can be freed
 * @partial: @plist is on its owner's list
 * @free: bit set: the object is free
 * @elemsize: bytes of an object
 * @npages: heap pages
 * @list: in its owner's list
 * @plist: in its owner's list of spans with free objects
 * @user: who pays
 * @nmaps: VMAs of a span for mmap()
 * @npins: pins of objects
 * @one_state: @state of a span of one object
 * @one_free: @free of such a span
 *
 * Records come from a fixalloc. A look at one that was found without the heap's
 * lock must be made again with it, unless its owner's lock was held.
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
	u64 *free;

	size_t elemsize;
	unsigned long npages;
	struct list_head list;
	struct list_head plist;
	struct user_struct *user;
	atomic_t nmaps;
	u32 npins;
	u8 one_state;
	u64 one_free;
};

/**
 * struct gh_ushape - what a span should be
 * @npages: heap pages
 * @align: of the first, in heap pages, a power of two
 * @class: size class, 0 for one large object
 * @mmap: for mmap()
 */
struct gh_ushape {
	unsigned long npages;
	unsigned long align;
	u8 class;
	bool mmap;
};

/**
 * struct gh_uarena - 64 MiB of a user heap
 * @frame: the memory of each kernel page, or NULL
 * @span: the span of each heap page, or NULL
 * @map: the page map, for mmap()
 * @user: who pays for these tables
 *
 * @frame changes under the mapping's invalidate_lock, the others under the
 * heap's lock.
 */
struct gh_uarena {
	struct page *frame[GH_UARENA_FRAMES];
	struct gh_uspan *span[GH_ARENA_PAGES];
	struct page *map[GH_UMAP_FRAMES];
	struct user_struct *user;
};

/**
 * struct gh_ucount - what a session's objects come to; under its lock
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
 * struct gh_usession - who owns spans
 * @heap: the heap
 * @id: number; 0 is the heap's own, which owns what outlived its session
 * @files: the process, as fl_owner_t
 * @pid: the process when it attached, for people only
 * @comm: its name then
 * @lock: protects what follows, and the spans it owns
 * @dead: owns nothing any more, and never will
 * @spans: all of them
 * @npages: heap pages of @spans
 * @limit: bound on @npages; ULONG_MAX for none
 * @partial: spans with free objects, by class
 * @count: statistics
 * @list: in the heap's list, under its lock
 * @seen: deaths that read() has reported
 * @resize: held while an object is being resized; the session cannot end then
 */
struct gh_usession {
	struct gh_uheap *heap;
	u32 id;
	fl_owner_t files;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	spinlock_t lock;	/* protects what follows, and @spans' objects */
	bool dead;
	struct list_head spans;
	unsigned long npages;
	unsigned long limit;
	struct list_head partial[GH_NUM_CLASSES];
	struct gh_ucount count;
	struct list_head list;
	u64 seen;
	struct mutex resize;	/* an object is of no certain length */
};

/**
 * struct gh_uheap - a user heap
 * @ref: files, sessions and pins
 * @id: for people
 * @list: in the list of all user heaps
 * @inode: has the mapping that all VMAs of the window are in
 * @base: where processes should map the window
 * @creator: user that opened it
 * @lock: protects what follows up to @roots
 * @pa: free pages
 * @narenas: arenas that @pa knows
 * @arena: arenas
 * @npages: heap pages in spans
 * @peak: largest @npages
 * @limit: bound on @npages; ULONG_MAX for none
 * @nspans: spans
 * @sessions: sessions alive
 * @nsessions: how many
 * @next_id: number for the next
 * @own: owns what outlived its session, and mappings
 * @gone: counts of sessions that ended
 * @roots: root slots
 * @bad: offsets refused
 * @deaths: sessions that ended
 * @seen: deaths that read() has reported
 * @wait: for the next
 * @pins: objects that kernel code holds, under @lock
 * @span_recs: records of spans
 * @meta: @free and @state of spans, by number of objects
 */
struct gh_uheap {
	struct kref ref;
	u32 id;
	struct list_head list;
	struct inode *inode;
	u64 base;
	kuid_t creator;

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
	u32 next_id;
	struct gh_usession own;
	struct gh_ucount gone;

	u64 roots[GOHEAP_NR_ROOTS];
	atomic64_t bad;
	atomic64_t deaths;
	u64 seen;
	wait_queue_head_t wait;
	struct list_head pins;
	struct gh_fixalloc span_recs;
	struct gh_fixalloc meta[GH_NUM_META];
};

/**
 * gh_uspan_of() - the span that an offset is in
 * @h: the heap
 * @offset: any value
 *
 * Context: with the heap's lock, or see &struct gh_uspan.
 * Return: the span or NULL.
 */
static inline struct gh_uspan *gh_uspan_of(const struct gh_uheap *h, u64 offset)
{
	struct gh_uarena *arena;

	if (unlikely(offset >= GH_UWINDOW))
		return NULL;
	/* Pairs with the release in uheap_publish_arena(). */
	arena = smp_load_acquire(&h->arena[array_index_nospec(offset >> GH_ARENA_SHIFT,
							      GH_UARENAS)]);
	if (unlikely(!arena))
		return NULL;
	/* Pairs with the release in uspan_set_table(). */
	return smp_load_acquire(&arena->span[(offset >> GH_PAGE_SHIFT) %
					     GH_ARENA_PAGES]);
}

/**
 * gh_uspan_index() - which object starts at an offset
 * @s: the span
 * @offset: any value
 *
 * As gh_span_index().
 *
 * Return: index of the object if it is less than @nelems.
 */
static __always_inline u64 gh_uspan_index(const struct gh_uspan *s, u64 offset)
{
	return gh_divide(&s->div, offset - s->base);
}

extern struct list_head gh_uheaps;
extern struct mutex gh_uheaps_lock;
extern unsigned long gh_user_max_pages;
extern atomic_long_t gh_user_pages;

/* ucharge.c */
bool gh_upages_charge(struct user_struct *user, unsigned long npages);
void gh_upages_uncharge(struct user_struct *user, unsigned long npages);
int gh_uheap_charge(struct gh_usession *owner, struct user_struct *user,
		    unsigned long npages);
void gh_uheap_uncharge(struct gh_uheap *h, struct user_struct *user,
		       unsigned long npages);
int gh_uspan_set_payer(struct gh_uspan *s);
int gh_uspan_recharge(struct gh_uspan *s, struct gh_usession *to);

/* uarena.c */
int gh_uframes_alloc(struct list_head *frames, unsigned long n);
void gh_uframes_free(struct list_head *frames);
void gh_uframes_install(struct gh_uheap *h, struct list_head *frames,
			unsigned long nr);
void gh_uframes_detach(struct gh_uheap *h, struct list_head *frames,
		       unsigned long nr, unsigned long n);
void gh_uframes_unmap(struct gh_uheap *h, struct list_head *frames);
struct page *gh_uheap_frame(struct gh_uheap *h, unsigned long nr);
struct page *gh_uheap_map_frame(struct gh_uheap *h, unsigned long nr);
void gh_uarena_free(struct gh_uarena *arena);
int gh_uheap_take(struct gh_uheap *h, const struct gh_ushape *shape,
		  unsigned long *page);
int gh_uheap_take_at(struct gh_uheap *h, unsigned long page,
		     unsigned long npages);

/* uheap.c */
struct gh_uheap *gh_uheap_create(void);
void gh_uheap_put(struct gh_uheap *h);

struct gh_uspan *gh_uspan_make(struct gh_usession *owner,
			       const struct gh_ushape *shape);
void gh_uspan_withdraw(struct gh_uheap *h, struct gh_uspan *s);
unsigned long gh_uspan_release(struct gh_uheap *h, struct list_head *spans);
int gh_uspan_resize(struct gh_uheap *h, struct gh_uspan *s,
		    unsigned long npages);
void gh_uspan_show(struct gh_uspan *s);
void gh_uspan_show_rest(struct gh_uspan *s);

#endif /* _GOHEAP_USER_HEAP_H */
