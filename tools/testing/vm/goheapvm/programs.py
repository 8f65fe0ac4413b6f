# SPDX-License-Identifier: GPL-2.0-only
"""
Programs of Debian packages for guests: fetched, unpacked in the cache, never installed.

A guest gets the files that it is to run, and the libraries that they name.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import debs
from .util import Failure, cache_dir, locked, run

LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib", "lib")
LOADER = "/lib64/ld-linux-x86-64.so.2"


def tree(packages):
    """A directory with the packages unpacked, none of what they depend on."""
    name = debs.host_suite() + "-" + "-".join(packages)
    into = cache_dir() / "programs" / re.sub(r"[^\w.+-]", "_", name)[:200]
    with locked("programs"):
        if not (into / "complete").exists():
            shutil.rmtree(into, ignore_errors=True)
            suite = debs.Suite(debs.host_suite())
            suite.update()
            debs.unpack(suite.download(packages, f"{into}.debs"), into)
            (into / "complete").touch()
            shutil.rmtree(f"{into}.debs")
    return into


def libraries(paths, root=None):
    """
    (host path, guest path) of the loader and of all libraries that the files need:
    those of an unpacked tree before those of the machine.
    """
    env = dict(os.environ)
    if root:
        env["LD_LIBRARY_PATH"] = ":".join(str(root / sub) for sub in LIBRARIES)
    found = {LOADER: LOADER}
    for path in paths:
        done = subprocess.run(["ldd", str(path)], env=env, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in done.stdout.splitlines():
            missing = re.match(r"\s*(\S+) => not found", line)
            if missing:
                raise Failure(f"{path} needs {missing[1]}, which is not there")
            library = re.match(r"\s*(\S+) => (/\S+)", line)
            if library:
                found[f"/lib/x86_64-linux-gnu/{library[1]}"] = library[2]
    return [(Path(host), guest) for guest, host in found.items()]


def compile_c(source, program, *options):
    """A program of ours, linked with libraries as others are."""
    program.parent.mkdir(parents=True, exist_ok=True)
    run(["gcc", "-O2", "-Wall", "-pthread", *options, "-o", program, source])
    return program


def libgoheap(repo, out):
    """The library of which programs get their malloc() by LD_PRELOAD."""
    run(["make", "-s", "-C", Path(repo) / "tools/lib/goheap", f"O={out}"])
    return out / "libgoheap-malloc.so"
