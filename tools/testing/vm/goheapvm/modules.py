# SPDX-License-Identifier: GPL-2.0-only
"""
Builds the modules and test programs of a source tree for one kernel.

Kbuild leaves its products beside the sources, so every kernel gets a copy of
the sources of its own. Only what changed is copied, and rebuilt.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import kernels, machines
from .util import Failure, jobs, locked_file, run, run_logged

PRODUCTS = (".o", ".ko", ".cmd", ".mod", ".mod.c", ".symvers", ".order", ".a", ".d",
            ".dwo", ".pyc")
# Made by host programs; they must be made anew from the copy.
GENERATED = {"gen_sizeclasses", "sizeclass_tables.h"}
SKIPPED_DIRS = {".git", "build", "__pycache__", "Documentation"}

# Where there are programs for guests, each with a Makefile that knows O= and LDFLAGS=.
PROGRAM_DIRS = ("tools/goheapctl", "samples", "tools/lib/goheap/tests", "tools/python/tests")

# Large ones: only guests get them that run this test, and only on kernels that are fast.
PROGRAMS_OF = {"goheap-python": "user_python.sh"}
FAST_KERNELS = ("stock", "um")

# The self tests of "make check"; other lists are beside it.
TESTS = "tests.list"

# What is built: with internals exported to tests, or as users build it, and
# measured. Both set both variables: the caller's environment must not matter.
FLAVOURS = {
    "test": ("GOHEAP_TESTS=1", "GOHEAP_BENCH="),
    "bench": ("GOHEAP_TESTS=", "GOHEAP_BENCH=1"),
}


class Workspace:
    """Everything that belongs to one kernel and flavour: build/vm/NAME or NAME-bench."""

    def __init__(self, src, kernel, work=None, flavour="test", page_shift=0):
        self.repo = Path(src).resolve()
        self.kernel = kernel
        self.flavour = flavour
        self.page_shift = page_shift
        name = kernel.name if flavour == "test" else f"{kernel.name}-{flavour}"
        if page_shift:
            name += f"-page{page_shift}"
        self.dir = Path(work or self.repo / "build/vm").resolve() / name
        self.src = self.dir / "src"
        self.programs = self.dir / "programs"
        self.dir.mkdir(parents=True, exist_ok=True)

    def built_modules(self):
        return sorted(self.src.rglob("*.ko"))

    def copy(self):
        copy_sources(self.repo, self.src)

    def build(self, extra=(), tests=True):
        """Copy the sources and build all modules and programs, and the test programs."""
        with locked_file(self.dir / "build.lock", self.dir):
            self.copy()
            run_logged(["make", "-C", self.kernel.kdir, f"M={self.src}", f"-j{jobs()}",
                        *self.kernel.make_args, *FLAVOURS[self.flavour],
                        *self.page_args(), *extra, "modules"],
                       self.dir / "modules.log", f"modules for {self.dir.name}")
            if self.flavour == "test":
                self.build_programs()
                if tests:
                    self.build_tests()
        return self.built_modules()

    def page_args(self):
        return [f"GOHEAP_PAGE_SHIFT={self.page_shift}"] if self.page_shift else []

    def build_programs(self):
        args = ["PAGES=vary"] if self.page_shift else []
        for name in PROGRAM_DIRS:
            if (self.src / name / "Makefile").exists():
                run(["make", "-s", "-C", self.src / name, f"O={self.programs}", "LDFLAGS=-static",
                     *args])

    def build_tests(self):
        """The self tests that are C programs, with the kernel's own harness for such."""
        tests = self.src / "selftests"
        headers = [*tests.glob("*.h"), *self.src.glob("include/uapi/linux/*.h")]
        factor = kernels.slow_factor(self.kernel.name)
        for test in (test for path in tests.glob("*.list")
                     for test in test_list(self.src, path.name)):
            program = tests / test.command[0]
            source = tests / f"{program.name}.c"
            if source.exists() and not all(is_newer(program, s) for s in (source, *headers)):
                run(["gcc", "-static", "-O2", "-Wall", "-pthread", f"-DTIME_FACTOR={factor}",
                     f"-I{self.src}/include/uapi",
                     f"-I{kernels.kselftest_dir(self.kernel)}", "-o", program, source])

    def guest_modules(self):
        return [(path, f"/lib/goheap/{path.name}") for path in self.built_modules()]

    def guest_programs(self, tests=()):
        """Programs for these tests, and what they need in directories named after them."""
        return [(path, f"/usr/bin/{path.name}") for path in sorted(self.programs.glob("*"))
                if (path.name.startswith("goheap-") or
                    path.is_file() and not path.name.endswith(".c"))
                and self.wants(path.name, tests)]

    def wants(self, program, tests):
        test = PROGRAMS_OF.get(program)
        return not test or test in tests and self.kernel.name in FAST_KERNELS

    def guest_selftests(self):
        """Scripts, their helpers and the built programs, but no sources."""
        tests = self.src / "selftests"
        if not tests.is_dir():
            raise Failure(f"{self.repo} has no selftests/")
        skip = (".c", ".h", *PRODUCTS)
        return [(path, f"/selftests/{path.relative_to(tests)}") for path in sorted(tests.rglob("*"))
                if path.is_file() and not path.name.endswith(skip)
                and not path.name.startswith(".") and path.name != "Kbuild"]


@dataclass(frozen=True)
class SelfTest:
    """
    A line of a list of self tests: a test's name, its time limit, what it runs, and in
    which guest. Where the name is that of a KUnit module, the guest loads that.
    """
    name: str
    seconds: int
    command: tuple
    machine: machines.Machine = machines.DEFAULT

    @property
    def is_kunit(self):
        return self.name.endswith("_kunit")

    def __str__(self):
        return " ".join([self.name, str(self.seconds), *self.command])


def test_list(src, name=TESTS):
    """The self tests of a list, in the order in which they are run."""
    path = Path(src) / "selftests" / name
    return parse_tests(path.read_text()) if path.exists() else []


def parse_tests(text):
    """
    NAME SECONDS [PROGRAM [ARGUMENT...]] on each line; the default program is NAME. A line
    "machine PROPERTY=NUMBER..." is about all lines after it.
    """
    tests = []
    where = machines.DEFAULT
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["machine"]:
            where = machines.parse(words[1:])
        elif words:
            tests.append(SelfTest(words[0], int(words[1]) if len(words) > 1 else 60,
                                  tuple(words[2:]) or (words[0],), where))
    return tests


def is_product(name):
    return name.endswith(PRODUCTS) or name.startswith(".tmp") or name in GENERATED


def is_newer(product, source):
    return product.exists() and product.stat().st_mtime >= source.stat().st_mtime


def is_same(a, b):
    return (b.exists() and a.stat().st_size == b.stat().st_size
            and a.stat().st_mtime_ns == b.stat().st_mtime_ns)


def copy_sources(repo, dest):
    """Bring dest up to date, and drop copies whose source is gone."""
    wanted = set()
    for base, dirs, names in os.walk(repo):
        dirs[:] = [d for d in dirs if d not in SKIPPED_DIRS]
        for name in names:
            source = Path(base) / name
            if is_product(name) or source.is_symlink() or not source.is_file():
                continue
            relative = source.relative_to(repo)
            wanted.add(relative)
            copy_if_changed(source, dest / relative)
    drop_stale(repo, dest, wanted)


def copy_if_changed(source, target):
    if not is_same(source, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def drop_stale(repo, dest, wanted):
    """
    A renamed test must not be run under its old name too. Generated files are
    kept: they are not in the list of what was copied before.
    """
    listing = dest / ".goheap-copied"
    if listing.exists():
        for line in listing.read_text().splitlines():
            if Path(line) not in wanted:
                remove_with_products(dest / line)
    listing.write_text("".join(f"{path}\n" for path in sorted(wanted)))


def remove_with_products(path):
    path.unlink(missing_ok=True)
    for suffix in (".o", ".ko", ".mod", ".mod.c", ".mod.o"):
        path.with_suffix(suffix).unlink(missing_ok=True)
