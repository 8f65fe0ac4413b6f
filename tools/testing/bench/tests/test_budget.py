# SPDX-License-Identifier: GPL-2.0-only
"""The budget notices what is slower, whatever it was counted with."""

import contextlib
import io
import unittest

from made_up import guest, line

from goheapbench import budget
from goheapvm.util import Failure


def counts(floor=47000, pair=70000, **where):
    return budget.measured([guest([
        line("pair", "floor", floor), line("pair", "goheap_cache", pair),
        line("pair", "kmem_cache", 226000),
        line("bulk", "goheap_cache", 30000, count=64),
        line("batch", "goheap_cache", 99000, count=65536, order="lifo")], **where)])


def compare(allowed, found):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        failed = budget.compare(allowed, found)
    return failed, out.getvalue()


class Comparing(unittest.TestCase):
    def test_only_goheap_and_the_floor_are_budgeted(self):
        self.assertEqual([str(key) for key in counts().counts],
                         ["6.1 floor pair 64 B", "6.1 goheap_cache pair 64 B",
                          "6.1 goheap_cache bulk 64 64 B"])

    def test_equal_counts_pass(self):
        failed, text = compare(counts(), counts())
        self.assertEqual(failed, 0)
        self.assertEqual(text.splitlines()[-1], "3 passed, 0 failed")

    def test_the_margin_is_three_percent(self):
        self.assertEqual(compare(counts(), counts(pair=72000))[0], 0)
        failed, text = compare(counts(), counts(pair=72200))
        self.assertEqual(failed, 1)
        self.assertIn("FAILED", text)
        self.assertEqual(text.splitlines()[-1], "2 passed, 1 failed")

    def test_faster_passes_and_asks_for_a_lower_budget(self):
        failed, text = compare(counts(), counts(pair=60000))
        self.assertEqual(failed, 0)
        self.assertIn("lower the budget", text)

    def test_a_shape_that_is_not_measured_fails(self):
        found = counts()
        found.counts.popitem()
        self.assertEqual(compare(counts(), found)[0], 1)

    def test_a_shape_that_is_not_budgeted_fails(self):
        allowed = counts()
        allowed.counts.popitem()
        self.assertEqual(compare(allowed, counts())[0], 1)

    def test_a_series_without_budget_fails(self):
        self.assertEqual(compare(counts(), counts(release="6.12.1"))[0], 1)


class Sections(unittest.TestCase):
    """What the stepped calls keep others waiting for."""
    BOUNDS = {("irqs_off", "*"): 5000, ("all", "*"): 50000, ("all", "bulk-masked"): 400000}

    @staticmethod
    def counts(irqs_off=4000, masked=20000, bulk=300000, locked=1300):
        return budget.measured([guest([
            line("sections", "irqs_off", irqs_off * 1000, shape="alloc", count=4096),
            line("sections", "kernel_irqs_off", 9000000, shape="alloc", count=4096),
            line("sections", "all", 300000000, shape="alloc", count=4096),
            line("sections", "all", masked * 1000, shape="alloc-masked"),
            line("sections", "all", bulk * 1000, shape="bulk-masked"),
            line("shared", "goheap_cache", locked, shape="larson-locked"),
            line("shared", "goheap_cache", 60000, shape="larson-all"),
            line("shared", "kmem_cache", 33000, shape="larson-locked")], lab="step")])

    def allowed(self, **kinds):
        allowed = self.counts(**kinds)
        allowed.bounds = dict(self.BOUNDS)
        return allowed

    def test_only_what_is_goheaps_own_is_budgeted(self):
        self.assertEqual([(key.shape, key.peer) for key in self.counts().counts],
                         [("larson-locked", "goheap_cache")])
        self.assertEqual([(key.shape, key.peer) for key in self.counts().sections],
                         [("alloc", "irqs_off"), ("alloc-masked", "all"), ("bulk-masked", "all")])

    def test_a_bound_may_be_reached_but_not_passed(self):
        self.assertEqual(compare(self.allowed(), self.counts(irqs_off=5000))[0], 0)
        failed, text = compare(self.allowed(), self.counts(irqs_off=5001))
        self.assertEqual(failed, 1)
        self.assertIn("bound 5000", text)

    def test_a_call_may_have_a_bound_of_its_own(self):
        self.assertEqual(compare(self.allowed(), self.counts(masked=50001))[0], 1)
        self.assertEqual(compare(self.allowed(), self.counts(bulk=400000))[0], 0)
        self.assertEqual(compare(self.allowed(), self.counts(bulk=400001))[0], 1)

    def test_a_column_without_bound_fails(self):
        self.assertEqual(compare(self.counts(), self.counts())[0], 3)

    def test_few_instructions_of_a_pair_do_not_matter(self):
        self.assertEqual(compare(self.allowed(locked=0), self.counts(locked=1000))[0], 0)
        self.assertEqual(compare(self.allowed(locked=0), self.counts(locked=1200))[0], 1)

    def test_bounds_are_kept_when_counts_are_renewed(self):
        allowed = self.allowed()
        allowed.replace(self.counts(locked=1000))
        again = budget.parse(allowed.text())
        self.assertEqual(again.bounds, self.BOUNDS)
        self.assertEqual(again.sections, {})


class OtherBuilds(unittest.TestCase):
    """Another point release or compiler: a wider margin, and the floor as a measure."""
    HERE = {"release": "6.1.0-99-cloud-amd64"}

    def test_a_little_more_passes_and_the_build_is_named(self):
        failed, text = compare(counts(), counts(pair=75000, **self.HERE))
        self.assertEqual(failed, 0)
        self.assertIn("6.1.0-99-cloud-amd64", text)

    def test_another_configuration_is_another_build(self):
        found = counts(pair=75000, build="6.1-6.1.0-0123456789ab")
        self.assertEqual(compare(counts(), found)[0], 0)

    def test_a_slower_path_fails(self):
        self.assertEqual(compare(counts(), counts(pair=78000, **self.HERE))[0], 1)

    def test_what_costs_the_floor_as_much_passes(self):
        found = counts(floor=56400, pair=84000, compiler="gcc 14.2.0")
        self.assertEqual(compare(counts(), found)[0], 0)

    def test_a_cheaper_floor_does_not_lower_the_budget(self):
        self.assertEqual(compare(counts(), counts(floor=40000, **self.HERE))[0], 0)

    def test_on_the_same_build_the_floor_excuses_nothing(self):
        self.assertEqual(compare(counts(), counts(floor=56400, pair=84000))[0], 2)


class File(unittest.TestCase):
    def test_what_is_written_is_read_again(self):
        written = counts()
        again = budget.parse(written.text())
        self.assertEqual((again.builds, again.counts), (written.builds, written.counts))

    def test_renewing_one_series_keeps_the_others(self):
        both = counts()
        both.replace(counts(release="7.2.12", kernel="7.2"))
        both.replace(counts(pair=1000))
        self.assertEqual(both.families(), {"6.1", "7.2"})
        self.assertEqual(sorted(n for key, n in both.counts.items()
                                if (key.shape, key.peer) == ("pair", "goheap_cache")), [1.0, 70.0])

    def test_errors_are_named_by_their_line(self):
        for text in ("6.1 pair goheap_cache 64 1 -", "6.1 pair goheap_cache x 1 - 3", "build"):
            with self.assertRaisesRegex(Failure, "line 2"):
                budget.parse("# a comment\n" + text)

    def test_a_count_twice_or_without_a_build_is_refused(self):
        one = "6.1 pair goheap_cache 64 1 - 70\n"
        with self.assertRaisesRegex(Failure, "line 3"):
            budget.parse("build 6.1 6.1.0 gcc\n" + one + one)
        with self.assertRaisesRegex(Failure, "no build line"):
            budget.parse(one)


if __name__ == "__main__":
    unittest.main()
