# SPDX-License-Identifier: GPL-2.0-only
"""How the list of self tests is read, and which guests get which programs."""

import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

from goheapvm.modules import SelfTest, Workspace, parse_tests


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


class Programs(unittest.TestCase):
    def names(self, kernel, tests):
        with tempfile.TemporaryDirectory() as work:
            workspace = Workspace(work, SimpleNamespace(name=kernel), work)
            (workspace.programs / "goheap-python").mkdir(parents=True)
            for name in ("goheap-lib-test", "goheapctl", "readme_1.c"):
                (workspace.programs / name).touch()
            return [Path(guest).name for _, guest in workspace.guest_programs(tests)]

    def test_small_ones_are_everywhere(self):
        self.assertEqual(self.names("7.2", ["load.sh"]), ["goheap-lib-test", "goheapctl"])
        self.assertEqual(self.names("7.2-debug", ["user_python.sh"]),
                         ["goheap-lib-test", "goheapctl"])

    def test_large_ones_are_where_they_are_used(self):
        self.assertNotIn("goheap-python", self.names("um", ["load.sh"]))
        for kernel in ("um", "stock"):
            self.assertIn("goheap-python", self.names(kernel, ["load.sh", "user_python.sh"]))


if __name__ == "__main__":
    unittest.main()
