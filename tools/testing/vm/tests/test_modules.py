# SPDX-License-Identifier: GPL-2.0-only
"""How the list of self tests is read."""

import unittest

from goheapvm.modules import SelfTest, parse_tests


class TestList(unittest.TestCase):
    def test_program_defaults_to_the_name(self):
        self.assertEqual(parse_tests("load.sh\t\t90\n"), [SelfTest("load.sh", 90, ("load.sh",))])

    def test_program_may_have_arguments(self):
        self.assertEqual(parse_tests("stress_nmi 60 stress.sh nmi\n"),
                         [SelfTest("stress_nmi", 60, ("stress.sh", "nmi"))])

    def test_comments_and_blank_lines_are_no_tests(self):
        self.assertEqual(parse_tests("# load.sh 90\n\n  \nidle.sh 5 # slow\n"),
                         [SelfTest("idle.sh", 5, ("idle.sh",))])

    def test_line_for_the_guest_is_complete(self):
        for line in ("load.sh 60 load.sh", "stress_nmi 60 stress.sh nmi"):
            self.assertEqual([str(test) for test in parse_tests(line)], [line])


if __name__ == "__main__":
    unittest.main()
