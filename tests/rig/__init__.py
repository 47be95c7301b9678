"""laned on real parts of an operating system; see run.py. A package: other folders have run.py."""
