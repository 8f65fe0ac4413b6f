# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What the tests share: what they need, and processes."""

import multiprocessing
import os
import signal
import unittest
from pathlib import Path

import goheap
from goheap._library import LibraryError, library

PACKAGE = Path(goheap.__file__).resolve().parent
DEVICE = "/dev/goheap"

# Like their parents but for what they do: nothing of a test has to be told to them.
fork = multiprocessing.get_context("fork")


def need_library():
    """Skip what cannot run without the library."""
    try:
        return library()
    except LibraryError as error:
        raise unittest.SkipTest(str(error)) from None


class ProcessTest(unittest.TestCase):
    """A test with children."""

    def in_child(self, function, *arguments):
        """What a function returns in a child, or the exception that it raises there."""
        here, there = fork.Pipe(duplex=False)
        child = fork.Process(target=_send_result, args=(there, function, arguments))
        child.start()
        there.close()
        try:
            result = here.recv()
        finally:
            child.join()
            here.close()
        self.assertEqual(child.exitcode, 0)
        if isinstance(result, Exception):
            raise result
        return result

    def kill_after(self, count, function):
        """
        Run function(confirm) in a child, which confirms steps by calling that, and kill it when
        it has confirmed so many, wherever it is by then. Returns how many it has confirmed.
        """
        here, there = os.pipe()
        child = fork.Process(target=_confirm_steps, args=(here, there, function))
        child.start()
        os.close(there)
        confirmed = 0
        with open(here, "rb", buffering=0) as steps:
            while confirmed < count:
                step = steps.read(1)
                self.assertTrue(step, "the child has ended")
                confirmed += 1
            child.kill()
            confirmed += len(steps.read())
        child.join()
        self.assertEqual(child.exitcode, -signal.SIGKILL)
        child.close()
        return confirmed


class PrivateTest(ProcessTest):
    """A test with a private heap, which every machine has."""

    @classmethod
    def setUpClass(cls):
        need_library()

    def setUp(self):
        self.heap = goheap.Heap(private=True)


class SharedTest(ProcessTest):
    """A test with a heap of its own, for which there must be a device."""
    functions = ()

    @classmethod
    def setUpClass(cls):
        lib = need_library()
        if not os.path.exists(DEVICE):
            raise unittest.SkipTest(f"no {DEVICE}")
        for name in cls.functions:
            if not lib.has(name):
                raise unittest.SkipTest(f"the library has no {name}()")

    def setUp(self):
        self.heap = goheap.Heap()


def _send_result(there, function, arguments):
    try:
        there.send(function(*arguments))
    except Exception as error:
        there.send(error)


def _confirm_steps(here, there, function):
    os.close(here)
    function(lambda: os.write(there, b"."))
