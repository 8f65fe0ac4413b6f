# SPDX-License-Identifier: GPL-2.0-only
"""Each check of check-style finds what it is for, and leaves good input alone."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from goheapvm import commits, layers, names, style


class ReadmeCommands(unittest.TestCase):
    def test_targets_in_code_are_found(self):
        text = ("Type `make demo`, or\n```\nsudo make dkms-install\nmake KERNEL=um check # x\n"
                "make\nmake W=1\n```\n")
        self.assertEqual(names.made_in(text), ["demo", "dkms-install", "check"])

    def test_prose_and_other_directories_are_left_alone(self):
        self.assertEqual(names.made_in("We make sure. `make -C Documentation html`"), [])

    def test_code_of_rst_is_found(self):
        text = ("Say ``make all``. We make sure::\n\n   make one\n\n.. code-block:: sh\n\n"
                "   make two KERNEL=\"a b\"\n\nmake three\n")
        self.assertEqual(sorted(names.made_in(text, ".rst")), ["all", "one", "two"])


class ConflictMarkers(unittest.TestCase):
    def test_all_three_are_found_by_line(self):
        text = "a\n%s HEAD\nb\n%s\n=======\nc\n%s topic\n" % ("<" * 7, "|" * 7, ">" * 7)
        self.assertEqual(style.conflicts(text.encode()), [2, 4, 7])

    def test_underlines_and_quotations_are_none(self):
        text = "Testing\n=======\n  %s HEAD\n%s\n" % ("<" * 7, ">" * 8)
        self.assertEqual(style.conflicts(text.encode()), [])


LAYERS = """\
Layers
------

.. code-block:: text
   :name: layers-module

   mm/
       low
       left right
       high

   mm/user/
       charge

.. code-block:: text
   :name: layers-other

   lib/
       low

The end.
"""


class Layers(unittest.TestCase):
    GOOD = {"mm/low.h": "", "mm/low.c": '#include "low.h"\n', "mm/left.c": '#include "low.h"\n',
            "mm/right.h": "", "mm/high.c": '#include "right.h"\n#include "tables.h"\n',
            "mm/user/charge.c": '#include "../low.h"\n', "mm/tests/any.c": '#include "../high.h"\n'}

    def wrong(self, sources=(), objects=()):
        return layers.complaints(layers.read(LAYERS)[0], {**self.GOOD, **dict(sources)},
                                 dict(objects))

    def test_blocks_are_programs_of_their_own(self):
        module, other = layers.read(LAYERS)
        self.assertEqual(module.dirs, ["mm", "mm/user"])
        self.assertEqual(list(other.height), ["lib/low"])
        self.assertTrue(module.is_up("mm/low", "mm/high"))
        self.assertTrue(module.is_up("mm/high", "mm/user/charge"))
        self.assertFalse(module.is_up("mm/high", "mm/left"))

    def test_good_tree_is_silent(self):
        objects = {"mm/low": ({"low"}, {"memcpy"}), "mm/high": ({"high"}, {"low"})}
        self.assertEqual(self.wrong(objects=objects), [])

    def test_include_of_a_higher_unit(self):
        self.assertEqual(self.wrong({"mm/low.h": '#include "right.h"\n'}),
                         ["mm/low.h: includes right.h, which is not below mm/low"])

    def test_include_of_a_unit_in_the_same_line(self):
        self.assertEqual(len(self.wrong({"mm/left.c": '# include "right.h"\n'})), 1)

    def test_include_from_mm_into_user(self):
        self.assertEqual(len(self.wrong({"mm/high.c": '#include "user/charge.h"\n'})), 1)

    def test_call_of_a_higher_unit_without_its_header(self):
        objects = {"mm/low": ({"low"}, {"high"}), "mm/high": ({"high"}, set())}
        self.assertEqual(self.wrong(objects=objects),
                         ["mm/low.c: uses high of mm/high.c, which is not below it"])

    def test_units_without_a_layer_and_layers_without_a_unit(self):
        self.assertEqual(self.wrong({"mm/new.h": ""}),
                         [f"{layers.DOCUMENT}: mm/new is in no layer"])
        self.assertEqual(self.wrong({"mm/user/other.c": ""})[0],
                         f"{layers.DOCUMENT}: mm/user/other is in no layer")
        fewer = {path: text for path, text in self.GOOD.items() if path != "mm/left.c"}
        self.assertEqual(layers.complaints(layers.read(LAYERS)[0], fewer, {}),
                         [f"{layers.DOCUMENT}: there is no mm/left.[ch]"])

    def test_unit_in_two_layers(self):
        twice = layers.Layers("mm/\n  a b\n  b\n")
        self.assertEqual(list(layers.wrong_units(twice, {"mm/a", "mm/b"}, {})),
                         [f"{layers.DOCUMENT}: mm/b is in two layers"])

    def test_units_that_nobody_looked_into(self):
        sources = {"mm/a.c": "int f(void)\n", "mm/b.c": "int main(void)\n", "mm/c.h": ""}
        self.assertEqual(layers.without_object(layers.Layers("mm/\n  a b c\n"), sources, {}),
                         ["mm/a"])

    @unittest.skipUnless(shutil.which("gcc"), "no compiler")
    def test_symbols_of_an_object(self):
        with tempfile.TemporaryDirectory() as holder:
            path = Path(holder) / "a.o"
            subprocess.run(["gcc", "-c", "-x", "c", "-", "-o", str(path)], text=True, check=True,
                           input="int used; int f(int *); static int g;\n"
                                 "int h(void) { return f(&used) + g; }\n")
            defined, needed = layers.symbols(path)
        self.assertEqual((defined, needed), ({"used", "h"}, {"f"}))


class Names(unittest.TestCase):
    FILES = ["mm/span.c", "mm/tests/span_kunit.c", "selftests/user_kill.c", "tools/vm/vm",
             "tools/vm/README.rst", "tools/vm/guest/init"]
    CODE = ["/* see gone() */\nstatic int there(void)\n{\n\treturn called(1); // lost()\n}\n"]

    def wrong(self, text, path="Documentation/a.rst"):
        tree = names.Tree(self.FILES, self.CODE, {"check"})
        tree.add_foreign(names.functions_in(path, text), [])
        return [line.partition(": ")[2] for line in names.complaints(path, text, tree)]

    def test_functions(self):
        self.assertEqual(self.wrong("``there()``, ``called(1)``, ``memcpy()``, ``any(7)``."), [])
        self.assertEqual(self.wrong("``gone()`` and\n``lost()`` are in comments only."),
                         ["there is no gone()", "there is no lost()"])

    def test_paths_and_files(self):
        self.assertEqual(self.wrong("``mm/``, ``mm/span.c``, ``mm/tests/UNIT_kunit.c``, ``span.c``,"
                                    " ``selftests/user_kill``, ``tools/vm/vm check um``, ``/dev/x``,"
                                    " ``mm/NAME.c``, ``build/vm/a.log``, ``a / b``"), [])
        self.assertEqual(self.wrong("``mm/spam.c``, ``mm/user/``, ``spam.c``, ``tools/vm/run x``,"
                                    " ``mm/NAME.h``"),
                         ["there is no mm/spam.c", "there is no mm/user/", "there is no spam.c",
                          "there is no tools/vm/run", "there is no mm/NAME.h"])

    def test_path_may_start_beside_the_document(self):
        self.assertEqual(self.wrong("``guest/init``", "tools/vm/README.rst"), [])
        self.assertEqual(self.wrong("``guest/init``"), ["there is no guest/init"])

    def test_targets(self):
        self.assertEqual(self.wrong("``make check``::\n\n   make chekc\n"),
                         ["there is no make chekc"])

    def test_readme_has_single_marks(self):
        self.assertEqual(self.wrong("`there()`, `gone()`", "README.md"), ["there is no gone()"])


class Commits(unittest.TestCase):
    def wrong(self, subject, body="Because.\n"):
        return list(commits.complaints(f"{subject}\n\n{body}"))

    def test_imperatives(self):
        for subject in ("mm: unmap pages that anyone else still references",
                        "README, performance: add figures", "mm/user: pass the offset down",
                        "tools: need no root"):
            self.assertEqual(self.wrong(subject), [], subject)

    def test_what_is_none(self):
        for subject in ("mm: whoever has a reference", "vm: a test's processes end",
                        "selftests: timers leave time", "mm: added a file", "mm: adding a file",
                        "mm: The file", "Documentation: what unmapping costs"):
            self.assertIn("subject is not in the imperative", "".join(self.wrong(subject)), subject)

    def test_no_area(self):
        self.assertEqual(self.wrong("Add a file"), ['subject is not "area: what to do"'])

    def test_length_and_width(self):
        self.assertEqual(self.wrong("mm: add " + "x" * 64), [])
        self.assertEqual(len(self.wrong("mm: add " + "x" * 65)), 1)
        self.assertEqual(self.wrong("mm: add it", "x" * 75), [])
        self.assertEqual(len(self.wrong("mm: add it", "x" * 76)), 1)

    def test_subject_stands_alone(self):
        self.assertEqual(list(commits.complaints("mm: add it\nand more")),
                         ["no blank line after the subject"])


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
