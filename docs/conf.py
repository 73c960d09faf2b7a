"""The settings of the documentation site: Sphinx reads the Markdown pages of this folder, `make docs` builds them.

Rules: the build needs no network. A page that is in no table of contents, a link that leads nowhere and a name that
the API pages do not know are errors.
"""

import os
from importlib.metadata import version as installed_version

# Importing Locust patches the process for gevent, unless this says otherwise. Sphinx has imported too much for that.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"

project = "socketio-bench"
author = "socketio-bench"
version = release = installed_version("socketio-bench")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

# Links such as `load.md#open-load` need an anchor at each heading.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

nitpicky = True
# Names of Python and of other packages: to link them, the build would have to load their sites' inventories.
nitpick_ignore_regex = [
    ("py:.*", r"(?!(bench|app)\.).*"),
    ("py:.*", r".*\._[A-Z]\w*"),  # type variables, which nobody looks up
]

# The docstrings put code between single backticks.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "socketio-bench"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
