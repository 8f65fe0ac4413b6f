# SPDX-License-Identifier: GPL-2.0-only
"""Plots of what was measured, as SVG; the only part that needs matplotlib."""

from math import log10

from .labs import LABS, PLAIN
from .tables import nbytes

# Okabe and Ito's colours, told apart by colour-blind readers too; one peer has
# the same colour and mark in every plot. goheap's are blue, and thicker.
STYLE = {
    "floor": ("#999999", "."),
    "kmem_cache": ("#d55e00", "s"),
    "kmalloc": ("#e69f00", "D"),
    "kvmalloc": ("#009e73", "^"),
    "vmalloc": ("#cc79a7", "v"),
    "alloc_pages": ("#6b6b6b", "P"),
    "genalloc": ("#b8a900", "x"),
    "goheap_cache": ("#0072b2", "s"),
    "goheap_alloc": ("#56b4e9", "D"),
}
PLAIN_COLOURS = ("#0072b2", "#d55e00", "#009e73")
# A label needs as much height as its letters have, in parts of the axis.
LABEL_HEIGHT = 0.046


def draw_all(guests, out):
    """The paths of what was drawn; ImportError without matplotlib."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "goheap", "font.family": "sans-serif",
        "font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.color": "#e4e4e4", "axes.axisbelow": True})
    drawn = []
    for guest in guests:
        for what, draw in (("size", by_size), ("cpus", by_cpus), ("heap", by_heap)):
            axes = draw(guest) if guest.parameters == PLAIN else None
            if axes:
                drawn.append(out / f"cost-by-{what}-{guest.lab}-{guest.kernel}.svg")
                finish(axes, drawn[-1])
    return drawn


def new_axes(title):
    from matplotlib import pyplot
    _, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    axes.set_title(title, loc="left", fontsize=11)
    return axes


def finish(axes, path):
    from matplotlib import pyplot
    axes.figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(axes.figure)


def size_ticks(axes, sizes):
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [nbytes(n) for n in sizes], rotation=30, ha="right")
    axes.minorticks_off()


def label_ends(axes, ends, log):
    """Names at the ends of lines, in their colours, moved apart where they would meet."""
    by_end = {}
    for x, y, name, colour in ends:
        by_end.setdefault(x, []).append((axis_part(axes, y, log), name, colour))
    for x, labels in by_end.items():
        lowest = -1.0
        for y, name, colour in sorted(labels):
            lowest = max(y, lowest + LABEL_HEIGHT)
            axes.annotate(name, xy=(x, lowest), xycoords=("data", "axes fraction"),
                          xytext=(7, 0), textcoords="offset points", color=colour,
                          va="center", fontsize=9, annotation_clip=False,
                          bbox={"facecolor": "white", "alpha": 0.65, "pad": 0.5, "linewidth": 0})


def axis_part(axes, y, log):
    """How high a value is, in parts of the axis."""
    low, high = axes.get_ylim()
    if log:
        return log10(y / low) / log10(high / low)
    return (y - low) / (high - low)


def lines(axes, series, log_y):
    """series: name -> [(x, y)]."""
    ends = []
    for name, points in series.items():
        colour, mark = STYLE[name]
        xs, ys = zip(*sorted(points))
        axes.plot(xs, ys, color=colour, marker=mark, markersize=4.5,
                  linewidth=2.2 if name.startswith("goheap") else 1.3)
        ends.append((xs[-1], ys[-1], name, colour))
    if log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    label_ends(axes, ends, log_y)


def series_of(guest, rows, x, y, peers=tuple(STYLE)):
    series = {}
    for row in rows:
        for peer, item in guest.peers(row).items():
            # What took less than the clock can tell has no place on any axis here.
            if peer in peers and item.min_ps:
                series.setdefault(peer, []).append((x(row), y(row, item)))
    return series


def by_size(guest):
    rows = guest.select(group="sizes", zero=0)
    if not rows:
        return None
    unit = LABS[guest.lab].unit
    axes = new_axes(f"An object allocated, touched and freed ({guest.lab}, Linux {guest.release})")
    size_ticks(axes, sorted({row.size for row in rows}))
    # The floor has no memory, and so no size that it could depend on.
    lines(axes, series_of(guest, rows, lambda row: row.size, lambda row, item: item.min_ps / 1000,
                          [peer for peer in STYLE if peer != "floor"]), True)
    axes.set_xlabel("object size")
    axes.set_ylabel(f"{'nanoseconds' if unit == 'ns' else unit} an object")
    return axes


def by_cpus(guest):
    rows = guest.rows("parallel")
    if not rows:
        return None
    axes = new_axes(f"Private pairs on several CPUs at once ({guest.lab}, Linux {guest.release})")
    lines(axes, series_of(guest, rows, lambda row: row.cpus,
                          lambda row, item: 1e6 / item.min_ps), False)
    axes.set_xticks(sorted({row.cpus for row in rows}))
    axes.set_xlabel("CPUs")
    axes.set_ylabel("million pairs a second, all CPUs together")
    return axes


def by_heap(guest):
    rows = [row for row in guest.rows("sweep") if row.shape != "half"]
    if not rows:
        return None
    axes = new_axes(f"A span allocated and freed, by heap size ({guest.lab}, "
                    f"Linux {guest.release})")
    size_ticks(axes, sorted({row.size for row in rows}))
    ends = []
    for colour, npages in zip(PLAIN_COLOURS, sorted({row.count for row in rows})):
        points = sorted((row.size, next(iter(guest.peers(row).values())).min_ps / 1000)
                        for row in rows if row.count == npages)
        xs, ys = zip(*points)
        axes.plot(xs, ys, color=colour, marker="o", markersize=4.5, linewidth=1.8)
        ends.append((xs[-1], ys[-1], f"{npages} page{'s' * (npages > 1)}", colour))
    axes.set_ylim(bottom=0)
    label_ends(axes, ends, False)
    axes.set_xlabel("address space of the heap")
    unit = LABS[guest.lab].unit
    axes.set_ylabel(f"{'nanoseconds' if unit == 'ns' else unit} a span")
    return axes
