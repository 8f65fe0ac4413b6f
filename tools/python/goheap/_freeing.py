# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
Freeing, so that an error is an exception: the library itself would abort the interpreter.

It reports a bad free by calling a function. If that happens in free() or close() below, the error
is raised there. The library passes some objects to the kernel later, in any call, and what is found
out then is shown by sys.unraisablehook. Heaps of other users of the library, in the same process,
are treated as if this package were not there.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Callable, List, Optional, Set

from ._library import BadFree, Library, fail


class _Here(threading.local):
    """The errors of this thread's call of free(), while there is one."""
    errors: Optional[List[int]] = None


# Heaps that were opened by this package.
ours: Set[int] = set()

_here = _Here()
_before = None


def _note(heap: Optional[int], address: Optional[int], err: int) -> None:
    if _here.errors is not None:
        _here.errors.append(err)
    elif heap in ours:
        # ctypes has nobody to raise it in, and shows it.
        raise OSError(err, f"the object at {address or 0:#x} was not freed: {os.strerror(err)}")
    elif _before is not None:
        _before(heap, address, err)
    else:
        sys.stderr.write(f"goheap: bad free: {address or 0:#x}: {os.strerror(err)}\n")
        sys.stderr.flush()
        os.abort()


# It must live as long as the library may call it.
_callback = BadFree(_note)


def install(library: Library) -> None:
    """Have the library report bad frees here. More calls do nothing."""
    global _before
    before = library.goheap_on_bad_free(_callback)
    if before and before != ctypes.cast(_callback, ctypes.c_void_p).value:
        _before = BadFree(before)


def _collect(call: Callable[..., None], *arguments: int) -> None:
    """Call it, and raise OSError for the first error that is reported meanwhile."""
    outer, _here.errors = _here.errors, []
    try:
        call(*arguments)
        errors = _here.errors
    finally:
        _here.errors = outer
    if errors:
        fail(errors[0])


def free(library: Library, heap: int, address: int) -> None:
    """Free an object, or raise OSError."""
    _collect(library.goheap_free, heap, address)


def close(library: Library, heap: int) -> None:
    """Close a heap, or do so and raise OSError."""
    # Before: then another heap may be in its place.
    ours.discard(heap)
    _collect(library.goheap_close, heap)
