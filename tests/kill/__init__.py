"""`kill -9`, and what is on disk. A package: another folder has a `run.py`, too."""
