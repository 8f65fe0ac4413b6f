# SPDX-License-Identifier: GPL-2.0-only
"""What is counted as a result, and what ends of a test count as failures."""

import unittest

from goheapvm import ktap


def tap(status, text):
    counts = ktap.count_tap(status, text.splitlines())
    return counts.passed, counts.failed, counts.skipped


class Tap(unittest.TestCase):
    def test_ok_lines_are_counted(self):
        self.assertEqual(tap(0, "TAP version 13\n1..3\nok 1 a\n# x\nok 2 b\nok 3 c # SKIP no"),
                         (2, 0, 1))

    def test_not_ok_is_a_failure_whatever_the_status(self):
        self.assertEqual(tap(0, "1..2\nok 1 a\nnot ok 2 b"), (1, 1, 0))
        self.assertEqual(tap(1, "1..2\nok 1 a\nnot ok 2 b"), (1, 1, 0))

    def test_status_alone_is_a_failure(self):
        self.assertEqual(tap(139, "1..1\nok 1 a"), (1, 1, 0))

    def test_missing_results_are_a_failure(self):
        self.assertEqual(tap(0, "1..3\nok 1 a\nok 2 b"), (2, 1, 0))

    def test_silence_is_a_failure(self):
        self.assertEqual(tap(0, "hello"), (0, 1, 0))

    def test_skip_status(self):
        self.assertEqual(tap(4, "no such device"), (0, 0, 1))

    def test_time_limit_is_a_failure(self):
        self.assertEqual(tap(143, "1..1\nok 1 a"), (1, 1, 0))

    def test_no_end_is_a_failure(self):
        self.assertEqual(tap(None, "1..1\nok 1 a"), (1, 1, 0))


class Sections(unittest.TestCase):
    def test_selftests_are_told_apart(self):
        log = ("goheap-vm: results begin\ngoheap-vm: test begin a.sh\nok 1 x\n"
               "goheap-vm: test end a.sh 0\ngoheap-vm: test begin b\nok 1 y\n")
        sections = ktap.selftest_sections(log.splitlines())
        self.assertEqual(sections, {"a.sh": (0, ["ok 1 x"]), "b": (None, ["ok 1 y"])})

    def test_kunit_modules_are_told_apart(self):
        log = ("[    1.0] goheap-vm: kunit begin a_kunit\n[    1.1] ok 1 - a\n"
               "[    1.2] goheap-vm: kunit end a_kunit\n[    2.0] other\n"
               "[    3.0] goheap-vm: kunit begin b_kunit\n[    3.1]     # Subtest: b\n")
        sections = ktap.kunit_sections(log.splitlines())
        self.assertEqual(sections, {"a_kunit": ["ok 1 - a", None], "b_kunit": ["    # Subtest: b"]})


class Kunit(unittest.TestCase):
    def test_header_is_supplied_and_suites_renumbered(self):
        text = ktap.normalize(["    KTAP version 1", "    1..1", "    ok 1 case", "ok 7 - suite", None])
        self.assertTrue(text.startswith("KTAP version 1\n1..1\n    KTAP version 1\n"))
        self.assertIn("\nok 1 - suite\n", text)

    def test_header_that_is_there_is_kept(self):
        lines = ["noise", "KTAP version 1", "1..1", "    ok 1 case", "ok 1 suite", None]
        self.assertEqual(ktap.normalize(lines).splitlines(), lines[1:-1])

    def test_summary_is_read(self):
        counts = ktap.read_kunit_summary("Testing complete. Ran 4 tests: passed: 3, skipped: 1")
        self.assertEqual((counts.passed, counts.failed, counts.skipped), (3, 0, 1))

    def test_errors_and_crashes_are_failures(self):
        counts = ktap.read_kunit_summary(
            "Testing complete. Ran 4 tests: passed: 1, failed: 1, crashed: 1, errors: 2")
        self.assertEqual((counts.passed, counts.failed), (1, 4))

    def test_no_summary_is_a_failure(self):
        self.assertEqual(ktap.read_kunit_summary("").failed, 1)


if __name__ == "__main__":
    unittest.main()
