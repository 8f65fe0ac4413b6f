# SPDX-License-Identifier: GPL-2.0-only
"""
Whether the functions, files and make targets that documents name exist.

Only names in code spans count: name(), path/with/slash, name.c, make NAME. In a path, words
in capitals and stars stand for anything: mm/NAME.c.
"""

import ctypes
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

# What our tools make, the "out" of a guest, debugfs, and branches.
FOREIGN_PATHS = ("build/*", "SRC/build/*", "out/", "goheap/*", "goheap_*/*", "origin/main")

# Files of the kernel.
FOREIGN_FILES = {"kselftest.h", "kselftest_harness.h", "kunit.py"}

SPAN = {".md": re.compile(r"(?<!`)`([^`\n]+)`(?!`)"),
        ".rst": re.compile(r"``([^`]+?)``")}
# With arguments or without; but goheap(7) is a man page.
FUNCTION = re.compile(r"^([A-Za-z_]\w*)\((?!\d\))[^()]*\)$")
FILE = re.compile(r"^[\w.*-]+\.(?:c|h|cc|sh|py|rst|list|lua|sql|map|config|rules)$")
PATH = re.compile(r"^[\w.*+-]+(?:/[\w.*+-]+)*/?$")
CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


class Tree:
    """What can be named: files, functions that code defines or calls, and targets."""

    def __init__(self, files, code, targets):
        self.paths = set(files) | {str(parent) for name in files
                                   for parent in Path(name).parents if str(parent) != "."}
        self.names = {Path(name).name for name in files}
        self.functions = {name for text in code for name in CALL.findall(COMMENT.sub("", text))}
        self.targets = targets

    def add_foreign(self, names, headers):
        """Add those of @names that are in the C library or in the kernel's @headers."""
        libc = ctypes.CDLL(None)
        unknown = {name for name in names if name not in self.functions}
        self.functions |= {name for name in unknown if hasattr(libc, name)}
        if not unknown or not headers:
            return
        pattern = r"\b(" + "|".join(sorted(unknown)) + r")\("
        done = subprocess.run(["grep", "-rhoE", "--include=*.h", pattern, *map(str, headers)],
                              stdout=subprocess.PIPE, text=True, errors="replace", check=False)
        self.functions |= {line.rstrip("(") for line in done.stdout.splitlines()}

    def has_function(self, name):
        return name in self.functions

    def has_file(self, name):
        return name in FOREIGN_FILES or any(fnmatch(there, wildcard(name)) for there in self.names)

    def has_path(self, name, beside):
        """
        A path may start from the directory of the document, @beside. A program that is
        built from a C file has its name.
        """
        pattern = wildcard(name.rstrip("/"))
        return (any(fnmatch(name, foreign) for foreign in FOREIGN_PATHS)
                or any(fnmatch(there, start + pattern + end) for there in self.paths
                       for start in ("", f"{beside}/") for end in ("", ".c")))


def functions_in(path, text):
    spans = SPAN[Path(path).suffix].findall(text)
    return {found[1] for found in map(FUNCTION.match, spans) if found}


def wildcard(name):
    return re.sub(r"(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])", "*", name)


def complaints(path, text, tree):
    """The names in a document that do not exist."""
    suffix = Path(path).suffix
    beside = str(Path(path).parent)
    for span in SPAN[suffix].findall(text):
        wrong = what_is_wrong(" ".join(span.split()), beside, tree)
        if wrong:
            yield f"{path}: {wrong}"
    for word in made_in(text, suffix):
        if word not in tree.targets:
            yield f"{path}: there is no make {word}"


def what_is_wrong(span, beside, tree):
    function = FUNCTION.match(span)
    word = span.split()[0]
    if function:
        return "" if tree.has_function(function[1]) else f"there is no {span}"
    if "/" in word and PATH.match(word):
        return "" if tree.has_path(word, beside) else f"there is no {word}"
    if FILE.match(span):
        return "" if tree.has_file(span) else f"there is no {span}"
    return ""


# ---- make -------------------------------------------------------------------

def made_in(text, suffix=".md"):
    """The targets after `make` in code; not those of other directories."""
    words = []
    code = re.sub(r'"[^"\n]*"', '""', "\n".join(code_of(text, suffix)))
    for command in re.findall(r"(?:^|[\s`;&])make((?:[ \t]+[\w./=\"$()-]+)*)", code):
        if "-C" not in command.split():
            words += [w for w in command.split() if "=" not in w and not w.startswith("-")]
    return words


def code_of(text, suffix):
    """The code spans and code blocks of a document."""
    if suffix == ".md":
        return re.findall(r"```.*?```|`[^`\n]+`", text, re.S)
    blocks = re.findall(r"(?:::|code-block::.*)\n\n((?:[ \t]+.*\n|\n)+)", text)
    return [*SPAN[".rst"].findall(text), *blocks]
