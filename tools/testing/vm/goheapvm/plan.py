# SPDX-License-Identifier: GPL-2.0-only
"""One guest of a check: what it is to run, and the counting of what came back."""

from fnmatch import fnmatch
from pathlib import Path

from . import console, guest, kernels, ktap
from .ktap import Counts
from .modules import TESTS, test_list
from .util import fresh_dir

GUEST_CHECK = Path(__file__).resolve().parents[1] / "guest/check"

# What CPUs beyond these cost, since the host has fewer.
CPUS = 4

# For booting, loading, the KUnit modules, and the leak scan.
BASE_SECONDS = 300


def report(what, counts):
    """One line for a suite or program, and what failed in it."""
    lines = [f"{what}: {counts}", *(f"  FAILED: {note}" for note in counts.notes)]
    print("\n".join(lines), flush=True)
    return counts


class Plan:
    """The default guest runs all KUnit modules; others those that the list names."""

    def __init__(self, workspace, unit, only, tests=TESTS):
        self.workspace = workspace
        self.kernel = workspace.kernel
        self.unit = unit
        self.out = workspace.dir / unit.machine.directory("check")
        self.parsed = workspace.dir / unit.machine.directory("parsed")
        kunit = only if tests == TESTS and unit.machine.is_default else ""
        tests = [test for test in test_list(workspace.src, tests)
                 if test.machine == unit.machine and fnmatch(test.name, only)]
        self.tests = [test for test in tests if not test.is_kunit]
        named = {test.name for test in tests if test.is_kunit}
        self.modules = [(path, where) for path, where in workspace.guest_modules()
                        if not path.stem.endswith("_kunit") or path.stem in named
                        or fnmatch(path.stem, kunit)]
        self.kunit = [path.stem for path, _ in self.modules if path.stem.endswith("_kunit")]
        self.slow = kernels.slow_factor(self.kernel.name) * max(1, unit.machine.cpus // CPUS)
        self.cut = False

    def seconds(self):
        """How long the guest may take."""
        return (BASE_SECONDS + sum(test.seconds for test in self.tests)) * self.slow

    def boot(self, seconds, limit):
        """A guest that runs for longer than the budget allows is cut off."""
        chosen = self.workspace.dir / self.unit.machine.directory("tests.list")
        chosen.write_text("".join(f"{test}\n" for test in self.tests))
        files = [f for f in self.workspace.guest_selftests() if f[1] != "/selftests/tests.list"]
        files += self.workspace.guest_programs([test.name for test in self.tests])
        files += [*self.modules, (chosen, "/selftests/tests.list"), (GUEST_CHECK, "/goheap/check")]
        options = guest.Options(timeout=min(seconds, limit.hard_left()), news=self.unit.label,
                                **self.unit.machine.options())
        result = guest.boot(self.kernel, f"sh /goheap/check {self.slow}\n", files, self.out,
                            options)
        self.cut = bool(result.ended) and not limit.hard_left()
        return result

    def count(self, result):
        total = self.count_kunit(result)
        total.add(self.count_selftests(result))
        total.add(report(f"{self.unit.label}: console", self.count_console(result)))
        return total

    def missing(self, why):
        """What has no result: a failure, unless there was no time for it."""
        counts = Counts()
        if self.cut:
            counts.skipped += 1
        else:
            counts.fail(why)
        return counts

    def count_kunit(self, result):
        total = Counts()
        fresh_dir(self.parsed)
        with open(result.console, errors="replace") as f:
            sections = ktap.kunit_sections(f)
        for name in self.kunit:
            lines = sections.get(name)
            if lines is None or self.cut and None not in lines:
                counts = self.missing("did not run")
            else:
                counts = ktap.count_kunit(lines, self.kunit_py(), self.parsed / f"{name}.txt")
            total.add(report(f"{self.unit.label}: {name}", counts))
        return total

    def kunit_py(self):
        return self.kernel.source / "tools/testing/kunit/kunit.py"

    def count_selftests(self, result):
        total = Counts()
        sections = {}
        if result.results.exists():
            with open(result.results, errors="replace") as f:
                sections = ktap.selftest_sections(f)
        for test in self.tests:
            status, lines = sections.get(test.name, (None, []))
            if status is None and self.cut:
                counts = self.missing("")
            else:
                counts = ktap.count_tap(status, lines)
            total.add(report(f"{self.unit.label}: {test.name}", counts))
        return total

    def count_console(self, result):
        """A quiet console and a guest that reached its end count as one test passed."""
        counts = Counts()
        problems = [str(f) for f in console.check_file(result.console)]
        if not self.cut:
            problems = result.problems + problems
        if problems:
            shown = problems[:10] + ([f"... and {len(problems) - 10} more"] if problems[10:] else [])
            counts.fail("\n    ".join([f"see {result.console}", *shown]))
        elif self.cut:
            counts.skipped += 1
        else:
            counts.passed += 1
        return counts
