# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Heaps that processes share: what each finds of the other, and what outlives it."""

import errno
import gc
import os
import socket
import unittest

import goheap
from tests.support import SharedTest

# Where the file system goheap is mounted, if it is.
NAMES = os.environ.get("GOHEAP_TEST_NAMES")


class Objects(SharedTest):
    def test_child_sees(self):
        """A child reads and writes its parent's object"""
        made = self.heap.new(b"parent")

        def child():
            seen = bytes(made)
            made.write(b"child!")
            return seen

        self.assertEqual(self.in_child(child), b"parent")
        self.assertEqual(bytes(made), b"child!")

    def test_not_owner(self):
        """A child cannot free its parent's object, and lives on"""
        made = self.heap.new(b"x")
        # What it has of its own is in the same heap.
        self.assertNotEqual(self.in_child(lambda: self.heap.session), self.heap.session)
        with self.assertRaises(PermissionError):
            self.in_child(made.free)
        self.assertEqual(bytes(made), b"x")
        made.free()

    def test_given(self):
        """An object that was given is found by its ref, and may be freed by another"""
        def child():
            made = self.heap.new(b"left behind")
            made.give()
            return made.ref

        found = self.heap.deref(self.in_child(child))
        self.assertEqual(found.read(11), b"left behind")
        given = self.heap.usage().given
        found.free()
        self.heap.trim()
        self.assertEqual(self.heap.usage().given, given - 1)

    def test_not_given(self):
        """An object that was not given is gone with its process"""
        ref = self.in_child(lambda: self.heap.new(b"x" * 100000).ref)
        with self.assertRaises(FileNotFoundError):
            self.heap.deref(ref)

    def test_gone(self):
        """Memory of an object that another process has freed is not shown"""
        made = self.heap.new(b"x" * 100000)
        made.give()
        self.in_child(lambda: self.heap.deref(made.ref).free() or self.heap.trim())
        with self.assertRaises(FileNotFoundError):
            made.read()

    def test_roots(self):
        """Root slots are exchanged by one, and read by another"""
        self.assertEqual(self.heap.root_get(3), 0)
        self.assertEqual(self.in_child(lambda: self.heap.root_cas(3, 0, 1 << 63)), (True, 0))
        self.assertEqual(self.heap.root_get(3), 1 << 63)
        self.assertEqual(self.heap.root_cas(3, 0, 5), (False, 1 << 63))
        with self.assertRaises(OSError) as caught:
            self.heap.root_get(1000)
        self.assertEqual(caught.exception.errno, errno.EINVAL)

    def test_usage(self):
        """usage() counts sessions"""
        self.assertEqual(self.heap.usage().session, self.heap.session)
        self.assertEqual(self.in_child(self.heap.usage).sessions, 2)
        self.assertEqual(self.heap.usage().sessions, 1)
        self.assertEqual(self.heap.usage().deaths, 1)

    def test_closed_in_child(self):
        """A child that closes the heap leaves its parent's alone"""
        made = self.heap.new(b"x")
        self.in_child(self.heap.close)
        self.assertEqual(bytes(made), b"x")
        made.free()


class Bound(SharedTest):
    functions = ("goheap_bind", "goheap_lookup", "goheap_unbind")

    def test_names(self):
        """A name is given once, and found by others"""
        made = self.heap.new(b"named")
        self.heap.bind("first", made)
        self.assertEqual(self.in_child(lambda: self.heap.lookup("first").read(5)), b"named")
        self.assertIs(self.heap.lookup("first"), made)
        other = self.heap.new(b"other")
        with self.assertRaises(FileExistsError):
            self.heap.bind("first", other)
        with self.assertRaises(FileNotFoundError):
            self.heap.lookup("second")
        other.free()

    def test_unbind(self):
        """An object without its name is held, and freed, by who took that"""
        self.in_child(lambda: self.heap.bind("last", self.heap.new(b"x")))
        self.heap.unbind("last").free()
        for use in (self.heap.unbind, self.heap.lookup):
            with self.assertRaises(FileNotFoundError):
                use("last")

    def test_bad_names(self):
        """Names that cannot be are errors"""
        made = self.heap.new(b"x")
        for name in ("", "n" * 48):
            with self.assertRaises(OSError) as caught:
                self.heap.bind(name, made)
            self.assertEqual(caught.exception.errno, errno.EINVAL)


class Passing(SharedTest):
    def setUp(self):
        super().setUp()
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)

    def test_from_fd(self):
        """from_fd() is the same heap"""
        made = self.heap.new(b"same")
        with goheap.Heap.from_fd(self.heap.fileno()) as other:
            self.assertEqual(other.deref(made.ref).read(4), b"same")

    def test_send(self):
        """A heap that is sent is the same"""
        made = self.heap.new(b"sent")
        ref = made.ref

        def child():
            with goheap.Heap.receive(self.theirs) as heap:
                return heap.deref(ref).read(4)

        self.heap.send(self.ours)
        self.assertEqual(self.in_child(child), b"sent")

    def test_receive_nothing(self):
        """What is no heap, or nothing, is not received"""
        self.theirs.settimeout(0)
        with self.assertRaises(BlockingIOError):
            goheap.Heap.receive(self.theirs)
        self.theirs.settimeout(0.01)
        with self.assertRaises(TimeoutError):
            goheap.Heap.receive(self.theirs)
        self.theirs.settimeout(None)
        self.ours.send(b"x")
        with self.assertRaises(OSError) as caught:
            goheap.Heap.receive(self.theirs)
        self.assertEqual(caught.exception.errno, errno.EPROTO)
        self.ours.close()
        with self.assertRaises(BrokenPipeError):
            goheap.Heap.receive(self.theirs)

    def test_read_only(self):
        """Who can only read gets memory that cannot be written to"""
        made = self.heap.new(b"read me")
        fd = self.heap.view(read_only=True)
        with goheap.Heap.from_fd(fd) as heap:
            found = heap.deref(made.ref)
            self.assertEqual(found.read(7), b"read me")
            with found.memory() as memory:
                self.assertTrue(memory.readonly)
                with self.assertRaises(TypeError):
                    memory[0] = 0
            with self.assertRaises(PermissionError):
                found.write(b"x")
            with self.assertRaises(PermissionError):
                heap.alloc(1)
        os.close(fd)

    def test_no_attach(self):
        """Who must not allocate does not"""
        made = self.heap.new(b"write me")
        fd = self.heap.view(attach=False)
        with goheap.Heap.from_fd(fd) as heap:
            heap.deref(made.ref).write(b"written ")
            with self.assertRaises(PermissionError):
                heap.alloc(1)
        os.close(fd)
        self.assertEqual(bytes(made), b"written ")

    def test_quota(self):
        """A quota bounds what holders of a view have"""
        fd = self.heap.view(quota=1 << 20)
        with goheap.Heap.from_fd(fd) as heap:
            heap.alloc(1 << 18)
            with self.assertRaises(OSError) as caught:
                heap.alloc(2 << 20)
            self.assertEqual(caught.exception.errno, errno.ENOMEM)
        os.close(fd)

    def test_forgotten(self):
        """A session ends when its heap is forgotten"""
        other = goheap.Heap.from_fd(self.heap.fileno())
        other.new(b"x")
        self.assertEqual(self.heap.usage().sessions, 2)
        del other
        gc.collect()
        self.assertEqual(self.heap.usage().sessions, 1)


@unittest.skipUnless(NAMES, "the file system goheap is not mounted")
class Files(SharedTest):
    def test_create(self):
        """A heap with a name is made once, and stays"""
        path = os.path.join(NAMES, "python")
        with self.assertRaises(FileNotFoundError):
            goheap.Heap(path)
        with goheap.Heap(path, create=True) as heap:
            made = heap.new(b"stays")
            made.give()
            heap.root_cas(0, 0, made.ref)
        with goheap.Heap(os.fsencode(path), create=True) as heap:
            self.assertEqual(heap.deref(heap.root_get(0)).read(5), b"stays")
        os.unlink(path)

    def test_fixed(self):
        """A heap is opened where all have it"""
        path = os.path.join(NAMES, "fixed")
        with goheap.Heap(path, create=True, fixed=True) as heap:
            made = heap.new(b"x")

            def child():
                return heap.deref(made.ref)._address

            self.assertEqual(self.in_child(child), made._address)
        os.unlink(path)
