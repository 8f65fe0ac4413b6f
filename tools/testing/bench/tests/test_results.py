# SPDX-License-Identifier: GPL-2.0-only
"""The module's lines are read whole, or refused; tables and JSON keep them."""

import tempfile
import unittest
from pathlib import Path

from made_up import guest, line

from goheapbench import results, tables
from goheapvm.util import Failure


class Parsing(unittest.TestCase):
    def test_a_line_gives_all_its_values(self):
        item = results.parse_line(line("batch", "kmalloc", 328000, count=1024, order="fifo"))
        self.assertEqual((item.peer, item.min_ps, item.median_ps, item.held),
                         ("kmalloc", 328000, 328010, None))
        self.assertEqual(item.row, results.Row("batch", "batch", 64, 1024, "fifo", 0, 1))

    def test_held_bytes_are_a_number(self):
        self.assertEqual(results.parse_line(line("memory", "kmalloc", 1, held="4096")).held, 4096)

    def test_a_missing_key_is_refused(self):
        with self.assertRaisesRegex(Failure, "held"):
            results.parse_line(line("pair", "floor", 1).replace(" held=-", ""))

    def test_a_key_that_is_not_known_is_refused(self):
        with self.assertRaisesRegex(Failure, "colour"):
            results.parse_line(line("pair", "floor", 1) + " colour=blue")

    def test_a_value_that_is_no_number_is_refused(self):
        with self.assertRaises(Failure):
            results.parse_line(line("pair", "floor", 1).replace("min_ps=1 ", "min_ps=x "))

    def test_the_same_measured_twice_is_refused(self):
        with self.assertRaisesRegex(Failure, "twice"):
            results.parse("\n".join([line("pair", "floor", 1), line("pair", "floor", 2)]))


class Keeping(unittest.TestCase):
    def test_json_brings_back_what_was_saved(self):
        saved = guest([line("pair", "floor", 47000), line("memory", "kmalloc", 5, held="123")])
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "bench.json"
            results.save(path, [saved], date="today")
            self.assertEqual(results.load(path), ([saved], {"date": "today"}))

    def test_a_file_that_is_something_else_is_refused(self):
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "bench.json"
            for text in ("", "{}", '{"guests": [{"lab": "um"}]}'):
                path.write_text(text)
                with self.assertRaises(Failure):
                    results.load(path)

    def test_the_series_of_a_release(self):
        self.assertEqual(guest([], release="7.2.12").family, "7.2")


class Tables(unittest.TestCase):
    def setUp(self):
        self.guest = guest([line("pair", "kmem_cache", 226000), line("pair", "goheap_cache", 70000),
                            line("pair", "kmalloc", 250000, zero=1),
                            line("memory", "kmalloc", 1, held=str(10 << 20), size=0)])

    def test_figures_and_ratios_stand_in_the_row_of_the_shape(self):
        text = tables.guest_text(self.guest)
        self.assertRegex(text, r"pair 64 B +226 +70 +0\.31\n")
        self.assertRegex(text, r"pair 64 B zeroed +250\n")

    def test_memory_is_a_table_of_its_own(self):
        text = tables.guest_text(self.guest)
        self.assertIn("memory: MiB", text)
        self.assertNotIn("memory: instructions", text)
        self.assertRegex(text, r"memory mixed sizes +10\.0\n")

    def test_figures_of_goheap_alone_are_columns(self):
        text = tables.guest_text(guest([
            line("sections", "all", 67786000, shape="stats", size=0),
            line("sections", "irqs_off", 0, shape="stats", size=0),
            line("shared", "goheap_cache", 31, shape="larson-locks"),
            line("sites", "held", 200000, shape="gh_b/[goheap]", size=0),
            line("sites", "held", 4285000, shape="gh_a/[goheap]", size=0)], lab="step"))
        self.assertRegex(text, r"stats +67786 +0\n")
        self.assertRegex(text, r"larson-locks 64 B +0\.03\n")
        # The longest comes first.
        self.assertRegex(text, r"gh_a/\[goheap\] +4285\n +gh_b/\[goheap\] +200\n")

    def test_sizes_are_written_in_their_unit(self):
        self.assertEqual([tables.nbytes(n) for n in (8, 1016, 1024, 65536, 3 << 19, 64 << 30)],
                         ["8 B", "1016 B", "1 KiB", "64 KiB", "1536 KiB", "64 GiB"])

    def test_rst_has_as_many_cells_as_heads(self):
        table = next(tables.tables(self.guest)).rst().splitlines()
        self.assertEqual({row.count('"') for row in table[3:] if row}, {10})


if __name__ == "__main__":
    unittest.main()
