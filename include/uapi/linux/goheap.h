/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/goheap: heaps that processes share.
 *
 * open() makes a heap. mmap() of its file shows the heap's window: offset 0 of
 * the file is offset 0 of the heap. GOHEAP_IOC_ATTACH gives a process its
 * session, a file of its own, which owns what it allocates until it is given
 * to the heap or freed. When a session ends, however its process died, all that
 * it owned is freed.
 *
 * Rules of all structures: @size is sizeof() of the structure as the program
 * knows it; a kernel that knows more takes the rest as zero, one that knows less
 * refuses what it does not know unless it is zero (E2BIG). Reserved fields and
 * unknown flags must be zero (EINVAL). Offsets and lengths are in bytes. Unknown
 * commands fail with ENOTTY.
 */
#ifndef _UAPI_LINUX_GOHEAP_H
#define _UAPI_LINUX_GOHEAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Counts up when something is added. */
#define GOHEAP_ABI_VERSION	5

/* f_type of statfs() where files are heaps. */
#define GOHEAP_FS_MAGIC		0x676f6865

/* Offsets for a batch, at most. */
#define GOHEAP_MAX_BATCH	1024

/* Bytes of the name of a type, with the 0 at its end. */
#define GOHEAP_TYPE_NAME_MAX	32
/* Bits of the bitmap of a type. */
#define GOHEAP_TYPE_WORDS_MAX	4096

/* Root slots of a heap. */
#define GOHEAP_NR_ROOTS		64

/*
 * Size classes, with class 0, which stands for large objects. Kernels may come to have
 * others: GOHEAP_IOC_INFO tells, also how long a heap page is.
 */
#define GOHEAP_NR_CLASSES	68

/*
 * Offsets for mmap() that are not offsets of the heap.
 *
 * GOHEAP_MMAP_MAP: the page map, read-only: a __u64 for each heap page, see
 * GOHEAP_PAGE_CLASS() and so on. Any part of it can be mapped.
 * GOHEAP_MMAP_ALLOC: allocates as many bytes as are mapped, zeroed, and maps
 * them, up to GOHEAP_MMAP_ALLOC_MAX. The last munmap() frees them.
 */
#define GOHEAP_MMAP_MAP		(1ULL << 41)
#define GOHEAP_MMAP_ALLOC	(1ULL << 42)

/* Other threads cannot map or fault meanwhile. What is longer: GOHEAP_IOC_ALLOC. */
#define GOHEAP_MMAP_ALLOC_MAX	(16UL << 20)

/*
 * Entries of a session's list of deferred frees, a __u64 each. mmap() of the
 * session's file shows the list, or a part of it, to its process; children do not
 * inherit the mapping. It has memory where GOHEAP_IOC_DEFER has put it.
 */
#define GOHEAP_NR_DEFERRED	65536

/* Threads of a session that can be readers at a time, see struct goheap_reader. */
#define GOHEAP_NR_READERS	4096

/*
 * Offset for mmap() of the session's file at which its readers are: an array of
 * struct goheap_reader behind the list. All that is said of the list holds for it, too.
 */
#define GOHEAP_MMAP_READERS	(GOHEAP_NR_DEFERRED * 8ULL)

/**
 * DOC: Deferred frees
 *
 * A process that frees objects one at a time need not make a call for each. It
 * enters them in the list of its session, which GOHEAP_IOC_FLUSH frees, and the
 * end of the session at the latest, whatever ends it. So a process that is killed
 * loses no object that it has entered.
 *
 * The entry of an object is GOHEAP_DEFERRED | its offset; others are ignored. Before
 * the process stores the entry, it stores GOHEAP_DEFERRED_MARK() of its session and of
 * the entry's index into the object: into the second 8 bytes, or the first if the
 * object has no more. The object is freed only if the mark is there: another process
 * may have freed or taken it meanwhile, and a third may have it now. The kernel removes
 * the mark of a given object that is freed or taken, so no data should look like one.
 *
 * An entry with GOHEAP_HELD as well is of an object that the process has taken and
 * still uses, see GOHEAP_IOC_PUBLISH. Others can neither free nor take it, and the end
 * of the session frees it. To free it earlier, exchange GOHEAP_HELD for GOHEAP_RELEASED.
 * Neither entry needs a mark.
 *
 * An object that a kernel module holds is freed when that unpins it.
 */
#define GOHEAP_DEFERRED		(1ULL << 63)
#define GOHEAP_HELD		(1ULL << 62)
#define GOHEAP_RELEASED		(1ULL << 61)
#define GOHEAP_DEFERRED_MARK(session, index)				\
	(0xd1edULL << 48 | (__u64)(index) << 32 | (__u32)(session))

/**
 * DOC: Epochs
 *
 * Processes may read a shared structure while others take objects out of it, if these are
 * retired and not freed. Objects that are retired by GOHEAP_IOC_RETIRE or GOHEAP_IOC_PUBLISH
 * are the kernel's, which frees them after a grace period: when all threads that were reading
 * have stopped since. Those of a session that has ended read no more.
 *
 * A thread begins to read by making the count of its struct goheap_reader odd, and stops by
 * making it even, each time by adding 1. No other barriers are needed than these: the compiler
 * must keep the order of the first store and what is read afterwards, and the second store is
 * a release. For the first, the kernel has every processor execute a memory barrier between the
 * call that retired an object and its own look at the counts (synchronize_rcu()).
 */

/**
 * struct goheap_reader - a thread that reads what others may retire
 * @count: odd while it reads
 * @seen: the kernel's
 * @thread: number of the thread, only for people
 * @reserved: nobody looks at it
 */
struct goheap_reader {
	__u64 count;
	__u64 seen;
	__u32 thread;
	__u32 reserved[11];
};

/**
 * DOC: Entries of the page map
 *
 * An entry is 0 for a page that is free. Else:
 *
 * * bits 0 to 31: session that owns the span; 0 is the heap itself
 * * bits 32 to 38: size class; 0 for a large object
 * * bit 39: GOHEAP_PAGE_TYPED, the span is one of a type
 * * bit 40: GOHEAP_PAGE_GIVEN, some object of the span was given to the heap;
 *   of a large object in the entry of its first page only
 * * bit 41: GOHEAP_PAGE_MMAP, the span is a mapping of GOHEAP_MMAP_ALLOC
 * * bit 63: GOHEAP_PAGE_USED, set
 * * bits 42 to 62: pages of the span before this one. Of a large object that
 *   has more than 2^21 - 1 pages before this one, 2^21 - 1.
 *
 * The map is for programs that free objects, and for tools. The kernel writes it
 * and never reads it.
 */
#define GOHEAP_PAGE_TYPED	(1ULL << 39)
#define GOHEAP_PAGE_GIVEN	(1ULL << 40)
#define GOHEAP_PAGE_MMAP	(1ULL << 41)
#define GOHEAP_PAGE_USED	(1ULL << 63)
#define GOHEAP_PAGE_INDEX_MAX	((1ULL << 21) - 1)
#define GOHEAP_PAGE_SESSION(e)	((__u32)(e))
#define GOHEAP_PAGE_CLASS(e)	((__u8)((e) >> 32 & 0x7f))
#define GOHEAP_PAGE_INDEX(e)	(((e) >> 42) & GOHEAP_PAGE_INDEX_MAX)

/**
 * struct goheap_info - GOHEAP_IOC_INFO: what the heap is
 * @size: sizeof(struct goheap_info)
 * @version: out: GOHEAP_ABI_VERSION of the kernel
 * @features: out: GOHEAP_FEATURE_* bits
 * @window: out: bytes of the window; offsets are below
 * @base: out: address at which all processes should try to map the window
 * @page_size: out: bytes of a heap page
 * @nr_classes: in: room in @classes, in entries; out: entries there are
 * @classes: address of an array of struct goheap_class, or 0
 * @max_batch: out: most offsets for a batch
 * @nr_roots: out: root slots
 * @max_small: out: largest size that has a class, bytes
 * @map_stride: out: bytes of the page map for each 64 MiB of the window
 * @apart: out: mappings of the window, of any process, that are not at @base. While there
 *	are none, pointers mean the same in all processes
 * @reserved: 0
 *
 * Programs may pass the structure without its last two fields.
 */
struct goheap_info {
	__u32 size;
	__u32 version;
	__u64 features;
	__u64 window;
	__u64 base;
	__u32 page_size;
	__u32 nr_classes;
	__u64 classes;
	__u32 max_batch;
	__u32 nr_roots;
	__u32 max_small;
	__u32 map_stride;
	__u32 apart;
	__u32 reserved;
};

/**
 * struct goheap_class - a size class
 * @size: bytes of an object
 * @npages: heap pages of a span
 * @nelems: objects of a span
 * @reserved: 0
 */
struct goheap_class {
	__u32 size;
	__u32 npages;
	__u32 nelems;
	__u32 reserved;
};

/**
 * struct goheap_attach - GOHEAP_IOC_ATTACH: begin a session
 * @size: sizeof(struct goheap_attach)
 * @flags: 0
 * @quota: bytes that the session may hold, or 0 for no bound of its own
 * @fd: out: the session's file
 * @session: out: the session's number
 *
 * exec() closes the file, and so ends the session, unless fcntl() cleared
 * close-on-exec. The session belongs to this process, even if other processes get
 * the file: they may call INFO, STATS and read roots, but all else fails with
 * EPERM. When this process has no descriptor of the file any more, it fails with
 * EOWNERDEAD for all.
 */
struct goheap_attach {
	__u32 size;
	__u32 flags;
	__u64 quota;
	__s32 fd;
	__u32 session;
};

/* goheap_view.flags: it is not open for writing, so its mappings cannot be written to. */
#define GOHEAP_VIEW_READ	(1U << 0)
/* goheap_view.flags: no sessions. @quota and @max_sessions are 0; also with READ. */
#define GOHEAP_VIEW_NO_ATTACH	(1U << 1)

/**
 * struct goheap_view - GOHEAP_IOC_VIEW: make a descriptor of the heap for members
 * @size: sizeof(struct goheap_view)
 * @flags: GOHEAP_VIEW_*
 * @quota: bytes that all sessions which are attached through it may hold together, with
 *	what they have given and left, or 0 for no bound
 * @max_sessions: how many of them there may be, 1 to 65536, or 0 for no bound of
 *	its own
 * @fd: out: the descriptor
 *
 * It is a descriptor of the same heap, but nothing lifts its bounds: through it, neither
 * GOHEAP_IOC_LIMIT can set anything, nor can GOHEAP_IOC_VIEW or GOHEAP_MMAP_ALLOC be
 * used. They fail with EPERM. GOHEAP_IOC_LIMIT reads the bounds, and what is held
 * against them. exec() closes it, unless fcntl() cleared close-on-exec.
 *
 * With GOHEAP_VIEW_READ, its holders can read all of the heap, but change nothing: mmap() and
 * mprotect() for writing fail with EACCES, calls that change something with EBADF.
 * With GOHEAP_VIEW_NO_ATTACH, they can write to objects and roots, but have none of their
 * own: GOHEAP_IOC_ATTACH fails with EPERM.
 */
struct goheap_view {
	__u32 size;
	__u32 flags;
	__u64 quota;
	__u32 max_sessions;
	__s32 fd;
};

/* goheap_type.flags: only find the type, by its name, or number if that is empty. */
#define GOHEAP_TYPE_FIND	(1U << 0)

/**
 * struct goheap_type - GOHEAP_IOC_TYPE: register a type of objects, or find one
 * @size: sizeof(struct goheap_type)
 * @flags: GOHEAP_TYPE_FIND, or 0 to register the type unless it is there
 * @type: out: the type's number; in: to find it, if @name is empty
 * @align: alignment of objects, bytes, 0 or a power of two up to 4 MiB
 * @length: bytes of an object; 0 if each allocation says it
 * @refs: address of an array of 64-bit words, with a bit for each word of an object: set
 *	if it holds a ref. Bit 0 of the first is for the first 8 bytes. The bits repeat
 *	in an object that is longer. May be 0 if @words is
 * @words: in: bits of @refs, or room for so many, up to GOHEAP_TYPE_WORDS_MAX; out:
 *	how many the type has. 0 if all words may hold refs
 * @reserved: 0
 * @name: 1 to 31 bytes of it, and zeroes
 *
 * To register a type that is there is no error if all is the same; EEXIST if not. There
 * can be 256, of which 32 through one view, and 128 through all: ENOSPC. They live as long
 * as the heap. What is in an object is the processes' business: the kernel uses the bitmap
 * only where it looks for what can be reached.
 *
 * All programs that use a heap with types must know GOHEAP_ABI_VERSION 4: before, bit 39 of
 * page map entries was a part of the size class.
 */
struct goheap_type {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 align;
	__u64 length;
	__u64 refs;
	__u32 words;
	__u32 reserved;
	char name[GOHEAP_TYPE_NAME_MAX];
};

/* goheap_type_usage.flags: set the bound of the type @type. */
#define GOHEAP_TYPE_LIMIT	(1U << 0)

/**
 * struct goheap_type_usage - GOHEAP_IOC_TYPE_STATS: what objects of a type take
 * @size: sizeof(struct goheap_type_usage)
 * @flags: GOHEAP_TYPE_LIMIT, or 0
 * @type: in: least number of interest; out: of the type with that number, or the next.
 *	ENOENT if there is none
 * @reserved: 0
 * @length: out: bytes of an object, or 0
 * @bytes: out: pages of its spans, bytes
 * @limit: bound on @bytes, 0 for none; in: with GOHEAP_TYPE_LIMIT
 * @objects: out: objects allocated now
 * @given: out: those of them that were given to the heap
 * @allocs: out: objects allocated, ever
 * @name: out: its name
 *
 * Who may set the bound of the heap may set that of a type. A bound below what there is
 * only prevents that there is more.
 */
struct goheap_type_usage {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 reserved;
	__u64 length;
	__u64 bytes;
	__u64 limit;
	__u64 objects;
	__u64 given;
	__u64 allocs;
	char name[GOHEAP_TYPE_NAME_MAX];
};

/* goheap_listed.flags: a session has taken it, see GOHEAP_HELD. */
#define GOHEAP_LISTED_HELD	(1U << 0)

/**
 * struct goheap_listed - an object that was given
 * @offset: its start
 * @length: its bytes
 * @type: number of its type, or 0
 * @session: with a type: number of the session that gave it, or that holds it, alive
 *	or not; else 0
 * @flags: GOHEAP_LISTED_HELD
 * @reserved: 0
 */
struct goheap_listed {
	__u64 offset;
	__u64 length;
	__u32 type;
	__u32 session;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct goheap_list - GOHEAP_IOC_LIST: find objects that were given
 * @size: sizeof(struct goheap_list)
 * @flags: 0
 * @from: in: least offset of interest; out: the one to go on from, which is the end
 *	of the window after the last object
 * @objects: address of an array of struct goheap_listed; out: objects, by offset
 * @count: in: room in @objects, 1 to GOHEAP_MAX_BATCH; out: how many there are, which
 *	may be none although there are more
 * @type: number of a type whose objects are of interest, or 0 for all
 *
 * Calls that go on until the end of the window find each object once that is given from
 * before the first call until after the last. One that is given, or freed, meanwhile may
 * be found or not. All that a process gave is given when its death has been announced.
 */
struct goheap_list {
	__u32 size;
	__u32 flags;
	__u64 from;
	__u64 objects;
	__u32 count;
	__u32 type;
};

/* goheap_alloc_req.flags: the objects are zero. */
#define GOHEAP_ALLOC_ZERO	(1U << 0)
/* goheap_alloc_req.flags: fail rather than allocate fewer than @count. */
#define GOHEAP_ALLOC_ALL	(1U << 1)
/* goheap_alloc_req.flags: the objects are given at once. */
#define GOHEAP_ALLOC_GIVEN	(1U << 2)

/**
 * struct goheap_alloc_req - GOHEAP_IOC_ALLOC: allocate objects of one length
 * @size: sizeof(struct goheap_alloc_req)
 * @flags: GOHEAP_ALLOC_*
 * @length: bytes of an object, 1 or more; or 0 if @type says it
 * @offsets: address of an array of @count __u64; out: offsets of the objects
 * @count: in: how many, 1 to GOHEAP_MAX_BATCH; out: how many there are
 * @type: number of their type, or 0 for none; with that type's alignment, or more
 * @align: alignment in bytes, 0 or a power of two up to 4 MiB
 *
 * There are fewer than @count only if memory or a quota is exhausted; if there is
 * none, the call fails.
 */
struct goheap_alloc_req {
	__u32 size;
	__u32 flags;
	__u64 length;
	__u64 offsets;
	__u32 count;
	__u32 type;
	__u64 align;
};

/* goheap_batch.flags of GOHEAP_IOC_RETIRE: fail with EAGAIN rather than wait. */
#define GOHEAP_RETIRE_NOWAIT	(1U << 0)

/**
 * struct goheap_batch - GOHEAP_IOC_FREE, GOHEAP_IOC_GIVE, GOHEAP_IOC_RETIRE: a batch of objects
 * @size: sizeof(struct goheap_batch)
 * @flags: GOHEAP_RETIRE_NOWAIT, or 0
 * @offsets: address of an array of @count __u64, starts of objects
 * @count: how many, 1 to GOHEAP_MAX_BATCH
 * @bad: out, with EINVAL, EPERM, EBUSY or ENOENT: index of the first offset
 *	that was refused. Then FREE and GIVE have changed nothing, and RETIRE has
 *	retired those before it.
 *
 * What may be freed may be retired, and is freed after a grace period. If more bytes wait
 * for that than an eighth of the heap's bound, or 64 MiB, RETIRE waits first. It must not
 * while the thread reads.
 */
struct goheap_batch {
	__u32 size;
	__u32 flags;
	__u64 offsets;
	__u32 count;
	__u32 bad;
};

/**
 * struct goheap_resize - GOHEAP_IOC_RESIZE: change a large object's length
 * @size: sizeof(struct goheap_resize)
 * @flags: 0
 * @offset: start of the object
 * @length: bytes it should have, more than goheap_info.max_small
 *
 * The object stays where it is, or the call fails and changes nothing. Pages
 * that are added are zero.
 */
struct goheap_resize {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
};

/* goheap_defer.flags: entries are of the array of readers, not of the list. */
#define GOHEAP_DEFER_READERS	(1U << 0)

/**
 * struct goheap_defer - GOHEAP_IOC_DEFER: put memory behind entries of the list
 * @size: sizeof(struct goheap_defer)
 * @flags: GOHEAP_DEFER_READERS, or 0
 * @first: index of the first entry
 * @count: how many entries, 1 to GOHEAP_MAX_BATCH
 *
 * Whole pages get memory, which the user of the process that attached pays for, and
 * keep it until the session's file and its mappings are gone. The entries are empty
 * at first. Access to entries without memory raises SIGBUS.
 */
struct goheap_defer {
	__u32 size;
	__u32 flags;
	__u32 first;
	__u32 count;
};

/**
 * struct goheap_flush - GOHEAP_IOC_FLUSH: free what is entered in the list
 * @size: sizeof(struct goheap_flush)
 * @flags: 0
 * @first: index of the first entry
 * @count: how many entries, 1 to GOHEAP_MAX_BATCH
 * @bad: out, with EINVAL, EPERM, EBUSY or ENOENT: index of the entry that was
 *	refused. It is empty now; those before it are done, those behind it are not.
 * @reserved: 0
 * @offset: out, with the same: the object that was refused
 *
 * Entries of objects without their mark are removed, and are no error.
 */
struct goheap_flush {
	__u32 size;
	__u32 flags;
	__u32 first;
	__u32 count;
	__u32 bad;
	__u32 reserved;
	__u64 offset;
};

/*
 * goheap_swap.flags: @at is the index of a root. @give is an object of the session's,
 * and becomes given; or it is given, and the session holds it in entry @from, which
 * becomes empty. @take is freed, or entered as held in entry @to, which is empty, or
 * retired.
 */
#define GOHEAP_SWAP_ROOT	(1U << 0)
#define GOHEAP_SWAP_GIVE	(1U << 1)
#define GOHEAP_SWAP_GIVE_HELD	(1U << 2)
#define GOHEAP_SWAP_FREE	(1U << 3)
#define GOHEAP_SWAP_HOLD	(1U << 4)
#define GOHEAP_SWAP_RETIRE	(1U << 5)

/**
 * struct goheap_swap - an exchange of a word that processes share
 * @at: offset of the word, a multiple of 8, in an object that is the session's or
 *	given, or in a mapping of GOHEAP_MMAP_ALLOC; or index of a root
 * @expect: what the word should be
 * @value: in: what it should become; out: what it was. If that is @expect, the
 *	exchange was made.
 * @give: object that others find from now on
 * @take: given object that others do not find any more
 * @flags: GOHEAP_SWAP_*
 * @from: index of an entry of the list of deferred frees
 * @to: index of an entry that is 0
 * @reserved: 0
 *
 * What the word says is the processes' business: tags, for instance. The kernel does
 * not look for objects in it. It looks at the objects only if the word is as expected.
 */
struct goheap_swap {
	__u64 at;
	__u64 expect;
	__u64 value;
	__u64 give;
	__u64 take;
	__u32 flags;
	__u32 from;
	__u32 to;
	__u32 reserved;
};

/* goheap_publish.flags: as GOHEAP_RETIRE_NOWAIT, if one is to be retired. */
#define GOHEAP_PUBLISH_NOWAIT	(1U << 0)

/**
 * struct goheap_publish - GOHEAP_IOC_PUBLISH: exchange words, and what they lead to
 * @size: sizeof(struct goheap_publish)
 * @flags: GOHEAP_PUBLISH_NOWAIT, or 0
 * @swaps: address of an array of @count struct goheap_swap
 * @count: how many, 1 to GOHEAP_MAX_BATCH
 * @bad: out, with EINVAL, EPERM, EBUSY or ENOENT: index of the first that was
 *	refused. Those before it are done, it and those behind it are not.
 *
 * Each exchange happens with everything that its flags ask for, or nothing of it
 * does, whenever the process is killed. With EFAULT, exchanges may have been made
 * whose results could not be written.
 */
struct goheap_publish {
	__u32 size;
	__u32 flags;
	__u64 swaps;
	__u32 count;
	__u32 bad;
};

/* goheap_root.flags: compare and exchange; without it, only @value is read. */
#define GOHEAP_ROOT_CMPXCHG	(1U << 0)

/**
 * struct goheap_root - GOHEAP_IOC_ROOT: a word that all processes find
 * @size: sizeof(struct goheap_root)
 * @flags: GOHEAP_ROOT_*
 * @index: which, below GOHEAP_NR_ROOTS
 * @reserved: 0
 * @expect: what the word should be, to be exchanged
 * @value: in: what it should become; out: what it was. If that is @expect, the
 *	exchange was made.
 */
struct goheap_root {
	__u32 size;
	__u32 flags;
	__u32 index;
	__u32 reserved;
	__u64 expect;
	__u64 value;
};

/* goheap_limit.flags: set the bound; without it, it is only read. */
#define GOHEAP_LIMIT_SET	(1U << 0)
/* goheap_limit.flags: set the bound on sessions; on the heap's own file only. */
#define GOHEAP_LIMIT_SESSIONS	(1U << 1)

/**
 * struct goheap_limit - GOHEAP_IOC_LIMIT: the bound of a heap or a session
 * @size: sizeof(struct goheap_limit)
 * @flags: GOHEAP_LIMIT_*
 * @limit: in: bytes, 0 for none; out: the bound as it is now
 * @used: out: bytes held against it
 * @max_sessions: in: sessions that the heap may have, 1 to 65536, at first 1024; out:
 *	the bound as it is now; 0 on a session's file
 * @sessions: out: sessions there are; likewise
 *
 * On the heap's file they are the heap's bounds, which the user that opened the heap
 * may set, or a process with CAP_SYS_RESOURCE; on the file of a view they are those of
 * all its sessions, which nobody may set; on a session's file it is the session's, which
 * its process may set. A bound below what there is only prevents that there is more.
 * Programs may pass the structure without its last two fields.
 */
struct goheap_limit {
	__u32 size;
	__u32 flags;
	__u64 limit;
	__u64 used;
	__u32 max_sessions;
	__u32 sessions;
};

/**
 * struct goheap_usage - GOHEAP_IOC_STATS: what a heap and a session hold
 * @size: sizeof(struct goheap_usage)
 * @session: out: number of the session, 0 on the heap's file
 * @heap_bytes: out: pages of all spans, bytes
 * @heap_limit: out: the heap's bound, 0 for none
 * @session_bytes: out: pages of the session's spans, bytes
 * @session_limit: out: the session's bound, 0 for none
 * @objects: out: objects allocated in the heap now
 * @object_bytes: out: their bytes
 * @given: out: those of them that were given to the heap
 * @spans: out: spans of the heap
 * @sessions: out: sessions alive
 * @deaths: out: sessions that ended, ever
 * @allocs: out: objects allocated, ever
 * @frees: out: objects freed, ever
 * @reclaimed: out: those of them that the end of a session, or a last pin, freed
 * @pinned: out: objects that the kernel holds
 * @peak_bytes: out: largest @heap_bytes
 * @bad: out: offsets refused, ever
 * @retired: out: objects that wait for a grace period; they are not among @given
 * @retired_bytes: out: their bytes
 * @epochs: out: grace periods that have begun, ever
 *
 * Programs may pass the structure without its last three fields.
 */
struct goheap_usage {
	__u32 size;
	__u32 session;
	__u64 heap_bytes;
	__u64 heap_limit;
	__u64 session_bytes;
	__u64 session_limit;
	__u64 objects;
	__u64 object_bytes;
	__u64 given;
	__u64 spans;
	__u64 sessions;
	__u64 deaths;
	__u64 allocs;
	__u64 frees;
	__u64 reclaimed;
	__u64 pinned;
	__u64 peak_bytes;
	__u64 bad;
	__u64 retired;
	__u64 retired_bytes;
	__u64 epochs;
};

/**
 * struct goheap_trim - GOHEAP_IOC_TRIM: return free memory to the system
 * @size: sizeof(struct goheap_trim)
 * @flags: 0
 * @bytes: out: bytes returned
 */
struct goheap_trim {
	__u32 size;
	__u32 flags;
	__u64 bytes;
};

/* goheap_death.how: closed, or left behind by exec(); exited; ended by a signal. */
#define GOHEAP_DEATH_CLOSED	1
#define GOHEAP_DEATH_EXITED	2
#define GOHEAP_DEATH_KILLED	3

/**
 * struct goheap_death - GOHEAP_IOC_DEATH: which session has ended, and how
 * @size: sizeof(struct goheap_death)
 * @flags: 0
 * @number: which, counted from 1 in the order of the ends, as read() counts them
 * @session: out: its number
 * @pid: out: the process, as the caller's pid namespace knows it; 0 if it does not
 * @how: out: GOHEAP_DEATH_*
 * @signal: out: which signal, with GOHEAP_DEATH_KILLED; else 0
 *
 * The last 64 are known; ENOENT for one that has not happened yet, ESTALE for an
 * older one.
 */
struct goheap_death {
	__u32 size;
	__u32 flags;
	__u64 number;
	__u32 session;
	__s32 pid;
	__u32 how;
	__u32 signal;
};

/**
 * struct goheap_session - GOHEAP_IOC_SESSION: find the sessions that are alive
 * @size: sizeof(struct goheap_session)
 * @session: in: least number of interest; out: of the session with that number, or the
 *	next, if that is alive. ENOENT if there is none
 * @pid: out: its process, as the caller's pid namespace knows it; 0 if it does not
 * @inside: out: threads of it for which the grace period that is under way waits
 * @thread: out: one of them, as the process has said; or 0
 * @reserved: 0
 * @waited: out: for how long, nanoseconds; or 0
 *
 * Numbers are below 2^31, and come around after as many sessions. A session is not alive any
 * more when its end can be read, see GOHEAP_IOC_DEATH.
 */
struct goheap_session {
	__u32 size;
	__u32 session;
	__s32 pid;
	__u32 inside;
	__u32 thread;
	__u32 reserved;
	__u64 waited;
};

#define GOHEAP_IOC_MAGIC	0xB9

/* On the heap's file and on a session's. */
#define GOHEAP_IOC_INFO		_IOWR(GOHEAP_IOC_MAGIC, 0, struct goheap_info)
#define GOHEAP_IOC_ROOT		_IOWR(GOHEAP_IOC_MAGIC, 1, struct goheap_root)
#define GOHEAP_IOC_LIMIT	_IOWR(GOHEAP_IOC_MAGIC, 2, struct goheap_limit)
#define GOHEAP_IOC_STATS	_IOWR(GOHEAP_IOC_MAGIC, 3, struct goheap_usage)
#define GOHEAP_IOC_TRIM		_IOWR(GOHEAP_IOC_MAGIC, 4, struct goheap_trim)
#define GOHEAP_IOC_DEATH	_IOWR(GOHEAP_IOC_MAGIC, 5, struct goheap_death)
#define GOHEAP_IOC_TYPE		_IOWR(GOHEAP_IOC_MAGIC, 6, struct goheap_type)
#define GOHEAP_IOC_TYPE_STATS	_IOWR(GOHEAP_IOC_MAGIC, 7, struct goheap_type_usage)
#define GOHEAP_IOC_LIST		_IOWR(GOHEAP_IOC_MAGIC, 8, struct goheap_list)
#define GOHEAP_IOC_SESSION	_IOWR(GOHEAP_IOC_MAGIC, 9, struct goheap_session)
/* On the heap's file. */
#define GOHEAP_IOC_ATTACH	_IOWR(GOHEAP_IOC_MAGIC, 16, struct goheap_attach)
#define GOHEAP_IOC_VIEW		_IOWR(GOHEAP_IOC_MAGIC, 17, struct goheap_view)
/* On a session's file, by the process that attached. */
#define GOHEAP_IOC_ALLOC	_IOWR(GOHEAP_IOC_MAGIC, 32, struct goheap_alloc_req)
#define GOHEAP_IOC_FREE		_IOWR(GOHEAP_IOC_MAGIC, 33, struct goheap_batch)
#define GOHEAP_IOC_GIVE		_IOWR(GOHEAP_IOC_MAGIC, 34, struct goheap_batch)
#define GOHEAP_IOC_RESIZE	_IOWR(GOHEAP_IOC_MAGIC, 35, struct goheap_resize)
#define GOHEAP_IOC_DEFER	_IOWR(GOHEAP_IOC_MAGIC, 36, struct goheap_defer)
#define GOHEAP_IOC_FLUSH	_IOWR(GOHEAP_IOC_MAGIC, 37, struct goheap_flush)
#define GOHEAP_IOC_PUBLISH	_IOWR(GOHEAP_IOC_MAGIC, 38, struct goheap_publish)
#define GOHEAP_IOC_RETIRE	_IOWR(GOHEAP_IOC_MAGIC, 39, struct goheap_batch)

#endif /* _UAPI_LINUX_GOHEAP_H */
