# SPDX-License-Identifier: GPL-2.0-only
"""
Debian packages of any suite, without touching the machine's own sources.

The mirror's address and keyring come from apt's configuration; the lists, the
cache and the sources of the suites asked for are private to our cache.
"""

import shutil
import subprocess

from .util import Failure, cache_dir, fresh_dir, run, say

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def os_release():
    fields = {}
    try:
        with open("/etc/os-release") as f:
            for line in f:
                key, _, value = line.strip().partition("=")
                fields[key] = value.strip('"')
    except OSError:
        pass
    return fields


def host_suite():
    """The codename of the machine's Debian; anything else cannot be served."""
    release = os_release()
    if release.get("ID") != "debian" or not shutil.which("apt-get"):
        raise Failure("kernels are fetched as Debian packages, and this is not Debian ("
                      + release.get("PRETTY_NAME", "unknown system") + ")")
    return release.get("VERSION_CODENAME", "sid")


def mirrors():
    """(main, security) archive addresses, from apt's own sources."""
    suite = host_suite()
    targets = run(["apt-get", "indextargets", "--format",
                   "$(CREATED_BY)|$(SITE)|$(RELEASE)"])
    main = security = None
    for line in targets.splitlines():
        created_by, site, release = line.split("|", 2)
        if created_by != "Packages":
            continue
        if release == suite or release == "stable":
            main = main or site
        elif release.endswith("-security"):
            security = security or site
    if not main:
        raise Failure(f"apt knows no mirror for {suite}; add one to its sources")
    return main, security


def source_line(suite):
    main, security = mirrors()
    site = main
    if suite.endswith("-security"):
        # A machine without the security archive in its sources still has it
        # beside the main one on every full mirror.
        site = security or main.rstrip("/") + "-security"
    return f"deb [signed-by={KEYRING}] {site} {suite} main\n"


class Suite:
    """One suite with package lists of its own under the cache."""

    def __init__(self, name):
        self.name = name
        self.dir = cache_dir() / "apt" / name
        self.updated = False

    def options(self):
        private = {
            "Dir::State": self.dir / "state",
            "Dir::State::lists": self.dir / "state/lists",
            "Dir::State::status": self.dir / "state/status",
            "Dir::Cache": self.dir / "cache",
            "Dir::Cache::pkgcache": "pkgcache.bin",
            "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
            "Dir::Etc::sourcelist": self.dir / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "APT::Sandbox::User": "root",
            "APT::Default-Release": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        return [arg for key, value in private.items() for arg in ("-o", f"{key}={value}")]

    def update(self):
        if self.updated:
            return
        for sub in ("state/lists/partial", "cache/archives/partial"):
            (self.dir / sub).mkdir(parents=True, exist_ok=True)
        (self.dir / "state/status").touch()
        (self.dir / "sources.list").write_text(source_line(self.name))
        say(f"reading the package lists of {self.name}")
        run(["apt-get", *self.options(), "-q", "update"])
        self.updated = True

    def candidate(self, package):
        """The version of the package in this suite, or None."""
        try:
            self.update()
        except Failure as failure:
            say(f"suite {self.name} is not available: {str(failure).splitlines()[-1]}")
            return None
        done = subprocess.run(["apt-cache", *self.options(), "show", "--no-all-versions", package],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in done.stdout.splitlines():
            if line.startswith("Version: "):
                return line.split()[1]
        return None

    def depends(self, package):
        """Names of the packages that this one depends on directly."""
        out = run(["apt-cache", *self.options(), "depends", "--no-recommends", "--no-suggests",
                   "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", package])
        return [line.split()[-1] for line in out.splitlines() if "Depends:" in line]

    def download(self, packages, into):
        into = fresh_dir(into)
        say(f"downloading {' '.join(packages)} from {self.name}")
        run(["apt-get", *self.options(), "-q", "download", *packages], cwd=into)
        return sorted(into.glob("*.deb"))


def find(package, suites):
    """The first suite that has the package, and its version there."""
    for name in suites:
        suite = Suite(name)
        version = suite.candidate(package)
        if version:
            return suite, version
    raise Failure(f"package {package} is in none of: {' '.join(suites)}")


def unpack(debs, into):
    for deb in debs:
        run(["dpkg-deb", "-x", deb, into])
