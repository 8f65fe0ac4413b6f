# SPDX-License-Identifier: GPL-2.0-only
"""Which errors are planted, and where."""

import unittest
from pathlib import Path

from sample_code import SPAN_C, Tree

from goheapmutate import mutants
from goheapvm.util import Failure

TOP = Path(__file__).resolve().parents[4]


def errors_in(*lines):
    """Line -> {(kind, what it becomes)}, in a function with these lines."""
    text = "\n".join(["void f(void)", "{", *(f"\t{line}" for line in lines), "}", ""])
    found = {}
    for errors in mutants.errors_by_line("mm/span.c", text):
        for error in errors:
            found.setdefault(error.before.strip(), set()).add((error.kind, error.after.strip()))
    return found


class Kinds(unittest.TestCase):
    def check(self, line, *expected):
        self.assertEqual(errors_in(line).get(line, set()), set(expected))

    def test_comparison(self):
        self.check("return a < b;", ("comparison", "return a <= b;"),
                   ("comparison", "return a > b;"))
        self.check("return a == b;", ("comparison", "return a != b;"))

    def test_operator(self):
        self.check("return a + 1;", ("operator", "return a - 1;"))
        self.check("return a & -b;", ("operator", "return a | -b;"))
        self.check("return a && b;", ("operator", "return a || b;"))

    def test_unary_operators_pointers_and_casts_stay(self):
        self.check("return *(struct gh_span **)a->b[-1];")

    def test_assignment(self):
        self.check("a->b += 2;", ("operator", "a->b -= 2;"), ("dropped", ";"))
        self.check("*n = 0;", ("dropped", ";"))
        self.check("n++;", ("operator", "n--;"), ("dropped", ";"))

    def test_call(self):
        self.check("gh_span_put(s);", ("dropped", ";"))

    def test_barrier(self):
        for line in ("barrier();", "smp_wmb();", "smp_mb__before_atomic();"):
            self.check(line, ("barrier", ";"))

    def test_condition(self):
        self.check("if (f(a) || b) {", ("condition", "if (!(f(a) || b)) {"),
                   ("operator", "if (f(a) && b) {"))
        self.check("} else if (a) {", ("condition", "} else if (!(a)) {"))
        self.check("} while (a);", ("condition", "} while (!(a));"))
        self.check("while (1) {")

    def test_jumps_and_labels_stay(self):
        for line in ("return 0;", "goto out;", "break;", "out:", "case 4:", "else"):
            self.check(line)

    def test_declarations_stay_but_for_their_values(self):
        self.check("unsigned int a, *b;")
        self.check("struct gh_span *s = f();")
        self.check("gfp_t gfp = a | b;", ("operator", "gfp_t gfp = a & b;"))

    def test_assertions_and_messages_stay(self):
        for line in ("lockdep_assert_held(&h->lock);", "gh_busy_assert_held(b);",
                     "if (WARN_ON_ONCE(a < b)) {", "static_assert(A == 4);", "might_alloc(gfp);",
                     'pr_err("%d", a + b);'):
            self.check(line)

    def test_part_of_an_assertion_stays(self):
        self.assertEqual(errors_in("WARN_ON(a &&", "b < c);"), {})

    def test_one_line_of_several(self):
        found = errors_in("if (a < b &&", "    c)")
        self.assertEqual({kind for errors in found.values() for kind, _ in errors},
                         {"comparison", "operator"})


class Choice(Tree):
    def test_files(self):
        self.assertEqual(mutants.source_files(self.repo, ["mm"]), ["mm/span.c", "mm/span.h"])
        self.assertEqual(mutants.source_files(self.repo, ["mm/user", "mm/span.c"]),
                         ["mm/user/heap.c", "mm/span.c"])
        with self.assertRaises(Failure):
            mutants.source_files(self.repo, ["nn"])

    def test_the_seed_decides(self):
        def choose(seed):
            return mutants.choose(self.repo, ["mm", "mm/user"], seed)
        self.assertEqual(choose(1), choose(1))
        self.assertNotEqual(choose(1), choose(2))

    def test_one_error_for_each_line(self):
        chosen = mutants.choose(self.repo, ["mm"], 1)
        lines = sorted(error.line for error in chosen)
        self.assertEqual(lines, sorted(set(lines)))
        text = SPAN_C.split("\n")
        self.assertEqual([text[line - 1].strip() for line in lines],
                         ["unsigned int left = s->npages - n;",
                          "if (left > 4) /* enough < all */", "s->npages = left;",
                          "while (n-- &&", "barrier();"])

    def test_an_error_is_one_changed_line(self):
        for error in mutants.choose(TOP, ["mm", "mm/user", "tools/lib/goheap"], 1):
            self.assertNotEqual(error.before, error.after)
            self.assertNotIn("\n", error.after)

    def test_records(self):
        error = mutants.choose(self.repo, ["mm"], 1)[0]
        record = {"verdict": "survived", **vars(error)}
        self.assertEqual(mutants.Mutant.of(record), error)
