"""`python -m pyrogen` is the `pyrogen` command."""

import sys

from pyrogen.cli import main

sys.exit(main())
