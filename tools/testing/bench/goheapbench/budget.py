# SPDX-License-Identifier: GPL-2.0-only
"""
Instruction counts that goheap may not exceed, kept in a file that is checked in.

Counts repeat exactly on one kernel with one compiler, and there the margin is
small. Another release, configuration or compiler moves them for reasons that are not ours. Then
the margin is wider, and a count that is over it is let pass if the floor, which
the same compiler made for the same kernel, has grown as much.

How long calls keep others waiting depends a little on which pages are free. So these
counts have a margin of their own, and a bound that is not to be reached anywhere.
"""

from dataclasses import dataclass

from goheapvm.util import Failure

from .tables import nbytes

MARGIN = 0.03
MARGIN_ELSEWHERE = 0.10
GROUPS = ("pair", "batch", "bulk")
STEPPED = ("sections", "shared")
# What of the stepped calls is goheap's own.
SECTIONS = ("irqs_off", "preempt_off", "held")
SHARED = ("-locked", "-locks")
SECTIONS_MARGIN = 0.10
# Instructions, of sections and of pairs, that are too few to matter.
SECTIONS_SLACK, SLACK = 200, 0.1
# With interrupts off, with preemption off; and of a call with interrupts off.
BOUNDS = {"irqs_off": 5000, "held": 5000, "preempt_off": 50000, "all": 50000}
# The largest batch is about caches and pages, not about the fast path.
COUNT_MOST = 1024

HEAD = """\
# SPDX-License-Identifier: GPL-2.0-only
#
# Instructions an object pair (alloc and free) that make bench-check allows, by
# kernel series. Renew with tools/testing/bench/run --write-budget when goheap got faster,
# or the price of something is meant to be paid. "build" says with which kernel
# and compiler the counts of a series were taken.
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
    """Builds by series, instructions by key."""

    def __init__(self):
        self.builds = {}
        self.counts = {}

    def families(self):
        return set(self.builds)

    def of(self, family):
        return {key: n for key, n in self.counts.items() if key.family == family}

    def replace(self, other):
        """Take over the series that the other has; keep the rest."""
        kept = {key: n for key, n in self.counts.items() if key.family not in other.builds}
        self.counts = {**kept, **other.counts}
        self.builds.update(other.builds)

    def text(self):
        lines = []
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
            budget.counts[key] = round(item.min_ps / 1000, 1)
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
        self.allowed, self.counted = budget.of(family), found.of(family)
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
        bound = BOUNDS.get(key.peer)
        if bound and counted > bound:
            words += f", bound {bound}"
        margin = max(self.margin, SECTIONS_MARGIN) if bound else self.margin
        slack = SECTIONS_SLACK if bound else SLACK
        if counted - budgeted > max(margin * budgeted, slack):
            return Verdict(False, f"{words}: more than {margin:.0%} over it")
        if bound and counted > bound >= allowed:
            return Verdict(False, f"{words}: over the bound")
        if over < -margin and budgeted - counted > slack and self.same:
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
