// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of arenas: how they are found by address, and what they know of
 * their pages' past.
 */
#include "test_util.h"

#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../arena.h"

static DEFINE_PER_CPU(int, a_percpu_variable);

/**
 * struct arena_test - what a case begins with
 * @area: address space of one arena, so that nobody else publishes there
 * @reserved: it is there
 * @arena: its metadata, not published; or NULL
 */
struct arena_test {
	struct gh_vmem_area area;
	bool reserved;
	struct gh_arena *arena;
};

static void arena_destroy(struct gh_arena *arena)
{
	gh_arena_unpublish(arena);
	synchronize_rcu();
	gh_arena_free(arena);
}

static int arena_test_init(struct kunit *test)
{
	struct arena_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t || gh_vmem_reserve(&t->area, 1, NUMA_NO_NODE))
		return -ENOMEM;
	t->reserved = true;
	test->priv = t;
	t->arena = gh_arena_create(NULL, t->area.base, 0);
	return t->arena ? 0 : -ENOMEM;
}

static void arena_test_exit(struct kunit *test)
{
	struct arena_test *t = test->priv;

	if (t && t->arena)
		arena_destroy(t->arena);
	if (t && t->reserved)
		gh_vmem_release(&t->area);
}

static struct gh_arena *arena_of(struct kunit *test)
{
	return ((struct arena_test *)test->priv)->arena;
}

/* ---- the index ---------------------------------------------------------- */

static void an_arena_is_found_from_each_of_its_bytes_only(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);
	unsigned long end = arena->base + GH_ARENA_SIZE;
	unsigned long addr;

	gh_arena_publish(arena);
	for (addr = arena->base; addr < end; addr += GH_ARENA_SIZE / 1024)
		KUNIT_EXPECT_PTR_EQ(test, gh_arena_of(addr), arena);
	KUNIT_EXPECT_PTR_EQ(test, gh_arena_of(arena->base + 1), arena);
	KUNIT_EXPECT_PTR_EQ(test, gh_arena_of(end - 1), arena);
	KUNIT_EXPECT_PTR_NE(test, gh_arena_of(arena->base - 1), arena);
	KUNIT_EXPECT_PTR_NE(test, gh_arena_of(end), arena);
}

static void an_arena_is_not_found_before_it_is_published(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);

	KUNIT_EXPECT_NULL(test, gh_arena_of(arena->base));
	KUNIT_EXPECT_NULL(test, gh_span_of(arena->base));
	gh_arena_publish(arena);
	KUNIT_EXPECT_PTR_EQ(test, gh_arena_of(arena->base), arena);
}

static void an_arena_is_not_found_after_its_end(struct kunit *test)
{
	struct arena_test *t = test->priv;

	gh_arena_publish(t->arena);
	arena_destroy(t->arena);
	t->arena = NULL;
	KUNIT_EXPECT_NULL(test, gh_arena_of(t->area.base));
	KUNIT_EXPECT_NULL(test, gh_arena_of(t->area.base + GH_ARENA_SIZE - 1));
}

static void an_arena_that_was_never_published_can_end(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct gh_arena *twin = gh_arena_create(NULL, t->area.base, 0);

	KUNIT_ASSERT_NOT_NULL(test, twin);
	gh_arena_publish(t->arena);
	/* It must not withdraw the one that was. */
	arena_destroy(twin);
	KUNIT_EXPECT_PTR_EQ(test, gh_arena_of(t->area.base), t->arena);
}

static void neighbours_are_told_apart(struct kunit *test)
{
	struct gh_arena *arena[3] = { };
	struct gh_vmem_area area;
	unsigned int i;

	if (!gh_vmem_is_sparse() && !gh_test_has_ram(4 * GH_ARENA_SIZE))
		kunit_skip(test, "not enough memory");
	KUNIT_ASSERT_EQ(test, gh_vmem_reserve(&area, 3, NUMA_NO_NODE), 0);
	for (i = 0; i < 3; i++) {
		unsigned long base = area.base + i * GH_ARENA_SIZE;

		arena[i] = gh_arena_create(NULL, base, i);
		KUNIT_EXPECT_NOT_NULL(test, arena[i]);
		if (arena[i])
			gh_arena_publish(arena[i]);
	}
	for (i = 0; i < 3; i++) {
		unsigned long base = area.base + i * GH_ARENA_SIZE;

		KUNIT_EXPECT_PTR_EQ(test, gh_arena_of(base), arena[i]);
		KUNIT_EXPECT_PTR_EQ(test,
				    gh_arena_of(base + GH_ARENA_SIZE - 1),
				    arena[i]);
	}
	for (i = 0; i < 3; i++)
		if (arena[i])
			arena_destroy(arena[i]);
	gh_vmem_release(&area);
}

static void wild_addresses_are_in_no_arena(struct kunit *test)
{
	static const unsigned long wild[] = {
		0, 1, PAGE_SIZE, GH_ARENA_SIZE, 0x7fffffffffffUL,
		0x800000000000UL, 0x8000000000000000UL, 0xdead000000000100UL,
		0xffff000000000000UL, 0xffff800000000000UL,
		0xffffffff80000000UL, ULONG_MAX - GH_ARENA_SIZE, ULONG_MAX - 7,
		ULONG_MAX,
	};
	unsigned int i;

	gh_arena_publish(arena_of(test));
	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		KUNIT_EXPECT_NULL(test, gh_arena_of(wild[i]));
		KUNIT_EXPECT_NULL(test, gh_span_of(wild[i]));
		KUNIT_EXPECT_FALSE(test, goheap_owns((void *)wild[i]));
	}
}

static void memory_of_others_is_in_no_arena(struct kunit *test)
{
	void *kmem = kmalloc(64, GFP_KERNEL);
	void *vmem = vmalloc(PAGE_SIZE);
	char on_stack;

	KUNIT_EXPECT_NULL(test, gh_arena_of((unsigned long)&on_stack));
	KUNIT_EXPECT_NULL(test, gh_arena_of((unsigned long)kmem));
	KUNIT_EXPECT_NULL(test, gh_arena_of((unsigned long)vmem));
	KUNIT_EXPECT_NULL(test, gh_arena_of((unsigned long)current));
	KUNIT_EXPECT_NULL(test,
			  gh_arena_of((unsigned long)wild_addresses_are_in_no_arena));
	KUNIT_EXPECT_NULL(test, gh_arena_of((unsigned long)&jiffies));
	KUNIT_EXPECT_NULL(test, gh_arena_of((unsigned long)
					    raw_cpu_ptr(&a_percpu_variable)));
	/* Metadata of arenas is not in arenas. */
	KUNIT_EXPECT_NULL(test, gh_arena_of((unsigned long)arena_of(test)));
	KUNIT_EXPECT_NULL(test, gh_arena_of((unsigned long)gh_index.leaf));
	vfree(vmem);
	kfree(kmem);
}

/* Any value at all may be asked for, and only those inside are found. */
static void random_addresses_are_found_if_they_are_inside(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);
	struct rnd_state rnd;
	unsigned int i, wrong = 0;

	prandom_seed_state(&rnd, 4);
	gh_arena_publish(arena);
	for (i = 0; i < 300000; i++) {
		u64 addr = (u64)prandom_u32_state(&rnd) << 32 |
			   prandom_u32_state(&rnd);
		struct gh_arena *found;

		/* Often near the arena. */
		if (i % 2)
			addr = arena->base + (addr >> 32) - GH_ARENA_SIZE * 16;
		found = gh_arena_of(addr);
		if (found && addr - found->base >= GH_ARENA_SIZE)
			wrong++;
		if (addr - arena->base < GH_ARENA_SIZE)
			wrong += found != arena;
		else
			wrong += found == arena;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* Leaves come with arenas and stay. */
static void the_leaves_of_the_index_are_counted(struct kunit *test)
{
	unsigned long i, n = DIV_ROUND_UP(gh_index.narenas, GH_INDEX_L2_ENTRIES);
	unsigned long bytes = n * sizeof(*gh_index.leaf);

	for (i = 0; i < n; i++)
		if (READ_ONCE(gh_index.leaf[i]))
			bytes += sizeof(*gh_index.leaf[i]);
	KUNIT_EXPECT_EQ(test, gh_index_bytes(), bytes);
}

static void a_page_leads_to_its_span_and_no_other(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);
	struct gh_span *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned long addr = arena->base + 100 * GH_PAGE_SIZE;

	gh_arena_publish(arena);
	arena->spans[100] = s;
	arena->spans[101] = s;
	KUNIT_EXPECT_PTR_EQ(test, gh_span_of(addr), s);
	KUNIT_EXPECT_PTR_EQ(test, gh_span_of(addr + 2 * GH_PAGE_SIZE - 1), s);
	KUNIT_EXPECT_NULL(test, gh_span_of(addr - 1));
	KUNIT_EXPECT_NULL(test, gh_span_of(addr + 2 * GH_PAGE_SIZE));
	arena->spans[GH_ARENA_PAGES - 1] = s;
	KUNIT_EXPECT_PTR_EQ(test, gh_span_of(arena->base + GH_ARENA_SIZE - 1),
			    s);
	KUNIT_EXPECT_PTR_NE(test, gh_span_of(arena->base + GH_ARENA_SIZE), s);
}

/* Nothing dies here, so it is good after preemption is on again. */
static struct gh_span *guess(unsigned long addr)
{
	struct gh_span *s;

	preempt_disable();
	s = gh_span_guess(addr);
	preempt_enable();
	return s;
}

/* A guess may be wrong, but it is a span, and its objects are where it says. */
static bool guess_holds(unsigned long addr)
{
	unsigned int idx;

	return !gh_span_find(guess(addr), addr, &idx);
}

static void a_guess_is_right_or_finds_nothing(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);
	struct gh_span *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned long base = arena->base + 100 * GH_PAGE_SIZE;
	unsigned int i, idx, wrong = 0;

	s->base = base;
	s->div.inverse = 1;
	s->nelems = 1;
	arena->spans[100] = s;
	KUNIT_EXPECT_TRUE(test, guess_holds(base));
	gh_arena_publish(arena);
	/* Another arena may have its slot. */
	if (*gh_lookup_slot(base) == arena->spans) {
		KUNIT_EXPECT_PTR_EQ(test, guess(base), s);
		KUNIT_EXPECT_PTR_EQ(test, guess(base - 1), &gh_no_span);
		KUNIT_EXPECT_TRUE(test, gh_span_find(guess(base), base, &idx));
	}
	/* Addresses that share its lookup slot, and its page in the arena. */
	for (i = 1; i < 64 - GH_ARENA_SHIFT; i++)
		wrong += !guess_holds(base ^ 1UL << (GH_ARENA_SHIFT + i));
	wrong += !guess_holds(0) + !guess_holds(ULONG_MAX);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	for (i = 0; i < GH_LOOKUP_SLOTS; i++)
		wrong += !gh_lookup[i];
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void a_lookup_slot_ends_with_its_arena(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct gh_span ***slot = gh_lookup_slot(t->area.base);
	struct gh_span **before = *slot;

	gh_arena_publish(t->arena);
	arena_destroy(t->arena);
	t->arena = NULL;
	KUNIT_EXPECT_PTR_EQ(test, *slot, before);
}

/* Somebody unmapped it, and the system gave its addresses to a huge object. */
static void the_arena_of_a_node_is_not_shared(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test), *shared;
	unsigned long base = arena->base;

	/* It is not looked at. */
	arena->node = (struct gh_node *)arena;
	gh_arena_publish(arena);
	KUNIT_EXPECT_NULL(test, gh_arena_get(base));
	KUNIT_EXPECT_EQ(test, arena->users, 0);
	gh_arena_unpublish(arena);
	arena->node = NULL;

	shared = gh_arena_get(base);
	KUNIT_ASSERT_NOT_NULL(test, shared);
	KUNIT_EXPECT_PTR_EQ(test, gh_arena_get(base + GH_ARENA_SIZE - 1), shared);
	KUNIT_EXPECT_PTR_EQ(test, gh_arena_of(base), shared);
	KUNIT_EXPECT_FALSE(test, gh_arena_put(shared));
	KUNIT_EXPECT_TRUE(test, gh_arena_put(shared));
	KUNIT_EXPECT_NULL(test, gh_arena_of(base));
	synchronize_rcu();
	gh_arena_free(shared);
}

static void an_arena_without_memory_for_it_is_not_made(struct kunit *test)
{
	gh_fault_arm(GH_FAULT_META, 1);
	KUNIT_EXPECT_NULL(test, gh_arena_create(NULL, arena_of(test)->base, 0));
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
}

/* As when vzalloc() gives up: the fault is armed, and the task is not killed. */
static void a_killed_task_gets_an_arena(struct kunit *test)
{
	struct gh_arena *arena;
	unsigned int i;

	gh_fault_arm(GH_FAULT_KILLED, 1);
	arena = gh_arena_create(NULL, arena_of(test)->base, 0);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_ASSERT_NOT_NULL(test, arena);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(arena->page_inuse, GH_ARENA_PAGES));
	for (i = 0; i < GH_ARENA_PAGES; i++)
		if (arena->spans[i] != &gh_no_span)
			break;
	KUNIT_EXPECT_EQ(test, i, GH_ARENA_PAGES);
	arena_destroy(arena);
}

static void the_arenas_of_a_heap_are_found_until_it_ends(struct kunit *test)
{
	struct gh_heap *h = gh_heap_create("test");
	unsigned long base = 0;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, h);
	for (i = 0; i < h->nr_nodes; i++) {
		struct gh_arena *arena = gh_node_arena(h->nodes[i], 0);

		if (!arena)
			continue;
		base = arena->base;
		KUNIT_EXPECT_PTR_EQ(test, gh_arena_of(base), arena);
		KUNIT_EXPECT_PTR_EQ(test, arena->node, h->nodes[i]);
	}
	KUNIT_EXPECT_NE(test, base, 0UL);
	KUNIT_EXPECT_TRUE(test, gh_heap_destroy(h));
	KUNIT_EXPECT_NULL(test, gh_arena_of(base));
}

/* ---- the past of pages -------------------------------------------------- */

static void a_page_is_new_once(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);

	KUNIT_EXPECT_FALSE(test, gh_arena_use(arena, 0, 1));
	KUNIT_EXPECT_TRUE(test, gh_arena_use(arena, 0, 1));
	KUNIT_EXPECT_FALSE(test, gh_arena_use(arena, 1, 10));
	KUNIT_EXPECT_TRUE(test, gh_arena_use(arena, 5, 2));
}

static void a_run_is_new_only_if_all_of_it_is(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);

	gh_arena_use(arena, 0, 10);
	KUNIT_EXPECT_TRUE(test, gh_arena_use(arena, 9, 2));
	KUNIT_EXPECT_EQ(test, atomic_read(&arena->zeroed_base), 11);
	KUNIT_EXPECT_FALSE(test, gh_arena_use(arena, 11, 1));
}

static void pages_that_were_passed_over_count_as_used(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);

	KUNIT_EXPECT_FALSE(test, gh_arena_use(arena, 100, 1));
	KUNIT_EXPECT_TRUE(test, gh_arena_use(arena, 50, 1));
	KUNIT_EXPECT_EQ(test, atomic_read(&arena->zeroed_base), 101);
}

static void the_last_page_can_be_used(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);

	KUNIT_EXPECT_FALSE(test, gh_arena_use(arena, 0, GH_ARENA_PAGES));
	KUNIT_EXPECT_TRUE(test, gh_arena_use(arena, GH_ARENA_PAGES - 1, 1));
	KUNIT_EXPECT_EQ(test, atomic_read(&arena->zeroed_base),
			(int)GH_ARENA_PAGES);
}

/* Whoever is told that pages are new must be the first to have them. */
static void no_page_is_new_to_two_users(struct kunit *test)
{
	struct gh_arena *arena = arena_of(test);
	unsigned long *used;
	struct rnd_state rnd;
	unsigned int i, wrong = 0;

	used = kunit_kcalloc(test, BITS_TO_LONGS(GH_ARENA_PAGES), sizeof(*used),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, used);
	prandom_seed_state(&rnd, 5);
	for (i = 0; i < 20000; i++) {
		/* Mostly rising, so that there are new ones until the end. */
		unsigned long page = prandom_u32_state(&rnd) % (i / 4 + 10);
		unsigned long n = prandom_u32_state(&rnd) % 20 + 1;
		unsigned long first;

		if (page + n > GH_ARENA_PAGES)
			continue;
		first = find_next_bit(used, page + n, page);
		if (!gh_arena_use(arena, page, n) && first < page + n)
			wrong++;
		bitmap_set(used, page, n);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static struct kunit_case arena_cases[] = {
	KUNIT_CASE(an_arena_is_found_from_each_of_its_bytes_only),
	KUNIT_CASE(an_arena_is_not_found_before_it_is_published),
	KUNIT_CASE(an_arena_is_not_found_after_its_end),
	KUNIT_CASE(an_arena_that_was_never_published_can_end),
	KUNIT_CASE(neighbours_are_told_apart),
	KUNIT_CASE(wild_addresses_are_in_no_arena),
	KUNIT_CASE(memory_of_others_is_in_no_arena),
	KUNIT_CASE(random_addresses_are_found_if_they_are_inside),
	KUNIT_CASE(the_leaves_of_the_index_are_counted),
	KUNIT_CASE(a_page_leads_to_its_span_and_no_other),
	KUNIT_CASE(a_guess_is_right_or_finds_nothing),
	KUNIT_CASE(a_lookup_slot_ends_with_its_arena),
	KUNIT_CASE(the_arena_of_a_node_is_not_shared),
	KUNIT_CASE(an_arena_without_memory_for_it_is_not_made),
	KUNIT_CASE(a_killed_task_gets_an_arena),
	KUNIT_CASE(the_arenas_of_a_heap_are_found_until_it_ends),
	KUNIT_CASE(a_page_is_new_once),
	KUNIT_CASE(a_run_is_new_only_if_all_of_it_is),
	KUNIT_CASE(pages_that_were_passed_over_count_as_used),
	KUNIT_CASE(the_last_page_can_be_used),
	KUNIT_CASE(no_page_is_new_to_two_users),
	{}
};

static struct kunit_suite arena_suite = {
	.name = "goheap_arena",
	.init = arena_test_init,
	.exit = arena_test_exit,
	.test_cases = arena_cases,
};

kunit_test_suite(arena_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of arenas and their index");
MODULE_LICENSE("GPL");
