# SPDX-License-Identifier: GPL-2.0-only
"""
Errors that can be made in a line, and a random choice of them.

Each error changes one line, and no other line moves. Assertions and messages are left
alone, since an error there says nothing about the tests. Of a declaration, only the
operators of its initial value are exchanged.
"""

import random
import re
from dataclasses import dataclass, fields
from pathlib import Path

from goheapvm.util import Failure

from .source import statements

# What is exchanged for what. One of several is chosen at random.
COMPARISONS = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="),
               "==": ("!=",), "!=": ("==",)}
OPERATORS = {"+": ("-",), "-": ("+",), "*": ("+",), "/": ("*",), "%": ("/",),
             "<<": (">>",), ">>": ("<<",), "&": ("|",), "|": ("&",), "^": ("|",),
             "&&": ("||",), "||": ("&&",), "+=": ("-=",), "-=": ("+=",), "*=": ("+=",),
             "/=": ("*=",), "%=": ("/=",), "|=": ("&=",), "&=": ("|=",), "^=": ("|=",),
             "<<=": (">>=",), ">>=": ("<<=",), "++": ("--",), "--": ("++",)}

# With spaces around it, an operator has two operands.
BINARY = re.compile(r"(?<=\S )(?:<<=|>>=|[-+*/%&|^<>=!]=|&&|\|\||<<|>>|[-+*/%&|^<>])(?=\s|$)")
STEP = re.compile(r"\+\+|--")

SPARED = re.compile(r"\b(?:\w*assert\w*|WARN\w*|BUG\w*|BUILD_BUG\w*|VM_BUG\w*|might_\w+|"
                    r"cant_\w+|\w*printk\w*|pr_\w+|f?printf|asm)\b")
DECLARATION = re.compile(
    r"(?:static|const|struct|union|enum|unsigned|signed|long|int|char|bool|void|volatile|"
    r"register|extern|typeof|__auto_type)\b|\w*DEFINE\w*\(|DECLARE_\w+\(|LIST_HEAD\(|"
    r"(?!(?:return|goto|else|case|do)\b)[a-z_]\w* \**[a-z_]\w*\s*(?:[=;,\[]|__)")
BARRIER = re.compile(r"(?:barrier|\w*mb(?:__\w+)?)\(\);")
EXPRESSION = re.compile(r"(?!(?:return|goto|break|continue|case|default|else|do|if|for|while)\b)"
                        r"[\w(*+-].*(?:\(|=|\+\+|--).*;")
CONDITION = re.compile(r"\s*(?:\} )?(?:else )?(?:if|while) (?=\()")

# They fail and count what tests ask them to.
TEST_FILES = {"mm/fault.c", "mm/fault.h"}


@dataclass(frozen=True)
class Mutant:
    """Line @line of file @path, counted from 1, says @after instead of @before."""
    path: str
    line: int
    kind: str
    before: str
    after: str

    @classmethod
    def of(cls, record):
        return cls(*(record[field.name] for field in fields(cls)))

    def __str__(self):
        return f"{self.path}:{self.line}: {self.before.strip()}  ->  {self.after.strip()}"


def choose(repo, paths, seed):
    """Errors in a random order, one for each line that can have one. The seed decides."""
    dice = random.Random(seed)
    lines = [errors for path in source_files(repo, paths)
             for errors in errors_by_line(path, (Path(repo) / path).read_text())]
    dice.shuffle(lines)
    return [dice.choice(errors) for errors in lines]


def source_files(repo, paths):
    """The C files in directories, not in those below them, and files that are named."""
    found = []
    for path in paths:
        at = Path(repo) / path
        if not at.exists():
            raise Failure(f"there is no {path}")
        files = sorted([*at.glob("*.c"), *at.glob("*.h")]) if at.is_dir() else [at]
        found += [str(file.relative_to(repo)) for file in files]
    return [path for path in dict.fromkeys(found) if path not in TEST_FILES]


def errors_by_line(path, text):
    """A list of errors for each line that can have one."""
    original = text.split("\n")
    found = []
    for statement in statements(text):
        if SPARED.search(statement.text):
            continue
        for number, code in enumerate(code_of(statement), statement.first):
            before = original[number]
            errors = [Mutant(path, number + 1, kind, before, after)
                      for kind, after in errors_of(before, code)]
            if len(statement.lines) == 1 and not is_declaration(statement):
                errors += [Mutant(path, number + 1, kind, before, after)
                           for kind, after in dropped(before, code)]
            if errors:
                found.append(errors)
    return found


def is_declaration(statement):
    return bool(DECLARATION.match(statement.text))


def code_of(statement):
    """The lines of a statement; of a declaration, what comes after the first "="."""
    if not is_declaration(statement):
        return statement.lines
    text = "\n".join(statement.lines)
    declared, equals, value = text.partition(" = ")
    hidden = re.sub(r"[^\n]", " ", declared + equals)
    return (hidden + value).split("\n")


# ---- kinds of errors --------------------------------------------------------

def errors_of(line, code):
    """(kind, line with the error) of errors within the line."""
    yield from exchanged("comparison", COMPARISONS, BINARY, line, code)
    yield from exchanged("operator", OPERATORS, BINARY, line, code)
    yield from exchanged("operator", OPERATORS, STEP, line, code)
    yield from negated(line, code)


def exchanged(kind, table, pattern, line, code):
    for match in pattern.finditer(code):
        for other in table.get(match[0], ()):
            yield kind, line[:match.start()] + other + line[match.end():]


def negated(line, code):
    """A condition that is in one line."""
    start = CONDITION.match(code)
    end = start and closing(code, start.end())
    if not end or code[start.end() + 1:end].strip().isdigit():
        return
    yield "condition", f"{line[:start.end() + 1]}!({line[start.end() + 1:end]}){line[end:]}"


def closing(code, start):
    """Where the parenthesis at @start is closed, or None."""
    depth = 0
    for at in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if not depth:
            return at
    return None


def dropped(line, code):
    """A line that is one statement is left out; it may be all of an if's body."""
    text = code.strip()
    empty = line[:len(line) - len(line.lstrip())] + ";"
    if BARRIER.fullmatch(text):
        yield "barrier", empty
    elif EXPRESSION.fullmatch(text):
        yield "dropped", empty
