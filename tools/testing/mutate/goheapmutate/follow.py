# SPDX-License-Identifier: GPL-2.0-only
"""
Runs `vm` as a child, and ends it with the first failure of a test.

What an error does to a kernel may take hours to come to an end, so the console is read
while it is written, and there is a time limit.
"""

import re
import signal
import subprocess
import time

from goheapvm import console, guest, ktap

POLL_SECONDS = 1.0
# To kill a guest and to remove what it had.
END_SECONDS = 30

BEGIN = re.compile(r"goheap-vm: (?:kunit|test) begin (\S+)")
# A self test that was ended by its time limit has no more lines of its own.
END = re.compile(r"goheap-vm: test end \S+ (\d+)")
NOT_OK = re.compile(r"^(?:\[ *\d+\.\d+\] ?)?\s*not ok\b")
COUNT = re.compile(r"^(?:.*: )?(\S+): \d+ passed, (\d+) failed")


class Stopped(Exception):
    """The user asked for an end."""


def run(command, log, seconds, stop, look=lambda: ""):
    """
    The child's exit status; or what look() says as soon as it says something; or None
    after so many seconds. A child does not outlive this.
    """
    end = time.monotonic() + seconds
    # What a shell has in the background ignores SIGINT, and so would the child.
    command = ["env", "--default-signal=INT", *command]
    with open(log, "w") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT, start_new_session=True)
        try:
            while time.monotonic() < end:
                if stop.wait(0):
                    raise Stopped
                try:
                    return child.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    seen = look()
                    if seen:
                        return seen
            return None
        finally:
            end_child(child)


def end_child(child):
    """vm ends its guest, which has a session of its own, when it is interrupted."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def failed_suite(out):
    """The suite that has failed already, in a guest whose files are in @out; or ""."""
    lines = whole_lines(out / "console.log")
    if may_be_emulator(lines):
        return ""
    broken = [number for number, line in enumerate(lines, 1) if is_failure(line)]
    broken += [finding.line for finding in console.check(lines)
               if finding.what != "window never ended"]
    if broken:
        return suite_at(lines, min(broken))
    for results in (out / "out/results.log", out / "results.log"):
        lines = whole_lines(results)
        for number, line in enumerate(lines, 1):
            if is_failure(line):
                return suite_at(lines, number)
    return ""


def is_failure(line):
    end = END.search(line)
    return NOT_OK.match(line) or (end and int(end[1]) not in (0, ktap.SKIP_STATUS))


def may_be_emulator(lines):
    """Of this kind of failure vm knows more: it tries again."""
    is_up = any(guest.UP in line for line in lines)
    return not is_up or any("Oops: int3" in line for line in lines)


def running_suite(out):
    lines = whole_lines(out / "console.log")
    return suite_at(lines, len(lines))


def suite_at(lines, number):
    """The last one that had begun by that line."""
    begun = [mark[1] for mark in map(BEGIN.search, lines[:number]) if mark]
    return begun[-1] if begun else "start"


def whole_lines(path):
    """The last line may still be being written."""
    try:
        return path.read_text(errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []


def failed_in_report(text):
    """The first suite with failures in the output of `vm check`; or ""."""
    counts = filter(None, map(COUNT.match, text.splitlines()))
    return next((count[1] for count in counts if int(count[2])), "")
