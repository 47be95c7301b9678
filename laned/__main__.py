"""`python -m laned`."""

import sys

from laned.cli.main import main

sys.exit(main())
