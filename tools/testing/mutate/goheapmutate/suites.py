# SPDX-License-Identifier: GPL-2.0-only
"""
Which suites are run for an error, and in which order.

Those that are most likely to notice come first, since the first failure ends it.
"""

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from goheapvm import kernels
from goheapvm.util import Failure

# What user-mode Linux runs in minutes: all KUnit suites and self tests, and most of them
# once more with lockdep and kmemleak.
DEFAULT = ("um:*_kunit", "um:stress_*", "um:[!u]*.sh", "um:user_*", "um-debug:*_kunit",
           "um-debug:stress_*")
STEP = "stock:step.sh"
# Instead of a pattern: the KUnit suite of the file.
OWN = "own"
USER_DIRS = ("mm/user/", "tools/lib/goheap/")


@dataclass(frozen=True)
class Suite:
    """What `vm check KERNEL --only PATTERN` runs."""
    kernel: str
    pattern: str

    def __str__(self):
        return f"{self.kernel}:{self.pattern}"


def parse(text):
    kernel, colon, pattern = text.partition(":")
    if not colon:
        kernel, pattern = "um", text
    if kernel not in kernels.NAMES or not pattern:
        raise Failure(f"not a suite: {text}; it is KERNEL:PATTERN, such as um:*_kunit")
    return Suite(kernel, pattern)


def in_order(suites, path, repo):
    """
    What to run for an error in a file: first the KUnit suite of that file, if it has one
    and it is in the list, in each kernel that it is in the list for.
    """
    own = f"{Path(path).stem}_kunit"
    has_own = (Path(repo) / Path(path).parent / "tests" / f"{own}.c").exists()
    first = [Suite(suite.kernel, own) for suite in suites
             if has_own and (suite.pattern == OWN or fnmatch(own, suite.pattern))]
    rest = [suite for suite in suites if suite.pattern != OWN]
    return list(dict.fromkeys([*first, *sorted(rest, key=lambda suite: rank(suite, path))]))


def rank(suite, path):
    """What is about processes first, if the file is; then as they are listed."""
    return not (path.startswith(USER_DIRS) and suite.pattern.startswith("user_"))
