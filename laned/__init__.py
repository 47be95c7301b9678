"""laned: the daemon between till software and a card payment terminal."""

__version__ = "0.1.0"
