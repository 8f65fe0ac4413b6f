# SPDX-License-Identifier: GPL-2.0-only
"""Sphinx configuration of goheap's documentation; see Makefile beside this file."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

project = "goheap"
author = "The goheap authors"
copyright = "the goheap authors; GPL-2.0-only"  # noqa: A001, the name is Sphinx's
release = re.search(r'^PACKAGE_VERSION="(.*)"', (HERE.parent / "dkms.conf").read_text(), re.M)[1]
version = release

extensions = ["kdoc"]
root_doc = "index"
exclude_patterns = []
primary_domain = "c"
highlight_language = "none"

html_theme = "alabaster"
html_theme_options = {
    "description": "The Go runtime's memory allocator for the Linux kernel",
    "page_width": "1100px",
    "sidebar_width": "230px",
    "font_size": "16px",
    "show_powered_by": False,
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_static_path = ["static"]
html_css_files = ["goheap.css"]
html_copy_source = False
