# SPDX-License-Identifier: GPL-2.0-only
"""What of a document counts as a command."""

import unittest

from goheapvm import style


class ReadmeCommands(unittest.TestCase):
    def test_targets_in_code_are_found(self):
        text = ("Type `make demo`, or\n```\nsudo make dkms-install\nmake KERNEL=um check # x\n"
                "make\nmake W=1\n```\n")
        self.assertEqual(style.made_in(text), ["demo", "dkms-install", "check"])

    def test_prose_and_other_directories_are_left_alone(self):
        self.assertEqual(style.made_in("We make sure. `make -C Documentation html`"), [])


if __name__ == "__main__":
    unittest.main()
