# SPDX-License-Identifier: GPL-2.0-only
"""A guest is ended with the first failure, and what failed is known."""

import signal
import threading

from sample_code import Tree

from goheapmutate import follow

UP = "goheap-vm: up\n"
BEGUN = (UP + "[    1.0] goheap-vm: kunit begin arena_kunit\n"
         "[    1.1] goheap-vm: kunit begin span_kunit\n")


class Run(Tree):
    def run_shell(self, script, seconds=60, stop=None, look=lambda: ""):
        return follow.run(["sh", "-c", script], self.scratch / "log", seconds,
                          stop or threading.Event(), look)

    def test_status(self):
        self.assertEqual(self.run_shell("exit 3"), 3)
        self.assertEqual(self.run_shell("echo text"), 0)
        self.assertEqual((self.scratch / "log").read_text(), "text\n")

    def test_time_limit(self):
        self.assertIsNone(self.run_shell("exec sleep 100", seconds=1))

    def test_first_failure(self):
        self.assertEqual(self.run_shell("exec sleep 100", look=lambda: "span_kunit"), "span_kunit")

    def test_a_child_that_is_interrupted_cleans_up(self):
        script = f"trap 'echo gone >{self.scratch}/end; exit 1' INT; while :; do sleep 0.1; done"
        self.run_shell(script, seconds=1)
        self.assertEqual((self.scratch / "end").read_text(), "gone\n")

    def test_a_child_can_be_interrupted_in_the_background(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.test_a_child_that_is_interrupted_cleans_up()
        finally:
            signal.signal(signal.SIGINT, before)

    def test_stop(self):
        stop = threading.Event()
        stop.set()
        with self.assertRaises(follow.Stopped):
            self.run_shell("exec sleep 100", stop=stop)


class FailedSuite(Tree):
    def failed(self, console, results=""):
        (self.scratch / "out").mkdir(exist_ok=True)
        (self.scratch / "console.log").write_text(console)
        (self.scratch / "out/results.log").write_text(results)
        return follow.failed_suite(self.scratch)

    def test_nothing_yet(self):
        self.assertEqual(follow.failed_suite(self.scratch), "")
        self.assertEqual(self.failed(BEGUN + "[    1.2]     ok 1 test\n"), "")

    def test_a_case(self):
        self.assertEqual(self.failed(BEGUN + "[    1.2]     not ok 1 test\n"), "span_kunit")

    def test_a_line_that_is_still_being_written(self):
        self.assertEqual(self.failed(BEGUN + "[    1.2]     not ok"), "")

    def test_an_oops(self):
        self.assertEqual(self.failed(BEGUN + "Kernel panic - not syncing\n"), "span_kunit")

    def test_before_any_suite(self):
        self.assertEqual(self.failed(UP + "WARNING: at mm/span.c\n"), "start")

    def test_a_window_that_is_still_open(self):
        window = "goheap-expect: begin\ngoheap: bad free: address\n"
        self.assertEqual(self.failed(BEGUN + window), "")
        self.assertEqual(self.failed(BEGUN + "goheap: bad free: address\n"), "span_kunit")

    def test_a_self_test(self):
        begun = "goheap-vm: test begin idle.sh\n"
        self.assertEqual(self.failed(BEGUN, begun + "ok 1 a\nnot ok 2 b\n"), "idle.sh")

    def test_a_self_test_that_took_too_long(self):
        begun = BEGUN + "[    1.2] goheap-vm: test begin idle.sh\n"
        for status, suite in ((0, ""), (4, ""), (1, "idle.sh"), (143, "idle.sh")):
            end = f"[    9.2] goheap-vm: test end idle.sh {status}\n"
            self.assertEqual(self.failed(begun + end), suite)

    def test_failures_of_the_emulator_are_left_to_vm(self):
        self.assertEqual(self.failed("Kernel panic - not syncing\n"), "")
        self.assertEqual(self.failed(UP + "Oops: int3: 0000\nKernel panic\n"), "")

    def test_where_it_is(self):
        (self.scratch / "console.log").write_text(BEGUN)
        self.assertEqual(follow.running_suite(self.scratch), "span_kunit")


class Report(Tree):
    def test_the_first_failure(self):
        text = ("um: span_kunit: 4 passed, 0 failed\num: idle.sh: 1 passed, 2 failed, 1 skipped\n"
                "  FAILED: not ok\num: console: 0 passed, 1 failed\n")
        self.assertEqual(follow.failed_in_report(text), "idle.sh")

    def test_no_failure(self):
        self.assertEqual(follow.failed_in_report("um: 3 passed, 0 failed in all\n"), "")
