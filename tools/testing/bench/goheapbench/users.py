# SPDX-License-Identifier: GPL-2.0-only
"""
Allocators of processes beside each other: the C library's, three of Debian's, and
libgoheap, each as malloc() of the same program.

Native time in user-mode Linux, emulated time of four processors, and instructions of
the system calls that libgoheap stands on beside the kernel's own bulk calls.
"""

import json
import re
from dataclasses import asdict, dataclass, field

from goheapvm import console, guest, programs
from goheapvm.util import Failure

from . import labs, tables
from .results import parse as parse_kernel

PACKAGES = ["libjemalloc2", "libmimalloc2.0", "libtcmalloc-minimal4"]
ALLOCATORS = {
    "glibc": None,
    "jemalloc": "libjemalloc.so.2",
    "mimalloc": "libmimalloc.so.2",
    "tcmalloc": "libtcmalloc_minimal.so.4",
    "goheap": None,
}
OTHERS = tuple(name for name in ALLOCATORS if name != "goheap")
SHAPES = ("pair", "random", "larson", "prodcons", "large", "huge")
WORDS = {
    "pair": "private pairs", "random": "random sizes",
    "larson": "larson: threads come and go", "prodcons": "one allocates, another frees",
    "large": "16 objects replaced in turn", "huge": "16 objects replaced in turn",
}
NUMBERS = ("size", "threads", "ops", "min_ps", "median_ps", "rss")

# Of the fastest of the others, on private pairs; of the C library's, on every shape.
PAIR_LIMIT, GLIBC_LIMIT = 1.2, 1.0
# Of the bulk path in the kernel and an empty call: one each for ALLOC and for FREE.
BATCH_LIMIT = 1.25
# The machine may do other things too, which hit some and not others: once more, in turns.
TURNS = 2
# Where instructions are counted, each byte that such a string instruction moves is one.
COUNTED = labs.PLAIN + " clearcpuid=erms,fsrm"

SCRIPT = """\
insmod /lib/goheap/goheap.ko user_mb=1024 || exit
uname -r > /out/release
status=0
for shape in {shapes}; do
	for name in {names}; do
		echo "bench: $shape $name" > /dev/kmsg
		preload=
		[ $name = glibc ] || preload=/allocators/$name.so
		LD_PRELOAD=$preload /userbench {threads} {percent} $shape >> /out/$name.result || {{
			status=1
			echo "bench: $shape failed with $name"
		}}
	done
done
rmmod goheap || exit
exit $status
"""

BATCH_SCRIPT = """\
insmod /lib/goheap/goheap.ko || exit
insmod /lib/goheap/goheap_bench.ko || exit
uname -r > /out/release
/batch > /out/batch.result || exit
echo "bulk rounds=3 scale=50" > /sys/kernel/debug/goheap_bench/run || exit
cat /sys/kernel/debug/goheap_bench/result > /out/bulk.result
rmmod goheap_bench && rmmod goheap
"""


@dataclass(frozen=True)
class Lab:
    """A guest in which all allocators are measured."""
    kernel: str
    threads: int
    percent: int
    unit: str
    options: dict


LABS = {
    "um": Lab("um", 1, 100, "native nanoseconds", {"cpus": 1, "nodes": 1}),
    "vm": Lab("stock", 4, 20, "nanoseconds, emulated; only ratios mean something",
              {"cpus": 4, "nodes": 1, "accel": "tcg"}),
}


@dataclass
class Found:
    """What one lab gave: a dictionary for each shape and allocator."""
    lab: str
    release: str
    others: float = 0.0
    rows: list = field(default_factory=list)

    def shapes(self):
        """By shape, the figures of each allocator: of its best turn."""
        by_shape = {}
        for row in sorted(self.rows, key=lambda row: row["min_ps"]):
            cells = by_shape.setdefault((row["shape"], row["size"]), {})
            cells.setdefault(row["allocator"], row)
        return {shape: by_shape[shape] for shape in
                dict.fromkeys((row["shape"], row["size"]) for row in self.rows)}


def parse(text, allocator):
    """The lines of userbench."""
    rows = []
    for line in text.splitlines():
        words = dict(word.partition("=")[::2] for word in line.split())
        try:
            rows.append({"allocator": allocator, "shape": words["shape"],
                         **{key: int(words[key]) for key in NUMBERS}})
        except (KeyError, ValueError) as error:
            raise Failure(f"userbench: {line}: {error}") from error
    return rows


class Runner:
    """Builds what guests need once, and boots them."""

    def __init__(self, repo, out, say):
        self.repo, self.out, self.say = repo, out, say
        self.kernels = labs.Runner(repo, out, say)
        self.failures = 0

    def files(self):
        """The program, the allocators and the libraries, as (host, guest)."""
        root = programs.tree(PACKAGES)
        program = programs.compile_c(self.repo / "tools/testing/bench/user/userbench.c",
                                     self.out / "user/userbench")
        found = {name: root / "usr/lib/x86_64-linux-gnu" / library
                 for name, library in ALLOCATORS.items() if library}
        found["goheap"] = programs.libgoheap(self.repo, self.out / "user/libgoheap")
        return [(program, "/userbench"),
                *((path, f"/allocators/{name}.so") for name, path in found.items()),
                *programs.libraries([program, *found.values()], root)]

    def run(self, names, quick):
        """What all labs gave; one that fails does not keep the others from running."""
        files = self.files()
        able = [name for name in names if name in LABS][:1 if quick else None]
        found = [self.attempt(lambda name=name: self.measure(name, files, quick), name)
                 for name in able]
        batch = None
        if "icount" in names and not quick:
            batch = self.attempt(self.batch, "icount")
        return [item for item in found if item], batch

    def attempt(self, what, name):
        try:
            return what()
        except (Failure, OSError) as failure:
            self.failures += 1
            self.say(f"allocators of processes, {name}: FAILED: {failure}")
            return None

    def boot(self, name, kernel, script, files, options, append=labs.PLAIN):
        workspace = self.kernels.workspace(kernel)
        self.say(f"allocators of processes, {name}")
        result = guest.boot(workspace.kernel, script, workspace.guest_modules() + files,
                            self.out / "guests" / f"user-{name}",
                            guest.Options(timeout=labs.TIMEOUT, append=append, **options))
        problems = result.problems + [str(bad) for bad in console.check_file(result.console)]
        if result.status:
            problems += re.findall(r"bench: .* failed.*", result.console.read_text(errors="replace"))
            problems.append(f"exit status {result.status}")
        if problems:
            raise Failure("\n  ".join([f"see {result.console}", *problems[:5]]))
        return result.out / "out"

    def measure(self, name, files, quick):
        lab = LABS[name]
        others = labs.busy_processors()
        percent = lab.percent // 5 if quick else lab.percent
        turns = [*ALLOCATORS] * (1 if quick else TURNS)
        out = self.boot(name, lab.kernel, SCRIPT.format(
            shapes=" ".join(SHAPES), names=" ".join(turns), threads=lab.threads,
            percent=percent), files, lab.options)
        found = Found(name, (out / "release").read_text().strip(), others)
        for allocator in ALLOCATORS:
            found.rows += parse((out / f"{allocator}.result").read_text(), allocator)
        return found

    def batch(self):
        """Instructions of a batch: by system calls, and inside the kernel."""
        program = programs.compile_c(self.repo / "tools/testing/bench/user/batch.c",
                                     self.out / "user/batch", "-static",
                                     f"-I{self.repo}/include/uapi")
        out = self.boot("icount", "stock", BATCH_SCRIPT, [(program, "/batch")],
                        labs.LABS["icount"].options, COUNTED)
        words = dict(word.split("=") for word in (out / "batch.result").read_text().split())
        bulk = [item.min_ps for item in parse_kernel((out / "bulk.result").read_text())
                if item.peer == "goheap_alloc" and item.row.count == int(words["objects"])
                and item.row.size == 64 and not item.row.zero]
        if len(bulk) != 1:
            raise Failure("goheap_bench did not measure the bulk path")
        objects = int(words["objects"])
        return {"objects": objects, "calls": int(words["batch_ps"]) / 1000 / objects,
                "empty": int(words["call_ps"]) / 1000 / objects, "bulk": bulk[0] / 1000}


# ---- what came of it ---------------------------------------------------------


def label(shape, size, row):
    words = [WORDS[shape], tables.nbytes(size) if size else "16 B to 4 KiB"]
    if row["threads"] > 1:
        words.append(f"{row['threads']} threads")
    return ", ".join(words)


def fastest(cells):
    return min(cells[name]["min_ps"] for name in OTHERS)


def goals(found, batch):
    """(words, ratio, limit) of every goal."""
    verdicts = []
    for lab in found:
        for (shape, size), cells in lab.shapes().items():
            words = f"{lab.lab}: {label(shape, size, cells['goheap'])}"
            ours = cells["goheap"]["min_ps"]
            verdicts.append((f"{words}: goheap / glibc", ours / cells["glibc"]["min_ps"],
                             GLIBC_LIMIT))
            if shape == "pair":
                verdicts.append((f"{words}: goheap / fastest other", ours / fastest(cells),
                                 PAIR_LIMIT))
    if batch:
        verdicts.append((f"icount: ALLOC and FREE of {batch['objects']} / (bulk + an empty call each)",
                         batch["calls"] / (batch["bulk"] + 2 * batch["empty"]), BATCH_LIMIT))
    return verdicts


def time_rows(lab):
    """A heading, then a row a shape."""
    yield ["", *ALLOCATORS, "goheap / glibc", "goheap / fastest"]
    for (shape, size), cells in lab.shapes().items():
        ours = cells["goheap"]["min_ps"]
        yield [label(shape, size, cells["goheap"]),
               *(f"{cells[name]['min_ps'] / 1000:.1f}" for name in ALLOCATORS),
               tables.share(ours / cells["glibc"]["min_ps"]), tables.share(ours / fastest(cells))]


def memory_rows(lab):
    yield ["", *ALLOCATORS]
    for (shape, size), cells in lab.shapes().items():
        yield [label(shape, size, cells["goheap"]),
               *(f"{cells[name]['rss'] / (1 << 20):.1f}" for name in ALLOCATORS)]


def batch_rows(batch):
    yield ["", "instructions an object"]
    yield [f"ALLOC and FREE of {batch['objects']} objects", f"{batch['calls']:.1f}"]
    yield ["goheap_alloc_bulk() and goheap_free_bulk()", f"{batch['bulk']:.1f}"]
    yield ["one call that only reads a root", f"{batch['empty']:.1f}"]


def all_tables(found, batch):
    """(title, rows) of each table."""
    for lab in found:
        rough = f"; rough, {lab.others:.1f} processors were busy" if lab.others > labs.BUSY else ""
        where = f"{lab.lab}, Linux {lab.release}"
        yield (f"{where}: {LABS[lab.lab].unit} an object allocated and freed; the least of "
               f"all rounds{rough}", list(time_rows(lab)))
        yield f"{where}: MiB resident when most is held", list(memory_rows(lab))
    if batch:
        yield "Batches of 64 bytes, counted (icount, stock)", list(batch_rows(batch))


def text(found, batch):
    out = []
    for title, rows in all_tables(found, batch):
        widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
        out.append(title)
        out += ["  " + f"{row[0]:<{widths[0]}}"
                + "".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:]))
                for row in rows]
        out.append("")
    out.append("goals of the allocators of processes")
    for words, ratio, limit in goals(found, batch):
        out.append(f"  {'met' if ratio <= limit else 'MISSED':<8}{words:<80}"
                   f"{ratio:>6.2f}  at most {limit:.2f}")
    return "\n".join(out) + "\n"


def rst(found, batch):
    shown = [".. SPDX-License-Identifier: GPL-2.0-only\n"
             ".. Written by tools/testing/bench/run --rst from what make bench measured.\n"]
    shown += [tables.csv_table(title, rows[0], rows[1:]) for title, rows in
              all_tables(found, batch)]
    rows = [[words, f"{ratio:.2f}", f"at most {limit:.2f}", "met" if ratio <= limit else "MISSED"]
            for words, ratio, limit in goals(found, batch)]
    shown.append(tables.csv_table("Goals", ["", "ratio", "limit", "verdict"], rows))
    return "\n".join(shown)


def save(path, found, batch, **about):
    path.write_text(json.dumps({**about, "labs": [asdict(lab) for lab in found],
                                "batch": batch}, indent=1) + "\n")


def load(path):
    try:
        data = json.loads(path.read_text())
        return [Found(**lab) for lab in data["labs"]], data["batch"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path}: not what make bench writes: {error}") from error
