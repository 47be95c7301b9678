"""Planted mistakes that tests must notice. A package: another folder has a `run.py`, too."""

from mutants import at_the_terminal, on_disk, set_aside

MUTANTS = (*on_disk.MUTANTS, *at_the_terminal.MUTANTS, *set_aside.MUTANTS)
