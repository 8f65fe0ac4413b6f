# SPDX-License-Identifier: GPL-2.0-only
"""An error is in the copy for a while, and make builds again when it is gone."""

import os

from sample_code import SPAN_C, Tree

from goheapmutate import mutants
from goheapmutate.copy import Copy, processors


class CopyTest(Tree):
    def setUp(self):
        super().setUp()
        self.copy = Copy(self.scratch / "0")
        self.copy.update(self.repo)
        self.file = self.copy.src / "mm/span.c"
        self.error = mutants.choose(self.repo, ["mm/span.c"], 1)[0]

    def age(self, seconds=1000):
        """Let the sources be older than what is done to them."""
        for path in (self.file, self.repo / "mm/span.c"):
            os.utime(path, (path.stat().st_mtime - seconds,) * 2)

    def test_planted_and_restored(self):
        self.age()
        old = self.file.stat().st_mtime
        with self.copy.planted(self.error):
            lines = self.file.read_text().split("\n")
            self.assertEqual(lines[self.error.line - 1], self.error.after)
            self.assertEqual(len(lines), len(SPAN_C.split("\n")))
        self.assertEqual(self.file.read_text(), SPAN_C)
        self.assertGreater(self.file.stat().st_mtime, old)

    def test_restored_when_interrupted(self):
        with self.assertRaises(KeyboardInterrupt), self.copy.planted(self.error):
            raise KeyboardInterrupt
        self.assertEqual(self.file.read_text(), SPAN_C)

    def test_a_killed_run_leaves_no_error(self):
        self.age()
        killed = self.copy.planted(self.error)
        killed.__enter__()
        again = Copy(self.copy.dir)
        again.update(self.repo)
        self.assertEqual(self.file.read_text(), SPAN_C)
        self.assertGreater(self.file.stat().st_mtime, (self.repo / "mm/span.c").stat().st_mtime)

    def test_the_tree_itself_is_never_changed(self):
        with self.copy.planted(self.error):
            self.assertEqual((self.repo / "mm/span.c").read_text(), SPAN_C)

    def test_same_code(self):
        built = self.copy.work / "um/src/mm"
        built.mkdir(parents=True)
        (built / "span.o").write_bytes(b"code")
        self.copy.remember_objects("um")
        (built / "goheap.mod.o").write_bytes(b"version")
        self.assertTrue(self.copy.is_same_code("um"))
        (built / "span.o").write_bytes(b"other")
        self.assertFalse(self.copy.is_same_code("um"))

    def test_shares_of_processors(self):
        there = sorted(os.sched_getaffinity(0))
        self.assertEqual(processors(0, 1), [])
        self.assertEqual(processors(0, len(there) + 1), [])
        if len(there) > 1:
            self.assertEqual(sorted(processors(0, 2) + processors(1, 2)), there)
