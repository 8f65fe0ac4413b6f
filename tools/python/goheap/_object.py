# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
Objects in a heap.

For each object of a heap there is one Object at a time, however often it is looked up, so that
all who have it know whether it was freed.
"""

from __future__ import annotations

import errno
from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Union

from . import _freeing
from ._handle import locked
from ._library import check, fail

if TYPE_CHECKING:
    from ._heap import Heap

Buffer = Union[bytes, bytearray, memoryview]


class Object:
    """
    Memory in a heap. Heap.new(), Heap.alloc(), Heap.deref() and Heap.lookup() return one.

    It keeps no memory: what was allocated stays until free(), whether there is an Object or
    not, and, unless it was given, until the heap is closed.
    """

    __slots__ = ("heap", "_address", "_length", "_is_freed", "__weakref__")

    def __init__(self, heap: Heap, address: int, length: int) -> None:
        self.heap = heap
        self._address = address
        self._length = length
        self._is_freed = False

    def _there(self) -> int:
        """The address, if the object is there."""
        if self._is_freed:
            raise ValueError("the object is freed")
        return self._address

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<goheap.Object of {self._length} bytes{', freed' * self._is_freed}>"

    def __bytes__(self) -> bytes:
        return self.read()

    @property
    def ref(self) -> int:
        """What all processes call the object: for root slots, and for Heap.deref()."""
        with locked():
            handle = self.heap._opened()
            return handle.library.goheap_ref(handle.pointer, self._there())

    def memory(self) -> memoryview:
        """
        The object's bytes, not copied. It can be written to unless the heap is open for
        reading only. The object cannot be freed, nor the heap closed, before it is released:
        "with object.memory() as m".

        That holds for this process. If another one frees an object that was given, access
        to it may end this process by SIGBUS. Table, Queue and names prevent that.
        """
        with locked():
            handle = self.heap._opened()
            address = self._there()
            # Another process may have freed it. Even an object of no bytes has some.
            if handle.library.goheap_usable_size(handle.pointer, address) < max(self._length, 1):
                fail(errno.ENOENT)
            return handle.window(address, self._length)

    def read(self, size: int = -1, at: int = 0) -> bytes:
        """A copy of size bytes, or of as many as there are, from byte number at on."""
        if at < 0:
            raise ValueError("at is negative")
        with self.memory() as memory:
            return memory[at:at + size if size >= 0 else None].tobytes()

    def write(self, data: Buffer, at: int = 0) -> None:
        """Store data from byte number at on. It must fit."""
        with self.memory() as memory, memoryview(data) as source:
            if at < 0 or at + source.nbytes > self._length:
                raise ValueError(f"the object has {self._length} bytes")
            if memory.readonly:
                fail(errno.EPERM)
            if source.nbytes:
                memory[at:at + source.nbytes] = source.cast("B")

    def free(self) -> None:
        """
        Free the object. BufferError if a memoryview of it exists; ValueError if it is freed;
        OSError if it is another process's and was not given.
        """
        with locked():
            handle = self.heap._opened()
            address = self._there()
            if address in handle.windows:
                raise BufferError("a memoryview of the object exists")
            _freeing.free(handle.library, handle.pointer, address)
            self._is_freed = True
            handle.objects.pop(address, None)

    def give(self) -> None:
        """Give the object to the heap: it outlives this process, and any may free it."""
        with locked():
            handle = self.heap._opened()
            address = c_void_p(self._there())
            check(handle.library.goheap_give(handle.pointer, byref(address), 1))


def object_at(heap: Heap, address: int, length: int = -1) -> Object:
    """
    The Object at an address of a heap. A length says that it was allocated just now: if there
    is an Object, another process has freed what that was.
    """
    with locked():
        handle = heap._opened()
        there = handle.objects.get(address)
        if there is not None and length < 0:
            return there
        if there is not None:
            there._is_freed = True
        if length < 0:
            length = handle.library.goheap_usable_size(handle.pointer, address)
            if not length:
                fail(errno.ENOENT)
        made = Object(heap, address, length)
        handle.objects[address] = made
        return made
