# SPDX-License-Identifier: GPL-2.0-only
"""
Turns test output into counts.

KUnit's output is read by the kernel's own kunit.py; that of self tests, plain
TAP, by a few lines here. A result is a leaf: a test case or one parameter of
it, one "ok" or "not ok" line of a self test.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, field

TIMESTAMP = re.compile(r"^\[ *\d+\.\d+\] ?")
SUMMARY = re.compile(r"(passed|failed|crashed|skipped|errors): (\d+)")
SUITE_RESULT = re.compile(r"^(not )?ok (\d+) ?-? ?(\S+)", re.M)
TAP_RESULT = re.compile(r"^(not )?ok\b(.*)")
TAP_PLAN = re.compile(r"^1\.\.(\d+)(.*)")
TAP_SKIP = re.compile(r"#\s*SKIP\b", re.I)

# What timeout(1) gives: its own status, and those of programs ended by SIGTERM, SIGKILL.
TIMEOUT_STATUS = (124, 143, 137)
SKIP_STATUS = 4


@dataclass
class Counts:
    """Results of a suite, a program, a kernel, or everything."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    notes: list = field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def fail(self, note, number=1):
        self.failed += number
        self.notes.append(note)

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


# ---- KUnit ------------------------------------------------------------------

def kunit_sections(lines):
    """Name -> lines of each KUnit module on the console; None ends an open section."""
    sections = {}
    current = None
    for line in lines:
        mark = re.search(r"goheap-vm: kunit (begin|end) (\S+)", line)
        if not mark:
            if current is not None:
                current.append(TIMESTAMP.sub("", line.rstrip("\r\n")))
        elif mark[1] == "begin":
            current = sections.setdefault(mark[2], [])
        elif current is not None:
            current.append(None)
            current = None
    return sections


def normalize(lines):
    """
    One KTAP document. Kernel 6.1 prints no header for the suites of a module,
    and numbers them on from those of the modules before.
    """
    lines = [line for line in lines if line is not None]
    start = next((i for i, line in enumerate(lines) if line.strip() == "KTAP version 1"), 0)
    lines = lines[start:]
    if not lines or not lines[0].startswith("KTAP version"):
        suites = sum(1 for line in lines if re.match(r"(not )?ok \d", line))
        lines = ["KTAP version 1", f"1..{max(suites, 1)}", *renumber(lines)]
    return "\n".join(lines) + "\n"


def renumber(lines):
    number = 0
    for line in lines:
        result = re.match(r"(not ok|ok) \d+(.*)", line)
        if result:
            number += 1
            line = f"{result[1]} {number}{result[2]}"
        yield line


def count_kunit(lines, kunit_py, save):
    """Counts of one KUnit module, as the kernel's parser sees them."""
    done = subprocess.run([sys.executable, "-B", str(kunit_py), "parse", "/dev/stdin"],
                          input=normalize(lines), text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    save.write_text(normalize(lines) + "\n---- kunit.py says:\n" + done.stdout)
    counts = read_kunit_summary(done.stdout)
    if done.returncode and not counts.failed:
        counts.fail(f"kunit.py: exit {done.returncode}, see {save}")
    if lines and lines[-1] is not None:
        counts.fail("the module's tests did not come to an end")
    return counts


def read_kunit_summary(output):
    line = next((line for line in output.splitlines() if "Testing complete" in line), "")
    found = {what: int(number) for what, number in SUMMARY.findall(line)}
    counts = Counts(found.get("passed", 0), 0, found.get("skipped", 0))
    broken = found.get("failed", 0) + found.get("crashed", 0) + found.get("errors", 0)
    if broken:
        shown = [text for text in output.splitlines() if "[FAILED]" in text or "[ERROR]" in text]
        counts.fail("; ".join(text.strip() for text in shown[:8]) or line, broken)
    if not found:
        counts.fail("no test results")
    return counts


# ---- self tests -------------------------------------------------------------

def selftest_sections(lines):
    """Name -> (status, lines) of each self test; status None if it never ended."""
    sections = {}
    name = None
    for line in lines:
        line = line.rstrip("\r\n")
        mark = re.match(r"goheap-vm: test (begin|end) (\S+) ?(\d*)", line)
        if mark and mark[1] == "begin":
            name = mark[2]
            sections[name] = (None, [])
        elif mark and mark[2] == name:
            sections[name] = (int(mark[3] or 1), sections[name][1])
            name = None
        elif name:
            sections[name][1].append(line)
    return sections


def count_tap(status, lines):
    """Counts of one self test: its lines, its plan, and how it ended."""
    counts = Counts()
    plan = None
    results = 0
    for line in lines:
        result = TAP_RESULT.match(line)
        planned = TAP_PLAN.match(line)
        if planned:
            plan = int(planned[1])
        elif result:
            results += 1
            count_tap_line(counts, line, result)
    judge_tap_end(counts, status, plan, results)
    return counts


def count_tap_line(counts, line, result):
    if result[1]:
        counts.fail(line)
    elif TAP_SKIP.search(result[2]):
        counts.skipped += 1
    else:
        counts.passed += 1


def judge_tap_end(counts, status, plan, results):
    if status == SKIP_STATUS and not results:
        counts.skipped += 1
        return
    if status is None:
        counts.fail("did not come to an end")
    elif status in TIMEOUT_STATUS:
        counts.fail("ran out of time")
    elif status not in (0, SKIP_STATUS) and not counts.failed:
        counts.fail(f"exit status {status}")
    if plan is not None and plan != results:
        counts.fail(f"announced {plan} results, gave {results}")
    elif not results and plan is None and not counts.failed:
        counts.fail("printed no result")
