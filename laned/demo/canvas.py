"""A picture made of characters: put text anywhere, whatever lies outside is not there."""

from itertools import groupby
from typing import Final

from laned.demo.look import Look

PLAIN: Final = ""

Cell = tuple[str, str]
"""A character and its style (SGR)."""


class Canvas:
    """So many columns and lines of characters, each with a style (SGR, or PLAIN)."""

    def __init__(self, columns: int, lines: int) -> None:
        self.columns = columns
        self.lines = lines
        self._rows: list[list[Cell]] = [[(" ", PLAIN)] * columns for _ in range(lines)]

    def put(self, column: int, line: int, text: str, style: str = PLAIN) -> None:
        """Write `text` there; what does not fit is cut off."""
        if not 0 <= line < self.lines:
            return
        row = self._rows[line]
        for place, character in enumerate(text, column):
            if 0 <= place < self.columns:
                row[place] = (character if character.isprintable() else "?", style)

    def rows(self, look: Look) -> list[str]:
        """Each line as it is to be sent, as wide as the canvas."""
        return [
            "".join(
                look.paint("".join(character for character, _ in cells), style)
                for style, cells in groupby(row, key=lambda cell: cell[1])
            )
            for row in self._rows
        ]
