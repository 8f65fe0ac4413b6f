# SPDX-License-Identifier: GPL-2.0-only
"""
Reads C in the kernel's style: which lines are code, and which statements they make up.

A body of a function is what is between a line "{" and a line that begins with "}".
Everything else, such as structures and macros, is left alone.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
HEADER = re.compile(r"(?:\} )?(?:else )?(?:if|while|for|switch|scoped_guard|\w*for_each\w*) ?\(")
LABEL = re.compile(r"(?:case\b.*|default|\w+):")


@dataclass(frozen=True)
class Statement:
    """Lines of code, from the number @first on, counted from 0, without comments."""
    first: int
    lines: tuple

    @property
    def text(self):
        return " ".join(line.strip() for line in self.lines)


def blank(text):
    """Replace comments, strings and preprocessor lines; all else stays where it is."""
    text = TOKEN.sub(lambda token: hide(token[0]), text)
    return PREPROCESSOR.sub(lambda line: spaces(line[0]), text)


def hide(token):
    if token[0] in "\"'":
        return token[0] + "s" * (len(token) - 2) + token[-1]
    return spaces(token)


def spaces(text):
    return re.sub(r"[^\n]", lambda c: "\t" if c[0] == "\t" else " ", text)


def statements(text):
    """The statements in bodies of functions. Headers, such as an if's, are some, too."""
    found = []
    inside = False
    part = []
    for number, line in enumerate(blank(text).split("\n")):
        if line.startswith(("{", "}")):
            inside = line.rstrip() == "{"
            part = []
        elif inside and line.strip():
            part.append(line)
            if is_complete(part):
                found.append(Statement(number - len(part) + 1, tuple(part)))
                part = []
        elif part:
            # Part of a statement that has a comment or an #ifdef in it.
            part.append(line)
    return found


def is_complete(lines):
    text = " ".join(line.strip() for line in lines).strip()
    if text.count("(") > text.count(")"):
        return False
    if text.endswith((";", "{", "}")) or text in ("else", "do"):
        return True
    if text.endswith(")"):
        return bool(HEADER.match(text))
    return bool(LABEL.fullmatch(text))
