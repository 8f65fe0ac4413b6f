# SPDX-License-Identifier: GPL-2.0-only
"""What is made of the lines of the program that passes messages."""

import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]),
                str(Path(__file__).resolve().parents[2] / "vm")]

from goheapbench import messages  # noqa: E402
from goheapvm.util import Failure  # noqa: E402


def found(**times):
    lines = [f"way={way} size=64 ps={times.get(way, 4000)} writer=1.00 reader=1.50"
             for way in messages.WAYS if way != "mq"]
    return {"release": "6.1", "rows": messages.parse("\n".join(lines))}


class Test(unittest.TestCase):
    def test_a_line_that_says_too_little(self):
        with self.assertRaises(Failure):
            messages.parse("way=give size=64")

    def test_goals(self):
        verdicts = {words: (ratio, limit) for words, ratio, limit in
                    messages.goals(found(give=1000, publish=3000))}
        self.assertEqual(verdicts["messages of 64 B: goheap, given / boost"], (0.25, 0.5))
        self.assertEqual(verdicts["messages of 64 B: goheap, published / boost"], (0.75, 0.5))
        self.assertEqual([limit for words, (_, limit) in verdicts.items() if "calls" in words],
                         [1.0] * 4)

    def test_what_is_missing_is_left_out(self):
        text = messages.text(found(give=1000))
        self.assertIn("MISSED  messages of 64 B: system calls for 64, goheap, given, reader", text)
        self.assertIn("message queue", text)
        self.assertIn(".. csv-table::", messages.rst(found()))


if __name__ == "__main__":
    unittest.main()
