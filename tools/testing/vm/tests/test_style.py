# SPDX-License-Identifier: GPL-2.0-only
"""What counts as a command in a document, and what as the remains of a merge."""

import unittest

from goheapvm import style


class ReadmeCommands(unittest.TestCase):
    def test_targets_in_code_are_found(self):
        text = ("Type `make demo`, or\n```\nsudo make dkms-install\nmake KERNEL=um check # x\n"
                "make\nmake W=1\n```\n")
        self.assertEqual(style.made_in(text), ["demo", "dkms-install", "check"])

    def test_prose_and_other_directories_are_left_alone(self):
        self.assertEqual(style.made_in("We make sure. `make -C Documentation html`"), [])


class ConflictMarkers(unittest.TestCase):
    def test_all_three_are_found_by_line(self):
        text = "a\n%s HEAD\nb\n%s\n=======\nc\n%s topic\n" % ("<" * 7, "|" * 7, ">" * 7)
        self.assertEqual(style.conflicts(text.encode()), [2, 4, 7])

    def test_underlines_and_quotations_are_none(self):
        text = "Testing\n=======\n  %s HEAD\n%s\n" % ("<" * 7, ">" * 8)
        self.assertEqual(style.conflicts(text.encode()), [])


if __name__ == "__main__":
    unittest.main()
