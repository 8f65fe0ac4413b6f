# SPDX-License-Identifier: GPL-2.0-only
"""
Kernels by name: fetched or built once, kept in the cache.

The key of a kernel is the version of its Debian package and a hash of its
configuration, so that a change of either makes a new one beside the old one.
A finished kernel carries a stamp file; what has none is resumed or made again.
"""

import hashlib
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from . import debs
from .util import Failure, cache_dir, fresh_dir, jobs, locked, run, run_logged, say

CONFIG_DIR = Path(__file__).resolve().parents[1] / "config"


@dataclass(frozen=True)
class Recipe:
    """How a kernel that is built from a linux-source package is made."""
    version: str
    arch: str
    fragments: tuple


RECIPES = {
    "6.1": Recipe("6.1", "x86_64", ("common", "x86", "6.1")),
    "6.12": Recipe("6.12", "x86_64", ("common", "x86", "distro", "distro-x86", "6.12")),
    "7.2": Recipe("7.2", "x86_64", ("common", "x86", "distro", "distro-x86", "7.2")),
    "6.1-debug": Recipe("6.1", "x86_64", ("common", "x86", "6.1", "debug")),
    "7.2-debug": Recipe("7.2", "x86_64", ("common", "x86", "7.2", "debug")),
    "7.2-rt": Recipe("7.2", "x86_64", ("common", "x86", "7.2", "rt")),
    "7.2-kcsan": Recipe("7.2", "x86_64", ("common", "x86", "7.2", "kcsan")),
    "um": Recipe("7.2", "um", ("common", "um", "distro", "7.2")),
    "um-debug": Recipe("7.2", "um", ("common", "um", "7.2", "um-debug")),
}

NAMES = ("stock", *RECIPES)

# Time limits are written for a machine that emulates the guest and does
# nothing else; kernels with checkers take several times as long.
SLOW = {"um": 3, "7.2-rt": 4, "7.2-kcsan": 8}
SLOW_DEBUG = 5
SLOW_DEFAULT = 2

# Where a linux-source package is found, nearest to the machine's suite first.
SUITES = {
    "6.1": ("bookworm-security", "bookworm"),
    "6.12": ("trixie-security", "trixie", "bookworm-backports"),
    "7.2": ("trixie-backports", "forky", "sid"),
}

# Whose kselftest_harness.h is taken for a kernel that has none.
KSELFTEST_VERSION = "6.1"

# The file that says that a kernel is finished.
STAMP = "goheap-built"

# What a finished kernel consists of, per architecture.
IMAGES = {"x86_64": "arch/x86/boot/bzImage", "um": "linux"}


@dataclass(frozen=True)
class Kernel:
    """A kernel that is ready: image to boot, directory to build modules against."""
    name: str
    arch: str
    image: Path
    kdir: Path
    source: Path
    make_args: tuple = ()

    def describe(self):
        return (f"name={self.name}\narch={self.arch}\nimage={self.image}\n"
                f"kdir={self.kdir}\nsource={self.source}\n")

    def has(self, option):
        config = (self.kdir / ".config").read_text()
        return f"CONFIG_{option}=y" in config or f"CONFIG_{option}=m" in config


def get(name, seconds=math.inf):
    """
    The kernel of that name, made first if the cache does not have it; OutOfTime if its
    build takes longer. The next build goes on where that one was.
    """
    if name == "stock":
        return get_stock()
    if name not in RECIPES:
        raise Failure(f"no kernel is called {name}; there are: {' '.join(NAMES)}")
    with locked(f"kernel-{name}"):
        return get_built(name, RECIPES[name], seconds)


def slow_factor(name):
    """By how much time limits are stretched on a kernel."""
    return SLOW.get(name, SLOW_DEBUG if name.endswith("-debug") else SLOW_DEFAULT)


def is_ready(name):
    """Whether get() has nothing to fetch or build. It does not ask the network."""
    if name == "stock":
        return stock_root() is not None
    recipe = RECIPES[name]
    exact = remembered(f"linux-source-{recipe.version}")
    return bool(exact) and (build_dir(name, recipe, exact) / STAMP).exists()


# ---- source trees -----------------------------------------------------------

def remembered(key):
    """
    The newest version in the cache of something that was fetched before.

    A kernel in the cache is used without asking the network whether there is
    a newer one; `vm update` drops the memory.
    """
    path = cache_dir() / "versions" / key
    return path.read_text().strip() if path.exists() else None


def remember(key, version):
    path = cache_dir() / "versions" / key
    path.parent.mkdir(exist_ok=True)
    path.write_text(version + "\n")


def forget_versions():
    fresh_dir(cache_dir() / "versions")


def source_tree(version):
    """(unpacked source of that series, its exact Debian version)."""
    with locked(f"source-{version}"):
        exact = remembered(f"linux-source-{version}")
        tree = exact and cache_dir() / "src" / f"linux-{exact}"
        if not tree or not tree.exists():
            exact = fetch_source(version)
            tree = cache_dir() / "src" / f"linux-{exact}"
    return tree, exact


def fetch_source(version):
    package = f"linux-source-{version}"
    suite, exact = debs.find(package, SUITES[version])
    tree = cache_dir() / "src" / f"linux-{exact}"
    if not tree.exists():
        scratch = fresh_dir(cache_dir() / "src" / f"tmp-{version}")
        debs.unpack(suite.download([package], scratch / "deb"), scratch)
        say(f"unpacking {package} {exact}")
        run(["tar", "-xJf", scratch / f"usr/src/{package}.tar.xz", "-C", scratch])
        (scratch / package).rename(tree)
        fresh_dir(scratch).rmdir()
    remember(package, exact)
    return exact


def kselftest_dir(kernel):
    """Where kselftest_harness.h is. The headers of a stock kernel come without it."""
    where = Path("tools/testing/selftests")
    if (kernel.source / where).exists():
        return kernel.source / where
    return source_tree(KSELFTEST_VERSION)[0] / where


# ---- configuration ----------------------------------------------------------

def fragments_text(recipe):
    return "".join((CONFIG_DIR / f"{f}.config").read_text() for f in recipe.fragments)


def wanted_options(text):
    """Option -> value ('n' for "is not set"); the last mention counts."""
    wanted = {}
    for line in text.splitlines():
        unset = re.fullmatch(r"# (CONFIG_\w+) is not set", line)
        if unset:
            wanted[unset[1]] = "n"
        elif line.startswith("CONFIG_"):
            option, _, value = line.partition("=")
            wanted[option] = value
    return wanted


def config_hash(text):
    """Comments and order do not make another kernel."""
    options = sorted(wanted_options(text).items())
    return hashlib.sha256(repr(options).encode()).hexdigest()[:12]


def check_config(path, wanted):
    """Kconfig drops what it cannot satisfy without a word: be loud instead."""
    actual = wanted_options(path.read_text())
    wrong = [f"  {option}: wanted {value}, got {actual.get(option, 'n')}"
             for option, value in wanted.items() if actual.get(option, "n") != value]
    if wrong:
        raise Failure(f"{path} is not what the fragments ask for:\n" + "\n".join(wrong))


def configure(recipe, source, build):
    text = fragments_text(recipe)
    fragment = build / "fragments.config"
    fragment.write_text(text)
    env = dict(os.environ, KCONFIG_ALLCONFIG=str(fragment))
    run(["make", "-C", source, f"O={build}", f"ARCH={recipe.arch}", "allnoconfig"], env=env)
    check_config(build / ".config", wanted_options(text))


# ---- building ---------------------------------------------------------------

def build_dir(name, recipe, exact):
    digest = config_hash(fragments_text(recipe))
    return cache_dir() / "kernels" / f"{name}-{exact}-{digest}"


def get_built(name, recipe, seconds):
    source, exact = source_tree(recipe.version)
    build = build_dir(name, recipe, exact)
    kernel = Kernel(name, recipe.arch, build / IMAGES[recipe.arch], build, source,
                    (f"ARCH={recipe.arch}",))
    stamp = build / STAMP
    if not stamp.exists():
        build.mkdir(parents=True, exist_ok=True)
        say(f"building kernel {name} ({exact}); log: {build / 'build.log'}")
        configure(recipe, source, build)
        targets = ["linux", "modules"] if recipe.arch == "um" else ["bzImage", "modules"]
        run_logged(["make", "-C", source, f"O={build}", *kernel.make_args, f"-j{jobs()}", *targets],
                   build / "build.log", f"kernel {name}", seconds)
        stamp.touch()
    return kernel


# ---- the stock kernel -------------------------------------------------------

def get_stock():
    """Debian's cloud kernel of the machine's own suite, with its headers."""
    suite = debs.host_suite()
    with locked("kernel-stock"):
        root = stock_root() or fetch_stock(suite)
    release = next((root / "boot").glob("vmlinuz-*")).name[len("vmlinuz-"):]
    headers = root / "usr/src" / f"linux-headers-{release}"
    common = next((root / "usr/src").glob("linux-headers-*-common"))
    return Kernel("stock", "x86_64", root / "boot" / f"vmlinuz-{release}", headers, common)


def stock_root():
    """Where the stock kernel was unpacked, or None."""
    exact = remembered("stock-" + debs.host_suite())
    root = exact and cache_dir() / "kernels" / f"stock-{exact}"
    return root if root and root.exists() else None


def fetch_stock(suite_name):
    suite, exact = debs.find("linux-image-cloud-amd64",
                             (suite_name + "-security", suite_name + "-updates", suite_name))
    root = cache_dir() / "kernels" / f"stock-{exact}"
    if not root.exists():
        scratch = fresh_dir(cache_dir() / "kernels" / "tmp-stock")
        debs.unpack(suite.download(stock_packages(suite), scratch / "deb"), scratch / "root")
        relocate_headers(scratch / "root", root)
        (scratch / "root").rename(root)
        fresh_dir(scratch).rmdir()
    remember("stock-" + suite_name, exact)
    return root


def stock_packages(suite):
    """The real packages behind the two meta packages, and what the headers need."""
    image = [p for p in suite.depends("linux-image-cloud-amd64") if p.startswith("linux-image-")]
    headers = [p for p in suite.depends("linux-headers-cloud-amd64")
               if p.startswith("linux-headers-")]
    needed = [p for p in suite.depends(headers[0])
              if p.startswith(("linux-headers-", "linux-kbuild-"))]
    return image[:1] + headers[:1] + needed


def relocate_headers(tree, final):
    """The headers name each other by absolute paths; make those paths the cache's."""
    for makefile in (tree / "usr/src").glob("linux-headers-*/Makefile"):
        text = makefile.read_text()
        makefile.write_text(text.replace("/usr/src/linux-", f"{final}/usr/src/linux-"))
