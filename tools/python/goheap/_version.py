# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The package's version: the tree's if it is used from there, else that which pip knows."""

from __future__ import annotations

import re
from pathlib import Path

_TREE = Path(__file__).resolve().parents[3]


def version() -> str:
    """The version, or "unknown"."""
    conf = _TREE / "dkms.conf"
    if (_TREE / "tools/python/goheap").is_dir() and conf.is_file():
        found = re.search(r'(?m)^PACKAGE_VERSION="(.*)"', conf.read_text(encoding="utf-8"))
        if found:
            return found[1]
    # It is slow to load.
    from importlib import metadata

    try:
        return metadata.version("goheap")
    except metadata.PackageNotFoundError:
        return "unknown"
