# SPDX-License-Identifier: GPL-2.0-only
"""`vm check`: runs all tests on the kernels named, and adds up what came of it."""

import subprocess
import unittest
from fnmatch import fnmatch
from pathlib import Path

from . import console, guest, kernels, ktap, watch
from .ktap import Counts
from .modules import TESTS, Workspace, test_list
from .util import Failure, fresh_dir, say

GUEST_CHECK = Path(__file__).resolve().parents[1] / "guest/check"
TESTING = Path(__file__).resolve().parents[2]

# Time limits are written for a machine that emulates the guest and does
# nothing else; debug kernels take several times as long.
SLOW = {"um": 3}
SLOW_DEBUG = 5
SLOW_DEFAULT = 2

# For booting, loading, the KUnit modules, and the leak scan.
BASE_SECONDS = 300


def run(names, args):
    """Check every kernel named; 0 if nothing failed."""
    total = Counts()
    total.add(report("harness", check_own(TESTING / "vm/tests")))
    total.add(report("bench", check_own(TESTING / "bench/tests")))
    total.add(report("recorder", check_recorder(args)))
    for name in names:
        total.add(check_kernel(name, args))
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


def report(what, counts):
    """One line for a suite or program, and what failed in it."""
    print(f"{what}: {counts}", flush=True)
    for note in counts.notes:
        print(f"  FAILED: {note}", flush=True)
    return counts


def check_own(tests):
    """Tests of the tools themselves: a checker that overlooks things is worse than none."""
    suite = unittest.TestLoader().discover(str(tests))
    outcome = unittest.TestResult()
    suite.run(outcome)
    broken = outcome.failures + outcome.errors
    counts = Counts(outcome.testsRun - len(broken) - len(outcome.skipped), 0, len(outcome.skipped))
    for test, trace in broken:
        counts.fail(f"{test}: {trace.strip().splitlines()[-1]}")
    return counts


def check_recorder(args):
    """The recorder of tools/testing/trace runs on this machine, so it is tested here."""
    source = Path(args.src).resolve()
    out = fresh_dir(source / "build/trace")
    done = subprocess.run(["make", "-s", "-C", source / "tools/testing/trace", f"O={out}", "check"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return ktap.count_tap(done.returncode, done.stdout.splitlines())


def check_kernel(name, args):
    """All tests on one kernel. What keeps them from running is a failure of its own."""
    total = Counts()
    try:
        run_kernel(name, args, total)
    except Failure as failure:
        broken = Counts()
        broken.fail(str(failure))
        total.add(report(name, broken))
    print(f"{name}: {total} in all", flush=True)
    return total


def run_kernel(name, args, total):
    workspace = Workspace(args.src, kernels.get(name), args.work)
    guest.require_qemu(workspace.kernel)
    workspace.build()
    plan = Plan(workspace, args)
    say(f"{name}: testing; console: {plan.out / 'console.log'}")
    result = plan.boot()
    total.add(plan.count_kunit(result))
    total.add(plan.count_selftests(result))
    total.add(report(f"{name}: console", count_console(result)))
    if result.ended:
        print(watch.last_words(result.console), flush=True)


class Plan:
    """What is to be run on one kernel, and the counting of what came back."""

    def __init__(self, workspace, args):
        self.workspace = workspace
        self.kernel = workspace.kernel
        self.out = workspace.dir / "check"
        self.parsed = workspace.dir / "parsed"
        self.limit = args.timeout
        only = args.only or "*"
        kunit = only if args.list == TESTS else ""
        self.modules = [(path, where) for path, where in workspace.guest_modules()
                        if not path.stem.endswith("_kunit") or fnmatch(path.stem, kunit)]
        self.kunit = [path.stem for path, _ in self.modules if path.stem.endswith("_kunit")]
        self.tests = [test for test in test_list(workspace.src, args.list)
                      if fnmatch(test.name, only)]
        if self.kernel.name == "um":
            self.slow = SLOW["um"]
        else:
            self.slow = SLOW_DEBUG if self.kernel.name.endswith("-debug") else SLOW_DEFAULT

    def boot(self):
        chosen = self.workspace.dir / "tests.list"
        chosen.write_text("".join(f"{test}\n" for test in self.tests))
        files = [f for f in self.workspace.guest_selftests() if f[1] != "/selftests/tests.list"]
        files += self.workspace.guest_programs()
        files += [*self.modules, (chosen, "/selftests/tests.list"), (GUEST_CHECK, "/goheap/check")]
        seconds = sum(test.seconds for test in self.tests)
        limit = self.limit or (BASE_SECONDS + seconds) * self.slow
        return guest.boot(self.kernel, f"sh /goheap/check {self.slow}\n", files, self.out,
                          guest.Options(timeout=limit, news=self.kernel.name))

    def count_kunit(self, result):
        total = Counts()
        fresh_dir(self.parsed)
        with open(result.console, errors="replace") as f:
            sections = ktap.kunit_sections(f)
        for name in self.kunit:
            if name in sections:
                counts = ktap.count_kunit(sections[name], self.kunit_py(),
                                          self.parsed / f"{name}.txt")
            else:
                counts = Counts()
                counts.fail("did not run")
            total.add(report(f"{self.kernel.name}: {name}", counts))
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
            counts = ktap.count_tap(status, lines)
            total.add(report(f"{self.kernel.name}: {test.name}", counts))
        return total


def count_console(result):
    """A quiet console and a guest that reached its end count as one test passed."""
    counts = Counts()
    problems = result.problems + [str(f) for f in console.check_file(result.console)]
    if problems:
        shown = problems[:10] + ([f"... and {len(problems) - 10} more"] if problems[10:] else [])
        counts.fail("\n    ".join([f"see {result.console}", *shown]))
    else:
        counts.passed += 1
    return counts
