# SPDX-License-Identifier: GPL-2.0-only
"""
Messages from one process to another: in objects of goheap, beside boost.interprocess,
slots of fixed size, a pipe and a POSIX message queue. See user/messages.cc.
"""

import json

from goheapvm import console, guest, programs
from goheapvm.util import Failure, run

from . import labs, tables

PACKAGES = ["libboost1.74-dev"]
WAYS = {
    "give": "goheap, given", "publish": "goheap, published", "boost": "boost.interprocess",
    "slots": "fixed slots", "pipe": "pipe", "mq": "message queue",
}
OURS = ("give", "publish")

# Of boost.interprocess, where messages are not so long that all but filling them is little.
BOOST_LIMIT, BOOST_LONGEST = 0.5, 1024
# In each of the two processes.
CALLS_LIMIT, CALLS_SIZE = 1.0, 64

KERNEL = "stock"
MESSAGES = 20000
OPTIONS = {"cpus": 2, "nodes": 1, "accel": "tcg"}

SCRIPT = """\
insmod /lib/goheap/goheap.ko || exit
uname -r > /out/release
/messages {messages} > /out/messages.result || exit
rmmod goheap
"""


def parse(text):
    """The lines of the program."""
    rows = []
    for line in text.splitlines():
        words = dict(word.partition("=")[::2] for word in line.split())
        try:
            rows.append({"way": words["way"], "size": int(words["size"]), "ps": int(words["ps"]),
                         "writer": float(words["writer"]), "reader": float(words["reader"])})
        except (KeyError, ValueError) as error:
            raise Failure(f"messages: {line}: {error}") from error
    return rows


def build(repo, out):
    """The program, with the headers of Debian's package and our library."""
    library, program = out / "user/libgoheap", out / "user/messages"
    programs.libgoheap(repo, library)
    run(["g++", "-O2", "-Wall", "-static", "-pthread",
         f"-I{programs.tree(PACKAGES)}/usr/include", f"-I{repo}/tools/lib/goheap",
         f"-I{repo}/include/uapi", "-o", program,
         repo / "tools/testing/bench/user/messages.cc", library / "libgoheap.a",
         "-Wl,--wrap=ioctl"])
    return program


def measure(repo, out, quick, say):
    """Where it was measured, and a row for each way and size."""
    program = build(repo, out)
    workspace = labs.Runner(repo, out, say).workspace(KERNEL)
    say(f"messages between processes, {KERNEL}")
    result = guest.boot(workspace.kernel, SCRIPT.format(messages=MESSAGES // (4 if quick else 1)),
                        workspace.guest_modules() + [(program, "/messages")],
                        out / "guests/messages",
                        guest.Options(timeout=labs.TIMEOUT, append=labs.PLAIN, **OPTIONS))
    problems = result.problems + [str(bad) for bad in console.check_file(result.console)]
    if result.status:
        problems.append(f"exit status {result.status}")
    if problems:
        raise Failure("\n  ".join([f"see {result.console}", *problems[:5]]))
    found = result.out / "out"
    return {"release": (found / "release").read_text().strip(),
            "rows": parse((found / "messages.result").read_text())}


# ---- what came of it ---------------------------------------------------------


def by_size(found):
    """By size, the row of each way."""
    sizes = {}
    for row in found["rows"]:
        sizes.setdefault(row["size"], {})[row["way"]] = row
    return sizes


def goals(found):
    """(words, ratio, limit) of every goal."""
    verdicts = []
    for size, ways in by_size(found).items():
        words = f"messages of {tables.nbytes(size)}"
        if size <= BOOST_LONGEST:
            verdicts += [(f"{words}: {WAYS[way]} / boost", ways[way]["ps"] / ways["boost"]["ps"],
                          BOOST_LIMIT) for way in OURS]
        if size == CALLS_SIZE:
            verdicts += [(f"{words}: system calls for 64, {WAYS[way]}, {side}", ways[way][side],
                          CALLS_LIMIT) for way in OURS for side in ("writer", "reader")]
    return verdicts


def time_rows(found):
    yield ["", *WAYS.values()]
    for size, ways in by_size(found).items():
        yield [tables.nbytes(size),
               *(f"{ways[way]['ps'] / 1000:.0f}" if way in ways else "" for way in WAYS)]


def call_rows(found):
    yield ["", *(f"{WAYS[way]}, {side}" for way in OURS for side in ("writer", "reader"))]
    for size, ways in by_size(found).items():
        yield [tables.nbytes(size),
               *(f"{ways[way][side]:.2f}" for way in OURS for side in ("writer", "reader"))]


def all_tables(found):
    yield (f"Linux {found['release']}, 2 emulated CPUs: nanoseconds a message; only ratios mean "
           "something", list(time_rows(found)))
    yield "System calls for 64 messages", list(call_rows(found))


def text(found):
    out = []
    for title, rows in all_tables(found):
        widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
        out += [title, *("  " + "".join(f"{cell:>{width}}" for cell, width in zip(row, widths))
                         for row in rows), ""]
    out.append("goals of messages between processes")
    for words, ratio, limit in goals(found):
        out.append(f"  {'met' if ratio <= limit else 'MISSED':<8}{words:<70}"
                   f"{ratio:>6.2f}  at most {limit:.2f}")
    return "\n".join(out) + "\n"


def rst(found):
    shown = [".. SPDX-License-Identifier: GPL-2.0-only\n"
             ".. Written by tools/testing/bench/run --rst from what make bench measured.\n"]
    shown += [tables.csv_table(title, rows[0], rows[1:]) for title, rows in all_tables(found)]
    rows = [[words, f"{ratio:.2f}", f"at most {limit:.2f}", "met" if ratio <= limit else "MISSED"]
            for words, ratio, limit in goals(found)]
    shown.append(tables.csv_table("Goals", ["", "ratio", "limit", "verdict"], rows))
    return "\n".join(shown)


def save(path, found, **about):
    path.write_text(json.dumps({**about, **found}, indent=1) + "\n")


def load(path):
    try:
        data = json.loads(path.read_text())
        return {"release": data["release"], "rows": data["rows"]}
    except (OSError, ValueError, KeyError) as error:
        raise Failure(f"{path}: not what make bench writes: {error}") from error
