# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""pip, from the tree. Nothing is written there: it works on a copy."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from importlib import metadata
from pathlib import Path

from tests.support import PACKAGE

TREE = PACKAGE.parents[2]


def has_wheel():
    """Whether this python3 can make wheels: setuptools from 70.1 on needs no help."""
    try:
        known = metadata.version("setuptools")
    except metadata.PackageNotFoundError:
        return False
    return (bool(importlib.util.find_spec("wheel")) or
            tuple(int(n) for n in re.findall(r"\d+", known)[:2]) >= (70, 1))


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (TREE / "dkms.conf").exists() or not (TREE / "tools/python/pyproject.toml").exists():
            raise unittest.SkipTest("this is not the tree")
        if not importlib.util.find_spec("pip") or not has_wheel():
            raise unittest.SkipTest("no pip, setuptools and wheel")

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)
        self.tree = self.dir / "tree"
        shutil.copytree(TREE / "tools/python", self.tree / "tools/python",
                        ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
        shutil.copy(TREE / "dkms.conf", self.tree)

    def run_python(self, *arguments, **env):
        env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONPATH": "", **env}
        done = subprocess.run([sys.executable, *map(str, arguments)], cwd=self.dir, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def pip(self, *arguments):
        return self.run_python("-m", "pip", *arguments, "--no-build-isolation", "--no-index",
                               "--no-deps", self.tree / "tools/python")

    def test_install(self):
        """pip installs the package with its types, licence and the tree's version"""
        site = self.dir / "site"
        conf = self.tree / "dkms.conf"
        # Nothing but dkms.conf says which version it is.
        conf.write_text(re.sub(r'(?m)^PACKAGE_VERSION=.*', 'PACKAGE_VERSION="7.8.9"',
                               conf.read_text()))
        self.pip("install", "--target", site)
        there = {path.name for path in (site / "goheap").iterdir()}
        here = {path.name for path in PACKAGE.iterdir()}
        self.assertEqual(there - {"__pycache__"}, here - {"__pycache__"})
        self.assertIn("py.typed", there)
        said = self.run_python("-c", "import goheap; print(goheap.__version__, goheap.__file__)",
                               PYTHONPATH=str(site))
        self.assertEqual(said.split(), ["7.8.9", str(site / "goheap/__init__.py")])
        found, = site.glob("goheap-*.dist-info")
        self.assertTrue(list(found.rglob("COPYING")))
        self.assertIn("GPL-2.0-only OR MIT", (found / "METADATA").read_text())
        self.assertNotIn("Requires-Dist", (found / "METADATA").read_text())

    def test_wheel(self):
        """The wheel is for every machine, and has no tests"""
        self.pip("wheel", "--wheel-dir", self.dir / "wheels")
        wheel, = (self.dir / "wheels").iterdir()
        self.assertRegex(wheel.name, r"^goheap-[\d.]+-py3-none-any\.whl$")
        names = self.run_python("-m", "zipfile", "-l", wheel)
        self.assertIn("goheap/_heap.py", names)
        self.assertNotIn("tests/", names)

    def test_outside(self):
        """Without dkms.conf, it says what is missing"""
        (self.tree / "dkms.conf").unlink()
        with self.assertRaisesRegex(AssertionError, r"no \.\./\.\./dkms\.conf"):
            self.pip("wheel", "--wheel-dir", self.dir / "wheels")
