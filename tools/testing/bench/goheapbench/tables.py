# SPDX-License-Identifier: GPL-2.0-only
"""Tables: a shape a row, a peer a column, and goheap's ratio to what it replaces."""

from .labs import BUSY, LABS
from .results import PEERS

# Whom goheap is compared with: columns at the right of a table.
RATIOS = (("goheap_cache", "floor"), ("goheap_cache", "kmem_cache"), ("goheap_alloc", "kmalloc"),
          ("goheap_alloc", "kvmalloc"), ("goheap_alloc", "vmalloc"))

# What a figure is of, where that is not an object pair.
EACH = {
    "cold": "a first allocation",
    "sections": "of a call, and in a row, at most",
    "sites": "in a row, at most, by the function that began them",
}


def nbytes(number):
    """64, 4 KiB, 1 MiB."""
    for shift, unit in ((30, " GiB"), (20, " MiB"), (10, " KiB")):
        if number >= 1 << shift and number % (1 << shift) == 0:
            return f"{number >> shift}{unit}"
    return f"{number} B"


def label(row):
    """What was done, in a few words."""
    words = [row.shape]
    if row.group == "sweep":
        run = "half" if row.shape == "half" else f"{row.count} page{'s' * (row.count > 1)}"
        words = [f"{run}, heap of {nbytes(row.size)}"]
    else:
        # Elsewhere these say how the shape works, and no two rows differ in them.
        if row.group in ("batch", "bulk"):
            words.append(f"{row.count} x")
        if row.size or row.group not in ("sections", "sites"):
            words.append(nbytes(row.size) if row.size else "mixed sizes")
        if row.group == "batch":
            words.append(row.order)
    if row.zero:
        words.append("zeroed")
    if row.group in ("parallel", "exchange"):
        words.append(f"{row.cpus} CPU" + "s" * (row.cpus > 1))
    return " ".join(words)


def figure(item, unit):
    """Instructions are whole numbers unless few; time has three digits."""
    value = item.min_ps / 1000
    if value == int(value) and unit == "instructions":
        return f"{value:.0f}"
    if value < 1 and unit == "instructions":
        return f"{value:.2f}"
    if unit == "instructions":
        return f"{value:.0f}" if value >= 20 else f"{value:.1f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def held(item, unit):
    return f"{item.held / (1 << 20):.1f}"


def share(value):
    return f"{value:.2f}" if value >= 0.095 else f"{value:.3f}"


def ratio(cells, ours, theirs, measure):
    """goheap's over the other's, or None if one of them was not measured."""
    if ours not in cells or theirs not in cells:
        return None
    value, other = measure(cells[ours]), measure(cells[theirs])
    return value / other if value is not None and other else None


class Table:
    """One group of one guest, or what memory the shapes of a group held."""

    def __init__(self, guest, group, memory=False):
        self.guest = guest
        self.lab = LABS[guest.lab]
        self.rows = [(row, guest.peers(row)) for row in guest.rows(group)]
        if memory:
            self.rows = [(row, {peer: item for peer, item in cells.items()
                                if item.held is not None}) for row, cells in self.rows]
        if group == "sites":
            self.rows.sort(key=lambda row: -max(item.min_ps for item in row[1].values()))
        self.show = held if memory else figure
        self.measure = (lambda item: item.held) if memory else (lambda item: item.min_ps)
        each = EACH.get(group, "an object pair")
        self.title = f"{group}: " + ("MiB taken from the system at the peak" if memory
                                     else f"{self.lab.unit} {each}")
        present = {peer for _, cells in self.rows for peer in cells}
        self.peers = [peer for peer in PEERS if peer in present]
        self.ratios = [pair for pair in RATIOS if any(
            ratio(cells, *pair, self.measure) is not None for _, cells in self.rows)]

    def cells(self):
        """Lists of words: a shape, figures, ratios."""
        for row, cells in self.rows:
            figures = [self.show(cells[peer], self.lab.unit) if peer in cells else ""
                       for peer in self.peers]
            ratios = [ratio(cells, *pair, self.measure) for pair in self.ratios]
            yield [label(row), *figures, *(share(r) if r is not None else "" for r in ratios)]

    def heads(self):
        """Two lines of heading for each column."""
        yield "", ""
        for peer in self.peers:
            first, _, second = peer.rpartition("_")
            yield first, second
        for ours, theirs in self.ratios:
            yield ours.removeprefix("goheap_") + "/", theirs

    def text(self):
        heads = list(self.heads())
        lines = [[head[i] for head in heads] for i in range(2)] + list(self.cells())
        widths = [max(len(line[i]) for line in lines) + 2 for i in range(len(heads))]
        out = [self.title]
        for line in lines[not any(lines[0]):]:
            first, *others = zip(line, widths)
            out.append((f"  {first[0]:<{first[1]}}"
                        + "".join(f"{word:>{width}}" for word, width in others)).rstrip())
        return "\n".join(out) + "\n"

    def rst(self):
        heads = [" ".join(head).strip().replace("/ ", " / ") if "/" in head[0]
                 else "_".join(filter(None, head)) for head in self.heads()]
        return csv_table(self.title, heads, self.cells())


def tables(guest):
    """All tables of a guest, group after group."""
    for group in dict.fromkeys(row.group for row in guest.rows()):
        memory = any(item.held is not None for item in guest.measurements
                     if item.row.group == group)
        if group != "memory":
            yield Table(guest, group)
        if memory:
            yield Table(guest, group, memory=True)


def note(guest):
    """What figures these are."""
    words = f"{LABS[guest.lab].note}; the least of all rounds; {guest.compiler}"
    if guest.others > BUSY:
        words += f"; rough, as something else kept {guest.others:.1f} processors busy"
    return words


def guest_text(guest):
    head = (f"{guest.title}\n{note(guest)}\n"
            f"to repeat: {guest.command}\n")
    return "\n".join([head, *(table.text() for table in tables(guest))])


def csv_table(title, heads, rows):
    """The same in reStructuredText."""
    quoted = [", ".join(f'"{word}"' for word in line) for line in [heads, *rows]]
    return "\n".join([f".. csv-table:: {title}", "   :header-rows: 1", "",
                      *(f"   {line}" for line in quoted)]) + "\n"
