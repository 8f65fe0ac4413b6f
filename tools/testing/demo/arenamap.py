# SPDX-License-Identifier: GPL-2.0-only
"""
Draws /sys/kernel/debug/goheap/arena_map as SVG.

Each line of the map is a run of pages of 8 KiB:

    arena page npages kind class elemsize nelems live

The picture has the pages in address order, 1 MiB a row. The colour of a span says how
large its objects are; the strong part of it is what live objects fill.
"""
from dataclasses import dataclass
from html import escape
from math import log2

PAGE = 8192
ARENA_PAGES = 8192
ROW_PAGES = 128             # 1 MiB
CELL_W, CELL_H, GAP = 10, 15, 3
LEFT, TOP = 92, 118
GRID_W = ROW_PAGES * CELL_W
WIDTH = LEFT + GRID_W + 40
CHART_H = 120

# From 8 bytes to 32 KiB, even steps of the logarithm.
SCALE = ("#3b3f8f", "#2f6fb0", "#2a9d9c", "#4fb36b", "#a9c93f", "#f0c030", "#ee8a2c", "#d8492f",
         "#a3234e")
LARGE, STACK, CACHE, CACHED = "#5b4a72", "#8d6e63", "#c2185b", "#90a4ae"
FREE, RELEASED, INK, SOFT = "#d5d9dd", "#f4f5f6", "#263238", "#607d8b"

KINDS = (
    ("large", LARGE, "objects above 32 KiB"),
    ("stack", STACK, "stack blocks"),
    ("cache", CACHE, "object caches"),
    ("cached", CACHED, "free, kept at hand"),
    ("free", FREE, "free, has memory"),
    ("released", RELEASED, "no memory behind it"),
)


@dataclass
class Run:
    """A run of pages in one state."""
    arena: int
    page: int
    npages: int
    kind: str
    name: str
    size_class: int
    elemsize: int
    nelems: int
    live: int

    @property
    def filled(self):
        """The share of its bytes that live objects take."""
        if not self.nelems:
            return 0.0
        return min(1.0, self.live * self.elemsize / (self.npages * PAGE))

    @property
    def colour(self):
        if self.kind == "span":
            return size_colour(self.elemsize)
        return {kind: colour for kind, colour, _ in KINDS}.get(self.kind, RELEASED)

    @property
    def has_objects(self):
        return self.kind in ("span", "large", "stack", "cache")

    def describe(self):
        pages = f"page {self.page}" if self.npages == 1 else \
            f"pages {self.page} to {self.page + self.npages - 1}"
        if not self.has_objects:
            return f"{pages}: {self.kind}"
        what = f"cache {self.name}" if self.name else self.kind
        return (f"{pages}: {what}, {self.live} of {self.nelems} objects of "
                f"{human(self.elemsize)} live")


def parse(text):
    runs = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        arena, page, npages, kind, *rest = line.split()
        kind, _, name = kind.partition(":")
        if kind == "absent":
            kind = "released"
        runs.append(Run(int(arena), int(page), int(npages), kind, name, *map(int, rest)))
    return runs


def human(nbytes):
    if nbytes < 1024:
        return f"{nbytes} B"
    if nbytes < 1 << 20:
        return f"{nbytes / 1024:.4g} KiB"
    return f"{nbytes / (1 << 20):.1f} MiB"


def size_colour(nbytes):
    at = (log2(max(8, min(nbytes, 32768))) - 3) / 12 * (len(SCALE) - 1)
    low = min(int(at), len(SCALE) - 2)
    return blend(SCALE[low], SCALE[low + 1], at - low)


def blend(a, b, share):
    """The colour between two, share 0 giving the first."""
    pairs = [(int(a[i:i + 2], 16), int(b[i:i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(x + (y - x) * share):02x}" for x, y in pairs)


def tint(colour):
    return blend(colour, "#ffffff", 0.62)


class Svg:
    def __init__(self):
        self.parts = []

    def rect(self, x, y, w, h, fill, title=None, more=""):
        tail = f"><title>{escape(title)}</title></rect>" if title else "/>"
        self.parts.append(f'<rect x="{x:.4g}" y="{y:.5g}" width="{w:.4g}" height="{h:.4g}" '
                          f'fill="{fill}"{more}{tail}')

    def text(self, x, y, text, size=12, fill=INK, anchor="start", weight="normal"):
        self.parts.append(f'<text x="{x:.5g}" y="{y:.5g}" font-size="{size}" fill="{fill}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>')

    def document(self, width, height, title):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" '
                f'viewBox="0 0 {width} {height:.0f}" '
                f'font-family="DejaVu Sans, Verdana, sans-serif">\n'
                f"<title>{escape(title)}</title>\n"
                f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def draw_run(svg, run, top, last_row):
    """A run may go over several rows; its live part is filled from its start."""
    page, end = run.page, min(run.page + run.npages, (last_row + 1) * ROW_PAGES)
    solid = run.page + run.filled * run.npages
    title = run.describe()
    while page < end:
        row, column = divmod(page, ROW_PAGES)
        n = min(ROW_PAGES - column, end - page)
        x, y = LEFT + column * CELL_W, top + row * (CELL_H + GAP)
        width = n * CELL_W - 1
        if run.has_objects:
            svg.rect(x, y, width, CELL_H, tint(run.colour), title)
            live = min(max(solid - page, 0), n) * CELL_W
            if live:
                svg.rect(x, y, min(live, width), CELL_H, run.colour, title)
        else:
            svg.rect(x, y, width, CELL_H, run.colour, title)
        page += n


def draw_arena(svg, number, runs, top):
    """Draw the rows up to the last that has memory; return where the drawing ends."""
    used = max(run.page + run.npages for run in runs if run.kind != "released")
    last_row = (used - 1) // ROW_PAGES
    svg.text(LEFT, top - 10, f"arena {number}", 13, INK, weight="bold")
    svg.text(LEFT + GRID_W, top - 10, "a square is a page of 8 KiB, a row is 1 MiB", 11, SOFT,
             "end")
    for row in range(last_row + 1):
        svg.text(LEFT - 10, top + row * (CELL_H + GAP) + 11.5, f"{row} MiB", 10, SOFT, "end")
    for run in runs:
        if run.page <= used:
            draw_run(svg, run, top, last_row)
    bottom = top + (last_row + 1) * (CELL_H + GAP)
    rest = (ARENA_PAGES - (last_row + 1) * ROW_PAGES) * PAGE
    if rest:
        svg.rect(LEFT, bottom + 1, GRID_W - 1, 12, RELEASED)
        svg.text(LEFT + GRID_W / 2, bottom + 10.5,
                 f"{human(rest)} more of address space, with no memory behind it", 10, SOFT,
                 "middle")
        bottom += 16
    return bottom


def draw_size_scale(svg, x, y, width):
    svg.text(x, y, "size of the objects in a span", 12, INK, weight="bold")
    steps = 96
    for i in range(steps):
        svg.rect(x + i * width / steps, y + 9, width / steps + 0.5, 14,
                 size_colour(2 ** (3 + 12 * i / (steps - 1))))
    for power in range(3, 16, 2):
        at = x + (power - 3) / 12 * width
        svg.rect(at, y + 23, 1, 4, SOFT)
        svg.text(at, y + 38, human(2 ** power), 10, SOFT, "middle")


def draw_kinds(svg, x, y, totals):
    entries = [kind for kind in KINDS if totals.get(kind[0])]
    for i, (kind, colour, words) in enumerate(entries):
        column, row = divmod(i, 3)
        at_x, at_y = x + column * 265, y + row * 20
        border = f' stroke="{FREE}"' if kind == "released" else ""
        svg.rect(at_x, at_y - 10, 14, 12, colour, None, border)
        svg.text(at_x + 21, at_y, f"{words}: {human(totals[kind] * PAGE)}", 11)


def draw_fill_key(svg, x, y):
    colour = size_colour(512)
    svg.rect(x, y - 10, 44, 12, tint(colour))
    svg.rect(x, y - 10, 30, 12, colour)
    svg.text(x + 52, y, "strong: filled by live objects,  pale: free in the span", 11)


def draw_classes(svg, runs, top):
    """Bars: memory of each size class, the live part of it strong."""
    sizes = {}
    for run in runs:
        if run.kind == "span":
            pages, live = sizes.get(run.elemsize, (0, 0))
            sizes[run.elemsize] = (pages + run.npages, live + run.live * run.elemsize)
    if not sizes:
        return top
    svg.text(LEFT, top, "memory by size class", 13, INK, weight="bold")
    most = max(pages for pages, _ in sizes.values()) * PAGE
    base = top + 18 + CHART_H
    pitch = GRID_W / len(sizes)
    svg.text(LEFT - 10, top + 24, human(most), 10, SOFT, "end")
    svg.text(LEFT - 10, base, "0", 10, SOFT, "end")
    svg.rect(LEFT, top + 18, GRID_W, 0.6, FREE)
    for i, (size, (pages, live)) in enumerate(sorted(sizes.items())):
        height, full = pages * PAGE / most * CHART_H, live / most * CHART_H
        x = LEFT + i * pitch
        title = f"{human(size)}: {human(live)} live in {human(pages * PAGE)}"
        svg.rect(x, base - height, pitch * 0.8, height, tint(size_colour(size)), title)
        svg.rect(x, base - full, pitch * 0.8, full, size_colour(size), title)
        svg.parts.append(f'<text transform="translate({x + pitch * 0.62:.5g} {base + 6:.5g}) '
                         f'rotate(-90)" font-size="9" text-anchor="end" fill="{SOFT}">'
                         f"{escape(human(size))}</text>")
    svg.rect(LEFT, base, GRID_W, 1, SOFT)
    return base + 62


def draw(text, title):
    """The map as an SVG document."""
    runs = parse(text)
    totals = {}
    for run in runs:
        totals[run.kind] = totals.get(run.kind, 0) + run.npages
    arenas = {}
    for run in runs:
        arenas.setdefault(run.arena, []).append(run)
    arenas = {number: those for number, those in arenas.items()
              if any(run.kind != "released" for run in those)}
    holders = [run for run in runs if run.has_objects]
    pages = sum(run.npages for run in holders)
    live_bytes = sum(run.live * run.elemsize for run in holders)

    svg = Svg()
    svg.text(LEFT, 40, title, 22, INK, weight="bold")
    svg.text(LEFT, 64, f"{sum(run.live for run in holders):,} live objects of {human(live_bytes)} "
             f"in {len(holders):,} spans of {human(pages * PAGE)} ({pages:,} pages); "
             f"{live_bytes / max(pages * PAGE, 1):.0%} of that memory is filled", 13, SOFT)
    y = TOP
    for number, those in sorted(arenas.items()):
        y = draw_arena(svg, number, those, y) + 34
    y += 2
    draw_size_scale(svg, LEFT, y, 480)
    draw_kinds(svg, LEFT + 560, y + 2, totals)
    draw_fill_key(svg, LEFT + 560, y + 68)
    y = draw_classes(svg, runs, y + 92)
    return svg.document(WIDTH, y + 16, title)
