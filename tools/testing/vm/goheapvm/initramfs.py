# SPDX-License-Identifier: GPL-2.0-only
"""An initramfs written straight as a cpio archive: no root, no staging directory."""

import os
import shutil
import stat
from pathlib import Path

from .util import Failure

GUEST_DIR = Path(__file__).resolve().parents[1] / "guest"


class Archive:
    """A "newc" cpio archive; directories on the way to a file are made as needed."""

    def __init__(self, path):
        self.out = open(path, "wb")
        self.count = 0
        self.dirs = set()

    def _pad(self):
        self.out.write(b"\0" * (-self.out.tell() % 4))

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        self.count += 1
        name = name.encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(name), 0)
        self.out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        self._pad()
        self.out.write(data)
        self._pad()

    def mkdir(self, name):
        if name and name not in self.dirs:
            self.mkdir(os.path.dirname(name))
            self.dirs.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def add(self, name, data, mode=0o644):
        name = name.lstrip("/")
        self.mkdir(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def add_file(self, name, source):
        source = Path(source)
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self.add(name, source.read_bytes(), mode)

    def add_console(self):
        """Without /dev/console the kernel gives the first process no output."""
        self.mkdir("dev")
        self._entry("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))

    def close(self):
        self._entry("TRAILER!!!", 0)
        self.out.close()


def busybox():
    """The static busybox: Debian's busybox package need not be static."""
    for candidate in ("/bin/busybox", shutil.which("busybox")):
        if candidate and b"/lib64/ld-linux" not in Path(candidate).read_bytes()[:4096]:
            return candidate
    raise Failure("no static busybox; run tools/setup")


def build(path, run_script, files):
    """Write the initramfs; files is a list of (host path, guest path)."""
    archive = Archive(path)
    archive.add_console()
    archive.add("bin/busybox", Path(busybox()).read_bytes(), 0o755)
    archive.add("init", (GUEST_DIR / "init").read_bytes(), 0o755)
    archive.add("goheap/run", run_script.encode(), 0o755)
    for host, guest in files:
        add_tree(archive, Path(host), guest)
    archive.close()


def add_tree(archive, host, guest):
    if not host.exists():
        raise Failure(f"no such file to put into the guest: {host}")
    if host.is_dir():
        for child in sorted(host.iterdir()):
            add_tree(archive, child, f"{guest}/{child.name}")
    else:
        archive.add_file(guest, host)
