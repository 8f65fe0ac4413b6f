# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
The C library: loading it, and what its functions take and return.

ctypes drops the interpreter's lock during a call, so other threads run while one waits. Errors
become OSError with the errno of the call, which ctypes keeps for each thread.

The functions of _REQUIRED are there in every libgoheap.so.2 that is of use. Others came later:
whoever calls one that the library does not have gets NotImplementedError.
"""

from __future__ import annotations

import ctypes
import os
import threading
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_ssize_t, c_uint, c_uint32, c_uint64, \
    c_void_p
from typing import Any, NoReturn, Optional

from ._version import version

SONAME = "libgoheap.so.2"

# goheap_open() flags
PRIVATE = 0x1
CREATE = 0x2
FIXED = 0x4

# goheap_view() flags
VIEW_READ = 0x1
VIEW_NO_ATTACH = 0x2

BadFree = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int)


class LibraryError(OSError):
    """libgoheap cannot be loaded, or is of no use."""


class RawUsage(ctypes.Structure):
    """
    struct goheap_usage, with room for what a newer library adds: that writes as much as it
    knows. The size is what it has written.
    """
    _fields_ = [("size", c_uint32), ("session", c_uint32),
                *((name, c_uint64) for name in (
                    "heap_bytes", "heap_limit", "session_bytes", "session_limit", "objects",
                    "object_bytes", "given", "spans", "sessions", "deaths", "allocs", "frees",
                    "reclaimed", "pinned", "peak_bytes", "bad", "retired", "retired_bytes",
                    "epochs")),
                ("room", c_uint64 * 64)]


class RawEntry(ctypes.Structure):
    """struct goheap_entry"""
    _fields_ = [("key", c_void_p), ("key_bytes", c_size_t),
                ("value", c_void_p), ("bytes", c_size_t)]


class _DlInfo(ctypes.Structure):
    """Dl_info of dladdr()"""
    _fields_ = [("file", c_char_p), ("base", c_void_p), ("symbol", c_char_p),
                ("address", c_void_p)]


# Name: what it returns, and takes. A heap is a c_void_p, as are all addresses in it.
_REQUIRED = {
    "goheap_open": (c_void_p, c_char_p, c_uint),
    "goheap_open_fd": (c_void_p, c_int, c_uint),
    "goheap_close": (None, c_void_p),
    "goheap_fd": (c_int, c_void_p),
    "goheap_view": (c_int, c_void_p, c_uint, c_uint64, c_uint),
    "goheap_send": (c_int, c_int, c_int),
    "goheap_receive": (c_void_p, c_int),
    "goheap_session": (c_uint32, c_void_p),
    "goheap_calloc": (c_void_p, c_void_p, c_size_t, c_size_t),
    "goheap_free": (None, c_void_p, c_void_p),
    "goheap_usable_size": (c_size_t, c_void_p, c_void_p),
    "goheap_give": (c_int, c_void_p, POINTER(c_void_p), c_size_t),
    "goheap_offset": (c_uint64, c_void_p, c_void_p),
    "goheap_ref": (c_uint64, c_void_p, c_void_p),
    "goheap_deref": (c_void_p, c_void_p, c_uint64),
    "goheap_root_get": (c_int, c_void_p, c_uint, POINTER(c_uint64)),
    "goheap_root_cas": (c_int, c_void_p, c_uint, POINTER(c_uint64), c_uint64),
    "goheap_usage": (c_int, c_void_p, POINTER(RawUsage)),
    "goheap_trim": (c_size_t, c_void_p),
    "goheap_on_bad_free": (c_void_p, BadFree),
}

_OPTIONAL = {
    "goheap_bind": (c_int, c_void_p, c_char_p, c_void_p),
    "goheap_lookup": (c_void_p, c_void_p, c_char_p),
    "goheap_unbind": (c_void_p, c_void_p, c_char_p),
    "goheap_enter": (c_int, c_void_p),
    "goheap_exit": (None, c_void_p),
    "goheap_queue_open": (c_void_p, c_void_p, c_char_p, c_uint, c_size_t),
    "goheap_queue_push": (c_int, c_void_p, c_void_p, c_char_p, c_size_t, c_int),
    "goheap_queue_pop": (c_ssize_t, c_void_p, c_void_p, c_void_p, c_size_t, c_int),
    "goheap_queue_count": (c_size_t, c_void_p, c_void_p),
    "goheap_queue_bytes": (c_size_t, c_void_p, c_void_p),
    "goheap_table_open": (c_void_p, c_void_p, c_char_p),
    "goheap_table_get": (c_void_p, c_void_p, c_void_p, c_char_p, c_size_t, POINTER(c_size_t)),
    "goheap_table_put": (c_int, c_void_p, c_void_p, c_char_p, c_size_t, c_char_p, c_size_t),
    "goheap_table_remove": (c_int, c_void_p, c_void_p, c_char_p, c_size_t),
    "goheap_table_count": (c_uint64, c_void_p, c_void_p),
    "goheap_table_next": (c_int, c_void_p, c_void_p, POINTER(c_uint64), POINTER(RawEntry)),
    "goheap_mutex_lock": (c_int, c_void_p, c_void_p, c_int),
    "goheap_mutex_unlock": (c_int, c_void_p, c_void_p),
    "goheap_mutex_consistent": (c_int, c_void_p, c_void_p),
}


class Library:
    """The functions of libgoheap, as attributes."""

    def __init__(self, file: str) -> None:
        try:
            self._dll = ctypes.CDLL(file, use_errno=True)
        except OSError as error:
            raise LibraryError(f"{file} cannot be loaded ({error}): install it with make "
                               "tools-install, or say where it is in GOHEAP_LIBRARY") from None
        self._file = file
        missing = [name for name in _REQUIRED if not self.has(name)]
        if missing:
            raise LibraryError(f"{file} is no libgoheap that this package can use: it has no "
                               f"{missing[0]}()")

    @property
    def path(self) -> str:
        """The file that it was loaded from."""
        info = _DlInfo()
        function = ctypes.cast(self._dll.goheap_open, c_void_p)
        dladdr = ctypes.CDLL(None).dladdr
        dladdr.argtypes = (c_void_p, POINTER(_DlInfo))
        if dladdr(function, ctypes.byref(info)) and info.file:
            return os.fsdecode(info.file)
        return self._file

    def has(self, name: str) -> bool:
        """Whether the library has a function."""
        return hasattr(self._dll, name)

    def need(self, *names: str) -> None:
        """Fail if a function is missing."""
        for name in names:
            getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        # Only for what is not there yet: then it is, and this is not called again.
        prototype = _REQUIRED.get(name) or _OPTIONAL.get(name)
        if prototype is None:
            raise AttributeError(name)
        try:
            function = getattr(self._dll, name)
        except AttributeError:
            raise NotImplementedError(f"{self.path} ({SONAME}) has no {name}(): it is older than "
                                      f"this package, {version()}") from None
        function.restype, function.argtypes = prototype[0], prototype[1:]
        setattr(self, name, function)
        return function


_loaded: Optional[Library] = None
_load_lock = threading.Lock()


def _new_lock() -> None:
    global _load_lock
    _load_lock = threading.Lock()


# Another thread may have had it when this one forked.
os.register_at_fork(after_in_child=_new_lock)


def library() -> Library:
    """The library, loaded when it is first needed."""
    global _loaded
    if _loaded is None:
        with _load_lock:
            if _loaded is None:
                _loaded = Library(os.environ.get("GOHEAP_LIBRARY") or SONAME)
    return _loaded


def fail(err: int = 0) -> NoReturn:
    """Raise what the last call has left in errno."""
    err = err or ctypes.get_errno()
    raise OSError(err, os.strerror(err))


def check(result: int) -> int:
    """The result of a call, or an exception if that is -1."""
    if result < 0:
        fail()
    return result
