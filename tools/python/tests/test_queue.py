# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Queue: as queue.Queue, and between processes that are killed."""

import errno
import queue
import signal
import threading

import goheap
from tests.support import SharedTest, fork


class QueueTest(SharedTest):
    functions = ("goheap_queue_open", "goheap_queue_bytes")

    def setUp(self):
        super().setUp()
        self.queue = goheap.Queue(self.heap, "q", slots=64, bytes=100)

    def fill(self):
        """Put as many messages as there is room for; returns how many."""
        for i in range(1 << 20):
            try:
                self.queue.put_nowait(b"%d" % i)
            except queue.Full:
                return i
        self.fail("it has no end")

    def drain(self):
        """All messages."""
        got = []
        while True:
            try:
                got.append(self.queue.get_nowait())
            except queue.Empty:
                return got


class One(QueueTest):
    def test_order(self):
        """Messages come out as they went in"""
        sent = [b"", b"a", b"\0\0", b"x" * 100, bytearray(b"array"), memoryview(b"view")]
        for message in sent:
            self.queue.put(message)
        self.assertEqual(self.queue.qsize(), len(sent))
        self.assertFalse(self.queue.empty())
        self.assertEqual([self.queue.get() for _ in sent], [bytes(m) for m in sent])
        self.assertTrue(self.queue.empty())

    def test_full_and_empty(self):
        """Full and Empty are those of queue"""
        with self.assertRaises(queue.Empty):
            self.queue.get_nowait()
        with self.assertRaises(queue.Empty):
            self.queue.get(timeout=0.01)
        with self.assertRaises(queue.Empty):
            self.queue.get(timeout=0)
        room = self.fill()
        self.assertGreaterEqual(room, 64)
        with self.assertRaises(queue.Full):
            self.queue.put(b"x", timeout=0.01)
        self.assertEqual(self.drain(), [b"%d" % i for i in range(room)])

    def test_errors(self):
        """What cannot be is an error"""
        with self.assertRaises(OSError) as caught:
            self.queue.put(b"x" * (self.queue.bytes + 1))
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        for use in (lambda: self.queue.get(timeout=-1), lambda: self.queue.put(b"", timeout=-1),
                    lambda: goheap.Queue(self.heap, "q", slots=-1)):
            with self.assertRaises(ValueError):
                use()
        for message in ("str", 5, None):
            with self.assertRaises(TypeError):
                self.queue.put(message)
        with self.assertRaises(FileNotFoundError):
            goheap.Queue(self.heap, "not there")
        self.assertEqual(self.drain(), [])

    def test_signal(self):
        """A signal handler runs while the main thread waits, and may end that"""
        def child():
            class Told(Exception):
                pass

            def tell(*_):
                raise Told

            signal.signal(signal.SIGUSR1, tell)
            main = threading.get_ident()
            threading.Timer(0.01, signal.pthread_kill, (main, signal.SIGUSR1)).start()
            try:
                self.queue.get()
            except Told:
                return "told"

        self.assertEqual(self.in_child(child), "told")

    def test_threads(self):
        """Threads wait without keeping others from running"""
        got = []

        def take():
            while True:
                message = self.queue.get()
                if not message:
                    return
                got.append(message)

        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        sent = [b"%d" % i for i in range(1, 500)]
        for message in sent:
            self.queue.put(message)
        for _ in threads:
            self.queue.put(b"")
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(got), sorted(sent))


class Shared(QueueTest):
    def test_waiting(self):
        """A child that waits gets what its parent puts, and the other way round"""
        answers = goheap.Queue(self.heap, "answers", slots=8, bytes=100)
        child = fork.Process(target=lambda: answers.put(self.queue.get() * 2))
        child.start()
        self.queue.put(b"ab")
        self.assertEqual(answers.get(), b"abab")
        child.join()
        self.assertEqual(child.exitcode, 0)

    def test_killed_in_put(self):
        """Of a process that is killed in put(), all messages are there but the last"""
        def child(confirm):
            i = 0
            while True:
                self.queue.put(b"%d" % i)
                i += 1
                confirm()

        # None of them waits: a process that waits is not in the middle of anything.
        for i in range(20):
            confirmed = self.kill_after(1 + i * 7 % 30, child)
            got = self.drain()
            self.assertIn(len(got), (confirmed, confirmed + 1))
            self.assertEqual(got, [b"%d" % i for i in range(len(got))])

    def test_killed_in_get(self):
        """Of a process that is killed in get(), none is lost but what it was about to get"""
        def child(confirm):
            while True:
                self.queue.get()
                confirm()

        for i in range(20):
            room = self.fill()
            confirmed = self.kill_after(1 + i * 7 % 30, child)
            left = self.drain()
            self.assertIn(room - len(left), (confirmed, confirmed + 1))
            self.assertEqual(left, [b"%d" % i for i in range(room - len(left), room)])

    def test_killed_in_both(self):
        """Processes that pass messages on are killed, and no message but theirs is lost"""
        onward = goheap.Queue(self.heap, "onward", slots=64, bytes=100)

        def child(confirm):
            while True:
                onward.put(self.queue.get())
                confirm()

        for i in range(20):
            room = self.fill()
            self.kill_after(1 + i * 5 % 30, child)
            left = self.drain()
            passed = []
            while not onward.empty():
                passed.append(onward.get())
            # At most one was in the process's hands.
            self.assertIn(len(passed) + len(left), (room - 1, room))
            self.assertEqual(passed, [b"%d" % i for i in range(len(passed))])
            self.assertEqual(left, [b"%d" % i for i in range(room - len(left), room)])

    def test_survivors(self):
        """Producers and consumers go on while others are killed"""
        done = goheap.Queue(self.heap, "done", slots=64, bytes=100)

        def produce():
            for i in range(200):
                self.queue.put(b"survivor %d" % i)

        def consume():
            while True:
                message = self.queue.get()
                if not message:
                    return
                if message.startswith(b"survivor"):
                    done.put(message)

        def victim(confirm):
            i = 0
            while True:
                self.queue.put(b"victim %d" % i)
                i += 1
                confirm()

        producer, consumer = fork.Process(target=produce), fork.Process(target=consume)
        producer.start()
        consumer.start()
        killer = threading.Thread(target=lambda: [self.kill_after(1 + i, victim)
                                                  for i in range(10)])
        killer.start()
        got = [done.get() for _ in range(200)]
        killer.join()
        producer.join()
        self.queue.put(b"")
        consumer.join()
        self.assertEqual((producer.exitcode, consumer.exitcode), (0, 0))
        self.assertEqual(got, [b"survivor %d" % i for i in range(200)])
