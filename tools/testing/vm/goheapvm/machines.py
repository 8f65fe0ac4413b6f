# SPDX-License-Identifier: GPL-2.0-only
"""
The guests that tests ask for: how many CPUs, how much memory, in which nodes.

A line "machine cpus=16 nodes=4 bare=1" in selftests/tests.list puts the tests
that follow it into a guest like that; "mem" is in MiB, and "bare" is how many
of the nodes, the last ones, have no memory. "page_shift" is for modules that are
built with larger heap pages, as a kernel with larger pages has them. What a line
does not name is as in the default guest.
"""

from dataclasses import dataclass, fields

from .util import Failure


@dataclass(frozen=True, order=True)
class Machine:
    """A guest's size. The defaults are those of the default guest."""
    cpus: int = 4
    mem: int = 4096
    nodes: int = 2
    bare: int = 0
    page_shift: int = 0

    def __post_init__(self):
        if min(self.cpus, self.mem, self.nodes) < 1 or not 0 <= self.bare < self.nodes:
            raise Failure(f"there is no such machine: {self}")

    @property
    def is_default(self):
        return self == Machine()

    def words(self):
        """What differs from the default guest, as in tests.list."""
        return [f"{f.name}={getattr(self, f.name)}" for f in fields(self)
                if getattr(self, f.name) != f.default]

    def __str__(self):
        return " ".join(self.words())

    def directory(self, base):
        """The name of a directory for what a guest of this size says."""
        return "-".join([base, *(word.replace("=", "") for word in self.words())])

    def options(self):
        """The guest's part of guest.Options."""
        return {"cpus": self.cpus, "memory": self.mem, "nodes": self.nodes, "bare": self.bare}

    def suits(self, kernel):
        """
        User-mode Linux has one node, and its own number of CPUs, whatever is asked for.
        Heap pages need not be tried on more than one kernel.
        """
        default = Machine()
        if self.page_shift and kernel != "um":
            return False
        return (not kernel.startswith("um")
                or (self.cpus, self.nodes) == (default.cpus, default.nodes))


DEFAULT = Machine()


def parse(words):
    """The machine of a list of words such as cpus=16."""
    known = {f.name for f in fields(Machine)}
    values = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known or not value.isdigit():
            raise Failure(f"not a property of a machine: {word}; there are: {' '.join(sorted(known))}")
        values[name] = int(value)
    return Machine(**values)
