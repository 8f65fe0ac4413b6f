# SPDX-License-Identifier: GPL-2.0-only
"""
Follows a guest's console to its end, and notices when it gets no further.

A guest says what it does next and how many seconds that may take at most:
"goheap-vm: step SECONDS NAME". It keeps the limits of its tests itself; one that
cannot any more has hung, and is asked where before it is killed.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time

from .util import say

# From the first instruction to "up", under emulation on a busy machine.
BOOT_SECONDS = 600
# A guest that reached its last marker may take this long to power off.
POWEROFF_SECONDS = 20
# The emulator takes less than this to answer.
ANSWER_SECONDS = 10
NEWS_SECONDS = 60

MARK = re.compile(rb"goheap-vm: (up|step (\d+) (\S+)|exit|done)")

# To the emulator's terminal: a break and a letter is a request to the guest's
# kernel (tasks that are blocked, what each processor does); c is for the monitor.
QUESTIONS = (b"\x01bw", b"\x01bl", b"\x01cinfo registers -a\n")

# Of an answer, what does not say where a processor is.
REGISTERS = re.compile(r"^(?!RIP|CPU#)[A-Z0-9]+ *=|^$|^\(qemu\)")


class Watch:
    """One guest's run: the step it is in, and when it must be over."""

    def __init__(self, timeout, name="", live=False):
        self.start = time.monotonic()
        self.end = self.start + timeout
        self.name = name
        self.live = live
        self.begin("boot", BOOT_SECONDS)
        self.line = b""
        self.news = self.start + NEWS_SECONDS
        self.log = None

    def begin(self, step, seconds):
        self.step = step
        self.step_end = self.end if seconds is None else time.monotonic() + seconds

    @property
    def seconds(self):
        return time.monotonic() - self.start

    def run(self, command, console, terminal):
        """
        Start the guest; "" if it ended by itself, or else why it was ended.
        With a terminal it is asked questions before.
        """
        stdin = subprocess.PIPE if terminal else subprocess.DEVNULL
        with open(console, "wb") as self.log, \
             subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True) as child:
            try:
                why = self.follow(child.stdout)
                if why and terminal:
                    self.question(child)
            finally:
                kill_session(child)
        return why

    def follow(self, pipe):
        while True:
            now = time.monotonic()
            if now >= self.end:
                return f"did not finish in {self.end - self.start:.0f} s"
            if now >= self.step_end:
                return f"hangs: {self.step}"
            if self.name and now >= self.news:
                self.news = now + NEWS_SECONDS
                say(f"{self.name}: {self.seconds:.0f} s, now {self.step}")
            if not self.copy(pipe, 1.0):
                return ""

    def copy(self, pipe, seconds):
        """Wait for output; False at its end."""
        if not select.select([pipe], [], [], seconds)[0]:
            return True
        data = os.read(pipe.fileno(), 65536)
        self.log.write(data)
        self.log.flush()
        if self.live:
            sys.stdout.buffer.write(data.replace(b"\r", b""))
            sys.stdout.flush()
        *lines, self.line = (self.line + data).split(b"\n")
        for line in lines:
            self.read(line)
        return bool(data)

    def read(self, line):
        mark = MARK.search(line)
        if not mark:
            return
        if mark[1] == b"up":
            self.begin("the command", None)
        elif mark[1] == b"exit":
            self.begin("sending /out", None)
        elif mark[1] == b"done":
            self.begin("power off", POWEROFF_SECONDS)
        else:
            self.begin(mark[3].decode(errors="replace"), int(mark[2]))

    def question(self, child):
        """What the guest's kernel and processors do; onto its console."""
        for question in QUESTIONS:
            with contextlib.suppress(BrokenPipeError):
                os.write(child.stdin.fileno(), question)
            end = time.monotonic() + ANSWER_SECONDS
            while time.monotonic() < end and self.copy(child.stdout, 1.0):
                pass


def kill_session(child):
    """The emulator and whatever it started; user-mode Linux is many processes."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def last_words(console, lines=150):
    """What a guest that was ended said last, without the registers that say little."""
    with open(console, errors="replace") as log:
        text = [line.rstrip() for line in log]
    return "\n".join([line for line in text if not REGISTERS.match(line)][-lines:])
