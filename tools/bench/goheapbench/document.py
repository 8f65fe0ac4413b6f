# SPDX-License-Identifier: GPL-2.0-only
"""The tables and plots of Documentation/performance.rst, from bench.json."""

import shutil

from . import goals, tables

INCLUDE = "bench-tables.inc"
HEAD = """\
.. SPDX-License-Identifier: GPL-2.0-only
.. Written by tools/bench/run --rst from what make bench measured.
"""
PLOTS = (("cost-by-size-icount-stock", "Cost by object size, instructions"),
         ("cost-by-size-um-um", "Cost by object size, native time"),
         ("cost-by-cpus-vm-stock", "Throughput by number of CPUs"),
         ("cost-by-heap-icount-stock", "Cost of a span by size of the heap"))


def write(guests, about, plots, documentation):
    """The paths of what was written."""
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
    return [include, *(path for path, _ in shown)]


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
    note = (f"{tables.LABS[guest.lab].note[0].upper()}{tables.LABS[guest.lab].note[1:]}; "
            f"{guest.compiler}. To repeat:\n\n.. code-block:: sh\n\n   {guest.command}\n")
    return "\n".join([head, note, *(table.rst() for table in tables.tables(guest))])
