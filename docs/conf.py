"""How the documentation is built: `make docs`. Nothing is fetched, when building or when reading."""

import atexit
import builtins
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import pyrogen

# Notebooks run without the reader's own IPython settings, and without notes on progress bars and sockets.
os.environ["IPYTHONDIR"] = tempfile.mkdtemp(prefix="pyrogen_docs_")
atexit.register(shutil.rmtree, os.environ["IPYTHONDIR"], ignore_errors=True)
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"
profile = Path(os.environ["IPYTHONDIR"]) / "profile_default" / "ipython_kernel_config.py"
profile.parent.mkdir()
profile.write_text('get_config().Application.log_level = "ERROR"\n', encoding="utf-8")

project = "pyrogen"
author = "the pyrogen authors"
release = version = pyrogen.__version__

extensions = [
    "myst_nb",  # reads MyST pages, and runs those that are notebooks: docs/notebooks and docs/gallery
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.bibtex",
    "docstrings",
    "mathml",
]
exclude_patterns = ["_build", "_ext"]
default_role = "name"  # of _ext/docstrings.py: `fit` links where there is such an object, and is code anywhere

html_theme = "furo"
html_title = f"pyrogen {release}"
html_static_path = ["_static"]
html_css_files = ["pyrogen.css"]
html_math_renderer = "mathml"  # of _ext/mathml.py
html_copy_source = False
html_show_copyright = False
pygments_style = "default"
highlight_language = "none"

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"  # a notebook is never older than the code that it shows
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # a busy machine takes minutes
nb_execution_show_tb = True
nb_merge_streams = True
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {  # written as in the source, and not as the unions they stand for
    "Array": "Array",
    "ArrayLike": "ArrayLike",
    "Numbers": "Numbers",
}
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

nitpicky = True
nitpick_ignore_regex = [
    # Other projects' objects: their inventories would have to be fetched, and the build has no network.
    (r"py:.*", r"(torch|pyro|numpy|matplotlib|xarray|arviz|pandas|pd|networkx|pgmpy)\..*"),
    (r"py:.*", r"(collections|contextlib|os|pathlib|types|typing|typing_extensions)\..*"),  # Python's own
    (r"py:.*", "|".join(dir(builtins))),
    (r"py:class", r"Figure|Path|Tensor"),  # matplotlib's, pathlib's and torch's, named without their module
    (r"py:.*", "Array|ArrayLike|Claim|Draws|Node|Numbers|State|low|TypeAliasForwardRef"),
    (
        r"py:class",
        r"pyrogen\.\w+(\.\w+)*\.(Checked|Monitor|Observations|Server)",
    ),  # bases, and what functions return or are given
]
