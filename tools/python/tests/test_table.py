# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Table: a mapping, and one that processes share."""

import gc
from collections.abc import MutableMapping

import goheap
from tests.support import SharedTest


class TableTest(SharedTest):
    functions = ("goheap_table_open", "goheap_enter")

    def setUp(self):
        super().setUp()
        self.table = goheap.Table(self.heap, "t")


class Mapping(TableTest):
    def test_is_mapping(self):
        """A Table is a MutableMapping"""
        self.assertIsInstance(self.table, MutableMapping)

    def test_entries(self):
        """Entries are stored, replaced and removed"""
        self.table[b"k"] = b"one"
        self.assertEqual(self.table[b"k"], b"one")
        self.table[b"k"] = bytearray(b"two")
        self.assertEqual(self.table[bytearray(b"k")], b"two")
        self.assertEqual(len(self.table), 1)
        self.assertIn(b"k", self.table)
        del self.table[b"k"]
        self.assertNotIn(b"k", self.table)
        self.assertEqual(len(self.table), 0)
        self.assertEqual(self.table.get(b"k", 7), 7)
        with self.assertRaises(KeyError):
            self.table[b"k"]
        with self.assertRaises(KeyError):
            del self.table[b"k"]

    def test_null_bytes(self):
        """Keys and values may have any bytes, and none"""
        entries = {b"a": b"1", b"a\0": b"\0", b"\0": b"", bytes(range(256)): bytes(range(256)) * 40}
        self.table.update(entries)
        self.assertEqual(dict(self.table.items()), entries)
        self.assertEqual(self.table, entries)

    def test_against_dict(self):
        """A long row of operations has the effect that it has on a dict"""
        model, state = {}, 1
        for _ in range(3000):
            state = state * 1103515245 + 12345 & 0x7fffffff
            key, value = b"%d" % (state >> 8 & 127), b"v" * (state >> 16 & 255)
            if state & 0x10000:
                self.table[key] = model[key] = value
            else:
                self.assertEqual(self.table.pop(key, None), model.pop(key, None))
        self.assertEqual(dict(self.table), model)
        self.assertEqual(len(self.table), len(model))

    def test_many(self):
        """Iterators show all, over many batches"""
        model = {b"%d" % i: b"%d" % (i * i) for i in range(1000)}
        model[b"long"] = b"x" * (3 << 20)
        self.table.update(model)
        self.assertEqual(sorted(self.table), sorted(model))
        self.assertEqual(dict(self.table.items()), model)
        self.assertEqual(sorted(self.table.values()), sorted(model.values()))
        self.assertIn(b"x" * (3 << 20), self.table.values())
        self.assertNotIn(b"none", self.table.values())
        self.table.clear()
        self.assertEqual(dict(self.table), {})

    def test_change_while_iterating(self):
        """What is there all the time is shown once while the table changes"""
        for i in range(500):
            self.table[b"stays %d" % i] = b""
            self.table[b"goes %d" % i] = b""
        seen = []
        for i, key in enumerate(self.table):
            seen.append(key)
            self.table.pop(b"goes %d" % i, None)
            self.table[b"new %d" % i] = b""
            if i > 20000:
                break
        stays = [key for key in seen if key.startswith(b"stays")]
        self.assertEqual(sorted(stays), sorted(b"stays %d" % i for i in range(500)))

    def test_encoding(self):
        """With an encoding, keys are str"""
        table = goheap.Table(self.heap, "t", encoding="utf-8")
        table["schlüssel"] = b"key"
        self.assertEqual(self.table["schlüssel".encode()], b"key")
        self.assertEqual(list(table), ["schlüssel"])
        self.assertEqual(list(table.items()), [("schlüssel", b"key")])
        del table["schlüssel"]
        self.assertEqual(len(self.table), 0)

    def test_types(self):
        """What is no key or value is an error"""
        encoded = goheap.Table(self.heap, "t", encoding="ascii")
        for use in (lambda: self.table["str"], lambda: self.table[5], lambda: encoded[b"bytes"],
                    lambda: self.table.__setitem__(b"k", "str"),
                    lambda: self.table.__setitem__(b"k", 5), lambda: None in self.table):
            with self.assertRaises(TypeError):
                use()
        self.assertEqual(len(self.table), 0)

    def test_closed(self):
        """A table of a closed heap is not used"""
        self.heap.close()
        gc.collect()
        for use in (lambda: self.table[b"k"], lambda: len(self.table), lambda: list(self.table)):
            with self.assertRaisesRegex(ValueError, "closed"):
                use()


class Shared(TableTest):
    def test_child(self):
        """A child, and who opens it by its name, has the same table"""
        def child():
            self.table[b"a"] = b"by the child"
            goheap.Table(self.heap, "t")[b"b"] = b"by name"

        self.in_child(child)
        self.assertEqual(dict(self.table), {b"a": b"by the child", b"b": b"by name"})
        self.assertEqual(dict(goheap.Table(self.heap, "another")), {})

    def test_killed(self):
        """Of a process that is killed, all is there but the operation under way"""
        def child(confirm):
            i = 0
            while True:
                i += 1
                self.table[b"k"] = b"%d " % i * 100
                confirm()

        for i in range(20):
            confirmed = self.kill_after(1 + i * 7 % 50, child)
            value = self.table[b"k"]
            last = int(value.split()[0])
            self.assertEqual(value, b"%d " % last * 100)
            self.assertIn(last, (confirmed, confirmed + 1))

    def test_killed_between(self):
        """Likewise if it inserts and removes"""
        def child(confirm):
            i = 0
            while True:
                self.table[b"%d" % i] = b"x"
                confirm()
                del self.table[b"%d" % i]
                confirm()
                i += 1

        for i in range(20):
            confirmed = self.kill_after(1 + i * 11 % 50, child)
            now = list(self.table)
            # What is there after so many steps, or one more.
            wanted = [[b"%d" % (steps // 2)] if steps % 2 else []
                      for steps in (confirmed, confirmed + 1)]
            self.assertIn(now, wanted)
            # The count may be wrong until the next change.
            self.table[b"more"] = b""
            self.assertEqual(len(self.table), len(now) + 1)
            self.table.clear()
            self.assertEqual(len(self.table), 0)
