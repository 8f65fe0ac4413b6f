# SPDX-License-Identifier: GPL-2.0-only
"""
How long a check may take, and how long its parts are likely to take.

A part is begun only if it is likely to end within the budget. Nothing runs on
beyond the hard limit, which is somewhat later: estimates are wrong sometimes.
What parts took is remembered in the cache; for what was never measured there
are defaults, scaled by how this machine compares with the one they are from.
"""

import json
import math
import os
import statistics
import time

from .util import cache_dir, locked

# The hard limit, as a multiple of the budget.
HARD = 1.25
# What was left out for its estimate was not measured again: try once more some day.
DOUBT = 0.9

# Seconds on two processors that do nothing else, under emulation.
BUILD_DEFAULTS = {"6.1": 180, "um": 180, "6.1-debug": 240}
BUILD_DEFAULT = 330
CHECK_DEFAULTS = {"um": 240}
CHECK_DEFAULT = 600
CHECK_DEFAULT_SLOW = 900
MACHINE_DEFAULT = 180


class Budget:
    """A bound on a run; without a number of seconds there is none."""

    def __init__(self, seconds=None, clock=time.monotonic):
        self.clock = clock
        self.start = clock()
        self.seconds = math.inf if seconds is None else seconds

    def spent(self):
        return self.clock() - self.start

    def left(self):
        """Seconds until the run should be over."""
        return max(0, self.seconds - self.spent())

    def hard_left(self):
        """Seconds until nothing may run any more."""
        return max(0, self.seconds * HARD - self.spent())


def build_key(kernel):
    return f"build {kernel}"


def check_key(label):
    return f"check {label}"


def default_seconds(key):
    """What a part takes where nothing is known, as build_key() and check_key() name it."""
    what, kernel, *machine = key.split()
    if what == "build":
        return BUILD_DEFAULTS.get(kernel, BUILD_DEFAULT)
    if machine:
        return MACHINE_DEFAULT
    slow = "-" in kernel
    return CHECK_DEFAULTS.get(kernel, CHECK_DEFAULT_SLOW if slow else CHECK_DEFAULT)


class Times:
    """Seconds that the parts of a check took last."""

    def __init__(self, path=None):
        self.path = path or cache_dir() / "times.json"

    def load(self):
        try:
            times = json.loads(self.path.read_text())
            return {key: float(seconds) for key, seconds in times.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            # A cache may be lost or damaged at any time.
            return {}

    def estimate(self, key):
        times = self.load()
        return times[key] if key in times else default_seconds(key) * pace(times)

    def remember(self, key, seconds):
        self.update(key, lambda _: seconds)

    def doubt(self, key):
        """An estimate kept a part from being measured; if it is wrong, it must not for ever."""
        self.update(key, lambda known: known and known * DOUBT)

    def update(self, key, change):
        with locked("times"):
            times = self.load()
            times[key] = change(times.get(key))
            times = {key: round(seconds, 1) for key, seconds in times.items() if seconds}
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n")
            os.replace(fresh, self.path)


def pace(times):
    """How much slower this machine is than the one of the defaults."""
    ratios = [seconds / default_seconds(key) for key, seconds in times.items()]
    return statistics.median(ratios) if ratios else 1.0
