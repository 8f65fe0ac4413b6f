// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vmem: address space, and the pages behind it.
 *
 * What is particular to the sparse back-end is skipped where it is not in use.
 */
#include "test_util.h"

#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

static unsigned int steps = 4000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "steps of the random run (default 4000)");

/**
 * struct vmem_test - what a case begins with
 * @area: one arena
 * @reserved: it is there
 * @committed: bytes committed before it was
 */
struct vmem_test {
	struct gh_vmem_area area;
	bool reserved;
	unsigned long committed;
};

static int vmem_test_init(struct kunit *test)
{
	struct vmem_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	int err;

	if (!t)
		return -ENOMEM;
	goheap_shrink();
	t->committed = gh_vmem_committed_bytes();
	err = gh_vmem_reserve(&t->area, 1, NUMA_NO_NODE);
	t->reserved = !err;
	test->priv = t;
	return err;
}

static void vmem_test_exit(struct kunit *test)
{
	struct vmem_test *t = test->priv;

	if (t && t->reserved) {
		gh_vmem_release(&t->area);
		KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), t->committed);
	}
}

static unsigned long base_of(struct kunit *test)
{
	return ((struct vmem_test *)test->priv)->area.base;
}

/* Bytes committed since the case began; of the arena itself if eager. */
static unsigned long grown(struct kunit *test)
{
	struct vmem_test *t = test->priv;

	return gh_vmem_committed_bytes() - t->committed;
}

static bool is_mapped(unsigned long addr)
{
	char c;

	return !copy_from_kernel_nofault(&c, (void *)addr, 1);
}

static void skip_unless_sparse(struct kunit *test)
{
	if (!gh_vmem_is_sparse())
		kunit_skip(test, "arenas are eager here");
}

static void commit(struct kunit *test, unsigned long addr, unsigned long npages)
{
	KUNIT_ASSERT_EQ(test, gh_vmem_commit(addr, npages * PAGE_SIZE,
					     GFP_KERNEL, NUMA_NO_NODE), 0);
}

static void decommit(unsigned long addr, unsigned long npages)
{
	struct gh_vmem_batch batch;

	gh_vmem_batch_init(&batch);
	gh_vmem_decommit(&batch, addr, npages * PAGE_SIZE);
	gh_vmem_batch_free(&batch);
}

/* ---- address space ------------------------------------------------------ */

static void a_reserved_arena_is_aligned_to_its_size(struct kunit *test)
{
	struct vmem_test *t = test->priv;
	unsigned long vm = (unsigned long)t->area.vm;

	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(t->area.base, GH_ARENA_SIZE));
	KUNIT_EXPECT_GE(test, t->area.base, vm);
	KUNIT_EXPECT_LE(test, t->area.base + GH_ARENA_SIZE,
			vm + 2 * GH_ARENA_SIZE);
	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr((void *)t->area.base));
}

static void reserving_takes_no_memory_unless_eager(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, grown(test),
			gh_vmem_is_sparse() ? 0UL : GH_ARENA_SIZE);
}

static void areas_do_not_overlap(struct kunit *test)
{
	struct vmem_test *t = test->priv;
	struct gh_vmem_area other;

	if (!gh_test_has_ram(2 * GH_ARENA_SIZE))
		kunit_skip(test, "not enough memory");
	KUNIT_ASSERT_EQ(test, gh_vmem_reserve(&other, 1, NUMA_NO_NODE), 0);
	KUNIT_EXPECT_NE(test, other.base, t->area.base);
	gh_vmem_release(&other);
}

static void a_run_may_cross_from_arena_to_arena(struct kunit *test)
{
	struct gh_vmem_area area;
	unsigned long border, *p;
	unsigned int i;

	if (!gh_vmem_is_sparse() && !gh_test_has_ram(4 * GH_ARENA_SIZE))
		kunit_skip(test, "not enough memory");
	KUNIT_ASSERT_EQ(test, gh_vmem_reserve(&area, 3, NUMA_NO_NODE), 0);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(area.base, GH_ARENA_SIZE));
	KUNIT_EXPECT_EQ(test, area.narenas, 3);
	for (i = 1; i < 3; i++) {
		border = area.base + i * GH_ARENA_SIZE;
		p = (unsigned long *)border;
		commit(test, border - 2 * PAGE_SIZE, 4);
		p[-1] = border;
		p[0] = ~border;
		KUNIT_EXPECT_EQ(test, p[-1], border);
		KUNIT_EXPECT_EQ(test, p[0], ~border);
		KUNIT_EXPECT_PTR_NE(test, vmalloc_to_page(p - 1),
				    vmalloc_to_page(p));
	}
	gh_vmem_release(&area);
}

static void failing_to_reserve_takes_nothing(struct kunit *test)
{
	unsigned long before = gh_vmem_committed_bytes();
	struct gh_vmem_area area;

	gh_fault_arm(GH_FAULT_VMAP, 1);
	KUNIT_EXPECT_EQ(test, gh_vmem_reserve(&area, 1, NUMA_NO_NODE), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), before);
}

static void release_frees_what_was_not_decommitted(struct kunit *test)
{
	struct vmem_test *t = test->priv;

	commit(test, t->area.base + GH_ARENA_SIZE - 300 * PAGE_SIZE, 300);
	commit(test, t->area.base, 1);
	gh_vmem_release(&t->area);
	t->reserved = false;
	KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), t->committed);
	/* Nor does anything stay mapped there. */
	if (gh_vmem_is_sparse())
		KUNIT_EXPECT_FALSE(test, gh_vmem_intact(&t->area));
	else
		KUNIT_EXPECT_NULL(test, vmalloc_to_page((void *)t->area.base));
}

/* As when vzalloc() gives up: that is a fault, and the task is not killed. */
static void a_killed_task_gets_zeroed_memory_or_nothing(struct kunit *test)
{
	static const enum gh_fault_point points[] = { GH_FAULT_PAGE, GH_FAULT_VMAP };
	unsigned int i;
	void *p;

	/* So large that kmemleak sees what is lost, which SLUB's caches hide. */
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		gh_fault_arm(GH_FAULT_KILLED, 1);
		gh_fault_arm(points[i], 1);
		KUNIT_EXPECT_NULL(test, gh_vmem_zalloc(SZ_8M));
		KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	}
	gh_fault_arm(GH_FAULT_KILLED, 1);
	p = gh_vmem_zalloc(SZ_64K);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, SZ_64K));
	vfree(p);
}

static void a_killed_task_gets_a_mapping_of_its_own(struct kunit *test)
{
	struct gh_vmem_map map;
	int err;

	gh_fault_arm(GH_FAULT_KILLED, 1);
	err = gh_vmem_map(&map, 2 * GH_PAGE_SIZE / PAGE_SIZE, GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_TRUE(test, gh_vmem_unmap(&map));
}

static void a_killed_task_gets_an_area(struct kunit *test)
{
	struct gh_vmem_area area;
	int err;

	if (!gh_vmem_is_sparse() && !gh_test_has_ram(2 * GH_ARENA_SIZE))
		kunit_skip(test, "not enough memory");
	gh_fault_arm(GH_FAULT_KILLED, 1);
	err = gh_vmem_reserve(&area, 1, NUMA_NO_NODE);
	/* A sparse one needs no table of its pages. */
	KUNIT_EXPECT_EQ(test, gh_fault_disarm(), !gh_vmem_is_sparse());
	KUNIT_ASSERT_EQ(test, err, 0);
	gh_vmem_release(&area);
}

/* If vzalloc() did not give up, nothing else is taken, which kmemleak would find. */
static void a_task_that_is_killed_gets_zeroed_memory(struct kunit *test)
{
	void *p;

	allow_kernel_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_TRUE(test, fatal_signal_pending(current));
	p = gh_vmem_zalloc(SZ_64K);
	flush_signals(current);
	disallow_signal(SIGKILL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, SZ_64K));
	vfree(p);
}

static void unmapping_by_others_is_noticed(struct kunit *test)
{
	struct vmem_test *t = test->priv;

	skip_unless_sparse(test);
	KUNIT_EXPECT_TRUE(test, gh_vmem_intact(&t->area));
	commit(test, t->area.base, 1);
	KUNIT_EXPECT_TRUE(test, gh_vmem_intact(&t->area));
	decommit(t->area.base, 1);
	/* As a client would that takes an object for kvmalloc()'s. */
	vfree((void *)t->area.base + 100 * PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, gh_vmem_intact(&t->area));
	t->reserved = false;
}

/* ---- commit ------------------------------------------------------------- */

static void nothing_is_mapped_before_it_is_committed(struct kunit *test)
{
	unsigned long base = base_of(test);
	unsigned long off;

	skip_unless_sparse(test);
	for (off = 0; off < GH_ARENA_SIZE; off += GH_ARENA_SIZE / 64) {
		KUNIT_EXPECT_FALSE(test, is_mapped(base + off));
		KUNIT_EXPECT_FALSE(test, gh_vmem_committed(base + off,
							   PAGE_SIZE));
	}
	KUNIT_EXPECT_FALSE(test, is_mapped(base + GH_ARENA_SIZE - 1));
}

static void committed_pages_hold_what_is_written(struct kunit *test)
{
	unsigned long addr = base_of(test) + 1000 * PAGE_SIZE;
	unsigned int i;

	commit(test, addr, 700);
	for (i = 0; i < 700; i++)
		gh_test_fill((void *)addr + i * PAGE_SIZE, PAGE_SIZE, i);
	for (i = 0; i < 700; i++)
		if (!gh_test_filled((void *)addr + i * PAGE_SIZE, PAGE_SIZE, i))
			break;
	KUNIT_EXPECT_EQ(test, i, 700);
	KUNIT_EXPECT_TRUE(test, gh_vmem_committed(addr, 700 * PAGE_SIZE));
	if (!gh_vmem_is_sparse())
		return;
	KUNIT_EXPECT_FALSE(test, is_mapped(addr - 1));
	KUNIT_EXPECT_FALSE(test, is_mapped(addr + 700 * PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, gh_vmem_committed(addr, 701 * PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, gh_vmem_committed(addr - PAGE_SIZE,
						   701 * PAGE_SIZE));
}

static void the_whole_arena_can_be_committed(struct kunit *test)
{
	unsigned long npages = GH_ARENA_SIZE / PAGE_SIZE;
	unsigned long i, *p = (unsigned long *)base_of(test);
	unsigned long words = PAGE_SIZE / sizeof(*p);

	if (!gh_test_has_ram(GH_ARENA_SIZE))
		kunit_skip(test, "not enough memory");
	commit(test, base_of(test), npages);
	KUNIT_EXPECT_EQ(test, grown(test), GH_ARENA_SIZE);
	/* Each page is there once: none shows through another's address. */
	for (i = 0; i < npages; i++)
		p[i * words] = i;
	for (i = 0; i < npages; i++)
		if (p[i * words] != i)
			break;
	KUNIT_EXPECT_EQ(test, i, npages);
}

static void an_eager_arena_is_zero_at_first(struct kunit *test)
{
	if (gh_vmem_is_sparse())
		kunit_skip(test, "arenas are sparse here");
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed((void *)base_of(test),
					       GH_ARENA_SIZE));
}

/* Leave pages with old contents where the page allocator finds them first. */
static void dirty_free_pages(struct kunit *test, unsigned int n)
{
	struct page **pages = kunit_kcalloc(test, n, sizeof(*pages),
					    GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < n; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (pages[i])
			gh_test_fill(page_address(pages[i]), PAGE_SIZE, i);
	}
	for (i = 0; i < n; i++)
		if (pages[i])
			__free_page(pages[i]);
}

static void zeroed_pages_are_zero(struct kunit *test)
{
	unsigned long addr = base_of(test);

	dirty_free_pages(test, 200);
	KUNIT_ASSERT_EQ(test, gh_vmem_commit(addr, 150 * PAGE_SIZE,
					     GFP_KERNEL | __GFP_ZERO,
					     NUMA_NO_NODE), 0);
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed((void *)addr, 150 * PAGE_SIZE));
}

static void committing_again_keeps_pages_and_contents(struct kunit *test)
{
	unsigned long addr = base_of(test) + 64 * PAGE_SIZE;
	struct page *page;

	commit(test, addr, 10);
	gh_test_fill((void *)addr, 10 * PAGE_SIZE, 7);
	page = vmalloc_to_page((void *)addr);
	KUNIT_ASSERT_EQ(test, gh_vmem_commit(addr - 20 * PAGE_SIZE,
					     50 * PAGE_SIZE,
					     GFP_KERNEL | __GFP_ZERO,
					     NUMA_NO_NODE), 0);
	KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)addr, 10 * PAGE_SIZE,
					       7));
	KUNIT_EXPECT_PTR_EQ(test, vmalloc_to_page((void *)addr), page);
	if (gh_vmem_is_sparse())
		KUNIT_EXPECT_EQ(test, grown(test), 50 * PAGE_SIZE);
}

static void commit_does_all_or_nothing(struct kunit *test)
{
	unsigned long addr = base_of(test);
	unsigned long some = addr + 45 * PAGE_SIZE;
	unsigned int nth, i, failed = 0;

	skip_unless_sparse(test);
	commit(test, some, 10);
	gh_test_fill((void *)some, 10 * PAGE_SIZE, 3);
	for (nth = 1; nth < 100; nth++) {
		int err;

		gh_fault_arm(GH_FAULT_PAGE, nth);
		err = gh_vmem_commit(addr, 200 * PAGE_SIZE, GFP_KERNEL,
				     NUMA_NO_NODE);
		if (!gh_fault_disarm()) {
			KUNIT_EXPECT_EQ(test, err, 0);
			break;
		}
		failed++;
		KUNIT_EXPECT_EQ(test, err, -ENOMEM);
		KUNIT_EXPECT_EQ(test, grown(test), 10 * PAGE_SIZE);
		for (i = 0; i < 200; i++)
			if (is_mapped(addr + i * PAGE_SIZE) !=
			    (i >= 45 && i < 55))
				break;
		KUNIT_EXPECT_EQ(test, i, 200);
		KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)some,
						       10 * PAGE_SIZE, 3));
	}
	KUNIT_EXPECT_GT(test, failed, 1);
	KUNIT_EXPECT_EQ(test, grown(test), 200 * PAGE_SIZE);
}

static unsigned long free_ram(void)
{
	struct sysinfo si;

	si_meminfo(&si);
	return si.freeram;
}

static void a_failed_commit_gives_its_pages_back(struct kunit *test)
{
	/* Blocks of 256, 128, 64 ... pages, the last of which is refused. */
	const unsigned long npages = 511, blocks = 9;
	unsigned long before, i, rounds = totalram_pages() / 3 / npages;

	skip_unless_sparse(test);
	before = free_ram();
	/* The last pages are not to be had, after most were. */
	for (i = 0; i < rounds; i++) {
		gh_fault_arm(GH_FAULT_PAGE, blocks);
		KUNIT_EXPECT_EQ(test, gh_vmem_commit(base_of(test),
						     npages * PAGE_SIZE,
						     GFP_KERNEL, NUMA_NO_NODE),
				-ENOMEM);
		KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	}
	/* The page allocator's CPUs keep up to 1/8 of memory, which is not free. */
	KUNIT_EXPECT_GT(test, free_ram() + npages * rounds / 2, before);
}

#ifdef GH_NR_VMALLOC

/* The system may not have added up the counters of CPUs, and has pages of its own. */
static void expect_counted(struct kunit *test, long npages)
{
	long n = global_node_page_state(GH_NR_VMALLOC);

	KUNIT_EXPECT_LE(test, abs(n - npages),
			250L * num_possible_cpus() * num_possible_nodes());
}

static void the_system_counts_what_is_mapped(struct kunit *test)
{
	const long npages = SZ_32M >> PAGE_SHIFT;
	long before = global_node_page_state(GH_NR_VMALLOC);
	struct gh_vmem_area area;
	struct gh_vmem_map map;

	if (!gh_test_has_ram(GH_ARENA_SIZE))
		kunit_skip(test, "not enough memory");
	KUNIT_ASSERT_EQ(test, gh_vmem_reserve(&area, 1, NUMA_NO_NODE), 0);
	if (gh_vmem_is_sparse()) {
		expect_counted(test, before);
		commit(test, area.base, npages);
		expect_counted(test, before + npages);
		decommit(area.base, npages);
		expect_counted(test, before);
		commit(test, area.base, npages);
	} else {
		expect_counted(test, before + GH_ARENA_SIZE / PAGE_SIZE);
	}
	gh_vmem_release(&area);
	expect_counted(test, before);

	KUNIT_ASSERT_EQ(test, gh_vmem_map(&map, npages, GFP_KERNEL,
					  NUMA_NO_NODE), 0);
	expect_counted(test, before + npages);
	gh_vmem_unmap(&map);
	expect_counted(test, before);
}

#else

static void the_system_counts_what_is_mapped(struct kunit *test)
{
	kunit_skip(test, "this kernel does not let us");
}

#endif

/* Where it is may be aligned or not, so have some of each. */
static void nothing_is_on_either_side_of_a_mapping(struct kunit *test)
{
	const unsigned long npages = 2 * GH_PAGE_SIZE / PAGE_SIZE;
	struct gh_vmem_map map[8];
	unsigned int i;

	skip_unless_sparse(test);
	for (i = 0; i < ARRAY_SIZE(map); i++) {
		KUNIT_ASSERT_EQ(test, gh_vmem_map(&map[i], npages, GFP_KERNEL, NUMA_NO_NODE), 0);
		KUNIT_EXPECT_FALSE(test, is_mapped(map[i].base - PAGE_SIZE));
		KUNIT_EXPECT_FALSE(test, is_mapped(map[i].base + (npages << PAGE_SHIFT)));
	}
	while (i)
		KUNIT_EXPECT_TRUE(test, gh_vmem_unmap(&map[--i]));
}

static void a_mapping_can_be_had_elsewhere(struct kunit *test)
{
	const unsigned long npages = 4 * GH_PAGE_SIZE / PAGE_SIZE;
	struct gh_vmem_map map, before;
	unsigned long i, committed;
	u8 *p, *q;

	KUNIT_ASSERT_EQ(test, gh_vmem_map(&map, npages, GFP_KERNEL, NUMA_NO_NODE), 0);
	before = map;
	p = (u8 *)map.base;
	for (i = 0; i < npages; i++)
		p[i * PAGE_SIZE] = i;
	committed = gh_vmem_committed_bytes();

	gh_fault_arm(GH_FAULT_VMAP, 1);
	KUNIT_EXPECT_NULL(test, gh_vmem_map_elsewhere(&map));
	KUNIT_EXPECT_TRUE(test, gh_fault_disarm());
	KUNIT_ASSERT_EQ(test, map.base, before.base);

	KUNIT_ASSERT_PTR_EQ(test, gh_vmem_map_elsewhere(&map), before.vm);
	q = (u8 *)map.base;
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(map.base, GH_PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, gh_vmem_committed_bytes(), committed);
	for (i = 0; i < npages; i++)
		q[i * PAGE_SIZE]++;
	for (i = 0; i < npages; i++)
		KUNIT_EXPECT_EQ(test, p[i * PAGE_SIZE], i + 1);

	gh_vmem_unmap_others(&before.vm, 1);
	KUNIT_EXPECT_TRUE(test, gh_vmem_unmap(&map));
}

static void commit_works_with_interrupts_off(struct kunit *test)
{
	unsigned long addr = base_of(test);
	unsigned long flags;
	int err;

	local_irq_save(flags);
	err = gh_vmem_commit(addr, 40 * PAGE_SIZE, GFP_ATOMIC, NUMA_NO_NODE);
	local_irq_restore(flags);
	if (IS_ENABLED(CONFIG_PREEMPT_RT) && gh_vmem_is_sparse()) {
		KUNIT_EXPECT_EQ(test, err, -ENOMEM);
		return;
	}
	KUNIT_ASSERT_EQ(test, err, 0);
	gh_test_fill((void *)addr, 40 * PAGE_SIZE, 1);
	KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)addr, 40 * PAGE_SIZE,
					       1));
}

static void pages_are_from_the_node_that_was_named(struct kunit *test)
{
	unsigned long addr = base_of(test);
	int nid;

	skip_unless_sparse(test);
	if (num_node_state(N_MEMORY) < 2)
		kunit_skip(test, "one NUMA node");
	for_each_node_state(nid, N_MEMORY) {
		unsigned int i;

		KUNIT_ASSERT_EQ(test, gh_vmem_commit(addr, 20 * PAGE_SIZE,
						     GFP_KERNEL, nid), 0);
		for (i = 0; i < 20; i++) {
			void *p = (void *)addr + i * PAGE_SIZE;

			KUNIT_EXPECT_EQ(test, page_to_nid(vmalloc_to_page(p)),
					nid);
		}
		decommit(addr, 20);
	}
}

/* ---- decommit ----------------------------------------------------------- */

static void a_decommitted_address_faults(struct kunit *test)
{
	unsigned long addr = base_of(test) + 100 * PAGE_SIZE;

	skip_unless_sparse(test);
	commit(test, addr, 10);
	gh_test_fill((void *)addr, 10 * PAGE_SIZE, 1);
	decommit(addr + 2 * PAGE_SIZE, 5);
	KUNIT_EXPECT_TRUE(test, is_mapped(addr + 2 * PAGE_SIZE - 1));
	KUNIT_EXPECT_FALSE(test, is_mapped(addr + 2 * PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, is_mapped(addr + 7 * PAGE_SIZE - 1));
	KUNIT_EXPECT_TRUE(test, is_mapped(addr + 7 * PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)addr, 2 * PAGE_SIZE, 1));
	KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)addr + 7 * PAGE_SIZE,
					       3 * PAGE_SIZE, 1));
}

static void a_decommitted_run_can_be_committed_again(struct kunit *test)
{
	unsigned long addr = base_of(test);
	unsigned int i;

	skip_unless_sparse(test);
	for (i = 0; i < 5; i++) {
		KUNIT_ASSERT_EQ(test, gh_vmem_commit(addr, 30 * PAGE_SIZE,
						     GFP_KERNEL | __GFP_ZERO,
						     NUMA_NO_NODE), 0);
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed((void *)addr,
						       30 * PAGE_SIZE));
		gh_test_fill((void *)addr, 30 * PAGE_SIZE, i);
		decommit(addr, 30);
		KUNIT_EXPECT_EQ(test, grown(test), 0);
	}
}

static void a_batch_collects_runs_and_is_empty_when_freed(struct kunit *test)
{
	unsigned long addr = base_of(test);
	struct gh_vmem_batch batch;

	skip_unless_sparse(test);
	commit(test, addr, 10);
	commit(test, addr + 50 * PAGE_SIZE, 10);
	gh_vmem_batch_init(&batch);
	KUNIT_EXPECT_EQ(test, gh_vmem_batch_free(&batch), 0);
	gh_vmem_decommit(&batch, addr, 5 * PAGE_SIZE);
	gh_vmem_decommit(&batch, addr + 55 * PAGE_SIZE, 100 * PAGE_SIZE);
	/* Empty places add nothing. */
	gh_vmem_decommit(&batch, addr + 1000 * PAGE_SIZE, 10 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, batch.npages, 10);
	/* They count until nobody can reach them. */
	KUNIT_EXPECT_EQ(test, grown(test), 20 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_vmem_batch_free(&batch), 10);
	KUNIT_EXPECT_EQ(test, batch.npages, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&batch.pages));
	KUNIT_EXPECT_EQ(test, gh_vmem_batch_free(&batch), 0);
	KUNIT_EXPECT_EQ(test, grown(test), 10 * PAGE_SIZE);
}

static void eager_arenas_keep_their_pages(struct kunit *test)
{
	unsigned long addr = base_of(test);

	if (gh_vmem_is_sparse())
		kunit_skip(test, "arenas are sparse here");
	gh_test_fill((void *)addr, 10 * PAGE_SIZE, 1);
	decommit(addr, 10);
	KUNIT_EXPECT_EQ(test, grown(test), GH_ARENA_SIZE);
	KUNIT_EXPECT_TRUE(test, gh_vmem_committed(addr, 10 * PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, gh_test_filled((void *)addr, 10 * PAGE_SIZE,
					       1));
}

/* ---- other CPUs' views -------------------------------------------------- */

#define VIEW_PAGES	16

/**
 * struct view - what a CPU sees at some pages
 * @addr: the first
 * @seen: first word of each
 */
struct view {
	unsigned long addr;
	unsigned long seen[VIEW_PAGES];
};

static void look(void *arg)
{
	struct view *v = arg;
	unsigned int i;

	for (i = 0; i < VIEW_PAGES; i++)
		v->seen[i] = READ_ONCE(*(unsigned long *)(v->addr +
							  i * PAGE_SIZE));
}

/* How many CPUs see something else than @tag + i in the ith page. */
static unsigned int wrong_views(struct view *v, unsigned long tag)
{
	unsigned int cpu, i, wrong = 0;

	for_each_online_cpu(cpu) {
		memset(v->seen, 0, sizeof(v->seen));
		if (smp_call_function_single(cpu, look, v, 1))
			continue;
		for (i = 0; i < VIEW_PAGES; i++)
			if (v->seen[i] != tag + i)
				break;
		wrong += i < VIEW_PAGES;
	}
	return wrong;
}

/* Write past the address at hand, so as not to touch this CPU's TLB. */
static void tag_pages(unsigned long addr, unsigned long tag)
{
	unsigned int i;

	for (i = 0; i < VIEW_PAGES; i++) {
		void *p = (void *)addr + i * PAGE_SIZE;

		*(unsigned long *)page_address(vmalloc_to_page(p)) = tag + i;
	}
}

static void no_cpu_sees_a_page_that_was_decommitted(struct kunit *test)
{
	unsigned long addr = base_of(test) + 777 * PAGE_SIZE;
	struct view *v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);
	unsigned int round, i;

	skip_unless_sparse(test);
	KUNIT_ASSERT_NOT_NULL(test, v);
	v->addr = addr;
	for (round = 1; round <= 8; round++) {
		unsigned long tag = round * 1000;
		struct page *soak[4 * VIEW_PAGES];

		commit(test, addr, VIEW_PAGES);
		tag_pages(addr, tag);
		/* From now on every CPU's TLB knows these pages. */
		KUNIT_EXPECT_EQ(test, wrong_views(v, tag), 0);
		decommit(addr, VIEW_PAGES);
		/* Let others come here, not the same ones again. */
		for (i = 0; i < ARRAY_SIZE(soak); i++)
			soak[i] = alloc_page(GFP_KERNEL);
		commit(test, addr, VIEW_PAGES);
		tag_pages(addr, tag + 500);
		KUNIT_EXPECT_EQ(test, wrong_views(v, tag + 500), 0);
		decommit(addr, VIEW_PAGES);
		for (i = 0; i < ARRAY_SIZE(soak); i++)
			if (soak[i])
				__free_page(soak[i]);
	}
}

static void pages_are_not_freed_before_the_flush(struct kunit *test)
{
	unsigned long addr = base_of(test);
	struct gh_vmem_batch batch;
	struct page *page;

	skip_unless_sparse(test);
	commit(test, addr, 1);
	page = vmalloc_to_page((void *)addr);
	gh_vmem_batch_init(&batch);
	gh_vmem_decommit(&batch, addr, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, is_mapped(addr) &&
			   vmalloc_to_page((void *)addr));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_PTR_EQ(test, list_first_entry(&batch.pages, struct page,
						   lru), page);
	gh_vmem_batch_free(&batch);
}

/* ---- random runs -------------------------------------------------------- */

#define MODEL_PAGES	256

static bool model_agrees(struct kunit *test, const u8 *model)
{
	unsigned long addr = base_of(test);
	unsigned long n = 0, i;

	for (i = 0; i < MODEL_PAGES; i++) {
		if (gh_vmem_committed(addr + i * PAGE_SIZE, PAGE_SIZE) !=
		    !!model[i])
			return false;
		if (model[i] && *(u8 *)(addr + i * PAGE_SIZE) != model[i])
			return false;
		n += !!model[i];
	}
	return grown(test) == n * PAGE_SIZE;
}

static void random_steps_match_the_model(struct kunit *test)
{
	unsigned long addr = base_of(test);
	u8 *model = kunit_kzalloc(test, MODEL_PAGES, GFP_KERNEL);
	struct gh_vmem_batch batch;
	struct rnd_state rnd;
	unsigned int step;

	skip_unless_sparse(test);
	KUNIT_ASSERT_NOT_NULL(test, model);
	prandom_seed_state(&rnd, 3);
	gh_vmem_batch_init(&batch);
	for (step = 0; step < steps; step++) {
		u32 r = prandom_u32_state(&rnd);
		unsigned int page = r % MODEL_PAGES;
		unsigned int n = min((r >> 8) % 32 + 1, MODEL_PAGES - page);
		unsigned long at = addr + page * PAGE_SIZE;
		u8 tag = step % 255 + 1;

		if (r >> 31) {
			gh_vmem_decommit(&batch, at, n * PAGE_SIZE);
			memset(model + page, 0, n);
		} else {
			/* Nothing of a batch may be committed before its end. */
			gh_vmem_batch_free(&batch);
			if (gh_vmem_commit(at, n * PAGE_SIZE, GFP_KERNEL,
					   NUMA_NO_NODE))
				break;
			memset(model + page, tag, n);
			while (n--)
				*(u8 *)(at + n * PAGE_SIZE) = tag;
		}
		if (step % 64 == 0) {
			gh_vmem_batch_free(&batch);
			if (!model_agrees(test, model))
				break;
		}
	}
	gh_vmem_batch_free(&batch);
	KUNIT_EXPECT_EQ(test, step, steps);
	KUNIT_EXPECT_TRUE(test, model_agrees(test, model));
}

static struct kunit_case vmem_cases[] = {
	KUNIT_CASE(a_reserved_arena_is_aligned_to_its_size),
	KUNIT_CASE(reserving_takes_no_memory_unless_eager),
	KUNIT_CASE(areas_do_not_overlap),
	KUNIT_CASE(a_run_may_cross_from_arena_to_arena),
	KUNIT_CASE(failing_to_reserve_takes_nothing),
	KUNIT_CASE(release_frees_what_was_not_decommitted),
	KUNIT_CASE(a_killed_task_gets_zeroed_memory_or_nothing),
	KUNIT_CASE(a_killed_task_gets_a_mapping_of_its_own),
	KUNIT_CASE(a_killed_task_gets_an_area),
	KUNIT_CASE(a_task_that_is_killed_gets_zeroed_memory),
	KUNIT_CASE(unmapping_by_others_is_noticed),
	KUNIT_CASE(nothing_is_mapped_before_it_is_committed),
	KUNIT_CASE(committed_pages_hold_what_is_written),
	KUNIT_CASE(the_whole_arena_can_be_committed),
	KUNIT_CASE(an_eager_arena_is_zero_at_first),
	KUNIT_CASE(zeroed_pages_are_zero),
	KUNIT_CASE(committing_again_keeps_pages_and_contents),
	KUNIT_CASE(commit_does_all_or_nothing),
	KUNIT_CASE(a_failed_commit_gives_its_pages_back),
	KUNIT_CASE(the_system_counts_what_is_mapped),
	KUNIT_CASE(nothing_is_on_either_side_of_a_mapping),
	KUNIT_CASE(a_mapping_can_be_had_elsewhere),
	KUNIT_CASE(commit_works_with_interrupts_off),
	KUNIT_CASE(pages_are_from_the_node_that_was_named),
	KUNIT_CASE(a_decommitted_address_faults),
	KUNIT_CASE(a_decommitted_run_can_be_committed_again),
	KUNIT_CASE(a_batch_collects_runs_and_is_empty_when_freed),
	KUNIT_CASE(eager_arenas_keep_their_pages),
	KUNIT_CASE(no_cpu_sees_a_page_that_was_decommitted),
	KUNIT_CASE(pages_are_not_freed_before_the_flush),
	KUNIT_CASE(random_steps_match_the_model),
	{}
};

static struct kunit_suite vmem_suite = {
	.name = "goheap_vmem",
	.init = vmem_test_init,
	.exit = vmem_test_exit,
	.test_cases = vmem_cases,
};

kunit_test_suite(vmem_suite);

GH_IMPORT_TEST_SYMBOLS();
MODULE_DESCRIPTION("goheap: tests of address space and the pages behind it");
MODULE_LICENSE("GPL");
