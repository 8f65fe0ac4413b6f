# SPDX-License-Identifier: GPL-2.0-only
"""What goheap_bench.ko measured, guest by guest, and the file that keeps it."""

import json
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "vm"))
from goheapvm.util import Failure  # noqa: E402

WORDS = ("group", "shape", "peer", "order")
NUMBERS = ("size", "count", "zero", "cpus", "ops", "rounds", "min_ps", "median_ps")
KEYS = {*WORDS, *NUMBERS, "held"}

# The order of columns: the least that is possible, the kernel's own, goheap.
PEERS = ("floor", "kmem_cache", "kmalloc", "kvmalloc", "vmalloc", "alloc_pages", "genalloc",
         "pagealloc", "goheap_cache", "goheap_alloc", "goheap_data",
         # Where there is no peer: figures of goheap alone.
         "all", "irqs_off", "preempt_off", "held", "kernel_irqs_off", "kernel_preempt_off",
         "kernel_held", "filled_bytes")


@dataclass(frozen=True)
class Row:
    """What was measured, whoever did it: peers are compared within a row."""
    group: str
    shape: str
    size: int
    count: int
    order: str
    zero: int
    cpus: int


@dataclass(frozen=True)
class Measurement:
    """One line of the module: picoseconds of the guest's clock an object pair."""
    row: Row
    peer: str
    ops: int
    rounds: int
    min_ps: int
    median_ps: int
    held: int = None        # bytes at the peak; None where it was not measured

    def line(self):
        """As the module wrote it: the form in which it is kept."""
        return {**asdict(self.row), "peer": self.peer, "ops": self.ops, "rounds": self.rounds,
                "min_ps": self.min_ps, "median_ps": self.median_ps, "held": self.held}


def measurement(words):
    """A measurement of the keys and values of a line, or of a JSON object."""
    row = Row(**{key: words[key] for key in Row.__dataclass_fields__})
    return Measurement(row, *(words[key] for key in
                              ("peer", "ops", "rounds", "min_ps", "median_ps", "held")))


def parse_line(line):
    words = dict(word.partition("=")[::2] for word in line.split())
    if set(words) != KEYS:
        wrong = ", ".join(sorted(set(words) ^ KEYS))
        raise Failure(f"goheap_bench: keys missing or not known ({wrong}): {line}")
    try:
        numbers = {key: int(words[key]) for key in NUMBERS}
        held = None if words["held"] == "-" else int(words["held"])
    except ValueError as error:
        raise Failure(f"goheap_bench: {error}: {line}") from error
    return measurement({**words, **numbers, "held": held})


def parse(text):
    """All lines of a result file; a peer that is measured twice is an error."""
    found = [parse_line(line) for line in text.splitlines() if line.strip()]
    seen = set()
    for item in found:
        if (item.row, item.peer) in seen:
            raise Failure(f"goheap_bench: measured twice: {item.peer}, {item.row}")
        seen.add((item.row, item.peer))
    return found


@dataclass
class Guest:
    """One boot of one kernel in one lab, and all that was measured in it."""
    lab: str
    kernel: str             # the harness's name
    parameters: str         # of the kernel, beyond those of every guest
    release: str = ""
    build: str = ""         # of the kernel: release and, where it is ours, configuration
    compiler: str = ""      # of the modules
    command: str = ""       # repeats a group by hand
    seconds: float = 0.0
    quick: bool = False
    others: float = 0.0     # processors that something else kept busy, where time counts
    measurements: list = field(default_factory=list)

    @property
    def family(self):
        """6.1 of 6.1.0-56-cloud-amd64."""
        found = re.match(r"\d+\.\d+", self.release)
        return found[0] if found else self.release

    @property
    def title(self):
        return f"{self.lab}, {self.kernel} {self.release}, {self.parameters or 'default parameters'}"

    def rows(self, group=None):
        """Rows in the order of measuring."""
        return list(dict.fromkeys(item.row for item in self.measurements
                                  if group in (None, item.row.group)))

    def peers(self, row):
        return {item.peer: item for item in self.measurements if item.row == row}

    def select(self, **wanted):
        """Rows whose fields have these values."""
        return [row for row in self.rows()
                if all(getattr(row, key) == value for key, value in wanted.items())]


def save(path, guests, **about):
    """All of a run, for other programs and for --rst."""
    data = [{**asdict(guest), "measurements": [item.line() for item in guest.measurements]}
            for guest in guests]
    path.write_text(json.dumps({**about, "guests": data}, indent=1) + "\n")


def load(path):
    """(guests, what else was said of the run)."""
    try:
        about = json.loads(path.read_text())
        guests = [Guest(**{**data, "measurements": [measurement(item) for item
                                                    in data["measurements"]]})
                  for data in about.pop("guests")]
    except FileNotFoundError as error:
        raise Failure(f"there is no {path}: run make bench first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path}: not what make bench writes: {error}") from error
    return guests, about
