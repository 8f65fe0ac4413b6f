# SPDX-License-Identifier: GPL-2.0-only
"""
Programs of Debian packages: fetched, unpacked in the cache, never installed.

A guest gets the files that it is to run, and the libraries that they name; who runs
programs on the machine itself gets a root directory for chroot().
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import debs
from .util import Failure, cache_dir, fresh_dir, locked, run, say

LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib", "lib")
LOADER = "/lib64/ld-linux-x86-64.so.2"
# What packages have in /bin and /lib goes to where these are links to.
UNPACK = 'dpkg-deb --fsys-tarfile "$1" | tar -x -p --keep-directory-symlink -C "$2"'


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


def system(packages):
    """
    A root directory with the packages and all that they depend on, for chroot(). What
    their maintainer scripts would do is not done.
    """
    suite = debs.Suite(debs.host_suite())
    name = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    into = cache_dir() / "programs" / f"{suite.name}-system-{name}"
    with locked("programs"):
        if not (into / "etc/goheap-complete").exists():
            suite.update()
            archives = fresh_dir(f"{into}.debs")
            (archives / "partial").mkdir()
            say(f"downloading {len(packages)} packages and what they need")
            run(["apt-get", *suite.options(), "-o", f"Dir::Cache::Archives={archives}", "-qq",
                 "-y", "--no-install-recommends", "--download-only", "install", *packages])
            fresh_dir(into)
            for sub in ("bin", "sbin", "lib", "lib64"):
                (into / "usr" / sub).mkdir(parents=True)
                (into / sub).symlink_to(f"usr/{sub}")
            for deb in sorted(archives.glob("*.deb")):
                run(["bash", "-o", "pipefail", "-c", UNPACK, "unpack", deb, into])
            (into / "etc/goheap-complete").touch()
            shutil.rmtree(archives)
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
