# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Run all tests, or those that are named, and print TAP: python3 -m tests [tests.test_x]..."""

import sys
import unittest
from pathlib import Path


class TapResult(unittest.TestResult):
    """A line for each test, and what there is to say of it as comments before."""

    def __init__(self):
        super().__init__()
        self.lines = 0

    def _line(self, test, good=True, more="", comment=""):
        self.lines += 1
        for line in comment.splitlines():
            print(f"# {line}")
        what = test.shortDescription() or test.id()
        print(f"{'' if good else 'not '}ok {self.lines} {what}{more}", flush=True)

    def addSuccess(self, test):
        self._line(test)

    def addSkip(self, test, reason):
        self._line(test, more=f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._line(test, False, comment=self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._line(test, False, comment=self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._line(subtest, False, comment=str(err[1]))

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._line(test, False)


def suite():
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        return loader.loadTestsFromNames(sys.argv[1:])
    here = Path(__file__).resolve().parent
    return loader.discover(str(here), pattern="test_*.py*", top_level_dir=str(here.parent))


def main():
    result = TapResult()
    suite().run(result)
    print(f"1..{result.lines}")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
