# SPDX-License-Identifier: GPL-2.0-only
"""What is run within a budget, what is left out, and what is remembered for the next time."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from goheapvm import budget, machines, schedule, util
from goheapvm.schedule import Schedule, Unit

SMALL = machines.Machine(mem=1024)
LARGE = machines.Machine(cpus=16, nodes=4, bare=1)


class Clock:
    """Time passes only when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Fixture(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / "times.json"
        self.times = budget.Times(self.path)
        self.clock = Clock()
        self.ready = {"stock", "6.1-debug", "7.2", "7.2-debug", "um"}

    def schedule(self, units, seconds=None):
        limit = budget.Budget(seconds, self.clock)
        return Schedule(units, limit, self.times, self.ready.__contains__)

    def run_all(self, plans, seconds):
        """Run what fits, each unit for so many seconds; the labels in order."""
        ran = []
        while unit := plans.next():
            ran.append(unit.label)
            self.clock.now += seconds
        return ran

    def left_out(self, plans):
        """(counts, lines) of the final report."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            counts = plans.count_left_out()
        return counts, out.getvalue().splitlines()


class Bounds(Fixture):
    def test_no_budget_is_no_bound(self):
        limit = budget.Budget(None, self.clock)
        self.clock.now += 1e9
        self.assertEqual(limit.left(), float("inf"))
        self.assertEqual(limit.hard_left(), float("inf"))

    def test_time_runs_down_to_nothing(self):
        limit = budget.Budget(1000, self.clock)
        self.clock.now += 400
        self.assertEqual((limit.left(), limit.hard_left()), (600, 850))
        self.clock.now += 700
        self.assertEqual((limit.left(), limit.hard_left()), (0, 150))
        self.clock.now += 700
        self.assertEqual((limit.left(), limit.hard_left()), (0, 0))


class Remembering(Fixture):
    def test_what_was_measured_is_the_estimate(self):
        self.times.remember("check 7.2", 1234)
        self.assertEqual(budget.Times(self.path).estimate("check 7.2"), 1234)

    def test_defaults_without_a_memory(self):
        self.assertEqual(self.times.estimate("check um"), budget.CHECK_DEFAULTS["um"])
        self.assertEqual(self.times.estimate("check 7.2-rt"), budget.CHECK_DEFAULT_SLOW)
        self.assertEqual(self.times.estimate("check 7.2 mem=1024"), budget.MACHINE_DEFAULT)
        self.assertEqual(self.times.estimate("build 7.2-rt"), budget.BUILD_DEFAULT)

    def test_defaults_are_scaled_to_the_machine(self):
        self.times.remember("check um", 2 * budget.CHECK_DEFAULTS["um"])
        self.assertEqual(self.times.estimate("check 7.2"), 2 * budget.CHECK_DEFAULT)

    def test_damaged_memory_is_none(self):
        for text in ("", "{", "[1]", '{"check um": "x"}', '{"check um": null}'):
            self.path.write_text(text)
            self.assertEqual(self.times.estimate("check um"), budget.CHECK_DEFAULTS["um"])
        self.times.remember("check um", 7)
        self.assertEqual(self.times.estimate("check um"), 7)


class Order(Fixture):
    NAMES = ("7.2-rt", "um", "7.2", "stock")

    def test_without_a_budget_as_named(self):
        plans = self.schedule(schedule.units(self.NAMES, {SMALL, machines.DEFAULT}))
        self.assertEqual(self.run_all(plans, 10 ** 6),
                         ["7.2-rt", "7.2-rt mem=1024", "um", "um mem=1024",
                          "7.2", "7.2 mem=1024", "stock", "stock mem=1024"])

    def test_with_a_budget_the_most_telling_first(self):
        self.ready.add("7.2-rt")
        plans = self.schedule(schedule.units(self.NAMES, {LARGE, machines.DEFAULT}), 10 ** 6)
        large = str(LARGE)
        self.assertEqual(self.run_all(plans, 1),
                         ["stock", "7.2", "um", "7.2-rt",
                          f"7.2 {large}", f"stock {large}", f"7.2-rt {large}"])

    def test_kernel_named_twice_is_one(self):
        self.assertEqual(schedule.units(["um", "um"], {machines.DEFAULT}), [Unit("um")])

    def test_user_mode_linux_has_one_cpu(self):
        self.assertEqual(schedule.units(["um"], {LARGE}), [])


class Choosing(Fixture):
    def test_what_does_not_fit_is_left_out_and_said(self):
        self.times.remember("check stock", 600)
        self.times.remember("check 7.2", 600)
        plans = self.schedule([Unit("stock"), Unit("7.2")], 1000)
        self.assertEqual(self.run_all(plans, 600), ["stock"])
        counts, lines = self.left_out(plans)
        self.assertEqual(str(counts), "0 passed, 0 failed, 1 skipped")
        self.assertEqual(lines, ["7.2: left out: testing takes about 10 min, 7 min are left"])

    def test_what_fits_comes_after_what_does_not(self):
        self.times.remember("check 6.1-debug", 5000)
        self.times.remember("check um", 100)
        plans = self.schedule([Unit("6.1-debug"), Unit("um")], 1000)
        self.assertEqual(self.run_all(plans, 100), ["um"])

    def test_missing_kernel_costs_its_build(self):
        self.ready.discard("7.2")
        self.times.remember("check 7.2", 500)
        self.times.remember("build 7.2", 600)
        plans = self.schedule([Unit("7.2")], 1000)
        self.assertEqual(self.run_all(plans, 1), [])
        self.assertEqual(self.left_out(plans)[1],
                         ["7.2: left out: building the kernel takes about 10 min and "
                          "testing takes about 8 min, 17 min are left"])

    def test_kernel_that_was_built_meanwhile_costs_nothing(self):
        self.ready.discard("7.2")
        for key, seconds in (("check 7.2", 500), ("build 7.2", 400), ("check 7.2 mem=1024", 90)):
            self.times.remember(key, seconds)
        plans = self.schedule([Unit("7.2"), Unit("7.2", SMALL)], 1000)
        self.assertEqual(plans.next(), Unit("7.2"))
        self.ready.add("7.2")
        self.clock.now += 900
        self.assertEqual(plans.next(), Unit("7.2", SMALL))

    def test_wrong_estimate_does_not_last(self):
        self.times.remember("check stock", 2000)
        for _ in range(10):
            if self.run_all(self.schedule([Unit("stock")], 1000), 1):
                return
        self.fail("left out ten times")

    def test_doubt_makes_no_memory(self):
        self.run_all(self.schedule([Unit("stock")], 1), 1)
        self.assertEqual(self.times.load(), {})

    def test_no_time_at_all(self):
        plans = self.schedule([Unit("stock"), Unit("um")], 0)
        self.assertEqual(self.run_all(plans, 1), [])
        self.assertEqual(self.left_out(plans)[0].skipped, 2)

    def test_kernel_that_cannot_be_had_is_dropped(self):
        plans = self.schedule([Unit("7.2"), Unit("7.2", SMALL), Unit("um")])
        self.assertEqual(plans.next(), Unit("7.2"))
        plans.drop("7.2")
        self.assertEqual(self.run_all(plans, 1), ["um"])

    def test_guest_that_was_cut_off_is_expected_to_take_longer(self):
        plans = self.schedule([Unit("stock")], 10000)
        plans.cut_off(plans.next(), 800)
        self.assertEqual(self.times.estimate("check stock"), 1000)
        counts, lines = self.left_out(plans)
        self.assertEqual((counts.skipped, counts.failed), (1, 0))
        self.assertIn("cut off after 13 min", lines[0])


class Builds(unittest.TestCase):
    def test_build_that_takes_too_long_is_ended(self):
        with tempfile.TemporaryDirectory() as scratch:
            end = Path(scratch) / "end"
            with self.assertRaises(util.OutOfTime):
                util.run_logged(["sh", "-c", f"sleep 20; touch {end}"], Path(scratch) / "log",
                                "kernel x", 0.1)
            self.assertFalse(end.exists())


if __name__ == "__main__":
    unittest.main()
