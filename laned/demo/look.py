"""What the place we write to can show: letters, dots and colours."""

from collections.abc import Mapping
from typing import Final, TextIO

from msgspec import Struct

from laned.demo.pixels import ASCII, BRAILLE, Style

PROBE: Final = "█⣿─●"

BOLD: Final = "1"
DIM: Final = "2"
RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
CYAN: Final = "36"
WHITE: Final = "97"


class Glyphs(Struct, frozen=True):
    """Signs that not every window has. `box`: its four corners, and its edges across and down."""

    box: tuple[str, str, str, str, str, str]
    lit: str
    unlit: str


UNICODE_GLYPHS: Final = Glyphs(box=("┌", "┐", "└", "┘", "─", "│"), lit="●", unlit="○")
ASCII_GLYPHS: Final = Glyphs(box=("+", "+", "+", "+", "-", "|"), lit="(*)", unlit="( )")


class Look(Struct, frozen=True):
    """Whether Unicode, braille patterns and colours can be shown."""

    unicode: bool
    braille: bool
    colour: bool

    @property
    def glyphs(self) -> Glyphs:
        """The signs to be used."""
        return UNICODE_GLYPHS if self.unicode else ASCII_GLYPHS

    @property
    def small(self) -> Style:
        """The style that takes the least room."""
        return BRAILLE if self.braille else ASCII

    def paint(self, text: str, code: str) -> str:
        """`text` in a colour (SGR), if there are colours."""
        return f"\x1b[{code}m{text}\x1b[m" if self.colour and code else text


def look_of(stream: TextIO, environ: Mapping[str, str]) -> Look:
    """The look that `stream` allows. NO_COLOR is honoured (no-color.org)."""
    try:
        PROBE.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        unicode = False
    else:
        unicode = True
    term = environ.get("TERM", "")
    window = stream.isatty() and term != "dumb"
    return Look(
        unicode=unicode,
        # The kernel's own console has at most 512 signs, and no braille.
        braille=unicode and not (window and term == "linux"),
        colour=window and not environ.get("NO_COLOR"),
    )
