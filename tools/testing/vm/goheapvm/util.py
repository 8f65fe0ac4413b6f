# SPDX-License-Identifier: GPL-2.0-only
"""Paths, progress messages, running commands, and safe use of the cache."""

import contextlib
import fcntl
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path


class Failure(Exception):
    """Something that the user should read as one message, without a traceback."""


def cache_dir():
    """Where kernels are kept: outside of the checkout, shared by all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "goheap"
    path.mkdir(parents=True, exist_ok=True)
    return path


def repo_dir():
    return Path(__file__).resolve().parents[4]


def say(text):
    """Progress goes to stderr, so that stdout stays what was asked for."""
    print(f"goheap-vm: {text}", file=sys.stderr, flush=True)


class OutOfTime(Failure):
    """There was no more time for it."""


@contextlib.contextmanager
def locked_file(path, what):
    """Only one process at a time has the lock; it goes with the process."""
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that uses {what}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def locked(name):
    """The lock of a thing in the cache."""
    locks = cache_dir() / "locks"
    locks.mkdir(exist_ok=True)
    return locked_file(locks / name, name)


def fresh_dir(path):
    """An empty directory at path, whatever an interrupted run left there."""
    path = Path(path)
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def tail(path, lines=30):
    with open(path, errors="replace") as f:
        return "".join(f.readlines()[-lines:])


def run(cmd, **kwargs):
    """Run a command quietly; its output is shown only when it fails."""
    cmd = [str(c) for c in cmd]
    done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **kwargs)
    if done.returncode:
        raise Failure(f"{' '.join(cmd)}: exit {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def run_logged(cmd, log, label, seconds=math.inf, **kwargs):
    """
    Run a long command with its output in a log file, showing progress; OutOfTime
    if it takes more than so many seconds.
    """
    start = last = time.monotonic()
    with open(log, "w") as out:
        child = subprocess.Popen([str(c) for c in cmd], stdout=out, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, **kwargs)
        try:
            while child.poll() is None:
                time.sleep(0.5)
                now = time.monotonic()
                if now - start >= seconds:
                    raise OutOfTime(f"{label}: not done in {seconds:.0f} s")
                if now - last >= 15:
                    last = now
                    say(progress_line(label, log, now - start))
        except BaseException:
            child.terminate()
            child.wait()
            raise
    if child.returncode:
        raise Failure(f"{label} failed, see {log}\n{errors_of(log)}{tail(log)}")
    say(f"{label}: done in {time.monotonic() - start:.0f} s")


def progress_line(label, log, seconds):
    with open(log, errors="replace") as f:
        lines = f.readlines()
    last = lines[-1].strip()[:60] if lines else ""
    return f"{label}: {seconds:.0f} s, {len(lines)} steps: {last}"


def errors_of(log):
    """The compiler's error lines: with make -j they are rarely the last ones."""
    with open(log, errors="replace") as f:
        found = [line for line in f if "error:" in line or "Error " in line]
    return "".join(found[:20])


def jobs():
    return os.cpu_count() or 1
