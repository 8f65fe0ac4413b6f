// SPDX-License-Identifier: GPL-2.0-only
/*
 * type: types of objects of a user heap, and where their spans are.
 *
 * A type has a name, by which processes find it, and spans of its own: so what is in a
 * span is known also when all processes that knew it are dead. Types are never removed
 * before their heap is.
 *
 * A session has a list of partial spans for each size class, and for each size class
 * of a type that it has allocated, a bin. The heap's own session has bins for all of
 * these, because spans of a session that ends go there, and no memory can be had then.
 */
#include <linux/lockdep.h>
#include <linux/nospec.h>
#include <linux/string.h>

#include "charge.h"
#include "type.h"

/* Types that holders of one view may register, and of all views. */
#define TYPES_VIEW	32
#define TYPES_VIEWS	(GH_UTYPES / 2)

/* Bits of a bitmap of refs: an object of a size class, or what repeats in longer ones. */
static_assert(GH_MAX_SMALL / sizeof(u64) == GOHEAP_TYPE_WORDS_MAX);

/**
 * gh_utype_init() - make a heap ready to have types
 * @h: the heap, zeroed
 */
void gh_utype_init(struct gh_uheap *h)
{
	gh_fixalloc_init(&h->bins, "user bins", sizeof(struct gh_ubin), false,
			 NULL, NULL);
	h->bins.account = __GFP_ACCOUNT;
}

static void bins_free(struct gh_usession *ss)
{
	struct gh_ubin *bin;
	unsigned long key;

	xa_for_each(&ss->bins, key, bin) {
		if (xa_is_value(bin))
			gh_ucharge_sub(ss->payer, GH_UBINS_COST);
		else
			gh_fixalloc_free(&ss->heap->bins, bin);
	}
	xa_destroy(&ss->bins);
}

/**
 * gh_utype_end_session() - free the bins of a session
 * @ss: the session, which owns no spans and will own none
 *
 * Context: process context, may sleep.
 */
void gh_utype_end_session(struct gh_usession *ss)
{
	bins_free(ss);
	gh_fixalloc_age(&ss->heap->bins);
}

/**
 * gh_utype_destroy() - free all types
 * @h: the heap, which has no spans and no sessions but its own
 *
 * Context: process context, may sleep.
 */
void gh_utype_destroy(struct gh_uheap *h)
{
	unsigned int i;

	bins_free(&h->own);
	WARN_ONCE(gh_fixalloc_destroy(&h->bins),
		  "goheap: user heap freed while sessions have bins\n");
	for (i = 0; i < h->ntypes; i++)
		gh_ucharge_free_record(h->type[i], h->type[i]->payer);
}

/**
 * gh_utype_of() - find a type by its number
 * @h: the heap
 * @id: any value
 *
 * Context: any.
 * Return: the type, which stays as long as the heap; or NULL.
 */
struct gh_utype *gh_utype_of(struct gh_uheap *h, u32 id)
{
	/* Pairs with the release in type_add(). */
	unsigned int n = smp_load_acquire(&h->ntypes);

	/* 0 is more than there can be, then. */
	return --id < n ? h->type[array_index_nospec(id, n)] : NULL;
}

/* ---- registering -------------------------------------------------------- */

static struct gh_utype *type_by_name(struct gh_uheap *h, const char *name)
	__must_hold(&h->lock)
{
	unsigned int i;

	lockdep_assert_held(&h->lock);

	for (i = 0; i < h->ntypes; i++)
		if (!strcmp(h->type[i]->name, name))
			return h->type[i];
	return NULL;
}

static bool type_is(const struct gh_utype *type, const struct goheap_type *req,
		    const u64 *refs)
{
	return type->length == req->length && type->align == req->align &&
	       type->words == req->words &&
	       !memcmp(type->refs, refs, BITS_TO_U64(req->words) * sizeof(u64));
}

static struct gh_utype *type_new(const struct goheap_type *req, const u64 *refs)
{
	size_t bytes = BITS_TO_U64(req->words) * sizeof(u64);
	struct gh_utype *type = gh_ucharge_new_record(sizeof(*type) + bytes);

	if (!type)
		return NULL;
	type->payer = get_current_cred();
	type->length = req->length;
	type->align = req->align;
	type->words = req->words;
	type->limit = ULONG_MAX;
	strscpy(type->name, req->name, sizeof(type->name));
	memcpy(type->refs, refs, bytes);
	return type;
}

/* The type that is there, or @new. If that is NULL, only look whether there may be one. */
static struct gh_utype *type_add(struct gh_uview *view, struct gh_utype *new,
				 const struct goheap_type *req, const u64 *refs)
	__must_hold(&view->heap->lock)
{
	struct gh_uheap *h = view->heap;
	struct gh_utype *type = type_by_name(h, req->name);

	if (type)
		return type_is(type, req, refs) ? type : ERR_PTR(-EEXIST);
	if (h->ntypes == GH_UTYPES)
		return ERR_PTR(-ENOSPC);
	if (!gh_uview_is_full(view)) {
		if (view->ntypes >= TYPES_VIEW || h->nview_types >= TYPES_VIEWS)
			return ERR_PTR(-ENOSPC);
	}
	if (!new)
		return NULL;
	if (!gh_uview_is_full(view)) {
		view->ntypes++;
		h->nview_types++;
	}
	h->type[h->ntypes] = new;
	new->id = h->ntypes + 1;
	/* Pairs with the acquire in gh_utype_of(). */
	smp_store_release(&h->ntypes, new->id);
	return new;
}

/**
 * gh_utype_register() - make a type, unless it is there
 * @view: what the caller's descriptor allows
 * @req: name, length, alignment and number of words; @type is set
 * @refs: bitmap of the words that hold refs
 *
 * Context: process context, may sleep.
 * Return: 0; -EEXIST if there is another type of that name, -ENOSPC if there are too
 * many, -ENOMEM or -EINTR.
 */
int gh_utype_register(struct gh_uview *view, struct goheap_type *req,
		      const u64 *refs)
{
	struct gh_utype *new = NULL, *type;
	struct gh_uheap *h = view->heap;
	int err = gh_uheap_lock_killable(h);

	if (err)
		return err;
	type = type_add(view, NULL, req, refs);
	mutex_unlock(&h->lock);

	/* Only now, as who finds it there needs no memory. */
	if (!type) {
		new = type_new(req, refs);
		if (!new)
			return -ENOMEM;
		gh_uheap_lock(h);
		type = type_add(view, new, req, refs);
		mutex_unlock(&h->lock);
	}
	if (new && type != new)
		gh_ucharge_free_record(new, new->payer);
	if (IS_ERR(type))
		return PTR_ERR(type);
	req->type = type->id;
	return 0;
}

/**
 * gh_utype_describe() - find a type by its name, or its number
 * @h: the heap
 * @req: name; or, if that is empty, number. All is set; @words is how many there is
 *	room for in @refs before, and how many there are after
 * @refs: set to the bitmap
 *
 * Context: process context, may sleep.
 * Return: 0, -ENOENT if there is no such type, or -EINTR.
 */
int gh_utype_describe(struct gh_uheap *h, struct goheap_type *req, u64 *refs)
{
	struct gh_utype *type;
	u32 words;

	if (gh_uheap_lock_killable(h))
		return -EINTR;
	type = req->name[0] ? type_by_name(h, req->name) :
			      gh_utype_of(h, req->type);
	mutex_unlock(&h->lock);
	if (!type)
		return -ENOENT;

	words = min(req->words, type->words);
	memcpy(refs, type->refs, BITS_TO_U64(words) * sizeof(u64));
	if (words % 64)
		refs[words / 64] &= BIT_ULL(words % 64) - 1;
	req->type = type->id;
	req->align = type->align;
	req->length = type->length;
	req->words = type->words;
	memcpy(req->name, type->name, sizeof(req->name));
	return 0;
}

/* ---- what they hold ----------------------------------------------------- */

/**
 * gh_utype_usage() - what the objects of a type take, and may take
 * @h: the heap
 * @u: @type is the least number to look for, and set to that of the type; with
 *	%GOHEAP_TYPE_LIMIT, @limit is the type's bound from now on. The rest is set
 *
 * Exact while no process allocates or frees.
 *
 * Context: process context, may sleep.
 * Return: 0, -ENOENT if there is no such type, or -EINTR.
 */
int gh_utype_usage(struct gh_uheap *h, struct goheap_type_usage *u)
{
	bool sets = u->flags & GOHEAP_TYPE_LIMIT;
	struct gh_utype *type;

	if (gh_uheap_lock_killable(h))
		return -EINTR;
	/* All numbers are in use, up to the last one. */
	type = gh_utype_of(h, sets ? u->type : max(u->type, 1U));
	if (type && sets)
		type->limit = gh_ucharge_pages_of(u->limit);
	if (type) {
		u->type = type->id;
		memcpy(u->name, type->name, sizeof(u->name));
		u->length = type->length;
		u->bytes = gh_ucharge_bytes_of(type->npages);
		u->limit = gh_ucharge_bytes_of(type->limit);
	}
	mutex_unlock(&h->lock);
	if (!type)
		return -ENOENT;

	u->objects = atomic64_read(&type->objects);
	u->given = atomic64_read(&type->given);
	u->allocs = atomic64_read(&type->allocs);
	return 0;
}

/* ---- bins --------------------------------------------------------------- */

/*
 * Bins count for who attached, as one page for all those of a type. That is what stands in
 * the place of the one of class 0. The record of a type pays for those of the heap itself.
 */
static int bins_charge(struct gh_usession *ss, const struct gh_utype *type)
{
	unsigned long key = gh_utype_bin(type, 0);
	void *old;

	if (xa_load(&ss->bins, key))
		return 0;
	if (!gh_ucharge_add(ss->payer, GH_UBINS_COST))
		return -ENOMEM;
	old = gh_fault(GH_FAULT_USER) ? XA_ERROR(-ENOMEM) :
		xa_cmpxchg(&ss->bins, key, NULL, xa_mk_value(1), GH_UMETA_GFP);
	/* Another thread may have been faster. */
	if (old)
		gh_ucharge_sub(ss->payer, GH_UBINS_COST);
	return xa_err(old);
}

static int bin_make(struct gh_usession *ss, unsigned long key)
{
	struct gh_ubin *bin, *old;

	if (xa_load(&ss->bins, key))
		return 0;
	bin = gh_fixalloc_alloc(&ss->heap->bins, GH_UMETA_GFP);
	if (!bin)
		return -ENOMEM;
	INIT_LIST_HEAD(&bin->partial);
	old = gh_fault(GH_FAULT_USER) ? XA_ERROR(-ENOMEM) :
		xa_cmpxchg(&ss->bins, key, NULL, bin, GH_UMETA_GFP);
	if (old)
		gh_fixalloc_free(&ss->heap->bins, bin);
	return xa_err(old);
}

/**
 * gh_utype_prepare() - have bins for a session's spans of a type
 * @ss: the session
 * @type: the type
 * @class: size class; large objects have no bins
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gh_utype_prepare(struct gh_usession *ss, struct gh_utype *type,
		     unsigned int class)
{
	unsigned long key = gh_utype_bin(type, class);
	int err = bins_charge(ss, type);

	err = err ?: bin_make(&ss->heap->own, key);
	return err ?: bin_make(ss, key);
}

/**
 * gh_utype_partial() - the list of a session's partial spans
 * @ss: the session
 * @type: their type, for which there are bins; NULL for those without a type
 * @class: their size class
 *
 * Context: the session's lock is held, or the list is only looked at.
 * Return: the list.
 */
struct list_head *gh_utype_partial(struct gh_usession *ss,
				   const struct gh_utype *type,
				   unsigned int class)
{
	struct gh_ubin *bin;

	if (likely(!type))
		return &ss->partial[class];
	bin = xa_load(&ss->bins, gh_utype_bin(type, class));
	return &bin->partial;
}
