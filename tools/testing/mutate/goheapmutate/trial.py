# SPDX-License-Identifier: GPL-2.0-only
"""One error: planted, built, tested, and removed again."""

import shutil
import time
from dataclasses import asdict, dataclass

from goheapvm.util import Failure, say, tail

from . import follow

NOTICED = "noticed"
SURVIVED = "survived"
NO_COMPILE = "does not compile"
SAME_CODE = "same code"

BUILD_SECONDS = 1800
# How much slower than without an error a suite may be. The machine may be busy.
SLOWER = 4
SLOWER_SECONDS = 60


@dataclass
class Verdict:
    """What became of an error, and the suite that noticed it."""
    verdict: str
    suite: str = ""

    @classmethod
    def of(cls, record):
        return cls(record["verdict"], record["suite"])

    def __str__(self):
        return f"{self.verdict} by {self.suite}" if self.suite else self.verdict


class Trial:
    """Runs suites on a copy. @seconds has what each takes without an error."""

    def __init__(self, copy, stop, seconds):
        self.copy = copy
        self.stop = stop
        self.seconds = seconds

    def prepare(self, repo, names):
        """Build what is without errors, for all kernels that are named."""
        self.copy.update(repo)
        for kernel in names:
            if not self.build(kernel):
                raise Failure(f"cannot build without an error planted:\n{tail(self.log('build'))}")
            self.copy.remember_objects(kernel)

    def log(self, name):
        return self.copy.dir / f"{name}.log"

    def build(self, kernel):
        return follow.run(self.copy.command("modules", kernel), self.log("build"), BUILD_SECONDS,
                          self.stop) == 0

    def check(self, suite, seconds):
        """Run a suite: "" if nothing failed, or else what did."""
        out = self.copy.guest_dir(suite.kernel)
        shutil.rmtree(out, ignore_errors=True)
        command = self.copy.command("check", suite.kernel, "--guests-only", "--only", suite.pattern)
        end = follow.run(command, self.log("check"), seconds, self.stop,
                         lambda: follow.failed_suite(out))
        if end is None:
            return f"{follow.running_suite(out)}, time limit"
        if isinstance(end, str):
            return end
        return end and (follow.failed_in_report(self.log("check").read_text()) or suite.pattern)

    def measure(self, suite):
        """Seconds that a suite takes without an error. It must pass."""
        start = time.monotonic()
        failed = self.check(suite, BUILD_SECONDS)
        if failed:
            raise Failure(f"{suite} fails without an error planted ({failed}), see "
                          f"{self.copy.guest_dir(suite.kernel)}")
        seconds = time.monotonic() - start
        say(f"{suite} takes {seconds:.0f} s")
        return round(seconds, 1)

    def examine(self, mutant, suites):
        with self.copy.planted(mutant):
            return self.judge(suites)

    def judge(self, suites):
        """Build for each kernel when it is needed first, and stop at the first failure."""
        same = {}
        for suite in suites:
            if suite.kernel not in same:
                if not self.build(suite.kernel):
                    return Verdict(NO_COMPILE)
                same[suite.kernel] = self.copy.is_same_code(suite.kernel)
            if same[suite.kernel]:
                continue
            failed = self.check(suite, self.limit(suite))
            if failed:
                return Verdict(NOTICED, failed)
        return Verdict(SAME_CODE if same and all(same.values()) else SURVIVED)

    def limit(self, suite):
        return self.seconds[str(suite)] * SLOWER + SLOWER_SECONDS


def as_record(mutant, verdict):
    """A result as results.json has it."""
    return {**asdict(mutant), **asdict(verdict)}
