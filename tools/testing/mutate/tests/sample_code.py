# SPDX-License-Identifier: GPL-2.0-only
"""A small tree of sources for the tests, and the way to the package that they test."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

SPAN_C = """\
// SPDX-License-Identifier: GPL-2.0-only
/* if (a < b) */
#include "span.h"

#define span_bytes(s) \\
	((s)->npages + 1)

struct gh_span {
	unsigned int npages : 4 + 4;
};

/* Free @n of them. */
static unsigned int span_free(struct gh_span *s, unsigned int n)
{
	unsigned int left = s->npages - n;
	const char *name = "a + b";

	lockdep_assert(s->npages > n);
	if (left > 4) /* enough < all */
		s->npages = left;
	else if (WARN_ON(left == 1))
		return 0;
	while (n-- &&
	       left)
		pr_err("%u < %u", n, left);
	barrier();
#ifdef CONFIG_64BIT
	span_note(s,
		  left);
#endif
	return left;
}
"""


class Tree(unittest.TestCase):
    """A directory with mm/span.c, its header, its suite and a file below it."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.repo = self.scratch / "repo"
        for path, text in (("mm/span.c", SPAN_C), ("mm/span.h", ""), ("mm/fault.c", SPAN_C),
                           ("mm/tests/span_kunit.c", SPAN_C), ("mm/user/heap.c", SPAN_C)):
            (self.repo / path).parent.mkdir(parents=True, exist_ok=True)
            (self.repo / path).write_text(text)
