# SPDX-License-Identifier: GPL-2.0-only
"""
The kdoc directive: puts the kernel-doc comments of named symbols on a page.

    .. kdoc:: mm/malloc.c
       goheap_alloc goheap_free

    .. kdoc:: include/linux/goheap.h
       :doc: Contexts

The kernel's own script reads the comments; KERNELDOC in the environment is its
path. A symbol without a comment is an error, and so is an exported function
that no page has: "make docs" then fails.
"""

import os
import re
import subprocess
from pathlib import Path

from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

TREE = Path(__file__).resolve().parents[1]
SOURCES = "mm/**/*.c"

log = logging.getLogger(__name__)


def link(text):
    """Names of our functions become links, and so do sections: pages label them."""
    # An attribute for the compiler, which neither the reader nor Sphinx has a use for.
    text = re.sub(r"^(\.\. c:function:: .*?)\bnotrace ", r"\1", text, flags=re.M)
    text = re.sub(r"(?<![\w`:*])(_{0,2}goheap_\w+)\(\)", r":c:func:`\1()`", text)
    return re.sub(r"\bDOC: (\w+)", lambda m: f":ref:`{m[1]} <{m[1].lower()}>`", text)


class KernelDoc(SphinxDirective):
    """One block of symbols, all from one file."""

    required_arguments = 1
    option_spec = {"doc": directives.unchanged_required}
    has_content = True

    def run(self):
        path = TREE / self.arguments[0]
        self.env.note_dependency(str(path))
        title = self.options.get("doc")
        names = [title] if title else " ".join(self.content).split()
        lines = StringList()
        for name in names:
            for number, line in enumerate(self.comment(path, name, bool(title))):
                lines.append(line, str(path), number)
        return self.parse(lines)

    def comment(self, path, name, is_section):
        """What kernel-doc makes of one symbol's comment, as lines of reST."""
        done = subprocess.run([os.environ["KERNELDOC"], "-rst", "-Wall", "-s", name, str(path)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        complaints = [line for line in done.stderr.splitlines() if line.strip()]
        if done.returncode or complaints or not done.stdout.strip():
            log.warning("%s: kernel-doc has nothing, or complaints, about %s: %s", path, name,
                        "; ".join(complaints), location=self.get_location())
        if not is_section:
            known(self.env)[name] = self.env.docname
        return ["", *link(done.stdout).splitlines(), ""]

    def parse(self, lines):
        from docutils import nodes
        holder = nodes.section()
        holder.document = self.state.document
        nested_parse_with_titles(self.state, lines, holder)
        return holder.children


def known(env):
    """Symbols that some page has."""
    if not hasattr(env, "kdoc_symbols"):
        env.kdoc_symbols = {}
    return env.kdoc_symbols


def forget(app, env, docname):
    for name in [name for name, page in known(env).items() if page == docname]:
        del known(env)[name]


def check_complete(app, env):
    """Every function that client modules can call is on a page."""
    for path in sorted(TREE.glob(SOURCES)):
        for name in re.findall(r"^EXPORT_SYMBOL_GPL\((\w+)\);", path.read_text(), re.M):
            if name not in known(env):
                log.warning("%s: %s is exported and on no page", path, name)


def setup(app):
    app.connect("env-purge-doc", forget)
    app.connect("env-check-consistency", check_complete)
    app.add_directive("kdoc", KernelDoc)
    return {"version": "1", "parallel_read_safe": False}
