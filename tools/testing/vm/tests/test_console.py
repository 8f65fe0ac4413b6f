# SPDX-License-Identifier: GPL-2.0-only
"""The log checker must see everything it is there to see, and nothing else."""

import unittest

from goheapvm import console

STAMP = "[   12.345678] "

BAD_LINES = (
    "WARNING: CPU: 0 PID: 1 at mm/slub.c:3 foo+0x1/0x2 [goheap]",
    "WARNING: mm/goheap.c:12 at gh_free+0x3/0x9 [goheap], CPU#1: insmod/77",
    "------------[ cut here ]------------",
    "BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "BUG: unable to handle page fault for address: ffffc90000000000",
    "BUG: sleeping function called from invalid context at mm/page_alloc.c:1",
    "BUG: scheduling while atomic: insmod/77/0x00000002",
    "BUG: using smp_processor_id() in preemptible [00000000] code: insmod/77",
    "BUG: Bad page state in process insmod  pfn:12345",
    "BUG: Bad page map in process a  pte:1 pmd:2",
    "BUG: Bad rss-counter state mm:1 type:MM_FILEPAGES val:1",
    "BUG: KASAN: slab-out-of-bounds in foo+0x1/0x2",
    "BUG: KASAN: vmalloc-out-of-bounds in foo+0x1/0x2",
    "BUG: KASAN: stack-out-of-bounds in foo+0x1/0x2",
    "BUG: spinlock bad magic on CPU#0, insmod/77",
    "BUG: workqueue lockup - pool cpus=0",
    "kernel BUG at mm/slub.c:435!",
    "Oops: 0000 [#1] PREEMPT SMP KASAN NOPTI",
    "Oops: general protection fault, probably for non-canonical address",
    "general protection fault, probably for non-canonical address 0xdead",
    "Unable to handle kernel paging request at virtual address 8",
    "Kernel panic - not syncing: Fatal exception",
    "WARNING: possible circular locking dependency detected",
    "WARNING: possible recursive locking detected",
    "WARNING: inconsistent lock state",
    "possible irq lock inversion dependency detected",
    "[ BUG: Invalid wait context ]",
    "WARNING: bad unlock balance detected!",
    "WARNING: suspicious RCU usage",
    "UBSAN: shift-out-of-bounds in mm/goheap.c:1:2",
    "BUG: KFENCE: use-after-free read in foo",
    "kmemleak: unreferenced object 0xffff888100000000 (size 64):",
    "unreferenced object 0xffff888100000000 (size 64):",
    "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "INFO: task insmod:77 blocked for more than 120 seconds.",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [insmod:77]",
    "list_add corruption. prev->next should be next",
    "list_del corruption, ffff888 is LIST_POISON1",
    "refcount_t: underflow; use-after-free.",
    "usercopy: Kernel memory exposure attempt detected",
    "ODEBUG: free active (active state 0) object: 1 object type: timer_list",
    "Out of memory: Killed process 77 (a)",
    "INFO: trying to register non-static key.",
    "BUG: MAX_LOCKDEP_CHAINS too low!",
    "1 lock held by insmod/77:",
    "huh, entered softirq 1 TIMER with preempt_count 00000100, exited with 00000101?",
    "initcall gh_init+0x0/0x10 [goheap] returned with preemption imbalance",
    "sysfs: cannot create duplicate filename '/kernel/slab/x'",
    "debugfs: Directory 'goheap' with parent '/' already present!",
    "debugfs: 'goheap' already exists in '/'",
    "BUG kmalloc-64 (Tainted: G           O): Redzone overwritten",
    "BUG goheap (Tainted: G): Objects remaining in goheap on __kmem_cache_shutdown()",
    "goheap: Unknown symbol foo (err -2)",
    "goheap-vm: goheap.ko failed to unload",
    "goheap-vm: kunit failed to load mcache_kunit",
)

EXPECTABLE_LINES = (
    "goheap: bad free: double free of object 00000000c0ffee00",
    "goheap: cache leak: cache gh_test has 3 objects",
    "goheap: unload leak: 2 spans in use",
    "goheap: refused: GFP_DMA",
    "Call Trace:",
    "insmod: page allocation failure: order:0, mode:0x0(), nodemask=(null)",
)

GOOD_LINES = (
    "no locks held by insmod/77.",
    "goheap: loading out-of-tree module taints kernel.",
    "goheap: module verification failed: signature and/or required key missing - tainting kernel",
    "goheap: 3 arenas reserved",
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on",
    "x86/mm: Checked W+X mappings: passed, no W+X pages found.",
    "ok 7 bad frees are reported and survived",
    "Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar",
    "RCU CPU stall warnings timeout set to 21",
    "kasan: KernelAddressSanitizer initialized (generic)",
    "kmemleak: Kernel memory leak detector initialized (mem pool available: 1)",
    "Page Table Check: initialized",
    "clocksource: Marking clocksource 'tsc' as unstable because the skew is too large",
    "... MAX_LOCKDEP_CHAINS:      65536",
    "stackdepot: allocating hash table of 1048576 entries",
)


def window(line):
    return [STAMP + "goheap-expect: begin\n", STAMP + line, STAMP + "goheap-expect: end\n"]


class Forbidden(unittest.TestCase):
    """One generated test a line, so that each is counted and named."""


def must_flag(line):
    def test(self):
        self.assertEqual(len(console.check([STAMP + line])), 1)
        self.assertEqual(len(console.check([line + "\r\n"])), 1)
        self.assertEqual(len(console.check(window(line))), 1, "an open window must not hide it")
    return test


def must_flag_outside(line):
    def test(self):
        self.assertEqual(len(console.check([STAMP + line])), 1)
        self.assertEqual(console.check(window(line)), [])
    return test


def must_pass(line):
    def test(self):
        self.assertEqual(console.check([STAMP + line]), [])
    return test


def generate(prefix, maker, lines):
    for number, line in enumerate(lines, 1):
        setattr(Forbidden, f"test_{prefix}_{number:02}", maker(line))


generate("forbidden", must_flag, BAD_LINES)
generate("expectable", must_flag_outside, EXPECTABLE_LINES)
generate("harmless", must_pass, GOOD_LINES)


RULER = "=" * 66


class Races(unittest.TestCase):
    """A race is ours if one of our modules has a part in it."""

    def report(self, header, *frames, after=(RULER,)):
        lines = [RULER, f"BUG: KCSAN: {header}", "", "read to 0xffff888001 of 8 bytes by task 7 on cpu 0:",
                 *frames, "", "Reported by Kernel Concurrency Sanitizer on:",
                 "CPU: 0 UID: 0 PID: 7 Comm: goheap-top Tainted: G           O", *after]
        return [STAMP + line + "\r\n" for line in lines]

    def count(self, lines):
        return [(found.line, found.what) for found in console.check(lines)]

    def test_race_of_the_kernel_passes(self):
        self.assertEqual(self.count(self.report("data-race in a / b", " a+0x1/0x2", " c+0x3/0x4")), [])

    def test_race_of_ours_is_flagged(self):
        lines = self.report("data-race in gh_a [goheap] / gh_b [goheap]")
        self.assertEqual(self.count(lines), [(2, "data race")])
        self.assertEqual(self.count(window("x") + lines), [(5, "data race")])

    def test_race_below_ours_is_flagged(self):
        for module in ("goheap", "goheap_stress", "mcache_kunit", "goheap 0123456789abcdef"):
            lines = self.report("data-race in a / b", " a+0x1/0x2", f" c+0x3/0x4 [{module}]")
            self.assertEqual(self.count(lines), [(2, "data race")], module)

    def test_bystander_is_no_part_of_it(self):
        frames = (" __vmalloc+0x1/0x2", " gh_a+0x3/0x4 [goheap]")
        lines = self.report("data-race in __vmalloc / kthread_is_per_cpu", *frames)
        self.assertEqual(self.count(lines), [])
        for title in ("gh_a [goheap] / kthread_data", "hrtimer_wakeup / do_sleep"):
            self.assertEqual(self.count(self.report("data-race in " + title, *frames)), [])
        lines = self.report("data-race in __vmalloc / not_kthread_is_per_cpu", *frames)
        self.assertEqual(self.count(lines), [(2, "data race")])

    def test_race_with_another_module_passes(self):
        self.assertEqual(self.count(self.report("data-race in a / b [ext4]", " b+0x3/0x4 [ext4]")), [])

    def test_window_does_not_hide_it(self):
        lines = self.report("data-race in gh_a [goheap] / a")
        lines = [STAMP + "goheap-expect: begin", *lines, STAMP + "goheap-expect: end"]
        self.assertEqual(self.count(lines), [(3, "data race")])

    def test_reports_are_told_apart(self):
        ours = self.report("data-race in gh_a [goheap] / a")
        other = self.report("data-race in a / b", " a+0x1/0x2")
        self.assertEqual(len(self.count(other + ours + other + ours)), 2)

    def test_report_ends(self):
        """What comes after the last line is no part of it."""
        lines = self.report("data-race in a / b", " a+0x1/0x2") + [" gh_a+0x1/0x2 [goheap]"]
        self.assertEqual(self.count(lines), [])

    def test_report_cut_short_is_judged(self):
        lines = self.report("data-race in a / b", " gh_a+0x1/0x2 [goheap]", after=())
        self.assertEqual(self.count(lines), [(2, "data race")])

    def test_other_findings_within_are_seen(self):
        lines = self.report("data-race in a / b", "BUG: scheduling while atomic: a/7/0x2")
        self.assertEqual(self.count(lines), [(5, "bug")])


class Windows(unittest.TestCase):
    """What a test may get wrong about its own markers."""

    def test_window_that_never_ends_is_flagged(self):
        self.assertEqual(len(console.check(["goheap-expect: begin", "fine"])), 1)

    def test_window_that_never_began_is_flagged(self):
        self.assertEqual(len(console.check(["goheap-expect: end"])), 1)

    def test_window_in_a_window_is_flagged(self):
        lines = ["goheap-expect: begin", "goheap-expect: begin", "goheap-expect: end"]
        self.assertEqual(len(console.check(lines)), 1)

    def test_calls_that_may_sleep_have_a_window_of_their_own(self):
        line = STAMP + "BUG: sleeping function called from invalid context at a.h:1"
        begin, end = window("")[::2]
        special = begin.replace("begin", "begin sleep")
        self.assertEqual(console.check([special, line, end]), [])
        self.assertEqual(len(console.check([begin, line, end, line])), 2)
        self.assertEqual(len(console.check([special, STAMP + "BUG: x", end, line])), 2)
        self.assertEqual(len(console.check([special, end, begin, line, end])), 1)

    def test_report_after_the_window_is_flagged(self):
        lines = window("goheap: bad free: x") + [STAMP + "goheap: bad free: y"]
        self.assertEqual([f.line for f in console.check(lines)], [4])


class OfUserModeLinux(unittest.TestCase):
    """Reports about user-mode Linux itself concern no module."""
    REPORT = (STAMP + "WARNING: suspicious RCU usage",
              STAMP + "kernel/rcu/tree.c:3163 Callback enqueued on offline CPU!!",
              STAMP + "1 lock held by x/2:",
              STAMP + "Call Trace:",
              STAMP + " [<6004a096>] ? dump_stack_lvl+0xd9/0x108",
              STAMP + " [<6005cba6>] ? os_start_secondary+0x66/0xd0")
    FLUSH = (REPORT[0],
             STAMP + "lib/maple_tree.c:759 suspicious rcu_dereference_check() usage!",
             *REPORT[2:5],
             STAMP + " [<6004f62c>] ? flush_tlb_mm+0x7c/0xd0")

    def flagged(self, *lines):
        return [f.line for f in console.check(lines)]

    def test_the_known_ones_pass(self):
        self.assertEqual(self.flagged(*self.REPORT, *self.FLUSH), [])

    def test_the_same_complaint_elsewhere_is_flagged(self):
        self.assertEqual(self.flagged(*self.REPORT[:5]), [1, 3, 4])
        self.assertEqual(self.flagged(*self.FLUSH[:5]), [1, 3, 4])

    def test_another_complaint_there_is_flagged(self):
        self.assertEqual(self.flagged(self.REPORT[0], *self.REPORT[2:]), [1, 2, 3])

    def test_another_report_does_not_lend_its_function(self):
        self.assertEqual(self.flagged(*self.FLUSH[:5], *self.REPORT, self.FLUSH[5]),
                         [1, 3, 4])

    def test_what_is_said_before_and_after_is_flagged(self):
        self.assertEqual(self.flagged(STAMP + "WARNING: at x", *self.REPORT,
                                      STAMP + "WARNING: at y"), [1, 8])

    def test_a_report_without_a_trace_is_flagged(self):
        self.assertEqual(self.flagged(self.REPORT[0], self.REPORT[1], self.REPORT[5]), [1])


class PowerDown(unittest.TestCase):
    """What a kernel says when it is down concerns nobody."""

    def test_what_follows_passes(self):
        lines = [STAMP + "reboot: Power down\r\n", STAMP + "WARNING: at set_task_cpu+0x4b7"]
        self.assertEqual(console.check(lines), [])

    def test_what_precedes_is_flagged(self):
        lines = [STAMP + "WARNING: at x", STAMP + "reboot: Power down"]
        self.assertEqual(len(console.check(lines)), 1)

    def test_what_only_names_it_changes_nothing(self):
        lines = [STAMP + "reboot: Power down soon", STAMP + "WARNING: at x"]
        self.assertEqual(len(console.check(lines)), 1)


if __name__ == "__main__":
    unittest.main()
