"""A 1-bit picture as text: several pixels to a character, in the proportions they really have.

A character cell is about twice as high as it is wide, so each style takes twice as many pixels down
as across.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from itertools import starmap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

BLOCKS: Final = " ▀▄█"  # by the upper pixel, and twice the lower one
BRAILLE_DOTS: Final = (0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80)  # row by row
BRAILLE_BLANK: Final = 0x2800
LETTERS: Final = " .o'|8\"8#"  # by how dark the lower half is (0..2), and three times the upper one

Cell = Sequence[int]
"""The pixels under one character, 0 or 255, row by row."""


class Style(Enum):
    """How pixels become characters; the value is (columns, rows) of pixels under each."""

    BLOCKS = (1, 2)
    BRAILLE = (2, 4)
    ASCII = (2, 4, "7 bits")

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Columns and lines of text that a picture of so many pixels takes."""
        across, down = self.value[:2]
        return -(-width // across), -(-height // down)


def text(image: "Image", style: Style) -> list[str]:
    """The lines of `image`; lit pixels are ink."""
    across, down = style.value[:2]
    columns, lines = style.size(*image.size)
    # Cropping to more than there is adds unlit pixels.
    whole = image.crop((0, 0, columns * across, lines * down)).convert("L")
    data, stride = whole.tobytes(), columns * across
    character = _CHARACTERS[style]

    def cell(column: int, line: int) -> str:
        corner = line * down * stride + column * across
        rows = (data[corner + row * stride :][:across] for row in range(down))
        return character(b"".join(rows))

    return [
        "".join(starmap(cell, ((column, line) for column in range(columns))))
        for line in range(lines)
    ]


def _block(cell: Cell) -> str:
    return BLOCKS[bool(cell[0]) + 2 * bool(cell[1])]


def _braille(cell: Cell) -> str:
    dots = sum(dot for dot, pixel in zip(BRAILLE_DOTS, cell, strict=True) if pixel)
    # Some fonts draw the empty pattern as empty circles.
    return chr(BRAILLE_BLANK + dots) if dots else " "


def _letter(cell: Cell) -> str:
    upper, lower = (sum(map(bool, half)) for half in (cell[:4], cell[4:]))
    return LETTERS[-(-lower // 2) + 3 * -(-upper // 2)]


_CHARACTERS: Final[dict[Style, Callable[[Cell], str]]] = {
    Style.BLOCKS: _block,
    Style.BRAILLE: _braille,
    Style.ASCII: _letter,
}
