# SPDX-License-Identifier: GPL-2.0-only
"""Which guests are booted, and what is written where they are shown."""

import unittest

from made_up import guest, line

from goheapbench import document, labs
from goheapvm.util import Failure


class Plan(unittest.TestCase):
    def test_the_stock_kernel_is_counted_with_its_defaults_too(self):
        names = [job.name for job in labs.plan(["icount"], None, quick=False)]
        self.assertEqual(names, ["icount-stock", "icount-stock-defaults", "icount-7.2"])

    def test_quick_takes_one_kernel_a_lab_and_fewer_operations(self):
        jobs = labs.plan(["icount", "um", "vm"], None, quick=True)
        self.assertEqual([(job.name, job.scale) for job in jobs],
                         [("icount-stock", 10), ("um-um", 10), ("vm-stock", 10)])

    def test_stepping_takes_two_processors(self):
        command = labs.repeat(labs.plan(["step"], ["7.2", "um"], quick=False)[0])
        self.assertIn("boot 7.2 --bench --smp 2 --nodes 1 --accel tcg", command)
        self.assertIn("echo sections > run", command)

    def test_kernels_can_be_chosen_where_they_run(self):
        jobs = labs.plan(["icount", "um", "vm"], ["6.12", "um"], quick=True)
        self.assertEqual([job.name for job in jobs], ["icount-6.12", "um-um", "vm-6.12"])

    def test_the_command_that_repeats_a_guest_has_its_options(self):
        command = labs.repeat(labs.Job("icount", "stock", ("pair",)))
        self.assertIn("--icount --smp 1 --nodes 1 --append "
                      '"init_on_alloc=0 mitigations=off"', command)
        self.assertIn("echo pair > run", command)


class Documents(unittest.TestCase):
    GUESTS = [guest([line("pair", "kmem_cache", 228000), line("pair", "goheap_cache", 71000)]),
              guest([line("pair", "kmem_cache", 8700), line("pair", "goheap_cache", 4350)],
                    lab="um", kernel="um", release="7.2.12"),
              guest([line("pair", "kmem_cache", 1)], parameters="")]

    def test_the_table_of_the_readme_is_made_anew(self):
        before = "# a\n<!-- figures: x -->\nold\n<!-- end of figures -->\nz\n"
        after = document.with_figures(before, self.GUESTS)
        self.assertIn("| instructions, 6.1 | ns, native 7.2 |\n", after)
        self.assertIn("| 71 / 228 = **0.31** | 4.3 / 8.7 = **0.50** |\n", after)
        self.assertNotIn("old", after)
        self.assertTrue(after.endswith("<!-- end of figures -->\nz\n"))
        self.assertEqual(document.with_figures(after, self.GUESTS), after)

    def test_a_readme_without_a_place_is_refused(self):
        with self.assertRaises(Failure):
            document.with_figures("# a\n", self.GUESTS)


if __name__ == "__main__":
    unittest.main()
