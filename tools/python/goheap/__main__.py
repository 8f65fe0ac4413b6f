# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Say which version this is, and whether the library and the device are there."""

import sys

from . import Heap, LibraryError, __version__
from ._library import library

DEVICE = "/dev/goheap"


def main() -> int:
    print(f"goheap {__version__}")
    try:
        print(f"library: {library().path}")
    except LibraryError as error:
        print(f"library: {error}")
        return 1
    try:
        with Heap(DEVICE):
            print(f"device: {DEVICE} is there")
    except OSError as error:
        print(f"device: {DEVICE} cannot be opened: {error.strerror}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
