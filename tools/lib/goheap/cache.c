// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * cache: what a thread keeps of a heap, from its first call to its end.
 *
 * A cache is made for a thread and a slot of lg_heaps, and stays with the thread
 * until it ends. When the heap is closed, the caches of other threads lose their
 * objects and their heap; the next heap in the slot takes them over.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "big.h"
#include "cache.h"
#include "held.h"
#include "kept.h"
#include "kernel.h"
#include "later.h"
#include "lock.h"
#include "object.h"
#include "reader.h"
#include "report.h"
#include "stock.h"
#include "sys.h"

/* The capacity of a magazine at first. */
#define FIRST_BYTES	2048
#define FIRST_MAX	32

static struct lg_cache no_cache;

__thread struct lg_cache *lg_cache_tls[LG_HEAPS] = {
	[0 ... LG_HEAPS - 1] = &no_cache,
};

/* The thread's destructor has run, so it must not get another cache. */
static __thread bool exiting;

/* It is in fork(), and these are what it had before. */
static __thread struct lg_cache *left[LG_HEAPS];

/* Protected by lg_lock. */
static struct lg_shelf *all_shelves;	/* of threads that run */
static struct lg_shelf *spare_shelves;	/* of threads that ended */

static pthread_key_t thread_key;

/* ---- a thread's cache --------------------------------------------------- */

/* Whole pages, which children do not see; the shelf follows. */
static size_t cache_bytes(void)
{
	static size_t bytes;
	size_t page;

	/* Children that call what the parent need not have called map pages of code. */
	if (unlikely(!bytes)) {
		page = sysconf(_SC_PAGESIZE);
		bytes = (sizeof(struct lg_cache) + page - 1) & -page;
	}
	return bytes;
}

static struct lg_shelf *shelf_of(struct lg_cache *c)
{
	return (void *)((char *)c + cache_bytes());
}

static uint32_t first_cap(const struct lg_class *k)
{
	uint32_t cap = FIRST_BYTES / k->size;

	if (cap > FIRST_MAX)
		cap = FIRST_MAX;
	return cap ? cap : 1;
}

/* Slots of all classes, as few as there are at first, and as many as there may be. */
static size_t nr_first(const struct goheap *h)
{
	size_t n = 0;
	unsigned int i;

	for (i = 1; i < h->nr_classes; i++)
		n += first_cap(&h->class[i]);
	return n;
}

static size_t nr_max(const struct goheap *h, unsigned int classes)
{
	size_t n = 0;
	unsigned int i;

	for (i = 1; i < classes; i++)
		n += h->class[i].max;
	return n;
}

static size_t shelf_bytes(const struct goheap *h)
{
	size_t n = nr_first(h) + nr_max(h, h->nr_classes);

	return sizeof(struct lg_shelf) + n * sizeof(void *);
}

static struct lg_shelf *shelf_new(const struct goheap *h)
{
	struct lg_cache *c = lg_sys_map(cache_bytes() + shelf_bytes(h));

	if (!c)
		return NULL;
	/* A sandbox may refuse it. Then only children of fork() know. */
	madvise(c, cache_bytes(), MADV_WIPEONFORK);
	lg_lock_begin(&c->alive);
	shelf_of(c)->cache = c;
	return shelf_of(c);
}

static void cache_setup(struct goheap *h, struct lg_cache *c)
{
	void **slots = shelf_of(c)->slots;
	unsigned int i;

	c->bytes = 0;
	c->hand = 0;
	c->later = NULL;
	c->no_later = false;
	c->nlater = 0;
	c->later_bytes = 0;
	c->inside = 0;
	c->reader = NULL;
	c->nbig = 0;
	c->big_bytes = 0;
	c->trims = h->trims;

	for (i = 1; i < h->nr_classes; i++) {
		const struct lg_class *k = &h->class[i];

		c->mag[i] = (struct lg_mag){
			.slot = slots,
			.cap = first_cap(k),
			.inverse = k->inverse,
			.shift = k->shift,
			.nelems = k->nelems,
		};
		slots += c->mag[i].cap;
		c->bytes += (size_t)c->mag[i].cap * k->size;
	}

	c->id = h->id;
}

/**
 * lg_cache_more_slots() - give a magazine all slots that it may have
 * @h: the heap
 * @c: the cache
 * @class: size class
 *
 * At first, those of all classes are close together: programs that allocate little, and
 * their children, touch few pages.
 */
void lg_cache_more_slots(struct goheap *h, struct lg_cache *c,
			 unsigned int class)
{
	void **slots = shelf_of(c)->slots + nr_first(h) + nr_max(h, class);
	struct lg_mag *m = &c->mag[class];

	if (m->slot == slots)
		return;
	memcpy(slots, m->slot, m->cap * sizeof(*slots));
	m->slot = slots;
}

/* Nothing is in it any more, and nothing goes in until cache_setup(). */
static void cache_reset(struct lg_cache *c)
{
	memset(c->mag, 0, sizeof(c->mag));
	c->nbig = 0;
	c->big_bytes = 0;
	c->later = NULL;
	c->nlater = 0;
	c->later_bytes = 0;
	c->inside = 0;
	c->reader = NULL;
	c->id = 0;
}

/**
 * lg_cache_prepare() - have a cache for a heap's first thread
 * @h: the heap
 *
 * From the first one on, children notice that they are children. lg_lock must be held.
 *
 * Return: 0, or -1 with errno.
 */
int lg_cache_prepare(const struct goheap *h)
{
	if (!all_shelves && !spare_shelves)
		spare_shelves = shelf_new(h);
	return all_shelves || spare_shelves ? 0 : -1;
}

static struct lg_cache *cache_new(struct goheap *h)
{
	struct lg_shelf *shelf;

	pthread_mutex_lock(&lg_lock);
	shelf = spare_shelves;
	if (shelf)
		spare_shelves = shelf->next;
	else
		shelf = shelf_new(h);
	if (shelf) {
		shelf->next = all_shelves;
		all_shelves = shelf;
	}
	pthread_mutex_unlock(&lg_lock);
	return shelf ? shelf->cache : NULL;
}

/* The thread's first call for the slot. free() gets here, too, so errno is kept. */
static struct lg_cache *cache_first(struct goheap *h)
{
	int saved = errno;
	struct lg_cache *c = cache_new(h);

	if (c) {
		lg_cache_tls[h->slot] = c;
		pthread_setspecific(thread_key, &no_cache);
	}
	errno = saved;
	return c;
}

/**
 * lg_cache_get() - this thread's cache
 * @h: the heap
 *
 * Return: the cache; NULL if the thread is about to end, or in fork(), there is no memory,
 * or this is a child that has lost the heap.
 */
struct lg_cache *lg_cache_get(struct goheap *h)
{
	struct lg_cache *c = lg_cache_tls[h->slot];

	if (likely(c->id == h->id))
		return c;
	if (unlikely(!*lg_alive))
		lg_fork_found();
	if (exiting || left[h->slot] || h->books.barred == LG_BOOKS_LOST)
		return NULL;
	if (c == &no_cache)
		c = cache_first(h);
	if (!c)
		return NULL;
	cache_setup(h, c);
	return c;
}

/* ---- emptying ----------------------------------------------------------- */

static void cache_empty(struct goheap *h, struct lg_cache *c)
{
	unsigned int i;

	for (i = 1; i < h->nr_classes; i++) {
		struct lg_mag *m = &c->mag[i];
		unsigned int n = m->n;

		if (!n)
			continue;
		m->slot[0] = m->top;
		m->n = 0;
		lg_stock_put(h, i, m->slot, n);
	}

	lg_later_flush(h, c);

	while (c->nbig) {
		size_t bytes = c->big[0].bytes;

		lg_kept_put(h, lg_big_remove(c, 0), bytes);
	}
}

/**
 * lg_cache_check_trims() - empty a cache if the heap was trimmed since the last call
 * @h: the heap
 * @c: this thread's cache
 */
void lg_cache_check_trims(struct goheap *h, struct lg_cache *c)
{
	unsigned int trims = __atomic_load_n(&h->trims, __ATOMIC_RELAXED);

	if (likely(c->trims == trims))
		return;
	c->trims = trims;
	c->no_later = false;
	cache_empty(h, c);
}

/**
 * lg_cache_free_later() - let the kernel free an object
 * @h: the heap
 * @p: an object of the heap
 * @bytes: its length
 *
 * Small objects are collected until there are enough of them for a call.
 */
void lg_cache_free_later(struct goheap *h, void *p, size_t bytes)
{
	struct lg_cache *c = lg_cache_get(h);

	if (lg_held_free(h, p, bytes))
		return;
	if (c && bytes <= LG_MAX_SMALL) {
		/* It is in the list, or was private and is in a magazine. */
		if (lg_later_has(h, p, bytes) ||
		    (bytes >= LG_ALIGN && lg_object_is_marked(h, p)))
			return lg_report_bad_free(h, p, ENOENT);
		lg_cache_check_trims(h, c);
		if (lg_later_add(h, c, p, bytes))
			return;
	}
	lg_kernel_free(h, &p, 1);
}

/**
 * lg_cache_trim() - free all that this process keeps of a heap
 * @h: the heap
 *
 * Other threads empty their caches when they next need or free a batch.
 */
void lg_cache_trim(struct goheap *h)
{
	struct lg_cache *c = lg_cache_tls[h->slot];

	__atomic_add_fetch(&h->trims, 1, __ATOMIC_RELAXED);
	if (c->id == h->id)
		cache_empty(h, c);
	lg_later_flush_all(h);
	lg_held_flush(h);
	lg_stock_empty(h);
	lg_kept_empty(h);
	lg_kernel_trim(h);
}

/**
 * lg_cache_reclaim() - free what this process keeps, after an allocation failed
 * @h: the heap
 * @size: bytes of the objects that were wanted
 *
 * What is kept counts against the quota, and as memory, so another attempt may
 * succeed. It cannot if errno says that the session is lost or another process's.
 *
 * Return: true if it is worth another attempt.
 */
bool lg_cache_reclaim(struct goheap *h, size_t size)
{
	if (errno != ENOMEM || lg_kernel_too_long(h, size))
		return false;
	lg_cache_trim(h);
	return true;
}

/* ---- threads that end --------------------------------------------------- */

static struct goheap *heap_of(const struct lg_cache *c)
{
	unsigned int i;

	for (i = 0; c->id && i < lg_nheaps; i++)
		if (lg_heaps[i].id == c->id)
			return &lg_heaps[i];
	return NULL;
}

static void retire(struct lg_shelf *shelf)
{
	struct lg_shelf **at = &all_shelves;

	while (*at != shelf)
		at = &(*at)->next;
	*at = shelf->next;
	shelf->next = spare_shelves;
	spare_shelves = shelf;
}

/*
 * Nothing may be freed while lg_lock is held: a bad free calls a function of the
 * program's, which may do anything. So drop the lock meanwhile; the heap is not
 * closed before thread_left(), because lg_cache_lock_heap() waits for it.
 */
static struct goheap *thread_leaves(const struct lg_cache *c)
{
	struct goheap *h = heap_of(c);

	if (h)
		h->leaving++;
	pthread_mutex_unlock(&lg_lock);
	return h;
}

static void thread_left(struct goheap *h)
{
	pthread_mutex_lock(&lg_lock);
	/* A child has cleared it. */
	if (h && h->leaving)
		h->leaving--;
}

static void thread_exit(void *unused)
{
	unsigned int i;

	(void)unused;
	exiting = true;
	for (i = 0; i < LG_HEAPS; i++) {
		struct lg_cache *c = lg_cache_tls[i];
		struct goheap *h;

		if (c == &no_cache)
			continue;
		lg_cache_tls[i] = &no_cache;

		pthread_mutex_lock(&lg_lock);
		h = thread_leaves(c);
		if (h) {
			cache_empty(h, c);
			lg_later_end(h, c);
			lg_reader_drop(h, c);
			lg_held_flush(h);
		}
		thread_left(h);

		cache_reset(c);
		retire(shelf_of(c));
		pthread_mutex_unlock(&lg_lock);
	}
}

/**
 * lg_cache_init() - have a thread's end empty its caches
 *
 * Once in a process.
 *
 * Return: an error number, or 0.
 */
int lg_cache_init(void)
{
	return pthread_key_create(&thread_key, thread_exit);
}

/* ---- the caches of all threads ------------------------------------------ */

static void lock_heaps(void)
{
	/* A handler of fork() has that lock. */
	if (!lg_forks)
		pthread_mutex_lock(&lg_fork_lock);
	pthread_mutex_lock(&lg_lock);
}

/**
 * lg_cache_lock_heap() - take lg_lock while no thread is leaving the heap, or forks
 * @h: the heap
 */
void lg_cache_lock_heap(struct goheap *h)
{
	lock_heaps();
	while (h->leaving) {
		lg_cache_unlock_heap();
		sched_yield();
		lock_heaps();
	}
}

/**
 * lg_cache_unlock_heap() - release what lg_cache_lock_heap() took
 */
void lg_cache_unlock_heap(void)
{
	pthread_mutex_unlock(&lg_lock);
	if (!lg_forks)
		pthread_mutex_unlock(&lg_fork_lock);
}

/**
 * lg_cache_forget_all() - forget what all threads keep of a heap
 * @h: the heap, which no thread uses
 *
 * lg_lock must be held.
 */
void lg_cache_forget_all(struct goheap *h)
{
	struct lg_shelf *shelf;

	h->leaving = 0;
	for (shelf = all_shelves; shelf; shelf = shelf->next)
		if (shelf->cache->id == h->id)
			cache_reset(shelf->cache);
}

static bool is_mine(const struct lg_cache *c)
{
	unsigned int i;

	for (i = 0; i < LG_HEAPS; i++)
		if (lg_cache_tls[i] == c)
			return true;
	return false;
}

/**
 * lg_cache_forget_others() - in a child, forget what threads kept that it does not have
 */
void lg_cache_forget_others(void)
{
	struct lg_shelf *shelf, *next;

	for (shelf = all_shelves; shelf; shelf = next) {
		next = shelf->next;
		if (is_mine(shelf->cache))
			continue;
		if (shelf->cache->id)
			cache_reset(shelf->cache);
		retire(shelf);
	}
}

/**
 * lg_cache_leave() - do without what this thread keeps of private heaps, and save it
 *
 * Before fork(), whose child shall have it. What is free in a heap that processes share,
 * only one of them may have.
 */
void lg_cache_leave(void)
{
	unsigned int i;

	for (i = 0; i < lg_nheaps; i++) {
		struct lg_cache *c = lg_cache_tls[i];

		if (c == &no_cache || !lg_is_private(&lg_heaps[i]))
			continue;
		shelf_of(c)->saved = *c;
		left[i] = c;
		lg_cache_tls[i] = &no_cache;
	}
}

/**
 * lg_cache_return() - have again what was left
 * @child: whether this is a child, where only what was saved is there
 */
void lg_cache_return(bool child)
{
	unsigned int i;

	for (i = 0; i < lg_nheaps; i++) {
		struct lg_cache *c = left[i];

		if (!c)
			continue;
		if (child)
			*c = shelf_of(c)->saved;
		left[i] = NULL;
		lg_cache_tls[i] = c;
	}
}

/**
 * lg_cache_bytes_all() - count what all threads keep
 * @h: the heap
 *
 * Return: bytes; an estimate, since the caches change meanwhile.
 */
size_t lg_cache_bytes_all(struct goheap *h)
{
	struct lg_shelf *shelf;
	size_t bytes = 0;
	unsigned int i;

	pthread_mutex_lock(&lg_lock);
	for (shelf = all_shelves; shelf; shelf = shelf->next) {
		struct lg_cache *c = shelf->cache;

		if (c->id != h->id)
			continue;
		for (i = 1; i < h->nr_classes; i++)
			bytes += (size_t)__atomic_load_n(&c->mag[i].n,
							 __ATOMIC_RELAXED) *
				 h->class[i].size;
		for (i = 0; i < LG_BIG && i < c->nbig; i++)
			bytes += c->big[i].bytes;
	}
	pthread_mutex_unlock(&lg_lock);
	return bytes;
}
