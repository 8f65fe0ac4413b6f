# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A lock that processes share, and that survives who has it."""

from __future__ import annotations

import ctypes
from ctypes import c_uint32
from typing import TYPE_CHECKING, Union

from ._library import check
from ._object import Object
from ._waiting import wait

if TYPE_CHECKING:
    from ._heap import Heap


class _RawMutex(ctypes.Structure):
    """struct goheap_mutex"""
    _fields_ = [("word", c_uint32), ("died", c_uint32)]


def _find_or_make(heap: Heap, name: str, nbytes: int) -> Object:
    """The object of a name; a new one of zeroes if there is none."""
    try:
        return heap.lookup(name)
    except FileNotFoundError:
        made = heap.alloc(nbytes)
    try:
        heap.bind(name, made)
    except FileExistsError:
        made.free()
        return heap.lookup(name)
    return made


class Mutex:
    """
    A lock that all processes of a heap find by its name; it is made if it is not there. Or it
    is the first 8 bytes of an Object, which are 0 at first.

    If the process that has it dies, the next gets it, and finds in died that what the lock
    protects may be half changed. Who has mended that calls consistent().
    """

    def __init__(self, heap: Heap, name: Union[str, Object]) -> None:
        heap._opened().library.need("goheap_mutex_lock", "goheap_mutex_unlock",
                                    "goheap_mutex_consistent")
        nbytes = ctypes.sizeof(_RawMutex)
        self._heap = heap
        self._object = name if isinstance(name, Object) else _find_or_make(heap, name, nbytes)
        if self._object.heap is not heap:
            raise ValueError("the object is of another heap")
        if len(self._object) < nbytes:
            raise ValueError("the object is too short for a lock")

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Lock it, as threading.Lock does. Returns whether it did, in time."""
        if not blocking and timeout != -1:
            raise ValueError("a timeout is only for what blocks")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout is negative")
        limit = 0 if not blocking else None if timeout == -1 else timeout
        return wait(lambda ms: self._call("goheap_mutex_lock", ms), limit)

    def release(self) -> None:
        """Unlock it. PermissionError if this process does not have it."""
        self._call("goheap_mutex_unlock")

    def consistent(self) -> None:
        """What the lock protects is as it should be; then died is 0."""
        self._call("goheap_mutex_consistent")

    @property
    def died(self) -> int:
        """The number of the session that died with it, or 0. To be read by who has it."""
        with self._object.memory() as memory:
            return _RawMutex.from_buffer_copy(memory).died

    def _call(self, name: str, *arguments: int) -> int:
        handle = self._heap._opened()
        # This process cannot free the object while a thread waits there.
        with self._object.memory():
            return check(getattr(handle.library, name)(handle.pointer, self._object._there(),
                                                       *arguments))

    def __enter__(self) -> Mutex:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
