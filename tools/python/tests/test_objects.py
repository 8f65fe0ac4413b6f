# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Objects of a private heap: what they hold, and what cannot crash the interpreter."""

import contextlib
import errno
import gc
import sys
import threading
import weakref

import goheap
from goheap import _handle
from goheap._handle import Handle
from tests.support import PrivateTest


class Content(PrivateTest):
    def test_new(self):
        """new() copies what it is given"""
        for data in (b"", b"a", b"hello", bytearray(b"array"), memoryview(b"view")[1:],
                     bytes(range(256)) * 500):
            made = self.heap.new(data)
            self.assertEqual(bytes(made), bytes(data))
            self.assertEqual(len(made), len(data))

    def test_alloc(self):
        """alloc() gives zeroes, also where an object was before"""
        for size in (0, 1, 8, 100, 5000, 100000, 3 << 20):
            self.heap.new(b"\xff" * size).free()
            self.assertEqual(bytes(self.heap.alloc(size)), bytes(size))

    def test_bad_size(self):
        """Sizes that cannot be are errors"""
        with self.assertRaises(ValueError):
            self.heap.alloc(-1)
        with self.assertRaises(OSError) as caught:
            self.heap.alloc(1 << 62)
        self.assertEqual(caught.exception.errno, errno.ENOMEM)

    def test_read_write(self):
        """read() and write() stay within the object"""
        made = self.heap.alloc(10)
        made.write(b"abc", at=7)
        self.assertEqual(made.read(), b"\0" * 7 + b"abc")
        self.assertEqual(made.read(2, at=7), b"ab")
        self.assertEqual(made.read(100, at=8), b"bc")
        self.assertEqual(made.read(at=100), b"")
        for at in (8, 11, -1):
            with self.assertRaises(ValueError):
                made.write(b"abc", at=at)
        with self.assertRaises(ValueError):
            made.read(at=-1)
        self.assertEqual(made.read(3, at=7), b"abc")

    def test_memory(self):
        """memory() is the object itself"""
        made = self.heap.alloc(10)
        with made.memory() as one, made.memory() as other:
            self.assertEqual((one.nbytes, one.format), (10, "B"))
            one[3] = 7
            self.assertEqual(other[3], 7)
            with self.assertRaises(IndexError):
                one[10]

    def test_deref(self):
        """A ref leads to the same object"""
        made = self.heap.new(b"found")
        self.assertIs(self.heap.deref(made.ref), made)
        ref = made.ref
        del made
        self.assertEqual(self.heap.deref(ref).read(5), b"found")

    def test_bad_ref(self):
        """A ref to no object is an error"""
        made = self.heap.new(b"x" * 64)
        for ref in (0, made.ref + 1, made.ref + (1 << 30), 1 << 62, (1 << 64) - 1):
            with self.assertRaises(FileNotFoundError):
                self.heap.deref(ref)


class Lifetime(PrivateTest):
    def test_free(self):
        """A freed object is not used"""
        made = self.heap.new(b"x")
        made.free()
        for use in (made.free, made.memory, made.read, made.give, lambda: made.ref,
                    lambda: made.write(b"")):
            with self.assertRaisesRegex(ValueError, "freed"):
                use()
        self.assertIn("freed", repr(made))

    def test_free_viewed(self):
        """An object that is viewed is not freed, and can be later"""
        made = self.heap.new(b"abc")
        memory = made.memory()
        part = memory[1:]
        memory.release()
        with self.assertRaises(BufferError):
            made.free()
        self.assertEqual(bytes(part), b"bc")
        part.release()
        made.free()

    def test_free_viewed_by_another(self):
        """An object that is viewed is not freed through another Object"""
        made = self.heap.new(b"abc")
        ref, memory = made.ref, made.memory()
        del made
        with self.assertRaises(BufferError):
            self.heap.deref(ref).free()
        self.assertEqual(bytes(memory), b"abc")

    def test_free_twice_in_c(self):
        """What the library calls a bad free is an exception, not the end"""
        made = self.heap.new(b"abc")
        made.free()
        made._is_freed = False
        with self.assertRaises(OSError) as caught:
            made.free()
        self.assertEqual(caught.exception.errno, errno.ENOENT)

    def test_bad_free_elsewhere(self):
        """What is found out in another call is shown"""
        made = self.heap.new(b"abc")
        made.free()
        handle = self.heap._handle
        shown = []
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = lambda what: shown.append(what.exc_value.errno)
        handle.library.goheap_free(handle.pointer, made._address)
        self.assertEqual(shown, [errno.ENOENT])

    def test_reused_address(self):
        """An object at the address of one that is gone is another one"""
        old = self.heap.new(b"old")
        address = old._address
        handle = self.heap._handle
        handle.library.goheap_free(handle.pointer, address)
        new = self.heap.new(b"new")
        self.assertEqual(new._address, address)
        with self.assertRaises(ValueError):
            old.read()
        self.assertEqual(bytes(new), b"new")


class SlowLibrary:
    """In the place of the library: a call that takes long, and what is done when."""

    def __init__(self):
        self.events = []
        self.inside, self.may_go = threading.Event(), threading.Event()

    def goheap_fd(self, _):
        return -1

    def goheap_trim(self, _):
        self.inside.set()
        self.may_go.wait()
        self.events.append("returned")
        return 0

    def goheap_close(self, _):
        self.events.append("closed")


class Closing(PrivateTest):
    def test_closed(self):
        """A closed heap is not used"""
        made = self.heap.new(b"x")
        with self.heap as entered:
            self.assertIs(entered, self.heap)
        self.heap.close()
        self.assertTrue(self.heap.closed)
        for use in (made.free, made.memory, made.read, made.give, self.heap.usage, self.heap.trim,
                    self.heap.fileno, self.heap.view, lambda: self.heap.alloc(1), lambda: made.ref,
                    lambda: self.heap.deref(1), lambda: self.heap.root_get(0),
                    self.heap.__enter__):
            with self.assertRaisesRegex(ValueError, "closed"):
                use()

    def test_close_viewed(self):
        """A heap with memoryviews is not closed, and can be later"""
        memory = self.heap.new(b"abc").memory()
        with self.assertRaises(BufferError):
            self.heap.close()
        self.assertEqual(bytes(memory), b"abc")
        memory.release()
        self.heap.close()

    def test_drop_viewed(self):
        """A heap that is forgotten stays for a memoryview, and no longer"""
        handle = weakref.ref(self.heap._handle)
        memory = self.heap.new(b"abc").memory()
        part = memory[1:]
        self.heap = None
        gc.collect()
        memory.release()
        self.assertEqual(bytes(part), b"bc")
        self.assertIsNotNone(handle())
        part.release()
        gc.collect()
        self.assertIsNone(handle())

    def test_many(self):
        """Heaps that are closed, or forgotten, make room for others"""
        for i in range(100):
            heap = goheap.Heap(private=True)
            heap.new(b"x")
            if i % 2:
                heap.close()
            del heap
            gc.collect()

    def test_too_many(self):
        """A heap too many is an error"""
        with contextlib.ExitStack() as heaps, self.assertRaises(OSError) as caught:
            for _ in range(100):
                heaps.enter_context(goheap.Heap(private=True))
        self.assertEqual(caught.exception.errno, errno.EMFILE)

    def test_close_in_call(self):
        """A heap is left when the threads in its calls have come back"""
        lib = SlowLibrary()
        heap = goheap.Heap._of(Handle(lib, 1))
        thread = threading.Thread(target=heap.trim)
        thread.start()
        lib.inside.wait()
        heap.close()
        self.assertEqual(lib.events, [])
        lib.may_go.set()
        thread.join()
        gc.collect()
        self.assertEqual(lib.events, ["returned", "closed"])


class Errors(PrivateTest):
    def test_no_heap(self):
        """What is no heap is not opened"""
        for path, wanted in (("/no/such/file", errno.ENOENT), ("/dev/null", errno.EPROTO)):
            with self.assertRaises(OSError) as caught:
                goheap.Heap(path)
            self.assertEqual(caught.exception.errno, wanted)
        with self.assertRaises(OSError) as caught:
            goheap.Heap("/dev/null", private=True)
        self.assertEqual(caught.exception.errno, errno.EINVAL)
        with self.assertRaises(OSError) as caught:
            goheap.Heap.from_fd(-1)
        self.assertEqual(caught.exception.errno, errno.EBADF)

    def test_private(self):
        """What a private heap does not have is an error"""
        made = self.heap.new(b"x")
        for use in (self.heap.fileno, self.heap.view, made.give, lambda: self.heap.root_get(0),
                    lambda: self.heap.root_cas(0, 0, 1), lambda: self.heap.session,
                    lambda: self.heap.lookup("x"), lambda: self.heap.bind("x", made)):
            with self.assertRaises(OSError) as caught:
                use()
            self.assertEqual(caught.exception.errno, errno.EOPNOTSUPP)

    def test_other_heap(self):
        """An object of another heap gets no name"""
        with goheap.Heap(private=True) as other, self.assertRaises(ValueError):
            self.heap.bind("x", other.new(b"x"))

    def test_null_character(self):
        """A name is not cut off at a null character"""
        with self.assertRaises(ValueError):
            self.heap.lookup("a\0b")


class Threads(PrivateTest):
    def test_threads(self):
        """Threads allocate and free at the same time"""
        wrong = []

        def work(mark):
            for i in range(300):
                made = self.heap.new(bytes([mark]) * (i + 1))
                if bytes(made) != bytes([mark]) * (i + 1):
                    wrong.append(mark)
                made.free()

        threads = [threading.Thread(target=work, args=(mark,)) for mark in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_free_at_once(self):
        """Of threads that free an object, one does"""
        for _ in range(100):
            made = self.heap.new(b"x")
            outcomes = []
            start = threading.Barrier(4)

            def free():
                start.wait()
                try:
                    made.free()
                    outcomes.append("freed")
                except ValueError:
                    outcomes.append("late")

            threads = [threading.Thread(target=free) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(outcomes), ["freed", "late", "late", "late"])


class Fork(PrivateTest):
    def test_fork(self):
        """A child has a copy of a private heap"""
        made = self.heap.new(b"parent")

        def child():
            before = bytes(made)
            made.write(b"child!")
            after = bytes(made) + bytes(self.heap.new(b"more"))
            made.free()
            return before, after

        self.assertEqual(self.in_child(child), (b"parent", b"child!more"))
        self.assertEqual(bytes(made), b"parent")
        made.free()

    def test_fork_with_lock(self):
        """A child does not wait for what another thread of its parent had locked"""
        taken, done = threading.Event(), threading.Event()

        def hold():
            with _handle.locked():
                taken.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        taken.wait()
        self.assertEqual(self.in_child(lambda: bytes(self.heap.new(b"x"))), b"x")
        done.set()
        thread.join()
