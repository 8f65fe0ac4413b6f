// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * bind: names of objects, by which processes find what they share.
 *
 * The names are a list of entries, which begins in a root slot. An entry is appended by one
 * exchange that the kernel makes, and an object gets, or loses, its name by another. So a
 * death in between leaves an entry without an object, and whoever binds that name uses it.
 * Entries are never freed, so no reader has to be waited for; there are as many as there have
 * been different names.
 *
 * Other processes can write there: what is read is checked before it is followed, and a list
 * that does not end is given up.
 */
#include <sys/ioctl.h>

#include "lock.h"
#include "session.h"

/* More names than that are taken for a list that was damaged. */
#define MANY		65536

/* How often somebody else may append an entry first. */
#define TRIES		MANY

/**
 * struct entry - a name
 * @next: ref of the next entry, or 0
 * @object: ref of what has the name, or 0
 * @name: the name, and zeroes
 */
struct entry {
	uint64_t next;
	uint64_t object;
	char name[GOHEAP_NAME_MAX];
};

/*
 * Have the kernel exchange a word, or the root of the names if @at is NULL. Returns 1 if that
 * was done, 0 if the word was another, which is @swap->value now, -1 with errno.
 */
static int exchange(struct goheap *h, uint64_t *at, struct goheap_swap *swap)
{
	struct goheap_publish req = {
		.size = sizeof(req),
		.swaps = (uintptr_t)swap,
		.count = 1,
	};

	if (at) {
		swap->at = goheap_offset(h, at);
	} else {
		swap->at = GOHEAP_ROOT_NAMES;
		swap->flags |= GOHEAP_SWAP_ROOT;
	}
	while (lg_session_ioctl(h, GOHEAP_IOC_PUBLISH, &req))
		if (errno != EINTR)
			return -1;
	return swap->value == swap->expect;
}

/* Returns false, with errno, if there cannot be such a name. */
static bool is_valid(const struct goheap *h, const char *name)
{
	size_t len = name ? strnlen(name, GOHEAP_NAME_MAX) : 0;

	errno = !len || len == GOHEAP_NAME_MAX ? EINVAL : 0;
	if (!errno && (lg_is_private(h) || h->version < LG_VERSION_READERS))
		errno = EOPNOTSUPP;
	return !errno;
}

/* NULL with errno if there is no entry there. */
static struct entry *entry_at(const struct goheap *h, uint64_t ref)
{
	struct entry *e = goheap_deref_array(h, ref, 1, sizeof(*e));

	if (!e)
		errno = EUCLEAN;
	return e;
}

/*
 * Find the entry of a name, or NULL: then errno is ENOENT, and *@at where the list ends, or
 * NULL if that is the root; or another error.
 */
static struct entry *find(struct goheap *h, const char *name, uint64_t **at)
{
	struct entry *e = NULL;
	unsigned int n = MANY;
	uint64_t ref;

	if (goheap_root_get(h, GOHEAP_ROOT_NAMES, &ref))
		return NULL;
	*at = NULL;
	while (ref && n--) {
		e = entry_at(h, ref);
		if (!e)
			return NULL;
		if (!strncmp(e->name, name, GOHEAP_NAME_MAX))
			return e;
		*at = &e->next;
		/* Pairs with the exchange that has appended the entry. */
		ref = __atomic_load_n(*at, __ATOMIC_ACQUIRE);
	}
	errno = ref ? EUCLEAN : ENOENT;
	return NULL;
}

static struct entry *entry_new(struct goheap *h, const char *name)
{
	struct entry *e = goheap_calloc(h, 1, sizeof(*e));

	if (e)
		strncat(e->name, name, GOHEAP_NAME_MAX - 1);
	return e;
}

/* Find the entry of a name, or append one. */
static struct entry *find_or_append(struct goheap *h, const char *name)
{
	struct entry *e, *new = NULL;
	unsigned int tries = TRIES;
	uint64_t *at;
	int done = 0;

	while (!done && tries--) {
		e = find(h, name, &at);
		if (e || errno != ENOENT)
			break;
		if (!new)
			new = entry_new(h, name);
		if (!new)
			return NULL;
		done = exchange(h, at, &(struct goheap_swap){
			.value = goheap_ref(h, new),
			.give = goheap_offset(h, new),
			.flags = GOHEAP_SWAP_GIVE,
		});
	}
	if (done > 0)
		return new;
	goheap_free(h, new);
	return e;
}

/* The object is this process's, or was given. */
static int give_of(struct goheap *h, const void *object, struct goheap_swap *swap)
{
	struct goheap_listed listed;
	uint64_t from = goheap_offset(h, object);
	int n = goheap_list(h, 0, &from, &listed, 1);

	if (n < 0)
		return -1;
	if (n && listed.offset == goheap_offset(h, object))
		return 0;
	swap->give = goheap_offset(h, object);
	swap->flags = GOHEAP_SWAP_GIVE;
	return 0;
}

LG_EXPORT int goheap_bind(struct goheap *h, const char *name, void *object)
{
	struct goheap_swap swap = { .value = goheap_ref(h, object) };
	struct entry *e;
	int done;

	if (!is_valid(h, name))
		return -1;
	if (!object || !goheap_deref_array(h, swap.value, 1, 1)) {
		errno = EINVAL;
		return -1;
	}
	e = find_or_append(h, name);
	if (!e || give_of(h, object, &swap))
		return -1;
	done = exchange(h, &e->object, &swap);
	if (!done)
		errno = EEXIST;
	return done > 0 ? 0 : -1;
}

LG_EXPORT void *goheap_lookup(struct goheap *h, const char *name)
{
	struct entry *e;
	uint64_t *at;
	void *p;

	if (!is_valid(h, name))
		return NULL;
	e = find(h, name, &at);
	if (!e)
		return NULL;
	p = goheap_deref(h, __atomic_load_n(&e->object, __ATOMIC_ACQUIRE));
	if (!p)
		errno = ENOENT;
	return p;
}

LG_EXPORT void *goheap_unbind(struct goheap *h, const char *name)
{
	struct goheap_exchange x = { .done = 0 };
	struct entry *e;
	uint64_t *at;

	if (!is_valid(h, name))
		return NULL;
	e = find(h, name, &at);
	if (!e)
		return NULL;
	x.at = &e->object;
	while (!x.done) {
		x.expect = __atomic_load_n(&e->object, __ATOMIC_ACQUIRE);
		x.take = goheap_deref(h, x.expect);
		x.value = 0;
		if (!x.take) {
			errno = ENOENT;
			return NULL;
		}
		if (goheap_publish(h, &x, 1))
			return NULL;
	}
	return x.take;
}
