# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
A table that processes share.

What the library finds stays only between goheap_enter() and goheap_exit(). Nothing of
what is retired meanwhile is freed, in any process, so that must be short: bytes are copied
inside, in one function, and never is a caller's code run. goheap_enter() is inside of the try
statement, since a signal handler may raise an exception right after it; goheap_exit() without it
does nothing.
"""

from __future__ import annotations

import errno
from collections.abc import ItemsView, MutableMapping, ValuesView
from ctypes import byref, c_size_t, c_uint64, get_errno, string_at
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Tuple, Union

from ._library import RawEntry, check, fail

if TYPE_CHECKING:
    from ._heap import Heap

Key = Union[bytes, str]
Value = Union[bytes, bytearray, memoryview]

# What an iterator copies at once: entries, and about so many bytes.
_BATCH = 64
_BATCH_BYTES = 1 << 20


class Table(MutableMapping):
    """
    A mapping that all processes of a heap find by its name; it is made if it is not there. Keys
    are bytes, or with an encoding str; values are bytes. What it returns is a copy.

    Each operation on one key is made as a whole, or not at all, even if the process is killed.
    pop(), popitem(), setdefault() and update() are several. An iterator may be used while the
    table changes: it shows each entry once that is there all the time.
    """

    def __init__(self, heap: Heap, name: str, encoding: Optional[str] = None) -> None:
        from ._heap import encode_name

        handle = heap._opened()
        handle.library.need("goheap_table_get", "goheap_table_next", "goheap_enter")
        self._heap = heap
        self._encoding = encoding
        self._table = handle.library.goheap_table_open(handle.pointer, encode_name(name)) or fail()

    def _encode(self, key: object) -> bytes:
        if isinstance(key, str) and self._encoding is not None:
            return key.encode(self._encoding)
        if isinstance(key, (bytes, bytearray, memoryview)) and self._encoding is None:
            return bytes(key)
        wanted = "bytes" if self._encoding is None else "str"
        raise TypeError(f"a key is {wanted}, not {type(key).__name__}")

    def _decode(self, key: bytes) -> Key:
        return key if self._encoding is None else key.decode(self._encoding)

    def _find(self, key: bytes, nbytes: int = -1) -> Optional[bytes]:
        """A copy of the value, or of its first bytes; None if there is none."""
        handle = self._heap._opened()
        lib, heap = handle.library, handle.pointer
        length = c_size_t()
        try:
            check(lib.goheap_enter(heap))
            value = lib.goheap_table_get(heap, self._table, key, len(key), byref(length))
            err = get_errno()
            if value:
                return string_at(value, length.value if nbytes < 0 else nbytes)
        finally:
            lib.goheap_exit(heap)
        if err != errno.ENOENT:
            fail(err)
        return None

    def __getitem__(self, key: Key) -> bytes:
        value = self._find(self._encode(key))
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return self._find(self._encode(key), 0) is not None

    def __setitem__(self, key: Key, value: Value) -> None:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"a value is bytes, not {type(value).__name__}")
        key, value = self._encode(key), bytes(value)
        handle = self._heap._opened()
        check(handle.library.goheap_table_put(handle.pointer, self._table, key, len(key), value,
                                              len(value)))

    def _remove(self, key: bytes) -> bool:
        handle = self._heap._opened()
        if not handle.library.goheap_table_remove(handle.pointer, self._table, key, len(key)):
            return True
        if get_errno() != errno.ENOENT:
            fail()
        return False

    def __delitem__(self, key: Key) -> None:
        if not self._remove(self._encode(key)):
            raise KeyError(key)

    def clear(self) -> None:
        """Remove all entries that are there now."""
        for key, _ in self._entries(False):
            self._remove(key)

    def __len__(self) -> int:
        """How many entries there are; perhaps wrong between a death and the next change."""
        handle = self._heap._opened()
        return handle.library.goheap_table_count(handle.pointer, self._table)

    # ---- iteration ----

    def _copy_some(self, cursor: c_uint64, values: bool) -> Tuple[List[Tuple[bytes, bytes]], bool]:
        """Copies of the entries from a cursor on, and whether there may be more."""
        handle = self._heap._opened()
        lib, heap = handle.library, handle.pointer
        entry = RawEntry()
        some: List[Tuple[bytes, bytes]] = []
        room = _BATCH_BYTES
        try:
            check(lib.goheap_enter(heap))
            while room > 0 and len(some) < _BATCH:
                if not check(lib.goheap_table_next(heap, self._table, byref(cursor),
                                                   byref(entry))):
                    return some, False
                key = string_at(entry.key, entry.key_bytes)
                value = string_at(entry.value, entry.bytes) if values else b""
                some.append((key, value))
                room -= len(key) + len(value)
        finally:
            lib.goheap_exit(heap)
        return some, True

    def _entries(self, values: bool = True) -> Iterator[Tuple[bytes, bytes]]:
        cursor, more = c_uint64(), True
        while more:
            some, more = self._copy_some(cursor, values)
            yield from some

    def __iter__(self) -> Iterator[Key]:
        return (self._decode(key) for key, _ in self._entries(False))

    def items(self) -> ItemsView:
        """Keys with their values, as they were at one time."""
        return _Items(self)

    def values(self) -> ValuesView:
        """The values."""
        return _Values(self)


class _Items(ItemsView):
    """That of the base class looks up each key, which may be gone by then."""
    _mapping: Table

    def __iter__(self) -> Iterator[Tuple[Any, Any]]:
        table = self._mapping
        return ((table._decode(key), value) for key, value in table._entries())


class _Values(ValuesView):
    """Likewise."""
    _mapping: Table

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._mapping._entries())

    def __contains__(self, value: object) -> bool:
        return any(value == other for other in self)
