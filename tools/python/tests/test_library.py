# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Loading the library, and what is said of it."""

import contextlib
import ctypes
import io
import os
import re
import unittest

import goheap
from goheap import _library
from goheap.__main__ import main
from tests.support import DEVICE, PACKAGE, need_library

TREE = PACKAGE.parents[2]
CONF = TREE / "dkms.conf"
HEADER = TREE / "include/uapi/linux/goheap.h"


class Loading(unittest.TestCase):
    def test_not_there(self):
        """A library that is not there is a clear error"""
        with self.assertRaisesRegex(goheap.LibraryError, "no-such-goheap.*GOHEAP_LIBRARY"):
            _library.Library("no-such-goheap.so")

    def test_another(self):
        """A library that is another one is a clear error"""
        with self.assertRaisesRegex(goheap.LibraryError, r"has no goheap_open\(\)"):
            _library.Library("libc.so.6")

    def test_older(self):
        """A function that the library does not have is named, and so is the library"""
        lib = need_library()
        _library._OPTIONAL["goheap_of_the_future"] = (None,)
        self.addCleanup(_library._OPTIONAL.pop, "goheap_of_the_future")
        self.assertFalse(lib.has("goheap_of_the_future"))
        with self.assertRaisesRegex(NotImplementedError, r"goheap.* no goheap_of_the_future\(\)"):
            lib.need("goheap_of_the_future")

    def test_unknown(self):
        """A function that nobody has declared is not called"""
        with self.assertRaises(AttributeError):
            need_library().goheap_never_declared

    @unittest.skipUnless(HEADER.exists(), "this is not the tree")
    def test_usage(self):
        """Fields of usage() are those of C"""
        struct = re.search(r"struct goheap_usage \{(.*?)\}", HEADER.read_text(), re.S)[1]
        bits = {"__u32": ctypes.c_uint32, "__u64": ctypes.c_uint64}
        in_c = [(name, bits[kind]) for kind, name in re.findall(r"(\w+) (\w+);", struct)]
        self.assertEqual(_library.RawUsage._fields_[:-1], in_c)
        self.assertEqual(list(goheap.Usage._fields), [name for name, _ in in_c[1:]])

    def test_usage_of_newer(self):
        """A library that knows more of usage() writes over nothing"""
        lib = need_library()
        raw = _library.RawUsage()
        with goheap.Heap(private=True) as heap:
            lib.goheap_usage(heap._handle.pointer, ctypes.byref(raw))
        known = _library.RawUsage.room.offset
        self.assertLessEqual(raw.size, known)
        self.assertGreater(ctypes.sizeof(raw), 2 * known)


class Main(unittest.TestCase):
    """python3 -m goheap"""

    def run_main(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = main()
        return status, said.getvalue()

    def test_with_library(self):
        """python3 -m goheap shows version, library and device"""
        need_library()
        status, said = self.run_main()
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"^goheap \S+\nlibrary: \S+\ndevice: /dev/goheap .*\n$")
        self.assertEqual(said.endswith(" is there\n"), os.path.exists(DEVICE))

    def test_without_library(self):
        """python3 -m goheap says that there is no library"""
        self.addCleanup(setattr, _library, "_loaded", _library._loaded)
        _library._loaded = None
        before = os.environ.get("GOHEAP_LIBRARY")
        self.addCleanup(os.environ.update, {"GOHEAP_LIBRARY": before} if before else {})
        self.addCleanup(os.environ.pop, "GOHEAP_LIBRARY")
        os.environ["GOHEAP_LIBRARY"] = "/no/such/library"
        status, said = self.run_main()
        self.assertEqual(status, 1, said)
        self.assertIn("library: /no/such/library cannot be loaded", said)

    @unittest.skipUnless(CONF.exists(), "this is not the tree")
    def test_version(self):
        """The version is that of dkms.conf"""
        wanted = re.search(r'PACKAGE_VERSION="(.*)"', CONF.read_text())[1]
        self.assertEqual(goheap.__version__, wanted)
