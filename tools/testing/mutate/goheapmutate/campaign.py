# SPDX-License-Identifier: GPL-2.0-only
"""
A list of errors, what became of each, and the file in which this is kept.

The list is a matter of the seed and the sources alone. Errors are taken from it in
order, until as many as wanted were compiled and tested. So a second call goes on where
the first one ended, and a larger number continues a smaller one.
"""

import contextlib
import hashlib
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue

from goheapvm.util import Failure, say

from . import follow, mutants
from .mutants import Mutant
from .suites import in_order
from .trial import NOTICED, SURVIVED, Verdict, as_record

# An error whose file was edited since is looked for within so many lines.
MOVED_LINES = 200


class Results:
    """results.json: the campaign, seconds of the suites, and a record for each error."""

    def __init__(self, path):
        self.path = Path(path)
        self.lock = threading.Lock()
        self.data = {"campaign": None, "seconds": {}, "errors": {}}
        if self.path.exists():
            self.data = json.loads(self.path.read_text())

    def belongs_to(self, campaign):
        """Claim the file for a campaign; it is no other's."""
        if self.data["campaign"] not in (None, campaign):
            raise Failure(f"{self.path} is of another seed, other suites or other sources: remove "
                          "it, or give another directory with --out")
        self.data["campaign"] = campaign

    @property
    def seconds(self):
        return self.data["seconds"]

    @property
    def errors(self):
        """Number in the list -> record."""
        return {int(number): record for number, record in self.data["errors"].items()}

    def add(self, number, record):
        with self.lock:
            self.data["errors"][str(number)] = record
            self.save()

    def add_seconds(self, suite, seconds):
        with self.lock:
            self.data["seconds"][str(suite)] = seconds
            self.save()

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self.data, indent=1) + "\n")
        os.replace(fresh, self.path)


def describe(repo, paths, seed, suites):
    """What the results depend on."""
    digest = hashlib.sha256()
    for path in mutants.source_files(repo, paths):
        digest.update(path.encode() + b"\0" + (Path(repo) / path).read_bytes())
    return {"seed": seed, "paths": list(paths), "suites": [str(suite) for suite in suites],
            "sources": digest.hexdigest()[:16]}


# ---- what is to be done -----------------------------------------------------

class Queue:
    """Gives errors to several jobs, in order, and no more than are wanted."""

    def __init__(self, errors, wanted, results):
        self.results = results
        self.wanted = wanted
        self.changed = threading.Condition()
        self.running = 0
        done = results.errors
        self.valid = sum(is_valid(record) for record in done.values())
        self.waiting = [(number, error) for number, error in enumerate(errors, 1)
                        if number not in done]
        self.paths = sorted({error.path for _, error in self.waiting})

    def next(self):
        """(number, error), or None. One that runs may turn out not to compile: wait for it."""
        with self.changed:
            while self.running and self.valid + self.running >= self.wanted:
                self.changed.wait()
            if self.valid + self.running >= self.wanted or not self.waiting:
                return None
            self.running += 1
            return self.waiting.pop(0)

    def done(self, number, record):
        """What became of it; None if it was interrupted, and is to be done again."""
        with self.changed:
            self.running -= 1
            if record:
                self.valid += is_valid(record)
                self.results.add(number, record)
            self.changed.notify_all()


class Repeat:
    """The errors that survived, once more, with the tests as they are now."""

    def __init__(self, repo, results):
        self.results = results
        self.lock = threading.Lock()
        self.waiting = []
        for number, record in results.errors.items():
            error = find_again(repo, record) if record["verdict"] == SURVIVED else None
            if error:
                self.waiting.append((number, error))
            elif record["verdict"] == SURVIVED:
                say(f"error {number}: {record['path']} has no such line any more")
        self.paths = sorted({error.path for _, error in self.waiting})

    def next(self):
        with self.lock:
            return self.waiting.pop(0) if self.waiting else None

    def done(self, number, record):
        with self.lock:
            if record:
                self.results.add(number, record)


def find_again(repo, record):
    """The error, in the line that is nearest to where it was; None if there is none."""
    path = Path(repo) / record["path"]
    lines = path.read_text().split("\n") if path.exists() else []
    near = [number for number, line in enumerate(lines, 1)
            if line == record["before"] and abs(number - record["line"]) <= MOVED_LINES]
    if not near:
        return None
    line = min(near, key=lambda number: abs(number - record["line"]))
    return replace(Mutant.of(record), line=line)


def is_valid(record):
    """It could be noticed. One that does not compile, or changes no code, could not."""
    return record["verdict"] in (NOTICED, SURVIVED)


# ---- doing it ---------------------------------------------------------------

class Jobs:
    """Threads, each with a trial of its own. They end when the user asks, or one fails."""

    def __init__(self, trials, repo, suites, stop):
        self.trials = trials
        self.repo = repo
        self.suites = suites
        self.stop = stop
        self.failures = []
        self.ready = set()

    def measure(self, paths, results):
        """What suites take for errors in these files, as far as it is not known."""
        suites = [suite for path in paths for suite in in_order(self.suites, path, self.repo)]
        waiting = SimpleQueue()
        for suite in dict.fromkeys(suites):
            if str(suite) not in results.seconds:
                waiting.put(suite)

        def measure_some(trial):
            while not self.stop.is_set() and not waiting.empty():
                self.prepare(trial)
                with contextlib.suppress(Empty):
                    suite = waiting.get_nowait()
                    results.add_seconds(suite, trial.measure(suite))

        self.in_parallel(measure_some)

    def prepare(self, trial):
        if trial not in self.ready:
            trial.prepare(self.repo, list(dict.fromkeys(suite.kernel for suite in self.suites)))
            self.ready.add(trial)

    def run(self, queue):
        def work(trial):
            self.prepare(trial)
            self.work(trial, queue)

        self.in_parallel(work)

    def in_parallel(self, work):
        threads = [threading.Thread(target=self.work_safely, args=(work, trial))
                   for trial in self.trials]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def work_safely(self, work, trial):
        try:
            work(trial)
        except follow.Stopped:
            pass
        except Exception as failure:
            self.failures.append(failure)
            self.stop.set()

    def work(self, trial, queue):
        while not self.stop.is_set() and (item := queue.next()):
            number, error = item
            record = None
            try:
                say(f"error {number}: {error}")
                verdict = trial.examine(error, in_order(self.suites, error.path, self.repo))
                record = as_record(error, verdict)
                say(f"error {number}: {verdict}")
            finally:
                queue.done(number, record)


# ---- the report -------------------------------------------------------------

def report(results):
    """A table of all errors, and the sum of those that could be noticed."""
    errors = results.errors
    lines = []
    for number in sorted(errors):
        record = errors[number]
        lines.append(f"{number:4}  {Mutant.of(record)}")
        lines.append(f"      {Verdict.of(record)}")
    lines += noticed_by(errors.values())
    return "\n".join([*lines, total(errors.values())])


def noticed_by(records):
    found = {}
    for record in records:
        if record["verdict"] == NOTICED:
            found[record["suite"]] = found.get(record["suite"], 0) + 1
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [f"{count:4}  noticed by {suite}" for suite, count in ordered]


def total(records):
    verdicts = [record["verdict"] for record in records]
    noticed, survived = verdicts.count(NOTICED), verdicts.count(SURVIVED)
    left = len(verdicts) - noticed - survived
    text = f"{noticed + survived} planted, {noticed} noticed, {survived} survived"
    return f"{left} replaced: they do not compile, or change no code\n{text}" if left else text
