"""A 1-bit picture as text: several pixels to a character, in the proportions they really have.

A character is about twice as high as it is wide, so each style takes twice as many pixels down as
across.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from PIL.Image import Image

HALF_BLOCKS: Final = " ▀▄█"  # by the upper pixel, and twice the lower one
BRAILLE_DOTS: Final = (0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80)  # row by row
BRAILLE_BLANK: Final = 0x2800
SIGNS: Final = " .o'|8\"8#"  # by how dark the lower half is (0..2), and three times the upper one

Cell = Sequence[int]
"""The pixels under one character, 0 or 255, row by row."""


class Style(Struct, frozen=True):
    """How pixels become characters: so many across and down to each."""

    across: int
    down: int
    character: Callable[[Cell], str]

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Columns and lines of text that a picture of so many pixels takes."""
        return -(-width // self.across), -(-height // self.down)

    def text(self, image: "Image") -> list[str]:
        """The lines of `image`; lit pixels are ink."""
        columns, lines = self.size(*image.size)
        stride = columns * self.across
        # Cropping to more than there is adds unlit pixels.
        whole = image.crop((0, 0, stride, lines * self.down)).convert("L").tobytes()

        def cell(column: int, line: int) -> bytes:
            corner = line * self.down * stride + column * self.across
            starts = range(corner, corner + self.down * stride, stride)
            return b"".join(whole[start : start + self.across] for start in starts)

        return [
            "".join(self.character(cell(column, line)) for column in range(columns))
            for line in range(lines)
        ]


def _half_block(cell: Cell) -> str:
    return HALF_BLOCKS[bool(cell[0]) + 2 * bool(cell[1])]


def _braille(cell: Cell) -> str:
    dots = sum(dot for dot, pixel in zip(BRAILLE_DOTS, cell, strict=True) if pixel)
    # Some fonts draw the empty pattern as empty circles.
    return chr(BRAILLE_BLANK + dots) if dots else " "


def _sign(cell: Cell) -> str:
    upper, lower = (sum(map(bool, half)) for half in (cell[:4], cell[4:]))
    return SIGNS[-(-lower // 2) + 3 * -(-upper // 2)]


BLOCKS: Final = Style(1, 2, _half_block)
BRAILLE: Final = Style(2, 4, _braille)
ASCII: Final = Style(2, 4, _sign)
