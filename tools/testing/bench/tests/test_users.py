# SPDX-License-Identifier: GPL-2.0-only
"""What userbench prints, and what is made of it."""

import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]),
                str(Path(__file__).resolve().parents[2] / "vm")]

from goheapbench import users  # noqa: E402
from goheapvm.util import Failure  # noqa: E402

LINE = ("shape=pair size=64 threads=1 ops=100 min_ps={} median_ps=9000 rss=2097152\n")
BATCH = {"objects": 64, "calls": 80.0, "empty": 10.0, "bulk": 40.0}


def lab(**times):
    found = users.Found("um", "7.2.12")
    for name in users.ALLOCATORS:
        found.rows += users.parse(LINE.format(times.get(name, 8000)), name)
    return found


class Users(unittest.TestCase):
    def test_a_line_without_a_figure_is_refused(self):
        with self.assertRaises(Failure):
            users.parse("shape=pair size=64", "glibc")

    def test_goals_compare_with_glibc_and_with_the_fastest(self):
        ratios = [ratio for _, ratio, _ in users.goals([lab(jemalloc=4000)], None)]
        self.assertEqual(ratios, [1.0, 2.0])

    def test_a_batch_is_compared_with_bulk_calls_and_two_empty_ones(self):
        [(_, ratio, limit)] = users.goals([], BATCH)
        self.assertAlmostEqual(ratio, 80 / 60)
        self.assertGreater(ratio, limit)

    def test_tables_name_all_allocators(self):
        text = users.text([lab()], BATCH)
        for name in users.ALLOCATORS:
            self.assertIn(name, text)
        self.assertIn(".. csv-table::", users.rst([lab()], BATCH))


if __name__ == "__main__":
    unittest.main()
