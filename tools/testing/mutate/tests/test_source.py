# SPDX-License-Identifier: GPL-2.0-only
"""What is code, and what is not."""

import unittest

from sample_code import SPAN_C

from goheapmutate import source


class Blank(unittest.TestCase):
    def test_everything_else_stays_where_it_is(self):
        hidden = source.blank(SPAN_C)
        self.assertEqual(len(hidden), len(SPAN_C))
        for before, after in zip(SPAN_C.split("\n"), hidden.split("\n")):
            self.assertEqual(len(before), len(after))
        self.assertIn("	if (left > 4)" + " " * len(" /* enough < all */") + "\n", hidden)

    def test_comments_strings_and_macros_are_hidden(self):
        hidden = source.blank(SPAN_C)
        for text in ("a < b", "a + b", "npages + 1", "enough", "CONFIG_64BIT", "%u"):
            self.assertNotIn(text, hidden)

    def test_a_string_is_no_comment(self):
        self.assertEqual(source.blank('f("/*", \'"\', a); /* " */'),
                         'f("ss", \'s\', a);        ')


class Statements(unittest.TestCase):
    def setUp(self):
        self.found = source.statements(SPAN_C)
        self.texts = [statement.text for statement in self.found]

    def test_only_bodies_of_functions_have_some(self):
        self.assertFalse([text for text in self.texts if ": 4" in text])
        self.assertEqual(self.texts[0], "unsigned int left = s->npages - n;")

    def test_headers_are_statements(self):
        self.assertIn("if (left > 4)", self.texts)
        self.assertIn("while (n-- && left)", self.texts)

    def test_a_statement_may_have_several_lines(self):
        found = next(s for s in self.found if s.text.startswith("span_note"))
        self.assertEqual(found.text, "span_note(s, left);")
        self.assertEqual(SPAN_C.split("\n")[found.first], "	span_note(s,")

    def test_a_condition_may_go_on_without_parentheses(self):
        found = source.statements("int f(void)\n{\n\treturn a ||\n\t       b;\n}\n")
        self.assertEqual([s.text for s in found], ["return a || b;"])

    def test_labels_are_statements(self):
        found = source.statements("int f(void)\n{\n\tcase 1:\nout:\n\tg();\n}\n")
        self.assertEqual([s.text for s in found], ["case 1:", "out:", "g();"])
