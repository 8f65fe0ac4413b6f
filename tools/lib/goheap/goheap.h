/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * libgoheap: an allocator on top of /dev/goheap.
 *
 * A heap is memory that processes share; its bookkeeping is the kernel's. Each
 * thread keeps magazines of free objects, so most calls are no system calls.
 * Pages that nobody uses go back to the system.
 *
 * Calls that return a pointer return NULL, calls that return an int return -1,
 * with errno set, when they fail. All may be called by any thread, but not by
 * signal handlers. Link with -lgoheap.
 */
#ifndef GOHEAP_H
#define GOHEAP_H

#include <stddef.h>
#include <stdint.h>
#include <linux/goheap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open heap, with this process's session. */
struct goheap;

/*
 * goheap_open() flags. The heap is of this process alone. It needs no device, and its memory
 * is like that of malloc(): after fork(), parent and child have each its own. Without the
 * flag, parent and child share the heap; the child gets a session of its own when it first
 * allocates.
 */
#define GOHEAP_PRIVATE		0x1
/*
 * A flag of goheap_open() and goheap_open_fd(): map the heap where all processes are told to,
 * or fail. Then pointers can be shared, as long as all who use the heap have the flag; see
 * goheap_is_apart().
 */
#define GOHEAP_FIXED		0x4
/* goheap_open() flag: @path is a name, and the heap is made if it is not there. */
#define GOHEAP_CREATE		0x2

/**
 * goheap_open() - make a heap, or use one that has a name
 * @path: the device, or NULL for /dev/goheap; or a file where the file system goheap is
 *	mounted, see goheap(7); NULL with GOHEAP_PRIVATE
 * @flags: GOHEAP_PRIVATE; or GOHEAP_CREATE, GOHEAP_FIXED, both or 0
 *
 * Return: the heap, or NULL with errno: what open() sets; EMFILE also if the
 * process has 16 heaps open already; EPROTO if the file is no goheap; ENOMEM if
 * there is no room in the address space; EINVAL if @flags are unknown, or do not go with
 * @path; EADDRINUSE if something is where GOHEAP_FIXED wants the heap. A file that may only
 * be read is opened for reading, and then what changes the heap fails with EPERM. New files
 * have mode 0660, but for the umask.
 *
 * What a private heap cannot do fails with EOPNOTSUPP: it has no descriptor, no session and
 * no roots, and nothing in it can be given or published.
 */
struct goheap *goheap_open(const char *path, unsigned int flags);

/**
 * goheap_open_fd() - use a heap that another process made
 * @fd: a descriptor of it, inherited or passed; the library keeps a duplicate
 * @flags: GOHEAP_FIXED or 0
 *
 * Return: as goheap_open().
 */
struct goheap *goheap_open_fd(int fd, unsigned int flags);

/**
 * goheap_close() - leave a heap
 * @h: the heap; NULL is ignored. No thread may use it any more.
 *
 * What this process allocated and did not give is freed, and what it holds; the window
 * is unmapped.
 */
void goheap_close(struct goheap *h);

/**
 * goheap_fd() - the heap's descriptor, to be passed to other processes
 * @h: the heap
 *
 * Return: the descriptor, which stays the library's; -1 if the heap is private, or when the
 * library has noticed that the program closed it.
 */
int goheap_fd(const struct goheap *h);

/**
 * goheap_view() - a descriptor for processes that are not to have all of the heap
 * @h: the heap
 * @flags: GOHEAP_VIEW_READ: they can only read; GOHEAP_VIEW_NO_ATTACH: they can write to
 *	objects, but allocate and free none; or 0. With a flag, the other arguments are 0
 * @quota: bytes that all sessions of its holders may have together, with what they have
 *	given and left; 0 for no bound
 * @max_sessions: how many sessions they may have, 1 to 65536, or 0 for no bound
 *
 * Its holders call goheap_open_fd(). They cannot lift these bounds. What they are not
 * allowed fails with EPERM.
 *
 * Return: the descriptor, which is the caller's; -1 with errno: EINVAL if a flag is unknown,
 * or there cannot be so many sessions, EPERM if @h was opened by such a descriptor itself,
 * EMFILE or ENFILE if there are too many files, or ENOMEM.
 */
int goheap_view(struct goheap *h, unsigned int flags, uint64_t quota,
		unsigned int max_sessions);

/**
 * goheap_send() - pass a descriptor of the heap to another process
 * @sock: a connected Unix socket
 * @fd: goheap_fd(), or a view
 *
 * One byte goes with it, as sockets want it.
 *
 * Return: 0, or -1 with errno, as sendmsg() sets it.
 */
int goheap_send(int sock, int fd);

/**
 * goheap_receive() - use a heap that another process passes by goheap_send()
 * @sock: a connected Unix socket; it is waited for
 *
 * Return: the heap; NULL with errno: as goheap_open_fd() or recvmsg(), or EPROTO if what came
 * is no heap, EPIPE if the other side is closed.
 */
struct goheap *goheap_receive(int sock);

/**
 * goheap_session() - attach to the heap, if that has not happened
 * @h: the heap
 *
 * Return: the number of this process's session, or 0 with errno.
 */
uint32_t goheap_session(struct goheap *h);

/**
 * goheap_malloc() - allocate memory
 * @h: the heap
 * @size: bytes
 *
 * Return: @size bytes or more, aligned to 16, with any content; or NULL with
 * ENOMEM, also when a quota is used up, EOWNERDEAD if the session ended, or EPERM
 * if it is another process's, as in a child after vfork(). More than the heap's
 * window is ENOMEM at once.
 */
void *goheap_malloc(struct goheap *h, size_t size);

/**
 * goheap_calloc() - allocate zeroed memory for an array
 * @h: the heap
 * @n: elements
 * @size: bytes of an element
 *
 * Return: as goheap_malloc().
 */
void *goheap_calloc(struct goheap *h, size_t n, size_t size);

/**
 * goheap_memalign() - allocate aligned memory
 * @h: the heap
 * @align: bytes, a power of two up to 4 MiB
 * @size: bytes
 *
 * Return: as goheap_malloc(); NULL with EINVAL if @align is not possible.
 */
void *goheap_memalign(struct goheap *h, size_t align, size_t size);

/**
 * goheap_realloc() - change the size of what was allocated
 * @h: the heap
 * @p: start of it, or NULL to allocate
 * @size: bytes; 0 frees it
 *
 * Large objects grow and shrink where they are if they can.
 *
 * Return: where it is now; NULL with errno, and @p as it was; NULL if @size is 0
 * and @p is not NULL.
 */
void *goheap_realloc(struct goheap *h, void *p, size_t size);

/**
 * goheap_free() - free memory
 * @h: the heap
 * @p: start of it, or NULL: an object of this process, or one that was given
 *
 * What cannot be freed is left alone and reported, see goheap_on_bad_free(); small
 * objects that were given, with a delay. Of another process's object that was not
 * given, the second 8 bytes may be overwritten. errno is kept.
 */
void goheap_free(struct goheap *h, void *p);

/**
 * goheap_usable_size() - how long an object really is
 * @h: the heap
 * @p: start of it, or NULL
 *
 * Return: bytes; 0 if there is none.
 */
size_t goheap_usable_size(struct goheap *h, const void *p);

/**
 * goheap_give() - give objects to the heap
 * @h: the heap
 * @objects: starts of objects that this process allocated
 * @n: how many
 *
 * From then on any process may free them, and they outlive this one.
 *
 * Return: 0; or -1 with EINVAL, ENOENT, EPERM, EBUSY, ENOMEM or EOWNERDEAD: of
 * each 1024 @objects, all were given or none.
 */
int goheap_give(struct goheap *h, void *const *objects, size_t n);

/* goheap_exchange.flags: free @take, or retire it, rather than have this process hold it. */
#define GOHEAP_FREE_TAKEN	1U
#define GOHEAP_RETIRE_TAKEN	2U

/**
 * struct goheap_exchange - an exchange of a word in shared memory
 * @at: the word, in an object of this process or one that was given; 8 bytes
 * @expect: what it should be
 * @value: what it should become; set to what it was
 * @give: object that others find by it from now on, or NULL: one that this process
 *	allocated and has not given, or one that it holds
 * @take: object that others found by it until now, or NULL; it was given
 * @flags: GOHEAP_FREE_TAKEN, GOHEAP_RETIRE_TAKEN or 0
 * @done: set to 1 if it was made, 0 if the word was not @expect, -1 if it was not
 *	tried
 */
struct goheap_exchange {
	uint64_t *at;
	uint64_t expect;
	uint64_t value;
	void *give;
	void *take;
	unsigned int flags;
	int done;
};

/**
 * goheap_publish() - exchange words, with the objects that they lead to
 * @h: the heap
 * @x: exchanges
 * @n: how many
 *
 * The kernel makes each exchange in one step, with what becomes of the objects: @give
 * is given; @take is freed, or retired as by goheap_retire(), or this process holds it until
 * goheap_free(), another exchange that gives it, or the end of the process, which frees it.
 * So no object is lost, whenever the process is killed.
 *
 * Return: 0 if all were tried; or -1 with EINVAL, ENOENT, EPERM, EBUSY, ENOMEM,
 * ENOSPC if this process holds too many objects, EAGAIN as goheap_retire(), EOPNOTSUPP if the
 * kernel's module is too old, or EOWNERDEAD, at the first that cannot be tried.
 */
int goheap_publish(struct goheap *h, struct goheap_exchange *x, size_t n);

/**
 * goheap_enter() - begin to read what others may retire
 * @h: the heap
 *
 * Until goheap_exit(), what this thread finds in shared structures stays, though others take it
 * out and retire it. It costs two stores, no barrier, and no system call but in a thread's
 * first call. It may be nested: each call needs one of goheap_exit(), by the same thread.
 *
 * A thread should stop soon, as nothing that is retired meanwhile is freed. Its death, or end,
 * stops it. A child of fork() is not inside.
 *
 * Return: 0; -1 with errno, in a thread's first call only: EPERM if the heap is a view that
 * has no sessions, ENOMEM, EAGAIN if 4096 other threads of this process have entered once and
 * not ended, EOWNERDEAD, or EOPNOTSUPP if the heap is private or the kernel's module too old.
 */
int goheap_enter(struct goheap *h);

/**
 * goheap_exit() - stop reading
 * @h: the heap
 *
 * What this thread has read since the first goheap_enter() may be gone.
 */
void goheap_exit(struct goheap *h);

/**
 * goheap_retire() - free objects when nobody reads them any more
 * @h: the heap
 * @objects: starts of objects that no shared structure leads to any more, and that could be
 *	freed: goheap_free()
 * @n: how many
 *
 * The kernel frees them when all threads, of all processes, that are between goheap_enter()
 * and goheap_exit() now have stopped once. They are its own from now on, also if this
 * process dies.
 *
 * If more bytes wait to be freed than an eighth of the heap's bound, or 64 MiB, it waits
 * first; between goheap_enter() and goheap_exit() it fails instead. What cannot be freed is
 * reported, see goheap_on_bad_free().
 *
 * Return: 0; or -1 with EAGAIN, EOWNERDEAD, or EOPNOTSUPP, with none, or the first 1024 or a
 * multiple, retired.
 */
int goheap_retire(struct goheap *h, void *const *objects, size_t n);

/**
 * goheap_malloc_given() - allocate memory that is given at once
 * @h: the heap
 * @size: bytes
 *
 * It costs one system call, as goheap_malloc() does when the thread has no object at
 * hand. If the process is killed before it has published the object, that is lost;
 * goheap_publish() of an object that is not given loses none.
 *
 * Return: as goheap_malloc().
 */
void *goheap_malloc_given(struct goheap *h, size_t size);

/**
 * goheap_type() - register a type of objects, or find it
 * @h: the heap
 * @name: 1 to 31 bytes, by which processes find the type
 * @size: bytes of an object, or 0 if each goheap_new() says it
 * @refs: a bit for each 8 bytes of an object, from bit 0 of the first: set if a ref is
 *	kept there. The bits repeat in an object that is longer. NULL: anywhere
 * @words: bits of @refs, up to GOHEAP_TYPE_WORDS_MAX
 *
 * Objects of a type lie in pages of their own. The kernel counts, bounds and lists them, so
 * that they can be found when all processes that knew them are dead. Types live as long as
 * the heap.
 *
 * Return: the type's number; 0 with errno: EEXIST if a type of that name is not the same,
 * ENOSPC if there are 256, or 32 of this view, or 128 of all views, EPERM in a view for
 * reading only, EINVAL, ENOMEM, or EOPNOTSUPP if the heap is private or the kernel's module
 * too old.
 */
uint32_t goheap_type(struct goheap *h, const char *name, size_t size,
		     const uint64_t *refs, unsigned int words);

/**
 * goheap_find_type() - find a type by its name
 * @h: the heap
 * @name: its name
 *
 * Return: its number; 0 with ENOENT if there is none, or as goheap_type().
 */
uint32_t goheap_find_type(struct goheap *h, const char *name);

/**
 * goheap_new() - allocate an object of a type
 * @h: the heap
 * @type: the type's number
 * @size: bytes; the type's, if that has a size
 *
 * It costs a system call, and so does goheap_free() of it unless it was given.
 * goheap_realloc() never moves it, and fails if it does not fit.
 *
 * Return: the object, zeroed, which is this process's until it is given or published; NULL
 * as goheap_malloc(), or with EINVAL if there is no such type, or @size is not its size.
 */
void *goheap_new(struct goheap *h, uint32_t type, size_t size);

/**
 * goheap_list() - find objects that were given
 * @h: the heap
 * @type: their type's number, or 0 for all objects
 * @from: the least offset of interest, 0 at first; set to where to go on
 * @objects: set to objects, by offset
 * @n: room in @objects
 *
 * Calls until one returns 0 find each object once that is given from before the first call
 * until after the last. One that is given or freed meanwhile may be found or not.
 *
 * Return: how many there are; 0 at the end; -1 with errno: EINVAL if @n is 0, ENOENT if there
 * is no such type, ENOMEM, or EOPNOTSUPP.
 */
int goheap_list(struct goheap *h, uint32_t type, uint64_t *from,
		struct goheap_listed *objects, unsigned int n);

/**
 * goheap_offset() - what all processes call an object
 * @h: the heap
 * @p: in the window
 *
 * Return: the offset in the heap. It may be 0.
 */
uint64_t goheap_offset(const struct goheap *h, const void *p);

/**
 * goheap_pointer() - where an offset is in this process
 * @h: the heap
 * @offset: of goheap_offset(), perhaps another process's
 *
 * Return: the address, or NULL if this process does not map it.
 */
void *goheap_pointer(const struct goheap *h, uint64_t offset);

/**
 * goheap_of() - the heap that an address is in
 * @p: any address
 *
 * What is in shared memory cannot say where a process has its struct goheap. It can say where
 * it is itself.
 *
 * Return: the open heap whose window has the address, whether an object is there or not; NULL
 * if there is none. A window that was mapped twice, by two calls of goheap_open_fd(), is two
 * heaps. errno is kept.
 */
struct goheap *goheap_of(const void *p);

/**
 * goheap_ref() - a pointer to keep in shared memory and root slots
 * @h: the heap
 * @p: in the window, or NULL
 *
 * Other languages find this function, and the next, in the library.
 *
 * Return: the offset plus 1; 0 for NULL, which root slots hold at first.
 */
static inline uint64_t goheap_ref(const struct goheap *h, const void *p)
{
	return p ? goheap_offset(h, p) + 1 : 0;
}

/**
 * goheap_deref() - the pointer of a goheap_ref()
 * @h: the heap
 * @ref: of any process
 *
 * Return: the pointer, NULL for 0.
 */
static inline void *goheap_deref(const struct goheap *h, uint64_t ref)
{
	return ref ? goheap_pointer(h, ref - 1) : NULL;
}

/**
 * goheap_deref_array() - the pointer of a goheap_ref() that was not checked before
 * @h: the heap
 * @ref: from shared memory, where another process may have written anything
 * @n: elements that are used
 * @size: bytes of an element
 *
 * Return: the pointer; NULL for 0, if it is not aligned to 8 bytes, or if not all elements are
 * in the window.
 */
static inline void *goheap_deref_array(const struct goheap *h, uint64_t ref,
				       uint64_t n, uint64_t size)
{
	char *p = (char *)goheap_deref(h, ref);

	if (!p || (ref - 1) % 8)
		return NULL;
	/* Windows have less than 2^40 bytes, so none of this wraps. */
	if (n >> 40 || size >> 20)
		return NULL;
	return !n || !size || goheap_pointer(h, ref - 2 + n * size) ? p : NULL;
}

/**
 * goheap_is_apart() - has any process the heap at another address?
 * @h: the heap
 *
 * While it returns 0, plain pointers into the heap mean the same in all processes that map it
 * now. They may keep some in shared memory, if all open the heap with GOHEAP_FIXED.
 *
 * Return: 1 if one has, or if this process has; 0 if none; -1 with errno: EOPNOTSUPP if the
 * kernel's module is too old, or the heap private.
 */
int goheap_is_apart(struct goheap *h);

/**
 * goheap_root_get() - read a root slot
 * @h: the heap
 * @index: which, below GOHEAP_NR_ROOTS
 * @value: set to what it holds
 *
 * Return: 0, or -1 with EINVAL.
 */
int goheap_root_get(struct goheap *h, unsigned int index, uint64_t *value);

/**
 * goheap_root_cas() - compare and exchange a root slot
 * @h: the heap
 * @index: which, below GOHEAP_NR_ROOTS
 * @expect: what it should hold; set to what it held
 * @value: what it should hold then
 *
 * Return: 1 if it was exchanged, 0 if it held something else, -1 with EINVAL.
 */
int goheap_root_cas(struct goheap *h, unsigned int index, uint64_t *expect,
		    uint64_t value);

/* Bytes of a name, with the 0 at its end. */
#define GOHEAP_NAME_MAX		48
/* The root slot that is the library's if a program uses names. */
#define GOHEAP_ROOT_NAMES	(GOHEAP_NR_ROOTS - 1)

/**
 * goheap_bind() - give an object a name, by which all processes find it
 * @h: the heap
 * @name: 1 to 47 bytes
 * @object: an object that this process allocated, and that is given by this, or one that was
 *	given before
 *
 * If the process is killed, the object has the name, and is given, or neither is so.
 *
 * Return: 0; -1 with errno: EEXIST if another has the name, EINVAL, EPERM, ENOMEM, EUCLEAN if
 * another process has damaged the names, EOWNERDEAD, or EOPNOTSUPP if the heap is private or
 * the kernel's module too old.
 */
int goheap_bind(struct goheap *h, const char *name, void *object);

/**
 * goheap_lookup() - find an object by its name
 * @h: the heap
 * @name: its name
 *
 * Return: the object; NULL with errno: ENOENT if none has the name, or as goheap_bind().
 */
void *goheap_lookup(struct goheap *h, const char *name);

/**
 * goheap_unbind() - take a name away
 * @h: the heap
 * @name: the name
 *
 * Return: the object, which this process holds, see goheap_publish(); NULL with errno, as
 * goheap_lookup() and goheap_publish().
 */
void *goheap_unbind(struct goheap *h, const char *name);

/**
 * goheap_set_quota() - bound what this process's session may hold
 * @h: the heap
 * @bytes: the bound, 0 for none
 *
 * Return: 0, or -1 with errno.
 */
int goheap_set_quota(struct goheap *h, uint64_t bytes);

/**
 * goheap_usage() - what the heap and the session hold
 * @h: the heap
 * @usage: filled in
 *
 * The kernel counts what lies in magazines as allocated.
 *
 * Return: 0, or -1 with errno.
 */
int goheap_usage(struct goheap *h, struct goheap_usage *usage);

/**
 * goheap_cached() - what this process keeps free for its own use
 * @h: the heap
 *
 * Return: bytes in magazines and caches, about.
 */
size_t goheap_cached(struct goheap *h);

/**
 * goheap_trim() - give memory that is not used back to the system
 * @h: the heap
 *
 * Other threads' magazines are emptied when they next need or give back objects.
 *
 * Return: bytes that this call gave back.
 */
size_t goheap_trim(struct goheap *h);

/**
 * typedef goheap_bad_free_fn - is told of what could not be freed
 * @h: the heap; NULL if the address is in none
 * @p: the address
 * @err: EINVAL: no object starts there; ENOENT: it is free already; EPERM:
 *	another session's; EBUSY: the kernel holds it
 *
 * It may be called from any call, and must not call the library.
 */
typedef void (*goheap_bad_free_fn)(struct goheap *h, const void *p, int err);

/**
 * goheap_on_bad_free() - choose what happens at a bad free
 * @fn: called instead of the default, which is a line on stderr and, but for
 *	EBUSY, abort(); NULL for the default
 *
 * Return: what it was, NULL for the default.
 */
goheap_bad_free_fn goheap_on_bad_free(goheap_bad_free_fn fn);

#ifdef __cplusplus
}
#endif

#endif /* GOHEAP_H */
