# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""
Pack this python3 for a guest, which has none: pack.py LIBGOHEAP DIRECTORY.

The directory is a PYTHONHOME. It gets the modules that importing the tests loads, compiled and in
an archive; what of them is in C, with the libraries of all and their loader; and the part of the
tree that is about Python, at its places.
"""

import importlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path
from py_compile import compile

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[2]
STDLIB = Path(sysconfig.get_path("stdlib"))
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"

# What is loaded when it is needed.
LATER = ("encodings.ascii", "encodings.latin_1", "encodings.utf_8", "multiprocessing.connection",
         "multiprocessing.popen_fork", "multiprocessing.util", "runpy", "traceback",
         "unittest.loader", "_posixsubprocess")


def load_all():
    """The modules, and those that they load, as files."""
    sys.path.insert(0, str(HERE.parent))
    tests = [f"tests.{path.stem}" for path in sorted(HERE.glob("test_*.py"))]
    for name in (*LATER, *tests, "tests.__main__", "goheap.__main__"):
        importlib.import_module(name)
    return sorted({Path(module.__file__) for module in list(sys.modules.values())
                   if getattr(module, "__file__", None)})


def archive(modules, into):
    """The modules of Python's own library that are written in Python."""
    packed = zipfile.ZIP_DEFLATED if "zlib" in sys.builtin_module_names else zipfile.ZIP_STORED
    with zipfile.ZipFile(into, "w", packed) as out, tempfile.TemporaryDirectory() as holder:
        for path in modules:
            if path.suffix == ".py" and STDLIB in path.parents:
                name = path.relative_to(STDLIB).with_suffix(".pyc")
                compile(str(path), f"{holder}/module.pyc", dfile=str(path), doraise=True)
                out.write(f"{holder}/module.pyc", name)


def needed_libraries(files):
    """The libraries that the files need, and the loader."""
    said = subprocess.run(["ldd", *map(str, files)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return set(re.findall(r"=> (/\S+)", said)) | set(re.findall(r"^\s*(/\S+/ld-\S+) ", said, re.M))


def copy_tree(out):
    """The package and its tests, where the version is found."""
    ignore = shutil.ignore_patterns("__pycache__", "Makefile", "pack.py")
    for part in ("goheap", "tests"):
        shutil.copytree(TREE / "tools/python" / part, out / "tree/tools/python" / part,
                        ignore=ignore)
    shutil.copy(TREE / "dkms.conf", out / "tree")


def main():
    libgoheap, out = Path(sys.argv[1]), Path(sys.argv[2])
    modules = load_all()
    native = out / "lib" / VERSION / "lib-dynload"
    native.mkdir(parents=True)
    archive(modules, out / "lib" / f"{VERSION.replace('.', '')}.zip")

    in_c = {path for path in modules if path.suffix == ".so"}
    for path in in_c:
        shutil.copy(path, native)
    shutil.copy(sys.executable, out / "python3")
    shutil.copy(libgoheap, out)
    for path in needed_libraries({sys.executable, libgoheap, *in_c}):
        shutil.copy(path, out)
    copy_tree(out)


if __name__ == "__main__":
    main()
