# SPDX-License-Identifier: GPL-2.0-only
"""A guest that gets no further must be noticed, one that is only slow left alone."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from goheapvm import watch

FOREVER = "exec sleep 1000"


class WatchTest(unittest.TestCase):
    def run_guest(self, script, timeout=1000, terminal=False):
        """What comes of a shell script in place of a guest: (end, console)."""
        with tempfile.TemporaryDirectory() as directory:
            console = Path(directory) / "console.log"
            end = watch.Watch(timeout).run(["sh", "-c", script], console, terminal)
            return end, console.read_text()

    def test_end(self):
        end, console = self.run_guest("echo 'goheap-vm: up'; echo 'goheap-vm: done 0'")
        self.assertEqual(end, "")
        self.assertEqual(console, "goheap-vm: up\ngoheap-vm: done 0\n")

    def test_death(self):
        self.assertEqual(self.run_guest("echo 'goheap-vm: step 1000 a'; exit 1")[0], "")

    def test_timeout(self):
        self.assertEqual(self.run_guest(FOREVER, timeout=1)[0], "did not finish in 1 s")

    def test_boot(self):
        with mock.patch.object(watch, "BOOT_SECONDS", 1):
            self.assertEqual(self.run_guest("echo hello; " + FOREVER)[0], "hangs: boot")

    def test_step(self):
        end, _ = self.run_guest("echo '[ 1.2] goheap-vm: step 1 user_kill'; " + FOREVER)
        self.assertEqual(end, "hangs: user_kill")

    def test_next_step_is_in_time(self):
        end, _ = self.run_guest("echo 'goheap-vm: step 1000 a'; echo 'goheap-vm: step 1 b'; " + FOREVER)
        self.assertEqual(end, "hangs: b")

    def test_commands_have_no_step(self):
        for mark in ("up", "exit 0"):
            marks = f"printf 'goheap-vm: step 0 a\\ngoheap-vm: {mark}\\n'; "
            end, _ = self.run_guest(marks + FOREVER, timeout=2)
            self.assertEqual(end, "did not finish in 2 s")

    def test_power_off(self):
        with mock.patch.object(watch, "POWEROFF_SECONDS", 1):
            end, _ = self.run_guest("echo 'goheap-vm: done 0'; " + FOREVER)
            self.assertEqual(end, "hangs: power off")

    def test_mark_in_pieces(self):
        end, _ = self.run_guest("printf 'goheap-vm: st'; sleep 0.2; echo 'ep 1 a'; " + FOREVER)
        self.assertEqual(end, "hangs: a")

    def test_questions(self):
        """A guest that hangs is asked, and its answers are kept."""
        with mock.patch.object(watch, "ANSWER_SECONDS", 1):
            end, console = self.run_guest("echo 'goheap-vm: step 1 a'; exec cat", terminal=True)
        self.assertEqual(end, "hangs: a")
        for question in watch.QUESTIONS:
            self.assertIn(question.decode().strip(), console)

    def test_questions_to_the_dead(self):
        """An emulator that closed its terminal is no reason to fail."""
        with mock.patch.object(watch, "ANSWER_SECONDS", 1):
            end, _ = self.run_guest("echo 'goheap-vm: step 1 a'; exec <&-; " + FOREVER, terminal=True)
        self.assertEqual(end, "hangs: a")

    def test_last_words(self):
        with tempfile.NamedTemporaryFile("w") as console:
            console.write("early\n[ 1.2] goheap-vm: step 1 a\r\n(qemu) info\nCPU#0\nRAX=00 RBX=00\n"
                          "RIP=ffff RFL=0\nYMM00=0\n\nCPU#1\n")
            console.flush()
            self.assertEqual(watch.last_words(console.name, 4),
                             "[ 1.2] goheap-vm: step 1 a\nCPU#0\nRIP=ffff RFL=0\nCPU#1")


if __name__ == "__main__":
    unittest.main()
