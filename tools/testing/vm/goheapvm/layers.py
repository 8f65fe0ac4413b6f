# SPDX-License-Identifier: GPL-2.0-only
"""
Whether lower layers use nothing of higher ones.

Documentation/contributing.rst has the layers, in literal blocks whose name begins with
"layers": directories, each followed by indented lines of units, bottom up. A unit is
NAME.c and NAME.h. It may include headers and use symbols of units on lines before its
own only, and each block is a program of its own.
"""

import re
import subprocess
from pathlib import Path

DOCUMENT = "Documentation/contributing.rst"

BLOCK = re.compile(r"^\.\. code-block:: text\n   :name: layers\S*\n\n((?:   .*\n|\n)+)", re.M)
INCLUDE = re.compile(r'^#\s*include\s+"([^"]+)"', re.M)


class Layers:
    """The units of one program: "DIRECTORY/NAME" -> (directory, height)."""

    def __init__(self, text):
        self.height = {}
        self.dirs = []
        self.twice = []
        for number, line in enumerate(text.splitlines()):
            if line.strip().endswith("/"):
                self.dirs.append(line.strip().rstrip("/"))
            else:
                self.add(number, line.split())

    def add(self, number, names):
        for name in names:
            unit = f"{self.dirs[-1]}/{name}"
            if unit in self.height:
                self.twice.append(unit)
            self.height[unit] = number

    def unit_of(self, path):
        """The unit of a file, if the file is in one of the directories."""
        path = Path(path)
        return f"{path.parent}/{path.stem}" if str(path.parent) in self.dirs else None

    def is_up(self, user, used):
        """Whether @used is not below @user."""
        return (user != used and user in self.height and used in self.height
                and self.height[used] >= self.height[user])


def read(text):
    """The layers of all programs that a document describes."""
    return [Layers(block) for block in BLOCK.findall(text)]


def complaints(layers, sources, objects):
    """
    What is wrong with one program. @sources: path -> text, of all files of the tree;
    @objects: unit -> (symbols that it defines, symbols that it needs).
    """
    ours = {path: layers.unit_of(path) for path in sources if layers.unit_of(path)}
    return [*wrong_units(layers, set(ours.values()), sources),
            *includes_up(layers, ours, sources), *symbols_up(layers, objects)]


def wrong_units(layers, units, sources):
    there = {str(Path(path).parent) for path in sources}
    for unit in layers.twice:
        yield f"{DOCUMENT}: {unit} is in two layers"
    for unit in sorted(units - set(layers.height)):
        yield f"{DOCUMENT}: {unit} is in no layer"
    for unit in sorted(set(layers.height) - units):
        if str(Path(unit).parent) in there:
            yield f"{DOCUMENT}: there is no {unit}.[ch]"


def includes_up(layers, ours, sources):
    """What to say of each include that goes up."""
    for path, unit in sorted(ours.items()):
        for name in INCLUDE.findall(sources[path]):
            used = layers.unit_of(included(path, name, sources))
            if layers.is_up(unit, used):
                yield f"{path}: includes {name}, which is not below {unit}"


def included(path, name, sources):
    """The path in the tree of what @path includes as @name."""
    parts = []
    for part in (*Path(path).parent.parts, *Path(name).parts):
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return "/".join(parts)


def symbols_up(layers, objects):
    """The same, of functions and variables."""
    home = {symbol: unit for unit, (defined, _) in objects.items() for symbol in defined}
    for unit, (_, needed) in sorted(objects.items()):
        for symbol in sorted(needed):
            used = home.get(symbol)
            if layers.is_up(unit, used):
                yield f"{unit}.c: uses {symbol} of {used}.c, which is not below it"


def symbols(path):
    """What an object file defines for others, and what it needs of them."""
    listed = subprocess.run(["nm", "-g", str(path)], stdout=subprocess.PIPE, text=True, check=True)
    defined, needed = set(), set()
    for line in listed.stdout.splitlines():
        *_, kind, name = line.split()
        (needed if kind == "U" else defined).add(name)
    return defined, needed


def objects_of(layers, base, flat=False):
    """The objects of a build: beside copies of the sources, or all in one directory."""
    found = {}
    for unit in layers.height:
        path = Path(base) / f"{Path(unit).name if flat else unit}.o"
        if path.exists():
            found[unit] = symbols(path)
    return found


def without_object(layers, sources, objects):
    """Units whose object is missing, so that what they use is not known. Not host programs."""
    return [unit for unit in sorted(layers.height)
            if f"{unit}.c" in sources and unit not in objects
            and not re.search(r"^int main\(", sources[f"{unit}.c"], re.M)]
