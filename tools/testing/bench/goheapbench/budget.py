# SPDX-License-Identifier: GPL-2.0-only
"""
Instruction counts that goheap may not exceed, kept in a file that is checked in.

Counts repeat exactly on one kernel with one compiler, and there the margin is
small. Another release, configuration or compiler moves them for reasons that are not ours. Then
the margin is wider, and a count that is over it is let pass if the floor, which
the same compiler made for the same kernel, has grown as much.

How long calls keep others waiting depends on which pages are free. What is in the file
of it is not what was counted but a bound, for all calls or for one.
"""

from dataclasses import dataclass

from goheapvm.util import Failure

from .tables import nbytes

MARGIN = 0.03
MARGIN_ELSEWHERE = 0.10
GROUPS = ("pair", "batch", "bulk")
STEPPED = ("sections", "shared")
# What of the stepped calls is goheap's own.
SECTIONS = ("irqs_off", "preempt_off")
SHARED = ("-locked", "-locks")
# Instructions of a pair that are too few to matter.
SLACK = 1.0
# The largest batch is about caches and pages, not about the fast path.
COUNT_MOST = 1024

HEAD = """\
# SPDX-License-Identifier: GPL-2.0-only
#
# Instructions an object pair (alloc and free) that make bench-check allows, by
# kernel series. Renew with tools/testing/bench/run --write-budget when goheap got faster,
# or the price of something is meant to be paid. "build" says with which kernel
# and compiler the counts of a series were taken. "bound" is how many instructions a call
# may execute with interrupts or preemption off, by column and call of the group
# "sections"; "all" is of calls that are made with interrupts off.
"""


@dataclass(frozen=True)
class Key:
    """One shape of one peer: the words before the count in a line of the file."""
    family: str
    shape: str
    peer: str
    size: int
    count: int
    order: str

    def __str__(self):
        return " ".join(filter(None, [
            self.family, self.peer, self.shape, str(self.count) if self.count > 1 else "",
            self.order if self.order != "-" else "", nbytes(self.size)]))


@dataclass(frozen=True)
class Build:
    """What the counts of a series were taken with."""
    kernel: str
    compiler: str


class Budget:
    """Builds by series; instructions, and those of sections, by key; bounds of sections."""

    def __init__(self):
        self.builds = {}
        self.counts = {}
        self.sections = {}
        self.bounds = {}

    def families(self):
        return set(self.builds)

    def of(self, family):
        return {key: n for key, n in self.counts.items() if key.family == family}

    def bound(self, key):
        """What holds for one call goes before what holds for all."""
        return self.bounds.get((key.peer, key.shape), self.bounds.get((key.peer, "*")))

    def replace(self, other):
        """Take over the series that the other has; keep the rest, and the bounds."""
        kept = {key: n for key, n in self.counts.items() if key.family not in other.builds}
        self.counts = {**kept, **other.counts}
        self.builds.update(other.builds)

    def text(self):
        lines = []
        if self.bounds:
            lines += ["", "# column call instructions"]
            lines += [f"bound {column} {call} {n}" for (column, call), n in self.bounds.items()]
        for family in sorted(self.builds, key=version):
            build = self.builds[family]
            lines += ["", f"build {family} {build.kernel} {build.compiler}",
                      "# series shape peer size count order instructions"]
            lines += [f"{family} {key.shape} {key.peer} {key.size} {key.count} {key.order} {n:.1f}"
                      for key, n in self.of(family).items()]
        return HEAD + "\n".join(lines) + "\n"


def version(family):
    return [int(part) for part in family.split(".") if part.isdigit()]


def parse(text):
    budget = Budget()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            read_line(budget, words)
        except (ValueError, IndexError) as error:
            raise Failure(f"budget: line {number} cannot be read: {line}") from error
    strays = {key.family for key in budget.counts} - budget.families()
    if strays:
        raise Failure(f"budget: no build line for {', '.join(sorted(strays))}")
    return budget


def read_line(budget, words):
    if words[0] == "build":
        budget.builds[words[1]] = Build(words[2], " ".join(words[3:]))
        return
    if words[0] == "bound":
        column, call, instructions = words[1:]
        budget.bounds[column, call] = int(instructions)
        return
    family, shape, peer, size, count, order, instructions = words
    key = Key(family, shape, peer, int(size), int(count), order)
    if key in budget.counts:
        raise ValueError(f"twice: {key}")
    budget.counts[key] = float(instructions)


def load(path):
    if not path.exists():
        raise Failure(f"there is no {path}; tools/testing/bench/run --write-budget makes it")
    return parse(path.read_text())


def is_budgeted(row, peer):
    if row.group == "sections":
        return peer in SECTIONS or (peer == "all" and "masked" in row.shape)
    ours = peer.startswith("goheap_")
    if row.group == "shared":
        return ours and row.shape.endswith(SHARED)
    floor = peer == "floor" and row.group == "pair"
    return row.group in GROUPS and row.count <= COUNT_MOST and (ours or floor)


def measured(guests):
    """What guests that counted instructions say, as a budget of its own."""
    budget = Budget()
    for guest in guests:
        budget.builds[guest.family] = Build(guest.build, guest.compiler)
        for item in guest.measurements:
            row = item.row
            if not is_budgeted(row, item.peer):
                continue
            shape = row.shape + "-zeroed" * row.zero
            key = Key(guest.family, shape, item.peer, row.size, row.count, row.order)
            counts = budget.sections if row.group == "sections" else budget.counts
            counts[key] = round(item.min_ps / 1000, 1)
    return budget


# ---- comparing --------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """A line of the check."""
    passed: bool
    words: str

    def __str__(self):
        return f"{'ok    ' if self.passed else 'FAILED'}  {self.words}"


def floor(budget, family):
    return next((n for key, n in budget.of(family).items() if key.peer == "floor"), None)


class Comparison:
    """One series, budgeted and measured now."""

    def __init__(self, budget, found, family):
        self.budget = budget
        self.allowed, self.counted = budget.of(family), found.of(family)
        self.sections = {key: n for key, n in found.sections.items() if key.family == family}
        self.build, self.build_now = budget.builds.get(family), found.builds[family]
        self.same = self.build == self.build_now
        self.margin = MARGIN if self.same else MARGIN_ELSEWHERE
        then, now = floor(budget, family), floor(found, family)
        # How much dearer everything is here, by what is not ours.
        self.dearer = 1.0 if self.same or not then or not now else max(1.0, now / then)
        self.family = family

    def verdicts(self):
        if not self.build:
            yield Verdict(False, f"{self.family}: no budget for this series; "
                          f"tools/testing/bench/run --write-budget adds it")
            return
        for key in [*self.allowed, *(key for key in self.counted if key not in self.allowed)]:
            yield self.verdict(key)
        for key, counted in self.sections.items():
            bound = self.budget.bound(key)
            yield Verdict(bound is not None and counted <= bound,
                          f"{key}: {counted:.0f} instructions, bound {bound}")

    def verdict(self, key):
        allowed, counted = self.allowed.get(key), self.counted.get(key)
        if counted is None:
            return Verdict(False, f"{key}: in the budget, but was not measured")
        if allowed is None:
            return Verdict(False, f"{key}: {counted:.1f} instructions, but not in the budget")
        # The floor is a measure of the build, and has no limit where that differs.
        budgeted = allowed * self.dearer
        over = counted / budgeted - 1 if budgeted else 0.0
        words = f"{key}: {counted:.1f} instructions, budget {allowed:.1f} ({over:+.1%})"
        if counted - budgeted > max(self.margin * budgeted, SLACK):
            return Verdict(False, f"{words}: more than {self.margin:.0%} over it")
        if over < -self.margin and budgeted - counted > SLACK and self.same:
            words += ": faster; lower the budget (tools/testing/bench/run --write-budget)"
        return Verdict(True, words)

    def preface(self):
        if self.build and not self.same:
            return (f"{self.family}: budget is of {self.build.kernel}, {self.build.compiler}; "
                    f"here {self.build_now.kernel}, {self.build_now.compiler}: "
                    f"margin {self.margin:.0%}, until tools/testing/bench/run --write-budget")
        return f"{self.family}: {self.build_now.kernel}, {self.build_now.compiler}"


def compare(budget, found):
    """Prints all lines and the sum; returns the number of failures."""
    passed = failed = 0
    for family in sorted(found.families(), key=version):
        comparison = Comparison(budget, found, family)
        print(comparison.preface())
        for verdict in comparison.verdicts():
            print(f"  {verdict}")
            passed += verdict.passed
            failed += not verdict.passed
    print(f"{passed} passed, {failed} failed", flush=True)
    return failed
