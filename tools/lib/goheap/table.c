// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * table: a hash table whose readers take no lock, and whose writers may die at any time.
 *
 * All entries are in one list, by the reversed bits of their hashes (Shalev and Shavit:
 * Split-ordered lists, 2006). So those of a bucket follow each other, and when the number of
 * buckets doubles, those of a new bucket do: an entry never moves. A bucket is the ref of a
 * marker in the list, before its entries. Markers are made when a bucket is first written to; a
 * reader of a bucket that has none begins at the one that it was a part of before.
 *
 * Writers take turns by a mutex. Each change of the list is one exchange of a word by the kernel,
 * which gives what is new and retires what is old. So after a death the list is whole, and
 * nothing is lost; only the number of entries is counted anew. Readers must be between
 * goheap_enter() and goheap_exit(): then what they have found is not freed, and leads on to
 * what is in the list, or was.
 *
 * Refs of the list are checked to lie in the window, and the length of a search is bounded by
 * what the window has room for, so that a process that damages the table has others fail.
 */
#include "mutex.h"
#include "sys.h"

#include "goheap_table.h"

/* So that other objects are not taken for tables by mistake. */
#define MAGIC		0x656c626174686f67ULL

/* Buckets at first, and arrays of them: each but the first is as long as all before it. */
#define FIRST_SHIFT	6
#define SEGMENTS	32
#define MOST_SHIFT	(FIRST_SHIFT + SEGMENTS - 1)

/**
 * struct node - an entry, or a marker
 * @next: ref of the next, or 0
 * @order: reversed bits of the hash; the last is 1 in an entry, and 0 in a marker
 */
struct node {
	uint64_t next;
	uint64_t order;
};

/**
 * struct entry - a key with its value
 * @node: in the list
 * @key_bytes: length of the key
 * @bytes: length of the value
 * @data: the value, then the key
 */
struct entry {
	struct node node;
	uint32_t key_bytes;
	uint32_t bytes;
	char data[];
};

/**
 * struct goheap_table - a table
 * @magic: MAGIC
 * @lock: writers take turns
 * @count: entries
 * @seed: of the hash
 * @shift: there are 1 << @shift buckets
 * @reserved: 0
 * @head: marker of bucket 0, where the list begins
 * @segment: refs of arrays of refs of markers
 */
struct goheap_table {
	uint64_t magic;
	struct goheap_mutex lock;
	uint64_t count;
	uint64_t seed;
	uint32_t shift;
	uint32_t reserved;
	struct node head;
	uint64_t segment[SEGMENTS];
};

/**
 * struct place - where a key is, or should be
 * @before: the node before it
 * @found: its entry, or NULL
 * @order: see &struct node.order
 */
struct place {
	struct node *before;
	struct entry *found;
	uint64_t order;
};

/* ---- hashes ------------------------------------------------------------- */

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return product ^ product >> 64;
}

/*
 * Eight bytes at a time, each multiplied in; the constants are odd and random. The length is, too:
 * or a key would often have the hash of one that is longer.
 */
static uint64_t hash_of(uint64_t seed, const char *key, size_t n)
{
	uint64_t word, hash = seed + n * 0xe7037ed1a0b428dbULL;

	for (; n >= 8; key += 8, n -= 8) {
		memcpy(&word, key, 8);
		hash = fold(hash ^ word, 0x9e3779b97f4a7c15ULL);
	}
	word = 0;
	memcpy(&word, key, n);
	hash = fold(hash ^ word, 0xd6e8feb86659fd93ULL);
	return fold(hash ^ seed, 0xa0761d6478bd642fULL);
}

static uint64_t reversed(uint64_t x)
{
	x = (x >> 1 & 0x5555555555555555ULL) | (x & 0x5555555555555555ULL) << 1;
	x = (x >> 2 & 0x3333333333333333ULL) | (x & 0x3333333333333333ULL) << 2;
	x = (x >> 4 & 0x0f0f0f0f0f0f0f0fULL) | (x & 0x0f0f0f0f0f0f0f0fULL) << 4;
	return __builtin_bswap64(x);
}

/* ---- the list ----------------------------------------------------------- */

static bool is_table(struct goheap *h, const struct goheap_table *t)
{
	uint64_t at = goheap_offset(h, t);

	if (!(at % 8) && at < h->window && h->window - at >= sizeof(*t) &&
	    t->magic == MAGIC)
		return true;
	errno = EUCLEAN;
	return false;
}

/* Returns false if it cannot be; *@n is NULL at the end of the list. */
static bool follow(struct goheap *h, const struct node *at, struct node **n)
{
	/* Pairs with the exchange that has put the node there. */
	uint64_t ref = __atomic_load_n(&at->next, __ATOMIC_ACQUIRE);

	*n = goheap_deref_array(h, ref, 1, sizeof(**n));
	return !ref || *n;
}

/* The entry of a node, or NULL if it cannot be one. */
static struct entry *entry_of(struct goheap *h, struct node *n)
{
	struct entry *e = (struct entry *)n;
	uint64_t at = goheap_offset(h, n);

	if (h->window - at < sizeof(*e) ||
	    h->window - at - sizeof(*e) < (uint64_t)e->key_bytes + e->bytes)
		return NULL;
	return e;
}

static bool has_key(const struct entry *e, const void *key, size_t n)
{
	return e->key_bytes == n && !memcmp(e->data + e->bytes, key, n);
}

/* The word of a bucket, or NULL if it has none yet. */
static uint64_t *bucket_at(struct goheap *h, struct goheap_table *t, uint64_t b)
{
	unsigned int s = b >> FIRST_SHIFT ? 64 - FIRST_SHIFT - __builtin_clzll(b) : 0;
	uint64_t first = s ? 1ULL << (FIRST_SHIFT + s - 1) : 0;
	uint64_t n = s ? first : 1ULL << FIRST_SHIFT;
	uint64_t *segment;

	segment = goheap_deref_array(h, __atomic_load_n(&t->segment[s],
							__ATOMIC_ACQUIRE),
				     n, sizeof(*segment));
	return segment ? &segment[b - first] : NULL;
}

/* The bucket that had its entries when there were half as many, or fewer. */
static uint64_t parent_of(uint64_t b)
{
	return b & ~(1ULL << (63 - __builtin_clzll(b)));
}

/* The nearest marker at or before a bucket's. */
static struct node *marker_for(struct goheap *h, struct goheap_table *t, uint64_t b)
{
	struct node *n = NULL;
	uint64_t *word;

	for (; b && !n; b = parent_of(b)) {
		word = bucket_at(h, t, b);
		if (word)
			n = goheap_deref_array(h, __atomic_load_n(word, __ATOMIC_ACQUIRE),
					       1, sizeof(*n));
	}
	return n ? n : &t->head;
}

static uint64_t mask_of(const struct goheap_table *t)
{
	uint32_t shift = __atomic_load_n(&t->shift, __ATOMIC_ACQUIRE);

	return (1ULL << (shift <= MOST_SHIFT ? shift : MOST_SHIFT)) - 1;
}

/* Find where a node is, or should be; a marker if @key is NULL. Returns false with EUCLEAN. */
static bool search(struct goheap *h, struct node *from, uint64_t order,
		   const void *key, size_t key_bytes, struct place *p)
{
	uint64_t most = h->window / sizeof(struct node);
	struct node *n;

	*p = (struct place){ .before = from, .order = order };
	while (most-- && follow(h, p->before, &n)) {
		struct entry *e;

		if (!n || n->order > order || (!key && n->order == order))
			return true;
		if (n->order == order) {
			e = entry_of(h, n);
			if (!e)
				break;
			if (has_key(e, key, key_bytes)) {
				p->found = e;
				return true;
			}
		}
		p->before = n;
	}
	errno = EUCLEAN;
	return false;
}

static bool search_key(struct goheap *h, struct goheap_table *t, const void *key,
		       size_t key_bytes, struct place *p)
{
	uint64_t hash = hash_of(t->seed, key, key_bytes);

	/* A key without bytes may be anywhere. */
	return search(h, marker_for(h, t, hash & mask_of(t)), reversed(hash) | 1,
		      key ? key : "", key_bytes, p);
}

/* ---- making ------------------------------------------------------------- */

static struct goheap_table *table_new(struct goheap *h)
{
	struct goheap_table *t = goheap_calloc(h, 1, sizeof(*t));

	if (!t)
		return NULL;
	t->magic = MAGIC;
	t->seed = lg_sys_random();
	t->shift = FIRST_SHIFT;
	return t;
}

static struct goheap_table *table_find(struct goheap *h, const char *name)
{
	struct goheap_table *t = goheap_lookup(h, name);

	if (!t || is_table(h, t))
		return t;
	errno = EINVAL;
	return NULL;
}

LG_EXPORT struct goheap_table *goheap_table_open(struct goheap *h,
						 const char *name)
{
	struct goheap_table *t = table_find(h, name);
	int err;

	if (t || errno != ENOENT)
		return t;
	t = table_new(h);
	if (!t || !goheap_bind(h, name, t))
		return t;
	err = errno;
	goheap_free(h, t);
	errno = err;
	/* Another process was first. */
	return err == EEXIST ? table_find(h, name) : NULL;
}

/* ---- reading ------------------------------------------------------------ */

LG_EXPORT const void *goheap_table_get(struct goheap *h, struct goheap_table *t,
				       const void *key, size_t key_bytes,
				       size_t *bytes)
{
	struct place p;

	if (!is_table(h, t) || !search_key(h, t, key, key_bytes, &p))
		return NULL;
	if (!p.found) {
		errno = ENOENT;
		return NULL;
	}
	if (bytes)
		*bytes = p.found->bytes;
	return p.found->data;
}

LG_EXPORT uint64_t goheap_table_count(struct goheap *h, struct goheap_table *t)
{
	return is_table(h, t) ? __atomic_load_n(&t->count, __ATOMIC_RELAXED) : 0;
}

/*
 * The cursor is the order of the last entry that was found, or one more if it was the second of
 * that order, as orders of entries are odd. A third one would not be found.
 */
static bool is_behind(const struct node *n, uint64_t cursor, bool *same)
{
	uint64_t last = cursor & 1 ? cursor : cursor - 1;

	if (!(n->order & 1))
		return false;
	if (!cursor || n->order > last)
		return true;
	if (n->order < last || !(cursor & 1))
		return false;
	/* The first of the order is the one that was found. */
	if (*same)
		return true;
	*same = true;
	return false;
}

LG_EXPORT int goheap_table_next(struct goheap *h, struct goheap_table *t,
				uint64_t *cursor, struct goheap_entry *e)
{
	uint64_t most = h->window / sizeof(struct node);
	struct node *n = is_table(h, t) ? &t->head : NULL;
	struct entry *found;
	bool same = false;

	if (n && *cursor)
		n = marker_for(h, t, reversed(*cursor) & mask_of(t));
	while (n && most-- && follow(h, n, &n)) {
		if (!n)
			return 0;
		if (!is_behind(n, *cursor, &same))
			continue;
		found = entry_of(h, n);
		if (!found)
			break;
		*cursor = n->order + (n->order == *cursor);
		*e = (struct goheap_entry){
			.key = found->data + found->bytes,
			.key_bytes = found->key_bytes,
			.value = found->data,
			.bytes = found->bytes,
		};
		return 1;
	}
	errno = EUCLEAN;
	return -1;
}

/* ---- writing ------------------------------------------------------------ */

static uint64_t ref_of(struct goheap *h, const void *p)
{
	return p ? goheap_ref(h, p) : 0;
}

/*
 * Exchange a word for a ref of @give, which is given, and retire @take. Returns false, with
 * errno, if that failed: nobody else writes, so it is EUCLEAN if the word was another.
 */
static bool exchange(struct goheap *h, uint64_t *at, uint64_t expect,
		     uint64_t value, void *give, void *take)
{
	struct goheap_exchange x = {
		.at = at,
		.expect = expect,
		.value = value,
		.give = give,
		.take = take,
		.flags = take ? GOHEAP_RETIRE_TAKEN : 0,
	};

	if (goheap_publish(h, &x, 1))
		return false;
	if (x.done != 1)
		errno = EUCLEAN;
	return x.done == 1;
}

/* Put a new node behind another one. */
static bool insert(struct goheap *h, struct node *before, struct node *n)
{
	n->next = before->next;
	return exchange(h, &before->next, n->next, goheap_ref(h, n), n, NULL);
}

/* Give a bucket its array, unless it has one. Returns its word; NULL with errno. */
static uint64_t *bucket_make(struct goheap *h, struct goheap_table *t, uint64_t b)
{
	unsigned int s = b >> FIRST_SHIFT ? 64 - FIRST_SHIFT - __builtin_clzll(b) : 0;
	uint64_t n = 1ULL << (FIRST_SHIFT + (s ? s - 1 : 0));
	uint64_t *word = bucket_at(h, t, b), *segment;

	if (word)
		return word;
	segment = goheap_calloc(h, n, sizeof(*segment));
	if (!segment)
		return NULL;
	if (!exchange(h, &t->segment[s], 0, goheap_ref(h, segment), segment, NULL)) {
		int err = errno;

		goheap_free(h, segment);
		errno = err;
		return NULL;
	}
	return bucket_at(h, t, b);
}

/* Give a bucket its marker, unless it has one. */
static bool marker_make(struct goheap *h, struct goheap_table *t, uint64_t b)
{
	uint64_t *word = b ? bucket_make(h, t, b) : NULL;
	struct node *n = NULL, *marker;
	struct place p;

	if (!b || (word && *word))
		return true;
	if (!word || !search(h, marker_for(h, t, b), reversed(b), NULL, 0, &p) ||
	    !follow(h, p.before, &n))
		return false;
	/* Who has died may have put it there. */
	if (!n || n->order != p.order) {
		marker = goheap_malloc(h, sizeof(*marker));
		if (!marker)
			return false;
		marker->order = p.order;
		if (!insert(h, p.before, marker)) {
			int err = errno;

			goheap_free(h, marker);
			errno = err;
			return false;
		}
		n = marker;
	}
	__atomic_store_n(word, goheap_ref(h, n), __ATOMIC_RELEASE);
	return true;
}

/* Twice as many buckets. They get markers when they are written to. */
static void grow(struct goheap_table *t)
{
	if (t->count >> t->shift && t->shift < MOST_SHIFT)
		__atomic_store_n(&t->shift, t->shift + 1, __ATOMIC_RELEASE);
}

/* Somebody has died while writing: the list is whole, but perhaps not the number. */
static bool recover(struct goheap *h, struct goheap_table *t)
{
	uint64_t most = h->window / sizeof(struct node), count = 0;
	struct node *n = &t->head;

	while (most-- && follow(h, n, &n)) {
		if (n) {
			count += n->order & 1;
			continue;
		}
		t->count = count;
		return !goheap_mutex_consistent(h, &t->lock);
	}
	errno = EUCLEAN;
	return false;
}

static bool lock(struct goheap *h, struct goheap_table *t)
{
	int told = is_table(h, t) ? goheap_mutex_lock(h, &t->lock, -1) : -1;

	if (told > 0 && !recover(h, t)) {
		goheap_mutex_unlock(h, &t->lock);
		told = -1;
	}
	return told >= 0;
}

/* errno is kept. */
static void unlock(struct goheap *h, struct goheap_table *t)
{
	int saved = errno;

	goheap_mutex_unlock(h, &t->lock);
	errno = saved;
}

static struct entry *entry_new(struct goheap *h, const void *key, size_t key_bytes,
			       const void *value, size_t bytes)
{
	struct entry *e;

	if (key_bytes > GOHEAP_ENTRY_BYTES_MAX ||
	    bytes > GOHEAP_ENTRY_BYTES_MAX - key_bytes) {
		errno = EINVAL;
		return NULL;
	}
	e = goheap_malloc(h, sizeof(*e) + key_bytes + bytes);
	if (!e)
		return NULL;
	e->key_bytes = key_bytes;
	e->bytes = bytes;
	if (bytes)
		memcpy(e->data, value, bytes);
	if (key_bytes)
		memcpy(e->data + bytes, key, key_bytes);
	return e;
}

/* Returns as goheap_table_put(); the lock is held. */
static int put(struct goheap *h, struct goheap_table *t, struct entry *e)
{
	const char *key = e->data + e->bytes;
	struct place p;

	if (!marker_make(h, t, hash_of(t->seed, key, e->key_bytes) & mask_of(t)) ||
	    !search_key(h, t, key, e->key_bytes, &p))
		return -1;
	e->node.order = p.order;
	if (p.found) {
		e->node.next = p.found->node.next;
		return exchange(h, &p.before->next, ref_of(h, p.found),
				goheap_ref(h, e), e, p.found) ? 1 : -1;
	}
	if (!insert(h, p.before, &e->node))
		return -1;
	__atomic_store_n(&t->count, t->count + 1, __ATOMIC_RELAXED);
	grow(t);
	return 0;
}

LG_EXPORT int goheap_table_put(struct goheap *h, struct goheap_table *t,
			       const void *key, size_t key_bytes,
			       const void *value, size_t bytes)
{
	struct entry *e = entry_new(h, key, key_bytes, value, bytes);
	int ret = -1, err;

	if (!e)
		return -1;
	if (lock(h, t)) {
		ret = put(h, t, e);
		unlock(h, t);
	}
	if (ret < 0) {
		err = errno;
		goheap_free(h, e);
		errno = err;
	}
	return ret;
}

LG_EXPORT int goheap_table_remove(struct goheap *h, struct goheap_table *t,
				  const void *key, size_t key_bytes)
{
	struct place p;
	int ret = -1;

	if (!lock(h, t))
		return -1;
	if (!search_key(h, t, key, key_bytes, &p))
		goto out;
	if (!p.found) {
		errno = ENOENT;
		goto out;
	}
	if (!exchange(h, &p.before->next, ref_of(h, p.found),
		      p.found->node.next, NULL, p.found))
		goto out;
	__atomic_store_n(&t->count, t->count - 1, __ATOMIC_RELAXED);
	ret = 0;
out:
	unlock(h, t);
	return ret;
}

LG_EXPORT void goheap_table_destroy(struct goheap *h, struct goheap_table *t)
{
	struct node *n, *next;
	unsigned int i;

	if (!is_table(h, t) || !follow(h, &t->head, &n))
		return;
	while (n && follow(h, n, &next)) {
		goheap_free(h, n);
		n = next;
	}
	for (i = 0; i < SEGMENTS; i++)
		goheap_free(h, goheap_deref_array(h, t->segment[i], 1, 8));
	goheap_free(h, t);
}
