# SPDX-License-Identifier: GPL-2.0-only
"""What `make install` and its like put where. Nothing outside of a directory is touched."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

TREE = Path(__file__).resolve().parents[4]

RULE = "usr/lib/udev/rules.d/60-goheap.rules"
GROUP = "usr/lib/sysusers.d/goheap.conf"
MODES = "usr/lib/tmpfiles.d/goheap.conf"
MOUNT = "usr/lib/systemd/system/run-goheap.mount"
SYSTEM = [MOUNT, GROUP, MODES, RULE]

# In place of a kernel: says what it is asked for, and builds nothing.
FAKE_KERNEL = """\
modules:
	@echo "built for $(M)"
modules_install:
	@echo "modules to [$(INSTALL_MOD_PATH)]"
"""


class Install(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)
        self.root = self.dir / "root"
        kernel = self.dir / "kernel"
        (kernel / "include/generated").mkdir(parents=True)
        (kernel / "Makefile").write_text(FAKE_KERNEL)
        (kernel / "include/generated/utsrelease.h").write_text('#define UTS_RELEASE "1.2.3-x"\n')
        self.program("depmod", 'echo "depmod $*"')
        self.program("dkms", 'echo "dkms $*"')

    def program(self, name, script):
        path = self.dir / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def make(self, *words):
        env = {name: value for name, value in os.environ.items()
               if name not in ("MAKEFLAGS", "MFLAGS", "DESTDIR", "INSTALL_MOD_PATH", "O")}
        env["PATH"] = f"{self.dir / 'bin'}:{env['PATH']}"
        done = subprocess.run(["make", "-C", TREE, f"KDIR={self.dir / 'kernel'}", *words],
                              env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def installed(self):
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file())

    def test_destdir_holds_all(self):
        said = self.make("install", f"DESTDIR={self.root}")
        self.assertIn(f"modules to [{self.root}]", said)
        self.assertIn(f"depmod -b {self.root} 1.2.3-x", said)
        self.assertEqual(self.installed(), SYSTEM)

    def test_install_mod_path_does_too(self):
        said = self.make("install", f"INSTALL_MOD_PATH={self.root}")
        self.assertIn(f"depmod -b {self.root} 1.2.3-x", said)
        self.assertEqual(self.installed(), SYSTEM)

    def test_rule_and_group_agree(self):
        self.make("udev-install", f"DESTDIR={self.root}")
        rule = (self.root / RULE).read_text()
        self.assertIn('KERNEL=="goheap"', rule)
        self.assertIn('MODE="0660"', rule)
        group = re.search(r'GROUP="(\w+)"', rule)[1]
        self.assertRegex((self.root / GROUP).read_text(), rf"(?m)^g {group} ")
        where = re.search(r"(?m)^Where=(.*)", (self.root / MOUNT).read_text())[1]
        self.assertRegex((self.root / MODES).read_text(), rf"(?m)^z {where} \d+ root {group} -$")
        # systemd wants the unit named after the directory.
        self.assertEqual(where.strip("/").replace("/", "-") + ".mount", Path(MOUNT).name)

    def test_tools_come_with_their_pages(self):
        self.make("tools-install", f"DESTDIR={self.root}", "PREFIX=/usr", f"O={self.dir / 'out'}")
        for name in ("usr/sbin/goheapctl", "usr/share/man/man8/goheapctl.8"):
            self.assertIn(name, self.installed())

    def test_dkms_has_what_the_build_needs(self):
        source = self.dir / "dkms"
        said = self.make("dkms-install", f"DKMS_SRC={source}", f"DESTDIR={self.root}")
        self.assertIn("dkms install -m goheap -v ", said)
        self.assertEqual(self.installed(), SYSTEM)
        self.assertTrue((source / "include/uapi/linux/goheap.h").exists())
        self.assertEqual(missing_objects(source), [])
        self.assertEqual(missing_headers(source), [])


def missing_objects(source):
    """Objects of Kbuild that there is no source for."""
    text = (source / "Kbuild").read_text().split("ifdef GOHEAP_TESTS\ngoheap-y")[0]
    objects = [name for line in re.findall(r"^goheap-y [:+]= (.*)", text, re.M)
               for name in line.split()]
    return [name for name in objects if not (source / name).with_suffix(".c").exists()]


def missing_headers(source):
    """Headers that files name between quotation marks, and that are not there."""
    made = {"sizeclass_tables.h"}
    return [f"{path.relative_to(source)}: {name}" for path in sorted(source.rglob("*.[ch]"))
            for name in re.findall(r'^#include "(.*)"', path.read_text(), re.M)
            if Path(name).name not in made and "tests" not in path.parts
            and not (path.parent / name).exists()]


if __name__ == "__main__":
    unittest.main()
