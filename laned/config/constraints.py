"""What a value of the configuration may be, and the words for it: "… is not {words}"."""

from collections.abc import Callable
from typing import Annotated, Final

from msgspec import Meta, Struct

# Keeps a mistyped interval from becoming a busy loop.
MIN_SECONDS: Final = 0.01


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""


def parsed(words: str, parse: Callable[[str], object]) -> Meta:
    """A text that `parse` takes; it raises ValueError for any other."""
    return Meta(description=words, extra={"parse": parse})


def like(words: str, pattern: str, longest: int) -> Meta:
    """A text that matches all of `pattern`, of at most `longest` characters."""
    return Meta(description=words, pattern=rf"\A(?:{pattern})\Z", max_length=longest)


def whole(low: int, high: int, what: str = "a whole number") -> Meta:
    """A whole number within limits."""
    return Meta(ge=low, le=high, description=f"{what} from {low} to {high}")


def seconds(high: int, low: float = MIN_SECONDS) -> Meta:
    """A duration within limits."""
    return Meta(ge=low, le=high, description=f"a number of seconds from {low:g} to {high}")


Pin = Annotated[int, whole(0, 27, "a GPIO number")]
