# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Mutex: between processes, of which some die with it."""

import os
import signal

import goheap
from tests.support import SharedTest, fork


class MutexTest(SharedTest):
    functions = ("goheap_mutex_lock", "goheap_bind")

    def setUp(self):
        super().setUp()
        self.mutex = goheap.Mutex(self.heap, "m")

    def die_with_it(self):
        """Have a child die that has the lock; returns its session."""
        def child(there):
            self.mutex.acquire()
            os.write(there, b"%d" % self.heap.session)
            os.kill(os.getpid(), signal.SIGKILL)

        here, there = os.pipe()
        process = fork.Process(target=child, args=(there,))
        process.start()
        process.join()
        os.close(there)
        with open(here, "rb") as pipe:
            return int(pipe.read())

    def test_exclusion(self):
        """Only one process has it"""
        other = goheap.Mutex(self.heap, "m")
        with self.mutex:
            self.assertFalse(self.in_child(lambda: other.acquire(blocking=False)))
            self.assertFalse(self.in_child(lambda: other.acquire(timeout=0.01)))
            with self.assertRaises(PermissionError):
                self.in_child(other.release)
        self.assertTrue(self.in_child(lambda: other.acquire(blocking=False)))
        self.assertTrue(self.mutex.acquire())
        self.mutex.release()

    def test_counter(self):
        """What processes do under it is not lost"""
        counter = self.heap.alloc(8)

        def child(steps):
            for _ in range(steps):
                with self.mutex:
                    count = int.from_bytes(bytes(counter), "little")
                    counter.write((count + 1).to_bytes(8, "little"))

        children = [fork.Process(target=child, args=(200,)) for _ in range(3)]
        for process in children:
            process.start()
        child(200)
        for process in children:
            process.join()
            self.assertEqual(process.exitcode, 0)
        self.assertEqual(int.from_bytes(bytes(counter), "little"), 800)

    def test_died(self):
        """Who gets it from one that died knows, until it says that all is well"""
        self.assertEqual(self.mutex.died, 0)
        session = self.die_with_it()
        with self.mutex:
            self.assertEqual(self.mutex.died, session)
        with self.mutex:
            self.assertEqual(self.mutex.died, session)
            self.mutex.consistent()
            self.assertEqual(self.mutex.died, 0)
        with self.mutex:
            self.assertEqual(self.mutex.died, 0)

    def test_object(self):
        """A lock may be in an object"""
        made = self.heap.alloc(16)
        mutex = goheap.Mutex(self.heap, made)
        with mutex:
            self.assertFalse(self.in_child(lambda: mutex.acquire(blocking=False)))
        made.free()
        with self.assertRaisesRegex(ValueError, "freed"):
            mutex.acquire()
        with self.assertRaises(ValueError):
            goheap.Mutex(self.heap, self.heap.alloc(4))

    def test_errors(self):
        """What cannot be is an error"""
        with self.assertRaises(PermissionError):
            self.mutex.release()
        for arguments in ((False, 1), (True, -2)):
            with self.assertRaises(ValueError):
                self.mutex.acquire(*arguments)

    def test_close(self):
        """A heap with a lock is closed"""
        self.mutex.acquire()
        self.heap.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            self.mutex.release()
