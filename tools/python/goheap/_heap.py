# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Heaps: opening, passing to others, allocating, and what all processes find."""

from __future__ import annotations

import errno
import os
import select
import socket
from ctypes import byref, c_uint64
from typing import NamedTuple, Optional, Tuple, Type, TypeVar, Union

from ._handle import Handle, locked, open_handle
from ._library import CREATE, FIXED, PRIVATE, VIEW_NO_ATTACH, VIEW_READ, RawUsage, check, fail
from ._object import Buffer, Object, object_at

_Heap = TypeVar("_Heap", bound="Heap")


class Usage(NamedTuple):
    """What a heap holds, and this process's session; in bytes where it says so."""
    session: int
    heap_bytes: int
    heap_limit: int
    session_bytes: int
    session_limit: int
    objects: int
    object_bytes: int
    given: int
    spans: int
    sessions: int
    deaths: int
    allocs: int
    frees: int
    reclaimed: int
    pinned: int
    peak_bytes: int
    bad: int
    retired: int
    retired_bytes: int
    epochs: int


class Heap:
    """
    A heap. Without a path it is a new one, of /dev/goheap; a path is that of a device, or of
    a file where the file system goheap is mounted, which create makes if it is not there.
    With fixed it is at the same address in all processes. A private heap is of this process
    alone, and needs no device: it has objects, but nothing that others could find.

    Threads may share it. A child of fork() uses it as its parent does, with a session of
    its own. Errors are OSError; after close(), ValueError.
    """

    def __init__(self, path: Union[str, bytes, os.PathLike, None] = None, create: bool = False,
                 fixed: bool = False, *, private: bool = False) -> None:
        flags = CREATE * create | FIXED * fixed | PRIVATE * private
        self._handle: Optional[Handle] = None
        self._handle = open_handle("goheap_open", None if path is None else os.fsencode(path),
                                   flags)

    @classmethod
    def _of(cls: Type[_Heap], handle: Handle) -> _Heap:
        heap = cls.__new__(cls)
        heap._handle = handle
        return heap

    @classmethod
    def from_fd(cls: Type[_Heap], fd: int, fixed: bool = False) -> _Heap:
        """The heap of a descriptor, which stays the caller's."""
        return cls._of(open_handle("goheap_open_fd", fd, FIXED * fixed))

    @classmethod
    def receive(cls: Type[_Heap], sock: Union[socket.socket, int]) -> _Heap:
        """The heap that another process passes by send() over a Unix socket."""
        timeout = sock.gettimeout() if isinstance(sock, socket.socket) else None
        # The library's call would wait in spite of signals.
        if not select.select([sock], [], [], timeout)[0]:
            fail(errno.EAGAIN if timeout == 0 else errno.ETIMEDOUT)
        return cls._of(open_handle("goheap_receive", _number(sock)))

    def _opened(self) -> Handle:
        """The handle. Who calls the library keeps it in a variable until that returns."""
        handle = self._handle
        if handle is None:
            raise ValueError("the heap is closed")
        return handle

    # ---- closing ----

    def close(self) -> None:
        """
        Leave the heap: what this process allocated and did not give is freed. BufferError
        if memoryviews of its objects exist, or a thread waits for a Mutex. If others are
        inside of a call, it is left when that ends. More calls do nothing.
        """
        with locked():
            if self._handle is not None and len(self._handle.windows):
                raise BufferError("memoryviews of objects of the heap exist")
            self._handle = None

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._handle is None

    def __enter__(self: _Heap) -> _Heap:
        self._opened()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<goheap.Heap{', closed' * self.closed}>"

    # ---- other processes ----

    def fileno(self) -> int:
        """The descriptor, to be passed to others. It stays the heap's."""
        handle = self._opened()
        fd = handle.library.goheap_fd(handle.pointer)
        if fd < 0:
            fail(errno.EOPNOTSUPP)
        return fd

    def view(self, *, read_only: bool = False, attach: bool = True, quota: int = 0,
             max_sessions: int = 0) -> int:
        """
        A descriptor for processes that are not to have all of the heap: they can only read;
        or allocate nothing, without attach; or have no more than quota bytes together, or
        sessions. The caller closes it.
        """
        handle = self._opened()
        flags = VIEW_READ * read_only | VIEW_NO_ATTACH * (not attach)
        return check(handle.library.goheap_view(handle.pointer, flags, quota, max_sessions))

    def send(self, sock: Union[socket.socket, int], fd: Optional[int] = None) -> None:
        """Pass the heap, or the view that fd is, to another process over a Unix socket."""
        handle = self._opened()
        check(handle.library.goheap_send(_number(sock), self.fileno() if fd is None else fd))

    @property
    def session(self) -> int:
        """The number of this process's session, which begins if there is none."""
        handle = self._opened()
        return handle.library.goheap_session(handle.pointer) or fail()

    def usage(self) -> Usage:
        """What the heap holds now."""
        handle = self._opened()
        raw = RawUsage()
        check(handle.library.goheap_usage(handle.pointer, byref(raw)))
        return Usage(*(getattr(raw, name) for name in Usage._fields))

    def trim(self) -> int:
        """Return unused memory to the system; returns how many bytes."""
        handle = self._opened()
        return handle.library.goheap_trim(handle.pointer)

    # ---- objects ----

    def alloc(self, size: int) -> Object:
        """A new object of size bytes, all 0."""
        if size < 0:
            raise ValueError("size is negative")
        handle = self._opened()
        return object_at(self, handle.library.goheap_calloc(handle.pointer, 1, size) or fail(),
                         size)

    def new(self, data: Buffer) -> Object:
        """A new object that holds a copy of data."""
        made = self.alloc(memoryview(data).nbytes)
        made.write(data)
        return made

    def deref(self, ref: int) -> Object:
        """The object of a ref of this or another process. ENOENT if none starts there."""
        handle = self._opened()
        return object_at(self, handle.library.goheap_deref(handle.pointer, ref) or
                         fail(errno.ENOENT))

    # ---- what all processes find ----

    def root_get(self, index: int) -> int:
        """The word in a root slot, 0 at first."""
        handle = self._opened()
        value = c_uint64()
        check(handle.library.goheap_root_get(handle.pointer, index, byref(value)))
        return value.value

    def root_cas(self, index: int, expect: int, value: int) -> Tuple[bool, int]:
        """
        Store value in a root slot that holds expect. Returns whether it did, and what it
        held.
        """
        handle = self._opened()
        held = c_uint64(expect)
        done = check(handle.library.goheap_root_cas(handle.pointer, index, byref(held), value))
        return bool(done), held.value

    def bind(self, name: str, obj: Object) -> None:
        """Give an object a name, and give it to the heap. FileExistsError if it is used."""
        with locked():
            handle = self._of_mine(obj)
            check(handle.library.goheap_bind(handle.pointer, encode_name(name), obj._there()))

    def lookup(self, name: str) -> Object:
        """The object of a name. FileNotFoundError if there is none."""
        handle = self._opened()
        return object_at(self, handle.library.goheap_lookup(handle.pointer, encode_name(name)) or
                         fail())

    def unbind(self, name: str) -> Object:
        """Take a name away; returns its object, which this process holds then."""
        handle = self._opened()
        return object_at(self, handle.library.goheap_unbind(handle.pointer, encode_name(name)) or
                         fail())

    def _of_mine(self, obj: Object) -> Handle:
        if obj.heap is not self:
            raise ValueError("the object is of another heap")
        return self._opened()


def encode_name(name: str) -> bytes:
    """A name, as C has it."""
    encoded = name.encode()
    if b"\0" in encoded:
        raise ValueError("a name has no null character")
    return encoded


def _number(sock: Union[socket.socket, int]) -> int:
    return sock if isinstance(sock, int) else sock.fileno()
