# SPDX-License-Identifier: GPL-2.0-only
"""`vm check`: runs all tests on the kernels named, and adds up what came of it."""

import subprocess
import unittest
from fnmatch import fnmatch
from pathlib import Path

from . import budget, guest, kernels, ktap, machines, schedule, watch
from .ktap import Counts
from .modules import TESTS, Workspace, test_list
from .plan import Plan, report
from .util import Failure, OutOfTime, fresh_dir, say

TESTING = Path(__file__).resolve().parents[2]


def run(names, args):
    """Check every kernel named; 0 if nothing failed."""
    limit = budget.Budget(args.budget)
    total = Counts()
    if not args.guests_only:
        check_host(args, total)
    total.add(check_units(names, args, limit))
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


def check_host(args, total):
    """What needs no guest."""
    total.add(report("harness", check_own(TESTING / "vm/tests")))
    total.add(report("bench", check_own(TESTING / "bench/tests")))
    total.add(report("mutate", check_own(TESTING / "mutate/tests")))
    total.add(report("recorder", check_program(args, "tools/testing/trace", "trace")))
    total.add(report("python", check_program(args, "tools/python/tests", "python-tests")))


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


def check_program(args, sources, out):
    """What runs on this machine is tested here: make check prints results."""
    source = Path(args.src).resolve()
    done = subprocess.run(["make", "-s", "-C", source / sources,
                           f"O={fresh_dir(source / 'build' / out)}", "check"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return ktap.count_tap(done.returncode, done.stdout.splitlines())


# ---- kernels ----------------------------------------------------------------

def check_units(names, args, limit):
    """Every kernel named, in every guest that tests ask for."""
    plans = schedule.Schedule(schedule.units(names, asked_machines(args)), limit, budget.Times())
    total = Counts()
    while unit := plans.next():
        total.add(check_unit(unit, plans, args))
    total.add(plans.count_left_out())
    return total


def asked_machines(args):
    """The machines that the chosen tests ask for."""
    only = args.only or "*"
    asked = {test.machine for test in test_list(args.src, args.list) if fnmatch(test.name, only)}
    suites = Path(args.src).glob("mm/**/tests/*_kunit.c") if args.list == TESTS else ()
    if any(fnmatch(path.stem, only) for path in suites):
        asked.add(machines.DEFAULT)
    if args.machine is not None:
        asked &= {machines.parse(args.machine.split())}
    if not asked:
        raise Failure("no test matches")
    return asked


def check_unit(unit, plans, args):
    """All tests of one guest. What keeps them from running is a failure of its own."""
    total = Counts()
    try:
        run_unit(unit, plans, args, total)
    except OutOfTime as cut:
        plans.leave_out(unit, str(cut))
        return total
    except Failure as failure:
        # Its other guests would fail in the same way.
        plans.drop(unit.kernel)
        broken = Counts()
        broken.fail(str(failure))
        total.add(report(unit.label, broken))
    print(f"{unit.label}: {total} in all", flush=True)
    return total


def run_unit(unit, plans, args, total):
    workspace = Workspace(args.src, get_kernel(unit.kernel, plans), args.work,
                          page_shift=unit.machine.page_shift)
    guest.require_qemu(workspace.kernel)
    start = plans.limit.spent()
    workspace.build()
    plan = Plan(workspace, unit, args.only or "*", args.list)
    say(f"{unit.label}: testing; console: {plan.out / 'console.log'}")
    result = plan.boot(args.timeout or plan.seconds(), plans.limit)
    total.add(plan.count(result))
    seconds = plans.limit.spent() - start
    if plan.cut:
        plans.cut_off(unit, seconds)
    elif result.ended:
        print(watch.last_words(result.console), flush=True)
    elif not args.only:
        plans.times.remember(unit.key, seconds)


def get_kernel(name, plans):
    """The kernel, made ready if it is not, with the time that this takes remembered."""
    if kernels.is_ready(name):
        return kernels.get(name)
    start = plans.limit.spent()
    kernel = kernels.get(name, plans.limit.hard_left())
    plans.times.remember(budget.build_key(name), plans.limit.spent() - start)
    return kernel
