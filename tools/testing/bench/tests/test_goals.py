# SPDX-License-Identifier: GPL-2.0-only
"""A goal is met by its ratio, in the labs that it is for, and missed otherwise."""

import unittest

from made_up import guest, line

from goheapbench import goals


def judged(lines, **kwargs):
    """Words of the verdict by its ratio's name."""
    return {verdict.words: verdict for verdict in goals.verdicts([guest(lines, **kwargs)])}


class Ratios(unittest.TestCase):
    def pair(self, ours, lab="icount", **kwargs):
        return judged([line("pair", "floor", 40000), line("pair", "kmem_cache", 240000),
                       line("pair", "goheap_cache", ours)], lab=lab, **kwargs)

    def test_a_third_is_met_and_more_is_missed(self):
        words = "pair 64 B: goheap_cache / kmem_cache"
        self.assertTrue(self.pair(80000)[words].met)
        self.assertEqual(self.pair(80100)[words].verdict, "MISSED")

    def test_limits_differ_by_lab(self):
        words = "pair 64 B: goheap_cache / floor"
        self.assertFalse(self.pair(79000)[words].met)
        self.assertTrue(self.pair(79000, lab="um")[words].met)

    def test_guests_that_zero_memory_are_not_judged(self):
        self.assertEqual(self.pair(80000, parameters=""), {})

    def test_each_order_of_a_batch_is_judged(self):
        found = judged([line("batch", peer, ps, count=1024, order=order)
                        for order in ("lifo", "fifo", "random")
                        for peer, ps in (("kmem_cache", 300000), ("goheap_cache", 90000))])
        self.assertEqual(sum(verdict.met for verdict in found.values()), 3)

    def test_what_was_not_measured_is_not_met(self):
        found = judged([line("pair", "goheap_cache", 1), line("pair", "floor", 0)])
        self.assertEqual({verdict.verdict for verdict in found.values()}, {"not measured"})

    def test_throughput_is_the_inverse_of_time(self):
        found = judged([line("exchange", "kmem_cache", 600, shape="prodcons", cpus=4),
                        line("exchange", "goheap_cache", 400, shape="prodcons", cpus=4)], lab="vm")
        verdict = found["prodcons 64 B 4 CPUs: goheap_cache / kmem_cache"]
        self.assertTrue(verdict.met)


class Others(unittest.TestCase):
    def test_scaling_compares_speed_ups(self):
        times = {"kmem_cache": (400, 200), "goheap_cache": (100, 60)}
        found = judged([line("parallel", peer, ps, cpus=cpus)
                        for peer, both in times.items() for cpus, ps in zip((1, 4), both)],
                       lab="vm")
        (verdict,) = found.values()
        self.assertAlmostEqual(verdict.ratio, (100 / 60) / 2)
        self.assertEqual(verdict.verdict, "MISSED")

    def test_the_sweep_compares_the_largest_heap_with_the_smallest(self):
        found = judged([line("sweep", "pagealloc", ps, size=size, count=8)
                        for size, ps in ((64 << 20, 100), (1 << 30, 900), (64 << 30, 150))])
        self.assertTrue(found["span of 8 pages: heap of 64 GiB / of 64 MiB"].met)

    def test_memory_is_judged_from_16_mib_on(self):
        found = judged([line("memory", peer, 1, held=str(held), size=size)
                        for size, theirs in ((64, 32 << 20), (192, 8 << 20))
                        for peer, held in (("kmalloc", theirs), ("goheap_alloc", theirs + 1))])
        self.assertEqual(list(found), ["bytes held, memory 64 B: goheap_alloc / kmalloc"])

    def test_the_text_counts_what_is_met(self):
        text = goals.text([goals.Verdict("um um", "a", 0.5, 0.4),
                           goals.Verdict("um um", "b", 1.6, 1.5, at_least=True)])
        self.assertIn("MISSED", text)
        self.assertTrue(text.endswith("1 of 2 goals met\n"))


if __name__ == "__main__":
    unittest.main()
