// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * cache: the magazines of a thread.
 *
 * A magazine has little room at first. Each time that it is empty or full when it
 * should not be, it gets twice as much, up to the class's bound; the thread has
 * so many bytes of room for all, and when they are used up, other magazines give
 * theirs, in turn. The room, not the objects, is what is counted.
 *
 * A cache belongs to a thread and a slot for ever: a heap that is closed leaves
 * the caches of other threads without objects and without a heap.
 */
#include <sched.h>
#include <sys/mman.h>

#include "lib.h"

/* Room of a thread's magazines in a heap, bytes. */
#define CACHE_BYTES	(2UL << 20)
/* Of a magazine that is new. */
#define FIRST_BYTES	2048
#define FIRST_MAX	32

static struct lg_cache no_cache;

__thread struct lg_cache *lg_tls[LG_HEAPS] = {
	[0 ... LG_HEAPS - 1] = &no_cache,
};

/* The thread's destructor has run: from now on it does without. */
static __thread bool exiting;

static struct lg_cache *all_caches;	/* of threads that live */
static struct lg_cache *spare_caches;	/* of threads that ended */
static pthread_key_t thread_key;

static struct goheap *heap_of(const struct lg_cache *c)
{
	unsigned int i;

	for (i = 0; c->id && i < LG_HEAPS; i++)
		if (lg_heaps[i].id == c->id)
			return &lg_heaps[i];
	return NULL;
}

static size_t cache_size(const struct goheap *h)
{
	size_t n = 0;
	unsigned int i;

	for (i = 1; i < GOHEAP_NR_CLASSES; i++)
		n += h->class[i].max;
	return sizeof(struct lg_cache) + n * sizeof(void *);
}

static uint32_t first_cap(const struct lg_class *k)
{
	uint32_t cap = FIRST_BYTES / k->size;

	if (cap > FIRST_MAX)
		cap = FIRST_MAX;
	return cap ? cap : 1;
}

static void cache_setup(struct goheap *h, struct lg_cache *c)
{
	void **slots = c->slots;
	unsigned int i;

	c->bytes = 0;
	c->hand = 0;
	c->nlater = 0;
	c->later_bytes = 0;
	c->nbig = 0;
	c->big_bytes = 0;
	c->trims = h->trims;
	for (i = 1; i < GOHEAP_NR_CLASSES; i++) {
		const struct lg_class *k = &h->class[i];

		c->mag[i] = (struct lg_mag){
			.slot = slots,
			.cap = first_cap(k),
			.inverse = k->inverse,
			.shift = k->shift,
			.nelems = k->nelems,
		};
		slots += k->max;
		c->bytes += (size_t)c->mag[i].cap * k->size;
	}
	c->id = h->id;
}

/* Nothing is in it, and nothing goes in. */
static void cache_reset(struct lg_cache *c)
{
	memset(c->mag, 0, sizeof(c->mag));
	c->nbig = 0;
	c->big_bytes = 0;
	c->nlater = 0;
	c->later_bytes = 0;
	c->id = 0;
}

static struct lg_cache *cache_new(struct goheap *h)
{
	struct lg_cache *c;

	pthread_mutex_lock(&lg_lock);
	c = spare_caches;
	if (c)
		spare_caches = c->next;
	else
		c = lg_map_memory(cache_size(h));
	if (c) {
		c->next = all_caches;
		all_caches = c;
	}
	pthread_mutex_unlock(&lg_lock);
	return c;
}

/* The thread's first call for the slot. free() comes here, too: errno is kept. */
static struct lg_cache *cache_first(struct goheap *h)
{
	int saved = errno;
	struct lg_cache *c = cache_new(h);

	if (c) {
		lg_tls[h->slot] = c;
		pthread_setspecific(thread_key, &no_cache);
	}
	errno = saved;
	return c;
}

/**
 * lg_cache_get() - this thread's cache
 * @h: the heap
 *
 * Return: the cache; NULL if the thread is about to end, or without memory.
 */
struct lg_cache *lg_cache_get(struct goheap *h)
{
	struct lg_cache *c = lg_tls[h->slot];

	if (likely(c->id == h->id))
		return c;
	if (exiting)
		return NULL;
	if (c == &no_cache)
		c = cache_first(h);
	if (!c)
		return NULL;
	cache_setup(h, c);
	return c;
}

/* Whether somebody called goheap_trim() since. */
static void check_trims(struct goheap *h, struct lg_cache *c)
{
	unsigned int trims = __atomic_load_n(&h->trims, __ATOMIC_RELAXED);

	if (likely(c->trims == trims))
		return;
	c->trims = trims;
	lg_cache_empty(h, c);
}

/* ---- large objects ------------------------------------------------------ */

static void *big_remove(struct lg_cache *c, unsigned int i)
{
	void *p = c->big[i].p;

	c->big_bytes -= c->big[i].bytes;
	c->nbig--;
	memmove(c->big + i, c->big + i + 1, (c->nbig - i) * sizeof(*c->big));
	return p;
}

/**
 * lg_big_take() - find a large object that this thread freed
 * @h: the heap
 * @bytes: it must not be shorter, nor much longer
 *
 * Return: the object or NULL.
 */
void *lg_big_take(struct goheap *h, size_t bytes)
{
	struct lg_cache *c = lg_tls[h->slot];
	unsigned int i = c->nbig;

	while (i--)
		if (c->big[i].bytes >= bytes &&
		    c->big[i].bytes <= bytes + bytes / 8)
			return big_remove(c, i);
	return NULL;
}

/**
 * lg_big_put() - keep a large object for this thread, or for all
 * @h: the heap
 * @p: the object, marked LG_KEPT
 * @bytes: its length
 */
void lg_big_put(struct goheap *h, void *p, size_t bytes)
{
	struct lg_cache *c = lg_cache_get(h);

	if (!c || bytes > LG_BIG_BYTES)
		return lg_large_keep(h, p, bytes);
	check_trims(h, c);
	while (c->nbig == LG_BIG || c->big_bytes + bytes > LG_BIG_BYTES) {
		size_t old = c->big[0].bytes;

		lg_large_keep(h, big_remove(c, 0), old);
	}
	/* Meanwhile another thread may have called goheap_trim(). */
	if (!lg_big_push(h, c, p, bytes))
		lg_large_keep(h, p, bytes);
}

/* ---- giving back -------------------------------------------------------- */

static void later_flush(struct goheap *h, struct lg_cache *c)
{
	unsigned int n = c->nlater;

	c->nlater = 0;
	c->later_bytes = 0;
	lg_kernel_free(h, c->later, n);
}

/* Give back everything. */
void lg_cache_empty(struct goheap *h, struct lg_cache *c)
{
	unsigned int i;

	for (i = 1; i < GOHEAP_NR_CLASSES; i++) {
		struct lg_mag *m = &c->mag[i];
		unsigned int n = m->n;

		if (!n)
			continue;
		m->slot[0] = m->top;
		m->n = 0;
		lg_stock_put(h, i, m->slot, n);
	}
	later_flush(h, c);
	while (c->nbig) {
		size_t bytes = c->big[0].bytes;

		lg_large_keep(h, big_remove(c, 0), bytes);
	}
}

/* ---- room --------------------------------------------------------------- */

/* Give the oldest objects of a magazine to the stock, but not the last. */
static void spill(struct goheap *h, struct lg_mag *m, unsigned int class,
		  unsigned int n)
{
	lg_stock_put(h, class, m->slot + 1, n);
	m->n -= n;
	memmove(m->slot + 1, m->slot + 1 + n,
		(m->n - 1) * sizeof(*m->slot));
}

/* Take half of the room of other magazines until there is enough for @need. */
static bool make_room(struct goheap *h, struct lg_cache *c, unsigned int class,
		      size_t need)
{
	unsigned int tries = GOHEAP_NR_CLASSES;

	while (c->bytes + need > CACHE_BYTES && tries--) {
		struct lg_mag *m;

		c->hand = c->hand % (GOHEAP_NR_CLASSES - 1) + 1;
		m = &c->mag[c->hand];
		if (c->hand == class || m->cap < 2)
			continue;
		c->bytes -= (size_t)(m->cap - m->cap / 2) *
			    h->class[c->hand].size;
		m->cap /= 2;
		if (m->n > m->cap)
			spill(h, m, c->hand, m->n - m->cap);
	}
	return c->bytes + need <= CACHE_BYTES;
}

static void grow(struct goheap *h, struct lg_cache *c, unsigned int class)
{
	const struct lg_class *k = &h->class[class];
	struct lg_mag *m = &c->mag[class];
	uint32_t more = k->max - m->cap;

	if (more > m->cap)
		more = m->cap;
	if (more && make_room(h, c, class, (size_t)more * k->size)) {
		m->cap += more;
		c->bytes += (size_t)more * k->size;
	}
}

/* ---- calls that the magazines alone cannot serve ------------------------ */

static void *alloc_one(struct goheap *h, unsigned int class)
{
	void *p;

	if (!lg_stock_take(h, class, &p, 1))
		return NULL;
	lg_set_word(p, 0);
	return p;
}

/**
 * lg_alloc_slow() - allocate an object when the magazine is empty
 * @h: the heap
 * @class: its size class
 *
 * Return: the object, or NULL with errno.
 */
void *lg_alloc_slow(struct goheap *h, unsigned int class)
{
	struct lg_cache *c = lg_cache_get(h);
	struct lg_mag *m;
	unsigned int n;

	if (!c)
		return alloc_one(h, class);
	check_trims(h, c);
	grow(h, c, class);
	m = &c->mag[class];
	n = h->class[class].batch;
	if (n > m->cap)
		n = m->cap;
	m->n = lg_stock_take(h, class, m->slot, n);
	if (!m->n)
		return NULL;
	m->top = m->slot[0];
	return lg_pop(m);
}

static void free_push(struct goheap *h, struct lg_cache *c, void *p,
		      unsigned int class)
{
	struct lg_mag *m = &c->mag[class];
	unsigned int n;

	check_trims(h, c);
	if (m->n >= m->cap)
		grow(h, c, class);
	n = h->class[class].batch;
	if (m->n >= m->cap && m->n > 1)
		spill(h, m, class, n < m->n ? n : m->n - 1);
	if (m->n >= m->cap)
		return lg_stock_put(h, class, &p, 1);
	m->slot[m->n++] = m->top;
	m->top = p;
}

/**
 * lg_free_slow() - free an object of our own, whatever there is about it
 * @h: the heap
 * @p: an address in a span of this session
 * @entry: of its page
 */
void lg_free_slow(struct goheap *h, void *p, uint64_t entry)
{
	unsigned int class = GOHEAP_PAGE_CLASS(entry);
	const struct lg_class *k = &h->class[class];
	const struct lg_mag m = {
		.inverse = k->inverse,
		.shift = k->shift,
		.nelems = k->nelems,
	};
	struct lg_cache *c;

	if (!class)
		return lg_large_free(h, p, entry);
	if (!lg_starts_object(&m, entry, (uintptr_t)p - h->base))
		return lg_bad_free(h, p, EINVAL);
	if (lg_word(p) == lg_cookie(h, p))
		return lg_bad_free(h, p, ENOENT);
	lg_set_word(p, lg_cookie(h, p));
	c = lg_cache_get(h);
	if (c)
		free_push(h, c, p, class);
	else
		lg_stock_put(h, class, &p, 1);
}

/**
 * lg_free_later() - let the kernel free an object, with others if it is small
 * @h: the heap
 * @p: an object of the heap
 * @bytes: its length
 */
void lg_free_later(struct goheap *h, void *p, size_t bytes)
{
	struct lg_cache *c = lg_cache_get(h);

	if (!c || bytes > LG_MAX_SMALL)
		return lg_kernel_free(h, &p, 1);
	check_trims(h, c);
	c->later[c->nlater++] = p;
	c->later_bytes += bytes;
	if (c->nlater == LG_LATER || c->later_bytes > LG_LATER_BYTES)
		later_flush(h, c);
}

/* ---- threads and heaps that end ----------------------------------------- */

static void all_caches_del(struct lg_cache *c)
{
	struct lg_cache **at = &all_caches;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

/*
 * The function for bad frees is the program's, and may do anything: lg_lock is not
 * held when something is freed. The heap is not closed before thread_left().
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
	/* None are in a child. */
	if (h && h->leaving)
		h->leaving--;
}

static void thread_exit(void *unused)
{
	unsigned int i;

	(void)unused;
	exiting = true;
	for (i = 0; i < LG_HEAPS; i++) {
		struct lg_cache *c = lg_tls[i];
		struct goheap *h;

		if (c == &no_cache)
			continue;
		lg_tls[i] = &no_cache;
		pthread_mutex_lock(&lg_lock);
		h = thread_leaves(c);
		if (h)
			lg_cache_empty(h, c);
		thread_left(h);
		cache_reset(c);
		all_caches_del(c);
		c->next = spare_caches;
		spare_caches = c;
		pthread_mutex_unlock(&lg_lock);
	}
}

/* Take lg_lock when no thread is just leaving the heap. */
void lg_lock_heap(struct goheap *h)
{
	pthread_mutex_lock(&lg_lock);
	while (h->leaving) {
		pthread_mutex_unlock(&lg_lock);
		sched_yield();
		pthread_mutex_lock(&lg_lock);
	}
}

/* Take what some thread has for the kernel to free. lg_lock is held. */
static unsigned int later_take(struct goheap *h, void **objects)
{
	struct lg_cache *c;
	unsigned int n;

	for (c = all_caches; c; c = c->next) {
		if (c->id != h->id || !c->nlater)
			continue;
		n = c->nlater;
		memcpy(objects, c->later, n * sizeof(*objects));
		c->nlater = 0;
		c->later_bytes = 0;
		return n;
	}
	return 0;
}

/* Free what was given and freed here. Nobody uses the heap. */
void lg_caches_flush(struct goheap *h)
{
	void *some[LG_LATER];
	unsigned int n;

	do {
		lg_lock_heap(h);
		n = later_take(h, some);
		pthread_mutex_unlock(&lg_lock);
		lg_kernel_free(h, some, n);
	} while (n);
	lg_kernel_unpark(h);
}

/*
 * At exit(): the thread that calls it has no destructor. What was given and freed
 * would stay for ever. Other threads may still run; theirs is left.
 */
static void __attribute__((__destructor__)) process_exit(void)
{
	unsigned int i;

	for (i = 0; i < LG_HEAPS; i++) {
		struct lg_cache *c = lg_tls[i];
		struct goheap *h;

		if (!c->nlater || pthread_mutex_trylock(&lg_lock))
			continue;
		h = thread_leaves(c);
		if (h)
			later_flush(h, c);
		thread_left(h);
		pthread_mutex_unlock(&lg_lock);
	}
}

/* Forget what all threads have of a heap. lg_lock is held, and nobody uses it. */
void lg_caches_forget(struct goheap *h)
{
	struct lg_cache *c;

	h->leaving = 0;
	for (c = all_caches; c; c = c->next)
		if (c->id == h->id)
			cache_reset(c);
}

/* Bytes in the magazines of all threads, while they change. */
size_t lg_caches_bytes(struct goheap *h)
{
	struct lg_cache *c;
	size_t bytes = 0;
	unsigned int i;

	pthread_mutex_lock(&lg_lock);
	for (c = all_caches; c; c = c->next) {
		if (c->id != h->id)
			continue;
		for (i = 1; i < GOHEAP_NR_CLASSES; i++)
			bytes += (size_t)__atomic_load_n(&c->mag[i].n,
							 __ATOMIC_RELAXED) *
				 h->class[i].size;
		for (i = 0; i < LG_BIG && i < c->nbig; i++)
			bytes += c->big[i].bytes;
	}
	pthread_mutex_unlock(&lg_lock);
	return bytes;
}

/* Once a process. */
int lg_caches_init(void)
{
	return pthread_key_create(&thread_key, thread_exit);
}
