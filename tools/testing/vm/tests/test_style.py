# SPDX-License-Identifier: GPL-2.0-only
"""Each check of check-style finds what it is for, and leaves good input alone."""

import shutil
import tempfile
import unittest
from pathlib import Path

from goheapvm import style


class ReadmeCommands(unittest.TestCase):
    def test_targets_in_code_are_found(self):
        text = ("Type `make demo`, or\n```\nsudo make dkms-install\nmake KERNEL=um check # x\n"
                "make\nmake W=1\n```\n")
        self.assertEqual(style.made_in(text), ["demo", "dkms-install", "check"])

    def test_prose_and_other_directories_are_left_alone(self):
        self.assertEqual(style.made_in("We make sure. `make -C Documentation html`"), [])


class ConflictMarkers(unittest.TestCase):
    def test_all_three_are_found_by_line(self):
        text = "a\n%s HEAD\nb\n%s\n=======\nc\n%s topic\n" % ("<" * 7, "|" * 7, ">" * 7)
        self.assertEqual(style.conflicts(text.encode()), [2, 4, 7])

    def test_underlines_and_quotations_are_none(self):
        text = "Testing\n=======\n  %s HEAD\n%s\n" % ("<" * 7, ">" * 8)
        self.assertEqual(style.conflicts(text.encode()), [])


class Programs(unittest.TestCase):
    """The checkers of Debian are asked about the right files, and heard."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.repo = Path(holder.name)

    def file(self, name, text):
        (self.repo / name).write_text(text)
        return name

    def test_interpreters(self):
        files = [self.file("a", "#!/bin/sh\n"), self.file("b", "#!/usr/bin/python3\n"),
                 self.file("c.py", "x = 1\n"), self.file("d", "")]
        self.assertEqual(style.scripts(self.repo, files, "sh"), ["a"])
        self.assertEqual(style.scripts(self.repo, files, "python3"), ["b", "c.py"])

    @unittest.skipUnless(shutil.which("shellcheck"), "no shellcheck")
    def test_shell(self):
        good = self.file("good", "#!/bin/sh\ncd / || exit\n")
        bad = self.file("bad", "#!/bin/sh\necho $unknown\n")
        self.assertEqual(style.check_shellcheck(self.repo, [good], None), [])
        self.assertIn("SC2154", "".join(style.check_shellcheck(self.repo, [good, bad], None)))

    @unittest.skipUnless(shutil.which("pyflakes3"), "no pyflakes3")
    def test_python(self):
        good = self.file("good.py", "import os\nprint(os.name)\n")
        bad = self.file("bad", "#!/usr/bin/python3\nimport os\nprint(nmae)\n")
        self.assertEqual(style.check_pyflakes(self.repo, [good], None), [])
        found = "".join(style.check_pyflakes(self.repo, [bad], None))
        self.assertIn("'os' imported but unused", found)
        self.assertIn("undefined name 'nmae'", found)

    def test_checker_that_is_missing(self):
        self.assertIn("not installed", style.checked_by("no-such-checker", ["a"], self.repo)[0])

    def test_versions(self):
        self.file("dkms.conf", 'PACKAGE_VERSION="1.2"\n')
        self.file("goheap_mod.c", 'MODULE_VERSION("1.2");\n')
        self.assertEqual(style.check_versions(self.repo, [], None), [])
        self.file("goheap_mod.c", 'MODULE_VERSION("1.3");\n')
        self.assertEqual(len(style.check_versions(self.repo, [], None)), 1)
        self.file("goheap_mod.c", "\n")
        self.assertEqual(style.check_versions(self.repo, [], None),
                         ["goheap_mod.c: no MODULE_VERSION"])


if __name__ == "__main__":
    unittest.main()
