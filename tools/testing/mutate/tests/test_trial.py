# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of an error."""

from sample_code import Tree

from goheapmutate import suites, trial
from goheapmutate.trial import Verdict

LISTED = [suites.parse(text) for text in ("um:*_kunit", "um:user_*", "stock:step.sh")]


class Made(trial.Trial):
    """Nothing is built or run: what comes of it is given."""

    def __init__(self, builds=("um", "stock"), same=(), failing=()):
        self.copy = self
        self.builds = builds
        self.same = same
        self.failing = failing
        self.seconds = {str(suite): 10 for suite in LISTED}
        self.done = []

    def build(self, kernel):
        self.done.append(f"build {kernel}")
        return kernel in self.builds

    def is_same_code(self, kernel):
        return kernel in self.same

    def check(self, suite, seconds):
        self.done.append(str(suite))
        self.limit_given = seconds
        return suite.pattern if suite.pattern in self.failing else ""


class Judge(Tree):
    def judge(self, **made):
        self.trial = Made(**made)
        return self.trial.judge(LISTED)

    def test_survived(self):
        self.assertEqual(self.judge(), Verdict("survived"))
        self.assertEqual(self.trial.done, ["build um", "um:*_kunit", "um:user_*", "build stock",
                                           "stock:step.sh"])

    def test_the_first_failure_ends_it(self):
        self.assertEqual(self.judge(failing=["*_kunit"]), Verdict("noticed", "*_kunit"))
        self.assertEqual(self.trial.done, ["build um", "um:*_kunit"])

    def test_what_does_not_compile(self):
        self.assertEqual(self.judge(builds=()), Verdict("does not compile"))
        self.assertEqual(self.trial.done, ["build um"])

    def test_the_same_code_is_not_tested(self):
        self.assertEqual(self.judge(same=["um", "stock"]), Verdict("same code"))
        self.assertEqual(self.judge(same=["um"]), Verdict("survived"))
        self.assertEqual(self.trial.done, ["build um", "build stock", "stock:step.sh"])

    def test_nothing_to_run(self):
        self.assertEqual(Made().judge([]), Verdict("survived"))

    def test_limit(self):
        self.judge()
        self.assertEqual(self.trial.limit_given, 10 * trial.SLOWER + trial.SLOWER_SECONDS)
