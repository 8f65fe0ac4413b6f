# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A queue of messages that processes share."""

from __future__ import annotations

import queue
from ctypes import create_string_buffer, string_at
from typing import TYPE_CHECKING, List, Optional, Union

from ._library import check, fail
from ._waiting import wait

if TYPE_CHECKING:
    from ._heap import Heap

# The class has an attribute of that name.
bytes_type = bytes
Message = Union[bytes, bytearray, memoryview]


def _limit(block: bool, timeout: Optional[float]) -> Optional[float]:
    """How long to wait: as the arguments of queue.Queue say it."""
    if not block:
        return 0
    if timeout is not None and timeout < 0:
        raise ValueError("timeout is negative")
    return timeout


class Queue:
    """
    A queue that all processes of a heap find by its name. It is made if it is not there and slots
    is not 0: then it has room for so many messages, of up to so many bytes each. Else
    FileNotFoundError.

    put() and get() are like those of queue.Queue, with its exceptions. A message is copied, and is
    there as a whole or not at all, even if the process is killed.
    """

    def __init__(self, heap: Heap, name: str, slots: int = 0, bytes: int = 0) -> None:
        from ._heap import encode_name

        if slots < 0 or bytes < 0:
            raise ValueError("slots or bytes is negative")
        self._heap = heap
        handle = heap._opened()
        lib = handle.library
        lib.need("goheap_queue_push", "goheap_queue_pop", "goheap_queue_bytes")
        self._queue = lib.goheap_queue_open(handle.pointer, encode_name(name), slots,
                                            bytes) or fail()
        self._room = lib.goheap_queue_bytes(handle.pointer, self._queue)

    @property
    def bytes(self) -> int:
        """The longest message."""
        return self._room

    def put(self, message: Message, block: bool = True, timeout: Optional[float] = None) -> None:
        """Append a message; queue.Full if there is no room, for timeout seconds."""
        if not isinstance(message, (bytes_type, bytearray, memoryview)):
            raise TypeError(f"a message is bytes, not {type(message).__name__}")
        data = bytes_type(message)
        handle = self._heap._opened()
        push, heap = handle.library.goheap_queue_push, handle.pointer
        if not wait(lambda ms: check(push(heap, self._queue, data, len(data), ms)),
                    _limit(block, timeout)):
            raise queue.Full

    def get(self, block: bool = True, timeout: Optional[float] = None) -> bytes_type:
        """Take the first message; queue.Empty if there is none, for timeout seconds."""
        handle = self._heap._opened()
        pop, heap = handle.library.goheap_queue_pop, handle.pointer
        room = create_string_buffer(max(self._room, 1))
        got: List[int] = []
        if not wait(lambda ms: got.append(check(pop(heap, self._queue, room, self._room, ms))),
                    _limit(block, timeout)):
            raise queue.Empty
        return string_at(room, got[0])

    def put_nowait(self, message: Message) -> None:
        """put() that does not wait."""
        self.put(message, False)

    def get_nowait(self) -> bytes_type:
        """get() that does not wait."""
        return self.get(False)

    def qsize(self) -> int:
        """About how many messages there are."""
        handle = self._heap._opened()
        return handle.library.goheap_queue_count(handle.pointer, self._queue)

    def empty(self) -> bool:
        """Whether there seems to be none."""
        return not self.qsize()
