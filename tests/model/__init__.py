"""The money rules, explored exhaustively against a hostile terminal.

A package: another folder has a `run.py`, too. Nothing of laned is imported: this is about the
words of money rules 2 to 5 and 14, not about the code that obeys them.
"""
