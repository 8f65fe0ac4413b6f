# SPDX-License-Identifier: GPL-2.0-only
"""The suites that are likely to notice come first."""

from sample_code import Tree

from goheapmutate import suites
from goheapvm.util import Failure


class Suites(Tree):
    def order(self, path, listed=suites.DEFAULT):
        listed = [suites.parse(text) for text in listed]
        return [str(suite) for suite in suites.in_order(listed, path, self.repo)]

    def test_parse(self):
        self.assertEqual(suites.parse("stress_*"), suites.Suite("um", "stress_*"))
        self.assertEqual(suites.parse(suites.STEP), suites.Suite("stock", "step.sh"))
        for text in ("moon:step.sh", "um:"):
            with self.assertRaises(Failure):
                suites.parse(text)

    def test_the_suite_of_the_file_comes_first(self):
        for path in ("mm/span.c", "mm/span.h"):
            self.assertEqual(self.order(path), ["um:span_kunit", "um-debug:span_kunit",
                                                *suites.DEFAULT])
            self.assertEqual(self.order(path, ["um:*_kunit", "um:s*", "7.2:*_kunit"]),
                             ["um:span_kunit", "7.2:span_kunit", "um:*_kunit", "um:s*",
                              "7.2:*_kunit"])

    def test_only_that_suite_of_a_kernel(self):
        listed = ["um:s*", "um-debug:own"]
        self.assertEqual(self.order("mm/span.c", listed), ["um:span_kunit", "um-debug:span_kunit",
                                                           "um:s*"])
        self.assertEqual(self.order("mm/busy.h", listed), ["um:s*"])

    def test_not_if_it_is_not_asked_for(self):
        self.assertEqual(self.order("mm/span.c", ["eager.sh"]), ["um:eager.sh"])
        self.assertEqual(self.order("mm/span.c", ["span_kunit"]), ["um:span_kunit"])

    def test_files_without_a_suite(self):
        self.assertEqual(self.order("mm/busy.h"), list(suites.DEFAULT))

    def test_processes_first_for_what_is_about_them(self):
        for path in ("mm/user/heap.c", "tools/lib/goheap/small.c"):
            self.assertEqual(self.order(path)[0], "um:user_*")
