# SPDX-License-Identifier: GPL-2.0-only
"""
Imports a good part of the library, then has threads pass rows of JSON to each other.

The number of rows is the only argument.
"""
import argparse
import ast
import collections
import decimal
import inspect
import json
import queue
import re
import sys
import threading

THREADS = 3


def count_words():
    """Parse the source of a large module and count the words in it."""
    source = inspect.getsource(argparse)
    names = [node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]
    return collections.Counter(re.findall(r"[A-Za-z_]+", source)) + collections.Counter(names)


def decode(lines, index):
    """Turn lines into rows, which the main thread made and this one drops."""
    for line in iter(lines.get, None):
        row = json.loads(line)
        row["sum"] = sum(decimal.Decimal(n) for n in row["tags"])
        index[row["tags"][0]].append(row)


def main():
    rows = int(sys.argv[1])
    words = count_words()
    lines = queue.Queue(maxsize=64)
    index = collections.defaultdict(list)
    threads = [threading.Thread(target=decode, args=(lines, index)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for i in range(rows):
        lines.put(json.dumps({"id": i, "name": f"row {i}", "tags": [str(i % 97), str(i % 11)]}))
    for _ in threads:
        lines.put(None)
    for thread in threads:
        thread.join()
    print(rows, "rows,", len(words), "words,", sum(map(len, index.values())), "found")


main()
