"""The documentation site: `make docs` builds it, without any download and without a warning."""

from __future__ import annotations

import sys
from pathlib import Path

import pythonanywhere_api

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "pythonanywhere-api"
author = "the pythonanywhere-api contributors"
project_copyright = f"2026, {author}"
version = release = pythonanywhere_api.__version__

extensions = ["myst_parser", "built_module", "command_line"]
exclude_patterns = ["_build", "_ext"]
nitpicky = True

html_theme = "furo"
html_title = f"pythonanywhere-api {version}"
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The texts of the stubs mark names with single backticks; see built_module.NameRole.
default_role = "name"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
