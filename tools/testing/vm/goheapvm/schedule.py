# SPDX-License-Identifier: GPL-2.0-only
"""
What a check runs, in which order, and what it leaves out for lack of time.

A unit is one guest: a kernel, and a machine that some of the tests ask for.
With a budget, units that are most telling come first, and a unit that would
probably not end in time is left out. Being left out is neither a success nor a
failure: it is counted as skipped, and a line says so.
"""

from dataclasses import dataclass

from . import budget, kernels, machines
from .ktap import Counts

# With a budget, kernels come in this order; others follow as they were named.
PRIORITY = ("stock", "6.1-debug", "7.2", "7.2-debug", "um")
# Whose other machines come first: KUnit is there, and nothing that makes it slow.
MACHINES_FIRST = "7.2"


@dataclass(frozen=True)
class Unit:
    """A guest to be tested: a kernel by name, and the size of the guest."""
    kernel: str
    machine: machines.Machine = machines.DEFAULT

    @property
    def label(self):
        return f"{self.kernel} {self.machine}".strip()

    @property
    def key(self):
        return budget.check_key(self.label)


def units(names, asked):
    """All of them, kernel by kernel, the default machine first."""
    names = list(dict.fromkeys(names))
    ordered = sorted(set(asked), key=lambda m: (m != machines.DEFAULT, m))
    return [Unit(name, m) for name in names for m in ordered if m.suits(name)]


def by_telling(every):
    """The order for a budget: default machines first, then the others."""
    def rank(unit):
        known = PRIORITY.index(unit.kernel) if unit.kernel in PRIORITY else len(PRIORITY)
        other = unit.machine != machines.DEFAULT
        return other, other and unit.kernel != MACHINES_FIRST, known
    return sorted(every, key=rank)


class Schedule:
    """Takes units one after the other, as far as the budget goes."""

    def __init__(self, every, limit, times, is_ready=kernels.is_ready):
        self.waiting = by_telling(every) if limit.left() < float("inf") else list(every)
        self.limit = limit
        self.times = times
        self.is_ready = is_ready
        self.left_out = []

    def next(self):
        """The next unit that fits, or None. Those before it that do not are left out."""
        while self.waiting:
            unit = self.waiting.pop(0)
            why = self.why_not(unit)
            if not why:
                return unit
            self.leave_out(unit, why)
        return None

    def leave_out(self, unit, why):
        self.left_out.append((unit, why))

    def drop(self, kernel):
        """Forget what is still waiting for a kernel that cannot be had."""
        self.waiting = [unit for unit in self.waiting if unit.kernel != kernel]

    def cut_off(self, unit, seconds):
        """The unit reached the hard limit after so many seconds."""
        self.times.remember(unit.key, seconds * budget.HARD)
        self.leave_out(unit, f"cut off after {minutes(seconds)}: there was no more time")

    def why_not(self, unit):
        parts = [(unit.key, "testing")]
        if not self.is_ready(unit.kernel):
            parts.insert(0, (budget.build_key(unit.kernel), "building the kernel"))
        estimates = [self.times.estimate(key) for key, _ in parts]
        left = self.limit.left()
        if sum(estimates) <= left:
            return ""
        for key, _ in parts:
            self.times.doubt(key)
        takes = " and ".join(f"{what} takes about {minutes(seconds)}"
                             for (_, what), seconds in zip(parts, estimates))
        return f"{takes}, {minutes(left)} are left"

    def count_left_out(self):
        """One line a unit, and one skipped result."""
        total = Counts()
        for unit, why in self.left_out:
            print(f"{unit.label}: left out: {why}", flush=True)
            total.skipped += 1
        return total


def minutes(seconds):
    return f"{seconds / 60:.0f} min"
