# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
Waiting in C, and yet for signals.

Python runs its signal handlers, of which one makes KeyboardInterrupt, in the main thread, when
that comes back from C. So the main thread waits for a short time, again and again. Other
threads wait for as long as it takes.
"""

from __future__ import annotations

import errno
import math
import threading
import time
from typing import Callable, Optional

_SLICE = 200
_LONGEST = 3600 * 1000


def wait(attempt: Callable[[int], int], timeout: Optional[float]) -> bool:
    """
    Call attempt(milliseconds) until it does not fail for want of time. A timeout of None
    is for ever, one of 0 tries once. Returns whether it succeeded in time.
    """
    most = _SLICE if threading.current_thread() is threading.main_thread() else _LONGEST
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = most if end is None else math.ceil((end - time.monotonic()) * 1000)
        left = max(0, min(most, left))
        try:
            attempt(left)
            return True
        except OSError as error:
            # EAGAIN of a call that may wait is of something else, and would come at once again.
            if error.errno != (errno.ETIMEDOUT if left else errno.EAGAIN):
                raise
        if end is not None and time.monotonic() >= end:
            return False
