# SPDX-License-Identifier: GPL-2.0-only
"""The figures in Documentation/performance.rst and README.md, from bench.json."""

import re
import shutil

from goheapvm.util import Failure

from . import goals, tables
from .labs import PLAIN

INCLUDE = "bench-tables.inc"
HEAD = """\
.. SPDX-License-Identifier: GPL-2.0-only
.. Written by tools/testing/bench/run --rst from what make bench measured.
"""
PLOTS = (("cost-by-size-icount-stock", "Cost by object size, instructions"),
         ("cost-by-size-um-um", "Cost by object size, native time"),
         ("cost-by-cpus-vm-stock", "Throughput by number of CPUs"),
         ("cost-by-heap-icount-stock", "Cost of a span by size of the heap"))


# Rows of the table in README.md: words, rows that they stand for, goheap, the other.
README_ROWS = (
    ("object cache, 64 bytes", goals.PAIR, "goheap_cache", "kmem_cache"),
    ("any size, 64 bytes", goals.PAIR, "goheap_alloc", "kmalloc"),
    ("object cache, 1024 objects, freed in order", {**goals.BATCH, "order": "fifo"},
     "goheap_cache", "kmem_cache"),
    ("object cache, 64 objects in one call", goals.BULK, "goheap_cache", "kmem_cache"),
    ("any size, 64 KiB", goals.size(64 << 10), "goheap_alloc", "kvmalloc"),
    ("any size, 1 MiB", goals.size(1 << 20), "goheap_alloc", "kvmalloc"),
)
README_LABS = ("icount", "um")
README_BLOCK = re.compile(r"(<!-- figures: .*? -->\n).*?(<!-- end of figures -->\n)", re.S)


def write(guests, about, plots, top):
    """The paths of what was written."""
    if any(guest.quick for guest in guests):
        raise Failure("the last run was a quick one: run make bench first")
    documentation = top / "Documentation"
    readme = top / "README.md"
    readme.write_text(with_figures(readme.read_text(), guests))
    shown = []
    for name, words in PLOTS:
        source = plots / f"{name}.svg"
        if source.exists():
            target = documentation / "images" / f"bench-{name}.svg"
            shutil.copyfile(source, target)
            shown.append((target, words))
    text = [HEAD, measured_on(about), goals_table(guests)]
    text += [f".. figure:: images/{path.name}\n   :alt: {words}\n\n   {words}\n"
             for path, words in shown]
    text += [guest_tables(guest) for guest in guests]
    include = documentation / INCLUDE
    include.write_text("\n".join(text))
    return [readme, include, *(path for path, _ in shown)]


def with_figures(readme, guests):
    """README.md with its table made anew."""
    if not README_BLOCK.search(readme):
        raise Failure("README.md has no place for figures")
    return README_BLOCK.sub(lambda found: found[1] + readme_table(guests) + found[2], readme)


def readme_table(guests):
    columns = [guest for guest in guests
               if guest.lab in README_LABS and guest.parameters == PLAIN]
    heads = [f"{tables.LABS[guest.lab].unit}, {'native ' * (guest.lab == 'um')}{guest.family}"
             for guest in columns]
    lines = [["goheap / the kernel's, for one object", *heads],
             ["---"] * (len(heads) + 1)]
    for words, wanted, ours, theirs in README_ROWS:
        cells = [readme_cell(guest, wanted, ours, theirs) for guest in columns]
        lines.append([f"{words}: `{ours}` / `{theirs}`", *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def readme_cell(guest, wanted, ours, theirs):
    for row in guest.select(**wanted):
        peers = guest.peers(row)
        if ours in peers and theirs in peers:
            unit = tables.LABS[guest.lab].unit
            ratio = tables.ratio(peers, ours, theirs, lambda item: item.min_ps)
            return (f"{tables.figure(peers[ours], unit)} / {tables.figure(peers[theirs], unit)}"
                    f" = **{tables.share(ratio)}**")
    return ""


def measured_on(about):
    host = about["host"]
    return (f"Measured on {about['date'][:10]} with goheap {about['goheap']}, on a host with "
            f"{host['cpus']} processors ({host['processor']}).\n")


def heading(text, line):
    return f"{text}\n{line * len(text)}\n"


def goals_table(guests):
    rows = [[cells[2], cells[1], cells[3], cells[4], cells[0]]
            for cells in (verdict.cells() for verdict in goals.verdicts(guests))]
    return heading("Goals", "~") + "\n" + tables.csv_table(
        "Time of the first over time of the second",
        ["shape", "lab", "ratio", "limit", "verdict"], rows)


def guest_tables(guest):
    head = heading(guest.title, "~")
    note = tables.note(guest)
    repeat = f"To repeat:\n\n.. code-block:: sh\n\n   {guest.command}\n"
    return "\n".join([head, f"{note[0].upper()}{note[1:]}. {repeat}", *(table.rst() for table in tables.tables(guest))])
