# SPDX-License-Identifier: GPL-2.0-only
"""A campaign can be interrupted, and counts only what could be noticed."""

import threading
from unittest import mock

from sample_code import SPAN_C, Tree

from goheapmutate import campaign, mutants, suites
from goheapmutate.trial import Verdict, as_record
from goheapvm.util import Failure

LISTED = [suites.parse("um:*_kunit")]


class Campaign(Tree):
    def setUp(self):
        super().setUp()
        self.path = self.scratch / "results.json"
        self.results = campaign.Results(self.path)
        self.errors = mutants.choose(self.repo, ["mm", "mm/user"], 1)

    def record(self, number, verdict, suite=""):
        return as_record(self.errors[number - 1], Verdict(verdict, suite))

    def add(self, number, verdict, suite=""):
        self.results.add(number, self.record(number, verdict, suite))

    def queue(self, wanted):
        return campaign.Queue(self.errors, wanted, campaign.Results(self.path))


class Queue(Campaign):
    def take(self, queue, verdict):
        number, _ = queue.next()
        queue.done(number, verdict and self.record(number, verdict))
        return number

    def test_in_order_and_no_more_than_wanted(self):
        queue = self.queue(2)
        self.assertEqual([self.take(queue, "noticed"), self.take(queue, "survived")], [1, 2])
        self.assertIsNone(queue.next())

    def test_what_does_not_compile_is_replaced(self):
        queue = self.queue(1)
        taken = [self.take(queue, verdict)
                 for verdict in ("does not compile", "same code", "noticed")]
        self.assertEqual(taken, [1, 2, 3])
        self.assertIsNone(queue.next())

    def test_a_second_call_goes_on(self):
        self.take(self.queue(2), "noticed")
        queue = self.queue(2)
        self.assertEqual(self.take(queue, "noticed"), 2)
        self.assertIsNone(queue.next())

    def test_what_was_interrupted_is_done_again(self):
        self.take(self.queue(1), None)
        self.assertEqual(self.take(self.queue(1), "noticed"), 1)

    def test_another_job_waits_for_one_that_may_not_compile(self):
        queue = self.queue(1)
        number, _ = queue.next()
        taken = []
        other = threading.Thread(target=lambda: taken.append(queue.next()))
        other.start()
        queue.done(number, self.record(number, "does not compile"))
        other.join(60)
        self.assertEqual(taken[0][0], 2)

    def test_no_errors_left(self):
        queue = self.queue(1000)
        for _ in self.errors:
            self.take(queue, "noticed")
        self.assertIsNone(queue.next())


class Same(Campaign):
    def describe(self, seed=1):
        return campaign.describe(self.repo, ["mm"], seed, LISTED)

    def test_results_belong_to_one_campaign(self):
        self.results.belongs_to(self.describe())
        self.results.save()
        again = campaign.Results(self.path)
        again.belongs_to(self.describe())
        with self.assertRaises(Failure):
            again.belongs_to(self.describe(seed=2))

    def test_tests_may_change_sources_may_not(self):
        before = self.describe()
        (self.repo / "mm/tests/span_kunit.c").write_text("")
        self.assertEqual(self.describe(), before)
        (self.repo / "mm/span.c").write_text("")
        self.assertNotEqual(self.describe(), before)


class Again(Campaign):
    def test_only_those_that_survived(self):
        self.add(1, "survived")
        self.add(2, "noticed", "span_kunit")
        queue = campaign.Repeat(self.repo, self.results)
        self.assertEqual(queue.next(), (1, self.errors[0]))
        self.assertIsNone(queue.next())
        queue.done(1, self.record(1, "noticed", "span_kunit"))
        self.assertEqual(self.results.errors[1]["verdict"], "noticed")

    def test_lines_that_moved(self):
        self.add(1, "survived")
        path = self.repo / self.errors[0].path
        path.write_text("\n\n" + SPAN_C)
        found = campaign.Repeat(self.repo, self.results).next()[1]
        self.assertEqual(found.line, self.errors[0].line + 2)
        path.write_text("")
        with mock.patch.object(campaign, "say") as say:
            self.assertIsNone(campaign.Repeat(self.repo, self.results).next())
        say.assert_called_once()


class Report(Campaign):
    def test_report(self):
        self.add(2, "survived")
        self.add(1, "noticed", "span_kunit")
        self.add(3, "does not compile")
        self.assertEqual(campaign.report(self.results).splitlines(),
                         [f"   1  {self.errors[0]}", "      noticed by span_kunit",
                          f"   2  {self.errors[1]}", "      survived",
                          f"   3  {self.errors[2]}", "      does not compile",
                          "   1  noticed by span_kunit",
                          "1 replaced: they do not compile, or change no code",
                          "2 planted, 1 noticed, 1 survived"])
