# SPDX-License-Identifier: GPL-2.0-only
"""
A copy of the sources that errors are planted in, with its own builds and locks.

make compares times. Therefore a file that was changed and restored gets the time of that
moment, or its object would be taken for newer. The list of such files survives a run
that was killed.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from goheapvm.modules import copy_sources

HERE = Path(__file__).resolve()
VM = HERE.parents[2] / "vm/vm"
# What a build leaves that does not depend on the code.
NOT_CODE = (".mod.o", ".d")


class Copy:
    """build/mutate/N: sources in src, builds in vm. It has its share of the processors."""

    def __init__(self, path, processors=()):
        self.dir = Path(path).resolve()
        self.src = self.dir / "src"
        self.work = self.dir / "vm"
        self.planted_list = self.dir / "planted"
        self.processors = processors
        self.objects = {}

    def update(self, repo):
        """Make it the same as @repo, whatever an interrupted run left there."""
        self.dir.mkdir(parents=True, exist_ok=True)
        copy_sources(repo, self.src)
        if self.planted_list.exists():
            for path in set(self.planted_list.read_text().split()):
                if (self.src / path).exists():
                    os.utime(self.src / path)

    def command(self, *words):
        """A call of tools/testing/vm/vm about this copy."""
        where = ["taskset", "--cpu-list", ",".join(map(str, self.processors))]
        return [*(where if self.processors else ()), str(VM), "--src", str(self.src),
                "--work", str(self.work), *words]

    def guest_dir(self, kernel):
        """Where `vm check` has the console of its default guest."""
        return self.work / kernel / "check"

    @contextlib.contextmanager
    def planted(self, mutant):
        """The error is in the sources, for a while."""
        path = self.src / mutant.path
        text = path.read_text()
        lines = text.split("\n")
        assert lines[mutant.line - 1] == mutant.before, mutant
        lines[mutant.line - 1] = mutant.after
        with open(self.planted_list, "a") as planted:
            planted.write(f"{mutant.path}\n")
        path.write_text("\n".join(lines))
        try:
            yield
        finally:
            path.write_text(text)

    def remember_objects(self, kernel):
        """What is built now is without an error."""
        self.objects[kernel] = self.digest(kernel)

    def is_same_code(self, kernel):
        return self.objects[kernel] == self.digest(kernel)

    def digest(self, kernel):
        """Of the objects of all modules, and of the programs."""
        built = self.work / kernel
        files = [*(built / "src").rglob("*.o"), *(built / "programs").rglob("*")]
        found = hashlib.sha256()
        for path in sorted(files):
            if path.is_file() and not path.name.endswith(NOT_CODE):
                found.update(str(path.relative_to(built)).encode())
                found.update(path.read_bytes())
        return found.hexdigest()


def processors(number, jobs):
    """The processors of one of several jobs; none are named if all may use all."""
    there = sorted(os.sched_getaffinity(0))
    return there[number::jobs] if 1 < jobs <= len(there) else []
