"""`python -m laned`."""

import sys

from laned.cli import main

sys.exit(main())
