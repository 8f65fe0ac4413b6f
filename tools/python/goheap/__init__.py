# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
Heaps that processes share, and that survive them: libgoheap for Python.

    import goheap

    heap = goheap.Heap()
    table = goheap.Table(heap, "words", encoding="utf-8")
    table["tree"] = b"Baum"

A child of fork(), or whoever gets the heap over a socket, has the same table.
"""

from ._heap import Heap, Usage
from ._library import LibraryError
from ._mutex import Mutex
from ._object import Object
from ._queue import Queue
from ._table import Table
from ._version import version

__all__ = ["Heap", "LibraryError", "Mutex", "Object", "Queue", "Table", "Usage"]
__version__ = version()
