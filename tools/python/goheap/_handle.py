# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
The open heap of C, which is closed when nothing uses it any more.

A window that is unmapped while Python still has a memoryview of it would crash the interpreter,
and so would a heap that is closed while another thread is inside of one of its functions. So
nobody closes it: a Handle does when it is collected. All who use it have a reference:

 * the Heap, until its close();
 * a Window, which is what a memoryview exports: the memoryview keeps it, as do its slices, and
   whatever else was made of it;
 * a thread that is in a call, in a variable.

Objects are freed while the lock is held, and windows are made with it, so that no object is
freed that a memoryview shows.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from fcntl import F_GETFL, fcntl
from typing import Any

from . import _freeing
from ._library import Library, fail, library

# A signal handler, or a finalizer, may use a heap at any time: then its thread has it already.
_lock = threading.RLock()


def _new_lock() -> None:
    global _lock
    _lock = threading.RLock()


# Another thread may have had it when this one forked.
os.register_at_fork(after_in_child=_new_lock)


def locked() -> Any:
    """The lock of all heaps, for a "with" statement."""
    return _lock


class Handle:
    """A struct goheap, and the memory of it that memoryviews show."""

    def __init__(self, lib: Library, pointer: int) -> None:
        self.library = lib
        self.pointer = pointer
        # Address of an object: its window. Or the object itself.
        self.windows: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
        self.objects: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
        fd = lib.goheap_fd(pointer)
        # A store to what is mapped for reading only would crash the interpreter.
        self.is_read_only = fd >= 0 and fcntl(fd, F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        _freeing.ours.add(pointer)

    def window(self, address: int, nbytes: int) -> memoryview:
        """A memoryview of the first bytes of an object."""
        window = self.windows.get(address)
        if window is None:
            # No array is empty: a memoryview of one cannot be cast.
            usable = self.library.goheap_usable_size(self.pointer, address)
            window = (ctypes.c_ubyte * max(usable, 1)).from_address(address)
            window.handle = self
            self.windows[address] = window
        view = memoryview(window).cast("B")[:nbytes]
        return view.toreadonly() if self.is_read_only else view

    def __del__(self) -> None:
        # The end of the process closes it as well, with more of the interpreter left.
        if hasattr(self, "is_read_only") and not sys.is_finalizing():
            _freeing.close(self.library, self.pointer)


def open_handle(function: str, *arguments: Any) -> Handle:
    """The handle of what a function opens."""
    lib = library()
    _freeing.install(lib)
    pointer = getattr(lib, function)(*arguments)
    if not pointer:
        fail()
    return Handle(lib, pointer)
