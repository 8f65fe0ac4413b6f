# SPDX-License-Identifier: GPL-2.0-only
"""The speed and the memory that goheap is to reach, and whether it does."""

from dataclasses import dataclass

from .labs import PLAIN
from .tables import label

MEMORY_LIVE = 16 << 20


@dataclass(frozen=True)
class Goal:
    """Time of one over time of the other in one row, at most so much."""
    rows: dict              # fields of the rows that it is about
    ours: str
    theirs: str
    limits: dict            # by lab


PAIR = {"group": "pair", "shape": "pair", "zero": 0}
BATCH = {"group": "batch", "count": 1024, "zero": 0}
BULK = {"group": "bulk", "count": 64, "zero": 0}


def size(nbytes):
    return {"group": "sizes", "size": nbytes, "zero": 0}


def both(limit):
    return {"icount": limit, "um": limit}


GOALS = (
    Goal(PAIR, "goheap_cache", "kmem_cache", both(1 / 3)),
    Goal(PAIR, "goheap_cache", "floor", {"icount": 1.6, "um": 2}),
    Goal(PAIR, "goheap_alloc", "kmalloc", both(1 / 2.5)),
    Goal(BATCH, "goheap_cache", "kmem_cache", both(1 / 3)),
    Goal(BULK, "goheap_cache", "kmem_cache", {"icount": 1 / 2, "um": 1}),
    *(Goal(size(n), "goheap_alloc", theirs, both(limit))
      for n in (64 << 10, 1 << 20) for theirs, limit in (("kvmalloc", 1 / 3), ("vmalloc", 1 / 10))),
    *(Goal(size(n), "goheap_alloc", "kmalloc", both(1 / 2)) for n in (8, 4096)),
    # Throughput of at least 1.5 times the other's is a time of at most 1 / 1.5.
    *(Goal({"group": "exchange", "shape": shape, "cpus": 4}, ours, theirs, {"vm": 1 / 1.5})
      for shape in ("prodcons", "larson")
      for ours, theirs in (("goheap_cache", "kmem_cache"), ("goheap_alloc", "kmalloc"))),
)

# Of the time of a span at 64 MiB, at 64 GiB.
SWEEP_LIMIT = 1.5
# Bytes held at the peak, goheap's over SLUB's.
MEMORY_LIMIT = 1.15
# goheap's speed-up from one CPU to four over that of its counterpart.
SCALING_LIMIT = 1.0


@dataclass(frozen=True)
class Verdict:
    """A goal in one guest."""
    where: str
    words: str
    ratio: float            # None: not measured
    limit: float
    at_least: bool = False

    @property
    def met(self):
        if self.ratio is None:
            return False
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit

    @property
    def verdict(self):
        return "met" if self.met else "MISSED" if self.ratio is not None else "not measured"

    def cells(self):
        ratio_word = "-" if self.ratio is None else f"{self.ratio:.3f}"
        return [self.verdict, self.where, self.words, ratio_word,
                f"{'>=' if self.at_least else '<='} {self.limit:.3f}"]


def verdicts(guests):
    """Of all guests that were booted alike; zeroing policies are compared in no goal."""
    out = []
    for guest in guests:
        if guest.parameters == PLAIN:
            for judge in (ratios, scaling, sweep, memory):
                out += judge(guest)
    return out


def where(guest):
    return f"{guest.lab} {guest.kernel}"


def quotient(over, under):
    return over / under if under else None


def ratios(guest):
    measured = {row.group for row in guest.rows()}
    for goal in GOALS:
        limit = goal.limits.get(guest.lab)
        if limit and goal.rows["group"] in measured:
            names = f"{goal.ours} / {goal.theirs}"
            found = [Verdict(where(guest), f"{label(row)}: {names}", value, limit)
                     for row, value in quotients(guest, goal)]
            yield from found or [Verdict(where(guest), f"{fields(goal.rows)}: {names}", None,
                                           limit)]


def fields(rows):
    return " ".join(f"{key}={value}" for key, value in rows.items())


def quotients(guest, goal):
    """(row, ratio) wherever both were measured."""
    for row in guest.select(**goal.rows):
        peers = guest.peers(row)
        if goal.ours in peers and goal.theirs in peers:
            yield row, quotient(peers[goal.ours].min_ps, peers[goal.theirs].min_ps)


def speed_up(guest, peer, most):
    """Throughput on so many CPUs over that on one."""
    times = {row.cpus: guest.peers(row)[peer].min_ps for row in guest.rows("parallel")
             if peer in guest.peers(row)}
    return quotient(times[1], times[most]) if {1, most} <= set(times) else None


def scaling(guest):
    most = max((row.cpus for row in guest.rows("parallel")), default=1)
    if most == 1:
        return
    for ours, theirs in (("goheap_cache", "kmem_cache"), ("goheap_alloc", "kmalloc")):
        mine, other = speed_up(guest, ours, most), speed_up(guest, theirs, most)
        if mine and other:
            yield Verdict(where(guest), f"speed-up of pairs from 1 to {most} CPUs: "
                          f"{ours} / {theirs} ({mine:.2f} / {other:.2f})", mine / other,
                          SCALING_LIMIT, at_least=True)


def sweep(guest):
    by_run = {}
    for row in guest.rows("sweep"):
        for item in guest.peers(row).values():
            by_run.setdefault(row.count, {})[row.size] = item.min_ps
    for npages, times in by_run.items():
        small, large = times.get(64 << 20), times.get(64 << 30)
        if small and large:
            yield Verdict(where(guest), f"span of {npages} page{'s' * (npages > 1)}: heap of 64 GiB / of 64 MiB",
                          large / small, SWEEP_LIMIT)


def memory(guest):
    """A shape is held to it if the slab allocator itself takes more than 16 MiB for it."""
    for row in guest.rows():
        peers = guest.peers(row)
        for ours, theirs in (("goheap_cache", "kmem_cache"), ("goheap_alloc", "kmalloc")):
            if ours in peers and theirs in peers:
                mine, other = peers[ours].held, peers[theirs].held
                if mine is not None and other and other > MEMORY_LIVE:
                    yield Verdict(where(guest), f"bytes held, {label(row)}: {ours} / {theirs}",
                                  mine / other, MEMORY_LIMIT)


def text(found):
    lines = [verdict.cells() for verdict in found]
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(5)]
    shown = [f"{line[0]:<{widths[0]}}  {line[1]:<{widths[1]}}  {line[2]:<{widths[2]}}  "
             f"{line[3]:>{widths[3]}}  {line[4]:>{widths[4]}}" for line in lines]
    met = sum(verdict.met for verdict in found)
    return "\n".join(["goals: time of the first over time of the second, and the limit", "",
                      *shown, "", "The replay of programs is measured by make demo.",
                      f"{met} of {len(found)} goals met"]) + "\n"
