"""What a check says: one line, with the cure of whatever is not right."""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How bad it is. Only what is broken makes `laned check` fail."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


class Finding(Struct, frozen=True):
    """One finding; as text it is one line."""

    level: Level
    subject: str
    text: str
    cure: str = ""

    def __str__(self) -> str:
        cure = f"; cure: {self.cure}" if self.cure else ""
        line = f"{self.level:8} {self.subject:14} {self.text}{cure}"
        return "".join(c if c.isprintable() else " " for c in line)


Tell = Callable[[Finding], None]


def ok(subject: str, text: str) -> Finding:
    """What is as it should be."""
    return Finding(Level.OK, subject, text)


def warning(subject: str, text: str, cure: str) -> Finding:
    """What works, and may not be what is wanted."""
    return Finding(Level.WARNING, subject, text, cure)


def broken(subject: str, text: str, cure: str) -> Finding:
    """What keeps the lane from working."""
    return Finding(Level.BROKEN, subject, text, cure)
